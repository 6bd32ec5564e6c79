//! How is a measure spread, and how do segments compare?

use super::money::Money;
use super::money::Spend;
use super::statistics::quantile;
use crate::view::{NotFound, Sought, View, bits};
use gyul_model::Instant;
use gyul_segment::explain::Quantity;
use gyul_segment::tree::{Type, Words};
use gyul_timeline::{Bits, Whole};
use rayon::prelude::*;

/// Bars of a histogram, about.
const BINS: f64 = 24.0;
/// Quantiles that are told.
pub const QUANTILES: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// A measure's histogram for everybody and for segments.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    pub id: String,
    pub name: Words,
    pub quantity: Quantity,
    /// Bar i holds values from `edges[i]` up to, not with, `edges[i + 1]`. The first holds all below too, and the last
    /// all above.
    pub edges: Vec<f64>,
    /// Everybody first.
    pub of: Vec<SpreadOf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpreadOf {
    /// `None`: everybody.
    pub id: Option<String>,
    pub customers: u64,
    /// For whom the measure is known.
    pub known: u64,
    pub counts: Vec<u64>,
    pub mean: Option<f64>,
    /// In the order of [`QUANTILES`].
    pub quantiles: Vec<f64>,
    pub range: Option<(f64, f64)>,
}

impl View {
    /// `None` for a measure that is no number.
    pub fn spread(&self, measure: &str, of: &[String], at: Instant) -> Result<Option<Spread>, NotFound> {
        let ids = || self.library.measures.iter().map(|m| m.id.as_str());
        let Some(m) = ids().position(|id| id == measure) else {
            let nearest = gyul_segment::problem::nearest(measure, ids()).map(str::to_string);
            return Err(NotFound { kind: Sought::Measure, name: measure.to_string(), nearest, example: None });
        };
        let definition = &self.library.measures[m];
        let state = self.run(at);
        let mut sets: Vec<(Option<String>, Bits)> = vec![(None, state.answers.population.clone())];
        for id in of {
            sets.push((Some(id.clone()), bits(&state.answers, self.find(id)?).clone()));
        }
        let node = self.plan().measures[m];
        let whole = self.timelines.whole(self.plan(), &[node], &state).pop().flatten();
        let (Some(Whole::Numbers(values)), Type::Num | Type::Dur | Type::Any) = (whole, definition.expr.ty) else {
            return Ok(None);
        };
        let sorted: Vec<Vec<f64>> = sets.iter().map(|(_, set)| known(&values, set)).collect();
        let quantity = Quantity::of(&self.library, &definition.expr);
        let edges = edges(&sorted[0], quantity == Quantity::Duration);
        let of = sets.into_iter().zip(&sorted).map(|((id, set), v)| SpreadOf {
            id,
            customers: set.count() as u64,
            known: v.len() as u64,
            counts: histogram(v, &edges),
            mean: mean(v),
            quantiles: QUANTILES.iter().filter_map(|q| quantile(v, *q)).collect(),
            range: v.first().copied().zip(v.last().copied()),
        });
        Ok(Some(Spread { id: definition.id.clone(), name: definition.name.clone(), quantity, of: of.collect(), edges }))
    }

