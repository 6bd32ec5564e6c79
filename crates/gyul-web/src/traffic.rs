//! How much does each sender send? Counted in memory since the server started, never per person.

use crate::data::{Ack, time};
use gyul_model::Instant;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use utoipa::ToSchema;

const MICROS_MINUTE: i64 = 60_000_000;
const MINUTES: usize = 60;
const HOURS: usize = 24;

/// Events of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Count {
    pub accepted: u64,
    /// Here before.
    pub duplicates: u64,
    /// In the quarantine.
    pub rejected: u64,
}

impl Count {
    fn add(&mut self, ack: &Ack) {
        self.accepted += ack.accepted;
        self.duplicates += ack.duplicates;
        self.rejected += ack.rejected;
    }

    fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
        counts.fold(Count::default(), |a, b| Count {
            accepted: a.accepted + b.accepted,
            duplicates: a.duplicates + b.duplicates,
            rejected: a.rejected + b.rejected,
        })
    }

    pub fn all(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected
    }
}

/// The last slots of equal width; those in between that saw nothing are empty.
struct Ring<const N: usize> {
    /// Number of the newest slot since the epoch.
    at: i64,
    slots: [Count; N],
}

impl<const N: usize> Ring<N> {
    fn new(at: i64) -> Ring<N> {
        Ring { at, slots: [Count::default(); N] }
    }

    fn place(at: i64) -> usize {
        at.rem_euclid(N as i64) as usize
    }

    /// Lets time pass. A clock that was set back adds to the newest slot.
    fn go_to(&mut self, at: i64) {
        if at.saturating_sub(self.at) >= N as i64 {
            *self = Ring::new(at);
        }
        while self.at < at {
            self.at += 1;
            self.slots[Self::place(self.at)] = Count::default();
        }
    }

    fn newest(&mut self) -> &mut Count {
        &mut self.slots[Self::place(self.at)]
    }

    /// Oldest first.
    fn in_order(&self) -> [Count; N] {
        std::array::from_fn(|i| self.slots[Self::place(self.at + 1 + i as i64)])
    }
}

struct Sender {
    last: Instant,
    minutes: Ring<MINUTES>,
    hours: Ring<HOURS>,
}

/// What one sender sent lately.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SenderTraffic {
    /// `key:<name>` or `webhook:<name>`.
    pub via: String,
    /// When its last request came.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub last: Instant,
    /// The last whole minute.
    pub minute: Count,
    /// The last 60 minutes, this one among them.
    pub hour: Count,
    /// The last 24 hours, this one among them, as far back as the server has run.
    pub day: Count,
    /// Events taken in each of the last 60 minutes, oldest first, this one last.
    pub by_minute: Vec<u64>,
}

/// The senders of this process. Their number is bounded by that of keys and webhook sources.
#[derive(Default)]
pub struct Traffic(Mutex<BTreeMap<String, Sender>>);

impl Traffic {
    pub fn count(&self, via: &str, now: Instant, ack: &Ack) {
        let minute = now.0.div_euclid(MICROS_MINUTE);
        let mut senders = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if !senders.contains_key(via) {
            let new = Sender { last: now, minutes: Ring::new(minute), hours: Ring::new(minute.div_euclid(60)) };
            senders.insert(via.to_string(), new);
        }
        let Some(sender) = senders.get_mut(via) else { return };
        sender.last = sender.last.max(now);
        sender.minutes.go_to(minute);
        sender.hours.go_to(minute.div_euclid(60));
        sender.minutes.newest().add(ack);
        sender.hours.newest().add(ack);
    }

    pub fn flows(&self, now: Instant) -> Vec<SenderTraffic> {
        let minute = now.0.div_euclid(MICROS_MINUTE);
        let mut senders = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let flow = |(via, s): (&String, &mut Sender)| {
            s.minutes.go_to(minute);
            s.hours.go_to(minute.div_euclid(60));
            let minutes = s.minutes.in_order();
            SenderTraffic {
                via: via.clone(),
                last: s.last,
                minute: minutes[MINUTES - 2],
                hour: Count::sum(minutes.iter()),
                day: Count::sum(s.hours.in_order().iter()),
                by_minute: minutes.iter().map(|c| c.accepted).collect(),
            }
        };
        senders.iter_mut().map(flow).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(accepted: u64, rejected: u64) -> Ack {
        Ack { accepted, rejected, ..Ack::default() }
    }

    #[test]
    fn sums_are_those_of_the_list_of_everything_that_was_sent() {
        let traffic = Traffic::default();
        // Steps of 37 s, with a pause of three hours in between; the oracle keeps all.
        let mut sent = vec![];
        let mut now = 1_000 * MICROS_MINUTE * 60;
        for n in 0..5_000_u64 {
            now += if n == 2_500 { 180 * MICROS_MINUTE } else { 37_000_000 };
            traffic.count("key:site", Instant(now), &ack(n % 7, n % 3));
            sent.push((now.div_euclid(MICROS_MINUTE), n % 7, n % 3));
        }
        for later in [0, 1, 59, 60, 23 * 60, 24 * 60] {
            let at = now + later * MICROS_MINUTE;
            let minute = at.div_euclid(MICROS_MINUTE);
            let since = |from: i64| {
                let of = sent.iter().filter(|(m, ..)| *m >= from);
                of.fold((0, 0), |(a, r), (_, x, y)| (a + x, r + y))
            };
            let flow = &traffic.flows(Instant(at))[0];
            assert_eq!((flow.hour.accepted, flow.hour.rejected), since(minute - 59), "{later} minutes later");
            let day = (minute.div_euclid(60) - 23) * 60;
            assert_eq!((flow.day.accepted, flow.day.rejected), since(day), "{later} minutes later");
            assert_eq!(flow.by_minute.iter().sum::<u64>(), flow.hour.accepted);
            assert_eq!(flow.last, Instant(now));
        }
    }

    #[test]
    fn a_clock_set_back_loses_nothing() {
        let traffic = Traffic::default();
        let noon = Instant(720 * MICROS_MINUTE);
        traffic.count("key:a", noon, &ack(1, 0));
        traffic.count("key:a", Instant(noon.0 - 3 * MICROS_MINUTE), &ack(2, 0));
        traffic.count("webhook:main", noon, &ack(4, 1));
        let flows = traffic.flows(noon);
        assert_eq!(flows.len(), 2);
        assert_eq!(flows[0].hour.accepted, 3);
        assert_eq!((flows[1].via.as_str(), flows[1].day.all()), ("webhook:main", 5));
    }
}
