//! Regions of Korea and countries of the world, in the spellings that shops export.

/// `(ISO 3166-2, short, long forms, English, administrative prefixes)`.
type Region = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const REGIONS: [Region; 17] = [
    ("KR-11", "서울", &["서울특별시", "서울시"], &["seoul"], &["11"]),
    ("KR-26", "부산", &["부산광역시", "부산시"], &["busan", "pusan"], &["26"]),
    ("KR-27", "대구", &["대구광역시", "대구시"], &["daegu", "taegu"], &["27"]),
    ("KR-28", "인천", &["인천광역시", "인천시"], &["incheon", "inchon"], &["28"]),
    ("KR-29", "광주", &["광주광역시", "광주시"], &["gwangju", "kwangju"], &["29"]),
    ("KR-30", "대전", &["대전광역시", "대전시"], &["daejeon", "taejon"], &["30"]),
    ("KR-31", "울산", &["울산광역시", "울산시"], &["ulsan"], &["31"]),
    // ISO 50 is Sejong, administrative 50 is Jeju.
    ("KR-50", "세종", &["세종특별자치시", "세종시"], &["sejong"], &["36"]),
    ("KR-41", "경기", &["경기도"], &["gyeonggi", "kyonggi"], &["41"]),
    ("KR-42", "강원", &["강원특별자치도", "강원도"], &["gangwon", "kangwon"], &["51", "42"]),
    ("KR-43", "충북", &["충청북도"], &["chungbuk", "chungcheongbuk", "north chungcheong"], &["43"]),
    ("KR-44", "충남", &["충청남도"], &["chungnam", "chungcheongnam", "south chungcheong"], &["44"]),
    ("KR-45", "전북", &["전북특별자치도", "전라북도"], &["jeonbuk", "jeollabuk", "north jeolla"], &["52", "45"]),
    ("KR-46", "전남", &["전라남도"], &["jeonnam", "jeollanam", "south jeolla"], &["46"]),
    ("KR-47", "경북", &["경상북도"], &["gyeongbuk", "gyeongsangbuk", "north gyeongsang"], &["47"]),
    ("KR-48", "경남", &["경상남도"], &["gyeongnam", "gyeongsangnam", "south gyeongsang"], &["48"]),
    ("KR-49", "제주", &["제주특별자치도", "제주도", "제주시"], &["jeju", "cheju"], &["50"]),
];

/// Districts that were Gwangju's before it became 전남광주통합특별시 together with Jeonnam in July 2026.
const GWANGJU_DISTRICTS: [&str; 5] = ["동구", "서구", "남구", "북구", "광산구"];
const MERGED: [&str; 4] = ["전남광주통합특별시", "전남광주특별시", "광주전남통합특별시", "전남광주"];

/// All codes that a Korean region can have here.
pub fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|r| r.0)
}

/// The ISO 3166-2:KR code of a name, an address, an ISO code or an administrative code.
pub(crate) fn region(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    if let Some(r) = REGIONS.iter().find(|r| r.0 == upper) {
        return Some(r.0);
    }
    if text.len() >= 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        return by_number(text);
    }
    let mut tokens = text.split_whitespace();
    let (first, second) = (tokens.next()?, tokens.next());
    if MERGED.contains(&first) {
        return Some(if second.is_some_and(|s| GWANGJU_DISTRICTS.contains(&s)) { "KR-29" } else { "KR-46" });
    }
    // 광주시 is Gwangju (then a district follows) or the city in Gyeonggi (then 읍, 면, 동 or a road).
    if first == "광주시" && second.is_some_and(|s| !s.ends_with('구')) {
        return Some("KR-41");
    }
    if let Some(r) = REGIONS.iter().find(|r| r.1 == first || r.2.contains(&first)) {
        return Some(r.0);
    }
    english(text)
}

/// Administrative codes (2, 5, 8 or 10 digits).
fn by_number(text: &str) -> Option<&'static str> {
    if !matches!(text.len(), 2 | 5 | 8 | 10) {
        return None;
    }
    if let Some(rest) = text.strip_prefix("12") {
        // The merged region keeps no district in two digits; its longer codes are not public yet.
        return rest.is_empty().then_some("KR-46");
    }
    REGIONS.iter().find(|r| r.4.contains(&&text[..2])).map(|r| r.0)
}

