//! Parquet files: our columns out and in, a row group for each bucket.

use crate::error::StoreError;
use crate::interner::Texts;
use crate::rows::{Kind, Values};
use gyul_model::TextColumn;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A column of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub scale: u8,
}

/// The values of a column in one row group.
pub enum Data<'a> {
    /// `i64::MIN` is null.
    Ints(&'a [i64]),
    /// 2 is null.
    Bools(&'a [i64]),
    /// Code 0 is null; lists are joined with U+001F.
    Texts { codes: &'a [u32], dict: &'a Texts, list: bool },
}

impl<'a> Data<'a> {
    pub fn of(v: &'a Values) -> Data<'a> {
        match v.kind {
            Kind::Text | Kind::List => Data::Texts { codes: &v.codes, dict: &v.dict.texts, list: v.kind == Kind::List },
            Kind::Bool => Data::Bools(&v.ints),
            Kind::Num | Kind::Instant => Data::Ints(&v.ints),
        }
    }
}

/// A file of fewer rows is written as it is. Each column of each group has a codec of its own, which asks the processor what it
/// can do; on a virtual machine that takes longer than all the rest of a small file.
const COMPRESSED_FROM: usize = 1024;

pub struct Writer {
    path: PathBuf,
    writer: SerializedFileWriter<Spill>,
}

/// A file that is open only while something is written to it: a base of a thousand event names has more files than a
/// process may hold open.
struct Spill {
    path: PathBuf,
    waiting: Vec<u8>,
}

/// Bytes that wait for it at most.
const WAITING: usize = 256 << 10;

impl Spill {
    fn create(path: &Path) -> std::io::Result<Spill> {
        File::create(path).map(|_| Spill { path: path.to_path_buf(), waiting: vec![] })
    }

    /// Writes what waits.
    fn spill(&mut self) -> std::io::Result<File> {
        let mut file = File::options().append(true).open(&self.path)?;
        file.write_all(&self.waiting)?;
        self.waiting = vec![];
        Ok(file)
    }
}

impl Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() > WAITING {
            self.spill()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn leaf(f: &Field) -> parquet::errors::Result<Type> {
    let b = |p| Type::primitive_type_builder(&f.name, p).with_repetition(Repetition::OPTIONAL);
    let utf8 = Some(LogicalType::String);
    match f.kind {
        Kind::Bool => b(Physical::BOOLEAN).build(),
        Kind::Num if f.scale == 0 => b(Physical::INT64).build(),
        Kind::Num => b(Physical::INT64)
            .with_logical_type(Some(LogicalType::decimal(f.scale.into(), 18)))
            .with_precision(18)
            .with_scale(f.scale.into())
            .build(),
        Kind::Instant => {
            b(Physical::INT64).with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS))).build()
        }
        Kind::Text => b(Physical::BYTE_ARRAY).with_logical_type(utf8).build(),
        Kind::List => {
            let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(utf8)
                .build()?;
            let items = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(element)])
                .build()?;
            Type::group_type_builder(&f.name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_converted_type(ConvertedType::LIST)
                .with_fields(vec![Arc::new(items)])
                .build()
        }
    }
}

impl Writer {
    /// `sorted`: indexes of the leading columns that the rows of each group are sorted by. `rows`: about how many there will be, of
    /// all groups together.
    pub fn create(path: &Path, fields: &[Field], sorted: &[i32], rows: usize) -> Result<Writer, StoreError> {
        let file = Spill::create(path).map_err(StoreError::io(path))?;
        let made = || -> parquet::errors::Result<_> {
            let columns =
                fields.iter().map(|f| leaf(f).map(Arc::new)).collect::<parquet::errors::Result<Vec<TypePtr>>>()?;
            let schema = Type::group_type_builder("gyul").with_fields(columns).build()?;
            let sorting = sorted
                .iter()
                .map(|i| SortingColumn { column_idx: *i, descending: false, nulls_first: true })
                .collect::<Vec<_>>();
            let small = rows < COMPRESSED_FROM;
            let compression = if small { Compression::UNCOMPRESSED } else { Compression::ZSTD(ZstdLevel::try_new(1)?) };
            let props = WriterProperties::builder()
                .set_compression(compression)
                // All different: a dictionary would cost time and space.
                .set_column_dictionary_enabled("seq".into(), false)
                .set_column_dictionary_enabled("id".into(), false)
                .set_sorting_columns((!sorting.is_empty()).then_some(sorting))
                .build();
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(props))
        };
        let writer = made().map_err(|e| failed(path, e))?;
        Ok(Writer { path: path.to_path_buf(), writer })
    }

    pub fn group(&mut self, columns: &[Data]) -> Result<(), StoreError> {
        let mut write = || -> parquet::errors::Result<()> {
            let mut group = self.writer.next_row_group()?;
            for c in columns {
                column(&mut group, c)?;
            }
            group.close()?;
            Ok(())
        };
        write().map_err(|e| failed(&self.path, e))
    }

    /// Finishes the file and makes sure that it is on disk.
    pub fn close(self) -> Result<(), StoreError> {
        let path = self.path;
        let mut file = self.writer.into_inner().map_err(|e| failed(&path, e))?;
        file.spill().and_then(|f| f.sync_all()).map_err(StoreError::io(&path))
    }
}

