//! The server as a process: acknowledged means there after kill -9, one server a directory, words for whoever is in the way.

mod server;

use server::{Server, gyul, key};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(data: &Path, args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = gyul(data, args).output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap_or(-1), text)
}

impl Server {
    /// Status and body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let n = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {n}\r\n\r\n{body}",
            self.address, self.key
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
    }

    fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Acknowledged is on disk; seen is a moment later.
    fn until_events(&self, who: &str, n: u64) {
        let path = format!("/api/v1/customers/{who}");
        let count =
            || serde_json::from_str::<serde_json::Value>(&self.ask("GET", &path, "").1).unwrap()["events"].as_u64();
        for _ in 0..500 {
            if count() == Some(n) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{who} has {:?} events, not {n}", count());
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ctrl-C's quieter sister; gives the exit code.
    fn stop(mut self) -> i32 {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

fn events(from: usize, n: usize) -> String {
    let one = |i: usize| {
        serde_json::json!({
            "customer": format!("customer-{}", i % 20), "name": "Order Completed", "id": format!("e{i}"),
            "props": { "order_id": format!("o{i}"), "total": 100 + i },
        })
    };
    serde_json::Value::from((from..from + n).map(one).collect::<Vec<_>>()).to_string()
}

#[test]
fn a_segment_is_built_counted_saved_and_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let server = Server::start(&data, &key);
    assert_eq!(server.ask("POST", "/api/v1/events", &events(0, 60)).0, 200);
    // Acknowledged is on disk; seen is a moment later.
    let seen = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        server.ask("GET", "/api/v1/customers/customer-19", "").1.contains("\"events\":3")
    });
    assert!(seen);
    let post = |path: &str, body: serde_json::Value| {
        let (status, answer) = server.ask("POST", path, &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()
    };
    // Text to cards, a card more, and text again.
    let about = serde_json::json!({ "id": "often", "name_ko": "자주" });
    let text = "count(order) >= 3 and sum(order.total) > 400";
    let shown = post("/api/v1/segments/form", serde_json::json!({ "about": about, "text": text }));
    assert_eq!((&shown["problems"], &shown["form"]["parts"][0]["is"]), (&serde_json::json!([]), &"compare".into()));
    let mut form = shown["form"].clone();
    form["parts"][1]["key"] = "mine".into();
    form["parts"].as_array_mut().unwrap().push(serde_json::json!({ "key": "empty", "is": "segment", "id": "" }));
    let back =
        post("/api/v1/segments/form", serde_json::json!({ "about": about, "form": form, "yaml": shown["yaml"] }));
    assert_eq!((back["text"].as_str(), &back["missing"][0]["key"]), (Some(text), &"empty".into()));
    let slip = post("/api/v1/segments/form", serde_json::json!({ "about": about, "text": "count(ordr) > 1" }));
    assert_eq!((&slip["problems"][0]["code"], &slip["problems"][0]["start"]), (&"unknown_event".into(), &6.into()));

    // What each condition does: customer i has the totals 100 + i, 120 + i, 140 + i.
    let ask = serde_json::json!({ "yaml": back["yaml"], "form": form, "compare": "bought_month", "sample": 3 });
    let e = post("/api/v1/segments/effects", ask);
    let mine = e["parts"].as_array().unwrap().iter().find(|p| p["key"] == "mine").unwrap();
    assert_eq!(
        (&e["population"], &e["size"], &mine["alone"], &mine["without"]),
        (&20.into(), &6.into(), &6.into(), &20.into())
    );
    assert_eq!((&e["compared"]["both"], e["sample"].as_array().unwrap().len()), (&6.into(), 3));
    let past = post("/api/v1/segments/effects", serde_json::json!({ "yaml": back["yaml"], "at": "2020-01-31" }));
    assert_eq!(past["population"], 0);
    assert_eq!(server.ask("POST", "/api/v1/segments/effects", "{\"yaml\":\"x: 1\"}").0, 422);

    // Saved once; whoever saves as if it were new is told.
    let yaml = back["yaml"].as_str().unwrap();
    assert_eq!(server.ask("PUT", "/api/v1/segments/often", yaml).0, 200);
    assert_eq!(server.get("/api/v1/segments/often")["size"], 6);
    let (status, said) = server.ask("PUT", "/api/v1/segments/often", "id: often\nwhen: count(order) > 1\n");
    assert!(status == 422 && said.contains("bare_definition") && said.contains("segments:"), "{status} {said}");
    let (status, said) = server.ask("GET", "/api/v1/changes?segment=oftem", "");
    assert!(status == 404 && said.contains("Is it often?"), "{status} {said}");
    assert_eq!(server.ask("GET", "/v1/changes?from=999999", "").0, 410);
    let taken = post("/api/v1/segments/form", serde_json::json!({ "about": about, "text": text }));
    assert_eq!(taken["problems"][0]["code"], "id_taken");
    let words = server.get("/api/v1/vocabulary");
    assert!(words["segments"].as_array().unwrap().iter().any(|s| s["id"] == "often" && s["name_ko"] == "자주"));
    assert_eq!(
        (&words["events"][0]["name"], &words["events"][0]["event"]),
        (&"order".into(), &"Order Completed".into())
    );
    assert_eq!(server.stop(), 0);
}

/// Sizes of everything defined, as the server says them.
fn sizes(server: &Server) -> std::collections::BTreeMap<String, u64> {
    let mut out = std::collections::BTreeMap::new();
    for s in server.get("/api/v1/segments")["items"].as_array().unwrap() {
        out.insert(s["id"].as_str().unwrap().to_string(), s["size"].as_u64().unwrap());
    }
    for p in server.get("/api/v1/partitions")["items"].as_array().unwrap() {
        let id = p["id"].as_str().unwrap();
        for c in p["classes"].as_array().unwrap() {
            out.insert(format!("{id}/{}", c["class"].as_str().unwrap()), c["size"].as_u64().unwrap());
        }
    }
    out
}

/// The same from the command line.
fn counted(data: &Path) -> std::collections::BTreeMap<String, u64> {
    let out = gyul(data, &["segments", "count", "--format", "json"]).output().unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).unwrap();
    rows.iter().map(|r| (r["segment"].as_str().unwrap().to_string(), r["count"].as_u64().unwrap())).collect()
}

