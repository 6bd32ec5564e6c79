//! What strangers send, to a real server: each is answered with no, or taken for what it is; nobody else waits for it, memory
//! stays bounded, and the server is well afterwards.

mod server;

use server::{Server, key};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn head(&self, method: &str, path: &str, more: &str, length: usize) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{more}\
             Content-Length: {length}\r\n\r\n",
            self.address, self.key
        )
    }

    /// The status of the answer. 0: hung up on, which is an answer, too.
    fn send(&self, head: &[u8], body: &[u8]) -> u16 {
        let mut stream = self.connect();
        // Who is refused early may be hung up on before all is sent.
        let _ = stream.write_all(head).and_then(|()| stream.write_all(body));
        let mut answer = vec![];
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    fn post(&self, path: &str, more: &str, body: &[u8]) -> u16 {
        self.send(self.head("POST", path, more, body.len()).as_bytes(), body)
    }

    /// The most memory that it ever had, in MiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Somebody else is served at once.
    fn is_well(&self, what: &str) {
        let begun = Instant::now();
        let event = br#"{"customer":"C1","name":"Product Viewed"}"#;
        assert_eq!(self.post("/api/v1/events", "", event), 200, "{what}: an ordinary event");
        assert_eq!(self.send(self.head("GET", "/ready", "", 0).as_bytes(), b""), 200, "{what}: ready");
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", begun.elapsed());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let out = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    out
}

#[test]
fn hostile_requests_are_answered_and_hurt_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &key(&data));
    server.is_well("at first");
    let before = server.memory();
    let paths =
        ["/api/v1/events", "/v1/track", "/v1/batch", "/v1/identify", "/mp/collect?measurement_id=G&api_secret=x"];
    let deep = |open: &str, close: &str, n: usize| [open.repeat(n), close.repeat(n)].concat().into_bytes();
    let inside = |value: &str| {
        format!(
            r#"{{"customer":"C1","userId":"C1","name":"A","event":"A","props":{{"x":{value}}},"properties":{{"x":{value}}}}}"#
        )
    };
    let digits = "9".repeat(20_000);
    let mut bodies: Vec<(&str, Vec<u8>)> = vec![
        ("deep lists", deep("[", "]", 100_000)),
        ("deep objects", deep("{\"a\":", "}", 60_000)),
        ("lists without end", "[".repeat(200_000).into_bytes()),
        ("deep in a property", inside(&String::from_utf8(deep("[", "]", 50_000)).unwrap()).into_bytes()),
        ("bad UTF-8", b"{\"customer\":\"C1\",\"name\":\"\xff\xfe\xc0\xaf\"}".to_vec()),
        ("half a surrogate", inside(r#""\ud800""#).into_bytes()),
        ("zeros", vec![0; 100_000]),
        ("nothing", vec![]),
        (
            "keys without end",
            format!("{{{}}}", (0..20_000).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(",")).into_bytes(),
        ),
        ("10 MB in a property", inside(&format!("\"{}\"", "x".repeat(10 << 20))).into_bytes()),
    ];
    for number in
        ["1e999999999", "-1e-999999999", "9223372036854775808", "-0", &digits, &format!("0.{digits}"), "1e18", "NaN"]
    {
        bodies.push(("a number", inside(number).into_bytes()));
        bodies.push((
            "an instant",
            format!(r#"{{"customer":"C1","name":"A","ts":{number},"timestamp":{number}}}"#).into_bytes(),
        ));
    }
    for (what, body) in &bodies {
        for path in paths {
            let status = server.post(path, "Content-Type: application/json\r\n", body);
            // Refused with a reason, or taken: a large number is a number, a bad text is text. Never a fault of ours.
            assert!((200..500).contains(&status), "{what} to {path}: {status}");
            if what.starts_with("10 MB") {
                assert_eq!(status, 413, "{path}");
            }
        }
    }
    server.is_well("after bad bodies");
    // 200 MiB of zeros in 200 kB, once and within itself.
    let bomb = gzip(&vec![0; 200 << 20]);
    for body in [&bomb, &gzip(&bomb)] {
        for path in paths {
            let status = server.post(path, "Content-Encoding: gzip\r\n", body);
            assert!((400..500).contains(&status), "a bomb to {path}: {status}");
        }
    }
    server.is_well("after bombs");
    for head in [
        &b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"GET /api/v1/customers/%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(head).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = vec![];
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 5"), "{}: {text}", head.escape_ascii());
    }
    let endless = [b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec(), vec![b'a'; 4 << 20]].concat();
    assert!([0, 400, 431].contains(&server.send(&endless, b"")));
    server.is_well("after bad heads");
    // Everybody's memory, and what the bodies take at once: far from what was sent.
    let grown = server.memory() - before;
    assert!(grown < 200, "{grown} MiB more at the most");
}

/// Every list's filters, cursors and instants are anybody's text.
#[test]
fn queries_of_any_text_are_answered_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &key(&data));
    let paths = [
        "/api/v1/customers",
        "/api/v1/segments",
        "/api/v1/segments/bought_month/members",
        "/api/v1/segments/bought_month/history",
        "/api/v1/changes",
        "/api/v1/quarantine",
        "/api/v1/events",
        "/api/v1/audit",
        "/api/v1/imports",
        "/api/v1/explore/funnel",
        "/segments",
        "/customers",
        "/changes",
        "/explore",
    ];
    let names =
        ["cursor", "limit", "from", "to", "at", "q", "segment", "customer", "every", "lang", "sort", "format", "page"];
    let values = [
        "",
        "-1",
        "0",
        "18446744073709551616",
        "99999999999999999999999",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "1e9",
        "NaN",
        "%EA%B7%A4",
        "'%22%3Cscript%3E",
        "0001-01-01",
        "9999-12-31",
        "-9223372036854775808",
        "2026-02-30",
        "..%2F..%2Fetc%2Fpasswd",
        "eyJhIjoxfQ",
        "AAAAAAAAAAAAAAAA",
        "////////////",
    ];
    let pairs = paths.iter().flat_map(|path| names.iter().map(move |name| (path, name)));
    for (k, (path, name)) in pairs.enumerate() {
        // A quarter of the values each, another one each time: what a key may ask in a second is limited.
        for value in values.iter().skip(k % 4).step_by(4) {
            let target = format!("{path}?{name}={value}");
            let ask = || server.send(server.head("GET", &target, "", 0).as_bytes(), b"");
            let mut status = ask();
            while status == 429 {
                std::thread::sleep(Duration::from_millis(100));
                status = ask();
            }
            assert!((200..500).contains(&status), "{target}: {status}");
        }
    }
    server.is_well("after queries");
}

