//! Aggregates: a fold over the picked events of a window, for every row of a block.

use crate::block::{Block, Lasts, Rows};
use crate::column::{self, Col, UNKNOWN, key_real, real_key};
use crate::events::Slices;
use crate::plan::*;
use gyul_model::{Codes, ColumnData, Instant, POW10, Period, Zone};
use gyul_segment::tree::{AggOp, Cmp};
use std::ops::Range;
use std::rc::Rc;

/// Dictionaries of so few texts are counted text by text, all at once.
const FEW_TEXTS: usize = 16;

/// So are larger ones, if this many of their texts are asked for.
const MANY_TESTS: u32 = 8;
const TEXTS: usize = 64;

/// Running sums over the picked events of a block: a window's sum is a difference of two of them.
pub struct Prefix {
    /// Wraps around; a difference is right as long as itself fits, which `safe` vouches for.
    sum: Vec<i64>,
    /// Number of known values so far; empty if all are known.
    known: Vec<u32>,
    safe: bool,
}

/// One event of a window, as the folds see it.
#[derive(Clone, Copy)]
struct Seen {
    ts: i64,
    seq: u32,
    key: i64,
}

impl Block<'_> {
    pub(crate) fn agg(&mut self, agg: &AggNode, ty: Ty) -> Col {
        let simple = agg.last.is_none() || agg.sources.len() <= 1;
        if agg.sources.iter().all(|s| self.events(s.stream).is_empty()) {
            // As for most streams where the block has few customers.
            return of_nothing(agg.op, ty);
        }
        match agg.op {
            AggOp::Count if ty == Ty::Bool => self.any(agg),
            AggOp::Count if simple => self.count(agg),
            AggOp::FirstAt | AggOp::LastAt if simple => self.edge_at(agg),
            AggOp::First | AggOp::Last if agg.sources.len() == 1 => self.edge_value(agg, ty),
            AggOp::Distinct if self.few_texts(agg) => self.distinct_texts(agg),
            AggOp::Sum | AggOp::Avg if simple => match self.sums(agg, ty) {
                Some(c) => c,
                None => self.fold(agg, ty),
            },
            _ => self.fold(agg, ty),
        }
    }

    fn count(&mut self, agg: &AggNode) -> Col {
        let n = self.len();
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let mut out = vec![0_i64; n];
        let some: Vec<&Source> = agg.sources.iter().filter(|s| !self.events(s.stream).is_empty()).collect();
        for source in some {
            if let Some((column, code)) = self.one_text(source).filter(|_| agg.last.is_none()) {
                let tally = self.tally(source, column, &agg.bounds);
                let counts = tally.chunks_exact(n.max(1)).nth(code as usize).unwrap_or_default();
                out.iter_mut().zip(counts).for_each(|(out, c)| *out += i64::from(*c));
                continue;
            }
            let slices = self.slices(source, &agg.bounds);
            for (r, out) in out.iter_mut().enumerate() {
                let (lo, hi) = slices.get(r);
                *out += (hi - lo).min(most) as i64;
            }
        }
        Col::Int(out)
    }

    /// A comparison of a count of one text with a constant, straight from the tally.
    pub(crate) fn compared_count(&mut self, op: Cmp, count: NodeId, constant: NodeId) -> Option<Col> {
        let plan = self.plan;
        let (Op::Agg(agg), &Op::Int(bound)) = (&plan.nodes[count as usize].op, &plan.nodes[constant as usize].op)
        else {
            return None;
        };
        let ([source], AggOp::Count, None) = (&agg.sources[..], agg.op, agg.last) else { return None };
        let (column, code) = self.one_text(source)?;
        let tally = self.tally(source, column, &agg.bounds);
        let n = self.len();
        let counts = tally.get(code as usize * n..(code as usize + 1) * n)?;
        let bound = u32::try_from(bound).ok()?;
        Some(match op {
            Cmp::Eq => column::tested(counts, |c| u8::from(c == bound)),
            Cmp::Ne => column::tested(counts, |c| u8::from(c != bound)),
            Cmp::Lt => column::tested(counts, |c| u8::from(c < bound)),
            Cmp::Le => column::tested(counts, |c| u8::from(c <= bound)),
            Cmp::Gt => column::tested(counts, |c| u8::from(c > bound)),
            Cmp::Ge => column::tested(counts, |c| u8::from(c >= bound)),
        })
    }

    /// A filter by one text of a dictionary whose texts are best looked at together.
    fn one_text(&self, source: &Source) -> Option<(NodeId, u32)> {
        let Op::CodeIs(column, code) = self.plan.nodes[source.filter? as usize].op else { return None };
        let Node { op: Op::Prop { .. }, ty: Ty::Text(dict), .. } = self.plan.nodes[column as usize] else {
            return None;
        };
        let tests = self.plan.code_tests.get(&column).copied().unwrap_or(0);
        let most = if tests < MANY_TESTS { FEW_TEXTS } else { TEXTS };
        let few = self.plan.dicts[dict as usize].len() < most && matches!(self.rows, Rows::Each(_));
        few.then_some((column, code))
    }

    /// For each text of a column, the unknown first, how often it stands in each row's window.
    fn tally(&mut self, source: &Source, column: NodeId, bounds: &Bounds) -> Rc<Vec<u32>> {
        if let Some(t) = self.tallies.get(&(column, *bounds)) {
            return t.clone();
        }
        let slices = self.slices(&Source { filter: None, ..source.clone() }, bounds);
        let n = self.len();
        let mut out = vec![0; n * self.texts(column)];
        self.each_text(source.stream, column, |r| slices.get(r), |i, _| out[i] += 1);
        let out = Rc::new(out);
        self.tallies.insert((column, *bounds), out.clone());
        out
    }

    /// Texts of a column's dictionary, and the unknown.
    fn texts(&self, column: NodeId) -> usize {
        match self.plan.nodes[column as usize].ty {
            Ty::Text(dict) => self.plan.dicts[dict as usize].len() + 1,
            _ => 1,
        }
    }

    /// Calls `f` for each event of some rows with the place of its text and row, text by text, and the event's own.
    fn each_text(
        &self,
        stream: u32,
        column: NodeId,
        rows: impl Fn(usize) -> (usize, usize),
        mut f: impl FnMut(usize, usize),
    ) {
        let (n, texts) = (self.len(), self.texts(column));
        let first = self.events(stream).start;
        let Op::Prop { column } = self.plan.nodes[column as usize].op else { return };
        let columns = &self.bucket.streams[stream as usize].columns;
        let Some(ColumnData::Codes(codes)) = columns.get(column as usize) else { return };
        for r in 0..n {
            let (lo, hi) = rows(r);
            let events = first + lo..first + hi;
            match codes {
                // The usual width, without asking at each event.
                Codes::U8(v) => v[events.clone()].iter().zip(events).for_each(|(code, i)| {
                    if usize::from(*code) < texts {
                        f(usize::from(*code) * n + r, i);
                    }
                }),
                codes => events.filter(|i| (codes.get(*i) as usize) < texts).for_each(|i| {
                    f(codes.get(i) as usize * n + r, i);
                }),
            }
        }
    }

    /// Each row's last instant among the picked events, `UNKNOWN` if there is none; all of the stream is in the past.
    /// They stand in a part of the list.
    fn last_picked(&mut self, source: &Source, filter: NodeId) -> (Rc<Vec<i64>>, Range<usize>) {
        let n = self.len();
        let text = self.one_text(source);
        let (key, place) = match text {
            Some((column, code)) => (Lasts::Texts(column), code as usize * n..(code as usize + 1) * n),
            None => (Lasts::Picked(source.stream, filter), 0..n),
        };
        if let Some(l) = self.lasts.get(&key) {
            return (l.clone(), place);
        }
        let stream = &self.bucket.streams[source.stream as usize];
        let first = self.events(source.stream).start;
        let picked = if text.is_none() { self.picked(source) } else { None };
        let own = |r: usize| {
            let c = self.customer(r);
            (stream.offsets[c] as usize - first, stream.offsets[c + 1] as usize - first)
        };
        let mut out;
        if let Some((column, _)) = text {
            out = vec![UNKNOWN; n * self.texts(column)];
            self.each_text(source.stream, column, own, |at, i| out[at] = stream.ts[i]);
        } else {
            let last = |r: usize| {
                let (lo, hi) = own(r);
                let last = picked.as_ref().and_then(|p| p.last(lo, hi)).filter(|_| lo < hi);
                last.map_or(UNKNOWN, |k| stream.ts[first + k])
            };
            out = (0..n).map(last).collect();
        }
        let out = Rc::new(out);
        self.lasts.insert(key, out.clone());
        (out, place)
    }

    /// Whether there is any event: whether the latest one up to the upper end comes after the lower one.
    fn any(&mut self, agg: &AggNode) -> Col {
        let mut out = Col::OneBool(0);
        let after = agg.bounds.after.map(|b| self.col(b));
        // Without a lower end any event will do; an unknown one lets none through.
        let after_at = |r: usize| match &after {
            None => UNKNOWN,
            Some(a) if a.int_at(r) == UNKNOWN => i64::MAX,
            Some(a) => a.int_at(r),
        };
        // The busiest streams first: they settle most of the customers.
        let mut sources: Vec<&Source> = agg.sources.iter().filter(|s| !self.events(s.stream).is_empty()).collect();
        sources.sort_by_key(|s| std::cmp::Reverse(self.events(s.stream).len()));
        for source in sources {
            let events = self.events(source.stream);
            let last = self.last_instants(source.stream).filter(|_| agg.bounds.until.is_none());
            if let Some(all) = last {
                let picked = source.filter.map(|f| self.last_picked(source, f));
                let last = picked.as_ref().map_or(Some(all), |(list, place)| list.get(place.clone()));
                let Some(last) = last else { continue };
                let any = match after.as_deref() {
                    Some(Col::Int(_)) => {
                        let any = last.iter().enumerate().map(|(r, last)| u8::from(*last > after_at(r)));
                        Col::conditions(&any.collect::<Vec<u8>>())
                    }
                    _ => {
                        let after = after_at(0);
                        column::tested(last, |last| u8::from(last > after))
                    }
                };
                column::fold_bool(&mut out, &any, false);
                continue;
            }
            let upper = self.upto(source.stream, agg.bounds.until);
            let picked = self.picked(source);
            let s = &self.bucket.streams[source.stream as usize];
            let any = |r: usize| {
                let lo = s.offsets[self.customer(r)] as usize - events.start;
                let hi = upper[r] as usize;
                if out.bool_at(r) == 1 || lo >= hi {
                    return 0;
                }
                let last = picked.as_ref().map_or(Some(hi - 1), |p| p.last(lo, hi));
                last.is_some_and(|k| after.is_none() || s.ts[events.start + k] > after_at(r)).into()
            };
            let any = Col::conditions(&(0..self.len()).map(any).collect::<Vec<u8>>());
            column::fold_bool(&mut out, &any, false);
        }
        out
    }

    fn edge_at(&mut self, agg: &AggNode) -> Col {
        let n = self.len();
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let first = agg.op == AggOp::FirstAt;
        let mut out = vec![UNKNOWN; n];
        for source in &agg.sources {
            let whole = source.filter.is_none() && agg.bounds == (Bounds { after: None, until: None });
            if let (false, true, Some(last)) = (first, whole, self.last_instants(source.stream)) {
                // `UNKNOWN` is the smallest number: no event is earlier than any.
                out.iter_mut().zip(last).for_each(|(out, last)| *out = (*out).max(*last));
                continue;
            }
            let slices = self.slices(source, &agg.bounds);
            let ts = &self.bucket.streams[source.stream as usize].ts;
            for (r, out) in out.iter_mut().enumerate() {
                let (lo, hi) = slices.get(r);
                if lo < hi {
                    let k = if first { lo.max(hi.saturating_sub(most)) } else { hi - 1 };
                    let t = ts[slices.first + slices.event(k)];
                    *out = match *out {
                        UNKNOWN => t,
                        old if first => old.min(t),
                        old => old.max(t),
                    };
                }
            }
        }
        Col::Int(out)
    }

    fn edge_value(&mut self, agg: &AggNode, ty: Ty) -> Col {
        let source = &agg.sources[0];
        let Some(value) = source.value else { return Col::OneInt(UNKNOWN) };
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let slices = self.slices(source, &agg.bounds);
        let values = self.col(value);
        let key = |r| {
            let (lo, hi) = slices.get(r);
            if lo == hi {
                return UNKNOWN;
            }
            let k = if agg.op == AggOp::First { lo.max(hi.saturating_sub(most)) } else { hi - 1 };
            values.key_at(slices.event(k))
        };
        from_keys((0..self.len()).map(key), ty)
    }

    /// Sums and averages of exact numbers by differences of running sums; `None` if that could go wrong.
    fn sums(&mut self, agg: &AggNode, ty: Ty) -> Option<Col> {
        let n = self.len();
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let mut sum = vec![0_i64; n];
        let mut known = vec![0_i64; n];
        let mut scale = 0;
        for source in &agg.sources {
            let value = source.value?;
            match self.plan.nodes[value as usize].ty {
                Ty::Exact { scale: s, .. } => scale = s,
                Ty::Nothing => continue,
                _ => return None,
            }
            let slices = self.slices(source, &agg.bounds);
            let prefix = self.prefix(source, value, &slices);
            if !prefix.safe || agg.sources.len() > 8 {
                return None;
            }
            for r in 0..n {
                let (lo, hi) = slices.get(r);
                let lo = lo.max(hi.saturating_sub(most));
                sum[r] += prefix.sum[hi].wrapping_sub(prefix.sum[lo]);
                known[r] += match &prefix.known[..] {
                    [] => (hi - lo) as i64,
                    k => i64::from(k[hi] - k[lo]),
                };
            }
        }
        if agg.op == AggOp::Sum {
            return Some(Col::Int(sum));
        }
        debug_assert!(matches!(ty, Ty::Quotient { .. }));
        Some(Col::Real(sum.iter().zip(&known).map(|(s, k)| mean(*s, *k, scale)).collect()))
    }

    fn prefix(&mut self, source: &Source, value: NodeId, slices: &Slices) -> Rc<Prefix> {
        if let Some(p) = self.prefixes.get(source) {
            return p.clone();
        }
        let values = self.col(value);
        let n = slices.picked.as_ref().map_or_else(|| self.events(source.stream).len(), |p| p.index().len());
        let mut sum = Vec::with_capacity(n + 1);
        let (mut total, mut most, mut unknowns) = (0_i64, 0_u64, 0);
        sum.push(0);
        for k in 0..n {
            let x = values.int_at(slices.event(k));
            let (x, u) = if x == UNKNOWN { (0, 1) } else { (x, 0) };
            total = total.wrapping_add(x);
            most = most.max(x.unsigned_abs());
            unknowns += u;
            sum.push(total);
        }
        let mut known = vec![];
        if unknowns > 0 {
            known.push(0_u32);
            for k in 0..n {
                let known_so_far = known[k] + u32::from(values.int_at(slices.event(k)) != UNKNOWN);
                known.push(known_so_far);
            }
        }
        // No window of this block can hold more than n events. Eight streams may be added up.
        let safe = most.checked_mul(8 * n as u64 + 1).is_some_and(|m| m < i64::MAX as u64);
        let prefix = Rc::new(Prefix { sum, known, safe });
        self.prefixes.insert(source.clone(), prefix.clone());
        prefix
    }

    /// One stream's texts from a dictionary so small that a bit set holds it.
    fn few_texts(&self, agg: &AggNode) -> bool {
        let [Source { value: Some(value), .. }] = agg.sources[..] else { return false };
        matches!(self.plan.nodes[value as usize].ty, Ty::Text(d) if self.plan.dicts[d as usize].len() < 64)
    }

    fn distinct_texts(&mut self, agg: &AggNode) -> Col {
        let source = &agg.sources[0];
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let slices = self.slices(source, &agg.bounds);
        let values = source.value.map(|v| self.col(v));
        let Some(Col::Code(codes)) = values.as_deref() else { return Col::Int(vec![0; self.len()]) };
        let count = |r| {
            let (lo, hi) = slices.get(r);
            let seen = (lo.max(hi.saturating_sub(most))..hi).fold(0_u64, |seen, k| seen | 1 << codes[slices.event(k)]);
            // Code 0 is unknown.
            (seen >> 1).count_ones().into()
        };
        Col::Int((0..self.len()).map(count).collect())
    }

    /// Any aggregate, event by event.
    fn fold(&mut self, agg: &AggNode, ty: Ty) -> Col {
        let n = self.len();
        let most = agg.last.map_or(usize::MAX, |n| n as usize);
        let mut inputs = vec![];
        let mut scale = 0;
        for source in &agg.sources {
            let slices = self.slices(source, &agg.bounds);
            let values = source.value.map(|v| {
                if let Ty::Exact { scale: s, .. } = self.plan.nodes[v as usize].ty {
                    scale = s;
                }
                self.col(v)
            });
            inputs.push((slices, values, &self.bucket.streams[source.stream as usize]));
        }
        let zone = self.zone();
        let mut seen: Vec<Seen> = vec![];
        let mut keys = Vec::with_capacity(n);
        for r in 0..n {
            seen.clear();
            for (slices, values, stream) in &inputs {
                let (lo, hi) = slices.get(r);
                for k in lo.max(hi.saturating_sub(most))..hi {
                    let e = slices.event(k);
                    let i = slices.first + e;
                    let key = values.as_ref().map_or(0, |v| v.key_at(e));
                    seen.push(Seen { ts: stream.ts[i], seq: stream.seq[i], key });
                }
            }
            if inputs.len() > 1 {
                seen.sort_unstable_by_key(|s| (s.ts, s.seq));
            }
            let from = seen.len().saturating_sub(most);
            let window = &mut seen[from..];
            let real = agg
                .sources
                .iter()
                .any(|s| s.value.is_some_and(|v| matches!(self.plan.nodes[v as usize].ty, Ty::Quotient { .. })));
            keys.push(fold_one(agg.op, window, Instant(self.instant(r)), zone, scale, real));
        }
        from_keys(keys.into_iter(), ty)
    }
}

