//! All that follows from the log: who is who, who is in what, what is defined. Changes only by applying records.

use super::changes::{self, By};
use super::definitions::{DefKind, Definitions};
use super::erase::names_somebody;
use super::objection::Objections;
use super::record::{self, Action, Rejected};
use crate::library::schema_of;
use crate::stale::{LeftOut, Stale};
use gyul_model::{Event, IdKind, Identifier, Instant, Message, Snapshot, Timeline, hash64, names};
use gyul_profile::{Change as Joined, Identities, Said};
use gyul_segment::Schema;
use gyul_store::Policy;
use gyul_timeline::Timelines;
use gyul_timeline::live::{Cause, Change, Live};
use std::collections::{BTreeMap, BTreeSet};

/// No number: the handle has no timeline yet.
const NONE: u32 = u32::MAX;

/// Rejected messages that are kept at hand; older ones are in the log alone.
pub const QUARANTINE_MAX: usize = 100_000;

/// What was seen of one event name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    pub count: u64,
    pub first: Option<Instant>,
    /// When it last came, by the server's clock.
    pub last: Option<Instant>,
}

/// A record that is no message: kept from checkpoint to checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    pub seq: u64,
    pub at: Instant,
    pub kind: u8,
    pub payload: Vec<u8>,
}

pub struct World {
    pub identities: Identities,
    pub live: Live,
    pub definitions: Definitions,
    pub access: Vec<Vec<u8>>,
    pub audit: Vec<(u64, Vec<u8>)>,
    pub settings: Option<Vec<u8>>,
    pub plan: Option<String>,
    pub quarantine: BTreeMap<u64, (Instant, Rejected)>,
    pub quarantined: u64,
    pub volumes: BTreeMap<String, Volume>,
    /// Messages whose names name nobody that may be known.
    pub nobody: u64,
    /// Behind the last record that was applied.
    pub next: u64,
    pub control: Vec<Control>,
    /// What the timelines were told since another one is being worked out beside them.
    pub journal: Option<Vec<Told>>,
    /// Whose message it was: (seq, handle), since the last checkpoint.
    pub owners: Vec<(u64, u32)>,
    /// Where slow ranks were sorted out last: an instant, and behind which record.
    pub sorted: (Instant, u64),
    /// What is too old to be looked at.
    pub stale: Stale,
    /// What was decided of that last; in force once the base is looked at by it.
    pub kept: Option<Policy>,
    /// How often another base came under it.
    pub bases: u64,
    /// Names of the people whose erasure was applied and is not through yet: what they have to be looked for by.
    pub forgotten: BTreeSet<String>,
    pub(super) objections: Objections,
    /// Timeline number by handle, and the other way round.
    numbers: Vec<u32>,
    handles: Vec<u32>,
}

/// What the timelines are told.
pub enum Told {
    Tick(Instant, Vec<(u32, Event)>),
    Add(String),
    /// The head first.
    Group(Vec<u32>),
    Erase(u32),
}

impl Told {
    pub fn tell(self, live: &mut Live) {
        match self {
            Told::Tick(now, fresh) => drop(live.tick(now, &fresh)),
            Told::Add(id) => {
                live.add(&id);
            }
            Told::Group(numbers) => live.group(numbers[0], &numbers),
            Told::Erase(number) => live.erase(number),
        }
    }
}

/// What an action came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    /// The merge's number.
    Merged(u32),
    /// The definition's version.
    Version(u32),
    /// Things as they are do not allow it.
    Refused(&'static str),
}

