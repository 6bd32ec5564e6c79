//! One condition as a sentence: what was found, and what is needed.

use super::phrase::{Say, consent, needs, titled};
use super::show::{Unit, length};
use super::terms;
use crate::reference::{Number, Reference, Threshold, Val};
use crate::tree::{Agg, AggOp, Arith, Cmp, Expr, Kind, Pattern, Rank, RankKind, Words};
use gyul_model::{Duration, Lang};

/// The parts of a sentence.
struct Said {
    subject: String,
    own: Option<String>,
    needs: String,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// "2 orders in the last month".
    Counted,
    /// Something that needs an event, of this name: without one there is nothing to say a number of.
    Since,
    Plain,
}

/// A condition in plain words. `negated`: it is asked that it does not hold.
pub(super) fn condition<'a>(
    r: &Reference<'a>,
    customer: usize,
    e: &'a Expr,
    negated: bool,
    rank: Option<&(Val, Threshold)>,
) -> Words {
    let said = |lang| Sentence { say: Say { lib: r.library(), lang }, r, customer }.of(e, negated, rank);
    // A form that one language lacks, both lack.
    let (ko, en) = (said(Lang::Ko), said(Lang::En));
    if ko.is_some() && en.is_some() { Words { ko, en } } else { Words::default() }
}

/// What several conditions that read as one look at: a range, or one of some values.
pub(super) fn as_one(e: &Expr) -> Option<&Expr> {
    let parts = match &e.kind {
        Kind::And(list) if list.len() == 2 => list,
        Kind::Or(list) if list.len() > 1 => list,
        _ => return None,
    };
    let looked = |p: &'_ Expr| match (&e.kind, &p.kind) {
        (Kind::And(_), Kind::Cmp(Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge, a, _)) => Some(format!("{:?}", a.span)),
        (Kind::Or(_), Kind::Within(a, _) | Kind::Cmp(Cmp::Eq, a, _)) => match &a.kind {
            Kind::Trait(name) => Some(name.clone()),
            _ => None,
        },
        (Kind::Or(_), Kind::InClass { partition, .. }) => Some(partition.to_string()),
        _ => None,
    };
    let first = looked(&parts[0])?;
    let alike = parts.iter().all(|p| {
        std::mem::discriminant(&p.kind) == std::mem::discriminant(&parts[0].kind)
            && looked(p).as_deref() == Some(first.as_str())
    });
    // Two comparisons of one text were written as `between`.
    let between = || match (&parts[0].kind, &parts[1].kind) {
        (Kind::Cmp(_, a, _), Kind::Cmp(_, b, _)) => std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind),
        _ => false,
    };
    let fits = alike && (matches!(e.kind, Kind::Or(_)) || (parts[0].span == parts[1].span && between()));
    fits.then_some(&parts[0])
}

struct Sentence<'r, 'a> {
    say: Say<'a>,
    r: &'r Reference<'a>,
    customer: usize,
}

