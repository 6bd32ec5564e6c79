//! Ranks: what a customer's value is compared with, found by selection over everybody's.

use crate::column::{Col, UNKNOWN, key_real, real_key};
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
    /// `keys`: the known values of the population, in any order (reordered here). `real`: they stand for doubles.
    pub fn find(kind: RankKind, mut keys: Vec<i64>, real: bool) -> Thresholds {
        let n = keys.len();
        if n == 0 {
            let bool = !matches!(kind, RankKind::Quintile | RankKind::Percentile);
            return Thresholds::Empty { bool, quotient: kind == RankKind::Percentile };
        }
        match kind {
            RankKind::Top(p) => {
                let k = share(p, n);
                Thresholds::AtLeast(*keys.select_nth_unstable(n - k).1)
            }
            RankKind::Bottom(p) => {
                let k = share(p, n);
                Thresholds::AtMost(*keys.select_nth_unstable(k - 1).1)
            }
            RankKind::AboveAverage | RankKind::BelowAverage if real => {
                keys.sort_unstable();
                let mean = real_key(keys.iter().map(|k| key_real(*k)).sum::<f64>() / n as f64);
                if kind == RankKind::AboveAverage { Thresholds::Above(mean) } else { Thresholds::Below(mean) }
            }
            RankKind::AboveAverage | RankKind::BelowAverage => {
                let sum = keys.iter().map(|k| i128::from(*k)).sum();
                Thresholds::of_mean(kind, sum, n)
            }
            RankKind::Quintile => {
                // 5 · less >= q · n just if less >= m = ceil(q · n / 5), just if x is above the m-th smallest.
                let mut cut = [i64::MAX; 4];
                let mut from = 0;
                for (q, cut) in cut.iter_mut().enumerate() {
                    let m = ((q + 1) * n).div_ceil(5);
                    let at = (m - 1).max(from);
                    *cut = *keys[from..].select_nth_unstable(at - from).1;
                    from = at;
                }
                Thresholds::Quintile(cut)
            }
            RankKind::Percentile => {
                keys.sort_unstable();
                Thresholds::Percentile(keys)
            }
        }
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
        let test =
            |f: &dyn Fn(i64) -> bool| Col::Bool((0..n).map(|r| u8::from(key(r) != UNKNOWN && f(key(r)))).collect());
        match self {
            Thresholds::Empty { bool: true, .. } => Col::OneBool(0),
            Thresholds::Empty { quotient: true, .. } => Col::OneReal(f64::NAN),
            Thresholds::Empty { .. } => Col::OneInt(UNKNOWN),
            Thresholds::AtLeast(t) => test(&|k| k >= *t),
            Thresholds::AtMost(t) => test(&|k| k <= *t),
            Thresholds::Above(t) => test(&|k| k > *t),
            Thresholds::Below(t) => test(&|k| k < *t),
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
