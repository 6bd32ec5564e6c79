//! The whole timelines of some customers, out of base and fresh rows and over all of their handles, as a bucket.

use super::Live;
use super::fresh::{Entry, unknown};
use gyul_model::{Bucket, Codes, ColumnData, ColumnKind, Instant, Ints, Stream, StreamInfo};
use std::sync::Arc;

/// Which streams are wanted, and which of their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    pub streams: Vec<Option<Vec<bool>>>,
    /// The customers' ids.
    pub ids: bool,
}

/// Where the rows of one handle are.
struct Place<'a> {
    base: Option<(u32, usize)>,
    /// Fresh rows of the streams that are still to come, ascending.
    own: &'a [Entry],
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
        let mut out = Bucket::default();
        let mut places: Vec<Place> = Vec::with_capacity(heads.len());
        let mut ends = Vec::with_capacity(heads.len());
        for head in heads {
            let handles = handles(head);
            if need.is_none_or(|n| n.ids) {
                out.customers.push(Some(self.id(*head)));
            }
            out.exists_from.push(self.first_of(handles));
            places.extend(handles.iter().map(|n| {
                let base = self.base_place(*n).map(|(b, c)| (b as u32, c));
                Place { base, own: self.fresh.own(*n) }
            }));
            ends.push(places.len());
        }
        for (s, info) in self.base.data.streams.iter().enumerate() {
            let wanted = need.map(|n| n.streams.get(s).and_then(|c| c.as_ref()));
            out.streams.push(Arc::new(match wanted {
                Some(None) => Stream { offsets: vec![0; heads.len() + 1], ..Stream::default() },
                Some(Some(columns)) => {
                    self.gather_stream(s, &mut places, &ends, info, |c| columns.get(c) == Some(&true))
                }
                None => self.gather_stream(s, &mut places, &ends, info, |_| true),
            }));
        }
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

    fn gather_stream(
        &self,
        s: usize,
        places: &mut [Place],
        ends: &[usize],
        info: &StreamInfo,
        wanted: impl Fn(usize) -> bool,
    ) -> Stream {
        let mut out = Stream { offsets: Vec::with_capacity(ends.len() + 1), ..Stream::default() };
        out.offsets.push(0);
        let mut pieces = vec![];
        let mut from = 0;
        for &end in ends {
            match &mut places[from..end] {
                [one] => self.pieces(s, one, &mut out, &mut pieces),
                many => self.merged_pieces(s, many, &mut out, &mut pieces),
            }
            from = end;
            out.offsets.push(out.ts.len() as u32);
        }
        let columns = info.columns.iter().enumerate().map(|(c, info)| match wanted(c) {
            true => self.gather_column(s, c, &info.kind, &pieces, out.ts.len()),
            false => empty(&info.kind),
        });
        out.columns = columns.collect();
        out
    }

    /// The rows of one handle: those of the base, with fresh ones between and behind.
    fn pieces(&self, s: usize, place: &mut Place, out: &mut Stream, pieces: &mut Vec<Piece>) {
        let own = place.of(s);
        let Some((bucket, c)) = place.base else {
            for e in own {
                out.ts.push(e.ts);
                out.seq.push(e.seq);
                pieces.push(Piece::Fresh { row: e.row });
            }
            return;
        };
        let stream = &self.base.data.buckets[bucket as usize].streams[s];
        let rows = stream.rows(c);
        let (mut from, end) = (rows.start, rows.end);
        let take = |from: usize, to: usize, out: &mut Stream, pieces: &mut Vec<Piece>| {
            if from < to {
                out.ts.extend_from_slice(&stream.ts[from..to]);
                out.seq.extend_from_slice(&stream.seq[from..to]);
                pieces.push(Piece::Base { bucket, from: from as u32, to: to as u32 });
            }
        };
        for e in own {
            let mut to = end;
            // Fresh rows are late ones, mostly.
            while to > from && (stream.ts[to - 1], stream.seq[to - 1]) > (e.ts, e.seq) {
                to -= 1;
            }
            take(from, to, out, pieces);
            from = to;
            out.ts.push(e.ts);
            out.seq.push(e.seq);
            pieces.push(Piece::Fresh { row: e.row });
        }
        take(from, end, out, pieces);
    }

    /// The rows of several handles, one by one in their order.
    fn merged_pieces(&self, s: usize, places: &mut [Place], out: &mut Stream, pieces: &mut Vec<Piece>) {
        let mut rows: Vec<(i64, u32, Piece)> = vec![];
        for place in places {
            if let Some((bucket, c)) = place.base {
                let stream = &self.base.data.buckets[bucket as usize].streams[s];
                rows.extend(stream.rows(c).map(|i| {
                    let piece = Piece::Base { bucket, from: i as u32, to: i as u32 + 1 };
                    (stream.ts[i], stream.seq[i], piece)
                }));
            }
            rows.extend(place.of(s).iter().map(|e| (e.ts, e.seq, Piece::Fresh { row: e.row })));
        }
        rows.sort_by_key(|(ts, seq, _)| (*ts, *seq));
        for (ts, seq, piece) in rows {
            out.ts.push(ts);
            out.seq.push(seq);
            pieces.push(piece);
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

impl<'a> Place<'a> {
    /// The fresh rows of a stream; streams are asked for in ascending order.
    fn of(&mut self, stream: usize) -> &'a [Entry] {
        let skipped = self.own.iter().take_while(|e| e.stream < stream as u32).count();
        let len = self.own[skipped..].iter().take_while(|e| e.stream == stream as u32).count();
        let (own, rest) = self.own[skipped..].split_at(len);
        self.own = rest;
        own
    }
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
