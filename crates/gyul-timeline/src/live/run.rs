//! One tick: who must be looked at, in which order, and what it changes.

use super::ranks::{RankIndex, View};
use super::subset::{CLOCK, Mask, Subset, rank_bit};
use super::{Cause, Change, Live};
use crate::answers::{Bits, ones};
use crate::block::{Block, Rows};
use crate::column::{Col, UNKNOWN};
use crate::evaluate::Latest;
use crate::plan::NodeId;
use gyul_model::{Bucket, Event, Instant, MICROS_DAY, names};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Customers of one chunk, at most.
const CHUNK: usize = 1024;

/// Fewer than these of one mask share a chunk with others.
const FEW: usize = 48;

/// Timelines of so many customers are kept from one layer of ranks to the next; those of more are gathered anew each
/// time, so that a look at everybody does not hold a copy of all that is known.
const KEPT: usize = 32 * CHUNK;

/// Flips are looked for at most this far ahead; then they are looked for again.
const FLIP_HORIZON: i64 = 31 * MICROS_DAY;

/// Some customers to look at, each at its instant.
struct Chunk {
    heads: Vec<u32>,
    instants: Vec<i64>,
    subset: Arc<Subset>,
    data: Data,
    /// Values of ranked quantities and their populations.
    saved: Vec<(NodeId, Arc<Col>)>,
    keys: Vec<(usize, Vec<i64>)>,
    roots: Vec<Vec<u64>>,
    /// When to look again, if it was asked for.
    next: Vec<i64>,
    look_ahead: bool,
    cause: Cause,
}

enum Data {
    /// A part of a bucket of the base.
    Base(usize, Range<usize>),
    /// Out of base and fresh rows; `None` until it is asked for.
    Own(Option<Box<(Bucket, Vec<Latest>)>>),
}

impl Live {
    /// Brings everything up to `now`: first what the clock did since the last tick, then what happened.
    /// `fresh`: events by handle, in the order of the log. Time does not go back: an earlier `now` counts as the last one.
    pub fn tick(&mut self, now: Instant, fresh: &[(u32, Event)]) -> Vec<Change> {
        let mut changes = vec![];
        let now = now.0.max(self.now);
        self.clock(now, &mut changes);
        self.now = now;
        let mut streams = Vec::with_capacity(fresh.len());
        let (mut touched, reshaped) = self.learn(fresh, &mut streams);
        if reshaped && !self.recompile() {
            let at = Instant(now);
            let library = (*self.library).clone();
            changes.extend(self.define(library, at).into_iter().map(|c| Change { cause: Cause::Event, ..c }));
            return changes;
        }
        if reshaped {
            // What their new events mean may be asked by any root.
            touched.iter_mut().for_each(|t| t.1 = !0);
        }
        if !self.regrouped.is_empty() {
            let regrouped = std::mem::take(&mut self.regrouped);
            self.look(regrouped.into_iter().map(|n| (n, !0)).collect(), Cause::Identity, &mut changes);
        }
        if !touched.is_empty() {
            touched.sort_unstable();
            touched.dedup_by(|b, a| {
                let same = a.0 == b.0;
                a.1 |= if same { b.1 } else { 0 };
                same
            });
            self.look(touched, Cause::Event, &mut changes);
            self.wake_for(fresh, &streams);
        }
        changes
    }

    /// Sorts out the ranks that do not follow by themselves: percentiles, averages of quotients, quantities that grow.
    pub fn settle(&mut self) -> Vec<Change> {
        let mut changes = vec![];
        let flowing: Vec<usize> = (0..self.ranks.len()).filter(|o| self.ranks[*o].flows).collect();
        if !flowing.is_empty() {
            let mask = flowing.iter().map(|o| self.reads[self.plan.ranks[self.orders[*o][0]].x as usize]);
            // What reads nothing but the clock is in no subset of its own.
            let mask = mask.fold(0, |all, m| if m == 0 { !0 } else { all | m });
            self.everybody(mask, self.now, Cause::Rank, &mut changes);
        }
        let views = |r: &RankIndex| (0..r.views.len()).filter(|v| r.slow(*v)).collect::<Vec<usize>>();
        let slow = self.ranks.iter().enumerate().flat_map(|(o, r)| views(r).into_iter().map(move |v| (o, v)));
        let slow: Vec<(usize, usize)> = slow.collect();
        // A rank can compare what another one decides: as often as they can stand upon each other.
        for (o, v) in (0..slow.len()).flat_map(|_| slow.iter().copied()) {
            let moved = self.settle_rank(o, v);
            self.look(moved, Cause::Rank, &mut changes);
        }
        changes
    }

