//! Definitions as they are kept: one text each, with every version it ever had.

use gyul_model::Instant;
use gyul_segment::Schema;
use gyul_segment::problem::Problem;
use gyul_segment::tree::Library;
use std::collections::BTreeMap;

/// What a text defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefKind {
    /// Occasions and whatever else belongs to no single definition.
    Common,
    Measure,
    Segment,
    Partition,
}

impl DefKind {
    pub fn name(self) -> &'static str {
        match self {
            DefKind::Common => "common",
            DefKind::Measure => "measure",
            DefKind::Segment => "segment",
            DefKind::Partition => "partition",
        }
    }

    pub fn parse(name: &str) -> Option<DefKind> {
        [DefKind::Common, DefKind::Measure, DefKind::Segment, DefKind::Partition].into_iter().find(|k| k.name() == name)
    }

    fn of_key(key: &str) -> Option<DefKind> {
        match key {
            "measures" => Some(DefKind::Measure),
            "segments" => Some(DefKind::Segment),
            "partitions" => Some(DefKind::Partition),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// From 1.
    pub version: u32,
    pub at: Instant,
    pub by: String,
    /// `None`: taken out.
    pub text: Option<String>,
}

/// Every definition by kind and id.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    all: BTreeMap<(DefKind, String), Vec<Version>>,
}

impl Definitions {
    pub fn put(&mut self, kind: DefKind, id: &str, text: Option<String>, by: &str, at: Instant) -> u32 {
        let versions = self.all.entry((kind, id.to_string())).or_default();
        let version = versions.len() as u32 + 1;
        versions.push(Version { version, at, by: by.to_string(), text });
        version
    }

    /// All versions, the newest last.
    pub fn versions(&self, kind: DefKind, id: &str) -> &[Version] {
        self.all.get(&(kind, id.to_string())).map_or(&[], Vec::as_slice)
    }

    /// The version in force.
    pub fn get(&self, kind: DefKind, id: &str) -> Option<&Version> {
        self.versions(kind, id).last().filter(|v| v.text.is_some())
    }

    pub fn iter(&self) -> impl Iterator<Item = (DefKind, &str, &Version)> + '_ {
        self.all.iter().filter_map(|((kind, id), v)| Some((*kind, id.as_str(), v.last().filter(|v| v.text.is_some())?)))
    }

    /// In the form that the language reads: a file each, named `segment/vip.yaml`.
    pub fn files(&self) -> Vec<(String, String)> {
        self.iter().map(|(kind, id, v)| (file(kind, id), v.text.clone().unwrap_or_default())).collect()
    }

    /// The files as they would be with one definition changed.
    pub fn files_with(&self, kind: DefKind, id: &str, text: Option<&str>) -> Vec<(String, String)> {
        let name = file(kind, id);
        let mut files: Vec<(String, String)> = self.files().into_iter().filter(|(n, _)| *n != name).collect();
        files.extend(text.map(|t| (name, t.to_string())));
        files
    }

    pub fn library(&self, schema: &Schema) -> (Library, Vec<Problem>) {
        gyul_segment::load(&self.files(), Some(schema))
    }
}

/// The name of a definition's file.
pub fn file(kind: DefKind, id: &str) -> String {
    format!("{}/{id}.yaml", kind.name())
}

/// A definition file taken apart: one text for each definition, with the comments before it, and one for the rest.
pub fn split(text: &str) -> Vec<(DefKind, String, String)> {
    let mut out: Vec<(DefKind, String, String)> = vec![];
    let mut rest = String::new();
    let mut list: Option<(&str, DefKind)> = None;
    let mut comments = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let top =
            !line.starts_with(' ') && !trimmed.is_empty() && !trimmed.starts_with('#') && !trimmed.starts_with('-');
        if top {
            let key = trimmed.split(':').next().unwrap_or("");
            list = DefKind::of_key(key).filter(|_| trimmed.trim_end().ends_with(':')).map(|k| (key, k));
            comments.clear();
            if list.is_none() {
                rest.push_str(line);
                rest.push('\n');
            }
            continue;
        }
        let Some((key, kind)) = list else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let indent = line.len() - trimmed.len();
        match trimmed.strip_prefix("- id:").filter(|_| indent <= 2) {
            Some(id) => {
                let id = id.split('#').next().unwrap_or("").trim().trim_matches(['"', '\'']).to_string();
                out.push((kind, id, format!("version: 1\n{key}:\n{comments}{line}\n")));
                comments.clear();
            }
            None if trimmed.starts_with('#') && indent <= 2 => comments.push_str(&format!("{line}\n")),
            None => {
                if let Some((_, _, text)) = out.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    let says_something = |l: &str| !l.trim().is_empty() && !l.starts_with('#') && !l.starts_with("version:");
    if rest.lines().any(says_something) {
        out.push((DefKind::Common, String::new(), rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::starter;

    #[test]
    fn the_starter_library_taken_apart_means_the_same() {
        let mut definitions = Definitions::default();
        for (name, text) in starter() {
            for (kind, id, text) in split(&text) {
                let id = if id.is_empty() { name.replace(['/', '.'], "-") } else { id };
                assert_eq!(definitions.put(kind, &id, Some(text), "", Instant(0)), 1, "{id} twice");
            }
        }
        let (whole, _) = gyul_segment::load(&starter(), None);
        let (parts, problems) = gyul_segment::load(&definitions.files(), None);
        assert!(problems.is_empty(), "{problems:?}");
        let ids = |l: &Library| {
            let mut all: Vec<String> = l.segments.iter().map(|s| format!("{} {:?}", s.id, s.about)).collect();
            all.extend(l.partitions.iter().map(|p| format!("{} {:?}", p.id, p.about)));
            all.extend(l.measures.iter().map(|m| m.id.clone()));
            all.sort();
            all
        };
        assert_eq!(ids(&whole), ids(&parts));
        assert_eq!(whole.occasions.get("named_days").is_some(), parts.occasions.get("named_days").is_some());
    }
}
