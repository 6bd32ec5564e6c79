//! Written tree to resolved tree: names are looked up, units checked, sugar taken away.

mod compare;
mod events;
mod sensitive;

use crate::problem::{Severity, nearest};
use crate::syntax::{AGGREGATES, Ast, AstKind, EventRef, Fault, RankWord, TextTest};
use crate::tree::{Arith, Cmp, Expr, Kind, Pattern1, Rank, RankKind, Span, Type};
use gyul_model::{Decimal, Duration, MICROS_DAY, Occasions, Zone, names};
use std::collections::BTreeMap;

/// What the data has, for suggestions and warnings.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Properties of each event.
    pub events: BTreeMap<String, Vec<(String, Type)>>,
    pub traits: Vec<(String, Type)>,
    /// The values of traits that have a few, and name nobody.
    pub values: BTreeMap<String, Vec<String>>,
}

/// Short names of events that every shop has, unless a file gives them another meaning.
pub const ALIASES: [(&str, &str); 17] = [
    ("order", names::ORDER),
    ("item", names::ITEM),
    ("refund", names::REFUND),
    ("refunded_item", names::ITEM_REFUND),
    ("view", names::VIEW),
    ("cart", names::CART),
    ("search", names::SEARCH),
    ("checkout", names::CHECKOUT),
    ("sent", names::SENT),
    ("opened", names::OPENED),
    ("clicked", names::CLICKED),
    ("review", "Product Reviewed"),
    ("survey", "Survey Answered"),
    ("ticket", "Support Ticket Created"),
    ("login", "Signed In"),
    ("signup", "Signed Up"),
    ("page", "Page Viewed"),
];

/// Channels that messages go by.
const CHANNELS: [&str; 4] = ["kakao", "email", "sms", "push"];

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq)]
enum At<'a> {
    Customer,
    /// In a condition on an event that was written under this name.
    Event(&'a str),
}

type Aliases = BTreeMap<String, (Vec<String>, Option<Ast>)>;

pub(crate) struct Resolver<'a> {
    zone: Zone,
    occasions: &'a Occasions,
    aliases: Aliases,
    measures: Vec<(String, Ast)>,
    segments: Vec<(String, Ast)>,
    /// Id, class ids with `otherwise` last, conditions of the classes.
    partitions: Vec<(String, Vec<String>, Vec<Ast>)>,
    /// Types of the measures resolved so far.
    types: BTreeMap<usize, Type>,
    order: Vec<usize>,
    schema: Option<&'a Schema>,
    faults: Vec<(Severity, Fault)>,
    /// Names of definitions that lie in a circle.
    circular: Vec<(String, Vec<String>)>,
    /// Aliases whose conditions are being resolved.
    open_aliases: Vec<String>,
    /// Conditions of aliases drawn into the definition at hand.
    expansions: usize,
}

