//! What a cell's text means: times, numbers, and the traits that have usual spellings.

pub(crate) mod number;
pub(crate) mod place;
pub(crate) mod time;
pub(crate) mod traits;
