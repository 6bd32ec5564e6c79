use super::{Config, Rng};
use gyul_model::{Date, Decimal, Event, Instant, MICROS_DAY, MICROS_HOUR, Timeline, Value, names};
use gyul_segment::tree::Library;

/// Days around which everything happens: month ends, leap days, clock changes, Chuseok, New Year.
const STAGES: &[(i16, i8, i8)] =
    &[(2024, 2, 28), (2023, 2, 28), (2024, 3, 10), (2024, 11, 3), (2024, 9, 16), (2024, 12, 31), (2025, 3, 30)];
pub(super) const CATEGORIES: &[&str] = &["tea", "cup", "tea-green"];
pub(super) const PRODUCTS: &[&str] = &["p1", "p2", "p3"];
pub(super) const CHANNELS: &[&str] = &["web", "app"];
pub(super) const REGIONS: &[&str] = &["KR-11", "KR-11-680", "KR-26", "US-NY"];
pub(super) const GENDERS: &[&str] = &["female", "male"];
pub(super) const TAGS: &[&str] = &["gold", "new", "tea"];
const BIRTHS: &[&str] = &["2000-02-29", "1990-03-01", "1994-12-31", "no date", "2030-01-01"];
/// Durations that definitions and timelines have in common, so that events fall on the ends of windows.
pub(super) const SPANS: &[i64] =
    &[1_000_000, MICROS_HOUR, 5 * MICROS_HOUR, MICROS_DAY, 2 * MICROS_DAY, 7 * MICROS_DAY, 30 * MICROS_DAY];

/// So many customers, some without events. `seq` follows arrival, which is often later than `ts` says.
pub fn timelines(rng: &mut Rng, n: usize) -> Vec<Timeline> {
    timelines_with(rng, n, &Config::default())
}

pub fn timelines_with(rng: &mut Rng, n: usize, config: &Config) -> Vec<Timeline> {
    let (y, m, d) = rng.choose(STAGES);
    let stage = i64::from(Date::new(y, m, d).map_or(0, |d| d.0)) * MICROS_DAY;
    // Arrival numbers of all events of the case, in random order.
    let counts: Vec<usize> = (0..n).map(|_| if rng.percent(8) { 0 } else { rng.below(config.events + 1) }).collect();
    let mut seqs: Vec<u64> = (0..counts.iter().sum::<usize>() as u64).collect();
    if rng.percent(50) {
        for i in (1..seqs.len()).rev() {
            seqs.swap(i, rng.below(i + 1));
        }
    }
    let mut out = vec![];
    for (c, count) in counts.into_iter().enumerate() {
        let mut events: Vec<Event> = vec![];
        for _ in 0..count {
            let seq = seqs.pop().unwrap_or(0);
            let ts = match events.last() {
                // Ties, and spans that windows end on.
                Some(last) if rng.percent(15) => last.ts,
                Some(last) if rng.percent(20) && last.ts > Instant::ALWAYS => {
                    Instant(last.ts.0 + rng.choose(SPANS) + rng.between(-1, 1))
                }
                _ => Instant(moment(rng, stage)),
            };
            let mut event = event(rng, ts, seq);
            if event.name == names::IDENTIFY && rng.percent(40) {
                event.ts = Instant::ALWAYS;
            } else if event.ts == Instant::ALWAYS {
                event.ts = Instant(moment(rng, stage));
            }
            events.push(event);
        }
        out.push(Timeline::new(format!("c{c}"), events));
    }
    out
}

/// A moment near the stage: on midnights of several zones, a microsecond beside them, or anywhere.
fn moment(rng: &mut Rng, stage: i64) -> i64 {
    let days = if rng.percent(70) { rng.between(-3, 3) } else { rng.between(-400, 40) };
    let hour = if rng.percent(60) { rng.choose(&[0, 4, 5, 6, 7, 15, 22, 23]) } else { rng.between(0, 23) };
    let beside = if rng.percent(50) { 0 } else { rng.choose(&[-1, 1, 1_800_000_000]) };
    stage + days * MICROS_DAY + hour * MICROS_HOUR + beside
}

