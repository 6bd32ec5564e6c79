//! What do all customers together say? A question and its chart on each page; the address holds all choices.

mod charts;

pub use charts::{amount, region_name};

use super::chart::Chart;
use super::{Page, show};
use crate::api::explore as asks;
use crate::app::App;
use crate::args::Args;
use crate::data::{DefKind, DefState, EventSchema};
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, NUMBERS, PEOPLE, Table};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use gyul_model::names;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    for tab in TABS {
        let path = if tab == TABS[0] { "/explore".to_string() } else { format!("/explore/{tab}") };
        table.at(
            Endpoint::page(path, format!("pageExplore-{tab}"), NUMBERS),
            move |s: Shared, c: Extension<Caller>, p: Page, a: Args| shown(tab, s, c, p, a),
        );
    }
}

/// Also the ends of the API's addresses.
const TABS: [&str; 8] = ["rfm", "cohorts", "funnel", "paths", "hours", "regions", "distribution", "comparison"];

#[derive(Template)]
#[template(path = "explore/index.html")]
struct Explore {
    page: Page,
    title: String,
    lead: String,
    tabs: Vec<Tab>,
    action: String,
    fields: Vec<Field>,
    /// So many stand open; the others behind a line, which is open where one of them says something.
    shown_fields: usize,
    rest_open: bool,
    /// Comes behind the page, by `part`; without scripts by `whole`.
    answer: Option<Shown>,
    part: String,
    whole: String,
}

#[derive(Template)]
#[template(path = "explore/answer.html")]
struct Shown {
    page: Page,
    problem: Option<String>,
    /// What is not there, the next step, and whether that is to bring data.
    empty: Option<(String, String, bool)>,
    parts: Vec<Part>,
    table: Option<TableOf>,
    /// So many customers object to being profiled; they count.
    left_out: u64,
}

struct Tab {
    address: String,
    name: String,
    current: bool,
}

struct Field {
    name: &'static str,
    label: String,
    kind: &'static str,
    value: String,
    hint: String,
    options: Vec<Choice>,
}

struct Choice {
    value: String,
    name: String,
    chosen: bool,
}

struct Part {
    title: String,
    chart: Chart,
    note: String,
}

struct TableOf {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    csv: String,
}

/// What an answer becomes: charts, a table, or nothing because there is too little.
#[derive(Default)]
struct Answer {
    parts: Vec<Part>,
    table: Option<TableOf>,
}

/// What there is to choose from, and how it is called.
struct Known {
    page: Page,
    events: Vec<EventSchema>,
    /// Segments, then classes: id and name. Those that the data cannot tell are named apart.
    sets: Vec<(String, String)>,
    /// Id, name, and what the data lacks.
    untold: Vec<(String, String, String)>,
    measures: Vec<(String, String)>,
    /// The query of this page, for the file.
    query: String,
    /// Nothing was chosen yet: the page begins with an answer of its own.
    begun: bool,
}

impl Known {
    fn set(&self, id: &str) -> String {
        let told = self.sets.iter().find(|(i, _)| i == id).map(|(_, name)| name);
        told.or(self.untold(id).map(|(_, name, _)| name)).map_or(id.to_string(), String::clone)
    }

    fn untold(&self, id: &str) -> Option<&(String, String, String)> {
        self.untold.iter().find(|(i, ..)| i == id)
    }

    /// Everybody, or a segment.
    fn who(&self, of: Option<&str>) -> String {
        of.map_or_else(|| self.page.t("explore-everybody"), |id| self.set(id))
    }

    fn event(&self, name: &str) -> String {
        event_name(&self.page, name)
    }

    fn csv(&self, tab: &str) -> String {
        format!("/api/v1/explore/{tab}?format=csv{}", self.query)
    }
}

/// Standard events in the reader's words, the shop's own as they are.
pub fn event_name(page: &Page, name: &str) -> String {
    let slug = match name {
        names::ORDER => "order",
        names::ITEM => "item",
        names::REFUND => "refund",
        names::ITEM_REFUND => "returned",
        names::VIEW => "view",
        names::CART => "cart",
        names::SEARCH => "search",
        names::CHECKOUT => "checkout",
        names::SENT => "sent",
        names::OPENED => "opened",
        names::CLICKED => "clicked",
        other => return super::customers::event_title(page, other),
    };
    page.t(&format!("explore-event-{slug}"))
}

