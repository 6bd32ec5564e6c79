//! From the base to memory: only what is asked for, in parallel, packed as narrowly as it goes.

use crate::error::{StoreError, StoreErrorKind};
use crate::import::{PARTS, undated};
use crate::interner::Interner;
use crate::known::forget_later;
use crate::manifest::{Manifest, StreamMeta};
use crate::rows::{Kind, Values};
use crate::table::{Field, Reader};
use gyul_model::{
    Bucket, Codes, ColumnData, ColumnInfo, ColumnKind, Instant, Ints, Snapshot, Stream, StreamInfo, TextColumn,
};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to load: everything, or some columns of some streams (no columns: only the instants).
#[derive(Clone, Debug, PartialEq)]
pub enum Needs {
    All,
    Streams(Vec<(String, Vec<String>)>),
}

/// A data directory, open for reading.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    manifest: Manifest,
}

impl Store {
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        Ok(Store::of(dir, Manifest::read(dir)?))
    }

    /// The directory as another manifest describes it.
    pub fn of(dir: &Path, manifest: Manifest) -> Store {
        Store { dir: dir.to_path_buf(), manifest }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The first and last instant of dated events, traits aside.
    pub fn range(&self) -> Option<(Instant, Instant)> {
        let streams = || self.manifest.streams.iter().filter(|s| s.name != gyul_model::names::IDENTIFY);
        Some((streams().filter_map(|s| s.first).min()?, streams().filter_map(|s| s.last).max()?))
    }

    /// Events of the base, traits aside, with those that the staleness policy leaves out.
    pub fn events_beside_traits(&self) -> u64 {
        let events = self.manifest.streams.iter().filter(|s| s.name != gyul_model::names::IDENTIFY);
        events.map(|s| s.rows).sum()
    }

    /// How many columns of customers in the base's files still name one of these, read from the files themselves.
    pub fn named(&self, customers: &[String]) -> Result<u64, StoreError> {
        if self.manifest.generation == 0 {
            return Ok(0);
        }
        let base = self.manifest.base(&self.dir);
        let folders = self.manifest.streams.iter().map(|s| s.slug.as_str()).chain(["customers"]);
        let mut found = 0;
        for folder in folders {
            for part in 0..PARTS {
                let reader = Reader::open(&base.join(folder).join(format!("part-{part}.parquet")))?;
                for g in 0..reader.groups() {
                    let field = Field { name: "customer".into(), kind: Kind::Text, scale: 0 };
                    let known = reader.read(g, &field)?.dict.texts;
                    found += u64::from(known.iter().any(|t| customers.iter().any(|c| c == t)));
                }
            }
        }
        Ok(found)
    }

    /// Without the events that the staleness policy leaves out.
    pub fn load(&self, needs: &Needs) -> Result<Snapshot, StoreError> {
        Ok(self.left_in(self.loaded(needs, None)?))
    }

    /// All there is, whatever the staleness policy says.
    pub fn load_whole(&self) -> Result<Snapshot, StoreError> {
        self.loaded(&Needs::All, None)
    }

    fn left_in(&self, data: Snapshot) -> Snapshot {
        match &self.manifest.policy {
            Some(p) => data.since(p.from),
            None => data,
        }
    }

    /// Everything as it was known at an instant: without rows that arrived later, and without what they made of others.
    pub fn load_known(&self, at: Instant) -> Result<Snapshot, StoreError> {
        let later = self.manifest.arrivals.iter().find(|(_, t)| *t > at);
        Ok(self.left_in(self.loaded(&Needs::All, later.map(|(seq, _)| *seq))?))
    }

    fn loaded(&self, needs: &Needs, before: Option<u64>) -> Result<Snapshot, StoreError> {
        match self.load_once(needs, before) {
            // An import has put a newer base in force meanwhile: that one is there.
            Err(StoreError { kind: StoreErrorKind::Io(e), path }) if e.kind() == std::io::ErrorKind::NotFound => {
                let fresh = Store::open(&self.dir)?;
                match fresh.manifest.generation > self.manifest.generation {
                    true => fresh.load_once(needs, before),
                    false => Err(StoreError::io(&path)(e)),
                }
            }
            done => done,
        }
    }

    fn load_once(&self, needs: &Needs, before: Option<u64>) -> Result<Snapshot, StoreError> {
        let mut wanted: Vec<StreamMeta> = vec![];
        for s in &self.manifest.streams {
            match needs {
                Needs::All => wanted.push(s.clone()),
                Needs::Streams(list) => {
                    if let Some((_, columns)) = list.iter().find(|(n, _)| *n == s.name) {
                        let columns = s.columns.iter().filter(|c| columns.contains(&c.name)).cloned().collect();
                        wanted.push(StreamMeta { columns, ..s.clone() });
                    }
                }
            }
        }
        if self.manifest.generation == 0 {
            return Ok(Snapshot::default());
        }
        let base = self.manifest.base(&self.dir);
        // Per bucket: its customers, and for each wanted stream its rows with texts in the bucket's own dictionaries.
        let parts: Vec<Vec<Raw>> =
            (0..PARTS).into_par_iter().map(|p| read_part(&base, p, &wanted)).collect::<Result<_, StoreError>>()?;
        let mut raws: Vec<Raw> = parts.into_iter().flatten().collect();
        if let Some(before) = before {
            raws.par_iter_mut().for_each(|raw| forget_later(raw, &wanted, before));
        }
        let mut snapshot = Snapshot {
            streams: vec![],
            buckets: raws
                .iter_mut()
                .map(|r| {
                    let (customers, exists_from) =
                        (std::mem::take(&mut r.customers), std::mem::take(&mut r.exists_from));
                    Arc::new(Bucket { customers, exists_from, streams: vec![] })
                })
                .collect(),
            arrivals: self.manifest.arrivals.clone(),
        };
        for (s, meta) in wanted.iter().enumerate() {
            let mut columns = vec![];
            let mut dicts: Vec<Vec<Vec<u32>>> = vec![];
            for (c, f) in meta.columns.iter().enumerate() {
                let (kind, maps) = kind_of(f, &raws, s, c);
                columns.push(ColumnInfo { name: f.name.clone(), kind });
                dicts.push(maps);
            }
            snapshot.buckets.par_iter_mut().zip(raws.par_iter_mut()).enumerate().for_each(|(b, (bucket, raw))| {
                let own = std::mem::take(&mut raw.streams[s]);
                Arc::make_mut(bucket).streams.push(Arc::new(packed(own, &dicts, b)));
            });
            snapshot.streams.push(StreamInfo { name: meta.name.clone(), columns });
        }
        Ok(snapshot)
    }
}

