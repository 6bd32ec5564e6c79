//! Who objects to being profiled is in nothing that is given out: not among members, in changes, hooks or decisions.
//!
//! The evaluator knows nothing of it: counting everybody, thresholds and ranks stay as they are. What the outside sees is
//! membership without those who object, at every moment; so an objection is told as leaving everything, and its end as
//! entering what one is in.

use super::changes;
use super::world::World;
use gyul_model::{Identifier, Instant};
use gyul_timeline::live::Change;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Objections {
    /// The names that somebody objected under, and when. A merge makes the whole customer object; its undoing parts them.
    by: BTreeMap<String, Instant>,
    /// The same as numbers of customers, as of the last step that was told.
    who: BTreeSet<u32>,
    /// Since then names came together, or apart, or objected.
    moved: bool,
}

impl Objections {
    pub fn put(&mut self, names: &[String], objects: bool, at: Instant) {
        for name in names {
            if objects {
                self.by.entry(name.clone()).or_insert(at);
            } else {
                self.by.remove(name);
            }
        }
        self.moved = true;
    }

    pub fn forget(&mut self, names: &[String]) {
        for name in names {
            self.by.remove(name);
        }
        self.moved = true;
    }

    pub fn moved(&mut self) {
        self.moved |= !self.by.is_empty();
    }
}

impl World {
    /// Whether this customer objects.
    pub fn objects(&self, number: u32) -> bool {
        self.objections.who.contains(&number)
    }

    /// How many customers object.
    pub fn objectors_count(&self) -> usize {
        self.objections.who.len()
    }

    /// How many members of a root object.
    pub fn objecting(&self, root: usize) -> u64 {
        let members = self.live.members(root);
        self.objections.who.iter().filter(|n| members.has(**n as usize)).count() as u64
    }

    /// Since when a customer objects, by the earliest of their names.
    pub fn objects_since(&self, head: u32) -> Option<Instant> {
        let names = self.identities.handles_of(self.identities.head_of(head)).iter();
        names.filter_map(|h| self.objections.by.get(self.identities.handle_id(*h))).min().copied()
    }

    /// The numbers of those who object, by what is known now.
    fn objectors(&self) -> BTreeSet<u32> {
        let find = |name: &String| self.find(&Identifier::of_handle(name));
        self.objections.by.keys().filter_map(find).map(|(number, _)| number).collect()
    }

    /// What was told elsewhere is not told here.
    pub(super) fn take_objections(&mut self, from: Objections) {
        self.objections = from;
        self.objections.who = self.objectors();
        self.objections.moved = false;
    }

    /// What the outside is told of these changes. `tell` names one.
    pub(super) fn unless_they_object(
        &mut self,
        all: &[Change],
        tell: impl Fn(&World, &Change) -> changes::Told,
    ) -> Vec<changes::Told> {
        let before = match std::mem::take(&mut self.objections.moved) {
            true => {
                let now = self.objectors();
                Some(std::mem::replace(&mut self.objections.who, now))
            }
            false => None,
        };
        let is = &self.objections.who;
        let before = before.as_ref().unwrap_or(is);
        if is.is_empty() && before.is_empty() {
            return all.iter().map(|c| tell(self, c)).collect();
        }
        // Before, they were in nothing; now they are in nothing.
        let seen = |c: &&Change| {
            let (was, is) = (before.contains(&c.customer), is.contains(&c.customer));
            !was && (!is || !c.entered)
        };
        let mut out: Vec<changes::Told> = all.iter().filter(seen).map(|c| tell(self, c)).collect();
        let now = self.live.now();
        let mut told = |number: u32, root: usize, entered: bool| {
            out.push(changes::Told {
                offset: 0,
                at: now,
                customer: self.customer_id(number).into(),
                what: self.live.names().get(root).cloned().unwrap_or_default(),
                entered,
                cause: "objection".into(),
            });
        };
        for &number in is.difference(before) {
            let new = |root: usize| all.iter().any(|c| c.customer == number && c.root as usize == root && c.entered);
            self.memberships(number).filter(|root| !new(*root)).for_each(|root| told(number, root, false));
        }
        for &number in before.difference(is) {
            self.memberships(number).for_each(|root| told(number, root, true));
        }
        out
    }
}
