//! What works on values: scales and codes brought together, comparisons, membership in lists, arithmetic.

use super::{Compiler, operands};
use crate::changes::flows;
use crate::grow::{Table, Test, recoded};
use crate::plan::*;
use gyul_model::{Decimal, POW10};
use gyul_segment::tree::{AggOp, Arith, Cmp, Expr};
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn rescale(&mut self, arg: NodeId, from: u8, to: u8, dur: bool) -> NodeId {
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

    pub(super) fn as_real(&mut self, arg: NodeId, dur: bool) -> NodeId {
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

    pub(super) fn recode(&mut self, arg: NodeId, from: u32, to: u32, ty: Ty, union: bool) -> NodeId {
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

    pub(super) fn live(&self) -> bool {
        self.plan.growth.is_some()
    }

    pub(super) fn grows(&mut self, table: Table) {
        self.plan.growth.iter_mut().for_each(|g| g.tables.push(table.clone()));
    }

    pub(super) fn cmp(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
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
    pub(super) fn poles(&mut self, id: NodeId, out: &mut Vec<NodeId>) {
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

    pub(super) fn compared(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
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
    pub(super) fn existence(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> Option<NodeId> {
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
    pub(super) fn cmp_bool(&mut self, cmp: Cmp, a: NodeId, b: NodeId) -> NodeId {
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

    pub(super) fn cmp_text_const(&mut self, cmp: Cmp, a: NodeId, dict: u32, constant: u32) -> NodeId {
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

    pub(super) fn is_known(&mut self, a: NodeId) -> NodeId {
        match (self.ty(a), &self.node(a).op) {
            (Ty::Nothing, _) => self.truth(false),
            (Ty::Bool, _) => self.truth(true),
            (_, &Op::Int(x)) => self.truth(x > i64::MIN),
            _ => self.add(Op::IsKnown(a), Ty::Bool),
        }
    }

    /// A condition on a text: asked once per entry of its dictionary.
    pub(super) fn code_in(&mut self, a: NodeId, dict: u32, test: Test) -> NodeId {
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

    pub(super) fn by_text(&mut self, a: &Expr, test: Test) -> NodeId {
        self.by_text_or_item(a, test, None)
    }

    /// A condition on a text, or on one of the items of a list.
    pub(super) fn by_text_or_item(&mut self, a: &Expr, text: Test, item: Option<Test>) -> NodeId {
        let a = self.expr(a);
        match (self.ty(a), item) {
            (Ty::Text(d), _) => self.code_in(a, d, text),
            (Ty::List(d), Some(item)) => self.code_in(a, d, Arc::new(move |t| t.split('\u{1f}').any(|i| item(i)))),
            _ => self.truth(false),
        }
    }

    pub(super) fn in_num(&mut self, a: &Expr, list: &[Decimal]) -> NodeId {
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

    pub(super) fn arith(&mut self, op: Arith, a: NodeId, b: NodeId) -> NodeId {
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
