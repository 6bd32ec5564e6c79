//! What is right but may not mean what was meant: conditions that decide nothing, classes that nobody reaches,
//! measures that nobody uses, windows and sizes that do not fit the data. Only what is certain is said.

mod events;

use crate::syntax::Fault;
use crate::tree::{Agg, AggOp, Cmp, EventSelect, Expr, Kind, Library, Measure, Rank, RankKind, Span, Window, Words};
use gyul_model::{Decimal, Duration, Instant, Zone};
use std::collections::{BTreeMap, BTreeSet};

/// What is known about the data at hand.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The first and the last event.
    pub first: Instant,
    pub last: Instant,
    /// Customers known at `last`.
    pub population: u64,
    /// Members at `last`, by segment or `partition/class`.
    pub sizes: BTreeMap<String, u64>,
}

/// Which expression of the library.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Measure(usize),
    Segment(usize),
    Class(usize, usize),
}

/// Fewer members than this say little.
const SMALL: u64 = 30;
/// A larger part of everybody, in percent, is hardly a choice.
const BROAD: u64 = 80;

pub(crate) fn lint(library: &Library, facts: Option<&Facts>) -> Vec<(Place, Fault)> {
    let mut l = Lint { zone: &library.zone, facts, used: BTreeSet::new(), faults: vec![] };
    let mut out = vec![];
    for (i, m) in library.measures.iter().enumerate() {
        l.value(&m.expr);
        out.extend(l.faults.drain(..).map(|f| (Place::Measure(i), f)));
    }
    for (i, s) in library.segments.iter().enumerate() {
        l.condition(&s.when);
        l.size(&s.id, &s.source);
        out.extend(l.faults.drain(..).map(|f| (Place::Segment(i), f)));
    }
    for (i, p) in library.partitions.iter().enumerate() {
        for (j, c) in p.classes.iter().enumerate() {
            l.condition(&c.when);
            l.size(&format!("{}/{}", p.id, c.id), &c.source);
            if let Some(before) = p.classes[..j].iter().find(|b| implies(&c.when, &b.when)) {
                l.say(
                    c.when.span,
                    "unreachable_class",
                    (
                        format!(
                            "앞의 클래스 '{}'이(가) 이 조건의 고객을 모두 가져가 '{}'에는 아무도 없습니다",
                            before.id, c.id
                        ),
                        format!("'{}' before takes everybody who meets this, so '{}' stays empty", before.id, c.id),
                    ),
                    ("더 좁은 클래스를 앞에 두세요", "put the narrower class first"),
                );
            }
            out.extend(l.faults.drain(..).map(|f| (Place::Class(i, j), f)));
        }
    }
    // One with a name is for people to look at.
    let shown = |m: &Measure| m.name != Words::default();
    for (i, m) in library.measures.iter().enumerate().filter(|(i, m)| !l.used.contains(i) && !shown(m)) {
        let fault = Fault::new(
            m.expr.span,
            "unused_measure",
            format!("지표 '{}'을(를) 쓰는 정의가 없습니다", m.id),
            format!("no definition uses the measure '{}'", m.id),
        );
        let hint =
            ("지우거나, 내보내고 볼 지표라면 name을 붙이세요", "remove it, or give it a name if people look at it");
        out.push((Place::Measure(i), fault.hint(hint.0, hint.1)));
    }
    out
}

struct Lint<'a> {
    zone: &'a Zone,
    facts: Option<&'a Facts>,
    used: BTreeSet<usize>,
    faults: Vec<Fault>,
}

