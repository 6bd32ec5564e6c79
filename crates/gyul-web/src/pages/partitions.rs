//! How does everybody fall into classes, and how do they move between them?

mod edit;
mod flow;

use super::chart::COLOURS;
use super::page::encode;
use super::segments::{changes, shares, state_word};
use super::{Page, errors, field, format, go, show};
use crate::app::App;
use crate::args::Args;
use crate::data::{DefKind, DefState, Growth};
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use bytes::Bytes;
use gyul_model::Instant;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/partitions", "pagePartitions", NUMBERS), list);
    edit::add(table);
    table.at(Endpoint::page("/partitions/{id}", "pagePartition", NUMBERS), one);
    table.at(Endpoint::form("/partitions/{id}/restore", "putPartition", EDIT), restore);
    table.at(Endpoint::form("/partitions/{id}/delete", "deletePartition", EDIT), delete);
    flow::add(table);
}

/// A class as a line, and its place in the bar.
pub struct ClassLine {
    pub name: String,
    pub address: String,
    /// As written, and in words.
    pub when: Option<String>,
    pub says: String,
    /// What the data lacks to tell who is in.
    pub needs: String,
    pub size: u64,
    pub share: String,
    pub revenue: String,
    /// Start and width in thousandths, and the number of its colour.
    pub start: u64,
    pub width: u64,
    pub colour: usize,
}

pub struct Shown {
    pub id: String,
    pub name: String,
    pub address: String,
    pub description: String,
    pub state: &'static str,
    pub state_name: String,
    pub reason: Option<String>,
    pub classes: Vec<ClassLine>,
    /// Who is in none of the classes that have a condition.
    pub uncovered: u64,
    pub covered: String,
    pub version: u64,
}

impl Shown {
    /// How many found their class by a condition, and what the last one is for.
    pub fn coverage(&self, page: &Page) -> String {
        let last = self.classes.last().map_or("", |c| c.name.as_str());
        match self.uncovered {
            _ if self.classes.iter().all(|c| c.size == 0) => page.t("partitions-nobody"),
            0 => page.t("partitions-covered"),
            _ if self.is_idle() => page.t1("partitions-idle", "last", last),
            n => page.tn(
                "partitions-coverage",
                &[("share", (&self.covered).into()), ("n", n.into()), ("last", last.into())],
            ),
        }
    }

    /// There are customers, and no condition holds for any of them: most likely the data for it is missing.
    pub fn is_idle(&self) -> bool {
        self.uncovered > 0 && self.classes.iter().map(|c| c.size).sum::<u64>() == self.uncovered
    }
}

pub fn shown(page: &Page, d: &DefState, growth: Option<&Growth>) -> Shown {
    let pick = |ko: &Option<String>, en: &Option<String>| {
        page.either(ko.as_deref().unwrap_or_default(), en.as_deref().unwrap_or_default()).to_string()
    };
    let sizes: Vec<u64> = d.classes.iter().map(|c| c.size).collect();
    let all: u64 = sizes.iter().sum();
    let places = shares(&sizes);
    let classes = d.classes.iter().zip(places).enumerate().map(|(i, (c, (start, width)))| {
        let id = format!("{}/{}", d.id, c.class);
        let revenue = growth.and_then(|g| g.of.iter().find(|o| o.id == id)).and_then(|o| o.revenue);
        ClassLine {
            name: page.name(&c.name_ko, &c.name_en, &c.class),
            address: format!("/partitions/{}/classes/{}", encode(&d.id), encode(&c.class)),
            when: c.when.clone(),
            says: page.sentence(&c.says_ko, &c.says_en, c.when.as_deref()),
            needs: pick(&c.needs_ko, &c.needs_en),
            size: c.size,
            share: format::share(c.size, all),
            revenue: revenue.map_or("–".into(), |r| page.money_short(r)),
            start,
            width,
            colour: i % COLOURS,
        }
    });
    let uncovered = sizes.last().copied().unwrap_or(0);
    Shown {
        id: d.id.clone(),
        name: page.name(&d.name_ko, &d.name_en, &d.id),
        address: format!("/partitions/{}", encode(&d.id)),
        description: pick(&d.description_ko, &d.description_en),
        state: state_word(d.state),
        state_name: page.t(&format!("segments-state-{}", state_word(d.state))),
        reason: d.reason.as_ref().map(|r| page.either(&r.ko, &r.en).to_string()),
        classes: classes.collect(),
        uncovered,
        covered: format::share(all - uncovered, all),
        version: d.version.into(),
    }
}

