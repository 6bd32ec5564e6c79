//! A batch run: everybody at one instant, in parallel over blocks of customers, one pass for each layer of ranks.

use crate::answers::{Answers, Bits};
use crate::block::{Block, Rows};
use crate::column::{Col, UNKNOWN};
use crate::compile::operands;
use crate::plan::*;
use crate::rank::{Thresholds, orders};
use gyul_model::{Date, Decimal, Instant, Snapshot, Value, bucket_of};
use gyul_segment::tree::RankKind;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// Customers of one block: a multiple of 64, so that blocks fill whole words of a bit set;
/// small enough that the columns of a plan stay in the cache.
const BLOCK: usize = 1024;

/// A snapshot with what the evaluator keeps beside it. Customers are numbered bucket by bucket,
/// each bucket starting at a multiple of 64.
#[derive(Clone, Debug)]
pub struct Timelines {
    pub(crate) data: Snapshot,
    /// Of each stream, per bucket.
    pub(crate) latest: Vec<Arc<Vec<Latest>>>,
    pub(crate) bases: Vec<usize>,
    /// Buckets of the snapshot; those after them hold timelines that fresh events touched.
    shares: usize,
    /// Latest beginning of a customer, per bucket.
    pub(crate) youngest: Vec<i64>,
    /// Customers whose timeline has moved to a later bucket.
    pub(crate) moved: Bits,
    /// Codes by text of the columns that fresh events wrote to.
    pub(crate) codes: FxHashMap<(usize, usize), FxHashMap<String, u32>>,
    /// Numbers of customers in buckets that are not in the order of ids.
    pub(crate) by_id: FxHashMap<String, usize>,
}

/// When the last events of a bucket's stream happened, kept side by side: most windows end at them, and many customers
/// have nothing since their beginning, so that a look at one number spares the look into the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Latest {
    /// Of anybody.
    pub of_all: i64,
    /// Of each customer; `i64::MIN` without any event. Empty if nobody has any.
    pub each: Vec<i64>,
}

impl Latest {
    pub fn of(s: &Arc<gyul_model::Stream>) -> Latest {
        if s.ts.is_empty() {
            return Latest { of_all: i64::MIN, each: vec![] };
        }
        let last = |w: &[u32]| if w[0] < w[1] { s.ts[w[1] as usize - 1] } else { i64::MIN };
        let each: Vec<i64> = s.offsets.windows(2).map(last).collect();
        Latest { of_all: each.iter().copied().max().unwrap_or(i64::MIN), each }
    }
}

/// What a run leaves behind, so that a refresh need only look at what changed.
#[derive(Clone, Debug)]
pub struct State {
    pub answers: Answers,
    pub(crate) blocks: Vec<BlockState>,
    pub(crate) thresholds: Vec<Thresholds>,
}

#[derive(Clone, Debug)]
pub(crate) struct BlockState {
    pub bucket: usize,
    pub customers: Range<usize>,
    /// Values that later layers read.
    pub saved: FxHashMap<NodeId, Arc<Col>>,
    /// Bits of the roots, one after the other in the order of [`Plan::roots`].
    pub roots: Vec<u64>,
    pub population: Vec<u64>,
}

impl BlockState {
    pub fn root(&self, i: usize) -> &[u64] {
        let words = self.population.len();
        &self.roots[i * words..][..words]
    }
}

/// One column of results: a measure's value for everybody.
pub struct ValueColumn {
    pub ty: Ty,
    pub values: Values,
}

/// `(customer number, value)`.
pub type Values = Vec<(usize, Option<Value>)>;

impl Plan {
    /// Every node whose truth is asked for: segments, then classes.
    pub(crate) fn roots(&self) -> Vec<NodeId> {
        self.segments.iter().chain(self.partitions.iter().flatten()).copied().collect()
    }

    /// Row nodes that a later layer reads, by their own layer.
    pub(crate) fn frontier(&self) -> Vec<NodeId> {
        let mut needed = vec![false; self.nodes.len()];
        let mut saved = vec![false; self.nodes.len()];
        let wanted = self.roots().into_iter().chain(self.measures.iter().copied());
        wanted.for_each(|id| needed[id as usize] = true);
        for id in (0..self.nodes.len()).rev().filter(|i| self.nodes[*i].domain == Domain::Rows) {
            if !needed[id] {
                continue;
            }
            let node = &self.nodes[id];
            let mut visit = |o: NodeId| {
                let operand = &self.nodes[o as usize];
                needed[o as usize] = true;
                saved[o as usize] |= operand.layer < node.layer && operand.domain == Domain::Rows;
            };
            operands(&node.op, &mut visit);
            if let Op::Rank(r) = node.op {
                let rank = &self.ranks[r as usize];
                [Some(rank.x), rank.among].into_iter().flatten().for_each(visit);
            }
        }
        (0..self.nodes.len() as NodeId).filter(|id| saved[*id as usize]).collect()
    }

