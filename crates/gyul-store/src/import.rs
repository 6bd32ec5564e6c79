//! Taking events in: appended to buckets in memory, merged into a new generation of the base at each checkpoint.
//!
//! There is no state between: the manifest names the base in force and how many rows of the source it holds. A process
//! that dies in the middle leaves the last checkpoint; the next import of the same source goes on behind it.

use crate::derive::{self, derive};
use crate::error::{StoreError, StoreErrorKind};
use crate::manifest::{ImportMeta, Manifest, StreamMeta};
use crate::quarantine::{self, Rejected};
use crate::rows::{BucketRows, Kind, StreamRows, Values};
use crate::table::{Data, Field, Reader, Writer};
use crate::undated;
use gyul_model::{BUCKETS, Column, Decimal, Instant, StreamBatch, TextColumn, bucket_of, hash64, names};
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
    derived: u64,
    changed: bool,
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
        sweep(dir, manifest.generation)?;
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
            derived: 0,
            changed: false,
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
            let (batch, refused) = match self.fit(batch) {
                Some((batch, refused)) => (Cow::Owned(batch), refused),
                None => (Cow::Borrowed(*batch), vec![]),
            };
            if !implied {
                self.waiting_events += (batch.len() - refused.len()) as u64;
            }
            let seq = self.seq_next;
            self.seq_next = match batch.seq.iter().max() {
                Some(last) => self.seq_next.max(last + 1),
                None => self.seq_next + 2 * batch.len() as u64,
            };
            fresh.push(Fresh { batch, refused, seq, implied: *implied });
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
        })
    }

    // ---- taking rows

    /// The batch with its columns in the kinds that the base has, and the rows that cannot be brought to them:
    /// those are rejected. `None` if everything fits already.
    fn fit(&mut self, batch: &StreamBatch) -> Option<(StreamBatch, Vec<usize>)> {
        let mut out: Option<StreamBatch> = None;
        let mut refused: Vec<(usize, String)> = vec![];
        for (c, (name, data)) in batch.props.iter().enumerate() {
            if RESERVED.contains(&name.as_str()) {
                out.get_or_insert_with(|| batch.clone()).props[c].0 = format!("{name}_");
            }
            let name = if RESERVED.contains(&name.as_str()) { format!("{name}_") } else { name.clone() };
            let kind = Kind::of(data);
            let scale = if let Column::Num { scale, .. } = data { *scale } else { 0 };
            let entry = self.schema.entry((batch.name.clone(), name.clone())).or_insert((kind, scale));
            if entry.0 == kind {
                entry.1 = entry.1.max(scale);
                continue;
            }
            let column = converted(data, entry.0);
            if let Column::Num { scale, .. } = &column {
                entry.1 = entry.1.max(*scale);
            }
            let lost = (0..data.len()).filter(|i| known(data, *i) && !known(&column, *i));
            refused.extend(lost.map(|i| (i, name.clone())));
            out.get_or_insert_with(|| batch.clone()).props[c].1 = column;
        }
        refused.sort_unstable();
        refused.dedup_by_key(|r| r.0);
        for (i, column) in &refused {
            let shown: Vec<String> =
                batch.props.iter().map(|(n, c)| format!("{n}={}", text_of(c, *i).unwrap_or_default())).collect();
            self.reject(Rejected {
                source: self.meta.source.clone(),
                row: batch.row[*i],
                line: 0,
                code: "type_conflict".into(),
                column: Some(column.clone()),
                content: shown.join(", "),
            });
        }
        out.map(|b| (b, refused.into_iter().map(|r| r.0).collect()))
    }

    // ---- merging

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
        // A part is written as soon as it is merged, so that only the parts under work are in memory.
        let parts: Vec<Merged> =
            parts.into_par_iter().enumerate().map(|(p, buckets)| job.part(p, buckets)).collect::<Result<_, _>>()?;
        let new: u64 = parts.iter().map(|m| m.new_rows).sum();
        let duplicates: u64 = parts.iter().map(|m| m.duplicates).sum();
        self.derived = parts.iter().map(|m| m.derived).sum();
        let forgotten: u64 = parts.iter().map(|m| m.forgotten).sum();
        let events = self.waiting_events - duplicates;
        if new > 0 || forgotten > 0 {
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
        sweep(&self.dir, self.manifest.generation)
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
    /// Rows that are left out, ascending.
    refused: Vec<usize>,
    seq: u64,
    implied: bool,
}