    /// Finds a rank's thresholds; gives whom they move.
    fn settle_rank(&mut self, order: usize, view: usize) -> Vec<(u32, Mask)> {
        let moved = self.ranks[order].settle(view);
        let View { rank, thresholds, .. } = &self.ranks[order].views[view];
        self.thresholds[*rank] = thresholds.clone();
        moved.into_iter().map(|n| (n, rank_bit(*rank))).collect()
    }

    /// Takes up the new shape of the data. Whoever has no event of it has the same answers as before; only if ranks
    /// compare other quantities now, or in another scale, everybody must be evaluated anew: then this is false.
    fn recompile(&mut self) -> bool {
        let plan = crate::plan::Plan::compile_live(&self.library, &self.base.data.streams);
        let rank = |p: &crate::plan::Plan, r: &crate::plan::RankNode| {
            let flows = crate::changes::flows(p, r.x);
            (r.kind, r.layer, r.among.is_some(), p.nodes[r.x as usize].ty, flows)
        };
        let same = plan.ranks.len() == self.plan.ranks.len()
            && plan.ranks.iter().zip(&self.plan.ranks).all(|(a, b)| rank(&plan, a) == rank(&self.plan, b));
        if !same || super::ranks::orders(&plan) != self.orders {
            return false;
        }
        self.put_plan(plan);
        true
    }

    /// Everything from nothing.
    pub(super) fn evaluate_everybody(&mut self) {
        let mut chunks = self.chunks_of_everybody(!0, self.now, Cause::Definition);
        self.run(&mut chunks, true);
        self.take(chunks, None);
        let mut slow = self.settle();
        slow.clear();
    }

    /// What windows, days and occasions did until `now`, each at its own instant.
    fn clock(&mut self, now: i64, changes: &mut Vec<Change>) {
        loop {
            let everywhere = self.everywhere.first().copied().filter(|t| *t <= now);
            // Whoever is due at that very instant looks ahead from it, with the list that goes on behind it.
            let due = self.wakes.due(everywhere.map_or(now, |t| t - 1));
            if due.is_empty() && everywhere.is_none() {
                break;
            }
            let quiet = due.is_empty();
            let due: Vec<(i64, u32)> = due.into_iter().filter(|(_, n)| self.is_head(*n)).collect();
            let one_by_one = self.recipe.row_by_row;
            for same in due.chunk_by(|a, b| !one_by_one || a.0 == b.0) {
                for some in same.chunks(CHUNK) {
                    self.now = self.now.max(some[some.len() - 1].0);
                    let (instants, heads) = some.iter().copied().unzip();
                    let subset = self.subset(!0);
                    let mut chunks = vec![self.own_chunk(heads, instants, subset, true, Cause::Clock)];
                    self.run(&mut chunks, false);
                    self.take(chunks, Some(changes));
                }
            }
            if let Some(t) = everywhere.filter(|_| quiet) {
                self.now = self.now.max(t);
                let moved = self.library.zone.transitions(Instant(t - 1), Instant(t)).next().is_some();
                if t >= self.horizon {
                    self.list_instants();
                } else {
                    self.everywhere.remove(0);
                }
                self.everybody(if moved { !0 } else { CLOCK }, t, Cause::Clock, changes);
            }
        }
    }

    /// Looks at some customers, those of one mask together.
    fn look(&mut self, who: Vec<(u32, Mask)>, cause: Cause, changes: &mut Vec<Change>) {
        let mut chunks = self.chunks_of(who, cause, true);
        self.run(&mut chunks, false);
        self.take(chunks, Some(changes));
    }

