//! All names in one text, found by hash: about 45 bytes a name of 14.

use foldhash::fast::FixedState;
use gyul_model::{IdKind, Identifier, Instant};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Marks names that came with the base, without a time.
const NO_TIME: i64 = i64::MIN;
const KIND: u8 = 0b111;
/// The rules say that this value names nobody.
const BLOCKED: u8 = 1 << 3;
/// Forgotten: its number is never used again.
const ERASED: u8 = 1 << 4;

/// Numbered names, in order of first appearance.
#[derive(Clone)]
pub(crate) struct Names {
    /// The handles one after another, as the glossary writes them.
    text: String,
    /// Where a handle ends in the text, and in the lowest byte its kind and marks: one place to look at.
    spots: Vec<u64>,
    first: Vec<i64>,
    table: HashTable<u32>,
    hasher: FixedState,
}

/// What kind of name a handle or an identifier is, and its value: a user id `email:x` is the e-mail x.
pub(crate) fn key(id: &Identifier) -> (IdKind, &str) {
    match id.kind {
        IdKind::User => key_of(&id.value),
        kind => (kind, &id.value),
    }
}

/// As [`Identifier::of_handle`], without copying.
pub(crate) fn key_of(handle: &str) -> (IdKind, &str) {
    match handle.split_once(':').and_then(|(k, v)| Some((IdKind::parse(k)?, v))) {
        Some((kind, value)) if kind != IdKind::User => (kind, value),
        _ => (IdKind::User, handle),
    }
}

/// How many bytes stand before the value in a handle.
fn prefix_bytes(kind: IdKind) -> usize {
    if kind == IdKind::User { 0 } else { kind.name().len() + 1 }
}

impl Names {
    pub fn new(seed: u64) -> Names {
        Names {
            text: String::new(),
            spots: vec![],
            first: vec![],
            table: HashTable::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    pub fn len(&self) -> usize {
        self.spots.len()
    }

    pub fn reserve(&mut self, names: usize) {
        self.spots.reserve(names);
        self.first.reserve(names);
        let Names { table, hasher, text, spots, .. } = self;
        table.reserve(names, |&n| hash_at(hasher, text, spots, n));
    }

    pub fn find(&self, kind: IdKind, value: &str) -> Option<u32> {
        let same = |&n: &u32| {
            let (found, bytes) = key_at(&self.text, &self.spots, n);
            found == kind && bytes == value.as_bytes()
        };
        self.table.find(hash(&self.hasher, kind, value.as_bytes()), same).copied()
    }

    /// Adds a name that is not there. `None` if there are no numbers left.
    pub fn add(&mut self, kind: IdKind, value: &str, blocked: bool, first: Option<Instant>) -> Option<u32> {
        let number = u32::try_from(self.len()).ok().filter(|n| *n < u32::MAX)?;
        if kind != IdKind::User {
            self.text.push_str(kind.name());
            self.text.push(':');
        }
        self.text.push_str(value);
        self.push(kind as u8 | if blocked { BLOCKED } else { 0 });
        self.first.push(first.map_or(NO_TIME, |t| t.0));
        let Names { table, hasher, text, spots, .. } = self;
        let rehash = |&n: &u32| hash_at(hasher, text, spots, n);
        table.insert_unique(hash(hasher, kind, value.as_bytes()), number, rehash);
        Some(number)
    }

    /// Takes a number for a name that is forgotten already: numbers stay what they were after a restart.
    pub fn add_erased(&mut self) {
        self.push(ERASED);
        self.first.push(NO_TIME);
    }

    fn push(&mut self, mark: u8) {
        self.spots.push((self.text.len() as u64) << 8 | u64::from(mark));
    }

    fn mark(&self, number: u32) -> Option<u8> {
        self.spots.get(number as usize).map(|s| *s as u8)
    }

    fn set_mark(&mut self, number: u32, mark: u8) {
        let spot = &mut self.spots[number as usize];
        *spot = *spot & !0xff | u64::from(mark);
    }

    /// The name as a handle; empty if it is forgotten or was never there.
    pub fn handle(&self, number: u32) -> &str {
        if self.is_erased(number) {
            return "";
        }
        let (from, to) = span(&self.spots, number);
        self.text.get(from..to).unwrap_or("")
    }

    pub fn kind(&self, number: u32) -> IdKind {
        kind_of(self.spots[number as usize])
    }

    /// The value without the kind before it.
    pub fn value(&self, number: u32) -> &str {
        self.handle(number).get(prefix_bytes(self.kind(number))..).unwrap_or("")
    }

    pub fn first(&self, number: u32) -> Option<Instant> {
        self.first.get(number as usize).filter(|t| **t != NO_TIME).map(|t| Instant(*t))
    }

    pub fn is_blocked(&self, number: u32) -> bool {
        self.mark(number).is_some_and(|m| m & BLOCKED != 0)
    }

    /// Also true of numbers that were never given.
    pub fn is_erased(&self, number: u32) -> bool {
        self.mark(number).is_none_or(|m| m & ERASED != 0)
    }

    /// Asks again which names are blocked.
    pub fn block(&mut self, blocks: impl Fn(IdKind, &str) -> bool) {
        for number in 0..self.len() as u32 {
            let blocked = !self.is_erased(number) && blocks(self.kind(number), self.value(number));
            if let Some(mark) = self.mark(number) {
                self.set_mark(number, mark & !BLOCKED | if blocked { BLOCKED } else { 0 });
            }
        }
    }

    /// Overwrites a name; nothing finds it any more.
    pub fn erase(&mut self, number: u32) {
        if self.is_erased(number) {
            return;
        }
        let hashed = hash(&self.hasher, self.kind(number), self.value(number).as_bytes());
        if let Ok(entry) = self.table.find_entry(hashed, |&n| n == number) {
            entry.remove();
        }
        let (from, to) = span(&self.spots, number);
        self.text.replace_range(from..to, &"\0".repeat(to - from));
        self.set_mark(number, ERASED);
        self.first[number as usize] = NO_TIME;
    }

    /// Memory taken, without what is reserved for more.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.len() * (8 + 8) + self.table.capacity() * 5
    }
}

fn span(spots: &[u64], number: u32) -> (usize, usize) {
    let n = number as usize;
    let from = if n == 0 { 0 } else { spots[n - 1] >> 8 };
    (from as usize, (spots[n] >> 8) as usize)
}

fn kind_of(spot: u64) -> IdKind {
    IdKind::ALL[(spot as u8 & KIND) as usize]
}

fn key_at<'a>(text: &'a str, spots: &[u64], number: u32) -> (IdKind, &'a [u8]) {
    let kind = kind_of(spots[number as usize]);
    let (from, to) = span(spots, number);
    (kind, &text.as_bytes()[from + prefix_bytes(kind)..to])
}

