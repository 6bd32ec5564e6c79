//! What moved between two instants: sizes, entries, exits, and who went from which class to which.
//!
//! Everything is evaluated twice; in between somebody may have left and come back, which history tells and this does not.

use crate::view::{View, bits};
use gyul_model::Instant;
use gyul_segment::tree::Words;
use gyul_timeline::Bits;

#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    pub from: Instant,
    pub to: Instant,
    /// Everybody known then and now.
    pub population: (u64, u64),
    /// Segments, then classes (`partition/class`), in the order of the definitions.
    pub sizes: Vec<Sizes>,
    pub flows: Vec<Flow>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    pub id: String,
    pub before: u64,
    pub after: u64,
    pub entered: u64,
    pub left: u64,
}

/// Between the classes of one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    pub partition: String,
    pub name: Words,
    /// Ids and names in the order of the partition, `otherwise` last.
    pub classes: Vec<(String, Words)>,
    /// `moves[i][j]` were in class `i` and are in class `j`.
    pub moves: Vec<Vec<u64>>,
    /// In class `j` now, unknown then.
    pub joined: Vec<u64>,
}

impl View {
    pub fn movement(&self, from: Instant, to: Instant) -> Movement {
        let (before, after) = (self.run(from), self.run(to));
        let (then, now) = (&before.answers, &after.answers);
        let sizes = self.all().into_iter().map(|named| {
            let (old, new) = (bits(then, named), bits(now, named));
            let (before, after, both) = (old.count() as u64, new.count() as u64, old.overlap(new) as u64);
            Sizes { id: self.describe(named).0, before, after, entered: after - both, left: before - both }
        });
        let flows = self.library.partitions.iter().enumerate().map(|(p, partition)| {
            let (old, new) = (&then.partitions[p], &now.partitions[p]);
            let row = |f: &Bits| new.iter().map(|t| f.overlap(t) as u64).collect();
            let joined = new.iter().map(|t| (t.count() - t.overlap(&then.population)) as u64);
            let classes = partition.classes.iter().map(|c| (c.id.clone(), c.about.name.clone()));
            let otherwise = (partition.otherwise.id.clone(), partition.otherwise.about.name.clone());
            Flow {
                partition: partition.id.clone(),
                name: partition.about.name.clone(),
                classes: classes.chain([otherwise]).collect(),
                moves: old.iter().map(row).collect(),
                joined: joined.collect(),
            }
        });
        Movement {
            from,
            to,
            population: (then.population.count() as u64, now.population.count() as u64),
            sizes: sizes.collect(),
            flows: flows.collect(),
        }
    }

    /// Net revenue (orders less refunds) of each segment and class up to an instant, by id; and of everybody.
    pub fn revenue(&self, at: Instant) -> (Vec<(String, f64)>, f64) {
        let net = crate::report::net(self, at);
        let state = self.run(at);
        let of = |b: &Bits| b.iter().map(|n| net[n]).sum();
        let each = self.all().into_iter().map(|named| (self.describe(named).0, of(bits(&state.answers, named))));
        (each.collect(), net.iter().sum())
    }
}
