//! What moved, and what it is worth: questions over everybody, whose answers serve for a while.

use super::{Live, lock};
use gyul_model::{Instant, MICROS_MINUTE};
use gyul_web::data::*;
use std::sync::{Arc, Mutex};

/// How long an answer serves, in microseconds: longer the more it cost.
const AGE: i64 = MICROS_MINUTE;
/// How many periods are kept.
const KEPT: usize = 8;

/// Answers that were given.
#[derive(Default)]
pub(super) struct Slow {
    movements: Mutex<Vec<Given<(Instant, Instant), Movement>>>,
    revenue: Mutex<Option<Given<(), Revenue>>>,
}

struct Given<Q, A> {
    question: Q,
    at: Instant,
    /// The definitions it rests on.
    mark: u64,
    answer: Arc<A>,
}

impl<Q, A> Given<Q, A> {
    fn serves(&self, now: Instant, mark: u64) -> bool {
        now.0 - self.at.0 < AGE && self.mark == mark
    }
}

impl Live {
    /// Changes with each definition that comes into force, and with each base.
    pub(super) fn definitions_mark(&self) -> u64 {
        let world = self.hub.world();
        let definitions: u64 =
            world.definitions.iter().map(|(.., v)| u64::from(v.version) * 2 + u64::from(v.in_force)).sum();
        definitions + world.bases
    }

    /// From and to are rounded to a minute, so that a page that is looked at again asks the same.
    pub(super) fn moved_between(&self, from: Instant, to: Instant) -> Arc<Movement> {
        let (now, mark) = (self.hub.now(), self.definitions_mark());
        let minute = |t: Instant| Instant(t.0.div_euclid(MICROS_MINUTE) * MICROS_MINUTE);
        let (from, to) = (minute(from), minute(to));
        // Held while it is computed: who asks at the same time waits for the same answer.
        let mut kept = lock(&self.slow.movements);
        kept.retain(|g| g.serves(now, mark));
        let close = |a: Instant, b: Instant| (a.0 - b.0).abs() <= AGE;
        if let Some(g) = kept.iter().find(|g| close(g.question.0, from) && close(g.question.1, to)) {
            return g.answer.clone();
        }
        let answer = Arc::new(shown(self.view().movement(from, to)));
        kept.truncate(KEPT - 1);
        kept.insert(0, Given { question: (from, to), at: now, mark, answer: answer.clone() });
        answer
    }

    pub(super) fn revenues(&self) -> Arc<Revenue> {
        let (now, mark) = (self.hub.now(), self.definitions_mark());
        let mut kept = lock(&self.slow.revenue);
        if let Some(g) = kept.as_ref().filter(|g| g.serves(now, mark)) {
            return g.answer.clone();
        }
        let (of, all) = self.view().revenue(now);
        let answer = Arc::new(Revenue { of: of.into_iter().collect(), all });
        *kept = Some(Given { question: (), at: now, mark, answer: answer.clone() });
        answer
    }
}

fn shown(m: gyul_engine::Movement) -> Movement {
    let sizes = m.sizes.into_iter();
    let sizes =
        sizes.map(|s| SizesBetween { id: s.id, before: s.before, after: s.after, entered: s.entered, left: s.left });
    let flow = |f: gyul_engine::Flow| {
        let size = |j: usize| f.joined[j] + f.moves.iter().map(|row| row[j]).sum::<u64>();
        let classes = f.classes.iter().enumerate().map(|(j, (class, name))| ClassSize {
            class: class.clone(),
            name_ko: name.ko.clone(),
            name_en: name.en.clone(),
            size: size(j),
            ..ClassSize::default()
        });
        let classes = classes.collect();
        Flow {
            partition: f.partition,
            name_ko: f.name.ko,
            name_en: f.name.en,
            classes,
            moves: f.moves,
            joined: f.joined,
        }
    };
    Movement {
        population_before: m.population.0,
        population_after: m.population.1,
        sizes: sizes.collect(),
        flows: m.flows.into_iter().map(flow).collect(),
    }
}
