//! The instants at which a node's value could change, customer by customer.
//!
//! Between two neighbouring ones the value is constant, but for comparisons with a quantity that grows with time
//! (`since(order) > 2 * average_gap(order)`): those are listed as `flips`, to be found by bisection.

use crate::block::Block;
use crate::column::UNKNOWN;
use crate::compile::operands;
use crate::plan::*;
use gyul_model::{Date, Duration, Instant, MICROS_HOUR, Period, Zone};
use gyul_segment::tree::{AggOp, Direction};

/// When an event that lies at `ts` crosses an end of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shift {
    /// The smallest T with `T - D >= ts`.
    Ago(Duration),
    /// The same and a microsecond later: for comparisons, which may be strict.
    AgoStrict(Duration),
    /// The smallest T with `EndOf(T) >= ts`.
    EndOf(Period, i32),
    /// The starts of the next two periods: a streak goes on or breaks.
    NextStarts(Period),
}

/// Where to look for changes of a node.
#[derive(Debug, Default)]
pub struct Recipe {
    events: Vec<(Source, Vec<Shift>)>,
    /// Traits: any event of this stream.
    traits: Option<u32>,
    /// Row nodes of type `Date`: birthdays.
    births: Vec<NodeId>,
    /// The same instants for everybody.
    pub everywhere: Vec<i64>,
    /// Comparisons that can flip between the instants.
    pub flips: Vec<NodeId>,
    /// Some event condition looks at later events: rows must be evaluated one by one.
    pub row_by_row: bool,
    /// Some event condition looks at neighbours: a new event can change what is true of another.
    pub relative: bool,
    /// Windows that ask only whether there is any event: the latest one alone matters for when they run out.
    latest: Vec<(Source, Vec<Shift>)>,
    pub ranks: Vec<u32>,
}

/// When a single event crosses the ends of windows.
#[derive(Debug, Default)]
pub struct Crossings {
    /// So long after it, ascending.
    exact: Vec<i64>,
    others: Vec<Shift>,
}

impl Crossings {
    /// The first instant after `from` at which an event at `ts` could cross the end of some window, or come into sight.
    pub fn next(&self, ts: i64, from: i64, zone: &Zone) -> i64 {
        let later = self.exact.partition_point(|us| ts.saturating_add(*us) <= from);
        let exact = self.exact.get(later).map_or(i64::MAX, |us| ts.saturating_add(*us));
        let seen = if ts > from { ts } else { i64::MAX };
        self.others.iter().map(|s| s.next(1, |_| ts, from, zone)).fold(exact.min(seen), i64::min)
    }
}

/// Whether a row node's value moves with the clock, not in steps.
pub fn flows(plan: &Plan, id: NodeId) -> bool {
    let node = &plan.nodes[id as usize];
    match &node.op {
        Op::Now | Op::Ago(_) => true,
        Op::Arith(..) | Op::ToReal { .. } | Op::Rescale { .. } => {
            let mut any = false;
            operands(&node.op, &mut |o| any |= flows(plan, o));
            any
        }
        _ => false,
    }
}

impl Recipe {
    /// `from` and `to` limit the instants that are the same for everybody.
    pub fn of(plan: &Plan, root: NodeId, zone: &Zone, from: Instant, to: Instant) -> Recipe {
        let mut recipe = Recipe::default();
        let mut seen = vec![false; plan.nodes.len()];
        recipe.visit(plan, root, zone, (from, to), &mut seen);
        recipe.everywhere.extend(zone.transitions(from, to).map(|t| t.0));
        recipe.everywhere.sort_unstable();
        recipe.everywhere.dedup();
        recipe
    }

