//! What must hold of any bytes taken for a request: no panic, and what came in is accounted for. Random tests and
//! `fuzz/` throw them.

use gyul_ingest::http::*;
use gyul_model::Instant;

pub type Webhook = fn(Delivery, &[u8], &Limits) -> Result<Parsed, BodyError>;

pub fn feed(body: &[u8], now: Instant) {
    let limits = Limits::webhook();
    for call in ["i", "t", "p", "s", "g", "a", "b"] {
        if let Ok(p) = segment(Call::parse(call).unwrap(), body, now, &Limits::default()) {
            assert_eq!(p.rows, p.messages.len() + p.rejects.len());
            assert!(p.messages.iter().all(|m| !m.who.is_empty() && !m.id.is_empty()));
        }
    }
    for p in [ga4(body, now, &limits), events(body, now, &limits)].into_iter().flatten() {
        assert_eq!(p.rows, p.messages.len() + p.rejects.len());
    }
    let read: [Webhook; 4] = [shopify, woocommerce, cafe24, kakao];
    for f in read {
        for topic in [
            "orders/updated",
            "customers/update",
            "checkouts/create",
            "customers/redact",
            "order.updated",
            "customer.created",
        ] {
            let delivery = Delivery { shop: Shop { id: "s", prefix: "" }, topic, id: None, received: now };
            if let Ok(p) = f(delivery, body, &limits) {
                let outcomes = p.messages.len().min(1) + p.rejects.len() + p.privacy.len() + p.skips.len();
                assert_eq!((p.rows, outcomes), (1, 1));
            }
        }
    }
    let _ = inflate(body, 10_000);
    let _ = verify_hmac(body, body, &String::from_utf8_lossy(body));
}
