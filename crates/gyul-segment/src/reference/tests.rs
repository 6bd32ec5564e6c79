use super::trees::*;
use super::*;
use crate::tree::{AggOp, Direction, Pattern, RankKind, Step, Type};
use gyul_model::{Decimal, Duration, MICROS_DAY, MICROS_HOUR, Period};

const NOW: &str = "2026-03-15T00:00:00Z";

/// The value of an expression for one customer.
fn value(zone: &str, t: &Timeline, now: &str, expr: Expr) -> Option<Val> {
    let lib = measured(library(zone, vec![]), expr);
    let timelines = [t.clone()];
    Reference::new(&lib, &timelines, at(now), None).value(&lib.measures[0].expr, 0)
}

fn holds(t: &Timeline, when: Expr) -> bool {
    value("Asia/Seoul", t, NOW, when) == Some(Val::Bool(true))
}

/// Some orders around the first of March: `(ts, total)`, in order.
fn shop(seed: u64) -> (Timeline, Vec<(i64, Option<i64>)>) {
    let mut x = seed;
    let mut next = |n: u64| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) % n
    };
    let n = next(7);
    let mut orders: Vec<(i64, Option<i64>)> = (0..n)
        .map(|_| {
            (at("2026-03-10T00:00:00Z").0 + next(20) as i64 * 6 * MICROS_HOUR, (next(4) > 0).then(|| next(4) as i64))
        })
        .collect();
    orders.sort_by_key(|o| o.0);
    let events = orders.iter().enumerate().map(|(i, (ts, total))| Event {
        ts: Instant(*ts),
        seq: i as u64,
        name: "order".into(),
        props: total.iter().map(|v| ("total".into(), Value::from(*v))).collect(),
    });
    (Timeline::new("c", events.collect()), orders)
}

#[test]
fn every_aggregate_equals_its_one_line_oracle() {
    let whole = |n: usize| Some(Val::Num(Number::whole(n as i64)));
    let exact = |n: i64| Val::Num(Number::whole(n));
    let dur = |n: i64| Val::Dur(Number::whole(n));
    for seed in 0..200 {
        let (t, all) = shop(seed);
        let now = at("2026-03-13T12:00:00Z").0;
        // What is visible, in a window of two days.
        let o: Vec<(i64, Option<i64>)> = all.into_iter().filter(|o| now - 2 * MICROS_DAY < o.0 && o.0 <= now).collect();
        let known: Vec<i64> = o.iter().filter_map(|o| o.1).collect();
        let gaps: Vec<i64> = o.windows(2).map(|w| w[1].0 - w[0].0).collect();
        let got = |op: AggOp, valued: bool| {
            let after = Some(e(Kind::Ago(Duration::Exact(2 * MICROS_DAY)), Type::Instant));
            let expr = agg(op, valued.then(|| prop("total")), Window { after, until: None });
            value("UTC", &t, "2026-03-13T12:00:00Z", expr)
        };
        let days: std::collections::BTreeSet<i64> = o.iter().map(|o| o.0 / MICROS_DAY).collect();
        assert_eq!(got(AggOp::Count, false), whole(o.len()));
        assert_eq!(got(AggOp::Sum, true), Some(exact(known.iter().sum())));
        let mean = known.iter().sum::<i64>() as f64 / known.len() as f64;
        assert_eq!(got(AggOp::Avg, true), Number::quotient(mean).map(Val::Num));
        assert_eq!(got(AggOp::Min, true), known.iter().min().map(|n| exact(*n)));
        assert_eq!(got(AggOp::Max, true), known.iter().max().map(|n| exact(*n)));
        assert_eq!(got(AggOp::Distinct, true), whole((0..4).filter(|v| known.contains(v)).count()));
        assert_eq!(got(AggOp::First, true), o.first().and_then(|o| o.1).map(exact));
        assert_eq!(got(AggOp::Last, true), o.last().and_then(|o| o.1).map(exact));
        let often = |v: &i64| (known.iter().filter(|w| *w == v).count(), known.iter().rposition(|w| w == v));
        assert_eq!(got(AggOp::Mode, true), (0..4).filter(|v| known.contains(v)).max_by_key(often).map(exact));
        assert_eq!(got(AggOp::FirstAt, false), o.first().map(|o| Val::Instant(o.0)));
        assert_eq!(got(AggOp::LastAt, false), o.last().map(|o| Val::Instant(o.0)));
        assert_eq!(got(AggOp::LongestGap, false), gaps.iter().max().map(|g| dur(*g)));
        let mean = Number::quotient(gaps.iter().sum::<i64>() as f64 / gaps.len() as f64);
        assert_eq!(got(AggOp::AverageGap, false), mean.map(Val::Dur));
        assert_eq!(got(AggOp::Days, false), whole(days.len()));
        let today = now / MICROS_DAY;
        let from = if days.contains(&today) { today } else { today - 1 };
        let run = (0..).take_while(|k| days.contains(&(from - k))).count();
        assert_eq!(got(AggOp::Streak(Period::Day), false), whole(run));
    }
}

