//! Old rows and new ones: without duplicates, with what is derived, sorted, written part by part.

use super::write::Files;
use super::{PARTS, PER_PART};
use crate::derive::derive;
use crate::error::StoreError;
use crate::interner::Texts;
use crate::manifest::StreamMeta;
use crate::rows::{BucketRows, Kind, StreamRows};
use crate::table::{Field, Reader};
use crate::undated;
use gyul_model::{Instant, names};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) struct Job<'a> {
    pub old: Option<PathBuf>,
    pub new: &'a Path,
    pub fields: &'a BTreeMap<String, Vec<Field>>,
    pub slugs: &'a BTreeMap<String, String>,
    pub old_streams: &'a [StreamMeta],
    pub gone: &'a FxHashSet<String>,
    pub now: Instant,
}

/// What became of a part.
#[derive(Default)]
pub(super) struct Merged {
    pub streams: BTreeMap<String, StreamCount>,
    pub customers: u64,
    pub new_rows: u64,
    pub duplicates: u64,
    pub derived: u64,
    pub forgotten: u64,
}

#[derive(Default)]
pub(super) struct StreamCount {
    pub rows: u64,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
}

impl Job<'_> {
    /// The old rows of the part's buckets with the new ones, without duplicates, sorted and written: bucket by bucket, as
    /// many at once as there are threads for, so that no more than these are in memory.
    pub fn part(&self, part: usize, fresh: Vec<BucketRows>) -> Result<Merged, StoreError> {
        let mut out = Merged::default();
        let old = self.old_streams.iter().map(|s| s.rows as usize).sum::<usize>() / PARTS;
        let rows = old + fresh.iter().flat_map(|b| &b.streams).map(StreamRows::len).sum::<usize>();
        let mut files = Files::create(self, part, rows)?;
        let at_once = rayon::current_num_threads().div_ceil(PARTS);
        let mut waiting = fresh.into_iter().enumerate();
        for _ in 0..PER_PART.div_ceil(at_once) {
            let some: Vec<(usize, BucketRows)> = waiting.by_ref().take(at_once).collect();
            let made = some.into_par_iter().map(|(group, fresh)| self.bucket(part, group, fresh));
            let made: Vec<(Sorted, Merged)> = made.collect::<Result<_, _>>()?;
            let (buckets, counts): (Vec<Sorted>, Vec<Merged>) = made.into_iter().unzip();
            files.groups(&buckets)?;
            counts.into_iter().for_each(|c| out.add(c));
        }
        files.close()?;
        Ok(out)
    }

    fn bucket(&self, part: usize, group: usize, fresh: BucketRows) -> Result<(Sorted, Merged), StoreError> {
        let mut out = Merged::default();
        let mut bucket = self.read_old(part, group)?;
        if !self.gone.is_empty() {
            (bucket, out.forgotten) = bucket.without(self.gone);
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
        out.derived = derive(&mut bucket);
        let sorted = sorted(bucket, part * PER_PART + group);
        out.customers = sorted.customers.len() as u64;
        for s in &sorted.streams {
            let dated = || s.ts.iter().copied().filter(|t| *t != Instant::ALWAYS.0);
            let count = StreamCount {
                rows: s.len() as u64,
                first: dated().min().map(Instant),
                last: dated().max().map(Instant),
            };
            out.streams.insert(s.name.clone(), count);
        }
        Ok((sorted, out))
    }

    fn read_old(&self, part: usize, group: usize) -> Result<BucketRows, StoreError> {
        let mut bucket = BucketRows::default();
        let Some(base) = &self.old else { return Ok(bucket) };
        for meta in self.old_streams {
            // Opened for each bucket: a base of a thousand event names has more files than a process may hold open.
            let reader = Reader::open(&base.join(&meta.slug).join(format!("part-{part}.parquet")))?;
            if group >= reader.groups() {
                continue;
            }
            let read = |name: &str, kind| reader.read(group, &Field { name: name.into(), kind, scale: 0 });
            let customer = read("customer", Kind::Text)?;
            let codes: Vec<u32> = customer.dict.texts.iter().map(|t| bucket.customers.code(t)).collect();
            let mut s = StreamRows { name: meta.name.clone(), ..StreamRows::default() };
            s.customer = customer.codes.iter().map(|c| codes[*c as usize - 1]).collect();
            s.ts = read("ts", Kind::Instant)?.ints.into_iter().map(undated).collect();
            s.seq = read("seq", Kind::Num)?.ints.into_iter().map(|x| x as u32).collect();
            s.id = read("id", Kind::Num)?.ints.into_iter().map(|x| x as u64).collect();
            for f in &meta.columns {
                s.columns.push(reader.read(group, f)?);
            }
            bucket.streams.push(s);
        }
        Ok(bucket)
    }
}

