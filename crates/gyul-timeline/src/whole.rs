//! Whole columns of results, for questions that look at everybody at once: distributions, comparisons, funnels.

use crate::block::{Block, Rows};
use crate::column::{Col, UNKNOWN};
use crate::evaluate::{BlockState, State, Timelines};
use crate::plan::*;
use gyul_model::{POW10, TextColumn};
use rayon::prelude::*;
use std::sync::Arc;

/// What a node is for everybody, by customer number. Customers who do not exist at the instant are unknown.
pub enum Whole {
    /// NaN is unknown. Durations in microseconds.
    Numbers(Vec<f64>),
    /// 0 is unknown, code c is `dict.get(c - 1)`.
    Codes { codes: Vec<u32>, dict: Arc<TextColumn> },
}

impl Timelines {
    /// The number of a bucket's first customer; the others follow.
    pub fn first(&self, bucket: usize) -> usize {
        self.bases[bucket]
    }

    /// The values of some nodes for everybody, from a run of the plan; `None` for what is neither number nor text.
    pub fn whole(&self, plan: &Plan, nodes: &[NodeId], state: &State) -> Vec<Option<Whole>> {
        let ty = |id: &NodeId| plan.nodes[*id as usize].ty;
        let mut out: Vec<Option<Whole>> = nodes
            .iter()
            .map(|id| match ty(id) {
                Ty::Text(d) => {
                    let codes = vec![0; self.numbers()];
                    plan.dicts.get(d as usize).map(|dict| Whole::Codes { codes, dict: dict.clone() })
                }
                Ty::Exact { .. } | Ty::Quotient { .. } => Some(Whole::Numbers(vec![f64::NAN; self.numbers()])),
                _ => None,
            })
            .collect();
        // Some blocks at a time: what they hold is copied before the next ones are begun.
        for some in state.blocks.chunks(rayon::current_num_threads() * 4) {
            let found: Vec<Vec<Arc<Col>>> = some
                .par_iter()
                .map(|s| {
                    let mut block = self.block(plan, state, s);
                    nodes.iter().map(|id| block.col(*id)).collect()
                })
                .collect();
            for (s, columns) in some.iter().zip(found) {
                let base = self.bases[s.bucket] + s.customers.start;
                let exists = |i: &usize| s.population[i / 64] >> (i % 64) & 1 == 1;
                let rows = || (0..s.customers.len()).filter(exists);
                for ((column, whole), id) in columns.iter().zip(&mut out).zip(nodes) {
                    match whole {
                        Some(Whole::Codes { codes, .. }) => rows().for_each(|i| codes[base + i] = column.code_at(i)),
                        Some(Whole::Numbers(values)) => {
                            rows().for_each(|i| values[base + i] = number(ty(id), column, i));
                        }
                        None => {}
                    }
                }
            }
        }
        out
    }

    /// For each customer who gets anywhere in the pattern that a node is: the instants of the steps reached, of the first
    /// chain that gets as far as any. Empty if the node is no pattern.
    pub fn chains(&self, plan: &Plan, node: NodeId, state: &State) -> Vec<(usize, Vec<i64>)> {
        let Some(Op::Pattern(pattern)) = plan.nodes.get(node as usize).map(|n| &n.op) else { return vec![] };
        let chains = |s: &BlockState| {
            let base = self.bases[s.bucket] + s.customers.start;
            let found = self.block(plan, state, s).chains(pattern).into_iter().enumerate();
            let exists = |i: usize| s.population[i / 64] >> (i % 64) & 1 == 1;
            let there = found.filter(|(i, c)| !c.is_empty() && exists(*i));
            there.map(|(i, c)| (base + i, c)).collect::<Vec<_>>()
        };
        state.blocks.par_iter().flat_map_iter(chains).collect()
    }

    fn block<'a>(&'a self, plan: &'a Plan, state: &'a State, s: &BlockState) -> Block<'a> {
        let bucket = &self.data.buckets[s.bucket];
        let rows = Rows::Each(state.answers.at.0);
        let mut block = Block::new(plan, bucket, &self.latest[s.bucket], s.customers.clone(), rows);
        block.thresholds = &state.thresholds;
        s.saved.iter().for_each(|(id, c)| block.preset(*id, c.clone()));
        block
    }
}

fn number(ty: Ty, c: &Col, i: usize) -> f64 {
    match ty {
        Ty::Exact { scale, .. } => match c.int_at(i) {
            UNKNOWN => f64::NAN,
            x => x as f64 / POW10[usize::from(scale)] as f64,
        },
        _ => c.real_at(i),
    }
}
