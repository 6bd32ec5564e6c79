//! Which values does a property have? For suggestions while somebody types.

use super::{members, within};
use crate::view::View;
use gyul_model::{ColumnData, ColumnKind, Decimal, Instant, names};

/// Whether a trait or property names a person, so that its values are never listed.
pub fn is_personal(name: &str) -> bool {
    const WHOLE: [&str; 8] = ["name", "first_name", "last_name", "nickname", "id", "user", "memo", "token"];
    const PARTS: [&str; 8] = ["email", "phone", "birth", "address", "push_token", "kakao_id", "customer_id", "ip_"];
    let low = name.to_lowercase();
    // `consent.email` is a consent.
    !low.starts_with("consent.") && (WHOLE.contains(&low.as_str()) || PARTS.iter().any(|p| low.contains(p)))
}

/// The values of one property of an event, or of one trait.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Events (for traits: statements) in which it is known.
    pub known: u64,
    /// Different ones; of texts alone.
    pub distinct: u64,
    /// The most frequent that begin with, or else hold, what was asked for.
    pub top: Vec<(String, u64)>,
    /// Of numbers.
    pub range: Option<(Decimal, Decimal)>,
}

impl View {
    /// Up to an instant; `event` is absent for traits. `None`: there is no such property, or its values name people.
    pub fn values(&self, event: Option<&str>, property: &str, text: &str, limit: usize, at: Instant) -> Option<Values> {
        let s = self.stream(event.unwrap_or(names::IDENTIFY))?;
        let info = &self.data().streams[s];
        let c = info.columns.iter().position(|c| c.name == property && !is_personal(&c.name))?;
        let everybody = self.population(at);
        let rows = |bucket: &gyul_model::Bucket, first: usize, f: &mut dyn FnMut(&ColumnData, usize)| {
            let stream = &bucket.streams[s];
            for (customer, _) in members(bucket, first, &everybody) {
                within(&stream.ts, stream.rows(customer), i64::MIN, at.0).for_each(|i| f(&stream.columns[c], i));
            }
        };
        match &info.columns[c].kind {
            ColumnKind::Num { scale } => {
                let found = self.buckets(|bucket, first| {
                    let (mut n, mut low, mut high) = (0_u64, i64::MAX, i64::MIN);
                    rows(bucket, first, &mut |d, i| {
                        if let ColumnData::Num(v) = d
                            && v.get(i) != i64::MIN
                        {
                            (n, low, high) = (n + 1, low.min(v.get(i)), high.max(v.get(i)));
                        }
                    });
                    (n, low, high)
                });
                let add = |a: (u64, i64, i64), b: &(u64, i64, i64)| (a.0 + b.0, a.1.min(b.1), a.2.max(b.2));
                let (known, low, high) = found.iter().fold((0, i64::MAX, i64::MIN), add);
                let range = (known > 0).then(|| (Decimal::new(low, *scale), Decimal::new(high, *scale)));
                Some(Values { known, range, ..Values::default() })
            }
            ColumnKind::Bool => {
                let found = self.buckets(|bucket, first| {
                    let mut n = [0_u64; 3];
                    rows(bucket, first, &mut |d, i| {
                        if let ColumnData::Bool(v) = d {
                            n[usize::from(v[i].min(2))] += 1;
                        }
                    });
                    n
                });
                let sum = |k: usize| found.iter().map(|n| n[k]).sum::<u64>();
                let mut top = vec![("true".to_string(), sum(1)), ("false".to_string(), sum(0))];
                top.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
                let distinct = top.iter().filter(|(_, n)| *n > 0).count() as u64;
                top.retain(|(v, n)| *n > 0 && v.starts_with(text));
                Some(Values { known: sum(0) + sum(1), distinct, top, range: None })
            }
            ColumnKind::Text(dict) | ColumnKind::List(dict) => {
                // A dictionary of many: counted bucket by bucket, into one list.
                let found = self.buckets(|bucket, first| {
                    let mut codes: Vec<u32> = vec![];
                    rows(bucket, first, &mut |d, i| {
                        if let ColumnData::Codes(v) = d {
                            codes.push(v.get(i));
                        }
                    });
                    codes.sort_unstable();
                    codes.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect::<Vec<_>>()
                });
                let mut counts = vec![0_u64; dict.len() + 1];
                for (code, n) in found.into_iter().flatten() {
                    counts[code as usize] += n;
                }
                let mut by: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
                for (i, n) in counts[1..].iter().enumerate().filter(|(_, n)| **n > 0) {
                    dict.get(i).unwrap_or("").split('\u{1f}').for_each(|item| *by.entry(item).or_default() += n);
                }
                let distinct = by.len() as u64;
                let low = text.to_lowercase();
                let mut top: Vec<(bool, String, u64)> = by
                    .into_iter()
                    .filter_map(|(v, n)| {
                        let place = v.to_lowercase().find(&low)?;
                        Some((place > 0, v.to_string(), n))
                    })
                    .collect();
                top.sort_by(|a, b| a.0.cmp(&b.0).then(b.2.cmp(&a.2)).then(a.1.cmp(&b.1)));
                top.truncate(limit);
                let top = top.into_iter().map(|(_, v, n)| (v, n)).collect();
                Some(Values { known: counts[1..].iter().sum(), distinct, top, range: None })
            }
            ColumnKind::Instant => Some(Values::default()),
        }
    }
}
