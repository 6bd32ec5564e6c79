//! Properties and traits: columns whose text is normalised by what they hold.

use super::{TEXT_MAX, Work};
use crate::build::Builder;
use crate::mapping::{DecimalStyle, Field, FieldType};
use crate::values::{number, place, traits};
use gyul_model::{Column, Decimal, StreamBatch, TextColumn, names};
use rustc_hash::FxHashMap;

/// Remembered texts of a column; most columns say few different things.
const MEMO_MAX: usize = 4096;

/// How a column's text becomes a value.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain(FieldType),
    Gender,
    /// With the column of `birth_year` for those of whom only the year is known.
    Birth,
    Region,
    Country,
    Email,
    Phone,
    Name,
}

#[derive(Clone, Debug)]
enum Val {
    None,
    Text(String),
    Num(Decimal),
    Bool(bool),
    Time(i64),
}

struct Slot {
    column: usize,
    name: String,
    how: How,
    at: usize,
    /// Column of `birth_year`.
    year_at: Option<usize>,
    memo: FxHashMap<String, Val>,
}

/// The fields of a batch, each with its place in the builder.
pub(super) struct FieldSet {
    slots: Vec<Slot>,
    values: Vec<Val>,
    named: bool,
    /// Whether the row that was read last had values that could not be.
    noted: bool,
}

impl FieldSet {
    /// Declares the columns. `named`: names of traits say how they are read.
    pub fn declare(builder: &mut Builder, fields: &[(usize, Field)], named: bool) -> FieldSet {
        let mut slots = vec![];
        for (column, field) in fields {
            let how = if named { how(&field.name, field.kind) } else { How::Plain(field.kind) };
            let kind = match how {
                How::Plain(FieldType::Number) => Column::Num { scale: 0, mantissas: vec![] },
                How::Plain(FieldType::Bool) => Column::Bool(vec![]),
                How::Plain(FieldType::Time(_)) => Column::Instant(vec![]),
                How::Plain(FieldType::List) => Column::List(TextColumn::default()),
                _ => Column::Text(TextColumn::default()),
            };
            let at = builder.column(&field.name, kind);
            let year_at = (how == How::Birth).then(|| builder.numbers("birth_year"));
            slots.push(Slot {
                column: *column,
                name: field.name.clone(),
                how,
                at,
                year_at,
                memo: FxHashMap::default(),
            });
        }
        FieldSet { slots, values: vec![], named, noted: false }
    }

    /// Reads and writes a row; what cannot be read is unknown and noted.
    pub fn push(&mut self, work: &mut Work, builder: &mut Builder, row: usize) {
        self.read(work, row, 0);
        self.write(builder);
    }

    /// Reads a row's values and tells their identity; `None` if nothing is known.
    pub fn read(&mut self, work: &mut Work, row: usize, ts: i64) -> Option<u64> {
        self.values.clear();
        self.noted = false;
        let mut any = false;
        for slot in &mut self.slots {
            let value = match work.rows.known(row, slot.column) {
                None => Val::None,
                Some(text) if text.len() > TEXT_MAX => {
                    work.note(slot.column, "too_long");
                    self.noted = true;
                    Val::None
                }
                Some(text) => match slot.memo.get(text) {
                    Some(v) => v.clone(),
                    None => {
                        let value = slot.how.read(text, work);
                        if slot.memo.len() < MEMO_MAX {
                            slot.memo.insert(text.to_string(), value.clone());
                        }
                        value
                    }
                },
            };
            if matches!(value, Val::None) && work.rows.known(row, slot.column).is_some_and(|t| t.len() <= TEXT_MAX) {
                work.note(slot.column, "unreadable");
                self.noted = true;
            }
            any |= !matches!(value, Val::None);
            self.values.push(value);
        }
        if !any || !self.named {
            return None;
        }
        work.identity.start(names::IDENTIFY).int(ts);
        for (slot, value) in self.slots.iter().zip(&self.values) {
            match value {
                Val::None => continue,
                Val::Text(t) => work.identity.text(&slot.name).text(t),
                Val::Num(d) => work.identity.text(&slot.name).number(Some(*d)),
                Val::Bool(b) => work.identity.text(&slot.name).int(i64::from(*b)),
                Val::Time(t) => work.identity.text(&slot.name).int(*t),
            };
        }
        Some(work.identity.hash())
    }

    /// Whether two rows say the same in these fields, word for word.
    fn alike(&self, work: &Work, a: usize, b: usize) -> bool {
        self.slots.iter().all(|s| work.rows.cell(a, s.column) == work.rows.cell(b, s.column))
    }

