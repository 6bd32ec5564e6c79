//! What is measured, of which events and when, as phrases. `None`: there is no phrase, and the source text is shown.

use super::show::{Unit, boundary, length, measured, span};
use super::terms;
use crate::reference::Val;
use crate::tree::{
    Agg, AggOp, Arith, Cmp, Direction, EventSelect, Expr, Kind, Library, Names, Pattern, Rank, RankKind, Window, Words,
};
use gyul_model::{Decimal, Duration, Instant, Lang, Period, names};

/// Speaks one language about the definitions of one library.
#[derive(Clone, Copy)]
pub(super) struct Say<'a> {
    pub lib: &'a Library,
    pub lang: Lang,
}

/// The text of a language, the other's, or the id.
pub(super) fn titled<'w>(words: &'w Words, id: &'w str, lang: Lang) -> &'w str {
    let (first, second) = lang.pick((&words.ko, &words.en), (&words.en, &words.ko));
    first.as_deref().or(second.as_deref()).unwrap_or(id)
}

pub(super) fn needs(cmp: Cmp, limit: &str, ty: &Val, lang: Lang) -> String {
    let timely = matches!(ty, Val::Instant(_) | Val::Date(_));
    match (lang, cmp) {
        (_, Cmp::Eq) => limit.to_string(),
        (Lang::Ko, Cmp::Ne) => format!("{limit} 아님"),
        (Lang::En, Cmp::Ne) => format!("other than {limit}"),
        (Lang::Ko, Cmp::Lt) if timely => format!("{limit}보다 전"),
        (Lang::Ko, Cmp::Le) if timely => format!("{limit} 이전"),
        (Lang::Ko, Cmp::Gt) if timely => format!("{limit}보다 뒤"),
        (Lang::Ko, Cmp::Ge) if timely => format!("{limit} 이후"),
        (Lang::En, Cmp::Lt) if timely => format!("before {limit}"),
        (Lang::En, Cmp::Le) if timely => format!("no later than {limit}"),
        (Lang::En, Cmp::Gt) if timely => format!("after {limit}"),
        (Lang::En, Cmp::Ge) if timely => format!("no earlier than {limit}"),
        (Lang::Ko, Cmp::Lt) => format!("{limit} 미만"),
        (Lang::Ko, Cmp::Le) => format!("{limit} 이하"),
        (Lang::Ko, Cmp::Gt) => format!("{limit} 초과"),
        (Lang::Ko, Cmp::Ge) => format!("{limit} 이상"),
        (Lang::En, Cmp::Lt) => format!("less than {limit}"),
        (Lang::En, Cmp::Le) => format!("at most {limit}"),
        (Lang::En, Cmp::Gt) => format!("more than {limit}"),
        (Lang::En, Cmp::Ge) => format!("at least {limit}"),
    }
}

impl<'a> Say<'a> {
    pub fn pick(&self, ko: impl Into<String>, en: impl Into<String>) -> String {
        self.lang.pick(ko.into(), en.into())
    }

    pub fn shown(&self, v: &Val, unit: Unit) -> String {
        let lib = self.lib;
        measured(v, unit, &lib.zone, lib.currency == "KRW", self.lang)
    }

