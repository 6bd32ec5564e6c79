//! Events in: the shapes, the ways to show a key, what pages of other origins may.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;

fn track(n: u32) -> String {
    json!({ "type": "track", "event": "Product Viewed", "anonymousId": "a1", "messageId": format!("m{n}"),
        "properties": { "product_id": "P1" } })
    .to_string()
}

#[tokio::test]
async fn long_and_short_paths_take_any_content_type_and_any_way_to_show_the_key() {
    let bed = Bed::new();
    let key = bed.key(Role::Ingest).to_string();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let ways = [basic(&format!("{key}:")), basic(&key), format!("Bearer {key}"), format!("bearer  {key}")];
    for (n, way) in ways.iter().enumerate() {
        let request = Request::post(["/v1/track", "/v1/t"][n % 2])
            .header("authorization", way)
            .header("content-type", "text/plain")
            .body(Body::from(track(n as u32)))
            .unwrap();
        assert_eq!(bed.send(request).await.text(), r#"{"success":true}"#, "{way}");
    }
    let mut in_body: Value = serde_json::from_str(&track(10)).unwrap();
    in_body["writeKey"] = json!(key);
    let request = |body: &Value| Request::post("/v1/t").body(Body::from(body.to_string())).unwrap();
    assert_eq!(bed.send(request(&in_body)).await.status, 200);
    in_body["writeKey"] = json!("wrong");
    bed.send(request(&in_body)).await.is_problem(401, "unauthorized");
    in_body["writeKey"] = json!(bed.key(Role::Analyst));
    bed.send(request(&in_body)).await.is_problem(403, "forbidden");
    assert_eq!(bed.fake.with(|s| s.messages.len()), 5);
    // A retry changes nothing.
    assert_eq!(bed.call(Role::Ingest, Method::POST, "/v1/track", track(1)).await.status, 200);
    assert_eq!(bed.fake.with(|s| s.messages.len()), 5);
}

#[tokio::test]
async fn bad_events_of_a_batch_wait_in_the_quarantine_and_good_ones_come_in() {
    let bed = Bed::new();
    let batch = format!(r#"{{"batch":[{},{{"type":"track","event":"X"}},{}]}}"#, track(1), track(2));
    assert_eq!(bed.post("/v1/batch", batch).await.text(), r#"{"success":true}"#);
    assert_eq!(bed.fake.with(|s| (s.messages.len(), s.rejects.len())), (2, 1));
    assert_eq!(bed.fake.with(|s| s.rejects[0].code), "no_user_anon_id");
    bed.post("/v1/batch", "{").await.is_problem(400, "bad_json");
    bed.post("/v1/batch", "").await.is_problem(400, "body_empty");
}

#[tokio::test]
async fn what_is_not_on_disk_is_not_acknowledged() {
    let bed = Bed::new();
    for refusal in [crate::Refusal::Busy(2), crate::Refusal::Storage(2), crate::Refusal::Stopping] {
        bed.fake.with(|s| s.refusal = Some(refusal));
        let answer = bed.post("/v1/t", track(1)).await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(bed.get("/ready").await.status, 503);
    assert_eq!(bed.get("/health").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_may_send_and_nothing_else() {
    let bed = Bed::new();
    let preflight = |path: &str| {
        Request::options(path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .body(Body::empty())
            .unwrap()
    };
    for path in ["/v1/t", "/v1/batch", "/api/v1/events", "/mp/collect"] {
        let answer = bed.send(preflight(path)).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert!(answer.headers["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    }
    for path in ["/api/v1/customers/C1", "/v1/changes", "/api/v1/session", "/api/v1/keys"] {
        let answer = bed.send(preflight(path)).await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let refused = bed.send(Request::post("/v1/t").body(Body::from(track(1))).unwrap()).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["access-control-allow-origin"], "*", "the page must be able to read why");
}

#[tokio::test]
async fn our_own_form_tells_of_each_event_that_was_not_taken() {
    let bed = Bed::new();
    let body =
        r#"[{"customer":"C1","name":"Order Completed","id":"1","props":{"order_id":"1","total":1}},{"name":"x"}]"#;
    let answer = bed.post("/api/v1/events", body).await.json();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["errors"][0]["index"], 1);
    assert!(!answer["errors"][0]["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn ga4_is_taken_with_its_secret_in_the_query_and_debugged_without_keeping() {
    let bed = Bed::new();
    let body = r#"{"client_id":"1.2","events":[{"name":"view_item","params":{"items":[{"item_id":"P1"}]}}]}"#;
    let path = |base: &str, key: &str| format!("{base}?measurement_id=G-1&api_secret={key}");
    let send = |path: String| Request::post(path).body(Body::from(body)).unwrap();
    let key = bed.key(Role::Ingest);
    let debug = bed.send(send(path("/debug/mp/collect", key))).await;
    assert!(debug.json()["validationMessages"].is_array());
    assert!(bed.fake.with(|s| s.messages.is_empty()));
    assert_eq!(bed.send(send(path("/mp/collect", key))).await.status, 204);
    assert!(bed.fake.with(|s| !s.messages.is_empty()));
    bed.send(send(path("/mp/collect", "no"))).await.is_problem(401, "unauthorized");
}

async fn shopify(bed: &Bed, secret: &str, topic: &str, body: &'static str) -> Answer {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let request = Request::post("/webhooks/shopify/main")
        .header("x-shopify-topic", topic)
        .header("x-shopify-webhook-id", "w1")
        .header("x-shopify-hmac-sha256", STANDARD.encode(mac.finalize().into_bytes()))
        .body(Body::from(body))
        .unwrap();
    bed.send(request).await
}

#[tokio::test]
async fn webhooks_are_proved_by_their_source() {
    let bed = Bed::new();
    let source = json!({ "kind": "shopify", "secret": "a long secret" }).to_string();
    assert_eq!(bed.put("/api/v1/sources/main", source).await.status, 204);
    let listed = bed.get("/api/v1/sources").await;
    assert_eq!(listed.json()["items"][0]["path"], "/webhooks/shopify/main");
    assert!(!listed.text().contains("a long secret"));

    let customer =
        r#"{"id":7,"email":"kim@example.kr","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
    shopify(&bed, "another secret", "customers/create", customer).await.is_problem(401, "bad_signature");
    assert!(bed.fake.with(|s| s.messages.is_empty()));
    assert_eq!(shopify(&bed, "a long secret", "customers/create", customer).await.status, 200);
    assert_eq!(bed.fake.with(|s| s.messages.len()), 1);

    let redact =
        r#"{"shop_domain":"x.myshopify.com","customer":{"id":7,"email":"kim@example.kr"},"orders_to_redact":[]}"#;
    assert_eq!(shopify(&bed, "a long secret", "customers/redact", redact).await.status, 200);
    // On disk when it is answered; done behind, with its report.
    assert!(bed.fake.with(|s| s.rejects.iter().any(|r| r.code == "privacy_erase" && r.content.contains("kim@"))));
    let done = async {
        while bed.fake.with(|s| s.audit.iter().filter(|a| String::from_utf8_lossy(a).contains("eraseCustomer")).count())
            == 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), done).await.unwrap();
    assert!(bed.fake.with(|s| !s.erased.is_empty()));
    let line = bed.get("/api/v1/audit").await.json()["items"][0].clone();
    assert_eq!((&line["who"], &line["report"]["removed"]["log"]), (&"webhook:main".into(), &1.into()));
    assert!(line["target"].as_str().unwrap().starts_with("customer-"), "{line}");
    // What a stop interrupted is done by the next start.
    bed.fake.with(|s| s.erased.clear());
    crate::api::webhooks::finish_erasures(bed.app.clone()).await;
    assert!(bed.fake.with(|s| !s.erased.is_empty()));
    let request =
        r#"{"shop_domain":"x.myshopify.com","customer":{"id":7,"email":"kim@example.kr"},"data_request":{"id":1}}"#;
    assert_eq!(shopify(&bed, "a long secret", "customers/data_request", request).await.status, 200);
    assert_eq!(bed.fake.with(|s| s.rejects.last().unwrap().code), "privacy_export");

    let other_kind =
        Request::post("/webhooks/kakao/main").header("authorization", "a long secret").body(Body::from("{}"));
    assert_eq!(bed.send(other_kind.unwrap()).await.status, 401, "a source has one kind");
    assert_eq!(bed.delete("/api/v1/sources/main").await.status, 204);
    assert_eq!(shopify(&bed, "a long secret", "customers/create", customer).await.status, 401);
}

#[tokio::test]
async fn shared_secrets_and_unsigned_pings() {
    let bed = Bed::new();
    for (name, kind) in [("c", "cafe24"), ("k", "kakao"), ("w", "woocommerce")] {
        let source = json!({ "kind": kind, "secret": "a long secret" }).to_string();
        assert_eq!(bed.put(&format!("/api/v1/sources/{name}"), source).await.status, 204);
    }
    let send = |path: &str, header: &str, value: &str, body: &'static str| {
        Request::post(path).header(header, value).body(Body::from(body)).unwrap()
    };
    let cafe = r#"{"event_no":90032,"resource":{"mall_id":"m","member_id":"u1","name":"김","created_date":"2026-01-01T00:00:00+09:00"}}"#;
    assert_eq!(bed.send(send("/webhooks/cafe24/c", "x-api-key", "a long secret", cafe)).await.status, 200);
    assert_eq!(bed.send(send("/webhooks/cafe24/c", "x-api-key", "a long secreT", cafe)).await.status, 401);
    let kakao = r#"{"event":"added","id":"1234567890","id_type":"app_user_id","channel_public_id":"_x","updated_at":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(bed.send(send("/webhooks/kakao/k", "authorization", "KakaoAK a long secret", kakao)).await.status, 200);
    assert_eq!(bed.send(send("/webhooks/kakao/k", "authorization", "KakaoAK x", kakao)).await.status, 401);
    assert_eq!(
        bed.send(send("/webhooks/woocommerce/w", "user-agent", "WooCommerce", "webhook_id=3")).await.status,
        200
    );
    assert_eq!(bed.send(send("/webhooks/woocommerce/w", "user-agent", "WooCommerce", "{}")).await.status, 401);
}

#[tokio::test]
async fn the_browser_library_finds_its_settings() {
    let bed = Bed::new();
    let request =
        Request::get("/v1/projects/WK/settings").header("host", "shop.example:7700").body(Body::empty()).unwrap();
    let answer = bed.send(request).await;
    let segment = &answer.json()["integrations"]["Segment.io"];
    assert_eq!(segment, &json!({ "apiKey": "WK", "apiHost": "shop.example:7700/v1", "protocol": "http" }));
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn the_tracker_is_small() {
    let bed = Bed::new();
    let answer = bed.send(Request::get("/gyul.js").body(Body::empty()).unwrap()).await;
    assert!(answer.body.len() < 4096, "{}", answer.body.len());
    assert!(answer.text().contains("sendBeacon"));
}
