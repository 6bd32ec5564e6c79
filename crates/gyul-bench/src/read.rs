//! The generator's Parquet files, a part at a time, in packed columns.

use gyul_model::{Codes, Ints};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One column of a file. `i64::MIN`, 2 and code 0 are unknown.
pub enum Packed {
    Int(Ints),
    /// Mantissas of scale 6.
    Real(Vec<i64>),
    Bool(Vec<u8>),
    /// Microseconds since the epoch.
    Instant(Vec<i64>),
    Text {
        codes: Codes,
        dict: Vec<String>,
    },
}

/// A file's columns by name, as wide as they were needed.
pub struct Part {
    pub rows: usize,
    pub columns: Vec<(String, Packed)>,
}

impl Part {
    pub fn take(&mut self, name: &str) -> Fallible<Packed> {
        let at = self.columns.iter().position(|(n, _)| n == name).ok_or_else(|| format!("no column {name}"))?;
        Ok(self.columns.remove(at).1)
    }
}

/// The Parquet files of a folder, in the order of their names.
pub fn files(folder: &Path) -> Fallible<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}; make the data with bench/workload/generator.py", folder.display()))?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "parquet"))
        .collect();
    found.sort();
    Ok(found)
}

pub fn read(path: &Path) -> Fallible<Part> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let mut part = Part { rows: reader.metadata().file_metadata().num_rows() as usize, columns: vec![] };
    for (i, column) in schema.columns().iter().enumerate() {
        part.columns.push((column.name().to_string(), read_column(&reader, i)?));
    }
    Ok(part)
}

fn read_column(reader: &SerializedFileReader<File>, column: usize) -> Fallible<Packed> {
    let (mut ints, mut bools, mut reals, mut codes) = (vec![], vec![], vec![], vec![]);
    let (mut dict, mut known): (Vec<String>, FxHashMap<Vec<u8>, u32>) = (vec![], FxHashMap::default());
    let name = reader.metadata().file_metadata().schema_descr().column(column).name().to_string();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let rows = group.metadata().num_rows() as usize;
        match group.get_column_reader(column)? {
            ColumnReader::Int32ColumnReader(r) => fill(r, rows, |v| ints.push(v.map_or(i64::MIN, |v| i64::from(*v))))?,
            ColumnReader::Int64ColumnReader(r) => fill(r, rows, |v| ints.push(v.map_or(i64::MIN, |v| *v)))?,
            ColumnReader::BoolColumnReader(r) => fill(r, rows, |v| bools.push(v.map_or(2, |v| u8::from(*v))))?,
            ColumnReader::FloatColumnReader(r) => {
                fill(r, rows, |v| reals.push(v.map_or(i64::MIN, |v| (f64::from(*v) * 1e6).round() as i64)))?
            }
            ColumnReader::ByteArrayColumnReader(r) => fill(r, rows, |v| {
                let Some(v) = v else { return codes.push(0) };
                codes.push(known.get(v.data()).copied().unwrap_or_else(|| {
                    dict.push(String::from_utf8_lossy(v.data()).into_owned());
                    known.insert(v.data().to_vec(), dict.len() as u32);
                    dict.len() as u32
                }));
            })?,
            _ => return Err(format!("column {name} has a type that the generator does not write").into()),
        }
    }
    Ok(match () {
        _ if !bools.is_empty() => Packed::Bool(bools),
        _ if !reals.is_empty() => Packed::Real(reals),
        _ if !codes.is_empty() => Packed::Text { codes: Codes::pack(&codes), dict },
        _ if name.ends_with("ts") || name == "customer_id" => Packed::Instant(ints),
        _ => Packed::Int(Ints::pack(&ints)),
    })
}

/// Hands every row of a column chunk to `push`, unknown ones as `None`.
fn fill<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    mut push: impl FnMut(Option<&T::T>),
) -> Fallible<()> {
    let (mut left, mut levels, mut values) = (rows, vec![], vec![]);
    while left > 0 {
        levels.clear();
        values.clear();
        let (records, found, _) = reader.read_records(left.min(65_536), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err("a column ends early".into());
        }
        left -= records;
        if found == records {
            values.iter().for_each(|v| push(Some(v)));
        } else {
            let mut next = values.iter();
            levels.iter().for_each(|l| push(if *l == 1 { next.next() } else { None }));
        }
    }
    Ok(())
}
