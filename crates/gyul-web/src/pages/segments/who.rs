//! Who are they? What sets the members apart from everybody else, as far as it is more than chance.

use super::super::{Page, format, show};
use super::detail::what_of;
use super::part::{candidates, pairs};
use crate::app::App;
use crate::data::DefKind;
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Differences that are shown.
const SHOWN: usize = 15;
/// Fewer customers on either side say nothing.
const FEWEST: u64 = 30;

pub fn add(table: &mut Table) {
    table.at(
        Endpoint::page("/segments/{id}/who", "partSegmentWho", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>| who(s, p, DefKind::Segment, id, None),
    );
    table.at(
        Endpoint::page("/partitions/{id}/classes/{class}/who", "partClassWho", NUMBERS),
        |s: Shared, p: Page, Path((id, c)): Path<(String, String)>| who(s, p, DefKind::Partition, id, Some(c)),
    );
}

struct Trait {
    name: String,
    of: String,
    address: String,
    inside: String,
    outside: String,
    /// In thousandths.
    inside_width: u64,
    outside_width: u64,
    sentence: String,
    more: bool,
}

#[derive(Template)]
#[template(path = "segments/who.html")]
struct Who {
    page: Page,
    traits: Vec<Trait>,
    size: u64,
    compared: usize,
    small: bool,
}

/// How far two shares are apart, in standard errors of their difference were there none (pooled two-proportion z test).
/// Nothing where the normal law does not hold: fewer than five expected in a cell.
fn distance(inside: u64, n: u64, outside: u64, m: u64) -> Option<f64> {
    let (a, b, n, m) = (inside as f64, outside as f64, n as f64, m as f64);
    let all = (a + b) / (n + m);
    let expected = [n * all, n * (1.0 - all), m * all, m * (1.0 - all)];
    if expected.iter().any(|e| e.is_nan() || *e < 5.0) {
        return None;
    }
    Some((a / n - b / m) / (all * (1.0 - all) * (1.0 / n + 1.0 / m)).sqrt())
}

/// What a distance must be so that of so many comparisons not one in twenty times any is chance (Bonferroni). The tail
/// of the normal law is bounded by exp(-z²/2), so this errs on the side of saying nothing.
fn bar(comparisons: usize) -> f64 {
    (2.0 * (comparisons.max(1) as f64 * 20.0).ln()).sqrt()
}

async fn who(State(app): Shared, page: Page, kind: DefKind, id: String, class: Option<String>) -> ApiResult {
    let what = what_of(&app, &page, kind, id, class).await?;
    let (segments, partitions, metrics) =
        app.ask(|b| Ok((b.definitions(DefKind::Segment)?, b.definitions(DefKind::Partition)?, b.metrics()))).await?;
    let metric = metrics.iter().find(|m| m.name == "customers" && m.labels.is_empty());
    let everybody = metric.map_or(0, |m| m.value as u64);
    let own = what.id();
    let size = what.size.unwrap_or(0);
    let mut names: Vec<(String, String, String, String)> = vec![];
    let add = |of: String, all: Vec<(String, String, String)>| {
        all.into_iter().map(move |(id, name, to)| (id, name, to, of.clone())).collect::<Vec<_>>()
    };
    for p in partitions.iter().filter(|p| what.partition.is_none() || p.id != what.of.id) {
        let of = page.name(&p.name_ko, &p.name_en, &p.id);
        names.extend(add(of, candidates(&page, &p.id, &segments, &partitions)));
    }
    names.extend(add(page.t("segments-kind-segment"), candidates(&page, "segments", &segments, &[])));
    names.retain(|(id, ..)| *id != own);
    let rest = everybody.saturating_sub(size);
    let small = size < FEWEST || rest < FEWEST;
    let mut found: Vec<(f64, Trait)> = vec![];
    let compared = names.len();
    if !small {
        let counts = pairs(&app, &own, names.iter().map(|(id, ..)| id.clone()).collect()).await?;
        for (id, name, address, of) in names {
            let Some((_, both, other)) = counts.iter().find(|(b, ..)| *b == id) else { continue };
            let outside = other.saturating_sub(*both);
            let Some(z) = distance(*both, size, outside, rest).filter(|z| z.abs() >= bar(compared)) else { continue };
            let (x, y) = (*both as f64 / size as f64, outside as f64 / rest as f64);
            found.push(((x - y).abs(), said(&page, (name, of, address), x, y, z > 0.0)));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let traits = found.into_iter().take(SHOWN).map(|(_, t)| t).collect();
    show(&page.clone(), &Who { page, traits, size, compared, small })
}

fn said(page: &Page, (name, of, address): (String, String, String), x: f64, y: f64, more: bool) -> Trait {
    let times = if y > 0.0 && x > 0.0 { if more { x / y } else { y / x } } else { f64::INFINITY };
    let message = match (more, times) {
        (true, t) if (1.95..1000.0).contains(&t) => "segments-who-times-more",
        (true, _) => "segments-who-more",
        (false, t) if (1.95..1000.0).contains(&t) => "segments-who-times-less",
        (false, _) => "segments-who-less",
    };
    let parts = [("name", name.clone().into()), ("n", format::decimal(times, if times < 10.0 { 1 } else { 0 }).into())];
    Trait {
        sentence: page.tn(message, &parts),
        inside: format::percent(x),
        outside: format::percent(y),
        inside_width: (x * 1000.0).round() as u64,
        outside_width: (y * 1000.0).round() as u64,
        name,
        of,
        address,
        more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_only_if_it_is_more_than_chance() {
        // 45 of 100 against 30 of 100: z = 2.19, as in any textbook.
        assert!((distance(45, 100, 30, 100).unwrap() - 2.19).abs() < 0.01);
        assert!(distance(30, 100, 45, 100).unwrap() < 0.0);
        assert_eq!(distance(1, 40, 1, 40), None, "too few to say");
        assert_eq!(distance(0, 0, 0, 0), None);
        assert!((2.4..2.5).contains(&bar(1)) && bar(80) > 3.4);
    }
}
