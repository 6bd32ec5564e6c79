//! The state machine: a message's names become one handle, and links between names become customers.

use crate::groups::Groups;
use crate::names::{Names, key, key_of};
use crate::rules::{BlockList, Rules};
use gyul_model::{IdKind, Identifier, Instant};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Marks links and refusals of which an end was erased.
pub(crate) const NOBODY: u32 = u32::MAX;
/// As many names of a message are looked at without asking for memory.
const KEYS_FEW: usize = 8;

/// Who is who. Results never depend on the order of a hash table.
#[derive(Clone)]
pub struct Identities {
    pub(crate) rules: Rules,
    blocks: BlockList,
    pub(crate) names: Names,
    pub(crate) groups: Groups,
    /// All that ever joined anything; a link's place is its number.
    pub(crate) links: Vec<Link>,
    pub(crate) undone: BTreeMap<u32, UndoneLink>,
    /// Handle and number of an undone link at it.
    pub(crate) undone_at: BTreeSet<(u32, u32)>,
    pub(crate) refusals: Vec<Refusal>,
    /// Place of a refusal by its pair. Never iterated.
    pub(crate) refused: FxHashMap<(u32, u32), u32>,
    /// Handle and place of a refusal at it.
    pub(crate) refused_at: BTreeSet<(u32, u32)>,
    /// Those who merged and undid by hand.
    pub(crate) people: Vec<String>,
    pub(crate) stats: Stats,
}

/// The record that a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its place in the log.
    pub seq: u64,
    pub at: Instant,
    /// Whether the source has verified that e-mails and phones are this person's ([`Rules::believes`]).
    pub verified: bool,
}

/// Under which handle a message is kept, and what it changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub handle: u32,
    /// The customer that the handle belongs to now.
    pub head: u32,
    /// Nobody had this handle before.
    pub new: bool,
    /// Mostly empty.
    pub changes: Vec<Change>,
}

/// What became of customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Two customers are one. `from` is no head any more; it may have come into being with this very message.
    Joined { merge: u32, into: u32, from: u32 },
    /// One customer is two. `out` is a head again, `head` stays one.
    Parted { merge: u32, head: u32, out: u32 },
    /// Two handles were not joined, for the first time for this reason.
    Refused { a: u32, b: u32, reason: Reason },
}

/// Why names that came together are not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The customer would have more names of a kind than the limit; for [`IdKind::User`]: these are two people.
    TooMany(IdKind),
    /// A merge of theirs was undone by hand.
    Parted,
}

/// What made a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A message carried both names.
    Seen,
    /// A message said that one is another name of the other.
    Alias,
    /// Somebody decided it; who is in [`crate::Merge::by`].
    Hand,
}

/// No name of a message names anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nobody {
    NoNames,
    /// The strongest kind whose value is blocked.
    Blocked(IdKind),
    /// All numbers of handles are taken.
    Full,
}

/// Two handles that messages wanted to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub a: u32,
    pub b: u32,
    pub reason: Reason,
    /// The first message with this outcome.
    pub seq: u64,
    pub at: Instant,
    /// How many messages wanted it.
    pub times: u64,
}