    fn visit(&mut self, plan: &Plan, id: NodeId, zone: &Zone, range: (Instant, Instant), seen: &mut [bool]) {
        if std::mem::replace(&mut seen[id as usize], true) {
            return;
        }
        let node = &plan.nodes[id as usize];
        match &node.op {
            Op::Agg(agg) => {
                let mut shifts = self.bounds(plan, &agg.bounds, zone, range, seen);
                if let AggOp::Streak(period) = agg.op {
                    shifts.push(Shift::NextStarts(period));
                }
                let any = agg.op == AggOp::Count && node.ty == Ty::Bool && agg.bounds.until.is_none();
                for s in &agg.sources {
                    if any && s.filter.is_none_or(|f| !plan.nodes[f as usize].needs_now) {
                        self.source(plan, s, &[]);
                        note(&mut self.latest, Source { value: None, ..s.clone() }, &shifts);
                    } else {
                        self.source(plan, s, &shifts);
                    }
                }
            }
            Op::Pattern(p) => {
                let shifts = self.bounds(plan, &p.bounds, zone, range, seen);
                for s in &p.steps {
                    s.sources.iter().for_each(|x| self.source(plan, x, &shifts));
                    s.without.iter().for_each(|x| self.source(plan, x, &[]));
                }
            }
            Op::Trait { stream, .. } => self.traits = Some(*stream),
            Op::AgeOn { birth, .. } => {
                self.births.push(*birth);
                self.visit(plan, *birth, zone, range, seen);
            }
            Op::NearOccasion { arg, occasion, days } if matches!(plan.nodes[*arg as usize].op, Op::Today) => {
                for d in plan.occasions[*occasion as usize].iter() {
                    for edge in [d.0.saturating_sub(*days), d.0.saturating_add(*days).saturating_add(1)] {
                        self.everywhere.push(zone.midnight(Date(edge)).0);
                    }
                }
            }
            // Going back by months ends at another day of the month from midnight on.
            Op::Today | Op::EndOf { .. } | Op::Ago(Duration::Months(_)) => {
                let (first, last) = (zone.date(range.0).0, zone.date(range.1).0);
                self.everywhere
                    .extend((first..=last.min(first.saturating_add(40_000))).map(|d| zone.midnight(Date(d)).0));
            }
            Op::Cmp(_, a, b) if flows(plan, *a) || flows(plan, *b) => {
                if !(self.known_crossing(plan, *a, *b) || self.known_crossing(plan, *b, *a)) {
                    self.flips.extend(plan.poles.get(&id).into_iter().flatten());
                    self.flips.push(id);
                }
                self.visit(plan, *a, zone, range, seen);
                self.visit(plan, *b, zone, range, seen);
            }
            Op::Rank(r) => {
                self.ranks.push(*r);
                let rank = &plan.ranks[*r as usize];
                for o in [Some(rank.x), rank.among].into_iter().flatten() {
                    self.visit(plan, o, zone, range, seen);
                }
            }
            op => operands(op, &mut |o| self.visit(plan, o, zone, range, seen)),
        }
    }

    /// `last(order.ts) <= now - 30d`: the crossing is at the event's instant plus the duration.
    fn known_crossing(&mut self, plan: &Plan, event: NodeId, clock: NodeId) -> bool {
        let shift = match plan.nodes[clock as usize].op {
            Op::Ago(d) => Shift::AgoStrict(d),
            Op::Now => Shift::AgoStrict(Duration::Exact(0)),
            _ => return false,
        };
        match &plan.nodes[event as usize].op {
            Op::Agg(agg) if matches!(agg.op, AggOp::FirstAt | AggOp::LastAt) => {
                agg.sources.iter().for_each(|s| self.source(plan, s, &[shift]));
                true
            }
            _ => false,
        }
    }

    fn bounds(
        &mut self,
        plan: &Plan,
        bounds: &Bounds,
        zone: &Zone,
        range: (Instant, Instant),
        seen: &mut [bool],
    ) -> Vec<Shift> {
        let mut shifts = vec![];
        for id in [bounds.after, bounds.until].into_iter().flatten() {
            match plan.nodes[id as usize].op {
                Op::Ago(d) => shifts.push(Shift::Ago(d)),
                Op::EndOf { period, back } => shifts.push(Shift::EndOf(period, back)),
                Op::Now | Op::Int(_) | Op::Nothing => {}
                _ => self.visit(plan, id, zone, range, seen),
            }
        }
        shifts
    }

    fn source(&mut self, plan: &Plan, source: &Source, shifts: &[Shift]) {
        let mut plain = Source { value: None, ..source.clone() };
        if let Some(filter) = source.filter.filter(|f| plan.nodes[*f as usize].needs_now) {
            plain.filter = None;
            self.row_by_row = true;
            self.neighbours(plan, filter);
        }
        if let Some(value) = source.value.filter(|v| plan.nodes[*v as usize].needs_now) {
            self.row_by_row = true;
            self.neighbours(plan, value);
        }
        self.relative |= [source.filter, source.value].into_iter().flatten().any(|id| relative(plan, id));
        note(&mut self.events, plain, shifts);
    }