#[derive(Template)]
#[template(path = "partitions/list.html")]
struct List {
    page: Page,
    title: String,
    partitions: Vec<Shown>,
}

async fn list(State(app): Shared, page: Page) -> ApiResult {
    let all = app.ask(|b| b.definitions(DefKind::Partition)).await?;
    let mut partitions: Vec<Shown> = all.iter().map(|d| shown(&page, d, None)).collect();
    // What a marketer asks first stands first, and what this shop has no data for stands last.
    partitions.sort_by_key(|p| (p.is_idle(), p.id != "lifecycle", p.id != "rfm"));
    let title = page.t("partitions-title");
    show(&page.clone(), &List { page, title, partitions })
}

#[derive(Template)]
#[template(path = "partitions/one.html")]
struct One {
    page: Page,
    title: String,
    partition: Shown,
    yaml: String,
    warnings: Vec<String>,
    versions: Vec<changes::Shown>,
    /// What the form of the flow begins with.
    from: String,
    done: Option<String>,
    wrong: Option<String>,
}

async fn one(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    show_one(&app, page, id, Some(&args), None).await
}

async fn show_one(app: &Arc<App>, page: Page, id: String, args: Option<&Args>, wrong: Option<String>) -> ApiResult {
    let asked = id.clone();
    let (d, versions, audit, growth) = app
        .ask(move |b| {
            let (kind, id) = (DefKind::Partition, &asked);
            Ok((b.definition(kind, id)?, b.versions(kind, id)?, b.audit(None, changes::AUDIT)?, b.growth().ok()))
        })
        .await?;
    let versions = changes::shown(&id, &versions, &audit, "Partition");
    let partition = shown(&page, &d.state, growth.as_ref());
    let done = match args.and_then(|a| a.get("done")) {
        Some("saved") => Some(page.t("partitions-saved")),
        Some("restored") => Some(page.t("segments-restored")),
        _ => None,
    };
    let month_ago = Instant(page.now.0 - 30 * gyul_model::MICROS_DAY);
    let view = One {
        title: partition.name.clone(),
        partition,
        yaml: d.yaml,
        warnings: d.warnings.iter().map(|w| page.either(&w.ko, &w.en).to_string()).collect(),
        versions,
        from: format::iso_date(month_ago, &page.settings.zone),
        done,
        wrong,
        page: page.clone(),
    };
    show(&page, &view)
}

async fn restore(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let number = |name| field(&body, name).and_then(|v| v.parse::<u32>().ok());
    let (Some(old), now) = (number("version"), number("now")) else {
        return Err(ApiError::bad("bad_form", "되돌릴 판이 없습니다.", "there is no version to go back to."));
    };
    let asked = id.clone();
    let saved = app
        .ask(move |b| {
            let versions = b.versions(DefKind::Partition, &asked)?;
            let found =
                versions.into_iter().find(|v| v.version == old && !v.deleted).ok_or(crate::Refusal::NotFound)?;
            b.put_definition(DefKind::Partition, &asked, &found.yaml, now)
        })
        .await;
    match saved {
        Ok(_) => Ok(go(&page, &format!("/partitions/{}?done=restored", encode(&id)))),
        Err(e) => show_one(&app, page.clone(), id, None, Some(errors::sentence(e.message(page.lang)))).await,
    }
}

async fn delete(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let asked = id.clone();
    match app.ask(move |b| b.delete_definition(DefKind::Partition, &asked)).await {
        Ok(()) => Ok(go(&page, "/partitions")),
        Err(e) => show_one(&app, page.clone(), id, None, Some(errors::sentence(e.message(page.lang)))).await,
    }
}
