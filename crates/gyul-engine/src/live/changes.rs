//! The stream of changes: who entered and left what, in order, kept on disk so that a reader can go on where it was.
//!
//! A log of its own beside the truth. Each of its records is what one step brought: the instant and the log position of
//! the step, and the changes. Reopening tells up to where the world was published.

use super::harm::Harms;
use super::record::{Reader, Unreadable, Writer};
use gyul_model::Instant;
use gyul_store::StoreError;
use gyul_store::log::{Disk, Entry, Log, Options};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// Changes that are kept in memory for readers.
const AT_HAND: usize = 1_000_000;
const KIND: u8 = 1;
/// Changes of one record.
const CHUNK: usize = 4096;
/// Bytes of one commit, about.
const COMMIT: usize = 32 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its place in the stream; the next one has one more.
    pub offset: u64,
    pub at: Instant,
    pub customer: Arc<str>,
    /// A segment's id, or `partition/class`.
    pub what: Arc<str>,
    pub entered: bool,
    /// One of [`CAUSES`].
    pub cause: Cow<'static, str>,
}

/// Why somebody entered or left.
pub const CAUSES: [&str; 8] = ["event", "time", "rank", "identity", "definition", "import", "objection", "retention"];

/// What a step was told by, that cannot be found again from its instant and place alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// Where slow ranks were sorted out last: an instant, and behind which record.
    pub sorted: (Instant, u64),
    /// Events before this were left out.
    pub kept: Option<Instant>,
}

pub struct ChangeLog {
    log: Log,
    at_hand: VecDeque<Told>,
    end: u64,
    /// What the disk has not taken yet, oldest first.
    waiting: VecDeque<Chunk>,
    /// The last step that was told wholly: its instant and the position in the log behind it.
    pub published: Option<(Instant, u64)>,
    /// Where slow ranks were sorted out last before it: it was told by their thresholds of then.
    pub sorted: Option<(Instant, u64)>,
    /// From when on it looked at events; absent where it was not kept yet.
    pub kept: Option<Option<Instant>>,
    /// What was told of the step after it when the machine died.
    pub torn: Vec<Told>,
    /// What changes are about, each text once: there are a million changes in memory, and a thousand texts.
    texts: FxHashSet<Arc<str>>,
    /// The base that the world rests on which tells; opened, the one that told last. 0: before this was kept.
    pub base: u64,
}

/// A part of what one step brought.
struct Chunk {
    step: (Instant, u64),
    sorted: (Instant, u64),
    kept: Option<Option<Instant>>,
    told: Vec<Told>,
    /// Changes of the step that come behind.
    rest: usize,
    base: u64,
}

impl ChangeLog {
    pub(super) fn open(
        dir: &Path,
        segment_bytes: u64,
        disk: Option<Arc<dyn Disk>>,
        harms: &mut Harms,
    ) -> Result<ChangeLog, StoreError> {
        let folder = dir.join("changes");
        let options = Options { segment_bytes, check_all: false, ..Options::default() };
        let (log, recovered) = match disk {
            Some(disk) => Log::open_on(disk, Options { ahead: false, salt: Some(1), ..options })?,
            None => {
                std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
                Log::open(&folder, options)?
            }
        };
        harms.opened(&recovered);
        let (at_hand, waiting, torn) = (VecDeque::new(), VecDeque::new(), vec![]);
        let mut out = ChangeLog {
            end: log.next(),
            at_hand,
            waiting,
            published: None,
            sorted: None,
            kept: None,
            torn,
            texts: FxHashSet::default(),
            base: 0,
            log,
        };
        out.read(out.end.saturating_sub(AT_HAND as u64), harms)?;
        if out.published.is_none() && !out.torn.is_empty() {
            // A step of very many changes.
            out.read(out.log.first(), harms)?;
        }
        Ok(out)
    }

    fn read(&mut self, from: u64, harms: &mut Harms) -> Result<(), StoreError> {
        self.at_hand.clear();
        self.torn.clear();
        let mut reader = self.log.read(from);
        while let Some(entry) = reader.next()? {
            let r = match entry {
                Entry::Record(r) => r,
                Entry::Damaged(damage) => {
                    harms.damage(&damage);
                    continue;
                }
            };
            let Ok(Chunk { step, sorted, kept, told, rest, base }) = read(r.payload, r.seq, &mut self.texts) else {
                harms.unreadable(r.seq);
                continue;
            };
            if rest > 0 {
                self.torn.extend(told.iter().cloned());
            } else {
                self.torn.clear();
                self.published = Some(step);
                self.sorted = Some(sorted);
                self.base = base;
                self.kept = kept;
            }
            self.at_hand.extend(told);
            trim(&mut self.at_hand);
        }
        Ok(())
    }

    /// The offset that the next change will have.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The oldest offset that can still be read.
    pub fn first(&self) -> u64 {
        self.at_hand.front().map_or(self.end, |t| t.offset)
    }