    /// An event condition that looks ahead changes when such a neighbour comes into sight.
    fn neighbours(&mut self, plan: &Plan, id: NodeId) {
        let op = &plan.nodes[id as usize].op;
        if let Op::Near { direction: Direction::After, sources, .. } = op {
            sources.iter().for_each(|s| self.source(plan, s, &[]));
        }
        operands(op, &mut |o| self.neighbours(plan, o));
    }

    /// Looks in the places of another recipe too.
    pub fn merge(&mut self, other: Recipe) {
        other.events.into_iter().for_each(|(source, shifts)| note(&mut self.events, source, &shifts));
        other.latest.into_iter().for_each(|(source, shifts)| note(&mut self.latest, source, &shifts));
        self.relative |= other.relative;
        self.traits = self.traits.or(other.traits);
        self.births.extend(other.births);
        self.everywhere.extend(other.everywhere);
        self.flips.extend(other.flips);
        self.row_by_row |= other.row_by_row;
        self.ranks.extend(other.ranks);
    }

    /// For each customer of the block the first instant after its own of `from` at which the clock alone could change something,
    /// `i64::MAX` if there is none; instants that are the same for everybody and flips aside.
    pub fn next(&self, block: &mut Block, from: &[i64]) -> Vec<i64> {
        let bucket = block.bucket;
        let zone = block.zone();
        let customers = block.customers.clone();
        let start = customers.start;
        let begins = bucket.exists_from[customers.clone()].iter().zip(from);
        let mut out: Vec<i64> = begins.map(|(t, from)| if t > from { *t } else { i64::MAX }).collect();
        let both = self.events.iter().map(|e| (e, false)).chain(self.latest.iter().map(|e| (e, true)));
        for ((source, shifts), latest) in both {
            let picked = block.picked(source);
            let stream = &bucket.streams[source.stream as usize];
            let first = block.events(source.stream).start;
            for c in customers.clone() {
                let rows = stream.rows(c);
                if rows.is_empty() {
                    continue;
                }
                let from = from[c - start];
                let (mut lo, hi) = match &picked {
                    Some(p) => (p.rank(rows.start - first), p.rank(rows.end - first)),
                    None => (rows.start - first, rows.end - first),
                };
                let at = |k: usize| stream.ts[first + picked.as_ref().map_or(k, |p| p.index()[k] as usize)];
                if latest && lo < hi && at(hi - 1) <= from {
                    lo = hi - 1;
                }
                let next = &mut out[c - start];
                if hi > lo && at(hi - 1) > from {
                    // Events that are yet to come.
                    *next = (*next).min(Shift::Ago(Duration::Exact(0)).next(hi - lo, |k| at(lo + k), from, zone));
                }
                for s in shifts {
                    *next = (*next).min(s.next(hi - lo, |k| at(lo + k), from, zone));
                }
            }
        }
        if let Some(stream) = self.traits {
            let stream = &bucket.streams[stream as usize];
            for c in customers.clone() {
                let own = &stream.ts[stream.rows(c)];
                if let Some(t) = own.get(own.partition_point(|t| *t <= from[c - start])) {
                    out[c - start] = out[c - start].min(*t);
                }
            }
        }
        if !self.births.is_empty() {
            let only = Recipe { births: self.births.clone(), ..Recipe::default() };
            let first = from.iter().copied().min().unwrap_or(i64::MAX);
            let last = from.iter().copied().max().unwrap_or(i64::MAX);
            let horizon = Instant(last.saturating_add(400 * gyul_model::MICROS_DAY));
            let days = only.instants(block, Instant(first), horizon);
            for ((next, days), from) in out.iter_mut().zip(days).zip(from) {
                *next = days.into_iter().find(|t| t > from).unwrap_or(i64::MAX).min(*next);
            }
        }
        out
    }

