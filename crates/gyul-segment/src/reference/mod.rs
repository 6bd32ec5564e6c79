//! The reference evaluator: slow, obvious, never optimised. It says what a tree means; the fast evaluator must agree.

mod fold;
mod number;
mod pattern;
mod rank;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trees;

pub use number::Number;
pub use rank::Threshold;

use crate::tree::{Arith, Cmp, EventSelect, Expr, Kind, Library, Names, Near, Rank, Window};
use gyul_model::{Date, Event, Instant, Timeline, Value, names, sample_position};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// What an expression yields. Unknown is the absence of a `Val`.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Bool(bool),
    Num(Number),
    /// Microseconds.
    Dur(Number),
    /// Microseconds since the epoch.
    Instant(i64),
    Date(Date),
    Text(String),
    List(Vec<String>),
}

/// A library over timelines at one instant.
pub struct Reference<'a> {
    lib: &'a Library,
    at: Instant,
    customers: Vec<Customer<'a>>,
    /// For each rank asked for so far, everybody's `x` (`None` outside the rank's population).
    /// The address stands for the rank: `'a` keeps it in place as long as this lives.
    ranks: RefCell<HashMap<*const Rank, Everybody>>,
    /// Answers ranks instead of the timelines at hand.
    outside: Option<&'a dyn Ranks>,
}

/// Knows the ranks of a population that is not at hand, as the fast evaluator does.
pub trait Ranks {
    /// The answer of a rank of the library for a customer with this value of `x`, who belongs to the rank's population,
    /// and what the value was compared with.
    fn rank(&self, rank: &Rank, x: &Val) -> (Option<Val>, Option<Threshold>);
}

/// Each customer's value, by index.
type Everybody = Rc<Vec<Option<Number>>>;

struct Customer<'a> {
    id: &'a str,
    /// Belongs to the population at the instant.
    exists: bool,
    /// What was known, with `ts <= at`, in `(ts, seq)` order.
    events: Vec<&'a Event>,
}

/// Where an expression is evaluated: for a customer, or for one of the customer's events.
#[derive(Clone, Copy)]
struct Place {
    customer: usize,
    event: Option<usize>,
}

impl<'a> Reference<'a> {
    /// `known_before_seq` leaves out events with `seq` at or above it.
    pub fn new(lib: &'a Library, timelines: &'a [Timeline], at: Instant, known_before_seq: Option<u64>) -> Self {
        let known = |e: &&Event| known_before_seq.is_none_or(|bound| e.seq < bound);
        let customers = timelines.iter().map(|t| {
            let events: Vec<&Event> = t.events.iter().filter(known).collect();
            let dated = events.iter().map(|e| e.ts).find(|ts| *ts > Instant::ALWAYS);
            let exists_from = dated.or_else(|| events.first().map(|e| e.ts));
            Customer {
                id: &t.customer,
                exists: exists_from.is_some_and(|from| from <= at),
                events: events.into_iter().filter(|e| e.ts <= at).collect(),
            }
        });
        Reference { lib, at, customers: customers.collect(), ranks: RefCell::default(), outside: None }
    }

    /// Ranks are answered by somebody who knows everybody; the timelines need only be those asked about.
    pub fn with_ranks(self, ranks: &'a dyn Ranks) -> Self {
        Reference { outside: Some(ranks), ..self }
    }

