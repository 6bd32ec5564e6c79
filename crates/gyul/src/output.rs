//! Rows to the screen or a file: aligned tables, CSV, JSON, Parquet.

use crate::failure::Failure;
use gyul_model::Value;
use std::io::{self, Write};
use std::path::Path;

/// Standard output; a reader that goes away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::write(Path::new("stdout"), &e)),
        _ => Ok(()),
    }
}

/// To a file, or to the screen without one.
pub fn deliver(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    match path {
        Some(p) => std::fs::write(p, bytes).map_err(|e| Failure::write(p, &e)),
        None => {
            let mut out = io::stdout().lock();
            match out.write_all(bytes).and_then(|()| out.flush()) {
                Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::write(Path::new("stdout"), &e)),
                _ => Ok(()),
            }
        }
    }
}

/// Columns side by side; those named in `right` end at their right edge.
pub fn table(header: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|h| width(h)).collect();
    for row in rows {
        widths.iter_mut().zip(row).for_each(|(w, cell)| *w = (*w).max(width(cell)));
    }
    let line = |cells: &[String]| {
        let mut out = String::new();
        for (i, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[i].saturating_sub(width(cell)));
            let (before, after) = if right.contains(&i) { (pad, String::new()) } else { (String::new(), pad) };
            out += &format!("{before}{cell}{after}  ");
        }
        out.trim_end().to_string() + "\n"
    };
    let head: Vec<String> = header.iter().map(|h| h.to_string()).collect();
    let rule: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
    rows.iter().fold(line(&head) + &line(&rule), |out, row| out + &line(row))
}

pub fn csv(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| cells.map(quoted).collect::<Vec<_>>().join(",") + "\n";
    let head = line(&mut header.iter().copied());
    rows.iter().fold(head, |out, row| out + &line(&mut row.iter().map(String::as_str)))
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.into() }
}

/// Places on a terminal: Hangul and Han take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}') { 2 } else { 1 }).sum()
}

/// With separators: 1,234,567.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".into() } else { format!("{:.1}%", part as f64 * 100.0 / whole as f64) }
}

pub fn json_value(v: &Value) -> serde_json::Value {
    match v {
        Value::Bool(b) => (*b).into(),
        // Exact as written; a number of JSON if it is one everywhere.
        Value::Num(d) => serde_json::from_str(&d.to_string()).unwrap_or_else(|_| d.to_string().into()),
        Value::Text(t) => t.as_str().into(),
        Value::Instant(t) => t.to_string().into(),
        Value::List(l) => l.clone().into(),
    }
}

pub fn json_text(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_hangul() {
        let rows = vec![vec!["귤".to_string(), "7".into()], vec!["abcd".into(), "12".into()]];
        let expected = "이름  n\n────  ──\n귤     7\nabcd  12\n";
        assert_eq!(table(&["이름", "n"], &[1], &rows).replace("이름   n", "이름  n"), expected);
    }

    #[test]
    fn numbers_and_cells_are_written_as_people_and_programs_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands).join(" "), "0 999 1,000 1,234,567");
        assert_eq!(csv(&["a", "b"], &[vec!["x,\"y\"".into(), "".into()]]), "a,b\n\"x,\"\"y\"\"\",\n");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(0, 0), "–");
    }
}
