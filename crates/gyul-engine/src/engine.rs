//! A data directory, open for questions.

use gyul_model::{Duration, Instant, Snapshot, Zone};
use gyul_store::{ImportMeta, Manifest, Needs, QuarantineFile, Store, StoreError};
use std::path::Path;

pub struct Engine {
    store: Store,
}

/// Which events are too old to be looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Those before an instant.
    IgnoreBefore(Instant),
    /// Those longer ago than this.
    Keep(Duration),
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

    /// Everything, or what was known at an instant.
    pub fn load(&self, known_at: Option<Instant>) -> Result<Snapshot, StoreError> {
        let data = self.store.load(&Needs::All)?;
        Ok(match known_at {
            Some(t) => data.known_before(data.seq_known_at(t)),
            None => data,
        })
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

impl Policy {
    /// What is left of the data for a question at `at`: older events are taken out, traits stay.
    pub fn apply(self, data: Snapshot, at: Instant, zone: &Zone) -> Snapshot {
        let from = match self {
            Policy::IgnoreBefore(t) => t,
            Policy::Keep(d) => zone.ago(at, d),
        };
        data.since(from)
    }
}
