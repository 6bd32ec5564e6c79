//! What all requests share.

use crate::access::{Access, Record, Secret};
use crate::idempotency::Idempotency;
use crate::limits::{Buckets, Rate};
use crate::otel::Traces;
use crate::problem::{ApiError, ApiResult};
use crate::table::Endpoint;
use crate::{Backend, Refusal, Reply};
use axum::http::Method;
use gyul_ingest::http::Limits;
use gyul_model::Instant;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How the server behaves.
#[derive(Clone)]
pub struct Options {
    /// Loopback unless said otherwise.
    pub listen: SocketAddr,
    /// Where uploads wait for their import. Of this server alone.
    pub uploads: PathBuf,
    pub upload_bytes_max: u64,
    /// Fewer where the system allows fewer open files.
    pub connections_max: usize,
    /// Of one address, unless a proxy is in front.
    pub connections_per_address: usize,
    /// For the head of a request.
    pub header_timeout: Duration,
    /// For the whole body of a request, or the next piece of an upload.
    pub body_timeout: Duration,
    /// Bytes that the bodies of all requests under way may take together, once they are here.
    pub bodies_max: usize,
    /// For requests under way when the server stops.
    pub drain_timeout: Duration,
    /// A key's requests to ingest and decisions.
    pub hot_rate: Rate,
    /// A key's or user's other requests.
    pub api_rate: Rate,
    /// Attempts of one address without a valid key, or to sign in.
    pub stranger_rate: Rate,
    pub ingest: Limits,
    /// The cookie of a session is sent over TLS only: for servers behind a proxy with TLS.
    pub secure_cookie: bool,
    /// Believes `X-Forwarded-For` of a proxy in front.
    pub trust_proxy: bool,
    /// Between attempts to deliver to a hook; after the last, the letter is dead.
    pub hook_waits: Vec<Duration>,
    /// Posts to hooks.
    pub post: crate::hooks::Post,
    /// Streams of changes open at once.
    pub streams_max: usize,
    /// Lets its holder in as the user it names, as long as the server runs: for demos on one's own machine.
    pub guest: Option<Guest>,
    /// Where traces of requests are sent by OTLP/HTTP, like `http://localhost:4318/v1/traces`; needs the feature `otel`.
    pub traces: Option<String>,
    pub clock: fn() -> Instant,
    /// Takes the log's lines, each a JSON object without personal data.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 7700)),
            uploads: std::env::temp_dir(),
            upload_bytes_max: 8 << 30,
            connections_max: 10_000,
            connections_per_address: 2000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            bodies_max: 512 << 20,
            drain_timeout: Duration::from_secs(20),
            hot_rate: Rate { per_second: 20_000.0, burst: 40_000.0 },
            api_rate: Rate { per_second: 50.0, burst: 200.0 },
            stranger_rate: Rate { per_second: 0.5, burst: 20.0 },
            ingest: Limits::default(),
            secure_cookie: false,
            trust_proxy: false,
            hook_waits: [1, 5, 30, 120, 600, 1800, 3600, 10_800].map(Duration::from_secs).to_vec(),
            post: crate::hooks::post_by_network(),
            streams_max: 1000,
            traces: None,
            guest: None,
            clock: || Instant(jiff::Timestamp::now().as_microsecond()),
            log: Arc::new(|line| eprintln!("{line}")),
        }
    }
}

/// Somebody who comes in by a link.
#[derive(Clone)]
pub struct Guest {
    pub token: String,
    pub email: String,
}

/// Numbers that the server counts itself.
#[derive(Default)]
pub struct Counters {
    pub requests: [AtomicU64; 5],
    pub events_accepted: AtomicU64,
    pub events_duplicate: AtomicU64,
    pub events_rejected: AtomicU64,
    pub rate_limited: AtomicU64,
    pub connections: AtomicU64,
    pub streams: AtomicU64,
    pub hooks_delivered: AtomicU64,
    pub hooks_failed: AtomicU64,
    /// Requests by how long they took: up to 1, 5, 10, 50, 100, 500, 1000, 5000 ms, and longer; and the sum in microseconds.
    pub durations: [AtomicU64; 9],
    pub duration_micros: AtomicU64,
}

