//! Tree to form.

use super::{Event, Fold, Is, Name, Node, Step, Steps, Value, Window};
use crate::syntax::{Ast, AstKind, EventRef, Path, RankWord, Sequence, WindowAst, print};
use crate::tree::Cmp;
use gyul_model::{Duration, Period};

/// What nests deeper is carried as text.
const DEPTH_MAX: usize = 24;

/// The form of a condition, with a key for each card: its place from the top, `0.2.1`.
pub fn of(ast: &Ast) -> Node {
    let mut node = condition(ast, 0);
    number(&mut node, "0");
    node
}

fn number(node: &mut Node, key: &str) {
    node.key = key.to_string();
    match &mut node.is {
        Is::All { parts } | Is::Any { parts } => {
            parts.iter_mut().enumerate().for_each(|(i, p)| number(p, &format!("{key}.{i}")));
        }
        Is::Not { part } => number(part, &format!("{key}.0")),
        _ => {}
    }
}

fn condition(ast: &Ast, depth: usize) -> Node {
    if depth > DEPTH_MAX {
        return plain(Is::Text { text: print(ast) });
    }
    let depth = depth + 1;
    let value = |v: &Ast| value(v, depth);
    let condition = |a: &Ast| condition(a, depth);
    let boxed = |a: &Ast| boxed(a, depth);
    let is = match &ast.kind {
        AstKind::And(list) => Is::All { parts: list.iter().map(condition).collect() },
        AstKind::Or(list) => Is::Any { parts: list.iter().map(condition).collect() },
        AstKind::Not(a) => Is::Not { part: boxed(a) },
        AstKind::Cmp(cmp, a, b) => Is::Compare { value: value(a), sign: sign(*cmp).into(), to: value(b) },
        AstKind::Between(x, a, b) => Is::Between { value: value(x), low: value(a), high: value(b) },
        AstKind::In(x, list) => Is::In { value: value(x), list: list.iter().map(value).collect() },
        AstKind::IsKnown(x) => Is::Known { value: value(x) },
        AstKind::IsUnknown(x) => Is::Unknown { value: value(x) },
        AstKind::Test(test, x, text) => Is::Test { value: value(x), test: test.words().into(), text: text.clone() },
        AstKind::Rank { kind, x, among } => {
            let (rank, percent) = match kind {
                RankWord::Top(p) => ("top", p.to_string()),
                RankWord::Bottom(p) => ("bottom", p.to_string()),
                RankWord::AboveAverage => ("above", String::new()),
                RankWord::BelowAverage => ("below", String::new()),
                RankWord::Quintile | RankWord::Percentile => return plain(Is::Holds { value: value(ast) }),
            };
            Is::Rank { value: value(x), rank: rank.into(), percent, among: among.as_deref().map(boxed) }
        }
        AstKind::Sequence(s) if s.whole => Is::Sequence(steps(s, depth)),
        AstKind::InSegment(id) => Is::Segment { id: id.clone() },
        AstKind::Occasion { name, within } => Is::Occasion { name: name.clone(), within: near(*within) },
        AstKind::Near { after, event: e, within } => Is::Near {
            after: *after,
            event: event(e, depth),
            within: within.map(|d| d.to_string()).unwrap_or_default(),
        },
        AstKind::Call(call, args) => Is::Call { call: call.clone(), args: args.iter().map(value).collect() },
        AstKind::Arith(..) | AstKind::Neg(_) => Is::Text { text: print(ast) },
        AstKind::Wrong => Is::Text { text: String::new() },
        _ => Is::Holds { value: value(ast) },
    };
    plain(is)
}

fn plain(is: Is) -> Node {
    Node { key: String::new(), is }
}

fn boxed(ast: &Ast, depth: usize) -> Box<Node> {
    Box::new(condition(ast, depth))
}