impl World {
    /// `identities`: as of a checkpoint, the base's customers are added. Membership comes with [`World::redefine`].
    pub fn new(mut identities: Identities, definitions: Definitions, data: Snapshot, at: Instant) -> World {
        let mut numbers: Vec<u32> = vec![];
        let mut handles: Vec<u32> = vec![];
        let mut base = 0;
        identities.reserve(data.customers());
        let mut note = |handle: u32, number: usize| {
            numbers.resize(numbers.len().max(handle as usize + 1), NONE);
            handles.resize(handles.len().max(number + 1), NONE);
            (numbers[handle as usize], handles[number]) = (number as u32, handle);
        };
        for bucket in &data.buckets {
            for c in 0..bucket.customers.len() {
                if let Some(handle) = bucket.customers.get(c).and_then(|id| identities.register(id)) {
                    note(handle, base + c);
                }
            }
            base += bucket.customers.len().div_ceil(64) * 64;
        }
        let (library, _) = gyul_segment::load(&[], None);
        let live = Live::new(library, data, at);
        let mut world = World {
            identities,
            live,
            definitions,
            access: vec![],
            audit: vec![],
            settings: None,
            plan: None,
            quarantine: BTreeMap::new(),
            quarantined: 0,
            volumes: BTreeMap::new(),
            nobody: 0,
            next: 0,
            control: vec![],
            journal: None,
            owners: vec![],
            sorted: (at, 0),
            stale: Stale::default(),
            kept: None,
            bases: 0,
            forgotten: BTreeSet::new(),
            objections: Objections::default(),
            numbers,
            handles,
        };
        world.regroup_all();
        world
    }

    pub fn schema(&self) -> Schema {
        let streams = self.live.schema().to_vec();
        schema_of(&Snapshot { streams, buckets: vec![], arrivals: vec![] })
    }

    /// Takes in messages that are in the log, with the numbers of their first events, and what the clock did until `now`.
    pub fn apply(&mut self, messages: &[(u64, Message)], now: Instant) -> Vec<changes::Told> {
        let mut fresh: Vec<(u32, Event)> = vec![];
        let mut regroup: BTreeSet<u32> = BTreeSet::new();
        for (seq, m) in messages {
            self.next = self.next.max(seq + m.events.len().max(1) as u64);
            let said = Said { seq: *seq, at: m.ts, verified: self.identities.rules().believes(m.source) };
            let Ok(seen) = self.identities.hear(&m.who, m.previous.as_ref(), said) else {
                self.nobody += 1;
                continue;
            };
            for change in &seen.changes {
                match change {
                    Joined::Joined { into, .. } => regroup.insert(*into),
                    Joined::Parted { head, out, .. } => regroup.insert(*head) | regroup.insert(*out),
                    Joined::Refused { .. } => false,
                };
            }
            if m.events.is_empty() {
                continue;
            }
            self.owners.push((*seq, seen.handle));
            let (number, new) = self.number(seen.handle);
            if new && self.identities.handles_of(self.identities.head_of(seen.handle)).len() > 1 {
                regroup.insert(seen.handle);
            }
            for e in m.events_at(*seq) {
                match self.volumes.get_mut(&e.name) {
                    Some(v) => {
                        v.count += 1;
                        v.last = Some(now);
                    }
                    None => {
                        let v = Volume { count: 1, first: Some(now), last: Some(now) };
                        self.volumes.insert(e.name.clone(), v);
                    }
                }
                if !self.stale.takes(&e) {
                    fresh.push((number, e));
                }
            }
        }
        let heads: BTreeSet<u32> = regroup.into_iter().map(|h| self.identities.head_of(h)).collect();
        heads.into_iter().for_each(|h| self.regroup(h));
        self.tick(now, fresh)
    }

    fn tick(&mut self, now: Instant, fresh: Vec<(u32, Event)>) -> Vec<changes::Told> {
        let changes = self.live.tick(now, &fresh);
        self.note(|| Told::Tick(now, fresh));
        self.tell(&changes)
    }

    /// Changes with names instead of numbers, by the definitions that they come from: others give a root another number.
    pub fn tell(&mut self, changes: &[Change]) -> Vec<changes::Told> {
        self.unless_they_object(changes, |world, c| changes::Told {
            offset: 0,
            at: c.at,
            customer: world.customer_id(c.customer).into(),
            what: world.live.names().get(c.root as usize).cloned().unwrap_or_default(),
            entered: c.entered,
            cause: cause_name(c.cause).into(),
        })
    }

