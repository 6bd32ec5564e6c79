//! Columns of values as a Parquet file, with the writer of columns alone.

use crate::failure::Failure;
use gyul_model::{Decimal, SCALE_MAX, Value};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::sync::Arc;

/// One column a name; all columns have the same length. Numbers are exact decimals of the column's largest scale.
pub fn write(names: &[String], columns: &[&[Option<Value>]]) -> std::result::Result<Vec<u8>, Failure> {
    bytes(names, columns).map_err(|e| {
        Failure::io(format!("Parquet으로 쓸 수 없습니다: {e}"), format!("cannot be written as Parquet: {e}"))
    })
}

fn bytes(names: &[String], columns: &[&[Option<Value>]]) -> Result<Vec<u8>> {
    let kinds: Vec<Kind> = columns.iter().map(|c| kind(c)).collect();
    let fields = names.iter().zip(&kinds).map(|(n, k)| field(n, *k).map(Arc::new)).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("gyul").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(vec![], Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (column, kind) in columns.iter().zip(&kinds) {
        let Some(mut out) = group.next_column()? else { break };
        let levels: Vec<i16> = column.iter().map(|v| i16::from(v.is_some())).collect();
        let known = column.iter().flatten();
        match kind {
            Kind::Bool => {
                let values: Vec<bool> = known.map(|v| matches!(v, Value::Bool(true))).collect();
                out.typed::<BoolType>().write_batch(&values, Some(&levels), None)?;
            }
            Kind::Num(scale) => {
                let values: Vec<i64> = known.map(|v| number(v).at_scale(*scale).unwrap_or(0)).collect();
                out.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Kind::Instant => {
                let micros = |v: &Value| if let Value::Instant(t) = v { t.0 } else { 0 };
                out.typed::<Int64Type>().write_batch(&known.map(micros).collect::<Vec<_>>(), Some(&levels), None)?;
            }
            Kind::Text => {
                let values: Vec<ByteArray> = known.map(|v| ByteArray::from(v.to_string().into_bytes())).collect();
                out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
        }
        out.close()?;
    }
    group.close()?;
    writer.into_inner()
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Num(u8),
    Instant,
    /// Also lists, and columns whose values do not agree.
    Text,
}

fn kind(column: &[Option<Value>]) -> Kind {
    let known = || column.iter().flatten();
    if known().next().is_none() {
        return Kind::Text;
    }
    if known().all(|v| matches!(v, Value::Bool(_))) {
        return Kind::Bool;
    }
    if known().all(|v| matches!(v, Value::Instant(_))) {
        return Kind::Instant;
    }
    let scale = known().map(|v| number(v).scale()).max().unwrap_or(0).min(SCALE_MAX);
    // 18 digits are what 64 bits hold.
    let fits =
        |v: &Value| matches!(v, Value::Num(d) if d.at_scale(scale).is_some_and(|m| m.unsigned_abs() < 10_u64.pow(18)));
    if known().all(fits) { Kind::Num(scale) } else { Kind::Text }
}

fn number(v: &Value) -> Decimal {
    if let Value::Num(d) = v { *d } else { Decimal::ZERO }
}

fn field(name: &str, kind: Kind) -> Result<Type> {
    let of = |p| Type::primitive_type_builder(name, p).with_repetition(Repetition::OPTIONAL);
    match kind {
        Kind::Bool => of(Physical::BOOLEAN).build(),
        Kind::Num(0) => of(Physical::INT64).build(),
        Kind::Num(scale) => of(Physical::INT64)
            .with_logical_type(Some(LogicalType::decimal(scale.into(), 18)))
            .with_precision(18)
            .with_scale(scale.into())
            .build(),
        Kind::Instant => {
            of(Physical::INT64).with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS))).build()
        }
        Kind::Text => of(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn every_kind_of_value_comes_back() {
        let num = |t: &str| Some(Value::Num(Decimal::parse(t).unwrap()));
        let columns: [&[Option<Value>]; 4] = [
            &[Some(Value::text("귤")), None],
            &[num("1.5"), num("20")],
            &[Some(Value::Bool(true)), None],
            &[None, None],
        ];
        let names = ["name", "sum", "yes", "nothing"].map(String::from);
        let file = write(&names, &columns).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|r| r.unwrap().to_string()).collect();
        assert_eq!(rows[0], "{name: \"귤\", sum: 1.5, yes: true, nothing: null}");
        assert_eq!(rows[1], "{name: null, sum: 20.0, yes: null, nothing: null}");
    }
}
