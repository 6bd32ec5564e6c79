//! What does each condition of a draft do? Counts of the whole, of each part alone, and of the whole without each part.
//!
//! Only the conditions at the ends of the tree ask the timelines, all new ones in one plan. What they found is kept as a
//! set of customers, so the next question, a keystroke later, costs the condition that changed; the rest is set algebra.
//! This is exact: `and`, `or` and `not` are two-valued.

use crate::view::View;
use gyul_model::Instant;
use gyul_segment::form::{self, Is, Node};
use gyul_segment::problem::{Problem, Severity};
use gyul_segment::syntax::print;
use gyul_segment::tree::Library;
use gyul_segment::{Facts, Schema};
use gyul_timeline::{Bits, Named, Plan};
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Sets of customers that are kept between questions.
const KEPT: usize = 512;
const KEPT_BYTES: usize = 128 << 20;
/// Conditions at the ends of one tree; a larger one gives up its parts.
const LEAVES_MAX: usize = 200;
/// The file of the conditions under question; no definition has such a name.
const FILE: &str = "effects/parts";

/// What is asked.
pub struct Question<'a> {
    /// All definition files, the draft's among them.
    pub files: &'a [(String, String)],
    /// The name of the draft's.
    pub file: &'a str,
    pub id: &'a str,
    /// The draft's condition.
    pub form: &'a Node,
    /// The condition to which changes are told: that of the version in force.
    pub saved: Option<&'a str>,
    /// Another condition to compare with.
    pub other: Option<&'a str>,
    pub at: Instant,
    pub schema: &'a Schema,
    /// How many members to name.
    pub sample: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    pub population: u64,
    /// `None` while something is wrong with the draft.
    pub size: Option<u64>,
    pub saved: Option<Beside>,
    pub other: Option<Beside>,
    /// Every group and condition of the tree, parents first.
    pub parts: Vec<Part>,
    /// Ids of some members, spread over all of them.
    pub sample: Vec<String>,
    /// Of the draft's file.
    pub problems: Vec<Problem>,
}

/// Another set of customers beside the draft's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    pub size: u64,
    pub both: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub key: String,
    /// How many satisfy it by itself.
    pub alone: Option<u64>,
    /// How many members there would be without it.
    pub without: Option<u64>,
    pub problems: Vec<Problem>,
}

/// One frozen copy with what was found in it so far.
pub struct Effector {
    view: Arc<View>,
    period: OnceLock<Option<(Instant, Instant)>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Of the definitions that the sets were found with.
    definitions: u64,
    sets: FxHashMap<(Instant, String), Arc<Bits>>,
    populations: FxHashMap<Instant, Arc<Bits>>,
}

impl Kept {
    fn make_room(&mut self, bytes: usize) {
        if self.sets.len() >= KEPT || (self.sets.len() + 1) * bytes > KEPT_BYTES {
            self.sets.clear();
            self.populations.clear();
        }
    }
}

/// What the leaves of a tree found.
struct Found {
    population: Arc<Bits>,
    /// `None` for a leaf with something wrong in it.
    sets: Vec<Option<Arc<Bits>>>,
}

