//! What people are, in the usual spellings: gender, birth, consent, addresses.

use crate::mapping::TimeFormat;
use crate::values::time;
use gyul_model::Date;
use unicode_normalization::UnicodeNormalization;

/// `None` for what is neither yes nor no.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_lowercase();
    Some(match lower.as_str() {
        "y" | "yes" | "t" | "true" | "1" | "1.0" | "o" | "on" | "예" | "네" | "동의" | "동의함" | "수신"
        | "수신동의" | "수신함" | "허용" | "참" | "사용" | "subscribed" | "opted_in" | "opt-in" | "granted" => {
            true
        }
        "n" | "no" | "f" | "false" | "0" | "0.0" | "x" | "off" | "아니오" | "아니요" | "거부" | "미동의"
        | "동의안함" | "동의 안함" | "수신거부" | "수신안함" | "비동의" | "거절" | "거짓" | "미사용"
        | "unsubscribed" | "not_subscribed" | "opted_out" | "opt-out" | "denied" => false,
        _ => return None,
    })
}

pub(crate) fn gender(text: &str) -> Option<&'static str> {
    Some(match text.to_lowercase().as_str() {
        "f" | "female" | "woman" | "w" | "여" | "여성" | "여자" => "female",
        "m" | "male" | "man" | "남" | "남성" | "남자" => "male",
        "other" | "non-binary" | "nonbinary" | "기타" => "other",
        _ => return None,
    })
}

/// What a birth column says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Birth {
    Date(Date),
    Year(i64),
}

/// Reads `19900101`, `900101`, `1990-01-01`, `1990.1.1`, `1990년 1월 1일`, `1990`. `today` decides the century of two digits.
pub(crate) fn birth(text: &str, today: Date) -> Option<Birth> {
    let text = text.strip_suffix(".0").unwrap_or(text).trim();
    let this_year = i64::from(today.ymd().0);
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let year_only = text.strip_suffix('년').unwrap_or(text).trim();
    if year_only.len() == 4 && year_only.bytes().all(|b| b.is_ascii_digit()) {
        let year: i64 = year_only.parse().ok()?;
        return (1900..=this_year).contains(&year).then_some(Birth::Year(year));
    }
    let day = if digits && text.len() == 6 {
        let n: i64 = text.parse().ok()?;
        let (yy, m, d) = (n / 10_000, n / 100 % 100, n % 100);
        let year = if 2000 + yy > this_year { 1900 + yy } else { 2000 + yy };
        time::days(year, m, d)?
    } else {
        time::civil(text, TimeFormat::Ymd)?.day
    };
    let date = Date(day);
    let year = i64::from(date.ymd().0);
    ((1900..=this_year).contains(&year) && date <= today).then_some(Birth::Date(date))
}

/// E.164; a number without a country is Korean. `None` for what cannot be a number, masked numbers among it.
pub(crate) fn phone(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(16);
    let mut plus = false;
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '０'..='９' => digits.push(char::from(b'0' + (c as u32 - '０' as u32) as u8)),
            '+' | '＋' if digits.is_empty() => plus = true,
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '‐' | '–' | '−' => {}
            _ => return None,
        }
    }
    if let (false, Some(rest)) = (plus, digits.strip_prefix("00")) {
        digits = rest.to_string();
        plus = true;
    }
    let korean = match digits.strip_prefix("82") {
        Some(rest) if plus || digits.len() > 10 => Some(rest.strip_prefix('0').unwrap_or(rest).to_string()),
        _ if plus => None,
        // Spreadsheets eat the leading zero: 1012345678.
        _ if digits.starts_with("10") && digits.len() == 10 => Some(digits.clone()),
        _ => Some(digits.strip_prefix('0').map_or_else(|| digits.clone(), str::to_string)),
    };
    match korean {
        Some(n) => {
            let fits = match n.as_bytes() {
                // Representative numbers, 1588-1234.
                [b'1', b'5' | b'6' | b'8', ..] if n.len() == 8 => true,
                [b'1', ..] => (9..=10).contains(&n.len()),
                // Seoul.
                [b'2', ..] => (8..=9).contains(&n.len()),
                [b'3'..=b'8', ..] => (8..=10).contains(&n.len()),
                _ => false,
            };
            fits.then(|| format!("+82{n}"))
        }
        None => (8..=15).contains(&digits.len()).then(|| format!("+{digits}")),
    }
}

/// Lower case, trimmed, NFC. `None` for what cannot be an address.
pub(crate) fn email(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("mailto:");
    let (local, domain) = text.rsplit_once('@')?;
    let fine = !local.is_empty()
        && text.len() <= 254
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '*'));
    fine.then(|| text.to_lowercase().nfc().collect())
}

/// NFC, without zero-width characters, runs of spaces made one.
pub(crate) fn name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfc().filter(|c| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}')) {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_agree_with_the_table() {
        for (text, want) in [
            ("010-1234-5678", "+821012345678"),
            ("+82 10-1234-5678", "+821012345678"),
            ("+82 010 1234 5678", "+821012345678"),
            ("02-123-4567", "+8221234567"),
            ("031-123-4567", "+82311234567"),
            ("070-1234-5678", "+827012345678"),
            ("080-123-4567", "+82801234567"),
            ("1588-1234", "+8215881234"),
            ("0505-123-4567", "+825051234567"),
            ("011-234-5678", "+82112345678"),
            ("82-10-1234-5678", "+821012345678"),
            ("0082 10 1234 5678", "+821012345678"),
            ("０１０－１２３４".replace('－', "-").as_str(), ""),
            ("1012345678", "+821012345678"),
            ("+44 20 7946 0958", "+442079460958"),
            ("010-****-5678", ""),
            ("abc", ""),
            ("", ""),
            ("123", ""),
        ] {
            assert_eq!(phone(text).unwrap_or_default(), want, "{text}");
        }
    }

    #[test]
    fn births_genders_and_consents() {
        let today = Date::parse("2026-11-23").unwrap();
        let birth = |t| match birth(t, today) {
            Some(Birth::Date(d)) => d.to_string(),
            Some(Birth::Year(y)) => y.to_string(),
            None => "-".into(),
        };
        for (text, want) in [
            ("19900101", "1990-01-01"),
            ("900101", "1990-01-01"),
            ("1990-01-01", "1990-01-01"),
            ("1990.1.1", "1990-01-01"),
            ("050505", "2005-05-05"),
            ("1990", "1990"),
            ("1990년", "1990"),
            ("1990년 1월 2일", "1990-01-02"),
            ("20300101", "-"),
            ("0000-00-00", "-"),
            ("900230", "-"),
        ] {
            assert_eq!(birth(text), want, "{text}");
        }
        assert_eq!(
            ["여", "F", "남자", "M", "?"].map(gender),
            [Some("female"), Some("female"), Some("male"), Some("male"), None]
        );
        assert_eq!(
            ["Y", "거부", "동의", "TRUE", "0", "maybe"].map(boolean),
            [Some(true), Some(false), Some(true), Some(true), Some(false), None]
        );
        assert_eq!(email(" Hong@Example.COM ").as_deref(), Some("hong@example.com"));
        assert_eq!(email("hong@"), None);
        assert_eq!(name(" 홍  길동\u{200b} "), "홍 길동");
    }
}
