//! Two threads around the world: one writes the log ([`super::writing`]), one applies it ([`super::applying`]).

use super::applying::apply;
use super::by_hand::{self, Hand};
use super::changes::{ChangeLog, Told};
use super::cut::{cut, run_checkpoint};
use super::harm::{Behind, Harm, Harmed};
use super::keeping::Keeping;
use super::record::{Action, Rejected};
use super::recover;
use super::world::{Outcome, World};
use super::writing::{Backlog, Writing};
use gyul_model::{Instant, Message};
use gyul_profile::Rules;
use gyul_store::log::{Disk, Reader};
use gyul_store::{Manifest, StoreError, StoreErrorKind, Summary};
use gyul_timeline::live::Live;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// The time, from outside: a test has its own.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

#[derive(Clone)]
pub struct Options {
    /// Until others are decided.
    pub rules: Rules,
    pub zone: String,
    pub currency: String,
    /// Definition files for a data directory that has none.
    pub starter: Vec<(String, String)>,
    /// Messages that may wait before the hub says it is busy.
    pub queue: usize,
    /// Messages in the log that make a checkpoint; 0: never by itself.
    pub checkpoint_every: u64,
    /// With more events than this in memory, definitions are computed beside the ones in force.
    pub define_beside: usize,
    /// How long a message's id is remembered, in microseconds.
    pub remember: i64,
    /// Bytes of a file of the log; they are laid out in advance.
    pub segment_bytes: u64,
    /// What the log (`log`) and the stream of changes (`changes`) are written on; the data directory if absent.
    pub disks: Option<Disks>,
}

/// Gives a disk by its name: for simulations.
pub type Disks = Arc<dyn Fn(&str) -> Arc<dyn Disk> + Send + Sync>;

impl Default for Options {
    fn default() -> Options {
        Options {
            rules: Rules::default(),
            zone: "Asia/Seoul".into(),
            currency: "KRW".into(),
            starter: vec![],
            queue: 200_000,
            checkpoint_every: 2_000_000,
            define_beside: 2_000_000,
            remember: 48 * gyul_model::MICROS_HOUR,
            segment_bytes: 64 << 20,
            disks: None,
        }
    }
}

/// What came in with one request.
#[derive(Debug, Default)]
pub struct Incoming {
    pub messages: Vec<Message>,
    pub rejected: Vec<Rejected>,
}

/// What is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acked {
    pub accepted: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Behind the last record.
    pub next: u64,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too much waits.
    Busy,
    /// The disk does not take it.
    Storage,
    Stopping,
}

type Listener = Box<dyn Fn(u64) + Send>;
/// What becomes of a record of the log.
pub(super) type Ask = Box<dyn FnMut(&gyul_store::log::Record) -> gyul_store::log::Rewrite + Send>;
pub(super) type Done = Box<dyn FnOnce(Result<Acked, Refused>) + Send>;
pub(super) type Decided = Box<dyn FnOnce(Result<(Outcome, u64), Refused>) + Send>;

pub(super) enum Command {
    Ingest(Incoming, Done),
    Act(Action, String, Decided),
    Read(u64, Sender<Reader>),
    /// The base has taken in the log up to here.
    Settled(u64),
    Reserve(u32, Sender<Result<u64, StoreError>>),
    Rewrite(Ask, Sender<Result<u64, StoreError>>),
    Stop,
}

/// What is on disk and waits to be applied.
pub(super) enum Step {
    Messages(Vec<(u64, Message)>),
    Rejected(u64, Instant, Rejected),
    /// Numbers up to here went to something else.
    Skipped(u64),
    Act(u64, Instant, Action, String, Decided),
}

/// Numbers for those who watch the machine.
#[derive(Default)]
pub struct Gauges {
    pub accepted: AtomicU64,
    pub duplicates: AtomicU64,
    pub rejected: AtomicU64,
    pub commits: AtomicU64,
    pub commit_micros: AtomicU64,
    pub storage_errors: AtomicU64,
    pub ticks: AtomicU64,
    pub tick_micros: AtomicU64,
    pub changes: AtomicU64,
    pub waiting: AtomicU64,
    pub checkpoints: AtomicU64,
    /// Behind the last record on disk.
    pub logged: AtomicU64,
    pub log_bytes: AtomicU64,
}

pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) commands: SyncSender<Command>,
    /// Without threads of its own: whoever waits turns the wheels.
    pub(super) hand: Option<Hand>,
    pub(super) world: RwLock<World>,
    pub(super) changes: Mutex<ChangeLog>,
    /// Called with the end of the stream of changes whenever it moves.
    pub(super) listeners: Mutex<Vec<Listener>>,
    pub(super) gauges: Gauges,
    stopping: AtomicBool,
    pub(super) healthy: AtomicBool,
    pub(super) checkpointing: AtomicBool,
    /// Definitions are to be computed beside the ones in force.
    pub(super) large: AtomicBool,
    /// What was computed, until its record is applied.
    pub(super) built: Mutex<Option<Box<Live>>>,
    pub(super) settled: AtomicU64,
    pub(super) erasing: Mutex<()>,
    pub(super) keeping: Keeping,
    pub(super) harmed: Harmed,
    /// No checkpoint by itself before this: it did not work just now.
    pub(super) checkpoint_again: AtomicI64,
    pub(super) backlog: Backlog,
}

pub struct Hub {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: std::fs::File,
}

impl Hub {
    /// Opens a data directory, or makes one, and brings everything up to now.
    pub fn open(dir: &Path, options: Options, clock: Clock) -> Result<Hub, StoreError> {
        Hub::start(dir, options, clock, None)
    }

    /// `sleep`: no threads; called where one would sleep.
    pub(super) fn start(
        dir: &Path,
        options: Options,
        clock: Clock,
        sleep: Option<by_hand::Sleep>,
    ) -> Result<Hub, StoreError> {
        let opened = recover::open(dir, &options, &clock)?;
        let large = opened.world.live.events() > options.define_beside;
        // The room of a channel is laid out when it is made.
        let room = options.queue.min(65_536);
        let (commands, inbox) = sync_channel(room);
        let (steps, applied) = sync_channel(room);
        let (log_bytes, logged) = (opened.log.bytes(), opened.log.next());
        let writing = Writing { log: opened.log, seen: opened.seen, steps };
        let (hand, wheels) = match sleep {
            Some(sleep) => (Some(Hand::new(sleep, inbox, writing, applied)), None),
            None => (None, Some((inbox, writing, applied))),
        };
        let shared = Arc::new(Shared {
            dir: dir.to_path_buf(),
            commands,
            hand,
            world: RwLock::new(opened.world),
            changes: Mutex::new(opened.changes),
            listeners: Mutex::default(),
            gauges: Gauges {
                log_bytes: AtomicU64::new(log_bytes),
                logged: AtomicU64::new(logged),
                ..Gauges::default()
            },
            stopping: AtomicBool::new(false),
            healthy: AtomicBool::new(true),
            checkpointing: AtomicBool::new(false),
            large: AtomicBool::new(large),
            built: Mutex::default(),
            settled: AtomicU64::new(opened.settled),
            erasing: Mutex::default(),
            keeping: Keeping::default(),
            harmed: opened.harmed,
            checkpoint_again: AtomicI64::new(i64::MIN),
            backlog: Backlog::default(),
            options,
            clock,
        });
        let mut threads = vec![];
        if let Some((inbox, writing, applied)) = wheels {
            let spawn = |name: &str, f: Box<dyn FnOnce() + Send>| {
                std::thread::Builder::new().name(name.into()).spawn(f).map_err(StoreError::io(dir))
            };
            let (writer, applier) = (shared.clone(), shared.clone());
            threads.push(spawn("gyul-log", Box::new(move || writing.run(&writer, &inbox)))?);
            threads.push(spawn("gyul-apply", Box::new(move || apply(&applier, &applied)))?);
        }
        let hub = Hub { shared, threads: Mutex::new(threads), _lock: opened.lock };
        if let Some(before) = opened.before {
            // Rows came in while no server was there, or the one that took them in died.
            hub.alone(|| hub.reload(Some(&before)))?;
        }
        hub.finish_erasures()?;
        Ok(hub)
    }

