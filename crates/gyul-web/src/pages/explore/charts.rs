//! Answers as charts, each with a sentence, its table and its file.

use super::{Answer, Known, Part, TableOf, asks};
use crate::app::App;
use crate::args::Args;
use crate::data::explore::*;
use crate::pages::chart::{COLOURS, Chart};
use crate::pages::{Page, format};
use crate::problem::ApiResult;
use serde_json::{Value, json};
use std::sync::Arc;

/// Borders of the fixed RFM map.
pub const DAYS: &str = "30,60,120,240";
/// Under this many a share says little.
const FEW: u64 = 30;

pub async fn answer(tab: &str, app: &Arc<App>, known: &Known, args: &Args, people: bool) -> ApiResult<Answer> {
    match tab {
        "rfm" => {
            let ask = asks::rfm_ask(app, args)?;
            let fixed = ask.fixed.is_some();
            let found = app.ask(move |b| b.rfm(&ask)).await?;
            Ok(rfm(known, &found, fixed))
        }
        "cohorts" => {
            let ask = asks::cohort_ask(args)?;
            let (event, week) = (ask.event.clone(), ask.period == gyul_model::Period::Week);
            let found = app.ask(move |b| b.cohorts(&ask)).await?;
            Ok(cohorts(known, &found, &event, week))
        }
        "funnel" => {
            if args.get("step2").is_none() {
                return Ok(Answer::default());
            }
            let ask = asks::funnel_ask(args, people)?;
            let steps: Vec<String> = ask.steps.iter().map(|s| known.event(&s.event)).collect();
            let found = app.ask(move |b| b.funnel(&ask)).await?;
            Ok(funnel(known, &found, &steps))
        }
        "paths" => {
            let ask = asks::path_ask(app, args)?;
            let (event, back) = (ask.event.clone(), ask.back);
            let found = app.ask(move |b| b.paths(&ask)).await?;
            Ok(paths(known, &found, &event, back))
        }
        "hours" => {
            let (event, of) = (asks::event(args)?, asks::of(args));
            let span = asks::span_of(app, args, Some(90))?;
            let name = known.event(&event);
            let found = app.ask(move |b| b.hours(&event, of.as_deref(), span)).await?;
            Ok(hours(known, &found, &name))
        }
        "regions" => {
            let (of, span) = (asks::of(args), asks::span_of(app, args, None)?);
            let found = app.ask(move |b| b.regions(of.as_deref(), span)).await?;
            Ok(regions(known, &found))
        }
        "distribution" => {
            let (measure, of) = (measure(known, args), asks::several(args)?);
            if measure.is_empty() {
                return Ok(Answer::default());
            }
            let found = app.ask(move |b| b.spread(&measure, &of)).await?;
            Ok(spread(known, &found))
        }
        _ => {
            let of = asks::several(args)?;
            if of.is_empty() {
                return Ok(Answer::default());
            }
            let found = app.ask(move |b| b.compare(&of)).await?;
            Ok(comparison(known, &found))
        }
    }
}

/// The one asked for, or the first that speaks of money or orders.
pub fn measure(known: &Known, args: &Args) -> String {
    let first = known.measures.iter().find(|(id, _)| id == "spend" || id == "orders").or(known.measures.first());
    args.get("measure").map(str::to_string).or(first.map(|(id, _)| id.clone())).unwrap_or_default()
}

fn one(chart: Chart, note: String) -> Answer {
    Answer { parts: vec![Part { title: String::new(), chart, note }], table: None }
}

fn percent(part: u64, whole: u64) -> String {
    format::share(part, whole)
}

