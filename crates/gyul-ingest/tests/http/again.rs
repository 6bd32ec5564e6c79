//! What was rejected and mended is read by the decoder that it came to, with what its request said beside it.

use crate::{now, shown};
use gyul_ingest::http::*;

const SOURCES: [&str; 3] = ["segment", "shopify", "tracker"];

/// The one reject of a request, mended by a replacement of words, and read again.
fn mended(p: &Parsed, from: &str, to: &str) -> Parsed {
    let [r] = &p.rejects[..] else { panic!("{:?}", p.rejects) };
    let content = r.content.replace(from, to);
    assert_ne!(content, r.content, "nothing was mended");
    again(&p.sent, &content, now(), &SOURCES).unwrap()
}

#[test]
fn a_group_call_is_a_group_call_still() {
    let sent = br#"{"userId":"C1","groupId":"","traits":{"name":"ACME"},"messageId":"g1"}"#;
    let p = segment(Call::parse("group").unwrap(), sent, now(), &Limits::default()).unwrap();
    let p = mended(&p, r#""groupId":"""#, r#""groupId":"acme""#);
    assert_eq!(shown(&p), "segment g1 2026-11-22T15:04:11Z user=C1\n  identify: group.name=\"ACME\" group=\"acme\"\n");
    let alias = br#"{"userId":"C1","previousId":null,"messageId":"a1"}"#;
    let p = segment(Call::parse("alias").unwrap(), alias, now(), &Limits::default()).unwrap();
    assert_eq!(shown(&mended(&p, "null", r#""x""#)), "segment a1 2026-11-22T15:04:11Z user=C1 previous=x\n");
}

#[test]
fn an_event_of_a_batch_keeps_the_clock_and_the_context_of_its_batch() {
    let sent = r#"{"batch":[{"type":"track","userId":"C1","messageId":"m1","timestamp":"2026-11-22T14:00:00Z"}],
        "context":{"campaign":{"name":"가을"}},"sentAt":"2026-11-22T14:04:11Z"}"#;
    let whole = sent.replace(r#""messageId":"m1""#, r#""messageId":"m1","event":"A""#).replace("track", "page");
    let batch = Call::parse("batch").unwrap();
    let p = segment(batch, sent.replace("track", "pgae").as_bytes(), now(), &Limits::default()).unwrap();
    let mended = mended(&p, "pgae", "page");
    let want = segment(batch, whole.as_bytes(), now(), &Limits::default()).unwrap();
    assert_eq!(shown(&mended), shown(&want));
    assert!(shown(&mended).contains("2026-11-22T15:00:00Z") && shown(&mended).contains("utm_campaign=\"가을\""));
}

#[test]
fn googles_event_keeps_whose_it_is() {
    let sent = r#"{"client_id":"123.456","user_id":"C1","timestamp_micros":1795316645123000,"events":[{"name":""}]}"#;
    let p = ga4(sent.as_bytes(), now(), &Limits::default()).unwrap();
    let p = mended(&p, r#""""#, r#""login""#);
    assert_eq!(p.messages[0].who.iter().map(|i| i.handle()).collect::<Vec<_>>(), ["C1", "anonymous:123.456"]);
    assert_eq!((p.messages[0].ts.0, p.messages[0].source), (1_795_316_645_123_000, "ga4"));
}

#[test]
fn a_shops_order_is_read_as_the_shops() {
    let order = include_str!("../../testdata/http/shopify-order.json");
    let at = |topic| Delivery { shop: Shop { id: "my.shop", prefix: "s:" }, topic, id: Some("d1"), received: now() };
    let good = shopify(at("orders/updated"), order.as_bytes(), &Limits::webhook()).unwrap();
    let broken = order.replacen("\"total_price\":\"", "\"total_price\":\"-", 1);
    let p = shopify(at("orders/updated"), broken.as_bytes(), &Limits::webhook()).unwrap();
    assert_eq!(p.rejects.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), ["negative_amount"]);
    let again = again(&p.sent, order, now(), &SOURCES).unwrap();
    assert_eq!(shown(&again), shown(&good));
}

#[test]
fn what_was_understood_keeps_its_source_and_its_id_and_stays_one_message() {
    let kept = r#"[{"who":{"user":"C1"},"name":"Order Completed","ts":"2026-11-22T15:00:00Z","id":"shopify:s:order:1","props":{"order_id":"1","total":5}},
        {"who":{"user":"C1"},"name":"Product Purchased","ts":"2026-11-22T15:00:00Z","id":"shopify:s:order:1#1","props":{"order_id":"1","price":5}}]"#;
    let p = again(&Sent::message("shopify"), kept, now(), &SOURCES).unwrap();
    let [m] = &p.messages[..] else { panic!("{}", shown(&p)) };
    assert_eq!((m.source, m.id.as_str(), m.events.len()), ("shopify", "shopify:s:order:1", 2));
    // A public key's event stays one.
    let sent = Sent { form: "events.tracker".into(), around: String::new() };
    let one = again(&sent, r#"{"customer":"C1","name":"A","id":"1"}"#, now(), &SOURCES).unwrap();
    assert_eq!(one.messages[0].source, "tracker");
    // Of before it was said how: by its looks.
    let old = again(&Sent::default(), r#"{"userId":"C1","event":"A"}"#, now(), &SOURCES).unwrap();
    assert_eq!((old.messages[0].source, old.rejects.len()), ("segment", 0));
}

#[test]
fn a_large_context_is_not_kept_with_every_reject() {
    let big = "x".repeat(5000);
    let sent = format!(r#"{{"batch":[{{"type":"?"}}],"context":{{"a":"{big}"}},"sentAt":"2026-11-22T14:04:11Z"}}"#);
    let p = segment(Call::parse("batch").unwrap(), sent.as_bytes(), now(), &Limits::default()).unwrap();
    assert_eq!(p.sent.around, r#"{"sentAt":"2026-11-22T14:04:11Z"}"#);
    assert!(!format!("{:?}", p.sent).contains("2026"), "what may be personal is not shown");
}
