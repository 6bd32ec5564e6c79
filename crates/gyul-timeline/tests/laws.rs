//! The laws of docs/reference/segments.md, on random shops: the reference evaluator judges.
//!
//! A failure names its seed; `GYUL_SEED=n cargo test -p gyul-timeline` runs that one alone.

use gyul_model::{Event, Instant, Snapshot, Timeline, Zone};
use gyul_segment::reference::Reference;
use gyul_segment::tree::{Expr, Kind, Library};
use gyul_sim::random::{Rng, instant, library, timelines};
use gyul_timeline::{Answers, Named, Plan, Timelines, Wanted};

/// Runs a law for many seeds, or for the one that the environment names.
fn for_seeds(count: u64, law: impl Fn(u64)) {
    match std::env::var("GYUL_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => law(seed),
        None => (0..count).for_each(law),
    }
}

struct Case {
    library: Library,
    timelines: Vec<Timeline>,
    at: Instant,
}

fn case(seed: u64, zone: &str) -> Case {
    let mut rng = Rng::new(seed);
    let timelines = timelines(&mut rng, 12);
    let library = library(&mut rng, Zone::new(zone).expect("a zone of the database"));
    let at = instant(&mut rng, &timelines, &library);
    Case { library, timelines, at }
}

fn zone_of(seed: u64) -> &'static str {
    ["Asia/Seoul", "America/New_York", "UTC"][seed as usize % 3]
}

fn compare(fast: &Timelines, answers: &Answers, case: &Case, known_before: Option<u64>, what: &str) {
    let reference = Reference::new(&case.library, &case.timelines, case.at, known_before);
    for (c, timeline) in case.timelines.iter().enumerate() {
        let number = fast.number_of(&timeline.customer).expect("everybody is there");
        for (s, segment) in case.library.segments.iter().enumerate() {
            assert_eq!(
                answers.segments[s].has(number),
                reference.member(s, c),
                "{what}: {} in {} at {}\n{:?}\n{timeline:#?}",
                timeline.customer,
                segment.id,
                case.at,
                culprit(fast, case, known_before, c, number, &segment.when).kind,
            );
        }
        for (p, partition) in case.library.partitions.iter().enumerate() {
            let mut classes = (0..=partition.classes.len()).filter(|k| answers.partitions[p][*k].has(number));
            let (class, second) = (classes.next(), classes.next());
            assert_eq!((class, second), (reference.class(p, c), None), "{what}: class of {}", timeline.customer);
        }
    }
}

/// The smallest condition within a condition on which the evaluators disagree.
fn culprit(fast: &Timelines, case: &Case, known: Option<u64>, c: usize, number: usize, whole: &Expr) -> Expr {
    let differs = |e: &Expr| {
        let mut library = case.library.clone();
        let last = library.segments.len();
        library.segments.push(library.segments[0].clone());
        library.segments[last].when = e.clone();
        let plan = Plan::compile_one(&library, &fast.data().streams, Named::Segment(last));
        let reference = Reference::new(&library, &case.timelines, case.at, known);
        fast.evaluate(&plan, case.at).segments[0].has(number) != reference.member(last, c)
    };
    let children: Vec<&Expr> = match &whole.kind {
        Kind::And(list) | Kind::Or(list) => list.iter().collect(),
        Kind::Not(a) => vec![a],
        Kind::Rank(r) => r.among.iter().collect(),
        Kind::Measure(i) => vec![&case.library.measures[*i].expr],
        Kind::InSegment(i) => vec![&case.library.segments[*i].when],
        Kind::InClass { partition, .. } => {
            case.library.partitions[*partition].classes.iter().map(|k| &k.when).collect()
        }
        _ => vec![],
    };
    match children.into_iter().find(|e| differs(e)) {
        Some(e) => culprit(fast, case, known, c, number, e),
        None => whole.clone(),
    }
}

#[test]
fn batch_equals_the_reference_for_every_splitting_into_buckets() {
    for_seeds(1_500, |seed| {
        let case = case(seed, zone_of(seed));
        for buckets in [1, 3] {
            let fast = Timelines::new(Snapshot::from_timelines(&case.timelines, buckets));
            let plan = Plan::compile(&case.library, &fast.data().streams);
            let answers = fast.evaluate(&plan, case.at);
            compare(&fast, &answers, &case, None, &format!("seed {seed}, {buckets} buckets"));
        }
    });
}

#[test]
fn a_question_beside_a_kept_run_has_the_answer_of_a_run_of_its_own() {
    for_seeds(60, |seed| {
        let case = case(seed, zone_of(seed));
        let fast = Timelines::new(Snapshot::from_timelines(&case.timelines, 3));
        let streams = &fast.data().streams;
        let whole = Plan::compile(&case.library, streams);
        let all = fast.evaluate(&whole, case.at);
        // The kept run knows half of the segments, and what they share with the others.
        let mut half = case.library.clone();
        half.segments.truncate(half.segments.len() / 2);
        let known = |library: &Library| {
            let plan = Plan::compile(library, streams);
            let state = fast.run_keeping(&plan, case.at);
            (plan, state)
        };
        for (base, state) in [known(&half), known(&case.library)] {
            for s in 0..case.library.segments.len() {
                let plan = base.beside(&case.library, streams, &[Wanted::Named(Named::Segment(s))]);
                let found = fast.run_beside(&plan, &base, &state).answers;
                assert_eq!(found.segments[0], all.segments[s], "seed {seed}: {}", case.library.segments[s].id);
                assert_eq!(found.population, all.population);
            }
        }
    });
}

