//! What data is there, is it well, and is it enough? Sources, imports, the tracking plan, the quarantine.

mod events;
mod import;
mod quarantine;
mod sources;
#[cfg(test)]
mod tests;

use super::chart::Chart;
use super::{Page, field, fields, format, go, show};
use crate::app::App;
use crate::args::Args;
use crate::data::*;
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, NUMBERS, OWNER, PEOPLE, Table};
use askama::Template;
use axum::extract::State;
use serde_json::json;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Days of the chart.
const DAYS: u32 = 60;
const IMPORTS: usize = 10;
const EVENTS: usize = 8;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/data", "pageData", NUMBERS), overview);
    table.at(Endpoint::page("/data/enough", "partEnough", NUMBERS), enough);
    table.at(Endpoint::page("/data/daily", "partDaily", NUMBERS), daily);
    import::add(table);
    events::add(table);
    quarantine::add(table);
    sources::add(table);
}

/// What the pages of this place share.
struct Frame {
    /// Address, name, whether it is this one.
    tabs: Vec<(&'static str, String, bool)>,
    done: Option<String>,
    wrong: Option<String>,
}

impl Frame {
    fn new(page: &Page, tab: &str) -> Frame {
        let all = [
            ("/data", "overview", page.t("data-tab-overview"), true),
            ("/data/import", "import", page.t("data-tab-import"), page.may_edit()),
            ("/data/events", "events", page.t("data-tab-events"), true),
            ("/data/quarantine", "quarantine", page.t("data-tab-quarantine"), page.may_see_people()),
            ("/data/sources", "sources", page.t("data-tab-sources"), page.is_owner()),
        ];
        let shown = all.into_iter().filter(|(.., may)| *may);
        Frame { tabs: shown.map(|(to, id, name, _)| (to, name, id == tab)).collect(), done: None, wrong: None }
    }

    fn says(mut self, done: Option<String>) -> Frame {
        self.done = done;
        self
    }