    /// Customers of one mask together. Where they are few, looking at more than what their events touch is cheaper than
    /// to begin anew for each mask.
    fn chunks_of(&mut self, mut who: Vec<(u32, Mask)>, cause: Cause, ahead: bool) -> Vec<Chunk> {
        let exact = |mask: Mask| ahead && (mask == !0 || self.exact(mask));
        who.sort_unstable_by_key(|(n, mask)| (*mask, *n));
        who.dedup();
        let mut groups: Vec<(Mask, bool, Vec<u32>)> = vec![];
        let mut few: [(Mask, Vec<u32>); 2] = Default::default();
        for same in who.chunk_by(|a, b| a.1 == b.1) {
            let mask = same[0].1;
            let numbers = same.iter().map(|(n, _)| *n);
            let exact = exact(mask);
            if same.len() < FEW {
                let few = &mut few[usize::from(exact)];
                few.0 |= mask;
                few.1.extend(numbers);
            } else {
                groups.push((mask, exact, numbers.collect()));
            }
        }
        for ((mask, mut numbers), exact) in few.into_iter().zip([false, true]) {
            numbers.sort_unstable();
            numbers.dedup();
            groups.push((mask, exact, numbers));
        }
        let mut chunks = vec![];
        for (mask, exact, numbers) in groups {
            if numbers.is_empty() {
                continue;
            }
            let subset = self.subset(mask);
            if subset.roots.is_empty() && subset.orders.is_empty() {
                continue;
            }
            for some in numbers.chunks(CHUNK) {
                let instants = vec![self.now; some.len()];
                chunks.push(self.own_chunk(some.to_vec(), instants, subset.clone(), exact, cause));
            }
        }
        chunks
    }

    /// Whether the next wake must be found anew after an event, not just brought forward.
    fn exact(&self, mask: Mask) -> bool {
        let traits = self.base.data.streams.iter().position(|s| s.name == names::IDENTIFY);
        let trait_bit = traits.map_or(0, |s| super::subset::stream_bit(s as u32));
        self.recipe.relative || !self.recipe.flips.is_empty() || (self.recipe.has_births() && mask & trait_bit != 0)
    }

    /// An event can end a window earlier than anything known so far, never later.
    fn wake_for(&mut self, fresh: &[(u32, Event)], streams: &[u32]) {
        let zone = &self.library.zone;
        for ((number, e), stream) in fresh.iter().zip(streams) {
            let next = match self.crossings.get(*stream as usize) {
                Some(c) => c.next(e.ts.0, self.now, zone),
                None => i64::MAX,
            };
            if next < i64::MAX {
                let head = self.heads.get(number).copied().unwrap_or(*number);
                self.wakes.at_latest(head, next);
            }
        }
    }

    fn everybody(&mut self, mask: Mask, at: i64, cause: Cause, changes: &mut Vec<Change>) {
        let subset = self.subset(mask);
        if subset.roots.is_empty() && subset.orders.is_empty() {
            return;
        }
        let mut chunks = self.chunks_of_everybody(mask, at, cause);
        self.run(&mut chunks, false);
        self.take(chunks, Some(changes));
    }

    fn chunks_of_everybody(&mut self, mask: Mask, at: i64, cause: Cause) -> Vec<Chunk> {
        let subset = self.subset(mask);
        let all = mask == !0;
        let mut chunks = vec![];
        let mut own = vec![];
        for (b, range) in self.base.tasks(0..self.base.data.buckets.len()) {
            let first = self.base.bases[b] + range.start;
            let numbers = first as u32..(first + range.len()) as u32;
            let pure = |n: u32| {
                let grouped = self.heads.contains_key(&n) || self.groups.contains_key(&n);
                !self.fresh.is_touched(n) && !grouped && !self.base.moved.has(n as usize)
            };
            if numbers.clone().all(pure) {
                let heads: Vec<u32> = numbers.collect();
                let instants = vec![at; heads.len()];
                chunks.push(Chunk::new(heads, instants, subset.clone(), Data::Base(b, range), all, cause));
            } else {
                own.extend(numbers.filter(|n| !self.heads.contains_key(n)));
            }
        }
        own.extend((self.base_numbers..self.numbers()).filter(|n| !self.heads.contains_key(n)));
        for heads in own.chunks(CHUNK) {
            let instants = vec![at; heads.len()];
            chunks.push(self.own_chunk(heads.to_vec(), instants, subset.clone(), all, cause));
        }
        chunks
    }

