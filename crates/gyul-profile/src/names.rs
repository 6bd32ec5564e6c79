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
    ends: Vec<u64>,
    /// The kind, and what is known of the name.
    marks: Vec<u8>,
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
            ends: vec![],
            marks: vec![],
            first: vec![],
            table: HashTable::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn reserve(&mut self, names: usize) {
        self.ends.reserve(names);
        self.marks.reserve(names);
        self.first.reserve(names);
        let Names { table, hasher, text, ends, marks, .. } = self;
        table.reserve(names, |&n| hash(hasher, kind_at(marks, n), value_at(text, ends, marks, n)));
    }

    pub fn find(&self, kind: IdKind, value: &str) -> Option<u32> {
        let same = |&n: &u32| {
            kind_at(&self.marks, n) == kind && value_at(&self.text, &self.ends, &self.marks, n) == value.as_bytes()
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
        self.ends.push(self.text.len() as u64);
        self.marks.push(kind as u8 | if blocked { BLOCKED } else { 0 });
        self.first.push(first.map_or(NO_TIME, |t| t.0));
        let Names { table, hasher, text, ends, marks, .. } = self;
        let rehash = |&n: &u32| hash(hasher, kind_at(marks, n), value_at(text, ends, marks, n));
        table.insert_unique(hash(hasher, kind, value.as_bytes()), number, rehash);
        Some(number)
    }

    /// Takes a number for a name that is forgotten already: numbers stay what they were after a restart.
    pub fn add_erased(&mut self) {
        self.ends.push(self.text.len() as u64);
        self.marks.push(ERASED);
        self.first.push(NO_TIME);
    }

    /// The name as a handle; empty if it is forgotten or was never there.
    pub fn handle(&self, number: u32) -> &str {
        if self.is_erased(number) {
            return "";
        }
        let (from, to) = span(&self.ends, number);
        self.text.get(from..to).unwrap_or("")
    }

    pub fn kind(&self, number: u32) -> IdKind {
        kind_at(&self.marks, number)
    }

    /// The value without the kind before it.
    pub fn value(&self, number: u32) -> &str {
        self.handle(number).get(prefix_bytes(self.kind(number))..).unwrap_or("")
    }

    pub fn first(&self, number: u32) -> Option<Instant> {
        self.first.get(number as usize).filter(|t| **t != NO_TIME).map(|t| Instant(*t))
    }

    pub fn is_blocked(&self, number: u32) -> bool {
        self.marks.get(number as usize).is_some_and(|m| m & BLOCKED != 0)
    }

    /// Also true of numbers that were never given.
    pub fn is_erased(&self, number: u32) -> bool {
        self.marks.get(number as usize).is_none_or(|m| m & ERASED != 0)
    }

    /// Asks again which names are blocked.
    pub fn block(&mut self, blocks: impl Fn(IdKind, &str) -> bool) {
        for number in 0..self.len() as u32 {
            let blocked = !self.is_erased(number) && blocks(self.kind(number), self.value(number));
            let mark = &mut self.marks[number as usize];
            *mark = *mark & !BLOCKED | if blocked { BLOCKED } else { 0 };
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
        let (from, to) = span(&self.ends, number);
        self.text.replace_range(from..to, &"\0".repeat(to - from));
        self.marks[number as usize] = ERASED;
        self.first[number as usize] = NO_TIME;
    }

    /// Memory taken, without what is reserved for more.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.len() * (8 + 1 + 8) + self.table.capacity() * 5
    }
}

fn span(ends: &[u64], number: u32) -> (usize, usize) {
    let n = number as usize;
    let from = if n == 0 { 0 } else { ends[n - 1] };
    (from as usize, ends[n] as usize)
}

fn kind_at(marks: &[u8], number: u32) -> IdKind {
    IdKind::ALL[(marks[number as usize] & KIND) as usize]
}

fn value_at<'a>(text: &'a str, ends: &[u64], marks: &[u8], number: u32) -> &'a [u8] {
    let (from, to) = span(ends, number);
    &text.as_bytes()[from + prefix_bytes(kind_at(marks, number))..to]
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
