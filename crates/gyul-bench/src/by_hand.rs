//! The 24 segments as resolved trees, written by hand: what `--defs` should mean, without the language in between.

use gyul_model::{Date, Decimal, Duration, MICROS_DAY, Occasion, Occasions, Zone};
use gyul_segment::tree::*;

const DATES: [&str; 16] = [
    "2024-02-10",
    "2024-02-14",
    "2024-03-14",
    "2024-05-05",
    "2024-05-08",
    "2024-09-17",
    "2024-11-11",
    "2024-12-25",
    "2025-01-29",
    "2025-02-14",
    "2025-03-14",
    "2025-05-05",
    "2025-05-08",
    "2025-10-06",
    "2025-11-11",
    "2025-12-25",
];

pub fn library() -> Library {
    let mut occasions = Occasions::builtin();
    let dates = DATES.iter().filter_map(|d| Date::parse(d)).collect();
    occasions.insert(Occasion { id: "named_days".into(), ko: "이벤트 날".into(), en: "Named days".into(), dates });
    let segment = |(i, when): (usize, Expr)| Segment {
        id: format!("s{:02}", i + 1),
        about: About::default(),
        when,
        source: String::new(),
    };
    Library {
        zone: Zone::seoul(),
        currency: "KRW".into(),
        occasions,
        measures: vec![],
        segments: conditions().into_iter().enumerate().map(segment).collect(),
        partitions: vec![],
    }
}

fn conditions() -> Vec<Expr> {
    use AggOp::*;
    use Cmp::*;
    let orders = || agg(Count, of(ORDER), None, ever());
    let orders_30 = || agg(Count, of(ORDER), None, last(30));
    let orders_365 = || agg(Count, of(ORDER), None, last(365));
    let spend = || agg(Sum, of(ORDER), Some(prop("amount")), last(365));
    let messages =
        |event: &str, channel: &str, window: Window| agg(Count, whose(event, "channel", channel), None, window);
    let in_year = |event: &str, channel: &str| messages(event, channel, last(365));
    let rate = |c: &str| arith(Arith::Div, in_year(CLICKED, c), in_year(SENT, c));
    let at_most_kakao =
        |c: &str| Kind::Or(vec![cmp(Lt, in_year(SENT, c), num(5)), cmp(Le, rate(c), rate("kakao"))]).bool();
    let buyers = || cmp(Ge, orders_365(), num(1));
    let upper = |x: Expr| cmp(Ge, rank(RankKind::Quintile, x, Some(buyers())), num(4));
    let since_last = |event: &str| Window { after: Some(agg(LastAt, of(event), None, ever())), until: None };
    let checkouts = EventSelect {
        filter: Some(Kind::Not(Box::new(near(Direction::After, of(ORDER), 3))).bool()),
        ..of("checkout_started")
    };
    let step = |event: &str| Step { select: of(event), within: None, without: vec![] };
    let far =
        Kind::NearOccasion { date: Box::new(e(Kind::LocalDate, Type::Date)), occasion: "named_days".into(), days: 7 };
    let unusual = EventSelect { filter: Some(Kind::Not(Box::new(far.bool())).bool()), ..of(ORDER) };
    let not_sent =
        EventSelect { events: Names::Any, filter: Some(cmp(Ne, e(Kind::EventName, Type::Text), text("message_sent"))) };
    let gap = EventSelect { filter: Some(cmp(Ge, e(Kind::Gap, Type::Dur), days(180))), ..of(ORDER) };
    let coupon = EventSelect { filter: Some(prop("coupon_used")), ..of(ORDER) };
    let funnel = Pattern {
        steps: vec![step(VIEW), step(CART), step(ORDER)],
        within: Some(7 * MICROS_DAY),
        by: None,
        window: last(90),
    };
    let last_five = Agg { op: Avg, select: of(ORDER), value: Some(prop("amount")), window: ever(), last: Some(5) };
    let age = || arith(Arith::Sub, num(2026), e(Kind::Trait("birth_year".into()), Type::Any));
    let is = |t: &str, v: &str| cmp(Eq, e(Kind::Trait(t.into()), Type::Any), text(v));
    let between = Window { after: Some(ago(30)), until: Some(ago(3)) };
    vec![
        cmp(Ge, orders_30(), num(1)),
        all(vec![cmp(Ge, orders(), num(2)), cmp(Eq, agg(Count, of(ORDER), None, last(180)), num(0))]),
        cmp(Ge, orders_30(), num(2)),
        rank(RankKind::Top(10.into()), spend(), None),
        all(vec![cmp(Gt, spend(), num(0)), rank(RankKind::BelowAverage, spend(), Some(cmp(Gt, spend(), num(0))))]),
        all(vec![
            cmp(Ge, agg(Count, of(CART), None, last(1)), num(1)),
            cmp(Eq, agg(Count, of(ORDER), None, since_last(CART)), num(0)),
        ]),
        all(vec![
            cmp(Ge, agg(Count, whose(VIEW, "category", "beauty"), None, last(14)), num(3)),
            cmp(Eq, agg(Count, whose(ORDER, "category", "beauty"), None, ever()), num(0)),
        ]),
        all(vec![cmp(Eq, orders(), num(1)), cmp(Eq, orders_30(), num(1))]),
        all(vec![
            cmp(Lt, e(Kind::Trait("signup_ts".into()), Type::Instant), ago(180)),
            cmp(Ge, orders(), num(1)),
            cmp(Eq, agg(Count, not_sent, None, last(180)), num(0)),
        ]),
        cmp(Ge, agg(Count, gap, None, last(30)), num(1)),
        cmp(Ge, messages(CLICKED, "kakao", last(30)), num(1)),
        all(vec![
            cmp(Ge, messages("message_opened", "email", last(90)), num(3)),
            cmp(Eq, messages(CLICKED, "email", last(90)), num(0)),
        ]),
        all(vec![
            is("gender", "female"),
            cmp(Ge, age(), num(20)),
            cmp(Le, age(), num(29)),
            is("region", "Seoul"),
            e(Kind::Trait("consent.kakao".into()), Type::Bool),
        ]),
        cmp(Ge, e(Kind::Pattern(Box::new(funnel)), Type::Num), num(3)),
        cmp(Ge, agg(Count, checkouts, None, between), num(1)),
        cmp(Gt, e(Kind::Agg(Box::new(last_five)), Type::Num), num(80_000)),
        all(vec![upper(agg(LastAt, of(ORDER), None, ever())), upper(orders_365()), upper(spend())]),
        cmp(Ge, agg(Distinct, of(ORDER), Some(prop("category")), last(365)), num(5)),
        all(vec![cmp(Ge, orders(), num(3)), cmp(Ge, arith(Arith::Mul, orders(), days(60)), age_of_order())]),
        all(vec![cmp(Ge, orders(), num(2)), cmp(Eq, agg(Count, unusual, None, ever()), num(0))]),
        all(vec![
            cmp(Ge, in_year(SENT, "kakao"), num(5)),
            cmp(Gt, in_year(CLICKED, "kakao"), num(0)),
            at_most_kakao("email"),
            at_most_kakao("sms"),
            at_most_kakao("push"),
        ]),
        all(vec![
            cmp(Ge, orders(), num(3)),
            cmp(
                Gt,
                arith(Arith::Div, agg(Count, coupon, None, ever()), orders()),
                e(Kind::Num(Decimal::new(6, 1)), Type::Num),
            ),
        ]),
        all(vec![
            cmp(Le, agg(Last, of("survey_answer"), Some(prop("rating")), ever()), num(6)),
            cmp(Ge, agg(Count, of(ORDER), None, since_last("survey_answer")), num(1)),
        ]),
        all(vec![
            Kind::Or(vec![Kind::InSegment(0).bool(), Kind::InSegment(10).bool()]).bool(),
            Kind::InSegment(17).bool(),
            Kind::Not(Box::new(Kind::InSegment(21).bool())).bool(),
        ]),
    ]
}

