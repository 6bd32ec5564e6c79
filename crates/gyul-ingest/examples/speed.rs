//! How many rows a second one core decodes, maps and normalises: `cargo run --release --example speed FILE orders`.

use gyul_ingest::{Context, Kind, Mapper, Options, Source, infer};
use gyul_model::{Instant, Lang, StreamBatch, Zone};
use std::time::{Instant as Clock, SystemTime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (path, kind) = (args.next().ok_or("FILE?")?, args.next().and_then(|k| Kind::parse(&k)).unwrap_or(Kind::Orders));
    let now = Instant(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros() as i64);
    let ctx = Context { zone: Zone::seoul(), now, currency: None };
    let start = Clock::now();
    let mut source = Source::open_path(path.as_ref(), &Options::default())?;
    let inferred = infer(kind, source.header(), &source.sample(), &ctx).map_err(|p| p[0].message(Lang::En))?;
    print!("{}\n{}", source.description(), inferred.mapping.to_yaml());
    inferred.notes.iter().for_each(|n| println!("note: {}", n.1));
    let mapper = Mapper::new(&inferred.mapping, source.header(), &ctx).map_err(|p| p[0].message(Lang::En))?;
    println!("opened and inferred in {:?}", start.elapsed());
    let (start, mut rows, mut events, mut reasons) = (Clock::now(), 0, 0, std::collections::BTreeMap::new());
    let mut mapping = std::time::Duration::ZERO;
    while let Some(chunk) = source.next_chunk()? {
        let t = Clock::now();
        let m = mapper.map(chunk);
        mapping += t.elapsed();
        rows += m.rows;
        for b in m.batches.iter().chain(&m.side) {
            *reasons.entry(b.name.clone()).or_insert(0) += b.len();
        }
        events += m.batches.iter().map(StreamBatch::len).sum::<usize>();
        m.rejects.iter().for_each(|r| *reasons.entry(r.code.as_str().to_string()).or_default() += 1);
    }
    let all = start.elapsed().as_secs_f64();
    println!("{rows} rows, {events} events, {reasons:?}");
    println!("{all:.3} s, of it mapping {:.3} s: {:.2} M rows/s", mapping.as_secs_f64(), rows as f64 / all / 1e6);
    Ok(())
}
