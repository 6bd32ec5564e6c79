use crate::{Duration, Instant, MICROS_DAY, MICROS_HOUR, MICROS_SECOND, Period};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::fmt;

/// A local calendar date, as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

impl Date {
    pub fn new(year: i16, month: i8, day: i8) -> Option<Date> {
        civil::Date::new(year, month, day).ok().map(Date::from_civil)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let b = text.as_bytes();
        if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
            return None;
        }
        Date::new(text.get(..4)?.parse().ok()?, text.get(5..7)?.parse().ok()?, text.get(8..)?.parse().ok()?)
    }

    /// `(year, month, day)`.
    pub fn ymd(self) -> (i16, i8, i8) {
        let d = self.to_civil();
        (d.year(), d.month(), d.day())
    }

    /// Monday is 1, Sunday 7.
    pub fn weekday(self) -> u8 {
        ((self.0 + 3).rem_euclid(7) + 1) as u8
    }

    /// The first day of the period that holds this date, `back` periods earlier.
    pub fn period_start(self, period: Period, back: i32) -> Date {
        let (y, m, _) = self.ymd();
        let month = |months: i32| Date::new(months.div_euclid(12) as i16, (months.rem_euclid(12) + 1) as i8, 1);
        let months = i32::from(y) * 12 + i32::from(m) - 1;
        match period {
            Period::Day => Date(self.0 - back),
            Period::Week => Date(self.0 - i32::from(self.weekday() - 1) - 7 * back),
            Period::Month => month(months - back).unwrap_or(self),
            Period::Quarter => month(months - months.rem_euclid(3) - 3 * back).unwrap_or(self),
            Period::Year => month(months - months.rem_euclid(12) - 12 * back).unwrap_or(self),
        }
    }

    fn from_civil(d: civil::Date) -> Date {
        let epoch = civil::date(1970, 1, 1);
        Date(d.duration_since(epoch).as_hours() as i32 / 24)
    }

    fn to_civil(self) -> civil::Date {
        let epoch = civil::date(1970, 1, 1);
        epoch.saturating_add(jiff::SignedDuration::from_hours(i64::from(self.0) * 24))
    }

    /// The age in completed years that somebody born on this date has on `today`.
    /// Born on 29 February, one gets older on 1 March in common years (Korean Civil Code 158, 160).
    /// `None` before the birth.
    pub fn age_on(self, today: Date) -> Option<i64> {
        let ((by, bm, bd), (y, m, d)) = (self.ymd(), today.ymd());
        let years = i64::from(y) - i64::from(by) - i64::from((m, d) < (bm, bd));
        (years >= 0).then_some(years)
    }

    /// The first date on which somebody born on this date is `age` years old.
    pub fn birthday(self, age: i64) -> Option<Date> {
        let (y, m, d) = self.ymd();
        let year = i16::try_from(i64::from(y) + age).ok()?;
        Date::new(year, m, d).or_else(|| Date::new(year, 3, 1))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_civil())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The workspace's time zone. Converting is a table look-up, cheap enough for one call an event.
#[derive(Clone)]
pub struct Zone {
    tz: TimeZone,
    name: String,
    /// `(from instant, offset in µs)`, ascending; the first entry starts at the beginning of time.
    offsets: Vec<(i64, i64)>,
}

impl Zone {
    /// An IANA name such as `Asia/Seoul`. `None` if there is no such zone.
    pub fn new(name: &str) -> Option<Zone> {
        let tz = TimeZone::get(name).ok()?;
        let first = jiff::Timestamp::from_microsecond(Instant::FIRST.0).ok()?;
        let last = jiff::Timestamp::from_microsecond(Instant::LAST.0).ok()?;
        let mut offsets = vec![(i64::MIN, i64::from(tz.to_offset(first).seconds()) * MICROS_SECOND)];
        for t in tz.following(first).take_while(|t| t.timestamp() <= last) {
            offsets.push((t.timestamp().as_microsecond(), i64::from(t.offset().seconds()) * MICROS_SECOND));
        }
        Some(Zone { tz, name: name.to_string(), offsets })
    }

