//! Writes sample pages to look at: `cargo run -p gyul-report --example sample -- DIR`.

#[path = "../tests/sample/mod.rs"]
mod sample;

use gyul_report::{Lang, render};

fn main() -> std::io::Result<()> {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&dir)?;
    for (lang, code) in [(Lang::Ko, "ko"), (Lang::En, "en")] {
        let mut full = sample::full(if lang == Lang::Ko { "KRW" } else { "GBP" });
        full.lang = lang;
        let mut empty = sample::empty();
        empty.lang = lang;
        std::fs::write(dir.join(format!("full-{code}.html")), render(&full))?;
        std::fs::write(dir.join(format!("empty-{code}.html")), render(&empty))?;
    }
    Ok(())
}
