//! A receiver of changes.

use crate::data::{Change, DefKind};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, PartialEq)]
pub struct Hook {
    pub url: String,
    /// `whsec_` and base64.
    pub secret: String,
    /// Only this segment or partition, if one is named.
    pub only: Option<(DefKind, String)>,
    pub made: i64,
    pub active: bool,
    /// Why it is paused.
    pub reason: Option<String>,
    /// The next offset to tell.
    pub next: u64,
    /// Offset to why and when.
    pub dead: BTreeMap<u64, (String, i64)>,
    /// Dead letters that are to be tried again.
    pub again: BTreeSet<u64>,
}

impl Hook {
    pub fn takes(&self, change: &Change) -> bool {
        match &self.only {
            Some((kind, id)) => (change.what.kind, &change.what.id) == (*kind, id),
            None => true,
        }
    }
}