fn rfm(known: &Known, m: &RfmMap, fixed: bool) -> Answer {
    let page = &known.page;
    if m.buyers == 0 {
        return Answer::default();
    }
    let (mut customers, mut money, mut moves, mut rows) = (vec![], vec![], vec![], vec![]);
    let mut best = (0, 0.0, String::new());
    for (f, row) in m.cells.iter().enumerate() {
        for (r, c) in row.iter().enumerate() {
            let class = c.class.as_ref().map(|id| page.name(&c.name_ko, &c.name_en, id));
            let label = |text: String| match &class {
                Some(class) if c.customers > 0 => format!("{class}\n{text}"),
                _ => text,
            };
            let cell = |value: f64, text: String| json!({ "value": [r, f, value], "name": text });
            customers.push(cell(c.customers as f64, label(page.count(&c.customers))));
            money.push(cell(c.net, label(page.money_short(c.net))));
            let grown = c.before.map(|b| c.customers as i64 - b as i64);
            if let Some(grown) = grown {
                moves.push(cell(grown as f64, label(format::signed(grown))));
            }
            if c.customers > 0 && c.net > best.1 {
                best = (c.customers, c.net, format!("R{} F{}", r + 1, f + 1));
                if let Some(class) = &class {
                    let gap = if page.is_ko() { "" } else { " " };
                    best.2 = format!("{class}{gap}(R{} F{})", r + 1, f + 1);
                }
            }
            let mut cells = vec![
                format!("R{} F{}", r + 1, f + 1),
                class.unwrap_or_else(|| "–".into()),
                page.count(&c.customers),
                page.money(c.net),
            ];
            cells.extend(grown.map(format::signed));
            cells.extend(c.stayed.map(|s| page.count(&s)));
            rows.push(cells);
        }
    }
    let mut head: Vec<String> =
        ["field", "class", "customers", "net"].map(|h| page.t(&format!("explore-rfm-{h}"))).into();
    if !moves.is_empty() {
        head.extend([page.t("explore-rfm-grown"), page.t("explore-rfm-stayed")]);
    }
    let says = page.tn(
        "explore-rfm-says",
        &[
            ("n", m.buyers.into()),
            ("best", best.2.into()),
            ("few", percent(best.0, m.buyers).into()),
            ("much", format::percent(if m.net > 0.0 { best.1 / m.net } else { 0.0 }).into()),
        ],
    );
    let axes = if fixed {
        let r = ["240+", "121–240", "61–120", "31–60", "0–30"];
        (
            r.map(|d| page.t1("explore-rfm-days", "n", d)).to_vec(),
            ["1", "2", "3–4", "5–9", "10+"].map(|n| page.t1("explore-rfm-orders", "n", n)).to_vec(),
        )
    } else {
        ((1..=5).map(|i| format!("R{i}")).collect(), (1..=5).map(|i| format!("F{i}")).collect())
    };
    let map = |id, says: String, data: Vec<Value>, money: bool| {
        let values = || data.iter().filter_map(|d| d["value"][2].as_f64());
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let scale = if id == "rfm-moves" {
            // Nothing in the middle: what grew and what shrank are told apart by their colour.
            let most = high.max(-low).max(1.0);
            json!({ "show": true, "min": -most, "max": most, "dimension": 2, "orient": "horizontal", "left": "center", "bottom": 0,
                "text": [page.t("explore-rfm-more"), page.t("explore-rfm-fewer")], "inRange": { "color": ["--d1", "--d2", "--d3"] } })
        } else {
            json!({ "show": false, "min": low, "max": high.max(1.0), "dimension": 2 })
        };
        let option = json!({
            "tooltip": { "trigger": "item", "formatter": "{b}", "$fmt": if money { "money" } else { "count" } },
            "xAxis": { "type": "category", "data": axes.0 }, "yAxis": { "type": "category", "data": axes.1 },
            // Room for the scale beneath.
            "grid": { "left": 8, "right": 16, "top": 16, "bottom": if scale["show"] == true { 48 } else { 8 },
                "outerBoundsMode": "same", "outerBoundsContain": "axisLabel" },
            "visualMap": scale,
            "series": [{ "type": "heatmap", "data": data, "label": { "show": true, "formatter": "{b}", "fontSize": 11, "lineHeight": 16 },
                "labelLayout": { "hideOverlap": true },
                "itemStyle": { "borderColor": "--card", "borderWidth": 2 } }],
        });
        Chart::new(page, id, says, option).height("tall")
    };
    let file = known.csv("rfm");
    let mut out =
        one(map("rfm-customers", says, customers, false).table(head, rows).csv(file), page.t("explore-rfm-note"));
    out.parts[0].title = page.t("explore-rfm-customers");
    let title = page.t("explore-rfm-net");
    out.parts.push(Part {
        title,
        chart: map("rfm-money", page.t("explore-rfm-money-says"), money, true),
        note: String::new(),
    });
    if !moves.is_empty() {
        let title = page.t("explore-rfm-grown");
        let chart = map("rfm-moves", page.t("explore-rfm-moves-says"), moves, false);
        out.parts.push(Part { title, chart, note: String::new() });
    }
    out
}