    /// Sorts out what only a look at everybody tells.
    pub fn settle(&mut self) -> Vec<changes::Told> {
        let changes = self.live.settle();
        self.sorted = (self.live.now(), self.next);
        self.tell(&changes)
    }

    /// What is told now is told by this.
    pub fn told_by(&self) -> By {
        let sorted = if self.live.has_slow_ranks() { self.sorted } else { (self.live.now(), self.next) };
        By { sorted, kept: self.stale.from() }
    }

    fn note(&mut self, told: impl FnOnce() -> Told) {
        if let Some(journal) = &mut self.journal {
            journal.push(told());
        }
    }

    /// Takes in a decision that is in the log. Changes of membership come with it.
    pub fn act(
        &mut self,
        seq: u64,
        at: Instant,
        action: &Action,
        by: &str,
        now: Instant,
    ) -> (Outcome, Vec<changes::Told>) {
        self.next = self.next.max(seq + 1);
        let mut changes = vec![];
        let outcome = match action {
            Action::Define { kind, id, text } => match DefKind::parse(kind) {
                None => Outcome::Refused("kind"),
                Some(kind) => {
                    let version = self.definitions.put(kind, id, text.clone(), by, (seq, at));
                    self.definitions.enforce(seq);
                    changes.extend(self.redefine(now));
                    Outcome::Version(version)
                }
            },
            Action::Propose { kind, id, text } => match DefKind::parse(kind) {
                None => Outcome::Refused("kind"),
                Some(kind) => Outcome::Version(self.definitions.propose(kind, id, text.clone(), by, (seq, at))),
            },
            Action::InForce { upto } => {
                self.definitions.enforce(*upto);
                changes.extend(self.redefine(now));
                Outcome::Done
            }
            Action::Merge { into, from } => {
                let find = |id: &str| self.identities.find(&Identifier::of_handle(id));
                match (find(into), find(from)) {
                    (Some(a), Some(b)) => match self.identities.merge(a, b, seq, at, by) {
                        Ok(Joined::Joined { merge, into, .. }) => {
                            self.regroup(into);
                            changes.extend(self.tick(now, vec![]));
                            Outcome::Merged(merge)
                        }
                        Ok(_) => Outcome::Done,
                        Err(_) => Outcome::Refused("merge"),
                    },
                    _ => Outcome::Refused("unknown"),
                }
            }
            Action::Unmerge { merge } => match self.identities.unmerge(*merge, seq, at, by) {
                Ok(Joined::Parted { head, out, .. }) => {
                    self.regroup(head);
                    self.regroup(out);
                    changes.extend(self.tick(now, vec![]));
                    Outcome::Done
                }
                Ok(_) => Outcome::Done,
                Err(_) => Outcome::Refused("unmerge"),
            },
            Action::Erase { handles } => {
                let mut names: Vec<String> = vec![];
                let mut gone: BTreeSet<u32> = handles.iter().copied().collect();
                for handle in handles {
                    // Whoever has become one with them since the order was given is the same person.
                    for e in self.identities.erase(self.identities.head_of(*handle)) {
                        gone.insert(e.handle);
                        names.push(e.id.handle());
                    }
                }
                for handle in &gone {
                    if let Some(&number) = self.numbers.get(*handle as usize).filter(|n| **n != NONE) {
                        self.live.erase(number);
                        self.note(|| Told::Erase(number));
                        self.numbers[*handle as usize] = NONE;
                        self.handles[number as usize] = NONE;
                    }
                }
                self.forgotten.extend(names.iter().cloned());
                self.objections.forget(&names);
                self.owners.retain(|(_, h)| !gone.contains(h));
                self.quarantine.retain(|_, (_, r)| !r.speaks_of(&names));
                self.control.retain(|c| match record::read_action(&c.payload) {
                    Ok((action, _)) => !names_somebody(&action, &names),
                    Err(_) => true,
                });
                changes.extend(self.tick(now, vec![]));
                Outcome::Done
            }
            Action::Access(bytes) => {
                self.access.push(bytes.clone());
                Outcome::Done
            }
            Action::Audit(bytes) => {
                self.audit.push((seq, bytes.clone()));
                Outcome::Done
            }
            Action::Settings(bytes) => {
                self.settings = Some(bytes.clone());
                Outcome::Done
            }
            Action::Plan(text) => {
                self.plan = text.clone();
                Outcome::Done
            }
            Action::Mend { number, content } => match self.quarantine.get_mut(number) {
                Some((_, r)) => {
                    r.content = content.clone();
                    Outcome::Done
                }
                None => Outcome::Refused("unknown"),
            },
            Action::Released(numbers) => {
                numbers.iter().for_each(|n| drop(self.quarantine.remove(n)));
                Outcome::Done
            }
            Action::Object { names, objects } => {
                self.objections.put(names, *objects, at);
                changes.extend(self.tick(now, vec![]));
                Outcome::Done
            }
            Action::Keep(policy) => {
                self.kept = policy.clone();
                Outcome::Done
            }
            Action::Rules(rules) => {
                self.identities.set_rules((**rules).clone());
                Outcome::Done
            }
        };
        (outcome, changes)
    }

