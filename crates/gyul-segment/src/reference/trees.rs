//! Trees and timelines by hand, for tests.

use super::*;
use crate::tree::{About, Agg, AggOp, EventSelect, Segment, Type, Words};
use gyul_model::{Decimal, Duration, Occasions, Zone};

pub fn e(kind: Kind, ty: Type) -> Expr {
    Expr { kind, ty, span: Default::default() }
}

pub fn b(kind: Kind, ty: Type) -> Box<Expr> {
    Box::new(e(kind, ty))
}

pub fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

pub fn num(text: &str) -> Val {
    Val::Num(Decimal::parse(text).unwrap().into())
}

pub fn of(name: &str) -> EventSelect {
    EventSelect { events: Names::Of(vec![name.into()]), filter: None }
}

pub fn prop(name: &str) -> Expr {
    e(Kind::Prop(name.into()), Type::Any)
}

pub fn agg(op: AggOp, value: Option<Expr>, window: Window) -> Expr {
    e(Kind::Agg(Box::new(Agg { op, select: of("order"), value, window, last: None })), Type::Num)
}

pub fn count_after(after: Kind) -> Expr {
    agg(AggOp::Count, None, Window { after: Some(e(after, Type::Instant)), until: None })
}

pub fn months_ago(n: i32) -> Kind {
    Kind::Ago(Duration::Months(n))
}

pub fn cmp(op: Cmp, x: Expr, y: Expr) -> Expr {
    e(Kind::Cmp(op, Box::new(x), Box::new(y)), Type::Bool)
}

pub fn trait_of(name: &str) -> Expr {
    e(Kind::Trait(name.into()), Type::Any)
}

pub fn library(zone: &str, segments: Vec<Expr>) -> Library {
    let segment = |when: Expr| Segment { id: "s".into(), about: About::default(), when, source: String::new() };
    Library {
        zone: Zone::new(zone).unwrap(),
        currency: "KRW".into(),
        occasions: Occasions::builtin(),
        measures: vec![],
        segments: segments.into_iter().map(segment).collect(),
        partitions: vec![],
    }
}

pub fn measured(mut lib: Library, expr: Expr) -> Library {
    lib.measures.push(crate::tree::Measure { id: "m".into(), name: Words::default(), expr, source: String::new() });
    lib
}

pub type Props<'x> = &'x [(&'x str, Value)];
/// Name, RFC 3339 or `always`, properties.
pub type Seen<'x> = (&'x str, &'x str, Props<'x>);

/// One customer with events in order of arrival.
pub fn timeline(customer: &str, events: &[Seen]) -> Timeline {
    let event = |(i, (name, ts, props)): (usize, &Seen)| Event {
        ts: if *ts == "always" { Instant::ALWAYS } else { at(ts) },
        seq: i as u64,
        name: name.to_string(),
        props: props.iter().map(|(n, v)| (n.to_string(), v.clone())).collect(),
    };
    Timeline::new(customer, events.iter().enumerate().map(event).collect())
}
