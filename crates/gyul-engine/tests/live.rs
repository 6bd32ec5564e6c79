//! The hub as a whole: what is acknowledged is there once, whatever happens in between; membership is the reference's.

mod hub;

use gyul_engine::live::{Action, Hub, Incoming, Options, Outcome};
use gyul_model::{Identifier, Instant, MICROS_DAY, MICROS_HOUR, Message, names};
use gyul_sim::random::Rng;
use hub::{Time, by_reference, events, flat, membership, message, options, outside, told};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::mpsc::channel;
use std::time::Duration;

/// The world may go on between two looks at it: then it is looked at again.
fn consistent(hub: &Hub, what: &str) {
    for _ in 0..50 {
        let position = |h: &Hub| (h.world().next, h.changes_end());
        let before = position(hub);
        let (is, want, told) = (membership(hub), by_reference(hub), told(hub));
        if position(hub) == before {
            assert_eq!(is, want, "{what}");
            assert_eq!(told, flat(&outside(hub, is)), "{what}: what was told");
            return;
        }
    }
    panic!("{what}: never at rest");
}

fn names_of(hub: &Hub, who: &Identifier) -> Vec<String> {
    let world = hub.world();
    let handles = world.find(who).map(|(_, head)| world.identities.handles_of(head).to_vec());
    handles.into_iter().flatten().map(|h| world.identities.handle_id(h).to_string()).collect()
}

