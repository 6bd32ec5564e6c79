//! Any text as a condition and as a file of definitions.
#![no_main]

#[path = "../../crates/gyul-segment/tests/reads/mod.rs"]
mod reads;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| reads::reads(text));
