//! What can be wrong with a file, a mapping or a row: typed, with a place, a reason and a next step, in two languages.

use crate::mapping::Role;
use std::fmt;

/// The language of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    Ko,
    En,
}

impl Lang {
    pub(crate) fn pick(self, ko: impl Into<String>, en: impl Into<String>) -> String {
        match self {
            Lang::Ko => ko.into(),
            Lang::En => en.into(),
        }
    }
}

/// Why a source cannot be read (further). Chunks that were handed out before remain good.
#[derive(Clone, Debug, PartialEq)]
pub struct InputError {
    /// The name the source was opened with.
    pub name: String,
    /// The line at which reading stopped, where there are lines.
    pub line: Option<u64>,
    pub kind: InputErrorKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InputErrorKind {
    /// Nothing in it at all.
    Empty,
    /// A header and no row.
    HeaderOnly,
    Directory,
    NotFound,
    /// No right to read, or the device failed; the system's own words.
    Io(String),
    /// The compressed or columnar file ends before its end.
    Truncated(String),
    /// Damaged: gzip, zstd, Parquet, Excel; the library's own words.
    Damaged(String),
    /// Bytes that are not text in the encoding that the beginning of the file has.
    Encoding { expected: &'static str },
    /// A binary format that is not known here (old Excel, PDF, zip …).
    UnknownFormat(&'static str),
    /// A quote was opened and not closed for so many bytes.
    UnclosedQuote(usize),
    /// One record is longer than so many bytes.
    RecordTooLong(usize),
    /// More than can be held in memory, for formats that need all of it at once.
    TooLarge(u64),
}

/// Why a mapping cannot be inferred or used.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// The lines to add to the mapping file that would settle it.
    pub fix: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProblemKind {
    /// No column found for what is needed; columns that might be it, best first.
    Missing { role: Role, candidates: Vec<String> },
    /// Several columns are equally likely.
    Several { role: Role, candidates: Vec<String> },
    /// The mapping names a column that the file does not have; the nearest one.
    NoSuchColumn { column: String, nearest: Option<String> },
    /// Dates of the sample can be read day-month or month-day.
    AmbiguousDate { column: String, sample: String },
    /// No date format reads the sample.
    UnknownDate { column: String, sample: String },
    /// The mapping file cannot be understood: what, and where.
    BadMapping { what: String, line: Option<usize> },
    UnknownZone(String),
}

/// A row that did not become an event, and why.
#[derive(Clone, PartialEq)]
pub struct Reject {
    /// Counted from 1 after the header.
    pub row: u64,
    /// Line of the (decoded) file on which the row starts; 0 where there are no lines.
    pub line: u64,
    pub code: RejectCode,
    /// The column to look at.
    pub column: Option<String>,
    /// Its content as found. Personal data possible.
    pub value: String,
    /// The whole row as found; CSV where the format is binary. Personal data possible.
    pub content: String,
}

/// Stable codes; `as_str` is what summaries and quarantine files show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RejectCode {
    NoCustomer,
    NoTime,
    TimeUnreadable,
    TimeFuture,
    TimeOutOfRange,
    NumberUnreadable,
    NumberTooLong,
    NegativePrice,
    ZeroQuantity,
    NoOrder,
    NoAmount,
    NoEventName,
    NoTrait,
    ValueUnreadable,
    NotPaid,
    TestOrder,
    ColumnCount,
    UnclosedQuote,
    BadJson,
    TooLong,
}