    fn wrong(mut self, wrong: &ApiError, page: &Page) -> Frame {
        self.wrong = Some(super::errors::sentence(wrong.message(page.lang)));
        self
    }
}

#[derive(Template)]
#[template(path = "data/overview.html")]
struct Overview {
    page: Page,
    title: String,
    frame: Frame,
    empty: bool,
    writable: bool,
    damaged: u64,
    failing: Vec<String>,
    customers: u64,
    events: u64,
    day: u64,
    lag: String,
    quarantine: u64,
    kinds: Vec<EventLine>,
    imports: Vec<ImportLine>,
    more_imports: bool,
}

struct EventLine {
    name: String,
    title: String,
    schema: EventSchema,
}

/// An import as it stands.
struct ImportLine {
    import: Import,
    percent: u64,
    size: String,
    problem: Option<String>,
}

fn import_line(page: &Page, import: Import) -> ImportLine {
    let problem = import.problem.as_ref().map(|p| page.either(&p.ko, &p.en).to_string());
    let percent = match (import.done, import.bytes) {
        (true, _) => 100,
        (_, 0) => 0,
        (_, all) => (import.bytes_read * 100 / all).min(99),
    };
    ImportLine { percent, size: format::bytes(import.bytes), problem, import }
}

fn event_line(page: &Page, mut schema: EventSchema) -> EventLine {
    crate::veil::schema(&mut schema);
    EventLine { name: schema.name.clone(), title: super::customers::event_title(page, &schema.name), schema }
}

async fn overview(State(app): Shared, page: Page) -> ApiResult {
    let (metrics, health, events, imports) =
        app.ask(|b| Ok((b.metrics(), b.health(), b.events()?, b.imports()?))).await?;
    let metric = |name: &str| metrics.iter().find(|m| m.name == name && m.labels.is_empty()).map_or(0.0, |m| m.value);
    let lag = metric("lag_seconds");
    let more_imports = imports.len() > IMPORTS;
    let template = Overview {
        title: page.t("data-title"),
        frame: Frame::new(&page, "overview"),
        empty: events.is_empty() && imports.is_empty(),
        writable: health.writable,
        damaged: health.damaged,
        failing: super::start::failing(&page, &health),
        customers: metric("customers") as u64,
        events: events.iter().map(|e| e.count).sum(),
        day: events.iter().map(|e| e.last_day).sum(),
        lag: if lag < 2.0 { page.t("data-lag-none") } else { page.t1("data-lag", "n", lag as u64) },
        quarantine: metric("quarantine_messages") as u64,
        kinds: events.into_iter().take(EVENTS).map(|e| event_line(&page, e)).collect(),
        imports: imports.into_iter().take(IMPORTS).map(|i| import_line(&page, i)).collect(),
        more_imports,
        page: page.clone(),
    };
    show(&page, &template)
}

#[derive(Template)]
#[template(path = "data/enough.html")]
struct EnoughPart {
    page: Page,
    enough: Enough,
    months: String,
    per_buyer: String,
    /// What to keep in mind, the worst first: whether it is grave, and the words.
    hints: Vec<(bool, String)>,
    traits: Vec<(String, u64)>,
    missing: Vec<Missing>,
}

/// A word that definitions use and no data has said yet.
struct Missing {
    name: String,
    is_trait: bool,
    is_property: bool,
    /// Segments and partitions that need it: address and name.
    needed_by: Vec<(String, String)>,
}

/// Definitions named beside a word that is missing.
const NEEDED_BY: usize = 8;

/// Traits whose coverage is shown.
const TRAITS: usize = 20;

async fn enough(State(app): Shared, page: Page) -> ApiResult {
    let (enough, segments, partitions) =
        app.ask(|b| Ok((b.enough()?, b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?))).await?;
    // A partition is named once, for however many of its classes.
    let needs = |id: &String| {
        let (place, all, id) = match id.split_once('/') {
            Some((partition, _)) => ("partitions", &partitions, partition),
            None => ("segments", &segments, id.as_str()),
        };
        let name = all.iter().find(|d| d.id == id).map_or(id.to_string(), |d| page.name(&d.name_ko, &d.name_en, id));
        (format!("/{place}/{}", super::page::encode(id)), name)
    };
    let mut hints = vec![];
    if enough.customers == 0 {
        hints.push((true, page.t("data-enough-nobody")));
    } else {
        if enough.orders == 0 {
            hints.push((true, page.t("data-enough-no-orders")));
        } else if enough.months < 12.0 {
            hints.push((true, page.t("data-enough-short")));
        } else if enough.months < 24.0 {
            hints.push((false, page.t("data-enough-one-year")));
        }
        if let Some(days) = enough.stale_days.filter(|d| *d > 7) {
            hints.push((true, page.t1("data-enough-stale", "n", days as u64)));
        }
        if enough.orders > 0 && enough.buyers < 100 {
            hints.push((true, page.t("data-enough-few")));
        }
        if enough.orders_per_buyer.is_some_and(|n| n < 1.2) {
            hints.push((false, page.t("data-enough-once")));
        }
        if hints.is_empty() {
            hints.push((false, page.t("data-enough-good")));
        }
        if let Some(l) = &enough.left_out {
            let parts = [
                ("policy", l.policy.clone().into()),
                ("date", page.date(l.from).into()),
                ("n", l.events.into()),
                ("all", l.of.into()),
            ];
            hints.push((false, page.tn("data-enough-policy", &parts)));
        }
    }
    let mut traits = enough.traits.clone();
    traits.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    traits.truncate(TRAITS);
    let word = |m: &MissingWord| {
        let name = match m.is_trait {
            true => super::customers::trait_label(&page, &m.name),
            false => super::customers::event_title(&page, &m.name),
        };
        let name = m
            .property
            .as_ref()
            .map_or(name.clone(), |p| format!("{name} · {}", super::customers::property_label(&page, p)));
        let mut needed_by: Vec<(String, String)> = vec![];
        for one in m.definitions.iter().map(needs) {
            if !needed_by.contains(&one) {
                needed_by.push(one);
            }
        }
        Missing { name, is_trait: m.is_trait, is_property: m.property.is_some(), needed_by }
    };
    let part = EnoughPart {
        months: format::decimal(enough.months, 1),
        per_buyer: enough.orders_per_buyer.map_or("–".into(), |n| format::decimal(n, 1)),
        hints,
        traits: traits.into_iter().map(|(n, k)| (super::customers::trait_label(&page, &n), k)).collect(),
        missing: enough.missing.iter().map(word).collect(),
        enough,
        page: page.clone(),
    };
    show(&page, &part)
}

#[derive(Template)]
#[template(source = "{{ chart.html()|safe }}", ext = "html")]
struct DailyPart {
    chart: Chart,
}

async fn daily(State(app): Shared, page: Page) -> ApiResult {
    let days = app.ask(|b| b.daily(DAYS)).await?;
    let total: u64 = days.iter().map(|d| d.events).sum();
    let says = page.t2("data-daily-says", "n", total, "days", days.len());
    let option = json!({
        "xAxis": { "type": "category", "data": days.iter().map(|d| &d.day).collect::<Vec<_>>(), "$fmt": "day" },
        "yAxis": { "type": "value", "$fmt": "short" },
        "tooltip": { "trigger": "axis", "$fmt": "count" },
        "series": [{ "type": "bar", "name": page.t("data-events"), "data": days.iter().map(|d| d.events).collect::<Vec<_>>(), "color": "--b" }],
    });
    let rows = days.iter().rev().map(|d| vec![d.day.clone(), page.count(&d.events)]).collect();
    let chart = Chart::new(&page, "daily", says, option)
        .height("low")
        .table(vec![page.t("data-day"), page.t("data-events")], rows);
    show(&page, &DailyPart { chart })
}
