//! A disk in memory that does what disks do when power fails: for tests and simulations. All chance comes from a seed.

use super::disk::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// What goes wrong, once, when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write, create or rename fails with this; of a write a part may be done.
    Write(io::ErrorKind),
    /// A sync fails: some of what it should have made last lasts, and the rest is forgotten as if it were written.
    Sync,
}

/// Clones share the disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    chance: u64,
    /// Names as the process sees them, and as they are after a crash.
    names: BTreeMap<String, usize>,
    lasting: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the folder, in order.
    journal: Vec<Name>,
    contents: Vec<Content>,
    fault: Option<(u64, Fault)>,
    /// Every operation fails until it is lifted: a disk that is full or read-only for a while.
    refused: Option<io::ErrorKind>,
    operations: u64,
    /// Handles from before a crash are dead.
    life: u64,
}

#[derive(Clone)]
enum Name {
    Put(String, usize),
    Gone(String),
}

#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    lasting: Vec<u8>,
    unsynced: BTreeSet<usize>,
}

impl SimDisk {
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            chance: seed,
            names: BTreeMap::new(),
            lasting: BTreeMap::new(),
            journal: vec![],
            contents: vec![],
            fault: None,
            refused: None,
            operations: 0,
            life: 0,
        })))
    }

    /// Power fails: of what was not synced any sectors and the first of the changes of names last. Everything that was
    /// open is dead; the disk can be opened anew.
    pub fn crash(&self) {
        let mut s = self.state();
        let s = &mut *s;
        let kept = s.chance.below(s.journal.len() as u64 + 1) as usize;
        for change in s.journal.drain(..).take(kept) {
            apply(&mut s.lasting, change);
        }
        s.names = s.lasting.clone();
        let named: BTreeSet<usize> = s.names.values().copied().collect();
        for (i, c) in s.contents.iter_mut().enumerate() {
            if !named.contains(&i) {
                // Nobody can reach it any more.
                *c = Content::default();
                continue;
            }
            // Nothing, everything, a beginning, or any of them.
            let (mode, many) = (s.chance.below(4), s.chance.below(c.unsynced.len() as u64 + 1));
            for (i, sector) in std::mem::take(&mut c.unsynced).into_iter().enumerate() {
                let lasts = match mode {
                    0 => false,
                    1 => true,
                    2 => (i as u64) < many,
                    _ => s.chance.below(2) == 0,
                };
                if lasts {
                    c.make_last(sector);
                }
            }
            c.seen = c.lasting.clone();
        }
        s.life += 1;
        (s.fault, s.refused) = (None, None);
    }

    /// The process dies, the system lives: everything that was open is dead, all that was written is there.
    pub fn kill(&self) {
        let mut s = self.state();
        s.life += 1;
        (s.fault, s.refused) = (None, None);
    }

    /// Has the operation after so many others go wrong.
    pub fn fail_after(&self, operations: u64, fault: Fault) {
        let mut s = self.state();
        s.fault = Some((s.operations + operations, fault));
    }

    /// All writes fail until this is called with `None`.
    pub fn refuse(&self, kind: Option<io::ErrorKind>) {
        self.state().refused = kind;
    }

    /// Nothing goes wrong from now on.
    pub fn calm(&self) {
        let mut s = self.state();
        (s.fault, s.refused) = (None, None);
    }

    /// The content of a file as the process sees it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let s = self.state();
        s.names.get(name).map(|i| s.contents[*i].seen.clone())
    }

    /// Changes a file behind everybody's back; it lasts.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut s = self.state();
        if let Some(i) = s.names.get(name).copied() {
            let c = &mut s.contents[i];
            change(&mut c.seen);
            c.lasting = c.seen.clone();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation that changes something; the fault whose turn it is.
    fn turn(&mut self) -> io::Result<Option<Fault>> {
        self.operations += 1;
        if let Some(kind) = self.refused {
            return Err(kind.into());
        }
        Ok(self.fault.take_if(|f| f.0 < self.operations).map(|f| f.1))
    }

    /// An operation that is done or not.
    fn whole(&mut self) -> io::Result<()> {
        match self.turn()? {
            Some(Fault::Write(kind)) => Err(kind.into()),
            Some(Fault::Sync) => Err(io::Error::other("simulated fault")),
            None => Ok(()),
        }
    }

    fn rename(&mut self, change: Name) {
        apply(&mut self.names, change.clone());
        self.journal.push(change);
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: Name) {
    match change {
        Name::Put(name, i) => {
            // The file has one name: an earlier one is gone.
            names.retain(|_, at| *at != i);
            names.insert(name, i);
        }
        Name::Gone(name) => {
            names.remove(&name);
        }
    }
}

impl Content {
    fn make_last(&mut self, sector: usize) {
        let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(self.seen.len()));
        if self.lasting.len() < to {
            self.lasting.resize(to, 0);
        }
        self.lasting[from..to].copy_from_slice(&self.seen[from..to]);
    }
}

