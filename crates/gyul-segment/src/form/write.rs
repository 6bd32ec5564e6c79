//! Form to tree.

use super::read::{period, sign};
use super::{Event, Fold, Is, Name, Node, Steps, Value, Window};
use crate::syntax::{
    Agg, Ast, AstKind, EventRef, Path, RankWord, Sequence, StepAst, TextTest, WindowAst, parse, print,
};
use crate::tree::{Cmp, Span};
use gyul_model::{Decimal, Duration, Period};

/// A tree, and what is not in it yet.
#[derive(Clone, Debug)]
pub struct Made {
    /// `None`: nothing to go by.
    pub ast: Option<Ast>,
    pub missing: Vec<Missing>,
}

/// A card that is left out because a field of it cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// The key of the card.
    pub key: String,
    pub ko: String,
    pub en: String,
}

/// How deep cards nest.
const DEPTH_MAX: usize = 48;

/// The tree of a form. Prints to a text that reads back as the same tree.
pub fn tree(node: &Node) -> Made {
    let mut w = Writer { missing: vec![], depth: 0 };
    let mut ast = w.card(node);
    // Texts within fields may nest deeper together than the language allows.
    if let Some(made) = &ast
        && !parse(&print(made)).1.is_empty()
    {
        w.miss(
            node,
            (
                "조건이 너무 깊이 겹칩니다. 세그먼트로 나누세요.",
                "The conditions nest too deeply. Split them into segments.",
            ),
        );
        ast = None;
    }
    Made { ast, missing: w.missing }
}

struct Writer {
    missing: Vec<Missing>,
    depth: usize,
}

/// What a field lacks.
type Lack = (String, String);
type Field<T> = Result<T, Lack>;

fn lack<T>(ko: &str, en: &str) -> Field<T> {
    Err((ko.into(), en.into()))
}

fn ast(kind: AstKind) -> Ast {
    Ast { kind, span: Span::default() }
}

impl Writer {
    fn miss(&mut self, node: &Node, (ko, en): (impl Into<String>, impl Into<String>)) {
        self.missing.push(Missing { key: node.key.clone(), ko: ko.into(), en: en.into() });
    }

    /// A card among others: left out if it is not filled in.
    fn card(&mut self, node: &Node) -> Option<Ast> {
        match &node.is {
            Is::All { parts } => self.group(node, parts, AstKind::And),
            Is::Any { parts } => self.group(node, parts, AstKind::Or),
            Is::Not { part } if self.depth < DEPTH_MAX => {
                self.depth += 1;
                let inner = self.card(part);
                self.depth -= 1;
                Some(ast(AstKind::Not(Box::new(inner?))))
            }
            _ => match leaf(node, self.depth) {
                Ok(made) => Some(made),
                Err(lack) => {
                    self.miss(node, lack);
                    None
                }
            },
        }
    }

    fn group(&mut self, node: &Node, parts: &[Node], join: fn(Vec<Ast>) -> AstKind) -> Option<Ast> {
        if self.depth >= DEPTH_MAX {
            self.miss(node, too_deep());
            return None;
        }
        self.depth += 1;
        let mut made: Vec<Ast> = parts.iter().filter_map(|p| self.card(p)).collect();
        self.depth -= 1;
        match made.len() {
            0 | 1 => made.pop(),
            _ => Some(ast(join(made))),
        }
    }
}

fn too_deep() -> Lack {
    ("조건이 너무 깊이 겹칩니다.".into(), "The conditions nest too deeply.".into())
}

/// A condition that must be whole: one card, or what stands behind `where` and `among`.
fn leaf(node: &Node, depth: usize) -> Field<Ast> {
    if depth >= DEPTH_MAX {
        return Err(too_deep());
    }
    let depth = depth + 1;
    let value = |v: &Value| value(v, depth).map(Box::new);
    let kind = match &node.is {
        Is::All { parts } => return joined(parts, AstKind::And, depth),
        Is::Any { parts } => return joined(parts, AstKind::Or, depth),
        Is::Not { part } => AstKind::Not(Box::new(leaf(part, depth)?)),
        Is::Compare { value: v, sign, to } => AstKind::Cmp(cmp(sign)?, value(v)?, value(to)?),
        Is::Between { value: v, low, high } => AstKind::Between(value(v)?, value(low)?, value(high)?),
        Is::In { list, .. } if list.is_empty() => return lack("값을 하나 이상 넣으세요.", "Give at least one value."),
        Is::In { value: v, list } => AstKind::In(value(v)?, values(list, depth)?),
        Is::Known { value: v } => AstKind::IsKnown(value(v)?),
        Is::Unknown { value: v } => AstKind::IsUnknown(value(v)?),
        Is::Test { value: v, test, text } => AstKind::Test(text_test(test)?, value(v)?, text.clone()),
        Is::Rank { value: v, rank, percent, among } => {
            let kind = match rank.as_str() {
                "top" => RankWord::Top(share(percent)?),
                "bottom" => RankWord::Bottom(share(percent)?),
                "above" => RankWord::AboveAverage,
                "below" => RankWord::BelowAverage,
                _ => return lack("순위의 종류를 고르세요.", "Choose the kind of rank."),
            };
            AstKind::Rank { kind, x: value(v)?, among: optional(among, depth)? }
        }
        Is::Sequence(steps) => sequence(steps, true, depth)?,
        Is::Segment { id } => AstKind::InSegment(filled(id, "세그먼트를 고르세요.", "Choose a segment.")?),
        Is::Occasion { name, within } => AstKind::Occasion {
            name: filled(name, "기념일을 고르세요.", "Choose an occasion.")?,
            within: if within.is_empty() { Duration::Exact(0) } else { duration(within)? },
        },
        Is::Near { after, event: e, within } => {
            AstKind::Near { after: *after, event: event(e, depth)?, within: maybe(within)? }
        }
        Is::Call { call, args } => {
            AstKind::Call(filled(call, "무엇을 물을지 고르세요.", "Choose what to ask.")?, values(args, depth)?)
        }
        Is::Holds { value: v } => return Ok(*value(v)?),
        Is::Text { text } => return expression(text),
    };
    Ok(ast(kind))
}

