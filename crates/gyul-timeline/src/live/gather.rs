//! The whole timelines of some customers, out of base and fresh rows and over all of their handles, as a bucket.

use super::Live;
use super::fresh::{Entry, unknown};
use gyul_model::{Bucket, Codes, ColumnData, ColumnKind, Instant, Ints, Stream, StreamInfo};
use std::ops::Range;
use std::sync::Arc;

/// Which streams are wanted, and which of their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    pub streams: Vec<Option<Vec<bool>>>,
    /// The customers' ids.
    pub ids: bool,
}

/// What is gathered of one stream.
struct Gathered {
    out: Stream,
    /// Where the rows are, if some column of theirs is wanted.
    pieces: Vec<Piece>,
    places: bool,
}

/// Rows that follow one another.
enum Piece {
    Base { bucket: u32, from: u32, to: u32 },
    Fresh { row: u32 },
}

impl Live {
    /// One customer each, in this order; what is not needed stays empty.
    pub(crate) fn gather(&self, heads: &[u32], need: Option<&Need>) -> Bucket {
        self.gather_of(heads, need, |head| self.handles(head))
    }

    /// The same for a choice of handles.
    pub(crate) fn gather_of<'a>(
        &'a self,
        heads: &'a [u32],
        need: Option<&Need>,
        handles: impl Fn(&'a u32) -> &'a [u32],
    ) -> Bucket {
        let infos = &self.base.data.streams;
        let mut out = Bucket { exists_from: Vec::with_capacity(heads.len()), ..Bucket::default() };
        let wanted = |s: usize, c: usize| need.is_none_or(|n| n.column(s, c));
        let mut streams: Vec<Option<Gathered>> = infos
            .iter()
            .enumerate()
            .map(|(s, info)| {
                need.is_none_or(|n| n.stream(s)).then(|| Gathered {
                    out: Stream::default(),
                    pieces: vec![],
                    places: (0..info.columns.len()).any(|c| wanted(s, c)),
                })
            })
            .collect();
        // Customer by customer: a customer's fresh rows stand side by side, whatever their streams.
        for (i, head) in heads.iter().enumerate() {
            let handles = handles(head);
            if need.is_none_or(|n| n.ids) {
                out.customers.push(Some(self.id(*head)));
            }
            out.exists_from.push(self.first_of(handles));
            match handles {
                [one] => self.rows_of(*one, &mut streams),
                many => self.merged_rows(many, &mut streams),
            }
            for g in streams.iter_mut().flatten().map(|g| &mut g.out).filter(|out| !out.ts.is_empty()) {
                // Nobody before had any.
                g.offsets.resize(i + 1, 0);
                g.offsets.push(g.ts.len() as u32);
            }
        }
        // Most of few customers have nothing in most streams: these are one and the same.
        let blank = Arc::new(Stream { offsets: vec![0; heads.len() + 1], ..Stream::default() });
        out.streams = streams
            .into_iter()
            .zip(infos)
            .enumerate()
            .map(|(s, (gathered, info))| match gathered {
                Some(g) if !g.out.ts.is_empty() => Arc::new(self.with_columns(s, g, info, |c| wanted(s, c))),
                _ if need.is_some() => blank.clone(),
                _ => Arc::new(Stream::empty(heads.len(), info)),
            })
            .collect();
        out
    }

    pub(crate) fn exists_from(&self, head: u32) -> i64 {
        self.first_of(self.handles(&head))
    }

    /// The first dated event of all handles; of undated ones alone, always.
    fn first_of(&self, handles: &[u32]) -> i64 {
        let own = |n: &u32| self.exists.get(*n as usize).copied().unwrap_or(i64::MAX);
        if let [one] = handles {
            return own(one);
        }
        let all = || handles.iter().map(own).filter(|t| *t != i64::MAX);
        let dated = all().filter(|t| *t > Instant::ALWAYS.0).min();
        dated.or_else(|| all().next()).unwrap_or(i64::MAX)
    }

    fn with_columns(&self, s: usize, g: Gathered, info: &StreamInfo, wanted: impl Fn(usize) -> bool) -> Stream {
        let Gathered { mut out, pieces, .. } = g;
        let columns = info.columns.iter().enumerate().map(|(c, info)| match wanted(c) {
            true => self.gather_column(s, c, &info.kind, &pieces, out.ts.len()),
            false => empty(&info.kind),
        });
        out.columns = columns.collect();
        out
    }

    /// The rows of one handle: those of the base, with fresh ones between and behind.
    fn rows_of(&self, number: u32, streams: &mut [Option<Gathered>]) {
        let mut own = self.fresh.own(number);
        let Some((bucket, c)) = self.base_place(number) else {
            for e in own {
                if let Some(g) = &mut streams[e.stream as usize] {
                    g.fresh(e);
                }
            }
            return;
        };
        for (s, (gathered, stream)) in streams.iter_mut().zip(&self.base.data.buckets[bucket].streams).enumerate() {
            let fresh = of_stream(&mut own, s);
            let Some(g) = gathered else { continue };
            let rows = stream.rows(c);
            let (mut from, end) = (rows.start, rows.end);
            for e in fresh {
                let mut to = end;
                // Fresh rows are late ones, mostly.
                while to > from && (stream.ts[to - 1], stream.seq[to - 1]) > (e.ts, e.seq) {
                    to -= 1;
                }
                g.base(bucket, stream, from..to);
                from = to;
                g.fresh(e);
            }
            g.base(bucket, stream, from..end);
        }
    }

