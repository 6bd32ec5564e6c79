//! Traits without a date: how things are, for as long as anyone asks, until a trait has dates.
//!
//! A row "Kim lives in Daegu" without a date says nothing of when. While nothing else is known it holds for all of the past.
//! Where the trait has dates already ("moved to Jeju on 3 March"), for ever would be before them, and the newest file would
//! say nothing: there the row takes effect when it is taken in.

use crate::rows::{BucketRows, Kind, StreamRows, Values};
use gyul_model::{Instant, hash64};
use rustc_hash::FxHashSet;

/// Dates what fresh rows say about traits that have dates in the bucket. `customers`: the bucket's codes for the rows'.
pub(crate) fn take_effect(bucket: &BucketRows, customers: &[u32], s: &mut StreamRows, now: Instant) {
    let always = Instant::ALWAYS.0;
    let Some(old) = bucket.streams.iter().find(|o| o.name == s.name) else { return };
    if !s.ts.contains(&always) || old.ts.iter().all(|t| *t == always) {
        return;
    }
    // Of each column, the customers who have a dated value.
    let dated = |c: &Values| -> FxHashSet<u32> {
        let Some(o) = old.find(&c.name) else { return FxHashSet::default() };
        (0..old.len()).filter(|i| old.ts[*i] != always && known(o, *i)).map(|i| old.customer[i]).collect()
    };
    let dated: Vec<FxHashSet<u32>> = s.columns.iter().map(dated).collect();
    let there: FxHashSet<(u32, u64)> = old.customer.iter().copied().zip(old.id.iter().copied()).collect();
    for i in 0..s.len() {
        let customer = customers[s.customer[i] as usize];
        // The same row again says nothing new.
        if s.ts[i] != always || there.contains(&(customer, s.id[i])) {
            continue;
        }
        let known: Vec<usize> = (0..s.columns.len()).filter(|c| known(&s.columns[*c], i)).collect();
        let moved: Vec<usize> = known.iter().copied().filter(|c| dated[*c].contains(&customer)).collect();
        if moved.is_empty() {
            continue;
        }
        if moved.len() == known.len() {
            s.ts[i] = now.0;
            continue;
        }
        // What has no date stays for ever; the rest is a row of its own right behind it.
        let row = s.len();
        s.implied.push(row as u32);
        s.customer.push(s.customer[i]);
        s.ts.push(now.0);
        s.seq.push(s.seq[i] + 1);
        s.id.push(s.id[i] ^ hash64(b"dated"));
        s.columns.iter_mut().for_each(|c| c.pad(row + 1));
        for c in moved {
            let c = &mut s.columns[c];
            match c.is_text() {
                true => c.codes.swap(i, row),
                false => c.ints.swap(i, row),
            }
        }
    }
}

fn known(c: &Values, i: usize) -> bool {
    match c.kind {
        Kind::Bool => c.ints[i] != 2,
        Kind::Num | Kind::Instant => c.ints[i] != i64::MIN,
        Kind::Text | Kind::List => c.codes[i] != 0,
    }
}
