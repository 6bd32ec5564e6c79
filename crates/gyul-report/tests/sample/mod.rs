//! An invented shop for the tests and for looking at the page.

use gyul_model::Date;
use gyul_report::*;

fn day(text: &str) -> Date {
    Date::parse(text).expect("a date")
}

pub fn empty() -> ReportData {
    ReportData::new("귤상회", day("2026-11-22"), "KRW")
}

pub fn full(currency: &str) -> ReportData {
    let unit = if currency == "KRW" { 48_000.0 } else { 27.0 };
    let months: Vec<Date> =
        (0..24).map(|i| Date::new(2024 + (i + 11) / 12, ((i + 11) % 12 + 1) as i8, 1).expect("a month")).collect();
    let wave = |i: usize| 1.0 + 0.35 * (i as f64 * 0.9).sin() + i as f64 * 0.06;
    let mut data = empty();
    data.currency = currency.into();
    data.period = Some((day("2024-12-01"), day("2026-11-22")));
    data.totals = Totals {
        customers: 18_240,
        buyers: 11_312,
        repeat_buyers: 6_105,
        orders: 38_920,
        revenue: 38_920.0 * unit,
        top10_share: Some(0.583),
    };
    data.months = months
        .iter()
        .enumerate()
        .map(|(i, m)| Month { month: *m, orders: (wave(i) * 1000.0) as u64, revenue: wave(i) * 1000.0 * unit })
        .collect();
    data.quality = Some(quality());
    data.sufficiency = Some(sufficiency());
    data.rfm = Some(rfm(unit));
    data.lifecycle = Some(lifecycle(&months));
    data.history_dates = months;
    data.segments = segments(unit);
    data.overlap = Some(overlap());
    data.warnings = vec![Text::new(
        "마지막 주문이 기준일보다 12일 앞섭니다. ‘최근 한 달’ 지표는 실제보다 작을 수 있습니다.",
        "The last order is 12 days older than the date of the report; measures of the last month may be too small.",
    )];
    data
}

fn quality() -> Quality {
    Quality {
        rows: 541_909,
        events: 401_604,
        duplicates: 5_225,
        rejected: vec![
            Rejected {
                code: "customer_missing".into(),
                reason: Text::new("고객 번호가 비어 있음", "No customer"),
                hint: Text::new(
                    "비회원 주문이면 주문 번호를 고객으로 쓸 수 있습니다.",
                    "For guests the order number may stand in.",
                ),
                count: 134_697,
                examples: vec!["online-retail.csv, line 624".into(), "online-retail.csv, line 1445".into()],
            },
            Rejected {
                code: "price_negative".into(),
                reason: Text::new("금액이 음수", "Negative price"),
                hint: Text::default(),
                count: 383,
                examples: vec!["-11062.06".into()],
            },
        ],
        files: vec!["online-retail.csv".into()],
    }
}

fn sufficiency() -> Sufficiency {
    let known = |ko: &str, en: &str, share| Known { what: Text::new(ko, en), share };
    Sufficiency {
        months: 23.7,
        orders_per_buyer: Some(3.4),
        stale_days: Some(12),
        known: vec![
            known("수신 동의", "Consent", 0.62),
            known("나이", "Age", 0.48),
            known("지역", "Region", 0.93),
            known("성별", "Gender", 0.004),
        ],
        missing: vec![Missing {
            what: Text::new("상품 조회", "Product views"),
            segments: vec![
                Text::new("둘러보고 떠난 고객", "Browse abandoned"),
                Text::new("장바구니 이탈", "Cart abandoned"),
            ],
        }],
    }
}

fn rfm(unit: f64) -> Rfm {
    let mut rfm = Rfm::default();
    let class = |r: usize, f: usize| match (r, f) {
        (5, 4 | 5) => Text::new("최우수 고객", "Champions"),
        (3 | 4, 4 | 5) => Text::new("충성 고객", "Loyal"),
        (4 | 5, 2 | 3) => Text::new("충성 후보", "Potential loyalists"),
        (5, _) => Text::new("신규 고객", "New customers"),
        (4, _) => Text::new("유망 고객", "Promising"),
        (3, 3) => Text::new("관심 필요", "Need attention"),
        (3, _) => Text::new("휴면 직전", "About to sleep"),
        (_, 5) => Text::new("놓치면 안 되는 고객", "Cannot lose"),
        (_, 3 | 4) => Text::new("이탈 위험", "At risk"),
        (2, _) => Text::new("동면 고객", "Hibernating"),
        _ => Text::new("떠난 고객", "Lost"),
    };
    for f in 1..=5 {
        for r in 1..=5 {
            let customers = if f == 2 { 0 } else { (180 + 900 / (1 + (f as i64 - r as i64).unsigned_abs())) * 2 };
            rfm.cells[f - 1][r - 1] = RfmCell {
                customers,
                revenue: customers as f64 * unit * (f * f) as f64 * 0.7,
                m_mean: (customers > 0).then_some(f as f64 * 0.8 + 0.6),
                class: class(r, f),
            };
        }
    }
    rfm
}

