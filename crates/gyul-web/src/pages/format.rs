//! How are numbers, money and times written? As Koreans and as English speakers expect them.

use gyul_model::{Instant, Lang};
use jiff::tz::TimeZone;

/// `12340` as `12,340`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A change: `+1,234`, `−56`, `0`.
pub fn signed(n: i64) -> String {
    match n {
        0 => "0".into(),
        n if n > 0 => format!("+{}", count(n.unsigned_abs())),
        n => format!("−{}", count(n.unsigned_abs())),
    }
}

/// With at most so many decimals, none that are zero.
pub fn decimal(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    let text = format!("{:.decimals$}", x.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = part.trim_end_matches('0');
    let zero = whole == "0" && part.is_empty();
    let sign = if x < 0.0 && !zero { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_string(), count);
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// A share of 0 to 1: `12.3%`, `<0.1%`.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.1 => "<0.1%".into(),
        p if (99.95..100.0).contains(&p) => "99.9%".into(),
        p => format!("{}%", decimal(p, 1)),
    }
}

pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "–".into() } else { percent(part as f64 / whole as f64) }
}

/// Decimals that a currency has (ISO 4217).
fn decimals(currency: &str) -> usize {
    match currency {
        "KRW" | "JPY" | "VND" | "CLP" | "ISK" => 0,
        _ => 2,
    }
}

fn symbol(currency: &str) -> Option<&'static str> {
    Some(match currency {
        "KRW" => "₩",
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "JPY" => "¥",
        _ => return None,
    })
}

/// An amount in full: `12,340원` or `₩12,340`; `£1,234.50`.
pub fn money(amount: f64, currency: &str, lang: Lang) -> String {
    let number = decimal_places(amount, decimals(currency));
    with_currency(number, currency, lang)
}

