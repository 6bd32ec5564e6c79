//! A shop's server and its world: one seed is one story.

use crate::model::{Content, Members, Model, read};
use gyul_engine::live::{Acked, Action, Clock, Disks, Hub, Incoming, Options, Refused, Rejected, Told};
use gyul_engine::retention;
use gyul_model::{Decimal, IdKind, Identifier, Instant, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, MICROS_SECOND};
use gyul_model::{Message, Value, Zone, names};
use gyul_profile::{Blocked, Rules};
use gyul_sim::random::Rng;
use gyul_store::log::{Disk, Entry, Fault, SimDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

const PEOPLE: usize = 12;
const DEFINITIONS: &str = "version: 1
measures:
  - id: spent
    value: sum(order.total, last 30d)
segments:
  - id: buyers
    when: count(order, last 30d) >= 1
  - id: often
    when: count(order, last 7d) >= 2
  - id: big
    when: spent in top 20%
  - id: best
    when: quintile(spent) = 5 among (count(order, last 60d) >= 1)
  - id: looked_only
    when: count(view, last 2d) >= 1 and count(order, last 30d) = 0
  - id: quick
    when: count(view then order within 1d) >= 1
  - id: from_jeju
    when: city = \"제주\"
partitions:
  - id: stage
    classes:
      - id: hot
        when: since(order) <= 3d
      - id: cold
        when: since(order) > 3d
    otherwise: { id: never }
";

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

const KINDS: [&str; 26] = [
    "messages",
    "duplicates",
    "rejected",
    "refused",
    "survivors",
    "power losses",
    "kills",
    "starts that failed",
    "merges",
    "unmerges",
    "definitions",
    "definitions beside",
    "checkpoints",
    "checkpoints that failed",
    "erasures",
    "erasures that failed",
    "rules",
    "policies",
    "policies that failed",
    "policies moved on",
    "faults",
    "faults of the stream",
    "full disks",
    "compared",
    "changes",
    "pruned",
];

impl Tally {
    fn note(&mut self, what: &'static str) {
        self.many(what, 1);
    }

    fn many(&mut self, what: &'static str, n: u64) {
        assert!(KINDS.contains(&what));
        *self.0.entry(what).or_default() += n;
    }

    pub fn add(&mut self, other: &Tally) {
        other.0.iter().for_each(|(what, n)| self.many(what, *n));
    }

    pub fn never(&self) -> Vec<&'static str> {
        KINDS.into_iter().filter(|k| self.0.get(k).is_none_or(|n| *n == 0)).collect()
    }
}

type Slot<T> = Arc<Mutex<Option<T>>>;

/// A record that the model has not taken yet.
#[derive(Debug)]
struct Unread {
    seq: u64,
    span: u32,
    at: Instant,
    said: Content,
}

/// What was sent and is not on disk yet.
enum Sent {
    Messages(Incoming, Slot<Result<Acked, Refused>>),
    Act(Action),
}

pub struct Sim {
    seed: u64,
    rng: Rng,
    dir: tempfile::TempDir,
    time: Arc<AtomicI64>,
    log: SimDisk,
    changes: SimDisk,
    hub: Option<Hub>,
    model: Model,
    inbox: Vec<Sent>,
    /// Records that were refused since the log was last sound: a crash may leave the first of them.
    doubtful: Vec<Vec<Content>>,
    /// Messages that clients may send again.
    again: Vec<(Message, Instant)>,
    /// What a reader of the stream has.
    told: Vec<Told>,
    /// Ids of customers that were erased, or whose erasure was begun.
    erased: BTreeSet<String>,
    messages: usize,
    slow_ranks: bool,
    pub tally: Tally,
}

fn clone(i: &Incoming) -> Incoming {
    Incoming { messages: i.messages.clone(), rejected: i.rejected.clone() }
}

impl Sim {
    pub fn new(seed: u64) -> Sim {
        let mut sim = Sim {
            seed,
            rng: Rng::new(seed),
            dir: folder(),
            time: Arc::new(AtomicI64::new(1_700_000_000_000_000)),
            log: SimDisk::new(seed),
            changes: SimDisk::new(!seed),
            hub: None,
            model: Model::new(),
            inbox: vec![],
            doubtful: vec![],
            again: vec![],
            told: vec![],
            erased: BTreeSet::new(),
            messages: 0,
            slow_ranks: seed % 4 == 3,
            tally: Tally::default(),
        };
        sim.start();
        sim
    }

