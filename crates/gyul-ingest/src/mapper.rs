//! From rows to events, or to the reason why not.

mod fields;
pub(crate) mod orders;

use crate::Context;
use crate::build::{Builder, Identity};
use crate::dictionary;
use crate::mapping::{Field, Grain, Kind, Mapping, Role, TimeFormat};
use crate::problem::{Problem, ProblemKind, Reject, RejectCode};
use crate::rows::{Chunk, Flaw, Rows};
use crate::values::number::{self, NumberFault};
use crate::values::{time::Clock, traits};
use fields::{FieldSet, Memo};
use gyul_model::{Date, Decimal, Instant, MICROS_DAY, StreamBatch, Zone, names};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Times up to so much after now are clocks that differ; beyond, the row is rejected.
const FUTURE_TOLERANCE: i64 = MICROS_DAY;
/// The longest text that a cell of an event may hold.
const TEXT_MAX: usize = 65_535;

/// Turns chunks into batches. One mapper serves all threads.
pub struct Mapper {
    mapping: Mapping,
    header: Vec<String>,
    columns: [Option<usize>; Role::ALL.len()],
    properties: Vec<(usize, Field)>,
    traits: Vec<(usize, Field)>,
    zone: Zone,
    now: Instant,
    today: Date,
    currency: Option<String>,
    /// The status column says yes or no to "cancelled?".
    status_is_flag: bool,
}

/// What a chunk became. `rows == accepted + rejects.len()`, always.
#[derive(Debug, Default)]
pub struct Mapped {
    /// Rows that were there (blank lines are none).
    pub rows: u64,
    pub accepted: u64,
    /// One event for each accepted row, over all batches. Duplicates are the store's to find, by `id`.
    pub batches: Vec<StreamBatch>,
    /// What rows imply besides: traits in files of orders, the purchase behind a row already marked as cancelled.
    /// Stored like the others, found to be duplicates in silence, not counted as rows.
    pub side: Vec<StreamBatch>,
    /// In order of rows.
    pub rejects: Vec<Reject>,
    /// Values that were taken as unknown, one note a column and reason.
    pub notes: Vec<Note>,
}

/// Values of a column that say nothing that can be kept; the rows themselves were accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub column: String,
    /// `unreadable` (of a kind that the column does not have), `too_long`, or `unmapped` (a JSON key that the first rows
    /// did not have).
    pub code: &'static str,
    pub count: u64,
}

impl Mapper {
    /// Checks a mapping against a header: all problems at once.
    pub fn new(mapping: &Mapping, header: &[String], ctx: &Context) -> Result<Mapper, Vec<Problem>> {
        let mut problems = vec![];
        let mut find = |column: &str| {
            let found = header.iter().position(|h| h == column);
            let found = found.or_else(|| header.iter().position(|h| h.trim().eq_ignore_ascii_case(column.trim())));
            if found.is_none() {
                problems.push(no_such_column(column, header));
            }
            found
        };
        let mut columns = [None; Role::ALL.len()];
        for (role, column) in &mapping.columns {
            columns[*role as usize] = find(column);
        }
        let mut resolve = |fields: &[Field]| -> Vec<(usize, Field)> {
            let mut found: Vec<_> = fields.iter().filter_map(|f| Some((find(&f.column)?, f.clone()))).collect();
            // Ids must not depend on the order of columns in a file.
            found.sort_by(|a, b| a.1.name.cmp(&b.1.name));
            found.dedup_by(|a, b| a.1.name == b.1.name);
            found
        };
        let properties = resolve(&mapping.properties);
        let traits = resolve(&mapping.traits);
        let mut need = |role: Role, there: bool| {
            if !there && mapping.column(role).is_none() {
                problems.push(missing(role, vec![]));
            }
        };
        need(Role::Customer, false);
        need(Role::Time, mapping.kind == Kind::Profiles);
        need(Role::Event, mapping.kind != Kind::Events || mapping.event.is_some());
        let zone = match &mapping.zone {
            None => ctx.zone.clone(),
            Some(name) => Zone::new(name).unwrap_or_else(|| {
                problems.push(Problem { kind: ProblemKind::UnknownZone(name.clone()), fix: "zone: Asia/Seoul".into() });
                ctx.zone.clone()
            }),
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Mapper {
            header: header.to_vec(),
            columns,
            properties,
            traits,
            today: zone.date(ctx.now),
            zone,
            now: ctx.now,
            currency: mapping.currency.clone().or_else(|| ctx.currency.clone()),
            status_is_flag: mapping.column(Role::Status).is_some_and(dictionary::is_flag),
            mapping: mapping.clone(),
        })
    }

    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Takes a chunk apart and maps its rows.
    pub fn map(&self, chunk: Chunk) -> Mapped {
        let rows = chunk.into_rows();
        let mut work = Work {
            mapper: self,
            rows: &rows,
            clock: Clock::new(&self.zone),
            identity: Identity::default(),
            notes: FxHashMap::default(),
            rejects: vec![],
            line: (0, rows.first_line),
        };
        let (batches, side) = match self.mapping.kind {
            Kind::Orders => orders::map(&mut work),
            Kind::Events => work.events(),
            Kind::Profiles => (work.profiles(), vec![]),
        };
        let mut notes: Vec<Note> = std::mem::take(&mut work.notes)
            .into_iter()
            .map(|((column, code), count)| Note { column: self.header[column].clone(), code, count })
            .collect();
        // Keys of JSON that the first rows did not have, and so the mapping does not.
        for (i, name) in rows.extra.iter().enumerate() {
            let column = self.header.len() + i;
            let count = (0..rows.len()).filter(|r| rows.known(*r, column).is_some()).count() as u64;
            notes.push(Note { column: name.clone(), code: "unmapped", count });
        }
        notes.sort_by(|a, b| (&a.column, a.code).cmp(&(&b.column, b.code)));
        let rejects = std::mem::take(&mut work.rejects);
        let total = rows.len() as u64;
        Mapped { rows: total, accepted: total - rejects.len() as u64, batches, side, rejects, notes }
    }

