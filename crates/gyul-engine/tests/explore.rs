//! Questions over everybody say what a plain fold over everybody's events says.

use gyul_engine::View;
use gyul_engine::explore::*;
use gyul_model::*;
use gyul_segment::reference::{Reference, Val};
use gyul_sim::random::{self, Config, Rng};
use std::collections::BTreeMap;

struct Case {
    view: View,
    all: Vec<Timeline>,
    at: Instant,
    rng: Rng,
    seed: u64,
}

fn cases(n: u64) -> impl Iterator<Item = Case> {
    (0..n).map(|seed| {
        let mut rng = Rng::new(seed);
        let config = Config { events: 25, ..Config::default() };
        let timelines = random::timelines_with(&mut rng, 60, &config);
        let zone = random::zone(&mut rng);
        let library = random::library(&mut rng, zone);
        let at = random::instant(&mut rng, &timelines, &library);
        let view = View::new(Snapshot::from_timelines(&timelines, 3), library);
        // The same events as the columns have them: properties of another type than the first are left out.
        let buckets = view.data().buckets.iter().enumerate();
        let all = buckets.flat_map(|(b, of)| (0..of.customers.len()).map(move |c| (b, c)));
        let all = all.map(|(b, c)| view.data().timeline(b, c)).collect();
        Case { view, all, at, rng, seed }
    })
}

impl Case {
    /// Who is known at the instant, and in the segment if one is named.
    fn who(&self, of: Option<&str>) -> Vec<&Timeline> {
        self.who_at(of, self.at)
    }

    fn who_at(&self, of: Option<&str>, at: Instant) -> Vec<&Timeline> {
        let members = of.map(|id| self.view.members(id, at).unwrap());
        let there = |t: &&Timeline| t.exists_from().is_some_and(|f| f <= at);
        self.all.iter().filter(there).filter(|t| members.as_ref().is_none_or(|m| m.contains(&t.customer))).collect()
    }

    /// Nobody, or a segment of the library.
    fn of(&mut self) -> Option<String> {
        let segments = &self.view.library().segments;
        let id = segments[self.rng.below(segments.len())].id.clone();
        self.rng.percent(50).then_some(id)
    }

    fn zone(&self) -> &Zone {
        self.view.zone()
    }
}

fn events<'a>(t: &'a Timeline, name: &'a str, after: Instant, until: Instant) -> impl Iterator<Item = &'a Event> {
    t.events.iter().filter(move |e| e.name == name && e.ts > after && e.ts <= until)
}

fn number(e: &Event, name: &str) -> f64 {
    match e.prop(name) {
        Some(Value::Num(d)) => d.to_f64(),
        _ => 0.0,
    }
}

#[test]
fn money_is_the_sum_over_the_orders_of_the_period() {
    for mut c in cases(40) {
        let of = c.of();
        let after = Instant(c.at.0 - 3 * MICROS_DAY);
        let found = c.view.worth(of.as_deref(), after, c.at).unwrap();
        let orders = |t: &Timeline| events(t, names::ORDER, after, c.at).count() as u64;
        let sum = |t: &Timeline| events(t, names::ORDER, after, c.at).map(|e| number(e, "total")).sum::<f64>();
        for (of, money) in [(of.as_deref(), found.of), (None, found.all)] {
            let who = c.who(of);
            let n = |f: &dyn Fn(&Timeline) -> bool| who.iter().filter(|t| f(t)).count() as u64;
            assert_eq!(money.customers, who.len() as u64, "seed {}", c.seed);
            assert_eq!(money.buyers, n(&|t| orders(t) > 0), "seed {}", c.seed);
            assert_eq!(money.repeat_buyers, n(&|t| orders(t) > 1), "seed {}", c.seed);
            assert_eq!(money.orders, who.iter().map(|t| orders(t)).sum::<u64>(), "seed {}", c.seed);
            assert!((money.gross - who.iter().map(|t| sum(t)).sum::<f64>()).abs() < 1e-9, "seed {}", c.seed);
            assert_eq!(money.net, money.gross - money.refunds);
        }
    }
}