impl<'a> Sentence<'_, 'a> {
    fn of(&self, e: &'a Expr, negated: bool, rank: Option<&(Val, Threshold)>) -> Option<String> {
        let lib = self.say.lib;
        let said = match &e.kind {
            Kind::Bool(true) => return Some(self.say.pick("언제나 맞음", "always")),
            Kind::Bool(false) => return Some(self.say.pick("언제나 맞지 않음", "never")),
            Kind::And(parts) | Kind::Or(parts) if as_one(e).is_some() => self.together(e, parts)?,
            Kind::Cmp(cmp, a, b) => return Some(self.finished(self.compared(*cmp, a, b, negated)?)),
            Kind::Rank(k) => return Some(self.denied(self.ranked(k, rank), negated)),
            Kind::Trait(name) if consent(name).is_some() => return Some(self.consented(e, consent(name)?, negated)),
            Kind::Trait(_) | Kind::Agg(_) => self.plain(e, self.say.subject(e)?, self.say.pick("예", "yes")),
            Kind::InClass { partition, class } => self.class(*partition, *class),
            Kind::InSegment(i) => {
                let s = &lib.segments[*i];
                let name = titled(&s.about.name, &s.id, self.say.lang);
                let of = self.say.pick(format!("세그먼트 '{name}'"), format!("segment {name}"));
                return Some(self.inside(&of, self.r.member(*i, self.customer), negated));
            }
            Kind::Sample { percent, salt } => {
                let of = self.say.pick(format!("표본 {percent}%('{salt}')"), format!("sample of {percent}% '{salt}'"));
                return Some(self.inside(&of, self.r.truth(e, self.customer), negated));
            }
            _ => {
                let (a, needs) = self.say.asks(e)?;
                self.plain(a, self.say.subject(a)?, needs)
            }
        };
        let needs = match &e.kind {
            _ if !negated => said.needs,
            Kind::IsKnown(_) => self.say.pick("값 없음", "no value"),
            _ => self.not(&said.needs),
        };
        Some(self.finished(Said { needs, ..said }))
    }

    fn class(&self, partition: usize, class: usize) -> Said {
        let of = |k| self.say.class(partition, k);
        let p = &self.say.lib.partitions[partition];
        Said {
            subject: titled(&p.about.name, &p.id, self.say.lang).to_string(),
            own: self.r.class(partition, self.customer).map(of),
            needs: of(class),
            form: Form::Plain,
        }
    }

    fn plain(&self, e: &'a Expr, subject: String, needs: String) -> Said {
        let unit = self.say.unit(e);
        let own = self.r.value(e, self.customer).map(|v| self.say.shown(&v, unit));
        Said { subject, own, needs, form: Form::Plain }
    }

    fn inside(&self, of: &str, inside: bool, negated: bool) -> String {
        let said = if inside {
            self.say.pick(format!("{of}에 속함"), format!("in {of}"))
        } else {
            self.say.pick(format!("{of}에 속하지 않음"), format!("not in {of}"))
        };
        let needs = if negated && inside {
            self.say.pick(" (기준: 속하지 않음)", " (needs not to be)")
        } else {
            String::new()
        };
        said + &needs
    }

    fn not(&self, needs: &str) -> String {
        self.say.pick(format!("{needs} 아님"), format!("anything but {needs}"))
    }

    fn finished(&self, s: Said) -> String {
        let Said { subject, own, needs, form } = s;
        match (self.say.lang, own, form) {
            (Lang::Ko, Some(own), _) => format!("{subject} {own} (기준: {needs})"),
            (Lang::Ko, None, Form::Since) => format!("{subject} 지난 시간: 기록 없음 (기준: {needs})"),
            (Lang::Ko, None, _) => format!("{subject} 모름 (기준: {needs})"),
            (Lang::En, Some(own), Form::Counted) => format!("{own} {subject} (needs {needs})"),
            (Lang::En, Some(own), _) => format!("{subject}: {own} (needs {needs})"),
            (Lang::En, None, Form::Since) => format!("{subject}: there was none (needs {needs})"),
            (Lang::En, None, _) => format!("{subject}: unknown (needs {needs})"),
        }
    }

    fn denied(&self, said: String, negated: bool) -> String {
        if negated {
            self.say.pick(format!("{said} – 해당하지 않아야 함"), format!("{said} – must not hold"))
        } else {
            said
        }
    }

    fn consented(&self, e: &Expr, channel: &str, negated: bool) -> String {
        let channel = terms::channel(channel, self.say.lang);
        let own = match &e.kind {
            Kind::Trait(name) => self.r.trait_event(name, self.customer).and_then(|e| e.prop(name)),
            _ => None,
        };
        let said = match own {
            Some(gyul_model::Value::Bool(true)) => {
                self.say.pick(format!("{channel} 수신에 동의함"), format!("consents to {channel}"))
            }
            Some(_) => {
                self.say.pick(format!("{channel} 수신에 동의하지 않음"), format!("does not consent to {channel}"))
            }
            None => self.say.pick(format!("{channel} 수신 동의 여부 모름"), format!("consent to {channel}: unknown")),
        };
        // Where nothing was given there is nothing against it.
        let given = matches!(own, Some(gyul_model::Value::Bool(true)));
        let needs = if negated && given {
            self.say.pick(" (기준: 동의하지 않음)", " (needs no consent)")
        } else {
            String::new()
        };
        said + &needs
    }

    /// A range, or one of several values.
    fn together(&self, e: &'a Expr, parts: &'a [Expr]) -> Option<Said> {
        if matches!(e.kind, Kind::And(_)) {
            let mut both = vec![];
            for p in parts {
                let Kind::Cmp(cmp, a, b) = &p.kind else { return None };
                both.push(self.compared(*cmp, a, b, false)?);
            }
            let (high, low) = (both.pop()?, both.pop()?);
            let needs = match (self.say.lang, low.needs.strip_prefix("at least "), high.needs.strip_prefix("at most "))
            {
                (Lang::Ko, ..) => format!("{} {}", low.needs, high.needs),
                (Lang::En, Some(low), Some(high)) => format!("between {low} and {high}"),
                _ => format!("{} and {}", low.needs, high.needs),
            };
            return Some(Said { needs, ..low });
        }
        let mut all = vec![];
        let mut first: Option<Said> = None;
        for p in parts {
            let said = match &p.kind {
                Kind::Cmp(cmp, a, b) => self.compared(*cmp, a, b, false)?,
                Kind::Within(a, code) => self.plain(a, self.say.subject(a)?, terms::region(code, self.say.lang)),
                Kind::InClass { partition, class } => self.class(*partition, *class),
                _ => return None,
            };
            all.push(said.needs.clone());
            first.get_or_insert(said);
        }
        let all = all.join(", ");
        let needs = self.say.pick(format!("{all} 중 하나"), format!("one of {all}"));
        Some(Said { needs, ..first? })
    }

    fn compared(&self, cmp: Cmp, a: &'a Expr, b: &'a Expr, negated: bool) -> Option<Said> {
        let opposite = match cmp {
            Cmp::Eq => Cmp::Ne,
            Cmp::Ne => Cmp::Eq,
            Cmp::Lt => Cmp::Ge,
            Cmp::Le => Cmp::Gt,
            Cmp::Gt => Cmp::Le,
            Cmp::Ge => Cmp::Lt,
        };
        let asked = if negated { opposite } else { cmp };
        let mut said = match (&a.kind, &b.kind) {
            (Kind::Agg(agg), Kind::Ago(limit)) => self.since(agg, a, asked, *limit),
            (Kind::Pattern(p), Kind::Num(_)) => self.stepped(p, a, asked, b),
            _ => None,
        };
        if said.is_none() {
            said = Some(self.valued(asked, a, b)?);
        }
        let mut said = said?;
        // A comparison with an unknown value is false, so its contrary holds.
        if negated && said.own.is_none() {
            said.needs += &self.say.pick(" 또는 모름", " or unknown");
        }
        Some(said)
    }

    fn valued(&self, cmp: Cmp, a: &'a Expr, b: &'a Expr) -> Option<Said> {
        let unit = match self.say.unit(a) {
            Unit::Plain => self.say.unit(b),
            unit => unit,
        };
        let own = self.r.value(a, self.customer);
        let limit = self.r.value(b, self.customer);
        let like = limit.clone().or_else(|| own.clone()).unwrap_or(Val::Bool(true));
        let asked = |text: &str| needs(cmp, text, &like, self.say.lang);
        let needs = match (self.say.constant(b, unit), limit) {
            (Some(text), _) => asked(&text),
            (None, _) if matches!(b.kind, Kind::Ago(_) | Kind::Now | Kind::Today) => asked(&self.say.subject(b)?),
            (None, Some(v)) if is_constant(b) => asked(&self.say.shown(&v, unit)),
            // What is calculated is told with the way there.
            (None, Some(v)) => format!("{} = {}", asked(&self.say.shown(&v, unit)), self.say.subject(b)?),
            (None, None) => {
                format!("{}, {}", asked(&self.say.subject(b)?), self.say.pick("그 값은 아직 모름", "which is unknown"))
            }
        };
        let form = match &a.kind {
            Kind::Agg(agg) if agg.op == AggOp::Count => Form::Counted,
            Kind::Arith(Arith::Sub, now, _) if matches!(now.kind, Kind::Now) => Form::Since,
            _ => Form::Plain,
        };
        let single = own.as_ref().is_some_and(|v| *v == Val::Num(Number::whole(1)));
        let mut subject = match &a.kind {
            Kind::Agg(agg) if form == Form::Counted => self.say.aggregate(agg, !single)?,
            _ => self.say.subject(a)?,
        };
        // A number right behind a calculation would read as part of it.
        if self.say.lang == Lang::Ko && form == Form::Plain && matches!(a.kind, Kind::Arith(..)) {
            subject += ":";
        }
        Some(Said { subject, own: own.map(|v| self.say.shown(&v, unit)), needs, form })
    }

    /// `last order >= 30 days ago` as people say it: so long since the last order.
    fn since(&self, agg: &'a Agg, a: &'a Expr, cmp: Cmp, limit: Duration) -> Option<Said> {
        let own = match self.r.value(a, self.customer) {
            Some(Val::Instant(t)) => Some(self.r.at().0.checked_sub(t)?),
            _ => None,
        };
        let subject = self.say.since(agg)?;
        let needs = needs(cmp.mirrored(), &length(limit, self.say.lang), &Val::Bool(true), self.say.lang);
        Some(Said { subject, own: own.map(|us| super::show::span(us, self.say.lang)), needs, form: Form::Since })
    }

    /// How far along a sequence.
    fn stepped(&self, p: &'a Pattern, a: &'a Expr, cmp: Cmp, b: &'a Expr) -> Option<Said> {
        let (of, Some(Val::Num(reached))) = (p.steps.len(), self.r.value(a, self.customer)) else { return None };
        let (Kind::Num(asked), reached) = (&b.kind, reached.to_f64() as usize) else { return None };
        let whole = *asked == gyul_model::Decimal::from(of as i64);
        let own = self.say.pick(format!("{of}단계 중 {reached}단계까지"), format!("{reached} of {of} steps"));
        let needs = match cmp {
            Cmp::Ge | Cmp::Eq if whole => self.say.pick("끝까지", "all"),
            Cmp::Lt | Cmp::Ne if whole => self.say.pick("끝까지 가지 않음", "not all"),
            _ => {
                let steps = self.say.pick(format!("{asked}단계"), asked.to_string());
                needs(cmp, &steps, &Val::Bool(true), self.say.lang)
            }
        };
        Some(Said {
            subject: self.say.pattern(p)? + self.say.lang.pick(":", ""),
            own: Some(own),
            needs,
            form: Form::Plain,
        })
    }

    fn ranked(&self, k: &'a Rank, rank: Option<&(Val, Threshold)>) -> String {
        let pick = |ko: String, en: String| self.say.lang.pick(ko, en);
        let what = self.say.ranked(k);
        let Some((own, threshold)) = rank else {
            let among = k.among.as_ref().and_then(|e| self.asked_of(e));
            let among = among.map(|a| pick(format!(" (비교 대상: {a})"), format!(" (which are those with {a})")));
            let among = among.unwrap_or_default();
            return pick(
                format!("{what}: 비교 대상이 아님{among}"),
                format!("{what}: not among those compared{among}"),
            );
        };
        let unit = self.say.unit(&k.x);
        let own = self.say.shown(own, unit);
        match threshold {
            Threshold::Value(v) => {
                let cmp = match k.kind {
                    RankKind::Bottom(_) => Cmp::Le,
                    RankKind::AboveAverage => Cmp::Gt,
                    RankKind::BelowAverage => Cmp::Lt,
                    _ => Cmp::Ge,
                };
                let limit = needs(cmp, &self.say.shown(v, unit), v, self.say.lang);
                pick(format!("{what}: {own} (기준: {limit})"), format!("{what}: {own} (needs {limit})"))
            }
            Threshold::Below { below, of } => pick(
                format!("{what}: {own} ({of}명 중 {below}명이 더 낮음)"),
                format!("{what}: {own} ({below} of {of} are lower)"),
            ),
        }
    }

    /// A condition without what was found.
    fn asked_of(&self, e: &'a Expr) -> Option<String> {
        let Kind::Cmp(cmp, a, b) = &e.kind else { return None };
        let said = self.compared(*cmp, a, b, false)?;
        Some(format!("{} {}", said.subject, said.needs))
    }
}

/// The same for every customer.
fn is_constant(e: &Expr) -> bool {
    match &e.kind {
        Kind::Arith(_, a, b) => is_constant(a) && is_constant(b),
        Kind::Num(_) | Kind::Dur(_) => true,
        _ => false,
    }
}
