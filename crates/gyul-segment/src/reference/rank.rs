//! Ranks: the customer's value among everybody's.

use super::number::nearest;
use super::{Number, Reference, Val};
use crate::tree::{Rank, RankKind};
use gyul_model::Decimal;
use std::cmp::Ordering;
use std::rc::Rc;

/// What a customer's value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// Top: at least this; bottom: at most this; above and below average: the mean (nearest double if no decimal).
    Value(Val),
    /// Quintile and percentile: so many of the population are below, of so many.
    Below { below: usize, of: usize },
}

impl<'a> Reference<'a> {
    pub(super) fn rank(&self, rank: &'a Rank, customer: usize) -> Option<Val> {
        if let Some(ranks) = self.outside {
            let outside = match rank.kind {
                RankKind::Quintile | RankKind::Percentile => None,
                _ => Some(Val::Bool(false)),
            };
            return self.own_value(rank, customer).map_or(outside, |x| ranks.rank(rank, &x).0);
        }
        let everybody = self.everybody(rank);
        let all: Vec<Number> = everybody.iter().flatten().copied().collect();
        let (n, x) = (all.len(), everybody[customer]);
        // `x.is_some_and(…)`: outside the population the bool kinds are false.
        let less = |x: Number| all.iter().filter(|y| y.order(x) == Ordering::Less).count();
        match rank.kind {
            RankKind::Top(p) => {
                let threshold = kth(&all, p, true);
                Some(Val::Bool(x.is_some_and(|x| threshold.is_some_and(|t| x.order(t) != Ordering::Less))))
            }
            RankKind::Bottom(p) => {
                let threshold = kth(&all, p, false);
                Some(Val::Bool(x.is_some_and(|x| threshold.is_some_and(|t| x.order(t) != Ordering::Greater))))
            }
            RankKind::AboveAverage => Some(Val::Bool(x.is_some_and(|x| to_mean(x, &all) == Ordering::Greater))),
            RankKind::BelowAverage => Some(Val::Bool(x.is_some_and(|x| to_mean(x, &all) == Ordering::Less))),
            RankKind::Quintile => Some(Val::Num(Number::whole(1 + (5 * less(x?) / n) as i64))),
            RankKind::Percentile => Some(Val::Num(Number::Quotient(nearest(100 * less(x?) as i128, n as i128)))),
        }
    }

    /// The customer's own value in a rank, and what it is compared with. `None` outside the rank's population.
    pub fn threshold(&self, rank: &'a Rank, customer: usize) -> Option<(Val, Threshold)> {
        if let Some(ranks) = self.outside {
            let x = self.own_value(rank, customer)?;
            let threshold = ranks.rank(rank, &x).1?;
            return Some((x, threshold));
        }
        let everybody = self.everybody(rank);
        let all: Vec<Number> = everybody.iter().flatten().copied().collect();
        let x = everybody[customer]?;
        let own = self.value(&rank.x, customer)?;
        let like_own = |n: Number| match (&own, n) {
            (Val::Dur(_), _) => Val::Dur(n),
            (Val::Instant(_), _) => Val::Instant(n.to_f64() as i64),
            _ => Val::Num(n),
        };
        let threshold = match rank.kind {
            RankKind::Top(p) => Threshold::Value(like_own(kth(&all, p, true)?)),
            RankKind::Bottom(p) => Threshold::Value(like_own(kth(&all, p, false)?)),
            RankKind::AboveAverage | RankKind::BelowAverage => {
                let mean = all.iter().map(|n| n.to_f64()).sum::<f64>() / all.len() as f64;
                Threshold::Value(like_own(Number::quotient(mean)?))
            }
            RankKind::Quintile | RankKind::Percentile => {
                Threshold::Below { below: all.iter().filter(|y| y.order(x) == Ordering::Less).count(), of: all.len() }
            }
        };
        Some((own, threshold))
    }

    /// The value of `x`; `None` outside the rank's population.
    fn own_value(&self, rank: &'a Rank, customer: usize) -> Option<Val> {
        let inside = self.exists(customer) && rank.among.as_ref().is_none_or(|a| self.truth(a, customer));
        let x = self.value(&rank.x, customer).filter(|_| inside)?;
        matches!(x, Val::Num(_) | Val::Dur(_) | Val::Instant(_)).then_some(x)
    }

    fn everybody(&self, rank: &'a Rank) -> Rc<Vec<Option<Number>>> {
        let key = std::ptr::from_ref(rank);
        if let Some(known) = self.ranks.borrow().get(&key) {
            return known.clone();
        }
        let value = |c: usize| match self.own_value(rank, c)? {
            Val::Num(n) | Val::Dur(n) => Some(n),
            Val::Instant(t) => Some(Number::whole(t)),
            _ => None,
        };
        let values: Rc<Vec<_>> = Rc::new((0..self.len()).map(value).collect());
        self.ranks.borrow_mut().insert(key, values.clone());
        values
    }
}

/// The k-th largest (or smallest) for p percent; `None` of nobody.
fn kth(all: &[Number], p: Decimal, largest: bool) -> Option<Number> {
    let mut sorted = all.to_vec();
    sorted.sort_by(|a, b| if largest { b.order(*a) } else { a.order(*b) });
    // k = max(1, ceil(p/100 · n)), at most everybody.
    let hundred = 100 * 10_i128.pow(p.scale().into());
    let share = i128::from(p.mantissa()) * all.len() as i128;
    let k = (share + hundred - 1).div_euclid(hundred).clamp(1, all.len().max(1) as i128);
    sorted.get(k as usize - 1).copied()
}

/// How `x` compares with the mean.
fn to_mean(x: Number, all: &[Number]) -> Ordering {
    let scale = |n: &Number| if let Number::Exact { scale, .. } = n { Some(*scale) } else { None };
    let scales: Option<Vec<u32>> = all.iter().map(scale).collect();
    let Some(scale) = scales.and_then(|s| s.into_iter().max()) else {
        // Quotients: doubles, summed in ascending order.
        let mut sorted: Vec<f64> = all.iter().map(|n| n.to_f64()).collect();
        sorted.sort_by(f64::total_cmp);
        let mean = sorted.iter().fold(0.0, |sum, x| sum + x) / all.len() as f64;
        return x.to_f64().partial_cmp(&mean).unwrap_or(Ordering::Equal);
    };
    let whole = |n: &Number| match *n {
        Number::Exact { mantissa, scale: s } => mantissa.saturating_mul(10_i128.saturating_pow(scale - s)),
        Number::Quotient(_) => 0,
    };
    let sum = all.iter().fold(0_i128, |sum, n| sum.saturating_add(whole(n)));
    whole(&x).saturating_mul(all.len() as i128).cmp(&sum)
}
