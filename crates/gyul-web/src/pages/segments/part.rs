//! The parts of a segment's page that take a moment: its past, its overlap with others, its members.

use super::super::chart::Chart;
use super::super::page::encode;
use super::super::{Page, format, show};
use super::detail::what_of;
use crate::app::App;
use crate::args::{self, Args};
use crate::data::{ComputeState, DefKind, DefState, HistoryRange, Member, MembersOf, SizeAt};
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, NUMBERS, PEOPLE, Table};
use crate::veil;
use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use gyul_model::{Instant, MICROS_DAY};
use serde_json::json;
use std::sync::Arc;

type Shared = State<Arc<App>>;
type Class = Path<(String, String)>;

/// Members on a page, and in each piece of a file.
const PAGE: usize = 50;
const PIECE: usize = 5_000;
/// Most others that an overlap is shown with.
const OTHERS: usize = 12;
/// As many as the backend may be asked at once.
const OTHERS_ASKED: usize = 200;

pub fn add(table: &mut Table) {
    let segment = |part: &str| format!("/segments/{{id}}/{part}");
    let class = |part: &str| format!("/partitions/{{id}}/classes/{{class}}/{part}");
    let page = |path: String, id: &str, access| Endpoint::page(path, id, access);
    table.at(
        page(segment("size"), "partSegmentSize", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>, a: Args| size(s, p, DefKind::Segment, id, None, a),
    );
    table.at(page(class("size"), "partClassSize", NUMBERS), |s: Shared, p: Page, Path((id, c)): Class, a: Args| {
        size(s, p, DefKind::Partition, id, Some(c), a)
    });
    table.at(
        page(segment("overlap"), "partSegmentOverlap", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>, a: Args| overlap(s, p, DefKind::Segment, id, None, a),
    );
    table.at(
        page(class("overlap"), "partClassOverlap", NUMBERS),
        |s: Shared, p: Page, Path((id, c)): Class, a: Args| overlap(s, p, DefKind::Partition, id, Some(c), a),
    );
    table.at(
        page(segment("members"), "partSegmentMembers", PEOPLE),
        |s: Shared, p: Page, Path(id): Path<String>, a: Args| members(s, p, DefKind::Segment, id, None, a),
    );
    table
        .at(page(class("members"), "partClassMembers", PEOPLE), |s: Shared, p: Page, Path((id, c)): Class, a: Args| {
            members(s, p, DefKind::Partition, id, Some(c), a)
        });
    // Who takes customers away leaves a line in the audit log.
    table.at(
        page(segment("members.csv"), "exportSegmentMembers", PEOPLE)
            .gives_media("text/csv; charset=utf-8")
            .audited(true),
        |s: Shared, p: Page, Path(id): Path<String>| csv(s, p, DefKind::Segment, id, None),
    );
    table.at(
        page(class("members.csv"), "exportClassMembers", PEOPLE).gives_media("text/csv; charset=utf-8").audited(true),
        |s: Shared, p: Page, Path((id, c)): Class| csv(s, p, DefKind::Partition, id, Some(c)),
    );
}

// Size over time

#[derive(Template)]
#[template(path = "segments/size.html")]
struct Size {
    page: Page,
    base: String,
    /// Code, name, whether it is this one.
    ranges: Vec<(&'static str, String, bool)>,
    chart: Option<Chart>,
    flow: Option<Chart>,
    left_out: u64,
}

pub const RANGES: [&str; 4] = ["30", "90", "365", "all"];

/// A range by its name: where it begins and how far apart its points are.
pub fn range_of(page: &Page, args: &Args, first: Option<Instant>) -> (&'static str, HistoryRange) {
    let now = page.now;
    let days = |n: i64, step: i64| HistoryRange {
        from: Instant(now.0 - n * MICROS_DAY),
        until: now,
        step_micros: step * MICROS_DAY,
    };
    match args.get("range") {
        Some("30") => ("30", days(30, 1)),
        Some("365") => ("365", days(364, 7)),
        Some("all") => {
            let from = first.unwrap_or(Instant(now.0 - 730 * MICROS_DAY)).min(now);
            let span = (now.0 - from.0) / MICROS_DAY + 1;
            ("all", days(span, (span / 60).max(1)))
        }
        _ => ("90", days(90, 2)),
    }
}

/// The first event that is known.
pub fn first_event(b: &dyn crate::Backend) -> Option<Instant> {
    b.events().ok()?.iter().filter_map(|e| e.first_seen).filter(|t| *t != Instant::ALWAYS).min()
}

async fn size(
    State(app): Shared,
    page: Page,
    kind: DefKind,
    id: String,
    class: Option<String>,
    args: Args,
) -> ApiResult {
    let first = if args.get("range") == Some("all") { app.ask(|b| Ok(first_event(b))).await? } else { None };
    let (range, asked) = range_of(&page, &args, first);
    let what = what_of(&app, &page, kind, id, class).await?;
    let of = what.of.clone();
    let points = app.ask(move |b| b.history(&of, asked)).await?;
    let (chart, flow) = (size_chart(&page, &what.name, &points), flow_chart(&page, &points));
    let ranges = RANGES.map(|r| (r, page.t(&format!("segments-range-{r}")), r == range)).to_vec();
    show(&page.clone(), &Size { page, left_out: what.left_out(), base: what.base, ranges, chart, flow })
}

/// The size as a line; nothing without points.
pub fn size_chart(page: &Page, name: &str, points: &[SizeAt]) -> Option<Chart> {
    let (first, last) = (points.first()?, points.last()?);
    let zone = &page.settings.zone;
    let dates: Vec<String> = points.iter().map(|p| format::iso_date(p.at, zone)).collect();
    let option = json!({
        "tooltip": { "trigger": "axis", "$fmt": "count" },
        "xAxis": { "type": "category", "data": dates, "boundaryGap": false, "$fmt": "day" },
        "yAxis": { "type": "value", "$fmt": "short", "splitNumber": 4, "minInterval": 1 },
        "series": [{ "type": "line", "name": name, "showSymbol": false, "areaStyle": { "opacity": 0.12 },
            "lineStyle": { "width": 2, "color": "--b" }, "itemStyle": { "color": "--b" },
            "data": points.iter().map(|p| p.size).collect::<Vec<_>>() }],
    });
    let change = last.size as i64 - first.size as i64;
    let says = page.tn(
        "segments-history-says",
        &[
            ("from", page.date(first.at).into()),
            ("before", first.size.into()),
            ("after", last.size.into()),
            ("change", format::signed(change).into()),
        ],
    );
    let known = |n: Option<u64>| n.map_or("–".into(), format::count);
    let row = |p: &SizeAt| vec![format::iso_date(p.at, zone), format::count(p.size), known(p.entered), known(p.left)];
    let head = ["segments-date", "segments-by-size", "segments-entered", "segments-left"].map(|m| page.t(m)).to_vec();
    Some(Chart::new(page, "segment-size", says, option).table(head, points.iter().rev().map(row).collect()))
}

/// Entries upwards, exits downwards; nothing where they are not known.
fn flow_chart(page: &Page, points: &[SizeAt]) -> Option<Chart> {
    let rest = points.get(1..).filter(|r| !r.is_empty())?;
    let entered: Vec<u64> = rest.iter().map(|p| p.entered).collect::<Option<_>>()?;
    let left: Vec<u64> = rest.iter().map(|p| p.left).collect::<Option<_>>()?;
    let dates: Vec<String> = rest.iter().map(|p| format::iso_date(p.at, &page.settings.zone)).collect();
    let bar = |name: String, color: &str, data: Vec<i64>| json!({ "type": "bar", "name": name, "stack": "moves", "itemStyle": { "color": color }, "data": data, "barMaxWidth": 14 });
    let option = json!({
        "legend": {},
        "tooltip": { "trigger": "axis", "axisPointer": { "type": "shadow" }, "$fmt": "count" },
        "xAxis": { "type": "category", "data": dates, "$fmt": "day" },
        "yAxis": { "type": "value", "$fmt": "short", "splitNumber": 3, "minInterval": 1 },
        "series": [
            bar(page.t("segments-entered"), "--ok", entered.iter().map(|n| *n as i64).collect()),
            bar(page.t("segments-left"), "--bad", left.iter().map(|n| -(*n as i64)).collect()),
        ],
    });
    let parts = [("in", entered.iter().sum::<u64>().into()), ("out", left.iter().sum::<u64>().into())];
    Some(Chart::new(page, "segment-flow", page.tn("segments-flow-says", &parts), option).height("low"))
}

// Overlap

struct Other {
    name: String,
    address: String,
    size: u64,
    both: u64,
    /// Of this one's members, who are in the other.
    share: f64,
    /// Against everybody.
    lift: Option<f64>,
}

impl Other {
    fn width(&self) -> u64 {
        (self.share * 1000.0).round() as u64
    }

    fn percent(&self) -> String {
        format::percent(self.share)
    }

    fn times(&self, page: &Page) -> String {
        match self.lift {
            None => "–".into(),
            Some(l) if (0.95..1.05).contains(&l) => page.t("segments-lift-same"),
            Some(l) => page.t1("segments-lift", "n", format::decimal(l, if l < 10.0 { 1 } else { 0 })),
        }
    }

    fn clear(&self) -> bool {
        self.lift.is_some_and(|l| !(0.8..1.25).contains(&l))
    }
}

#[derive(Template)]
#[template(path = "segments/overlap.html")]
struct Overlaps {
    page: Page,
    base: String,
    /// What it can be compared with: code, name, whether it is.
    choices: Vec<(String, String, bool)>,
    others: Vec<Other>,
    size: u64,
    /// Of the members so many object to being profiled; they count.
    left_out: u64,
    hidden: usize,
}

/// Names of what a segment or class is compared with; with what the data cannot tell there is nothing to compare.
pub fn candidates(
    page: &Page,
    with: &str,
    segments: &[DefState],
    partitions: &[DefState],
) -> Vec<(String, String, String)> {
    let live = |d: &&DefState| d.state == ComputeState::Live && d.needs_en.is_none();
    match partitions.iter().find(|p| p.id == with) {
        Some(p) => {
            let of = |c: &crate::data::ClassSize| {
                let to = format!("/partitions/{}/classes/{}", encode(&p.id), encode(&c.class));
                (format!("{}/{}", p.id, c.class), page.name(&c.name_ko, &c.name_en, &c.class), to)
            };
            p.classes.iter().filter(|c| c.needs_en.is_none()).map(of).collect()
        }
        None => {
            let of = |d: &DefState| {
                (d.id.clone(), page.name(&d.name_ko, &d.name_en, &d.id), format!("/segments/{}", encode(&d.id)))
            };
            segments.iter().filter(live).map(of).collect()
        }
    }
}

async fn overlap(
    State(app): Shared,
    page: Page,
    kind: DefKind,
    id: String,
    class: Option<String>,
    args: Args,
) -> ApiResult {
    let what = what_of(&app, &page, kind, id, class).await?;
    let (segments, partitions, metrics) =
        app.ask(|b| Ok((b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?, b.metrics()))).await?;
    let everybody = metrics.iter().find(|m| m.name == "customers" && m.labels.is_empty()).map(|m| m.value);
    let with = args.get("with").unwrap_or("segments").to_string();
    let own = what.id();
    let mut names = candidates(&page, &with, &segments, &partitions);
    names.retain(|(id, ..)| *id != own);
    let found = pairs(&app, &own, names.iter().map(|(id, ..)| id.clone()).collect()).await?;
    let size = what.size.unwrap_or(0);
    let mut others: Vec<Other> = names
        .into_iter()
        .filter_map(|(id, name, address)| {
            let (_, both, other) = found.iter().find(|(b, ..)| *b == id)?;
            let share = if size == 0 { 0.0 } else { *both as f64 / size as f64 };
            let base = everybody.filter(|n| *n > 0.0).map(|n| *other as f64 / n);
            let lift = base.filter(|b| *b > 0.0 && size > 0).map(|b| share / b);
            Some(Other { name, address, size: *other, both: *both, share, lift })
        })
        .collect();
    // The classes of a partition stay in their order.
    let hidden = if partitions.iter().any(|p| p.id == with) {
        0
    } else {
        others.sort_by(|a, b| b.both.cmp(&a.both).then_with(|| a.name.cmp(&b.name)));
        let hidden = others.len().saturating_sub(OTHERS);
        if args.get("all").is_none() {
            others.truncate(OTHERS);
            hidden
        } else {
            0
        }
    };
    let mut choices = vec![("segments".to_string(), page.t("segments-kind-segment"), with == "segments")];
    let not_own = partitions.iter().filter(|p| what.partition.is_none() || p.id != what.of.id);
    choices.extend(not_own.map(|p| (p.id.clone(), page.name(&p.name_ko, &p.name_en, &p.id), p.id == with)));
    show(&page.clone(), &Overlaps { page, left_out: what.left_out(), base: what.base, choices, others, size, hidden })
}

/// With each of some others: its id, how many are in both, its size.
pub async fn pairs(app: &Arc<App>, own: &str, others: Vec<String>) -> ApiResult<Vec<(String, u64, u64)>> {
    let own = own.to_string();
    app.ask(move |b| {
        let mut out = vec![];
        // All pairs are counted, so a few at a time cost least.
        for some in others.chunks(8).take(OTHERS_ASKED / 8) {
            let ids: Vec<String> = std::iter::once(own.clone()).chain(some.iter().cloned()).collect();
            let found = b.overlap(&ids)?;
            out.extend(found.into_iter().filter(|o| o.a == own).map(|o| (o.b, o.both, o.b_size)));
        }
        Ok(out)
    })
    .await
}

// Members

#[derive(Template)]
#[template(path = "segments/members.html")]
struct Members {
    page: Page,
    base: String,
    /// As they are called here, and as they are.
    members: Vec<(String, Member)>,
    size: Option<u64>,
    /// Of them so many are not listed.
    left_out: u64,
    next: Option<String>,
    first: bool,
}

async fn members(
    State(app): Shared,
    page: Page,
    kind: DefKind,
    id: String,
    class: Option<String>,
    args: Args,
) -> ApiResult {
    let what = what_of(&app, &page, kind, id, class).await?;
    let after = args.cursor(|text| Some(text.to_string()))?;
    let (of, first) = (what.of.clone(), after.is_none());
    let mut members = app.ask(move |b| b.members(&of, after.as_deref(), PAGE + 1)).await?;
    let more = members.len() > PAGE;
    members.truncate(PAGE);
    let next = members.last().filter(|_| more).map(|m| args::cursor(&m.customer));
    let veiled = page.caller.as_ref().is_none_or(|c| veil::veils(c.role));
    let lines = members.into_iter().map(|mut m| {
        m.since = m.since.filter(|t| *t != Instant::ALWAYS);
        let shown = if veiled { veil::handle(&m.customer) } else { m.customer.clone() };
        (shown, m)
    });
    let members = lines.collect();
    let left_out = what.left_out();
    show(&page.clone(), &Members { page, base: what.base, members, size: what.size, left_out, next, first })
}

/// All members, a piece at a time, for as long as somebody reads.
async fn csv(State(app): Shared, page: Page, kind: DefKind, id: String, class: Option<String>) -> ApiResult {
    let veiled = page.caller.as_ref().is_none_or(|c| veil::veils(c.role));
    let asked = id.clone();
    let d = app.ask(move |b| b.definition(kind, &asked)).await?;
    if class.as_ref().is_some_and(|c| d.state.classes.iter().all(|k| k.class != *c)) {
        return Err(ApiError::not_found());
    }
    let file = format!("{}{}.csv", id, class.as_ref().map_or(String::new(), |c| format!("-{c}")));
    let of = MembersOf { kind, id, class };
    let start = (app, of, None::<String>, false, true);
    let pieces = futures_util::stream::unfold(start, move |(app, of, after, done, first)| async move {
        if done {
            return None;
        }
        let (asked, from) = (of.clone(), after.clone());
        let found = app.ask(move |b| b.members(&asked, from.as_deref(), PIECE)).await;
        // A file that breaks off must not look whole.
        let members = match found {
            Ok(m) => m,
            Err(_) => {
                let broken = std::io::Error::other("the members cannot be read any more");
                return Some((Err(broken), (app, of, None, true, false)));
            }
        };
        let mut text = if first { String::from("\u{feff}customer,since,until\r\n") } else { String::new() };
        for m in &members {
            let time =
                |t: Option<Instant>| t.filter(|t| *t != Instant::ALWAYS).map_or(String::new(), |t| t.to_string());
            text += &format!(
                "{},{},{}\r\n",
                cell(&if veiled { veil::handle(&m.customer) } else { m.customer.clone() }),
                time(m.since),
                time(m.until)
            );
        }
        let done = members.len() < PIECE;
        let after = members.last().map(|m| m.customer.clone());
        Some((Ok(Bytes::from(text)), (app, of, after, done, false)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let safe: String =
        file.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{safe}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// A cell that no program takes for a formula.
fn cell(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if risky { format!("'{text}") } else { text.to_string() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        assert_eq!(cell("C1"), "C1");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("+8210"), "'+8210");
    }
}
