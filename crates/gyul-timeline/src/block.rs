//! A block: some neighbouring customers of a bucket, some rows about them, and the values of nodes for those rows.

use crate::column::{self as col, Col, UNKNOWN};
use crate::evaluate::Latest;
use crate::plan::*;
use crate::rank::Thresholds;
use gyul_model::{Bucket, Instant, Zone, sample_position};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// The rows of a block: `(customer, instant)`.
pub enum Rows {
    /// Each customer of the block once, at one instant.
    Each(i64),
    /// Index in the bucket and instant; customers ascending.
    Listed { customers: Vec<u32>, instants: Vec<i64> },
}

/// Whose last instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lasts {
    /// Of a stream's events that a condition lets through.
    Picked(u32, NodeId),
    /// Of each text of a column.
    Texts(NodeId),
}

pub struct Block<'a> {
    pub plan: &'a Plan,
    pub bucket: &'a Bucket,
    /// Latest instant of each stream of the bucket: what is all in the past needs no look at the upper end.
    pub latest: &'a [Latest],
    pub customers: Range<usize>,
    pub rows: Rows,
    /// What ranks compare with; empty for those of later layers.
    pub thresholds: &'a [Thresholds],
    /// The same over time, for rows of different instants; empty in a batch run.
    pub rank_steps: &'a [Option<crate::rank_history::RankSteps>],
    values: Vec<Option<Arc<Col>>>,
    pub(crate) picked: FxHashMap<(u32, Option<NodeId>), Rc<crate::events::Picked>>,
    pub(crate) positions: FxHashMap<(u32, Option<NodeId>, bool), Rc<Vec<u32>>>,
    pub(crate) prefixes: FxHashMap<Source, Rc<crate::agg::Prefix>>,
    pub(crate) tallies: FxHashMap<(NodeId, Bounds), Rc<Vec<u32>>>,
    pub(crate) lasts: FxHashMap<Lasts, Rc<Vec<i64>>>,
}