/// The nearest double of `sum / 10^scale / n`; NaN of nothing.
fn mean(sum: i64, n: i64, scale: u8) -> f64 {
    if n == 0 {
        return f64::NAN;
    }
    sum as f64 / (i128::from(n) * i128::from(POW10[scale.min(18) as usize])) as f64
}

/// The key of the aggregate's value. `window` may be reordered.
fn fold_one(op: AggOp, window: &mut [Seen], t: Instant, zone: &Zone, scale: u8, real: bool) -> i64 {
    let known = |w: &[Seen]| w.iter().filter(|s| s.key != UNKNOWN).map(|s| s.key).collect::<Vec<i64>>();
    let int = |n: usize| n as i64;
    match op {
        AggOp::Count => int(window.len()),
        AggOp::FirstAt => window.first().map_or(UNKNOWN, |s| s.ts),
        AggOp::LastAt => window.last().map_or(UNKNOWN, |s| s.ts),
        AggOp::First => window.first().map_or(UNKNOWN, |s| s.key),
        AggOp::Last => window.last().map_or(UNKNOWN, |s| s.key),
        AggOp::Sum if real => real_key(known(window).into_iter().map(key_real).sum::<f64>()),
        AggOp::Avg if real => {
            let v = known(window);
            real_key(v.iter().map(|k| key_real(*k)).sum::<f64>() / v.len() as f64)
        }
        AggOp::Sum => {
            let sum: i128 = known(window).into_iter().map(i128::from).sum();
            i64::try_from(sum).unwrap_or(UNKNOWN)
        }
        AggOp::Avg => {
            let v = known(window);
            let sum: i128 = v.iter().map(|k| i128::from(*k)).sum();
            let n = v.len() as i128 * i128::from(POW10[scale.min(18) as usize]);
            real_key(sum as f64 / n as f64)
        }
        AggOp::Min => known(window).into_iter().min().unwrap_or(UNKNOWN),
        AggOp::Max => known(window).into_iter().max().unwrap_or(UNKNOWN),
        AggOp::Distinct => {
            let mut v = known(window);
            v.sort_unstable();
            v.dedup();
            int(v.len())
        }
        AggOp::Mode => mode(window),
        AggOp::LongestGap => window.windows(2).map(|w| w[1].ts - w[0].ts).max().unwrap_or(UNKNOWN),
        AggOp::AverageGap => match window {
            [first, .., last] => real_key((last.ts - first.ts) as f64 / (window.len() - 1) as f64),
            _ => UNKNOWN,
        },
        AggOp::Days => {
            let mut days: Vec<i32> = window.iter().map(|s| zone.date(Instant(s.ts)).0).collect();
            days.dedup();
            int(days.len())
        }
        AggOp::Streak(period) => streak(window, period, t, zone),
    }
}

