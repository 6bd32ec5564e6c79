//! Is it alive, is it ready, and how busy?

use crate::app::{App, Counters};
use crate::args;
use crate::data::{Backup, MetricKind};
use crate::problem::ApiResult;
use crate::table::{Endpoint, NUMBERS, OPEN, OWNER, Table};
use axum::extract::State;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Shared = State<Arc<App>>;

pub fn add(table: &mut Table) {
    let tag = "system";
    let schema = json!({ "type": "object", "properties": { "status": { "type": "string" } } });
    table.at(
        Endpoint::get("/health", "health", tag, OPEN)
            .says("서버가 살아 있는지", "Whether the server lives")
            .gives_json(schema)
            .hot(),
        health,
    );
    table.at(
        Endpoint::get("/ready", "ready", tag, OPEN)
            .says(
                "서버가 이벤트를 받고 물음에 답할 수 있는지",
                "Whether it can take events and answer questions; 503 if not",
            )
            .gives_json(json!({ "type": "object", "properties": {
                "status": { "type": "string" },
                "damaged_records": {
                    "type": "integer",
                    "description": "Records of the log that could not be read; what they were is in the server's log.",
                },
                "failing": {
                    "type": "array",
                    "items": { "type": "string", "enum": ["checkpoint", "import", "retention"] },
                    "description": "What is done behind and does not work now.",
                },
            } }))
            .hot(),
        ready,
    );
    table.at(
        Endpoint::get("/metrics", "metrics", tag, NUMBERS)
            .says("Prometheus 지표", "Numbers for Prometheus")
            .gives_media("text/plain; version=0.0.4")
            .hot(),
        metrics,
    );
    table.at(
        Endpoint::post("/api/v1/backup", "backup", tag, OWNER)
            .says(
                "서버를 멈추지 않고 데이터 전체를 백업합니다 (gyul serve --backups 폴더)",
                "Copies everything to a new folder in that of `gyul serve --backups`, while events go on; answers when it is whole",
            )
            .gives::<Backup>(),
        backup,
    );
}

async fn backup(State(app): Shared) -> ApiResult {
    args::json(&app.ask(|b| b.backup()).await?)
}

async fn health() -> ApiResult {
    args::json(&json!({ "status": "alive" }))
}

async fn ready(State(app): Shared) -> ApiResult {
    let health = app.backend.health();
    if *app.stopping.borrow() {
        return Err(crate::Refusal::Stopping.into());
    }
    if !health.ready {
        return Err(crate::Refusal::Computing(1).into());
    }
    if !health.writable {
        return Err(crate::Refusal::Storage(10).into());
    }
    args::json(&json!({ "status": "ready", "damaged_records": health.damaged, "failing": health.failing }))
}

async fn metrics(State(app): Shared) -> ApiResult {
    let engine = app.ask(|b| Ok(b.metrics())).await?;
    let mut out = own(&app.counters).map_err(|e| crate::Refusal::Internal(e.to_string()))?;
    let mut last = "";
    for m in &engine {
        if m.name != last {
            last = m.name;
            let kind = match m.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            let _ = writeln!(out, "# HELP gyul_{0} {1}\n# TYPE gyul_{0} {kind}", m.name, m.help);
        }
        let escape = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = m.labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(out, "gyul_{}{labels} {}", m.name, m.value);
    }
    Ok(args::media("text/plain; version=0.0.4", out))
}

fn own(c: &Counters) -> Result<String, std::fmt::Error> {
    let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let mut out = String::new();
    writeln!(out, "# HELP gyul_http_requests_total Requests answered, by class of status.")?;
    writeln!(out, "# TYPE gyul_http_requests_total counter")?;
    for (i, n) in c.requests.iter().enumerate() {
        writeln!(out, "gyul_http_requests_total{{status=\"{}xx\"}} {}", i + 1, get(n))?;
    }
    writeln!(out, "# HELP gyul_http_request_seconds How long requests took.")?;
    writeln!(out, "# TYPE gyul_http_request_seconds histogram")?;
    let mut sum = 0;
    for (i, n) in c.durations.iter().enumerate() {
        sum += get(n);
        let bound = Counters::BOUNDS_MS.get(i).map_or("+Inf".to_string(), |ms| (*ms as f64 / 1e3).to_string());
        writeln!(out, "gyul_http_request_seconds_bucket{{le=\"{bound}\"}} {sum}")?;
    }
    writeln!(out, "gyul_http_request_seconds_sum {}", get(&c.duration_micros) as f64 / 1e6)?;
    writeln!(out, "gyul_http_request_seconds_count {sum}")?;
    let simple = [
        ("http_events_accepted_total", "counter", "Events taken over HTTP.", &c.events_accepted),
        ("http_events_duplicate_total", "counter", "Events that were here before.", &c.events_duplicate),
        ("http_events_rejected_total", "counter", "Events that were not taken.", &c.events_rejected),
        ("http_rate_limited_total", "counter", "Requests over a caller's rate.", &c.rate_limited),
        ("http_connections", "gauge", "Connections open.", &c.connections),
        ("hooks_delivered_total", "counter", "Changes told to hooks.", &c.hooks_delivered),
        ("hooks_failed_total", "counter", "Attempts to tell a hook that failed.", &c.hooks_failed),
        ("http_streams", "gauge", "Streams of changes open.", &c.streams),
    ];
    for (name, kind, help, n) in simple {
        writeln!(out, "# HELP gyul_{name} {help}\n# TYPE gyul_{name} {kind}\ngyul_{name} {}", get(n))?;
    }
    Ok(out)
}
