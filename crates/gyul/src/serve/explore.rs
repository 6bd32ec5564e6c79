//! Questions over everybody: asked of a frozen copy, one at a time, and kept for a moment.

use super::{Live, invalid, lock};
use gyul_engine::explore as found;
use gyul_engine::{NotFound, View};
use gyul_model::{Date, Instant, MICROS_DAY, MICROS_MINUTE, names};
use gyul_segment::explain::Quantity;
use gyul_segment::tree::Words;
use gyul_web::data::explore::*;
use gyul_web::{Explore, Refusal, Reply};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// How long an answer serves, in microseconds.
const AGE: i64 = MICROS_MINUTE;
/// How many answers are kept.
const KEPT: usize = 64;
/// Changes that are read at a time.
const CHUNK: usize = 20_000;

#[derive(Default)]
pub(super) struct Asked {
    kept: Mutex<Vec<Given>>,
    /// One slow question at a time: each takes all cores, and memory.
    turn: Mutex<()>,
}

struct Given {
    question: String,
    at: Instant,
    mark: u64,
    answer: Arc<dyn Any + Send + Sync>,
}

impl Live {
    /// The answer that was given lately, or a new one.
    pub(super) fn once<A: Send + Sync + 'static>(
        &self,
        question: impl Debug,
        answer: impl FnOnce(&View, Instant) -> Reply<A>,
    ) -> Reply<Arc<A>> {
        let question = format!("{}: {question:?}", std::any::type_name::<A>());
        let (now, mark) = (self.hub.now(), self.definitions_mark());
        let known = || {
            let mut kept = lock(&self.asked.kept);
            kept.retain(|g| now.0 - g.at.0 < AGE && g.mark == mark);
            let one = kept.iter().find(|g| g.question == question)?;
            Arc::clone(&one.answer).downcast::<A>().ok()
        };
        if let Some(answer) = known() {
            return Ok(answer);
        }
        let _turn = lock(&self.asked.turn);
        // Somebody else may have asked the same meanwhile.
        if let Some(answer) = known() {
            return Ok(answer);
        }
        // Questions of the same minute share a run.
        let at = Instant(now.0.div_euclid(MICROS_MINUTE) * MICROS_MINUTE);
        let made = Arc::new(answer(&self.view(), at)?);
        let mut kept = lock(&self.asked.kept);
        kept.truncate(KEPT - 1);
        kept.insert(0, Given { question, at: now, mark, answer: made.clone() });
        Ok(made)
    }

    pub(super) fn forget_asked(&self) {
        lock(&self.asked.kept).clear();
    }
}

fn missing(_: NotFound) -> Refusal {
    Refusal::NotFound
}

fn money(m: found::Money) -> Money {
    let by = |x: f64, n: u64| (n > 0).then(|| x / n as f64);
    Money {
        customers: m.customers,
        buyers: m.buyers,
        repeat_buyers: m.repeat_buyers,
        orders: m.orders,
        gross: m.gross,
        refunds: m.refunds,
        net: m.net,
        average_order: by(m.gross, m.orders),
        per_customer: by(m.net, m.customers),
        repeat_rate: by(m.repeat_buyers as f64, m.buyers),
    }
}

fn both(words: Words) -> (Option<String>, Option<String>) {
    (words.ko, words.en)
}

/// Not beyond what is visible.
fn until(span: Span, at: Instant) -> Instant {
    span.until.min(at)
}

impl Explore for Live {
    fn profile(&self, of: &str) -> Reply<Arc<Profile>> {
        self.once(of, |view, at| {
            let p = view.profile(of, at).map_err(missing)?;
            Ok(Profile { members: p.members, others: p.others, traits: p.traits.into_iter().map(beside).collect() })
        })
    }

    fn worth(&self, of: Option<&str>, span: Span) -> Reply<Arc<Worth>> {
        self.once((of, span), |view, at| {
            let w = view.worth(of, span.after, until(span, at)).map_err(missing)?;
            Ok(Worth { of: money(w.of), all: money(w.all) })
        })
    }

    fn cohorts(&self, ask: &CohortAsk) -> Reply<Arc<Cohorts>> {
        self.once(ask, |view, at| {
            let last = ask.last as usize;
            let c = view.cohorts(&ask.event, ask.period, last, ask.of.as_deref(), at).map_err(missing)?;
            let cohorts = c.cohorts.into_iter().map(|c| Cohort { start: c.start.to_string(), kept: c.kept });
            Ok(Cohorts { cohorts: cohorts.collect(), running: c.running })
        })
    }

