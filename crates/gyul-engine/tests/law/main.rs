//! The law of live membership on a failing disk: whatever comes in whatever order, twice, late or from the future, however
//! definitions and identities change on the way, and whenever the disk refuses, tears or the machine dies:
//!
//! - live membership is what the reference evaluator says of the acknowledged history;
//! - what was acknowledged is in the log once, in order, and nothing else is but a beginning of what was under way;
//! - the stream of changes is what changed: nothing lost, nothing twice, nothing told is ever taken back;
//! - what was rejected is there until it is released.
//!
//! Clock, log and stream of changes are simulated, chance comes from a seed, and no thread runs. The base (Parquet) and the
//! checkpoints' states lie in a real folder: they are whole or not there. A failure names its seed;
//! `GYUL_SEED=n cargo test -p gyul-engine --test law` runs that one alone, `GYUL_SEEDS=n` that many.

mod model;
mod sim;

use sim::{Sim, Tally};

#[test]
fn whatever_fails_live_membership_is_the_reference_on_what_was_acknowledged() {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let seeds = match number("GYUL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GYUL_SEEDS").unwrap_or(30),
    };
    let mut all = Tally::default();
    let many = seeds.end - seeds.start >= 100;
    for seed in seeds {
        // The seed of a panic in the hub itself is told as well.
        let run = std::panic::catch_unwind(|| {
            let mut sim = Sim::new(seed);
            (0..30).for_each(|_| sim.round());
            sim.finish()
        });
        match run {
            Ok(tally) => all.add(&tally),
            Err(said) => {
                eprintln!("GYUL_SEED={seed} cargo test -p gyul-engine --test law");
                std::panic::resume_unwind(said);
            }
        }
    }
    eprintln!("{all:?}");
    // A guard against a simulation in which nothing happens.
    if many {
        assert_eq!(all.never(), Vec::<&str>::new(), "never happened: {all:?}");
    }
}
