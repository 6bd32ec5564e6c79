use super::*;
use crate::reference::trees::*;
use crate::tree::{AggOp, Cmp, Rank, RankKind, Type, Window};
use gyul_model::{Decimal, Duration, Lang, MICROS_DAY, Timeline};

fn said(when: Expr, source: &str, lang: Lang) -> String {
    let mut lib = library("Asia/Seoul", vec![when]);
    lib.segments[0].source = source.into();
    let total = [("total", Value::Num(Decimal::new(125, 1)))];
    let order = |ts| ("Order Completed", ts, &total[..]);
    let timelines: Vec<Timeline> = vec![
        timeline("kim", &[order("2026-03-01T00:00:00Z"), order("2026-03-03T00:00:00Z")]),
        timeline("lee", &[order("2026-03-02T00:00:00Z")]),
    ];
    let reference = Reference::new(&lib, &timelines, at("2026-03-15T00:00:00Z"), None);
    render(&why(&reference, What::Segment(0), 0), &lib.zone, lang)
}

fn orders(op: AggOp, value: Option<Expr>, days: i64) -> Expr {
    let after = Some(e(Kind::Ago(Duration::Exact(days * MICROS_DAY)), Type::Instant));
    let mut expr = agg(op, value, Window { after, until: None });
    if let Kind::Agg(a) = &mut expr.kind {
        a.select = of("Order Completed");
    }
    expr
}

fn n(n: i64) -> Expr {
    e(Kind::Num(n.into()), Type::Num)
}

#[test]
fn counts_read_as_people_say_them() {
    let when = || cmp(Cmp::Ge, orders(AggOp::Count, None, 30), n(2));
    assert_eq!(
        said(when(), "count(order, last 30d) >= 2", Lang::Ko),
        "✓ kim 고객은 s에 속합니다.\n  ✓ 최근 30일 안에 주문 2건 (기준: 2건 이상)\n    \
         \u{20}\u{20}2026-03-01 09:00  Order Completed\n      2026-03-03 09:00  Order Completed\n"
    );
    let text = said(when(), "count(order, last 30d) >= 2", Lang::En);
    assert!(text.contains("✓ 2 orders in the last 30 days (needs at least 2)"), "{text}");
}

#[test]
fn sums_show_the_property_and_recency_the_span() {
    let text = said(cmp(Cmp::Gt, orders(AggOp::Sum, Some(prop("total")), 365), n(1000)), "…", Lang::En);
    assert!(text.contains("✗ sum of order total in the last 365 days: 25 (needs more than 1,000)"), "{text}");
    assert!(text.contains("Order Completed  total 12.5"), "{text}");
    let last = orders(AggOp::LastAt, None, 365);
    let ago = e(Kind::Ago(Duration::Exact(30 * MICROS_DAY)), Type::Instant);
    let text = said(cmp(Cmp::Ge, last, ago), "since(order) <= 30d", Lang::Ko);
    assert!(text.contains("✓ 마지막 주문 후 12일 (기준: 30일 이하)"), "{text}");
}

#[test]
fn ranks_show_the_threshold() {
    let x = orders(AggOp::Count, None, 30);
    let kind = RankKind::Top(Decimal::from(50));
    let text = said(e(Kind::Rank(Box::new(Rank { kind, x, among: None })), Type::Bool), "…", Lang::En);
    assert!(text.contains("✓ top 50%: 2 (needs at least 2)"), "{text}");
}

#[test]
fn other_forms_fall_back_to_the_source_and_its_values() {
    let text = b(Kind::Trait("region".into()), Type::Any);
    let mut when = e(Kind::Not(b(Kind::Within(text, "KR".into()), Type::Bool)), Type::Bool);
    when.span = Span { start: 0, end: 22 };
    if let Kind::Not(a) = &mut when.kind {
        a.span = Span { start: 4, end: 22 };
        if let Kind::Within(r, _) = &mut a.kind {
            r.span = Span { start: 4, end: 10 };
        }
    }
    let text = said(when, "not region within 'KR'", Lang::En);
    assert!(text.contains("✓ not\n    ✗ region within 'KR' (region = unknown)"), "{text}");
}