impl<'a> Resolver<'a> {
    pub fn new(
        zone: Zone,
        occasions: &'a Occasions,
        aliases: Aliases,
        measures: Vec<(String, Ast)>,
        segments: Vec<(String, Ast)>,
        partitions: Vec<(String, Vec<String>, Vec<Ast>)>,
        schema: Option<&'a Schema>,
    ) -> Resolver<'a> {
        let mut r = Resolver {
            zone,
            occasions,
            aliases,
            measures,
            segments,
            partitions,
            types: BTreeMap::new(),
            order: vec![],
            schema,
            faults: vec![],
            circular: vec![],
            open_aliases: vec![],
            expansions: 0,
        };
        r.find_circles();
        r
    }

    pub fn take_faults(&mut self) -> Vec<(Severity, Fault)> {
        std::mem::take(&mut self.faults)
    }

    /// A segment's or class's condition.
    pub fn segment(&mut self, ast: &Ast) -> Expr {
        self.expansions = 0;
        self.condition(ast, At::Customer)
    }

    /// Indexes of all measures, each after those that it uses; those in a circle come last.
    pub fn measure_order(&self) -> Vec<usize> {
        self.order.clone()
    }

    /// A measure's value.
    pub fn measure(&mut self, index: usize, ast: &Ast) -> Expr {
        self.expansions = 0;
        let e = self.expr(ast, At::Customer);
        let wrong = matches!(e.kind, Kind::Bool(_)) && !matches!(ast.kind, AstKind::Bool(_));
        if e.ty == Type::Bool && !wrong {
            let fault = Fault::new(
                ast.span,
                "measure_is_condition",
                "measures에는 조건이 아니라 수, 기간, 시점, 글자 값이 옵니다",
                "a measure is a value, not a condition",
            );
            self.error(fault.hint("조건이라면 segments에 두세요", "put conditions under segments"));
        }
        self.types.insert(index, e.ty);
        e
    }

    /// Checks the condition of a short name once, at its own place.
    pub fn check_alias(&mut self, alias: &str) {
        if let Some((_, Some(filter))) = self.aliases.get(alias).cloned() {
            self.expansions = 0;
            self.open_aliases.push(alias.to_string());
            self.condition(&filter, At::Event(alias));
            self.open_aliases.pop();
        }
    }

    // ---- circles

    fn find_circles(&mut self) {
        let mut defs: Vec<(&str, Vec<&Ast>)> = vec![];
        self.measures.iter().chain(&self.segments).for_each(|(id, ast)| defs.push((id, vec![ast])));
        self.partitions.iter().for_each(|(id, _, asts)| defs.push((id, asts.iter().collect())));
        // Of definitions with the same id the first counts.
        let index: BTreeMap<&str, usize> = defs.iter().enumerate().rev().map(|(i, d)| (d.0, i)).collect();
        let uses: Vec<Vec<usize>> = defs
            .iter()
            .map(|(_, asts)| {
                let mut names = vec![];
                asts.iter().for_each(|a| mentions(a, &mut names));
                names.iter().filter_map(|n| index.get(n.as_str()).copied()).collect()
            })
            .collect();
        let mut circular = vec![];
        let (mut order, knotted) = untied(&uses);
        order.extend(&knotted);
        order.retain(|i| *i < self.measures.len());
        for i in knotted {
            if let Some(path) = way_back(&uses, i) {
                circular.push((defs[i].0.to_string(), path.iter().map(|p| defs[*p].0.to_string()).collect()));
            }
        }
        self.circular = circular;
        self.order = order;
    }

    /// Reports a reference that leads back to where it comes from.
    fn is_circular(&mut self, id: &str, span: Span) -> bool {
        let Some((_, path)) = self.circular.iter().find(|(c, _)| c == id) else { return false };
        let path = path.join(" → ");
        self.error(Fault::new(
            span,
            "circle",
            format!("정의가 돌고 돕니다: {path}"),
            format!("definitions refer to each other in a circle: {path}"),
        ));
        true
    }

    // ---- faults

    fn error(&mut self, fault: Fault) {
        if !self.faults.iter().any(|(_, f)| *f == fault) {
            self.faults.push((Severity::Error, fault));
        }
    }

    fn warn(&mut self, fault: Fault) {
        if !self.faults.iter().any(|(_, f)| *f == fault) {
            self.faults.push((Severity::Warning, fault));
        }
    }

    fn unknown(&mut self, span: Span, code: &'static str, what: (&str, &str), name: &str, valid: &[&str]) {
        let fault = Fault::new(
            span,
            code,
            format!("없는 이름입니다: {} '{name}'", what.0),
            format!("there is no {} '{name}'", what.1),
        );
        self.error(match nearest(name, valid.iter().copied()) {
            Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
            None if valid.is_empty() || valid.len() > 40 => fault,
            None => {
                let list = valid.join(", ");
                fault.hint(format!("있는 이름: {list}"), format!("the names are {list}"))
            }
        });
    }

    fn wrong(&self, span: Span) -> Expr {
        Expr { kind: Kind::Bool(false), ty: Type::Bool, span }
    }

    // ---- expressions

    fn condition(&mut self, ast: &Ast, at: At) -> Expr {
        let e = self.expr(ast, at);
        if matches!(e.ty, Type::Bool | Type::Any) {
            return e;
        }
        let fault = Fault::new(
            ast.span,
            "not_a_condition",
            "여기에는 참/거짓 조건이 와야 합니다",
            "a condition that is true or false belongs here",
        );
        let fault = match e.ty {
            Type::Num => fault.hint("비교를 붙이세요. 예: count(order) >= 1", "compare it, as in count(order) >= 1"),
            Type::Dur => {
                fault.hint("기간과 비교하세요. 예: since(order) <= 30d", "compare it, as in since(order) <= 30d")
            }
            _ => fault,
        };
        self.error(fault);
        self.wrong(ast.span)
    }

    fn expr(&mut self, ast: &Ast, at: At) -> Expr {
        let span = ast.span;
        let made = |kind, ty| Expr { kind, ty, span };
        match &ast.kind {
            AstKind::Wrong => self.wrong(span),
            AstKind::Bool(b) => made(Kind::Bool(*b), Type::Bool),
            AstKind::Num(n) => made(Kind::Num(*n), Type::Num),
            AstKind::Percent(p) => match Decimal::checked(p.mantissa().into(), p.scale() + 2) {
                Some(d) => made(Kind::Num(d), Type::Num),
                None => self.wrong(span),
            },
            AstKind::Dur(Duration::Exact(us)) => made(Kind::Dur(*us), Type::Dur),
            AstKind::Dur(Duration::Months(_)) => {
                self.calendar_duration(span);
                self.wrong(span)
            }
            AstKind::Date(d) => made(Kind::Date(*d), Type::Date),
            AstKind::Instant(t) => made(Kind::Instant(*t), Type::Instant),
            AstKind::Text(t) => made(Kind::Text(t.clone()), Type::Text),
            AstKind::Name(path) => self.name(path, span, at),
            AstKind::Agg(agg) if at == At::Customer => self.agg(agg, span),
            AstKind::Sequence(s) if at == At::Customer => self.sequence(s, span),
            AstKind::Agg(_) | AstKind::Sequence(_) | AstKind::InSegment(_) | AstKind::Rank { .. }
                if at != At::Customer =>
            {
                let fault = Fault::new(
                    span,
                    "event_condition",
                    "where 안에서는 그 이벤트 하나만 볼 수 있습니다",
                    "inside where only the one event can be looked at",
                );
                self.error(fault.hint(
                    "고객 전체를 보는 조건은 where 밖에서 and로 이으세요",
                    "conditions on the whole customer go outside of where, joined with and",
                ));
                self.wrong(span)
            }
            AstKind::Agg(_) | AstKind::Sequence(_) => self.wrong(span),
            AstKind::Call(name, args) => self.call(name, args, span, at),
            AstKind::InSegment(id) => match self.segments.iter().position(|s| s.0 == *id) {
                Some(_) if self.is_circular(id, span) => self.wrong(span),
                Some(i) => made(Kind::InSegment(i), Type::Bool),
                None => {
                    let ids: Vec<String> = self.segments.iter().map(|s| s.0.clone()).collect();
                    let valid: Vec<&str> = ids.iter().map(String::as_str).collect();
                    self.unknown(span, "unknown_segment", ("세그먼트", "segment"), id, &valid);
                    self.wrong(span)
                }
            },
            AstKind::Occasion { name, within } => self.occasion(name, *within, span, at),
            AstKind::Near { after, event, within } => self.near(*after, event, *within, span, at),
            AstKind::Rank { kind, x, among } => self.rank(*kind, x, among.as_deref(), span),
            AstKind::Not(a) => {
                let a = self.condition(a, at);
                made(Kind::Not(Box::new(a)), Type::Bool)
            }
            AstKind::And(list) => made(Kind::And(list.iter().map(|a| self.condition(a, at)).collect()), Type::Bool),
            AstKind::Or(list) => made(Kind::Or(list.iter().map(|a| self.condition(a, at)).collect()), Type::Bool),
            AstKind::Cmp(cmp, a, b) => self.compare(*cmp, a, b, span, at),
            AstKind::Between(x, low, high) => {
                let low = self.compare(Cmp::Ge, x, low, span, at);
                let high = self.compare(Cmp::Le, x, high, span, at);
                made(Kind::And(vec![low, high]), Type::Bool)
            }
            AstKind::In(x, list) => self.one_of(x, list, span, at),
            AstKind::IsKnown(a) | AstKind::IsUnknown(a) => {
                let a = self.expr(a, at);
                let known = made(Kind::IsKnown(Box::new(a)), Type::Bool);
                if matches!(ast.kind, AstKind::IsKnown(_)) {
                    known
                } else {
                    made(Kind::Not(Box::new(known)), Type::Bool)
                }
            }
            AstKind::Test(test, x, text) => self.test(*test, x, text, span, at),
            AstKind::Arith(op, a, b) => {
                let (a, b) = (self.expr(a, at), self.expr(b, at));
                self.arith(*op, a, b, span)
            }
            AstKind::Neg(a) => {
                let a = self.expr(a, at);
                let zero = if a.ty == Type::Dur {
                    made(Kind::Dur(0), Type::Dur)
                } else {
                    made(Kind::Num(Decimal::ZERO), Type::Num)
                };
                self.arith(Arith::Sub, zero, a, span)
            }
        }
    }

    fn name(&mut self, path: &[String], span: Span, at: At) -> Expr {
        let made = |kind, ty| Expr { kind, ty, span };
        if let At::Event(alias) = at {
            return self.event_name(path, alias, span);
        }
        let name = path.join(".");
        if let Some(i) = self.measures.iter().position(|m| m.0 == name) {
            if self.is_circular(&name, span) {
                return self.wrong(span);
            }
            let ty = self.types.get(&i).copied().unwrap_or(Type::Any);
            return made(Kind::Measure(i), ty);
        }
        if name == "age" {
            return made(Kind::Age, Type::Num);
        }
        if self.partitions.iter().any(|p| p.0 == name) {
            let fault = Fault::new(
                span,
                "partition",
                format!("'{name}'은(는) 분류입니다. 클래스와 비교하세요"),
                format!("'{name}' is a partition; compare it with one of its classes"),
            );
            self.error(fault.hint(format!("예: {name} = 클래스"), format!("as in {name} = class")));
            return self.wrong(span);
        }
        if self.segments.iter().any(|s| s.0 == name) {
            let fault =
                Fault::new(span, "segment", format!("'{name}'은(는) 세그먼트입니다"), format!("'{name}' is a segment"));
            self.error(fault.hint(format!("in segment {name} 이라고 쓰세요"), format!("write in segment {name}")));
            return self.wrong(span);
        }
        if self.is_event(&path[0]) && !self.has_trait(&name) {
            let fault = Fault::new(
                span,
                "event_as_value",
                format!("'{name}'은(는) 이벤트입니다. 무엇을 셀지 쓰세요"),
                format!("'{name}' is an event; say what to make of it"),
            );
            let hint = format!("count({name}), since({name}), sum({}.total)", path[0]);
            self.error(fault.hint(format!("예: {hint}"), format!("as in {hint}")));
            return self.wrong(span);
        }
        self.trait_of(&name, span)
    }

    fn has_trait(&self, name: &str) -> bool {
        self.schema.is_some_and(|s| s.traits.iter().any(|t| t.0 == name))
    }

    fn trait_of(&mut self, name: &str, span: Span) -> Expr {
        let mut ty = Type::Any;
        if let Some(schema) = self.schema {
            match schema.traits.iter().find(|t| t.0 == name) {
                Some(t) => ty = t.1,
                None => {
                    let fault = Fault::new(
                        span,
                        "trait_not_in_data",
                        format!("데이터에 '{name}' 속성이 없어 모든 고객이 '알 수 없음'이 됩니다"),
                        format!("the data has no trait '{name}': it is unknown for everybody"),
                    );
                    let valid: Vec<&str> = schema
                        .traits
                        .iter()
                        .map(|t| t.0.as_str())
                        .chain(self.measures.iter().map(|m| m.0.as_str()))
                        .collect();
                    let near = nearest(name, valid).map(str::to_string);
                    self.warn(match near {
                        Some(n) => fault.hint(format!("혹시 '{n}'인가요?"), format!("did you mean '{n}'?")),
                        None => fault,
                    });
                }
            }
        }
        if sensitive::is_sensitive(name) {
            let fault = Fault::new(
                span,
                "sensitive",
                format!("'{name}'은(는) 민감정보로 보입니다(개인정보 보호법 제23조)"),
                format!("'{name}' looks like sensitive data (PIPA article 23, GDPR article 9)"),
            );
            self.warn(fault.hint(
                "별도 동의가 있는지 확인하고, 없으면 이 조건을 빼세요",
                "make sure of an explicit consent, or leave the condition out",
            ));
        }
        Expr { kind: Kind::Trait(name.to_string()), ty, span }
    }

    fn arith(&mut self, op: Arith, a: Expr, b: Expr, span: Span) -> Expr {
        use Type::{Any, Dur, Instant, Num};
        let ty = match (op, a.ty, b.ty) {
            (Arith::Sub, Instant, Instant) => Some(Dur),
            (Arith::Add | Arith::Sub, Dur, Dur | Any) | (Arith::Add | Arith::Sub, Any, Dur) => Some(Dur),
            (Arith::Add | Arith::Sub, Num | Any, Num | Any) => Some(Num),
            (Arith::Mul, Dur, Num | Any) | (Arith::Mul, Num | Any, Dur) => Some(Dur),
            (Arith::Mul | Arith::Div, Num | Any, Num | Any) => Some(Num),
            (Arith::Div, Dur, Dur) => Some(Num),
            (Arith::Div, Dur, Num | Any) => Some(Dur),
            (Arith::Sub, Instant, Any) | (Arith::Sub, Any, Instant) => Some(Dur),
            _ => None,
        };
        let Some(ty) = ty else {
            let sign = ["+", "-", "*", "/"][op as usize];
            let (ka, kb) = (type_name(a.ty), type_name(b.ty));
            self.error(Fault::new(
                span,
                "units",
                format!("이렇게는 계산할 수 없습니다: {} {sign} {}", ka.0, kb.0),
                format!("{} {sign} {} makes no sense", ka.1, kb.1),
            ));
            return self.wrong(span);
        };
        Expr { kind: Kind::Arith(op, Box::new(a), Box::new(b)), ty, span }
    }

    fn rank(&mut self, word: RankWord, x: &Ast, among: Option<&Ast>, span: Span) -> Expr {
        let value = self.expr(x, At::Customer);
        if !matches!(value.ty, Type::Num | Type::Dur | Type::Instant | Type::Any) {
            self.error(Fault::new(
                x.span,
                "rank",
                "순위는 수, 기간, 시점에만 매길 수 있습니다",
                "only numbers, durations and instants can be ranked",
            ));
            return self.wrong(span);
        }
        if let RankWord::Top(p) | RankWord::Bottom(p) = word
            && (p <= Decimal::ZERO || p > Decimal::from(100))
        {
            self.error(Fault::new(
                span,
                "percent",
                format!("{p}%는 0보다 크고 100 이하여야 합니다"),
                format!("{p}% must be above 0 and at most 100"),
            ));
        }
        let among = among.map(|a| self.condition(a, At::Customer));
        let (kind, ty) = match word {
            RankWord::Top(p) => (RankKind::Top(p), Type::Bool),
            RankWord::Bottom(p) => (RankKind::Bottom(p), Type::Bool),
            RankWord::AboveAverage => (RankKind::AboveAverage, Type::Bool),
            RankWord::BelowAverage => (RankKind::BelowAverage, Type::Bool),
            RankWord::Quintile => (RankKind::Quintile, Type::Num),
            RankWord::Percentile => (RankKind::Percentile, Type::Num),
        };
        Expr { kind: Kind::Rank(Box::new(Rank { kind, x: value, among })), ty, span }
    }

    fn call(&mut self, name: &str, args: &[Ast], span: Span, at: At) -> Expr {
        let made = |kind, ty| Expr { kind, ty, span };
        let word = |a: &Ast| match &a.kind {
            AstKind::Name(path) => Some(path.join(".")),
            AstKind::Text(t) => Some(t.clone()),
            _ => None,
        };
        match (name, args) {
            ("consent", [a]) if word(a).is_some() => {
                let channel = word(a).unwrap_or_default();
                self.channel(&channel, a.span);
                let mut e = self.trait_of(&format!("{}{channel}", names::CONSENT), span);
                e.ty = Type::Bool;
                e
            }
            ("reachable", [a]) if word(a).is_some() => {
                let channel = word(a).unwrap_or_default();
                self.channel(&channel, a.span);
                let consent = self.trait_of(&format!("{}{channel}", names::CONSENT), span);
                let address = match channel.as_str() {
                    "email" => "email",
                    "push" => "push_token",
                    _ => "phone",
                };
                let address = self.trait_of(address, span);
                let bounced = made(Kind::Trait(format!("unreachable.{channel}")), Type::Any);
                let known = made(Kind::IsKnown(Box::new(address)), Type::Bool);
                made(Kind::And(vec![consent, known, made(Kind::Not(Box::new(bounced)), Type::Bool)]), Type::Bool)
            }
            ("predict", [a]) if word(a).is_some() => {
                let mut e = self.trait_of(&format!("{}{}", names::PREDICT, word(a).unwrap_or_default()), span);
                e.ty = Type::Num;
                e
            }
            ("sample", [p, rest @ ..]) if rest.len() <= 1 => {
                let salt = rest.first().map_or(Some("gyul".to_string()), word);
                match (&p.kind, salt) {
                    (AstKind::Percent(p), Some(salt)) if *p >= Decimal::ZERO && *p <= Decimal::from(100) => {
                        made(Kind::Sample { percent: *p, salt }, Type::Bool)
                    }
                    _ => {
                        self.error(Fault::new(
                            span,
                            "sample",
                            "표본은 sample(10%, '이름') 꼴로 씁니다",
                            "a sample is written sample(10%, 'salt')",
                        ));
                        self.wrong(span)
                    }
                }
            }
            ("prefers", _) => {
                let fault = Fault::new(
                    span,
                    "prefers",
                    "선호 채널은 채널 이름과 비교하세요",
                    "compare the preferred channel with the name of one",
                );
                self.error(fault.hint("예: prefers(channel) = 'kakao'", "as in prefers(channel) = 'kakao'"));
                self.wrong(span)
            }
            _ => {
                let own = [
                    "consent",
                    "reachable",
                    "predict",
                    "sample",
                    "prefers",
                    "sequence",
                    "funnel_step",
                    "quintile",
                    "percentile",
                ];
                if own.contains(&name) {
                    self.error(Fault::new(
                        span,
                        "arguments",
                        format!("{name}(…)의 괄호 안이 맞지 않습니다"),
                        format!("{name}(…) does not take these arguments"),
                    ));
                } else {
                    let valid: Vec<&str> = own.into_iter().chain(AGGREGATES).collect();
                    self.unknown(span, "unknown_function", ("함수", "function"), name, &valid);
                }
                let _ = at;
                self.wrong(span)
            }
        }
    }

    fn channel(&mut self, channel: &str, span: Span) {
        if !CHANNELS.contains(&channel) {
            self.unknown(span, "unknown_channel", ("채널", "channel"), channel, &CHANNELS);
        }
    }

    fn occasion(&mut self, name: &str, within: Duration, span: Span, at: At) -> Expr {
        if self.occasions.get(name).is_none() {
            let ids: Vec<String> = self.occasions.iter().map(|o| o.id.clone()).collect();
            let valid: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.unknown(span, "unknown_occasion", ("기념일", "occasion"), name, &valid);
            return self.wrong(span);
        }
        let days = match within {
            Duration::Exact(us) if us % MICROS_DAY == 0 => (us / MICROS_DAY).clamp(0, 36_500) as i32,
            _ => {
                self.error(Fault::new(
                    span,
                    "whole_days",
                    "기념일 앞뒤 기간은 하루 단위(예: 7d)로 씁니다",
                    "the span around an occasion is in whole days, such as 7d",
                ));
                0
            }
        };
        let kind = if at == At::Customer { Kind::Today } else { Kind::LocalDate };
        let date = Box::new(Expr { kind, ty: Type::Date, span });
        Expr { kind: Kind::NearOccasion { date, occasion: name.to_string(), days }, ty: Type::Bool, span }
    }

    fn test(&mut self, test: TextTest, x: &Ast, text: &str, span: Span, at: At) -> Expr {
        let value = self.expr(x, at);
        let ok = match test {
            TextTest::Contains => matches!(value.ty, Type::Text | Type::List | Type::Any),
            _ => matches!(value.ty, Type::Text | Type::Any),
        };
        if !ok {
            self.error(Fault::new(
                x.span,
                "text_test",
                format!("'{}'은(는) 글자에만 쓸 수 있습니다", test.words()),
                format!("'{}' is for texts", test.words()),
            ));
            return self.wrong(span);
        }
        let (value, t) = (Box::new(value), text.to_string());
        let kind = match test {
            TextTest::Contains => Kind::Contains(value, t),
            TextTest::StartsWith => Kind::StartsWith(value, t),
            TextTest::EndsWith => Kind::EndsWith(value, t),
            TextTest::Within => Kind::Within(value, t),
            TextTest::Matches => match regex::RegexBuilder::new(text).size_limit(1 << 20).build() {
                Ok(regex) => Kind::Matches(value, Pattern1 { text: t, regex }),
                Err(e) => {
                    let reason = e.to_string();
                    let reason = reason.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_string();
                    self.error(Fault::new(
                        span,
                        "regex",
                        format!("정규식이 잘못되었습니다: {reason}"),
                        format!("this is no regular expression: {reason}"),
                    ));
                    return self.wrong(span);
                }
            },
        };
        Expr { kind, ty: Type::Bool, span }
    }

    fn calendar_duration(&mut self, span: Span) {
        let fault = Fault::new(
            span,
            "calendar_duration",
            "달(mo)과 해(y)는 길이가 일정하지 않아 여기에 쓸 수 없습니다",
            "months and years have no fixed length and cannot stand here",
        );
        self.error(fault.hint(
            "30d처럼 일수로 쓰거나, 기간 창(last 6mo)이나 since(…) 비교에 쓰세요",
            "write days, as in 30d; mo and y are for windows (last 6mo) and for comparing since(…)",
        ));
    }
}

