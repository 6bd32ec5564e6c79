//! The reference workload on Gyul, driven line by line like its peers (see bench/README.md).
//!
//! ```text
//! gyul-bench --data DIR --defs bench/workload.yaml [--thousand FILE] [--at RFC3339]
//! ```
//! Reads a command a line and answers each with a line of JSON: `single`, `s01` … `s24`, `thousand`, `thou K`, `thou1 I`.

mod load;
mod meter;
mod read;

use gyul_model::Instant;
use gyul_segment::tree::{Expr, Kind, Library, Segment, Span, Type};
use gyul_timeline::{Answers, Bits, Plan, Timelines};
use read::Fallible;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Checksums are sums of the customer ids modulo this.
const MODULUS: u64 = 1_000_003;

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
            "--threads" => rayon::ThreadPoolBuilder::new().num_threads(value.parse()?).build_global()?,
            _ => {
                return Err(
                    format!("unknown flag {flag}; there are --data, --defs, --thousand, --at and --threads").into()
                );
            }
        }
    }
    let data = data.ok_or("--data DIR is missing: the folder that generator.py wrote")?;
    let defs = defs.ok_or("--defs FILE is missing: bench/workload.yaml")?;
    let at = Instant::parse_rfc3339(&at).ok_or("--at is no RFC 3339 instant")?;

    let (engine, cost) = meter::measured(|| Engine::open(&data, &defs, thousand.as_deref(), at));
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
    library: Library,
    thousand: Option<Library>,
    at: Instant,
    /// `customer id mod MODULUS` by customer number.
    marks: Vec<u32>,
}

impl Engine {
    fn open(data: &Path, defs: &Path, thousand: Option<&Path>, at: Instant) -> Fallible<Engine> {
        let library = load_library(defs)?;
        let thousand = thousand.map(load_library).transpose()?;
        let data = Timelines::new(load::snapshot(data)?);
        let marks = (0..data.numbers())
            .map(|n| data.customer_id(n).parse::<u64>().map_or(0, |id| (id % MODULUS) as u32))
            .collect();
        Ok(Engine { data, library, thousand, at, marks })
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
        let (word, number) = command.split_once(' ').unwrap_or((command, "0"));
        match word {
            "single" => Ok(self.sums(&self.evaluate(&self.library).segments)),
            "thousand" => {
                let answers = self.evaluate(self.thousand()?);
                let hundreds = answers.segments.chunks(100).map(|c| self.total(c));
                Ok(hundreds.flat_map(|(n, c)| [n, c]).collect())
            }
            "thou" => {
                let from: usize = number.parse::<usize>()? * 100;
                let library = some(self.thousand()?, |i| (from..from + 100).contains(&i));
                let answers = self.evaluate(&library);
                let (n, c) = self.total(&answers.segments);
                Ok(json!([n, c]))
            }
            "thou1" => {
                let one: usize = number.parse()?;
                let answers = self.evaluate(&some(self.thousand()?, |i| i == one));
                Ok(self.sums(answers.segments.get(one).into_iter()))
            }
            id => {
                let segments = &self.library.segments;
                let one = segments
                    .iter()
                    .position(|s| s.id == id)
                    .ok_or_else(|| format!("no command and no segment {id}"))?;
                let needed = closure(segments, one);
                let answers = self.evaluate(&some(&self.library, |i| needed[i]));
                Ok(self.sums([&answers.segments[one]]))
            }
        }
    }

    fn thousand(&self) -> Fallible<&Library> {
        self.thousand.as_ref().ok_or_else(|| "start with --thousand FILE (bench/definitions.py writes it)".into())
    }

    fn evaluate(&self, library: &Library) -> Answers {
        let plan = Plan::compile(library, &self.data.data().streams);
        self.data.evaluate(&plan, self.at)
    }

    /// Count and checksum of each, one after the other.
    fn sums<'a>(&self, sets: impl IntoIterator<Item = &'a Bits>) -> Value {
        sets.into_iter().flat_map(|s| [s.count() as u64, self.checksum(s)]).collect()
    }

    fn total(&self, sets: &[Bits]) -> (u64, u64) {
        let sum = |f: &dyn Fn(&Bits) -> u64| sets.iter().map(f).sum();
        (sum(&|s| s.count() as u64), sum(&|s| self.checksum(s)))
    }

    fn checksum(&self, set: &Bits) -> u64 {
        set.iter().map(|n| u64::from(self.marks[n])).sum()
    }
}

/// The library with only some of its segments asked for: the others are nobody, so that indexes stay.
fn some(library: &Library, keep: impl Fn(usize) -> bool) -> Library {
    let mut out = library.clone();
    out.measures.clear();
    out.partitions.clear();
    for (i, s) in out.segments.iter_mut().enumerate() {
        if !keep(i) {
            s.when = Expr { kind: Kind::Bool(false), ty: Type::Bool, span: Span::default() };
        }
    }
    out
}

/// Which segments a segment is made of, itself included.
fn closure(segments: &[Segment], of: usize) -> Vec<bool> {
    let mut needed = vec![false; segments.len()];
    let mut open = vec![of];
    while let Some(i) = open.pop() {
        if !std::mem::replace(&mut needed[i], true) {
            let words: Vec<&str> = segments[i].source.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let named = |id: &str| words.windows(2).any(|w| w == ["segment", id]);
            open.extend((0..segments.len()).filter(|j| named(&segments[*j].id)));
        }
    }
    needed
}

fn load_library(_path: &Path) -> Fallible<Library> {
    Err("the language is not there yet".into())
}
