//! What does this definition mean? Text to tree and back, names resolved, types checked, the reference evaluator.
//!
//! Knows nothing of storage and engines: a [`tree::Library`] is evaluated by the reference evaluator here
//! (slow, obvious, the judge) and by `gyul-timeline` (fast, judged).

pub mod explain;
pub mod form;
mod lint;
mod load;
pub mod problem;
pub mod reference;
mod resolve;
pub mod syntax;
pub mod tree;
mod yaml;

pub use lint::Facts;
pub use load::{check, load};
pub use problem::{Problem, Severity};
pub use resolve::{ALIASES, Schema};
