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
    slices: Slices,
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
        let averages = matches!(rank.kind, RankKind::AboveAverage | RankKind::BelowAverage);
        let cursors = if averages { 0 } else { thresholds_of(rank.kind) };
        let mut counts = Counts::new(values.len(), cursors);
        // From here on values are indexes, -1 for the unknown.
        let index = |v: i64| if v == UNKNOWN { -1 } else { values.partition_point(|x| *x < v) as i64 };
        moves.par_iter_mut().for_each(|m| (m.1, m.2) = (index(m.1), index(m.2)));
        let mut sum = 0_i128;
        let mut at = vec![];
        let mut cuts: Vec<Vec<i64>> = vec![vec![]; thresholds_of(rank.kind)];
        for group in moves.chunk_by(|a, b| a.0 == b.0) {
            for &(_, old, new) in group {
                if let Ok(i) = usize::try_from(old) {
                    counts.remove(i);
                    sum -= i128::from(values[i]);
                }
                if let Ok(i) = usize::try_from(new) {
                    counts.add(i);
                    sum += i128::from(values[i]);
                }
            }
            let now = thresholds(rank.kind, &mut counts, &values, sum);
            let same = cuts.iter().zip(&now).all(|(c, n)| c.last() == Some(n));
            if !same {
                at.push(group[0].0);
                cuts.iter_mut().zip(now).for_each(|(c, n)| c.push(n));
            }
        }
        RankSteps { kind: rank.kind, slices: Slices::new(&at), at, cuts: cuts.into_iter().map(Spans::new).collect() }
    }

    /// How many steps there are until `t`, with it.
    fn step(&self, t: i64) -> usize {
        let range = self.slices.range(t, self.at.len());
        range.start + self.at[range].partition_point(|a| *a <= t)
    }

    /// The rank of a known value at an instant.
    fn rank_of(&self, key: i64, t: i64) -> i64 {
        let step = self.step(t);
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
            Col::conditions(&(0..n).map(rank).collect::<Vec<u8>>())
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
                let first = self.step(from).saturating_sub(1);
                (first, if to == i64::MIN { 0 } else { self.step(to - 1) }.max(first))
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

/// Equal slices of time with the first step of each, so that the step of an instant is found with a short search.
#[derive(Clone, Debug)]
struct Slices {
    from: i64,
    shift: u32,
    starts: Vec<u32>,
}

impl Slices {
    /// `at` ascends; its first may be the beginning of time.
    fn new(at: &[i64]) -> Slices {
        let from = at.iter().copied().find(|t| *t > i64::MIN).unwrap_or(0);
        let span = at.last().map_or(0, |t| t.saturating_sub(from)).max(1) as u64;
        let wanted = (at.len() / 4).clamp(1, 1 << 20) as u64;
        let shift = (span / wanted).checked_ilog2().map_or(0, |l| l + 1);
        let mut starts = vec![];
        let mut i = 0;
        for slice in 0..=span >> shift {
            let begin = from.saturating_add((slice << shift) as i64);
            while at.get(i).is_some_and(|t| *t < begin) {
                i += 1;
            }
            starts.push(i as u32);
        }
        Slices { from, shift, starts }
    }

    /// Steps in the slice of `t`: those before it are earlier, those after it later.
    fn range(&self, t: i64, len: usize) -> std::ops::Range<usize> {
        if t < self.from {
            return 0..self.starts[0] as usize;
        }
        let slice = (t.saturating_sub(self.from) as u64 >> self.shift) as usize;
        match self.starts.get(slice) {
            Some(start) => *start as usize..self.starts.get(slice + 1).map_or(len, |n| *n as usize),
            None => len..len,
        }
    }
}

/// How many thresholds a rank has.
fn thresholds_of(kind: RankKind) -> usize {
    if kind == RankKind::Quintile { 4 } else { 1 }
}

/// The thresholds as they are now; the first [`thresholds_of`] count.
fn thresholds(kind: RankKind, counts: &mut Counts, values: &[i64], sum: i128) -> [i64; 4] {
    let n = counts.total;
    if n == 0 {
        // Nobody to compare with, so nobody who asks.
        return [0; 4];
    }
    let share = |p: Decimal| {
        let scale = 100 * 10_i128.pow(p.scale().into());
        let k = (i128::from(p.mantissa()) * i128::from(n) + scale - 1).div_euclid(scale);
        k.clamp(1, n.into()) as i64
    };
    let mut smallest = |cursor: usize, k: i64| values[counts.find(cursor, k)];
    let floor = sum.div_euclid(n.into());
    let one = |x: i64| [x, 0, 0, 0];
    match kind {
        RankKind::Top(p) => one(smallest(0, n - share(p) + 1)),
        RankKind::Bottom(p) => one(smallest(0, share(p))),
        RankKind::AboveAverage => one(floor as i64),
        RankKind::BelowAverage => one((floor + i128::from(sum.rem_euclid(n.into()) != 0)) as i64),
        _ => [0, 1, 2, 3].map(|q| smallest(q, ((q as i64 + 1) * n + 4) / 5)),
    }
}

/// How many of each value there are, with cursors on the order statistics that are asked for. A customer's move shifts
/// an order statistic by a neighbour or two, so a cursor is led along instead of being searched for.
struct Counts {
    counts: Vec<u32>,
    /// A bit for each value that somebody has, and one for each word of those that is not 0.
    there: Vec<u64>,
    words: Vec<u64>,
    total: i64,
    cursors: Vec<Cursor>,
}

#[derive(Clone, Copy, Default)]
struct Cursor {
    index: usize,
    /// How many have a smaller value.
    less: i64,
}

impl Counts {
    fn new(len: usize, cursors: usize) -> Counts {
        let words = len.div_ceil(64);
        Counts {
            counts: vec![0; len],
            there: vec![0; words],
            words: vec![0; words.div_ceil(64)],
            total: 0,
            cursors: vec![Cursor::default(); cursors],
        }
    }

    fn add(&mut self, index: usize) {
        self.total += 1;
        self.counts[index] += 1;
        self.there[index / 64] |= 1 << (index % 64);
        self.words[index / 4096] |= 1 << (index / 64 % 64);
        self.cursors.iter_mut().for_each(|c| c.less += i64::from(index < c.index));
    }

    fn remove(&mut self, index: usize) {
        self.total -= 1;
        self.counts[index] -= 1;
        if self.counts[index] == 0 {
            self.there[index / 64] &= !(1 << (index % 64));
            if self.there[index / 64] == 0 {
                self.words[index / 4096] &= !(1 << (index / 64 % 64));
            }
        }
        self.cursors.iter_mut().for_each(|c| c.less -= i64::from(index < c.index));
    }

    /// The index of the k-th smallest, k from 1 to the total.
    fn find(&mut self, cursor: usize, k: i64) -> usize {
        let Cursor { mut index, mut less } = self.cursors[cursor];
        while less >= k
            && let Some(before) = self.before(index)
        {
            index = before;
            less -= i64::from(self.counts[index]);
        }
        while less + i64::from(self.counts[index]) < k
            && let Some(after) = self.after(index)
        {
            less += i64::from(self.counts[index]);
            index = after;
        }
        self.cursors[cursor] = Cursor { index, less };
        index
    }

    /// The next larger value that somebody has.
    fn after(&self, index: usize) -> Option<usize> {
        let (word, bit) = (index / 64, index % 64);
        let rest = self.there[word] & (!1_u64 << bit);
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let mut group = word / 64;
        let mut rest = self.words[group] & (!1_u64 << (word % 64));
        while rest == 0 {
            group += 1;
            rest = *self.words.get(group)?;
        }
        let word = group * 64 + rest.trailing_zeros() as usize;
        Some(word * 64 + self.there[word].trailing_zeros() as usize)
    }

    /// The next smaller one.
    fn before(&self, index: usize) -> Option<usize> {
        let highest = |x: u64| 63 - x.leading_zeros() as usize;
        let below = |bit: usize| (1_u64 << bit) - 1;
        let word = index / 64;
        let rest = self.there[word] & below(index % 64);
        if rest != 0 {
            return Some(word * 64 + highest(rest));
        }
        let mut group = word / 64;
        let mut rest = self.words[group] & below(word % 64);
        while rest == 0 {
            group = group.checked_sub(1)?;
            rest = self.words[group];
        }
        let word = group * 64 + highest(rest);
        Some(word * 64 + highest(self.there[word]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_sim::random::Rng;

    #[test]
    fn cursors_follow_the_order_statistics_of_whatever_comes_and_goes() {
        let mut rng = Rng::new(7);
        for len in [1, 3, 70, 5_000, 20_000] {
            let mut counts = Counts::new(len, 4);
            let mut all: Vec<usize> = vec![];
            for _ in 0..400 {
                if all.is_empty() || rng.below(5) < 3 {
                    let i = rng.below(len);
                    all.insert(all.partition_point(|x| *x < i), i);
                    counts.add(i);
                } else {
                    counts.remove(all.remove(rng.below(all.len())));
                }
                for q in (0..4).filter(|_| !all.is_empty()) {
                    let k = rng.below(all.len());
                    assert_eq!(counts.find(q, k as i64 + 1), all[k], "{all:?}");
                }
            }
        }
    }

    #[test]
    fn a_step_is_found_as_by_a_search_of_all() {
        let mut rng = Rng::new(8);
        for n in [0, 1, 2, 50, 3_000] {
            let mut at: Vec<i64> = (0..n).map(|_| 1_000_000 + rng.below(1 << 30) as i64).collect();
            at.extend((n > 1).then_some(i64::MIN));
            at.sort_unstable();
            at.dedup();
            let steps = RankSteps { kind: RankKind::Quintile, slices: Slices::new(&at), at: at.clone(), cuts: vec![] };
            let near = at.iter().flat_map(|t| [t.saturating_sub(1), *t, t.saturating_add(1)]);
            for t in near.chain([i64::MIN, 0, i64::MAX]) {
                assert_eq!(steps.step(t), at.partition_point(|a| *a <= t), "{t}");
            }
        }
    }
}