    fn layers(&self) -> u32 {
        self.ranks.iter().map(|r| r.layer).max().unwrap_or(0)
    }
}

impl Timelines {
    pub fn new(data: Snapshot) -> Timelines {
        let mut bases = vec![];
        let mut base = 0;
        for b in &data.buckets {
            bases.push(base);
            base += b.customers.len().div_ceil(64) * 64;
        }
        let latest = data.buckets.par_iter().map(|b| Arc::new(b.streams.iter().map(Latest::of).collect())).collect();
        let youngest = data.buckets.iter().map(|b| b.exists_from.iter().copied().max().unwrap_or(i64::MIN)).collect();
        let shares = data.buckets.len();
        Timelines {
            data,
            latest,
            bases,
            shares,
            youngest,
            moved: Bits::none(base),
            codes: FxHashMap::default(),
            by_id: FxHashMap::default(),
        }
    }

    pub fn data(&self) -> &Snapshot {
        &self.data
    }

    /// One more than the highest customer number.
    pub fn numbers(&self) -> usize {
        self.moved.words.len() * 64
    }

    /// Customers of a bucket whose timeline is there, and has not moved to a later one.
    pub fn present(&self, bucket: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let base = self.bases[bucket];
        (0..self.data.buckets[bucket].customers.len()).filter(move |c| !self.moved.has(base + c))
    }

    /// The rows of a stream that belong to them.
    pub fn rows(&self, bucket: usize, stream: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let stream = &self.data.buckets[bucket].streams[stream];
        self.present(bucket).flat_map(|c| stream.rows(c))
    }

    /// Bucket and index of a customer number.
    pub fn place(&self, number: usize) -> (usize, usize) {
        let bucket = self.bases.partition_point(|b| *b <= number) - 1;
        (bucket, number - self.bases[bucket])
    }

    pub fn customer_id(&self, number: usize) -> &str {
        let (b, c) = self.place(number);
        self.data.buckets[b].customers.get(c).unwrap_or("")
    }

    /// The number of a customer.
    pub fn number_of(&self, customer: &str) -> Option<usize> {
        // Where the customer's hash points to most are found; the others may be in any bucket.
        let likely = bucket_of(customer) % self.shares.max(1);
        let at = |b: usize| {
            let c = self.data.buckets.get(b)?.find(customer)?;
            Some(self.bases[b] + c).filter(|n| !self.moved.has(*n))
        };
        if let Some(n) = self.by_id.get(customer).copied().filter(|n| !self.moved.has(*n)) {
            return Some(n);
        }
        at(likely).or_else(|| (0..self.data.buckets.len()).rev().find_map(at))
    }

    pub(crate) fn tasks(&self, buckets: Range<usize>) -> Vec<(usize, Range<usize>)> {
        let mut tasks = vec![];
        for b in buckets {
            let n = self.data.buckets[b].customers.len();
            tasks.extend((0..n).step_by(BLOCK).map(|from| (b, from..(from + BLOCK).min(n))));
        }
        tasks
    }

    /// Who is in what at `at`.
    pub fn evaluate(&self, plan: &Plan, at: Instant) -> Answers {
        self.run(plan, at).answers
    }

    /// The same, keeping what [`Timelines::refresh`] needs.
    pub fn run(&self, plan: &Plan, at: Instant) -> State {
        let tasks = self.tasks(0..self.data.buckets.len());
        let mut blocks: Vec<BlockState> = tasks.into_iter().map(|(b, r)| self.fresh(plan, b, r, at)).collect();
        let thresholds = self.passes(plan, at, &mut blocks, 0);
        let answers = self.collect(plan, at, &blocks);
        State { answers, blocks, thresholds }
    }