fn hash_at(hasher: &FixedState, text: &str, spots: &[u64], number: u32) -> u64 {
    let (kind, value) = key_at(text, spots, number);
    hash(hasher, kind, value)
}

fn hash(hasher: &FixedState, kind: IdKind, value: &[u8]) -> u64 {
    let mut h = hasher.build_hasher();
    h.write(value);
    h.write_u8(kind as u8);
    h.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_until_they_are_erased() {
        let mut names = Names::new(7);
        let all: Vec<_> = (0..1_000).map(|i| Identifier::new(IdKind::ALL[i % 6], format!("값{i}"))).collect();
        for (i, id) in all.iter().enumerate() {
            assert_eq!(names.find(id.kind, &id.value), None);
            assert_eq!(names.add(id.kind, &id.value, false, Some(Instant(i as i64))), Some(i as u32));
        }
        names.erase(500);
        for (i, id) in all.iter().enumerate() {
            let there = i != 500;
            assert_eq!(names.find(id.kind, &id.value), there.then_some(i as u32));
            assert_eq!(names.handle(i as u32), if there { id.handle() } else { String::new() });
            assert_eq!(names.value(i as u32), if there { &id.value } else { "" });
        }
        assert!(!names.text.contains("값500") && names.text.contains("값501"));
        assert!(names.is_erased(1_000) && !names.is_blocked(1_000));
    }

    #[test]
    fn a_user_id_that_looks_like_another_kind_is_that_kind() {
        for value in ["email:a@b.kr", "user:email:x", "shop:7", ":", "phone:"] {
            let id = Identifier::new(IdKind::User, value);
            let (kind, bare) = key(&id);
            assert_eq!(Identifier::new(kind, bare), Identifier::of_handle(value));
        }
    }
}
