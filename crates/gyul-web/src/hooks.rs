//! Changes go out: each hook is told of its segments' changes in their order, signed, until it has them.
//!
//! At least once: the place reached is kept every few seconds, so after a crash some are told again, with the same ids.
//! A letter that no attempt delivered is dead: its offset is kept, its hook goes on, and it can be sent again by hand.

use crate::access::{Hook, Record};
use crate::app::App;
use crate::data::{Change, DefKind, Moved};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Changes read at once.
const CHUNK: usize = 200;
/// How often the place reached is kept.
const KEEP_EVERY: Duration = Duration::from_secs(5);
/// Dead letters of a hook; with more, it is paused: somebody has to look.
pub const DEAD_MAX: usize = 1000;

/// What is posted. No `Debug`: bodies name customers.
pub struct Letter {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// Posts letters. Blocks, for at most its own timeout, and follows no redirects.
pub type Post = Arc<dyn Fn(&Letter) -> Result<u16, String> + Send + Sync>;

/// Over the network. Without the feature `tls`, to plain `http` only.
pub fn post_by_network() -> Post {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(15)))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("gyul/", env!("CARGO_PKG_VERSION")));
    let agent = config.build().new_agent();
    Arc::new(move |letter| {
        let mut request = agent.post(&letter.url);
        for (name, value) in &letter.headers {
            request = request.header(*name, value);
        }
        // The library's words name the host at most.
        let response = request.send(letter.body.as_str()).map_err(|e| e.to_string())?;
        Ok(response.status().as_u16())
    })
}

/// Whether this build can post there.
pub fn can_post(url: &str) -> bool {
    let host =
        |rest: &str| !rest.is_empty() && !rest.starts_with(['/', '?', '#']) && !url.contains(char::is_whitespace);
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => cfg!(feature = "tls") && host(rest),
        (_, Some(rest)) => host(rest),
        _ => false,
    }
}

/// The signature of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A change as a CloudEvent. Its id is the same each time it is told.
pub fn event(change: &Change) -> Value {
    let kind = match change.what.kind {
        DefKind::Segment => "segment",
        DefKind::Partition => "partition",
        DefKind::Measure => "measure",
    };
    let moved = match change.moved {
        Moved::Entered => "entered",
        Moved::Left => "left",
    };
    json!({
        "specversion": "1.0",
        "id": change.offset.to_string(),
        "source": "/gyul/changes",
        "type": format!("gyul.{kind}.{moved}.v1"),
        "subject": change.customer,
        "time": change.at.to_string(),
        "datacontenttype": "application/json",
        "data": change,
    })
}

fn letter(id: &str, hook: &Hook, change: &Change, now_s: i64) -> Letter {
    let body = event(change).to_string();
    let message = format!("{id}-{}", change.offset);
    let headers = vec![
        ("content-type", "application/cloudevents+json".to_string()),
        ("webhook-signature", sign(&hook.secret, &message, now_s, &body)),
        ("webhook-id", message),
        ("webhook-timestamp", now_s.to_string()),
    ];
    Letter { url: hook.url.clone(), headers, body }
}

/// Keeps one worker for each hook in force until the server stops.
pub async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.subscribe();
    let mut changed = app.hooks_changed.subscribe();
    let mut workers: HashMap<String, JoinHandle<()>> = HashMap::new();
    loop {
        changed.borrow_and_update();
        let wanted: Vec<String> =
            app.access().hooks.iter().filter(|(_, h)| h.active).map(|(id, _)| id.clone()).collect();
        workers.retain(|id, worker| {
            let keep = wanted.contains(id) && !worker.is_finished();
            if !keep {
                worker.abort();
            }
            keep
        });
        for id in wanted {
            workers.entry(id.clone()).or_insert_with(|| tokio::spawn(Worker::new(Arc::clone(&app), id).run()));
        }
        tokio::select! {
            _ = changed.changed() => {}
            _ = stopping.changed() => break,
        }
    }
    // Each sees the same sign, keeps its place and ends.
    for worker in workers.into_values() {
        let _ = worker.await;
    }
}

struct Worker {
    app: Arc<App>,
    id: String,
    /// The next offset to look at, and the one that is kept.
    next: u64,
    kept: u64,
    kept_at: Instant,
}

/// What became of a letter.
enum Fate {
    Delivered,
    Dead(String),
    /// The receiver wants no more.
    Unwanted,
    /// The hook is gone, paused, or the server stops: nothing is decided.
    Over,
}

impl Worker {
    fn new(app: Arc<App>, id: String) -> Worker {
        let next = app.access().hooks.get(&id).map_or(0, |h| h.next);
        Worker { app, id, next, kept: next, kept_at: Instant::now() }
    }

    async fn run(mut self) {
        let mut stopping = self.app.stopping.subscribe();
        let mut end = self.app.backend.changes_end();
        let mut changed = self.app.hooks_changed.subscribe();
        loop {
            let more = self.work(&mut end).await;
            self.keep_place(more.is_none() || self.kept_at.elapsed() >= KEEP_EVERY).await;
            match more {
                // What could not be kept is tried again.
                None if self.hook().is_some() => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                None => return,
                Some(true) => continue,
                Some(false) => {}
            }
            let unkept = self.kept != self.next;
            tokio::select! {
                moved = end.changed() => if moved.is_err() { break },
                _ = changed.changed() => {}
                _ = stopping.changed() => break,
                () = tokio::time::sleep(KEEP_EVERY), if unkept => self.keep_place(true).await,
            }
        }
        self.keep_place(true).await;
    }

    fn hook(&self) -> Option<Hook> {
        if *self.app.stopping.borrow() {
            return None;
        }
        self.app.access().hooks.get(&self.id).filter(|h| h.active).cloned()
    }

