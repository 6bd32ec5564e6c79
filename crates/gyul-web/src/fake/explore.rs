//! Answers about a shop of ten customers.

use super::{Fake, T};
use crate::backend::{Explore, Refusal, Reply};
use crate::data::explore::*;
use std::sync::Arc;

const MONEY: Money = Money {
    customers: 10,
    buyers: 4,
    repeat_buyers: 1,
    orders: 5,
    gross: 120.0,
    refunds: 20.0,
    net: 100.0,
    average_order: Some(24.0),
    per_customer: Some(10.0),
    repeat_rate: Some(0.25),
};

impl Fake {
    fn found<A>(&self, of: &[Option<&str>], answer: A) -> Reply<Arc<A>> {
        if of.contains(&Some("nothing")) {
            return Err(Refusal::NotFound);
        }
        self.ask(|_| Ok(Arc::new(answer)))
    }
}

fn some(ids: &[String]) -> Vec<Option<&str>> {
    ids.iter().map(|id| Some(id.as_str())).collect()
}

impl Explore for Fake {
    fn profile(&self, of: &str) -> Reply<Arc<Profile>> {
        let difference = Some(DifferenceOf { low: 0.1, high: 0.5, p: 0.001 });
        let share = |value: &str, members, others| ShareBeside {
            value: value.into(),
            members,
            others,
            lift: Some(1.5),
            effect: 0.6,
            difference,
            real: true,
            ..ShareBeside::default()
        };
        let numbers = NumbersBeside {
            mean_members: 3.0,
            mean_others: 1.0,
            median_members: 3.0,
            median_others: 1.0,
            quarters_members: [2.0, 4.0],
            quarters_others: [0.0, 1.0],
            effect: Some(0.9),
            difference,
            real: true,
        };
        let one = |kind: &str, id: &str, shares, numbers| TraitBeside {
            kind: kind.into(),
            id: id.into(),
            known_members: 4,
            known_others: 6,
            weight: 0.6,
            shares,
            numbers,
            ..TraitBeside::default()
        };
        let traits = vec![
            one("measure", "orders", vec![], Some(numbers.clone())),
            TraitBeside { unit: Unit::Money, ..one("measure", "spend", vec![], Some(numbers)) },
            one("trait", "region", vec![share("KR-11", 3, 2)], None),
            one("partition", "lifecycle", vec![share("loyal", 2, 1), share("other", 2, 5)], None),
        ];
        self.found(&[Some(of)], Profile { members: 4, others: 6, traits })
    }

    fn worth(&self, of: Option<&str>, _: Span) -> Reply<Arc<Worth>> {
        self.found(&[of], Worth { of: Money { customers: 4, net: 60.0, ..MONEY }, all: MONEY })
    }

    fn cohorts(&self, ask: &CohortAsk) -> Reply<Arc<Cohorts>> {
        let cohort = |start: &str, kept: &[u64]| Cohort { start: start.into(), kept: kept.to_vec() };
        let cohorts = vec![cohort("2025-11-01", &[4, 1, 2]), cohort("2025-12-01", &[3, 1]), cohort("2026-01-01", &[3])];
        self.found(&[ask.of.as_deref()], Cohorts { cohorts, running: true })
    }

    fn funnel(&self, ask: &FunnelAsk) -> Reply<Arc<Funnel>> {
        let reached = |(i, _): (usize, &FunnelStep)| Reached {
            customers: 10 >> i,
            median: (i > 0).then_some(3_600_000_000 * i as i64),
        };
        let of = |id: Option<&String>| FunnelOf {
            id: id.cloned(),
            customers: 10,
            steps: ask.steps.iter().enumerate().map(reached).collect(),
        };
        let funnel = Funnel { of: std::iter::once(None).chain(ask.of.iter().map(Some)).map(of).collect() };
        self.found(&some(&ask.of), funnel)
    }