    fn funnel(&self, ask: &FunnelAsk) -> Reply<Arc<Funnel>> {
        self.once(ask, |view, at| {
            let step = |s: &FunnelStep| found::FunnelStep { event: s.event.clone(), filter: s.filter.clone() };
            let question = found::FunnelAsk {
                steps: ask.steps.iter().map(step).collect(),
                within: ask.within,
                from: ask.from,
                until: ask.until,
                of: ask.of.clone(),
                at,
            };
            let f = view.funnel(&question).map_err(|e| match e {
                found::NoFunnel::NotFound(_) => Refusal::NotFound,
                found::NoFunnel::Problems(list) => wrong(&list),
            })?;
            let reached = |r: found::Reached| Reached { customers: r.customers, median: r.median };
            let of = f.of.into_iter().map(|o| FunnelOf {
                id: o.id,
                customers: o.customers,
                steps: o.steps.into_iter().map(reached).collect(),
            });
            Ok(Funnel { of: of.collect() })
        })
    }

    fn paths(&self, ask: &PathAsk) -> Reply<Arc<Paths>> {
        self.once(ask, |view, at| {
            let question = found::PathAsk {
                event: ask.event.clone(),
                back: ask.back,
                of: ask.of.clone(),
                after: ask.span.after,
                until: until(ask.span, at),
                steps: ask.steps as usize,
                top: ask.top as usize,
                span: i64::from(ask.days) * MICROS_DAY,
            };
            let p = view.paths(&question).map_err(missing)?;
            let stop = |s: found::Stop| match s {
                found::Stop::Event(name) => Stop { kind: "event".into(), event: Some(name) },
                found::Stop::Other => Stop { kind: "other".into(), event: None },
                found::Stop::End => Stop { kind: "end".into(), event: None },
            };
            let links = p.links.into_iter().map(|l| PathLink {
                step: l.step as u32,
                from: stop(l.from),
                to: stop(l.to),
                customers: l.customers,
            });
            Ok(Paths { customers: p.customers, links: links.collect() })
        })
    }

    fn hours(&self, event: &str, of: Option<&str>, span: Span) -> Reply<Arc<Hours>> {
        self.once((event, of, span), |view, at| {
            let h = view.hours(event, of, span.after, until(span, at)).map_err(missing)?;
            Ok(Hours { counts: h.counts.iter().map(|day| day.to_vec()).collect() })
        })
    }

    fn regions(&self, of: Option<&str>, span: Span) -> Reply<Arc<Regions>> {
        self.once((of, span), |view, at| {
            let r = view.regions(of, span.after, until(span, at)).map_err(missing)?;
            let regions = r.regions.into_iter().map(|r| Region { code: r.code, money: money(r.money) });
            Ok(Regions { regions: regions.collect(), unknown: money(r.unknown) })
        })
    }

    fn rfm(&self, ask: &RfmAsk) -> Reply<Arc<RfmMap>> {
        self.once(ask, |view, at| {
            let question = found::RfmAsk { fixed: ask.fixed, of: ask.of.clone(), at, before: ask.before };
            let m = view.rfm(&question).map_err(missing)?;
            let cell = |c: found::RfmCell| {
                let (class, name) = c.class.unzip();
                let (name_ko, name_en) = both(name.unwrap_or_default());
                let (before, stayed) = (c.before, c.stayed);
                RfmCell { customers: c.customers, net: c.net, before, stayed, class, name_ko, name_en }
            };
            let cells = m.cells.into_iter().map(|row| row.into_iter().map(cell).collect());
            Ok(RfmMap { cells: cells.collect(), buyers: m.buyers, net: m.net })
        })
    }

    fn spread(&self, measure: &str, of: &[String]) -> Reply<Arc<Spread>> {
        self.once((measure, of), |view, at| {
            let s = view.spread(measure, of, at).map_err(missing)?.ok_or_else(|| {
                invalid(
                    "no_number",
                    "숫자가 아닌 지표는 분포로 볼 수 없습니다. 다른 지표를 고르세요.",
                    "a measure that is no number has no distribution. Choose another one.",
                )
            })?;
            let one = |o: found::SpreadOf| SpreadOf {
                id: o.id,
                customers: o.customers,
                known: o.known,
                counts: o.counts,
                mean: o.mean,
                quantiles: o.quantiles,
                min: o.range.map(|r| r.0),
                max: o.range.map(|r| r.1),
            };
            let (name_ko, name_en) = both(s.name);
            let of = s.of.into_iter().map(one).collect();
            Ok(Spread { id: s.id, name_ko, name_en, unit: unit(s.quantity), edges: s.edges, of })
        })
    }

    fn compare(&self, of: &[String]) -> Reply<Arc<Comparison>> {
        self.once(of, |view, at| {
            let c = view.compare(of, at).map_err(missing)?;
            let measures = c.measures.into_iter().map(|m| {
                let (name_ko, name_en) = both(m.name);
                let each = m.each.into_iter().map(|(mean, median)| Middle { mean, median }).collect();
                MeasureBeside { id: m.id, name_ko, name_en, unit: unit(m.quantity), each }
            });
            let measures = measures.collect();
            Ok(Comparison { ids: c.ids, both: c.both, money: c.money.into_iter().map(money).collect(), measures })
        })
    }

