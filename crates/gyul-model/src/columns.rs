//! Timelines of many customers in memory: one stream per event name, columns sorted by `(customer, ts, seq)`.
//!
//! A *bucket* holds all streams of its customers; buckets share nothing but the dictionaries.
//! `gyul-store` fills these from files, `gyul-timeline` evaluates over them; neither sees the other.

use crate::{Event, Instant, TextColumn, Timeline, Value, names};
use std::sync::Arc;

/// All that is known, or as much of it as was asked for.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `streams[s].columns[c]` describes `buckets[b].streams[s].columns[c]`.
    pub streams: Vec<StreamInfo>,
    /// Shared, so that a copy of all that is known costs nothing.
    pub buckets: Vec<Arc<Bucket>>,
    /// When things became known: `(first seq, instant)`, ascending. `known at K` is a bound on `seq`.
    pub arrivals: Vec<(u64, Instant)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// The event's name. The stream `identify` holds traits: one column a trait, unknown where the event does not set it.
    pub name: String,
    pub columns: Vec<ColumnInfo>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ColumnInfo {
    pub name: String,
    pub kind: ColumnKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    Bool,
    /// Mantissas at this scale.
    Num {
        scale: u8,
    },
    Instant,
    /// Codes into the dictionary, shared by all buckets; code 0 is unknown, code c is `dict.get(c - 1)`.
    Text(Arc<TextColumn>),
    /// Like `Text`; each entry is the items joined with U+001F.
    List(Arc<TextColumn>),
}

/// A share of the customers with everything about them.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Ascending by id.
    pub customers: TextColumn,
    /// [`Timeline::exists_from`] of each customer.
    pub exists_from: Vec<i64>,
    /// Shared one by one: a new one beside them copies none.
    pub streams: Vec<Arc<Stream>>,
}

/// The events of one name of a bucket's customers. Customer `c` owns the rows `offsets[c]..offsets[c + 1]`.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub offsets: Vec<u32>,
    pub ts: Vec<i64>,
    pub seq: Vec<u32>,
    /// Of columns that came up later the last ones may be missing: all unknown.
    pub columns: Vec<ColumnData>,
}

#[derive(Clone, Debug)]
pub enum ColumnData {
    /// 0, 1, or 2 for unknown.
    Bool(Vec<u8>),
    Num(Ints),
    /// `i64::MIN` is unknown.
    Instant(Vec<i64>),
    /// Texts and lists.
    Codes(Codes),
}

/// Integers in the narrowest width that holds them; the type's minimum is unknown.
#[derive(Clone, Debug)]
pub enum Ints {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

/// Dictionary codes in the narrowest width that holds them; 0 is unknown.
#[derive(Clone, Debug)]
pub enum Codes {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Ints {
    /// Packs mantissas (`i64::MIN` unknown) as narrowly as they go.
    pub fn pack(values: &[i64]) -> Ints {
        let known = values.iter().filter(|v| **v != i64::MIN);
        let (min, max) = known.fold((0, 0), |(lo, hi), &v| (lo.min(v), hi.max(v)));
        // A type's minimum is taken: -128 does not fit the 8-bit form.
        let fits = |lo: i64, hi: i64| min > lo && max <= hi;
        if fits(i8::MIN.into(), i8::MAX.into()) {
            Ints::I8(values.iter().map(|&v| if v == i64::MIN { i8::MIN } else { v as i8 }).collect())
        } else if fits(i16::MIN.into(), i16::MAX.into()) {
            Ints::I16(values.iter().map(|&v| if v == i64::MIN { i16::MIN } else { v as i16 }).collect())
        } else if fits(i32::MIN.into(), i32::MAX.into()) {
            Ints::I32(values.iter().map(|&v| if v == i64::MIN { i32::MIN } else { v as i32 }).collect())
        } else {
            Ints::I64(values.to_vec())
        }
    }

