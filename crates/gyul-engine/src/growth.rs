//! How did everything grow, what is it worth, and who would move if a partition were drawn otherwise?

use crate::view::{View, bits};
use gyul_model::{Decimal, Instant, Value};
use gyul_segment::tree::Library;
use gyul_timeline::{Answers, Bits, Named, Plan};

/// Sizes of all segments and classes at some instants, and what the members bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    pub instants: Vec<Instant>,
    pub population: Vec<u64>,
    /// What everybody bought in the last twelve months, refunds taken off; `None` where nothing was sold.
    pub revenue: Option<f64>,
    pub of: Vec<GrowthOf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GrowthOf {
    /// The segment's id, or `partition/class`.
    pub id: String,
    /// One for each instant.
    pub sizes: Vec<u64>,
    pub revenue: Option<f64>,
}

/// Measured in the same way in every shop, whatever its definitions call their events.
const OWN: &str = "
version: 1
events:
  gyul_order: { event: Order Completed }
  gyul_refund: { event: Order Refunded }
measures:
  gyul_orders: count(gyul_order, last 12mo)
  gyul_net: sum(gyul_order.total, last 12mo) - sum(gyul_refund.total, last 12mo)
";

impl View {
    /// One run of everything for each instant, in ascending order; revenue as of the last one.
    pub fn growth(&self, instants: &[Instant]) -> Growth {
        let mut of: Vec<GrowthOf> = self
            .all()
            .into_iter()
            .map(|n| GrowthOf { id: self.describe(n).0, sizes: Vec::with_capacity(instants.len()), revenue: None })
            .collect();
        let mut out = Growth { instants: instants.to_vec(), population: vec![], revenue: None, of: vec![] };
        let mut last: Option<Answers> = None;
        for at in instants {
            let answers = self.timelines.evaluate(self.plan(), *at);
            out.population.push(answers.population.count() as u64);
            for (named, g) in self.all().into_iter().zip(&mut of) {
                g.sizes.push(bits(&answers, named).count() as u64);
            }
            last = Some(answers);
        }
        if let Some(answers) = last
            && let Some(net) = self.net_12mo(answers.at)
        {
            let sum = |b: &Bits| b.iter().map(|n| net.get(n).copied().unwrap_or_default()).sum::<f64>();
            out.revenue = Some(sum(&answers.population));
            for (named, g) in self.all().into_iter().zip(&mut of) {
                g.revenue = Some(sum(bits(&answers, named)));
            }
        }
        out.of = of;
        out
    }

    /// What each customer bought in the last twelve months, by number.
    fn net_12mo(&self, at: Instant) -> Option<Vec<f64>> {
        let zone = format!("{OWN}zone: {}\n", self.zone().name());
        let (library, _) = gyul_segment::load(&[("growth".into(), zone)], None);
        let plan = Plan::compile(&library, &self.data().streams);
        let state = self.timelines.run(&plan, at);
        let columns = self.timelines.values(&plan, &plan.measures, &state);
        let [orders, net] = columns.as_slice() else { return None };
        let sold = orders.values.iter().any(|(_, v)| matches!(v, Some(Value::Num(d)) if *d != Decimal::ZERO));
        if !sold {
            return None;
        }
        let mut out = vec![0.0; self.timelines.numbers()];
        for (n, v) in &net.values {
            if let (Some(Value::Num(d)), Some(place)) = (v, out.get_mut(*n)) {
                *place = d.to_f64();
            }
        }
        Some(out)
    }

    /// The classes of a partition of any library (`otherwise` last) over these timelines, and everybody.
    pub fn classes(&self, library: &Library, partition: usize, at: Instant) -> (Vec<Bits>, Bits) {
        let Some(p) = library.partitions.get(partition) else { return (vec![], Bits::none(0)) };
        let named: Vec<Named> = (0..=p.classes.len()).map(|k| Named::Class(partition, k)).collect();
        let plan = Plan::compile_some(library, &self.data().streams, &named);
        let answers = self.timelines.evaluate(&plan, at);
        (answers.segments, answers.population)
    }
}

/// How many are in `before[i]` and in `after[j]`.
pub fn moves(before: &[Bits], after: &[Bits]) -> Vec<Vec<u64>> {
    before.iter().map(|b| after.iter().map(|a| b.overlap(a) as u64).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::schema_of;
    use gyul_model::Snapshot;
    use gyul_sim::random::{self, Rng};

    const FILE: &str = "version: 1
segments:
  - { id: buyers, when: count(order) >= 1 }
partitions:
  - id: steps
    classes:
      - { id: many, when: count(order) >= 3 }
      - { id: some, when: count(order) >= 1 }
    otherwise: none
";

    fn view(seed: u64, file: &str) -> (View, Instant) {
        let mut rng = Rng::new(seed);
        let timelines = random::timelines(&mut rng, 200);
        let data = Snapshot::from_timelines(&timelines, 2);
        let (library, problems) = gyul_segment::load(&[("f".into(), file.into())], Some(&schema_of(&data)));
        assert!(problems.is_empty(), "{problems:?}");
        let view = View::new(data, library);
        let at = view.period().map_or(Instant(0), |p| p.1);
        (view, at)
    }

    #[test]
    fn growth_ends_where_counts_are_and_no_revenue_is_lost_between_classes() {
        let mut sold = 0;
        for seed in 0..20 {
            let (view, at) = view(seed, FILE);
            let growth = view.growth(&[Instant(at.0 - 90 * gyul_model::MICROS_DAY), at]);
            let counts = view.counts(at);
            for (g, c) in growth.of.iter().zip(&counts) {
                assert_eq!((&g.id, g.sizes[1], growth.population[1]), (&c.id, c.customers, c.population));
            }
            let Some(all) = growth.revenue else { continue };
            sold += 1;
            let classes: f64 = growth.of.iter().filter(|g| g.id.contains('/')).filter_map(|g| g.revenue).sum();
            assert!((classes - all).abs() < 1e-6 * all.abs().max(1.0), "{classes} of {all}");
        }
        assert!(sold > 0);
    }

    #[test]
    fn everybody_moves_from_one_class_to_one_class() {
        for seed in 0..20 {
            let (old, at) = view(seed, FILE);
            let (new, _) = view(seed, &FILE.replace(">= 3", ">= 2"));
            let (before, everybody) = old.classes(old.library(), 0, at);
            let (after, _) = old.classes(new.library(), 0, at);
            let counts = moves(&before, &after);
            assert_eq!(counts.iter().flatten().sum::<u64>(), everybody.count() as u64);
            for (i, row) in counts.iter().enumerate() {
                assert_eq!(row.iter().sum::<u64>(), before[i].count() as u64);
            }
            // The lower threshold only takes from the class below.
            assert_eq!((counts[0][1], counts[0][2], counts[1][2], counts[2][0]), (0, 0, 0, 0));
        }
    }
}
