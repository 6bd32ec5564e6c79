//! What each endpoint answers when all is well, and when the backend says no.

use super::*;
use crate::Refusal;
use crate::data::Moved;
use serde_json::json;

#[tokio::test]
async fn customers_are_found_shown_joined_and_erased() {
    let bed = Bed::new();
    assert_eq!(bed.get("/api/v1/customers?search=kim").await.json()["items"][0]["id"], "kim");
    let customer = bed.get("/api/v1/customers/email:a%40b.kr").await.json();
    assert_eq!(customer["id"], "email:a@b.kr");
    assert_eq!(customer["traits"]["age"], 31);
    assert_eq!(customer["first_seen"], "2026-01-01T00:00:00Z");
    assert_eq!(bed.get("/api/v1/customers/C1/decision").await.json()["segments"], json!(["vip"]));
    assert_eq!(bed.get("/api/v1/customers/C1/why/segments/vip").await.json()["member"], false);
    let merged = bed.post("/api/v1/customers/C1/merge", r#"{"from":"anonymous:a1"}"#).await.json();
    assert_eq!((&merged["customer"], &merged["from"]), (&json!("C1"), &json!("anonymous:a1")));
    bed.post("/api/v1/customers/C1/merge", r#"{"from":"C1"}"#).await.is_problem(409, "conflict");
    bed.post("/api/v1/customers/C1/merge", r#"{"from":"x","extra":1}"#).await.is_problem(400, "bad_shape");
    assert_eq!(bed.post("/api/v1/merges/1/undo", "").await.status, 204);
    bed.post("/api/v1/merges/404/undo", "").await.is_problem(404, "not_found");
    bed.post("/api/v1/merges/x/undo", "").await.is_problem(404, "not_found");
    assert_eq!(bed.get("/api/v1/customers/C1/export").await.json()["id"], "C1");
    assert_eq!(bed.delete("/api/v1/customers/C1").await.json()["removed"]["log"], 1);
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let bed = Bed::new();
    let (mut seen, mut cursor) = (vec![], String::new());
    loop {
        let page = bed.get(&format!("/api/v1/customers/C1/timeline?limit=2&cursor={cursor}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_string(),
            None => break,
        }
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);
    let first = bed.get("/api/v1/segments/vip/members?limit=5").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 5);
    assert_eq!(first["next"], Value::Null, "a full last page is the last");
}

#[tokio::test]
async fn definitions_are_saved_in_versions_and_problems_name_their_place() {
    let bed = Bed::new();
    for things in ["segments", "partitions", "measures"] {
        let path = format!("/api/v1/{things}/x");
        let saved = bed.put(&path, "when: count(order) > 1").await;
        assert_eq!(saved.headers["etag"], "\"1\"");
        assert_eq!(saved.json()["state"], "live");
        let got = bed.get(&path).await;
        assert_eq!(got.json()["yaml"], "when: count(order) > 1");
        assert_eq!(got.headers["etag"], "\"1\"");
        assert_eq!(bed.get(&format!("/api/v1/{things}")).await.json()["items"][0]["id"], "x");
        let guarded = |tag: &str| {
            bed.request(Role::Marketer, Method::PUT, &path).header("if-match", tag).body(Body::from("b")).unwrap()
        };
        bed.send(guarded("\"7\"")).await.is_problem(409, "conflict");
        bed.send(guarded("x")).await.is_problem(400, "bad_if_match");
        assert_eq!(bed.send(guarded("\"1\"")).await.headers["etag"], "\"2\"");
        assert_eq!(bed.get(&format!("{path}/versions")).await.json()["items"][0]["version"], 2);
        assert_eq!(bed.post(&format!("/api/v1/{things}/preview"), "b").await.json()["size"], 1);
        bed.post(&format!("/api/v1/{things}/preview"), "oops").await.is_problem(422, "invalid");
        bed.put(&path, vec![0xff]).await.is_problem(400, "bad_utf8");
        assert_eq!(bed.delete(&path).await.status, 204);
        bed.delete(&path).await.is_problem(404, "not_found");
    }
    let request = |lang: &str| {
        let builder = bed.request(Role::Owner, Method::PUT, "/api/v1/segments/x").header("accept-language", lang);
        builder.body(Body::from("oops")).unwrap()
    };
    let ko = bed.send(request("ko-KR,ko;q=0.9,en;q=0.5")).await;
    let errors = ko.is_problem(422, "invalid")["errors"].clone();
    assert_eq!(
        errors[0],
        json!({ "code": "unknown_name", "severity": "error", "line": 1, "column": 7,
        "message": "알 수 없는 이름입니다", "hint": "가까운 이름: order" })
    );
    assert_eq!(ko.headers["content-language"], "ko");
    assert_eq!(bed.send(request("en")).await.json()["errors"][0]["message"], "an unknown name");
}

#[tokio::test]
async fn members_history_and_overlap() {
    let bed = Bed::new();
    assert_eq!(bed.get("/api/v1/partitions/p/members?class=a").await.json()["items"].as_array().unwrap().len(), 5);
    let history = bed.get("/api/v1/segments/s/history?until=2026-01-01T09:00:00%2B09:00&days=7").await.json();
    assert_eq!(history["items"][0]["at"], "2025-10-03T00:00:00Z");
    assert_eq!(history["items"][1]["at"], "2026-01-01T00:00:00Z");
    assert_eq!(bed.get("/api/v1/overlap?segments=a,b").await.status, 200);
}

#[tokio::test]
async fn the_quarantine_is_listed_mended_and_replayed() {
    let bed = Bed::new();
    bed.post("/v1/batch", r#"{"batch":[{"type":"x"},{"type":"y"},{"type":"z"}]}"#).await;
    let page = bed.get("/api/v1/quarantine?limit=2").await.json();
    assert_eq!(page["items"][0]["number"], 2);
    let next = format!("/api/v1/quarantine?limit=2&cursor={}", page["next"].as_str().unwrap());
    assert_eq!(bed.get(&next).await.json()["items"][0]["number"], 0);
    assert_eq!(bed.put("/api/v1/quarantine/0", r#"{"type":"track"}"#).await.status, 204);
    bed.put("/api/v1/quarantine/0", "{").await.is_problem(400, "bad_json");
    bed.put("/api/v1/quarantine/9", "{}").await.is_problem(404, "not_found");
    assert_eq!(bed.post("/api/v1/quarantine/replay", r#"{"numbers":[0]}"#).await.json()["accepted"], 1);
    assert_eq!(bed.post("/api/v1/quarantine/replay", "{}").await.json()["accepted"], 3);
    assert_eq!(bed.get("/api/v1/events").await.json()["items"][0]["name"], "Order Completed");
    assert_eq!(bed.put("/api/v1/plan", "version: 1").await.status, 204);
    assert_eq!(bed.get("/api/v1/plan").await.text(), "version: 1");
}

#[tokio::test]
async fn files_are_uploaded_and_imported() {
    let bed = Bed::with(|o| o.upload_bytes_max = 1000);
    let answer = bed.post("/api/v1/imports?name=orders.csv", "a,b\n1,2\n").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["bytes"]), (202, &json!(8)));
    assert_eq!(bed.fake.with(|s| std::fs::read(&s.imports[0].1).unwrap()), b"a,b\n1,2\n");
    assert_eq!(bed.get("/api/v1/imports/0").await.json()["name"], "orders.csv");
    assert_eq!(bed.get("/api/v1/imports").await.json()["items"].as_array().unwrap().len(), 1);
    bed.post("/api/v1/imports?name=a.csv", vec![0; 1001]).await.is_problem(413, "body_too_large");
    bed.post("/api/v1/imports?name=a.csv", "").await.is_problem(400, "body_empty");
    bed.post("/api/v1/imports?name=../a.csv", "x").await.is_problem(400, "bad_name");
    bed.post("/api/v1/imports", "x").await.is_problem(400, "missing_parameter");
    assert_eq!(std::fs::read_dir(&bed.app.options.uploads).unwrap().count(), 1, "what was refused is removed");
}

#[tokio::test]
async fn settings_metrics_health_and_pages() {
    let bed = Bed::new();
    let settings = json!({ "zone": "Asia/Tokyo", "currency": "JPY", "retention": "keep 3y" });
    let kept = json!({ "zone": "Asia/Tokyo", "currency": "JPY", "retention": null, "retention_days": 400 });
    bed.put("/api/v1/settings", kept.to_string()).await.is_problem(400, "bad_shape");
    // Nobody has said that old events come back.
    let unsaid = json!({ "zone": "Asia/Tokyo", "currency": "JPY" });
    bed.put("/api/v1/settings", unsaid.to_string()).await.is_problem(400, "bad_shape");
    assert_eq!(bed.put("/api/v1/settings", settings.to_string()).await.status, 204);
    assert_eq!(bed.get("/api/v1/settings").await.json(), settings);
    let line = &bed.get("/api/v1/audit").await.json()["items"][0];
    assert_eq!((&line["what"], &line["target"]), (&json!("putSettings"), &json!("Asia/Tokyo, JPY, keep 3y")));
    let metrics = bed.get("/metrics").await;
    for line in [
        "gyul_http_requests_total{status=\"2xx\"} 3",
        "gyul_http_requests_total{status=\"4xx\"} 2",
        "# TYPE gyul_segment_size gauge",
        "gyul_segment_size{segment=\"v\\\"i\\np\"} 3",
        "gyul_http_request_seconds_count 5",
    ] {
        assert!(metrics.text().lines().any(|l| l == line), "{line} in {}", metrics.text());
    }
    assert_eq!(bed.get("/ready").await.json()["status"], "ready");
    for path in ["/api/docs", "/api/docs.js", "/api/docs.css", "/gyul.js"] {
        let page = bed.get(path).await;
        assert_eq!(page.status, 200);
        assert!(!page.text().contains("https://") || path == "/gyul.js", "{path} asks elsewhere");
        assert!(!page.headers["content-security-policy"].to_str().unwrap().contains("unsafe"));
    }
}

#[tokio::test]
async fn how_far_back_to_look_is_chosen_in_words() {
    let bed = Bed::new();
    for (chosen, day, kept, shown) in [
        ("", "", None, "At everything"),
        ("keep 1y", "", Some("keep 1y"), "At the last year"),
        ("keep 3y", "2024-03-01", Some("keep 3y"), "At the last 3 years"),
        ("keep 300d", "", Some("keep 300d"), "At the last 300 days"),
        ("keep 18mo", "", Some("keep 18mo"), "At the last 18 months"),
        ("ignore events before", "2024-03-01", Some("ignore events before 2024-03-01"), "From a date on"),
        ("ignore events before 2024-03-01 10:00", "", Some("ignore events before 2024-03-01 10:00"), "10:00"),
    ] {
        let form = format!("zone=Asia/Seoul&currency=KRW&retention={chosen}&first_day={day}").replace(' ', "+");
        assert_eq!(bed.post("/settings", form).await.status, 303, "{chosen}");
        assert_eq!(bed.fake.with(|s| s.settings.retention.clone()).as_deref(), kept, "{chosen}");
        let page = bed.get("/settings").await.text().to_string();
        let selected: Vec<&str> = page.split("<option").filter(|o| o.contains(" selected>")).collect();
        let [one] = &selected[..] else { panic!("{chosen}: {selected:?}") };
        assert!(one.contains(shown), "{chosen}: {one}");
        assert_eq!(page.contains("value=\"2024-03-01\""), chosen == "ignore events before", "{chosen}");
    }
}

#[tokio::test]
async fn rules_of_identity_are_the_same_by_form_and_by_api() {
    let bed = Bed::new();
    let rules = json!({
        "limits": { "user": 1, "email": 5, "phone": 0, "kakao": 5, "device": 20, "anonymous": 100 },
        "verify": ["email", "phone"], "verified_sources": ["shopify", "api"], "alias_joins_users": true,
        "blocked": ["매장 손님", "email:*@counter.kr"],
    });
    assert_eq!(bed.put("/api/v1/settings/identity", rules.to_string()).await.status, 204);
    assert_eq!(bed.get("/api/v1/settings/identity").await.json(), rules);
    assert_eq!(bed.get("/api/v1/audit").await.json()["items"][0]["target"], "identity");
    bed.fake.with(|s| s.rules.known.sources = vec!["shopify".into(), "segment".into(), "api".into()]);
    let page = bed.get("/settings").await.text().to_string();
    for shown in [
        "name=\"limit-phone\" value=\"0\"",
        "value=\"email\" checked",
        "name=\"source\" value=\"api\" checked",
        "name=\"source\" value=\"segment\">",
        "name=\"alias\" value=\"yes\" checked",
        "매장 손님\nemail:*@counter.kr</textarea>",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    bed.fake.with(|s| s.rules = Default::default());
    let form = "limit-user=1&limit-email=5&limit-phone=0&limit-kakao=5&limit-device=20&limit-anonymous=100&verify=email\
        &verify=phone&source=shopify&source=api&alias=yes&blocked=%EB%A7%A4%EC%9E%A5+%EC%86%90%EB%8B%98%0D%0A%0D%0A+email:*%40counter.kr";
    assert_eq!(bed.post("/settings/identity", form).await.status, 303);
    assert_eq!(bed.get("/api/v1/settings/identity").await.json(), rules);
    // What is no number is more than is allowed, never less.
    bed.post("/settings/identity", form.replace("limit-user=1", "limit-user=one")).await;
    assert_eq!(bed.fake.with(|s| s.rules.limits.user), u32::MAX);
    bed.call(Role::Marketer, Method::GET, "/api/v1/settings/identity", "").await.is_problem(403, "forbidden");
    assert!(!bed.call(Role::Marketer, Method::GET, "/settings", "").await.text().contains("limit-user"));
}

#[tokio::test]
async fn refusals_of_the_backend_have_a_status_and_a_code() {
    let bed = Bed::new();
    for (refusal, status, code) in [
        (Refusal::NotFound, 404, "not_found"),
        (Refusal::Invalid(vec![]), 422, "invalid"),
        (Refusal::Gone, 410, "gone"),
        (Refusal::Busy(1), 503, "busy"),
        (Refusal::Storage(1), 503, "storage"),
        (Refusal::Computing(1), 503, "computing"),
        (Refusal::Stopping, 503, "stopping"),
        (Refusal::Unsupported, 501, "unsupported"),
        (Refusal::Internal("the index is upside down".into()), 500, "internal"),
    ] {
        bed.fake.with(|s| s.refusal = Some(refusal));
        let answer = bed.get("/api/v1/segments").await;
        answer.is_problem(status, code);
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
        assert!(!answer.text().contains("upside down"));
    }
    assert!(bed.log.lock().unwrap().iter().any(|l| l.contains("upside down")));
}

#[tokio::test]
async fn the_same_post_with_one_key_is_done_once() {
    let bed = Bed::new();
    let merge = |key: &str, from: &str| {
        let builder =
            bed.request(Role::Owner, Method::POST, "/api/v1/customers/C1/merge").header("idempotency-key", key);
        builder.body(Body::from(format!(r#"{{"from":"{from}"}}"#))).unwrap()
    };
    let first = bed.send(merge("k1", "C2")).await;
    let again = bed.send(merge("k1", "C2")).await;
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["content-type"], "application/json");
    assert_eq!(bed.fake.with(|s| s.merges), 1);
    bed.send(merge("k1", "C3")).await.is_problem(422, "idempotency_other");
    assert_eq!(bed.send(merge("k2", "C2")).await.json()["decision"], 2);
    bed.send(merge("", "C2")).await.is_problem(400, "bad_idempotency_key");
    // What was refused may be tried again.
    bed.fake.with(|s| s.refusal = Some(Refusal::Busy(1)));
    assert_eq!(bed.send(merge("k3", "C2")).await.status, 503);
    bed.fake.with(|s| s.refusal = None);
    assert_eq!(bed.send(merge("k3", "C2")).await.status, 200);
    // A secret is not told twice, nor made twice.
    let make = || {
        let builder = bed.request(Role::Owner, Method::POST, "/api/v1/keys").header("idempotency-key", "k");
        builder.body(Body::from(r#"{"name":"n","role":"ingest"}"#)).unwrap()
    };
    assert_eq!(bed.send(make()).await.status, 201);
    bed.send(make()).await.is_problem(409, "idempotency_done");
    // Another caller's key is another key.
    let builder =
        bed.request(Role::Marketer, Method::POST, "/api/v1/customers/C1/merge").header("idempotency-key", "k1");
    assert_eq!(bed.send(builder.body(Body::from(r#"{"from":"C9"}"#)).unwrap()).await.json()["from"], "C9");
    // And each that was done has one line: two of k1's callers, k2 and k3.
    let audit = bed.get("/api/v1/audit").await.json();
    let lines = audit["items"].as_array().unwrap().iter().filter(|l| l["what"] == "mergeCustomers").count();
    assert_eq!(lines, 4);
}

#[tokio::test]
async fn changes_are_read_page_by_page() {
    let bed = Bed::new();
    for i in 0..5 {
        bed.fake.change(&format!("C{i}"), ["vip", "new"][i % 2], Moved::Entered);
    }
    let page = bed.get("/api/v1/changes?from=1&limit=3&segment=vip").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["items"][0]["customer"], "C2");
    assert_eq!((&page["items"][0]["moved"], &page["items"][0]["id"]), (&json!("entered"), &json!("vip")));
    assert_eq!(page["next"], "4");
    assert_eq!(bed.get("/api/v1/changes").await.json(), json!({ "items": [], "next": "5" }));
}

#[tokio::test]
async fn no_line_of_the_log_tells_who() {
    let bed = Bed::new();
    bed.get("/api/v1/customers/email:kim%40example.kr").await;
    bed.get("/api/v1/customers?search=kim%40example.kr").await;
    bed.get("/api/v1/nothing/kim@example.kr").await;
    bed.post("/v1/track", r#"{"userId":"kim@example.kr","event":1}"#).await;
    bed.post("/v1/track", r#"{"userId":"kim@example.kr""#).await;
    bed.post("/api/v1/customers/kim@example.kr/merge", r#"{"from":"kim@example.kr"}"#).await;
    let log = bed.log.lock().unwrap().join("\n");
    assert!(log.lines().count() >= 5 && !log.contains("kim") && !log.contains("gyul_"), "{log}");
    assert!(log.contains("/api/v1/customers/{id}/merge"));
}

#[tokio::test]
async fn a_draft_is_shown_as_cards_and_its_conditions_are_counted() {
    let bed = Bed::new();
    let shown = bed.post("/api/v1/segments/form", r#"{"text":"oops","about":{"id":"x"}}"#).await.json();
    assert_eq!((&shown["about"]["id"], &shown["problems"][0]["start"]), (&json!("x"), &json!(3)));
    assert_eq!(shown["problems"][0]["code"], "unknown_name");
    bed.post("/api/v1/segments/form", r#"{"txt":"x"}"#).await.is_problem(400, "bad_shape");
    let e = bed.post("/api/v1/segments/effects", r#"{"yaml":"v","sample":9999,"compare":"vip"}"#).await.json();
    assert_eq!((&e["size"], &e["parts"][0]["without"], &e["compared"]["both"]), (&json!(1), &json!(2), &json!(1)));
    assert_eq!(e["sample"].as_array().unwrap().len(), 50, "no list of everybody");
    for (role, name) in [(Role::Marketer, "이영희"), (Role::Analyst, "이*희")] {
        let ask = bed.request(role, Method::POST, "/api/v1/segments/effects");
        let answer = bed.send(ask.body(Body::from(r#"{"yaml":"v","sample":1}"#)).unwrap()).await;
        assert_eq!(answer.json()["sample"][0]["name"], name);
    }
    assert_eq!(bed.get("/api/v1/vocabulary").await.json()["events"][0]["name"], "order");
}

#[tokio::test]
async fn an_objection_is_kept_shown_taken_back_and_audited() {
    let bed = Bed::new();
    let since = |customer: Value| customer["objects_since"].clone();
    let path = "/api/v1/customers/C1/objection";
    assert_eq!(bed.call(Role::Analyst, Method::PUT, path, "").await.status, 403);
    assert_eq!(bed.put(path, "").await.status, 204);
    assert!(since(bed.get("/api/v1/customers/C1").await.json()).is_string());
    let request = bed.request(Role::Owner, Method::GET, "/customers/C1").header("accept", "text/html");
    let page = bed.send(request.header("cookie", "gyul_lang=en").body(Body::empty()).unwrap()).await;
    assert!(page.text().contains("has objected") && page.text().contains("/customers/C1/withdraw"), "{}", page.text());
    assert_eq!(bed.call(Role::Owner, Method::DELETE, path, "").await.status, 204);
    assert_eq!(since(bed.get("/api/v1/customers/C1").await.json()), Value::Null);
    let request = bed.request(Role::Owner, Method::POST, "/customers/C1/object");
    let answer = bed
        .send(request.header("content-type", "application/x-www-form-urlencoded").body(Body::from("x=1")).unwrap())
        .await;
    assert_eq!(answer.headers["location"], "/customers/C1?done=objected");
    let audit = bed.get("/api/v1/audit").await.json();
    let lines: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["what"].as_str().unwrap(), l["target"].as_str().unwrap()))
        .collect();
    let whats: Vec<&str> = lines.iter().map(|l| l.0).collect();
    assert_eq!(whats, ["objectToProfiling", "withdrawObjection", "objectToProfiling"]);
    assert!(lines.iter().all(|l| l.1 == lines[0].1 && l.1.starts_with("customer-")), "{lines:?}");
    assert_eq!(bed.put("/api/v1/customers/nobody/objection", "").await.status, 404);
}

#[tokio::test]
async fn the_audit_log_says_what_was_made_though_no_path_says_it() {
    let bed = Bed::new();
    bed.put("/api/v1/segments/vip", "x").await;
    let made = |path: &'static str, body: Value| bed.post(path, body.to_string());
    let key = made("/api/v1/keys", json!({ "name": "n", "role": "ingest" })).await.json();
    let user = json!({ "email": "Kim@shop.kr", "name": "Kim", "role": "analyst", "password": "long enough, this" });
    assert_eq!(made("/api/v1/users", user).await.status, 201);
    let hook = made("/api/v1/hooks", json!({ "url": "http://127.0.0.1:9/x", "segment": "vip" })).await.json();
    bed.put("/api/v1/plan", "version: 1").await;
    made("/api/v1/quarantine/replay", json!({ "numbers": [3, 4] })).await;
    let audit = bed.get("/api/v1/audit").await.json();
    let target = |what: &str| {
        let line = audit["items"].as_array().unwrap().iter().find(|l| l["what"] == what).cloned();
        line.unwrap_or_else(|| panic!("no line of {what}: {audit}"))["target"].clone()
    };
    assert_eq!((target("makeKey"), target("makeHook")), (key["id"].clone(), hook["id"].clone()));
    assert_eq!(
        (target("makeUser"), target("putPlan"), target("replayQuarantine")),
        ("kim@shop.kr".into(), "plan".into(), "3,4".into())
    );
    assert_eq!(target("putSegment"), "vip");
}

#[tokio::test]
async fn what_is_not_there_is_not_waited_for() {
    let bed = Bed::new();
    bed.put("/api/v1/segments/vip", "x").await;
    for path in ["/v1/changes", "/api/v1/changes"] {
        bed.get(&format!("{path}?from=99")).await.is_problem(410, "beyond_end");
        let near = bed.get(&format!("{path}?segment=vlp")).await.is_problem(404, "unknown_definition");
        assert!(near["detail"].as_str().unwrap().contains("vip"), "{near}");
    }
    let hook = json!({ "url": "http://127.0.0.1:9/x", "partition": "steps" }).to_string();
    bed.post("/api/v1/hooks", hook).await.is_problem(404, "unknown_definition");
}
