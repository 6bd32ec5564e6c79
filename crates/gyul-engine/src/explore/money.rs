//! Orders and refunds: what customers are worth, altogether and by region.

use super::within;
use crate::view::{NotFound, View};
use gyul_model::{ColumnData, ColumnKind, Instant, POW10, names};
use gyul_timeline::Bits;
use std::collections::BTreeMap;

/// What some customers bought in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Money {
    pub customers: u64,
    /// With an order in the period.
    pub buyers: u64,
    /// With two or more.
    pub repeat_buyers: u64,
    pub orders: u64,
    /// Orders in full.
    pub gross: f64,
    pub refunds: f64,
    /// Orders less refunds.
    pub net: f64,
}

/// A segment's worth beside everybody's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    pub of: Money,
    pub all: Money,
}

/// Orders and refunds of each customer in a period, by number; exact mantissas.
pub(super) struct Spend {
    pub orders: Vec<u32>,
    pub last: Vec<i64>,
    gross: Vec<i64>,
    refunds: Vec<i64>,
    scales: [u8; 2],
}

impl Spend {
    /// `after < ts <= until`.
    pub fn find(view: &View, after: i64, until: Instant) -> Spend {
        let streams = [names::ORDER, names::REFUND].map(|name| {
            let s = view.stream(name)?;
            let total = view.data().streams[s].columns.iter().position(|c| c.name == "total");
            let total = total.and_then(|c| match view.data().streams[s].columns[c].kind {
                ColumnKind::Num { scale } => Some((c, scale)),
                _ => None,
            });
            Some((s, total))
        });
        let n = view.timelines().numbers();
        let scales = streams.map(|s| s.and_then(|(_, t)| t).map_or(0, |(_, scale)| scale));
        let mut out =
            Spend { orders: vec![0; n], last: vec![i64::MIN; n], gross: vec![0; n], refunds: vec![0; n], scales };
        let found = view.buckets(|bucket, first| {
            let customers = bucket.customers.len();
            let (mut orders, mut last) = (vec![0_u32; customers], vec![i64::MIN; customers]);
            let mut sums = [vec![0_i64; customers], vec![0_i64; customers]];
            for (kind, (s, total)) in streams.iter().enumerate().filter_map(|(k, s)| Some((k, (*s)?))) {
                let stream = &bucket.streams[s];
                let totals = total.and_then(|(c, _)| match &stream.columns[c] {
                    ColumnData::Num(v) => Some(v),
                    _ => None,
                });
                for c in 0..customers {
                    let rows = within(&stream.ts, stream.rows(c), after, until.0);
                    if kind == 0 && !rows.is_empty() {
                        (orders[c], last[c]) = (rows.len() as u32, stream.ts[rows.end - 1]);
                    }
                    if let Some(totals) = totals {
                        let known = rows.map(|i| totals.get(i)).filter(|m| *m != i64::MIN);
                        sums[kind][c] = known.fold(0, i64::saturating_add);
                    }
                }
            }
            (first, orders, last, sums)
        });
        for (first, orders, last, [gross, refunds]) in found {
            let range = first..first + orders.len();
            out.orders[range.clone()].copy_from_slice(&orders);
            out.last[range.clone()].copy_from_slice(&last);
            out.gross[range.clone()].copy_from_slice(&gross);
            out.refunds[range].copy_from_slice(&refunds);
        }
        out
    }

    fn amount(&self, kind: usize, mantissa: i128) -> f64 {
        mantissa as f64 / POW10[usize::from(self.scales[kind])] as f64
    }

    /// Sums are exact until the last step.
    pub fn of(&self, some: impl Iterator<Item = usize>) -> Money {
        let (mut out, mut gross, mut refunds) = (Money::default(), 0_i128, 0_i128);
        for n in some {
            out.customers += 1;
            out.buyers += u64::from(self.orders[n] > 0);
            out.repeat_buyers += u64::from(self.orders[n] > 1);
            out.orders += u64::from(self.orders[n]);
            gross += i128::from(self.gross[n]);
            refunds += i128::from(self.refunds[n]);
        }
        (out.gross, out.refunds) = (self.amount(0, gross), self.amount(1, refunds));
        out.net = out.gross - out.refunds;
        out
    }
}

impl View {
    /// What the members (at `until`) of a segment or class bought after one instant and up to another.
    pub fn worth(&self, of: Option<&str>, after: Instant, until: Instant) -> Result<Worth, NotFound> {
        let set = self.set(of, until)?;
        let spend = Spend::find(self, after.0, until);
        Ok(Worth { of: spend.of(set.iter()), all: spend.of(self.population(until).iter()) })
    }
}

/// Customers and money of a 시/도.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// ISO 3166-2: `KR-11`; of other countries what the trait says, up to the second part.
    pub code: String,
    pub money: Money,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    /// By code.
    pub regions: Vec<Region>,
    /// Whose region is not known.
    pub unknown: Money,
}

impl View {
    /// Where the members of a segment live, and what they bought after one instant and up to another.
    pub fn regions(&self, of: Option<&str>, after: Instant, until: Instant) -> Result<Regions, NotFound> {
        let set = self.set(of, until)?;
        let spend = Spend::find(self, after.0, until);
        let mut by: BTreeMap<String, Bits> = BTreeMap::new();
        let mut known = Bits::none(self.timelines.numbers());
        for found in self.traits(until, &set, |name| name == "region") {
            let super::profile::Column::Codes { codes, items, names } = found.column else { continue };
            let mut sets: Vec<Bits> = names.iter().map(|_| Bits::none(self.timelines.numbers())).collect();
            for n in set.iter().filter(|n| !known.has(*n)) {
                for item in items.get(codes[n] as usize).into_iter().flatten() {
                    sets[*item as usize].set(n);
                }
            }
            for (name, bits) in names.into_iter().zip(sets) {
                known.union(&bits);
                by.entry(name).or_insert_with(|| Bits::none(self.timelines.numbers())).union(&bits);
            }
        }
        let filled = by.into_iter().filter(|(_, bits)| bits.count() > 0);
        let regions = filled.map(|(code, bits)| Region { code, money: spend.of(bits.iter()) }).collect();
        Ok(Regions { regions, unknown: spend.of(known.missing_from(&set).iter()) })
    }
}
