//! Delimited text: where records end, and what their cells are.

use crate::rows::{Flaw, RowAt, Rows};
use memchr::{memchr, memchr_iter, memchr2, memchr3_iter};

/// Where complete records end in a buffer, and how many there are.
#[derive(Debug, PartialEq)]
pub(crate) struct Cut {
    /// Bytes up to and with the last record end outside quotes.
    pub end: usize,
    pub records: u64,
    pub lines: u64,
    /// Whether the rest begins a quoted cell that is still open.
    pub open: bool,
}

/// Finds the last record end. Looks at quotes only: a quote opens a cell where a cell begins, nowhere else.
pub(crate) fn cut(text: &[u8], delimiter: u8) -> Cut {
    let mut cut = Cut { end: 0, records: 0, lines: 0, open: false };
    let mut at = 0;
    loop {
        // Outside quotes, at `at`: the next quote that opens a cell ends the stretch of plain records.
        let open = opening_quote(text, at, delimiter);
        let plain = &text[at..open.unwrap_or(text.len())];
        if let Some(last) = memchr::memrchr(b'\n', plain) {
            let n = memchr_iter(b'\n', &plain[..=last]).count() as u64;
            cut.records += n;
            cut.lines = memchr_lines(text, cut.end, at, cut.lines) + n;
            cut.end = at + last + 1;
        }
        let Some(open) = open else { return cut };
        match closing_quote(text, open + 1) {
            Some(close) => at = close + 1,
            None => return Cut { open: true, ..cut },
        }
    }
}

/// Lines so far, with the line ends inside quotes between `from` and `to`.
fn memchr_lines(text: &[u8], from: usize, to: usize, lines: u64) -> u64 {
    lines + memchr_iter(b'\n', &text[from.min(to)..to]).count() as u64
}

fn opening_quote(text: &[u8], from: usize, delimiter: u8) -> Option<usize> {
    memchr_iter(b'"', &text[from..])
        .map(|i| from + i)
        .find(|&i| i == 0 || text[i - 1] == b'\n' || text[i - 1] == delimiter)
}

/// The quote that ends the cell whose content begins at `from`; doubled quotes are content.
fn closing_quote(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let i = from + memchr(b'"', &text[from..])?;
        if text.get(i + 1) != Some(&b'"') {
            return Some(i);
        }
        from = i + 2;
    }
}

/// Takes records apart. Blank lines count as row numbers but are no rows.
pub(crate) fn rows(text: String, delimiter: u8, width: usize, first_row: u64, first_line: u64) -> Rows {
    let found = text.len();
    let mut out = Rows { text, first_line, ..Rows::empty(width, delimiter) };
    out.cells.reserve(found / 8);
    out.rows.reserve(found / 48);
    let (mut at, mut row) = (0, first_row);
    while at < found {
        let bytes = &out.text.as_bytes()[..found];
        let line = &bytes[at..memchr(b'\n', &bytes[at..]).map_or(found, |i| at + i + 1)];
        if line.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ')) {
            at += line.len();
        } else if memchr(b'"', line).is_none() {
            let end = at + line.len();
            plain_record(&mut out, at, end, row);
            at = end;
        } else {
            at = quoted_record(&mut out, at, found, row);
        }
        row += 1;
    }
    out
}

fn plain_record(out: &mut Rows, start: usize, end: usize, row: u64) {
    let Rows { text, cells, rows, width, delimiter, .. } = out;
    let bytes = text.as_bytes();
    let mut stop = end;
    while stop > start && matches!(bytes[stop - 1], b'\n' | b'\r') {
        stop -= 1;
    }
    let first = cells.len();
    let mut from = start;
    for i in memchr_iter(*delimiter, &bytes[start..stop]) {
        cells.push((from as u32, (start + i) as u32));
        from = start + i + 1;
    }
    cells.push((from as u32, stop as u32));
    let flaw = fit(cells, first, *width);
    rows.push(RowAt { start: start as u32, end: end as u32, row, flaw });
}

/// Makes the row exactly `width` cells wide. Further cells are forgiven if they are empty.
fn fit(cells: &mut Vec<(u32, u32)>, first: usize, width: usize) -> Option<Flaw> {
    let n = cells.len() - first;
    let bad = n < width || cells[first + width..].iter().any(|(a, b)| a < b);
    cells.resize(first + width, (0, 0));
    bad.then_some(Flaw::ColumnCount)
}

fn quoted_record(out: &mut Rows, start: usize, found: usize, row: u64) -> usize {
    let (delimiter, first) = (out.delimiter, out.cells.len());
    let (mut at, mut unclosed) = (start, false);
    let end = loop {
        let bytes = &out.text.as_bytes()[..found];
        // One cell from `at`; then `at` is behind its delimiter, or the record ends.
        let stop = if bytes.get(at) == Some(&b'"') {
            let close = closing_quote(bytes, at + 1);
            unclosed |= close.is_none();
            let close = close.unwrap_or(found);
            let stop = cell_end(bytes, (close + 1).min(found), delimiter);
            let inner = (at + 1).min(close)..close;
            if memchr(b'"', &bytes[inner.clone()]).is_none() && trailing_space(&bytes[(close + 1).min(stop)..stop]) {
                out.cells.push((inner.start as u32, inner.end as u32));
            } else {
                let rest = (close + 1).min(stop)..stop;
                let content = out.text[inner].replace("\"\"", "\"") + &out.text[rest];
                let from = out.text.len() as u32;
                out.text.push_str(&content);
                out.cells.push((from, out.text.len() as u32));
            }
            stop
        } else {
            let stop = cell_end(bytes, at, delimiter);
            out.cells.push((at as u32, stop as u32));
            stop
        };
        match out.text.as_bytes()[..found].get(stop) {
            Some(b) if *b == delimiter => at = stop + 1,
            Some(b'\r') if out.text.as_bytes()[..found].get(stop + 1) == Some(&b'\n') => break stop + 2,
            Some(_) => break stop + 1,
            None => break found,
        }
    };
    let flaw = if unclosed { Some(Flaw::UnclosedQuote) } else { None };
    let misfit = fit(&mut out.cells, first, out.width);
    out.rows.push(RowAt { start: start as u32, end: end as u32, row, flaw: flaw.or(misfit) });
    end
}

