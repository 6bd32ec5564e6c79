//! What the shop sells and to whom: categories, products, names, regions. Invented, apart from shares of the population.

use super::chance::Chance;

pub struct Category {
    pub id: &'static str,
    pub ko: &'static str,
    /// Typical price in won.
    price: f64,
    kinds: [&'static str; 8],
}

pub struct Product {
    pub id: String,
    pub name: String,
    pub category: usize,
    /// Won.
    pub price: i64,
}

/// Products per category, the most popular first.
pub const PRODUCTS: usize = 40;

const fn category(id: &'static str, ko: &'static str, price: f64, kinds: [&'static str; 8]) -> Category {
    Category { id, ko, price, kinds }
}

pub static CATEGORIES: [Category; 14] = [
    category(
        "beauty",
        "뷰티",
        24_000.0,
        ["수분 크림", "선크림", "립 틴트", "토너", "시트 마스크", "클렌징 폼", "세럼", "쿠션 파운데이션"],
    ),
    category(
        "women",
        "여성 패션",
        42_000.0,
        ["니트 가디건", "원피스", "블라우스", "롱 코트", "슬랙스", "플리츠 스커트", "맨투맨", "데님 팬츠"],
    ),
    category(
        "men",
        "남성 패션",
        45_000.0,
        ["옥스퍼드 셔츠", "치노 팬츠", "후드 티셔츠", "경량 패딩", "니트", "트레이닝 팬츠", "블레이저", "폴로 셔츠"],
    ),
    category(
        "shoes",
        "신발",
        68_000.0,
        ["러닝화", "스니커즈", "로퍼", "샌들", "앵클 부츠", "슬리퍼", "구두", "등산화"],
    ),
    category(
        "bags",
        "가방·잡화",
        55_000.0,
        ["크로스백", "백팩", "에코백", "카드 지갑", "토트백", "머플러", "볼캡", "양말 세트"],
    ),
    category(
        "kids",
        "유아동",
        22_000.0,
        ["내복 세트", "기저귀", "물티슈", "블록 장난감", "그림책", "이유식", "유아 매트", "방수 앞치마"],
    ),
    category(
        "food",
        "식품",
        19_000.0,
        ["한우 선물 세트", "샤인머스캣", "제주 감귤", "갈비탕", "고등어", "유기농 쌀", "김치", "냉동 만두"],
    ),
    category(
        "health",
        "건강식품",
        36_000.0,
        ["홍삼정", "유산균", "오메가3", "비타민C", "콜라겐", "루테인", "단백질 파우더", "프로폴리스"],
    ),
    category(
        "snacks",
        "간식·음료",
        11_000.0,
        ["초콜릿", "쿠키", "견과 세트", "원두 커피", "막대 과자", "탄산수", "젤리", "곡물 바"],
    ),
    category(
        "kitchen",
        "주방",
        31_000.0,
        ["프라이팬", "밀폐 용기", "머그컵", "도마", "수저 세트", "텀블러", "냄비", "접시 세트"],
    ),
    category(
        "living",
        "리빙",
        39_000.0,
        ["극세사 이불", "디퓨저", "수건 세트", "커튼", "무드등", "베개", "러그", "수납함"],
    ),
    category(
        "digital",
        "가전·디지털",
        89_000.0,
        [
            "무선 이어폰",
            "보조 배터리",
            "가습기",
            "블루투스 스피커",
            "키보드",
            "공기 청정기",
            "스마트 워치",
            "헤어 드라이어",
        ],
    ),
    category(
        "sports",
        "스포츠",
        47_000.0,
        ["요가 매트", "덤벨", "레깅스", "캠핑 의자", "텐트", "골프 장갑", "수영복", "자전거 헬멧"],
    ),
    category(
        "pets",
        "반려동물",
        26_000.0,
        ["강아지 사료", "고양이 모래", "배변 패드", "캣타워", "간식 트릿", "하네스", "장난감 공", "이동장"],
    ),
];

const STYLES: [&str; 10] =
    ["데일리", "프리미엄", "촉감 좋은", "순한", "베이직", "대용량", "가벼운", "선물용", "시즌 한정", "국내산"];

/// Regions with their ISO 3166-2 code's Korean short name and share of the population in percent.
pub static REGIONS: [(&str, f64); 17] = [
    ("서울", 18.1),
    ("부산", 6.3),
    ("대구", 4.6),
    ("인천", 5.9),
    ("광주", 2.7),
    ("대전", 2.8),
    ("울산", 2.1),
    ("세종", 0.8),
    ("경기", 26.8),
    ("강원", 3.0),
    ("충북", 3.1),
    ("충남", 4.2),
    ("전북", 3.4),
    ("전남", 3.5),
    ("경북", 4.9),
    ("경남", 6.3),
    ("제주", 1.3),
];

pub static SURNAMES: [(&str, f64); 20] = [
    ("김", 21.5),
    ("이", 14.7),
    ("박", 8.4),
    ("최", 4.7),
    ("정", 4.3),
    ("강", 2.4),
    ("조", 2.1),
    ("윤", 2.1),
    ("장", 2.0),
    ("임", 1.7),
    ("한", 1.6),
    ("오", 1.5),
    ("서", 1.5),
    ("신", 1.5),
    ("권", 1.4),
    ("황", 1.4),
    ("안", 1.4),
    ("송", 1.4),
    ("류", 1.3),
    ("홍", 1.1),
];

pub static FEMALE: [&str; 24] = [
    "서연", "지우", "민지", "수빈", "하은", "예진", "지민", "유진", "은지", "다은", "채원", "소영", "미경", "영숙",
    "정희", "은영", "혜진", "선영", "수아", "지아", "나연", "현주", "경희", "보람",
];

pub static MALE: [&str; 24] = [
    "민준", "서준", "도윤", "지훈", "현우", "준호", "동현", "성민", "승현", "재현", "영수", "정호", "상훈", "성호",
    "진우", "태민", "건우", "우진", "시우", "민수", "광수", "병철", "대현", "은우",
];

pub static SOURCES: [(&str, f64); 7] = [
    ("검색", 24.0),
    ("인스타그램", 22.0),
    ("네이버", 18.0),
    ("카카오", 14.0),
    ("친구 추천", 10.0),
    ("매장", 8.0),
    ("제휴", 4.0),
];

pub static CHANNELS: [&str; 4] = ["email", "sms", "kakao", "push"];

pub static COUPONS: [&str; 5] = ["WELCOME10", "GYUL12", "주말특가", "앱전용15", "생일축하"];

/// Openings and endings of reviews for 1 to 5 stars.
pub static REVIEWS: [([&str; 4], [&str; 4]); 5] = [
    (
        ["너무 실망했어요.", "사진이랑 완전히 달라요.", "불량이 왔습니다.", "돈이 아까워요."],
        ["다시는 안 사요.", "환불 신청했습니다.", "배송도 너무 늦었어요.", "고객센터 연결도 안 되네요."],
    ),
    (
        ["기대보다 별로예요.", "마감이 아쉽습니다.", "생각보다 작아요.", "포장이 엉망이었어요."],
        ["가격만큼은 아닌 듯해요.", "배송은 그럭저럭이에요.", "재구매는 안 할 것 같아요.", "그냥 쓰긴 합니다."],
    ),
    (
        ["무난해요.", "보통이에요.", "가격 생각하면 괜찮아요.", "그럭저럭 쓸 만해요."],
        ["배송은 빨랐어요.", "색상이 조금 달라요.", "조금 더 써 봐야 알 것 같아요.", "할인할 때 사면 좋겠어요."],
    ),
    (
        ["마음에 들어요.", "품질이 좋아요.", "가성비 좋습니다.", "생각보다 예뻐요."],
        ["배송도 빨라요.", "포장도 꼼꼼했어요.", "다음에 또 살게요.", "선물했더니 좋아하네요."],
    ),
    (
        ["정말 만족합니다!", "최고예요!", "벌써 세 번째 구매예요.", "너무 예뻐요!"],
        [
            "주변에도 추천했어요.",
            "배송이 하루 만에 왔어요.",
            "가격도 착하고 품질도 좋아요.",
            "부모님이 무척 좋아하세요.",
        ],
    ),
];

/// All products, [`PRODUCTS`] a category. The same for every seed: a shop's shelves do not depend on its customers.
pub fn products() -> Vec<Product> {
    let mut chance = Chance::new(77, 0);
    let mut out = vec![];
    for (c, category) in CATEGORIES.iter().enumerate() {
        for i in 0..PRODUCTS {
            let price = category.price * (0.55 * chance.normal()).exp();
            let style = STYLES[(i / 8 + c + i) % STYLES.len()];
            out.push(Product {
                id: format!("P{:02}{:03}", c + 1, i + 1),
                name: format!("{style} {}", category.kinds[i % 8]),
                category: c,
                price: ((price / 100.0).round() as i64 * 100).clamp(1_000, 900_000),
            });
        }
    }
    out
}

/// What people type to find a category.
pub fn query(category: usize, i: usize) -> &'static str {
    CATEGORIES[category].kinds[i % 8]
}
