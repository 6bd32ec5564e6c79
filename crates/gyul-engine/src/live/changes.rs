//! The stream of changes: who entered and left what, in order, kept on disk so that a reader can go on where it was.
//!
//! A log of its own beside the truth. Each of its records is what one step brought: the instant and the log position of
//! the step, and the changes. Reopening tells up to where the world was published.

use super::record::{Reader, Unreadable, Writer};
use gyul_model::Instant;
use gyul_store::StoreError;
use gyul_store::log::{Disk, Entry, Log, Options};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Changes that are kept in memory for readers.
const AT_HAND: usize = 1_000_000;
const KIND: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its place in the stream; the next one has one more.
    pub offset: u64,
    pub at: Instant,
    pub customer: String,
    /// A segment's id, or `partition/class`.
    pub what: String,
    pub entered: bool,
    /// `event`, `time`, `rank`, `identity`, `definition`.
    pub cause: String,
}

pub struct ChangeLog {
    log: Log,
    at_hand: VecDeque<Told>,
    end: u64,
    /// The last step that was told: its instant and the position in the log behind it.
    pub published: Option<(Instant, u64)>,
    /// What the disk did not take yet, with the steps. Nobody is told before it is on disk: after a crash it might be
    /// told in another order.
    waiting: Vec<((Instant, u64), Vec<Told>)>,
}

impl ChangeLog {
    /// In the folder `changes` of a data directory, or on another disk.
    pub fn open(dir: &Path, segment_bytes: u64, disk: Option<Arc<dyn Disk>>) -> Result<ChangeLog, StoreError> {
        let options = Options { segment_bytes, check_all: false, ..Options::default() };
        let (log, _) = match disk {
            Some(disk) => Log::open_on(disk, options)?,
            None => {
                let folder = dir.join("changes");
                let failed = |e| StoreError::new(&folder, gyul_store::StoreErrorKind::Io(e));
                std::fs::create_dir_all(&folder).map_err(failed)?;
                Log::open(&folder, options)?
            }
        };
        let mut out = ChangeLog { end: log.next(), at_hand: VecDeque::new(), published: None, waiting: vec![], log };
        let from = out.end.saturating_sub(AT_HAND as u64);
        let mut reader = out.log.read(from);
        while let Some(entry) = reader.next()? {
            let Entry::Record(r) = entry else { continue };
            // A step is known by its last record.
            if let Ok((step, told)) = read(r.payload, r.seq) {
                out.published = Some(step);
                out.at_hand.extend(told);
            }
        }
        out.trim();
        Ok(out)
    }

    /// The offset that the next change will have.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The oldest offset that can still be read.
    pub fn first(&self) -> u64 {
        self.at_hand.front().map_or(self.end, |t| t.offset)
    }

    /// Keeps what a step brought and tells it. `told` needs no offsets yet. After an error it waits for [`ChangeLog::flush`].
    pub fn publish(&mut self, step: (Instant, u64), told: Vec<Told>) -> Result<(), StoreError> {
        self.waiting.push((step, told));
        self.flush()
    }

    /// Whether something waits for the disk.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells what waits, if the disk takes it now.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.log.recover()?;
        let mut offset = self.end;
        for (step, told) in &mut self.waiting {
            for t in told.iter_mut() {
                t.offset = offset;
                offset += 1;
            }
            for some in told.chunks(4096) {
                self.log.append(KIND, step.0, some.len() as u32, &write(*step, some))?;
            }
        }
        self.log.commit()?;
        self.end = self.log.next();
        for (step, told) in self.waiting.drain(..) {
            self.published = Some(step);
            self.at_hand.extend(told);
        }
        self.trim();
        Ok(())
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
        let gone = |t: &Told| customers.contains(&t.customer);
        self.at_hand.iter_mut().filter(|t| gone(t)).for_each(|t| t.customer = String::new());
        self.log.rewrite(&mut |r| match read(r.payload, r.seq) {
            Ok((step, mut told)) if told.iter().any(gone) => {
                for t in told.iter_mut().filter(|t| gone(t)) {
                    t.customer = String::new();
                    count += 1;
                }
                gyul_store::log::Rewrite::Replace(write(step, &told))
            }
            _ => gyul_store::log::Rewrite::Keep,
        })?;
        self.log.forget_damaged()?;
        Ok(count)
    }

    fn trim(&mut self) {
        let much = self.at_hand.len().saturating_sub(AT_HAND);
        self.at_hand.drain(..much);
    }
}

fn write((at, next): (Instant, u64), told: &[Told]) -> Vec<u8> {
    let mut w = Writer::default();
    w.int(at.0);
    w.uint(next);
    w.uint(told.len() as u64);
    for t in told {
        w.int(t.at.0);
        [&t.customer, &t.what, &t.cause].into_iter().for_each(|s| w.text(s));
        w.bytes.push(t.entered.into());
    }
    w.bytes
}

#[allow(clippy::type_complexity)]
fn read(payload: &[u8], offset: u64) -> Result<((Instant, u64), Vec<Told>), Unreadable> {
    let mut r = Reader::bare(payload);
    let step = (Instant(r.int()?), r.uint()?);
    let n = r.uint()?;
    let mut told = vec![];
    for offset in offset..offset + n {
        let at = Instant(r.int()?);
        let (customer, what, cause) = (r.text()?, r.text()?, r.text()?);
        told.push(Told { offset, at, customer, what, cause, entered: r.byte()? == 1 });
    }
    Ok((step, told))
}
