//! Events that the staleness policy leaves out.

use gyul_model::{ColumnInfo, ColumnKind, Event, Instant, Snapshot, StreamInfo, Timeline, names};
use gyul_store::Policy;
use gyul_timeline::Timelines;

/// What a staleness policy leaves out of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// As it was declared: `keep 3y`.
    pub policy: String,
    /// Events before this are left out.
    pub from: Instant,
    pub events: u64,
    /// With those that are left out.
    pub of: u64,
}

impl LeftOut {
    /// `events` are missing in `timelines`.
    pub fn of(policy: Policy, events: u64, timelines: &Timelines) -> LeftOut {
        let data = timelines.data();
        let kinds = (0..data.streams.len()).filter(|s| data.streams[*s].name != names::IDENTIFY);
        let rows = |s: usize| (0..data.buckets.len()).map(|b| timelines.rows(b, s).count() as u64).sum::<u64>();
        let kept: u64 = kinds.map(rows).sum();
        LeftOut { policy: policy.said, from: policy.from, events, of: events + kept }
    }
}

/// The policy of a live world, and what became of the log's events by it.
#[derive(Clone, Debug, Default)]
pub struct Stale {
    pub policy: Option<Policy>,
    /// Events of base and log that are left out.
    pub events: u64,
    /// What they looked like: they go into the base all the same.
    shape: Vec<StreamInfo>,
}

impl Stale {
    pub fn new(policy: Option<Policy>, events: u64) -> Stale {
        Stale { policy, events, shape: vec![] }
    }

    /// Events before this are left out.
    pub fn from(&self) -> Option<Instant> {
        self.policy.as_ref().map(|p| p.from)
    }

    /// Whether an event of the log is too old to be looked at. The same rule as [`Snapshot::since`].
    pub fn takes(&mut self, e: &Event) -> bool {
        let stale = |p: &Policy| e.ts < p.from && e.name != names::IDENTIFY;
        if !self.policy.as_ref().is_some_and(stale) {
            return false;
        }
        self.events += 1;
        let seen = Snapshot::from_timelines(&[Timeline::new("", vec![e.clone()])], 1).streams;
        self.shape = widened(std::mem::take(&mut self.shape), &seen);
        true
    }

    /// A schema that has room for what was left out, too.
    pub fn widen(&self, schema: Vec<StreamInfo>) -> Vec<StreamInfo> {
        widened(schema, &self.shape)
    }
}

fn widened(mut schema: Vec<StreamInfo>, by: &[StreamInfo]) -> Vec<StreamInfo> {
    for stream in by {
        let Some(own) = schema.iter_mut().find(|s| s.name == stream.name) else {
            schema.push(stream.clone());
            continue;
        };
        for ColumnInfo { name, kind } in &stream.columns {
            match own.columns.iter_mut().find(|c| c.name == *name) {
                None => own.columns.push(ColumnInfo { name: name.clone(), kind: kind.clone() }),
                Some(c) => {
                    if let (ColumnKind::Num { scale: own }, ColumnKind::Num { scale }) = (&mut c.kind, kind) {
                        *own = (*own).max(*scale);
                    }
                }
            }
        }
    }
    schema
}
