//! Two threads around the world: one writes the log, one applies it.

use super::by_hand::{self, Hand};
use super::changes::{ChangeLog, Told};
use super::checkpoint::{self, Cut, State};
use super::harm::Harm;
use super::record::{self, Action, Rejected};
use super::recover;
use super::reload;
use super::world::{Control, Outcome, World, fingerprint};
use gyul_model::{Instant, MICROS_SECOND, Message};
use gyul_profile::Rules;
use gyul_store::log::{Disk, Log, Reader};
use gyul_store::{Manifest, StoreError, StoreErrorKind, Summary};
use gyul_timeline::live::Live;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// The time, from outside: a test has its own.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

#[derive(Clone)]
pub struct Options {
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
    dir: PathBuf,
    options: Options,
    pub(super) clock: Clock,
    commands: SyncSender<Command>,
    /// Without threads of its own: whoever waits turns the wheels.
    pub(super) hand: Option<Hand>,
    world: RwLock<World>,
    changes: Mutex<ChangeLog>,
    /// Called with the end of the stream of changes whenever it moves.
    listeners: Mutex<Vec<Listener>>,
    gauges: Gauges,
    stopping: AtomicBool,
    healthy: AtomicBool,
    checkpointing: AtomicBool,
    /// Definitions are to be computed beside the ones in force.
    large: AtomicBool,
    /// What was computed, until its record is applied.
    built: Mutex<Option<Box<Live>>>,
    settled: AtomicU64,
    erasing: Mutex<()>,
}

pub struct Hub {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    harms: Vec<Harm>,
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
        let (commands, inbox) = sync_channel(65_536);
        let (steps, applied) = sync_channel(if sleep.is_some() { 65_536 } else { 64 });
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
        let hub = Hub { shared, threads: Mutex::new(threads), harms: opened.harms, _lock: opened.lock };
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

    pub fn gauges(&self) -> &Gauges {
        &self.shared.gauges
    }

    /// Whether the disk takes what comes.
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    /// What could not be read when it was opened.
    pub fn harms(&self) -> &[Harm] {
        &self.harms
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
        while self.shared.checkpointing.swap(true, Ordering::AcqRel) {
            self.shared.pause(Duration::from_millis(20));
        }
        let done = work();
        self.shared.checkpointing.store(false, Ordering::Release);
        done
    }

