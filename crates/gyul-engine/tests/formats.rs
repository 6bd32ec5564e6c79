//! Old data directories still open: base, manifest, log, state, stream of changes and quarantine, as earlier versions wrote them.
//!
//! `testdata/data-<format>-<n>` are such directories, each with the `answers.txt` of the version that wrote it. They stay for ever.
//! When what is written changes (the last test says so), add the next one and commit it:
//! `GYUL_SAMPLE=data-1-2 cargo test -p gyul-engine --test formats`; a change that an older Gyul cannot read needs a new
//! format number (`gyul_store::FORMAT`, or that of the file in question) as well.

mod hub;

use gyul_engine::live::{Action, Hub, Incoming, Options, Rejected};
use gyul_model::{Decimal, IdKind, Identifier, Instant, MICROS_DAY, MICROS_HOUR, Message, Value, names};
use gyul_store::log::Entry;
use hub::{Time, by_reference, flat, membership, outside, told};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

const START: i64 = 1_700_000_000_000_000;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn time(days: i64) -> Time {
    Time(Arc::new(AtomicI64::new(START + days * MICROS_DAY)))
}

fn options() -> Options {
    Options { segment_bytes: 1 << 13, ..hub::options() }
}

fn open(dir: &Path, time: &Time) -> Hub {
    Hub::open(dir, options(), time.clock()).unwrap()
}

fn order(id: &str, who: Vec<Identifier>, ts: Instant, total: i64) -> Message {
    let props = vec![
        ("order_id".into(), Value::text(id)),
        ("total".into(), Value::Num(Decimal::new(total, 2))),
        ("gift".into(), Value::Bool(total % 2 == 0)),
    ];
    Message { source: "segment", id: id.into(), who, previous: None, ts, events: vec![(names::ORDER.into(), props)] }
}

/// A little of everything that a shop leaves on its disk, the same each time.
fn write(dir: &Path) {
    let time = time(0);
    // Without threads, so that it is the same each time.
    let hub = Hub::by_hand(dir, options(), time.clock(), Box::new(|_| {})).unwrap();
    let user = |n: i64| Identifier::new(IdKind::User, format!("고객-{n}"));
    let send = |messages: Vec<Message>, rejected: Vec<Rejected>| {
        hub.ingest_now(Incoming { messages, rejected }).unwrap();
        hub.settle().unwrap();
    };
    for n in 0..5 {
        let now = time.pass(MICROS_HOUR);
        let who = vec![user(n), Identifier::new(IdKind::Anonymous, format!("browser-{n}"))];
        let city =
            vec![(names::IDENTIFY.into(), vec![("city".into(), Value::text(if n < 3 { "제주" } else { "서울" }))])];
        let traits =
            Message { source: "api", id: format!("i{n}"), who: who.clone(), previous: None, ts: now, events: city };
        send(vec![order(&format!("o{n}"), who, now, 1_999 + n), traits], vec![]);
    }
    let rejected = Rejected {
        via: "key".into(),
        code: "no_time".into(),
        content: "{\"userId\":\"고객-9\"}".into(),
        ..Rejected::default()
    };
    send(vec![], vec![rejected.clone()]);
    hub.act(Action::Merge { into: "고객-0".into(), from: "고객-1".into() }, "min").unwrap();
    // A file, with a row that is no order.
    let file = dir.join("uploads-of-the-test.csv");
    let rows = "고객-2,2023-11-10T10:00:00Z,f1,120.50\n고객-7,2023-11-11T10:00:00Z,f2,80\n고객-7,never,f3,80\n";
    std::fs::write(&file, format!("customer_id,order_time,order_id,amount\n{rows}")).unwrap();
    let numbers = |n: u64| hub.reserve(n);
    hub.alone(|| {
        let before = gyul_store::Manifest::read(dir).ok();
        let request = gyul_engine::Request {
            input: gyul_engine::FileInput::Named("orders.csv", &file),
            kind: gyul_ingest::Kind::Orders,
            mapping: None,
            encoding: None,
            zone: gyul_model::Zone::seoul(),
            currency: "KRW".into(),
            now: time.pass(0),
            dry_run: false,
            numbers: Some(&numbers),
        };
        gyul_engine::import(dir, request, &mut |_| {}).unwrap();
        hub.reload(before.as_ref()).unwrap();
    });
    std::fs::remove_file(&file).unwrap();
    // What stands in the log alone.
    let now = time.pass(2 * MICROS_DAY);
    send(vec![order("o9", vec![user(9)], now, 50_000), order("o10", vec![user(3)], now, 1)], vec![rejected]);
    let text = "version: 1\nsegments:\n  - id: often\n    when: count(order, last 9d) >= 2\n";
    hub.act(Action::Define { kind: "segment".into(), id: "often".into(), text: Some(text.into()) }, "min").unwrap();
    hub.act(Action::Object { names: vec!["고객-4".into()], objects: true }, "min").unwrap();
    hub.act(Action::Settings(b"settings".to_vec()), "min").unwrap();
    hub.settle().unwrap();
}

