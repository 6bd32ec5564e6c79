//! Opening: base, state and log become the world as it was published last, and then as it is now.

use super::changes::{self, ChangeLog, Told};
use super::checkpoint;
use super::definitions::{DefKind, Definitions, split};
use super::harm::{Harmed, Harms};
use super::hub::{Clock, Options, manifest};
use super::keeping::{self, tell_as};
use super::record;
use super::reload;
use super::tail::{Item, Look, STARTER, Tail, newer};
use super::world::{Control, World};
use super::writing::Seen;
use crate::stale::Stale;
use gyul_model::{Instant, Message, Snapshot};
use gyul_profile::{Identities, Rules};
use gyul_store::log::{Log, Options as LogOptions};
use gyul_store::{Manifest, Policy, Store, StoreError, StoreErrorKind};
use std::fs;
use std::path::Path;

pub struct Opened {
    pub world: World,
    pub changes: ChangeLog,
    pub log: Log,
    pub seen: Seen,
    /// Where the base stands in the log.
    pub settled: u64,
    /// The base that the world rests on, where rows have come in beside it that nobody was told of.
    pub before: Option<Manifest>,
    /// What could not be read.
    pub harmed: Harmed,
    pub lock: fs::File,
}

/// Messages that are applied at once.
const STEP: usize = 50_000;

/// Events of a tail that are worth writing into the base's columns in memory.
const LONG: usize = 500_000;