    /// Takes messages. `done` is called when they are on disk, or were not taken.
    pub fn ingest(&self, incoming: Incoming, done: Done) {
        let g = &self.shared.gauges;
        let n = (incoming.messages.len() + incoming.rejected.len()) as u64;
        if self.shared.stopping.load(Ordering::Acquire) {
            return done(Err(Refused::Stopping));
        }
        if g.waiting.fetch_add(n, Ordering::AcqRel) + n > self.shared.options.queue as u64 && n > 0 {
            g.waiting.fetch_sub(n, Ordering::AcqRel);
            return done(Err(Refused::Busy));
        }
        match self.shared.commands.try_send(Command::Ingest(incoming, done)) {
            Ok(()) => {}
            Err(TrySendError::Full(Command::Ingest(_, done))) => {
                g.waiting.fetch_sub(n, Ordering::AcqRel);
                done(Err(Refused::Busy));
            }
            Err(TrySendError::Disconnected(Command::Ingest(_, done))) => done(Err(Refused::Stopping)),
            Err(_) => {}
        }
    }

    /// The same, waiting for it.
    pub fn ingest_now(&self, incoming: Incoming) -> Result<Acked, Refused> {
        let (tell, told) = channel();
        self.ingest(
            incoming,
            Box::new(move |r| {
                let _ = tell.send(r);
            }),
        );
        self.shared.wait(&told).unwrap_or(Err(Refused::Stopping))
    }

