//! Laws of the language: what is read prints and reads back, what is wrong is named with its place, nothing panics.

mod reads;

use gyul_model::{Date, Decimal, Duration, Instant, Lang, MICROS_DAY, Period};
use gyul_segment::syntax::{
    Agg, Ast, AstKind, EventRef, Path, RankWord, Sequence, StepAst, TextTest, WindowAst, parse, print,
};
use gyul_segment::tree::{Arith, Cmp, Kind, Span, Type};
use gyul_segment::{Problem, Schema, Severity, form, load};
use proptest::prelude::*;
use reads::reads;
use std::collections::BTreeMap;

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_string(), text.to_string())
}

/// One segment with this condition, folded as YAML would fold it.
fn segment(when: &str) -> String {
    format!("version: 1\nsegments:\n  - id: s\n    when: |-\n      {}\n", when.replace('\n', "\n      "))
}

fn problems(text: &str) -> Vec<Problem> {
    load(&[file("f.yaml", text)], None).1
}

/// `code line:column` of each problem.
fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|p| format!("{} {}:{}", p.code, p.line, p.column)).collect()
}

// ---- what is right

/// As written, and its canonical form where that differs.
const GOOD: &[(&str, &str)] = &[
    ("gender = 'female'", ""),
    ("age between 20 and 29", ""),
    ("age not between 20 and 29", "not age between 20 and 29"),
    ("region within 'KR-11'", ""),
    ("address.city in ('Busan', 'Daegu')", ""),
    ("address.city not in ('Busan')", "not address.city in ('Busan')"),
    ("email is known and phone is not known", "email is known and phone is unknown"),
    ("tags contains 'vip'", ""),
    ("name starts with '김' or name ends with '수' or email matches '@example\\.com$'", ""),
    ("joined >= 2025-11-11", ""),
    ("since(joined) < 30d", ""),
    ("count(order) >= 1", ""),
    ("count(order where total >= 10_000) >= 1", "count(order where total >= 10000) >= 1"),
    ("sum(order.total, last 12mo) > 500000", "sum(order.total, last 1y) > 500000"),
    ("sum(item.price * item.quantity, last 90d) > 1", ""),
    ("avg(order.total, last 5) > 10", ""),
    ("min(order.total) < max(order.total)", ""),
    ("distinct(item.category, this year) >= 3", ""),
    ("first(order.channel) = last(order.channel)", ""),
    ("mode(item.category) = '신발'", ""),
    ("since(order) <= 30d", ""),
    ("since(order) >= 6mo and age_of(order) > 1y", ""),
    ("30d < since(order)", ""),
    ("since(order) between 90d and 180d", ""),
    ("longest_gap(order, last 12mo) >= 180d", "longest_gap(order, last 1y) >= 180d"),
    ("average_gap(order) < 30d", ""),
    ("streak(order, by week) >= 4", ""),
    ("days(view, last 7d) >= 3", ""),
    ("share(order where coupon is known, last 1y) >= 50%", ""),
    ("count(order, between 30d and 3d ago) = 0", ""),
    ("count(order, today) + count(order, yesterday) >= 1", ""),
    ("count(order, this quarter) > count(order, previous quarter)", ""),
    ("count(order, since 2026-01-01, before 2026-02-01) >= 1", ""),
    ("count(order, since last cart) = 0", ""),
    ("count(order, during occasion chuseok within 7d) >= 1", ""),
    ("count(order where occasion chuseok within 7d) >= 1", ""),
    ("occasion christmas within 3d", ""),
    ("count(order where gap >= 90d, last 30d) >= 1", ""),
    ("count(order where nth = 2 and hour between 9 and 17) = 1", ""),
    ("count(order where weekday in (sat, sun)) >= 1", ""),
    ("count(order where weekday = '토') >= 1", ""),
    ("count(order where local_date = 2025-11-11) >= 1", ""),
    ("count(order where ts < 2025-01-01T00:00:00Z) >= 1", ""),
    (
        "count(any where event not in ('Message Sent'), last 180d) = 0",
        "count(any where not event in ('Message Sent'), last 180d) = 0",
    ),
    ("count(cart where not followed by order within 1d, last 7d) >= 1", ""),
    ("count(order where preceded by clicked within 1d) >= 1", ""),
    (
        "count(checkout where followed by order where total > 5 within 2h) >= 1",
        "count(checkout where followed by order where (total > 5) within 2h) >= 1",
    ),
    ("count(\"주문 완료\") >= 1", ""),
    ("count(`주문 완료`, last 30d) >= 1", "count(\"주문 완료\", last 30d) >= 1"),
    ("sequence(view -> cart -> order within 7d)", ""),
    ("sequence(view -> cart in 2d -> order in 1d without refund within 7d, by product_id, last 90d)", ""),
    ("funnel_step(view -> cart -> order within 7d) < 3", ""),
    ("sum(order.total) in top 10%", ""),
    ("sum(order.total) in bottom 20% among (count(order) >= 1)", ""),
    ("avg(order.total) above average", ""),
    ("avg(order.total) below average among (gender = 'male')", ""),
    ("quintile(sum(order.total)) = 5", ""),
    ("percentile(since(order)) >= 90", ""),
    ("consent(kakao) and reachable(email)", ""),
    ("prefers(channel) = 'kakao'", ""),
    ("predict(churn_90d) > 0.7", ""),
    ("sample(10%, 'salt')", ""),
    ("not (gender = 'male' or age > 30) and true", ""),
    ("(1 - (2 - 3)) * 4 / 2 > -1", ""),
    ("count(order) >= 1 # 주석\n and true", "count(order) >= 1 and true"),
    ("sum(order.total) / count(order) > 10", ""),
];

