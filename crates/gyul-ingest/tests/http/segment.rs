//! Segment's calls.

use crate::{at, now, show, shown};
use gyul_ingest::http::*;
use gyul_model::{IdKind, Instant, Message, Value};

fn read(call: Call, body: impl AsRef<[u8]>) -> Parsed {
    let parsed = segment(call, body.as_ref(), now(), &Limits::default()).unwrap();
    assert_eq!(parsed.rows, parsed.messages.len() + parsed.rejects.len());
    parsed
}

fn one(call: Call, body: &str) -> Message {
    let mut parsed = read(call, body);
    assert!(parsed.rejects.is_empty(), "{:?}", parsed.rejects);
    parsed.messages.remove(0)
}

fn code(call: Call, body: &str) -> &'static str {
    let parsed = read(call, body);
    assert_eq!(parsed.messages, []);
    parsed.rejects[0].code.as_str()
}

#[test]
fn python_sends_orders_and_traits() {
    let p = read(Call::Batch, include_str!("../../testdata/http/segment-python.json"));
    assert_eq!(p.write_key.as_deref(), Some("WK"));
    let shown = shown(&p);
    let want = "\
segment 0e0b7d61-6f9d-4b3a-8a1e-2f3a9f5d6c11 2026-11-22T15:04:06.123456Z user=C0000001
  Order Completed: affiliation=\"web\" currency=\"KRW\" items=2 order_id=\"O-1\" quantity=4 revenue=36900 shipping=3000 total=39900
  Product Purchased: category=\"과일\" currency=\"KRW\" name=\"감귤 3kg\" order_id=\"O-1\" price=12300 product_id=\"101\" quantity=3 sku=\"S-1\" total=36900
  Product Purchased: category=\"과일\" currency=\"KRW\" name=\"한라봉\" order_id=\"O-1\" price=3000 product_id=\"102\" quantity=1 total=3000
segment 0e0b7d61-6f9d-4b3a-8a1e-2f3a9f5d6c12 2026-11-22T15:04:07Z user=C0000001 email=hong@example.com phone=+821012345678
  identify: address.city=\"수원시\" address.country=\"KR\" address.postalCode=\"16500\" address.state=\"경기도\" birth_date=\"1990-01-02\" city=\"수원시\" \
consent.email=true consent.sms=false country=\"KR\" email=\"hong@example.com\" first_name=\"길동\" gender=\"female\" joined_at=2024-03-01T00:00:00Z last_name=\"홍\" \
name=\"홍길동\" phone=\"+821012345678\" plan.seats=3 plan.tier=\"gold\" region=\"KR-41\" tags=[\"vip\", \"gift\"]
";
    assert_eq!(shown, want);
}

#[test]
fn browser_sends_pages_with_campaigns() {
    let m = one(Call::parse("p").unwrap(), include_str!("../../testdata/http/analytics-next-page.json"));
    let want = "\
segment ajs-next-1795359600000-b7a6c7f0 2026-11-22T15:04:10Z anonymous=b7a6c7f0-54a1-4b7f-9a7e-111111111111
  Page Viewed: name=\"Best\" path=\"/best\" referrer=\"https://search.naver.com/\" search=\"?utm_source=naver&utm_campaign=fall\" title=\"베스트\" \
url=\"https://shop.example/best?utm_source=naver\" utm_campaign=\"fall\" utm_medium=\"cpc\" utm_source=\"naver\"
";
    assert_eq!(show(&m), want);
}

