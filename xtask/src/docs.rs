//! Rules for pages: links lead somewhere, both languages say as much, the changelog speaks.

use crate::House;
use std::path::{Component, Path, PathBuf};

pub fn check(house: &House) -> Vec<String> {
    let mut out = vec![];
    for page in house.with_ending(".md") {
        let text = house.read(page).unwrap_or_default();
        for link in links(&text) {
            let target = resolve(page, link);
            let there = house.root.join(&target).exists();
            if !there {
                out.push(format!("{page}: the link to {link} leads nowhere"));
            }
        }
        let Some(stem) = page.strip_suffix(".ko.md") else { continue };
        match house.read(&format!("{stem}.md")) {
            None => out.push(format!("{page}: has no English page {stem}.md")),
            Some(english) => {
                let (ko, en) = (headings(&text), headings(&english));
                // A page that says less points to the one that says all.
                let points = links(&text).iter().any(|l| resolve(page, l) == Path::new(&format!("{stem}.md")));
                if ko != en && !points {
                    out.push(format!("{page}: {ko} headings, the English page has {en}, and no link to it"));
                }
            }
        }
    }
    for needed in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md", "docs/glossary.md"] {
        if house.read(needed).is_none_or(|t| t.trim().is_empty()) {
            out.push(format!("{needed}: is missing or empty"));
        }
    }
    let news = house.read("CHANGELOG.md").unwrap_or_default();
    if !news.lines().any(|l| l.starts_with("- ")) {
        out.push("CHANGELOG.md: tells nothing".into());
    }
    out
}

/// Targets of inline links within the repository, without their fragments. Code is left out.
fn links(text: &str) -> Vec<&str> {
    let mut out = vec![];
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let prose = line.split('`').step_by(2);
        for part in prose.flat_map(|p| p.split("](").skip(1)) {
            let target = part.split([')', ' ']).next().unwrap_or("");
            let target = target.split('#').next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                out.push(target);
            }
        }
    }
    out
}

fn resolve(page: &str, link: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(page).parent().unwrap_or(Path::new("")).join(link).components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::Normal(p) => out.push(p),
            _ => {}
        }
    }
    out
}

fn headings(text: &str) -> usize {
    let mut fenced = false;
    let heading = |l: &&str| {
        fenced ^= l.starts_with("```");
        !fenced && l.starts_with('#')
    };
    text.lines().filter(heading).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_prose_are_found_and_resolved() {
        let text = "see [a](../b.md#part) and [web](https://x.org)\n```\n[c](d.md)\n```\n`[e](f.md)` ![g](h.png)";
        assert_eq!(links(text), ["../b.md", "h.png"]);
        assert_eq!(resolve("docs/reference/a.md", "../b.md"), Path::new("docs/b.md"));
    }
}
