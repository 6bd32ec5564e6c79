//! Bodies that are too large, broken, hostile; and how often one may ask.

use super::*;
use crate::table::Kind;
use std::io::Write;
use std::time::Duration;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    w.write_all(bytes).unwrap();
    w.finish().unwrap()
}

fn packed(bed: &Bed, encoding: &str, body: Vec<u8>) -> Request<Body> {
    bed.request(Role::Ingest, Method::POST, "/v1/batch").header("content-encoding", encoding).body(body.into()).unwrap()
}

const TRACK: &str = r#"{"batch":[{"type":"track","event":"Order Completed","userId":"C1","messageId":"m1","properties":{"order_id":"1","total":39900}}]}"#;

#[tokio::test]
async fn compressed_bodies_are_read_and_bombs_are_not() {
    let bed = Bed::new();
    let answer = bed.send(packed(&bed, "gzip", gzip(TRACK.as_bytes()))).await;
    assert_eq!(answer.text(), r#"{"success":true}"#);
    let zstd = zstd::stream::encode_all(TRACK.replace("m1", "m2").as_bytes(), 3).unwrap();
    assert_eq!(bed.send(packed(&bed, "zstd", zstd)).await.status, 200);
    assert_eq!(bed.fake.with(|s| s.messages.len()), 2);

    let bomb = gzip(&vec![b' '; 3 << 20]);
    assert!(bomb.len() < 10_000);
    bed.send(packed(&bed, "gzip", bomb)).await.is_problem(413, "body_too_large");
    bed.send(packed(&bed, "gzip", TRACK.into())).await.is_problem(400, "bad_compression");
    bed.send(packed(&bed, "br", TRACK.into())).await.is_problem(415, "unknown_encoding");
    bed.send(packed(&bed, "gzip, gzip", gzip(&gzip(b"{}")))).await.is_problem(415, "unknown_encoding");
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_with_or_without_a_length() {
    let bed = Bed::new();
    let large = vec![b'x'; 600 * 1024];
    bed.call(Role::Ingest, Method::POST, "/v1/track", large.clone()).await.is_problem(413, "body_too_large");
    let pieces =
        futures_util::stream::iter(large.chunks(1000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>());
    let request = bed.request(Role::Ingest, Method::POST, "/v1/track").body(Body::from_stream(pieces)).unwrap();
    bed.send(request).await.is_problem(413, "body_too_large");
    let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
    let request = bed.request(Role::Ingest, Method::POST, "/v1/track").body(Body::from_stream(broken)).unwrap();
    bed.send(request).await.is_problem(400, "body_incomplete");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let bed = Bed::with(|o| o.body_timeout = Duration::from_millis(50));
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = bed.request(Role::Owner, Method::POST, "/v1/track").body(Body::from_stream(never)).unwrap();
    bed.send(request).await.is_problem(408, "timeout");
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let path = "/api/v1/imports?name=a.csv";
    let request = bed.request(Role::Owner, Method::POST, path).body(Body::from_stream(never)).unwrap();
    bed.send(request).await.is_problem(408, "timeout");
    assert_eq!(std::fs::read_dir(&bed.app.options.uploads).unwrap().count(), 0, "the piece is removed");
}

#[tokio::test]
async fn bodies_share_their_memory_and_give_it_back() {
    use futures_util::StreamExt;
    let bed = Arc::new(Bed::with(|o| {
        o.bodies_max = 300 * 1024;
        o.body_timeout = Duration::from_millis(400);
    }));
    let holds = |bytes: usize| {
        let data = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![b' '; bytes])]);
        let request = bed.request(Role::Ingest, Method::POST, "/v1/track");
        request.body(Body::from_stream(data.chain(futures_util::stream::pending()))).unwrap()
    };
    let (held, other) = (holds(250 * 1024), Arc::clone(&bed));
    let held = tokio::spawn(async move { other.send(held).await.status });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let large = || format!("{TRACK}{}", " ".repeat(100 * 1024));
    let refused = bed.call(Role::Ingest, Method::POST, "/v1/batch", large()).await;
    refused.is_problem(503, "busy");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(bed.call(Role::Ingest, Method::POST, "/v1/batch", TRACK).await.status, 200, "small ones find room");
    assert_eq!(held.await.unwrap(), 408);
    for _ in 0..5 {
        assert_eq!(bed.call(Role::Ingest, Method::POST, "/v1/batch", large()).await.status, 200);
    }
}

