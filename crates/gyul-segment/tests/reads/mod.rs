//! What must hold of any text taken for a condition or a file of definitions: no panic, problems have a place in the
//! text and words in both languages, and what was read is printed and read the same. Random tests and `fuzz/` throw them.

use gyul_model::Lang;
use gyul_segment::syntax::{parse, print};

pub fn reads(text: &str) {
    let (ast, faults) = parse(text);
    for f in &faults {
        let (start, end) = (f.span.start as usize, f.span.end as usize);
        assert!(text.get(start..end).is_some(), "{start}..{end} is no part of {text:?}");
    }
    if faults.is_empty() {
        assert_eq!(parse(&print(&ast)).0, ast, "{text}");
    }
    let quoted = serde_json::to_string(text).unwrap();
    for file in [text.to_string(), format!("version: 1\nsegments:\n  - {{ id: s, when: {quoted} }}\n")] {
        for p in gyul_segment::load(&[("a.yaml".to_string(), file)], None).1 {
            assert!(!p.render(Lang::Ko).is_empty() && !p.render(Lang::En).is_empty());
        }
    }
}
