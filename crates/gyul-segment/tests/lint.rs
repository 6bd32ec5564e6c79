//! What `gyul check` warns about, and what it keeps quiet about.

use gyul_model::{Instant, MICROS_DAY};
use gyul_segment::tree::Type;
use gyul_segment::{Facts, Problem, Schema, Severity, check};
use std::collections::BTreeMap;

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_string(), text.to_string())
}

fn warnings(text: &str) -> Vec<Problem> {
    check(&[file("f.yaml", text)], None, |_| None).1
}

fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|p| format!("{} {}:{}", p.code, p.line, p.column)).collect()
}

fn segment(when: &str) -> String {
    format!("version: 1\nsegments:\n  - id: s\n    when: |-\n      {when}\n  - id: other\n    when: count(order) > 1\n")
}

/// A condition, and the warnings with their columns in it.
const CASES: &[(&str, &[&str])] = &[
    ("income > 5 and income < 3", &["never_true 1"]),
    ("gender = 'f' and (income > 5 and income <= 5)", &["never_true 18"]),
    ("income between 9 and 3", &["never_true 1"]),
    ("gender = 'f' and gender = 'm'", &["never_true 1"]),
    ("count(order) >= 0", &["always_true 1"]),
    ("gender = 'f' and count(order) >= 0", &["always_true 18"]),
    ("gender = 'f' or count(order) < 0", &["never_true 17"]),
    ("in segment other and not in segment other", &["never_true 1"]),
    ("gender = 'f' or not gender = 'f'", &["always_true 1"]),
    ("funnel_step(view -> cart) > 2", &["never_true 1"]),
    ("age < 0", &["never_true 1"]),
    ("quintile(income) = 6", &["never_true 1"]),
    ("since(order) <= 30d and since(order) > 60d", &["never_true 1"]),
    ("count(order where total > 5 and total < 3) = 1", &["never_true 19"]),
    ("count(order where hour > 23) >= 1", &["never_true 19"]),
    ("sample(0%, 'x')", &["never_true 1"]),
    ("count(order) = 0 and since(order) < 10d", &["never_true 1"]),
    ("count(order) < 1 and avg(order.total, last 30d) > 5", &["never_true 1"]),
    ("count(order) = 0 and count(order, last 30d) >= 1", &["never_true 1"]),
    ("count(order) = 0 and count(order where total > 5) > 1", &["never_true 1"]),
    ("count(order) >= 1 or count(order) = 0", &["always_true 1"]),
    ("count(order) > 2 or count(order) <= 2", &["always_true 1"]),
    ("funnel_step(view -> cart) <= 1 or funnel_step(view -> cart) = 2", &["always_true 1"]),
    // These decide something.
    ("count(order, last 30d) = 0 and since(order) < 90d", &[]),
    ("count(order where total > 5) = 0 and since(order) < 10d", &[]),
    ("count(order) = 0 and since(view) < 10d", &[]),
    ("count(order) = 0 and sum(order.total) = 0", &[]),
    ("count(order) >= 2 or count(order) = 0", &[]),
    ("count(order) >= 1 or count(view) = 0", &[]),
    ("income >= 1 or income < 1", &[]),
    ("2 > 1", &["always_true 1"]),
    ("gender = female", &["bare_word 10"]),
    ("gender in (female, 'male')", &["bare_word 12"]),
    // Unknown values and what may be.
    ("age >= 0", &[]),
    ("not (age >= 0 and age < 5)", &[]),
    ("income > 5 and not income < 3", &[]),
    ("income >= 5 and income <= 5", &[]),
    ("count(order) >= 1", &[]),
    ("since(order) <= 3mo and since(order) > 60d", &[]),
    ("quintile(income) >= 1", &[]),
    ("count(order, last 30d) > 5 and count(order) < 3", &[]),
    ("gender = 'f' or gender = 'm'", &[]),
    ("city = region", &[]),
    ("in segment other or in segment other", &[]),
];

#[test]
fn what_decides_nothing_is_told_at_its_place() {
    for (when, expected) in CASES {
        let expected: Vec<String> = expected
            .iter()
            .map(|e| e.split_once(' ').unwrap())
            .map(|(code, column)| format!("{code} 5:{}", column.parse::<usize>().unwrap() + 6))
            .collect();
        let found = warnings(&segment(when));
        assert_eq!(places(&found), expected, "{when}");
        for p in found {
            assert_eq!(p.severity, Severity::Warning);
            assert!(p.ko.chars().any(|c| ('가'..='힣').contains(&c)) && p.ko != p.en && p.hint.is_some(), "{when}");
        }
    }
}

#[test]
fn nothing_is_said_about_definitions_with_errors() {
    assert_eq!(places(&warnings(&segment("in segment vip and 1 > 2"))), ["unknown_segment 5:7"]);
}