#[test]
fn of_nothing_count_and_sum_are_zero_and_the_rest_is_unknown() {
    let t = timeline("c", &[("visit", "2026-03-01T00:00:00Z", &[])]);
    let got = |op| value("UTC", &t, NOW, agg(op, Some(prop("total")), Window::default()));
    for op in [AggOp::Count, AggOp::Sum, AggOp::Distinct, AggOp::Days, AggOp::Streak(Period::Week)] {
        assert_eq!(got(op), Some(num("0")), "{op:?}");
    }
    use AggOp::*;
    for op in [Avg, Min, Max, First, Last, Mode, FirstAt, LastAt, LongestGap, AverageGap] {
        assert_eq!(got(op), None, "{op:?}");
    }
}

#[test]
fn an_unknown_makes_a_comparison_false_and_its_negation_true() {
    let t = timeline("c", &[("identify", "always", &[("age", 30.into()), ("vip", Value::Bool(false))])]);
    let x = |name: &str| trait_of(name);
    let n = |n: i64| e(Kind::Num(Decimal::from(n)), Type::Num);
    let not = |w: Expr| e(Kind::Not(Box::new(w)), Type::Bool);
    for op in [Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge] {
        assert!(!holds(&t, cmp(op, x("never"), n(0))), "{op:?}");
        assert!(holds(&t, not(cmp(op, x("never"), n(0)))), "{op:?}");
        // Another type counts as unknown.
        assert!(!holds(&t, cmp(op, x("age"), e(Kind::Text("30".into()), Type::Text))), "{op:?}");
    }
    assert!(holds(&t, cmp(Cmp::Ne, x("age"), n(29))));
    assert!(holds(&t, e(Kind::IsKnown(Box::new(x("age"))), Type::Bool)));
    assert!(!holds(&t, e(Kind::IsKnown(Box::new(x("never"))), Type::Bool)));
    // Bool traits: unknown is false as a condition, and compares with nothing.
    let is = |name, b| cmp(Cmp::Eq, x(name), e(Kind::Bool(b), Type::Bool));
    assert!(!holds(&t, x("vip")) && !holds(&t, x("never")));
    assert!(holds(&t, is("vip", false)) && !holds(&t, is("never", false)));
    // Division by zero is unknown, so is what is calculated with it.
    let div = e(Kind::Arith(Arith::Div, Box::new(n(1)), Box::new(n(0))), Type::Num);
    assert_eq!(value("UTC", &t, NOW, div.clone()), None);
    assert_eq!(value("UTC", &t, NOW, e(Kind::Arith(Arith::Add, Box::new(div), Box::new(n(1))), Type::Num)), None);
}

