//! History: the exact moments at which customers enter and leave, for any definition, for all of the past.

use crate::answers::Bits;
use crate::block::{Block, Rows};
use crate::changes::{Recipe, flows};
use crate::column::{Col, UNKNOWN};
use crate::evaluate::Timelines;
use crate::plan::*;
use crate::rank_history::RankSteps;
use gyul_model::Instant;
use gyul_segment::tree::RankKind;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// One customer entered or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub at: Instant,
    /// The customer's number.
    pub customer: usize,
    pub entered: bool,
}

/// Membership over a span of time.
#[derive(Clone, Debug)]
pub struct History {
    pub from: Instant,
    pub to: Instant,
    /// Who is in at `from`.
    pub initial: Bits,
    /// After `from`, up to and including `to`, in order of time.
    pub changes: Vec<Change>,
}

/// Why a definition has no exact history. Its size at any given instant is to be had all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHistory {
    /// A rank of a quantity that grows with time, such as `since(order)`: rank the instant instead, `last(order.ts)`.
    RankFlows,
    /// `percentile(…)` compares with everybody at every instant.
    Percentile,
    /// The average of quotients depends on the order of adding.
    AverageOfQuotients,
}

impl History {
    /// Who is in at an instant between `from` and `to`.
    pub fn at(&self, t: Instant) -> Bits {
        let mut bits = self.initial.clone();
        for c in self.changes.iter().take_while(|c| c.at <= t) {
            bits.words[c.customer / 64] ^= 1 << (c.customer % 64);
        }
        bits
    }

    /// The number of members at each of some ascending instants, with the entries and exits since the one before.
    pub fn sizes(&self, instants: &[Instant]) -> Vec<(Instant, usize, usize, usize)> {
        let mut size = self.initial.count();
        let mut rest = self.changes.iter().peekable();
        let mut out = vec![];
        for &t in instants {
            let (mut entered, mut left) = (0, 0);
            while let Some(c) = rest.next_if(|c| c.at <= t) {
                if c.entered { entered += 1 } else { left += 1 }
            }
            size = size + entered - left;
            out.push((t, size, entered, left));
        }
        out
    }
}

/// What the rows of a history need beside the data.
pub(crate) struct Sweep<'a> {
    pub timelines: &'a Timelines,
    pub plan: &'a Plan,
    pub from: Instant,
    pub to: Instant,
    /// By rank index; filled layer by layer.
    pub ranks: Vec<Option<RankSteps>>,
}

const BLOCK: usize = 512;

impl Timelines {
    /// The history of the plan's first segment (see [`Plan::compile_one`]) from `from` to `to`.
    pub fn history(&self, plan: &Plan, from: Instant, to: Instant) -> Result<History, NoHistory> {
        let root = plan.segments[0];
        let mut sweep = Sweep { timelines: self, plan, from, to, ranks: vec![None; plan.ranks.len()] };
        sweep.find_ranks(root)?;
        let recipe = sweep.recipe(root);
        let found: Vec<(Vec<usize>, Vec<Change>)> = sweep
            .tasks()
            .into_par_iter()
            .map(|(b, customers)| {
                let mut initial = vec![];
                let mut changes = vec![];
                sweep.steps(b, customers, root, &recipe, None, &mut |number, at, now| {
                    let inside = now == 1;
                    match at {
                        None if inside => initial.push(number),
                        None => {}
                        Some(at) => changes.push(Change { at: Instant(at), customer: number, entered: inside }),
                    }
                });
                (initial, changes)
            })
            .collect();
        let mut initial = Bits::none(self.numbers());
        let mut changes = vec![];
        for (members, mut c) in found {
            members.into_iter().for_each(|n| initial.set(n));
            changes.append(&mut c);
        }
        changes.par_sort_unstable();
        Ok(History { from, to, initial, changes })
    }
}

