//! Who is in: a bit per customer for every segment and class.

use gyul_model::Instant;

/// A set of customers, a bit each, in the numbering of [`crate::Timelines`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    pub(crate) words: Vec<u64>,
}

impl Bits {
    pub fn none(len: usize) -> Bits {
        Bits { words: vec![0; len.div_ceil(64)] }
    }

    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    pub fn has(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    pub fn set(&mut self, i: usize) {
        self.words[i / 64] |= 1 << (i % 64);
    }

    pub(crate) fn put(&mut self, i: usize, is: bool) {
        let (word, bit) = (&mut self.words[i / 64], 1 << (i % 64));
        if is { *word |= bit } else { *word &= !bit }
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        ones(&self.words)
    }

    /// How many are in both.
    pub fn overlap(&self, other: &Bits) -> usize {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    pub fn union(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub fn intersect(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    /// Those that are not in this one.
    pub fn missing_from(&self, all: &Bits) -> Bits {
        Bits { words: all.words.iter().zip(&self.words).map(|(all, own)| all & !own).collect() }
    }
}

/// The positions of the bits that are set, ascending.
pub(crate) fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(w, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bit = rest.trailing_zeros();
            (rest != 0).then(|| {
                rest &= rest - 1;
                w * 64 + bit as usize
            })
        })
    })
}

/// Membership of everybody at one instant. Indexes follow the library that the plan was compiled from.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    pub at: Instant,
    /// Everybody who exists at that instant.
    pub population: Bits,
    pub segments: Vec<Bits>,
    /// Each class of each partition, `otherwise` last; disjoint, together the population.
    pub partitions: Vec<Vec<Bits>>,
}
