//! What people decide and ask: merges by hand, undoing, erasure, history.

use crate::identities::{Change, Identities, Link, NOBODY, Refusal, UndoneLink, Why};
use gyul_model::{IdKind, Identifier, Instant};
use std::collections::BTreeSet;

/// What joined two customers, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge<'a> {
    /// Its number, for [`Identities::unmerge`].
    pub id: u32,
    /// The handles that came together.
    pub a: u32,
    pub b: u32,
    pub why: Why,
    /// Place of the record in the log, and its time.
    pub seq: u64,
    pub at: Instant,
    /// Who decided it, if it was done by hand.
    pub by: Option<&'a str>,
    pub undone: Option<Undone<'a>>,
}

/// When and by whom a merge was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undone<'a> {
    pub seq: u64,
    pub at: Instant,
    pub by: &'a str,
}

/// A name of a customer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    pub handle: u32,
    pub kind: IdKind,
    pub value: &'a str,
    /// `None`: it came with the base, whose events know.
    pub first_seen: Option<Instant>,
}

/// A handle that was forgotten, for those who have to forget it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    pub handle: u32,
    pub id: Identifier,
}

/// Why a decision by hand was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotMerge {
    /// A handle that was never there, or was erased.
    NoSuchHandle,
    /// Both are the same customer already.
    SameCustomer,
    /// No merge has this number, or one of its sides was erased.
    NoSuchMerge,
    /// It was undone before.
    AlreadyUndone,
    /// The handle is a customer of its own already.
    Alone,
}

impl Identities {
    /// Makes one customer of two, whatever the limits say, and forgets that they were parted before.
    pub fn merge(&mut self, a: u32, b: u32, seq: u64, at: Instant, by: &str) -> Result<Change, CannotMerge> {
        if self.names.is_erased(a) || self.names.is_erased(b) {
            return Err(CannotMerge::NoSuchHandle);
        }
        let (ha, hb) = (self.head_of(a), self.head_of(b));
        if ha == hb {
            return Err(CannotMerge::SameCustomer);
        }
        self.groups.reconcile(ha, hb);
        let by = self.person(by);
        Ok(self.join(a, b, Link { seq, at, a, b, why: Why::Hand, by }))
    }

    /// Undoes a merge, by hand or not: its customer parts into the two sides that this merge alone held together.
    /// Its two handles are not joined again but by hand, however many messages carry names of both sides.
    pub fn unmerge(&mut self, merge: u32, seq: u64, at: Instant, by: &str) -> Result<Change, CannotMerge> {
        let link = self.links.get(merge as usize).filter(|l| l.a != NOBODY).ok_or(CannotMerge::NoSuchMerge)?;
        if self.undone.contains_key(&merge) {
            return Err(CannotMerge::AlreadyUndone);
        }
        let (a, b) = (link.a, link.b);
        let by = self.person(by);
        self.undo(merge, UndoneLink { seq, at, by });
        let links = &self.links;
        let ends = |l: u32| links.get(l as usize).map_or((a, a), |l| (l.a, l.b));
        let (head, out) = self.groups.part(self.groups.head(a), merge, ends, |h| self.names.kind(h));
        self.groups.keep_apart(a, b);
        Ok(Change::Parted { merge, head, out })
    }

    /// Takes a handle out of its customer: undoes every merge that holds it.
    pub fn take_out(&mut self, handle: u32, seq: u64, at: Instant, by: &str) -> Result<Vec<Change>, CannotMerge> {
        if self.names.is_erased(handle) {
            return Err(CannotMerge::NoSuchHandle);
        }
        let touches = |l: &u32| self.links.get(*l as usize).is_some_and(|l| l.a == handle || l.b == handle);
        let merges: Vec<u32> = self.groups.links(self.head_of(handle)).iter().copied().filter(touches).collect();
        if merges.is_empty() {
            return Err(CannotMerge::Alone);
        }
        merges.into_iter().map(|m| self.unmerge(m, seq, at, by)).collect()
    }

    /// Records that a link is undone, without parting anything.
    pub(crate) fn undo(&mut self, merge: u32, undone: UndoneLink) {
        if let Some(link) = self.links.get(merge as usize) {
            self.undone_at.extend([(link.a, merge), (link.b, merge)]);
            self.undone.insert(merge, undone);
        }
    }

