//! What does a condition ask of anybody? In words, before anybody is looked at.

use super::phrase::{Say, consent, needs, titled};
use super::show::{Unit, length};
use super::{excerpt, terms, words};
use crate::reference::Val;
use crate::tree::{Cmp, Expr, Kind, Library, Pattern};
use gyul_model::{Decimal, Lang};

/// A condition in one sentence. `source` is the text that it was read from: what has no words is quoted from there.
pub fn asked(library: &Library, e: &Expr, source: &str, lang: Lang) -> String {
    Asked { say: Say { lib: library, lang }, source }.of(e, true)
}

/// The single conditions that it is made of, each in words.
pub fn parts(library: &Library, e: &Expr, source: &str, lang: Lang) -> Vec<String> {
    let (asked, mut out) = (Asked { say: Say { lib: library, lang }, source }, vec![]);
    asked.each(e, &mut out);
    out
}

struct Asked<'a> {
    say: Say<'a>,
    source: &'a str,
}

impl<'a> Asked<'a> {
    fn each(&self, e: &'a Expr, out: &mut Vec<String>) {
        match &e.kind {
            Kind::And(parts) | Kind::Or(parts) if words::as_one(e).is_none() => {
                parts.iter().for_each(|p| self.each(p, out));
            }
            Kind::Not(a) if matches!(a.kind, Kind::And(_) | Kind::Or(_)) => self.each(a, out),
            _ => out.push(self.of(e, true)),
        }
    }