fn lifecycle(months: &[Date]) -> Lifecycle {
    let classes = [
        ("복귀 고객", "Reactivated"),
        ("단골 고객", "Loyal"),
        ("첫 구매 고객", "First-time buyer"),
        ("활동 고객", "Active"),
        ("이탈 위험", "At risk"),
        ("휴면 고객", "Dormant"),
        ("이탈 고객", "Churned"),
        ("잠재 고객", "Lead"),
        ("방문자", "Visitor"),
    ];
    let size = [180, 1400, 900, 1700, 1600, 2300, 3200, 4100, 2860];
    let series = months
        .iter()
        .enumerate()
        .map(|(i, m)| {
            let part = |(c, n): (usize, &u64)| {
                let late = if c == 6 { i.saturating_sub(11) as u64 * 2 } else { i as u64 + 1 };
                n * late / 24
            };
            (*m, size.iter().enumerate().map(part).collect())
        })
        .collect();
    let mut moves = vec![vec![0; 9]; 9];
    for (i, row) in moves.iter_mut().enumerate() {
        for (j, n) in row.iter_mut().enumerate() {
            let next = matches!(
                (i, j),
                (2, 4) | (3, 1) | (3, 4) | (4, 5) | (5, 6) | (6, 0) | (7, 2) | (8, 7) | (1, 4) | (4, 3)
            );
            *n = if i == j {
                size[i] * 3 / 5
            } else if next {
                size[j] / 4
            } else {
                0
            };
        }
    }
    Lifecycle {
        classes: classes.iter().map(|(ko, en)| Text::new(*ko, *en)).collect(),
        series,
        flow: Some(Flow {
            from: day("2026-08-22"),
            to: day("2026-11-22"),
            moves,
            joined: vec![0, 0, 320, 0, 0, 0, 0, 610, 840],
        }),
    }
}

fn segments(unit: f64) -> Vec<Segment> {
    let one =
        |id: &str, name: (&str, &str), goal: (&str, &str), todo: (&str, &str), n: u64, group: Text, down: bool| {
            Segment {
                id: id.into(),
                name: Text::new(name.0, name.1),
                group,
                goal: Text::new(goal.0, goal.1),
                treatment: Text::new(todo.0, todo.1),
                needs: Text::default(),
                customers: n,
                revenue: Some(n as f64 * unit * 3.1),
                history: (0..24).map(|i| if down { n * (40 - i) / 17 } else { n * (i + 2) / 25 }).collect(),
            }
        };
    let tier = || Text::new("멤버십 등급", "Membership tier");
    let care = ("최상위 고객을 지킵니다.", "Keep the top customers.");
    let todo = (
        "전담 상담, 무료 배송·반품, 신제품 우선 구매를 제공합니다.",
        "A contact of their own, free delivery and returns, first access.",
    );
    vec![
        one("top_spenders", ("구매액 상위 10%", "Top 10 % by spend"), care, todo, 1131, Text::default(), false),
        one(
            "silent_6mo",
            ("6개월 이상 무구매", "Silent for six months"),
            ("떠나기 전에 다시 찾게 합니다.", "Bring them back before they are gone."),
            (
                "복귀 쿠폰과 그동안의 인기 상품을 보냅니다. 세 번 반응이 없으면 쉬어 갑니다.",
                "A come-back coupon and bestsellers; pause after three tries without an answer.",
            ),
            5519,
            Text::default(),
            false,
        ),
        one(
            "cart_abandoned",
            ("장바구니 이탈", "Cart abandoned"),
            ("담아 둔 상품의 구매를 마치게 합니다.", "Finish the purchase."),
            (
                "한 시간 뒤 담은 상품을 다시 보여 주고, 하루 뒤 배송·반품 안내로 망설임을 덜어 줍니다. 쿠폰은 마지막에 씁니다.",
                "Show the cart after an hour, answer doubts after a day; a coupon comes last.",
            ),
            212,
            Text::default(),
            true,
        ),
        Segment { id: "bare_segment".into(), ..Segment::default() },
        one("tier/platinum", ("플래티넘", "Platinum"), care, todo, 402, tier(), false),
        one("tier/gold", ("골드", "Gold"), care, todo, 1210, tier(), false),
    ]
}

fn overlap() -> Overlap {
    let names = [
        ("구매액 상위 10%", "Top 10 % by spend"),
        ("최근 한 달 구매", "Bought within a month"),
        ("6개월 이상 무구매", "Silent for six months"),
        ("할인 선호 고객", "Discount seekers"),
        ("폭넓은 취향", "Broad taste"),
    ];
    let size = [1131, 1820, 5519, 640, 2204];
    let pair = |i: usize, j: usize| match (i.min(j), i.max(j)) {
        (a, b) if a == b => size[a],
        (1, 2) => 0,
        (a, b) => size[a].min(size[b]) / (2 + a as u64 * 2 + b as u64),
    };
    Overlap {
        names: names.iter().map(|(ko, en)| Text::new(*ko, *en)).collect(),
        both: (0..5).map(|i| (0..5).map(|j| pair(i, j)).collect()).collect(),
    }
}
