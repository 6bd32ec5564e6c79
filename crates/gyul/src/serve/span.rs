//! Since when, and until when.

use gyul_engine::View;
use gyul_model::Instant;
use gyul_segment::tree::Library;
use gyul_timeline::{Named, Plan, Timelines};

/// How far ahead the end of a membership is looked for: two years.
const HORIZON: i64 = 2 * 366 * gyul_model::MICROS_DAY;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    pub since: Option<Instant>,
    pub until: Option<Instant>,
    /// Others decide with it.
    pub ranked: bool,
}

/// Every segment, then every class: the order of the live evaluator's roots.
pub fn roots(library: &Library) -> Vec<Named> {
    let segments = (0..library.segments.len()).map(Named::Segment);
    let partitions = library.partitions.iter().enumerate();
    segments.chain(partitions.flat_map(|(p, d)| (0..=d.classes.len()).map(move |k| Named::Class(p, k)))).collect()
}

/// For each of some customers who are in something: since when, and when it ends if nothing happens. Unknown where
/// others decide, as with ranks: these customers are looked at by themselves.
pub fn spans(timelines: &Timelines, customers: usize, library: &Library, named: Named, now: Instant) -> Vec<Span> {
    let plan = Plan::compile_one(library, &timelines.data().streams, named);
    if !plan.ranks.is_empty() {
        return vec![Span { ranked: true, ..Span::default() }; customers];
    }
    let exists = timelines.data().buckets.iter().flat_map(|b| &b.exists_from).copied();
    let dated = exists.filter(|t| *t > Instant::ALWAYS.0).min().unwrap_or(now.0);
    let from = Instant(dated.min(now.0).max(Instant::FIRST.0) - 1);
    let mut out = vec![Span::default(); customers];
    if let Ok(history) = timelines.history(&plan, from, now) {
        for c in history.changes.iter().filter(|c| c.customer < customers) {
            out[c.customer].since = c.entered.then_some(c.at);
        }
    }
    let state = timelines.run(&plan, now);
    for (n, span) in out.iter_mut().enumerate().filter(|(n, _)| state.answers.segments[0].has(*n)) {
        span.until = timelines.next_change(&plan, &state, n, Instant(now.0 + HORIZON)).map(|(t, _)| t);
    }
    out
}

/// Whether others decide with a customer whether they are in something.
pub fn is_ranked(timelines: &Timelines, library: &Library, named: Named) -> bool {
    !Plan::compile_one(library, &timelines.data().streams, named).ranks.is_empty()
}

/// The instant at which somebody entered or left last, by everybody's history; for definitions with ranks.
pub fn since_in(view: &View, named: Named, customer: &str, now: Instant) -> Option<Instant> {
    let number = view.timelines().number_of(customer)?;
    let (bucket, index) = view.timelines().place(number);
    let born = view.data().buckets[bucket].exists_from.get(index).copied()?;
    let from = Instant(born.clamp(Instant::FIRST.0, now.0) - 1);
    let history = view.timelines().history(&view.plan_of(named), from, now).ok()?;
    history.changes.iter().rev().find(|c| c.customer == number).map(|c| c.at)
}