fn column(group: &mut SerializedRowGroupWriter<Spill>, data: &Data) -> parquet::errors::Result<()> {
    let Some(mut w) = group.next_column()? else { return Ok(()) };
    match data {
        Data::Ints(v) => {
            let levels: Vec<i16> = v.iter().map(|x| i16::from(*x != i64::MIN)).collect();
            let known: Vec<i64> = v.iter().copied().filter(|x| *x != i64::MIN).collect();
            w.typed::<Int64Type>().write_batch(&known, Some(&levels), None)?;
        }
        Data::Bools(v) => {
            let levels: Vec<i16> = v.iter().map(|x| i16::from(*x != 2)).collect();
            let known: Vec<bool> = v.iter().filter(|x| **x != 2).map(|x| *x == 1).collect();
            w.typed::<BoolType>().write_batch(&known, Some(&levels), None)?;
        }
        Data::Texts { codes, dict, list: false } => {
            // All texts in one buffer: no allocation for each.
            let all = ByteArray::from(dict.bytes().to_vec());
            let mut end = 0;
            let slice = |t: &str| {
                end += t.len();
                all.slice(end - t.len(), t.len())
            };
            let texts: Vec<ByteArray> = dict.iter().map(slice).collect();
            let levels: Vec<i16> = codes.iter().map(|c| i16::from(*c != 0)).collect();
            let known: Vec<ByteArray> =
                codes.iter().filter(|c| **c != 0).map(|c| texts[*c as usize - 1].clone()).collect();
            w.typed::<ByteArrayType>().write_batch(&known, Some(&levels), None)?;
        }
        Data::Texts { codes, dict, list: true } => {
            let (mut values, mut defs, mut reps) = (vec![], vec![], vec![]);
            for c in *codes {
                if *c == 0 {
                    defs.push(0);
                    reps.push(0);
                    continue;
                }
                for (i, item) in dict.get(*c - 1).split('\u{1f}').enumerate() {
                    values.push(ByteArray::from(item.as_bytes().to_vec()));
                    defs.push(2);
                    reps.push(i16::from(i > 0));
                }
            }
            w.typed::<ByteArrayType>().write_batch(&values, Some(&defs), Some(&reps))?;
        }
    }
    w.close()
}

/// A full disk is no damage: what the system said is passed on.
fn failed(path: &Path, e: parquet::errors::ParquetError) -> StoreError {
    if let parquet::errors::ParquetError::External(inner) = e {
        return match inner.downcast::<std::io::Error>() {
            Ok(io) => StoreError::io(path)(*io),
            Err(other) => StoreError::damaged(path, other),
        };
    }
    StoreError::damaged(path, e)
}

