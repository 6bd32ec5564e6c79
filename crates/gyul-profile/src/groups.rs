//! Customers: handles joined by links, always a tree, so that each link undone parts a group in two.

use crate::identities::Reason;
use crate::rules::Rules;
use gyul_model::IdKind;
use std::collections::BTreeSet;

const ALONE: u32 = u32::MAX;

/// A customer of more than one handle.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// Ascending.
    pub handles: Vec<u32>,
    /// Numbers of the links that hold it together, ascending; one fewer than handles.
    pub links: Vec<u32>,
    pub counts: [u32; 6],
}

/// Who belongs together, and who must not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// By handle.
    pub heads: Vec<u32>,
    /// By head: where its group stands. [`ALONE`] for a single handle, and for what is no head.
    places: Vec<u32>,
    groups: Vec<Group>,
    /// Places that are free again.
    free: Vec<u32>,
    /// Pairs, both ways round, that an undone merge keeps apart.
    parted: BTreeSet<(u32, u32)>,
}

/// The strongest kind, then the oldest handle: the head depends on the members alone.
pub(crate) fn rank(kind: IdKind, handle: u32) -> (IdKind, u32) {
    (kind, handle)
}

impl Groups {
    pub fn add(&mut self) {
        self.heads.push(self.heads.len() as u32);
        self.places.push(ALONE);
    }

    pub fn reserve(&mut self, handles: usize) {
        self.heads.reserve(handles);
        self.places.reserve(handles);
    }

    fn group(&self, head: u32) -> Option<&Group> {
        self.groups.get(*self.places.get(head as usize)? as usize)
    }

    fn take(&mut self, head: u32) -> Option<Group> {
        let place = std::mem::replace(self.places.get_mut(head as usize)?, ALONE);
        let group = std::mem::take(self.groups.get_mut(place as usize)?);
        self.free.push(place);
        Some(group)
    }

    fn put(&mut self, head: u32, group: Group) {
        match self.free.pop() {
            Some(place) => {
                self.groups[place as usize] = group;
                self.places[head as usize] = place;
            }
            None => {
                self.places[head as usize] = self.groups.len() as u32;
                self.groups.push(group);
            }
        }
    }

    pub fn head(&self, handle: u32) -> u32 {
        self.heads.get(handle as usize).copied().unwrap_or(handle)
    }

    pub fn handles(&self, head: u32) -> &[u32] {
        match self.group(head) {
            Some(group) => &group.handles,
            None => self.heads.get(head as usize).filter(|h| **h == head).map_or(&[], std::slice::from_ref),
        }
    }

    pub fn links(&self, head: u32) -> &[u32] {
        self.group(head).map_or(&[], |g| &g.links)
    }

    fn counts(&self, head: u32, kind: impl Fn(u32) -> IdKind) -> [u32; 6] {
        self.group(head).map_or_else(|| count(&[head], kind), |g| g.counts)
    }

    /// Why two customers do not become one by themselves.
    pub fn refuses(&self, a: u32, b: u32, rules: &Rules, users: bool, kind: impl Fn(u32) -> IdKind) -> Option<Reason> {
        let (x, y) = (self.counts(a, &kind), self.counts(b, &kind));
        let only = |of: &[u32; 6], kind: IdKind| of[kind as usize] == of.iter().sum::<u32>();
        for kind in IdKind::ALL {
            let shut = rules.limit(kind) == 0 && (only(&x, kind) || only(&y, kind));
            let (x, y, limit) = (x[kind as usize], y[kind as usize], rules.limit(kind));
            // A side that brings nothing of this kind makes nothing worse: what was joined by hand may be over a limit.
            let grows = x > 0 && y > 0 || shut;
            let allowed = users && kind == IdKind::User;
            if grows && x.saturating_add(y) > limit && !allowed {
                return Some(Reason::TooMany(kind));
            }
        }
        self.crossing(a, b).next().map(|_| Reason::Parted)
    }

    /// Parted pairs with one handle in each of two customers.
    fn crossing(&self, a: u32, b: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let small = if self.handles(a).len() <= self.handles(b).len() { a } else { b };
        let other = if small == a { b } else { a };
        let few = if self.parted.is_empty() { &[] } else { self.handles(small) };
        let partners = |&h: &u32| self.parted.range((h, 0)..=(h, u32::MAX)).copied();
        few.iter().flat_map(partners).filter(move |(_, p)| self.head(*p) == other)
    }