fn cohorts(known: &Known, c: &Cohorts, event: &str, week: bool) -> Answer {
    let page = &known.page;
    let whole = |c: &Cohort| c.kept.first().copied().unwrap_or(0);
    if c.cohorts.iter().all(|c| whole(c) == 0) {
        return Answer::default();
    }
    let longest = c.cohorts.iter().map(|c| c.kept.len()).max().unwrap_or(0);
    let name = |k: usize| page.t1(if week { "explore-weeks-later" } else { "explore-months-later" }, "n", k);
    let start = |c: &Cohort| if week { c.start.clone() } else { c.start.get(..7).unwrap_or(&c.start).to_string() };
    let sized = |c: &Cohort| format!("{} ({})", start(c), page.count(&whole(c)));
    let (mut data, mut rows) = (vec![], vec![]);
    // The next period, over all cohorts for which it is over.
    let (mut back, mut all) = (0, 0);
    for (i, cohort) in c.cohorts.iter().rev().enumerate() {
        let size = whole(cohort);
        let mut row = vec![start(cohort), page.count(&size)];
        for (k, n) in cohort.kept.iter().enumerate().skip(1) {
            let running = c.running && k + 1 == cohort.kept.len();
            let share = if size > 0 { *n as f64 / size as f64 } else { 0.0 };
            if size > 0 {
                let text = format!("{}\n{} / {}", percent(*n, size), page.count(n), page.count(&size));
                let mut field = json!({ "value": [k - 1, i, (share * 1000.0).round() / 10.0], "name": text });
                if running {
                    // Not over yet: without the mark it would be read as a collapse.
                    field["label"] = json!({ "formatter": "{@[2]}% *" });
                }
                data.push(field);
            }
            row.push(format!("{} ({}){}", percent(*n, size), page.count(n), if running { " *" } else { "" }));
            if k == 1 && !running {
                (back, all) = (back + n, all + size);
            }
        }
        row.resize(longest + 1, String::new());
        rows.push(row);
    }
    let says = if all > 0 {
        let hundred = ((back as f64 / all as f64) * 100.0).round() as u64;
        let event = known.event(event);
        page.tn(
            if week { "explore-cohorts-says-week" } else { "explore-cohorts-says" },
            &[("n", hundred.into()), ("event", event.into()), ("all", all.into())],
        )
    } else {
        page.t("explore-cohorts-young")
    };
    let high = data.iter().filter_map(|d| d["value"][2].as_f64()).fold(1.0, f64::max);
    let option = json!({
        "tooltip": { "trigger": "item", "formatter": "{b}" },
        "xAxis": { "type": "category", "data": (1..longest).map(name).collect::<Vec<_>>(), "position": "top" },
        "yAxis": { "type": "category", "data": c.cohorts.iter().rev().map(sized).collect::<Vec<_>>() },
        "visualMap": { "show": false, "min": 0, "max": high, "dimension": 2 },
        "series": [{ "type": "heatmap", "data": data, "label": { "show": longest <= 14, "formatter": "{@[2]}%", "fontSize": 11 },
            "itemStyle": { "borderColor": "--card", "borderWidth": 2 } }],
    });
    let mut head = vec![page.t("explore-cohort"), page.t("explore-customers")];
    head.extend((1..longest).map(name));
    let note = if c.running { page.t("explore-cohorts-running") } else { String::new() };
    one(Chart::new(page, "cohorts", says, option).height("tall").table(head, rows).csv(known.csv("cohorts")), note)
}