    /// What an expression measures.
    pub fn subject(&self, e: &'a Expr) -> Option<String> {
        let lib = self.lib;
        Some(match &e.kind {
            Kind::Num(_) | Kind::Dur(_) | Kind::Text(_) | Kind::Bool(_) | Kind::Date(_) | Kind::Instant(_) => {
                self.constant(e, Unit::Plain)?
            }
            Kind::Now => self.pick("지금", "now"),
            Kind::Today => self.pick("오늘", "today"),
            Kind::Ago(d) => {
                let d = length(*d, self.lang);
                self.pick(format!("{d} 전"), format!("{d} ago"))
            }
            Kind::Trait(name) => terms::field(name, self.lang),
            Kind::Age => terms::field("age", self.lang),
            Kind::Measure(i) => titled(&lib.measures[*i].name, &lib.measures[*i].id, self.lang).to_string(),
            Kind::Agg(agg) => self.aggregate(agg, true)?,
            Kind::Pattern(p) => self.pattern(p)?,
            Kind::Rank(rank) => {
                let x = self.subject(&rank.x)?;
                match rank.kind {
                    RankKind::Quintile => self.pick(format!("{x} 5분위 점수"), format!("quintile of {x}")),
                    RankKind::Percentile => self.pick(format!("{x} 백분위"), format!("percentile of {x}")),
                    _ => return None,
                }
            }
            Kind::Arith(Arith::Sub, now, at) if matches!(now.kind, Kind::Now) => {
                let Kind::Agg(agg) = &at.kind else { return None };
                let noun = self.events(&agg.select, false)?;
                match agg.op {
                    AggOp::LastAt => self.pick(format!("마지막 {noun} 후"), format!("time since the last {noun}")),
                    AggOp::FirstAt => self.pick(format!("첫 {noun} 후"), format!("time since the first {noun}")),
                    _ => return None,
                }
            }
            Kind::Arith(op, a, b) => {
                if let Some((all, filter)) = share(e) {
                    let (window, noun) = (self.window(&all.window)?, self.events(&all.select, true)?);
                    let filter = self.event_condition(filter)?;
                    return Some(self.pick(
                        format!("{window}{noun} 중 '{filter}'의 비율"),
                        format!("share of {noun} where {filter}{window}"),
                    ));
                }
                let sign = match op {
                    Arith::Add => '+',
                    Arith::Sub => '−',
                    Arith::Mul => '×',
                    Arith::Div => '÷',
                };
                format!("{} {sign} {}", self.part(a)?, self.part(b)?)
            }
            // Of one event.
            Kind::Prop(name) => terms::field(name, self.lang),
            Kind::EventName => self.pick("이벤트", "event"),
            Kind::Ts => self.pick("일시", "time"),
            Kind::Gap => self.pick("앞 이벤트와의 간격", "gap since the previous one"),
            Kind::Nth => self.pick("순번", "number in order"),
            Kind::Hour => self.pick("시각", "hour"),
            Kind::Weekday => self.pick("요일", "weekday"),
            Kind::LocalDate => self.pick("날짜", "date"),
            _ => return None,
        })
    }

    /// A part of a calculation.
    fn part(&self, e: &'a Expr) -> Option<String> {
        let text = self.subject(e)?;
        Some(if matches!(e.kind, Kind::Arith(..)) && share(e).is_none() { format!("({text})") } else { text })
    }

    pub fn constant(&self, e: &Expr, unit: Unit) -> Option<String> {
        let v = match &e.kind {
            Kind::Num(n) => Val::Num((*n).into()),
            Kind::Text(t) => Val::Text(t.clone()),
            Kind::Bool(b) => Val::Bool(*b),
            Kind::Date(d) => Val::Date(*d),
            Kind::Dur(us) => return Some(span(*us, self.lang)),
            Kind::Instant(t) => return Some(boundary(&self.lib.zone, *t, self.lang)),
            _ => return None,
        };
        Some(self.shown(&v, unit))
    }

