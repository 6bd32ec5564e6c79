//! Patterns: every chain of events is tried.

use super::{Place, Reference, Val};
use crate::tree::{Pattern, Step};

/// A chain of steps so far.
struct Chain {
    first: i64,
    last: i64,
    /// The value of `by`, where the pattern has one.
    key: Option<Val>,
}

impl<'a> Reference<'a> {
    /// The most steps that some chain of events reaches.
    pub(super) fn steps_reached(&self, p: &'a Pattern, customer: usize) -> usize {
        self.farthest(p, customer, 0, None)
    }

    fn farthest(&self, p: &'a Pattern, customer: usize, reached: usize, chain: Option<&Chain>) -> usize {
        let Some(step) = p.steps.get(reached) else { return reached };
        let found = self.selected(&step.select, &p.window, customer);
        let next = found.into_iter().filter_map(|i| self.extended(p, step, customer, i, chain));
        next.map(|c| self.farthest(p, customer, reached + 1, Some(&c))).max().unwrap_or(reached)
    }

    /// The chain with one more event, if that event may be its next step.
    fn extended(&self, p: &Pattern, step: &'a Step, customer: usize, i: usize, chain: Option<&Chain>) -> Option<Chain> {
        let event = self.customers[customer].events[i];
        let ts = event.ts.0;
        let key = match &p.by {
            Some(by) => Some(super::val(event.prop(by)?)),
            None => None,
        };
        let Some(chain) = chain else { return Some(Chain { first: ts, last: ts, key }) };
        let span = |from: i64| i128::from(ts) - i128::from(from);
        let later = ts > chain.last;
        let soon = step.within.is_none_or(|w| span(chain.last) <= w.into());
        let whole = p.within.is_none_or(|w| span(chain.first) <= w.into());
        let events = &self.customers[customer].events;
        let between = |k: &usize| chain.last < events[*k].ts.0 && events[*k].ts.0 < ts;
        let disturbed = (0..events.len()).filter(between).any(|k| {
            let place = Place { customer, event: Some(k) };
            step.without.iter().any(|select| self.takes(select, place))
        });
        (later && soon && whole && !disturbed && key == chain.key).then_some(Chain {
            first: chain.first,
            last: ts,
            key,
        })
    }
}