    fn at(&self, role: Role) -> Option<usize> {
        self.columns[role as usize]
    }
}

pub(crate) fn missing(role: Role, candidates: Vec<String>) -> Problem {
    let likely = candidates.first().filter(|c| dictionary::key(c).contains("id"));
    let column = likely.map_or("…".to_string(), |c| crate::mapping::scalar(c));
    Problem { kind: ProblemKind::Missing { role, candidates }, fix: format!("columns:\n  {}: {column}", role.as_str()) }
}

fn no_such_column(column: &str, header: &[String]) -> Problem {
    let near = header.iter().map(|h| (dictionary::distance(&dictionary::key(h), &dictionary::key(column)), h)).min();
    let nearest = near.filter(|(d, h)| *d * 2 <= h.chars().count().max(2)).map(|(_, h)| h.clone());
    let fix = nearest.as_ref().map_or(String::new(), |n| format!("{} → {}", column, n));
    Problem { kind: ProblemKind::NoSuchColumn { column: column.to_string(), nearest }, fix }
}

/// Why a row is rejected and where: the column's index.
type Fault = (RejectCode, Option<usize>);

/// The state of mapping one chunk.
struct Work<'a> {
    mapper: &'a Mapper,
    rows: &'a Rows,
    clock: Clock<'a>,
    identity: Identity,
    notes: FxHashMap<(usize, &'static str), u64>,
    rejects: Vec<Reject>,
    /// A place in the text and its line, to count lines on from.
    line: (usize, u64),
}

impl<'a> Work<'a> {
    fn flaw(&self, row: usize) -> Result<(), Fault> {
        match self.rows.rows[row].flaw {
            None => Ok(()),
            Some(Flaw::ColumnCount) => Err((RejectCode::ColumnCount, None)),
            Some(Flaw::UnclosedQuote) => Err((RejectCode::UnclosedQuote, None)),
            Some(Flaw::BadJson) => Err((RejectCode::BadJson, None)),
        }
    }

    fn reject(&mut self, row: usize, (code, column): Fault) {
        let at = self.rows.rows[row];
        let line = if self.rows.first_line == 0 {
            0
        } else {
            let (from, line) = self.line;
            let passed = &self.rows.text.as_bytes()[from..at.start as usize];
            self.line = (at.start as usize, line + memchr::memchr_iter(b'\n', passed).count() as u64);
            self.line.1
        };
        let value = column.map_or("", |c| self.rows.cell(row, c)).to_string();
        let column = column.map(|c| self.mapper.header[c].clone());
        self.rejects.push(Reject { row: at.row, line, code, column, value, content: self.rows.content(row) });
    }

    fn note(&mut self, column: usize, code: &'static str) {
        *self.notes.entry((column, code)).or_default() += 1;
    }

