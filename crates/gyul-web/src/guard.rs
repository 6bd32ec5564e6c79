//! Every request passes here: who is it, may it, how often, how large, and what is written down about it.

use crate::Refusal;
use crate::access::Role;
use crate::app::App;
use crate::audit;
use crate::body;
use crate::idempotency::{Answer, First};
use crate::pages;
use crate::problem::{ApiError, ApiResult, Pending, lang_of};
use crate::table::{Access, Endpoint};
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a connection comes from.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    /// `key:<name>` or `user:<address>`: for the audit log.
    pub name: String,
    /// Names the bucket of its requests.
    pub id: String,
    /// The token of a session, where it is one.
    pub session: Option<String>,
}

pub const COOKIE: &str = "gyul_session";
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The outermost layer: runs for every path, known or not.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = app.request_id();
    let lang = lang_of(request.headers());
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_string());
    let endpoint = path.as_deref().and_then(|p| app.endpoint(&method, p));
    let any_origin = match (path.as_deref(), endpoint) {
        (_, Some(e)) => is_for_pages(e),
        (Some(p), None) => app.endpoint(&Method::POST, p).is_some_and(is_for_pages),
        _ => false,
    };

    let reader = pages::Reader::of(&app, &request, endpoint.map(|e| e.page));
    let span = app.traces.request(&method, path.as_deref(), request.headers());
    let mut who = None;
    let outcome = match endpoint {
        None if method == Method::OPTIONS && any_origin => Ok(StatusCode::NO_CONTENT.into_response()),
        None if path.is_some() => Err(method_not_allowed()),
        None => Err(ApiError::not_found()),
        Some(endpoint) => {
            // A handler that breaks is answered for, and takes down no connection.
            let admitted = AssertUnwindSafe(admit(&app, endpoint, request, next, &mut who)).catch_unwind();
            let admitted = span.scope(admitted).await;
            admitted.unwrap_or_else(|_| Err(Refusal::Internal("a handler panicked".into()).into()))
        }
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    // A page that says itself what is wrong stays as it is.
    let is_page = response.headers().contains_key(header::CONTENT_SECURITY_POLICY);
    let in_plain = response.status().is_client_error() && response.extensions().get::<Pending>().is_none() && !is_page;
    if in_plain {
        // The framework's own words, about a path or a query that cannot be decoded.
        let (ko, en) = (
            "요청을 읽을 수 없습니다. 주소와 쿼리를 확인하세요.",
            "the request cannot be read. Check its path and query.",
        );
        response = ApiError::new(response.status(), "bad_request", ko, en).into_response();
    }
    let mut code = None;
    if let Some(Pending(error)) = response.extensions_mut().remove::<Pending>() {
        code = Some(error.code);
        response = match &reader {
            Some(reader) => reader.refused(&app, &error, &id),
            None => error.respond(lang, &id),
        };
        if let Some(seconds) = error.retry_after.filter(|_| error.status == StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RATE_RESET, seconds.into());
            app.counters.rate_limited.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        if let Some(why) = &error.internal {
            app.log(&json!({ "level": "error", "request_id": id, "why": why }));
        }
    }
    finish(&mut response, &id, any_origin);
    let took = begun.elapsed();
    span.end(response.status().as_u16());
    app.counters.request(response.status().as_u16(), took);
    // The template of the path, never the path: ids of people are part of it. Hot endpoints speak when they fail.
    if !endpoint.is_some_and(|e| e.hot) || !response.status().is_success() {
        app.log(&json!({
            "at": app.now().to_string(),
            "level": if response.status().is_server_error() { "error" } else { "info" },
            "request_id": id,
            "method": method.as_str(),
            "path": path,
            "status": response.status().as_u16(),
            "code": code,
            "micros": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "role": who.map(|r: Role| json!(r)),
        }));
    }
    response
}

/// Whether pages of any origin call it: events and what the browser's libraries ask for first.
fn is_for_pages(endpoint: &Endpoint) -> bool {
    matches!(endpoint.access, Access::Ingest(_)) || endpoint.tag == "ingest"
}

fn method_not_allowed() -> Box<ApiError> {
    let (ko, en) = (
        "이 주소에는 쓸 수 없는 메서드입니다. API 문서를 확인하세요.",
        "this address knows no such method. See the API's pages.",
    );
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", ko, en)
}

