use super::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

type Store = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;

struct Sink(Store, String);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shop(options: &Options) -> (Counts, BTreeMap<String, String>) {
    let store = Store::default();
    let counts = generate(options, &mut |name| Ok(Box::new(Sink(store.clone(), name.into())))).unwrap();
    let files = store.borrow().iter().map(|(n, b)| (n.clone(), String::from_utf8(b.clone()).unwrap())).collect();
    (counts, files)
}

fn dirty(customers: usize, share: f64) -> Options {
    Options { dirty: share, ..Options::new(customers, 24, 7, Date(20_758)) }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let options = dirty(120, 0.05);
    assert_eq!(shop(&options), shop(&options));
    assert_ne!(shop(&options).1, shop(&Options { seed: 8, ..options.clone() }).1);
    assert_ne!(shop(&options).1, shop(&Options { end: Date(20_759), ..options }).1);
}

#[test]
fn a_larger_shop_begins_with_the_customers_of_a_smaller_one() {
    let (small, large) = (shop(&dirty(50, 0.0)).1, shop(&dirty(80, 0.0)).1);
    for file in ["profiles.csv", "orders.csv", "events.jsonl", "truth.csv"] {
        assert!(large[file].starts_with(&small[file]), "{file}");
    }
}

#[test]
fn the_counts_are_those_of_the_files() {
    let (counts, files) = shop(&dirty(400, 0.03));
    let rows = |name: &str| files[name].lines().count();
    assert_eq!(rows("profiles.csv"), counts.customers + 1);
    assert_eq!(rows("truth.csv"), counts.customers + 1);
    assert_eq!(rows("orders.csv"), counts.order_rows + 1);
    assert_eq!(rows("events.jsonl"), counts.events);
    let lines: Vec<&str> = files["orders.csv"].lines().skip(1).collect();
    assert_eq!(lines.windows(2).filter(|w| w[0] == w[1]).count(), counts.repeated);
    let is_wrong = |l: &&&str| l.contains("-13-32") || l.contains(",,P") || l.contains("미정");
    assert_eq!(lines.iter().filter(is_wrong).count(), counts.wrong);
    assert_eq!(lines.iter().filter(|l| l.split(',').nth(1).is_some_and(|at| at.contains('.'))).count(), counts.redated);
    let width = files["orders.csv"].lines().next().unwrap().split(',').count();
    assert!(lines.iter().all(|l| l.split(',').count() == width));
    assert!(counts.repeated > 0 && counts.wrong > 0 && counts.redated > 0 && counts.refunds > 0);
    // Each order has a number of its own.
    let numbers: BTreeSet<&str> = lines.iter().map(|l| l.split(',').next().unwrap()).collect();
    let (clean, _) = shop(&dirty(400, 0.0));
    assert_eq!(clean.orders, counts.orders);
    assert_eq!(numbers.len(), counts.orders);
}

#[test]
fn nothing_happens_outside_the_period_and_profiles_are_whole() {
    let (_, files) = shop(&dirty(300, 0.0));
    for line in files["orders.csv"].lines().skip(1) {
        let at = line.split(',').nth(1).unwrap();
        assert!(("2024-11-01".."2026-11-01").contains(&at), "{at}");
    }
    for line in files["events.jsonl"].lines() {
        let at = line.split("\"timestamp\":\"").nth(1).unwrap();
        assert!(("2024-11-01".."2026-11-01").contains(&&at[..10]), "{at}");
    }
    assert!(files["profiles.csv"].starts_with('\u{feff}'));
    assert!(files["profiles.csv"].lines().all(|l| l.split(',').count() == 17));
}

#[test]
fn the_truth_agrees_with_what_the_shop_sees() {
    let (counts, files) = shop(&dirty(3000, 0.0));
    let mut orders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in files["orders.csv"].lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        orders.entry(cells[2]).or_default().insert(cells[0]);
    }
    let (mut seen, mut alive, mut expected) = (0, 0, 0.0);
    for line in files["truth.csv"].lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let n = orders.get(cells[0]).map_or(0, BTreeSet::len);
        assert_eq!(cells[7].parse::<usize>().unwrap(), n);
        assert_eq!(cells[2] == "never_bought", n == 0);
        assert_eq!(cells[5] == "0", !cells[6].is_empty());
        assert!(cells[5] == "1" || cells[8] == "0.000000");
        seen += n;
        alive += usize::from(cells[5] == "1");
        expected += cells[8].parse::<f64>().unwrap();
    }
    assert_eq!(seen, counts.orders);
    assert!((0.5..0.95).contains(&(alive as f64 / 3000.0)), "{alive}");
    // The last quarter of orders is of the size that the model expects of the next.
    let recent: BTreeSet<&str> = files["orders.csv"]
        .lines()
        .skip(1)
        .map(|l| l.split(',').next().unwrap())
        .filter(|number| ("20260803".."20261101").contains(&&number[..8]))
        .collect();
    let ratio = recent.len() as f64 / expected;
    assert!((0.6..1.6).contains(&ratio), "{} orders, {expected} expected", recent.len());
}
