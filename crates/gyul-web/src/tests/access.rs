//! Keys, users, sessions, the first owner, the audit log.

use super::*;
use serde_json::json;

const PASSWORD: &str = "a long password";

async fn with_owner() -> (Bed, String) {
    let bed = Bed::on(Arc::new(Fake::default()), vec![], |_| {});
    let token = bed.setup.clone().unwrap();
    let answer = bed.send(set_up(&token)).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    (bed, token)
}

fn set_up(token: &str) -> Request<Body> {
    let body = json!({ "token": token, "email": " Owner@Shop.KR", "name": "주인", "password": PASSWORD });
    Request::post("/api/v1/setup").body(Body::from(body.to_string())).unwrap()
}

fn sign_in(email: &str, password: &str) -> Request<Body> {
    let body = json!({ "email": email, "password": password });
    Request::post("/api/v1/session").body(Body::from(body.to_string())).unwrap()
}

/// The cookie and the CSRF token.
async fn session(bed: &Bed, email: &str, password: &str) -> (String, String) {
    let answer = bed.send(sign_in(email, password)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Max-Age="), "{cookie}");
    (cookie.split(';').next().unwrap().to_string(), answer.json()["csrf"].as_str().unwrap().to_string())
}

fn by_cookie(method: Method, path: &str, (cookie, csrf): &(String, String), body: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path).header("cookie", cookie).header("x-csrf-token", csrf);
    builder.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn the_first_owner_comes_in_by_the_token_once() {
    let (bed, token) = with_owner().await;
    bed.send(set_up(&token)).await.is_problem(403, "bad_setup_token");
    let wrong = Bed::on(Arc::new(Fake::default()), vec![], |_| {});
    wrong.send(set_up("guess")).await.is_problem(403, "bad_setup_token");
    let s = session(&bed, "owner@shop.kr", PASSWORD).await;
    let me = bed.send(by_cookie(Method::GET, "/api/v1/me", &s, "")).await.json();
    assert_eq!((&me["who"], &me["role"]), (&json!("user:owner@shop.kr"), &json!("owner")));
    // After a restart: no token any more, and the session is still good.
    let again = Bed::on(bed.fake.clone(), vec![], |_| {});
    assert!(again.setup.is_none());
    assert_eq!(again.send(by_cookie(Method::GET, "/api/v1/me", &s, "")).await.status, 200);
}

#[tokio::test]
async fn nothing_secret_is_kept_in_plain() {
    let (bed, token) = with_owner().await;
    let s = session(&bed, "owner@shop.kr", PASSWORD).await;
    let made = bed.send(by_cookie(Method::POST, "/api/v1/keys", &s, r#"{"name":"site","role":"ingest"}"#)).await;
    let key = made.json()["key"].as_str().unwrap().to_string();
    let kept = bed.fake.with(|f| [f.access.concat(), f.audit.concat()].concat());
    let kept = String::from_utf8(kept).unwrap();
    let session_token = s.0.split('=').nth(1).unwrap();
    for secret in [PASSWORD, &token, &key, &key[18..], session_token, &s.1] {
        assert!(!kept.contains(secret));
    }
    assert!(kept.contains("$argon2id$"));
    let listed = bed.send(by_cookie(Method::GET, "/api/v1/keys", &s, "")).await;
    assert!(!listed.text().contains(&key[18..]));
}

#[tokio::test]
async fn writes_by_cookie_need_the_token_and_keys_do_not() {
    let (bed, _) = with_owner().await;
    let s = session(&bed, "owner@shop.kr", PASSWORD).await;
    for csrf in ["", "guess"] {
        let forged = (s.0.clone(), csrf.to_string());
        bed.send(by_cookie(Method::PUT, "/api/v1/plan", &forged, "x")).await.is_problem(403, "csrf");
        bed.send(by_cookie(Method::DELETE, "/api/v1/session", &forged, "")).await.is_problem(403, "csrf");
        assert_eq!(bed.send(by_cookie(Method::GET, "/api/v1/plan", &forged, "")).await.status, 404);
    }
    assert_eq!(bed.send(by_cookie(Method::PUT, "/api/v1/plan", &s, "x")).await.status, 204);
    assert_eq!(bed.send(by_cookie(Method::DELETE, "/api/v1/session", &s, "")).await.status, 204);
    bed.send(by_cookie(Method::GET, "/api/v1/plan", &s, "")).await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_people_get_the_same_answer() {
    let (bed, _) = with_owner().await;
    let a = bed.send(sign_in("owner@shop.kr", "wrong password")).await;
    let b = bed.send(sign_in("nobody@shop.kr", PASSWORD)).await;
    assert_eq!(a.is_problem(401, "wrong_password")["detail"], b.is_problem(401, "wrong_password")["detail"]);
    assert!(!a.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn an_account_can_be_tried_only_so_often() {
    let (bed, _) = {
        let fake = Arc::new(Fake::default());
        let bed = Bed::on(fake, vec![], |o| {
            o.stranger_rate = Rate { per_second: 0.01, burst: 3.0 };
            o.trust_proxy = true;
        });
        (bed, ())
    };
    // From another address each time: the account counts.
    let from = |host: u8, email: &str| {
        let mut request = sign_in(email, "wrong");
        request.headers_mut().insert("x-forwarded-for", format!("192.0.2.{host}").parse().unwrap());
        bed.send(request)
    };
    for host in 1..=3 {
        from(host, "a@b.kr").await.is_problem(401, "wrong_password");
    }
    from(4, "A@b.kr").await.is_problem(429, "rate_limited");
    // And from one address, at another account each time, the address.
    for host in ["c", "d", "e"] {
        from(9, &format!("{host}@b.kr")).await.is_problem(401, "wrong_password");
    }
    from(9, "f@b.kr").await.is_problem(429, "rate_limited");
}

#[tokio::test]
async fn users_come_and_go_and_an_owner_stays() {
    let (bed, _) = with_owner().await;
    let s = session(&bed, "owner@shop.kr", PASSWORD).await;
    let call = |m: Method, p: &str, b: &str| by_cookie(m, p, &s, b);
    let user =
        json!({ "email": "m@shop.kr", "name": "M", "role": "marketer", "password": "another password" }).to_string();
    assert_eq!(bed.send(call(Method::POST, "/api/v1/users", &user)).await.status, 201);
    bed.send(call(Method::POST, "/api/v1/users", &user)).await.is_problem(409, "user_exists");
    let weak = user.replace("another password", "short").replace("m@", "n@");
    bed.send(call(Method::POST, "/api/v1/users", &weak)).await.is_problem(400, "bad_password");
    let bad = user.replace("m@shop.kr", "m at shop");
    bed.send(call(Method::POST, "/api/v1/users", &bad)).await.is_problem(400, "bad_email");
    bed.send(call(Method::DELETE, "/api/v1/users/owner@shop.kr", "")).await.is_problem(409, "last_owner");
    let demote = call(Method::PUT, "/api/v1/users/owner@shop.kr/role", r#"{"role":"analyst"}"#);
    bed.send(demote).await.is_problem(409, "last_owner");

    let m = session(&bed, "m@shop.kr", "another password").await;
    bed.send(by_cookie(Method::GET, "/api/v1/users", &m, "")).await.is_problem(403, "forbidden");
    let promote = call(Method::PUT, "/api/v1/users/m@shop.kr/role", r#"{"role":"owner"}"#);
    assert_eq!(bed.send(promote).await.status, 204);
    assert_eq!(
        bed.send(by_cookie(Method::GET, "/api/v1/users", &m, "")).await.json()["items"].as_array().unwrap().len(),
        2
    );

    let change = r#"{"old":"another password","new":"yet another one"}"#;
    let wrong = change.replace("another password", "x");
    bed.send(by_cookie(Method::PUT, "/api/v1/me/password", &m, &wrong)).await.is_problem(403, "wrong_password");
    assert_eq!(bed.send(by_cookie(Method::PUT, "/api/v1/me/password", &m, change)).await.status, 204);
    bed.send(by_cookie(Method::GET, "/api/v1/me", &m, "")).await.is_problem(401, "unauthorized");
    let m = session(&bed, "m@shop.kr", "yet another one").await;
    assert_eq!(bed.send(call(Method::DELETE, "/api/v1/users/m@shop.kr", "")).await.status, 204);
    bed.send(by_cookie(Method::GET, "/api/v1/me", &m, "")).await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn keys_are_made_used_and_taken_out_of_force() {
    let bed = Bed::new();
    let made =
        bed.post("/api/v1/keys", r#"{"name":"report","role":"read-only","expires":"2026-01-02T00:00:00Z"}"#).await;
    assert_eq!(made.status, 201);
    let (id, key) = (made.json()["id"].clone(), made.json()["key"].as_str().unwrap().to_string());
    let me =
        || Request::get("/api/v1/me").header("authorization", format!("Bearer {key}")).body(Body::empty()).unwrap();
    assert_eq!(bed.send(me()).await.json()["role"], "read-only");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let keys = bed.get("/api/v1/keys").await.json();
    let shown = keys["items"].as_array().unwrap().iter().find(|k| k["id"] == id).unwrap().clone();
    assert_eq!((&shown["last_used"], &shown["made_by"]), (&json!("2026-01-01T00:00:00Z"), &json!("key:Owner")));
    assert_eq!(bed.delete(&format!("/api/v1/keys/{}", id.as_str().unwrap())).await.status, 204);
    bed.send(me()).await.is_problem(401, "unauthorized");
    bed.delete("/api/v1/keys/000000000000").await.is_problem(404, "not_found");
    let past = r#"{"name":"x","role":"owner","expires":"2025-01-02T00:00:00Z"}"#;
    bed.post("/api/v1/keys", past).await.is_problem(400, "bad_expiry");
    bed.post("/api/v1/keys", r#"{"name":"x","role":"king"}"#).await.is_problem(400, "bad_shape");
}

#[tokio::test]
async fn every_write_leaves_a_line_and_customers_are_pseudonyms() {
    let bed = Bed::new();
    bed.put("/api/v1/segments/vip", "when: x").await;
    bed.call(Role::Marketer, Method::POST, "/api/v1/customers/kim%40x.kr/merge", r#"{"from":"b"}"#).await;
    bed.delete("/api/v1/customers/kim@x.kr").await;
    bed.put("/api/v1/segments/vip", "oops").await;
    bed.get("/api/v1/segments").await;
    let page = bed.get("/api/v1/audit").await.json();
    let lines: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["who"].as_str().unwrap(), e["what"].as_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [("key:Owner", "eraseCustomer"), ("key:Marketer", "mergeCustomers"), ("key:Owner", "putSegment")]
    );
    assert_eq!(page["items"][2]["target"], "vip");
    for path in ["imports", "drafts"] {
        assert!(bed.post(&format!("/api/v1/{path}?name=orders.csv"), "a,b\n1,2\n").await.status.is_success());
        assert_eq!(bed.get("/api/v1/audit?limit=1").await.json()["items"][0]["target"], "orders.csv", "{path}");
    }
    let (a, b) = (&page["items"][0]["target"], &page["items"][1]["target"]);
    assert_eq!(a, b, "the same customer, however written");
    assert!(a.as_str().unwrap().starts_with("customer-") && !page.to_string().contains("kim"));
    let next = bed.get("/api/v1/audit?limit=1").await.json()["next"].as_str().unwrap().to_string();
    assert_eq!(bed.get(&format!("/api/v1/audit?limit=1&cursor={next}")).await.json()["items"][0]["number"], 3);
}
