//! Cafe24's webhooks.

use super::order::{Line, Order};
use super::problem::Fault;
use super::shop::{Delivery, Told, Work, read};
use super::tape::Json;
use super::{BodyError, Limits, Parsed, RejectCode, Skip, props};
use crate::values::{number, traits};
use gyul_model::{IdKind, Identifier, Value, names};

/// Reads a webhook of Cafe24: `{"event_no": 90023, "resource": {...}}`. The shop's id is the mall id; the delivery's is
/// `X-Trace-ID`.
///
/// All order events tell the whole order, without prices of its lines, and a refund without its own amount: the order
/// counts once when it is paid, its refund once and whole.
pub fn cafe24(delivery: Delivery, body: &[u8], limits: &Limits) -> Result<Parsed, BodyError> {
    read("cafe24", delivery, body, limits, |work, root| {
        let Some(r) = root.get("resource") else { return Ok(Some(Skip::Topic)) };
        match root.str("event_no").as_deref() {
            Some("90023" | "90025") => order(work, r),
            Some("90026") => changed(work, r, "Order Cancelled", "cancelled"),
            Some("90027") => changed(work, r, "Order Returned", "returned"),
            Some("90029") => refund(work, r),
            Some("90032") => signed_up(work, r),
            Some("90084") => cart(work, r),
            _ => Ok(Some(Skip::Topic)),
        }
    })
}

fn whose(work: &Work, r: Json) -> Result<Vec<Identifier>, Fault> {
    let mut who = work.who();
    work.user(&mut who, r.str("member_id"), "resource.member_id")?;
    work.guest(&mut who, r.str("buyer_email"), r.str("buyer_cellphone").or_else(|| r.str("buyer_phone")))?;
    who.finish("resource.member_id")
}

fn order_id<'a>(r: Json<'_, 'a>) -> Result<std::borrow::Cow<'a, str>, Fault> {
    r.str("order_id").ok_or_else(|| Fault::new(RejectCode::NoOrder, "resource.order_id"))
}

/// The order without its lines.
fn head(r: Json, id: &str) -> Result<Order, Fault> {
    let mut order = Order {
        id: Some(id.to_string()),
        currency: r.str("currency").and_then(|c| number::currency(&c)),
        channel: r.str("order_place_id").map(Into::into),
        ..Order::default()
    };
    for name in ["payment_amount", "actual_payment_amount", "order_price_amount"] {
        if order.total.is_none() {
            order.total = props::number(r.get(name), &format!("resource.{name}"))?;
        }
    }
    Ok(order)
}

fn order(work: &mut Work, r: Json) -> Told {
    if r.str("paid").as_deref() == Some("F") {
        return Ok(Some(Skip::NotPaid));
    }
    let id = order_id(r)?;
    let who = whose(work, r)?;
    let ts = work.time(r, &["order_date", "payment_date"])?;
    let mut order = head(r, &id)?;
    order.discount = props::number(r.get("membership_discount_amount"), "resource.membership_discount_amount")?;
    let names = r.str("ordering_product_name").unwrap_or_default();
    let codes = r.str("ordering_product_code").unwrap_or_default();
    let codes: Vec<&str> = codes.split(',').map(str::trim).filter(|c| !c.is_empty()).collect();
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    for (i, code) in codes.iter().enumerate() {
        // A comma in a product's name, and nobody knows which name is whose.
        let name = (names.len() == codes.len()).then(|| names[i].to_string()).filter(|n| !n.is_empty());
        order.lines.push(Line { product: Some(code.to_string()), name, ..Line::default() });
    }
    let mut more = work.props();
    for (theirs, ours) in [
        ("payment_method", "payment_method"),
        ("mileage_spent_amount", "mileage_spent"),
        ("shipping_fee", "shipping"),
        ("first_order", "first_order"),
        ("order_from_mobile", "mobile"),
        ("group_no_when_ordering", "group_no"),
    ] {
        let Some(text) = r.str(theirs) else { continue };
        let value = match &*text {
            "T" => Value::Bool(true),
            "F" => Value::Bool(false),
            t => match number::plain(t.as_bytes()).filter(|_| !theirs.ends_with("ordering")) {
                Some(n) => Value::Num(n),
                None => Value::text(t),
            },
        };
        more.set(ours, value)?;
    }
    let mut told = work.traits();
    for (theirs, ours) in [("buyer_email", "email"), ("buyer_cellphone", "phone"), ("buyer_name", "name")] {
        if let Some(text) = r.str(theirs) {
            told.text(ours, &text)?;
        }
    }
    let message = work.id("order", &id);
    work.say_order(message, &who, ts, (order, more), Some(told))?;
    Ok(None)
}

