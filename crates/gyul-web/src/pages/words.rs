//! What do the pages say? Messages in Korean and English, from the files in `messages/`.
//!
//! The files are [Fluent](https://projectfluent.org): a message is a line `name = text`, with `{ $n }` for what is put
//! in. Both languages have the same messages with the same parts; the tests see to it, and that none is without use.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use gyul_model::Lang;
use std::sync::LazyLock;

macro_rules! files {
    ($($area:literal),* $(,)?) => {
        /// Area, Korean, English.
        pub const FILES: &[(&str, &str, &str)] = &[$((
            $area,
            include_str!(concat!("../../messages/", $area, ".ko.ftl")),
            include_str!(concat!("../../messages/", $area, ".en.ftl")),
        )),*];
    };
}

files!["common", "sign-in", "start", "segments", "builder", "partitions", "customers", "explore", "data", "settings"];

struct Words {
    ko: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words { ko: bundle(Lang::Ko), en: bundle(Lang::En) });

fn bundle(lang: Lang) -> FluentBundle<FluentResource> {
    let tag = lang.pick("ko", "en").parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Marks around what is put in would be copied along with numbers and names.
    bundle.set_use_isolating(false);
    for (_, ko, en) in FILES {
        // What cannot be read is left out, and the tests say so.
        let resource = FluentResource::try_new(lang.pick(*ko, *en).to_string()).unwrap_or_else(|(part, _)| part);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// A part of a message.
#[derive(Clone, Debug)]
pub enum Part {
    Text(String),
    /// Chooses among plural forms; shown with a comma at each thousand.
    Count(u64),
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Text(text.into())
    }
}

impl From<&String> for Part {
    fn from(text: &String) -> Part {
        Part::Text(text.clone())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Part {
        Part::Text(text)
    }
}

impl From<u64> for Part {
    fn from(n: u64) -> Part {
        Part::Count(n)
    }
}

impl From<&u64> for Part {
    fn from(n: &u64) -> Part {
        Part::Count(*n)
    }
}

// Templates add a reference.
impl From<&&u64> for Part {
    fn from(n: &&u64) -> Part {
        Part::Count(**n)
    }
}

impl From<&&str> for Part {
    fn from(text: &&str) -> Part {
        Part::Text((*text).into())
    }
}

impl From<&&String> for Part {
    fn from(text: &&String) -> Part {
        Part::Text((*text).clone())
    }
}

impl From<&usize> for Part {
    fn from(n: &usize) -> Part {
        Part::Count(*n as u64)
    }
}

impl From<usize> for Part {
    fn from(n: usize) -> Part {
        Part::Count(n as u64)
    }
}

/// A message with its parts put in. A count `n` is there twice: `{ $n }` is written out (`1,234`), `$n-count` chooses
/// the plural form. A message that is not there shows as its name.
pub fn say(lang: Lang, name: &str, parts: &[(&str, Part)]) -> String {
    let bundle = lang.pick(&WORDS.ko, &WORDS.en);
    let Some(pattern) = bundle.get_message(name).and_then(|m| m.value()) else { return name.to_string() };
    let mut args = FluentArgs::with_capacity(parts.len() * 2);
    for (name, part) in parts {
        match part {
            Part::Text(text) => args.set(*name, FluentValue::from(text.as_str())),
            Part::Count(n) => {
                args.set(*name, FluentValue::from(super::format::count(*n)));
                args.set(format!("{name}-count"), FluentValue::from(*n as f64));
            }
        }
    }
    let mut problems = vec![];
    bundle.format_pattern(pattern, Some(&args), &mut problems).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Names of messages to the names of their parts.
    fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last = String::new();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '}', '*', '['])) {
                last = name.to_string();
                assert!(out.insert(last.clone(), BTreeSet::new()).is_none(), "{last} is there twice");
            }
            let parts = line.split('$').skip(1).map(|p| {
                let end = p.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').unwrap_or(p.len());
                p[..end].trim_end_matches("-count").to_string()
            });
            if let Some(known) = out.get_mut(&last) {
                known.extend(parts);
            }
        }
        out
    }

    #[test]
    fn both_languages_say_the_same_with_the_same_parts() {
        let mut all = BTreeSet::new();
        for (area, ko, en) in FILES {
            for text in [ko, en] {
                if let Err((_, problems)) = FluentResource::try_new(text.to_string()) {
                    panic!("{area}: {problems:?}");
                }
            }
            let (ko, en) = (messages(ko), messages(en));
            assert_eq!(ko.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>(), "{area}");
            for (name, parts) in &ko {
                assert_eq!(parts, &en[name], "{area}: {name}");
                assert!(all.insert(name.clone()), "{name} is in two areas");
            }
        }
        assert!(all.len() > 30, "{}", all.len());
    }

    /// Every text in quotes that follows a call of `t`, in the code and the templates, and in `data-say` for scripts.
    #[test]
    fn every_message_that_is_asked_for_is_there_and_none_is_idle() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        let mut folders = vec![root.join("src/pages"), root.join("templates"), root.join("assets/js")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else {
                    sources += &std::fs::read_to_string(entry).unwrap();
                    sources.push('\n');
                }
            }
        }
        let known: BTreeSet<String> = FILES.iter().flat_map(|(_, ko, _)| messages(ko).into_keys()).collect();
        let asked = |call: &str| -> Vec<String> {
            let calls = sources.split(call).skip(1);
            calls.filter_map(|c| c.split_once('"').map(|(name, _)| name.to_string())).collect()
        };
        for name in [".t(\"", ".t1(\"", ".tn(\"", ".t2(\""].iter().flat_map(|call| asked(call)) {
            assert!(known.contains(&name), "no message {name}");
        }
        for name in &known {
            let stem = name.rsplit_once('-').map_or(name.as_str(), |(stem, _)| stem);
            let whole = sources.contains(&format!("\"{name}\"")) || sources.contains(&format!("'{name}'"));
            // Names may be put together: `t(&format!("cause-{cause}"))`.
            let made = ["{", "\" ~", "' +", "\" +", "${"].iter().any(|end| {
                sources.contains(&format!("\"{stem}-{end}"))
                    || sources.contains(&format!("'{stem}-{end}"))
                    || sources.contains(&format!("`{stem}-{end}"))
            });
            assert!(whole || made, "nobody says {name}");
        }
    }

    #[test]
    fn counts_choose_the_plural_and_are_written_with_commas() {
        assert_eq!(say(Lang::En, "common-customers", &[("n", 1u64.into())]), "1 customer");
        assert_eq!(say(Lang::En, "common-customers", &[("n", 12_340u64.into())]), "12,340 customers");
        assert_eq!(say(Lang::Ko, "common-customers", &[("n", 12_340u64.into())]), "12,340명");
        assert_eq!(say(Lang::Ko, "no-such-message", &[]), "no-such-message");
    }
}
