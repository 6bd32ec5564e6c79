//! What the tests of the hub share: a shop of a dozen people, and membership seen from three sides.

#![allow(dead_code)] // Each test needs a part of it.

use gyul_engine::live::{Clock, Hub, Options, World};
use gyul_model::{Decimal, IdKind, Identifier, Instant, MICROS_DAY, MICROS_HOUR, Message, Timeline, Value, names};
use gyul_segment::reference::Reference;
use gyul_sim::random::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub const DEFINITIONS: &str = "version: 1
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
  - id: looked_only
    when: count(view, last 2d) >= 1 and count(order, last 30d) = 0
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

pub struct Time(pub Arc<AtomicI64>);

impl Time {
    pub fn clock(&self) -> Clock {
        let t = self.0.clone();
        Arc::new(move || Instant(t.load(Ordering::SeqCst)))
    }

    pub fn pass(&self, micros: i64) -> Instant {
        Instant(self.0.fetch_add(micros, Ordering::SeqCst) + micros)
    }
}

pub fn options() -> Options {
    let starter = vec![("segments/test.yaml".to_string(), DEFINITIONS.to_string())];
    Options {
        starter,
        queue: 1000,
        checkpoint_every: 0,
        remember: i64::MAX / 4,
        segment_bytes: 1 << 16,
        ..Options::default()
    }
}

pub fn message(rng: &mut Rng, id: usize, now: Instant) -> Message {
    let person = rng.below(12);
    let mut who = vec![];
    if rng.percent(70) {
        who.push(Identifier::new(IdKind::User, format!("C{person}")));
    }
    if who.is_empty() || rng.percent(40) {
        who.push(Identifier::new(IdKind::Anonymous, format!("a{}", person * 2 + rng.below(2))));
    }
    let ts =
        Instant(now.0 - if rng.percent(20) { rng.between(0, 40 * MICROS_DAY) } else { rng.between(0, MICROS_HOUR) });
    let events = match rng.below(4) {
        0 => vec![(
            names::ORDER.to_string(),
            vec![
                ("order_id".to_string(), Value::text(format!("o{id}"))),
                ("total".to_string(), Value::Num(Decimal::new(rng.between(100, 90_000), rng.below(3) as u8))),
            ],
        )],
        1 => vec![(
            names::IDENTIFY.to_string(),
            vec![("city".to_string(), Value::text(if rng.percent(50) { "제주" } else { "서울" }))],
        )],
        _ => {
            vec![(names::VIEW.to_string(), vec![("product_id".to_string(), Value::text(format!("p{}", rng.below(5))))])]
        }
    };
    Message { source: "segment", id: format!("m{id}"), who, previous: None, ts, events }
}

/// Membership by name and customer, as the world has it.
pub fn membership(hub: &Hub) -> BTreeMap<String, Vec<String>> {
    membership_in(&hub.world())
}

pub fn membership_in(world: &World) -> BTreeMap<String, Vec<String>> {
    let of = |root: usize| {
        let mut ids: Vec<String> =
            world.live.members(root).iter().map(|n| world.customer_id(n as u32).to_string()).collect();
        ids.sort();
        ids
    };
    world.live.names().iter().enumerate().map(|(r, name)| (name.to_string(), of(r))).collect()
}

/// The same by the reference evaluator, of the timelines that the world tells.
pub fn by_reference(hub: &Hub) -> BTreeMap<String, Vec<String>> {
    by_reference_in(&hub.world())
}

pub fn by_reference_in(world: &World) -> BTreeMap<String, Vec<String>> {
    let timelines: Vec<Timeline> = world.live.population().iter().map(|n| world.timeline(n as u32)).collect();
    let library = world.live.library();
    let reference = Reference::new(library, &timelines, world.live.now(), None);
    let ids = |is: &dyn Fn(usize) -> bool| {
        let mut ids: Vec<String> =
            (0..timelines.len()).filter(|c| is(*c)).map(|c| timelines[c].customer.clone()).collect();
        ids.sort();
        ids
    };
    let mut out = BTreeMap::new();
    for (s, segment) in library.segments.iter().enumerate() {
        out.insert(segment.id.clone(), ids(&|c| reference.member(s, c)));
    }
    for (p, partition) in library.partitions.iter().enumerate() {
        let classes = partition.classes.iter().map(|c| &c.id).chain([&partition.otherwise.id]);
        for (k, class) in classes.enumerate() {
            out.insert(format!("{}/{class}", partition.id), ids(&|c| reference.class(p, c) == Some(k)));
        }
    }
    out
}

/// What a reader of the stream of changes believes.
pub fn told(hub: &Hub) -> BTreeMap<(String, String), bool> {
    let mut out = BTreeMap::new();
    // Whoever was erased has no name any more.
    for t in hub.changes(0, usize::MAX).unwrap().into_iter().filter(|t| !t.customer.is_empty()) {
        let was = out.insert((t.what.to_string(), t.customer.to_string()), t.entered).unwrap_or(false);
        assert_ne!(was, t.entered, "{t:?} was told twice");
    }
    out.into_iter().filter(|(_, is)| *is).collect()
}

/// Membership as it is given out: without who objects.
pub fn outside(hub: &Hub, mut membership: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let world = hub.world();
    let objects = |id: &String| {
        let (_, head) = world.find(&Identifier::of_handle(id)).unwrap();
        world.objects_since(head).is_some()
    };
    membership.values_mut().for_each(|ids| ids.retain(|id| !objects(id)));
    membership
}

pub fn flat(m: &BTreeMap<String, Vec<String>>) -> BTreeMap<(String, String), bool> {
    m.iter().flat_map(|(w, ids)| ids.iter().map(move |c| ((w.clone(), c.clone()), true))).collect()
}

pub fn events(hub: &Hub) -> usize {
    let world = hub.world();
    world.live.population().iter().map(|n| world.timeline(n as u32).events.len()).sum()
}

/// In memory where there is such a folder: what is synced there costs nothing.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