impl Fresh<'_> {
    /// Which rows each bucket gets.
    fn shares(&self) -> Vec<Vec<u32>> {
        let mut shares = vec![vec![]; BUCKETS];
        for i in (0..self.batch.len()).filter(|i| self.refused.binary_search(i).is_err()) {
            shares[bucket_of(self.batch.customer.get(i).unwrap_or(""))].push(i as u32);
        }
        shares
    }
}

struct Job<'a> {
    old: Option<PathBuf>,
    new: &'a Path,
    fields: &'a BTreeMap<String, Vec<Field>>,
    slugs: &'a BTreeMap<String, String>,
    old_streams: &'a [StreamMeta],
    gone: &'a FxHashSet<String>,
    now: Instant,
}

/// What became of a part.
#[derive(Default)]
struct Merged {
    streams: BTreeMap<String, StreamCount>,
    customers: u64,
    new_rows: u64,
    duplicates: u64,
    derived: u64,
    forgotten: u64,
}

struct StreamCount {
    rows: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Job<'_> {
    /// The old rows of the part's buckets with the new ones, without duplicates, sorted and written.
    fn part(&self, part: usize, fresh: Vec<BucketRows>) -> Result<Merged, StoreError> {
        let mut out = Merged::default();
        let mut buckets = vec![];
        for (fresh, mut bucket) in fresh.into_iter().zip(self.read_old(part)?) {
            if !self.gone.is_empty() {
                let (kept, rows) = bucket.without(self.gone);
                (bucket, out.forgotten) = (kept, out.forgotten + rows);
            }
            let customers: Vec<u32> = if bucket.customers.texts.is_empty() {
                bucket.customers = fresh.customers;
                (0..bucket.customers.texts.len() as u32).collect()
            } else {
                fresh.customers.texts.iter().map(|t| bucket.customers.code(t)).collect()
            };
            for mut s in fresh.streams {
                if s.name == names::IDENTIFY {
                    undated::take_effect(&bucket, &customers, &mut s, self.now);
                }
                let (new, duplicates) = add(&mut bucket, &customers, s);
                out.new_rows += new;
                out.duplicates += duplicates;
            }
            out.derived += derive(&mut bucket);
            buckets.push(sorted(bucket));
        }
        for name in self.fields.keys() {
            let streams = || buckets.iter().flat_map(|b| &b.streams).filter(|s| s.name == *name);
            let dated = || streams().flat_map(|s| s.ts.iter().copied()).filter(|t| *t != Instant::ALWAYS.0);
            let count = StreamCount {
                rows: streams().map(|s| s.len() as u64).sum(),
                first: dated().min().map(Instant),
                last: dated().max().map(Instant),
            };
            out.streams.insert(name.clone(), count);
        }
        out.customers = buckets.iter().map(|b| b.customers.texts.len() as u64).sum();
        // Every part has a file for every stream, so that readers need not ask.
        self.fields.par_iter().map(|(n, f)| self.write_stream(part, n, f, &buckets)).collect::<Result<Vec<_>, _>>()?;
        self.write_customers(part, &buckets)?;
        Ok(out)
    }

