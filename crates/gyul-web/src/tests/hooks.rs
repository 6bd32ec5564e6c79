//! Changes told to receivers that are slow, broken, gone, or fine.

use super::live::{Server, until};
use super::*;
use crate::data::Moved;
use crate::hooks::{Letter, Post, post_by_network, sign};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

/// What arrived, and what the receiver answers to the nth.
struct Receiver {
    letters: Arc<Mutex<Vec<(u64, String)>>>,
    post: Post,
}

fn receiver(answer: impl Fn(u64, usize) -> Result<u16, String> + Send + Sync + 'static) -> Receiver {
    let letters: Arc<Mutex<Vec<(u64, String)>>> = Arc::default();
    let seen = Arc::clone(&letters);
    let post = move |letter: &Letter| {
        let body: Value = serde_json::from_str(&letter.body).unwrap();
        let offset: u64 = body["id"].as_str().unwrap().parse().unwrap();
        let mut seen = seen.lock().unwrap();
        let attempt = seen.iter().filter(|(o, _)| *o == offset).count();
        let id = letter.headers.iter().find(|(n, _)| *n == "webhook-id").unwrap().1.clone();
        seen.push((offset, id));
        answer(offset, attempt)
    };
    Receiver { letters, post: Arc::new(post) }
}

impl Receiver {
    fn offsets(&self) -> Vec<u64> {
        self.letters.lock().unwrap().iter().map(|(o, _)| *o).collect()
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn call(server: &Server, method: &str, path: &str, body: &str) -> String {
    let (key, n) = (&server.key, body.len());
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n");
    let mut stream = server.connect(&format!("{head}Content-Length: {n}\r\n\r\n{body}"));
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_string()
}

fn hook(server: &Server, only: Option<&str>) -> Value {
    only.into_iter().for_each(|id| server.fake.define(id));
    let body = json!({ "url": "http://127.0.0.1:9/hook", "segment": only, "from": 0 }).to_string();
    serde_json::from_str(&call(server, "POST", "/api/v1/hooks", &body)).unwrap()
}

fn hooks(server: &Server) -> Value {
    let list: Value = serde_json::from_str(&call(server, "GET", "/api/v1/hooks", "")).unwrap();
    list["items"][0].clone()
}

fn serve(fake: Arc<Fake>, r: &Receiver) -> Server {
    let post = Arc::clone(&r.post);
    Server::on(fake, |o| {
        o.post = post;
        o.hook_waits = vec![Duration::from_millis(1); 2];
    })
}

#[test]
fn changes_arrive_in_order_with_retries_and_go_on_after_a_restart() {
    let fake = Arc::new(Fake::default());
    for i in 0..6 {
        fake.change(&format!("C{i}"), ["vip", "other"][i % 2], Moved::Entered);
    }
    // The second attempt at 2 succeeds.
    let r = receiver(|offset, attempt| if offset == 2 && attempt == 0 { Err("no route".into()) } else { Ok(204) });
    let mut server = serve(fake.clone(), &r);
    let made = hook(&server, Some("vip"));
    wait("delivery", || r.offsets() == [0, 2, 2, 4]);
    let ids: Vec<String> = r.letters.lock().unwrap().iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(ids[1], ids[2], "a retry has the id of the first attempt");
    assert!(ids[1].starts_with(made["id"].as_str().unwrap()));
    fake.change("C6", "vip", Moved::Left);
    wait("the next", || r.offsets() == [0, 2, 2, 4, 6]);
    server.stop();
    fake.change("C7", "vip", Moved::Entered);
    let mut server = serve(fake, &r);
    wait("the one after the restart", || r.offsets().last() == Some(&7));
    assert_eq!(r.offsets(), [0, 2, 2, 4, 6, 7], "nothing is told twice after a stop in good order");
    server.stop();
}

#[test]
fn what_nobody_takes_is_dead_until_somebody_sends_it_again() {
    let fake = Arc::new(Fake::default());
    for i in 0..3 {
        fake.change(&format!("C{i}"), "vip", Moved::Entered);
    }
    let r = receiver(|offset, attempt| if offset == 1 && attempt < 3 { Ok(500) } else { Ok(200) });
    let mut server = serve(fake, &r);
    let made = hook(&server, None);
    wait("all", || r.offsets() == [0, 1, 1, 1, 2]);
    wait("the dead letter", || hooks(&server)["dead"][0]["reason"] == "status 500");
    assert_eq!(hooks(&server)["dead"][0]["offset"], 1);
    call(&server, "POST", &format!("/api/v1/hooks/{}/retry", made["id"].as_str().unwrap()), "");
    wait("the retry", || r.offsets() == [0, 1, 1, 1, 2, 1]);
    wait("the end of the dead letter", || hooks(&server)["dead"] == json!([]));
    let metrics = call(&server, "GET", "/metrics", "");
    assert!(metrics.contains("gyul_hooks_delivered_total 3\n") && metrics.contains("gyul_hooks_failed_total 3\n"));
    server.stop();
}

#[test]
fn who_answers_gone_is_told_no_more() {
    let fake = Arc::new(Fake::default());
    fake.change("C0", "vip", Moved::Entered);
    fake.change("C1", "vip", Moved::Entered);
    let r = receiver(|_, attempt| if attempt == 0 { Ok(410) } else { Ok(200) });
    let mut server = serve(fake, &r);
    let made = hook(&server, None);
    wait("the pause", || hooks(&server)["active"] == false);
    assert_eq!(r.offsets(), [0]);
    call(&server, "POST", &format!("/api/v1/hooks/{}/retry", made["id"].as_str().unwrap()), "");
    wait("going on", || r.offsets().starts_with(&[0, 0, 1]));
    call(&server, "DELETE", &format!("/api/v1/hooks/{}", made["id"].as_str().unwrap()), "");
    wait("the end", || hooks(&server).is_null());
    server.stop();
}

#[test]
fn a_letter_over_the_network_is_signed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let fake = Arc::new(Fake::default());
    fake.change("C0", "vip", Moved::Entered);
    let mut server = Server::on(fake, |o| o.post = post_by_network());
    let body = json!({ "url": url, "from": 0 }).to_string();
    let made: Value = serde_json::from_str(&call(&server, "POST", "/api/v1/hooks", &body)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let text = until(&mut stream, ".v1\"}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|l| l.to_lowercase().starts_with(&format!("{name}:"))).unwrap();
        line.split_once(':').unwrap().1.trim().to_string()
    };
    let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
    let signed = sign(made["secret"].as_str().unwrap(), &header("webhook-id"), timestamp, body);
    assert_eq!(header("webhook-signature"), signed);
    assert_eq!(header("content-type"), "application/cloudevents+json");
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&event["type"], &event["subject"]), (&json!("gyul.segment.entered.v1"), &json!("C0")));
    server.stop();
}

