//! All decoders of what the disk gives back, for whoever feeds them anything: fuzzing, and the random test below.

use super::record::{action, message, read_action, read_id, read_message, read_rejected, rejected};
use super::{changes, checkpoint};

/// Reads bytes as everything that lies on the disk, behind the checksums. What reads is written and read again as the same; the
/// rest is refused. Nothing panics.
pub fn decode(bytes: &[u8]) {
    if let Ok(m) = read_message(bytes) {
        assert_eq!(read_id(bytes), Ok((m.source, m.id.as_str())));
        assert_eq!(read_message(&message(&m).1).as_ref(), Ok(&m));
    }
    if let Ok(r) = read_rejected(bytes) {
        assert_eq!(read_rejected(&rejected(&r)), Ok(r));
    }
    if let Ok((a, by)) = read_action(bytes) {
        assert_eq!(read_action(&action(&a, &by)), Ok((a, by)));
    }
    if let Ok(state) = checkpoint::read(bytes) {
        assert_eq!(checkpoint::read(&checkpoint::bytes(&state)), Ok(state));
    }
    changes::again(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::checkpoint::State;
    use crate::live::record::{Action, Rejected};
    use gyul_sim::random::Rng;

    #[test]
    fn no_bytes_make_a_decoder_panic() {
        let r = rejected(&Rejected { content: "{}".into(), ..Rejected::default() });
        let a = action(&Action::Erase { handles: vec![1, 300] }, "min");
        let state = checkpoint::bytes(&State { identities: vec![1; 9], ..State::default() });
        // A change stream's chunk: step, count, one change, rest, where ranks were sorted, base.
        let chunk = b"\x02\x09\x01\x02\x01C\x01w\x05event\x01\x00\x02\x09\x07".to_vec();
        let samples = [r, a, state, chunk, vec![0xff; 12]];
        let mut rng = Rng::new(1);
        for _ in 0..20_000 {
            let mut bytes = samples[rng.below(samples.len())].clone();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(bytes.len() + 1);
                match rng.below(3) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, rng.below(256) as u8),
                    _ => bytes.get_mut(at).into_iter().for_each(|b| *b = rng.below(256) as u8),
                }
            }
            decode(&bytes);
        }
    }
}
