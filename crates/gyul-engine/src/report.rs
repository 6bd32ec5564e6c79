//! The parts of a report, from a view.

use crate::needs::{self, called};
use crate::sufficiency::{Missing, Sufficiency, sufficiency};
use crate::view::{View, bits};
use gyul_model::{Date, Decimal, Duration, Instant, Lang, Period, Value, names};
use gyul_report as page;
use gyul_report::Text;
use gyul_segment::tree::{Partition, Words};
use gyul_timeline::{Answers, Named, Plan, State};
use std::collections::BTreeMap;

/// What a view does not know.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    pub shop: String,
    pub lang: Lang,
    pub quality: Option<page::Quality>,
    pub source: Option<Text>,
    pub currency: Option<String>,
}

/// The most points of a history.
const MONTHS_MAX: usize = 60;
/// The most segments whose overlap is shown.
const OVERLAP_MAX: usize = 10;

/// What the report measures for itself, whatever the shop's definitions call their events and measures.
const OWN: &str = "
version: 1
events:
  gyul_order: { event: Order Completed }
  gyul_refund: { event: Order Refunded }
measures:
  gyul_orders: count(gyul_order)
  gyul_gross: sum(gyul_order.total)
  gyul_net: sum(gyul_order.total) - sum(gyul_refund.total)
  gyul_r: quintile(last(gyul_order.ts))
  gyul_f: quintile(gyul_orders) among (gyul_orders >= 1)
  gyul_m: quintile(gyul_gross) among (gyul_orders >= 1)
";

pub fn report(view: &View, at: Instant, options: ReportOptions) -> page::ReportData {
    let zone = view.zone().clone();
    let currency = options.currency.unwrap_or_else(|| view.library.currency.clone());
    let mut out = page::ReportData::new(options.shop, zone.date(at), currency);
    out.lang = match options.lang {
        Lang::Ko => page::Lang::Ko,
        Lang::En => page::Lang::En,
    };
    out.quality = options.quality;
    out.source = options.source;
    out.period = view.period().map(|(from, to)| (zone.date(from), zone.date(to.min(at))));

    let own = Own::new(view, at);
    let months = months(view, at);
    let instants = month_ends(view, at);
    let answers: Vec<Answers> = instants.iter().map(|t| view.timelines.evaluate(view.plan(), *t)).collect();
    let now = &own.state.answers;
    out.totals = own.totals();
    out.months = months;
    out.rfm = own.rfm(view);
    out.history_dates = instants.iter().map(|t| zone.date(*t)).collect();
    // The last answers are those of `at`.
    let Some(last) = answers.last() else { return out };
    out.lifecycle = lifecycle(view, &instants, &answers);
    for count in view.counts_of(last).into_iter().zip(view.all()) {
        let (count, named) = count;
        let members = bits(last, named);
        let about = count.about;
        out.segments.push(page::Segment {
            id: count.id,
            name: text(&about.name),
            group: count.group.as_ref().map(text).unwrap_or_default(),
            needs: needs::words(&count.needs),
            goal: text(&about.goal),
            treatment: text(&about.treatment),
            customers: count.customers,
            revenue: Some(members.iter().map(|n| own.net[n]).sum()),
            history: answers.iter().map(|a| bits(a, named).count() as u64).collect(),
        });
    }
    out.overlap = overlap(view, now, last);
    out.sufficiency = Some(said(view, sufficiency(view, at)));
    out.warnings.extend(view.left_out().map(|l| {
        let (n, of, from) = (page::words::count(l.events), page::words::count(l.of), zone.date(l.from));
        Text::new(
            format!("보존 정책 '{}'에 따라 {from} 전의 이벤트 {n}건(전체 {of}건 중)을 제외했습니다.", l.policy),
            format!("The policy '{}' leaves out {n} of {of} events, those before {from}.", l.policy),
        )
    }));
    out
}

/// What the report measures for itself, for everybody at one instant.
struct Own {
    state: State,
    orders: Vec<u64>,
    net: Vec<f64>,
    /// Scores, 0 where there is none.
    scores: [Vec<u8>; 3],
}

/// Orders less refunds of each customer up to an instant, by number.
pub(crate) fn net(view: &View, at: Instant) -> Vec<f64> {
    Own::new(view, at).net
}

impl Own {
    fn new(view: &View, at: Instant) -> Own {
        let zone = format!("{OWN}zone: {}\n", view.zone().name());
        let (library, _) = gyul_segment::load(&[("report".into(), zone)], None);
        let plan = Plan::compile(&library, &view.data().streams);
        let state = view.timelines.run(&plan, at);
        let columns = view.timelines.values(&plan, &plan.measures, &state);
        let number = |i: usize| {
            let mut out = vec![Decimal::ZERO; view.timelines.numbers()];
            for (n, v) in columns.get(i).into_iter().flat_map(|c| &c.values) {
                if let Some(Value::Num(d)) = v {
                    out[*n] = *d;
                }
            }
            out
        };
        let whole = |i: usize| number(i).into_iter().map(|d| d.to_f64() as u64).collect::<Vec<u64>>();
        let score = |i: usize| whole(i).into_iter().map(|s| s.min(5) as u8).collect();
        Own {
            orders: whole(0),
            net: number(2).into_iter().map(Decimal::to_f64).collect(),
            scores: [score(3), score(4), score(5)],
            state,
        }
    }

