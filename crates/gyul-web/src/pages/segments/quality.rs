//! Is it a good segment? Measurable, substantial, reachable, distinct, stable, actionable: each with its number.

use super::super::{Page, format, show};
use super::detail::{What, what_of};
use super::part::{candidates, pairs};
use crate::app::App;
use crate::data::{ComputeState, DefKind, EffectsAsk};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, Table};
use askama::Template;
use axum::extract::{Path, State};
use gyul_model::{Instant, MICROS_DAY, names};
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// With fewer, no difference between two groups of usual size can be told from chance.
const SMALL: u64 = 100;
/// With more of all customers, treating the segment is treating everybody.
const BROAD: f64 = 0.6;
/// Two segments that share more of all their members than this are one.
const SAME: f64 = 0.7;
/// Of the members of a month ago, who has gone.
const RESTLESS: f64 = 0.5;
const REACHED: f64 = 0.3;

const CHANNELS: [&str; 4] = ["email", "kakao", "sms", "push"];

pub fn add(table: &mut Table) {
    table.at(
        Endpoint::page("/segments/{id}/quality", "partSegmentQuality", NUMBERS),
        |s: Shared, p: Page, Path(id): Path<String>| quality(s, p, DefKind::Segment, id, None),
    );
    table.at(
        Endpoint::page("/partitions/{id}/classes/{class}/quality", "partClassQuality", NUMBERS),
        |s: Shared, p: Page, Path((id, c)): Path<(String, String)>| quality(s, p, DefKind::Partition, id, Some(c)),
    );
}

struct Check {
    title: String,
    /// `good`, `warn`, `bad`, or nothing where it cannot be said.
    grade: &'static str,
    grade_name: String,
    number: String,
    sentence: String,
    /// Channels with the share that they reach.
    channels: Vec<(String, String, u64)>,
}

#[derive(Template)]
#[template(path = "segments/quality.html")]
struct Quality {
    page: Page,
    checks: Vec<Check>,
    warnings: Vec<String>,
    good: usize,
}