#[test]
fn every_construct_is_read_resolved_and_printed() {
    for (text, printed) in GOOD {
        let (ast, faults) = parse(text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
        let canonical = if printed.is_empty() { text } else { printed };
        assert_eq!(print(&ast), **canonical);
        let found = problems(&segment(text));
        assert!(found.is_empty(), "{text}: {}", found[0].render(Lang::En));
    }
}

#[test]
fn segments_and_classes_refer_to_each_other() {
    let text = "\
version: 1
events:
  주문: { event: [Order Completed, Order Paid], where: total > 0 }
measures:
  spend: sum(주문.total, last 12mo)
segments:
  - { id: a, when: spend in top 10% and in segment b }
  - { id: b, when: 'lifecycle in (new, at_risk) or lifecycle != old' }
partitions:
  - id: lifecycle
    classes:
      - { id: new, when: age_of(주문) < 30d }
      - { id: at_risk, when: since(주문) > 90d }
    otherwise: old
";
    let (library, found) = load(&[file("f.yaml", text)], None);
    assert!(found.is_empty(), "{}", found[0].render(Lang::En));
    assert_eq!((library.segments.len(), library.measures.len(), library.partitions.len()), (2, 1, 1));
    assert_eq!(library.segments[0].source, "spend in top 10% and in segment b");
}

fn starter() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../segments");
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        files.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()));
    }
    files.sort();
    files
}

#[test]
fn the_starter_library_has_no_problem_and_prints_back() {
    let files = starter();
    let (library, found) = load(&files, None);
    assert!(found.is_empty(), "{}", found[0].render(Lang::En));
    assert!(library.segments.len() > 10);
    for text in library.segments.iter().map(|s| &s.source).chain(library.measures.iter().map(|m| &m.source)) {
        let (ast, _) = parse(text);
        assert_eq!(parse(&print(&ast)).0, ast, "{text}");
    }
}

#[test]
fn the_examples_of_the_reference_are_right() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/segments.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut examples = 0;
    for block in page.split("```gyul\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let found = problems(&segment(line));
            assert!(found.is_empty(), "{}", found[0].render(Lang::En));
            examples += 1;
        }
    }
    assert!(examples > 30);
    let yaml = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let found = problems(yaml);
    assert!(found.is_empty(), "{}", found[0].render(Lang::En));
}

#[test]
fn a_shorter_age_than_months_is_a_later_instant() {
    let (library, _) = load(&[file("f.yaml", &segment("since(order) >= 6mo"))], None);
    let Kind::Cmp(cmp, last, ago) = &library.segments[0].when.kind else { panic!("a comparison") };
    assert_eq!((*cmp, last.ty), (Cmp::Le, Type::Instant));
    assert!(matches!(ago.kind, Kind::Ago(Duration::Months(6))));
}