fn event(rng: &mut Rng, ts: Instant, seq: u64) -> Event {
    let mut props = vec![];
    let mut maybe = |rng: &mut Rng, name: &str, percent: usize, value: &dyn Fn(&mut Rng) -> Value| {
        if rng.percent(percent) {
            let value = value(rng);
            props.push((name.to_string(), value));
        }
    };
    let text = |list: &'static [&'static str]| move |rng: &mut Rng| Value::text(rng.pick(list));
    let money = |rng: &mut Rng| Value::Num(Decimal::new(rng.between(-2, 20) * 25, rng.choose(&[0, 1, 2])));
    let small = |rng: &mut Rng| Value::from(rng.between(0, 4));
    let flag = |rng: &mut Rng| Value::Bool(rng.percent(50));
    let list = |rng: &mut Rng| Value::List(vec![rng.pick(TAGS).to_string(), rng.pick(TAGS).to_string()]);
    let soon = |rng: &mut Rng| Value::Instant(Instant(ts.0.max(0) + rng.choose(SPANS)));
    let name =
        rng.pick(&[names::ORDER, names::ORDER, names::ITEM, names::VIEW, names::VIEW, names::SENT, names::IDENTIFY]);
    match name {
        names::ORDER => {
            maybe(rng, "total", 85, &money);
            maybe(rng, "quantity", 70, &small);
            maybe(rng, "channel", 70, &text(CHANNELS));
            maybe(rng, "gift", 50, &flag);
            maybe(rng, "labels", 30, &list);
            maybe(rng, "ship_by", 40, &soon);
        }
        names::ITEM | names::VIEW => {
            maybe(rng, "product_id", 85, &text(PRODUCTS));
            maybe(rng, "category", 70, &text(CATEGORIES));
            maybe(rng, "price", 70, &money);
        }
        names::SENT => maybe(rng, "channel", 80, &text(CHANNELS)),
        _ => {
            maybe(rng, "gender", 40, &text(GENDERS));
            maybe(rng, "region", 40, &text(REGIONS));
            maybe(rng, "birth_date", 30, &text(BIRTHS));
            maybe(rng, "age", 20, &|rng| Value::from(rng.between(23, 36)));
            maybe(rng, "points", 40, &money);
            maybe(rng, "consent.email", 40, &flag);
            maybe(rng, "tags", 30, &list);
            // Around the stage, so that windows that open at it hold some events and not others.
            maybe(rng, "joined", 30, &|rng| {
                Value::Instant(Instant(moment(rng, (ts.0.max(0) / MICROS_DAY) * MICROS_DAY)))
            });
        }
    }
    Event { ts, seq, name: name.to_string(), props }
}

/// An instant at which something may change: exactly at an event, when one leaves a window, a microsecond beside,
/// or at the end of a local period.
pub fn instant(rng: &mut Rng, timelines: &[Timeline], library: &Library) -> Instant {
    let all: Vec<i64> =
        timelines.iter().flat_map(|t| &t.events).filter(|e| e.ts > Instant::ALWAYS).map(|e| e.ts.0).collect();
    if all.is_empty() {
        return Instant(1_700_000_000_000_000 + rng.between(0, 400) * MICROS_DAY);
    }
    let last = all.iter().copied().max().unwrap_or(0);
    // Mostly late enough to see something.
    let near = if rng.percent(40) { last } else { rng.choose(&all) };
    let beside = rng.choose(&[0, 0, 1, -1]);
    match rng.below(6) {
        0 | 1 => Instant(near + beside),
        2 | 3 => Instant(near + rng.choose(SPANS) + beside),
        4 => {
            let day = library.zone.date(Instant(near));
            Instant(library.zone.midnight(Date(day.0 + rng.between(0, 2) as i32)).0 + beside)
        }
        _ => Instant(near + rng.between(0, 5 * MICROS_DAY)),
    }
}
