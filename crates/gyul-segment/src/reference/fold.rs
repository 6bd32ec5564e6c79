//! Aggregates: the selected events of the window, folded.

use super::number::nearest;
use super::{Number, Place, Reference, Val};
use crate::tree::{Agg, AggOp, Type};
use gyul_model::{Date, Event, Period};
use std::collections::BTreeSet;

impl<'a> Reference<'a> {
    pub(super) fn fold(&self, agg: &'a Agg, ty: Type, customer: usize) -> Option<Val> {
        let mut found = self.selected(&agg.select, &agg.window, customer);
        if let Some(n) = agg.last {
            found = found.split_off(found.len().saturating_sub(n as usize));
        }
        let value = |i: &usize| self.eval(agg.value.as_ref()?, Place { customer, event: Some(*i) });
        let values: Vec<Option<Val>> = found.iter().map(value).collect();
        let known: Vec<Val> = values.iter().flatten().cloned().collect();
        let events: Vec<&Event> = found.iter().map(|i| self.customers[customer].events[*i]).collect();
        let gaps = || events.windows(2).map(|e| e[1].ts.0 - e[0].ts.0);
        let whole = |n: usize| Some(Val::Num(Number::whole(n as i64)));
        match agg.op {
            AggOp::Count => whole(events.len()),
            AggOp::Sum => sum(&known, ty == Type::Dur || agg.value.as_ref().is_some_and(|v| v.ty == Type::Dur)),
            AggOp::Avg => average(&known),
            AggOp::Min => least(known, |a, b| a < b),
            AggOp::Max => least(known, |a, b| a > b),
            AggOp::Distinct => whole(distinct(&known).len()),
            AggOp::First => values.into_iter().next()?,
            AggOp::Last => values.into_iter().next_back()?,
            AggOp::Mode => mode(&known),
            AggOp::FirstAt => Some(Val::Instant(events.first()?.ts.0)),
            AggOp::LastAt => Some(Val::Instant(events.last()?.ts.0)),
            AggOp::LongestGap => Some(Val::Dur(Number::whole(gaps().max()?))),
            AggOp::AverageGap => {
                let total: i128 = gaps().map(i128::from).sum();
                let n = gaps().count();
                (n > 0).then(|| Val::Dur(Number::Quotient(nearest(total, n as i128))))
            }
            AggOp::Days => whole(self.periods(&events, Period::Day).len()),
            AggOp::Streak(period) => {
                let periods = self.periods(&events, period);
                let mut current = self.lib.zone.date(self.at).period_start(period, 0);
                if !periods.contains(&current) {
                    current = current.period_start(period, 1);
                }
                let mut n = 0;
                while periods.contains(&current) {
                    n += 1;
                    current = current.period_start(period, 1);
                }
                whole(n)
            }
        }
    }

    fn periods(&self, events: &[&Event], period: Period) -> BTreeSet<Date> {
        events.iter().map(|e| self.lib.zone.date(e.ts).period_start(period, 0)).collect()
    }
}

/// The numbers or durations among the values, and which of both.
fn numbers(known: &[Val]) -> (Vec<Number>, bool) {
    let pick = |v: &Val| match v {
        Val::Num(n) | Val::Dur(n) => Some(*n),
        _ => None,
    };
    (known.iter().filter_map(pick).collect(), known.iter().any(|v| matches!(v, Val::Dur(_))))
}

fn is_quotient(n: &Number) -> bool {
    matches!(n, Number::Quotient(_))
}

fn wrap(n: Number, dur: bool) -> Val {
    if dur { Val::Dur(n) } else { Val::Num(n) }
}

/// `(sum of mantissas, scale)`; the sum may be beyond 64 bits.
fn exact_sum(numbers: &[Number]) -> (i128, u32) {
    let parts: Vec<(i128, u32)> = numbers
        .iter()
        .filter_map(|n| match *n {
            Number::Exact { mantissa, scale } => Some((mantissa, scale)),
            Number::Quotient(_) => None,
        })
        .collect();
    let scale = parts.iter().map(|p| p.1).max().unwrap_or(0);
    let sum = parts.iter().fold(0_i128, |sum, (m, s)| sum.saturating_add(m.saturating_mul(10_i128.pow(scale - s))));
    (sum, scale)
}

fn sum(known: &[Val], dur: bool) -> Option<Val> {
    let (numbers, is_dur) = numbers(known);
    let dur = dur || is_dur;
    if numbers.iter().any(is_quotient) {
        // Doubles, in the order of the events.
        let sum = numbers.iter().fold(0.0, |sum, n| sum + n.to_f64());
        return Number::quotient(sum).map(|n| wrap(n, dur));
    }
    let (sum, scale) = exact_sum(&numbers);
    Number::exact(sum, scale).map(|n| wrap(n, dur))
}

fn average(known: &[Val]) -> Option<Val> {
    let (numbers, dur) = numbers(known);
    if numbers.is_empty() {
        return None;
    }
    if numbers.iter().any(is_quotient) {
        let sum = numbers.iter().fold(0.0, |sum, n| sum + n.to_f64());
        return Number::quotient(sum / numbers.len() as f64).map(|n| wrap(n, dur));
    }
    let (sum, scale) = exact_sum(&numbers);
    let divisor = numbers.len() as i128 * 10_i128.pow(scale);
    Number::quotient(nearest(sum, divisor)).map(|n| wrap(n, dur))
}

/// The first of the comparable values that comes before all others.
fn least(known: Vec<Val>, before: impl Fn(&Val, &Val) -> bool) -> Option<Val> {
    let comparable = known.into_iter().filter(|v| matches!(v, Val::Num(_) | Val::Dur(_) | Val::Instant(_)));
    comparable.reduce(|best, v| if before(&v, &best) { v } else { best })
}

impl PartialOrd for Val {
    /// Values of one comparable type only.
    fn partial_cmp(&self, other: &Val) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Val::Num(a), Val::Num(b)) | (Val::Dur(a), Val::Dur(b)) => Some(a.order(*b)),
            (Val::Instant(a), Val::Instant(b)) => Some(a.cmp(b)),
            (Val::Date(a), Val::Date(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn distinct(known: &[Val]) -> Vec<&Val> {
    let mut seen: Vec<&Val> = vec![];
    for v in known {
        if !seen.contains(&v) {
            seen.push(v);
        }
    }
    seen
}

fn mode(known: &[Val]) -> Option<Val> {
    let times = |v: &Val| known.iter().filter(|w| *w == v).count();
    // Of equally frequent ones `max_by_key` takes the last: the one seen latest.
    known.iter().max_by_key(|v| times(v)).cloned()
}