/// What a directory says of itself.
fn answers(hub: &Hub) -> String {
    let mut out = String::new();
    for (name, members) in membership(hub) {
        writeln!(out, "{name}: {}", members.join(" ")).unwrap();
    }
    let world = hub.world();
    let mut people: Vec<String> = vec![];
    for timeline in world.live.population().iter().map(|n| world.timeline(n as u32)) {
        for e in &timeline.events {
            let props: Vec<String> = e.props.iter().map(|(name, value)| format!("{name}={value}")).collect();
            people.push(format!("{} {} {} {} {}", timeline.customer, e.ts, e.seq, e.name, props.join(" ")));
        }
    }
    people.sort();
    people.iter().for_each(|line| writeln!(out, "{line}").unwrap());
    for (n, (at, r)) in &world.quarantine {
        writeln!(out, "waiting: {n} {at} {} {}", r.code, r.content).unwrap();
    }
    for v in world.definitions.versions(gyul_engine::live::DefKind::Segment, "often") {
        writeln!(out, "often: {} {} {} {} {}", v.version, v.at, v.by, v.seq, v.text.as_deref().unwrap_or("-")).unwrap();
    }
    writeln!(out, "settings: {:?}", world.settings).unwrap();
    drop(world);
    for t in hub.changes(0, usize::MAX).unwrap() {
        writeln!(out, "{} {} {} {} {} {}", t.offset, t.at, t.customer, t.what, t.entered, t.cause).unwrap();
    }
    for file in gyul_store::quarantined(hub.dir()).unwrap() {
        file.rows.iter().for_each(|r| writeln!(out, "quarantine: {} {} {}", r.row, r.code, r.content).unwrap());
    }
    out
}

/// Records of the log and of the stream of changes, without salt and places.
fn records(dir: &Path) -> Vec<(u64, u32, u8, i64, Vec<u8>)> {
    let mut out = vec![];
    for folder in [dir.to_path_buf(), dir.join("changes")] {
        let log = gyul_store::log::Log::open(&folder, gyul_store::log::Options::default()).unwrap().0;
        let mut reader = log.read(0);
        while let Some(entry) = reader.next().unwrap() {
            let Entry::Record(r) = entry else { panic!("{entry:?}") };
            out.push((r.seq, r.span, r.kind, r.at.0, r.payload.to_vec()));
        }
    }
    out
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn samples() -> Vec<PathBuf> {
    let all = std::fs::read_dir(testdata()).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = all.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("data-")).collect();
    all.sort();
    all
}

/// Writes the sample that is asked for; else does nothing.
fn sample() {
    let Ok(name) = std::env::var("GYUL_SAMPLE") else { return };
    let (dir, at) = (hub::folder(), testdata().join(name));
    assert!(!at.exists(), "samples stay as they are");
    write(dir.path());
    copy(dir.path(), &at);
    std::fs::write(at.join("answers.txt"), answers(&open(dir.path(), &time(5)))).unwrap();
    for left in ["lock", "serve.lock", "log/lock", "log/spare.tmp", "changes/log/lock", "changes/log/spare.tmp"] {
        let _ = std::fs::remove_file(at.join(left));
    }
}

#[test]
fn directories_of_all_versions_open_answer_as_they_did_and_go_on() {
    sample();
    for sample in samples() {
        let (dir, time, name) = (hub::folder(), time(5), sample.display());
        copy(&sample, dir.path());
        let hub = open(dir.path(), &time);
        assert!(hub.harms().is_empty(), "{name}: {:?}", hub.harms());
        assert_eq!(answers(&hub), std::fs::read_to_string(sample.join("answers.txt")).unwrap(), "{name}");
        let sound = |hub: &Hub| {
            let is = membership(hub);
            assert_eq!(is, by_reference(hub), "{name}");
            assert_eq!(told(hub), flat(&outside(hub, is)), "{name}: what was told");
        };
        sound(&hub);
        // Known ids are known, new ones come in, and all of it goes through a checkpoint and a start.
        let who = || vec![Identifier::new(IdKind::User, "고객-3")];
        let messages = vec![order("o10", who(), time.pass(0), 1), order("new", who(), time.pass(MICROS_HOUR), 7)];
        let acked = hub.ingest_now(Incoming { messages, rejected: vec![] }).unwrap();
        assert_eq!((acked.accepted, acked.duplicates), (1, 1), "{name}");
        hub.act(Action::Unmerge { merge: 0 }, "min").unwrap();
        let erased = hub.erase(&Identifier::new(IdKind::User, "고객-7"), "min").unwrap().unwrap();
        assert!(erased.removed["base"] >= 1 && erased.removed["quarantine"] >= 1, "{name}: {erased:?}");
        hub.checkpoint().unwrap();
        sound(&hub);
        let before = answers(&hub);
        drop(hub);
        let hub = open(dir.path(), &time);
        assert_eq!(answers(&hub), before, "{name}: after a start");
        sound(&hub);
    }
}

#[test]
fn the_newest_sample_is_what_this_version_writes() {
    sample();
    let newest = samples().pop().expect("a sample");
    let number = |name: &str| name.split('-').nth(1).unwrap().parse::<u64>().unwrap();
    assert_eq!(number(&newest.file_name().unwrap().to_string_lossy()), gyul_store::FORMAT, "a sample of the format");
    let (fresh, kept) = (hub::folder(), hub::folder());
    write(fresh.path());
    copy(&newest, kept.path());
    let manifest = |dir: &Path| std::fs::read_to_string(dir.join("gyul.json")).unwrap();
    let next = "what is written has changed: see the head of this file for how to add the next sample";
    assert_eq!(manifest(fresh.path()), manifest(kept.path()), "{next}");
    let (fresh, kept) = (records(fresh.path()), records(kept.path()));
    for (is, was) in fresh.iter().zip(&kept) {
        assert_eq!(is, was, "{next}");
    }
    assert_eq!(fresh.len(), kept.len(), "{next}");
}