    /// How its values are written.
    pub fn unit(&self, e: &'a Expr) -> Unit<'a> {
        unit_of(self.lib, e)
    }

    pub fn class(&self, partition: usize, class: usize) -> String {
        let p = &self.lib.partitions[partition];
        let known = p.classes.get(class).map(|c| (&c.id, &c.about));
        let (id, about) = known.unwrap_or((&p.otherwise.id, &p.otherwise.about));
        titled(&about.name, id, self.lang).to_string()
    }

    /// What is ranked, and which place is asked for.
    pub fn ranked(&self, k: &'a Rank) -> String {
        let what = match k.kind {
            RankKind::Top(p) => self.pick(format!("상위 {p}%"), format!("top {p}%")),
            RankKind::Bottom(p) => self.pick(format!("하위 {p}%"), format!("bottom {p}%")),
            RankKind::AboveAverage => self.pick("평균 초과", "above average"),
            RankKind::BelowAverage => self.pick("평균 미만", "below average"),
            RankKind::Quintile => self.pick("5분위", "quintile"),
            RankKind::Percentile => self.pick("백분위", "percentile"),
        };
        match self.subject(&k.x) {
            Some(x) => self.pick(format!("{x} {what}"), format!("{x}, {what}")),
            None => what,
        }
    }

    /// How long ago the first or last of some events was.
    pub fn since(&self, agg: &'a Agg) -> Option<String> {
        let (noun, window) = (self.events(&agg.select, false)?, self.window(&agg.window)?);
        let (ko, en) = match agg.op {
            AggOp::LastAt => ("마지막", "last"),
            AggOp::FirstAt => ("첫", "first"),
            _ => return None,
        };
        let filter = match &agg.select.filter {
            Some(f) => self.which(f)?,
            None => String::new(),
        };
        Some(
            self.pick(format!("{window}{ko} {filter}{noun} 후"), format!("time since the {en} {noun}{window}{filter}")),
        )
    }

    /// `many`: several are counted, or none.
    pub fn aggregate(&self, agg: &'a Agg, many: bool) -> Option<String> {
        let window = match (self.window(&agg.window)?, agg.last) {
            (w, Some(n)) => self.pick(format!("{w}마지막 {n}건 "), format!(" of the last {n}{w}")),
            (w, None) => w,
        };
        let (one, all) = (self.events(&agg.select, false)?, self.events(&agg.select, true)?);
        let filter = match &agg.select.filter {
            Some(f) => self.which(f)?,
            None => String::new(),
        };
        let value = agg.value.as_ref().map(|v| self.subject(v));
        let (ko, en) = match (agg.op, value) {
            (AggOp::Count, _) => (one.clone(), if many { all } else { one }),
            (AggOp::Days, _) => (format!("{one} 날수"), format!("days with {all}")),
            (AggOp::LongestGap, _) => (format!("{one} 사이 가장 긴 간격"), format!("longest gap between {all}")),
            (AggOp::AverageGap, _) => (format!("{one} 사이 평균 간격"), format!("average gap between {all}")),
            (AggOp::FirstAt, _) => (format!("첫 {one} 시각"), format!("time of the first {one}")),
            (AggOp::LastAt, _) => (format!("마지막 {one} 시각"), format!("time of the last {one}")),
            (AggOp::Streak(p), _) => {
                let (ko, en) = match p {
                    Period::Day => ("일", "days"),
                    Period::Week => ("주", "weeks"),
                    _ => ("개월", "months"),
                };
                (format!("{one} 연속 {ko} 수"), format!("{en} in a row with {all}"))
            }
            (op, Some(value)) => {
                let value = value?;
                match op {
                    AggOp::Sum => (format!("{one} {value} 합계"), format!("sum of {one} {value}")),
                    AggOp::Avg => (format!("{one} {value} 평균"), format!("average {one} {value}")),
                    AggOp::Min => (format!("{one} {value} 최솟값"), format!("smallest {one} {value}")),
                    AggOp::Max => (format!("{one} {value} 최댓값"), format!("largest {one} {value}")),
                    AggOp::Distinct => {
                        (format!("{one}의 서로 다른 {value}"), format!("different values of {one} {value}"))
                    }
                    AggOp::First => (format!("첫 {one}의 {value}"), format!("{value} of the first {one}")),
                    AggOp::Last => (format!("마지막 {one}의 {value}"), format!("{value} of the last {one}")),
                    _ => (format!("가장 잦은 {one} {value}"), format!("most frequent {one} {value}")),
                }
            }
            _ => return None,
        };
        Some(self.pick(format!("{window}{filter}{ko}"), format!("{en}{window}{filter}")))
    }

    /// A condition on events, as it stands before their noun in Korean and after it in English.
    pub fn which(&self, filter: &'a Expr) -> Option<String> {
        if self.lang == Lang::Ko
            && let Kind::Cmp(Cmp::Eq, a, b) = &filter.kind
            && let Some(value) = self.constant(b, self.unit(a))
        {
            let a = self.subject(a)?;
            return Some(format!("{a}{} {value}인 ", terms::subject_particle(&a)));
        }
        let f = self.event_condition(filter)?;
        Some(self.pick(format!("'{f}'인 "), format!(" where {f}")))
    }

    pub fn pattern(&self, p: &'a Pattern) -> Option<String> {
        let mut path = String::new();
        for (i, step) in p.steps.iter().enumerate() {
            let mut limits = vec![];
            for other in &step.without {
                let other = self.noun(other)?;
                limits.push(self.pick(format!("사이에 {other} 없이"), format!("without {other} between")));
            }
            if let Some(us) = step.within {
                let d = span(us, self.lang);
                limits.push(self.pick(format!("{d} 안에"), format!("within {d}")));
            }
            let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
            let arrow = if i > 0 { " → " } else { "" };
            path += &format!("{arrow}{}{limits}", self.noun(&step.select)?);
        }
        let window = self.window(&p.window)?;
        let by = p.by.as_ref().map(|by| terms::field(by, self.lang));
        let within = p.within.map(|us| span(us, self.lang));
        Some(match self.lang {
            Lang::Ko => {
                let by = by.map(|by| format!("같은 {by}, ")).unwrap_or_default();
                let within = within.map(|d| format!("처음부터 끝까지 {d} 안에, ")).unwrap_or_default();
                format!("{window}{by}{within}순서대로 {path}")
            }
            Lang::En => {
                let by = by.map(|by| format!(" with the same {by}")).unwrap_or_default();
                let within = within.map(|d| format!(" within {d}")).unwrap_or_default();
                format!("{path} in this order{by}{within}{window}")
            }
        })
    }

    /// Events with the condition on each.
    fn noun(&self, select: &'a EventSelect) -> Option<String> {
        let noun = self.events(select, false)?;
        let Some(f) = &select.filter else { return Some(noun) };
        let f = self.which(f)?;
        Some(self.pick(format!("{f}{noun}"), format!("{noun}{f}")))
    }

    /// Their names alone.
    pub fn events(&self, select: &EventSelect, plural: bool) -> Option<String> {
        match &select.events {
            Names::Any => {
                Some(self.pick("모든 이벤트", if plural { "events of any kind" } else { "event of any kind" }))
            }
            Names::Of(list) if list.is_empty() => None,
            Names::Of(list) => {
                let one = |n: &String| if plural { terms::events(n, self.lang) } else { terms::event(n, self.lang) };
                let all: Vec<String> = list.iter().map(one).collect();
                Some(all.join(self.lang.pick("·", " or ")))
            }
        }
    }

    /// Before the noun in Korean with a space behind it, after it in English with one before it.
    pub fn window(&self, w: &'a Window) -> Option<String> {
        let (after, until) = (w.after.as_ref().map(|e| &e.kind), w.until.as_ref().map(|e| &e.kind));
        let zone = &self.lib.zone;
        let day = |t: &Instant| boundary(zone, Instant(t.0 + 1), self.lang);
        let long = |d: &Duration| length(*d, self.lang);
        Some(match (after, until) {
            (None, None) => String::new(),
            (Some(Kind::Ago(d)), None) => {
                let d = long(d);
                // "in the last day", not "in the last 1 day".
                let en = d.strip_prefix("1 ").unwrap_or(&d).to_string();
                self.pick(format!("최근 {d} 안에 "), format!(" in the last {en}"))
            }
            (Some(Kind::Ago(from)), Some(Kind::Ago(to))) => {
                let (from, to) = (long(from), long(to));
                self.pick(format!("{from} 전부터 {to} 전까지 "), format!(" between {from} and {to} ago"))
            }
            (None, Some(Kind::Ago(to))) => {
                self.pick(format!("{} 전까지 ", long(to)), format!(" until {} ago", long(to)))
            }
            (Some(Kind::EndOf { period, back: 1 }), None) => {
                let (ko, en) = match period {
                    Period::Day => ("오늘", "today"),
                    Period::Week => ("이번 주", "this week"),
                    Period::Month => ("이번 달", "this month"),
                    Period::Quarter => ("이번 분기", "this quarter"),
                    Period::Year => ("올해", "this year"),
                };
                self.pick(format!("{ko} "), format!(" {en}"))
            }
            (Some(Kind::EndOf { period, back: 2 }), Some(Kind::EndOf { back: 1, .. })) => {
                let (ko, en) = match period {
                    Period::Day => ("어제", "yesterday"),
                    Period::Week => ("지난주", "last week"),
                    Period::Month => ("지난달", "last month"),
                    Period::Quarter => ("지난 분기", "last quarter"),
                    Period::Year => ("작년", "last year"),
                };
                self.pick(format!("{ko} "), format!(" {en}"))
            }
            (Some(Kind::Agg(agg)), None) if agg.op == AggOp::LastAt => {
                let noun = self.noun(&agg.select)?;
                self.pick(format!("마지막 {noun} 이후 "), format!(" since the last {noun}"))
            }
            (Some(Kind::Instant(from)), None) => {
                self.pick(format!("{}부터 ", day(from)), format!(" since {}", day(from)))
            }
            (None, Some(Kind::Instant(to))) => {
                self.pick(format!("{} 전까지 ", day(to)), format!(" before {}", day(to)))
            }
            (Some(Kind::Instant(from)), Some(Kind::Instant(to))) => self.pick(
                format!("{}부터 {} 전까지 ", day(from), day(to)),
                format!(" from {} until before {}", day(from), day(to)),
            ),
            _ => return None,
        })
    }

    /// A condition on one event.
    pub fn event_condition(&self, e: &'a Expr) -> Option<String> {
        let joined = |list: &'a [Expr], with: &str| {
            let all: Option<Vec<String>> = list.iter().map(|e| self.event_condition(e)).collect();
            all.map(|all| all.join(with))
        };
        match &e.kind {
            Kind::And(list) => joined(list, self.lang.pick(" 그리고 ", " and ")),
            Kind::Or(list) => joined(list, self.lang.pick(" 또는 ", " or ")),
            Kind::Not(a) => {
                let opposite = match &a.kind {
                    Kind::Near(_) | Kind::IsKnown(_) if self.lang == Lang::Ko => {
                        self.event_condition(a)?.strip_suffix("있음").map(|t| format!("{t}없음"))
                    }
                    Kind::IsKnown(a) => Some(format!("{} is unknown", self.subject(a)?)),
                    _ => None,
                };
                if opposite.is_some() {
                    return opposite;
                }
                let a = self.event_condition(a)?;
                Some(self.pick(format!("{a} 아님"), format!("not {a}")))
            }
            Kind::Near(near) => {
                let noun = self.noun(&near.select)?;
                let within = near.within.map(|us| span(us, self.lang));
                let en = within.as_ref().map(|d| format!(" within {d}")).unwrap_or_default();
                let ko = within.map(|d| format!(" {d} 안에")).unwrap_or_default();
                Some(match near.direction {
                    Direction::After => self.pick(format!("그 뒤{ko} {noun} 있음"), format!("followed by {noun}{en}")),
                    Direction::Before => self.pick(format!("그 전{ko} {noun} 있음"), format!("preceded by {noun}{en}")),
                })
            }
            Kind::IsKnown(a) => {
                let a = self.subject(a)?;
                Some(self.pick(format!("{a} 있음"), format!("{a} is known")))
            }
            Kind::Prop(name) => {
                Some(self.pick(format!("{} 예", terms::field(name, self.lang)), terms::field(name, self.lang)))
            }
            Kind::NearOccasion { date, .. } if matches!(date.kind, Kind::LocalDate) => {
                let near = self.asks(e)?.1;
                Some(self.pick(near.clone(), format!("the date is {near}")))
            }
            Kind::Cmp(Cmp::Eq, a, b) if matches!(a.kind, Kind::Weekday) => {
                let day = self.constant(b, Unit::Weekday)?;
                Some(self.pick(day.clone(), format!("the day is {day}")))
            }
            Kind::Cmp(cmp, a, b) => {
                let unit = self.unit(a);
                let limit = self.constant(b, unit).or_else(|| self.subject(b))?;
                let like = if matches!(a.kind, Kind::LocalDate | Kind::Ts) { Val::Instant(0) } else { Val::Bool(true) };
                let (a, needs) = (self.subject(a)?, needs(*cmp, &limit, &like, self.lang));
                Some(self.pick(format!("{a} {needs}"), format!("{a} is {needs}")))
            }
            _ => {
                let (a, needs) = self.asks(e)?;
                let a = self.subject(a)?;
                Some(self.pick(format!("{a} {needs}"), format!("{a} is {needs}")))
            }
        }
    }

