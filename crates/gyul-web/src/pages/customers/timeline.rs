//! What somebody did, the latest first, a day after the other.

use super::person::value;
use super::{Shared, address, is_veiled, short};
use crate::app::App;
use crate::args::{self, Args};
use crate::data::TimelineEvent;
use crate::pages::{Page, format, page::encode, show};
use crate::problem::ApiResult;
use crate::veil;
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Instant, Value, names};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events shown at once.
const SHOWN: usize = 40;
/// Events that are looked through for those of one name.
const LOOKED_AT: usize = 20_000;
/// Properties shown beside an event; the others unfold.
const BESIDE: usize = 4;

#[derive(Template)]
#[template(path = "customers/timeline.html")]
pub struct Timeline {
    page: Page,
    days: Vec<Day>,
    /// The address of what came before.
    next: Option<String>,
    /// Name, what it is called, how often, whether it is the one chosen.
    pub names: Vec<(String, String, u64, bool)>,
    pub empty: bool,
}

struct Day {
    key: String,
    /// Not said again on a next page.
    label: Option<String>,
    events: Vec<Line>,
}

struct Line {
    icon: &'static str,
    title: String,
    time: String,
    at: Instant,
    beside: Vec<(String, String)>,
    rest: Vec<(String, String)>,
    handle: Option<String>,
}

pub async fn part(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    args::identifier(&id)?;
    let before = args.cursor(|text| {
        let (ts, seq) = text.split_once(' ')?;
        Some((Instant(ts.parse().ok()?), seq.parse().ok()?))
    })?;
    let (event, day) = (args.get("event").map(str::to_string), args.get("day").map(str::to_string));
    show(&page, &of(&app, &page, &id, before, event, day).await?)
}

pub async fn of(
    app: &Arc<App>,
    page: &Page,
    id: &str,
    before: Option<(Instant, u64)>,
    event: Option<String>,
    day: Option<String>,
) -> ApiResult<Timeline> {
    let who = args::identifier(id)?;
    let mut all = app.ask(move |b| b.timeline(&who, before, LOOKED_AT)).await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for e in &all {
        *counts.entry(e.name.clone()).or_default() += 1;
    }
    if let Some(wanted) = &event {
        all.retain(|e| e.name == *wanted);
    }
    let more = all.len() > SHOWN;
    all.truncate(SHOWN);
    let cursor = all.last().filter(|_| more).map(|e| args::cursor(format!("{} {}", e.ts.0, e.seq)));
    let veiled = is_veiled(page);
    let mut days: Vec<Day> = vec![];
    for mut e in all {
        if veiled {
            veil::event(&mut e);
        }
        let dated = e.ts > Instant::ALWAYS;
        let key = if dated { format::iso_date(e.ts, &page.settings.zone) } else { "–".into() };
        if days.last().is_none_or(|d| d.key != key) {
            let known = days.is_empty() && day.as_deref() == Some(&key);
            let label = if dated { page.date(e.ts) } else { page.t("customers-undated") };
            days.push(Day { label: (!known).then_some(label), key, events: vec![] });
        }
        if let Some(day) = days.last_mut() {
            day.events.push(line(page, e));
        }
    }
    let to = address(id);
    let next = cursor.map(|c| {
        let day = days.last().map_or("", |d| d.key.as_str());
        let filter = event.as_ref().map(|e| format!("&event={}", encode(e))).unwrap_or_default();
        format!("{to}/timeline?cursor={c}&day={}{filter}", encode(day))
    });
    let mut names: Vec<(String, String, u64, bool)> =
        counts.into_iter().map(|(n, count)| (n.clone(), title(page, &n), count, event.as_ref() == Some(&n))).collect();
    names.sort_by_key(|(.., n, _)| std::cmp::Reverse(*n));
    Ok(Timeline { page: page.clone(), empty: days.is_empty(), days, next, names })
}

fn line(page: &Page, e: TimelineEvent) -> Line {
    const FIRST: [&str; 8] = ["name", "product_name", "total", "price", "quantity", "category", "channel", "query"];
    let place = |n: &str| FIRST.iter().position(|f| *f == n).unwrap_or(FIRST.len());
    let mut properties = e.properties;
    // A page's name is often the event's own.
    properties.retain(|(n, v)| n != "name" || !matches!(v, Value::Text(t) if *t == e.name));
    properties.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    // What says little about what happened unfolds with the rest.
    let (quiet, telling): (Vec<_>, Vec<_>) =
        properties.into_iter().partition(|(n, _)| ["currency", "derived"].contains(&n.as_str()));
    let said = |(n, v): (String, Value)| (property(page, &n), value(page, &n, &v));
    let mut beside: Vec<(String, String)> = telling.into_iter().map(said).collect();
    let mut rest = beside.split_off(beside.len().min(BESIDE));
    rest.extend(quiet.into_iter().map(said));
    let time = if e.ts > Instant::ALWAYS { format::clock(e.ts, &page.settings.zone) } else { String::new() };
    Line {
        icon: icon(&e.name),
        title: title(page, &e.name),
        time,
        at: e.ts,
        beside,
        rest,
        handle: e.handle.map(|h| short(&h, 60)),
    }
}

/// What a property is called, where it is one that every shop has.
pub fn property(page: &Page, name: &str) -> String {
    const KNOWN: [&str; 18] = [
        "name",
        "total",
        "price",
        "quantity",
        "category",
        "product_id",
        "channel",
        "coupon",
        "discount",
        "campaign_id",
        "rating",
        "order_id",
        "items",
        "value",
        "brand",
        "query",
        "path",
        "currency",
    ];
    if KNOWN.contains(&name) { page.t(&format!("builder-prop-{name}")) } else { short(name, 60) }
}

/// What an event is called, where it is one that every shop has.
pub fn title(page: &Page, name: &str) -> String {
    let message = match name {
        names::IDENTIFY => "customers-event-traits",
        names::ORDER => "customers-event-order",
        names::ITEM => "customers-event-item",
        names::REFUND => "customers-event-refund",
        names::ITEM_REFUND => "customers-event-item-refund",
        names::VIEW => "customers-event-view",
        names::CART => "customers-event-cart",
        names::SEARCH => "customers-event-search",
        names::CHECKOUT => "customers-event-checkout",
        names::SENT => "customers-event-sent",
        names::OPENED => "customers-event-opened",
        names::CLICKED => "customers-event-clicked",
        "Signed Up" => "customers-event-signed-up",
        "Page Viewed" => "customers-event-page",
        "Order Cancelled" => "customers-event-cancelled",
        "Logged In" => "customers-event-login",
        "Product Reviewed" => "customers-event-review",
        "Survey Answered" => "customers-event-survey",
        "Unsubscribed" => "customers-event-unsubscribed",
        _ => return short(name, 100),
    };
    page.t(message)
}

fn icon(name: &str) -> &'static str {
    match name {
        names::IDENTIFY | "Signed Up" => "people",
        names::ORDER | names::ITEM => "bag",
        names::REFUND | names::ITEM_REFUND | "Order Cancelled" => "back",
        names::VIEW | "Page Viewed" => "eye",
        names::CART | names::CHECKOUT => "cart",
        names::SEARCH => "search",
        names::SENT | names::OPENED | names::CLICKED => "mail",
        _ => "dot",
    }
}
