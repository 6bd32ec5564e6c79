//! A segment's definition file as fields, and back into the same file: what the fields do not touch stays as it was
//! written, comments and order included.

use crate::syntax::parse;
use crate::tree::Words;
use crate::yaml::{Node, NodeKind, read};
use serde::{Deserialize, Serialize};

/// What a definition says about itself, a field each; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    pub id: String,
    pub name_ko: String,
    pub name_en: String,
    pub description_ko: String,
    pub description_en: String,
    pub goal_ko: String,
    pub goal_en: String,
    pub treatment_ko: String,
    pub treatment_en: String,
    pub owner: String,
    pub tags: Vec<String>,
}

/// One segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub about: About,
    /// The condition as written.
    pub when: String,
    /// The file says more than this one segment (short names of events, say).
    pub more: bool,
    /// Characters of the file before each character of `when`.
    places: Vec<usize>,
}

const KEYS: [&str; 8] = ["id", "name", "description", "goal", "treatment", "owner", "tags", "when"];

impl Draft {
    pub fn new(about: About, when: String) -> Draft {
        Draft { about, when, ..Draft::default() }
    }

    /// The one segment that a file defines; `None` if it defines another number of them or cannot be read.
    pub fn read(yaml: &str) -> Option<Draft> {
        let root = read(yaml).ok()??;
        let pairs = item(&root)?;
        let mut draft = Draft::default();
        for (key, value) in pairs {
            let about = &mut draft.about;
            match key.text()? {
                "id" => about.id = value.text()?.to_string(),
                "name" => (about.name_ko, about.name_en) = words(value)?,
                "description" => (about.description_ko, about.description_en) = words(value)?,
                "goal" => (about.goal_ko, about.goal_en) = words(value)?,
                "treatment" => (about.treatment_ko, about.treatment_en) = words(value)?,
                "owner" => about.owner = value.text()?.to_string(),
                "tags" => {
                    let NodeKind::List(list) = &value.kind else { return None };
                    about.tags = list.iter().map(|t| t.text().map(str::to_string)).collect::<Option<_>>()?;
                }
                "when" => {
                    draft.when = value.text()?.to_string();
                    let chars: Vec<char> = yaml.chars().collect();
                    let bytes = value.places(&chars);
                    draft.places = draft.when.char_indices().filter_map(|(b, _)| bytes.get(b).copied()).collect();
                }
                _ => {}
            }
        }
        let NodeKind::Map(all) = &root.kind else { return None };
        draft.more = all.iter().any(|(k, _)| !matches!(k.text(), Some("version" | "segments")));
        Some(draft)
    }

    /// Where in `when` (in characters) a place of the file lies.
    pub fn place(&self, yaml: &str, line: usize, column: usize) -> Option<usize> {
        let before: usize = yaml.split_inclusive('\n').take(line.checked_sub(1)?).map(|l| l.chars().count()).sum();
        let index = before + column.checked_sub(1)?;
        let (first, last) = (self.places.first()?, self.places.last()?);
        if index < *first || index > last + 1 {
            return None;
        }
        // White space has the place of what follows: the last character that stands there is meant.
        Some(self.places.partition_point(|p| *p <= index).saturating_sub(1))
    }

    /// `base` with this segment in it.
    pub fn write(&self, base: &str) -> String {
        let kept = |text: String| {
            Draft::read(&text).filter(|d| d.about == self.about && same(&d.when, &self.when)).map(|_| text)
        };
        let old = Draft::read(base);
        if old.as_ref().is_some_and(|old| old.about == self.about && same(&old.when, &self.when)) {
            return base.to_string();
        }
        old.as_ref()
            .and_then(|old| kept(self.mended(base, old)?))
            .or_else(|| old.as_ref().and_then(|_| kept(self.replaced(base)?)))
            .unwrap_or_else(|| format!("version: 1\nsegments:\n{}", self.item(2)))
    }