#[test]
fn a_name_in_quotes_is_the_events_own_name_even_without_a_space() {
    for text in ["count(\"결제완료\") >= 1", "count(\"order\" where x = 1) >= 1", "sum(\"결제완료\".total) > 1"]
    {
        let found = problems(&segment(text));
        assert!(found.is_empty(), "{text}: {}", found[0].render(Lang::En));
        let (ast, _) = parse(text);
        assert_eq!(print(&ast), text);
    }
}

// ---- what is wrong

/// A condition and the code and column (in it) of each problem.
const BAD: &[(&str, &[&str])] = &[
    ("since(order) > 5", &["units 1"]),
    ("count(order) > 5d", &["units 1"]),
    ("count(order)", &["not_a_condition 1"]),
    ("count(ordr) > 1", &["unknown_event 7"]),
    ("sum(order) > 1", &["which_property 5"]),
    ("count(order.total) > 1", &["no_property 7"]),
    ("count(order, last) > 1", &["expected 18"]),
    ("count(order, between 3d and 30d ago) > 1", &["window_order 1"]),
    ("count(order, lately) > 1", &["window 14"]),
    ("count(order, last 1d, today) > 1", &["two_windows 1"]),
    ("in segment nobody", &["unknown_segment 1"]),
    ("gender = ", &["expected 9"]),
    ("gender == 'female'", &["equals 9"]),
    ("gender = 'female", &["unclosed_quote 10"]),
    ("gender > 'female'", &["order 1"]),
    ("(gender = 'female'", &["expected 19"]),
    ("gender = 'f' gender = 'm'", &["unexpected 14"]),
    ("email matches '('", &["regex 1"]),
    ("30dd > 5", &["number 1"]),
    ("gender = 'f' && age > 3", &["character 14", "character 15"]),
    ("consent(fax)", &["unknown_channel 9"]),
    ("cnt(order) > 1", &["unknown_function 1"]),
    ("occasion chusok within 7d", &["unknown_occasion 1"]),
    ("occasion chuseok within 7h", &["whole_days 1"]),
    ("sum(order.total) in top 10", &["expected 25"]),
    ("sum(order.total) in top 110%", &["percent 1"]),
    ("gender in top 10% among (x", &["expected 27"]),
    ("streak(order) > 1", &["streak 1"]),
    ("share(order) > 1", &["share 1"]),
    ("followed by order within 1d", &["near_outside 1"]),
    ("count(order where count(view) > 1) > 1", &["event_condition 19"]),
    ("sequence(view in 2d -> cart)", &["first_step 10"]),
    ("longest_gap(order) > 6mo", &["calendar_duration 22"]),
    ("since(order) + 1 > 1d", &["units 1"]),
    ("order > 1", &["event_as_value 1"]),
    ("sample(200%, 'x')", &["sample 1"]),
    ("count(order where weekday = someday) > 1", &["unknown_weekday 29"]),
];

#[test]
fn every_fault_has_a_code_and_its_place() {
    for (text, expected) in BAD {
        let expected: Vec<String> = expected
            .iter()
            .map(|e| {
                let (code, column) = e.split_once(' ').unwrap();
                format!("{code} 5:{}", column.parse::<usize>().unwrap() + 6)
            })
            .collect();
        let found = problems(&segment(text));
        assert_eq!(places(&found), expected, "{text}");
        for p in found {
            assert!(!p.ko.is_empty() && !p.en.is_empty() && p.ko != p.en, "{text}");
            assert!(p.ko.chars().any(|c| ('가'..='힣').contains(&c)), "{}", p.ko);
        }
    }
}

