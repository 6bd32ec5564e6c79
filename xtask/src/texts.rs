//! Rules for text files: no machine's paths, no leftovers, nothing endless, no file that nobody reaches.

use crate::House;
use std::path::Path;

/// More lines than this make a file hard to hold in the head.
const LINES_MAX: usize = 1_000;
const TEXTS: [&str; 12] = ["rs", "md", "toml", "yaml", "yml", "py", "sh", "css", "html", "json", "run", "lock"];

pub fn check(house: &House) -> Vec<String> {
    let mut out = vec![];
    for path in &house.files {
        let name = Path::new(path);
        let ending = name.extension().or(name.file_name()).and_then(|e| e.to_str()).unwrap_or("");
        if !TEXTS.contains(&ending) {
            continue;
        }
        let Some(text) = house.read(path) else {
            out.push(format!("{path}: is not UTF-8"));
            continue;
        };
        for (i, line) in text.lines().enumerate() {
            out.extend(line_findings(path, line).into_iter().map(|f| format!("{path}:{}: {f}", i + 1)));
        }
        if ending == "rs" && text.lines().count() > LINES_MAX {
            out.push(format!("{path}: {} lines, more than {LINES_MAX}: take it apart", text.lines().count()));
        }
    }
    out.extend(unreachable(house));
    out
}

fn line_findings(path: &str, line: &str) -> Vec<String> {
    let mut out = vec![];
    // Put together here, so that this file does not find itself.
    for machine in [["/wo", "rk/"], ["/tm", "p/"], ["/ro", "ot/"], ["/ho", "me/"]] {
        let wanted = machine.concat();
        let found = line.match_indices(&wanted).any(|(i, _)| {
            let before = line[..i].chars().next_back();
            before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '}')))
        });
        if found {
            out.push(format!("a path of one machine ({wanted})"));
        }
    }
    if path.ends_with(".rs") {
        for leftover in [["dbg", "!("], ["todo", "!("], ["unimplemented", "!("]] {
            if line.contains(&leftover.concat()) {
                out.push(format!("a leftover {}", leftover[0]));
            }
        }
    }
    out
}

/// Rust files that no `mod` names: they would never be compiled, nor their tests run.
fn unreachable(house: &House) -> Vec<String> {
    let mut out = vec![];
    for path in house.with_ending(".rs") {
        let p = Path::new(path);
        let (Some(stem), Some(folder)) = (p.file_stem().and_then(|s| s.to_str()), p.parent()) else { continue };
        let parent = folder.file_name().and_then(|s| s.to_str()).unwrap_or("");
        if matches!(stem, "main" | "lib" | "build")
            || matches!(parent, "tests" | "examples" | "benches" | "bin" | "fuzz_targets")
        {
            continue;
        }
        // `a/mod.rs` is named beside `a`; `a/b.rs` in `a/mod.rs`, `a.rs`, `a/lib.rs` or `a/main.rs`.
        let (name, home) = if stem == "mod" { (parent, folder.parent().unwrap_or(folder)) } else { (stem, folder) };
        let here = home.display();
        let homes = house.files.iter().filter(|f| {
            let f = Path::new(f.as_str());
            f.parent() == Some(home) || f.with_extension("").display().to_string() == here.to_string()
        });
        let wanted = [format!("mod {name};"), format!("mod {name} {{")];
        let named = homes
            .filter(|f| f.ends_with(".rs"))
            .filter_map(|f| house.read(f))
            .any(|t| wanted.iter().any(|w| t.contains(w)));
        if !named {
            out.push(format!("{path}: no `mod {name};` reaches it"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::line_findings;

    #[test]
    fn machine_paths_and_leftovers_are_found() {
        let machine = ["/tm", "p/x"].concat();
        assert_eq!(line_findings("a.md", &format!("see {machine}")).len(), 1);
        assert!(line_findings("a.md", &format!("target{machine}")).is_empty());
        assert_eq!(line_findings("a.rs", &["    todo", "!()"].concat()).len(), 1);
        assert!(line_findings("a.md", &["    todo", "!()"].concat()).is_empty());
    }
}
