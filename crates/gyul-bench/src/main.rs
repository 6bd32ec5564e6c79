//! The reference workload on Gyul, driven line by line like its peers (see bench/README.md).
//!
//! ```text
//! gyul-bench --data DIR [--defs bench/workload.yaml] [--thousand FILE] [--at RFC3339] [--threads N]
//! ```
//! Reads a command a line and answers each with a line of JSON: `single`, `s01` … `s24`, `thousand`, `thou K`, `thou1 I`,
//! `delta`, `run`, `fork` and `refresh`, `keep ID` (all but one) and `beside ID` (that one), `history ID`. Without `--defs` it runs the segments of [`by_hand`].

mod by_hand;
mod load;
mod meter;
mod read;

use gyul_model::{Event, Instant, Lang};
use gyul_segment::Severity;
use gyul_segment::tree::Library;
use gyul_timeline::{Answers, Bits, Named, Plan, State, Timelines, Wanted};
use read::Fallible;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Checksums are sums of the customer ids modulo this.
const MODULUS: u64 = 1_000_003;

/// The same as in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Err(e) = run() {
        eprintln!("gyul-bench: {e}");
        std::process::exit(2);
    }
}

fn run() -> Fallible<()> {
    let mut args = std::env::args().skip(1);
    let (mut data, mut defs, mut thousand) = (None, None, None);
    let mut at = String::from("2026-01-01T00:00:00Z");
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--data" => data = Some(PathBuf::from(value)),
            "--defs" => defs = Some(PathBuf::from(value)),
            "--thousand" => thousand = Some(PathBuf::from(value)),
            "--at" => at = value,
            "--from" if value == "native" => {}
            "--threads" => rayon::ThreadPoolBuilder::new().num_threads(value.parse()?).build_global()?,
            _ => {
                return Err(
                    format!("unknown flag {flag}; there are --data, --defs, --thousand, --at and --threads").into()
                );
            }
        }
    }
    let data = data.ok_or("--data DIR is missing: the folder that generator.py wrote")?;
    let at = Instant::parse_rfc3339(&at).ok_or("--at is no RFC 3339 instant")?;

    let (engine, cost) = meter::measured(|| Engine::open(&data, defs.as_deref(), thousand.as_deref(), at));
    let mut engine = engine?;
    let about = json!({ "customers": engine.customers(), "events": engine.events() });
    say("load", Ok(about), cost);
    for line in std::io::stdin().lock().lines() {
        let command = line?;
        match command.trim() {
            "quit" => break,
            "" => {}
            command => {
                let (answer, cost) = meter::measured(|| engine.answer(command));
                say(command, answer, cost);
            }
        }
    }
    Ok(())
}

