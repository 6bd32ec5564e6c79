//! The editor of a partition: classes in order, conditions with thresholds, and how many would move. A plain form that
//! the server answers to; scripts only make it quicker.

use super::super::chart::COLOURS;
use super::super::page::encode;
use super::super::{Page, errors, fields, format, go, show};
use super::Shared;
use crate::app::App;
use crate::data::{
    Blank, ClassForm, ClassProblem, ClassSize, ConditionShown, DefKind, Moves, PartitionAsk, PartitionForm,
    PartitionShown,
};
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, Table};
use askama::Template;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// More classes than this nobody can read in a chart.
const CLASSES_MAX: usize = 40;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/partitions/new", "pageNewPartition", EDIT), begin);
    table.at(Endpoint::form("/partitions/new", "putPartition", EDIT), posted_new);
    table.at(Endpoint::form("/partitions/new/preview", "partNewPartition", EDIT).audited(false), preview_new);
    table.at(Endpoint::page("/partitions/{id}/edit", "pageEditPartition", EDIT), open);
    table.at(Endpoint::form("/partitions/{id}/edit", "putPartition", EDIT), posted);
    table.at(Endpoint::form("/partitions/{id}/preview", "partEditPartition", EDIT).audited(false), preview);
}

/// A class in the form.
struct Row {
    number: usize,
    form: ClassForm,
    problems: Vec<String>,
    says: String,
    first: bool,
    last: bool,
}

/// What moves: a line of words for each way.
struct Way {
    count: u64,
    sentence: String,
}

/// A class before and after.
struct Change {
    name: String,
    before: Option<u64>,
    after: u64,
    share: String,
    grown: String,
    trend: &'static str,
    start: u64,
    width: u64,
    colour: usize,
}

#[derive(Template)]
#[template(path = "partitions/preview.html")]
struct Preview {
    page: Page,
    problems: Vec<String>,
    changes: Vec<Change>,
    ways: Vec<Way>,
    moved: u64,
    population: u64,
    new: bool,
    /// For the sentence that is read out.
    says: String,
    /// What is wrong with each class, put beside it.
    whys: Vec<(usize, Vec<String>)>,
    /// For the script: each condition's sentence, and the words around its numbers.
    conditions: String,
}

#[derive(Template)]
#[template(path = "partitions/edit.html")]
struct Edit {
    page: Page,
    title: String,
    /// Where the form goes.
    base: String,
    /// Where it came from.
    back: String,
    new: bool,
    yaml: String,
    version: u64,
    form: PartitionForm,
    rows: Vec<Row>,
    /// The file has a shape that only its text can show.
    text_only: bool,
    wrong: Option<String>,
    conflict: bool,
    preview: Preview,
    /// Of the cards, as JSON.
    words: String,
}

/// What a form said.
#[derive(Default)]
struct Said {
    yaml: String,
    version: Option<u32>,
    form: PartitionForm,
    /// `up:2`, `down:0`, `remove:1`, `add`, `save`, `text`.
    action: String,
    text: bool,
}

fn said(body: &[u8]) -> Said {
    let mut out = Said::default();
    let mut classes: Vec<(usize, ClassForm)> = vec![];
    for (name, value) in fields(body) {
        let f = &mut out.form;
        match name.as_str() {
            "yaml" => out.yaml = value.replace("\r\n", "\n"),
            "version" => out.version = value.parse().ok(),
            "do" => out.action = value,
            "text" => out.text = true,
            "id" => f.id = value,
            "name_ko" => f.name_ko = value,
            "name_en" => f.name_en = value,
            "goal_ko" => f.goal_ko = value,
            "goal_en" => f.goal_en = value,
            other => {
                let Some((place, key)) = other.strip_prefix("c.").and_then(|rest| rest.split_once('.')) else {
                    continue;
                };
                let class = if place == "other" {
                    &mut f.otherwise
                } else {
                    let Some(n) = place.parse::<usize>().ok().filter(|n| *n < CLASSES_MAX) else { continue };
                    let at = classes.iter().position(|(i, _)| *i == n).unwrap_or_else(|| {
                        classes.push((n, ClassForm::default()));
                        classes.len() - 1
                    });
                    &mut classes[at].1
                };
                match key {
                    "id" => class.id = value,
                    "was" => class.was = value,
                    "name_ko" => class.name_ko = value,
                    "name_en" => class.name_en = value,
                    "goal_ko" => class.goal_ko = value,
                    "goal_en" => class.goal_en = value,
                    "when" => class.when = value,
                    _ => {}
                }
            }
        }
    }
    classes.sort_by_key(|(n, _)| *n);
    out.form.classes = classes.into_iter().map(|(_, c)| c).collect();
    out
}

