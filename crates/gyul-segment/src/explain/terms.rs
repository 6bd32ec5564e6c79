//! What events, traits, properties and common values are called in Korean and English.

use gyul_model::{Lang, names};

/// Name, Korean, English, English plural.
const EVENTS: [(&str, &str, &str, &str); 17] = [
    (names::ORDER, "주문", "order", "orders"),
    (names::ITEM, "구매 상품", "product purchase", "product purchases"),
    (names::REFUND, "환불", "refund", "refunds"),
    (names::ITEM_REFUND, "상품 환불", "product refund", "product refunds"),
    (names::VIEW, "상품 조회", "product view", "product views"),
    (names::CART, "장바구니 담기", "cart addition", "cart additions"),
    (names::SEARCH, "검색", "search", "searches"),
    (names::CHECKOUT, "결제 시작", "checkout", "checkouts"),
    (names::SENT, "발송 메시지", "message sent", "messages sent"),
    (names::OPENED, "열어 본 메시지", "message opened", "messages opened"),
    (names::CLICKED, "클릭한 메시지", "message clicked", "messages clicked"),
    ("Product Reviewed", "후기 작성", "review", "reviews"),
    ("Survey Answered", "설문 응답", "survey answer", "survey answers"),
    ("Support Ticket Created", "문의", "support ticket", "support tickets"),
    ("Signed In", "로그인", "sign-in", "sign-ins"),
    ("Signed Up", "회원 가입", "sign-up", "sign-ups"),
    ("Page Viewed", "페이지 조회", "page view", "page views"),
];

/// Traits and properties.
const FIELDS: [(&str, &str, &str); 32] = [
    ("gender", "성별", "gender"),
    ("age", "나이", "age"),
    (names::BIRTH_DATE, "생년월일", "birth date"),
    ("region", "지역", "region"),
    ("country", "국가", "country"),
    ("city", "도시", "city"),
    ("address", "주소", "address"),
    ("name", "이름", "name"),
    ("email", "이메일", "e-mail"),
    ("phone", "전화번호", "phone"),
    ("joined_at", "가입일", "date of joining"),
    ("income", "소득", "income"),
    ("education", "학력", "education"),
    ("marital_status", "혼인 상태", "marital status"),
    ("grade", "등급", "grade"),
    ("tags", "태그", "tags"),
    ("total", "금액", "total"),
    ("price", "가격", "price"),
    ("quantity", "수량", "quantity"),
    ("category", "분야", "category"),
    ("product_id", "상품", "product"),
    ("order_id", "주문 번호", "order number"),
    ("channel", "채널", "channel"),
    ("coupon", "쿠폰", "coupon"),
    ("discount", "할인액", "discount"),
    ("shipping", "배송비", "shipping"),
    ("payment", "결제 수단", "payment"),
    ("brand", "브랜드", "brand"),
    ("source", "들어온 곳", "source"),
    ("campaign_id", "캠페인", "campaign"),
    ("rating", "별점", "rating"),
    ("score", "점수", "score"),
];

const CHANNELS: [(&str, &str, &str); 4] = [
    ("email", "이메일", "e-mail"),
    ("kakao", "카카오톡", "KakaoTalk"),
    ("sms", "문자", "text message"),
    ("push", "앱 푸시", "push"),
];

const REGIONS: [(&str, &str, &str); 18] = [
    ("KR", "한국", "Korea"),
    ("KR-11", "서울", "Seoul"),
    ("KR-26", "부산", "Busan"),
    ("KR-27", "대구", "Daegu"),
    ("KR-28", "인천", "Incheon"),
    ("KR-29", "광주", "Gwangju"),
    ("KR-30", "대전", "Daejeon"),
    ("KR-31", "울산", "Ulsan"),
    ("KR-41", "경기", "Gyeonggi"),
    ("KR-42", "강원", "Gangwon"),
    ("KR-43", "충북", "Chungbuk"),
    ("KR-44", "충남", "Chungnam"),
    ("KR-45", "전북", "Jeonbuk"),
    ("KR-46", "전남", "Jeonnam"),
    ("KR-47", "경북", "Gyeongbuk"),
    ("KR-48", "경남", "Gyeongnam"),
    ("KR-49", "제주", "Jeju"),
    ("KR-50", "세종", "Sejong"),
];

