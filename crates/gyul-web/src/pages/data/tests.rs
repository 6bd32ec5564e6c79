//! The data pages through the whole stack.

use crate::access::Role;
use crate::data::Rejected;
use crate::fake::HOSTILE;
use crate::tests::{Answer, Bed};
use axum::body::Body;
use axum::http::Method;

async fn page(bed: &Bed, role: Role, path: &str) -> Answer {
    let request = bed.request(role, Method::GET, path).header("accept", "text/html").header("cookie", "gyul_lang=ko");
    bed.send(request.body(Body::empty()).unwrap()).await
}

async fn form(bed: &Bed, path: &str, body: &str) -> Answer {
    let request = bed.request(Role::Marketer, Method::POST, path);
    let request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
    bed.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_file_is_looked_at_before_it_is_imported() {
    let bed = Bed::new();
    let draft = bed.post("/api/v1/drafts?name=orders.csv", "id,<b>amount\n1,10\n2,x\n").await;
    assert_eq!(draft.status, 201, "{}", draft.text());
    assert_eq!(draft.json()["id"], 1);
    let shown = page(&bed, Role::Marketer, "/data/import/1").await;
    assert!(
        shown.text().contains("name=\"column-1\"") && shown.text().contains("&#60;b&#62;amount"),
        "{}",
        shown.text()
    );
    // One choice, as the page sends it.
    let chosen =
        "kind=orders&kind-before=orders&rows=orders&time=ymd&column-0=customer&column-1=trait%3Anumber&name-1=spent";
    let changed = form(&bed, "/data/import/1", chosen).await;
    assert!(changed.text().contains("<option value=\"customer\" selected>"), "{}", changed.text());
    assert!(changed.text().contains("<option value=\"trait:number\" selected>"));
    assert!(changed.text().contains("name=\"name-1\" value=\"spent\""));
    let bad = form(&bed, "/data/import/1", "apply=yaml&yaml=oops").await;
    assert!(bad.text().contains("role=\"alert\"") && bad.text().contains("name=\"column-0\""));
    let started = form(&bed, "/data/import/1/start", chosen).await;
    assert_eq!(started.headers["location"], "/data/imports/0");
    let progress = page(&bed, Role::ReadOnly, "/data/imports/0").await;
    assert!(progress.text().contains("hx-trigger=\"every 1s\""), "{}", progress.text());
    assert_eq!(page(&bed, Role::Analyst, "/data/import").await.status, 403);
    assert_eq!(page(&bed, Role::Owner, "/data/import/99").await.status, 404);
    // What deserves a look is said in the reader's language, once it is done.
    let remark = crate::data::Problem {
        ko: "통화가 섞여 있습니다".into(),
        en: "several currencies".into(),
        ..Default::default()
    };
    bed.fake.with(|s| (s.imports[0].0.done, s.imports[0].0.remarks) = (true, vec![remark]));
    assert!(page(&bed, Role::ReadOnly, "/data/imports/0").await.text().contains("통화가 섞여 있습니다"));
    assert_eq!(page(&bed, Role::Owner, "/data/imports/99").await.status, 404);
}

#[tokio::test]
async fn a_draft_of_the_api_is_tried_imported_and_dropped() {
    let bed = Bed::new();
    bed.post("/api/v1/drafts?name=a.csv", "x,y\n1,2\n").await;
    assert_eq!(bed.get("/api/v1/drafts/1").await.json()["columns"][0]["column"], "x");
    assert_eq!(bed.post("/api/v1/drafts/1/import", "kind: orders\n").await.status, 202);
    assert_eq!(bed.delete("/api/v1/drafts/1").await.status, 204);
    bed.get("/api/v1/drafts/9").await.is_problem(404, "not_found");
    bed.post("/api/v1/drafts?name=a.csv", "").await.is_problem(400, "body_empty");
    bed.post("/api/v1/drafts?name=..%2Fa.csv", "x").await.is_problem(400, "bad_name");
}

#[tokio::test]
async fn what_was_not_taken_is_shown_mended_and_sent_again() {
    let bed = Bed::new();
    let reject = |content: &str| Rejected {
        code: "time_future",
        place: "ts".into(),
        ko: "미래의 이벤트입니다".into(),
        en: "an event of the future".into(),
        content: content.into(),
    };
    bed.fake.with(|s| s.rejects = vec![reject("{\"a\":1}"), reject(HOSTILE)]);
    let shown = page(&bed, Role::Marketer, "/data/quarantine?code=time_future").await;
    assert!(
        shown.text().contains("미래의 이벤트입니다") && !shown.text().contains("<script>alert"),
        "{}",
        shown.text()
    );
    let veiled = page(&bed, Role::Analyst, "/data/quarantine").await;
    assert!(!veiled.text().contains("alert(1)") && !veiled.text().contains("<textarea"), "{}", veiled.text());
    assert_eq!(page(&bed, Role::ReadOnly, "/data/quarantine").await.status, 403);
    let bad = form(&bed, "/data/quarantine/0", "content=%7Bno").await;
    assert!(bad.text().contains("role=\"alert\""));
    let mended = form(&bed, "/data/quarantine/0", "content=%7B%22a%22%3A2%7D&code=x&then=replay").await;
    assert_eq!(mended.headers["location"], "/data/quarantine?done=replayed&taken=1&left=0&code=x");
    assert_eq!(bed.fake.with(|s| s.rejects[0].content.clone()), "{\"a\":2}");
    let all = form(&bed, "/data/quarantine/replay", "code=time_future").await;
    assert!(all.headers["location"].to_str().unwrap().contains("taken=2"));
    let file = page(&bed, Role::Marketer, "/data/quarantine/imports/1").await;
    assert!(file.text().starts_with("\u{feff}a,b"));
    assert_eq!(form(&bed, "/data/quarantine/imports/1/settle", "x=1").await.status, 303);
}

#[tokio::test]
async fn a_plan_with_a_fault_stays_on_the_page_and_sources_are_connected() {
    let bed = Bed::new();
    let saved = form(&bed, "/data/events", "yaml=version%3A%201").await;
    assert_eq!(saved.headers["location"], "/data/events?done=saved");
    let proposed = page(&bed, Role::Owner, "/data/events?propose=seen").await;
    assert!(proposed.text().contains("Order Completed:"), "{}", proposed.text());
    let own = |path: &'static str, body: &'static str| {
        let request = bed.request(Role::Owner, Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        bed.send(request.body(Body::from(body)).unwrap())
    };
    let short = own("/data/sources", "kind=shopify&name=main&secret=x").await;
    assert!(short.text().contains("role=\"alert\""), "{}", short.text());
    let made = own("/data/sources", "kind=shopify&name=main&secret=long-enough-secret").await;
    assert_eq!(made.headers["location"], "/data/sources?done=saved");
    let shown = page(&bed, Role::Owner, "/data/sources").await;
    assert!(shown.text().contains("/webhooks/shopify/main") && !shown.text().contains("long-enough-secret"));
    assert_eq!(page(&bed, Role::Marketer, "/data/sources").await.status, 403);
    let gone = own("/data/sources/main/delete", "x=1").await;
    assert_eq!(gone.headers["location"], "/data/sources?done=gone");
}

#[tokio::test]
async fn what_a_key_sends_is_on_the_page_of_sources_and_in_the_api() {
    let bed = Bed::new();
    let before = page(&bed, Role::Owner, "/data/sources").await;
    assert!(before.text().contains("받은 이벤트가 없습니다"), "{}", before.text());
    let events = r#"[{"customer":"C1","name":"A"},{"customer":"C1","name":"B"},{"name":"nobody"}]"#;
    let sent = bed.call(Role::Ingest, Method::POST, "/api/v1/events", events).await.json();
    let flows = bed.get("/api/v1/traffic").await.json();
    let flow = &flows["items"][0];
    assert_eq!(flow["hour"], serde_json::json!({ "accepted": 2, "duplicates": 0, "rejected": 1 }), "{sent} {flows}");
    assert_eq!(flow["by_minute"].as_array().map(Vec::len), Some(60));
    let part = page(&bed, Role::Owner, "/data/sources/traffic").await;
    let name = flow["via"].as_str().and_then(|v| v.strip_prefix("key:")).unwrap();
    assert!(part.text().contains(&format!("<bdi>{name}</bdi>")) && part.text().contains("33"), "{}", part.text());
    assert_eq!(page(&bed, Role::Marketer, "/data/sources/traffic").await.status, 403);
}
