//! Why: the conditions of one verdict with their values and events, and until when it holds.

use crate::view::{NotFound, View};
use crate::walk::walk;
use gyul_model::{Instant, Timeline, Value};
use gyul_segment::explain::{What, Why, why};
use gyul_segment::reference::{Number, Ranks, Reference, Threshold, Val};
use gyul_segment::tree::{About, Expr, Kind, Library, Measure, Rank, RankKind, Segment};
use gyul_timeline::{Named, Plan};
use std::cmp::Ordering;
use std::collections::HashMap;

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
    pub fn why(&self, id: &str, customer: &str, at: Instant) -> Result<Explanation, NotFound> {
        let named = self.find(id)?;
        let Some(number) = self.timelines.number_of(customer) else {
            return Err(NotFound { name: customer.into(), nearest: None });
        };
        let (bucket, index) = self.timelines.place(number);
        let timeline = [self.data().timeline(bucket, index)];
        let what = match named {
            Named::Class(p, k) => What::Class(p, k),
            Named::Segment(i) | Named::Measure(i) => What::Segment(i),
        };
        let everybody = Everybody::new(self, what, at);
        let reference = Reference::new(&self.library, &timeline as &[Timeline], at, None).with_ranks(&everybody);
        let why = why(&reference, what, 0);
        let plan = self.plan_of(named);
        let state = self.timelines.run(&plan, at);
        let horizon = Instant(at.0.saturating_add(HORIZON));
        let next = self.timelines.next_change(&plan, &state, number, horizon);
        Ok(Explanation { why, next })
    }
}

/// The values that the ranks of a definition compare, found by the fast evaluator, ascending.
struct Everybody {
    values: HashMap<*const Rank, Vec<Number>>,
}

impl Everybody {
    fn new(view: &View, what: What, at: Instant) -> Everybody {
        let lib = &view.library;
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
        if ranks.is_empty() {
            return Everybody { values: HashMap::new() };
        }
        let mut asked: Library = lib.clone();
        let (measures, segments) = (asked.measures.len(), asked.segments.len());
        for rank in &ranks {
            let id = String::new();
            asked.measures.push(Measure { id, name: Default::default(), expr: rank.x.clone(), source: String::new() });
            let always = Expr { kind: Kind::Bool(true), ty: gyul_segment::tree::Type::Bool, span: rank.x.span };
            let when = rank.among.clone().unwrap_or(always);
            asked.segments.push(Segment { id: String::new(), about: About::default(), when, source: String::new() });
        }
        let plan = Plan::compile(&asked, &view.data().streams);
        let state = view.timelines.run(&plan, at);
        let columns = view.timelines.values(&plan, &plan.measures[measures..], &state);
        let mut values = HashMap::new();
        for (i, (rank, column)) in ranks.iter().zip(columns).enumerate() {
            let among = &state.answers.segments[segments + i];
            let known = column.values.into_iter().filter(|(n, _)| among.has(*n)).filter_map(|(_, v)| number(&v?));
            let mut known: Vec<Number> = known.collect();
            known.sort_by(|a, b| a.order(*b));
            values.insert(std::ptr::from_ref(*rank), known);
        }
        Everybody { values }
    }
}

fn number(v: &Value) -> Option<Number> {
    match v {
        Value::Num(d) => Some((*d).into()),
        Value::Instant(t) => Some(Number::whole(t.0)),
        _ => None,
    }
}

impl Ranks for Everybody {
    fn rank(&self, rank: &Rank, x: &Val) -> (Option<Val>, Option<Threshold>) {
        let own = match x {
            Val::Num(n) | Val::Dur(n) => *n,
            Val::Instant(t) => Number::whole(*t),
            _ => return (None, None),
        };
        let Some(all) = self.values.get(&std::ptr::from_ref(rank)).filter(|v| !v.is_empty()) else {
            return (None, None);
        };
        let like_own = |n: Number| match x {
            Val::Dur(_) => Val::Dur(n),
            Val::Instant(_) => Val::Instant(n.to_f64() as i64),
            _ => Val::Num(n),
        };
        let n = all.len();
        let below = all.partition_point(|y| y.order(own) == Ordering::Less);
        let kth = |p: gyul_model::Decimal| {
            let hundred = 100 * 10_i128.pow(p.scale().into());
            let share = i128::from(p.mantissa()) * n as i128;
            (share + hundred - 1).div_euclid(hundred).clamp(1, n as i128) as usize
        };
        let (is, threshold) = match rank.kind {
            RankKind::Top(p) => (None, Some((all[n - kth(p)], Ordering::Less))),
            RankKind::Bottom(p) => (None, Some((all[kth(p) - 1], Ordering::Greater))),
            RankKind::AboveAverage | RankKind::BelowAverage => {
                let (order, mean) = to_mean(own, all);
                let wanted = if rank.kind == RankKind::AboveAverage { Ordering::Greater } else { Ordering::Less };
                let threshold = Number::quotient(mean).map(|m| Threshold::Value(like_own(m)));
                return (Some(Val::Bool(order == wanted)), threshold);
            }
            RankKind::Quintile => (Some(Val::Num(Number::whole(1 + (5 * below / n) as i64))), None),
            RankKind::Percentile => {
                (Number::whole(100 * below as i64).over(Number::whole(n as i64)).map(Val::Num), None)
            }
        };
        match threshold {
            Some((t, excluded)) => (Some(Val::Bool(own.order(t) != excluded)), Some(Threshold::Value(like_own(t)))),
            None => (is, Some(Threshold::Below { below, of: n })),
        }
    }
}

/// How `x` compares with the mean, exactly where the numbers are exact, and the mean to show.
fn to_mean(x: Number, all: &[Number]) -> (Ordering, f64) {
    let mean = all.iter().map(|n| n.to_f64()).sum::<f64>() / all.len() as f64;
    let exact = all.iter().try_fold(Number::whole(0), |sum, n| match n {
        Number::Exact { .. } => sum.plus(*n),
        Number::Quotient(_) => None,
    });
    let times = x.times(Number::whole(all.len() as i64));
    match (exact, times) {
        (Some(sum), Some(times @ Number::Exact { .. })) => (times.order(sum), mean),
        _ => (x.to_f64().partial_cmp(&mean).unwrap_or(Ordering::Equal), mean),
    }
}
