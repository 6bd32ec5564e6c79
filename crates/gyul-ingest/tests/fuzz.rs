//! No bytes make it panic, and rows are conserved whatever they say.

mod swallow;

use gyul_ingest::Kind;
use proptest::prelude::*;
use std::io::Write;
use swallow::swallow;

fn samples() -> Vec<(Kind, Vec<u8>)> {
    let orders = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,\"85,A\",6,2010-12-01 08:26,2.55,17850,United Kingdom\nC536379,D,-1,2010-12-01 09:41,\"1,027.50\",14527,EIRE\n";
    let korean = "주문번호;회원ID;주문일시;결제금액;주문상태\n1;kim;2026. 11. 1. 오후 3:04;₩12,300;취소완료\n2;lee;2026년 11월 2일;5000원;\n";
    let profiles =
        "id,성별,생년월일,휴대폰,주소\nu1,여,900101,010-1234-5678,광주시 북구\nu2,M,1990,+44 20 7946 0958,Seoul\n";
    let json = "{\"event\":\"A\",\"userId\":\"u\",\"timestamp\":1795316645123,\"properties\":{\"x\":[1,\"a\"],\"y\":{\"z\":1e9}}}\n{\"event\":null}\n";
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(orders.as_bytes()).unwrap();
    let utf16 = korean.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        (Kind::Orders, orders.into()),
        (Kind::Orders, korean.into()),
        (Kind::Profiles, profiles.into()),
        (Kind::Events, json.into()),
        (Kind::Orders, gz.finish().unwrap()),
        (Kind::Orders, zstd::encode_all(korean.as_bytes(), 1).unwrap()),
        (Kind::Orders, utf16),
        (Kind::Orders, include_bytes!("../testdata/orders.parquet").to_vec()),
        (Kind::Orders, include_bytes!("../testdata/orders.xlsx").to_vec()),
    ]
}

/// Found by `fuzz/run`: the mapping of such a header could not be read back.
#[test]
fn a_header_longer_than_a_key_of_yaml_is_mapped() {
    let long = "x".repeat(3000);
    let text = format!("customer,date,{long},{long}y\n1,2026-01-01,a,b\n2,2026-01-02,c,d\n");
    swallow(Kind::Profiles, text.as_bytes(), 1 << 20);
    swallow(Kind::Events, text.as_bytes(), 1 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(
        which in 0..9_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6),
        junk in prop::sample::select(vec!["\"", ",", "\n", "-", "9", "９", "조", "오후", ":", ".", "\u{feff}", "e", "(", "\r\n"]),
        block in prop::sample::select(vec![1_usize, 7, 64, 1 << 20]),
    ) {
        let (kind, mut bytes) = samples().swap_remove(which);
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let i = at.index(bytes.len());
            match how {
                0 => bytes[i] = byte,
                1 => { bytes.splice(i..i, junk.bytes()); }
                _ => bytes.truncate(i),
            }
        }
        swallow(kind, &bytes, block);
    }

    #[test]
    fn no_text_makes_a_value_panic(cells in prop::collection::vec("[0-9년월일:. /\\-오전후PAMT+Z,₩원(eE-]{0,24}|\\PC{0,12}", 8)) {
        let row = cells.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
        let text = format!("customer,date,qty,price,gender,birthdate,phone,address\n{row}\n1,2026-01-01,1,1,F,900101,01012345678,서울\n");
        swallow(Kind::Orders, text.as_bytes(), 1 << 20);
        swallow(Kind::Profiles, text.as_bytes(), 1 << 20);
        swallow(Kind::Events, text.as_bytes(), 1 << 20);
    }
}