    fn read_old(&self, part: usize) -> Result<Vec<BucketRows>, StoreError> {
        let mut buckets = vec![BucketRows::default(); PER_PART];
        let Some(base) = &self.old else { return Ok(buckets) };
        for meta in self.old_streams {
            let path = base.join(&meta.slug).join(format!("part-{part}.parquet"));
            let reader = Reader::open(&path)?;
            for (g, bucket) in buckets.iter_mut().enumerate().take(reader.groups()) {
                let read = |name: &str, kind| reader.read(g, &Field { name: name.into(), kind, scale: 0 });
                let customer = read("customer", Kind::Text)?;
                let codes: Vec<u32> = customer.dict.texts.iter().map(|t| bucket.customers.code(t)).collect();
                let mut s = StreamRows { name: meta.name.clone(), ..StreamRows::default() };
                s.customer = customer.codes.iter().map(|c| codes[*c as usize - 1]).collect();
                s.ts = read("ts", Kind::Instant)?.ints.into_iter().map(undated).collect();
                s.seq = read("seq", Kind::Num)?.ints.into_iter().map(|x| x as u32).collect();
                s.id = read("id", Kind::Num)?.ints.into_iter().map(|x| x as u64).collect();
                for f in &meta.columns {
                    s.columns.push(reader.read(g, f)?);
                }
                bucket.streams.push(s);
            }
        }
        Ok(buckets)
    }

    fn write_stream(&self, part: usize, name: &str, own: &[Field], buckets: &[BucketRows]) -> Result<(), StoreError> {
        let folder = self.new.join(&self.slugs[name]);
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let mut fields: Vec<Field> = ["customer", "ts", "seq", "id"]
            .iter()
            .zip([Kind::Text, Kind::Instant, Kind::Num, Kind::Num])
            .map(|(n, kind)| Field { name: n.to_string(), kind, scale: 0 })
            .collect();
        fields.extend_from_slice(own);
        let mut writer = Writer::create(&folder.join(format!("part-{part}.parquet")), &fields, &[0, 1, 2])?;
        let none = StreamRows::default();
        for b in buckets {
            let s = b.streams.iter().find(|s| s.name == name).unwrap_or(&none);
            let customer: Vec<u32> = s.customer.iter().map(|c| c + 1).collect();
            let ts: Vec<i64> = s.ts.iter().map(|t| if *t == Instant::ALWAYS.0 { i64::MIN } else { *t }).collect();
            let seq: Vec<i64> = s.seq.iter().map(|x| i64::from(*x)).collect();
            let id: Vec<i64> = s.id.iter().map(|x| *x as i64).collect();
            // A column may be missing here, or have numbers of fewer places than elsewhere.
            let own: Vec<Cow<Values>> = fields[4..]
                .iter()
                .map(|f| match s.find(&f.name) {
                    Some(v) if v.scale == f.scale => Cow::Borrowed(v),
                    Some(v) => {
                        let mut v = v.clone();
                        v.widen(f.scale);
                        Cow::Owned(v)
                    }
                    None => {
                        let mut v = Values::new(&f.name, f.kind);
                        v.pad(s.len());
                        Cow::Owned(v)
                    }
                })
                .collect();
            let mut data = vec![
                Data::Texts { codes: &customer, dict: &b.customers.texts, list: false },
                Data::Ints(&ts),
                Data::Ints(&seq),
                Data::Ints(&id),
            ];
            data.extend(own.iter().map(|v| Data::of(v)));
            writer.group(&data)?;
        }
        writer.close()
    }