    pub(crate) fn fresh(&self, plan: &Plan, bucket: usize, customers: Range<usize>, at: Instant) -> BlockState {
        let words = customers.len().div_ceil(64);
        let mut population = vec![!0_u64; words];
        let spare = words * 64 - customers.len();
        if let Some(last) = population.last_mut() {
            *last >>= spare;
        }
        if self.youngest[bucket] > at.0 {
            let from = &self.data.buckets[bucket].exists_from;
            for (i, c) in customers.clone().enumerate() {
                if from[c] > at.0 {
                    population[i / 64] &= !(1 << (i % 64));
                }
            }
        }
        let base = (self.bases[bucket] + customers.start) / 64;
        population.iter_mut().zip(&self.moved.words[base..]).for_each(|(p, m)| *p &= !m);
        let roots = vec![0; words * plan.roots().len()];
        BlockState { bucket, customers, saved: FxHashMap::default(), roots, population }
    }

    /// Runs the layers from `first` on over the blocks; earlier layers must be saved in them.
    pub(crate) fn passes(&self, plan: &Plan, at: Instant, blocks: &mut [BlockState], first: u32) -> Vec<Thresholds> {
        self.passes_keeping(plan, at, blocks, first, &plan.frontier(), vec![])
    }

    /// The same, saving the columns of `frontier`; thresholds of some ranks may be known.
    pub(crate) fn passes_keeping(
        &self,
        plan: &Plan,
        at: Instant,
        blocks: &mut [BlockState],
        first: u32,
        frontier: &[NodeId],
        known: Vec<Option<Thresholds>>,
    ) -> Vec<Thresholds> {
        let roots = plan.roots();
        let none = Thresholds::Empty { bool: true, quotient: false };
        let is_known: Vec<bool> = (0..plan.ranks.len()).map(|r| known.get(r).is_some_and(Option::is_some)).collect();
        let mut thresholds: Vec<Thresholds> = known.into_iter().map(|t| t.unwrap_or(none.clone())).collect();
        thresholds.resize(plan.ranks.len(), none);
        for layer in first..=plan.layers() {
            if layer > 0 {
                let wanted = (0..plan.ranks.len()).filter(|r| plan.ranks[*r].layer == layer && !is_known[*r]);
                let orders = orders(plan, wanted);
                let found: Vec<Vec<Thresholds>> = orders.par_iter().map(|o| rank_thresholds(plan, o, blocks)).collect();
                orders.iter().flatten().zip(found.into_iter().flatten()).for_each(|(r, t)| thresholds[*r] = t);
            }
            self.layer(plan, at, blocks, layer, frontier, &roots, &thresholds);
        }
        thresholds
    }

    /// Runs the layer that needs no ranks.
    pub(crate) fn first_layer(&self, plan: &Plan, at: Instant, blocks: &mut [BlockState]) {
        self.layer(plan, at, blocks, 0, &plan.frontier(), &plan.roots(), &[]);
    }

    #[allow(clippy::too_many_arguments)]
    fn layer(
        &self,
        plan: &Plan,
        at: Instant,
        blocks: &mut [BlockState],
        layer: u32,
        frontier: &[NodeId],
        roots: &[NodeId],
        thresholds: &[Thresholds],
    ) {
        let of_layer = |id: &NodeId| plan.nodes[*id as usize].layer == layer;
        if !frontier.iter().chain(roots).any(of_layer) {
            return;
        }
        blocks.par_iter_mut().for_each(|state| {
            let bucket = &self.data.buckets[state.bucket];
            let rows = Rows::Each(at.0);
            let mut block = Block::new(plan, bucket, &self.latest[state.bucket], state.customers.clone(), rows);
            block.thresholds = thresholds;
            state.saved.iter().for_each(|(id, c)| block.preset(*id, c.clone()));
            for id in frontier.iter().filter(|id| of_layer(id)) {
                let c = block.col(*id);
                state.saved.insert(*id, c);
            }
            for (i, id) in roots.iter().enumerate().filter(|(_, id)| of_layer(id)) {
                let c = block.col(*id);
                let words = state.population.len();
                let root = &mut state.roots[i * words..][..words];
                c.bits(state.customers.len(), root);
                root.iter_mut().zip(&state.population).for_each(|(w, p)| *w &= p);
            }
        });
    }

