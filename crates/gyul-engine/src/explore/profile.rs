//! Who are they? The members of a segment beside everybody else, trait by trait, and which differences are real.

use super::is_personal;
use super::statistics::{self as st, Difference, Moments};
use crate::view::{NotFound, View, bits};
use gyul_model::{ColumnData, ColumnInfo, ColumnKind, Instant, names};
use gyul_segment::explain::Quantity;
use gyul_segment::tree::{Type, Words};
use gyul_timeline::{Bits, Named, Plan, Whole};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Values of a trait that are compared.
const VALUES: usize = 12;
/// A text with more values than this, most of them rare, tells people apart and not groups.
const MANY: usize = 200;
/// Chance findings among all that are called real.
const FALSE: f64 = 0.05;
/// Measures whose columns are in memory at once.
const AT_ONCE: usize = 4;

#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub at: Instant,
    pub members: u64,
    pub others: u64,
    /// Those that set them apart come first.
    pub traits: Vec<Trait>,
}

/// One thing that is known of customers.
#[derive(Clone, Debug, PartialEq)]
pub struct Trait {
    pub about: About,
    /// For how many members, and how many others, it is known.
    pub known: (u64, u64),
    /// Of texts and classes: their values, those that differ most first.
    pub shares: Vec<Shares>,
    /// Of numbers.
    pub numbers: Option<Numbers>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum About {
    Trait(String),
    /// Completed years, from the date of birth or the trait.
    Age,
    Measure {
        id: String,
        name: Words,
        quantity: Quantity,
    },
    Partition {
        id: String,
        name: Words,
    },
}

/// A value and how many have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// Of a bool `true`; of a partition the class's id.
    pub value: String,
    /// Of a class.
    pub name: Words,
    pub members: u64,
    pub others: u64,
    /// Share among the members by the share among the others. `None` where no other has it.
    pub lift: Option<f64>,
    /// Cohen's h.
    pub effect: f64,
    /// Of the shares; `None` where there are too few to tell.
    pub difference: Option<Difference>,
    pub real: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub means: (f64, f64),
    pub medians: (f64, f64),
    /// Quarters: a quarter of the members lie below, and three quarters.
    pub quarters: ((f64, f64), (f64, f64)),
    /// Cohen's d.
    pub effect: Option<f64>,
    /// Of the means.
    pub difference: Option<Difference>,
    pub real: bool,
}

impl Trait {
    /// How much it sets the members apart: the largest of its real effects, without a sign.
    pub fn weight(&self) -> f64 {
        let shares = self.shares.iter().filter(|s| s.real).map(|s| s.effect.abs());
        let numbers = self.numbers.iter().filter(|n| n.real).filter_map(|n| n.effect).map(f64::abs);
        shares.chain(numbers).fold(0.0, f64::max)
    }
}

/// A trait of everybody, by customer number.
pub(super) struct Found {
    pub name: String,
    pub column: Column,
}

pub(super) enum Column {
    /// NaN is unknown.
    Numbers(Vec<f64>),
    /// A code stands for none, one or more of the names.
    Codes { codes: Vec<u32>, items: Vec<Vec<u32>>, names: Vec<String> },
}

impl View {
    /// A segment or class (at `at`) beside everybody else.
    pub fn profile(&self, of: &str, at: Instant) -> Result<Profile, NotFound> {
        let named = self.find(of)?;
        let state = self.run(at);
        let members = bits(&state.answers, named);
        let others = members.missing_from(&state.answers.population);
        let mut traits = vec![];
        for found in self.traits(at, &state.answers.population, |name| !is_personal(name)) {
            let about = About::Trait(found.name);
            traits.extend(match found.column {
                Column::Numbers(v) => numbers(about, &v, members, &others),
                Column::Codes { codes, items, names } => texts(about, &codes, &items, &names, members, &others),
            });
        }
        traits.extend(self.age(at).and_then(|v| numbers(About::Age, &v, members, &others)));
        let plan = self.plan();
        let all: Vec<usize> = (0..self.library.measures.len()).collect();
        for some in all.chunks(AT_ONCE) {
            let nodes: Vec<_> = some.iter().map(|m| plan.measures[*m]).collect();
            for (m, whole) in some.iter().zip(self.timelines.whole(plan, &nodes, &state)) {
                let measure = &self.library.measures[*m];
                let quantity = Quantity::of(&self.library, &measure.expr);
                let about = About::Measure { id: measure.id.clone(), name: measure.name.clone(), quantity };
                traits.extend(match whole {
                    Some(_) if matches!(measure.expr.ty, Type::Instant | Type::Date) => None,
                    Some(Whole::Numbers(v)) => numbers(about, &v, members, &others),
                    Some(Whole::Codes { codes, dict }) => {
                        let names: Vec<String> = (0..dict.len()).map(|i| dict.get(i).unwrap_or("").into()).collect();
                        let items: Vec<Vec<u32>> =
                            std::iter::once(vec![]).chain((0..names.len() as u32).map(|i| vec![i])).collect();
                        texts(about, &codes, &items, &names, members, &others)
                    }
                    None => None,
                });
            }
        }
        for (p, partition) in self.library.partitions.iter().enumerate() {
            if matches!(named, Named::Class(own, _) if own == p) {
                continue;
            }
            let sets = &state.answers.partitions[p];
            let of = partition.classes.iter().map(|c| (&c.id, &c.about.name));
            let of = of.chain([(&partition.otherwise.id, &partition.otherwise.about.name)]);
            let known = (members.count() as u64, others.count() as u64);
            let shares = of.zip(sets).map(|((id, name), set)| {
                let counts = (set.overlap(members) as u64, set.overlap(&others) as u64);
                share(id.clone(), name.clone(), counts, known)
            });
            let about = About::Partition { id: partition.id.clone(), name: partition.about.name.clone() };
            let shares = shares.filter(|s| s.members + s.others > 0).collect();
            traits.push(Trait { about, known, shares, numbers: None });
        }
        judge(&mut traits);
        Ok(Profile { at, members: members.count() as u64, others: others.count() as u64, traits })
    }

