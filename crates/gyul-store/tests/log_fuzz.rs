//! No bytes make a log panic, and it goes on behind whatever it made of them.

mod swallow;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_a_log_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        swallow::swallow(&bytes);
    }

    #[test]
    fn a_log_of_which_some_bytes_are_others_is_read_as_far_as_it_is_good(edits in prop::collection::vec(any::<u8>(), 0..60)) {
        swallow::swallow_edited(&edits);
    }

    #[test]
    fn edits_near_frames(edits in prop::collection::vec((0_u16..1500, any::<u8>()), 1..12)) {
        let edits: Vec<u8> = edits.iter().flat_map(|(at, b)| [at.to_le_bytes()[0], at.to_le_bytes()[1], *b]).collect();
        swallow::swallow_edited(&edits);
    }
}
