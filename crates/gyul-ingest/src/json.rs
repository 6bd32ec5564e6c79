//! JSON Lines: objects become rows, nested objects `outer.inner` columns.

use crate::csv::Cut;
use crate::rows::{Flaw, RowAt, Rows};
use memchr::{memchr_iter, memrchr};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// Objects nested deeper than this are kept as JSON text.
const DEPTH_MAX: usize = 4;
/// More columns than this are not opened; what is in them is left out.
const COLUMNS_MAX: usize = 512;

pub(crate) fn cut(text: &[u8]) -> Cut {
    let end = memrchr(b'\n', text).map_or(0, |i| i + 1);
    let n = memchr_iter(b'\n', &text[..end]).count() as u64;
    Cut { end, records: n, lines: n, open: false }
}

/// The columns of the objects in a piece of text, in order of appearance.
pub(crate) fn keys(text: &str) -> Vec<String> {
    let mut names = vec![];
    let mut index = FxHashMap::default();
    for line in text.lines() {
        if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) {
            flatten("", &Value::Object(object), 0, &mut |name, _| {
                if !index.contains_key(name) && names.len() < COLUMNS_MAX {
                    index.insert(name.to_string(), names.len());
                    names.push(name.to_string());
                }
            });
        }
    }
    names
}

pub(crate) fn rows(text: String, header: &[String], first_row: u64, first_line: u64) -> Rows {
    let found = text.len();
    let mut index: FxHashMap<String, usize> = header.iter().cloned().zip(0..).collect();
    let mut extra = vec![];
    // Cells of each row as (column, start, end): the width is known at the end only.
    let mut cells: Vec<(usize, u32, u32)> = vec![];
    let mut bounds = vec![];
    let mut out = Rows { text, first_line, ..Rows::empty(0, b',') };
    let (mut at, mut row) = (0, first_row);
    while at < found {
        let end = memchr::memchr(b'\n', &out.text.as_bytes()[at..found]).map_or(found, |i| at + i + 1);
        let line = out.text[at..end].trim();
        if !line.is_empty() {
            let parsed = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
            let flaw = parsed.is_none().then_some(Flaw::BadJson);
            if let Some(object) = parsed {
                flatten("", &object, 0, &mut |name, value| {
                    let column = match index.get(name) {
                        Some(&c) => c,
                        None if index.len() < COLUMNS_MAX => {
                            let c = index.len();
                            index.insert(name.to_string(), c);
                            extra.push(name.to_string());
                            c
                        }
                        None => return,
                    };
                    let start = out.text.len() as u32;
                    write(value, &mut out.text);
                    cells.push((column, start, out.text.len() as u32));
                });
            }
            out.rows.push(RowAt { start: at as u32, end: end as u32, row, flaw });
            bounds.push(cells.len());
        }
        at = end;
        row += 1;
    }
    out.width = header.len() + extra.len();
    out.extra = extra;
    out.cells = vec![(0, 0); out.width * out.rows.len()];
    let mut from = 0;
    for (i, to) in bounds.into_iter().enumerate() {
        for &(column, start, end) in &cells[from..to] {
            out.cells[i * out.width + column] = (start, end);
        }
        from = to;
    }
    out
}

fn flatten(prefix: &str, value: &Value, depth: usize, take: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(object) if depth < DEPTH_MAX => {
            for (key, value) in object {
                if prefix.is_empty() {
                    flatten(key, value, depth + 1, take);
                } else {
                    flatten(&format!("{prefix}.{key}"), value, depth + 1, take);
                }
            }
        }
        Value::Null => {}
        value => take(prefix, value),
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(s) => out.push_str(s),
        Value::Array(items) if items.iter().all(|i| i.is_string() || i.is_number()) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                write(item, out);
            }
        }
        other => out.push_str(&other.to_string()),
    }
}
