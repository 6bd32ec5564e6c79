//! `gyul serve` killed at random moments while events, files and definitions come in over HTTP. Whoever heard no answer sends again,
//! as senders do; then everything is there once, and answers are the command line's.
//!
//! `GYUL_ROUNDS=n` kills so often (3), `GYUL_SEED=n` chooses other moments.

mod server;

use server::{Server, gyul, key};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

impl Server {
    /// Status and body. `None`: there was no answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let n = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {n}\r\n\r\n{body}",
            self.address, self.key
        )
        .ok()?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: "))?;
        (length.parse() == Ok(body.len())).then(|| (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string()))
    }

    fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.ask("GET", path, "").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Events of everybody.
    fn events(&self) -> u64 {
        let one = |c| {
            let (status, body) = self.ask("GET", &format!("/api/v1/customers/customer-{c}"), "").unwrap();
            if status == 404 {
                0
            } else {
                serde_json::from_str::<serde_json::Value>(&body).unwrap()["events"].as_u64().unwrap()
            }
        };
        (0..20).map(one).sum()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        let segments = self.get("/api/v1/segments");
        let size = |s: &serde_json::Value| (s["id"].as_str().unwrap().to_string(), s["size"].as_u64().unwrap());
        segments["items"].as_array().unwrap().iter().map(size).collect()
    }

    /// Sends a file and waits until it is in. Whether it came to that.
    fn import(&self, file: &str) -> Option<()> {
        let (status, said) = self.ask("POST", "/api/v1/imports?name=orders.csv", file)?;
        assert_eq!(status, 202, "{said}");
        let id = serde_json::from_str::<serde_json::Value>(&said).unwrap()["id"].clone();
        loop {
            let (_, said) = self.ask("GET", "/api/v1/imports", "")?;
            let all: serde_json::Value = serde_json::from_str(&said).unwrap();
            let own = all["items"].as_array().unwrap().iter().find(|i| i["id"] == id).unwrap().clone();
            if own["done"] == true {
                assert!(own["problem"].is_null(), "{own}");
                return Some(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn batch(n: usize) -> String {
    let one = |i: usize| {
        serde_json::json!({
            "customer": format!("customer-{}", i % 20), "name": "Order Completed", "id": format!("e{i}"),
            "props": { "order_id": format!("o{i}"), "total": 100 + i % 900 },
        })
    };
    serde_json::Value::from((n * 20..n * 20 + 20).map(one).collect::<Vec<_>>()).to_string()
}

fn file(n: usize) -> String {
    let row = |i: usize| format!("customer-{},2026-01-{:02}T10:00:00Z,f{n}-{i},{}\n", i % 20, 1 + i % 28, 500 + i);
    "customer_id,order_time,order_id,amount\n".to_string() + &(0..30).map(row).collect::<String>()
}

fn often(times: usize) -> String {
    format!("version: 1\nsegments:\n  - id: often\n    when: count(order, last 1d) >= {times}\n")
}

#[test]
fn killed_at_any_moment_everything_is_there_once_when_it_was_sent_again() {
    let number = |name: &str| std::env::var(name).ok().map(|s| s.parse::<u64>().unwrap());
    // SplitMix64: a few moments, no more.
    let mut chance = number("GYUL_SEED").unwrap_or(1);
    let mut below = move |n: u64| {
        chance = chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (chance ^ (chance >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % n
    };
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = &key(&data);
    let (batches, acked, files, times) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(1));
    for round in 0..number("GYUL_ROUNDS").unwrap_or(3) {
        let mut server = Server::start(&data, key);
        let first = batches.load(Ordering::SeqCst);
        let (over, said) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (file_sent, process) = (AtomicUsize::new(usize::MAX), server.process.id().to_string());
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        let n = batches.fetch_add(1, Ordering::SeqCst);
                        if let Some((status, said)) = server.ask("POST", "/api/v1/events", &batch(n)) {
                            assert_eq!(status, 200, "{said}");
                            acked.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            s.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let n = files.fetch_add(1, Ordering::SeqCst);
                    file_sent.store(n, Ordering::SeqCst);
                    let Some(()) = server.import(&file(n)) else { return };
                    file_sent.store(usize::MAX, Ordering::SeqCst);
                    let next = times.load(Ordering::SeqCst) + 1;
                    times.store(next, Ordering::SeqCst);
                    let Some((status, answer)) = server.ask("PUT", "/api/v1/segments/often", &often(next)) else {
                        return;
                    };
                    assert_eq!(status, 200, "{answer}");
                    said.store(next, Ordering::SeqCst);
                }
            });
            std::thread::sleep(Duration::from_millis(below(1500)));
            assert!(Command::new("kill").args(["-9", &process]).status().unwrap().success());
            over.store(true, Ordering::SeqCst);
        });
        server.process.wait().unwrap();
        let mut server = Server::start(&data, key);
        let what = format!("round {round}");
        // What was said to be so is so; what nobody answered to may be.
        if let (said @ 1.., last) = (said.into_inner(), times.load(Ordering::SeqCst)) {
            let is = server.get("/api/v1/segments/often")["yaml"].as_str().unwrap().to_string();
            assert!((said..=last).any(|n| is.contains(&format!(">= {n}"))), "{what}: {said}..={last}: {is}");
        }
        for n in first..batches.load(Ordering::SeqCst) {
            let (status, said) = server.ask("POST", "/api/v1/events", &batch(n)).unwrap();
            assert_eq!(status, 200, "{what}: {said}");
        }
        let unsure = file_sent.into_inner();
        if unsure != usize::MAX {
            server.import(&file(unsure)).unwrap();
        }
        let want = 20 * batches.load(Ordering::SeqCst) as u64 + 30 * files.load(Ordering::SeqCst) as u64;
        let there = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            server.events() == want
        });
        assert!(there, "{what}: {} events, not {want}", server.events());
        let sizes = server.sizes();
        server.process.kill().unwrap();
        server.process.wait().unwrap();
        let mut server = Server::start(&data, key);
        assert_eq!((server.sizes(), server.events()), (sizes, want), "{what}: after one more");
        // A file takes along what the log has: then the command line sees all of it.
        server.import(&file(files.fetch_add(1, Ordering::SeqCst))).unwrap();
        let sizes = server.sizes();
        let id = server.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(server.process.wait().unwrap().success());
        let out = gyul(&data, &["segments", "count", "--format", "json"]).output().unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).unwrap();
        // Definitions that were made in the server are the server's.
        let both = rows.iter().filter_map(|r| Some((r, sizes.get(r["segment"].as_str()?)?)));
        assert!(both.clone().count() > 20);
        both.for_each(|(row, size)| assert_eq!(row["count"], *size, "{what}: {row}"));
    }
    let acked = acked.into_inner();
    assert!(acked > 10, "only {acked} batches were acknowledged");
}