    /// The traits whose name is wanted, as of an instant; those that no group shares are left out.
    pub(super) fn traits(&self, at: Instant, set: &Bits, wanted: impl Fn(&str) -> bool) -> Vec<Found> {
        let mut out = vec![];
        for (s, info) in self.data().streams.iter().enumerate().filter(|(_, s)| s.name == names::IDENTIFY) {
            for (c, column) in info.columns.iter().enumerate().filter(|(_, c)| wanted(&c.name)) {
                let found = match &column.kind {
                    ColumnKind::Instant => continue,
                    ColumnKind::Num { scale } => {
                        let unit = gyul_model::POW10[usize::from(*scale)] as f64;
                        let known = |d: &ColumnData, i: usize| match d {
                            ColumnData::Num(v) => Some(v.get(i)).filter(|m| *m != i64::MIN).map(|m| m as f64 / unit),
                            _ => None,
                        };
                        Column::Numbers(self.latest(s, c, at, set, f64::NAN, known))
                    }
                    ColumnKind::Bool => {
                        let known = |d: &ColumnData, i: usize| match d {
                            ColumnData::Bool(v) => Some(u32::from(v[i]) + 1).filter(|c| *c < 3),
                            _ => None,
                        };
                        let codes = self.latest(s, c, at, set, 0, known);
                        // False is known, and no value of its own: it says what `true` says.
                        Column::Codes { codes, items: vec![vec![], vec![], vec![0]], names: vec!["true".into()] }
                    }
                    ColumnKind::Text(_) | ColumnKind::List(_) => {
                        let known = |d: &ColumnData, i: usize| match d {
                            ColumnData::Codes(v) => Some(v.get(i)).filter(|c| *c > 0),
                            _ => None,
                        };
                        let codes = self.latest(s, c, at, set, 0, known);
                        let (items, names) = items(column);
                        Column::Codes { codes, items, names }
                    }
                };
                out.push(Found { name: column.name.clone(), column: found });
            }
        }
        out
    }

    /// The latest known value of each customer's trait.
    fn latest<T: Copy + Send + Sync>(
        &self,
        s: usize,
        c: usize,
        at: Instant,
        set: &Bits,
        unknown: T,
        value: impl Fn(&ColumnData, usize) -> Option<T> + Sync + Send,
    ) -> Vec<T> {
        let mut out = vec![unknown; self.timelines.numbers()];
        let found = self.buckets(|bucket, first| {
            let stream = &bucket.streams[s];
            let of = |customer: usize| {
                if !set.has(first + customer) {
                    return unknown;
                }
                let rows = stream.rows(customer).rev().filter(|i| stream.ts[*i] <= at.0);
                rows.into_iter().find_map(|i| value(&stream.columns[c], i)).unwrap_or(unknown)
            };
            (first, (0..bucket.customers.len()).map(of).collect::<Vec<T>>())
        });
        found.into_iter().for_each(|(first, v)| out[first..first + v.len()].copy_from_slice(&v));
        out
    }

    /// Completed years of everybody; `None` where nobody's are known.
    fn age(&self, at: Instant) -> Option<Vec<f64>> {
        let text = format!("version: 1\nmeasures:\n  gyul_age: age\nzone: {}\n", self.zone().name());
        let (library, _) = gyul_segment::load(&[("age".into(), text)], None);
        let plan = Plan::compile(&library, &self.data().streams);
        let state = self.timelines.run(&plan, at);
        match self.timelines.whole(&plan, &plan.measures, &state).pop()? {
            Some(Whole::Numbers(v)) if v.iter().any(|x| x.is_finite()) => Some(v),
            _ => None,
        }
    }
}

