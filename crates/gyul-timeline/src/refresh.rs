//! Fresh events: the timelines they touch move into a bucket of their own, and only those are evaluated again.

use crate::evaluate::{Latest, State, Timelines};
use crate::plan::Plan;
use gyul_model::{
    Bucket, Codes, ColumnData, ColumnInfo, ColumnKind, Event, Instant, Ints, POW10, Stream, StreamInfo, TextColumn,
    Value,
};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What taking in fresh events did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Customers whose timeline changed.
    pub touched: usize,
    /// A new event name, property or text came up: plans compiled before do not know it and must be compiled anew.
    pub schema_changed: bool,
}

impl Timelines {
    /// Takes in fresh events, in any order. Values of another kind than their property's are left out.
    pub fn apply(&mut self, fresh: &[(String, Event)]) -> Applied {
        let before: Vec<StreamInfo> = self.data.streams.clone();
        for (_, e) in fresh {
            self.learn(e);
        }
        let mut by_customer: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        fresh.iter().for_each(|(c, e)| by_customer.entry(c).or_default().push(e));
        let places: Vec<(Option<usize>, &str, Vec<&Event>)> =
            by_customer.into_iter().map(|(c, events)| (self.number_of(c), c, events)).collect();
        let bucket = self.overlay(&places);
        for number in places.iter().filter_map(|p| p.0) {
            self.moved.set(number);
        }
        let touched = places.len();
        self.bases.push(self.numbers());
        let words = self.moved.words.len() + touched.div_ceil(64);
        self.moved.words.resize(words, 0);
        self.latest.push(Arc::new(bucket.streams.iter().map(Latest::of).collect()));
        self.youngest.push(bucket.exists_from.iter().copied().max().unwrap_or(i64::MIN));
        self.data.buckets.push(Arc::new(bucket));
        Applied { touched, schema_changed: before != self.data.streams }
    }

    /// Brings a state of the same instant up to date after [`Timelines::apply`]: evaluates the customers that moved,
    /// finds the thresholds of ranks anew, and what depends on them. The plan must know the schema.
    pub fn refresh(&self, plan: &Plan, state: State) -> State {
        let State { answers, mut blocks, .. } = state;
        let at = answers.at;
        for b in &mut blocks {
            let base = (self.bases[b.bucket] + b.customers.start) / 64;
            b.population.iter_mut().zip(&self.moved.words[base..]).for_each(|(p, m)| *p &= !m);
            let population = &b.population;
            b.roots.iter_mut().zip(population.iter().cycle()).for_each(|(r, p)| *r &= p);
            b.saved.retain(|id, _| plan.nodes[*id as usize].layer == 0);
        }
        let known = blocks.iter().map(|b| b.bucket + 1).max().unwrap_or(0);
        let mut new: Vec<_> = self
            .tasks(known..self.data.buckets.len())
            .into_iter()
            .map(|(b, customers)| self.fresh(plan, b, customers, at))
            .collect();
        self.first_layer(plan, at, &mut new);
        blocks.append(&mut new);
        let thresholds = self.passes(plan, at, &mut blocks, 1);
        let answers = self.collect(plan, at, &blocks);
        State { answers, blocks, thresholds }
    }

    /// Makes room for an event's name, properties and texts.
    fn learn(&mut self, e: &Event) {
        let s = self.data.streams.iter().position(|s| s.name == e.name).unwrap_or_else(|| {
            let info = StreamInfo { name: e.name.clone(), columns: vec![] };
            for (b, bucket) in self.data.buckets.iter_mut().enumerate() {
                let bucket = Arc::make_mut(bucket);
                bucket.streams.push(Arc::new(Stream::empty(bucket.customers.len(), &info)));
                let each = vec![i64::MIN; bucket.customers.len()];
                Arc::make_mut(&mut self.latest[b]).push(Latest { of_all: i64::MIN, each });
            }
            self.data.streams.push(info);
            self.data.streams.len() - 1
        });
        for (name, value) in &e.props {
            let columns = &self.data.streams[s].columns;
            match columns.iter().position(|c| c.name == *name) {
                None => self.add_column(s, name, value),
                Some(c) => self.widen(s, c, value),
            }
        }
    }

