//! The RFM map: how recently across, how often up; how many customers and how much money in each field.

use super::money::Spend;
use crate::view::{NotFound, View};
use gyul_model::{Instant, MICROS_DAY};
use gyul_segment::tree::Words;
use gyul_timeline::{Bits, Plan, Whole};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RfmAsk {
    /// Borders instead of quintiles: days since the last order (5 is at most the first), and orders (5 is at least the last).
    pub fixed: Option<([u32; 4], [u32; 4])>,
    pub of: Option<String>,
    pub at: Instant,
    /// To compare with.
    pub before: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RfmMap {
    /// `cells[f - 1][r - 1]`.
    pub cells: Vec<Vec<RfmCell>>,
    /// With an order.
    pub buyers: u64,
    pub net: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RfmCell {
    pub customers: u64,
    /// Orders less refunds up to the instant.
    pub net: f64,
    /// In this field at the instant before.
    pub before: Option<u64>,
    /// Those of them who are still in it.
    pub stayed: Option<u64>,
    /// The class of the partition `rfm` that most of them are in: id and name.
    pub class: Option<(String, Words)>,
}

/// As the starter library has them.
const SCORES: &str = "
measures:
  gyul_r: quintile(last(\"Order Completed\".ts))
  gyul_f: quintile(count(\"Order Completed\")) among (count(\"Order Completed\") >= 1)
";

impl View {
    pub fn rfm(&self, ask: &RfmAsk) -> Result<RfmMap, NotFound> {
        let set = self.set(ask.of.as_deref(), ask.at)?;
        let spend = Spend::find(self, i64::MIN, ask.at);
        let now = self.fields(ask, &spend, ask.at);
        let before = ask.before.map(|at| {
            let then = Spend::find(self, i64::MIN, at);
            (self.fields(ask, &then, at), self.population(at))
        });
        let mut members: Vec<Vec<usize>> = vec![vec![]; 25];
        set.iter().filter(|n| now[*n] < 25).for_each(|n| members[usize::from(now[n])].push(n));
        let mut earlier = vec![[0_u64; 2]; 25];
        if let Some((then, population)) = &before {
            // The same customers: those who are members now.
            for n in set.iter().filter(|n| population.has(*n) && then[*n] < 25) {
                let cell = &mut earlier[usize::from(then[n])];
                cell[0] += 1;
                cell[1] += u64::from(then[n] == now[n]);
            }
        }
        let classes = self.rfm_classes(ask.at);
        let mut out = RfmMap { cells: vec![], buyers: 0, net: 0.0 };
        for f in 0..5 {
            let row = (0..5).map(|r| {
                let own = &members[f * 5 + r];
                let money = spend.of(own.iter().copied());
                let [was, stayed] = earlier[f * 5 + r];
                let told = |n: u64| before.as_ref().map(|_| n);
                RfmCell {
                    customers: own.len() as u64,
                    net: money.net,
                    before: told(was),
                    stayed: told(stayed),
                    class: class_of(own, &classes),
                }
            });
            out.cells.push(row.collect());
        }
        out.buyers = members.iter().map(|m| m.len() as u64).sum();
        out.net = spend.of(members.iter().flatten().copied()).net;
        Ok(out)
    }

    /// The field of each customer, `f * 5 + r` from 0; 25 is none.
    fn fields(&self, ask: &RfmAsk, spend: &Spend, at: Instant) -> Vec<u8> {
        let n = self.timelines.numbers();
        if let Some((days, orders)) = ask.fixed {
            let field = |n: usize| {
                if spend.orders[n] == 0 {
                    return 25;
                }
                let gone = (at.0 - spend.last[n]) / MICROS_DAY;
                let r = 4 - days.iter().filter(|d| gone > i64::from(**d)).count();
                let f = orders.iter().filter(|o| spend.orders[n] >= **o).count();
                (f * 5 + r) as u8
            };
            return (0..n).map(field).collect();
        }
        let text = format!("version: 1\nzone: {}{SCORES}", self.zone().name());
        let (library, _) = gyul_segment::load(&[("rfm".into(), text)], None);
        let plan = Plan::compile(&library, &self.data().streams);
        let state = self.timelines.run(&plan, at);
        let mut scores = self.timelines.whole(&plan, &plan.measures, &state).into_iter();
        let mut next = || match scores.next() {
            Some(Some(Whole::Numbers(v))) => v,
            _ => vec![f64::NAN; n],
        };
        let (r, f) = (next(), next());
        let field = |n: usize| match (r[n], f[n]) {
            (r, f) if r >= 1.0 && f >= 1.0 => (f.min(5.0) as u8 - 1) * 5 + r.min(5.0) as u8 - 1,
            _ => 25,
        };
        (0..n).map(field).collect()
    }

    /// The classes of the partition `rfm`, if there is one.
    fn rfm_classes(&self, at: Instant) -> Vec<(String, Words, Bits)> {
        let Some(p) = self.library.partitions.iter().position(|p| p.id == "rfm") else { return vec![] };
        let partition = &self.library.partitions[p];
        let names = partition.classes.iter().map(|c| (&c.id, &c.about.name));
        let names = names.chain([(&partition.otherwise.id, &partition.otherwise.about.name)]);
        let state = self.run(at);
        let sets = state.answers.partitions[p].iter().cloned();
        names.zip(sets).map(|((id, name), set)| (id.clone(), name.clone(), set)).collect()
    }
}

fn class_of(own: &[usize], classes: &[(String, Words, Bits)]) -> Option<(String, Words)> {
    let counts = classes.iter().map(|(id, name, set)| (own.iter().filter(|n| set.has(**n)).count(), id, name));
    let (_, id, name) = counts.filter(|(n, ..)| *n > 0).rev().max_by_key(|(n, ..)| *n)?;
    Some((id.clone(), name.clone()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_scores_are_well_defined() {
        let text = format!("version: 1\n{}", super::SCORES);
        let (library, problems) = gyul_segment::load(&[("rfm".into(), text)], None);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(library.measures.len(), 2);
    }
}
