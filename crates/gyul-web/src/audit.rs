//! Who changed what, and when.

use crate::app::App;
use crate::guard::Caller;
use crate::problem::ApiResult;
use crate::table::Endpoint;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::{Arc, OnceLock};
use utoipa::ToSchema;

/// A line of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    #[serde(default)]
    pub number: u64,
    /// RFC 3339.
    pub at: String,
    /// `key:<name>` or `user:<address>`.
    pub who: String,
    /// The operation, as in the OpenAPI document.
    pub what: String,
    /// What it was done to. A customer appears as a pseudonym: it survives an erasure without naming anybody.
    pub target: Option<String>,
    /// Of an erasure that a shop asked for: what was removed where, and what was looked through afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::data::ErasureReport>)]
    pub report: Option<serde_json::Value>,
}

tokio::task_local! {
    /// What the request under way is about, where its path does not say it.
    static ABOUT: Arc<OnceLock<String>>;
}

/// What a request turned out to be about.
#[derive(Clone)]
pub struct Target(pub String);

/// Says what the request under way is about.
pub fn about(target: impl Into<String>) {
    // Outside of a request nobody asks.
    let _ = ABOUT.try_with(|cell| cell.set(target.into()));
}

/// Answers a request, and hears what it is about.
pub async fn run(next: Next, request: Request) -> Response {
    let cell = Arc::new(OnceLock::new());
    let mut response = ABOUT.scope(Arc::clone(&cell), next.run(request)).await;
    if let Some(target) = cell.get() {
        response.extensions_mut().insert(Target(target.clone()));
    }
    response
}

/// The part of a path that names a thing: what comes after the second of `/api/v1/<things>/`, or of a page.
pub fn target_of(request: &Request) -> Option<(String, String)> {
    let path = request.uri().path();
    let rest = path.strip_prefix("/api/v1/").or(path.strip_prefix("/settings/")).or(path.strip_prefix('/'))?;
    let mut parts = rest.splitn(3, '/');
    let (things, name) = (parts.next()?, parts.next()?);
    Some((things.to_string(), name.to_string()))
}

pub async fn keep(
    app: &Arc<App>,
    endpoint: &Endpoint,
    caller: &Caller,
    target: Option<(String, String)>,
    said: Option<Target>,
) -> ApiResult<()> {
    let target = target.filter(|_| endpoint.path.contains('{')).map(|(things, name)| match things.as_str() {
        "customers" => pseudonym(app, &percent_decode(&name)),
        _ => percent_decode(&name),
    });
    let target = said.map(|Target(t)| t).or(target);
    let entry = Entry {
        number: 0,
        at: app.now().to_string(),
        who: caller.name.clone(),
        what: endpoint.id.clone(),
        target,
        report: None,
    };
    put(app, &entry).await
}

pub async fn put(app: &Arc<App>, entry: &Entry) -> ApiResult<()> {
    let bytes = serde_json::to_vec(entry).map_err(|e| crate::Refusal::Internal(e.to_string()))?;
    app.ask(move |b| b.keep_audit(bytes)).await
}

/// A customer's stand-in: the same each time in this installation, and no way back without its salt.
pub fn pseudonym(app: &App, customer: &str) -> String {
    let salt = app.access().salt.clone().unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt.as_bytes()) else { return "customer".into() };
    mac.update(customer.as_bytes());
    format!("customer-{}", URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..12]))
}

fn percent_decode(text: &str) -> String {
    let hex = |b: u8| (b as char).to_digit(16);
    let (mut out, mut rest) = (vec![], text.as_bytes());
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        out.push(match (b, tail) {
            (b'%', [h, l, after @ ..]) => match (hex(*h), hex(*l)) {
                (Some(h), Some(l)) => {
                    rest = after;
                    (h * 16 + l) as u8
                }
                _ => b,
            },
            _ => b,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}
