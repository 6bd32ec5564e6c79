//! The files of a part.

use super::PER_PART;
use super::merge::{Job, Sorted};
use crate::error::StoreError;
use crate::rows::{Kind, StreamRows, Values};
use crate::table::{Data, Field, Writer};
use gyul_model::Instant;
use std::borrow::Cow;
use std::fs;

impl Job<'_> {
    pub fn write_stream(&self, part: usize, name: &str, own: &[Field], buckets: &[Sorted]) -> Result<(), StoreError> {
        let folder = self.new.join(&self.slugs[name]);
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let mut fields: Vec<Field> = ["customer", "ts", "seq", "id"]
            .iter()
            .zip([Kind::Text, Kind::Instant, Kind::Num, Kind::Num])
            .map(|(n, kind)| Field { name: n.to_string(), kind, scale: 0 })
            .collect();
        fields.extend_from_slice(own);
        let none = StreamRows::default();
        let rows = buckets.iter().filter_map(|b| b.stream(name)).map(StreamRows::len).sum();
        let mut writer = Writer::create(&folder.join(format!("part-{part}.parquet")), &fields, &[0, 1, 2], rows)?;
        for b in buckets {
            let s = b.stream(name).unwrap_or(&none);
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
                Data::Texts { codes: &customer, dict: &b.customers, list: false },
                Data::Ints(&ts),
                Data::Ints(&seq),
                Data::Ints(&id),
            ];
            data.extend(own.iter().map(|v| Data::of(v)));
            writer.group(&data)?;
        }
        writer.close()
    }

    pub fn write_customers(&self, part: usize, buckets: &[Sorted]) -> Result<(), StoreError> {
        let folder = self.new.join("customers");
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let num = |n: &str| Field { name: n.into(), kind: Kind::Num, scale: 0 };
        let mut fields = vec![
            Field { name: "customer".into(), kind: Kind::Text, scale: 0 },
            num("bucket"),
            Field { name: "exists_from".into(), kind: Kind::Instant, scale: 0 },
        ];
        fields.extend(self.fields.keys().map(|n| num(&format!("events:{}", self.slugs[n]))));
        let rows = buckets.iter().map(|b| b.customers.len()).sum();
        let mut writer = Writer::create(&folder.join(format!("part-{part}.parquet")), &fields, &[1, 0], rows)?;
        for (g, b) in buckets.iter().enumerate() {
            let n = b.customers.len();
            let codes: Vec<u32> = (1..=n as u32).collect();
            let bucket = vec![(part * PER_PART + g) as i64; n];
            let mut from = vec![i64::MAX; n];
            let mut counts: Vec<Vec<i64>> = vec![];
            for name in self.fields.keys() {
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
            let mut data = vec![
                Data::Texts { codes: &codes, dict: &b.customers, list: false },
                Data::Ints(&bucket),
                Data::Ints(&from),
            ];
            data.extend(counts.iter().map(|c| Data::Ints(c)));
            writer.group(&data)?;
        }
        writer.close()
    }
}
