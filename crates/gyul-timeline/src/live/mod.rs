//! Live membership: what a batch run would say, kept right event by event and instant by instant.
//!
//! The meaning is the batch evaluator's: a tick gathers the timelines of the customers that something happened to into
//! a small bucket and runs the same plan over it. Three things are kept beside the data so that nobody else need be
//! looked at: what each root reads ([`subset`]), when the clock alone could change somebody's answer ([`wake`]), and an
//! ordered index of the values that ranks compare ([`ranks`]).
//!
//! Customers are numbered: those of the base as in [`Timelines`], newcomers behind. A number is a *handle*; handles
//! that are the same person form a group under its head, whose timeline is all of theirs.

mod fresh;
mod gather;
mod ranks;
mod run;
mod subset;
mod wake;

use crate::answers::Bits;
use crate::changes::{Crossings, Recipe};
use crate::evaluate::{Latest, Timelines};
use crate::plan::{NodeId, Plan};
use crate::rank::Thresholds;
use fresh::{Fresh, Shape};
use gyul_model::{Bucket, Event, Instant, MICROS_DAY, Snapshot, TextColumn, Timeline, Value};
use gyul_segment::tree::Library;
use ranks::RankIndex;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use subset::{Mask, Subset};
use wake::Wakes;

/// Somebody came in or went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: Instant,
    /// Index of the segment or class, in the order of [`Live::names`].
    pub root: u32,
    pub customer: u32,
    pub entered: bool,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something happened to the customer.
    Event,
    /// A window ended, a day began.
    Clock,
    /// Others moved a threshold.
    Rank,
    /// Handles were joined or parted.
    Identity,
    /// The definition changed.
    Definition,
}

pub struct Live {
    library: Arc<Library>,
    names: Vec<Arc<str>>,
    plan: Plan,
    roots: Vec<NodeId>,
    reads: Vec<Mask>,
    subsets: FxHashMap<Mask, Arc<Subset>>,
    recipe: Recipe,
    /// When an event of each stream crosses the end of a window.
    crossings: Vec<Crossings>,
    /// Instants at which something can change for everybody, ascending, up to `horizon`.
    everywhere: Vec<i64>,
    horizon: i64,

    base: Timelines,
    /// Numbers of the base; newcomers begin here.
    base_numbers: u32,
    fresh: Fresh,
    /// First dated event of each handle; `i64::MAX` before the first.
    exists: Vec<i64>,
    newcomers: TextColumn,
    groups: FxHashMap<u32, Vec<u32>>,
    heads: FxHashMap<u32, u32>,
    /// Heads of groups that changed since the last tick.
    regrouped: Vec<u32>,

    members: Vec<Bits>,
    /// The same customer by customer, a bit for each root: what a tick compares with.
    standing: Vec<u64>,
    population: Bits,
    /// Ranks that compare the same, and what they compare.
    orders: Vec<Vec<usize>>,
    ranks: Vec<RankIndex>,
    thresholds: Vec<Thresholds>,
    wakes: Wakes,
    now: i64,
}

/// How far ahead the instants for everybody are listed.
const AHEAD: i64 = 40 * MICROS_DAY;

/// Masks for which it is kept what they ask for.
const SUBSETS: usize = 1024;

impl Live {
    /// Evaluates everybody at `at`.
    pub fn new(library: Library, data: Snapshot, at: Instant) -> Live {
        let base = Timelines::new(data);
        let base_numbers = base.numbers() as u32;
        let mut exists = vec![i64::MAX; base_numbers as usize];
        for (b, bucket) in base.data.buckets.iter().enumerate() {
            exists[base.bases[b]..][..bucket.exists_from.len()].copy_from_slice(&bucket.exists_from);
        }
        let mut live = Live {
            library: Arc::new(library),
            names: vec![],
            plan: Plan::default(),
            roots: vec![],
            reads: vec![],
            subsets: FxHashMap::default(),
            recipe: Recipe::default(),
            crossings: vec![],
            everywhere: vec![],
            horizon: i64::MIN,
            fresh: Fresh::new(&base.data),
            base,
            base_numbers,
            exists,
            newcomers: TextColumn::default(),
            groups: FxHashMap::default(),
            heads: FxHashMap::default(),
            regrouped: vec![],
            members: vec![],
            standing: vec![],
            population: Bits::default(),
            orders: vec![],
            ranks: vec![],
            thresholds: vec![],
            wakes: Wakes::default(),
            now: at.0,
        };
        live.rebuild(at);
        live
    }

