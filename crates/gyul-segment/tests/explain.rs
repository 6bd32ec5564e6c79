//! What `why` says: one customer, many conditions, in both languages. Sentences are read by people, so they stand here whole.

use gyul_model::{Event, Instant, Lang, Timeline, Value, names};
use gyul_segment::explain::{Quantity, What, Why, asked as asked_of_all, in_words, parts, render, why};
use gyul_segment::load;
use gyul_segment::reference::Reference;

/// Beside the conditions there is something to refer to.
const AROUND: &str = "
measures:
  orders: { value: count(order), name: { ko: 주문 수, en: Orders } }
  spend: { value: sum(order.total), name: { ko: 구매액, en: Spend } }
partitions:
  - id: level
    name: { ko: 단계, en: Level }
    classes:
      - { id: regular, name: { ko: 단골, en: Regular }, when: orders >= 4 and spend > 0 }
      - { id: fresh, name: { ko: 새 고객, en: Fresh }, when: since(order) <= 3d }
      - { id: buyer, name: { ko: 구매자, en: Buyer }, when: orders >= 1 }
      - { id: twice, name: { ko: 두 번, en: Twice }, when: orders = 2 }
    otherwise: { id: none, name: { ko: 아직 없음, en: None yet } }
";

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn kim() -> Timeline {
    let text = |t: &str| Value::Text(t.into());
    let num = |n: i64| Value::Num(n.into());
    let mut seq = 0;
    let mut event = |ts: Instant, name: &str, props: &[(&str, Value)]| {
        seq += 1;
        let props = props.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
        Event { ts, seq, name: name.into(), props }
    };
    let traits = [
        ("gender", text("female")),
        ("birth_date", text("1990-05-06")),
        ("region", text("KR-26")),
        ("consent.email", Value::Bool(true)),
        ("consent.kakao", Value::Bool(false)),
    ];
    let product = |id: &str| [("product_id", text(id))];
    Timeline::new(
        "kim",
        vec![
            event(Instant::ALWAYS, names::IDENTIFY, &traits),
            event(at("2026-02-28T15:00:00Z"), names::ORDER, &[("total", num(12_000)), ("coupon", text("A"))]),
            event(at("2026-03-03T00:00:00Z"), names::ORDER, &[("total", num(30_000))]),
            event(at("2026-03-10T01:00:00Z"), names::VIEW, &product("p1")),
            event(at("2026-03-10T02:00:00Z"), names::CART, &product("p1")),
            event(at("2026-03-12T00:00:00Z"), names::SENT, &[("channel", text("email"))]),
        ],
    )
}

fn asked(when: &str, of: What) -> [(Why, String); 2] {
    let big = "  - { id: big, name: { ko: 큰손, en: Big }, when: spend > 10000 }";
    let file = format!("version: 1\nsegments:\n  - id: s\n    when: |-\n      {when}\n{big}\n{AROUND}");
    let (library, problems) = load(&[("f.yaml".to_string(), file)], None);
    assert!(problems.is_empty(), "{when}: {problems:?}");
    let timelines = [kim()];
    let reference = Reference::new(&library, &timelines, at("2026-03-15T00:00:00Z"), None);
    [Lang::Ko, Lang::En].map(|lang| {
        let found = why(&reference, of, 0);
        let text = match of {
            What::Segment(_) => in_words(found.condition.as_ref().unwrap(), &library.zone, lang),
            What::Class(..) => render(&found, &library.zone, lang),
        };
        (found, text)
    })
}

