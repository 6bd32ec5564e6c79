//! Do they come back? Customers by the period of their first event, and who of them had another one later.

use super::members;
use crate::view::{NotFound, View};
use gyul_model::{Date, Instant, Period};

#[derive(Clone, Debug, PartialEq)]
pub struct Cohorts {
    pub period: Period,
    /// The earliest first.
    pub cohorts: Vec<Cohort>,
    /// The period of the instant itself is under way: the last number of each cohort can still grow.
    pub running: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// The first day of the period.
    pub start: Date,
    /// `kept[k]` had an event k periods after their first; `kept[0]` is the cohort's size.
    pub kept: Vec<u64>,
}

/// Periods that are looked back.
const PERIODS_MAX: usize = 600;

impl View {
    /// By the first event of a name ever, for the members of a segment at `at`; the latest `last` periods.
    /// `Week` and `Month` are meant.
    pub fn cohorts(
        &self,
        event: &str,
        period: Period,
        last: usize,
        of: Option<&str>,
        at: Instant,
    ) -> Result<Cohorts, NotFound> {
        let set = self.set(of, at)?;
        let mut out = Cohorts { period, cohorts: vec![], running: false };
        let Some(s) = self.stream(event) else { return Ok(out) };
        let today = self.zone().date(at);
        // The periods looked at, the earliest first; the end of the last one closes the list.
        let mut starts: Vec<Date> = vec![];
        let mut day = today.period_start(period, 0);
        while starts.len() < last.clamp(1, PERIODS_MAX) {
            starts.push(day);
            day = Date(day.0 - 1).period_start(period, 0);
        }
        starts.reverse();
        let bounds: Vec<i64> = starts.iter().map(|d| self.zone().midnight(*d).0).collect();
        let found = self.buckets(|bucket, first| {
            let stream = &bucket.streams[s];
            let mut kept = vec![0_u64; bounds.len() * bounds.len()];
            for (customer, _) in members(bucket, first, &set) {
                let ts = &stream.ts[stream.rows(customer)];
                let ts = &ts[..ts.partition_point(|t| *t <= at.0)];
                let Some(cohort) = ts.first().and_then(|t| bounds.partition_point(|b| b <= t).checked_sub(1)) else {
                    continue;
                };
                let mut at = usize::MAX;
                for t in ts {
                    // Events ascend, so the period is most often that of the one before, or the next.
                    let next = |i: usize| bounds.get(i + 1).is_none_or(|b| t < b);
                    if at != usize::MAX && next(at) {
                        continue;
                    }
                    at = bounds.partition_point(|b| b <= t) - 1;
                    kept[cohort * bounds.len() + at - cohort] += 1;
                }
            }
            kept
        });
        let mut sums = vec![0_u64; bounds.len() * bounds.len()];
        found.iter().for_each(|k| sums.iter_mut().zip(k).for_each(|(a, b)| *a += b));
        for (i, start) in starts.iter().enumerate() {
            let kept = sums[i * bounds.len()..][..bounds.len() - i].to_vec();
            out.cohorts.push(Cohort { start: *start, kept });
        }
        // Before the first customer there is nothing to tell.
        let empty = out.cohorts.iter().take_while(|c| c.kept[0] == 0).count();
        out.cohorts.drain(..empty);
        out.running = self.zone().end_of(at, period, 0).0 > at.0;
        Ok(out)
    }
}
