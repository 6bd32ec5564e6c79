use super::scan::{Scan, Step};
use super::{Damage, Disk, Log, frame};
use crate::{StoreError, StoreErrorKind};
use gyul_model::Instant;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A record as it lies in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub seq: u64,
    /// How many numbers it holds: `seq..seq + span`.
    pub span: u32,
    /// `BLANK` if it was erased.
    pub kind: u8,
    pub at: Instant,
    pub payload: &'a [u8],
}

/// Without the payload, which may speak of people.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { seq, span, kind, at, payload } = self;
        write!(f, "Record {{ {seq}+{span}, kind {kind}, at {at}, {} bytes }}", payload.len())
    }
}

#[derive(Debug)]
pub enum Entry<'a> {
    Record(Record<'a>),
    /// A damaged place; reading goes on behind it.
    Damaged(Damage),
}

/// Reads what was committed when it was made. Needs no `Log`: it may run in another thread while the log grows. A segment
/// that is pruned meanwhile ends it with an error.
pub struct Reader {
    disk: Arc<dyn Disk>,
    salt: u64,
    /// First numbers of the segments still to be read, the nearest last.
    segments: Vec<u64>,
    current: Option<(u64, Scan)>,
    from: u64,
    end: u64,
}

impl Log {
    /// Reads the committed records that hold this number or a later one.
    pub fn read(&self, from: u64) -> Reader {
        let firsts = self.sealed.iter().map(|s| s.0).chain([self.active.first]);
        let mut segments: Vec<u64> = firsts.collect();
        let start = segments.iter().rposition(|f| *f <= from).unwrap_or(0);
        segments.drain(..start);
        segments.reverse();
        Reader { disk: self.disk.clone(), salt: self.salt, segments, current: None, from, end: self.next }
    }
}

impl Reader {
    /// The next record or damaged place; `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "an Iterator could not lend its memory")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, StoreError> {
        let frame = loop {
            let limit = self.segments.last().copied().unwrap_or(self.end);
            let Some((first, scan)) = &mut self.current else {
                let Some(first) = self.segments.pop() else { return Ok(None) };
                let limit = self.segments.last().copied().unwrap_or(self.end);
                let scan = self.disk.open(&frame::name(first)).and_then(|f| Scan::new(f, self.salt, first, limit));
                self.current = Some((first, scan.map_err(|e| self.error(first, e))?));
                continue;
            };
            let first = *first;
            if scan.expected >= limit {
                self.current = None;
                continue;
            }
            let (offset, bytes, lost) = match scan.step() {
                Err(e) => return Err(self.error(first, e)),
                Ok(Step::Frame { frame, .. }) if frame.seqs().end <= self.from => continue,
                Ok(Step::Frame { frame, .. }) => break frame,
                Ok(Step::Bad { offset, bytes, lost }) => (offset, bytes, lost),
                Ok(Step::End { offset, dirty }) => {
                    let lost = scan.expected..limit;
                    self.current = None;
                    (offset, dirty - offset, lost)
                }
            };
            if lost.end > self.from {
                return Ok(Some(Entry::Damaged(self.damage(first, offset, bytes, lost))));
            }
        };
        let payload = self.current.as_ref().map_or(&[][..], |(_, scan)| scan.payload());
        let frame::Frame { seq, span, kind, at, .. } = frame;
        Ok(Some(Entry::Record(Record { seq, span, kind, at, payload })))
    }

    fn damage(&self, first: u64, offset: u64, bytes: u64, lost: Range<u64>) -> Damage {
        Damage { file: self.disk.path(&frame::name(first)), offset, bytes, lost, kept: None }
    }

    fn error(&self, first: u64, e: std::io::Error) -> StoreError {
        StoreError::new(&self.disk.path(&frame::name(first)), StoreErrorKind::Io(e))
    }
}