/// What a button does to the classes; whether it was one of these.
fn arranged(form: &mut PartitionForm, action: &str) -> bool {
    let count = form.classes.len();
    let (verb, number) = action.split_once(':').unwrap_or((action, ""));
    let number = number.parse::<usize>().ok().filter(|n| *n < count);
    match (verb, number) {
        ("up", Some(n)) if n > 0 => form.classes.swap(n, n - 1),
        ("down", Some(n)) if n + 1 < count => form.classes.swap(n, n + 1),
        ("remove", Some(n)) => drop(form.classes.remove(n)),
        ("add", _) if count < CLASSES_MAX => {
            let taken = |id: &String| form.classes.iter().any(|c| c.id == *id);
            let id = (1..).map(|n| format!("class_{n}")).find(|id| !taken(id)).unwrap_or_default();
            form.classes.push(ClassForm { id, ..ClassForm::default() });
        }
        ("up" | "down" | "remove" | "add", _) => {}
        _ => return false,
    }
    true
}

/// What is begun with: two steps that every shop has.
fn blank(page: &Page) -> PartitionForm {
    let class = |id: &str, ko: &str, en: &str, when: &str| ClassForm {
        id: id.into(),
        name_ko: ko.into(),
        name_en: en.into(),
        when: when.into(),
        ..ClassForm::default()
    };
    let _ = page;
    PartitionForm {
        id: String::new(),
        classes: vec![
            class("recent", "최근 구매", "Bought lately", "since(order) <= 90d"),
            class("lapsed", "뜸한 고객", "Lapsed", "count(order) >= 1"),
        ],
        otherwise: class("none", "구매 없음", "Never bought", ""),
        ..PartitionForm::default()
    }
}

async fn begin(State(app): Shared, page: Page) -> ApiResult {
    let form = blank(&page);
    edited(&app, page, None, Said { form, ..Said::default() }, None).await
}

async fn open(State(app): Shared, page: Page, Path(id): Path<String>) -> ApiResult {
    let asked = id.clone();
    let d = app.ask(move |b| b.definition(DefKind::Partition, &asked)).await?;
    let said = Said { yaml: d.yaml, version: Some(d.state.version), text: true, ..Said::default() };
    edited(&app, page, Some(id), said, None).await
}

async fn posted_new(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    answered(&app, page, None, said(&body)).await
}

async fn posted(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    answered(&app, page, Some(id), said(&body)).await
}

async fn answered(app: &Arc<App>, page: Page, of: Option<String>, mut s: Said) -> ApiResult {
    let action = s.action.clone();
    if arranged(&mut s.form, &action) || action != "save" {
        return edited(app, page, of, s, None).await;
    }
    let ask = asked(&s, of.clone(), false);
    let drafted = app.ask(move |b| b.partition_draft(&ask)).await;
    let shown = match drafted {
        Ok(shown) => shown,
        Err(e) => return edited(app, page, of, s, Some(e)).await,
    };
    let id = shown.form.as_ref().map(|f| f.id.clone()).filter(|id| !id.is_empty()).or(of.clone());
    let id = id.unwrap_or_default();
    let taken = shown.problems.iter().any(|p| p.problem.code == "id_taken");
    if id.is_empty() || taken || of.as_ref().is_some_and(|of| *of != id) {
        return edited(app, page, of, s, None).await;
    }
    let (yaml, version, to) = (shown.yaml, s.version, id.clone());
    match app.ask(move |b| b.put_definition(DefKind::Partition, &to, &yaml, version)).await {
        Ok(_) => Ok(go(&page, &format!("/partitions/{}?done=saved", encode(&id)))),
        Err(e) => edited(app, page, of, s, Some(e)).await,
    }
}

async fn preview_new(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    previewed(&app, page, None, said(&body)).await
}

async fn preview(State(app): Shared, page: Page, Path(id): Path<String>, body: Bytes) -> ApiResult {
    previewed(&app, page, Some(id), said(&body)).await
}