    /// `alone`: nothing stands beside it that it could be mistaken for a part of.
    fn of(&self, e: &'a Expr, alone: bool) -> String {
        let joined = |parts: &'a [Expr], with: &str| {
            let all = parts.iter().map(|p| self.of(p, false)).collect::<Vec<_>>().join(with);
            if alone { all } else { format!("({all})") }
        };
        match &e.kind {
            Kind::And(_) | Kind::Or(_) if words::as_one(e).is_some() => self.said(e),
            Kind::And(parts) => joined(parts, self.say.lang.pick(" 그리고 ", " and ")),
            Kind::Or(parts) => joined(parts, self.say.lang.pick(" 또는 ", " or ")),
            Kind::Not(a) => {
                let a = self.of(a, false);
                self.say.pick(format!("{a} 아님"), format!("not {a}"))
            }
            _ => self.said(e),
        }
    }

    fn said(&self, e: &'a Expr) -> String {
        self.single(e).unwrap_or_else(|| excerpt(self.source, e.span))
    }

    fn single(&self, e: &'a Expr) -> Option<String> {
        let say = &self.say;
        Some(match &e.kind {
            Kind::Bool(true) => say.pick("모든 고객", "everybody"),
            Kind::Bool(false) => say.pick("아무도 아님", "nobody"),
            Kind::And(parts) => self.range(parts)?,
            Kind::Or(parts) => self.choice(parts)?,
            Kind::Cmp(cmp, a, b) => {
                let (subject, needs) = self.compared(*cmp, a, b)?;
                self.put(&subject, &needs)
            }
            Kind::Rank(k) => {
                let among = k.among.as_ref().map(|e| self.of(e, true));
                let among = among.map(|a| say.pick(format!(" (비교 대상: {a})"), format!(" (of those with {a})")));
                say.ranked(k) + &among.unwrap_or_default()
            }
            Kind::Trait(name) if consent(name).is_some() => {
                let channel = terms::channel(consent(name)?, say.lang);
                say.pick(format!("{channel} 수신에 동의함"), format!("consents to {channel}"))
            }
            Kind::Trait(_) | Kind::Agg(_) => self.put(&say.subject(e)?, say.lang.pick("예", "yes")),
            Kind::InClass { partition, class } => {
                let p = &say.lib.partitions[*partition];
                self.put(titled(&p.about.name, &p.id, say.lang), &say.class(*partition, *class))
            }
            Kind::InSegment(i) => {
                let s = &say.lib.segments[*i];
                let name = titled(&s.about.name, &s.id, say.lang);
                say.pick(format!("세그먼트 '{name}'에 속함"), format!("in segment {name}"))
            }
            Kind::Sample { percent, salt } => {
                say.pick(format!("표본 {percent}%('{salt}')"), format!("in the sample of {percent}% '{salt}'"))
            }
            _ => {
                let (a, needs) = say.asks(e)?;
                self.put(&say.subject(a)?, &needs)
            }
        })
    }

    fn put(&self, subject: &str, needs: &str) -> String {
        self.say.pick(format!("{subject} {needs}"), format!("{subject}: {needs}"))
    }

    fn compared(&self, cmp: Cmp, a: &'a Expr, b: &'a Expr) -> Option<(String, String)> {
        let say = &self.say;
        let plain = |cmp, limit: &str| needs(cmp, limit, &Val::Bool(true), say.lang);
        match (&a.kind, &b.kind) {
            (Kind::Agg(agg), Kind::Ago(limit)) => {
                return Some((say.since(agg)?, plain(cmp.mirrored(), &length(*limit, say.lang))));
            }
            (Kind::Pattern(p), Kind::Num(n)) => {
                return Some((say.pattern(p)? + say.lang.pick(":", ""), self.steps(cmp, p, n)));
            }
            _ => {}
        }
        let unit = match say.unit(a) {
            Unit::Plain => say.unit(b),
            unit => unit,
        };
        let like = match b.ty {
            crate::tree::Type::Instant => Val::Instant(0),
            _ => Val::Bool(true),
        };
        let limit = say.constant(b, unit).or_else(|| say.subject(b))?;
        Some((say.subject(a)?, needs(cmp, &limit, &like, say.lang)))
    }

    fn steps(&self, cmp: Cmp, p: &Pattern, n: &Decimal) -> String {
        let whole = *n == Decimal::from(p.steps.len() as i64);
        match cmp {
            Cmp::Ge | Cmp::Eq if whole => self.say.pick("끝까지", "all"),
            Cmp::Lt | Cmp::Ne if whole => self.say.pick("끝까지 가지 않음", "not all"),
            _ => {
                let steps = self.say.pick(format!("{n}단계"), format!("{n} steps"));
                needs(cmp, &steps, &Val::Bool(true), self.say.lang)
            }
        }
    }

    fn range(&self, parts: &'a [Expr]) -> Option<String> {
        let mut both = vec![];
        for p in parts {
            let Kind::Cmp(cmp, a, b) = &p.kind else { return None };
            both.push(self.compared(*cmp, a, b)?);
        }
        // `since(E) between …` is read as two comparisons with instants, the later one first.
        both.sort_by_key(|(_, needs)| !(needs.ends_with("이상") || needs.starts_with("at least")));
        let [(subject, low), (_, high)] = both.as_slice() else { return None };
        let needs = match (self.say.lang, low.strip_prefix("at least "), high.strip_prefix("at most ")) {
            (Lang::Ko, ..) => format!("{low} {high}"),
            (_, Some(low), Some(high)) => format!("between {low} and {high}"),
            _ => format!("{low} and {high}"),
        };
        Some(self.put(subject, &needs))
    }

    fn choice(&self, parts: &'a [Expr]) -> Option<String> {
        let (mut all, mut of) = (vec![], String::new());
        for p in parts {
            let (subject, needs) = match &p.kind {
                Kind::Cmp(cmp, a, b) => self.compared(*cmp, a, b)?,
                Kind::Within(a, code) => (self.say.subject(a)?, terms::region(code, self.say.lang)),
                Kind::InClass { partition, class } => {
                    let p = &self.say.lib.partitions[*partition];
                    (titled(&p.about.name, &p.id, self.say.lang).into(), self.say.class(*partition, *class))
                }
                _ => return None,
            };
            of = subject;
            all.push(needs);
        }
        let all = all.join(", ");
        Some(self.put(&of, &self.say.pick(format!("{all} 중 하나"), format!("one of {all}"))))
    }
}
