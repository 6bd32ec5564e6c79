//! Rules of identity that change on the way: each message is joined by the rules of its place in the log, whoever reads it.

mod hub;

use gyul_engine::live::{Action, Hub, Incoming, Outcome};
use gyul_model::{IdKind, Identifier, Instant, MICROS_HOUR, Message, names};
use gyul_profile::{Blocked, Reason, Rules};
use gyul_sim::random::Rng;
use hub::{Time, by_reference, membership, options};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

const NOW: i64 = 1_700_000_000_000_000;

fn message(rng: &mut Rng, n: usize, now: Instant) -> Message {
    let person = rng.below(6);
    let all = [
        Identifier::new(IdKind::User, format!("C{person}")),
        Identifier::new(IdKind::Email, format!("person{}@shop.kr", rng.below(6))),
        Identifier::new(IdKind::Anonymous, format!("browser-{}", rng.below(12))),
    ];
    let mut who: Vec<Identifier> = all.into_iter().filter(|_| rng.percent(60)).collect();
    if who.is_empty() {
        who.push(Identifier::new(IdKind::User, "shop counter"));
    }
    let source = if rng.percent(50) { "segment" } else { "api" };
    Message { source, id: format!("m{n}"), who, previous: None, ts: now, events: vec![(names::VIEW.into(), vec![])] }
}

fn some_rules(rng: &mut Rng) -> Rules {
    let mut rules = Rules::default();
    rules.limits[IdKind::Email as usize] = rng.below(3) as u32;
    rules.limits[IdKind::Anonymous as usize] = [0, 1, 3, 100][rng.below(4)];
    rules.verify[IdKind::Email as usize] = rng.percent(50);
    rules.verified_sources = if rng.percent(50) { vec!["segment".into()] } else { vec!["api".into()] };
    let lines = ["shop counter", "email:person1@*", "anonymous:browser-3", "user:C2"];
    rules.blocked.extend(lines.iter().filter(|_| rng.percent(30)).filter_map(|l| Blocked::parse(l)));
    rules
}

/// What can be seen of who is who: the customers with their names, merges, refusals, and who is in what.
fn seen(hub: &Hub) -> (Vec<u8>, Rules, BTreeMap<String, Vec<String>>) {
    let (saved, rules) = (hub.world().identities.save(), hub.rules());
    (saved, rules, membership(hub))
}

#[test]
fn a_change_of_the_rules_a_kill_and_a_start_are_as_never_stopping() {
    for seed in 0..8 {
        let mut rng = Rng::new(seed);
        let time = Time(Arc::new(AtomicI64::new(NOW)));
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let never_stops = Hub::open(a.path(), options(), time.clock()).unwrap();
        let mut stops = Hub::open(b.path(), options(), time.clock()).unwrap();
        let mut joined = std::collections::BTreeSet::new();
        for round in 0..12 {
            let now = time.pass(rng.between(1, 3 * MICROS_HOUR));
            if rng.percent(50) {
                let rules = Action::Rules(Box::new(some_rules(&mut rng)));
                for hub in [&never_stops, &stops] {
                    assert_eq!(hub.act(rules.clone(), "min").unwrap().0, Outcome::Done);
                }
            }
            let messages: Vec<Message> = (0..6).map(|i| message(&mut rng, round * 10 + i, now)).collect();
            for hub in [&never_stops, &stops] {
                hub.ingest_now(Incoming { messages: messages.clone(), rejected: vec![] }).unwrap();
                // A record of its own: both logs have the same numbers.
                hub.settle().unwrap();
            }
            if rng.percent(30) {
                stops.checkpoint().unwrap();
            }
            if rng.percent(60) {
                drop(stops);
                stops = Hub::open(b.path(), options(), time.clock()).unwrap();
            }
            assert!(seen(&never_stops) == seen(&stops), "seed {seed} round {round}");
            assert_eq!(membership(&stops), by_reference(&stops), "seed {seed} round {round}");
            joined.insert(never_stops.world().identities.heads().count());
        }
        assert!(joined.len() > 2, "seed {seed}: nobody came together");
    }
}

