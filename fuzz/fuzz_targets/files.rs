//! Any bytes as a text file: the first says of which kind and in what portions it is read. It is no part of the file, so that
//! binary samples come without their mark: the Parquet library panics on some damaged pages, which fuzzing them found.
#![no_main]

#[path = "../../crates/gyul-ingest/tests/swallow/mod.rs"]
mod swallow;

use gyul_ingest::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let kind = [Kind::Orders, Kind::Events, Kind::Profiles][usize::from(how % 3)];
    swallow::swallow(kind, bytes, if how & 0x80 == 0 { 1 << 20 } else { 64 });
});
