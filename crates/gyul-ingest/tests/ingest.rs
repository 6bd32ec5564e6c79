//! Whole files in, events and rejects out.

use gyul_ingest::*;
use gyul_model::*;
use std::io::{Cursor, Write};

fn ctx() -> Context {
    Context {
        zone: Zone::seoul(),
        now: Instant::parse_rfc3339("2026-11-23T00:00:00Z").unwrap(),
        currency: Some("KRW".into()),
    }
}

fn open(bytes: &[u8], block_bytes: usize) -> Result<Source, InputError> {
    let options = Options { block_bytes, ..Options::default() };
    Source::open("test", Input::Stream(Box::new(Cursor::new(bytes.to_vec()))), &options)
}

fn run(kind: Kind, bytes: &[u8], block: usize, mapping: Option<&Mapping>) -> Result<Vec<Mapped>, String> {
    let mut source = open(bytes, block).map_err(|e| e.to_string())?;
    let mapping = match mapping {
        Some(m) => m.clone(),
        None => {
            let all = |p: Vec<Problem>| p.iter().map(|p| p.message(Lang::En)).collect::<Vec<_>>().join("\n");
            infer(kind, source.header(), &source.sample(), &ctx()).map_err(all)?.mapping
        }
    };
    let mapper = Mapper::new(&mapping, source.header(), &ctx()).map_err(|p| p[0].message(Lang::En))?;
    let mut out = vec![];
    while let Some(chunk) = source.next_chunk().map_err(|e| e.to_string())? {
        out.push(mapper.map(chunk));
    }
    for m in &out {
        let events: usize = m.batches.iter().map(StreamBatch::len).sum();
        assert_eq!(m.rows, m.accepted + m.rejects.len() as u64, "rows are conserved");
        assert_eq!(m.accepted, events as u64, "one event an accepted row");
        for b in m.batches.iter().chain(&m.side) {
            assert!(b.customer.len() == b.len() && b.id.len() == b.len() && b.row.len() == b.len());
            assert!(b.props.iter().all(|(_, c)| c.len() == b.len()), "columns are of one length");
        }
    }
    Ok(out)
}

/// All events as lines of text, sorted: what the tests compare.
fn lines(mapped: &[Mapped]) -> Vec<String> {
    let mut out = vec![];
    for b in mapped.iter().flat_map(|m| m.batches.iter().chain(&m.side)) {
        for i in 0..b.len() {
            let mut props: Vec<String> =
                b.props.iter().filter_map(|(n, c)| Some(format!("{n}={}", value(c, i)?))).collect();
            props.sort();
            let (customer, ts) = (b.customer.get(i).unwrap(), Instant(b.ts[i]));
            out.push(format!("{} {customer} {ts} {}", b.name, props.join(" ")));
        }
    }
    out.sort();
    out
}

fn value(c: &Column, i: usize) -> Option<String> {
    match c {
        Column::Bool(v) => v[i].map(|b| b.to_string()),
        Column::Num { scale, mantissas } => {
            (mantissas[i] != i64::MIN).then(|| Decimal::new(mantissas[i], *scale).to_string())
        }
        Column::Text(t) | Column::List(t) => t.get(i).map(|t| t.replace('\u{1f}', "|")),
        Column::Instant(v) => (v[i] != i64::MIN).then(|| Instant(v[i]).to_string()),
    }
}

fn codes(mapped: &[Mapped]) -> Vec<(u64, u64, &'static str)> {
    mapped.iter().flat_map(|m| &m.rejects).map(|r| (r.row, r.line, r.code.as_str())).collect()
}

