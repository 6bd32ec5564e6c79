//! The base as it was known at an earlier moment: without what arrived later, and without what later rows made of it.

use crate::derive::derive;
use crate::load::{Raw, RawStream};
use crate::manifest::StreamMeta;
use crate::rows::{BucketRows, StreamRows, Values};
use gyul_model::Instant;

/// Leaves out the rows from number `before` on, and sums orders up anew from the lines that are left: an order is worth
/// what its known lines are worth.
pub(crate) fn forget_later(raw: &mut Raw, wanted: &[StreamMeta], before: u64) {
    let mut bucket = BucketRows::default();
    let customers = raw.customers.len();
    for c in 0..customers {
        bucket.customers.code(raw.customers.get(c).unwrap_or(""));
    }
    for (meta, s) in wanted.iter().zip(std::mem::take(&mut raw.streams)) {
        let of = |c: usize| (s.offsets[c]..s.offsets[c + 1]).map(move |_| c as u32);
        let rows = StreamRows {
            name: meta.name.clone(),
            customer: (0..customers).flat_map(of).collect(),
            // Nothing is merged into these: nobody asks for their ids.
            id: vec![0; s.ts.len()],
            ts: s.ts,
            seq: s.seq,
            implied: vec![],
            columns: s.columns,
        };
        let known: Vec<u32> = (0..rows.len() as u32).filter(|i| u64::from(rows.seq[*i as usize]) < before).collect();
        bucket.streams.push(rows.select(&known));
    }
    derive(&mut bucket);
    raw.exists_from = vec![i64::MAX; customers];
    for meta in wanted {
        let at = bucket.stream(&meta.name);
        let rows = std::mem::take(&mut bucket.streams[at]);
        rows.customer.iter().zip(&rows.ts).for_each(|(c, t)| exists(&mut raw.exists_from[*c as usize], *t));
        raw.streams.push(stream(rows, meta, customers));
    }
}

/// The first dated event; of undated ones alone, always.
fn exists(from: &mut i64, ts: i64) {
    let always = Instant::ALWAYS.0;
    *from = match (*from, ts) {
        (i64::MAX, t) => t,
        (old, t) if t == always => old,
        (old, t) if old == always => t,
        (old, t) => old.min(t),
    };
}

/// By customer and time, with the columns of the base.
fn stream(rows: StreamRows, meta: &StreamMeta, customers: usize) -> RawStream {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|i| (rows.customer[*i as usize], rows.ts[*i as usize], rows.seq[*i as usize]));
    let mut rows = rows.select(&order);
    let mut offsets = vec![0_u32; customers + 1];
    rows.customer.iter().for_each(|c| offsets[*c as usize + 1] += 1);
    (0..customers).for_each(|c| offsets[c + 1] += offsets[c]);
    let len = rows.len();
    let columns = meta.columns.iter().map(|f| {
        let mut column = match rows.columns.iter().position(|c| c.name == f.name && c.kind == f.kind) {
            Some(i) => rows.columns.swap_remove(i),
            None => Values::new(&f.name, f.kind),
        };
        column.widen(f.scale);
        column.pad(len);
        column
    });
    let columns = columns.collect();
    RawStream { offsets, ts: rows.ts, seq: rows.seq, columns }
}
