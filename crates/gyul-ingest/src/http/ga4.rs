//! Google's Measurement Protocol (GA4): `/mp/collect` and `/debug/mp/collect`.

use super::body::Body;
use super::order::{Events, Line, Order};
use super::problem::Fault;
use super::props::{self, Props};
use super::segment::{around, hash, set};
use super::tape::{Json, Kind, Tape};
use super::traits::{Traits, happening};
use super::who::Who;
use super::{BodyError, Limits, Parsed, RejectCode, Sent};
use crate::values::number;
use gyul_model::{Decimal, IdKind, Instant, Lang, Message, Value, names};

/// Google's names of events and ours.
const EVENTS: [(&str, &str); 22] = [
    ("view_item_list", "Product List Viewed"),
    ("select_item", "Product Clicked"),
    ("view_item", names::VIEW),
    ("add_to_cart", names::CART),
    ("remove_from_cart", "Product Removed"),
    ("view_cart", "Cart Viewed"),
    ("add_to_wishlist", "Product Added to Wishlist"),
    ("begin_checkout", names::CHECKOUT),
    ("add_shipping_info", "Checkout Step Completed"),
    ("add_payment_info", "Payment Info Entered"),
    ("purchase", names::ORDER),
    ("refund", names::REFUND),
    ("view_promotion", "Promotion Viewed"),
    ("select_promotion", "Promotion Clicked"),
    ("search", names::SEARCH),
    ("view_search_results", names::SEARCH),
    ("sign_up", "Signed Up"),
    ("login", "Signed In"),
    ("generate_lead", "Lead Generated"),
    ("page_view", super::names::PAGE),
    ("screen_view", super::names::SCREEN),
    ("share", "Product Shared"),
];

/// Google's names of parameters and ours.
const PARAMS: [(&str, &str); 8] = [
    ("transaction_id", "order_id"),
    ("search_term", "query"),
    ("page_location", "url"),
    ("page_referrer", "referrer"),
    ("page_title", "title"),
    ("item_list_id", "list_id"),
    ("item_list_name", "list_name"),
    ("screen_name", "name"),
];