#[test]
fn the_server_and_the_command_line_leave_out_the_same_events() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let day = |ago: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        gyul_model::Instant((now - ago * 86_400) as i64 * 1_000_000).to_string()
    };
    let file = dir.path().join("orders.csv");
    // Customer i bought i × 40 days ago, and once more 400 days before that.
    let mut orders = "customer_id,order_time,order_id,amount\n".to_string();
    for i in 0..20 {
        orders += &format!("c{i},{},a{i},{}\nc{i},{},b{i},900\n", day(i * 40), 100 + i, day(i * 40 + 400));
    }
    std::fs::write(&file, &orders).unwrap();
    let import = |name: &str| run(&data, &["import", dir.path().join(name).to_str().unwrap(), "--as", "orders"]);
    assert_eq!(import("orders.csv").0, 0);
    let whole = counted(&data);
    let key = key(&data);
    assert_eq!(run(&data, &["data", "policy", "keep", "300d"]).0, 0);
    let cut = counted(&data);
    assert_ne!(whole, cut);
    let (_, info) = run(&data, &["data", "info", "--format", "json"]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!((&info["policy"]["left_out"], &info["policy"]["of"]), (&32.into(), &40.into()), "{info}");

    let server = Server::start(&data, &key);
    assert_eq!(sizes(&server), cut);
    // Late ones are as old as any other; they are kept, with properties that nothing else has.
    let late = |id: &str, ago: u64| {
        serde_json::json!({
            "customer": "c3", "name": "Order Completed", "id": id, "ts": day(ago),
            "props": { "order_id": id, "total": 5_000, "coupon": "OLD" },
        })
    };
    let body = serde_json::Value::from(vec![late("x1", 500), late("x2", 20)]).to_string();
    assert_eq!(server.ask("POST", "/api/v1/events", &body).0, 200);
    let taken = |n: u64| {
        (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(25));
            server.get("/api/v1/customers/c3")["events"] == n
        })
    };
    // One of its first two is old, and one of its late two.
    assert!(taken(2), "{}", server.get("/api/v1/customers/c3"));
    let live = sizes(&server);
    // What is left out of answers is theirs to have all the same: one from the base, one from the log.
    let export = |server: &Server| server.get("/api/v1/customers/c3/export")["events"].as_array().unwrap().len();
    assert_eq!(export(&server), 4);
    let (_, said) = server.ask("GET", "/data/enough", "");
    assert!(said.contains("keep 300d") && said.contains("33 of 42 events"), "{said}");
    // Nobody else changes what a server answers by.
    assert_eq!(run(&data, &["data", "policy", "none"]).0, 3);
    server.kill();
    let server = Server::start(&data, &key);
    assert_eq!(sizes(&server), live);
    assert_eq!(server.stop(), 0);

    // Into the base with the log's events, and everything again: nothing was lost.
    std::fs::write(
        dir.path().join("more.csv"),
        format!("customer_id,order_time,order_id,amount\nc5,{},m,70\n", day(3)),
    )
    .unwrap();
    assert_eq!(import("more.csv").0, 0);
    let server = Server::start(&data, &key);
    assert_eq!((sizes(&server), export(&server)), (counted(&data), 4));
    assert_eq!(server.stop(), 0);
    assert_eq!(run(&data, &["data", "policy", "none"]).0, 0);
    let server = Server::start(&data, &key);
    assert_eq!(server.get("/api/v1/customers/c3")["events"], 4);
    assert_eq!(sizes(&server), counted(&data));
    assert!(server.ask("GET", "/api/v1/changes?from=0&limit=1000", "").1.contains("\"cause\":\"retention\""));

    // The same words while it runs.
    let mut settings = server.get("/api/v1/settings");
    assert_eq!(settings["retention"], serde_json::Value::Null);
    let put =
        |server: &Server, settings: &serde_json::Value| server.ask("PUT", "/api/v1/settings", &settings.to_string());
    settings["retention"] = "keep for ever".into();
    let (status, said) = put(&server, &settings);
    assert!(status == 422 && said.contains("bad_retention") && said.contains("keep 3y"), "{said}");
    for words in ["keep 300d", "keep 3y", "ignore events before 2020-01-01"] {
        settings["retention"] = words.into();
        assert_eq!(put(&server, &settings).0, 204);
        assert_eq!(server.get("/api/v1/settings"), settings);
        assert_eq!(sizes(&server), counted(&data), "{words}");
    }
    settings["retention"] = "keep 300d".into();
    assert_eq!(put(&server, &settings).0, 204);
    let (is, c3) = (sizes(&server), server.get("/api/v1/customers/c3")["events"].clone());
    let (_, said) = server.ask("GET", "/data/enough", "");
    assert!(said.contains("keep 300d"), "{said}");
    assert!(server.ask("GET", "/api/v1/audit", "").1.contains("putSettings"));
    server.kill();
    let server = Server::start(&data, &key);
    assert_eq!((sizes(&server), server.get("/api/v1/settings")), (is, settings.clone()));
    assert_eq!((sizes(&server), &server.get("/api/v1/customers/c3")["events"]), (counted(&data), &c3));
    assert_eq!(c3, 2);
    settings["retention"] = serde_json::Value::Null;
    assert_eq!(put(&server, &settings).0, 204);
    assert_eq!(server.get("/api/v1/customers/c3")["events"], 4);
    assert_eq!(server.stop(), 0);
}

