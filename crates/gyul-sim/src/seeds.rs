//! Many seeds, on all cores, and which of them failed.
//!
//! - `GYUL_SEEDS=n` runs so many instead of the few of an ordinary run;
//! - `GYUL_FIRST_SEED=n` begins elsewhere than at 0: seeds that nobody has run yet;
//! - `GYUL_SEED=n` runs that one alone, as a failure says.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs each seed, and hands out what they gave. A seed that panics does not keep the others from running; the last line names
/// all that did.
pub fn each<T: Send>(few: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let number =
        |name: &str| std::env::var(name).ok().map(|s| s.parse::<u64>().unwrap_or_else(|e| panic!("{name}: {e}")));
    let first = number("GYUL_SEED").or(number("GYUL_FIRST_SEED")).unwrap_or(0);
    let many = if number("GYUL_SEED").is_some() { 1 } else { number("GYUL_SEEDS").unwrap_or(few) };
    let (next, done, failed) = (AtomicU64::new(first), Mutex::new(vec![]), Mutex::new(vec![]));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + many {
                break;
            }
            match panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
                Ok(out) => done.lock().unwrap().push(out),
                Err(_) => {
                    eprintln!("seed {seed} failed: GYUL_SEED={seed} runs it alone");
                    failed.lock().unwrap().push(seed);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    assert!(failed.is_empty(), "{} of {many} seeds failed: {failed:?}", failed.len());
    done.into_inner().unwrap()
}

#[test]
fn every_seed_runs_once_and_all_that_fail_are_named() {
    let mut ran = each(5, |seed| seed);
    ran.sort_unstable();
    assert_eq!(ran, [0, 1, 2, 3, 4]);
    let said = panic::catch_unwind(|| each(5, |seed| assert!(seed % 2 == 0))).unwrap_err();
    assert_eq!(said.downcast_ref::<String>().unwrap(), "2 of 5 seeds failed: [1, 3]");
}
