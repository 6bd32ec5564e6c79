//! Numbers and amounts as shops write them.

use crate::mapping::DecimalStyle;
use gyul_model::{DIGITS_MAX, Decimal, SCALE_MAX};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NumberFault {
    Unreadable,
    TooLong,
}

/// Reads `12300`, `₩12,300`, `12,300원`, `1.234,50 €`, `(1,234.00)`, `1,234-`.
pub(crate) fn parse(text: &str, style: DecimalStyle) -> Result<Decimal, NumberFault> {
    match plain(text.as_bytes()) {
        Some(d) if style == DecimalStyle::Point || !text.contains('.') => Ok(d),
        _ => dressed(text, style),
    }
}

/// The common form: an optional minus, digits, one point.
pub(crate) fn plain(b: &[u8]) -> Option<Decimal> {
    let (negative, digits) = match b {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, b),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX as usize {
        return None;
    }
    let (mut m, mut scale, mut point, mut any) = (0_i64, 0_u8, false, false);
    for &c in digits {
        match c {
            b'0'..=b'9' => {
                m = m * 10 + i64::from(c - b'0');
                scale += u8::from(point);
                any = true;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    (any && scale <= SCALE_MAX).then(|| Decimal::new(if negative { -m } else { m }, scale))
}

fn dressed(text: &str, style: DecimalStyle) -> Result<Decimal, NumberFault> {
    let mut rest = undress(text.trim());
    let mut negative = false;
    if let Some(inner) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')) {
        negative = true;
        rest = undress(inner.trim());
    }
    for sign in ['-', '−', '△', '▲'] {
        if let Some(inner) = rest.strip_prefix(sign).or_else(|| rest.strip_suffix(sign)) {
            if negative {
                return Err(NumberFault::Unreadable);
            }
            negative = true;
            rest = undress(inner.trim());
        }
    }
    let rest = rest.strip_prefix('+').unwrap_or(rest);
    let (group, point) = match style {
        DecimalStyle::Point => (',', '.'),
        DecimalStyle::Comma => ('.', ','),
    };
    let mut clean = String::with_capacity(rest.len() + 1);
    // Digits since the last separator of groups; groups after the first have exactly three.
    let (mut since, mut grouped, mut seen_point) = (0, false, false);
    for c in rest.chars() {
        let c = match c {
            '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
            '，' => ',',
            '．' => '.',
            c => c,
        };
        if c.is_ascii_digit() {
            clean.push(c);
            since += 1;
        } else if c == point && !seen_point {
            if grouped && since != 3 {
                return Err(NumberFault::Unreadable);
            }
            seen_point = true;
            clean.push('.');
        } else if (c == group || matches!(c, '\'' | '’' | '\u{a0}' | '\u{202f}' | ' ')) && !seen_point {
            if since == 0 || since > 3 || (grouped && since != 3) {
                return Err(NumberFault::Unreadable);
            }
            grouped = true;
            since = 0;
        } else if matches!(c, 'e' | 'E') && style == DecimalStyle::Point && !grouped {
            // Excel writes long numbers as 1.23E+05.
            return Decimal::parse(rest).map(|d| if negative { neg(d) } else { d }).ok_or(NumberFault::Unreadable);
        } else {
            return Err(NumberFault::Unreadable);
        }
    }
    if grouped && !seen_point && since != 3 || clean.bytes().all(|b| b == b'.') {
        return Err(NumberFault::Unreadable);
    }
    let d = Decimal::parse(&clean).ok_or(NumberFault::TooLong)?;
    Ok(if negative { neg(d) } else { d })
}

pub(crate) fn neg(d: Decimal) -> Decimal {
    Decimal::new(-d.mantissa(), d.scale())
}

/// Takes currency words and symbols off both ends.
fn undress(mut text: &str) -> &str {
    loop {
        let before = text;
        for (word, _) in CURRENCIES {
            let cut = |t: &'static str| -> Option<&str> {
                let head = text.get(..t.len()).filter(|h| h.eq_ignore_ascii_case(t)).map(|_| &text[t.len()..]);
                let at = text.len().checked_sub(t.len());
                head.or_else(|| {
                    at.filter(|i| text.get(*i..).is_some_and(|s| s.eq_ignore_ascii_case(t))).map(|i| &text[..i])
                })
            };
            if let Some(rest) = cut(word) {
                text = rest.trim();
            }
        }
        if text.len() == before.len() {
            return text;
        }
    }
}

/// Words and symbols of currencies, longer ones first.
const CURRENCIES: [(&str, &str); 20] = [
    ("US$", "USD"),
    ("USD", "USD"),
    ("KRW", "KRW"),
    ("EUR", "EUR"),
    ("GBP", "GBP"),
    ("JPY", "JPY"),
    ("CNY", "CNY"),
    ("원", "KRW"),
    ("₩", "KRW"),
    ("￦", "KRW"),
    ("$", "USD"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "JPY"),
    ("円", "JPY"),
    ("元", "CNY"),
    ("개", ""),
    ("점", ""),
    ("건", ""),
    ("EA", ""),
];

/// The ISO 4217 code that an amount carries or a currency column names.
pub(crate) fn currency(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(text.to_ascii_uppercase());
    }
    let found = CURRENCIES.iter().find(|(w, code)| !code.is_empty() && (text.starts_with(w) || text.ends_with(w)));
    found.map(|(_, code)| code.to_string())
}

