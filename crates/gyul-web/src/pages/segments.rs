//! Which segments are there, how large, worth what, and are they well? One list of segments and classes.

mod causes;
pub mod changes;
mod detail;
#[cfg(test)]
#[path = "segments/tests.rs"]
mod page_tests;
pub mod part;
mod quality;
mod who;

use super::page::encode;
use super::{Page, format, show};
use crate::app::App;
use crate::args::Args;
use crate::data::{ComputeState, DefKind, DefState, Growth, GrowthOf};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::State;
use gyul_model::Instant;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

pub use detail::shares;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/segments", "pageSegments", NUMBERS), list);
    causes::add(table);
    detail::add(table);
    part::add(table);
    quality::add(table);
    who::add(table);
}

/// A segment, or a class of a partition.
#[derive(Clone, Default)]
pub struct Line {
    pub address: String,
    pub id: String,
    pub name: String,
    /// The partition's name, for a class.
    pub of: Option<String>,
    pub goal: String,
    pub owner: String,
    pub tags: Vec<String>,
    /// What the data lacks to tell who is in.
    pub needs: String,
    pub size: Option<u64>,
    pub share: Option<f64>,
    pub spark: Option<String>,
    /// Since 90 days ago.
    pub grown: Option<i64>,
    pub revenue: Option<f64>,
    pub state: String,
    pub state_name: String,
    pub reason: Option<String>,
    pub lag_seconds: u64,
    pub last_change: Option<Instant>,
}

impl Line {
    pub fn signed(&self) -> String {
        self.grown.map_or("–".into(), format::signed)
    }

    pub fn percent(&self) -> String {
        self.share.map_or("–".into(), format::percent)
    }

    pub fn money(&self, page: &Page) -> String {
        self.revenue.map_or("–".into(), |r| page.money_short(r))
    }

    /// Which way it went.
    pub fn trend(&self) -> &'static str {
        match self.grown {
            Some(n) if n > 0 => "up",
            Some(n) if n < 0 => "down",
            _ => "quiet",
        }
    }
}

pub fn state_word(state: ComputeState) -> &'static str {
    match state {
        ComputeState::Computing => "computing",
        ComputeState::Live => "live",
        ComputeState::Failed => "failed",
    }
}

/// All of them, in the order of the definitions.
pub fn lines(page: &Page, segments: &[DefState], partitions: &[DefState], growth: Option<&Growth>) -> Vec<Line> {
    let population = growth.and_then(|g| g.population.last()).map(|p| p.size);
    let all = partitions.iter().filter_map(|p| p.size).max();
    let everybody = all.or(population).unwrap_or(0);
    let grown = |id: &str| growth.and_then(|g| g.of.iter().find(|o| o.id == id));
    let pick = |ko: &Option<String>, en: &Option<String>| {
        page.either(ko.as_deref().unwrap_or_default(), en.as_deref().unwrap_or_default()).to_string()
    };
    let mut out = vec![];
    for d in segments {
        out.push(Line {
            address: format!("/segments/{}", encode(&d.id)),
            id: d.id.clone(),
            name: page.name(&d.name_ko, &d.name_en, &d.id),
            goal: pick(&d.goal_ko, &d.goal_en),
            ..told(page, line_of(page, d), (&d.needs_ko, &d.needs_en), d.size, grown(&d.id), everybody)
        });
    }
    for p in partitions {
        for c in &p.classes {
            let id = format!("{}/{}", p.id, c.class);
            out.push(Line {
                address: format!("/partitions/{}/classes/{}", encode(&p.id), encode(&c.class)),
                name: page.name(&c.name_ko, &c.name_en, &c.class),
                of: Some(page.name(&p.name_ko, &p.name_en, &p.id)),
                goal: pick(&c.goal_ko, &c.goal_en),
                ..told(
                    page,
                    line_of(page, p),
                    (&c.needs_ko, &c.needs_en),
                    p.size.map(|_| c.size),
                    grown(&id),
                    everybody,
                )
            });
            if let Some(line) = out.last_mut() {
                line.id = id;
            }
        }
    }
    out
}

fn line_of(page: &Page, d: &DefState) -> Line {
    Line {
        owner: d.owner.clone().unwrap_or_default(),
        tags: d.tags.clone(),
        state: state_word(d.state).into(),
        state_name: page.t(&format!("segments-state-{}", state_word(d.state))),
        reason: d.reason.as_ref().map(|r| page.either(&r.ko, &r.en).to_string()),
        lag_seconds: d.lag_ms.unwrap_or(0) / 1000,
        last_change: d.last_change.filter(|t| *t != Instant::ALWAYS),
        ..Line::default()
    }
}

/// With its numbers, or with what is missing to have some.
fn told(
    page: &Page,
    line: Line,
    (ko, en): (&Option<String>, &Option<String>),
    size: Option<u64>,
    grown: Option<&GrowthOf>,
    everybody: u64,
) -> Line {
    match (ko, en) {
        (Some(ko), Some(en)) => Line { needs: page.either(ko, en).to_string(), ..line },
        _ => Line { size, ..with_growth(line, size, grown, everybody) },
    }
}