    fn paths(&self, ask: &PathAsk) -> Reply<Arc<Paths>> {
        let event = |name: &str| Stop { kind: "event".into(), event: Some(name.into()) };
        let end = Stop { kind: "end".into(), event: None };
        let link =
            |step, from: &Stop, to: &Stop, customers| PathLink { step, from: from.clone(), to: to.clone(), customers };
        let (start, next) = (event(&ask.event), event("Product Added"));
        let links = vec![link(0, &start, &next, 6), link(0, &start, &end, 4), link(1, &next, &end, 6)];
        self.found(&[ask.of.as_deref()], Paths { customers: 10, links })
    }

    fn hours(&self, _: &str, of: Option<&str>, _: Span) -> Reply<Arc<Hours>> {
        let counts = (0..7).map(|d| (0..24).map(|h| d * h).collect()).collect();
        self.found(&[of], Hours { counts })
    }

    fn regions(&self, of: Option<&str>, _: Span) -> Reply<Arc<Regions>> {
        let region = |code: &str, customers| Region { code: code.into(), money: Money { customers, ..MONEY } };
        let regions = vec![region("KR-11", 6), region("KR-26", 2), region("US-NY", 1)];
        self.found(&[of], Regions { regions, unknown: Money { customers: 1, ..MONEY } })
    }

    fn rfm(&self, ask: &RfmAsk) -> Reply<Arc<RfmMap>> {
        let before = ask.before.map(|_| 1);
        let cell = |customers: u64| RfmCell {
            customers,
            net: customers as f64 * 10.0,
            before,
            stayed: before,
            class: Some("champions".into()),
            name_ko: None,
            name_en: None,
        };
        let cells = (0..5).map(|f| (0..5).map(|r| cell(f * r)).collect()).collect();
        self.found(&[ask.of.as_deref()], RfmMap { cells, buyers: 100, net: 1000.0 })
    }

    fn spread(&self, measure: &str, of: &[String]) -> Reply<Arc<Spread>> {
        let one = |id: Option<&String>| SpreadOf {
            id: id.cloned(),
            customers: 10,
            known: 9,
            counts: vec![4, 3, 2],
            mean: Some(1.2),
            quantiles: vec![0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0],
            min: Some(0.0),
            max: Some(3.0),
        };
        let all = std::iter::once(None).chain(of.iter().map(Some)).map(one).collect();
        let mut ids = some(of);
        ids.push(Some(measure));
        let unit = if measure == "spend" { Unit::Money } else { Unit::Number };
        let edges = vec![0.0, 1.0, 2.0, 3.0];
        let spread = Spread { id: measure.into(), unit, edges, of: all, ..Spread::default() };
        self.found(&ids, spread)
    }

    fn compare(&self, of: &[String]) -> Reply<Arc<Comparison>> {
        let n = of.len();
        let each = vec![Middle { mean: Some(2.0), median: Some(1.0) }; n + 1];
        let measure =
            |id: &str, unit| MeasureBeside { id: id.into(), unit, each: each.clone(), ..MeasureBeside::default() };
        let measures = vec![measure("orders", Unit::Number), measure("spend", Unit::Money)];
        let comparison =
            Comparison { ids: of.to_vec(), both: vec![vec![4; n]; n], money: vec![MONEY; n + 1], measures };
        self.found(&some(of), comparison)
    }

    fn values(&self, ask: &ValuesAsk) -> Reply<Arc<Values>> {
        let value = if self.with(|s| s.personal) { super::SECRETS[1] } else { "tea" };
        let top = vec![ValueCount { value: value.into(), count: 3 }];
        let name = Some(ask.property.as_str());
        self.found(&[name], Values { known: 5, distinct: 2, top, min: None, max: None })
    }

    fn causes(&self, of: Option<&str>, _: Span) -> Reply<Arc<Causes>> {
        let day = CausesOfDay { day: "2026-01-01".into(), cause: "event".into(), entered: 2, left: 1 };
        self.found(&[of], Causes { since: Some(T.to_string()), days: vec![day] })
    }
}
