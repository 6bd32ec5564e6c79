//! The whole timelines of some customers, out of base and fresh rows and over all of their handles, as a bucket.

use super::Live;
use super::fresh::unknown;
use gyul_model::{Bucket, Codes, ColumnData, ColumnKind, Instant, Ints, Stream};

/// Which streams are wanted, and which of their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    pub streams: Vec<Option<Vec<bool>>>,
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
        for head in heads {
            out.customers.push(Some(self.id(*head)));
            out.exists_from.push(self.first_of(handles(head)));
        }
        for s in 0..self.base.data.streams.len() {
            let info = &self.base.data.streams[s];
            let wanted = need.map(|n| n.streams.get(s).and_then(|c| c.as_ref()));
            out.streams.push(match wanted {
                Some(None) => Stream::empty(heads.len(), info),
                Some(Some(columns)) => self.gather_stream(s, heads, &handles, |c| columns.get(c) == Some(&true)),
                None => self.gather_stream(s, heads, &handles, |_| true),
            });
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

    fn gather_stream<'a>(
        &'a self,
        s: usize,
        heads: &'a [u32],
        handles: &impl Fn(&'a u32) -> &'a [u32],
        wanted: impl Fn(usize) -> bool,
    ) -> Stream {
        let mut offsets = Vec::with_capacity(heads.len() + 1);
        offsets.push(0);
        let mut pieces = vec![];
        let mut len = 0;
        for head in heads {
            len += match handles(head) {
                [one] => self.pieces(s, *one, &mut pieces),
                many => self.merged_pieces(s, many, &mut pieces),
            };
            offsets.push(len);
        }
        let fresh = &self.fresh.streams[s];
        let mut ts = Vec::with_capacity(len as usize);
        let mut seq = Vec::with_capacity(len as usize);
        for p in &pieces {
            match *p {
                Piece::Base { bucket, from, to } => {
                    let stream = &self.base.data.buckets[bucket as usize].streams[s];
                    ts.extend_from_slice(&stream.ts[from as usize..to as usize]);
                    seq.extend_from_slice(&stream.seq[from as usize..to as usize]);
                }
                Piece::Fresh { row } => {
                    ts.push(fresh.ts[row as usize]);
                    seq.push(fresh.seq[row as usize]);
                }
            }
        }
        let infos = &self.base.data.streams[s].columns;
        let columns = infos.iter().enumerate().map(|(c, info)| match wanted(c) {
            true => self.gather_column(s, c, &info.kind, &pieces, len as usize),
            false => empty(&info.kind),
        });
        Stream { columns: columns.collect(), offsets, ts, seq }
    }

    /// The rows of one handle: those of the base, with fresh ones between and behind. Gives their number.
    fn pieces(&self, s: usize, number: u32, out: &mut Vec<Piece>) -> u32 {
        let place = self.base_place(number);
        let base = place.map(|(b, c)| (b as u32, &self.base.data.buckets[b].streams[s], c));
        let rows = base.map_or(0..0, |(_, stream, c)| stream.rows(c));
        let (mut from, end) = (rows.start as u32, rows.end as u32);
        let own = self.fresh.of(number, s as u32);
        let len = end - from + own.len() as u32;
        let fresh = &self.fresh.streams[s];
        for &row in own {
            if let Some((bucket, stream, _)) = base {
                let key = (fresh.ts[row as usize], fresh.seq[row as usize]);
                let mut to = end;
                // Fresh rows are late ones, mostly.
                while to > from && (stream.ts[to as usize - 1], stream.seq[to as usize - 1]) > key {
                    to -= 1;
                }
                if to > from {
                    out.push(Piece::Base { bucket, from, to });
                    from = to;
                }
            }
            out.push(Piece::Fresh { row });
        }
        if let Some((bucket, ..)) = base
            && end > from
        {
            out.push(Piece::Base { bucket, from, to: end });
        }
        len
    }

    fn merged_pieces(&self, s: usize, handles: &[u32], out: &mut Vec<Piece>) -> u32 {
        let mut rows: Vec<(i64, u32, Piece)> = vec![];
        for &number in handles {
            if let Some((b, c)) = self.base_place(number) {
                let stream = &self.base.data.buckets[b].streams[s];
                rows.extend(stream.rows(c).map(|i| {
                    let piece = Piece::Base { bucket: b as u32, from: i as u32, to: i as u32 + 1 };
                    (stream.ts[i], stream.seq[i], piece)
                }));
            }
            let fresh = &self.fresh.streams[s];
            let own = self.fresh.of(number, s as u32).iter();
            rows.extend(own.map(|&row| (fresh.ts[row as usize], fresh.seq[row as usize], Piece::Fresh { row })));
        }
        rows.sort_by_key(|(ts, seq, _)| (*ts, *seq));
        let len = rows.len() as u32;
        out.extend(rows.into_iter().map(|r| r.2));
        len
    }

    fn gather_column(&self, s: usize, c: usize, kind: &ColumnKind, pieces: &[Piece], len: usize) -> ColumnData {
        let mut out: Vec<i64> = Vec::with_capacity(len);
        let fresh = self.fresh.streams[s].columns.get(c);
        for p in pieces {
            match *p {
                Piece::Base { bucket, from, to } => {
                    let rows = from as usize..to as usize;
                    match &self.base.data.buckets[bucket as usize].streams[s].columns[c] {
                        ColumnData::Bool(v) => out.extend(v[rows].iter().map(|b| i64::from(*b))),
                        ColumnData::Num(v) => out.extend(rows.map(|i| v.get(i))),
                        ColumnData::Instant(v) => out.extend_from_slice(&v[rows]),
                        ColumnData::Codes(v) => out.extend(rows.map(|i| i64::from(v.get(i)))),
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
