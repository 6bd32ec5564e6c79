//! Formats with cells of their own: Parquet and Excel. Their values are written the way CSV would write them.

use crate::problem::InputErrorKind as Kind;
use crate::rows::Rows;
use calamine::{Data, Reader, Xlsx};
use gyul_model::{Date, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, MICROS_SECOND};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Rows a chunk.
const CHUNK_ROWS: usize = 8192;

/// All bytes at once, to seek in.
pub(crate) enum Whole {
    File(File),
    Bytes(Vec<u8>),
}

pub(crate) struct Table {
    pub header: Vec<String>,
    /// The sheet, of Excel.
    pub name: String,
    rows: Cells,
}

enum Cells {
    Parquet { rows: RowIter<'static>, stamps: Vec<Option<Stamp>> },
    Excel(std::vec::IntoIter<Vec<Data>>),
}

/// How a column of Parquet counts time: nanoseconds come as plain numbers.
#[derive(Clone, Copy)]
struct Stamp {
    nanos: bool,
    utc: bool,
}

impl Table {
    pub fn parquet(whole: Whole) -> Result<Table, Kind> {
        guarded(|| {
            let reader: Box<dyn FileReader> = match whole {
                Whole::File(f) => Box::new(SerializedFileReader::new(f).map_err(damaged)?),
                Whole::Bytes(b) => Box::new(SerializedFileReader::new(bytes::Bytes::from(b)).map_err(damaged)?),
            };
            let schema = reader.metadata().file_metadata().schema_descr_ptr();
            let fields = schema.root_schema().get_fields();
            let header = fields.iter().map(|f| f.name().to_string()).collect();
            let stamps = fields.iter().map(|f| match f.get_basic_info().logical_type_ref() {
                Some(LogicalType::Timestamp(t)) => {
                    Some(Stamp { nanos: matches!(t.unit, TimeUnit::NANOS), utc: t.is_adjusted_to_u_t_c })
                }
                _ => None,
            });
            let stamps = stamps.collect();
            Ok(Table {
                header,
                name: String::new(),
                rows: Cells::Parquet { rows: RowIter::from_file_into(reader), stamps },
            })
        })
    }

    pub fn excel(bytes: Vec<u8>) -> Result<Table, Kind> {
        guarded(|| {
            let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| Kind::Damaged(e.to_string()))?;
            // The first sheet with anything in it.
            for name in book.sheet_names() {
                let range = book.worksheet_range(&name).map_err(|e| Kind::Damaged(e.to_string()))?;
                let mut rows = range.rows().map(<[Data]>::to_vec).collect::<Vec<_>>().into_iter();
                let blank = |r: &Vec<Data>| r.iter().all(|c| matches!(c, Data::Empty));
                if let Some(head) = rows.by_ref().find(|r| !blank(r)) {
                    let header = head.iter().map(excel_text).collect();
                    let rest: Vec<_> = rows.filter(|r| !blank(r)).collect();
                    return Ok(Table { header, name, rows: Cells::Excel(rest.into_iter()) });
                }
            }
            Err(Kind::Empty)
        })
    }

    /// The next rows; none at the end.
    pub fn next(&mut self, first_row: u64) -> Result<Rows, Kind> {
        let mut out = Rows::empty(self.header.len(), b',');
        guarded(|| {
            for i in 0..CHUNK_ROWS as u64 {
                match &mut self.rows {
                    Cells::Excel(rows) => match rows.next() {
                        Some(row) => out.push(first_row + i, row.iter().map(excel_text)),
                        None => break,
                    },
                    Cells::Parquet { rows, stamps } => match rows.next() {
                        Some(row) => push_parquet(&mut out, first_row + i, &row.map_err(damaged)?, stamps),
                        None => break,
                    },
                }
            }
            Ok(out)
        })
    }
}

/// The libraries' own faults on damaged files become errors of the file.
fn guarded<T>(read: impl FnOnce() -> Result<T, Kind>) -> Result<T, Kind> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Kind::Damaged("the decoder gave up".into())))
}

fn damaged(e: parquet::errors::ParquetError) -> Kind {
    let text = e.to_string();
    let cut_short = ["EOF", "footer", "Invalid Parquet file", "smaller than"].iter().any(|w| text.contains(w));
    if cut_short { Kind::Truncated(text) } else { Kind::Damaged(text) }
}

fn push_parquet(out: &mut Rows, number: u64, row: &Row, stamps: &[Option<Stamp>]) {
    let cells = row.get_column_iter().zip(stamps).map(|((_, field), stamp)| parquet_text(field, *stamp));
    out.push(number, cells);
}

fn parquet_text(field: &Field, stamp: Option<Stamp>) -> String {
    // Without a logical type (INT96, old writers) Parquet means UTC.
    let utc = stamp.is_none_or(|s| s.utc);
    match (field, stamp) {
        (Field::Null, _) => String::new(),
        (Field::Str(s), _) => s.clone(),
        (Field::Long(n), Some(Stamp { nanos: true, .. })) => moment(n.div_euclid(1000), utc),
        (Field::TimestampMillis(n), _) => moment(n.saturating_mul(1000), utc),
        (Field::TimestampMicros(n), _) => moment(*n, utc),
        (Field::Date(d), _) => Date(*d).to_string(),
        (Field::Double(x), _) => x.to_string(),
        (Field::Float(x), _) => x.to_string(),
        (Field::Bytes(b), _) => String::from_utf8_lossy(b.data()).into_owned(),
        (other, _) => other.to_string(),
    }
}

/// `2026-11-22T15:04:05.000000`, with `Z` if the instant is known.
fn moment(micros: i64, utc: bool) -> String {
    let (day, rest) = (micros.div_euclid(MICROS_DAY), micros.rem_euclid(MICROS_DAY));
    let date = Date(day.clamp(-4_000_000, 2_900_000) as i32);
    let (h, m) = (rest / MICROS_HOUR, rest % MICROS_HOUR / MICROS_MINUTE);
    let (s, us) = (rest % MICROS_MINUTE / MICROS_SECOND, rest % MICROS_SECOND);
    format!("{date}T{h:02}:{m:02}:{s:02}.{us:06}{}", if utc { "Z" } else { "" })
}

fn excel_text(cell: &Data) -> String {
    match cell {
        Data::Empty | Data::Error(_) => String::new(),
        Data::DateTime(d) if d.is_datetime() => {
            let (y, mo, d, h, mi, s, ms) = d.to_ymd_hms_milli();
            format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}.{ms:03}")
        }
        Data::DateTime(d) => d.as_f64().to_string(),
        Data::DateTimeIso(s) | Data::DurationIso(s) | Data::String(s) => s.clone(),
        Data::Int(n) => n.to_string(),
        Data::Float(x) => x.to_string(),
        Data::Bool(b) => b.to_string(),
    }
}