    /// Puts the definitions in force as they are now.
    pub fn redefine(&mut self, now: Instant) -> Vec<changes::Told> {
        let (library, _) = self.definitions.library(&self.schema());
        let ticked = self.live.tick(now, &[]);
        let mut changes = self.tell(&ticked);
        let defined = self.live.define(library, now);
        changes.extend(self.tell(&defined));
        self.sorted = (now, self.next);
        // Whatever is worked out beside it is out of date.
        self.journal = None;
        changes
    }

    /// Puts in place what was worked out beside, told all that was told meanwhile.
    pub fn swap(&mut self, upto: u64, mut built: Live) -> Vec<changes::Told> {
        self.definitions.enforce(upto);
        self.journal.take().into_iter().flatten().for_each(|t| t.tell(&mut built));
        built.settle();
        let changes = self.live.give_way(built);
        self.sorted = (self.live.now(), self.next);
        self.tell(&changes)
    }

    /// Takes in a decision from before the checkpoint: identities and definitions have it already.
    pub fn remember(&mut self, seq: u64, at: Instant, action: &Action) {
        match action {
            Action::Access(bytes) => self.access.push(bytes.clone()),
            Action::Audit(bytes) => self.audit.push((seq, bytes.clone())),
            Action::Settings(bytes) => self.settings = Some(bytes.clone()),
            Action::Plan(text) => self.plan = text.clone(),
            Action::Object { names, objects } => self.objections.put(names, *objects, at),
            Action::Keep(policy) => self.kept = policy.clone(),
            _ => {}
        }
    }

    /// What was released and mended before the checkpoint: the log still holds it as it came.
    pub fn recall_quarantine(&mut self) {
        for c in &self.control {
            match record::read_action(&c.payload) {
                Ok((Action::Released(numbers), _)) => numbers.iter().for_each(|n| drop(self.quarantine.remove(n))),
                Ok((Action::Mend { number, content }, _)) => {
                    if let Some((_, r)) = self.quarantine.get_mut(&number) {
                        r.content = content;
                    }
                }
                _ => {}
            }
        }
    }

    pub fn reject(&mut self, seq: u64, at: Instant, r: Rejected) {
        self.next = self.next.max(seq + 1);
        self.quarantined += 1;
        self.quarantine.insert(seq, (at, r));
        if self.quarantine.len() > QUARANTINE_MAX {
            self.quarantine.pop_first();
        }
    }

    /// The timeline's number of a handle, and whether it is new.
    fn number(&mut self, handle: u32) -> (u32, bool) {
        let h = handle as usize;
        if self.numbers.len() <= h {
            self.numbers.resize(h + 1, NONE);
        }
        if self.numbers[h] != NONE {
            return (self.numbers[h], false);
        }
        let number = self.live.add(self.identities.handle_id(handle));
        if let Some(journal) = &mut self.journal {
            journal.push(Told::Add(self.identities.handle_id(handle).to_string()));
        }
        self.numbers[h] = number;
        if self.handles.len() <= number as usize {
            self.handles.resize(number as usize + 1, NONE);
        }
        self.handles[number as usize] = handle;
        self.objections.moved();
        (number, true)
    }

