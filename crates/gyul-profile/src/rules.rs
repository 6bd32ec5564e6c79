//! What may be joined: limits, values that name nobody, sources that are believed.

use gyul_model::IdKind;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::fmt;

/// Longer values are no names.
const VALUE_BYTES_MAX: usize = 512;

/// How names become customers. A change of the rules holds for what comes later; customers stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How many names of each kind a customer gathers by itself, in the order of [`IdKind::ALL`].
    /// With 0 a kind links to nothing.
    pub limits: [u32; 6],
    /// Kinds that link only if the source has verified them, in the order of [`IdKind::ALL`].
    pub verify: [bool; 6],
    /// The sources ([`gyul_model::Message::source`]) whose e-mails and phones are verified.
    pub verified_sources: Vec<String>,
    /// Whether `alias` joins two user ids, as a merge by hand does.
    pub alias_joins_users: bool,
    /// Values that name nobody.
    pub blocked: Vec<Blocked>,
}

/// A value that many send and that names nobody, for one kind or for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocked {
    pub kind: Option<IdKind>,
    /// `*` stands for any characters; upper and lower case are one.
    pub pattern: String,
}

/// Sent by forms, SDKs and shops when there is nothing to send.
const EMPTY_WORDS: &str = "null (null) nil undefined unknown none empty nan n/a na -1 true false [object object] \
    anonymous guest user_id userid user customer_id customerid anonymousid distinct_id email phone test tester \
    not_authenticated notset (not_set) void 비회원 손님 고객 회원 없음 미입력 테스트 알수없음";
const EMPTY_EMAILS: &str = "test@test.* test@naver.com test@gmail.com a@a.* *@example.com *@example.org *@example.net \
    *.example *.invalid *.test *@localhost none@* noemail@* no@email.com noreply@* no-reply@* donotreply@*";
/// Placeholders, and the virtual numbers (050…) that shops hand to couriers: one number serves many people.
const EMPTY_PHONES: &str = "+8250* +821000000000 +821011111111 +821012341234 +821012345678 +821099999999";
const EMPTY_DEVICES: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff 9774d56d682e549c 02:00:00:00:00:00 000000000000000";

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            // user, e-mail, phone, Kakao, device, anonymous
            limits: [1, 5, 5, 5, 20, 100],
            verify: [false, true, true, false, false, false],
            verified_sources: ["shopify", "woocommerce", "cafe24", "kakao", "api"].map(String::from).into(),
            alias_joins_users: false,
            blocked: Blocked::built_in(),
        }
    }
}

impl Blocked {
    /// What is blocked wherever Gyul runs.
    pub fn built_in() -> Vec<Blocked> {
        let words = |kind: Option<IdKind>, words: &str| {
            let blocked = |w: &str| Blocked { kind, pattern: w.to_string() };
            words.split_whitespace().map(blocked).collect::<Vec<_>>()
        };
        let blocked = [
            words(None, EMPTY_WORDS),
            words(Some(IdKind::Email), EMPTY_EMAILS),
            words(Some(IdKind::Phone), EMPTY_PHONES),
            words(Some(IdKind::Device), EMPTY_DEVICES),
            words(Some(IdKind::Anonymous), EMPTY_DEVICES),
        ];
        blocked.concat()
    }

    /// As people write it: `손님` for all kinds, `email:*@shop.kr` for one. `None`: empty, too long, or everybody's.
    pub fn parse(text: &str) -> Option<Blocked> {
        let text = text.trim();
        let own = text.split_once(':').and_then(|(kind, rest)| Some((IdKind::parse(kind)?, rest.trim())));
        let (kind, pattern) = own.map_or((None, text), |(kind, rest)| (Some(kind), rest));
        let says = pattern.len() <= VALUE_BYTES_MAX && pattern.chars().any(|c| c != '*');
        says.then(|| Blocked { kind, pattern: pattern.to_string() })
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}:{}", kind.name(), self.pattern),
            None => f.write_str(&self.pattern),
        }
    }
}

impl Rules {
    /// The blocked values that are not built in.
    pub fn own_blocked(&self) -> Vec<&Blocked> {
        let built_in = Blocked::built_in();
        self.blocked.iter().filter(|b| !built_in.contains(b)).collect()
    }

    pub fn limit(&self, kind: IdKind) -> u32 {
        self.limits[kind as usize]
    }

    /// Whether what a source says of e-mails and phones is believed.
    pub fn believes(&self, source: &str) -> bool {
        self.verified_sources.iter().any(|s| s == source)
    }

