//! When does it happen? Events by local weekday and hour.

use super::{members, within};
use crate::view::{NotFound, View};
use gyul_model::{Instant, MICROS_DAY, MICROS_HOUR};

/// `counts[weekday][hour]`, Monday first, in the zone of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    pub counts: [[u64; 24]; 7],
}

impl View {
    /// Events of a name after one instant and up to another, of the members (at `until`) of a segment.
    pub fn hours(&self, event: &str, of: Option<&str>, after: Instant, until: Instant) -> Result<Hours, NotFound> {
        let set = self.set(of, until)?;
        let mut out = Hours::default();
        let Some(s) = self.stream(event) else { return Ok(out) };
        let zone = self.zone();
        // Between two changes of the clocks local time is a fixed way from universal time.
        let mut offsets = vec![i64::MIN];
        offsets.extend(zone.transitions(after, until).map(|t| t.0));
        let spans: Vec<(i64, i64)> = offsets
            .into_iter()
            .map(|from| {
                let t = Instant(from.max(after.0));
                (from, i64::from(zone.date(t).0) * MICROS_DAY + zone.time_of_day(t) - t.0)
            })
            .collect();
        let found = self.buckets(|bucket, first| {
            let stream = &bucket.streams[s];
            let mut counts = [0_u64; 7 * 24];
            for (customer, _) in members(bucket, first, &set) {
                for t in &stream.ts[within(&stream.ts, stream.rows(customer), after.0, until.0)] {
                    let (_, offset) = spans[spans.partition_point(|(from, _)| from <= t).max(1) - 1];
                    // Hours since the Monday before the first of 1970, a Thursday.
                    let hours = (t + offset).div_euclid(MICROS_HOUR) + 3 * 24;
                    counts[hours.rem_euclid(7 * 24) as usize] += 1;
                }
            }
            counts
        });
        for (i, n) in found.iter().flat_map(|c| c.iter().enumerate()) {
            out.counts[i / 24][i % 24] += n;
        }
        Ok(out)
    }
}