/// The style that a column's samples show; `None` if nothing in them says so.
pub(crate) fn style<'a>(samples: impl Iterator<Item = &'a str>) -> Option<DecimalStyle> {
    let (mut point, mut comma) = (0, 0);
    for s in samples {
        let s = undress(s.trim());
        match (s.rfind('.'), s.rfind(',')) {
            (Some(p), Some(c)) => *(if p > c { &mut point } else { &mut comma }) += 1,
            // Not three digits behind it: no group, so a decimal sign.
            (Some(p), None) if s.len() - p != 4 || s[..p].contains('.') => {
                *(if s[..p].contains('.') { &mut comma } else { &mut point }) += 1;
            }
            (None, Some(c)) if s.len() - c != 4 || s[..c].contains(',') => {
                *(if s[..c].contains(',') { &mut point } else { &mut comma }) += 1;
            }
            _ => {}
        }
    }
    if point == 0 && comma == 0 {
        None
    } else {
        Some(if comma > point { DecimalStyle::Comma } else { DecimalStyle::Point })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_shops_write_them() {
        let ok = |t: &str, style, want: &str| {
            assert_eq!(parse(t, style).map(|d| d.to_string()).as_deref(), Ok(want), "{t}");
        };
        use DecimalStyle::*;
        for (t, want) in [
            ("12300", "12300"),
            ("-2.50", "-2.5"),
            ("₩12,300", "12300"),
            ("12,300원", "12300"),
            ("KRW 1,200", "1200"),
            ("(1,234.00)", "-1234"),
            ("-₩1,000", "-1000"),
            ("₩-1,000", "-1000"),
            ("1,234-", "-1234"),
            ("$ 1,234.50", "1234.5"),
            ("１２，３００", "12300"),
            ("3개", "3"),
            ("1.5E+3", "1500"),
            ("0.10", "0.1"),
            (".5", "0.5"),
            ("1 234.5", "1234.5"),
        ] {
            ok(t, Point, want);
        }
        ok("1.234,50 €", Comma, "1234.5");
        ok("12,5", Comma, "12.5");
        ok("1.234", Comma, "1234");
        for bad in ["", "-", "abc", "12,34", "1,2345", "1.2.3", "--1", "(−1)", "1e", "12 개월", ",", "."] {
            assert_eq!(parse(bad, Point), Err(NumberFault::Unreadable), "{bad}");
        }
        assert_eq!(parse("1234567890123456", Point), Err(NumberFault::TooLong));
    }

    #[test]
    fn styles_show_in_samples() {
        assert_eq!(style(["1.234,50 €", "3"].into_iter()), Some(DecimalStyle::Comma));
        assert_eq!(style(["12,5"].into_iter()), Some(DecimalStyle::Comma));
        assert_eq!(style(["1,234", "2.55"].into_iter()), Some(DecimalStyle::Point));
        assert_eq!(style(["1,234,567"].into_iter()), Some(DecimalStyle::Point));
        assert_eq!(style(["1,234", "12"].into_iter()), None);
    }
}