impl Effector {
    pub fn new(view: Arc<View>) -> Effector {
        Effector { view, period: OnceLock::new(), kept: Mutex::default() }
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn effects(&self, q: &Question) -> Effects {
        let mut leaves = vec![];
        let tree = Branch::grow(q.form, &mut leaves);
        let own = leaves.len();
        leaves.extend(q.saved.map(str::to_string));
        leaves.extend(q.other.map(str::to_string));
        let mut files = q.files.to_vec();
        files.push((FILE.to_string(), parts_file(&leaves)));

        let mut found = None;
        let mut grown = tree.clone();
        let (library, problems) = gyul_segment::check(&files, Some(q.schema), |library| {
            let f = self.find(library, q, &leaves, &[]);
            grown.fill(&f);
            let facts = self.facts(q, grown.size(&f.population));
            found = Some(f);
            facts
        });
        let wrong: Vec<usize> = problems.iter().filter(|p| p.severity == Severity::Error).filter_map(leaf_of).collect();
        let found = found.unwrap_or_else(|| {
            let f = self.find(&library, q, &leaves, &wrong);
            grown = tree.clone();
            grown.fill(&f);
            f
        });

        let mut out = Effects { population: found.population.count() as u64, ..Effects::default() };
        let said: Vec<(usize, Problem)> = problems.iter().filter_map(|p| Some((leaf_of(p)?, p.clone()))).collect();
        out.problems = problems.into_iter().filter(|p| p.file == q.file).collect();
        // Nothing asked for yet: everybody.
        let whole = if grown.says() { grown.set.clone() } else { Some(found.population.clone()) };
        // What it is called does not matter yet.
        let wrong = |p: &Problem| p.severity == Severity::Error && !matches!(p.code, "id" | "duplicate_id");
        let whole = whole.filter(|_| !out.problems.iter().any(wrong));
        out.size = whole.as_ref().map(|w| w.count() as u64);
        let beside = |i: usize| {
            let set = found.sets.get(i)?.as_ref()?;
            Some(Beside { size: set.count() as u64, both: whole.as_ref()?.overlap(set) as u64 })
        };
        out.saved = q.saved.and_then(|_| beside(own));
        out.other = q.other.and_then(|_| beside(own + usize::from(q.saved.is_some())));
        grown.tell(&found.population, &mut vec![], &said, &mut out.parts);
        if let Some(whole) = &whole {
            let timelines = self.view.timelines();
            out.sample = spread(whole, q.sample).into_iter().map(|n| timelines.customer_id(n).to_string()).collect();
        }
        out
    }

    /// Asks the timelines about the leaves that nothing is known about yet.
    fn find(&self, library: &Library, q: &Question, leaves: &[String], wrong: &[usize]) -> Found {
        let definitions = fingerprint(q);
        let other = q.other.map(|_| leaves.len() - 1);
        // The other one may rest on the draft itself.
        let key = |i: usize| match other {
            Some(o) if o == i => (q.at, format!("{}\0{:?}", leaves[i], q.form)),
            _ => (q.at, leaves[i].clone()),
        };
        let mut sets: Vec<Option<Arc<Bits>>> = vec![None; leaves.len()];
        let mut population = None;
        {
            let mut kept = self.kept();
            if kept.definitions != definitions {
                *kept = Kept { definitions, ..Kept::default() };
            }
            for (i, set) in sets.iter_mut().enumerate().filter(|(i, _)| !wrong.contains(i)) {
                *set = kept.sets.get(&key(i)).cloned();
            }
            population = population.or(kept.populations.get(&q.at).cloned());
        }
        let mut missing: Vec<(usize, Named)> = vec![];
        for (i, set) in sets.iter().enumerate().filter(|(i, _)| !wrong.contains(i)) {
            let place = library.segments.iter().position(|s| s.id == part_id(i));
            missing.extend(place.filter(|_| set.is_none()).map(|s| (i, Named::Segment(s))));
        }
        if missing.is_empty()
            && let Some(population) = population
        {
            return Found { population, sets };
        }
        // Two that ask at once may both look: they find the same.
        let named: Vec<Named> = missing.iter().map(|(_, n)| *n).collect();
        let plan = Plan::compile_some(library, &self.view.data().streams, &named);
        let answers = self.view.timelines().evaluate(&plan, q.at);
        let population = Arc::new(answers.population);
        let mut kept = self.kept();
        let keep = kept.definitions == definitions;
        for ((i, _), bits) in missing.into_iter().zip(answers.segments) {
            let set = Arc::new(bits);
            if keep {
                kept.make_room(self.view.timelines().numbers() / 8);
                kept.sets.insert(key(i), set.clone());
            }
            sets[i] = Some(set);
        }
        if keep {
            kept.populations.insert(q.at, population.clone());
        }
        Found { population, sets }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self, q: &Question, size: Option<(u64, u64)>) -> Option<Facts> {
        let (first, last) = (*self.period.get_or_init(|| self.view.period()))?;
        let (population, size) = size?;
        // Of an empty shop every segment is too small.
        (population > 0).then(|| Facts { first, last, population, sizes: BTreeMap::from([(q.id.to_string(), size)]) })
    }
}

/// A part of the tree with the customers who satisfy it; `None` where it cannot be told.
#[derive(Clone)]
struct Branch {
    key: String,
    join: Join,
    parts: Vec<Branch>,
    set: Option<Arc<Bits>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Join {
    All,
    Any,
    Not,
    Leaf(usize),
}

impl Branch {
    /// The tree of a form; what is not filled in is no part of it. Each leaf's text goes on the list.
    fn grow(node: &Node, leaves: &mut Vec<String>) -> Branch {
        let (join, parts) = match &node.is {
            Is::All { parts } => (Join::All, parts.as_slice()),
            Is::Any { parts } => (Join::Any, parts.as_slice()),
            Is::Not { part } => (Join::Not, std::slice::from_ref(part.as_ref())),
            _ => match form::tree(node).ast {
                Some(_) if leaves.len() >= LEAVES_MAX => {
                    return Branch { key: node.key.clone(), join: Join::Leaf(usize::MAX), parts: vec![], set: None };
                }
                Some(ast) => {
                    let text = print(&ast);
                    let i = leaves.iter().position(|l| *l == text).unwrap_or_else(|| {
                        leaves.push(text);
                        leaves.len() - 1
                    });
                    return Branch { key: node.key.clone(), join: Join::Leaf(i), parts: vec![], set: None };
                }
                None => return Branch { key: node.key.clone(), join: Join::All, parts: vec![], set: None },
            },
        };
        // Groups without anything in them say nothing.
        let parts: Vec<Branch> = parts.iter().map(|p| Branch::grow(p, leaves)).filter(Branch::says).collect();
        Branch { key: node.key.clone(), join, parts, set: None }
    }