fn trailing_space(rest: &[u8]) -> bool {
    rest.iter().all(|b| matches!(b, b' ' | b'\r'))
}

/// The end of an unquoted cell: its delimiter, the line's end (before a CR), or the end of all.
fn cell_end(bytes: &[u8], from: usize, delimiter: u8) -> usize {
    match memchr2(delimiter, b'\n', &bytes[from..]) {
        Some(i) if i > 0 && bytes[from + i] == b'\n' && bytes[from + i - 1] == b'\r' => from + i - 1,
        Some(i) => from + i,
        None => bytes.len(),
    }
}

/// One record, for headers.
pub(crate) fn record(text: &str, delimiter: u8) -> Vec<String> {
    let wide = memchr3_iter(delimiter, delimiter, delimiter, text.as_bytes()).count() + 1;
    let rows = rows(text.to_string(), delimiter, wide, 0, 0);
    if rows.is_empty() {
        return vec![];
    }
    // A quoted delimiter makes `wide` too large: cells that are not there read as (0, 0).
    let n = rows.cells.iter().rposition(|c| *c != (0, 0)).map_or(0, |i| i + 1);
    (0..n.min(wide)).map(|c| rows.cell(0, c).trim().to_string()).collect()
}

/// A cell as CSV writes it.
pub(crate) fn quoted(cell: &str, delimiter: u8) -> String {
    if cell.bytes().any(|b| matches!(b, b'"' | b'\n' | b'\r' | b',') || b == delimiter) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_string()
    }
}

/// The delimiter that splits the header into most cells and the next lines into as many.
pub(crate) fn sniff_delimiter(text: &str) -> u8 {
    let score = |d: u8| {
        let mut at = 0;
        let mut widths = vec![];
        while at < text.len() && widths.len() < 20 {
            let end = record_end(text.as_bytes(), at, d);
            let n = record(&text[at..end], d).len();
            if n > 0 {
                widths.push(n);
            }
            at = end;
        }
        let Some(&head) = widths.first() else { return (0, 0) };
        // The last line may be cut short by the block's end.
        let alike = widths.iter().filter(|w| **w == head).count() * 100 / widths.len();
        (if head > 1 { alike } else { 0 }, head)
    };
    [b',', b'\t', b';', b'|'].into_iter().max_by_key(|d| (score(*d), *d == b',')).unwrap_or(b',')
}

/// The end of the record that begins at `from`.
pub(crate) fn record_end(text: &[u8], from: usize, delimiter: u8) -> usize {
    let mut at = from;
    loop {
        if text.get(at) == Some(&b'"') {
            at = match closing_quote(text, at + 1) {
                Some(close) => close + 1,
                None => return text.len(),
            };
        }
        match memchr2(delimiter, b'\n', &text[at.min(text.len())..]) {
            Some(i) if text[at + i] == b'\n' => return at + i + 1,
            Some(i) => at += i + 1,
            None => return text.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, width: usize) -> Vec<Vec<String>> {
        let r = rows(text.to_string(), b',', width, 1, 2);
        (0..r.len()).map(|i| (0..width).map(|c| r.cell(i, c).to_string()).collect()).collect()
    }

    #[test]
    fn cells_are_what_rfc_4180_says() {
        assert_eq!(table("a,b\r\nc,d\n", 2), [["a", "b"], ["c", "d"]]);
        assert_eq!(table("\"a,\"\"x\"\"\",\"b\nc\"\r\n1,\"\"", 2), [["a,\"x\"", "b\nc"], ["1", ""]]);
        assert_eq!(table("5\"8 tall,b\n\n,\n", 2), [["5\"8 tall", "b"], ["", ""]]);
        assert_eq!(record("\"a,b\",c,\"d\"", b','), ["a,b", "c", "d"]);
    }

    #[test]
    fn flaws_are_seen() {
        let flaw = |text: &str| rows(text.to_string(), b',', 2, 1, 2).rows.iter().map(|r| r.flaw).collect::<Vec<_>>();
        assert_eq!(flaw("a\na,b,c\na,b,\na,b"), [Some(Flaw::ColumnCount), Some(Flaw::ColumnCount), None, None]);
        assert_eq!(flaw("a,\"b\nc,d\n"), [Some(Flaw::UnclosedQuote)]);
    }

    #[test]
    fn records_are_cut_outside_quotes_only() {
        assert_eq!(cut(b"a,b\nc,\"d\ne\"\nf", b','), Cut { end: 12, records: 2, lines: 3, open: false });
        assert_eq!(cut(b"a,b\nc,\"d\ne", b','), Cut { end: 4, records: 1, lines: 1, open: true });
        assert_eq!(cut(b"5\"8,b\nc", b','), Cut { end: 6, records: 1, lines: 1, open: false });
    }

    #[test]
    fn delimiters_are_told_from_decimal_commas() {
        assert_eq!(sniff_delimiter("a;b;c\n1,5;2,5;x\n1,7;2;y\n"), b';');
        assert_eq!(sniff_delimiter("a\tb\n1,5\tx\n"), b'\t');
        assert_eq!(sniff_delimiter("a,b\n1,x\n"), b',');
    }
}
