//! Measures how fast batches of 100 track events are read, on one core: `cargo run --release -p gyul-ingest --example http_speed`.

use gyul_ingest::http::{Call, Limits, segment};
use gyul_model::Instant;
use std::fmt::Write;

fn main() {
    let mut body = String::from(r#"{"batch":["#);
    for i in 0..100 {
        if i > 0 {
            body.push(',');
        }
        write!(
            body,
            r#"{{"type":"track","event":"Product Viewed","userId":"C{i:07}","anonymousId":null,"messageId":"node-next-1795359600000-{i:08}-54a1-4b7f","timestamp":"2026-11-22T15:04:05.123Z","integrations":{{}},"context":{{"library":{{"name":"@segment/analytics-node","version":"3.1.0"}}}},"_metadata":{{"nodeVersion":"22.11.0","jsRuntime":"node"}},"properties":{{"product_id":"P{i}","name":"감귤 3kg","category":"과일","price":12300,"currency":"KRW","url":"https://shop.example/p/{i}"}}}}"#
        )
        .unwrap();
    }
    body.push_str(r#"],"writeKey":"WK","sentAt":"2026-11-22T15:04:06.000Z"}"#);
    let received = Instant::parse_rfc3339("2026-11-22T15:04:07Z").unwrap();
    let limits = Limits::default();
    let (rounds, mut events) = (20_000, 0);
    for _ in 0..3 {
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            events += segment(Call::Batch, body.as_bytes(), received, &limits).unwrap().messages.len();
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = f64::from(rounds) * 100.0 / seconds;
        println!("{rate:.0} events/s, {:.0} MB/s", rate * body.len() as f64 / 1e8);
    }
    assert!(events > 0);
}
