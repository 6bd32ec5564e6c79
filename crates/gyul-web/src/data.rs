//! Plain data between the server and its backend; also the shapes of the API.

use gyul_model::{Instant, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

mod builder;
pub mod explore;
mod overview;
mod people;
pub use builder::*;
pub use overview::*;
pub use people::*;

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ack {
    /// Messages taken.
    pub accepted: u64,
    /// Messages that were here before.
    pub duplicates: u64,
    /// Messages that went into the quarantine, those of the tracking plan included.
    pub rejected: u64,
    /// The place of the last of them in the log.
    pub offset: u64,
    /// The first hundred of those that were understood.
    pub refused: Vec<Refused>,
}

/// Why a message that was understood was not taken: the tracking plan, or that it is nobody's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// Its place among the request's messages, from 0.
    pub message: usize,
    pub code: String,
    /// The field to look at.
    pub place: String,
    pub ko: String,
    pub en: String,
}

/// Something wrong with an input, in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable.
    pub code: String,
    /// `error` or `warning`.
    pub severity: Severity,
    /// From 1, in the text that was sent.
    pub line: Option<u32>,
    pub column: Option<u32>,
    /// How many characters are meant.
    pub width: Option<u32>,
    pub ko: String,
    pub en: String,
    pub hint_ko: Option<String>,
    pub hint_en: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    #[default]
    Error,
    Warning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DefKind {
    Segment,
    Partition,
    Measure,
}

/// One segment, or one class of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct MembersOf {
    pub kind: DefKind,
    pub id: String,
    /// For a partition.
    pub class: Option<String>,
}

// Customers

/// A customer as a line in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CustomerHead {
    pub id: String,
    pub name: Option<String>,
    /// An address or phone number.
    pub contact: Option<String>,
    pub events: u64,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Instant>,
}

/// A page of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundCustomers {
    pub heads: Vec<CustomerHead>,
    /// Where the next page begins, if there is one.
    pub next: Option<FoundAt>,
}

/// A place in the order of a search.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundAt {
    /// 0: a name of theirs is the text; 1: one begins with it; 2: the person's name does.
    pub rank: u8,
    pub id: String,
}

impl FoundAt {
    pub fn written(&self) -> String {
        format!("{} {}", self.rank, self.id)
    }

