//! Dates and times as shops export them.

use crate::mapping::TimeFormat;
use gyul_model::{Date, Instant, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, MICROS_SECOND, Zone};

/// Days from 1899-12-30, where Excel counts from, to 1970-01-01.
const EXCEL_EPOCH: i64 = 25_569;
/// Remembered offsets of days; a power of two.
const DAYS: usize = 512;

/// A date and a time of day as written, with the offset if one was written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Civil {
    pub day: i32,
    pub micros: i64,
    /// East of UTC.
    pub offset: Option<i64>,
    /// Whether a time of day was written.
    pub timed: bool,
}

/// Turns local times into instants, remembering the days it has seen. One for each thread.
pub(crate) struct Clock<'a> {
    zone: &'a Zone,
    /// `(day, midnight)` of days that have 24 hours.
    days: Vec<(i32, i64)>,
}

impl<'a> Clock<'a> {
    pub fn new(zone: &'a Zone) -> Clock<'a> {
        Clock { zone, days: vec![(i32::MIN, 0); DAYS] }
    }

    pub fn instant(&mut self, c: Civil) -> Instant {
        if let Some(offset) = c.offset {
            return Instant(i64::from(c.day) * MICROS_DAY + c.micros - offset);
        }
        let slot = c.day.rem_euclid(DAYS as i32) as usize;
        let (day, midnight) = self.days[slot];
        if day == c.day {
            return Instant(midnight + c.micros);
        }
        let midnight = self.zone.midnight(Date(c.day)).0;
        if self.zone.midnight(Date(c.day + 1)).0 - midnight == MICROS_DAY {
            self.days[slot] = (c.day, midnight);
        }
        self.zone.at(Date(c.day), c.micros)
    }

    /// Reads a time in a format; `None` if it is not in that format.
    pub fn parse(&mut self, text: &str, format: TimeFormat) -> Option<Instant> {
        match format {
            TimeFormat::Ymd | TimeFormat::Dmy | TimeFormat::Mdy => civil(text, format).map(|c| self.instant(c)),
            TimeFormat::EpochSeconds => scaled(text, MICROS_SECOND).map(Instant),
            TimeFormat::EpochMillis => scaled(text, 1000).map(Instant),
            TimeFormat::EpochMicros => scaled(text, 1).map(Instant),
            TimeFormat::Excel => {
                let micros = scaled(text, MICROS_DAY)?;
                // A serial has seconds at best: doubles blur what is below.
                let micros = (micros + MICROS_SECOND / 2).div_euclid(MICROS_SECOND) * MICROS_SECOND;
                let day = i32::try_from(micros.div_euclid(MICROS_DAY) - EXCEL_EPOCH).ok()?;
                let micros = micros.rem_euclid(MICROS_DAY);
                in_range(day).then(|| self.instant(Civil { day, micros, offset: None, timed: true }))
            }
        }
    }
}

/// The formats that read a text, for inference.
pub(crate) fn formats(text: &str) -> Vec<TimeFormat> {
    use TimeFormat::*;
    let number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let mut out = vec![];
    if let (true, Ok(x)) = (number, text.parse::<f64>()) {
        match x {
            // 1980 to 2100, each in its unit.
            29_221.0..73_051.0 => out.push(Excel),
            315_532_800.0..4_102_444_800.0 => out.push(EpochSeconds),
            315_532_800e3..4_102_444_800e3 => out.push(EpochMillis),
            315_532_800e6..4_102_444_800e6 => out.push(EpochMicros),
            _ => {}
        }
    }
    out.extend([Ymd, Dmy, Mdy].into_iter().filter(|f| civil(text, *f).is_some()));
    out
}

fn in_range(day: i32) -> bool {
    // The years 1 to 9998.
    (-719_162..=2_932_531).contains(&day)
}

/// A number times a unit in whole microseconds, exact for whole numbers.
fn scaled(text: &str, unit: i64) -> Option<i64> {
    let micros = match text.parse::<i64>() {
        Ok(n) => n.checked_mul(unit)?,
        Err(_) => {
            let x = text.parse::<f64>().ok().filter(|x| x.is_finite() && x.abs() < 1e17)?;
            let whole = x.trunc() as i64;
            whole.checked_mul(unit)?.checked_add(((x - x.trunc()) * unit as f64).round() as i64)?
        }
    };
    (micros.abs() < i64::MAX / 2).then_some(micros)
}

/// Days since the epoch of a proleptic Gregorian date; `None` if there is no such date.
pub(crate) fn days(y: i64, m: i64, d: i64) -> Option<i32> {
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let length = match m {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&d) || !(1..=9998).contains(&y) {
        return None;
    }
    // Months counted from March, so that the leap day is the last one (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    Some((era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) as i32)
}

/// Reads a written date with or without a time of day.
pub(crate) fn civil(text: &str, order: TimeFormat) -> Option<Civil> {
    if order == TimeFormat::Ymd
        && let Some(c) = iso(text.as_bytes())
    {
        return Some(c);
    }
    general(text, order)
}

fn two(b: &[u8]) -> Option<i64> {
    match b {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Some(i64::from((a - b'0') * 10 + (b - b'0'))),
        _ => None,
    }
}

/// The fast path: `YYYY?MM?DD`, then `?HH:MM`, `:SS`, a fraction, `Z` or an offset.
fn iso(b: &[u8]) -> Option<Civil> {
    if b.len() < 10 || b[4] != b[7] || !matches!(b[4], b'-' | b'.' | b'/') {
        return None;
    }
    let day = days(two(b)? * 100 + two(&b[2..])?, two(&b[5..])?, two(&b[8..])?)?;
    let mut c = Civil { day, micros: 0, offset: None, timed: false };
    if b.len() == 10 {
        return Some(c);
    }
    if b.len() < 16 || !matches!(b[10], b' ' | b'T' | b't') || b[13] != b':' {
        return None;
    }
    let (h, m) = (two(&b[11..])?, two(&b[14..])?);
    let (mut s, mut us, mut rest) = (0, 0, &b[16..]);
    if let [b':', tail @ ..] = rest {
        s = two(tail)?;
        rest = &tail[2..];
        if let [b'.' | b',', tail @ ..] = rest {
            let n = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            us = fraction(&tail[..n])?;
            rest = &tail[n..];
        }
    }
    c.micros = time_of_day(h, m, s, us)?;
    c.timed = true;
    c.offset = match rest {
        [] => None,
        rest => Some(offset(rest)?),
    };
    Some(c)
}

fn fraction(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    Some((0..6).fold(0, |us, i| us * 10 + digits.get(i).map_or(0, |d| i64::from(d - b'0'))))
}

fn time_of_day(h: i64, m: i64, s: i64, us: i64) -> Option<i64> {
    // A leap second counts as the second before; 24:00 is the end of the day.
    let s = if s == 60 { 59 } else { s };
    let fine = (h < 24 && m < 60 && s < 60) || (h, m, s, us) == (24, 0, 0, 0);
    fine.then(|| h * MICROS_HOUR + m * MICROS_MINUTE + s * MICROS_SECOND + us)
}

/// `Z`, `UTC`, `+09:00`, `+0900`, `+09`, each after spaces.
fn offset(b: &[u8]) -> Option<i64> {
    let b = b.trim_ascii();
    if matches!(b, b"Z" | b"z" | b"UTC" | b"GMT") {
        return Some(0);
    }
    if b == b"KST" {
        return Some(9 * MICROS_HOUR);
    }
    let (sign, rest) = match b {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (h, m) = match rest {
        [_, _] => (two(rest)?, 0),
        [_, _, b':', m @ ..] if m.len() == 2 => (two(rest)?, two(m)?),
        [_, _, m @ ..] if m.len() == 2 => (two(rest)?, two(m)?),
        _ => return None,
    };
    (h <= 15 && m < 60).then_some(sign * (h * MICROS_HOUR + m * MICROS_MINUTE))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Any order of parts: `2026년 11월 22일 오후 3시 4분`, `22/11/2026 15:04`, `20261122150405`, `Nov 22, 2026 3:04 PM`.
fn general(text: &str, order: TimeFormat) -> Option<Civil> {
    if text.len() > 64 {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return compact(text.as_bytes(), order);
    }
    let (date, time) = split_date(text)?;
    let (mut parts, mut month_at) = (vec![], None);
    let mut rest = date;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_digit() {
            let n = rest.bytes().take_while(u8::is_ascii_digit).count();
            parts.push((rest[..n].parse::<i64>().ok()?, n));
            rest = &rest[n..];
        } else if c.is_ascii_alphabetic() {
            let n = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let word = rest[..n].to_ascii_lowercase();
            let named = MONTHS.iter().position(|m| word.starts_with(m));
            match named {
                Some(m) if month_at.is_none() => {
                    month_at = Some(parts.len());
                    parts.push((m as i64 + 1, 2));
                }
                // Names of weekdays, ordinal endings.
                None if ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().any(|d| word.starts_with(d)) => {}
                None if ["st", "nd", "rd", "th"].contains(&word.as_str()) && !parts.is_empty() => {}
                _ => return None,
            }
            rest = &rest[n..];
        } else if matches!(c, '-' | '.' | '/' | ' ' | ',' | '년' | '월' | '일' | '\u{a0}') {
            rest = &rest[c.len_utf8()..];
        } else {
            return None;
        }
    }
    let [a, b, c] = parts[..] else { return None };
    let (y, m, d) = match (month_at, order) {
        (Some(0), _) => (c, a, b),
        (Some(1), _) if a.1 == 4 => (a, b, c),
        (Some(1), _) => (c, b, a),
        (Some(_), _) => return None,
        (None, TimeFormat::Ymd) => (a, b, c),
        (None, TimeFormat::Dmy) => (c, b, a),
        (None, _) => (c, a, b),
    };
    if m.1 > 2 || d.1 > 2 {
        return None;
    }
    let year = match y.1 {
        4 => y.0,
        2 => y.0 + if y.0 < 70 { 2000 } else { 1900 },
        _ => return None,
    };
    let day = days(year, m.0, d.0)?;
    let (micros, offset, timed) = clock_time(time)?;
    Some(Civil { day, micros, offset, timed })
}

/// `YYYYMMDD`, `YYYYMMDDHHMM`, `YYYYMMDDHHMMSS`.
fn compact(b: &[u8], order: TimeFormat) -> Option<Civil> {
    if order != TimeFormat::Ymd || !matches!(b.len(), 8 | 12 | 14) {
        return None;
    }
    let day = days(two(b)? * 100 + two(&b[2..])?, two(&b[4..])?, two(&b[6..])?)?;
    let part = |i: usize| if b.len() > i { two(&b[i..]) } else { Some(0) };
    let micros = time_of_day(part(8)?, part(10)?, part(12)?, 0)?;
    Some(Civil { day, micros, offset: None, timed: b.len() > 8 })
}

/// Where the date ends and the time of day begins: before the part with a colon, 시 or 오전/오후, or after a `T`.
fn split_date(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let t = bytes.windows(3).position(|w| w[0].is_ascii_digit() && matches!(w[1], b'T') && w[2].is_ascii_digit());
    if let Some(i) = t {
        return Some((&text[..=i], &text[i + 2..]));
    }
    let marks = ["오전", "오후", "AM", "PM", "am", "pm"].iter().filter_map(|w| text.find(w)).min();
    let colon = text.find(':').or_else(|| text.find('시'));
    let digits = |i: usize| i - text[..i].bytes().rev().take_while(|b| b.is_ascii_digit() || *b == b' ').count();
    let at = match (marks, colon) {
        (None, None) => return Some((text, "")),
        (Some(m), Some(c)) if c > m => m,
        (_, Some(c)) => {
            // Digits before the colon, without those of the date in front of the space.
            let n = text[..c].bytes().rev().take_while(u8::is_ascii_digit).count();
            c - n
        }
        (Some(m), None) => digits(m),
    };
    Some((text.get(..at)?, text.get(at..)?))
}

/// `15:04`, `15:04:05.123`, `오후 3:04`, `3:04 PM`, `15시 4분`, an offset behind.
fn clock_time(text: &str) -> Option<(i64, Option<i64>, bool)> {
    let mut text = text.trim();
    if text.is_empty() {
        return Some((0, None, false));
    }
    let mut afternoon = None;
    for (word, pm) in [("오전", false), ("오후", true), ("AM", false), ("PM", true), ("am", false), ("pm", true)] {
        if let Some(rest) = text.strip_prefix(word).or_else(|| text.strip_suffix(word)) {
            afternoon = Some(pm);
            text = rest.trim();
            break;
        }
    }
    let mut parts = [0_i64; 3];
    let (mut n, mut us) = (0, 0);
    loop {
        let len = text.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=2).contains(&len) || n == 3 {
            return None;
        }
        parts[n] = text[..len].parse().ok()?;
        n += 1;
        text = &text[len..];
        if n == 3
            && let Some(tail) = text.strip_prefix('.')
        {
            let len = tail.bytes().take_while(u8::is_ascii_digit).count();
            us = fraction(&tail.as_bytes()[..len])?;
            text = &tail[len..];
        }
        let unit = text.trim_start_matches(['시', '분', '초']).trim_start();
        match text.strip_prefix(':') {
            Some(rest) => text = rest,
            None if unit.len() < text.len() && unit.starts_with(|c: char| c.is_ascii_digit()) => text = unit,
            None => {
                text = unit;
                break;
            }
        }
    }
    let h = match (afternoon, parts[0]) {
        (None, h) => h,
        (Some(_), h) if !(0..=12).contains(&h) => return None,
        (Some(false), 12) => 0,
        (Some(true), 12) => 12,
        (Some(pm), h) => h + if pm { 12 } else { 0 },
    };
    let offset = if text.is_empty() { None } else { Some(offset(text.as_bytes())?) };
    Some((time_of_day(h, parts[1], parts[2], us)?, offset, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, f: TimeFormat) -> Option<String> {
        Clock::new(&Zone::seoul()).parse(text, f).map(|t| t.to_string())
    }

    #[test]
    fn times_as_shops_export_them() {
        use TimeFormat::*;
        for (text, format, want) in [
            ("2026-11-22", Ymd, "2026-11-21T15:00:00Z"),
            ("2026.11.22", Ymd, "2026-11-21T15:00:00Z"),
            ("2026. 11. 22. 오후 3:04", Ymd, "2026-11-22T06:04:00Z"),
            ("2026-11-22 오후 3:04", Ymd, "2026-11-22T06:04:00Z"),
            ("2026-11-22 오전 12:04:09", Ymd, "2026-11-21T15:04:09Z"),
            ("2026년 11월 22일", Ymd, "2026-11-21T15:00:00Z"),
            ("2026년 11월 22일 15시 4분", Ymd, "2026-11-22T06:04:00Z"),
            ("2026-11-22 15:04", Ymd, "2026-11-22T06:04:00Z"),
            ("2026/1/2 5:04", Ymd, "2026-01-01T20:04:00Z"),
            ("2026-11-22T15:04:05.123+09:00", Ymd, "2026-11-22T06:04:05.123Z"),
            ("2026-11-22T15:04:05Z", Ymd, "2026-11-22T15:04:05Z"),
            ("2026-11-22 15:04:05 UTC", Ymd, "2026-11-22T15:04:05Z"),
            ("2026-11-22 15:04:05 +0900", Ymd, "2026-11-22T06:04:05Z"),
            ("20261122", Ymd, "2026-11-21T15:00:00Z"),
            ("20261122150405", Ymd, "2026-11-22T06:04:05Z"),
            ("22/11/2026", Dmy, "2026-11-21T15:00:00Z"),
            ("22.11.2026 15:04", Dmy, "2026-11-22T06:04:00Z"),
            ("12/1/10 8:26", Mdy, "2010-11-30T23:26:00Z"),
            ("Nov 22, 2026 3:04 PM", Mdy, "2026-11-22T06:04:00Z"),
            ("22 November 2026", Dmy, "2026-11-21T15:00:00Z"),
            ("46348.5", Excel, "2026-11-22T03:00:00Z"),
            ("1795316645", EpochSeconds, "2026-11-22T03:04:05Z"),
            ("1795316645123", EpochMillis, "2026-11-22T03:04:05.123Z"),
            ("2026-11-22 24:00", Ymd, "2026-11-22T15:00:00Z"),
        ] {
            assert_eq!(read(text, format).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        use TimeFormat::*;
        for (text, format) in [
            ("2026-02-29", Ymd),
            ("2026-13-01", Ymd),
            ("22/11/2026", Ymd),
            ("22/11/2026", Mdy),
            ("2026-11-22 25:00", Ymd),
            ("2026-11-22 오후 15:04", Ymd),
            ("yesterday", Ymd),
            ("", Ymd),
            ("2026-11", Ymd),
            ("1", EpochMicros),
            ("x", Excel),
            ("2026-11-22T", Ymd),
            ("2026-11-22 15:", Ymd),
            ("오후", Ymd),
            ("2026-11-22T15:04:05+99:00", Ymd),
            (":", Ymd),
        ] {
            if format != EpochMicros {
                assert_eq!(read(text, format), None, "{text}");
            }
        }
    }

    #[test]
    fn days_agree_with_the_calendar() {
        for (y, m, d) in [(1970, 1, 1), (2000, 2, 29), (1900, 3, 1), (2026, 11, 22), (1, 1, 1), (2199, 12, 31)] {
            assert_eq!(days(y, m, d).map(Date), Date::new(y as i16, m as i8, d as i8), "{y}-{m}-{d}");
        }
        assert_eq!(days(1900, 2, 29), None);
    }

    #[test]
    fn days_with_a_change_of_clocks_are_not_remembered() {
        let zone = Zone::new("America/New_York").unwrap();
        let mut clock = Clock::new(&zone);
        let mut at = |t| clock.parse(t, TimeFormat::Ymd).map(|t| t.to_string()).unwrap();
        assert_eq!(at("2026-03-08 00:30"), "2026-03-08T05:30:00Z");
        assert_eq!(at("2026-03-08 12:00"), "2026-03-08T16:00:00Z");
        assert_eq!(at("2026-03-09 12:00"), "2026-03-09T16:00:00Z");
    }
}
