//! Wall time, CPU time of all threads and memory of this process, from `/proc`.

use serde_json::{Map, Value};
use std::time::Instant;

/// CPU seconds of all living threads, to the nanosecond.
pub fn cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|t| {
        let text = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum::<u64>() as f64 / 1e9
}

/// MiB, from `/proc/self/status`: `VmHWM` or `VmRSS`.
pub fn memory(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with(key))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Runs `f` and says what it cost, in the form of the Python workers.
pub fn measured<T>(f: impl FnOnce() -> T) -> (T, Map<String, Value>) {
    // Forgets the peak so far; without the right to do so the peak is that of the process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (wall, before) = (Instant::now(), cpu());
    let result = f();
    let mut cost = Map::new();
    cost.insert("wall".into(), wall.elapsed().as_secs_f64().into());
    cost.insert("cpu".into(), (cpu() - before).into());
    cost.insert("peak".into(), memory("VmHWM").into());
    cost.insert("rss".into(), memory("VmRSS").into());
    (result, cost)
}
