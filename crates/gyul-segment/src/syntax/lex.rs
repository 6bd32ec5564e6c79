use super::Fault;
use crate::tree::Span;
use gyul_model::{
    Date, Decimal, Duration, Instant, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, MICROS_SECOND, MICROS_WEEK,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A word, or a name in double or back quotes.
    Word {
        text: String,
        quoted: bool,
    },
    Text(String),
    Num(Decimal),
    Percent(Decimal),
    Dur(Duration),
    Date(Date),
    Instant(Instant),
    /// `( ) , . = != < <= > >= + - * / ->`
    Sign(&'static str),
    /// Something unreadable; reported already.
    Wrong,
    End,
}

const SIGNS: [&str; 15] = ["->", "!=", "<=", ">=", "<>", "(", ")", ",", ".", "=", "<", ">", "+", "-", "*"];

/// Tokens with their places; the last one is `End`.
pub fn lex(text: &str) -> (Vec<(Token, Span)>, Vec<Fault>) {
    let mut tokens = vec![];
    let mut faults = vec![];
    let mut i = 0;
    while let Some(c) = text[i..].chars().next() {
        let start = i;
        let span = |end: usize| Span { start: start as u32, end: end as u32 };
        if c.is_whitespace() || c == '\u{feff}' {
            i += c.len_utf8();
            continue;
        }
        if c == '#' {
            i = text[i..].find('\n').map_or(text.len(), |n| i + n);
            continue;
        }
        let token = if c.is_ascii_digit() || (c == '.' && text[i + 1..].starts_with(|d: char| d.is_ascii_digit())) {
            let (token, end) = number(text, i);
            i = end;
            token.unwrap_or_else(|| {
                let written = &text[start..end];
                let fault = Fault::new(
                    span(end),
                    "number",
                    format!("'{written}'은(는) 수나 기간으로 읽을 수 없습니다"),
                    format!("'{written}' is neither a number nor a duration"),
                );
                faults.push(fault.hint(
                    "기간 단위: s, min, h, d, w, mo, y (예: 30d, 6mo)",
                    "units of duration are s, min, h, d, w, mo, y, as in 30d or 6mo",
                ));
                Token::Wrong
            })
        } else if c.is_alphabetic() || c == '_' {
            let end = text[i..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(text.len(), |n| i + n);
            i = end;
            Token::Word { text: text[start..end].to_string(), quoted: false }
        } else if matches!(c, '\'' | '"' | '`') {
            let (inner, end, closed) = quoted(text, i, c);
            i = end;
            if !closed {
                faults.push(
                    Fault::new(span(end), "unclosed_quote", "따옴표가 닫히지 않았습니다", "the quote is not closed")
                        .hint(format!("끝에 {c}를 붙이세요"), format!("add {c} at its end")),
                );
            }
            if c == '\'' { Token::Text(inner) } else { Token::Word { text: inner, quoted: true } }
        } else if let Some(sign) = SIGNS.iter().chain(&["/"]).find(|s| text[i..].starts_with(**s)) {
            i += sign.len();
            Token::Sign(if *sign == "<>" { "!=" } else { sign })
        } else {
            i += c.len_utf8();
            let mut fault = Fault::new(
                span(i),
                "character",
                format!("'{c}'은(는) 여기에 쓸 수 없는 문자입니다"),
                format!("'{c}' does not belong here"),
            );
            if matches!(c, '&' | '|' | '!' | '‘' | '’' | '“' | '”') {
                fault = fault
                    .hint("and, or, not과 곧은 따옴표 ' '를 쓰세요", "write and, or, not, and straight quotes ' '");
            }
            faults.push(fault);
            continue;
        };
        tokens.push((token, span(i)));
    }
    let end = text.len() as u32;
    tokens.push((Token::End, Span { start: end, end }));
    (tokens, faults)
}

fn number(text: &str, start: usize) -> (Option<Token>, usize) {
    let rest = &text[start..];
    if let Some(date) = rest.get(..10).and_then(Date::parse) {
        let more = rest[10..].find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '+' | '-' | '.')));
        let more = 10 + more.unwrap_or(rest.len() - 10);
        if rest[10..].starts_with('T') {
            return (Instant::parse_rfc3339(&rest[..more]).map(Token::Instant), start + more);
        }
        return (Some(Token::Date(date)), start + 10);
    }
    let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.')).unwrap_or(rest.len());
    let digits = rest[..digits].trim_end_matches('.').len();
    let value = Decimal::parse(&rest[..digits].replace('_', ""));
    let after = &rest[digits..];
    if after.starts_with('%') {
        return (value.map(Token::Percent), start + digits + 1);
    }
    let unit_len = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
    let end = start + digits + unit_len;
    let token = value.and_then(|v| match &after[..unit_len] {
        "" => Some(Token::Num(v)),
        "s" => exact(v, MICROS_SECOND),
        "min" => exact(v, MICROS_MINUTE),
        "h" => exact(v, MICROS_HOUR),
        "d" => exact(v, MICROS_DAY),
        "w" => exact(v, MICROS_WEEK),
        "mo" => months(v, 1),
        "y" => months(v, 12),
        _ => None,
    });
    (token, end)
}

fn exact(v: Decimal, unit: i64) -> Option<Token> {
    let us = i128::from(v.mantissa()) * i128::from(unit);
    let scale = 10_i128.pow(v.scale().into());
    (us % scale == 0).then(|| i64::try_from(us / scale).ok()).flatten().map(|us| Token::Dur(Duration::Exact(us)))
}

fn months(v: Decimal, unit: i64) -> Option<Token> {
    let n = v.at_scale(0)?.checked_mul(unit)?;
    (n <= 12_000).then_some(Token::Dur(Duration::Months(n as i32)))
}

/// The text between quotes (doubled quotes stand for one), the end, and whether it was closed.
fn quoted(text: &str, start: usize, quote: char) -> (String, usize, bool) {
    let mut out = String::new();
    let mut chars = text[start + 1..].char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c != quote {
            out.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            out.push(quote);
            chars.next();
        } else {
            return (out, start + 1 + i + c.len_utf8(), true);
        }
    }
    (out, text.len(), false)
}
