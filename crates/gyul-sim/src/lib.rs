//! What could happen? Seeded chance for tests: random timelines, definitions and instants, and Markdown pages that are
//! specification and test at once.
//!
//! Everything follows from a seed: the same seed gives the same case on every machine. Knows no evaluator but through
//! a function that it is given.

pub mod random;
pub mod seeds;
pub mod shop;
pub mod spec;