async fn previewed(app: &Arc<App>, page: Page, of: Option<String>, s: Said) -> ApiResult {
    let ask = asked(&s, of.clone(), true);
    let count = s.form.classes.len();
    let view = match app.ask(move |b| b.partition_draft(&ask)).await {
        Ok(shown) => {
            let of_class = |i: usize| shown.problems.iter().filter(move |p| p.class == Some(i as u32));
            let whys = (0..count).map(|i| (i, words_of(&page, of_class(i)))).collect();
            Preview { whys, ..preview_of(&page, of.is_none(), &shown) }
        }
        Err(e) => Preview { problems: vec![errors::sentence(e.message(page.lang))], ..nothing(&page, of.is_none()) },
    };
    show(&page, &view)
}

fn asked(s: &Said, of: Option<String>, count: bool) -> PartitionAsk {
    PartitionAsk { yaml: s.yaml.clone(), form: (!s.text).then(|| s.form.clone()), of, count }
}

/// The editor with what was said in it.
async fn edited(app: &Arc<App>, page: Page, of: Option<String>, s: Said, error: Option<Box<ApiError>>) -> ApiResult {
    // Scripts ask for the count when the page is there.
    let ask = asked(&s, of.clone(), s.action == "count");
    let new = of.is_none();
    let drafted = app.ask(move |b| b.partition_draft(&ask)).await;
    let (shown, unread) = match drafted {
        Ok(shown) => (shown, None),
        Err(e) => (PartitionShown { yaml: s.yaml.clone(), ..PartitionShown::default() }, Some(e)),
    };
    let text_only = s.text && shown.form.is_none();
    let form = if s.text { shown.form.clone().unwrap_or_default() } else { s.form };
    let count = form.classes.len();
    let rows = form.classes.iter().enumerate().map(|(i, c)| Row {
        number: i,
        form: c.clone(),
        problems: words_of(&page, shown.problems.iter().filter(|p| p.class == Some(i as u32))),
        says: shown.conditions.get(i).map_or(String::new(), |c| page.sentence(&c.says_ko, &c.says_en, None)),
        first: i == 0,
        last: i + 1 == count,
    });
    let conflict = error.as_ref().is_some_and(|e| e.status.as_u16() == 409);
    let wrong = error.or(unread).map(|e| errors::sentence(e.message(page.lang)));
    let base = of.as_ref().map_or("/partitions/new".to_string(), |id| format!("/partitions/{}", encode(id)));
    let name = page.either(&form.name_ko, &form.name_en).to_string();
    let title = match (&of, name.is_empty()) {
        (None, _) => page.t("partitions-new"),
        (Some(id), true) => page.t1("partitions-edit-title", "name", id),
        (Some(_), false) => page.t1("partitions-edit-title", "name", name),
    };
    let view = Edit {
        title,
        back: if new { "/partitions".into() } else { base.clone() },
        base,
        new,
        // The text that the fields are put into stays the one that was opened.
        yaml: s.yaml,
        version: s.version.map_or(0, u64::from),
        rows: rows.collect(),
        preview: preview_of(&page, new, &shown),
        form,
        text_only,
        wrong,
        conflict,
        words: super::super::builder::words(page.lang),
        page: page.clone(),
    };
    show(&page, &view)
}

fn words_of<'a>(page: &Page, problems: impl Iterator<Item = &'a ClassProblem>) -> Vec<String> {
    let one = |p: &ClassProblem| {
        let (text, hint) = (page.either(&p.problem.ko, &p.problem.en), &p.problem);
        let hint =
            page.either(hint.hint_ko.as_deref().unwrap_or_default(), hint.hint_en.as_deref().unwrap_or_default());
        errors::sentence(format!("{text} {hint}").trim())
    };
    problems.map(one).collect()
}

fn nothing(page: &Page, new: bool) -> Preview {
    Preview {
        page: page.clone(),
        problems: vec![],
        changes: vec![],
        ways: vec![],
        moved: 0,
        population: 0,
        new,
        says: String::new(),
        whys: vec![],
        conditions: String::new(),
    }
}

