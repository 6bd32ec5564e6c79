//! One more question beside those that a run has answered: equal nodes are not evaluated again.

use crate::column::{Col, UNKNOWN, key_real};
use crate::compile::{Compiler, Named, operands};
use crate::evaluate::{BlockState, State, Timelines};
use crate::plan::*;
use crate::rank::Thresholds;
use gyul_model::{Decimal, Instant, StreamInfo, Value};
use gyul_segment::tree::{Expr, Library, Rank};
use rayon::prelude::*;
use std::sync::Arc;

/// What a further question asks for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A definition of the library.
    Named(Named),
    /// A condition in the library's names; becomes a segment.
    Condition(&'a Expr),
    /// A rank; becomes a measure.
    Rank(&'a Rank),
}

/// How a customer stands among everybody whom a rank compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The rank's own value.
    pub rank: Option<Value>,
    /// The customer's value as it was compared: of `now - y` it is `-y`, which stands still.
    pub own: Cut,
    /// What it was compared with.
    pub cut: Option<Cut>,
    /// How many are below; counted for quintiles and percentiles alone.
    pub below: u64,
    pub of: u64,
}

/// A value that divides a population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// Of durations the microseconds.
    Exact(Decimal),
    Real(f64),
    Instant(Instant),
}

impl Plan {
    /// A plan that begins with this one's nodes and asks for something else.
    /// `library` and `streams` are those that this plan was compiled for.
    pub fn beside(&self, library: &Library, streams: &[StreamInfo], wanted: &[Wanted]) -> Plan {
        let plan = Plan { segments: vec![], partitions: vec![], measures: vec![], ..self.clone() };
        let mut c = Compiler::from(plan, library, streams);
        for one in wanted {
            match one {
                Wanted::Named(what @ Named::Measure(_)) => {
                    let node = c.named(*what);
                    c.plan.measures.push(node);
                }
                Wanted::Named(what) => {
                    let node = c.named(*what);
                    c.plan.segments.push(node);
                }
                Wanted::Condition(e) => {
                    let node = c.condition(e);
                    c.plan.segments.push(node);
                }
                Wanted::Rank(r) => {
                    let node = c.rank(r);
                    c.plan.measures.push(node);
                }
            }
        }
        c.plan
    }

    /// Row nodes below the roots that `known` does not know.
    fn asked(&self, known: impl Fn(NodeId) -> bool) -> Vec<bool> {
        let mut asked = vec![false; self.nodes.len()];
        let mut open: Vec<NodeId> = self.roots().into_iter().chain(self.measures.iter().copied()).collect();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut asked[id as usize], true) || known(id) {
                continue;
            }
            let op = &self.nodes[id as usize].op;
            operands(op, &mut |o| open.push(o));
            if let Op::Rank(r) = op {
                let rank = &self.ranks[*r as usize];
                open.extend([Some(rank.x), rank.among].into_iter().flatten());
            }
        }
        asked
    }
}

impl State {
    /// Whether everything is at hand that a rank compares.
    fn has(&self, rank: &RankNode) -> bool {
        let saved = |id: NodeId| self.blocks.first().is_none_or(|b| b.saved.contains_key(&id));
        saved(rank.x) && rank.among.is_none_or(saved)
    }

    /// Whether all ranks among the measures of a plan beside are known: those that a definition names but that
    /// cannot matter to it are not.
    pub fn has_ranks(&self, plan: &Plan) -> bool {
        plan.measures.iter().all(|m| match plan.nodes[*m as usize].op {
            Op::Rank(r) => (r as usize) < self.thresholds.len() && self.has(&plan.ranks[r as usize]),
            _ => true,
        })
    }

    /// Bytes of the columns and answers that it holds, about.
    pub fn bytes(&self) -> usize {
        let column = |c: &Arc<Col>| match &**c {
            Col::Bool(v) => v.len(),
            Col::Bits(v) => v.len() * 8,
            Col::Int(v) => v.len() * 8,
            Col::Real(v) => v.len() * 8,
            Col::Code(v) => v.len() * 4,
            _ => 8,
        };
        let words = |b: &BlockState| 16 * b.roots.len();
        self.blocks.iter().map(|b| b.saved.values().map(column).sum::<usize>() + words(b)).sum()
    }
}