fn english(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let name = lower.split(',').next().unwrap_or("").trim();
    let name = ["-do", "-si", " province", " city", "do"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(name);
    REGIONS.iter().find(|r| r.3.contains(&name.trim())).map(|r| r.0)
}

#[rustfmt::skip]
const COUNTRIES: [(&str, &[&str]); 75] = [
    ("KR", &["korea", "south korea", "korea, republic of", "republic of korea", "kor", "대한민국", "한국"]),
    ("US", &["united states", "usa", "united states of america", "u.s.a.", "us", "미국"]),
    ("GB", &["united kingdom", "uk", "great britain", "england", "scotland", "wales", "gbr", "영국"]),
    ("JP", &["japan", "jpn", "일본"]), ("CN", &["china", "chn", "중국"]), ("TW", &["taiwan", "대만"]),
    ("HK", &["hong kong", "홍콩"]), ("SG", &["singapore", "싱가포르"]), ("VN", &["vietnam", "viet nam", "베트남"]),
    ("TH", &["thailand", "태국"]), ("MY", &["malaysia", "말레이시아"]), ("ID", &["indonesia", "인도네시아"]),
    ("PH", &["philippines", "필리핀"]), ("IN", &["india", "인도"]), ("AU", &["australia", "호주"]),
    ("NZ", &["new zealand", "뉴질랜드"]), ("CA", &["canada", "캐나다"]), ("MX", &["mexico", "멕시코"]),
    ("BR", &["brazil", "브라질"]), ("AR", &["argentina"]), ("CL", &["chile"]), ("CO", &["colombia"]), ("PE", &["peru"]),
    ("IE", &["ireland", "eire", "republic of ireland", "아일랜드"]), ("DE", &["germany", "deutschland", "deu", "독일"]),
    ("FR", &["france", "fra", "프랑스"]), ("ES", &["spain", "españa", "스페인"]), ("PT", &["portugal", "포르투갈"]),
    ("IT", &["italy", "italia", "이탈리아"]), ("NL", &["netherlands", "the netherlands", "holland", "네덜란드"]),
    ("BE", &["belgium", "벨기에"]), ("LU", &["luxembourg"]), ("CH", &["switzerland", "스위스"]), ("AT", &["austria", "오스트리아"]),
    ("DK", &["denmark", "덴마크"]), ("SE", &["sweden", "스웨덴"]), ("NO", &["norway", "노르웨이"]), ("FI", &["finland", "핀란드"]),
    ("IS", &["iceland"]), ("PL", &["poland", "폴란드"]), ("CZ", &["czech republic", "czechia", "체코"]), ("SK", &["slovakia"]),
    ("HU", &["hungary"]), ("RO", &["romania"]), ("BG", &["bulgaria"]), ("GR", &["greece", "그리스"]), ("CY", &["cyprus"]),
    ("MT", &["malta"]), ("LT", &["lithuania"]), ("LV", &["latvia"]), ("EE", &["estonia"]), ("HR", &["croatia"]),
    ("SI", &["slovenia"]), ("RS", &["serbia"]), ("UA", &["ukraine", "우크라이나"]), ("RU", &["russia", "russian federation", "러시아"]),
    ("TR", &["turkey", "türkiye", "튀르키예", "터키"]), ("IL", &["israel", "이스라엘"]), ("LB", &["lebanon"]),
    ("SA", &["saudi arabia", "사우디아라비아"]), ("AE", &["united arab emirates", "uae", "아랍에미리트"]), ("BH", &["bahrain"]),
    ("QA", &["qatar"]), ("KW", &["kuwait"]), ("EG", &["egypt", "이집트"]), ("ZA", &["rsa", "south africa", "남아프리카공화국"]),
    ("NG", &["nigeria"]), ("KE", &["kenya"]), ("MA", &["morocco"]), ("PK", &["pakistan"]), ("BD", &["bangladesh"]),
    ("KZ", &["kazakhstan"]), ("MN", &["mongolia", "몽골"]), ("GG", &["channel islands", "guernsey"]), ("JE", &["jersey"]),
];

/// The ISO 3166-1 alpha-2 code of a country's name or code; `None` for what names no country ("Unspecified").
pub(crate) fn country(text: &str) -> Option<String> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if let Some((code, _)) =
        COUNTRIES.iter().find(|(code, names)| names.contains(&lower.as_str()) || code.eq_ignore_ascii_case(&lower))
    {
        return Some(code.to_string());
    }
    // A code that the table does not name.
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_in_all_their_spellings() {
        for (text, want) in [
            ("서울", "KR-11"),
            ("서울특별시 강남구 테헤란로 1", "KR-11"),
            ("Seoul", "KR-11"),
            ("KR-11", "KR-11"),
            ("11", "KR-11"),
            ("경기도 수원시 영통구", "KR-41"),
            ("Gyeonggi-do", "KR-41"),
            ("강원특별자치도", "KR-42"),
            ("51", "KR-42"),
            ("42", "KR-42"),
            ("50", "KR-49"),
            ("36", "KR-50"),
            ("제주특별자치도", "KR-49"),
            ("전라북도 전주시", "KR-45"),
            ("52", "KR-45"),
            ("전남광주통합특별시 광산구 첨단로", "KR-29"),
            ("전남광주통합특별시 여수시", "KR-46"),
            ("광주광역시 북구", "KR-29"),
            ("광주시 오포읍", "KR-41"),
            ("광주시 북구", "KR-29"),
            ("1168010100", "KR-11"),
            ("North Jeolla", "KR-45"),
        ] {
            assert_eq!(region(text), Some(want), "{text}");
        }
        for bad in ["", "평양", "99", "Atlantis", "123", "12345678901"] {
            assert_eq!(region(bad), None, "{bad}");
        }
    }

    #[test]
    fn countries_of_online_retail() {
        for (text, want) in [
            ("United Kingdom", Some("GB")),
            ("EIRE", Some("IE")),
            ("RSA", Some("ZA")),
            ("대한민국", Some("KR")),
            ("kr", Some("KR")),
            ("Unspecified", None),
            ("European Community", None),
            ("Channel Islands", Some("GG")),
        ] {
            assert_eq!(country(text).as_deref(), want, "{text}");
        }
    }
}
