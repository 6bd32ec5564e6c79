//! Why says what the reference evaluator says that looks at everybody.

use gyul_engine::View;
use gyul_model::{Snapshot, Timeline, Zone};
use gyul_segment::explain::{What, render, why};
use gyul_segment::reference::Reference;
use gyul_sim::random::{Rng, instant, library, timelines};

#[test]
fn why_by_a_kept_run_says_what_the_reference_says_of_everybody() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let all = timelines(&mut rng, 9);
        let library = library(&mut rng, Zone::seoul());
        let at = instant(&mut rng, &all, &library);
        let view = View::new(Snapshot::from_timelines(&all, 2), library.clone());
        // The same events, with their properties in the order of the columns.
        let buckets = view.data().buckets.iter().enumerate();
        let all: Vec<Timeline> = buckets
            .flat_map(|(b, of)| (0..of.customers.len()).map(move |c| (b, c)))
            .map(|(b, c)| view.data().timeline(b, c))
            .collect();
        let reference = Reference::new(&library, &all, at, None);
        for (s, segment) in library.segments.iter().enumerate() {
            for (c, timeline) in all.iter().enumerate() {
                let found = view.why(&segment.id, &timeline.customer, at).unwrap();
                let says = |w| render(w, &library.zone, gyul_model::Lang::En);
                let wanted = why(&reference, What::Segment(s), c);
                assert_eq!(says(&found.why), says(&wanted), "seed {seed}: {} in {}", timeline.customer, segment.id);
            }
        }
        for (p, partition) in library.partitions.iter().enumerate() {
            for (c, timeline) in all.iter().enumerate() {
                let found = view.why(&partition.id, &timeline.customer, at).unwrap().why;
                // A partition alone is asked for the class that the customer is in.
                let Some(class) = reference.class(p, c) else {
                    assert!(!found.exists, "seed {seed}");
                    continue;
                };
                let says = |w| render(w, &library.zone, gyul_model::Lang::Ko);
                let wanted = why(&reference, What::Class(p, class), c);
                assert!(found.verdict && says(&found) == says(&wanted), "seed {seed}: {}", says(&found));
            }
        }
        assert_eq!(view.counts(at), View::new(Snapshot::from_timelines(&all, 5), library).counts(at), "seed {seed}");
    }
}
