//! Events: short names, properties, aggregates, windows, patterns.

use super::{ALIASES, At, Resolver};
use crate::problem::nearest;
use crate::syntax::{Agg as AggAst, Ast, AstKind, EventRef, Fault, Sequence, WindowAst};
use crate::tree::{
    Agg, AggOp, Arith, Cmp, Direction, EventSelect, Expr, Kind, Names, Near, Pattern, Span, Step, Type, Window,
};
use gyul_model::{Decimal, Duration, Instant, MICROS_DAY, Period};

/// How many conditions of short names one definition may draw in.
const EXPANSIONS_MAX: usize = 1000;

impl Resolver<'_> {
    pub(super) fn is_event(&self, name: &str) -> bool {
        name == "any" || self.aliases.contains_key(name) || ALIASES.iter().any(|a| a.0 == name)
    }

    /// The events of a short name.
    fn select(&mut self, event: &EventRef) -> EventSelect {
        let none = EventSelect { events: Names::Of(vec![]), filter: None };
        let mut parts = vec![];
        let events = if event.name == "any" && !event.quoted {
            Names::Any
        } else if let Some((list, filter)) = self.aliases.get(&event.name).filter(|_| !event.quoted).cloned() {
            if let Some(f) = filter {
                if self.open_aliases.contains(&event.name) {
                    self.error(Fault::new(
                        event.span,
                        "circle",
                        format!("이벤트 '{}'의 정의가 자신을 가리킵니다", event.name),
                        format!("the event '{}' refers to itself", event.name),
                    ));
                    return none;
                }
                if self.expansions >= EXPANSIONS_MAX {
                    self.error(Fault::new(
                        event.span,
                        "too_deep",
                        format!("이벤트 '{}'의 정의가 다른 이벤트를 너무 많이 거칩니다", event.name),
                        format!("the event '{}' leads through too many other events", event.name),
                    ));
                    return none;
                }
                self.expansions += 1;
                // Faults in it were reported at its own place, but for what only the whole way shows.
                let kept = std::mem::take(&mut self.faults);
                self.open_aliases.push(event.name.clone());
                parts.push(self.condition(&f, At::Event(&event.name)));
                self.open_aliases.pop();
                let inner = std::mem::replace(&mut self.faults, kept);
                let of_the_way = |code: &str| code == "too_deep" || (code == "circle" && !self.open_aliases.is_empty());
                if let Some((_, fault)) = inner.into_iter().find(|(_, f)| of_the_way(f.code)) {
                    self.error(Fault { span: event.span, ..fault });
                }
            }
            Names::Of(list)
        } else if let Some((_, name)) = ALIASES.iter().find(|a| a.0 == event.name && !event.quoted) {
            Names::Of(vec![name.to_string()])
        } else if event.quoted || self.schema.is_some_and(|s| s.events.contains_key(&event.name)) {
            Names::Of(vec![event.name.clone()])
        } else {
            let mut valid: Vec<String> = self.aliases.keys().cloned().collect();
            valid.extend(ALIASES.iter().map(|a| a.0.to_string()));
            valid.extend(self.schema.iter().flat_map(|s| s.events.keys().cloned()));
            let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
            self.unknown(event.span, "unknown_event", ("이벤트", "event"), &event.name, &valid);
            return none;
        };
        if let (Names::Of(list), Some(schema)) = (&events, self.schema) {
            for name in list.iter().filter(|n| !schema.events.contains_key(*n)) {
                let fault = Fault::new(
                    event.span,
                    "event_not_in_data",
                    format!("데이터에 '{name}' 이벤트가 아직 없습니다"),
                    format!("the data has no event '{name}' yet"),
                );
                let near = nearest(name, schema.events.keys().map(String::as_str)).map(str::to_string);
                self.warn(match near {
                    Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
                    None => fault,
                });
            }
        }
        if let Some(f) = &event.filter {
            parts.push(self.condition(f, At::Event(&event.name)));
        }
        EventSelect { events, filter: both(parts, event.span) }
    }

    /// What a name means on one event.
    pub(super) fn event_name(&mut self, path: &[String], alias: &str, span: Span) -> Expr {
        let made = |kind, ty| Expr { kind, ty, span };
        let own = if path.len() > 1 && path[0] == alias { &path[1..] } else { path };
        let name = own.join(".");
        match name.as_str() {
            "event" => return made(Kind::EventName, Type::Text),
            "ts" => return made(Kind::Ts, Type::Instant),
            "gap" => return made(Kind::Gap, Type::Dur),
            "nth" => return made(Kind::Nth, Type::Num),
            "hour" => return made(Kind::Hour, Type::Num),
            "weekday" => return made(Kind::Weekday, Type::Num),
            "local_date" => return made(Kind::LocalDate, Type::Date),
            _ => {}
        }
        let mut ty = Type::Any;
        if let Some(schema) = self.schema {
            let events: Vec<String> = match self.aliases.get(alias) {
                Some((list, _)) => list.clone(),
                None => ALIASES
                    .iter()
                    .filter(|a| a.0 == alias)
                    .map(|a| a.1.to_string())
                    .chain([alias.to_string()])
                    .collect(),
            };
            let known: Vec<&(String, Type)> = events.iter().filter_map(|e| schema.events.get(e)).flatten().collect();
            match known.iter().find(|p| p.0 == name) {
                Some(p) => ty = p.1,
                // Weekday names and the like are looked at by who compares them.
                None if known.is_empty() || super::compare_word(&name) => {}
                None => {
                    let fault = Fault::new(
                        span,
                        "property_not_in_data",
                        format!("데이터의 '{alias}' 이벤트에는 '{name}' 속성이 없습니다"),
                        format!("events '{alias}' of the data have no property '{name}'"),
                    );
                    let near = nearest(&name, known.iter().map(|p| p.0.as_str())).map(str::to_string);
                    self.warn(match near {
                        Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
                        None => fault,
                    });
                }
            }
        }
        made(Kind::Prop(name), ty)
    }

    // ---- aggregates

    pub(super) fn agg(&mut self, agg: &AggAst, span: Span) -> Expr {
        let made = |kind, ty| Expr { kind, ty, span };
        let func = agg.func.as_str();
        // `since(joined)`: a trait that is an instant.
        if let (AstKind::Name(path), true) = (&agg.arg.kind, matches!(func, "since" | "age_of")) {
            let name = path.join(".");
            let quoted_event = path.quoted || self.schema.is_some_and(|s| s.events.contains_key(&name));
            if !self.is_event(&path[0]) && !quoted_event && agg.filter.is_none() && agg.windows.is_empty() {
                let value = self.name(path, agg.arg.span, At::Customer);
                let now = Box::new(made(Kind::Now, Type::Instant));
                return made(Kind::Arith(Arith::Sub, now, Box::new(value)), Type::Dur);
            }
        }
        let Some(event) = event_of(&agg.arg) else {
            let fault = Fault::new(
                agg.arg.span,
                "expected_event",
                format!("{func}( ) 안에는 이벤트가 와야 합니다"),
                format!("{func}( ) takes an event"),
            );
            self.error(fault.hint("예: count(order), sum(order.total)", "as in count(order), sum(order.total)"));
            return self.wrong(span);
        };
        let event = EventRef { filter: agg.filter.clone().map(Box::new), ..event };
        let mut select = self.select(&event);
        let parts = self.windows(&agg.windows, span);
        if let Some(during) = parts.during {
            select.filter = both(select.filter.into_iter().chain([during]).collect(), span);
        }
        let plain = matches!(&agg.arg.kind, AstKind::Name(path) if path.len() == 1);
        let op = match func {
            "count" | "share" => AggOp::Count,
            "sum" => AggOp::Sum,
            "avg" => AggOp::Avg,
            "min" => AggOp::Min,
            "max" => AggOp::Max,
            "distinct" => AggOp::Distinct,
            "first" => AggOp::First,
            "last" => AggOp::Last,
            "mode" => AggOp::Mode,
            "since" | "last_at" => AggOp::LastAt,
            "age_of" | "first_at" => AggOp::FirstAt,
            "longest_gap" => AggOp::LongestGap,
            "average_gap" => AggOp::AverageGap,
            "days" => AggOp::Days,
            _ => AggOp::Streak(match parts.by {
                Some(p @ (Period::Day | Period::Week | Period::Month)) => p,
                _ => {
                    self.error(Fault::new(
                        span,
                        "streak",
                        "streak에는 by day, by week, by month 중 하나가 필요합니다",
                        "a streak needs by day, by week or by month",
                    ));
                    Period::Week
                }
            }),
        };
        if parts.by.is_some() && !matches!(op, AggOp::Streak(_)) {
            self.error(Fault::new(span, "by", "by는 streak에만 씁니다", "by belongs to streak only"));
        }
        let valued = matches!(
            op,
            AggOp::Sum
                | AggOp::Avg
                | AggOp::Min
                | AggOp::Max
                | AggOp::Distinct
                | AggOp::First
                | AggOp::Last
                | AggOp::Mode
        );
        let mut value = None;
        let mut ty = match op {
            AggOp::Count | AggOp::Days | AggOp::Streak(_) | AggOp::Distinct | AggOp::Sum | AggOp::Avg => Type::Num,
            AggOp::FirstAt | AggOp::LastAt => Type::Instant,
            AggOp::LongestGap | AggOp::AverageGap => Type::Dur,
            _ => Type::Any,
        };
        if valued {
            if plain {
                let fault = Fault::new(
                    agg.arg.span,
                    "which_property",
                    format!("'{}' 이벤트의 어느 속성인지 쓰세요", event.name),
                    format!("say which property of '{}'", event.name),
                );
                self.error(
                    fault.hint(
                        format!("예: {func}({}.total)", event.name),
                        format!("as in {func}({}.total)", event.name),
                    ),
                );
                return self.wrong(span);
            }
            let v = self.expr(&agg.arg, At::Event(&event.name));
            match (op, v.ty) {
                (AggOp::Sum | AggOp::Avg, Type::Num | Type::Dur | Type::Any) => {
                    ty = if v.ty == Type::Dur { Type::Dur } else { Type::Num };
                }
                (AggOp::Min | AggOp::Max, Type::Num | Type::Dur | Type::Instant | Type::Date | Type::Any) => ty = v.ty,
                (AggOp::Sum | AggOp::Avg | AggOp::Min | AggOp::Max, _) => {
                    self.error(Fault::new(
                        agg.arg.span,
                        "not_a_number",
                        format!("{func}은(는) 수에만 쓸 수 있습니다"),
                        format!("{func} is for numbers"),
                    ));
                }
                (AggOp::First | AggOp::Last | AggOp::Mode, t) => ty = t,
                _ => {}
            }
            value = Some(v);
        } else if !plain {
            let fault = Fault::new(
                agg.arg.span,
                "no_property",
                format!("{func}( )에는 속성이 아니라 이벤트만 씁니다"),
                format!("{func}( ) takes an event, not a property"),
            );
            self.error(fault.hint(
                format!("예: {func}({} where … is known)", event.name),
                format!("as in {func}({} where … is known)", event.name),
            ));
        }
        let whole = Agg { op, select, value, window: parts.window, last: parts.last };
        match func {
            "share" => {
                if event.filter.is_none() {
                    self.error(Fault::new(
                        span,
                        "share",
                        "share에는 where 조건이 필요합니다",
                        "share needs a condition behind where",
                    ));
                }
                let mut all = whole.clone();
                all.select = self.select(&EventRef { filter: None, ..event });
                let all = made(Kind::Agg(Box::new(all)), Type::Num);
                let some = made(Kind::Agg(Box::new(whole)), Type::Num);
                made(Kind::Arith(Arith::Div, Box::new(some), Box::new(all)), Type::Num)
            }
            "since" | "age_of" => {
                let now = Box::new(made(Kind::Now, Type::Instant));
                let instant = Box::new(made(Kind::Agg(Box::new(whole)), Type::Instant));
                made(Kind::Arith(Arith::Sub, now, instant), Type::Dur)
            }
            _ => made(Kind::Agg(Box::new(whole)), ty),
        }
    }

    fn windows(&mut self, list: &[WindowAst], span: Span) -> Parts {
        let mut parts = Parts::default();
        let made = |kind| Some(Expr { kind, ty: Type::Instant, span });
        for w in list {
            let (mut after, mut until) = (None, None);
            match w {
                WindowAst::Last(d) => after = made(Kind::Ago(*d)),
                WindowAst::LastCount(n) => {
                    if parts.last.replace(*n).is_some() {
                        self.twice(span);
                    }
                }
                WindowAst::Between(from, to) => {
                    if length(*from) <= length(*to) {
                        self.error(
                            Fault::new(
                                span,
                                "window_order",
                                format!("between {from} and {to} ago에는 아무 때도 들어 있지 않습니다"),
                                format!("between {from} and {to} ago holds no time at all"),
                            )
                            .hint(
                                format!("긴 쪽을 먼저 쓰세요: between {to} and {from} ago"),
                                format!("write the longer one first: between {to} and {from} ago"),
                            ),
                        );
                    }
                    after = made(Kind::Ago(*from));
                    until = made(Kind::Ago(*to));
                }
                WindowAst::Period(p, back) => {
                    after = made(Kind::EndOf { period: *p, back: back + 1 });
                    if *back > 0 {
                        until = made(Kind::EndOf { period: *p, back: *back });
                    }
                }
                WindowAst::SinceDate(d) => after = made(Kind::Instant(Instant(self.zone.midnight(*d).0 - 1))),
                WindowAst::SinceInstant(t) => after = made(Kind::Instant(Instant(t.0 - 1))),
                WindowAst::BeforeDate(d) => until = made(Kind::Instant(Instant(self.zone.midnight(*d).0 - 1))),
                WindowAst::BeforeInstant(t) => until = made(Kind::Instant(Instant(t.0 - 1))),
                WindowAst::SinceLast(event) => {
                    let select = self.select(event);
                    let agg = Agg { op: AggOp::LastAt, select, value: None, window: Window::default(), last: None };
                    after = made(Kind::Agg(Box::new(agg)));
                }
                WindowAst::During(name, d) => {
                    if parts.during.is_some() {
                        self.twice(span);
                    }
                    parts.during = Some(self.occasion(name, *d, span, At::Event("")));
                }
                WindowAst::By(p) => parts.by = Some(*p),
            }
            if (after.is_some() && parts.window.after.is_some()) || (until.is_some() && parts.window.until.is_some()) {
                self.twice(span);
            }
            parts.window.after = after.or(parts.window.after.take());
            parts.window.until = until.or(parts.window.until.take());
        }
        parts
    }

    fn twice(&mut self, span: Span) {
        let fault = Fault::new(
            span,
            "two_windows",
            "같은 쪽 끝을 정하는 기간이 두 개 있습니다",
            "two windows set the same end",
        );
        self.error(fault.hint("하나만 남기세요", "leave one of them"));
    }

    pub(super) fn near(&mut self, after: bool, event: &EventRef, within: Option<Duration>, span: Span, at: At) -> Expr {
        if at == At::Customer {
            let fault = Fault::new(
                span,
                "near_outside",
                "followed by와 preceded by는 이벤트의 where 안에서 씁니다",
                "followed by and preceded by belong inside the where of an event",
            );
            self.error(fault.hint(
                "예: count(checkout where not followed by order within 3d, last 30d) >= 1",
                "as in count(checkout where not followed by order within 3d, last 30d) >= 1",
            ));
            return self.wrong(span);
        }
        let select = self.select(event);
        let within = within.map(|d| self.exact(d, span));
        let direction = if after { Direction::After } else { Direction::Before };
        Expr { kind: Kind::Near(Box::new(Near { direction, select, within })), ty: Type::Bool, span }
    }

    fn exact(&mut self, d: Duration, span: Span) -> i64 {
        match d {
            Duration::Exact(us) => us,
            Duration::Months(_) => {
                self.calendar_duration(span);
                0
            }
        }
    }

    pub(super) fn sequence(&mut self, s: &Sequence, span: Span) -> Expr {
        let parts = self.windows(&s.windows, span);
        if parts.last.is_some() || parts.by.is_some() || parts.during.is_some() {
            self.error(Fault::new(
                span,
                "sequence_window",
                "sequence에는 last 5, by 기간, during을 쓸 수 없습니다",
                "a sequence takes no last n, no by period and no during",
            ));
        }
        if s.steps[0].within.is_some() || !s.steps[0].without.is_empty() {
            self.error(Fault::new(
                s.steps[0].event.span,
                "first_step",
                "첫 단계 앞에는 아무것도 없어 in과 without을 쓸 수 없습니다",
                "nothing comes before the first step: it takes no in and no without",
            ));
        }
        let mut steps = vec![];
        for step in &s.steps {
            let select = self.select(&step.event);
            let within = step.within.map(|d| self.exact(d, span));
            let without = step.without.iter().map(|e| self.select(e)).collect();
            steps.push(Step { select, within, without });
        }
        let count = steps.len() as i64;
        let within = s.within.map(|d| self.exact(d, span));
        let pattern = Pattern { steps, within, by: s.by.clone(), window: parts.window };
        let reached = Expr { kind: Kind::Pattern(Box::new(pattern)), ty: Type::Num, span };
        if !s.whole {
            return reached;
        }
        let all = Expr { kind: Kind::Num(Decimal::from(count)), ty: Type::Num, span };
        Expr { kind: Kind::Cmp(Cmp::Ge, Box::new(reached), Box::new(all)), ty: Type::Bool, span }
    }
}

#[derive(Default)]
struct Parts {
    window: Window,
    last: Option<u32>,
    during: Option<Expr>,
    by: Option<Period>,
}

/// The event that an aggregate's argument is about: the first part of the first name in it.
fn event_of(arg: &Ast) -> Option<EventRef> {
    match &arg.kind {
        AstKind::Name(path) => {
            Some(EventRef { name: path[0].clone(), quoted: path.quoted, filter: None, span: arg.span })
        }
        AstKind::Arith(_, a, b) => event_of(a).or_else(|| event_of(b)),
        AstKind::Neg(a) => event_of(a),
        _ => None,
    }
}

fn both(mut parts: Vec<Expr>, span: Span) -> Option<Expr> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(Expr { kind: Kind::And(parts), ty: Type::Bool, span }),
    }
}

/// Roughly how long, to tell which of two is longer.
fn length(d: Duration) -> i64 {
    match d {
        Duration::Exact(us) => us,
        Duration::Months(m) => i64::from(m) * 30 * MICROS_DAY + i64::from(m) * MICROS_DAY * 44 / 100,
    }
}
