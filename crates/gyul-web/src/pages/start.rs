//! What is happening now? Who comes and goes, what moved this week, whether the data is well, and what to do next.

use super::chart::{COLOURS, Chart};
use super::{Page, format, show};
use crate::app::App;
use crate::args::{self, Args};
use crate::data::explore::{Money, Regions, Span};
use crate::data::{CAUSES, ComputeState, CustomerHead, DefKind, DefState, Flow, Health};
use crate::problem::ApiResult;
use crate::table::{Endpoint, Kind, NUMBERS, PEOPLE, Table};
use crate::veil;
use askama::Template;
use axum::extract::State;
use gyul_model::{Instant, MICROS_DAY, MICROS_HOUR};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/", "pageStart", NUMBERS), start);
    table.at(Endpoint::page("/start/month", "partMonth", NUMBERS), month);
    table.at(Endpoint::page("/start/week", "partWeek", NUMBERS), week);
    table.at(Endpoint::page("/start/flow", "partFlow", NUMBERS), flow);
    table.at(Endpoint::page("/start/rfm", "partRfm", NUMBERS), rfm);
    table.at(
        Endpoint::page("/start/names", "partNames", PEOPLE).gives_media("application/json").needs(
            "ids",
            Kind::Text(1, 10_000),
            IDS,
        ),
        called,
    );
}

/// Customers that the card of changes shows at once, and some more.
const CALLED: usize = 20;
const IDS: &str = "Customers' ids with commas between.";

/// Sentences about the week: so many of moves between classes, so many of segments.
const MOVES: usize = 4;

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    page: Page,
    title: String,
    /// Nothing is known of anybody.
    empty: bool,
    customers: u64,
    events: u64,
    lag: f64,
    writable: bool,
    damaged: u64,
    failing: Vec<String>,
    quarantine: u64,
    failed: Vec<DefState>,
    /// For the script: names of segments and classes, and its sentences.
    names: String,
}

async fn start(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    let (segments, partitions, metrics, health) = app
        .ask(|b| {
            let (segments, partitions) = (b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?);
            Ok((segments, partitions, b.metrics(), b.health()))
        })
        .await?;
    let metric = |name: &str| metrics.iter().find(|m| m.name == name && m.labels.is_empty()).map_or(0.0, |m| m.value);
    let customers = metric("customers") as u64;
    let names = for_script(&page, &segments, &partitions);
    let failed = segments.into_iter().chain(partitions).filter(|s| s.state == ComputeState::Failed).collect();
    let title = page.t("start-title");
    let view = Start {
        title,
        empty: customers == 0,
        customers,
        events: metric("events_in_memory") as u64,
        lag: metric("lag_seconds"),
        writable: health.writable,
        damaged: health.damaged,
        failing: failing(&page, &health),
        quarantine: metric("quarantine_messages") as u64,
        failed,
        names,
        page: page.clone(),
    };
    show(&page, &view)
}

// What takes a moment comes after the page

#[derive(Template)]
#[template(path = "start/month.html")]
struct Month {
    page: Page,
    /// Days since the last event, where that explains what the numbers say.
    stale: Option<u64>,
    tiles: Vec<Tile>,
}

/// A number of the last 30 days, and what became of it.
struct Tile {
    name: &'static str,
    value: String,
    /// Against the 30 days before; nothing where those had none.
    change: Option<String>,
    /// `up`, `down`, `quiet`.
    way: &'static str,
}

