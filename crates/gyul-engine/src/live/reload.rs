//! A world over another base: the same log, the same people, and rows that an import brought.

use super::definitions::Definitions;
use super::harm::Harmed;
use super::record;
use super::world::{Told, World};
use crate::stale::Stale;
use gyul_model::{Instant, Message, Snapshot};
use gyul_profile::Identities;
use gyul_store::StoreError;
use gyul_store::log::{Entry, Reader};
use gyul_timeline::live::{Cause, Change};
use std::collections::HashMap;

/// Messages that are applied at once.
const STEP: usize = 50_000;

/// What the fresh world begins with: copied, so that the old one goes on.
pub struct Start {
    identities: Identities,
    definitions: Definitions,
    owners: Vec<(u64, u32)>,
    next: u64,
    now: Instant,
}

impl Start {
    pub fn of(world: &World) -> Start {
        Start {
            identities: world.identities.clone(),
            definitions: world.definitions.clone(),
            owners: world.owners.clone(),
            next: world.next,
            now: world.live.now(),
        }
    }
}

/// The world as it was, over another base. `log` begins where the base ends.
pub fn beside(
    start: Start,
    (data, stale): (Snapshot, Stale),
    mut log: Reader,
    harmed: &Harmed,
) -> Result<World, StoreError> {
    let Start { identities, definitions, owners, next, now } = start;
    let mut fresh = World::new(identities, definitions, data, now);
    fresh.stale = stale;
    fresh.next = next;
    let known: HashMap<u64, u32> = owners.iter().copied().collect();
    fresh.owners = owners;
    let mut events: Vec<(u32, gyul_model::Event)> = vec![];
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
        let (record::MESSAGE, Some(&owner)) = (r.kind, known.get(&r.seq)) else { continue };
        let Ok(m) = record::read_message(r.payload) else { continue };
        let number = fresh.numbered(owner);
        events.extend(m.events_at(r.seq).filter(|e| !fresh.stale.takes(e)).map(|e| (number, e)));
        if events.len() >= STEP {
            Told::Tick(now, std::mem::take(&mut events)).tell(&mut fresh.live);
        }
    }
    Told::Tick(now, events).tell(&mut fresh.live);
    fresh.regroup_all();
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

/// Who is in what now and was not, and the other way round. In the fresh world's numbers.
pub fn differences(old: &World, fresh: &World) -> Vec<Change> {
    let (at, mut out) = (fresh.live.now(), vec![]);
    let head = |world: &World, handle: u32| Some(world.live.head(world.number_of(handle)?));
    for (root, name) in fresh.live.names().iter().enumerate() {
        let Some(before) = old.live.names().iter().position(|n| n == name) else { continue };
        let (was, is) = (old.live.members(before), fresh.live.members(root));
        let mut change = |customer: u32, entered: bool| {
            out.push(Change { at, root: root as u32, customer, entered, cause: Cause::Event });
        };
        for n in is.iter().map(|n| n as u32) {
            let known = fresh.handle_of(n).and_then(|h| head(old, h));
            if !known.is_some_and(|o| was.has(o as usize)) {
                change(n, true);
            }
        }
        for o in was.iter().map(|n| n as u32) {
            if let Some(n) = old.handle_of(o).and_then(|h| head(fresh, h)).filter(|n| !is.has(*n as usize)) {
                change(n, false);
            }
        }
    }
    out
}