    fn now(&self) -> Instant {
        Instant(self.time.load(Ordering::SeqCst))
    }

    fn pass(&self, micros: i64) {
        self.time.fetch_add(micros, Ordering::SeqCst);
    }

    fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    fn heal(&self) {
        for disk in [&self.log, &self.changes] {
            disk.calm();
        }
    }

    // ---- starting and dying

    fn options(&self) -> Options {
        let slow = "  - id: steady\n    when: avg(order.total, last 30d) above average\npartitions:";
        let text = if self.slow_ranks { DEFINITIONS.replace("partitions:", slow) } else { DEFINITIONS.to_string() };
        let (log, changes) = (self.log.clone(), self.changes.clone());
        let disks: Disks = Arc::new(move |name: &str| -> Arc<dyn Disk> {
            Arc::new(if name == "log" { log.clone() } else { changes.clone() })
        });
        Options {
            starter: vec![("segments/test.yaml".to_string(), text)],
            checkpoint_every: if self.seed.is_multiple_of(5) { 40 } else { 0 },
            // Half of the shops are as large as those whose definitions are computed beside what is in force.
            define_beside: if self.seed.is_multiple_of(2) { usize::MAX } else { 0 },
            remember: 20 * MICROS_DAY,
            queue: 1000,
            segment_bytes: 1 << 13,
            disks: Some(disks),
            ..Options::default()
        }
    }

    fn start(&mut self) {
        let mut tries = 0;
        let hub = loop {
            let time = self.time.clone();
            let clock: Clock = Arc::new(move || Instant(time.load(Ordering::SeqCst)));
            let (time, log, changes) = (self.time.clone(), self.log.clone(), self.changes.clone());
            let sleep = Box::new(move |d: std::time::Duration| {
                time.fetch_add(d.as_micros() as i64, Ordering::SeqCst);
                log.refuse(None);
                changes.refuse(None);
            });
            if tries < 2 && self.rng.percent(15) {
                let (disk, n) =
                    (if self.rng.percent(60) { &self.log } else { &self.changes }, self.rng.below(8) as u64);
                disk.fail_after(
                    n,
                    if self.rng.percent(50) { Fault::Sync } else { Fault::Write(ErrorKind::StorageFull) },
                );
            }
            match Hub::by_hand(self.dir.path(), self.options(), clock, sleep) {
                Ok(hub) => break hub,
                Err(e) => {
                    tries += 1;
                    assert!(tries < 3, "seed {}: does not start on a sound disk: {e:?}", self.seed);
                    self.tally.note("starts that failed");
                    self.die();
                }
            }
        };
        self.heal();
        self.hub = Some(hub);
        self.recovered();
    }

    /// The process or the whole machine; the disks are sound again afterwards.
    fn die(&mut self) {
        // Whoever dies does not write any more.
        let power = self.rng.percent(60);
        for disk in [&self.log, &self.changes] {
            if power { disk.crash() } else { disk.kill() }
        }
        self.tally.note(if power { "power losses" } else { "kills" });
        self.hub = None;
        self.heal();
        if self.rng.percent(50) {
            let away = if self.rng.percent(50) { MICROS_HOUR } else { 12 * MICROS_DAY };
            let micros = self.rng.between(0, away);
            self.pass(micros);
        }
    }

