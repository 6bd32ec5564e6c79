//! How fast the durable log is on this machine: `cargo run --release -p gyul-store --example log_speed -- FOLDER`.
//!
//! Prints lines of JSON: for commits of 1, 10, 100 and 1,000 records of 300 bytes the records a second and the latency of a
//! commit; then opening with and without a check of everything, reading, and the largest pause with and without a thread
//! that makes segments ahead.

use gyul_model::Instant;
use gyul_store::StoreError;
use gyul_store::log::{Entry, Log, Options};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

const BYTES: usize = 300;

fn main() -> Result<(), StoreError> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "log-speed".into());
    let folder = Path::new(&folder);
    for (size, ahead) in [(1, true), (10, true), (100, true), (1_000, true), (100, false)] {
        let _ = std::fs::remove_dir_all(folder);
        write(folder, size, ahead)?;
    }
    read(folder)?;
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

fn write(folder: &Path, size: u64, ahead: bool) -> Result<(), StoreError> {
    let (mut log, _) = Log::open(folder, Options { ahead, ..Options::default() })?;
    let payload = [b'x'; BYTES];
    let mut latencies = vec![];
    let start = Clock::now();
    // Some seconds, or as much as a small disk should have to take.
    while start.elapsed() < Duration::from_secs(4) && log.bytes() < 3 << 30 {
        for _ in 0..size {
            log.append(1, Instant(0), 1, &payload)?;
        }
        let at = Clock::now();
        log.commit()?;
        latencies.push(at.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let ms = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let line = json!({
        "records_per_commit": size, "ahead": ahead, "records": log.next(), "seconds": seconds,
        "records_per_second": log.next() as f64 / seconds,
        "commit_ms": { "p50": ms(0.5), "p99": ms(0.99), "p999": ms(0.999), "max": ms(1.0) },
    });
    println!("{line}");
    Ok(())
}

fn read(folder: &Path) -> Result<(), StoreError> {
    for check_all in [true, false] {
        let start = Clock::now();
        let (log, found) = Log::open(folder, Options { check_all, ..Options::default() })?;
        let open = start.elapsed().as_secs_f64();
        let start = Clock::now();
        let (mut records, mut bytes) = (0u64, 0u64);
        let mut reader = log.read(0);
        while let Some(entry) = reader.next()? {
            if let Entry::Record(r) = entry {
                records += 1;
                bytes += r.payload.len() as u64;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let line = json!({
            "check_all": check_all, "open_seconds": open, "records": found.next, "read": records, "payload_bytes": bytes,
            "replay_seconds": seconds, "records_per_second": records as f64 / seconds,
        });
        println!("{line}");
    }
    Ok(())
}