/// A condition, whether it holds, and what is said of it in Korean and in English.
const CASES: &[(&str, bool, &str, &str)] = &[
    (
        "count(order, last 30d) >= 2",
        true,
        "최근 30일 안에 주문 2건 (기준: 2건 이상)",
        "2 orders in the last 30 days (needs at least 2)",
    ),
    ("count(order, last 1d) = 0", true, "최근 1일 안에 주문 0건 (기준: 0건)", "0 orders in the last day (needs 0)"),
    ("not count(order) >= 2", false, "주문 2건 (기준: 2건 미만)", "2 orders (needs less than 2)"),
    (
        "count(order, since last cart) = 0",
        true,
        "마지막 장바구니 담기 이후 주문 0건 (기준: 0건)",
        "0 orders since the last cart addition (needs 0)",
    ),
    (
        "count(order, previous month) >= 1",
        false,
        "지난달 주문 0건 (기준: 1건 이상)",
        "0 orders last month (needs at least 1)",
    ),
    (
        "count(order, this month) >= 1",
        true,
        "이번 달 주문 2건 (기준: 1건 이상)",
        "2 orders this month (needs at least 1)",
    ),
    (
        "count(order, since 2026-01-01) < 5",
        true,
        "2026-01-01부터 주문 2건 (기준: 5건 미만)",
        "2 orders since 2026-01-01 (needs less than 5)",
    ),
    (
        "count(order, between 30d and 7d ago) >= 1",
        true,
        "30일 전부터 7일 전까지 주문 2건 (기준: 1건 이상)",
        "2 orders between 30 days and 7 days ago (needs at least 1)",
    ),
    (
        "count(order where gap >= 180d, last 90d) >= 1",
        false,
        "최근 90일 안에 '앞 이벤트와의 간격 180일 이상'인 주문 0건 (기준: 1건 이상)",
        "0 orders in the last 90 days where gap since the previous one is at least 180 days (needs at least 1)",
    ),
    (
        "count(order where coupon is known or total > 20000) = 2",
        true,
        "'쿠폰 있음 또는 금액 20,000원 초과'인 주문 2건 (기준: 2건)",
        "2 orders where coupon is known or total is more than 20,000 (needs 2)",
    ),
    (
        "count(sent where channel = 'email', last 90d) >= 1",
        true,
        "최근 90일 안에 채널이 이메일인 발송 메시지 1건 (기준: 1건 이상)",
        "1 message sent in the last 90 days where channel is e-mail (needs at least 1)",
    ),
    (
        "count(order where weekday in ('sat', 'sun')) >= 1",
        true,
        "'토요일 또는 일요일'인 주문 1건 (기준: 1건 이상)",
        "1 order where the day is Saturday or the day is Sunday (needs at least 1)",
    ),
    (
        "count(order where during occasion seollal within 14d) >= 1",
        true,
        "'설날 전후 14일'인 주문 2건 (기준: 1건 이상)",
        "2 orders where the date is within 14 days of Seollal (needs at least 1)",
    ),
    (
        "count(cart where not followed by order within 3d, last 30d) >= 1",
        true,
        "최근 30일 안에 '그 뒤 3일 안에 주문 없음'인 장바구니 담기 1건 (기준: 1건 이상)",
        "1 cart addition in the last 30 days where not followed by order within 3 days (needs at least 1)",
    ),
    (
        "share(order where coupon is known) > 60%",
        false,
        "주문 중 '쿠폰 있음'의 비율: 50% (기준: 60% 초과)",
        "share of orders where coupon is known: 50% (needs more than 60%)",
    ),
    (
        "sum(order.total, last 12mo) > 100000",
        false,
        "최근 1년 안에 주문 금액 합계 42,000원 (기준: 100,000원 초과)",
        "sum of order total in the last year: 42,000 (needs more than 100,000)",
    ),
    (
        "spend >= 0.3 * sum(order.total, last 12mo)",
        true,
        "구매액 42,000원 (기준: 12,600원 이상 = 0.3 × 최근 1년 안에 주문 금액 합계)",
        "Spend: 42,000 (needs at least 12,600 = 0.3 × sum of order total in the last year)",
    ),
    (
        "sum(order.total, last 1d) >= 0.3 * sum(order.total)",
        false,
        "최근 1일 안에 주문 금액 합계 0원 (기준: 12,600원 이상 = 0.3 × 주문 금액 합계)",
        "sum of order total in the last day: 0 (needs at least 12,600 = 0.3 × sum of order total)",
    ),
    (
        "spend / orders >= 2 / 3",
        true,
        "구매액 ÷ 주문 수: 21,000원 (기준: 0.67원 이상)",
        "Spend ÷ Orders: 21,000 (needs at least 0.67)",
    ),
    (
        "0.004 / orders > 0.001",
        true,
        "0.004 ÷ 주문 수: 0.002 (기준: 0.001 초과)",
        "0.004 ÷ Orders: 0.002 (needs more than 0.001)",
    ),
    (
        "avg(order.total, last 1) = 30000",
        true,
        "마지막 1건 주문 금액 평균 30,000원 (기준: 30,000원)",
        "average order total of the last 1: 30,000 (needs 30,000)",
    ),
    (
        "last(sent.channel) = 'email'",
        true,
        "마지막 발송 메시지의 채널 이메일 (기준: 이메일)",
        "channel of the last message sent: e-mail (needs e-mail)",
    ),
    ("days(order) >= 3", false, "주문 날수 2일 (기준: 3일 이상)", "days with orders: 2 days (needs at least 3 days)"),
    (
        "streak(order, by week) >= 4",
        false,
        "주문 연속 주 수 2 (기준: 4 이상)",
        "weeks in a row with orders: 2 (needs at least 4)",
    ),
    (
        "distinct(view.product_id) >= 2",
        false,
        "상품 조회의 서로 다른 상품 1가지 (기준: 2가지 이상)",
        "different values of product view product: 1 (needs at least 2)",
    ),
    (
        "since(order) <= 30d",
        true,
        "마지막 주문 후 12일 (기준: 30일 이하)",
        "time since the last order: 12 days (needs at most 30 days)",
    ),
    (
        "since(order) between 1h and 7d",
        false,
        "마지막 주문 후 12일 (기준: 1시간 이상 7일 이하)",
        "time since the last order: 12 days (needs between 1 hour and 7 days)",
    ),
    (
        "not since(order) between 1h and 7d",
        true,
        "마지막 주문 후 12일 (기준: 1시간 이상 7일 이하 아님)",
        "time since the last order: 12 days (needs anything but between 1 hour and 7 days)",
    ),
    (
        "since(order) > 2 * average_gap(order)",
        true,
        "마지막 주문 후 12일 (기준: 4일 18시간 초과 = 2 × 주문 사이 평균 간격)",
        "time since the last order: 12 days (needs more than 4 days 18 hours = 2 × average gap between orders)",
    ),
    (
        "since(refund) <= 30d",
        false,
        "마지막 환불 후 지난 시간: 기록 없음 (기준: 30일 이하)",
        "time since the last refund: there was none (needs at most 30 days)",
    ),
    (
        "not since(refund) <= 30d",
        true,
        "마지막 환불 후 지난 시간: 기록 없음 (기준: 30일 초과 또는 모름)",
        "time since the last refund: there was none (needs more than 30 days or unknown)",
    ),
    ("age between 20 and 39", true, "나이 35세 (기준: 20세 이상 39세 이하)", "age: 35 (needs between 20 and 39)"),
    ("gender = 'male'", false, "성별 여성 (기준: 남성)", "gender: female (needs male)"),
    ("gender != 'male'", true, "성별 여성 (기준: 남성 아님)", "gender: female (needs other than male)"),
    ("not gender = 'male'", true, "성별 여성 (기준: 남성 아님)", "gender: female (needs other than male)"),
    ("country = 'KR'", false, "국가 모름 (기준: 한국)", "country: unknown (needs Korea)"),
    ("country is unknown", true, "국가 모름 (기준: 값 없음)", "country: unknown (needs no value)"),
    ("region within 'KR-26'", true, "지역 부산 (기준: 부산)", "region: Busan (needs Busan)"),
    (
        "region within 'KR-11' or region within 'KR-28'",
        false,
        "지역 부산 (기준: 서울, 인천 중 하나)",
        "region: Busan (needs one of Seoul, Incheon)",
    ),
    (
        "city in ('Busan', 'Daegu')",
        false,
        "도시 모름 (기준: 'Busan', 'Daegu' 중 하나)",
        "city: unknown (needs one of 'Busan', 'Daegu')",
    ),
    (
        "tags contains 'vip'",
        false,
        "태그 모름 (기준: 'vip' 포함)",
        "tags: unknown (needs something that contains 'vip')",
    ),
    ("consent(email)", true, "이메일 수신에 동의함", "consents to e-mail"),
    (
        "not consent(email)",
        false,
        "이메일 수신에 동의함 (기준: 동의하지 않음)",
        "consents to e-mail (needs no consent)",
    ),
    ("consent(kakao)", false, "카카오톡 수신에 동의하지 않음", "does not consent to KakaoTalk"),
    ("not consent(sms)", true, "문자 수신 동의 여부 모름", "consent to text message: unknown"),
    ("level = buyer", true, "단계 구매자 (기준: 구매자)", "Level: Buyer (needs Buyer)"),
    ("level != buyer", false, "단계 구매자 (기준: 구매자 아님)", "Level: Buyer (needs anything but Buyer)"),
    (
        "level in (regular, fresh)",
        false,
        "단계 구매자 (기준: 단골, 새 고객 중 하나)",
        "Level: Buyer (needs one of Regular, Fresh)",
    ),
    ("orders in top 10%", true, "주문 수 상위 10%: 2건 (기준: 2건 이상)", "Orders, top 10%: 2 (needs at least 2)"),
    (
        "spend in top 10% among (orders >= 3)",
        false,
        "구매액 상위 10%: 비교 대상이 아님 (비교 대상: 주문 수 3건 이상)",
        "Spend, top 10%: not among those compared (which are those with Orders at least 3)",
    ),
    ("quintile(spend) = 5", false, "구매액 5분위 점수 1 (기준: 5)", "quintile of Spend: 1 (needs 5)"),
    (
        "sequence(view -> cart -> order within 7d)",
        false,
        "처음부터 끝까지 7일 안에, 순서대로 상품 조회 → 장바구니 담기 → 주문: 3단계 중 2단계까지 (기준: 끝까지)",
        "product view → cart addition → order in this order within 7 days: 2 of 3 steps (needs all)",
    ),
    (
        "sequence(view -> cart by product_id, last 30d)",
        true,
        "최근 30일 안에 같은 상품, 순서대로 상품 조회 → 장바구니 담기: 2단계 중 2단계까지 (기준: 끝까지)",
        "product view → cart addition in this order with the same product in the last 30 days: 2 of 2 steps (needs all)",
    ),
    (
        "funnel_step(view -> cart -> order) >= 2",
        true,
        "순서대로 상품 조회 → 장바구니 담기 → 주문: 3단계 중 2단계까지 (기준: 2단계 이상)",
        "product view → cart addition → order in this order: 2 of 3 steps (needs at least 2)",
    ),
    (
        "sequence(view -> order without cart)",
        false,
        "순서대로 상품 조회 → 주문 (사이에 장바구니 담기 없이): 2단계 중 1단계까지 (기준: 끝까지)",
        "product view → order (without cart addition between) in this order: 1 of 2 steps (needs all)",
    ),
    ("sample(10%, 'x')", false, "표본 10%('x')에 속하지 않음", "not in sample of 10% 'x'"),
    (
        "during occasion christmas within 3d",
        false,
        "오늘 2026-03-15 (기준: 크리스마스 전후 3일)",
        "today: 2026-03-15 (needs within 3 days of Christmas)",
    ),
    ("in segment big", true, "세그먼트 '큰손'에 속함", "in segment Big"),
    ("not in segment big", false, "세그먼트 '큰손'에 속함 (기준: 속하지 않음)", "in segment Big (needs not to be)"),
    (
        "in segment big and count(order) > 2 or count(order) = 2 and consent(email)",
        true,
        "다음 중 하나라도 만족해야 함",
        "at least one of these",
    ),
];

