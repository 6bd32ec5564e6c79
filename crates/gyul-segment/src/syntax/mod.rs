//! The text of an expression: tokens, the tree as written, parsing and printing. Nothing is looked up here.

mod lex;
mod parse;
mod print;

pub use parse::{AGGREGATES, parse};
pub use print::print;

use crate::tree::{Arith, Cmp, Span};
use gyul_model::{Date, Decimal, Duration, Instant, Period};

/// An expression as it was written.
#[derive(Clone, Debug)]
pub struct Ast {
    pub kind: AstKind,
    pub span: Span,
}

/// Trees are equal if they say the same, wherever they stand.
impl PartialEq for Ast {
    fn eq(&self, other: &Ast) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum AstKind {
    /// Could not be read; the problem has been reported.
    Wrong,
    Bool(bool),
    Num(Decimal),
    /// `60%`, which is 0.6.
    Percent(Decimal),
    Dur(Duration),
    Date(Date),
    Instant(Instant),
    Text(String),
    /// `age`, `order.total`, `"주문 금액"`.
    Name(Path),
    /// `count(order where …, last 30d)`
    Agg(Box<Agg>),
    /// `sequence(a -> b)` or `funnel_step(a -> b)`
    Sequence(Box<Sequence>),
    /// `consent(kakao)`, `predict(churn_90d)`, `sample(10%, 'salt')`, …
    Call(String, Vec<Ast>),
    InSegment(String),
    /// `occasion chuseok within 7d`
    Occasion {
        name: String,
        within: Duration,
    },
    /// `[not] followed by E where … within D`
    Near {
        after: bool,
        event: EventRef,
        within: Option<Duration>,
    },
    Rank {
        kind: RankWord,
        x: Box<Ast>,
        among: Option<Box<Ast>>,
    },
    Not(Box<Ast>),
    And(Vec<Ast>),
    Or(Vec<Ast>),
    Cmp(Cmp, Box<Ast>, Box<Ast>),
    Between(Box<Ast>, Box<Ast>, Box<Ast>),
    In(Box<Ast>, Vec<Ast>),
    IsKnown(Box<Ast>),
    IsUnknown(Box<Ast>),
    Test(TextTest, Box<Ast>, String),
    Arith(Arith, Box<Ast>, Box<Ast>),
    Neg(Box<Ast>),
}

/// A dotted name.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub parts: Vec<String>,
    /// The first part was written in quotes: of an event it is the own name, not a short one.
    pub quoted: bool,
}

impl std::ops::Deref for Path {
    type Target = Vec<String>;

    fn deref(&self) -> &Vec<String> {
        &self.parts
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankWord {
    Top(Decimal),
    Bottom(Decimal),
    AboveAverage,
    BelowAverage,
    Quintile,
    Percentile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Within,
}

impl TextTest {
    pub fn words(self) -> &'static str {
        match self {
            TextTest::Contains => "contains",
            TextTest::StartsWith => "starts with",
            TextTest::EndsWith => "ends with",
            TextTest::Matches => "matches",
            TextTest::Within => "within",
        }
    }
}

/// An event by its short name, with a condition.
#[derive(Clone, Debug)]
pub struct EventRef {
    pub name: String,
    /// Written in quotes: the event's own name.
    pub quoted: bool,
    pub filter: Option<Box<Ast>>,
    pub span: Span,
}

impl PartialEq for EventRef {
    fn eq(&self, other: &EventRef) -> bool {
        (&self.name, self.quoted, &self.filter) == (&other.name, other.quoted, &other.filter)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Agg {
    /// As written: `count`, `sum`, `since`, …
    pub func: String,
    /// What stands before `where`: an event, a property of it, or arithmetic over its properties.
    pub arg: Ast,
    pub filter: Option<Ast>,
    pub windows: Vec<WindowAst>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum WindowAst {
    /// `last 30d`
    Last(Duration),
    /// `last 5`
    LastCount(u32),
    /// `between 30d and 3d ago`
    Between(Duration, Duration),
    /// `this week`; back 1 is `previous week`. `today` and `yesterday` are days.
    Period(Period, i32),
    SinceDate(Date),
    SinceInstant(Instant),
    BeforeDate(Date),
    BeforeInstant(Instant),
    /// `since last cart where …`
    SinceLast(EventRef),
    /// `during occasion chuseok within 7d`
    During(String, Duration),
    /// `by week`
    By(Period),
}

/// The numbers that a condition is adjusted by, those of durations and percentages among them: their digits, in bytes.
pub fn numbers(text: &str) -> Vec<std::ops::Range<usize>> {
    let (tokens, _) = lex::lex(text);
    let counted = |t: &lex::Token| matches!(t, lex::Token::Num(_) | lex::Token::Percent(_) | lex::Token::Dur(_));
    let digits = |start: usize| {
        let end = text[start..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |n| start + n);
        start..end
    };
    tokens.iter().filter(|(t, _)| counted(t)).map(|(_, span)| digits(span.start as usize)).collect()
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// `sequence` asks whether all steps were reached, `funnel_step` how many.
    pub whole: bool,
    pub steps: Vec<StepAst>,
    /// From the first to the last step.
    pub within: Option<Duration>,
    pub by: Option<String>,
    pub windows: Vec<WindowAst>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepAst {
    pub event: EventRef,
    /// `cart in 2d`: at most so long after the step before.
    pub within: Option<Duration>,
    /// `order without refund`: none of these since the step before.
    pub without: Vec<EventRef>,
}

/// What is wrong with a text, at a place in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub span: Span,
    pub code: &'static str,
    pub ko: String,
    pub en: String,
    pub hint: Option<(String, String)>,
}

impl Fault {
    pub fn new(span: Span, code: &'static str, ko: impl Into<String>, en: impl Into<String>) -> Fault {
        Fault { span, code, ko: ko.into(), en: en.into(), hint: None }
    }

    pub fn hint(mut self, ko: impl Into<String>, en: impl Into<String>) -> Fault {
        self.hint = Some((ko.into(), en.into()));
        self
    }
}
