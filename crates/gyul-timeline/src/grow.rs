//! Dictionaries that grow while a plan lives: its tables by code go on where they ended.
//!
//! A batch plan folds what the data at hand can never satisfy. A plan for live data ([`Plan::compile_live`]) may not:
//! the text that a condition waits for can come with the next event. So can a name: what the definitions asked the
//! data for is kept, whether it was there or not.

use crate::plan::Plan;
use gyul_model::{ColumnKind, Date, StreamInfo, TextColumn, names};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt;
use std::sync::Arc;

/// A condition on the text of a dictionary's entry.
pub type Test = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What a live plan remembers about its tables.
#[derive(Clone, Default)]
pub struct Growth {
    /// The column (stream, column) that owns each dictionary of [`Plan::dicts`]; constants and unions have none.
    pub owners: FxHashMap<u32, (u32, u32)>,
    pub tables: Vec<Table>,
    pub asked: Asked,
    /// Lengths of the dictionaries that the tables cover.
    lens: Vec<usize>,
}

/// Names that the definitions look for in the data.
#[derive(Clone, Default)]
pub struct Asked {
    pub streams: FxHashSet<String>,
    /// Some definition takes in events of any name.
    pub any_stream: bool,
    pub columns: FxHashSet<(u32, String)>,
}

#[derive(Clone)]
pub enum Table {
    Truth {
        table: usize,
        dict: u32,
        test: Test,
    },
    Dates {
        table: usize,
        dict: u32,
    },
    /// Codes of one dictionary in another; into a `union`, what that lacks is added.
    Recode {
        table: usize,
        from: u32,
        to: u32,
        union: bool,
    },
}

impl fmt::Debug for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tables of {} dictionaries", self.tables.len(), self.owners.len())
    }
}

impl Plan {
    /// Whether the plan would be another one if it were compiled for data with these streams and columns, new ones or
    /// of another scale.
    pub(crate) fn asks_for(&self, infos: &[StreamInfo], streams: &[u32], columns: &[(u32, u32)]) -> bool {
        let Some(Growth { asked, .. }) = &self.growth else { return true };
        let stream = |s: u32| {
            let name = &infos[s as usize].name;
            asked.streams.contains(name) || (asked.any_stream && name != names::IDENTIFY)
        };
        let column = |(s, c): (u32, u32)| {
            let name = infos[s as usize].columns[c as usize].name.clone();
            asked.columns.contains(&(s, name))
        };
        streams.iter().any(|s| stream(*s)) || columns.iter().any(|c| column(*c))
    }

    /// Lets go of the columns' dictionaries, so that they can grow in place. [`Plan::grow`] takes them up again.
    pub(crate) fn release(&mut self) {
        let Some(growth) = &mut self.growth else { return };
        growth.lens = self.dicts.iter().map(|d| d.len()).collect();
        let empty: Arc<TextColumn> = Arc::default();
        growth.owners.keys().for_each(|d| self.dicts[*d as usize] = empty.clone());
    }

    /// Takes up the dictionaries of the columns and covers what came to them.
    pub(crate) fn grow(&mut self, streams: &[StreamInfo]) {
        let Some(growth) = self.growth.take() else { return };
        let mut grown = vec![false; self.dicts.len()];
        for (dict, (s, c)) in &growth.owners {
            let kind = &streams[*s as usize].columns[*c as usize].kind;
            if let ColumnKind::Text(d) | ColumnKind::List(d) = kind {
                self.dicts[*dict as usize] = d.clone();
                grown[*dict as usize] = growth.lens.get(*dict as usize).is_some_and(|len| *len < d.len());
            }
        }
        if grown.contains(&true) {
            for table in &growth.tables {
                match table {
                    Table::Truth { table, dict, test } if grown[*dict as usize] => {
                        let entries = &self.dicts[*dict as usize];
                        let truths = Arc::make_mut(&mut self.truths[*table]);
                        let more = truths.len() - 1..entries.len();
                        truths.extend(more.map(|i| u8::from(test(entries.get(i).unwrap_or("")))));
                    }
                    Table::Dates { table, dict } if grown[*dict as usize] => {
                        let entries = &self.dicts[*dict as usize];
                        let dates = Arc::make_mut(&mut self.dates[*table]);
                        let more = dates.len() - 1..entries.len();
                        dates.extend(more.map(|i| date(entries.get(i))));
                    }
                    Table::Recode { table, from, to, union } if grown[*from as usize] || grown[*to as usize] => {
                        if *union {
                            let (mut all, own) = (self.dicts[*to as usize].clone(), &self.dicts[*from as usize]);
                            let len = all.len();
                            add_missing(Arc::make_mut(&mut all), own);
                            // What reads the union comes later in the list.
                            grown[*to as usize] |= all.len() > len;
                            self.dicts[*to as usize] = all;
                        }
                        let codes = recoded(&self.dicts[*from as usize], &self.dicts[*to as usize]);
                        self.recodes[*table] = Arc::new(codes);
                    }
                    _ => {}
                }
            }
        }
        self.growth = Some(growth);
    }
}

