//! `gyul import`: files to events, with every row accounted for.

use crate::Context;
use crate::args::{ImportArgs, KindArg};
use crate::failure::{FINDINGS, Failure, IO, USAGE};
use crate::output::{table, thousands};
use gyul_engine::{Done, FileInput, ImportFailure, Imported, Request, import};
use gyul_ingest::{Encoding, Kind, Mapping, Problem, RejectCode};
use gyul_model::{Lang, Zone};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub fn run(context: &Context, args: &ImportArgs) -> Result<u8, Failure> {
    let kind = match args.kind {
        KindArg::Orders => Kind::Orders,
        KindArg::Events => Kind::Events,
        KindArg::Profiles => Kind::Profiles,
    };
    let given = args.map.as_deref().map(|p| read_mapping(p, kind)).transpose()?;
    let mut code = 0;
    for path in &args.files {
        let asked = Asked {
            mapping: given.clone(),
            encoding: args.encoding,
            dry_run: args.dry_run,
            save: args.save_map.as_deref(),
        };
        let (zone, currency) = workspace(context);
        let done = inner(context, FileInput::Path(path), kind, asked, zone, currency)?;
        if let (Some(save), Some(mapping)) = (&args.save_map, &done.mapping) {
            std::fs::write(save, mapping.to_yaml()).map_err(|e| Failure::write(save, &e))?;
        }
        if !args.dry_run {
            remember(context, &done);
        }
        print!("{}", summary(context, &done, args.dry_run));
        if done.rejected_total() > 0 {
            code = FINDINGS;
        }
    }
    Ok(code)
}

/// Imports one input with a progress bar on a terminal, plain lines otherwise.
pub fn one(
    context: &Context,
    input: FileInput,
    kind: Kind,
    mapping: Option<Mapping>,
    dry_run: bool,
) -> Result<Imported, Failure> {
    let (zone, currency) = workspace(context);
    inner(context, input, kind, Asked { mapping, dry_run, ..Asked::default() }, zone, currency)
}

/// The same for a directory whose zone and currency are known beforehand.
pub fn in_workspace(
    context: &Context,
    input: FileInput,
    kind: Kind,
    mapping: Option<Mapping>,
    zone: &str,
    currency: &str,
) -> Result<Imported, Failure> {
    let zone = Zone::new(zone).unwrap_or_else(Zone::seoul);
    inner(context, input, kind, Asked { mapping, ..Asked::default() }, zone, currency.into())
}

/// How a file is to be read.
#[derive(Default)]
struct Asked<'a> {
    mapping: Option<Mapping>,
    encoding: Option<Encoding>,
    dry_run: bool,
    /// Where a mapping goes that somebody has to finish.
    save: Option<&'a Path>,
}

fn inner(
    context: &Context,
    input: FileInput,
    kind: Kind,
    Asked { mapping, encoding, dry_run, save }: Asked,
    zone: Zone,
    currency: String,
) -> Result<Imported, Failure> {
    let (name, size) = match &input {
        FileInput::Path(p) => (p.display().to_string(), std::fs::metadata(p).map_or(0, |m| m.len())),
        FileInput::Named(name, p) => (name.to_string(), std::fs::metadata(p).map_or(0, |m| m.len())),
        FileInput::Bytes(name, bytes) => (name.to_string(), bytes.len() as u64),
    };
    // Held until the file is in: no server starts on the directory meanwhile.
    let _alone = if dry_run { None } else { Some(crate::serve::alone(&context.data)?) };
    let request = Request { input, kind, mapping, encoding, zone, currency, now: context.now, dry_run, numbers: None };
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3}% {elapsed}");
        let bar = ProgressBar::new(size.max(1));
        bar.set_message(name.clone());
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("█▌ "));
        }
        bar
    });
    let mut told = 0;
    let mut progress = |d: Done| match &bar {
        Some(bar) => bar.set_position(d.bytes.min(size)),
        // Without a terminal, a line for every million rows.
        None if d.rows / 1_000_000 > told => {
            told = d.rows / 1_000_000;
            eprintln!("{name}: {} {}", thousands(d.rows), context.say("행", "rows"));
        }
        None => {}
    };
    let done = import(&context.data, request, &mut progress);
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let done = done.map_err(|e| failed(context.lang, &name, e, save))?;
    if !dry_run {
        crate::policy::renew(&context.data, context.now)?;
    }
    Ok(done)
}