impl Lint<'_> {
    fn say(&mut self, span: Span, code: &'static str, words: (String, String), hint: (&str, &str)) {
        if !self.faults.iter().any(|f| f.code == code && f.span == span) {
            self.faults.push(Fault::new(span, code, words.0, words.1).hint(hint.0, hint.1));
        }
    }

    /// A condition that decides nothing is told at the smallest part that makes it so.
    fn condition(&mut self, e: &Expr) {
        if let Some(always) = truth(e) {
            self.decided(e, always);
            self.value(e);
            return;
        }
        match &e.kind {
            Kind::And(list) | Kind::Or(list) => list.iter().for_each(|x| self.condition(x)),
            Kind::Not(x) => self.condition(x),
            _ => self.value(e),
        }
    }

    fn decided(&mut self, e: &Expr, always: bool) {
        if let Kind::And(list) | Kind::Or(list) = &e.kind
            && let Some(part) = list.iter().find(|x| truth(x) == Some(always))
        {
            return self.decided(part, always);
        }
        if always {
            let words = ("이 조건은 언제나 참이라 아무도 거르지 않습니다", "this condition is always true");
            let hint = ("조건을 빼거나 값을 확인하세요", "leave it out, or look at the values");
            self.say(e.span, "always_true", (words.0.into(), words.1.into()), hint);
        } else {
            let words = ("이 조건은 결코 참이 될 수 없습니다", "this condition is never true");
            let hint = (
                "범위가 서로 어긋나지 않는지, and를 or로 쓰려던 것은 아닌지 보세요",
                "do ranges exclude each other, or was or meant, not and?",
            );
            self.say(e.span, "never_true", (words.0.into(), words.1.into()), hint);
        }
    }

    /// Everything below, with the conditions on events.
    fn value(&mut self, e: &Expr) {
        match &e.kind {
            Kind::Measure(i) => {
                self.used.insert(*i);
            }
            Kind::Agg(a) => {
                self.select(&a.select);
                a.value.iter().for_each(|v| self.value(v));
                self.window(&a.window, e.span);
            }
            Kind::Pattern(p) => {
                for step in &p.steps {
                    self.select(&step.select);
                    step.without.iter().for_each(|w| self.select(w));
                }
                self.window(&p.window, e.span);
            }
            Kind::Rank(r) => {
                self.value(&r.x);
                r.among.iter().for_each(|a| self.condition(a));
            }
            Kind::Near(n) => self.select(&n.select),
            Kind::Cmp(_, a, b) => {
                if let (Kind::Agg(_), Kind::Ago(d)) = (&a.kind, &b.kind) {
                    self.span_of_data(*d, e.span);
                }
                self.value(a);
                self.value(b);
            }
            _ => e.operands().into_iter().for_each(|x| self.value(x)),
        }
    }

    fn select(&mut self, s: &EventSelect) {
        s.filter.iter().for_each(|f| self.condition(f));
    }

    fn window(&mut self, w: &Window, span: Span) {
        for e in w.after.iter().chain(&w.until) {
            match &e.kind {
                Kind::Ago(d) => self.span_of_data(*d, span),
                _ => self.value(e),
            }
        }
    }

    fn span_of_data(&mut self, d: Duration, span: Span) {
        let Some(facts) = self.facts else { return };
        if self.zone.ago(facts.last, d) < facts.first {
            let days = (facts.last.0 - facts.first.0) / gyul_model::MICROS_DAY;
            let words = (
                format!("{d}를 보지만 자료는 {days}일치뿐입니다"),
                format!("this looks back {d}, but the data spans {days} days"),
            );
            let hint = ("기간을 줄이거나 더 오래된 자료를 가져오세요", "shorten it, or import older data");
            self.say(span, "window_beyond_data", words, hint);
        }
    }

    fn size(&mut self, id: &str, source: &str) {
        let Some((facts, size)) = self.facts.and_then(|f| Some((f, *f.sizes.get(id)?))) else { return };
        let span = Span { start: 0, end: source.trim_end().len() as u32 };
        let all = facts.population;
        // That nobody can be in it has been said already.
        if size == 0 && self.faults.iter().any(|f| f.code == "never_true") {
            return;
        }
        if size < SMALL {
            let words = match size {
                0 => (format!("'{id}'에 드는 고객이 없습니다"), format!("nobody is in '{id}'")),
                n => (format!("'{id}'에 드는 고객이 {n}명뿐입니다"), format!("'{id}' has only {n} customers")),
            };
            let hint =
                ("조건을 넓히거나, 아직 자료가 적은 것인지 확인하세요", "widen it, or see whether data is missing");
            self.say(span, "too_small", words, hint);
        } else if u128::from(size) * 100 > u128::from(all) * u128::from(BROAD) {
            let words = (
                format!("'{id}'에 고객 {all}명 가운데 {size}명이 들어 골라내는 뜻이 거의 없습니다"),
                format!("'{id}' has {size} of {all} customers, which is hardly a choice"),
            );
            self.say(span, "too_broad", words, ("조건을 좁히세요", "narrow it"));
        }
    }
}

// ---- what is certain