impl Timelines {
    /// Runs a plan and keeps everybody's measures, so that further questions need not find them again.
    pub fn run_keeping(&self, plan: &Plan, at: Instant) -> State {
        let tasks = self.tasks(0..self.data.buckets.len());
        let mut blocks: Vec<BlockState> = tasks.into_iter().map(|(b, r)| self.fresh(plan, b, r, at)).collect();
        let mut saved = plan.frontier();
        saved.extend(plan.measures.iter().filter(|m| plan.nodes[**m as usize].domain == Domain::Rows));
        saved.sort_unstable();
        saved.dedup();
        let thresholds = self.passes_keeping(plan, at, &mut blocks, 0, &saved, vec![]);
        let answers = self.collect(plan, at, &blocks);
        State { answers, blocks, thresholds }
    }

    /// Runs a plan that stands beside `base` ([`Plan::beside`]) at the instant of `state`, a run of `base`.
    pub fn run_beside(&self, plan: &Plan, base: &Plan, state: &State) -> State {
        let at = state.answers.at;
        let roots = base.roots();
        let saved = |id: NodeId| state.blocks.first().is_some_and(|b| b.saved.contains_key(&id));
        let asked = plan.asked(|id| saved(id) || roots.contains(&id));
        let taken: Vec<(usize, NodeId)> = {
            let all = roots.iter().copied().enumerate();
            all.filter(|(_, id)| asked[*id as usize] && !saved(*id)).collect()
        };
        let beside = |b: &BlockState| {
            let mut block = self.fresh(plan, b.bucket, b.customers.clone(), at);
            let useful = b.saved.iter().filter(|(id, _)| asked[**id as usize]);
            block.saved = useful.map(|(id, c)| (*id, c.clone())).collect();
            for (root, id) in &taken {
                // Who is not in the population has no bit; nobody asks for them.
                block.saved.insert(*id, Arc::new(Col::Bits(b.root(*root).to_vec())));
            }
            block
        };
        let mut blocks: Vec<BlockState> = state.blocks.par_iter().map(beside).collect();
        let known = (0..state.thresholds.len()).map(|r| state.has(&plan.ranks[r]).then(|| state.thresholds[r].clone()));
        let known = known.collect();
        let frontier: Vec<NodeId> = plan.frontier().into_iter().filter(|id| asked[*id as usize]).collect();
        let thresholds = self.passes_keeping(plan, at, &mut blocks, 0, &frontier, known);
        let answers = self.collect(plan, at, &blocks);
        State { answers, blocks, thresholds }
    }