    /// The log has what was acknowledged, and of what was under way a beginning.
    fn recovered(&mut self) {
        self.inbox.clear();
        let doubtful = std::mem::take(&mut self.doubtful);
        let mut survivors = self.unread();
        // A start that finishes an erasure blanks what is theirs of them: it was there, and then it was forgotten.
        let was = |u: &Unread, w: &Content| same(&u.said, w) || (u.said == Content::Blank && u.span == span(w));
        let alike = |group: &[Content]| group.iter().zip(&survivors).take_while(|(w, u)| was(u, w)).count();
        let own = |from: usize| survivors[from..].iter().all(|u| self.own(&u.said));
        // Behind these only what the start itself decides.
        let known = doubtful.iter().map(|g| &g[..alike(g)]).chain([&[][..]]).find(|g| own(g.len()));
        let known = known.unwrap_or_else(|| panic!("seed {}: {survivors:?} were never sent", self.seed));
        self.tally.many("survivors", known.len() as u64);
        for (u, w) in survivors.iter_mut().zip(known).filter(|(u, _)| u.said == Content::Blank) {
            u.said = w.clone();
        }
        survivors.into_iter().for_each(|u| self.take(u));
        self.follow();
        let read = self.hub().changes(0, usize::MAX).unwrap();
        assert_eq!(read.len(), self.told.len(), "seed {}", self.seed);
        for (was, is) in self.told.iter().zip(&read) {
            let forgotten = is.customer.is_empty() && self.is_erased(&was.customer);
            assert!(was == is || forgotten, "seed {}: told {was:?}, read {is:?}", self.seed);
        }
        self.told = read;
    }

    /// Or went with somebody who was: names that came to be theirs after the order.
    fn is_erased(&self, customer: &str) -> bool {
        self.erased.contains(customer) || self.model.forgotten.contains(customer)
    }

    /// What the hub decides by itself, or for somebody who is erased.
    fn own(&self, said: &Content) -> bool {
        match said {
            Content::Action(Action::InForce { .. } | Action::Erase { .. } | Action::Released(_) | Action::Keep(_)) => {
                true
            }
            // The starter.
            Content::Action(Action::Define { .. }) => self.messages == 0,
            _ => false,
        }
    }

    /// What the log has behind what the model knows.
    fn unread(&self) -> Vec<Unread> {
        let mut out = vec![];
        let mut log = self.hub().read_log(self.model.next).unwrap();
        while let Some(entry) = log.next().unwrap() {
            let Entry::Record(r) = entry else { panic!("seed {}: {entry:?}", self.seed) };
            out.push(Unread { seq: r.seq, span: r.span, at: r.at, said: read(&r) });
        }
        out
    }

    fn take(&mut self, u: Unread) {
        if matches!(u.said, Content::Action(Action::Erase { .. })) {
            // Who is forgotten is a stranger when sending again; an order that the disk held up is carried out later.
            self.again.clear();
        }
        self.model.take(u.seq, u.span, u.at, u.said);
    }

    // ---- what happens

    pub fn round(&mut self) {
        let step = match self.rng.below(10) {
            0..4 => self.rng.between(0, MICROS_SECOND),
            4..8 => self.rng.between(0, 3 * MICROS_HOUR),
            _ => self.rng.between(0, 6 * MICROS_DAY),
        };
        self.pass(step);
        if self.rng.percent(25) {
            self.fault();
        }
        for _ in 0..1 + self.rng.below(5) {
            match self.rng.below(100) {
                0..45 => self.send(),
                45..52 => self.merge(),
                52..57 => self.define(),
                57..59 => self.rule(),
                59..75 => {
                    self.write();
                    // What was refused lies on the disk perhaps, until the log is made sound.
                    if !self.doubtful.is_empty() && self.rng.percent(50) {
                        self.die();
                        self.start();
                    }
                }
                75..85 => drop(self.hub().apply_by_hand()),
                85..90 => self.job(),
                90..95 => self.checkpoint(),
                95..97 => self.erase(),
                97..99 => self.keep(),
                _ => {
                    let micros = self.rng.between(0, MICROS_HOUR);
                    self.pass(micros);
                }
            }
        }
        match self.rng.below(10) {
            0..2 => {
                self.die();
                self.start();
            }
            2..7 => self.compare(),
            _ => {}
        }
    }

    fn fault(&mut self) {
        let n = self.rng.below(12) as u64;
        let fault = match self.rng.below(3) {
            0 => Fault::Sync,
            1 => Fault::Write(ErrorKind::StorageFull),
            _ => Fault::Write(ErrorKind::ReadOnlyFilesystem),
        };
        match self.rng.below(5) {
            0..3 => {
                self.log.fail_after(n, fault);
                self.tally.note("faults");
            }
            3 => {
                self.changes.fail_after(n, fault);
                self.tally.note("faults of the stream");
            }
            _ => {
                self.log.refuse(Some(ErrorKind::StorageFull));
                self.changes.refuse(Some(ErrorKind::StorageFull));
                self.tally.note("full disks");
            }
        }
    }

