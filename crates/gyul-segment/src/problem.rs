//! What is wrong with a definition: a stable code, the place, and words in both languages.

use gyul_model::Lang;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition cannot be used.
    Error,
    /// It can, but may not mean what was meant.
    Warning,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    /// Stable: scripts and translations hang on it.
    pub code: &'static str,
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
    /// The line itself.
    pub excerpt: String,
    pub ko: String,
    pub en: String,
    pub hint: Option<(String, String)>,
}

impl Problem {
    pub fn message(&self, lang: Lang) -> &str {
        lang.pick(&self.ko, &self.en)
    }

    pub fn hint(&self, lang: Lang) -> Option<&str> {
        self.hint.as_ref().map(|(ko, en)| lang.pick(ko.as_str(), en.as_str()))
    }

    /// The problem as text, with the line and a mark under the place.
    pub fn render(&self, lang: Lang) -> String {
        let kind = match self.severity {
            Severity::Error => lang.pick("오류", "error"),
            Severity::Warning => lang.pick("주의", "warning"),
        };
        let mut out = format!("{kind}[{}]: {}\n", self.code, self.message(lang));
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let _ = writeln!(out, "{gutter}--> {}:{}:{}", self.file, self.line, self.column);
        if !self.excerpt.trim().is_empty() {
            let before: String = self.excerpt.chars().take(self.column - 1).collect();
            // Hangul takes two places in a terminal.
            let indent: usize = before.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
            let rest = self.excerpt.chars().count().saturating_sub(self.column - 1).max(1);
            let _ = writeln!(out, "{number} | {}", self.excerpt);
            let _ = writeln!(out, "{gutter} | {}{}", " ".repeat(indent), "^".repeat(self.width.min(rest).max(1)));
        }
        if let Some(hint) = self.hint(lang) {
            let _ = writeln!(out, "{gutter} = {}: {hint}", lang.pick("도움말", "help"));
        }
        out
    }
}

/// The valid name that is nearest to what was written, if any is near enough to be meant.
pub fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let low = written.to_lowercase();
    let limit = (written.chars().count() / 3).max(1) + 1;
    let near = valid.into_iter().map(|v| (distance(&low, &v.to_lowercase()), v));
    near.filter(|(d, _)| *d <= limit).min_by_key(|(d, v)| (*d, v.to_string())).map(|(_, v)| v)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn nearest_means_a_slip_of_the_hand() {
        assert_eq!(nearest("ordr", ["order", "item"]), Some("order"));
        assert_eq!(nearest("vipp", ["vip"]), Some("vip"));
        assert_eq!(nearest("zebra", ["order", "item"]), None);
    }
}
