//! Where events come from: shops that call, and the site's own tracker.

use super::*;
use crate::access::SourceKind;
use crate::api::admin;
use crate::traffic::SenderTraffic;
use axum::extract::Path;
use bytes::Bytes;
use gyul_model::Instant;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/data/sources", "pageSources", OWNER), sources);
    table.at(Endpoint::page("/data/sources/traffic", "partTraffic", OWNER), traffic);
    table.at(Endpoint::form("/data/sources", "putSource", OWNER), put);
    table.at(Endpoint::form("/data/sources/{name}/delete", "deleteSource", OWNER), delete);
}

#[derive(Template)]
#[template(path = "data/sources.html")]
struct Sources {
    page: Page,
    title: String,
    frame: Frame,
    sources: Vec<SourceLine>,
    keys: Vec<KeyLine>,
    traffic: Senders,
    kinds: Vec<(&'static str, String)>,
    /// Of this server, as the reader reached it.
    host: String,
}

/// What each sender sends; asked for again every few seconds.
#[derive(Template)]
#[template(path = "data/traffic.html")]
struct Senders {
    page: Page,
    senders: Vec<SenderLine>,
}

struct SenderLine {
    name: String,
    kind: String,
    flow: SenderTraffic,
    spark: Option<String>,
}

/// Who may send, with what came, most in the last hour first; those that are gone stay while they are counted.
fn senders(app: &App, page: &Page) -> Vec<SenderLine> {
    let access = app.access();
    let line = |flow: SenderTraffic| {
        let (kind, name) = flow.via.split_once(':').unwrap_or(("key", &flow.via));
        let source = access.sources.get(name).filter(|_| kind == "webhook");
        SenderLine {
            name: name.to_string(),
            kind: source.map_or_else(|| page.t("data-sender-key"), |s| kind_name(page, s.kind)),
            spark: super::super::segments::spark(&flow.by_minute),
            flow,
        }
    };
    let mut lines: Vec<SenderLine> = app.traffic.flows(app.now()).into_iter().map(line).collect();
    lines.sort_by_key(|l| std::cmp::Reverse(l.flow.hour.all()));
    lines
}

async fn traffic(State(app): Shared, page: Page) -> ApiResult {
    let senders = senders(&app, &page);
    show(&page.clone(), &Senders { page, senders })
}

struct SourceLine {
    name: String,
    kind: String,
    path: String,
    prefix: String,
    made: Instant,
    how: String,
}

/// A key that events are sent with.
struct KeyLine {
    name: String,
    used: Option<Instant>,
}

fn kind_name(page: &Page, kind: SourceKind) -> String {
    page.t(match kind {
        SourceKind::Shopify => "data-source-shopify",
        SourceKind::Woocommerce => "data-source-woocommerce",
        SourceKind::Cafe24 => "data-source-cafe24",
        SourceKind::Kakao => "data-source-kakao",
    })
}

fn how(page: &Page, kind: SourceKind) -> String {
    page.t(match kind {
        SourceKind::Shopify => "data-how-shopify",
        SourceKind::Woocommerce => "data-how-woocommerce",
        SourceKind::Cafe24 => "data-how-cafe24",
        SourceKind::Kakao => "data-how-kakao",
    })
}

fn show_sources(app: &App, page: Page, frame: Frame, host: String) -> ApiResult {
    let access = app.access();
    let line = |(name, s): (&String, &crate::access::Source)| SourceLine {
        name: name.clone(),
        kind: kind_name(&page, s.kind),
        path: format!("/webhooks/{}/{name}", s.kind.name()),
        prefix: s.prefix.clone(),
        made: Instant(s.made),
        how: how(&page, s.kind),
    };
    let sources = access.sources.iter().map(line).collect();
    let sending = access.keys.values().filter(|k| k.role == crate::access::Role::Ingest);
    let keys = sending.map(|k| KeyLine { name: k.name.clone(), used: k.last_used.map(Instant) }).collect();
    drop(access);
    let kinds = SourceKind::ALL.iter().map(|k| (k.name(), kind_name(&page, *k))).collect();
    let traffic = Senders { page: page.clone(), senders: senders(app, &page) };
    let title = page.t("data-tab-sources");
    show(&page.clone(), &Sources { page, title, frame, sources, keys, traffic, kinds, host })
}

/// As the reader's browser names this server; behind a proxy by what that passes on.
fn host_of(headers: &axum::http::HeaderMap) -> String {
    let get = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let host = get("host").unwrap_or("localhost");
    let local = host.starts_with("127.0.0.1") || host.starts_with("localhost");
    let scheme = get("x-forwarded-proto").filter(|s| *s == "https").unwrap_or(if local { "http" } else { "https" });
    format!("{scheme}://{host}")
}

async fn sources(State(app): Shared, page: Page, headers: axum::http::HeaderMap, args: Args) -> ApiResult {
    let done = match args.get("done") {
        Some("saved") => Some(page.t("data-source-saved")),
        Some("gone") => Some(page.t("data-source-gone")),
        _ => None,
    };
    let frame = Frame::new(&page, "sources").says(done);
    show_sources(&app, page, frame, host_of(&headers))
}

async fn put(State(app): Shared, page: Page, headers: axum::http::HeaderMap, body: Bytes) -> ApiResult {
    let text = |name| field(&body, name).unwrap_or_default().trim().to_string();
    let new = json!({ "kind": text("kind"), "secret": text("secret"), "prefix": text("prefix") }).to_string();
    match admin::put_source(State(Arc::clone(&app)), Path(text("name")), Bytes::from(new)).await {
        Ok(_) => Ok(go(&page, "/data/sources?done=saved")),
        Err(e) => {
            let frame = Frame::new(&page, "sources").wrong(&e, &page);
            show_sources(&app, page, frame, host_of(&headers))
        }
    }
}

async fn delete(State(app): Shared, page: Page, path: Path<String>) -> ApiResult {
    admin::delete_source(State(app), path).await?;
    Ok(go(&page, "/data/sources?done=gone"))
}
