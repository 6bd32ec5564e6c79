//! Over real sockets: the stream of changes, slow clients, stopping.

use super::*;
use crate::data::Moved;
use crate::{ServeError, Started, serve_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub struct Server {
    pub fake: Arc<Fake>,
    pub key: String,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Result<(), ServeError>>>,
}

impl Server {
    pub fn start(change: impl FnOnce(&mut Options)) -> Server {
        Server::on(Arc::new(Fake::default()), change)
    }

    /// On a backend that may have been served before.
    pub fn on(fake: Arc<Fake>, change: impl FnOnce(&mut Options)) -> Server {
        let key = make_key(&*fake, "k", Role::Owner, T).unwrap();
        let mut options = Options { listen: ([127, 0, 0, 1], 0).into(), log: Arc::new(|_| {}), ..Options::default() };
        change(&mut options);
        let ((told, address), (stop, stopped)) = (std::sync::mpsc::channel(), oneshot::channel());
        let backend: Arc<dyn crate::Backend> = fake.clone();
        let thread = std::thread::spawn(move || {
            let started = |s: &Started| told.send(s.address).unwrap();
            serve_until(backend, options, started, async { drop(stopped.await) })
        });
        let address = address.recv().unwrap();
        Server { fake, key, address, stop: Some(stop), thread: Some(thread) }
    }

    pub fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // Hung up on already, perhaps.
        let _ = stream.write_all(head.as_bytes());
        stream
    }

    fn get(&self, path: &str, more: &str) -> TcpStream {
        self.connect(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{more}\r\n", self.key))
    }

    pub fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        self.stop.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap().unwrap();
        begun.elapsed()
    }
}

pub fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains(wanted) {
        let n = stream.read(&mut piece).unwrap_or(0);
        assert!(n > 0, "ended without {wanted}: {text}");
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
    }
    text
}

#[test]
fn changes_stream_are_filtered_resume_and_end_when_the_server_stops() {
    let mut server = Server::start(|_| {});
    server.fake.change("C0", "vip", Moved::Entered);
    server.fake.change("C1", "other", Moved::Entered);
    let mut all = server.get("/v1/changes?from=0", "");
    let mut vip = server.get("/v1/changes?from=0&segment=vip", "");
    let mut new = server.get("/v1/changes", "");
    assert!(until(&mut all, "C1").contains("id: 0\nevent: change\ndata: {"));
    until(&mut new, "retry: 2000");
    server.fake.change("C2", "vip", Moved::Left);
    let seen = until(&mut vip, "C2");
    assert!(seen.contains("C0") && !seen.contains("C1") && seen.contains("\"moved\":\"left\""), "{seen}");
    let seen = until(&mut new, "C2");
    assert!(!seen.contains("C0"), "from now on");
    let mut resumed = server.get("/v1/changes?from=0", "Last-Event-ID: 1\r\n");
    let seen = until(&mut resumed, "C2");
    assert!(!seen.contains("C1"), "{seen}");
    assert!(server.stop() < Duration::from_secs(3), "open streams do not hold it up");
    assert!(server.fake.with(|s| s.stopped));
}

#[test]
fn a_stream_ends_when_its_key_is_taken_out_of_force() {
    let mut server = Server::start(|_| {});
    let made = {
        let body = r#"{"name":"x","role":"analyst"}"#;
        let head = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let key = &server.key;
        let mut stream =
            server.connect(&format!("POST /api/v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{head}"));
        let text = until(&mut stream, "}");
        serde_json::from_str::<Value>(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let mut stream =
        server.connect(&format!("GET /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"));
    until(&mut stream, "retry");
    let owner = &server.key;
    let mut gone = server
        .connect(&format!("DELETE /api/v1/keys/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {owner}\r\n\r\n"));
    until(&mut gone, "204");
    server.fake.change("C0", "vip", Moved::Entered);
    let last = until(&mut stream, "unauthorized");
    assert!(!last.contains("C0"), "{last}");
    server.stop();
}

#[test]
fn slow_heads_are_hung_up_on() {
    let mut server = Server::start(|o| o.header_timeout = Duration::from_millis(200));
    let mut slow = server.connect("GET /health HTTP/1.1\r\nHost:");
    let begun = Instant::now();
    let mut rest = vec![];
    // Closed or reset, either ends it.
    let _ = slow.read_to_end(&mut rest);
    assert!(begun.elapsed() < Duration::from_secs(3));
    until(&mut server.get("/health", ""), "alive");
    server.stop();
}

#[test]
fn connections_over_the_limit_wait_for_a_place() {
    let mut server = Server::start(|o| {
        o.connections_max = 2;
        o.header_timeout = Duration::from_millis(500);
    });
    let (_a, _b) = (server.connect("GET"), server.connect("GET"));
    // Served when the two idle ones have been hung up on.
    until(&mut server.get("/health", ""), "alive");
    server.stop();
}

#[test]
fn a_crowd_from_one_address_is_hung_up_on() {
    let mut server = Server::start(|o| o.connections_per_address = 3);
    let held: Vec<TcpStream> = (0..3).map(|_| server.connect("GET")).collect();
    let mut refused = server.connect("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = vec![];
    // Closed or reset, either is no answer.
    let _ = refused.read_to_end(&mut answer);
    assert!(answer.is_empty());
    drop(held);
    std::thread::sleep(Duration::from_millis(200));
    until(&mut server.get("/health", ""), "alive");
    server.stop();
}

#[test]
fn a_request_under_way_is_finished_when_the_server_stops() {
    let mut server = Server::start(|_| {});
    let body = r#"{"type":"track","event":"X","userId":"C1","messageId":"m"}"#;
    let head = format!(
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        server.key,
        body.len()
    );
    let mut stream = server.connect(&head);
    std::thread::sleep(Duration::from_millis(200));
    let stop = server.stop.take().unwrap();
    stop.send(()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(body.as_bytes()).unwrap();
    until(&mut stream, r#"{"success":true}"#);
    server.thread.take().unwrap().join().unwrap().unwrap();
    assert_eq!(server.fake.with(|s| (s.messages.len(), s.stopped)), (1, true));
}

#[test]
fn nobody_listens_to_the_world_without_a_key() {
    let options = || Options { listen: ([0, 0, 0, 0], 0).into(), log: Arc::new(|_| {}), ..Options::default() };
    let refused = serve_until(Arc::new(Fake::default()), options(), |_| {}, async {});
    assert!(matches!(refused, Err(ServeError::NoKey(_))));
    let fake = Arc::new(Fake::default());
    make_key(&*fake, "k", Role::Owner, T).unwrap();
    let mut token = None;
    serve_until(fake, options(), |s| token = s.setup_token.clone(), async {}).unwrap();
    assert!(token.is_some(), "there is a key but no owner yet");
}

/// For trying clients by hand, such as schemathesis: serves the backend in memory until its standard input ends.
/// `cargo test -p gyul-web by_hand -- --ignored --nocapture`
#[test]
#[ignore = "serves until its input ends"]
fn by_hand() {
    let mut server = Server::start(|o| {
        o.hot_rate = Rate { per_second: 1e6, burst: 1e6 };
        (o.api_rate, o.stranger_rate) = (o.hot_rate, o.hot_rate);
    });
    println!("http://{} {}", server.address, server.key);
    let _ = std::io::stdin().read_to_end(&mut vec![]);
    let (messages, rejects) = server.fake.with(|s| (s.messages.len(), s.rejects.len()));
    println!("{messages} messages, {rejects} rejects");
    server.stop();
}
