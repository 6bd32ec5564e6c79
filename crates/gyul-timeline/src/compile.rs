//! Library and schema to plan: names become streams and columns, texts become codes, equal nodes become one.

mod events;
mod operators;

use crate::grow::Growth;
use crate::plan::*;
use gyul_model::{Decimal, StreamInfo, TextColumn};
use gyul_segment::tree::{self, Expr, Kind, Library};
use rustc_hash::FxHashMap;
use std::sync::Arc;

impl Plan {
    /// Compiles every segment, partition and measure of the library for data with these streams.
    /// Never fails: what the data does not have is unknown everywhere.
    pub fn compile(library: &Library, streams: &[StreamInfo]) -> Plan {
        Plan::whole(Compiler::new(library, streams))
    }

    /// The same for data whose dictionaries grow: nothing is folded because the data lacks it.
    pub(crate) fn compile_live(library: &Library, streams: &[StreamInfo]) -> Plan {
        let mut c = Compiler::new(library, streams);
        c.plan.growth = Some(Growth::default());
        Plan::whole(c)
    }

    fn whole(mut c: Compiler) -> Plan {
        let library = c.library;
        for i in 0..library.segments.len() {
            let node = c.named(Named::Segment(i));
            c.plan.segments.push(node);
        }
        for (p, partition) in library.partitions.iter().enumerate() {
            let classes = (0..=partition.classes.len()).map(|k| c.named(Named::Class(p, k))).collect();
            c.plan.partitions.push(classes);
        }
        for i in 0..library.measures.len() {
            let node = c.named(Named::Measure(i));
            c.plan.measures.push(node);
        }
        c.plan
    }

    /// Compiles one segment or class alone, as the plan's only segment.
    pub fn compile_one(library: &Library, streams: &[StreamInfo], what: Named) -> Plan {
        Plan::compile_some(library, streams, &[what])
    }

    /// Compiles some segments and classes, as the plan's segments in this order.
    pub fn compile_some(library: &Library, streams: &[StreamInfo], what: &[Named]) -> Plan {
        let mut c = Compiler::new(library, streams);
        for named in what {
            let node = c.named(*named);
            c.plan.segments.push(node);
        }
        c.plan
    }
}

/// One definition of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    Segment(usize),
    Measure(usize),
    /// Partition and class; the class after the last is `otherwise`.
    Class(usize, usize),
}

pub(crate) struct Compiler<'a> {
    pub(crate) plan: Plan,
    library: &'a Library,
    streams: &'a [StreamInfo],
    seen: FxHashMap<(Op, Ty, Domain), NodeId>,
    dict_ids: FxHashMap<*const TextColumn, u32>,
    memo: FxHashMap<Named, NodeId>,
    /// The domain of the expression under work.
    domain: Domain,
}