    pub fn seoul() -> Zone {
        Zone::new("Asia/Seoul").unwrap_or_else(Zone::utc)
    }

    pub fn utc() -> Zone {
        Zone { tz: TimeZone::UTC, name: "UTC".into(), offsets: vec![(i64::MIN, 0)] }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    fn offset(&self, t: Instant) -> i64 {
        // Most instants are later than the last change of the clocks in zones that gave up changing them.
        match self.offsets.last() {
            Some((from, offset)) if *from <= t.0 => *offset,
            _ => self.offsets[self.offsets.partition_point(|(from, _)| *from <= t.0).max(1) - 1].1,
        }
    }

    /// Instants at which the clocks change, after `from` and up to `to`.
    pub fn transitions(&self, from: Instant, to: Instant) -> impl Iterator<Item = Instant> + '_ {
        self.offsets.iter().map(|o| Instant(o.0)).filter(move |t| *t > from && *t <= to)
    }

    #[inline]
    fn local_micros(&self, t: Instant) -> i64 {
        t.0.saturating_add(self.offset(t))
    }

    #[inline]
    pub fn date(&self, t: Instant) -> Date {
        Date(self.local_micros(t).div_euclid(MICROS_DAY).clamp(-4_371_587, 2_932_896) as i32)
    }

    /// Local hour, 0 to 23.
    pub fn hour(&self, t: Instant) -> u8 {
        (self.local_micros(t).rem_euclid(MICROS_DAY) / MICROS_HOUR) as u8
    }

    /// Microseconds since local midnight on the wall clock.
    pub fn time_of_day(&self, t: Instant) -> i64 {
        self.local_micros(t).rem_euclid(MICROS_DAY)
    }

    /// The first instant of a local date (in a gap, the end of the gap; in a fold, the earlier one).
    pub fn midnight(&self, d: Date) -> Instant {
        self.at(d, 0)
    }

    /// The instant at which the wall clock shows `micros` since midnight on `date`:
    /// moved forward by the length of a gap, the earlier one in a fold ("compatible", RFC 5545).
    pub fn at(&self, date: Date, micros: i64) -> Instant {
        let local = i64::from(date.0) * MICROS_DAY + micros;
        if self.offsets.len() == 1 {
            return Instant(local - self.offsets[0].1);
        }
        let dt = civil::Date::to_datetime(date.to_civil(), civil::time(0, 0, 0, 0))
            .saturating_add(jiff::SignedDuration::from_micros(micros));
        let offset = match self.tz.to_ambiguous_timestamp(dt).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        Instant(local - i64::from(offset.seconds()) * MICROS_SECOND)
    }

    /// An instant as people write it: RFC 3339 with an offset; a local date and time; or a local date alone, which means its
    /// first moment, or with `end` its last.
    pub fn read(&self, text: &str, end: bool) -> Option<Instant> {
        let text = text.trim();
        let local = || {
            let date = Date::parse(text.get(..10)?)?;
            let rest = text.get(10..)?.trim_start_matches(['T', ' ']);
            if rest.is_empty() {
                let day = if end { self.midnight(Date(date.0 + 1)).0 - 1 } else { self.midnight(date).0 };
                return Some(Instant(day));
            }
            let mut parts = rest.split(':').map(|p| p.parse::<i64>().ok());
            let (h, m, s) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
            let fits = (0..24).contains(&h) && (0..60).contains(&m) && (0..60).contains(&s) && parts.next().is_none();
            fits.then(|| self.at(date, (h * 3_600 + m * 60 + s) * MICROS_SECOND))
        };
        let found = Instant::parse_rfc3339(text).or_else(local);
        found.filter(|t| (Instant::FIRST..=Instant::LAST).contains(t))
    }

    /// `t - d`: exact, or the same wall-clock time so many months earlier, on the month's last day where there is no such day.
    pub fn ago(&self, t: Instant, d: Duration) -> Instant {
        match d {
            Duration::Exact(us) => Instant(t.0.saturating_sub(us)),
            Duration::Months(m) => self.plus_months(t, -m),
        }
    }