    /// The cell of a role; `None` if not mapped or unknown.
    fn cell(&self, row: usize, role: Role) -> Option<&'a str> {
        self.rows.known(row, self.mapper.at(role)?)
    }

    fn text(&self, row: usize, role: Role) -> Result<Option<&'a str>, Fault> {
        match self.cell(row, role) {
            Some(t) if t.len() > TEXT_MAX => Err((RejectCode::TooLong, self.mapper.at(role))),
            t => Ok(t),
        }
    }

    fn customer(&self, row: usize) -> Result<Cow<'a, str>, Fault> {
        let id = self.text(row, Role::Customer)?.ok_or((RejectCode::NoCustomer, self.mapper.at(Role::Customer)))?;
        if memchr::memchr(b'@', id.as_bytes()).is_some()
            && let Some(email) = traits::email(id)
        {
            return Ok(Cow::Owned(email));
        }
        // Spreadsheets and data frames make 17850.0 of an id with gaps in its column.
        let whole = id.strip_suffix(".0").filter(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()));
        Ok(Cow::Borrowed(whole.unwrap_or(id)))
    }

    fn time(&mut self, row: usize, role: Role) -> Result<Option<i64>, Fault> {
        let Some(column) = self.mapper.at(role) else { return Ok(None) };
        let Some(text) = self.rows.known(row, column) else { return Ok(None) };
        let format = self.mapper.mapping.time.unwrap_or(TimeFormat::Ymd);
        let t = self.clock.parse(text, format).ok_or((RejectCode::TimeUnreadable, Some(column)))?;
        if t < Instant::FIRST || t > Instant::LAST {
            return Err((RejectCode::TimeOutOfRange, Some(column)));
        }
        if t.0 > self.mapper.now.0.saturating_add(FUTURE_TOLERANCE) {
            return Err((RejectCode::TimeFuture, Some(column)));
        }
        Ok(Some(t.0))
    }

    fn number(&self, row: usize, role: Role) -> Result<Option<Decimal>, Fault> {
        let Some(column) = self.mapper.at(role) else { return Ok(None) };
        let Some(text) = self.rows.known(row, column) else { return Ok(None) };
        number::parse(text, self.mapper.mapping.decimal).map(Some).map_err(|e| match e {
            NumberFault::Unreadable => (RejectCode::NumberUnreadable, Some(column)),
            NumberFault::TooLong => (RejectCode::NumberTooLong, Some(column)),
        })
    }

    fn events(&mut self) -> (Vec<StreamBatch>, Vec<StreamBatch>) {
        let mut streams: Vec<(String, Builder, FieldSet)> = vec![];
        let mut index: FxHashMap<&'a str, usize> = FxHashMap::default();
        let mut learnt = fields::Traits::new(self);
        for row in 0..self.rows.len() {
            match self.event(row, &mut streams, &mut index) {
                Ok((customer, ts)) => learnt.learn(self, row, &customer, ts),
                Err(fault) => self.reject(row, fault),
            }
        }
        (streams.into_iter().filter_map(|(_, b, _)| b.finish()).collect(), learnt.finish())
    }

    /// Segment's calls that need no event name say what they are in `type`.
    fn call(&self, row: usize) -> Option<&'a str> {
        let column = self.mapper.header.iter().position(|h| h == "type")?;
        match self.rows.known(row, column)? {
            "page" => Some(crate::http::PAGE),
            "screen" => Some(crate::http::SCREEN),
            _ => None,
        }
    }

    fn event(
        &mut self,
        row: usize,
        streams: &mut Vec<(String, Builder, FieldSet)>,
        index: &mut FxHashMap<&'a str, usize>,
    ) -> Result<(Cow<'a, str>, i64), Fault> {
        self.flaw(row)?;
        let mapper = self.mapper;
        let customer = self.customer(row)?;
        let ts = self.time(row, Role::Time)?.ok_or((RejectCode::NoTime, mapper.at(Role::Time)))?;
        let name = match mapper.at(Role::Event) {
            None => mapper.mapping.event.as_deref().unwrap_or(""),
            Some(_) => match (self.text(row, Role::Event)?, mapper.mapping.event.as_deref()) {
                (Some(n), _) | (None, Some(n)) => n,
                (None, None) => self.call(row).ok_or((RejectCode::NoEventName, mapper.at(Role::Event)))?,
            },
        };
        let id = match self.cell(row, Role::Id) {
            Some(id) => self.identity.start("event").text(id).hash(),
            None => {
                self.identity.start("event").text(name).int(ts);
                for (column, field) in &mapper.properties {
                    if let Some(text) = self.rows.known(row, *column) {
                        self.identity.text(&field.name).text(text);
                    }
                }
                self.identity.hash()
            }
        };
        // Looked up by the borrowed name: `mapper` and `rows` live as long as the index.
        let i = *index.entry(name).or_insert_with(|| {
            let mut builder = Builder::new(name, 0);
            let set = FieldSet::declare(&mut builder, &mapper.properties, false);
            streams.push((name.to_string(), builder, set));
            streams.len() - 1
        });
        let (_, builder, set) = &mut streams[i];
        builder.head(&customer, ts, id, self.rows.rows[row].row);
        set.push(self, builder, row);
        Ok((customer, ts))
    }

    fn profiles(&mut self) -> Vec<StreamBatch> {
        let mut builder = Builder::new(names::IDENTIFY, self.rows.len());
        let mut set = FieldSet::declare(&mut builder, &self.mapper.traits, true);
        for row in 0..self.rows.len() {
            if let Err(fault) = self.profile(row, &mut builder, &mut set) {
                self.reject(row, fault);
            }
        }
        builder.finish().into_iter().collect()
    }

    fn profile(&mut self, row: usize, builder: &mut Builder, set: &mut FieldSet) -> Result<(), Fault> {
        self.flaw(row)?;
        let customer = self.customer(row)?;
        let ts = match self.mapper.at(Role::Time) {
            None => Instant::ALWAYS.0,
            Some(column) => self.time(row, Role::Time)?.ok_or((RejectCode::NoTime, Some(column)))?,
        };
        let id = set.read(self, row, ts).ok_or((RejectCode::NoTrait, None))?;
        builder.head(&customer, ts, id, self.rows.rows[row].row);
        set.write(builder);
        Ok(())
    }
}