/// Days of the date that a text is, or unknown.
pub fn date(text: Option<&str>) -> i64 {
    text.and_then(Date::parse).map_or(i64::MIN, |d| d.0.into())
}

/// The code in `to` for each code of `from`. What `to` lacks gets a code that it never uses: known, but equal to nothing.
pub fn recoded(from: &TextColumn, to: &TextColumn) -> Vec<u32> {
    let codes: FxHashMap<&str, u32> = (0..to.len()).filter_map(|i| Some((to.get(i)?, i as u32 + 1))).collect();
    let code = |i| from.get(i).and_then(|t| codes.get(t).copied()).unwrap_or(u32::MAX);
    std::iter::once(0).chain((0..from.len()).map(code)).collect()
}

/// Adds the entries of a dictionary that a union of dictionaries lacks.
pub fn add_missing(union: &mut TextColumn, of: &TextColumn) {
    let mut known: FxHashMap<String, ()> =
        (0..union.len()).filter_map(|i| Some((union.get(i)?.to_string(), ()))).collect();
    for text in (0..of.len()).filter_map(|i| of.get(i)) {
        if !known.contains_key(text) {
            union.push(Some(text));
            known.insert(text.to_string(), ());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_model::ColumnInfo;

    #[test]
    fn only_names_that_a_definition_asks_for_change_a_live_plan() {
        let stream = |name: &str, columns: &[&str]| {
            let column = |c: &&str| ColumnInfo { name: c.to_string(), kind: ColumnKind::Num { scale: 0 } };
            StreamInfo { name: name.to_string(), columns: columns.iter().map(column).collect() }
        };
        let plan = |when: &str, streams: &[StreamInfo]| {
            let text = format!("version: 1\nsegments:\n  - {{ id: a, when: '{when}' }}\n");
            let (library, problems) = gyul_segment::load(&[("a.yaml".into(), text)], None);
            assert!(problems.is_empty(), "{problems:?}");
            Plan::compile_live(&library, streams)
        };
        let before = [stream(names::ORDER, &["total"]), stream("identify", &[])];
        let after =
            [stream(names::ORDER, &["total", "coupon"]), stream("identify", &["tier"]), stream(names::VIEW, &["page"])];
        let changes = |when: &str| {
            let plan = plan(when, &before);
            let asks = |streams: &[u32], columns: &[(u32, u32)]| u8::from(plan.asks_for(&after, streams, columns));
            // A coupon, a finer total, a tier, the first view with its page.
            [asks(&[], &[(0, 1)]), asks(&[], &[(0, 0)]), asks(&[], &[(1, 0)]), asks(&[2], &[(2, 0)])]
        };
        assert_eq!(changes("count(order) > 1"), [0, 0, 0, 0]);
        assert_eq!(changes("count(order where coupon > 1) > 1"), [1, 0, 0, 0]);
        assert_eq!(changes("sum(order.total) > 1"), [0, 1, 0, 0]);
        assert_eq!(changes("tier > 1"), [0, 0, 1, 0]);
        assert_eq!(changes("count(view where page > 1) > 1"), [0, 0, 0, 1]);
        assert_eq!(changes("count(any) > 1"), [0, 0, 0, 1]);
        assert_eq!(changes("count(any where coupon > 1) > 1"), [1, 0, 0, 1]);
    }
}