    /// How a customer stands in a rank: `rank` is a measure of `plan` that came of [`Wanted::Rank`].
    /// `None`: it is no rank over this data, or the customer is not in its population.
    pub fn standing(&self, plan: &Plan, state: &State, rank: NodeId, customer: usize) -> Option<Standing> {
        let Op::Rank(index) = plan.nodes.get(rank as usize)?.op else { return None };
        let node = &plan.ranks[index as usize];
        let thresholds = state.thresholds.get(index as usize)?;
        let (b, c) = self.place(customer);
        let block = state.blocks.iter().find(|s| s.bucket == b && s.customers.contains(&c))?;
        let i = c - block.customers.start;
        let inside = node.among.is_none_or(|a| block.saved.get(&a).is_some_and(|a| a.bool_at(i) == 1));
        let own = block.saved.get(&node.x)?.key_at(i);
        if own == UNKNOWN || !inside {
            return None;
        }
        let ty = plan.nodes[node.x as usize].ty;
        let cut_of = |key: i64| match ty {
            Ty::Exact { scale, .. } => Cut::Exact(Decimal::new(key, scale)),
            Ty::Instant => Cut::Instant(Instant(key)),
            _ => Cut::Real(key_real(key)),
        };
        // Of everybody whom the rank compares: how many, how many below, and the sum.
        let crowd = || {
            let part = |b: &BlockState| {
                let Some(x) = b.saved.get(&node.x) else { return (0, 0, 0) };
                let mut inside = b.population.clone();
                if let Some(a) = node.among.and_then(|a| b.saved.get(&a)) {
                    a.bits(b.customers.len(), &mut inside);
                    inside.iter_mut().zip(&b.population).for_each(|(w, p)| *w &= p);
                }
                crowd(x, &inside, b.customers.len(), own)
            };
            let add = |a: (u64, u64, i128), b: (u64, u64, i128)| (a.0 + b.0, a.1 + b.1, a.2 + b.2);
            state.blocks.par_iter().with_min_len(32).map(part).reduce(|| (0, 0, 0), add)
        };
        let answer = |rank: Option<Value>, cut: Option<Cut>| Standing { rank, own: cut_of(own), cut, below: 0, of: 0 };
        let truth = |b: bool| Some(Value::Bool(b));
        let mean = || match ty {
            Ty::Exact { .. } | Ty::Instant => {
                let (n, _, sum) = crowd();
                let scale = if let Ty::Exact { scale, .. } = ty { scale } else { 0 };
                Cut::Real(sum as f64 / (n as f64 * 10_f64.powi(scale.into())))
            }
            _ => match thresholds {
                Thresholds::Above(k) | Thresholds::Below(k) => Cut::Real(key_real(*k)),
                _ => Cut::Real(f64::NAN),
            },
        };
        Some(match thresholds {
            Thresholds::Empty { .. } => return None,
            Thresholds::AtLeast(t) => answer(truth(own >= *t), Some(cut_of(*t))),
            Thresholds::AtMost(t) => answer(truth(own <= *t), Some(cut_of(*t))),
            Thresholds::Above(t) => answer(truth(own > *t), Some(mean())),
            Thresholds::Below(t) => answer(truth(own < *t), Some(mean())),
            Thresholds::Quintile(cuts) => {
                let (of, below, _) = crowd();
                let quintile = 1 + cuts.iter().filter(|c| own > **c).count() as i64;
                Standing { rank: Some(Value::Num(Decimal::new(quintile, 0))), own: cut_of(own), cut: None, below, of }
            }
            Thresholds::Percentile(all) => {
                let below = all.partition_point(|a| *a < own) as u64;
                let of = all.len() as u64;
                let rank = Decimal::from_f64(100.0 * below as f64 / of as f64).map(Value::Num);
                Standing { rank, own: cut_of(own), cut: None, below, of }
            }
        })
    }
}

/// How many of the rows whose bit is set are known, how many are below a key, and their sum.
fn crowd(x: &Col, inside: &[u64], rows: usize, own: i64) -> (u64, u64, i128) {
    let (mut of, mut below, mut sum) = (0, 0, 0_i128);
    for (w, bits) in inside.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        let mut keys = [UNKNOWN; 64];
        let range = w * 64..rows.min(w * 64 + 64);
        match x {
            Col::Int(v) => keys[..range.len()].copy_from_slice(&v[range]),
            _ => range.enumerate().for_each(|(i, r)| keys[i] = x.key_at(r)),
        }
        if *bits != !0 {
            keys.iter_mut().enumerate().filter(|(i, _)| bits >> i & 1 == 0).for_each(|(_, k)| *k = UNKNOWN);
        }
        // Halves of the numbers are added, so that no sum of 64 of them overflows.
        let (mut unknown, mut less, mut high, mut low) = (0_i64, 0_i64, 0_i64, 0_i64);
        for k in keys {
            unknown += i64::from(k == UNKNOWN);
            less += i64::from(k < own);
            let k = if k == UNKNOWN { 0 } else { k };
            high += k >> 32;
            low += k & 0xffff_ffff;
        }
        // The unknown is the smallest key of all.
        (of, below) = (of + (64 - unknown) as u64, below + (less - unknown) as u64);
        sum += (i128::from(high) << 32) + i128::from(low);
    }
    (of, below, sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_counted_and_summed_without_the_absent_and_the_unknown() {
        let keys = [i64::MAX, -7, UNKNOWN, i64::MAX, i64::MIN + 1, 5];
        let x = Col::Int((0..200).map(|i| keys[i % 6]).collect());
        let inside = [!0, 0x5555_5555_5555_5555, 0, 0xff];
        let there = |i: &usize| inside[i / 64] >> (i % 64) & 1 == 1;
        let known: Vec<i64> = (0..200).filter(there).map(|i| keys[i % 6]).filter(|k| *k != UNKNOWN).collect();
        let less = known.iter().filter(|k| **k < 5).count() as u64;
        let sum = known.iter().map(|k| i128::from(*k)).sum();
        assert_eq!(crowd(&x, &inside, 200, 5), (known.len() as u64, less, sum));
    }
}