fn value(ast: &Ast, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Expression { expression: print(ast) };
    }
    let depth = depth + 1;
    let value = |v: &Ast| value(v, depth);
    let boxed = |a: &Ast| boxed(a, depth);
    let window = |w: &WindowAst| window(w, depth);
    match &ast.kind {
        AstKind::Num(n) => Value::Number { number: n.to_string() },
        AstKind::Percent(n) => Value::Percent { percent: n.to_string() },
        AstKind::Dur(d) => Value::Duration { duration: d.to_string() },
        AstKind::Date(d) => Value::Date { date: d.to_string() },
        AstKind::Instant(t) => Value::Instant { instant: t.to_string() },
        AstKind::Text(text) => Value::Text { text: text.clone() },
        AstKind::Bool(bool) => Value::Bool { bool: *bool },
        AstKind::Name(path) => Value::Name(name(path)),
        AstKind::Agg(a) => Value::Fold(Fold {
            fold: a.func.clone(),
            of: Box::new(value(&a.arg)),
            filter: a.filter.as_ref().map(boxed),
            windows: a.windows.iter().map(window).collect(),
        }),
        AstKind::Sequence(s) if !s.whole => Value::Funnel(steps(s, depth)),
        AstKind::Rank { kind: kind @ (RankWord::Quintile | RankWord::Percentile), x, among } => Value::Position {
            position: if *kind == RankWord::Quintile { "quintile" } else { "percentile" }.into(),
            value: Box::new(value(x)),
            among: among.as_deref().map(boxed),
        },
        AstKind::Call(call, args) => Value::Call { call: call.clone(), args: args.iter().map(value).collect() },
        AstKind::Wrong => Value::Expression { expression: String::new() },
        _ => Value::Expression { expression: print(ast) },
    }
}

fn name(path: &Path) -> Name {
    Name { parts: path.parts.clone(), quoted: path.quoted }
}

fn event(e: &EventRef, depth: usize) -> Event {
    let filter = e.filter.as_deref().map(|f| boxed(f, depth));
    Event { event: e.name.clone(), quoted: e.quoted, filter }
}

fn steps(s: &Sequence, depth: usize) -> Steps {
    let event = |e: &EventRef| event(e, depth);
    let window = |w: &WindowAst| window(w, depth);
    let text = |d: Option<Duration>| d.map(|d| d.to_string()).unwrap_or_default();
    let step = |s: &crate::syntax::StepAst| Step {
        event: event(&s.event),
        within: text(s.within),
        without: s.without.iter().map(event).collect(),
    };
    Steps {
        steps: s.steps.iter().map(step).collect(),
        within: text(s.within),
        by: s.by.clone().unwrap_or_default(),
        windows: s.windows.iter().map(window).collect(),
    }
}

fn window(w: &WindowAst, depth: usize) -> Window {
    match w {
        WindowAst::Last(d) => Window::Last { duration: d.to_string() },
        WindowAst::LastCount(n) => Window::LastCount { count: n.to_string() },
        WindowAst::Between(a, b) => Window::Between { from: a.to_string(), until: b.to_string() },
        WindowAst::Period(p, back) => Window::Period { period: period(*p).into(), back: *back },
        WindowAst::SinceDate(d) => Window::Since { moment: d.to_string() },
        WindowAst::SinceInstant(t) => Window::Since { moment: t.to_string() },
        WindowAst::BeforeDate(d) => Window::Before { moment: d.to_string() },
        WindowAst::BeforeInstant(t) => Window::Before { moment: t.to_string() },
        WindowAst::SinceLast(e) => Window::SinceLast { event: event(e, depth) },
        WindowAst::During(n, d) => Window::During { occasion: n.clone(), within: near(*d) },
        WindowAst::By(p) => Window::By { period: period(*p).into() },
    }
}

fn near(d: Duration) -> String {
    if d == Duration::Exact(0) { String::new() } else { d.to_string() }
}

pub(super) fn sign(cmp: Cmp) -> &'static str {
    match cmp {
        Cmp::Eq => "=",
        Cmp::Ne => "!=",
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
    }
}

pub(super) fn period(p: Period) -> &'static str {
    match p {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
        Period::Quarter => "quarter",
        Period::Year => "year",
    }
}