#[test]
fn cohorts_follow_the_first_event_period_by_period() {
    let mut seen = 0;
    for mut c in cases(60) {
        let (of, period) = (c.of(), if c.rng.percent(50) { Period::Week } else { Period::Month });
        let found = c.view.cohorts(names::VIEW, period, 80, of.as_deref(), c.at).unwrap();
        let start = |t: Instant| c.zone().date(t).period_start(period, 0);
        let mut wanted: BTreeMap<Date, BTreeMap<Date, u64>> = BTreeMap::new();
        for t in c.who(of.as_deref()) {
            let mut periods: Vec<Date> = events(t, names::VIEW, Instant(i64::MIN), c.at).map(|e| start(e.ts)).collect();
            periods.dedup();
            let Some(first) = periods.first().copied() else { continue };
            periods.iter().for_each(|p| *wanted.entry(first).or_default().entry(*p).or_default() += 1);
        }
        let mut shown: BTreeMap<Date, BTreeMap<Date, u64>> = BTreeMap::new();
        for cohort in &found.cohorts {
            for (k, n) in cohort.kept.iter().enumerate().filter(|(_, n)| **n > 0) {
                let mut later = cohort.start;
                (0..k).for_each(|_| later = later.period_start(period, -1));
                shown.entry(cohort.start).or_default().insert(later, *n);
            }
        }
        // Cohorts older than what was asked for are left out.
        wanted.retain(|start, _| found.cohorts.first().is_some_and(|c| c.start <= *start));
        assert_eq!(shown, wanted, "seed {}", c.seed);
        seen += shown.len();
    }
    assert!(seen > 60);
}

#[test]
fn hours_are_those_on_the_wall_clock() {
    for mut c in cases(60) {
        let of = c.of();
        let after = Instant(c.at.0 - 300 * MICROS_DAY);
        let found = c.view.hours(names::VIEW, of.as_deref(), after, c.at).unwrap();
        let mut wanted = Hours::default();
        for e in c.who(of.as_deref()).into_iter().flat_map(|t| events(t, names::VIEW, after, c.at)) {
            wanted.counts[usize::from(c.zone().date(e.ts).weekday()) - 1][usize::from(c.zone().hour(e.ts))] += 1;
        }
        assert_eq!(found, wanted, "seed {}", c.seed);
    }
}

#[test]
fn funnels_count_as_funnel_step_and_their_chains_are_as_long() {
    let mut reached = 0;
    for mut c in cases(60) {
        let of = c.of();
        let step =
            |event: &str, filter: Option<&str>| FunnelStep { event: event.into(), filter: filter.map(str::to_string) };
        let steps = vec![
            step(names::VIEW, c.rng.percent(30).then_some("category = 'tea'")),
            step(names::ORDER, None),
            step(names::SENT, None),
        ];
        let first = c.zone().date(Instant(c.at.0 - 200 * MICROS_DAY));
        let ask = FunnelAsk {
            steps: steps.clone(),
            within: c.rng.percent(50).then_some(Duration::Exact(7 * MICROS_DAY)),
            from: Some(first),
            until: None,
            of: of.clone().into_iter().collect(),
            at: c.at,
        };
        let found = c.view.funnel(&ask).unwrap();
        let filter = if steps[0].filter.is_some() { " where category = 'tea'" } else { "" };
        let within = if ask.within.is_some() { " within 7d" } else { "" };
        let mut text = format!("version: 1\nzone: {}\nsegments:\n", c.zone().name());
        for i in 1..=3 {
            text += &format!(
                "  - {{ id: s{i}, when: 'funnel_step(\"{}\"{} -> \"{}\" -> \"{}\"{within}, since {first}) >= {i}' }}\n",
                names::VIEW,
                filter.replace('\'', "''"),
                names::ORDER,
                names::SENT
            );
        }
        let (library, problems) = gyul_segment::load(&[("f".into(), text)], None);
        assert!(problems.iter().all(|p| p.severity != gyul_segment::Severity::Error), "{problems:?}");
        let reference = Reference::new(&library, &c.all, c.at, None);
        for (side, of) in [None, of.as_deref()].into_iter().enumerate().take(found.of.len()) {
            let who: Vec<String> = c.who(of).iter().map(|t| t.customer.clone()).collect();
            for i in 0..3 {
                let there = |k: &usize| who.contains(&c.all[*k].customer) && reference.member(i, *k);
                let wanted = (0..c.all.len()).filter(there).count() as u64;
                assert_eq!(found.of[side].steps[i].customers, wanted, "seed {} step {i}", c.seed);
                assert_eq!(found.of[side].steps[i].median.is_some(), i > 0 && wanted > 0);
                assert!(found.of[side].steps[i].median.is_none_or(|m| m > 0), "strictly later");
                reached += wanted;
            }
        }
    }
    assert!(reached > 1000);
}