fn with_growth(mut line: Line, size: Option<u64>, grown: Option<&GrowthOf>, everybody: u64) -> Line {
    line.share = size.filter(|_| everybody > 0).map(|n| n as f64 / everybody as f64);
    if let Some(g) = grown {
        line.spark = spark(&g.sizes);
        // Growth may be an hour old; what is shown beside it is of now.
        line.grown = g.sizes.first().zip(size.or(g.sizes.last().copied())).map(|(a, b)| b as i64 - *a as i64);
        line.revenue = g.revenue;
    }
    line
}

/// Points of a line in a box of 100 by 24; nothing without two sizes.
pub fn spark(sizes: &[u64]) -> Option<String> {
    let (low, high) = (*sizes.iter().min()?, *sizes.iter().max()?);
    if sizes.len() < 2 {
        return None;
    }
    // A step of one customer in a thousand is no mountain: the box is at least a twentieth of the size high.
    let (span, middle) = ((high - low).max(high.div_ceil(20)).max(1) as f64, (high + low) as f64 / 2.0);
    let y = |n: u64| 12.0 - 20.0 * (n as f64 - middle) / span;
    let step = 100.0 / (sizes.len() - 1) as f64;
    let points = sizes.iter().enumerate().map(|(i, n)| format!("{:.1},{:.1}", i as f64 * step, y(*n)));
    Some(points.collect::<Vec<_>>().join(" "))
}

/// What the list shows, as the query says.
#[derive(Clone, Debug, Default, PartialEq)]
struct Choice {
    q: String,
    tag: String,
    kind: String,
    state: String,
    sort: String,
    up: bool,
}

const SORTS: [&str; 5] = ["name", "size", "grown", "revenue", "changed"];

impl Choice {
    fn of(args: &Args) -> Choice {
        let text = |name| args.get(name).unwrap_or_default().chars().take(100).collect::<String>();
        let sort = args.get("sort").filter(|s| SORTS.contains(s)).unwrap_or("size").to_string();
        let up = match args.get("dir") {
            Some("up") => true,
            Some(_) => false,
            None => sort == "name",
        };
        Choice { q: text("q"), tag: text("tag"), kind: text("kind"), state: text("state"), sort, up }
    }

    /// Segments were made for something; classes have pages of their own, and stand here where they are asked for.
    fn is_kind(&self, line: &Line) -> bool {
        match self.kind.as_str() {
            "all" => true,
            "class" => line.of.is_some(),
            _ => line.of.is_none(),
        }
    }

    fn fits(&self, line: &Line) -> bool {
        let q = self.q.trim().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&q);
        let found = q.is_empty()
            || has(&line.name)
            || has(&line.id)
            || has(&line.goal)
            || has(&line.owner)
            || line.of.as_deref().is_some_and(has)
            || line.tags.iter().any(|t| has(t));
        found
            && self.is_kind(line)
            && (self.tag.is_empty() || line.tags.contains(&self.tag))
            && (self.state.is_empty() || line.state == self.state)
    }

    /// What is not known comes last, whichever way.
    fn compare(&self, a: &Line, b: &Line) -> Ordering {
        fn known<T: PartialOrd>(a: Option<T>, b: Option<T>, up: bool) -> Ordering {
            match (a, b) {
                (Some(a), Some(b)) => {
                    let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
                    if up { order } else { order.reverse() }
                }
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        }
        let order = match self.sort.as_str() {
            "name" => known(Some(a.name.to_lowercase()), Some(b.name.to_lowercase()), self.up),
            "grown" => known(a.grown, b.grown, self.up),
            "revenue" => known(a.revenue, b.revenue, self.up),
            "changed" => known(a.last_change, b.last_change, self.up),
            _ => known(a.size, b.size, self.up),
        };
        order.then_with(|| a.id.cmp(&b.id))
    }

    /// The address of the list with another order.
    fn address(&self, sort: &str, up: bool) -> String {
        let mut out = String::from("/segments?");
        for (name, value) in [("q", &self.q), ("tag", &self.tag), ("kind", &self.kind), ("state", &self.state)] {
            if !value.is_empty() {
                out += &format!("{name}={}&", encode(value));
            }
        }
        format!("{out}sort={sort}&dir={}", if up { "up" } else { "down" })
    }
}

/// The head of a column that can be sorted by.
struct Column {
    name: String,
    to: String,
    /// `ascending`, `descending`, or nothing.
    sorted: &'static str,
    numeric: bool,
}

