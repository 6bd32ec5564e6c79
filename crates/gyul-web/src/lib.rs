//! How do people and programs reach the engine over HTTP? Ingest, REST, the stream of changes, keys and roles.
//!
//! Whatever stands behind it implements [`Backend`]. Does not know rules of the domain.

mod backend;
pub mod data;

pub use backend::{Backend, Incoming, Later, Refusal, Reply};
