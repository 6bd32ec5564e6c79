use super::*;
use gyul_segment::reference::Reference;

#[test]
fn the_same_seed_gives_the_same_case() {
    let case = |seed| {
        let mut rng = Rng::new(seed);
        let zone = zone(&mut rng);
        let timelines = timelines(&mut rng, 4);
        let library = library(&mut rng, zone);
        let at = instant(&mut rng, &timelines, &library);
        format!("{timelines:?}{library:?}{at}")
    };
    assert_eq!(case(1), case(1));
    assert_ne!(case(1), case(2));
}

#[test]
fn both_outcomes_happen_often() {
    let (mut inside, mut members, mut mixed, mut classes) = (0, 0, 0, std::collections::BTreeMap::new());
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let zone = zone(&mut rng);
        let timelines = timelines(&mut rng, 8);
        let library = library(&mut rng, zone);
        let at = instant(&mut rng, &timelines, &library);
        let reference = Reference::new(&library, &timelines, at, None);
        for s in 0..library.segments.len() {
            let n = (0..8).filter(|c| reference.exists(*c)).count();
            let m = (0..8).filter(|c| reference.member(s, *c)).count();
            inside += n;
            members += m;
            mixed += usize::from(m > 0 && m < n);
        }
        for c in 0..8 {
            *classes.entry(reference.class(0, c)).or_insert(0) += 1;
        }
    }
    let share = 100 * members / inside;
    assert!((20..80).contains(&share), "{share} % of {inside} are members");
    assert!(mixed > 240, "{mixed} of 1200 segments tell customers apart");
    assert!(classes.len() >= 4, "{classes:?}");
}

#[test]
fn every_kind_of_expression_comes_up() {
    let text: String = (0..300)
        .map(|seed| {
            let mut rng = Rng::new(seed);
            let zone = zone(&mut rng);
            format!("{:?}", library(&mut rng, zone))
        })
        .collect();
    let kinds = "Bool Num Dur Instant Date Text Now Ago EndOf Today Trait Age Agg Pattern Measure InSegment InClass Rank \
                 Sample Prop EventName Ts Gap Nth Hour Weekday LocalDate Near Not And Or Cmp Arith IsKnown InText InNum \
                 Contains StartsWith EndsWith Matches Within NearOccasion Top Bottom AboveAverage BelowAverage Quintile \
                 Percentile Count Sum Avg Min Max Distinct First Last Mode FirstAt LastAt LongestGap AverageGap Days \
                 Streak";
    for kind in kinds.split_whitespace() {
        let found = [format!(" {kind},"), format!(" {kind}("), format!(" {kind} {{")].iter().any(|t| text.contains(t));
        assert!(found, "{kind} never comes up");
    }
}
