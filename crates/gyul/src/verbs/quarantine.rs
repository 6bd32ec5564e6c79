//! `gyul quarantine`: rows that became no events, to be looked at, mended and imported again.

use crate::Context;
use crate::args::{Quarantine, TableFormat};
use crate::failure::{FINDINGS, Failure, IO};
use crate::output::{csv, deliver, json_text, print, table, thousands};
use crate::verbs::import;
use gyul_engine::{Engine, FileInput};
use gyul_ingest::{Kind, Mapping, RejectCode};
use gyul_store::QuarantineFile;
use serde_json::json;

pub fn run(context: &Context, verb: &Quarantine) -> Result<u8, Failure> {
    let says = |e: gyul_store::StoreError| Failure::says(IO, |l| e.message(l));
    let engine = Engine::open(&context.data).map_err(says)?;
    match verb {
        Quarantine::List { format } => {
            let all = engine.rejections().map_err(says)?;
            let row = |r: &gyul_engine::Rejection| {
                let why = RejectCode::parse(&r.code).map_or("", |c| c.message(context.lang));
                vec![r.import.to_string(), r.source.clone(), r.code.clone(), r.rows.to_string(), why.to_string()]
            };
            let mut rows: Vec<Vec<String>> = all.iter().map(row).collect();
            print(&match format {
                TableFormat::Json => json_text(
                    &all.iter()
                        .map(|r| json!({"import": r.import, "source": r.source, "reason": r.code, "rows": r.rows}))
                        .collect(),
                ),
                TableFormat::Csv => {
                    rows.iter_mut().for_each(|r| r.truncate(4));
                    csv(&["import", "source", "reason", "rows"], &rows)
                }
                TableFormat::Table if all.is_empty() => {
                    context.say("거부된 행이 없습니다.\n", "no rejected rows\n").to_string()
                }
                TableFormat::Table => {
                    rows.iter_mut().zip(&all).for_each(|(row, r)| row[3] = thousands(r.rows));
                    let header = context.lang.pick(
                        ["번호", "파일", "사유", "행", "설명"],
                        ["import", "file", "reason", "rows", "what it means"],
                    );
                    table(&header, &[0, 3], &rows)
                }
            })?;
        }
        Quarantine::Show { import, reason, limit } => {
            let Some((_, file)) = choose(context, &engine, import.as_deref())? else { return Ok(0) };
            let rows = file.rows.iter().filter(|r| reason.as_ref().is_none_or(|c| *c == r.code));
            let mut out = format!("{}\n", file.source);
            for r in rows.take(*limit) {
                let column = r.column.as_deref().map(|c| format!(" `{c}`")).unwrap_or_default();
                let line = if r.line > 0 { r.line } else { r.row };
                let place = context.lang.pick(format!("{line}행"), format!("line {line}"));
                out += &format!("{place}: {}{column}\n    {}\n", r.code, r.content.trim_end());
            }
            print(&out)?;
        }
        Quarantine::Export { import, output } => {
            let Some((n, file)) = choose(context, &engine, import.as_deref())? else { return Ok(0) };
            let mut text = String::new();
            if !file.header.is_empty() {
                text += &format!("{}\n", file.header);
            }
            file.rows.iter().for_each(|r| text += &format!("{}\n", r.content.trim_end_matches(['\r', '\n'])));
            deliver(Some(output), text.as_bytes())?;
            let (rows, path) = (thousands(file.rows.len() as u64), output.display());
            eprintln!(
                "{}",
                context.lang.pick(
                    format!("{rows}행을 {path}에 저장했습니다. 고친 뒤 gyul quarantine retry {n} {path}를 실행하세요."),
                    format!("wrote {rows} rows to {path}. Mend them, then run gyul quarantine retry {n} {path}."),
                )
            );
        }
        Quarantine::Retry { import, file } => {
            let Some((_, old)) = choose(context, &engine, Some(import))? else { return Ok(0) };
            drop(engine);
            let kind = Kind::parse(&old.kind).unwrap_or(Kind::Events);
            let map = import::map_path(&context.data, &old.source, &old.kind);
            let mapping = std::fs::read_to_string(map).ok().and_then(|t| Mapping::from_yaml(&t).ok());
            let done = import::one(context, FileInput::Path(file), kind, mapping, false)?;
            // What is still wrong waits under the new file; the old rows have had their turn.
            let rows: Vec<u64> = old.rows.iter().map(|r| r.row).collect();
            gyul_store::resolve(&context.data, &old.import, &rows).map_err(says)?;
            print(&import::summary(context.lang, &done, false))?;
            return Ok(if done.rejected_total() > 0 { FINDINGS } else { 0 });
        }
    }
    Ok(0)
}

/// The quarantine of an import by its number, or the last.
fn choose(
    context: &Context,
    engine: &Engine,
    import: Option<&str>,
) -> Result<Option<(usize, QuarantineFile)>, Failure> {
    let mut files = engine.quarantine().map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    let Some(wanted) = import else {
        let last = files.pop();
        if last.is_none() {
            print(context.say("거부된 행이 없습니다.\n", "no rejected rows\n"))?;
        }
        return Ok(last);
    };
    let found = files.into_iter().find(|(n, f)| n.to_string() == wanted || f.source == wanted);
    found.map(Some).ok_or_else(|| {
        Failure::usage(
            format!("'{wanted}' 가져오기에는 거부된 행이 없습니다. 번호는 gyul quarantine list에 있습니다."),
            format!("import '{wanted}' has no rejected rows. gyul quarantine list shows the numbers."),
        )
    })
}