    /// Keeps what a step brought, or as much of it as the disk takes now. `told` needs no offsets yet.
    pub fn publish(&mut self, step: (Instant, u64), by: By, told: Vec<Told>) -> Result<(), StoreError> {
        let (By { sorted, kept }, base) = (by, self.base);
        let mut told = told.into_iter();
        while told.len() > 0 {
            let some = told.by_ref().take(CHUNK).collect();
            self.waiting.push_back(Chunk { step, sorted, kept: Some(kept), told: some, rest: told.len(), base });
        }
        self.flush()
    }

    /// Whether the disk has still to take something.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps what the disk has not taken yet.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        while !self.waiting.is_empty() {
            if self.log.is_unsure() {
                self.log.recover()?;
            }
            let mut offset = self.end;
            let mut taken = 0;
            for chunk in &mut self.waiting {
                for t in &mut chunk.told {
                    t.offset = offset;
                    offset += 1;
                }
                let appended = self.log.append(KIND, chunk.step.0, chunk.told.len() as u32, &write(chunk));
                if let Err(e) = appended {
                    self.log.drop_pending();
                    return Err(e);
                }
                taken += 1;
                if self.log.pending_bytes() > COMMIT {
                    break;
                }
            }
            self.log.commit()?;
            self.end = self.log.next();
            for chunk in self.waiting.drain(..taken) {
                self.at_hand.extend(chunk.told);
            }
            trim(&mut self.at_hand);
        }
        Ok(())
    }

    /// Reads what is on disk.
    pub fn reader(&self) -> gyul_store::log::Reader {
        self.log.read(self.log.first())
    }

    pub fn from(&self, from: u64, limit: usize) -> Option<Vec<Told>> {
        if from < self.first() && from < self.end {
            return None;
        }
        let start = self.at_hand.partition_point(|t| t.offset < from);
        Some(self.at_hand.iter().skip(start).take(limit).cloned().collect())
    }

    /// Forgets what somebody did; the offsets stay. Gives how many changes were theirs.
    pub fn erase(&mut self, customers: &[String]) -> Result<u64, StoreError> {
        let mut count = 0;
        let customers: FxHashSet<&str> = customers.iter().map(String::as_str).collect();
        let gone = |t: &Told| customers.contains(&*t.customer);
        let mut texts = std::mem::take(&mut self.texts);
        let waiting = self.waiting.iter_mut().flat_map(|c| &mut c.told);
        self.at_hand.iter_mut().chain(waiting).filter(|t| gone(t)).for_each(|t| t.customer = "".into());
        if self.log.is_unsure() {
            self.log.recover()?;
        }
        let rewritten = self.log.rewrite(&mut |r| match read(r.payload, r.seq, &mut texts) {
            Ok(mut chunk) if chunk.told.iter().any(gone) => {
                for t in chunk.told.iter_mut().filter(|t| gone(t)) {
                    t.customer = "".into();
                    count += 1;
                }
                gyul_store::log::Rewrite::Replace(write(&chunk))
            }
            _ => gyul_store::log::Rewrite::Keep,
        });
        self.texts = texts;
        rewritten?;
        self.log.forget_damaged()?;
        Ok(count)
    }
}

fn trim(at_hand: &mut VecDeque<Told>) {
    let much = at_hand.len().saturating_sub(AT_HAND);
    at_hand.drain(..much);
}

/// What some changes come to: in and out again is nothing. A start makes many steps of the past one, and in between nobody was anywhere.
pub fn net(told: Vec<Told>) -> Vec<Told> {
    let key = |t: &Told| (t.what.clone(), t.customer.clone());
    let mut times: BTreeMap<(Arc<str>, Arc<str>), usize> = BTreeMap::new();
    told.iter().for_each(|t| *times.entry(key(t)).or_default() += 1);
    // From behind: the last one counts, if there is nothing left that it cancels out.
    let lasts = |t: &Told| times.remove(&key(t)).is_some_and(|n| n % 2 == 1);
    let mut left: Vec<Told> = told.into_iter().rev().filter(lasts).collect();
    left.reverse();
    left
}

/// What is left to tell of the changes since the last whole step, when some of them were told in a torn one.
pub fn without(missed: Vec<Told>, torn: &[Told]) -> Vec<Told> {
    let key = |t: &Told| (t.what.clone(), t.customer.clone());
    let mut known: BTreeMap<(Arc<str>, Arc<str>), &Told> = BTreeMap::new();
    for t in torn.iter().filter(|t| !t.customer.is_empty()) {
        // In and out again is nothing.
        let key = key(t);
        if known.remove(&key).is_none() {
            known.insert(key, t);
        }
    }
    let mut left: Vec<Told> = missed;
    if !known.is_empty() {
        left.retain(|t| known.remove(&key(t)).is_none());
    }
    // Told, and not so any more.
    left.splice(0..0, known.into_values().map(|k| Told { entered: !k.entered, ..k.clone() }));
    left
}