#[test]
fn ten_faults_are_ten_problems() {
    let text = "\
version: 1
mesures: {}
events:
  order: { event: Order Completed, wher: total > 0 }
measures:
  spend: sum(order)
segments:
  - id: vip
    when: >-
      since(order) > 5
      and count(ordr) > 1
      and (gender > 'x')
  - id: vip
    when: in segment nobody
  - id: 2nd
    when: consent(fax) and lifecycle = lost
partitions:
  - id: lifecycle
    classes:
      - { id: new, when: 'age_of(order) < 1x' }
";
    let found = problems(text);
    assert_eq!(
        places(&found),
        [
            "unknown_key 2:1",
            "unknown_key 4:36",
            "which_property 6:14",
            "units 10:7",
            "unknown_event 11:17",
            "order 12:11",
            "duplicate_id 13:9",
            "unknown_segment 14:11",
            "id 15:9",
            "unknown_channel 16:19",
            "unknown_class 16:40",
            "number 20:43",
        ]
    );
    assert_eq!(found[0].hint(Lang::En), Some("did you mean 'measures'?"));
    assert_eq!(found[4].excerpt, "      and count(ordr) > 1");
}

#[test]
fn problems_name_their_file_and_circles_name_their_way() {
    let a = "version: 1\nsegments:\n  - { id: a, when: in segment b }\n";
    let b = "version: 1\nsegments:\n  - { id: b, when: not in segment a }\n  - { id: a, when: true }\n";
    let (_, found) = load(&[file("a.yaml", a), file("b.yaml", b)], None);
    let codes: Vec<_> = found.iter().map(|p| (p.file.as_str(), p.code)).collect();
    assert_eq!(codes, [("a.yaml", "circle"), ("b.yaml", "circle"), ("b.yaml", "duplicate_id")]);
    assert!(found[0].en.contains("b → a → b"), "{}", found[0].en);
    assert!(found[2].en.contains("a.yaml:3"), "{}", found[2].en);
}

#[test]
fn a_circle_of_short_names_or_through_an_aggregate_is_found() {
    let text = "version: 1\nevents:\n  a: { event: A, where: followed by b }\n  b: { event: B, where: preceded by a }\nsegments:\n  - { id: s, when: count(a) > 0 }\n";
    assert!(problems(text).iter().any(|p| p.code == "circle"));
}

#[test]
fn the_data_says_what_is_unknown() {
    let mut events = BTreeMap::new();
    events.insert("Order Completed".to_string(), vec![("total".to_string(), Type::Num)]);
    let schema = Schema {
        events,
        traits: vec![("gender".to_string(), Type::Text), ("종교".to_string(), Type::Text)],
        values: BTreeMap::new(),
    };
    let when = "gendr = 'f' and 종교 = '불교' and sum(order.totl) > 1 and count(view) > 0";
    let (_, found) = load(&[file("f.yaml", &segment(when))], Some(&schema));
    let codes: Vec<_> = found.iter().map(|p| p.code).collect();
    assert_eq!(codes, ["trait_not_in_data", "sensitive", "property_not_in_data", "event_not_in_data"]);
    assert!(found.iter().all(|p| p.severity == Severity::Warning));
    assert_eq!(found[0].hint(Lang::En), Some("did you mean 'gender'?"));
}

#[test]
fn a_text_is_not_earlier_than_a_date() {
    let schema = Schema { traits: vec![("birth_date".to_string(), Type::Text)], ..Schema::default() };
    let found = load(&[file("f.yaml", &segment("birth_date < 2000-01-01"))], Some(&schema)).1;
    assert_eq!(places(&found), ["units 5:7"]);
    assert!(load(&[file("f.yaml", &segment("birth_date = 2000-01-01"))], Some(&schema)).1.is_empty());
}

// ---- the form

#[test]
fn every_construct_has_fields_but_arithmetic() {
    for (text, _) in GOOD {
        let form = serde_json::to_string(&form::of(&parse(text).0)).unwrap();
        let carried = form.contains("\"is\":\"text\",\"text\"") && !text.contains('\'') || form.contains("expression");
        assert_eq!(carried, text.contains(['*', '/', '+']), "{text}: {form}");
    }
}

