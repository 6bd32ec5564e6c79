//! Checkpoints: what the log said moves into the base's Parquet files, so that the next start reads little of the log.
//!
//! `state/<seq>.bin` holds what is not in the base: identities and the records that are no messages. It is written
//! before the base takes the events in, and the base's manifest says which one belongs to it.

use super::harm::Harmed;
use super::record::{self, Reader, Rejected, Unreadable, Writer};
use super::world::{Control, fingerprint};
use gyul_model::{Column, ColumnKind, Instant, Message, StreamBatch, StreamInfo, TextColumn, Value, hash64};
use gyul_profile::{Identities, Rules};
use gyul_store::log::{Entry, Reader as LogReader};
use gyul_store::{Import, Manifest, Origin, StoreError, StoreErrorKind, Summary};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The kind of import that checkpoints are.
pub const KIND: &str = "log";
const MAGIC: &[u8; 8] = b"GYULST\x00\x01";
/// Events that are handed to the store at once.
const BATCH: usize = 100_000;

/// What a checkpoint takes along besides the events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub identities: Vec<u8>,
    pub control: Vec<Control>,
    /// The instant of the world that it was taken from. `None`: written before this was kept, as the next.
    pub at: Option<Instant>,
    /// What was rejected and waits: as it is mended, without what was released.
    pub quarantine: Option<BTreeMap<u64, (Instant, Rejected)>>,
    /// From when on that world looked at events. `None`: written before this was kept.
    pub kept: Option<Option<Instant>>,
}

impl State {
    pub fn people(&self, dir: &Path, rules: &Rules) -> Result<Identities, StoreError> {
        let bad = |e| StoreError::new(&folder(dir), StoreErrorKind::Damaged(format!("{e:?}")));
        Identities::load(&self.identities, rules.clone()).map_err(bad)
    }
}

/// Everything that a checkpoint is made of.
pub struct Cut {
    /// Records from here on are not in the base.
    pub from: u64,
    /// Behind the last record that goes in.
    pub to: u64,
    pub state: State,
    /// Whose the messages in between are.
    pub owners: Owners,
    pub schema: Vec<StreamInfo>,
    pub zone: String,
    pub currency: String,
    /// Customers whose rows the base leaves behind.
    pub gone: Vec<String>,
}

/// Handles of messages by seq, each handle's name once: there are millions.
#[derive(Default)]
pub struct Owners {
    /// Ascending by seq; the place of the name.
    of: Vec<(u64, u32)>,
    names: TextColumn,
}

impl Owners {
    /// `handles`: ascending by seq.
    pub fn of<'a>(handles: &[(u64, u32)], name: impl Fn(u32) -> &'a str) -> Owners {
        let mut out = Owners { of: Vec::with_capacity(handles.len()), names: TextColumn::default() };
        let mut places: FxHashMap<u32, u32> = FxHashMap::default();
        for (seq, handle) in handles {
            let place = *places.entry(*handle).or_insert_with(|| {
                out.names.push(Some(name(*handle)));
                out.names.len() as u32 - 1
            });
            out.of.push((*seq, place));
        }
        out
    }

    fn get(&self, seq: u64) -> Option<&str> {
        let at = self.of.binary_search_by_key(&seq, |o| o.0).ok()?;
        self.names.get(self.of[at].1 as usize)
    }
}

/// Where the base stands in the log: behind the last record that it has taken in.
pub fn position(manifest: &Manifest) -> u64 {
    manifest.imports.iter().filter(|i| i.kind == KIND && i.finished).map(|i| i.rows_done).max().unwrap_or(0)
}