/// Reads a request of the Measurement Protocol. Google answers 204 whatever it is sent; [`ga4_validation`] tells more.
pub fn ga4(body: &[u8], received: Instant, limits: &Limits) -> Result<Parsed, BodyError> {
    let body = Body::read(body, limits)?;
    let tape = Tape::read(&body.text, limits.depth).map_err(|e| BodyError::NotJson(e.at))?;
    let root = tape.root();
    let list = root.get("events").filter(|e| e.kind() == Kind::Array);
    let list = list.ok_or(BodyError::NotShape(r#"{"client_id": "...", "events": [...]}"#))?;
    if list.children().count() > limits.events {
        return Err(BodyError::TooManyEvents(limits.events));
    }
    let mut parsed = Parsed::default();
    for (index, (_, item)) in list.children().enumerate() {
        parsed.rows += 1;
        match message(&body, root, index, item, received, limits) {
            Ok(m) => parsed.messages.push(m),
            Err(fault) => parsed.reject(index, fault, item.raw()),
        }
    }
    if !parsed.rejects.is_empty() {
        let beside = ["user_id", "client_id", "app_instance_id", "timestamp_micros", "user_properties", "consent"];
        parsed.sent = Sent { form: "ga4".into(), around: around(root, &beside) };
    }
    Ok(parsed)
}

fn message(
    body: &Body,
    root: Json,
    index: usize,
    item: Json,
    received: Instant,
    limits: &Limits,
) -> Result<Message, Fault> {
    body.check(item, limits)?;
    let mut who = Who::default();
    who.add(IdKind::User, root.str("user_id"), "user_id")?;
    who.add(IdKind::Anonymous, root.str("client_id").or_else(|| root.str("app_instance_id")), "client_id")?;
    let who = who.finish("client_id")?;
    let stamp = item.str("timestamp_micros").or_else(|| root.str("timestamp_micros"));
    let ts = match &stamp {
        None => received,
        Some(t) => {
            let micros = t.trim().parse().map_err(|_| Fault::new(RejectCode::TimeUnreadable, "timestamp_micros"))?;
            happening(Instant(micros), received, limits, "timestamp_micros")?
        }
    };
    let name = item.str("name").ok_or_else(|| Fault::new(RejectCode::NoEventName, "name"))?;
    let name = EVENTS.iter().find(|(theirs, _)| *theirs == name.trim()).map_or(name.trim(), |(_, ours)| ours);
    if name.len() > limits.name {
        return Err(Fault::new(RejectCode::NameTooLong, "name"));
    }
    let params = item.get("params").filter(|p| p.kind() == Kind::Object);
    // Google counts a purchase once for each transaction id, and so do we.
    let order = params.and_then(|p| p.str("transaction_id"));
    let id = match (name, order) {
        (names::ORDER, Some(order)) => format!("ga4:order:{order}"),
        _ => {
            let whose: String = who.iter().map(|w| w.handle() + "\n").collect();
            let content = format!("{whose}{}{index}\n{}", stamp.as_deref().unwrap_or(""), item.raw());
            format!("ga4:{}", hash(&content, stamp.is_none().then_some(received)))
        }
    };
    let mut events = if index == 0 { traits(root, received, limits)? } else { vec![] };
    events.extend(event(name, params, &id, limits)?);
    Ok(Message { source: "ga4", id, who, previous: None, ts, events })
}

/// What the request says of the person; told once, with its first event.
fn traits(root: Json, received: Instant, limits: &Limits) -> Result<Events, Fault> {
    let mut traits = Traits::new(limits, received, "");
    if let Some(list) = root.get("user_properties") {
        for (key, value) in list.children() {
            if let Some(value) = value.get("value") {
                traits.one(&key, value)?;
            }
        }
    }
    if let Some(consent) = root.get("consent") {
        for (key, value) in consent.children() {
            if let Some(text) = value.known() {
                traits.text(&format!("consent.{key}"), &text)?;
            }
        }
    }
    Ok(set(traits.props))
}

fn event(name: &str, params: Option<Json>, id: &str, limits: &Limits) -> Result<Events, Fault> {
    let mut whole = Props::new(limits);
    let mut lines = vec![];
    if let Some(params) = params {
        for (key, value) in params.children().filter(|(k, _)| k != "items") {
            let ours = PARAMS.iter().find(|(theirs, _)| *theirs == key).map_or(&*key, |(_, ours)| ours);
            whole.take_one(ours, value)?;
        }
        if let Some(items) = params.get("items").filter(|i| i.kind() == Kind::Array) {
            for (i, (_, item)) in items.children().enumerate() {
                lines.push(line(item, &format!("params.items.{i}"))?);
            }
        }
    }
    let refund = name == names::REFUND;
    if refund || name == names::ORDER {
        let text = |n: &str| params.and_then(|p| p.str(n)).map(|t| t.into_owned());
        let number = |n: &str| props::number(params.and_then(|p| p.get(n)), &format!("params.{n}"));
        let total = number("value")?;
        if total.is_some_and(|t| t < Decimal::ZERO) {
            return Err(Fault::new(RejectCode::NegativeAmount, "params.value"));
        }
        let given = text("transaction_id");
        if refund && given.is_none() {
            return Err(Fault::new(RejectCode::NoOrder, "params.transaction_id"));
        }
        for (i, line) in lines.iter_mut().enumerate() {
            line.check(&format!("params.items.{i}"))?;
        }
        let order = Order {
            refund: given.clone().filter(|_| refund),
            id: given.or_else(|| Some(format!("auto-{id}"))),
            total,
            coupon: text("coupon"),
            currency: text("currency").and_then(|c| number::currency(&c)),
            lines,
            ..Order::default()
        };
        return order.events(whole, limits);
    }
    // Events about one product: several of them are several events.
    let single = matches!(name, names::VIEW | names::CART | "Product Clicked" | "Product Removed")
        || name == "Product Added to Wishlist";
    if !single || lines.is_empty() {
        if !lines.is_empty() {
            whole.set("items", Value::from(lines.len() as i64))?;
            whole.set("product_ids", Value::List(lines.into_iter().filter_map(|l| l.product).collect()))?;
        }
        return Ok(vec![(name.to_string(), whole.out)]);
    }
    let mut out = vec![];
    for line in lines {
        let mut p = Props::new(limits);
        p.out.clone_from(&whole.out);
        line.set(&mut p)?;
        out.push((name.to_string(), p.out));
    }
    Ok(out)
}

fn line(item: Json, place: &str) -> Result<Line, Fault> {
    let text = |n: &str| item.str(n).map(|t| t.into_owned());
    let number = |n: &str| props::number(item.get(n), &format!("{place}.{n}"));
    Ok(Line {
        product: text("item_id").or_else(|| text("item_name")),
        name: text("item_name"),
        category: text("item_category"),
        brand: text("item_brand"),
        variant: text("item_variant"),
        coupon: text("coupon"),
        price: number("price")?,
        quantity: number("quantity")?,
        discount: number("discount")?,
        ..Line::default()
    })
}

/// What `/debug/mp/collect` answers: Google's JSON of `validationMessages`.
pub fn ga4_validation(read: &Result<Parsed, BodyError>, lang: Lang) -> String {
    let say = |place: &str, description: &str, code: &str| serde_json::json!({"fieldPath": place, "description": description, "validationCode": code});
    let list: Vec<_> = match read {
        Err(e) => {
            let code = if matches!(e, BodyError::TooManyEvents(_)) { "EXCEEDED_MAX_ENTITIES" } else { "VALUE_INVALID" };
            vec![say("", &e.message(lang), code)]
        }
        Ok(parsed) => {
            let one = |r: &super::Reject| {
                let code = match r.code {
                    RejectCode::NoEventName | RejectCode::NoIdentity | RejectCode::NoOrder => "VALUE_REQUIRED",
                    RejectCode::NameTooLong => "NAME_INVALID",
                    RejectCode::TooManyProperties => "EXCEEDED_MAX_ENTITIES",
                    RejectCode::TooLong
                    | RejectCode::TooLarge
                    | RejectCode::TimeFuture
                    | RejectCode::TimeOutOfRange => "VALUE_OUT_OF_BOUNDS",
                    _ => "VALUE_INVALID",
                };
                let place = match (r.code, r.place.as_str()) {
                    (RejectCode::NoIdentity, place) => place.to_string(),
                    (_, "") => format!("events[{}]", r.index),
                    (_, place) => format!("events[{}].{place}", r.index),
                };
                say(&place, r.code.message(lang), code)
            };
            parsed.rejects.iter().map(one).collect()
        }
    };
    serde_json::json!({ "validationMessages": list }).to_string()
}
