//! The applying thread: folds into the world what is on disk, tells what it changed, and sees what the clock did.

use super::Refused;
use super::changes::Told;
use super::cut::perhaps_checkpoint;
use super::hub::{Decided, Shared, Step, lock};
use super::keeping::Turn;
use super::record::{self, Action};
use super::world::{Control, Outcome, World};
use gyul_model::{Instant, MICROS_SECOND, Message};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::Duration;

/// Messages of one step of the world, about: the lock is given back in between.
const STEP: usize = 20_000;

pub(super) fn apply(shared: &Arc<Shared>, steps: &Receiver<Vec<Step>>) {
    let mut applying = Applying::default();
    let _end = shared.backlog.ends_with_this();
    loop {
        perhaps_build(shared);
        let mut group = match steps.recv_timeout(applying.rest(shared)) {
            Ok(group) => group,
            Err(RecvTimeoutError::Timeout) => vec![],
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut n = messages(&group);
        while n < STEP
            && let Ok(more) = steps.try_recv()
        {
            n += messages(&more);
            group.extend(more);
        }
        applying.turn(shared, group);
        shared.backlog.less(n);
        perhaps_checkpoint(shared);
        applying.moves_on.perhaps_move_on(shared);
    }
}

/// Messages of some steps, anything else counting as one.
pub(super) fn messages(steps: &[Step]) -> usize {
    steps.iter().map(|s| if let Step::Messages(m) = s { m.len() } else { 1 }).sum()
}

#[derive(Default)]
pub(super) struct Applying {
    /// When slow ranks were sorted out last.
    settle_at: i64,
    moves_on: Turn,
}

impl Applying {
    /// How long nothing changes by itself.
    fn rest(&mut self, shared: &Shared) -> Duration {
        let now = (shared.clock)();
        let (wake, slow, turn) = {
            let world = shared.world.read().unwrap_or_else(PoisonError::into_inner);
            (world.live.next_wake(), world.live.has_slow_ranks(), self.moves_on.at(shared, &world, now))
        };
        let slow_wake = slow.then_some(Instant(self.settle_at + MICROS_SECOND));
        let untold = lock(&shared.changes).is_behind().then_some(Instant(now.0 + MICROS_SECOND));
        let next = [wake, slow_wake, untold, turn].into_iter().flatten().min();
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
        self.moves_on.perhaps_move_on(shared);
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
    let mut told: Vec<Told> = vec![];
    let mut decided: Vec<(Decided, Outcome, u64)> = vec![];
    let mut messages: Vec<(u64, Message)> = vec![];
    for s in group {
        match s {
            Step::Messages(m) => messages.extend(m),
            Step::Rejected(seq, at, r) => world.reject(seq, at, r),
            Step::Skipped(next) => world.next = world.next.max(next),
            Step::Act(seq, at, action, by, reply) => {
                told.extend(world.apply(&std::mem::take(&mut messages), now));
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
    told.extend(world.apply(&messages, now));
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
pub(super) fn publish(shared: &Shared, world: RwLockWriteGuard<'_, World>, told: Vec<Told>) {
    let (position, by) = ((world.live.now(), world.next), world.told_by());
    let n = told.len() as u64;
    let (before, end) = {
        let mut changes = lock(&shared.changes);
        // Only now: a checkpoint sees a step and what it told, or neither.
        drop(world);
        let before = changes.end();
        let _ = changes.publish(position, by, told);
        (before, changes.end())
    };
    shared.gauges.changes.fetch_add(n, Ordering::Relaxed);
    if before != end {
        lock(&shared.listeners).iter().for_each(|f| f(end));
    }
}