#[test]
fn an_alias_is_what_it_says_and_kept_when_it_joins_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(NOW)));
    let mut hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    let send = |hub: &Hub, n: usize, user: &str, previous: Option<&str>| {
        let who = vec![Identifier::new(IdKind::User, user)];
        let events = if previous.is_none() { vec![(names::VIEW.into(), vec![])] } else { vec![] };
        let previous = previous.map(Identifier::of_handle);
        let m = Message { source: "segment", id: format!("m{n}"), who, previous, ts: Instant(NOW), events };
        hub.ingest_now(Incoming { messages: vec![m], rejected: vec![] }).unwrap();
        hub.settle().unwrap();
    };
    let customer = |hub: &Hub, id: &str| {
        let world = hub.world();
        world.find(&Identifier::of_handle(id)).map(|(_, head)| world.identities.handle_id(head).to_string())
    };
    let refused = |hub: &Hub| hub.world().identities.refusals().map(|r| (r.reason, r.times)).collect::<Vec<_>>();
    send(&hub, 1, "C1", None);
    send(&hub, 2, "C2", None);
    // A browser that nobody knows yet, and another customer.
    send(&hub, 3, "C2", Some("browser-1"));
    send(&hub, 4, "C2", Some("C1"));
    for _ in 0..2 {
        assert_eq!(customer(&hub, "anonymous:browser-1").as_deref(), Some("C2"));
        assert_eq!(customer(&hub, "C1").as_deref(), Some("C1"));
        assert!(hub.world().identities.find(&Identifier::of_handle("anonymous:C1")).is_none(), "no name is made up");
        assert_eq!(refused(&hub), [(Reason::TooMany(IdKind::User), 1)]);
        drop(hub);
        hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    }
    let rules = Rules { alias_joins_users: true, ..Rules::default() };
    hub.act(Action::Rules(Box::new(rules)), "min").unwrap();
    send(&hub, 5, "C2", Some("C1"));
    for _ in 0..2 {
        assert_eq!(customer(&hub, "C2"), customer(&hub, "C1"));
        assert_eq!(refused(&hub), []);
        drop(hub);
        hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    }
}

#[test]
fn a_change_of_the_rules_holds_for_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let time = Time(Arc::new(AtomicI64::new(NOW)));
    let hub = Hub::open(dir.path(), options(), time.clock()).unwrap();
    let send = |n: usize, who: &[(IdKind, &str)]| {
        let who = who.iter().map(|(k, v)| Identifier::new(*k, *v)).collect();
        let events = vec![(names::VIEW.into(), vec![])];
        let m = Message { source: "segment", id: format!("m{n}"), who, previous: None, ts: Instant(NOW), events };
        hub.ingest_now(Incoming { messages: vec![m], rejected: vec![] }).unwrap();
        hub.settle().unwrap();
    };
    let head = |kind: IdKind, value: &str| {
        let world = hub.world();
        world.find(&Identifier::new(kind, value)).map(|(n, _)| world.customer_id(n).to_string())
    };
    send(1, &[(IdKind::User, "C1"), (IdKind::Anonymous, "x")]);
    let mut rules = Rules::default();
    rules.limits[IdKind::Anonymous as usize] = 0;
    rules.blocked.push(Blocked::parse("user:C9").unwrap());
    hub.act(Action::Rules(Box::new(rules)), "min").unwrap();
    send(2, &[(IdKind::User, "C2"), (IdKind::Anonymous, "y")]);
    send(3, &[(IdKind::User, "C9"), (IdKind::Anonymous, "z")]);
    assert_eq!(head(IdKind::Anonymous, "x").as_deref(), Some("C1"), "joined before, and it stays");
    assert_eq!(head(IdKind::Anonymous, "y"), None, "kept apart, with nothing of its own");
    assert_eq!((head(IdKind::User, "C9"), head(IdKind::Anonymous, "z").as_deref()), (None, Some("anonymous:z")));
}