/// Words that a comparison reads by itself.
fn compare_word(name: &str) -> bool {
    compare::is_weekday(name)
}

fn type_name(ty: Type) -> (&'static str, &'static str) {
    match ty {
        Type::Bool => ("조건", "a condition"),
        Type::Num => ("수", "a number"),
        Type::Dur => ("기간", "a duration"),
        Type::Instant => ("시점", "an instant"),
        Type::Date => ("날짜", "a date"),
        Type::Text => ("글자", "a text"),
        Type::List => ("목록", "a list"),
        Type::Any => ("값", "a value"),
    }
}

/// Names of other definitions that an expression could mean.
fn mentions(ast: &Ast, out: &mut Vec<String>) {
    fn event(e: &EventRef, out: &mut Vec<String>) {
        e.filter.iter().for_each(|f| mentions(f, out));
    }
    match &ast.kind {
        AstKind::Name(path) => out.push(path.join(".")),
        AstKind::InSegment(id) => out.push(id.clone()),
        AstKind::Call(_, args) => args.iter().for_each(|a| mentions(a, out)),
        AstKind::Near { event: e, .. } => event(e, out),
        AstKind::Rank { x, among, .. } => {
            mentions(x, out);
            among.iter().for_each(|a| mentions(a, out));
        }
        AstKind::Not(a) | AstKind::IsKnown(a) | AstKind::IsUnknown(a) | AstKind::Test(_, a, _) | AstKind::Neg(a) => {
            mentions(a, out);
        }
        AstKind::And(list) | AstKind::Or(list) => list.iter().for_each(|a| mentions(a, out)),
        AstKind::Cmp(_, a, b) | AstKind::Arith(_, a, b) => [a, b].into_iter().for_each(|a| mentions(a, out)),
        AstKind::Between(a, b, c) => [a, b, c].into_iter().for_each(|a| mentions(a, out)),
        AstKind::In(a, list) => {
            mentions(a, out);
            list.iter().for_each(|a| mentions(a, out));
        }
        // Inside an aggregate only events are named.
        _ => {}
    }
}