    fn add_column(&mut self, s: usize, name: &str, value: &Value) {
        let kind = match value {
            Value::Bool(_) => ColumnKind::Bool,
            Value::Num(d) => ColumnKind::Num { scale: d.scale() },
            Value::Instant(_) => ColumnKind::Instant,
            Value::Text(_) => ColumnKind::Text(Arc::default()),
            Value::List(_) => ColumnKind::List(Arc::default()),
        };
        self.data.streams[s].columns.push(ColumnInfo { name: name.to_string(), kind });
        let c = self.data.streams[s].columns.len() - 1;
        self.widen(s, c, value);
    }

    /// A new text joins the dictionary; a number with more places moves the whole column to its scale.
    fn widen(&mut self, s: usize, c: usize, value: &Value) {
        match (&mut self.data.streams[s].columns[c].kind, value) {
            (ColumnKind::Text(dict), Value::Text(_)) | (ColumnKind::List(dict), Value::List(_)) => {
                let codes = self.codes.entry((s, c)).or_insert_with(|| index(dict));
                let text = stored_text(value);
                codes.entry(text).or_insert_with_key(|text| {
                    Arc::make_mut(dict).push(Some(text));
                    dict.len() as u32
                });
            }
            (ColumnKind::Num { scale }, Value::Num(d)) if d.scale() > *scale => {
                let factor = POW10[(d.scale() - *scale) as usize];
                *scale = d.scale();
                for bucket in &mut self.data.buckets {
                    let Some(ColumnData::Num(ints)) = bucket.streams[s].columns.get(c) else { continue };
                    let rescaled = |i| match ints.get(i) {
                        i64::MIN => i64::MIN,
                        m => m.checked_mul(factor).unwrap_or(i64::MIN),
                    };
                    let values: Vec<i64> = (0..bucket.streams[s].ts.len()).map(rescaled).collect();
                    let stream = Arc::make_mut(&mut Arc::make_mut(bucket).streams[s]);
                    stream.columns[c] = ColumnData::Num(Ints::pack(&values));
                }
            }
            _ => {}
        }
    }

