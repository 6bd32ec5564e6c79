//! Sequences and funnels: how many steps of a pattern a customer reached.

use crate::block::Block;
use crate::column::Col;
use crate::events::Slices;
use crate::plan::*;
use std::sync::Arc;

/// What an event can be in a pattern.
#[derive(Clone, Copy)]
struct Mark {
    ts: i64,
    /// Index of the step, with `without` set if the event must not come before that step.
    step: u32,
    without: bool,
    key: i64,
}

/// How far each chain got, per key: the latest event that completed a step, and the latest possible start of its chain.
/// Among the completed ones later events have later starts, so the latest is all that need be kept.
#[derive(Clone)]
struct Progress {
    key: i64,
    reached: Vec<Option<(i64, i64)>>,
}

impl<'a> Block<'a> {
    pub(crate) fn pattern(&mut self, p: &PatternNode) -> Col {
        if p.steps.first().is_none_or(|s| s.sources.iter().all(|x| self.events(x.stream).is_empty())) {
            return Col::OneInt(0);
        }
        let (steps, withouts) = self.inputs(p);
        let mut marks = vec![];
        let mut progress = vec![];
        let reached = |r| {
            marks.clear();
            let last = reachable(&steps, r);
            if last == 0 || last == 1 && !p.by {
                return last as i64;
            }
            collect(&steps, &withouts, r, last, &mut marks);
            run(p, &marks, &mut progress)
        };
        Col::Int((0..self.len()).map(reached).collect())
    }

    /// The instants of the steps that [`Block::pattern`] counts, of the first chain that gets so far.
    pub(crate) fn chains(&mut self, p: &PatternNode) -> Vec<Vec<i64>> {
        let (steps, withouts) = self.inputs(p);
        let mut marks = vec![];
        let chain = |r| {
            marks.clear();
            let last = reachable(&steps, r);
            collect(&steps, &withouts, r, last, &mut marks);
            trail(p, &marks)
        };
        (0..self.len()).map(chain).collect()
    }

    #[allow(clippy::type_complexity)]
    fn inputs(&mut self, p: &PatternNode) -> (Vec<Vec<Input<'a>>>, Vec<Vec<Input<'a>>>) {
        let open = Bounds { after: None, until: None };
        let mut steps: Vec<Vec<Input>> = vec![];
        let mut withouts: Vec<Vec<Input>> = vec![];
        for s in &p.steps {
            steps.push(s.sources.iter().map(|x| self.input(x, &p.bounds)).collect());
            // What must not come in between lies in between: it needs no window of its own but T.
            withouts.push(s.without.iter().map(|x| self.input(x, &open)).collect());
        }
        (steps, withouts)
    }

    fn input(&mut self, source: &Source, bounds: &Bounds) -> Input<'a> {
        let slices = self.slices(source, bounds);
        let keys = source.value.map(|v| self.col(v));
        Input { slices, keys, ts: &self.bucket.streams[source.stream as usize].ts }
    }
}

/// A step without events cannot be reached, nor what follows it.
fn reachable(steps: &[Vec<Input>], row: usize) -> usize {
    steps.iter().take_while(|inputs| inputs.iter().any(|x| x.any(row))).count()
}

/// The events of a row that matter to the first `last` steps, by time.
fn collect(steps: &[Vec<Input>], withouts: &[Vec<Input>], row: usize, last: usize, marks: &mut Vec<Mark>) {
    for (i, inputs) in steps.iter().enumerate().take(last) {
        inputs.iter().for_each(|x| x.collect(row, i as u32, false, marks));
    }
    for (i, inputs) in withouts.iter().enumerate().take(last) {
        inputs.iter().for_each(|x| x.collect(row, i as u32, true, marks));
    }
    marks.sort_unstable_by_key(|m| m.ts);
}

struct Input<'a> {
    slices: Slices,
    keys: Option<Arc<Col>>,
    ts: &'a [i64],
}