    fn write_customers(&self, part: usize, buckets: &[BucketRows]) -> Result<(), StoreError> {
        let folder = self.new.join("customers");
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let num = |n: &str| Field { name: n.into(), kind: Kind::Num, scale: 0 };
        let mut fields = vec![
            Field { name: "customer".into(), kind: Kind::Text, scale: 0 },
            num("bucket"),
            Field { name: "exists_from".into(), kind: Kind::Instant, scale: 0 },
        ];
        fields.extend(self.fields.keys().map(|n| num(&format!("events:{}", self.slugs[n]))));
        let mut writer = Writer::create(&folder.join(format!("part-{part}.parquet")), &fields, &[1, 0])?;
        for (g, b) in buckets.iter().enumerate() {
            let n = b.customers.texts.len();
            let codes: Vec<u32> = (1..=n as u32).collect();
            let bucket = vec![(part * PER_PART + g) as i64; n];
            let mut from = vec![i64::MAX; n];
            let mut counts: Vec<Vec<i64>> = vec![];
            for name in self.fields.keys() {
                let mut count = vec![0_i64; n];
                if let Some(s) = b.streams.iter().find(|s| s.name == *name) {
                    for i in 0..s.len() {
                        let c = s.customer[i] as usize;
                        count[c] += 1;
                        if s.ts[i] != Instant::ALWAYS.0 {
                            from[c] = from[c].min(s.ts[i]);
                        }
                    }
                }
                counts.push(count);
            }
            from.iter_mut().for_each(|t| *t = if *t == i64::MAX { i64::MIN } else { *t });
            let mut data = vec![
                Data::Texts { codes: &codes, dict: &b.customers.texts, list: false },
                Data::Ints(&bucket),
                Data::Ints(&from),
            ];
            data.extend(counts.iter().map(|c| Data::Ints(c)));
            writer.group(&data)?;
        }
        writer.close()
    }
}

/// Adds the rows that are not there yet: `(new, duplicates)`. `customers` are the bucket's codes for the stream's.
fn add(bucket: &mut BucketRows, customers: &[u32], mut s: StreamRows) -> (u64, u64) {
    let at = bucket.stream(&s.name);
    let target = &mut bucket.streams[at];
    let mut seen: FxHashSet<(u32, u64)> = FxHashSet::default();
    seen.reserve(target.len() + s.len());
    seen.extend(target.customer.iter().copied().zip(target.id.iter().copied()));
    let mut implied = s.implied.iter().copied().peekable();
    let mut kept = vec![];
    let mut duplicates = 0;
    for i in 0..s.len() as u32 {
        let stands_for_a_row = implied.next_if_eq(&i).is_none();
        if seen.insert((customers[s.customer[i as usize] as usize], s.id[i as usize])) {
            kept.push(i);
        } else {
            duplicates += u64::from(stands_for_a_row);
        }
    }
    for c in &mut s.columns {
        let i = target.column(&c.name, c.kind);
        let own = &mut target.columns[i];
        own.widen(c.scale);
        if c.is_text() && own.dict.texts.is_empty() {
            own.dict = std::mem::take(&mut c.dict);
            own.codes.extend(kept.iter().map(|i| c.codes[*i as usize]));
        } else if c.is_text() {
            let codes: Vec<u32> = std::iter::once(0).chain(c.dict.texts.iter().map(|t| own.dict.code(t) + 1)).collect();
            own.codes.extend(kept.iter().map(|i| codes[c.codes[*i as usize] as usize]));
        } else {
            let p = gyul_model::POW10[(own.scale - c.scale) as usize];
            let scaled = |v: i64| if c.kind == Kind::Num { v.checked_mul(p).unwrap_or(i64::MIN) } else { v };
            own.ints.extend(kept.iter().map(|i| scaled(c.ints[*i as usize])));
        }
    }
    target.customer.extend(kept.iter().map(|i| customers[s.customer[*i as usize] as usize]));
    target.ts.extend(kept.iter().map(|i| s.ts[*i as usize]));
    target.seq.extend(kept.iter().map(|i| s.seq[*i as usize]));
    target.id.extend(kept.iter().map(|i| s.id[*i as usize]));
    let len = target.len();
    target.columns.iter_mut().for_each(|c| c.pad(len));
    (kept.len() as u64, duplicates)
}

pub(crate) fn undated(ts: i64) -> i64 {
    if ts == i64::MIN { Instant::ALWAYS.0 } else { ts }
}