    fn message(&mut self) -> Message {
        let rng = &mut self.rng;
        self.messages += 1;
        let (id, now) = (self.messages, self.time.load(Ordering::SeqCst));
        let person = rng.below(PEOPLE);
        let mut who = vec![];
        if rng.percent(65) {
            who.push(Identifier::new(IdKind::User, format!("C{person}")));
        }
        if rng.percent(20) {
            who.push(Identifier::new(IdKind::Email, format!("person{person}@shop.kr")));
        }
        if who.is_empty() || rng.percent(40) {
            // Some browsers are shared.
            let browser = if rng.percent(5) { 0 } else { person * 2 + rng.below(2) };
            who.push(Identifier::new(IdKind::Anonymous, format!("browser-{browser}")));
        }
        let ts = match rng.below(10) {
            0..2 => now - rng.between(0, 40 * MICROS_DAY),
            2 => now + rng.between(0, 3 * MICROS_DAY),
            _ => now - rng.between(0, MICROS_HOUR),
        };
        let order = |rng: &mut Rng| {
            let total = Value::Num(Decimal::new(rng.between(100, 90_000), rng.below(3) as u8));
            (
                names::ORDER.to_string(),
                vec![("order_id".into(), Value::text(format!("o{id}"))), ("total".into(), total)],
            )
        };
        let view = |rng: &mut Rng| {
            (names::VIEW.to_string(), vec![("product_id".into(), Value::text(format!("p{}", rng.below(5))))])
        };
        let events = match rng.below(10) {
            0..4 => vec![order(rng)],
            4 => vec![view(rng), order(rng)],
            5..7 => {
                let city = if rng.percent(50) { "제주" } else { "서울" };
                vec![(names::IDENTIFY.to_string(), vec![("city".into(), Value::text(city))])]
            }
            7 => vec![],
            _ => vec![view(rng)],
        };
        let source = if rng.percent(50) { "segment" } else { "api" };
        // Another name: of a browser, or of a user, who is perhaps somebody else.
        let former = [format!("browser-{}", rng.below(2 * PEOPLE)), format!("C{}", rng.below(PEOPLE))];
        let previous = rng.percent(8).then(|| Identifier::of_handle(&former[rng.below(2)]));
        Message { source, id: format!("m{id}"), who, previous, ts: Instant(ts), events }
    }

    fn send(&mut self) {
        let mut messages: Vec<Message> = (0..self.rng.below(6)).map(|_| self.message()).collect();
        let now = self.now();
        // From when it was sent first: ids are remembered for 20 days.
        self.again.retain(|(_, at)| now.0 - at.0 < 8 * MICROS_DAY);
        let fresh: Vec<(Message, Instant)> = messages.iter().map(|m| (m.clone(), now)).collect();
        for _ in 0..self.rng.below(3) {
            // Sent again: because nobody answered, or for no reason at all.
            if let Some((m, _)) = self.again.get(self.rng.below(self.again.len().max(1))) {
                messages.push(m.clone());
            }
        }
        if let Some(m) = messages.first().filter(|_| self.rng.percent(20)) {
            messages.push(m.clone());
        }
        self.again.extend(fresh);
        let content = format!("{{\"userId\":\"C{}\"}}", self.rng.below(2 * PEOPLE));
        let text = |t: &str| t.to_string();
        let r = Rejected {
            via: text("k"),
            code: text("no_time"),
            place: text(""),
            ko: text(""),
            en: text(""),
            content,
            ..Rejected::default()
        };
        let rejected = if self.rng.percent(15) { vec![r] } else { vec![] };
        let incoming = Incoming { messages, rejected };
        let slot: Slot<Result<Acked, Refused>> = Slot::default();
        let answer = slot.clone();
        self.hub().ingest(clone(&incoming), Box::new(move |r| *answer.lock().unwrap() = Some(r)));
        self.inbox.push(Sent::Messages(incoming, slot));
    }

    fn put(&mut self, action: Action) {
        self.hub().act_then(action.clone(), "min", Box::new(|_| {})).unwrap();
        self.inbox.push(Sent::Act(action));
    }

