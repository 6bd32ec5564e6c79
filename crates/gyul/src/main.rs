//! The one binary: verbs, words, formats of output. What is true, `gyul-engine` says.

mod args;
mod definitions;
mod failure;
mod output;
mod parquet_file;
mod policy;
mod serve;
mod time;
mod usage;
mod verbs;

use args::{Cli, LangArg, Verb};
use clap::FromArgMatches;
use failure::{Failure, OURS};
use gyul_model::{Instant, Lang};
use std::path::PathBuf;
use std::process::ExitCode;

/// Ticks of few events spent a third of their time in the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What every verb knows.
pub struct Context {
    pub lang: Lang,
    pub data: PathBuf,
    pub now: Instant,
}

impl Context {
    pub fn say<'a>(&self, ko: &'a str, en: &'a str) -> &'a str {
        self.lang.pick(ko, en)
    }

    /// A command to type next, asked of the same data.
    pub fn command(&self, rest: &str) -> String {
        let data = self.data.display().to_string();
        match data.as_str() {
            args::DATA => format!("gyul {rest}"),
            plain if plain.chars().all(|c| c.is_alphanumeric() || "/._-~:\\".contains(c)) => {
                format!("gyul --data {plain} {rest}")
            }
            odd => format!("gyul --data \"{odd}\" {rest}"),
        }
    }
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        eprintln!(
            "{}",
            lang_of_system().pick(
                format!("gyul 내부 오류입니다({place}). 데이터는 그대로입니다. 실행한 명령과 함께 알려 주세요."),
                format!(
                    "This is a fault of Gyul ({place}). Your data are as before. Please report it with the command."
                ),
            )
        );
    }));
    let done = std::panic::catch_unwind(|| {
        let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
        // What cannot be read is told in a language, too.
        let lang = usage::lang_asked(&args).unwrap_or_else(lang_of_system);
        let parsed = usage::command(lang).try_get_matches_from(&args).and_then(|m| Cli::from_arg_matches(&m));
        let cli = match parsed {
            Ok(cli) => cli,
            Err(e) => {
                let text = usage::render(&e, &args, lang);
                // Help and version are no mistakes.
                if !e.use_stderr() {
                    return output::print(&text).map_or(failure::IO, |()| 0);
                }
                eprint!("{text}");
                return failure::USAGE;
            }
        };
        let lang = match cli.lang {
            Some(LangArg::Ko) => Lang::Ko,
            Some(LangArg::En) => Lang::En,
            None => lang,
        };
        let context = Context { lang, data: cli.data, now: now() };
        match run(&context, &cli.verb) {
            Ok(code) => code,
            Err(f) => {
                eprintln!("{}: {}", context.say("오류", "error"), f.message(lang).trim_end());
                f.code
            }
        }
    });
    ExitCode::from(done.unwrap_or(OURS))
}

fn run(context: &Context, verb: &Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Import(a) => verbs::import::run(context, a),
        Verb::Check(a) => verbs::check::run(context, a),
        Verb::Segments(a) => verbs::segments::run(context, a),
        Verb::Measures(a) => verbs::measures::run(context, a),
        Verb::Report(a) => verbs::report::run(context, a),
        Verb::Quarantine(a) => verbs::quarantine::run(context, a),
        Verb::Data(a) => verbs::data::run(context, a),
        Verb::Generate(a) => verbs::generate::run(context, a),
        Verb::Backup(a) => verbs::backup::backup(context, a),
        Verb::Restore(a) => verbs::backup::restore(context, a),
        Verb::Serve(a) => verbs::serve::run(context, a),
        Verb::Demo(a) => verbs::demo::run(context, a),
    }
}

/// By the first of LC_ALL, LC_MESSAGES and LANG that says something.
fn lang_of_system() -> Lang {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|v| std::env::var(v).ok());
    match set.into_iter().find(|v| !v.is_empty()) {
        Some(v) if v.starts_with("ko") => Lang::Ko,
        _ => Lang::En,
    }
}

/// The one place that asks for the time.
pub fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