fn joined(parts: &[Node], join: fn(Vec<Ast>) -> AstKind, depth: usize) -> Field<Ast> {
    let mut made = parts.iter().map(|p| leaf(p, depth)).collect::<Field<Vec<Ast>>>()?;
    match made.len() {
        1 => Ok(made.remove(0)),
        0 => lack("안쪽 조건을 채우세요.", "Fill in the conditions inside."),
        _ => Ok(ast(join(made))),
    }
}

/// A group without conditions is none.
fn optional(node: &Option<Box<Node>>, depth: usize) -> Field<Option<Box<Ast>>> {
    match node.as_deref() {
        None => Ok(None),
        Some(Node { is: Is::All { parts } | Is::Any { parts }, .. }) if parts.is_empty() => Ok(None),
        Some(node) => leaf(node, depth).map(|a| Some(Box::new(a))),
    }
}

fn values(list: &[Value], depth: usize) -> Field<Vec<Ast>> {
    list.iter().map(|v| value(v, depth)).collect()
}

fn value(v: &Value, depth: usize) -> Field<Ast> {
    if depth >= DEPTH_MAX {
        return Err(too_deep());
    }
    let depth = depth + 1;
    let kind = match v {
        Value::Number { number } => AstKind::Num(decimal(number)?),
        Value::Percent { percent } => AstKind::Percent(share(percent)?),
        Value::Duration { duration: d } => AstKind::Dur(duration(d)?),
        Value::Date { date } => match constant(date) {
            Some(kind @ AstKind::Date(_)) => kind,
            _ => return lack("날짜를 넣으세요. 예: 2026-01-31", "Give a date, such as 2026-01-31."),
        },
        Value::Instant { instant } => match constant(instant) {
            Some(kind @ AstKind::Instant(_)) => kind,
            _ => return lack("날짜와 시각을 넣으세요.", "Give a date with a time."),
        },
        Value::Text { text } => AstKind::Text(text.clone()),
        Value::Bool { bool } => AstKind::Bool(*bool),
        Value::Name(n) => AstKind::Name(path(n)?),
        Value::Fold(fold) => AstKind::Agg(Box::new(folded(fold, depth)?)),
        Value::Funnel(steps) => sequence(steps, false, depth)?,
        Value::Position { position, value: x, among } => {
            let kind = match position.as_str() {
                "quintile" => RankWord::Quintile,
                "percentile" => RankWord::Percentile,
                _ => return lack("순위의 종류를 고르세요.", "Choose the kind of rank."),
            };
            AstKind::Rank { kind, x: Box::new(value(x, depth)?), among: optional(among, depth)? }
        }
        Value::Call { call, args } => {
            AstKind::Call(filled(call, "무엇을 물을지 고르세요.", "Choose what to ask.")?, values(args, depth)?)
        }
        Value::Expression { expression: text } => return expression(text),
    };
    Ok(ast(kind))
}

fn folded(fold: &Fold, depth: usize) -> Field<Agg> {
    if let Value::Name(n) = fold.of.as_ref()
        && n.parts.iter().any(String::is_empty)
    {
        return match n.parts.first() {
            Some(event) if !event.is_empty() => lack("이벤트의 속성을 고르세요.", "Choose a property of the event."),
            _ => lack("이벤트를 고르세요.", "Choose an event."),
        };
    }
    let windows = fold.windows.iter().map(|w| window(w, depth)).collect::<Field<Vec<_>>>()?;
    Ok(Agg {
        func: filled(&fold.fold, "무엇을 셀지 고르세요.", "Choose what to count.")?,
        arg: value(&fold.of, depth)?,
        filter: optional(&fold.filter, depth)?.map(|a| *a),
        windows,
    })
}