#[test]
fn rules_of_identity_are_set_while_it_runs_and_survive_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start(&data, &key(&data));
    let send = |server: &Server, id: &str, customer: &str| {
        let body = serde_json::json!([{ "customer": customer, "name": "Product Viewed", "id": id }]);
        let (status, said) = server.ask("POST", "/api/v1/events", &body.to_string());
        assert_eq!(status, 200, "{said}");
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["rejected"].as_u64().unwrap()
    };
    assert_eq!(send(&server, "m1", "Shop Counter"), 0);
    let mut rules = server.get("/api/v1/settings/identity");
    assert_eq!((&rules["limits"]["email"], &rules["blocked"]), (&5.into(), &serde_json::json!([])));
    let put =
        |server: &Server, rules: &serde_json::Value| server.ask("PUT", "/api/v1/settings/identity", &rules.to_string());
    rules["blocked"] = serde_json::json!(["shop counter"]);
    rules["limits"]["email"] = 2.into();
    assert_eq!(put(&server, &rules).0, 204);
    let mut bad = rules.clone();
    bad["blocked"] = serde_json::json!(["*"]);
    let (status, said) = put(&server, &bad);
    assert!(status == 422 && said.contains("bad_blocked"), "{said}");
    for round in 0..2 {
        assert_eq!(server.get("/api/v1/settings/identity"), rules, "{round}");
        assert_eq!(send(&server, &format!("n{round}"), "Shop Counter"), 1, "{round}: nobody's from here on");
        assert!(server.ask("GET", "/api/v1/audit", "").1.contains("putIdentityRules"));
        server.kill();
        server = Server::start(&data, &key(&data));
    }
    // The visit from before is kept.
    assert_eq!(server.get("/api/v1/customers/Shop%20Counter")["events"], 1);
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_was_rejected_comes_in_once_as_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start(&data, &key(&data));
    let send = |s: &Server, path: &str, body: &str| {
        let (status, said) = s.ask("POST", path, body);
        assert_eq!(status, 200, "{path}: {said}");
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    // Acknowledged is on disk; seen is a moment later.
    let waiting = |s: &Server, n: usize| {
        let mut items = vec![];
        for _ in 0..500 {
            items = s.get("/api/v1/quarantine")["items"].as_array().unwrap().clone();
            if items.len() == n {
                return items;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{} wait, not {n}: {items:?}", items.len())
    };
    let number = |q: &serde_json::Value| q["number"].as_u64().unwrap();

    // An order that the plan does not know waits, and says why to whoever sent it.
    let plan = "version: 1\nunknown_events: reject\nevents:\n  Product Viewed:\n";
    assert_eq!(server.ask("PUT", "/api/v1/plan", plan).0, 204);
    let order = r#"{"type":"track","userId":"C1","messageId":"m1","event":"Order Completed","properties":{"order_id":"1","total":10,"products":[{"product_id":"p","price":10}]}}"#;
    send(&server, "/v1/track", order);
    let own = send(
        &server,
        "/api/v1/events",
        r#"[{"customer":"C1","name":"Product Viewed"},{"customer":"C1","name":"Typo"}]"#,
    );
    assert_eq!((&own["accepted"], &own["rejected"]), (&1.into(), &1.into()));
    assert_eq!((&own["errors"][0]["index"], &own["errors"][0]["code"]), (&1.into(), &"plan_unknown_event".into()));
    // Without the plan it is taken, with its lines, as one message; the sender's retry is known as one.
    assert_eq!(server.ask("PUT", "/api/v1/plan", "version: 1\nevents: {}\n").0, 204);
    let typo =
        waiting(&server, 2).iter().find(|q| q["content"].as_str().unwrap().contains("Typo")).map(number).unwrap();
    assert_eq!(server.ask("DELETE", &format!("/api/v1/quarantine/{typo}"), "").0, 204);
    assert_eq!(server.ask("DELETE", &format!("/api/v1/quarantine/{typo}"), "").0, 404);
    assert_eq!(send(&server, "/api/v1/quarantine/replay", "{}")["accepted"], 1);
    waiting(&server, 0);
    server.until_events("C1", 3);
    send(&server, "/v1/track", order);
    send(&server, "/v1/track", &order.replace("m1", "m2").replace("\"1\"", "\"2\""));
    server.until_events("C1", 5);

    // A group call stays one after it was mended, through a crash.
    send(&server, "/v1/group", r#"{"userId":"C2","groupId":"","traits":{"name":"ACME"},"messageId":"g1"}"#);
    server.kill();
    server = Server::start(&data, &key(&data));
    let q = number(&waiting(&server, 1)[0]);
    let mended = r#"{"userId":"C2","groupId":"acme","traits":{"name":"ACME"},"messageId":"g1"}"#;
    for no_event in ["3", "[]", "[1]", "{"] {
        let (status, said) = server.ask("PUT", &format!("/api/v1/quarantine/{q}"), no_event);
        assert_eq!(status, 400, "{no_event}: {said}");
    }
    assert_eq!(server.ask("PUT", &format!("/api/v1/quarantine/{q}"), mended).0, 204);
    assert_eq!(send(&server, "/api/v1/quarantine/replay", "{}")["accepted"], 1);
    server.until_events("C2", 1);
    let traits = server.get("/api/v1/customers/C2")["traits"].to_string();
    assert!(traits.contains("group.name") && !traits.contains("\"name\""), "{traits}");

    // Nobody's event is not acknowledged as somebody's.
    send(&server, "/v1/track", r#"{"userId":"undefined","event":"A"}"#);
    let own = send(&server, "/api/v1/events", r#"{"who":{"user":"null"},"name":"A"}"#);
    assert_eq!((&own["rejected"], &own["errors"][0]["code"]), (&1.into(), &"no_owner".into()));
    assert!(waiting(&server, 2).iter().all(|q| q["code"] == "no_owner"));
    // What stands for bytes that nobody could read is not let in unmended.
    let replayed = send(&server, "/api/v1/quarantine/replay", "{}");
    assert_eq!((&replayed["accepted"], &replayed["still_rejected"]), (&0.into(), &2.into()));
}

#[test]
fn a_public_key_joins_nobody_by_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let own = key(&data);
    let server = Server::start(&data, &own);
    let (status, said) = server.ask("POST", "/api/v1/keys", r#"{"name":"web","role":"ingest"}"#);
    assert!(status == 200 || status == 201, "{said}");
    let public = serde_json::from_str::<serde_json::Value>(&said).unwrap()["key"].as_str().unwrap().to_string();
    let guest = r#"{"who":{"email":"minji@shop.kr"},"name":"Order Completed","props":{"order_id":"1","total":10}}"#;
    assert_eq!(server.ask("POST", "/api/v1/events", guest).0, 200);
    let page = Server { key: public, address: server.address.clone(), process: Command::new("true").spawn().unwrap() };
    let claim = r#"{"who":{"user":"EVIL","email":"minji@shop.kr"},"name":"Hi"}"#;
    assert_eq!(page.ask("POST", "/api/v1/events", claim).0, 200);
    // The order stays with whoever has the address.
    server.until_events("EVIL", 1);
    // The shop's own server is believed.
    assert_eq!(server.ask("POST", "/api/v1/events", &claim.replace("EVIL", "C7")).0, 200);
    server.until_events("C7", 2);
}

#[test]
fn what_was_acknowledged_is_there_once_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let mut sent = 0;
    for _ in 0..3 {
        let server = Server::start(&data, &key);
        for _ in 0..5 {
            assert_eq!(server.ask("POST", "/api/v1/events", &events(sent, 40)).0, 200);
            // Again, as senders do that heard no answer.
            let (_, again) = server.ask("POST", "/api/v1/events", &events(sent, 40));
            assert!(again.contains("\"duplicates\":40"), "{again}");
            sent += 40;
        }
        server.kill();
    }
    let server = Server::start(&data, &key);
    let all = |s: &Server| {
        let one = |c| s.get(&format!("/api/v1/customers/customer-{c}"))["events"].as_u64().unwrap();
        (0..20).map(one).sum::<u64>()
    };
    assert_eq!(all(&server), sent as u64);
    let decision = server.get("/api/v1/customers/customer-7/decision");
    assert!(decision["segments"].as_array().unwrap().iter().any(|s| s == "bought_month"), "{decision}");

    // One server a directory, and nobody else writes into it.
    let (code, said) = run(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 3 && said.contains("in use by a server") && said.contains("/api/v1/keys"), "{code} {said}");
    assert!(!said.contains("Upload"), "{said}");
    let file = dir.path().join("orders.csv");
    std::fs::write(&file, "customer_id,order_time,order_id,amount\ncustomer-7,2026-01-05T10:00:00Z,f1,500\n").unwrap();
    let path = file.to_str().unwrap();
    let (code, said) = run(&data, &["import", path, "--as", "orders"]);
    assert!(code == 3 && said.contains("/api/v1/imports"), "{code} {said}");
    let copy = dir.path().join("copy");
    let (code, said) = run(&data, &["backup", copy.to_str().unwrap()]);
    assert!(code == 3 && said.contains("Stop it"), "{code} {said}");
    let (code, said) = run(&dir.path().join("other"), &["serve", "--listen", &server.address]);
    assert!(code == 3 && said.contains("cannot listen"), "{code} {said}");

    // A copy beside the running server has all that it acknowledged, and becomes a server of its own.
    let (status, said) = server.ask("POST", "/api/v1/backup", "");
    assert_eq!(status, 200, "{said}");
    let made = serde_json::from_str::<serde_json::Value>(&said).unwrap()["folder"].as_str().unwrap().to_string();
    let twin = dir.path().join("twin");
    let (code, said) = run(&twin, &["restore", &made]);
    assert_eq!(code, 0, "{said}");
    let second = Server::start(&twin, &key);
    assert_eq!(all(&second), sent as u64);
    assert_eq!(second.get("/api/v1/customers/customer-7/decision")["segments"], decision["segments"]);
    second.kill();

    // The file comes in through the server, and everything still stands after it has stopped.
    let (status, _) = server.ask("POST", "/api/v1/imports?name=orders.csv", &std::fs::read_to_string(&file).unwrap());
    assert_eq!(status, 202);
    let done = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.get("/api/v1/imports")["items"][0]["done"] == true
    });
    assert!(done && all(&server) == sent as u64 + 1, "{}", server.get("/api/v1/imports"));
    assert_eq!(server.stop(), 0);

    // The log's events and the file's rows are in one base: the command line sees both.
    assert_eq!(run(&data, &["backup", copy.to_str().unwrap()]).0, 0);
    let (_, counts) = run(&data, &["data", "info", "--format", "json"]);
    let restored = dir.path().join("restored");
    assert_eq!(run(&restored, &["restore", copy.to_str().unwrap()]).0, 0);
    assert_eq!(run(&restored, &["data", "info", "--format", "json"]).1, counts);
    let server = Server::start(&restored, &key);
    assert_eq!(all(&server), sent as u64 + 1);
    assert_eq!(server.ask("DELETE", "/api/v1/customers/customer-7", "").0, 200);
    assert_eq!(server.ask("GET", "/api/v1/customers/customer-7", "").0, 404);
    server.kill();
    let server = Server::start(&restored, &key);
    assert_eq!(server.ask("GET", "/api/v1/customers/customer-7", "").0, 404);
    assert_eq!(server.ask("GET", "/api/v1/customers/customer-8", "").0, 200);
    server.kill();
}

#[test]
fn a_damaged_log_is_told_at_the_start_in_the_metrics_and_when_asked_whether_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let server = Server::start(&data, &key);
    for i in 0..3 {
        assert_eq!(server.ask("POST", "/api/v1/events", &events(i, 1)).0, 200);
    }
    assert_eq!(server.get("/ready")["damaged_records"], 0);
    server.kill();
    let log = data.join("log/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.windows(10).position(|w| w == b"customer-1").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).unwrap();

    let mut process = gyul(&data, &["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (first, second) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    let told = "attention: ";
    assert!(second.starts_with(told) && second.contains("00000000000000000000.log"), "{first}\n{second}");
    let mut line = String::new();
    BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["records_lost"]), (&"error".into(), &1.into()));
    let address = first.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_string();
    let server = Server { process, address, key };
    assert_eq!(server.get("/ready")["damaged_records"], 1);
    assert!(server.ask("GET", "/metrics", "").1.contains("\ngyul_log_damaged_records 1\n"));
    server.kill();
}

#[test]
fn who_objects_is_given_to_nobody_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let mut server = Server::start(&data, &key);
    assert_eq!(server.ask("POST", "/api/v1/events", &events(0, 20)).0, 200);
    let listed = |s: &Server| {
        let members = s.get("/api/v1/segments/bought_month/members");
        members["items"].as_array().unwrap().iter().any(|m| m["customer"] == "customer-7")
    };
    let seen = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        server.get("/api/v1/segments/bought_month")["size"] == 20
    });
    assert!(seen && listed(&server));
    let mut from = server.get("/api/v1/changes?from=0&limit=1000")["next"].as_str().unwrap().to_string();
    let mut told = |s: &Server| {
        let answer = s.get(&format!("/api/v1/changes?from={from}&customer=customer-7&segment=bought_month"));
        from = answer["next"].as_str().unwrap().to_string();
        let of = |c: &serde_json::Value| format!("{} {}", c["moved"].as_str().unwrap(), c["cause"].as_str().unwrap());
        answer["items"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let path = "/api/v1/customers/customer-7/objection";
    assert_eq!(server.ask("PUT", path, "").0, 204);
    assert_eq!(told(&server), ["left objection"]);
    for again in [false, true] {
        if again {
            server.kill();
            server = Server::start(&data, &key);
        }
        let decision = server.get("/api/v1/customers/customer-7/decision");
        assert_eq!((&decision["objects"], &decision["segments"]), (&true.into(), &serde_json::json!([])));
        let person = server.get("/api/v1/customers/customer-7");
        assert!(person["objects_since"].is_string() && person["segments"] == serde_json::json!([]), "{person}");
        let state = server.get("/api/v1/segments/bought_month");
        assert_eq!((&state["size"], &state["left_out"]), (&20.into(), &1.into()));
        assert!(!listed(&server));
        let yaml = "version: 1\nsegments:\n  - id: x\n    when: count(order) >= 1\n";
        let ask = serde_json::json!({ "yaml": yaml, "sample": 50 }).to_string();
        let (status, said) = server.ask("POST", "/api/v1/segments/effects", &ask);
        assert!(status == 200 && said.contains("customer-8") && !said.contains("customer-7"), "{said}");
        assert_eq!(server.ask("GET", "/api/v1/customers/customer-7/why/segments/bought_month", "").0, 409);
        assert_eq!(told(&server), [""; 0]);
    }
    assert_eq!(server.ask("DELETE", path, "").0, 204);
    assert_eq!(told(&server), ["entered objection"]);
    assert!(listed(&server));
    server.kill();
}

/// Page by page, everybody comes once: who is found by several names, and by an id and a name.
#[test]
fn a_search_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let server = Server::start(&data, &key);
    let event = |i: usize| {
        // A third goes by the id alone, a third by the name alone, a third by id, name and address.
        let (id, name) = match i % 3 {
            0 => (format!("lee-{i:03}"), "park".to_string()),
            1 => (format!("c-{i:03}"), format!("Lee {i}")),
            _ => (format!("lee-{i:03}"), format!("Lee {i}")),
        };
        let who = if i % 3 == 2 {
            serde_json::json!({ "user": id, "email": format!("lee.{i}@example.com") })
        } else {
            serde_json::json!({ "user": id })
        };
        serde_json::json!({ "who": who, "name": "identify", "ts": "2026-01-01T00:00:00Z", "id": format!("e{i}"), "props": { "name": name } })
    };
    let all: Vec<_> = (0..90).map(event).collect();
    let (status, said) = server.ask("POST", "/api/v1/events", &serde_json::Value::from(all).to_string());
    assert!(status == 200 && said.contains("90"), "{said}");
    server.until_events("lee-000", 1);
    for limit in [7, 40, 100] {
        let (mut seen, mut cursor, mut pages) = (vec![], String::new(), 0);
        loop {
            let page = server.get(&format!("/api/v1/customers?search=lee&limit={limit}{cursor}"));
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|h| h["id"].as_str().unwrap().to_string()));
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
            assert!(pages < 50, "no end");
        }
        assert_eq!(seen.len(), 90, "{limit}: {seen:?}");
        assert!(seen[..60].iter().all(|id| id.starts_with("lee-")), "ids come before names: {seen:?}");
        let once: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), 90, "{limit}: {seen:?}");
    }
    assert_eq!(server.ask("GET", "/api/v1/customers?search=lee&cursor=bm8", "").0, 400);
    server.kill();
}

