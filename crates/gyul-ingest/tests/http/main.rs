//! Requests as the published SDKs and shops send them, and as enemies do.

mod again;
mod any_bytes;
mod feed;
mod others;
mod segment;
mod shops;

use feed::Webhook;
use gyul_ingest::http::*;
use gyul_model::{Instant, Message, Value};

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn now() -> Instant {
    at("2026-11-22T15:04:11Z")
}

/// A message as lines of text, properties in order of names.
fn show(m: &Message) -> String {
    let mut who: Vec<String> = m.who.iter().map(|i| format!("{}={}", i.kind.name(), i.value)).collect();
    who.extend(m.previous.iter().map(|i| format!("previous={}", i.handle())));
    let mut out = format!("{} {} {} {}\n", m.source, m.id, m.ts, who.join(" "));
    for (name, props) in &m.events {
        let mut props: Vec<String> = props
            .iter()
            .map(|(n, v)| match v {
                Value::Text(t) => format!("{n}={t:?}"),
                Value::List(l) => format!("{n}={l:?}"),
                v => format!("{n}={v}"),
            })
            .collect();
        props.sort();
        out += &format!("  {name}: {}\n", props.join(" "));
    }
    out
}

fn shown(parsed: &Parsed) -> String {
    parsed.messages.iter().map(show).collect()
}
