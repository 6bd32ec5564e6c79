//! What the explore pages ask and get: numbers over everybody or over segments, never people.
//!
//! `of` names a segment or class (`partition/class`); where it is absent everybody is meant.

use gyul_model::{Date, Duration, Instant, Period};
use serde::Serialize;
use utoipa::ToSchema;

/// After `after` and up to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    pub after: Instant,
    pub until: Instant,
}

/// What the numbers of a measure are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    #[default]
    Number,
    /// Microseconds.
    Duration,
    /// In the workspace's currency.
    Money,
    /// 1 is all.
    Share,
}

// Who they are

/// A segment beside everybody else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Profile {
    pub members: u64,
    pub others: u64,
    /// Those that set the members apart come first.
    pub traits: Vec<TraitBeside>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct TraitBeside {
    /// `trait`, `age`, `measure` or `partition`.
    pub kind: String,
    pub id: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    /// What its numbers are.
    pub unit: Unit,
    /// For how many of the members, and how many others, it is known.
    pub known_members: u64,
    pub known_others: u64,
    /// How much it sets the members apart: the largest real effect; 0 where no difference is real.
    pub weight: f64,
    /// Of texts and classes.
    pub shares: Vec<ShareBeside>,
    /// Of numbers.
    pub numbers: Option<NumbersBeside>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ShareBeside {
    /// Of a yes-or-no trait `true`; of a partition the class.
    pub value: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    pub members: u64,
    pub others: u64,
    /// Share among members by share among others.
    pub lift: Option<f64>,
    /// Cohen's h.
    pub effect: f64,
    pub difference: Option<DifferenceOf>,
    /// Holds among all tests of the profile (Benjamini–Hochberg, 5 %).
    pub real: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct NumbersBeside {
    pub mean_members: f64,
    pub mean_others: f64,
    pub median_members: f64,
    pub median_others: f64,
    /// The middle half lies between them.
    pub quarters_members: [f64; 2],
    pub quarters_others: [f64; 2],
    /// Cohen's d.
    pub effect: Option<f64>,
    pub difference: Option<DifferenceOf>,
    pub real: bool,
}

/// Of shares or means, with its interval of 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DifferenceOf {
    pub low: f64,
    pub high: f64,
    /// How likely one at least so large would be if there were none.
    pub p: f64,
}

// What they are worth

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Worth {
    pub of: Money,
    pub all: Money,
}

/// In the workspace's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Money {
    pub customers: u64,
    /// With an order in the period.
    pub buyers: u64,
    /// With two or more.
    pub repeat_buyers: u64,
    pub orders: u64,
    pub gross: f64,
    pub refunds: f64,
    /// Orders less refunds.
    pub net: f64,
    /// `gross` by orders.
    pub average_order: Option<f64>,
    /// `net` by customers.
    pub per_customer: Option<f64>,
    /// Repeat buyers by buyers.
    pub repeat_rate: Option<f64>,
}

// Over time

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CohortAsk {
    pub event: String,
    pub period: Period,
    /// How many periods back.
    pub last: u32,
    pub of: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Cohorts {
    pub cohorts: Vec<Cohort>,
    /// The last period is under way: the last number of each cohort can still grow.
    pub running: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Cohort {
    /// The first day of the period of their first event.
    pub start: String,
    /// `kept[k]` had an event k periods later; `kept[0]` is the size of the cohort.
    pub kept: Vec<u64>,
}

/// Events by local weekday (Monday first) and hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Hours {
    pub counts: Vec<Vec<u64>>,
}

// Steps

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunnelAsk {
    pub steps: Vec<FunnelStep>,
    /// From the first step to the last.
    pub within: Option<Duration>,
    /// Local dates, both included.
    pub from: Option<Date>,
    pub until: Option<Date>,
    pub of: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FunnelStep {
    pub event: String,
    /// A condition on the event, as in definitions.
    pub filter: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Funnel {
    /// Everybody first.
    pub of: Vec<FunnelOf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct FunnelOf {
    /// `null`: everybody.
    pub id: Option<String>,
    pub customers: u64,
    pub steps: Vec<Reached>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Reached {
    pub customers: u64,
    /// Microseconds from the step before, of the middle one of those who got here.
    pub median: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathAsk {
    pub event: String,
    /// To the event instead of from it.
    pub back: bool,
    pub of: Option<String>,
    pub span: Span,
    pub steps: u32,
    /// Events that are shown at each step.
    pub top: u32,
    /// A step counts within so many days of the event.
    pub days: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Paths {
    /// With the event.
    pub customers: u64,
    pub links: Vec<PathLink>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PathLink {
    /// From 0.
    pub step: u32,
    pub from: Stop,
    pub to: Stop,
    pub customers: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub struct Stop {
    /// `event`, `other` (one that is not shown) or `end` (nothing more).
    pub kind: String,
    pub event: Option<String>,
}

// Maps and distributions

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Regions {
    pub regions: Vec<Region>,
    /// Whose region is not known.
    pub unknown: Money,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Region {
    /// ISO 3166-2, as `KR-11`.
    pub code: String,
    pub money: Money,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RfmAsk {
    /// Days since the last order, and orders, that divide the scores; quintiles if absent.
    pub fixed: Option<([u32; 4], [u32; 4])>,
    pub of: Option<String>,
    pub before: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RfmMap {
    /// `cells[f - 1][r - 1]`.
    pub cells: Vec<Vec<RfmCell>>,
    pub buyers: u64,
    pub net: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RfmCell {
    pub customers: u64,
    pub net: f64,
    /// In this field at the instant that is compared with, and how many of them still are.
    pub before: Option<u64>,
    pub stayed: Option<u64>,
    /// The class of the partition `rfm` that most are in.
    pub class: Option<String>,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
}

/// A measure's histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Spread {
    pub id: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    pub unit: Unit,
    /// Bar i holds values from `edges[i]` up to, not with, `edges[i + 1]`; the first and the last all beyond, too.
    pub edges: Vec<f64>,
    /// Everybody first.
    pub of: Vec<SpreadOf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SpreadOf {
    pub id: Option<String>,
    pub customers: u64,
    pub known: u64,
    pub counts: Vec<u64>,
    pub mean: Option<f64>,
    /// At 5, 10, 25, 50, 75, 90 and 95 %.
    pub quantiles: Vec<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// Segments side by side; everybody first in `money` and `each`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Comparison {
    pub ids: Vec<String>,
    /// `both[i][j]` are in both.
    pub both: Vec<Vec<u64>>,
    pub money: Vec<Money>,
    pub measures: Vec<MeasureBeside>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct MeasureBeside {
    pub id: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    pub unit: Unit,
    pub each: Vec<Middle>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Middle {
    pub mean: Option<f64>,
    pub median: Option<f64>,
}

// Values, changes

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValuesAsk {
    /// Absent for traits.
    pub event: Option<String>,
    pub property: String,
    /// That values begin with, or else hold.
    pub text: String,
    pub limit: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Values {
    /// Events in which it is known.
    pub known: u64,
    pub distinct: u64,
    pub top: Vec<ValueCount>,
    /// Of numbers.
    pub min: Option<String>,
    pub max: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ValueCount {
    pub value: String,
    pub count: u64,
}

/// Entries and exits of a local day, by what caused them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Causes {
    /// Changes before this instant are no longer kept; `null`: all are.
    pub since: Option<String>,
    pub days: Vec<CausesOfDay>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CausesOfDay {
    pub day: String,
    /// `event`, `time`, `rank`, `identity`, `definition`, `import`, `retention`, `objection`.
    pub cause: String,
    pub entered: u64,
    pub left: u64,
}