async fn admit(
    app: &Arc<App>,
    endpoint: &Endpoint,
    mut request: Request,
    next: Next,
    who: &mut Option<Role>,
) -> ApiResult {
    let ip = peer_of(app, &request);
    let caller = match endpoint.access {
        Access::Open | Access::Signed => None,
        Access::Roles(_) => Some(caller_of(app, &request).ok_or_else(|| stranger(app, ip))?),
        // Its handler finds the key in the body.
        Access::Ingest(_) => caller_of(app, &request),
    };
    if let Some(caller) = &caller {
        *who = Some(caller.role);
        if !endpoint.access.allows(caller.role) {
            return Err(ApiError::forbidden());
        }
        // A form of a page carries it in its body, which is not read yet.
        if caller.session.is_some() && !is_form(endpoint, &request) {
            check_csrf(caller, request.method(), sent_csrf(&request))?;
        }
        take_token(app, endpoint, &caller.id)?;
        remember_use(app, caller);
    }
    // Held until the answer is there.
    let mut _taken = body::Taken::default();
    if let Some(limit) = endpoint.body_max {
        (request, _taken) = body::whole(app, request, limit, endpoint.body.is_some()).await?;
    }
    if is_form(endpoint, &request) {
        request = check_form(caller.as_ref(), request).await?;
    }
    request.extensions_mut().insert(Ip(ip));
    if let Some(caller) = &caller {
        request.extensions_mut().insert(caller.clone());
    }
    let target = audit::target_of(&request);
    let response = once(app, endpoint, caller.as_ref(), request, next).await?;
    // A form that was taken sends its reader on.
    let taken = response.status().is_success() || (endpoint.page && response.status().is_redirection());
    // What is answered again was done once.
    let done = taken && !response.headers().contains_key(REPLAYED);
    if let (true, Some(caller)) = (endpoint.audited && done, &caller) {
        let said = response.extensions().get().cloned();
        audit::keep(app, endpoint, caller, target, said).await?;
    }
    Ok(response)
}

/// The address that limits count by.
#[derive(Clone, Copy)]
pub struct Ip(pub IpAddr);

fn peer_of(app: &App, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |p| p.0.ip());
    let forwarded = || {
        // The last one is what the proxy itself saw.
        let text = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        text.rsplit(',').next()?.trim().parse().ok()
    };
    let ip = if app.options.trust_proxy { forwarded().unwrap_or(peer) } else { peer };
    match ip {
        IpAddr::V4(_) => ip,
        // One subscriber has a whole /64.
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

/// A failed attempt; too many of them are not even told whether they failed.
pub fn stranger(app: &App, ip: IpAddr) -> Box<ApiError> {
    match app.strangers.take(&ip, Instant::now()) {
        Ok(()) => ApiError::unauthorized(),
        Err(wait) => ApiError::rate(seconds(wait)),
    }
}

pub fn seconds(wait: Duration) -> u32 {
    wait.as_secs_f64().ceil().clamp(1.0, 3600.0) as u32
}

pub fn take_token(app: &App, endpoint: &Endpoint, id: &str) -> ApiResult<()> {
    let buckets = if endpoint.hot { &app.hot } else { &app.api };
    buckets.take(&id.to_string(), Instant::now()).map_err(|wait| ApiError::rate(seconds(wait)))
}

/// By `Bearer`, by `Basic` with the key as the user's name, or by the cookie of a session.
pub fn caller_of(app: &App, request: &Request) -> Option<Caller> {
    let headers = request.headers();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        // Who says who he is wrongly is not somebody else.
        return caller_of_key(app, &credentials(value.to_str().ok()?)?);
    }
    let token = cookie(headers, COOKIE)?;
    let access = app.access();
    let (email, user) = access.session(&token, app.now())?;
    Some(Caller { role: user.role, name: format!("user:{email}"), id: format!("u:{email}"), session: Some(token) })
}

pub fn caller_of_key(app: &App, text: &str) -> Option<Caller> {
    let access = app.access();
    let (id, key) = access.key(text, app.now())?;
    Some(Caller { role: key.role, name: format!("key:{}", key.name), id: format!("k:{id}"), session: None })
}

/// The role that somebody who came in earlier has now, if still any: for answers that last.
pub fn role_now(app: &App, caller: &Caller) -> Option<Role> {
    let (access, now) = (app.access(), app.now());
    match (&caller.session, caller.id.strip_prefix("k:")) {
        (Some(token), _) => Some(access.session(token, now)?.1.role),
        (None, Some(id)) => access.keys.get(id).filter(|k| k.expires.is_none_or(|end| now.0 < end)).map(|k| k.role),
        (None, None) => None,
    }
}

fn credentials(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_string());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    // Some senders leave the colon out.
    Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_string())
}

pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|v| v.split(';')).filter_map(|c| c.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, v)| v.to_string())
}

/// What a page must send back with each write; another site's page cannot read it.
pub fn csrf_of(session: &str) -> String {
    crate::access::digest(&format!("csrf:{session}"))
}

