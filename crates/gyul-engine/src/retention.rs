//! The staleness policy in words: `keep 3y`, `ignore events before 2023-01-01`, and the instant that they come to.
//!
//! An instant that stands still is what makes batch, history and the live server answer alike. `keep D` moves it on by
//! whole days.

use gyul_model::{Duration, Instant, Lang, Zone};
use gyul_store::Policy;

/// These words are no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPolicy(pub String);

impl NoPolicy {
    pub fn message(&self, lang: Lang) -> String {
        let text = &self.0;
        lang.pick(
            format!(
                "'{text}'은(는) 보존 정책이 아닙니다. keep 3y, ignore events before 2023-01-01, none 중 하나로 적으세요."
            ),
            format!("'{text}' is no policy. Write keep 3y, ignore events before 2023-01-01, or none."),
        )
    }
}

/// A policy as of now; `none` is no policy.
pub fn policy(text: &str, now: Instant, zone: &Zone) -> Result<Option<Policy>, NoPolicy> {
    let text = text.trim();
    let none = || NoPolicy(text.to_string());
    if text == "none" {
        return Ok(None);
    }
    let from = match (text.strip_prefix("keep "), text.strip_prefix("ignore events before ")) {
        (Some(d), _) => first_day(Duration::parse(d.trim()).ok_or_else(none)?, now, zone),
        (_, Some(t)) => zone.read(t, false).ok_or_else(none)?,
        _ => return Err(none()),
    };
    Ok(Some(Policy { said: text.to_string(), from }))
}

/// A day is kept whole or not at all.
fn first_day(d: Duration, now: Instant, zone: &Zone) -> Instant {
    zone.midnight(zone.date(zone.ago(now, d)))
}

fn kept(p: &Policy) -> Option<Duration> {
    Duration::parse(p.said.strip_prefix("keep ")?.trim())
}

/// The same policy as of now. It never moves back: what is left out comes back only when somebody says so.
pub fn moved_on(p: &Policy, now: Instant, zone: &Zone) -> Policy {
    let from = kept(p).map_or(p.from, |d| first_day(d, now, zone));
    Policy { said: p.said.clone(), from: from.max(p.from) }
}

/// When it moves on next, or a moment before that; now, if it is time. `None`: never.
pub fn moves_at(p: &Policy, now: Instant, zone: &Zone) -> Option<Instant> {
    let d = kept(p)?;
    if moved_on(p, now, zone).from > p.from {
        return Some(now);
    }
    // What is counted in hours goes over a midnight in the middle of a day.
    let over = match d {
        Duration::Exact(us) => Instant(zone.midnight(gyul_model::Date(zone.date(p.from).0 + 1)).0.saturating_add(us)),
        Duration::Months(_) => Instant(i64::MAX),
    };
    let midnight = zone.midnight(gyul_model::Date(zone.date(now).0 + 1));
    [over, midnight].into_iter().filter(|t| *t > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_policy_is_an_instant_and_moves_on_by_whole_days() {
        let zone = Zone::seoul();
        let now = at("2026-11-30T05:00:00Z");
        let from = |text: &str| policy(text, now, &zone).unwrap().unwrap().from.to_string();
        assert_eq!(from("keep 3y"), "2023-11-29T15:00:00Z");
        assert_eq!(from(" keep 30d "), "2026-10-30T15:00:00Z");
        assert_eq!(from("ignore events before 2023-01-01"), "2022-12-31T15:00:00Z");
        assert_eq!(policy("none", now, &zone), Ok(None));
        for bad in ["", "keep", "keep forever", "keep 0d", "ignore events before yesterday", "3y"] {
            let e = policy(bad, now, &zone).unwrap_err();
            assert!(e.message(Lang::Ko).contains("keep 3y") && e.message(Lang::En).contains("keep 3y"), "{bad}");
        }
        let fixed = policy("ignore events before 2023-01-01", now, &zone).unwrap().unwrap();
        assert_eq!(moves_at(&fixed, now, &zone), None);
        assert_eq!(moved_on(&fixed, at("2036-01-01T00:00:00Z"), &zone), fixed);
    }

    /// What is promised moves just when it is promised, and at no other instant.
    #[test]
    fn a_policy_moves_on_when_it_is_said_to() {
        for (name, text) in [
            ("Asia/Seoul", "keep 30d"),
            ("Asia/Seoul", "keep 36h"),
            ("America/New_York", "keep 30d"),
            ("America/New_York", "keep 1mo"),
        ] {
            let zone = Zone::new(name).unwrap();
            let start = at("2026-03-01T03:17:00Z");
            let mut p = policy(text, start, &zone).unwrap().unwrap();
            let (mut now, mut moves) = (start, 0);
            while now < at("2026-04-20T00:00:00Z") {
                let next = moves_at(&p, now, &zone).unwrap();
                assert!(next > now, "{name} {text}: at {now} it has moved already");
                let before = Instant(next.0 - 1);
                assert_eq!(moved_on(&p, before, &zone), p, "{name} {text}: before {next}");
                let moved = moved_on(&p, next, &zone);
                moves += i32::from(moved != p);
                (p, now) = (moved, next);
            }
            assert!((45..=51).contains(&moves), "{name} {text}: {moves}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_back() {
        let zone = Zone::seoul();
        let p = policy("keep 30d", at("2026-11-30T05:00:00Z"), &zone).unwrap().unwrap();
        assert_eq!(moved_on(&p, at("2026-11-20T05:00:00Z"), &zone), p);
    }
}
