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
            let (rows, path, of) = (thousands(file.rows.len() as u64), output.display(), &file.source);
            let next = context.command(&format!("quarantine retry {n} {path}"));
            let mut text = context.lang.pick(
                format!(
                    "가져오기 {n}번({of})의 거부된 행 {rows}개를 {path}에 저장했습니다. 고친 뒤 실행할 명령: {next}"
                ),
                format!("wrote {rows} rejected rows of import {n} ({of}) to {path}. Mend them, then run {next}"),
            );
            let others: Vec<String> = if import.is_some() { vec![] } else { others(&engine, n)? };
            if !others.is_empty() {
                let (list, example) = (others.join(", "), others[0].split(' ').next().unwrap_or_default());
                let other = context.command(&format!("quarantine export {example} -o fix-{example}.csv"));
                text += &context.lang.pick(
                    format!("\n거부된 행이 있는 다른 가져오기: {list}. 번호로 고릅니다: {other}"),
                    format!("\nOther imports with rejected rows: {list}. Choose by number: {other}"),
                );
            }
            eprintln!("{text}");
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
            print(&import::summary(context, &done, false))?;
            return Ok(if done.rejected_total() > 0 { FINDINGS } else { 0 });
        }
    }
    Ok(0)
}

/// Number and file of the other imports with rejected rows.
fn others(engine: &Engine, chosen: usize) -> Result<Vec<String>, Failure> {
    let files = engine.quarantine().map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    Ok(files.iter().filter(|(n, _)| *n != chosen).map(|(n, f)| format!("{n} ({})", f.source)).collect())
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
        let list = context.command("quarantine list");
        Failure::usage(
            format!("'{wanted}' 가져오기에는 거부된 행이 없습니다. 번호를 보는 명령: {list}"),
            format!("import '{wanted}' has no rejected rows. {list} shows the numbers."),
        )
    })
}
