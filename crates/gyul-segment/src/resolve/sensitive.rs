//! Which names look like data that the law protects more than other personal data?
//!
//! The list follows article 23 of the Korean PIPA with article 18 of its decree (ideology and belief, unions and parties, political views,
//! health, sexual life, genes, criminal record, biometric features, race and ethnicity) and article 9 of the GDPR. Disability belongs to health.

/// Words of a name, in one of the forms that it may take.
const WORDS: [&str; 74] = [
    // Health and sexual life.
    "health",
    "medical",
    "medication",
    "disease",
    "diseases",
    "illness",
    "illnesses",
    "diagnosis",
    "diagnoses",
    "disability",
    "disabilities",
    "disabled",
    "handicap",
    "diabetes",
    "diabetic",
    "cancer",
    "hiv",
    "allergy",
    "allergies",
    "pregnant",
    "pregnancy",
    "sexual",
    "sexuality",
    "lgbt",
    "lgbtq",
    "건강",
    "질병",
    "질환",
    "병력",
    "당뇨",
    "당뇨병",
    "장애",
    "장애인",
    "임신",
    "성생활",
    "성적지향",
    // Belief, parties, unions.
    "religion",
    "religious",
    "religiosity",
    "faith",
    "belief",
    "beliefs",
    "ideology",
    "politics",
    "political",
    "union",
    "unions",
    "unionized",
    "종교",
    "신앙",
    "사상",
    "신념",
    "정치",
    "정당",
    "당적",
    "노조",
    "노동조합",
    // Origin.
    "race",
    "racial",
    "ethnic",
    "ethnicity",
    "인종",
    "민족",
    // Criminal record.
    "criminal",
    "conviction",
    "convictions",
    "전과",
    "범죄경력",
    // Body as proof of identity, and genes.
    "biometric",
    "fingerprint",
    "iris",
    "genetic",
    "지문",
    "홍채",
];

/// Several words that mean it only together.
const PHRASES: [&[&str]; 6] = [
    &["sex", "life"],
    &["sexual", "orientation"],
    &["political", "party"],
    &["party", "membership"],
    &["trade", "union"],
    &["성적", "지향"],
];

/// What Korean writes to a noun without a space.
const BEFORE: [&str; 4] = ["고객", "회원", "본인", "직원"];
const AFTER: [&str; 18] = [
    "가입", "여부", "기록", "정보", "구분", "유무", "등급", "등록", "코드", "성향", "견해", "상태", "원", "자", "인",
    "명", "적", "종류",
];

/// By whole words only: `party_size` and `확인종료` say nothing of the kind.
pub(super) fn is_sensitive(name: &str) -> bool {
    let words = words(name);
    let known = |w: &String| stems(w).any(|s| WORDS.contains(&s));
    words.iter().any(known) || PHRASES.iter().any(|p| words.windows(p.len()).any(|w| w == *p))
}

/// Parts between signs and at capital letters, in small letters.
fn words(name: &str) -> Vec<String> {
    let (mut all, mut word, mut small) = (vec![], String::new(), false);
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && small) {
            all.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()));
        }
        small = c.is_lowercase();
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    all.extend(Some(word).filter(|w| !w.is_empty()));
    all
}

/// A Korean word without what stands around the noun: one word before it, up to two behind.
fn stems(word: &str) -> impl Iterator<Item = &str> {
    let shorter = |w| [Some(w)].into_iter().chain(AFTER.map(|a| str::strip_suffix(w, a))).flatten();
    let fronts = [Some(word)].into_iter().chain(BEFORE.map(|b| word.strip_prefix(b))).flatten();
    fronts.flat_map(shorter).flat_map(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_told_and_parts_of_words_are_not() {
        for name in [
            "노조",
            "노동조합",
            "노조가입여부",
            "노조_가입",
            "정당",
            "정당가입",
            "인종",
            "전과",
            "전과기록",
            "성적지향",
            "성적 지향",
            "지문",
            "지문정보",
            "홍채",
            "장애",
            "장애등급",
            "고객종교",
            "종교",
            "정치성향",
            "medical",
            "medical.notes",
            "diabetes",
            "hasDiabetes",
            "fingerprint",
            "iris",
            "disability",
            "healthStatus",
            "HEALTH",
            "trade_union",
            "politicalParty",
            "race",
            "ethnicity",
            "sexual_orientation",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in [
            "party_size",
            "reunion_date",
            "trace_id",
            "irish_store",
            "wellness_points",
            "확인종료",
            "공지문자",
            "한정당일",
            "이전과정",
            "embrace",
            "grade",
            "성적",
            "지향점",
            "주문",
            "주소",
            "gender",
            "생년월일",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
