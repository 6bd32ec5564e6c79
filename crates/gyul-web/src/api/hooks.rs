//! Receivers of changes: made, listed, paused, tried again.

use crate::access::{self, Access, Record, Secret};
use crate::app::App;
use crate::args;
use crate::data::DefKind;
use crate::hooks::can_post;
use crate::problem::{ApiError, ApiResult};
use crate::table::{Endpoint, OWNER, Table};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use gyul_model::Instant;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

const HOOKS_MAX: usize = 100;

pub fn add(table: &mut Table) {
    let tag = "hooks";
    table.at(
        Endpoint::get("/api/v1/hooks", "listHooks", tag, OWNER)
            .says("변화를 알려 받는 주소 목록", "Receivers of changes, with what could not be delivered")
            .gives_page::<HookView>(),
        list,
    );
    table.at(
        Endpoint::post("/api/v1/hooks", "makeHook", tag, OWNER)
            .says(
                "변화를 알려 받을 주소를 더합니다. 서명 키는 한 번만 보입니다",
                "Tells an address of each change, signed as Standard Webhooks say. The secret is shown this once",
            )
            .takes::<NewHook>()
            .gives::<MadeHook>()
            .status(201)
            .secret(),
        make,
    );
    table.at(
        Endpoint::delete("/api/v1/hooks/{id}", "deleteHook", tag, OWNER)
            .says("더 알리지 않습니다", "Tells an address no more"),
        delete,
    );
    table.at(
        Endpoint::post("/api/v1/hooks/{id}/retry", "retryHook", tag, OWNER)
            .says("전하지 못한 것을 다시 보냅니다", "Sends dead letters again, and a paused hook goes on")
            .status(204),
        retry,
    );
}

#[derive(Serialize, ToSchema)]
struct HookView {
    id: String,
    url: String,
    segment: Option<String>,
    partition: Option<String>,
    made: String,
    active: bool,
    /// Why it is paused.
    reason: Option<String>,
    /// The next offset to tell, as last kept.
    next: u64,
    /// What no attempt delivered.
    dead: Vec<DeadLetter>,
}

#[derive(Serialize, ToSchema)]
struct DeadLetter {
    offset: u64,
    at: String,
    reason: String,
    /// It is to be tried again.
    again: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewHook {
    #[schema(min_length = 8, max_length = 2000)]
    url: String,
    /// Only this segment.
    segment: Option<String>,
    /// Only this partition.
    partition: Option<String>,
    /// The first offset to tell; from now on if absent.
    from: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct MadeHook {
    id: String,
    /// Shown this once.
    secret: String,
}

async fn list(State(app): Shared) -> ApiResult {
    let view = |(id, h): (&String, &access::Hook)| {
        let only = |kind| h.only.as_ref().filter(|(k, _)| *k == kind).map(|(_, id)| id.clone());
        let dead = h.dead.iter().map(|(&offset, (reason, at))| DeadLetter {
            offset,
            at: Instant(*at).to_string(),
            reason: reason.clone(),
            again: h.again.contains(&offset),
        });
        HookView {
            id: id.clone(),
            url: h.url.clone(),
            segment: only(DefKind::Segment),
            partition: only(DefKind::Partition),
            made: Instant(h.made).to_string(),
            active: h.active,
            reason: h.reason.clone(),
            next: h.next,
            dead: dead.collect(),
        }
    };
    let items: Vec<HookView> = app.access().hooks.iter().map(view).collect();
    args::json(&args::Page { items, next: None })
}

pub async fn make(State(app): Shared, body: Bytes) -> ApiResult {
    let new: NewHook = args::body(&body)?;
    if new.url.len() > 2000 || !can_post(&new.url) {
        let (ko, en) = (
            "url은 https:// 주소여야 합니다. TLS 없이 만든 서버는 http:// 주소만 쓸 수 있습니다.",
            "url is an https:// address. A server built without TLS can use http:// only.",
        );
        return Err(ApiError::bad("bad_url", ko, en));
    }
    let only = match (new.segment, new.partition) {
        (Some(_), Some(_)) => {
            let (ko, en) = ("segment와 partition 중 하나만 적으세요.", "name a segment or a partition, not both.");
            return Err(ApiError::bad("bad_filter", ko, en));
        }
        (Some(id), None) => Some((DefKind::Segment, args::name(&id)?.to_string())),
        (None, Some(id)) => Some((DefKind::Partition, args::name(&id)?.to_string())),
        (None, None) => None,
    };
    if let Some((kind, id)) = only.clone() {
        super::definitions::must_be(&app, kind, id).await?;
    }
    let end = *app.backend.changes_end().borrow();
    let (secret, id) = (Secret::new_signing(), Secret::new_key().id().to_string());
    let record = Record::HookPut {
        id: id.clone(),
        url: new.url,
        secret: secret.text.clone(),
        only,
        next: new.from.unwrap_or(end),
        made: app.now().0,
    };
    change(&app, move |access| {
        if access.hooks.len() >= HOOKS_MAX {
            let (ko, en) = ("주소는 100개까지 둘 수 있습니다.", "there can be 100 hooks.");
            return Err(ApiError::new(StatusCode::CONFLICT, "too_many", ko, en));
        }
        Ok(record)
    })
    .await?;
    crate::audit::about(&id);
    let mut response = args::json(&MadeHook { id, secret: secret.text })?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

pub async fn delete(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    change(&app, move |access| match access.hooks.contains_key(&id) {
        true => Ok(Record::HookGone { id }),
        false => Err(ApiError::not_found()),
    })
    .await?;
    Ok(super::done())
}

pub async fn retry(State(app): Shared, Path(id): Path<String>) -> ApiResult {
    change(&app, move |access| match access.hooks.contains_key(&id) {
        true => Ok(Record::HookAgain { id }),
        false => Err(ApiError::not_found()),
    })
    .await?;
    Ok(super::done())
}

async fn change<F>(app: &Arc<App>, decide: F) -> ApiResult<()>
where
    F: FnOnce(&Access) -> ApiResult<Record> + Send + 'static,
{
    app.change_access(move |access| Ok((Some(decide(access)?), ()))).await?;
    app.hooks_changed.send_modify(|n| *n += 1);
    Ok(())
}