    /// Ids of the segments, then `partition/class` for every class: the order of everything by root.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The root of a segment or class, by its name.
    pub fn root(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| **n == *name)
    }

    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    pub fn now(&self) -> Instant {
        Instant(self.now)
    }

    /// Who is in, by root. Numbers are those of heads.
    pub fn members(&self, root: usize) -> &Bits {
        &self.members[root]
    }

    pub fn population(&self) -> &Bits {
        &self.population
    }

    /// The names and kinds of what is known.
    pub fn schema(&self) -> &[gyul_model::StreamInfo] {
        &self.base.data.streams
    }

    /// Events in memory.
    pub fn events(&self) -> usize {
        self.base.data.events() + self.fresh.rows()
    }

    /// Events that came since the base was made or last compacted.
    pub fn fresh_events(&self) -> usize {
        self.fresh.rows()
    }

    /// One more than the highest number.
    pub fn numbers(&self) -> u32 {
        self.base_numbers + self.newcomers.len() as u32
    }

    /// The number of a customer of the base; newcomers are known to whoever added them.
    pub fn number_of(&self, id: &str) -> Option<u32> {
        self.base.number_of(id).map(|n| n as u32)
    }

    pub fn id(&self, number: u32) -> &str {
        match number.checked_sub(self.base_numbers) {
            Some(n) if (n as usize) < self.newcomers.len() => self.newcomers.get(n as usize).unwrap_or(""),
            Some(_) => "",
            None => self.base.customer_id(number as usize),
        }
    }

    /// A new handle; it joins the population with its first event.
    pub fn add(&mut self, id: &str) -> u32 {
        self.newcomers.push(Some(id));
        self.exists.push(i64::MAX);
        self.numbers() - 1
    }

    pub fn head(&self, number: u32) -> u32 {
        self.heads.get(&number).copied().unwrap_or(number)
    }

    /// All handles of a customer, the head first.
    pub fn handles<'a>(&'a self, head: &'a u32) -> &'a [u32] {
        self.groups.get(head).map_or(std::slice::from_ref(head), Vec::as_slice)
    }

    /// From the next tick on these handles are one customer, and no longer what they were.
    pub fn group(&mut self, head: u32, handles: &[u32]) {
        let mut affected = vec![head];
        for &h in handles.iter().chain([&head]) {
            affected.push(h);
            // Whoever it was the head of stands alone until told otherwise.
            for part in self.groups.remove(&h).unwrap_or_default() {
                self.heads.remove(&part);
                affected.push(part);
            }
            if let Some(old) = self.heads.remove(&h) {
                affected.push(old);
                if let Some(group) = self.groups.get_mut(&old) {
                    group.retain(|x| *x != h);
                    if group.len() < 2 {
                        self.groups.remove(&old);
                    }
                }
            }
        }
        let others: Vec<u32> = handles.iter().copied().filter(|h| *h != head).collect();
        if !others.is_empty() {
            others.iter().for_each(|h| {
                self.heads.insert(*h, head);
            });
            self.groups.insert(head, std::iter::once(head).chain(others).collect());
        }
        self.regrouped.extend(affected);
    }

    /// Forgets the timeline of a handle; it leaves everything at the next tick. The base's rows stay until
    /// [`Live::compact`].
    pub fn erase(&mut self, number: u32) {
        self.group(number, &[number]);
        self.fresh.forget(number);
        if number < self.base_numbers {
            self.base.moved.set(number as usize);
        }
        self.exists[number as usize] = i64::MAX;
    }

    /// One customer's timeline in its plain form.
    pub fn timeline(&self, head: u32) -> Timeline {
        self.plain(self.gather(&[head], None))
    }

    /// Some customers by themselves, numbered as they are given here.
    pub fn some(&self, heads: &[u32]) -> Timelines {
        let bucket = Arc::new(self.gather(heads, None));
        Timelines::new(Snapshot { streams: self.base.data.streams.clone(), buckets: vec![bucket], arrivals: vec![] })
    }

    /// What one handle of a customer did.
    pub fn handle_timeline(&self, number: u32) -> Timeline {
        self.plain(self.gather_of(&[number], None, |n| std::slice::from_ref(n)))
    }

    /// A customer's events of one name.
    pub fn events_of(&self, head: u32, name: &str) -> Vec<Event> {
        let streams = &self.base.data.streams;
        let wanted = |s: &gyul_model::StreamInfo| (s.name == name).then(|| vec![true; s.columns.len()]);
        let need = gather::Need { streams: streams.iter().map(wanted).collect(), ids: true };
        self.plain(self.gather(&[head], Some(&need))).events
    }

    fn plain(&self, bucket: Bucket) -> Timeline {
        let streams = self.base.data.streams.clone();
        Snapshot { streams, buckets: vec![Arc::new(bucket)], arrivals: vec![] }.timeline(0, 0)
    }

    /// All that is known now, for questions beside the loop: the base is shared, the rest is copied.
    pub fn freeze(&self) -> Timelines {
        let mut touched: Vec<u32> =
            self.fresh.touched().map(|n| self.head(n)).chain(self.groups.keys().copied()).collect();
        touched.sort_unstable();
        touched.dedup();
        touched.retain(|n| self.exists_from(*n) != i64::MAX);
        touched.sort_by(|a, b| self.id(*a).cmp(self.id(*b)));
        let mut out = self.base.clone();
        let hidden = self.fresh.touched().chain(self.heads.keys().copied()).chain(self.groups.keys().copied());
        hidden.filter(|n| *n < self.base_numbers).for_each(|n| out.moved.set(n as usize));
        for some in touched.chunks(1 << 14) {
            out.add_bucket(self.gather(some, None));
        }
        out
    }

    /// The earliest instant at which a tick is due though nothing happens.
    pub fn next_wake(&self) -> Option<Instant> {
        let first = [self.wakes.first(), self.everywhere.first().copied()].into_iter().flatten().min();
        first.map(Instant)
    }

    /// Whether some ranks need [`Live::settle`] from time to time.
    pub fn has_slow_ranks(&self) -> bool {
        self.ranks.iter().any(|r| (0..r.views.len()).any(|v| r.slow(v)))
    }

    /// Other definitions, from now on. Changes are reported for what exists before and after.
    pub fn define(&mut self, library: Library, at: Instant) -> Vec<Change> {
        let names = std::mem::take(&mut self.names);
        let before = names.into_iter().zip(std::mem::take(&mut self.members)).collect();
        self.library = Arc::new(library);
        self.rebuild(at);
        self.differences(before, at)
    }

    /// The same data under other definitions, to be worked out elsewhere: [`Live::start`] evaluates it, then it is told
    /// all that this one is told, and takes its place with [`Live::give_way`].
    pub fn beside(&self, library: Library) -> Live {
        Live {
            library: Arc::new(library),
            names: vec![],
            plan: Plan::default(),
            roots: vec![],
            reads: vec![],
            subsets: FxHashMap::default(),
            recipe: Recipe::default(),
            crossings: vec![],
            everywhere: vec![],
            horizon: i64::MIN,
            base: self.base.clone(),
            base_numbers: self.base_numbers,
            fresh: self.fresh.clone(),
            exists: self.exists.clone(),
            newcomers: self.newcomers.clone(),
            groups: self.groups.clone(),
            heads: self.heads.clone(),
            regrouped: vec![],
            members: vec![],
            standing: vec![],
            population: Bits::default(),
            orders: vec![],
            ranks: vec![],
            thresholds: vec![],
            wakes: Wakes::default(),
            now: self.now,
        }
    }

    /// Evaluates everybody as of the last tick.
    pub fn start(&mut self) {
        self.rebuild(Instant(self.now));
    }

    /// Puts another one in its own place, and reports what differs for what both define.
    pub fn give_way(&mut self, other: Live) -> Vec<Change> {
        let old = std::mem::replace(self, other);
        self.differences(old.names.into_iter().zip(old.members).collect(), Instant(self.now))
    }

    fn differences(&self, before: FxHashMap<Arc<str>, Bits>, at: Instant) -> Vec<Change> {
        let mut changes = vec![];
        for (root, (name, after)) in self.names.iter().zip(&self.members).enumerate() {
            let Some(before) = before.get(name) else { continue };
            let numbers = before.words.len().max(after.words.len()) * 64;
            changes.extend((0..numbers).filter(|n| before.has(*n) != after.has(*n)).map(|n| Change {
                at,
                root: root as u32,
                customer: n as u32,
                entered: after.has(n),
                cause: Cause::Definition,
            }));
        }
        changes
    }

    /// Compiles anew and evaluates everybody.
    fn rebuild(&mut self, at: Instant) {
        let lib = &self.library;
        self.names = lib.segments.iter().map(|s| s.id.as_str().into()).collect();
        for p in &lib.partitions {
            let classes = p.classes.iter().map(|c| &c.id).chain([&p.otherwise.id]);
            self.names.extend(classes.map(|c| format!("{}/{c}", p.id).into()));
        }
        let plan = Plan::compile_live(lib, &self.base.data.streams);
        self.now = at.0;
        self.put_plan(plan);
        self.members = vec![Bits::default(); self.roots.len()];
        self.standing = vec![];
        self.population = Bits::default();
        self.ranks.clear();
        self.thresholds = vec![Thresholds::Empty { bool: true, quotient: false }; self.plan.ranks.len()];
        self.wakes = Wakes::default();
        self.regrouped.clear();
        self.evaluate_everybody();
    }

    fn put_plan(&mut self, plan: Plan) {
        self.plan = plan;
        self.roots = self.plan.roots();
        self.orders = ranks::orders(&self.plan);
        self.reads = subset::reads(&self.plan);
        self.subsets.clear();
        self.list_instants();
    }

    fn list_instants(&mut self) {
        let zone = &self.library.zone;
        let (from, to) = (Instant(self.now), Instant(self.now.saturating_add(AHEAD)));
        let mut recipe = Recipe::default();
        for root in self.roots.iter().copied() {
            recipe.merge(Recipe::of(&self.plan, root, zone, from, to));
        }
        let mut everywhere: Vec<i64> = recipe.everywhere.iter().copied().filter(|t| *t > from.0).collect();
        // Then the list goes on.
        everywhere.push(to.0);
        everywhere.sort_unstable();
        everywhere.dedup();
        recipe.flips.sort_unstable();
        recipe.flips.dedup();
        self.everywhere = everywhere;
        self.horizon = to.0;
        self.crossings = (0..self.base.data.streams.len()).map(|s| recipe.crossings(s as u32)).collect();
        self.recipe = recipe;
    }

    fn subset(&mut self, mask: Mask) -> Arc<Subset> {
        if self.subsets.len() > SUBSETS {
            self.subsets.retain(|mask, _| *mask == !0);
        }
        let (plan, roots, orders, reads) = (&self.plan, &self.roots, &self.orders, &self.reads);
        let streams = &self.base.data.streams;
        self.subsets
            .entry(mask)
            .or_insert_with(|| Arc::new(Subset::of(plan, roots, orders, reads, streams, mask)))
            .clone()
    }

    /// Where a handle's rows of the base are.
    fn base_place(&self, number: u32) -> Option<(usize, usize)> {
        if number >= self.base_numbers || self.base.moved.has(number as usize) {
            return None;
        }
        let (b, c) = self.base.place(number as usize);
        (c < self.base.data.buckets[b].customers.len()).then_some((b, c))
    }

    /// Writes the fresh rows into the base: each bucket that has some is made anew, newcomers get one of their own.
    pub fn compact(&mut self) {
        let mut stale = vec![false; self.base.data.buckets.len()];
        let touched = self.fresh.touched().chain(self.base.moved.iter().map(|n| n as u32));
        touched.filter(|n| *n < self.base_numbers).for_each(|n| stale[self.base.place(n as usize).0] = true);
        let stale: Vec<usize> = (0..stale.len()).filter(|b| stale[*b]).collect();
        // As many at once as there are threads: each is there twice while it is made.
        for some in stale.chunks(rayon::current_num_threads()) {
            let anew = |b: &usize| {
                let first = self.base.bases[*b] as u32;
                let numbers: Vec<u32> = (first..first + self.base.data.buckets[*b].customers.len() as u32).collect();
                (*b, self.gather_handles(&numbers))
            };
            let made: Vec<(usize, Bucket)> = some.par_iter().map(anew).collect();
            made.into_iter().for_each(|(b, bucket)| self.base.put_bucket(b, bucket));
        }
        if !self.newcomers.is_empty() {
            let numbers: Vec<u32> = (self.base_numbers..self.numbers()).collect();
            let bucket = self.gather_handles(&numbers);
            self.base.add_bucket(bucket);
            // They are in the order of their coming, not of their ids.
            let known = (self.base_numbers..).map(|n| n as usize);
            let ids = (0..self.newcomers.len()).filter_map(|i| self.newcomers.get(i)).map(str::to_string);
            self.base.by_id.extend(ids.zip(known));
            self.base_numbers = self.base.numbers() as u32;
            self.exists.resize(self.base_numbers as usize, i64::MAX);
            self.newcomers = TextColumn::default();
        }
        self.base.moved = Bits::none(self.base_numbers as usize);
        self.fresh.clear();
        self.subsets.clear();
    }

    /// Each handle by itself, packed.
    fn gather_handles(&self, numbers: &[u32]) -> Bucket {
        let mut bucket = self.gather_of(numbers, None, |n| std::slice::from_ref(n));
        bucket.streams.iter_mut().flat_map(|s| &mut Arc::make_mut(s).columns).for_each(gather::pack);
        bucket
    }

    /// Takes in events, and notes their streams. Gives who was touched and how, and whether the data has another shape
    /// that matters to the plan.
    fn learn(&mut self, fresh: &[(u32, Event)], streams: &mut Vec<u32>) -> (Vec<(u32, Mask)>, bool) {
        let mut shape = Shape::default();
        let mut touched = Vec::with_capacity(fresh.len());
        let mut values = fresh.iter().flat_map(|(_, e)| &e.props).map(|p| &p.1);
        let texts = values.any(|v| matches!(v, Value::Text(_) | Value::List(_)));
        if texts {
            self.plan.release();
        }
        for (number, e) in fresh {
            let stream = self.fresh.push(&mut self.base.data, *number, e, &mut shape);
            streams.push(stream);
            let exists = &mut self.exists[*number as usize];
            // The first dated event; of undated ones alone, always.
            let from = match (*exists, e.ts.0) {
                (i64::MAX, t) => t,
                (old, t) if t == Instant::ALWAYS.0 => old,
                (old, t) if old == Instant::ALWAYS.0 => t,
                (old, t) => old.min(t),
            };
            let moved = *exists != from;
            *exists = from;
            touched.push((self.head(*number), if moved { !0 } else { subset::stream_bit(stream) }));
        }
        if !shape.streams.is_empty() {
            self.base.fill_latest();
        }
        if texts {
            self.plan.grow(&self.base.data.streams);
        }
        let asked = shape.changed() && self.plan.asks_for(&self.base.data.streams, &shape.streams, &shape.columns);
        (touched, asked)
    }
}

impl Timelines {
    /// One bucket more, behind the others.
    pub(crate) fn add_bucket(&mut self, bucket: Bucket) {
        self.bases.push(self.numbers());
        let words = self.moved.words.len() + bucket.customers.len().div_ceil(64);
        self.moved.words.resize(words, 0);
        self.latest.push(Arc::new(bucket.streams.iter().map(Latest::of).collect()));
        self.youngest.push(bucket.exists_from.iter().copied().max().unwrap_or(i64::MIN));
        self.data.buckets.push(Arc::new(bucket));
    }

    /// Another bucket of the same customers.
    fn put_bucket(&mut self, b: usize, bucket: Bucket) {
        self.latest[b] = Arc::new(bucket.streams.iter().map(Latest::of).collect());
        self.youngest[b] = bucket.exists_from.iter().copied().max().unwrap_or(i64::MIN);
        self.data.buckets[b] = Arc::new(bucket);
    }

    /// Streams that came up since.
    fn fill_latest(&mut self) {
        for (latest, bucket) in self.latest.iter_mut().zip(&self.data.buckets) {
            let known = latest.len();
            if known < bucket.streams.len() {
                Arc::make_mut(latest).extend(bucket.streams[known..].iter().map(Latest::of));
            }
        }
    }
}
