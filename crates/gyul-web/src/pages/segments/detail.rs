//! One segment, or one class: the frame of its page, whose parts come when they are ready.

use super::super::page::encode;
use super::super::{Page, errors, field, format, go, show};
use super::{spark, state_word};
use crate::app::App;
use crate::args::Args;
use crate::data::{ClassSize, DefKind, DefState, Definition, MembersOf, Version};
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use bytes::Bytes;
use gyul_model::Instant;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/segments/{id}", "pageSegment", NUMBERS), segment);
    table.at(Endpoint::page("/partitions/{id}/classes/{class}", "pageClass", NUMBERS), class);
    table.at(Endpoint::form("/segments/{id}/restore", "putSegment", EDIT), restore);
    table.at(Endpoint::form("/segments/{id}/delete", "deleteSegment", EDIT), delete);
}

/// What a page is about.
#[derive(Clone)]
pub struct What {
    pub of: MembersOf,
    /// Where its page is.
    pub base: String,
    pub name: String,
    /// The partition's name and page, for a class.
    pub partition: Option<(String, String)>,
    pub size: Option<u64>,
    pub state: DefState,
    pub class: Option<ClassSize>,
}

impl What {
    /// As changes and growth name it.
    pub fn id(&self) -> String {
        match &self.of.class {
            Some(class) => format!("{}/{class}", self.of.id),
            None => self.of.id.clone(),
        }
    }

    pub fn of(page: &Page, d: DefState, class: Option<String>) -> ApiResult<What> {
        let own = page.name(&d.name_ko, &d.name_en, &d.id);
        let Some(class) = class else {
            return Ok(What {
                of: MembersOf { kind: d.kind, id: d.id.clone(), class: None },
                base: format!("/segments/{}", encode(&d.id)),
                name: own,
                partition: None,
                size: d.size,
                state: d,
                class: None,
            });
        };
        let found = d.classes.iter().find(|c| c.class == class).cloned().ok_or_else(ApiError::not_found)?;
        Ok(What {
            of: MembersOf { kind: d.kind, id: d.id.clone(), class: Some(class.clone()) },
            base: format!("/partitions/{}/classes/{}", encode(&d.id), encode(&class)),
            name: page.name(&found.name_ko, &found.name_en, &class),
            partition: Some((own, format!("/partitions/{}", encode(&d.id)))),
            size: d.size.map(|_| found.size),
            state: d,
            class: Some(found),
        })
    }

    /// The goal, in the reader's language.
    pub fn goal(&self, page: &Page) -> String {
        let (ko, en) = match &self.class {
            Some(c) => (&c.goal_ko, &c.goal_en),
            None => (&self.state.goal_ko, &self.state.goal_en),
        };
        page.either(ko.as_deref().unwrap_or_default(), en.as_deref().unwrap_or_default()).into()
    }

    /// What the data lacks to tell who is in.
    pub fn needs(&self, page: &Page) -> Option<String> {
        match &self.class {
            Some(c) => page.lacks(&c.needs_ko, &c.needs_en),
            None => page.lacks(&self.state.needs_ko, &self.state.needs_en),
        }
    }

    /// How many members object to being profiled: they are counted, and nothing is told of them.
    pub fn left_out(&self) -> u64 {
        self.class.as_ref().map_or(self.state.left_out, |c| c.left_out)
    }

    /// Who is in, in words.
    fn condition(&self, page: &Page) -> String {
        match &self.class {
            Some(c) if c.when.is_none() => page.t("segments-otherwise"),
            Some(c) => page.sentence(&c.says_ko, &c.says_en, c.when.as_deref()),
            None => page.sentence(&self.state.says_ko, &self.state.says_en, None),
        }
    }

    pub fn treatment(&self, page: &Page) -> String {
        let (ko, en) = match &self.class {
            Some(c) => (&c.treatment_ko, &c.treatment_en),
            None => (&self.state.treatment_ko, &self.state.treatment_en),
        };
        page.either(ko.as_deref().unwrap_or_default(), en.as_deref().unwrap_or_default()).into()
    }

    fn description(&self, page: &Page) -> String {
        let d = &self.state;
        let text = page
            .either(d.description_ko.as_deref().unwrap_or_default(), d.description_en.as_deref().unwrap_or_default());
        if self.class.is_some() { String::new() } else { text.into() }
    }
}

/// A part of a page that comes when it is ready.
pub struct Lazy {
    pub title: String,
    pub address: String,
    /// How high it will be.
    pub height: &'static str,
}

