//! Laws of the data directory: what goes in comes out, nothing twice, nothing lost, whatever is interrupted.

use gyul_model::{
    Column, Decimal, Instant, MICROS_DAY, Snapshot, StreamBatch, TextColumn, Timeline, Value, hash64, names,
};
use gyul_store::{Import, Needs, Origin, Rejected, Store, Summary, quarantined};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const NOW: Instant = Instant(1_800_000_000_000_000);

/// A folder of its own for each test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("gyul-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn texts(list: &[Option<&str>]) -> TextColumn {
    let mut t = TextColumn::default();
    list.iter().for_each(|x| t.push(*x));
    t
}

fn origin(name: &str) -> Origin<'_> {
    Origin { name, fingerprint: 1, kind: "orders", header: "a,b" }
}

/// One line or refund: customer, order, product, day, quantity, price in hundredths.
type Line<'a> = (&'a str, &'a str, &'a str, i64, i64, i64);

fn lines(name: &str, key: &str, rows: &[Line]) -> StreamBatch {
    let text = |f: fn(&Line) -> String| {
        let mut t = TextColumn::default();
        rows.iter().for_each(|r| t.push(Some(&f(r))));
        t
    };
    StreamBatch {
        seq: vec![],
        name: name.into(),
        customer: text(|r| r.0.into()),
        ts: rows.iter().map(|r| r.3 * MICROS_DAY).collect(),
        id: rows.iter().map(|r| hash64(format!("{r:?}").as_bytes())).collect(),
        row: (1..=rows.len() as u64).collect(),
        props: vec![
            (key.into(), Column::Text(text(|r| r.1.into()))),
            ("product_id".into(), Column::Text(text(|r| r.2.into()))),
            ("quantity".into(), Column::Num { scale: 0, mantissas: rows.iter().map(|r| r.4).collect() }),
            ("price".into(), Column::Num { scale: 2, mantissas: rows.iter().map(|r| r.5).collect() }),
        ],
    }
}

fn import(dir: &Path, source: &str, batches: &[StreamBatch]) -> Summary {
    let mut i = Import::begin(dir, "Asia/Seoul", "KRW", &origin(source), NOW).unwrap();
    let mut rows = 0;
    for b in batches {
        i.append(b).unwrap();
        rows += b.len() as u64;
    }
    i.commit(rows).unwrap()
}

fn timeline(s: &Snapshot, customer: &str) -> Timeline {
    let (b, c) = s.find(customer).unwrap();
    s.timeline(b, c)
}

fn decimal(t: &str) -> Value {
    Value::Num(Decimal::parse(t).unwrap())
}

/// Every file of the directory with its content.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            out.extend(contents(&path));
        } else {
            out.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    out
}

#[test]
fn lines_become_orders_and_refunds_find_their_order() {
    let f = Folder::new("orders");
    let bought = lines(
        names::ITEM,
        "order_id",
        &[
            ("kim", "A1", "pen", 10, 3, 250),
            ("kim", "A1", "ink", 10, 1, 1_010),
            ("kim", "A2", "pen", 20, 5, 300),
            ("lee", "B1", "pen", 15, 1, 250),
        ],
    );
    let back = lines(
        names::ITEM_REFUND,
        "refund_id",
        &[("kim", "C9", "pen", 30, 4, 300), ("kim", "C9", "ink", 30, 1, 1_010), ("lee", "C8", "cup", 30, 1, 100)],
    );
    let s = import(&f.0, "a.csv", &[bought, back]);
    assert_eq!((s.rows, s.events, s.duplicates, s.derived), (7, 7, 0, 5));
    let data = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let kim = timeline(&data, "kim");
    let of = |name: &str| kim.events.iter().filter(|e| e.name == name).collect::<Vec<_>>();
    let orders = of(names::ORDER);
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[0].prop("total"), Some(&decimal("17.60")));
    assert_eq!(orders[0].prop("quantity"), Some(&decimal("4")));
    assert_eq!(orders[0].prop("items"), Some(&decimal("2")));
    assert_eq!(orders[1].prop("total"), Some(&decimal("15")));
    // Four pens cannot be of A1, which had three: the latest earlier order with enough of them is A2.
    let refunds = of(names::ITEM_REFUND);
    assert_eq!(refunds[0].prop("order_id"), Some(&Value::text("A2")));
    assert_eq!(refunds[1].prop("order_id"), Some(&Value::text("A1")));
    assert_eq!(of(names::REFUND)[0].prop("total"), Some(&decimal("22.10")));
    let lee = timeline(&data, "lee");
    assert_eq!(lee.events.iter().find(|e| e.name == names::ITEM_REFUND).unwrap().prop("order_id"), None);
    assert!(lee.events.windows(2).all(|w| (w[0].ts, w[0].seq) < (w[1].ts, w[1].seq)));
}

