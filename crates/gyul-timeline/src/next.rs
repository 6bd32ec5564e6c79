//! Until when: the next instant at which the clock alone changes a customer's answer.

use crate::block::{Block, Rows};
use crate::changes::Recipe;
use crate::evaluate::{Latest, State, Timelines};
use crate::plan::{NodeId, Plan};
use gyul_model::{Bucket, Codes, ColumnData, Instant, Ints, Stream};
use std::sync::Arc;

impl Timelines {
    /// If nothing happens after `state`'s instant: when does the customer first enter or leave the plan's first segment,
    /// at the latest at `horizon`? Thresholds of ranks are taken as they are. `None`: not before the horizon.
    /// `plan` is of one definition ([`Plan::compile_one`]) and `state` a run of it.
    pub fn next_change(
        &self,
        plan: &Plan,
        state: &State,
        customer: usize,
        horizon: Instant,
    ) -> Option<(Instant, bool)> {
        let at = state.answers.at;
        let root = *plan.segments.first()?;
        let (b, c) = self.place(customer);
        let alone = cut(&self.data.buckets[b], c, at.0);
        let latest: Vec<Latest> = alone.streams.iter().map(Latest::of).collect();
        let zone = plan.zone.clone().unwrap_or_else(gyul_model::Zone::seoul);
        let recipe = Recipe::of(plan, root, &zone, at, horizon);
        let block = |rows: Rows| {
            let mut block = Block::new(plan, &alone, &latest, 0..1, rows);
            block.thresholds = &state.thresholds;
            block
        };
        let value = |id: NodeId, t: i64| block(Rows::Each(t)).col(id).bool_at(0) == 1;
        let mut instants = recipe.instants(&mut block(Rows::Each(at.0)), at, horizon).swap_remove(0);
        instants.insert(0, at.0);
        for flip in &recipe.flips {
            // Between the listed instants a growing quantity flips a comparison at most once.
            let ends = instants.iter().skip(1).map(|t| t - 1).chain([horizon.0]);
            let found: Vec<i64> = instants
                .iter()
                .zip(ends)
                .filter_map(|(&from, to)| {
                    let before = value(*flip, from);
                    if to <= from || value(*flip, to) == before {
                        return None;
                    }
                    let (mut lo, mut hi) = (from, to);
                    while hi - lo > 1 {
                        let mid = lo + (hi - lo) / 2;
                        if value(*flip, mid) == before { lo = mid } else { hi = mid }
                    }
                    Some(hi)
                })
                .collect();
            instants.extend(found);
            instants.sort_unstable();
            instants.dedup();
        }
        let before = value(root, at.0);
        let change = instants.into_iter().skip(1).find(|t| value(root, *t) != before)?;
        Some((Instant(change), !before))
    }
}

/// One customer with what had happened by `at`.
fn cut(bucket: &Bucket, customer: usize, at: i64) -> Bucket {
    let mut out = Bucket { exists_from: vec![bucket.exists_from[customer]], ..Bucket::default() };
    out.customers.push(bucket.customers.get(customer));
    for s in &bucket.streams {
        let own = s.rows(customer);
        let rows = own.start..own.start + s.ts[own.clone()].partition_point(|t| *t <= at);
        let column = |c: &ColumnData| match c {
            ColumnData::Bool(v) => ColumnData::Bool(v[rows.clone()].to_vec()),
            ColumnData::Instant(v) => ColumnData::Instant(v[rows.clone()].to_vec()),
            ColumnData::Num(v) => ColumnData::Num(Ints::I64(rows.clone().map(|i| v.get(i)).collect())),
            ColumnData::Codes(v) => ColumnData::Codes(Codes::U32(rows.clone().map(|i| v.get(i)).collect())),
        };
        out.streams.push(Arc::new(Stream {
            offsets: vec![0, rows.len() as u32],
            ts: s.ts[rows.clone()].to_vec(),
            seq: s.seq[rows.clone()].to_vec(),
            columns: s.columns.iter().map(column).collect(),
        }));
    }
    out
}