    pub fn library(&self) -> &'a Library {
        self.lib
    }

    pub fn at(&self) -> Instant {
        self.at
    }

    /// How many timelines there are, in the population or not.
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    pub fn customer_id(&self, customer: usize) -> &'a str {
        self.customers[customer].id
    }

    /// Whether the customer belongs to the population.
    pub fn exists(&self, customer: usize) -> bool {
        self.customers[customer].exists
    }

    /// False outside the population.
    pub fn member(&self, segment: usize, customer: usize) -> bool {
        self.exists(customer) && self.truth(&self.lib.segments[segment].when, customer)
    }

    /// `None` outside the population.
    pub fn class(&self, partition: usize, customer: usize) -> Option<usize> {
        let classes = &self.lib.partitions[partition].classes;
        let found = || classes.iter().position(|c| self.truth(&c.when, customer)).unwrap_or(classes.len());
        self.exists(customer).then(found)
    }

    /// The value of a named measure; `None` outside the population.
    pub fn measure(&self, measure: usize, customer: usize) -> Option<Val> {
        self.exists(customer).then(|| self.value(&self.lib.measures[measure].expr, customer))?
    }

    pub fn value(&self, e: &'a Expr, customer: usize) -> Option<Val> {
        self.eval(e, Place { customer, event: None })
    }

    /// An expression as a condition.
    pub fn truth(&self, e: &'a Expr, customer: usize) -> bool {
        self.holds(e, Place { customer, event: None })
    }

    /// The selected events of the window, in order.
    pub fn events(&self, select: &'a EventSelect, window: &'a Window, customer: usize) -> Vec<&'a Event> {
        let found = self.selected(select, window, customer);
        found.into_iter().map(|i| self.customers[customer].events[i]).collect()
    }

    /// The customer's latest `identify` event that carries the trait.
    pub fn trait_event(&self, name: &str, customer: usize) -> Option<&'a Event> {
        let events = &self.customers[customer].events;
        events.iter().rev().find(|e| e.name == names::IDENTIFY && e.prop(name).is_some()).copied()
    }

    fn event(&self, place: Place) -> Option<&'a Event> {
        Some(self.customers[place.customer].events[place.event?])
    }

    fn holds(&self, e: &'a Expr, place: Place) -> bool {
        self.eval(e, place) == Some(Val::Bool(true))
    }

    fn eval(&self, e: &'a Expr, place: Place) -> Option<Val> {
        let (zone, customer) = (&self.lib.zone, place.customer);
        let text_is = |e: &'a Expr, test: &dyn Fn(&str) -> bool| {
            let holds = matches!(self.eval(e, place), Some(Val::Text(t)) if test(&t));
            Some(Val::Bool(holds))
        };
        let whole = |n: i64| Some(Val::Num(Number::whole(n)));
        match &e.kind {
            Kind::Bool(b) => Some(Val::Bool(*b)),
            Kind::Num(d) => Some(Val::Num((*d).into())),
            Kind::Dur(us) => Some(Val::Dur(Number::whole(*us))),
            Kind::Instant(t) => Some(Val::Instant(t.0)),
            Kind::Date(d) => Some(Val::Date(*d)),
            Kind::Text(t) => Some(Val::Text(t.clone())),

            Kind::Now => Some(Val::Instant(self.at.0)),
            Kind::Ago(d) => Some(Val::Instant(zone.ago(self.at, *d).0)),
            Kind::EndOf { period, back } => Some(Val::Instant(zone.end_of(self.at, *period, *back).0)),
            Kind::Today => Some(Val::Date(zone.date(self.at))),
            Kind::Trait(name) => self.trait_event(name, customer)?.prop(name).map(val),
            Kind::Age => self.age(customer),
            Kind::Agg(agg) => self.fold(agg, e.ty, customer),
            Kind::Pattern(p) => whole(self.steps_reached(p, customer) as i64),
            Kind::Measure(i) => self.value(&self.lib.measures[*i].expr, customer),
            Kind::InSegment(i) => Some(Val::Bool(self.truth(&self.lib.segments[*i].when, customer))),
            Kind::InClass { partition, class } => Some(Val::Bool(self.class(*partition, customer) == Some(*class))),
            Kind::Rank(rank) => self.rank(rank, customer),
            Kind::Sample { percent, salt } => {
                // position < percent · 10,000, without a division.
                let position = i128::from(sample_position(self.customers[customer].id, salt));
                let below = position * 10_i128.pow(percent.scale().into()) < i128::from(percent.mantissa()) * 10_000;
                Some(Val::Bool(below))
            }

            Kind::Prop(name) => self.event(place)?.prop(name).map(val),
            Kind::EventName => Some(Val::Text(self.event(place)?.name.clone())),
            Kind::Ts => Some(Val::Instant(self.event(place)?.ts.0)),
            Kind::Gap => {
                let before = self.earlier_of_same_name(place)?.last()?.ts;
                Some(Val::Dur(Number::whole(self.event(place)?.ts.0.checked_sub(before.0)?)))
            }
            Kind::Nth => whole(self.earlier_of_same_name(place)?.count() as i64 + 1),
            Kind::Hour => whole(zone.hour(self.event(place)?.ts).into()),
            Kind::Weekday => whole(zone.date(self.event(place)?.ts).weekday().into()),
            Kind::LocalDate => Some(Val::Date(zone.date(self.event(place)?.ts))),
            Kind::Near(near) => Some(Val::Bool(self.near(near, place))),

            Kind::Not(a) => Some(Val::Bool(!self.holds(a, place))),
            Kind::And(list) => Some(Val::Bool(list.iter().all(|a| self.holds(a, place)))),
            Kind::Or(list) => Some(Val::Bool(list.iter().any(|a| self.holds(a, place)))),
            Kind::Cmp(cmp, a, b) => {
                let both = self.eval(a, place).zip(self.eval(b, place));
                Some(Val::Bool(both.is_some_and(|(a, b)| compare(*cmp, &a, &b))))
            }
            Kind::Arith(op, a, b) => arith(*op, self.eval(a, place)?, self.eval(b, place)?),
            Kind::IsKnown(a) => Some(Val::Bool(self.eval(a, place).is_some())),
            Kind::InText(a, list) => text_is(a, &|t| list.iter().any(|x| x == t)),
            Kind::InNum(a, list) => match self.eval(a, place) {
                Some(Val::Num(n)) => Some(Val::Bool(list.iter().any(|d| n == Number::from(*d)))),
                _ => Some(Val::Bool(false)),
            },
            Kind::Contains(a, part) => match self.eval(a, place) {
                Some(Val::List(items)) => Some(Val::Bool(items.contains(part))),
                Some(Val::Text(t)) => Some(Val::Bool(t.contains(part.as_str()))),
                _ => Some(Val::Bool(false)),
            },
            Kind::StartsWith(a, part) => text_is(a, &|t| t.starts_with(part.as_str())),
            Kind::EndsWith(a, part) => text_is(a, &|t| t.ends_with(part.as_str())),
            Kind::Matches(a, pattern) => text_is(a, &|t| pattern.regex.is_match(t)),
            Kind::Within(a, code) => text_is(a, &|t| t == code || t.starts_with(&format!("{code}-"))),
            Kind::NearOccasion { date, occasion, days } => {
                let dates = self.lib.occasions.get(occasion).map_or(&[][..], |o| &o.dates);
                let close = |d: Date| dates.iter().any(|o| o.0.abs_diff(d.0) as i64 <= i64::from(*days));
                Some(Val::Bool(matches!(self.eval(date, place), Some(Val::Date(d)) if close(d))))
            }
        }
    }

    fn age(&self, customer: usize) -> Option<Val> {
        let given = |name: &str| self.trait_event(name, customer)?.prop(name).map(val);
        let birth = match given(names::BIRTH_DATE) {
            Some(Val::Text(t)) => Date::parse(&t),
            _ => None,
        };
        match birth.and_then(|b| b.age_on(self.lib.zone.date(self.at))) {
            Some(years) => Some(Val::Num(Number::whole(years))),
            None => given("age").filter(|v| matches!(v, Val::Num(_))),
        }
    }

    fn earlier_of_same_name(&self, place: Place) -> Option<impl Iterator<Item = &'a Event>> {
        let name = &self.event(place)?.name;
        let earlier = &self.customers[place.customer].events[..place.event?];
        Some(earlier.iter().copied().filter(move |e| e.name == *name))
    }

    /// Whether the select takes the event at this place.
    fn takes(&self, select: &'a EventSelect, place: Place) -> bool {
        let named = self.event(place).is_some_and(|e| match &select.events {
            Names::Any => e.name != names::IDENTIFY,
            Names::Of(list) => list.contains(&e.name),
        });
        named && select.filter.as_ref().is_none_or(|f| self.holds(f, place))
    }

    /// Indexes of the selected events of the window.
    fn selected(&self, select: &'a EventSelect, window: &'a Window, customer: usize) -> Vec<usize> {
        // An absent end is open, an unknown one leaves nothing.
        let end = |e: &'a Option<Expr>, open: i64| match e {
            None => Some(open),
            Some(e) => match self.value(e, customer) {
                Some(Val::Instant(t)) => Some(t),
                _ => None,
            },
        };
        let (Some(after), Some(until)) = (end(&window.after, i64::MIN), end(&window.until, i64::MAX)) else {
            return vec![];
        };
        let events = &self.customers[customer].events;
        let inside = |i: &usize| after < events[*i].ts.0 && events[*i].ts.0 <= until;
        let taken = |i: &usize| self.takes(select, Place { customer, event: Some(*i) });
        (0..events.len()).filter(inside).filter(taken).collect()
    }

    fn near(&self, near: &'a Near, place: Place) -> bool {
        use crate::tree::Direction;
        let Some(t) = self.event(place).map(|e| i128::from(e.ts.0)) else { return false };
        let events = &self.customers[place.customer].events;
        (0..events.len()).any(|i| {
            let ts = i128::from(events[i].ts.0);
            let ahead = match near.direction {
                Direction::After => ts - t,
                Direction::Before => t - ts,
            };
            // Before includes both ends of `t - within <= ts < t`, after those of `t < ts <= t + within`.
            let close = ahead > 0 && near.within.is_none_or(|within| ahead <= within.into());
            close && self.takes(&near.select, Place { event: Some(i), ..place })
        })
    }
}