    /// The whole timelines of some customers, with their fresh events, as a bucket.
    fn overlay(&self, places: &[(Option<usize>, &str, Vec<&Event>)]) -> Bucket {
        let mut bucket = Bucket::default();
        for (number, id, events) in places {
            bucket.customers.push(Some(id));
            let fresh = events.iter().map(|e| e.ts.0).filter(|t| *t > Instant::ALWAYS.0).min();
            let old = number.map(|n| self.place(n)).map(|(b, c)| self.data.buckets[b].exists_from[c]);
            bucket.exists_from.push(match (old.filter(|t| *t > Instant::ALWAYS.0 && *t < i64::MAX), fresh) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => a.or(b).unwrap_or(Instant::ALWAYS.0),
            });
        }
        let places: Vec<Touched> = places.iter().map(|(n, _, e)| (n.map(|n| self.place(n)), e.as_slice())).collect();
        bucket.streams =
            (0..self.data.streams.len()).into_par_iter().map(|s| Arc::new(self.overlay_stream(s, &places))).collect();
        bucket
    }

    fn overlay_stream(&self, s: usize, places: &[Touched]) -> Stream {
        let info = &self.data.streams[s];
        let mut out = Stream { offsets: vec![0], ..Stream::default() };
        let mut pieces = vec![];
        for (place, events) in places {
            let mut fresh: Vec<&Event> = events.iter().copied().filter(|e| e.name == info.name).collect();
            fresh.sort_by_key(|e| (e.ts, e.seq));
            let old = place.map(|(b, c)| (&self.data.buckets[b].streams[s], c));
            let mut rest = old.map_or(0..0, |(stream, c)| stream.rows(c));
            let len = rest.len() + fresh.len();
            for e in fresh {
                let mut at = rest.end;
                if let Some((stream, _)) = old {
                    // Fresh events are late ones, mostly.
                    while at > rest.start && (stream.ts[at - 1], stream.seq[at - 1]) > (e.ts.0, e.seq as u32) {
                        at -= 1;
                    }
                    pieces.push(Piece::Old(stream, rest.start..at));
                }
                pieces.push(Piece::Fresh(e));
                rest.start = at;
            }
            pieces.extend(old.map(|(stream, _)| Piece::Old(stream, rest)));
            out.offsets.push(out.offsets[out.offsets.len() - 1] + len as u32);
        }
        for piece in &pieces {
            match piece {
                Piece::Old(stream, rows) => {
                    out.ts.extend_from_slice(&stream.ts[rows.clone()]);
                    out.seq.extend_from_slice(&stream.seq[rows.clone()]);
                }
                Piece::Fresh(e) => {
                    out.ts.push(e.ts.0);
                    out.seq.push(e.seq as u32);
                }
            }
        }
        out.columns = (0..info.columns.len()).map(|c| self.overlay_column(s, c, &pieces)).collect();
        out
    }

    fn overlay_column(&self, s: usize, c: usize, pieces: &[Piece]) -> ColumnData {
        let info = &self.data.streams[s].columns[c];
        let codes = self.codes.get(&(s, c));
        let fresh = |v: &Value| match (&info.kind, v) {
            (ColumnKind::Bool, Value::Bool(b)) => Some((*b).into()),
            (ColumnKind::Num { scale }, Value::Num(d)) => d.at_scale(*scale),
            (ColumnKind::Instant, Value::Instant(t)) => Some(t.0),
            (ColumnKind::Text(_), Value::Text(_)) | (ColumnKind::List(_), Value::List(_)) => {
                codes?.get(&stored_text(v)).map(|c| i64::from(*c))
            }
            _ => None,
        };
        let unknown = match info.kind {
            ColumnKind::Bool => 2,
            ColumnKind::Num { .. } | ColumnKind::Instant => i64::MIN,
            ColumnKind::Text(_) | ColumnKind::List(_) => 0,
        };
        let mut out: Vec<i64> = vec![];
        for piece in pieces {
            match piece {
                Piece::Old(stream, rows) => match stream.columns.get(c) {
                    Some(ColumnData::Bool(v)) => out.extend(v[rows.clone()].iter().map(|b| i64::from(*b))),
                    Some(ColumnData::Num(v)) => out.extend(rows.clone().map(|i| v.get(i))),
                    Some(ColumnData::Instant(v)) => out.extend_from_slice(&v[rows.clone()]),
                    Some(ColumnData::Codes(v)) => out.extend(rows.clone().map(|i| i64::from(v.get(i)))),
                    None => out.extend(rows.clone().map(|_| unknown)),
                },
                Piece::Fresh(e) => out.push(e.prop(&info.name).and_then(fresh).unwrap_or(unknown)),
            }
        }
        match info.kind {
            ColumnKind::Bool => ColumnData::Bool(out.into_iter().map(|x| x as u8).collect()),
            ColumnKind::Num { .. } => ColumnData::Num(Ints::pack(&out)),
            ColumnKind::Instant => ColumnData::Instant(out),
            ColumnKind::Text(_) | ColumnKind::List(_) => {
                ColumnData::Codes(Codes::pack(&out.into_iter().map(|c| c as u32).collect::<Vec<u32>>()))
            }
        }
    }
}

/// Where a customer's timeline was so far, and what comes to it.
type Touched<'a> = (Option<(usize, usize)>, &'a [&'a Event]);

/// Rows of a stream that follow one another: some old ones, or a fresh event.
enum Piece<'a> {
    Old(&'a Stream, Range<usize>),
    Fresh(&'a Event),
}

fn stored_text(v: &Value) -> String {
    match v {
        Value::Text(t) => t.clone(),
        Value::List(l) => l.join("\u{1f}"),
        _ => String::new(),
    }
}

/// Codes by text.
fn index(dict: &TextColumn) -> FxHashMap<String, u32> {
    (0..dict.len()).filter_map(|i| Some((dict.get(i)?.to_string(), i as u32 + 1))).collect()
}
