use super::*;
use crate::library::schema_of;
use gyul_model::Snapshot;
use gyul_segment::reference::Reference;
use gyul_segment::syntax::parse;
use gyul_sim::random::{self, Rng};

const LEAVES: &[&str] = &[
    "gender = 'female'",
    "count(order) >= 1",
    "count(\"Order Completed\", last 30d) >= 1",
    "sum(order.total) in top 40%",
    "since(order) <= 30d",
    "consent(kakao)",
    "in segment buyers",
    "gender is known",
    "sample(50%, 'x')",
    "count(view) > 0",
];

fn random_form(rng: &mut Rng, depth: u32) -> Node {
    let key = format!("k{}", rng.below(1_000_000_000));
    let parts = |rng: &mut Rng| (0..rng.below(4)).map(|_| random_form(rng, depth - 1)).collect();
    let is = match rng.below(if depth == 0 { 3 } else { 7 }) {
        3 => Is::Not { part: Box::new(random_form(rng, depth - 1)) },
        4 | 5 => Is::All { parts: parts(rng) },
        6 => Is::Any { parts: parts(rng) },
        _ => form::of(&parse(rng.pick(LEAVES)).0).is,
    };
    Node { key, is }
}

/// The form without the part of this key.
fn pruned(node: &Node, key: &str) -> Option<Node> {
    if node.key == key {
        return None;
    }
    let keep = |parts: &[Node]| parts.iter().filter_map(|p| pruned(p, key)).collect();
    let is = match &node.is {
        Is::All { parts } => Is::All { parts: keep(parts) },
        Is::Any { parts } => Is::Any { parts: keep(parts) },
        Is::Not { part } => Is::Not { part: Box::new(pruned(part, key)?) },
        other => other.clone(),
    };
    Some(Node { key: node.key.clone(), is })
}

fn part<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    if node.key == key {
        return Some(node);
    }
    match &node.is {
        Is::All { parts } | Is::Any { parts } => parts.iter().find_map(|p| part(p, key)),
        Is::Not { part: p } => part(p, key),
        _ => None,
    }
}

const BASE: &str = "version: 1\nsegments:\n  - { id: buyers, when: count(order) >= 2 }\n";

fn files(form: &Node) -> Vec<(String, String)> {
    let when = form::tree(form).ast.map_or("true".to_string(), |a| print(&a));
    let draft = format!("version: 1\nsegments:\n  - id: draft\n    when: {}\n", form::quoted(&when));
    vec![("base.yaml".into(), BASE.into()), ("segment/draft.yaml".into(), draft)]
}

#[test]
fn every_count_is_what_the_reference_says_of_the_text() {
    let (mut moved, mut told) = (0, 0);
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let zone = random::zone(&mut rng);
        let timelines = random::timelines(&mut rng, 30);
        let library = random::library(&mut rng, zone);
        let at = random::instant(&mut rng, &timelines, &library);
        let view = Arc::new(View::new(Snapshot::from_timelines(&timelines, 2), gyul_segment::load(&[], None).0));
        let schema = schema_of(view.data());
        let effector = Effector::new(view);
        // What the reference says of a form: an empty one is everybody.
        let count = |form: Option<Node>| {
            let form = form.unwrap_or(Node { key: String::new(), is: Is::All { parts: vec![] } });
            let (library, problems) = gyul_segment::load(&files(&form), Some(&schema));
            assert!(problems.iter().all(|p| p.severity == Severity::Warning), "{problems:?}");
            let reference = Reference::new(&library, &timelines, at, None);
            (0..timelines.len()).filter(|c| reference.exists(*c) && reference.member(1, *c)).count() as u64
        };
        let mut form = random_form(&mut rng, 3);
        // Keystrokes: the same tree with another part each time, sets kept in between.
        for _ in 0..4 {
            let all = files(&form);
            let q = Question {
                files: &all,
                file: "segment/draft.yaml",
                id: "draft",
                form: &form,
                saved: Some("count(order) >= 1"),
                other: Some("in segment buyers"),
                at,
                schema: &schema,
                sample: 5,
            };
            let e = effector.effects(&q);
            let size = count(Some(form.clone()));
            assert_eq!(e.size, Some(size), "seed {seed}: {}", all[1].1);
            assert_eq!(e.sample.len() as u64, size.min(5));
            for p in &e.parts {
                told += 1;
                let alone = part(&form, &p.key).cloned();
                if form::tree(alone.as_ref().unwrap()).ast.is_some() {
                    assert_eq!(p.alone, Some(count(alone)), "seed {seed}: {} in {}", p.key, all[1].1);
                }
                let without = count(pruned(&form, &p.key));
                assert_eq!(p.without, Some(without), "seed {seed}: {} of {:?}", p.key, form);
                moved += usize::from(without != size);
            }
            let other = e.other.unwrap();
            assert!(other.both <= other.size.min(size));
            assert_eq!(e.saved.map(|s| s.size), Some(count(Some(form::of(&parse("count(order) >= 1").0)))));
            form = match form.is {
                Is::All { mut parts } => {
                    parts.push(random_form(&mut rng, 1));
                    Node { key: form.key, is: Is::All { parts } }
                }
                _ => Node { key: format!("r{seed}"), is: Is::All { parts: vec![form, random_form(&mut rng, 1)] } },
            };
        }
    }
    assert!(told > 600 && moved > 150, "{moved} of {told} parts matter");
}

#[test]
fn a_wrong_condition_is_told_at_its_card_and_the_others_still_count() {
    let mut rng = Rng::new(3);
    let timelines = random::timelines(&mut rng, 40);
    let view = Arc::new(View::new(Snapshot::from_timelines(&timelines, 2), gyul_segment::load(&[], None).0));
    let (schema, effector) = (schema_of(view.data()), Effector::new(view));
    let ask = |when: &str, base: &str| {
        let form = form::of(&parse(when).0);
        let mut all = files(&form);
        all[0].1 = base.to_string();
        effector.effects(&Question {
            files: &all,
            file: "segment/draft.yaml",
            id: "draft",
            form: &form,
            saved: None,
            other: None,
            at: Instant(1_735_689_600_000_000),
            schema: &schema,
            sample: 0,
        })
    };
    let e = ask("gender = 'female' and count(ordr) > 1 and 1 > 2", BASE);
    assert_eq!((e.size, e.problems.first().map(|p| p.code)), (None, Some("unknown_event")));
    let codes = |e: &Effects| -> Vec<(String, Vec<&str>)> {
        e.parts.iter().map(|p| (p.key.clone(), p.problems.iter().map(|p| p.code).collect())).collect()
    };
    assert_eq!(codes(&e)[2], ("0.1".into(), vec!["unknown_event"]));
    assert!(e.parts[1].alone.is_some() && e.parts[2].alone.is_none() && e.parts[1].without.is_none());
    let e = ask("gender = 'female' and 1 > 2", BASE);
    assert_eq!((e.size, codes(&e)[2].1.clone()), (Some(0), vec!["never_true"]));
    // That nobody is in it follows, and is not told as a second fault.
    assert_eq!(e.problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["never_true"]);
    // Somebody changed what a part rests on.
    let before = ask("in segment buyers", BASE);
    let after = ask("in segment buyers", &BASE.replace("count(order) >= 2", "count(order) >= 0"));
    assert!(before.size < after.size, "{before:?} {after:?}");
}