impl Input<'_> {
    fn any(&self, row: usize) -> bool {
        let (lo, hi) = self.slices.get(row);
        lo < hi
    }

    fn collect(&self, row: usize, step: u32, without: bool, into: &mut Vec<Mark>) {
        let (lo, hi) = self.slices.get(row);
        into.extend((lo..hi).filter_map(|k| {
            let e = self.slices.event(k);
            let key = self.keys.as_ref().map_or(0, |c| c.key_at(e));
            // Without a key an event takes no part in a pattern `by` one.
            (key != crate::column::UNKNOWN).then(|| Mark { ts: self.ts[self.slices.first + e], step, without, key })
        }));
    }
}

/// The farthest step reached. `marks` ascend by time; events of one instant cannot follow one another.
fn run(p: &PatternNode, marks: &[Mark], progress: &mut Vec<Progress>) -> i64 {
    progress.clear();
    let n = p.steps.len();
    let mut forbidden = vec![i64::MIN; n];
    let mut best = 0;
    for group in marks.chunk_by(|a, b| a.ts == b.ts) {
        let t = group[0].ts;
        let mut done: Vec<(usize, usize, i64)> = vec![];
        for m in group.iter().filter(|m| !m.without) {
            let i = m.step as usize;
            let at = match progress.iter().position(|x| x.key == m.key) {
                Some(at) => at,
                None => {
                    progress.push(Progress { key: m.key, reached: vec![None; n] });
                    progress.len() - 1
                }
            };
            let start = if i == 0 {
                Some(t)
            } else {
                progress[at].reached[i - 1].and_then(|(before, start)| {
                    let near = p.steps[i].within.is_none_or(|w| t - before <= w);
                    let clean = before >= forbidden[i];
                    let whole = p.within.is_none_or(|w| t - start <= w);
                    (near && clean && whole).then_some(start)
                })
            };
            if let Some(start) = start {
                done.push((at, i, start));
            }
        }
        for (at, i, start) in done {
            progress[at].reached[i] = Some((t, start));
            best = best.max(i as i64 + 1);
        }
        for m in group.iter().filter(|m| m.without) {
            forbidden[m.step as usize] = t;
        }
    }
    best
}

/// As [`run`], which need not remember how it got there: the first chain that gets so far.
fn trail(p: &PatternNode, marks: &[Mark]) -> Vec<i64> {
    let n = p.steps.len();
    let mut forbidden = vec![i64::MIN; n];
    // Per key and step: the instants of the chain whose start is the latest.
    let mut reached: Vec<(i64, Vec<Option<Vec<i64>>>)> = vec![];
    let mut best = vec![];
    for group in marks.chunk_by(|a, b| a.ts == b.ts) {
        let t = group[0].ts;
        let mut done: Vec<(usize, usize, Vec<i64>)> = vec![];
        for m in group.iter().filter(|m| !m.without) {
            let i = m.step as usize;
            let at = reached.iter().position(|x| x.0 == m.key).unwrap_or_else(|| {
                reached.push((m.key, vec![None; n]));
                reached.len() - 1
            });
            let chain = match i {
                0 => Some(vec![t]),
                _ => reached[at].1[i - 1].as_ref().and_then(|chain| {
                    let (start, before) = (*chain.first()?, *chain.last()?);
                    let near = p.steps[i].within.is_none_or(|w| t - before <= w);
                    let whole = p.within.is_none_or(|w| t - start <= w);
                    let fits = near && whole && before >= forbidden[i];
                    fits.then(|| chain.iter().copied().chain([t]).collect())
                }),
            };
            done.extend(chain.map(|chain| (at, i, chain)));
        }
        for (at, i, chain) in done {
            if chain.len() > best.len() {
                best.clone_from(&chain);
            }
            reached[at].1[i] = Some(chain);
        }
        group.iter().filter(|m| m.without).for_each(|m| forbidden[m.step as usize] = t);
    }
    best
}