const ORDER: &str = "order_completed";
const CART: &str = "add_to_cart";
const VIEW: &str = "product_view";
const SENT: &str = "message_sent";
const CLICKED: &str = "message_clicked";

trait Bool {
    fn bool(self) -> Expr;
}

impl Bool for Kind {
    fn bool(self) -> Expr {
        e(self, Type::Bool)
    }
}

fn e(kind: Kind, ty: Type) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn num(n: i64) -> Expr {
    e(Kind::Num(n.into()), Type::Num)
}

fn text(t: &str) -> Expr {
    e(Kind::Text(t.into()), Type::Text)
}

fn days(n: i64) -> Expr {
    e(Kind::Dur(n * MICROS_DAY), Type::Dur)
}

fn ago(n: i64) -> Expr {
    e(Kind::Ago(Duration::Exact(n * MICROS_DAY)), Type::Instant)
}

fn prop(name: &str) -> Expr {
    e(Kind::Prop(name.into()), Type::Any)
}

fn cmp(op: Cmp, x: Expr, y: Expr) -> Expr {
    Kind::Cmp(op, Box::new(x), Box::new(y)).bool()
}

fn arith(op: Arith, x: Expr, y: Expr) -> Expr {
    let ty = if x.ty == Type::Dur || y.ty == Type::Dur { Type::Dur } else { Type::Num };
    e(Kind::Arith(op, Box::new(x), Box::new(y)), ty)
}

fn all(of: Vec<Expr>) -> Expr {
    Kind::And(of).bool()
}

fn of(event: &str) -> EventSelect {
    EventSelect { events: Names::Of(vec![event.into()]), filter: None }
}

fn whose(event: &str, property: &str, value: &str) -> EventSelect {
    EventSelect { filter: Some(cmp(Cmp::Eq, prop(property), text(value))), ..of(event) }
}

fn ever() -> Window {
    Window::default()
}

fn last(days: i64) -> Window {
    Window { after: Some(ago(days)), until: None }
}

