//! Thresholds of ranks that follow every change: an ordered index of everybody's values, and cursors that walk in it.

use crate::column::UNKNOWN;
use crate::plan::{Plan, Ty};
use crate::rank::{Thresholds, share};
use gyul_segment::tree::RankKind;
use std::collections::BTreeSet;
use std::ops::Bound;

/// One rank's population: everybody's key, and who is where in their order.
#[derive(Clone, Debug)]
pub struct RankIndex {
    kind: RankKind,
    /// Doubles stand behind the keys.
    real: bool,
    /// Values change at every instant: they are asked anew each time.
    pub flows: bool,
    pub keys: Vec<i64>,
    order: BTreeSet<(i64, u32)>,
    sum: i128,
    cursors: Vec<Cursor>,
    pub thresholds: Thresholds,
    pub dirty: bool,
}

/// A place in the order: `below` members come before it.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    at: (i64, u32),
    below: usize,
}

impl RankIndex {
    /// `keys`: by customer number, `UNKNOWN` outside the rank's population.
    pub fn new(plan: &Plan, rank: usize, keys: Vec<i64>) -> RankIndex {
        let node = &plan.ranks[rank];
        let real = matches!(plan.nodes[node.x as usize].ty, Ty::Quotient { .. });
        let flows = crate::changes::flows(plan, node.x);
        let among = keys.iter().enumerate().filter(|(_, k)| **k != UNKNOWN);
        let mut members: Vec<(i64, u32)> = among.map(|(n, k)| (*k, n as u32)).collect();
        members.sort_unstable();
        let sum = if real { 0 } else { members.iter().map(|(k, _)| i128::from(*k)).sum() };
        let order = BTreeSet::from_iter(members);
        let mut index = RankIndex {
            kind: node.kind,
            real,
            flows,
            keys,
            order,
            sum,
            cursors: vec![],
            thresholds: Thresholds::Empty { bool: true, quotient: false },
            dirty: true,
        };
        let places = match node.kind {
            RankKind::Top(_) | RankKind::Bottom(_) => 1,
            RankKind::Quintile => 4,
            _ => 0,
        };
        index.cursors = vec![Cursor { at: (i64::MIN, 0), below: 0 }; places];
        index
    }

    /// Everybody's threshold must be sorted out anew; cheap ranks follow at every tick.
    pub fn slow(&self) -> bool {
        let mean = matches!(self.kind, RankKind::AboveAverage | RankKind::BelowAverage);
        self.flows || self.kind == RankKind::Percentile || (mean && self.real)
    }

    pub fn set(&mut self, number: u32, key: i64) {
        if self.keys.len() <= number as usize {
            if key == UNKNOWN {
                return;
            }
            self.keys.resize(number as usize + 1, UNKNOWN);
        }
        let old = std::mem::replace(&mut self.keys[number as usize], key);
        if old == key {
            return;
        }
        self.dirty = true;
        if old != UNKNOWN {
            self.order.remove(&(old, number));
            if !self.real {
                self.sum -= i128::from(old);
            }
            self.cursors.iter_mut().for_each(|c| c.below -= usize::from((old, number) < c.at));
        }
        if key != UNKNOWN {
            self.order.insert((key, number));
            if !self.real {
                self.sum += i128::from(key);
            }
            self.cursors.iter_mut().for_each(|c| c.below += usize::from((key, number) < c.at));
        }
    }

    /// Finds the thresholds after changes; gives the customers whose rank that changes, those of changed keys aside.
    pub fn settle(&mut self) -> Vec<u32> {
        if !std::mem::replace(&mut self.dirty, false) {
            return vec![];
        }
        let found = self.find();
        let old = std::mem::replace(&mut self.thresholds, found);
        if old == self.thresholds {
            return vec![];
        }
        self.crossed(&old)
    }

