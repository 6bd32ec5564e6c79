//! Listens, serves, and stops without losing anybody's request.

use crate::app::{App, Options};
use crate::guard::{Peer, guard};
use crate::{Backend, Refusal, api};
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use gyul_model::Lang;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

/// Why the server did not start, or ended early.
#[derive(Debug)]
pub enum ServeError {
    /// Reachable from elsewhere, and nobody could be told from anybody.
    NoKey(SocketAddr),
    Listen(SocketAddr, std::io::Error),
    Runtime(std::io::Error),
    Backend(Refusal),
}

impl ServeError {
    pub fn message(&self, lang: Lang) -> String {
        let (ko, en) = match self {
            ServeError::NoKey(addr) => (
                format!(
                    "{addr}에서 다른 컴퓨터의 요청을 받으려면 키나 사용자가 먼저 있어야 합니다. \
                     127.0.0.1에서 시작해 소유자를 만들거나 명령줄로 키를 만든 뒤 다시 시작하세요."
                ),
                format!(
                    "listening at {addr} is open to other machines, so there must be a key or a user first. \
                     Start at 127.0.0.1 and make an owner, or make a key on the command line, then start again."
                ),
            ),
            ServeError::Listen(addr, e) => (
                format!(
                    "{addr}에서 요청을 받을 수 없습니다 ({e}). 다른 프로그램이 쓰고 있지 않은지 확인하거나 다른 주소를 고르세요."
                ),
                format!("cannot listen at {addr} ({e}). See whether another program does, or choose another address."),
            ),
            ServeError::Runtime(e) => {
                (format!("서버를 시작할 수 없습니다 ({e})."), format!("the server cannot be started ({e})."))
            }
            ServeError::Backend(r) => (
                format!("접근 기록을 읽거나 쓸 수 없습니다 ({r:?})."),
                format!("the records of access cannot be read or written ({r:?})."),
            ),
        };
        lang.pick(ko, en)
    }
}

/// What is known once the server listens.
pub struct Started {
    pub address: SocketAddr,
    /// Makes the first owner (`POST /api/v1/setup`): only while there is no user. For the terminal, not for logs.
    pub setup_token: Option<String>,
}

/// All that answers requests, without a listener: what [`serve`] serves.
pub fn router(backend: Arc<dyn Backend>, options: Options) -> Result<(Arc<App>, Router, Option<String>), Refusal> {
    let table = api::table();
    let (app, setup) = App::new(backend, options, table.endpoints)?;
    let fallback = || async { Box::<crate::problem::ApiError>::from(Refusal::NotFound) };
    let guarded = table.router.fallback(fallback).method_not_allowed_fallback(fallback);
    let router = guarded.layer(from_fn_with_state(Arc::clone(&app), guard)).with_state(Arc::clone(&app));
    Ok((app, router, setup.map(|s| s.text)))
}

/// Serves until the process is told to stop (Ctrl-C, SIGTERM), then drains and stops the backend. Blocks.
pub fn serve(backend: Arc<dyn Backend>, options: Options, started: impl FnOnce(&Started)) -> Result<(), ServeError> {
    serve_until(backend, options, started, told_to_stop())
}

/// As [`serve`], until a future resolves.
pub fn serve_until(
    backend: Arc<dyn Backend>,
    options: Options,
    started: impl FnOnce(&Started),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(run(Arc::clone(&backend), options, started, stop));
    // Questions still under way may take a moment; what they would answer, nobody waits for.
    runtime.shutdown_timeout(Duration::from_secs(5));
    if result.is_ok() {
        backend.stop();
    }
    result
}

async fn run(
    backend: Arc<dyn Backend>,
    options: Options,
    started: impl FnOnce(&Started),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let listen = options.listen;
    let (app, router, setup_token) = router(backend, options).map_err(ServeError::Backend)?;
    if !listen.ip().is_loopback() && !app.access().is_open_to_somebody() {
        return Err(ServeError::NoKey(listen));
    }
    let listener = TcpListener::bind(listen).await.map_err(|e| ServeError::Listen(listen, e))?;
    let address = listener.local_addr().map_err(|e| ServeError::Listen(listen, e))?;
    started(&Started { address, setup_token });
    let hooks = tokio::spawn(crate::hooks::run(Arc::clone(&app)));
    tokio::spawn(crate::api::webhooks::finish_erasures(Arc::clone(&app)));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(room_for(app.options.connections_max)));
    let visitors = Visitors::default();
    let mut stop = std::pin::pin!(stop);
    loop {
        // A place first: who finds none waits in the listener's queue.
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (Ok(place), Ok((stream, peer))) = (place, accepted) else {
            // Out of descriptors, most likely: some will be given back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let most = if app.options.trust_proxy { usize::MAX } else { app.options.connections_per_address };
        // One more than may be is hung up on: a whole crowd from one address must not fill the house.
        let Some(visit) = visitors.enter(peer.ip(), most) else { continue };
        connection(&app, router.clone(), &graceful, stream, peer, (place, visit));
    }
    drop(listener);
    // Streams end by themselves when they see this; the rest finishes what it began.
    app.stopping.send_replace(true);
    if tokio::time::timeout(app.options.drain_timeout, graceful.shutdown()).await.is_err() {
        app.log(&serde_json::json!({ "level": "warn", "why": "some connections did not end in time" }));
    }
    // A post under way may take its timeout; what it told is told again if its place cannot be kept.
    let _ = tokio::time::timeout(app.options.drain_timeout, hooks).await;
    let sent = tokio::task::spawn_blocking(move || app.traces.stop());
    let _ = sent.await;
    Ok(())
}

fn connection(
    app: &Arc<App>,
    router: Router,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
    place: (tokio::sync::OwnedSemaphorePermit, Visit),
) {
    // Small answers must not wait for the client's acknowledgement; if it cannot be set they merely do.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.options.header_timeout)
        .max_headers(64)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let served = graceful.watch(served);
    let app = Arc::clone(app);
    app.counters.connections.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(async move {
        // A connection that breaks is the client's affair, and common.
        let _ = served.await;
        app.counters.connections.fetch_sub(1, Ordering::Relaxed);
        drop(place);
    });
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Visitors(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, as long as it lasts.
struct Visit(Visitors, IpAddr);

impl Visitors {
    fn enter(&self, ip: IpAddr, most: usize) -> Option<Visit> {
        let mut counts = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let count = counts.entry(ip).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Visit(self.clone(), ip))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut counts = (self.0.0).lock().unwrap_or_else(|e| e.into_inner());
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Files that the rest of the process may have open: the log must never find that connections took them all.
const FILES_SPARE: u64 = 512;

/// How many connections there is room for, having asked the system for it.
#[cfg(unix)]
fn room_for(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = getrlimit(Resource::Nofile);
    let need = (wanted as u64).saturating_add(FILES_SPARE);
    let current = limits.maximum.map_or(need, |most| most.min(need));
    if limits.current.is_some_and(|now| now < current) {
        // If it does not want to, there are fewer connections.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limits.maximum });
    }
    let room = getrlimit(Resource::Nofile).current.map_or(u64::MAX, |now| now.saturating_sub(FILES_SPARE).max(now / 4));
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

#[cfg(not(unix))]
fn room_for(wanted: usize) -> usize {
    wanted
}

async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
