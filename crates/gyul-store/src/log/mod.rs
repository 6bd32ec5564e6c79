//! The durable log: records of opaque bytes, each with a sequence number, in the order in which they came.
//!
//! What is promised:
//! - A record whose `commit` returned Ok is read back once, in order, after any crash of process or machine.
//! - Of a commit that did not return, or returned an error, a crash before the next `recover` leaves the first n of its
//!   records, n from none to all. After `recover` returned Ok there are none, and their numbers are given anew.
//! - A damaged place costs the records in it and no others; it is reported with its place and the numbers that are lost.
//! - A record that was rewritten is on disk as it was or as it is to be, at each moment.
//!
//! Assumed of the disk: a sector of 512 bytes is written whole or not at all, and `sync` that returns Ok tells the truth.

mod disk;
mod frame;
mod open;
mod read;
mod rewrite;
mod scan;
mod sim;

pub use disk::{Disk, DiskFile, Folder};
pub use open::Recovered;
pub use read::{Entry, Reader, Record};
pub use rewrite::Rewrite;
pub use sim::{Fault, SimDisk};

use crate::{StoreError, StoreErrorKind};
use frame::{BEGIN, FRAME, Frame, HEADS, Head};
use gyul_model::{Instant, Lang};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The kind of a record that was erased: no payload, its numbers stay. Not to be appended.
pub const BLANK: u8 = 0;

/// Where its files lie in the data directory.
pub const FOLDER: &str = "log";
/// Bytes of one payload, at most.
pub const PAYLOAD_MAX: usize = 16 << 20;
/// Bytes of one commit, at most.
pub const COMMIT_MAX: usize = 256 << 20;

#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of a segment file. One commit lies in one segment: a larger commit makes a larger file.
    pub segment_bytes: u64,
    /// The first number of a log that does not exist yet.
    pub first: u64,
    /// Opening reads the whole log and lists all damage; otherwise the last segment, and that none is missing.
    pub check_all: bool,
    /// A thread fills the next segment with zeros before it is needed.
    pub ahead: bool,
    /// Secret of a new log's checksums; `None`: by chance.
    pub salt: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, first: 0, check_all: true, ahead: true, salt: None }
    }
}

/// A place that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    /// Numbers of the records that are lost; empty: nothing but the place itself.
    pub lost: Range<u64>,
    /// A copy of the damaged bytes.
    pub kept: Option<PathBuf>,
}

impl Damage {
    /// One sentence, with the next step.
    pub fn message(&self, lang: Lang) -> String {
        let (file, at, bytes) = (self.file.display(), self.offset, self.bytes);
        let (ko, en) = if self.lost.is_empty() {
            (
                format!("{file}: {at}번째 바이트부터 {bytes}바이트가 손상되었지만 잃은 기록은 없습니다"),
                format!("{file}: {bytes} bytes from byte {at} are damaged; no record is lost"),
            )
        } else {
            let (from, to) = (self.lost.start, self.lost.end - 1);
            (
                format!(
                    "{file}: {at}번째 바이트부터 {bytes}바이트가 손상되어 기록 {from}–{to}번을 읽을 수 없습니다. \
                     백업이 있으면 이 파일을 되돌리세요. 나머지 기록은 그대로 읽습니다"
                ),
                format!(
                    "{file}: {bytes} bytes from byte {at} are damaged, records {from} to {to} cannot be read: \
                     restore this file if there is a backup; all other records are read"
                ),
            )
        };
        lang.pick(ko, en)
    }
}

/// What is not known after a failure, and therefore what `recover` has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// The next segment could not be made.
    Roll,
    /// Up to this place something may have been written behind the last commit.
    Tail(u64),
    /// A sync failed: the file is not to be trusted, its good part moves to a new one.
    File,
}

/// The segment that is written.
struct Active {
    file: Arc<dyn DiskFile>,
    first: u64,
    before: u64,
    capacity: u64,
    /// Where the last commit ends.
    end: u64,
}

pub struct Log {
    disk: Arc<dyn Disk>,
    options: Options,
    salt: u64,
    /// First number and bytes of each sealed segment.
    sealed: Vec<(u64, u64)>,
    active: Active,
    /// The number behind the last commit.
    next: u64,
    /// Frames appended since then, and the number behind them.
    buffer: Vec<u8>,
    pending: u64,
    doubt: Option<Doubt>,
    spare: Option<JoinHandle<io::Result<Arc<dyn DiskFile>>>>,
}

const SPARE: &str = "spare.tmp";