fn funnel(known: &Known, f: &Funnel, steps: &[String]) -> Answer {
    let page = &known.page;
    let reached = |o: &FunnelOf, i: usize| o.steps.get(i).map_or(0, |s| s.customers);
    let Some(all) = f.of.first().filter(|o| reached(o, 0) > 0) else { return Answer::default() };
    let labels: Vec<String> = steps.iter().enumerate().map(|(i, s)| format!("{}. {s}", i + 1)).collect();
    // The second order is told from the first by its number.
    let twice = steps.iter().enumerate().any(|(i, s)| steps[..i].contains(s));
    let said = if twice { labels.as_slice() } else { steps };
    let series = f.of.iter().map(|o| {
        let first = reached(o, 0);
        let points = (0..steps.len()).map(|i| {
            let share = if first > 0 { reached(o, i) as f64 / first as f64 } else { 0.0 };
            json!({ "value": (share * 1000.0).round() / 10.0, "name": format!("{}", percent(reached(o, i), first)) })
        });
        json!({ "type": "bar", "name": known.who(o.id.as_deref()), "data": points.collect::<Vec<_>>(), "barMaxWidth": 40,
            "itemStyle": { "borderRadius": [4, 4, 0, 0] }, "label": { "show": f.of.len() <= 2, "position": "top", "formatter": "{@value}%", "color": "--ink" } })
    });
    let mut option = json!({
        "tooltip": { "trigger": "axis", "axisPointer": { "type": "shadow" } },
        "xAxis": { "type": "category", "data": labels }, "yAxis": { "type": "value", "max": 100, "axisLabel": { "formatter": "{value}%" } },
        "series": series.collect::<Vec<_>>(),
    });
    if f.of.len() > 1 {
        option["legend"] = json!({});
    }
    let mut rows = vec![];
    for o in &f.of {
        for (i, step) in steps.iter().enumerate() {
            let (now, before) = (reached(o, i), if i == 0 { o.customers } else { reached(o, i - 1) });
            let median = o.steps.get(i).and_then(|s| s.median).map_or("–".into(), |m| duration(page, m as f64));
            rows.push(vec![
                format!("{} · {}. {step}", known.who(o.id.as_deref()), i + 1),
                page.count(&now),
                percent(now, before),
                percent(now, reached(o, 0)),
                median,
            ]);
        }
    }
    // Where most are lost.
    let losses = (1..steps.len()).map(|i| (reached(all, i - 1).saturating_sub(reached(all, i)), i));
    let worst = losses.max_by_key(|(n, i)| (*n, std::cmp::Reverse(*i))).map_or(1, |(_, i)| i);
    let says = page.tn(
        "explore-funnel-says",
        &[
            ("first", said[0].clone().into()),
            ("end", said[said.len() - 1].clone().into()),
            ("all", reached(all, 0).into()),
            ("share", percent(reached(all, steps.len() - 1), reached(all, 0)).into()),
            ("a", said[worst - 1].clone().into()),
            ("b", said[worst].clone().into()),
            ("lost", reached(all, worst - 1).saturating_sub(reached(all, worst)).into()),
        ],
    );
    let head = ["stage", "customers", "kept", "total", "median"].map(|h| page.t(&format!("explore-funnel-{h}")));
    one(
        Chart::new(page, "funnel", says, option).table(head.into(), rows).csv(known.csv("funnel")),
        page.t("explore-funnel-note"),
    )
}

fn paths(known: &Known, p: &Paths, event: &str, back: bool) -> Answer {
    let page = &known.page;
    if p.customers == 0 {
        return Answer::default();
    }
    let name = |s: &Stop| match (s.kind.as_str(), &s.event) {
        (_, Some(e)) => known.event(e),
        ("end", _) => page.t(if back { "explore-path-begin" } else { "explore-path-end" }),
        _ => page.t("explore-path-other"),
    };
    // The same event at two steps is two nodes: marks that are not seen tell them apart.
    let node = |s: &Stop, depth: u32| format!("{}{}", name(s), "\u{200b}".repeat(depth as usize));
    let (mut nodes, mut links, mut rows): (Vec<Value>, Vec<Value>, Vec<Vec<String>>) = (vec![], vec![], vec![]);
    let last = p.links.iter().map(|l| l.step + 1).max().unwrap_or(1);
    let place = |depth: u32| if back { last - depth } else { depth };
    for l in &p.links {
        let (from, to) = (node(&l.from, l.step), node(&l.to, l.step + 1));
        for (stop, depth, text) in [(&l.from, l.step, &from), (&l.to, l.step + 1, &to)] {
            if !nodes.iter().any(|n| n["name"] == **text) {
                let colour = match (stop.kind.as_str(), &stop.event) {
                    ("event", Some(e)) => {
                        format!("--c{}", known.events.iter().position(|k| k.name == *e).unwrap_or(9) % COLOURS)
                    }
                    _ => "--edge".into(),
                };
                nodes.push(json!({ "name": text, "depth": place(depth), "itemStyle": { "color": colour } }));
            }
        }
        let (source, target) = if back { (&to, &from) } else { (&from, &to) };
        links.push(json!({ "source": source, "target": target, "value": l.customers }));
        rows.push(vec![
            page.t1("explore-path-step", "n", u64::from(l.step) + 1),
            name(&l.from),
            name(&l.to),
            page.count(&l.customers),
            percent(l.customers, p.customers),
        ]);
    }
    let first = p.links.iter().filter(|l| l.step == 0);
    let most = first.clone().filter(|l| l.to.kind == "event").max_by_key(|l| l.customers);
    let stopped = first.filter(|l| l.to.kind == "end").map(|l| l.customers).sum::<u64>();
    let says = page.tn(
        if back { "explore-paths-says-back" } else { "explore-paths-says" },
        &[
            ("n", p.customers.into()),
            ("event", known.event(event).into()),
            ("next", most.map_or("–".to_string(), |l| name(&l.to)).into()),
            ("share", percent(most.map_or(0, |l| l.customers), p.customers).into()),
            ("end", percent(stopped, p.customers).into()),
        ],
    );
    let option = json!({
        "tooltip": { "trigger": "item", "$fmt": "count" },
        "series": [{ "type": "sankey", "data": nodes, "links": links, "left": 8, "right": 90, "top": 8, "bottom": 8, "nodeWidth": 12,
            "nodeGap": 10, "draggable": false, "emphasis": { "focus": "adjacency" }, "lineStyle": { "color": "source", "opacity": 0.3 },
            "label": { "color": "--ink", "fontSize": 11 } }],
    });
    let head = ["step", "from", "to", "customers", "share"].map(|h| page.t(&format!("explore-path-head-{h}")));
    one(
        Chart::new(page, "paths", says, option).height("tall").table(head.into(), rows).csv(known.csv("paths")),
        page.t("explore-paths-note"),
    )
}