/// What was found out, before it is put in words.
#[derive(Clone, Debug, Default)]
struct Found {
    live: bool,
    lag_seconds: u64,
    size: Option<u64>,
    population: Option<u64>,
    /// Anybody's consent is known.
    consents: bool,
    /// Channel to how many it reaches; absent where it was not asked.
    reach: Vec<(&'static str, u64)>,
    /// The name of the one that is most alike, and how much of both together they share.
    alike: Option<(String, f64)>,
    /// A month ago, and how many of those have left.
    before: Option<u64>,
    left: Option<u64>,
    goal: bool,
    treatment: bool,
    owner: bool,
}

async fn quality(State(app): Shared, page: Page, kind: DefKind, id: String, class: Option<String>) -> ApiResult {
    let asked = id.clone();
    let d = app.ask(move |b| b.definition(kind, &asked)).await?;
    let warnings = d.warnings.iter().map(|w| page.either(&w.ko, &w.en).to_string()).collect();
    let what = what_of(&app, &page, kind, id, class).await?;
    let found = find(&app, &page, &what).await?;
    let checks = checks(&page, &found);
    let good = checks.iter().filter(|c| c.grade == "good").count();
    show(&page.clone(), &Quality { page, checks, warnings, good })
}

async fn find(app: &Arc<App>, page: &Page, what: &What) -> ApiResult<Found> {
    let own = what.id();
    let (segments, metrics) = app.ask(|b| Ok((b.definitions(DefKind::Segment)?, b.metrics()))).await?;
    let customers = metrics.iter().find(|m| m.name == "customers" && m.labels.is_empty()).map(|m| m.value as u64);
    let live = what.state.state == ComputeState::Live;
    let mut out = Found {
        live,
        lag_seconds: what.state.lag_ms.unwrap_or(0) / 1000,
        size: what.size,
        population: customers.or(what.state.size.filter(|_| what.class.is_some())),
        goal: !what.goal(page).is_empty(),
        treatment: !what.treatment(page).is_empty(),
        owner: what.state.owner.is_some(),
        ..Found::default()
    };
    if !live {
        return Ok(out);
    }
    if what.class.is_none() {
        let names = candidates(page, "segments", &segments, &[]);
        let others = names.iter().map(|(id, ..)| id.clone()).filter(|id| *id != own).collect();
        let size = what.size.unwrap_or(0);
        let alike = pairs(app, &own, others).await?.into_iter().filter_map(|(id, both, other)| {
            let all = size + other - both.min(size + other);
            (all > 0).then(|| (id, both as f64 / all as f64))
        });
        let best = alike.max_by(|a, b| a.1.total_cmp(&b.1));
        out.alike = best.map(|(id, share)| {
            let name = names.iter().find(|(i, ..)| *i == id).map_or(id.clone(), |(_, name, _)| name.clone());
            (name, share)
        });
    }
    let (from, until, id) = (Instant(page.now.0 - 30 * MICROS_DAY), page.now, own.clone());
    let moved = app.ask(move |b| b.movement(from, until)).await?;
    let moved = moved.sizes.iter().find(|s| s.id == id);
    (out.before, out.left) = (moved.map(|m| m.before), moved.map(|m| m.left));
    // Where nobody's consent was ever told, nobody can say whom a message may reach.
    let traits = app.ask(|b| b.enough()).await?.traits.clone();
    out.consents = traits.iter().any(|(name, n)| *n > 0 && name.starts_with(names::CONSENT));
    for channel in CHANNELS.into_iter().filter(|_| out.consents) {
        let ask = EffectsAsk {
            yaml: format!("version: 1\nsegments:\n  - id: gyul_reach\n    when: reachable({channel})\n"),
            compare: Some(own.clone()),
            ..EffectsAsk::default()
        };
        if let Some(both) = app.ask(move |b| b.effects(&ask)).await.ok().and_then(|e| e.compared) {
            out.reach.push((channel, both.both));
        }
    }
    Ok(out)
}

fn checks(page: &Page, f: &Found) -> Vec<Check> {
    let check = |name: &str, grade: &'static str, number: String, sentence: String| Check {
        title: page.t(&format!("segments-q-{name}")),
        grade,
        grade_name: page.t(&format!("segments-grade-{}", if grade.is_empty() { "unknown" } else { grade })),
        number,
        sentence,
        channels: vec![],
    };
    let unknown = || "–".to_string();
    let size = f.size.unwrap_or(0);
    let mut out = vec![];

    out.push(match (f.live, f.size) {
        (true, Some(n)) if f.lag_seconds <= 5 => {
            check("measurable", "good", page.t1("common-customers", "n", n), page.t("segments-q-measurable-good"))
        }
        (true, Some(n)) => check(
            "measurable",
            "warn",
            page.t1("common-customers", "n", n),
            page.t1("segments-q-measurable-late", "n", f.lag_seconds),
        ),
        _ => check("measurable", "bad", unknown(), page.t("segments-q-measurable-bad")),
    });

    let share = f.size.zip(f.population).filter(|(_, all)| *all > 0).map(|(n, all)| n as f64 / all as f64);
    let number = share.map_or_else(unknown, format::percent);
    out.push(match share {
        None => check("substantial", "", number, page.t("segments-q-unknown")),
        Some(_) if size == 0 => check("substantial", "bad", number, page.t("segments-q-substantial-none")),
        Some(s) if s > BROAD => check("substantial", "warn", number, page.t("segments-q-substantial-broad")),
        Some(_) if size < SMALL => {
            check("substantial", "warn", number, page.t1("segments-q-substantial-small", "n", SMALL))
        }
        Some(_) => check("substantial", "good", number, page.t("segments-q-substantial-good")),
    });

