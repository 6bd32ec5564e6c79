//! `gyul segments`: count, members, history, why, overlap.

use crate::Context;
use crate::args::{MembersFormat, Segments, TableFormat};
use crate::definitions::{not_found, view};
use crate::failure::{FINDINGS, Failure};
use crate::output::{csv, deliver, json_text, percent, print, table, thousands};
use crate::parquet_file;
use crate::time;
use gyul_engine::{Count, NoHistory, Series, View, needs};
use gyul_model::{Instant, Lang, Value};
use gyul_segment::tree::Words;
use serde_json::json;

pub fn run(context: &Context, verb: &Segments) -> Result<u8, Failure> {
    let missing = |e| not_found(context, e);
    match verb {
        Segments::Count { asked, format } => {
            let (view, at) = view(context, asked)?;
            let counts = view.counts(at);
            print(&match format {
                TableFormat::Table => counts_table(context.lang, &view, &counts, at),
                TableFormat::Csv => {
                    let row = |c: &Count| vec![c.id.clone(), c.customers.to_string(), at.to_string()];
                    csv(&["segment", "count", "as_of"], &counts.iter().map(row).collect::<Vec<_>>())
                }
                TableFormat::Json => {
                    let row = |c: &Count| {
                        let mut row = json!({"segment": c.id, "count": c.customers, "as_of": at.to_string()});
                        if !c.needs.is_empty() {
                            let any = |list: &Vec<needs::Lack>| list.iter().map(|l| l.name()).collect::<Vec<_>>();
                            row["needs"] = c.needs.iter().map(any).collect();
                        }
                        row
                    };
                    json_text(&counts.iter().map(row).collect())
                }
            })?;
        }
        Segments::Members { id, asked, format, output } => {
            let (view, at) = view(context, asked)?;
            let members = view.members(id, at).map_err(missing)?;
            let bytes = match format {
                MembersFormat::Csv => {
                    csv(&["customer"], &members.into_iter().map(|m| vec![m]).collect::<Vec<_>>()).into()
                }
                MembersFormat::Json => json_text(
                    &json!({"segment": id, "as_of": at.to_string(), "count": members.len(), "customers": members}),
                )
                .into_bytes(),
                MembersFormat::Parquet => {
                    let column: Vec<Option<Value>> = members.into_iter().map(|m| Some(Value::Text(m))).collect();
                    parquet_file::write(&["customer".to_string()], &[&column])?
                }
            };
            deliver(output.as_deref(), &bytes)?;
        }
        Segments::History { ids, asked, from, to, every, format, changes } => {
            let every = time::duration(every)?;
            let (view, at) = view(context, asked)?;
            let zone = view.zone();
            let to = to.as_deref().map_or(Ok(at), |t| time::instant(t, zone))?;
            let first = || view.period().map_or(to, |p| zone.midnight(zone.date(p.0)));
            let from = from.as_deref().map_or_else(|| Ok(first()), |t| time::beginning(t, zone))?;
            if from > to {
                return Err(Failure::usage(
                    "--from이 --to(또는 --as-of)보다 늦습니다. 두 시각을 바꿔 보세요.",
                    "--from lies after --to (or --as-of). Exchange them.",
                ));
            }
            let series = view.history(ids, from, to, every).map_err(missing)?;
            print(&if *changes {
                changes_text(&series, *format)
            } else {
                series_text(context, &view, &series, *format)
            })?;
            // No changes and unknown changes must not look alike.
            if *changes && series.iter().any(|s| s.inexact.is_some()) {
                eprint!("{}", no_history(context, &series));
                return Ok(FINDINGS);
            }
        }
        Segments::Why { id, customer, asked } => {
            let (view, at) = view(context, asked)?;
            let explanation = view.why(id, customer, at).map_err(missing)?;
            let mut text = gyul_segment::explain::render(&explanation.why, view.zone(), context.lang);
            if let Some((next, enters)) = explanation.next {
                let when = moment(&view, next);
                text += &match (context.lang, enters) {
                    (Lang::Ko, true) => format!("아무 일이 없으면 {when}에 들어옵니다.\n"),
                    (Lang::Ko, false) => format!("아무 일이 없으면 {when}에 나갑니다.\n"),
                    (Lang::En, true) => format!("If nothing happens, enters at {when}.\n"),
                    (Lang::En, false) => format!("If nothing happens, leaves at {when}.\n"),
                };
            }
            print(&text)?;
        }
        Segments::Overlap { ids, asked, format } => {
            let (view, at) = view(context, asked)?;
            let o = view.overlap(ids, at).map_err(missing)?;
            let mut header = vec![""];
            header.extend(o.ids.iter().map(String::as_str));
            let cells = |cell: &dyn Fn(usize, usize) -> String| {
                let row = |i: usize| {
                    std::iter::once(o.ids[i].clone()).chain((0..o.ids.len()).map(|j| cell(i, j))).collect::<Vec<_>>()
                };
                (0..o.ids.len()).map(row).collect::<Vec<_>>()
            };
            print(&match format {
                TableFormat::Table => {
                    let right: Vec<usize> = (1..=o.ids.len()).collect();
                    let share = |i: usize, j: usize| {
                        format!("{} ({})", thousands(o.both[i][j]), percent(o.both[i][j], o.both[i][i]))
                    };
                    table(&header, &right, &cells(&share))
                        + context.say(
                            "괄호 안은 그 행의 세그먼트 중 비율입니다.\n",
                            "In brackets: the share of the row's segment.\n",
                        )
                }
                TableFormat::Csv => {
                    header[0] = "segment";
                    csv(&header, &cells(&|i, j| o.both[i][j].to_string()))
                }
                TableFormat::Json => json_text(
                    &json!({"segments": o.ids, "both": o.both, "population": o.population, "as_of": at.to_string()}),
                ),
            })?;
        }
    }
    Ok(0)
}

