//! A copy of the whole directory while everything goes on.
//!
//! Base and state stand still within [`Hub::alone`]; the log is copied record by record up to where it was committed, so
//! that no half-written place can get into the copy. Nobody who sends events waits for it.

use super::hub::Hub;
use super::record;
use gyul_model::Instant;
use gyul_store::StoreError;
use gyul_store::log::{BLANK, Entry, Log, Options, Reader};
use std::fs;
use std::io;
use std::path::Path;

/// Held by processes, unfinished, or copied record by record.
const LEFT_OUT: [&str; 6] = ["lock", "serve.lock", "uploads", "gyul.json.tmp", "log", "changes"];
/// Bytes that are written at once, about.
const COMMIT: usize = 8 << 20;

impl Hub {
    /// Copies everything to a new folder. Gives the number behind the last record that is in it: what was acknowledged
    /// before the call is. The folder is there whole or not at all.
    pub fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        if to.exists() {
            return Err(StoreError::io(to)(io::ErrorKind::AlreadyExists.into()));
        }
        // Within the directory it would copy itself, and outlive an erasure unseen.
        let real = |p: &Path| p.canonicalize().or_else(|_| std::path::absolute(p)).map_err(StoreError::io(p));
        let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if real(parent)?.starts_with(real(self.dir())?) {
            return Err(StoreError::io(to)(io::ErrorKind::InvalidInput.into()));
        }
        // The person of an unfinished erasure must not come into a copy half erased.
        let _nobody_goes = self.erasing();
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let beside = to.with_file_name(name);
        let _ = fs::remove_dir_all(&beside);
        let copied = self.alone(|| self.copy(&beside)).and_then(|next| {
            fs::rename(&beside, to).map_err(StoreError::io(to))?;
            sync(parent)?;
            Ok(next)
        });
        if copied.is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
        copied
    }

    /// Has `work` read everything while it stands still: the directory, what to leave out of its top, and the number behind
    /// the last record. What is left out is copied to `beside`, a folder that goes again afterwards. Events are taken meanwhile.
    pub fn still<T>(&self, beside: &Path, work: impl FnOnce(&Path, &[&str], u64) -> T) -> Result<T, StoreError> {
        let _nobody_goes = self.erasing();
        let _ = fs::remove_dir_all(beside);
        let done = self.alone(|| {
            fs::create_dir_all(beside).map_err(StoreError::io(beside))?;
            let next = self.copy_logs(beside)?;
            Ok(work(self.dir(), &LEFT_OUT, next))
        });
        let _ = fs::remove_dir_all(beside);
        done
    }

    fn copy(&self, to: &Path) -> Result<u64, StoreError> {
        tree(self.dir(), to, &LEFT_OUT)?;
        self.copy_logs(to)
    }

    fn copy_logs(&self, to: &Path) -> Result<u64, StoreError> {
        // The changes first: they must not tell what the copy of the log does not have.
        let segment_bytes = self.options().segment_bytes;
        let changes = to.join("changes");
        fs::create_dir_all(&changes).map_err(StoreError::io(&changes))?;
        records(self.read_changes(), &changes, segment_bytes / 4)?;
        let stopped = || StoreError::io(self.dir())(io::Error::other("stopping"));
        let next = records(self.read_log(0).ok_or_else(stopped)?, to, segment_bytes)?;
        sync(&changes)?;
        sync(to)?;
        Ok(next.unwrap_or_else(|| self.settled()))
    }
}

/// Copies what a reader gives, number for number; numbers that were erased or are damaged stay taken. Gives the number
/// behind the last one; `None`: the log is empty.
fn records(mut from: Reader, to: &Path, segment_bytes: u64) -> Result<Option<u64>, StoreError> {
    let mut copy: Option<Copy> = None;
    while let Some(entry) = from.next()? {
        let (first, end) = match &entry {
            Entry::Record(r) => (r.seq, r.seq + u64::from(r.span)),
            Entry::Damaged(d) => (d.lost.start, d.lost.end),
        };
        let copy = match &mut copy {
            Some(copy) => copy,
            None => {
                let options = Options { first, segment_bytes, ahead: false, check_all: false, salt: None };
                copy.insert(Copy { log: Log::open(to, options)?.0, next: first })
            }
        };
        copy.skip(first)?;
        match entry {
            Entry::Record(r) if r.kind != BLANK => {
                copy.log.append(r.kind, r.at, r.span, r.payload)?;
                copy.next = end;
            }
            // Damage was reported when the log was opened.
            _ => copy.skip(end)?,
        }
        if copy.log.pending_bytes() > COMMIT {
            copy.log.commit()?;
        }
    }
    let Some(mut copy) = copy else { return Ok(None) };
    copy.log.commit()?;
    Ok(Some(copy.next))
}

struct Copy {
    log: Log,
    /// The number behind the last record.
    next: u64,
}

impl Copy {
    /// Leaves out the numbers before `to`.
    fn skip(&mut self, to: u64) -> Result<(), StoreError> {
        while self.next < to {
            let span = (to - self.next).min(u32::MAX.into()) as u32;
            // One commit holds no more numbers than that.
            self.log.commit()?;
            self.log.append(record::SKIP, Instant(0), span, &[])?;
            self.log.commit()?;
            self.next += u64::from(span);
        }
        Ok(())
    }
}

/// Copies a folder and makes it durable.
fn tree(from: &Path, to: &Path, left_out: &[&str]) -> Result<(), StoreError> {
    fs::create_dir_all(to).map_err(StoreError::io(to))?;
    for entry in fs::read_dir(from).map_err(StoreError::io(from))? {
        let entry = entry.map_err(StoreError::io(from))?;
        if left_out.iter().any(|n| entry.file_name() == *n) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            tree(&source, &target, &[])?;
        } else {
            fs::copy(&source, &target).map_err(StoreError::io(&target))?;
            sync(&target)?;
        }
    }
    sync(to)
}

fn sync(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path).and_then(|f| f.sync_all()).map_err(StoreError::io(path))
}