    /// `i64::MIN` is unknown, whatever the width.
    #[inline]
    pub fn get(&self, i: usize) -> i64 {
        fn wide<T: Copy + Into<i64> + PartialEq>(v: T, unknown: T) -> i64 {
            if v == unknown { i64::MIN } else { v.into() }
        }
        match self {
            Ints::I8(v) => wide(v[i], i8::MIN),
            Ints::I16(v) => wide(v[i], i16::MIN),
            Ints::I32(v) => wide(v[i], i32::MIN),
            Ints::I64(v) => v[i],
        }
    }
}

impl Codes {
    pub fn pack(codes: &[u32]) -> Codes {
        match codes.iter().copied().max().unwrap_or(0) {
            0..=0xff => Codes::U8(codes.iter().map(|&c| c as u8).collect()),
            0x100..=0xffff => Codes::U16(codes.iter().map(|&c| c as u16).collect()),
            _ => Codes::U32(codes.to_vec()),
        }
    }

    #[inline]
    pub fn get(&self, i: usize) -> u32 {
        match self {
            Codes::U8(v) => v[i].into(),
            Codes::U16(v) => v[i].into(),
            Codes::U32(v) => v[i],
        }
    }
}

impl Stream {
    /// A stream without events for so many customers.
    pub fn empty(customers: usize, info: &StreamInfo) -> Stream {
        let column = |c: &ColumnInfo| match c.kind {
            ColumnKind::Bool => ColumnData::Bool(vec![]),
            ColumnKind::Num { .. } => ColumnData::Num(Ints::I8(vec![])),
            ColumnKind::Instant => ColumnData::Instant(vec![]),
            ColumnKind::Text(_) | ColumnKind::List(_) => ColumnData::Codes(Codes::U8(vec![])),
        };
        let columns = info.columns.iter().map(column).collect();
        Stream { offsets: vec![0; customers + 1], ts: vec![], seq: vec![], columns }
    }

    #[inline]
    pub fn rows(&self, customer: usize) -> std::ops::Range<usize> {
        self.offsets[customer] as usize..self.offsets[customer + 1] as usize
    }
}

impl Bucket {
    /// With the events of stream `s` that `keep(s, ts, seq)` says.
    fn with(&self, keep: &dyn Fn(usize, i64, u32) -> bool) -> Bucket {
        let n = self.customers.len();
        let mut out = Bucket { customers: self.customers.clone(), exists_from: vec![i64::MAX; n], streams: vec![] };
        for (number, s) in self.streams.iter().enumerate() {
            let kept = |c: usize| s.rows(c).filter(|i| keep(number, s.ts[*i], s.seq[*i]));
            let mut offsets = vec![0];
            let mut rows: Vec<usize> = vec![];
            for c in 0..n {
                rows.extend(kept(c));
                offsets.push(rows.len() as u32);
                for i in kept(c) {
                    // The first dated event; of undated ones alone, always.
                    let (from, ts) = (&mut out.exists_from[c], s.ts[i]);
                    let (undated, was_undated) = (ts == Instant::ALWAYS.0, *from == Instant::ALWAYS.0);
                    *from = match (undated, was_undated) {
                        (true, _) if *from != i64::MAX => *from,
                        (false, true) => ts,
                        _ => ts.min(*from),
                    };
                }
            }
            let column = |c: &ColumnData| match c {
                ColumnData::Bool(v) => ColumnData::Bool(rows.iter().map(|i| v[*i]).collect()),
                ColumnData::Instant(v) => ColumnData::Instant(rows.iter().map(|i| v[*i]).collect()),
                ColumnData::Num(v) => ColumnData::Num(Ints::pack(&rows.iter().map(|i| v.get(*i)).collect::<Vec<_>>())),
                ColumnData::Codes(v) => {
                    ColumnData::Codes(Codes::pack(&rows.iter().map(|i| v.get(*i)).collect::<Vec<_>>()))
                }
            };
            out.streams.push(Arc::new(Stream {
                offsets,
                ts: rows.iter().map(|i| s.ts[*i]).collect(),
                seq: rows.iter().map(|i| s.seq[*i]).collect(),
                columns: s.columns.iter().map(column).collect(),
            }));
        }
        out
    }