    /// The lines of a key; empty if there is nothing to say.
    fn key(&self, key: &str, indent: usize) -> Vec<String> {
        let a = &self.about;
        match key {
            "id" => vec![format!("id: {}", scalar(&a.id))],
            "name" => words_of(key, &a.name_ko, &a.name_en, indent),
            "description" => words_of(key, &a.description_ko, &a.description_en, indent),
            "goal" => words_of(key, &a.goal_ko, &a.goal_en, indent),
            "treatment" => words_of(key, &a.treatment_ko, &a.treatment_en, indent),
            "owner" if a.owner.is_empty() => vec![],
            "owner" => vec![format!("owner: {}", scalar(&a.owner))],
            "tags" if a.tags.is_empty() => vec![],
            "tags" => vec![format!("tags: [{}]", a.tags.iter().map(|t| scalar(t)).collect::<Vec<_>>().join(", "))],
            _ => when(&self.when, indent),
        }
    }

    fn item(&self, indent: usize) -> String {
        let inner = indent + 2;
        let mut out = String::new();
        for line in KEYS.iter().flat_map(|k| self.key(k, inner)) {
            let mark = if out.is_empty() { format!("{}- ", " ".repeat(indent)) } else { " ".repeat(inner) };
            out.push_str(format!("{mark}{line}").trim_end());
            out.push('\n');
        }
        out
    }

    /// Line by line: what changed is written anew, the rest stays.
    fn mended(&self, base: &str, old: &Draft) -> Option<String> {
        let root = read(base).ok()??;
        let pairs = item(&root)?;
        let mut lines: Vec<String> = base.lines().map(str::to_string).collect();
        let indent = column(base, &pairs.first()?.0);
        let mut places: Vec<(&str, usize, usize)> = vec![];
        for (key, _) in pairs {
            let start = key.line.checked_sub(1)?;
            if column(base, key) != indent || places.iter().any(|p| p.1 == start) {
                return None;
            }
            places.push((key.text()?, start, last_line(&lines, start, indent)));
        }
        // From the end, so that the lines before keep their numbers.
        let mut edits: Vec<(usize, usize, Vec<String>)> = vec![];
        for (i, key) in KEYS.iter().enumerate() {
            let new = self.key(key, indent);
            if new == old.key(key, indent) || (*key == "when" && same(&old.when, &self.when)) {
                continue;
            }
            match places.iter().find(|p| p.0 == *key) {
                Some((_, start, end)) => edits.push((*start, end + 1, new)),
                None => {
                    let before = KEYS[..i].iter().rev().find_map(|k| places.iter().find(|p| p.0 == *k));
                    let at = before.map(|p| p.2 + 1)?;
                    edits.push((at, at, new));
                }
            }
        }
        // Of several insertions at one place the later key goes in first.
        edits.reverse();
        edits.sort_by_key(|e| std::cmp::Reverse(e.0));
        for (start, end, new) in edits {
            let first: Option<String> = lines.get(start).map(|l| l.chars().take(indent).collect());
            let mark = first.filter(|f| start < end && f.trim_end().ends_with('-'));
            let pad = " ".repeat(indent);
            let written = new.iter().enumerate().map(|(i, l)| match &mark {
                Some(mark) if i == 0 => format!("{mark}{l}"),
                _ => format!("{pad}{l}").trim_end().to_string(),
            });
            lines.splice(start..end, written.collect::<Vec<_>>());
        }
        Some(lines.join("\n") + "\n")
    }

    /// The item as a whole anew, the rest of the file as it was.
    fn replaced(&self, base: &str) -> Option<String> {
        let root = read(base).ok()??;
        let NodeKind::Map(all) = &root.kind else { return None };
        let list = all.iter().find(|(k, _)| k.text() == Some("segments"))?;
        let NodeKind::List(items) = &list.1.kind else { return None };
        let lines: Vec<String> = base.lines().map(str::to_string).collect();
        let start = items.first()?.line.checked_sub(1)?;
        let dash = lines.get(start)?.find('-')?;
        if !lines[start][..dash].trim().is_empty() {
            return None;
        }
        let end = last_line(&lines, start, dash);
        let before: String = lines[..start].iter().map(|l| format!("{l}\n")).collect();
        let after: String = lines[end + 1..].iter().map(|l| format!("{l}\n")).collect();
        Some(format!("{before}{}{after}", self.item(dash)))
    }
}

