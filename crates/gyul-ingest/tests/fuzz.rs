//! No bytes make it panic, and rows are conserved whatever they say.

use gyul_ingest::*;
use gyul_model::{Instant, StreamBatch, Zone};
use proptest::prelude::*;
use std::io::{Cursor, Write};

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

fn swallow(kind: Kind, bytes: &[u8], block_bytes: usize) {
    let ctx = Context { zone: Zone::seoul(), now: Instant(1_795_000_000_000_000), currency: None };
    let options = Options { block_bytes, ..Options::default() };
    let Ok(mut source) = Source::open("fuzz", Input::Stream(Box::new(Cursor::new(bytes.to_vec()))), &options) else {
        return;
    };
    // Even what infers nothing must be mapped by something.
    let mapping = infer(kind, source.header(), &source.sample(), &ctx).map(|i| i.mapping).or_else(|_| {
        let h = source.header();
        let at = |i: usize| h.get(i % h.len().max(1)).map_or("none", |h| h.as_str()).replace(['"', '\\'], "");
        Mapping::from_yaml(&format!(
            "kind: {}\nevent: x\ncolumns: {{customer: \"{}\", time: \"{}\", quantity: \"{}\", price: \"{}\"}}\ntraits: {{gender: \"{}\"}}",
            kind.as_str(), at(0), at(2), at(3), at(4), at(1)
        ))
    });
    let Ok(mapping) = mapping else { return };
    assert_eq!(Mapping::from_yaml(&mapping.to_yaml()).as_ref(), Ok(&mapping));
    let Ok(mapper) = Mapper::new(&mapping, source.header(), &ctx) else { return };
    let mut last = 0;
    while let Ok(Some(chunk)) = source.next_chunk() {
        let m = mapper.map(chunk);
        let events: usize = m.batches.iter().map(StreamBatch::len).sum();
        assert_eq!(m.rows, m.accepted + m.rejects.len() as u64);
        assert_eq!(m.accepted, events as u64);
        let mut rows: Vec<u64> =
            m.batches.iter().flat_map(|b| b.row.clone()).chain(m.rejects.iter().map(|r| r.row)).collect();
        rows.sort_unstable();
        assert!(rows.first().is_none_or(|r| *r > last) && rows.windows(2).all(|w| w[0] < w[1]), "each row once");
        last = rows.last().copied().unwrap_or(last);
        for r in &m.rejects {
            assert!(!r.message(gyul_model::Lang::Ko).is_empty());
        }
    }
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
