//! What a keystroke in the segment builder costs: the effects of a draft over a data directory (see bench/README.md).
//!
//! ```text
//! gyul-bench-effects --data DIR [--threads N] [--defs FILE] [--total amount]
//! ```
//! Each draft is asked about as somebody would build it: one condition more each time, then one number changed. A line of
//! JSON each, with wall and CPU time.

#[path = "../meter.rs"]
mod meter;

use gyul_engine::effects::{Effector, Question};
use gyul_engine::{Engine, View, schema_of, starter};
use gyul_segment::{form, syntax};
use std::path::PathBuf;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Conditions that are added one by one, and what the last one is changed to.
const DRAFTS: [(&str, &[&str], &str); 4] = [
    ("ordinary", &["count(order, last 30d) >= 2", "since(order) <= 90d", "gender = 'female'"], "age between 20 and 39"),
    (
        "amounts",
        &["sum(order.total, last 12mo) > 300000", "avg(order.total, last 5) > 50000"],
        "avg(order.total, last 5) > 60000",
    ),
    ("rank", &["consent(kakao)", "sum(order.total, last 12mo) in top 10%"], "sum(order.total, last 12mo) in top 20%"),
    (
        "sequence",
        &["count(view, last 7d) >= 3", "sequence(view -> cart -> order within 7d, last 90d)"],
        "sequence(view -> cart -> order within 3d, last 90d)",
    ),
];

fn main() {
    if let Err(e) = run() {
        eprintln!("gyul-bench-effects: {e}");
        std::process::exit(2);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1));
    if let Some(n) = flag("--threads") {
        rayon::ThreadPoolBuilder::new().num_threads(n.parse()?).build_global()?;
    }
    let says = |e: gyul_store::StoreError| e.message(gyul_model::Lang::En);
    let data = Engine::open(&PathBuf::from(flag("--data").ok_or("--data DIR")?)).map_err(says)?.load(None);
    let data = data.map_err(says)?;
    let schema = schema_of(&data);
    let mut base = starter();
    if let Some(path) = flag("--defs") {
        base.push((path.clone(), std::fs::read_to_string(path)?));
    }
    let total = flag("--total").map_or("total", String::as_str);
    let (library, _) = gyul_segment::load(&base, Some(&schema));
    let view = Arc::new(View::new(data, library));
    let at = view.period().ok_or("no events")?.1;
    let (effector, cost) = meter::measured(|| Effector::new(view));
    println!("{}", serde_json::json!({ "step": "open", "cost": cost }));
    for (name, conditions, changed) in DRAFTS {
        let mut steps: Vec<Vec<&str>> = (1..=conditions.len()).map(|n| conditions[..n].to_vec()).collect();
        let mut last = conditions.to_vec();
        last.pop();
        last.push(changed);
        steps.push(last.clone());
        steps.push(last);
        for (i, step) in steps.iter().enumerate() {
            let when = step.join(" and ").replace("order.total", &format!("order.{total}"));
            let mut files = base.clone();
            files.push((
                "segment/draft.yaml".into(),
                format!("version: 1\nsegments:\n  - id: draft\n    when: {when}\n"),
            ));
            let form = form::of(&syntax::parse(&when).0);
            let question = Question {
                files: &files,
                file: "segment/draft.yaml",
                id: "draft",
                form: &form,
                saved: None,
                other: None,
                at,
                schema: &schema,
                sample: 6,
            };
            let (e, cost) = meter::measured(|| effector.effects(&question));
            let what = if i + 1 == steps.len() { "again" } else { step.last().unwrap_or(&"") };
            let parts: Vec<_> = e.parts.iter().map(|p| (p.alone, p.without)).collect();
            println!(
                "{}",
                serde_json::json!({ "draft": name, "step": what, "size": e.size, "of": e.population, "parts": parts,
                    "problems": e.problems.len(), "ms": cost["wall"].as_f64().unwrap_or(0.0) * 1e3,
                    "cpu_ms": cost["cpu"].as_f64().unwrap_or(0.0) * 1e3 })
            );
        }
    }
    Ok(())
}