    fn says(&self) -> bool {
        matches!(self.join, Join::Leaf(_)) || !self.parts.is_empty()
    }

    fn fill(&mut self, found: &Found) {
        self.parts.iter_mut().for_each(|p| p.fill(found));
        self.set = match self.join {
            Join::Leaf(i) => found.sets.get(i).cloned().flatten(),
            join => self
                .parts
                .iter()
                .map(|p| p.set.as_ref())
                .collect::<Option<Vec<_>>>()
                .and_then(|sets| joined(join, &sets, &found.population)),
        };
    }

    /// Population and size of the whole.
    fn size(&self, population: &Bits) -> Option<(u64, u64)> {
        let all = population.count() as u64;
        if self.says() { self.set.as_ref().map(|s| (all, s.count() as u64)) } else { Some((all, all)) }
    }

    /// Tells the counts of each part, parents first. `above` are the groups on the way, with the place in each.
    fn tell<'a>(
        &'a self,
        all: &Bits,
        above: &mut Vec<(&'a Branch, usize)>,
        said: &[(usize, Problem)],
        out: &mut Vec<Part>,
    ) {
        let problems = match self.join {
            Join::Leaf(i) => said.iter().filter(|(l, _)| *l == i).map(|(_, p)| p.clone()).collect(),
            _ => vec![],
        };
        let alone = self.set.as_ref().map(|s| s.count() as u64);
        out.push(Part { key: self.key.clone(), alone, without: without(above, all), problems });
        for (i, part) in self.parts.iter().enumerate() {
            above.push((self, i));
            part.tell(all, above, said, out);
            above.pop();
        }
    }
}

/// Members of the whole if the part at the end of this way were not there. Groups that it leaves empty go with it.
fn without(above: &[(&Branch, usize)], all: &Bits) -> Option<u64> {
    let mut rest: Option<Arc<Bits>> = None;
    for (group, place) in above.iter().rev() {
        let others = group.parts.iter().enumerate().filter(|(i, _)| i != place).map(|(_, p)| p.set.as_ref());
        let mut sets = others.collect::<Option<Vec<_>>>()?;
        sets.extend(rest.as_ref());
        rest = match sets.is_empty() {
            true => None,
            false => Some(joined(group.join, &sets, all)?),
        };
    }
    // Without its only condition everybody is in.
    Some(rest.map_or_else(|| all.count(), |r| r.count()) as u64)
}

fn joined(join: Join, sets: &[&Arc<Bits>], all: &Bits) -> Option<Arc<Bits>> {
    let (first, rest) = sets.split_first()?;
    if rest.is_empty() && join != Join::Not {
        return Some(Arc::clone(first));
    }
    let mut out = Bits::clone(first);
    match join {
        Join::All => rest.iter().for_each(|s| out.intersect(s)),
        Join::Any => rest.iter().for_each(|s| out.union(s)),
        Join::Not => out = out.missing_from(all),
        Join::Leaf(_) => return None,
    }
    Some(Arc::new(out))
}

/// A segment for each leaf, a line each.
fn parts_file(leaves: &[String]) -> String {
    let line = |(i, text): (usize, &String)| format!("  - {{ id: {}, when: {} }}\n", part_id(i), form::quoted(text));
    let lines: String = leaves.iter().enumerate().map(line).collect();
    if lines.is_empty() { "version: 1\n".into() } else { format!("version: 1\nsegments:\n{lines}") }
}

fn part_id(i: usize) -> String {
    format!("gyul__part_{i}")
}

fn leaf_of(p: &Problem) -> Option<usize> {
    if p.file == FILE { p.line.checked_sub(3) } else { None }
}

/// Of all definitions that a leaf can rest on: all but the draft.
fn fingerprint(q: &Question) -> u64 {
    let mut hash = FxHasher::default();
    let more = |text: &str| form::Draft::read(text).is_none_or(|d| d.more);
    q.files.iter().filter(|(name, text)| name != q.file || more(text)).for_each(|f| f.hash(&mut hash));
    hash.finish()
}

/// Some members, spread evenly over all of them.
fn spread(set: &Bits, wanted: usize) -> Vec<usize> {
    let step = (set.count() / wanted.max(1)).max(1);
    set.iter().step_by(step).take(wanted).collect()
}

#[cfg(test)]
mod tests;