#[tokio::test]
async fn hooks_have_one_filter_and_an_address() {
    let bed = Bed::new();
    for (body, code) in [
        (json!({ "url": "ftp://x/hook" }), "bad_url"),
        (json!({ "url": "not a url" }), "bad_url"),
        (json!({ "url": "http://x/hook", "segment": "a", "partition": "b" }), "bad_filter"),
    ] {
        bed.post("/api/v1/hooks", body.to_string()).await.is_problem(400, code);
    }
    bed.put("/api/v1/partitions/life", "x").await;
    let made = bed.post("/api/v1/hooks", r#"{"url":"http://x/hook","partition":"life"}"#).await;
    assert_eq!(made.status, 201);
    let secret = made.json()["secret"].as_str().unwrap().to_string();
    let listed = bed.get("/api/v1/hooks").await;
    assert!(!listed.text().contains(&secret) && listed.text().contains("life"));
    bed.delete("/api/v1/hooks/x").await.is_problem(404, "not_found");
    bed.post("/api/v1/hooks/x/retry", "").await.is_problem(404, "not_found");
}

/// With the feature, https is tried and says what is wrong; without, such a hook cannot be made.
#[test]
fn https_is_spoken_with_the_feature_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    assert_eq!(crate::hooks::can_post(&url), cfg!(feature = "tls"));
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 3];
        std::io::Read::read_exact(&mut stream, &mut hello).map(|()| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            hello
        })
    });
    let sent = post_by_network()(&Letter { url, headers: vec![], body: "{}".into() });
    assert!(sent.is_err(), "who does not speak TLS is not believed");
    if cfg!(feature = "tls") {
        // A handshake record of TLS.
        assert_eq!(answer.join().unwrap().unwrap()[..2], [0x16, 0x03]);
    }
}
