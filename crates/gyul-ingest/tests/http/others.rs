//! Google's Measurement Protocol, and the bare form for engineers.

use crate::{now, shown};
use gyul_ingest::http::*;
use gyul_model::Lang;

#[test]
fn ga4_events_become_ours() {
    let body = include_str!("../../testdata/http/ga4.json");
    let p = ga4(body.as_bytes(), now(), &Limits::default());
    let messages = ga4_validation(&p, Lang::En);
    let p = p.unwrap();
    assert_eq!((p.rows, p.messages.len(), p.rejects.len()), (6, 5, 1));
    let lines = shown(&p);
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.retain(|l| l.starts_with("  "));
    let want = [
        "  identify: consent.ad_personalization=false consent.ad_user_data=true grade=\"gold\"",
        "  Order Completed: coupon=\"FALL\" currency=\"KRW\" engagement_time_msec=100 items=2 order_id=\"T-1\" quantity=4 session_id=\"77\" shipping=3000 tax=0 total=39900 value=39900",
        "  Product Purchased: brand=\"제주\" category=\"과일\" coupon=\"FALL\" currency=\"KRW\" name=\"감귤\" order_id=\"T-1\" price=12300 product_id=\"P1\" quantity=3 total=36900 variant=\"3kg\"",
        "  Product Purchased: coupon=\"FALL\" currency=\"KRW\" name=\"한라봉\" order_id=\"T-1\" price=3000 product_id=\"P2\" quantity=1 total=3000",
        "  Product Added: currency=\"KRW\" name=\"감귤\" price=12300 product_id=\"P1\" quantity=1 value=12300",
        "  Product List Viewed: items=2 list_name=\"베스트\" product_ids=[\"P1\", \"P2\"]",
        "  Products Searched: query=\"귤\"",
        "  quiz_done: score=7",
    ];
    assert_eq!(lines, want);
    assert_eq!(p.messages[0].id, "ga4:order:T-1");
    assert_eq!(p.messages[0].ts.to_string(), "2026-11-22T15:00:00Z");
    assert_eq!(p.messages[0].who.iter().map(|i| i.handle()).collect::<Vec<_>>(), ["C1", "anonymous:123.456"]);
    // The same request again gives the same ids; its events among themselves differ.
    let again = ga4(body.as_bytes(), now(), &Limits::default()).unwrap();
    assert!(p.messages.iter().zip(&again.messages).all(|(a, b)| a.id == b.id));
    let mut ids: Vec<_> = p.messages.iter().map(|m| &m.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    let want = r#"{"validationMessages":[{"description":"no order id. Fill it in.","fieldPath":"events[4].params.transaction_id","validationCode":"VALUE_REQUIRED"}]}"#;
    assert_eq!(messages, want);
}

#[test]
fn ga4_without_a_client_is_refused_and_said_why() {
    let p = ga4(br#"{"events":[{"name":"login"}]}"#, now(), &Limits::default());
    assert!(ga4_validation(&p, Lang::En).contains(r#""fieldPath":"client_id""#));
    let p = ga4(b"{}", now(), &Limits::default());
    assert!(ga4_validation(&p, Lang::Ko).contains("VALUE_INVALID"));
    assert_eq!(ga4_validation(&Ok(Parsed::default()), Lang::En), r#"{"validationMessages":[]}"#);
}

#[test]
fn engineers_send_one_several_or_a_line_each() {
    let one = r#"{"customer":"C1","name":"Order Completed","ts":"2026-11-22T15:00:00+09:00","id":"e1","props":{"order_id":"1","total":39900.10}}"#;
    let identify = r#"{"who":{"email":" A@B.kr ","user":7},"name":"identify","id":"e2","props":{"성별":"여","birth_date":"19900102"}}"#;
    let link = r#"{"who":{"user":"7","anonymous":"x"},"id":"e3"}"#;
    let want = "\
api e1 2026-11-22T06:00:00Z user=C1
  Order Completed: order_id=\"1\" total=39900.1
api e2 2026-11-22T15:04:11Z user=7 email=a@b.kr
  identify: birth_date=\"1990-01-02\" gender=\"female\"
api e3 2026-11-22T15:04:11Z user=7 anonymous=x
";
    let read = |body: &str| events(body.as_bytes(), now(), &Limits::default());
    assert_eq!(shown(&read(&format!("[{one},{identify},{link}]")).unwrap()), want);
    let lines = format!("{one}\r\n\n{identify}\nnot json\n{link}\n");
    let p = read(&lines).unwrap();
    assert_eq!(shown(&p), want);
    assert_eq!((p.rows, p.rejects[0].index, p.rejects[0].content.as_str()), (4, 2, "not json"));
    assert_eq!(shown(&read(one).unwrap()), want.lines().take(2).collect::<Vec<_>>().join("\n") + "\n");
    assert_eq!(read("nonsense").unwrap_err().code(), "bad_json");
    assert_eq!(read("7").unwrap_err().code(), "bad_shape");
    let code = |body| read(body).unwrap().rejects[0].code.as_str();
    assert_eq!(code(r#"{"name":"A"}"#), "no_user_anon_id");
    assert_eq!(code(r#"{"who":{"passport":"1"},"name":"A"}"#), "unknown_kind");
    assert_eq!(code(r#"{"customer":"C1"}"#), "no_event_name");
    assert_eq!(code(r#"{"customer":"C1","name":"identify","props":{}}"#), "no_trait");
}