fn hours(known: &Known, h: &Hours, event: &str) -> Answer {
    let page = &known.page;
    let total: u64 = h.counts.iter().flatten().sum();
    if total == 0 {
        return Answer::default();
    }
    let day = |d: usize| page.t(&format!("explore-day-{}", d + 1));
    let (mut data, mut rows, mut best) = (vec![], vec![], (0, 0, 0));
    for (d, counts) in h.counts.iter().enumerate() {
        let mut row = vec![day(d)];
        for (hour, n) in counts.iter().enumerate() {
            let text = format!("{} {hour:02}:00 · {}", day(d), page.count(n));
            data.push(json!({ "value": [hour, 6 - d, n], "name": text }));
            row.push(page.count(n));
            if *n > best.0 {
                best = (*n, d, hour);
            }
        }
        rows.push(row);
    }
    let says = page.tn(
        "explore-hours-says",
        &[
            ("event", event.into()),
            ("n", total.into()),
            ("day", page.t(&format!("explore-day-long-{}", best.1 + 1)).into()),
            ("hour", format!("{:02}", best.2).into()),
            ("next", format!("{:02}", (best.2 + 1) % 24).into()),
            ("share", percent(best.0, total).into()),
        ],
    );
    let option = json!({
        "tooltip": { "trigger": "item", "formatter": "{b}" },
        "xAxis": { "type": "category", "data": (0..24).map(|h| format!("{h:02}")).collect::<Vec<_>>() },
        "yAxis": { "type": "category", "data": (0..7).rev().map(day).collect::<Vec<_>>() },
        "visualMap": { "show": false, "min": 0, "max": best.0, "dimension": 2 },
        "series": [{ "type": "heatmap", "data": data, "itemStyle": { "borderColor": "--card", "borderWidth": 2 } }],
    });
    let mut head = vec![page.t("explore-day")];
    head.extend((0..24).map(|h| format!("{h:02}")));
    let note = page.t1("explore-hours-note", "zone", page.settings.zone.as_str());
    one(Chart::new(page, "hours", says, option).table(head, rows).csv(known.csv("hours")), note)
}

/// Where each 시/도 stands on a map of tiles: code, column, row (from above).
const TILES: [(&str, u8, u8); 17] = [
    ("KR-28", 0, 0),
    ("KR-11", 1, 0),
    ("KR-42", 2, 0),
    ("KR-41", 1, 1),
    ("KR-43", 2, 1),
    ("KR-47", 3, 1),
    ("KR-44", 0, 2),
    ("KR-50", 1, 2),
    ("KR-30", 2, 2),
    ("KR-27", 3, 2),
    ("KR-45", 0, 3),
    ("KR-48", 2, 3),
    ("KR-31", 3, 3),
    ("KR-29", 0, 4),
    ("KR-46", 1, 4),
    ("KR-26", 3, 4),
    ("KR-49", 0, 5),
];

/// A 시/도 in the reader's words, other regions by their code.
pub fn region_name(page: &Page, code: &str) -> String {
    match code.strip_prefix("KR-") {
        Some(n) if TILES.iter().any(|t| t.0 == code) => page.t(&format!("explore-region-{n}")),
        _ => code.to_string(),
    }
}

