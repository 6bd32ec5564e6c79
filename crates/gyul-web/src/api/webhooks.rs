//! Shops and messengers call: each delivery is proved by its source's secret.

use super::ingest;
use crate::access::{Source, SourceKind};
use crate::app::App;
use crate::args;
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
    let source = source.ok_or_else(|| guard::stranger(&app, ip))?;
    if kind == SourceKind::Woocommerce && header("x-wc-webhook-topic").is_empty() && body.starts_with(b"webhook_id=") {
        // The sign of life when a webhook is saved comes unsigned, and says nothing.
        return Ok(good());
    }
    if !is_proved(kind, &source.secret, &header, &body) {
        return Err(guard::stranger(&app, ip));
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

/// What a platform asks on behalf of a person: erasing is done, the rest waits for somebody in the quarantine.
async fn privacy(app: &Arc<App>, via: &str, request: Privacy) -> ApiResult<()> {
    if request.ask == Ask::Erase {
        for who in request.who {
            match app.ask(move |b| b.erase(&who)).await {
                Ok(_) => {}
                // Nobody here goes by that name: nothing to erase.
                Err(e) if e.code == "not_found" => {}
                Err(e) => return Err(e),
            }
        }
        return Ok(());
    }
    let (code, ko, en) = match request.ask {
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
    kept.map(|_| ()).map_err(|r: Refusal| r.into())
}
