//! A bucket's events while they are merged: columns that grow, texts as codes of the bucket's own dictionaries.

use crate::interner::Interner;
use gyul_model::{Column, POW10, StreamBatch, TextColumn};
use rustc_hash::FxHashSet;

/// The kinds of columns on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Numbers; the scale is the file's.
    Num,
    Instant,
    Text,
    List,
}

impl Kind {
    pub fn of(c: &Column) -> Kind {
        match c {
            Column::Bool(_) => Kind::Bool,
            Column::Num { .. } => Kind::Num,
            Column::Instant(_) => Kind::Instant,
            Column::Text(_) => Kind::Text,
            Column::List(_) => Kind::List,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Num => "num",
            Kind::Instant => "instant",
            Kind::Text => "text",
            Kind::List => "list",
        }
    }

    pub fn parse(name: &str) -> Option<Kind> {
        [Kind::Bool, Kind::Num, Kind::Instant, Kind::Text, Kind::List].into_iter().find(|k| k.name() == name)
    }
}

/// Values of one property. Unknown: 2, `i64::MIN`, or code 0 (text c has code c + 1).
#[derive(Clone, Debug)]
pub struct Values {
    pub name: String,
    pub kind: Kind,
    pub scale: u8,
    /// Bools, numbers, instants.
    pub ints: Vec<i64>,
    pub codes: Vec<u32>,
    pub dict: Interner,
}

impl Values {
    pub fn new(name: &str, kind: Kind) -> Values {
        Values { name: name.into(), kind, scale: 0, ints: vec![], codes: vec![], dict: Interner::default() }
    }

    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::List)
    }

    fn unknown(&self) -> i64 {
        if self.kind == Kind::Bool { 2 } else { i64::MIN }
    }

    /// Fills up with unknown values to this length.
    pub fn pad(&mut self, len: usize) {
        if self.is_text() { self.codes.resize(len, 0) } else { self.ints.resize(len, self.unknown()) }
    }

    /// Makes room for numbers of a larger scale. What would need more than 18 digits then becomes unknown.
    pub fn widen(&mut self, scale: u8) {
        if scale <= self.scale || self.kind != Kind::Num {
            return;
        }
        let p = POW10[(scale - self.scale) as usize];
        let known = self.ints.iter_mut().filter(|v| **v != i64::MIN);
        known.for_each(|v| *v = v.checked_mul(p).unwrap_or(i64::MIN));
        self.scale = scale;
    }

    pub fn text(&mut self, t: Option<&str>) {
        let code = t.map_or(0, |t| self.dict.code(t) + 1);
        self.codes.push(code);
    }

    pub fn text_at(&self, i: usize) -> Option<&str> {
        let code = self.codes[i].checked_sub(1)?;
        Some(self.dict.texts.get(code))
    }

    /// Takes these rows of a column of the same kind, whose scale is no larger.
    fn extend_from(&mut self, c: &Column, rows: &[u32]) {
        let rows = rows.iter().map(|i| *i as usize);
        match c {
            Column::Bool(v) => self.ints.extend(rows.map(|i| v[i].map_or(2, i64::from))),
            Column::Num { scale, mantissas } if *scale == self.scale => self.ints.extend(rows.map(|i| mantissas[i])),
            Column::Num { scale, mantissas } => {
                let by = POW10[(self.scale - scale) as usize];
                let scaled = |m: i64| if m == i64::MIN { m } else { m.checked_mul(by).unwrap_or(i64::MIN) };
                self.ints.extend(rows.map(|i| scaled(mantissas[i])));
            }
            Column::Instant(v) => self.ints.extend(rows.map(|i| v[i])),
            // An empty list says nothing.
            Column::Text(t) | Column::List(t) => {
                let list = self.kind == Kind::List;
                let dict = &mut self.dict;
                let code = |text: Option<&str>| text.filter(|t| !list || !t.is_empty()).map_or(0, |t| dict.code(t) + 1);
                self.codes.extend(coded(t, rows, code));
            }
        }
    }
}

/// What `code` makes of a column's rows. A row that repeats the one before is not looked up.
fn coded(
    column: &TextColumn,
    rows: impl Iterator<Item = usize>,
    mut code: impl FnMut(Option<&str>) -> u32,
) -> impl Iterator<Item = u32> {
    let mut last = None;
    rows.map(move |i| match last {
        Some((same, found)) if same == column.code(i) => found,
        _ => {
            let found = code(column.get(i));
            last = Some((column.code(i), found));
            found
        }
    })
}

/// Events of one name.
#[derive(Clone, Debug, Default)]
pub struct StreamRows {
    pub name: String,
    /// Index in the bucket's customers.
    pub customer: Vec<u32>,
    pub ts: Vec<i64>,
    pub seq: Vec<u32>,
    pub id: Vec<u64>,
    /// Rows, ascending, that other rows merely imply: of fresh events only.
    pub implied: Vec<u32>,
    pub columns: Vec<Values>,
}

impl StreamRows {
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// The column of a property, made if it is new.
    pub fn column(&mut self, name: &str, kind: Kind) -> usize {
        if let Some(i) = self.columns.iter().position(|c| c.name == name) {
            return i;
        }
        let mut c = Values::new(name, kind);
        c.pad(self.len());
        self.columns.push(c);
        self.columns.len() - 1
    }