/// Customers ascending by id, each stream by (customer, ts, seq).
fn sorted(bucket: BucketRows) -> BucketRows {
    let mut order: Vec<u32> = (0..bucket.customers.texts.len() as u32).collect();
    order.sort_unstable_by(|a, b| bucket.customers.texts[*a as usize].cmp(&bucket.customers.texts[*b as usize]));
    let mut place = vec![0_u32; order.len()];
    let mut out = BucketRows::default();
    for (new, old) in order.iter().enumerate() {
        place[*old as usize] = new as u32;
        out.customers.code(&bucket.customers.texts[*old as usize]);
    }
    for s in bucket.streams {
        // By customer in one pass, then each customer's few by time.
        let mut ends = vec![0_usize; place.len() + 1];
        s.customer.iter().for_each(|c| ends[place[*c as usize] as usize + 1] += 1);
        (1..ends.len()).for_each(|c| ends[c] += ends[c - 1]);
        let mut rows = vec![0_u32; s.len()];
        for (i, c) in s.customer.iter().enumerate() {
            let end = &mut ends[place[*c as usize] as usize];
            rows[*end] = i as u32;
            *end += 1;
        }
        let mut start = 0;
        for end in &ends[..place.len()] {
            rows[start..*end].sort_unstable_by_key(|i| (s.ts[*i as usize], s.seq[*i as usize]));
            start = *end;
        }
        let mut t = s.select(&rows);
        t.customer.iter_mut().for_each(|c| *c = place[*c as usize]);
        out.streams.push(t);
    }
    out
}

/// Removes what no manifest names: other generations, and those that were never finished.
fn sweep(dir: &Path, generation: u64) -> Result<(), StoreError> {
    let base = dir.join("base");
    let Ok(entries) = fs::read_dir(&base) else { return Ok(()) };
    for e in entries.filter_map(Result::ok) {
        if e.file_name().to_string_lossy() != generation.to_string() {
            fs::remove_dir_all(e.path()).map_err(StoreError::io(&e.path()))?;
        }
    }
    Ok(())
}

/// Names of our own columns: a property of that name gets an underscore behind it.
const RESERVED: [&str; 6] = ["customer", "ts", "seq", "id", derive::DERIVED, derive::MATCHED];

fn known(c: &Column, i: usize) -> bool {
    match c {
        Column::Bool(v) => v[i].is_some(),
        Column::Num { mantissas: v, .. } | Column::Instant(v) => v[i] != i64::MIN,
        Column::Text(t) | Column::List(t) => t.get(i).is_some(),
    }
}

/// A value as text.
fn text_of(c: &Column, i: usize) -> Option<String> {
    match c {
        Column::Bool(v) => v[i].map(|b| b.to_string()),
        Column::Num { scale, mantissas } => {
            Some(mantissas[i]).filter(|m| *m != i64::MIN).map(|m| Decimal::new(m, *scale).to_string())
        }
        Column::Instant(v) => Some(v[i]).filter(|t| *t != i64::MIN).map(|t| Instant(t).to_string()),
        Column::Text(t) | Column::List(t) => t.get(i).map(str::to_string),
    }
}

/// A column in another kind: everything can be a text; texts that read as numbers can be numbers.
fn converted(c: &Column, to: Kind) -> Column {
    let n = c.len();
    let text = |i: usize| text_of(c, i);
    let texts = |f: &dyn Fn(usize) -> Option<String>| {
        let mut out = TextColumn::default();
        (0..n).for_each(|i| out.push(f(i).as_deref()));
        out
    };
    match to {
        Kind::Text => Column::Text(texts(&text)),
        Kind::List => Column::List(texts(&text)),
        Kind::Bool => Column::Bool((0..n).map(|i| text(i).and_then(|t| t.parse().ok())).collect()),
        Kind::Instant => Column::Instant(
            (0..n).map(|i| text(i).and_then(|t| Instant::parse_rfc3339(&t)).map_or(i64::MIN, |t| t.0)).collect(),
        ),
        Kind::Num => {
            let numbers: Vec<Option<Decimal>> = (0..n).map(|i| text(i).and_then(|t| Decimal::parse(&t))).collect();
            let scale = numbers.iter().flatten().map(|d| d.scale()).max().unwrap_or(0);
            let mantissas = numbers.iter().map(|d| d.and_then(|d| d.at_scale(scale)).unwrap_or(i64::MIN)).collect();
            Column::Num { scale, mantissas }
        }
    }
}