pub fn words<'a>(w: &'a Words, lang: Lang, id: &'a str) -> &'a str {
    let (first, second) = lang.pick((&w.ko, &w.en), (&w.en, &w.ko));
    first.as_deref().or(second.as_deref()).unwrap_or(id)
}

/// Local wall-clock time to the second.
pub fn moment(view: &View, t: Instant) -> String {
    let zone = view.zone();
    let seconds = zone.time_of_day(t) / 1_000_000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{} {clock}", zone.date(t))
}

pub fn counts_table(lang: Lang, view: &View, counts: &[Count], at: Instant) -> String {
    let population = counts.first().map_or(0, |c| c.population);
    let row = |c: &Count| {
        let id = c.id.rsplit('/').next().unwrap_or(&c.id);
        let mut name = words(&c.about.name, lang, id).to_string();
        if let Some(group) = &c.group {
            let partition = c.id.split('/').next().unwrap_or("");
            name = format!("{} · {name}", words(group, lang, partition));
        }
        if c.needs.is_empty() {
            return vec![c.id.clone(), name, thousands(c.customers), percent(c.customers, population), String::new()];
        }
        // Nobody and everybody are no answers where the data cannot tell.
        let needs = needs::words(&c.needs);
        let why = lang.pick(format!("데이터 없음: {}", needs.ko), format!("no data: needs {}", needs.en));
        vec![c.id.clone(), name, "–".into(), "–".into(), why]
    };
    let header = lang.pick(["세그먼트", "이름", "고객 수", "비율", ""], ["segment", "name", "customers", "share", ""]);
    let rows: Vec<_> = counts.iter().map(row).collect();
    let when = moment(view, at);
    let zone = view.zone().name();
    let (all, now) = (thousands(population), lang.pick("기준", "as of"));
    table(&header, &[2, 3], &rows)
        + &lang.pick(
            format!("전체 고객 {all}명, {when} ({zone}) {now}\n"),
            format!("{all} customers in all, {now} {when} ({zone})\n"),
        )
        + &crate::policy::said(lang, view.left_out(), view.zone())
        + &stale(lang, view, at)
}

/// Asked long after the data's end, most windows are empty: says so and how to ask for the end.
fn stale(lang: Lang, view: &View, at: Instant) -> String {
    let Some((_, last)) = view.period() else { return String::new() };
    let days = (at.0 - last.0) / gyul_model::MICROS_DAY;
    if days < 14 {
        return String::new();
    }
    let end = moment(view, last);
    lang.pick(
        format!("데이터는 {days}일 전인 {end}에 끝납니다. 그 시점으로 보려면 --as-of end를 붙이세요.\n"),
        format!("The data ends {days} days earlier, at {end}. Add --as-of end to see that moment.\n"),
    )
}

