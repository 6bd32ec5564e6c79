//! The staleness policy while a server runs: decided, moved on by the clock, taken back; whatever is left out is as if it had
//! never been, and stays on disk.

mod hub;

use gyul_engine::live::{Action, Hub, Incoming, MESSAGE, read_message};
use gyul_engine::retention;
use gyul_model::{IdKind, Identifier, Instant, MICROS_DAY, MICROS_HOUR, Message, Value, Zone, names};
use gyul_store::Policy;
use gyul_store::log::Entry;
use hub::{Time, by_reference, events, flat, membership, options, told};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

const NOW: i64 = 1_700_000_000_000_000;

fn order(n: usize, days_ago: i64) -> Message {
    let total = Value::Num(gyul_model::Decimal::new(1_000 + n as i64, 0));
    let props = vec![("order_id".into(), Value::text(format!("o{n}"))), ("total".into(), total)];
    Message {
        source: "api",
        id: format!("m{n}"),
        who: vec![Identifier::new(IdKind::User, format!("C{}", n % 7))],
        previous: None,
        ts: Instant(NOW - days_ago * MICROS_DAY),
        events: vec![(names::ORDER.into(), props)],
    }
}

fn policy(words: &str, now: Instant) -> Option<Policy> {
    retention::policy(words, now, &Zone::seoul()).unwrap()
}

/// Without threads, on a clock that stands until somebody moves it.
fn open(dir: &Path, time: &Time) -> Hub {
    Hub::by_hand(dir, options(), time.clock(), Box::new(|_| {})).unwrap()
}

fn send(hub: &Hub, orders: impl Iterator<Item = (usize, i64)>) {
    let messages = orders.map(|(n, ago)| order(n, ago)).collect();
    hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap();
    hub.settle().unwrap();
}

fn consistent(hub: &Hub, what: &str) {
    let is = membership(hub);
    assert_eq!(is, by_reference(hub), "{what}");
    assert_eq!(told(hub), flat(&is), "{what}: what was told");
}

#[test]
fn what_is_left_out_goes_at_once_and_comes_back_when_more_is_looked_at() {
    for checkpointed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let time = Time(Arc::new(AtomicI64::new(NOW)));
        let mut hub = open(dir.path(), &time);
        // One order a day, for 28 days; some are in the base, some in the log alone.
        send(&hub, (0..14).map(|n| (n, n as i64)));
        if checkpointed {
            hub.checkpoint().unwrap();
        }
        send(&hub, (14..28).map(|n| (n, n as i64)));
        let whole = membership(&hub);
        let mut before = events(&hub);
        assert_eq!(before, 28);
        for (words, want) in [("keep 20d", 21), ("keep 5d", 6), ("keep 10d", 11), ("none", 28), ("keep 2d", 3)] {
            hub.keep(policy(words, hub.now()), "min").unwrap();
            let case = format!("{words}, checkpointed: {checkpointed}");
            consistent(&hub, &case);
            assert_eq!(events(&hub), want, "{case}");
            let world = hub.world();
            let said = world.left_out(&world.live.freeze()).map(|l| (l.events, l.of));
            assert_eq!(said, (words != "none").then_some((28 - want as u64, 28)), "{case}");
            let manifest = gyul_store::Manifest::read(dir.path()).unwrap();
            assert_eq!(manifest.policy, policy(words, hub.now()), "{case}: the command line goes by it");
            drop(world);
            if words == "none" {
                assert_eq!(membership(&hub), whole, "{case}");
            }
            // Killed and started again.
            let was = (membership(&hub), hub.changes_end());
            drop(hub);
            hub = open(dir.path(), &time);
            assert_eq!((membership(&hub), hub.changes_end()), was, "{case}: started again");
            assert_eq!(hub.world().stale.policy, policy(words, hub.now()), "{case}: started again");
            assert_ne!(want, before, "{case}");
            before = want;
        }
        let causes: Vec<String> =
            hub.changes(0, usize::MAX).unwrap().into_iter().map(|t| t.cause.into_owned()).collect();
        assert!(causes.contains(&"retention".to_string()), "{causes:?}");
        // Late ones are left out as well, and kept.
        send(&hub, [(40, 9), (41, 1)].into_iter());
        assert_eq!(events(&hub), 4);
        hub.keep(None, "min").unwrap();
        assert_eq!(events(&hub), 30);
        consistent(&hub, "all of it");
    }
}

#[test]
fn what_was_decided_before_the_machine_died_comes_about_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(NOW)));
    let mut hub = open(dir.path(), &time);
    send(&hub, (0..28).map(|n| (n, n as i64)));
    for (words, want) in [("keep 5d", 6), ("none", 28)] {
        let end = hub.changes_end();
        hub.act(Action::Keep(policy(words, hub.now())), "min").unwrap();
        assert_ne!(events(&hub), want, "{words}: it takes more than the decision");
        drop(hub);
        hub = open(dir.path(), &time);
        assert_eq!(events(&hub), want, "{words}");
        consistent(&hub, words);
        let told = hub.changes(end, usize::MAX).unwrap();
        assert!(!told.is_empty() && told.iter().all(|t| t.cause == "retention"), "{words}: {told:?}");
        assert_eq!(gyul_store::Manifest::read(dir.path()).unwrap().policy, policy(words, hub.now()), "{words}");
    }
}

#[test]
fn a_policy_that_counts_back_moves_on_by_the_clock_alone() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(NOW)));
    let mut hub = open(dir.path(), &time);
    send(&hub, (0..28).map(|n| (n, n as i64)));
    hub.keep(policy("keep 10d", hub.now()), "min").unwrap();
    assert_eq!(events(&hub), 11);
    let zone = Zone::seoul();
    for day in 1..=8 {
        // Just before midnight nothing has to be done, and nothing is.
        let midnight = zone.midnight(gyul_model::Date(zone.date(hub.now()).0 + 1));
        time.pass(midnight.0 - 1 - hub.now().0);
        hub.apply_by_hand();
        assert!(!hub.job_by_hand(), "day {day}: something was done before midnight");
        time.pass(1);
        hub.apply_by_hand();
        assert!(hub.job_by_hand(), "day {day}: nothing was done at midnight");
        assert_eq!(hub.world().stale.policy, policy("keep 10d", hub.now()), "day {day}");
        assert_eq!(events(&hub), 11 - day, "day {day}");
        consistent(&hub, &format!("day {day}"));
        time.pass(9 * MICROS_HOUR);
        hub.apply_by_hand();
        assert!(!hub.job_by_hand(), "day {day}: something was done twice");
        if day == 4 {
            let was = (membership(&hub), hub.changes_end());
            drop(hub);
            hub = open(dir.path(), &time);
            assert_eq!((membership(&hub), hub.changes_end()), was, "started again");
        }
    }
    // What the log says is in force came from it alone.
    let mut log = hub.read_log(0).unwrap();
    let mut messages = 0;
    while let Some(entry) = log.next().unwrap() {
        let Entry::Record(r) = entry else { panic!("{entry:?}") };
        messages += usize::from(r.kind == MESSAGE && read_message(r.payload).is_ok());
    }
    assert_eq!(messages, 28, "nothing is gone");
}
