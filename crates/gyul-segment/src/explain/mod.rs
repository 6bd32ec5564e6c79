//! Why is a customer in a segment, or not? The conditions with their verdicts, values and the events behind them.

mod asked;
mod phrase;
mod render;
mod show;
mod terms;
mod words;

pub use asked::{asked, parts};
pub use render::{in_words, reason, render};
pub use show::{Quantity, value};
pub use terms::called;

use crate::reference::{Reference, Threshold, Val};
use crate::tree::{Expr, Kind, Measure, Span, Words};
use gyul_model::{Event, Instant, Value};

/// The most events shown for one condition.
pub const EVENTS_MAX: usize = 5;
/// How deep segments within segments are unfolded.
const DEPTH_MAX: usize = 12;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Segment(usize),
    /// Partition and class; the class after the last is `otherwise`.
    Class(usize, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    pub customer: String,
    pub at: Instant,
    /// The segment's id, or `partition/class`.
    pub id: String,
    pub name: Words,
    pub verdict: bool,
    /// False: the customer was not known at the instant, so belongs to nothing.
    pub exists: bool,
    /// Its own condition; none for the class that is left for everybody else.
    pub condition: Option<Condition>,
    /// For a class: the class of the partition that the customer is in.
    pub class: Option<Placed>,
    /// For a class: those that come before the class that the customer is in, and what decided against each.
    pub earlier: Vec<Placed>,
}

/// A class, and what speaks for it or against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// `partition/class`.
    pub id: String,
    pub name: Words,
    /// None for the class that is left for everybody else.
    pub condition: Option<Condition>,
}

impl Placed {
    /// Its name, or its id.
    pub fn title(&self, lang: gyul_model::Lang) -> &str {
        phrase::titled(&self.name, &self.id, lang)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As written in the definition.
    pub source: String,
    pub span: Span,
    /// Whether it is as wanted: below a `not`, that it does not hold.
    pub verdict: bool,
    pub shape: Shape,
    pub parts: Vec<Condition>,
    /// In plain words, where the form is a common one.
    pub says: Words,
    /// What was compared: source text and value.
    pub operands: Vec<(String, Option<Val>)>,
    /// The latest of the events behind it, at most [`EVENTS_MAX`].
    pub events: Vec<Evidence>,
    /// How many there are in all.
    pub events_total: usize,
    /// For a rank: the customer's value and what it is compared with; `None` outside the rank's population.
    pub rank: Option<(Val, Threshold)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    All,
    Any,
    Single,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub ts: Instant,
    pub name: String,
    /// Only those that the condition looks at.
    pub props: Vec<(String, Value)>,
}

/// Explains one verdict. `reference` answers ranks itself, or asks ([`Reference::with_ranks`]).
pub fn why<'a>(reference: &Reference<'a>, what: What, customer: usize) -> Why {
    let lib = reference.library();
    let walk = Walk { reference, customer };
    let exists = reference.exists(customer);
    let mut why = Why {
        customer: reference.customer_id(customer).to_string(),
        at: reference.at(),
        id: String::new(),
        name: Words::default(),
        verdict: false,
        exists,
        condition: None,
        class: None,
        earlier: vec![],
    };
    match what {
        What::Segment(i) => {
            let s = &lib.segments[i];
            (why.id, why.name) = (s.id.clone(), s.about.name.clone());
            why.condition = Some(walk.condition(&s.when, &s.source, false, 0));
            why.verdict = reference.member(i, customer);
        }
        What::Class(p, k) => {
            let asked = walk.placed(p, k);
            (why.id, why.name, why.condition) = (asked.id, asked.name, asked.condition);
            let Some(actual) = reference.class(p, customer) else { return why };
            why.verdict = actual == k;
            why.class = Some(walk.placed(p, actual));
            let against = |mut placed: Placed| {
                placed.condition = placed.condition.map(decider);
                placed
            };
            why.earlier = (0..actual).map(|k| against(walk.placed(p, k))).collect();
        }
    }
    why
}

/// The first part that decides against a condition that does not hold.
fn decider(mut c: Condition) -> Condition {
    let against = c.parts.iter().position(|p| !p.verdict).filter(|_| c.shape == Shape::All);
    match against {
        Some(i) => decider(c.parts.swap_remove(i)),
        None => c,
    }
}

struct Walk<'r, 'a> {
    reference: &'r Reference<'a>,
    customer: usize,
}

/// The text that a span means; the whole if the span does not fit.
fn excerpt(source: &str, span: Span) -> String {
    let range = span.start as usize..span.end as usize;
    source.get(range).filter(|t| !t.is_empty()).unwrap_or(source).trim().to_string()
}

