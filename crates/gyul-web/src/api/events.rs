//! What is seen of events, what is expected of them, and what was not taken.

use crate::app::App;
use crate::args::{self, Args};
use crate::audit;
use crate::data::*;
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, NUMBERS, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

/// Messages replayed with one request.
const REPLAY_MAX: usize = 10_000;

pub fn add(table: &mut Table) {
    let tag = "events";
    table.at(
        Endpoint::get("/api/v1/events", "listEvents", tag, NUMBERS)
            .says("들어온 이벤트의 이름, 속성, 양", "Names, properties, types and volumes of the events seen")
            .gives_page::<EventSchema>(),
        list,
    );
    table.at(
        Endpoint::get("/api/v1/plan", "getPlan", tag, NUMBERS)
            .says("이벤트 계획", "The tracking plan (YAML)")
            .gives_media("application/yaml"),
        plan,
    );
    table.at(
        Endpoint::put("/api/v1/plan", "putPlan", tag, EDIT)
            .says("이벤트 계획을 저장합니다", "Saves the tracking plan (YAML)")
            .takes_media("application/yaml")
            .status(204),
        put_plan,
    );
    table.at(
        Endpoint::get("/api/v1/quarantine", "listQuarantine", tag, PEOPLE)
            .says("받아들이지 않은 이벤트", "Messages that were not taken, newest first, with the reason")
            .paged::<Quarantined>(),
        quarantine,
    );
    table.at(
        Endpoint::put("/api/v1/quarantine/{number}", "mendQuarantined", tag, EDIT)
            .says("받아들이지 않은 이벤트를 고칩니다", "Replaces the content of a message in the quarantine")
            .takes_json(serde_json::json!({ "type": ["object", "array"], "items": { "type": "object" } }))
            .status(204),
        mend,
    );
    table.at(
        Endpoint::delete("/api/v1/quarantine/{number}", "dismissQuarantined", tag, EDIT)
            .says(
                "받아들이지 않은 이벤트를 버립니다",
                "Takes a message out of the quarantine for good, for what is settled otherwise or can never be mended",
            )
            .status(204),
        dismiss,
    );
    table.at(
        Endpoint::post("/api/v1/quarantine/replay", "replayQuarantine", tag, EDIT)
            .says(
                "받아들이지 않은 이벤트를 다시 넣습니다",
                "Tries messages of the quarantine again: those named, or all",
            )
            .takes::<Replay>()
            .gives::<Replayed>(),
        replay,
    );
}

async fn list(State(app): Shared) -> ApiResult {
    let mut items = app.ask(|b| b.events()).await?;
    items.iter_mut().for_each(veil::schema);
    args::json(&args::Page { items, next: None })
}

async fn plan(State(app): Shared) -> ApiResult {
    let plan = app.ask(|b| b.plan()).await?.ok_or_else(ApiError::not_found)?;
    Ok(args::media("application/yaml", plan))
}

async fn put_plan(State(app): Shared, body: Bytes) -> ApiResult {
    let yaml = args::text(&body)?.to_string();
    app.ask(move |b| b.put_plan(&yaml)).await?;
    audit::about("plan");
    Ok(super::done())
}

async fn quarantine(State(app): Shared, Extension(caller): Extension<Caller>, args: Args) -> ApiResult {
    let limit = args.limit()?;
    let before = args.cursor(|text| text.parse().ok())?;
    let mut items = app.ask(move |b| b.quarantine(before, limit + 1)).await?;
    if veil::veils(caller.role) {
        items.iter_mut().for_each(veil::quarantined);
    }
    args::page(items, limit, |q| q.number.to_string())
}

async fn mend(State(app): Shared, Path(number): Path<String>, body: Bytes) -> ApiResult {
    let number = number.parse().map_err(|_| ApiError::not_found())?;
    // An order and its lines are kept as a list.
    let sent: serde_json::Value = args::body(&body)?;
    let is_event = |v: &serde_json::Value| v.is_object();
    if !(is_event(&sent) || sent.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is_event))) {
        let (ko, en) = (
            "본문은 이벤트 객체이거나 객체의 배열이어야 합니다.",
            "the body must be an event's object, or an array of such.",
        );
        return Err(ApiError::bad("bad_shape", ko, en));
    }
    let content = args::text(&body)?.to_string();
    app.ask(move |b| b.mend(number, &content)).await?;
    Ok(super::done())
}

async fn dismiss(State(app): Shared, Path(number): Path<String>) -> ApiResult {
    let number = number.parse().map_err(|_| ApiError::not_found())?;
    app.ask(move |b| b.dismiss(number)).await?;
    Ok(super::done())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// All of them if absent.
    numbers: Option<Vec<u64>>,
}

async fn replay(State(app): Shared, body: Bytes) -> ApiResult {
    let Replay { numbers } = args::body(&body)?;
    if numbers.as_ref().is_some_and(|n| n.len() > REPLAY_MAX) {
        let (ko, en) = ("한 번에 10000개까지 다시 넣을 수 있습니다.", "at most 10000 at once.");
        return Err(ApiError::bad("too_many", ko, en));
    }
    audit::about(match &numbers {
        None => "all".to_string(),
        Some(some) if some.len() > 20 => format!("{} messages", some.len()),
        Some(some) => some.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    });
    args::json(&app.ask(move |b| b.replay(numbers.as_deref())).await?)
}
