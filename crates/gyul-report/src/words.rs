//! Numbers, money and dates as people in Korea and in English-speaking countries write them.

use crate::{Lang, Text};
use gyul_model::Date;

impl Text {
    pub(crate) fn get(&self, lang: Lang) -> &str {
        let (first, second) = match lang {
            Lang::Ko => (&self.ko, &self.en),
            Lang::En => (&self.en, &self.ko),
        };
        if first.is_empty() { second } else { first }
    }
}

/// `1234567` → `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

/// `1,234명`, `1,234 customers`.
pub fn people(n: u64, lang: Lang) -> String {
    match lang {
        Lang::Ko => format!("{}명", count(n)),
        Lang::En if n == 1 => "1 customer".into(),
        Lang::En => format!("{} customers", count(n)),
    }
}

/// `61%`, `6.1%`, `<0.1%`, the same in both languages.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    match p.abs() {
        _ if !p.is_finite() => "–".into(),
        0.0 => "0%".into(),
        a if a < 0.1 => "<0.1%".into(),
        a if a < 9.95 => format!("{p:.1}%"),
        _ => format!("{p:.0}%"),
    }
}

/// A number with at most one decimal: `4.2`, `13`.
pub fn decimal(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// `12.3만 원`, `1억 2,000만 원`, `£1.2M`.
pub fn money(amount: f64, currency: &str, lang: Lang) -> String {
    if !amount.is_finite() {
        return "–".into();
    }
    let sign = if amount <= -0.5 { "-" } else { "" };
    let a = amount.abs();
    match lang {
        Lang::Ko => format!("{sign}{}{}", myriads(a), unit_ko(currency)),
        Lang::En => format!("{sign}{}{}", symbol(currency), short(a)),
    }
}

/// Groups of ten thousand: 만, 억, 조, at most two of them.
fn myriads(a: f64) -> String {
    // Rounded before the unit is chosen, so that 99,999,999 is 1억 and not 10,000만.
    let n = a.round();
    if n < 1e4 {
        return count(n as u64);
    }
    if n < 999_500.0 {
        return format!("{}만", decimal(n / 1e4));
    }
    let man = (n / 1e4).round() as u64;
    if man < 10_000 {
        return format!("{}만", count(man));
    }
    let (high, low, high_unit, low_unit) = if man < 100_000_000 {
        // Two to three digits that matter: tens of 만 beside 억.
        let man = if man >= 1_000_000 { (man + 5_000) / 10_000 * 10_000 } else { (man + 50) / 100 * 100 };
        (man / 10_000, man % 10_000, "억", "만")
    } else {
        let eok = (n / 1e8).round() as u64;
        (eok / 10_000, eok % 10_000, "조", "억")
    };
    match low {
        0 => format!("{}{high_unit}", count(high)),
        _ => format!("{}{high_unit} {}{low_unit}", count(high), count(low)),
    }
}

fn short(a: f64) -> String {
    let (scaled, unit) = match a {
        _ if a < 999.5 => return format!("{a:.0}"),
        _ if a < 999_500.0 => (a / 1e3, "K"),
        _ if a < 999_500_000.0 => (a / 1e6, "M"),
        _ => (a / 1e9, "B"),
    };
    let digits = usize::from(scaled < 99.95);
    format!("{scaled:.digits$}{unit}")
}

fn unit_ko(currency: &str) -> String {
    match currency {
        "KRW" => " 원".into(),
        "USD" => " 달러".into(),
        "EUR" => " 유로".into(),
        "GBP" => " 파운드".into(),
        "JPY" => " 엔".into(),
        "CNY" => " 위안".into(),
        "" => String::new(),
        other => format!(" {other}"),
    }
}

fn symbol(currency: &str) -> String {
    match currency {
        "KRW" => "₩".into(),
        "USD" => "$".into(),
        "EUR" => "€".into(),
        "GBP" => "£".into(),
        "JPY" => "¥".into(),
        "" => String::new(),
        other => format!("{other} "),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `2011년 12월 9일`, `9 December 2011`.
pub fn date(d: Date, lang: Lang) -> String {
    let (y, m, day) = d.ymd();
    match lang {
        Lang::Ko => format!("{y}년 {m}월 {day}일"),
        Lang::En => format!("{day} {} {y}", MONTHS[(m - 1) as usize]),
    }
}

/// `2011.12`, `Dec 2011`: short enough for an axis.
pub fn month(d: Date, lang: Lang) -> String {
    let (y, m, _) = d.ymd();
    match lang {
        Lang::Ko => format!("{y}.{m:02}"),
        Lang::En => format!("{} {y}", &MONTHS[(m - 1) as usize][..3]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_as_each_language_writes_it() {
        let ko = |a| money(a, "KRW", Lang::Ko);
        assert_eq!(ko(9_800.0), "9,800 원");
        assert_eq!(ko(123_000.0), "12.3만 원");
        assert_eq!(ko(12_340_000.0), "1,234만 원");
        assert_eq!(ko(120_000_000.0), "1억 2,000만 원");
        assert_eq!(ko(99_999_999.0), "1억 원");
        assert_eq!(ko(12_345_678_900.0), "123억 원");
        assert_eq!(ko(1_200_000_000_000.0), "1조 2,000억 원");
        assert_eq!(ko(-123_000.0), "-12.3만 원");
        assert_eq!(money(1_234_567.0, "GBP", Lang::En), "£1.2M");
        assert_eq!(money(999_600.0, "GBP", Lang::En), "£1.0M");
        assert_eq!(money(-345.2, "USD", Lang::En), "-$345");
        assert_eq!(money(f64::NAN, "USD", Lang::En), "–");
        assert_eq!(money(970_000.0, "GBP", Lang::Ko), "97만 파운드");
    }

    #[test]
    fn dates_follow_the_civil_calendar() {
        assert_eq!(date(Date::new(2011, 12, 9).unwrap(), Lang::Ko), "2011년 12월 9일");
        assert_eq!(month(Date::new(2011, 5, 1).unwrap(), Lang::En), "May 2011");
    }

    #[test]
    fn counts_and_shares_are_short() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(percent(0.614), "61%");
        assert_eq!(percent(0.0614), "6.1%");
        assert_eq!(percent(0.0004), "<0.1%");
        assert_eq!(percent(0.0), "0%");
    }
}