#[test]
fn cards_that_are_not_filled_in_are_named_and_left_out() {
    let form = r#"{"is":"all","parts":[
        {"key":"a","is":"compare","value":{"is":"name","parts":["age"]},"sign":">=","to":{"is":"number","number":"1,000"}},
        {"key":"b","is":"compare","value":{"is":"name","parts":[""]},"sign":">=","to":{"is":"number","number":"2"}},
        {"key":"c","is":"compare","value":{"is":"name","parts":["age"]},"sign":">=","to":{"is":"number","number":"2; drop"}},
        {"key":"d","is":"any","parts":[]},
        {"key":"e","is":"not","part":{"key":"f","is":"text","text":"count(order"}},
        {"key":"g","is":"compare","value":{"is":"fold","fold":"sum","of":{"is":"name","parts":["order",""]}},"sign":">=","to":{"is":"number","number":"2"}}
    ]}"#;
    let made = form::tree(&serde_json::from_str(form).unwrap());
    assert_eq!(made.ast.as_ref().map(print).as_deref(), Some("age >= 1000"));
    let keys: Vec<&str> = made.missing.iter().map(|m| m.key.as_str()).collect();
    assert_eq!(keys, ["b", "c", "f", "g"]);
    assert!(made.missing.iter().all(|m| !m.ko.is_empty() && !m.en.is_empty()));
    let empty = form::tree(&serde_json::from_str(r#"{"is":"all","parts":[]}"#).unwrap());
    assert!(empty.ast.is_none() && empty.missing.is_empty());
}

#[test]
fn deep_forms_come_back_whole_or_not_at_all() {
    for depth in [10, 30, 50, 60] {
        let text = format!("{}x{}", "not (a and ".repeat(depth), ")".repeat(depth));
        let (ast, faults) = parse(&text);
        if !faults.is_empty() {
            continue;
        }
        let sent = serde_json::to_string(&form::of(&ast)).unwrap();
        let made = form::tree(&serde_json::from_str(&sent).unwrap());
        assert_eq!(made.ast.map(|a| print(&a)), Some(print(&ast)), "{depth}");
    }
    let mut node = form::of(&parse("x").0);
    for _ in 0..300 {
        node = form::Node { key: String::new(), is: form::Is::Not { part: Box::new(node) } };
    }
    assert!(form::tree(&node).ast.is_none());
}

#[test]
fn the_starter_library_opens_in_the_builder() {
    for (file, text) in starter() {
        let mut item = String::new();
        let mut items = vec![];
        for line in text.split("\nsegments:\n").nth(1).unwrap_or("").lines() {
            if line.starts_with("  - ") && !item.is_empty() {
                items.push(std::mem::take(&mut item));
            }
            item += &format!("{line}\n");
        }
        items.push(item);
        for item in items.iter().filter(|i| i.contains("when:") && !i.contains("\npartitions:")) {
            let yaml = format!("version: 1\nsegments:\n{item}");
            let draft = form::Draft::read(&yaml).unwrap_or_else(|| panic!("{file}: {yaml}"));
            assert_eq!(draft.write(&yaml), yaml);
            let mut changed = draft.clone();
            changed.about.owner = "crm".into();
            let written = changed.write(&yaml);
            assert_eq!(written.replace("    owner: crm\n", ""), yaml);
        }
    }
}

#[test]
fn a_place_in_the_file_is_a_place_in_the_condition() {
    let yaml = "version: 1\nsegments:\n  - id: s\n    when: >-\n      gender = 'f'\n      and count(ordr) > 1\n";
    let draft = form::Draft::read(yaml).unwrap();
    let found = problems(yaml);
    let place = draft.place(yaml, found[0].line, found[0].column).unwrap();
    assert_eq!(draft.when.chars().skip(place).take(4).collect::<String>(), "ordr");
    assert_eq!(draft.place(yaml, 3, 9), None);
}

// ---- nothing panics, nothing hangs

#[test]
fn size_is_no_way_to_bring_it_down() {
    let hostile = [
        "(".repeat(100_000),
        "not ".repeat(100_000),
        "-".repeat(100_000),
        format!("1{} > 0", " + 1".repeat(100_000)),
        format!("1{} > 0", " / 2".repeat(100_000)),
        format!("true{}", " and true".repeat(100_000)),
        "count(order where followed by ".repeat(20_000),
        "percentile(".repeat(20_000),
        "x among (".repeat(20_000),
        "sequence(".repeat(20_000),
        "f(".repeat(20_000),
    ];
    for text in hostile {
        let (ast, _) = parse(&text);
        let _ = print(&ast);
        let _ = problems(&segment(&text));
    }
}

#[test]
fn short_names_cannot_multiply_without_end() {
    let mut text = String::from("version: 1\nevents:\n  e0: { event: E, where: x = 1 }\n");
    for i in 1..40 {
        let j = i - 1;
        text += &format!("  e{i}: {{ event: E, where: followed by e{j} or preceded by e{j} }}\n");
    }
    text += "segments:\n  - { id: s, when: count(e39) > 0 }\n";
    assert!(problems(&text).iter().any(|p| p.code == "too_deep"));
}

#[test]
fn odd_files_are_problems_not_panics() {
    for text in [
        "",
        "\u{feff}",
        "[]",
        "version: 2",
        "- a",
        "segments: 3",
        "segments: [1, {}]",
        "a: *b",
        "\t",
        "segments:\n  - {id: a, when: [}",
        "? {a: b}\n: c",
        "segments: [{id: [], when: {}}]",
        "version: 1\nsegments:\n  - {id: ㄱ, when: \"'\\u0000\"}",
    ] {
        for p in problems(text) {
            let _ = (p.render(Lang::Ko), p.render(Lang::En));
        }
    }
}

#[test]
fn a_thousand_definitions_load_quickly() {
    let mut text = String::from("version: 1\nsegments:\n");
    for i in 0..1000 {
        text += &format!(
            "  - id: s{i}\n    when: >-\n      count(order where total >= {i}, last {i}d) >= 1\n      and in segment s{}\n",
            if i == 0 { "0_missing".to_string() } else { (i - 1).to_string() }
        );
    }
    let started = std::time::Instant::now();
    let (library, found) = load(&[file("f.yaml", &text)], None);
    assert_eq!((library.segments.len(), found.len()), (1000, 1));
    // 50 ms in a release build; unoptimised and on a busy machine there is room.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(ast in conditions()) {
        let text = print(&ast);
        let (again, faults) = parse(&text);
        prop_assert!(faults.is_empty(), "{}: {:?}", text, faults);
        prop_assert_eq!(&again, &ast, "{}", text);
        prop_assert_eq!(print(&again), text);
    }

    #[test]
    fn a_form_loses_nothing(ast in conditions()) {
        let form = form::of(&ast);
        // What the builder gets and sends is JSON.
        let sent = serde_json::to_string(&form).unwrap();
        let form: form::Node = serde_json::from_str(&sent).unwrap();
        let made = form::tree(&form);
        prop_assert_eq!(&made.missing, &vec![], "{}", print(&ast));
        let again = made.ast.unwrap();
        prop_assert_eq!(print(&again), print(&ast));
        prop_assert_eq!(&parse(&form::lines(&again)).0, &ast, "{}", form::lines(&again));
    }

    #[test]
    fn a_file_keeps_what_was_not_touched(ast in conditions(), other in conditions(), name in texts(), flow in any::<bool>()) {
        let (when, new) = (print(&ast), form::lines(&other));
        let json = serde_json::to_string(&when).unwrap();
        let base = if flow {
            format!("# why\nversion: 1\nsegments:\n  # before\n  - {{ id: s, when: {json} }}\n# after\n")
        } else {
            format!("# why\nversion: 1\nsegments:\n  # before\n  - id: s\n    # inside\n    goal: keep\n    when: {json}\n    # behind\n# after\n")
        };
        let mut draft = form::Draft::read(&base).unwrap();
        prop_assert_eq!(draft.write(&base), base.clone());
        draft.when = new.clone();
        draft.about.name_ko = name;
        draft.about.tags = vec!["a".into(), "b: c".into()];
        let written = draft.write(&base);
        let read = form::Draft::read(&written).unwrap();
        prop_assert_eq!(parse(&read.when).0, other, "{}", written);
        prop_assert_eq!(&read.about, &draft.about, "{}", written);
        for comment in ["# why", "# before", "# after"] {
            prop_assert!(written.contains(comment), "{}", written);
        }
        prop_assert!(flow || (written.contains("    # inside\n    goal: keep\n") && written.contains("# behind")), "{}", written);
        let fresh = draft.write("");
        prop_assert_eq!(form::Draft::read(&fresh).map(|d| (d.about, parse(&d.when).0)), Some((draft.about.clone(), parse(&new).0)), "{}", fresh);
    }

    #[test]
    fn any_words_in_any_order_do_not_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..24)) {
        reads(&words.join(" "));
    }

    #[test]
    fn any_text_does_not_panic(text in "\\PC{0,40}", yaml in "[a-z:{}\\[\\]\\- \n'\"|>#&*!가]{0,60}") {
        reads(&text);
        reads(&yaml);
    }
}