fn val(v: &Value) -> Val {
    match v {
        Value::Bool(b) => Val::Bool(*b),
        Value::Num(d) => Val::Num((*d).into()),
        Value::Text(t) => Val::Text(t.clone()),
        Value::Instant(i) => Val::Instant(i.0),
        Value::List(l) => Val::List(l.clone()),
    }
}

/// False for values of different types.
fn compare(cmp: Cmp, a: &Val, b: &Val) -> bool {
    let equality_only = matches!(a, Val::Bool(_) | Val::Text(_));
    let order = match (a, b) {
        (Val::Num(a), Val::Num(b)) | (Val::Dur(a), Val::Dur(b)) => a.order(*b),
        (Val::Instant(a), Val::Instant(b)) => a.cmp(b),
        (Val::Date(a), Val::Date(b)) => a.cmp(b),
        (Val::Text(a), Val::Text(b)) => a.cmp(b),
        (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
        _ => return false,
    };
    match cmp {
        Cmp::Eq => order == Ordering::Equal,
        Cmp::Ne => order != Ordering::Equal,
        _ if equality_only => false,
        Cmp::Lt => order == Ordering::Less,
        Cmp::Le => order != Ordering::Greater,
        Cmp::Gt => order == Ordering::Greater,
        Cmp::Ge => order != Ordering::Less,
    }
}

fn arith(op: Arith, a: Val, b: Val) -> Option<Val> {
    use Val::{Dur, Instant, Num};
    match (op, a, b) {
        (Arith::Add, Num(a), Num(b)) => a.plus(b).map(Num),
        (Arith::Add, Dur(a), Dur(b)) => a.plus(b).map(Dur),
        (Arith::Sub, Num(a), Num(b)) => a.minus(b).map(Num),
        (Arith::Sub, Dur(a), Dur(b)) => a.minus(b).map(Dur),
        (Arith::Sub, Instant(a), Instant(b)) => Some(Dur(Number::whole(a.checked_sub(b)?))),
        (Arith::Mul, Num(a), Num(b)) => a.times(b).map(Num),
        (Arith::Mul, Num(a), Dur(b)) | (Arith::Mul, Dur(a), Num(b)) => a.times(b).map(Dur),
        (Arith::Div, Num(a), Num(b)) | (Arith::Div, Dur(a), Dur(b)) => a.over(b).map(Num),
        (Arith::Div, Dur(a), Num(b)) => a.over(b).map(Dur),
        _ => None,
    }
}
