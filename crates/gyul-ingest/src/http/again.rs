//! What was rejected, read once more: by the decoder that it came to, under the same limits, with what its request
//! said beside it. A mended group call is a group call still, and a retry of the sender's is known as one.

use super::segment::Call;
use super::shop::{Delivery, Shop};
use super::{BodyError, Limits, Parsed, cafe24, events, ga4, kakao, segment, shopify, woocommerce};
use gyul_model::{Instant, Message};
use serde_json::{Map, Value, json};

/// How something was sent: what it takes to read it again. `Debug` hides what may be personal.
#[derive(Clone, Default, PartialEq)]
pub struct Sent {
    /// `segment.track` … `segment.batch`, `ga4`, `events` (with a dot and its source where that is not `api`), a shop's name, or `message.` and the source of a message that
    /// was understood and yet not taken. Empty: kept by a version that did not say.
    pub form: String,
    /// A JSON object of what the request said beside the event; empty if nothing.
    pub around: String,
}

impl Sent {
    /// In our own form, by [`gyul_model::Message::source`].
    pub fn message(source: &str) -> Sent {
        Sent { form: format!("message.{source}"), around: String::new() }
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.form)
    }
}

/// Reads something again, received at an instant; `sources` are the sources that there are.
pub fn again(sent: &Sent, content: &str, received: Instant, sources: &[&'static str]) -> Result<Parsed, BodyError> {
    let (limits, webhook) = (Limits::default(), Limits::webhook());
    let around: Map<String, Value> = serde_json::from_str(&sent.around).unwrap_or_default();
    let (form, what) = sent.form.split_once('.').unwrap_or((&sent.form, ""));
    match form {
        "segment" => match Call::parse(what) {
            Some(Call::Batch) => segment(Call::Batch, &within(around, "batch", content), received, &limits),
            Some(call) => segment(call, content.as_bytes(), received, &limits),
            None => unsaid(content, received),
        },
        "ga4" => ga4(&within(around, "events", content), received, &limits),
        "events" => {
            let mut parsed = events(content.as_bytes(), received, &limits)?;
            if let Some(source) = sources.iter().find(|s| **s == what) {
                parsed.messages.iter_mut().for_each(|m| m.source = source);
            }
            Ok(parsed)
        }
        // It kept the limits when it came.
        "message" => {
            let mut parsed = events(content.as_bytes(), received, &webhook)?;
            let source = sources.iter().find(|s| **s == what).copied();
            parsed.messages = whole(parsed.messages, source).into_iter().collect();
            parsed.rows = parsed.messages.len() + parsed.rejects.len();
            Ok(parsed)
        }
        _ => {
            type Webhook = fn(Delivery, &[u8], &Limits) -> Result<Parsed, BodyError>;
            let read: Webhook = match form {
                "shopify" => shopify,
                "woocommerce" => woocommerce,
                "cafe24" => cafe24,
                "kakao" => kakao,
                _ => return unsaid(content, received),
            };
            let text = |name: &str| around.get(name).and_then(Value::as_str).unwrap_or("");
            let shop = Shop { id: text("shop"), prefix: text("prefix") };
            let id = Some(text("id")).filter(|i| !i.is_empty());
            read(Delivery { shop, topic: text("topic"), id, received }, content.as_bytes(), &webhook)
        }
    }
}

/// What a delivery said beside its body.
pub(super) fn around(delivery: &Delivery) -> String {
    let Delivery { shop, topic, id, .. } = delivery;
    json!({ "shop": shop.id, "prefix": shop.prefix, "topic": topic, "id": id }).to_string()
}

/// A request of one event.
fn within(around: Map<String, Value>, list: &str, event: &str) -> Vec<u8> {
    let mut request = String::from("{");
    for (key, value) in around {
        request += &format!("{}:{value},", Value::String(key));
    }
    // The event as it is written: numbers keep their digits.
    (request + &format!("\"{list}\":[{event}]}}")).into_bytes()
}

/// An order and its lines, kept as an event each, are one message, by the id of the first.
fn whole(messages: Vec<Message>, source: Option<&'static str>) -> Option<Message> {
    let mut all = messages.into_iter();
    let mut first = all.next()?;
    first.source = source.unwrap_or(first.source);
    first.events.extend(all.flat_map(|m| m.events));
    Some(first)
}

/// By its looks: one of Segment's calls, or our own form.
fn unsaid(content: &str, received: Instant) -> Result<Parsed, BodyError> {
    let limits = Limits::default();
    let fields: Map<String, Value> = serde_json::from_str(content).unwrap_or_default();
    let call = fields.get("type").and_then(Value::as_str).and_then(Call::parse);
    let call = call
        .or_else(|| Call::parse("track").filter(|_| fields.contains_key("event")))
        .or_else(|| Call::parse("identify").filter(|_| fields.contains_key("traits") || fields.contains_key("userId")));
    match call {
        Some(call) => segment(call, content.as_bytes(), received, &limits),
        None => events(content.as_bytes(), received, &limits),
    }
}
