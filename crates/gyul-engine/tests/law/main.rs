//! The law of live membership on a failing disk: whatever comes in whatever order, twice, late or from the future, however
//! definitions and identities change on the way, and whenever the disk refuses, tears or the machine dies:
//!
//! - live membership is what the reference evaluator says of the acknowledged history;
//! - what was acknowledged is in the log once, in order, and nothing else is but a beginning of what was under way;
//! - the stream of changes is what changed: nothing lost, nothing twice, nothing told is ever taken back;
//! - what was rejected is there until it is released.
//!
//! Clock, log and stream of changes are simulated, chance comes from a seed, and no thread of the hub runs. The base (Parquet) and the
//! checkpoints' states lie in a real folder: they are whole or not there. A failure names its seed;
//! `GYUL_SEED=n cargo test -p gyul-engine --test law` runs that one alone, `GYUL_SEEDS=n` that many,
//! `GYUL_FIRST_SEED=n` from there on.

mod model;
mod sim;

use gyul_sim::seeds;
use sim::{Sim, Tally};

#[test]
fn whatever_fails_live_membership_is_the_reference_on_what_was_acknowledged() {
    let tallies = seeds::each(30, |seed| {
        let mut sim = Sim::new(seed);
        (0..30).for_each(|_| sim.round());
        sim.finish()
    });
    let mut all = Tally::default();
    tallies.iter().for_each(|t| all.add(t));
    eprintln!("{all:?}");
    // A guard against a simulation in which nothing happens.
    if tallies.len() >= 100 {
        assert_eq!(all.never(), Vec::<&str>::new(), "never happened: {all:?}");
    }
}
