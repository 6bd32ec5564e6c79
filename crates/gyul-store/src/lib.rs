//! What happened, in what order, and is it safe on disk? The data directory: a base of open Parquet files, the manifest
//! that says which base is in force, the quarantine, and the durable log of the live server.
//!
//! Knows nothing of segments, and of events only how orders follow from their lines. See docs/reference/data-directory.md.

mod derive;
mod error;
mod import;
mod interner;
mod known;
mod load;
pub mod log;
mod manifest;
mod quarantine;
mod rows;
mod table;
mod undated;

pub use error::{StoreError, StoreErrorKind};
pub use import::{Import, Origin, Summary};
pub use load::{Needs, Store};
pub use manifest::{FORMAT, ImportMeta, Manifest, Policy, StreamMeta};
pub use quarantine::{QuarantineFile, Rejected, list as quarantined, resolve};
pub use rows::Kind;
pub use table::Field;