fn conditions(page: &Page, shown: &PartitionShown) -> String {
    let blank = |b: &Blank| {
        let (before, after) = page.lang.pick((&b.before_ko, &b.after_ko), (&b.before_en, &b.after_en));
        json!({ "at": b.at, "before": before, "after": after })
    };
    let one = |c: &ConditionShown| {
        let blanks: Vec<Value> = c.blanks.iter().map(blank).collect();
        json!({ "when": c.when, "says": page.sentence(&c.says_ko, &c.says_en, None), "blanks": blanks })
    };
    Value::from_iter(shown.conditions.iter().map(one)).to_string()
}

/// Ways that are named one by one.
const WAYS: usize = 12;

fn preview_of(page: &Page, new: bool, shown: &PartitionShown) -> Preview {
    let mut out = nothing(page, new);
    out.problems = words_of(page, shown.problems.iter().filter(|p| p.class.is_none()));
    out.conditions = conditions(page, shown);
    let waiting = shown.problems.iter().any(|p| p.class.is_some());
    let Some(m) = &shown.moves else {
        if waiting {
            out.says = page.t("partitions-preview-mend");
        }
        return out;
    };
    let name = |c: &ClassSize| page.name(&c.name_ko, &c.name_en, &c.class);
    let sizes: Vec<u64> = m.after.iter().map(|c| c.size).collect();
    for (i, (c, (start, width))) in m.after.iter().zip(super::shares(&sizes)).enumerate() {
        let before = m.before.iter().find(|b| b.class == c.class).map(|b| b.size);
        let grown = before.map(|b| c.size as i64 - b as i64);
        out.changes.push(Change {
            name: name(c),
            before,
            after: c.size,
            share: format::share(c.size, m.population),
            grown: grown.filter(|n| *n != 0).map_or(String::new(), format::signed),
            trend: grown.map_or("", |n| if n > 0 { "up" } else { "down" }),
            start,
            width,
            colour: i % COLOURS,
        });
    }
    out.ways = ways(page, m, name);
    (out.moved, out.population) = (m.moved, m.population);
    out.says = match (new, m.moved) {
        (true, _) => page.t1("partitions-preview-new", "n", m.population),
        (false, 0) => page.t("partitions-preview-same"),
        (false, n) => {
            let share = format::share(n, m.population);
            page.t2("partitions-preview-moves", "n", n, "share", share)
        }
    };
    out
}

fn ways(page: &Page, m: &Moves, name: impl Fn(&ClassSize) -> String) -> Vec<Way> {
    let mut out = vec![];
    for (b, row) in m.before.iter().zip(&m.counts) {
        for (a, &count) in m.after.iter().zip(row).filter(|(a, n)| a.class != b.class && **n > 0) {
            let to = if page.is_ko() { format::whither(&name(a)) } else { name(a) };
            let parts = [("n", count.into()), ("from", name(b).into()), ("to", to.into())];
            out.push(Way { count, sentence: page.tn("partitions-way", &parts) });
        }
    }
    out.sort_by_key(|w| std::cmp::Reverse(w.count));
    out.truncate(WAYS);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_in_the_order_of_its_numbers() {
        let body = b"yaml=a%0D%0Ab&version=3&id=steps&c.1.id=two&c.1.when=x+%3E+1&c.0.id=one&c.0.was=uno&c.other.id=rest&c.x.id=no&c.99.id=no&do=up%3A1";
        let s = said(body);
        assert_eq!((s.yaml.as_str(), s.version, s.action.as_str()), ("a\nb", Some(3), "up:1"));
        let ids: Vec<&str> = s.form.classes.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(
            (ids, s.form.classes[1].when.as_str(), s.form.otherwise.id.as_str()),
            (vec!["one", "two"], "x > 1", "rest")
        );
        assert_eq!(s.form.classes[0].was, "uno");
    }

    #[test]
    fn buttons_arrange_the_classes_and_never_go_beyond_them() {
        let mut form = said(b"c.0.id=a&c.1.id=b&c.2.id=c").form;
        let ids = |f: &PartitionForm| f.classes.iter().map(|c| c.id.clone()).collect::<Vec<_>>().join("");
        for (action, order) in
            [("up:1", "bac"), ("down:1", "bca"), ("up:0", "bca"), ("down:2", "bca"), ("remove:0", "ca"), ("up:9", "ca")]
        {
            assert!(arranged(&mut form, action));
            assert_eq!(ids(&form), order, "{action}");
        }
        assert!(arranged(&mut form, "add") && ids(&form) == "caclass_1");
        assert!(!arranged(&mut form, "save"));
    }
}
