//! How far do they get? Steps in order, for everybody and for segments; counted by the language's own `funnel_step`.

use crate::view::{NotFound, View};
use gyul_model::{Date, Instant};
use gyul_segment::problem::{Problem, Severity};
use gyul_segment::tree::Kind;
use gyul_timeline::{Bits, Plan};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunnelAsk {
    pub steps: Vec<FunnelStep>,
    /// From the first step to the last; absent: however long.
    pub within: Option<gyul_model::Duration>,
    /// Local dates; all steps lie in them, the last day too.
    pub from: Option<Date>,
    pub until: Option<Date>,
    /// Segments and classes to tell apart, as of `at`.
    pub of: Vec<String>,
    pub at: Instant,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FunnelStep {
    pub event: String,
    /// A condition on the event.
    pub filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Funnel {
    /// Everybody first, then the segments in the order of the question.
    pub of: Vec<FunnelOf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FunnelOf {
    /// `None`: everybody.
    pub id: Option<String>,
    pub customers: u64,
    pub steps: Vec<Reached>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    pub customers: u64,
    /// Microseconds from the step before, of those who got here; in the first chain that got as far as any of theirs.
    pub median: Option<i64>,
}

/// Why there is no funnel.
#[derive(Clone, Debug, PartialEq)]
pub enum NoFunnel {
    NotFound(NotFound),
    /// In the condition of a step, from 0; the place is in that condition.
    Problems(Vec<(usize, Problem)>),
}

impl From<NotFound> for NoFunnel {
    fn from(e: NotFound) -> NoFunnel {
        NoFunnel::NotFound(e)
    }
}

impl View {
    pub fn funnel(&self, ask: &FunnelAsk) -> Result<Funnel, NoFunnel> {
        let mut sets: Vec<(Option<String>, Bits)> = vec![(None, self.population(ask.at))];
        for id in &ask.of {
            sets.push((Some(id.clone()), self.set(Some(id), ask.at)?));
        }
        let plan = self.funnel_plan(ask)?;
        let state = self.timelines.run(&plan, ask.at);
        let chains = plan.measures.first().map(|m| self.timelines.chains(&plan, *m, &state)).unwrap_or_default();
        let of = sets.into_iter().map(|(id, set)| {
            let mut steps = vec![];
            for i in 0..ask.steps.len() {
                let own = chains.iter().filter(|(n, chain)| chain.len() > i && set.has(*n));
                let mut gaps: Vec<i64> = own.map(|(_, c)| if i == 0 { 0 } else { c[i] - c[i - 1] }).collect();
                let customers = gaps.len() as u64;
                let middle = gaps.len() / 2;
                let median = (i > 0 && !gaps.is_empty()).then(|| *gaps.select_nth_unstable(middle).1);
                steps.push(Reached { customers, median });
            }
            FunnelOf { id, customers: set.count() as u64, steps }
        });
        Ok(Funnel { of: of.collect() })
    }

    fn funnel_plan(&self, ask: &FunnelAsk) -> Result<Plan, NoFunnel> {
        let event = |s: &FunnelStep| format!("\"{}\"", s.event.replace('"', "\"\""));
        let load = |text: &str| {
            let quoted = gyul_segment::form::quoted(text);
            let file = format!("version: 1\nzone: {}\nmeasures:\n  gyul_funnel: {quoted}\n", self.zone().name());
            gyul_segment::load(&[("funnel".into(), file)], None)
        };
        let wrong = |problems: Vec<Problem>| problems.into_iter().filter(|p| p.severity == Severity::Error);
        // Each condition by itself, so that no step can reach out of its place.
        let mut problems = vec![];
        for (i, step) in ask.steps.iter().enumerate() {
            let Some(filter) = &step.filter else { continue };
            let (_, found) = load(&format!("count({} where ({filter}\n))", event(step)));
            problems.extend(wrong(found).map(|p| (i, p)));
        }
        let step = |s: &FunnelStep| match &s.filter {
            Some(filter) => format!("{} where ({filter}\n)", event(s)),
            None => event(s),
        };
        let mut text = ask.steps.iter().map(step).collect::<Vec<_>>().join(" -> ");
        if let Some(within) = ask.within {
            text += &format!(" within {within}");
        }
        if let Some(from) = ask.from {
            text += &format!(", since {from}");
        }
        if let Some(until) = ask.until {
            text += &format!(", before {}", Date(until.0 + 1));
        }
        let (library, found) = load(&format!("funnel_step({text})"));
        let whole = library.measures.first().is_some_and(|m| match &m.expr.kind {
            Kind::Pattern(p) => p.steps.len() == ask.steps.len(),
            _ => false,
        });
        if problems.is_empty() {
            problems.extend(wrong(found).map(|p| (0, p)));
        }
        match problems.is_empty() && whole {
            true => Ok(Plan::compile(&library, &self.data().streams)),
            false => Err(NoFunnel::Problems(problems)),
        }
    }
}
