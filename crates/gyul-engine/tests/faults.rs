//! The hub on a disk that fails, with a network that repeats and reorders, and power that goes at any moment.
//!
//! A seed makes the shop, the faults and the crashes. At rest the law must hold: what was acknowledged is there exactly once,
//! what was refused is there after a retry exactly once, membership is the reference's, what was told is what is, and a hub
//! that lived through the same history without any fault says the same. `GYUL_SEED=n` replays one, `GYUL_SEEDS=n` runs so many,
//! `GYUL_FIRST_SEED=n` from there on.

mod hub;

use gyul_engine::live::{Action, Disks, Hub, Incoming, Options, Outcome, Refused};
use gyul_model::{Identifier, Instant, MICROS_DAY, MICROS_HOUR, Message, Value};
use gyul_sim::random::Rng;
use gyul_sim::seeds;
use gyul_store::log::{Disk, Fault, SimDisk};
use hub::{Time, by_reference, by_reference_in, flat, membership, membership_in, message, told};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

const START: i64 = 1_700_000_000_000_000;

/// What happened for certain, in order.
#[derive(Clone)]
enum Happened {
    Message(Message),
    Act(Action),
    Erased(Identifier),
}

struct Bed<'a> {
    dir: &'a Path,
    log: SimDisk,
    changes: SimDisk,
    time: Time,
    hub: Option<Hub>,
    seed: u64,
    crashes: u64,
}

impl Bed<'_> {
    fn options(&self) -> Options {
        let (log, changes) = (self.log.clone(), self.changes.clone());
        let disks: Disks = Arc::new(move |name: &str| -> Arc<dyn Disk> {
            Arc::new(if name == "log" { log.clone() } else { changes.clone() })
        });
        let define_beside = if self.seed.is_multiple_of(3) { 0 } else { usize::MAX };
        Options { disks: Some(disks), define_beside, segment_bytes: 1 << 14, ..hub::options() }
    }

    fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    /// Power fails; the machine comes up again.
    fn crash(&mut self) {
        self.log.crash();
        self.changes.crash();
        drop(self.hub.take());
        self.crashes += 1;
        self.open();
    }

    fn open(&mut self) {
        let hub = Hub::open(self.dir, self.options(), self.time.clock());
        self.hub = Some(hub.unwrap_or_else(|e| panic!("seed {}: does not open: {e:?}", self.seed)));
    }

    /// The disks take what comes again.
    fn mend(&mut self) {
        self.log.calm();
        self.changes.calm();
    }
}

/// How often each message is in the timelines, by what it carries.
fn present(hub: &Hub) -> BTreeMap<String, usize> {
    let world = hub.world();
    let mut out = BTreeMap::new();
    for n in world.live.population().iter() {
        for e in world.timeline(n as u32).events {
            if let Some((_, Value::Text(id))) = e.props.iter().find(|(p, _)| p == "mid") {
                *out.entry(id.to_string()).or_default() += 1;
            }
        }
    }
    out
}

fn at_rest(bed: &Bed, what: &str) {
    let hub = bed.hub();
    while hub.world().definitions.proposed().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    hub.settle().unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let is = membership(hub);
    assert_eq!(is, by_reference(hub), "{what}");
    assert_eq!(told(hub), flat(&is), "{what}: what was told");
}

/// The same history on a hub that nothing happens to: a seed's own oracle.
fn quiet(history: &[Happened], now: Instant) -> BTreeMap<String, Vec<String>> {
    let dir = hub::folder();
    let time = Time(Arc::new(AtomicI64::new(START)));
    let hub = Hub::open(dir.path(), hub::options(), time.clock()).unwrap();
    for h in history {
        match h {
            Happened::Message(m) => {
                hub.ingest_now(Incoming { messages: vec![m.clone()], rejected: vec![] }).unwrap();
            }
            Happened::Act(a) => drop(hub.act(a.clone(), "min").unwrap()),
            Happened::Erased(who) => drop(hub.erase(who, "min").unwrap()),
        }
    }
    time.pass(now.0 - START);
    hub.settle().unwrap();
    membership(&hub)
}

