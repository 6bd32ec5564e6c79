//! The state as bytes and back: what is saved and loaded goes on as if nothing had happened.
//!
//! Format 1: the mark, the version, then sections of LEB128 numbers (signed ones in zigzag) and texts with their lengths,
//! in the order of the functions here; last, eight bytes of [`hash64`] over all before. Formats live on: a change of
//! meaning takes a new version, and `load` goes on reading the old.

use crate::identities::{Identities, Link, NOBODY, Reason, Refusal, Stats, UndoneLink, Why};
use crate::names::key_of;
use crate::rules::Rules;
use gyul_model::{IdKind, Instant, hash64};

const MARK: &[u8; 8] = b"gyul-ids";
const VERSION: u8 = 1;
const ERASED: u8 = 6;
const WITH_TIME: u8 = 8;

/// Why bytes are no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotLoad {
    NotIdentities,
    /// The version of the format.
    Newer(u8),
    /// The section that makes no sense.
    Damaged(&'static str),
}

impl Identities {
    /// Everything but the rules, which are settings.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(64 + self.len() * 32));
        out.0.extend_from_slice(MARK);
        out.0.push(VERSION);
        self.save_names(&mut out);
        out.number(self.people.len() as u64);
        self.people.iter().for_each(|p| out.text(p));
        self.save_links(&mut out);
        let parted: Vec<_> = self.groups.parted().collect();
        out.number(parted.len() as u64);
        parted.iter().for_each(|(a, b)| out.numbers(&[u64::from(*a), u64::from(*b)]));
        self.save_refusals(&mut out);
        out.numbers(&[self.stats.blocked, self.stats.unverified, self.stats.nobody]);
        let sum = hash64(&out.0);
        out.0.extend_from_slice(&sum.to_le_bytes());
        out.0
    }

    /// As [`Identities::load_with_seed`], without a secret.
    pub fn load(bytes: &[u8], rules: Rules) -> Result<Identities, CannotLoad> {
        Identities::load_with_seed(bytes, rules, 0)
    }

    /// The state that was saved, under these rules.
    pub fn load_with_seed(bytes: &[u8], rules: Rules, seed: u64) -> Result<Identities, CannotLoad> {
        let rest = bytes.strip_prefix(MARK).ok_or(CannotLoad::NotIdentities)?;
        let (&version, _) = rest.split_first().ok_or(CannotLoad::Damaged("version"))?;
        if version > VERSION {
            return Err(CannotLoad::Newer(version));
        }
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or(CannotLoad::Damaged("checksum"))?;
        if hash64(body) != u64::from_le_bytes(*sum) {
            return Err(CannotLoad::Damaged("checksum"));
        }
        let mut from = Reader(body.get(MARK.len() + 1..).unwrap_or(&[]));
        let mut ids = Identities::with_seed(rules, seed);
        ids.load_names(&mut from).ok_or(CannotLoad::Damaged("names"))?;
        let people = from.count().ok_or(CannotLoad::Damaged("people"))?;
        for _ in 0..people {
            ids.people.push(from.text().ok_or(CannotLoad::Damaged("people"))?.into());
        }
        ids.load_links(&mut from).ok_or(CannotLoad::Damaged("links"))?;
        ids.load_parted(&mut from).ok_or(CannotLoad::Damaged("parted pairs"))?;
        ids.load_refusals(&mut from).ok_or(CannotLoad::Damaged("refusals"))?;
        let mut stat = || from.number().ok_or(CannotLoad::Damaged("counts"));
        ids.stats = Stats { blocked: stat()?, unverified: stat()?, nobody: stat()? };
        if from.0.is_empty() { Ok(ids) } else { Err(CannotLoad::Damaged("end")) }
    }

    fn save_names(&self, out: &mut Writer) {
        out.number(self.len() as u64);
        for number in 0..self.len() as u32 {
            if self.names.is_erased(number) {
                out.0.push(ERASED);
                continue;
            }
            let first = self.names.first(number);
            out.0.push(self.names.kind(number) as u8 | if first.is_some() { WITH_TIME } else { 0 });
            out.text(self.names.value(number));
            if let Some(at) = first {
                out.signed(at.0);
            }
        }
    }

    fn load_names(&mut self, from: &mut Reader) -> Option<()> {
        let names = from.count()?;
        self.reserve(names);
        for _ in 0..names {
            let mark = from.byte()?;
            if mark == ERASED {
                self.names.add_erased();
                self.groups.add();
                continue;
            }
            let kind = *IdKind::ALL.get((mark & !WITH_TIME) as usize)?;
            let value = from.text()?;
            let first = if mark & WITH_TIME != 0 { Some(Instant(from.signed()?)) } else { None };
            if self.names.find(kind, value).is_some() || (kind == IdKind::User && key_of(value).0 != kind) {
                return None;
            }
            self.add_loaded(kind, value, first)?;
        }
        Some(())
    }

    fn save_links(&self, out: &mut Writer) {
        out.number(self.links.len() as u64);
        let mut last = 0;
        for link in &self.links {
            if link.a == NOBODY {
                out.0.push(3);
                continue;
            }
            out.0.push(match link.why {
                Why::Seen => 0,
                Why::Alias => 1,
                Why::Hand => 2,
            });
            out.signed(link.seq.wrapping_sub(last) as i64);
            last = link.seq;
            out.signed(link.at.0);
            out.numbers(&[u64::from(link.a), u64::from(link.b)]);
            if link.why == Why::Hand {
                out.number(u64::from(link.by));
            }
        }
        out.number(self.undone.len() as u64);
        for (merge, undone) in &self.undone {
            out.numbers(&[u64::from(*merge), undone.seq, u64::from(undone.by)]);
            out.signed(undone.at.0);
        }
    }

    fn load_links(&mut self, from: &mut Reader) -> Option<()> {
        let links = from.count()?;
        let mut last = 0u64;
        self.links.reserve(links);
        for _ in 0..links {
            let why = match from.byte()? {
                0 => Why::Seen,
                1 => Why::Alias,
                2 => Why::Hand,
                3 => {
                    self.links.push(Link { seq: 0, at: Instant(0), a: NOBODY, b: NOBODY, why: Why::Seen, by: NOBODY });
                    continue;
                }
                _ => return None,
            };
            last = last.wrapping_add(from.signed()? as u64);
            let at = Instant(from.signed()?);
            let (a, b) = (self.load_handle(from)?, self.load_handle(from)?);
            let by = if why == Why::Hand { self.load_person(from)? } else { NOBODY };
            self.links.push(Link { seq: last, at, a, b, why, by });
        }
        for _ in 0..from.count()? {
            let merge = from.number32()?;
            let seq = from.number()?;
            let by = self.load_person(from)?;
            let at = Instant(from.signed()?);
            if self.links.get(merge as usize)?.a == NOBODY || self.undone.contains_key(&merge) {
                return None;
            }
            self.undo(merge, UndoneLink { seq, at, by });
        }
        for merge in 0..self.links.len() as u32 {
            let link = self.links[merge as usize];
            if link.a == NOBODY || self.undone.contains_key(&merge) {
                continue;
            }
            if self.groups.head(link.a) == self.groups.head(link.b) {
                return None;
            }
            self.groups.join(link.a, link.b, merge, |h| self.names.kind(h));
        }
        Some(())
    }

    fn load_parted(&mut self, from: &mut Reader) -> Option<()> {
        for _ in 0..from.count()? {
            let (a, b) = (self.load_handle(from)?, self.load_handle(from)?);
            self.groups.keep_apart(a, b);
        }
        Some(())
    }

    fn save_refusals(&self, out: &mut Writer) {
        out.number(self.refusals.len() as u64);
        for r in &self.refusals {
            if r.a == NOBODY {
                out.0.push(7);
                continue;
            }
            out.0.push(match r.reason {
                Reason::TooMany(kind) => kind as u8,
                Reason::Parted => 6,
            });
            out.numbers(&[u64::from(r.a), u64::from(r.b), r.seq, r.times]);
            out.signed(r.at.0);
        }
    }

    fn load_refusals(&mut self, from: &mut Reader) -> Option<()> {
        let mut at_handles = vec![];
        for place in 0..from.count()? as u32 {
            let reason = match from.byte()? {
                6 => Reason::Parted,
                7 => {
                    let gone =
                        Refusal { a: NOBODY, b: NOBODY, reason: Reason::Parted, seq: 0, at: Instant(0), times: 0 };
                    self.refusals.push(gone);
                    continue;
                }
                kind => Reason::TooMany(*IdKind::ALL.get(kind as usize)?),
            };
            let (a, b) = (self.load_handle(from)?, self.load_handle(from)?);
            let (seq, times) = (from.number()?, from.number()?);
            let at = Instant(from.signed()?);
            if a == b || self.refused.insert((a.min(b), a.max(b)), place).is_some() {
                return None;
            }
            at_handles.extend([(a, place), (b, place)]);
            self.refusals.push(Refusal { a, b, reason, seq, at, times });
        }
        // From a list at once: many times faster than one by one.
        self.refused_at = at_handles.into_iter().collect();
        Some(())
    }

    /// The number of somebody who is there.
    fn load_handle(&self, from: &mut Reader) -> Option<u32> {
        from.number32().filter(|h| !self.names.is_erased(*h))
    }

    fn load_person(&self, from: &mut Reader) -> Option<u32> {
        from.number32().filter(|p| (*p as usize) < self.people.len())
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn numbers(&mut self, all: &[u64]) {
        all.iter().for_each(|n| self.number(*n));
    }

    fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)) as u64);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    fn number32(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// How many things follow: no more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        self.number()?.try_into().ok().filter(|n| *n <= self.0.len())
    }

    fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    fn text(&mut self) -> Option<&'a str> {
        let bytes = self.number()?.try_into().ok()?;
        let (text, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
