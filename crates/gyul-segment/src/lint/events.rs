//! What is certain because something happened or did not, and because numbers of things are whole.

use super::{Point, bounds, key, range};
use crate::tree::{Agg, AggOp, Arith, EventSelect, Expr, Kind};
use gyul_model::Decimal;
use std::collections::BTreeMap;

/// One part says that an event never happened, another looks at when it did, or at what it was like.
pub(super) fn missing(parts: &[&Expr]) -> bool {
    let never: Vec<&Agg> = parts.iter().filter_map(|p| at_most_none(p)).collect();
    let looks = |agg: &Agg| {
        never.iter().any(|n| {
            n.select.events == agg.select.events && (n.select.filter.is_none() || same(&n.select, &agg.select))
        })
    };
    !never.is_empty() && parts.iter().filter_map(|p| needs_event(p)).any(looks)
}

fn same(a: &EventSelect, b: &EventSelect) -> bool {
    match (&a.filter, &b.filter) {
        (Some(a), Some(b)) => key(a) == key(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// `count(E) = 0`, at any time.
fn at_most_none(e: &Expr) -> Option<&Agg> {
    let part = range(e)?;
    let Kind::Agg(agg) = &part.value.kind else { return None };
    let whenever = agg.window.after.is_none() && agg.window.until.is_none() && agg.last.is_none();
    let (_, high) = whole(&part.range);
    (agg.op == AggOp::Count && whenever && high? <= 0).then_some(agg)
}

/// Events without which the comparison is unknown, hence false, or without which the number is 0 and too low.
fn needs_event(e: &Expr) -> Option<&Agg> {
    let part = range(e)?;
    let agg = match &part.value.kind {
        Kind::Agg(agg) => agg,
        Kind::Arith(Arith::Sub, now, at) if matches!(now.kind, Kind::Now) => match &at.kind {
            Kind::Agg(agg) => agg,
            _ => return None,
        },
        _ => return None,
    };
    let needed = match agg.op {
        AggOp::Count | AggOp::Distinct | AggOp::Days | AggOp::Streak(_) => whole(&part.range).0.is_some_and(|n| n >= 1),
        AggOp::Sum => false,
        _ => true,
    };
    needed.then_some(agg.as_ref())
}

/// Together the parts leave no number out that a thing counted can have.
pub(super) fn exhaustive(parts: &[&Expr]) -> bool {
    let mut of: BTreeMap<String, Covered> = BTreeMap::new();
    for part in parts.iter().filter_map(|p| range(p)) {
        let Some((own, true)) = bounds(part.value) else { continue };
        let (low, high) = whole(&part.range);
        let (least, most) = whole(&own);
        let new = || Covered { least: least.unwrap_or(i64::MIN), most: most.unwrap_or(i64::MAX - 1), ranges: vec![] };
        let ranges = &mut of.entry(key(part.value)).or_insert_with(new).ranges;
        ranges.push((low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX)));
    }
    of.into_values().any(|mut c| {
        c.ranges.sort_unstable();
        let mut next = c.least;
        for (low, high) in c.ranges {
            if low > next {
                return false;
            }
            next = next.max(high.saturating_add(1));
        }
        next > c.most
    })
}

/// What a number can be at all, and which of that some parts take in.
struct Covered {
    least: i64,
    most: i64,
    ranges: Vec<(i64, i64)>,
}

/// The least and the greatest whole number inside.
fn whole(r: &super::Range) -> (Option<i64>, Option<i64>) {
    let number = |p: &Point| match p {
        Point::Num(n) => Some(*n),
        _ => None,
    };
    let is = |n: Decimal, whole: i64| n == Decimal::from(whole);
    let low = r.low.as_ref().and_then(|(p, inside)| {
        let n = number(p)?;
        let up = n.to_f64().ceil() as i64;
        Some(if is(n, up) && !inside { up + 1 } else { up })
    });
    let high = r.high.as_ref().and_then(|(p, inside)| {
        let n = number(p)?;
        let down = n.to_f64().floor() as i64;
        Some(if is(n, down) && !inside { down - 1 } else { down })
    });
    (low, high)
}
