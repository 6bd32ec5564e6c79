//! No bytes make it panic, and what came in is accounted for.

use crate::feed::feed;
use crate::now;
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed(&bytes, now());
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
        feed(&bytes, now());
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
        feed(text.as_bytes(), now());
    }
}
