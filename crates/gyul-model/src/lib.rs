//! What are we talking about? The nouns that every room shares: instants, durations, decimals,
//! values, events, the workspace's zone and its occasions.
//!
//! Knows nothing of files, serialization, segments or policy. Everything here is a plain value.

mod batch;
mod columns;
mod decimal;
mod event;
mod lang;
mod message;
mod occasion;
mod time;
mod value;
mod zone;

pub use batch::{Column, StreamBatch, TextColumn};
pub use columns::{Bucket, Codes, ColumnData, ColumnInfo, ColumnKind, Ints, Snapshot, Stream, StreamInfo};
pub use decimal::{DIGITS_MAX, Decimal, POW10, SCALE_MAX};
pub use event::{Event, Timeline, names};
pub use lang::Lang;
pub use message::{IdKind, Identifier, Message};
pub use occasion::{Occasion, Occasions};
pub use time::{Duration, Instant, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, MICROS_SECOND, MICROS_WEEK, Period};
pub use value::Value;
pub use zone::{Date, Zone};

/// The bucket (of [`BUCKETS`]) that owns a customer: the unit of parallelism and of merging.
/// Depends on the id alone, so that every machine and every run agrees.
pub fn bucket_of(customer: &str) -> usize {
    (hash64(customer.as_bytes()) >> 58) as usize
}

/// How many buckets the customers are spread over. Fixed: files on disk depend on it.
pub const BUCKETS: usize = 64;

/// FNV-1a over bytes, finished with the splitmix64 mixer: stable for ever, used for buckets, samples and row ids.
/// Not a defence against chosen input.
pub fn hash64(bytes: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for &b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// The position of a customer in the sample of `salt`, a uniform number in `0..1_000_000`.
/// A customer is in `sample(p%, salt)` if this is below `p * 10_000`: stable, and independent across salts.
pub fn sample_position(customer: &str, salt: &str) -> u32 {
    let mut key = Vec::with_capacity(customer.len() + salt.len() + 1);
    key.extend_from_slice(salt.as_bytes());
    key.push(0);
    key.extend_from_slice(customer.as_bytes());
    ((u128::from(hash64(&key)) * 1_000_000) >> 64) as u32
}