async fn shown(tab: &'static str, State(app): Shared, caller: Extension<Caller>, page: Page, args: Args) -> ApiResult {
    let (events, mut segments, partitions, mut measures) = app
        .ask(move |b| {
            let of = |kind| b.definitions(kind);
            // Their sizes are a look at everybody: only where they are chosen from.
            let measures = if tab == "distribution" { of(DefKind::Measure)? } else { vec![] };
            Ok((b.events()?, of(DefKind::Segment)?, of(DefKind::Partition)?, measures))
        })
        .await?;
    let by_name = |page: &Page, list: &mut Vec<DefState>| {
        list.sort_by_key(|d| page.name(&d.name_ko, &d.name_en, &d.id));
    };
    by_name(&page, &mut segments);
    by_name(&page, &mut measures);
    let named = |d: &DefState| (d.id.clone(), page.name(&d.name_ko, &d.name_en, &d.id));
    let (mut sets, mut untold) = (vec![], vec![]);
    let mut add = |id: String, name: String, lacks: Option<String>| match lacks {
        Some(lacks) => untold.push((id, name, lacks)),
        None => sets.push((id, name)),
    };
    for d in &segments {
        let (id, name) = named(d);
        add(id, name, page.lacks(&d.needs_ko, &d.needs_en));
    }
    for p in &partitions {
        let of = page.name(&p.name_ko, &p.name_en, &p.id);
        for c in &p.classes {
            let name = page.name(&c.name_ko, &c.name_en, &c.class);
            add(format!("{}/{}", p.id, c.class), format!("{of} · {name}"), page.lacks(&c.needs_ko, &c.needs_en));
        }
    }
    let query: String = page.here.split_once('?').map_or("", |(_, q)| q).split('&').fold(String::new(), |all, one| {
        if one.is_empty() || one.starts_with("answer=") { all } else { format!("{all}&{one}") }
    });
    let mut events = events;
    events.retain(|e| e.name != names::IDENTIFY);
    let measures = measures.iter().map(named).collect();
    let mut known = Known { page: page.clone(), events, sets, untold, measures, query, begun: false };
    let asked = begin(tab, &mut known, &args);
    let args = asked.into_iter().fold(args, |args, (name, value)| args.or(name, &value));
    let people = PEOPLE.allows(caller.role);
    let how = args.get("answer");
    if how == Some("part") {
        let shown = answered(tab, &app, &known, &args, people).await?;
        return show(&page, &shown);
    }
    let answer = if how == Some("whole") { Some(answered(tab, &app, &known, &args, people).await?) } else { None };
    let address = |t: &str| if t == TABS[0] { "/explore".to_string() } else { format!("/explore/{t}") };
    let tabs = TABS.map(|t| Tab { address: address(t), name: page.t(&format!("explore-tab-{t}")), current: t == tab });
    let fields = fields(tab, &known, &args, people);
    // What narrows and compares comes after the answer to the question itself.
    let first =
        |f: &Field| !(["within", "first", "last"].contains(&f.name) || f.name.starts_with("of") && f.name != "of");
    let shown_fields = match tab {
        "funnel" | "distribution" => fields.iter().take_while(|f| first(f)).count(),
        _ => fields.len(),
    };
    let rest_open = fields[shown_fields..]
        .iter()
        .any(|f| args.get(f.name).is_some() || f.options.iter().any(|o| o.chosen && !o.value.is_empty()));
    let view = Explore {
        shown_fields,
        rest_open,
        title: page.t("explore-title"),
        lead: page.t(&format!("explore-lead-{tab}")),
        tabs: tabs.into_iter().collect(),
        action: address(tab),
        fields,
        part: format!("{}?answer=part{}", address(tab), known.query),
        whole: format!("{}?answer=whole{}", address(tab), known.query),
        answer,
        page: page.clone(),
    };
    show(&page, &view)
}

