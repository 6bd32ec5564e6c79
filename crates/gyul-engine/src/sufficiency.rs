//! What can be trusted with this much data, and what is missing for which definitions.

use crate::LeftOut;
use crate::needs::{Lack, Seen};
use crate::view::View;
use gyul_model::{ColumnData, Instant, MICROS_DAY, names};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sufficiency {
    pub customers: u64,
    pub events: u64,
    pub buyers: u64,
    pub orders: u64,
    /// Instants of the first and the last order.
    pub first_order: Option<Instant>,
    pub last_order: Option<Instant>,
    /// Of 365.2425 ÷ 12 days, between first and last order.
    pub months: f64,
    pub orders_per_buyer: Option<f64>,
    /// Days from the last event to the instant of the question.
    pub stale_days: Option<i64>,
    /// Events of each name.
    pub streams: Vec<(String, u64)>,
    /// For how many customers each trait is known.
    pub traits: Vec<(String, u64)>,
    /// What the data does not have, and which definitions cannot be told without it.
    pub missing: Vec<Missing>,
    /// What a staleness policy leaves out of all this.
    pub left_out: Option<LeftOut>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub lack: Lack,
    /// Segments and classes.
    pub definitions: Vec<String>,
}

/// Of events up to `at`.
pub fn sufficiency(view: &View, at: Instant) -> Sufficiency {
    let (data, timelines) = (view.data(), view.timelines());
    let mut out = Sufficiency { missing: missing(view), left_out: view.left_out().cloned(), ..Sufficiency::default() };
    let mut last = None;
    for (s, info) in data.streams.iter().enumerate() {
        let mut count = 0;
        for (b, bucket) in data.buckets.iter().enumerate() {
            let stream = &bucket.streams[s];
            let seen = || timelines.rows(b, s).map(|i| stream.ts[i]).filter(|t| *t <= at.0);
            count += seen().count() as u64;
            last = last.max(seen().filter(|t| *t > Instant::ALWAYS.0).max());
            if info.name == names::ORDER {
                let of = |c: usize| stream.rows(c).filter(|i| stream.ts[*i] <= at.0).count();
                out.buyers += timelines.present(b).filter(|c| of(*c) > 0).count() as u64;
                let first = seen().min().map(Instant);
                out.first_order = [out.first_order, first].into_iter().flatten().min();
                out.last_order = out.last_order.max(seen().max().map(Instant));
            }
        }
        if info.name == names::ORDER {
            out.orders = count;
        }
        if info.name != names::IDENTIFY {
            out.streams.push((info.name.clone(), count));
            continue;
        }
        for (c, column) in info.columns.iter().enumerate() {
            let known = |data: &ColumnData, i: usize| match data {
                ColumnData::Bool(v) => v[i] < 2,
                ColumnData::Num(v) => v.get(i) != i64::MIN,
                ColumnData::Instant(v) => v[i] != i64::MIN,
                ColumnData::Codes(v) => v.get(i) != 0,
            };
            let customers = data.buckets.iter().enumerate().map(|(b, bucket)| {
                let stream = &bucket.streams[s];
                let Some(data) = stream.columns.get(c) else { return 0 };
                let knows = |c2: &usize| stream.rows(*c2).any(|i| stream.ts[i] <= at.0 && known(data, i));
                timelines.present(b).filter(knows).count() as u64
            });
            out.traits.push((column.name.clone(), customers.sum()));
        }
    }
    out.events = out.streams.iter().map(|(_, n)| n).sum();
    let exists = |b: usize| timelines.present(b).filter(move |c| data.buckets[b].exists_from[*c] <= at.0);
    out.customers = (0..data.buckets.len()).map(|b| exists(b).count() as u64).sum();
    if let (Some(first), Some(last)) = (out.first_order, out.last_order) {
        out.months = (last.0 - first.0) as f64 / MICROS_DAY as f64 / (365.2425 / 12.0);
    }
    out.orders_per_buyer = (out.buyers > 0).then(|| out.orders as f64 / out.buyers as f64);
    out.stale_days = last.map(|t| (at.0 - t).div_euclid(MICROS_DAY));
    out
}

fn missing(view: &View) -> Vec<Missing> {
    let seen = Seen::of(view.data());
    let mut out: BTreeMap<Lack, Vec<String>> = BTreeMap::new();
    for named in view.all() {
        let needs: BTreeSet<Lack> = seen.needs(&view.library, named).into_iter().flatten().collect();
        let (id, ..) = view.describe(named);
        needs.into_iter().for_each(|lack| out.entry(lack).or_default().push(id.clone()));
    }
    out.into_iter().map(|(lack, definitions)| Missing { lack, definitions }).collect()
}
