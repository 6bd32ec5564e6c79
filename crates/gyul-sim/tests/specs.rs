//! The pages in `specs/` hold for both evaluators. `UPDATE_SPECS=1` rewrites what they expect, by the reference.

use gyul_model::{Duration, Instant, MICROS_DAY, Occasions, Snapshot, Timeline, Zone};
use gyul_segment::tree::*;
use gyul_sim::spec::{self, Members};
use gyul_timeline::{Plan, Timelines};
use std::path::PathBuf;

fn load(text: &str) -> Result<Library, String> {
    let (library, problems) = gyul_segment::load(&[("page".to_string(), text.to_string())], None);
    let errors: String = problems.iter().map(|p| p.render(gyul_model::Lang::En)).collect();
    if errors.is_empty() { Ok(library) } else { Err(errors) }
}

fn by_fast(library: &Library, timelines: &[Timeline], at: Instant) -> Members {
    let data = Snapshot::from_timelines(timelines, 3);
    let plan = Plan::compile(library, &data.streams);
    let fast = Timelines::new(data);
    let answers = fast.evaluate(&plan, at);
    let who = |bits: &gyul_timeline::Bits| bits.iter().map(|n| fast.customer_id(n).to_string()).collect();
    let segments = library.segments.iter().zip(&answers.segments).map(|(s, bits)| (s.id.clone(), who(bits)));
    let mut out: Members = segments.collect();
    for (p, partition) in library.partitions.iter().enumerate() {
        for (id, bits) in spec::classes(library, p).into_iter().zip(&answers.partitions[p]) {
            out.push((format!("{}/{id}", partition.id), who(bits)));
        }
    }
    out
}

fn pages() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let entries = std::fs::read_dir(folder).expect("specs/ is there");
    let mut pages: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.sort();
    pages
}

#[test]
fn every_page_holds_for_both_evaluators() {
    assert!(pages().len() >= 8, "pages are missing");
    let mut wrong = String::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a readable page");
        if std::env::var_os("UPDATE_SPECS").is_some() {
            let fresh = spec::updated(&page, &load, &spec::by_reference).expect("a page that evaluates");
            std::fs::write(&path, fresh).expect("a writable page");
            continue;
        }
        for (who, result) in
            [("reference", spec::run(&page, &load, &spec::by_reference)), ("fast", spec::run(&page, &load, &by_fast))]
        {
            if let Err(e) = result {
                wrong += &format!("{} by the {who} evaluator\n{e}\n", path.display());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// One segment, `count(order, last 7d) >= 1`, whatever the text.
fn weekly(_: &str) -> Result<Library, String> {
    let e = |kind, ty| Expr { kind, ty, span: Span::default() };
    let select = EventSelect { events: Names::Of(vec!["Order Completed".into()]), filter: None };
    let after = Some(e(Kind::Ago(Duration::Exact(7 * MICROS_DAY)), Type::Instant));
    let window = Window { after, until: None };
    let count = Agg { op: AggOp::Count, select, value: None, window, last: None };
    let (count, one) = (e(Kind::Agg(Box::new(count)), Type::Num), e(Kind::Num(1.into()), Type::Num));
    let when = e(Kind::Cmp(Cmp::Ge, Box::new(count), Box::new(one)), Type::Bool);
    Ok(Library {
        zone: Zone::seoul(),
        currency: "KRW".into(),
        occasions: Occasions::none(),
        measures: vec![],
        segments: vec![Segment { id: "week".into(), about: About::default(), when, source: String::new() }],
        partitions: vec![],
    })
}

#[test]
fn a_page_that_is_wrong_says_where() {
    let page = |members: &str| {
        format!(
            "# A page\n```timeline\nkim\n  2026-03-01 09:00 order\nlee\n  2026-03-01 09:01 order\n```\n\
             ```yaml\nweek\n```\n```members at 2026-03-08 09:00\n{members}```\nEnd.\n"
        )
    };
    for evaluator in [&spec::by_reference as spec::Evaluator, &by_fast] {
        assert_eq!(spec::run(&page("week: lee\n"), &weekly, evaluator), Ok(()));
        let wrong = spec::run(&page("week: kim, lee\n"), &weekly, evaluator).unwrap_err();
        assert_eq!(wrong, "line 12:\n  expected  week: kim, lee\n  got       week: lee\n");
        assert_eq!(spec::updated(&page(""), &weekly, evaluator), Ok(page("week: lee\n")));
        assert!(spec::run(&page("weak: lee\n"), &weekly, evaluator).unwrap_err().contains("no segment 'weak'"));
        assert!(spec::run("# Nothing\n", &weekly, evaluator).is_err());
    }
}

#[test]
fn the_timelines_of_every_page_can_be_read() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a readable page");
        for block in page.split("```timeline\n").skip(1) {
            let text = block.split("```").next().unwrap_or("");
            let read = spec::timelines(text, &Zone::seoul());
            assert!(read.as_ref().is_ok_and(|t| !t.is_empty()), "{}: {read:?}", path.display());
        }
    }
}
