//! Webhooks of shops.

use crate::{Webhook, at, now, shown};
use gyul_ingest::http::*;

fn read(f: Webhook, topic: &str, id: Option<&str>, body: impl AsRef<[u8]>) -> Parsed {
    let delivery = Delivery { shop: Shop { id: "s", prefix: "" }, topic, id, received: now() };
    let parsed = f(delivery, body.as_ref(), &Limits::webhook()).unwrap();
    assert_eq!(parsed.rows, 1);
    let outcomes = parsed.messages.len().min(1) + parsed.rejects.len() + parsed.privacy.len() + parsed.skips.len();
    assert_eq!(outcomes, 1, "{parsed:?}");
    parsed
}

const SHOPIFY: &str = include_str!("../../testdata/http/shopify-order.json");

#[test]
fn shopify_tells_of_orders_and_their_refunds() {
    let p = read(shopify, "orders/updated", Some("w1"), SHOPIFY);
    let want = "\
shopify shopify:s:order:820982911946154508 2026-11-20T02:30:05Z user=115310627314723954 email=john@example.com phone=+821012345678
  identify: city=\"Seoul\" country=\"KR\" email=\"john@example.com\" first_name=\"John\" last_name=\"Smith\" name=\"John Smith\" phone=\"+821012345678\" region=\"KR-11\"
  Order Completed: channel=\"web\" coupon=\"FALL\" currency=\"KRW\" discount=5 items=2 landing_site=\"/?utm_source=naver\" order_id=\"820982911946154508\" \
order_number=\"#1001\" quantity=3 shipping=5 subtotal=54.99 tax=0 total=59.99
  Product Purchased: brand=\"Apple\" channel=\"web\" coupon=\"FALL\" currency=\"KRW\" discount=0 name=\"iPod\" order_id=\"820982911946154508\" price=19.99 \
product_id=\"632910392\" quantity=2 sku=\"IPOD-RED\" total=39.98
  Product Purchased: channel=\"web\" coupon=\"FALL\" currency=\"KRW\" discount=0 name=\"Gift wrap\" order_id=\"820982911946154508\" price=15.01 \
product_id=\"Gift wrap\" quantity=1 total=15.01
shopify shopify:s:refund:929361465 2026-11-21T00:00:00Z user=115310627314723954 email=john@example.com phone=+821012345678
  Order Refunded: currency=\"KRW\" items=1 order_id=\"820982911946154508\" quantity=1 refund_id=\"929361465\" total=19.99
  Product Refunded: currency=\"KRW\" name=\"iPod\" order_id=\"820982911946154508\" price=19.99 product_id=\"632910392\" quantity=1 \
refund_id=\"929361465\" sku=\"IPOD-RED\" total=19.99
";
    assert_eq!(shown(&p), want);
}

#[test]
fn an_order_told_again_has_the_same_message_id_and_an_unpaid_one_waits() {
    let ids = |topic, body: &str| -> Vec<String> {
        read(shopify, topic, None, body).messages.into_iter().map(|m| m.id).collect()
    };
    let changed = SHOPIFY.replace("59.99", "64.99").replace("2026-11-21T10:00:00+09:00", "2026-11-22T10:00:00+09:00");
    assert_eq!(ids("orders/paid", SHOPIFY), ids("orders/updated", &changed));
    let pending = SHOPIFY.replace("partially_refunded", "pending");
    assert_eq!(read(shopify, "orders/create", None, pending).skips, [Skip::NotPaid]);
    let test = SHOPIFY.replace("\"test\":false", "\"test\":true");
    assert_eq!(read(shopify, "orders/create", None, test).skips, [Skip::TestOrder]);
    assert_eq!(read(shopify, "refunds/create", None, "{}").skips, [Skip::Topic]);
    let bad = SHOPIFY.replace("\"59.99\"", "\"lots\"");
    let p = read(shopify, "orders/paid", None, bad);
    assert_eq!((p.rejects[0].code.as_str(), p.rejects[0].place.as_str()), ("number_unreadable", "total_price"));
}

