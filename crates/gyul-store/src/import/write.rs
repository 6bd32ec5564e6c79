//! The files of a part: one for each stream, one for the customers, a row group in each for every bucket.

use super::merge::{Job, Sorted};
use crate::error::StoreError;
use crate::rows::{Kind, StreamRows, Values};
use crate::table::{Data, Field, Writer};
use gyul_model::Instant;
use rayon::prelude::*;
use std::borrow::Cow;
use std::fs;

/// The files of a part, being written.
pub(super) struct Files<'a> {
    /// Every part has a file for every stream, so that readers need not ask.
    streams: Vec<StreamFile<'a>>,
    customers: Writer,
}

struct StreamFile<'a> {
    name: &'a str,
    fields: Vec<Field>,
    writer: Writer,
}

impl Files<'_> {
    /// `rows`: about how many the part has.
    pub fn create<'a>(job: &'a Job, part: usize, rows: usize) -> Result<Files<'a>, StoreError> {
        let create = |slug: &str, fields: &[Field], sorted: &[i32]| {
            let folder = job.new.join(slug);
            fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
            Writer::create(&folder.join(format!("part-{part}.parquet")), fields, sorted, rows)
        };
        let field = |name: &str, kind| Field { name: name.into(), kind, scale: 0 };
        let mut streams = vec![];
        for (name, own) in job.fields {
            let mut fields = vec![
                field("customer", Kind::Text),
                field("ts", Kind::Instant),
                field("seq", Kind::Num),
                field("id", Kind::Num),
            ];
            fields.extend_from_slice(own);
            let writer = create(&job.slugs[name], &fields, &[0, 1, 2])?;
            streams.push(StreamFile { name, fields, writer });
        }
        let mut fields =
            vec![field("customer", Kind::Text), field("bucket", Kind::Num), field("exists_from", Kind::Instant)];
        fields.extend(job.fields.keys().map(|n| field(&format!("events:{}", job.slugs[n]), Kind::Num)));
        Ok(Files { streams, customers: create("customers", &fields, &[1, 0])? })
    }

    /// The next buckets, in their order.
    pub fn groups(&mut self, buckets: &[Sorted]) -> Result<(), StoreError> {
        let names: Vec<&str> = self.streams.iter().map(|s| s.name).collect();
        let each = |f: &mut StreamFile| buckets.iter().try_for_each(|b| f.group(b));
        self.streams.par_iter_mut().map(each).collect::<Result<(), StoreError>>()?;
        buckets.iter().try_for_each(|b| customers(&mut self.customers, &names, b))
    }

    /// Makes sure that all is on disk.
    pub fn close(self) -> Result<(), StoreError> {
        let each = |f: StreamFile| f.writer.close();
        self.streams.into_par_iter().map(each).collect::<Result<(), StoreError>>()?;
        self.customers.close()
    }
}

impl StreamFile<'_> {
    fn group(&mut self, b: &Sorted) -> Result<(), StoreError> {
        let none = StreamRows::default();
        let s = b.stream(self.name).unwrap_or(&none);
        let customer: Vec<u32> = s.customer.iter().map(|c| c + 1).collect();
        let ts: Vec<i64> = s.ts.iter().map(|t| if *t == Instant::ALWAYS.0 { i64::MIN } else { *t }).collect();
        let seq: Vec<i64> = s.seq.iter().map(|x| i64::from(*x)).collect();
        let id: Vec<i64> = s.id.iter().map(|x| *x as i64).collect();
        // A column may be missing here, or have numbers of fewer places than elsewhere.
        let own: Vec<Cow<Values>> = self.fields[4..]
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
            Data::Texts { codes: &customer, dict: &b.customers, list: false },
            Data::Ints(&ts),
            Data::Ints(&seq),
            Data::Ints(&id),
        ];
        data.extend(own.iter().map(|v| Data::of(v)));
        self.writer.group(&data)
    }
}

fn customers(writer: &mut Writer, names: &[&str], b: &Sorted) -> Result<(), StoreError> {
    let n = b.customers.len();
    let codes: Vec<u32> = (1..=n as u32).collect();
    let bucket = vec![b.number as i64; n];
    let mut from = vec![i64::MAX; n];
    let mut counts: Vec<Vec<i64>> = vec![];
    for name in names {
        let mut count = vec![0_i64; n];
        if let Some(s) = b.stream(name) {
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
    let mut data =
        vec![Data::Texts { codes: &codes, dict: &b.customers, list: false }, Data::Ints(&bucket), Data::Ints(&from)];
    data.extend(counts.iter().map(|c| Data::Ints(c)));
    writer.group(&data)
}