    /// Sizes, overlaps, money over all time, and all measures of some segments and classes.
    pub fn compare(&self, ids: &[String], at: Instant) -> Result<Comparison, NotFound> {
        let named = ids.iter().map(|id| self.find(id)).collect::<Result<Vec<_>, _>>()?;
        let state = self.run(at);
        let overlap = self.overlap_of(&named, &state.answers);
        let mut sets: Vec<&Bits> = vec![&state.answers.population];
        sets.extend(named.iter().map(|n| bits(&state.answers, *n)));
        let spend = Spend::find(self, i64::MIN, at);
        let plan = self.plan();
        let mut measures = vec![];
        for (m, measure) in self.library.measures.iter().enumerate() {
            if !matches!(measure.expr.ty, Type::Num | Type::Dur | Type::Any) {
                continue;
            }
            let whole = self.timelines.whole(plan, &[plan.measures[m]], &state).pop().flatten();
            let Some(Whole::Numbers(values)) = whole else { continue };
            let each = sets.iter().map(|set| {
                let v = known(&values, set);
                (mean(&v), quantile(&v, 0.5))
            });
            measures.push(Compared {
                id: measure.id.clone(),
                name: measure.name.clone(),
                quantity: Quantity::of(&self.library, &measure.expr),
                each: each.collect(),
            });
        }
        let money = sets.iter().map(|set| spend.of(set.iter())).collect();
        Ok(Comparison { ids: ids.to_vec(), both: overlap.both, money, measures })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub ids: Vec<String>,
    /// `both[i][j]` are in both.
    pub both: Vec<Vec<u64>>,
    /// Everybody first.
    pub money: Vec<Money>,
    pub measures: Vec<Compared>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub id: String,
    pub name: Words,
    pub quantity: Quantity,
    /// Mean and median of those for whom it is known; everybody first.
    pub each: Vec<(Option<f64>, Option<f64>)>,
}

/// The known values of a set, ascending.
fn known(values: &[f64], set: &Bits) -> Vec<f64> {
    let mut v: Vec<f64> = set.iter().map(|n| values[n]).filter(|v| v.is_finite()).collect();
    v.par_sort_unstable_by(f64::total_cmp);
    v
}

fn mean(v: &[f64]) -> Option<f64> {
    (!v.is_empty()).then(|| v.iter().sum::<f64>() / v.len() as f64)
}

fn histogram(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let Some(inner) = edges.get(1..edges.len().saturating_sub(1)) else { return vec![] };
    let mut below = 0;
    let mut out = vec![];
    for edge in inner {
        let here = sorted.partition_point(|v| v < edge);
        out.push((here - below) as u64);
        below = here;
    }
    out.push((sorted.len() - below) as u64);
    out
}

/// Round steps from about the lowest to about the highest of all but the outermost hundredths: one rare giant does not
/// press all others into one bar. Few whole numbers get a bar each.
fn edges(sorted: &[f64], duration: bool) -> Vec<f64> {
    let (Some(low), Some(high)) = (quantile(sorted, 0.01), quantile(sorted, 0.99)) else { return vec![] };
    let (Some(first), Some(last)) = (sorted.first().copied(), sorted.last().copied()) else { return vec![] };
    let whole = !duration && sorted.iter().all(|v| v.fract() == 0.0);
    let low = if first >= 0.0 && low < high * 0.3 { 0.0 } else { low };
    let low = if whole && high - low <= BINS { first.max(low.min(first)) } else { low };
    let wide = (high - low).max(0.0);
    let mut step = nice(wide / BINS, duration);
    if whole {
        step = step.max(1.0);
    }
    if !(step > 0.0 && step.is_finite()) {
        return vec![first, if last > first { last } else { first + 1.0 }];
    }
    let start = (low / step).floor();
    let count = ((high / step).floor() - start) as usize + 1;
    (0..=count.min(60)).map(|i| (start + i as f64) * step).collect()
}

/// The next round number: 1, 2, 5 by powers of ten; of microseconds, hours, days and months of 30 of them.
fn nice(x: f64, duration: bool) -> f64 {
    const DAY: f64 = 86_400e6;
    if duration {
        let steps = [1.0 / 24.0, 0.25, 0.5, 1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0];
        return steps.iter().map(|d| d * DAY).find(|s| *s >= x).unwrap_or(x);
    }
    if x <= 0.0 || !x.is_finite() {
        return if x == 0.0 { 1.0 } else { 0.0 };
    }
    let unit = 10_f64.powf(x.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= x * 0.999_999).unwrap_or(10.0 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_round_hold_everybody_and_are_not_pressed_together_by_one_giant() {
        let mut v: Vec<f64> = (0..1000).map(|i| f64::from(i % 400) * 100.0).collect();
        v.push(1e9);
        v.sort_by(f64::total_cmp);
        let e = edges(&v, false);
        assert_eq!((e[0], e[1]), (0.0, 2000.0));
        assert!(e.len() < 30);
        assert_eq!(histogram(&v, &e).iter().sum::<u64>(), 1001);
        let few = [1.0, 1.0, 2.0, 3.0, 3.0, 7.0];
        let e = edges(&few, false);
        assert_eq!(histogram(&few, &e)[..3], [2, 1, 2]);
        for odd in [&[][..], &[5.0], &[-3.0, -3.0], &[0.0, 0.0], &[0.1, 0.2], &[-1e300, 1e300], &[1e-300, 2e-300]] {
            let e = edges(odd, false);
            assert!(e.len() < 80 && e.windows(2).all(|w| w[0] < w[1]), "{odd:?}: {e:?}");
            assert_eq!(histogram(odd, &e).iter().sum::<u64>(), odd.len() as u64, "{odd:?}");
        }
    }
}