#[test]
fn the_same_file_once_more_changes_no_byte_of_the_base() {
    let f = Folder::new("twice");
    let batch =
        lines(names::ITEM, "order_id", &[("a", "1", "p", 1, 1, 5), ("b", "2", "p", 2, 1, 5), ("a", "1", "p", 1, 1, 5)]);
    let first = import(&f.0, "a.csv", std::slice::from_ref(&batch));
    assert_eq!((first.events, first.duplicates), (2, 1));
    let base = contents(&f.0.join("base"));
    for name in ["a.csv", "other.csv"] {
        let again = import(&f.0, name, std::slice::from_ref(&batch));
        assert_eq!((again.rows, again.events, again.duplicates, again.unchanged), (3, 0, 3, true));
        assert_eq!(contents(&f.0.join("base")), base);
    }
}

#[test]
fn orders_come_together_from_several_files() {
    let f = Folder::new("files");
    import(&f.0, "a.csv", &[lines(names::ITEM, "order_id", &[("a", "1", "p", 5, 1, 100)])]);
    // A later line of the same order, with an earlier instant, and numbers of more places.
    let mut late = lines(names::ITEM, "order_id", &[("a", "1", "q", 4, 2, 1_005)]);
    late.props[3].1 = Column::Num { scale: 3, mantissas: vec![1_005] };
    import(&f.0, "b.csv", &[late]);
    let data = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let t = timeline(&data, "a");
    let orders: Vec<_> = t.events.iter().filter(|e| e.name == names::ORDER).collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].ts, Instant(4 * MICROS_DAY));
    assert_eq!(orders[0].prop("total"), Some(&decimal("3.01")));
}

#[test]
fn what_is_known_of_an_order_is_what_its_known_lines_are_worth() {
    let f = Folder::new("known");
    let at = |day: i64| Instant(day * MICROS_DAY);
    let take = |name: &str, now: Instant, batches: &[StreamBatch]| {
        let mut import = Import::begin(&f.0, "Asia/Seoul", "KRW", &origin(name), now).unwrap();
        batches.iter().for_each(|b| import.append(b).unwrap());
        import.commit(batches.iter().map(|b| b.len() as u64).sum()).unwrap();
    };
    let line = |rows| lines(names::ITEM, "order_id", rows);
    take("a", at(100), &[line(&[("a", "1", "p", 5, 1, 100), ("b", "2", "p", 5, 1, 300)])]);
    take("b", at(200), &[line(&[("a", "1", "q", 6, 1, 1_000)])]);
    let back = lines(names::ITEM_REFUND, "refund_id", &[("a", "9", "q", 7, 1, 1_000)]);
    take("c", at(300), &[back, line(&[("c", "3", "p", 5, 1, 100)])]);
    let known = |day| {
        let data = Store::open(&f.0).unwrap().load_known(at(day)).unwrap();
        let totals = |customer: &str, name: &str| {
            let t = timeline(&data, customer);
            let of = t.events.iter().filter(|e| e.name == name);
            of.map(|e| e.prop("total").unwrap().to_string()).collect::<Vec<_>>().join(" ")
        };
        let exist = data.buckets.iter().flat_map(|b| &b.exists_from).filter(|t| **t < i64::MAX).count();
        (totals("a", names::ORDER), totals("a", names::REFUND), totals("b", names::ORDER), exist)
    };
    let of = |a: &str, back: &str, b: &str, exist| (a.to_string(), back.to_string(), b.to_string(), exist);
    assert_eq!(known(99), of("", "", "", 0));
    assert_eq!(known(100), of("1", "", "3", 2));
    assert_eq!(known(200), of("11", "", "3", 2));
    assert_eq!(known(300), of("11", "10", "3", 3));
    let all = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let timelines = |d: &gyul_model::Snapshot| ["a", "b", "c"].map(|c| timeline(d, c));
    assert_eq!(timelines(&Store::open(&f.0).unwrap().load_known(at(300)).unwrap()), timelines(&all));
}

