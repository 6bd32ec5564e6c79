//! The law of live membership: whatever arrived in whatever order, merged and parted, compacted and redefined on the
//! way, after each tick everybody is in just what the reference evaluator says of the log so far.
//!
//! A failure names its seed; `GYUL_SEED=n cargo test -p gyul-timeline --test live` runs that one alone,
//! `GYUL_SEEDS=n` that many.

use gyul_model::{Decimal, Event, Instant, MICROS_DAY, MICROS_HOUR, Snapshot, Timeline, Value, Zone};
use gyul_segment::reference::Reference;
use gyul_segment::tree::Library;
use gyul_sim::random::{Rng, instant, library, timelines};
use gyul_timeline::Timelines;
use gyul_timeline::live::{Change, Live};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Shop {
    seed: u64,
    rng: Rng,
    library: Library,
    live: Live,
    /// Number and delivered events by handle id.
    handles: BTreeMap<String, (u32, Vec<Event>)>,
    /// Head and its handles; whoever is not here stands alone.
    groups: Vec<Vec<String>>,
    /// Membership as the changes tell it: (name of the root, customer).
    told: BTreeMap<(Arc<str>, u32), bool>,
}

impl Shop {
    fn timelines(&self) -> Vec<(u32, Timeline)> {
        let mut out = vec![];
        for (id, (number, events)) in &self.handles {
            match self.groups.iter().find(|g| g.contains(id)) {
                None => out.push((*number, Timeline::new(id.clone(), events.clone()))),
                Some(g) if g[0] == *id => {
                    let all = g.iter().flat_map(|h| self.handles[h].1.clone()).collect();
                    out.push((*number, Timeline::new(id.clone(), all)));
                }
                Some(_) => {}
            }
        }
        out
    }

    fn note(&mut self, changes: &[Change], what: &str) {
        let seed = self.seed;
        for c in changes {
            let key = (self.live.names()[c.root as usize].clone(), c.customer);
            let was = self.told.insert(key.clone(), c.entered);
            assert_ne!(was.unwrap_or(false), c.entered, "seed {seed} {what}: {key:?} changed to what it was: {c:?}");
        }
    }

    fn compare(&mut self, what: &str) {
        let now = self.live.now();
        let settled = self.live.settle();
        self.note(&settled, "settled");
        let (numbers, timelines): (Vec<u32>, Vec<Timeline>) = self.timelines().into_iter().unzip();
        let reference = Reference::new(&self.library, &timelines, now, None);
        let names = self.live.names().to_vec();
        for (c, number) in numbers.iter().enumerate() {
            let mut root = 0;
            let mut check = |want: bool| {
                let got = self.live.members(root).has(*number as usize);
                let told = self.told.get(&(names[root].clone(), *number)).copied().unwrap_or(false);
                assert_eq!(
                    (got, told),
                    (want, want),
                    "seed {} {what}: {} in {} at {now}\n{:#?}\n{:?}",
                    self.seed,
                    timelines[c].customer,
                    names[root],
                    timelines[c],
                    self.library.segments.get(root).map(|s| &s.when).or_else(|| {
                        let (p, k) = names[root].split_once('/')?;
                        let p = self.library.partitions.iter().find(|x| x.id == p)?;
                        p.classes.iter().find(|c| c.id == k).map(|c| &c.when)
                    })
                );
                root += 1;
            };
            (0..self.library.segments.len()).for_each(|s| check(reference.member(s, c)));
            for (p, partition) in self.library.partitions.iter().enumerate() {
                (0..=partition.classes.len()).for_each(|k| check(reference.class(p, c) == Some(k)));
            }
        }
    }

    fn tick(&mut self, now: Instant, events: Vec<(String, Event)>, what: &str) {
        let mut fresh = vec![];
        for (id, e) in events {
            if !self.handles.contains_key(&id) {
                let number = self.live.number_of(&id).unwrap_or_else(|| self.live.add(&id));
                self.handles.insert(id.clone(), (number, vec![]));
            }
            let (number, own) = self.handles.get_mut(&id).unwrap();
            own.push(e.clone());
            fresh.push((*number, e));
        }
        let changes = self.live.tick(now, &fresh);
        assert!(changes.iter().all(|c| c.at <= now), "seed {}: a change of the future", self.seed);
        self.note(&changes, what);
    }

