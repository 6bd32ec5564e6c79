//! Events come in: Segment's calls and what its browser library asks for before, GA4's Measurement Protocol, our own form.

use crate::access::Role;
use crate::app::App;
use crate::args::{self, Args};
use crate::backend::Incoming;
use crate::data::{Ack, Rejected};
use crate::guard::{self, Caller, Ip};
use crate::problem::{ApiError, ApiResult, lang_of};
use crate::table::{Endpoint, NAME, OPEN, SEND, Table};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use gyul_ingest::http::{self as read, BodyError, Call, Limits, Parsed};
use gyul_model::{Instant, Lang};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use utoipa::ToSchema;

type Shared = State<Arc<App>>;

/// Larger bodies are read on a thread that may take its time.
const INLINE_MAX: usize = 32 * 1024;

/// Long and short paths of Segment's calls.
const CALLS: [&str; 15] =
    ["identify", "track", "page", "screen", "group", "alias", "batch", "import", "i", "t", "p", "s", "g", "a", "b"];

pub fn add(table: &mut Table) {
    let tag = "ingest";
    let max = Limits::default().body;
    for name in CALLS {
        let Some(call) = Call::parse(name) else { continue };
        table.at(
            Endpoint::post(format!("/v1/{name}"), format!("segment_{name}"), tag, SEND)
                .says(
                    "이벤트를 받습니다 (Segment 규격)",
                    "Takes events in Segment's shape; the key also as `writeKey` in the body",
                )
                .takes_json(json!({ "type": "object" }))
                .gives_json(json!({ "type": "object", "properties": { "success": { "type": "boolean" } } }))
                .body_max(max)
                .hot(),
            move |app: Shared, ip: Extension<Ip>, caller: Option<Extension<Caller>>, body: Bytes| {
                segment(app, ip, caller, call, body)
            },
        );
    }
    table.at(
        Endpoint::post("/api/v1/events", "sendEvents", tag, SEND)
            .says(
                "이벤트를 받습니다 (객체, 배열, 한 줄에 하나)",
                "Takes events: an object, an array or one a line. `{\"customer\": \"C1\", \"name\": \"Order Completed\", \
                 \"ts\": \"2026-11-22T15:04:05+09:00\", \"id\": \"…\", \"props\": {…}}`; instead of `customer`, `who` names kinds",
            )
            .query("key", NAME, "The key, for senders that cannot set headers.")
            .takes_json(json!({ "type": ["object", "array"] }))
            .gives::<Taken>()
            .body_max(max)
            .hot(),
        events,
    );
    let ga4_endpoint = |path: &str, id: &str| {
        Endpoint::post(path, id, tag, SEND)
            .query("api_secret", NAME, "The key, as Google's senders give it.")
            .query("measurement_id", NAME, "Not used.")
            .takes_json(json!({ "type": "object" }))
            .body_max(max)
            .hot()
    };
    table.at(
        ga4_endpoint("/mp/collect", "ga4Collect")
            .says(
                "이벤트를 받습니다 (GA4 Measurement Protocol)",
                "Takes events in the shape of GA4's Measurement Protocol",
            )
            .status(204),
        ga4,
    );
    table.at(
        ga4_endpoint("/debug/mp/collect", "ga4Debug")
            .says("GA4 요청을 검사합니다", "Says what is wrong with a request of GA4's, keeping nothing")
            .gives_json(json!({ "type": "object" })),
        ga4_debug,
    );
    table.at(
        Endpoint::get("/v1/projects/{key}/settings", "segmentSettings", tag, OPEN)
            .says("Segment 브라우저 라이브러리의 설정", "What Segment's browser library asks for first")
            .gives_json(json!({ "type": "object" }))
            .hot(),
        settings,
    );
}

/// What became of a request in our own form.
#[derive(Serialize, ToSchema)]
struct Taken {
    accepted: u64,
    /// Here before.
    duplicates: u64,
    /// In the quarantine.
    rejected: u64,
    /// The first hundred.
    errors: Vec<TakenError>,
}

#[derive(Serialize, ToSchema)]
struct TakenError {
    /// The event's place in the request, from 0.
    index: usize,
    code: String,
    /// The field to look at; empty if it is the event as a whole.
    place: String,
    message: String,
}

const ERRORS_SHOWN: usize = 100;
/// The source of bare events that a public key brought.
const PUBLIC: &str = "tracker";

async fn events(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    args: Args,
    body: Bytes,
) -> ApiResult {
    let caller = sender(&app, ip, caller, args.get("key"))?;
    let lang = lang_of(&headers);
    let mut parsed = parse(&app, body, read::events).await?;
    if caller.role == Role::Ingest {
        // The key may stand in a web page: what it says of e-mails and phones is nobody's word.
        parsed.messages.iter_mut().for_each(|m| m.source = PUBLIC);
        parsed.sent.form = format!("events.{PUBLIC}");
    }
    let own = |r: &read::Reject| TakenError {
        index: r.index,
        code: r.code.as_str().into(),
        place: r.place.clone(),
        message: r.message(lang),
    };
    let mut errors: Vec<TakenError> = parsed.rejects.iter().take(ERRORS_SHOWN).map(own).collect();
    let (rows, out): (usize, HashSet<usize>) = (parsed.rows, parsed.rejects.iter().map(|r| r.index).collect());
    let Ack { accepted, duplicates, rejected, refused, .. } = take(&app, &caller.name, parsed).await?;
    // Their places in the request: messages are what is left of its events.
    let mut left = (0..rows).filter(|i| !out.contains(i)).enumerate();
    errors.extend(refused.into_iter().map(|r| TakenError {
        index: left.find(|(message, _)| *message == r.message).map_or(0, |(_, index)| index),
        message: lang.pick(r.ko, r.en),
        code: r.code,
        place: r.place,
    }));
    errors.sort_by_key(|e| e.index);
    errors.truncate(ERRORS_SHOWN);
    args::json(&Taken { accepted, duplicates, rejected, errors })
}

