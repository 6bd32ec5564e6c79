//! Live membership in process: what an event, a tick and the end of a window cost (see bench/README.md).
//!
//! ```text
//! gyul-bench-live realtime --data bench/data/S --defs bench/realtime.yaml --events 1000000 --tick 1,100,10000
//! gyul-bench-live many --data bench/data/M --defs thousand.yaml --take 100 --events 300000 --rate 30000 --expire 100000
//! ```
//! `realtime` starts from nothing and takes in the newest events in their order of arrival; the clock is the latest instant
//! seen. `many` starts from all the data; the newest events come once more, each now, in ticks of 5 ms at `--rate` a second;
//! then `--expire` customers put something into their carts within a minute, and the clock goes on until the windows end.
//! Both end by comparing with a batch run over the same events. A line of JSON each. `--threads N` (1).

#[expect(dead_code, reason = "the delta is for the other binary")]
#[path = "../load.rs"]
mod load;
#[path = "../meter.rs"]
mod meter;
#[path = "../read.rs"]
mod read;

use gyul_model::{Event, Instant, Lang, MICROS_DAY, Snapshot};
use gyul_segment::Severity;
use gyul_segment::tree::Library;
use gyul_timeline::Plan;
use gyul_timeline::live::Live;
use read::Fallible;
use rustc_hash::FxHashMap;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Err(e) = run() {
        eprintln!("gyul-bench-live: {e}");
        std::process::exit(2);
    }
}

struct Args {
    data: PathBuf,
    library: Library,
    events: usize,
    ticks: Vec<usize>,
    rate: usize,
    expire: usize,
}

fn run() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|at| args.get(at + 1).cloned()).unwrap_or_else(|| default.to_string())
    };
    let mut library = load_library(Path::new(&flag("--defs", "bench/realtime.yaml")))?;
    library.segments.truncate(flag("--take", "1000000").parse()?);
    rayon::ThreadPoolBuilder::new().num_threads(flag("--threads", "1").parse()?).build_global()?;
    let given = Args {
        data: PathBuf::from(flag("--data", "bench/data/S")),
        library,
        events: flag("--events", "1000000").parse()?,
        ticks: flag("--tick", "1,10,100,1000,10000").split(',').map(str::parse).collect::<Result<_, _>>()?,
        rate: flag("--rate", "30000").parse()?,
        expire: flag("--expire", "100000").parse()?,
    };
    match args.first().map(String::as_str) {
        Some("realtime") => realtime(&given),
        Some("many") => many(&given),
        _ => Err("say realtime or many".into()),
    }
}

fn load_library(path: &Path) -> Fallible<Library> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
    let (library, problems) = gyul_segment::load(&[(name, text)], None);
    let errors: Vec<String> =
        problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.render(Lang::En)).collect();
    if errors.is_empty() { Ok(library) } else { Err(format!("\n{}", errors.join("\n")).into()) }
}

fn realtime(args: &Args) -> Fallible<()> {
    let (ids, mut stream): (Vec<i64>, Vec<(u32, Event)>) =
        load::newest(&args.data, args.events, &["amount"])?.into_iter().map(|(_, id, e)| (id, (0, e))).unzip();
    for size in &args.ticks {
        let first = stream.first().map_or(0, |e| e.1.ts.0);
        let mut live = Live::new(args.library.clone(), Snapshot::default(), Instant(first));
        let mut numbers: FxHashMap<i64, u32> = FxHashMap::default();
        let (mut changes, mut now) = (0, i64::MIN);
        let mut times = vec![];
        let begun = meter::cpu();
        let wall = time::Instant::now();
        for (ids, events) in ids.chunks(*size).zip(stream.chunks_mut(*size)) {
            let start = time::Instant::now();
            for (id, (number, e)) in ids.iter().zip(events.iter_mut()) {
                *number = *numbers.entry(*id).or_insert_with(|| live.add(&id.to_string()));
                now = now.max(e.ts.0);
            }
            changes += live.tick(Instant(now), events).len();
            times.push(start.elapsed().as_nanos() as u64);
        }
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), meter::cpu() - begun);
        let n = stream.len() as f64;
        let report = json!({
            "k": "realtime", "tick": size, "events": stream.len(), "customers": numbers.len(), "changes": changes,
            "members": members(&live), "equal": same_as_batch(&live),
            "wall": wall, "cpu": cpu, "events_per_cpu_s": (n / cpu).round(), "us_per_event": cpu / n * 1e6,
            "tick_ms": percentiles(&mut times),
        });
        println!("{report}");
    }
    Ok(())
}