    /// Whether a value names nobody. Compiles the list each time.
    pub fn blocks(&self, kind: IdKind, value: &str) -> bool {
        BlockList::of(self).has(kind, value)
    }
}

/// The blocked values, ready for a million questions.
#[derive(Clone)]
pub struct BlockList {
    /// For which kinds a value is blocked, a bit each.
    values: FxHashMap<String, u8>,
    patterns: Vec<(u8, String)>,
}

impl BlockList {
    pub fn of(rules: &Rules) -> BlockList {
        let mut list = BlockList { values: FxHashMap::default(), patterns: vec![] };
        for Blocked { kind, pattern } in &rules.blocked {
            let kinds = kind.map_or(u8::MAX, |k| 1 << k as u8);
            let pattern = pattern.to_lowercase();
            match pattern.contains('*') {
                true => list.patterns.push((kinds, pattern)),
                false => *list.values.entry(pattern).or_default() |= kinds,
            }
        }
        list
    }

    pub fn has(&self, kind: IdKind, value: &str) -> bool {
        let value = value.trim();
        if value.is_empty() || value.len() > VALUE_BYTES_MAX || value.chars().all(is_filler) {
            return true;
        }
        let lower = match value.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
            true => Cow::Borrowed(value),
            false => Cow::Owned(value.to_lowercase()),
        };
        let kind = 1 << kind as u8;
        self.values.get(lower.as_ref()).is_some_and(|kinds| kinds & kind != 0)
            || self.patterns.iter().any(|(kinds, pattern)| kinds & kind != 0 && matches(pattern, &lower))
    }
}

/// Zeros and what stands between them: `0`, `00000000-0000-…`, `--`, `+0`.
fn is_filler(c: char) -> bool {
    matches!(c, '0' | '-' | ':' | '.' | '_' | '+' | ' ' | '{' | '}')
}

/// Whether a text is what a pattern with `*` describes: the pieces between the stars follow one another.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        // The earliest place leaves the most for the others.
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_name_nobody_are_blocked_in_any_case() {
        let rules = Rules::default();
        let nobody = [
            (IdKind::User, "null"),
            (IdKind::User, " NULL "),
            (IdKind::User, "Undefined"),
            (IdKind::User, "0"),
            (IdKind::User, "-1"),
            (IdKind::User, ""),
            (IdKind::User, "비회원"),
            (IdKind::Email, "Test@Test.com"),
            (IdKind::Email, "someone@example.com"),
            (IdKind::Phone, "+825012345678"),
            (IdKind::Anonymous, "00000000-0000-0000-0000-000000000000"),
            (IdKind::Device, "00:00:00:00:00:00"),
        ];
        for (kind, value) in nobody {
            assert!(rules.blocks(kind, value), "{kind:?} {value}");
        }
        assert!(rules.blocks(IdKind::User, &"x".repeat(VALUE_BYTES_MAX + 1)));
        let somebody = [
            (IdKind::User, "10"),
            (IdKind::User, "nullable"),
            (IdKind::User, "guest-771"),
            (IdKind::User, "test@test.com-2"),
            (IdKind::Email, "example.com@shop.kr"),
            (IdKind::Phone, "+821050123456"),
            (IdKind::User, "+825012345678"),
        ];
        for (kind, value) in somebody {
            assert!(!rules.blocks(kind, value), "{kind:?} {value}");
        }
    }

    #[test]
    fn a_blocked_value_is_written_as_a_line() {
        for (line, kind, pattern) in [
            ("  매장 손님 ", None, "매장 손님"),
            ("email: *@shop.kr", Some(IdKind::Email), "*@shop.kr"),
            ("user:C0", Some(IdKind::User), "C0"),
            ("pos:1", None, "pos:1"),
        ] {
            let b = Blocked::parse(line).unwrap();
            assert_eq!((b.kind, b.pattern.as_str()), (kind, pattern), "{line}");
            assert_eq!(Blocked::parse(&b.to_string()), Some(b), "{line}");
        }
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        for bad in ["", " ", "*", "email:", "phone:**", &long] {
            assert_eq!(Blocked::parse(bad), None, "{bad}");
        }
        let own = Blocked::parse("매장 손님").unwrap();
        let rules = Rules { blocked: [Blocked::built_in(), vec![own.clone()]].concat(), ..Rules::default() };
        assert_eq!(rules.own_blocked(), [&own]);
        assert!(rules.blocks(IdKind::User, "매장 손님") && rules.blocks(IdKind::User, "null"));
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("*b*", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("**", "x", true),
            ("abc", "abcd", false),
            ("가*다", "가나다", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