    /// The index of a customer.
    pub fn find(&self, customer: &str) -> Option<usize> {
        let (mut lo, mut hi) = (0, self.customers.len());
        while lo < hi {
            let mid = (lo + hi) / 2;
            match self.customers.get(mid).unwrap_or("").cmp(customer) {
                std::cmp::Ordering::Equal => return Some(mid),
                std::cmp::Ordering::Less => lo = mid + 1,
                std::cmp::Ordering::Greater => hi = mid,
            }
        }
        None
    }
}

impl ColumnInfo {
    /// The value in a row, as the outside world sees it.
    pub fn value(&self, data: &ColumnData, i: usize) -> Option<Value> {
        match (&self.kind, data) {
            (ColumnKind::Bool, ColumnData::Bool(v)) => (v[i] < 2).then_some(Value::Bool(v[i] == 1)),
            (ColumnKind::Num { scale }, ColumnData::Num(v)) => {
                let m = v.get(i);
                (m != i64::MIN).then(|| Value::Num(crate::Decimal::new(m, *scale)))
            }
            (ColumnKind::Instant, ColumnData::Instant(v)) => {
                (v[i] != i64::MIN).then_some(Value::Instant(Instant(v[i])))
            }
            (ColumnKind::Text(dict), ColumnData::Codes(v)) => {
                let code = v.get(i).checked_sub(1)?;
                Some(Value::Text(dict.get(code as usize)?.to_string()))
            }
            (ColumnKind::List(dict), ColumnData::Codes(v)) => {
                let code = v.get(i).checked_sub(1)?;
                Some(Value::List(dict.get(code as usize)?.split('\u{1f}').map(str::to_string).collect()))
            }
            _ => None,
        }
    }
}

impl Snapshot {
    pub fn customers(&self) -> usize {
        self.buckets.iter().map(|b| b.customers.len()).sum()
    }

    pub fn events(&self) -> usize {
        self.buckets.iter().flat_map(|b| &b.streams).map(|s| s.ts.len()).sum()
    }

    /// Events that are not traits.
    pub fn events_beside_traits(&self) -> u64 {
        let kinds = (0..self.streams.len()).filter(|s| self.streams[*s].name != names::IDENTIFY);
        kinds.flat_map(|s| self.buckets.iter().map(move |b| b.streams[s].ts.len() as u64)).sum()
    }

    /// Where a customer is: `(bucket, index)`.
    pub fn find(&self, customer: &str) -> Option<(usize, usize)> {
        self.buckets.iter().enumerate().find_map(|(b, bucket)| Some((b, bucket.find(customer)?)))
    }

    /// One customer's timeline in its plain form: for explanations, exports and the reference evaluator.
    pub fn timeline(&self, bucket: usize, customer: usize) -> Timeline {
        let b = &self.buckets[bucket];
        let mut events = vec![];
        for (info, stream) in self.streams.iter().zip(&b.streams) {
            for i in stream.rows(customer) {
                let props = info.columns.iter().zip(&stream.columns);
                let props = props.filter_map(|(c, data)| Some((c.name.clone(), c.value(data, i)?))).collect();
                events.push(Event {
                    ts: Instant(stream.ts[i]),
                    seq: stream.seq[i].into(),
                    name: info.name.clone(),
                    props,
                });
            }
        }
        Timeline::new(b.customers.get(customer).unwrap_or(""), events)
    }

    /// The first `seq` that was not yet known at `at`: what `known at` leaves out.
    pub fn seq_known_at(&self, at: Instant) -> u64 {
        self.arrivals.iter().find(|(_, t)| *t > at).map_or(u64::MAX, |(seq, _)| *seq)
    }

    /// What was known before the log reached this position: events that arrived later are left out.
    pub fn known_before(&self, seq: u64) -> Snapshot {
        self.with(&|_, _, s| u64::from(s) < seq)
    }

    /// Without the events before an instant; traits stay.
    pub fn since(&self, from: Instant) -> Snapshot {
        let traits = self.streams.iter().position(|s| s.name == names::IDENTIFY);
        self.with(&|stream, ts, _| Some(stream) == traits || ts >= from.0)
    }