#[test]
fn windows_are_open_at_the_old_end_and_closed_at_the_new() {
    let t = timeline("c", &[("order", "2026-03-01T00:00:00Z", &[])]);
    let n = |now: &str, after: Kind| value("UTC", &t, now, count_after(after));
    let week = || Kind::Ago(Duration::Exact(7 * MICROS_DAY));
    assert_eq!(n("2026-02-28T23:59:59.999999Z", week()), Some(num("0")));
    assert_eq!(n("2026-03-01T00:00:00Z", week()), Some(num("1")));
    assert_eq!(n("2026-03-07T23:59:59.999999Z", week()), Some(num("1")));
    assert_eq!(n("2026-03-08T00:00:00Z", week()), Some(num("0")));
    // A window since something that never happened is empty.
    assert_eq!(n(NOW, Kind::Trait("never".into())), Some(num("0")));
}

#[test]
fn calendar_windows_over_month_ends_leap_days_and_clock_changes() {
    let t = timeline("c", &[("order", "2024-02-29T12:00:00Z", &[])]);
    let n = |zone, now: &str, after: Kind| value(zone, &t, now, count_after(after)) == Some(num("1"));
    // A month before 31 March is 29 February in a leap year, at the same wall-clock time.
    assert!(n("UTC", "2024-03-31T11:59:59Z", months_ago(1)));
    assert!(!n("UTC", "2024-03-31T12:00:00Z", months_ago(1)));
    assert!(!n("UTC", "2024-03-29T12:00:00Z", months_ago(1)));
    assert!(n("UTC", "2025-02-28T11:59:59Z", months_ago(12)));
    // New York springs forward on 10 March 2024: noon UTC was 07:00, and is 11:00 UTC afterwards.
    assert!(n("America/New_York", "2024-03-29T10:59:59Z", months_ago(1)));
    assert!(!n("America/New_York", "2024-03-29T11:00:00Z", months_ago(1)));
    // `this month` in Seoul ends nine hours earlier than in UTC.
    let this_month = || Kind::EndOf { period: Period::Month, back: 1 };
    assert!(n("Asia/Seoul", "2024-02-29T14:59:59Z", this_month()));
    assert!(!n("Asia/Seoul", "2024-02-29T15:00:00Z", this_month()));
    // The short day of New York has 23 hours, the long one 25.
    let t = timeline("c", &[("order", "2024-03-10T04:59:59Z", &[]), ("order", "2024-11-03T04:00:00Z", &[])]);
    let today = || count_after(Kind::EndOf { period: Period::Day, back: 1 });
    let n = |now: &str| value("America/New_York", &t, now, today());
    assert_eq!(n("2024-03-10T05:00:00Z"), Some(num("0")));
    assert_eq!(n("2024-11-03T04:00:00Z"), Some(num("1")));
    assert_eq!(n("2024-11-04T04:59:59Z"), Some(num("1")));
    assert_eq!(n("2024-11-04T05:00:00Z"), Some(num("0")));
}

#[test]
fn chuseok_follows_the_moon() {
    // 2024: 17 September; 2025: 6 October.
    let near = |now: &str, days| {
        let date = b(Kind::Today, Type::Date);
        let t = timeline("c", &[("identify", "always", &[("x", 1.into())])]);
        let when = e(Kind::NearOccasion { date, occasion: "chuseok".into(), days }, Type::Bool);
        value("Asia/Seoul", &t, now, when) == Some(Val::Bool(true))
    };
    assert!(near("2024-09-16T15:00:00Z", 0) && !near("2024-09-16T14:59:59Z", 0));
    assert!(near("2025-10-03T03:00:00Z", 3) && !near("2025-10-02T03:00:00Z", 3));
    assert!(!near("2025-09-17T03:00:00Z", 3));
}

#[test]
fn ages_change_on_the_local_birthday() {
    let t = timeline("c", &[("identify", "always", &[("birth_date", Value::text("2000-02-29")), ("age", 7.into())])]);
    let age = |t: &Timeline, now: &str| value("Asia/Seoul", t, now, e(Kind::Age, Type::Num));
    assert_eq!(age(&t, "2026-02-28T14:59:59Z"), Some(num("25")));
    assert_eq!(age(&t, "2026-02-28T15:00:00Z"), Some(num("26")));
    let t = timeline("c", &[("identify", "always", &[("birth_date", Value::text("?")), ("age", 7.into())])]);
    assert_eq!(age(&t, NOW), Some(num("7")));
}

