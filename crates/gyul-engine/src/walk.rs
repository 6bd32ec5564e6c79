//! A walk over everything that an expression rests on.

use gyul_segment::tree::{EventSelect, Expr, Kind, Library, Window};

/// Calls `f` for the expression and all below it, through measures, segments, classes and ranks.
pub(crate) fn walk<'a>(lib: &'a Library, e: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(e);
    match &e.kind {
        Kind::Measure(i) => walk(lib, &lib.measures[*i].expr, f),
        Kind::InSegment(i) => walk(lib, &lib.segments[*i].when, f),
        Kind::InClass { partition, .. } => {
            lib.partitions[*partition].classes.iter().for_each(|c| walk(lib, &c.when, f));
        }
        Kind::Rank(r) => {
            walk(lib, &r.x, f);
            r.among.iter().for_each(|a| walk(lib, a, f));
        }
        Kind::Agg(agg) => {
            agg.value.iter().for_each(|v| walk(lib, v, f));
            select(lib, &agg.select, f);
            window(lib, &agg.window, f);
        }
        Kind::Pattern(p) => {
            for step in &p.steps {
                select(lib, &step.select, f);
                step.without.iter().for_each(|s| select(lib, s, f));
            }
            window(lib, &p.window, f);
        }
        Kind::Near(near) => select(lib, &near.select, f),
        _ => e.operands().into_iter().for_each(|e| walk(lib, e, f)),
    }
}

fn select<'a>(lib: &'a Library, s: &'a EventSelect, f: &mut dyn FnMut(&'a Expr)) {
    s.filter.iter().for_each(|e| walk(lib, e, f));
}

fn window<'a>(lib: &'a Library, w: &'a Window, f: &mut dyn FnMut(&'a Expr)) {
    w.after.iter().chain(&w.until).for_each(|e| walk(lib, e, f));
}
