//! What is said when a command line cannot be read, and its help: in the reader's language, with what to type instead.

use crate::args::Cli;
use clap::builder::{PossibleValue, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, Error};
use gyul_model::Lang;
use gyul_segment::problem::nearest;
use std::ffi::OsString;

/// The parser's own words in its help, longer ones first.
const SCAFFOLDING: [(&str, &str); 15] = [
    ("Print this message or the help of the given subcommand(s)", "이 도움말이나 명령의 도움말 보기"),
    ("Print help (see more with '--help')", "도움말 보기(자세히: --help)"),
    ("Print help (see a summary with '-h')", "도움말 보기(간단히: -h)"),
    ("Print help", "도움말 보기"),
    ("Print version", "버전 보기"),
    ("Usage:", "사용법:"),
    ("Commands:", "명령:"),
    ("Arguments:", "인자:"),
    ("Options:", "옵션:"),
    ("Possible values:", "쓸 수 있는 값:"),
    ("[possible values: ", "[쓸 수 있는 값: "),
    ("[default: ", "[기본값: "),
    ("[OPTIONS]", "[옵션]"),
    ("<COMMAND>", "<명령>"),
    ("[COMMAND]", "[명령]"),
];

/// `--lang` before anything else is understood; it may stand anywhere.
pub fn lang_asked(args: &[OsString]) -> Option<Lang> {
    let args: Vec<&str> = args.iter().filter_map(|a| a.to_str()).collect();
    let after = args.windows(2).find(|w| w[0] == "--lang").map(|w| w[1]);
    match after.or_else(|| args.iter().find_map(|a| a.strip_prefix("--lang="))) {
        Some("ko") => Some(Lang::Ko),
        Some("en") => Some(Lang::En),
        _ => None,
    }
}

/// The commands with their descriptions in one language.
pub fn command(lang: Lang) -> Command {
    localized(Cli::command(), lang)
}

fn localized(command: Command, lang: Lang) -> Command {
    let about = command.get_about().map(|t| in_lang(t, lang));
    let command = match about {
        Some(about) => command.about(about),
        None => command,
    };
    let arg = |a: Arg| match a.get_help().map(|t| in_lang(t, lang)) {
        Some(help) => a.help(help),
        None => a,
    };
    command.mut_args(arg).mut_subcommands(|c| localized(c, lang))
}

/// Descriptions are written as "English / 한국어".
fn in_lang(text: &StyledStr, lang: Lang) -> String {
    let text = text.to_string();
    match text.rsplit_once(" / ") {
        Some((en, ko)) => lang.pick(ko, en).to_string(),
        None => text,
    }
}

/// What to print, with a line end.
pub fn render(e: &Error, args: &[OsString], lang: Lang) -> String {
    let whole = e.render().to_string();
    match e.kind() {
        ErrorKind::DisplayVersion => whole,
        ErrorKind::DisplayHelp => translated(&whole, lang),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if path(args).len() == 1 => {
            format!("{}\n{}", translated(&whole, lang), beginning(lang))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => translated(&whole, lang),
        _ => match problem(e, args, lang) {
            Some(text) => {
                let usage = said(e, ContextKind::Usage).map(|u| translated(&u, lang) + "\n").unwrap_or_default();
                let verbs = path(args).join(" ");
                let more = lang.pick(
                    format!("자세한 사용법은 {verbs} --help에 있습니다."),
                    format!("{verbs} --help has the details."),
                );
                format!("{}: {text}\n\n{}{more}\n", lang.pick("오류", "error"), usage.trim_start())
            }
            None => whole,
        },
    }
}

fn translated(text: &str, lang: Lang) -> String {
    match lang {
        Lang::En => text.to_string(),
        Lang::Ko => SCAFFOLDING.iter().fold(text.to_string(), |t, (en, ko)| t.replace(en, ko)),
    }
}

fn beginning(lang: Lang) -> &'static str {
    lang.pick(
        "처음이라면:\n  gyul demo                          실제 쇼핑몰 데이터로 바로 둘러보기\n  \
         gyul import orders.csv --as orders 내 주문 파일 가져오기\n  gyul serve                         브라우저에서 쓰는 실시간 서버\n",
        "Where to begin:\n  gyul demo                          look around on a real shop's data\n  \
         gyul import orders.csv --as orders import your own orders\n  gyul serve                         the live server, in the browser\n",
    )
}

