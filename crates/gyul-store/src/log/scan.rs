//! Goes through one segment from frame to frame, and over damaged places to the next good one.

use super::disk::DiskFile;
use super::frame::{self, BEGIN, FRAME, Frame, MAGIC};
use std::io;
use std::ops::Range;
use std::sync::Arc;

const WINDOW: usize = 1 << 20;

/// What the scan met.
#[derive(Debug)]
pub enum Step {
    /// A good frame; its payload is `Scan::payload`.
    Frame { offset: u64, frame: Frame },
    /// Bytes that are no frame, with good frames behind them (or the end of a segment that should reach further).
    /// No bytes: numbers are missing between two good frames.
    Bad { offset: u64, bytes: u64, lost: Range<u64> },
    /// The last good frame ends at `offset`; something else than zeros is found up to `dirty`.
    End { offset: u64, dirty: u64 },
}

pub struct Scan {
    file: Arc<dyn DiskFile>,
    len: u64,
    salt: u64,
    /// Part of the file: `window[..filled]` lies at `start`.
    window: Vec<u8>,
    filled: usize,
    start: u64,
    pub offset: u64,
    /// The number that comes next.
    pub expected: u64,
    /// The commit of the last good frame.
    commit: Option<u64>,
    /// No frame reaches beyond: the first number of the next segment.
    limit: u64,
    payload: Range<usize>,
    /// A good frame that was found behind a bad place: not to be checked again.
    found: Option<(u64, Frame)>,
}

impl Scan {
    pub fn new(file: Arc<dyn DiskFile>, salt: u64, first: u64, limit: u64) -> io::Result<Scan> {
        let len = file.len()?;
        let offset = BEGIN.min(len);
        Ok(Scan {
            file,
            len,
            salt,
            window: vec![],
            filled: 0,
            start: 0,
            offset,
            expected: first,
            commit: None,
            limit,
            payload: 0..0,
            found: None,
        })
    }

    /// The payload of the frame that the last step gave.
    pub fn payload(&self) -> &[u8] {
        &self.window[self.payload.clone()]
    }

    pub fn step(&mut self) -> io::Result<Step> {
        let good = match self.found.take() {
            Some((offset, frame)) if offset == self.offset => Some(frame),
            _ => self.frame_at(self.offset)?,
        };
        let offset = self.offset;
        if let Some(frame) = good {
            if frame.seq > self.expected {
                let lost = self.expected..frame.seq;
                self.expected = frame.seq;
                return Ok(Step::Bad { offset, bytes: 0, lost });
            }
            self.hold(offset, frame.size() as usize)?;
            let from = (offset - self.start) as usize + FRAME;
            self.payload = from..from + frame.len as usize;
            self.offset += frame.size();
            self.expected = frame.seqs().end;
            self.commit = Some(frame.commit);
            return Ok(Step::Frame { offset, frame });
        }
        match self.search()? {
            Ok((at, frame)) => {
                let lost = self.expected..frame.seq;
                self.offset = at;
                self.expected = frame.seq;
                self.found = Some((at, frame));
                Ok(Step::Bad { offset, bytes: at - offset, lost })
            }
            Err(dirty) => Ok(Step::End { offset, dirty }),
        }
    }

    /// The good frame at a place: head and payload check out, and its numbers may stand here.
    fn frame_at(&mut self, at: u64) -> io::Result<Option<Frame>> {
        let salt = self.salt;
        let Some(frame) = frame::decode(self.hold(at, FRAME)?, salt) else { return Ok(None) };
        let fits = frame.seq >= self.expected && frame.seqs().end <= self.limit;
        // It goes on with the commit before it, or begins a later one. Else it is left over from one that was refused: what
        // wiped it out was perhaps lost with the power.
        let follows = self.commit.is_none_or(|c| frame.commit == c || frame.commit >= self.expected);
        if !fits || !follows || frame.size() > self.len.saturating_sub(at) {
            return Ok(None);
        }
        let bytes = self.hold(at, frame.size() as usize)?;
        Ok(bytes.get(FRAME..).filter(|p| frame::sum(salt, p) == frame.payload_sum).map(|_| frame))
    }

    /// The next good frame behind the current place, or where the last byte that is not zero ends.
    fn search(&mut self) -> io::Result<Result<(u64, Frame), u64>> {
        let behind = self.offset;
        let (mut at, mut dirty) = (behind, behind);
        loop {
            let bytes = self.hold(at, WINDOW)?;
            if bytes.is_empty() {
                return Ok(Err(dirty));
            }
            let n = bytes.len() as u64;
            if let Some(last) = last_not_zero(bytes) {
                dirty = at + last as u64 + 1;
                let places = memchr::memmem::find_iter(bytes, &MAGIC).map(|p| at + p as u64);
                let places: Vec<u64> = places.filter(|p| *p > behind).collect();
                for place in places {
                    if let Some(frame) = self.frame_at(place)? {
                        return Ok(Ok((place, frame)));
                    }
                }
            }
            if at + n >= self.len {
                return Ok(Err(dirty));
            }
            // One byte less, so that a magic across the border is seen.
            at += n - 1;
        }
    }

    /// The bytes at a place, fewer at the end of the file.
    fn hold(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(self.len.saturating_sub(at) as usize);
        let end = self.start + self.filled as u64;
        if at < self.start || at + wanted as u64 > end {
            // What is already here moves to the front.
            let mut kept = 0;
            if at >= self.start && at < end {
                let from = (at - self.start) as usize;
                self.window.copy_within(from..self.filled, 0);
                kept = self.filled - from;
            }
            let size = wanted.max(WINDOW.min(self.len as usize));
            if self.window.len() < size {
                self.window.resize(size, 0);
            }
            self.start = at;
            self.filled = kept;
            self.filled += self.file.read_at(at + kept as u64, &mut self.window[kept..])?;
        }
        let from = (at - self.start) as usize;
        let to = (from + wanted).min(self.filled);
        Ok(&self.window[from..to])
    }
}

fn last_not_zero(bytes: &[u8]) -> Option<usize> {
    static ZEROS: [u8; 4096] = [0; 4096];
    let mut end = bytes.len();
    for chunk in bytes.rchunks(ZEROS.len()) {
        if *chunk != ZEROS[..chunk.len()] {
            let start = end - chunk.len();
            return chunk.iter().rposition(|b| *b != 0).map(|p| start + p);
        }
        end -= chunk.len();
    }
    None
}