    /// The same for every group.
    pub(super) fn regroup_all(&mut self) {
        let groups: Vec<u32> = self.identities.heads().filter(|h| self.identities.handles_of(*h).len() > 1).collect();
        groups.into_iter().for_each(|h| self.regroup(h));
    }

    /// Tells the timelines who belongs together.
    fn regroup(&mut self, head: u32) {
        let head = self.identities.head_of(head);
        let handles: Vec<u32> = self.identities.handles_of(head).to_vec();
        let known = |h: &u32| self.numbers.get(*h as usize).is_some_and(|n| *n != NONE);
        if !handles.iter().any(known) {
            return;
        }
        let mut numbers = vec![self.number(head).0];
        for h in handles.into_iter().filter(|h| *h != head) {
            if let Some(&n) = self.numbers.get(h as usize).filter(|n| **n != NONE) {
                numbers.push(n);
            }
        }
        self.live.group(numbers[0], &numbers);
        self.objections.moved();
        self.note(|| Told::Group(numbers));
    }

    // ---- questions

    /// What the staleness policy leaves out of the timelines.
    pub fn left_out(&self, timelines: &Timelines) -> Option<LeftOut> {
        self.stale.policy.clone().map(|p| LeftOut::of(p, self.stale.events, timelines))
    }

    /// The customer that an identifier leads to: the number of its head's timeline, and the head's handle.
    pub fn find(&self, who: &Identifier) -> Option<(u32, u32)> {
        let handle = self.identities.find(who)?;
        let head = self.identities.head_of(handle);
        let own = |h: u32| self.numbers.get(h as usize).copied().filter(|n| *n != NONE);
        let number = own(head).or_else(|| self.identities.handles_of(head).iter().find_map(|h| own(*h)))?;
        Some((self.live.head(number), head))
    }

    /// The handle of a timeline.
    pub fn handle_of(&self, number: u32) -> Option<u32> {
        self.handles.get(number as usize).copied().filter(|h| *h != NONE)
    }

    /// The timeline of a handle, if it has one.
    pub fn number_of(&self, handle: u32) -> Option<u32> {
        self.numbers.get(handle as usize).copied().filter(|n| *n != NONE)
    }

    /// The id that a customer goes by.
    pub fn customer_id(&self, number: u32) -> &str {
        self.live.id(number)
    }

    pub fn timeline(&self, number: u32) -> Timeline {
        self.live.timeline(number)
    }

    /// What is known of a customer now: trait and value, each the latest.
    pub fn traits(timeline: &Timeline, at: Instant) -> BTreeMap<String, gyul_model::Value> {
        let mut out = BTreeMap::new();
        for e in timeline.events.iter().filter(|e| e.name == names::IDENTIFY && e.ts <= at) {
            out.extend(e.props.iter().cloned());
        }
        out
    }

    /// Roots that a customer is in, by index.
    pub fn memberships(&self, number: u32) -> impl Iterator<Item = usize> + '_ {
        (0..self.live.names().len()).filter(move |r| self.live.members(*r).has(number as usize))
    }

    /// Names of a kind that belong to a customer.
    pub fn identifiers(&self, head: u32) -> Vec<(IdKind, String)> {
        self.identities.identifiers_of(head).map(|k| (k.kind, k.value.to_string())).collect()
    }
}

/// What tells a retry from a new message.
pub fn fingerprint(m: &Message) -> u64 {
    fingerprint_of(m.source, &m.id)
}

pub fn fingerprint_of(source: &str, id: &str) -> u64 {
    let mut key = Vec::with_capacity(source.len() + id.len() + 1);
    key.extend_from_slice(source.as_bytes());
    key.push(0);
    key.extend_from_slice(id.as_bytes());
    hash64(&key)
}

/// How a change is told to the outside.
pub fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Event => "event",
        Cause::Clock => "time",
        Cause::Rank => "rank",
        Cause::Identity => "identity",
        Cause::Definition => "definition",
    }
}
