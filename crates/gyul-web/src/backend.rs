//! What the server asks of whatever stands behind it.

use crate::data::explore::*;
use crate::data::*;
use gyul_ingest::http::Sent;
use gyul_model::{Identifier, Instant, Message};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// An answer, or why there is none.
pub type Reply<T> = Result<T, Refusal>;

/// An answer that comes when the log has it.
pub type Later<T> = Pin<Box<dyn Future<Output = Reply<T>> + Send>>;

/// Knows customers and definitions, and keeps what it is told.
///
/// All methods but [`Backend::ingest`] may block (the server calls them on threads made for that) and return when their
/// effect, if they have one, is on disk and visible to later calls. No method may panic on any argument. Texts of people
/// never go into errors.
pub trait Backend: Explore + Send + Sync + 'static {
    // Events

    /// Takes messages and what was rejected beside them (kept in the quarantine). Returns at once; the future resolves when
    /// the batch is on disk. [`Refusal::Busy`] when the queue is full, [`Refusal::Storage`] when the disk is.
    /// Dropping the future does not take the batch back.
    fn ingest(&self, batch: Incoming) -> Later<Ack>;
    /// What is seen of events, the most frequent first.
    fn events(&self) -> Reply<Vec<EventSchema>>;
    /// The tracking plan as YAML; `None` where none is declared.
    fn plan(&self) -> Reply<Option<String>>;
    fn put_plan(&self, yaml: &str) -> Reply<()>;
    /// Messages that were not taken, newest first, before the one with number `before`.
    fn quarantine(&self, before: Option<u64>, limit: usize) -> Reply<Vec<Quarantined>>;
    /// Replaces the content of one (still quarantined until replayed).
    fn mend(&self, number: u64, content: &str) -> Reply<()>;
    /// Takes one out for good.
    fn dismiss(&self, number: u64) -> Reply<()>;
    /// Tries the ones named again, or all of them.
    fn replay(&self, numbers: Option<&[u64]>) -> Reply<Replayed>;

    // Customers

    fn customer(&self, who: &Identifier) -> Reply<Customer>;
    /// By the beginning of an id, an address, a phone number or a name; best first. `after` is where a page ended.
    fn search(&self, text: &str, after: Option<FoundAt>, limit: usize) -> Reply<FoundCustomers>;
    /// How some customers are called; who is not there is left out.
    fn heads(&self, ids: &[String]) -> Reply<Vec<CustomerHead>>;
    /// Who was seen last, the latest first.
    fn recent(&self, limit: usize) -> Reply<Vec<CustomerHead>>;
    /// Newest first, strictly before `before` in `(ts, seq)`.
    fn timeline(&self, who: &Identifier, before: Option<(Instant, u64)>, limit: usize) -> Reply<Vec<TimelineEvent>>;
    /// Membership, classes and traits only: what a shop asks while somebody waits.
    fn decision(&self, who: &Identifier) -> Reply<Decision>;
    /// Why somebody is in a segment or class, or not.
    fn why(&self, who: &Identifier, kind: DefKind, id: &str) -> Reply<Why>;
    /// Joins two people into one; [`Refusal::Conflict`] where a rule forbids it.
    fn merge(&self, into: &Identifier, from: &Identifier) -> Reply<Merged>;
    /// Takes a merge back.
    fn unmerge(&self, decision: u64) -> Reply<()>;
    /// Copies everything to a new folder while events go on; what was acknowledged before is in it.
    fn backup(&self) -> Reply<Backup>;
    /// Removes one person from everything; the report proves it.
    fn erase(&self, who: &Identifier) -> Reply<ErasureReport>;
    /// Somebody objects to being profiled, or does not any more.
    fn object(&self, who: &Identifier, objects: bool) -> Reply<()>;
    /// Everything that is known about one person, as JSON.
    fn export(&self, who: &Identifier) -> Reply<String>;

    // Definitions

    fn definitions(&self, kind: DefKind) -> Reply<Vec<DefState>>;
    fn definition(&self, kind: DefKind, id: &str) -> Reply<Definition>;
    /// Computes it beside the version in force and swaps when done. `if_version` guards against somebody else's edit.
    fn put_definition(&self, kind: DefKind, id: &str, yaml: &str, if_version: Option<u32>) -> Reply<DefState>;
    /// Refused while others refer to it.
    fn delete_definition(&self, kind: DefKind, id: &str) -> Reply<()>;
    /// Counts without keeping anything.
    fn preview(&self, kind: DefKind, yaml: &str) -> Reply<Preview>;
    /// Members (of a class, for a partition) in the order of their ids, after `after`.
    fn members(&self, id: &MembersOf, after: Option<&str>, limit: usize) -> Reply<Vec<Member>>;
    /// The size at each of the instants `from, from + step …` up to `until`.
    fn history(&self, id: &MembersOf, range: HistoryRange) -> Reply<Vec<SizeAt>>;
    fn versions(&self, kind: DefKind, id: &str) -> Reply<Vec<Version>>;
    /// A segment's text as cards or the other way round, with problems. Keeps nothing.
    fn form(&self, ask: &FormAsk) -> Reply<FormShown>;
    /// What each condition of a draft does. Keeps nothing.
    fn effects(&self, ask: &EffectsAsk) -> Reply<EffectsShown>;
    /// What definitions can speak of.
    fn vocabulary(&self) -> Reply<Vocabulary>;
    /// How everything grew. [`Refusal::Computing`] until it is known; asking starts the work.
    fn growth(&self) -> Reply<Growth>;
    /// A draft of a partition: as text and as fields, its problems, who would move. Keeps nothing.
    fn partition_draft(&self, ask: &PartitionAsk) -> Reply<PartitionShown>;
    /// How many are in each pair of the segments named (a class is `partition/class`).
    fn overlap(&self, segments: &[String]) -> Reply<Vec<Overlap>>;

    /// What moved between two instants. May take a second at a million customers; the same question soon after does not.
    fn movement(&self, from: Instant, to: Instant) -> Reply<Arc<Movement>>;
    /// Net revenue of each segment and class up to now.
    fn revenue(&self) -> Reply<Arc<Revenue>>;

    // Changes

    /// Changes of membership from `from` on, at most `limit`. [`Refusal::Gone`] if they are no longer kept.
    fn changes(&self, from: u64, limit: usize) -> Reply<Vec<Change>>;
    /// The offset that the next change will have; the server waits for it to move. The same receiver each time is fine.
    fn changes_end(&self) -> tokio::sync::watch::Receiver<u64>;

    // Imports

    /// Starts on a file that the server has put there and deletes after [`Import::done`]. `name` is the uploader's.
    fn import(&self, file: std::path::PathBuf, name: &str) -> Reply<Import>;
    fn imports(&self) -> Reply<Vec<Import>>;
    /// Keeps a file that the server has put there until it is imported, dropped, or forgotten after some hours.
    fn draft(&self, file: std::path::PathBuf, name: &str) -> Reply<Draft>;
    /// What its columns mean, and what would become of its first rows. Imports nothing.
    fn try_draft(&self, id: u64, meaning: &Meaning) -> Reply<Draft>;
    /// Imports it with this mapping, which holds for later files of its name too.
    fn import_draft(&self, id: u64, mapping: &str) -> Reply<Import>;
    fn drop_draft(&self, id: u64) -> Reply<()>;
    /// Rows of imported files that became no events.
    fn import_rejects(&self) -> Reply<Vec<ImportRejects>>;
    /// Those of one import as a file to mend.
    fn rejected_file(&self, import: u64) -> Reply<String>;
    /// They have been seen to, or need not be.
    fn settle_rejects(&self, import: u64) -> Reply<()>;
    /// What can be trusted with the data as it is.
    fn enough(&self) -> Reply<Enough>;
    /// Events by day, the last so many days, oldest first.
    fn daily(&self, days: u32) -> Reply<Vec<DayVolume>>;

    // The workspace

    fn settings(&self) -> Reply<Settings>;
    fn put_settings(&self, settings: &Settings) -> Reply<()>;
    fn identity_rules(&self) -> Reply<IdentityRules>;
    fn put_identity_rules(&self, rules: &IdentityRules) -> Reply<()>;
    /// Keeps a record of keys, users or sources, opaque to whoever keeps it.
    fn keep_access(&self, record: Vec<u8>) -> Reply<()>;
    /// All of them in the order in which they were kept. Asked once, at the start.
    fn access(&self) -> Reply<Vec<Vec<u8>>>;
    fn keep_audit(&self, entry: Vec<u8>) -> Reply<()>;
    /// With their numbers, newest first, before number `before`.
    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<Vec<(u64, Vec<u8>)>>;

    // The machine

    /// Whether events can be taken and questions answered.
    fn health(&self) -> Health;
    /// Numbers for Prometheus, in the order in which they are shown.
    fn metrics(&self) -> Vec<Metric>;
    /// No call comes after this one; returns when all that was taken is on disk.
    fn stop(&self);
}

