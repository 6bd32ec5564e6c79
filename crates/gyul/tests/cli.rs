//! The binary as people and scripts meet it: output, exit codes, words in both languages, bad input.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ORDERS: &str = "\u{feff}주문번호,주문일시,회원ID,결제금액\n\
    1,2026-01-05 10:00,kim,10000\n\
    2,2026-02-05 10:00,kim,\"20,000\"\n\
    3,2026-02-06 11:00,lee,5000\n\
    3,2026-02-06 11:00,lee,5000\n\
    4,2026-02-07 11:00,,7000\n\
    5,언젠가,park,9000\n\
    6,2026-02-08 09:30,park,9000\n";

const DEFS: &str = "version: 1\nsegments:\n  - id: repeat\n    name: { ko: 재구매 고객, en: Repeat buyers }\n    \
    when: count(order) >= 2\n  - id: recent\n    when: count(order, last 10d) >= 1\npartitions:\n  - id: size\n    \
    classes:\n      - { id: big, when: sum(order.total) >= 9000 }\n    otherwise: small\n";

struct Shop {
    dir: tempfile::TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Shop {
    fn new() -> Shop {
        Shop { dir: tempfile::tempdir().unwrap() }
    }

    /// A shop with the orders above, and the definitions in `defs.yaml`.
    fn open() -> Shop {
        let shop = Shop::new();
        shop.file("orders.csv", ORDERS);
        shop.file("defs.yaml", DEFS);
        assert_eq!(shop.gyul(&["import", "orders.csv", "--as", "orders"]).code, 1);
        shop
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_gyul"));
        c.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        c.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "en_US.UTF-8");
        c
    }

