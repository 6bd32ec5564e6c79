//! Library and schema to plan: names become streams and columns, texts become codes, equal nodes become one.

use crate::changes::flows;
use crate::plan::*;
use gyul_model::{ColumnInfo, ColumnKind, Date, Decimal, POW10, StreamInfo, TextColumn, names};
use gyul_segment::tree::{self, AggOp, Arith, Cmp, EventSelect, Expr, Kind, Library, Names};
use rustc_hash::FxHashMap;
use std::sync::Arc;

impl Plan {
    /// Compiles every segment, partition and measure of the library for data with these streams.
    /// Never fails: what the data does not have is unknown everywhere.
    pub fn compile(library: &Library, streams: &[StreamInfo]) -> Plan {
        let mut c = Compiler::new(library, streams);
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
        let mut c = Compiler::new(library, streams);
        let node = c.named(what);
        c.plan.segments.push(node);
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

struct Compiler<'a> {
    plan: Plan,
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
        Compiler {
            plan: Plan { zone: Some(library.zone.clone()), ..Plan::default() },
            library,
            streams,
            seen: FxHashMap::default(),
            dict_ids: FxHashMap::default(),
            memo: FxHashMap::default(),
            domain: Domain::Rows,
        }
    }

    fn named(&mut self, what: Named) -> NodeId {
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
    fn condition(&mut self, e: &Expr) -> NodeId {
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
                self.by_text(a, move |t| list.iter().any(|x| x == t))
            }
            Kind::InNum(a, list) => self.in_num(a, list),
            Kind::Contains(a, part) => {
                let (text, item) = (part.clone(), part.clone());
                self.by_text_or_item(a, move |t| t.contains(&text), Some(&move |t: &str| t == item))
            }
            Kind::StartsWith(a, part) => {
                let part = part.clone();
                self.by_text(a, move |t| t.starts_with(&part))
            }
            Kind::EndsWith(a, part) => {
                let part = part.clone();
                self.by_text(a, move |t| t.ends_with(&part))
            }
            Kind::Matches(a, pattern) => {
                let regex = pattern.regex.clone();
                self.by_text(a, move |t| regex.is_match(t))
            }
            Kind::Within(a, code) => {
                let code = code.clone();
                let within = move |t: &str| t.strip_prefix(&*code).is_some_and(|r| r.is_empty() || r.starts_with('-'));
                self.by_text(a, within)
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

    fn stream_index(&self, name: &str) -> Option<u32> {
        self.streams.iter().position(|s| s.name == name).map(|i| i as u32)
    }

    fn dict(&mut self, dict: &Arc<TextColumn>) -> u32 {
        let dicts = &mut self.plan.dicts;
        *self.dict_ids.entry(Arc::as_ptr(dict)).or_insert_with(|| {
            dicts.push(dict.clone());
            dicts.len() as u32 - 1
        })
    }

    fn ty_of(&mut self, info: &ColumnInfo) -> Ty {
        match &info.kind {
            ColumnKind::Bool => Ty::Flag,
            ColumnKind::Num { scale } => Ty::Exact { scale: *scale, dur: false },
            ColumnKind::Instant => Ty::Instant,
            ColumnKind::Text(d) => Ty::Text(self.dict(d)),
            ColumnKind::List(d) => Ty::List(self.dict(d)),
        }
    }

    fn trait_of(&mut self, name: &str) -> NodeId {
        let streams = self.streams;
        let Some(stream) = self.stream_index(names::IDENTIFY) else { return self.nothing() };
        let columns = &streams[stream as usize].columns;
        let Some(column) = columns.iter().position(|c| c.name == name) else { return self.nothing() };
        let ty = self.ty_of(&columns[column]);
        self.add(Op::Trait { stream, column: column as u32 }, ty)
    }

    fn prop(&mut self, name: &str) -> NodeId {
        let streams = self.streams;
        let Domain::Events(stream) = self.domain else { return self.nothing() };
        let columns = &streams[stream as usize].columns;
        let Some(column) = columns.iter().position(|c| c.name == name) else { return self.nothing() };
        let ty = self.ty_of(&columns[column]);
        self.add(Op::Prop { column: column as u32 }, ty)
    }

    fn age(&mut self) -> NodeId {
        let whole = Ty::Exact { scale: 0, dur: false };
        let birth = self.trait_of(names::BIRTH_DATE);
        let given = self.trait_of("age");
        let Ty::Text(dict) = self.ty(birth) else { return given };
        let entries = self.plan.dicts[dict as usize].clone();
        let mut dates = vec![i64::MIN];
        dates.extend((0..entries.len()).map(|i| entries.get(i).and_then(Date::parse).map_or(i64::MIN, |d| d.0.into())));
        self.plan.dates.push(Arc::new(dates));
        let dates = self.plan.dates.len() as u32 - 1;
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
                let mut codes: FxHashMap<String, u32> = FxHashMap::default();
                for ty in &types {
                    if let (Ty::Text(d), false) | (Ty::List(d), true) = (ty, is_list) {
                        let dict = self.plan.dicts[*d as usize].clone();
                        for i in 0..dict.len() {
                            let text = dict.get(i).unwrap_or("");
                            if !codes.contains_key(text) {
                                merged.push(Some(text));
                                codes.insert(text.to_string(), merged.len() as u32);
                            }
                        }
                    }
                }
                let target = self.dict(&Arc::new(merged));
                let ty = if is_list { Ty::List(target) } else { Ty::Text(target) };
                self.each_value(sources, |c, v| match (c.ty(v), is_list) {
                    (Ty::Text(d), false) | (Ty::List(d), true) => c.recode(v, d, target, ty),
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

    fn rank(&mut self, rank: &tree::Rank) -> NodeId {
        use tree::RankKind::*;
        let x = self.expr(&rank.x);
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

    fn recode(&mut self, arg: NodeId, from: u32, to: u32, ty: Ty) -> NodeId {
        if from == to {
            return arg;
        }
        let (a, b) = (self.plan.dicts[from as usize].clone(), self.plan.dicts[to as usize].clone());
        let codes: FxHashMap<&str, u32> = (0..b.len()).filter_map(|i| Some((b.get(i)?, i as u32 + 1))).collect();
        // What the other dictionary lacks gets a code that it never uses: known, but equal to nothing.
        let table = std::iter::once(0)
            .chain((0..a.len()).map(|i| a.get(i).and_then(|t| codes.get(t).copied()).unwrap_or(u32::MAX)));
        let table: Vec<u32> = table.collect();
        let index = self.plan.recodes.iter().position(|r| **r == table).unwrap_or_else(|| {
            self.plan.recodes.push(Arc::new(table));
            self.plan.recodes.len() - 1
        });
        self.add(Op::Recode(arg, index as u32), ty)
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
                let b = self.recode(b, e, d, Ty::Text(d));
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
        match (cmp, code) {
            (Cmp::Eq, None) => self.truth(false),
            (Cmp::Eq, Some(code)) => match self.node(a).op {
                Op::Int(c) => self.truth(c == i64::from(code)),
                _ => self.add(Op::CodeIs(a, code), Ty::Bool),
            },
            (_, None) => self.is_known(a),
            (_, Some(code)) => {
                let mut table = vec![1; entries.len() + 1];
                table[0] = 0;
                table[code as usize] = 0;
                self.code_in(a, table)
            }
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

    fn code_in(&mut self, a: NodeId, table: Vec<u8>) -> NodeId {
        if let Op::Int(code) = self.node(a).op {
            return self.truth(table.get(code as usize) == Some(&1));
        }
        let index = self.plan.truths.iter().position(|t| **t == table).unwrap_or_else(|| {
            self.plan.truths.push(Arc::new(table));
            self.plan.truths.len() - 1
        });
        self.add(Op::CodeIn(a, index as u32), Ty::Bool)
    }

    fn by_text(&mut self, a: &Expr, test: impl Fn(&str) -> bool) -> NodeId {
        self.by_text_or_item(a, test, None)
    }

    /// A condition on a text, or on one of the items of a list: asked once per dictionary entry.
    fn by_text_or_item(
        &mut self,
        a: &Expr,
        text: impl Fn(&str) -> bool,
        item: Option<&dyn Fn(&str) -> bool>,
    ) -> NodeId {
        let a = self.expr(a);
        let holds = |entry: &str, list: bool| match item {
            Some(item) if list => entry.split('\u{1f}').any(item),
            _ => text(entry),
        };
        let (dict, list) = match self.ty(a) {
            Ty::Text(d) => (d, false),
            Ty::List(d) if item.is_some() => (d, true),
            _ => return self.truth(false),
        };
        let entries = self.plan.dicts[dict as usize].clone();
        let mut table = vec![0];
        table.extend((0..entries.len()).map(|i| u8::from(holds(entries.get(i).unwrap_or(""), list))));
        if table.iter().all(|t| *t == 0) { self.truth(false) } else { self.code_in(a, table) }
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