    fn regroup(&mut self) {
        let ids: Vec<String> = self.handles.keys().cloned().collect();
        if self.rng.percent(50) && ids.len() > 2 {
            let mut joined: Vec<String> = vec![];
            for _ in 0..2 {
                let id = &ids[self.rng.below(ids.len())];
                match self.groups.iter().position(|g| g.contains(id)) {
                    Some(g) => joined.extend(self.groups.remove(g)),
                    None if !joined.contains(id) => joined.push(id.clone()),
                    None => {}
                }
            }
            joined.dedup();
            if joined.len() > 1 {
                self.tell(&joined);
                self.groups.push(joined);
            }
        } else if !self.groups.is_empty() {
            let at = self.rng.below(self.groups.len());
            let group = self.groups.remove(at);
            let (a, b) = group.split_at(1 + self.rng.below(group.len() - 1));
            for part in [a, b] {
                self.tell(part);
                if part.len() > 1 {
                    self.groups.push(part.to_vec());
                }
            }
        }
    }

    fn tell(&mut self, group: &[String]) {
        let numbers: Vec<u32> = group.iter().map(|h| self.handles[h].0).collect();
        self.live.group(numbers[0], &numbers);
    }
}

fn shop(seed: u64, compacts: bool, redefines: bool) {
    let zone = Zone::new(["Asia/Seoul", "America/New_York", "UTC"][seed as usize % 3]).unwrap();
    let mut rng = Rng::new(seed);
    let all = timelines(&mut rng, 10);
    let library_now = library(&mut rng, zone.clone());
    let mut now = instant(&mut rng, &all, &library_now);
    let mut base: Vec<Timeline> = vec![];
    let mut later: Vec<(String, Event)> = vec![];
    let mut seq = 0;
    for t in &all {
        let newcomer = rng.percent(25);
        let (late, early): (Vec<Event>, Vec<Event>) =
            t.events.iter().cloned().partition(|e| newcomer || (e.ts > now && rng.percent(80)) || rng.percent(10));
        later.extend(late.into_iter().map(|e| (t.customer.clone(), e)));
        let early: Vec<Event> = early.into_iter().zip(seq..).map(|(e, seq)| Event { seq, ..e }).collect();
        seq += early.len() as u64;
        if !early.is_empty() {
            base.push(Timeline::new(t.customer.clone(), early));
        }
    }
    // Mostly in the order of time.
    later.sort_by_key(|(_, e)| e.ts);
    for i in 1..later.len() {
        if rng.percent(20) {
            later.swap(i, rng.below(i + 1));
        }
    }
    let live = Live::new(library_now.clone(), Snapshot::from_timelines(&base, 2), now);
    let mut shop =
        Shop { seed, library: library_now, handles: BTreeMap::new(), groups: vec![], told: BTreeMap::new(), rng, live };
    for t in base {
        let number = shop.live.number_of(&t.customer).unwrap();
        shop.handles.insert(t.customer.clone(), (number, t.events));
    }
    let names = shop.live.names().to_vec();
    for (root, name) in names.iter().enumerate() {
        let members: Vec<usize> = shop.live.members(root).iter().collect();
        shop.told.extend(members.into_iter().map(|n| ((name.clone(), n as u32), true)));
    }
    shop.compare("at the start");
    let mut later = later.into_iter().peekable();
    for round in 0..24 {
        let rng = &mut shop.rng;
        let step = match rng.below(5) {
            0 => rng.between(0, 1_000_000),
            1 => rng.between(0, MICROS_HOUR),
            2 | 3 => rng.between(0, 3 * MICROS_DAY),
            _ => rng.between(0, 50 * MICROS_DAY),
        };
        now = Instant(now.0 + step);
        let many = rng.below(4);
        let mut events: Vec<(String, Event)> = vec![];
        while let Some((_, e)) = later.peek()
            && (e.ts <= now || events.len() < many / 3)
            && events.len() < 30
        {
            let (id, e) = later.next().unwrap();
            events.push((id, Event { seq, ..e }));
            seq += 1;
        }
        if shop.rng.percent(20) {
            shop.regroup();
        }
        shop.tick(now, events, &format!("round {round}"));
        shop.compare(&format!("round {round}"));
        if compacts && shop.rng.percent(15) {
            shop.live.compact();
            shop.compare(&format!("compacted in round {round}"));
        }
        if redefines && shop.rng.percent(10) {
            let mut rng = Rng::new(seed.wrapping_mul(31) + round);
            shop.library = library(&mut rng, zone.clone());
            shop.told.clear();
            shop.live.define(shop.library.clone(), now);
            for root in 0..shop.live.names().len() {
                let name = shop.live.names()[root].clone();
                let members: Vec<usize> = shop.live.members(root).iter().collect();
                shop.told.extend(members.into_iter().map(|n| ((name.clone(), n as u32), true)));
            }
            shop.compare(&format!("redefined in round {round}"));
        }
    }
    let frozen = shop.live.freeze();
    let plan = gyul_timeline::Plan::compile(&shop.library, &frozen.data().streams);
    let answers = frozen.evaluate(&plan, shop.live.now());
    for (number, t) in shop.timelines() {
        let Some(n) = frozen.number_of(&t.customer) else { continue };
        for s in 0..shop.library.segments.len() {
            let (a, b) = (answers.segments[s].has(n), shop.live.members(s).has(number as usize));
            assert_eq!(a, b, "seed {seed}: frozen, {} in {}", t.customer, shop.library.segments[s].id);
        }
        let mut got = shop.live.timeline(number);
        got.events.iter_mut().for_each(|e| e.props.sort_by(|a, b| a.0.cmp(&b.0)));
        assert_eq!(got.events.len(), t.events.len(), "seed {seed}: nothing is lost");
    }
}

