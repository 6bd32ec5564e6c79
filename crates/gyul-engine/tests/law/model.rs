//! What ought to be: identities, timelines, definitions and quarantine as the log says, without a disk, a checkpoint or a
//! crash between.

use gyul_engine::live::{
    ACTION, Action, DefKind, Definitions, MESSAGE, REJECTED, Rejected, World, read_action, read_message, read_rejected,
};
use gyul_model::{Event, Identifier, Instant, Message, Timeline, names};
use gyul_profile::{Identities, Rules, Said};
use gyul_segment::reference::Reference;
use gyul_segment::tree::Library;
use gyul_store::Policy;
use gyul_store::log::{BLANK, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Membership by name: ids of customers in order.
pub type Members = BTreeMap<String, Vec<String>>;

/// A record's content.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Message(Message),
    Rejected(Rejected),
    Action(Action),
    /// Somebody's who was erased before it was read.
    Blank,
}

pub fn read(r: &Record) -> Content {
    match r.kind {
        MESSAGE => Content::Message(read_message(r.payload).unwrap()),
        REJECTED => Content::Rejected(read_rejected(r.payload).unwrap()),
        BLANK => Content::Blank,
        ACTION => Content::Action(read_action(r.payload).unwrap().0),
        kind => panic!("a record of kind {kind} that nobody wrote"),
    }
}

pub struct Model {
    identities: Identities,
    definitions: Definitions,
    events: Vec<(u32, Event)>,
    /// What is left out, as the log says.
    pub policy: Option<Policy>,
    /// How often the clock moved it on.
    pub moved_on: u64,
    pub quarantine: BTreeMap<u64, Rejected>,
    /// Ids of all messages.
    pub seen: BTreeSet<String>,
    /// Names of everybody who was erased.
    pub forgotten: BTreeSet<String>,
    /// Merges that may be undone.
    pub merges: Vec<u32>,
    /// Behind the last record.
    pub next: u64,
}

impl Model {
    pub fn new() -> Model {
        Model {
            identities: Identities::with_seed(Rules::default(), 1),
            definitions: Definitions::default(),
            events: vec![],
            policy: None,
            moved_on: 0,
            quarantine: BTreeMap::new(),
            seen: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            merges: vec![],
            next: 0,
        }
    }

    /// Takes in the next record of the log.
    pub fn take(&mut self, seq: u64, span: u32, at: Instant, said: Content) {
        assert_eq!(seq, self.next, "numbers without a gap");
        self.next = seq + u64::from(span);
        match said {
            Content::Message(m) => {
                assert!(self.seen.insert(m.id.clone()), "{} is in the log twice", m.id);
                let verified = self.identities.rules().believes(m.source);
                let said = Said { seq, at: m.ts, verified };
                let Ok(seen) = self.identities.hear(&m.who, m.previous.as_ref(), said) else { return };
                self.events.extend(m.events_at(seq).map(|e| (seen.handle, e)));
            }
            Content::Rejected(r) => drop(self.quarantine.insert(seq, r)),
            Content::Action(action) => self.act(seq, at, action),
            Content::Blank => panic!("{seq} was erased before anybody ordered it"),
        }
    }

