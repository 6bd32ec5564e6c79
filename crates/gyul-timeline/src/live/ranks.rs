//! Thresholds of ranks that follow every change: an ordered index of everybody's values, and cursors that walk in it.

use crate::column::UNKNOWN;
use crate::plan::{Plan, Ty};
use crate::rank::{Thresholds, share};
use gyul_segment::tree::RankKind;
use std::collections::BTreeSet;
use std::ops::Bound;

/// One quantity that ranks compare: everybody's key, who is where in their order, and the ranks themselves.
#[derive(Clone, Debug)]
pub struct RankIndex {
    /// Doubles stand behind the keys.
    real: bool,
    /// Values change at every instant: they are asked anew each time.
    pub flows: bool,
    pub keys: Vec<i64>,
    order: BTreeSet<(i64, u32)>,
    sum: i128,
    pub views: Vec<View>,
}

/// One rank of those that compare the same.
#[derive(Clone, Debug)]
pub struct View {
    pub rank: usize,
    kind: RankKind,
    cursors: Vec<Cursor>,
    pub thresholds: Thresholds,
    dirty: bool,
}

/// The ranks of a plan, those together that compare the same.
pub fn orders(plan: &Plan) -> Vec<Vec<usize>> {
    crate::rank::orders(plan, 0..plan.ranks.len())
}

/// A place in the order: `below` members come before it.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    at: (i64, u32),
    below: usize,
}

impl RankIndex {
    /// `keys`: by customer number, `UNKNOWN` outside the ranks' population.
    pub fn new(plan: &Plan, ranks: &[usize], keys: Vec<i64>) -> RankIndex {
        let x = plan.ranks[ranks[0]].x;
        let real = matches!(plan.nodes[x as usize].ty, Ty::Quotient { .. });
        let among = keys.iter().enumerate().filter(|(_, k)| **k != UNKNOWN);
        let mut members: Vec<(i64, u32)> = among.map(|(n, k)| (*k, n as u32)).collect();
        members.sort_unstable();
        let sum = if real { 0 } else { members.iter().map(|(k, _)| i128::from(*k)).sum() };
        let view = |rank: &usize| {
            let kind = plan.ranks[*rank].kind;
            let places = match kind {
                RankKind::Top(_) | RankKind::Bottom(_) => 1,
                RankKind::Quintile => 4,
                _ => 0,
            };
            View {
                rank: *rank,
                kind,
                cursors: vec![Cursor { at: (i64::MIN, 0), below: 0 }; places],
                thresholds: Thresholds::Empty { bool: true, quotient: false },
                dirty: true,
            }
        };
        let views = ranks.iter().map(view).collect();
        let flows = crate::changes::flows(plan, x);
        RankIndex { real, flows, keys, order: BTreeSet::from_iter(members), sum, views }
    }

    /// Everybody's threshold must be sorted out anew; cheap ranks follow at every tick.
    pub fn slow(&self, view: usize) -> bool {
        let kind = self.views[view].kind;
        let mean = matches!(kind, RankKind::AboveAverage | RankKind::BelowAverage);
        self.flows || kind == RankKind::Percentile || (mean && self.real)
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
        self.views.iter_mut().for_each(|v| v.dirty = true);
        let cursors = |views: &mut [View], f: &dyn Fn(&mut Cursor)| {
            views.iter_mut().flat_map(|v| &mut v.cursors).for_each(f);
        };
        if old != UNKNOWN {
            self.order.remove(&(old, number));
            if !self.real {
                self.sum -= i128::from(old);
            }
            cursors(&mut self.views, &|c| c.below -= usize::from((old, number) < c.at));
        }
        if key != UNKNOWN {
            self.order.insert((key, number));
            if !self.real {
                self.sum += i128::from(key);
            }
            cursors(&mut self.views, &|c| c.below += usize::from((key, number) < c.at));
        }
    }

    /// Finds a rank's thresholds after changes; gives the customers whose rank that changes, those of changed keys aside.
    pub fn settle(&mut self, view: usize) -> Vec<u32> {
        if !std::mem::replace(&mut self.views[view].dirty, false) {
            return vec![];
        }
        let found = self.find(view);
        let old = std::mem::replace(&mut self.views[view].thresholds, found);
        self.crossed(&old, &self.views[view].thresholds)
    }

    fn find(&mut self, view: usize) -> Thresholds {
        let (n, order) = (self.order.len(), &self.order);
        let View { kind, cursors, .. } = &mut self.views[view];
        let all = || order.iter().map(|(k, _)| *k).collect();
        let places: Vec<usize> = match *kind {
            _ if n == 0 => return Thresholds::find(*kind, vec![], self.real),
            RankKind::Top(p) => vec![n - share(p, n)],
            RankKind::Bottom(p) => vec![share(p, n) - 1],
            RankKind::Quintile => (1..=4).map(|q| (q * n).div_ceil(5) - 1).collect(),
            RankKind::AboveAverage | RankKind::BelowAverage if !self.real => {
                return Thresholds::of_mean(*kind, self.sum, n);
            }
            _ => return Thresholds::find(*kind, all(), self.real),
        };
        let cuts: Vec<i64> = cursors.iter_mut().zip(places).map(|(c, place)| c.walk(order, place)).collect();
        match (*kind, cuts.as_slice()) {
            (RankKind::Top(_), [t]) => Thresholds::AtLeast(*t),
            (RankKind::Bottom(_), [t]) => Thresholds::AtMost(*t),
            (_, [a, b, c, d]) => Thresholds::Quintile([*a, *b, *c, *d]),
            _ => Thresholds::find(*kind, all(), self.real),
        }
    }

    /// Members between the old and the new thresholds.
    fn crossed(&self, old: &Thresholds, new: &Thresholds) -> Vec<u32> {
        use Thresholds::*;
        if old == new {
            return vec![];
        }
        let between = |a: i64, b: i64, out: &mut Vec<u32>| {
            let (lo, hi) = (a.min(b), a.max(b));
            out.extend(self.order.range((lo, 0)..=(hi, u32::MAX)).map(|(_, n)| *n));
        };
        let mut out = vec![];
        match (old, new) {
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
            let mut index = RankIndex::new(&plan, &[0], (0..20).map(|_| draw(9) as i64).collect());
            for round in 0..400 {
                for _ in 0..draw(4) {
                    let key = if draw(5) == 0 { UNKNOWN } else { draw(12) as i64 - 3 };
                    index.set(draw(40) as u32, key);
                }
                let before = index.views[0].thresholds.clone();
                let flipped = index.settle(0);
                let known: Vec<i64> = index.keys.iter().copied().filter(|k| *k != UNKNOWN).collect();
                let want = Thresholds::find(kind, known, false);
                assert_eq!(index.views[0].thresholds, want, "{kind:?} round {round}");
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
