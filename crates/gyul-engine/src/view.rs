//! The questions: who is in what, since when, how many.

use crate::LeftOut;
use crate::kept::Kept;
use crate::needs::{Needs, Seen};
use gyul_model::{Duration, Instant, Snapshot, Value, Zone};
use gyul_segment::problem::nearest;
use gyul_segment::tree::{About, Library, Words};
use gyul_timeline::{Answers, Bits, Named, NoHistory, Plan, Timelines};
use std::sync::OnceLock;

/// Timelines in memory together with the definitions that are asked of them.
pub struct View {
    pub(crate) timelines: Timelines,
    pub(crate) library: Library,
    /// Of everything; made when it is asked for.
    plan: OnceLock<Plan>,
    pub(crate) kept: Kept,
    left_out: Option<LeftOut>,
}

/// What a name was looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// A segment, a class or a partition.
    Definition,
    Customer,
    Measure,
}

/// No segment, class or customer has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    pub kind: Sought,
    pub name: String,
    /// The valid name that is nearest, if one is near.
    pub nearest: Option<String>,
    /// Some customer's id, to show what ids look like.
    pub example: Option<String>,
}

/// The size of a segment or class.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The segment's id, or `partition/class`.
    pub id: String,
    pub about: About,
    /// The partition's name, for a class.
    pub group: Option<Words>,
    pub customers: u64,
    /// Everybody who was known at the instant.
    pub population: u64,
    /// What the data lacks to tell; then the size says nothing.
    pub needs: Needs,
}

/// The size of a segment over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub id: String,
    /// Why entries and exits are not known, and sizes alone are; absent: they are known to the microsecond.
    pub inexact: Option<NoHistory>,
    pub points: Vec<Point>,
    /// Every entry and exit, unless `inexact`.
    pub changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub at: Instant,
    pub customers: u64,
    /// Since the point before; `None` if not known.
    pub entered: Option<u64>,
    pub left: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: Instant,
    pub customer: String,
    pub entered: bool,
}

/// `both[i][j]` customers are in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    pub ids: Vec<String>,
    pub both: Vec<Vec<u64>>,
    pub population: u64,
}

/// One row a customer, one column a measure, trait or partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub customers: Vec<String>,
    /// `values[column][row]`.
    pub values: Vec<Vec<Option<Value>>>,
}

impl View {
    pub fn new(data: Snapshot, library: Library) -> View {
        View::of(Timelines::new(data), library)
    }

    /// The same for timelines that are in memory already.
    pub fn of(timelines: Timelines, library: Library) -> View {
        View { timelines, library, plan: OnceLock::new(), kept: Kept::default(), left_out: None }
    }

    /// Says what the staleness policy leaves out of the timelines.
    pub fn without(self, left_out: Option<LeftOut>) -> View {
        View { left_out, ..self }
    }

    /// What a staleness policy leaves out, if one is in force.
    pub fn left_out(&self) -> Option<&LeftOut> {
        self.left_out.as_ref()
    }

    pub fn timelines(&self) -> &Timelines {
        &self.timelines
    }