    /// Delivers what there is; says whether there may be more at once, or nothing if the worker is to end.
    async fn work(&mut self, end: &mut tokio::sync::watch::Receiver<u64>) -> Option<bool> {
        let hook = self.hook()?;
        if let Some(offset) = hook.again.first().copied() {
            let found = self.app.ask(move |b| b.changes(offset, 1)).await.unwrap_or_default();
            match found.into_iter().find(|c| c.offset == offset) {
                Some(change) => self.decide(&hook, &change, true).await?,
                // No longer kept: there is nothing to tell.
                None => self.record(Record::HookDone { id: self.id.clone(), offset }).await?,
            }
            return Some(true);
        }
        let end = *end.borrow_and_update();
        if self.next >= end {
            return Some(false);
        }
        let from = self.next;
        let found = match self.app.ask(move |b| b.changes(from, CHUNK)).await {
            Ok(found) => found,
            Err(e) if e.code == "gone" => {
                // Too far behind: what was missed is said, and the hook goes on from now.
                let reason = "changes no longer kept".to_string();
                self.record(Record::HookDead { id: self.id.clone(), offset: from, reason, at: self.app.now().0 })
                    .await?;
                self.next = end;
                return Some(true);
            }
            Err(_) => {
                self.pause(Duration::from_secs(5)).await?;
                return Some(true);
            }
        };
        if found.is_empty() {
            self.next = end;
        }
        for change in &found {
            if hook.takes(change) {
                self.decide(&hook, change, false).await?;
            }
            self.next = change.offset.saturating_add(1);
            if self.kept_at.elapsed() >= KEEP_EVERY {
                self.keep_place(true).await;
            }
            // Its address, secret and filter may have changed, and dead letters go first.
            if self.hook()? != hook {
                break;
            }
        }
        Some(true)
    }

    async fn decide(&mut self, hook: &Hook, change: &Change, again: bool) -> Option<()> {
        let (id, offset) = (self.id.clone(), change.offset);
        match self.deliver(hook, change).await {
            Fate::Over => return None,
            Fate::Delivered if again => self.record(Record::HookDone { id, offset }).await?,
            Fate::Delivered => {}
            Fate::Unwanted => {
                let reason = "410: the receiver wants no more".to_string();
                self.record(Record::HookPaused { id, reason }).await?;
                return None;
            }
            Fate::Dead(reason) => {
                let dead = hook.dead.len();
                self.record(Record::HookDead { id: id.clone(), offset, reason, at: self.app.now().0 }).await?;
                if dead >= DEAD_MAX {
                    let reason = "too many dead letters".to_string();
                    self.record(Record::HookPaused { id, reason }).await?;
                    return None;
                }
            }
        }
        Some(())
    }

    async fn deliver(&self, hook: &Hook, change: &Change) -> Fate {
        let mut waits = self.app.options.hook_waits.iter();
        loop {
            let letter = letter(&self.id, hook, change, self.app.now().0 / 1_000_000);
            let post = Arc::clone(&self.app.options.post);
            let sent = tokio::task::spawn_blocking(move || post(&letter)).await;
            let counters = &self.app.counters;
            let reason = match sent {
                Ok(Ok(status)) if (200..300).contains(&status) => {
                    counters.hooks_delivered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    return Fate::Delivered;
                }
                Ok(Ok(410)) => return Fate::Unwanted,
                Ok(Ok(status)) => format!("status {status}"),
                Ok(Err(why)) => why,
                Err(_) => return Fate::Over,
            };
            counters.hooks_failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match waits.next() {
                None => return Fate::Dead(reason),
                Some(wait) => {
                    if self.pause(spread(*wait, change.offset)).await.is_none() {
                        return Fate::Over;
                    }
                }
            }
        }
    }

    /// Waits; nothing if the hook or the server ends meanwhile, or the hook was changed.
    async fn pause(&self, wait: Duration) -> Option<()> {
        let before = self.hook()?;
        let mut stopping = self.app.stopping.subscribe();
        let mut changed = self.app.hooks_changed.subscribe();
        let until = tokio::time::Instant::now() + wait;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return self.hook().map(|_| ()),
                _ = stopping.changed() => return None,
                _ = changed.changed() => {
                    let now = self.hook()?;
                    if (&now.url, &now.secret) != (&before.url, &before.secret) {
                        return Some(());
                    }
                }
            }
        }
    }

    async fn keep_place(&mut self, due: bool) {
        if !due || self.kept == self.next {
            return;
        }
        let (id, next) = (self.id.clone(), self.next);
        if self.record(Record::HookAt { id, next }).await.is_some() {
            (self.kept, self.kept_at) = (self.next, Instant::now());
        }
    }

    async fn record(&self, record: Record) -> Option<()> {
        let id = self.id.clone();
        let decide = move |access: &crate::access::Access| Ok((access.hooks.contains_key(&id).then_some(record), ()));
        match self.app.change_access(decide).await {
            Ok(()) => Some(()),
            Err(e) => {
                self.app.log(&json!({ "level": "error", "why": "the state of a hook was not kept", "code": e.code }));
                None
            }
        }
    }
}

/// Up to a tenth longer, so that hooks that failed together do not come back together.
fn spread(wait: Duration, seed: u64) -> Duration {
    wait + wait.mul_f64((gyul_model::hash64(&seed.to_le_bytes()) % 1000) as f64 / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn addresses() {
        assert!(
            can_post("http://127.0.0.1:1/x")
                && !can_post("ftp://x")
                && !can_post("http:///x")
                && !can_post("http://a b")
        );
        assert_eq!(can_post("https://x.kr/hook"), cfg!(feature = "tls"));
    }
}