    fn act(&mut self, seq: u64, at: Instant, action: Action) {
        match action {
            Action::Define { kind, id, text } => {
                self.definitions.put(DefKind::parse(&kind).unwrap(), &id, text, "", (seq, at));
                self.definitions.enforce(seq);
            }
            Action::Propose { kind, id, text } => {
                self.definitions.propose(DefKind::parse(&kind).unwrap(), &id, text, "", (seq, at));
            }
            Action::InForce { upto } => self.definitions.enforce(upto),
            Action::Merge { into, from } => {
                let find = |id: &str| self.identities.find(&Identifier::of_handle(id));
                if let (Some(a), Some(b)) = (find(&into), find(&from))
                    && let Ok(gyul_profile::Change::Joined { merge, .. }) = self.identities.merge(a, b, seq, at, "min")
                {
                    self.merges.push(merge);
                }
            }
            Action::Unmerge { merge } => drop(self.identities.unmerge(merge, seq, at, "min")),
            Action::Erase { handles } => {
                // The person as they are at this moment, whatever the order knew of them.
                let mut gone: BTreeSet<u32> = handles.iter().copied().collect();
                let mut names: Vec<String> = vec![];
                for h in &handles {
                    let head = self.identities.head_of(*h);
                    for e in self.identities.erase(head) {
                        gone.insert(e.handle);
                        names.push(e.id.handle());
                    }
                }
                self.events.retain(|(h, _)| !gone.contains(h));
                self.quarantine.retain(|_, r| !r.speaks_of(&names));
                self.forgotten.extend(names);
            }
            Action::Released(numbers) => self.quarantine.retain(|n, _| !numbers.contains(n)),
            Action::Mend { number, content } => {
                if let Some(r) = self.quarantine.get_mut(&number) {
                    r.content = content;
                }
            }
            Action::Keep(policy) => {
                let words = |p: &Option<Policy>| p.as_ref().map(|p| p.said.clone());
                let (was, is) = (words(&self.policy), words(&policy));
                self.moved_on += u64::from(is.is_some() && was == is);
                self.policy = policy;
            }
            Action::Rules(rules) => self.identities.set_rules(*rules),
            Action::Access(_) | Action::Audit(_) | Action::Settings(_) | Action::Plan(_) | Action::Object { .. } => {}
        }
    }

    fn timelines(&self) -> Vec<Timeline> {
        let mut by_head: BTreeMap<u32, Vec<Event>> = BTreeMap::new();
        let kept = |e: &Event| e.name == names::IDENTIFY || self.policy.as_ref().is_none_or(|p| e.ts >= p.from);
        for (h, e) in self.events.iter().filter(|(_, e)| kept(e)) {
            by_head.entry(self.identities.head_of(*h)).or_default().push(e.clone());
        }
        by_head.into_iter().map(|(h, e)| Timeline::new(self.identities.handle_id(h).to_string(), e)).collect()
    }

    /// Who is in what by the reference evaluator, and what everybody did.
    pub fn members(&self, world: &World) -> (Members, Vec<(String, usize)>) {
        let (library, _) = self.definitions.library(&world.schema());
        let in_force: Vec<&String> = library.segments.iter().map(|s| &s.id).collect();
        let live: Vec<&String> = world.live.library().segments.iter().map(|s| &s.id).collect();
        assert_eq!(in_force, live, "the definitions in force");
        let timelines = self.timelines();
        let members = by_reference(&library, &timelines, world.live.now());
        // Whoever has done nothing yet is not there yet.
        let now = world.live.now();
        let there = timelines.iter().filter(|t| t.events.iter().any(|e| e.ts <= now));
        (members, there.map(|t| (t.customer.clone(), t.events.len())).collect())
    }

    /// Ids of handles that are one customer with this one, and whether it is known at all.
    pub fn names_of(&self, who: &Identifier) -> Vec<String> {
        let Some(handle) = self.identities.find(who) else { return vec![] };
        let handles = self.identities.handles_of(self.identities.head_of(handle));
        handles.iter().map(|h| self.identities.handle_id(*h).to_string()).collect()
    }
}

fn by_reference(library: &Library, timelines: &[Timeline], now: Instant) -> Members {
    let reference = Reference::new(library, timelines, now, None);
    let ids = |is: &dyn Fn(usize) -> bool| {
        let own = (0..timelines.len()).filter(|c| is(*c)).map(|c| timelines[c].customer.clone());
        own.collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>()
    };
    let mut out = Members::new();
    for (s, segment) in library.segments.iter().enumerate() {
        out.insert(segment.id.clone(), ids(&|c| reference.member(s, c)));
    }
    for (p, partition) in library.partitions.iter().enumerate() {
        let classes = partition.classes.iter().map(|c| &c.id).chain([&partition.otherwise.id]);
        for (k, class) in classes.enumerate() {
            out.insert(format!("{}/{class}", partition.id), ids(&|c| reference.class(p, c) == Some(k)));
        }
    }
    out
}