    /// A chunk whose timelines are gathered when it is run.
    fn own_chunk(
        &self,
        heads: Vec<u32>,
        instants: Vec<i64>,
        subset: Arc<Subset>,
        look_ahead: bool,
        cause: Cause,
    ) -> Chunk {
        Chunk::new(heads, instants, subset, Data::Own(None), look_ahead, cause)
    }

    /// Layer by layer: ranked values, thresholds, whom these move; then the roots.
    fn run(&mut self, chunks: &mut Vec<Chunk>, initial: bool) {
        self.subset(!0);
        for layer in 1..=self.plan.ranks.iter().map(|r| r.layer).max().unwrap_or(0) {
            let orders: Vec<usize> = (0..self.orders.len()).filter(|o| self.layer(*o) == layer).collect();
            let keep = chunks.iter().filter(|c| matches!(c.data, Data::Own(_))).map(|c| c.heads.len()).sum::<usize>();
            let keep = keep <= KEPT;
            each(chunks, |c| {
                self.rank_keys(c, layer);
                c.let_go(keep);
            });
            if initial {
                self.build_ranks(chunks, &orders);
            }
            for c in chunks.iter_mut() {
                for (o, keys) in std::mem::take(&mut c.keys) {
                    c.heads.iter().zip(keys).for_each(|(n, k)| self.ranks[o].set(*n, k));
                }
            }
            let mut moved: Vec<(u32, Mask)> = vec![];
            for o in orders {
                for v in
                    (0..self.ranks[o].views.len()).filter(|v| initial || !self.ranks[o].slow(*v)).collect::<Vec<_>>()
                {
                    let crossed = self.settle_rank(o, v);
                    if !initial {
                        moved.extend(crossed);
                    }
                }
            }
            chunks.extend(self.chunks_of(moved, Cause::Rank, false));
        }
        each(chunks, |c| {
            self.prepare(c);
            let mut block = self.block(c);
            let words = c.heads.len().div_ceil(64);
            let mut roots = vec![vec![0; words]; c.subset.roots.len()];
            for (i, bits) in c.subset.roots.iter().zip(&mut roots) {
                block.col(self.roots[*i]).bits(c.heads.len(), bits);
            }
            let next = if c.look_ahead { self.next(c) } else { vec![] };
            drop(block);
            (c.roots, c.next) = (roots, next);
            c.let_go(false);
        });
    }

    /// Gathers the timelines of a chunk that has none.
    fn prepare(&self, c: &mut Chunk) {
        if let Data::Own(own @ None) = &mut c.data {
            // Looking ahead reads what every root reads.
            let subset = if c.look_ahead { self.subsets.get(&!0).unwrap_or(&c.subset) } else { &c.subset };
            let bucket = self.gather(&c.heads, Some(&subset.need));
            let latest = bucket.streams.iter().map(Latest::of).collect();
            *own = Some(Box::new((bucket, latest)));
        }
    }

    fn block<'a>(&'a self, c: &'a Chunk) -> Block<'a> {
        let mut block = self.block_at(c, &c.instants);
        c.saved.iter().for_each(|(id, col)| block.preset(*id, col.clone()));
        block
    }

