//! What came since the base was made: rows of each stream in order of arrival, and for each customer which are its own.

use gyul_model::{
    ColumnData, ColumnInfo, ColumnKind, Event, Ints, POW10, Snapshot, Stream, StreamInfo, TextColumn, Value,
};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Fresh rows of one stream. Values are as in [`ColumnData`], all of them in 64 bits.
#[derive(Clone, Debug, Default)]
pub struct FreshStream {
    rows: u32,
    pub columns: Vec<Vec<i64>>,
    /// Codes by text of the columns that hold texts.
    dicts: Vec<HashTable<u32>>,
    /// Columns by name.
    names: FxHashMap<String, usize>,
}

/// A fresh row among those of its customer: all that most questions ask, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub stream: u32,
    pub ts: i64,
    pub seq: u32,
    /// Where its values are in the stream's columns.
    pub row: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Fresh {
    pub streams: Vec<FreshStream>,
    names: FxHashMap<String, usize>,
    /// The fresh rows of each customer by number, stream by stream, in the order of (ts, seq).
    own: Vec<Vec<Entry>>,
    /// Customers with fresh rows, in order of their first.
    touched: Vec<u32>,
}

/// What new events did to the shape of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub streams: Vec<u32>,
    /// Stream and column that is new or has another scale.
    pub columns: Vec<(u32, u32)>,
}

impl Shape {
    pub fn changed(&self) -> bool {
        !self.streams.is_empty() || !self.columns.is_empty()
    }
}

fn hash(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
}

fn index(dict: &TextColumn) -> HashTable<u32> {
    let mut table = HashTable::with_capacity(dict.len());
    for i in 0..dict.len() {
        if let Some(t) = dict.get(i) {
            table.insert_unique(hash(t), i as u32, |i| hash(dict.get(*i as usize).unwrap_or("")));
        }
    }
    table
}

impl Fresh {
    pub fn new(data: &Snapshot) -> Fresh {
        let mut fresh = Fresh::default();
        for (s, info) in data.streams.iter().enumerate() {
            fresh.names.insert(info.name.clone(), s);
            fresh.streams.push(FreshStream::new(info));
        }
        fresh
    }

    pub fn rows(&self) -> usize {
        self.streams.iter().map(|s| s.rows as usize).sum()
    }

    pub fn own(&self, number: u32) -> &[Entry] {
        self.own.get(number as usize).map_or(&[], Vec::as_slice)
    }

    pub fn is_touched(&self, number: u32) -> bool {
        !self.own(number).is_empty()
    }

    /// Customers with fresh rows, or whose rows were forgotten.
    pub fn touched(&self) -> impl Iterator<Item = u32> + '_ {
        self.touched.iter().copied()
    }

    /// Forgets all rows; names and dictionaries stay.
    pub fn clear(&mut self) {
        for s in &mut self.streams {
            s.rows = 0;
            s.columns.iter_mut().for_each(|c| *c = vec![]);
        }
        self.own = vec![];
        self.touched = vec![];
    }

    /// Forgets the rows of one customer.
    pub fn forget(&mut self, number: u32) {
        if let Some(own) = self.own.get_mut(number as usize) {
            *own = vec![];
        }
    }

    /// Takes in an event; values of another kind than their column's are left out. Gives the stream.
    pub fn push(&mut self, data: &mut Snapshot, number: u32, e: &Event, shape: &mut Shape) -> u32 {
        let s = match self.names.get(&e.name) {
            Some(s) => *s,
            None => {
                let s = self.add_stream(data, &e.name);
                shape.streams.push(s as u32);
                s
            }
        };
        let stream = &mut self.streams[s];
        let row = stream.rows;
        stream.rows += 1;
        let infos = &data.streams[s].columns;
        stream.columns.iter_mut().zip(infos).for_each(|(c, info)| c.push(unknown(&info.kind)));
        for (name, value) in &e.props {
            let c = match self.streams[s].names.get(name) {
                Some(c) => *c,
                None => {
                    let c = self.add_column(data, s, name, value);
                    shape.columns.push((s as u32, c as u32));
                    c
                }
            };
            let stream = &mut self.streams[s];
            if let (ColumnKind::Num { scale }, Value::Num(d)) = (&data.streams[s].columns[c].kind, value)
                && d.scale() > *scale
            {
                shape.columns.push((s as u32, c as u32));
                widen(data, s, c, d.scale(), &mut stream.columns[c]);
            }
            let kind = &mut data.streams[s].columns[c].kind;
            if let Some(x) = encode(kind, &mut stream.dicts[c], value) {
                stream.columns[c][row as usize] = x;
            }
        }
        self.list(number, Entry { stream: s as u32, ts: e.ts.0, seq: e.seq as u32, row });
        s as u32
    }

    fn list(&mut self, number: u32, entry: Entry) {
        if self.own.len() <= number as usize {
            self.own.resize(number as usize + 1, vec![]);
        }
        let own = &mut self.own[number as usize];
        if own.is_empty() {
            self.touched.push(number);
        }
        let at = own.partition_point(|e| (e.stream, e.ts, e.seq) <= (entry.stream, entry.ts, entry.seq));
        own.insert(at, entry);
    }

    fn add_stream(&mut self, data: &mut Snapshot, name: &str) -> usize {
        let info = StreamInfo { name: name.to_string(), columns: vec![] };
        for bucket in data.buckets.iter_mut().map(Arc::make_mut) {
            bucket.streams.push(Arc::new(Stream::empty(bucket.customers.len(), &info)));
        }
        self.streams.push(FreshStream::new(&info));
        data.streams.push(info);
        self.names.insert(name.to_string(), data.streams.len() - 1);
        data.streams.len() - 1
    }

    fn add_column(&mut self, data: &mut Snapshot, s: usize, name: &str, value: &Value) -> usize {
        let kind = match value {
            Value::Bool(_) => ColumnKind::Bool,
            Value::Num(d) => ColumnKind::Num { scale: d.scale() },
            Value::Instant(_) => ColumnKind::Instant,
            Value::Text(_) => ColumnKind::Text(Arc::default()),
            Value::List(_) => ColumnKind::List(Arc::default()),
        };
        let stream = &mut self.streams[s];
        stream.columns.push(vec![unknown(&kind); stream.rows as usize]);
        stream.dicts.push(HashTable::new());
        stream.names.insert(name.to_string(), stream.columns.len() - 1);
        let info = ColumnInfo { name: name.to_string(), kind };
        // The base's rows do not know it, and need no room for it.
        data.streams[s].columns.push(info);
        data.streams[s].columns.len() - 1
    }
}

