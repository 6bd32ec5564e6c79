//! Any bytes as what the disk gives back: a record of the log, a checkpoint's state, changes; people; a segment, a segment with edits.
#![no_main]

#[path = "../../crates/gyul-store/tests/swallow/mod.rs"]
mod swallow;

use gyul_model::hash64;
use gyul_profile::{Identities, Rules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    match how % 4 {
        0 => gyul_engine::live::decode(bytes),
        1 => {
            // Behind its mark and under a checksum that is right.
            let mut whole = b"gyul-ids\x01".to_vec();
            whole.extend_from_slice(bytes);
            whole.extend(hash64(&whole).to_le_bytes());
            if let Ok(people) = Identities::load(&whole, Rules::default()) {
                assert_eq!(
                    Identities::load(&people.save(), Rules::default()).map(|p| p.save()).ok(),
                    Some(people.save())
                );
            }
        }
        2 => swallow::swallow(bytes),
        _ => swallow::swallow_edited(bytes),
    }
});
