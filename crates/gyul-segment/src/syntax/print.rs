use super::parse::RESERVED;
use super::*;
use std::fmt::Write;

/// Writes an expression in its canonical form: what [`parse`](super::parse) reads back as the same tree.
pub fn print(ast: &Ast) -> String {
    let mut out = String::new();
    ast_in(ast, Level::Or, &mut out);
    out
}

/// How tightly the surroundings bind; looser things inside need parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
    Unary,
    Primary,
}

fn level(kind: &AstKind) -> Level {
    match kind {
        AstKind::Or(_) => Level::Or,
        AstKind::And(_) => Level::And,
        AstKind::Not(_) => Level::Not,
        AstKind::Rank { kind: RankWord::Quintile | RankWord::Percentile, .. } => Level::Primary,
        AstKind::Cmp(..)
        | AstKind::Between(..)
        | AstKind::In(..)
        | AstKind::IsKnown(_)
        | AstKind::IsUnknown(_)
        | AstKind::Test(..)
        | AstKind::Rank { .. } => Level::Compare,
        // Its `where` takes in all that follows up to `within`.
        AstKind::Near { event, within: None, .. } if event.filter.is_some() => Level::Or,
        AstKind::Near { .. } => Level::Not,
        AstKind::Arith(Arith::Add | Arith::Sub, ..) => Level::Sum,
        AstKind::Arith(..) => Level::Product,
        AstKind::Neg(_) => Level::Unary,
        AstKind::Num(n) if n.mantissa() < 0 => Level::Unary,
        _ => Level::Primary,
    }
}

fn ast_in(ast: &Ast, around: Level, out: &mut String) {
    let open = level(&ast.kind) < around;
    if open {
        out.push('(');
    }
    kind(&ast.kind, out);
    if open {
        out.push(')');
    }
}

fn kind(k: &AstKind, out: &mut String) {
    match k {
        AstKind::Wrong => out.push('?'),
        AstKind::Bool(b) => push(out, b),
        AstKind::Num(n) => push(out, n),
        AstKind::Percent(n) => push(out, format_args!("{n}%")),
        AstKind::Dur(d) => push(out, d),
        AstKind::Date(d) => push(out, d),
        AstKind::Instant(t) => push(out, t),
        AstKind::Text(t) => text(t, out),
        AstKind::Name(path) => {
            for (i, p) in path.iter().enumerate() {
                if i > 0 {
                    out.push('.');
                }
                if i == 0 && path.quoted { quoted(p, out) } else { name(p, i == 0, out) }
            }
        }
        AstKind::Agg(a) => {
            push(out, format_args!("{}(", a.func));
            ast_in(&a.arg, Level::Sum, out);
            if let Some(f) = &a.filter {
                out.push_str(" where ");
                ast_in(f, Level::Or, out);
            }
            for w in &a.windows {
                out.push_str(", ");
                window(w, out);
            }
            out.push(')');
        }
        AstKind::Sequence(s) => sequence(s, out),
        AstKind::Call(f, args) => {
            push(out, format_args!("{f}("));
            join(args, ", ", Level::Or, out);
            out.push(')');
        }
        AstKind::InSegment(s) => {
            out.push_str("in segment ");
            name(s, false, out);
        }
        AstKind::Occasion { name: n, within } => occasion("occasion ", n, *within, out),
        AstKind::Near { after, event: e, within } => {
            out.push_str(if *after { "followed by " } else { "preceded by " });
            event(e, out);
            if let Some(d) = within {
                push(out, format_args!(" within {d}"));
            }
        }
        AstKind::Rank { kind, x, among } => {
            match kind {
                RankWord::Quintile | RankWord::Percentile => {
                    out.push_str(if *kind == RankWord::Quintile { "quintile(" } else { "percentile(" });
                    ast_in(x, Level::Or, out);
                    out.push(')');
                }
                _ => ast_in(x, Level::Sum, out),
            }
            match kind {
                RankWord::Top(p) => push(out, format_args!(" in top {p}%")),
                RankWord::Bottom(p) => push(out, format_args!(" in bottom {p}%")),
                RankWord::AboveAverage => out.push_str(" above average"),
                RankWord::BelowAverage => out.push_str(" below average"),
                _ => {}
            }
            if let Some(a) = among {
                out.push_str(" among (");
                ast_in(a, Level::Or, out);
                out.push(')');
            }
        }
        AstKind::Not(a) => {
            out.push_str("not ");
            ast_in(a, Level::Not, out);
        }
        AstKind::And(list) => join(list, " and ", Level::Not, out),
        AstKind::Or(list) => join(list, " or ", Level::And, out),
        AstKind::Cmp(op, a, b) => {
            ast_in(a, Level::Sum, out);
            let sign = match op {
                Cmp::Eq => "=",
                Cmp::Ne => "!=",
                Cmp::Lt => "<",
                Cmp::Le => "<=",
                Cmp::Gt => ">",
                Cmp::Ge => ">=",
            };
            push(out, format_args!(" {sign} "));
            ast_in(b, Level::Sum, out);
        }
        AstKind::Between(x, a, b) => {
            ast_in(x, Level::Sum, out);
            out.push_str(" between ");
            ast_in(a, Level::Sum, out);
            out.push_str(" and ");
            ast_in(b, Level::Sum, out);
        }
        AstKind::In(x, list) => {
            ast_in(x, Level::Sum, out);
            out.push_str(" in (");
            join(list, ", ", Level::Sum, out);
            out.push(')');
        }
        AstKind::IsKnown(x) => {
            ast_in(x, Level::Sum, out);
            out.push_str(" is known");
        }
        AstKind::IsUnknown(x) => {
            ast_in(x, Level::Sum, out);
            out.push_str(" is unknown");
        }
        AstKind::Test(test, x, t) => {
            ast_in(x, Level::Sum, out);
            push(out, format_args!(" {} ", test.words()));
            text(t, out);
        }
        AstKind::Arith(op, a, b) => {
            let (sign, own, right) = match op {
                Arith::Add => ("+", Level::Sum, Level::Product),
                Arith::Sub => ("-", Level::Sum, Level::Product),
                Arith::Mul => ("*", Level::Product, Level::Unary),
                Arith::Div => ("/", Level::Product, Level::Unary),
            };
            ast_in(a, own, out);
            push(out, format_args!(" {sign} "));
            ast_in(b, right, out);
        }
        AstKind::Neg(a) => {
            out.push('-');
            // A negative number behind a minus would read as one.
            let level = if matches!(a.kind, AstKind::Num(_)) { Level::Primary } else { Level::Unary };
            if level == Level::Primary {
                out.push('(');
                kind(&a.kind, out);
                out.push(')');
            } else {
                ast_in(a, level, out);
            }
        }
    }
}

