//! Killed at random moments under load, a real process loses nothing that it acknowledged, and counts nothing twice.

use gyul_engine::live::{Action, Clock, Hub, Incoming, Options};
use gyul_model::{IdKind, Identifier, Instant, Message, Value, names};
use gyul_segment::reference::Reference;
use gyul_sim::random::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const DEFINITIONS: &str = "version: 1
segments:
  - id: buyers
    when: count(order, last 30d) >= 1
  - id: often
    when: count(order, last 1d) >= 3
  - id: best
    when: sum(order.total, last 30d) in top 10%
";

fn clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Instant(since.as_micros() as i64)
    })
}

fn options() -> Options {
    let starter = vec![("segments/test.yaml".to_string(), DEFINITIONS.to_string())];
    Options { starter, checkpoint_every: 400, segment_bytes: 1 << 16, ..Options::default() }
}

/// The process that is killed: three threads send, and each acknowledged id is printed. Does nothing as a test.
#[test]
fn child() {
    let Ok(dir) = std::env::var("GYUL_KILL_DIR") else { return };
    let round = std::env::var("GYUL_KILL_ROUND").unwrap_or_default();
    let hub = Arc::new(Hub::open(Path::new(&dir), options(), clock()).unwrap());
    let threads: Vec<_> = (0..3)
        .map(|t| {
            let (hub, round) = (hub.clone(), round.clone());
            std::thread::spawn(move || send(&hub, &round, t))
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

fn send(hub: &Hub, round: &str, thread: u64) {
    let mut rng = Rng::new(round.parse::<u64>().unwrap_or(0) * 10 + thread);
    for n in 0.. {
        let ids: Vec<String> = (0..1 + rng.below(20)).map(|i| format!("{round}-{thread}-{n}-{i}")).collect();
        let message = |id: &String, rng: &mut Rng| Message {
            source: "api",
            id: id.clone(),
            who: vec![
                Identifier::new(IdKind::User, format!("C{}", rng.below(30))),
                Identifier::new(IdKind::Anonymous, format!("a{}", rng.below(60))),
            ],
            previous: None,
            ts: hub.now(),
            events: vec![(
                names::ORDER.into(),
                vec![
                    ("order_id".into(), Value::text(id.clone())),
                    ("total".into(), Value::from(rng.below(900) as i64)),
                ],
            )],
        };
        let mut messages: Vec<Message> = ids.iter().map(|id| message(id, &mut rng)).collect();
        // A retry of something that may or may not have come through.
        messages.extend(messages.first().cloned());
        if hub.ingest_now(Incoming { messages, rejected: vec![] }).is_ok() {
            let mut out = std::io::stdout().lock();
            ids.iter().for_each(|id| writeln!(out, "acked {id}").unwrap());
            out.flush().unwrap();
        }
        if rng.percent(5) {
            let (into, from) = (format!("C{}", rng.below(30)), format!("C{}", rng.below(30)));
            let _ = hub.act(Action::Merge { into, from }, "min");
        }
        if rng.percent(3) {
            let text = format!(
                "version: 1\nsegments:\n  - id: often\n    when: count(order, last 1d) >= {}\n",
                1 + rng.below(9)
            );
            let _ = hub.act(Action::Define { kind: "segment".into(), id: "often".into(), text: Some(text) }, "min");
        }
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_counts_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked: BTreeSet<String> = BTreeSet::new();
    let mut rng = Rng::new(7);
    for round in 1..=8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env("GYUL_KILL_DIR", dir.path())
            .env("GYUL_KILL_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let told = |l: String| Some(l.split_once("acked ")?.1.to_string());
            out.lines().map_while(Result::ok).filter_map(told).collect::<Vec<String>>()
        });
        std::thread::sleep(Duration::from_millis(250 + rng.below(900) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        acked.extend(reader.join().unwrap());
        check(dir.path(), &acked, round);
    }
    assert!(acked.len() > 500, "only {} were acknowledged", acked.len());
}

fn check(dir: &Path, acked: &BTreeSet<String>, round: u64) {
    let hub = Hub::open(dir, Options { checkpoint_every: 0, ..options() }, clock()).unwrap();
    hub.settle().unwrap();
    let world = hub.world();
    let timelines: Vec<_> = world.live.population().iter().map(|n| world.timeline(n as u32)).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for e in timelines.iter().flat_map(|t| &t.events) {
        if let Some(Value::Text(id)) = e.prop("order_id") {
            *seen.entry(id).or_default() += 1;
        }
    }
    let lost: Vec<&String> = acked.iter().filter(|id| !seen.contains_key(id.as_str())).collect();
    assert!(lost.is_empty(), "round {round}: {} lost, the first {:?}", lost.len(), lost.first());
    let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "round {round}: counted more than once: {:?}", twice.first());
    let reference = Reference::new(world.live.library(), &timelines, world.live.now(), None);
    let mut members = BTreeSet::new();
    for (s, segment) in world.live.library().segments.iter().enumerate() {
        let of = |c: &usize| reference.member(s, *c);
        let ids = (0..timelines.len()).filter(of).map(|c| (segment.id.clone(), timelines[c].customer.clone()));
        members.extend(ids);
    }
    let live: BTreeSet<(String, String)> = (0..world.live.names().len())
        .flat_map(|r| world.live.members(r).iter().map(move |n| (r, n)))
        .map(|(r, n)| (world.live.names()[r].clone(), world.customer_id(n as u32).to_string()))
        .collect();
    assert_eq!(live, members, "round {round}: live and reference");
    drop(world);
    let mut told = BTreeMap::new();
    for t in hub.changes(0, usize::MAX).unwrap() {
        let was = told.insert((t.what.clone(), t.customer.clone()), t.entered).unwrap_or(false);
        assert_ne!(was, t.entered, "round {round}: told twice: {t:?}");
    }
    let told: BTreeSet<(String, String)> = told.into_iter().filter(|(_, is)| *is).map(|(k, _)| k).collect();
    assert_eq!(told, live, "round {round}: what was told");
}