/// What the tabs of a page share.
pub struct Frame {
    pub what: What,
    pub tabs: Vec<(String, String, bool)>,
    pub lag_seconds: u64,
    pub state_name: String,
    pub reason: Option<String>,
    pub done: Option<String>,
    pub wrong: Option<String>,
}

impl Frame {
    fn new(page: Page, what: What, tab: &str, args: Option<&Args>) -> Frame {
        let segment = what.class.is_none();
        let all = [
            ("", true),
            ("who", true),
            ("overlap", true),
            ("members", page.may_see_people()),
            ("quality", true),
            ("definition", segment),
        ];
        let address = |t: &str| if t.is_empty() { what.base.clone() } else { format!("{}?tab={t}", what.base) };
        let name = |t: &str| page.t(&format!("segments-tab-{}", if t.is_empty() { "overview" } else { t }));
        let tabs = all.iter().filter(|(_, may)| *may).map(|(t, _)| (address(t), name(t), *t == tab)).collect();
        let done = match args.and_then(|a| a.get("done")) {
            Some("restored") => Some(page.t("segments-restored")),
            _ => None,
        };
        Frame {
            tabs,
            lag_seconds: what.state.lag_ms.unwrap_or(0) / 1000,
            state_name: page.t(&format!("segments-state-{}", state_word(what.state.state))),
            reason: what.state.reason.as_ref().map(|r| page.either(&r.ko, &r.en).to_string()),
            done,
            wrong: None,
            what,
        }
    }
}

#[derive(Template)]
#[template(path = "segments/detail.html")]
struct Detail {
    page: Page,
    title: String,
    frame: Frame,
    parts: Vec<Lazy>,
    /// On the first tab.
    about: Option<About>,
}

struct About {
    description: String,
    /// In words.
    condition: String,
    goal: String,
    treatment: String,
    owner: String,
    tags: Vec<String>,
    share: String,
    /// Of the members so many object to being profiled.
    left_out: u64,
    spark: Option<String>,
    grown: String,
    trend: &'static str,
    revenue: String,
    per_head: String,
    revenue_share: String,
    last_change: Option<Instant>,
}

pub async fn what_of(app: &Arc<App>, page: &Page, kind: DefKind, id: String, class: Option<String>) -> ApiResult<What> {
    let d = app.ask(move |b| b.definition(kind, &id)).await?;
    What::of(page, d.state, class)
}

async fn segment(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    if args.get("tab") == Some("definition") {
        return definition(&app, page, id, &args, None).await;
    }
    let what = what_of(&app, &page, DefKind::Segment, id, None).await?;
    tabbed(&app, page, what, &args).await
}

async fn class(State(app): Shared, page: Page, Path((id, class)): Path<(String, String)>, args: Args) -> ApiResult {
    let what = what_of(&app, &page, DefKind::Partition, id, Some(class)).await?;
    tabbed(&app, page, what, &args).await
}

async fn tabbed(app: &Arc<App>, page: Page, what: What, args: &Args) -> ApiResult {
    let tab = match args.get("tab") {
        Some(t @ ("who" | "overlap" | "quality")) => t.to_string(),
        Some("members") if page.may_see_people() => "members".into(),
        _ => String::new(),
    };
    let lazy = |title: &str, part: &str| Lazy {
        title: page.t(title),
        address: format!("{}/{part}", what.base),
        height: if part == "causes" { "low" } else { "tall" },
    };
    let parts = match tab.as_str() {
        // Of what cannot be told there is no past, no comparison and no member.
        _ if what.needs(&page).is_some() => vec![],
        "who" => vec![lazy("segments-who", "who"), lazy("segments-worth", "worth")],
        "overlap" => vec![lazy("segments-overlap", "overlap")],
        "members" => vec![lazy("segments-members", "members")],
        "quality" => vec![lazy("segments-quality", "quality")],
        _ => vec![lazy("segments-history", "size"), lazy("segments-causes", "causes")],
    };
    let about = if tab.is_empty() {
        let growth = if what.needs(&page).is_none() { app.ask(|b| b.growth()).await.ok() } else { None };
        Some(about(&page, &what, growth))
    } else {
        None
    };
    let title = what.name.clone();
    let frame = Frame::new(page.clone(), what, &tab, Some(args));
    show(&page.clone(), &Detail { page, title, frame, parts, about })
}

