//! Any bytes as a file: their last says of which kind it is and in what portions it is read.
#![no_main]

#[path = "../../crates/gyul-ingest/tests/swallow/mod.rs"]
mod swallow;

use gyul_ingest::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // libFuzzer's hook ends the process with any panic. Those of the Parquet and Excel libraries on damaged files are
    // caught and become errors; what nobody catches still ends it.
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| {
        let Some(how) = bytes.last() else { return };
        let kind = [Kind::Orders, Kind::Events, Kind::Profiles][usize::from(how % 3)];
        swallow::swallow(kind, bytes, if how & 0x40 == 0 { 1 << 20 } else { 64 });
    }
);