/// A bucket's rows of one event name.
#[derive(Default)]
pub(crate) struct RawStream {
    pub offsets: Vec<u32>,
    pub ts: Vec<i64>,
    pub seq: Vec<u32>,
    pub columns: Vec<Values>,
}

/// A bucket as it was read.
pub(crate) struct Raw {
    pub customers: TextColumn,
    pub exists_from: Vec<i64>,
    pub streams: Vec<RawStream>,
}

fn read_part(base: &Path, part: usize, wanted: &[StreamMeta]) -> Result<Vec<Raw>, StoreError> {
    let file = format!("part-{part}.parquet");
    // A reader is one thread's: its file has one position.
    let open_customers = || Reader::open(&base.join("customers").join(&file));
    let customers = open_customers()?;
    let groups = customers.groups();
    let num = |n: &str| Field { name: n.into(), kind: Kind::Num, scale: 0 };
    let instant = |n: &str| Field { name: n.into(), kind: Kind::Instant, scale: 0 };
    let mut raws = vec![];
    for g in 0..groups {
        let column = customers.read_texts(g, "customer")?;
        let exists_from = customers.read(g, &instant("exists_from"))?.ints.into_iter().map(undated).collect();
        raws.push(Raw { customers: column, exists_from, streams: vec![] });
    }
    // Streams side by side: each is a file of its own.
    let streams: Vec<Vec<RawStream>> = wanted
        .par_iter()
        .map(|meta| {
            let path = base.join(&meta.slug).join(&file);
            let (reader, customers) = (Reader::open(&path)?, open_customers()?);
            let mut out = vec![];
            for g in 0..groups {
                let counts = customers.read(g, &num(&format!("events:{}", meta.slug)))?.ints;
                let mut s = RawStream { offsets: vec![0], ..RawStream::default() };
                let mut end = 0_u32;
                for n in &counts {
                    end += (*n).max(0) as u32;
                    s.offsets.push(end);
                }
                if g < reader.groups() {
                    s.ts = reader.read(g, &instant("ts"))?.ints.into_iter().map(undated).collect();
                    s.seq = reader.read(g, &num("seq"))?.ints.into_iter().map(|x| x as u32).collect();
                    for f in &meta.columns {
                        s.columns.push(reader.read(g, f)?);
                    }
                }
                if end as usize != s.ts.len() {
                    return Err(StoreError::damaged(&path, "the customers' counts do not match the rows"));
                }
                out.push(s);
            }
            Ok(out)
        })
        .collect::<Result<_, StoreError>>()?;
    for stream in streams {
        raws.iter_mut().zip(stream).for_each(|(raw, s)| raw.streams.push(s));
    }
    Ok(raws)
}

/// The column's kind over all buckets; for texts the common dictionary and each bucket's way into it.
fn kind_of(f: &Field, raws: &[Raw], s: usize, c: usize) -> (ColumnKind, Vec<Vec<u32>>) {
    match f.kind {
        Kind::Bool => (ColumnKind::Bool, vec![]),
        Kind::Num => (ColumnKind::Num { scale: f.scale }, vec![]),
        Kind::Instant => (ColumnKind::Instant, vec![]),
        Kind::Text | Kind::List => {
            let mut all = Interner::default();
            let maps = raws
                .iter()
                .map(|r| {
                    let own = r.streams[s].columns.get(c).into_iter().flat_map(|v| v.dict.texts.iter());
                    std::iter::once(0).chain(own.map(|t| all.code(t) + 1)).collect()
                })
                .collect();
            let mut dict = TextColumn::default();
            all.texts.iter().for_each(|t| dict.push(Some(t)));
            let dict = Arc::new(dict);
            (if f.kind == Kind::Text { ColumnKind::Text(dict) } else { ColumnKind::List(dict) }, maps)
        }
    }
}

fn packed(raw: RawStream, dicts: &[Vec<Vec<u32>>], bucket: usize) -> Stream {
    let columns = raw.columns.into_iter().enumerate().map(|(c, v)| match v.kind {
        Kind::Bool => ColumnData::Bool(v.ints.iter().map(|x| *x as u8).collect()),
        Kind::Num => ColumnData::Num(Ints::pack(&v.ints)),
        Kind::Instant => ColumnData::Instant(v.ints),
        Kind::Text | Kind::List => {
            let map = &dicts[c][bucket];
            let codes: Vec<u32> = v.codes.iter().map(|x| map[*x as usize]).collect();
            ColumnData::Codes(Codes::pack(&codes))
        }
    });
    Stream { offsets: raw.offsets, ts: raw.ts, seq: raw.seq, columns: columns.collect() }
}