/// What is wrong and what to do; `None` for what has no words of its own.
fn problem(e: &Error, args: &[OsString], lang: Lang) -> Option<String> {
    let arg = || said(e, ContextKind::InvalidArg);
    let value = said(e, ContextKind::InvalidValue).unwrap_or_default();
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let did_you_mean = |n: &str| lang.pick(format!(" 혹시 '{n}'인가요?"), format!(" Did you mean '{n}'?"));
    let near = near.into_iter().find_map(|k| said(e, k));
    let near = near.and_then(|n| n.split(", ").next().map(did_you_mean)).unwrap_or_default();
    Some(match e.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = said(e, ContextKind::InvalidSubcommand)?;
            let place = place(args);
            let all: Vec<&str> = place.get_subcommands().map(Command::get_name).filter(|n| *n != "help").collect();
            // The parser's own nearest name is the last of several.
            let near = nearest(&name, all.iter().copied()).map_or(near, did_you_mean);
            let all = all.join(", ");
            lang.pick(
                format!("'{name}'(이)라는 명령은 없습니다.{near}\n  쓸 수 있는 명령: {all}"),
                format!("there is no command '{name}'.{near}\n  Commands: {all}"),
            )
        }
        ErrorKind::MissingSubcommand => lang.pick("명령이 빠졌습니다.".into(), "a command is missing.".into()),
        ErrorKind::MissingRequiredArgument => {
            let names = match e.get(ContextKind::InvalidArg)? {
                ContextValue::Strings(all) => all.clone(),
                other => vec![other.to_string()],
            };
            let place = place(args);
            let line = |name: &String| {
                let known = place.get_arguments().find(|a| a.to_string() == *name);
                let values = known.map(|a| names_of(&a.get_possible_values())).filter(|v| !v.is_empty());
                let about = known.and_then(|a| a.get_help()).map(|h| in_lang(h, lang)).unwrap_or_default();
                let values = values.map(|v| lang.pick(format!(" (쓸 수 있는 값: {v})"), format!(" (one of {v})")));
                format!("\n  {name}  {about}{}", values.unwrap_or_default()).trim_end().to_string()
            };
            let lines: String = names.iter().map(line).collect();
            lang.pick(
                format!("꼭 있어야 하는 것이 빠졌습니다.{lines}"),
                format!("something that is needed is missing.{lines}"),
            )
        }
        ErrorKind::InvalidValue | ErrorKind::NoEquals if value.is_empty() => {
            let arg = arg()?;
            lang.pick(
                format!("{arg}에 값이 빠졌습니다.{}", choices(e, lang)),
                format!("{arg} lacks its value.{}", choices(e, lang)),
            )
        }
        ErrorKind::InvalidValue => {
            let arg = arg()?;
            let choices = choices(e, lang);
            lang.pick(
                format!("{arg}에는 '{value}' 값을 쓸 수 없습니다.{near}{choices}"),
                format!("{arg} does not take '{value}'.{near}{choices}"),
            )
        }
        ErrorKind::ValueValidation => {
            let arg = arg()?;
            lang.pick(
                format!("{arg}에는 '{value}' 값을 쓸 수 없습니다. 수처럼 정해진 꼴의 값이어야 합니다."),
                format!("{arg} does not take '{value}': it is not of the form that is needed, such as a number."),
            )
        }
        ErrorKind::UnknownArgument => {
            let arg = arg()?;
            lang.pick(format!("'{arg}'을(를) 알 수 없습니다.{near}"), format!("'{arg}' is not expected here.{near}"))
        }
        ErrorKind::ArgumentConflict => {
            let (arg, other) = (arg()?, said(e, ContextKind::PriorArg)?);
            if arg == other {
                lang.pick(format!("{arg}은(는) 한 번만 쓸 수 있습니다."), format!("{arg} can be given only once."))
            } else {
                lang.pick(
                    format!("{arg}와(과) {other}은(는) 함께 쓸 수 없습니다."),
                    format!("{arg} cannot be used together with {other}."),
                )
            }
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            let arg = arg()?;
            let least = said(e, ContextKind::MinValues).or_else(|| said(e, ContextKind::ExpectedNumValues));
            match least {
                Some(n) => lang.pick(
                    format!("{arg}의 개수가 맞지 않습니다. 필요한 개수: {n}"),
                    format!("{arg}: the number of values is wrong, {n} needed."),
                ),
                None => lang.pick(format!("{arg}에 값이 너무 많습니다."), format!("{arg} has too many values.")),
            }
        }
        _ => return None,
    })
}

fn choices(e: &Error, lang: Lang) -> String {
    match e.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(all)) if !all.is_empty() => {
            let all = all.join(", ");
            lang.pick(format!("\n  쓸 수 있는 값: {all}"), format!("\n  Possible values: {all}"))
        }
        _ => String::new(),
    }
}

fn names_of(values: &[PossibleValue]) -> String {
    values.iter().map(PossibleValue::get_name).collect::<Vec<_>>().join(", ")
}

fn said(e: &Error, kind: ContextKind) -> Option<String> {
    e.get(kind).map(|v| match v {
        ContextValue::Strings(all) => all.join(", "),
        other => other.to_string(),
    })
}

/// The verbs as they were typed, as far as they are verbs.
fn path(args: &[OsString]) -> Vec<String> {
    let (mut at, mut path) = (built(), vec!["gyul".to_string()]);
    for a in args.iter().skip(1) {
        if let Some(next) = at.find_subcommand(a) {
            path.push(next.get_name().to_string());
            at = next.clone();
        }
    }
    path
}

/// The command that the verbs lead to.
fn place(args: &[OsString]) -> Command {
    path(args).iter().skip(1).fold(built(), |at, name| at.find_subcommand(name).cloned().unwrap_or(at))
}

/// Arguments can tell their names only then.
fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}
