//! Definition files from disk, and the view of the data that they are asked of.

use crate::Context;
use crate::args::Asked;
use crate::failure::Failure;
use crate::time;
use gyul_engine::{Engine, Sought, View, schema_of, starter, starter_at};
use gyul_model::{Instant, Lang};
use gyul_segment::{Problem, Schema, Severity};
use std::path::{Path, PathBuf};

/// Texts of definition files; of a folder those of all its `.yaml` and `.yml` files, by name.
pub fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut files: Vec<PathBuf> = vec![];
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|e| Failure::read(path, &e))?;
        let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| is_yaml(p)).collect();
        if found.is_empty() {
            let p = path.display();
            return Err(Failure::io(
                format!("{p}: 정의 파일(.yaml)이 없는 폴더입니다."),
                format!("{p}: a folder without definitions (.yaml)."),
            ));
        }
        found.sort();
        files.append(&mut found);
    }
    let read = |p: PathBuf| {
        let text = std::fs::read_to_string(&p).map_err(|e| Failure::read(&p, &e))?;
        Ok((p.display().to_string(), text))
    };
    files.into_iter().map(read).collect()
}

fn is_yaml(p: &Path) -> bool {
    p.is_file() && p.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// The definitions asked for, or the starter library.
pub fn texts(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    if paths.is_empty() { Ok(starter()) } else { read(paths) }
}

/// Definitions without errors; with some, all of them are shown.
pub fn library(files: &[(String, String)], schema: Option<&Schema>) -> Result<gyul_segment::tree::Library, Failure> {
    let (library, problems) = gyul_segment::load(files, schema);
    let errors: Vec<&Problem> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(library);
    }
    let all = |lang: Lang| errors.iter().map(|p| p.render(lang)).collect::<Vec<_>>().join("\n");
    Err(Failure::findings(
        format!("정의에 고칠 곳이 {}군데 있습니다.\n{}", errors.len(), all(Lang::Ko)),
        format!("{} to mend in the definitions.\n{}", errors.len(), all(Lang::En)),
    ))
}

/// The data with the definitions, and the instant of the question.
pub fn view(context: &Context, asked: &Asked) -> Result<(View, Instant), Failure> {
    let mut files = texts(&asked.defs)?;
    // Errors in definitions are told before the data is touched.
    library(&files, None)?;
    let engine = Engine::open(&context.data).map_err(|e| Failure::says(crate::failure::IO, |l| e.message(l)))?;
    let (zone, currency) = (&engine.manifest().zone, &engine.manifest().currency);
    if asked.defs.is_empty() {
        files = starter_at(zone, currency);
    }
    // The data's zone and currency hold unless a file says otherwise: later files win.
    files.insert(0, ("gyul.json".into(), format!("version: 1\nzone: {zone}\ncurrency: {currency}\n")));
    let zone = library(&files, None)?.zone;
    let known = asked.known_at.as_deref().map(|t| time::instant(t, &zone)).transpose()?;
    let at = asked.as_of.as_deref().filter(|t| *t != "end").map(|t| time::instant(t, &zone)).transpose()?;
    if context.data.join("log").exists() {
        eprintln!(
            "{}",
            context.say(
                "참고: 서버가 최근에 받은 이벤트는 아직 빠져 있을 수 있습니다. 지금의 값은 서버에 물어보세요.",
                "note: what a server took lately may be missing here; ask the server for what is true now",
            )
        );
    }
    let (data, left_out) =
        engine.load_counted(known).map_err(|e| Failure::says(crate::failure::IO, |l| e.message(l)))?;
    let library = library(&files, Some(&schema_of(&data)))?;
    let at = match (at, asked.as_of.as_deref()) {
        (Some(at), _) => at,
        (None, Some(_)) => engine.range().map_or(context.now, |r| r.1),
        (None, None) => context.now,
    };
    Ok((View::new(data, library).without(left_out), at))
}

/// A segment, class or customer that is not there: what was looked for, what is near, and where to look.
pub fn not_found(context: &Context, e: gyul_engine::NotFound) -> Failure {
    let name = &e.name;
    let says = |lang: Lang| {
        let near =
            e.nearest.as_ref().map(|n| lang.pick(format!(" 혹시 '{n}'인가요?"), format!(" Did you mean '{n}'?")));
        let near = near.unwrap_or_default();
        match e.kind {
            Sought::Customer => {
                let example = e.example.as_ref().map(|n| lang.pick(format!("(예: {n})"), format!(", such as {n}")));
                let example = example.unwrap_or_default();
                lang.pick(
                    format!("고객 '{name}'이(가) 없습니다.{near} 고객은 가져온 파일에 적힌 ID로 부릅니다{example}."),
                    format!(
                        "there is no customer '{name}'.{near} Customers go by the ids of the imported files{example}."
                    ),
                )
            }
            Sought::Measure => lang
                .pick(format!("지표 '{name}'이(가) 없습니다.{near}"), format!("there is no measure '{name}'.{near}")),
            Sought::Definition => {
                let list = context.command("segments count");
                lang.pick(
                    format!("세그먼트나 등급 '{name}'이(가) 없습니다.{near} 목록은 {list} 명령이 보여 줍니다."),
                    format!("there is no segment or class '{name}'.{near} {list} lists them."),
                )
            }
        }
    };
    Failure::says(crate::failure::USAGE, says)
}