fn sequence(s: &Steps, whole: bool, depth: usize) -> Field<AstKind> {
    if s.steps.is_empty() {
        return lack("단계를 하나 이상 넣으세요.", "Give at least one step.");
    }
    let step = |s: &super::Step| {
        let without = s.without.iter().map(|e| event(e, depth)).collect::<Field<Vec<_>>>()?;
        Ok(StepAst { event: event(&s.event, depth)?, within: maybe(&s.within)?, without })
    };
    Ok(AstKind::Sequence(Box::new(Sequence {
        whole,
        steps: s.steps.iter().map(step).collect::<Field<Vec<_>>>()?,
        within: maybe(&s.within)?,
        by: Some(s.by.clone()).filter(|b| !b.is_empty()),
        windows: s.windows.iter().map(|w| window(w, depth)).collect::<Field<Vec<_>>>()?,
    })))
}

fn event(e: &Event, depth: usize) -> Field<EventRef> {
    let name = filled(&e.event, "이벤트를 고르세요.", "Choose an event.")?;
    Ok(EventRef { name, quoted: e.quoted, filter: optional(&e.filter, depth)?, span: Span::default() })
}

fn window(w: &Window, depth: usize) -> Field<WindowAst> {
    Ok(match w {
        Window::Last { duration: d } => WindowAst::Last(duration(d)?),
        Window::LastCount { count } => match count.trim().parse() {
            Ok(n @ 1..=1_000_000) => WindowAst::LastCount(n),
            _ => return lack("최근 몇 건인지 넣으세요.", "Say how many of the latest."),
        },
        Window::Between { from, until } => WindowAst::Between(duration(from)?, duration(until)?),
        Window::Period { period, back } => WindowAst::Period(period_of(period)?, i32::from(*back != 0)),
        Window::Since { moment } => match constant(moment) {
            Some(AstKind::Date(d)) => WindowAst::SinceDate(d),
            Some(AstKind::Instant(t)) => WindowAst::SinceInstant(t),
            _ => return lack("날짜를 넣으세요. 예: 2026-01-31", "Give a date, such as 2026-01-31."),
        },
        Window::Before { moment } => match constant(moment) {
            Some(AstKind::Date(d)) => WindowAst::BeforeDate(d),
            Some(AstKind::Instant(t)) => WindowAst::BeforeInstant(t),
            _ => return lack("날짜를 넣으세요. 예: 2026-01-31", "Give a date, such as 2026-01-31."),
        },
        Window::SinceLast { event: e } => WindowAst::SinceLast(event(e, depth)?),
        Window::During { occasion, within } => WindowAst::During(
            filled(occasion, "기념일을 고르세요.", "Choose an occasion.")?,
            if within.is_empty() { Duration::Exact(0) } else { duration(within)? },
        ),
        Window::By { period } => WindowAst::By(period_of(period)?),
    })
}

// ---- fields

/// Any expression.
fn expression(text: &str) -> Field<Ast> {
    if text.trim().is_empty() {
        return lack("식을 적으세요.", "Write an expression.");
    }
    let (ast, faults) = parse(text);
    match faults.into_iter().next() {
        None => Ok(ast),
        Some(f) => Err((f.ko, f.en)),
    }
}

/// A text that is one constant of the language.
fn constant(text: &str) -> Option<AstKind> {
    let (ast, faults) = parse(text.trim());
    faults.is_empty().then_some(ast.kind)
}

fn filled(text: &str, ko: &str, en: &str) -> Field<String> {
    if text.is_empty() { lack(ko, en) } else { Ok(text.to_string()) }
}

fn path(n: &Name) -> Field<Path> {
    if n.parts.is_empty() || n.parts.iter().any(String::is_empty) {
        return lack("항목을 고르세요.", "Choose what it is about.");
    }
    Ok(Path { parts: n.parts.clone(), quoted: n.quoted })
}

/// People write thousands with commas.
fn decimal(text: &str) -> Field<Decimal> {
    match constant(&text.replace(',', "")) {
        Some(AstKind::Num(n)) => Ok(n),
        _ => lack("수를 넣으세요.", "Give a number."),
    }
}

fn share(text: &str) -> Field<Decimal> {
    match decimal(text) {
        Ok(n) if n.mantissa() >= 0 => Ok(n),
        _ => lack("퍼센트를 넣으세요.", "Give a percentage."),
    }
}

fn duration(text: &str) -> Field<Duration> {
    match constant(text) {
        Some(AstKind::Dur(d)) => Ok(d),
        _ => lack("기간을 넣으세요. 예: 30일", "Give a duration, such as 30 days."),
    }
}

fn maybe(text: &str) -> Field<Option<Duration>> {
    if text.is_empty() { Ok(None) } else { duration(text).map(Some) }
}

fn cmp(text: &str) -> Field<Cmp> {
    let all = [Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge];
    all.into_iter().find(|c| sign(*c) == text).map_or_else(|| lack("비교를 고르세요.", "Choose a comparison."), Ok)
}

fn text_test(text: &str) -> Field<TextTest> {
    use TextTest::*;
    let all = [Contains, StartsWith, EndsWith, Matches, Within];
    all.into_iter().find(|t| t.words() == text).map_or_else(|| lack("비교를 고르세요.", "Choose a comparison."), Ok)
}

fn period_of(text: &str) -> Field<Period> {
    let all = [Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year];
    all.into_iter().find(|p| period(*p) == text).map_or_else(|| lack("기간을 고르세요.", "Choose a period."), Ok)
}