    fn totals(&self) -> page::Totals {
        let mut spend: Vec<f64> = self.buyers().map(|n| self.net[n]).collect();
        spend.sort_by(|a, b| b.total_cmp(a));
        let revenue: f64 = self.net.iter().sum();
        let top: f64 = spend.iter().take(spend.len().div_ceil(10)).sum();
        page::Totals {
            customers: self.state.answers.population.count() as u64,
            buyers: spend.len() as u64,
            repeat_buyers: self.orders.iter().filter(|n| **n >= 2).count() as u64,
            orders: self.orders.iter().sum(),
            revenue,
            top10_share: (revenue > 0.0).then(|| top / revenue),
        }
    }

    fn buyers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.orders.len()).filter(|n| self.orders[*n] > 0)
    }

    fn rfm(&self, view: &View) -> Option<page::Rfm> {
        let mut out = page::Rfm::default();
        let mut m_sums = [[0_u64; 5]; 5];
        // The class that most of a cell's customers are in, if the definitions have such a partition.
        let classes = view.library.partitions.iter().position(|p| p.id == "rfm");
        let answers = classes.map(|_| view.timelines.evaluate(view.plan(), self.state.answers.at));
        let mut names: BTreeMap<(usize, usize, usize), u64> = BTreeMap::new();
        for n in self.buyers() {
            let [r, f, m] = [0, 1, 2].map(|i| usize::from(self.scores[i][n]));
            if r == 0 || f == 0 {
                continue;
            }
            let cell = &mut out.cells[f - 1][r - 1];
            cell.customers += 1;
            cell.revenue += self.net[n];
            m_sums[f - 1][r - 1] += m as u64;
            if let (Some(p), Some(a)) = (classes, &answers)
                && let Some(k) = a.partitions[p].iter().position(|c| c.has(n))
            {
                *names.entry((f - 1, r - 1, k)).or_default() += 1;
            }
        }
        for (f, (row, sums)) in out.cells.iter_mut().zip(m_sums).enumerate() {
            for (r, (cell, sum)) in row.iter_mut().zip(sums).enumerate() {
                cell.m_mean = (cell.customers > 0).then(|| sum as f64 / cell.customers as f64);
                let here = names.iter().filter(|((cf, cr, _), _)| (*cf, *cr) == (f, r));
                if let (Some(p), Some(((_, _, k), _))) = (classes, here.max_by_key(|(_, n)| **n)) {
                    cell.class = class_name(&view.library.partitions[p], *k);
                }
            }
        }
        self.buyers().next().map(|_| out)
    }
}

fn months(view: &View, at: Instant) -> Vec<page::Month> {
    let zone = view.zone();
    let mut orders: BTreeMap<Date, u64> = BTreeMap::new();
    // Exact mantissas by month and scale: the sum does not depend on the order of adding.
    let mut sums: BTreeMap<(Date, u8), i128> = BTreeMap::new();
    for (s, info) in view.data().streams.iter().enumerate() {
        let sign = match info.name.as_str() {
            names::ORDER => 1,
            names::REFUND => -1,
            _ => continue,
        };
        let total = info.columns.iter().position(|c| c.name == "total");
        for stream in view.data().buckets.iter().map(|b| &b.streams[s]) {
            for i in (0..stream.ts.len()).filter(|i| stream.ts[*i] <= at.0) {
                let month = zone.date(Instant(stream.ts[i])).period_start(Period::Month, 0);
                *orders.entry(month).or_default() += u64::from(sign > 0);
                let value = total.and_then(|c| info.columns[c].value(&stream.columns[c], i));
                if let Some(Value::Num(d)) = value {
                    *sums.entry((month, d.scale())).or_default() += sign * i128::from(d.mantissa());
                }
            }
        }
    }
    let (Some(first), Some(last)) = (orders.keys().next().copied(), orders.keys().next_back().copied()) else {
        return vec![];
    };
    let mut out = vec![];
    let mut month = first;
    while month <= last && out.len() < 1_200 {
        let of_month = sums.range((month, 0)..=(month, u8::MAX));
        let revenue = of_month.map(|((_, scale), m)| *m as f64 / 10_f64.powi(i32::from(*scale))).sum();
        out.push(page::Month { month, orders: orders.get(&month).copied().unwrap_or(0), revenue });
        month = month.period_start(Period::Month, -1);
    }
    out
}

