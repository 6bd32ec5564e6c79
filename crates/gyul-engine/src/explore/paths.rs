//! What comes next, or came before? The steps of customers after an event, folded into the most frequent ones.

use super::{members, within};
use crate::view::{NotFound, View};
use gyul_model::{Bucket, Instant, names};
use rustc_hash::FxHashMap;

/// Steps that are followed at most.
pub const STEPS_MAX: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathAsk {
    /// Where the paths begin (or end): each customer's first (last) one of the period.
    pub event: String,
    /// To the event instead of from it.
    pub back: bool,
    pub of: Option<String>,
    pub after: Instant,
    pub until: Instant,
    /// How many steps, at most [`STEPS_MAX`].
    pub steps: usize,
    /// Events that are shown at each step; the rest is one.
    pub top: usize,
    /// Microseconds from the event within which a step counts.
    pub span: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paths {
    /// Customers with the event.
    pub customers: u64,
    pub links: Vec<Link>,
}

/// From a stop of one step to a stop of the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// From 0: between the event and the first step.
    pub step: usize,
    pub from: Stop,
    pub to: Stop,
    pub customers: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    Event(String),
    /// One of those that are not shown.
    Other,
    /// Nothing more within the span.
    End,
}

const NONE: u16 = u16::MAX;
type Way = [u16; STEPS_MAX];

impl View {
    /// An event that follows itself is one step. Lines of orders are no steps of their own.
    pub fn paths(&self, ask: &PathAsk) -> Result<Paths, NotFound> {
        let set = self.set(ask.of.as_deref(), ask.until)?;
        let Some(start) = self.stream(&ask.event) else { return Ok(Paths::default()) };
        let lines = [names::IDENTIFY, names::ITEM, names::ITEM_REFUND];
        let streams: Vec<usize> = {
            let all = self.data().streams.iter().enumerate().take(usize::from(NONE));
            all.filter(|(s, info)| *s == start || !lines.contains(&info.name.as_str())).map(|(s, _)| s).collect()
        };
        let steps = ask.steps.clamp(1, STEPS_MAX);
        let found = self.buckets(|bucket, first| {
            let mut ways: FxHashMap<Way, u64> = FxHashMap::default();
            for (customer, _) in members(bucket, first, &set) {
                if let Some(way) = way(bucket, customer, start, &streams, steps, ask) {
                    *ways.entry(way).or_default() += 1;
                }
            }
            ways
        });
        let mut ways: FxHashMap<Way, u64> = FxHashMap::default();
        for (way, n) in found.into_iter().flatten() {
            *ways.entry(way).or_default() += n;
        }
        let shown: Vec<Vec<u16>> = (0..steps).map(|i| self.most(&ways, i, ask.top)).collect();
        let stop = |i: usize, s: u16| match s {
            NONE => Stop::End,
            s if shown[i].contains(&s) => Stop::Event(self.data().streams[usize::from(s)].name.clone()),
            _ => Stop::Other,
        };
        let mut links: FxHashMap<(usize, Stop, Stop), u64> = FxHashMap::default();
        for (way, n) in &ways {
            let mut from = Stop::Event(ask.event.clone());
            for (i, s) in way.iter().enumerate().take(steps) {
                let to = stop(i, *s);
                *links.entry((i, from, to.clone())).or_default() += n;
                if to == Stop::End {
                    break;
                }
                from = to;
            }
        }
        let links = links.into_iter().map(|((step, from, to), customers)| Link { step, from, to, customers });
        let mut links: Vec<Link> = links.collect();
        links.sort_by(|a, b| {
            a.step
                .cmp(&b.step)
                .then(b.customers.cmp(&a.customers))
                .then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to)))
        });
        Ok(Paths { customers: ways.values().sum(), links })
    }

    /// The most frequent streams of a step.
    fn most(&self, ways: &FxHashMap<Way, u64>, step: usize, top: usize) -> Vec<u16> {
        let mut counts: FxHashMap<u16, u64> = FxHashMap::default();
        for (way, n) in ways.iter().filter(|(w, _)| w[step] != NONE) {
            *counts.entry(way[step]).or_default() += n;
        }
        let mut order: Vec<(u16, u64)> = counts.into_iter().collect();
        let name = |s: u16| self.data().streams[usize::from(s)].name.as_str();
        order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| name(a.0).cmp(name(b.0))));
        order.into_iter().take(top).map(|(s, _)| s).collect()
    }
}

/// The streams of the steps of one customer; `None` without the event.
fn way(bucket: &Bucket, customer: usize, start: usize, streams: &[usize], steps: usize, ask: &PathAsk) -> Option<Way> {
    let stream = &bucket.streams[start];
    let rows = within(&stream.ts, stream.rows(customer), ask.after.0, ask.until.0);
    let row = if ask.back { rows.last()? } else { { rows }.next()? };
    let place = (stream.ts[row], stream.seq[row]);
    // Where each stream goes on from there; the nearest event of all is the next step.
    let mut heads: Vec<(usize, std::ops::Range<usize>)> = streams
        .iter()
        .map(|s| {
            let stream = &bucket.streams[*s];
            let rows = stream.rows(customer);
            let key = |i: usize| (stream.ts[i], stream.seq[i]);
            let mut lo = rows.start;
            let mut hi = rows.end;
            // The first row behind the place (at or behind it, on the way back).
            while lo < hi {
                let middle = (lo + hi) / 2;
                let before = if ask.back { key(middle) < place } else { key(middle) <= place };
                if before { lo = middle + 1 } else { hi = middle }
            }
            (*s, if ask.back { rows.start..lo } else { lo..rows.end })
        })
        .collect();
    let mut out = [NONE; STEPS_MAX];
    let (mut n, mut last) = (0, start);
    while n < steps {
        let key = |(s, rows): &(usize, std::ops::Range<usize>)| {
            let i =
                if ask.back { rows.end.checked_sub(1).filter(|i| *i >= rows.start)? } else { rows.clone().next()? };
            let stream = &bucket.streams[*s];
            Some((stream.ts[i], stream.seq[i]))
        };
        let open = heads.iter().enumerate().filter_map(|(h, head)| Some((key(head)?, h)));
        let next = if ask.back { open.max() } else { open.min() };
        let Some(((ts, _), h)) = next else { break };
        let inside = if ask.back {
            ts > ask.after.0 && place.0 - ts <= ask.span
        } else {
            ts <= ask.until.0 && ts - place.0 <= ask.span
        };
        if !inside {
            break;
        }
        let (s, rows) = &mut heads[h];
        if ask.back {
            rows.end -= 1
        } else {
            rows.start += 1
        }
        if *s != last {
            out[n] = *s as u16;
            (n, last) = (n + 1, *s);
        }
    }
    Some(out)
}