    /// What a condition looks at, and what it asks of it: of all but comparisons.
    pub fn asks(&self, e: &'a Expr) -> Option<(&'a Expr, String)> {
        let any_of = |all: Vec<String>| {
            let one = all.len() == 1;
            let all = all.join(", ");
            if one { all } else { self.pick(format!("{all} 중 하나"), format!("one of {all}")) }
        };
        Some(match &e.kind {
            Kind::IsKnown(a) => (a, self.pick("값 있음", "a value")),
            Kind::InText(a, list) => {
                let unit = self.unit(a);
                (a, any_of(list.iter().map(|t| self.shown(&Val::Text(t.clone()), unit)).collect()))
            }
            Kind::InNum(a, list) => {
                let unit = self.unit(a);
                let shown = |d: &Decimal| self.shown(&Val::Num((*d).into()), unit);
                (a, any_of(list.iter().map(shown).collect()))
            }
            Kind::Contains(a, t) => (a, self.pick(format!("'{t}' 포함"), format!("something that contains '{t}'"))),
            Kind::StartsWith(a, t) => {
                (a, self.pick(format!("앞부분이 '{t}'"), format!("something that starts with '{t}'")))
            }
            Kind::EndsWith(a, t) => {
                (a, self.pick(format!("끝부분이 '{t}'"), format!("something that ends with '{t}'")))
            }
            Kind::Matches(a, p) => {
                (a, self.pick(format!("정규식 '{}'에 맞음", p.text), format!("something that matches '{}'", p.text)))
            }
            Kind::Within(a, code) => (a, terms::region(code, self.lang)),
            Kind::NearOccasion { date, occasion, days } => {
                let known = self.lib.occasions.get(occasion);
                let name = known.map_or(occasion.as_str(), |o| self.lang.pick(&o.ko, &o.en));
                let d = super::show::unit((*days).into(), "일", "day", self.lang);
                let text = if *days == 0 {
                    self.pick(format!("{name} 당일"), format!("on {name}"))
                } else {
                    self.pick(format!("{name} 전후 {d}"), format!("within {d} of {name}"))
                };
                (date, text)
            }
            _ => return None,
        })
    }
}