/// The pairs of the only item under `segments`.
fn item(root: &Node) -> Option<&[(Node, Node)]> {
    let NodeKind::Map(all) = &root.kind else { return None };
    let mut lists = all.iter().filter(|(k, _)| k.text() == Some("segments"));
    let (Some((_, list)), None) = (lists.next(), lists.next()) else { return None };
    let NodeKind::List(items) = &list.kind else { return None };
    match items.as_slice() {
        [Node { kind: NodeKind::Map(pairs), .. }] => Some(pairs),
        _ => None,
    }
}

pub(super) fn words(node: &Node) -> Option<(String, String)> {
    let mut words = Words::default();
    match &node.kind {
        NodeKind::Scalar { text, .. } if is_korean(text) => words.ko = Some(text.clone()),
        NodeKind::Scalar { text, .. } => words.en = Some(text.clone()),
        NodeKind::Map(pairs) => {
            for (k, v) in pairs {
                match k.text()? {
                    "ko" => words.ko = Some(v.text()?.to_string()),
                    "en" => words.en = Some(v.text()?.to_string()),
                    _ => return None,
                }
            }
        }
        NodeKind::List(_) => return None,
    }
    Some((words.ko.unwrap_or_default(), words.en.unwrap_or_default()))
}

fn is_korean(text: &str) -> bool {
    text.chars().any(|c| ('가'..='힣').contains(&c))
}

/// Two conditions say the same and no comment is lost.
fn same(a: &str, b: &str) -> bool {
    a.trim() == b.trim() || (!a.contains('#') && !b.contains('#') && parse(a).0 == parse(b).0 && parse(a).1.is_empty())
}

/// Characters before a node on its line.
pub(super) fn column(text: &str, node: &Node) -> usize {
    let before: Vec<char> = text.chars().take(node.index).collect();
    before.iter().rev().take_while(|c| **c != '\n').count()
}

/// The last line of the value that begins on a line: all that stands further in.
pub(super) fn last_line(lines: &[String], start: usize, indent: usize) -> usize {
    let depth = |l: &str| l.chars().take_while(|c| *c == ' ').count();
    let mut end = start;
    for (i, line) in lines.iter().enumerate().skip(start + 1) {
        let blank = line.trim().is_empty();
        if !blank && depth(line) <= indent && !line.trim_start().starts_with('#') {
            break;
        }
        if !blank && depth(line) > indent {
            end = i;
        }
    }
    end
}

// ---- writing YAML

fn words_of(key: &str, ko: &str, en: &str, indent: usize) -> Vec<String> {
    match (ko.is_empty(), en.is_empty()) {
        (true, true) => vec![],
        (false, true) if is_korean(ko) => vec![format!("{key}: {}", scalar(ko))],
        (true, false) if !is_korean(en) => vec![format!("{key}: {}", scalar(en))],
        (false, true) => vec![format!("{key}: {{ ko: {} }}", scalar(ko))],
        (true, false) => vec![format!("{key}: {{ en: {} }}", scalar(en))],
        (false, false) => {
            let (ko, en) = (scalar(ko), scalar(en));
            let one = format!("{key}: {{ ko: {ko}, en: {en} }}");
            if indent + one.chars().count() <= 110 {
                return vec![one];
            }
            vec![format!("{key}:"), format!("  ko: {ko}"), format!("  en: {en}")]
        }
    }
}

/// One line if it can be, else a block that keeps its lines (and with them its comments).
fn when(text: &str, indent: usize) -> Vec<String> {
    let text = text.trim();
    let plain = !text.is_empty()
        && !text.contains(['#', '\n', '\r', '\t'])
        && !text.contains(": ")
        && !text.ends_with(':')
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '(')
        && indent + text.chars().count() <= 112;
    if plain {
        return vec![format!("when: {text}")];
    }
    let odd = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    if text.is_empty() || text.contains(odd) || text.lines().any(|l| l.ends_with(' ')) {
        return vec![format!("when: {}", quoted(text))];
    }
    let mut out = vec!["when: |-".to_string()];
    out.extend(text.lines().map(|l| if l.is_empty() { String::new() } else { format!("  {l}") }));
    out
}

/// Plain where nothing in it could mean something in YAML, also within `{ }`.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || " _-./%()~+!?·".contains(c))
        && !text.ends_with(' ')
        && !matches!(text.to_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    if plain { text.to_string() } else { quoted(text) }
}

/// In double quotes, for a place in YAML where anything may stand.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