#[test]
fn history_equals_batch_at_every_instant() {
    let mut swept = 0;
    for seed in 0..400 {
        let case = case(seed, zone_of(seed));
        let fast = Timelines::new(Snapshot::from_timelines(&case.timelines, 2));
        let mut rng = Rng::new(seed ^ 0xabcdef);
        let mut instants: Vec<Instant> = (0..12).map(|_| instant(&mut rng, &case.timelines, &case.library)).collect();
        instants.sort_unstable();
        let (from, to) = (instants[0], instants[instants.len() - 1]);
        for s in 0..case.library.segments.len() {
            let plan = Plan::compile_one(&case.library, &fast.data().streams, Named::Segment(s));
            let Ok(history) = fast.history(&plan, from, to) else { continue };
            swept += 1;
            // Also just before and at each change, where an error would show.
            let edges = history.changes.iter().take(6).flat_map(|c| [Instant(c.at.0 - 1), c.at]);
            for t in instants.iter().copied().chain(edges.filter(|t| *t >= from)) {
                let batch = fast.evaluate(&plan, t);
                assert_eq!(
                    history.at(t),
                    batch.segments[0],
                    "seed {seed}, segment {s} at {t}\n{:?}\n{:#?}",
                    case.library.segments[s].when,
                    case.timelines
                );
            }
        }
    }
    assert!(swept > 400, "only {swept} histories were possible");
}

#[test]
fn fresh_events_in_any_order_and_number_lead_to_the_same_state() {
    for_seeds(400, |seed| {
        let case = case(seed, zone_of(seed));
        let mut rng = Rng::new(seed ^ 0x5eed);
        let mut base: Vec<Timeline> = vec![];
        let mut fresh: Vec<(String, Event)> = vec![];
        for t in &case.timelines {
            let late = rng.below(3) == 0;
            let (late, early): (Vec<Event>, Vec<Event>) =
                t.events.iter().cloned().partition(|_| late || rng.below(5) == 0);
            fresh.extend(late.into_iter().map(|e| (t.customer.clone(), e)));
            // A customer nobody has heard of comes with the first event.
            if !early.is_empty() || t.events.is_empty() {
                base.push(Timeline::new(t.customer.clone(), early));
            }
        }
        for i in (1..fresh.len()).rev() {
            fresh.swap(i, rng.below(i + 1));
        }
        let mut fast = Timelines::new(Snapshot::from_timelines(&base, 2));
        let mut plan = Plan::compile(&case.library, &fast.data().streams);
        let mut state = fast.run(&plan, case.at);
        for some in fresh.chunks(5) {
            if fast.apply(some).schema_changed {
                plan = Plan::compile(&case.library, &fast.data().streams);
                state = fast.run(&plan, case.at);
            } else {
                state = fast.refresh(&plan, state);
            }
        }
        compare(&fast, &state.answers, &case, None, &format!("seed {seed}"));
        assert_eq!(fast.evaluate(&plan, case.at), state.answers, "seed {seed}: refresh is a batch run");
    });
}

#[test]
fn known_at_leaves_out_what_arrived_later() {
    for_seeds(300, |seed| {
        let case = case(seed, zone_of(seed));
        let bound = Rng::new(seed ^ 77).below(60) as u64;
        let snapshot = Snapshot::from_timelines(&case.timelines, 2).known_before(bound);
        let fast = Timelines::new(snapshot);
        let plan = Plan::compile(&case.library, &fast.data().streams);
        let answers = fast.evaluate(&plan, case.at);
        compare(&fast, &answers, &case, Some(bound), &format!("seed {seed} known before {bound}"));
    });
}

#[test]
fn the_next_change_is_the_first_one_that_history_sees_without_further_events() {
    let mut changes = 0;
    for seed in 0..300 {
        let mut case = case(seed, zone_of(seed));
        for t in &mut case.timelines {
            t.events.retain(|e| e.ts <= case.at);
        }
        let fast = Timelines::new(Snapshot::from_timelines(&case.timelines, 1));
        let horizon = Instant(case.at.0 + 400 * gyul_model::MICROS_DAY);
        for s in 0..case.library.segments.len() {
            let plan = Plan::compile_one(&case.library, &fast.data().streams, Named::Segment(s));
            if !plan.ranks.is_empty() {
                continue;
            }
            let Ok(history) = fast.history(&plan, case.at, horizon) else { continue };
            let state = fast.run(&plan, case.at);
            for t in &case.timelines {
                let Some(number) = fast.number_of(&t.customer) else { continue };
                if !state.answers.population.has(number) {
                    continue;
                }
                let want = history.changes.iter().find(|c| c.customer == number).map(|c| (c.at, c.entered));
                let got = fast.next_change(&plan, &state, number, horizon);
                assert_eq!(got, want, "seed {seed}, segment {s}, {}", t.customer);
                changes += usize::from(want.is_some());
            }
        }
    }
    assert!(changes > 50, "only {changes} changes");
}