#[test]
fn a_funnel_whose_condition_is_wrong_says_where() {
    let c = cases(1).next().unwrap();
    for filter in ["total >", "total > 1) -> \"x\" (", "total = 1 -> \"x\"", "nonsense(3)"] {
        let step = |filter: &str| FunnelStep { event: names::ORDER.into(), filter: Some(filter.into()) };
        let ask = FunnelAsk {
            steps: vec![step("total > 1"), step(filter)],
            within: None,
            from: None,
            until: None,
            of: vec![],
            at: c.at,
        };
        let Err(NoFunnel::Problems(problems)) = c.view.funnel(&ask) else { panic!("{filter} passed") };
        assert!(problems.iter().all(|(i, _)| *i == 1) && !problems.is_empty(), "{filter}: {problems:?}");
    }
}

#[test]
fn paths_are_the_next_events_in_order() {
    let mut seen = 0;
    for mut c in cases(80) {
        let (of, back) = (c.of(), c.rng.percent(50));
        let ask = PathAsk {
            event: names::VIEW.into(),
            back,
            of: of.clone(),
            after: Instant(c.at.0 - 200 * MICROS_DAY),
            until: c.at,
            steps: 3,
            top: 9,
            span: 20 * MICROS_DAY,
        };
        let found = c.view.paths(&ask).unwrap();
        let mut wanted: BTreeMap<(usize, Stop, Stop), u64> = BTreeMap::new();
        let mut customers = 0;
        for t in c.who(of.as_deref()) {
            let inside = |e: &&Event| e.ts > ask.after && e.ts <= ask.until;
            let mut all: Vec<&Event> = t.events.iter().filter(inside).collect();
            if back {
                all.reverse();
            }
            let Some(start) = all.iter().position(|e| e.name == names::VIEW) else { continue };
            customers += 1;
            let near = |e: &&&Event| (e.ts.0 - all[start].ts.0).abs() <= ask.span;
            let mut steps: Vec<&str> = all[start..].iter().take_while(near).map(|e| e.name.as_str()).collect();
            steps.retain(|n| ![names::IDENTIFY, names::ITEM, names::ITEM_REFUND].contains(n));
            steps.dedup();
            let mut stops: Vec<Stop> = steps.into_iter().map(|n| Stop::Event(n.into())).collect();
            stops.push(Stop::End);
            for (i, pair) in stops.windows(2).enumerate().take(3) {
                *wanted.entry((i, pair[0].clone(), pair[1].clone())).or_default() += 1;
            }
        }
        let shown: BTreeMap<_, _> = found.links.into_iter().map(|l| ((l.step, l.from, l.to), l.customers)).collect();
        assert_eq!((found.customers, &shown), (customers, &wanted), "seed {} back {back}", c.seed);
        seen += shown.len();
        let folded = c.view.paths(&PathAsk { top: 1, ..ask }).unwrap();
        let first: u64 = folded.links.iter().filter(|l| l.step == 0).map(|l| l.customers).sum();
        assert_eq!(first, customers, "everybody goes somewhere, folded or not");
    }
    assert!(seen > 200);
}

/// The latest known value of a trait.
fn latest<'a>(t: &'a Timeline, name: &str, at: Instant) -> Option<&'a Value> {
    t.events.iter().rev().filter(|e| e.name == names::IDENTIFY && e.ts <= at).find_map(|e| e.prop(name))
}