const RETAIL: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,\"WHITE HANGING
HEART, T-LIGHT\",6,2010-12-01 08:26,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26,3.39,17850,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41,27.50,14527,EIRE
536414,22139,,56,2010-12-01 11:52,0,,United Kingdom
536415,22139,X,1,2010-13-01 11:52,1,1,Unspecified
536416,22139,X,1,2036-12-01 11:52,1,1,Unspecified
536417,22139,X,abc,2010-12-01 11:52,1,1,Unspecified
A563186,B,Adjust,1,2011-08-12 14:51,-11062.06,1,Unspecified
536418,22139,X,1,2010-12-01 11:52
";

#[test]
fn online_retail_becomes_lines_refunds_and_reasons() {
    let got = run(Kind::Orders, RETAIL.as_bytes(), 1 << 20, None).unwrap();
    assert_eq!(
        lines(&got),
        [
            "Product Purchased 17850 2010-11-30T23:26:00Z currency=KRW name=WHITE HANGING\nHEART, T-LIGHT order_id=536365 price=2.55 product_id=85123A quantity=6 total=15.3",
            "Product Purchased 17850 2010-11-30T23:26:00Z currency=KRW name=WHITE METAL LANTERN order_id=536365 price=3.39 product_id=71053 quantity=6 total=20.34",
            "Product Refunded 14527 2010-12-01T00:41:00Z currency=KRW name=Discount price=27.5 product_id=D quantity=1 refund_id=C536379 total=27.5",
            "identify 14527 2010-12-01T00:41:00Z country=IE",
            "identify 17850 2010-11-30T23:26:00Z country=GB",
        ]
    );
    assert_eq!(
        codes(&got),
        [
            (4, 6, "no_customer"),
            (5, 7, "time_unreadable"),
            (6, 8, "time_future"),
            (7, 9, "number_unreadable"),
            (8, 10, "negative_price"),
            (9, 11, "column_count")
        ]
    );
    let r = &got[0].rejects[3];
    assert_eq!((r.column.as_deref(), r.value.as_str()), (Some("Quantity"), "abc"));
    assert_eq!(r.content, "536417,22139,X,abc,2010-12-01 11:52,1,1,Unspecified");
    assert!(!format!("{r:?}").contains("abc"), "logs show no content");
}

