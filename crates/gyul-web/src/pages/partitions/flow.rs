//! From class to class over a period, and the sizes of the classes over time.

use super::super::chart::{COLOURS, Chart};
use super::super::segments::part::{RANGES, first_event, range_of};
use super::super::start::sankey;
use super::super::{Page, format, show};
use super::Shared;
use crate::args::Args;
use crate::data::{DefKind, MembersOf, SizeAt};
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Date, Instant, MICROS_DAY, Zone};
use serde_json::json;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/partitions/{id}/flow", "partPartitionFlow", NUMBERS), flow);
    table.at(Endpoint::page("/partitions/{id}/sizes", "partPartitionSizes", NUMBERS), sizes);
}

#[derive(Template)]
#[template(path = "partitions/flow.html")]
struct Flows {
    page: Page,
    id: String,
    chart: Option<Chart>,
    from: String,
    until: String,
}

/// The instant that a day begins, or is over.
fn day(text: &str, zone: &str, end: bool) -> Option<Instant> {
    let date = Date::parse(text)?;
    let zone = Zone::new(zone)?;
    Some(if end { Instant(zone.midnight(Date(date.0 + 1)).0 - 1) } else { zone.midnight(date) })
}

async fn flow(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    let zone = page.settings.zone.clone();
    let read = |name: &str, end| match args.get(name) {
        Some(text) => day(text, &zone, end).map(Some).ok_or_else(|| {
            let (ko, en) = ("날짜를 2026-01-31처럼 적으세요.", "write the date as in 2026-01-31.");
            ApiError::bad("bad_parameter", ko, en)
        }),
        None => Ok(None),
    };
    let until = read("until", true)?.unwrap_or(page.now).min(page.now);
    let from = read("from", false)?.unwrap_or(Instant(page.now.0 - 30 * MICROS_DAY));
    if from >= until {
        let (ko, en) = (
            "시작한 날이 끝난 날보다 늦습니다. 날짜를 바꾸세요.",
            "the period begins after its end. Change the dates.",
        );
        return Err(ApiError::bad("bad_range", ko, en));
    }
    let found = app.ask(move |b| b.movement(from, until)).await?;
    let own = found.flows.iter().find(|f| f.partition == id);
    let (from, until) = (format::iso_date(from, &zone), format::iso_date(until, &zone));
    let chart = own.filter(|f| f.moves.iter().flatten().chain(&f.joined).any(|n| *n > 0)).map(|f| {
        let stayed: u64 = f.moves.iter().enumerate().map(|(i, row)| row.get(i).copied().unwrap_or(0)).sum();
        let all: u64 = f.moves.iter().flatten().sum();
        let mut chart = sankey(&page, "partition-flow", f);
        let parts = [
            ("moved", (all - stayed).into()),
            ("share", format::share(all - stayed, all).into()),
            ("joined", f.joined.iter().sum::<u64>().into()),
        ];
        chart.says = page.tn("partitions-flow-says", &parts);
        chart.head = vec![from.clone(), until.clone(), page.t("segments-by-size")];
        chart
    });
    show(&page.clone(), &Flows { page, id, chart, from, until })
}

#[derive(Template)]
#[template(path = "partitions/sizes.html")]
struct Sizes {
    page: Page,
    id: String,
    ranges: Vec<(&'static str, String, bool)>,
    chart: Option<Chart>,
}

async fn sizes(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    let first = if args.get("range") == Some("all") { app.ask(|b| Ok(first_event(b))).await? } else { None };
    let (range, asked) = range_of(&page, &args, first);
    let own = id.clone();
    let (state, growth) = app.ask(move |b| Ok((b.definition(DefKind::Partition, &own)?.state, b.growth()))).await?;
    // What the list has counted already need not be counted again.
    let counted = growth.ok().filter(|_| range == "90").map(|g| {
        let of = |class: &str| {
            let found = g.of.iter().find(|o| o.id == format!("{id}/{class}"))?;
            let points = g.population.iter().zip(&found.sizes);
            Some(points.map(|(p, n)| SizeAt { at: p.at, size: *n, entered: None, left: None }).collect::<Vec<_>>())
        };
        state.classes.iter().map(|c| of(&c.class)).collect::<Option<Vec<_>>>()
    });
    let series: Vec<Vec<SizeAt>> = match counted.flatten() {
        Some(series) => series,
        None => {
            let (id, classes) = (id.clone(), state.classes.iter().map(|c| c.class.clone()).collect::<Vec<_>>());
            app.ask(move |b| {
                let of =
                    |class: &String| MembersOf { kind: DefKind::Partition, id: id.clone(), class: Some(class.clone()) };
                classes.iter().map(|c| b.history(&of(c), asked)).collect()
            })
            .await?
        }
    };
    let zone = &page.settings.zone;
    let dates: Vec<String> = series.first().into_iter().flatten().map(|p| format::iso_date(p.at, zone)).collect();
    let mut series = series;
    let mut classes = state.classes;
    // What cannot be told is no empty area; the colours stay those of the bar.
    let mut colours: Vec<usize> = (0..classes.len()).map(|i| i % COLOURS).collect();
    let told: Vec<bool> = classes.iter().map(|c| c.needs_en.is_none()).collect();
    keep(&mut classes, &told);
    keep(&mut series, &told);
    keep(&mut colours, &told);
    let names: Vec<String> = classes.iter().map(|c| page.name(&c.name_ko, &c.name_en, &c.class)).collect();
    let chart = (!dates.is_empty()).then(|| {
        let area = |(i, (name, points)): (usize, (&String, &Vec<SizeAt>))| {
            json!({ "type": "line", "name": name, "stack": "all", "showSymbol": false, "lineStyle": { "width": 0 }, "areaStyle": { "opacity": 0.85 },
                "color": format!("--c{}", colours[i]), "data": points.iter().map(|p| p.size).collect::<Vec<_>>() })
        };
        let option = json!({
            "legend": {},
            "tooltip": { "trigger": "axis", "$fmt": "count" },
            "xAxis": { "type": "category", "data": dates, "boundaryGap": false, "$fmt": "day" },
            "yAxis": { "type": "value", "$fmt": "short", "splitNumber": 4 },
            "series": names.iter().zip(&series).enumerate().map(area).collect::<Vec<_>>(),
        });
        let mut head = vec![page.t("segments-date")];
        head.extend(names.iter().cloned());
        let row = |i: usize| {
            let cells = series.iter().map(|s| s.get(i).map_or("–".into(), |p| format::count(p.size)));
            std::iter::once(dates[i].clone()).chain(cells).collect()
        };
        let rows = (0..dates.len()).rev().map(row).collect();
        Chart::new(&page, "partition-sizes", page.t("partitions-sizes-says"), option).table(head, rows)
    });
    let ranges = RANGES.map(|r| (r, page.t(&format!("segments-range-{r}")), r == range)).to_vec();
    show(&page.clone(), &Sizes { page, id, ranges, chart })
}

/// Those of a list that are marked.
fn keep<T>(list: &mut Vec<T>, marks: &[bool]) {
    let mut marks = marks.iter();
    list.retain(|_| marks.next() == Some(&true));
}