impl<'a> Sweep<'a> {
    pub fn recipe(&self, root: NodeId) -> Recipe {
        let zone = self.plan.zone.clone().unwrap_or_else(gyul_model::Zone::seoul);
        Recipe::of(self.plan, root, &zone, self.from, self.to)
    }

    pub fn tasks(&self) -> Vec<(usize, Range<usize>)> {
        let buckets = self.timelines.data.buckets.iter().enumerate();
        buckets
            .flat_map(|(b, bucket)| {
                let n = bucket.customers.len();
                (0..n).step_by(BLOCK).map(move |from| (b, from..(from + BLOCK).min(n)))
            })
            .collect()
    }

    /// Finds the thresholds over time of all ranks beneath a node, the deepest first.
    fn find_ranks(&mut self, root: NodeId) -> Result<(), NoHistory> {
        let mut ranks = self.recipe(root).ranks;
        ranks.sort_by_key(|r| self.plan.ranks[*r as usize].layer);
        for r in ranks {
            let rank = &self.plan.ranks[r as usize];
            let real = matches!(self.plan.nodes[rank.x as usize].ty, Ty::Quotient { .. });
            match rank.kind {
                RankKind::Percentile => return Err(NoHistory::Percentile),
                RankKind::AboveAverage | RankKind::BelowAverage if real => return Err(NoHistory::AverageOfQuotients),
                _ if flows(self.plan, rank.x) => return Err(NoHistory::RankFlows),
                _ => {}
            }
            self.ranks[r as usize] = Some(RankSteps::find(self, rank));
        }
        Ok(())
    }

    /// Calls `f(customer number, instant, key)` with the node's key at `from` (instant `None`) and at each change of it.
    /// The key of a condition is 0 or 1; where the customer does not exist, or `among` is false, it is 0 or unknown.
    pub fn steps(
        &self,
        bucket: usize,
        customers: Range<usize>,
        node: NodeId,
        recipe: &Recipe,
        among: Option<NodeId>,
        f: &mut dyn FnMut(usize, Option<i64>, i64),
    ) {
        let mut block = self.block(bucket, customers.clone(), Rows::Each(self.to.0));
        let mut lists = recipe.instants(&mut block, self.from, self.to);
        self.crossings(bucket, customers.clone(), recipe, &mut lists);
        lists.iter_mut().for_each(|l| l.insert(0, self.from.0));
        for flip in &recipe.flips {
            self.refine(bucket, &customers, *flip, recipe, &mut lists);
        }
        let values = self.at_rows(bucket, &customers, node, recipe, &lists);
        let among = among.map(|a| self.at_rows(bucket, &customers, a, recipe, &lists));
        let is_bool = matches!(self.plan.nodes[node as usize].ty, Ty::Bool);
        let absent = if is_bool { 0 } else { UNKNOWN };
        let data = &self.timelines.data.buckets[bucket];
        let mut row = 0;
        for (i, list) in lists.iter().enumerate() {
            let c = customers.start + i;
            let number = self.timelines.bases[bucket] + c;
            let gone = self.timelines.moved.has(number);
            let mut before = None;
            for &t in list {
                let there = data.exists_from[c] <= t && !gone && among.as_ref().is_none_or(|a| a[row] == 1);
                let now = if there { values[row] } else { absent };
                match before {
                    None => f(number, None, now),
                    Some(b) if b != now => f(number, Some(t), now),
                    _ => {}
                }
                before = Some(now);
                row += 1;
            }
        }
    }

