//! Library and schema to plan: names become streams and columns, texts become codes, equal nodes become one.

use crate::changes::flows;
use crate::grow::{Growth, Table, Test, add_missing, date, recoded};
use crate::plan::*;
use gyul_model::{ColumnKind, Decimal, POW10, StreamInfo, TextColumn, names};
use gyul_segment::tree::{self, AggOp, Arith, Cmp, EventSelect, Expr, Kind, Library, Names};
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

    // ---- names of the data

    fn stream_index(&mut self, name: &str) -> Option<u32> {
        if let Some(growth) = &mut self.plan.growth
            && !growth.asked.streams.contains(name)
        {
            growth.asked.streams.insert(name.to_string());
        }
        self.streams.iter().position(|s| s.name == name).map(|i| i as u32)
    }

    fn column_index(&mut self, stream: u32, name: &str) -> Option<u32> {
        if let Some(growth) = &mut self.plan.growth {
            growth.asked.columns.insert((stream, name.to_string()));
        }
        let columns = &self.streams[stream as usize].columns;
        columns.iter().position(|c| c.name == name).map(|i| i as u32)
    }

    fn dict(&mut self, dict: &Arc<TextColumn>) -> u32 {
        let dicts = &mut self.plan.dicts;
        *self.dict_ids.entry(Arc::as_ptr(dict)).or_insert_with(|| {
            dicts.push(dict.clone());
            dicts.len() as u32 - 1
        })
    }

    /// A column's dictionary. Those of live data grow one by one, even if they are shared now.
    fn column_dict(&mut self, stream: u32, column: u32, dict: &Arc<TextColumn>) -> u32 {
        let Some(growth) = &mut self.plan.growth else { return self.dict(dict) };
        if let Some((id, _)) = growth.owners.iter().find(|(_, o)| **o == (stream, column)) {
            return *id;
        }
        self.plan.dicts.push(dict.clone());
        let id = self.plan.dicts.len() as u32 - 1;
        growth.owners.insert(id, (stream, column));
        id
    }

    fn ty_of(&mut self, stream: u32, column: u32) -> Ty {
        let streams = self.streams;
        match &streams[stream as usize].columns[column as usize].kind {
            ColumnKind::Bool => Ty::Flag,
            ColumnKind::Num { scale } => Ty::Exact { scale: *scale, dur: false },
            ColumnKind::Instant => Ty::Instant,
            ColumnKind::Text(d) => Ty::Text(self.column_dict(stream, column, d)),
            ColumnKind::List(d) => Ty::List(self.column_dict(stream, column, d)),
        }
    }

    fn trait_of(&mut self, name: &str) -> NodeId {
        let Some(stream) = self.stream_index(names::IDENTIFY) else { return self.nothing() };
        let Some(column) = self.column_index(stream, name) else { return self.nothing() };
        let ty = self.ty_of(stream, column);
        self.add(Op::Trait { stream, column }, ty)
    }

    fn prop(&mut self, name: &str) -> NodeId {
        let Domain::Events(stream) = self.domain else { return self.nothing() };
        let Some(column) = self.column_index(stream, name) else { return self.nothing() };
        let ty = self.ty_of(stream, column);
        self.add(Op::Prop { column }, ty)
    }

    fn age(&mut self) -> NodeId {
        let whole = Ty::Exact { scale: 0, dur: false };
        let birth = self.trait_of(names::BIRTH_DATE);
        let given = self.trait_of("age");
        let Ty::Text(dict) = self.ty(birth) else { return given };
        let known = self.plan.nodes.iter().find_map(|n| match n.op {
            Op::DateOfText { arg, dates } if arg == birth => Some(dates),
            _ => None,
        });
        let dates = known.unwrap_or_else(|| {
            let entries = self.plan.dicts[dict as usize].clone();
            let dates = (0..entries.len()).map(|i| date(entries.get(i)));
            self.plan.dates.push(Arc::new([i64::MIN].into_iter().chain(dates).collect()));
            let table = self.plan.dates.len() - 1;
            self.grows(Table::Dates { table, dict });
            table as u32
        });
        let birth = self.add(Op::DateOfText { arg: birth, dates }, Ty::Date);
        let today = self.add(Op::Today, Ty::Date);
        let age = self.add(Op::AgeOn { birth, today }, whole);
        match self.ty(given) {
            Ty::Exact { scale, dur: false } => {
                let age = self.rescale(age, 0, scale, false);
                self.add(Op::OrElse(age, given), Ty::Exact { scale, dur: false })
            }
            _ => age,
        }
    }

    // ---- events

    /// The streams of a selection with their filters; those whose filter can never hold are left out.
    fn sources(&mut self, select: &EventSelect, value: Option<&Expr>) -> Vec<Source> {
        let wanted: Vec<u32> = match &select.events {
            Names::Any => {
                self.plan.growth.iter_mut().for_each(|g| g.asked.any_stream = true);
                (0..self.streams.len() as u32).filter(|s| self.streams[*s as usize].name != names::IDENTIFY).collect()
            }
            Names::Of(list) => {
                let mut found: Vec<u32> = list.iter().filter_map(|n| self.stream_index(n)).collect();
                found.sort_unstable();
                found.dedup();
                found
            }
        };
        let outer = self.domain;
        let mut sources = vec![];
        for stream in wanted {
            self.domain = Domain::Events(stream);
            let filter = select.filter.as_ref().map(|f| self.condition(f));
            let filter = match filter.map(|f| &self.node(f).op) {
                Some(Op::Bool(false)) => continue,
                Some(Op::Bool(true)) | None => None,
                Some(_) => filter,
            };
            let value = value.map(|v| self.expr(v));
            sources.push(Source { stream, filter, value });
        }
        self.domain = outer;
        sources
    }

    fn bounds(&mut self, window: &tree::Window) -> Bounds {
        let mut end = |e: &Option<Expr>| {
            e.as_ref().map(|e| {
                let id = self.expr(e);
                if self.ty(id) == Ty::Instant { id } else { self.nothing() }
            })
        };
        Bounds { after: end(&window.after), until: end(&window.until) }
    }

    fn agg(&mut self, agg: &tree::Agg) -> NodeId {
        let mut sources = self.sources(&agg.select, agg.value.as_ref());
        let bounds = self.bounds(&agg.window);
        let ty = match agg.op {
            AggOp::Count | AggOp::Days | AggOp::Streak(_) => Ty::Exact { scale: 0, dur: false },
            AggOp::FirstAt | AggOp::LastAt => Ty::Instant,
            AggOp::LongestGap => Ty::Exact { scale: 0, dur: true },
            AggOp::AverageGap => Ty::Quotient { dur: true },
            op => {
                let common = self.common_value(&mut sources, op);
                match (op, common) {
                    (AggOp::Distinct, _) => Ty::Exact { scale: 0, dur: false },
                    (AggOp::Sum, Ty::Nothing) => {
                        // The sum of nothing is 0, of durations 0 of a duration.
                        let dur = agg.value.as_ref().is_some_and(|v| v.ty == tree::Type::Dur);
                        Ty::Exact { scale: 0, dur }
                    }
                    (AggOp::Avg, Ty::Exact { dur, .. } | Ty::Quotient { dur }) => Ty::Quotient { dur },
                    (_, ty) => ty,
                }
            }
        };
        if ty == Ty::Nothing {
            return self.nothing();
        }
        self.add(Op::Agg(Box::new(AggNode { op: agg.op, sources, bounds, last: agg.last })), ty)
    }

    /// Brings the values of several streams to one type: one scale, one dictionary. What does not fit is unknown.
    fn common_value(&mut self, sources: &mut [Source], op: AggOp) -> Ty {
        let numeric = matches!(op, AggOp::Sum | AggOp::Avg);
        let ordered = matches!(op, AggOp::Min | AggOp::Max);
        let usable = |ty: Ty| match ty {
            Ty::Exact { .. } | Ty::Quotient { .. } => true,
            Ty::Instant | Ty::Date => !numeric,
            Ty::Bool | Ty::Flag | Ty::Text(_) | Ty::List(_) => !numeric && !ordered,
            Ty::Nothing => false,
        };
        let mut types: Vec<Ty> =
            sources.iter().filter_map(|s| s.value.map(|v| self.ty(v))).filter(|t| usable(*t)).collect();
        types.sort_unstable_by_key(|t| match t {
            Ty::Quotient { .. } => 0,
            _ => 1,
        });
        let Some(&first) = types.first() else {
            self.each_value(sources, |c, _| c.nothing());
            return Ty::Nothing;
        };
        match first {
            Ty::Exact { dur, .. } => {
                let scale = types
                    .iter()
                    .filter_map(|t| if let Ty::Exact { scale, .. } = t { Some(*scale) } else { None })
                    .max();
                let scale = scale.unwrap_or(0);
                self.each_value(sources, |c, v| match c.ty(v) {
                    Ty::Exact { scale: s, dur: d } if d == dur => c.rescale(v, s, scale, dur),
                    _ => c.nothing(),
                });
                Ty::Exact { scale, dur }
            }
            Ty::Quotient { dur } => {
                self.each_value(sources, |c, v| c.as_real(v, dur));
                first
            }
            Ty::Text(_) | Ty::List(_) if types.iter().any(|t| *t != first) => {
                let is_list = matches!(first, Ty::List(_));
                let mut merged = TextColumn::default();
                for ty in &types {
                    if let (Ty::Text(d), false) | (Ty::List(d), true) = (ty, is_list) {
                        add_missing(&mut merged, &self.plan.dicts[*d as usize]);
                    }
                }
                let target = self.dict(&Arc::new(merged));
                let ty = if is_list { Ty::List(target) } else { Ty::Text(target) };
                self.each_value(sources, |c, v| match (c.ty(v), is_list) {
                    (Ty::Text(d), false) | (Ty::List(d), true) => c.recode(v, d, target, ty, true),
                    _ => c.nothing(),
                });
                ty
            }
            _ => {
                self.each_value(sources, |c, v| if c.ty(v) == first { v } else { c.nothing() });
                first
            }
        }
    }

    fn each_value(&mut self, sources: &mut [Source], f: impl Fn(&mut Self, NodeId) -> NodeId) {
        let outer = self.domain;
        for s in sources {
            self.domain = Domain::Events(s.stream);
            s.value = s.value.map(|v| f(self, v));
        }
        self.domain = outer;
    }

    fn pattern(&mut self, p: &tree::Pattern) -> NodeId {
        let key = p.by.as_ref().map(|name| Expr {
            kind: Kind::Prop(name.clone()),
            ty: tree::Type::Any,
            span: Default::default(),
        });
        let mut steps: Vec<StepNode> = vec![];
        for s in &p.steps {
            let sources = self.sources(&s.select, key.as_ref());
            let without = s.without.iter().flat_map(|w| self.sources(w, None)).collect();
            steps.push(StepNode { sources, within: s.within, without });
        }
        if p.by.is_some() {
            let mut all: Vec<Source> = steps.iter().flat_map(|s| s.sources.clone()).collect();
            self.common_value(&mut all, AggOp::Distinct);
            let mut all = all.into_iter();
            for s in &mut steps {
                s.sources = all.by_ref().take(s.sources.len()).collect();
            }
        }
        let bounds = self.bounds(&p.window);
        let node = PatternNode { steps, within: p.within, bounds, by: p.by.is_some() };
        self.add(Op::Pattern(Box::new(node)), Ty::Exact { scale: 0, dur: false })
    }

    pub(crate) fn rank(&mut self, rank: &tree::Rank) -> NodeId {
        use tree::RankKind::*;
        let x = self.expr(&rank.x);
        let x = self.at_rest(x);
        let among = rank.among.as_ref().map(|a| self.condition(a));
        let ty = match rank.kind {
            Top(_) | Bottom(_) | AboveAverage | BelowAverage => Ty::Bool,
            Quintile => Ty::Exact { scale: 0, dur: false },
            Percentile => Ty::Quotient { dur: false },
        };
        if !matches!(self.ty(x), Ty::Exact { .. } | Ty::Quotient { .. } | Ty::Instant) {
            return if ty == Ty::Bool { self.truth(false) } else { self.nothing() };
        }
        let layer = 1 + self.node(x).layer.max(among.map_or(0, |a| self.node(a).layer));
        let same = |r: &RankNode| r.kind == rank.kind && r.x == x && r.among == among;
        let index = self.plan.ranks.iter().position(same).unwrap_or_else(|| {
            self.plan.ranks.push(RankNode { kind: rank.kind, x, among, layer });
            self.plan.ranks.len() - 1
        });
        self.add(Op::Rank(index as u32), ty)
    }

    /// `now - y` grows alike for everybody, so that it ranks as `-y` does, and that stands still.
    fn at_rest(&mut self, x: NodeId) -> NodeId {
        match self.node(x).op {
            Op::Arith(Arith::Sub, now, y) if matches!(self.node(now).op, Op::Now) && !flows(&self.plan, y) => {
                let ty = self.ty(x);
                let origin = self.add(Op::Int(0), Ty::Instant);
                self.add(Op::Arith(Arith::Sub, origin, y), ty)
            }
            _ => x,
        }
    }

    // ---- operators

    fn rescale(&mut self, arg: NodeId, from: u8, to: u8, dur: bool) -> NodeId {
        let ty = Ty::Exact { scale: to, dur };
        match (to - from, &self.node(arg).op) {
            (0, _) => arg,
            (by, &Op::Int(m)) => match m.checked_mul(POW10[by.min(18) as usize]) {
                Some(m) => self.add(Op::Int(m), ty),
                None => self.nothing(),
            },
            (by, _) => self.add(Op::Rescale { arg, by }, ty),
        }
    }

    fn as_real(&mut self, arg: NodeId, dur: bool) -> NodeId {
        match self.ty(arg) {
            Ty::Quotient { dur: d } if d == dur => arg,
            Ty::Exact { scale, dur: d } if d == dur => match self.node(arg).op {
                Op::Int(m) => {
                    let x = m as f64 / POW10[scale.min(18) as usize] as f64;
                    self.add(Op::Real(x.to_bits()), Ty::Quotient { dur })
                }
                _ => self.add(Op::ToReal { arg, scale }, Ty::Quotient { dur }),
            },
            _ => self.nothing(),
        }
    }

    fn recode(&mut self, arg: NodeId, from: u32, to: u32, ty: Ty, union: bool) -> NodeId {
        if from == to {
            return arg;
        }
        let table = recoded(&self.plan.dicts[from as usize], &self.plan.dicts[to as usize]);
        let equal = |t: &Table| matches!(t, Table::Recode { from: f, to: t, .. } if (*f, *t) == (from, to));
        let known = match &self.plan.growth {
            Some(growth) => growth.tables.iter().find(|t| equal(t)).and_then(|t| match t {
                Table::Recode { table, .. } => Some(*table),
                _ => None,
            }),
            None => self.plan.recodes.iter().position(|r| **r == table),
        };
        let index = known.unwrap_or_else(|| {
            self.plan.recodes.push(Arc::new(table));
            let table = self.plan.recodes.len() - 1;
            self.grows(Table::Recode { table, from, to, union });
            table
        });
        self.add(Op::Recode(arg, index as u32), ty)
    }

    fn live(&self) -> bool {
        self.plan.growth.is_some()
    }

    fn grows(&mut self, table: Table) {
        self.plan.growth.iter_mut().for_each(|g| g.tables.push(table.clone()));
    }

    fn cmp(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
        let id = self.compared(cmp, a, b);
        if matches!(self.node(id).op, Op::Cmp(..)) {
            let mut poles = vec![];
            self.poles(a, &mut poles);
            self.poles(b, &mut poles);
            if !poles.is_empty() {
                self.plan.poles.insert(id, poles);
            }
        }
        id
    }

    /// Divisions by a quantity that grows: where it passes zero the quotient jumps.
    fn poles(&mut self, id: NodeId, out: &mut Vec<NodeId>) {
        if !flows(&self.plan, id) {
            return;
        }
        if let Op::Arith(Arith::Div, _, below) = self.node(id).op
            && flows(&self.plan, below)
        {
            let ty = self.ty(below);
            let zero = if let Ty::Quotient { .. } = ty { Op::Real(0) } else { Op::Int(0) };
            let zero = self.add(zero, ty);
            out.extend([Cmp::Ge, Cmp::Gt].map(|c| self.add(Op::Cmp(c, below, zero), Ty::Bool)));
        }
        let mut inner = vec![];
        operands(&self.node(id).op, &mut |o| inner.push(o));
        inner.into_iter().for_each(|o| self.poles(o, out));
    }

    fn compared(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
        let equality = matches!(cmp, Cmp::Eq | Cmp::Ne);
        if equality && (flows(&self.plan, a) || flows(&self.plan, b)) {
            // A quantity that grows is equal for an instant only; each of the two sides flips just once.
            let (le, ge) = if cmp == Cmp::Eq { (Cmp::Le, Cmp::Ge) } else { (Cmp::Lt, Cmp::Gt) };
            let both = vec![self.cmp(le, a, b), self.cmp(ge, a, b)];
            return if cmp == Cmp::Eq { self.all(both) } else { self.any(both) };
        }
        match (self.ty(a), self.ty(b)) {
            (Ty::Exact { scale: s, dur: d }, Ty::Exact { scale: t, dur: e }) if d == e => {
                let scale = s.max(t);
                let (ra, rb) = (self.rescale(a, s, scale, d), self.rescale(b, t, scale, d));
                if self.ty(ra) == Ty::Nothing || self.ty(rb) == Ty::Nothing {
                    // A constant beyond what the column can hold: compare as doubles.
                    let (a, b) = (self.as_real(a, d), self.as_real(b, d));
                    return self.add(Op::Cmp(cmp, a, b), Ty::Bool);
                }
                match self.existence(cmp, ra, rb) {
                    Some(id) => id,
                    None => self.add(Op::Cmp(cmp, ra, rb), Ty::Bool),
                }
            }
            (
                Ty::Quotient { dur: d } | Ty::Exact { dur: d, .. },
                Ty::Quotient { dur: e } | Ty::Exact { dur: e, .. },
            ) if d == e => {
                let (a, b) = (self.as_real(a, d), self.as_real(b, d));
                self.add(Op::Cmp(cmp, a, b), Ty::Bool)
            }
            (Ty::Instant, Ty::Instant) | (Ty::Date, Ty::Date) => self.add(Op::Cmp(cmp, a, b), Ty::Bool),
            (Ty::Bool | Ty::Flag, Ty::Bool | Ty::Flag) if equality => self.cmp_bool(cmp, a, b),
            (Ty::Text(d), Ty::Text(e)) if equality => {
                if let Op::Int(1) = self.node(b).op {
                    return self.cmp_text_const(cmp, a, d, e);
                }
                if let Op::Int(1) = self.node(a).op {
                    return self.cmp_text_const(cmp, b, e, d);
                }
                let b = self.recode(b, e, d, Ty::Text(d), false);
                self.add(Op::Cmp(cmp, a, b), Ty::Bool)
            }
            _ => self.truth(false),
        }
    }

    /// `count(…) >= 1`, `= 0` and the like need no counting.
    fn existence(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> Option<NodeId> {
        let (Op::Agg(agg), &Op::Int(bound)) = (&self.node(a).op, &self.node(b).op) else { return None };
        if agg.op != AggOp::Count || agg.last.is_some() {
            return None;
        }
        let any = Op::Agg(agg.clone());
        match (cmp, bound) {
            (Cmp::Ge, 1) | (Cmp::Gt | Cmp::Ne, 0) => Some(self.add(any, Ty::Bool)),
            (Cmp::Lt, 1) | (Cmp::Le | Cmp::Eq, 0) => {
                let any = self.add(any, Ty::Bool);
                Some(self.add(Op::Not(any), Ty::Bool))
            }
            _ => None,
        }
    }

    /// Flags that are unknown make a comparison false.
    fn cmp_bool(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
        let known: Vec<NodeId> = [a, b].into_iter().filter(|x| self.ty(*x) == Ty::Flag).collect();
        let mut parts: Vec<NodeId> = known.into_iter().map(|x| self.add(Op::IsKnown(x), Ty::Bool)).collect();
        let (a, b) = (self.as_condition(a), self.as_condition(b));
        let both = self.all(vec![a, b]);
        let either = self.any(vec![a, b]);
        let neither = self.add(Op::Not(either), Ty::Bool);
        let equal = self.any(vec![both, neither]);
        parts.push(if cmp == Cmp::Eq { equal } else { self.add(Op::Not(equal), Ty::Bool) });
        self.all(parts)
    }

    fn cmp_text_const(&mut self, cmp: Cmp, a: NodeId, dict: u32, constant: u32) -> NodeId {
        let text = self.plan.dicts[constant as usize].clone();
        let text = text.get(0).unwrap_or("");
        let entries = self.plan.dicts[dict as usize].clone();
        let code = (0..entries.len()).find(|i| entries.get(*i) == Some(text)).map(|i| i as u32 + 1);
        let text = text.to_string();
        match (cmp, code) {
            (Cmp::Eq, None) if self.live() => self.code_in(a, dict, Arc::new(move |t| t == text)),
            (Cmp::Eq, None) => self.truth(false),
            (Cmp::Eq, Some(code)) => match self.node(a).op {
                Op::Int(c) => self.truth(c == i64::from(code)),
                _ => self.add(Op::CodeIs(a, code), Ty::Bool),
            },
            (_, None) if !self.live() => self.is_known(a),
            _ => self.code_in(a, dict, Arc::new(move |t| t != text)),
        }
    }

    fn is_known(&mut self, a: NodeId) -> NodeId {
        match (self.ty(a), &self.node(a).op) {
            (Ty::Nothing, _) => self.truth(false),
            (Ty::Bool, _) => self.truth(true),
            (_, &Op::Int(x)) => self.truth(x > i64::MIN),
            _ => self.add(Op::IsKnown(a), Ty::Bool),
        }
    }

    /// A condition on a text: asked once per entry of its dictionary.
    fn code_in(&mut self, a: NodeId, dict: u32, test: Test) -> NodeId {
        let entries = &self.plan.dicts[dict as usize];
        let mut table = vec![0];
        table.extend((0..entries.len()).map(|i| u8::from(test(entries.get(i).unwrap_or("")))));
        if let Op::Int(code) = self.node(a).op {
            return self.truth(table.get(code as usize) == Some(&1));
        }
        if !self.live() && table.iter().all(|t| *t == 0) {
            return self.truth(false);
        }
        let known = if self.live() { None } else { self.plan.truths.iter().position(|t| **t == table) };
        let index = known.unwrap_or_else(|| {
            self.plan.truths.push(Arc::new(table));
            let table = self.plan.truths.len() - 1;
            self.grows(Table::Truth { table, dict, test });
            table
        });
        self.add(Op::CodeIn(a, index as u32), Ty::Bool)
    }

    fn by_text(&mut self, a: &Expr, test: Test) -> NodeId {
        self.by_text_or_item(a, test, None)
    }

    /// A condition on a text, or on one of the items of a list.
    fn by_text_or_item(&mut self, a: &Expr, text: Test, item: Option<Test>) -> NodeId {
        let a = self.expr(a);
        match (self.ty(a), item) {
            (Ty::Text(d), _) => self.code_in(a, d, text),
            (Ty::List(d), Some(item)) => self.code_in(a, d, Arc::new(move |t| t.split('\u{1f}').any(|i| item(i)))),
            _ => self.truth(false),
        }
    }

    fn in_num(&mut self, a: &Expr, list: &[Decimal]) -> NodeId {
        let a = self.expr(a);
        match self.ty(a) {
            Ty::Exact { scale, dur: false } => {
                let mut values: Vec<i64> = list.iter().filter_map(|d| d.at_scale(scale)).collect();
                values.sort_unstable();
                values.dedup();
                if values.is_empty() { self.truth(false) } else { self.add(Op::InInt(a, values), Ty::Bool) }
            }
            Ty::Quotient { dur: false } => {
                let parts = list.iter().map(|d| {
                    let b = self.decimal(*d);
                    self.cmp(Cmp::Eq, a, b)
                });
                let parts = parts.collect();
                self.any(parts)
            }
            _ => self.truth(false),
        }
    }

    fn arith(&mut self, op: Arith, a: NodeId, b: NodeId) -> NodeId {
        let exact = |ty| if let Ty::Exact { scale, dur } = ty { Some((scale, dur)) } else { None };
        let dur = |ty| match ty {
            Ty::Exact { dur, .. } | Ty::Quotient { dur } => Some(dur),
            _ => None,
        };
        let (ta, tb) = (self.ty(a), self.ty(b));
        if let (Ty::Instant, Ty::Instant, Arith::Sub) = (ta, tb, op) {
            return self.add(Op::Arith(op, a, b), Ty::Exact { scale: 0, dur: true });
        }
        let (Some(da), Some(db)) = (dur(ta), dur(tb)) else { return self.nothing() };
        let result_dur = match op {
            Arith::Add | Arith::Sub if da == db => da,
            Arith::Mul if !(da && db) => da || db,
            Arith::Div if da || !db => da && !db,
            _ => return self.nothing(),
        };
        match (op, exact(ta), exact(tb)) {
            (Arith::Div, Some((s, _)), Some((t, _))) => {
                // Both sides as whole numbers: a / b = (ma · 10^max(0, t - s)) / (mb · 10^max(0, s - t)), rounded once.
                let scale = s.max(t);
                let (a, b) = (self.rescale(a, s, scale, da), self.rescale(b, t, scale, db));
                self.add(Op::Arith(op, a, b), Ty::Quotient { dur: result_dur })
            }
            (Arith::Add | Arith::Sub, Some((s, _)), Some((t, _))) => {
                let scale = s.max(t);
                let (a, b) = (self.rescale(a, s, scale, da), self.rescale(b, t, scale, da));
                self.add(Op::Arith(op, a, b), Ty::Exact { scale, dur: result_dur })
            }
            (Arith::Mul, Some((s, _)), Some((t, _))) => {
                if s + t > 18 {
                    let (a, b) = (self.as_real(a, da), self.as_real(b, db));
                    return self.add(Op::Arith(op, a, b), Ty::Quotient { dur: result_dur });
                }
                self.add(Op::Arith(op, a, b), Ty::Exact { scale: s + t, dur: result_dur })
            }
            _ => {
                let (a, b) = (self.as_real(a, da), self.as_real(b, db));
                self.add(Op::Arith(op, a, b), Ty::Quotient { dur: result_dur })
            }
        }
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