#[test]
fn an_undated_trait_takes_effect_when_it_comes_once_the_trait_has_dates() {
    let f = Folder::new("undated");
    let at = |day: i64| Instant(day * MICROS_DAY);
    let row = |ts: Instant, id: u64, city: Option<&str>, gender: Option<&str>| StreamBatch {
        seq: vec![],
        name: names::IDENTIFY.into(),
        customer: texts(&[Some("kim")]),
        ts: vec![ts.0],
        id: vec![id],
        row: vec![1],
        props: vec![("city".into(), Column::Text(texts(&[city]))), ("gender".into(), Column::Text(texts(&[gender])))],
    };
    let take = |name: &str, now: Instant, batch: StreamBatch| {
        let mut import = Import::begin(&f.0, "Asia/Seoul", "KRW", &origin(name), now).unwrap();
        import.append(&batch).unwrap();
        import.commit(1).unwrap()
    };
    let latest = |t: Instant, name: &str| {
        let kim = timeline(&Store::open(&f.0).unwrap().load(&Needs::All).unwrap(), "kim");
        kim.events.iter().rev().filter(|e| e.ts <= t).find_map(|e| e.prop(name)).map(|v| v.to_string())
    };
    let said = |day, name| latest(at(day), name).unwrap_or_default();
    let always = Instant::ALWAYS;
    take("1", at(1), row(always, 1, Some("Seoul"), None));
    take("2", at(10), row(at(10), 2, Some("Jeju"), None));
    // The city has a date, the gender has none: the one is new from here on, the other was always so.
    let s = take("3", at(20), row(always, 3, Some("Daegu"), Some("female")));
    assert_eq!((s.rows, s.events, s.duplicates), (1, 1, 0));
    assert_eq!([5, 10, 19, 20].map(|d| said(d, "city")), ["Seoul", "Jeju", "Jeju", "Daegu"]);
    assert_eq!([5, 20].map(|d| said(d, "gender")), ["female", "female"]);
    // The same row again says nothing new, whatever came in between.
    take("4", at(30), row(at(30), 4, Some("Busan"), None));
    let s = take("5", at(40), row(always, 3, Some("Daegu"), Some("female")));
    assert_eq!((s.events, s.duplicates, s.unchanged), (0, 1, true));
    assert_eq!(said(50, "city"), "Busan");
    // Alone it needs no row beside it.
    take("6", at(60), row(always, 6, Some("Ulsan"), None));
    assert_eq!([59, 60].map(|d| said(d, "city")), ["Busan", "Ulsan"]);
}

#[test]
fn kinds_that_differ_from_the_base_are_brought_to_its_kind() {
    let f = Folder::new("kinds");
    let batch = |c: Column, id: u64| StreamBatch {
        seq: vec![],
        name: "seen".into(),
        customer: texts(&[Some("a")]),
        ts: vec![id as i64],
        id: vec![id],
        row: vec![1],
        props: vec![("v".into(), c), ("tags".into(), Column::List(texts(&[Some("x\u{1f}y")])))],
    };
    import(&f.0, "1", &[batch(Column::Text(texts(&[Some("red")])), 1)]);
    import(&f.0, "2", &[batch(Column::Num { scale: 1, mantissas: vec![125] }, 2)]);
    let data = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let t = timeline(&data, "a");
    assert_eq!(t.events[0].prop("v"), Some(&Value::text("red")));
    assert_eq!(t.events[1].prop("v"), Some(&Value::text("12.5")));
    assert_eq!(t.events[1].prop("tags"), Some(&Value::List(vec!["x".into(), "y".into()])));
}