impl<'a> Block<'a> {
    pub fn new(
        plan: &'a Plan,
        bucket: &'a Bucket,
        latest: &'a [Latest],
        customers: Range<usize>,
        rows: Rows,
    ) -> Block<'a> {
        Block {
            plan,
            bucket,
            latest,
            customers,
            rows,
            thresholds: &[],
            rank_steps: &[],
            values: vec![None; plan.nodes.len()],
            picked: FxHashMap::default(),
            positions: FxHashMap::default(),
            prefixes: FxHashMap::default(),
            tallies: FxHashMap::default(),
            lasts: FxHashMap::default(),
        }
    }

    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Each(_) => self.customers.len(),
            Rows::Listed { customers, .. } => customers.len(),
        }
    }

    /// The index in the bucket of the row's customer.
    pub fn customer(&self, row: usize) -> usize {
        match &self.rows {
            Rows::Each(_) => self.customers.start + row,
            Rows::Listed { customers, .. } => customers[row] as usize,
        }
    }

    pub fn instant(&self, row: usize) -> i64 {
        match &self.rows {
            Rows::Each(t) => *t,
            Rows::Listed { instants, .. } => instants[row],
        }
    }

    /// The one instant of all rows, if there is just one.
    pub fn one_instant(&self) -> Option<i64> {
        match &self.rows {
            Rows::Each(t) => Some(*t),
            Rows::Listed { instants, .. } => {
                let first = *instants.first()?;
                instants.iter().all(|t| *t == first).then_some(first)
            }
        }
    }

    pub fn zone(&self) -> &'a Zone {
        static SEOUL: std::sync::OnceLock<Zone> = std::sync::OnceLock::new();
        self.plan.zone.as_ref().unwrap_or_else(|| SEOUL.get_or_init(Zone::seoul))
    }

    /// Gives a node's values from outside: they were computed in an earlier pass.
    pub fn preset(&mut self, id: NodeId, values: Arc<Col>) {
        self.values[id as usize] = Some(values);
    }

    /// The values of a node: per row, or per event of its stream (of this block's customers).
    pub fn col(&mut self, id: NodeId) -> Arc<Col> {
        if let Some(c) = &self.values[id as usize] {
            return c.clone();
        }
        let plan = self.plan;
        let node = &plan.nodes[id as usize];
        let c = Arc::new(self.compute(node));
        self.values[id as usize] = Some(c.clone());
        c
    }

    fn compute(&mut self, node: &'a Node) -> Col {
        let plan = self.plan;
        match &node.op {
            Op::Bool(b) => Col::OneBool((*b).into()),
            Op::Int(x) => match node.ty {
                Ty::Text(_) | Ty::List(_) => Col::OneCode(*x as u32),
                _ => Col::OneInt(*x),
            },
            Op::Real(bits) => Col::OneReal(f64::from_bits(*bits)),
            Op::Nothing => Col::OneInt(UNKNOWN),

            Op::Now => self.per_instant(|t, _| t),
            Op::Ago(d) => {
                let d = *d;
                self.per_instant(move |t, z| z.ago(Instant(t), d).0)
            }
            Op::EndOf { period, back } => {
                let (period, back) = (*period, *back);
                self.per_instant(move |t, z| z.end_of(Instant(t), period, back).0)
            }
            Op::Today => self.per_instant(|t, z| z.date(Instant(t)).0.into()),
            Op::Trait { stream, column } => self.trait_values(*stream, *column, node.ty),
            Op::AgeOn { birth, today } => {
                let (birth, today) = (self.col(*birth), self.col(*today));
                let age = |b: i64, t: i64| {
                    if b == UNKNOWN {
                        return UNKNOWN;
                    }
                    gyul_model::Date(b as i32).age_on(gyul_model::Date(t as i32)).unwrap_or(UNKNOWN)
                };
                Col::Int((0..self.len()).map(|r| age(birth.int_at(r), today.int_at(r))).collect())
            }
            Op::OrElse(a, b) => {
                let (a, b) = (self.col(*a), self.col(*b));
                let pick = |r| match a.int_at(r) {
                    UNKNOWN => b.int_at(r),
                    x => x,
                };
                Col::Int((0..self.len()).map(pick).collect())
            }
            Op::DateOfText { arg, dates } => {
                let table = &plan.dates[*dates as usize];
                let date = |c: u32| table.get(c as usize).copied().unwrap_or(UNKNOWN);
                col::map_code(&self.col(*arg), date, Col::Int, Col::OneInt)
            }
            Op::Agg(agg) => self.agg(agg, node.ty),
            Op::Pattern(p) => self.pattern(p),
            Op::Rank(r) => {
                let rank = &plan.ranks[*r as usize];
                let x = self.col(rank.x);
                let among = rank.among.map(|a| self.col(a));
                let n = self.len();
                if let Some(Some(steps)) = self.rank_steps.get(*r as usize) {
                    return steps.apply(n, &x, among.as_deref(), |row| self.instant(row));
                }
                let Some(thresholds) = self.thresholds.get(*r as usize) else { return Col::OneBool(0) };
                thresholds.apply(n, &x, among.as_deref())
            }
            Op::Sample { below, salt } => {
                let position = |r| {
                    let id = self.bucket.customers.get(self.customer(r)).unwrap_or("");
                    u8::from(sample_position(id, salt) < *below)
                };
                Col::conditions(&(0..self.len()).map(position).collect::<Vec<u8>>())
            }

            Op::Prop { .. } | Op::Ts | Op::Gap | Op::Nth | Op::Hour | Op::Weekday | Op::LocalDate | Op::Near { .. } => {
                self.event_values(node)
            }

            Op::IsTrue(a) => col::is_true(&self.col(*a)),
            Op::Not(a) => col::not(&self.col(*a)),
            Op::And(list) | Op::Or(list) => {
                let and = matches!(node.op, Op::And(_));
                let mut acc = Col::OneBool(and.into());
                for id in list {
                    col::fold_bool(&mut acc, &self.col(*id), and);
                    if and && acc.all_false() {
                        return Col::OneBool(0);
                    }
                }
                acc
            }
            Op::Cmp(op, a, b) => {
                if let Some(c) = self.compared_count(*op, *a, *b) {
                    return c;
                }
                let (a, b) = (self.col(*a), self.col(*b));
                col::cmp(*op, &a, &b)
            }
            Op::Arith(op, a, b) => {
                let (a, b) = (self.col(*a), self.col(*b));
                col::arith(*op, &a, &b)
            }
            Op::IsKnown(a) => col::is_known(&self.col(*a)),
            Op::CodeIs(a, code) => self.code_is(*a, *code),
            Op::CodeIn(a, table) => {
                let table = &plan.truths[*table as usize];
                let truth = |c: u32| table.get(c as usize).copied().unwrap_or(0);
                col::test_code(&self.col(*a), truth)
            }
            Op::Recode(a, table) => {
                let table = &plan.recodes[*table as usize];
                let code = |c: u32| table.get(c as usize).copied().unwrap_or(0);
                col::map_code(&self.col(*a), code, Col::Code, Col::OneCode)
            }
            Op::InInt(a, values) => col::test_int(&self.col(*a), |x| values.binary_search(&x).is_ok()),
            Op::Rescale { arg, by } => col::rescale(&self.col(*arg), *by),
            Op::ToReal { arg, scale } => col::to_real(&self.col(*arg), *scale),
            Op::NearOccasion { arg, occasion, days } => {
                col::near_occasion(&self.col(*arg), &plan.occasions[*occasion as usize], *days)
            }
        }
    }

    fn per_instant(&self, f: impl Fn(i64, &Zone) -> i64) -> Col {
        let zone = self.zone();
        match &self.rows {
            Rows::Each(t) => Col::OneInt(f(*t, zone)),
            Rows::Listed { instants, .. } => Col::Int(instants.iter().map(|t| f(*t, zone)).collect()),
        }
    }

    /// The latest known value of a trait at each row's instant.
    fn trait_values(&mut self, stream: u32, column: u32, ty: Ty) -> Col {
        let upto = self.upto(stream, None);
        let s = &self.bucket.streams[stream as usize];
        let first = s.offsets[self.customers.start] as usize;
        let Some(data) = s.columns.get(column as usize) else { return Col::unknown(ty) };
        let rows = (0..self.len()).map(|r| (s.offsets[self.customer(r)] as usize..first + upto[r] as usize).rev());
        use gyul_model::ColumnData::*;
        match data {
            Bool(v) => Col::Bool(latest(rows, 2, |i| v[i])),
            Num(v) => Col::Int(latest(rows, UNKNOWN, |i| v.get(i))),
            Instant(v) => Col::Int(latest(rows, UNKNOWN, |i| v[i])),
            Codes(v) => Col::Code(latest(rows, 0, |i| v.get(i))),
        }
    }

    /// Equality with a constant, straight on the narrow codes where the operand is a property.
    fn code_is(&mut self, arg: NodeId, code: u32) -> Col {
        let plan = self.plan;
        let node = &plan.nodes[arg as usize];
        if let (Op::Prop { column }, Domain::Events(stream)) = (&node.op, node.domain) {
            let range = self.events(stream);
            let s = &self.bucket.streams[stream as usize];
            if let Some(gyul_model::ColumnData::Codes(codes)) = s.columns.get(*column as usize) {
                use gyul_model::Codes::*;
                return match codes {
                    U8(v) if code <= 0xff => col::tested(&v[range], |c| u8::from(c == code as u8)),
                    U16(v) if code <= 0xffff => col::tested(&v[range], |c| u8::from(c == code as u16)),
                    U32(v) => col::tested(&v[range], |c| u8::from(c == code)),
                    _ => Col::OneBool(0),
                };
            }
        }
        col::test_code(&self.col(arg), |c| u8::from(c == code))
    }

    /// The rows of a stream that belong to the block's customers.
    pub fn events(&self, stream: u32) -> Range<usize> {
        let s = &self.bucket.streams[stream as usize];
        s.offsets[self.customers.start] as usize..s.offsets[self.customers.end] as usize
    }

    /// For each row the end of its customer's events with `ts <= bound`, counted from the block's first event.
    /// `bound` is an instant-valued row node; without one it is the row's instant. Never beyond the row's instant.
    /// An unknown bound puts the end before the customer's first event.
    pub fn upto(&mut self, stream: u32, bound: Option<NodeId>) -> Rc<Vec<u32>> {
        self.ends(stream, bound, true)
    }

    /// Each row's last instant in the stream, if it has events and all of them are in the past of one instant for all rows.
    pub fn last_instants(&self, stream: u32) -> Option<&'a [i64]> {
        let latest = &self.latest[stream as usize];
        match self.rows {
            Rows::Each(t) if t >= latest.of_all => latest.each.get(self.customers.clone()),
            _ => None,
        }
    }

    /// The same without the limit by the row's instant, for lower ends; an unknown bound gives the customer's end.
    pub fn after(&mut self, stream: u32, bound: NodeId) -> Rc<Vec<u32>> {
        self.ends(stream, Some(bound), false)
    }

    fn ends(&mut self, stream: u32, bound: Option<NodeId>, upper: bool) -> Rc<Vec<u32>> {
        let key = (stream, bound, upper);
        if let Some(p) = self.positions.get(&key) {
            return p.clone();
        }
        let limit = bound.map(|b| self.col(b));
        let s = &self.bucket.streams[stream as usize];
        let first = self.events(stream).start as u32;
        let n = self.len();
        let mut out = Vec::with_capacity(n);
        let instant = match (&self.rows, limit.as_deref()) {
            (Rows::Each(t), None) => Some(*t),
            (Rows::Each(t), Some(Col::OneInt(x))) if *x != UNKNOWN => Some(if upper { *x.min(t) } else { *x }),
            _ => None,
        };
        if let Some(x) = instant {
            let offsets = &s.offsets[self.customers.start..=self.customers.end];
            let latest = &self.latest[stream as usize];
            if x >= latest.of_all {
                out.extend(offsets[1..].iter().map(|o| o - first));
            } else {
                out.extend(offsets.windows(2).zip(&latest.each[self.customers.clone()]).map(|(w, last)| {
                    if *last <= x {
                        return w[1] - first;
                    }
                    let own = &s.ts[w[0] as usize..w[1] as usize];
                    w[0] - first + own.partition_point(|t| *t <= x) as u32
                }));
            }
        } else {
            for r in 0..n {
                let c = self.customer(r);
                let (start, end) = (s.offsets[c], s.offsets[c + 1]);
                let t = self.instant(r);
                let x = limit.as_ref().map_or(t, |l| l.int_at(r));
                out.push(match x {
                    UNKNOWN if upper => start - first,
                    UNKNOWN => end - first,
                    x => {
                        let x = if upper { x.min(t) } else { x };
                        let own = &s.ts[start as usize..end as usize];
                        start - first + own.partition_point(|t| *t <= x) as u32
                    }
                });
            }
        }
        let out = Rc::new(out);
        self.positions.insert(key, out.clone());
        out
    }
}

/// The first known value of each range.
fn latest<T: Copy + PartialEq>(
    ranges: impl Iterator<Item = impl Iterator<Item = usize>>,
    unknown: T,
    value: impl Fn(usize) -> T,
) -> Vec<T> {
    ranges.map(|mut r| r.find_map(|i| Some(value(i)).filter(|v| *v != unknown)).unwrap_or(unknown)).collect()
}

/// The values of a stored column at some of its rows; `None` is unknown.
pub fn gather(data: &gyul_model::ColumnData, ty: Ty, at: impl Iterator<Item = Option<usize>>) -> Col {
    use gyul_model::ColumnData::*;
    match (data, ty) {
        (Bool(v), _) => Col::Bool(at.map(|i| i.map_or(2, |i| v[i])).collect()),
        (Num(v), _) => Col::Int(at.map(|i| i.map_or(UNKNOWN, |i| v.get(i))).collect()),
        (Instant(v), _) => Col::Int(at.map(|i| i.map_or(UNKNOWN, |i| v[i])).collect()),
        (Codes(v), _) => Col::Code(at.map(|i| i.map_or(0, |i| v.get(i))).collect()),
    }
}