#[test]
fn every_form_is_a_sentence_in_both_languages() {
    let mut wrong = String::new();
    for (when, holds, ko, en) in CASES {
        let [(found, in_korean), (_, in_english)] = asked(when, What::Segment(0));
        if found.verdict != *holds || in_korean != *ko || in_english != *en {
            wrong += &format!(
                "    (\n        {when:?},\n        {},\n        {in_korean:?},\n        {in_english:?},\n    ),\n",
                found.verdict
            );
        }
    }
    assert!(wrong.is_empty(), "now said:\n{wrong}");
}

#[test]
fn a_class_is_told_with_the_one_the_customer_is_in_and_each_event_once() {
    let [(found, ko), (_, en)] = asked("orders >= 1", What::Class(0, 3));
    assert!(!found.verdict);
    // Its own condition holds, but an earlier class takes the customer.
    assert_eq!(
        ko,
        "\
✗ kim 고객은 '구매자'(level/buyer)에 속하고 '두 번'(level/twice)에는 속하지 않습니다. 이유: 조건은 맞지만 먼저 살펴보는 '구매자'에 이미 속합니다
  ✓ 구매자: 주문 수 2건 (기준: 1건 이상) [1]
  ✓ 두 번: 주문 수 2건 (기준: 2건) [1]
  먼저 살펴본 등급
    ✗ 단골: 주문 수 2건 (기준: 4건 이상) [1]
    ✗ 새 고객: 마지막 주문 후 12일 (기준: 3일 이하) [1]
  근거가 된 이벤트
    [1]  2026-03-01 00:00  주문
         2026-03-03 09:00  주문
"
    );
    assert!(
        en.starts_with(
            "✗ kim is in Buyer (level/buyer), not in Twice (level/twice), because: its condition holds, but Buyer comes first\n"
        ),
        "{en}"
    );
    // What was asked about is told in full, and not once more among the earlier ones.
    let [(_, ko), (_, en)] = asked("orders >= 1", What::Class(0, 0));
    assert_eq!(
        ko,
        "\
✗ kim 고객은 '구매자'(level/buyer)에 속하고 '단골'(level/regular)에는 속하지 않습니다. 이유: 주문 수 2건 (기준: 4건 이상)
  ✓ 구매자: 주문 수 2건 (기준: 1건 이상) [1]
  ✗ 단골: 다음을 모두 만족해야 함
    ✗ 주문 수 2건 (기준: 4건 이상) [1]
    ✓ 구매액 42,000원 (기준: 0원 초과) [1]
  먼저 살펴본 등급
    ✗ 새 고객: 마지막 주문 후 12일 (기준: 3일 이하) [1]
  근거가 된 이벤트
    [1]  2026-03-01 00:00  주문  금액 12,000
         2026-03-03 09:00  주문  금액 30,000
"
    );
    assert!(en.contains("because: Orders: 2 (needs at least 4)\n"), "{en}");
    let [(_, ko), (_, en)] = asked("orders >= 1", What::Class(0, 2));
    assert!(
        ko.starts_with("✓ kim 고객은 '구매자'(level/buyer)에 속합니다.\n  ✓ 주문 수 2건 (기준: 1건 이상) [1]\n"),
        "{ko}"
    );
    assert!(en.contains("  Classes that come first\n    ✗ Regular: Orders: 2 (needs at least 4) [1]\n"), "{en}");
    // The class that is left for everybody else has no condition of its own.
    let [(_, ko), _] = asked("orders >= 1", What::Class(0, 4));
    assert!(ko.contains("이유: 다른 등급의 조건에 맞습니다\n"), "{ko}");
}