    pub(crate) fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| Plan::compile(&self.library, &self.data().streams))
    }

    /// For how many customers each measure is known, in the library's order.
    pub fn measured(&self, at: Instant) -> Vec<u64> {
        let columns = self.timelines.values(self.plan(), &self.plan().measures, &self.run(at));
        columns.into_iter().map(|c| c.values.iter().filter(|(_, v)| v.is_some()).count() as u64).collect()
    }

    /// Customers known at an instant, and those in one definition.
    pub fn size(&self, named: Named, at: Instant) -> (u64, u64) {
        let answers = self.timelines.evaluate(&self.plan_of(named), at);
        (answers.population.count() as u64, answers.segments[0].count() as u64)
    }

    pub fn data(&self) -> &Snapshot {
        self.timelines.data()
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    pub fn zone(&self) -> &Zone {
        &self.library.zone
    }

    /// The instants of the first and the last event, traits aside.
    pub fn period(&self) -> Option<(Instant, Instant)> {
        let events: Vec<usize> = {
            let streams = self.data().streams.iter().enumerate();
            streams.filter(|(_, s)| s.name != gyul_model::names::IDENTIFY).map(|(i, _)| i).collect()
        };
        let streams = self.data().buckets.iter().flat_map(|b| events.iter().map(|s| &b.streams[*s]));
        let all = streams.flat_map(|s| &s.ts);
        let dated = all.copied().filter(|t| *t > Instant::ALWAYS.0);
        let (min, max) = dated.fold((i64::MAX, i64::MIN), |(lo, hi), t| (lo.min(t), hi.max(t)));
        (min <= max).then_some((Instant(min), Instant(max)))
    }

    /// Sizes of all segments, then of all classes.
    pub fn counts(&self, at: Instant) -> Vec<Count> {
        self.counts_of(&self.run(at).answers)
    }

    pub(crate) fn counts_of(&self, answers: &Answers) -> Vec<Count> {
        let population = answers.population.count() as u64;
        let seen = Seen::of(self.data());
        self.all()
            .into_iter()
            .map(|named| {
                let (id, about, group) = self.describe(named);
                let needs = seen.needs(&self.library, named);
                Count { id, about, group, customers: bits(answers, named).count() as u64, population, needs }
            })
            .collect()
    }

    /// Ids of the members, sorted.
    pub fn members(&self, id: &str, at: Instant) -> Result<Vec<String>, NotFound> {
        let named = self.find(id)?;
        let ids = |b: &Bits| b.iter().map(|n| self.timelines.customer_id(n).into()).collect();
        let mut ids: Vec<String> = match self.run_if_asked_again(at) {
            Some(state) => ids(bits(&state.answers, named)),
            None => ids(&self.timelines.evaluate(&self.plan_of(named), at).segments[0]),
        };
        ids.sort_unstable();
        Ok(ids)
    }

    /// Sizes from `from` to `to`, a point each `every` and one at `to`. The id of a partition stands for its classes.
    pub fn history(
        &self,
        ids: &[String],
        from: Instant,
        to: Instant,
        every: Duration,
    ) -> Result<Vec<Series>, NotFound> {
        let mut wanted = vec![];
        for id in ids {
            match self.library.partitions.iter().position(|p| p.id == *id) {
                Some(p) => wanted.extend((0..=self.library.partitions[p].classes.len()).map(|k| Named::Class(p, k))),
                None => wanted.push(self.find(id)?),
            }
        }
        let instants = self.instants(from, to, every);
        Ok(wanted.into_iter().map(|named| self.series(named, &instants)).collect())
    }

    fn series(&self, named: Named, instants: &[Instant]) -> Series {
        let (id, ..) = self.describe(named);
        let plan = self.plan_of(named);
        let (Some(&from), Some(&to)) = (instants.first(), instants.last()) else {
            return Series { id, inexact: None, points: vec![], changes: vec![] };
        };
        match self.timelines.history(&plan, from, to) {
            Ok(history) => {
                let known = |n: usize| Some(n as u64);
                let sizes = history.sizes(instants).into_iter();
                let points = sizes.map(|(at, n, entered, left)| Point {
                    at,
                    customers: n as u64,
                    entered: known(entered),
                    left: known(left),
                });
                let changes = history.changes.iter().map(|c| Change {
                    at: c.at,
                    customer: self.timelines.customer_id(c.customer).into(),
                    entered: c.entered,
                });
                Series { id, inexact: None, points: points.collect(), changes: changes.collect() }
            }
            // Thresholds cannot be followed: sizes alone.
            Err(why) => {
                let size = |at: &Instant| Point {
                    at: *at,
                    customers: self.timelines.evaluate(&plan, *at).segments[0].count() as u64,
                    entered: None,
                    left: None,
                };
                Series { id, inexact: Some(why), points: instants.iter().map(size).collect(), changes: vec![] }
            }
        }
    }

    /// `from`, then a step at a time, and `to`. At most ten thousand.
    pub(crate) fn instants(&self, from: Instant, to: Instant, every: Duration) -> Vec<Instant> {
        let step = |n: i32| match every {
            Duration::Exact(us) => Instant(from.0.saturating_add(us.saturating_mul(n.into()))),
            Duration::Months(m) => self.zone().plus_months(from, m.saturating_mul(n)),
        };
        let mut out: Vec<Instant> = (0..10_000).map(step).take_while(|t| *t < to).collect();
        out.dedup();
        out.push(to);
        out
    }

    pub fn overlap(&self, ids: &[String], at: Instant) -> Result<Overlap, NotFound> {
        let named = ids.iter().map(|id| self.find(id)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.overlap_of(&named, &self.run(at).answers))
    }

    pub(crate) fn overlap_of(&self, named: &[Named], answers: &Answers) -> Overlap {
        let sets: Vec<&Bits> = named.iter().map(|n| bits(answers, *n)).collect();
        let both = sets.iter().map(|a| sets.iter().map(|b| a.overlap(b) as u64).collect()).collect();
        let ids = named.iter().map(|n| self.describe(*n).0).collect();
        Overlap { ids, both, population: answers.population.count() as u64 }
    }

    /// What is known of everybody: measures, the classes they are in, and traits, in this order.
    pub fn table(&self, at: Instant) -> Table {
        let state = self.run(at);
        let measures = self.timelines.values(self.plan(), &self.plan().measures, &state);
        let mut rows: Vec<usize> = state.answers.population.iter().collect();
        rows.sort_by(|a, b| self.timelines.customer_id(*a).cmp(self.timelines.customer_id(*b)));
        let mut columns = vec![];
        let mut values = vec![];
        for (measure, column) in self.library.measures.iter().zip(measures) {
            let mut known: Vec<Option<Value>> = vec![None; self.timelines.numbers()];
            column.values.into_iter().for_each(|(n, v)| known[n] = v);
            columns.push(measure.id.clone());
            values.push(rows.iter().map(|n| known[*n].take()).collect());
        }
        for (partition, classes) in self.library.partitions.iter().zip(&state.answers.partitions) {
            let class = |n: &usize| {
                let k = classes.iter().position(|c| c.has(*n))?;
                Some(Value::text(partition.classes.get(k).map_or(&partition.otherwise.id, |c| &c.id)))
            };
            columns.push(partition.id.clone());
            values.push(rows.iter().map(class).collect());
        }
        let taken: Vec<String> = columns.clone();
        for (s, info) in self.data().streams.iter().enumerate().filter(|(_, s)| s.name == gyul_model::names::IDENTIFY) {
            for (c, column) in info.columns.iter().enumerate() {
                let latest = |n: &usize| {
                    let (b, customer) = self.timelines.place(*n);
                    let stream = &self.data().buckets[b].streams[s];
                    let seen = stream.rows(customer).rev().filter(|i| stream.ts[*i] <= at.0);
                    let data = stream.columns.get(c)?;
                    seen.into_iter().find_map(|i| column.value(data, i))
                };
                let name =
                    if taken.contains(&column.name) { format!("trait.{}", column.name) } else { column.name.clone() };
                columns.push(name);
                values.push(rows.iter().map(latest).collect());
            }
        }
        let customers = rows.iter().map(|n| self.timelines.customer_id(*n).to_string()).collect();
        Table { columns, customers, values }
    }

    /// A segment by its id, or a class by `partition/class`.
    pub(crate) fn find(&self, id: &str) -> Result<Named, NotFound> {
        let all = self.all();
        let found = all.iter().copied().find(|n| self.describe(*n).0 == id);
        found.ok_or_else(|| {
            let ids: Vec<String> = all.iter().map(|n| self.describe(*n).0).collect();
            // A partition is a mistake for one of its classes.
            let class = ids.iter().find(|i| i.split_once('/').is_some_and(|(p, _)| p == id));
            let near = class.map(String::as_str).or_else(|| nearest(id, ids.iter().map(String::as_str)));
            NotFound { kind: Sought::Definition, name: id.into(), nearest: near.map(str::to_string), example: None }
        })
    }

    /// Nobody has this id.
    pub(crate) fn no_customer(&self, name: &str) -> NotFound {
        let buckets = &self.data().buckets;
        let ids = || buckets.iter().flat_map(|b| (0..b.customers.len()).filter_map(|c| b.customers.get(c)));
        let nearest = nearest(name, ids()).map(str::to_string);
        NotFound { kind: Sought::Customer, name: name.into(), nearest, example: ids().next().map(str::to_string) }
    }

    /// The plan of one definition.
    pub fn plan_of(&self, named: Named) -> Plan {
        Plan::compile_one(&self.library, &self.data().streams, named)
    }

    /// Every segment, then every class.
    pub fn all(&self) -> Vec<Named> {
        let segments = (0..self.library.segments.len()).map(Named::Segment);
        let partitions = self.library.partitions.iter().enumerate();
        segments.chain(partitions.flat_map(|(p, d)| (0..=d.classes.len()).map(move |k| Named::Class(p, k)))).collect()
    }

    /// Id, what the definition says about itself, and the partition's name.
    pub(crate) fn describe(&self, named: Named) -> (String, About, Option<Words>) {
        match named {
            Named::Segment(i) => {
                let s = &self.library.segments[i];
                (s.id.clone(), s.about.clone(), None)
            }
            Named::Measure(i) => (self.library.measures[i].id.clone(), About::default(), None),
            Named::Class(p, k) => {
                let p = &self.library.partitions[p];
                let class = p.classes.get(k).map(|c| (&c.id, &c.about));
                let (id, about) = class.unwrap_or((&p.otherwise.id, &p.otherwise.about));
                (format!("{}/{id}", p.id), about.clone(), Some(p.about.name.clone()))
            }
        }
    }
}

pub(crate) fn bits(answers: &Answers, named: Named) -> &Bits {
    match named {
        Named::Segment(i) => &answers.segments[i],
        Named::Class(p, k) => &answers.partitions[p][k],
        Named::Measure(_) => &answers.population,
    }
}
