//! A request sent twice with one `Idempotency-Key` is done once.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Keys remembered at once; the oldest makes room.
const KEYS_MAX: usize = 10_000;
/// Larger answers are not remembered, nor repeated: 80 MB at most.
const ANSWER_MAX: usize = 8 * 1024;
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// An answer as it was given.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Not for secrets and large ones.
    pub body: Option<Bytes>,
}

enum State {
    UnderWay,
    Done(Answer),
}

struct Entry {
    /// Of the body.
    digest: [u8; 32],
    at: Instant,
    state: State,
}

/// What was done, by caller, endpoint and key. Of this process alone: a restart forgets.
#[derive(Default)]
pub struct Idempotency {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    /// In the order of their beginning.
    order: VecDeque<(Instant, String)>,
}

/// What to do with a request.
pub enum First {
    /// Nobody did it yet.
    Do,
    Repeat(Answer),
    UnderWay,
    /// The key was used for something else.
    Other,
}

impl Idempotency {
    pub fn begin(&self, key: &str, digest: [u8; 32], now: Instant) -> First {
        let mut inner = self.inner.lock().unwrap_or_else(|e| e.into_inner());
        let inner = &mut *inner;
        while inner
            .order
            .front()
            .is_some_and(|(at, _)| inner.order.len() >= KEYS_MAX || now.duration_since(*at) >= KEPT)
        {
            let Some((at, key)) = inner.order.pop_front() else { break };
            if inner.entries.get(&key).is_some_and(|e| e.at == at) {
                inner.entries.remove(&key);
            }
        }
        match inner.entries.get(key) {
            Some(e) if e.digest != digest => First::Other,
            Some(Entry { state: State::UnderWay, .. }) => First::UnderWay,
            Some(Entry { state: State::Done(answer), .. }) => First::Repeat(answer.clone()),
            None => {
                inner.order.push_back((now, key.to_string()));
                inner.entries.insert(key.to_string(), Entry { digest, at: now, state: State::UnderWay });
                First::Do
            }
        }
    }

    /// Remembers the answer; without one (a failure on our side) the request may be tried again.
    pub fn end(&self, key: &str, answer: Option<Answer>) {
        let mut inner = self.inner.lock().unwrap_or_else(|e| e.into_inner());
        match answer {
            Some(mut answer) => {
                answer.body = answer.body.filter(|b| b.len() <= ANSWER_MAX);
                if let Some(entry) = inner.entries.get_mut(key) {
                    entry.state = State::Done(answer);
                }
            }
            None => drop(inner.entries.remove(key)),
        }
    }
}
