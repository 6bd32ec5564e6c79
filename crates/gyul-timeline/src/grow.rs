//! Dictionaries that grow while a plan lives: its tables by code go on where they ended.
//!
//! A batch plan folds what the data at hand can never satisfy. A plan for live data ([`Plan::compile_live`]) may not:
//! the text that a condition waits for can come with the next event.

use crate::plan::Plan;
use gyul_model::{ColumnKind, Date, StreamInfo, TextColumn};
use rustc_hash::FxHashMap;
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
    /// Lengths of the dictionaries that the tables cover.
    lens: Vec<usize>,
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