const WORDS: &[&str] = &[
    "order",
    "gender",
    "(",
    ")",
    ",",
    ".",
    "=",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "->",
    "and",
    "or",
    "not",
    "in",
    "between",
    "is",
    "known",
    "unknown",
    "count(",
    "sum(",
    "since(",
    "where",
    "last",
    "30d",
    "6mo",
    "5",
    "10%",
    "'x'",
    "\"주문 완료\"",
    "2026-01-01",
    "top",
    "average",
    "above",
    "among",
    "quintile(",
    "within",
    "followed by",
    "sequence(",
    "by",
    "day",
    "today",
    "this",
    "month",
    "segment",
    "true",
    "occasion",
    "during",
    "chuseok",
    "contains",
    "without",
    "any",
    "starts with",
    "nth",
    "weekday",
    "prefers(channel)",
    "sample(",
    "#",
    "이름",
    "'",
];

// ---- random trees

fn ast(kind: AstKind) -> Ast {
    Ast { kind, span: Span::default() }
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["order", "total", "이름", "주문 금액", "a\"b", "last", "and", "where", "count", "3x"])
        .prop_map(str::to_string)
}

fn needs_quotes(name: &str) -> bool {
    !name.chars().all(char::is_alphanumeric) || name.starts_with('3') || ["last", "and", "where"].contains(&name)
}