impl Counters {
    pub const BOUNDS_MS: [u64; 8] = [1, 5, 10, 50, 100, 500, 1000, 5000];

    pub fn request(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.requests[class].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = Counters::BOUNDS_MS.iter().position(|ms| micros <= ms * 1000).unwrap_or(8);
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

pub struct App {
    pub backend: Arc<dyn Backend>,
    pub options: Options,
    pub access: RwLock<Access>,
    /// One change of access at a time: checked, kept, applied.
    changing: Mutex<()>,
    /// The hash of the token that makes the first owner, until there is one.
    pub setup: Mutex<Option<String>>,
    pub endpoints: Vec<Endpoint>,
    by_path: HashMap<(Method, String), usize>,
    pub openapi: String,
    pub hot: Buckets<String>,
    pub api: Buckets<String>,
    pub strangers: Buckets<IpAddr>,
    pub accounts: Buckets<String>,
    pub idempotency: Idempotency,
    pub bodies: crate::body::Room,
    pub counters: Counters,
    pub traffic: crate::traffic::Traffic,
    pub traces: crate::otel::Traces,
    /// Argon2 takes 19 MB and a core each time.
    pub passwords: Semaphore,
    pub uploads: Semaphore,
    pub stopping: watch::Sender<bool>,
    /// Moves with every change of a hook.
    pub hooks_changed: watch::Sender<u64>,
    request_prefix: u32,
    request_count: AtomicU64,
    upload_count: AtomicU64,
}

impl App {
    /// With the setup token, if nobody could get in otherwise.
    pub fn new(
        backend: Arc<dyn Backend>,
        options: Options,
        endpoints: Vec<Endpoint>,
    ) -> Result<(Arc<App>, Option<Secret>), Refusal> {
        let mut records = backend.access()?;
        let damaged = |e: serde_json::Error| Refusal::Internal(format!("an access record cannot be read: {e}"));
        let mut access = Access::replay(records.iter().map(Vec::as_slice)).map_err(damaged)?;
        records.clear();
        if access.salt.is_none() {
            let record = Record::Salt { salt: Secret::new_token().text };
            keep(&*backend, &record)?;
            access.apply(record);
        }
        let setup = access.users.is_empty().then(Secret::new_token);
        let by_path = endpoints.iter().enumerate().map(|(i, e)| ((e.method.clone(), e.path.clone()), i)).collect();
        let openapi = crate::openapi::document(&endpoints).to_string();
        let prefix = Secret::new_key();
        // Whoever collects traces is not needed to serve.
        let traces = Traces::new(options.traces.as_deref()).unwrap_or_else(|why| {
            (options.log)(
                &serde_json::json!({ "level": "warn", "why": format!("no traces are sent: {why}") }).to_string(),
            );
            Traces::none()
        });
        let app = App {
            hot: Buckets::new(options.hot_rate, 10_000),
            api: Buckets::new(options.api_rate, 10_000),
            strangers: Buckets::new(options.stranger_rate, 100_000),
            accounts: Buckets::new(options.stranger_rate, 10_000),
            access: RwLock::new(access),
            changing: Mutex::new(()),
            setup: Mutex::new(setup.as_ref().map(Secret::hash)),
            endpoints,
            by_path,
            openapi,
            idempotency: Idempotency::default(),
            bodies: crate::body::Room::new(options.bodies_max),
            counters: Counters::default(),
            traffic: crate::traffic::Traffic::default(),
            traces,
            passwords: Semaphore::new(2),
            uploads: Semaphore::new(4),
            stopping: watch::channel(false).0,
            hooks_changed: watch::channel(0).0,
            request_prefix: u32::from_str_radix(&prefix.id()[..8], 16).unwrap_or_default(),
            request_count: AtomicU64::new(0),
            upload_count: AtomicU64::new(0),
            backend,
            options,
        };
        Ok((Arc::new(app), setup))
    }

    pub fn now(&self) -> Instant {
        (self.options.clock)()
    }

    pub fn endpoint(&self, method: &Method, path: &str) -> Option<&Endpoint> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        // The path is looked up once a request; making it owned costs less than a second kind of map.
        self.by_path.get(&(method, path.to_string())).map(|&i| &self.endpoints[i])
    }

    pub fn request_id(&self) -> String {
        let n = self.request_count.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{n:x}", self.request_prefix)
    }

    pub fn upload_path(&self) -> PathBuf {
        let n = self.upload_count.fetch_add(1, Ordering::Relaxed);
        self.options.uploads.join(format!("upload-{:08x}-{n}", self.request_prefix))
    }

    /// Asks the backend on a thread that may block.
    pub async fn ask<T, F>(self: &Arc<App>, question: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Backend) -> Reply<T> + Send + 'static,
    {
        let app = Arc::clone(self);
        let _part = self.traces.within("question");
        let answer = tokio::task::spawn_blocking(move || question(&*app.backend)).await;
        let lost = |e: tokio::task::JoinError| Refusal::Internal(format!("a question ended early: {e}"));
        Ok(answer.unwrap_or_else(|e| Err(lost(e)))?)
    }

    /// Decides on a change of access, keeps it, applies it. The decision sees the state that it changes.
    pub async fn change_access<T, F>(self: &Arc<App>, decide: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Access) -> ApiResult<(Option<Record>, T)> + Send + 'static,
    {
        let app = Arc::clone(self);
        let work = move || -> ApiResult<T> {
            let _one = app.changing.lock().unwrap_or_else(|e| e.into_inner());
            let (record, out) = decide(&app.access())?;
            if let Some(record) = record {
                keep(&*app.backend, &record)?;
                app.access.write().unwrap_or_else(|e| e.into_inner()).apply(record);
            }
            Ok(out)
        };
        let lost = |e: tokio::task::JoinError| Refusal::Internal(format!("a change ended early: {e}"));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(Box::<ApiError>::from(lost(e))))
    }

