//! Load over HTTP from a process of its own, in the shape that Segment's libraries send.
//!
//! gyul-bench-load --url HOST:PORT --key WRITE_KEY [--read-key KEY] [--rate 10000] [--batch 100] [--seconds 15]
//!   [--connections 4] [--customers 1000000] [--probe SEGMENT]
//! Sends batches of events of the reference workload's customers, in its mix, at a steady rate and prints a line of JSON: what was reached, and the time from sending a
//! request to its answer (p50/p99/max). With `--probe`, which names a segment that is entered by the event `bench_probe`,
//! it sends one such event of a new customer ten times a second and measures the time from its acknowledgement to the
//! arrival of the change on `/v1/changes`. Latencies count from when a request was due, so that a stall is not forgotten.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Options {
    url: String,
    key: String,
    rate: f64,
    batch: usize,
    seconds: f64,
    customers: u64,
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let or = |name: &str, value: &str| flag(name).unwrap_or(value.into());
    let options = Arc::new(Options {
        url: flag("--url").ok_or("--url HOST:PORT, please")?,
        key: flag("--key").ok_or("--key WRITE_KEY, please")?,
        rate: or("--rate", "10000").parse()?,
        batch: or("--batch", "100").parse()?,
        seconds: or("--seconds", "15").parse()?,
        customers: or("--customers", "1000000").parse()?,
    });
    let connections: u64 = or("--connections", "4").parse()?;
    let failed = Arc::new(AtomicU64::new(0));
    let probe = match flag("--probe") {
        Some(segment) => {
            let key = flag("--read-key").ok_or("--read-key KEY, to read the changes")?;
            let (o, f) = (options.clone(), failed.clone());
            Some(std::thread::spawn(move || probes(&o, &key, &segment, &f)))
        }
        None => None,
    };
    let start = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let (options, failed) = (options.clone(), failed.clone());
            std::thread::spawn(move || sender(&options, n, connections, &failed))
        })
        .collect();
    let mut latencies: Vec<f64> = vec![];
    let mut sent = 0;
    for t in threads {
        let (n, l) = t.join().map_err(|_| "a connection panicked")??;
        sent += n;
        latencies.extend(l);
    }
    let wall = start.elapsed().as_secs_f64();
    let mut report = json!({"asked": options.rate, "acked/s": sent as f64 / wall, "batch": options.batch,
        "connections": connections, "failed requests": failed.load(Ordering::Relaxed), "answer ms": spread(&mut latencies)});
    if let Some(probe) = probe {
        let (mut seen, lost) = probe.join().map_err(|_| "the probe panicked")??;
        report["visible ms"] = spread(&mut seen);
        report["probes"] = json!({"seen": seen.len(), "not seen": lost});
    }
    println!("{report}");
    Ok(())
}

fn spread(ms: &mut [f64]) -> Value {
    ms.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| ms.get(((ms.len() as f64 - 1.0) * q) as usize).map(|x| (x * 1000.0).round() / 1000.0);
    json!({"p50": at(0.5), "p99": at(0.99), "max": at(1.0)})
}

/// One connection, kept alive.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    host: String,
    key: String,
}

impl Connection {
    fn open(url: &str, key: &str) -> Fallible<Connection> {
        let stream = TcpStream::connect(url)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { reader: BufReader::new(stream.try_clone()?), stream, host: url.into(), key: key.into() })
    }

    fn post(&mut self, path: &str, body: &[u8]) -> Fallible<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.host,
            self.key,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request)?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no answer")?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(status)
    }
}

struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }
}

/// A customer of the reference workload, as its generator numbers them.
fn customer(i: u64) -> u64 {
    let z = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 1
}

const CATEGORIES: [&str; 6] = ["snacks", "bedding", "beauty", "shoes", "food_fresh", "pets"];
const CHANNELS: [&str; 4] = ["email", "sms", "kakao", "push"];

/// Events in a thousand of each name: the mix of the reference workload.
const MIX: [(&str, u64); 11] = [
    ("message_sent", 268),
    ("product_view", 207),
    ("page_view", 191),
    ("message_opened", 62),
    ("add_to_cart", 57),
    ("login", 51),
    ("checkout_started", 46),
    ("order_completed", 41),
    ("search", 35),
    ("message_clicked", 18),
    ("review", 24),
];