/// The last moment of each month of the data before `at`, and `at`.
fn month_ends(view: &View, at: Instant) -> Vec<Instant> {
    let zone = view.zone();
    let Some((from, _)) = view.period() else { return vec![at] };
    let first = zone.midnight(zone.date(from).period_start(Period::Month, -1));
    let mut out = view.instants(first, at.max(first), Duration::Months(1));
    let end = out.len() - 1;
    // Midnight belongs to the next day.
    out[..end].iter_mut().for_each(|t| t.0 -= 1);
    out[end] = at;
    out.retain(|t| *t <= at);
    out.dedup();
    let skip = out.len().saturating_sub(MONTHS_MAX);
    out.split_off(skip)
}

fn lifecycle(view: &View, instants: &[Instant], answers: &[Answers]) -> Option<page::Lifecycle> {
    let p = view.library.partitions.iter().position(|p| p.id == "lifecycle")?;
    let partition = &view.library.partitions[p];
    let zone = view.zone();
    let series = instants
        .iter()
        .zip(answers)
        .map(|(t, a)| (zone.date(*t), a.partitions[p].iter().map(|c| c.count() as u64).collect()));
    // Three months ago, or as far back as there is.
    let flow = (answers.len() >= 2).then(|| {
        let last = answers.len() - 1;
        let before = last.saturating_sub(3);
        let (from, to) = (&answers[before].partitions[p], &answers[last].partitions[p]);
        let moves = from.iter().map(|f| to.iter().map(|t| f.overlap(t) as u64).collect()).collect();
        let joined = to.iter().map(|t| (t.count() - t.overlap(&answers[before].population)) as u64).collect();
        page::Flow { from: zone.date(instants[before]), to: zone.date(instants[last]), moves, joined }
    });
    Some(page::Lifecycle {
        classes: (0..=partition.classes.len()).map(|k| class_name(partition, k)).collect(),
        series: series.collect(),
        flow,
    })
}

/// The largest segments that are not nearly everybody.
fn overlap(view: &View, everybody: &Answers, answers: &Answers) -> Option<page::Overlap> {
    let seen = needs::Seen::of(view.data());
    let most = everybody.population.count() * 9 / 10;
    let mut sizes: Vec<(usize, Named)> = (0..view.library.segments.len())
        .map(|i| (answers.segments[i].count(), Named::Segment(i)))
        .filter(|(n, named)| *n > 0 && *n <= most && seen.needs(&view.library, *named).is_empty())
        .collect();
    sizes.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    sizes.truncate(OVERLAP_MAX);
    let named: Vec<Named> = sizes.into_iter().map(|(_, n)| n).collect();
    let names = named.iter().map(|n| name_of(view, *n)).collect();
    (named.len() >= 2).then(|| page::Overlap { names, both: view.overlap_of(&named, answers).both })
}

fn said(view: &View, s: Sufficiency) -> page::Sufficiency {
    let share = |n: u64| if s.customers == 0 { 0.0 } else { n as f64 / s.customers as f64 };
    let known = s.traits.iter().map(|(name, n)| page::Known { what: called(name), share: share(*n) });
    let missing = s.missing.iter().map(|m| page::Missing { what: m.lack.words(), segments: names_of(view, m) });
    page::Sufficiency {
        months: s.months,
        orders_per_buyer: s.orders_per_buyer,
        stale_days: s.stale_days.and_then(|d| i32::try_from(d).ok()),
        known: known.collect(),
        missing: missing.collect(),
    }
}

fn names_of(view: &View, m: &Missing) -> Vec<Text> {
    let mut out: Vec<Text> = vec![];
    for id in &m.definitions {
        // Of a partition all classes look at the same: one name is enough.
        let group = id.split_once('/').and_then(|(p, _)| view.library.partitions.iter().find(|d| d.id == p));
        let name = match (group, view.find(id)) {
            (Some(p), _) => name_or(&p.about.name, &p.id),
            (None, Ok(named)) => name_of(view, named),
            (None, Err(_)) => Text::same(id.clone()),
        };
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

fn name_of(view: &View, named: Named) -> Text {
    let (id, about, _) = view.describe(named);
    name_or(&about.name, &id)
}

fn class_name(p: &Partition, k: usize) -> Text {
    match p.classes.get(k) {
        Some(c) => name_or(&c.about.name, &c.id),
        None => name_or(&p.otherwise.about.name, &p.otherwise.id),
    }
}

fn name_or(name: &Words, id: &str) -> Text {
    let name = text(name);
    if name.is_empty() { Text::same(id) } else { name }
}

fn text(words: &Words) -> Text {
    Text::new(words.ko.clone().unwrap_or_default(), words.en.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use gyul_model::Lang;

    #[test]
    fn what_the_report_measures_for_itself_is_well_defined() {
        let (library, problems) = gyul_segment::load(&[("report".into(), super::OWN.into())], None);
        let said: Vec<String> = problems.iter().map(|p| p.render(Lang::En)).collect();
        assert_eq!(said.concat(), "");
        assert_eq!(library.measures.len(), 6);
    }
}