#[test]
fn shopify_tells_of_customers_consents_checkouts_and_erasures() {
    let p = read(shopify, "customers/update", None, include_str!("../../testdata/http/shopify-customer.json"));
    let want = "\
shopify shopify:s:customer:706405506930370084:1795100400000000 2026-11-19T15:00:00Z user=706405506930370084 email=bob@biller.com
  identify: city=\"Busan\" country=\"KR\" email=\"bob@biller.com\" first_name=\"Bob\" joined_at=2026-01-01T18:04:05Z last_name=\"Biller\" name=\"Bob Biller\" \
region=\"KR-26\" tags=[\"vip\", \"wholesale\"]
shopify shopify:s:consent:706405506930370084:email:1795014000000000 2026-11-18T15:00:00Z user=706405506930370084 email=bob@biller.com
  identify: consent.email=false
";
    assert_eq!(shown(&p), want);
    let p = read(
        shopify,
        "checkouts/create",
        None,
        r#"{"id":1,"token":"t1","email":"a@b.kr","created_at":"2026-11-22T15:00:00Z","currency":"KRW","total_price":"12300","line_items":[{"product_id":5,"quantity":1,"price":"12300"}]}"#,
    );
    let want = "\
shopify shopify:s:checkout:t1 2026-11-22T15:00:00Z email=a@b.kr
  Checkout Started: checkout_id=\"t1\" currency=\"KRW\" items=1 product_ids=[\"5\"] value=12300
";
    assert_eq!(shown(&p), want);
    assert_eq!(read(shopify, "checkouts/create", None, r#"{"token":"t1"}"#).skips, [Skip::Nobody]);
    let redact = r#"{"shop_id":1,"shop_domain":"s","customer":{"id":7,"email":"a@b.kr","phone":"555-625-1199"},"orders_to_redact":[1]}"#;
    let p = read(shopify, "customers/redact", Some("w9"), redact);
    assert_eq!((p.privacy[0].ask, p.privacy[0].id.as_str()), (Ask::Erase, "shopify:s:privacy:w9"));
    assert_eq!(p.privacy[0].who.iter().map(|i| i.handle()).collect::<Vec<_>>()[..2], ["7", "email:a@b.kr"]);
    assert!(!format!("{p:?}").contains("a@b.kr"));
    let p = read(shopify, "customers/data_request", None, r#"{"customer":{"id":7},"data_request":{"id":9999}}"#);
    assert_eq!((p.privacy[0].ask, p.privacy[0].id.as_str()), (Ask::Export, "shopify:s:privacy:9999"));
    assert_eq!(read(shopify, "shop/redact", None, r#"{"shop_id":1}"#).privacy[0].ask, Ask::EraseShop);
}

#[test]
fn woocommerce_tells_of_orders_in_utc_and_guests_by_address() {
    let body = include_str!("../../testdata/http/woocommerce-order.json");
    let p = read(woocommerce, "order.updated", None, body);
    let want = "\
woocommerce woocommerce:s:order:727 2026-11-20T09:00:00Z email=hong@example.com
  identify: city=\"서울특별시 강남구\" country=\"KR\" email=\"hong@example.com\" first_name=\"길동\" last_name=\"홍\" name=\"홍길동\" phone=\"+821012345678\" region=\"KR-11\"
  Order Completed: channel=\"checkout\" coupon=\"WELCOME\" currency=\"KRW\" discount=0 items=2 order_id=\"727\" payment_method=\"bacs\" quantity=3 shipping=10 tax=1.35 total=29.35
  Product Purchased: channel=\"checkout\" coupon=\"WELCOME\" currency=\"KRW\" name=\"Woo Single #1\" order_id=\"727\" price=3 product_id=\"93\" quantity=2 total=6
  Product Purchased: channel=\"checkout\" coupon=\"WELCOME\" currency=\"KRW\" name=\"Ship Your Idea\" order_id=\"727\" price=12 product_id=\"22\" quantity=1 sku=\"Bar3\" total=12 variant=\"23\"
woocommerce woocommerce:s:refund:726 2026-11-21T00:00:00Z email=hong@example.com
  Order Refunded: currency=\"KRW\" order_id=\"727\" refund_id=\"726\" total=10
";
    assert_eq!(shown(&p), want);
    let unpaid = body.replace("\"completed\"", "\"on-hold\"").replace("\"2026-11-20T09:05:00\"", "null");
    assert_eq!(read(woocommerce, "order.created", None, unpaid).skips, [Skip::NotPaid]);
    let cancelled =
        body.replace("\"completed\"", "\"cancelled\"").replace(r#"{"id":726,"reason":"","total":"-10.00"}"#, "");
    let p = read(woocommerce, "order.updated", None, cancelled);
    assert!(shown(&p).ends_with("Order Refunded: currency=\"KRW\" order_id=\"727\" refund_id=\"727\" total=29.35\n"));
    assert_eq!(read(woocommerce, "", None, "webhook_id=5").skips, [Skip::Ping]);
}

#[test]
fn cafe24_tells_of_orders_members_and_carts() {
    let body = include_str!("../../testdata/http/cafe24-order.json");
    let p = read(cafe24, "", None, body);
    let want = "\
cafe24 cafe24:s:order:20200717-0029236 2026-11-17T06:24:07Z user=gdhong
  identify: email=\"gdhong@cafe24corp.com\" name=\"홍길동\" phone=\"+821024242424\"
  Order Completed: channel=\"mobile\" currency=\"KRW\" discount=0 first_order=true group_no=\"1\" items=2 mileage_spent=100 mobile=true \
order_id=\"20200717-0029236\" payment_method=\"card\" shipping=0 total=24580
  Product Purchased: channel=\"mobile\" currency=\"KRW\" name=\"감귤 3kg\" order_id=\"20200717-0029236\" product_id=\"P00000BO\"
  Product Purchased: channel=\"mobile\" currency=\"KRW\" name=\"한라봉\" order_id=\"20200717-0029236\" product_id=\"P00000DQ\"
";
    assert_eq!(shown(&p), want);
    assert_eq!(read(cafe24, "", None, body.replace("90023", "90025")).messages[0].id, p.messages[0].id);
    let waiting = body.replace("\"paid\":\"T\"", "\"paid\":\"F\"");
    assert_eq!(read(cafe24, "", None, waiting).skips, [Skip::NotPaid]);
    let p = read(cafe24, "", None, body.replace("90023", "90029"));
    let want = "\
cafe24 cafe24:s:refund:20200717-0029236 2026-11-22T15:04:11Z user=gdhong
  Order Refunded: channel=\"mobile\" currency=\"KRW\" order_id=\"20200717-0029236\" refund_id=\"20200717-0029236\" total=24580
";
    assert_eq!(shown(&p), want);
    let p = read(cafe24, "", None, include_str!("../../testdata/http/cafe24-member.json"));
    let want = "\
cafe24 cafe24:s:member:gdhong 2026-11-17T06:26:00Z user=gdhong email=gdhong@cafe24corp.com phone=+821024682468
  identify: birth_date=\"1990-01-02\" consent.email=false consent.sms=true email=\"gdhong@cafe24corp.com\" gender=\"male\" group_no=\"1\" \
joined_at=2026-11-17T06:26:00Z name=\"홍길동\" phone=\"+821024682468\"
  Signed Up: 
";
    assert_eq!(shown(&p), want);
    let cart = r#"{"event_no":90084,"resource":{"mall_id":"m","member_id":"sampleid","product_no":781,"variant_code":"P0000BEB000A","quantity":1}}"#;
    let p = read(cafe24, "", Some("trace-1"), cart);
    let want = "\
cafe24 cafe24:s:cart:trace-1 2026-11-22T15:04:11Z user=sampleid
  Product Added: product_id=\"P0000BEB\" product_no=\"781\" quantity=1 variant=\"P0000BEB000A\"
";
    assert_eq!(shown(&p), want);
    assert_eq!(read(cafe24, "", None, r#"{"event_no":90162,"resource":{}}"#).skips, [Skip::Topic]);
}

#[test]
fn kakao_tells_who_added_and_blocked_the_channel() {
    let body = r#"{"event":"blocked","id":"1234567890","id_type":"app_user_id","channel_public_id":"_ZeUTxl","channel_uuid":"@mychannel","updated_at":"2026-01-01T00:00:00Z"}"#;
    let want = "\
kakao kakao:s:channel:r1 2026-01-01T00:00:00Z kakao=1234567890
  identify: consent.kakao=false kakao.relation=\"blocked\"
  Channel Blocked: channel=\"kakao\" channel_public_id=\"_ZeUTxl\" channel_uuid=\"@mychannel\"
";
    assert_eq!(shown(&read(kakao, "", Some("r1"), body)), want);
    let old = r#"{"event":"added","id":77,"id_type":"open_id","plus_friend_public_id":"_Z","timestamp":1767225600000}"#;
    let p = read(kakao, "", None, old);
    assert_eq!((p.messages[0].ts, p.messages[0].who[0].value.as_str()), (at("2026-01-01T00:00:00Z"), "open:77"));
    assert!(shown(&p).contains("identify: kakao.relation=\"added\"\n"), "no consent is made up");
}

#[test]
fn signatures_agree_with_a_known_one_and_nothing_else_does() {
    // RFC 4231, test case 2.
    let (key, data) = (b"Jefe", b"what do ya want for nothing?");
    let good = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    assert!(verify_hmac(key, data, good));
    assert!(verify_hmac(key, data, &format!(" {good}\r\n")));
    for bad in ["", "x", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEI=", "W9zBRr9gdU5qBCQmCJU="] {
        assert!(!verify_hmac(key, data, bad), "{bad}");
    }
    assert!(!verify_hmac(key, b"what do ya want for nothing!", good));
    assert!(!verify_hmac(b"", data, good), "no secret, no entry");
    assert!(verify_secret("KakaoAK 1", "KakaoAK 1") && !verify_secret("KakaoAK 1", "KakaoAK 2"));
    assert!(!verify_secret("", "") && !verify_secret("a", "ab"));
}

#[test]
fn two_shops_in_one_workspace_keep_their_customers_apart() {
    let delivery = Delivery { shop: Shop { id: "m", prefix: "cafe24:m:" }, topic: "", id: None, received: now() };
    let body = include_str!("../../testdata/http/cafe24-member.json");
    let p = cafe24(delivery, body.as_bytes(), &Limits::webhook()).unwrap();
    assert_eq!(p.messages[0].who[0].handle(), "cafe24:m:gdhong");
}