    fn with(&self, keep: &dyn Fn(usize, i64, u32) -> bool) -> Snapshot {
        let buckets = self.buckets.iter().map(|b| Arc::new(b.with(keep))).collect();
        Snapshot { streams: self.streams.clone(), buckets, arrivals: self.arrivals.clone() }
    }

    /// Builds a snapshot from plain timelines, for tests and small data. Each property's kind is that of its first
    /// value; later values of another kind are left out (ingest rejects such rows).
    pub fn from_timelines(timelines: &[Timeline], buckets: usize) -> Snapshot {
        build::from_timelines(timelines, buckets)
    }
}

mod build {
    use super::*;
    use std::collections::BTreeMap;

    struct Builder {
        kind: ColumnKind,
        dict: BTreeMap<String, u32>,
    }

    fn kind_of(v: &Value) -> ColumnKind {
        match v {
            Value::Bool(_) => ColumnKind::Bool,
            Value::Num(_) => ColumnKind::Num { scale: 0 },
            Value::Instant(_) => ColumnKind::Instant,
            Value::Text(_) => ColumnKind::Text(Arc::default()),
            Value::List(_) => ColumnKind::List(Arc::default()),
        }
    }

    fn text_of(v: &Value) -> Option<String> {
        match v {
            Value::Text(t) => Some(t.clone()),
            Value::List(l) => Some(l.join("\u{1f}")),
            _ => None,
        }
    }

    pub fn from_timelines(timelines: &[Timeline], buckets: usize) -> Snapshot {
        let mut schema: BTreeMap<&str, BTreeMap<&str, Builder>> = BTreeMap::new();
        schema.entry(names::IDENTIFY).or_default();
        for e in timelines.iter().flat_map(|t| &t.events) {
            let columns = schema.entry(&e.name).or_default();
            for (name, v) in &e.props {
                let b = columns.entry(name).or_insert_with(|| Builder { kind: kind_of(v), dict: BTreeMap::new() });
                if let (ColumnKind::Num { scale }, Value::Num(d)) = (&mut b.kind, v) {
                    *scale = (*scale).max(d.scale());
                }
                if let (ColumnKind::Text(_), Value::Text(_)) | (ColumnKind::List(_), Value::List(_)) = (&b.kind, v) {
                    let next = b.dict.len() as u32 + 1;
                    b.dict.entry(text_of(v).unwrap_or_default()).or_insert(next);
                }
            }
        }
        for b in schema.values_mut().flat_map(|c| c.values_mut()) {
            let mut texts: Vec<(&str, u32)> = b.dict.iter().map(|(t, c)| (t.as_str(), *c)).collect();
            texts.sort_by_key(|(_, c)| *c);
            let mut dict = TextColumn::default();
            texts.iter().for_each(|(t, _)| dict.push(Some(t)));
            match &mut b.kind {
                ColumnKind::Text(d) | ColumnKind::List(d) => *d = Arc::new(dict),
                _ => {}
            }
        }
        let streams: Vec<StreamInfo> = schema
            .iter()
            .map(|(name, columns)| StreamInfo {
                name: name.to_string(),
                columns: columns
                    .iter()
                    .map(|(n, b)| ColumnInfo { name: n.to_string(), kind: b.kind.clone() })
                    .collect(),
            })
            .collect();
        let mut shares: Vec<Vec<&Timeline>> = vec![vec![]; buckets.max(1)];
        for t in timelines {
            shares[crate::bucket_of(&t.customer) % buckets.max(1)].push(t);
        }
        let mut out = Snapshot { streams, buckets: vec![], arrivals: vec![] };
        for share in &mut shares {
            share.sort_by(|a, b| a.customer.cmp(&b.customer));
            let mut bucket = Bucket::default();
            for t in share.iter() {
                bucket.customers.push(Some(&t.customer));
                // Of whom nothing is known at all does not exist yet.
                bucket.exists_from.push(t.exists_from().map_or(i64::MAX, |t| t.0));
            }
            for info in &out.streams {
                bucket.streams.push(Arc::new(stream(share, info, &schema[info.name.as_str()])));
            }
            out.buckets.push(Arc::new(bucket));
        }
        out
    }

