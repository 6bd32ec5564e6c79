//! When checkpoints are made, and of what.

use super::checkpoint::{self, Cut, Owners, State};
use super::harm::Behind;
use super::hub::{Command, Shared, lock};
use super::world::World;
use gyul_model::MICROS_MINUTE;
use gyul_store::{StoreError, Summary};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

pub(super) fn perhaps_checkpoint(shared: &Arc<Shared>) {
    let every = shared.options.checkpoint_every;
    let waiting = shared.world.read().unwrap_or_else(PoisonError::into_inner).owners.len() as u64;
    let again = shared.checkpoint_again.load(Ordering::Acquire);
    if every == 0 || waiting < every || (shared.clock)().0 < again || shared.checkpointing.swap(true, Ordering::AcqRel)
    {
        return;
    }
    let cut = cut(shared, &mut shared.world.write().unwrap_or_else(PoisonError::into_inner));
    shared.spawn("gyul-checkpoint", move |shared| {
        // Told already, and tried again a little later.
        let done = match cut {
            Ok(cut) => run_checkpoint(shared, cut),
            Err(e) => shared.harmed.tried(Behind::Checkpoint, Err(e)),
        };
        if done.is_err() {
            shared.checkpoint_again.store((shared.clock)().0 + MICROS_MINUTE, Ordering::Release);
        }
        shared.checkpointing.store(false, Ordering::Release);
    });
}

/// What the next base is made of. Everything up to here was told: nobody could tell it any more.
pub(super) fn cut(shared: &Shared, world: &mut World) -> Result<Cut, StoreError> {
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
    Ok(Cut {
        from: shared.settled.load(Ordering::Acquire),
        to: world.next,
        state: State {
            identities: world.identities.save(),
            control: world.control.clone(),
            at: Some(world.live.now()),
            quarantine: Some(world.quarantine.clone()),
            kept: Some(world.stale.from()),
        },
        owners: Owners::of(&world.owners, |h| world.identities.handle_id(h)),
        schema: world.stale.widen(world.live.schema().to_vec()),
        zone: shared.options.zone.clone(),
        currency: shared.options.currency.clone(),
        // Whoever is being erased: the state does not know them any more, and the base must not bring them back.
        gone: world.forgotten.iter().cloned().collect(),
    })
}

pub(super) fn run_checkpoint(shared: &Arc<Shared>, cut: Cut) -> Result<Summary, StoreError> {
    shared.harmed.tried(Behind::Checkpoint, settle(shared, cut))
}

fn settle(shared: &Arc<Shared>, cut: Cut) -> Result<Summary, StoreError> {
    let to = cut.to;
    let log = shared.read_log(cut.from).ok_or_else(|| shared.stopped())?;
    let now = (shared.clock)();
    // In threads of its own, half as many as there are: it rewrites the base in pieces that take seconds, and a tick that
    // needs the common threads would wait until such a piece is done.
    let threads = (rayon::current_num_threads() / 2).max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("gyul-base-{n}")).build();
    let pool = pool.map_err(|e| StoreError::io(&shared.dir)(std::io::Error::other(e)))?;
    let summary = pool.install(|| checkpoint::write(&shared.dir, cut, log, now, &shared.harmed))?;
    shared.settled.store(to, Ordering::Release);
    let mut world = shared.world.write().unwrap_or_else(PoisonError::into_inner);
    world.owners.retain(|(seq, _)| *seq >= to);
    drop(world);
    shared.gauges.checkpoints.fetch_add(1, Ordering::Relaxed);
    let _ = shared.commands.send(Command::Settled(to));
    Ok(summary)
}