impl<'a> Compiler<'a> {
    fn new(library: &'a Library, streams: &'a [StreamInfo]) -> Compiler<'a> {
        Compiler::from(Plan { zone: Some(library.zone.clone()), ..Plan::default() }, library, streams)
    }

    /// Goes on with a plan: nodes keep their numbers, equal ones are found again.
    pub(crate) fn from(plan: Plan, library: &'a Library, streams: &'a [StreamInfo]) -> Compiler<'a> {
        let nodes = plan.nodes.iter().zip(0..);
        let seen = nodes.map(|(n, id)| ((n.op.clone(), n.ty, n.domain), id)).collect();
        let dict_ids = plan.dicts.iter().zip(0..).map(|(d, id)| (Arc::as_ptr(d), id)).collect();
        Compiler { plan, library, streams, seen, dict_ids, memo: FxHashMap::default(), domain: Domain::Rows }
    }

    pub(crate) fn named(&mut self, what: Named) -> NodeId {
        if let Some(&id) = self.memo.get(&what) {
            return id;
        }
        let library = self.library;
        let outer = std::mem::replace(&mut self.domain, Domain::Rows);
        let id = match what {
            Named::Segment(i) => self.condition(&library.segments[i].when),
            Named::Measure(i) => self.expr(&library.measures[i].expr),
            Named::Class(p, k) => {
                let classes = &library.partitions[p].classes;
                let mut parts = vec![];
                for class in &classes[..k] {
                    let earlier = self.condition(&class.when);
                    parts.push(self.add(Op::Not(earlier), Ty::Bool));
                }
                if let Some(class) = classes.get(k) {
                    parts.push(self.condition(&class.when));
                }
                self.all(parts)
            }
        };
        self.domain = outer;
        self.memo.insert(what, id);
        id
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.plan.nodes[id as usize]
    }

    fn ty(&self, id: NodeId) -> Ty {
        self.node(id).ty
    }

    fn add(&mut self, op: Op, ty: Ty) -> NodeId {
        let key = (op, ty, self.domain);
        if let Some(&id) = self.seen.get(&key) {
            return id;
        }
        let mut layer = 0;
        let mut needs_now = matches!(key.0, Op::Near { direction: tree::Direction::After, .. });
        operands(&key.0, &mut |id| {
            let n = &self.plan.nodes[id as usize];
            layer = layer.max(n.layer);
            needs_now |= n.needs_now;
        });
        if let Op::Rank(r) = key.0 {
            layer = self.plan.ranks[r as usize].layer;
        }
        if let Op::CodeIs(column, _) = key.0 {
            *self.plan.code_tests.entry(column).or_default() += 1;
        }
        let id = self.plan.nodes.len() as NodeId;
        self.plan.nodes.push(Node { op: key.0.clone(), ty, domain: self.domain, layer, needs_now });
        self.seen.insert(key, id);
        id
    }

    fn nothing(&mut self) -> NodeId {
        self.add(Op::Nothing, Ty::Nothing)
    }

    fn truth(&mut self, b: bool) -> NodeId {
        self.add(Op::Bool(b), Ty::Bool)
    }

    /// An expression as a condition: what is no truth value is false.
    pub(crate) fn condition(&mut self, e: &Expr) -> NodeId {
        let id = self.expr(e);
        self.as_condition(id)
    }

    fn as_condition(&mut self, id: NodeId) -> NodeId {
        match self.ty(id) {
            Ty::Bool => id,
            Ty::Flag => self.add(Op::IsTrue(id), Ty::Bool),
            _ => self.truth(false),
        }
    }

    fn expr(&mut self, e: &Expr) -> NodeId {
        match &e.kind {
            Kind::Bool(b) => self.truth(*b),
            Kind::Num(d) => self.decimal(*d),
            Kind::Dur(us) => self.add(Op::Int(*us), Ty::Exact { scale: 0, dur: true }),
            Kind::Instant(t) => self.add(Op::Int(t.0), Ty::Instant),
            Kind::Date(d) => self.add(Op::Int(d.0.into()), Ty::Date),
            Kind::Text(t) => {
                let mut one = TextColumn::default();
                one.push(Some(t));
                // Constants of equal text share a dictionary, so that they are equal nodes.
                let found = self.plan.dicts.iter().position(|d| **d == one);
                let dict = found.map_or_else(|| self.dict(&Arc::new(one)), |i| i as u32);
                self.add(Op::Int(1), Ty::Text(dict))
            }
            Kind::Now => self.add(Op::Now, Ty::Instant),
            Kind::Ago(d) => self.add(Op::Ago(*d), Ty::Instant),
            Kind::EndOf { period, back } => self.add(Op::EndOf { period: *period, back: *back }, Ty::Instant),
            Kind::Today => self.add(Op::Today, Ty::Date),
            Kind::Trait(name) => self.trait_of(name),
            Kind::Age => self.age(),
            Kind::Agg(agg) => self.agg(agg),
            Kind::Pattern(p) => self.pattern(p),
            Kind::Measure(i) => self.named(Named::Measure(*i)),
            Kind::InSegment(i) => self.named(Named::Segment(*i)),
            Kind::InClass { partition, class } => self.named(Named::Class(*partition, *class)),
            Kind::Rank(rank) => self.rank(rank),
            Kind::Sample { percent, salt } => {
                let below = sample_bound(*percent);
                self.add(Op::Sample { below, salt: salt.clone() }, Ty::Bool)
            }
            Kind::Prop(name) => self.prop(name),
            Kind::EventName => {
                let Domain::Events(stream) = self.domain else { return self.nothing() };
                let name = self.streams[stream as usize].name.clone();
                self.expr(&Expr { kind: Kind::Text(name), ty: e.ty, span: e.span })
            }
            Kind::Ts => self.add(Op::Ts, Ty::Instant),
            Kind::Gap => self.add(Op::Gap, Ty::Exact { scale: 0, dur: true }),
            Kind::Nth => self.add(Op::Nth, Ty::Exact { scale: 0, dur: false }),
            Kind::Hour => self.add(Op::Hour, Ty::Exact { scale: 0, dur: false }),
            Kind::Weekday => self.add(Op::Weekday, Ty::Exact { scale: 0, dur: false }),
            Kind::LocalDate => self.add(Op::LocalDate, Ty::Date),
            Kind::Near(near) => {
                let sources = self.sources(&near.select, None);
                if sources.is_empty() {
                    return self.truth(false);
                }
                self.add(Op::Near { direction: near.direction, sources, within: near.within }, Ty::Bool)
            }
            Kind::Not(a) => {
                let a = self.condition(a);
                match self.node(a).op {
                    Op::Bool(b) => self.truth(!b),
                    Op::Not(inner) => inner,
                    _ => self.add(Op::Not(a), Ty::Bool),
                }
            }
            Kind::And(list) => {
                let parts = list.iter().map(|e| self.condition(e)).collect();
                self.all(parts)
            }
            Kind::Or(list) => {
                let parts = list.iter().map(|e| self.condition(e)).collect();
                self.any(parts)
            }
            Kind::Cmp(cmp, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.cmp(*cmp, a, b)
            }
            Kind::Arith(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.arith(*op, a, b)
            }
            Kind::IsKnown(a) => {
                let a = self.expr(a);
                self.is_known(a)
            }
            Kind::InText(a, list) => {
                let list = list.clone();
                self.by_text(a, Arc::new(move |t| list.iter().any(|x| x == t)))
            }
            Kind::InNum(a, list) => self.in_num(a, list),
            Kind::Contains(a, part) => {
                let (text, item) = (part.clone(), part.clone());
                self.by_text_or_item(a, Arc::new(move |t| t.contains(&text)), Some(Arc::new(move |t| t == item)))
            }
            Kind::StartsWith(a, part) => {
                let part = part.clone();
                self.by_text(a, Arc::new(move |t| t.starts_with(&part)))
            }
            Kind::EndsWith(a, part) => {
                let part = part.clone();
                self.by_text(a, Arc::new(move |t| t.ends_with(&part)))
            }
            Kind::Matches(a, pattern) => {
                let regex = pattern.regex.clone();
                self.by_text(a, Arc::new(move |t| regex.is_match(t)))
            }
            Kind::Within(a, code) => {
                let code = code.clone();
                let within = move |t: &str| t.strip_prefix(&*code).is_some_and(|r| r.is_empty() || r.starts_with('-'));
                self.by_text(a, Arc::new(within))
            }
            Kind::NearOccasion { date, occasion, days } => {
                let arg = self.expr(date);
                if self.ty(arg) != Ty::Date {
                    return self.truth(false);
                }
                let Some(found) = self.library.occasions.get(occasion) else { return self.truth(false) };
                let dates = Arc::new(found.dates.clone());
                let occasion = self.plan.occasions.iter().position(|o| *o == dates).unwrap_or_else(|| {
                    self.plan.occasions.push(dates);
                    self.plan.occasions.len() - 1
                }) as u32;
                self.add(Op::NearOccasion { arg, occasion, days: *days }, Ty::Bool)
            }
        }
    }

    fn all(&mut self, parts: Vec<NodeId>) -> NodeId {
        let mut kept = vec![];
        for id in parts {
            match &self.node(id).op {
                Op::Bool(true) => {}
                Op::Bool(false) => return self.truth(false),
                Op::And(inner) => kept.extend(inner.clone()),
                _ => kept.push(id),
            }
        }
        self.joined(kept, true)
    }

    fn any(&mut self, parts: Vec<NodeId>) -> NodeId {
        let mut kept = vec![];
        for id in parts {
            match &self.node(id).op {
                Op::Bool(false) => {}
                Op::Bool(true) => return self.truth(true),
                Op::Or(inner) => kept.extend(inner.clone()),
                _ => kept.push(id),
            }
        }
        self.joined(kept, false)
    }

    fn joined(&mut self, mut kept: Vec<NodeId>, and: bool) -> NodeId {
        kept.sort_unstable();
        kept.dedup();
        match kept[..] {
            [] => self.truth(and),
            [one] => one,
            _ if and => self.add(Op::And(kept), Ty::Bool),
            _ => self.add(Op::Or(kept), Ty::Bool),
        }
    }

    fn decimal(&mut self, d: Decimal) -> NodeId {
        self.add(Op::Int(d.mantissa()), Ty::Exact { scale: d.scale(), dur: false })
    }
}