    fn block_at<'a>(&'a self, c: &'a Chunk, instants: &[i64]) -> Block<'a> {
        let (bucket, latest, customers) = match &c.data {
            Data::Base(b, range) => (&*self.base.data.buckets[*b], self.base.latest[*b].as_slice(), range.clone()),
            Data::Own(own) => {
                let (bucket, latest) = own.as_deref().expect("prepared before it is looked at");
                (bucket, latest.as_slice(), 0..c.heads.len())
            }
        };
        let rows = match instants.first() {
            Some(t) if instants.iter().all(|x| x == t) => Rows::Each(*t),
            _ => Rows::Listed { customers: customers.clone().map(|c| c as u32).collect(), instants: instants.to_vec() },
        };
        let mut block = Block::new(&self.plan, bucket, latest, customers, rows);
        block.thresholds = &self.thresholds;
        block
    }

    fn rank_keys(&self, c: &mut Chunk, layer: u32) {
        if !c.subset.orders.iter().any(|o| self.layer(*o) == layer) {
            return;
        }
        self.prepare(c);
        let mut saved = vec![];
        let mut keys = vec![];
        {
            let mut block = self.block(c);
            for o in c.subset.orders.iter().copied().filter(|o| self.layer(*o) == layer) {
                let rank = &self.plan.ranks[self.orders[o][0]];
                let x = block.col(rank.x);
                let among = rank.among.map(|a| block.col(a));
                let key = |i: usize| {
                    let outside = among.as_ref().is_some_and(|a| a.bool_at(i) == 0);
                    if outside || self.exists_from(c.heads[i]) > c.instants[i] || !self.is_head(c.heads[i]) {
                        return UNKNOWN;
                    }
                    x.key_at(i)
                };
                keys.push((o, (0..c.heads.len()).map(key).collect()));
                saved.push((rank.x, x));
                saved.extend(rank.among.zip(among));
            }
        }
        c.saved.append(&mut saved);
        c.keys = keys;
    }

    fn is_head(&self, number: u32) -> bool {
        !self.heads.contains_key(&number)
    }

    fn layer(&self, order: usize) -> u32 {
        self.plan.ranks[self.orders[order][0]].layer
    }

    fn build_ranks(&mut self, chunks: &mut [Chunk], orders: &[usize]) {
        let mut all = vec![vec![UNKNOWN; self.numbers() as usize]; orders.len()];
        for c in chunks.iter_mut() {
            for (o, keys) in std::mem::take(&mut c.keys) {
                let Some(i) = orders.iter().position(|x| *x == o) else { continue };
                c.heads.iter().zip(keys).for_each(|(n, k)| all[i][*n as usize] = k);
            }
        }
        // Layers come in the order of the ranks' own needs, not of their numbers.
        let (plan, own) = (&self.plan, &self.orders);
        self.ranks.extend(own[self.ranks.len()..].iter().map(|ranks| RankIndex::new(plan, ranks, vec![])));
        let built: Vec<RankIndex> =
            orders.par_iter().zip(all).map(|(o, keys)| RankIndex::new(plan, &own[*o], keys)).collect();
        orders.iter().zip(built).for_each(|(o, index)| self.ranks[*o] = index);
    }

    /// When each customer must be looked at again.
    fn next(&self, c: &Chunk) -> Vec<i64> {
        let mut out = self.recipe.next(&mut self.block_at(c, &c.instants), &c.instants);
        for flip in &self.recipe.flips {
            self.next_flip(c, *flip, &mut out);
        }
        out
    }

    /// Between the listed instants a growing quantity flips a comparison at most once: found by bisection.
    fn next_flip(&self, c: &Chunk, flip: NodeId, next: &mut [i64]) {
        let value = |instants: &[i64]| {
            let col = self.block_at(c, instants).col(flip);
            (0..instants.len()).map(|i| col.bool_at(i)).collect::<Vec<u8>>()
        };
        let before = value(&c.instants);
        let common = |t: i64| {
            let later = self.everywhere[self.everywhere.partition_point(|e| *e <= t)..].first();
            later.copied().unwrap_or(i64::MAX).min(t.saturating_add(FLIP_HORIZON))
        };
        let ends = next.iter().zip(&c.instants).map(|(next, t)| (*next).min(common(*t)));
        let limit: Vec<i64> = ends.collect();
        let mut lo = c.instants.clone();
        let mut hi: Vec<i64> = (0..lo.len()).map(|i| (limit[i] - 1).max(lo[i])).collect();
        let after = value(&hi);
        let flipped: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
        while (0..lo.len()).any(|i| flipped[i] && hi[i] - lo[i] > 1) {
            let mid: Vec<i64> = (0..lo.len()).map(|i| lo[i] + (hi[i] - lo[i]) / 2).collect();
            for (i, v) in value(&mid).into_iter().enumerate() {
                if v == before[i] {
                    lo[i] = mid[i];
                } else {
                    hi[i] = mid[i];
                }
            }
        }
        for i in 0..next.len() {
            next[i] = if flipped[i] { hi[i] } else { limit[i] };
        }
    }