/// What was counted since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Names left out because their values are blocked.
    pub blocked: u64,
    /// E-mails and phones left out because nobody verified them.
    pub unverified: u64,
    /// Messages that named nobody.
    pub nobody: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Link {
    pub seq: u64,
    pub at: Instant,
    pub a: u32,
    pub b: u32,
    pub why: Why,
    /// Place in `people`, for what was done by hand.
    pub by: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UndoneLink {
    pub seq: u64,
    pub at: Instant,
    pub by: u32,
}

enum Look {
    Known(u32),
    New,
    Blocked,
}

impl Identities {
    pub fn new(rules: Rules) -> Identities {
        Identities::with_seed(rules, 0)
    }

    /// As `new`, with a secret for the hash table: strangers choose names, and should not be able to choose collisions.
    /// Nothing that can be seen depends on it.
    pub fn with_seed(rules: Rules, seed: u64) -> Identities {
        Identities {
            blocks: BlockList::of(&rules),
            rules,
            names: Names::new(seed),
            groups: Groups::default(),
            links: vec![],
            undone: BTreeMap::new(),
            undone_at: BTreeSet::new(),
            refusals: vec![],
            refused: FxHashMap::default(),
            refused_at: BTreeSet::new(),
            people: vec![],
            stats: Stats::default(),
        }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Holds for what comes later; customers stay as they are.
    pub fn set_rules(&mut self, rules: Rules) {
        self.blocks = BlockList::of(&rules);
        self.rules = rules;
        self.names.block(|kind, value| self.blocks.has(kind, value));
    }

    /// Makes room for as many more handles.
    pub fn reserve(&mut self, handles: usize) {
        self.names.reserve(handles);
        self.groups.reserve(handles);
    }

    /// The number of a handle, a new one if need be: for customers of the base. `None` if all numbers are taken.
    /// A blocked value gets a number as well, as it has a timeline, but no message leads to it.
    pub fn register(&mut self, handle: &str) -> Option<u32> {
        let (kind, value) = key_of(handle);
        match self.names.find(kind, value) {
            Some(number) => Some(number),
            None => self.add(kind, value, self.blocks.has(kind, value), None),
        }
    }

    pub(crate) fn add_loaded(&mut self, kind: IdKind, value: &str, first: Option<Instant>) -> Option<u32> {
        self.add(kind, value, self.blocks.has(kind, value), first)
    }

    fn add(&mut self, kind: IdKind, value: &str, blocked: bool, first: Option<Instant>) -> Option<u32> {
        let number = self.names.add(kind, value, blocked, first)?;
        self.groups.add();
        Some(number)
    }

    /// Takes in the names of a message. The strongest that can be trusted owns it, the others are linked to that one.
    pub fn see(&mut self, who: &[Identifier], said: Said) -> Result<Seen, Nobody> {
        let (mut few, many);
        let keys = if who.len() <= KEYS_FEW {
            few = [(IdKind::Anonymous, ""); KEYS_FEW];
            few.iter_mut().zip(who).for_each(|(k, id)| *k = key(id));
            &few[..who.len()]
        } else {
            many = who.iter().map(key).collect::<Vec<_>>();
            &many
        };
        let Some((owner, found)) = self.owner(keys, said.verified) else {
            self.stats.nobody += 1;
            self.stats.blocked += keys.len() as u64;
            return Err(keys.iter().map(|k| k.0).min().map_or(Nobody::NoNames, Nobody::Blocked));
        };
        let new = found.is_none();
        let handle = self.number_of(keys[owner], found, said.at).ok_or(Nobody::Full)?;
        let mut changes = vec![];
        // The strongest first, so that the order of the names says nothing.
        for kind in if keys.len() > 1 { &IdKind::ALL[..] } else { &[] } {
            let of_kind = keys.iter().enumerate().filter(|(i, k)| k.0 == *kind && *i != owner);
            for (_, other) in of_kind {
                self.also(handle, *other, Why::Seen, said, &mut changes)?;
            }
        }
        Ok(Seen { handle, head: self.groups.head(handle), new, changes })
    }

    /// Takes in that somebody has another name: `previous`, mostly an anonymous id, is `user` too.
    /// The message belongs to `user`.
    pub fn alias(&mut self, previous: &Identifier, user: &Identifier, said: Said) -> Result<Seen, Nobody> {
        let mut seen = self.see(std::slice::from_ref(user), said)?;
        self.also(seen.handle, key(previous), Why::Alias, said, &mut seen.changes)?;
        seen.head = self.groups.head(seen.handle);
        Ok(seen)
    }

    /// Takes in the names of a message, and what it says of a former one ([`Identities::previous`]).
    pub fn hear(&mut self, who: &[Identifier], previous: Option<&Identifier>, said: Said) -> Result<Seen, Nobody> {
        let mut seen = self.see(who, said)?;
        if let Some(former) = previous {
            let former = match former.kind {
                IdKind::User => self.previous(&former.value),
                _ => former.clone(),
            };
            self.also(seen.handle, key(&former), Why::Alias, said, &mut seen.changes)?;
            seen.head = self.groups.head(seen.handle);
        }
        Ok(seen)
    }

    /// What an `alias` means by `previousId`: the user of that id if there is one, else an anonymous id.
    pub fn previous(&self, id: &str) -> Identifier {
        match self.names.find(IdKind::User, id) {
            Some(_) => Identifier::new(IdKind::User, id),
            None => Identifier::new(IdKind::Anonymous, id),
        }
    }

    /// The place of the strongest name, and its number if it has one. What nobody verified counts only if there is nothing else.
    fn owner(&self, keys: &[(IdKind, &str)], verified: bool) -> Option<(usize, Option<u32>)> {
        let mut best: Option<((bool, IdKind), usize, Option<u32>)> = None;
        for (i, &(kind, value)) in keys.iter().enumerate() {
            let rank = (!verified && self.rules.verify[kind as usize], kind);
            if best.is_some_and(|b| b.0 <= rank) {
                continue;
            }
            match self.look(kind, value) {
                Look::Known(number) => best = Some((rank, i, Some(number))),
                Look::New => best = Some((rank, i, None)),
                Look::Blocked => {}
            }
        }
        best.map(|(_, i, number)| (i, number))
    }

    /// Takes in that a handle has another name, if it may count.
    fn also(
        &mut self,
        handle: u32,
        (kind, value): (IdKind, &str),
        why: Why,
        said: Said,
        changes: &mut Vec<Change>,
    ) -> Result<(), Nobody> {
        if !said.verified && self.rules.verify[kind as usize] {
            self.stats.unverified += 1;
            return Ok(());
        }
        let found = match self.look(kind, value) {
            Look::Blocked => {
                self.stats.blocked += 1;
                return Ok(());
            }
            Look::Known(number) => Some(number),
            Look::New => None,
        };
        let other = self.number_of((kind, value), found, said.at).ok_or(Nobody::Full)?;
        self.link(handle, other, why, said, changes);
        Ok(())
    }

    fn look(&self, kind: IdKind, value: &str) -> Look {
        match self.names.find(kind, value) {
            Some(number) if self.names.is_blocked(number) => Look::Blocked,
            Some(number) => Look::Known(number),
            None if self.blocks.has(kind, value) => Look::Blocked,
            None => Look::New,
        }
    }

    fn number_of(&mut self, (kind, value): (IdKind, &str), found: Option<u32>, at: Instant) -> Option<u32> {
        found.or_else(|| self.add(kind, value, false, Some(at)))
    }

    fn link(&mut self, a: u32, b: u32, why: Why, said: Said, changes: &mut Vec<Change>) {
        let (ha, hb) = (self.groups.head(a), self.groups.head(b));
        if ha == hb {
            return;
        }
        let users = why == Why::Alias && self.rules.alias_joins_users;
        match self.groups.refuses(ha, hb, &self.rules, users, |h| self.names.kind(h)) {
            Some(reason) => self.refuse(a, b, reason, said, changes),
            None => changes.push(self.join(a, b, Link { seq: said.seq, at: said.at, a, b, why, by: NOBODY })),
        }
    }

    pub(crate) fn join(&mut self, a: u32, b: u32, link: Link) -> Change {
        // There are fewer links than handles for ever: undone ones aside, which people make.
        let merge = self.links.len() as u32;
        self.links.push(link);
        let (into, from) = self.groups.join(a, b, merge, |h| self.names.kind(h));
        Change::Joined { merge, into, from }
    }

    fn refuse(&mut self, a: u32, b: u32, reason: Reason, said: Said, changes: &mut Vec<Change>) {
        let next = self.refusals.len() as u32;
        let place = *self.refused.entry((a.min(b), a.max(b))).or_insert(next);
        if place == next {
            self.refused_at.extend([(a, next), (b, next)]);
            self.refusals.push(Refusal { a, b, reason, seq: said.seq, at: said.at, times: 0 });
        }
        let Some(refusal) = self.refusals.get_mut(place as usize) else { return };
        if refusal.times == 0 || refusal.reason != reason {
            (refusal.reason, refusal.seq, refusal.at) = (reason, said.seq, said.at);
            changes.push(Change::Refused { a, b, reason });
        }
        refusal.times += 1;
    }

    /// How many numbers were given, those of the erased among them.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The customer that a handle belongs to. A number that was never given is its own.
    pub fn head_of(&self, handle: u32) -> u32 {
        self.groups.head(handle)
    }

    /// All handles of a customer, ascending; of what is no head: none.
    pub fn handles_of(&self, head: u32) -> &[u32] {
        if self.names.is_erased(head) { &[] } else { self.groups.handles(head) }
    }

    /// The handle as text; empty if it is erased or was never given.
    pub fn handle_id(&self, handle: u32) -> &str {
        self.names.handle(handle)
    }

    pub fn kind_of(&self, handle: u32) -> Option<IdKind> {
        (!self.names.is_erased(handle)).then(|| self.names.kind(handle))
    }

    pub fn find(&self, id: &Identifier) -> Option<u32> {
        let (kind, value) = key(id);
        self.names.find(kind, value)
    }

    pub fn find_handle(&self, handle: &str) -> Option<u32> {
        let (kind, value) = key_of(handle);
        self.names.find(kind, value)
    }

    /// The heads of all customers, ascending.
    pub fn heads(&self) -> impl Iterator<Item = u32> + '_ {
        let alive = |h: &u32| self.groups.head(*h) == *h && !self.names.is_erased(*h);
        (0..self.len() as u32).filter(alive)
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let links = self.links.len() * size_of::<Link>() + self.refusals.len() * (size_of::<Refusal>() + 30);
        self.names.bytes() + self.groups.bytes() + links
    }
}

/// Counts, and no names.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} handles, {} links, {} refusals", self.len(), self.links.len(), self.refusals.len())
    }
}