fn many(args: &Args) -> Fallible<()> {
    let data = load::snapshot(&args.data)?;
    let loaded = data.events();
    // In the middle of a day: midnights are for everybody and would be in some runs only.
    let start = Instant::parse_rfc3339("2026-01-01T03:00:00Z").ok_or("no instant")?;
    let stream = load::newest(&args.data, args.events, &[])?;
    let (mut live, cost) = meter::measured(|| Live::new(args.library.clone(), data, start));
    println!("{}", json!({ "k": "start", "definitions": args.library.segments.len(), "events": loaded, "cost": cost }));
    let mut seq = u64::from(u32::MAX / 2);
    let mut now = start.0;
    let (mut times, mut changes) = (vec![], 0);
    let size = (args.rate / 200).max(1);
    let begun = meter::cpu();
    for events in stream.chunks(size) {
        now += 5_000;
        let mut batch = vec![];
        for (arrival, id, e) in events {
            let Some(number) = live.number_of(&id.to_string()) else { continue };
            seq += 1;
            batch.push((number, Event { ts: Instant(now - (arrival - e.ts.0)), seq, ..e.clone() }));
        }
        let tick = time::Instant::now();
        changes += live.tick(Instant(now), &batch).len();
        times.push(tick.elapsed().as_nanos() as u64);
    }
    let cpu = meter::cpu() - begun;
    let n = stream.len() as f64;
    let (_, settle) = meter::measured(|| changes += live.settle().len());
    println!(
        "{}",
        json!({ "k": "ticks", "definitions": args.library.segments.len(), "rate": args.rate, "tick": size, "events": stream.len(),
            "changes": changes, "us_per_event": cpu / n * 1e6, "events_per_cpu_s": (n / cpu).round(),
            "tick_ms": percentiles(&mut times), "settle": settle["cpu"], "mib": meter::memory("VmRSS"),
            "members": members(&live), "equal": same_as_batch(&live) })
    );
    if args.expire > 0 {
        expire(args, &mut live, now, seq);
    }
    Ok(())
}

/// Some customers do the same within a minute, and a day later their windows end within a minute.
fn expire(args: &Args, live: &mut Live, mut now: i64, mut seq: u64) {
    let everybody: Vec<u32> = live.population().iter().map(|n| n as u32).step_by(7).take(args.expire).collect();
    let begun = meter::cpu();
    let mut joined = 0;
    for some in everybody.chunks(args.expire.div_ceil(1200)) {
        now += 50_000;
        let batch = some.iter().map(|n| {
            seq += 1;
            (*n, Event { ts: Instant(now), seq, name: "add_to_cart".into(), props: vec![] })
        });
        let batch: Vec<(u32, Event)> = batch.collect();
        joined += live.tick(Instant(now), &batch).len();
    }
    let came = meter::cpu() - begun;
    now += MICROS_DAY - 61_000_000;
    live.tick(Instant(now), &[]);
    live.settle();
    let begun = meter::cpu();
    let (mut times, mut left) = (vec![], 0);
    for _ in 0..620 {
        now += 100_000;
        let tick = time::Instant::now();
        left += live.tick(Instant(now), &[]).len();
        times.push(tick.elapsed().as_nanos() as u64);
    }
    let went = meter::cpu() - begun;
    println!(
        "{}",
        json!({ "k": "expire", "definitions": args.library.segments.len(), "customers": everybody.len(), "changes": [joined, left],
            "cpu_coming": came, "cpu_going": went, "us_per_customer": went / everybody.len() as f64 * 1e6,
            "tick_ms": percentiles(&mut times), "equal": same_as_batch(live) })
    );
}

fn members(live: &Live) -> usize {
    (0..live.names().len()).map(|r| live.members(r).count()).sum()
}

/// Whether every set is that of a batch run over the same events.
fn same_as_batch(live: &Live) -> bool {
    let frozen = live.freeze();
    let plan = Plan::compile(live.library(), &frozen.data().streams);
    let answers = frozen.evaluate(&plan, live.now());
    let sets = answers.segments.iter().enumerate();
    let mut same = true;
    for (root, batch) in sets {
        let mut a: Vec<&str> = live.members(root).iter().map(|n| live.id(n as u32)).collect();
        let mut b: Vec<&str> = batch.iter().map(|n| frozen.customer_id(n)).collect();
        a.sort_unstable();
        b.sort_unstable();
        if a != b {
            eprintln!("{}: live {}, batch {}", live.names()[root], a.len(), b.len());
            same = false;
        }
    }
    same
}

/// p50, p99 and the highest, in milliseconds.
fn percentiles(nanos: &mut [u64]) -> [f64; 3] {
    nanos.sort_unstable();
    let at = |p: usize| {
        nanos.get((nanos.len() * p / 100).min(nanos.len().saturating_sub(1))).map_or(0.0, |n| *n as f64 / 1e6)
    };
    [at(50), at(99), at(100)]
}