#[test]
fn what_cannot_be_brought_to_the_kind_is_unknown_and_our_own_names_are_kept_apart() {
    let f = Folder::new("conflict");
    let batch = |c: Column| StreamBatch {
        seq: vec![],
        name: "seen".into(),
        customer: texts(&[Some("a"), Some("b")]),
        ts: vec![1, 2],
        id: vec![hash64(format!("{c:?}").as_bytes()), 2],
        row: vec![1, 2],
        props: vec![("v".into(), c), ("id".into(), Column::Text(texts(&[Some("x"), Some("y")])))],
    };
    import(&f.0, "1", &[batch(Column::Num { scale: 0, mantissas: vec![7, 8] })]);
    let s = import(&f.0, "2", &[batch(Column::Text(texts(&[Some("red"), Some("8")])))]);
    assert_eq!((s.rows, s.events, s.duplicates, s.rejected.len()), (2, 1, 1, 0));
    assert_eq!(s.unfit.into_iter().collect::<Vec<_>>(), [("v".to_string(), 1)]);
    let data = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let events = timeline(&data, "a").events;
    assert_eq!(events.iter().map(|e| e.prop("v")).collect::<Vec<_>>(), [Some(&Value::Num(Decimal::new(7, 0))), None]);
    assert!(events.iter().all(|e| e.prop("id_") == Some(&Value::text("x"))));
}

#[test]
fn a_line_without_an_amount_leaves_the_total_unknown() {
    let f = Folder::new("unknown");
    let mut batch = lines(names::ITEM, "order_id", &[("a", "1", "p", 1, 2, 100), ("a", "1", "q", 1, 1, 100)]);
    batch.props[3].1 = Column::Num { scale: 2, mantissas: vec![100, i64::MIN] };
    import(&f.0, "1", &[batch]);
    let data = Store::open(&f.0).unwrap().load(&Needs::All).unwrap();
    let t = timeline(&data, "a");
    let order = t.events.iter().find(|e| e.name == names::ORDER).unwrap();
    assert_eq!((order.prop("total"), order.prop("quantity")), (None, Some(&decimal("3"))));
}

#[test]
fn undated_traits_are_always_known_and_a_part_can_be_loaded() {
    let f = Folder::new("traits");
    let traits = StreamBatch {
        seq: vec![],
        name: names::IDENTIFY.into(),
        customer: texts(&[Some("a"), Some("b")]),
        ts: vec![Instant::ALWAYS.0, 7],
        id: vec![1, 2],
        row: vec![1, 2],
        props: vec![
            ("city".into(), Column::Text(texts(&[Some("서울"), None]))),
            ("vip".into(), Column::Bool(vec![None, Some(true)])),
        ],
    };
    import(&f.0, "p", &[traits, lines(names::ITEM, "order_id", &[("a", "1", "p", 5, 1, 1)])]);
    let store = Store::open(&f.0).unwrap();
    let some = Needs::Streams(vec![(names::IDENTIFY.into(), vec!["city".into()])]);
    let data = store.load(&some).unwrap();
    assert_eq!(data.streams.len(), 1);
    let a = timeline(&data, "a");
    assert_eq!((a.events[0].ts, a.events[0].prop("city")), (Instant::ALWAYS, Some(&Value::text("서울"))));
    let (b, c) = data.find("a").unwrap();
    assert_eq!(data.buckets[b].exists_from[c], 5 * MICROS_DAY);
    assert_eq!(store.range(), Some((Instant(5 * MICROS_DAY), Instant(5 * MICROS_DAY))));
}

