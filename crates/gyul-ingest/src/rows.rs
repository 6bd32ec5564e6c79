//! Rows of text cells, as every format hands them on.

use crate::source::Shape;
use crate::{csv, json};
use std::sync::Arc;

/// A piece of a source, cut at a record boundary, not yet taken apart: cheap to make, so that threads share the work.
#[derive(Clone)]
pub struct Chunk {
    pub(crate) shape: Arc<Shape>,
    pub(crate) body: Body,
    /// Number of the first row, counted from 1 after the header.
    pub(crate) first_row: u64,
    /// Line of the first row; 0 where there are no lines.
    pub(crate) first_line: u64,
}

#[derive(Clone)]
pub(crate) enum Body {
    Csv { text: String, delimiter: u8 },
    Json(String),
    Rows(Rows),
}

impl Chunk {
    /// Takes the text apart.
    pub fn into_rows(self) -> Rows {
        match self.body {
            Body::Csv { text, delimiter } => {
                csv::rows(text, delimiter, self.shape.header.len(), self.first_row, self.first_line)
            }
            Body::Json(text) => json::rows(text, &self.shape.header, self.first_row, self.first_line),
            Body::Rows(rows) => rows,
        }
    }

    /// How many bytes of decoded text it holds.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Csv { text, .. } | Body::Json(text) => text.len(),
            Body::Rows(rows) => rows.text.len(),
        }
    }
}

/// What is wrong with a row as a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    ColumnCount,
    UnclosedQuote,
    BadJson,
}

#[derive(Clone, Copy)]
pub(crate) struct RowAt {
    /// Where its text begins and ends; equal where the format has no text.
    pub start: u32,
    pub end: u32,
    pub row: u64,
    pub flaw: Option<Flaw>,
}

/// Rows of cells over one buffer.
#[derive(Clone, Default)]
pub struct Rows {
    /// The text as found, then the cells that had to be rewritten (quotes, escapes).
    pub(crate) text: String,
    /// `width` cells a row: where each begins and ends in `text`.
    pub(crate) cells: Vec<(u32, u32)>,
    pub(crate) rows: Vec<RowAt>,
    pub(crate) width: usize,
    /// Names of the columns beyond the header (JSON keys first seen here).
    pub(crate) extra: Vec<String>,
    pub(crate) first_line: u64,
    pub(crate) delimiter: u8,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A cell as found; empty where the row has none.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        if column >= self.width {
            return "";
        }
        let (start, end) = self.cells[row * self.width + column];
        &self.text[start as usize..end as usize]
    }

    /// A cell that says something: trimmed, and none of the ways to write nothing.
    pub fn known(&self, row: usize, column: usize) -> Option<&str> {
        known(self.cell(row, column))
    }

    /// The row as found.
    pub fn content(&self, row: usize) -> String {
        let at = self.rows[row];
        if at.start < at.end {
            return self.text[at.start as usize..at.end as usize].trim_end_matches(['\r', '\n']).to_string();
        }
        let cells: Vec<String> = (0..self.width).map(|c| csv::quoted(self.cell(row, c), self.delimiter)).collect();
        cells.join(if self.delimiter == b'\t' { "\t" } else { "," })
    }

    pub(crate) fn empty(width: usize, delimiter: u8) -> Rows {
        Rows { width, delimiter, ..Rows::default() }
    }

    /// Adds a row of cells that have no text of their own.
    pub(crate) fn push(&mut self, row: u64, cells: impl Iterator<Item = String>) {
        let at = self.text.len() as u32;
        let wanted = (self.rows.len() + 1) * self.width;
        for cell in cells.take(self.width) {
            let start = self.text.len() as u32;
            self.text.push_str(&cell);
            self.cells.push((start, self.text.len() as u32));
        }
        self.cells.resize(wanted, (at, at));
        self.rows.push(RowAt { start: 0, end: 0, row, flaw: None });
    }
}

/// What a cell says, without the spaces around it; `None` for the ways to write nothing.
pub(crate) fn known(cell: &str) -> Option<&str> {
    let bytes = cell.as_bytes();
    let plain = |b: &u8| b.is_ascii() && *b > b' ';
    let cell = match (bytes.first(), bytes.last()) {
        (None, _) | (_, None) => return None,
        (Some(a), Some(z)) if plain(a) && plain(z) => cell,
        _ => cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\0')),
    };
    match cell.as_bytes().first()? {
        b'n' | b'N' | b'#' | b'\\' | b'<' | b'-' => match cell {
            "null" | "NULL" | "Null" | "nan" | "NaN" | "NAN" | "None" | "none" | "N/A" | "n/a" | "NA" | "#N/A"
            | "\\N" | "<NA>" | "NaT" | "-" => None,
            _ => Some(cell),
        },
        _ => Some(cell),
    }
}
