//! Comparisons: units, dates against instants, ages against durations, classes.

use super::{At, CHANNELS, Resolver, type_name};
use crate::problem::nearest;
use crate::syntax::{Agg as AggAst, Ast, AstKind, Fault};
use crate::tree::{Agg, AggOp, Arith, Cmp, EventSelect, Expr, Kind, Names, Span, Type, Window};
use gyul_model::{Decimal, Duration, Instant, MICROS_DAY, names};

const WEEKDAYS: [[&str; 3]; 7] = [
    ["mon", "monday", "월"],
    ["tue", "tuesday", "화"],
    ["wed", "wednesday", "수"],
    ["thu", "thursday", "목"],
    ["fri", "friday", "금"],
    ["sat", "saturday", "토"],
    ["sun", "sunday", "일"],
];

/// Traits that shops usually have.
const TRAITS: [&str; 14] = [
    "gender",
    "birth_date",
    "region",
    "country",
    "city",
    "email",
    "phone",
    "name",
    "income",
    "education",
    "marital_status",
    "tags",
    "joined",
    "language",
];

pub(super) fn is_weekday(word: &str) -> bool {
    WEEKDAYS.iter().any(|w| w.contains(&word.to_lowercase().as_str()))
}

impl Resolver<'_> {
    pub(super) fn compare(&mut self, cmp: Cmp, a: &Ast, b: &Ast, span: Span, at: At) -> Expr {
        if let Some(e) = self.class(cmp, a, b, span) {
            return e;
        }
        if let (AstKind::Call(f, _), AstKind::Text(t)) = (&a.kind, &b.kind)
            && f == "prefers"
            && matches!(cmp, Cmp::Eq | Cmp::Ne)
        {
            let e = self.prefers(t, span);
            return if cmp == Cmp::Eq { e } else { Expr { kind: Kind::Not(Box::new(e)), ty: Type::Bool, span } };
        }
        if at == At::Customer {
            // The age of an event against a duration is the event's instant against one in the past.
            if let (AstKind::Agg(agg), AstKind::Dur(d)) = (&a.kind, &b.kind)
                && let Some(e) = self.age(cmp, agg, a.span, *d, span)
            {
                return e;
            }
            if let (AstKind::Dur(d), AstKind::Agg(agg)) = (&a.kind, &b.kind)
                && let Some(e) = self.age(cmp.mirrored(), agg, b.span, *d, span)
            {
                return e;
            }
        }
        let mut left = self.expr(a, at);
        let mut right = self.expr(b, at);
        if matches!(cmp, Cmp::Eq | Cmp::Ne) {
            self.bare_word(&right, b);
            self.value_in_data(&left, b);
        }
        if matches!(left.kind, Kind::Weekday) {
            right = self.weekday(right, b);
        } else if matches!(right.kind, Kind::Weekday) {
            left = self.weekday(left, a);
        }
        if let (Kind::Date(d), false) = (&right.kind, left.ty == Type::Date) {
            return self.against_date(cmp, left, *d, span);
        }
        if let (Kind::Date(d), false) = (&left.kind, right.ty == Type::Date) {
            return self.against_date(cmp.mirrored(), right, *d, span);
        }
        self.units(&left, &right, b, span);
        let equality = matches!(cmp, Cmp::Eq | Cmp::Ne);
        let wrong = |e: &Expr, a: &Ast| matches!(e.kind, Kind::Bool(_)) && !matches!(a.kind, AstKind::Bool(_));
        let said = wrong(&left, a) || wrong(&right, b);
        if !equality && !said && [left.ty, right.ty].iter().any(|t| matches!(t, Type::Text | Type::Bool | Type::List)) {
            let fault = Fault::new(
                span,
                "order",
                "글자와 참/거짓은 크고 작음을 비교할 수 없습니다",
                "texts and truth values can only be compared by = and !=",
            );
            self.error(fault);
        }
        Expr { kind: Kind::Cmp(cmp, Box::new(left), Box::new(right)), ty: Type::Bool, span }
    }

    /// `gender = female`: without the data's word for it, a strange name on the right is most likely a text.
    fn bare_word(&mut self, right: &Expr, ast: &Ast) {
        let (Kind::Trait(name), AstKind::Name(path)) = (&right.kind, &ast.kind) else { return };
        if self.schema.is_some() || path.quoted || path.len() != 1 || TRAITS.contains(&name.as_str()) {
            return;
        }
        let fault = Fault::new(
            ast.span,
            "bare_word",
            format!("{name}에 따옴표가 없어 글자가 아니라 고객 속성으로 읽습니다"),
            format!("{name} without quotes is a trait of the customer, not a text"),
        );
        self.warn(fault.hint(format!("글자라면 '{name}'(으)로 쓰세요"), format!("did you mean '{name}' in quotes?")));
    }

    /// A text that a trait with a few values never has is most often a slip.
    fn value_in_data(&mut self, x: &Expr, ast: &Ast) {
        let (Kind::Trait(name), AstKind::Text(text)) = (&x.kind, &ast.kind) else { return };
        let values = self.schema.and_then(|s| s.values.get(name)).filter(|v| !v.is_empty() && !v.contains(text));
        let Some(values) = values else { return };
        let fault = Fault::new(
            ast.span,
            "value_not_in_data",
            format!("데이터의 '{name}'에는 '{text}' 값이 없습니다"),
            format!("'{name}' never has the value '{text}' in the data"),
        );
        let near = nearest(text, values.iter().map(String::as_str)).map(str::to_string);
        let some = values.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
        self.warn(match near {
            Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
            None => fault.hint(format!("데이터에 있는 값: {some}"), format!("it has: {some}")),
        });
    }

    fn units(&mut self, a: &Expr, b: &Expr, right: &Ast, span: Span) {
        if a.ty == b.ty || a.ty == Type::Any || b.ty == Type::Any {
            return;
        }
        // What is wrong already has been said.
        if matches!(a.kind, Kind::Bool(false)) || matches!(b.kind, Kind::Bool(false)) {
            return;
        }
        let (ka, kb) = (type_name(a.ty), type_name(b.ty));
        let fault = Fault::new(
            span,
            "units",
            format!("종류가 달라 비교할 수 없습니다: {} · {}", ka.0, kb.0),
            format!("{} cannot be compared with {}", ka.1, kb.1),
        );
        let fault = match (&a.ty, &right.kind) {
            (Type::Dur, AstKind::Num(n)) => {
                fault.hint(format!("기간으로 쓰세요. 예: {n}d"), format!("compare with a duration, such as {n}d"))
            }
            (Type::Num, AstKind::Dur(_)) => fault.hint("단위 없이 수로 쓰세요", "write a number without a unit"),
            _ => fault,
        };
        self.error(fault);
    }

    /// `weekday = sat`
    fn weekday(&mut self, e: Expr, ast: &Ast) -> Expr {
        let word = match &ast.kind {
            AstKind::Name(path) => path.join("."),
            AstKind::Text(t) => t.clone(),
            _ => return e,
        };
        match WEEKDAYS.iter().position(|w| w.contains(&word.to_lowercase().as_str())) {
            Some(i) => Expr { kind: Kind::Num(Decimal::from(i as i64 + 1)), ty: Type::Num, span: ast.span },
            None => {
                let valid: Vec<&str> = WEEKDAYS.iter().map(|w| w[0]).collect();
                self.unknown(ast.span, "unknown_weekday", ("요일", "weekday"), &word, &valid);
                self.wrong(ast.span)
            }
        }
    }

    /// `since(E) <= D`, `age_of(E) > D`, `since(trait) < D`.
    fn age(&mut self, cmp: Cmp, agg: &AggAst, agg_span: Span, d: Duration, span: Span) -> Option<Expr> {
        if !matches!(agg.func.as_str(), "since" | "age_of") {
            return None;
        }
        let seen = self.agg(agg, agg_span);
        // The resolved form is now - instant.
        let instant = match seen.kind {
            Kind::Arith(Arith::Sub, _, instant) => *instant,
            _ => return Some(self.wrong(span)),
        };
        let past = Expr { kind: Kind::Ago(d), ty: Type::Instant, span };
        Some(Expr { kind: Kind::Cmp(cmp.mirrored(), Box::new(instant), Box::new(past)), ty: Type::Bool, span })
    }

    /// An instant against a local date: the whole day counts.
    fn against_date(&mut self, cmp: Cmp, value: Expr, d: gyul_model::Date, span: Span) -> Expr {
        if !matches!(value.ty, Type::Instant | Type::Any) {
            if value.ty == Type::Text && matches!(cmp, Cmp::Eq | Cmp::Ne) {
                let text = Expr { kind: Kind::Text(d.to_string()), ty: Type::Text, span };
                return Expr { kind: Kind::Cmp(cmp, Box::new(value), Box::new(text)), ty: Type::Bool, span };
            }
            let date = Expr { kind: Kind::Date(d), ty: Type::Date, span };
            let ast = Ast { kind: AstKind::Date(d), span };
            self.units(&value, &date, &ast, span);
            return self.wrong(span);
        }
        let instant = |t: Instant| Box::new(Expr { kind: Kind::Instant(t), ty: Type::Instant, span });
        let (first, next) = (self.zone.midnight(d), self.zone.midnight(gyul_model::Date(d.0 + 1)));
        let cmp_with =
            |cmp, t| Expr { kind: Kind::Cmp(cmp, Box::new(value.clone()), instant(t)), ty: Type::Bool, span };
        let both = |kind: fn(Vec<Expr>) -> Kind, a, b| Expr { kind: kind(vec![a, b]), ty: Type::Bool, span };
        match cmp {
            Cmp::Ge => cmp_with(Cmp::Ge, first),
            Cmp::Gt => cmp_with(Cmp::Ge, next),
            Cmp::Lt => cmp_with(Cmp::Lt, first),
            Cmp::Le => cmp_with(Cmp::Lt, next),
            Cmp::Eq => both(Kind::And, cmp_with(Cmp::Ge, first), cmp_with(Cmp::Lt, next)),
            Cmp::Ne => both(Kind::Or, cmp_with(Cmp::Lt, first), cmp_with(Cmp::Ge, next)),
        }
    }

    /// `lifecycle = at_risk`; `None` if neither side is a partition.
    fn class(&mut self, cmp: Cmp, a: &Ast, b: &Ast, span: Span) -> Option<Expr> {
        let AstKind::Name(path) = &a.kind else { return None };
        let name = path.join(".");
        let partition = self.partitions.iter().position(|p| p.0 == name)?;
        let class = match &b.kind {
            AstKind::Name(path) => path.join("."),
            AstKind::Text(t) => t.clone(),
            _ => return None,
        };
        if !matches!(cmp, Cmp::Eq | Cmp::Ne) {
            self.error(Fault::new(
                span,
                "order",
                "클래스는 =와 !=로만 비교합니다",
                "classes are compared by = and != only",
            ));
        }
        let e = self.in_class(partition, &class, b.span, span)?;
        Some(if cmp == Cmp::Ne { Expr { kind: Kind::Not(Box::new(e)), ty: Type::Bool, span } } else { e })
    }

    fn in_class(&mut self, partition: usize, class: &str, place: Span, span: Span) -> Option<Expr> {
        let (name, ids, _) = self.partitions[partition].clone();
        if self.is_circular(&name, span) {
            return Some(self.wrong(span));
        }
        match ids.iter().position(|c| c == class) {
            Some(i) => Some(Expr { kind: Kind::InClass { partition, class: i }, ty: Type::Bool, span }),
            None => {
                let valid: Vec<&str> = ids.iter().map(String::as_str).collect();
                self.unknown(place, "unknown_class", ("클래스", "class"), class, &valid);
                Some(self.wrong(span))
            }
        }
    }

    pub(super) fn one_of(&mut self, x: &Ast, list: &[Ast], span: Span, at: At) -> Expr {
        if let AstKind::Name(path) = &x.kind {
            let name = path.join(".");
            if let Some(p) = self.partitions.iter().position(|p| p.0 == name) {
                let mut any = vec![];
                for item in list {
                    if let AstKind::Name(c) = &item.kind {
                        any.extend(self.in_class(p, &c.join("."), item.span, item.span));
                    } else if let AstKind::Text(c) = &item.kind {
                        any.extend(self.in_class(p, c, item.span, item.span));
                    }
                }
                return Expr { kind: Kind::Or(any), ty: Type::Bool, span };
            }
        }
        let value = self.expr(x, at);
        let texts: Vec<String> =
            list.iter().filter_map(|i| if let AstKind::Text(t) = &i.kind { Some(t.clone()) } else { None }).collect();
        if texts.len() == list.len() && !matches!(value.kind, Kind::Weekday) {
            list.iter().for_each(|i| self.value_in_data(&value, i));
            if !matches!(value.ty, Type::Text | Type::Any) {
                let text = Expr { kind: Kind::Text(String::new()), ty: Type::Text, span };
                self.units(&value, &text, &list[0], span);
            }
            return Expr { kind: Kind::InText(Box::new(value), texts), ty: Type::Bool, span };
        }
        let numbers: Vec<Decimal> =
            list.iter().filter_map(|i| if let AstKind::Num(n) = &i.kind { Some(*n) } else { None }).collect();
        if numbers.len() == list.len() {
            return Expr { kind: Kind::InNum(Box::new(value), numbers), ty: Type::Bool, span };
        }
        let any = list.iter().map(|i| self.compare(Cmp::Eq, x, i, i.span, at)).collect();
        Expr { kind: Kind::Or(any), ty: Type::Bool, span }
    }

    /// The channel has at least five messages in 365 days, a click, and no other such channel a higher click rate.
    fn prefers(&mut self, channel: &str, span: Span) -> Expr {
        self.channel(channel, span);
        let made = |kind, ty| Expr { kind, ty, span };
        let num = |n: i64| made(Kind::Num(Decimal::from(n)), Type::Num);
        let count = |event: &str, channel: &str| {
            let prop = made(Kind::Prop("channel".into()), Type::Any);
            let is = made(
                Kind::Cmp(Cmp::Eq, Box::new(prop), Box::new(made(Kind::Text(channel.into()), Type::Text))),
                Type::Bool,
            );
            let select = EventSelect { events: Names::Of(vec![event.into()]), filter: Some(is) };
            let after = Some(made(Kind::Ago(Duration::Exact(365 * MICROS_DAY)), Type::Instant));
            let window = Window { after, until: None };
            let agg = Agg { op: AggOp::Count, select, value: None, window, last: None };
            made(Kind::Agg(Box::new(agg)), Type::Num)
        };
        let cmp = |op, a, b| made(Kind::Cmp(op, Box::new(a), Box::new(b)), Type::Bool);
        let rate = |c: &str| {
            let (clicked, sent) = (count(names::CLICKED, c), count(names::SENT, c));
            made(Kind::Arith(Arith::Div, Box::new(clicked), Box::new(sent)), Type::Num)
        };
        let mut all = vec![
            cmp(Cmp::Ge, count(names::SENT, channel), num(5)),
            cmp(Cmp::Gt, count(names::CLICKED, channel), num(0)),
        ];
        for other in CHANNELS.iter().filter(|c| **c != channel) {
            let few = cmp(Cmp::Lt, count(names::SENT, other), num(5));
            let lower = cmp(Cmp::Le, rate(other), rate(channel));
            all.push(made(Kind::Or(vec![few, lower]), Type::Bool));
        }
        made(Kind::And(all), Type::Bool)
    }
}
