//! The Online Retail data, all of it: every row accounted for, and RFM as pandas counts it.
//! The numbers were made by bench/rfm_pandas.py and stand in bench/expected/online_retail_rfm.json.

use gyul_engine::{FileInput, Request, View, import};
use gyul_ingest::{Kind, Mapping};
use gyul_model::{Instant, Zone};
use std::path::Path;

const FILE: &[u8] = include_bytes!("../../../datasets/online-retail/online_retail.csv.zst");
const EXPECTED: &str = include_str!("../../../bench/expected/online_retail_rfm.json");

const MAP: &str = "kind: orders\nrows: lines\nzone: Europe/London\ncurrency: GBP\ncolumns:\n  customer: CustomerID\n  \
    time: {column: InvoiceDate, format: ymd}\n  order: InvoiceNo\n  product: StockCode\n  name: Description\n  \
    quantity: Quantity\n  price: UnitPrice\ncancel:\n  prefix: C\ntraits:\n  country: Country\n";

const DEFINITIONS: &str = "
version: 1
zone: Europe/London
measures:
  spend: sum(order.total)
  r: quintile(last(order.ts)) among (count(order) >= 1)
  f: quintile(count(order)) among (count(order) >= 1)
  m: quintile(spend) among (count(order) >= 1)
segments:
  - { id: buyers, when: count(order) >= 1 }
  - { id: refunds_only, when: count(order) = 0 and count(refund) >= 1 }
  - { id: one_order, when: count(order) = 1 }
  - { id: champions, when: r >= 4 and f >= 4 and m >= 4 }
  - { id: best, when: r = 5 and f = 5 and m = 5 }
  - { id: lost, when: r = 1 and f = 1 and m = 1 }
";

fn request() -> Request<'static> {
    Request {
        input: FileInput::Bytes("online_retail.csv.zst", FILE),
        kind: Kind::Orders,
        mapping: Some(Mapping::from_yaml(MAP).unwrap()),
        encoding: None,
        zone: Zone::new("Europe/London").unwrap(),
        currency: "GBP".into(),
        now: Instant::parse_rfc3339("2026-11-23T00:00:00Z").unwrap(),
        dry_run: false,
        numbers: None,
    }
}

fn view(dir: &Path, extra: &str) -> View {
    let (library, problems) = gyul_segment::load(&[("test".into(), format!("{DEFINITIONS}{extra}"))], None);
    assert!(problems.is_empty(), "{problems:?}");
    View::new(gyul_engine::Engine::open(dir).unwrap().load(None).unwrap(), library)
}

#[test]
fn rfm_on_real_data_is_what_pandas_counts_and_a_second_import_changes_nothing() {
    let expected: serde_json::Value = serde_json::from_str(EXPECTED).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let first = import(dir.path(), request(), &mut |_| {}).unwrap();
    assert_eq!(first.rows, 541_909);
    assert_eq!(first.rows, first.events + first.duplicates + first.rejected_total());
    assert_eq!(first.rejected_total(), expected["rows"]["without_customer"].as_u64().unwrap());
    // pandas compares every cell; of two lines sold twice in one order, the description alone differs.
    assert_eq!(first.duplicates, expected["rows"]["repeated_with_customer"].as_u64().unwrap());

    let mut cells = String::from("");
    for r in 1..=5 {
        for f in 1..=5 {
            cells += &format!("  - {{ id: cell_{r}{f}, when: r = {r} and f = {f} }}\n");
        }
    }
    let view = view(dir.path(), &cells);
    let at = view.period().unwrap().1;
    let counts = view.counts(at);
    let count = |id: &str| counts.iter().find(|c| c.id == id).unwrap().customers;
    let number = |v: &serde_json::Value| v.as_u64().unwrap();
    assert_eq!(counts[0].population, number(&expected["customers"]));
    assert_eq!(count("buyers"), number(&expected["customers_with_an_order"]));
    assert_eq!(count("refunds_only"), number(&expected["customers_with_refunds_only"]));
    assert_eq!(count("one_order"), number(&expected["one_time_buyers"]));
    let rfm = &expected["rfm_all"];
    assert_eq!(count("champions"), number(&rfm["champions_R4_F4_M4"]["customers"]));
    assert_eq!(count("best"), number(&rfm["R5_F5_M5"]));
    assert_eq!(count("lost"), number(&rfm["lost_R1_F1_M1"]));
    for (cell, n) in rfm["R_x_F"].as_object().unwrap() {
        assert_eq!(count(&format!("cell_{cell}")), number(n), "R{cell}F");
    }
    let ids = view.members("champions", at).unwrap();
    let sum: u64 = ids.iter().map(|id| id.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, number(&rfm["champions_R4_F4_M4"]["customer_id_sum"]));

    // Why agrees with who: the reference evaluator explains what the fast one found.
    for id in ids.iter().take(5).map(String::as_str).chain(["12346"]) {
        let why = view.why("champions", id, at).unwrap().why;
        assert_eq!(why.verdict, ids.iter().any(|i| i == id), "{id}");
        assert!(why.condition.iter().all(|c| c.verdict == why.verdict));
    }

    let again = import(dir.path(), request(), &mut |_| {}).unwrap();
    assert_eq!((again.events, again.duplicates), (0, first.events + first.duplicates));
    assert_eq!(again.rejected, first.rejected);
    assert!(again.unchanged);
    assert_eq!(view.counts(at), self::view(dir.path(), &cells).counts(at));
}