fn about(page: &Page, what: &What, growth: Option<crate::data::Growth>) -> About {
    let own = growth.as_ref().and_then(|g| g.of.iter().find(|o| o.id == what.id()));
    let population = growth.as_ref().and_then(|g| g.population.last()).map(|p| p.size);
    let everybody = match &what.class {
        Some(_) => what.state.size,
        None => population,
    };
    let grown = own.and_then(|o| o.sizes.first().zip(what.size)).map(|(a, b)| b as i64 - *a as i64);
    let revenue = own.and_then(|o| o.revenue);
    let all = growth.as_ref().and_then(|g| g.revenue);
    About {
        description: what.description(page),
        condition: what.condition(page),
        goal: what.goal(page),
        treatment: what.treatment(page),
        owner: what.state.owner.clone().unwrap_or_default(),
        tags: what.state.tags.clone(),
        left_out: what.left_out(),
        share: what.size.zip(everybody).map_or("–".into(), |(n, all)| format::share(n, all)),
        spark: own.and_then(|o| spark(&o.sizes)),
        grown: grown.map_or("–".into(), format::signed),
        trend: grown.map_or("quiet", |n| {
            if n > 0 {
                "up"
            } else if n < 0 {
                "down"
            } else {
                "quiet"
            }
        }),
        per_head: revenue
            .zip(what.size.filter(|n| *n > 0))
            .map_or("–".into(), |(r, n)| page.money_short(r / n as f64)),
        revenue: revenue.map_or("–".into(), |r| page.money_short(r)),
        revenue_share: revenue.zip(all).filter(|(_, a)| *a > 0.0).map_or("–".into(), |(r, a)| format::percent(r / a)),
        last_change: what.state.last_change.filter(|t| *t != Instant::ALWAYS),
    }
}

/// Shares of a whole that are shown as a bar: start and width in thousandths.
pub fn shares(sizes: &[u64]) -> Vec<(u64, u64)> {
    let whole: u64 = sizes.iter().sum();
    let mut before = 0;
    let mut out = vec![];
    for n in sizes {
        let place = |n: u64| if whole == 0 { 0 } else { (n as u128 * 1000 / whole as u128) as u64 };
        out.push((place(before), place(before + n) - place(before)));
        before += n;
    }
    out
}

// The definition and its versions

#[derive(Template)]
#[template(path = "segments/definition.html")]
struct Text {
    page: Page,
    title: String,
    frame: Frame,
    id: String,
    yaml: String,
    version: u64,
    warnings: Vec<String>,
    versions: Vec<super::changes::Shown>,
}

async fn definition(app: &Arc<App>, page: Page, id: String, args: &Args, wrong: Option<String>) -> ApiResult {
    let asked = id.clone();
    let (d, versions, audit): (Definition, Vec<Version>, _) = app
        .ask(move |b| {
            let (kind, id) = (DefKind::Segment, &asked);
            Ok((b.definition(kind, id)?, b.versions(kind, id)?, b.audit(None, super::changes::AUDIT)?))
        })
        .await?;
    let versions = super::changes::shown(&id, &versions, &audit, "Segment");
    let what = What::of(&page, d.state.clone(), None)?;
    let mut frame = Frame::new(page.clone(), what, "definition", Some(args));
    frame.wrong = wrong;
    let view = Text {
        title: frame.what.name.clone(),
        id,
        yaml: d.yaml,
        version: d.state.version.into(),
        warnings: d.warnings.iter().map(|w| page.either(&w.ko, &w.en).to_string()).collect(),
        versions,
        frame,
        page: page.clone(),
    };
    show(&page, &view)
}

/// An old text, saved once more.
async fn restore(State(app): Shared, page: Page, Path(id): Path<String>, args: Args, body: Bytes) -> ApiResult {
    let number = |name| field(&body, name).and_then(|v| v.parse::<u32>().ok());
    let (Some(old), now) = (number("version"), number("now")) else {
        return Err(ApiError::bad("bad_form", "되돌릴 판이 없습니다.", "there is no version to go back to."));
    };
    let asked = id.clone();
    let saved = app
        .ask(move |b| {
            let versions = b.versions(DefKind::Segment, &asked)?;
            let found =
                versions.into_iter().find(|v| v.version == old && !v.deleted).ok_or(crate::Refusal::NotFound)?;
            b.put_definition(DefKind::Segment, &asked, &found.yaml, now)
        })
        .await;
    match saved {
        Ok(_) => Ok(go(&page, &format!("/segments/{}?tab=definition&done=restored", encode(&id)))),
        Err(e) => definition(&app, page.clone(), id, &args, Some(errors::sentence(e.message(page.lang)))).await,
    }
}

async fn delete(State(app): Shared, page: Page, Path(id): Path<String>, args: Args) -> ApiResult {
    let asked = id.clone();
    match app.ask(move |b| b.delete_definition(DefKind::Segment, &asked)).await {
        Ok(()) => Ok(go(&page, "/segments")),
        Err(e) => definition(&app, page.clone(), id, &args, Some(errors::sentence(e.message(page.lang)))).await,
    }
}