/// What the shop earned within 30 days, beside the 30 days before.
async fn month(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    // By the hour, so that a page looked at again asks the same.
    let hour = page.now.0.div_euclid(MICROS_HOUR) * MICROS_HOUR;
    let ago = |days: i64| Instant(hour - days * MICROS_DAY);
    let (last, before) = (Span { after: ago(30), until: Instant::LAST }, Span { after: ago(60), until: ago(30) });
    let (now, then, stale) =
        app.ask(move |b| Ok((b.regions(None, last)?, b.regions(None, before)?, b.enough()?.stale_days))).await?;
    let (now, then) = (sum(&now), sum(&then));
    let basket = |m: &Money| if m.orders > 0 { m.gross / m.orders as f64 } else { 0.0 };
    let numbers = [
        ("start-month-net", now.net, then.net, page.money_short(now.net)),
        ("start-month-orders", now.orders as f64, then.orders as f64, page.count(&now.orders)),
        ("start-month-buyers", now.buyers as f64, then.buyers as f64, page.t1("common-customers", "n", now.buyers)),
        ("start-month-basket", basket(&now), basket(&then), page.money_short(basket(&now))),
    ];
    let tile = |(name, now, then, value): (&'static str, f64, f64, String)| {
        let (change, way) = change(now, then);
        Tile { name, value, change, way }
    };
    let tiles = if now.orders + then.orders == 0 { vec![] } else { numbers.map(tile).into() };
    let stale = stale.filter(|d| *d > 7).map(|d| d as u64);
    show(&page.clone(), &Month { page, stale, tiles })
}

/// How much more or less than before, and which way that is; nothing can be said of a change from nothing.
fn change(now: f64, then: f64) -> (Option<String>, &'static str) {
    match (then > 0.0).then(|| now / then - 1.0) {
        None => (None, "quiet"),
        Some(g) if g >= 0.0005 => (Some(format!("+{}", format::percent(g))), "up"),
        Some(g) if g <= -0.0005 => (Some(format!("−{}", format::percent(-g))), "down"),
        Some(_) => (Some("0%".into()), "quiet"),
    }
}

/// Everybody, wherever they live.
fn sum(regions: &Regions) -> Money {
    let all = regions.regions.iter().map(|r| &r.money).chain([&regions.unknown]);
    all.fold(Money::default(), |sum, m| Money {
        buyers: sum.buyers + m.buyers,
        orders: sum.orders + m.orders,
        gross: sum.gross + m.gross,
        net: sum.net + m.net,
        ..sum
    })
}

/// How customers are called, by the ids that changes name them by: a stream of changes is no place for names.
async fn called(State(app): State<Arc<App>>, page: Page, args: Args) -> ApiResult {
    let ids: Vec<String> = args.get("ids").unwrap_or_default().split(',').take(CALLED).map(str::to_string).collect();
    let heads = app.ask(move |b| b.heads(&ids)).await?;
    let veiled = page.caller.as_ref().is_none_or(|c| veil::veils(c.role));
    let one = |head: CustomerHead| {
        let name = head.name.filter(|n| !n.trim().is_empty())?;
        let name = if veiled { veil::name(&name) } else { name };
        Some((head.id, Value::String(name.chars().take(80).collect())))
    };
    args::json(&heads.into_iter().filter_map(one).collect::<Map<String, Value>>())
}

#[derive(Template)]
#[template(path = "start/week.html")]
struct Week {
    page: Page,
    moves: Vec<Move>,
}

/// A movement in words.
struct Move {
    /// How many went.
    count: u64,
    sentence: String,
    to: String,
    /// What the classes or segments count now, and what they did.
    note: String,
}