/// What a page shows before anything was chosen: an answer teaches more than empty fields.
fn begin(tab: &str, known: &mut Known, args: &Args) -> Vec<(&'static str, String)> {
    let chosen = match tab {
        "funnel" if asks::STEPS.iter().all(|s| args.get(s).is_none()) => {
            asks::STEPS.into_iter().zip(usual_steps(&known.events)).collect()
        }
        "comparison" if asks::several(args).is_ok_and(|of| of.is_empty()) => {
            let there = |id: &&str| known.sets.iter().any(|(i, _)| i == id);
            let telling: Vec<&str> = ["lifecycle/loyal", "lifecycle/at_risk"].into_iter().filter(there).collect();
            let first: Vec<&str> = known.sets.iter().take(2).map(|(id, _)| id.as_str()).collect();
            let two = if telling.len() == 2 { telling } else { first };
            ["of1", "of2"].into_iter().zip(two.into_iter().map(str::to_string)).collect()
        }
        _ => vec![],
    };
    known.begun = !chosen.is_empty();
    for (name, value) in &chosen {
        known.query += &format!("&{name}={}", super::page::encode(value));
    }
    chosen
}

/// The way to an order, as far as this shop tells it; where orders are all it tells, the way to the third.
fn usual_steps(events: &[EventSchema]) -> Vec<String> {
    let there = |name: &&str| events.iter().any(|e| e.name == **name);
    let way: Vec<&str> = [names::VIEW, names::CART, names::CHECKOUT, names::ORDER].into_iter().filter(there).collect();
    let steps = match way.as_slice() {
        [only] if *only == names::ORDER => vec![names::ORDER; 3],
        [_] => vec![],
        _ => way,
    };
    steps.into_iter().map(str::to_string).collect()
}

/// The answer to what the address asks.
async fn answered(tab: &'static str, app: &Arc<App>, known: &Known, args: &Args, people: bool) -> ApiResult<Shown> {
    let page = &known.page;
    // What the data cannot tell has no numbers: a chart of it would be of nobody or of everybody.
    let asked = asks::several(args).unwrap_or_default();
    let untold: Vec<_> = asked.iter().filter_map(|id| known.untold(id)).collect();
    let missing = untold.iter().map(|(_, name, lacks)| page.t2("explore-untold", "name", name, "what", lacks));
    let missing: Vec<String> = missing.collect();
    let found = if known.events.is_empty() || !untold.is_empty() {
        Ok(Answer::default())
    } else {
        charts::answer(tab, app, known, args, people).await
    };
    let (answer, problem) = match found {
        Ok(answer) => (answer, None),
        // What the reader can mend is said above the fields.
        Err(e) if e.status.is_client_error() && e.status != 403 => (Answer::default(), Some(told(page, &e))),
        Err(e) => return Err(e),
    };
    let nothing = problem.is_none() && answer.parts.is_empty() && answer.table.is_none();
    let waiting = tab == "comparison" && asks::several(args).is_ok_and(|of| of.is_empty())
        || tab == "funnel" && args.get("step2").is_none();
    let empty = nothing.then(|| match waiting {
        _ if !missing.is_empty() => (missing.join(" "), page.t("explore-untold-lead"), true),
        true => (page.t("explore-choose"), page.t(&format!("explore-choose-{tab}")), false),
        // Orders there may be; where their buyers live nobody told.
        false if tab == "regions" && !known.events.is_empty() => {
            (page.t("explore-regions-empty"), page.t("explore-regions-empty-lead"), true)
        }
        false => (page.t("explore-empty"), page.t("explore-empty-lead"), true),
    });
    let metrics = app.ask(|b| Ok(b.metrics())).await?;
    let left_out = metrics.iter().find(|m| m.name == "customers_objecting").map_or(0, |m| m.value as u64);
    Ok(Shown { page: page.clone(), problem, empty, parts: answer.parts, table: answer.table, left_out })
}

fn told(page: &Page, e: &ApiError) -> String {
    match e.status.as_u16() {
        404 => page.t("explore-gone"),
        _ => e.message(page.lang).to_string(),
    }
}

