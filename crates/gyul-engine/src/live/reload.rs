//! A world over another base: the same log, the same people, and rows that an import brought.

use super::definitions::Definitions;
use super::harm::Harmed;
use super::record::{self, Action};
use super::world::World;
use crate::stale::Stale;
use gyul_model::{Instant, Message, Snapshot};
use gyul_profile::Identities;
use gyul_store::StoreError;
use gyul_store::log::{Entry, Reader};
use gyul_timeline::live::{Cause, Change};
use std::collections::{HashMap, HashSet};

/// Messages that are applied at once.
const STEP: usize = 50_000;

/// What the fresh world begins with.
pub struct Start {
    /// As of the last checkpoint.
    identities: Identities,
    definitions: Definitions,
    /// Whoever an erasure forgets that is under way.
    erasing: Vec<String>,
    /// How far the old world has come.
    next: u64,
    now: Instant,
}

impl Start {
    pub fn of(world: &World, identities: Identities, erasing: Vec<String>) -> Start {
        let (definitions, next, now) = (world.definitions.clone(), world.next, world.live.now());
        Start { identities, definitions, erasing, next, now }
    }
}

/// A world as a start would make it of the base and the log, so that the next start finds everybody under the same
/// names: who of a file comes before whom of the log. `log` begins at the last checkpoint.
pub fn beside(
    start: Start,
    (data, stale): (Snapshot, Stale),
    mut log: Reader,
    harmed: &Harmed,
) -> Result<World, StoreError> {
    let Start { identities, definitions, erasing, next, now } = start;
    let mut fresh = World::new(identities, definitions, data, now);
    fresh.stale = stale;
    let mut messages: Vec<(u64, Message)> = vec![];
    while let Some(entry) = log.next()? {
        let r = match entry {
            Entry::Record(r) => r,
            Entry::Damaged(d) => {
                harmed.met(&d)?;
                continue;
            }
        };
        if r.seq >= next {
            break;
        }
        match r.kind {
            record::MESSAGE => {
                if let Ok(m) = record::read_message(r.payload) {
                    messages.push((r.seq, m));
                }
            }
            record::ACTION => {
                let Ok((mut action, by)) = record::read_action(r.payload) else { continue };
                // What the numbers of customers rest on.
                use Action::{Erase, Merge, Rules, Unmerge};
                if !matches!(action, Merge { .. } | Unmerge { .. } | Erase { .. } | Rules(_)) {
                    continue;
                }
                fresh.apply(&std::mem::take(&mut messages), now);
                if let Erase { handles } = &mut action {
                    // Given in the numbers of before.
                    *handles = erasing.iter().filter_map(|n| fresh.identities.find_handle(n)).collect();
                }
                fresh.act(r.seq, r.at, &action, &by, now);
            }
            _ => {}
        }
        if messages.len() >= STEP {
            fresh.apply(&std::mem::take(&mut messages), now);
        }
    }
    fresh.apply(&messages, now);
    fresh.next = next;
    // Everybody is looked at once, when all is there; nobody is told of it.
    fresh.redefine(now);
    Ok(fresh)
}

/// Applies what the old world has applied since, and takes over what does not rest on the base.
pub fn catch_up(fresh: &mut World, old: &mut World, mut log: Reader, harmed: &Harmed) -> Result<(), StoreError> {
    let now = old.live.now();
    let mut messages: Vec<(u64, Message)> = vec![];
    while let Some(entry) = log.next()? {
        let r = match entry {
            Entry::Record(r) => r,
            Entry::Damaged(d) => {
                harmed.met(&d)?;
                continue;
            }
        };
        if r.seq >= old.next {
            break;
        }
        match r.kind {
            record::MESSAGE => {
                if let Ok(m) = record::read_message(r.payload) {
                    messages.push((r.seq, m));
                }
            }
            record::ACTION => {
                fresh.apply(&std::mem::take(&mut messages), now);
                if let Ok((action, by)) = record::read_action(r.payload) {
                    fresh.act(r.seq, r.at, &action, &by, now);
                }
            }
            _ => {}
        }
    }
    fresh.apply(&messages, now);
    fresh.next = old.next;
    fresh.access = std::mem::take(&mut old.access);
    fresh.audit = std::mem::take(&mut old.audit);
    fresh.settings = old.settings.take();
    fresh.plan = old.plan.take();
    fresh.quarantine = std::mem::take(&mut old.quarantine);
    fresh.volumes = std::mem::take(&mut old.volumes);
    fresh.control = std::mem::take(&mut old.control);
    fresh.kept = old.kept.take();
    fresh.bases = old.bases + 1;
    fresh.forgotten = std::mem::take(&mut old.forgotten);
    fresh.take_objections(std::mem::take(&mut old.objections));
    (fresh.quarantined, fresh.nobody) = (old.quarantined, old.nobody);
    // Told with the differences.
    fresh.settle();
    Ok(())
}

/// Who is in what now and was not, and the other way round, by the names that they go by. In the fresh world's numbers.
pub fn differences(old: &World, fresh: &World) -> Vec<Change> {
    let (at, mut out) = (fresh.live.now(), vec![]);
    let now_of = |o: usize| fresh.number_of(fresh.identities.find_handle(old.customer_id(o as u32))?);
    let mut numbers: HashMap<usize, Option<u32>> = HashMap::new();
    for (root, name) in fresh.live.names().iter().enumerate() {
        let Some(before) = old.live.root(name) else { continue };
        let was = old.live.members(before).iter();
        let was: HashSet<u32> = was.filter_map(|o| *numbers.entry(o).or_insert_with(|| now_of(o))).collect();
        let is = fresh.live.members(root);
        let change =
            |customer: u32, entered: bool| Change { at, root: root as u32, customer, entered, cause: Cause::Event };
        out.extend(is.iter().map(|n| n as u32).filter(|n| !was.contains(n)).map(|n| change(n, true)));
        let mut left: Vec<u32> = was.into_iter().filter(|n| !is.has(*n as usize)).collect();
        left.sort_unstable();
        out.extend(left.into_iter().map(|n| change(n, false)));
    }
    out
}
