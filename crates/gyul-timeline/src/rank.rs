//! Ranks: what a customer's value is compared with, found by selection over everybody's.

use crate::column::{self, Col, UNKNOWN, fold_bool, key_real, real_key};
use crate::plan::Plan;
use gyul_model::Decimal;
use gyul_segment::tree::RankKind;

/// The population's side of a rank. Values are keys ([`Col::key_at`]), so one code serves numbers and doubles.
#[derive(Clone, Debug, PartialEq)]
pub enum Thresholds {
    /// Nobody is in the population.
    Empty {
        bool: bool,
        quotient: bool,
    },
    AtLeast(i64),
    AtMost(i64),
    Above(i64),
    Below(i64),
    /// x is above this many of the four.
    Quintile([i64; 4]),
    /// Everybody's keys, ascending.
    Percentile(Vec<i64>),
}

impl Thresholds {
    /// `keys`: the known values of the population, in any order. `real`: they stand for doubles.
    pub fn find(kind: RankKind, keys: Vec<i64>, real: bool) -> Thresholds {
        Thresholds::find_all(&[kind], keys, real).swap_remove(0)
    }

    /// What several ranks over the same values compare with.
    pub fn find_all(kinds: &[RankKind], mut keys: Vec<i64>, real: bool) -> Vec<Thresholds> {
        let n = keys.len();
        let quotient = |kind: &RankKind| *kind == RankKind::Percentile;
        if n == 0 {
            let bool = |kind: &RankKind| !matches!(kind, RankKind::Quintile | RankKind::Percentile);
            return kinds.iter().map(|k| Thresholds::Empty { bool: bool(k), quotient: quotient(k) }).collect();
        }
        let average = |kind: &RankKind| matches!(kind, RankKind::AboveAverage | RankKind::BelowAverage);
        if kinds.iter().any(|k| quotient(k) || (real && average(k))) {
            keys.sort_unstable();
        } else {
            let mut places: Vec<usize> = kinds.iter().flat_map(|k| places(*k, n)).collect();
            places.sort_unstable();
            places.dedup();
            let mut from = 0;
            for at in places {
                keys[from..].select_nth_unstable(at - from);
                from = at + 1;
            }
        }
        let found = |kind: &RankKind| {
            let at: Vec<i64> = places(*kind, n).map(|i| keys[i]).collect();
            match kind {
                RankKind::Top(_) => Thresholds::AtLeast(at[0]),
                RankKind::Bottom(_) => Thresholds::AtMost(at[0]),
                RankKind::Quintile => Thresholds::Quintile([at[0], at[1], at[2], at[3]]),
                RankKind::Percentile => Thresholds::Percentile(keys.clone()),
                RankKind::AboveAverage | RankKind::BelowAverage if real => {
                    let mean = real_key(keys.iter().map(|k| key_real(*k)).sum::<f64>() / n as f64);
                    if *kind == RankKind::AboveAverage { Thresholds::Above(mean) } else { Thresholds::Below(mean) }
                }
                RankKind::AboveAverage | RankKind::BelowAverage => {
                    Thresholds::of_mean(*kind, keys.iter().map(|k| i128::from(*k)).sum(), n)
                }
            }
        };
        kinds.iter().map(found).collect()
    }

    /// x > mean of integers just if x > floor(mean); x < mean just if x < ceil(mean).
    pub fn of_mean(kind: RankKind, sum: i128, n: usize) -> Thresholds {
        let (n, floor) = (n as i128, sum.div_euclid(n as i128));
        if kind == RankKind::AboveAverage {
            Thresholds::Above(floor as i64)
        } else {
            Thresholds::Below((floor + i128::from(sum.rem_euclid(n) != 0)) as i64)
        }
    }