pub struct Reader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let file = File::open(path).map_err(StoreError::io(path))?;
        let reader = SerializedFileReader::new(file).map_err(|e| StoreError::damaged(path, e))?;
        Ok(Reader { path: path.to_path_buf(), reader })
    }

    pub fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    pub fn rows(&self, group: usize) -> usize {
        self.reader.metadata().row_group(group).num_rows() as usize
    }

    /// Where a column stands among the leaves; lists have one leaf of the path `name.list.element`.
    fn position(&self, name: &str) -> Option<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().position(|c| c.path().parts().first().is_some_and(|p| p == name))
    }

    /// A column of texts that are all different, such as ids: straight, without looking any of them up.
    pub fn read_texts(&self, group: usize, name: &str) -> Result<TextColumn, StoreError> {
        let mut out = TextColumn::default();
        let damaged = |e: &dyn std::fmt::Display| StoreError::damaged(&self.path, e);
        let at = self.position(name).ok_or_else(|| damaged(&format!("column {name} is missing")))?;
        let rows = self.rows(group);
        if rows == 0 {
            return Ok(out);
        }
        let column = self.reader.get_row_group(group).and_then(|g| g.get_column_reader(at)).map_err(|e| damaged(&e))?;
        let ColumnReader::ByteArrayColumnReader(r) = column else {
            return Err(damaged(&format!("column {name} has another type")));
        };
        let push = |v: Option<&ByteArray>, _| out.push(v.map(|v| String::from_utf8_lossy(v.data())).as_deref());
        fill(r, rows, push).map_err(|e| damaged(&e))?;
        Ok(out)
    }

    /// A column of a row group; all unknown if the file does not have it.
    pub fn read(&self, group: usize, field: &Field) -> Result<Values, StoreError> {
        let rows = self.rows(group);
        let mut out = Values::new(&field.name, field.kind);
        out.scale = field.scale;
        if rows == 0 {
            return Ok(out);
        }
        let Some(at) = self.position(&field.name) else {
            out.pad(rows);
            return Ok(out);
        };
        let damaged = |e: &dyn std::fmt::Display| StoreError::damaged(&self.path, e);
        let group = self.reader.get_row_group(group).map_err(|e| damaged(&e))?;
        let column = group.get_column_reader(at).map_err(|e| damaged(&e))?;
        let done = match (column, field.kind) {
            (ColumnReader::Int64ColumnReader(r), Kind::Num | Kind::Instant) => {
                out.ints.reserve(rows);
                fill(r, rows, |v, _| out.ints.push(v.copied().unwrap_or(i64::MIN)))
            }
            (ColumnReader::BoolColumnReader(r), Kind::Bool) => {
                fill(r, rows, |v, _| out.ints.push(v.map_or(2, |v| i64::from(*v))))
            }
            (ColumnReader::ByteArrayColumnReader(r), Kind::Text) => {
                // Values of one dictionary page share their bytes: the address tells that a text was seen.
                let mut seen: FxHashMap<(usize, usize), u32> = FxHashMap::default();
                out.codes.reserve(rows);
                let (codes, dict) = (&mut out.codes, &mut out.dict);
                fill(r, rows, |v, _| {
                    let Some(v) = v else { return codes.push(0) };
                    let bytes = v.data();
                    let key = (bytes.as_ptr() as usize, bytes.len());
                    // Addresses of plain pages come again with other texts, so it is a guess to be checked.
                    let guess = seen.get(&key).copied().filter(|c| dict.texts.get(*c - 1).as_bytes() == bytes);
                    let code = guess.unwrap_or_else(|| dict.code(&String::from_utf8_lossy(bytes)) + 1);
                    if guess.is_none() {
                        seen.insert(key, code);
                    }
                    codes.push(code);
                })
            }
            (ColumnReader::ByteArrayColumnReader(r), Kind::List) => {
                let mut lists: Vec<Option<String>> = vec![];
                let filled = fill(r, rows, |v, continues| {
                    let item = v.map(|v| String::from_utf8_lossy(v.data()).into_owned());
                    match (lists.last_mut(), continues) {
                        (Some(Some(list)), true) => {
                            list.push('\u{1f}');
                            list.push_str(item.as_deref().unwrap_or(""));
                        }
                        _ => lists.push(item),
                    }
                });
                lists.iter().for_each(|l| out.text(l.as_deref()));
                filled
            }
            _ => return Err(damaged(&format!("column {} has another type", field.name))),
        };
        done.map_err(|e| damaged(&e))?;
        if out.ints.len().max(out.codes.len()) != rows {
            return Err(damaged(&format!("column {} ends early", field.name)));
        }
        Ok(out)
    }
}

/// Hands every value to `push`: `None` if null; `true` if it continues a list.
fn fill<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    mut push: impl FnMut(Option<&T::T>, bool),
) -> parquet::errors::Result<()> {
    let (mut left, mut defs, mut reps, mut values) = (rows, vec![], vec![], vec![]);
    while left > 0 {
        defs.clear();
        reps.clear();
        values.clear();
        let (records, found, levels) =
            reader.read_records(left.min(65_536), Some(&mut defs), Some(&mut reps), &mut values)?;
        if records == 0 {
            return Err(parquet::errors::ParquetError::General("a column ends early".into()));
        }
        left -= records;
        if found == levels && reps.is_empty() {
            values.iter().for_each(|v| push(Some(v), false));
            continue;
        }
        let most = defs.iter().copied().max().unwrap_or(1).max(1);
        let mut next = values.iter();
        for i in 0..levels {
            let known = if found == levels { true } else { defs.get(i).is_some_and(|d| *d == most) };
            let continues = reps.get(i).is_some_and(|r| *r > 0);
            push(if known { next.next() } else { None }, continues);
        }
    }
    Ok(())
}
