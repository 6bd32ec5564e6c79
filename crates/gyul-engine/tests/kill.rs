//! Killed at random moments under load, a real process loses nothing that it acknowledged, and counts nothing twice: events,
//! rows of files, definitions, erasures; while it starts, while it writes checkpoints, while files come in.
//!
//! `GYUL_ROUNDS=n` kills so often (12), `GYUL_SEED=n` chooses other moments.

use gyul_engine::live::{Action, Clock, DefKind, Hub, Incoming, Options};
use gyul_model::{IdKind, Identifier, Instant, Message, Value, Zone, names};
use gyul_segment::reference::Reference;
use gyul_sim::random::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
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

/// Rounds in one data directory: the reference takes long for all that many rounds leave behind.
const ROUNDS_OF_A_SHOP: u64 = 8;

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

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|s| s.parse().unwrap())
}

// ---- the process that is killed

/// Three threads send, one runs the office; what is acknowledged is printed. Does nothing as a test.
#[test]
fn child() {
    let Ok(shop) = std::env::var("GYUL_KILL_DIR") else { return };
    let (shop, round) = (Path::new(&shop), number("GYUL_KILL_ROUND").unwrap());
    let said = std::panic::take_hook();
    // Whoever kills it sees that it was dead already.
    std::panic::set_hook(Box::new(move |panic| {
        said(panic);
        std::process::exit(70);
    }));
    let hub = &Hub::open(&shop.join("data"), options(), clock()).unwrap();
    tell(&["ready".to_string()]);
    std::thread::scope(|s| {
        (0..3).for_each(|t| drop(s.spawn(move || send(hub, round, t))));
        s.spawn(|| office(hub, shop, round));
    });
}

fn tell(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    lines.iter().for_each(|l| writeln!(out, "{l}").unwrap());
    out.flush().unwrap();
}

fn order(hub: &Hub, id: &str, who: Vec<Identifier>, total: i64) -> Message {
    let props = vec![("order_id".into(), Value::text(id)), ("total".into(), Value::from(total))];
    Message {
        source: "api",
        id: id.to_string(),
        who,
        previous: None,
        ts: hub.now(),
        events: vec![(names::ORDER.into(), props)],
    }
}

