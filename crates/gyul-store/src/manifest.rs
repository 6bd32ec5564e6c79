//! `gyul.json`: what the directory holds. Written last and by rename, so that it is always whole.

use crate::error::{StoreError, StoreErrorKind};
use crate::rows::Kind;
use crate::table::Field;
use gyul_model::Instant;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The version of the directory's format.
pub const FORMAT: u64 = 1;

#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub zone: String,
    pub currency: String,
    /// The base in force; 0: none yet.
    pub generation: u64,
    pub seq_next: u64,
    /// When things became known: first `seq`, instant.
    pub arrivals: Vec<(u64, Instant)>,
    pub streams: Vec<StreamMeta>,
    pub customers: u64,
    pub imports: Vec<ImportMeta>,
    /// The staleness policy in force.
    pub policy: Option<Policy>,
    /// The base that a server told of last, where rows have come in beside it since. Its files are kept until the server
    /// has told what those changed and makes its next checkpoint.
    pub before: Option<Box<Manifest>>,
}

/// Which events are too old to be looked at. They stay on disk; nothing that is loaded has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// As it was declared: `keep 3y`.
    pub said: String,
    /// Events before this are left out, everywhere and for every instant that is asked about. Fixed until it is moved on,
    /// so that whoever reads the directory meanwhile answers from the same events.
    pub from: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StreamMeta {
    pub name: String,
    /// Folder of its files.
    pub slug: String,
    pub rows: u64,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    pub columns: Vec<Field>,
}

/// An import, finished or not.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportMeta {
    pub id: String,
    pub source: String,
    pub kind: String,
    pub at: Instant,
    /// Rows that have been taken in; an interrupted import goes on behind them.
    pub rows_done: u64,
    pub finished: bool,
    pub events: u64,
    pub duplicates: u64,
    pub rejected: BTreeMap<String, u64>,
}

impl ImportMeta {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

pub fn path(dir: &Path) -> PathBuf {
    dir.join("gyul.json")
}

impl Manifest {
    pub fn new(zone: &str, currency: &str) -> Manifest {
        Manifest {
            zone: zone.into(),
            currency: currency.into(),
            generation: 0,
            seq_next: 0,
            arrivals: vec![],
            streams: vec![],
            customers: 0,
            imports: vec![],
            policy: None,
            before: None,
        }
    }

    pub fn read(dir: &Path) -> Result<Manifest, StoreError> {
        let path = path(dir);
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => StoreError::new(dir, StoreErrorKind::Missing),
            _ => StoreError::new(&path, StoreErrorKind::Io(e)),
        })?;
        let v: Value = serde_json::from_str(&text).map_err(|e| StoreError::damaged(&path, e))?;
        let format = v["format"].as_u64().unwrap_or(0);
        if format > FORMAT {
            return Err(StoreError::new(&path, StoreErrorKind::Newer(format)));
        }
        parse(&v).ok_or_else(|| StoreError::damaged(&path, "a field is missing"))
    }

    /// Puts the new state in force: written beside, made durable, renamed over the old one.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let whole = path(dir);
        let beside = dir.join("gyul.json.tmp");
        let mut file = fs::File::create(&beside).map_err(StoreError::io(&beside))?;
        let text = format!("{:#}\n", self.json());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(StoreError::io(&beside))?;
        fs::rename(&beside, &whole).map_err(StoreError::io(&whole))?;
        // The rename itself is durable once the directory is.
        fs::File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io(dir))
    }

    pub fn stream(&self, name: &str) -> Option<&StreamMeta> {
        self.streams.iter().find(|s| s.name == name)
    }

    pub fn base(&self, dir: &Path) -> PathBuf {
        dir.join("base").join(self.generation.to_string())
    }

    /// The generations whose files are needed.
    pub fn generations(&self) -> impl Iterator<Item = u64> {
        [self.generation].into_iter().chain(self.before.as_ref().map(|b| b.generation))
    }

    fn json(&self) -> Value {
        let streams: Vec<Value> = self
            .streams
            .iter()
            .map(|s| {
                let columns: Vec<Value> = s
                    .columns
                    .iter()
                    .map(|c| json!({ "name": c.name, "kind": c.kind.name(), "scale": c.scale }))
                    .collect();
                json!({
                    "name": s.name, "folder": s.slug, "rows": s.rows, "columns": columns,
                    "first": s.first.map(|t| t.0), "last": s.last.map(|t| t.0),
                })
            })
            .collect();
        let imports: Vec<Value> = self
            .imports
            .iter()
            .map(|i| {
                json!({
                    "id": i.id, "source": i.source, "kind": i.kind, "at": i.at.0, "rows_done": i.rows_done,
                    "finished": i.finished, "events": i.events, "duplicates": i.duplicates, "rejected": i.rejected,
                })
            })
            .collect();
        let policy = self.policy.as_ref().map(|p| json!({ "said": p.said, "from": p.from.0 }));
        json!({
            "format": FORMAT, "zone": self.zone, "currency": self.currency, "generation": self.generation,
            "seq_next": self.seq_next, "customers": self.customers,
            "arrivals": self.arrivals.iter().map(|(s, t)| json!([s, t.0])).collect::<Vec<_>>(),
            "streams": streams, "imports": imports, "policy": policy,
            "before": self.before.as_ref().map(|b| b.json()),
        })
    }
}

fn parse(v: &Value) -> Option<Manifest> {
    let text = |v: &Value| v.as_str().map(str::to_string);
    let instant = |v: &Value| v.as_i64().map(Instant);
    let streams = v["streams"].as_array()?.iter().map(|s| {
        let columns = s["columns"].as_array()?.iter().map(|c| {
            Some(Field {
                name: text(&c["name"])?,
                kind: Kind::parse(c["kind"].as_str()?)?,
                scale: c["scale"].as_u64()? as u8,
            })
        });
        Some(StreamMeta {
            name: text(&s["name"])?,
            slug: text(&s["folder"])?,
            rows: s["rows"].as_u64()?,
            first: instant(&s["first"]),
            last: instant(&s["last"]),
            columns: columns.collect::<Option<_>>()?,
        })
    });
    let imports = v["imports"].as_array()?.iter().map(|i| {
        let counts = i["rejected"].as_object().cloned().unwrap_or_else(Map::new);
        Some(ImportMeta {
            id: text(&i["id"])?,
            source: text(&i["source"])?,
            kind: text(&i["kind"])?,
            at: instant(&i["at"])?,
            rows_done: i["rows_done"].as_u64()?,
            finished: i["finished"].as_bool()?,
            events: i["events"].as_u64()?,
            duplicates: i["duplicates"].as_u64()?,
            rejected: counts.iter().filter_map(|(k, n)| Some((k.clone(), n.as_u64()?))).collect(),
        })
    });
    let arrivals = v["arrivals"].as_array()?.iter().map(|a| Some((a[0].as_u64()?, Instant(a[1].as_i64()?))));
    Some(Manifest {
        zone: text(&v["zone"])?,
        currency: text(&v["currency"])?,
        generation: v["generation"].as_u64()?,
        seq_next: v["seq_next"].as_u64()?,
        arrivals: arrivals.collect::<Option<_>>()?,
        streams: streams.collect::<Option<_>>()?,
        customers: v["customers"].as_u64()?,
        imports: imports.collect::<Option<_>>()?,
        policy: match &v["policy"] {
            Value::Null => None,
            p => Some(Policy { said: text(&p["said"])?, from: instant(&p["from"])? }),
        },
        before: match &v["before"] {
            Value::Null => None,
            b => Some(Box::new(parse(b)?)),
        },
    })
}
