//! Opening: base, state and log become the world as it was published last, and then as it is now.

use super::changes::{self, ChangeLog, Told};
use super::checkpoint;
use super::definitions::{DefKind, Definitions, split};
use super::harm::{Harm, Harms};
use super::hub::{Clock, Options, Seen, manifest};
use super::record;
use super::world::{Control, World, fingerprint};
use gyul_model::{Instant, Message, Snapshot};
use gyul_profile::Identities;
use gyul_store::log::{Entry, Log, Options as LogOptions};
use gyul_store::{Needs, Store, StoreError, StoreErrorKind};
use std::fs;
use std::path::Path;

pub struct Opened {
    pub world: World,
    pub changes: ChangeLog,
    pub log: Log,
    pub seen: Seen,
    /// Where the base stands in the log.
    pub settled: u64,
    /// What could not be read.
    pub harms: Vec<Harm>,
    pub lock: fs::File,
}

/// Messages that are applied at once.
const STEP: usize = 50_000;
/// Who made the definitions that a new directory begins with.
const STARTER: &str = "starter";

pub fn open(dir: &Path, options: &Options, clock: &Clock) -> Result<Opened, StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    let path = dir.join("serve.lock");
    let lock = fs::File::create(&path).map_err(StoreError::io(&path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(StoreError::new(dir, StoreErrorKind::Locked)),
        Err(fs::TryLockError::Error(e)) => return Err(StoreError::io(&path)(e)),
    }
    let manifest = manifest(dir)?;
    let settled = manifest.as_ref().map_or(0, checkpoint::position);
    let base_next = manifest.as_ref().map_or(0, |m| m.seq_next);
    let data = match &manifest {
        Some(_) => Store::open(dir)?.load(&Needs::All)?,
        None => Snapshot::default(),
    };
    let state = match settled {
        0 => None,
        _ => Some(checkpoint::get_state(dir, settled)?.ok_or_else(|| missing(dir))?),
    };
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

    // What was decided before the checkpoint, and what came since.
    let rules = options.rules.clone();
    let cut_at = state.as_ref().and_then(|s| s.at);
    let (identities, mut control, quarantine) = match state {
        Some(s) => {
            let read = Identities::load(&s.identities, rules.clone());
            let bad = |e| StoreError::new(&dir.join("state"), StoreErrorKind::Damaged(format!("{e:?}")));
            (read.map_err(bad)?, s.control, s.quarantine)
        }
        None => (Identities::new(rules.clone()), vec![], None),
    };
    if let Some(c) = control.iter().find(|c| record::is_newer(c.kind, &c.payload)) {
        return Err(newer(dir, c.kind, &c.payload));
    }
    let mut seen = Seen::default();
    let oldest = Instant(now.0.saturating_sub(options.remember));
    let mut tail: Vec<Tail> = vec![];
    let mut first_at = None;
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
        let fresh = r.seq >= settled;
        first_at = first_at.or(Some(r.at));
        match r.kind {
            record::MESSAGE if fresh || r.at >= oldest => {
                let Ok(m) = record::read_message(r.payload) else {
                    harms.unreadable(r.seq);
                    continue;
                };
                if r.at >= oldest {
                    seen.insert(r.at, fingerprint(&m));
                }
                if fresh {
                    tail.push(Tail::Message(r.seq, m));
                }
            }
            record::REJECTED if fresh || quarantine.is_none() => match record::read_rejected(r.payload) {
                Ok(rejected) => tail.push(Tail::Rejected(r.seq, r.at, rejected)),
                Err(_) => harms.unreadable(r.seq),
            },
            record::ACTION if fresh => {
                if record::read_action(r.payload).is_err() {
                    harms.unreadable(r.seq);
                    continue;
                }
                tail.push(Tail::Act(Control { seq: r.seq, at: r.at, kind: r.kind, payload: r.payload.to_vec() }));
            }
            _ => {}
        }
    }
    drop(reader);

    let defines = |c: &Control| matches!(record::read_action(&c.payload), Ok((record::Action::Define { .. }, _)));
    let none = !control.iter().any(defines) && !tail.iter().any(|t| matches!(t, Tail::Act(c) if defines(c)));
    // Power may have gone while the first of them were written.
    if none || (control.is_empty() && tail.iter().all(Tail::is_starter)) {
        let known: Vec<(DefKind, String)> = tail.iter().filter_map(Tail::defined).collect();
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
        (None, None) if settled == 0 => {
            let begun = tail.iter().find(|t| !t.is_starter()).map_or(log.next(), Tail::seq);
            (first_at.unwrap_or(now), begun)
        }
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
    let before = tail.iter().filter_map(|t| if let Tail::Act(c) = t { Some(c) } else { None });
    for c in control.iter().chain(before.filter(|c| c.seq < calm_next)) {
        if let Some((kind, id, text, by)) = definition(c) {
            definitions.propose(kind, &id, text, &by, (c.seq, c.at));
        }
        in_force(&mut definitions, c);
    }
    let mut world = World::new(identities, definitions, data, calm.min(now));
    world.next = settled;
    for c in &control {
        let Ok((action, _)) = record::read_action(&c.payload) else { continue };
        world.remember(c.seq, c.at, &action);
    }
    world.control.append(&mut control);
    let mends = quarantine.is_none();
    world.quarantined = quarantine.as_ref().map_or(0, |q| q.len() as u64);
    world.quarantine = quarantine.unwrap_or_default();
    let cut = tail.partition_point(|t| t.seq() < told_next);
    let later = tail.split_off(cut);
    // The timelines first, then who is in what: nobody asks what it was on the way.
    let between = tail.split_off(tail.partition_point(|t| t.seq() < calm_next));
    replay(&mut world, tail, calm.min(now), options, true);
    world.redefine(calm.min(now));
    // Told already.
    replay(&mut world, between, then.min(now), options, false);
    let mut told = replay(&mut world, later, now, options, false);
    let slow = world.settle();
    if told_next != u64::MAX {
        told.extend(slow);
    }
    if mends {
        world.recall_quarantine();
    }
    world.next = world.next.max(log.next());
    let torn = std::mem::take(&mut changes.torn);
    let position = (world.live.now(), world.next);
    changes.publish(position, position, changes::without(told, &torn))?;
    if let Some(m) = &manifest {
        for s in &m.streams {
            let v = world.volumes.entry(s.name.clone()).or_default();
            v.count += s.rows;
            v.first = [v.first, s.first].into_iter().flatten().min();
            v.last = v.last.max(s.last);
        }
    }
    Ok(Opened { world, changes, log, seen, settled, harms: harms.found, lock })
}

