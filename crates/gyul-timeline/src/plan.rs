//! The compiled form of a library: one arena of nodes in which equal sub-expressions stand once.
//!
//! A node lives in one of two domains. A *row* node has a value per `(customer, instant)`; an *event* node has a value
//! per event of one stream. Both are columns of the same kinds, so the operators are the same code.

use gyul_model::{Date, Duration, Period, TextColumn};
use gyul_segment::tree::{AggOp, Arith, Cmp, Direction, RankKind};
use std::sync::Arc;

/// Index of a node in [`Plan::nodes`]; the operands of a node have lower numbers.
pub type NodeId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    Rows,
    /// Events of the stream with this index.
    Events(u32),
}

/// What a node yields. Unknown is `i64::MIN`, `NaN` or code 0; a `Bool` is never unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    Bool,
    /// A property or trait that is true (1), false (0) or unknown (2).
    Flag,
    /// Exact: mantissas at a scale; of microseconds if `dur`.
    Exact {
        scale: u8,
        dur: bool,
    },
    /// A double.
    Quotient {
        dur: bool,
    },
    Instant,
    /// Days since 1970-01-01.
    Date,
    /// Codes into `Plan::dicts`.
    Text(u32),
    List(u32),
    /// Never known: a name that the data does not have, or of another type than asked for.
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub op: Op,
    pub ty: Ty,
    pub domain: Domain,
    /// How many layers of ranks lie beneath: layer n needs the thresholds of layer n - 1.
    pub layer: u32,
    /// An event node whose value depends on T (it looks at later events).
    pub needs_now: bool,
}

/// An event source: a stream, and which of its events (an event node of type `Bool`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    pub stream: u32,
    pub filter: Option<NodeId>,
    /// The value to fold, an event node.
    pub value: Option<NodeId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AggNode {
    pub op: AggOp,
    pub sources: Vec<Source>,
    pub bounds: Bounds,
    pub last: Option<u32>,
}

/// Row nodes of type `Instant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    pub after: Option<NodeId>,
    pub until: Option<NodeId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PatternNode {
    pub steps: Vec<StepNode>,
    pub within: Option<i64>,
    pub bounds: Bounds,
    pub by: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepNode {
    /// `value` is the key of `by`.
    pub sources: Vec<Source>,
    pub within: Option<i64>,
    pub without: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Bool(bool),
    /// An exact number, a duration, an instant or a date.
    Int(i64),
    /// Bits of a double.
    Real(u64),
    Nothing,

    // ---- rows
    Now,
    Ago(Duration),
    EndOf {
        period: Period,
        back: i32,
    },
    Today,
    /// Latest known value of this column of the `identify` stream.
    Trait {
        stream: u32,
        column: u32,
    },
    /// Completed years on a date: `birth` holds a date or unknown.
    AgeOn {
        birth: NodeId,
        today: NodeId,
    },
    /// The first operand where known, else the second (both exact at scale 0).
    OrElse(NodeId, NodeId),
    /// Dates of a text column's dictionary.
    DateOfText {
        arg: NodeId,
        dates: u32,
    },
    /// A count of type `Bool` is whether there is any.
    Agg(Box<AggNode>),
    Pattern(Box<PatternNode>),
    Rank(u32),
    /// Sample position below this, of 1,000,000.
    Sample {
        below: u32,
        salt: String,
    },

    // ---- events
    Prop {
        column: u32,
    },
    Ts,
    Gap,
    Nth,
    Hour,
    Weekday,
    LocalDate,
    Near {
        direction: Direction,
        sources: Vec<Source>,
        within: Option<i64>,
    },

    // ---- operators
    /// A flag as a condition: unknown is false.
    IsTrue(NodeId),
    Not(NodeId),
    And(Vec<NodeId>),
    Or(Vec<NodeId>),
    Cmp(Cmp, NodeId, NodeId),
    Arith(Arith, NodeId, NodeId),
    IsKnown(NodeId),
    /// The code is this one (never 0).
    CodeIs(NodeId, u32),
    /// A truth value per code.
    CodeIn(NodeId, u32),
    /// Texts of different dictionaries: codes translated into another.
    Recode(NodeId, u32),
    InInt(NodeId, Vec<i64>),
    /// An exact number at a larger scale.
    Rescale {
        arg: NodeId,
        by: u8,
    },
    /// The nearest double of an exact number.
    ToReal {
        arg: NodeId,
        scale: u8,
    },
    NearOccasion {
        arg: NodeId,
        occasion: u32,
        days: i32,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct RankNode {
    pub kind: RankKind,
    pub x: NodeId,
    pub among: Option<NodeId>,
    /// The layer of the rank's own value.
    pub layer: u32,
}

/// What to compute for whom: the roots of a library over one snapshot's schema.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub nodes: Vec<Node>,
    pub ranks: Vec<RankNode>,
    pub dicts: Vec<Arc<TextColumn>>,
    /// Tables by code, for `CodeIn`.
    pub truths: Vec<Arc<Vec<u8>>>,
    /// Tables by code, for `Recode`.
    pub recodes: Vec<Arc<Vec<u32>>>,
    /// Tables by code, for `DateOfText`; `i64::MIN` where the text is no date.
    pub dates: Vec<Arc<Vec<i64>>>,
    /// Dates of the occasions that are asked for.
    pub occasions: Vec<Arc<Vec<Date>>>,
    /// One root for each segment of the library, in its order.
    pub segments: Vec<NodeId>,
    /// For each partition the exclusive condition of each class, the last one being `otherwise`.
    pub partitions: Vec<Vec<NodeId>>,
    pub measures: Vec<NodeId>,
    /// Comparisons with a quotient by a growing quantity, each with conditions that flip where the divisor passes zero.
    pub poles: std::collections::BTreeMap<NodeId, Vec<NodeId>>,
    /// How many texts each column is compared with, by its node.
    pub code_tests: std::collections::BTreeMap<NodeId, u32>,
    pub zone: Option<gyul_model::Zone>,
    /// How the tables go on when the dictionaries grow; `None` in a plan for data that stays as it is.
    pub growth: Option<crate::grow::Growth>,
}
