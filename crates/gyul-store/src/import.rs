//! Taking events in: appended to buckets in memory, merged into a new generation of the base at each checkpoint.
//!
//! There is no state between: the manifest names the base in force and how many rows of the source it holds. A process
//! that dies in the middle leaves the last checkpoint; the next import of the same source goes on behind it.

mod kinds;
mod merge;
mod write;

use crate::derive;
use crate::error::{StoreError, StoreErrorKind};
use crate::manifest::{ImportMeta, Manifest, StreamMeta};
use crate::quarantine::{self, Rejected};
use crate::rows::{BucketRows, Kind};
use crate::table::Field;
use gyul_model::{BUCKETS, Instant, StreamBatch, bucket_of, hash64};
pub(crate) use merge::undated;
use merge::{Job, Merged};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that a stream is split into, each with its share of the buckets.
pub(crate) const PARTS: usize = 4;
const PER_PART: usize = BUCKETS / PARTS;
/// Memory for rows that are not merged yet; more makes a checkpoint.
const BYTES_MAX: usize = 1 << 30;

/// What an import did. `rows = events + duplicates + rejected`, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub rows: u64,
    pub events: u64,
    pub duplicates: u64,
    pub rejected: BTreeMap<String, u64>,
    /// Orders and refunds that were summed up from lines, over the whole base.
    pub derived: u64,
    /// Nothing new came in: the base is what it was.
    pub unchanged: bool,
    /// Rows of customers that were to be forgotten.
    pub forgotten: u64,
    /// Values that became unknown because the base has the property in another kind, by name.
    pub unfit: BTreeMap<String, u64>,
}

/// What is being imported.
pub struct Origin<'a> {
    pub name: &'a str,
    /// Tells the same content from another under the same name.
    pub fingerprint: u64,
    pub kind: &'a str,
    /// The header line, for the quarantine.
    pub header: &'a str,
}

pub struct Import {
    dir: PathBuf,
    manifest: Manifest,
    meta: ImportMeta,
    /// The finished import of the same source, if there was one: it stays as it is unless something new comes.
    before: Option<ImportMeta>,
    now: Instant,
    header: String,
    buckets: Vec<BucketRows>,
    /// Events for rows of the source that wait to be merged.
    waiting_events: u64,
    rejects: Vec<Rejected>,
    rejected: BTreeMap<String, u64>,
    /// Kinds and scales of all columns, the base's and what has come since.
    schema: BTreeMap<(String, String), (Kind, u8)>,
    seq_next: u64,
    arrivals: Option<Vec<(u64, Instant)>>,
    /// Customers whose rows are left behind with the next merge.
    gone: FxHashSet<String>,
    forgotten: u64,
    unfit: BTreeMap<String, u64>,
    derived: u64,
    changed: bool,
    /// What the base becomes is told already, as far as it has to be: it comes from a server's own world.
    told: bool,
    bytes_max: usize,
    _lock: fs::File,
}