    /// A checkpoint, within [`Hub::alone`]. The base leaves the rows of customers `gone` behind.
    pub(super) fn settle_base(&self, gone: Vec<String>) -> Result<Summary, StoreError> {
        let cut = cut(&self.shared, &mut self.shared.world.write().unwrap_or_else(PoisonError::into_inner))?;
        run_checkpoint(&self.shared, Cut { gone, ..cut })
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

    /// Takes the base up anew, after rows came into it beside the log, and goes on from it; within [`Hub::alone`].
    /// What the rows changed is told. `before`: the manifest without them.
    pub fn reload(&self, before: Option<&Manifest>) -> Result<(), StoreError> {
        let manifest = Manifest::read(&self.shared.dir)?;
        let data = gyul_store::Store::open(&self.shared.dir)?.load(&gyul_store::Needs::All)?;
        // The reader comes after, so that it has all that the copy rests on.
        let start = reload::Start::of(&self.world());
        let log = self.read_log(self.settled()).ok_or_else(|| self.shared.stopped())?;
        let mut fresh = reload::beside(start, data, log)?;
        loop {
            // The reader comes first: whoever writes the log may wait for the world.
            let covered = self.shared.gauges.logged.load(Ordering::Acquire);
            let log = self.read_log(fresh.next).ok_or_else(|| self.shared.stopped())?;
            let mut world = self.shared.world.write().unwrap_or_else(PoisonError::into_inner);
            // Definitions that are being computed on the old base are put in force first.
            if world.journal.is_some() || world.next > covered {
                drop(world);
                self.shared.pause(Duration::from_millis(2));
                continue;
            }
            reload::catch_up(&mut fresh, &mut world, log, &self.shared.options.rules)?;
            let changes = reload::differences(&world, &fresh);
            for s in &manifest.streams {
                let rows = before.and_then(|b| b.stream(&s.name)).map_or(0, |s| s.rows);
                let v = fresh.volumes.entry(s.name.clone()).or_default();
                v.count += s.rows.saturating_sub(rows);
                v.first = [v.first, s.first].into_iter().flatten().min();
                v.last = v.last.max(s.last);
            }
            *world = fresh;
            let told: Vec<Told> =
                world.tell(&changes).into_iter().map(|t| Told { cause: "import".into(), ..t }).collect();
            publish(&self.shared, world, told);
            // Who is new has a number now: the next start must find the same.
            return self.settle_base(vec![]).map(|_| ());
        }
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
    pub(super) fn put(&self, command: Command) -> Result<(), Refused> {
        self.commands.send(command).map_err(|_| Refused::Stopping)
    }

    fn act(self: &Arc<Shared>, action: Action, by: &str) -> Result<(Outcome, u64), Refused> {
        let (tell, told) = channel();
        let decided = Box::new(move |r| {
            let _ = tell.send(r);
        });
        self.put(Command::Act(action, by.to_string(), decided))?;
        self.wait(&told).unwrap_or(Err(Refused::Stopping))
    }

    fn read_log(self: &Arc<Shared>, from: u64) -> Option<Reader> {
        let (tell, told) = channel();
        self.commands.send(Command::Read(from, tell)).ok()?;
        self.wait(&told)
    }

    fn stopped(&self) -> StoreError {
        StoreError::io(&self.dir)(std::io::Error::other("stopping"))
    }

    fn wait<T>(self: &Arc<Shared>, told: &Receiver<T>) -> Option<T> {
        match &self.hand {
            Some(hand) => hand.wait(self, told),
            None => told.recv().ok(),
        }
    }

    fn pause(&self, time: Duration) {
        match &self.hand {
            Some(hand) => hand.pause(time),
            None => std::thread::sleep(time),
        }
    }

    /// Does something beside everything else.
    fn spawn(self: &Arc<Shared>, name: &str, job: impl FnOnce(&Arc<Shared>) + Send + 'static) {
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

// ---- writing

/// Ids of messages that were seen lately.
#[derive(Default)]
pub struct Seen {
    ids: FxHashSet<u64>,
    order: VecDeque<(Instant, u64)>,
}

/// Ids that are remembered at most.
const SEEN_MAX: usize = 20_000_000;

impl Seen {
    pub fn insert(&mut self, at: Instant, id: u64) {
        if self.ids.insert(id) {
            self.order.push_back((at, id));
        }
    }

    fn forget(&mut self, before: Instant) {
        while self.order.front().is_some_and(|(at, _)| *at < before) || self.order.len() > SEEN_MAX {
            if let Some((_, id)) = self.order.pop_front() {
                self.ids.remove(&id);
            }
        }
    }
}

pub(super) struct Writing {
    log: Log,
    seen: Seen,
    steps: SyncSender<Vec<Step>>,
}

/// Messages of one commit, about.
const GROUP: usize = 20_000;

impl Writing {
    fn run(mut self, shared: &Shared, inbox: &Receiver<Command>) {
        let mut stop = false;
        while !stop {
            let Ok(first) = inbox.recv() else { break };
            let mut group = vec![first];
            let size = |c: &Command| if let Command::Ingest(i, _) = c { i.messages.len() } else { 1 };
            let mut n = size(&group[0]);
            while n < GROUP
                && let Ok(next) = inbox.try_recv()
            {
                n += size(&next);
                group.push(next);
            }
            stop = group.iter().any(|c| matches!(c, Command::Stop));
            self.group(shared, group);
        }
    }

    pub(super) fn group(&mut self, shared: &Shared, group: Vec<Command>) {
        let at = (shared.clock)();
        let g = &shared.gauges;
        let mut steps: Vec<Step> = vec![];
        let mut acks: Vec<(Acked, Done)> = vec![];
        let mut reserved: Vec<(u64, Sender<Result<u64, StoreError>>)> = vec![];
        let mut rewrites: Vec<(Ask, Sender<Result<u64, StoreError>>)> = vec![];
        let mut fresh: FxHashSet<u64> = FxHashSet::default();
        // A log that is unsure is made usable first; until it is, everything is refused.
        let mut sound = !self.log.is_unsure() || self.log.recover().is_ok();
        for command in group {
            match command {
                Command::Ingest(incoming, done) => {
                    let n = (incoming.messages.len() + incoming.rejected.len()) as u64;
                    g.waiting.fetch_sub(n, Ordering::AcqRel);
                    let mut acked = Acked::default();
                    let mut taken = vec![];
                    for m in incoming.messages {
                        let id = fingerprint(&m);
                        if self.seen.ids.contains(&id) || !fresh.insert(id) {
                            acked.duplicates += 1;
                            continue;
                        }
                        let (span, payload) = record::message(&m);
                        match self.log.append(record::MESSAGE, at, span, &payload) {
                            Ok(seq) => taken.push((seq, m)),
                            Err(_) => sound = false,
                        }
                    }
                    acked.accepted = taken.len() as u64;
                    steps.push(Step::Messages(taken));
                    for r in incoming.rejected {
                        match self.log.append(record::REJECTED, at, 1, &record::rejected(&r)) {
                            Ok(seq) => steps.push(Step::Rejected(seq, at, r)),
                            Err(_) => sound = false,
                        }
                        acked.rejected += 1;
                    }
                    acks.push((acked, done));
                }
                Command::Act(action, by, decided) => {
                    let action = match action {
                        Action::Define { kind, id, text } if shared.large.load(Ordering::Acquire) => {
                            Action::Propose { kind, id, text }
                        }
                        other => other,
                    };
                    match self.log.append(record::ACTION, at, 1, &record::action(&action, &by)) {
                        Ok(seq) => steps.push(Step::Act(seq, at, action, by, decided)),
                        Err(_) => {
                            sound = false;
                            decided(Err(Refused::Storage));
                        }
                    }
                }
                Command::Read(from, reply) => drop(reply.send(self.log.read(from))),
                Command::Settled(to) => {
                    // Ids of messages are looked up in the log at the next start.
                    let oldest = Instant(at.0.saturating_sub(shared.options.remember));
                    if self.seen.order.front().is_none_or(|(t, _)| *t >= oldest) {
                        let _ = self.log.prune(to.min(self.keep_from(oldest)));
                    }
                }
                Command::Reserve(span, reply) => match self.log.append(record::SKIP, at, span, &[]) {
                    Ok(first) => {
                        steps.push(Step::Skipped(first + u64::from(span)));
                        reserved.push((first, reply));
                    }
                    Err(e) => {
                        sound = false;
                        let _ = reply.send(Err(e));
                    }
                },
                Command::Rewrite(ask, reply) => rewrites.push((ask, reply)),
                Command::Stop => {}
            }
        }
        let begun = std::time::Instant::now();
        let committed = sound && self.log.commit().is_ok();
        g.commits.fetch_add(1, Ordering::Relaxed);
        g.commit_micros.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
        shared.healthy.store(committed, Ordering::Release);
        if !committed {
            g.storage_errors.fetch_add(1, Ordering::Relaxed);
            self.log.drop_pending();
            acks.into_iter().for_each(|(_, done)| done(Err(Refused::Storage)));
            let refused = || StoreError::io(&shared.dir)(std::io::Error::other("the disk takes nothing now"));
            let waiting = reserved.into_iter().map(|(_, r)| r).chain(rewrites.into_iter().map(|(_, r)| r));
            waiting.for_each(|reply| drop(reply.send(Err(refused()))));
            for step in steps {
                if let Step::Act(.., decided) = step {
                    decided(Err(Refused::Storage));
                }
            }
            return;
        }
        fresh.into_iter().for_each(|id| self.seen.insert(at, id));
        self.seen.forget(Instant(at.0.saturating_sub(shared.options.remember)));
        let next = self.log.next();
        g.logged.store(next, Ordering::Release);
        g.log_bytes.store(self.log.bytes(), Ordering::Relaxed);
        for (acked, done) in acks {
            g.accepted.fetch_add(acked.accepted, Ordering::Relaxed);
            g.duplicates.fetch_add(acked.duplicates, Ordering::Relaxed);
            g.rejected.fetch_add(acked.rejected, Ordering::Relaxed);
            done(Ok(Acked { next, ..acked }));
        }
        for (first, reply) in reserved {
            let _ = reply.send(Ok(first));
        }
        // Waits when the world is far behind: then the queue fills, and the hub says it is busy.
        let _ = self.steps.send(steps);
        for (mut ask, reply) in rewrites {
            let rewritten = self.log.rewrite(&mut ask);
            let _ = reply.send(rewritten.and_then(|n| self.log.forget_damaged().map(|()| n)));
        }
    }

    /// The log is kept from here on so that the ids of the last days are known after a restart.
    fn keep_from(&self, oldest: Instant) -> u64 {
        let mut reader = self.log.read(self.log.first());
        while let Ok(Some(entry)) = reader.next() {
            if let gyul_store::log::Entry::Record(r) = entry
                && r.at >= oldest
            {
                return r.seq;
            }
        }
        self.log.next()
    }
}

// ---- applying

/// Messages of one step of the world, about: the lock is given back in between.
const STEP: usize = 20_000;

fn apply(shared: &Arc<Shared>, steps: &Receiver<Vec<Step>>) {
    let mut applying = Applying::default();
    loop {
        perhaps_build(shared);
        let mut group = match steps.recv_timeout(applying.rest(shared)) {
            Ok(group) => group,
            Err(RecvTimeoutError::Timeout) => vec![],
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut n = group.len();
        while n < STEP
            && let Ok(more) = steps.try_recv()
        {
            n += more.iter().map(|s| if let Step::Messages(m) = s { m.len() } else { 1 }).sum::<usize>();
            group.extend(more);
        }
        applying.turn(shared, group);
        perhaps_checkpoint(shared);
    }
}

#[derive(Default)]
pub(super) struct Applying {
    /// When slow ranks were sorted out last.
    settle_at: i64,
}

impl Applying {
    /// How long nothing changes by itself.
    fn rest(&self, shared: &Shared) -> Duration {
        let now = (shared.clock)();
        let (wake, slow) = {
            let world = shared.world.read().unwrap_or_else(PoisonError::into_inner);
            (world.live.next_wake(), world.live.has_slow_ranks())
        };
        let slow_wake = slow.then_some(Instant(self.settle_at + MICROS_SECOND));
        let untold = lock(&shared.changes).is_behind().then_some(Instant(now.0 + MICROS_SECOND));
        let next = [wake, slow_wake, untold].into_iter().flatten().min();
        // Slow clocks of tests included, nobody sleeps longer than this.
        let wait = next.map_or(3_600 * MICROS_SECOND, |t| (t.0 - now.0).clamp(0, 3_600 * MICROS_SECOND));
        Duration::from_micros(wait as u64)
    }

    fn turn(&mut self, shared: &Shared, group: Vec<Step>) {
        let begun = std::time::Instant::now();
        let now = (shared.clock)();
        let slow = shared.world.read().unwrap_or_else(PoisonError::into_inner).live.has_slow_ranks();
        let settles = slow && now.0 >= self.settle_at + MICROS_SECOND;
        if settles {
            self.settle_at = now.0;
        }
        step(shared, group, now, settles);
        let g = &shared.gauges;
        g.ticks.fetch_add(1, Ordering::Relaxed);
        g.tick_micros.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    /// The same as the thread does, once.
    pub(super) fn by_hand(&mut self, shared: &Arc<Shared>, group: Vec<Step>) {
        perhaps_build(shared);
        self.turn(shared, group);
        perhaps_checkpoint(shared);
    }
}

/// Computes what is proposed beside what is in force, and asks for its place in the log when it is done.
fn perhaps_build(shared: &Arc<Shared>) {
    let proposed = {
        let world = shared.world.read().unwrap_or_else(PoisonError::into_inner);
        world.definitions.proposed().filter(|_| world.journal.is_none())
    };
    let Some(upto) = proposed else { return };
    let mut built = {
        let mut world = shared.world.write().unwrap_or_else(PoisonError::into_inner);
        let (library, _) = world.definitions.proposal(&world.schema());
        world.journal = Some(vec![]);
        world.live.beside(library)
    };
    shared.spawn("gyul-define", move |shared| {
        built.start();
        // What was told meanwhile, until little is left for the step that puts it in place.
        loop {
            let mut world = shared.world.write().unwrap_or_else(PoisonError::into_inner);
            let Some(journal) = &mut world.journal else { return };
            let told = std::mem::take(journal);
            drop(world);
            let little = told.len() < 100;
            told.into_iter().for_each(|t| t.tell(&mut built));
            if little {
                break;
            }
        }
        *lock(&shared.built) = Some(Box::new(built));
        // The disk does not take it now: later.
        while shared.act(Action::InForce { upto }, "gyul") == Err(Refused::Storage) {
            shared.pause(Duration::from_secs(1));
        }
    });
}

fn step(shared: &Shared, group: Vec<Step>, now: Instant, settles: bool) {
    let mut world = shared.world.write().unwrap_or_else(PoisonError::into_inner);
    let rules = &shared.options.rules;
    let mut told: Vec<Told> = vec![];
    let mut decided: Vec<(Decided, Outcome, u64)> = vec![];
    let mut messages: Vec<(u64, Message)> = vec![];
    for s in group {
        match s {
            Step::Messages(m) => messages.extend(m),
            Step::Rejected(seq, at, r) => world.reject(seq, at, r),
            Step::Skipped(next) => world.next = world.next.max(next),
            Step::Act(seq, at, action, by, reply) => {
                told.extend(world.apply(&std::mem::take(&mut messages), now, rules));
                let built = match &action {
                    Action::InForce { upto } => {
                        lock(&shared.built).take().filter(|_| world.journal.is_some()).zip(Some(*upto))
                    }
                    _ => None,
                };
                let (outcome, more) = match built {
                    Some((built, upto)) => {
                        world.next = world.next.max(seq + 1);
                        (Outcome::Done, world.swap(upto, *built))
                    }
                    None => world.act(seq, at, &action, &by, now),
                };
                told.extend(more);
                world.control.push(Control { seq, at, kind: record::ACTION, payload: record::action(&action, &by) });
                decided.push((reply, outcome, seq));
            }
        }
    }
    told.extend(world.apply(&messages, now, rules));
    if settles {
        told.extend(world.settle());
    }
    let fresh = world.live.fresh_events();
    shared.large.store(world.live.events() > shared.options.define_beside, Ordering::Release);
    if fresh > 1_000_000.max(world.live.events() / 4) && world.journal.is_none() {
        world.live.compact();
    }
    publish(shared, world, told);
    decided.into_iter().for_each(|(reply, outcome, seq)| reply(Ok((outcome, seq))));
}

/// Tells what a step changed. What the disk does not take now is told later: see [`Applying::rest`].
fn publish(shared: &Shared, world: RwLockWriteGuard<'_, World>, told: Vec<Told>) {
    let (position, sorted) = ((world.live.now(), world.next), world.told_by());
    let n = told.len() as u64;
    let (before, end) = {
        let mut changes = lock(&shared.changes);
        // Only now: a checkpoint sees a step and what it told, or neither.
        drop(world);
        let before = changes.end();
        let _ = changes.publish(position, sorted, told);
        (before, changes.end())
    };
    shared.gauges.changes.fetch_add(n, Ordering::Relaxed);
    if before != end {
        lock(&shared.listeners).iter().for_each(|f| f(end));
    }
}

// ---- checkpoints

fn perhaps_checkpoint(shared: &Arc<Shared>) {
    let every = shared.options.checkpoint_every;
    let waiting = shared.world.read().unwrap_or_else(PoisonError::into_inner).owners.len() as u64;
    if every == 0 || waiting < every || shared.checkpointing.swap(true, Ordering::AcqRel) {
        return;
    }
    let cut = cut(shared, &mut shared.world.write().unwrap_or_else(PoisonError::into_inner));
    shared.spawn("gyul-checkpoint", move |shared| {
        let _ = cut.and_then(|cut| run_checkpoint(shared, cut));
        shared.checkpointing.store(false, Ordering::Release);
    });
}

/// What the next base is made of. Everything up to here was told: nobody could tell it any more.
fn cut(shared: &Shared, world: &mut World) -> Result<Cut, StoreError> {
    // Slow ranks too: the thresholds of earlier cannot be found again from the base.
    let told = if world.live.has_slow_ranks() { world.settle() } else { vec![] };
    let (before, flushed, end) = {
        let mut changes = lock(&shared.changes);
        let before = changes.end();
        let flushed = changes.publish((world.live.now(), world.next), world.told_by(), told);
        (before, flushed, changes.end())
    };
    if before != end {
        lock(&shared.listeners).iter().for_each(|f| f(end));
    }
    flushed?;
    let owner = |(seq, h): &(u64, u32)| (*seq, world.identities.handle_id(*h).to_string());
    Ok(Cut {
        from: shared.settled.load(Ordering::Acquire),
        to: world.next,
        state: State {
            identities: world.identities.save(),
            control: world.control.clone(),
            at: Some(world.live.now()),
            quarantine: Some(world.quarantine.clone()),
        },
        owners: world.owners.iter().map(owner).collect(),
        schema: world.live.schema().to_vec(),
        zone: shared.options.zone.clone(),
        currency: shared.options.currency.clone(),
        gone: vec![],
    })
}

fn run_checkpoint(shared: &Arc<Shared>, cut: Cut) -> Result<Summary, StoreError> {
    let to = cut.to;
    let log = shared.read_log(cut.from).ok_or_else(|| shared.stopped())?;
    let summary = checkpoint::write(&shared.dir, cut, log, (shared.clock)())?;
    shared.settled.store(to, Ordering::Release);
    let mut world = shared.world.write().unwrap_or_else(PoisonError::into_inner);
    world.owners.retain(|(seq, _)| *seq >= to);
    drop(world);
    shared.gauges.checkpoints.fetch_add(1, Ordering::Relaxed);
    let _ = shared.commands.send(Command::Settled(to));
    Ok(summary)
}

/// The manifest of a directory, if there is one.
pub fn manifest(dir: &Path) -> Result<Option<Manifest>, StoreError> {
    match Manifest::read(dir) {
        Ok(m) => Ok(Some(m)),
        Err(e) if matches!(e.kind, gyul_store::StoreErrorKind::Missing) => Ok(None),
        Err(e) => Err(e),
    }
}
