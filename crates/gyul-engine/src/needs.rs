//! What a definition has to know, and whether the data can tell it.
//!
//! Nobody in "full-price buyers" and everybody in it look alike where no order says whether a coupon was used: both are no
//! answer. A condition is *undecided* if it asks for an event, a property or a trait that nothing was ever seen of. An
//! alternative that can be told is enough for an `or`; a sum goes without the part that never happened.

use gyul_model::{Lang, Snapshot, StreamInfo, names};
use gyul_report::Text;
use gyul_segment::tree::{AggOp, Arith, EventSelect, Expr, Kind, Library, Names};
use gyul_timeline::Named;
use std::collections::{BTreeMap, BTreeSet};

/// What nothing was ever seen of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    Event(String),
    /// Of an event.
    Property(String, String),
    Trait(String),
}

/// What the data lacks for an answer: one of each list. Empty: it can be told.
pub type Needs = Vec<Vec<Lack>>;

/// Events, properties and traits of which something was seen.
pub struct Seen<'a> {
    events: BTreeMap<&'a str, BTreeSet<&'a str>>,
    traits: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    pub fn of(data: &'a Snapshot) -> Seen<'a> {
        let any = |s: usize| data.buckets.iter().any(|b| !b.streams[s].ts.is_empty());
        Seen::in_streams(data.streams.iter().enumerate().filter(|(s, _)| any(*s)).map(|(_, s)| s))
    }

    pub fn in_streams(streams: impl Iterator<Item = &'a StreamInfo>) -> Seen<'a> {
        let mut out = Seen { events: BTreeMap::new(), traits: BTreeSet::new() };
        for s in streams {
            let columns = s.columns.iter().map(|c| c.name.as_str());
            match s.name == names::IDENTIFY {
                true => out.traits.extend(columns),
                false => drop(out.events.insert(&s.name, columns.collect())),
            }
        }
        out
    }

    /// What a segment or class cannot be told without.
    pub fn needs(&self, library: &Library, named: Named) -> Needs {
        let look = Look { seen: self, library };
        let mut out = match named {
            Named::Segment(i) => look.at(&library.segments[i].when, &[]),
            Named::Class(p, k) => look.class(p, k),
            Named::Measure(i) => look.at(&library.measures[i].expr, &[]),
        };
        out.sort();
        out.dedup();
        out
    }
}

struct Look<'a> {
    seen: &'a Seen<'a>,
    library: &'a Library,
}

impl Look<'_> {
    /// `events`: those of which one is looked at.
    fn at(&self, e: &Expr, events: &[String]) -> Needs {
        match &e.kind {
            Kind::Trait(name) if !self.seen.traits.contains(name.as_str()) => vec![vec![Lack::Trait(name.clone())]],
            Kind::Age if ![names::BIRTH_DATE, "age"].iter().any(|t| self.seen.traits.contains(t)) => {
                vec![vec![Lack::Trait(names::BIRTH_DATE.into())]]
            }
            Kind::Prop(name) => self.property(name, events),
            Kind::Agg(agg) => {
                let mut out = self.select(&agg.select);
                if out.is_empty() {
                    out.extend(agg.value.iter().flat_map(|v| self.at(v, of(&agg.select))));
                }
                let ends = agg.window.after.iter().chain(&agg.window.until);
                out.extend(ends.flat_map(|e| self.at(e, &[])));
                out
            }
            Kind::Pattern(p) => {
                let selects = p.steps.iter().flat_map(|s| std::iter::once(&s.select).chain(&s.without));
                let ends = p.window.after.iter().chain(&p.window.until);
                selects.flat_map(|s| self.select(s)).chain(ends.flat_map(|e| self.at(e, &[]))).collect()
            }
            Kind::Near(near) => self.select(&near.select),
            Kind::Measure(i) => self.at(&self.library.measures[*i].expr, &[]),
            Kind::InSegment(i) => self.at(&self.library.segments[*i].when, &[]),
            Kind::InClass { partition, class } => self.class(*partition, *class),
            Kind::Rank(r) => {
                let among = r.among.iter().flat_map(|a| self.at(a, &[]));
                self.at(&r.x, &[]).into_iter().chain(among).collect()
            }
            Kind::Or(list) => one_of(list.iter().map(|e| self.at(e, events))),
            Kind::Arith(Arith::Add | Arith::Sub, a, b) => {
                let (x, y) = (self.at(a, events), self.at(b, events));
                // No refunds have come: nothing is to be taken off.
                match (self.never_happened(a), self.never_happened(b)) {
                    (true, false) => y,
                    (false, true) => x,
                    _ => x.into_iter().chain(y).collect(),
                }
            }
            _ => e.operands().into_iter().flat_map(|x| self.at(x, events)).collect(),
        }
    }

    /// A class is told by its own condition; all others by one that can be told.
    fn class(&self, partition: usize, class: usize) -> Needs {
        let classes = &self.library.partitions[partition].classes;
        match classes.get(class) {
            Some(c) => self.at(&c.when, &[]),
            None => one_of(classes.iter().map(|c| self.at(&c.when, &[]))),
        }
    }

    fn select(&self, s: &EventSelect) -> Needs {
        if let Names::Of(list) = &s.events
            && !list.iter().any(|n| self.seen.events.contains_key(n.as_str()))
        {
            return vec![list.iter().cloned().map(Lack::Event).collect()];
        }
        s.filter.iter().flat_map(|f| self.at(f, of(s))).collect()
    }

    fn property(&self, name: &str, events: &[String]) -> Needs {
        let has = |e: &BTreeSet<&str>| e.contains(name);
        let known = match events {
            [] => self.seen.events.values().any(has),
            list => list.iter().filter_map(|e| self.seen.events.get(e.as_str())).any(has),
        };
        match events.iter().find(|e| self.seen.events.contains_key(e.as_str())) {
            Some(event) if !known => vec![vec![Lack::Property(event.clone(), name.to_string())]],
            _ => vec![],
        }
    }

    /// A number that is 0 because no such event was ever seen.
    fn never_happened(&self, e: &Expr) -> bool {
        match &e.kind {
            Kind::Measure(i) => self.never_happened(&self.library.measures[*i].expr),
            Kind::Agg(a) => {
                let zero = matches!(a.op, AggOp::Count | AggOp::Sum | AggOp::Distinct | AggOp::Days);
                let absent = |n: &String| !self.seen.events.contains_key(n.as_str());
                zero && matches!(&a.select.events, Names::Of(list) if list.iter().all(absent))
            }
            _ => false,
        }
    }
}

