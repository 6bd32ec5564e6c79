//! What must hold of any bytes taken for a file: no panic, and rows are conserved. Random tests and `fuzz/` throw them.

use gyul_ingest::*;
use gyul_model::{Instant, StreamBatch, Zone};
use std::io::Cursor;

pub fn swallow(kind: Kind, bytes: &[u8], block_bytes: usize) {
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