impl Disk for SimDisk {
    fn list(&self, below: &str) -> io::Result<Vec<String>> {
        let s = self.state();
        let inside = |n: &String| match below {
            "" => (!n.contains('/')).then(|| n.clone()),
            _ => n.strip_prefix(below)?.strip_prefix('/').map(str::to_string),
        };
        Ok(s.names.keys().filter_map(inside).collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut s = self.state();
        s.whole()?;
        let at = s.contents.len();
        s.contents.push(Content::default());
        s.rename(Name::Put(name.to_string(), at));
        let life = s.life;
        Ok(Arc::new(SimFile { disk: self.clone(), at, life }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let s = self.state();
        let at = *s.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { disk: self.clone(), at, life: s.life }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut s = self.state();
        let at = *s.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        s.whole()?;
        s.rename(Name::Put(to.to_string(), at));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut s = self.state();
        if !s.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        s.whole()?;
        s.rename(Name::Gone(name.to_string()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut s = self.state();
        s.whole()?;
        let s = &mut *s;
        s.journal.drain(..).for_each(|change| apply(&mut s.lasting, change));
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("log").join(name)
    }
}

struct SimFile {
    disk: SimDisk,
    at: usize,
    life: u64,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let s = self.disk.state();
        if s.life == self.life { Ok(s) } else { Err(io::Error::other("the machine is gone")) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.contents[self.at].seen.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let s = self.state()?;
        let from = s.contents[self.at].seen.get(at as usize..).unwrap_or_default();
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut s = self.state()?;
        let s = &mut *s;
        let fault = s.turn()?;
        let done = if fault.is_some() { s.chance.below(bytes.len() as u64 + 1) as usize } else { bytes.len() };
        let (at, c) = (at as usize, &mut s.contents[self.at]);
        if done > 0 {
            if c.seen.len() < at + done {
                c.seen.resize(at + done, 0);
            }
            c.seen[at..at + done].copy_from_slice(&bytes[..done]);
            c.unsynced.extend(at / SECTOR..(at + done).div_ceil(SECTOR));
        }
        match fault {
            None => Ok(()),
            Some(Fault::Write(kind)) => Err(kind.into()),
            Some(Fault::Sync) => Err(io::Error::other("simulated fault")),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut s = self.state()?;
        let s = &mut *s;
        let fault = s.turn()?;
        let c = &mut s.contents[self.at];
        for sector in std::mem::take(&mut c.unsynced) {
            if fault.is_none() || s.chance.below(2) == 0 {
                c.make_last(sector);
            }
        }
        match fault {
            None => Ok(()),
            Some(_) => Err(io::Error::other("simulated fault")),
        }
    }
}

/// SplitMix64.
trait Chance {
    fn below(&mut self, n: u64) -> u64;
}

impl Chance for u64 {
    fn below(&mut self, n: u64) -> u64 {
        *self = self.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *self;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n.max(1)
    }
}