#[test]
fn streaks_may_wait_for_the_current_period() {
    let t = timeline("c", &[("order", "2026-03-02T00:00:00Z", &[]), ("order", "2026-03-10T00:00:00Z", &[])]);
    let weeks = |now: &str| value("UTC", &t, now, agg(AggOp::Streak(Period::Week), None, Window::default()));
    assert_eq!(weeks("2026-03-15T23:59:59Z"), Some(num("2")));
    assert_eq!(weeks("2026-03-22T23:59:59Z"), Some(num("2")));
    assert_eq!(weeks("2026-03-23T00:00:00Z"), Some(num("0")));
}

#[test]
fn ties_come_into_a_rank_together() {
    let points = [1, 2, 2, 3, 3];
    let mut timelines: Vec<Timeline> = points
        .iter()
        .enumerate()
        .map(|(i, p)| timeline(&format!("c{i}"), &[("identify", "always", &[("points", (*p).into())])]))
        .collect();
    timelines.push(timeline("without", &[("identify", "always", &[("x", 1.into())])]));
    let rank = |kind| {
        let x = trait_of("points");
        let lib = measured(library("UTC", vec![]), e(Kind::Rank(Box::new(Rank { kind, x, among: None })), Type::Any));
        let reference = Reference::new(&lib, &timelines, at(NOW), None);
        (0..6).map(|c| reference.value(&lib.measures[0].expr, c)).collect::<Vec<_>>()
    };
    let bools = |list: [u8; 6]| list.iter().map(|b| Some(Val::Bool(*b == 1))).collect::<Vec<_>>();
    let nums = |list: [&str; 5]| list.iter().map(|t| Some(num(t))).chain([None]).collect::<Vec<_>>();
    let p = |n: i64| Decimal::from(n);
    assert_eq!(rank(RankKind::Top(p(1))), bools([0, 0, 0, 1, 1, 0]));
    assert_eq!(rank(RankKind::Top(p(60))), bools([0, 1, 1, 1, 1, 0]));
    assert_eq!(rank(RankKind::Bottom(p(20))), bools([1, 0, 0, 0, 0, 0]));
    assert_eq!(rank(RankKind::Bottom(p(21))), bools([1, 1, 1, 0, 0, 0]));
    // The mean is 2.2.
    assert_eq!(rank(RankKind::AboveAverage), bools([0, 0, 0, 1, 1, 0]));
    assert_eq!(rank(RankKind::BelowAverage), bools([1, 1, 1, 0, 0, 0]));
    assert_eq!(rank(RankKind::Quintile), nums(["1", "2", "2", "4", "4"]));
    assert_eq!(rank(RankKind::Percentile), nums(["0", "20", "20", "60", "60"]));
}

/// How far `view -> cart -> order` gets, with the limits that `change` sets.
fn reached(events: &[Seen], change: impl Fn(&mut Pattern)) -> Option<Val> {
    let step = |name: &str| Step { select: of(name), within: None, without: vec![] };
    let steps = vec![step("view"), step("cart"), step("order")];
    let mut p = Pattern { steps, within: None, by: None, window: Window::default() };
    change(&mut p);
    value("UTC", &timeline("c", events), NOW, e(Kind::Pattern(Box::new(p)), Type::Num))
}

