//! `gyul measures`: one row a customer, for other tools to work on.

use crate::Context;
use crate::args::MeasuresArgs;
use crate::definitions::view;
use crate::failure::Failure;
use crate::output::{csv, deliver, json_value, thousands};
use crate::parquet_file;
use gyul_model::Value;

pub fn run(context: &Context, args: &MeasuresArgs) -> Result<u8, Failure> {
    let ending = args.output.extension().and_then(|e| e.to_str()).unwrap_or("");
    if !["csv", "json", "jsonl", "parquet"].contains(&ending) {
        return Err(Failure::usage(
            "-o 파일 이름은 .csv, .json, .parquet 중 하나로 끝나야 합니다.",
            "The file of -o must end in .csv, .json or .parquet.",
        ));
    }
    let (view, at) = view(context, &args.asked)?;
    let t = view.table(at);
    let bytes = match ending {
        "parquet" => {
            let customers: Vec<Option<Value>> = t.customers.iter().map(|c| Some(Value::text(c))).collect();
            let names: Vec<String> = std::iter::once("customer".into()).chain(t.columns.iter().cloned()).collect();
            let columns: Vec<&[Option<Value>]> =
                std::iter::once(&customers[..]).chain(t.values.iter().map(|v| &v[..])).collect();
            parquet_file::write(&names, &columns)?
        }
        "csv" => {
            let header: Vec<&str> = std::iter::once("customer").chain(t.columns.iter().map(String::as_str)).collect();
            let row = |i: usize| {
                let cells = t.values.iter().map(|v| v[i].as_ref().map(Value::to_string).unwrap_or_default());
                std::iter::once(t.customers[i].clone()).chain(cells).collect::<Vec<_>>()
            };
            csv(&header, &(0..t.customers.len()).map(row).collect::<Vec<_>>()).into_bytes()
        }
        _ => {
            let mut out = String::new();
            for i in 0..t.customers.len() {
                let mut row = serde_json::Map::new();
                row.insert("customer".into(), t.customers[i].as_str().into());
                for (name, values) in t.columns.iter().zip(&t.values) {
                    row.insert(name.clone(), values[i].as_ref().map_or(serde_json::Value::Null, json_value));
                }
                out += &format!("{}\n", serde_json::Value::Object(row));
            }
            out.into_bytes()
        }
    };
    deliver(Some(&args.output), &bytes)?;
    let (n, file) = (thousands(t.customers.len() as u64), args.output.display());
    let columns = t.columns.len();
    eprintln!(
        "{}",
        context.lang.pick(
            format!("고객 {n}명의 값 {columns}가지를 {file}에 저장했습니다."),
            format!("wrote {columns} values of {n} customers to {file}"),
        )
    );
    Ok(0)
}