    /// What one event of a stream can lead to.
    pub fn crossings(&self, stream: u32) -> Crossings {
        let mut out = Crossings::default();
        let sources = self.events.iter().chain(&self.latest).filter(|(s, _)| s.stream == stream);
        for s in sources.flat_map(|(_, shifts)| shifts) {
            match s {
                Shift::Ago(Duration::Exact(us)) => out.exact.push(*us),
                // At the instant itself and right behind it.
                Shift::AgoStrict(Duration::Exact(us)) => out.exact.extend([*us, us.saturating_add(1)]),
                s if !out.others.contains(s) => out.others.push(*s),
                _ => {}
            }
        }
        out.exact.sort_unstable();
        out.exact.dedup();
        out
    }

    /// Whether traits decide on what the clock does: birthdays.
    pub fn has_births(&self) -> bool {
        !self.births.is_empty()
    }

    /// For each customer of the block the instants in `(from, to]` at which something could change, ascending.
    /// The block's rows do not matter.
    pub fn instants(&self, block: &mut Block, from: Instant, to: Instant) -> Vec<Vec<i64>> {
        let bucket = block.bucket;
        let zone = block.zone();
        let customers = block.customers.clone();
        let start = customers.start;
        let everywhere = self.everywhere.iter().copied().filter(|t| *t > from.0 && *t <= to.0);
        let everywhere: Vec<i64> = everywhere.collect();
        let mut out: Vec<Vec<i64>> = customers
            .clone()
            .map(|c| {
                let mut v = everywhere.clone();
                v.push(bucket.exists_from[c]);
                v
            })
            .collect();
        for (source, shifts) in self.events.iter().chain(&self.latest) {
            let picked = block.picked(source);
            let stream = &bucket.streams[source.stream as usize];
            let first = block.events(source.stream).start;
            for c in customers.clone() {
                let rows = stream.rows(c);
                let (lo, hi) = match &picked {
                    Some(p) => (p.rank(rows.start - first), p.rank(rows.end - first)),
                    None => (rows.start - first, rows.end - first),
                };
                let list = &mut out[c - start];
                for k in lo..hi {
                    let ts = stream.ts[first + picked.as_ref().map_or(k, |p| p.index()[k] as usize)];
                    list.push(ts);
                    shifts.iter().for_each(|s| s.instants(ts, zone, list));
                }
            }
        }
        if let Some(stream) = self.traits {
            let stream = &bucket.streams[stream as usize];
            for c in customers.clone() {
                out[c - start].extend_from_slice(&stream.ts[stream.rows(c)]);
            }
        }
        for id in &self.births {
            // Whatever birth dates were ever set: birthdays of each of them.
            let Op::DateOfText { arg, dates } = &block.plan.nodes[*id as usize].op else { continue };
            let Op::Trait { stream, column } = block.plan.nodes[*arg as usize].op else { continue };
            let table = block.plan.dates[*dates as usize].clone();
            let stream = &bucket.streams[stream as usize];
            let Some(gyul_model::ColumnData::Codes(codes)) = stream.columns.get(column as usize) else { continue };
            let years = zone.date(from).ymd().0..=zone.date(to).ymd().0;
            for c in customers.clone() {
                for i in stream.rows(c) {
                    let born = table.get(codes.get(i) as usize).copied().unwrap_or(UNKNOWN);
                    if born == UNKNOWN {
                        continue;
                    }
                    let born = Date(born as i32);
                    out[c - start].extend(years.clone().filter_map(|y| {
                        let age = i64::from(y) - i64::from(born.ymd().0);
                        Some(zone.midnight(born.birthday(age)?).0)
                    }));
                }
            }
        }
        for list in &mut out {
            list.retain(|t| *t > from.0 && *t <= to.0);
            list.sort_unstable();
            list.dedup();
        }
        out
    }
}

fn note(list: &mut Vec<(Source, Vec<Shift>)>, source: Source, shifts: &[Shift]) {
    let i = list.iter().position(|(s, _)| *s == source).unwrap_or_else(|| {
        list.push((source, vec![]));
        list.len() - 1
    });
    shifts.iter().for_each(|s| {
        if !list[i].1.contains(s) {
            list[i].1.push(*s);
        }
    });
}

/// Whether an event's value depends on other events of the timeline.
fn relative(plan: &Plan, id: NodeId) -> bool {
    let op = &plan.nodes[id as usize].op;
    let mut any = matches!(op, Op::Gap | Op::Nth | Op::Near { .. });
    operands(op, &mut |o| any |= relative(plan, o));
    any
}