impl FreshStream {
    fn new(info: &StreamInfo) -> FreshStream {
        let mut out = FreshStream::default();
        for (c, column) in info.columns.iter().enumerate() {
            out.columns.push(vec![]);
            out.names.insert(column.name.clone(), c);
            out.dicts.push(match &column.kind {
                ColumnKind::Text(d) | ColumnKind::List(d) => index(d),
                _ => HashTable::new(),
            });
        }
        out
    }
}

/// How the unknown is written.
pub fn unknown(kind: &ColumnKind) -> i64 {
    match kind {
        ColumnKind::Bool => 2,
        ColumnKind::Num { .. } | ColumnKind::Instant => i64::MIN,
        ColumnKind::Text(_) | ColumnKind::List(_) => 0,
    }
}

fn encode(kind: &mut ColumnKind, table: &mut HashTable<u32>, value: &Value) -> Option<i64> {
    let joined;
    let (dict, text) = match (kind, value) {
        (ColumnKind::Bool, Value::Bool(b)) => return Some((*b).into()),
        (ColumnKind::Num { scale }, Value::Num(d)) => return d.at_scale(*scale),
        (ColumnKind::Instant, Value::Instant(t)) => return Some(t.0),
        (ColumnKind::Text(dict), Value::Text(t)) => (dict, t.as_str()),
        (ColumnKind::List(dict), Value::List(l)) => {
            joined = l.join("\u{1f}");
            (dict, joined.as_str())
        }
        _ => return None,
    };
    let h = hash(text);
    if let Some(i) = table.find(h, |i| dict.get(*i as usize) == Some(text)) {
        return Some(i64::from(*i) + 1);
    }
    let dict = Arc::make_mut(dict);
    dict.push(Some(text));
    let i = dict.len() as u32 - 1;
    table.insert_unique(h, i, |i| hash(dict.get(*i as usize).unwrap_or("")));
    Some(i64::from(i) + 1)
}

/// A number with more places than its column has: the column moves to the finer scale.
fn widen(data: &mut Snapshot, s: usize, c: usize, to: u8, fresh: &mut [i64]) {
    let ColumnKind::Num { scale } = &mut data.streams[s].columns[c].kind else { return };
    let factor = POW10[(to - *scale) as usize];
    *scale = to;
    let wider = |m: i64| if m == i64::MIN { m } else { m.checked_mul(factor).unwrap_or(i64::MIN) };
    fresh.iter_mut().for_each(|m| *m = wider(*m));
    for bucket in &mut data.buckets {
        let stream = &bucket.streams[s];
        let Some(ColumnData::Num(ints)) = stream.columns.get(c) else { continue };
        let values: Vec<i64> = (0..stream.ts.len()).map(|i| wider(ints.get(i))).collect();
        let stream = Arc::make_mut(&mut Arc::make_mut(bucket).streams[s]);
        stream.columns[c] = ColumnData::Num(Ints::pack(&values));
    }
}