    /// Forgets every name of a customer and what they had to do with others. The numbers are never used again.
    /// Nothing if there is no such customer.
    pub fn erase(&mut self, head: u32) -> Vec<Erased> {
        let head = self.head_of(head);
        if self.names.is_erased(head) {
            return vec![];
        }
        let mut merges: BTreeSet<u32> = self.groups.links(head).iter().copied().collect();
        let handles = self.groups.dissolve(head);
        let mut erased = vec![];
        for handle in handles {
            merges.extend(self.undone_of(handle));
            let places: Vec<u32> = self.refused_of(handle).collect();
            for place in places {
                let Some(r) = self.refusals.get_mut(place as usize) else { continue };
                self.refused.remove(&(r.a.min(r.b), r.a.max(r.b)));
                self.refused_at.remove(&(r.a, place));
                self.refused_at.remove(&(r.b, place));
                *r = Refusal { a: NOBODY, b: NOBODY, seq: 0, at: Instant(0), times: 0, ..*r };
            }
            let id = Identifier::of_handle(self.names.handle(handle));
            self.names.erase(handle);
            erased.push(Erased { handle, id });
        }
        for merge in merges {
            self.undone.remove(&merge);
            if let Some(link) = self.links.get_mut(merge as usize) {
                self.undone_at.remove(&(link.a, merge));
                self.undone_at.remove(&(link.b, merge));
                *link = Link { seq: 0, at: Instant(0), a: NOBODY, b: NOBODY, why: Why::Seen, by: NOBODY };
            }
        }
        erased
    }

    /// All names of a customer, in order of first appearance.
    pub fn identifiers_of(&self, head: u32) -> impl Iterator<Item = Known<'_>> + '_ {
        self.handles_of(head).iter().map(|&handle| Known {
            handle,
            kind: self.names.kind(handle),
            value: self.names.value(handle),
            first_seen: self.names.first(handle),
        })
    }

    /// What joined a customer and what was undone of it, in order.
    pub fn merges_of(&self, head: u32) -> Vec<Merge<'_>> {
        let mut ids: BTreeSet<u32> = self.groups.links(head).iter().copied().collect();
        ids.extend(self.handles_of(head).iter().flat_map(|h| self.undone_of(*h)));
        ids.into_iter().filter_map(|id| self.merge_of(id)).collect()
    }

    /// A merge by its number; `None` if there is none, or if it was erased.
    pub fn merge_of(&self, id: u32) -> Option<Merge<'_>> {
        let link = self.links.get(id as usize).filter(|l| l.a != NOBODY)?;
        let undone = self.undone.get(&id).map(|u| Undone { seq: u.seq, at: u.at, by: self.person_at(u.by) });
        let by = (link.why == Why::Hand).then(|| self.person_at(link.by));
        Some(Merge { id, a: link.a, b: link.b, why: link.why, seq: link.seq, at: link.at, by, undone })
    }

    /// The merges that one record made. Searches from the end: meant for recent ones.
    pub fn merges_at(&self, seq: u64) -> Vec<Merge<'_>> {
        let live = self.links.iter().enumerate().rev().filter(|(_, l)| l.a != NOBODY);
        let mut ids: Vec<u32> =
            live.skip_while(|(_, l)| l.seq > seq).take_while(|(_, l)| l.seq == seq).map(|(i, _)| i as u32).collect();
        ids.reverse();
        ids.into_iter().filter_map(|id| self.merge_of(id)).collect()
    }

    /// What was refused to a customer and still is, in order.
    pub fn refusals_of(&self, head: u32) -> Vec<Refusal> {
        let places: BTreeSet<u32> = self.handles_of(head).iter().flat_map(|h| self.refused_of(*h)).collect();
        let all = places.into_iter().filter_map(|p| self.refusals.get(p as usize));
        all.filter(|r| self.stands(r)).copied().collect()
    }

    /// Everything that was refused and still is, the newest first.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> + '_ {
        self.refusals.iter().rev().filter(|r| self.stands(r))
    }

    fn stands(&self, refusal: &Refusal) -> bool {
        refusal.a != NOBODY && self.head_of(refusal.a) != self.head_of(refusal.b)
    }

    fn refused_of(&self, handle: u32) -> impl Iterator<Item = u32> + '_ {
        self.refused_at.range((handle, 0)..=(handle, u32::MAX)).map(|(_, place)| *place)
    }

    fn undone_of(&self, handle: u32) -> impl Iterator<Item = u32> + '_ {
        self.undone_at.range((handle, 0)..=(handle, u32::MAX)).map(|(_, merge)| *merge)
    }

    /// The place of somebody who decides. They are few.
    pub(crate) fn person(&mut self, name: &str) -> u32 {
        let place = self.people.iter().position(|p| p == name).unwrap_or_else(|| {
            self.people.push(name.to_string());
            self.people.len() - 1
        });
        place as u32
    }

    fn person_at(&self, place: u32) -> &str {
        self.people.get(place as usize).map_or("", String::as_str)
    }
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:… (handle {})", self.kind.name(), self.handle)
    }
}