/// Everything that uses nothing, or only such, each after what it uses; and what is left: circles and what leads to them.
fn untied(uses: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut users = vec![vec![]; uses.len()];
    uses.iter().enumerate().for_each(|(i, list)| list.iter().for_each(|u| users[*u].push(i)));
    let mut open: Vec<usize> = uses.iter().map(Vec::len).collect();
    let mut free: Vec<usize> = (0..uses.len()).filter(|i| open[*i] == 0).collect();
    let mut order = vec![];
    while let Some(i) = free.pop() {
        order.push(i);
        for user in &users[i] {
            open[*user] -= 1;
            if open[*user] == 0 {
                free.push(*user);
            }
        }
    }
    (order, (0..uses.len()).filter(|i| open[*i] > 0).collect())
}

/// The shortest way from a definition back to itself, both ends included.
fn way_back(uses: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(i) = queue.pop_front() {
        for next in &uses[i] {
            if *next == start {
                let mut path = vec![start, i];
                while let Some(before) = path.last().filter(|p| **p != start).and_then(|p| from.get(p)) {
                    path.push(*before);
                }
                path.reverse();
                return Some(path);
            }
            if !from.contains_key(next) {
                from.insert(*next, i);
                queue.push_back(*next);
            }
        }
    }
    None
}
