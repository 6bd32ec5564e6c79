//! The log behind the base, record by record: what a start still has to take in. It is read twice, first for what was
//! decided and which messages came, then to apply them, so that millions of messages are never in memory together.

use super::harm::Harms;
use super::record;
use super::world::{Control, fingerprint_of};
use super::writing::Seen;
use gyul_model::{Instant, Message};
use gyul_store::log::{Entry, Log, Reader};
use gyul_store::{StoreError, StoreErrorKind};
use std::path::Path;

/// Who made the definitions that a new directory begins with.
pub const STARTER: &str = "starter";

pub enum Item {
    Message(u64, Message),
    Rejected(u64, Instant, record::Rejected),
    Act(Control),
}

impl Item {
    fn seq(&self) -> u64 {
        match self {
            Item::Message(seq, _) | Item::Rejected(seq, ..) => *seq,
            Item::Act(c) => c.seq,
        }
    }
}

/// What the first look finds.
#[derive(Default)]
pub struct Look {
    pub seen: Seen,
    /// Decisions that the base's state does not have.
    pub acts: Vec<Control>,
    /// When the first record came.
    pub first_at: Option<Instant>,
    /// The first record behind the base that is more than what a new directory begins with.
    pub begun: Option<u64>,
}

/// The records that are to be applied, in their order.
pub struct Tail {
    log: Reader,
    settled: u64,
    /// Rejected messages from before the base too: its state was written before they were kept there.
    all_rejected: bool,
    ahead: Option<Item>,
    /// Records whose checksum is right and whose content is not.
    pub unreadable: Vec<u64>,
}

impl Tail {
    /// As far as the log goes now.
    pub fn new(log: &Log, settled: u64, all_rejected: bool) -> Tail {
        let from = if all_rejected { log.first() } else { settled };
        Tail { log: log.read(from), settled, all_rejected, ahead: None, unreadable: vec![] }
    }

    /// The first look, at the whole log: ids of messages since `oldest` are remembered.
    /// What cannot be read is told; what only a later Gyul knows is refused.
    pub fn look(dir: &Path, log: &Log, settled: u64, oldest: Instant, harms: &mut Harms) -> Result<Look, StoreError> {
        let mut look = Look::default();
        let mut reader = log.read(log.first());
        while let Some(entry) = reader.next()? {
            let r = match entry {
                Entry::Record(r) => r,
                Entry::Damaged(damage) => {
                    harms.damage(&damage);
                    continue;
                }
            };
            if record::is_newer(r.kind, r.payload) {
                return Err(newer(dir, r.kind, r.payload));
            }
            look.first_at = look.first_at.or(Some(r.at));
            let fresh = r.seq >= settled;
            let mut own = fresh && matches!(r.kind, record::MESSAGE | record::REJECTED);
            if r.kind == record::MESSAGE
                && r.at >= oldest
                && let Ok((source, id)) = record::read_id(r.payload)
            {
                look.seen.insert(r.at, fingerprint_of(source, id));
            }
            if r.kind == record::ACTION && fresh {
                if record::read_action(r.payload).is_err() {
                    harms.unreadable(r.seq);
                    continue;
                }
                own = !is_starter(r.payload);
                look.acts.push(Control { seq: r.seq, at: r.at, kind: r.kind, payload: r.payload.to_vec() });
            }
            if own {
                look.begun = look.begun.or(Some(r.seq));
            }
        }
        Ok(look)
    }

    /// The next one before a number.
    pub fn before(&mut self, seq: u64) -> Result<Option<Item>, StoreError> {
        if self.ahead.is_none() {
            self.ahead = self.read()?;
        }
        Ok(self.ahead.take_if(|item| item.seq() < seq))
    }

    fn read(&mut self) -> Result<Option<Item>, StoreError> {
        while let Some(entry) = self.log.next()? {
            let Entry::Record(r) = entry else { continue };
            let fresh = r.seq >= self.settled;
            match r.kind {
                record::MESSAGE if fresh => match record::read_message(r.payload) {
                    Ok(m) => return Ok(Some(Item::Message(r.seq, m))),
                    Err(_) => self.unreadable.push(r.seq),
                },
                record::REJECTED if fresh || self.all_rejected => match record::read_rejected(r.payload) {
                    Ok(rejected) => return Ok(Some(Item::Rejected(r.seq, r.at, rejected))),
                    Err(_) => self.unreadable.push(r.seq),
                },
                record::ACTION if fresh => {
                    let payload = r.payload.to_vec();
                    return Ok(Some(Item::Act(Control { seq: r.seq, at: r.at, kind: r.kind, payload })));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A record of a later version, by the number that is higher than those known here.
pub fn newer(dir: &Path, kind: u8, payload: &[u8]) -> StoreError {
    let version = payload.first().copied().unwrap_or_default().max(kind);
    StoreError::new(&dir.join("log"), StoreErrorKind::Newer(version.into()))
}

/// What a new directory begins with.
fn is_starter(payload: &[u8]) -> bool {
    record::read_action(payload).is_ok_and(|(_, by)| by == STARTER)
}
