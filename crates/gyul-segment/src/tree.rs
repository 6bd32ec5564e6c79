//! The resolved tree: what both evaluators understand. Every name has been looked up, every unit checked,
//! all sugar is gone (`since(order) <= 30d` is here `last order's ts >= now - 30d`).
//!
//! # Values
//! An expression has a value at `(timeline, T)`, or is *unknown* (`None`). A `Bool` is never unknown: a comparison
//! with an unknown operand is false, a bool-valued trait or property that is unknown is false.
//!
//! Numbers and durations (in microseconds) are **exact** decimals until a division, `Avg` or `AverageGap` makes a
//! **quotient**: the nearest double of the exact result. Arithmetic with a quotient is IEEE 754 double arithmetic on
//! the nearest doubles of the operands; a comparison with a quotient compares nearest doubles; everything else is exact.
//! Division by zero, NaN, infinities, and exact results beyond 64 bits are unknown.
//!
//! A property or trait whose value has another type than the place asks for counts as unknown there.

use gyul_model::{Date, Decimal, Duration, Instant, Occasions, Period, Zone};

/// Everything that a set of definition files says, resolved. Indexes in expressions point into these lists.
#[derive(Clone, Debug)]
pub struct Library {
    pub zone: Zone,
    pub currency: String,
    pub occasions: Occasions,
    pub measures: Vec<Measure>,
    pub segments: Vec<Segment>,
    pub partitions: Vec<Partition>,
}

/// Text for users in both languages; the one stands in where the other is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    pub ko: Option<String>,
    pub en: Option<String>,
}

/// A named value, reusable in other definitions. Never `Bool`.
#[derive(Clone, Debug)]
pub struct Measure {
    pub id: String,
    pub name: Words,
    pub expr: Expr,
    pub source: String,
}

#[derive(Clone, Debug)]
pub struct Segment {
    pub id: String,
    pub about: About,
    pub when: Expr,
    /// The text of `when`; spans in `when` are byte offsets into it.
    pub source: String,
}

/// What a definition says about itself, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub name: Words,
    pub description: Words,
    pub goal: Words,
    pub treatment: Words,
    pub owner: Option<String>,
    pub tags: Vec<String>,
}

/// Classes in order: a customer is in the first whose condition holds, else in `otherwise`.
#[derive(Clone, Debug)]
pub struct Partition {
    pub id: String,
    pub about: About,
    pub classes: Vec<Class>,
    /// Has no condition; its index is `classes.len()`.
    pub otherwise: Otherwise,
}

#[derive(Clone, Debug)]
pub struct Class {
    pub id: String,
    pub about: About,
    pub when: Expr,
    pub source: String,
}

#[derive(Clone, Debug)]
pub struct Otherwise {
    pub id: String,
    pub about: About,
}

/// Byte offsets into the definition's source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// What an expression yields. `Any`: a property or trait, whose type only the data knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Bool,
    Num,
    /// A duration: a number of microseconds.
    Dur,
    Instant,
    Date,
    Text,
    List,
    Any,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: Kind,
    pub ty: Type,
    pub span: Span,
}

impl Expr {
    /// The operands of an operator; nothing of what looks at events, definitions or ranks.
    pub fn operands(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::And(list) | Kind::Or(list) => list.iter().collect(),
            Kind::Cmp(_, a, b) | Kind::Arith(_, a, b) => vec![a, b],
            Kind::Not(a)
            | Kind::IsKnown(a)
            | Kind::InText(a, _)
            | Kind::InNum(a, _)
            | Kind::Contains(a, _)
            | Kind::StartsWith(a, _)
            | Kind::EndsWith(a, _)
            | Kind::Matches(a, _)
            | Kind::Within(a, _)
            | Kind::NearOccasion { date: a, .. } => vec![a],
            _ => vec![],
        }
    }
}