    /// Compares with what was, and writes what is.
    fn take(&mut self, chunks: Vec<Chunk>, changes: Option<&mut Vec<Change>>) {
        let numbers = self.numbers() as usize;
        let words = numbers.div_ceil(64);
        let grow = |b: &mut Bits| b.words.resize(words.max(b.words.len()), 0);
        self.members.iter_mut().for_each(grow);
        grow(&mut self.population);
        let width = self.roots.len().div_ceil(64);
        self.standing.resize(numbers * width, 0);
        let mut unheard = vec![];
        let told = changes.is_some();
        let changes = changes.unwrap_or(&mut unheard);
        let mut fresh: Vec<u64> = vec![];
        for c in chunks {
            // What is, customer by customer as what was.
            fresh.clear();
            fresh.resize(c.heads.len() * width, 0);
            for (root, bits) in c.subset.roots.iter().zip(&c.roots) {
                ones(bits).for_each(|i| fresh[i * width + root / 64] |= 1 << (root % 64));
            }
            for (i, n) in c.heads.iter().enumerate() {
                let (n, at) = (*n as usize, Instant(c.instants[i]));
                let exists = self.is_head(n as u32) && self.exists_from(n as u32) <= at.0;
                if exists != self.population.has(n) {
                    self.population.put(n, exists);
                }
                let old = &mut self.standing[n * width..][..width];
                for (w, old) in old.iter_mut().enumerate() {
                    let new = if exists { fresh[i * width + w] } else { 0 };
                    let mut differ = (new ^ *old) & c.subset.places[w];
                    *old ^= differ;
                    while differ != 0 {
                        let bit = differ.trailing_zeros();
                        differ &= differ - 1;
                        let root = w * 64 + bit as usize;
                        let entered = new >> bit & 1 == 1;
                        self.members[root].put(n, entered);
                        if told {
                            let (root, customer) = (root as u32, n as u32);
                            changes.push(Change { at, root, customer, entered, cause: c.cause });
                        }
                    }
                }
            }
            if c.look_ahead {
                for (i, n) in c.heads.iter().enumerate() {
                    let next = if self.is_head(*n) { c.next[i] } else { i64::MAX };
                    self.wakes.set(*n, next);
                }
            }
        }
    }
}

/// Does the same for each; few are not worth the help of other threads.
fn each(chunks: &mut [Chunk], f: impl Fn(&mut Chunk) + Send + Sync) {
    match chunks.iter().map(|c| c.heads.len()).sum::<usize>() {
        ..=512 => chunks.iter_mut().for_each(f),
        _ => chunks.par_iter_mut().for_each(f),
    }
}

impl Chunk {
    /// Its timelines are not needed any more, or not for now.
    fn let_go(&mut self, keep: bool) {
        if let (Data::Own(own), false) = (&mut self.data, keep) {
            *own = None;
        }
    }

    fn new(
        heads: Vec<u32>,
        instants: Vec<i64>,
        subset: Arc<Subset>,
        data: Data,
        look_ahead: bool,
        cause: Cause,
    ) -> Chunk {
        let (saved, keys, roots, next) = (vec![], vec![], vec![], vec![]);
        Chunk { heads, instants, subset, data, saved, keys, roots, next, look_ahead, cause }
    }
}