pub fn open(dir: &Path, options: &Options, clock: &Clock) -> Result<Opened, StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    let path = dir.join("serve.lock");
    let lock = fs::File::create(&path).map_err(StoreError::io(&path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(StoreError::new(dir, StoreErrorKind::Locked)),
        Err(fs::TryLockError::Error(e)) => return Err(StoreError::io(&path)(e)),
    }
    let mut manifest = manifest(dir)?;
    let settled = manifest.as_ref().map_or(0, checkpoint::position);
    let base_next = manifest.as_ref().map_or(0, |m| m.seq_next);
    let state = state(dir, settled)?;
    let segment_bytes = options.segment_bytes;
    let log_options = LogOptions { first: base_next, check_all: false, segment_bytes, ..LogOptions::default() };
    let disk = |name: &str| options.disks.as_ref().map(|disks| disks(name));
    let (mut log, recovered) = match disk("log") {
        Some(disk) => Log::open_on(disk, LogOptions { ahead: false, salt: Some(1), ..log_options })?,
        None => Log::open(dir, log_options)?,
    };
    let mut harms = Harms::default();
    harms.opened(&recovered);
    let now = clock();
    if log.next() < base_next {
        // A file was imported meanwhile: its rows have these numbers.
        while log.next() < base_next {
            let span = (base_next - log.next()).min(u32::MAX.into()) as u32;
            log.append(record::SKIP, now, span, &[])?;
            log.commit()?;
        }
    }
    let mut changes = ChangeLog::open(dir, segment_bytes / 4, disk("changes"), &mut harms)?;

    // A world over the base that was told of: the same people under the same numbers, and nothing in it that nobody heard.
    let before = manifest.as_ref().and_then(|m| m.before.as_deref()).filter(|b| changes.base <= b.generation).cloned();
    if let Some(m) = manifest.as_mut().filter(|m| before.is_none() && m.before.is_some()) {
        m.before = None;
        m.write(dir)?;
    }
    let declared = manifest.as_ref().and_then(|m| m.policy.clone());
    let manifest = before.clone().or(manifest);
    changes.base = manifest.as_ref().map_or(0, |m| m.generation);

    // What was decided before the checkpoint, and what came since.
    let rules = state.as_ref().and_then(decided_rules).unwrap_or_else(|| options.rules.clone());
    let cut_at = state.as_ref().and_then(|s| s.at);
    // What was told up to here was told without the events before this.
    let told_without = match changes.published {
        Some((_, next)) if next > settled => changes.kept,
        _ => state.as_ref().and_then(|s| s.kept),
    };
    let told_without = told_without.unwrap_or(manifest.as_ref().and_then(|m| m.policy.as_ref()).map(|p| p.from));
    let (identities, mut control, quarantine) = match state {
        Some(s) => (s.people(dir, &rules)?, s.control, s.quarantine),
        None => (Identities::new(rules), vec![], None),
    };
    if let Some(c) = control.iter().find(|c| record::is_newer(c.kind, &c.payload)) {
        return Err(newer(dir, c.kind, &c.payload));
    }
    let oldest = Instant(now.0.saturating_sub(options.remember));
    let Look { seen, acts, first_at, begun } = Tail::look(dir, &log, settled, oldest, &mut harms)?;
    let mut tail = Tail::new(&log, settled, quarantine.is_none());

    let defines = |c: &Control| matches!(record::read_action(&c.payload), Ok((record::Action::Define { .. }, _)));
    let none = !control.iter().chain(&acts).any(defines);
    // Power may have gone while the first of them were written.
    if none || (control.is_empty() && begun.is_none()) {
        let defined = acts.iter().filter_map(definition).map(|(kind, id, ..)| (kind, id));
        let known: Vec<(DefKind, String)> = defined.collect();
        // A new directory begins with the starter library, as its own.
        for (name, text) in &options.starter {
            for (kind, id, text) in split(text) {
                let id = if id.is_empty() { name.replace(['/', '.'], "-") } else { id };
                if known.contains(&(kind, id.clone())) {
                    continue;
                }
                let define = record::Action::Define { kind: kind.name().into(), id, text: Some(text) };
                let payload = record::action(&define, STARTER);
                let seq = log.append(record::ACTION, now, 1, &payload)?;
                control.push(Control { seq, at: now, kind: record::ACTION, payload });
            }
        }
        log.commit()?;
    }
    // As it was published last, so that what changed since is told, and nothing else.
    let (then, told_next) = match (changes.published, cut_at) {
        // The checkpoint came after it, and between the two nothing changed. What the base has taken in meanwhile must not
        // be seen from the earlier instant.
        (Some((at, next)), Some(cut)) if next <= settled => (at.max(cut), settled),
        (Some(published), _) => published,
        (None, Some(cut)) => (cut, settled),
        // Nothing was ever told: nothing changed since the beginning, which is what the directory began with.
        (None, None) if settled == 0 => (first_at.unwrap_or(now), begun.unwrap_or(log.next())),
        (None, None) => (now, u64::MAX),
    };
    // Slow ranks are sorted out now and then: what was told up to there was told by the thresholds of the last time.
    let (calm, calm_next) = match (changes.published, changes.sorted) {
        (Some(published), Some(sorted))
            if published.1 == told_next && (settled..=told_next).contains(&sorted.1) && Some(sorted.0) >= cut_at =>
        {
            sorted
        }
        _ => (then, told_next),
    };
    let mut definitions = Definitions::default();
    for c in control.iter().chain(acts.iter().filter(|c| c.seq < calm_next)) {
        if let Some((kind, id, text, by)) = definition(c) {
            definitions.propose(kind, &id, text, &by, (c.seq, c.at));
        }
        in_force(&mut definitions, c);
    }
    let without = told_without.map(|from| Policy { said: String::new(), from });
    let (data, stale) = load(dir, manifest.as_ref(), without)?;
    let mut world = World::new(identities, definitions, data, calm.min(now));
    (world.stale, world.kept) = (stale, declared.clone());
    world.next = settled;
    for c in &control {
        let Ok((action, _)) = record::read_action(&c.payload) else { continue };
        world.remember(c.seq, c.at, &action);
    }
    world.control.append(&mut control);
    let mends = quarantine.is_none();
    world.quarantined = quarantine.as_ref().map_or(0, |q| q.len() as u64);
    world.quarantine = quarantine.unwrap_or_default();
    // The timelines first, then who is in what: nobody asks what it was on the way.
    replay(&mut world, &mut tail, calm_next, calm.min(now), true)?;
    if world.live.fresh_events() > LONG {
        // Most customers have something of a long tail: in the base it is small, and everybody is looked at in place.
        world.live.compact();
    }
    world.redefine(calm.min(now));
    // Told already.
    replay(&mut world, &mut tail, told_next, then.min(now), false)?;
    let mut told = replay(&mut world, &mut tail, u64::MAX, now, false)?;
    let slow = world.settle();
    if told_next != u64::MAX {
        told.extend(slow);
    }
    if mends {
        world.recall_quarantine();
    }
    world.next = world.next.max(log.next());
    tail.unreadable.iter().for_each(|seq| harms.unreadable(*seq));
    let harmed = Harmed::since(harms);
    if world.kept.as_ref().map(|p| p.from) != told_without {
        // It was decided, and not in force yet when the machine died.
        let base = load(dir, manifest.as_ref(), world.kept.clone())?;
        let people = self::identities(dir, settled, &options.rules)?;
        let start = reload::Start::of(&world, people, super::erase::pending_names(dir)?);
        let mut fresh = reload::beside(start, base, log.read(settled), &harmed)?;
        let more = log.read(fresh.next);
        reload::catch_up(&mut fresh, &mut world, more, &harmed)?;
        let changes = reload::differences(&world, &fresh);
        world = fresh;
        if told_next != u64::MAX {
            told.extend(tell_as("retention", &mut world, &changes));
        }
    }
    world.stale.policy = world.kept.clone();
    if declared != world.kept {
        // The command line goes by the manifest.
        keeping::declare(dir, &world.kept, options)?;
    }
    let torn = std::mem::take(&mut changes.torn);
    let position = (world.live.now(), world.next);
    changes.publish(position, world.told_by(), changes::without(changes::net(told), &torn))?;
    if let Some(m) = &manifest {
        for s in &m.streams {
            let v = world.volumes.entry(s.name.clone()).or_default();
            v.count += s.rows;
            v.first = [v.first, s.first].into_iter().flatten().min();
            v.last = v.last.max(s.last);
        }
    }
    Ok(Opened { world, changes, log, seen, settled, before, harmed, lock })
}

