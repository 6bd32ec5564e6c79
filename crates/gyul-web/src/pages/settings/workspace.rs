//! The workspace and oneself.

use super::identity::Rules;
use super::{Frame, as_body, field, go, role_name, show};
use crate::api::{admin, session};
use crate::app::App;
use crate::args::Args;
use crate::guard::{Caller, Ip};
use crate::pages::Page;
use crate::problem::ApiResult;
use crate::table::{ANYBODY, Endpoint, OWNER, Table};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use bytes::Bytes;
use gyul_model::{Date, Duration, MICROS_DAY};
use serde_json::json;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/settings", "pageSettings", ANYBODY), workspace);
    table.at(Endpoint::form("/settings", "putSettings", OWNER), put_workspace);
    table.at(Endpoint::form("/settings/password", "changePassword", ANYBODY), password);
}

#[derive(Template)]
#[template(path = "settings/workspace.html")]
struct Workspace {
    page: Page,
    title: String,
    frame: Frame,
    zones: Vec<String>,
    currencies: &'static [&'static str],
    looks: Vec<Look>,
    /// The first day that is looked at, where one was chosen.
    first_day: String,
    /// For whoever may change them.
    rules: Option<Rules>,
    role: String,
    is_user: bool,
}

/// How far back to look: what the form sends, in words, whether it is so now.
struct Look {
    value: String,
    name: String,
    now: bool,
}

/// What stands before a date that was chosen.
const FROM: &str = "ignore events before ";

/// Years that are offered; whatever else is set stays to be chosen.
const YEARS: [u32; 4] = [1, 2, 3, 5];

/// Those that shops of our users mostly have; any other can be set by the API.
const CURRENCIES: &[&str] =
    &["KRW", "USD", "EUR", "GBP", "JPY", "CNY", "TWD", "HKD", "SGD", "VND", "THB", "AUD", "CAD"];

async fn show_workspace(app: &Arc<App>, frame: Frame) -> ApiResult {
    let rules = match frame.page.is_owner() {
        true => Some(Rules::of(&frame.page, app.ask(|b| b.identity_rules()).await?)),
        false => None,
    };
    let mut zones: Vec<String> = jiff::tz::db().available().map(|n| n.as_str().to_string()).collect();
    zones.retain(|z| z.contains('/') && !z.starts_with("Etc/"));
    let role = frame.page.caller.as_ref().map(|c| role_name(&frame.page, c.role)).unwrap_or_default();
    let is_user = frame.page.caller.as_ref().is_some_and(|c| c.session.is_some());
    let (page, title) = (frame.page.clone(), frame.page.t("settings-title"));
    let (looks, first_day) = looks(&page);
    let currencies = CURRENCIES;
    show(
        &frame.page.clone(),
        &Workspace { page, title, frame, zones, currencies, looks, first_day, rules, role, is_user },
    )
}

/// The choices, and the day of the last one.
fn looks(page: &Page) -> (Vec<Look>, String) {
    let set = page.settings.retention.as_deref().unwrap_or_default();
    // A moment within a day is not offered, and kept as it is.
    let day = set.strip_prefix(FROM).map(str::trim).filter(|d| Date::parse(d).is_some());
    let mut values = vec![String::new()];
    values.extend(YEARS.map(|n| format!("keep {n}y")));
    if day.is_none() && !values.iter().any(|v| v == set) {
        values.push(set.to_string());
    }
    let look = |value: String| Look { name: in_words(page, &value), now: day.is_none() && value == set, value };
    let mut looks: Vec<Look> = values.into_iter().map(look).collect();
    let name = page.t("settings-retention-from");
    looks.push(Look { value: FROM.trim().into(), name, now: day.is_some() });
    (looks, day.unwrap_or_default().to_string())
}

/// How far back this looks, as it would be said.
fn in_words(page: &Page, value: &str) -> String {
    let (name, n) = match value.strip_prefix("keep ").and_then(|d| Duration::parse(d.trim())) {
        _ if value.is_empty() => return page.t("settings-retention-all"),
        Some(Duration::Exact(us)) if us % MICROS_DAY == 0 => ("settings-retention-days", us / MICROS_DAY),
        Some(Duration::Months(m)) if m % 12 == 0 => ("settings-retention-years", i64::from(m / 12)),
        Some(Duration::Months(m)) => ("settings-retention-months", m.into()),
        _ => return value.to_string(),
    };
    page.t1(name, "n", n.unsigned_abs())
}

async fn workspace(State(app): Shared, page: Page, args: Args) -> ApiResult {
    show_workspace(&app, Frame::new(page, "workspace", &args)).await
}

/// Where a form leads: to the page as it is now, or back with what was wrong.
pub(super) async fn after(app: &Arc<App>, page: Page, done: ApiResult) -> ApiResult {
    match done {
        Ok(_) => Ok(go(&page, "/settings?done=saved")),
        Err(e) => show_workspace(app, Frame::wrong(page, "workspace", &e)).await,
    }
}

async fn put_workspace(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let retention = match text("retention") {
        none if none.is_empty() => None,
        from if from == FROM.trim() => Some(format!("{FROM}{}", text("first_day"))),
        words => Some(words),
    };
    let settings = json!({ "zone": text("zone"), "currency": text("currency"), "retention": retention });
    let done = admin::put_settings(State(Arc::clone(&app)), as_body(&settings)).await;
    after(&app, page, done).await
}

async fn password(
    State(app): Shared,
    ip: Extension<Ip>,
    caller: Extension<Caller>,
    page: Page,
    body: Bytes,
) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default();
    let new = json!({ "old": text("old"), "new": text("new") });
    match session::change_password(State(Arc::clone(&app)), ip, caller, as_body(&new)).await {
        Ok(answer) => {
            // All sessions end, this one too.
            let mut response = go(&page, "/sign-in");
            for cookie in answer.headers().get_all("set-cookie") {
                response.headers_mut().append("set-cookie", cookie.clone());
            }
            Ok(response)
        }
        Err(e) => show_workspace(&app, Frame::wrong(page, "workspace", &e)).await,
    }
}