fn run(dir: &Path, seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let (log, changes) = (SimDisk::new(seed), SimDisk::new(!seed));
    let time = Time(Arc::new(AtomicI64::new(START)));
    let mut bed = Bed { dir, log, changes, time, hub: None, seed, crashes: 0 };
    bed.open();
    let mut history: Vec<Happened> = vec![];
    // Sent and not known to be there: the sender tries again.
    let mut unsure: Vec<Message> = vec![];
    let (mut made, mut merges) = (0, vec![]);
    for round in 0..20 {
        let what = format!("seed {seed} round {round}");
        let now =
            bed.time.pass(if rng.percent(80) { rng.between(1, MICROS_HOUR) } else { rng.between(1, 9 * MICROS_DAY) });
        let mut batch: Vec<Message> = std::mem::take(&mut unsure);
        for _ in 0..rng.below(8) {
            let mut m = message(&mut rng, made, now);
            made += 1;
            if rng.percent(5) {
                // Dated ahead, within the tolerance: visible when its time comes.
                m.ts = Instant(now.0 + rng.between(1, 4 * 60_000_000));
            }
            for (_, props) in &mut m.events {
                props.push(("mid".into(), Value::text(&m.id)));
            }
            batch.push(m);
        }
        // The network repeats what arrived long ago, and what is under way.
        let known: Vec<&Message> =
            history.iter().filter_map(|h| if let Happened::Message(m) = h { Some(m) } else { None }).collect();
        let erased = history.iter().any(|h| matches!(h, Happened::Erased(_)));
        let again = (!known.is_empty() && !erased && rng.percent(40)).then(|| known[rng.below(known.len())].clone());
        let twice = (!batch.is_empty() && rng.percent(30)).then(|| batch[rng.below(batch.len())].clone());
        let sent: Vec<Message> = batch.iter().cloned().chain(again).chain(twice).collect();

        let fault = rng.below(10);
        match fault {
            0 => bed.log.fail_after(rng.below(6) as u64, Fault::Sync),
            1 => bed.log.fail_after(rng.below(6) as u64, Fault::Write(ErrorKind::Other)),
            2 => bed.log.refuse(Some(ErrorKind::StorageFull)),
            3 => bed.changes.fail_after(rng.below(4) as u64, Fault::Sync),
            _ => {}
        }
        match bed.hub().ingest_now(Incoming { messages: sent.clone(), rejected: vec![] }) {
            Ok(acked) => {
                assert_eq!(acked.accepted + acked.duplicates, sent.len() as u64, "{what}");
                let there = |m: &Message| history.iter().any(|h| matches!(h, Happened::Message(k) if k.id == m.id));
                let new: Vec<Message> = batch.into_iter().filter(|m| !there(m)).collect();
                history.extend(new.into_iter().map(Happened::Message));
            }
            Err(Refused::Storage) => {
                assert!(fault < 3, "{what}: refused without a fault");
                assert!(!bed.hub().is_healthy(), "{what}");
                // Questions are answered all the same; the clock goes on, so both are asked of one moment.
                let world = bed.hub().world();
                assert_eq!(membership_in(&world), by_reference_in(&world), "{what}: while the disk refuses");
                drop(world);
                unsure = batch;
            }
            Err(e) => panic!("{what}: {e:?}"),
        }
        bed.mend();
        if rng.percent(25) {
            bed.crash();
            // What nobody was told of may be there or not, whole or a beginning of it; it is sent again.
            let there = present(bed.hub());
            for m in &unsure {
                assert!(there.get(&m.id).is_none_or(|n| *n == 1), "{what}: {} is there twice", m.id);
            }
        }
        // A disk that was full takes again what comes, without anybody doing anything.
        let tries = (0..5).find(|_| bed.hub().settle().is_ok());
        assert!(tries.is_some(), "{what}: does not recover");

        if unsure.is_empty() {
            match rng.below(8) {
                0 => {
                    let (into, from) = (format!("C{}", rng.below(12)), format!("C{}", rng.below(12)));
                    let action = Action::Merge { into, from };
                    if let Ok((outcome, _)) = bed.hub().act(action.clone(), "min") {
                        history.push(Happened::Act(action));
                        if let Outcome::Merged(m) = outcome {
                            merges.push(m);
                        }
                    }
                }
                1 if !merges.is_empty() => {
                    let action = Action::Unmerge { merge: merges.swap_remove(rng.below(merges.len())) };
                    bed.hub().act(action.clone(), "min").unwrap();
                    history.push(Happened::Act(action));
                }
                2 => {
                    let days = 1 + rng.below(20);
                    let text =
                        format!("version: 1\nsegments:\n  - id: often\n    when: count(order, last {days}d) >= 2\n");
                    let action = Action::Define { kind: "segment".into(), id: "often".into(), text: Some(text) };
                    bed.hub().act(action.clone(), "min").unwrap();
                    history.push(Happened::Act(action));
                }
                3 if rng.percent(30) => {
                    let who = Identifier::of_handle(&format!("C{}", rng.below(12)));
                    bed.hub().erase(&who, "min").unwrap_or_else(|e| panic!("{what}: {e:?}"));
                    history.push(Happened::Erased(who));
                }
                _ => {}
            }
        }
        at_rest(&bed, &what);
        if rng.percent(20) {
            bed.hub().checkpoint().unwrap();
        }
        if rng.percent(25) {
            let before = (membership(bed.hub()), present(bed.hub()), bed.hub().changes_end());
            bed.crash();
            let after = (membership(bed.hub()), present(bed.hub()), bed.hub().changes_end());
            assert_eq!(before, after, "{what}: a crash at rest");
        }
    }
    // The last retry.
    if !unsure.is_empty() {
        bed.hub().ingest_now(Incoming { messages: unsure.clone(), rejected: vec![] }).unwrap();
        let there = |m: &Message| history.iter().any(|h| matches!(h, Happened::Message(k) if k.id == m.id));
        let new: Vec<Message> = unsure.into_iter().filter(|m| !there(m)).collect();
        history.extend(new.into_iter().map(Happened::Message));
    }
    // Whatever is dated ahead has come.
    let now = bed.time.pass(MICROS_HOUR);
    at_rest(&bed, &format!("seed {seed} at the end"));
    let there = present(bed.hub());
    assert!(there.values().all(|n| *n == 1), "seed {seed}: something is there twice");
    if !history.iter().any(|h| matches!(h, Happened::Erased(_))) {
        assert_eq!(there.len(), made, "seed {seed}: every message once");
    }
    assert_eq!(membership(bed.hub()), quiet(&history, now), "seed {seed}: as if nothing had happened");
    bed.crashes
}

#[test]
fn whatever_the_disk_does_what_was_acknowledged_is_there_once_and_membership_is_the_references() {
    let crashes = seeds::each(24, |seed| run(hub::folder().path(), seed));
    let sum: u64 = crashes.iter().sum();
    assert!(crashes.len() < 10 || sum > 20, "{sum}");
}
