//! What can be trusted with this much data, and what is missing for which definitions.

use crate::view::View;
use crate::walk::{selects, walk};
use gyul_model::{ColumnData, Instant, MICROS_DAY, names};
use gyul_segment::tree::{Expr, Kind, Names};
use gyul_timeline::Named;
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
    /// What definitions ask for and the data does not have: `(event or trait, is a trait, ids of the definitions)`.
    pub missing: Vec<Missing>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Name of an event or trait.
    pub name: String,
    pub is_trait: bool,
    /// Segments and classes that look at it.
    pub definitions: Vec<String>,
}

/// Of events up to `at`.
pub fn sufficiency(view: &View, at: Instant) -> Sufficiency {
    let data = view.data();
    let mut out = Sufficiency { missing: missing(view), ..Sufficiency::default() };
    let mut last = None;
    for (s, info) in data.streams.iter().enumerate() {
        let mut count = 0;
        for bucket in &data.buckets {
            let stream = &bucket.streams[s];
            let seen = || stream.ts.iter().copied().filter(|t| *t <= at.0);
            count += seen().count() as u64;
            last = last.max(seen().filter(|t| *t > Instant::ALWAYS.0).max());
            if info.name == names::ORDER {
                let of = |c: usize| stream.rows(c).filter(|i| stream.ts[*i] <= at.0).count();
                out.buyers += (0..bucket.customers.len()).filter(|c| of(*c) > 0).count() as u64;
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
            let customers = data.buckets.iter().map(|b| {
                let stream = &b.streams[s];
                let Some(data) = stream.columns.get(c) else { return 0 };
                let knows = |c2: &usize| stream.rows(*c2).any(|i| stream.ts[i] <= at.0 && known(data, i));
                (0..b.customers.len()).filter(knows).count() as u64
            });
            out.traits.push((column.name.clone(), customers.sum()));
        }
    }
    out.events = out.streams.iter().map(|(_, n)| n).sum();
    out.customers = data.buckets.iter().flat_map(|b| &b.exists_from).filter(|t| **t <= at.0).count() as u64;
    if let (Some(first), Some(last)) = (out.first_order, out.last_order) {
        out.months = (last.0 - first.0) as f64 / MICROS_DAY as f64 / (365.2425 / 12.0);
    }
    out.orders_per_buyer = (out.buyers > 0).then(|| out.orders as f64 / out.buyers as f64);
    out.stale_days = last.map(|t| (at.0 - t).div_euclid(MICROS_DAY));
    out
}

fn missing(view: &View) -> Vec<Missing> {
    let data = view.data();
    let empty = |s: usize| data.buckets.iter().all(|b| b.streams[s].ts.is_empty());
    let streams = data.streams.iter().enumerate().filter(|(s, _)| !empty(*s)).map(|(_, s)| s);
    let events: BTreeSet<&str> = streams.map(|s| s.name.as_str()).collect();
    let identify = data.streams.iter().find(|s| s.name == names::IDENTIFY);
    let traits: BTreeSet<&str> = identify.into_iter().flat_map(|s| &s.columns).map(|c| c.name.as_str()).collect();
    let mut out: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for named in view.all() {
        let (id, ..) = view.describe(named);
        let mut asked: BTreeSet<(bool, String)> = BTreeSet::new();
        let mut look = |e: &Expr| {
            match &e.kind {
                Kind::Trait(name) => drop(asked.insert((true, name.clone()))),
                Kind::Age => drop(asked.insert((true, names::BIRTH_DATE.into()))),
                _ => {}
            }
            for s in selects(e) {
                if let Names::Of(list) = &s.events {
                    // Of several names one is enough.
                    if let Some(name) = list.first().filter(|_| !list.iter().any(|n| events.contains(n.as_str()))) {
                        asked.insert((false, name.clone()));
                    }
                }
            }
        };
        let when = match named {
            Named::Segment(i) => Some(&view.library.segments[i].when),
            Named::Class(p, k) => view.library.partitions[p].classes.get(k).map(|c| &c.when),
            Named::Measure(_) => None,
        };
        when.into_iter().for_each(|e| walk(&view.library, e, &mut look));
        let age = traits.contains("age");
        asked.retain(|(is_trait, n)| {
            let known = traits.contains(n.as_str()) || (n == names::BIRTH_DATE && age);
            !is_trait || !known
        });
        asked.into_iter().for_each(|a| out.entry(a).or_default().push(id.clone()));
    }
    let missing = out.into_iter().map(|((is_trait, name), definitions)| Missing { name, is_trait, definitions });
    missing.collect()
}