#[derive(Clone, Debug)]
pub enum Kind {
    // ---- constants
    Bool(bool),
    Num(Decimal),
    /// Exact microseconds.
    Dur(i64),
    Instant(Instant),
    Date(Date),
    Text(String),

    // ---- the customer at T
    /// T itself.
    Now,
    /// `T - D`, exact or by the calendar of the zone ([`Zone::ago`]).
    Ago(Duration),
    /// The last microsecond of the period `back` periods before the one that holds T ([`Zone::end_of`]).
    /// `today` is the window `(EndOf{Day,1}, Now]`, `previous month` is `(EndOf{Month,2}, EndOf{Month,1}]`.
    EndOf {
        period: Period,
        back: i32,
    },
    /// The local date of T.
    Today,
    /// The value of the trait's latest `identify` event at or before T that carries the trait.
    Trait(String),
    /// Completed years at T from trait `birth_date` (text `YYYY-MM-DD`); if that is unknown, no date or later than T,
    /// trait `age`.
    Age,
    Agg(Box<Agg>),
    /// How many steps of the pattern were reached, 0 to `steps.len()`.
    Pattern(Box<Pattern>),
    Measure(usize),
    InSegment(usize),
    /// The customer's class of the partition is the one with this index (`classes.len()` = otherwise).
    InClass {
        partition: usize,
        class: usize,
    },
    Rank(Box<Rank>),
    /// In the sample: `sample_position(customer, salt) < percent * 10_000`.
    Sample {
        percent: Decimal,
        salt: String,
    },

    // ---- one event, inside `Agg::value` and `EventSelect::filter` only
    /// A property of the event.
    Prop(String),
    EventName,
    /// The event's instant.
    Ts,
    /// Duration since the previous event of the same name (in `(ts, seq)` order, filters aside); unknown for the first.
    Gap,
    /// The event's number among those of the same name, from 1.
    Nth,
    /// Local hour, 0 to 23.
    Hour,
    /// Local weekday, Monday 1 to Sunday 7.
    Weekday,
    LocalDate,
    Near(Box<Near>),

    // ---- operators
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Both sides number, duration, instant, date, text or bool. Text and bool compare by `=` and `!=` only.
    /// Sides of different types: false.
    Cmp(Cmp, Box<Expr>, Box<Expr>),
    /// `Num±Num`, `Dur±Dur`, `Instant-Instant`, `Num*Num`, `Num*Dur`, `Num/Num`, `Dur/Dur`, `Dur/Num`.
    Arith(Arith, Box<Expr>, Box<Expr>),
    IsKnown(Box<Expr>),
    /// The text is one of these; for a number, bool or list value see `Cmp`/`HasAny`.
    InText(Box<Expr>, Vec<String>),
    /// The number is one of these.
    InNum(Box<Expr>, Vec<Decimal>),
    /// A text holds this text, or a list has this item.
    Contains(Box<Expr>, String),
    StartsWith(Box<Expr>, String),
    EndsWith(Box<Expr>, String),
    /// The pattern is found in the text (syntax of the `regex` crate, linear time).
    Matches(Box<Expr>, Pattern1),
    /// The text is this code or begins with it and `-`: `KR-11-680` is within `KR-11` is within `KR`.
    Within(Box<Expr>, String),
    /// A date (`Today`, `LocalDate`) lies at most `days` days from an occurrence of the occasion.
    NearOccasion {
        date: Box<Expr>,
        occasion: String,
        days: i32,
    },
}