#[test]
fn the_size_of_blocks_changes_nothing() {
    let whole = run(Kind::Orders, RETAIL.as_bytes(), 1 << 20, None).unwrap();
    let mapping = {
        let s = open(RETAIL.as_bytes(), 1 << 20).unwrap();
        infer(Kind::Orders, s.header(), &s.sample(), &ctx()).unwrap().mapping
    };
    assert_eq!(Mapping::from_yaml(&mapping.to_yaml()).as_ref(), Ok(&mapping));
    for block in [1, 10, 100, 300] {
        let pieces = run(Kind::Orders, RETAIL.as_bytes(), block, Some(&mapping)).unwrap();
        let ids = |m: &[Mapped]| {
            m.iter().flat_map(|m| &m.batches).flat_map(|b| b.id.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(codes(&pieces), codes(&whole), "block {block}");
        assert_eq!(ids(&pieces), ids(&whole));
        let events = |m: &[Mapped]| lines(m).into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(events(&pieces), events(&whole));
    }
}

#[test]
fn korean_orders_in_every_wrapping_are_the_same() {
    let text = "주문번호,회원ID,주문일시,결제금액,주문상태,취소일시,성별\r\n\
        1001,kim,2026-11-01 오후 3:04,\"₩12,300\",결제완료,,여\r\n\
        1002,lee,2026.11.02,\"12,000원\",취소완료,2026-11-03,남\r\n\
        1003,lee,2026-11-02 10:00,5000,입금전,,남\r\n";
    let want = [
        "Order Completed kim 2026-11-01T06:04:00Z currency=KRW order_id=1001 total=12300",
        "Order Completed lee 2026-11-01T15:00:00Z currency=KRW order_id=1002 total=12000",
        "Order Refunded lee 2026-11-02T15:00:00Z currency=KRW order_id=1002 refund_id=1002 total=12000",
        "identify kim 2026-11-01T06:04:00Z gender=female",
        "identify lee 2026-11-01T15:00:00Z gender=male",
    ];
    // CP949 has the wide won sign alone.
    let wide = text.replace('₩', "￦");
    let (cp949, _, _) = encoding_rs::EUC_KR.encode(&wide);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(&cp949).unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let tabs = text
        .replace("\"₩12,300\"", "₩12.300")
        .replace("\"12,000원\"", "12000원")
        .replace(',', "\t")
        .replace("12.300", "12,300");
    for (i, bytes) in [text.as_bytes(), &cp949, &utf16, &gz, &zst, &bom, tabs.as_bytes()].iter().enumerate() {
        let got = run(Kind::Orders, bytes, 1 << 20, None).unwrap();
        assert_eq!(lines(&got), want, "wrapping {i}");
        assert_eq!(codes(&got), [(3, 4, "not_paid")]);
    }
}

#[test]
fn the_same_row_has_the_same_id_and_others_do_not() {
    let head = "order,customer,date,sku,qty,price\n";
    let ids = |rows: &str| {
        let got = run(Kind::Orders, format!("{head}{rows}").as_bytes(), 1 << 20, None).unwrap();
        got.into_iter().flat_map(|m| m.batches).flat_map(|b| b.id).collect::<Vec<_>>()
    };
    let a = ids(
        "1,c,2026-01-01,x,1,10\n1,c,2026-01-01,x,1,10.00\n1,c,2026-01-01,y,1,10\n1,c,2026-01-01,x,2,10\n1,c,2026-01-01,x,-1,10\n",
    );
    assert_eq!(a[0], a[1]);
    assert_eq!(a.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert_eq!(ids("1,c,2026-01-01,y,1,10\n")[0], a[2], "in another file too");
}

#[test]
fn events_and_profiles() {
    let json = r#"{"event":"Product Viewed","userId":"u1","timestamp":"2026-11-01T00:00:00Z","messageId":"m1","properties":{"product_id":"007","price":12.5,"gift":true}}
{"event":"Products Searched","userId":"u1","timestamp":"2026-11-01T00:00:01Z","messageId":"m2","properties":{"query":"귤"}}
{"event":"Product Viewed","userId":null,"timestamp":"2026-11-01T00:00:01Z","messageId":"m3","properties":{}}
not json
"#;
    let got = run(Kind::Events, json.as_bytes(), 1 << 20, None).unwrap();
    assert_eq!(
        lines(&got),
        [
            "Product Viewed u1 2026-11-01T00:00:00Z gift=true price=12.5 product_id=007",
            "Products Searched u1 2026-11-01T00:00:01Z query=귤",
        ]
    );
    assert_eq!(codes(&got), [(3, 3, "no_customer"), (4, 4, "bad_json")]);

    let csv = "회원번호;이름;성별;생년월일;휴대폰;이메일;주소;SMS수신동의;등급\n\
        1;홍 길동;남;900101;010-1234-5678;Hong@Example.com;전남광주통합특별시 광산구 1;Y;VIP\n\
        2;;여성;1990;010-****-5678;;경기도 광주시;거부;\n3;;;;;;;;\n";
    let got = run(Kind::Profiles, csv.as_bytes(), 1 << 20, None).unwrap();
    assert_eq!(
        lines(&got),
        [
            "identify 1 always birth_date=1990-01-01 consent.sms=true email=hong@example.com gender=male grade=VIP name=홍 길동 phone=+821012345678 region=KR-29",
            "identify 2 always birth_year=1990 consent.sms=false gender=female region=KR-41",
        ]
    );
    assert_eq!(codes(&got), [(3, 4, "no_trait")]);
    assert_eq!(got[0].notes, [Note { column: "휴대폰".into(), code: "unreadable", count: 1 }]);
}

#[test]
fn dates_are_decided_by_evidence_or_asked_for() {
    let file = |dates: &[&str]| {
        let rows: String = dates.iter().enumerate().map(|(i, d)| format!("{i},c,{d},5\n")).collect();
        run(Kind::Orders, format!("order,customer,date,total\n{rows}").as_bytes(), 1 << 20, None)
    };
    let first = |r: Result<Vec<Mapped>, String>| Instant(r.unwrap()[0].batches[0].ts[0]).to_string();
    assert_eq!(first(file(&["03/04/2026", "22/04/2026"])), "2026-04-02T15:00:00Z");
    assert_eq!(first(file(&["03/04/2026", "04/22/2026"])), "2026-03-03T15:00:00Z");
    assert_eq!(first(file(&["03.04.2026"])), "2026-04-02T15:00:00Z");
    let asked = file(&["03/04/2026", "05/06/2026"]).unwrap_err();
    assert!(asked.contains("day/month or month/day") && asked.contains("format: mdy"), "{asked}");
    let mixed = file(&["2026-04-01", "2026-04-02", "22/04/2026"]).unwrap();
    assert_eq!(codes(&mixed), [(3, 4, "time_unreadable")]);
    assert!(file(&["soon"]).unwrap_err().contains("cannot be read"));
}

#[test]
fn what_is_missing_is_named_with_the_fix() {
    let e = run(Kind::Orders, b"basket_id,item\n1,citrus fruit\n", 1 << 20, None).unwrap_err();
    assert!(e.contains("customer: basket_id") && e.contains("the time"), "{e}");
    let mut m = Mapping::from_yaml("kind: orders\ncolumns: {customer: Custmer, time: date}\n").unwrap();
    let e = run(Kind::Orders, b"Customer,date\n1,2026-01-01\n", 1 << 20, Some(&m)).unwrap_err();
    assert!(e.contains("Did you mean `Customer`"), "{e}");
    m.zone = Some("Asia/Soul".into());
    assert!(run(Kind::Orders, b"Custmer,date\n1,2026-01-01\n", 1 << 20, Some(&m)).unwrap_err().contains("Asia/Soul"));
}

#[test]
fn bad_files_say_what_is_wrong() {
    let fail = |bytes: &[u8]| match open(bytes, 1 << 20) {
        Err(e) => e.kind,
        Ok(mut s) => loop {
            match s.next_chunk() {
                Err(e) => return e.kind,
                Ok(None) => panic!("no error"),
                Ok(Some(_)) => {}
            }
        },
    };
    assert_eq!(fail(b""), InputErrorKind::Empty);
    assert_eq!(fail(b"\n \n"), InputErrorKind::Empty);
    assert_eq!(fail(b"a,b,c\n"), InputErrorKind::HeaderOnly);
    assert_eq!(fail(b"a,b,c"), InputErrorKind::HeaderOnly);
    assert_eq!(fail(b"[{\"a\":1}]"), InputErrorKind::UnknownFormat("JSON array"));
    assert_eq!(fail(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), InputErrorKind::UnknownFormat("xls"));
    assert!(matches!(fail(b"a,b\n\xff\xff\x81\n"), InputErrorKind::Encoding { .. }));
    assert!(matches!(fail(b"PAR1 and no more"), InputErrorKind::Truncated(_) | InputErrorKind::Damaged(_)));
    assert!(matches!(fail(b"PK\x03\x04 and no more"), InputErrorKind::Damaged(_)));
    let long = format!("a,b\n{}", "1,2\n".repeat(100_000));
    let gz = {
        let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::none());
        gz.write_all(long.as_bytes()).unwrap();
        gz.finish().unwrap()
    };
    assert!(matches!(fail(&gz[..gz.len() / 2]), InputErrorKind::Truncated(_)));
    let zst = zstd::encode_all(long.as_bytes(), 1).unwrap();
    assert!(matches!(fail(&zst[..zst.len() - 3]), InputErrorKind::Truncated(_) | InputErrorKind::Damaged(_)));
    let dir = Source::open_path(std::path::Path::new("."), &Options::default()).err().unwrap();
    assert_eq!(dir.kind, InputErrorKind::Directory);
    for lang in [Lang::Ko, Lang::En] {
        assert!(dir.message(lang).len() > 10);
    }
}

#[test]
fn tables_with_typed_cells_read_like_csv() {
    let want = [
        "Product Purchased 7 2026-11-01T06:04:00Z currency=KRW order_id=1 price=1.25 product_id=b quantity=2 total=2.5",
        "Product Purchased 7 2026-11-01T06:04:00Z currency=KRW order_id=1 price=2.5 product_id=a quantity=1 total=2.5",
    ];
    for name in ["orders.parquet", "orders.xlsx"] {
        let bytes = std::fs::read(format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let got = run(Kind::Orders, &bytes, 1 << 20, None).unwrap();
        assert_eq!(lines(&got), want, "{name}");
        assert_eq!(codes(&got), [(3, 0, "no_customer")]);
        assert!(got[0].rejects[0].content.contains(",c,3,"), "{}", got[0].rejects[0].content);
        // A file can be sought in; half of it is an error, not a panic.
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        assert_eq!(
            Source::open_path(&path, &Options::default()).unwrap().header().len(),
            if name.ends_with("x") { 6 } else { 7 }
        );
        assert!(open(&bytes[..bytes.len() / 2], 1 << 20).is_err());
    }
}

#[test]
fn sample_files_in_old_encodings_open() {
    for name in ["orders_cp949.csv", "orders_utf16.csv"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        let source = Source::open_path(&path, &Options::default()).unwrap();
        assert_eq!(source.sample().cell(1, 1), "이순신", "{name}");
    }
}

#[test]
fn ids_are_told_apart_by_what_they_say() {
    let ids = |rows: &str| {
        let got = run(Kind::Orders, format!("order,customer,date,total\n{rows}").as_bytes(), 1 << 20, None).unwrap();
        got.iter()
            .flat_map(|m| &m.batches)
            .flat_map(|b| (0..b.len()).map(|i| b.customer.get(i).unwrap().to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids("1,Kim@Shop.KR,2026-01-01,1\n2,kim@shop.kr ,2026-01-02,1\n3,007,2026-01-02,1\n4,17850.0,2026-01-02,1\n"),
        ["kim@shop.kr", "kim@shop.kr", "007", "17850"]
    );
}

#[test]
fn threads_may_share_a_mapper() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Mapper>();
    sent::<Chunk>();
    sent::<Mapped>();
    sent::<Source>();
}

#[test]
fn exports_of_shop_systems_need_no_mapping() {
    let columns = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        let s = Source::open_path(&path, &Options::default()).unwrap();
        let m = infer(Kind::Orders, s.header(), &s.sample(), &ctx()).unwrap().mapping;
        assert_eq!(m.grain, Grain::Lines, "{name}");
        let of = |r| m.column(r).unwrap_or("-").to_string();
        use Role::*;
        [Customer, Time, Order, Line, Product, Quantity, Price, Total, Discount, Status].map(of).join(" | ")
    };
    assert_eq!(
        columns("shopify_orders.csv"),
        "Email | Created at | Name | - | Lineitem sku | Lineitem quantity | Lineitem price | - | Discount Amount | Financial Status"
    );
    assert_eq!(
        columns("smartstore_orders.csv"),
        "구매자ID | 주문일시 | 주문번호 | 상품주문번호 | 상품번호 | 수량 | 상품가격 | 상품별 총 주문금액 | 상품별 할인액 | 주문상태"
    );
    assert_eq!(
        columns("cafe24_orders.csv"),
        "주문자 ID | 주문일시 | 주문번호 | 품목별 주문번호 | 상품코드 | 수량 | 판매가 | - | - | 주문 상태"
    );
}
