//! How much is taken from one caller: token buckets, and the sizes and times of requests.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A steady rate with room for bursts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

/// Token buckets by caller.
pub struct Buckets<K> {
    rate: Rate,
    /// More callers than this at once: full buckets are forgotten, they are as good as new.
    max: usize,
    buckets: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    pub fn new(rate: Rate, max: usize) -> Buckets<K> {
        Buckets { rate, max, buckets: Mutex::default() }
    }

    /// Takes one token; else says how long until there is one.
    pub fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(|e| e.into_inner());
        if buckets.len() >= self.max && !buckets.contains_key(key) {
            let rate = self.rate;
            buckets.retain(|_, (tokens, at)| *tokens + passed(*at, now) * rate.per_second < rate.burst);
            if buckets.len() >= self.max {
                // Nobody new until somebody old has been quiet for a while.
                return Err(Duration::from_secs(1));
            }
        }
        let (tokens, at) = buckets.entry(key.clone()).or_insert((self.rate.burst, now));
        *tokens = (*tokens + passed(*at, now) * self.rate.per_second).min(self.rate.burst);
        *at = (*at).max(now);
        if *tokens >= 1.0 {
            *tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - *tokens) / self.rate.per_second.max(1e-6);
        Err(Duration::from_secs_f64(wait.min(3600.0)))
    }
}

fn passed(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate_rules() {
        let buckets = Buckets::new(Rate { per_second: 10.0, burst: 3.0 }, 100);
        let t = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take(&"a", t), Ok(()));
        }
        let wait = buckets.take(&"a", t).unwrap_err();
        assert!(wait > Duration::from_millis(99) && wait < Duration::from_millis(101), "{wait:?}");
        assert_eq!(buckets.take(&"b", t), Ok(()));
        assert_eq!(buckets.take(&"a", t + Duration::from_millis(101)), Ok(()));
        assert!(buckets.take(&"a", t + Duration::from_millis(101)).is_err());
    }

    #[test]
    fn callers_are_forgotten_when_their_buckets_are_full_again() {
        let buckets = Buckets::new(Rate { per_second: 1.0, burst: 1.0 }, 2);
        let t = Instant::now();
        assert!(buckets.take(&1, t).is_ok() && buckets.take(&2, t).is_ok());
        assert!(buckets.take(&3, t).is_err());
        assert!(buckets.take(&3, t + Duration::from_secs(2)).is_ok());
    }
}