/// Writes the state, then the events. Gives what the base took.
pub(super) fn write(
    dir: &Path,
    cut: Cut,
    mut log: LogReader,
    now: Instant,
    harmed: &Harmed,
) -> Result<Summary, StoreError> {
    put_state(dir, cut.to, &cut.state)?;
    let name = format!("log {}..{}", cut.from, cut.to);
    let origin = Origin { name: &name, fingerprint: cut.to, kind: KIND, header: "" };
    let mut import = Import::begin(dir, &cut.zone, &cut.currency, &origin, now)?;
    import.told();
    import.forget(cut.gone);
    let mut batches = Batches::new(&cut.schema);
    let mut arrivals: Vec<(u64, Instant)> = vec![];
    while let Some(entry) = log.next()? {
        let r = match entry {
            Entry::Record(r) => r,
            Entry::Damaged(d) => {
                harmed.met(&d)?;
                continue;
            }
        };
        if r.seq >= cut.to {
            break;
        }
        if r.kind != record::MESSAGE {
            continue;
        }
        let Some(owner) = cut.owners.get(r.seq) else { continue };
        let Ok(message) = record::read_message(r.payload) else { continue };
        // To the second: that is how exactly anybody asks what was known when.
        if arrivals.last().is_none_or(|(_, at)| r.at.0 - at.0 >= gyul_model::MICROS_SECOND) {
            arrivals.push((r.seq, r.at));
        }
        batches.add(owner, r.seq, &message);
        if batches.rows >= BATCH {
            batches.flush(&mut import)?;
            import.checkpoint(0)?;
        }
    }
    batches.flush(&mut import)?;
    import.arrived(arrivals);
    import.number_from(cut.to);
    let summary = import.commit(cut.to)?;
    remove_states(dir, cut.to);
    Ok(summary)
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("state")
}

fn file(dir: &Path, seq: u64) -> PathBuf {
    folder(dir).join(format!("{seq:016x}.bin"))
}

/// What `read` reads.
pub fn bytes(state: &State) -> Vec<u8> {
    let mut w = Writer::default();
    w.blob(&state.identities);
    w.uint(state.control.len() as u64);
    for c in &state.control {
        w.uint(c.seq);
        w.int(c.at.0);
        w.bytes.push(c.kind);
        w.blob(&c.payload);
    }
    if let (Some(at), Some(quarantine)) = (state.at, &state.quarantine) {
        w.int(at.0);
        w.uint(quarantine.len() as u64);
        for (seq, (at, r)) in quarantine {
            w.uint(*seq);
            w.int(at.0);
            w.blob(&record::rejected(r));
        }
        if let Some(kept) = state.kept {
            w.int(kept.map_or(i64::MIN, |t| t.0));
        }
    }
    w.bytes
}

fn put_state(dir: &Path, seq: u64, state: &State) -> Result<(), StoreError> {
    let bytes = bytes(state);
    let whole = file(dir, seq);
    let beside = whole.with_extension("tmp");
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |e| StoreError::new(&path, StoreErrorKind::Io(e))
    };
    fs::create_dir_all(folder(dir)).map_err(io(dir))?;
    let mut out = fs::File::create(&beside).map_err(io(&beside))?;
    let sum = hash64(&bytes).to_le_bytes();
    [MAGIC.as_slice(), &sum, &bytes].into_iter().try_for_each(|b| out.write_all(b)).map_err(io(&beside))?;
    out.sync_all().map_err(io(&beside))?;
    fs::rename(&beside, &whole).map_err(io(&whole))?;
    fs::File::open(folder(dir)).and_then(|d| d.sync_all()).map_err(io(dir))
}

/// The state that belongs to a position. `None`: there is none, as before the first checkpoint.
pub fn get_state(dir: &Path, seq: u64) -> Result<Option<State>, StoreError> {
    let path = file(dir, seq);
    let bytes = match fs::read(&path) {
        Ok(b) => b,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::new(&path, StoreErrorKind::Io(e))),
    };
    let damaged = || StoreError::new(&path, StoreErrorKind::Damaged("its checksum is wrong".into()));
    let body = bytes.strip_prefix(MAGIC).and_then(|b| b.split_at_checked(8)).ok_or_else(damaged)?;
    if hash64(body.1).to_le_bytes() != body.0 {
        return Err(damaged());
    }
    read(body.1).map(Some).map_err(|Unreadable| damaged())
}

pub fn read(bytes: &[u8]) -> Result<State, Unreadable> {
    let mut r = Reader::bare(bytes);
    let identities = r.blob()?.to_vec();
    let mut control = vec![];
    for _ in 0..r.uint()? {
        let (seq, at, kind) = (r.uint()?, Instant(r.int()?), r.byte()?);
        control.push(Control { seq, at, kind, payload: r.blob()?.to_vec() });
    }
    if r.is_empty() {
        return Ok(State { identities, control, at: None, quarantine: None, kept: None });
    }
    let at = Some(Instant(r.int()?));
    let mut quarantine = BTreeMap::new();
    for _ in 0..r.uint()? {
        let (seq, at) = (r.uint()?, Instant(r.int()?));
        quarantine.insert(seq, (at, record::read_rejected(r.blob()?)?));
    }
    let kept = if r.is_empty() { None } else { Some(Some(Instant(r.int()?)).filter(|t| t.0 > i64::MIN)) };
    Ok(State { identities, control, at, quarantine: Some(quarantine), kept })
}

