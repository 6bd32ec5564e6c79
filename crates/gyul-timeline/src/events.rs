//! Values of single events: properties, gaps, neighbours; and the events that a filter lets through.

use crate::answers::ones;
use crate::block::{Block, gather};
use crate::column::{Col, UNKNOWN};
use crate::plan::*;
use gyul_model::{ColumnData, Instant, Ints};
use gyul_segment::tree::Direction;
use std::cell::OnceCell;
use std::rc::Rc;

/// The events of a block that pass a filter, as a stream of their own. Positions count from the block's first event.
pub struct Picked {
    /// A bit per event, and room for one more.
    words: Vec<u64>,
    /// How many pass before each word.
    before: Vec<u32>,
    index: OnceCell<Vec<u32>>,
}

impl Picked {
    fn new(mask: &Col, len: usize) -> Picked {
        let mut words = vec![0; len / 64 + 1];
        mask.bits(len, &mut words);
        let mut count = 0;
        let mut before = Vec::with_capacity(words.len());
        for w in &words {
            before.push(count);
            count += w.count_ones();
        }
        Picked { words, before, index: OnceCell::new() }
    }

    /// How many of the first `i` events pass. Turns a position in the stream into one among the picked.
    #[inline]
    pub fn rank(&self, i: usize) -> usize {
        let low = self.words[i / 64] & ((1 << (i % 64)) - 1);
        self.before[i / 64] as usize + low.count_ones() as usize
    }

    /// Positions of those that pass.
    pub fn index(&self) -> &[u32] {
        self.index.get_or_init(|| {
            let mut index = Vec::with_capacity(self.rank(self.words.len() * 64 - 1));
            index.extend(ones(&self.words).map(|i| i as u32));
            index
        })
    }

    /// The last one in `lo..hi`.
    #[inline]
    pub fn last(&self, lo: usize, hi: usize) -> Option<usize> {
        let mut w = hi / 64;
        let mut word = self.words[w] & ((1 << (hi % 64)) - 1);
        while word == 0 && w * 64 > lo {
            w -= 1;
            word = self.words[w];
        }
        let last = (w * 64 + 63).checked_sub(word.leading_zeros() as usize);
        last.filter(|k| word != 0 && *k >= lo)
    }
}

