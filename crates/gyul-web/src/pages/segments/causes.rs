//! Why did they come and go lately: by what they did, as time passed, as ranks moved, …

use crate::app::App;
use crate::data::CAUSES;
use crate::data::explore::Span;
use crate::pages::{Page, show};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Instant, MICROS_DAY};
use std::sync::Arc;

type Shared = State<Arc<App>>;

const DAYS: i64 = 30;

pub fn add(table: &mut Table) {
    table.at(
        Endpoint::page("/segments/{id}/causes", "partSegmentCauses", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>| causes(s, p, id),
    );
    table.at(
        Endpoint::page("/partitions/{id}/classes/{class}/causes", "partClassCauses", NUMBERS),
        |s: Shared, p: Page, Path((id, class)): Path<(String, String)>| causes(s, p, format!("{id}/{class}")),
    );
}

struct Line {
    cause: String,
    entered: u64,
    left: u64,
}

#[derive(Template)]
#[template(path = "segments/causes.html")]
struct Part {
    page: Page,
    lines: Vec<Line>,
}

/// Summed over the last month, the most frequent first.
async fn causes(State(app): Shared, page: Page, of: String) -> ApiResult {
    let span = Span { after: Instant(page.now.0 - DAYS * MICROS_DAY), until: page.now };
    let found = app.ask(move |b| b.causes(Some(&of), span)).await?;
    let mut lines: Vec<Line> = vec![];
    for cause in CAUSES {
        let days = found.days.iter().filter(|d| d.cause == cause);
        let (entered, left) = days.fold((0, 0), |(i, o), d| (i + d.entered, o + d.left));
        if entered + left > 0 {
            lines.push(Line { cause: page.t(&format!("start-cause-{cause}")), entered, left });
        }
    }
    lines.sort_by_key(|l| std::cmp::Reverse(l.entered + l.left));
    show(&page.clone(), &Part { page, lines })
}
