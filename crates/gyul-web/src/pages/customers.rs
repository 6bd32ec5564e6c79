//! Who is this customer, what did they do, what are they in and why? Search, and a page for each.

mod person;
#[cfg(test)]
mod tests;
mod timeline;

pub use person::label as trait_label;
pub use timeline::{property as property_label, title as event_title};

use super::{Page, field, go, show};
use crate::api::customers as api;
use crate::app::App;
use crate::args::{self, Args};
use crate::data::*;
use crate::guard::Caller;
use crate::problem::ApiResult;
use crate::table::{EDIT, Endpoint, OWNER, PEOPLE, Table};
use crate::veil;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use gyul_model::Identifier;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Shown of a search at a time.
const FOUND_MAX: usize = 30;
const RECENT: usize = 12;
/// Segments to begin with.
const DOORS: usize = 12;

pub fn add(table: &mut Table) {
    let page = |path: &str, id: &str| Endpoint::page(path, id, PEOPLE);
    table.at(page("/customers", "pageCustomers"), list);
    table.at(page("/customers/{id}", "pageCustomer"), person::page);
    table.at(page("/customers/{id}/timeline", "pageTimeline"), timeline::part);
    table.at(page("/customers/{id}/memberships", "pageMemberships"), person::memberships);
    table.at(page("/customers/{id}/why/{kind}/{definition}", "pageWhy"), person::why);
    table.at(Endpoint::page("/customers/{id}/merge", "pageMerge", EDIT), merge_page);
    table.at(Endpoint::form("/customers/{id}/merge", "mergeCustomers", EDIT), merge);
    table.at(Endpoint::form("/customers/{id}/unmerge", "undoMerge", EDIT), unmerge);
    for (way, id, objects) in [("object", "objectToProfiling", true), ("withdraw", "withdrawObjection", false)] {
        table.at(
            Endpoint::form(format!("/customers/{{id}}/{way}"), id, EDIT),
            move |state: Shared, page: Page, id: Path<String>| object(state, page, id, objects),
        );
    }
    table.at(Endpoint::form("/customers/{id}/erase", "eraseCustomer", OWNER), erase);
}

/// A line of a list.
struct Line {
    head: CustomerHead,
    /// The name, or the id of who has none.
    title: String,
    /// Where their page is.
    to: String,
    /// The id as it is, for forms.
    own: String,
}

fn lines(page: &Page, heads: Vec<CustomerHead>) -> Vec<Line> {
    let veiled = is_veiled(page);
    let line = |mut head: CustomerHead| {
        let (to, own) = (address(&head.id), head.id.clone());
        if veiled {
            veil::head(&mut head);
        }
        head.id = short(&head.id, 80);
        let title = short(head.name.as_deref().filter(|n| !n.trim().is_empty()).unwrap_or(&head.id), 80);
        Line { head, title, to, own }
    };
    heads.into_iter().map(line).collect()
}

/// Whether this reader sees people veiled.
pub(super) fn is_veiled(page: &Page) -> bool {
    page.caller.as_ref().is_none_or(|c| veil::veils(c.role))
}

pub(super) fn address(id: &str) -> String {
    format!("/customers/{}", super::page::encode(id))
}

