//! What looks at the data: streams and columns by name, dictionaries, aggregates, patterns and ranks.

use super::Compiler;
use crate::changes::flows;
use crate::grow::{Table, add_missing, date};
use crate::plan::*;
use gyul_model::{ColumnKind, TextColumn, names};
use gyul_segment::tree::{self, AggOp, Arith, EventSelect, Expr, Kind, Names};
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn stream_index(&mut self, name: &str) -> Option<u32> {
        if let Some(growth) = &mut self.plan.growth
            && !growth.asked.streams.contains(name)
        {
            growth.asked.streams.insert(name.to_string());
        }
        self.streams.iter().position(|s| s.name == name).map(|i| i as u32)
    }

    pub(super) fn column_index(&mut self, stream: u32, name: &str) -> Option<u32> {
        if let Some(growth) = &mut self.plan.growth {
            growth.asked.columns.insert((stream, name.to_string()));
        }
        let columns = &self.streams[stream as usize].columns;
        columns.iter().position(|c| c.name == name).map(|i| i as u32)
    }

    pub(super) fn dict(&mut self, dict: &Arc<TextColumn>) -> u32 {
        let dicts = &mut self.plan.dicts;
        *self.dict_ids.entry(Arc::as_ptr(dict)).or_insert_with(|| {
            dicts.push(dict.clone());
            dicts.len() as u32 - 1
        })
    }

    /// A column's dictionary. Those of live data grow one by one, even if they are shared now.
    pub(super) fn column_dict(&mut self, stream: u32, column: u32, dict: &Arc<TextColumn>) -> u32 {
        let Some(growth) = &mut self.plan.growth else { return self.dict(dict) };
        if let Some((id, _)) = growth.owners.iter().find(|(_, o)| **o == (stream, column)) {
            return *id;
        }
        self.plan.dicts.push(dict.clone());
        let id = self.plan.dicts.len() as u32 - 1;
        growth.owners.insert(id, (stream, column));
        id
    }

    pub(super) fn ty_of(&mut self, stream: u32, column: u32) -> Ty {
        let streams = self.streams;
        match &streams[stream as usize].columns[column as usize].kind {
            ColumnKind::Bool => Ty::Flag,
            ColumnKind::Num { scale } => Ty::Exact { scale: *scale, dur: false },
            ColumnKind::Instant => Ty::Instant,
            ColumnKind::Text(d) => Ty::Text(self.column_dict(stream, column, d)),
            ColumnKind::List(d) => Ty::List(self.column_dict(stream, column, d)),
        }
    }

    pub(super) fn trait_of(&mut self, name: &str) -> NodeId {
        let Some(stream) = self.stream_index(names::IDENTIFY) else { return self.nothing() };
        let Some(column) = self.column_index(stream, name) else { return self.nothing() };
        let ty = self.ty_of(stream, column);
        self.add(Op::Trait { stream, column }, ty)
    }

    pub(super) fn prop(&mut self, name: &str) -> NodeId {
        let Domain::Events(stream) = self.domain else { return self.nothing() };
        let Some(column) = self.column_index(stream, name) else { return self.nothing() };
        let ty = self.ty_of(stream, column);
        self.add(Op::Prop { column }, ty)
    }

    pub(super) fn age(&mut self) -> NodeId {
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
    pub(super) fn sources(&mut self, select: &EventSelect, value: Option<&Expr>) -> Vec<Source> {
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

    pub(super) fn bounds(&mut self, window: &tree::Window) -> Bounds {
        let mut end = |e: &Option<Expr>| {
            e.as_ref().map(|e| {
                let id = self.expr(e);
                if self.ty(id) == Ty::Instant { id } else { self.nothing() }
            })
        };
        Bounds { after: end(&window.after), until: end(&window.until) }
    }

    pub(super) fn agg(&mut self, agg: &tree::Agg) -> NodeId {
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
    pub(super) fn common_value(&mut self, sources: &mut [Source], op: AggOp) -> Ty {
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

    pub(super) fn each_value(&mut self, sources: &mut [Source], f: impl Fn(&mut Self, NodeId) -> NodeId) {
        let outer = self.domain;
        for s in sources {
            self.domain = Domain::Events(s.stream);
            s.value = s.value.map(|v| f(self, v));
        }
        self.domain = outer;
    }

    pub(super) fn pattern(&mut self, p: &tree::Pattern) -> NodeId {
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
    pub(super) fn at_rest(&mut self, x: NodeId) -> NodeId {
        match self.node(x).op {
            Op::Arith(Arith::Sub, now, y) if matches!(self.node(now).op, Op::Now) && !flows(&self.plan, y) => {
                let ty = self.ty(x);
                let origin = self.add(Op::Int(0), Ty::Instant);
                self.add(Op::Arith(Arith::Sub, origin, y), ty)
            }
            _ => x,
        }
    }
}
