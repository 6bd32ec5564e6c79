//! House-keeping: what a machine can check of the house rules. `cargo xtask tidy`.

mod docs;
mod licences;
mod rooms;
mod texts;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        _ => {
            eprintln!("usage: cargo xtask tidy");
            ExitCode::from(2)
        }
    }
}

/// Everything in the repository that git knows or would add, as paths from its root.
pub struct House {
    pub root: PathBuf,
    pub files: Vec<String>,
    /// `cargo metadata`.
    pub metadata: serde_json::Value,
}

impl House {
    pub fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    pub fn with_ending(&self, ending: &str) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(move |f| f.ends_with(ending))
    }
}

fn tidy() -> ExitCode {
    let house = match open() {
        Ok(house) => house,
        Err(e) => {
            eprintln!("tidy: {e}");
            return ExitCode::from(3);
        }
    };
    let mut findings = vec![];
    findings.extend(texts::check(&house));
    findings.extend(rooms::check(&house));
    findings.extend(docs::check(&house));
    findings.extend(licences::check(&house));
    findings.iter().for_each(|f| eprintln!("tidy: {f}"));
    println!("tidy: {} files, {} findings", house.files.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open() -> Result<House, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no root")?.to_path_buf();
    let run = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).current_dir(&root).output();
        let out = out.map_err(|e| format!("{program} cannot be run: {e}"))?;
        if !out.status.success() {
            return Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr).trim()));
        }
        String::from_utf8(out.stdout).map_err(|_| format!("{program} does not speak UTF-8"))
    };
    let listed = run("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut files: Vec<String> = listed.lines().map(str::to_string).filter(|f| root.join(f).is_file()).collect();
    files.sort();
    files.dedup();
    let metadata = run("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata = serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    Ok(House { root, files, metadata })
}
