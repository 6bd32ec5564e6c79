//! More about one customer, and files on their way in.

use super::{Problem, time, time_opt};
use gyul_model::Instant;
use serde::Serialize;
use utoipa::ToSchema;

/// What somebody bought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Purchases {
    pub orders: u64,
    pub refunds: u64,
    /// What was paid less what was given back; absent if no order says its amount.
    pub revenue: Option<f64>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_order: Option<Instant>,
}

/// Since when a trait has the value that it has.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TraitSince {
    pub name: String,
    /// `null` where nobody said when.
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
}

/// An event behind a condition.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EvidenceOf {
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub ts: Instant,
    pub name: String,
    /// Only what the condition looks at: name and value.
    pub properties: Vec<(String, String)>,
}

// Drafts

/// What the columns of a file are to mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// Found out; of this kind if one is named.
    Inferred(Option<String>),
    /// A mapping file.
    Yaml(String),
    Chosen(ChosenMapping),
}

/// Column by column, as a page lets people choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChosenMapping {
    /// `orders`, `events`, `profiles`.
    pub kind: String,
    /// A row is a line of an order.
    pub lines: bool,
    /// `ymd`, `dmy`, …; found out if empty.
    pub time_format: String,
    /// Numbers are written `1.234,50`.
    pub decimal_comma: bool,
    /// The name of all events.
    pub event: String,
    /// One for each column of the file, in its order.
    pub columns: Vec<ColumnMeaning>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ColumnMeaning {
    /// A role such as `customer`; `property` or `trait`; nothing if it is left out.
    pub target: String,
    /// Of a property or trait.
    pub name: String,
    /// Of a property or trait: `text`, `number`, `bool`, `time`, `list`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A file that was uploaded and is not imported yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Draft {
    pub id: u64,
    pub name: String,
    pub bytes: u64,
    /// What was found: `CSV ; · CP949`.
    pub found: String,
    /// `orders`, `events`, `profiles`.
    pub kind: String,
    pub lines: bool,
    pub time_format: String,
    pub decimal_comma: bool,
    pub event: String,
    pub columns: Vec<DraftColumn>,
    /// The first rows.
    pub sample: Vec<Vec<String>>,
    /// The mapping as a file.
    pub mapping: String,
    /// A mapping that was used for a file of this name before.
    pub remembered: bool,
    /// Why it cannot be imported like this.
    pub problems: Vec<Problem>,
    /// What deserves a look.
    pub remarks: Vec<Problem>,
    /// What became of the first rows; nothing was kept.
    pub tried: Option<Tried>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DraftColumn {
    pub column: String,
    #[serde(flatten)]
    pub meaning: ColumnMeaning,
    /// Why it is thought to mean this.
    pub why_ko: Option<String>,
    pub why_en: Option<String>,
    /// Below 90 it deserves a look.
    pub confidence: Option<u8>,
    pub samples: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Tried {
    pub rows: u64,
    /// Or duplicates, which only the import itself knows.
    pub events: u64,
    /// The whole file was tried.
    pub whole: bool,
    pub rejected: Vec<RejectedRows>,
    /// Columns with values that are taken as unknown, and how many.
    pub unknown: Vec<(String, u64)>,
}

/// Rows that are no events, by reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RejectedRows {
    pub code: String,
    pub ko: String,
    pub en: String,
    pub rows: u64,
    pub examples: Vec<RejectedRow>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RejectedRow {
    pub line: u64,
    pub column: Option<String>,
    /// As in the file. Personal data possible.
    pub content: String,
}

/// Rows of one imported file that wait to be mended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ImportRejects {
    /// Names the import among those with rejected rows.
    pub import: u64,
    pub source: String,
    pub reasons: Vec<RejectedRows>,
}

// What there is

/// What can be trusted with this much data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Enough {
    pub customers: u64,
    pub buyers: u64,
    pub orders: u64,
    pub events: u64,
    /// Between the first order and the last.
    pub months: f64,
    pub orders_per_buyer: Option<f64>,
    /// Since the last event.
    pub stale_days: Option<i64>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_order: Option<Instant>,
    /// Trait and number of customers for whom it is known.
    pub traits: Vec<(String, u64)>,
    pub missing: Vec<MissingWord>,
    /// What the staleness policy leaves out of all this.
    pub left_out: Option<LeftOut>,
}

/// What a staleness policy leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftOut {
    /// As it was declared: `keep 3y`.
    pub policy: String,
    /// Events before this are left out; traits are not.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Instant,
    pub events: u64,
    /// With those that are left out.
    pub of: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct MissingWord {
    /// An event or trait that nothing was seen of.
    pub name: String,
    /// The property of the event that is missing, where the event is there.
    pub property: Option<String>,
    pub is_trait: bool,
    /// Segments, and classes as `partition/class`, that ask for it.
    pub definitions: Vec<String>,
}

/// Events of a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DayVolume {
    /// `2026-11-23` on the clock of the workspace.
    pub day: String,
    pub events: u64,
}