    /// Decides something; returns when it is on disk and applied, with the number of its record.
    pub fn act(&self, action: Action, by: &str) -> Result<(Outcome, u64), Refused> {
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err(Refused::Stopping);
        }
        self.shared.act(action, by)
    }

    /// Returns when all that was acknowledged before is applied.
    pub fn settle(&self) -> Result<(), Refused> {
        self.act(Action::Released(vec![]), "").map(|_| ())
    }

    /// An erasure is through: nothing has to be looked for by these names any more.
    pub(super) fn forgotten_now(&self) {
        self.shared.world.write().unwrap_or_else(PoisonError::into_inner).forgotten.clear();
    }

    /// The world between two steps.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.shared.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Instant {
        (self.shared.clock)()
    }

    /// What names may be joined, and which name nobody.
    pub fn rules(&self) -> Rules {
        self.world().identities.rules().clone()
    }

    pub fn gauges(&self) -> &Gauges {
        &self.shared.gauges
    }

    /// Whether the disk takes what comes.
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    /// What could not be read, when it was opened and since, and what is failing because of it.
    pub fn harms(&self) -> Vec<Harm> {
        self.shared.harmed.all()
    }

    /// What is done behind and does not work now.
    pub fn failing(&self) -> Vec<Behind> {
        self.shared.harmed.failing()
    }

    /// Calls `f` with whatever comes to be unreadable from here on.
    pub fn on_harm(&self, f: impl Fn(&Harm) + Send + 'static) {
        self.shared.harmed.on_harm(Box::new(f));
    }

    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Changes from an offset on; `None` if they are no longer kept.
    pub fn changes(&self, from: u64, limit: usize) -> Option<Vec<Told>> {
        lock(&self.shared.changes).from(from, limit)
    }

    /// The oldest change that is kept.
    pub fn changes_first(&self) -> u64 {
        lock(&self.shared.changes).first()
    }

    pub fn changes_end(&self) -> u64 {
        lock(&self.shared.changes).end()
    }

    /// Calls `f` with the end of the stream whenever it has moved.
    pub fn on_change(&self, f: impl Fn(u64) + Send + 'static) {
        lock(&self.shared.listeners).push(Box::new(f));
    }

    /// Moves what is in the log into the base, now. Gives the events that it took.
    pub fn checkpoint(&self) -> Result<u64, StoreError> {
        self.alone(|| self.settle_base(vec![])).map(|s| s.events)
    }

    /// Does something with the base while no checkpoint does.
    pub fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        self.shared.alone(work)
    }

    /// A checkpoint, within [`Hub::alone`]. The base leaves the rows of customers `gone` behind.
    pub(super) fn settle_base(&self, gone: Vec<String>) -> Result<Summary, StoreError> {
        self.shared.settle_base(gone)
    }

    /// Behind the last record that the base has taken in.
    pub fn settled(&self) -> u64 {
        self.shared.settled.load(Ordering::Acquire)
    }

    /// Takes so many numbers out of the log for something else. Gives the first.
    pub fn reserve(&self, numbers: u64) -> Result<u64, StoreError> {
        let (tell, told) = channel();
        let span = u32::try_from(numbers.max(1)).map_err(|_| StoreError::new(self.dir(), StoreErrorKind::Full))?;
        self.shared.commands.send(Command::Reserve(span, tell)).map_err(|_| self.shared.stopped())?;
        self.shared.wait(&told).ok_or_else(|| self.shared.stopped())?
    }

    /// Asks of each record in the log what becomes of it. Gives how many changed.
    pub(super) fn rewrite(&self, ask: Ask) -> Result<u64, StoreError> {
        let (tell, told) = channel();
        self.shared.commands.send(Command::Rewrite(ask, tell)).map_err(|_| self.shared.stopped())?;
        self.shared.wait(&told).ok_or_else(|| self.shared.stopped())?
    }

    /// Forgets customers in the stream of changes. Gives how many changes were theirs.
    pub(super) fn forget_changes(&self, customers: &[String]) -> Result<u64, StoreError> {
        lock(&self.shared.changes).erase(customers)
    }

    /// One erasure at a time, and none while the base is taken up anew: its decision names handles by numbers, which newcomers
    /// of the base shift until the next checkpoint. Taken before [`Hub::alone`].
    pub fn erasing(&self) -> std::sync::MutexGuard<'_, ()> {
        lock(&self.shared.erasing)
    }

    /// Reads the stream of changes as it is on disk, all of it.
    pub(super) fn read_changes(&self) -> Reader {
        lock(&self.shared.changes).reader()
    }

    /// Reads the log from a number on.
    pub fn read_log(&self, from: u64) -> Option<Reader> {
        self.shared.read_log(from)
    }

    /// Takes nothing more, finishes what was taken, and ends. Nothing is lost without it either.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(hand) = &self.shared.hand {
            return hand.let_go();
        }
        let _ = self.shared.commands.send(Command::Stop);
        std::mem::take(&mut *lock(&self.threads)).into_iter().for_each(|t| drop(t.join()));
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub(super) fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        while self.checkpointing.swap(true, Ordering::AcqRel) {
            self.pause(Duration::from_millis(20));
        }
        let done = work();
        self.checkpointing.store(false, Ordering::Release);
        done
    }

    pub(super) fn settle_base(self: &Arc<Shared>, gone: Vec<String>) -> Result<Summary, StoreError> {
        let mut cut = cut(self, &mut self.world.write().unwrap_or_else(PoisonError::into_inner))?;
        cut.gone.extend(gone);
        run_checkpoint(self, cut)
    }

    pub(super) fn put(&self, command: Command) -> Result<(), Refused> {
        self.commands.send(command).map_err(|_| Refused::Stopping)
    }

    pub(super) fn act(self: &Arc<Shared>, action: Action, by: &str) -> Result<(Outcome, u64), Refused> {
        let (tell, told) = channel();
        let decided = Box::new(move |r| {
            let _ = tell.send(r);
        });
        self.put(Command::Act(action, by.to_string(), decided))?;
        self.wait(&told).unwrap_or(Err(Refused::Stopping))
    }

    pub(super) fn read_log(self: &Arc<Shared>, from: u64) -> Option<Reader> {
        let (tell, told) = channel();
        self.commands.send(Command::Read(from, tell)).ok()?;
        self.wait(&told)
    }

    pub(super) fn stopped(&self) -> StoreError {
        StoreError::io(&self.dir)(std::io::Error::other("stopping"))
    }

    fn wait<T>(self: &Arc<Shared>, told: &Receiver<T>) -> Option<T> {
        match &self.hand {
            Some(hand) => hand.wait(self, told),
            None => told.recv().ok(),
        }
    }

    pub(super) fn pause(&self, time: Duration) {
        match &self.hand {
            Some(hand) => hand.pause(time),
            None => std::thread::sleep(time),
        }
    }

    /// Does something beside everything else.
    pub(super) fn spawn(self: &Arc<Shared>, name: &str, job: impl FnOnce(&Arc<Shared>) + Send + 'static) {
        let shared = self.clone();
        match &self.hand {
            Some(hand) => hand.later(Box::new(move || job(&shared))),
            None => drop(std::thread::Builder::new().name(name.into()).spawn(move || job(&shared))),
        }
    }
}

pub(super) fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The manifest of a directory, if there is one.
pub fn manifest(dir: &Path) -> Result<Option<Manifest>, StoreError> {
    match Manifest::read(dir) {
        Ok(m) => Ok(Some(m)),
        Err(e) if matches!(e.kind, gyul_store::StoreErrorKind::Missing) => Ok(None),
        Err(e) => Err(e),
    }
}
