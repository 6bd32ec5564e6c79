//! Requests through the whole stack, without a socket but where sockets are the matter.

mod access;
mod bodies;
mod endpoints;
mod hooks;
mod ingest;
mod live;
mod roles;
mod veiled;

use crate::access::Role;
use crate::app::{App, Options, make_key};
use crate::fake::{Fake, T};
use crate::limits::Rate;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

/// A server with a key of each role.
pub struct Bed {
    pub app: Arc<App>,
    pub fake: Arc<Fake>,
    router: Router,
    pub setup: Option<String>,
    keys: Vec<(Role, String)>,
    pub log: Arc<Mutex<Vec<String>>>,
    _uploads: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {:?}", self.status, self.text()))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A problem+json of this status and code, with words.
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["code"], code, "{json}");
        assert_eq!(json["status"], status);
        assert!(json["detail"].as_str().unwrap().len() > 10);
        assert_eq!(json["request_id"], self.headers["x-request-id"].to_str().unwrap());
        json
    }
}

impl Bed {
    pub fn new() -> Bed {
        Bed::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Bed {
        let fake = Arc::new(Fake::default());
        let keys = Role::ALL.map(|role| (role, make_key(&*fake, &format!("{role:?}"), role, T).unwrap()));
        Bed::on(fake, keys.to_vec(), change)
    }

    pub fn on(fake: Arc<Fake>, keys: Vec<(Role, String)>, change: impl FnOnce(&mut Options)) -> Bed {
        let uploads = tempfile::tempdir().unwrap();
        let log = Arc::new(Mutex::new(vec![]));
        let lines = Arc::clone(&log);
        let generous = Rate { per_second: 1e6, burst: 1e6 };
        let mut options = Options {
            uploads: uploads.path().into(),
            hot_rate: generous,
            api_rate: generous,
            stranger_rate: generous,
            clock: || T,
            log: Arc::new(move |line| lines.lock().unwrap().push(line.to_string())),
            ..Options::default()
        };
        change(&mut options);
        let backend: Arc<dyn crate::Backend> = fake.clone();
        let (app, router, setup) = crate::router(backend, options).unwrap();
        Bed { app, fake, router, setup, keys, log, _uploads: uploads }
    }

    pub fn key(&self, role: Role) -> &str {
        &self.keys.iter().find(|(r, _)| *r == role).unwrap().1
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn call(&self, role: Role, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(role, method, path).body(body.into()).unwrap()).await
    }

    pub fn request(&self, role: Role, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.key(role)))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Role::Owner, Method::GET, path, "").await
    }

    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.call(Role::Owner, Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.call(Role::Owner, Method::PUT, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Role::Owner, Method::DELETE, path, "").await
    }
}
