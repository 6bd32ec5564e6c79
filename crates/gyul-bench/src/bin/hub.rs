//! The live loop as a whole, in one process, without HTTP: log with fsync, identities, membership, changes.
//!
//! gyul-bench-hub DIR --defs FILE|FOLDER [--first N] [--at RFC3339] [--rates 10000,30000,100000] [--seconds 15] [--batch 100]
//! DIR is a data directory that is written to: give it a copy. The clock begins at `--at` and goes on as the real one does.
//! Messages are events of the data, drawn at random (seeded) and dated now. Prints a line of JSON for each rate: what was
//! reached, the acknowledgement's p50/p99/max, how far the world lagged behind, CPU and memory.

#[path = "../meter.rs"]
#[allow(dead_code)]
mod meter;

use gyul_engine::live::{Clock, Hub, Incoming, Options};
use gyul_model::{IdKind, Identifier, Instant, Message, names};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Real};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A file, or the files of a folder, with their names.
fn definitions(path: &std::path::Path) -> Fallible<Vec<(String, String)>> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?.map(|f| f.map(|f| f.path())).collect::<Result<_, _>>()?;
        files.sort();
    }
    let name = |f: &std::path::Path| f.file_name().map_or("defs.yaml".into(), |n| n.to_string_lossy().into_owned());
    files.iter().map(|f| Ok((name(f), std::fs::read_to_string(f)?))).collect()
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let dir = std::path::PathBuf::from(args.first().ok_or("a data directory, please")?);
    let mut starter = definitions(flag("--defs").ok_or("--defs FILE, please")?.as_ref())?;
    if let Some(n) = flag("--first") {
        let n = n.parse()?;
        starter.iter_mut().for_each(|(_, text)| *text = first_definitions(text, n));
    }
    let at = flag("--at").unwrap_or("2026-01-01T00:00:00Z".into());
    let at = gyul_model::Instant::parse_rfc3339(&at).ok_or("--at is no instant")?;
    let rates = flag("--rates").unwrap_or("10000,30000,100000".into());
    let seconds: u64 = flag("--seconds").unwrap_or("15".into()).parse()?;
    let batch: usize = flag("--batch").unwrap_or("100".into()).parse()?;
    let begun = Real::now();
    let clock: Clock = Arc::new(move || Instant(at.0 + begun.elapsed().as_micros() as i64));
    let options = Options { starter, checkpoint_every: 0, queue: 2_000_000, ..Options::default() };
    let cpu = meter::cpu();
    let hub = Arc::new(Hub::open(&dir, options, clock)?);
    let (roots, population, events) = {
        let world = hub.world();
        (world.live.names().len(), world.live.population().count(), world.live.events())
    };
    println!(
        "{}",
        json!({"open": begun.elapsed().as_secs_f64(), "cpu": meter::cpu() - cpu, "roots": roots, "customers": population,
            "events": events, "rss": meter::memory("VmRSS"), "peak": meter::memory("VmHWM")})
    );
    let mut pool = Pool::new(&hub);
    for rate in rates.split(',').map(str::parse::<u64>) {
        println!("{}", load(&hub, &mut pool, rate?, seconds, batch));
    }
    let idle = meter::cpu();
    std::thread::sleep(Duration::from_secs(5));
    println!("{}", json!({"idle cpu in 5 s": meter::cpu() - idle, "rss": meter::memory("VmRSS")}));
    Ok(())
}

/// The file cut behind so many definitions (a line each, as in thousand.yaml).
fn first_definitions(text: &str, n: usize) -> String {
    let mut left = n;
    let keep = |line: &&str| {
        let definition = line.trim_start().starts_with("- { id:");
        left -= usize::from(definition && left > 0);
        !definition || left > 0
    };
    text.lines().filter(keep).map(|l| format!("{l}\n")).collect()
}

/// Events to draw from, and a generator of numbers.
struct Pool {
    events: Vec<(String, gyul_model::Event)>,
    x: u64,
    made: u64,
}

impl Pool {
    fn new(hub: &Hub) -> Pool {
        let mut pool = Pool { events: vec![], x: 42, made: 0 };
        let world = hub.world();
        let customers: Vec<usize> = world.live.population().iter().collect();
        while pool.events.len() < 200_000 && !customers.is_empty() {
            let n = customers[pool.draw(customers.len() as u64) as usize] as u32;
            let timeline = world.timeline(n);
            let id = timeline.customer.clone();
            pool.events
                .extend(timeline.events.into_iter().filter(|e| e.name != names::IDENTIFY).map(|e| (id.clone(), e)));
        }
        pool
    }