fn texts() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "x", "it's", "\"", "한글", "# no comment", "a\nb"]).prop_map(str::to_string)
}

fn numbers() -> impl Strategy<Value = Decimal> {
    (0..100_000_i64, 0..5_u8).prop_map(|(m, s)| Decimal::new(m, s))
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![(1..40_i64).prop_map(|d| Duration::Exact(d * MICROS_DAY / 24 / 60)), (1..30).prop_map(Duration::Months)]
}

fn dates() -> impl Strategy<Value = Date> {
    (0..30_000).prop_map(Date)
}

fn periods() -> impl Strategy<Value = Period> {
    prop::sample::select(vec![Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year])
}

fn values() -> impl Strategy<Value = Ast> {
    prop_oneof![
        numbers().prop_map(AstKind::Num),
        numbers().prop_map(|n| AstKind::Num(Decimal::new(-n.mantissa(), n.scale()))),
        numbers().prop_map(AstKind::Percent),
        durations().prop_map(AstKind::Dur),
        dates().prop_map(AstKind::Date),
        (0..4_000_000_000_000_000_i64).prop_map(|t| AstKind::Instant(Instant(t))),
        texts().prop_map(AstKind::Text),
        any::<bool>().prop_map(AstKind::Bool),
        (names(), prop::option::of(names())).prop_map(|(a, b)| {
            let quoted = needs_quotes(&a);
            AstKind::Name(Path { parts: [Some(a), b].into_iter().flatten().collect(), quoted })
        }),
        names().prop_map(AstKind::InSegment),
        (names(), durations()).prop_map(|(name, within)| AstKind::Occasion { name, within }),
    ]
    .prop_map(ast)
}

fn events(filter: impl Strategy<Value = Ast> + 'static) -> impl Strategy<Value = EventRef> {
    (names(), prop::option::of(filter)).prop_map(|(name, filter)| {
        let quoted = needs_quotes(&name);
        EventRef { name, quoted, filter: filter.map(Box::new), span: Span::default() }
    })
}

