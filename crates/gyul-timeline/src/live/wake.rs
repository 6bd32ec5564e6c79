//! Who must be looked at when, though nothing happens: one instant for each customer, in a queue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The earliest instant at which the clock alone could change something for a customer; never later than that.
#[derive(Clone, Debug, Default)]
pub struct Wakes {
    customers: Vec<Wake>,
    /// Those of the next hour or so, never empty while there are others.
    near: BinaryHeap<Reverse<(i64, u32)>>,
    /// Instants below this belong to `near`.
    border: i64,
    /// The others, hour by hour.
    far: BTreeMap<i64, Vec<(i64, u32)>>,
}

/// Side by side: they are looked at together, for customers here and there.
#[derive(Clone, Copy, Debug)]
struct Wake {
    next: i64,
    /// Where the customer stands in the queue; entries for other instants are stale.
    queued: i64,
}

const NEVER: Wake = Wake { next: i64::MAX, queued: i64::MAX };

/// Microseconds of an hour or so, as a power of two.
const HOUR: u32 = 32;

impl Wakes {
    /// Sets the instant; `i64::MAX` is never.
    pub fn set(&mut self, customer: u32, at: i64) {
        let n = customer as usize;
        if self.customers.len() <= n {
            self.customers.resize(n + 1, NEVER);
        }
        let wake = &mut self.customers[n];
        wake.next = at;
        // A later instant is put in when the earlier entry comes up.
        if at < wake.queued {
            wake.queued = at;
            self.push(at, customer);
        }
    }

    fn push(&mut self, at: i64, customer: u32) {
        if at < self.border {
            self.near.push(Reverse((at, customer)));
        } else {
            self.far.entry(at >> HOUR).or_default().push((at, customer));
            self.refill();
        }
    }

    fn refill(&mut self) {
        if self.near.is_empty()
            && let Some((hour, some)) = self.far.pop_first()
        {
            self.border = (hour + 1).saturating_mul(1 << HOUR);
            self.near = some.into_iter().map(Reverse).collect();
        }
    }

    /// Sets the instant if it is earlier than the one that is set.
    pub fn at_latest(&mut self, customer: u32, at: i64) {
        if self.customers.get(customer as usize).is_none_or(|w| at < w.next) {
            self.set(customer, at);
        }
    }

    /// The next entry of the queue; the customer's own instant may be later.
    pub fn first(&self) -> Option<i64> {
        self.near.peek().map(|Reverse((t, _))| *t)
    }

    /// Takes out everybody whose instant is not after `now`, in the order of the instants.
    pub fn due(&mut self, now: i64) -> Vec<(i64, u32)> {
        let mut out = vec![];
        while let Some(&Reverse((t, customer))) = self.near.peek()
            && t <= now
        {
            self.near.pop();
            self.refill();
            let wake = &mut self.customers[customer as usize];
            if wake.queued != t {
                continue;
            }
            wake.queued = i64::MAX;
            match wake.next {
                next if next <= now => {
                    wake.next = i64::MAX;
                    out.push((next, customer));
                }
                i64::MAX => {}
                next => {
                    wake.queued = next;
                    self.push(next, customer);
                }
            }
        }
        out.sort_unstable();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_comes_up_once_at_their_own_instant() {
        let mut wakes = Wakes::default();
        wakes.set(3, 50);
        wakes.set(1, 20);
        wakes.set(3, 70);
        wakes.at_latest(1, 30);
        wakes.at_latest(5, 40);
        wakes.set(1, 10);
        assert_eq!(wakes.first(), Some(10));
        assert_eq!(wakes.due(60), [(10, 1), (40, 5)]);
        assert_eq!(wakes.first(), Some(70));
        assert_eq!(wakes.due(69), []);
        assert_eq!(wakes.due(70), [(70, 3)]);
        assert_eq!((wakes.due(i64::MAX - 1), wakes.first()), (vec![], None));
    }
}