impl Log {
    /// Takes a record into the next commit and returns its number. It holds `span` numbers, at least one.
    pub fn append(&mut self, kind: u8, at: Instant, span: u32, payload: &[u8]) -> Result<u64, StoreError> {
        self.trusted()?;
        let seq = self.pending;
        let too_large = payload.len() > PAYLOAD_MAX
            || self.buffer.len() + FRAME + payload.len() > COMMIT_MAX
            || seq - self.next > u64::from(u32::MAX);
        if too_large || kind == BLANK || span == 0 || seq > u64::MAX / 2 {
            return Err(self.error(&self.active_name(), StoreErrorKind::RecordRefused));
        }
        let len = payload.len() as u32;
        let frame = Frame { kind, len, span, seq, at, commit: self.next, payload_sum: 0 };
        frame::encode(&mut self.buffer, &frame, payload, self.salt);
        self.pending = frame.seqs().end;
        Ok(seq)
    }

    /// Makes everything last that was appended. On an error nothing of it is in the log: its numbers will be given anew,
    /// and nothing is taken until `recover` succeeds.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.trusted()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.write();
        if result.is_ok() {
            self.next = self.pending;
            self.look_ahead();
        }
        self.drop_pending();
        result
    }

    /// Forgets what was appended since the last commit.
    pub fn drop_pending(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        self.pending = self.next;
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let len = self.buffer.len() as u64;
        if self.active.end + len > self.active.capacity {
            self.doubt = Some(Doubt::Roll);
            self.roll(BEGIN + len)?;
            self.doubt = None;
        }
        let end = self.active.end + len;
        self.doubt = Some(Doubt::Tail(end));
        self.active.file.write_at(self.active.end, &self.buffer).map_err(|e| self.io(e))?;
        self.doubt = Some(Doubt::File);
        self.active.file.sync().map_err(|e| self.io(e))?;
        self.doubt = None;
        self.active.end = end;
        Ok(())
    }

    /// Whether the log waits for `recover`.
    pub fn is_unsure(&self) -> bool {
        self.doubt.is_some()
    }

    /// Makes the log usable after an error, once the disk allows it; otherwise the error again. Does nothing if all is well.
    pub fn recover(&mut self) -> Result<(), StoreError> {
        self.drop_pending();
        match self.doubt {
            None => {}
            Some(Doubt::Roll) => self.roll(0)?,
            Some(Doubt::Tail(to)) => {
                let zeros = vec![0; (to - self.active.end) as usize];
                self.active.file.write_at(self.active.end, &zeros).map_err(|e| self.io(e))?;
                self.doubt = Some(Doubt::File);
                self.active.file.sync().map_err(|e| self.io(e))?;
            }
            Some(Doubt::File) => self.renew()?,
        }
        self.doubt = None;
        Ok(())
    }

    /// Moves the good part of the active segment to a new file in its place. A sync is never tried again on the old one:
    /// the system may have dropped what it could not write, and would say that all is well.
    fn renew(&mut self) -> Result<(), StoreError> {
        let name = self.active_name();
        let good = (self.active.end - BEGIN) as usize;
        let mut data = vec![0; good];
        let read = self.active.file.read_at(BEGIN, &mut data).map_err(|e| self.io(e))?;
        if read < good {
            return Err(self.error(&name, StoreErrorKind::Damaged("shorter than it was".into())));
        }
        let put = self.replace(self.active.first, self.active.before, self.active.capacity, &data);
        self.active.file = put.map_err(|(e, _)| self.io(e))?;
        Ok(())
    }

    /// Puts a segment with these frames in place, whole or not at all. With the error: whether it has the name perhaps.
    fn replace(
        &self,
        first: u64,
        before: u64,
        capacity: u64,
        data: &[u8],
    ) -> Result<Arc<dyn DiskFile>, (io::Error, bool)> {
        const NAME: &str = "segment.tmp";
        let head = Head { first, before, salt: self.salt };
        let written = fill(&*self.disk, NAME, capacity.max(BEGIN + data.len() as u64)).and_then(|file| {
            file.write_at(BEGIN, data)?;
            write_head(&*file, head)?;
            Ok(file)
        });
        match written {
            Ok(file) => rename(&*self.disk, NAME, first).map(|()| file).map_err(|e| (e, true)),
            Err(e) => {
                // Gives the space back: perhaps it was the last.
                let _ = self.disk.remove(NAME);
                Err((e, false))
            }
        }
    }

    /// Seals the active segment and begins the next, of at least so many bytes.
    fn roll(&mut self, needed: u64) -> Result<(), StoreError> {
        let capacity = self.options.segment_bytes.max(needed).max(BEGIN + 512);
        let prepared = self.spare.take().and_then(|t| t.join().ok()?.ok());
        let prepared = prepared.filter(|_| capacity == self.options.segment_bytes);
        let result = (|| {
            let file = match prepared {
                Some(file) => file,
                None => fill(&*self.disk, SPARE, capacity)?,
            };
            // An empty segment is replaced: the new one has the same first number.
            let empty = self.active.end == BEGIN;
            let before = if empty { self.active.before } else { self.active.first };
            write_head(&*file, Head { first: self.next, before, salt: self.salt })?;
            rename(&*self.disk, SPARE, self.next)?;
            Ok((file, before, empty))
        })();
        let (file, before, empty) = result.map_err(|e| self.error(&frame::name(self.next), StoreErrorKind::Io(e)))?;
        if !empty {
            self.sealed.push((self.active.first, self.active.capacity));
        }
        self.active = Active { file, first: self.next, before, capacity, end: BEGIN };
        Ok(())
    }

    /// Has the next segment made when half of this one is full.
    fn look_ahead(&mut self) {
        if !self.options.ahead || self.spare.is_some() || self.active.end < self.active.capacity / 2 {
            return;
        }
        let (disk, capacity) = (self.disk.clone(), self.options.segment_bytes);
        let thread = std::thread::Builder::new().name("log-ahead".into());
        self.spare = thread.spawn(move || fill(&*disk, SPARE, capacity)).ok();
    }

    /// Removes whole segments that hold nothing at or behind this number.
    pub fn prune(&mut self, before: u64) -> Result<(), StoreError> {
        while let Some(&(first, _)) = self.sealed.first() {
            if self.sealed.get(1).map_or(self.active.first, |s| s.0) > before {
                break;
            }
            let name = frame::name(first);
            match self.disk.remove(&name) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(self.error(&name, StoreErrorKind::Io(e))),
                _ => self.sealed.remove(0),
            };
            // One by one: a later one must not vanish before an earlier one.
            self.disk.sync_folder().map_err(|e| self.error("", StoreErrorKind::Io(e)))?;
        }
        Ok(())
    }

    /// The first number that the log still holds.
    pub fn first(&self) -> u64 {
        self.sealed.first().map_or(self.active.first, |s| s.0)
    }

    /// The number behind the last commit.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of all segment files.
    pub fn bytes(&self) -> u64 {
        self.sealed.iter().map(|s| s.1).sum::<u64>() + self.active.capacity
    }

    /// Bytes that wait for the commit.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn trusted(&self) -> Result<(), StoreError> {
        match self.doubt {
            None => Ok(()),
            Some(_) => Err(self.error(&self.active_name(), StoreErrorKind::LogUnsure)),
        }
    }

    fn active_name(&self) -> String {
        frame::name(self.active.first)
    }

    fn error(&self, name: &str, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.disk.path(name), kind)
    }

    fn io(&self, e: io::Error) -> StoreError {
        self.error(&self.active_name(), StoreErrorKind::Io(e))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Nobody writes into the folder once the log is closed.
        if let Some(thread) = self.spare.take() {
            let _ = thread.join();
        }
    }
}

/// A file of zeros. They are written, not only reserved: a later sync then has no metadata to write.
fn fill(disk: &dyn Disk, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
    const CHUNK: u64 = 1 << 20;
    // In small portions: a commit meanwhile does not wait behind all of it.
    const PORTION: u64 = 4 << 20;
    let file = disk.create(name)?;
    let zeros = vec![0; CHUNK.min(bytes) as usize];
    let written = (0..bytes).step_by(CHUNK as usize).try_for_each(|at| {
        file.write_at(at, &zeros[..(bytes - at).min(CHUNK) as usize])?;
        if at % PORTION == 0 { file.sync() } else { Ok(()) }
    });
    match written.and_then(|()| file.sync()) {
        Ok(()) => Ok(file),
        Err(e) => {
            // Gives the space back: perhaps it was the last.
            let _ = disk.remove(name);
            Err(e)
        }
    }
}

fn write_head(file: &dyn DiskFile, head: Head) -> io::Result<()> {
    for at in HEADS {
        file.write_at(at, &head.encode())?;
    }
    file.sync()
}

/// Gives a segment its name.
fn rename(disk: &dyn Disk, from: &str, first: u64) -> io::Result<()> {
    disk.rename(from, &frame::name(first))?;
    disk.sync_folder()
}
