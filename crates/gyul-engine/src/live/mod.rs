//! Live: the log, and what follows from it, kept right while events come and the clock goes on.
//!
//! [`Hub`] is the whole of it. One thread writes: what came in goes to the log in groups, is acknowledged when it is on
//! disk, and is handed on. Another applies: identities, timelines, membership, changes. Questions read the [`World`] between
//! two steps.

mod applying;
mod backup;
mod by_hand;
mod changes;
mod checkpoint;
mod cut;
mod decode;
mod definitions;
mod erase;
mod harm;
mod hub;
mod keeping;
mod left_out;
mod objection;
mod record;
mod recover;
mod reload;
mod tail;
mod world;
mod writing;

pub use changes::Told;
#[doc(hidden)]
pub use decode::decode;
pub use definitions::{DefKind, Definitions, Version, file as definition_file, split as split_definitions};
pub use erase::{DRAFT, Erased, Place, mentions};
pub use harm::{Behind, Harm};
pub use hub::{Acked, Clock, Disks, Gauges, Hub, Incoming, Options, Refused};
pub use record::{ACTION, Action, MESSAGE, REJECTED, Rejected, SOURCES, read_action, read_message, read_rejected};
pub use world::{Outcome, Volume, World, cause_name};