fn run(dir: &Path, seed: u64) {
    let mut rng = Rng::new(seed);
    let time = Time(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
    // Half of the shops are as large as those whose definitions are computed beside what is in force.
    let options = || Options { define_beside: if seed.is_multiple_of(2) { usize::MAX } else { 0 }, ..options() };
    let mut hub = Hub::open(dir, options(), time.clock()).unwrap();
    let mut sent = vec![];
    let mut merges = vec![];
    for round in 0..25 {
        let now = time.pass(if rng.percent(80) { rng.between(1, MICROS_HOUR) } else { rng.between(1, 9 * MICROS_DAY) });
        let messages: Vec<Message> = (0..rng.below(12)).map(|i| message(&mut rng, round * 100 + i, now)).collect();
        let mut again = messages.clone();
        if let Some(old) = sent.get(rng.below(sent.len().max(1))) {
            let old: &Message = old;
            again.push(old.clone());
        }
        let n = messages.len() as u64;
        sent.extend(messages);
        let acked = hub.ingest_now(Incoming { messages: again.clone(), rejected: vec![] }).unwrap();
        assert_eq!((acked.accepted, acked.duplicates), (n, again.len() as u64 - n), "seed {seed} round {round}");
        match rng.below(7) {
            0 => {
                let (into, from) = (format!("C{}", rng.below(12)), format!("C{}", rng.below(12)));
                if let Ok((Outcome::Merged(m), _)) = hub.act(Action::Merge { into, from }, "min") {
                    merges.push(m);
                }
            }
            1 if !merges.is_empty() => {
                let merge = merges.swap_remove(rng.below(merges.len()));
                assert_eq!(hub.act(Action::Unmerge { merge }, "min").unwrap().0, Outcome::Done);
            }
            2 => {
                let text = format!(
                    "version: 1\nsegments:\n  - id: often\n    when: count(order, last {}d) >= 2\n",
                    1 + rng.below(20)
                );
                let define = Action::Define { kind: "segment".into(), id: "often".into(), text: Some(text) };
                assert!(matches!(hub.act(define, "min").unwrap().0, Outcome::Version(_)));
                // Those who do not wait must see a whole state too.
                let waits = rng.percent(70);
                while waits && hub.world().definitions.proposed().is_some() {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
            3 => {
                // Under any of their names; withdrawn under all of them.
                let who = Identifier::of_handle(&format!("C{}", rng.below(12)));
                let (objects, names) = (rng.percent(60), names_of(&hub, &who));
                let names = if objects { names.into_iter().take(1).collect() } else { names };
                assert_eq!(hub.act(Action::Object { names, objects }, "min").unwrap().0, Outcome::Done);
            }
            _ => {}
        }
        hub.settle().unwrap();
        consistent(&hub, &format!("seed {seed} round {round}"));
        if rng.percent(20) {
            hub.checkpoint().unwrap();
        }
        if rng.percent(25) {
            while hub.world().definitions.proposed().is_some() {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            hub.settle().unwrap();
            let before = (membership(&hub), hub.changes_end(), events(&hub));
            drop(hub);
            hub = Hub::open(dir, options(), time.clock()).unwrap();
            let after = (membership(&hub), hub.changes_end(), events(&hub));
            assert_eq!(before, after, "seed {seed} round {round}: stopped and started again");
        }
    }
    assert_eq!(events(&hub), sent.len(), "seed {seed}: every message once");
}

#[test]
fn stopping_checkpoints_merges_and_retries_change_nothing() {
    let seeds = std::env::var("GYUL_SEED").ok().and_then(|s| s.parse().ok()).map_or(0..12, |s: u64| s..s + 1);
    for seed in seeds {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), seed);
    }
}

#[test]
fn what_is_on_disk_is_acknowledged_though_the_world_rests() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
    let hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    let mut rng = Rng::new(7);
    let rests = hub.world();
    for id in 0..500 {
        let messages = vec![message(&mut rng, id, hub.now())];
        let (tell, told) = channel();
        hub.ingest(Incoming { messages, rejected: vec![] }, Box::new(move |acked| tell.send(acked).unwrap()));
        let acked = told.recv_timeout(Duration::from_secs(30)).expect("the world is waited for").unwrap();
        assert_eq!(acked.accepted, 1);
    }
    drop(rests);
    hub.settle().unwrap();
    consistent(&hub, "after the rest");
    assert_eq!(hub.world().live.events(), 500);
}

#[test]
fn a_file_comes_in_beside_the_log_and_nothing_is_lost_or_counted_twice() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
    let hub = Arc::new(Hub::open(dir.path(), options(), time.clock()).unwrap());
    let mut rng = Rng::new(7);
    let now = time.pass(1);
    let batch = move |rng: &mut Rng, from: usize| Incoming {
        messages: (from..from + 200).map(|i| message(rng, i, now)).collect(),
        rejected: vec![],
    };
    hub.ingest_now(batch(&mut rng, 0)).unwrap();
    hub.settle().unwrap();
    let file = dir.path().join("orders.csv");
    // Some are known from the log, some are new; C3 is both.
    let rows = (0..60).map(|i| format!("C{i},2023-11-{:02}T10:00:00Z,f{i},{}\n", 1 + i % 14, 1000 + i));
    std::fs::write(&file, "customer_id,order_time,order_id,amount\n".to_string() + &rows.collect::<String>()).unwrap();
    let before = events(&hub);
    let load = std::thread::spawn({
        let hub = hub.clone();
        move || {
            let mut rng = Rng::new(8);
            (1..40).for_each(|k| {
                hub.ingest_now(batch(&mut rng, k * 200)).unwrap();
            });
        }
    });
    let numbers = |n: u64| hub.reserve(n);
    let imported = hub.alone(|| {
        let manifest = gyul_store::Manifest::read(dir.path()).ok();
        let done = import(dir.path(), &file, now, Some(&numbers));
        hub.reload(manifest.as_ref()).unwrap();
        done
    });
    assert_eq!((imported.events, imported.duplicates, imported.rejected_total()), (60, 0, 0));
    load.join().unwrap();
    hub.settle().unwrap();
    assert_eq!(events(&hub), before + 39 * 200 + 60);
    assert_eq!(membership(&hub), by_reference(&hub));
    assert_eq!(told(&hub), flat(&membership(&hub)));
    let (was, volumes) = (membership(&hub), hub.world().volumes[names::ORDER].count);
    drop(hub);
    let hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    assert_eq!(membership(&hub), was, "after a restart");
    assert_eq!(events(&hub), before + 39 * 200 + 60);
    assert_eq!(hub.world().volumes[names::ORDER].count, volumes);
}

fn import(dir: &Path, file: &Path, now: Instant, numbers: Option<&gyul_engine::Numbers>) -> gyul_engine::Imported {
    let request = gyul_engine::Request {
        input: gyul_engine::FileInput::Named("orders.csv", file),
        kind: gyul_ingest::Kind::Orders,
        mapping: None,
        encoding: None,
        zone: gyul_model::Zone::seoul(),
        currency: "KRW".into(),
        now,
        dry_run: false,
        numbers,
    };
    gyul_engine::import(dir, request, &mut |_| {}).unwrap()
}

