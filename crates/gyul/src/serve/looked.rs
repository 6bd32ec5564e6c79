//! What takes a look at everything: counted anew once a minute, whoever asks.

use super::{Live, lock};
use gyul_engine::needs::Lack;
use gyul_engine::{View, sufficiency};
use gyul_model::{Date, Instant, names};
use gyul_web::data::{DayVolume, Enough, LeftOut, MissingWord};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const AGE: Duration = Duration::from_secs(60);
/// Days of which events are counted.
const DAYS: i64 = 90;
/// Customers that were seen last.
const LATEST: usize = 50;

pub(super) struct Looked {
    made: std::time::Instant,
    pub enough: Enough,
    days: BTreeMap<i64, u64>,
    /// Ids, the latest first.
    pub latest: Vec<String>,
}

impl Live {
    pub(super) fn looked(&self) -> Arc<Looked> {
        let mut kept = lock(&self.looked);
        if let Some(looked) = kept.as_ref().filter(|l| l.made.elapsed() < AGE) {
            return looked.clone();
        }
        let (view, now) = (self.view(), self.hub.now());
        let (days, latest) = seen(&view, now);
        let made = std::time::Instant::now();
        let looked = Arc::new(Looked { made, enough: enough(&view, now), days, latest });
        *kept = Some(looked.clone());
        looked
    }

    pub(super) fn by_day(&self, days: u32) -> Vec<DayVolume> {
        let looked = self.looked();
        let today = i64::from(self.hub.world().live.library().zone.date(self.hub.now()).0);
        let from = today - i64::from(days).clamp(1, DAYS) + 1;
        let day = |d: i64| DayVolume {
            day: Date(d as i32).to_string(),
            events: looked.days.get(&d).copied().unwrap_or_default(),
        };
        (from..=today).map(day).collect()
    }
}

fn enough(view: &View, now: Instant) -> Enough {
    let s = sufficiency(view, now);
    let missing = s.missing.into_iter();
    let missing = missing.map(|m| {
        let (name, property, is_trait) = match m.lack {
            Lack::Event(name) => (name, None, false),
            Lack::Property(event, name) => (event, Some(name), false),
            Lack::Trait(name) => (name, None, true),
        };
        MissingWord { name, property, is_trait, definitions: m.definitions }
    });
    Enough {
        customers: s.customers,
        buyers: s.buyers,
        orders: s.orders,
        events: s.events,
        months: s.months,
        orders_per_buyer: s.orders_per_buyer,
        stale_days: s.stale_days,
        last_order: s.last_order,
        traits: s.traits,
        missing: missing.collect(),
        left_out: s.left_out.map(|l| LeftOut { policy: l.policy, from: l.from, events: l.events, of: l.of }),
    }
}

/// Events by local day, and who was seen last.
fn seen(view: &View, now: Instant) -> (BTreeMap<i64, u64>, Vec<String>) {
    let (data, zone) = (view.data(), view.zone());
    let today = i64::from(zone.date(now).0);
    // Midnights: a day is found without asking the calendar for each event.
    let midnights: Vec<i64> = (0..=DAYS).map(|d| zone.midnight(Date((today - DAYS + 1 + d) as i32)).0).collect();
    let mut counts = vec![0u64; midnights.len()];
    let mut latest: BTreeMap<(i64, usize, usize), ()> = BTreeMap::new();
    for (b, bucket) in data.buckets.iter().enumerate() {
        let mut last = vec![i64::MIN; bucket.customers.len()];
        for (s, info) in data.streams.iter().enumerate() {
            let stream = &bucket.streams[s];
            for c in view.timelines().present(b) {
                let last = &mut last[c];
                let rows = stream.rows(c);
                let own = stream.ts[rows.clone()].iter().rev().find(|t| **t <= now.0);
                *last = own.copied().unwrap_or(i64::MIN).max(*last);
                if info.name == names::IDENTIFY {
                    continue;
                }
                for t in stream.ts[rows].iter().rev().take_while(|t| **t >= midnights[0]).filter(|t| **t <= now.0) {
                    counts[midnights.partition_point(|m| m <= t) - 1] += 1;
                }
            }
        }
        for (c, t) in last.into_iter().enumerate().filter(|(_, t)| *t > Instant::ALWAYS.0) {
            let full = latest.len() >= LATEST;
            if full && latest.first_key_value().is_some_and(|((least, ..), ())| t <= *least) {
                continue;
            }
            latest.insert((t, b, c), ());
            if full {
                latest.pop_first();
            }
        }
    }
    let days = counts.into_iter().enumerate().map(|(i, n)| (today - DAYS + 1 + i as i64, n)).collect();
    let id = |(_, b, c): &(i64, usize, usize)| data.buckets[*b].customers.get(*c).map(str::to_string);
    (days, latest.keys().rev().filter_map(id).collect())
}