/// What each code of a text or list stands for. Regions stand for their 시/도.
fn items(column: &ColumnInfo) -> (Vec<Vec<u32>>, Vec<String>) {
    let (ColumnKind::Text(dict) | ColumnKind::List(dict)) = &column.kind else { return (vec![vec![]], vec![]) };
    let mut names: Vec<String> = vec![];
    let mut known: FxHashMap<String, u32> = FxHashMap::default();
    let mut items = vec![vec![]];
    for text in (0..dict.len()).map(|i| dict.get(i).unwrap_or("")) {
        let parts: Vec<&str> = match (&column.kind, column.name.as_str()) {
            (ColumnKind::List(_), _) => text.split('\u{1f}').collect(),
            (_, "region") => vec![province(text)],
            _ => vec![text],
        };
        let mut own: Vec<u32> = vec![];
        for part in parts {
            let item = *known.entry(part.to_string()).or_insert_with(|| {
                names.push(part.to_string());
                names.len() as u32 - 1
            });
            if !own.contains(&item) {
                own.push(item);
            }
        }
        items.push(own);
    }
    (items, names)
}

/// `KR-11-680` is in `KR-11`.
fn province(code: &str) -> &str {
    let end = code.match_indices('-').nth(1).map_or(code.len(), |(i, _)| i);
    &code[..end]
}

/// The shares of the most frequent values.
fn texts(
    about: About,
    codes: &[u32],
    items: &[Vec<u32>],
    names: &[String],
    members: &Bits,
    others: &Bits,
) -> Option<Trait> {
    let mut counts = [vec![0_u64; names.len()], vec![0_u64; names.len()]];
    let mut known = [0_u64; 2];
    for (side, set) in [members, others].into_iter().enumerate() {
        for code in set.iter().map(|n| codes[n]).filter(|c| *c > 0) {
            known[side] += 1;
            items.get(code as usize).into_iter().flatten().for_each(|i| counts[side][*i as usize] += 1);
        }
    }
    let [inside, outside] = counts;
    let seen = (0..names.len()).filter(|i| inside[*i] + outside[*i] > 0).count();
    let many = seen > MANY && seen as u64 * 10 > known[0] + known[1];
    if known[0] == 0 || known[1] == 0 || seen == 0 || many {
        return None;
    }
    let top = |of: &[u64], n: usize| {
        let mut order: Vec<usize> = (0..names.len()).filter(|i| of[*i] > 0).collect();
        order.sort_by(|a, b| of[*b].cmp(&of[*a]).then(names[*a].cmp(&names[*b])));
        order.truncate(n);
        order
    };
    let mut shown = top(&outside, VALUES);
    shown.extend(top(&inside, VALUES / 2));
    shown.sort_unstable();
    shown.dedup();
    let known = (known[0], known[1]);
    let one = |i: usize| share(names[i].clone(), Words::default(), (inside[i], outside[i]), known);
    Some(Trait { about, known, shares: shown.into_iter().map(one).collect(), numbers: None })
}

fn share(value: String, name: Words, (members, others): (u64, u64), known: (u64, u64)) -> Shares {
    let part = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
    let (p1, p2) = (part(members, known.0), part(others, known.1));
    let difference = st::shares(members, known.0, others, known.1);
    let lift = (p2 > 0.0).then(|| p1 / p2);
    Shares { value, name, members, others, lift, effect: st::cohen_h(p1, p2), difference, real: false }
}

fn numbers(about: About, values: &[f64], members: &Bits, others: &Bits) -> Option<Trait> {
    let known = |set: &Bits| {
        let mut v: Vec<f64> = set.iter().map(|n| values[n]).filter(|v| v.is_finite()).collect();
        v.par_sort_unstable_by(f64::total_cmp);
        v
    };
    let (inside, outside) = (known(members), known(others));
    let (a, b) = (Moments::of(&inside), Moments::of(&outside));
    let at = |q| Some((st::quantile(&inside, q)?, st::quantile(&outside, q)?));
    let (medians, low, high) = (at(0.5)?, at(0.25)?, at(0.75)?);
    let numbers = Numbers {
        means: (a.mean, b.mean),
        medians,
        quarters: ((low.0, high.0), (low.1, high.1)),
        effect: st::cohen_d(&a, &b),
        difference: st::means(&a, &b),
        real: false,
    };
    Some(Trait { about, known: (a.n, b.n), shares: vec![], numbers: Some(numbers) })
}

/// Marks what is real among all tests, and puts what sets the members apart first.
fn judge(traits: &mut [Trait]) {
    let tests = |t: &Trait| {
        let shares = t.shares.iter().filter_map(|s| s.difference).map(|d| d.p);
        shares.chain(t.numbers.iter().filter_map(|n| n.difference).map(|d| d.p)).collect::<Vec<f64>>()
    };
    let p: Vec<f64> = traits.iter().flat_map(tests).collect();
    let mut real = st::discoveries(&p, FALSE).into_iter();
    for t in traits.iter_mut() {
        for s in t.shares.iter_mut().filter(|s| s.difference.is_some()) {
            s.real = real.next().unwrap_or(false);
        }
        for n in t.numbers.iter_mut().filter(|n| n.difference.is_some()) {
            n.real = real.next().unwrap_or(false);
        }
        t.shares.sort_by(|a, b| {
            (b.real, b.effect.abs()).partial_cmp(&(a.real, a.effect.abs())).unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    traits.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
}