fn regions(known: &Known, r: &Regions) -> Answer {
    let page = &known.page;
    let all: u64 = r.regions.iter().map(|r| r.money.customers).sum();
    if all == 0 {
        return Answer::default();
    }
    let of = |code: &str| r.regions.iter().find(|r| r.code == code);
    let tiles = |value: &dyn Fn(&Money) -> f64, text: &dyn Fn(&Money) -> String| -> Vec<Value> {
        let tile = |(code, x, y): &(&str, u8, u8)| {
            let (amount, words) = of(code).map_or((0.0, "–".into()), |r| (value(&r.money), text(&r.money)));
            json!({ "value": [x, 5 - y, amount], "name": format!("{}\n{words}", region_name(page, code)) })
        };
        TILES.iter().map(tile).collect()
    };
    let map = |id, says: String, data: Vec<Value>| {
        let high = data.iter().filter_map(|d| d["value"][2].as_f64()).fold(1.0, f64::max);
        let axis = |n: u8| json!({ "type": "category", "data": (0..n).map(|i| i.to_string()).collect::<Vec<_>>(), "show": false });
        let option = json!({
            "tooltip": { "trigger": "item", "formatter": "{b}" }, "xAxis": axis(4), "yAxis": axis(6),
            "visualMap": { "show": false, "min": 0, "max": high, "dimension": 2 },
            "series": [{ "type": "heatmap", "data": data, "label": { "show": true, "formatter": "{b}", "fontSize": 12, "lineHeight": 17 },
                "itemStyle": { "borderColor": "--card", "borderWidth": 4, "borderRadius": 8 } }],
        });
        Chart::new(page, id, says, option).height("tall")
    };
    let mut order: Vec<&Region> = r.regions.iter().collect();
    order.sort_by(|a, b| b.money.customers.cmp(&a.money.customers).then(a.code.cmp(&b.code)));
    let cells = |name: String, m: &Money| {
        vec![
            name,
            page.count(&m.customers),
            percent(m.customers, all),
            page.money(m.net),
            m.per_customer.map_or("–".into(), |x| page.money(x)),
            m.average_order.map_or("–".into(), |x| page.money(x)),
        ]
    };
    let mut rows: Vec<Vec<String>> = order.iter().map(|r| cells(region_name(page, &r.code), &r.money)).collect();
    if r.unknown.customers > 0 {
        let mut row = cells(page.t("explore-region-unknown"), &r.unknown);
        row[2] = "–".into();
        rows.push(row);
    }
    let heads = ["region", "customers", "share", "net", "each", "basket"];
    let head: Vec<String> = heads.map(|h| page.t(&format!("explore-region-head-{h}"))).into();
    let first = order[0];
    let richest = order.iter().filter(|r| r.money.buyers >= FEW && r.money.per_customer.is_some());
    let richest =
        richest.max_by(|a, b| a.money.per_customer.unwrap_or(0.0).total_cmp(&b.money.per_customer.unwrap_or(0.0)));
    let parts = [
        ("region", region_name(page, &first.code).into()),
        ("share", percent(first.money.customers, all).into()),
        ("n", all.into()),
        ("rich", richest.map_or(String::new(), |r| region_name(page, &r.code)).into()),
        ("money", page.money(richest.and_then(|r| r.money.per_customer).unwrap_or(0.0)).into()),
    ];
    let says = if richest.is_some() {
        page.tn("explore-regions-says-rich", &parts)
    } else {
        page.tn("explore-regions-says", &parts[..3])
    };
    let customers = map("regions", says, tiles(&|m| m.customers as f64, &|m| page.count(&m.customers)));
    let money =
        map("regions-money", page.t("explore-regions-money-says"), tiles(&|m| m.net, &|m| page.money_short(m.net)));
    let csv = known.csv("regions");
    let mut out = one(customers.table(head, rows).csv(csv), page.t("explore-regions-note"));
    out.parts[0].title = page.t("explore-region-head-customers");
    out.parts.push(Part { title: page.t("explore-region-head-net"), chart: money, note: String::new() });
    out
}

/// Microseconds in the largest fitting unit.
fn duration(page: &Page, micros: f64) -> String {
    let steps = [(86_400e6, "day"), (3_600e6, "hour"), (60e6, "minute"), (1e6, "second")];
    let (unit, word) = steps.into_iter().find(|(u, _)| micros.abs() >= *u).unwrap_or((1e6, "second"));
    page.t1(&format!("explore-in-{word}"), "n", format::decimal(micros / unit, 1))
}

