//! Who is in, since when, why, until when? The fast evaluator: a library compiled once, run over columnar timelines.
//!
//! One function answers everything: the value of a plan's nodes for *rows*, a row being `(customer, instant)`.
//! A batch run has a row for each customer at one instant; history has a row for each instant at which a customer's
//! answer could change; a refresh has rows for the customers that new events touched. The reference evaluator of
//! `gyul-segment` judges it on random histories (tests/).
//!
//! Knows nothing of files, network and channels, and never asks what time it is.

mod agg;
mod answers;
mod beside;
mod block;
mod changes;
mod column;
mod compile;
mod evaluate;
mod events;
mod grow;
mod history;
pub mod live;
mod next;
mod pattern;
mod plan;
mod rank;
mod rank_history;
mod refresh;
mod whole;

pub use answers::{Answers, Bits};
pub use beside::{Cut, Standing, Wanted};
pub use compile::Named;
pub use evaluate::{State, Timelines, ValueColumn, Values};
pub use history::{Change, History, NoHistory};
pub use plan::{NodeId, Plan, Ty};
pub use refresh::Applied;
pub use whole::Whole;
