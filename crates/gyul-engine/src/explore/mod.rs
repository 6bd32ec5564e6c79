//! What do all customers together say? Questions over everybody or over the members of a segment, for charts and pages.
//!
//! Whatever a definition can say is asked of the evaluator; the rest are passes over the columns, bucket by bucket in
//! parallel. Numbers are exact, answers are plain data.

mod cohorts;
mod funnel;
mod hours;
mod money;
mod paths;
mod profile;
mod rfm;
mod spread;
pub mod statistics;
mod values;

pub use cohorts::{Cohort, Cohorts};
pub use funnel::{Funnel, FunnelAsk, FunnelOf, FunnelStep, NoFunnel, Reached};
pub use hours::Hours;
pub use money::{Money, Region, Regions, Worth};
pub use paths::{Link, PathAsk, Paths, Stop};
pub use profile::{About, Numbers, Profile, Shares, Trait};
pub use rfm::{RfmAsk, RfmCell, RfmMap};
pub use spread::{Compared, Comparison, Spread, SpreadOf};
pub use values::{Values, is_personal};

use crate::view::{NotFound, View, bits};
use gyul_model::{Bucket, Instant};
use gyul_timeline::{Bits, Plan};
use rayon::prelude::*;

impl View {
    /// Everybody who is known at an instant.
    pub fn population(&self, at: Instant) -> Bits {
        let nothing = Plan::compile_some(&self.library, &self.data().streams, &[]);
        self.timelines.evaluate(&nothing, at).population
    }

    /// The members of a segment or class; everybody where none is named.
    pub fn set(&self, of: Option<&str>, at: Instant) -> Result<Bits, NotFound> {
        let Some(id) = of else { return Ok(self.population(at)) };
        let named = self.find(id)?;
        Ok(match self.run_if_asked_again(at) {
            Some(state) => bits(&state.answers, named).clone(),
            None => self.timelines.evaluate(&self.plan_of(named), at).segments.swap_remove(0),
        })
    }

    /// Of each bucket what `f` finds; `f` gets the bucket and the number of its first customer.
    fn buckets<T: Send>(&self, f: impl Fn(&Bucket, usize) -> T + Sync + Send) -> Vec<T> {
        let all = self.data().buckets.par_iter().enumerate();
        all.map(|(b, bucket)| f(bucket, self.timelines.first(b))).collect()
    }

    fn stream(&self, name: &str) -> Option<usize> {
        self.data().streams.iter().position(|s| s.name == name)
    }
}

/// The rows of a customer with `after < ts <= until`; rows stand by time.
fn within(ts: &[i64], rows: std::ops::Range<usize>, after: i64, until: i64) -> std::ops::Range<usize> {
    let own = &ts[rows.clone()];
    let from = own.partition_point(|t| *t <= after);
    rows.start + from..rows.start + own.partition_point(|t| *t <= until).max(from)
}

/// The names of the members of a bucket among the numbers of a set: `(index in the bucket, number)`.
fn members(bucket: &Bucket, first: usize, set: &Bits) -> impl Iterator<Item = (usize, usize)> {
    (0..bucket.customers.len()).map(move |c| (c, first + c)).filter(|(_, n)| set.has(*n))
}