#[tokio::test]
async fn strangers_send_no_bodies() {
    let bed = Bed::new();
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = Request::put("/api/v1/plan").body(Body::from_stream(never)).unwrap();
    bed.send(request).await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn over_the_rate_a_caller_waits_and_others_do_not() {
    let bed = Bed::with(|o| o.api_rate = Rate { per_second: 0.1, burst: 2.0 });
    assert_eq!(bed.get("/api/v1/me").await.status, 200);
    assert_eq!(bed.get("/api/v1/me").await.status, 200);
    let answer = bed.get("/api/v1/me").await;
    answer.is_problem(429, "rate_limited");
    assert!((9..=10).contains(&answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap()));
    assert_eq!(answer.headers["retry-after"], answer.headers["x-ratelimit-reset"]);
    assert_eq!(bed.call(Role::Analyst, Method::GET, "/api/v1/me", "").await.status, 200);
    assert_eq!(bed.post("/v1/batch", TRACK).await.status, 200, "events have a bucket of their own");
}

#[tokio::test]
async fn who_guesses_keys_is_slowed_down() {
    let bed = Bed::with(|o| o.stranger_rate = Rate { per_second: 0.1, burst: 3.0 });
    let guess = || Request::get("/api/v1/me").header("authorization", "Bearer gyul_x").body(Body::empty()).unwrap();
    for _ in 0..3 {
        bed.send(guess()).await.is_problem(401, "unauthorized");
    }
    bed.send(guess()).await.is_problem(429, "rate_limited");
    assert_eq!(bed.get("/api/v1/me").await.status, 200, "a good key is not a guess");
}

#[tokio::test]
async fn junk_everywhere_is_a_problem_with_a_code_and_never_ours() {
    let bed = Bed::new();
    let mut junk: Vec<Vec<u8>> =
        ["", "{", "[]", "null", "0", "\"x\"", "{}", "{\"a\":}", "\u{0}"].map(|s| s.as_bytes().to_vec()).to_vec();
    junk.push(vec![0xff, 0xfe, 0x00]);
    junk.push(vec![b'['; 100_000]);
    junk.push(format!("{{\"from\":{}1}}", "9".repeat(10_000)).into_bytes());
    for e in crate::api::table().endpoints.iter().filter(|e| e.body.is_some() && e.body_max.is_some() && !e.page) {
        let path = e.path.replace("{id}", "x").replace("{number}", "0").replace("{email}", "a@b.kr");
        for body in &junk {
            let answer = bed.call(Role::Owner, e.method.clone(), &path, body.clone()).await;
            assert!(
                !answer.status.is_server_error(),
                "{path} {:?}: {}",
                String::from_utf8_lossy(&body[..body.len().min(40)]),
                answer.status
            );
            if answer.status.is_client_error() {
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
            }
        }
    }
}

#[tokio::test]
async fn numbers_and_instants_at_their_ends_are_answered_by_every_question() {
    let bed = Bed::new();
    let ends = ["0", "1", "36525", "36526", "106751992", "4294967295", "9223372036854775807", "-9223372036854775808"];
    let instants = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-9999-01-01T00:00:00Z"];
    let mut asked = 0;
    // Hooks and streams of changes would be waited for.
    for e in crate::api::table().endpoints.iter().filter(|e| e.method == Method::GET && !e.path.contains("changes")) {
        for p in &e.query {
            let values: &[&str] = match p.kind {
                Kind::Whole(_) | Kind::Days | Kind::Limit => &ends,
                Kind::Instant => &instants,
                Kind::Text(..) => continue,
            };
            for value in values {
                let path = format!("{}?{}={value}", super::roles::path_of(e), p.name);
                let answer = bed.call(Role::Owner, Method::GET, &path, "").await;
                assert!(!answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text());
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked} questions");
}

#[tokio::test]
async fn odd_paths_and_queries_are_answered_in_our_own_words() {
    let bed = Bed::new();
    for (path, status, code) in [
        ("/nothing", 404, "not_found"),
        ("/api/v2/customers", 404, "not_found"),
        ("/api/v1/customers/%ff", 400, "bad_request"),
        ("/api/v1/customers?search=a", 400, "bad_parameter"),
        ("/api/v1/customers?search=%ff", 400, "bad_parameter"),
        ("/api/v1/customers", 400, "missing_parameter"),
        ("/api/v1/customers?search=kim&limit=0", 400, "bad_parameter"),
        ("/api/v1/customers?search=kim&limit=1001", 400, "bad_parameter"),
        ("/api/v1/customers?search=kim&limit=-1", 400, "bad_parameter"),
        ("/api/v1/customers/C1/timeline?cursor=!!!", 400, "bad_parameter"),
        ("/api/v1/customers/nobody", 404, "not_found"),
        ("/api/v1/customers/C1/why/measures/x", 404, "not_found"),
        ("/api/v1/segments/nothing", 404, "not_found"),
        ("/api/v1/partitions/p/members", 400, "missing_parameter"),
        ("/api/v1/segments/s/history?days=0", 400, "bad_parameter"),
        ("/api/v1/segments/s/history?from=1900-01-01T00:00:00Z", 400, "bad_range"),
        ("/api/v1/segments/s/history?from=tomorrow", 400, "bad_parameter"),
        ("/api/v1/overlap?segments=a", 400, "bad_parameter"),
        ("/api/v1/changes?from=x", 400, "bad_parameter"),
        ("/v1/changes?from=-1", 400, "bad_parameter"),
        ("/api/v1/imports/9", 404, "not_found"),
        ("/api/v1/plan", 404, "not_found"),
    ] {
        bed.get(path).await.is_problem(status, code);
    }
    bed.delete("/api/v1/settings").await.is_problem(405, "method_not_allowed");
    bed.call(Role::Owner, Method::PATCH, "/api/v1/me", "").await.is_problem(405, "method_not_allowed");
    bed.call(Role::Owner, Method::OPTIONS, "/api/v1/me", "").await.is_problem(405, "method_not_allowed");
    assert_eq!(bed.call(Role::Owner, Method::HEAD, "/api/v1/me", "").await.status, 200);
}