    fn stream(share: &[&Timeline], info: &StreamInfo, columns: &BTreeMap<&str, Builder>) -> Stream {
        let mut s = Stream { offsets: vec![0], ..Stream::default() };
        let mut events = vec![];
        for t in share {
            events.extend(t.events.iter().filter(|e| e.name == info.name));
            s.offsets.push(events.len() as u32);
        }
        s.ts = events.iter().map(|e| e.ts.0).collect();
        s.seq = events.iter().map(|e| e.seq as u32).collect();
        for c in &info.columns {
            let dict = &columns[c.name.as_str()].dict;
            let values = || events.iter().map(|e| e.prop(&c.name));
            s.columns.push(match &c.kind {
                ColumnKind::Bool => ColumnData::Bool(
                    values()
                        .map(|v| match v {
                            Some(Value::Bool(b)) => u8::from(*b),
                            _ => 2,
                        })
                        .collect(),
                ),
                ColumnKind::Num { scale } => {
                    let mantissas: Vec<i64> = values()
                        .map(|v| match v {
                            Some(Value::Num(d)) => d.at_scale(*scale).unwrap_or(i64::MIN),
                            _ => i64::MIN,
                        })
                        .collect();
                    ColumnData::Num(Ints::pack(&mantissas))
                }
                ColumnKind::Instant => ColumnData::Instant(
                    values()
                        .map(|v| match v {
                            Some(Value::Instant(t)) => t.0,
                            _ => i64::MIN,
                        })
                        .collect(),
                ),
                ColumnKind::Text(_) | ColumnKind::List(_) => {
                    let is_list = matches!(c.kind, ColumnKind::List(_));
                    let code = |v: Option<&Value>| match v {
                        Some(v) if is_list == matches!(v, Value::List(_)) => {
                            text_of(v).and_then(|t| dict.get(&t).copied()).unwrap_or(0)
                        }
                        _ => 0,
                    };
                    ColumnData::Codes(Codes::pack(&values().map(code).collect::<Vec<_>>()))
                }
            });
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decimal;

    #[test]
    fn timelines_come_back_as_they_went_in() {
        let e = |ts, seq, name: &str, props: &[(&str, Value)]| Event {
            ts: Instant(ts),
            seq,
            name: name.into(),
            props: props.iter().map(|(n, v)| (n.to_string(), v.clone())).collect(),
        };
        let list = Value::List(vec!["a".into(), "b".into()]);
        let mut timelines: Vec<Timeline> = (0..50)
            .map(|c| {
                Timeline::new(
                    format!("c{c}"),
                    vec![
                        e(
                            5,
                            0,
                            "order",
                            &[("total", Value::Num(Decimal::new(1234 + c, 2))), ("coupon", Value::Bool(c % 2 == 0))],
                        ),
                        e(3, 1, "order", &[("total", Value::Num(Decimal::new(-c, 0)))]),
                        e(4, 2, "identify", &[("city", Value::text(format!("city{}", c % 3))), ("tags", list.clone())]),
                        e(9, 3, "seen", &[("at", Value::Instant(Instant(c)))]),
                    ],
                )
            })
            .collect();
        timelines.push(Timeline::new("nobody", vec![]));
        let s = Snapshot::from_timelines(&timelines, 4);
        assert_eq!((s.customers(), s.events()), (51, 200));
        for t in &timelines {
            let (b, c) = s.find(&t.customer).unwrap();
            let mut got = s.timeline(b, c);
            let sort = |t: &mut Timeline| t.events.iter_mut().for_each(|e| e.props.sort_by(|a, b| a.0.cmp(&b.0)));
            let mut want = t.clone();
            sort(&mut got);
            sort(&mut want);
            assert_eq!(got, want);
        }
    }
}