fn send(hub: &Hub, round: u64, thread: u64) {
    let mut rng = Rng::new(round * 10 + thread);
    for n in 0.. {
        let ids: Vec<String> = (0..1 + rng.below(20)).map(|i| format!("{round}-{thread}-{n}-{i}")).collect();
        let message = |id: &String| {
            let user = Identifier::new(IdKind::User, format!("C{}", rng.below(30)));
            let browser = Identifier::new(IdKind::Anonymous, format!("a{}", rng.below(60)));
            order(hub, id, vec![user, browser], rng.below(900) as i64)
        };
        let mut messages: Vec<Message> = ids.iter().map(message).collect();
        // A retry of something that may or may not have come through.
        messages.extend(messages.first().cloned());
        if hub.ingest_now(Incoming { messages, rejected: vec![] }).is_ok() {
            tell(&ids.iter().map(|id| format!("event {id}")).collect::<Vec<_>>());
        }
        if rng.percent(5) {
            let (into, from) = (format!("C{}", rng.below(30)), format!("C{}", rng.below(30)));
            let _ = hub.act(Action::Merge { into, from }, "min");
        }
        // Nobody sends without a pause: the office has its turn, too.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Files, definitions, checkpoints and erasures, one after the other. First what was interrupted the last time.
fn office(hub: &Hub, shop: &Path, round: u64) {
    let file = shop.join("orders.csv");
    if file.exists() {
        import(hub, &file);
    }
    let mut rng = Rng::new(round);
    for n in 0.. {
        match rng.below(4) {
            0 => {
                let row = |i: u64| format!("C{},2023-11-{:02}T10:00:00Z,f{round}-{n}-{i},{i}\n", i % 45, 1 + i % 14);
                let rows: String = (0..1 + rng.below(400) as u64).map(row).collect();
                std::fs::write(&file, "customer_id,order_time,order_id,amount\n".to_string() + &rows).unwrap();
                import(hub, &file);
            }
            1 => {
                let times = 1 + rng.below(9);
                let text =
                    format!("version: 1\nsegments:\n  - id: often\n    when: count(order, last 1d) >= {times}\n");
                tell(&[format!("defining {times}")]);
                let define = Action::Define { kind: "segment".into(), id: "often".into(), text: Some(text) };
                if hub.act(define, "min").is_ok() {
                    tell(&[format!("defined {times}")]);
                }
            }
            2 => drop(hub.checkpoint().unwrap()),
            _ => {
                let who = Identifier::new(IdKind::User, format!("leaving-{round}-{n}"));
                let messages = (0..3).map(|i| order(hub, &format!("l{round}-{n}-{i}"), vec![who.clone()], 5)).collect();
                hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap();
                if hub.erase(&who, "min").unwrap().is_some() {
                    tell(&[format!("erased leaving-{round}-{n}")]);
                }
            }
        }
    }
}

fn import(hub: &Hub, file: &Path) {
    let numbers = |n: u64| hub.reserve(n);
    let request = gyul_engine::Request {
        input: gyul_engine::FileInput::Named("orders.csv", file),
        kind: gyul_ingest::Kind::Orders,
        mapping: None,
        encoding: None,
        zone: Zone::seoul(),
        currency: "KRW".into(),
        now: hub.now(),
        dry_run: false,
        numbers: Some(&numbers),
    };
    let _nobody_goes = hub.erasing();
    hub.alone(|| {
        let before = gyul_store::Manifest::read(hub.dir()).ok();
        let done = gyul_engine::import(hub.dir(), request, &mut |_| {}).unwrap();
        if !done.unchanged {
            hub.reload(before.as_ref()).unwrap();
        }
    });
    let text = std::fs::read_to_string(file).unwrap();
    let ids = text.lines().skip(1).map(|l| format!("event {}", l.split(',').nth(2).unwrap()));
    tell(&ids.collect::<Vec<_>>());
    std::fs::remove_file(file).unwrap();
}

// ---- who kills it

/// What was acknowledged so far.
#[derive(Default)]
struct Acked {
    events: BTreeSet<String>,
    erased: BTreeSet<String>,
    /// How often is often: what was acknowledged last, and what may have come after it.
    often: Vec<String>,
}

impl Acked {
    fn new() -> Acked {
        // As the starter has it.
        Acked { often: vec!["3".to_string()], ..Acked::default() }
    }

    fn read(&mut self, said: &str) {
        for line in said.lines() {
            match line.split_once(' ') {
                Some(("event", id)) => drop(self.events.insert(id.to_string())),
                Some(("erased", id)) => drop(self.erased.insert(id.to_string())),
                Some(("defining", times)) => self.often.push(times.to_string()),
                Some(("defined", times)) => self.often = vec![times.to_string()],
                _ => {}
            }
        }
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_counts_twice() {
    let seed = number("GYUL_SEED").unwrap_or(7);
    let mut rng = Rng::new(seed);
    let (mut shop, mut acked) = (tempfile::tempdir().unwrap(), Acked::new());
    let (mut events, mut erased, mut early) = (0, 0, 0);
    let rounds = number("GYUL_ROUNDS").unwrap_or(12);
    for round in 1..=rounds {
        if round % ROUNDS_OF_A_SHOP == 0 {
            (shop, acked) = (tempfile::tempdir().unwrap(), Acked::new());
        }
        let (said, ready) = killed(shop.path(), seed, round, &mut rng);
        let before = (acked.events.len(), acked.erased.len());
        acked.read(&said);
        early += u32::from(!ready);
        events += acked.events.len() - before.0;
        erased += acked.erased.len() - before.1;
        check(&shop.path().join("data"), &acked, &format!("seed {seed}, round {round}"));
    }
    eprintln!("{events} events and {erased} erasures acknowledged; {early} starts killed");
    assert!(events > 500, "{events}");
    assert!(rounds < 40 || (erased > 0 && early > 0), "{erased}, {early}");
}

/// Starts a process, kills it some time later; what it said, and whether it had come up.
fn killed(shop: &Path, seed: u64, round: u64, rng: &mut Rng) -> (String, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("GYUL_KILL_DIR", shop)
        .env("GYUL_KILL_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut said = vec![];
        out.read_to_end(&mut said).unwrap();
        // The last line may have been cut.
        said.truncate(said.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1));
        String::from_utf8(said).unwrap()
    });
    let most = if rng.percent(30) { 200_000 } else { 1_200_000 };
    std::thread::sleep(Duration::from_micros(rng.below(most) as u64));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "seed {seed}, round {round}: it was not the kill: {status}");
    let said = reader.join().unwrap();
    // The test harness has begun the line.
    let ready = said.lines().any(|l| l.ends_with("ready"));
    (said, ready)
}

fn check(data: &Path, acked: &Acked, what: &str) {
    let hub = Hub::open(data, Options { checkpoint_every: 0, ..options() }, clock()).unwrap();
    assert!(hub.harms().is_empty(), "{what}: {:?}", hub.harms());
    hub.settle().unwrap();
    let world = hub.world();
    let timelines: Vec<_> = world.live.population().iter().map(|n| world.timeline(n as u32)).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for e in timelines.iter().flat_map(|t| &t.events) {
        if let Some(Value::Text(id)) = e.prop("order_id") {
            *seen.entry(id).or_default() += 1;
        }
    }
    let lost: Vec<&String> = acked.events.iter().filter(|id| !seen.contains_key(id.as_str())).collect();
    assert!(lost.is_empty(), "{what}: {} lost, the first {:?}", lost.len(), lost.first());
    let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "{what}: counted more than once: {:?}", twice.first());
    for who in &acked.erased {
        assert_eq!(world.find(&Identifier::of_handle(who)).map(|_| ()), None, "{what}: {who} is known again");
    }
    let text = world.definitions.get(DefKind::Segment, "often").and_then(|v| v.text.clone()).unwrap();
    let is = |times: &String| text.contains(&format!(">= {times}\n"));
    assert!(acked.often.iter().any(is), "{what}: {text:?} and not one of {:?}", acked.often);
    let reference = Reference::new(world.live.library(), &timelines, world.live.now(), None);
    let mut members = BTreeSet::new();
    for (s, segment) in world.live.library().segments.iter().enumerate() {
        let of = |c: &usize| reference.member(s, *c);
        let ids = (0..timelines.len()).filter(of).map(|c| (segment.id.clone(), timelines[c].customer.clone()));
        members.extend(ids);
    }
    let live: BTreeSet<(String, String)> = (0..world.live.names().len())
        .flat_map(|r| world.live.members(r).iter().map(move |n| (r, n)))
        .map(|(r, n)| (world.live.names()[r].to_string(), world.customer_id(n as u32).to_string()))
        .collect();
    assert_eq!(live, members, "{what}: live and reference");
    drop(world);
    let mut told = BTreeMap::new();
    // Whoever was erased has no name any more.
    let changes: Vec<_> = hub.changes(0, usize::MAX).unwrap().into_iter().filter(|t| !t.customer.is_empty()).collect();
    for t in &changes {
        let was = told.insert((t.what.to_string(), t.customer.to_string()), t.entered).unwrap_or(false);
        let of_them =
            || changes.iter().filter(|c| (&c.what, &c.customer) == (&t.what, &t.customer)).collect::<Vec<_>>();
        assert_ne!(was, t.entered, "{what}: told twice: {t:?} in {:#?}", of_them());
    }
    let told: BTreeSet<(String, String)> = told.into_iter().filter(|(_, is)| *is).map(|(k, _)| k).collect();
    assert_eq!(told, live, "{what}: what was told");
}