impl Shift {
    /// The first instant after `from` at which one of a customer's events, ascending, crosses the end of a window.
    /// `i64::MAX`: never, as things are.
    fn next(self, len: usize, ts: impl Fn(usize) -> i64, from: i64, zone: &Zone) -> i64 {
        let first = |beyond: i64| {
            let (mut lo, mut hi) = (0, len);
            while lo < hi {
                let mid = (lo + hi) / 2;
                if ts(mid) > beyond { hi = mid } else { lo = mid + 1 }
            }
            lo
        };
        match self {
            Shift::Ago(Duration::Exact(us)) => match first(from.saturating_sub(us)) {
                i if i < len => ts(i).saturating_add(us),
                _ => i64::MAX,
            },
            Shift::AgoStrict(Duration::Exact(us)) => match first(from.saturating_sub(us).saturating_sub(1)) {
                i if i < len => ts(i).saturating_add(us).max(from + 1),
                _ => i64::MAX,
            },
            Shift::Ago(Duration::Months(m)) | Shift::AgoStrict(Duration::Months(m)) => {
                // What an event leads to lies within some days of its instant plus the months.
                let slack = 4 * gyul_model::MICROS_DAY;
                let mut best = i64::MAX;
                let mut list = vec![];
                for i in first(zone.ago(Instant(from), Duration::Months(m)).0.saturating_sub(slack))..len {
                    if zone.plus_months(Instant(ts(i)), m).0.saturating_sub(slack) > best {
                        break;
                    }
                    list.clear();
                    months(ts(i), m, zone, &mut list);
                    best = list.iter().copied().filter(|t| *t > from).fold(best, i64::min);
                }
                best
            }
            Shift::EndOf(period, back) => match first(zone.end_of(Instant(from), period, back).0) {
                i if i < len => zone.midnight(zone.date(Instant(ts(i))).period_start(period, -back)).0.max(from + 1),
                _ => i64::MAX,
            },
            Shift::NextStarts(period) => {
                let today = zone.date(Instant(from));
                match first(zone.midnight(today.period_start(period, 1)).0.saturating_sub(1)) {
                    i if i < len => zone.midnight(today.period_start(period, -1)).0,
                    _ => i64::MAX,
                }
            }
        }
    }

    fn instants(self, ts: i64, zone: &Zone, out: &mut Vec<i64>) {
        match self {
            Shift::Ago(Duration::Exact(us)) => out.push(ts.saturating_add(us)),
            Shift::AgoStrict(Duration::Exact(us)) => {
                out.extend([ts.saturating_add(us), ts.saturating_add(us).saturating_add(1)]);
            }
            Shift::Ago(Duration::Months(m)) | Shift::AgoStrict(Duration::Months(m)) => months(ts, m, zone, out),
            Shift::EndOf(period, back) => {
                out.push(zone.midnight(zone.date(Instant(ts)).period_start(period, -back)).0);
            }
            Shift::NextStarts(period) => {
                let date = zone.date(Instant(ts));
                out.extend([1, 2].map(|n| zone.midnight(date.period_start(period, -n)).0));
            }
        }
    }
}

/// Where `T - m months` can cross `ts`: going back clamps to the month's last day, so from the last day of a month
/// several days lead to it, each beginning anew at midnight; where no day leads to it, the next month's first does.
fn months(ts: i64, m: i32, zone: &Zone, out: &mut Vec<i64>) {
    let t = Instant(ts);
    let date = zone.date(t);
    let tod = zone.time_of_day(t);
    let later = zone.date(zone.plus_months(t, m));
    let next_month = later.period_start(Period::Month, -1);
    for d in later.0..next_month.0 {
        let d = Date(d);
        out.push(zone.midnight(d).0);
        for near in [0, -MICROS_HOUR, MICROS_HOUR] {
            // The hours beside it matter only where the clocks change.
            let at = zone.at(d, tod + near).0;
            out.extend([at, at + 1]);
        }
        let is_last_day = Date(date.0 + 1).ymd().2 == 1;
        if !is_last_day {
            break;
        }
    }
    out.push(zone.midnight(Date(later.0 + 1)).0);
    out.push(zone.midnight(next_month).0);
}
