use std::fmt;

pub const MICROS_SECOND: i64 = 1_000_000;
pub const MICROS_MINUTE: i64 = 60 * MICROS_SECOND;
pub const MICROS_HOUR: i64 = 60 * MICROS_MINUTE;
pub const MICROS_DAY: i64 = 24 * MICROS_HOUR;
pub const MICROS_WEEK: i64 = 7 * MICROS_DAY;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// The instant of traits that came without a date: known for as far back as anyone asks.
    /// (Not `i64::MIN`: that marks an unknown value in columns.)
    pub const ALWAYS: Instant = Instant(-9_000_000_000_000_000_000);
    /// The range of instants that events may carry: the years 1900 to 2200.
    pub const FIRST: Instant = Instant(-2_208_988_800 * MICROS_SECOND);
    pub const LAST: Instant = Instant(7_258_118_400 * MICROS_SECOND);

    /// Reads RFC 3339 with an offset, `2026-01-01T00:00:00Z` or `…+09:00`.
    pub fn parse_rfc3339(text: &str) -> Option<Instant> {
        let ts: jiff::Timestamp = text.parse().ok()?;
        Some(Instant(ts.as_microsecond()))
    }
}

/// RFC 3339 in UTC, with as many places as needed.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => f.write_str("always"),
        }
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How long: exact microseconds (`s min h d w`, a day is 24 h) or calendar months (`mo y`), never a mixture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Duration {
    Exact(i64),
    Months(i32),
}

/// In the notation of the segment language: the largest unit that divides it.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Duration::Months(m) if m % 12 == 0 && m != 0 => write!(f, "{}y", m / 12),
            Duration::Months(m) => write!(f, "{m}mo"),
            Duration::Exact(us) => {
                let units = [
                    (MICROS_WEEK, "w"),
                    (MICROS_DAY, "d"),
                    (MICROS_HOUR, "h"),
                    (MICROS_MINUTE, "min"),
                    (MICROS_SECOND, "s"),
                ];
                for (size, unit) in units {
                    // Weeks only where nobody would say days: 7d stays 7d.
                    if us % size == 0 && us != 0 && unit != "w" {
                        return write!(f, "{}{unit}", us / size);
                    }
                }
                write!(f, "{}s", us / MICROS_SECOND)
            }
        }
    }
}

impl Duration {
    /// Reads `1d`, `2w`, `1mo` … `None` if it is none, or nothing.
    pub fn parse(text: &str) -> Option<Duration> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: i64 = number.parse().ok().filter(|n| *n > 0)?;
        let exact = |size: i64| number.checked_mul(size).map(Duration::Exact);
        let months = |size: i64| i32::try_from(number.checked_mul(size)?).ok().map(Duration::Months);
        match unit {
            "s" => exact(MICROS_SECOND),
            "min" => exact(MICROS_MINUTE),
            "h" => exact(MICROS_HOUR),
            "d" => exact(MICROS_DAY),
            "w" => exact(MICROS_WEEK),
            "mo" => months(1),
            "y" => months(12),
            _ => None,
        }
    }
}

/// A calendar period of the workspace's zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Period {
    Day,
    /// Starts on Monday.
    Week,
    Month,
    Quarter,
    Year,
}