    fn merge(&mut self) {
        if self.rng.percent(60) || self.model.merges.is_empty() {
            let (into, from) = (self.rng.below(PEOPLE), self.rng.below(PEOPLE));
            let from = if self.rng.percent(50) { format!("C{from}") } else { format!("anonymous:browser-{from}") };
            self.put(Action::Merge { into: format!("C{into}"), from });
            self.tally.note("merges");
        } else {
            let merge = self.model.merges.swap_remove(self.rng.below(self.model.merges.len()));
            self.put(Action::Unmerge { merge });
            self.tally.note("unmerges");
        }
    }

    fn define(&mut self) {
        let (n, days) = (1 + self.rng.below(3), 1 + self.rng.below(20));
        let segment = |id: &str, when: String| {
            ("segment", id.to_string(), Some(format!("version: 1\nsegments:\n  - id: {id}\n    when: {when}\n")))
        };
        let (kind, id, text) = match self.rng.below(7) {
            0 => segment("often", format!("count(order, last {days}d) >= {n}")),
            1 => segment("big", format!("spent in top {}%", 10 * days)),
            2 => segment("looked_only", format!("count(view, last {days}d) >= {n} or spent > {days}00")),
            3 => {
                let text = format!("version: 1\nmeasures:\n  - id: spent\n    value: sum(order.total, last {days}d)\n");
                ("measure", "spent".to_string(), Some(text))
            }
            4 => {
                let text = "version: 1\npartitions:\n  - id: stage\n    classes:\n      - id: hot\n        when: since(order) <= Dd\n      - id: cold\n        when: since(order) > Dd\n    otherwise: { id: never }\n";
                ("partition", "stage".to_string(), Some(text.replace("Dd", &format!("{days}d"))))
            }
            // Comes and goes.
            5 => segment("extra", format!("count(view, last {days}d) = {n}")),
            _ => ("segment", "extra".to_string(), None),
        };
        self.put(Action::Define { kind: kind.into(), id, text });
        self.tally.note("definitions");
    }

    /// Names become customers in another way from here on.
    fn rule(&mut self) {
        let rng = &mut self.rng;
        let limits = [1 + rng.below(2) as u32, rng.below(4) as u32, 5, 5, 20, [0, 1, 2, 100][rng.below(4)]];
        let mut rules = Rules { limits, ..Rules::default() };
        rules.verify[IdKind::Email as usize] = rng.percent(50);
        rules.alias_joins_users = rng.percent(30);
        if rng.percent(50) {
            rules.verified_sources.push("segment".into());
        }
        for _ in 0..rng.below(3) {
            let n = rng.below(PEOPLE);
            let line = [format!("C{n}"), format!("email:person{n}@*"), format!("anonymous:browser-{n}")];
            rules.blocked.extend(Blocked::parse(&line[rng.below(3)]));
        }
        self.put(Action::Rules(Box::new(rules)));
        self.tally.note("rules");
    }

    /// The writer's turn: the whole inbox is one group.
    fn write(&mut self) {
        let sent = std::mem::take(&mut self.inbox);
        if sent.is_empty() {
            return;
        }
        assert!(self.hub().write_by_hand());
        self.written(sent);
    }

    /// What became of what was sent.
    fn written(&mut self, sent: Vec<Sent>) {
        let seed = self.seed;
        let mut want: Vec<Content> = vec![];
        let mut fresh: BTreeSet<String> = BTreeSet::new();
        let mut answers = vec![];
        for s in sent {
            match s {
                Sent::Messages(incoming, slot) => {
                    let answer = slot.lock().unwrap().take().expect("an answer");
                    let (mut accepted, mut duplicates) = (0, 0);
                    for m in incoming.messages {
                        if self.model.seen.contains(&m.id) || !fresh.insert(m.id.clone()) {
                            duplicates += 1;
                            continue;
                        }
                        accepted += 1;
                        want.push(Content::Message(m));
                    }
                    let rejected = incoming.rejected.len() as u64;
                    want.extend(incoming.rejected.into_iter().map(Content::Rejected));
                    answers.push((answer, (accepted, duplicates, rejected)));
                }
                Sent::Act(action) => want.push(Content::Action(action)),
            }
        }
        let logged = self.hub().gauges().logged.load(Ordering::SeqCst);
        let took = logged > self.model.next || want.is_empty();
        if !took {
            for (answer, _) in answers {
                assert_eq!(answer, Err(Refused::Storage), "seed {seed}");
                self.tally.note("refused");
            }
            self.doubtful.push(want);
            return;
        }
        // Whatever was refused before is gone for good: the log was made sound.
        self.doubtful.clear();
        for (answer, want) in answers {
            match answer {
                Ok(a) => {
                    assert_eq!((a.accepted, a.duplicates, a.rejected), want, "seed {seed}");
                    self.tally.many("messages", a.accepted);
                    self.tally.many("duplicates", a.duplicates);
                    self.tally.many("rejected", a.rejected);
                }
                // Nothing was to be written, and the disk could not even be asked.
                Err(_) => assert_eq!(logged, self.model.next, "seed {seed}: refused and yet written"),
            }
        }
        self.took(want);
    }

