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
    /// Its place in the log.
    pub seq: u64,
    /// Membership follows it; before, it is still being computed.
    pub in_force: bool,
}

/// Every definition by kind and id.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    all: BTreeMap<(DefKind, String), Vec<Version>>,
}

impl Definitions {
    /// Adds a version that is in force at once. Gives its number.
    pub fn put(&mut self, kind: DefKind, id: &str, text: Option<String>, by: &str, (seq, at): (u64, Instant)) -> u32 {
        let versions = self.all.entry((kind, id.to_string())).or_default();
        let version = versions.len() as u32 + 1;
        versions.push(Version { version, at, by: by.to_string(), text, seq, in_force: true });
        version
    }

    /// Adds a version that is computed first.
    pub fn propose(&mut self, kind: DefKind, id: &str, text: Option<String>, by: &str, place: (u64, Instant)) -> u32 {
        let version = self.put(kind, id, text, by, place);
        if let Some(v) = self.all.get_mut(&(kind, id.to_string())).and_then(|v| v.last_mut()) {
            v.in_force = false;
        }
        version
    }

    /// Everything up to this place in the log is in force.
    pub fn enforce(&mut self, upto: u64) {
        self.all.values_mut().flatten().filter(|v| v.seq <= upto).for_each(|v| v.in_force = true);
    }

    /// The last place in the log that something still computed comes from.
    pub fn proposed(&self) -> Option<u64> {
        self.all.values().flatten().filter(|v| !v.in_force).map(|v| v.seq).max()
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

    /// In the form that the language reads: a file each, named `segment/vip.yaml`; the newest versions.
    pub fn files(&self) -> Vec<(String, String)> {
        self.iter().map(|(kind, id, v)| (file(kind, id), v.text.clone().unwrap_or_default())).collect()
    }

    /// The versions that membership follows.
    fn files_in_force(&self) -> Vec<(String, String)> {
        let latest = |v: &Vec<Version>| v.iter().rev().find(|v| v.in_force).and_then(|v| v.text.clone());
        self.all.iter().filter_map(|((kind, id), v)| Some((file(*kind, id), latest(v)?))).collect()
    }

    /// The files as they would be with one definition changed.
    pub fn files_with(&self, kind: DefKind, id: &str, text: Option<&str>) -> Vec<(String, String)> {
        let name = file(kind, id);
        let mut files: Vec<(String, String)> = self.files().into_iter().filter(|(n, _)| *n != name).collect();
        files.extend(text.map(|t| (name, t.to_string())));
        files
    }

    /// What is in force.
    pub fn library(&self, schema: &Schema) -> (Library, Vec<Problem>) {
        gyul_segment::load(&self.files_in_force(), Some(schema))
    }

    /// What will be, when all is computed.
    pub fn proposal(&self, schema: &Schema) -> (Library, Vec<Problem>) {
        gyul_segment::load(&self.files(), Some(schema))
    }
}

/// The name of a definition's file.
pub fn file(kind: DefKind, id: &str) -> String {
    format!("{}/{id}.yaml", kind.name())
}

/// A definition file taken apart: one text for each definition, with the comments before it, and one for the rest.
/// A file of another form than that stays whole, as a `common` one without an id.
pub fn split(text: &str) -> Vec<(DefKind, String, String)> {
    let parts = take_apart(text);
    let count = |files: &[(String, String)]| {
        let (l, problems) = gyul_segment::load(files, None);
        (l.segments.len(), l.partitions.len(), l.measures.len(), problems.len())
    };
    let files: Vec<(String, String)> =
        parts.iter().enumerate().map(|(i, (_, _, text))| (format!("{i}.yaml"), text.clone())).collect();
    let mut ids: Vec<(DefKind, &str)> = parts.iter().map(|(kind, id, _)| (*kind, id.as_str())).collect();
    ids.sort_unstable();
    let clear = ids.iter().all(|(kind, id)| *kind == DefKind::Common || !id.is_empty());
    let (parts_said, whole_said) = (count(&files), count(&[("whole.yaml".into(), text.into())]));
    match clear && ids.windows(2).all(|w| w[0] != w[1]) && parts_said.3 <= whole_said.3 && parts_said == whole_said {
        true => parts,
        false => vec![(DefKind::Common, String::new(), text.to_string())],
    }
}

fn take_apart(text: &str) -> Vec<(DefKind, String, String)> {
    let mut out: Vec<(DefKind, String, String)> = vec![];
    let mut rest = String::new();
    let mut list: Option<(&str, DefKind)> = None;
    let mut comments = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let comment = trimmed.starts_with('#');
        if indent == 0 && !trimmed.is_empty() && !comment && !trimmed.starts_with('-') {
            let key = trimmed.split(':').next().unwrap_or("");
            list = DefKind::of_key(key).filter(|_| trimmed.trim_end().ends_with(':')).map(|k| (key, k));
            comments.clear();
            if list.is_none() {
                rest.push_str(&format!("{line}\n"));
            }
            continue;
        }
        let Some((key, kind)) = list else {
            rest.push_str(&format!("{line}\n"));
            continue;
        };
        if indent <= 2 && !trimmed.is_empty() && !comment {
            // An item of a list, or a name with its value.
            let id = match trimmed.strip_prefix("- ") {
                Some(item) => id_in(item),
                None => trimmed.split(':').next().unwrap_or("").to_string(),
            };
            out.push((kind, id, format!("version: 1\n{key}:\n{comments}{line}\n")));
            comments.clear();
        } else if comment && indent <= 2 {
            comments.push_str(&format!("{line}\n"));
        } else if let Some((_, id, text)) = out.last_mut() {
            if id.is_empty() && indent == 4 {
                *id = id_in(trimmed);
            }
            text.push_str(&format!("{line}\n"));
        }
    }
    let says_something = |l: &str| !l.trim().is_empty() && !l.starts_with('#') && !l.starts_with("version:");
    if rest.lines().any(says_something) {
        out.push((DefKind::Common, String::new(), rest));
    }
    out
}