async fn week(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    let from = Instant(page.now.0 - 7 * MICROS_DAY);
    let now = page.now;
    let (found, segments, partitions) = app
        .ask(move |b| {
            Ok((b.movement(from, now)?, b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?))
        })
        .await?;
    let untold = |partition: &str, class: &str| {
        let classes = partitions.iter().filter(|p| p.id == partition).flat_map(|p| &p.classes);
        classes.into_iter().any(|c| c.class == class && c.needs_en.is_some())
    };
    let (mut moves, mut sizes) = (vec![], vec![]);
    for f in &found.flows {
        let name = |k: usize| f.classes.get(k).map_or(String::new(), |c| page.name(&c.name_ko, &c.name_en, &c.class));
        let partition = page.name(&f.name_ko, &f.name_en, &f.partition);
        for (i, row) in f.moves.iter().enumerate() {
            for (j, &count) in row.iter().enumerate().filter(|(j, n)| i != *j && **n > 0) {
                if [i, j].iter().any(|k| f.classes.get(*k).is_some_and(|c| untold(&f.partition, &c.class))) {
                    continue;
                }
                let to = if page.is_ko() { format::whither(&name(j)) } else { name(j) };
                let parts = [("n", count.into()), ("from", name(i).into()), ("to", to.into())];
                let size = f.classes.get(j).map_or(0, |c| c.size);
                moves.push(Move {
                    count,
                    sentence: page.tn("start-moved", &parts),
                    to: format!("/partitions/{}", super::page::encode(&f.partition)),
                    note: page.t2("start-moved-note", "partition", &partition, "n", size),
                });
            }
        }
    }
    // What cannot be told did not grow either.
    for d in segments.iter().filter(|d| d.needs_en.is_none()) {
        let Some(s) = found.sizes.iter().find(|s| s.id == d.id) else { continue };
        let name = page.name(&d.name_ko, &d.name_en, &d.id);
        let grown = s.after as i64 - s.before as i64;
        let message = if grown > 0 { "start-grown" } else { "start-shrunk" };
        sizes.push(Move {
            count: grown.unsigned_abs(),
            sentence: page.t2(message, "name", name, "n", grown.unsigned_abs()),
            to: format!("/segments/{}", super::page::encode(&d.id)),
            note: page
                .tn("start-grown-note", &[("n", s.after.into()), ("in", s.entered.into()), ("out", s.left.into())]),
        });
    }
    for of in [&mut moves, &mut sizes] {
        of.retain(|m| m.count > 0);
        of.sort_by_key(|m| std::cmp::Reverse(m.count));
        of.truncate(MOVES);
    }
    moves.append(&mut sizes);
    moves.sort_by_key(|m| std::cmp::Reverse(m.count));
    show(&page.clone(), &Week { page, moves })
}

#[derive(Template)]
#[template(path = "start/chart.html")]
struct ChartPart {
    chart: Option<Chart>,
    empty: String,
    /// Leads on.
    to: &'static str,
    more: String,
}

/// The lifecycle between a month ago and now.
async fn flow(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    let (from, now) = (Instant(page.now.0 - 30 * MICROS_DAY), page.now);
    let found = app.ask(move |b| b.movement(from, now)).await?;
    let lifecycle = found.flows.iter().find(|f| f.partition == "lifecycle").or(found.flows.first());
    let chart =
        lifecycle.filter(|f| f.moves.iter().flatten().any(|n| *n > 0)).map(|f| sankey(&page, "start-sankey", f));
    let (empty, more) = (page.t("start-flow-none"), page.t("start-flow-more"));
    show(&page, &ChartPart { chart, empty, to: "/partitions", more })
}