fn refund(work: &mut Work, r: Json) -> Told {
    if r.str("paid").as_deref() == Some("F") {
        return Ok(Some(Skip::NotPaid));
    }
    let id = order_id(r)?;
    let who = whose(work, r)?;
    let ts = work.time(r, &["refunded_date", "cancel_date"])?;
    let mut order = head(r, &id)?;
    if let Some(own) = props::number(r.get("refund_amount"), "resource.refund_amount")? {
        order.total = Some(own);
    }
    let refund = r.str("refund_id").unwrap_or_else(|| id.clone()).into_owned();
    order.refund = Some(refund.clone());
    let (message, more) = (work.id("refund", &refund), work.props());
    work.say_order(message, &who, ts, (order, more), None)?;
    Ok(None)
}

/// A cancellation or return that was asked for; money is told of by the refund.
fn changed(work: &mut Work, r: Json, event: &str, kind: &str) -> Told {
    let id = order_id(r)?;
    let who = whose(work, r)?;
    let ts = work.time(r, &["cancel_date"])?;
    let mut p = work.props();
    p.set("order_id", Value::text(id.as_ref()))?;
    let message = work.id(kind, &id);
    work.say(message, &who, ts, vec![(event.to_string(), p.out)]);
    Ok(None)
}

fn signed_up(work: &mut Work, r: Json) -> Told {
    let mut who = work.who();
    work.user(&mut who, r.str("member_id"), "resource.member_id")?;
    who.add(IdKind::Email, r.str("email"), "resource.email")?;
    who.add(IdKind::Phone, r.str("cellphone"), "resource.cellphone")?;
    let who = who.finish("resource.member_id")?;
    let ts = work.time(r, &["created_date"])?;
    let mut told = work.traits();
    for (theirs, ours) in [
        ("name", "name"),
        ("birthday", "birth_date"),
        ("gender", "gender"),
        ("email", "email"),
        ("phone", "phone"),
        ("cellphone", "phone"),
        ("residence", "region"),
        ("group_no", "group_no"),
    ] {
        if let Some(text) = r.str(theirs) {
            told.text(ours, &text)?;
        }
    }
    // The account is given with the consents, at the same moment.
    for (theirs, channel) in [("news_mail", "email"), ("sms", "sms")] {
        if let Some(given) = r.str(theirs).and_then(|t| traits::boolean(&t)) {
            told.props.set(&format!("{}{channel}", names::CONSENT), Value::Bool(given))?;
        }
    }
    if let Some(joined) = r.get("created_date") {
        told.one("joined_at", joined)?;
    }
    let mut events = super::segment::set(told.props);
    events.push(("Signed Up".to_string(), vec![]));
    let member = who[0].value.clone();
    let message = work.id("member", &member);
    work.say(message, &who, ts, events);
    Ok(None)
}

fn cart(work: &mut Work, r: Json) -> Told {
    let mut who = work.who();
    work.user(&mut who, r.str("member_id"), "resource.member_id")?;
    if who.ids.is_empty() {
        return Ok(Some(Skip::Nobody));
    }
    let mut p = work.props();
    let variant = r.str("variant_code");
    // The product's code opens that of its variants; orders name it so.
    let code = variant.as_deref().and_then(|v| v.get(..8)).filter(|v| v.starts_with('P')).map(str::to_string);
    p.set_text("product_id", code.or_else(|| r.str("product_no").map(|n| n.into_owned())))?;
    p.set_text("product_no", r.str("product_no"))?;
    p.set_text("variant", variant)?;
    p.set_number("quantity", props::number(r.get("quantity"), "resource.quantity")?)?;
    let received = work.delivery.received;
    let id = match work.delivery.id {
        Some(trace) => work.id("cart", trace),
        None => work.id("cart", &super::segment::hash(r.raw(), Some(received))),
    };
    work.say(id, &who.ids, received, vec![(names::CART.to_string(), p.out)]);
    Ok(None)
}