#[test]
fn a_profile_counts_traits_classes_and_measures_of_members_and_of_the_others() {
    let mut compared = 0;
    for mut c in cases(40) {
        let segments = &c.view.library().segments;
        let id = segments[c.rng.below(segments.len())].id.clone();
        let found = c.view.profile(&id, c.at).unwrap();
        let inside: Vec<String> = c.who(Some(&id)).iter().map(|t| t.customer.clone()).collect();
        let side = |t: &&Timeline| inside.contains(&t.customer);
        let (members, others): (Vec<&Timeline>, Vec<&Timeline>) = c.who(None).into_iter().partition(side);
        assert_eq!((found.members, found.others), (members.len() as u64, others.len() as u64));
        for t in &found.traits {
            let About::Trait(name) = &t.about else { continue };
            let values =
                |who: &[&Timeline]| who.iter().filter_map(|t| latest(t, name, c.at).cloned()).collect::<Vec<Value>>();
            let (own, rest) = (values(&members), values(&others));
            assert_eq!(t.known, (own.len() as u64, rest.len() as u64), "seed {}: {name}", c.seed);
            let has = |v: &Value, wanted: &str| match v {
                Value::Bool(b) => *b && wanted == "true",
                Value::List(l) => l.iter().any(|i| i == wanted),
                Value::Text(t) if name == "region" => t == wanted || t.starts_with(&format!("{wanted}-")),
                v => v.to_string() == wanted,
            };
            for s in &t.shares {
                let count = |of: &[Value]| of.iter().filter(|v| has(v, &s.value)).count() as u64;
                assert_eq!((s.members, s.others), (count(&own), count(&rest)), "seed {}: {name} {}", c.seed, s.value);
                compared += 1;
            }
            if let Some(n) = &t.numbers {
                let mean = |of: &[Value]| of.iter().map(number_of).sum::<f64>() / of.len() as f64;
                assert!((n.means.0 - mean(&own)).abs() < 1e-9 && (n.means.1 - mean(&rest)).abs() < 1e-9);
                compared += 1;
            }
        }
        let weights: Vec<f64> = found.traits.iter().map(Trait::weight).collect();
        assert!(weights.windows(2).all(|w| w[0] >= w[1]), "what sets them apart comes first");
        // Every customer is in one class.
        for t in found.traits.iter().filter(|t| matches!(t.about, About::Partition { .. })) {
            let sum = t.shares.iter().fold((0, 0), |a, s| (a.0 + s.members, a.1 + s.others));
            assert_eq!(sum, (found.members, found.others));
        }
    }
    assert!(compared > 40, "{compared}");
}

fn number_of(v: &Value) -> f64 {
    match v {
        Value::Num(d) => d.to_f64(),
        _ => f64::NAN,
    }
}

#[test]
fn measures_are_spread_and_compared_as_the_reference_values_them() {
    let mut known = 0;
    for c in cases(40) {
        let reference = Reference::new(c.view.library(), &c.all, c.at, None);
        let ids: Vec<String> = c.view.library().segments.iter().take(2).map(|s| s.id.clone()).collect();
        let compared = c.view.compare(&ids, c.at).unwrap();
        for (m, measure) in c.view.library().measures.iter().enumerate() {
            let Some(spread) = c.view.spread(&measure.id, &ids, c.at).unwrap() else { continue };
            for (i, of) in std::iter::once(None).chain(ids.iter().map(|id| Some(id.as_str()))).enumerate() {
                let who: Vec<String> = c.who(of).iter().map(|t| t.customer.clone()).collect();
                let each = (0..c.all.len()).filter(|k| who.contains(&c.all[*k].customer));
                let number = |v: Val| match v {
                    Val::Num(n) | Val::Dur(n) => Some(n.to_f64()),
                    _ => None,
                };
                let values: Vec<f64> = each.filter_map(|k| number(reference.measure(m, k)?)).collect();
                let s = &spread.of[i];
                assert_eq!((s.known, s.counts.iter().sum::<u64>()), (values.len() as u64, values.len() as u64));
                let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
                let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                    (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
                    (a, b) => a == b,
                };
                assert!(near(s.mean, mean), "seed {}: {} {:?} {mean:?}", c.seed, measure.source, s.mean);
                let beside = compared.measures.iter().find(|c| c.id == measure.id).unwrap();
                assert!(near(beside.each[i].0, mean));
                known += values.len();
            }
        }
    }
    assert!(known > 1000);
}

