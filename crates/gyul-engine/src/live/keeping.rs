//! A base that changes under the world: rows that a file brought, and what the staleness policy leaves out.
//!
//! What the policy leaves out is not in memory, so another policy takes the base up anew, beside the world that goes on. Its
//! record in the log is the decision; the manifest is told of it for those who read the directory without its log. The stream
//! of changes says by what each step was told, so that a start between the decision and its effect tells the rest, once.

use super::Refused;
use super::applying::publish;
use super::changes::Told;
use super::harm::Behind;
use super::hub::{Hub, Options, Shared, lock, manifest};
use super::record::Action;
use super::recover;
use super::reload;
use super::world::World;
use crate::retention;
use gyul_model::{Instant, MICROS_MINUTE};
use gyul_store::{Manifest, Policy, StoreError};
use gyul_timeline::live::Change;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

/// Who decides that a policy moves on.
const CLOCK: &str = "gyul";

impl Hub {
    /// Takes the base up anew, after rows came into it beside the log, and goes on from it; within [`Hub::alone`].
    /// What the rows changed is told. `before`: the manifest without them.
    pub fn reload(&self, before: Option<&Manifest>) -> Result<(), StoreError> {
        let policy = self.world().stale.policy.clone();
        self.shared.harmed.tried(Behind::Import, self.shared.rebase(policy, before, "import"))?;
        // Who is new has a number now: the next start must find the same.
        self.settle_base(vec![]).map(|_| ())
    }

    /// Leaves out other events from here on, for every question. Who enters and leaves by that is told.
    pub fn keep(&self, policy: Option<Policy>, by: &str) -> Result<(), StoreError> {
        let _nobody_goes = self.erasing();
        self.shared.keep(|_, _| policy, by)
    }

    /// Moves a policy that counts back from today on to now.
    pub fn move_on(&self) -> Result<(), StoreError> {
        let _nobody_goes = self.erasing();
        self.shared.keep(moved_on, CLOCK)
    }
}

impl Shared {
    /// Decides what is left out, and has it so. What was decided and did not come about does now.
    fn keep(
        self: &Arc<Shared>,
        decide: impl FnOnce(&World, Instant) -> Option<Policy>,
        by: &str,
    ) -> Result<(), StoreError> {
        // Between the decision and its effect nobody else need see to it.
        self.keeping.at_it.store(true, Ordering::Release);
        let kept = self.alone(|| {
            let (policy, decided, in_force) = {
                let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
                (decide(&world, (self.clock)()), world.kept.clone(), world.stale.from())
            };
            if policy != decided {
                let refused = |e| match e {
                    Refused::Stopping => self.stopped(),
                    _ => StoreError::io(&self.dir)(std::io::Error::other("the log takes nothing now")),
                };
                self.act(Action::Keep(policy.clone()), by).map_err(refused)?;
            }
            if policy.as_ref().map(|p| p.from) != in_force {
                let before = manifest(&self.dir)?;
                self.rebase(policy.clone(), before.as_ref(), "retention")?;
                // All that is in the base was taken in by it.
                self.harmed.tried(Behind::Import, Ok(()))?;
            }
            self.world.write().unwrap_or_else(PoisonError::into_inner).stale.policy.clone_from(&policy);
            declare(&self.dir, &policy, &self.options)
        });
        self.keeping.at_it.store(false, Ordering::Release);
        self.harmed.tried(Behind::Retention, kept)
    }