    let best = f.reach.iter().map(|(_, n)| *n).max();
    let reached = best.filter(|_| size > 0).map(|n| n as f64 / size as f64);
    let mut reach = match reached {
        _ if f.live && !f.consents => check("reachable", "", unknown(), page.t("segments-q-reachable-unknown")),
        None => check("reachable", "", unknown(), page.t("segments-q-unknown")),
        Some(s) if s >= REACHED => check("reachable", "good", format::percent(s), page.t("segments-q-reachable-good")),
        Some(s) if s > 0.0 => check("reachable", "warn", format::percent(s), page.t("segments-q-reachable-few")),
        Some(s) => check("reachable", "bad", format::percent(s), page.t("segments-q-reachable-none")),
    };
    for (channel, n) in f.reach.iter().filter(|_| size > 0) {
        let share = *n as f64 / size as f64;
        let name = page.t(&format!("segments-channel-{channel}"));
        reach.channels.push((name, format::percent(share), (share * 1000.0).round() as u64));
    }
    out.push(reach);

    out.push(match &f.alike {
        None => check("distinct", "good", unknown(), page.t("segments-q-distinct-alone")),
        Some((name, s)) => {
            let number = format::percent(*s);
            if *s > SAME {
                check("distinct", "warn", number, page.t1("segments-q-distinct-same", "name", name))
            } else {
                check("distinct", "good", number, page.t1("segments-q-distinct-good", "name", name))
            }
        }
    });

    let gone = f.before.zip(f.left).filter(|(b, _)| *b > 0).map(|(b, l)| l as f64 / b as f64);
    out.push(match gone {
        None => check("stable", "", unknown(), page.t("segments-q-stable-new")),
        Some(s) if s > RESTLESS => check("stable", "warn", format::percent(s), page.t("segments-q-stable-restless")),
        Some(s) => check("stable", "good", format::percent(s), page.t("segments-q-stable-good")),
    });

    let said = u64::from(f.goal) + u64::from(f.treatment) + u64::from(f.owner);
    let missing: Vec<String> = [(f.goal, "goal"), (f.treatment, "treatment"), (f.owner, "owner")]
        .into_iter()
        .filter(|(there, _)| !there)
        .map(|(_, name)| page.t(&format!("segments-about-{name}")))
        .collect();
    let number = format!("{said}/3");
    out.push(match said {
        3 => check("actionable", "good", number, page.t("segments-q-actionable-good")),
        0 => check("actionable", "bad", number, page.t("segments-q-actionable-none")),
        _ => check("actionable", "warn", number, page.t1("segments-q-actionable-some", "missing", missing.join(", "))),
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(f: &Found) -> Vec<&'static str> {
        let page = Page::bare(&axum::http::HeaderMap::new(), &"/".parse().unwrap());
        checks(&page, f).iter().map(|c| c.grade).collect()
    }

    #[test]
    fn each_quality_has_its_own_threshold() {
        let good = Found {
            live: true,
            size: Some(1000),
            population: Some(10_000),
            consents: true,
            reach: vec![("email", 400), ("sms", 0)],
            alike: Some(("vip".into(), 0.3)),
            before: Some(900),
            left: Some(100),
            goal: true,
            treatment: true,
            owner: true,
            ..Found::default()
        };
        assert_eq!(grades(&good), ["good"; 6]);
        let check = |change: fn(&mut Found), place: usize, grade: &str| {
            let mut f = good.clone();
            change(&mut f);
            assert_eq!(grades(&f)[place], grade, "{f:?}");
        };
        check(|f| f.live = false, 0, "bad");
        check(|f| f.lag_seconds = 60, 0, "warn");
        check(|f| f.size = Some(99), 1, "warn");
        check(|f| f.size = Some(9_000), 1, "warn");
        check(|f| f.size = Some(0), 1, "bad");
        check(|f| f.reach = vec![("email", 299)], 2, "warn");
        check(|f| f.reach = vec![("email", 0)], 2, "bad");
        check(|f| f.reach = vec![], 2, "");
        check(|f| (f.consents, f.reach) = (false, vec![("email", 0)]), 2, "");
        check(|f| f.alike = Some(("x".into(), 0.71)), 3, "warn");
        check(|f| f.left = Some(451), 4, "warn");
        check(|f| f.before = Some(0), 4, "");
        check(|f| f.owner = false, 5, "warn");
        check(|f| (f.owner, f.goal, f.treatment) = (false, false, false), 5, "bad");
    }
}
