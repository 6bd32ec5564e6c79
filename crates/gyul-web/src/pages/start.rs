//! What is happening now? The page behind the name.

use super::{Page, show};
use crate::app::App;
use crate::data::{DefKind, DefState};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::State;
use std::sync::Arc;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/", "pageStart", NUMBERS), start);
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    page: Page,
    title: String,
    segments: Vec<DefState>,
}

async fn start(State(app): State<Arc<App>>, page: Page) -> ApiResult {
    let segments = app.ask(|b| b.definitions(DefKind::Segment)).await?;
    let title = page.t("start-title");
    show(&page.clone(), &Start { page, title, segments })
}