#[test]
fn a_not_is_told_of_what_it_stands_before() {
    let [(found, _), _] = asked("not (count(view) > 5 or consent(email))", What::Segment(0));
    let condition = found.condition.unwrap();
    let parts: Vec<(bool, &str)> = condition.parts.iter().map(|p| (p.verdict, p.says.en.as_deref().unwrap())).collect();
    assert!(!condition.verdict);
    assert_eq!(parts, [(true, "1 product view (needs at most 5)"), (false, "consents to e-mail (needs no consent)")]);
}

#[test]
fn what_a_measure_counts_is_known() {
    use Quantity::{Duration, Money, Number, Share};
    let cases = [
        ("sum(order.total) - sum(refund.total)", Money),
        ("avg(order.total, last 12mo)", Money),
        ("max(item.price * item.quantity)", Money),
        ("sum(order.total) / count(order)", Money),
        ("sum(refund.total) / sum(order.total)", Number),
        ("count(order)", Number),
        ("distinct(item.product_id)", Number),
        ("share(order where coupon is known)", Share),
        ("since(order)", Duration),
        ("average_gap(order)", Duration),
        ("quintile(sum(order.total))", Number),
    ];
    for (text, want) in cases {
        let file = format!("measures:\n  base: {{ value: \"{text}\" }}\n  m: {{ value: base }}\n");
        let (library, problems) = load(&[("t.yaml".into(), file)], None);
        assert_eq!(library.measures.len(), 2, "{text}: {problems:?}");
        for measure in &library.measures {
            assert_eq!(Quantity::of(&library, &measure.expr), want, "{text}");
        }
    }
}