/// So that one long text does not push everything else away.
fn short(text: &str, chars: usize) -> String {
    let mut out: String = text.chars().take(chars).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

#[derive(Template)]
#[template(path = "customers/list.html")]
struct List {
    page: Page,
    title: String,
    query: String,
    veiled: bool,
    found: Option<Found>,
    recent: Vec<Line>,
    doors: Vec<Door>,
}

#[derive(Template)]
#[template(path = "customers/found.html")]
struct Found {
    page: Page,
    query: String,
    lines: Vec<Line>,
    /// The next page, if there is one.
    next: Option<String>,
    /// Not the first page.
    later: bool,
    too_short: bool,
}

/// A way in: a segment with its size.
struct Door {
    id: String,
    name: String,
    size: u64,
}

async fn find(app: &Arc<App>, page: &Page, query: &str, after: Option<FoundAt>) -> ApiResult<Found> {
    let text = query.trim().to_string();
    let mut found = Found {
        page: page.clone(),
        query: text.clone(),
        lines: vec![],
        next: None,
        later: after.is_some(),
        too_short: text.chars().count() < 2,
    };
    if !found.too_short && text.len() <= 200 {
        let some = app.ask(move |b| b.search(&text, after, FOUND_MAX)).await?;
        found.next = some.next.map(|at| {
            let (query, cursor) = (super::page::encode(&found.query), args::cursor(at.written()));
            format!("/customers?q={query}&cursor={cursor}")
        });
        found.lines = lines(page, some.heads);
    }
    Ok(found)
}

async fn list(State(app): Shared, page: Page, args: Args) -> ApiResult {
    let query = args.get("q").unwrap_or_default().to_string();
    let found =
        if query.is_empty() { None } else { Some(find(&app, &page, &query, args.cursor(FoundAt::read)?).await?) };
    if let (true, Some(found)) = (page.partial, &found) {
        return show(&page, found);
    }
    let (recent, doors) = match found {
        Some(_) => (vec![], vec![]),
        None => {
            let recent = app.ask(|b| b.recent(RECENT)).await?;
            let mut segments = app.ask(|b| b.definitions(DefKind::Segment)).await?;
            segments.retain(|s| s.size.is_some_and(|n| n > 0) && s.needs_en.is_none());
            segments.sort_by_key(|s| std::cmp::Reverse(s.size));
            let door = |s: &DefState| Door {
                id: s.id.clone(),
                name: page.name(&s.name_ko, &s.name_en, &s.id),
                size: s.size.unwrap_or_default(),
            };
            (lines(&page, recent), segments.iter().take(DOORS).map(door).collect())
        }
    };
    let (title, veiled) = (page.t("customers-title"), is_veiled(&page));
    let template = List { page: page.clone(), title, query, veiled, found, recent, doors };
    if page.partial { show(&page, &Begin(template)) } else { show(&page, &template) }
}

/// What is shown before anything was typed, as a part.
#[derive(Template)]
#[template(path = "customers/begin.html")]
struct Begin(List);

impl std::ops::Deref for Begin {
    type Target = List;
    fn deref(&self) -> &List {
        &self.0
    }
}

// Merging

#[derive(Template)]
#[template(path = "customers/merge.html")]
struct MergePage {
    page: Page,
    title: String,
    own: Line,
    query: String,
    found: Option<Found>,
    wrong: Option<String>,
}

async fn show_merge(app: &Arc<App>, page: Page, who: Identifier, query: &str, wrong: Option<String>) -> ApiResult {
    let customer = app.ask(move |b| b.customer(&who)).await?;
    let head = CustomerHead { id: customer.id.clone(), name: person::name_of(&customer), ..CustomerHead::default() };
    let mut found = if query.is_empty() { None } else { Some(find(app, &page, query, None).await?) };
    if let Some(found) = &mut found {
        found.lines.retain(|l| l.to != address(&customer.id));
    }
    let own = lines(&page, vec![head]).remove(0);
    let title = page.t1("customers-merge-title", "name", &own.title);
    show(&page.clone(), &MergePage { page, title, own, query: query.to_string(), found, wrong })
}

async fn merge_page(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    let who = args::identifier(&id)?;
    show_merge(&app, page, who, args.get("q").unwrap_or_default(), None).await
}

async fn merge(State(app): Shared, page: Page, path: Path<String>, body: Bytes) -> ApiResult {
    // The way to the other one's page names them.
    let other = field(&body, "from").unwrap_or_default();
    let who = args::identifier(&path.0)?;
    let body = serde_json::json!({ "from": other }).to_string();
    match api::merge(State(Arc::clone(&app)), path, Bytes::from(body)).await {
        Ok(_) => {
            let customer = app.ask(move |b| b.customer(&who)).await?;
            Ok(go(&page, &format!("{}?done=merged", address(&customer.id))))
        }
        Err(e) => {
            let wrong = super::errors::sentence(e.message(page.lang));
            show_merge(&app, page, who, "", Some(wrong)).await
        }
    }
}

async fn unmerge(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let decision = field(&body, "decision").unwrap_or_default();
    api::unmerge(State(Arc::clone(&app)), Path(decision)).await?;
    Ok(go(&page, &format!("{}?done=parted", address(&id))))
}

async fn object(state: Shared, page: Page, Path(id): Path<String>, objects: bool) -> ApiResult {
    api::object(state, Path(id.clone()), objects).await?;
    let done = if objects { "objected" } else { "withdrawn" };
    Ok(go(&page, &format!("{}?done={done}", address(&id))))
}

// Erasing

#[derive(Template)]
#[template(path = "customers/erased.html")]
struct Erased {
    page: Page,
    title: String,
    report: ErasureReport,
    /// What was removed, by place.
    removed: Vec<(String, u64)>,
    total: u64,
}

async fn erase(
    State(app): Shared,
    caller: Extension<Caller>,
    page: Page,
    Path(id): Path<String>,
    body: Bytes,
) -> ApiResult {
    let who = args::identifier(&id)?;
    let asked = who.clone();
    let customer = app.ask(move |b| b.customer(&asked)).await?;
    // Typed by hand: nobody erases the wrong one by a slip.
    if field(&body, "typed").unwrap_or_default().trim() != customer.id {
        return person::show_page(&app, page, who, &Said { wrong: Some("customers-erase-differs"), done: None }, None)
            .await;
    }
    drop(caller);
    let report = app.ask(move |b| b.erase(&who)).await?;
    let removed = report.removed.iter().map(|(place, n)| (page.t(&format!("customers-erased-in-{place}")), *n));
    let removed = removed.collect();
    let total = report.removed.values().sum();
    let title = page.t("customers-erased");
    show(&page.clone(), &Erased { page, title, report, removed, total })
}

/// What became of the last form, as names of messages.
#[derive(Default)]
struct Said {
    wrong: Option<&'static str>,
    done: Option<&'static str>,
}