#[test]
fn rudder_sends_old_names_refunds_groups_and_aliases() {
    let p = read(Call::Batch, include_str!("../../testdata/http/rudder-node.json"));
    let shown = shown(&p);
    let want = "\
segment node-1 2026-11-22T15:04:10Z user=77
  Product Viewed: flags=[\"true\", \"1\", \"x\"] list=\"[{\\\"a\\\":1}]\" price=12300 product_id=\"P1\" value=12300.1
segment node-2 2026-11-22T15:04:10Z user=77
  Order Refunded: order_id=\"O-1\" refund_id=\"O-1\" total=5000
segment node-3 2026-11-22T15:04:11Z user=77
  identify: group.employees=12 group.name=\"Acme\" group=\"acme\"
segment node-4 2026-11-22T15:04:11Z user=77 previous=anon-1
";
    assert_eq!(shown, want);
}

#[test]
fn clocks_that_differ_are_corrected_within_a_day() {
    let ts = |timestamp: &str, sent: &str| {
        let sent = if sent.is_empty() { String::new() } else { format!(r#","sentAt":"{sent}""#) };
        one(Call::Track, &format!(r#"{{"userId":"u","event":"A","timestamp":"{timestamp}"{sent}}}"#)).ts
    };
    // Ten minutes behind: what happened 5 s before the sending happened 5 s before the receipt.
    assert_eq!(ts("2026-11-22T14:54:06Z", "2026-11-22T14:54:11Z"), at("2026-11-22T15:04:06Z"));
    // Two hours ahead.
    assert_eq!(ts("2026-11-22T17:04:06Z", "2026-11-22T17:04:11Z"), at("2026-11-22T15:04:06Z"));
    // Days apart: an import of the past keeps its time.
    assert_eq!(ts("2026-10-01T00:00:00Z", "2026-11-20T15:04:11Z"), at("2026-10-01T00:00:00Z"));
    assert_eq!(ts("2020-01-01T09:00:00+09:00", ""), at("2020-01-01T00:00:00Z"));
    assert_eq!(one(Call::Track, r#"{"userId":"u","event":"A"}"#).ts, now());
    assert_eq!(
        one(Call::Track, r#"{"userId":"u","event":"A","timestamp":1795316645123}"#).ts,
        at("2026-11-22T03:04:05.123Z")
    );
    let base = r#""userId":"u","event":"A","timestamp""#;
    assert_eq!(code(Call::Track, &format!(r#"{{{base}:"2026-11-22T15:10:00Z"}}"#)), "time_future");
    assert_eq!(code(Call::Track, &format!(r#"{{{base}:"yesterday"}}"#)), "time_unreadable");
    assert_eq!(code(Call::Track, &format!(r#"{{{base}:"1700-01-01T00:00:00Z"}}"#)), "time_out_of_range");
}

#[test]
fn one_bad_event_spoils_no_other_and_says_where_and_why() {
    let body = r#"{"batch":[
        {"type":"track","userId":"u","event":"A","messageId":"1"},
        {"type":"track","event":"A"},
        {"type":"track","userId":"  ","anonymousId":null,"event":"A"},
        {"type":"track","userId":"u"},
        {"type":"jump","userId":"u"},
        {"userId":"u"},
        7,
        {"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","products":[{"product_id":"p","price":"lots"}]}},
        {"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","total":-5}},
        {"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","products":[{"product_id":"p","quantity":0}]}},
        {"type":"track","userId":"u","event":"Order Refunded","properties":{"total":5}},
        {"type":"group","userId":"u"},
        {"type":"alias","userId":"u"},
        {"type":"track","userId":"u","event":"B","messageId":"2"}]}"#;
    let p = read(Call::Batch, body);
    assert_eq!(p.messages.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    let found: Vec<_> = p.rejects.iter().map(|r| (r.index, r.code.as_str(), r.place.as_str())).collect();
    let want = [
        (1, "no_user_anon_id", "userId"),
        (2, "no_user_anon_id", "userId"),
        (3, "no_event_name", "event"),
        (4, "unknown_type", "type"),
        (5, "no_type", ""),
        (6, "not_object", ""),
        (7, "number_unreadable", "properties.products.0.price"),
        (8, "negative_amount", "properties.total"),
        (9, "zero_quantity", "properties.products.0.quantity"),
        (10, "no_order", "properties.order_id"),
        (11, "no_group_id", "groupId"),
        (12, "no_previous_id", "previousId"),
    ];
    assert_eq!(found, want);
    assert_eq!(p.rejects[0].content, r#"{"type":"track","event":"A"}"#);
    assert!(!format!("{:?}", p.rejects[1]).contains("anonymousId"), "no content in logs");
}

#[test]
fn ids_are_texts_whatever_they_are_sent_as() {
    let m = one(
        Call::Track,
        r#"{"userId":12345678901234567890,"event":"A","properties":{"user_id":7,"order_id":1e3,"big":12345678901234567890}}"#,
    );
    assert_eq!(m.who[0].value, "12345678901234567890");
    let text = |n: &str| m.events[0].1.iter().find(|(name, _)| name == n).map(|(_, v)| v.clone());
    assert_eq!(text("user_id"), Some(Value::text("7")));
    assert_eq!(text("big"), Some(Value::text("12345678901234567890")));
    let m = one(Call::Track, r#"{"userId":"Hong@Example.com","event":"A"}"#);
    assert_eq!((m.who[0].kind, m.who[0].value.as_str()), (IdKind::User, "hong@example.com"));
    // Nobody's id passes for another kind of name.
    let m = one(Call::Track, r#"{"userId":"email:a@b.kr","event":"A"}"#);
    assert_eq!(m.who[0].kind, IdKind::Email);
}

#[test]
fn without_a_message_id_the_content_is_the_id() {
    let dated = r#"{"userId":"u","event":"A","timestamp":"2026-11-22T00:00:00Z"}"#;
    assert_eq!(one(Call::Track, dated).id, one(Call::Track, dated).id);
    assert_ne!(one(Call::Track, dated).id, one(Call::Track, &dated.replace('A', "B")).id);
    let bare = r#"{"userId":"u","event":"A"}"#;
    let later = Instant(now().0 + 1);
    let id =
        |received| segment(Call::Track, bare.as_bytes(), received, &Limits::default()).unwrap().messages[0].id.clone();
    assert_ne!(id(now()), id(later));
}

#[test]
fn hostile_events_are_refused_alone_and_hostile_bodies_as_a_whole() {
    let event = |props: &str| format!(r#"{{"userId":"u","event":"A","properties":{props}}}"#);
    let deep = |n: usize| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
    assert_eq!(code(Call::Track, &event(&deep(40))), "too_deep");
    assert_eq!(code(Call::Track, &event(r#"{"x":1e999999}"#)), "number_too_long");
    assert_eq!(code(Call::Track, &event(&format!(r#"{{"x":"{}"}}"#, "a".repeat(9000)))), "too_long");
    assert_eq!(code(Call::Track, &event(&format!(r#"{{"x":"{}"}}"#, "a".repeat(40_000)))), "too_large");
    assert_eq!(code(Call::Track, &event(&format!(r#"{{"{}":1}}"#, "a".repeat(300)))), "name_too_long");
    let many: Vec<String> = (0..300).map(|i| format!(r#""p{i}":{i}"#)).collect();
    assert_eq!(code(Call::Track, &event(&format!("{{{}}}", many.join(",")))), "too_many_properties");
    let m = one(Call::Track, &event(r#"{"a":1,"a":2,"b":{"c":1},"b.c":3}"#));
    assert_eq!(show(&m).lines().nth(1).unwrap().trim(), "A: a=2 b.c=3");

    let fail = |body: &[u8]| segment(Call::Track, body, now(), &Limits::default()).unwrap_err();
    assert_eq!(fail(b" ").code(), "body_empty");
    assert_eq!(fail(event("{\"x\":NaN}").as_bytes()).code(), "bad_json");
    assert_eq!(fail(b"[]").code(), "bad_shape");
    assert_eq!(fail(&vec![b'['; 400_000]).code(), "bad_json");
    assert_eq!(fail(&vec![b' '; 10_000_000]).status(), 413);
    let batch = format!(r#"{{"batch":[{}]}}"#, vec!["1"; 2501].join(","));
    assert_eq!(
        segment(Call::Batch, batch.as_bytes(), now(), &Limits::default()).unwrap_err().code(),
        "too_many_events"
    );
}

#[test]
fn bad_characters_cost_one_event() {
    let mut body = br#"{"batch":[{"type":"track","userId":"u","event":"A","properties":{"x":""#.to_vec();
    body.extend([0xff, 0xfe]);
    body.extend(br#""}},{"type":"track","userId":"u","event":"B"}]}"#);
    let p = read(Call::Batch, body);
    assert_eq!((p.messages.len(), p.rejects[0].code.as_str()), (1, "bad_utf8"));
}

#[test]
fn a_bomb_stops_at_the_limit() {
    use std::io::Write;
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..8 {
        gz.write_all(&zeros).unwrap();
    }
    let bomb = gz.finish().unwrap();
    assert!(bomb.len() < 100_000);
    assert_eq!(inflate(&bomb, 500_000), Err(BodyError::TooLarge(500_000)));
    assert_eq!(inflate(&bomb[..50], 500_000), Err(BodyError::NotCompressed));
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(b"{}").unwrap();
    assert_eq!(inflate(&gz.finish().unwrap(), 500).as_deref(), Ok(&b"{}"[..]));
}

#[test]
fn email_tools_tell_of_messages_by_address() {
    let m = one(
        Call::Track,
        r#"{"event":"Email Link Clicked","messageId":"m","context":{"traits":{"email":"A@b.kr"}},"properties":{"campaign_id":"c1","link_url":"https://shop.example"}}"#,
    );
    let want = "\
segment m 2026-11-22T15:04:11Z email=a@b.kr
  Message Clicked: campaign_id=\"c1\" channel=\"email\" link_url=\"https://shop.example\"
";
    assert_eq!(show(&m), want);
}

#[test]
fn a_device_is_a_name_too_and_a_strange_one_costs_nothing() {
    let with = |token: String| format!(r#"{{"userId":"u","event":"A","context":{{"device":{{"token":"{token}"}}}}}}"#);
    let m = one(Call::Track, &with("t".repeat(300)));
    assert_eq!(m.who.iter().map(|i| i.kind).collect::<Vec<_>>(), [IdKind::User, IdKind::Device]);
    assert_eq!(one(Call::Track, &with("t".repeat(3000))).who.len(), 1);
}