/// Classes then on the left, now on the right; who was not there before comes from the bottom.
pub fn sankey(page: &Page, id: &'static str, f: &Flow) -> Chart {
    let name = |k: usize| f.classes.get(k).map_or(String::new(), |c| page.name(&c.name_ko, &c.name_en, &c.class));
    let new = page.t("start-flow-new");
    // Names of nodes must differ: on both sides, of classes that are called the same, of a class that is called as those
    // who are new. Marks that are not seen tell them apart.
    let marked = |name: &str, n: usize| format!("{name}{}", "\u{200b}".repeat(n));
    let (left, right) = (|k: usize| marked(&name(k), 2 * k), |k: usize| marked(&name(k), 2 * k + 1));
    let newcomers = marked(&new, 2 * f.classes.len());
    let (mut nodes, mut links, mut rows) = (vec![], vec![], vec![]);
    let colour = |k: usize| format!("--c{}", k % COLOURS);
    for k in 0..f.classes.len() {
        let before: u64 = f.moves.get(k).map_or(0, |row| row.iter().sum());
        if before > 0 {
            nodes.push(json!({ "name": left(k), "depth": 0, "itemStyle": { "color": colour(k) }, "label": { "position": "right" } }));
        }
        if f.classes[k].size > 0 {
            nodes.push(json!({ "name": right(k), "depth": 1, "itemStyle": { "color": colour(k) }, "label": { "position": "left" } }));
        }
    }
    let sources = f.moves.iter().enumerate().map(|(i, row)| (left(i), name(i), row));
    for (source, shown, row) in sources.chain([(newcomers.clone(), new, &f.joined)]) {
        for (j, n) in row.iter().enumerate().filter(|(_, n)| **n > 0) {
            links.push(json!({ "source": source, "target": right(j), "value": n }));
            rows.push(vec![shown.clone(), name(j), page.count(n)]);
        }
    }
    if f.joined.iter().any(|n| *n > 0) {
        nodes.push(
            json!({ "name": newcomers, "depth": 0, "itemStyle": { "color": "--c8" }, "label": { "position": "right" } }),
        );
    }
    let moved: u64 = f
        .moves
        .iter()
        .enumerate()
        .map(|(i, r)| r.iter().enumerate().filter(|(j, _)| i != *j).map(|(_, n)| n).sum::<u64>())
        .sum();
    let option = json!({
        "tooltip": { "trigger": "item", "$fmt": "count" },
        "series": [{
            "type": "sankey", "data": nodes, "links": links, "left": 8, "right": 8, "top": 8, "bottom": 8, "nodeWidth": 14, "nodeGap": 10,
            "draggable": false, "layoutIterations": 0, "emphasis": { "focus": "adjacency" },
            "lineStyle": { "color": "source", "opacity": 0.35 }, "label": { "color": "--ink", "fontSize": 12 },
        }],
    });
    let head = vec![page.t("start-flow-from"), page.t("start-flow-to"), page.t("start-flow-count")];
    Chart::new(page, id, page.t1("start-flow-says", "n", moved), option).height("tall").table(head, rows)
}

/// What the members of each class of RFM have spent.
async fn rfm(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    let (partitions, revenue) = app.ask(|b| Ok((b.definitions(DefKind::Partition)?, b.revenue()?))).await?;
    let partition = partitions.iter().find(|p| p.id == "rfm").or(partitions.first());
    let mut bars: Vec<(String, u64, f64)> = vec![];
    for c in partition.iter().flat_map(|p| &p.classes).filter(|c| c.size > 0) {
        let of = partition.map_or(String::new(), |p| format!("{}/{}", p.id, c.class));
        bars.push((page.name(&c.name_ko, &c.name_en, &c.class), c.size, revenue.of.get(&of).copied().unwrap_or(0.0)));
    }
    let best = bars.iter().max_by(|a, b| a.2.total_cmp(&b.2)).filter(|b| b.2 > 0.0 && revenue.all > 0.0).cloned();
    let chart = best.map(|best| {
        let share = format::percent(best.2 / revenue.all);
        let says = page.tn("start-rfm-says", &[("name", best.0.into()), ("n", best.1.into()), ("share", share.into())]);
        let rows = bars.iter().map(|(name, n, r)| vec![name.clone(), page.count(n), page.money(*r)]).collect();
        bars.reverse();
        // Refunds without their order make a class a little less than nothing: no reason to show as much again below 0.
        let (low, high) = bars.iter().fold((0.0, 0.0), |(low, high): (f64, f64), b| (low.min(b.2), high.max(b.2)));
        let mut axis = json!({ "type": "value", "$fmt": "money", "splitNumber": 4 });
        if low > -0.05 * high {
            axis["min"] = json!(0);
        }
        let option = json!({
            "tooltip": { "trigger": "axis", "axisPointer": { "type": "shadow" }, "$fmt": "money" },
            "xAxis": axis,
            "yAxis": { "type": "category", "data": bars.iter().map(|b| &b.0).collect::<Vec<_>>() },
            "series": [{ "type": "bar", "name": page.t("start-rfm-revenue"), "data": bars.iter().map(|b| b.2).collect::<Vec<_>>(),
                "itemStyle": { "color": "--bar", "borderRadius": [0, 4, 4, 0] }, "barMaxWidth": 22 }],
        });
        let head = vec![page.t("start-rfm-class"), page.t("start-customers"), page.t("start-rfm-revenue")];
        Chart::new(&page, "start-revenue", says, option).height("tall").table(head, rows)
    });
    let (empty, more) = (page.t("start-rfm-none"), page.t("start-rfm-more"));
    show(&page, &ChartPart { chart, empty, to: "/explore", more })
}