/// The value of a condition, where it is the same for every customer at every time.
fn truth(e: &Expr) -> Option<bool> {
    match &e.kind {
        Kind::Bool(b) => Some(*b),
        Kind::Not(x) => truth(x).map(|b| !b),
        Kind::And(_) => {
            let parts = conjuncts(e);
            let known: Vec<Option<bool>> = parts.iter().map(|p| truth(p)).collect();
            if known.contains(&Some(false)) || opposites(&parts) || exclusive(&parts) || events::missing(&parts) {
                return Some(false);
            }
            known.iter().all(|k| *k == Some(true)).then_some(true)
        }
        Kind::Or(list) => {
            let known: Vec<Option<bool>> = list.iter().map(truth).collect();
            let parts: Vec<&Expr> = list.iter().collect();
            if known.contains(&Some(true)) || opposites(&parts) || events::exhaustive(&parts) {
                return Some(true);
            }
            known.iter().all(|k| *k == Some(false)).then_some(false)
        }
        Kind::Cmp(..) => {
            let part = range(e)?;
            let (own, known) = bounds(part.value)?;
            if !own.meets(&part.range) { Some(false) } else { (known && own.within(&part.range)).then_some(true) }
        }
        Kind::Sample { percent, .. } if *percent == Decimal::ZERO => Some(false),
        Kind::Sample { percent, .. } if *percent == Decimal::from(100) => Some(true),
        _ => None,
    }
}

/// All parts that must hold, nested ones too.
fn conjuncts(e: &Expr) -> Vec<&Expr> {
    match &e.kind {
        Kind::And(list) => list.iter().flat_map(conjuncts).collect(),
        _ => vec![e],
    }
}

/// One part is the negation of another.
fn opposites(parts: &[&Expr]) -> bool {
    let negated: BTreeSet<String> =
        parts.iter().filter_map(|p| if let Kind::Not(x) = &p.kind { Some(key(x)) } else { None }).collect();
    !negated.is_empty() && parts.iter().any(|p| negated.contains(&key(p)))
}

/// Two parts leave no value of the same thing.
fn exclusive(parts: &[&Expr]) -> bool {
    let mut seen: BTreeMap<String, Range> = BTreeMap::new();
    for part in parts.iter().filter_map(|p| range(p)) {
        let key = format!("{} {}", part.unit, key(part.value));
        let all = match seen.get(&key) {
            Some(before) => before.and(&part.range),
            None => part.range,
        };
        if all.is_empty() {
            return true;
        }
        seen.insert(key, all);
    }
    false
}

/// Whoever meets `a` meets `b`.
fn implies(a: &Expr, b: &Expr) -> bool {
    if let Kind::Or(list) = &b.kind
        && list.iter().any(|b| implies(a, b))
    {
        return true;
    }
    let have = conjuncts(a);
    let keys: BTreeSet<String> = have.iter().map(|p| key(p)).collect();
    let ranges: Vec<Part> = have.iter().filter_map(|p| range(p)).collect();
    conjuncts(b).into_iter().all(|want| {
        truth(want) == Some(true)
            || keys.contains(&key(want))
            || range(want).is_some_and(|w| {
                let same = |h: &&Part| h.unit == w.unit && key(h.value) == key(w.value);
                ranges.iter().filter(same).any(|h| h.range.within(&w.range))
            })
    })
}

/// The same text for the same expression, wherever it stands.
fn key(e: &Expr) -> String {
    let text = format!("{e:?}");
    let mut parts = text.split("span: Span { ");
    let mut out = parts.next().unwrap_or("").to_string();
    for part in parts {
        out.push_str(part.split_once('}').map_or("", |p| p.1));
    }
    out
}

/// A condition that says where one value lies.
struct Part<'a> {
    value: &'a Expr,
    unit: &'static str,
    range: Range,
}

/// Ends of a range; `true` if the end belongs.
#[derive(Clone, Default)]
struct Range {
    low: Option<(Point, bool)>,
    high: Option<(Point, bool)>,
}

#[derive(Clone, PartialEq, PartialOrd)]
enum Point {
    Num(Decimal),
    Micros(i64),
    Text(String),
}

impl Range {
    fn and(&self, other: &Range) -> Range {
        let pick = |a: &Option<(Point, bool)>, b: &Option<(Point, bool)>, higher: bool| match (a, b) {
            (Some(a), Some(b)) if a.0 == b.0 => Some((a.0.clone(), a.1 && b.1)),
            (Some(a), Some(b)) => Some(if (a.0 > b.0) == higher { a.clone() } else { b.clone() }),
            (a, b) => a.clone().or(b.clone()),
        };
        Range { low: pick(&self.low, &other.low, true), high: pick(&self.high, &other.high, false) }
    }