/// Zone and currency of the data directory; Korea's before the first import.
fn workspace(context: &Context) -> (Zone, String) {
    let known = gyul_engine::Engine::open(&context.data).ok();
    let known = known.map(|e| (Zone::new(&e.manifest().zone), e.manifest().currency.clone()));
    let (zone, currency) = known.unwrap_or_else(|| (None, "KRW".into()));
    (zone.unwrap_or_else(Zone::seoul), currency)
}

fn failed(lang: Lang, name: &str, e: ImportFailure, save: Option<&Path>) -> Failure {
    let list = |problems: &[Problem], l| problems.iter().map(|p| format!("\n- {}", p.message(l))).collect::<String>();
    match e {
        ImportFailure::Input(e) => Failure::says(IO, |l| e.message(l)),
        ImportFailure::Store(e) => Failure::says(IO, |l| e.message(l)),
        ImportFailure::Mapping(problems, None) => Failure::says(USAGE, |l| {
            let head = l.pick(
                "매핑이 이 파일과 맞지 않습니다. 매핑 파일을 고치세요.",
                "the mapping does not fit this file. Mend it.",
            );
            format!("{name}: {head}{}", list(&problems, l))
        }),
        ImportFailure::Mapping(problems, Some(draft)) => {
            let draft = draft_yaml(lang, &draft, &problems);
            let saved = match save.map(|path| (path, std::fs::write(path, &draft))) {
                Some((path, Err(e))) => return Failure::write(path, &e),
                Some((path, Ok(()))) => Some(path.display().to_string()),
                None => None,
            };
            Failure::says(USAGE, |l| {
                let ask = l.pick("열의 뜻을 정해야 합니다.", "some columns need a meaning.");
                let then = match &saved {
                    Some(path) => l.pick(
                        format!("찾아낸 것은 {path}에 적었습니다. # 정할 것을 채우고 --map {path}로 다시 실행하세요."),
                        format!("What was found is in {path}. Settle what it marks with # and run it again with --map {path}."),
                    ),
                    None => l.pick(
                        format!("아래를 map.yaml로 저장하고(--save-map map.yaml이 대신 저장합니다) # 정할 것을 채운 뒤 --map map.yaml로 다시 실행하세요.\n\n{draft}"),
                        format!("Save what follows as map.yaml (--save-map map.yaml does it), settle what it marks with # and run it again with --map map.yaml.\n\n{draft}"),
                    ),
                };
                let told = saved.as_ref().map_or(String::new(), |_| list(&problems, l));
                format!("{name}: {ask}{told}\n{then}")
            })
        }
    }
}

/// All that was found, as a mapping file, and what somebody has to say marked in it.
fn draft_yaml(lang: Lang, draft: &Mapping, problems: &[Problem]) -> String {
    let head = lang.pick("# 정할 것:", "# To settle:");
    let mut out = String::new();
    for p in problems {
        out += &format!("{head} {}\n", p.reason(lang));
        p.fix.lines().for_each(|line| out += &format!("#   {line}\n"));
    }
    out + &draft.to_yaml()
}