    pub(crate) fn collect(&self, plan: &Plan, at: Instant, blocks: &[BlockState]) -> Answers {
        let gather = |words: &dyn Fn(&BlockState) -> &[u64]| {
            let mut bits = Bits::none(self.numbers());
            for b in blocks {
                let base = (self.bases[b.bucket] + b.customers.start) / 64;
                let from = words(b);
                bits.words[base..base + from.len()].copy_from_slice(from);
            }
            bits
        };
        let mut i = 0;
        let mut next = || {
            i += 1;
            gather(&|b: &BlockState| b.root(i - 1))
        };
        let segments = plan.segments.iter().map(|_| next()).collect();
        let partitions = plan.partitions.iter().map(|p| p.iter().map(|_| next()).collect()).collect();
        Answers { at, population: gather(&|b: &BlockState| &b.population), segments, partitions }
    }

    /// The values of some nodes (measures, say) for everybody who exists at `at`: `(customer number, value)` in order.
    pub fn values(&self, plan: &Plan, nodes: &[NodeId], state: &State) -> Vec<ValueColumn> {
        let at = state.answers.at;
        let per_block: Vec<Vec<Values>> = state
            .blocks
            .par_iter()
            .map(|s| {
                let bucket = &self.data.buckets[s.bucket];
                let rows = Rows::Each(at.0);
                let mut block = Block::new(plan, bucket, &self.latest[s.bucket], s.customers.clone(), rows);
                block.thresholds = &state.thresholds;
                s.saved.iter().for_each(|(id, c)| block.preset(*id, c.clone()));
                let base = self.bases[s.bucket] + s.customers.start;
                let exists = |i: &usize| s.population[i / 64] >> (i % 64) & 1 == 1;
                let column = |id: &NodeId| {
                    let c = block.col(*id);
                    let ty = plan.nodes[*id as usize].ty;
                    (0..s.customers.len()).filter(exists).map(|i| (base + i, value_at(plan, ty, &c, i))).collect()
                };
                nodes.iter().map(column).collect()
            })
            .collect();
        let mut columns: Vec<ValueColumn> =
            nodes.iter().map(|id| ValueColumn { ty: plan.nodes[*id as usize].ty, values: vec![] }).collect();
        for block in per_block {
            columns.iter_mut().zip(block).for_each(|(c, mut v)| c.values.append(&mut v));
        }
        columns
    }
}

/// What ranks over the same values compare with.
fn rank_thresholds(plan: &Plan, ranks: &[usize], blocks: &[BlockState]) -> Vec<Thresholds> {
    let rank = &plan.ranks[ranks[0]];
    let real = matches!(plan.nodes[rank.x as usize].ty, Ty::Quotient { .. });
    let mut keys = vec![];
    for b in blocks {
        let Some(x) = b.saved.get(&rank.x) else { continue };
        let mut inside = b.population.clone();
        if let Some(among) = rank.among.and_then(|a| b.saved.get(&a)) {
            among.bits(b.customers.len(), &mut inside);
            inside.iter_mut().zip(&b.population).for_each(|(w, p)| *w &= p);
        }
        x.known_keys(&inside, &mut keys);
    }
    let kinds: Vec<RankKind> = ranks.iter().map(|r| plan.ranks[*r].kind).collect();
    Thresholds::find_all(&kinds, keys, real)
}

/// A node's value as the outside world sees it: durations in microseconds, dates as `YYYY-MM-DD`.
fn value_at(plan: &Plan, ty: Ty, c: &Col, i: usize) -> Option<Value> {
    match ty {
        Ty::Bool | Ty::Flag => (c.bool_at(i) < 2).then(|| Value::Bool(c.bool_at(i) == 1)),
        Ty::Exact { scale, .. } => {
            Some(c.int_at(i)).filter(|x| *x != UNKNOWN).map(|x| Value::Num(Decimal::new(x, scale)))
        }
        Ty::Quotient { .. } => Decimal::from_f64(c.real_at(i)).map(Value::Num),
        Ty::Instant => Some(c.int_at(i)).filter(|x| *x != UNKNOWN).map(|x| Value::Instant(Instant(x))),
        Ty::Date => Some(c.int_at(i)).filter(|x| *x != UNKNOWN).map(|x| Value::Text(Date(x as i32).to_string())),
        Ty::Text(d) | Ty::List(d) => {
            let code = c.code_at(i).checked_sub(1)?;
            let text = plan.dicts[d as usize].get(code as usize)?;
            Some(match ty {
                Ty::List(_) => Value::List(text.split('\u{1f}').map(str::to_string).collect()),
                _ => Value::Text(text.to_string()),
            })
        }
        Ty::Nothing => None,
    }
}
