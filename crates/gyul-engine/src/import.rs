//! Import: a file's bytes to rows, rows to events in parallel, events to the store.

use gyul_ingest::{
    Choice, Chunk, Context, Encoding, InputError, Kind, Mapped, Mapper, Mapping, Note, Options, Problem, Reject, Source,
};
use gyul_model::{Column, Instant, StreamBatch, Zone};
use gyul_store::{Import, Manifest, Origin, Rejected, StoreError};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

/// Chunks that are mapped at the same time: memory stays bounded whatever the file.
const CHUNKS: usize = 8;
/// Rejected rows shown in a summary.
const SHOWN: usize = 3;

/// Where a file comes from.
pub enum FileInput<'a> {
    Path(&'a Path),
    /// A name and the bytes, compiled in.
    Bytes(&'a str, &'static [u8]),
    /// A file that goes by another name: uploads.
    Named(&'a str, &'a Path),
}

/// Gives so many numbers of the log to an import beside a running server: the first of them.
pub type Numbers<'a> = dyn Fn(u64) -> Result<u64, StoreError> + Sync + 'a;

pub struct Request<'a> {
    pub input: FileInput<'a>,
    pub kind: Kind,
    /// Inferred if not given.
    pub mapping: Option<Mapping>,
    /// Of a text file; the mapping's, or what the bytes say, if not given.
    pub encoding: Option<Encoding>,
    /// The workspace's, for times without an offset.
    pub zone: Zone,
    /// Of amounts that do not say theirs.
    pub currency: String,
    pub now: Instant,
    /// Look, and change nothing.
    pub dry_run: bool,
    /// `None`: nobody else gives numbers.
    pub numbers: Option<&'a Numbers<'a>>,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Of the compressed file.
    pub bytes: u64,
    pub rows: u64,
}

/// What became of a file. `rows = events + duplicates + rejected`; of a dry run duplicates are not known.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    pub source: String,
    /// What was found: `CSV ; · CP949`.
    pub description: String,
    pub mapping: Option<Mapping>,
    /// How the mapping was inferred; empty if it was given.
    pub choices: Vec<Choice>,
    /// What deserves a look: `(Korean, English)`.
    pub remarks: Vec<(String, String)>,
    pub rows: u64,
    pub events: u64,
    pub duplicates: u64,
    pub rejected: BTreeMap<String, u64>,
    /// Rows that an interrupted import had taken in before.
    pub resumed_at: u64,
    /// Nothing new came in.
    pub unchanged: bool,
    /// Values taken as unknown.
    pub notes: Vec<Note>,
    /// The first few rejected rows.
    pub examples: Vec<Reject>,
}