#[derive(Template)]
#[template(path = "segments/list.html")]
struct List {
    page: Page,
    title: String,
    choice: Choice,
    /// Name, and whether it is chosen.
    tags: Vec<(String, bool)>,
    /// Code, name, and whether it is chosen.
    states: Vec<(&'static str, String, bool)>,
    rows: Rows,
}

/// The part of it that a search replaces.
#[derive(Template)]
#[template(path = "segments/rows.html")]
struct Rows {
    page: Page,
    here: String,
    choice: Choice,
    columns: Vec<Column>,
    lines: Vec<Line>,
    /// Of all of the chosen kind.
    total: usize,
    /// Classes that would fit too, and the address that shows them.
    more: usize,
    with_more: String,
    /// Growth and revenue are being worked out.
    waiting: bool,
}

async fn list(State(app): State<Arc<App>>, page: Page, args: Args) -> ApiResult {
    let (segments, partitions, growth) =
        app.ask(|b| Ok((b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?, b.growth()))).await?;
    let waiting = matches!(growth, Err(crate::Refusal::Computing(_)));
    let all = lines(&page, &segments, &partitions, growth.ok().as_ref());
    let choice = Choice::of(&args);
    let total = all.iter().filter(|l| choice.is_kind(l)).count();
    let both = Choice { kind: "all".into(), ..choice.clone() };
    let more = if choice.kind.is_empty() { all.iter().filter(|l| l.of.is_some() && both.fits(l)).count() } else { 0 };
    let tags: BTreeSet<String> = all.iter().flat_map(|l| l.tags.iter().cloned()).collect();
    let mut shown: Vec<Line> = all.into_iter().filter(|l| choice.fits(l)).collect();
    shown.sort_by(|a, b| choice.compare(a, b));
    let columns = SORTS.iter().map(|sort| {
        let current = *sort == choice.sort;
        let sorted = match (current, choice.up) {
            (true, true) => "ascending",
            (true, false) => "descending",
            _ => "",
        };
        // Names begin with A, numbers with the largest.
        let up = if current { !choice.up } else { *sort == "name" };
        Column {
            name: page.t(&format!("segments-by-{sort}")),
            to: choice.address(sort, up),
            sorted,
            numeric: ["size", "revenue"].contains(sort),
        }
    });
    let rows = Rows {
        here: choice.address(&choice.sort, choice.up),
        columns: columns.collect(),
        choice: choice.clone(),
        lines: shown,
        total,
        more,
        with_more: both.address(&both.sort, both.up),
        waiting,
        page: page.clone(),
    };
    if page.partial {
        return show(&page, &rows);
    }
    let title = page.t("segments-title");
    let states = ["live", "computing", "failed"]
        .map(|s| (s, page.t(&format!("segments-state-{s}")), s == choice.state))
        .to_vec();
    let tags = tags.into_iter().map(|t| (t.clone(), t == choice.tag)).collect();
    show(&page.clone(), &List { page, title, choice, tags, states, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, size: Option<u64>, tags: &[&str]) -> Line {
        let tags = tags.iter().map(|t| t.to_string()).collect();
        Line { id: id.into(), name: id.to_uppercase(), size, tags, state: "live".into(), ..Line::default() }
    }

    #[test]
    fn what_is_unknown_comes_last_whichever_way() {
        let mut lines = [line("a", None, &[]), line("b", Some(1), &[]), line("c", Some(2), &[])];
        for (up, order) in [(true, ["b", "c", "a"]), (false, ["c", "b", "a"])] {
            let choice = Choice { sort: "size".into(), up, ..Choice::default() };
            lines.sort_by(|x, y| choice.compare(x, y));
            assert_eq!(lines.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(), order);
        }
    }

    #[test]
    fn a_search_looks_at_names_goals_owners_and_tags() {
        let mut found = line("vip", Some(1), &["keep"]);
        (found.goal, found.owner) = ("지키기".into(), "Kim".into());
        for q in ["VI", "keep", "지키", "kim", " vip "] {
            assert!(Choice { q: q.into(), ..Choice::default() }.fits(&found), "{q}");
        }
        assert!(!Choice { q: "new".into(), ..Choice::default() }.fits(&found));
        assert!(!Choice { tag: "kee".into(), ..Choice::default() }.fits(&found));
        assert!(!Choice { kind: "class".into(), ..Choice::default() }.fits(&found));
        found.of = Some("RFM".into());
        assert!(!Choice::default().fits(&found), "a class is not among segments");
        assert!(Choice { kind: "all".into(), ..Choice::default() }.fits(&found));
    }

    #[test]
    fn a_spark_stays_within_its_box() {
        assert_eq!(spark(&[5]), None);
        assert_eq!(spark(&[5, 5]).unwrap(), "0.0,12.0 100.0,12.0");
        assert_eq!(spark(&[0, 0]).unwrap(), "0.0,12.0 100.0,12.0");
        assert_eq!(spark(&[0, 10, 5]).unwrap(), "0.0,22.0 50.0,2.0 100.0,12.0");
        assert_eq!(spark(&[1000, 1010]).unwrap(), "0.0,14.0 100.0,10.0", "a hundredth more is a gentle slope");
    }
}