/// Random sources, read in pieces and interrupted at random, end as if nothing had happened.
#[test]
fn interrupted_imports_end_as_if_never_interrupted() {
    let mut x = 88_172_645_463_325_252_u64;
    let mut below = |n: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % n
    };
    for case in 0..5 {
        let rows: Vec<(String, String, i64, bool)> = (0..40 + below(60))
            .map(|_| (format!("c{}", below(9)), format!("o{}", below(20)), below(30) as i64, below(10) == 0))
            .collect();
        let whole = Folder::new(&format!("whole{case}"));
        let broken = Folder::new(&format!("broken{case}"));
        let run = |dir: &Path, stop_at: Option<usize>, limit: usize| -> Option<Summary> {
            let mut i = Import::begin(dir, "UTC", "KRW", &origin("s"), NOW).unwrap();
            i.limit_memory(limit);
            let from = i.rows_done() as usize;
            for (n, (c, o, day, bad)) in rows.iter().enumerate().skip(from) {
                if stop_at == Some(n) {
                    return None;
                }
                if *bad {
                    let row = n as u64 + 1;
                    i.reject(Rejected {
                        source: "s".into(),
                        row,
                        line: 0,
                        code: "bad".into(),
                        column: None,
                        content: o.clone(),
                    });
                } else {
                    i.append(&lines(names::ITEM, "order_id", &[(c, o, "p", *day, 1, 10)])).unwrap();
                }
                i.checkpoint(n as u64 + 1).unwrap();
            }
            Some(i.commit(rows.len() as u64).unwrap())
        };
        let want = run(&whole.0, None, usize::MAX).unwrap();
        assert_eq!(want.rows, want.events + want.duplicates + want.rejected.values().sum::<u64>());
        // An interruption behind the end is none.
        let stops = [0; 3].map(|_| Some(below(rows.len() as u64) as usize));
        let mut runs = stops.into_iter().chain([None]);
        let got = runs.find_map(|stop| run(&broken.0, stop, 2_500)).unwrap();
        assert_eq!(
            (got.events, got.duplicates, &got.rejected),
            (want.events, want.duplicates, &want.rejected),
            "case {case}"
        );
        let timelines = |dir: &Path| {
            let s = Store::open(dir).unwrap().load(&Needs::All).unwrap();
            let mut all: Vec<String> = vec![];
            for c in 0..9 {
                if let Some((b, i)) = s.find(&format!("c{c}")) {
                    let t = s.timeline(b, i);
                    let events = t.events.iter().map(|e| {
                        let mut props = e.props.clone();
                        props.sort_by(|a, b| a.0.cmp(&b.0));
                        format!("{} {} {props:?}", e.ts, e.name)
                    });
                    let mut events: Vec<String> = events.collect();
                    events.sort();
                    all.push(format!("c{c} {events:?}"));
                }
            }
            all
        };
        assert_eq!(timelines(&broken.0), timelines(&whole.0), "case {case}");
        let kept = |dir: &Path| {
            quarantined(dir)
                .unwrap()
                .iter()
                .flat_map(|q| q.rows.iter().map(|r| r.row).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(&broken.0), kept(&whole.0), "case {case}");
    }
}

#[test]
fn damage_and_rivals_are_told() {
    use gyul_store::StoreErrorKind::*;
    let f = Folder::new("damage");
    assert!(matches!(Store::open(&f.0).unwrap_err().kind, Missing));
    import(&f.0, "a", &[lines(names::ITEM, "order_id", &[("a", "1", "p", 5, 1, 1)])]);
    let running = Import::begin(&f.0, "UTC", "KRW", &origin("b"), NOW).unwrap();
    assert!(matches!(Import::begin(&f.0, "UTC", "KRW", &origin("c"), NOW).err().unwrap().kind, Locked));
    drop(running);
    for path in contents(&f.0.join("base")).into_keys() {
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    }
    assert!(matches!(Store::open(&f.0).unwrap().load(&Needs::All).unwrap_err().kind, Damaged(_)));
    let text = std::fs::read_to_string(f.0.join("gyul.json")).unwrap();
    std::fs::write(f.0.join("gyul.json"), text.replace("\"format\": 1", "\"format\": 99")).unwrap();
    assert!(matches!(Store::open(&f.0).unwrap_err().kind, Newer(99)));
}

/// Whatever a disk or an editor did to the files: an error or data, never a panic.
#[test]
fn damaged_files_are_errors_not_panics() {
    let f = Folder::new("mutated");
    import(&f.0, "a", &[lines(names::ITEM, "order_id", &[("a", "1", "p", 5, 1, 1), ("b", "2", "q", 6, 2, 3)])]);
    let whole = contents(&f.0);
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x % n as u64) as usize
    };
    let mut errors = 0;
    for (path, bytes) in whole.iter().filter(|(p, b)| !p.ends_with("lock") && !b.is_empty()) {
        for _ in 0..12 {
            let mut bad = bytes.clone();
            match below(3) {
                0 => bad.truncate(below(bytes.len())),
                1 => bad[below(bytes.len())] ^= 1 << below(8),
                _ => bad.insert(below(bytes.len()), b'\"'),
            }
            std::fs::write(path, &bad).unwrap();
            errors += usize::from(Store::open(&f.0).and_then(|s| s.load(&Needs::All)).is_err());
        }
        std::fs::write(path, bytes).unwrap();
    }
    assert!(errors > 50, "only {errors} errors");
    assert_eq!(Store::open(&f.0).unwrap().load(&Needs::All).unwrap().customers(), 2);
}