fn fields(tab: &str, known: &Known, args: &Args, people: bool) -> Vec<Field> {
    let page = &known.page;
    let value = |name: &str| args.get(name).unwrap_or_default().to_string();
    let choose = |name: &'static str, label: String, default: &str, all: Vec<(String, String)>| {
        let now = args.get(name).unwrap_or(default).to_string();
        let options = all.into_iter().map(|(value, name)| Choice { chosen: value == now, value, name });
        Field { name, label, kind: "", value: String::new(), hint: String::new(), options: options.collect() }
    };
    let write = |name: &'static str, label: String, kind: &'static str, hint: &str| Field {
        name,
        label,
        kind,
        value: value(name),
        hint: hint.into(),
        options: vec![],
    };
    let with = |first: String, all: &[(String, String)]| -> Vec<(String, String)> {
        std::iter::once((String::new(), first)).chain(all.iter().cloned()).collect()
    };
    let events: Vec<(String, String)> = known.events.iter().map(|e| (e.name.clone(), known.event(&e.name))).collect();
    let untold = known.untold.iter();
    let untold = untold.map(|(id, name, _)| (id.clone(), page.t1("explore-untold-choice", "name", name)));
    let sets: Vec<(String, String)> = known.sets.iter().cloned().chain(untold).collect();
    let of = || choose("of", page.t("explore-of"), "", with(page.t("explore-everybody"), &sets));
    let event = |default: &str| choose("event", page.t("explore-event"), default, events.clone());
    let back = |default: &str| {
        let days = ["7", "30", "90", "365", "36500"];
        choose(
            "back",
            page.t("explore-back"),
            default,
            days.map(|d| (d.into(), page.t(&format!("explore-back-{d}")))).into(),
        )
    };
    let several = |first: &str| {
        let one = |(i, name): (usize, &'static str)| {
            let mut f = choose(name, page.t1("explore-set", "n", i + 1), "", with(first.to_string(), &sets));
            // A link may name them all at once.
            if let (Some(id), None) = (asks::several(args).ok().and_then(|of| of.get(i).cloned()), args.get(name)) {
                f.options.iter_mut().for_each(|o| o.chosen = o.value == id);
            }
            f
        };
        ["of1", "of2", "of3", "of4"].into_iter().enumerate().map(one).collect::<Vec<_>>()
    };
    match tab {
        "rfm" => {
            let how = vec![
                (String::new(), page.t("explore-rfm-quintiles")),
                (charts::DAYS.into(), page.t("explore-rfm-fixed")),
            ];
            let days = ["", "7", "30", "90"].map(|d| {
                (d.to_string(), page.t(&format!("explore-rfm-before-{}", if d.is_empty() { "none" } else { d })))
            });
            vec![
                choose("days", page.t("explore-rfm-how"), "", how),
                choose("ago", page.t("explore-rfm-before"), "", days.into()),
                of(),
            ]
        }
        "cohorts" => {
            let periods = ["month", "week"].map(|p| (p.to_string(), page.t(&format!("explore-period-{p}"))));
            vec![event(names::ORDER), choose("period", page.t("explore-period"), "month", periods.into()), of()]
        }
        "funnel" => {
            let mut out = vec![];
            // One more than is chosen, so that a step can be added.
            let chosen = asks::STEPS.iter().rposition(|s| args.get(s).is_some()).map_or(3, |i| i + 1);
            for (i, name) in asks::STEPS.into_iter().enumerate().take((chosen + 1).clamp(3, 8)) {
                let all = with(page.t("explore-step-none"), &events);
                out.push(choose(name, page.t1("explore-step", "n", i + 1), "", all));
                if people && !known.begun && (args.get(name).is_some() || args.get(asks::WHERE[i]).is_some()) {
                    let label = page.t1("explore-where", "n", i + 1);
                    out.push(write(asks::WHERE[i], label, "text", "total >= 50000"));
                }
            }
            let within = ["", "1h", "1d", "7d", "30d"];
            let within = within
                .map(|w| (w.to_string(), page.t(&format!("explore-within-{}", if w.is_empty() { "any" } else { w }))));
            out.push(choose("within", page.t("explore-within"), "", within.into()));
            out.push(write("first", page.t("explore-first"), "date", ""));
            out.push(write("last", page.t("explore-last"), "date", ""));
            out.extend(several(&page.t("explore-set-none")));
            out
        }
        "paths" => {
            let ways = ["from", "to"].map(|w| (w.to_string(), page.t(&format!("explore-direction-{w}"))));
            let days = ["1", "7", "30"].map(|d| (d.to_string(), page.t(&format!("explore-days-{d}"))));
            vec![
                event(names::ORDER),
                choose("direction", page.t("explore-direction"), "from", ways.into()),
                choose("days", page.t("explore-days"), "7", days.into()),
                back("90"),
                of(),
            ]
        }
        "hours" => vec![event(names::ORDER), back("90"), of()],
        "regions" => vec![back("36500"), of()],
        "distribution" => {
            let mut out = vec![choose(
                "measure",
                page.t("explore-measure"),
                charts::measure(known, args).as_str(),
                known.measures.clone(),
            )];
            out.extend(several(&page.t("explore-set-none")));
            out
        }
        _ => several(&page.t("explore-set-none")),
    }
}