    /// The same wall-clock time so many months later (earlier if negative), clamped to the month's last day.
    pub fn plus_months(&self, t: Instant, months: i32) -> Instant {
        let date = self.date(t);
        let (y, m, d) = date.ymd();
        let total = i32::from(y) * 12 + i32::from(m) - 1 + months;
        let (y, m) = (total.div_euclid(12) as i16, (total.rem_euclid(12) + 1) as i8);
        let date = (1..=d).rev().find_map(|d| Date::new(y, m, d)).unwrap_or(date);
        self.at(date, self.time_of_day(t))
    }

    /// The last microsecond of the period that lies `back` periods before the one that holds `t`.
    pub fn end_of(&self, t: Instant, period: Period, back: i32) -> Instant {
        Instant(self.midnight(self.date(t).period_start(period, back - 1)).0 - 1)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn seoul_has_the_date_of_the_wall_clock() {
        let z = Zone::seoul();
        assert_eq!(z.date(at("2026-01-01T14:59:59Z")).to_string(), "2026-01-01");
        assert_eq!(z.date(at("2026-01-01T15:00:00Z")).to_string(), "2026-01-02");
        assert_eq!(z.hour(at("2026-01-01T15:00:00Z")), 0);
        assert_eq!(z.midnight(Date::parse("2026-01-02").unwrap()), at("2026-01-01T15:00:00Z"));
        // Summer time of 1988, the last one in Korea.
        assert_eq!(z.hour(at("1988-07-01T00:00:00Z")), 10);
    }

    #[test]
    fn months_clamp_and_daylight_saving_is_compatible() {
        let z = Zone::new("America/New_York").unwrap();
        assert_eq!(z.plus_months(at("2026-03-31T12:00:00Z"), -1), at("2026-02-28T13:00:00Z"));
        assert_eq!(z.plus_months(at("2024-03-31T12:00:00Z"), -1), at("2024-02-29T13:00:00Z"));
        // 02:30 on 8 March 2026 does not exist: an hour later. 01:30 on 1 November comes twice: the first.
        assert_eq!(z.plus_months(at("2026-04-08T06:30:00Z"), -1), at("2026-03-08T07:30:00Z"));
        assert_eq!(z.plus_months(at("2026-10-01T05:30:00Z"), 1), at("2026-11-01T05:30:00Z"));
    }

    #[test]
    fn periods_end_where_the_next_begin() {
        let z = Zone::seoul();
        let t = at("2026-11-23T03:00:00Z"); // Monday noon
        assert_eq!(z.end_of(t, Period::Day, 1), Instant(at("2026-11-22T15:00:00Z").0 - 1));
        assert_eq!(z.end_of(t, Period::Week, 1), Instant(at("2026-11-22T15:00:00Z").0 - 1));
        assert_eq!(z.end_of(t, Period::Month, 1), Instant(at("2026-10-31T15:00:00Z").0 - 1));
        assert_eq!(z.end_of(t, Period::Quarter, 1), Instant(at("2026-09-30T15:00:00Z").0 - 1));
        assert_eq!(z.end_of(t, Period::Year, 2), Instant(at("2024-12-31T15:00:00Z").0 - 1));
        assert_eq!(z.date(t).weekday(), 1);
    }

    #[test]
    fn ages_change_on_birthdays() {
        let d = |t| Date::parse(t).unwrap();
        assert_eq!(d("2000-02-29").age_on(d("2026-02-28")), Some(25));
        assert_eq!(d("2000-02-29").age_on(d("2026-03-01")), Some(26));
        assert_eq!(d("2000-02-29").birthday(26), Some(d("2026-03-01")));
        assert_eq!(d("2000-02-29").birthday(24), Some(d("2024-02-29")));
        assert_eq!(d("2000-05-05").age_on(d("1999-05-05")), None);
    }
}
