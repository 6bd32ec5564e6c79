//! Rows that were not taken, with the reason and what they looked like: to be mended and imported again.

use crate::error::StoreError;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// One rejected row.
#[derive(Clone, PartialEq)]
pub struct Rejected {
    /// The source's name.
    pub source: String,
    pub row: u64,
    /// Line of the file; 0 where there are no lines.
    pub line: u64,
    /// Stable reason code.
    pub code: String,
    pub column: Option<String>,
    /// The row as found. Personal data possible.
    pub content: String,
}

/// Hides the content: it may be personal.
impl std::fmt::Debug for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} {}", self.source, self.row, self.code)
    }
}

/// The rejected rows of one import.
#[derive(Clone, Debug)]
pub struct QuarantineFile {
    pub import: String,
    pub source: String,
    pub kind: String,
    /// The source's header line, so that the rows can be exported as a file of the same form.
    pub header: String,
    pub rows: Vec<Rejected>,
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("quarantine")
}

fn file_of(dir: &Path, import: &str) -> PathBuf {
    folder(dir).join(format!("{import}.jsonl"))
}

/// Adds rows to an import's file; those at or before `rows_done` of an interrupted run are kept, later ones replaced.
pub(crate) fn append(
    dir: &Path,
    import: &str,
    head: (&str, &str, &str),
    rows_before: u64,
    rows: &[Rejected],
) -> Result<(), StoreError> {
    let path = file_of(dir, import);
    if rows.is_empty() && !path.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder(dir)).map_err(StoreError::io(dir))?;
    let mut kept = match path.exists() {
        true => read(&path)?.rows,
        false => vec![],
    };
    kept.retain(|r| r.row <= rows_before);
    let beside = path.with_extension("tmp");
    let mut out = std::io::BufWriter::new(fs::File::create(&beside).map_err(StoreError::io(&beside))?);
    let (source, kind, header) = head;
    let mut write = || -> std::io::Result<()> {
        writeln!(out, "{}", json!({ "import": import, "source": source, "kind": kind, "header": header }))?;
        for r in kept.iter().chain(rows) {
            let v = json!({ "row": r.row, "line": r.line, "code": r.code, "column": r.column, "content": r.content });
            writeln!(out, "{v}")?;
        }
        out.flush()?;
        out.get_ref().sync_all()
    };
    write().map_err(StoreError::io(&beside))?;
    fs::rename(&beside, &path).map_err(StoreError::io(&path))
}

fn read(path: &Path) -> Result<QuarantineFile, StoreError> {
    let file = fs::File::open(path).map_err(StoreError::io(path))?;
    let mut lines = BufReader::new(file).lines();
    let parse = |line: std::io::Result<String>| -> Result<Value, StoreError> {
        let line = line.map_err(StoreError::io(path))?;
        serde_json::from_str(&line).map_err(|e| StoreError::damaged(path, e))
    };
    let head = lines.next().map(parse).transpose()?.unwrap_or(Value::Null);
    let text = |v: &Value| v.as_str().unwrap_or("").to_string();
    let source = text(&head["source"]);
    let mut rows = vec![];
    for line in lines {
        let v = parse(line)?;
        rows.push(Rejected {
            source: source.clone(),
            row: v["row"].as_u64().unwrap_or(0),
            line: v["line"].as_u64().unwrap_or(0),
            code: text(&v["code"]),
            column: v["column"].as_str().map(str::to_string),
            content: text(&v["content"]),
        });
    }
    Ok(QuarantineFile {
        import: text(&head["import"]),
        source,
        kind: text(&head["kind"]),
        header: text(&head["header"]),
        rows,
    })
}

/// All quarantined rows, by import.
pub fn list(dir: &Path) -> Result<Vec<QuarantineFile>, StoreError> {
    let folder = folder(dir);
    if !folder.exists() {
        return Ok(vec![]);
    }
    let entries = fs::read_dir(&folder).map_err(StoreError::io(&folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    paths.iter().map(|p| read(p)).collect()
}

/// Takes rows out of quarantine: they were mended and imported.
pub fn resolve(dir: &Path, import: &str, rows: &[u64]) -> Result<(), StoreError> {
    let path = file_of(dir, import);
    let mut file = read(&path)?;
    file.rows.retain(|r| !rows.contains(&r.row));
    if file.rows.is_empty() {
        return fs::remove_file(&path).map_err(StoreError::io(&path));
    }
    append(dir, import, (&file.source, &file.kind, &file.header), 0, &file.rows)
}