pub fn amount(page: &Page, x: f64, unit: Unit) -> String {
    match unit {
        Unit::Duration => duration(page, x),
        Unit::Money => page.money_about(x),
        Unit::Share => format::percent(x),
        Unit::Number => format::decimal(x, if x.abs() < 100.0 { 2 } else { 0 }),
    }
}

/// Where a bar begins: round amounts of money are said at a glance.
fn border(page: &Page, x: f64, s: &Spread) -> String {
    if s.unit == Unit::Money && s.edges.iter().all(|e| e.fract() == 0.0) {
        return page.money_short(x);
    }
    amount(page, x, s.unit)
}

fn spread(known: &Known, s: &Spread) -> Answer {
    let page = &known.page;
    let Some(all) = s.of.first().filter(|o| o.known > 0) else { return Answer::default() };
    let name = page.name(&s.name_ko, &s.name_en, &s.id);
    let edge = |i: usize| s.edges.get(i).map_or("–".to_string(), |e| border(page, *e, s));
    let whole = s.edges.windows(2).all(|w| w[1] - w[0] == 1.0 && w[0].fract() == 0.0);
    let single = whole && s.unit == Unit::Number;
    let bars = all.counts.len();
    let label = |i: usize| match (single, i + 1 == bars) {
        (_, true) => format!("{}+", edge(i)),
        (true, _) => edge(i),
        _ => format!("{} – {}", edge(i), edge(i + 1)),
    };
    let labels: Vec<String> = (0..bars).map(label).collect();
    let share =
        |o: &SpreadOf, n: u64| if o.known == 0 { 0.0 } else { (n as f64 * 1000.0 / o.known as f64).round() / 10.0 };
    let series = s.of.iter().map(|o| {
        let data: Vec<f64> = o.counts.iter().map(|n| share(o, *n)).collect();
        json!({ "type": "bar", "name": known.who(o.id.as_deref()), "data": data, "barMaxWidth": 30 })
    });
    let mut option = json!({
        "tooltip": { "trigger": "axis", "axisPointer": { "type": "shadow" } },
        "xAxis": { "type": "category", "data": labels }, "yAxis": { "type": "value", "axisLabel": { "formatter": "{value}%" } },
        "series": series.collect::<Vec<_>>(),
    });
    if s.of.len() > 1 {
        option["legend"] = json!({});
    }
    let at = |o: &SpreadOf, i: usize| o.quantiles.get(i).map_or("–".to_string(), |q| amount(page, *q, s.unit));
    let says = page.tn(
        "explore-spread-says",
        &[
            ("name", name.clone().into()),
            ("n", all.known.into()),
            ("low", at(all, 2).into()),
            ("middle", at(all, 3).into()),
            ("high", at(all, 4).into()),
            ("top", at(all, 5).into()),
        ],
    );
    let mut head = vec![name.clone()];
    head.extend(s.of.iter().map(|o| known.who(o.id.as_deref())));
    let row = |i: usize| {
        let cells =
            s.of.iter()
                .map(|o| o.counts.get(i).map_or("–".into(), |n| format!("{} ({}%)", page.count(n), share(o, *n))));
        std::iter::once(labels[i].clone()).chain(cells).collect()
    };
    let rows = (0..bars).map(row).collect();
    // The page chooses a measure where nobody did; the file has to be told.
    let mut file = known.csv("distribution");
    if !file.contains("measure=") {
        file += &format!("&measure={}", super::super::page::encode(&s.id));
    }
    let chart = Chart::new(page, "spread", says, option).table(head, rows).csv(file.clone());
    let mut out = one(chart, page.t("explore-spread-note"));
    let mut heads = vec![page.t("explore-spread-of")];
    heads.extend(["known", "mean", "p5", "p25", "p50", "p75", "p95"].map(|h| page.t(&format!("explore-spread-{h}"))));
    let rows = s.of.iter().map(|o| {
        let mean = o.mean.map_or("–".into(), |m| amount(page, m, s.unit));
        vec![known.who(o.id.as_deref()), page.count(&o.known), mean, at(o, 0), at(o, 2), at(o, 3), at(o, 4), at(o, 6)]
    });
    out.table =
        Some(TableOf { title: page.t("explore-spread-quantiles"), head: heads, rows: rows.collect(), csv: file });
    out
}

