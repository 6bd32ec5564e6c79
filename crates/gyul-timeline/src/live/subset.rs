//! What of a plan depends on what: an event of one stream asks for the roots that read it, and for no others.

use super::gather::Need;
use crate::compile::operands;
use crate::plan::*;
use gyul_model::StreamInfo;

/// Streams, ranks and the clock, a bit each; those beyond the room share the last bit of their kind.
pub type Mask = u128;

pub const CLOCK: Mask = 1 << 127;
const STREAMS: u32 = 96;
const RANKS: u32 = 31;

pub fn stream_bit(stream: u32) -> Mask {
    1 << stream.min(STREAMS - 1)
}

pub fn rank_bit(rank: usize) -> Mask {
    1 << (STREAMS + (rank as u32).min(RANKS - 1))
}

/// Some roots and ranked quantities, and the data that they read.
#[derive(Debug)]
pub struct Subset {
    /// Indexes into [`Plan::roots`].
    pub roots: Vec<usize>,
    /// The same as bits.
    pub places: Vec<u64>,
    /// Indexes into the orders of [`super::ranks::orders`].
    pub orders: Vec<usize>,
    pub need: Need,
}

/// What each node of a plan reads.
pub fn reads(plan: &Plan) -> Vec<Mask> {
    let mut out: Vec<Mask> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let mut mask = 0;
        let windows = |b: &Bounds, mask: &mut Mask| {
            // Ends of windows cross events one by one: the wake queue knows when.
            let plain = |id: &NodeId| matches!(plan.nodes[*id as usize].op, Op::Now | Op::Ago(_) | Op::EndOf { .. });
            [b.after, b.until].into_iter().flatten().filter(|id| !plain(id)).for_each(|id| *mask |= out[id as usize]);
        };
        let events = |sources: &[Source], mask: &mut Mask| {
            for s in sources {
                *mask |= stream_bit(s.stream);
                [s.filter, s.value].into_iter().flatten().for_each(|id| *mask |= out[id as usize]);
            }
        };
        match &node.op {
            Op::Agg(a) => {
                events(&a.sources, &mut mask);
                windows(&a.bounds, &mut mask);
            }
            Op::Pattern(p) => {
                p.steps.iter().for_each(|s| {
                    events(&s.sources, &mut mask);
                    events(&s.without, &mut mask);
                });
                windows(&p.bounds, &mut mask);
            }
            Op::Near { sources, .. } => events(sources, &mut mask),
            Op::Trait { stream, .. } => mask |= stream_bit(*stream),
            Op::Today | Op::EndOf { .. } | Op::Ago(gyul_model::Duration::Months(_)) => mask |= CLOCK,
            Op::AgeOn { birth, .. } => mask |= out[*birth as usize],
            Op::Rank(r) => {
                let rank = &plan.ranks[*r as usize];
                mask |= rank_bit(*r as usize);
                [Some(rank.x), rank.among].into_iter().flatten().for_each(|id| mask |= out[id as usize]);
            }
            op => operands(op, &mut |id| mask |= out[id as usize]),
        }
        out.push(mask);
    }
    out
}

impl Subset {
    /// The roots and ranks that read something of the mask; a mask of all bits means everything.
    pub fn of(
        plan: &Plan,
        roots: &[NodeId],
        orders: &[Vec<usize>],
        reads: &[Mask],
        streams: &[StreamInfo],
        mask: Mask,
    ) -> Subset {
        let touched = |id: NodeId| mask == !0 || reads[id as usize] & mask != 0;
        let roots_in: Vec<usize> = (0..roots.len()).filter(|r| touched(roots[*r])).collect();
        let ranks: Vec<(usize, &RankNode)> = orders.iter().map(|o| &plan.ranks[o[0]]).enumerate().collect();
        let asked = |r: &&(usize, &RankNode)| touched(r.1.x) || r.1.among.is_some_and(touched);
        let ranks: Vec<&(usize, &RankNode)> = ranks.iter().filter(asked).collect();
        let mut wanted = vec![false; plan.nodes.len()];
        let mut stack: Vec<NodeId> = roots_in.iter().map(|r| roots[*r]).collect();
        for (_, r) in &ranks {
            stack.extend([Some(r.x), r.among].into_iter().flatten());
        }
        let mut need = Need { streams: vec![None; streams.len()], ids: false };
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut wanted[id as usize], true) {
                continue;
            }
            let node = &plan.nodes[id as usize];
            note(&mut need, streams, node);
            operands(&node.op, &mut |o| stack.push(o));
            if let Op::Rank(r) = node.op {
                stack.extend([Some(plan.ranks[r as usize].x), plan.ranks[r as usize].among].into_iter().flatten());
            }
        }
        let mut places = vec![0; roots.len().div_ceil(64)];
        roots_in.iter().for_each(|r| places[r / 64] |= 1 << (r % 64));
        let orders = ranks.iter().map(|r| r.0).collect();
        Subset { roots: roots_in, places, orders, need }
    }
}

fn note(need: &mut Need, streams: &[StreamInfo], node: &Node) {
    need.ids |= matches!(node.op, Op::Sample { .. });
    let mut stream = |s: u32, column: Option<u32>| {
        let n = streams[s as usize].columns.len();
        let columns = need.streams[s as usize].get_or_insert_with(|| vec![false; n]);
        column.into_iter().for_each(|c| columns[c as usize] = true);
    };
    match (&node.op, node.domain) {
        (Op::Prop { column }, Domain::Events(s)) => stream(s, Some(*column)),
        (Op::Trait { stream: s, column }, _) => stream(*s, Some(*column)),
        (Op::Agg(a), _) => a.sources.iter().for_each(|s| stream(s.stream, None)),
        (Op::Near { sources, .. }, _) => sources.iter().for_each(|s| stream(s.stream, None)),
        (Op::Pattern(p), _) => {
            p.steps.iter().flat_map(|s| s.sources.iter().chain(&s.without)).for_each(|s| stream(s.stream, None));
        }
        _ => {}
    }
    if let Domain::Events(s) = node.domain {
        stream(s, None);
    }
}