impl Import {
    /// Opens or makes the directory and starts, or goes on with, the import of a source.
    pub fn begin(dir: &Path, zone: &str, currency: &str, origin: &Origin, now: Instant) -> Result<Import, StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
        let lock_path = dir.join("lock");
        let lock = fs::File::create(&lock_path).map_err(StoreError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::new(dir, StoreErrorKind::Locked)),
            Err(fs::TryLockError::Error(e)) => return Err(StoreError::io(&lock_path)(e)),
        }
        let mut manifest = match Manifest::read(dir) {
            Ok(m) => m,
            Err(StoreError { kind: StoreErrorKind::Missing, .. }) => Manifest::new(zone, currency),
            Err(e) => return Err(e),
        };
        sweep(dir, &manifest)?;
        let id = format!(
            "{:016x}",
            hash64(format!("{}\0{}\0{:x}", origin.kind, origin.name, origin.fingerprint).as_bytes())
        );
        let old = manifest.imports.iter().position(|i| i.id == id).map(|i| manifest.imports.remove(i));
        let before = old.clone().filter(|m| m.finished);
        let meta = match old {
            Some(m) if !m.finished => m,
            _ => ImportMeta {
                id,
                source: origin.name.to_string(),
                kind: origin.kind.to_string(),
                at: now,
                rows_done: 0,
                finished: false,
                events: 0,
                duplicates: 0,
                rejected: BTreeMap::new(),
            },
        };
        let mut schema = BTreeMap::new();
        for s in &manifest.streams {
            for c in &s.columns {
                schema.insert((s.name.clone(), c.name.clone()), (c.kind, c.scale));
            }
        }
        Ok(Import {
            dir: dir.to_path_buf(),
            seq_next: manifest.seq_next,
            rejected: meta.rejected.clone(),
            manifest,
            meta,
            before,
            now,
            header: origin.header.to_string(),
            buckets: vec![BucketRows::default(); BUCKETS],
            waiting_events: 0,
            rejects: vec![],
            schema,
            arrivals: None,
            gone: FxHashSet::default(),
            forgotten: 0,
            unfit: BTreeMap::new(),
            derived: 0,
            changed: false,
            told: false,
            bytes_max: BYTES_MAX,
            _lock: lock,
        })
    }

    /// Rows of the source that an interrupted import has taken in already: begin behind them.
    pub fn rows_done(&self) -> u64 {
        self.meta.rows_done
    }

    /// Numbers below this belong to the log: events without a number of their own get this one and those behind it.
    pub fn number_from(&mut self, seq: u64) {
        self.seq_next = self.seq_next.max(seq);
    }

    /// When records of the log became known: `(first seq, instant)`, ascending, instead of all with this import.
    pub fn arrived(&mut self, arrivals: Vec<(u64, Instant)>) {
        self.arrivals = Some(arrivals);
    }

    /// A server, which has told of everything that is in the base and of what this brings, needs no earlier base any more.
    pub fn told(&mut self) {
        self.told = true;
    }

    /// Leaves these customers' rows behind with the next merge; what comes of them in this import stays.
    pub fn forget(&mut self, customers: impl IntoIterator<Item = String>) {
        self.gone.extend(customers);
    }

    /// Merges when so many bytes wait instead of the default of 1 GiB.
    pub fn limit_memory(&mut self, bytes: usize) {
        self.bytes_max = bytes;
    }

    /// Takes a batch of events, one for each row.
    pub fn append(&mut self, batch: &StreamBatch) -> Result<(), StoreError> {
        self.append_all(&[(batch, false)])
    }

    /// Takes events that rows merely imply: duplicates among them are nobody's business.
    pub fn append_side(&mut self, batch: &StreamBatch) -> Result<(), StoreError> {
        self.append_all(&[(batch, true)])
    }

    /// Takes many batches at once, in this order, in one pass over the buckets. `true` marks those that rows merely imply.
    pub fn append_all(&mut self, batches: &[(&StreamBatch, bool)]) -> Result<(), StoreError> {
        let mut fresh = vec![];
        for (batch, implied) in batches {
            if self.seq_next + 2 * batch.len() as u64 >= u64::from(u32::MAX) {
                return Err(StoreError::new(&self.dir, StoreErrorKind::Full));
            }
            let batch = self.fit(batch).map_or(Cow::Borrowed(*batch), Cow::Owned);
            if !implied {
                self.waiting_events += batch.len() as u64;
            }
            let seq = self.seq_next;
            self.seq_next = match batch.seq.iter().max() {
                Some(last) => self.seq_next.max(last + 1),
                None => self.seq_next + 2 * batch.len() as u64,
            };
            fresh.push(Fresh { batch, seq, implied: *implied });
        }
        let shares: Vec<Vec<Vec<u32>>> = fresh.par_iter().map(Fresh::shares).collect();
        self.buckets.par_iter_mut().enumerate().for_each(|(b, bucket)| {
            for (f, shares) in fresh.iter().zip(&shares).filter(|(_, s)| !s[b].is_empty()) {
                bucket.append(&f.batch, &shares[b], f.seq, f.implied);
            }
        });
        Ok(())
    }

    pub fn reject(&mut self, row: Rejected) {
        *self.rejected.entry(row.code.clone()).or_default() += 1;
        self.rejects.push(row);
    }

    /// Merges what has come if it is time to; `rows_done` is how far the source has been read.
    pub fn checkpoint(&mut self, rows_done: u64) -> Result<(), StoreError> {
        let rejects: usize = self.rejects.iter().map(|r| 100 + r.content.len()).sum();
        if self.buckets.iter().map(BucketRows::weight).sum::<usize>() + rejects < self.bytes_max {
            return Ok(());
        }
        self.merge(rows_done, false)
    }

    /// Merges the rest and ends the import.
    pub fn commit(mut self, rows_done: u64) -> Result<Summary, StoreError> {
        self.merge(rows_done, true)?;
        Ok(Summary {
            rows: rows_done,
            events: self.meta.events,
            duplicates: self.meta.duplicates,
            rejected: self.meta.rejected.clone(),
            derived: self.derived,
            unchanged: !self.changed,
            forgotten: self.forgotten,
            unfit: self.unfit,
        })
    }

    fn merge(&mut self, rows_done: u64, finish: bool) -> Result<(), StoreError> {
        let next = self.manifest.generation + 1;
        let base = self.dir.join("base");
        let fresh_dir = base.join(format!("{next}.tmp"));
        let _ = fs::remove_dir_all(&fresh_dir);
        fs::create_dir_all(&fresh_dir).map_err(StoreError::io(&fresh_dir))?;
        let fields = self.fields();
        let slugs = self.slugs(fields.keys());
        let mut waiting = std::mem::replace(&mut self.buckets, vec![BucketRows::default(); BUCKETS]).into_iter();
        let parts: Vec<Vec<BucketRows>> = (0..PARTS).map(|_| waiting.by_ref().take(PER_PART).collect()).collect();
        let job = Job {
            old: (self.manifest.generation > 0).then(|| self.manifest.base(&self.dir)),
            new: &fresh_dir,
            fields: &fields,
            slugs: &slugs,
            old_streams: &self.manifest.streams,
            gone: &self.gone,
            now: self.now,
        };
        let parts: Vec<Merged> =
            parts.into_par_iter().enumerate().map(|(p, buckets)| job.part(p, buckets)).collect::<Result<_, _>>()?;
        let new: u64 = parts.iter().map(|m| m.new_rows).sum();
        let duplicates: u64 = parts.iter().map(|m| m.duplicates).sum();
        self.derived = parts.iter().map(|m| m.derived).sum();
        let forgotten: u64 = parts.iter().map(|m| m.forgotten).sum();
        let events = self.waiting_events - duplicates;
        if self.told {
            self.manifest.before = None;
        }
        if new > 0 || forgotten > 0 {
            // Whoever follows a server's changes has been told of the base as it is.
            if !self.told && self.manifest.before.is_none() && self.dir.join(crate::log::FOLDER).exists() {
                self.manifest.before = Some(Box::new(self.manifest.clone()));
            }
            self.manifest.streams = fields
                .iter()
                .map(|(name, columns)| {
                    let of = || parts.iter().filter_map(|m| m.streams.get(name));
                    StreamMeta {
                        name: name.clone(),
                        slug: slugs[name].clone(),
                        rows: of().map(|s| s.rows).sum(),
                        first: of().filter_map(|s| s.first).min(),
                        last: of().filter_map(|s| s.last).max(),
                        columns: columns.clone(),
                    }
                })
                .collect();
            self.manifest.customers = parts.iter().map(|m| m.customers).sum();
            let whole = base.join(next.to_string());
            fs::rename(&fresh_dir, &whole).map_err(StoreError::io(&whole))?;
            for folder in
                fields.keys().map(|n| whole.join(&slugs[n])).chain([whole.join("customers"), whole.clone(), base])
            {
                fs::File::open(&folder).and_then(|d| d.sync_all()).map_err(StoreError::io(&folder))?;
            }
            match self.arrivals.take() {
                Some(list) => {
                    self.manifest.arrivals.extend(list);
                    self.manifest.arrivals.sort_unstable();
                }
                None => self.manifest.arrivals.push((self.manifest.seq_next, self.now)),
            }
            self.manifest.generation = next;
            self.manifest.seq_next = self.seq_next;
            self.changed = true;
        } else {
            // The same once more: the base stays as it is.
            fs::remove_dir_all(&fresh_dir).map_err(StoreError::io(&fresh_dir))?;
            self.seq_next = self.manifest.seq_next;
        }
        self.rejects.sort_by_key(|r| r.row);
        let head = (self.meta.source.as_str(), self.meta.kind.as_str(), self.header.as_str());
        if self.before.is_none() || self.changed {
            quarantine::append(&self.dir, &self.meta.id, head, self.meta.rows_done, &self.rejects)?;
        }
        self.rejects.clear();
        self.meta.events += events;
        self.meta.duplicates += duplicates;
        self.meta.rejected = self.rejected.clone();
        self.meta.rows_done = rows_done;
        self.meta.finished = finish;
        self.waiting_events = 0;
        self.forgotten += forgotten;
        self.gone.clear();
        let mut manifest = self.manifest.clone();
        manifest.imports.push(match &self.before {
            Some(before) if finish && !self.changed => before.clone(),
            _ => self.meta.clone(),
        });
        manifest.write(&self.dir)?;
        sweep(&self.dir, &self.manifest)
    }

    /// All streams with their columns: the base's, what has come, what will be derived.
    fn fields(&self) -> BTreeMap<String, Vec<Field>> {
        let mut fields: BTreeMap<String, Vec<Field>> = BTreeMap::new();
        let fresh = self.buckets.iter().flat_map(|b| b.streams.iter().map(|s| &s.name));
        for name in self.manifest.streams.iter().map(|s| &s.name).chain(fresh) {
            fields.entry(name.clone()).or_default();
        }
        for ((stream, column), (kind, scale)) in &self.schema {
            let field = Field { name: column.clone(), kind: *kind, scale: *scale };
            fields.entry(stream.clone()).or_default().push(field);
        }
        for (stream, derived) in derive::fields(&fields) {
            let own = fields.entry(stream.to_string()).or_default();
            for f in derived {
                match own.iter_mut().find(|o| o.name == f.name) {
                    Some(o) => o.scale = o.scale.max(f.scale),
                    None => own.push(f),
                }
            }
        }
        fields
    }

    /// A folder name for each stream; names that would collide get a number.
    fn slugs<'n>(&self, names: impl Iterator<Item = &'n String>) -> BTreeMap<String, String> {
        let mut slugs: BTreeMap<String, String> =
            self.manifest.streams.iter().map(|s| (s.name.clone(), s.slug.clone())).collect();
        for name in names {
            if slugs.contains_key(name) {
                continue;
            }
            let plain: String =
                name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(60).collect();
            let plain = if plain.is_empty() || plain == "customers" { format!("{plain}-event") } else { plain };
            let taken = |s: &String| slugs.values().any(|t| t == s);
            let slug = (1..).map(|n| if n == 1 { plain.clone() } else { format!("{plain}-{n}") }).find(|s| !taken(s));
            slugs.insert(name.clone(), slug.unwrap_or(plain));
        }
        slugs
    }
}

/// A batch on its way into the buckets.
struct Fresh<'a> {
    batch: Cow<'a, StreamBatch>,
    seq: u64,
    implied: bool,
}

impl Fresh<'_> {
    /// Which rows each bucket gets.
    fn shares(&self) -> Vec<Vec<u32>> {
        let mut shares = vec![vec![]; BUCKETS];
        for i in 0..self.batch.len() {
            shares[bucket_of(self.batch.customer.get(i).unwrap_or(""))].push(i as u32);
        }
        shares
    }
}

/// Removes what no manifest names: other generations, and those that were never finished.
fn sweep(dir: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let base = dir.join("base");
    let Ok(entries) = fs::read_dir(&base) else { return Ok(()) };
    let needed: Vec<String> = manifest.generations().map(|g| g.to_string()).collect();
    for e in entries.filter_map(Result::ok) {
        if !needed.iter().any(|n| *n == e.file_name().to_string_lossy()) {
            fs::remove_dir_all(e.path()).map_err(StoreError::io(&e.path()))?;
        }
    }
    Ok(())
}