    /// The log has just this, and what the hub decides by itself.
    fn took(&mut self, want: Vec<Content>) {
        let mut want = want.into_iter().peekable();
        for u in self.unread() {
            match want.next_if(|w| same(&u.said, w)) {
                Some(_) => {}
                None => assert!(self.own(&u.said), "seed {}: {:?} instead of {:?}", self.seed, u.said, want.peek()),
            }
            if let Content::Action(Action::Propose { .. }) = u.said {
                self.tally.note("definitions beside");
            }
            self.take(u);
        }
        assert_eq!(want.peek(), None, "seed {}: acknowledged and not in the log", self.seed);
    }

    /// Does something that turns the wheels itself: what was sent before is written on the way.
    fn aside<T>(&mut self, work: impl FnOnce(&Hub) -> T) -> T {
        self.write();
        let before = self.hub().read_log(0).map(|_| self.model.next);
        let done = work(self.hub());
        assert_eq!(before, Some(self.model.next));
        self.took(vec![]);
        done
    }

    fn job(&mut self) {
        self.aside(Hub::job_by_hand);
    }

    fn checkpoint(&mut self) {
        let first = self.log_files();
        match self.aside(Hub::checkpoint) {
            Ok(_) => self.tally.note("checkpoints"),
            Err(_) => self.tally.note("checkpoints that failed"),
        }
        self.aside(Hub::write_by_hand);
        if self.log_files() < first {
            self.tally.note("pruned");
        }
    }

    fn log_files(&self) -> usize {
        self.log.list("").unwrap().len()
    }

    fn erase(&mut self) {
        self.write();
        self.hub().apply_by_hand();
        let who = Identifier::new(IdKind::User, format!("C{}", self.rng.below(PEOPLE)));
        let names = self.model.names_of(&who);
        self.erased.extend(names.iter().cloned());
        // Who is forgotten is a stranger when sending again.
        self.again.clear();
        match self.aside(|hub| hub.erase(&who, "min")) {
            Ok(Some(erased)) => {
                self.tally.note("erasures");
                let told: Vec<&String> =
                    erased.pending.iter().map(|p| &p.en).filter(|p| p.starts_with("memory")).collect();
                assert!(told.is_empty(), "seed {}: {told:?}", self.seed);
            }
            // One that the disk interrupted came first, and it may have been theirs.
            Ok(None) => assert!(self.model.names_of(&who).is_empty(), "seed {}: {who:?} is known", self.seed),
            Err(_) => self.tally.note("erasures that failed"),
        }
    }

    /// Other events are left out: more, or fewer, or none.
    fn keep(&mut self) {
        let days = 1 + self.rng.below(40) as i64;
        let words = match self.rng.below(6) {
            0 => "none".to_string(),
            1 => format!("ignore events before {}", Instant(self.now().0 - days * MICROS_DAY)),
            _ => format!("keep {days}d"),
        };
        let policy = retention::policy(&words, self.now(), &Zone::seoul()).unwrap();
        match self.aside(|hub| hub.keep(policy, "min")) {
            Ok(()) => self.tally.note("policies"),
            Err(_) => self.tally.note("policies that failed"),
        }
    }

    // ---- what has to hold

