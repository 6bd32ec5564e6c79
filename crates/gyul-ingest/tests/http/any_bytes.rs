//! No bytes make it panic, and what came in is accounted for.

use crate::{Webhook, now};
use gyul_ingest::http::*;
use proptest::prelude::*;

const SAMPLES: [&str; 10] = [
    include_str!("../../testdata/http/segment-python.json"),
    include_str!("../../testdata/http/analytics-next-page.json"),
    include_str!("../../testdata/http/rudder-node.json"),
    include_str!("../../testdata/http/shopify-order.json"),
    include_str!("../../testdata/http/shopify-customer.json"),
    include_str!("../../testdata/http/woocommerce-order.json"),
    include_str!("../../testdata/http/cafe24-order.json"),
    include_str!("../../testdata/http/cafe24-member.json"),
    include_str!("../../testdata/http/ga4.json"),
    r#"{"customer":"C1","name":"A","ts":1795316645123,"props":{"x":[1,"a"],"y":{"z":1e9}}}
{"who":{"email":"a@b.kr"},"name":"identify","props":{"gender":"f"}}"#,
];

fn feed(body: &[u8]) {
    let limits = Limits::webhook();
    for call in ["i", "t", "p", "s", "g", "a", "b"] {
        if let Ok(p) = segment(Call::parse(call).unwrap(), body, now(), &Limits::default()) {
            assert_eq!(p.rows, p.messages.len() + p.rejects.len());
            assert!(p.messages.iter().all(|m| !m.who.is_empty() && !m.id.is_empty()));
        }
    }
    for p in [ga4(body, now(), &limits), events(body, now(), &limits)].into_iter().flatten() {
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
            let delivery = Delivery { shop: Shop { id: "s", prefix: "" }, topic, id: None, received: now() };
            if let Ok(p) = f(delivery, body, &limits) {
                let outcomes = p.messages.len().min(1) + p.rejects.len() + p.privacy.len() + p.skips.len();
                assert_eq!((p.rows, outcomes), (1, 1));
            }
        }
    }
    let _ = inflate(body, 10_000);
    let _ = verify_hmac(body, body, &String::from_utf8_lossy(body));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed(&bytes);
    }

    #[test]
    fn damaged_requests(sample in 0..SAMPLES.len(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), end in any::<prop::sample::Index>()) {
        let mut bytes = SAMPLES[sample].as_bytes().to_vec();
        for (at, byte) in &cuts {
            let i = at.index(bytes.len());
            bytes[i] = *byte;
        }
        if cuts.len() == 5 {
            bytes.truncate(end.index(bytes.len()));
        }
        feed(&bytes);
    }

    #[test]
    fn values_of_other_kinds(sample in 0..SAMPLES.len(), places in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize), 1..5)) {
        const OTHERS: [&str; 8] = ["null", "[]", "{}", "-0", "1e999", "\"\\ud83d\"", "[[{}]]", "99999999999999999999"];
        let mut text = SAMPLES[sample].to_string();
        for (at, other) in &places {
            // Puts another value behind a colon, in place of what stands there.
            let colons: Vec<usize> = text.match_indices("\":").map(|(i, _)| i + 2).collect();
            let start = colons[at.index(colons.len())];
            let end = text[start..].find([',', '}', ']']).map_or(text.len(), |n| start + n);
            text.replace_range(start..end, OTHERS[*other]);
        }
        feed(text.as_bytes());
    }
}
