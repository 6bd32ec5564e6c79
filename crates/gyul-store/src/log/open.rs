use super::frame::{self, BEGIN, BadHead, Frame, HEAD, HEADS, Head, NONE};
use super::scan::{Scan, Step};
use super::{Active, Damage, Disk, DiskFile, Folder, Log, Options, fill, rename, write_head};
use crate::{StoreError, StoreErrorKind};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found when the log was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The first number that the log holds, and the number behind its last record.
    pub first: u64,
    pub next: u64,
    /// Bytes of an unfinished commit that were cut off the end.
    pub cut_bytes: u64,
    /// A copy of them, if there were whole records in them: then it cannot be told whether the end was never finished, or
    /// was damaged later.
    pub cut_kept: Option<PathBuf>,
    pub damage: Vec<Damage>,
}

/// A bad place that is perhaps only the torn end of the last commit.
struct Torn {
    offset: u64,
    expected: u64,
    /// The commit before it and where it begins.
    commit: Option<(u64, u64)>,
    damages: usize,
}

/// The good part of the active segment.
struct Tail {
    next: u64,
    end: u64,
    dirty: u64,
    /// Where the last commit begins.
    commit: u64,
    whole_records_cut: bool,
}

impl Log {
    /// Opens the log in a data directory's folder `log`, makes it if there is none. Cuts off an unfinished end, copies
    /// damaged bytes to `log/damaged`, and goes on.
    pub fn open(data: &Path, options: Options) -> Result<(Log, Recovered), StoreError> {
        let path = data.join(super::FOLDER);
        let folder = Folder::open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => StoreError::new(&path, StoreErrorKind::LogLocked),
            _ => StoreError::io(&path)(e),
        })?;
        Log::open_on(Arc::new(folder), options)
    }

    /// The same on any disk.
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<(Log, Recovered), StoreError> {
        let failed = |name: &str| {
            let path = disk.path(name);
            move |e| StoreError::io(&path)(e)
        };
        let names = disk.list("").map_err(failed(""))?;
        for name in names.iter().filter(|n| n.ends_with(".tmp")) {
            disk.remove(name).map_err(failed(name))?;
        }
        let mut firsts: Vec<u64> = names.iter().filter_map(|n| frame::first_of(n)).collect();
        firsts.sort_unstable();
        if firsts.is_empty() {
            let first = options.first;
            let begun = begin(&*disk, &options).map_err(failed(&frame::name(first)))?;
            let active = Active { first, before: NONE, ..begun.1 };
            return Ok(Log::with(disk, options, begun.0, vec![], active, first, vec![], None));
        }
        let mut files = vec![];
        for first in &firsts {
            let name = frame::name(*first);
            let file = disk.open(&name).map_err(failed(&name))?;
            let head = read_head(&*file, *first).map_err(failed(&name))?;
            let bytes = file.len().map_err(failed(&name))?;
            match head {
                Err(v) => return Err(StoreError::new(&disk.path(&name), StoreErrorKind::Newer(v.into()))),
                Ok(head) => files.push((*first, bytes, head, file)),
            }
        }
        let Some(salt) = files.iter().rev().find_map(|f| Some(f.2.0?.salt)) else {
            let name = frame::name(firsts[0]);
            return Err(StoreError::damaged(&disk.path(&name), "no segment of the log has a readable head"));
        };
        let mut damage = vec![];
        for (i, (first, _, head, file)) in files.iter().enumerate() {
            let at = |offset, bytes, lost| {
                let kept = keep(&*disk, &**file, *first, offset, bytes).ok().flatten();
                Damage { file: disk.path(&frame::name(*first)), offset, bytes, lost, kept }
            };
            if let Some(broken) = head.1 {
                damage.push(at(broken, HEAD as u64, *first..*first));
            }
            let Some((limit, _, (behind, _), _)) = files.get(i + 1) else { break };
            let chained = behind.is_some_and(|h| h.before == *first);
            if options.check_all || !chained || head.0.is_none() {
                let failed = failed(&frame::name(*first));
                for (offset, bytes, lost) in sealed_damage(file.clone(), salt, *first, *limit).map_err(failed)? {
                    damage.push(at(offset, bytes, lost));
                }
            }
        }
        let Some((first, capacity, head, file)) = files.pop() else {
            return Err(StoreError::damaged(&disk.path(""), ""));
        };
        let (tail, bad) = active_tail(file.clone(), salt, first).map_err(failed(&frame::name(first)))?;
        for (offset, bytes, lost) in bad {
            let kept = keep(&*disk, &*file, first, offset, bytes).ok().flatten();
            damage.push(Damage { file: disk.path(&frame::name(first)), offset, bytes, lost, kept });
        }
        let mut cut_kept = None;
        if tail.whole_records_cut {
            let kept = keep(&*disk, &*file, first, tail.end, tail.dirty - tail.end);
            cut_kept = kept.map_err(failed("damaged"))?;
        }
        settle(&*file, &tail).map_err(failed(&frame::name(first)))?;
        // A segment may have its name in the system's memory alone.
        disk.sync_folder().map_err(failed(""))?;
        let sealed: Vec<(u64, u64)> = files.iter().map(|f| (f.0, f.1)).collect();
        let before = head.0.map_or(sealed.last().map_or(NONE, |s| s.0), |h| h.before);
        let active = Active { file, first, before, capacity, end: tail.end };
        let cut = (tail.dirty - tail.end, cut_kept);
        Ok(Log::with(disk, options, salt, sealed, active, tail.next, damage, Some(cut)))
    }

    #[expect(clippy::too_many_arguments, reason = "called twice, just above")]
    fn with(
        disk: Arc<dyn Disk>,
        options: Options,
        salt: u64,
        sealed: Vec<(u64, u64)>,
        active: Active,
        next: u64,
        damage: Vec<Damage>,
        cut: Option<(u64, Option<PathBuf>)>,
    ) -> (Log, Recovered) {
        let (cut_bytes, cut_kept) = cut.unwrap_or((0, None));
        let (doubt, spare) = (None, None);
        let log = Log { disk, options, salt, sealed, active, next, buffer: vec![], pending: next, doubt, spare };
        let recovered = Recovered { first: log.first(), next, cut_bytes, cut_kept, damage };
        (log, recovered)
    }

    /// Reads everything and lists all damage.
    pub fn check(&self) -> Result<Vec<Damage>, StoreError> {
        let mut out = vec![];
        let mut reader = self.read(0);
        while let Some(entry) = reader.next()? {
            if let super::Entry::Damaged(damage) = entry {
                out.push(damage);
            }
        }
        Ok(out)
    }
}