#[test]
fn a_class_behind_a_wider_one_is_unreachable() {
    let text = "\
version: 1
partitions:
  - id: p
    classes:
      - { id: active, when: since(order) <= 90d }
      - { id: fresh, when: since(order) <= 30d and gender = 'f' }
      - { id: both, when: count(order) = 1 or gender = 'f' }
      - { id: one, when: count(order) = 1 }
      - { id: late, when: since(order) <= 180d }
";
    assert_eq!(places(&warnings(text)), ["unreachable_class 6:28", "unreachable_class 8:26"]);
}

#[test]
fn measures_nobody_uses_are_told_across_files() {
    let a = file("a.yaml", "version: 1\nmeasures:\n  used: count(order)\n  idle: count(view)\n");
    let b = file("b.yaml", "version: 1\nsegments:\n  - { id: s, when: used > 1 }\n");
    let found = check(&[b, a], None, |_| None).1;
    assert_eq!(places(&found), ["unused_measure 4:9"]);
    assert_eq!(found[0].file, "a.yaml");
}

#[test]
fn a_name_declared_in_two_files_is_told() {
    let one = "version: 1\nevents:\n  bought: Order Completed\noccasions:\n  - { id: party, dates: [2026-03-02] }\n";
    let found = check(&[file("a.yaml", one), file("b.yaml", one)], None, |_| None).1;
    assert_eq!(places(&found), ["duplicate 3:3", "duplicate 5:5"]);
    assert!(found.iter().all(|p| p.file == "b.yaml" && p.en.contains("a.yaml:")));
    assert_eq!(places(&warnings(one)), [""; 0]);
}

#[test]
fn a_measure_is_checked_by_its_type_wherever_it_is_declared() {
    let a = file(
        "a.yaml",
        "version: 1\nmeasures:\n  twice: recency + 1\nsegments:\n  - { id: s, when: recency > 5 and twice > 1 }\n",
    );
    let b = file("b.yaml", "version: 1\nmeasures:\n  recency: since(order)\n");
    let expected = ["units 3:10", "units 5:20", "units 5:36", "order 5:36"];
    for files in [[a.clone(), b.clone()], [b, a]] {
        assert_eq!(places(&check(&files, None, |_| None).1), expected);
    }
}

#[test]
fn the_data_tells_sizes_and_windows_that_do_not_fit() {
    let text = "\
version: 1
segments:
  - { id: wide, when: count(order) >= 1 }
  - { id: none, when: 'count(order, last 90d) >= 2' }
  - { id: few, when: since(order) > 120d }
  - { id: good, when: 'count(order, last 60d) >= 2' }
";
    let sizes = [("wide", 81), ("none", 0), ("few", 29), ("good", 80)];
    let sizes: BTreeMap<String, u64> = sizes.map(|(id, n)| (id.to_string(), n)).into();
    let last = Instant::parse_rfc3339("2026-03-31T00:00:00Z").unwrap();
    let facts = Facts { first: Instant(last.0 - 61 * MICROS_DAY), last, population: 100, sizes };
    let found = check(&[file("f.yaml", text)], None, |_| Some(facts.clone())).1;
    let mut codes: Vec<String> = found.iter().map(|p| format!("{} {}", p.code, p.line)).collect();
    codes.sort();
    assert_eq!(codes, ["too_broad 3", "too_small 4", "too_small 5", "window_beyond_data 4", "window_beyond_data 5"]);
}

#[test]
fn one_fault_is_told_once() {
    let text = "version: 1\nsegments:\n  - { id: s, when: count(order) = 0 and since(order) < 10d }\n";
    let sizes = BTreeMap::from([("s".to_string(), 0)]);
    let last = Instant::parse_rfc3339("2026-03-31T00:00:00Z").unwrap();
    let facts = Facts { first: Instant(last.0 - 61 * MICROS_DAY), last, population: 100, sizes };
    let found = check(&[file("f.yaml", text)], None, |_| Some(facts)).1;
    assert_eq!(places(&found), ["never_true 3:20"]);
}

#[test]
fn a_value_that_the_data_never_has_is_told_with_the_nearest() {
    let text = |t: &str| t.to_string();
    let schema = Schema {
        traits: vec![(text("gender"), Type::Text), (text("nickname"), Type::Text)],
        values: BTreeMap::from([(text("gender"), vec![text("female"), text("male")])]),
        ..Schema::default()
    };
    for (when, expected) in [
        ("gender = 'femal'", Some("did you mean 'female'?")),
        ("gender in ('male', 'other')", Some("it has: female, male")),
        ("gender = 'female'", None),
        ("nickname = 'kim'", None),
    ] {
        let found = check(&[file("f.yaml", &segment(when))], Some(&schema), |_| None).1;
        let of_values: Vec<&Problem> = found.iter().filter(|p| p.code == "value_not_in_data").collect();
        assert_eq!(of_values.first().and_then(|p| p.hint(gyul_model::Lang::En)), expected, "{when}");
    }
}

#[test]
fn the_starter_library_is_free_of_warnings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../segments");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(p).unwrap()))
        .collect();
    files.sort();
    let found = check(&files, None, |_| None).1;
    let said: Vec<String> = found.iter().map(|p| p.render(gyul_model::Lang::En)).collect();
    assert_eq!(said.concat(), "");
}