/// The id that a line gives: `id: vip`, `{ id: vip, when: … }`.
fn id_in(line: &str) -> String {
    let line = line.trim_start_matches(['{', ' ']);
    let value = line.strip_prefix("id:").unwrap_or("");
    value.split([',', '}', '#']).next().unwrap_or("").trim().trim_matches(['"', '\'']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::starter;

    #[test]
    fn every_form_of_a_file_keeps_its_definitions() {
        let text = "version: 1
events:
  order: { event: order_completed }
measures:
  # What they spent.
  spent: sum(order.total, last 30d)
  - { id: n, value: count(order) }
segments:
  - { id: a, when: spent > 5 }
  # Two lines.
  - name: { en: B }
    id: b
    when: count(order) >= 2
";
        let listed = text.replace("  - { id: n, value: count(order) }\n", "");
        let parts = split(&listed);
        let ids: Vec<(DefKind, &str)> = parts.iter().map(|(k, id, _)| (*k, id.as_str())).collect();
        use DefKind::*;
        assert_eq!(ids, [(Measure, "spent"), (Segment, "a"), (Segment, "b"), (Common, "")]);
        assert!(parts[2].2.contains("# Two lines."));
        // What is no good is kept whole, for somebody to mend.
        for odd in [text, "segments: [{ id: a, when: x }]", "segments:\n  - when: 1\n", "\u{0}"] {
            let parts = split(odd);
            assert!(parts.len() == 1 && parts[0].0 == Common && parts[0].2.trim() == odd.trim(), "{odd}: {parts:?}");
        }
    }

    #[test]
    fn the_starter_library_taken_apart_means_the_same() {
        let mut definitions = Definitions::default();
        for (name, text) in starter() {
            for (kind, id, text) in split(&text) {
                let id = if id.is_empty() { name.replace(['/', '.'], "-") } else { id };
                assert_eq!(definitions.put(kind, &id, Some(text), "", (0, Instant(0))), 1, "{id} twice");
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