/// What does not work now, in sentences.
pub(super) fn failing(page: &Page, health: &Health) -> Vec<String> {
    health.failing.iter().map(|what| page.t(&format!("start-failing-{what}"))).collect()
}

/// What `live.js` needs to tell changes in words.
fn for_script(page: &Page, segments: &[DefState], partitions: &[DefState]) -> String {
    let mut names = Map::new();
    for d in segments.iter().chain(partitions) {
        names.insert(d.id.clone(), page.name(&d.name_ko, &d.name_en, &d.id).into());
        for c in &d.classes {
            names.insert(format!("{}/{}", d.id, c.class), page.name(&c.name_ko, &c.name_en, &c.class).into());
        }
    }
    let causes: Map<String, Value> =
        CAUSES.iter().map(|c| (c.to_string(), page.t(&format!("start-cause-{c}")).into())).collect();
    let words = json!({
        "names": names,
        "causes": causes,
        "entered": page.t("start-live-entered"),
        "left": page.t("start-live-left"),
        "quiet": page.t("start-live-quiet"),
    });
    // `<` would end the block it stands in.
    words.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_has_no_two_nodes_of_one_name() {
        let page = Page::bare(&axum::http::HeaderMap::new(), &"/".parse().unwrap());
        let class = |name: String| crate::data::ClassSize {
            name_ko: Some(name.clone()),
            name_en: Some(name),
            size: 2,
            ..Default::default()
        };
        let same = || class("same".into());
        // A class may be called as those who are new.
        let classes = vec![class(page.t("start-flow-new")), same(), same()];
        let moves = vec![vec![1, 1, 0], vec![0, 1, 1], vec![1, 0, 1]];
        let flow = Flow { partition: "p".into(), name_ko: None, name_en: None, classes, moves, joined: vec![1, 0, 0] };
        let html = sankey(&page, "flow", &flow).html();
        let option = html.split("application/json\">").nth(1).unwrap().split("</script>").next().unwrap();
        let option: Value = serde_json::from_str(option).unwrap();
        let series = &option["series"][0];
        let nodes: Vec<&str> = series["data"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
        let different: std::collections::BTreeSet<&&str> = nodes.iter().collect();
        assert_eq!((nodes.len(), different.len()), (7, 7), "{nodes:?}");
        for link in series["links"].as_array().unwrap() {
            for end in ["source", "target"] {
                assert!(nodes.contains(&link[end].as_str().unwrap()), "{link}");
            }
        }
    }

    #[test]
    fn a_change_says_its_way_and_nothing_of_a_change_from_nothing() {
        let said = |now, then| {
            let (text, way) = change(now, then);
            (text.unwrap_or_default(), way)
        };
        assert_eq!(said(112.5, 100.0), ("+12.5%".into(), "up"));
        assert_eq!(said(250.0, 100.0), ("+150%".into(), "up"));
        assert_eq!(said(-20.0, 100.0), ("−120%".into(), "down"), "more was sent back than bought");
        assert_eq!(said(100.0, 100.0), ("0%".into(), "quiet"));
        assert_eq!(said(5.0, 0.0), (String::new(), "quiet"));
    }

    #[test]
    fn everybody_is_all_regions_and_those_of_none() {
        let money = |buyers, net| Money { buyers, net, orders: 2 * buyers, gross: net + 1.0, ..Money::default() };
        let region = |code: &str, money| crate::data::explore::Region { code: code.into(), money };
        let all = sum(&Regions {
            regions: vec![region("KR-11", money(3, 30.0)), region("KR-26", money(2, 20.0))],
            unknown: money(1, 5.0),
        });
        assert_eq!((all.buyers, all.orders, all.net, all.gross), (6, 12, 55.0, 58.0));
    }
}