    pub fn read(text: &str) -> Option<FoundAt> {
        let (rank, id) = text.split_once(' ')?;
        Some(FoundAt { rank: rank.parse().ok().filter(|r| *r <= 2)?, id: id.to_string() })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Customer {
    pub id: String,
    pub events: u64,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_seen: Option<Instant>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Instant>,
    pub identifiers: Vec<IdentifierOf>,
    #[serde(serialize_with = "values")]
    #[schema(value_type = Object)]
    pub traits: Vec<(String, Value)>,
    pub segments: Vec<Membership>,
    pub classes: Vec<ClassOf>,
    /// Decisions that joined this customer, each can be taken back.
    pub merges: Vec<Merged>,
    pub worth: Purchases,
    pub traits_since: Vec<TraitSince>,
    /// Since when they object to being profiled: while they do, they are in no segment and no class.
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub objects_since: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct IdentifierOf {
    /// `user`, `email`, `phone`, `kakao`, `device`, `anonymous`.
    pub kind: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Membership {
    pub segment: String,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
    /// When it ends if nothing happens.
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    /// It depends on how others do, so that neither is known.
    pub ranked: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClassOf {
    pub partition: String,
    pub class: String,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    pub ranked: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TimelineEvent {
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub ts: Instant,
    pub seq: u64,
    pub name: String,
    #[serde(serialize_with = "values")]
    #[schema(value_type = Object)]
    pub properties: Vec<(String, Value)>,
    /// The name under which it came, where the customer has several.
    pub handle: Option<String>,
}

/// What a shop needs to know at once about one customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Decision {
    pub customer: String,
    /// They object to being profiled: segments and classes are empty.
    pub objects: bool,
    pub segments: Vec<String>,
    /// Partition to class.
    pub classes: BTreeMap<String, String>,
    #[serde(serialize_with = "values")]
    #[schema(value_type = Object)]
    pub traits: Vec<(String, Value)>,
}

/// Why, in words and as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Why {
    pub member: bool,
    /// The class, for a partition.
    pub class: Option<String>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    /// It depends on how others do, so that nobody knows until when.
    pub ranked: bool,
    /// The conditions from the top, children after their parent.
    pub conditions: Vec<ConditionHolds>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ConditionHolds {
    pub depth: u32,
    /// As in the definition.
    pub text: String,
    pub holds: bool,
    /// What was found.
    pub found: Option<String>,
    /// In plain words, with what was found.
    pub says_ko: String,
    pub says_en: String,
    /// The latest events behind it.
    pub events: Vec<EvidenceOf>,
    /// How many more there are.
    pub more: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Merged {
    /// Names the decision, for taking it back.
    pub decision: u64,
    pub customer: String,
    pub from: String,
    /// The rule, or `by hand`.
    pub reason: String,
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
}

/// A copy of the whole data directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Backup {
    /// Where it is, on the server's machine.
    pub folder: String,
    /// The number behind the last record that is in it.
    pub next: u64,
}

/// Where somebody was found and removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ErasureReport {
    /// Place to what was removed there.
    pub removed: BTreeMap<String, u64>,
    /// Places that were looked through afterwards without finding anything.
    pub verified: Vec<Searched>,
    /// Places that still hold one of the names, and what that means.
    pub pending: Vec<Searched>,
}

/// A place that was looked through, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Searched {
    pub ko: String,
    pub en: String,
}

// Definitions

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComputeState {
    Computing,
    Live,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DefState {
    pub kind: DefKind,
    pub id: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    pub description_ko: Option<String>,
    pub description_en: Option<String>,
    pub goal_ko: Option<String>,
    pub goal_en: Option<String>,
    /// What is to be done with its members.
    pub treatment_ko: Option<String>,
    pub treatment_en: Option<String>,
    /// The condition of a segment in words.
    pub says_ko: Option<String>,
    pub says_en: Option<String>,
    /// What the data lacks to tell who is in; then sizes say nothing.
    pub needs_ko: Option<String>,
    pub needs_en: Option<String>,
    pub owner: Option<String>,
    pub tags: Vec<String>,
    pub version: u32,
    pub state: ComputeState,
    /// Why it failed.
    pub reason: Option<Problem>,
    /// Members now; for a measure, customers for whom it is known.
    pub size: Option<u64>,
    /// How many of them object to being profiled: they are counted, and neither listed nor told of.
    pub left_out: u64,
    /// Classes with their sizes, for a partition.
    pub classes: Vec<ClassSize>,
    /// How far behind the log, in milliseconds.
    pub lag_ms: Option<u64>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_change: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ClassSize {
    pub class: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    pub goal_ko: Option<String>,
    pub goal_en: Option<String>,
    pub treatment_ko: Option<String>,
    pub treatment_en: Option<String>,
    /// What the data lacks to tell who is in.
    pub needs_ko: Option<String>,
    pub needs_en: Option<String>,
    /// The condition as written; absent for the class of all others.
    pub when: Option<String>,
    /// The condition in words.
    pub says_ko: Option<String>,
    pub says_en: Option<String>,
    pub size: u64,
    /// How many of them object to being profiled.
    pub left_out: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Definition {
    #[serde(flatten)]
    pub state: DefState,
    pub yaml: String,
    pub warnings: Vec<Problem>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Preview {
    pub size: u64,
    pub population: u64,
    pub classes: Vec<ClassSize>,
    pub warnings: Vec<Problem>,
    /// False where the count comes from a sample.
    pub exact: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Member {
    pub customer: String,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Instant>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryRange {
    pub from: Instant,
    pub until: Instant,
    pub step_micros: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct SizeAt {
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub size: u64,
    /// Since the point before; absent where entries and exits are not known.
    pub entered: Option<u64>,
    pub left: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Version {
    pub version: u32,
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub yaml: String,
    /// Taken out with this version.
    pub deleted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Overlap {
    pub a: String,
    pub b: String,
    pub both: u64,
    pub a_size: u64,
    pub b_size: u64,
}

/// What moved between two instants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Movement {
    pub population_before: u64,
    pub population_after: u64,
    /// Segments, then classes.
    pub sizes: Vec<SizesBetween>,
    pub flows: Vec<Flow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SizesBetween {
    /// `partition/class` for a class.
    pub id: String,
    pub before: u64,
    pub after: u64,
    pub entered: u64,
    pub left: u64,
}

/// Who went from which class of a partition to which.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Flow {
    pub partition: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    /// In the order of the partition, `otherwise` last; the size is that of now.
    pub classes: Vec<ClassSize>,
    /// `moves[i][j]` were in class `i` and are in class `j`.
    pub moves: Vec<Vec<u64>>,
    /// In class `j` now, unknown before.
    pub joined: Vec<u64>,
}

/// Orders less refunds, in the workspace's currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Revenue {
    /// Segment, or `partition/class`, to the revenue of its members.
    pub of: BTreeMap<String, f64>,
    pub all: f64,
}

// Changes

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Moved {
    Entered,
    Left,
}

/// Somebody entered or left.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// Where the stream goes on: the next one's `from` is this plus one.
    pub offset: u64,
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub customer: String,
    #[serde(flatten)]
    pub what: MembersOf,
    pub moved: Moved,
    /// `event`, `time`, `rank`, `identity`, `definition`, `import`, `retention`, `objection`.
    pub cause: String,
}

/// What can cause a change.
pub const CAUSES: [&str; 8] = ["event", "time", "rank", "identity", "definition", "import", "retention", "objection"];

// Events

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct EventSchema {
    pub name: String,
    pub count: u64,
    pub last_day: u64,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_seen: Option<Instant>,
    #[serde(serialize_with = "time_opt")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Instant>,
    pub properties: Vec<PropertySchema>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PropertySchema {
    pub name: String,
    /// `bool`, `number`, `text`, `instant`, `list`: those seen.
    pub types: Vec<String>,
    pub count: u64,
    /// Never of traits or free texts that may name a person.
    pub examples: Vec<String>,
}

/// An event of a request that was not taken.
#[derive(Clone, PartialEq)]
pub struct Rejected {
    pub code: &'static str,
    /// The field to look at.
    pub place: String,
    pub ko: String,
    pub en: String,
    /// As it was sent. Personal data possible.
    pub content: String,
}

impl std::fmt::Debug for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?}", self.code, self.place)
    }
}

/// A message that was not taken. Its content may be personal: roles without customers see none.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct Quarantined {
    pub number: u64,
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub via: String,
    pub code: String,
    /// The field to look at.
    pub place: String,
    pub ko: String,
    pub en: String,
    /// As it was sent; empty for who sees people veiled.
    pub content: String,
}

impl std::fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "quarantined {}: {} at {:?}", self.number, self.code, self.place)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Replayed {
    pub accepted: u64,
    pub duplicates: u64,
    pub still_rejected: u64,
}

// Imports, settings, the machine

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Import {
    pub id: u64,
    pub name: String,
    pub bytes: u64,
    pub bytes_read: u64,
    pub rows: u64,
    pub events: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub done: bool,
    pub problem: Option<Problem>,
    /// What deserves a look, of an import of this process.
    pub remarks: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// IANA name.
    #[schema(min_length = 1, max_length = 100)]
    pub zone: String,
    /// ISO 4217.
    #[schema(min_length = 3, max_length = 3)]
    pub currency: String,
    /// Which events are looked at: `keep 3y`, `ignore events before 2023-01-01`; `null`: all. What is left out stays on
    /// disk and comes back when this says so.
    // Whoever leaves it out has not said that old events are to come back.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, max_length = 100, example = "keep 3y")]
    pub retention: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { zone: "Asia/Seoul".into(), currency: "KRW".into(), retention: None }
    }
}

/// How names become customers. A change holds for what comes later; customers stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityRules {
    /// How many names of each kind a customer gathers by itself. With 0, names of a kind are linked to nothing.
    pub limits: NameLimits,
    /// Kinds that link only where the source has verified them.
    #[schema(value_type = Vec<String>, example = json!(["email", "phone"]))]
    pub verify: Vec<String>,
    /// Sources whose e-mails and phones are verified.
    #[schema(value_type = Vec<String>, example = json!(["shopify", "api"]))]
    pub verified_sources: Vec<String>,
    /// Whether `alias` joins two user ids, as a merge by hand does.
    pub alias_joins_users: bool,
    /// Values that name nobody, beside the built-in ones; `*` stands for anything, `email:` and such before it for one kind.
    #[schema(max_items = 1000, example = json!(["email:*@counter.shop.kr"]))]
    pub blocked: Vec<String>,
    /// For the page alone.
    #[serde(skip)]
    #[schema(ignore)]
    pub known: KnownRules,
}

/// What there is to choose from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownRules {
    pub sources: Vec<String>,
    pub built_in: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameLimits {
    #[schema(maximum = 10_000)]
    pub user: u32,
    #[schema(maximum = 10_000)]
    pub email: u32,
    #[schema(maximum = 10_000)]
    pub phone: u32,
    #[schema(maximum = 10_000)]
    pub kakao: u32,
    #[schema(maximum = 10_000)]
    pub device: u32,
    #[schema(maximum = 10_000)]
    pub anonymous: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Recovered and able to answer.
    pub ready: bool,
    /// Able to take events.
    pub writable: bool,
    /// Records of the log that could not be read, when it was opened or since.
    pub damaged: u64,
    /// What is done behind and does not work now: `checkpoint`, `import`, `retention`.
    pub failing: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Without the prefix `gyul_`.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: MetricKind,
    /// Labels are names of definitions or events, never of people.
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
}

pub fn time<S: serde::Serializer>(t: &Instant, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(t)
}

/// The instant of traits without a date is `null`.
fn time_opt<S: serde::Serializer>(t: &Option<Instant>, s: S) -> Result<S::Ok, S::Error> {
    match t {
        Some(t) if *t != Instant::ALWAYS => s.collect_str(t),
        _ => s.serialize_none(),
    }
}

fn values<S: serde::Serializer>(values: &[(String, Value)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(values.iter().map(|(name, value)| (name, AsJson(value))))
}

struct AsJson<'a>(&'a Value);

impl Serialize for AsJson<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(b) => s.serialize_bool(*b),
            // Exact in the text; a number where JSON's readers keep it exact.
            Value::Num(d) => match d.to_string() {
                t if t.len() <= 15 => match t.parse::<serde_json::Number>() {
                    Ok(n) => n.serialize(s),
                    Err(_) => s.serialize_str(&t),
                },
                t => s.serialize_str(&t),
            },
            Value::Text(t) => s.serialize_str(t),
            Value::Instant(i) => s.collect_str(i),
            Value::List(l) => l.serialize(s),
        }
    }
}