fn write(chunk: &Chunk) -> Vec<u8> {
    let mut w = Writer::default();
    w.int(chunk.step.0.0);
    w.uint(chunk.step.1);
    w.uint(chunk.told.len() as u64);
    for t in &chunk.told {
        w.int(t.at.0);
        [&*t.customer, &*t.what, &*t.cause].into_iter().for_each(|s| w.text(s));
        w.bytes.push(t.entered.into());
    }
    w.uint(chunk.rest as u64);
    w.int(chunk.sorted.0.0);
    w.uint(chunk.sorted.1);
    w.uint(chunk.base);
    if let Some(kept) = chunk.kept {
        w.int(kept.map_or(i64::MIN, |t| t.0));
    }
    w.bytes
}

/// What reads is written and read as the same.
pub(super) fn again(payload: &[u8]) {
    let mut texts = FxHashSet::default();
    let mut read = |payload: &[u8]| read(payload, 1, &mut texts).ok();
    let parts = |c: Chunk| (c.step, c.sorted, c.kept, c.told, c.rest, c.base);
    if let Some(chunk) = read(payload) {
        let written = write(&chunk);
        assert_eq!(read(&written).map(parts), Some(parts(chunk)));
    }
}

/// `texts`: what changes are about, as far as it was read before.
fn read(payload: &[u8], offset: u64, texts: &mut FxHashSet<Arc<str>>) -> Result<Chunk, Unreadable> {
    let mut r = Reader::bare(payload);
    let step = (Instant(r.int()?), r.uint()?);
    let n = r.uint()?;
    let mut told = vec![];
    for offset in offset..offset.checked_add(n).ok_or(Unreadable)? {
        let at = Instant(r.int()?);
        let (customer, what, cause) = (r.str()?.into(), r.str()?, r.str()?);
        let what = match texts.get(what) {
            Some(known) => known.clone(),
            None => {
                let what: Arc<str> = what.into();
                texts.insert(what.clone());
                what
            }
        };
        let known = CAUSES.iter().find(|c| **c == cause);
        let cause = known.map_or_else(|| cause.to_string().into(), |c| Cow::Borrowed(*c));
        told.push(Told { offset, at, customer, what, cause, entered: r.byte()? == 1 });
    }
    // Records of the first version of the format do not say it.
    let rest = if r.is_empty() { 0 } else { r.uint()? as usize };
    // Nor do those of the second say this.
    let sorted = if r.is_empty() { step } else { (Instant(r.int()?), r.uint()?) };
    let base = if r.is_empty() { 0 } else { r.uint()? };
    // Nor do those of the fourth say this.
    let kept = if r.is_empty() { None } else { Some(Some(Instant(r.int()?)).filter(|t| t.0 > i64::MIN)) };
    Ok(Chunk { step, sorted, kept, told, rest, base })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_store::log::{Fault, SimDisk};

    fn told(n: usize, what: &str, entered: bool) -> Told {
        let (customer, cause) = (format!("C{n}").into(), "event".into());
        Told { offset: 0, at: Instant(1), customer, what: what.into(), entered, cause }
    }

    #[test]
    fn in_and_out_again_is_nothing() {
        let all = vec![
            told(1, "buyers", true),
            told(2, "buyers", true),
            told(1, "often", true),
            told(2, "buyers", false),
            told(1, "buyers", false),
            told(1, "buyers", true),
        ];
        assert_eq!(net(all), [told(1, "often", true), told(1, "buyers", true)]);
    }

    #[test]
    fn a_large_step_that_power_cut_in_two_is_known_as_such_and_the_rest_is_told_once() {
        let step: Vec<Told> = (0..3 * CHUNK).map(|n| told(n, "buyers", true)).collect();
        let mut cut = 0;
        let by = By { sorted: (Instant(1), 7), kept: None };
        for seed in 0..12 {
            let disk = SimDisk::new(seed);
            let open = || {
                ChangeLog::open(Path::new("."), 1 << 21, Some(Arc::new(disk.clone())), &mut Harms::default()).unwrap()
            };
            let mut log = open();
            log.publish((Instant(1), 7), by, vec![told(0, "often", true)]).unwrap();
            // A beginning of it is written, and perhaps lasts.
            disk.fail_after(0, Fault::Write(std::io::ErrorKind::StorageFull));
            assert!(log.publish((Instant(2), 9), by, step.clone()).is_err());
            assert!(log.is_behind() && log.end() == 1, "nobody is told of what is not on disk");
            disk.crash();
            let mut log = open();
            let torn = std::mem::take(&mut log.torn);
            if log.published == Some((Instant(2), 9)) {
                assert_eq!((torn.len(), log.end()), (0, 1 + step.len() as u64));
                continue;
            }
            assert_eq!(log.published, Some((Instant(1), 7)));
            cut += u32::from(!torn.is_empty());
            // C0 has left meanwhile: whoever was told has to be told that too.
            let left = without(step[1..].to_vec(), &torn);
            log.publish((Instant(3), 9), by, left).unwrap();
            let mut is = BTreeMap::new();
            for t in log.from(1, usize::MAX).unwrap() {
                assert_ne!(is.insert(t.customer.clone(), t.entered).unwrap_or(false), t.entered, "{t:?} twice");
            }
            assert_eq!(is.values().filter(|e| **e).count(), step.len() - 1);
        }
        assert!(cut > 0, "no step was cut in two");
    }
}