fn agg(op: AggOp, select: EventSelect, value: Option<Expr>, window: Window) -> Expr {
    let ty = match op {
        AggOp::FirstAt | AggOp::LastAt => Type::Instant,
        AggOp::Last => Type::Any,
        _ => Type::Num,
    };
    e(Kind::Agg(Box::new(Agg { op, select, value, window, last: None })), ty)
}

fn age_of_order() -> Expr {
    let first = agg(AggOp::FirstAt, of(ORDER), None, ever());
    e(Kind::Arith(Arith::Sub, Box::new(e(Kind::Now, Type::Instant)), Box::new(first)), Type::Dur)
}

fn near(direction: Direction, select: EventSelect, days: i64) -> Expr {
    Kind::Near(Box::new(Near { direction, select, within: Some(days * MICROS_DAY) })).bool()
}

fn rank(kind: RankKind, x: Expr, among: Option<Expr>) -> Expr {
    let ty = if matches!(kind, RankKind::Quintile | RankKind::Percentile) { Type::Num } else { Type::Bool };
    e(Kind::Rank(Box::new(Rank { kind, x, among })), ty)
}

/// The definitions of `definitions.py --specs`, one a line: the template's name and its numbers.
pub fn thousand(specs: &str) -> Option<Library> {
    let when = specs.lines().map(|l| template(&l.split(' ').collect::<Vec<_>>()));
    let mut library = library();
    let segment = |(i, when): (usize, Option<Expr>)| {
        Some(Segment { id: format!("d{i:03}"), about: About::default(), when: when?, source: String::new() })
    };
    library.segments = when.enumerate().map(segment).collect::<Option<_>>()?;
    Some(library)
}

fn template(words: &[&str]) -> Option<Expr> {
    use AggOp::*;
    use Cmp::*;
    let n = |i: usize| words.get(i)?.parse::<i64>().ok();
    let orders = |window| agg(Count, of(ORDER), None, window);
    let spend = |days| agg(Sum, of(ORDER), Some(prop("amount")), last(days));
    let some =
        |event: &str, property: &str, value: &str, window| agg(Count, whose(event, property, value), None, window);
    let since = || {
        let latest = agg(LastAt, of(ORDER), None, ever());
        e(Kind::Arith(Arith::Sub, Box::new(e(Kind::Now, Type::Instant)), Box::new(latest)), Type::Dur)
    };
    Some(match *words.first()? {
        "recency" => cmp(Ge, orders(last(n(1)?)), num(1)),
        "count" => cmp(Ge, orders(last(n(2)?)), num(n(1)?)),
        "spend" => cmp(Gt, spend(n(2)?), num(n(1)?)),
        "top" => all(vec![rank(RankKind::Top(n(1)?.into()), spend(n(2)?), None), cmp(Gt, spend(n(2)?), num(0))]),
        "browse" => all(vec![
            cmp(Ge, some(VIEW, "category", words.get(1)?, last(n(3)?)), num(n(2)?)),
            cmp(Eq, some(ORDER, "category", words.get(1)?, ever()), num(0)),
        ]),
        "cart" => {
            let hours = Kind::Ago(Duration::Exact(n(1)? * gyul_model::MICROS_HOUR));
            let recent = Window { after: Some(e(hours, Type::Instant)), until: None };
            let after = Window { after: Some(agg(LastAt, of(CART), None, ever())), until: None };
            all(vec![cmp(Ge, agg(Count, of(CART), None, recent), num(1)), cmp(Eq, orders(after), num(0))])
        }
        "click" => cmp(Ge, some(CLICKED, "channel", words.get(1)?, last(n(2)?)), num(1)),
        "openonly" => all(vec![
            cmp(Ge, some("message_opened", "channel", words.get(1)?, last(n(3)?)), num(n(2)?)),
            cmp(Eq, some(CLICKED, "channel", words.get(1)?, last(n(3)?)), num(0)),
        ]),
        "between" => all(vec![cmp(Ge, since(), days(n(1)?)), cmp(Lt, since(), days(n(2)?))]),
        "lapsed" => all(vec![cmp(Ge, orders(ever()), num(n(1)?)), cmp(Eq, orders(last(n(2)?)), num(0))]),
        "distinct" => cmp(Ge, agg(Distinct, of(ORDER), Some(prop("category")), last(n(2)?)), num(n(1)?)),
        "cell" => {
            let age = || arith(Arith::Sub, num(2026), e(Kind::Trait("birth_year".into()), Type::Any));
            let is = |t: &str, v: &str| cmp(Eq, e(Kind::Trait(t.into()), Type::Any), text(v));
            all(vec![
                is("gender", words.get(1)?),
                cmp(Ge, age(), num(n(2)?)),
                cmp(Le, age(), num(n(2)? + 9)),
                is("region", words.get(3)?),
                e(Kind::Trait(format!("consent.{}", words.get(4)?)), Type::Bool),
            ])
        }
        _ => return None,
    })
}