    fn is_empty(&self) -> bool {
        match (&self.low, &self.high) {
            (Some(l), Some(h)) => l.0 > h.0 || (l.0 == h.0 && !(l.1 && h.1)),
            _ => false,
        }
    }

    fn meets(&self, other: &Range) -> bool {
        !self.and(other).is_empty()
    }

    fn within(&self, other: &Range) -> bool {
        let low = match (&self.low, &other.low) {
            (_, None) => true,
            (Some(a), Some(b)) => a.0 > b.0 || (a.0 == b.0 && (b.1 || !a.1)),
            (None, Some(_)) => false,
        };
        let high = match (&self.high, &other.high) {
            (_, None) => true,
            (Some(a), Some(b)) => a.0 < b.0 || (a.0 == b.0 && (b.1 || !a.1)),
            (None, Some(_)) => false,
        };
        low && high
    }
}

/// The comparison of a value with a constant.
fn range(e: &Expr) -> Option<Part<'_>> {
    let Kind::Cmp(cmp, a, b) = &e.kind else {
        return match &e.kind {
            Kind::InText(x, list) if list.len() == 1 => {
                let p = Some((Point::Text(list[0].clone()), true));
                Some(Part { value: x, unit: "text", range: Range { low: p.clone(), high: p } })
            }
            _ => None,
        };
    };
    let (cmp, value, (unit, point)) = match (point(b), point(a)) {
        (Some(p), _) => (*cmp, a, p),
        (None, Some(p)) => {
            let turned = match cmp {
                Cmp::Lt => Cmp::Gt,
                Cmp::Le => Cmp::Ge,
                Cmp::Gt => Cmp::Lt,
                Cmp::Ge => Cmp::Le,
                same => *same,
            };
            (turned, b, p)
        }
        (None, None) => return None,
    };
    let (low, high) = match cmp {
        Cmp::Eq => (Some((point.clone(), true)), Some((point, true))),
        Cmp::Ne => return None,
        Cmp::Lt => (None, Some((point, false))),
        Cmp::Le => (None, Some((point, true))),
        Cmp::Gt => (Some((point, false)), None),
        Cmp::Ge => (Some((point, true)), None),
    };
    Some(Part { value, unit, range: Range { low, high } })
}

/// A constant on its own scale: what is on different scales is not compared.
fn point(e: &Expr) -> Option<(&'static str, Point)> {
    Some(match &e.kind {
        Kind::Num(n) => ("num", Point::Num(*n)),
        Kind::Dur(us) => ("dur", Point::Micros(*us)),
        Kind::Instant(t) => ("instant", Point::Micros(t.0)),
        // Longer ago is earlier.
        Kind::Ago(Duration::Exact(us)) => ("ago", Point::Micros(us.checked_neg()?)),
        Kind::Ago(Duration::Months(m)) => ("months ago", Point::Micros(-i64::from(*m))),
        Kind::Text(t) => ("text", Point::Text(t.clone())),
        _ => return None,
    })
}

/// Where a number can lie at all, and whether it is always known.
fn bounds(e: &Expr) -> Option<(Range, bool)> {
    let num = |n: i64| Some((Point::Num(Decimal::from(n)), true));
    let dur = |n: i64| Some((Point::Micros(n), true));
    let (low, high, known) = match &e.kind {
        Kind::Agg(a) => match a.as_ref() {
            Agg { op: AggOp::Count | AggOp::Distinct | AggOp::Days | AggOp::Streak(_), .. } => (num(0), None, true),
            Agg { op: AggOp::LongestGap | AggOp::AverageGap, .. } => (dur(0), None, false),
            _ => return None,
        },
        Kind::Pattern(p) => (num(0), num(p.steps.len() as i64), true),
        Kind::Age => (num(0), None, false),
        Kind::Nth => (num(1), None, true),
        Kind::Hour => (num(0), num(23), true),
        Kind::Weekday => (num(1), num(7), true),
        Kind::Gap => (dur(0), None, false),
        Kind::Rank(r) => match r.as_ref() {
            Rank { kind: RankKind::Quintile, .. } => (num(1), num(5), false),
            Rank { kind: RankKind::Percentile, .. } => (num(0), num(100), false),
            _ => return None,
        },
        Kind::Num(_) | Kind::Dur(_) => {
            let p = point(e).map(|p| (p.1, true));
            (p.clone(), p, true)
        }
        _ => return None,
    };
    Some((Range { low, high }, known))
}