    pub fn access(&self) -> std::sync::RwLockReadGuard<'_, Access> {
        self.access.read().unwrap_or_else(|e| e.into_inner())
    }

    pub fn log(&self, line: &serde_json::Value) {
        (self.options.log)(&line.to_string());
    }
}

fn keep(backend: &dyn Backend, record: &Record) -> Reply<()> {
    let bytes = serde_json::to_vec(record).map_err(|e| Refusal::Internal(e.to_string()))?;
    backend.keep_access(bytes)
}

/// Makes a key without a running server: for the command line. Shown once.
pub fn make_key(backend: &dyn Backend, name: &str, role: crate::Role, now: Instant) -> Reply<String> {
    let secret = Secret::new_key();
    let record = Record::KeyMade {
        id: secret.id().to_string(),
        hash: secret.hash(),
        name: name.to_string(),
        role,
        made: now.0,
        expires: None,
        by: "command line".into(),
    };
    keep(backend, &record)?;
    Ok(secret.text)
}

/// Makes an owner who comes in by a link only, and the link's token: for demos.
pub fn make_guest(backend: &dyn Backend, email: &str, name: &str, now: Instant) -> Reply<Guest> {
    let nobody_knows = Secret::new_token().text;
    let password = crate::access::hash_password(&nobody_knows);
    let password = password.ok_or_else(|| Refusal::Internal("a password was not hashed".into()))?;
    let (role, made) = (crate::Role::Owner, now.0);
    keep(backend, &Record::UserPut { email: email.into(), name: name.into(), role, password, made })?;
    Ok(Guest { token: Secret::new_token().text, email: email.into() })
}
