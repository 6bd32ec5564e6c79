//! `gyul check`: what is wrong with definitions, and what may not mean what was meant.

use crate::Context;
use crate::args::{CheckArgs, TextFormat};
use crate::definitions::read;
use crate::failure::{FINDINGS, Failure};
use crate::output::{json_text, print};
use gyul_engine::{Engine, View, schema_of};
use gyul_model::{Instant, MICROS_DAY, Zone};
use gyul_segment::{Facts, Problem, Severity};
use serde_json::json;

pub fn run(context: &Context, args: &CheckArgs) -> Result<u8, Failure> {
    let files = read(&args.defs)?;
    // With data at hand, names, windows and sizes are checked against what it has.
    let engine = Engine::open(&context.data).ok();
    let (data, left_out) = engine.as_ref().and_then(|e| e.load_counted(None).ok()).unzip();
    let left_out = left_out.flatten();
    let schema = data.as_ref().map(schema_of);
    let (library, problems) = gyul_segment::check(&files, schema.as_ref(), |library| {
        let (first, last) = engine.as_ref()?.range()?;
        // A window that is just as long as what a policy keeps has nothing to tell from: one day must lie before it.
        let first = left_out.as_ref().map_or(first, |l| first.max(Instant(l.from.0 + MICROS_DAY)));
        let counts = View::new(data?, library.clone()).counts(last);
        let population = counts.first()?.population;
        Some(Facts { first, last, population, sizes: counts.into_iter().map(|c| (c.id, c.customers)).collect() })
    });
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    print(&match args.format {
        TextFormat::Json => json_text(&problems.iter().map(|p| json_problem(context, p)).collect()),
        TextFormat::Text => {
            let shown: String = problems.iter().map(|p| p.render(context.lang) + "\n").collect();
            let classes: usize = library.partitions.iter().map(|p| p.classes.len() + 1).sum();
            let (s, p, m) = (library.segments.len(), library.partitions.len(), library.measures.len());
            let zone = engine.as_ref().and_then(|e| Zone::new(&e.manifest().zone)).unwrap_or_else(Zone::seoul);
            shown
                + &crate::policy::said(context.lang, left_out.as_ref(), &zone)
                + &context.lang.pick(
                    format!("세그먼트 {s}개, 분류 {p}개(등급 {classes}개), 지표 {m}개: 오류 {errors}개, 주의 {warnings}개\n"),
                    format!(
                        "{s} segments, {p} partitions ({classes} classes), {m} measures: {errors} errors, {warnings} warnings\n"
                    ),
                )
        }
    })?;
    Ok(if errors > 0 { FINDINGS } else { 0 })
}

fn json_problem(context: &Context, p: &Problem) -> serde_json::Value {
    let severity = if p.severity == Severity::Error { "error" } else { "warning" };
    json!({
        "severity": severity, "code": p.code, "file": p.file, "line": p.line, "column": p.column,
        "message": p.message(context.lang), "hint": p.hint(context.lang),
    })
}