impl Imported {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

#[derive(Debug)]
pub enum ImportFailure {
    Input(InputError),
    /// What is wrong with the mapping, or cannot be inferred, and as much of one as could be.
    Mapping(Vec<Problem>, Option<Box<Mapping>>),
    Store(StoreError),
}

/// Imports one file into a directory. After a failure nothing that was not there before is in force, but for the
/// checkpoints of very large files, behind which the next run goes on.
pub fn import(dir: &Path, request: Request, progress: &mut dyn FnMut(Done)) -> Result<Imported, ImportFailure> {
    let encoding = request.encoding.or(request.mapping.as_ref().and_then(|m| m.encoding));
    let options = Options { encoding, ..Options::default() };
    let mut source = match &request.input {
        FileInput::Path(p) => Source::open_path(p, &options),
        FileInput::Bytes(name, bytes) => {
            let stream: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(*bytes));
            Source::open(name, gyul_ingest::Input::Stream(stream), &options)
        }
        FileInput::Named(name, path) => {
            let file = std::fs::File::open(path).map_err(|e| ImportFailure::Store(StoreError::io(path)(e)))?;
            Source::open(name, gyul_ingest::Input::File(file), &options)
        }
    }
    .map_err(ImportFailure::Input)?;
    let context = Context { zone: request.zone.clone(), now: request.now, currency: Some(request.currency.clone()) };
    let mut out = Imported {
        source: source.name().to_string(),
        description: source.description().to_string(),
        ..Imported::default()
    };
    let mapping = match request.mapping {
        Some(m) => m,
        None => {
            let (mut found, problems) = gyul_ingest::propose(request.kind, source.header(), &source.sample(), &context);
            found.mapping.encoding = request.encoding;
            if !problems.is_empty() {
                return Err(ImportFailure::Mapping(problems, Some(Box::new(found.mapping))));
            }
            (out.choices, out.remarks) = (found.choices, found.notes);
            found.mapping
        }
    };
    let mapper = Mapper::new(&mapping, source.header(), &context);
    let mapper = mapper.map_err(|problems| ImportFailure::Mapping(problems, None))?;
    let header = header_line(&source);
    let mut store = match request.dry_run {
        true => None,
        false => {
            let origin = Origin {
                name: &out.source,
                fingerprint: fingerprint(&request.input),
                kind: mapping.kind.as_str(),
                header: &header,
            };
            let zone = request.zone.name();
            let begun = Import::begin(dir, zone, &request.currency, &origin, request.now);
            Some(begun.map_err(ImportFailure::Store)?)
        }
    };
    out.mapping = Some(mapping);
    out.resumed_at = store.as_ref().map_or(0, Import::rows_done);
    let known = match Manifest::read(dir) {
        Ok(m) => m.streams.into_iter().map(|s| s.name).collect(),
        // A new directory, or one that the store has judged already.
        Err(_) => BTreeSet::new(),
    };
    let mut names = Names { known, file: out.source.clone() };
    let mut arrivals = vec![];
    let mut currencies = BTreeMap::new();
    let mut chunks = read(&mut source).map_err(ImportFailure::Input)?;
    while !chunks.is_empty() {
        // The next chunks are read while these are worked on.
        let (next, taken) = rayon::join(
            || read(&mut source),
            || {
                let mapped: Vec<Mapped> = std::mem::take(&mut chunks).into_par_iter().map(|c| mapper.map(c)).collect();
                names.take(&mapped)?;
                mapped.iter().flat_map(|m| &m.batches).for_each(|b| count_currencies(b, &mut currencies));
                take(&mut out, mapped, store.as_mut(), request.numbers, &mut arrivals)
            },
        );
        taken.map_err(ImportFailure::Store)?;
        chunks = next.map_err(ImportFailure::Input)?;
        progress(Done { bytes: source.bytes_read(), rows: out.rows });
    }
    match store {
        Some(mut s) => {
            if request.numbers.is_some() {
                s.arrived(arrivals.into_iter().map(|first| (first, request.now)).collect());
            }
            let summary = s.commit(out.rows).map_err(ImportFailure::Store)?;
            out.events = summary.events;
            out.duplicates = summary.duplicates;
            out.rejected = summary.rejected;
            out.unchanged = summary.unchanged;
            out.remarks.extend(summary.unfit.iter().map(|(column, count)| other_kind(column, *count)));
        }
        None => out.events = out.rows - out.rejected_total(),
    }
    out.remarks.extend(several(&currencies));
    Ok(out)
}

/// What is said of values that became unknown because the base has their property in another kind.
fn other_kind(column: &str, count: u64) -> (String, String) {
    (
        format!(
            "'{column}' 속성의 값 {count}개는 앞서 들어온 것과 종류가 달라(숫자와 텍스트 등) 모름으로 두었습니다. 매핑의 properties에서 다른 이름으로 가져오세요."
        ),
        format!(
            "{count} values of `{column}` are of another kind than those before (a text among numbers, say) and count as unknown. Give them another name under properties in the mapping."
        ),
    )
}

/// What is said of a file with several currencies.
fn several(currencies: &BTreeMap<String, u64>) -> Option<(String, String)> {
    let one = currencies.keys().next().filter(|_| currencies.len() > 1)?;
    let each = currencies.iter().map(|(c, rows)| format!("{c} {rows}")).collect::<Vec<_>>().join(", ");
    Some((
        format!(
            "통화가 섞여 있습니다: {each}. 합계는 환산하지 않고 더합니다. 통화마다 나누어 물으세요 (예: sum(order.total where currency = '{one}'))."
        ),
        format!(
            "several currencies: {each}. Sums add them without exchange; ask for each apart, as in sum(order.total where currency = '{one}')."
        ),
    ))
}

/// Sums do not exchange currencies, so whoever imports several is told.
fn count_currencies(batch: &StreamBatch, seen: &mut BTreeMap<String, u64>) {
    let column = batch.props.iter().find(|(name, _)| name == "currency");
    let Some((_, Column::Text(texts))) = column else { return };
    let mut row = 0;
    while row < texts.len() {
        let same = (row..texts.len()).take_while(|i| texts.code(*i) == texts.code(row)).count();
        if let Some(text) = texts.get(row) {
            match seen.get_mut(text) {
                Some(n) => *n += same as u64,
                None => drop(seen.insert(text.to_string(), same as u64)),
            }
        }
        row += same;
    }
}