fn word(list: &[(&str, &'static str, &'static str)], id: &str, lang: Lang) -> Option<&'static str> {
    list.iter().find(|t| t.0 == id).map(|t| lang.pick(t.1, t.2))
}

/// A trait, a property, or the events of a name.
pub fn called(name: &str, lang: Lang) -> String {
    if EVENTS.iter().any(|t| t.0 == name) { events(name, lang) } else { field(name, lang) }
}

/// An event, as one of them.
pub(super) fn event(name: &str, lang: Lang) -> String {
    EVENTS.iter().find(|t| t.0 == name).map_or(name, |t| lang.pick(t.1, t.2)).to_string()
}

/// Several of an event.
pub(super) fn events(name: &str, lang: Lang) -> String {
    let known = EVENTS.iter().find(|t| t.0 == name).map(|t| lang.pick(t.1, t.3).to_string());
    known.unwrap_or_else(|| lang.pick(name.to_string(), format!("{name} events")))
}

/// An event in a list of what happened: in English its own name.
pub(super) fn happened(name: &str, lang: Lang) -> String {
    match lang {
        Lang::Ko if name == names::IDENTIFY => "고객 정보".into(),
        Lang::Ko => event(name, lang),
        Lang::En => name.into(),
    }
}

/// A trait or property; one without a word of its own by its name.
pub(super) fn field(name: &str, lang: Lang) -> String {
    let channel = |rest: &str| channel(rest, lang).to_string();
    if let Some(rest) = name.strip_prefix(names::CONSENT) {
        return lang.pick(format!("{} 수신 동의", channel(rest)), format!("consent to {}", channel(rest)));
    }
    if let Some(rest) = name.strip_prefix("unreachable.") {
        return lang.pick(format!("{} 발송 불가", channel(rest)), format!("unreachable by {}", channel(rest)));
    }
    word(&FIELDS, name, lang).unwrap_or(name).to_string()
}

pub(super) fn channel(id: &str, lang: Lang) -> &str {
    word(&CHANNELS, id, lang).unwrap_or(id)
}

/// A text value of a trait or property.
pub(super) fn value(name: &str, text: &str, lang: Lang) -> String {
    let known = match (name, text) {
        ("gender", "female") => Some(lang.pick("여성", "female")),
        ("gender", "male") => Some(lang.pick("남성", "male")),
        ("channel", _) => word(&CHANNELS, text, lang),
        ("region" | "country", _) => return region(text, lang),
        _ => None,
    };
    known.map_or_else(|| format!("'{text}'"), str::to_string)
}

/// A code of ISO 3166-2 by its name; finer ones by the name of the province and the code.
pub(super) fn region(code: &str, lang: Lang) -> String {
    if let Some(known) = word(&REGIONS, code, lang) {
        return known.to_string();
    }
    let around = REGIONS.iter().skip(1).find(|r| code.strip_prefix(r.0).is_some_and(|rest| rest.starts_with('-')));
    around.map_or_else(|| code.to_string(), |r| format!("{} ({code})", lang.pick(r.1, r.2)))
}

pub(super) fn weekday(n: i64, lang: Lang) -> &'static str {
    const DAYS: [(&str, &str); 7] = [
        ("월요일", "Monday"),
        ("화요일", "Tuesday"),
        ("수요일", "Wednesday"),
        ("목요일", "Thursday"),
        ("금요일", "Friday"),
        ("토요일", "Saturday"),
        ("일요일", "Sunday"),
    ];
    let known = usize::try_from(n - 1).ok().and_then(|i| DAYS.get(i));
    known.map_or("–", |d| lang.pick(d.0, d.1))
}

/// 이 after a final consonant, 가 after a vowel; both where the sound of the last letter is not written.
pub(super) fn subject_particle(word: &str) -> &'static str {
    match word.chars().last() {
        Some(c @ '가'..='힣') if (u32::from(c) - u32::from('가')) % 28 == 0 => "가",
        Some('가'..='힣') => "이",
        _ => "이(가)",
    }
}
