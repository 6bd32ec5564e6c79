//! Thresholds of a rank over time, and when they pass a value.

use crate::column::{Col, UNKNOWN};
use crate::history::Sweep;
use crate::plan::*;
use gyul_model::Decimal;
use gyul_segment::tree::RankKind;
use rayon::prelude::*;

/// The thresholds of a rank as steps: from `at[i]` on they are the i-th ones.
#[derive(Clone, Debug)]
pub struct RankSteps {
    kind: RankKind,
    at: Vec<i64>,
    /// One list for each threshold (four for quintiles): its values by step, with the extremes over spans of steps.
    cuts: Vec<Spans>,
}

impl RankSteps {
    /// Sweeps everybody's value of `rank.x` over time, keeping them counted by value.
    pub(crate) fn find(sweep: &Sweep, rank: &RankNode) -> RankSteps {
        let mut recipe = sweep.recipe(rank.x);
        if let Some(a) = rank.among {
            recipe.merge(sweep.recipe(a));
        }
        // (instant, value before, value after), the beginning being before everything else.
        let mut moves: Vec<(i64, i64, i64)> = sweep
            .tasks()
            .into_par_iter()
            .flat_map_iter(|(b, customers)| {
                let mut moves = vec![];
                let mut before = UNKNOWN;
                sweep.steps(b, customers, rank.x, &recipe, rank.among, &mut |_, at, now| {
                    match at {
                        None if now != UNKNOWN => moves.push((i64::MIN, UNKNOWN, now)),
                        None => {}
                        Some(at) => moves.push((at, before, now)),
                    }
                    before = now;
                });
                moves
            })
            .collect();
        moves.par_sort_unstable();
        let mut values: Vec<i64> = moves.iter().map(|m| m.2).filter(|v| *v != UNKNOWN).collect();
        values.par_sort_unstable();
        values.dedup();
        let mut counts = Counts::new(values.len());
        // From here on values are indexes, -1 for the unknown.
        let index = |v: i64| if v == UNKNOWN { -1 } else { values.partition_point(|x| *x < v) as i64 };
        moves.par_iter_mut().for_each(|m| (m.1, m.2) = (index(m.1), index(m.2)));
        let mut sum = 0_i128;
        let mut at = vec![];
        let mut cuts: Vec<Vec<i64>> = vec![vec![]; if rank.kind == RankKind::Quintile { 4 } else { 1 }];
        for group in moves.chunk_by(|a, b| a.0 == b.0) {
            for &(_, old, new) in group {
                for (value, by) in [(old, -1), (new, 1)] {
                    if let Ok(i) = usize::try_from(value) {
                        counts.add(i, by);
                        sum += i128::from(by) * i128::from(values[i]);
                    }
                }
            }
            let now = thresholds(rank.kind, &counts, &values, sum);
            let same = cuts.iter().zip(&now).all(|(c, n)| c.last() == Some(n));
            if !same {
                at.push(group[0].0);
                cuts.iter_mut().zip(now).for_each(|(c, n)| c.push(n));
            }
        }
        RankSteps { kind: rank.kind, at, cuts: cuts.into_iter().map(Spans::new).collect() }
    }

    /// The rank of a known value at an instant.
    fn rank_of(&self, key: i64, t: i64) -> i64 {
        let step = self.at.partition_point(|a| *a <= t);
        let Some(step) = step.checked_sub(1) else { return 0 };
        let sides = self.cuts.iter().map(|c| i64::from(self.side(key, c.values[step])));
        i64::from(self.kind == RankKind::Quintile) + sides.sum::<i64>()
    }

    /// Whether a threshold puts a value inside (for quintiles: one higher).
    fn side(&self, key: i64, cut: i64) -> bool {
        match self.kind {
            RankKind::Top(_) => key >= cut,
            RankKind::Bottom(_) => key <= cut,
            RankKind::BelowAverage => key < cut,
            _ => key > cut,
        }
    }

    /// The ranks of rows: their values, whether they are in the population, and their instants.
    pub fn apply(&self, n: usize, x: &Col, among: Option<&Col>, instant: impl Fn(usize) -> i64) -> Col {
        let outside = |r: usize| x.key_at(r) == UNKNOWN || among.is_some_and(|a| a.bool_at(r) == 0);
        if self.kind == RankKind::Quintile {
            let rank = |r| if outside(r) { UNKNOWN } else { self.rank_of(x.key_at(r), instant(r)) };
            Col::Int((0..n).map(rank).collect())
        } else {
            let rank = |r| if outside(r) { 0 } else { self.rank_of(x.key_at(r), instant(r)) as u8 };
            Col::Bool((0..n).map(rank).collect())
        }
    }