fn for_seeds(count: u64, law: impl Fn(u64)) {
    let many: Option<u64> = std::env::var("GYUL_SEEDS").ok().and_then(|s| s.parse().ok());
    match std::env::var("GYUL_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => law(seed),
        None => (0..many.unwrap_or(count)).for_each(law),
    }
}

#[test]
fn live_membership_is_the_reference_after_every_tick() {
    for_seeds(400, |seed| shop(seed, false, false));
}

#[test]
fn compacting_and_redefining_change_nothing_else() {
    for_seeds(200, |seed| shop(seed ^ 0x10_000, true, true));
}

#[test]
fn a_new_name_copies_nothing_of_a_base_that_somebody_else_reads() {
    let at = Instant(1_000_000);
    let event = |name: &str, prop: &str| Event {
        ts: at,
        seq: 0,
        name: name.into(),
        props: vec![(prop.into(), Value::Num(Decimal::new(7, 0)))],
    };
    let base = vec![Timeline::new("a", vec![event("Order Completed", "total")])];
    let text = "version: 1\nsegments:\n  - { id: s, when: 'count(order where points = 7) = 1' }\n";
    let (library, problems) = gyul_segment::load(&[("a.yaml".into(), text.into())], None);
    assert!(problems.is_empty(), "{problems:?}");
    let mut live = Live::new(library, Snapshot::from_timelines(&base, 1), at);
    let before = live.freeze();
    let fresh = [(0, event("Order Completed", "points")), (0, event("Seen", "place"))];
    let changes = live.tick(at, &fresh);
    assert_eq!(changes.iter().map(|c| c.entered).collect::<Vec<bool>>(), [true], "the new property is asked for");
    let after = live.freeze();
    let streams = |t: &Timelines| t.data().buckets[0].streams.clone();
    for (a, b) in streams(&before).iter().zip(&streams(&after)) {
        assert!(std::sync::Arc::ptr_eq(a, b));
    }
    assert_eq!(live.timeline(0).events.len(), 3);
    live.compact();
    assert!(live.members(0).has(0) && live.tick(at, &[]).is_empty() && live.timeline(0).events.len() == 3);
}
