//! Copies of everything go to an object store, on a thread of their own: after the start, after each checkpoint, and when
//! ten minutes brought something new. Whatever the store does, serving goes on.

use super::Live;
use crate::failure::Failure;
use gyul_remote::{Error, Remote, Sent};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(15);

/// What was done so far; for the metrics.
#[derive(Default)]
pub struct Shipped {
    pub copies: AtomicU64,
    pub failures: AtomicU64,
    pub bytes: AtomicU64,
    /// Seconds since 1970 of the last whole copy.
    pub at: AtomicI64,
}

type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Begins to copy to an address, and goes on as long as the server lives.
pub fn start(live: &Arc<Live>, address: &str, log: Log) -> Result<(), Failure> {
    let remote = Remote::open(address).map_err(failure)?;
    let shipped = live.shipped.get_or_init(Arc::default).clone();
    let live = Arc::downgrade(live);
    let thread = std::thread::Builder::new().name("gyul-remote".into());
    let begun = thread.spawn(move || run(&live, &remote, &shipped, &log));
    begun.map(drop).map_err(|e| Failure::io(format!("스레드를 만들 수 없습니다({e})."), format!("no thread ({e})")))
}

/// The newest copy comes to a new folder.
pub fn fetch(address: &str, to: &Path) -> Result<(), Failure> {
    Remote::open(address).and_then(|r| r.get(to)).map(drop).map_err(failure)
}

fn failure(e: Error) -> Failure {
    let (ko, en) = e.message();
    if matches!(e, Error::Address(_)) { Failure::usage(ko, en) } else { Failure::io(ko, en) }
}

fn run(live: &Weak<Live>, remote: &Remote, shipped: &Shipped, log: &Log) {
    // Checkpoints and the log's end at the last copy, and when it was.
    let mut last: Option<(u64, u64, Instant)> = None;
    let mut wait = Instant::now();
    loop {
        std::thread::sleep(LOOK);
        let Some(live) = live.upgrade() else { return };
        let gauges = live.hub.gauges();
        let (checkpoints, next) = (gauges.checkpoints.load(Ordering::Relaxed), gauges.logged.load(Ordering::Acquire));
        let due = last.is_none_or(|(c, n, at)| c != checkpoints || (n != next && at.elapsed() >= EVERY));
        if !due || Instant::now() < wait {
            continue;
        }
        let begun = Instant::now();
        match ship(&live, remote) {
            Ok(sent) => {
                last = Some((checkpoints, next, begun));
                shipped.copies.fetch_add(1, Ordering::Relaxed);
                shipped.bytes.fetch_add(sent.new_bytes, Ordering::Relaxed);
                shipped.at.store(live.hub.now().0.div_euclid(1_000_000), Ordering::Relaxed);
                let seconds = begun.elapsed().as_secs_f64();
                let line = json!({ "level": "info", "why": "a copy is in the object store", "files": sent.files,
                    "bytes": sent.bytes, "sent_files": sent.new_files, "sent_bytes": sent.new_bytes, "seconds": seconds });
                log(&line.to_string());
            }
            Err(why) => {
                wait = Instant::now() + AGAIN;
                shipped.failures.fetch_add(1, Ordering::Relaxed);
                let line = json!({ "level": "error", "why": format!("no copy in the object store: {why}") });
                log(&line.to_string());
            }
        }
    }
}

fn ship(live: &Live, remote: &Remote) -> Result<Sent, String> {
    let beside = live.hub.dir().join("uploads").join("remote");
    let sent = live.hub.still(&beside, |dir, left_out, next| remote.put(next, &[(dir, left_out), (&beside, &[])]));
    let sent = sent.map_err(|e| e.message(gyul_model::Lang::En))?;
    sent.map_err(|e| e.message().1)
}