impl Block<'_> {
    /// `None` if everything passes.
    pub fn picked(&mut self, source: &Source) -> Option<Rc<Picked>> {
        let filter = source.filter?;
        let key = (source.stream, Some(filter));
        if let Some(p) = self.picked.get(&key) {
            return Some(p.clone());
        }
        let mask = self.col(filter);
        let picked = Rc::new(Picked::new(&mask, self.events(source.stream).len()));
        self.picked.insert(key, picked.clone());
        Some(picked)
    }

    /// For each row the picked events of the window, as positions among the picked.
    pub fn slices(&mut self, source: &Source, bounds: &Bounds) -> Slices {
        let upper = self.upto(source.stream, bounds.until);
        let lower = match bounds.after {
            Some(b) => self.after(source.stream, b),
            None => self.starts(source.stream),
        };
        let picked = self.picked(source);
        let first = self.events(source.stream).start;
        Slices { lower, upper, picked, first }
    }

    /// For each row the position of its customer's first event.
    fn starts(&mut self, stream: u32) -> Rc<Vec<u32>> {
        let key = (stream, None, false);
        if let Some(p) = self.positions.get(&key) {
            return p.clone();
        }
        let s = &self.bucket.streams[stream as usize];
        let first = s.offsets[self.customers.start];
        let out = Rc::new((0..self.len()).map(|r| s.offsets[self.customer(r)] - first).collect::<Vec<u32>>());
        self.positions.insert(key, out.clone());
        out
    }

    /// Per event of the block; what only an event can be asked for.
    pub(crate) fn event_values(&mut self, node: &Node) -> Col {
        let Domain::Events(stream) = node.domain else { return Col::OneInt(UNKNOWN) };
        let s = &self.bucket.streams[stream as usize];
        let range = self.events(stream);
        let zone = self.zone();
        let each_ts =
            |f: &dyn Fn(Instant) -> i64| Col::Int(s.ts[range.clone()].iter().map(|t| f(Instant(*t))).collect());
        match &node.op {
            Op::Prop { column } => match s.columns.get(*column as usize) {
                Some(data) => whole_column(data, node.ty, range),
                None => Col::unknown(node.ty),
            },
            Op::Ts => Col::Int(s.ts[range].to_vec()),
            Op::Hour => each_ts(&|t| zone.hour(t).into()),
            Op::Weekday => each_ts(&|t| zone.date(t).weekday().into()),
            Op::LocalDate => each_ts(&|t| zone.date(t).0.into()),
            Op::Gap => {
                let mut out = Vec::with_capacity(range.len());
                for c in self.customers.clone() {
                    let rows = s.rows(c);
                    let ts = &s.ts[rows];
                    out.extend((0..ts.len()).map(|i| if i == 0 { UNKNOWN } else { ts[i] - ts[i - 1] }));
                }
                Col::Int(out)
            }
            Op::Nth => Col::Int(self.customers.clone().flat_map(|c| 1..=s.rows(c).len() as i64).collect()),
            Op::Near { direction, sources, within } => self.near(stream, *direction, sources, *within),
            _ => Col::OneInt(UNKNOWN),
        }
    }

    /// Whether each event has a neighbour. Looking after needs the one instant of the block: later events are unseen.
    fn near(&mut self, stream: u32, direction: Direction, sources: &[Source], within: Option<i64>) -> Col {
        let now = self.one_instant().unwrap_or(i64::MAX);
        let within = within.unwrap_or(i64::MAX);
        let mut out = vec![0_u8; self.events(stream).len()];
        let first = self.events(stream).start;
        for source in sources {
            let picked = self.picked(source);
            let s = &self.bucket.streams[stream as usize];
            let o = &self.bucket.streams[source.stream as usize];
            let o_first = self.events(source.stream).start;
            for c in self.customers.clone() {
                let own = s.rows(c);
                let other = o.rows(c);
                if own.is_empty() || other.is_empty() {
                    continue;
                }
                let (lo, hi) = match &picked {
                    Some(p) => (p.rank(other.start - o_first), p.rank(other.end - o_first)),
                    None => (other.start - o_first, other.end - o_first),
                };
                let ts_of = |k: usize| o.ts[o_first + picked.as_ref().map_or(k, |p| p.index()[k] as usize)];
                // First neighbour strictly after (or not before) the event: moves forward with the events.
                let mut k = lo;
                for i in own {
                    let t = s.ts[i];
                    let hit = match direction {
                        Direction::After => {
                            while k < hi && ts_of(k) <= t {
                                k += 1;
                            }
                            k < hi && ts_of(k) <= t.saturating_add(within).min(now)
                        }
                        Direction::Before => {
                            while k < hi && ts_of(k) < t {
                                k += 1;
                            }
                            k > lo && ts_of(k - 1) >= t.saturating_sub(within)
                        }
                    };
                    out[i - first] |= u8::from(hit);
                }
            }
        }
        Col::conditions(&out)
    }
}

/// Where the events of a window are, row by row.
pub struct Slices {
    lower: Rc<Vec<u32>>,
    upper: Rc<Vec<u32>>,
    pub picked: Option<Rc<Picked>>,
    /// The block's first event in the stream.
    pub first: usize,
}

impl Slices {
    /// Positions among the picked, empty if the window is.
    #[inline]
    pub fn get(&self, row: usize) -> (usize, usize) {
        let (lo, hi) = (self.lower[row] as usize, self.upper[row] as usize);
        let (lo, hi) = match &self.picked {
            None => (lo, hi),
            Some(p) => (p.rank(lo), p.rank(hi)),
        };
        (lo.min(hi), hi)
    }

    /// The position in the block's events of a picked one.
    #[inline]
    pub fn event(&self, k: usize) -> usize {
        match &self.picked {
            None => k,
            Some(p) => p.index()[k] as usize,
        }
    }
}

fn whole_column(data: &ColumnData, ty: Ty, range: std::ops::Range<usize>) -> Col {
    fn wide<T: Copy + Into<i64> + PartialEq>(v: &[T], unknown: T) -> Col {
        Col::Int(v.iter().map(|x| if *x == unknown { UNKNOWN } else { (*x).into() }).collect())
    }
    match data {
        ColumnData::Bool(v) => Col::Bool(v[range].to_vec()),
        ColumnData::Num(Ints::I8(v)) => wide(&v[range], i8::MIN),
        ColumnData::Num(Ints::I16(v)) => wide(&v[range], i16::MIN),
        ColumnData::Num(Ints::I32(v)) => wide(&v[range], i32::MIN),
        ColumnData::Num(Ints::I64(v)) | ColumnData::Instant(v) => Col::Int(v[range].to_vec()),
        ColumnData::Codes(_) => gather(data, ty, range.map(Some)),
    }
}