    pub fn find(&self, name: &str) -> Option<&Values> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// These rows, ascending, and no others.
    pub fn keep(&mut self, rows: &[u32]) {
        fn keep<T: Copy>(v: &mut Vec<T>, rows: &[u32]) {
            rows.iter().enumerate().for_each(|(to, from)| v[to] = v[*from as usize]);
            v.truncate(rows.len());
        }
        if rows.len() == self.len() {
            return;
        }
        for c in &mut self.columns {
            if c.is_text() { keep(&mut c.codes, rows) } else { keep(&mut c.ints, rows) }
        }
        keep(&mut self.customer, rows);
        keep(&mut self.ts, rows);
        keep(&mut self.seq, rows);
        keep(&mut self.id, rows);
        self.implied.clear();
    }

    /// These rows, in this order.
    pub fn select(self, rows: &[u32]) -> StreamRows {
        let pick = |v: &[i64]| rows.iter().map(|i| v[*i as usize]).collect();
        let columns = self.columns.into_iter().map(|c| Values {
            ints: if c.is_text() { vec![] } else { pick(&c.ints) },
            codes: if c.is_text() { rows.iter().map(|i| c.codes[*i as usize]).collect() } else { vec![] },
            ..c
        });
        StreamRows {
            name: self.name,
            customer: rows.iter().map(|i| self.customer[*i as usize]).collect(),
            ts: pick(&self.ts),
            seq: rows.iter().map(|i| self.seq[*i as usize]).collect(),
            id: rows.iter().map(|i| self.id[*i as usize]).collect(),
            implied: vec![],
            columns: columns.collect(),
        }
    }
}

/// A bucket's customers and events.
#[derive(Clone, Debug, Default)]
pub struct BucketRows {
    pub customers: Interner,
    pub streams: Vec<StreamRows>,
}

impl BucketRows {
    pub fn stream(&mut self, name: &str) -> usize {
        if let Some(i) = self.streams.iter().position(|s| s.name == name) {
            return i;
        }
        self.streams.push(StreamRows { name: name.into(), ..StreamRows::default() });
        self.streams.len() - 1
    }

    /// Takes rows `rows` of a batch whose first row has the number `seq`.
    pub fn append(&mut self, batch: &StreamBatch, rows: &[u32], seq: u64, implied: bool) {
        let at = self.stream(&batch.name);
        let columns: Vec<usize> = batch
            .props
            .iter()
            .map(|(name, c)| {
                let i = self.streams[at].column(name, Kind::of(c));
                if let Column::Num { scale, .. } = c {
                    self.streams[at].columns[i].widen(*scale);
                }
                i
            })
            .collect();
        let s = &mut self.streams[at];
        if implied {
            s.implied.extend(s.ts.len() as u32..(s.ts.len() + rows.len()) as u32);
        }
        let places = || rows.iter().map(|i| *i as usize);
        s.customer.extend(coded(&batch.customer, places(), |t| self.customers.code(t.unwrap_or(""))));
        s.ts.extend(places().map(|i| batch.ts[i]));
        s.id.extend(places().map(|i| batch.id[i]));
        // Even numbers: what is derived from an event comes right behind it.
        let given = |row: u32| batch.seq.get(row as usize).copied();
        s.seq.extend(rows.iter().map(|row| given(*row).unwrap_or(seq + 2 * u64::from(*row)) as u32));
        for (c, (_, data)) in columns.iter().zip(&batch.props) {
            s.columns[*c].extend_from(data, rows);
        }
        let len = s.ts.len();
        s.columns.iter_mut().for_each(|c| c.pad(len));
    }

    /// The bucket without some customers, and how many rows they had.
    pub fn without(self, gone: &FxHashSet<String>) -> (BucketRows, u64) {
        if !self.customers.texts.iter().any(|t| gone.contains(t)) {
            return (self, 0);
        }
        let mut out = BucketRows::default();
        let keep = |t: &str| (!gone.contains(t)).then(|| out.customers.code(t));
        let places: Vec<Option<u32>> = self.customers.texts.iter().map(keep).collect();
        let mut removed = 0;
        for s in self.streams {
            let stays = |i: &u32| places[s.customer[*i as usize] as usize].is_some();
            let rows: Vec<u32> = (0..s.len() as u32).filter(stays).collect();
            removed += (s.len() - rows.len()) as u64;
            let mut s = s;
            s.keep(&rows);
            s.customer.iter_mut().for_each(|c| *c = places[*c as usize].unwrap_or_default());
            out.streams.push(s);
        }
        (out, removed)
    }

    /// Bytes held, roughly: rows, and texts with their look-up.
    pub fn weight(&self) -> usize {
        let texts = |d: &Interner| d.texts.len() * 80;
        let stream = |s: &StreamRows| {
            s.len() * (24 + 6 * s.columns.len()) + s.columns.iter().map(|c| texts(&c.dict)).sum::<usize>()
        };
        texts(&self.customers) + self.streams.iter().map(stream).sum::<usize>()
    }
}