fn read(source: &mut Source) -> Result<Vec<Chunk>, InputError> {
    let mut chunks = vec![];
    while chunks.len() < CHUNKS
        && let Some(chunk) = source.next_chunk()?
    {
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The event names of the base and of the file so far.
struct Names {
    known: BTreeSet<String>,
    file: String,
}

impl Names {
    /// A column of numbers taken for names makes files without end: rather no file than that.
    fn take(&mut self, mapped: &[Mapped]) -> Result<(), StoreError> {
        for b in mapped.iter().flat_map(|m| m.batches.iter().chain(&m.side)) {
            if !self.known.contains(&b.name) {
                self.known.insert(b.name.clone());
                if self.known.len() > crate::EVENT_NAMES_MAX {
                    let kind = gyul_store::StoreErrorKind::TooManyNames(crate::EVENT_NAMES_MAX);
                    return Err(StoreError::new(Path::new(&self.file), kind));
                }
            }
        }
        Ok(())
    }
}

fn take(
    out: &mut Imported,
    mut mapped: Vec<Mapped>,
    store: Option<&mut Import>,
    numbers: Option<&Numbers>,
    arrivals: &mut Vec<u64>,
) -> Result<(), StoreError> {
    // Checkpoints lie between chunks, and the same file falls into the same chunks.
    mapped.retain(|m| {
        out.rows += m.rows;
        out.rows > out.resumed_at
    });
    for m in &mut mapped {
        for note in m.notes.drain(..) {
            match out.notes.iter_mut().find(|n| n.column == note.column && n.code == note.code) {
                Some(n) => n.count += note.count,
                None => out.notes.push(note),
            }
        }
        let room = SHOWN.saturating_sub(out.examples.len());
        out.examples.extend(m.rejects.iter().take(room).cloned());
    }
    let Some(store) = store else {
        let rejects = mapped.iter().flat_map(|m| &m.rejects);
        rejects.for_each(|r| *out.rejected.entry(r.code.as_str().into()).or_default() += 1);
        return Ok(());
    };
    let mut batches = vec![];
    for m in &mapped {
        batches.extend(m.batches.iter().map(|b| (b, false)));
        batches.extend(m.side.iter().map(|b| (b, true)));
    }
    if let Some(numbers) = numbers {
        // Two for each row: what is derived from it comes right behind.
        let first = numbers(batches.iter().map(|(b, _)| 2 * b.len() as u64).sum::<u64>().max(1))?;
        store.number_from(first);
        arrivals.push(first);
    }
    store.append_all(&batches)?;
    for r in mapped.into_iter().flat_map(|m| m.rejects) {
        store.reject(Rejected {
            source: out.source.clone(),
            row: r.row,
            line: r.line,
            code: r.code.as_str().into(),
            column: r.column,
            content: r.content,
        });
    }
    store.checkpoint(out.rows.max(out.resumed_at))
}

/// The header as its file wrote it, so that rejected rows can be exported below it; nothing for JSON.
fn header_line(source: &Source) -> String {
    let found = source.description();
    if found.starts_with("JSON") {
        return String::new();
    }
    let delimiter = if found.contains("CSV ;") {
        ";"
    } else if found.contains("TSV") || found.contains("tab") {
        "\t"
    } else if found.contains("CSV |") {
        "|"
    } else {
        ","
    };
    let cell = |h: &String| {
        let quote = h.contains([',', ';', '\t', '|', '"', '\n', '\r']);
        if quote { format!("\"{}\"", h.replace('"', "\"\"")) } else { h.clone() }
    };
    source.header().iter().map(cell).collect::<Vec<_>>().join(delimiter)
}

/// Tells another content under the same name: length and beginning of the file.
fn fingerprint(input: &FileInput) -> u64 {
    const HEAD: u64 = 64 << 10;
    match input {
        FileInput::Bytes(_, bytes) => gyul_model::hash64(&bytes[..bytes.len().min(HEAD as usize)]) ^ bytes.len() as u64,
        FileInput::Path(path) | FileInput::Named(_, path) => {
            let mut head = vec![];
            let Ok(file) = std::fs::File::open(path) else { return 0 };
            let length = file.metadata().map_or(0, |m| m.len());
            let _ = file.take(HEAD).read_to_end(&mut head);
            gyul_model::hash64(&head) ^ length
        }
    }
}