    /// Pushes the instants in `(from, to)` at which the rank of a constant value changes.
    pub fn crossings(&self, key: i64, from: i64, to: i64, out: &mut Vec<i64>) {
        // Most values stay on one side of a threshold for all of the time.
        let crossed = |c: &&Spans| {
            let (min, max) = c.extremes();
            self.side(key, min) != self.side(key, max)
        };
        let mut steps = None;
        for cut in self.cuts.iter().filter(crossed) {
            let (first, last) = *steps.get_or_insert_with(|| {
                let first = self.at.partition_point(|a| *a <= from).saturating_sub(1);
                (first, first + self.at[first..].partition_point(|a| *a < to))
            });
            cut.flips(
                first,
                last,
                |c| self.side(key, c),
                |i| {
                    if self.at[i] > from {
                        out.push(self.at[i]);
                    }
                },
            );
        }
    }
}

fn thresholds(kind: RankKind, counts: &Counts, values: &[i64], sum: i128) -> Vec<i64> {
    let n = counts.total;
    if n == 0 {
        // Nobody to compare with, so nobody who asks.
        return vec![0; if kind == RankKind::Quintile { 4 } else { 1 }];
    }
    let share = |p: Decimal| {
        let scale = 100 * 10_i128.pow(p.scale().into());
        let k = (i128::from(p.mantissa()) * i128::from(n) + scale - 1).div_euclid(scale);
        k.clamp(1, n.into()) as i64
    };
    let smallest = |k: i64| values[counts.find(k)];
    let floor = sum.div_euclid(n.into());
    match kind {
        RankKind::Top(p) => vec![smallest(n - share(p) + 1)],
        RankKind::Bottom(p) => vec![smallest(share(p))],
        RankKind::AboveAverage => vec![floor as i64],
        RankKind::BelowAverage => vec![(floor + i128::from(sum.rem_euclid(n.into()) != 0)) as i64],
        _ => (1..=4).map(|q| smallest((q * n + 4) / 5)).collect(),
    }
}

/// How many of each value there are: a Fenwick tree (Fenwick 1994), so that the k-th smallest is found in log time.
struct Counts {
    tree: Vec<i64>,
    total: i64,
}

impl Counts {
    fn new(len: usize) -> Counts {
        Counts { tree: vec![0; len + 1], total: 0 }
    }

    fn add(&mut self, index: usize, by: i64) {
        self.total += by;
        let mut i = index + 1;
        while i < self.tree.len() {
            self.tree[i] += by;
            i += i & i.wrapping_neg();
        }
    }

    /// The index of the k-th smallest, k from 1.
    fn find(&self, mut k: i64) -> usize {
        let mut i = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if i + step < self.tree.len() && self.tree[i + step] < k {
                i += step;
                k -= self.tree[i];
            }
            step /= 2;
        }
        i.min(self.tree.len() - 2)
    }
}

/// Values by step with the smallest and largest of every aligned span of 2^level steps.
#[derive(Clone, Debug)]
struct Spans {
    values: Vec<i64>,
    /// `levels[l][i]`: extremes of steps `i·2^(l+1) .. (i+1)·2^(l+1)`.
    levels: Vec<Vec<(i64, i64)>>,
}

impl Spans {
    fn new(values: Vec<i64>) -> Spans {
        let mut levels: Vec<Vec<(i64, i64)>> = vec![];
        let mut below: Vec<(i64, i64)> = values.iter().map(|v| (*v, *v)).collect();
        while below.len() > 1 {
            below = below
                .chunks(2)
                .map(|c| (c.iter().map(|x| x.0).min().unwrap_or(0), c.iter().map(|x| x.1).max().unwrap_or(0)))
                .collect();
            levels.push(below.clone());
        }
        Spans { values, levels }
    }

    /// The smallest and the largest of all.
    fn extremes(&self) -> (i64, i64) {
        let one = self.values.first().copied().unwrap_or(0);
        self.levels.last().and_then(|l| l.first()).copied().unwrap_or((one, one))
    }

    /// Calls `f` with each step `i` in `first + 1..last` at which `side` differs from the step before.
    /// `side` is monotone: where both extremes of a span agree, all of it does.
    fn flips(&self, first: usize, last: usize, side: impl Fn(i64) -> bool, mut f: impl FnMut(usize)) {
        if first >= last {
            return;
        }
        let mut before = side(self.values[first]);
        let mut i = first + 1;
        // The widest aligned span of 2^level steps from here that lies inside and is all on the side of before.
        let mut level = 0;
        while i < last {
            let fits = |level: usize| {
                let (min, max) = self.levels[level - 1][i >> level];
                i + (1 << level) <= last && side(min) == before && side(max) == before
            };
            if level > 0 && !fits(level) {
                level -= 1;
                continue;
            }
            if i.is_multiple_of(2 << level) && level < self.levels.len() && fits(level + 1) {
                level += 1;
                continue;
            }
            if level == 0 {
                let now = side(self.values[i]);
                if now != before {
                    f(i);
                    before = now;
                }
            }
            i += 1 << level;
        }
    }
}