/// Found by killing a process a few times while files came in: its followers never heard of what the file had changed.
#[test]
fn what_a_file_changes_is_told_by_the_next_server_when_none_was_there_or_it_died_on_it() {
    for (served, checkpointed) in [(true, false), (true, true), (false, false)] {
        let dir = tempfile::tempdir().unwrap();
        let time = Time(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
        let open = || Hub::open(dir.path(), options(), time.clock()).unwrap();
        let hub = open();
        let mut rng = Rng::new(3);
        let now = time.pass(MICROS_HOUR);
        let mut send = |hub: &Hub, from: usize| {
            let messages = (from..from + 40).map(|i| message(&mut rng, i, now)).collect();
            hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap();
            hub.settle().unwrap();
        };
        send(&hub, 0);
        if checkpointed {
            hub.checkpoint().unwrap();
            send(&hub, 100);
        }
        // A merge whose number must still be its own when the file's people are there.
        let merge = Action::Merge { into: "C1".into(), from: "C2".into() };
        let Ok((Outcome::Merged(merge), _)) = hub.act(merge, "min") else { panic!("not merged") };
        let file = dir.path().join("orders.csv");
        let rows = |first: usize| (first..first + 20).map(|i| format!("C{i},2023-11-14T10:00:00Z,f{i},9000000\n"));
        let mut text = "customer_id,order_time,order_id,amount\n".to_string();
        text.extend(rows(5));
        std::fs::write(&file, &text).unwrap();
        let (was, before) = (membership(&hub), events(&hub));
        let end = if served {
            let numbers = |n: u64| hub.reserve(n);
            hub.alone(|| import(dir.path(), &file, now, Some(&numbers)));
            let end = hub.changes_end();
            drop(hub);
            end
        } else {
            let end = hub.changes_end();
            drop(hub);
            import(dir.path(), &file, now, None);
            // And one more, before anybody was told of the first.
            text.extend(rows(30));
            std::fs::write(&file, &text).unwrap();
            import(dir.path(), &file, now, None);
            end
        };
        let hub = open();
        let new = if served { 20 } else { 40 };
        assert_eq!(events(&hub), before + new);
        consistent(&hub, "told by the next");
        assert_ne!(membership(&hub), was);
        let more = hub.changes(end, usize::MAX).unwrap();
        assert!(!more.is_empty() && more.iter().all(|t| t.cause == "import"), "{more:?}");
        hub.act(Action::Unmerge { merge }, "min").unwrap();
        consistent(&hub, "taken apart again");
        let bases = || std::fs::read_dir(dir.path().join("base")).unwrap().count();
        assert_eq!(bases(), 1, "the base of before is not needed any more");
        let (is, end) = (membership(&hub), hub.changes_end());
        drop(hub);
        let hub = open();
        assert_eq!((membership(&hub), hub.changes_end()), (is, end), "and never again");
    }
}

#[test]
fn a_backup_beside_the_load_has_all_that_was_acknowledged_before_it_and_is_a_state_that_was() {
    for checkpointed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let time = Time(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
        let hub = Hub::open(&folder.path().join("data"), options(), time.clock()).unwrap();
        let mut rng = Rng::new(7);
        let send = |rng: &mut Rng, ids: std::ops::Range<usize>| {
            let now = time.pass(MICROS_HOUR);
            let messages: Vec<Message> = ids.map(|i| message(rng, i, now)).collect();
            hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap()
        };
        for i in 0..50 {
            send(&mut rng, i * 10..i * 10 + 10);
        }
        if checkpointed {
            hub.settle().unwrap();
            hub.checkpoint().unwrap();
            for i in 50..80 {
                send(&mut rng, i * 10..i * 10 + 10);
            }
        }
        let before = send(&mut rng, 1000..1010).next;
        let copy = folder.path().join("copy");
        let done = std::sync::atomic::AtomicBool::new(false);
        let mut ends = vec![before];
        let next = std::thread::scope(|s| {
            let backup = s.spawn(|| {
                let next = hub.backup(&copy);
                done.store(true, std::sync::atomic::Ordering::Release);
                next
            });
            let mut i = 200;
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                ends.push(send(&mut rng, i * 10..i * 10 + 10).next);
                i += 1;
            }
            backup.join().unwrap().unwrap()
        });
        assert!(next >= before, "all that was acknowledged before");
        assert!(ends.len() > 1, "events were acknowledged meanwhile");
        // On disk, though the world may not have seen it yet.
        let sent = hub.gauges().logged.load(std::sync::atomic::Ordering::SeqCst);
        assert!(hub.backup(&copy).is_err(), "nothing is copied over something");
        assert!(hub.backup(&folder.path().join("data/copy")).is_err(), "nor into itself");

        // The same records by number, and no other: what the copy says is the reference on a beginning of the log.
        let brought = Hub::open(&copy, options(), time.clock()).unwrap();
        assert!(brought.world().next >= next && next <= sent);
        let read = |hub: &Hub| {
            let mut log = hub.read_log(0).unwrap();
            let mut out = vec![];
            while let Some(entry) = log.next().unwrap() {
                if let gyul_store::log::Entry::Record(r) = entry {
                    out.push((r.seq, r.span, r.kind, r.at, r.payload.to_vec()));
                }
            }
            out
        };
        let records: Vec<_> = read(&hub).into_iter().filter(|r| r.0 < next).collect();
        assert_eq!(read(&brought).into_iter().filter(|r| r.0 < next).collect::<Vec<_>>(), records);
        consistent(&brought, "brought back");
    }
}