    fn values(&self, ask: &ValuesAsk) -> Reply<Arc<Values>> {
        self.once(ask, |view, at| {
            let found = view.values(ask.event.as_deref(), &ask.property, &ask.text, ask.limit as usize, at);
            let v = found.ok_or(Refusal::NotFound)?;
            let top = v.top.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
            let (min, max) = v.range.map(|(a, b)| (a.to_string(), b.to_string())).unzip();
            Ok(Values { known: v.known, distinct: v.distinct, top, min, max })
        })
    }

    fn causes(&self, of: Option<&str>, span: Span) -> Reply<Arc<Causes>> {
        self.once((of, span), |view, _| {
            let mut days: BTreeMap<(Date, String), (u64, u64)> = BTreeMap::new();
            let (first, end) = (self.hub.changes_first(), self.hub.changes_end());
            let (mut next, mut since) = (first, None);
            while next < end {
                // Those that were dropped meanwhile are before what is read next.
                let Some(some) = self.hub.changes(next, CHUNK) else {
                    next = self.hub.changes_first().max(next + 1);
                    continue;
                };
                let Some(last) = some.last() else { break };
                next = last.offset + 1;
                since = since.or(some.first().map(|t| t.at));
                let wanted = |t: &&gyul_engine::live::Told| {
                    t.at > span.after && t.at <= span.until && of.is_none_or(|of| *t.what == *of)
                };
                for t in some.iter().filter(wanted) {
                    let (entered, left) = days.entry((view.zone().date(t.at), t.cause.to_string())).or_default();
                    *if t.entered { entered } else { left } += 1;
                }
            }
            let day = |((day, cause), (entered, left)): ((Date, String), (u64, u64))| CausesOfDay {
                day: day.to_string(),
                cause,
                entered,
                left,
            };
            let since = since.filter(|_| first > 0).map(|t| t.to_string());
            Ok(Causes { since, days: days.into_iter().map(day).collect() })
        })
    }
}

fn wrong(problems: &[(usize, gyul_segment::problem::Problem)]) -> Refusal {
    let one = |(i, p): &(usize, gyul_segment::problem::Problem)| {
        let shown = super::definitions::shown(p);
        let (line, column) = (None, None);
        let (ko, en) =
            (format!("{}단계의 조건: {}", i + 1, shown.ko), format!("condition of step {}: {}", i + 1, shown.en));
        gyul_web::data::Problem { line, column, width: None, ko, en, ..shown }
    };
    Refusal::Invalid(problems.iter().map(one).collect())
}

fn unit(quantity: Quantity) -> Unit {
    match quantity {
        Quantity::Number => Unit::Number,
        Quantity::Duration => Unit::Duration,
        Quantity::Money => Unit::Money,
        Quantity::Share => Unit::Share,
    }
}

fn beside(t: found::Trait) -> TraitBeside {
    let weight = t.weight();
    let (kind, id, name, quantity) = match t.about {
        found::About::Trait(id) => {
            let money = names::MONEY.contains(&id.as_str());
            ("trait", id, Words::default(), if money { Quantity::Money } else { Quantity::Number })
        }
        found::About::Age => ("age", "age".to_string(), Words::default(), Quantity::Number),
        found::About::Measure { id, name, quantity } => ("measure", id, name, quantity),
        found::About::Partition { id, name } => ("partition", id, name, Quantity::Number),
    };
    let difference = |d: found::statistics::Difference| DifferenceOf { low: d.low, high: d.high, p: d.p };
    let share = |s: found::Shares| {
        let (name_ko, name_en) = both(s.name);
        ShareBeside {
            value: s.value,
            name_ko,
            name_en,
            members: s.members,
            others: s.others,
            lift: s.lift,
            effect: s.effect,
            difference: s.difference.map(difference),
            real: s.real,
        }
    };
    let (name_ko, name_en) = both(name);
    TraitBeside {
        kind: kind.into(),
        id,
        name_ko,
        name_en,
        unit: unit(quantity),
        known_members: t.known.0,
        known_others: t.known.1,
        weight,
        shares: t.shares.into_iter().map(share).collect(),
        numbers: t.numbers.map(|n| NumbersBeside {
            mean_members: n.means.0,
            mean_others: n.means.1,
            median_members: n.medians.0,
            median_others: n.medians.1,
            quarters_members: n.quarters.0.into(),
            quarters_others: n.quarters.1.into(),
            effect: n.effect,
            difference: n.difference.map(difference),
            real: n.real,
        }),
    }
}