/// Removes the states that no base needs any more.
fn remove_states(dir: &Path, keep: u64) {
    let Ok(files) = fs::read_dir(folder(dir)) else { return };
    let keep = file(dir, keep);
    files.filter_map(Result::ok).map(|f| f.path()).filter(|p| *p != keep).for_each(|p| {
        // What stays is removed with the next checkpoint.
        let _ = fs::remove_file(p);
    });
}

/// Events by name, in columns.
struct Batches {
    kinds: HashMap<String, Vec<(String, ColumnKind)>>,
    streams: BTreeMap<String, Rows>,
    rows: usize,
}

#[derive(Default)]
struct Rows {
    batch: StreamBatch,
    values: Vec<Vec<Option<Value>>>,
}

impl Batches {
    fn new(schema: &[StreamInfo]) -> Batches {
        let columns = |s: &StreamInfo| s.columns.iter().map(|c| (c.name.clone(), c.kind.clone())).collect();
        let kinds = schema.iter().map(|s| (s.name.clone(), columns(s))).collect();
        Batches { kinds, streams: BTreeMap::new(), rows: 0 }
    }

    fn add(&mut self, owner: &str, seq: u64, m: &Message) {
        // The log has each message once within the period that ids are remembered; beyond it a message is a new one.
        let id = fingerprint(m) ^ hash64(&seq.to_le_bytes());
        for (i, (name, props)) in m.events.iter().enumerate() {
            let Some(columns) = self.kinds.get(name) else { continue };
            let rows = self.streams.entry(name.clone()).or_default();
            rows.values.resize(columns.len(), vec![]);
            let b = &mut rows.batch;
            b.name.clone_from(name);
            b.customer.push(Some(owner));
            b.ts.push(m.ts.0);
            b.id.push(id.wrapping_add(i as u64));
            b.row.push(0);
            b.seq.push(seq + i as u64);
            for ((column, _), values) in columns.iter().zip(&mut rows.values) {
                values.push(props.iter().find(|(n, _)| n == column).map(|(_, v)| v.clone()));
            }
            self.rows += 1;
        }
    }

    fn flush(&mut self, import: &mut Import) -> Result<(), StoreError> {
        self.rows = 0;
        for (name, rows) in std::mem::take(&mut self.streams) {
            let mut batch = rows.batch;
            let Some(columns) = self.kinds.get(&name) else { continue };
            for ((name, kind), values) in columns.iter().zip(rows.values) {
                if values.iter().any(Option::is_some) {
                    batch.props.push((name.clone(), column(kind, &values)));
                }
            }
            import.append(&batch)?;
        }
        Ok(())
    }
}

/// Values of another kind than the column's are left out, as in memory.
fn column(kind: &ColumnKind, values: &[Option<Value>]) -> Column {
    let texts = |pick: &dyn Fn(&Value) -> Option<String>| {
        let mut out = TextColumn::default();
        values.iter().for_each(|v| out.push(v.as_ref().and_then(pick).as_deref()));
        out
    };
    match kind {
        ColumnKind::Bool => {
            Column::Bool(values.iter().map(|v| if let Some(Value::Bool(b)) = v { Some(*b) } else { None }).collect())
        }
        ColumnKind::Num { scale } => {
            let mantissa = |v: &Option<Value>| match v {
                Some(Value::Num(d)) => d.at_scale(*scale).unwrap_or(i64::MIN),
                _ => i64::MIN,
            };
            Column::Num { scale: *scale, mantissas: values.iter().map(mantissa).collect() }
        }
        ColumnKind::Instant => Column::Instant(
            values.iter().map(|v| if let Some(Value::Instant(t)) = v { t.0 } else { i64::MIN }).collect(),
        ),
        ColumnKind::Text(_) => Column::Text(texts(&|v| if let Value::Text(t) = v { Some(t.clone()) } else { None })),
        ColumnKind::List(_) => {
            Column::List(texts(&|v| if let Value::List(l) = v { Some(l.join("\u{1f}")) } else { None }))
        }
    }
}
