//! A data directory, open for questions.

use crate::LeftOut;
use gyul_model::{Instant, Snapshot};
use gyul_store::{ImportMeta, Manifest, Needs, QuarantineFile, Store, StoreError};
use std::path::Path;

pub struct Engine {
    store: Store,
}

/// How many rows of an import were rejected for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The import's number, from 1, in the order of importing.
    pub import: usize,
    pub source: String,
    pub code: String,
    pub rows: u64,
}

impl Engine {
    /// Opens a directory that an import has made.
    pub fn open(dir: &Path) -> Result<Engine, StoreError> {
        Ok(Engine { store: Store::open(dir)? })
    }

    /// Everything, or what was known at an instant; without what the staleness policy leaves out.
    pub fn load(&self, known_at: Option<Instant>) -> Result<Snapshot, StoreError> {
        match known_at {
            Some(t) => self.store.load_known(t),
            None => self.store.load(&Needs::All),
        }
    }

    /// The same, with how much the policy leaves out of the whole.
    pub fn load_counted(&self, known_at: Option<Instant>) -> Result<(Snapshot, Option<LeftOut>), StoreError> {
        let data = self.load(known_at)?;
        let Some(policy) = self.manifest().policy.clone() else { return Ok((data, None)) };
        // What was not yet known is not left out by the policy: the whole is counted as of now.
        let kept = match known_at {
            Some(_) => self.store.load(&Needs::All)?.events_beside_traits(),
            None => data.events_beside_traits(),
        };
        let events = self.store.events_beside_traits().saturating_sub(kept);
        Ok((data, Some(LeftOut { policy: policy.said, from: policy.from, events, of: events + kept })))
    }

    pub fn manifest(&self) -> &Manifest {
        self.store.manifest()
    }

    pub fn imports(&self) -> &[ImportMeta] {
        &self.store.manifest().imports
    }

    /// The first and last instant of events, traits aside.
    pub fn range(&self) -> Option<(Instant, Instant)> {
        self.store.range()
    }

    /// Rejected rows that wait, by import and reason.
    pub fn rejections(&self) -> Result<Vec<Rejection>, StoreError> {
        let mut out: Vec<Rejection> = vec![];
        for (n, file) in self.quarantine()? {
            for row in &file.rows {
                match out.iter_mut().find(|r| r.import == n && r.code == row.code) {
                    Some(r) => r.rows += 1,
                    None => {
                        let (source, code) = (file.source.clone(), row.code.clone());
                        out.push(Rejection { import: n, source, code, rows: 1 });
                    }
                }
            }
        }
        Ok(out)
    }

    /// The rejected rows of each import, with its number from 1.
    pub fn quarantine(&self) -> Result<Vec<(usize, QuarantineFile)>, StoreError> {
        let files = gyul_store::quarantined(self.store.dir())?;
        let number = |f: &QuarantineFile| self.imports().iter().position(|i| i.id == f.import).map_or(0, |i| i + 1);
        let mut out: Vec<(usize, QuarantineFile)> = files.into_iter().map(|f| (number(&f), f)).collect();
        out.sort_by_key(|(n, _)| *n);
        Ok(out)
    }
}
