//! The tree as data: what a visual builder shows as cards and fields, and gives back.
//!
//! [`of`] makes a form of every tree, [`tree`] a tree of a form. There and back nothing is lost: what has no fields (arithmetic, say)
//! is carried as text. Half-filled cards are left out and named, so that the rest can be counted while somebody types.

mod draft;
mod lines;
mod partition;
mod read;
mod write;

pub use draft::{About, Draft, quoted};
pub use lines::lines;
pub use partition::{ClassDraft, PartitionDraft};
pub use read::of;
pub use write::{Made, Missing, tree};

use serde::{Deserialize, Serialize};

/// A condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Names the card, for whoever asks about it; given by the one who edits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(flatten)]
    pub is: Is,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Is {
    All {
        parts: Vec<Node>,
    },
    Any {
        parts: Vec<Node>,
    },
    Not {
        part: Box<Node>,
    },
    Compare {
        value: Value,
        /// `= != < <= > >=`
        sign: String,
        to: Value,
    },
    Between {
        value: Value,
        low: Value,
        high: Value,
    },
    In {
        value: Value,
        list: Vec<Value>,
    },
    Known {
        value: Value,
    },
    Unknown {
        value: Value,
    },
    /// `contains`, `starts with`, …
    Test {
        value: Value,
        test: String,
        text: String,
    },
    /// `top` and `bottom` with a percentage, `above` and `below` the average.
    Rank {
        value: Value,
        rank: String,
        #[serde(default)]
        percent: String,
        #[serde(default)]
        among: Option<Box<Node>>,
    },
    Sequence(Steps),
    Segment {
        id: String,
    },
    Occasion {
        name: String,
        /// Empty: on the very day.
        #[serde(default)]
        within: String,
    },
    /// `followed by` and `preceded by`.
    Near {
        after: bool,
        event: Event,
        #[serde(default)]
        within: String,
    },
    /// `consent`, `reachable`, `sample`, …
    Call {
        call: String,
        args: Vec<Value>,
    },
    /// A value that is true or false by itself.
    Holds {
        value: Value,
    },
    /// What has no fields: an expression as written.
    Text {
        text: String,
    },
}

/// Something that a customer has, or a constant. Numbers and times are written as in the language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Value {
    Number {
        number: String,
    },
    Percent {
        percent: String,
    },
    Duration {
        duration: String,
    },
    Date {
        date: String,
    },
    Instant {
        instant: String,
    },
    Text {
        text: String,
    },
    Bool {
        bool: bool,
    },
    /// A trait, a measure, a partition, a property of an event.
    Name(Name),
    Fold(Fold),
    /// How far along the steps.
    Funnel(Steps),
    /// `quintile` and `percentile`.
    Position {
        position: String,
        value: Box<Value>,
        #[serde(default)]
        among: Option<Box<Node>>,
    },
    Call {
        call: String,
        args: Vec<Value>,
    },
    Expression {
        expression: String,
    },
}

/// A dotted name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Name {
    pub parts: Vec<String>,
    /// The first part stands in quotes: of an event its own name, not a short one.
    #[serde(default)]
    pub quoted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub event: String,
    #[serde(default)]
    pub quoted: bool,
    #[serde(default, rename = "where")]
    pub filter: Option<Box<Node>>,
}

/// `count(order where …, last 30d)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    pub fold: String,
    pub of: Box<Value>,
    #[serde(default, rename = "where")]
    pub filter: Option<Box<Node>>,
    #[serde(default)]
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    pub steps: Vec<Step>,
    #[serde(default)]
    pub within: String,
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub event: Event,
    /// At most so long after the step before.
    #[serde(default)]
    pub within: String,
    #[serde(default)]
    pub without: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Window {
    Last {
        duration: String,
    },
    LastCount {
        count: String,
    },
    Between {
        from: String,
        until: String,
    },
    /// 0 is this one, 1 the one before.
    Period {
        period: String,
        back: i32,
    },
    /// A date or an instant.
    Since {
        moment: String,
    },
    Before {
        moment: String,
    },
    SinceLast {
        event: Event,
    },
    During {
        occasion: String,
        #[serde(default)]
        within: String,
    },
    By {
        period: String,
    },
}
