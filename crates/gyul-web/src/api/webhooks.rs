//! Shops and messengers call: each delivery is proved by its source's secret.

use super::ingest;
use crate::access::{Source, SourceKind};
use crate::app::App;
use crate::args;
use crate::audit;
use crate::data::Rejected;
use crate::guard::{self, Ip};
use crate::problem::{ApiError, ApiResult};
use crate::table::{Access, Endpoint, Table};
use crate::{Incoming, Refusal};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use gyul_ingest::http::{self as read, Ask, Delivery, Limits, Privacy, Shop};
use serde_json::json;
use std::sync::Arc;

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    for kind in SourceKind::ALL {
        let name = kind.name();
        table.at(
            Endpoint::post(
                format!("/webhooks/{name}/{{source}}"),
                format!("{name}Webhook"),
                "webhooks",
                Access::Signed,
            )
            .says("쇼핑몰의 웹훅을 받습니다", "Takes a webhook, proved by the secret of its source")
            .takes_json(json!({ "type": "object" }))
            .gives_json(json!({ "type": "object", "properties": { "success": { "type": "boolean" } } }))
            .body_max(Limits::webhook().body)
            .hot(),
            move |app: Shared, ip: Extension<Ip>, name: Path<String>, headers: HeaderMap, body: Bytes| {
                webhook(app, ip, name, kind, headers, body)
            },
        );
    }
}

async fn webhook(
    State(app): Shared,
    Extension(Ip(ip)): Extension<Ip>,
    Path(name): Path<String>,
    kind: SourceKind,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_string();
    let good = || args::media("application/json", "{\"success\":true}");
    let source = app.access().sources.get(&name).filter(|s| s.kind == kind).cloned();
    let source = source.ok_or_else(|| unproved(&app, ip))?;
    if kind == SourceKind::Woocommerce && header("x-wc-webhook-topic").is_empty() && body.starts_with(b"webhook_id=") {
        // The sign of life when a webhook is saved comes unsigned, and says nothing.
        return Ok(good());
    }
    if !is_proved(kind, &source.secret, &header, &body) {
        return Err(unproved(&app, ip));
    }
    let wait = app.hot.take(&format!("s:{name}"), std::time::Instant::now());
    wait.map_err(|wait| ApiError::rate(guard::seconds(wait)))?;
    let (topic, id) = match kind {
        SourceKind::Shopify => (header("x-shopify-topic"), header("x-shopify-webhook-id")),
        SourceKind::Woocommerce => (header("x-wc-webhook-topic"), header("x-wc-webhook-delivery-id")),
        SourceKind::Cafe24 => (String::new(), header("x-trace-id")),
        SourceKind::Kakao => (String::new(), header("x-kakao-resource-id")),
    };
    let via = format!("webhook:{name}");
    let Source { prefix, .. } = source;
    let mut parsed = ingest::parse(&app, body, move |body, received, _| {
        let shop = Shop { id: &name, prefix: &prefix };
        let delivery = Delivery { shop, topic: &topic, id: Some(id.as_str()).filter(|i| !i.is_empty()), received };
        let limits = Limits::webhook();
        match kind {
            SourceKind::Shopify => read::shopify(delivery, body, &limits),
            SourceKind::Woocommerce => read::woocommerce(delivery, body, &limits),
            SourceKind::Cafe24 => read::cafe24(delivery, body, &limits),
            SourceKind::Kakao => read::kakao(delivery, body, &limits),
        }
    })
    .await?;
    let asked = std::mem::take(&mut parsed.privacy);
    ingest::take(&app, &via, parsed).await?;
    for request in asked {
        privacy(&app, &via, request).await?;
    }
    Ok(good())
}

/// The same for a source that there is not: nobody finds out which there are.
fn unproved(app: &Arc<App>, ip: std::net::IpAddr) -> Box<ApiError> {
    let e = guard::stranger(app, ip);
    if e.code != "unauthorized" {
        return e;
    }
    let (ko, en) = (
        "서명이나 비밀 값이 맞지 않거나, 이 이름으로 연결된 쇼핑몰이 없습니다. 데이터 > 연결에서 이름, 종류, 비밀 값을 확인하세요.",
        "the signature or secret is wrong, or no source of this kind has this name. See the source's name, kind and secret.",
    );
    ApiError::new(axum::http::StatusCode::UNAUTHORIZED, "bad_signature", ko, en)
}