#[test]
fn what_a_condition_asks_is_said_before_anybody_is_looked_at() {
    // Korean, English.
    let cases = [
        (
            "since(order) <= 90d and orders >= 4",
            "마지막 주문 후 90일 이하 그리고 주문 수 4건 이상",
            "time since the last order: at most 90 days and Orders: at least 4",
        ),
        (
            "since(order) between 1h and 7d",
            "마지막 주문 후 1시간 이상 7일 이하",
            "time since the last order: between 1 hour and 7 days",
        ),
        (
            "count(order where gap >= 180d, last 90d) >= 1",
            "최근 90일 안에 '앞 이벤트와의 간격 180일 이상'인 주문 1건 이상",
            "orders in the last 90 days where gap since the previous one is at least 180 days: at least 1",
        ),
        (
            "spend in top 10% among (spend > 0)",
            "구매액 상위 10% (비교 대상: 구매액 0원 초과)",
            "Spend, top 10% (of those with Spend: more than 0)",
        ),
        (
            "consent(email) and (orders >= 1 or spend > 5000)",
            "이메일 수신에 동의함 그리고 (주문 수 1건 이상 또는 구매액 5,000원 초과)",
            "consents to e-mail and (Orders: at least 1 or Spend: more than 5,000)",
        ),
        ("not (level = fresh)", "단계 새 고객 아님", "not Level: Fresh"),
        (
            "sequence(view -> cart -> order within 7d)",
            "처음부터 끝까지 7일 안에, 순서대로 상품 조회 → 장바구니 담기 → 주문: 끝까지",
            "product view → cart addition → order in this order within 7 days: all",
        ),
        ("region in ('KR-11', 'KR-26')", "지역 서울, 부산 중 하나", "region: one of Seoul, Busan"),
        (
            "days(order, last 30d) > 2",
            "최근 30일 안에 주문 날수 2일 초과",
            "days with orders in the last 30 days: more than 2 days",
        ),
    ];
    let mut wrong = String::new();
    for (when, ko, en) in cases {
        let file = format!("{AROUND}segments:\n  - {{ id: s, when: \"{when}\" }}\n");
        let (library, problems) = load(&[("t.yaml".into(), file)], None);
        let s = library.segments.first().unwrap_or_else(|| panic!("{when}: {problems:?}"));
        let said = [Lang::Ko, Lang::En].map(|l| asked_of_all(&library, &s.when, &s.source, l));
        if said != [ko, en] {
            wrong += &format!("{when}\n  {}\n  {}\n", said[0], said[1]);
        }
    }
    assert!(wrong.is_empty(), "now said:\n{wrong}");
}

/// The starter library is what people read first: nothing in it is shown as code.
#[test]
fn every_condition_of_the_starter_library_has_words() {
    let mut files = vec![];
    for f in std::fs::read_dir("../../segments").unwrap() {
        let path = f.unwrap().path();
        files.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    let (library, _) = load(&files, None);
    let segments = library.segments.iter().map(|s| (&s.id, &s.when, &s.source));
    let classes = library.partitions.iter().flat_map(|p| &p.classes).map(|c| (&c.id, &c.when, &c.source));
    let mut seen = 0;
    for (id, when, source) in segments.chain(classes) {
        for lang in [Lang::Ko, Lang::En] {
            let parts = parts(&library, when, source, lang);
            assert!(!parts.is_empty(), "{id}");
            for said in parts {
                let code = ["(order", ">=", "<=", "last(", "count(", "_", " = "].iter().any(|c| said.contains(c));
                assert!(!code, "{id}: {said}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