fn series_text(context: &Context, view: &View, series: &[Series], format: TableFormat) -> String {
    let known = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let flat = || series.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
    match format {
        TableFormat::Json => {
            let row = |(s, p): (&Series, &gyul_engine::Point)| json!({"segment": s.id, "as_of": p.at.to_string(), "count": p.customers, "entered": p.entered, "left": p.left});
            json_text(&flat().map(row).collect())
        }
        TableFormat::Csv => {
            let row = |(s, p): (&Series, &gyul_engine::Point)| {
                vec![s.id.clone(), p.at.to_string(), p.customers.to_string(), known(p.entered), known(p.left)]
            };
            csv(&["segment", "as_of", "count", "entered", "left"], &flat().map(row).collect::<Vec<_>>())
        }
        TableFormat::Table => {
            let row = |(s, p): (&Series, &gyul_engine::Point)| {
                let change = |n: Option<u64>, sign: &str| n.map_or("–".into(), |n| format!("{sign}{}", thousands(n)));
                let cells = [thousands(p.customers), change(p.entered, "+"), change(p.left, "-")];
                [s.id.clone(), moment(view, p.at)].into_iter().chain(cells).collect::<Vec<_>>()
            };
            let header = context.lang.pick(
                ["세그먼트", "시각", "고객 수", "진입", "이탈"],
                ["segment", "time", "customers", "entered", "left"],
            );
            let mut out = table(&header, &[2, 3, 4], &flat().map(row).collect::<Vec<_>>());
            out += &no_history(context, series);
            out
        }
    }
}

/// For whom entries and exits are not known, and why: a line each.
fn no_history(context: &Context, series: &[Series]) -> String {
    let mut out = String::new();
    for s in series {
        let Some(why) = &s.inexact else { continue };
        let why = match why {
            NoHistory::RankFlows => context.say(
                "시간에 따라 늘 변하는 값의 순위입니다. since(order) 대신 last(order.ts)의 순위로 바꾸면 알 수 있습니다",
                "it ranks a quantity that grows with time; rank the instant, last(order.ts), instead of since(order)",
            ),
            NoHistory::Percentile => context.say(
                "percentile()은 매 순간 모두와 비교하는 값입니다. top N%, bottom N%, quintile()로 바꾸면 알 수 있습니다",
                "percentile() compares with everybody at every instant; use top N%, bottom N% or quintile() instead",
            ),
            NoHistory::AverageOfQuotients => context.say(
                "나눗셈한 값들의 평균과 비교합니다. 합계의 평균이나 top N%와 비교하면 알 수 있습니다",
                "it compares with the average of quotients; compare with the average of a sum, or use top N%",
            ),
        };
        out += &context.lang.pick(
            format!("{}: 진입과 이탈 시각을 알 수 없어 크기만 셉니다. {why}.\n", s.id),
            format!("{}: entries and exits are not known, sizes alone are: {why}.\n", s.id),
        );
    }
    out
}

fn changes_text(series: &[Series], format: TableFormat) -> String {
    let flat = || series.iter().flat_map(|s| s.changes.iter().map(move |c| (s, c)));
    let what = |entered: bool| if entered { "entered" } else { "left" };
    match format {
        TableFormat::Json => {
            let row = |(s, c): (&Series, &gyul_engine::Change)| json!({"segment": s.id, "at": c.at.to_string(), "customer": c.customer, "change": what(c.entered)});
            json_text(&flat().map(row).collect())
        }
        _ => {
            let row = |(s, c): (&Series, &gyul_engine::Change)| {
                vec![s.id.clone(), c.at.to_string(), c.customer.clone(), what(c.entered).to_string()]
            };
            let rows: Vec<_> = flat().map(row).collect();
            let header = ["segment", "at", "customer", "change"];
            if format == TableFormat::Csv { csv(&header, &rows) } else { table(&header, &[], &rows) }
        }
    }
}