fn sent_csrf(request: &Request) -> &str {
    request.headers().get(CSRF).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

fn is_form(endpoint: &Endpoint, request: &Request) -> bool {
    endpoint.page && endpoint.method == Method::POST && !request.headers().contains_key(CSRF)
}

/// A form of ours carries the token that its page was given. Before anybody is signed in there is none to carry: then
/// the browser says whose page it came from.
async fn check_form(caller: Option<&Caller>, request: Request) -> ApiResult<Request> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    match caller {
        Some(caller) => {
            let sent = pages::field(&bytes, "_csrf").unwrap_or_default();
            check_csrf(caller, &parts.method, &sent)?;
        }
        None => {
            let from = parts.headers.get("sec-fetch-site").and_then(|v| v.to_str().ok()).unwrap_or("same-origin");
            if !matches!(from, "same-origin" | "none") {
                return Err(ApiError::forbidden());
            }
        }
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn check_csrf(caller: &Caller, method: &Method, sent: &str) -> ApiResult<()> {
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(session) = caller.session.as_deref().filter(|_| !safe) else { return Ok(()) };
    if crate::access::same(sent, &csrf_of(session)) {
        return Ok(());
    }
    let (ko, en) = (
        "X-CSRF-Token 헤더가 없거나 틀립니다. /api/v1/me가 알려 주는 값을 넣어 다시 보내세요.",
        "the X-CSRF-Token header is missing or wrong. Send the one that /api/v1/me tells.",
    );
    Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", ko, en))
}

/// Keeps that a key was used, once a day, without making its request wait.
pub fn remember_use(app: &Arc<App>, caller: &Caller) {
    let Some(id) = caller.id.strip_prefix("k:") else { return };
    let now = app.now();
    if !app.access().wants_use(id, now) {
        return;
    }
    let (app, id) = (Arc::clone(app), id.to_string());
    tokio::spawn(async move {
        let kept = app.change_access(move |access| {
            let wanted = access.wants_use(&id, now);
            Ok((wanted.then_some(crate::access::Record::KeyUsed { id, at: now.0 }), ()))
        });
        if let Err(e) = kept.await {
            app.log(&json!({ "level": "error", "why": "the use of a key was not kept", "code": e.code }));
        }
    });
}

/// Runs a request; one with an `Idempotency-Key` only once.
async fn once(app: &Arc<App>, endpoint: &Endpoint, caller: Option<&Caller>, request: Request, next: Next) -> ApiResult {
    let key = request.headers().get(IDEMPOTENCY);
    let (Some(key), Some(caller)) = (key.filter(|_| endpoint.method == Method::POST), caller) else {
        return Ok(audit::run(next, request).await);
    };
    if endpoint.body_max.is_none() || matches!(endpoint.access, Access::Ingest(_)) {
        return Ok(audit::run(next, request).await);
    }
    let key = key.to_str().ok().filter(|k| !k.is_empty() && k.len() <= 255).ok_or_else(|| {
        let (ko, en) = (
            "Idempotency-Key는 1자에서 255자까지의 ASCII여야 합니다.",
            "an Idempotency-Key has 1 to 255 ASCII characters.",
        );
        ApiError::bad("bad_idempotency_key", ko, en)
    })?;
    let key = format!("{} {} {key}", caller.id, request.uri().path());
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    match app.idempotency.begin(&key, digest, Instant::now()) {
        First::Do => {}
        First::Repeat(answer) => return repeat(answer),
        First::UnderWay => {
            let (ko, en) = (
                "같은 Idempotency-Key의 요청이 아직 처리되고 있습니다.",
                "a request with this Idempotency-Key is under way.",
            );
            let mut e = ApiError::new(StatusCode::CONFLICT, "idempotency_under_way", ko, en);
            e.retry_after = Some(1);
            return Err(e);
        }
        First::Other => {
            let (ko, en) = (
                "이 Idempotency-Key는 다른 내용의 요청에 이미 쓰였습니다. 새 키를 쓰세요.",
                "this Idempotency-Key was used for another request. Use a new one.",
            );
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_other", ko, en));
        }
    }
    // To its end, even if nobody waits for the answer any more.
    let (app, secret) = (Arc::clone(app), endpoint.secret);
    let work = tokio::spawn(async move {
        let response = audit::run(next, Request::from_parts(parts, Body::from(bytes))).await;
        if response.extensions().get::<Pending>().is_some() || response.status().is_server_error() {
            // What was refused changed nothing.
            app.idempotency.end(&key, None);
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        let (status, headers) = (parts.status, parts.headers.clone());
        app.idempotency.end(&key, Some(Answer { status, headers, body: (!secret).then(|| bytes.clone()) }));
        Response::from_parts(parts, Body::from(bytes))
    });
    let lost = |e: tokio::task::JoinError| crate::Refusal::Internal(format!("a request ended early: {e}"));
    Ok(work.await.map_err(lost)?)
}

fn repeat(answer: Answer) -> ApiResult {
    let Some(body) = answer.body else {
        let (ko, en) = (
            "이 요청은 이미 처리되었고, 그 답은 다시 보여 줄 수 없습니다.",
            "this request is done; its answer cannot be shown again.",
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "idempotency_done", ko, en));
    };
    let mut response = (answer.status, body).into_response();
    *response.headers_mut() = answer.headers;
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn finish(response: &mut Response, id: &str, any_origin: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::CACHE_CONTROL, "no-store");
    if any_origin {
        set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS");
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, content-encoding, x-retry-count");
        set(header::ACCESS_CONTROL_MAX_AGE, "86400");
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after, x-ratelimit-reset, x-request-id");
    } else {
        set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    }
}