    /// Puts a world over the base as it is now in the place of the one that is; within [`Shared::alone`].
    /// `before`: the manifest as of the base that it was over.
    fn rebase(
        self: &Arc<Shared>,
        policy: Option<Policy>,
        before: Option<&Manifest>,
        cause: &'static str,
    ) -> Result<(), StoreError> {
        let now = manifest(&self.dir)?;
        let data = recover::load(&self.dir, now.as_ref(), policy)?;
        let settled = self.settled.load(Ordering::Acquire);
        let identities = recover::identities(&self.dir, settled, &self.options.rules)?;
        let erasing = super::erase::pending_names(&self.dir)?;
        let start = {
            let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
            reload::Start::of(&world, identities, erasing)
        };
        // The reader comes after, so that it has all that the world has.
        let log = self.read_log(settled).ok_or_else(|| self.stopped())?;
        let mut fresh = reload::beside(start, data, log, &self.harmed)?;
        loop {
            // The reader comes first: whoever writes the log may wait for the world.
            let covered = self.gauges.logged.load(Ordering::Acquire);
            let log = self.read_log(fresh.next).ok_or_else(|| self.stopped())?;
            let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
            // Definitions that are being computed on the old base are put in force first.
            if world.journal.is_some() || world.next > covered {
                drop(world);
                self.pause(Duration::from_millis(2));
                continue;
            }
            reload::catch_up(&mut fresh, &mut world, log, &self.harmed)?;
            let changes = reload::differences(&world, &fresh);
            for s in now.iter().flat_map(|m| &m.streams) {
                let rows = before.and_then(|b| b.stream(&s.name)).map_or(0, |s| s.rows);
                let v = fresh.volumes.entry(s.name.clone()).or_default();
                v.count += s.rows.saturating_sub(rows);
                v.first = [v.first, s.first].into_iter().flatten().min();
                v.last = v.last.max(s.last);
            }
            *world = fresh;
            let told = tell_as(cause, &mut world, &changes);
            lock(&self.changes).base = now.as_ref().map_or(0, |m| m.generation);
            publish(self, world, told);
            return Ok(());
        }
    }
}

/// Changes that something else caused than the evaluator knows of.
pub(super) fn tell_as(cause: &'static str, world: &mut World, changes: &[Change]) -> Vec<Told> {
    world.tell(changes).into_iter().map(|t| Told { cause: cause.into(), ..t }).collect()
}

/// Has the manifest say what is left out.
pub(super) fn declare(dir: &Path, policy: &Option<Policy>, options: &Options) -> Result<(), StoreError> {
    let mut manifest = manifest(dir)?.unwrap_or_else(|| Manifest::new(&options.zone, &options.currency));
    if manifest.policy == *policy {
        return Ok(());
    }
    manifest.policy.clone_from(policy);
    manifest.write(dir)
}

/// What was decided last, as of now.
fn moved_on(world: &World, now: Instant) -> Option<Policy> {
    world.kept.as_ref().map(|p| retention::moved_on(p, now, &world.live.library().zone))
}

/// Keeps a policy that counts back from today on time.
#[derive(Default)]
pub(super) struct Keeping {
    at_it: AtomicBool,
    /// Not before this: it did not work just now.
    again: AtomicI64,
}

/// When a policy moves on next, worked out once for each.
#[derive(Default)]
pub(super) struct Turn {
    of: Option<Policy>,
    at: Option<Instant>,
}

impl Turn {
    /// The next instant at which [`Turn::perhaps_move_on`] has something to do.
    pub fn at(&mut self, shared: &Shared, world: &World, now: Instant) -> Option<Instant> {
        let Keeping { at_it, again } = &shared.keeping;
        if at_it.load(Ordering::Acquire) {
            return None;
        }
        if self.of != world.kept || self.at.is_some_and(|t| t <= now) {
            let zone = &world.live.library().zone;
            self.at = world.kept.as_ref().and_then(|p| retention::moves_at(p, now, zone));
            self.of.clone_from(&world.kept);
        }
        let late = (world.kept != world.stale.policy).then_some(now);
        Some(self.at.into_iter().chain(late).min()?.max(Instant(again.load(Ordering::Acquire))))
    }

    pub fn perhaps_move_on(&mut self, shared: &Arc<Shared>) {
        let now = (shared.clock)();
        let due = self.at(shared, &shared.world.read().unwrap_or_else(PoisonError::into_inner), now);
        if due.is_none_or(|t| t > now) || shared.keeping.at_it.swap(true, Ordering::AcqRel) {
            return;
        }
        shared.spawn("gyul-keep", |shared| {
            // An erasure, or somebody who decides the same: they come first.
            let nobody_goes = match shared.erasing.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(e)) => Some(e.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            let done = nobody_goes.is_some_and(|_guard| shared.keep(moved_on, CLOCK).is_ok());
            let again = if done { i64::MIN } else { (shared.clock)().0 + MICROS_MINUTE };
            shared.keeping.again.store(again, Ordering::Release);
            shared.keeping.at_it.store(false, Ordering::Release);
        });
    }
}