/// Questions over everybody, of which each may take seconds; the same question soon after does not.
/// As of now, with the definitions in force. [`Refusal::NotFound`] for segments, classes and measures that are not there.
pub trait Explore {
    /// A segment or class beside everybody else.
    fn profile(&self, of: &str) -> Reply<Arc<Profile>>;
    /// What the members bought.
    fn worth(&self, of: Option<&str>, span: Span) -> Reply<Arc<Worth>>;
    /// Whether customers come back, by the period of their first event.
    fn cohorts(&self, ask: &CohortAsk) -> Reply<Arc<Cohorts>>;
    fn funnel(&self, ask: &FunnelAsk) -> Reply<Arc<Funnel>>;
    fn paths(&self, ask: &PathAsk) -> Reply<Arc<Paths>>;
    /// Events by weekday and hour.
    fn hours(&self, event: &str, of: Option<&str>, span: Span) -> Reply<Arc<Hours>>;
    fn regions(&self, of: Option<&str>, span: Span) -> Reply<Arc<Regions>>;
    fn rfm(&self, ask: &RfmAsk) -> Reply<Arc<RfmMap>>;
    /// How a measure is spread over everybody, and over some segments.
    fn spread(&self, measure: &str, of: &[String]) -> Reply<Arc<Spread>>;
    fn compare(&self, of: &[String]) -> Reply<Arc<Comparison>>;
    /// The values of a property; [`Refusal::NotFound`] also where they name people.
    fn values(&self, ask: &ValuesAsk) -> Reply<Arc<Values>>;
    /// Entries and exits by day and cause, of one segment or class or of all, as far back as changes are kept.
    fn causes(&self, of: Option<&str>, span: Span) -> Reply<Arc<Causes>>;
}

/// What came in with one request.
#[derive(Debug, Default)]
pub struct Incoming {
    pub messages: Vec<Message>,
    pub rejects: Vec<Rejected>,
    /// How the rejects were sent.
    pub sent: Sent,
    /// The name of the key or webhook that it came by, for the quarantine and the volumes.
    pub via: String,
    /// By the server's clock.
    pub received: Option<Instant>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    NotFound,
    /// The input is wrong: each problem with its place.
    Invalid(Vec<Problem>),
    /// It cannot be done as things stand.
    Conflict(Box<Problem>),
    /// No longer kept.
    Gone,
    /// Too much at once; again in so many seconds.
    Busy(u32),
    /// The disk is full, slow or read-only; again in so many seconds.
    Storage(u32),
    /// The first computation is under way; again in so many seconds.
    Computing(u32),
    /// On its way down.
    Stopping,
    /// What this backend cannot do (yet).
    Unsupported,
    /// Our fault. For the server's log; without personal data.
    Internal(String),
}