/// What an empty window yields, for all rows.
fn of_nothing(op: AggOp, ty: Ty) -> Col {
    match (op, ty) {
        (AggOp::Count, Ty::Bool) => Col::OneBool(0),
        (AggOp::Count | AggOp::Distinct | AggOp::Days | AggOp::Streak(_), _) => Col::OneInt(0),
        (AggOp::Sum, Ty::Quotient { .. }) => Col::OneReal(0.0),
        (AggOp::Sum, _) => Col::OneInt(0),
        (_, Ty::Quotient { .. }) => Col::OneReal(f64::NAN),
        (_, ty) => Col::unknown(ty),
    }
}

/// The most frequent known value; of several the one seen latest.
fn mode(window: &mut [Seen]) -> i64 {
    let mut latest: Vec<(i64, usize, usize)> = vec![];
    let mut ordered: Vec<(i64, usize)> =
        window.iter().enumerate().filter(|(_, s)| s.key != UNKNOWN).map(|(i, s)| (s.key, i)).collect();
    ordered.sort_unstable();
    for (key, i) in ordered {
        match latest.last_mut() {
            Some((k, count, at)) if *k == key => {
                *count += 1;
                *at = i;
            }
            _ => latest.push((key, 1, i)),
        }
    }
    latest.into_iter().max_by_key(|(_, count, at)| (*count, *at)).map_or(UNKNOWN, |(k, ..)| k)
}

fn streak(window: &[Seen], period: Period, t: Instant, zone: &Zone) -> i64 {
    let start_of = |ts: i64| zone.date(Instant(ts)).period_start(period, 0);
    let mut expected = start_of(t.0);
    let mut run = 0;
    for s in window.iter().rev() {
        let p = start_of(s.ts);
        if p > expected {
            continue;
        }
        if run == 0 && p < expected {
            // The period of T may still be empty.
            expected = expected.period_start(period, 1);
        }
        if p != expected {
            break;
        }
        run += 1;
        expected = expected.period_start(period, 1);
    }
    run
}

/// A column of a type from keys, [`Col::key_at`] backwards.
fn from_keys(keys: impl Iterator<Item = i64>, ty: Ty) -> Col {
    match ty {
        Ty::Quotient { .. } => Col::Real(keys.map(key_real).collect()),
        Ty::Text(_) | Ty::List(_) => Col::Code(keys.map(|k| if k == UNKNOWN { 0 } else { k as u32 }).collect()),
        Ty::Bool | Ty::Flag => Col::Bool(keys.map(|k| if k == UNKNOWN { 2 } else { k as u8 }).collect()),
        _ => Col::Int(keys.collect()),
    }
}