/// The first segment of a new log, and its salt.
fn begin(disk: &dyn Disk, options: &Options) -> io::Result<(u64, Active)> {
    use std::hash::{BuildHasher, Hasher};
    let by_chance = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    let salt = options.salt.unwrap_or_else(by_chance);
    let capacity = options.segment_bytes.max(BEGIN + 512);
    let file = fill(disk, super::SPARE, capacity)?;
    write_head(&*file, Head { first: options.first, before: NONE, salt })?;
    rename(disk, super::SPARE, options.first)?;
    Ok((salt, Active { file, first: options.first, before: NONE, capacity, end: BEGIN }))
}

/// The head, and the place of a copy that is broken. `Err`: the format is newer.
type HeadFound = Result<(Option<Head>, Option<u64>), u32>;

fn read_head(file: &dyn DiskFile, first: u64) -> io::Result<HeadFound> {
    let (mut head, mut broken) = (None, None);
    for at in HEADS {
        let mut bytes = [0; HEAD];
        let n = file.read_at(at, &mut bytes)?;
        match Head::decode(&bytes[..n]) {
            Ok(h) if h.first == first => head = Some(h),
            Err(BadHead::Newer(v)) => return Ok(Err(v)),
            _ => broken = broken.or(Some(at)),
        }
    }
    Ok(Ok((head, broken)))
}