    /// Writes what was read last. Numbers that would make the column too wide become unknown.
    pub fn write(&mut self, builder: &mut Builder) {
        for (slot, value) in self.slots.iter().zip(&self.values) {
            match (slot.how, value) {
                (How::Plain(FieldType::Number), v) => {
                    let d = if let Val::Num(d) = v { Some(*d) } else { None };
                    builder.number(slot.at, d.filter(|d| builder.fits(slot.at, Some(*d))));
                }
                (How::Plain(FieldType::Bool), v) => {
                    builder.boolean(slot.at, if let Val::Bool(b) = v { Some(*b) } else { None });
                }
                (How::Plain(FieldType::Time(_)), v) => {
                    builder.instant(slot.at, if let Val::Time(t) = v { Some(*t) } else { None });
                }
                (_, v) => builder.text(slot.at, if let Val::Text(t) = v { Some(t) } else { None }),
            }
            if let Some(at) = slot.year_at {
                builder.number(at, if let Val::Num(d) = value { Some(*d) } else { None });
            }
        }
    }
}

/// Traits that are read by their name, whatever type the mapping says.
fn how(name: &str, kind: FieldType) -> How {
    match name {
        "gender" => How::Gender,
        names::BIRTH_DATE => How::Birth,
        "region" => How::Region,
        "country" => How::Country,
        "email" => How::Email,
        "phone" => How::Phone,
        "name" | "city" => How::Name,
        n if n.starts_with(names::CONSENT) => How::Plain(FieldType::Bool),
        _ => How::Plain(kind),
    }
}

impl How {
    fn read(self, text: &str, work: &mut Work) -> Val {
        let value = match self {
            How::Gender => traits::gender(text).map(|g| Val::Text(g.into())),
            How::Birth => traits::birth(text, work.mapper.today).map(|b| match b {
                traits::Birth::Date(d) => Val::Text(d.to_string()),
                traits::Birth::Year(y) => Val::Num(Decimal::from(y)),
            }),
            How::Region => place::region(text).map(|r| Val::Text(r.into())),
            How::Country => place::country(text).map(Val::Text),
            How::Email => traits::email(text).map(Val::Text),
            How::Phone => traits::phone(text).map(Val::Text),
            How::Name => Some(traits::name(text)).filter(|n| !n.is_empty()).map(Val::Text),
            How::Plain(FieldType::Text) => Some(Val::Text(text.into())),
            How::Plain(FieldType::Number) => number(text, work.mapper.mapping.decimal).map(Val::Num),
            How::Plain(FieldType::Bool) => traits::boolean(text).map(Val::Bool),
            How::Plain(FieldType::Time(format)) => work.clock.parse(text, format).map(|t| Val::Time(t.0)),
            How::Plain(FieldType::List) => {
                let items = text.trim_matches(['[', ']']).split(['|', ';', ',', '\u{1f}']);
                let items: Vec<_> = items.map(|i| i.trim().trim_matches('"')).filter(|i| !i.is_empty()).collect();
                (!items.is_empty()).then(|| Val::Text(items.join("\u{1f}")))
            }
        };
        value.unwrap_or(Val::None)
    }
}

fn number(text: &str, style: DecimalStyle) -> Option<Decimal> {
    number::parse(text, style).ok()
}

/// Traits that rows of orders or events tell on the way, as of the row's time.
pub(super) struct Traits {
    builder: Builder,
    set: FieldSet,
    /// The customer and time that were told of last: the lines of an order tell the same.
    last: (String, i64),
    last_id: u64,
    /// A row that told it, if nothing in it was to be noted.
    told_by: Option<usize>,
    none: bool,
}

impl Traits {
    pub fn new(work: &Work) -> Traits {
        let mapper = work.mapper;
        // Fewer than the rows: those of one order tell the same.
        let mut builder = Builder::new(names::IDENTIFY, 0);
        let set = FieldSet::declare(&mut builder, &mapper.traits, true);
        Traits { builder, set, last: (String::new(), 0), last_id: 0, told_by: None, none: mapper.traits.is_empty() }
    }

    pub fn learn(&mut self, work: &mut Work, row: usize, customer: &str, ts: i64) {
        if self.none {
            return;
        }
        let same_order = self.last.0 == customer && self.last.1 == ts;
        if same_order && self.told_by.is_some_and(|before| self.set.alike(work, before, row)) {
            return;
        }
        let Some(id) = self.set.read(work, row, ts) else { return };
        self.told_by = (!self.set.noted).then_some(row);
        if same_order && self.last_id == id {
            return;
        }
        self.last.0.clear();
        self.last.0.push_str(customer);
        self.last.1 = ts;
        self.last_id = id;
        self.builder.head(customer, ts, id, work.rows.rows[row].row);
        self.set.write(&mut self.builder);
    }

    pub fn finish(self) -> Vec<StreamBatch> {
        self.builder.finish().into_iter().collect()
    }
}

/// A remembered answer for the last text of a column.
pub(super) struct Memo<'a, T> {
    text: Option<&'a str>,
    value: T,
}

impl<'a, T: Copy> Memo<'a, T> {
    pub fn new(value: T) -> Memo<'a, T> {
        Memo { text: None, value }
    }

    pub fn get(&mut self, text: &'a str, find: impl FnOnce(&str) -> T) -> T {
        if self.text != Some(text) {
            self.value = find(text);
            self.text = Some(text);
        }
        self.value
    }
}
