//! Who is this? The names that people go by, the customers that names belong to, and merges that can be undone.
//!
//! A *handle* is a name with a number; a *customer* is a group of handles with one head. [`Identities`] is a state
//! machine: the same calls in the same order give the same state, byte for byte, and [`Identities::save`] keeps it.
//! What the rules say and why: docs/reference/identity.md.
//!
//! Knows nothing of events, segments and channels, and never asks what time it is.

mod groups;
mod hand;
mod identities;
mod names;
mod rules;
mod snapshot;
mod words;

pub use hand::{CannotMerge, Erased, Known, Merge, Undone};
pub use identities::{Change, Identities, Nobody, Reason, Refusal, Said, Seen, Stats, Why};
pub use rules::{BlockList, Blocked, Rules};
pub use snapshot::CannotLoad;