    /// All that is on disk is applied and told; whatever was proposed is in force.
    fn rest(&mut self) {
        self.write();
        self.heal();
        // What did not work is tried again after a while.
        self.pass(MICROS_MINUTE);
        for _ in 0..20 {
            self.pass(MICROS_SECOND);
            self.hub().apply_by_hand();
            if self.hub().world().definitions.proposed().is_none() && !self.aside(Hub::job_by_hand) {
                self.hub().apply_by_hand();
                break;
            }
            self.job();
            self.write();
        }
        // Slow ranks are sorted out once a second.
        self.pass(2 * MICROS_SECOND);
        self.hub().apply_by_hand();
        self.follow();
    }

    fn compare(&mut self) {
        self.rest();
        let seed = self.seed;
        let hub = self.hub();
        let world = hub.world();
        assert_eq!(world.next, self.model.next, "seed {seed}: all is applied");
        assert_eq!(world.live.now(), self.now(), "seed {seed}: up to now");
        assert_eq!(world.stale.policy, self.model.policy, "seed {seed}: what is left out");
        let ids = |root: usize| {
            let own = world.live.members(root).iter().map(|n| world.customer_id(n as u32).to_string());
            own.collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>()
        };
        let live: Members = world.live.names().iter().enumerate().map(|(r, n)| (n.to_string(), ids(r))).collect();
        let (want, mut did) = self.model.members(&world);
        let own = |n: usize| (world.customer_id(n as u32).to_string(), world.timeline(n as u32).events.len());
        let mut does: Vec<(String, usize)> = world.live.population().iter().map(own).collect();
        did.sort();
        does.sort();
        assert_eq!(does, did, "seed {seed}: every event once, with its customer");
        assert_eq!(live, want, "seed {seed}: membership");
        let waits: BTreeMap<u64, Rejected> = world.quarantine.iter().map(|(n, (_, r))| (*n, r.clone())).collect();
        assert_eq!(waits, self.model.quarantine, "seed {seed}: quarantine");
        // Who comes into a new definition is not told: its members are asked for.
        let mut told: Members = live.keys().map(|n| (n.clone(), vec![])).collect();
        let mut is: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        for t in self.told.iter().filter(|t| !t.customer.is_empty() && &*t.what != "extra") {
            let was = is.insert((&t.what, &t.customer), t.entered).unwrap_or(false);
            assert_ne!(was, t.entered, "seed {seed}: told twice: {t:?}");
        }
        for ((what, customer), _) in is.into_iter().filter(|(_, is)| *is) {
            told.entry(what.to_string()).or_default().push(customer.to_string());
        }
        let mut live = live;
        live.remove("extra");
        told.remove("extra");
        assert_eq!(told, live, "seed {seed}: what was told");
        drop(world);
        self.tally.note("compared");
    }

    /// A reader of the stream goes on where it was.
    fn follow(&mut self) {
        let from = self.told.last().map_or(0, |t| t.offset + 1);
        let more = self.hub().changes(from, usize::MAX).unwrap();
        for (t, offset) in more.iter().zip(from..) {
            assert_eq!(t.offset, offset, "seed {}: a hole in the stream", self.seed);
        }
        self.tally.many("changes", more.len() as u64);
        self.told.extend(more);
        let (erased, forgotten) = (&self.erased, &self.model.forgotten);
        let gone = |t: &&mut Told| erased.contains(&*t.customer) || forgotten.contains(&*t.customer);
        for t in self.told.iter_mut().filter(gone) {
            // A reader has been told; whether the stream has forgotten it already depends.
            if self.hub.as_ref().unwrap().changes(t.offset, 1).unwrap()[0].customer.is_empty() {
                t.customer = "".into();
            }
        }
    }

    pub fn finish(mut self) -> Tally {
        self.compare();
        self.die();
        self.start();
        self.compare();
        self.tally.many("policies moved on", self.model.moved_on);
        self.tally
    }
}

/// In memory where there is such a folder: what is synced there costs nothing.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The numbers that it takes.
fn span(sent: &Content) -> u32 {
    match sent {
        Content::Message(m) => m.events.len().max(1) as u32,
        _ => 1,
    }
}

/// What is sent as a definition may be proposed first.
fn same(said: &Content, sent: &Content) -> bool {
    match (said, sent) {
        (
            Content::Action(Action::Propose { kind, id, text }),
            Content::Action(Action::Define { kind: k, id: i, text: t }),
        ) => (kind, id, text) == (k, i, t),
        _ => said == sent,
    }
}