    /// The rank of each row's `x`; for rows outside `among` false or unknown.
    pub fn apply(&self, n: usize, x: &Col, among: Option<&Col>) -> Col {
        let key = |r: usize| match among {
            Some(a) if a.bool_at(r) == 0 => UNKNOWN,
            _ => x.key_at(r),
        };
        match self {
            Thresholds::Empty { bool: true, .. } => Col::OneBool(0),
            Thresholds::Empty { quotient: true, .. } => Col::OneReal(f64::NAN),
            Thresholds::Empty { .. } => Col::OneInt(UNKNOWN),
            Thresholds::AtLeast(t) => tested(n, x, among, |k| k >= *t),
            Thresholds::AtMost(t) => tested(n, x, among, |k| k <= *t),
            Thresholds::Above(t) => tested(n, x, among, |k| k > *t),
            Thresholds::Below(t) => tested(n, x, among, |k| k < *t),
            Thresholds::Quintile(cut) => Col::Int(
                (0..n)
                    .map(|r| match key(r) {
                        UNKNOWN => UNKNOWN,
                        k => 1 + cut.iter().map(|c| i64::from(k > *c)).sum::<i64>(),
                    })
                    .collect(),
            ),
            Thresholds::Percentile(all) => Col::Real(
                (0..n)
                    .map(|r| match key(r) {
                        UNKNOWN => f64::NAN,
                        k => 100.0 * all.partition_point(|a| *a < k) as f64 / all.len() as f64,
                    })
                    .collect(),
            ),
        }
    }
}

/// Ranks that compare the same quantity among the same customers, together.
pub fn orders(plan: &Plan, ranks: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = vec![];
    for r in ranks {
        let compares = |r: usize| (plan.ranks[r].x, plan.ranks[r].among, plan.ranks[r].layer);
        match out.iter_mut().find(|o| compares(o[0]) == compares(r)) {
            Some(o) => o.push(r),
            None => out.push(vec![r]),
        }
    }
    out
}

/// Which order statistics of n values a rank compares with.
fn places(kind: RankKind, n: usize) -> impl Iterator<Item = usize> {
    let (one, quintile) = match kind {
        RankKind::Top(p) => (Some(n - share(p, n)), false),
        RankKind::Bottom(p) => (Some(share(p, n) - 1), false),
        kind => (None, kind == RankKind::Quintile),
    };
    // 5 · less >= q · n just if less >= m = ceil(q · n / 5), just if x is above the m-th smallest.
    let cuts = (1..=if quintile { 4 } else { 0 }).map(move |q| (q * n).div_ceil(5) - 1);
    one.into_iter().chain(cuts)
}

/// A test of the known keys within `among`; false outside.
fn tested(n: usize, x: &Col, among: Option<&Col>, test: impl Fn(i64) -> bool) -> Col {
    let test = |k: i64| u8::from(k != UNKNOWN) & u8::from(test(k));
    let mut out = match x {
        Col::Int(v) => column::tested(v, test),
        x => Col::conditions(&(0..n).map(|r| test(x.key_at(r))).collect::<Vec<u8>>()),
    };
    among.into_iter().for_each(|a| fold_bool(&mut out, a, true));
    out
}

/// max(1, ceil(p/100 · n)), at most n.
pub fn share(p: Decimal, n: usize) -> usize {
    let scale = 100 * 10_i128.pow(p.scale().into());
    let k = (i128::from(p.mantissa()) * n as i128 + scale - 1).div_euclid(scale);
    k.clamp(1, n as i128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quintiles_follow_their_definition() {
        let mut x = 7_u64;
        for n in 1..60_usize {
            let keys: Vec<i64> = (0..n)
                .map(|_| {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    ((x >> 33) % 9) as i64
                })
                .collect();
            let col = Col::Int(keys.clone());
            let got = Thresholds::find(RankKind::Quintile, keys.clone(), false).apply(n, &col, None);
            let percent = Thresholds::find(RankKind::Percentile, keys.clone(), false).apply(n, &col, None);
            for r in 0..n {
                let less = keys.iter().filter(|k| **k < keys[r]).count();
                assert_eq!(got.int_at(r), 1 + (5 * less / n) as i64, "{keys:?}");
                assert_eq!(percent.real_at(r), 100.0 * less as f64 / n as f64);
            }
        }
    }
}