/// Calls `f` with every node that the operation reads directly.
pub fn operands(op: &Op, f: &mut dyn FnMut(NodeId)) {
    fn sources(list: &[Source], f: &mut dyn FnMut(NodeId)) {
        list.iter().flat_map(|s| [s.filter, s.value]).flatten().for_each(f);
    }
    fn bounds(b: &Bounds, f: &mut dyn FnMut(NodeId)) {
        [b.after, b.until].into_iter().flatten().for_each(f);
    }
    match op {
        Op::Agg(a) => {
            sources(&a.sources, f);
            bounds(&a.bounds, f);
        }
        Op::Pattern(p) => {
            for s in &p.steps {
                sources(&s.sources, f);
                sources(&s.without, f);
            }
            bounds(&p.bounds, f);
        }
        Op::Near { sources: s, .. } => sources(s, f),
        Op::And(list) | Op::Or(list) => list.iter().copied().for_each(f),
        Op::Cmp(_, a, b) | Op::Arith(_, a, b) | Op::OrElse(a, b) => [*a, *b].into_iter().for_each(f),
        Op::AgeOn { birth, today } => [*birth, *today].into_iter().for_each(f),
        Op::Not(a)
        | Op::IsTrue(a)
        | Op::IsKnown(a)
        | Op::CodeIs(a, _)
        | Op::CodeIn(a, _)
        | Op::Recode(a, _)
        | Op::InInt(a, _)
        | Op::Rescale { arg: a, .. }
        | Op::ToReal { arg: a, .. }
        | Op::DateOfText { arg: a, .. }
        | Op::NearOccasion { arg: a, .. } => f(*a),
        _ => {}
    }
}

/// `sample_position` must be below this.
fn sample_bound(percent: Decimal) -> u32 {
    let scaled = i128::from(percent.mantissa()) * 10_000;
    let scale = 10_i128.pow(percent.scale().into());
    // position < p · 10,000 for a whole position: position < ceil(p · 10,000).
    (scaled + scale - 1).div_euclid(scale).clamp(0, 1_000_000) as u32
}