type Bad = (u64, u64, Range<u64>);

/// Damaged places of a segment that ends where the next begins.
fn sealed_damage(file: Arc<dyn DiskFile>, salt: u64, first: u64, limit: u64) -> io::Result<Vec<Bad>> {
    let mut out = vec![];
    let mut scan = Scan::new(file, salt, first, limit)?;
    while scan.expected < limit {
        match scan.step()? {
            Step::Frame { .. } => {}
            Step::Bad { offset, bytes, lost } => out.push((offset, bytes, lost)),
            Step::End { offset, dirty } => {
                out.push((offset, dirty - offset, scan.expected..limit));
                break;
            }
        }
    }
    Ok(out)
}

/// Finds the end of the active segment. A bad place is the torn end of the last commit, and is cut off with all behind it,
/// if no later commit follows; else it is damage.
fn active_tail(file: Arc<dyn DiskFile>, salt: u64, first: u64) -> io::Result<(Tail, Vec<Bad>)> {
    let mut damages: Vec<Bad> = vec![];
    let mut torn: Vec<Torn> = vec![];
    let mut commit: Option<(u64, u64)> = None;
    let mut scan = Scan::new(file, salt, first, u64::MAX)?;
    loop {
        let expected = scan.expected;
        match scan.step()? {
            Step::Frame { offset, frame } => {
                torn.retain(|t| is_of(t, &frame));
                if commit.is_none_or(|c| c.0 != frame.commit) {
                    commit = Some((frame.commit, offset));
                }
            }
            Step::Bad { offset, bytes, lost } => {
                if bytes > 0 {
                    torn.push(Torn { offset, expected, commit, damages: damages.len() });
                }
                damages.push((offset, bytes, lost));
            }
            Step::End { offset, dirty } => {
                let whole_records_cut = !torn.is_empty();
                let last = Torn { offset, expected, commit, damages: damages.len() };
                let cut = torn.into_iter().next().unwrap_or(last);
                damages.truncate(cut.damages);
                let end = cut.offset;
                let commit = cut.commit.map_or(end, |c| c.1);
                let dirty = dirty.max(offset);
                return Ok((Tail { next: cut.expected, end, dirty, commit, whole_records_cut }, damages));
            }
        }
    }
}

/// Whether a frame behind a bad place belongs to the commit that the place lies in.
fn is_of(torn: &Torn, frame: &Frame) -> bool {
    frame.commit == torn.expected || torn.commit.is_some_and(|c| c.0 == frame.commit)
}

/// Writes the last commit once more and zeros behind it. A process that was killed may have left it in the system's memory
/// alone, or after a failed sync on its way to nowhere: what is read here must be on disk before anybody relies on it.
fn settle(file: &dyn DiskFile, tail: &Tail) -> io::Result<()> {
    let mut bytes = vec![0; (tail.dirty - tail.commit) as usize];
    if bytes.is_empty() {
        return Ok(());
    }
    file.read_at(tail.commit, &mut bytes[..(tail.end - tail.commit) as usize])?;
    file.write_at(tail.commit, &bytes)?;
    file.sync()
}

/// Copies damaged bytes to a file of their own; `None` if there are none.
pub(super) fn keep(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    first: u64,
    at: u64,
    bytes: u64,
) -> io::Result<Option<PathBuf>> {
    if bytes == 0 {
        return Ok(None);
    }
    let name = format!("damaged/{first:020}-{at}.bin");
    if disk.open(&name).and_then(|f| f.len()).is_ok_and(|n| n == bytes) {
        return Ok(Some(disk.path(&name)));
    }
    let mut content = vec![0; bytes as usize];
    let n = file.read_at(at, &mut content)?;
    let copy = disk.create(&name)?;
    copy.write_at(0, &content[..n])?;
    copy.sync()?;
    disk.sync_folder()?;
    Ok(Some(disk.path(&name)))
}