#[test]
fn sequences_with_their_limits() {
    let day = |d: u32| format!("2026-03-{d:02}T00:00:00Z");
    let days: Vec<String> = (0..15).map(day).collect();
    let p1: Props = &[("p", Value::text("1"))];
    let p2: Props = &[("p", Value::text("2"))];
    let seen = |d: usize, name: &'static str, props: Props<'static>| (name, d, props);
    let run = |list: &[(&'static str, usize, Props)], change: &dyn Fn(&mut Pattern)| {
        let events: Vec<Seen> = list.iter().map(|(name, d, props)| (*name, days[*d].as_str(), *props)).collect();
        reached(&events, change)
    };
    let plain = [seen(1, "view", &[]), seen(3, "cart", &[]), seen(5, "order", &[])];
    assert_eq!(run(&plain, &|_| {}), Some(num("3")));
    // Strictly later each.
    assert_eq!(run(&[seen(1, "view", &[]), seen(1, "cart", &[])], &|_| {}), Some(num("1")));
    assert_eq!(run(&[seen(1, "cart", &[])], &|_| {}), Some(num("0")));
    // First to last, inclusive.
    assert_eq!(run(&plain, &|p| p.within = Some(4 * MICROS_DAY)), Some(num("3")));
    assert_eq!(run(&plain, &|p| p.within = Some(4 * MICROS_DAY - 1)), Some(num("2")));
    assert_eq!(run(&plain, &|p| p.steps[1].within = Some(2 * MICROS_DAY - 1)), Some(num("1")));
    // A later start is as good as the first.
    let again = [seen(1, "view", &[]), seen(4, "view", &[]), seen(5, "cart", &[]), seen(6, "order", &[])];
    assert_eq!(run(&again, &|p| p.within = Some(2 * MICROS_DAY)), Some(num("3")));
    // None of these in between, ends aside.
    let refund = [seen(1, "view", &[]), seen(2, "refund", &[]), seen(3, "cart", &[]), seen(5, "order", &[])];
    assert_eq!(run(&refund, &|p| p.steps[1].without = vec![of("refund")]), Some(num("1")));
    assert_eq!(run(&refund, &|p| p.steps[2].without = vec![of("refund")]), Some(num("3")));
    // The same value all along.
    let mixed = [("view", 1, p1), ("cart", 2, p2), ("order", 3, p1)];
    assert_eq!(run(&mixed, &|p| p.by = Some("p".into())), Some(num("1")));
    let same = [("view", 1, p1), ("view", 2, p2), ("cart", 3, p1), ("order", 4, p1)];
    assert_eq!(run(&same, &|p| p.by = Some("p".into())), Some(num("3")));
    assert_eq!(run(&plain, &|p| p.by = Some("p".into())), Some(num("0")));
}

#[test]
fn neighbours_are_looked_for_on_the_right_side() {
    let t = timeline(
        "c",
        &[("order", "2026-03-01T00:00:00Z", &[]), ("refund", "2026-03-02T00:00:00Z", &[]), ("order", NOW, &[])],
    );
    let n = |direction, within| {
        let near = Near { direction, select: of("refund"), within };
        let mut expr = agg(AggOp::Count, None, Window::default());
        if let Kind::Agg(a) = &mut expr.kind {
            a.select.filter = Some(e(Kind::Near(Box::new(near)), Type::Bool));
        }
        value("UTC", &t, NOW, expr)
    };
    assert_eq!(n(Direction::After, Some(MICROS_DAY)), Some(num("1")));
    assert_eq!(n(Direction::After, Some(MICROS_DAY - 1)), Some(num("0")));
    assert_eq!(n(Direction::Before, Some(MICROS_DAY)), Some(num("0")));
    assert_eq!(n(Direction::Before, None), Some(num("1")));
}

#[test]
fn what_arrived_later_was_not_known_earlier() {
    let timelines = [
        timeline("late", &[("view", "2026-03-02T00:00:00Z", &[]), ("order", "2026-03-01T00:00:00Z", &[])]),
        timeline("undated", &[("identify", "always", &[("x", 1.into())])]),
        timeline("future", &[("order", "2026-04-01T00:00:00Z", &[])]),
        timeline("nobody", &[]),
    ];
    let lib = library("UTC", vec![cmp(Cmp::Ge, count_after(months_ago(1)), e(Kind::Num(1.into()), Type::Num))]);
    let at = |t: &str| Instant::parse_rfc3339(t).unwrap();
    let all = Reference::new(&lib, &timelines, at(NOW), None);
    assert_eq!((0..4).map(|c| all.exists(c)).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(all.member(0, 0) && !all.member(0, 2));
    let before = Reference::new(&lib, &timelines, at(NOW), Some(1));
    assert!(before.exists(0) && !before.member(0, 0));
    assert!(!Reference::new(&lib, &timelines, at("2026-03-01T12:00:00Z"), Some(1)).exists(0));
}