fn of(s: &EventSelect) -> &[String] {
    match &s.events {
        Names::Of(list) => list,
        Names::Any => &[],
    }
}

/// Enough if one of several can be told.
fn one_of(all: impl Iterator<Item = Needs>) -> Needs {
    let mut any: Vec<Lack> = vec![];
    for needs in all {
        if needs.is_empty() {
            return needs;
        }
        any.extend(needs.into_iter().flatten());
    }
    any.sort();
    any.dedup();
    if any.is_empty() { vec![] } else { vec![any] }
}

/// What would have to be known, in words: "coupon of orders or discount of orders".
pub fn words(needs: &Needs) -> Text {
    let join = |ko: bool| {
        let one = |l: &Lack| if ko { l.words().ko } else { l.words().en };
        let any = |list: &Vec<Lack>| {
            // A few tell what is meant.
            let more = if list.len() > 3 { "…" } else { "" };
            list.iter().take(3).map(one).collect::<Vec<_>>().join(if ko { " 또는 " } else { " or " }) + more
        };
        needs.iter().map(any).collect::<Vec<_>>().join(", ")
    };
    Text { ko: join(true), en: join(false) }
}

impl Lack {
    /// As definitions would write it, by the event's full name.
    pub fn name(&self) -> String {
        match self {
            Lack::Event(n) | Lack::Trait(n) => n.clone(),
            Lack::Property(e, p) => format!("{e}.{p}"),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Lack::Event(_) => "event",
            Lack::Property(..) => "property",
            Lack::Trait(_) => "trait",
        }
    }

    pub fn words(&self) -> Text {
        match self {
            Lack::Event(n) | Lack::Trait(n) => called(n),
            Lack::Property(event, name) => {
                let (of, what) = (called(event), called(name));
                Text::new(format!("{}의 {}", of.ko, what.ko), format!("{} of {}", what.en, of.en))
            }
        }
    }
}

/// What a trait, a property or an event is called in sentences.
pub(crate) fn called(name: &str) -> Text {
    Text::new(gyul_segment::explain::called(name, Lang::Ko), gyul_segment::explain::called(name, Lang::En))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_model::{ColumnInfo, ColumnKind};

    /// `when` asked of streams like `order total coupon`.
    fn needs(streams: &[&str], when: &str) -> String {
        let infos: Vec<StreamInfo> = streams
            .iter()
            .map(|s| {
                let mut words = s.split(' ').map(str::to_string);
                let name = words.next().unwrap();
                let columns = words.map(|name| ColumnInfo { name, kind: ColumnKind::Bool }).collect();
                StreamInfo { name, columns }
            })
            .collect();
        let file = format!(
            "version: 1\nevents:\n  order: {{ event: order }}\n  refund: {{ event: refund }}\n  view: {{ event: view }}\n\
             measures:\n  net: sum(order.total) - sum(refund.total)\n\
             partitions:\n  - id: p\n    classes:\n      - {{ id: a, when: age < 20 }}\n      \
             - {{ id: b, when: country = 'KR' }}\n    otherwise: c\n\
             segments:\n  - id: s\n    when: {when}\n"
        );
        let (library, problems) = gyul_segment::load(&[("f".into(), file)], None);
        assert!(problems.iter().all(|p| p.severity != gyul_segment::Severity::Error), "{when}: {problems:?}");
        let needs = Seen::in_streams(infos.iter()).needs(&library, Named::Segment(0));
        let any = |l: &Vec<Lack>| l.iter().map(Lack::name).collect::<Vec<_>>().join("|");
        needs.iter().map(any).collect::<Vec<_>>().join(" & ")
    }

    #[test]
    fn a_condition_needs_what_it_cannot_be_told_without() {
        let shop = ["order total", "identify country"];
        for (when, want) in [
            ("count(order) > 1", ""),
            ("count(view) = 0", "view"),
            ("count(order) > 1 and count(view) = 0", "view"),
            ("count(order) > 1 or count(view) > 0", ""),
            ("share(order where coupon is known or discount > 0) = 0", "order.coupon|order.discount"),
            ("count(order where total > 5) > 0", ""),
            ("net > 100", ""),
            ("count(refund) / count(order) > 0.5", "refund"),
            ("net in top 10%", ""),
            ("age > 20 and country = 'KR'", "birth_date"),
            ("not (consent(email) or consent(sms))", "consent.email|consent.sms"),
            ("p = b", ""),
            ("p = a", "birth_date"),
            ("p = c", ""),
            ("count(order, since last view) = 0", "view"),
        ] {
            assert_eq!(needs(&shop, when), want, "{when}");
        }
        // One column of two is enough.
        assert_eq!(needs(&["order coupon"], "share(order where coupon is known or discount > 0) = 0"), "");
        assert_eq!(needs(&["view"], "p = c"), "birth_date|country");
    }
}
