//! Opening a data directory of the workload's size, from cold files to the first 24 answers.
//!
//! ```text
//! gyul-bench-store write --data bench/data/M --dir DIR [--ends RFC3339]    # the generator's Parquet into a data directory
//! gyul-bench-store open --dir DIR --defs bench/workload.yaml
//! gyul-bench-store first --dir DIR --defs bench/workload.yaml
//! gyul-bench-store why --dir DIR --defs bench/workload.yaml
//! ```
//! `first` loads what the first segment needs alone (orders' instants) and counts it. `open` prints a line of JSON: wall and CPU seconds until everything is loaded and all segments are counted.
//! `--ends` moves all events so that the data ends there: for the live server, whose clock is the real one. `why` asks for 200 customers why they are in each segment, or are not, with everything loaded and counted before.

#[expect(dead_code, reason = "the delta is for the other binary")]
#[path = "../load.rs"]
mod load;
#[path = "../meter.rs"]
mod meter;
#[path = "../read.rs"]
mod read;

use gyul_engine::View;
use gyul_model::{Column, ColumnData, ColumnKind, Instant, Snapshot, StreamBatch, TextColumn};
use gyul_store::{Import, Needs, Origin, Store};
use gyul_timeline::{Plan, Timelines};
use read::Fallible;
use std::path::Path;

/// The same as in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Err(e) = run() {
        eprintln!("gyul-bench-store: {e}");
        std::process::exit(2);
    }
}

fn run() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        let at = args.iter().position(|a| a == name).ok_or_else(|| format!("{name} is missing"))?;
        args.get(at + 1).cloned().ok_or_else(|| format!("{name} needs a value"))
    };
    match args.first().map(String::as_str) {
        Some("write") => {
            let ends =
                flag("--ends").map_or(Some(at()), |t| Instant::parse_rfc3339(&t)).ok_or("--ends is no instant")?;
            write(Path::new(&flag("--data")?), Path::new(&flag("--dir")?), ends.0 - at().0)
        }
        Some("open") => open(Path::new(&flag("--dir")?), Path::new(&flag("--defs")?), &Needs::All, 24),
        Some("first") => {
            let orders = Needs::Streams(vec![("order_completed".into(), vec![])]);
            open(Path::new(&flag("--dir")?), Path::new(&flag("--defs")?), &orders, 1)
        }
        Some("why") => why(Path::new(&flag("--dir")?), Path::new(&flag("--defs")?)),
        _ => Err("say write, open, first or why".into()),
    }
}

fn at() -> Instant {
    Instant::parse_rfc3339("2026-01-01T00:00:00Z").unwrap_or(Instant(0))
}

fn write(data: &Path, dir: &Path, later: i64) -> Fallible<()> {
    let snapshot = load::snapshot(data)?;
    let origin = Origin { name: "generator", fingerprint: 1, kind: "events", header: "" };
    let mut import = Import::begin(dir, "Asia/Seoul", "KRW", &origin, at())?;
    import.limit_memory(8 << 30);
    let mut rows = 0;
    for b in 0..snapshot.buckets.len() {
        for s in 0..snapshot.streams.len() {
            let mut batch = batch(&snapshot, b, s);
            batch.ts.iter_mut().filter(|t| **t != Instant::ALWAYS.0).for_each(|t| *t += later);
            rows += batch.len() as u64;
            import.append(&batch)?;
        }
        import.checkpoint(rows)?;
    }
    println!("{:?}", import.commit(rows)?);
    Ok(())
}

/// All events of one stream and bucket.
fn batch(snapshot: &Snapshot, b: usize, s: usize) -> StreamBatch {
    let (info, bucket) = (&snapshot.streams[s], &snapshot.buckets[b]);
    let stream = &bucket.streams[s];
    let n = stream.ts.len();
    let mut customer = TextColumn::default();
    for c in 0..bucket.customers.len() {
        stream.rows(c).for_each(|_| customer.push(bucket.customers.get(c)));
    }
    let props = info.columns.iter().zip(&stream.columns).map(|(c, data)| {
        let column = match (&c.kind, data) {
            (ColumnKind::Bool, ColumnData::Bool(v)) => {
                Column::Bool(v.iter().map(|x| (*x < 2).then_some(*x == 1)).collect())
            }
            (ColumnKind::Num { scale }, ColumnData::Num(v)) => {
                Column::Num { scale: *scale, mantissas: (0..n).map(|i| v.get(i)).collect() }
            }
            (ColumnKind::Instant, ColumnData::Instant(v)) => Column::Instant(v.clone()),
            (ColumnKind::Text(dict) | ColumnKind::List(dict), ColumnData::Codes(v)) => {
                let mut t = TextColumn::default();
                (0..n).for_each(|i| t.push(v.get(i).checked_sub(1).and_then(|c| dict.get(c as usize))));
                Column::Text(t)
            }
            _ => Column::Instant(vec![i64::MIN; n]),
        };
        (c.name.clone(), column)
    });
    StreamBatch {
        seq: vec![],
        name: info.name.clone(),
        customer,
        ts: stream.ts.clone(),
        // Instants are unique within a customer of the generator.
        id: stream.ts.iter().map(|t| *t as u64).collect(),
        row: vec![0; n],
        props: props.collect(),
    }
}

fn open(dir: &Path, defs: &Path, needs: &Needs, segments: usize) -> Fallible<()> {
    let text = std::fs::read_to_string(defs)?;
    let (mut library, _) = gyul_segment::load(&[("workload".into(), text)], None);
    library.segments.truncate(segments);
    if segments == 1 {
        // Measures of the others would ask for what is not loaded.
        library.measures.truncate(2);
    }
    let (done, cost) = meter::measured(|| -> Fallible<(usize, usize)> {
        let store = Store::open(dir)?;
        let timelines = Timelines::new(store.load(needs)?);
        let plan = Plan::compile(&library, &timelines.data().streams);
        let answers = timelines.evaluate(&plan, at());
        Ok((timelines.data().events(), answers.segments.iter().map(|s| s.count()).sum()))
    });
    let (events, members) = done?;
    println!("{}", serde_json::json!({ "events": events, "members": members, "cost": cost }));
    Ok(())
}

fn why(dir: &Path, defs: &Path) -> Fallible<()> {
    let text = std::fs::read_to_string(defs)?;
    let (library, _) = gyul_segment::load(&[("workload".into(), text)], None);
    let view = View::new(Store::open(dir)?.load(&Needs::All)?, library);
    let customers: Vec<String> = {
        let buckets = view.data().buckets.iter();
        buckets
            .flat_map(|b| (0..2).filter_map(|i| b.customers.get(i * b.customers.len() / 2)))
            .map(String::from)
            .take(200)
            .collect()
    };
    let (_, cost) = meter::measured(|| view.counts(at()));
    println!("{}", serde_json::json!({ "counts": cost }));
    for segment in view.library().segments.iter() {
        let mut walls = vec![];
        for customer in &customers {
            let (found, cost) = meter::measured(|| view.why(&segment.id, customer, at()));
            found.map_err(|e| format!("{} is not found", e.name))?;
            walls.push(cost["wall"].as_f64().unwrap_or(f64::NAN) * 1000.0);
        }
        walls.sort_by(f64::total_cmp);
        let mean = walls.iter().sum::<f64>() / walls.len() as f64;
        let (median, most) = (walls[walls.len() / 2], walls[walls.len() - 1]);
        println!(
            "{}",
            serde_json::json!({ "why": segment.id, "ms": { "mean": mean, "median": median, "most": most } })
        );
    }
    Ok(())
}