    fn gyul(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().unwrap())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

fn ran(o: Output) -> Ran {
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    Ran { code: o.status.code().unwrap_or(-1), out: text(o.stdout), err: text(o.stderr) }
}

#[test]
fn import_accounts_for_every_row_and_twice_changes_nothing() {
    let shop = Shop::open();
    let again = shop.gyul(&["import", "orders.csv", "--as", "orders"]);
    assert!(again.out.contains("7 rows = 0 events + 5 duplicates + 2 rejected"), "{}", again.out);
    let info: serde_json::Value = serde_json::from_str(&shop.gyul(&["data", "info", "--format", "json"]).out).unwrap();
    assert_eq!(info["customers"], 3);
    let korean = shop.gyul(&["--lang", "ko", "import", "orders.csv", "--as", "orders", "--dry-run"]);
    assert!(korean.out.contains("7행 = 이벤트 또는 중복 5 + 거부 2"), "{}", korean.out);
}

#[test]
fn counts_are_json_of_the_contract_and_a_table_for_people() {
    let shop = Shop::open();
    let count =
        |more: &[&str]| shop.gyul(&[&["segments", "count", "-f", "defs.yaml", "--as-of", "2026-02-08"], more].concat());
    let json = count(&["--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let expected = serde_json::json!([
        {"segment": "repeat", "count": 1, "as_of": "2026-02-08T14:59:59.999999Z"},
        {"segment": "recent", "count": 3, "as_of": "2026-02-08T14:59:59.999999Z"},
        {"segment": "size/big", "count": 2, "as_of": "2026-02-08T14:59:59.999999Z"},
        {"segment": "size/small", "count": 1, "as_of": "2026-02-08T14:59:59.999999Z"},
    ]);
    assert_eq!(rows, expected);
    assert_eq!((json.code, json.err.as_str()), (0, ""));
    let table = "\
segment     name           customers   share
──────────  ─────────────  ─────────  ──────
repeat      Repeat buyers          1   33.3%
recent      recent                 3  100.0%
size/big    size · big             2   66.7%
size/small  size · small           1   33.3%
3 customers in all, as of 2026-02-08 23:59:59 (Asia/Seoul)
";
    assert_eq!(count(&[]).out, table);
    let korean = count(&["--lang", "ko"]).out;
    assert!(korean.contains("재구매 고객") && korean.contains("전체 고객 3명, 2026-02-08 23:59:59 (Asia/Seoul) 기준"));
    assert_eq!(count(&["--format", "csv"]).out.lines().next(), Some("segment,count,as_of"));
}

#[test]
fn the_past_is_as_it_was() {
    let shop = Shop::open();
    let members = |at: &str| shop.gyul(&["segments", "members", "recent", "-f", "defs.yaml", "--as-of", at]).out;
    assert_eq!(members("2026-01-05 09:59"), "customer\n");
    assert_eq!(members("2026-01-05 10:00"), "customer\nkim\n");
    assert_eq!(members("2026-01-15T00:59:59.999999Z"), "customer\nkim\n");
    assert_eq!(members("2026-01-15T01:00:00Z"), "customer\n");
    let history =
        ["segments", "history", "recent", "-f", "defs.yaml", "--as-of", "2026-02-08", "--changes", "--format", "csv"];
    let expected = "segment,at,customer,change\n\
        recent,2026-01-05T01:00:00Z,kim,entered\n\
        recent,2026-01-15T01:00:00Z,kim,left\n\
        recent,2026-02-05T01:00:00Z,kim,entered\n\
        recent,2026-02-06T02:00:00Z,lee,entered\n\
        recent,2026-02-08T00:30:00Z,park,entered\n";
    assert_eq!(shop.gyul(&history).out, expected);
    // Nothing was known before the import.
    let count = [
        "segments",
        "count",
        "-f",
        "defs.yaml",
        "--as-of",
        "2026-02-08",
        "--known-at",
        "2026-02-08",
        "--format",
        "csv",
    ];
    assert!(shop.gyul(&count).out.contains("repeat,0,"));
}

#[test]
fn why_says_the_reasons_in_both_languages_and_until_when() {
    let shop = Shop::open();
    let why = |lang: &str| {
        shop.gyul(&["--lang", lang, "segments", "why", "recent", "kim", "-f", "defs.yaml", "--as-of", "2026-02-08"]).out
    };
    let english = why("en");
    assert!(english.starts_with("✓ kim is in recent."), "{english}");
    assert!(english.ends_with("If nothing happens, leaves at 2026-02-15 10:00:00.\n"), "{english}");
    assert!(why("ko").starts_with("✓ kim 고객은 recent에 속합니다."));
    assert!(why("ko").ends_with("아무 일이 없으면 2026-02-15 10:00:00에 나갑니다.\n"));
}

#[test]
fn measures_report_and_overlap_are_written() {
    let shop = Shop::open();
    let asked = ["-f", "defs.yaml", "--as-of", "2026-02-08"];
    let run = |verb: &[&str]| shop.gyul(&[verb, &asked[..]].concat());
    assert_eq!(run(&["measures", "-o", "m.csv"]).code, 0);
    assert_eq!(shop.read("m.csv"), "customer,size\nkim,big\nlee,small\npark,big\n");
    assert_eq!(run(&["measures", "-o", "m.parquet"]).code, 0);
    assert_eq!(run(&["measures", "-o", "m.txt"]).code, 2);
    assert_eq!(run(&["report", "-o", "r.html"]).code, 0);
    let page = shop.read("r.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("재구매 고객") && page.contains("Repeat buyers"));
    let overlap = run(&["segments", "overlap", "repeat", "size/big", "--format", "json"]);
    let v: serde_json::Value = serde_json::from_str(&overlap.out).unwrap();
    assert_eq!(v["both"], serde_json::json!([[1, 1], [1, 2]]));
}

#[test]
fn rejected_rows_are_shown_exported_mended_and_taken() {
    let shop = Shop::open();
    let list: serde_json::Value =
        serde_json::from_str(&shop.gyul(&["quarantine", "list", "--format", "json"]).out).unwrap();
    let reasons: Vec<&str> = list.as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["no_customer", "time_unreadable"]);
    assert!(shop.gyul(&["quarantine", "show"]).out.contains("5,언젠가,park,9000"));
    assert_eq!(shop.gyul(&["quarantine", "export", "-o", "fix.csv"]).code, 0);
    let mended = shop.read("fix.csv").replace("언젠가", "2026-02-09 10:00").replace("11:00,,", "11:00,choi,");
    shop.file("fix.csv", mended);
    let retry = shop.gyul(&["quarantine", "retry", "1", "fix.csv"]);
    assert_eq!(retry.code, 0, "{}{}", retry.out, retry.err);
    assert!(retry.out.contains("2 rows = 2 events + 0 duplicates + 0 rejected"));
    assert_eq!(shop.gyul(&["quarantine", "list"]).out, "no rejected rows\n");
    let count = shop.gyul(&["segments", "count", "-f", "defs.yaml", "--as-of", "2026-02-09", "--format", "csv"]).out;
    assert!(count.contains("repeat,2,"), "{count}");
}

#[test]
fn bad_files_end_with_place_reason_and_code() {
    let shop = Shop::new();
    let import = |name: &str, lang: &str| shop.gyul(&["--lang", lang, "import", name, "--as", "orders"]);
    shop.file("empty.csv", "");
    shop.file("header.csv", "order,date,customer,total\n");
    shop.file("cut.parquet", b"PAR1\x15\x04\x15\x10");
    shop.file("wrong.csv", b"order,date,customer,total\n1,2026-01-01,\xff\xfe\x81,3\n");
    std::fs::create_dir(shop.dir.path().join("folder")).unwrap();
    for (name, code) in [("empty.csv", 3), ("header.csv", 3), ("cut.parquet", 3), ("folder", 3), ("missing.csv", 3)] {
        for lang in ["ko", "en"] {
            let r = import(name, lang);
            assert_eq!(r.code, code, "{name}: {}{}", r.out, r.err);
            assert!(r.err.contains(name), "{}", r.err);
            assert_eq!(r.err.starts_with("오류"), lang == "ko");
        }
    }
    let wrong = import("wrong.csv", "en");
    assert!([1, 3].contains(&wrong.code), "{}{}", wrong.out, wrong.err);
    // No customer column: the error shows the lines that settle it.
    shop.file("puzzle.csv", "a,b\nx,y\n");
    let puzzle = import("puzzle.csv", "en");
    assert_eq!(puzzle.code, 2);
    assert!(puzzle.err.contains("--map"), "{}", puzzle.err);
    assert!(!shop.dir.path().join("gyul-data/gyul.json").exists());
}

#[test]
fn two_date_formats_in_one_column_lose_no_row() {
    let shop = Shop::new();
    let rows = "order,date,customer,total\n1,2026-01-31,a,1\n2,2026-02-28,b,2\n3,31/01/2026,c,3\n";
    shop.file("o.csv", rows);
    let r = shop.gyul(&["import", "o.csv", "--as", "orders"]);
    assert!(r.out.contains("3 rows = 2 events + 0 duplicates + 1 rejected"), "{}{}", r.out, r.err);
}

#[test]
fn ten_errors_are_told_at_once_with_their_places() {
    let shop = Shop::open();
    let mut defs = String::from("version: 1\nsegments:\n");
    for i in 0..10 {
        defs += &format!("  - {{ id: s{i}, when: count(order) >= }}\n");
    }
    shop.file("bad.yaml", defs);
    let r = shop.gyul(&["check", "bad.yaml", "--format", "json"]);
    assert_eq!(r.code, 1);
    let problems: serde_json::Value = serde_json::from_str(&r.out).unwrap();
    let lines: Vec<u64> = problems.as_array().unwrap().iter().map(|p| p["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (3..13).collect::<Vec<u64>>());
    assert!(shop.gyul(&["check", "bad.yaml"]).out.contains("bad.yaml:3:"));
    assert_eq!(shop.gyul(&["segments", "count", "-f", "bad.yaml"]).code, 1);
    assert_eq!(shop.gyul(&["check", "defs.yaml"]).code, 0);
}

#[test]
fn mistakes_are_told_with_what_was_meant() {
    let shop = Shop::open();
    let ask = |args: &[&str]| shop.gyul(args);
    let slip = ask(&["segments", "members", "repaet", "-f", "defs.yaml"]);
    assert_eq!(slip.code, 2);
    assert_eq!(
        slip.err,
        "error: there is no segment or class 'repaet'. Did you mean 'repeat'? gyul segments count lists them.\n"
    );
    let nobody = ask(&["--lang", "ko", "segments", "why", "repeat", "nobody", "-f", "defs.yaml"]);
    assert!(
        nobody.err.starts_with("오류: 고객 'nobody'이(가) 없습니다. 고객은 가져온 파일에 적힌 ID로 부릅니다(예: "),
        "{}",
        nobody.err
    );
    assert_eq!(ask(&["segments", "why", "repeat", "nobody", "-f", "defs.yaml"]).code, 2);
    assert_eq!(ask(&["segments", "count", "-f", "defs.yaml", "--as-of", "soon"]).code, 2);
    assert_eq!(ask(&["segments", "count", "-f", "missing.yaml"]).code, 3);
    assert_eq!(ask(&["segments", "count", "--data", "elsewhere"]).code, 3);
    assert_eq!(ask(&["segments", "jump"]).code, 2);
    assert_eq!(ask(&["--version"]).code, 0);
}

#[test]
fn the_language_follows_the_system() {
    let shop = Shop::new();
    let say = |key: &str, value: &str| {
        let o = shop.command(&["data", "info"]).env(key, value).output().unwrap();
        ran(o).err
    };
    assert!(say("LANG", "ko_KR.UTF-8").starts_with("오류: "));
    assert!(say("LC_ALL", "ko_KR.UTF-8").starts_with("오류: "));
    assert!(say("LC_ALL", "C").starts_with("error: "));
}

#[test]
fn a_policy_hides_old_events() {
    let shop = Shop::open();
    assert_eq!(shop.gyul(&["data", "policy", "ignore", "events", "before", "2026-02-01"]).code, 0);
    let count = ["segments", "count", "-f", "defs.yaml", "--as-of", "2026-02-08", "--format", "csv"];
    assert!(shop.gyul(&count).out.contains("repeat,0,"));
    // It is said wherever somebody could take the rest for the whole.
    let said = "leaves out 1 of 4 events, those before 2026-02-01";
    let page = ["report", "-f", "defs.yaml", "--as-of", "2026-02-08", "-o", "r.html"];
    assert_eq!(shop.gyul(&page).code, 0);
    assert!(shop.read("r.html").contains(said));
    for asked in [&["data", "info"][..], &["data", "sufficiency"], &["data", "policy"], &["check", "defs.yaml"]] {
        let out = shop.gyul(asked).out;
        assert!(out.contains(said), "{asked:?}: {out}");
    }
    assert!(shop.gyul(&count[..6]).out.contains(said));
    assert_eq!(shop.gyul(&["data", "policy", "keep", "forever"]).code, 2);
    assert_eq!(shop.gyul(&["data", "policy", "none"]).out, "none\n");
    assert!(shop.gyul(&count).out.contains("repeat,1,"));
}

#[test]
fn a_window_beyond_what_a_policy_keeps_is_warned_of() {
    let shop = Shop::open();
    shop.file("silent.yaml", "version: 1\nsegments:\n  - id: silent\n    when: count(order, last 30d) = 0\n");
    shop.file("now.csv", "customer_id,order_time,order_id,amount\nkim,2026-02-09T10:00:00Z,n1,500\n");
    shop.gyul(&["import", "now.csv", "--as", "orders"]);
    assert!(!shop.gyul(&["check", "silent.yaml"]).out.contains("looks back"));
    shop.gyul(&["data", "policy", "ignore", "events", "before", "2026-01-20"]);
    assert!(shop.gyul(&["check", "silent.yaml"]).out.contains("looks back 30d"));
}

#[test]
fn changes_that_cannot_be_known_are_not_told_as_none() {
    let shop = Shop::open();
    let ranked = |when: &str| {
        shop.file("rank.yaml", format!("version: 1\nsegments:\n  - id: s\n    when: {when}\n"));
        shop.gyul(&["segments", "history", "s", "-f", "rank.yaml", "--changes", "--format", "csv"])
    };
    for (when, why) in [
        ("percentile(sum(order.total)) >= 50", "percentile()"),
        ("avg(order.total) above average", "average of quotients"),
        ("since(order) / 1d in top 10%", "grows with time"),
    ] {
        let r = ranked(when);
        assert!(r.code == 1 && r.err.contains(why), "{when}: {} {} {}", r.code, r.out, r.err);
        let table = shop.gyul(&["segments", "history", "s", "-f", "rank.yaml", "--every", "1mo"]);
        assert!(table.code == 0 && table.out.contains(why), "{when}: {}", table.out);
    }
    let r = ranked("sum(order.total) in top 50%");
    assert!(r.code == 0 && r.out.contains("kim,entered") && r.err.is_empty(), "{} {}", r.out, r.err);
}

#[test]
fn what_cannot_be_told_is_not_told_as_nobody() {
    let shop = Shop::new();
    shop.file("o.csv", "order,date,customer,total\n1,2026-01-05,kim,10\n2,2026-01-06,kim,10\n3,2026-01-07,kim,5\n");
    assert_eq!(shop.gyul(&["import", "o.csv", "--as", "orders"]).code, 0);
    let count = |format: &str| shop.gyul(&["segments", "count", "--as-of", "end", "--format", format]).out;
    let table = count("table");
    let line = |id: &str| table.lines().find(|l| l.starts_with(&format!("{id} "))).unwrap_or_default().to_string();
    assert!(line("full_price").contains("–  no data: needs coupon of orders or discount of orders"), "{table}");
    assert!(line("buyers_without_consent").contains("no data: needs consent to e-mail or"), "{table}");
    for told in ["one_time", "top_spenders", "tier/silver", "lifecycle/active"] {
        assert!(!line(told).is_empty() && !line(told).contains("no data"), "{table}");
    }
    let rows: Vec<serde_json::Value> = serde_json::from_str(&count("json")).unwrap();
    let row = |id: &str| rows.iter().find(|r| r["segment"] == id).unwrap();
    assert_eq!(row("full_price")["needs"][0][1], "Order Completed.discount");
    assert_eq!((&row("full_price")["count"], row("one_time").get("needs")), (&1.into(), None));
    // The report neither counts it nor opens with it.
    assert_eq!(shop.gyul(&["report", "--as-of", "end", "-o", "r.html"]).code, 0);
    let page = shop.read("r.html");
    assert!(page.contains("no data: needs coupon of orders") && !page.contains("enough to see the seasons"));
    let said = shop.gyul(&["data", "sufficiency", "--as-of", "end"]).out;
    assert!(said.contains("Order Completed.coupon: ") && !said.contains("Order Refunded: top_spenders"), "{said}");
}

#[test]
fn what_was_known_of_an_order_is_what_its_lines_were_worth() {
    let shop = Shop::new();
    let line = |name: &str, row: &str| {
        shop.file(name, format!("order,date,customer,product,quantity,price\n{row}\n"));
        assert_eq!(shop.gyul(&["import", name, "--as", "orders"]).code, 0);
    };
    line("a.csv", "1,2026-01-05,kim,pen,1,100");
    let between = gyul_model::Instant(now_us()).to_string();
    std::thread::sleep(std::time::Duration::from_millis(20));
    line("b.csv", "1,2026-01-05,kim,ink,1,1000");
    shop.file("d.yaml", "version: 1\nsegments:\n  - id: rich\n    when: sum(order.total) > 500\n");
    let rich = |more: &[&str]| {
        let asked = [&["segments", "count", "-f", "d.yaml", "--format", "csv"], more].concat();
        shop.gyul(&asked).out.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_string()
    };
    assert_eq!((rich(&[]), rich(&["--known-at", &between])), ("1".into(), "0".into()));
}

fn now_us() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64
}

#[test]
fn what_an_import_asks_for_is_a_mapping_that_needs_one_answer() {
    let shop = Shop::new();
    shop.file("o.csv", "order_id,customer_id,order_date,amount,color\n1,a,03/04/2026,10,red\n2,b,05/06/2026,20,blue\n");
    let r = shop.gyul(&["--lang", "ko", "import", "o.csv", "--as", "orders", "--save-map", "map.yaml"]);
    assert_eq!(r.code, 2, "{}", r.err);
    assert!(r.err.contains("map.yaml에 적었습니다"), "{}", r.err);
    let draft = std::fs::read_to_string(shop.dir.path().join("map.yaml")).unwrap();
    assert!(
        draft.starts_with("# 정할 것: ") && draft.contains("kind: orders") && draft.contains("total: amount"),
        "{draft}"
    );
    // Without a file the same stands on the screen.
    let r = shop.gyul(&["import", "o.csv", "--as", "orders"]);
    assert!(r.code == 2 && r.err.contains("# To settle: ") && r.err.contains("  customer: customer_id"), "{}", r.err);
    // As it is, nothing is guessed; with the answer it is done.
    let r = shop.gyul(&["import", "o.csv", "--as", "orders", "--map", "map.yaml"]);
    assert!(r.code == 1 && r.out.contains("2 time_unreadable"), "{}{}", r.out, r.err);
    shop.file("map.yaml", draft.replace("  time: order_date", "  time: {column: order_date, format: dmy}"));
    let r = shop.gyul(&["import", "o.csv", "--as", "orders", "--map", "map.yaml"]);
    assert!(r.code == 0 && r.out.contains("2 rows = 2 events"), "{}{}", r.out, r.err);
}

#[test]
fn an_encoding_can_be_named_and_is_kept_in_the_mapping() {
    let shop = Shop::new();
    shop.file("o.csv", b"order_id,customer_id,order_date,amount,caf\xe9\n1,a,2026-01-05,10,\xff\xfe\xfd\n");
    let r = shop.gyul(&["import", "o.csv", "--as", "orders"]);
    assert!(r.code == 3 && r.err.contains("--encoding"), "{} {}", r.code, r.err);
    let r = shop.gyul(&["import", "o.csv", "--as", "orders", "--encoding", "windows-1252", "--save-map", "m.yaml"]);
    assert!(r.code == 0 && r.out.contains("Windows-1252"), "{}{}", r.out, r.err);
    assert!(std::fs::read_to_string(shop.dir.path().join("m.yaml")).unwrap().contains("encoding: Windows-1252"));
    let r = shop.gyul(&["import", "o.csv", "--as", "orders", "--map", "m.yaml"]);
    assert!(r.code == 0 && r.out.contains("1 duplicates"), "{}{}", r.out, r.err);
    let r = shop.gyul(&["import", "o.csv", "--as", "orders", "--encoding", "klingon"]);
    assert!(r.code == 2 && r.err.contains("cp949"), "{}", r.err);
}

#[test]
fn several_currencies_and_values_of_another_kind_are_told() {
    let shop = Shop::new();
    shop.file("o.csv", "order_id,customer_id,order_date,amount\n1,a,2026-01-05,$10.50\n2,a,2026-01-06,\"₩12,300\"\n");
    let r = shop.gyul(&["import", "o.csv", "--as", "orders"]);
    assert!(r.code == 0 && r.out.contains("several currencies: KRW 1, USD 1"), "{}{}", r.out, r.err);
    let line = |size: &str, day: u32| {
        format!(
            "{{\"event\":\"Seen\",\"userId\":\"a\",\"timestamp\":\"2026-01-{day:02}T00:00:00Z\",\"properties\":{{\"size\":{size}}}}}\n"
        )
    };
    shop.file("1.jsonl", line("1", 1) + &line("2", 2));
    shop.file("2.jsonl", line("\"S0\"", 3) + &line("\"S1\"", 4));
    assert_eq!(shop.gyul(&["import", "1.jsonl", "--as", "events"]).code, 0);
    let r = shop.gyul(&["import", "2.jsonl", "--as", "events"]);
    assert!(
        r.code == 0 && r.out.contains("2 rows = 2 events") && r.out.contains("2 values of `size`"),
        "{}{}",
        r.out,
        r.err
    );
}

#[test]
fn a_killed_import_leaves_all_or_nothing_and_runs_again() {
    let shop = Shop::new();
    let path = shop.dir.path().join("many.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "order,date,customer,total").unwrap();
    for i in 0..60_000 {
        writeln!(file, "{i},2026-01-{:02},c{},{}", i % 28 + 1, i % 5_000, i % 97 + 1).unwrap();
    }
    file.into_inner().unwrap();
    for wait in [5, 60, 150] {
        let mut child = shop.command(&["import", "many.csv", "--as", "orders"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(events) = events(shop.dir.path(), &shop) {
            assert_eq!(events % 60_000, 0, "after {wait} ms");
        }
    }
    assert_eq!(shop.gyul(&["import", "many.csv", "--as", "orders"]).code, 0);
    assert_eq!(events(shop.dir.path(), &shop), Some(60_000));
}

/// Orders in the data directory, if there is one.
fn events(dir: &Path, shop: &Shop) -> Option<u64> {
    dir.join("gyul-data/gyul.json").exists().then(|| {
        let info: serde_json::Value =
            serde_json::from_str(&shop.gyul(&["data", "info", "--format", "json"]).out).unwrap();
        let streams = info["events"].as_array().unwrap();
        streams.iter().filter(|s| s["event"] == "Order Completed").map(|s| s["rows"].as_u64().unwrap()).sum()
    })
}

#[test]
fn a_generated_shop_is_imported_whole() {
    let shop = Shop::new();
    let made = shop.gyul(&[
        "generate",
        "--customers",
        "60",
        "--months",
        "6",
        "--seed",
        "3",
        "--end",
        "2026-11-01",
        "-o",
        "shop",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    for (file, kind) in [("profiles.csv", "profiles"), ("orders.csv", "orders"), ("events.jsonl", "events")] {
        let r = shop.gyul(&["import", &format!("shop/{file}"), "--as", kind]);
        assert_eq!(r.code, 0, "{file}: {}{}", r.out, r.err);
    }
    let r = shop.gyul(&["segments", "count", "--as-of", "end", "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&r.out).unwrap();
    let lifecycle =
        rows.as_array().unwrap().iter().filter(|r| r["segment"].as_str().unwrap().starts_with("lifecycle/"));
    assert_eq!(lifecycle.map(|r| r["count"].as_u64().unwrap()).sum::<u64>(), 60);
}

#[test]
fn a_generated_shop_ends_where_it_is_told_or_today() {
    let shop = Shop::new();
    let made = |end: &[&str], to: &str| {
        let args = [&["generate", "--customers", "20", "--months", "3", "-o", to], end].concat();
        shop.gyul(&args)
    };
    for to in ["a", "b"] {
        assert_eq!(made(&["--end", "2025-03-01"], to).code, 0);
    }
    for file in ["profiles.csv", "orders.csv", "events.jsonl", "truth.csv", "README.md"] {
        let read = |to: &str| std::fs::read(shop.dir.path().join(format!("{to}/{file}"))).unwrap();
        assert!(read("a") == read("b"), "{file}");
    }
    let period = |to: &str| {
        let text = std::fs::read_to_string(shop.dir.path().join(format!("{to}/README.md"))).unwrap();
        let line = text.lines().find(|l| l.contains("period:")).unwrap().to_string();
        line.split(" – ").nth(1).unwrap()[..10].to_string()
    };
    assert_eq!(period("a"), "2025-03-01");
    let today = || {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as i64;
        gyul_model::Zone::seoul().date(gyul_model::Instant(since)).to_string()
    };
    let before = today();
    assert_eq!(made(&[], "c").code, 0);
    assert!([before, today()].contains(&period("c")), "{}", period("c"));
    for end in ["2999-01-01", "yesterday", "2025-02-30"] {
        let wrong = made(&["--end", end], "d");
        assert!(wrong.code == 2 && wrong.err.contains("2026-11-01"), "{end}: {}", wrong.err);
    }
}

/// A command line that cannot be read, and what has to be said about it in Korean and in English.
const WRONG: &[(&[&str], &[&str], &[&str])] = &[
    (
        &["imprt"],
        &["'imprt'", "혹시 'import'인가요?", "쓸 수 있는 명령: "],
        &["Did you mean 'import'?", "Commands: import"],
    ),
    (&["segments", "cuont"], &["혹시 'count'인가요?", "gyul segments --help"], &["Did you mean 'count'?"]),
    (
        &["import", "x.csv"],
        &["빠졌습니다", "--as <KIND>", "쓸 수 있는 값: orders, events, profiles"],
        &["is missing", "one of orders, events, profiles"],
    ),
    (&["import"], &["<FILE>...", "가져올 파일", "사용법: gyul import"], &["<FILE>...", "Usage: gyul import"]),
    (
        &["segments", "count", "--format", "tabel"],
        &["'tabel' 값을 쓸 수 없습니다", "혹시 'table'인가요?", "쓸 수 있는 값: table, csv, json"],
        &["does not take 'tabel'", "Possible values: table, csv, json"],
    ),
    (&["generate", "--customers", "many", "-o", "d"], &["'many' 값을 쓸 수 없습니다"], &["does not take 'many'"]),
    (
        &["demo", "--onec"],
        &["'--onec'을(를) 알 수 없습니다.", "혹시 '--once'인가요?"],
        &["not expected here. Did you mean '--once'?"],
    ),
    (&["demo", "--once", "--replay", "60x"], &["함께 쓸 수 없습니다"], &["cannot be used together"]),
    (&["segments", "overlap", "one"], &["개수가 맞지 않습니다. 필요한 개수: 2"], &["2 needed"]),
    (&["data", "info", "--data"], &["--data <DIR>에 값이 빠졌습니다"], &["--data <DIR> lacks its value"]),
];

#[test]
fn what_cannot_be_read_is_told_in_the_language_that_was_asked_for() {
    let shop = Shop::new();
    for (wrong, ko, en) in WRONG {
        for (lang, wanted, other) in [("ko", ko, "error: "), ("en", en, "오류: ")] {
            let ran = shop.gyul(&[&["--lang", lang], *wrong].concat());
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{wrong:?}");
            assert!(!ran.err.contains(other), "{wrong:?}: {}", ran.err);
            wanted.iter().for_each(|w| assert!(ran.err.contains(w), "{wrong:?} lacks {w}: {}", ran.err));
        }
    }
}

#[test]
fn help_is_in_one_language_and_gyul_alone_says_where_to_begin() {
    let shop = Shop::new();
    for verb in [
        &["--help"][..],
        &["import", "--help"],
        &["segments", "--help"],
        &["segments", "why", "-h"],
        &["quarantine", "export", "-h"],
    ] {
        let ko = shop.gyul(&[verb, &["--lang=ko"]].concat());
        assert_eq!(ko.code, 0);
        for english in ["Usage", "Options", "Commands", "Arguments", "Print", "possible values", "default", " / "] {
            assert!(!ko.out.contains(english), "{verb:?} has {english}: {}", ko.out);
        }
        let en = shop.gyul(&[&["--lang", "en"], verb].concat());
        assert!(en.out.contains("Usage:") && !en.out.chars().any(|c| ('가'..='힣').contains(&c)), "{}", en.out);
    }
    let alone = ran(shop.command(&[]).env("LC_ALL", "ko_KR.UTF-8").output().unwrap());
    assert!(alone.code == 2 && alone.err.contains("처음이라면:") && alone.err.contains("gyul demo"), "{}", alone.err);
}

#[test]
fn commands_to_type_next_name_the_same_data() {
    let shop = Shop::new();
    shop.file("orders.csv", ORDERS);
    shop.file("more.csv", "주문번호,주문일시,회원ID,결제금액\n8,2026-02-08 09:30,park,9000\n9,언젠가,park,9000\n");
    let import = |file: &str| shop.gyul(&["--lang", "ko", "--data", "my data", "import", file, "--as", "orders"]);
    assert!(
        import("orders.csv").out.contains("거부된 행: gyul --data \"my data\" quarantine show"),
        "{}",
        import("orders.csv").out
    );
    import("more.csv");
    let ask = |more: &[&str]| {
        shop.gyul(&[&["--data", "my data", "--lang", "ko", "quarantine", "export", "-o", "fix.csv"], more].concat())
    };
    let last = ask(&[]).err;
    assert!(last.contains("다른 가져오기: ") && last.contains("gyul --data \"my data\" quarantine export "), "{last}");
    let number = last.split("다른 가져오기: ").nth(1).unwrap().split(' ').next().unwrap().to_string();
    let chosen = ask(&[&number]).err;
    assert!(chosen.contains(&format!("가져오기 {number}번(")) && !chosen.contains("다른 가져오기"), "{chosen}");
}

#[test]
fn a_partition_tells_the_class_that_a_customer_is_in() {
    let shop = Shop::open();
    let why = |id: &str| {
        let asked = ["segments", "why", id, "lee", "-f", "defs.yaml", "--as-of", "2026-02-08"];
        shop.gyul(&[&["--lang", "ko"], &asked[..]].concat())
    };
    assert!(why("size").out.starts_with("✓ lee 고객은 size/small에 속합니다.\n"), "{}", why("size").out);
    assert!(
        why("size/big").out.starts_with("✗ lee 고객은 size/small에 속하고 size/big에는 속하지 않습니다. 이유: 주문 금액 합계 5,000원 (기준: 9,000원 이상)\n"),
        "{}",
        why("size/big").out
    );
}
