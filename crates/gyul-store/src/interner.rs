//! Texts and their numbers.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// Texts by number, from 0, one behind the other in one buffer: no allocation for each.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    pub fn get(&self, code: u32) -> &str {
        let at = code as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|c| self.get(c))
    }

    /// Adds a text behind the others, whether or not it is there already.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// All texts, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }
}

/// Gives every text one number.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    /// Half a hash and the code: most texts are told apart without being looked at.
    codes: HashTable<(u32, u32)>,
    pub texts: Texts,
}

impl Interner {
    pub fn code(&mut self, text: &str) -> u32 {
        let hash = FxBuildHasher.hash_one(text);
        let half = (hash ^ (hash >> 32)) as u32;
        let texts = &self.texts;
        if let Some((_, code)) = self.codes.find(spread(half), |(h, c)| *h == half && texts.get(*c) == text) {
            return *code;
        }
        let code = self.texts.len() as u32;
        self.texts.push(text);
        self.codes.insert_unique(spread(half), (half, code), |(h, _)| spread(*h));
        code
    }
}

fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
