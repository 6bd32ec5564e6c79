//! Instants and durations as people write them.

use crate::failure::Failure;
use gyul_model::{Duration, Instant, Zone};

/// RFC 3339 with an offset; a local date and time; or a local date, which means its last moment.
pub fn instant(text: &str, zone: &Zone) -> Result<Instant, Failure> {
    local(text, zone, true)
}

/// The same, but a local date means its first moment.
pub fn beginning(text: &str, zone: &Zone) -> Result<Instant, Failure> {
    local(text, zone, false)
}

fn local(text: &str, zone: &Zone, end: bool) -> Result<Instant, Failure> {
    zone.read(text, end).ok_or_else(|| {
        let text = text.trim();
        Failure::usage(
            format!(
                "'{text}'은(는) 시각이 아닙니다. 2026-11-22, '2026-11-22 15:04', 2026-11-22T06:04:00Z처럼 적으세요."
            ),
            format!("'{text}' is no time. Write it like 2026-11-22, '2026-11-22 15:04' or 2026-11-22T06:04:00Z."),
        )
    })
}

/// `1d`, `2w`, `1mo` …
pub fn duration(text: &str) -> Result<Duration, Failure> {
    Duration::parse(text).ok_or_else(|| {
        Failure::usage(
            format!("'{text}'은(는) 기간이 아닙니다. 1d, 2w, 1mo, 1y처럼 적으세요."),
            format!("'{text}' is no duration. Write it like 1d, 2w, 1mo or 1y."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_model::MICROS_WEEK;

    #[test]
    fn dates_mean_their_end_in_the_zone() {
        let z = Zone::seoul();
        let at = |t| instant(t, &z).unwrap().to_string();
        assert_eq!(at("2026-11-22"), "2026-11-22T14:59:59.999999Z");
        assert_eq!(at("2026-11-22 15:04"), "2026-11-22T06:04:00Z");
        assert_eq!(at("2026-11-22T15:04:05"), "2026-11-22T06:04:05Z");
        assert_eq!(at("2026-11-22T15:04:05Z"), "2026-11-22T15:04:05Z");
        assert_eq!(beginning("2026-11-22", &z).unwrap().to_string(), "2026-11-21T15:00:00Z");
        for bad in ["", "yesterday", "2026-13-01", "2026-11-22 25:00", "2026-11-22 1", "귤귤귤귤귤귤"] {
            assert!(instant(bad, &z).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_those_of_the_language() {
        assert_eq!(duration("2w").unwrap(), Duration::Exact(2 * MICROS_WEEK));
        assert_eq!(duration("1y").unwrap(), Duration::Months(12));
        for bad in ["", "d", "0d", "1", "1 d", "-1d", "99999999999999999999d", "9999999999mo"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