#[test]
fn fixed_fields_of_the_rfm_map_follow_days_and_orders() {
    for mut c in cases(40) {
        let of = c.of();
        let (days, orders) = ([1, 7, 30, 100], [2, 3, 4, 6]);
        let before = Instant(c.at.0 - 5 * MICROS_DAY);
        let ask = RfmAsk { fixed: Some((days, orders)), of: of.clone(), at: c.at, before: Some(before) };
        let map = c.view.rfm(&ask).unwrap();
        let field = |t: &Timeline, at: Instant| {
            let all: Vec<&Event> = events(t, names::ORDER, Instant(i64::MIN), at).collect();
            let last = all.last()?.ts;
            let r = 5 - days.iter().filter(|d| (at.0 - last.0) / MICROS_DAY > i64::from(**d)).count();
            Some((1 + orders.iter().filter(|o| all.len() >= **o as usize).count(), r))
        };
        let there = c.who_at(None, before).iter().map(|t| t.customer.clone()).collect::<Vec<_>>();
        let who = c.who(of.as_deref());
        for (f, row) in map.cells.iter().enumerate() {
            for (r, cell) in row.iter().enumerate() {
                let place = Some((f + 1, r + 1));
                let now = |t: &Timeline| field(t, c.at) == place;
                let then = |t: &Timeline| there.contains(&t.customer) && field(t, before) == place;
                let count = |f: &dyn Fn(&Timeline) -> bool| who.iter().filter(|t| f(t)).count() as u64;
                assert_eq!(cell.customers, count(&now), "seed {}", c.seed);
                assert_eq!(cell.before, Some(count(&then)), "seed {}", c.seed);
                assert_eq!(cell.stayed, Some(count(&|t| then(t) && now(t))), "seed {}", c.seed);
            }
        }
        let scores = c.view.rfm(&RfmAsk { fixed: None, ..ask }).unwrap();
        assert_eq!(scores.buyers, map.buyers, "quintiles place every buyer as well");
    }
}

#[test]
fn regions_hold_every_member_once() {
    for mut c in cases(40) {
        let of = c.of();
        let found = c.view.regions(of.as_deref(), Instant(i64::MIN), c.at).unwrap();
        let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
        let mut unknown = 0;
        for t in c.who(of.as_deref()) {
            match latest(t, "region", c.at) {
                Some(Value::Text(code)) => {
                    *wanted.entry(code.split('-').take(2).collect::<Vec<_>>().join("-")).or_default() += 1
                }
                _ => unknown += 1,
            }
        }
        let shown: BTreeMap<String, u64> = found.regions.into_iter().map(|r| (r.code, r.money.customers)).collect();
        assert_eq!((shown, found.unknown.customers), (wanted, unknown), "seed {}", c.seed);
    }
}

#[test]
fn values_are_counted_and_those_that_name_people_are_kept_back() {
    for c in cases(40) {
        let found = c.view.values(Some(names::VIEW), "category", "tea", 10, c.at).unwrap_or_default();
        let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
        for e in c.who(None).into_iter().flat_map(|t| events(t, names::VIEW, Instant(i64::MIN), c.at)) {
            if let Some(Value::Text(v)) = e.prop("category") {
                *wanted.entry(v.clone()).or_default() += 1;
            }
        }
        assert_eq!((found.known, found.distinct), (wanted.values().sum(), wanted.len() as u64), "seed {}", c.seed);
        wanted.retain(|v, _| v.contains("tea"));
        assert_eq!(found.top.into_iter().collect::<BTreeMap<_, _>>(), wanted);
        assert_eq!(c.view.values(None, "birth_date", "", 10, c.at), None);
        assert!(is_personal("Email") && is_personal("first_name") && !is_personal("consent.email"));
    }
}
