//! The log's thread: drops retries, writes what came in in groups, and answers when it is on disk.

use super::applying::messages;
use super::hub::{Ask, Command, Done, Shared, Step, lock};
use super::record::{self, Action};
use super::world::fingerprint;
use super::{Acked, Refused};
use gyul_model::Instant;
use gyul_store::StoreError;
use gyul_store::log::Log;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::sync::{Condvar, Mutex, PoisonError};

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
    pub log: Log,
    pub seen: Seen,
    pub steps: SyncSender<Vec<Step>>,
}

/// Messages of one commit, about.
const GROUP: usize = 20_000;

/// Messages that are on disk and wait for the world, at most: a world that rests for a second holds up nobody whose
/// message need only be on disk.
const BEHIND: usize = 1_000_000;

/// How far the world is behind the log.
#[derive(Default)]
pub(super) struct Backlog {
    messages: Mutex<usize>,
    fewer: Condvar,
}

/// When this is dropped, nothing is applied any more, and nobody need wait for it.
pub(super) struct Ends<'a>(&'a Backlog);

impl Backlog {
    fn more(&self, messages: usize) {
        *lock(&self.messages) += messages;
    }

    pub fn less(&self, messages: usize) {
        let mut waiting = lock(&self.messages);
        *waiting = waiting.saturating_sub(messages);
        self.fewer.notify_one();
    }

    /// Waits until there is room.
    fn wait(&self) {
        let waiting = lock(&self.messages);
        drop(self.fewer.wait_while(waiting, |n| *n >= BEHIND).unwrap_or_else(PoisonError::into_inner));
    }

    pub fn ends_with_this(&self) -> Ends<'_> {
        Ends(self)
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.less(usize::MAX);
    }
}

impl Writing {
    pub fn run(mut self, shared: &Shared, inbox: &Receiver<Command>) {
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
            // When the world is far behind, the queue fills, and the hub says that it is busy.
            shared.backlog.wait();
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
        shared.backlog.more(messages(&steps));
        if self.steps.send(steps).is_err() {
            // Nothing is applied any more.
            shared.backlog.less(usize::MAX);
        }
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