    fn block(&self, bucket: usize, customers: Range<usize>, rows: Rows) -> Block<'_> {
        let data = &self.timelines.data.buckets[bucket];
        let mut block = Block::new(self.plan, data, &self.timelines.latest[bucket], customers, rows);
        block.rank_steps = &self.ranks;
        block
    }

    /// Keys of a node at each customer's instants, one after the other.
    fn at_rows(
        &self,
        bucket: usize,
        customers: &Range<usize>,
        node: NodeId,
        recipe: &Recipe,
        lists: &[Vec<i64>],
    ) -> Vec<i64> {
        if recipe.row_by_row {
            let mut out = vec![];
            for (i, list) in lists.iter().enumerate() {
                let c = customers.start + i;
                for &t in list {
                    let mut block = self.block(bucket, c..c + 1, Rows::Each(t));
                    out.push(block.col(node).key_at(0));
                }
            }
            return out;
        }
        let mut owners = vec![];
        let mut instants = vec![];
        for (i, list) in lists.iter().enumerate() {
            owners.resize(owners.len() + list.len(), (customers.start + i) as u32);
            instants.extend_from_slice(list);
        }
        let n = owners.len();
        let mut block = self.block(bucket, customers.clone(), Rows::Listed { customers: owners, instants });
        let col: Arc<Col> = block.col(node);
        (0..n).map(|r| col.key_at(r)).collect()
    }

    /// Adds the instants at which a rank's thresholds pass a customer's own value.
    fn crossings(&self, bucket: usize, customers: Range<usize>, recipe: &Recipe, lists: &mut [Vec<i64>]) {
        for r in &recipe.ranks {
            let Some(steps) = &self.ranks[*r as usize] else { continue };
            let rank = &self.plan.ranks[*r as usize];
            let own = self.recipe(rank.x);
            let mut at: Vec<Vec<i64>> = lists.to_vec();
            at.iter_mut().for_each(|l| l.insert(0, self.from.0));
            for flip in &own.flips {
                self.refine(bucket, &customers, *flip, &own, &mut at);
            }
            let keys = self.at_rows(bucket, &customers, rank.x, recipe, &at);
            let mut row = 0;
            for (list, at) in lists.iter_mut().zip(&at) {
                for (i, &t) in at.iter().enumerate() {
                    let end = at.get(i + 1).copied().unwrap_or(i64::MAX);
                    if keys[row] != UNKNOWN {
                        steps.crossings(keys[row], t, end, list);
                    }
                    row += 1;
                }
                list.sort_unstable();
                list.dedup();
            }
        }
    }

    /// Adds the instants between those listed at which a comparison with a growing quantity flips.
    /// Between two changes such a comparison flips at most once, so bisection finds it.
    fn refine(&self, bucket: usize, customers: &Range<usize>, flip: NodeId, recipe: &Recipe, lists: &mut [Vec<i64>]) {
        let ends: Vec<Vec<i64>> = lists
            .iter()
            .map(|l| {
                let next = l.iter().skip(1).map(|t| t - 1).chain([self.to.0]);
                l.iter().zip(next).flat_map(|(a, b)| [*a, b.max(*a)]).collect()
            })
            .collect();
        let keys = self.at_rows(bucket, customers, flip, recipe, &ends);
        let mut open: Vec<(usize, i64, i64, i64)> = vec![];
        let mut row = 0;
        for (i, list) in ends.iter().enumerate() {
            for pair in list.chunks(2) {
                if keys[row] != keys[row + 1] {
                    open.push((i, pair[0], pair[1], keys[row]));
                }
                row += 2;
            }
        }
        // Each round halves every open interval: `lo` has the first verdict, `hi` the other one.
        while open.iter().any(|(_, lo, hi, _)| hi - lo > 1) {
            let mut middles: Vec<Vec<i64>> = vec![vec![]; lists.len()];
            open.iter().for_each(|(i, lo, hi, _)| middles[*i].push(lo + (hi - lo) / 2));
            let keys = self.at_rows(bucket, customers, flip, recipe, &middles);
            for ((_, lo, hi, first), key) in open.iter_mut().zip(keys) {
                let mid = *lo + (*hi - *lo) / 2;
                if key == *first { *lo = mid } else { *hi = mid }
            }
        }
        open.iter().for_each(|(i, _, hi, _)| lists[*i].push(*hi));
        lists.iter_mut().for_each(|l| {
            l.sort_unstable();
            l.dedup();
        });
    }
}
