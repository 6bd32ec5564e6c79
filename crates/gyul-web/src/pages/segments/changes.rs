//! What was changed in a definition, when, and by whom?

use crate::audit::Entry;
use crate::data::Version;
use gyul_model::Instant;

/// How far back in the audit log an author is looked for.
pub const AUDIT: usize = 2000;
/// Between the save and its line in the audit log, in microseconds.
const NEAR: i64 = 15_000_000;
/// Longer texts are shown whole.
const LINES_MAX: usize = 400;

/// A version as the page shows it.
pub struct Shown {
    pub version: u64,
    pub at: Instant,
    pub who: Option<String>,
    pub deleted: bool,
    pub current: bool,
    pub lines: Vec<Line>,
    pub added: usize,
    pub removed: usize,
}

/// A line of a text, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `+`, `−` or a space.
    pub sign: char,
    pub text: String,
}

impl Line {
    pub fn class(&self) -> &'static str {
        match self.sign {
            '+' => "added",
            '−' => "removed",
            _ => "same",
        }
    }
}

/// Newest first, each with what it changed. `thing` as in the names of the operations.
pub fn shown(id: &str, versions: &[Version], audit: &[(u64, Vec<u8>)], thing: &str) -> Vec<Shown> {
    let operations = [format!("put{thing}"), format!("delete{thing}")];
    let entries = audit.iter().filter_map(|(_, bytes)| serde_json::from_slice::<Entry>(bytes).ok());
    let entries = entries.filter(|e| operations.contains(&e.what) && names(e.target.as_deref(), id));
    let entries: Vec<(Instant, String)> =
        entries.filter_map(|e| Some((Instant::parse_rfc3339(&e.at)?, person(&e.who)))).collect();
    let mut out = vec![];
    for (i, v) in versions.iter().enumerate() {
        let before = versions.get(i + 1).map_or("", |b| b.yaml.as_str());
        let near = entries.iter().map(|(at, who)| ((at.0 - v.at.0).abs(), who)).min();
        let lines = difference(before, &v.yaml);
        out.push(Shown {
            version: v.version.into(),
            at: v.at,
            who: near.filter(|(d, _)| *d <= NEAR).map(|(_, who)| who.clone()),
            deleted: v.deleted,
            current: i == 0,
            added: lines.iter().filter(|l| l.sign == '+').count(),
            removed: lines.iter().filter(|l| l.sign == '−').count(),
            lines: near_changes(lines),
        });
    }
    out
}

/// The id, or a path that begins with it.
fn names(target: Option<&str>, id: &str) -> bool {
    target.is_some_and(|t| t.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn person(who: &str) -> String {
    who.split_once(':').map_or(who, |(_, name)| name).to_string()
}

/// The shortest way from one text to the other, line by line.
pub fn difference(before: &str, after: &str) -> Vec<Line> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let line = |sign, text: &str| Line { sign, text: text.to_string() };
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        return b.iter().map(|t| line(' ', t)).collect();
    }
    // longest[i][j]: lines in common from a[i..] and b[j..].
    let mut longest = vec![vec![0_u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] =
                if a[i] == b[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, vec![]);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            out.push(line(' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            out.push(line('−', a[i]));
            i += 1;
        } else {
            out.push(line('+', b[j]));
            j += 1;
        }
    }
    out
}

/// Without the lines that are far from any change.
fn near_changes(lines: Vec<Line>) -> Vec<Line> {
    let changed: Vec<usize> = lines.iter().enumerate().filter(|(_, l)| l.sign != ' ').map(|(i, _)| i).collect();
    let near = |i: usize| changed.iter().any(|c| c.abs_diff(i) <= 2);
    let mut out: Vec<Line> = vec![];
    let gap = Line { sign: ' ', text: "⋯".into() };
    for (i, l) in lines.into_iter().enumerate() {
        if near(i) {
            out.push(l);
        } else if out.last() != Some(&gap) {
            out.push(gap.clone());
        }
    }
    if changed.is_empty() { vec![] } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leads_from_one_text_to_the_other() {
        let cases = [("", "a\nb"), ("a\nb\nc", "a\nc"), ("a\nb", "b\na"), ("x", ""), ("a\nb\nc\nd", "a\nB\nc\nD\ne")];
        for (before, after) in cases {
            let lines = difference(before, after);
            let keep = |sign: char| {
                let own = lines.iter().filter(|l| l.sign == ' ' || l.sign == sign).map(|l| l.text.as_str());
                own.collect::<Vec<_>>().join("\n")
            };
            assert_eq!((keep('−').as_str(), keep('+').as_str()), (before, after));
        }
        assert_eq!(difference("a\nb\nc", "a\nc").iter().filter(|l| l.sign != ' ').count(), 1);
    }

    #[test]
    fn far_lines_are_left_out_once() {
        let before: String = (0..30).map(|n| format!("{n}\n")).collect();
        let lines = near_changes(difference(&before, &before.replace("\n15\n", "\nfifteen\n")));
        assert_eq!(lines.iter().filter(|l| l.text == "⋯").count(), 2);
        assert_eq!(lines.len(), 2 + 2 + 4);
    }

    #[test]
    fn an_author_is_found_by_target_and_time() {
        let entry = |what: &str, target: &str, at: &str| {
            let e = Entry {
                number: 0,
                at: at.into(),
                who: "user:kim@a.kr".into(),
                what: what.into(),
                target: Some(target.into()),
                report: None,
            };
            (0, serde_json::to_vec(&e).unwrap())
        };
        let at = Instant::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let version = [Version { version: 1, at, yaml: "a".into(), deleted: false }];
        let who = |e| shown("vip", &version, &[e], "Segment")[0].who.clone();
        assert_eq!(who(entry("putSegment", "vip", "2026-01-01T00:00:01Z")).as_deref(), Some("kim@a.kr"));
        assert_eq!(who(entry("putSegment", "vip/restore", "2026-01-01T00:00:01Z")).as_deref(), Some("kim@a.kr"));
        assert_eq!(who(entry("putSegment", "vips", "2026-01-01T00:00:01Z")), None);
        assert_eq!(who(entry("putPartition", "vip", "2026-01-01T00:00:01Z")), None);
        assert_eq!(who(entry("putSegment", "vip", "2026-01-01T01:00:00Z")), None);
    }
}