#[test]
fn event_names_without_end_are_refused_in_live_and_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = key(&data);
    let server = Server::start(&data, &key);
    let event = |name: String, property: String| serde_json::json!({ "customer": "c", "name": name, "id": name, "props": { property: 1 } });
    let send = |batch: Vec<serde_json::Value>| {
        let (status, said) = server.ask("POST", "/api/v1/events", &serde_json::Value::from(batch).to_string());
        assert_eq!(status, 200, "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        (said["accepted"].as_u64().unwrap(), said["rejected"].as_u64().unwrap())
    };
    assert_eq!(send((0..999).map(|i| event(format!("e{i}"), "p".into())).collect()), (999, 0));
    // Whoever sends is told which ones, in the order in which they were sent.
    let names = ["e0", "null", "e999", "f1", "e1", "f2"];
    let mut batch: Vec<_> = names.iter().map(|n| event(n.to_string(), "p".into())).collect();
    batch[0]["id"] = "again".into();
    batch[1] = serde_json::json!({ "customer": "null", "name": "e0" });
    batch[4]["id"] = "again 1".into();
    let (_, said) = server.ask("POST", "/api/v1/events", &serde_json::Value::from(batch).to_string());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["accepted"], &said["rejected"]), (&3.into(), &3.into()), "{said}");
    let errors: Vec<(u64, &str)> = said["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["index"].as_u64().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    assert_eq!(errors, [(1, "no_owner"), (3, "too_many_names"), (5, "too_many_names")], "{said}");
    // Known ones go on; new properties of them up to the limit.
    let many: Vec<_> = (0..600).map(|i| {
        serde_json::json!({ "customer": "c", "name": "e7", "id": format!("x{i}"), "props": { format!("p{i}"): 1 } })
    }).collect();
    assert_eq!(send(many), (600, 0));
    assert_eq!(send(vec![event("one more".into(), "p".into())]), (0, 1));
    let metrics = server.ask("GET", "/metrics", "").1;
    assert!(metrics.contains("\ngyul_properties_dropped_total 101\n"), "{metrics}");
    let waiting = server.get("/api/v1/quarantine");
    assert!(
        waiting["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|q| ["too_many_names", "no_owner"].contains(&q["code"].as_str().unwrap()))
    );
    // The same after a start.
    server.kill();
    let server = Server::start(&data, &key);
    let (_, said) =
        server.ask("POST", "/api/v1/events", &serde_json::json!([event("another".into(), "p".into())]).to_string());
    assert!(said.contains("\"rejected\":1"), "{said}");
    assert_eq!(server.stop(), 0);
    let file = dir.path().join("events.csv");
    std::fs::write(&file, "customer_id,event_time,event_name\nc,2026-01-05T10:00:00Z,yet another\n").unwrap();
    let (code, said) = run(&data, &["import", file.to_str().unwrap(), "--as", "events"]);
    assert!(code == 3 && said.contains("more than 1000 event names"), "{code} {said}");
}