/// Google answers 204 to whatever is JSON; so do we, and the quarantine tells more.
async fn ga4(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    caller: Option<Extension<Caller>>,
    args: Args,
    body: Bytes,
) -> ApiResult {
    let caller = sender(&app, ip, caller, args.get("api_secret"))?;
    let parsed = parse(&app, body, read::ga4).await?;
    take(&app, &caller.name, parsed).await?;
    Ok(super::done())
}

/// Reads and says what is wrong, keeping nothing.
async fn ga4_debug(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    args: Args,
    body: Bytes,
) -> ApiResult {
    sender(&app, ip, caller, args.get("api_secret"))?;
    let read = read::ga4(&body, app.now(), &app.options.ingest);
    Ok(args::media("application/json", read::ga4_validation(&read, lang_of(&headers))))
}

async fn segment(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    caller: Option<Extension<Caller>>,
    call: Call,
    body: Bytes,
) -> ApiResult {
    let parsed = parse(&app, body, move |b, t, l| read::segment(call, b, t, l)).await?;
    let caller = sender(&app, ip, caller, parsed.write_key.as_deref())?;
    take(&app, &caller.name, parsed).await?;
    Ok(args::media("application/json", "{\"success\":true}"))
}

/// Reads a body at the moment of its receipt.
pub async fn parse<F>(app: &Arc<App>, body: Bytes, reader: F) -> ApiResult<Parsed>
where
    F: FnOnce(&[u8], Instant, &Limits) -> Result<Parsed, BodyError> + Send + 'static,
{
    let received = app.now();
    let parsed = if body.len() <= INLINE_MAX {
        reader(&body, received, &app.options.ingest)
    } else {
        let limits = app.options.ingest.clone();
        let work = tokio::task::spawn_blocking(move || reader(&body, received, &limits));
        let lost = |e: tokio::task::JoinError| crate::Refusal::Internal(format!("a body was not read: {e}"));
        work.await.map_err(lost)?
    };
    parsed.map_err(|e| {
        let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::BAD_REQUEST);
        ApiError::new(status, e.code(), e.message(Lang::Ko), e.message(Lang::En))
    })
}

/// Who sends: known by the header already, or by a key in the body or the query.
fn sender(
    app: &Arc<App>,
    ip: std::net::IpAddr,
    known: Option<Extension<Caller>>,
    key: Option<&str>,
) -> ApiResult<Caller> {
    if let Some(Extension(caller)) = known {
        return Ok(caller);
    }
    let caller = key.and_then(|k| guard::caller_of_key(app, k)).ok_or_else(|| guard::stranger(app, ip))?;
    if !SEND.allows(caller.role) {
        return Err(ApiError::forbidden());
    }
    let wait = app.hot.take(&caller.id, std::time::Instant::now());
    wait.map_err(|wait| ApiError::rate(guard::seconds(wait)))?;
    guard::remember_use(app, &caller);
    Ok(caller)
}

pub async fn take(app: &Arc<App>, via: &str, parsed: Parsed) -> ApiResult<Ack> {
    if parsed.messages.is_empty() && parsed.rejects.is_empty() {
        return Ok(Ack::default());
    }
    let rejects = parsed.rejects.into_iter().map(|r| Rejected {
        code: r.code.as_str(),
        ko: r.message(Lang::Ko),
        en: r.message(Lang::En),
        place: r.place,
        content: r.content,
    });
    let incoming = Incoming {
        messages: parsed.messages,
        rejects: rejects.collect(),
        sent: parsed.sent,
        via: via.to_string(),
        received: Some(app.now()),
    };
    let ack = {
        let _part = app.traces.within("acknowledge");
        app.backend.ingest(incoming).await?
    };
    app.traffic.count(via, app.now(), &ack);
    let counters = &app.counters;
    counters.events_accepted.fetch_add(ack.accepted, Ordering::Relaxed);
    counters.events_duplicate.fetch_add(ack.duplicates, Ordering::Relaxed);
    counters.events_rejected.fetch_add(ack.rejected, Ordering::Relaxed);
    Ok(ack)
}

async fn settings(State(app): Shared, Path(key): Path<String>, headers: HeaderMap) -> ApiResult {
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let forwarded = headers.get("x-forwarded-proto").filter(|_| app.options.trust_proxy);
    let protocol = if forwarded.is_some_and(|p| p == "https") { "https" } else { "http" };
    let destination = json!({ "apiKey": key, "apiHost": format!("{host}/v1"), "protocol": protocol });
    args::json(&json!({
        "integrations": { "Segment.io": destination },
        "plan": {},
        "edgeFunction": {},
        "middlewareSettings": { "routingRules": [] },
        "enabledMiddleware": {},
        "metrics": { "sampleRate": 0 },
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    }))
}
