//! Random cases for the law *fast = reference*: small alphabets, so that both outcomes of every condition happen.
//!
//! ```
//! use gyul_sim::random::{self, Rng};
//! let mut rng = Rng::new(7);
//! let zone = random::zone(&mut rng);
//! let timelines = random::timelines(&mut rng, 5);
//! let library = random::library(&mut rng, zone);
//! let at = random::instant(&mut rng, &timelines, &library);
//! # let _ = at;
//! ```

mod events;
mod expressions;
mod rng;

pub use events::{instant, timelines, timelines_with};
pub use expressions::{library, library_with};
pub use rng::Rng;

use gyul_model::Zone;

/// How large and how wild a case is. The default keeps one under a millisecond in the reference evaluator.
#[derive(Clone, Debug)]
pub struct Config {
    pub allow_ranks: bool,
    /// Windows by months and calendar periods, ages, occasions, local dates and hours.
    pub allow_calendar: bool,
    /// Sequences and funnels.
    pub allow_patterns: bool,
    /// `followed by` and `preceded by`.
    pub allow_near: bool,
    /// The most events of a customer.
    pub events: usize,
    pub measures: usize,
    pub segments: usize,
    pub partitions: usize,
    /// How deep conditions nest.
    pub depth: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            allow_ranks: true,
            allow_calendar: true,
            allow_patterns: true,
            allow_near: true,
            events: 12,
            measures: 2,
            segments: 4,
            partitions: 1,
            depth: 2,
        }
    }
}

/// Zones with and without daylight saving, east and west of Greenwich.
pub const ZONES: &[&str] = &["Asia/Seoul", "America/New_York", "UTC", "Europe/Berlin", "Asia/Kathmandu"];

pub fn zone(rng: &mut Rng) -> Zone {
    Zone::new(rng.pick(ZONES)).unwrap_or_else(Zone::utc)
}

#[cfg(test)]
mod tests;