fn event(draw: &mut Draw, id: &str, who: &str, now: &str) -> String {
    let mut at = draw.below(MIX.iter().map(|(_, n)| n).sum());
    let name = MIX.iter().find(|(_, n)| {
        let found = at < *n;
        at = at.wrapping_sub(*n);
        found
    });
    let name = name.map_or("page_view", |(name, _)| name);
    let product = draw.below(24_000);
    let (category, price) = (CATEGORIES[draw.below(6) as usize], 1_000 + 100 * draw.below(900));
    let item = format!(r#""product_id":{product},"category":"{category}""#);
    let properties = match name {
        "message_sent" | "message_opened" | "message_clicked" => {
            format!(r#""campaign_id":{},"channel":"{}""#, product % 200, CHANNELS[product as usize % 4])
        }
        "order_completed" => format!(r#""order_id":"{id}",{item},"price":{price},"quantity":1,"amount":{price}"#),
        "product_view" | "add_to_cart" => format!(r#"{item},"price":{price}"#),
        "checkout_started" => format!(r#""amount":{price}"#),
        "search" => format!(r#""query":"q{product}""#),
        "review" => format!(r#"{item},"rating":{}"#, 1 + product % 5),
        _ => String::new(),
    };
    let common = format!(r#""type":"track","messageId":"{id}","userId":"{who}","timestamp":"{now}""#);
    format!(r#"{{{common},"event":"{name}","properties":{{{properties}}}}}"#)
}

fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    gyul_model::Instant(since.as_micros() as i64).to_string()
}

/// Events that were taken, and the milliseconds of each request.
fn sender(o: &Options, n: u64, of: u64, failed: &AtomicU64) -> Fallible<(u64, Vec<f64>)> {
    let mut connection = Connection::open(&o.url, &o.key)?;
    let mut draw = Draw(n * 7 + 1);
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros();
    let every = Duration::from_secs_f64(o.batch as f64 * of as f64 / o.rate);
    let start = Instant::now();
    let mut due = start + every.mul_f64(n as f64 / of as f64);
    let (mut taken, mut latencies, mut made) = (0, vec![], 0_u64);
    while due.duration_since(start).as_secs_f64() < o.seconds {
        let at = now();
        let mut body = String::from(r#"{"batch":["#);
        for i in 0..o.batch {
            made += 1;
            let who = customer(draw.below(o.customers)).to_string();
            body.push_str(if i == 0 { "" } else { "," });
            body.push_str(&event(&mut draw, &format!("{run}-{n}-{made}"), &who, &at));
        }
        body.push_str(&format!(r#"],"sentAt":"{at}"}}"#));
        if let Some(rest) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(rest);
        }
        match connection.post("/v1/batch", body.as_bytes()) {
            Ok(200) => taken += o.batch as u64,
            Ok(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
            Err(_) => {
                failed.fetch_add(1, Ordering::Relaxed);
                connection = Connection::open(&o.url, &o.key)?;
            }
        }
        latencies.push(due.elapsed().as_secs_f64() * 1000.0);
        due += every;
    }
    Ok((taken, latencies))
}

/// Milliseconds from an acknowledged probe to its change, and how many never came.
fn probes(o: &Options, read_key: &str, segment: &str, failed: &AtomicU64) -> Fallible<(Vec<f64>, usize)> {
    let mut stream = TcpStream::connect(&o.url)?;
    stream.write_all(
        format!(
            "GET /v1/changes?segment={segment} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {read_key}\r\naccept: text/event-stream\r\n\r\n",
            o.url
        )
        .as_bytes(),
    )?;
    let arrived: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let noted = arrived.clone();
    let reader = BufReader::new(stream);
    std::thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            let at = Instant::now();
            let Some(data) = line.strip_prefix("data:") else { continue };
            let Ok(change) = serde_json::from_str::<Value>(data) else { continue };
            if let Some(who) = change["customer"].as_str() {
                noted.lock().unwrap_or_else(|e| e.into_inner()).entry(who.into()).or_insert(at);
            }
        }
    });
    std::thread::sleep(Duration::from_millis(500));
    let mut connection = Connection::open(&o.url, &o.key)?;
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros();
    let start = Instant::now();
    let mut acked: HashMap<String, Instant> = HashMap::new();
    for n in 0.. {
        let due = start + Duration::from_millis(100 * n);
        if due.duration_since(start).as_secs_f64() > o.seconds - 1.0 {
            break;
        }
        if let Some(rest) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(rest);
        }
        let who = format!("probe-{run}-{n}");
        let body = json!({"userId": who, "event": "bench_probe", "messageId": who, "timestamp": now()}).to_string();
        match connection.post("/v1/track", body.as_bytes()) {
            Ok(200) => drop(acked.insert(who, Instant::now())),
            _ => drop(failed.fetch_add(1, Ordering::Relaxed)),
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    let arrived = arrived.lock().unwrap_or_else(|e| e.into_inner());
    let seen: Vec<f64> = acked
        .iter()
        .filter_map(|(who, at)| {
            let seen = arrived.get(who)?;
            Some(seen.checked_duration_since(*at).unwrap_or_default().as_secs_f64() * 1000.0)
        })
        .collect();
    let lost = acked.len() - seen.len();
    Ok((seen, lost))
}
