//! Why: the conditions of one verdict with their values and events, and until when it holds.

use crate::view::{NotFound, View};
use crate::walk::walk;
use gyul_model::{Instant, Timeline, Value};
use gyul_segment::explain::{What, Why, why};
use gyul_segment::reference::{Number, Ranks, Reference, Threshold, Val};
use gyul_segment::tree::{Expr, Kind, Library, Rank, RankKind};
use gyul_timeline::{Cut, Named, NodeId, Standing, Wanted};
use std::collections::HashMap;
use std::sync::Arc;

/// How far ahead the next change is looked for: two years.
const HORIZON: i64 = 2 * 366 * gyul_model::MICROS_DAY;

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub why: Why,
    /// When the clock alone changes the verdict, and to what; `None`: not within two years.
    pub next: Option<(Instant, bool)>,
}

impl View {
    /// Of a segment or a class; of a whole partition, the class that the customer is in.
    pub fn why(&self, id: &str, customer: &str, at: Instant) -> Result<Explanation, NotFound> {
        if let Some(partition) = self.library.partitions.iter().find(|p| p.id == id) {
            // Any class tells the right one.
            let any = self.why(&format!("{id}/{}", partition.otherwise.id), customer, at)?;
            return match &any.why.class {
                Some(class) if class.id != any.why.id => self.why(&class.id, customer, at),
                _ => Ok(any),
            };
        }
        let named = self.find(id)?;
        let Some(number) = self.timelines.number_of(customer) else {
            return Err(self.no_customer(customer));
        };
        let (bucket, index) = self.timelines.place(number);
        let timeline = [self.data().timeline(bucket, index)];
        let what = match named {
            Named::Class(p, k) => What::Class(p, k),
            Named::Segment(i) | Named::Measure(i) => What::Segment(i),
        };
        // The run of everything at the instant is kept: thresholds and compared values are at hand.
        let state = self.run(at);
        let ranks = ranks(&self.library, what);
        let wanted: Vec<Wanted> = ranks.iter().map(|r| Wanted::Rank(r)).chain([Wanted::Named(named)]).collect();
        let plan = self.plan().beside(&self.library, &self.data().streams, &wanted);
        let state = if state.has_ranks(&plan) {
            state
        } else {
            Arc::new(self.timelines.run_beside(&plan, self.plan(), &state))
        };
        let compared = |(rank, node): (&&Rank, &NodeId)| {
            let standing = self.timelines.standing(&plan, &state, *node, number)?;
            Some((std::ptr::from_ref(*rank), standing))
        };
        let everybody = Everybody { standings: ranks.iter().zip(&plan.measures).filter_map(compared).collect() };
        let reference = Reference::new(&self.library, &timeline as &[Timeline], at, None).with_ranks(&everybody);
        let why = why(&reference, what, 0);
        let horizon = Instant(at.0.saturating_add(HORIZON));
        let next = self.timelines.next_change(&plan, &state, number, horizon);
        Ok(Explanation { why, next })
    }
}

/// The ranks that a definition asks for, however deep.
fn ranks(lib: &Library, what: What) -> Vec<&Rank> {
    let mut ranks: Vec<&Rank> = vec![];
    let conditions: Vec<&Expr> = match what {
        What::Segment(i) => vec![&lib.segments[i].when],
        What::Class(p, _) => lib.partitions[p].classes.iter().map(|c| &c.when).collect(),
    };
    for condition in conditions {
        walk(lib, condition, &mut |e| {
            if let Kind::Rank(r) = &e.kind
                && !ranks.iter().any(|known| std::ptr::eq(*known, r.as_ref()))
            {
                ranks.push(r);
            }
        });
    }
    ranks
}

/// How the customer stands among everybody, as the fast evaluator found it.
struct Everybody {
    standings: HashMap<*const Rank, Standing>,
}

impl Ranks for Everybody {
    fn rank(&self, rank: &Rank, x: &Val) -> (Option<Val>, Option<Threshold>) {
        let Some(standing) = self.standings.get(&std::ptr::from_ref(rank)) else { return (None, None) };
        let value = match &standing.rank {
            // A quotient, as it is everywhere else; in the table it stands to nine places.
            Some(Value::Num(_)) if rank.kind == RankKind::Percentile => {
                let (below, of) = (100 * standing.below as i64, standing.of as i64);
                Number::whole(below).over(Number::whole(of)).map(Val::Num)
            }
            Some(Value::Bool(b)) => Some(Val::Bool(*b)),
            Some(Value::Num(d)) => Some(Val::Num((*d).into())),
            _ => None,
        };
        let threshold = match standing.cut {
            Some(cut) => shown(cut, standing.own, x).map(Threshold::Value),
            None => Some(Threshold::Below { below: standing.below as usize, of: standing.of as usize }),
        };
        (value, threshold)
    }
}

/// What `x` was compared with, where `own` stood for it.
fn shown(cut: Cut, own: Cut, x: &Val) -> Option<Val> {
    let number = |c: Cut| match c {
        Cut::Exact(d) => Some(d.into()),
        Cut::Real(r) => Number::quotient(r),
        Cut::Instant(t) => Some(Number::whole(t.0)),
    };
    let (cut, own) = (number(cut)?, number(own)?);
    let moved = |x: Number| match x {
        Number::Exact { .. } => cut.plus(x.minus(own)?),
        Number::Quotient(_) => Some(cut),
    };
    match x {
        Val::Num(n) => Some(Val::Num(moved(*n)?)),
        Val::Dur(n) => Some(Val::Dur(moved(*n)?)),
        Val::Instant(_) => Some(Val::Instant(match cut {
            Number::Exact { mantissa, .. } => mantissa as i64,
            Number::Quotient(r) => r as i64,
        })),
        _ => None,
    }
}
