//! What is true right now, or was at T? A façade of plain data over store, language and evaluator.
//!
//! [`Engine`] opens a data directory: it imports files and loads what is known. [`View`] answers questions about what was
//! loaded: counts, members, history, why, overlap, measures, the parts of a report.
//!
//! Knows nothing of HTTP, HTML and JSON, and never asks what time it is.

pub mod effects;
mod engine;
pub mod explore;
mod growth;
mod import;
mod kept;
mod library;
pub mod live;
mod movement;
pub mod needs;
mod report;
pub mod retention;
mod stale;
mod sufficiency;
mod view;
mod walk;
mod why;

/// Event names of a workspace. Each is files of its own in every generation of the base.
pub const EVENT_NAMES_MAX: usize = 1000;
/// Properties of one event name.
pub const PROPERTIES_MAX: usize = 500;

pub use engine::{Engine, Rejection};
pub use growth::{Growth, GrowthOf, moves};
pub use gyul_timeline::NoHistory;
pub use import::{Done, FileInput, ImportFailure, Imported, Numbers, Request, import};
pub use library::{STARTER, resting_on, schema_of, starter, starter_at};
pub use movement::{Flow, Movement, Sizes};
pub use report::{ReportOptions, report};
pub use stale::LeftOut;
pub use sufficiency::{Missing, Sufficiency, sufficiency};
pub use view::{Change, Count, NotFound, Overlap, Point, Series, Sought, Table, View};
pub use why::Explanation;