/// A base, if there is one yet, without what a policy leaves out of it.
pub fn load(dir: &Path, manifest: Option<&Manifest>, policy: Option<Policy>) -> Result<(Snapshot, Stale), StoreError> {
    let Some(manifest) = manifest.filter(|m| m.generation > 0) else {
        return Ok((Snapshot::default(), Stale::new(policy, 0)));
    };
    let store = Store::of(dir, manifest.clone());
    let whole = store.load_whole()?;
    let data = match &policy {
        Some(p) => whole.since(p.from),
        None => whole,
    };
    let left_out = store.events_beside_traits().saturating_sub(data.events_beside_traits());
    Ok((data, Stale::new(policy, left_out)))
}

/// The rules that were decided last before a checkpoint, if any were.
fn decided_rules(state: &checkpoint::State) -> Option<Rules> {
    state.control.iter().rev().find_map(|c| match record::read_action(&c.payload) {
        Ok((record::Action::Rules(rules), _)) => Some(*rules),
        _ => None,
    })
}

/// What the last checkpoint took along.
fn state(dir: &Path, settled: u64) -> Result<Option<checkpoint::State>, StoreError> {
    match settled {
        0 => Ok(None),
        _ => Ok(Some(checkpoint::get_state(dir, settled)?.ok_or_else(|| missing(dir))?)),
    }
}

/// Who was known at the last checkpoint. `rules`: unless others were decided.
pub fn identities(dir: &Path, settled: u64, rules: &Rules) -> Result<Identities, StoreError> {
    match state(dir, settled)? {
        Some(s) => s.people(dir, &decided_rules(&s).unwrap_or_else(|| rules.clone())),
        None => Ok(Identities::new(rules.clone())),
    }
}

/// What a record puts in force.
fn in_force(definitions: &mut Definitions, c: &Control) {
    match record::read_action(&c.payload) {
        Ok((record::Action::Define { .. }, _)) => definitions.enforce(c.seq),
        Ok((record::Action::InForce { upto }, _)) => definitions.enforce(upto),
        _ => {}
    }
}

/// What a record defines.
fn definition(c: &Control) -> Option<(DefKind, String, Option<String>, String)> {
    match record::read_action(&c.payload) {
        Ok((record::Action::Define { kind, id, text } | record::Action::Propose { kind, id, text }, by)) => {
            Some((DefKind::parse(&kind)?, id, text, by))
        }
        _ => None,
    }
}

/// Applies the records before `upto`. `defined`: what they define is known already.
fn replay(world: &mut World, tail: &mut Tail, upto: u64, now: Instant, defined: bool) -> Result<Vec<Told>, StoreError> {
    let mut changes = vec![];
    let mut messages: Vec<(u64, Message)> = vec![];
    let mut stale = false;
    while let Some(item) = tail.before(upto)? {
        let full = messages.len() >= STEP || (!messages.is_empty() && matches!(item, Item::Act(_)));
        if full {
            if std::mem::take(&mut stale) {
                changes.extend(world.redefine(now));
            }
            changes.extend(world.apply(&std::mem::take(&mut messages), now));
        }
        match item {
            Item::Message(seq, m) => messages.push((seq, m)),
            Item::Rejected(seq, at, r) => world.reject(seq, at, r),
            Item::Act(c) => {
                match (definition(&c), record::read_action(&c.payload)) {
                    // Several in a row are put in force at once.
                    (Some((kind, id, text, by)), _) if !defined => {
                        world.definitions.propose(kind, &id, text, &by, (c.seq, c.at));
                        let before = world.definitions.proposed();
                        in_force(&mut world.definitions, &c);
                        stale |= before != world.definitions.proposed();
                    }
                    (None, Ok((record::Action::InForce { upto }, _))) => {
                        world.definitions.enforce(upto);
                        stale |= !defined;
                    }
                    (None, Ok((action, by))) => changes.extend(world.act(c.seq, c.at, &action, &by, now).1),
                    _ => {}
                }
                world.control.push(c);
            }
        }
    }
    if stale {
        changes.extend(world.redefine(now));
    }
    changes.extend(world.apply(&messages, now));
    Ok(changes)
}

fn missing(dir: &Path) -> StoreError {
    let said = "the state of the last checkpoint is missing; restore it from a backup".to_string();
    StoreError::new(&dir.join("state"), StoreErrorKind::Damaged(said))
}
