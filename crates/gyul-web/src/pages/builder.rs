//! Who should it be? The page on which a segment is built: conditions as cards beside the same conditions as text, with
//! the exact count while somebody edits.

use super::words::FILES;
use super::{Page, show};
use crate::app::App;
use crate::data::DefKind;
use crate::problem::ApiResult;
use crate::table::{Endpoint, PEOPLE, Table};
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::Lang;
use serde_json::json;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/segments/new", "pageSegmentNew", PEOPLE), new);
    table.at(Endpoint::page("/segments/{id}/edit", "pageSegmentEdit", PEOPLE), edit);
}

#[derive(Template)]
#[template(path = "builder/edit.html")]
struct Builder {
    page: Page,
    title: String,
    /// Where leaving without saving leads.
    back: String,
    /// JSON for the scripts.
    data: String,
    words: String,
}

async fn new(page: Page) -> ApiResult {
    let data = json!({ "of": null, "version": 0, "yaml": "", "may_edit": page.may_edit() });
    let title = page.t("builder-title-new");
    build(page, title, "/segments".into(), &data)
}

async fn edit(State(app): Shared, Path(id): Path<String>, page: Page) -> ApiResult {
    let asked = id.clone();
    let d = app.ask(move |b| b.definition(DefKind::Segment, &asked)).await?;
    let data = json!({ "of": id, "version": d.state.version, "yaml": d.yaml, "may_edit": page.may_edit() });
    let title = page.t1("builder-title-edit", "name", page.name(&d.state.name_ko, &d.state.name_en, &id));
    build(page, title, format!("/segments/{}", super::page::encode(&id)), &data)
}

fn build(page: Page, title: String, back: String, data: &serde_json::Value) -> ApiResult {
    let words = words(page.lang);
    show(&page.clone(), &Builder { page, title, back, data: within_html(data), words })
}

/// The words of the condition editor as JSON, for `builder-labels.js`.
pub fn words(lang: Lang) -> String {
    let files = FILES.iter().filter(|(area, ..)| *area == "builder").map(|(_, ko, en)| lang.pick(*ko, *en));
    let lines = files.flat_map(str::lines).filter(|l| l.starts_with("builder-"));
    let pairs = lines.filter_map(|l| l.split_once(" = ")).map(|(name, text)| (name.to_string(), json!(text)));
    within_html(&serde_json::Value::Object(pairs.collect()))
}

/// JSON that ends no script element.
fn within_html(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_every_word_and_no_text_ends_their_element() {
        let ko: serde_json::Value = serde_json::from_str(&words(Lang::Ko)).unwrap();
        let en: serde_json::Value = serde_json::from_str(&words(Lang::En)).unwrap();
        assert!(ko.as_object().unwrap().len() > 150);
        assert_eq!(ko.as_object().unwrap().len(), en.as_object().unwrap().len());
        assert_eq!(ko["builder-say-compare"], "{ $value } { $to } { $sign }");
        let hostile = within_html(&json!({ "yaml": "</script><script>alert(1)" }));
        assert!(!hostile.contains('<'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&hostile).unwrap()["yaml"], "</script><script>alert(1)");
    }
}