    /// Makes one customer of two. Returns the head that stays and the one that ceases to be.
    pub fn join(&mut self, a: u32, b: u32, link: u32, kind: impl Fn(u32) -> IdKind) -> (u32, u32) {
        let (ha, hb) = (self.head(a), self.head(b));
        let (into, from) = if rank(kind(ha), ha) < rank(kind(hb), hb) { (ha, hb) } else { (hb, ha) };
        let alone = |h: u32| Group { handles: vec![h], links: vec![], counts: count(&[h], &kind) };
        let moved = self.take(from).unwrap_or_else(|| alone(from));
        for &h in &moved.handles {
            self.heads[h as usize] = into;
        }
        if self.places[into as usize] == ALONE {
            self.put(into, alone(into));
        }
        let group = &mut self.groups[self.places[into as usize] as usize];
        merge_sorted(&mut group.handles, &moved.handles);
        merge_sorted(&mut group.links, &moved.links);
        merge_sorted(&mut group.links, &[link]);
        for (n, m) in group.counts.iter_mut().zip(moved.counts) {
            *n += m;
        }
        (into, from)
    }

    /// Takes a link out. Returns the head that stays and the head of the side that does not.
    pub fn part(
        &mut self,
        head: u32,
        link: u32,
        ends: impl Fn(u32) -> (u32, u32),
        kind: impl Fn(u32) -> IdKind,
    ) -> (u32, u32) {
        let Some(mut group) = self.take(head) else { return (head, head) };
        group.links.retain(|l| *l != link);
        // Which handles still hang together with the head.
        let mut stays = vec![false; group.handles.len()];
        let place = |h: u32| group.handles.binary_search(&h).unwrap_or(0);
        let mut edges: Vec<(usize, usize)> =
            group.links.iter().map(|l| ends(*l)).map(|(a, b)| (place(a), place(b))).collect();
        edges.extend(edges.clone().into_iter().map(|(a, b)| (b, a)));
        edges.sort_unstable();
        let mut todo = vec![place(head)];
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut stays[at], true) {
                let first = edges.partition_point(|e| e.0 < at);
                todo.extend(edges[first..].iter().take_while(|e| e.0 == at).map(|e| e.1));
            }
        }
        let (mut kept, mut gone) = (Group::default(), Group::default());
        let side = |h: u32| stays[group.handles.binary_search(&h).unwrap_or(0)];
        for &h in &group.handles {
            if side(h) { kept.handles.push(h) } else { gone.handles.push(h) }
        }
        for &l in &group.links {
            if side(ends(l).0) { kept.links.push(l) } else { gone.links.push(l) }
        }
        let other = gone.handles.iter().copied().min_by_key(|h| rank(kind(*h), *h)).unwrap_or(head);
        for (head, mut group) in [(head, kept), (other, gone)] {
            for &h in &group.handles {
                self.heads[h as usize] = head;
            }
            group.counts = count(&group.handles, &kind);
            if group.handles.len() > 1 {
                self.put(head, group);
            }
        }
        (head, other)
    }

    pub fn keep_apart(&mut self, a: u32, b: u32) {
        self.parted.extend([(a, b), (b, a)]);
    }

    /// Forgets what keeps two customers apart.
    pub fn reconcile(&mut self, a: u32, b: u32) {
        let crossing: Vec<_> = self.crossing(a, b).collect();
        for (x, y) in crossing {
            self.parted.remove(&(x, y));
            self.parted.remove(&(y, x));
        }
    }

    /// Those that a handle is kept apart from.
    pub fn parted_from(&self, handle: u32) -> impl Iterator<Item = u32> + '_ {
        self.parted.range((handle, 0)..=(handle, u32::MAX)).map(|p| p.1)
    }

    pub fn parted(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.parted.iter().copied().filter(|(a, b)| a < b)
    }

    /// Dissolves a customer and returns the handles, each alone now.
    pub fn dissolve(&mut self, head: u32) -> Vec<u32> {
        let handles = self.handles(head).to_vec();
        self.take(head);
        for &h in &handles {
            self.heads[h as usize] = h;
            let partners: Vec<u32> = self.parted_from(h).collect();
            for p in partners {
                self.parted.remove(&(h, p));
                self.parted.remove(&(p, h));
            }
        }
        handles
    }

    /// Memory taken by customers of more than one handle, roughly.
    pub fn bytes(&self) -> usize {
        let lists: usize = self.groups.iter().map(|g| 4 * (g.handles.capacity() + g.links.capacity())).sum();
        self.heads.len() * 8 + self.groups.len() * size_of::<Group>() + lists + self.parted.len() * 10
    }
}

fn count(handles: &[u32], kind: impl Fn(u32) -> IdKind) -> [u32; 6] {
    let mut counts = [0; 6];
    for h in handles {
        counts[kind(*h) as usize] += 1;
    }
    counts
}

/// Puts ascending numbers into a list of ascending numbers.
fn merge_sorted(into: &mut Vec<u32>, more: &[u32]) {
    let appends = into.last().zip(more.first()).is_none_or(|(a, b)| a < b);
    into.extend_from_slice(more);
    if !appends {
        // Two ascending runs: found and merged in one pass.
        into.sort();
    }
}