/// A compiled regular expression with its source.
#[derive(Clone, Debug)]
pub struct Pattern1 {
    pub text: String,
    pub regex: regex::Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Cmp {
    /// The comparison with its sides changed.
    pub fn mirrored(self) -> Cmp {
        match self {
            Cmp::Lt => Cmp::Gt,
            Cmp::Le => Cmp::Ge,
            Cmp::Gt => Cmp::Lt,
            Cmp::Ge => Cmp::Le,
            same => same,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    Add,
    Sub,
    Mul,
    Div,
}

/// Which events: by name, then by a condition on each.
#[derive(Clone, Debug)]
pub struct EventSelect {
    pub events: Names,
    /// `Bool` over event-level kinds.
    pub filter: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// Every event, except `identify`.
    Any,
    /// One or more names.
    Of(Vec<String>),
}

/// `after < ts <= until`, and always `ts <= T`.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Instant-valued. Absent: no lower end. Unknown at T: the window is empty.
    pub after: Option<Expr>,
    /// Instant-valued. Absent: T. Unknown at T: the window is empty.
    pub until: Option<Expr>,
}

/// Folds the selected events of the window.
#[derive(Clone, Debug)]
pub struct Agg {
    pub op: AggOp,
    pub select: EventSelect,
    /// Event-level; present for `Sum Avg Min Max Distinct First Last Mode`.
    pub value: Option<Expr>,
    pub window: Window,
    /// Only the latest n of the selected events in the window.
    pub last: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggOp {
    /// Number of events, 0 of nothing.
    Count,
    /// Of the known values, exact (of quotients: of their doubles in the order of the events); 0 of nothing.
    Sum,
    /// Sum ÷ number of the known values, a quotient (one rounding); unknown of nothing.
    Avg,
    /// Of the known numbers, durations or instants; unknown of nothing.
    Min,
    Max,
    /// Number of different known values, 0 of nothing.
    Distinct,
    /// The value of the first event, which may be unknown.
    First,
    /// The value of the last event, which may be unknown.
    Last,
    /// The most frequent known value; of several the one seen latest.
    Mode,
    /// The instant of the first event.
    FirstAt,
    /// The instant of the last event.
    LastAt,
    /// The longest duration between two neighbouring events; unknown with fewer than two.
    LongestGap,
    /// (last - first) ÷ (n - 1), a quotient; unknown with fewer than two.
    AverageGap,
    /// Number of different local dates.
    Days,
    /// Number of neighbouring periods with an event, counted back from the period of T,
    /// or from the one before it while the period of T has none yet. `Day`, `Week` or `Month`.
    Streak(Period),
}

/// There is an event `e` of `select` with `t < e.ts <= t + within` (after), or `t - within <= e.ts < t` (before),
/// where `t` is the instant of the event in question, and `e.ts <= T`.
#[derive(Clone, Debug)]
pub struct Near {
    pub direction: Direction,
    pub select: EventSelect,
    /// Microseconds; absent: however far.
    pub within: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    After,
    Before,
}

/// Steps that follow one another, each strictly later (by ts) than the one before.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub steps: Vec<Step>,
    /// Microseconds from the first to the last step reached, inclusive.
    pub within: Option<i64>,
    /// A property with the same known value in every step (`without` does not look at it).
    pub by: Option<String>,
    /// All steps lie in it.
    pub window: Window,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub select: EventSelect,
    /// Microseconds from the previous step, inclusive. Never on the first step.
    pub within: Option<i64>,
    /// None of these strictly between the previous step and this one. Never on the first step.
    pub without: Vec<EventSelect>,
}

/// Compares the customer's `x` with everybody's. The population: customers for whom `x` is known and `among` holds
/// (and who exist at T). Outside the population the bool kinds are false and the number kinds unknown.
#[derive(Clone, Debug)]
pub struct Rank {
    pub kind: RankKind,
    /// `Num`, `Dur` or `Instant`.
    pub x: Expr,
    pub among: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RankKind {
    /// x >= the k-th largest, k = max(1, ceil(p/100 · n)). Bool.
    Top(Decimal),
    /// x <= the k-th smallest. Bool.
    Bottom(Decimal),
    /// x > the exact mean (of quotients: of their doubles summed in ascending order). Bool.
    AboveAverage,
    BelowAverage,
    /// 1 + floor(5 · |{x_c < x}| / n), exact.
    Quintile,
    /// 100 · |{x_c < x}| / n, a quotient.
    Percentile,
}