fn push(out: &mut String, x: impl std::fmt::Display) {
    let _ = write!(out, "{x}");
}

fn join(list: &[Ast], between: &str, around: Level, out: &mut String) {
    for (i, a) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        ast_in(a, around, out);
    }
}

fn text(t: &str, out: &mut String) {
    push(out, format_args!("'{}'", t.replace('\'', "''")));
}

fn name(n: &str, first: bool, out: &mut String) {
    let plain = n.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && n.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !(first && RESERVED.contains(&n));
    if plain { out.push_str(n) } else { quoted(n, out) }
}

fn quoted(n: &str, out: &mut String) {
    push(out, format_args!("\"{}\"", n.replace('"', "\"\"")));
}

fn event(e: &EventRef, out: &mut String) {
    if e.quoted {
        quoted(&e.name, out);
    } else {
        name(&e.name, true, out);
    }
    if let Some(f) = &e.filter {
        out.push_str(" where ");
        // Without parentheses it would take in what follows.
        out.push('(');
        ast_in(f, Level::Or, out);
        out.push(')');
    }
}

fn occasion(words: &str, n: &str, within: Duration, out: &mut String) {
    out.push_str(words);
    name(n, false, out);
    if within != Duration::Exact(0) {
        push(out, format_args!(" within {within}"));
    }
}

fn period(p: Period) -> &'static str {
    match p {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
        Period::Quarter => "quarter",
        Period::Year => "year",
    }
}

fn window(w: &WindowAst, out: &mut String) {
    match w {
        WindowAst::Last(d) => push(out, format_args!("last {d}")),
        WindowAst::LastCount(n) => push(out, format_args!("last {n}")),
        WindowAst::Between(a, b) => push(out, format_args!("between {a} and {b} ago")),
        WindowAst::Period(Period::Day, 0) => out.push_str("today"),
        WindowAst::Period(Period::Day, _) => out.push_str("yesterday"),
        WindowAst::Period(p, 0) => push(out, format_args!("this {}", period(*p))),
        WindowAst::Period(p, _) => push(out, format_args!("previous {}", period(*p))),
        WindowAst::SinceDate(d) => push(out, format_args!("since {d}")),
        WindowAst::SinceInstant(t) => push(out, format_args!("since {t}")),
        WindowAst::BeforeDate(d) => push(out, format_args!("before {d}")),
        WindowAst::BeforeInstant(t) => push(out, format_args!("before {t}")),
        WindowAst::SinceLast(e) => {
            out.push_str("since last ");
            event(e, out);
        }
        WindowAst::During(n, d) => occasion("during occasion ", n, *d, out),
        WindowAst::By(p) => push(out, format_args!("by {}", period(*p))),
    }
}

fn sequence(s: &Sequence, out: &mut String) {
    out.push_str(if s.whole { "sequence(" } else { "funnel_step(" });
    for (i, step) in s.steps.iter().enumerate() {
        if i > 0 {
            out.push_str(" -> ");
        }
        event(&step.event, out);
        if let Some(d) = step.within {
            push(out, format_args!(" in {d}"));
        }
        for w in &step.without {
            out.push_str(" without ");
            event(w, out);
        }
    }
    if let Some(d) = s.within {
        push(out, format_args!(" within {d}"));
    }
    if let Some(b) = &s.by {
        out.push_str(", by ");
        name(b, false, out);
    }
    for w in &s.windows {
        out.push_str(", ");
        window(w, out);
    }
    out.push(')');
}