enum Tail {
    Message(u64, Message),
    Rejected(u64, Instant, record::Rejected),
    Act(Control),
}

impl Tail {
    fn defined(&self) -> Option<(DefKind, String)> {
        let Tail::Act(c) = self else { return None };
        definition(c).map(|(kind, id, ..)| (kind, id))
    }

    /// What a new directory begins with.
    fn is_starter(&self) -> bool {
        matches!(self, Tail::Act(c) if record::read_action(&c.payload).is_ok_and(|(_, by)| by == STARTER))
    }

    fn seq(&self) -> u64 {
        match self {
            Tail::Message(seq, _) | Tail::Rejected(seq, ..) => *seq,
            Tail::Act(c) => c.seq,
        }
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

/// `defined`: what the records define is known already.
fn replay(world: &mut World, tail: Vec<Tail>, now: Instant, options: &Options, defined: bool) -> Vec<Told> {
    let mut changes = vec![];
    let mut messages: Vec<(u64, Message)> = vec![];
    let mut stale = false;
    for t in tail {
        let full = messages.len() >= STEP || (!messages.is_empty() && matches!(t, Tail::Act(_)));
        if full {
            if std::mem::take(&mut stale) {
                changes.extend(world.redefine(now));
            }
            changes.extend(world.apply(&std::mem::take(&mut messages), now, &options.rules));
        }
        match t {
            Tail::Message(seq, m) => messages.push((seq, m)),
            Tail::Rejected(seq, at, r) => world.reject(seq, at, r),
            Tail::Act(c) => {
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
    changes.extend(world.apply(&messages, now, &options.rules));
    changes
}

/// A record of a later version, by the number that is higher than those known here.
fn newer(dir: &Path, kind: u8, payload: &[u8]) -> StoreError {
    let version = payload.first().copied().unwrap_or_default().max(kind);
    StoreError::new(&dir.join("log"), StoreErrorKind::Newer(version.into()))
}

fn missing(dir: &Path) -> StoreError {
    let said = "the state of the last checkpoint is missing; restore it from a backup".to_string();
    StoreError::new(&dir.join("state"), StoreErrorKind::Damaged(said))
}
