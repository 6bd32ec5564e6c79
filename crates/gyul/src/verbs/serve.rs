//! `gyul serve`: the live server.

use crate::Context;
use crate::args::ServeArgs;
use crate::failure::{Failure, IO, USAGE};
use crate::output::print;
use crate::serve::{Live, open};
use gyul_web::{Options, Role};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

pub fn run(context: &Context, args: &ServeArgs) -> Result<u8, Failure> {
    let listen = address(&args.listen)?;
    let begun = std::time::Instant::now();
    let live = Arc::new(open(&context.data, None)?);
    let opened = begun.elapsed();
    if args.make_key {
        let key = gyul_web::make_key(&*live, "command line", Role::Owner, context.now);
        let key = key.map_err(|r| Failure::io(format!("키를 만들 수 없습니다({r:?})."), format!("no key ({r:?})")))?;
        gyul_web::Backend::stop(&*live);
        print(&format!("{key}\n"))?;
        return Ok(0);
    }
    if let Some(folder) = &args.backups {
        live.keep_backups_in(folder.clone());
    }
    let uploads = context.data.join("uploads");
    // Left over from a server that was killed.
    let _ = std::fs::remove_dir_all(&uploads);
    std::fs::create_dir_all(&uploads).map_err(|e| Failure::write(&uploads, &e))?;
    let options = Options {
        listen,
        uploads,
        trust_proxy: args.behind_proxy,
        secure_cookie: args.behind_proxy,
        traces: traces(),
        ..Options::default()
    };
    if let Some(address) = &args.remote {
        keep_remote(&live, address, &options)?;
    }
    serve(context, live, options, opened, false)
}

#[cfg(feature = "object-store")]
fn keep_remote(live: &Arc<Live>, address: &str, options: &Options) -> Result<(), Failure> {
    crate::serve::remote::start(live, address, Arc::clone(&options.log))
}

#[cfg(not(feature = "object-store"))]
fn keep_remote(_: &Arc<Live>, _: &str, _: &Options) -> Result<(), Failure> {
    Err(super::backup::no_remote())
}

/// Where OpenTelemetry's standard variables want traces, as the OTLP exporter's specification reads them.
fn traces() -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let off = read("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let all = || read("OTEL_EXPORTER_OTLP_ENDPOINT").map(|e| format!("{}/v1/traces", e.trim_end_matches('/')));
    read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(all).filter(|_| !off)
}

pub fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.to_socket_addrs().ok().and_then(|mut a| a.next()).ok_or_else(|| {
        Failure::usage(
            format!("'{text}' 주소를 알 수 없습니다. 127.0.0.1:7700처럼 적으세요."),
            format!("there is no address '{text}'. Write it like 127.0.0.1:7700."),
        )
    })
}

/// Serves until told to stop, and says where; `open` shows it in the browser.
pub fn serve(
    context: &Context,
    live: Arc<Live>,
    options: Options,
    opened: std::time::Duration,
    open: bool,
) -> Result<u8, Failure> {
    let mut harmed = String::new();
    for harm in live.harms() {
        let (harm, records) = (harm.message(context.lang), harm.records);
        harmed += &context.lang.pick(format!("주의: {harm}.\n"), format!("attention: {harm}.\n"));
        let line = serde_json::json!({ "level": "error", "why": harm, "records_lost": records });
        (options.log)(&line.to_string());
    }
    let (log, lang) = (options.log.clone(), context.lang);
    live.on_harm(move |harm| {
        let (why, records) = (harm.message(lang), harm.records);
        log(&serde_json::json!({ "level": "error", "why": why, "records_lost": records }).to_string());
    });
    let guest = options.guest.clone();
    let backend: Arc<dyn gyul_web::Backend> = live;
    let (lang, data) = (context.lang, context.data.display().to_string());
    let started = move |s: &gyul_web::Started| {
        let (address, seconds) = (s.address, opened.as_secs_f64());
        let mut said = lang.pick(
            format!("http://{address} 에서 요청을 받습니다 (데이터: {data}, {seconds:.1}초에 준비)\n"),
            format!("listening at http://{address} (data: {data}, ready in {seconds:.1} s)\n"),
        );
        said += &harmed;
        let door = match (&guest, &s.setup_token) {
            (Some(guest), _) => Some(format!("http://{address}/enter?token={}", guest.token)),
            (None, Some(token)) => Some(format!("http://{address}/welcome?token={token}")),
            (None, None) => None,
        };
        if let Some(door) = &door {
            said += &match guest {
                Some(_) => {
                    lang.pick(format!("브라우저에서 보기: {door}\n"), format!("see it in the browser: {door}\n"))
                }
                None => lang.pick(
                    format!("아직 소유자가 없습니다. 브라우저에서 만드세요: {door}\n"),
                    format!("there is no owner yet. Make one in the browser: {door}\n"),
                ),
            };
            if open {
                crate::verbs::demo::open_in_browser(door);
            }
        }
        // A terminal that is gone is no reason not to serve.
        let _ = print(&said);
    };
    gyul_web::serve(backend.clone(), options, started).map_err(|e| {
        backend.stop();
        let code = if matches!(e, gyul_web::ServeError::NoKey(_)) { USAGE } else { IO };
        Failure::says(code, |l| e.message(l))
    })?;
    Ok(0)
}