    fn draw(&mut self, n: u64) -> u64 {
        self.x = self.x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.x >> 33) % n
    }

    fn message(&mut self, at: Instant) -> Message {
        let i = self.draw(self.events.len() as u64) as usize;
        let j = self.draw(self.events.len() as u64) as usize;
        self.made += 1;
        let (customer, event) = (&self.events[i].0, &self.events[j].1);
        Message {
            source: "api",
            id: format!("bench-{}-{}", self.made, self.x),
            who: vec![Identifier::new(IdKind::User, customer.clone())],
            previous: None,
            ts: at,
            events: vec![(event.name.clone(), event.props.clone())],
        }
    }
}

fn load(hub: &Arc<Hub>, pool: &mut Pool, rate: u64, seconds: u64, batch: usize) -> serde_json::Value {
    let latencies: Arc<Mutex<Vec<u32>>> = Arc::default();
    let refused = Arc::new(AtomicU64::new(0));
    let acked = Arc::new(AtomicU64::new(0));
    let every = Duration::from_secs_f64(batch as f64 / rate as f64);
    let (ticks, tick_micros) =
        (hub.gauges().ticks.load(Ordering::Relaxed), hub.gauges().tick_micros.load(Ordering::Relaxed));
    let changes = hub.gauges().changes.load(Ordering::Relaxed);
    let (start, cpu) = (Real::now(), meter::cpu());
    let mut lags: Vec<u64> = vec![];
    let mut sent = 0;
    let mut next = start;
    let mut look = start;
    while start.elapsed() < Duration::from_secs(seconds) {
        let now = hub.now();
        let messages: Vec<Message> = (0..batch).map(|_| pool.message(now)).collect();
        sent += batch as u64;
        let (latencies, refused, acked) = (latencies.clone(), refused.clone(), acked.clone());
        let at = Real::now();
        hub.ingest(
            Incoming { messages, rejected: vec![] },
            Box::new(move |r| match r {
                Ok(a) => {
                    acked.fetch_add(a.accepted, Ordering::Relaxed);
                    latencies.lock().unwrap_or_else(|e| e.into_inner()).push(at.elapsed().as_micros() as u32);
                }
                Err(_) => {
                    refused.fetch_add(batch as u64, Ordering::Relaxed);
                }
            }),
        );
        if Real::now() > look {
            look = Real::now() + Duration::from_millis(100);
            // From now until an event that is acknowledged now is visible.
            lags.push(sent - hub_applied(hub, sent));
        }
        next += every;
        if let Some(rest) = next.checked_duration_since(Real::now()) {
            std::thread::sleep(rest);
        }
    }
    let drain = Real::now();
    let _ = hub.settle();
    let wall = start.elapsed().as_secs_f64();
    let mut l = latencies.lock().unwrap_or_else(|e| e.into_inner()).clone();
    l.sort_unstable();
    let at = |q: f64| l.get(((l.len() as f64 - 1.0) * q) as usize).map(|us| f64::from(*us) / 1000.0);
    let g = hub.gauges();
    let n = g.ticks.load(Ordering::Relaxed) - ticks;
    lags.sort_unstable();
    json!({"asked": rate, "sent": sent, "acked/s": acked.load(Ordering::Relaxed) as f64 / wall, "refused": refused.load(Ordering::Relaxed),
        "ack ms": {"p50": at(0.5), "p99": at(0.99), "max": at(1.0)}, "drained after s": drain.elapsed().as_secs_f64(),
        "ticks": n, "tick ms": (g.tick_micros.load(Ordering::Relaxed) - tick_micros) as f64 / 1000.0 / n.max(1) as f64,
        "changes": g.changes.load(Ordering::Relaxed) - changes,
        "messages behind p50": lags.get(lags.len() / 2), "cpu s": meter::cpu() - cpu, "wall": wall, "rss": meter::memory("VmRSS")})
}

fn hub_applied(hub: &Hub, sent: u64) -> u64 {
    sent - hub.gauges().waiting.load(Ordering::Relaxed).min(sent)
}