fn is_proved(kind: SourceKind, secret: &str, header: &impl Fn(&str) -> String, body: &[u8]) -> bool {
    match kind {
        SourceKind::Shopify => read::verify_hmac(secret.as_bytes(), body, &header("x-shopify-hmac-sha256")),
        SourceKind::Woocommerce => read::verify_hmac(secret.as_bytes(), body, &header("x-wc-webhook-signature")),
        SourceKind::Cafe24 => read::verify_secret(secret, &header("x-api-key")),
        SourceKind::Kakao => {
            let sent = header("authorization");
            read::verify_secret(secret, sent.strip_prefix("KakaoAK ").unwrap_or(&sent))
        }
    }
}

/// What a platform asks on behalf of a person. The request is on disk before it is answered, in the quarantine: erasing
/// goes on behind, as platforms wait a few seconds only, and the rest waits for somebody.
async fn privacy(app: &Arc<App>, via: &str, request: Privacy) -> ApiResult<()> {
    if request.ask == Ask::Erase {
        let mut known = vec![];
        for who in &request.who {
            let asked = who.clone();
            match app.ask(move |b| b.customer(&asked)).await {
                Ok(_) => known.push(who.clone()),
                Err(e) if e.code == "not_found" => {}
                Err(e) => return Err(e),
            }
        }
        // Nobody here goes by these names: nothing to erase.
        if known.is_empty() {
            return Ok(());
        }
    }
    let (code, ko, en) = match request.ask {
        Ask::Erase => (
            ERASE,
            "쇼핑몰이 고객 삭제를 요청했습니다. 지우고 있으며, 끝나면 이 줄도 사라집니다.",
            "the shop asks to erase a customer. It is being done; this line goes with it.",
        ),
        Ask::EraseShop => (
            "privacy_erase_shop",
            "쇼핑몰이 앱을 지웠습니다. 이 쇼핑몰에서 온 고객 자료를 지우세요.",
            "the shop has removed the app. Erase the customers that came from it.",
        ),
        _ => (
            "privacy_export",
            "고객이 자기 자료를 요청했습니다. 고객 내보내기로 내려받아 전달하세요.",
            "a customer asks for their data. Export the customer and hand it over.",
        ),
    };
    let who: Vec<String> = request.who.iter().map(gyul_model::Identifier::handle).collect();
    let content = json!({ "id": request.id, "source": request.source, "who": who }).to_string();
    let rejected = Rejected { code, place: String::new(), ko: ko.into(), en: en.into(), content };
    let incoming =
        Incoming { rejects: vec![rejected], via: via.to_string(), received: Some(app.now()), ..Incoming::default() };
    let kept = app.backend.ingest(incoming).await;
    kept.map_err(|r: Refusal| Box::<ApiError>::from(r))?;
    if request.ask == Ask::Erase {
        tokio::spawn(erase(Arc::clone(app), via.to_string(), request.who));
    }
    Ok(())
}

/// How a request for erasure is called in the quarantine, until it is done.
const ERASE: &str = "privacy_erase";

/// Erasures that a platform asked for and that the last stop of the server interrupted.
pub async fn finish_erasures(app: Arc<App>) {
    let Ok(waiting) = app.ask(|b| b.quarantine(None, usize::MAX)).await else { return };
    for q in waiting.into_iter().filter(|q| q.code == ERASE) {
        let content: serde_json::Value = serde_json::from_str(&q.content).unwrap_or_default();
        let who = content["who"].as_array().into_iter().flatten().filter_map(|w| w.as_str());
        let who = who.map(gyul_model::Identifier::of_handle).collect();
        erase(Arc::clone(&app), q.via, who).await;
    }
}

/// Erases, and keeps the report in the audit log.
async fn erase(app: Arc<App>, via: String, who: Vec<gyul_model::Identifier>) {
    for id in who {
        let (asked, target) = (id.clone(), audit::pseudonym(&app, &id.handle()));
        let report = match app.ask(move |b| b.erase(&asked)).await {
            Ok(report) => report,
            // The same person under another name.
            Err(e) if e.code == "not_found" => continue,
            Err(e) => {
                // It stays in the quarantine, and the next start tries again.
                let why = "an erasure that a shop asked for was not done";
                app.log(&json!({ "level": "error", "why": why, "code": e.code, "target": target }));
                continue;
            }
        };
        let entry = audit::Entry {
            number: 0,
            at: app.now().to_string(),
            who: via.clone(),
            what: "eraseCustomer".into(),
            target: Some(target),
            report: serde_json::to_value(&report).ok(),
        };
        if let Err(e) = audit::put(&app, &entry).await {
            app.log(&json!({ "level": "error", "why": "the report of an erasure was not kept", "code": e.code, "report": entry.report }));
        }
    }
}