impl Merged {
    fn add(&mut self, other: Merged) {
        for (name, count) in other.streams {
            let own = self.streams.entry(name).or_default();
            own.rows += count.rows;
            own.first = [own.first, count.first].into_iter().flatten().min();
            own.last = own.last.max(count.last);
        }
        self.customers += other.customers;
        self.new_rows += other.new_rows;
        self.duplicates += other.duplicates;
        self.derived += other.derived;
        self.forgotten += other.forgotten;
    }
}

pub(crate) fn undated(ts: i64) -> i64 {
    if ts == i64::MIN { Instant::ALWAYS.0 } else { ts }
}

/// Adds the rows that are not there yet: `(new, duplicates)`. `customers` are the bucket's codes for the stream's.
fn add(bucket: &mut BucketRows, customers: &[u32], mut s: StreamRows) -> (u64, u64) {
    let at = bucket.stream(&s.name);
    let target = &mut bucket.streams[at];
    s.customer.iter_mut().for_each(|c| *c = customers[*c as usize]);
    let mut seen: FxHashSet<(u32, u64)> = FxHashSet::default();
    seen.reserve(target.len() + s.len());
    seen.extend(target.customer.iter().copied().zip(target.id.iter().copied()));
    let mut implied = s.implied.iter().copied().peekable();
    let mut kept = vec![];
    let mut duplicates = 0;
    for i in 0..s.len() as u32 {
        let stands_for_a_row = implied.next_if_eq(&i).is_none();
        if seen.insert((s.customer[i as usize], s.id[i as usize])) {
            kept.push(i);
        } else {
            duplicates += u64::from(stands_for_a_row);
        }
    }
    if target.len() == 0 {
        s.keep(&kept);
        *target = s;
        return (kept.len() as u64, duplicates);
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
    target.customer.extend(kept.iter().map(|i| s.customer[*i as usize]));
    target.ts.extend(kept.iter().map(|i| s.ts[*i as usize]));
    target.seq.extend(kept.iter().map(|i| s.seq[*i as usize]));
    target.id.extend(kept.iter().map(|i| s.id[*i as usize]));
    let len = target.len();
    target.columns.iter_mut().for_each(|c| c.pad(len));
    (kept.len() as u64, duplicates)
}

/// A bucket as it is written: customers ascending by id, each stream by (customer, ts, seq).
#[derive(Default)]
pub(super) struct Sorted {
    /// Among all buckets.
    pub number: usize,
    pub customers: Texts,
    pub streams: Vec<StreamRows>,
}

impl Sorted {
    pub fn stream(&self, name: &str) -> Option<&StreamRows> {
        self.streams.iter().find(|s| s.name == name)
    }
}

fn sorted(bucket: BucketRows, number: usize) -> Sorted {
    let texts = &bucket.customers.texts;
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    order.sort_unstable_by(|a, b| texts.get(*a).cmp(texts.get(*b)));
    let mut place = vec![0_u32; order.len()];
    let mut out = Sorted { number, ..Sorted::default() };
    for (new, old) in order.iter().enumerate() {
        place[*old as usize] = new as u32;
        out.customers.push(texts.get(*old));
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
