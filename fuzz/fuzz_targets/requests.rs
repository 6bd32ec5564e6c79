//! Any bytes as the body of a request, of every sender we know.
#![no_main]

#[path = "../../crates/gyul-ingest/tests/http/feed.rs"]
mod feed;

use gyul_model::Instant;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| feed::feed(bytes, Instant(1_795_316_645_123_000)));