fn decimal_places(x: f64, places: usize) -> String {
    let text = format!("{:.places$}", x.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_string(), count);
    let sign = if x < 0.0 { "−" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// An amount without the cents that say nothing beside hundreds: `£1,235`, `£12.40`.
pub fn money_about(amount: f64, currency: &str, lang: Lang) -> String {
    if amount.abs() < 100.0 {
        return money(amount, currency, lang);
    }
    with_currency(decimal(amount, 0), currency, lang)
}

/// An amount at a glance: `1.2억 원`, `3,450만 원`; `₩123M`, `£12.3K`.
pub fn money_short(amount: f64, currency: &str, lang: Lang) -> String {
    if amount.abs() < 10_000.0 {
        return with_currency(decimal(amount, 0), currency, lang);
    }
    match (lang, currency) {
        (Lang::Ko, "KRW") => format!("{} 원", short(amount, lang)),
        _ => with_currency(short(amount, lang), currency, lang),
    }
}

fn with_currency(number: String, currency: &str, lang: Lang) -> String {
    match (lang, currency, symbol(currency)) {
        (Lang::Ko, "KRW", _) => format!("{number}원"),
        (_, _, Some(symbol)) => match number.strip_prefix('−') {
            Some(rest) => format!("−{symbol}{rest}"),
            None => format!("{symbol}{number}"),
        },
        _ => format!("{number} {currency}"),
    }
}

/// A number at a glance: 만, 억, 조; K, M, B.
pub fn short(x: f64, lang: Lang) -> String {
    let steps: &[(f64, &str)] = match lang {
        Lang::Ko => &[(1e12, "조"), (1e8, "억"), (1e4, "만")],
        Lang::En => &[(1e9, "B"), (1e6, "M"), (1e3, "K")],
    };
    for (size, word) in steps {
        if x.abs() >= *size {
            let n = x / size;
            return format!("{}{word}", decimal(n, usize::from(n.abs() < 100.0)));
        }
    }
    decimal(x, 0)
}

/// A Korean word with the particle that says whither: `휴면 고객으로`, `이탈 위험으로`, `첫 구매로`.
pub fn whither(word: &str) -> String {
    let open = match word.trim_end_matches(['’', '”', ')', '"']).chars().next_back() {
        // A syllable without a final consonant, or with ㄹ.
        Some(c @ '가'..='힣') => matches!((c as u32 - 0xac00) % 28, 0 | 8),
        // As the sign is read: 영, 삼, 육; 엠, 엔.
        Some('0' | '3' | '6' | 'm' | 'n' | 'M' | 'N') => false,
        _ => true,
    };
    format!("{word}{}", if open { "로" } else { "으로" })
}

/// An instant on the clock of the workspace.
fn local(at: Instant, zone: &str) -> Option<jiff::Zoned> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Some(jiff::Timestamp::from_microsecond(at.0).ok()?.to_zoned(zone))
}

/// `2026년 11월 23일`, `23 Nov 2026`.
pub fn date(at: Instant, zone: &str, lang: Lang) -> String {
    let Some(t) = local(at, zone) else { return "–".into() };
    match lang {
        Lang::Ko => format!("{}년 {}월 {}일", t.year(), t.month(), t.day()),
        Lang::En => format!("{} {} {}", t.day(), MONTHS[t.month() as usize - 1], t.year()),
    }
}

/// `11월 23일 15:04`, `23 Nov 15:04`; with the year if it is not this one; seconds too if asked for.
pub fn moment(at: Instant, now: Instant, zone: &str, lang: Lang, seconds: bool) -> String {
    let (Some(t), Some(n)) = (local(at, zone), local(now, zone)) else { return "–".into() };
    let clock = format!("{:02}:{:02}", t.hour(), t.minute());
    let clock = if seconds { format!("{clock}:{:02}", t.second()) } else { clock };
    let day = match (lang, t.year() == n.year()) {
        (Lang::Ko, true) => format!("{}월 {}일", t.month(), t.day()),
        (Lang::En, true) => format!("{} {}", t.day(), MONTHS[t.month() as usize - 1]),
        (_, false) => date(at, zone, lang),
    };
    format!("{day} {clock}")
}

/// `15:04` on the clock of the workspace.
pub fn clock(at: Instant, zone: &str) -> String {
    local(at, zone).map_or_else(|| "–".into(), |t| format!("{:02}:{:02}", t.hour(), t.minute()))
}

/// `2026-11-23` on the clock of the workspace: for charts, tables and forms.
pub fn iso_date(at: Instant, zone: &str) -> String {
    local(at, zone).map_or_else(|| "–".into(), |t| t.date().to_string())
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How long ago, or how soon: `3분 전`, `in 2 days`.
pub fn relative(at: Instant, now: Instant, lang: Lang) -> String {
    let micros = now.0.saturating_sub(at.0);
    let seconds = micros.unsigned_abs() / 1_000_000;
    let (n, ko, en) = match seconds {
        0..10 => {
            return if micros >= 0 { lang.pick("방금", "just now") } else { lang.pick("곧", "in a moment") }.into();
        }
        10..60 => (seconds, "초", "second"),
        60..3600 => (seconds / 60, "분", "minute"),
        3600..86_400 => (seconds / 3600, "시간", "hour"),
        86_400..5_184_000 => (seconds / 86_400, "일", "day"),
        5_184_000..63_072_000 => (seconds / 2_629_800, "개월", "month"),
        _ => (seconds / 31_557_600, "년", "year"),
    };
    let s = if n == 1 { "" } else { "s" };
    match (lang, micros >= 0) {
        (Lang::Ko, true) => format!("{n}{ko} 전"),
        (Lang::Ko, false) => format!("{n}{ko} 뒤"),
        (Lang::En, true) => format!("{n} {en}{s} ago"),
        (Lang::En, false) => format!("in {n} {en}{s}"),
    }
}

/// `512 B`, `1.4 MB`.
pub fn bytes(n: u64) -> String {
    let steps = [(1u64 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match steps.iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) => format!("{} {unit}", decimal(n as f64 / *size as f64, 1)),
        None => format!("{n} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(signed(-1234), "−1,234");
        assert_eq!(decimal(-0.001, 2), "0");
        assert_eq!(decimal(1234.5, 2), "1,234.5");
        assert_eq!(percent(0.0004), "<0.1%");
        assert_eq!(percent(0.9999), "99.9%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(share(1, 0), "–");
        assert_eq!(bytes(1_468_006), "1.4 MB");
    }

    #[test]
    fn money_is_written_as_each_language_does() {
        assert_eq!(money(12_340.0, "KRW", Lang::Ko), "12,340원");
        assert_eq!(money(12_340.0, "KRW", Lang::En), "₩12,340");
        assert_eq!(money(-1234.5, "GBP", Lang::Ko), "−£1,234.50");
        assert_eq!(money(5.0, "CHF", Lang::En), "5.00 CHF");
        assert_eq!(money_about(1234.6, "GBP", Lang::En), "£1,235");
        assert_eq!(money_about(12.4, "GBP", Lang::En), "£12.40");
        assert_eq!(money_about(99_999_999.4, "KRW", Lang::Ko), "99,999,999원");
        assert_eq!(money_short(123_456_789.0, "KRW", Lang::Ko), "1.2억 원");
        assert_eq!(money_short(34_500_000.0, "KRW", Lang::Ko), "3,450만 원");
        assert_eq!(money_short(123_456_789.0, "KRW", Lang::En), "₩123M");
        assert_eq!(money_short(12_340.0, "GBP", Lang::En), "£12.3K");
    }

    #[test]
    fn the_particle_fits_the_word() {
        for (word, with) in [
            ("휴면 고객", "휴면 고객으로"),
            ("첫 구매", "첫 구매로"),
            ("신규 채널", "신규 채널로"),
            ("등급 3", "등급 3으로"),
            ("VIP", "VIP로"),
        ] {
            assert_eq!(whither(word), with);
        }
    }

    #[test]
    fn times_are_those_of_the_workspace() {
        let at = Instant::parse_rfc3339("2026-11-22T16:04:05Z").unwrap();
        let now = Instant::parse_rfc3339("2026-11-23T01:00:00Z").unwrap();
        assert_eq!(date(at, "Asia/Seoul", Lang::Ko), "2026년 11월 23일");
        assert_eq!(date(at, "Europe/London", Lang::En), "22 Nov 2026");
        assert_eq!(moment(at, now, "Asia/Seoul", Lang::Ko, false), "11월 23일 01:04");
        assert_eq!(moment(at, now, "Asia/Seoul", Lang::En, true), "23 Nov 01:04:05");
        assert_eq!(clock(at, "Asia/Seoul"), "01:04");
        assert_eq!(iso_date(at, "Asia/Seoul"), "2026-11-23");
        assert_eq!(relative(at, now, Lang::Ko), "8시간 전");
        assert_eq!(relative(now, at, Lang::En), "in 8 hours");
        assert_eq!(relative(now, now, Lang::En), "just now");
    }
}
