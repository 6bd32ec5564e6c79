//! Customers, one at a time.

use crate::app::App;
use crate::args::{self, Args};
use crate::data::*;
use crate::guard::Caller;
use crate::problem::{ApiError, ApiResult};
use crate::table::{EDIT, Endpoint, Kind, OWNER, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use gyul_model::Instant;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    let tag = "customers";
    table.at(
        Endpoint::get("/api/v1/customers", "searchCustomers", tag, PEOPLE)
            .says("고객을 찾습니다", "Searches customers by the beginning of an id, address, phone number or name")
            .needs("search", Kind::Text(2, 100), "At least two characters.")
            .paged::<CustomerHead>(),
        search,
    );
    table.at(
        Endpoint::get("/api/v1/customers/{id}", "getCustomer", tag, PEOPLE)
            .says("고객 한 명의 모든 것", "A customer by any of their identifiers: `C1`, `email:a@b.kr`, `anonymous:…`")
            .gives::<Customer>(),
        one,
    );
    table.at(
        Endpoint::get("/api/v1/customers/{id}/timeline", "getTimeline", tag, PEOPLE)
            .says("고객의 이벤트, 최근 것부터", "The events of a customer, newest first")
            .paged::<TimelineEvent>(),
        timeline,
    );
    table.at(
        Endpoint::get("/api/v1/customers/{id}/decision", "decide", tag, PEOPLE)
            .says("쇼핑몰이 바로 쓰는 판단 자료", "What a shop asks while a customer waits: segments, classes, traits")
            .gives::<Decision>()
            .hot(),
        decision,
    );
    table.at(
        Endpoint::get("/api/v1/customers/{id}/why/{kind}/{definition}", "explainMembership", tag, PEOPLE)
            .says("왜 속하는지, 언제까지인지", "Why a customer is in a segment or class, or not; since and until when")
            .gives::<Why>(),
        why,
    );
    table.at(
        Endpoint::post("/api/v1/customers/{id}/merge", "mergeCustomers", tag, EDIT)
            .says("두 고객을 하나로 합칩니다", "Joins another customer into this one; can be undone")
            .takes::<Merge>()
            .gives::<Merged>(),
        merge,
    );
    table.at(
        Endpoint::post("/api/v1/merges/{decision}/undo", "undoMerge", tag, EDIT)
            .says("합친 것을 되돌립니다", "Takes a merge back")
            .status(204),
        unmerge,
    );
    table.at(
        Endpoint::put("/api/v1/customers/{id}/objection", "objectToProfiling", tag, EDIT)
            .says(
                "고객의 프로파일링 거부를 기록합니다",
                "Keeps that somebody objects to being profiled: they are in no list, change, hook or decision from then on",
            )
            .status(204),
        |state: Shared, id: Path<String>| object(state, id, true),
    );
    table.at(
        Endpoint::delete("/api/v1/customers/{id}/objection", "withdrawObjection", tag, EDIT)
            .says("프로파일링 거부를 거둡니다", "Takes an objection back; they are where their history puts them"),
        |state: Shared, id: Path<String>| object(state, id, false),
    );
    table.at(
        Endpoint::get("/api/v1/customers/{id}/export", "exportCustomer", tag, EDIT)
            .says("고객 한 명의 모든 자료를 내려받습니다", "Everything that is known about one person")
            .gives_json(serde_json::json!({ "type": "object" }))
            .audited(true),
        export,
    );
    table.at(
        Endpoint::delete("/api/v1/customers/{id}", "eraseCustomer", tag, OWNER)
            .says("고객 한 명의 모든 자료를 지웁니다", "Erases one person everywhere, with a report that proves it")
            .gives::<ErasureReport>(),
        erase,
    );
}

async fn search(State(app): Shared, Extension(caller): Extension<Caller>, args: Args) -> ApiResult {
    let limit = args.limit()?;
    let text = args.need("search")?.trim().to_string();
    if text.chars().count() < 2 || text.len() > 200 {
        let (ko, en) = (
            "search는 두 글자 이상, 200바이트 이하여야 합니다.",
            "search has at least two characters and at most 200 bytes.",
        );
        return Err(ApiError::bad("bad_parameter", ko, en));
    }
    let after = args.cursor(FoundAt::read)?;
    let found = app.ask(move |b| b.search(&text, after, limit)).await?;
    let (mut items, next) = (found.heads, found.next.map(|at| args::cursor(at.written())));
    if veil::veils(caller.role) {
        items.iter_mut().for_each(veil::head);
    }
    args::json(&args::Page { items, next })
}

async fn one(State(app): Shared, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> ApiResult {
    let who = args::identifier(&id)?;
    let mut customer = app.ask(move |b| b.customer(&who)).await?;
    if veil::veils(caller.role) {
        veil::customer(&mut customer);
    }
    args::json(&customer)
}

async fn timeline(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    args: Args,
) -> ApiResult {
    let (who, limit) = (args::identifier(&id)?, args.limit()?);
    let before = args.cursor(|text| {
        let (ts, seq) = text.split_once(' ')?;
        Some((Instant(ts.parse().ok()?), seq.parse().ok()?))
    })?;
    let mut events = app.ask(move |b| b.timeline(&who, before, limit + 1)).await?;
    if veil::veils(caller.role) {
        events.iter_mut().for_each(veil::event);
    }
    args::page(events, limit, |e| format!("{} {}", e.ts.0, e.seq))
}

async fn decision(State(app): Shared, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> ApiResult {
    let who = args::identifier(&id)?;
    let mut decision = app.ask(move |b| b.decision(&who)).await?;
    if veil::veils(caller.role) {
        veil::decision(&mut decision);
    }
    args::json(&decision)
}

async fn why(
    State(app): Shared,
    Extension(caller): Extension<Caller>,
    Path((id, kind, definition)): Path<(String, String, String)>,
) -> ApiResult {
    let who = args::identifier(&id)?;
    let kind = match kind.as_str() {
        "segments" => DefKind::Segment,
        "partitions" => DefKind::Partition,
        _ => return Err(ApiError::not_found()),
    };
    let mut why = app.ask(move |b| b.why(&who, kind, &definition)).await?;
    if veil::veils(caller.role) {
        veil::why(&mut why);
    }
    args::json(&why)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Merge {
    /// Any identifier of the other customer.
    #[schema(min_length = 1, max_length = 200)]
    from: String,
}

pub async fn merge(State(app): Shared, Path(id): Path<String>, body: Bytes) -> ApiResult {
    let merge: Merge = args::body(&body)?;
    let (into, from) = (args::identifier(&id)?, args::identifier(&merge.from)?);
    args::json(&app.ask(move |b| b.merge(&into, &from)).await?)
}

pub async fn unmerge(State(app): Shared, Path(decision): Path<String>) -> ApiResult {
    let decision = decision.parse().map_err(|_| ApiError::not_found())?;
    app.ask(move |b| b.unmerge(decision)).await?;
    Ok(super::done())
}

pub async fn object(State(app): Shared, Path(id): Path<String>, objects: bool) -> ApiResult {
    let who = args::identifier(&id)?;
    app.ask(move |b| b.object(&who, objects)).await?;
    Ok(super::done())
}

async fn export(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let who = args::identifier(&id)?;
    Ok(args::media("application/json", app.ask(move |b| b.export(&who)).await?))
}

async fn erase(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    let who = args::identifier(&id)?;
    args::json(&app.ask(move |b| b.erase(&who)).await?)
}