/// How the values of an expression are written.
pub(super) fn unit_of<'a>(library: &'a Library, e: &'a Expr) -> Unit<'a> {
    let unit = |e: &'a Expr| unit_of(library, e);
    match &e.kind {
        Kind::Trait(name) | Kind::Prop(name) => named(name),
        Kind::Age => Unit::Years,
        Kind::Measure(i) => unit(&library.measures[*i].expr),
        Kind::Weekday => Unit::Weekday,
        Kind::Hour => Unit::Hour,
        Kind::Agg(agg) => match (agg.op, &agg.value) {
            (AggOp::Count, _) => Unit::Times,
            (AggOp::Distinct, _) => Unit::Kinds,
            (AggOp::Days, _) => Unit::Days,
            (_, Some(v)) => unit(v),
            _ => Unit::Plain,
        },
        Kind::Arith(Arith::Div, ..) if share(e).is_some() => Unit::Share,
        Kind::Arith(Arith::Add | Arith::Sub, a, b) if unit(a) == unit(b) => unit(a),
        Kind::Arith(Arith::Mul, a, b) if unit(a) == Unit::Money || unit(b) == Unit::Money => Unit::Money,
        // Spent by orders is money; refunded by spent is none.
        Kind::Arith(Arith::Div, a, b) if unit(a) == Unit::Money && unit(b) != Unit::Money => Unit::Money,
        _ => Unit::Plain,
    }
}

fn named(name: &str) -> Unit<'_> {
    match name {
        "age" => Unit::Years,
        name if names::MONEY.contains(&name) => Unit::Money,
        name => Unit::Named(name),
    }
}

/// `share(E where c, window)`: all of the events, and the condition.
fn share(e: &Expr) -> Option<(&Agg, &Expr)> {
    let Kind::Arith(Arith::Div, some, all) = &e.kind else { return None };
    // Both were made of the one text, so their windows are the same.
    if some.span != all.span {
        return None;
    }
    let (Kind::Agg(some), Kind::Agg(all)) = (&some.kind, &all.kind) else { return None };
    let counts = some.op == AggOp::Count && all.op == AggOp::Count && some.select.events == all.select.events;
    let same = counts && all.select.filter.is_none() && some.last.is_none() && all.last.is_none();
    if same { some.select.filter.as_ref().map(|f| (all.as_ref(), f)) } else { None }
}

/// A consent's channel.
pub(super) fn consent(name: &str) -> Option<&str> {
    name.strip_prefix(names::CONSENT)
}