fn comparison(known: &Known, c: &Comparison) -> Answer {
    let page = &known.page;
    let (Some(all), false) = (c.money.first(), c.ids.is_empty()) else { return Answer::default() };
    let mut head = vec![page.t("explore-compare-what"), page.t("explore-everybody")];
    head.extend(c.ids.iter().map(|id| known.set(id)));
    let some = |x: Option<f64>, f: &dyn Fn(f64) -> String| x.map_or("–".to_string(), f);
    let money = |x: f64| page.money(x);
    let mut rows: Vec<Vec<String>> = vec![];
    let mut line = |name: &str, of: &dyn Fn(&Money) -> String| {
        let cells = c.money.iter().map(of);
        rows.push(std::iter::once(page.t(&format!("explore-compare-{name}"))).chain(cells).collect());
    };
    line("customers", &|m| page.count(&m.customers));
    line("share", &|m| percent(m.customers, all.customers));
    line("net", &|m| money(m.net));
    line("revenue", &|m| if all.net > 0.0 { format::percent(m.net / all.net) } else { "–".into() });
    line("each", &|m| some(m.per_customer, &money));
    line("orders", &|m| page.count(&m.orders));
    line("basket", &|m| some(m.average_order, &money));
    line("repeat", &|m| some(m.repeat_rate, &format::percent));
    for (id, both) in c.ids.iter().zip(&c.both).filter(|_| c.ids.len() > 1) {
        let cells =
            both.iter().zip(&c.money[1..]).map(|(n, m)| format!("{} ({})", page.count(n), percent(*n, m.customers)));
        let first = [page.t1("explore-compare-also", "name", known.set(id)), "–".into()];
        rows.push(first.into_iter().chain(cells).collect());
    }
    for m in &c.measures {
        let name = page.name(&m.name_ko, &m.name_en, &m.id);
        let cells = m.each.iter().map(|e| {
            let text = |x: Option<f64>| x.map_or("–".into(), |x| amount(page, x, m.unit));
            format!("{} / {}", text(e.mean), text(e.median))
        });
        rows.push(std::iter::once(page.t1("explore-compare-measure", "name", name)).chain(cells).collect());
    }
    let names: Vec<&String> = head.iter().skip(2).collect();
    let bar = |name: String, of: &dyn Fn(&Money) -> f64| json!({ "type": "bar", "name": name, "data": c.money[1..].iter().map(of).collect::<Vec<_>>(), "barMaxWidth": 40 });
    let share = |x: f64, of: f64| if of > 0.0 { (x * 1000.0 / of).round() / 10.0 } else { 0.0 };
    let option = json!({
        "legend": {}, "tooltip": { "trigger": "axis", "axisPointer": { "type": "shadow" } },
        "xAxis": { "type": "category", "data": names }, "yAxis": { "type": "value", "axisLabel": { "formatter": "{value}%" } },
        "series": [
            bar(page.t("explore-compare-share"), &|m| share(m.customers as f64, all.customers as f64)),
            bar(page.t("explore-compare-revenue"), &|m| share(m.net, all.net)),
        ],
    });
    let best = c.ids.iter().zip(&c.money[1..]).max_by(|a, b| a.1.net.total_cmp(&b.1.net));
    let says = best.map_or(String::new(), |(id, m)| {
        page.tn(
            "explore-compare-says",
            &[
                ("name", known.set(id).into()),
                ("few", percent(m.customers, all.customers).into()),
                ("much", if all.net > 0.0 { format::percent(m.net / all.net) } else { "–".into() }.into()),
            ],
        )
    });
    // The API takes them in one parameter, the form has a field for each.
    let ids: Vec<String> = c.ids.iter().map(|id| crate::pages::page::encode(id)).collect();
    let csv = format!("/api/v1/explore/comparison?format=csv&of={}", ids.join(","));
    let mut out = one(Chart::new(page, "comparison", says, option), String::new());
    out.table = Some(TableOf { title: page.t("explore-compare-table"), head, rows, csv });
    out
}

#[cfg(test)]
mod tests {
    use super::TILES;
    use std::collections::BTreeSet;

    #[test]
    fn every_region_that_import_and_ingest_can_write_has_its_tile() {
        let written: BTreeSet<&str> = gyul_ingest::regions().collect();
        let drawn: BTreeSet<&str> = TILES.iter().map(|t| t.0).collect();
        assert_eq!(written, drawn);
        let places: BTreeSet<(u8, u8)> = TILES.iter().map(|t| (t.1, t.2)).collect();
        assert_eq!(places.len(), TILES.len(), "no two at one place");
    }
}