    /// The rows of several handles, one by one in their order.
    fn merged_rows(&self, handles: &[u32], streams: &mut [Option<Gathered>]) {
        let mut places: Vec<_> = handles.iter().map(|n| (self.base_place(*n), self.fresh.own(*n))).collect();
        let mut rows: Vec<(i64, u32, Piece)> = vec![];
        for (s, gathered) in streams.iter_mut().enumerate() {
            rows.clear();
            for (base, own) in &mut places {
                let fresh = of_stream(own, s);
                if let Some((bucket, c)) = *base {
                    let stream = &self.base.data.buckets[bucket].streams[s];
                    rows.extend(stream.rows(c).map(|i| {
                        let piece = Piece::Base { bucket: bucket as u32, from: i as u32, to: i as u32 + 1 };
                        (stream.ts[i], stream.seq[i], piece)
                    }));
                }
                rows.extend(fresh.iter().map(|e| (e.ts, e.seq, Piece::Fresh { row: e.row })));
            }
            let Some(g) = gathered else { continue };
            rows.sort_by_key(|(ts, seq, _)| (*ts, *seq));
            for (ts, seq, piece) in rows.drain(..) {
                g.out.ts.push(ts);
                g.out.seq.push(seq);
                if g.places {
                    g.pieces.push(piece);
                }
            }
        }
    }

    fn gather_column(&self, s: usize, c: usize, kind: &ColumnKind, pieces: &[Piece], len: usize) -> ColumnData {
        let mut out: Vec<i64> = Vec::with_capacity(len);
        let fresh = self.fresh.streams[s].columns.get(c);
        for p in pieces {
            match *p {
                Piece::Base { bucket, from, to } => {
                    let rows = from as usize..to as usize;
                    match self.base.data.buckets[bucket as usize].streams[s].columns.get(c) {
                        Some(ColumnData::Bool(v)) => out.extend(v[rows].iter().map(|b| i64::from(*b))),
                        Some(ColumnData::Num(v)) => out.extend(rows.map(|i| v.get(i))),
                        Some(ColumnData::Instant(v)) => out.extend_from_slice(&v[rows]),
                        Some(ColumnData::Codes(v)) => out.extend(rows.map(|i| i64::from(v.get(i)))),
                        // It came up after the base was made.
                        None => out.extend(rows.map(|_| unknown(kind))),
                    }
                }
                Piece::Fresh { row } => out.push(fresh.map_or(unknown(kind), |f| f[row as usize])),
            }
        }
        match kind {
            ColumnKind::Bool => ColumnData::Bool(out.into_iter().map(|x| x as u8).collect()),
            ColumnKind::Num { .. } => ColumnData::Num(Ints::I64(out)),
            ColumnKind::Instant => ColumnData::Instant(out),
            ColumnKind::Text(_) | ColumnKind::List(_) => {
                ColumnData::Codes(Codes::U32(out.into_iter().map(|x| x as u32).collect()))
            }
        }
    }
}

impl Need {
    fn stream(&self, s: usize) -> bool {
        self.streams.get(s).is_some_and(Option::is_some)
    }

    fn column(&self, s: usize, c: usize) -> bool {
        self.streams.get(s).and_then(Option::as_ref).is_some_and(|columns| columns.get(c) == Some(&true))
    }
}

impl Gathered {
    #[inline]
    fn fresh(&mut self, e: &Entry) {
        self.out.ts.push(e.ts);
        self.out.seq.push(e.seq);
        if self.places {
            self.pieces.push(Piece::Fresh { row: e.row });
        }
    }

    fn base(&mut self, bucket: usize, stream: &Stream, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        if self.places {
            self.pieces.push(Piece::Base { bucket: bucket as u32, from: rows.start as u32, to: rows.end as u32 });
        }
        self.out.ts.extend_from_slice(&stream.ts[rows.clone()]);
        self.out.seq.extend_from_slice(&stream.seq[rows]);
    }
}

/// Cuts off the fresh rows of a stream; streams are asked for in ascending order.
fn of_stream<'a>(own: &mut &'a [Entry], stream: usize) -> &'a [Entry] {
    let len = own.iter().take_while(|e| e.stream == stream as u32).count();
    let (of, rest) = own.split_at(len);
    *own = rest;
    of
}

fn empty(kind: &ColumnKind) -> ColumnData {
    match kind {
        ColumnKind::Bool => ColumnData::Bool(vec![]),
        ColumnKind::Num { .. } => ColumnData::Num(Ints::I8(vec![])),
        ColumnKind::Instant => ColumnData::Instant(vec![]),
        ColumnKind::Text(_) | ColumnKind::List(_) => ColumnData::Codes(Codes::U8(vec![])),
    }
}

/// As narrow as the values allow.
pub fn pack(column: &mut ColumnData) {
    match column {
        ColumnData::Num(Ints::I64(v)) => *column = ColumnData::Num(Ints::pack(v)),
        ColumnData::Codes(Codes::U32(v)) => *column = ColumnData::Codes(Codes::pack(v)),
        _ => {}
    }
}