fn windows(filter: impl Strategy<Value = Ast> + Clone + 'static) -> impl Strategy<Value = Vec<WindowAst>> {
    let one = prop_oneof![
        durations().prop_map(WindowAst::Last),
        (1..9_u32).prop_map(WindowAst::LastCount),
        (durations(), durations()).prop_map(|(a, b)| WindowAst::Between(a, b)),
        (periods(), 0..2).prop_map(|(p, n)| WindowAst::Period(p, n)),
        dates().prop_map(WindowAst::SinceDate),
        dates().prop_map(WindowAst::BeforeDate),
        (0..4_000_000_000_000_000_i64).prop_map(|t| WindowAst::SinceInstant(Instant(t))),
        (0..4_000_000_000_000_000_i64).prop_map(|t| WindowAst::BeforeInstant(Instant(t))),
        events(filter).prop_map(WindowAst::SinceLast),
        (names(), durations()).prop_map(|(n, d)| WindowAst::During(n, d)),
        periods().prop_map(WindowAst::By),
    ];
    prop::collection::vec(one, 0..3)
}

fn conditions() -> impl Strategy<Value = Ast> {
    values().prop_recursive(5, 40, 4, |inner| {
        let two = || (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        let cmp = prop::sample::select(vec![Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge]);
        let arith = prop::sample::select(vec![Arith::Add, Arith::Sub, Arith::Mul, Arith::Div]);
        let test = prop::sample::select(vec![
            TextTest::Contains,
            TextTest::StartsWith,
            TextTest::EndsWith,
            TextTest::Matches,
            TextTest::Within,
        ]);
        let func = prop::sample::select(gyul_segment::syntax::AGGREGATES.to_vec());
        let rank = prop_oneof![
            numbers().prop_map(RankWord::Top),
            numbers().prop_map(RankWord::Bottom),
            Just(RankWord::AboveAverage),
            Just(RankWord::BelowAverage),
            Just(RankWord::Quintile),
            Just(RankWord::Percentile),
        ];
        let step =
            (events(inner.clone()), prop::option::of(durations()), prop::collection::vec(events(inner.clone()), 0..2))
                .prop_map(|(event, within, without)| StepAst { event, within, without });
        let sequence = (
            any::<bool>(),
            prop::collection::vec(step, 1..4),
            prop::option::of(durations()),
            prop::option::of(names()),
            // `by` means a property there.
            windows(inner.clone()).prop_map(|w| w.into_iter().filter(|w| !matches!(w, WindowAst::By(_))).collect()),
        );
        prop_oneof![
            inner.clone().prop_map(|a| AstKind::Not(Box::new(a))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(AstKind::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(AstKind::Or),
            (cmp, two()).prop_map(|(c, (a, b))| AstKind::Cmp(c, a, b)),
            (two(), inner.clone()).prop_map(|((a, b), c)| AstKind::Between(a, b, Box::new(c))),
            (inner.clone(), prop::collection::vec(inner.clone(), 1..4)).prop_map(|(a, l)| AstKind::In(Box::new(a), l)),
            inner.clone().prop_map(|a| AstKind::IsKnown(Box::new(a))),
            inner.clone().prop_map(|a| AstKind::IsUnknown(Box::new(a))),
            (test, inner.clone(), texts()).prop_map(|(t, a, s)| AstKind::Test(t, Box::new(a), s)),
            (arith, two()).prop_map(|(op, (a, b))| AstKind::Arith(op, a, b)),
            inner.clone().prop_map(|a| match a.kind {
                AstKind::Num(n) => AstKind::Num(Decimal::new(-n.mantissa(), n.scale())),
                _ => AstKind::Neg(Box::new(a)),
            }),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|l| AstKind::Call("sample".into(), l)),
            (rank, inner.clone(), prop::option::of(inner.clone())).prop_map(|(kind, x, among)| AstKind::Rank {
                kind,
                x: Box::new(x),
                among: among.map(Box::new)
            }),
            (any::<bool>(), events(inner.clone()), prop::option::of(durations()))
                .prop_map(|(after, event, within)| AstKind::Near { after, event, within }),
            (func, inner.clone(), prop::option::of(inner.clone()), windows(inner.clone())).prop_map(
                |(func, arg, filter, windows)| {
                    AstKind::Agg(Box::new(Agg { func: func.to_string(), arg, filter, windows }))
                }
            ),
            sequence.prop_map(|(whole, steps, within, by, windows)| {
                AstKind::Sequence(Box::new(Sequence { whole, steps, within, by, windows }))
            }),
        ]
        .prop_map(ast)
    })
}