fn say(id: &str, answer: Fallible<Value>, mut cost: serde_json::Map<String, Value>) {
    cost.insert("id".into(), id.into());
    match answer {
        Ok(r) => cost.insert("r".into(), r),
        Err(e) => cost.insert("error".into(), e.to_string().into()),
    };
    let mut out = std::io::stdout().lock();
    // A driver that hung up wants no more answers.
    if writeln!(out, "{}", Value::Object(cost)).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

struct Engine {
    data: Timelines,
    folder: PathBuf,
    library: Library,
    thousand: Option<Library>,
    at: Instant,
    /// `customer id mod MODULUS` by customer number.
    marks: Vec<u32>,
    /// Later events, read when they are first needed.
    later: Option<Vec<(String, Event)>>,
    /// What `run` leaves behind.
    run: Option<(Plan, State)>,
    /// A copy that `refresh` spoils.
    fork: Option<Fork>,
}

struct Fork {
    data: Timelines,
    plan: Plan,
    state: Option<State>,
}

impl Engine {
    fn open(data: &Path, defs: Option<&Path>, thousand: Option<&Path>, at: Instant) -> Fallible<Engine> {
        let library = defs.map_or_else(|| Ok(by_hand::library()), load_library)?;
        let thousand = thousand.map(load_library).transpose()?;
        let folder = data.to_path_buf();
        let data = Timelines::new(load::snapshot(data)?);
        let marks = marks(&data);
        Ok(Engine { data, folder, library, thousand, at, marks, later: None, run: None, fork: None })
    }

    fn customers(&self) -> usize {
        self.data.data().customers()
    }

    fn events(&self) -> usize {
        // Traits are no events of the workload.
        let streams = || self.data.data().buckets.iter().flat_map(|b| b.streams.iter().skip(1));
        streams().map(|s| s.ts.len()).sum()
    }

    fn answer(&mut self, command: &str) -> Fallible<Value> {
        let mut words = command.split(' ');
        let (word, arg) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match word {
            "single" => Ok(self.sums(&self.evaluate(&self.library).segments)),
            "thousand" => {
                let answers = self.evaluate(self.thousand()?);
                let hundreds = answers.segments.chunks(100).map(|c| self.total(c));
                Ok(hundreds.flat_map(|(n, c)| [n, c]).collect())
            }
            "thou" => {
                let from = arg.parse::<usize>()? * 100;
                let mut library = self.thousand()?.clone();
                library.segments = library.segments.drain(..).skip(from).take(100).collect();
                let (n, c) = self.total(&self.evaluate(&library).segments);
                Ok(json!([n, c]))
            }
            "thou1" => self.one(self.thousand()?, arg.parse()?),
            "run" => {
                let plan = self.plan(&self.library);
                let state = self.data.run(&plan, self.at);
                let answer = self.sums(&state.answers.segments);
                self.run = Some((plan, state));
                Ok(answer)
            }
            "keep" => {
                let mut others = self.library.clone();
                others.segments.remove(self.segment(arg)?);
                let plan = self.plan(&others);
                let state = self.data.run_keeping(&plan, self.at);
                self.run = Some((plan, state));
                Ok(Value::Null)
            }
            "beside" => {
                let Some((base, state)) = &self.run else { return Err("beside needs a keep before it".into()) };
                let wanted = Wanted::Named(Named::Segment(self.segment(arg)?));
                let plan = base.beside(&self.library, &self.data.data().streams, &[wanted]);
                Ok(self.sums(&self.data.run_beside(&plan, base, state).answers.segments))
            }
            "delta" => {
                let later = load::delta(&self.folder)?;
                let applied = self.data.apply(&later);
                self.marks = marks(&self.data);
                self.run = None;
                Ok(json!({ "touched": applied.touched, "schema_changed": applied.schema_changed }))
            }
            "fork" => {
                if self.later.is_none() {
                    self.later = Some(load::delta(&self.folder)?);
                }
                let plan = self.plan(&self.library);
                let state = self.data.run(&plan, self.at);
                self.fork = Some(Fork { data: self.data.clone(), plan, state: Some(state) });
                Ok(Value::Null)
            }
            "refresh" => {
                let Some(Fork { data, plan, state }) = &mut self.fork else {
                    return Err("refresh needs a fork before it".into());
                };
                let state = state.take().ok_or("each refresh needs a fork of its own")?;
                let applied = data.apply(self.later.as_deref().unwrap_or_default());
                if applied.schema_changed {
                    *plan = Plan::compile(&self.library, &data.data().streams);
                }
                let state = data.refresh(plan, state);
                let counts: Value = state.answers.segments.iter().map(|s| s.count()).collect();
                Ok(json!({ "touched": applied.touched, "schema_changed": applied.schema_changed, "counts": counts }))
            }
            "history" => {
                let plan =
                    Plan::compile_one(&self.library, &self.data.data().streams, Named::Segment(self.segment(arg)?));
                let from = Instant(self.at.0 - 730 * gyul_model::MICROS_DAY);
                let history =
                    self.data.history(&plan, from, self.at).map_err(|e| format!("{arg} has no history: {e:?}"))?;
                let last = history.sizes(&[self.at]).last().map(|s| s.1);
                Ok(json!({ "initial": history.initial.count(), "changes": history.changes.len(), "last": last }))
            }
            id => self.one(&self.library, self.segment(id)?),
        }
    }

    fn segment(&self, id: &str) -> Fallible<usize> {
        let found = self.library.segments.iter().position(|s| s.id == id);
        found.ok_or_else(|| format!("there is no command and no segment {id:?}").into())
    }

    fn thousand(&self) -> Fallible<&Library> {
        self.thousand.as_ref().ok_or_else(|| "start with --thousand FILE (bench/definitions.py writes it)".into())
    }

    fn plan(&self, library: &Library) -> Plan {
        Plan::compile(library, &self.data.data().streams)
    }

    fn evaluate(&self, library: &Library) -> Answers {
        self.data.evaluate(&self.plan(library), self.at)
    }

    fn one(&self, library: &Library, segment: usize) -> Fallible<Value> {
        if segment >= library.segments.len() {
            return Err(format!("there is no definition {segment}").into());
        }
        let plan = Plan::compile_one(library, &self.data.data().streams, Named::Segment(segment));
        Ok(self.sums(&self.data.evaluate(&plan, self.at).segments))
    }

    /// Count and checksum of each, one after the other.
    fn sums(&self, sets: &[Bits]) -> Value {
        sets.iter().flat_map(|s| [s.count() as u64, self.checksum(s)]).collect()
    }

    fn total(&self, sets: &[Bits]) -> (u64, u64) {
        (sets.iter().map(|s| s.count() as u64).sum(), sets.iter().map(|s| self.checksum(s)).sum())
    }

    fn checksum(&self, set: &Bits) -> u64 {
        set.iter().map(|n| u64::from(self.marks[n])).sum()
    }
}

fn marks(data: &Timelines) -> Vec<u32> {
    // Numbers between two buckets belong to nobody.
    let taken = |n: usize| {
        let (b, c) = data.place(n);
        c < data.data().buckets[b].customers.len()
    };
    let mark = |n: usize| {
        let id = taken(n).then(|| data.customer_id(n).parse::<u64>().ok()).flatten();
        id.map_or(0, |id| (id % MODULUS) as u32)
    };
    (0..data.numbers()).map(mark).collect()
}

fn load_library(path: &Path) -> Fallible<Library> {
    if path.extension().is_some_and(|e| e == "txt") {
        let specs = std::fs::read_to_string(path)?;
        return by_hand::thousand(&specs)
            .ok_or_else(|| format!("{}: a line that is no template", path.display()).into());
    }
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
    let (library, problems) = gyul_segment::load(&[(name, text)], None);
    let errors: Vec<String> =
        problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.render(Lang::En)).collect();
    if errors.is_empty() { Ok(library) } else { Err(format!("\n{}", errors.join("\n")).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_and_the_trees_by_hand_have_the_same_segments() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/workload.yaml");
        let (text, hand) = (load_library(&path).unwrap(), by_hand::library());
        let ids = |l: &Library| l.segments.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&text), ids(&hand));
        assert!(text.segments.iter().all(|s| s.about.name.ko.is_some() && s.about.name.en.is_some()));
        assert_eq!(
            text.occasions.get("named_days").map(|o| &o.dates),
            hand.occasions.get("named_days").map(|o| &o.dates)
        );
    }

    #[test]
    fn templates_are_read_and_other_lines_refused() {
        let specs = "recency 30\ntop 5 90\nbrowse beauty 3 14\ncart 24\ncell female 20 Seoul kakao";
        assert_eq!(by_hand::thousand(specs).unwrap().segments.len(), 5);
        assert!(by_hand::thousand("recency").is_none());
        assert!(by_hand::thousand("nonsense 1").is_none());
    }
}