fn read_mapping(path: &Path, kind: Kind) -> Result<Mapping, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::read(path, &e))?;
    let list = |p: &[Problem], l: Lang| p.iter().map(|p| p.message(l)).collect::<Vec<_>>().join("\n");
    let mapping = Mapping::from_yaml(&text)
        .map_err(|p| Failure::says(USAGE, |l| format!("{}: {}", path.display(), list(&p, l))))?;
    if mapping.kind != kind {
        let (file, asked) = (mapping.kind.as_str(), kind.as_str());
        let p = path.display();
        return Err(Failure::usage(
            format!("{p}는 {file}용 매핑인데 --as {asked}로 실행했습니다. 둘을 맞추세요."),
            format!("{p} maps {file}, but --as says {asked}. Make them agree."),
        ));
    }
    Ok(mapping)
}

/// Where the mapping of a source is kept for `gyul quarantine retry`.
pub fn map_path(data: &Path, source: &str, kind: &str) -> PathBuf {
    data.join("maps").join(format!("{kind}-{:016x}.yaml", gyul_model::hash64(source.as_bytes())))
}

/// Keeps the mapping beside the data. Without it a retry infers one, so a failure is none.
fn remember(context: &Context, done: &Imported) {
    if let Some(m) = &done.mapping {
        let path = map_path(&context.data, &done.source, m.kind.as_str());
        let _ = std::fs::create_dir_all(context.data.join("maps")).and_then(|()| std::fs::write(path, m.to_yaml()));
    }
}

pub fn summary(context: &Context, done: &Imported, dry_run: bool) -> String {
    let lang = context.lang;
    let n = thousands;
    let mut out = format!("{} ({})\n", done.source, done.description);
    if !done.choices.is_empty() {
        let rows: Vec<Vec<String>> = done
            .choices
            .iter()
            .map(|c| vec![c.target.clone(), c.column.clone(), c.samples.join(" · "), c.why(lang).to_string()])
            .collect();
        let header = lang.pick(["뜻", "열", "예", "근거"], ["meaning", "column", "samples", "because"]);
        out += &indent(&table(&header, &[], &rows));
    }
    for (ko, en) in &done.remarks {
        out += &format!("  ! {}\n", lang.pick(ko, en));
    }
    if done.resumed_at > 0 {
        let at = n(done.resumed_at);
        out += &lang.pick(format!("  {at}행 뒤부터 이어서 가져왔습니다.\n"), format!("  went on behind row {at}\n"));
    }
    let (rows, events, rejected) = (n(done.rows), n(done.events), n(done.rejected_total()));
    out += &match dry_run {
        true => lang.pick(
            format!(
                "  {rows}행 = 이벤트 또는 중복 {events} + 거부 {rejected} (확인만 했고 아무것도 바꾸지 않았습니다)\n"
            ),
            format!(
                "  {rows} rows = {events} events or duplicates + {rejected} rejected (a dry run: nothing was changed)\n"
            ),
        ),
        false => {
            let duplicates = n(done.duplicates);
            lang.pick(
                format!("  {rows}행 = 이벤트 {events} + 중복 {duplicates} + 거부 {rejected}\n"),
                format!("  {rows} rows = {events} events + {duplicates} duplicates + {rejected} rejected\n"),
            )
        }
    };
    for (code, count) in &done.rejected {
        let why = RejectCode::parse(code).map_or("", |c| c.message(lang));
        out += &format!("    {} {code}: {why}\n", n(*count));
    }
    for note in &done.notes {
        let (column, count) = (&note.column, n(note.count));
        out += &lang.pick(
            format!("    '{column}' 열의 값 {count}개는 읽을 수 없어 모름으로 두었습니다.\n"),
            format!("    {count} values of `{column}` could not be read and count as unknown\n"),
        );
    }
    if done.rejected_total() > 0 && !dry_run {
        let (show, export) = (context.command("quarantine show"), context.command("quarantine export -o fix.csv"));
        out += &lang.pick(
            format!("  거부된 행: {show}, 고칠 파일로 저장: {export}\n"),
            format!("  rejected rows: {show}; as a file to mend: {export}\n"),
        );
    }
    out
}

fn indent(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}