impl<'a> Walk<'_, 'a> {
    fn placed(&self, partition: usize, class: usize) -> Placed {
        let p = &self.reference.library().partitions[partition];
        let (id, name, condition) = match p.classes.get(class) {
            Some(c) => (&c.id, &c.about.name, Some(self.condition(&c.when, &c.source, false, 0))),
            None => (&p.otherwise.id, &p.otherwise.about.name, None),
        };
        Placed { id: format!("{}/{id}", p.id), name: name.clone(), condition }
    }

    /// A `not` is carried down to where there are words: not (a or b) is both not a and not b.
    fn condition(&self, e: &'a Expr, source: &'a str, negated: bool, depth: usize) -> Condition {
        let lib = self.reference.library();
        let mut c = Condition {
            source: excerpt(source, e.span),
            span: e.span,
            verdict: self.reference.truth(e, self.customer) != negated,
            shape: Shape::Single,
            parts: vec![],
            says: Words::default(),
            operands: vec![],
            events: vec![],
            events_total: 0,
            rank: None,
        };
        let parts = |list: &'a [Expr]| list.iter().map(|e| self.condition(e, source, negated, depth + 1)).collect();
        match &e.kind {
            _ if depth > DEPTH_MAX => {}
            Kind::And(_) | Kind::Or(_) if words::as_one(e).is_some() => self.leaf(e, source, negated, &mut c),
            Kind::And(list) => (c.shape, c.parts) = (if negated { Shape::Any } else { Shape::All }, parts(list)),
            Kind::Or(list) => (c.shape, c.parts) = (if negated { Shape::All } else { Shape::Any }, parts(list)),
            Kind::Not(a) => {
                c = Condition { source: c.source, span: c.span, ..self.condition(a, source, !negated, depth) }
            }
            Kind::InSegment(i) => {
                let s = &lib.segments[*i];
                c.says = words::condition(self.reference, self.customer, e, negated, None);
                c.parts = vec![self.condition(&s.when, &s.source, false, depth + 1)];
            }
            Kind::InClass { partition, .. } => {
                let p = &lib.partitions[*partition];
                let actual = self.reference.class(*partition, self.customer);
                let id = actual.map(|k| p.classes.get(k).map_or(&p.otherwise.id, |c| &c.id));
                c.operands.push((p.id.clone(), id.map(|id| Val::Text(id.clone()))));
                c.says = words::condition(self.reference, self.customer, e, negated, None);
            }
            _ => self.leaf(e, source, negated, &mut c),
        }
        c
    }

    fn leaf(&self, e: &'a Expr, source: &'a str, negated: bool, c: &mut Condition) {
        // Of a range the value is looked at, and told, once.
        let looked = words::as_one(e).unwrap_or(e);
        match &looked.kind {
            Kind::Rank(rank) => {
                c.rank = self.reference.threshold(rank, self.customer);
                let x = self.reference.value(&rank.x, self.customer);
                c.operands.push((self.name_of(&rank.x, source), x));
            }
            _ => {
                for part in looked.operands() {
                    c.operands.push((self.name_of(part, source), self.reference.value(part, self.customer)));
                }
                if let Some(rank) = looked.operands().into_iter().find_map(rank_of) {
                    c.rank = self.reference.threshold(rank, self.customer);
                }
            }
        }
        let (mut found, mut props) = (vec![], vec![]);
        self.evidence(e, &mut found, &mut props);
        found.sort_by_key(|e| (e.ts, e.seq));
        found.dedup_by_key(|e| (e.ts, e.seq));
        c.events_total = found.len();
        let latest = &found[found.len().saturating_sub(EVENTS_MAX)..];
        c.events = latest.iter().map(|e| evidence_of(e, &props)).collect();
        c.says = words::condition(self.reference, self.customer, e, negated, c.rank.as_ref());
    }

    /// A measure is called by its id, everything else as written.
    fn name_of(&self, e: &Expr, source: &str) -> String {
        match &e.kind {
            Kind::Measure(i) => self.reference.library().measures[*i].id.clone(),
            _ => excerpt(source, e.span),
        }
    }

    /// The events that an expression's value rests on, and the properties that it looks at.
    fn evidence(&self, e: &'a Expr, found: &mut Vec<&'a Event>, props: &mut Vec<&'a str>) {
        let customer = self.customer;
        match &e.kind {
            Kind::Trait(name) => {
                found.extend(self.reference.trait_event(name, customer));
                props.push(name);
            }
            Kind::Age => {
                for name in [gyul_model::names::BIRTH_DATE, "age"] {
                    found.extend(self.reference.trait_event(name, customer));
                    props.push(name);
                }
            }
            Kind::Agg(agg) => {
                let events = self.reference.events(&agg.select, &agg.window, customer);
                let last = agg.last.map_or(events.len(), |n| (n as usize).min(events.len()));
                found.extend(&events[events.len() - last..]);
                agg.value.iter().chain(&agg.select.filter).for_each(|e| looked_at(e, props));
            }
            Kind::Pattern(p) => {
                for step in &p.steps {
                    found.extend(self.reference.events(&step.select, &p.window, customer));
                    step.select.filter.iter().for_each(|e| looked_at(e, props));
                }
                props.extend(p.by.as_deref());
            }
            Kind::Measure(i) => {
                let m: &'a Measure = &self.reference.library().measures[*i];
                self.evidence(&m.expr, found, props);
            }
            Kind::Rank(rank) => self.evidence(&rank.x, found, props),
            _ => e.operands().into_iter().for_each(|e| self.evidence(e, found, props)),
        }
    }
}

fn evidence_of(e: &Event, props: &[&str]) -> Evidence {
    let shown = e.props.iter().filter(|(n, _)| props.contains(&n.as_str())).cloned().collect();
    Evidence { ts: e.ts, name: e.name.clone(), props: shown }
}

fn rank_of(e: &Expr) -> Option<&crate::tree::Rank> {
    match &e.kind {
        Kind::Rank(rank) => Some(rank),
        _ => None,
    }
}

/// The properties that an event-level expression reads.
fn looked_at<'a>(e: &'a Expr, props: &mut Vec<&'a str>) {
    if let Kind::Prop(name) = &e.kind {
        props.push(name);
    }
    e.operands().into_iter().for_each(|e| looked_at(e, props));
}
