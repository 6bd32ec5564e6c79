//! Values as people read them.

use super::terms;
use crate::reference::{Number, Val};
use crate::tree::{Expr, Library, Type};
use gyul_model::{Date, Decimal, Duration, Instant, Lang, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, Zone};

/// What a number or text stands for, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit<'a> {
    Plain,
    /// Things that happened.
    Times,
    Kinds,
    Days,
    Years,
    /// An amount in the workspace's currency.
    Money,
    /// A share, 1 being all.
    Share,
    Weekday,
    Hour,
    /// The value of a trait or property of this name.
    Named(&'a str),
}

/// What the numbers of an expression are, for whoever shows many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantity {
    #[default]
    Number,
    /// Microseconds.
    Duration,
    /// In the workspace's currency.
    Money,
    /// 1 is all.
    Share,
}

impl Quantity {
    pub fn of(library: &Library, e: &Expr) -> Quantity {
        match super::phrase::unit_of(library, e) {
            _ if e.ty == Type::Dur => Quantity::Duration,
            Unit::Money => Quantity::Money,
            Unit::Share => Quantity::Share,
            _ => Quantity::Number,
        }
    }
}

/// A value of this unit.
pub(super) fn measured(v: &Val, unit: Unit, zone: &Zone, won: bool, lang: Lang) -> String {
    let plain = value(v, zone, lang);
    let ko = lang == Lang::Ko;
    match (v, unit) {
        (Val::Text(t), Unit::Named(name)) => terms::value(name, t, lang),
        (Val::Num(n), Unit::Share) => format!("{}%", number(Number::Quotient(n.to_f64() * 100.0))),
        (Val::Num(n), Unit::Weekday) => terms::weekday(n.to_f64() as i64, lang).to_string(),
        (Val::Num(_), Unit::Days) if !ko => format!("{plain} {}", if plain == "1" { "day" } else { "days" }),
        (Val::Num(_), Unit::Times) if ko => plain + "건",
        (Val::Num(_), Unit::Kinds) if ko => plain + "가지",
        (Val::Num(_), Unit::Days) if ko => plain + "일",
        (Val::Num(_), Unit::Years) if ko => plain + "세",
        (Val::Num(_), Unit::Hour) if ko => plain + "시",
        (Val::Num(_), Unit::Money) if ko && won => plain + "원",
        _ => plain,
    }
}

/// A value as people read it.
pub fn value(v: &Val, zone: &Zone, lang: Lang) -> String {
    match v {
        Val::Bool(b) => match (lang, b) {
            (Lang::Ko, true) => "예".into(),
            (Lang::Ko, false) => "아니요".into(),
            (Lang::En, true) => "yes".into(),
            (Lang::En, false) => "no".into(),
        },
        Val::Num(n) => number(*n),
        Val::Dur(n) => span(n.to_f64() as i64, lang),
        Val::Instant(t) => moment(zone, Instant(*t), lang),
        Val::Date(d) => d.to_string(),
        Val::Text(t) => format!("'{t}'"),
        Val::List(items) => items.join(", "),
    }
}

/// With separators; quotients to two places, small ones to two digits, so that what is not zero does not look like it.
fn number(n: Number) -> String {
    let text = match n {
        Number::Exact { .. } => n.to_decimal().map_or_else(|| n.to_f64().to_string(), |d| d.to_string()),
        Number::Quotient(x) => {
            let places = if x == 0.0 { 0 } else { (1 - x.abs().log10().floor() as i32).clamp(2, 9) };
            let scale = 10_f64.powi(places);
            Decimal::from_f64((x * scale).round() / scale).map_or(x.to_string(), |d| d.to_string())
        }
    };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
    let (whole, part) = digits.split_once('.').map_or((digits, String::new()), |(w, p)| (w, format!(".{p}")));
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    format!("{sign}{grouped}{part}")
}

pub(super) fn length(d: Duration, lang: Lang) -> String {
    match d {
        Duration::Exact(us) => span(us, lang),
        Duration::Months(m) if m % 12 == 0 && m != 0 => unit(i64::from(m) / 12, "년", "year", lang),
        Duration::Months(m) => unit(m.into(), "개월", "month", lang),
    }
}

/// In the largest unit that gives at least one, and the rest in the next one while that still matters.
pub(super) fn span(us: i64, lang: Lang) -> String {
    const UNITS: [(i64, &str, &str); 4] = [
        (MICROS_DAY, "일", "day"),
        (MICROS_HOUR, "시간", "hour"),
        (MICROS_MINUTE, "분", "minute"),
        (1_000_000, "초", "second"),
    ];
    let i = UNITS.iter().position(|(size, ..)| us.unsigned_abs() >= *size as u64).unwrap_or(3);
    let (size, ko, en) = UNITS[i];
    let whole = unit(us / size, ko, en, lang);
    let (rest, next) = ((us % size).abs(), UNITS.get(i + 1));
    match next {
        Some((small, ko, en)) if rest >= *small && (us / size).abs() < 100 => {
            format!("{whole} {}", unit(rest / small, ko, en, lang))
        }
        _ => whole,
    }
}

pub(super) fn unit(n: i64, ko: &str, en: &str, lang: Lang) -> String {
    match (lang, n) {
        (Lang::Ko, _) => format!("{n}{ko}"),
        (Lang::En, 1) => format!("1 {en}"),
        (Lang::En, _) => format!("{n} {en}s"),
    }
}

pub(super) fn moment(zone: &Zone, t: Instant, lang: Lang) -> String {
    if t == Instant::ALWAYS {
        return if lang == Lang::Ko { "날짜 없음" } else { "undated" }.into();
    }
    let (date, minutes): (Date, i64) = (zone.date(t), zone.time_of_day(t) / MICROS_MINUTE);
    format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// The date alone where a day begins.
pub(super) fn boundary(zone: &Zone, t: Instant, lang: Lang) -> String {
    if zone.time_of_day(t) == 0 { zone.date(t).to_string() } else { moment(zone, t, lang) }
}