#[test]
fn slow_and_many_connections_hurt_nobody_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &key(&data));
    // Half a head, half a body, a body by the byte: each holds its own connection and nothing else.
    let mut slow = vec![];
    for i in 0..100 {
        let mut stream = server.connect();
        let head = server.head("POST", "/v1/track", "", 1000);
        let sent = match i % 3 {
            0 => head[..head.len() / 2].to_string(),
            1 => head,
            _ => head + "{\"userId\":",
        };
        stream.write_all(sent.as_bytes()).unwrap();
        slow.push(stream);
    }
    for _ in 0..3 {
        server.is_well("beside slow ones");
        slow.iter_mut().for_each(|s| drop(s.write_all(b"x")));
    }
    // As many as one may open here, of 10,000: one address gets so many places, and whoever says nothing loses theirs.
    let before = server.memory();
    let crowd: Vec<TcpStream> = (0..10_000).map_while(|_| TcpStream::connect(&server.address).ok()).collect();
    assert!(crowd.len() >= 500, "{}", crowd.len());
    let mut answered = false;
    for _ in 0..300 {
        // Hung up on while the crowd has all places of this address.
        answered = server.send(server.head("GET", "/ready", "", 0).as_bytes(), b"") == 200;
        if answered {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(answered, "{} connections that say nothing keep everybody out", crowd.len());
    let grown = server.memory() - before;
    assert!(grown < 400, "{grown} MiB for {} connections", crowd.len());
    drop((crowd, slow));
    server.is_well("when the crowd has gone");
}