    fn find(&mut self) -> Thresholds {
        let n = self.order.len();
        let places: Vec<usize> = match self.kind {
            _ if n == 0 => return Thresholds::find(self.kind, vec![], self.real),
            RankKind::Top(p) => vec![n - share(p, n)],
            RankKind::Bottom(p) => vec![share(p, n) - 1],
            RankKind::Quintile => (1..=4).map(|q| (q * n).div_ceil(5) - 1).collect(),
            RankKind::AboveAverage | RankKind::BelowAverage if !self.real => {
                return Thresholds::of_mean(self.kind, self.sum, n);
            }
            _ => return Thresholds::find(self.kind, self.order.iter().map(|(k, _)| *k).collect(), self.real),
        };
        let order = &self.order;
        let cuts: Vec<i64> = self.cursors.iter_mut().zip(places).map(|(c, place)| c.walk(order, place)).collect();
        match (self.kind, cuts.as_slice()) {
            (RankKind::Top(_), [t]) => Thresholds::AtLeast(*t),
            (RankKind::Bottom(_), [t]) => Thresholds::AtMost(*t),
            (_, [a, b, c, d]) => Thresholds::Quintile([*a, *b, *c, *d]),
            _ => Thresholds::find(self.kind, self.order.iter().map(|(k, _)| *k).collect(), self.real),
        }
    }

    /// Members between the old and the new thresholds.
    fn crossed(&self, old: &Thresholds) -> Vec<u32> {
        use Thresholds::*;
        let between = |a: i64, b: i64, out: &mut Vec<u32>| {
            let (lo, hi) = (a.min(b), a.max(b));
            out.extend(self.order.range((lo, 0)..=(hi, u32::MAX)).map(|(_, n)| *n));
        };
        let mut out = vec![];
        match (old, &self.thresholds) {
            (AtLeast(a), AtLeast(b)) | (AtMost(a), AtMost(b)) | (Above(a), Above(b)) | (Below(a), Below(b)) => {
                between(*a, *b, &mut out);
            }
            (Quintile(a), Quintile(b)) => {
                a.iter().zip(b).filter(|(a, b)| a != b).for_each(|(a, b)| between(*a, *b, &mut out));
                out.sort_unstable();
                out.dedup();
            }
            _ => out.extend(self.order.iter().map(|(_, n)| *n)),
        }
        out
    }
}

impl Cursor {
    /// Moves to the member that has `place` others before it, and gives its key.
    fn walk(&mut self, order: &BTreeSet<(i64, u32)>, place: usize) -> i64 {
        if self.below > place {
            let mut back = order.range(..self.at).rev();
            for _ in place..self.below {
                if let Some(at) = back.next() {
                    self.at = *at;
                }
            }
        } else {
            let mut on = order.range((Bound::Included(self.at), Bound::Unbounded)).skip(place - self.below);
            if let Some(at) = on.next() {
                self.at = *at;
            }
        }
        self.below = place;
        self.at.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Domain, Node, Op, RankNode};
    use gyul_model::Decimal;

    fn plan(kind: RankKind) -> Plan {
        let ty = Ty::Exact { scale: 0, dur: false };
        let node = Node { op: Op::Nothing, ty, domain: Domain::Rows, layer: 0, needs_now: false };
        Plan { nodes: vec![node], ranks: vec![RankNode { kind, x: 0, among: None, layer: 1 }], ..Plan::default() }
    }

    #[test]
    fn thresholds_after_any_changes_are_those_of_a_fresh_selection() {
        let ten = Decimal::from(10);
        use RankKind::*;
        for kind in [Top(ten), Bottom(ten), AboveAverage, BelowAverage, Quintile, Percentile] {
            let mut x = 11_u64;
            let mut draw = |n: u64| {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (x >> 33) % n
            };
            let plan = plan(kind);
            let mut index = RankIndex::new(&plan, 0, (0..20).map(|_| draw(9) as i64).collect());
            for round in 0..400 {
                for _ in 0..draw(4) {
                    let key = if draw(5) == 0 { UNKNOWN } else { draw(12) as i64 - 3 };
                    index.set(draw(40) as u32, key);
                }
                let before = index.thresholds.clone();
                let flipped = index.settle();
                let known: Vec<i64> = index.keys.iter().copied().filter(|k| *k != UNKNOWN).collect();
                let want = Thresholds::find(kind, known, false);
                assert_eq!(index.thresholds, want, "{kind:?} round {round}");
                // Whoever is not named keeps the rank.
                let col = crate::column::Col::Int(index.keys.clone());
                let (a, b) = (before.apply(index.keys.len(), &col, None), want.apply(index.keys.len(), &col, None));
                for n in (0..index.keys.len()).filter(|n| !flipped.contains(&(*n as u32)) && index.keys[*n] != UNKNOWN)
                {
                    let same = a.key_at(n) == b.key_at(n) || round == 0;
                    assert!(same, "{kind:?} round {round}: {n}");
                }
            }
        }
    }
}
