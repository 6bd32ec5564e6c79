//! WooCommerce's webhooks.

use super::order::{Line, Order};
use super::problem::Fault;
use super::shop::{Delivery, Told, Work, read};
use super::tape::Json;
use super::traits::{Traits, full_name};
use super::{BodyError, Limits, Parsed, RejectCode, Skip, props};
use crate::values::number;
use gyul_model::{Decimal, IdKind, Value};

/// Reads a webhook of WooCommerce. The topic is that of `X-WC-Webhook-Topic`; the shop's id is `X-WC-Webhook-Source`.
pub fn woocommerce(delivery: Delivery, body: &[u8], limits: &Limits) -> Result<Parsed, BodyError> {
    // Saving a webhook sends a form.
    if body.trim_ascii().starts_with(b"webhook_id=") {
        return Ok(Parsed { rows: 1, skips: vec![Skip::Ping], ..Parsed::default() });
    }
    read("woocommerce", delivery, body, limits, |work, root| match delivery.topic {
        "order.created" | "order.updated" | "order.restored" => order(work, root),
        "customer.created" | "customer.updated" => customer(work, root),
        _ if root.get("webhook_id").is_some() => Ok(Some(Skip::Ping)),
        _ => Ok(Some(Skip::Topic)),
    })
}

fn order(work: &mut Work, o: Json) -> Told {
    let paid = o.str("date_paid_gmt").is_some() || o.str("date_paid").is_some();
    let status = o.str("status").unwrap_or_default();
    let gone = matches!(&*status, "cancelled" | "refunded");
    if !(paid || matches!(&*status, "processing" | "completed" | "refunded")) {
        return Ok(Some(Skip::NotPaid));
    }
    let key = o.str("id").ok_or_else(|| Fault::new(RejectCode::NoOrder, "id"))?.into_owned();
    let id = o.str("number").map_or_else(|| key.clone(), |n| n.into_owned());
    let billing = o.get("billing");
    let of = |n: &str| billing.and_then(|b| b.str(n));
    let mut who = work.who();
    work.user(&mut who, o.str("customer_id"), "customer_id")?;
    work.guest(&mut who, of("email"), of("phone"))?;
    let who = who.finish("customer_id")?;
    let ts = work.time(o, &["date_created_gmt", "date_paid_gmt"])?;
    let currency = o.str("currency").and_then(|c| number::currency(&c));
    let mut order = Order {
        id: Some(id.clone()),
        total: props::number(o.get("total"), "total")?,
        discount: props::number(o.get("discount_total"), "discount_total")?,
        coupon: o.get("coupon_lines").and_then(|c| c.children().find_map(|(_, c)| c.str("code"))).map(Into::into),
        currency: currency.clone(),
        channel: o.str("created_via").map(Into::into),
        ..Order::default()
    };
    for (i, (_, item)) in o.get("line_items").into_iter().flat_map(Json::children).enumerate() {
        let place = format!("line_items.{i}");
        let text = |n: &str| item.str(n).map(|t| t.into_owned());
        let number = |n: &str| props::number(item.get(n), &format!("{place}.{n}"));
        let mut line = Line {
            product: text("product_id").filter(|p| p != "0").or_else(|| text("sku")),
            name: text("name"),
            sku: text("sku"),
            variant: text("variation_id").filter(|v| v != "0"),
            price: number("price")?,
            quantity: number("quantity")?,
            total: number("total")?,
            ..Line::default()
        };
        line.check(&place)?;
        order.lines.push(line);
    }
    let mut more = work.props();
    for (theirs, ours) in [("shipping_total", "shipping"), ("total_tax", "tax"), ("payment_method", "payment_method")] {
        if let Some(v) = o.get(theirs).filter(|v| v.known().is_some()) {
            more.take_one(ours, v)?;
        }
    }
    let mut told = work.traits();
    person(&mut told, billing, None)?;
    let (total, lines) = (order.total, o.get("refunds").into_iter().flat_map(Json::children));
    let message = work.id("order", &key);
    work.say_order(message, &who, ts, (order, more), Some(told))?;
    let back = |refund: &str, total: Option<Decimal>| Order {
        id: Some(id.clone()),
        refund: Some(refund.to_string()),
        total: total.map(|t| if t < Decimal::ZERO { number::neg(t) } else { t }),
        currency: currency.clone(),
        ..Order::default()
    };
    let at = work.time(o, &["date_modified_gmt", "date_created_gmt"])?;
    let mut any = false;
    for (_, refund) in lines {
        let Some(r) = refund.str("id") else { continue };
        any = true;
        let total = props::number(refund.get("total"), "refunds.total")?;
        let (message, more) = (work.id("refund", &r), work.props());
        work.say_order(message, &who, at, (back(&r, total), more), None)?;
    }
    // Paid and cancelled without a refund of its own: all of it is taken back.
    if gone && !any {
        let (message, more) = (work.id("cancel", &key), work.props());
        work.say_order(message, &who, at, (back(&id, total), more), None)?;
    }
    Ok(None)
}

fn person(told: &mut Traits, billing: Option<Json>, account: Option<Json>) -> Result<(), Fault> {
    let of = |n: &str| account.and_then(|a| a.str(n)).or_else(|| billing.and_then(|b| b.str(n)));
    for name in ["email", "phone", "first_name", "last_name"] {
        if let Some(text) = of(name) {
            told.text(name, &text)?;
        }
    }
    if let Some(name) = full_name(of("first_name").as_deref(), of("last_name").as_deref()) {
        told.text("name", &name)?;
    }
    for (theirs, ours) in
        [("city", "region"), ("address_1", "region"), ("state", "region"), ("city", "city"), ("country", "country")]
    {
        if let Some(text) = billing.and_then(|b| b.str(theirs)) {
            told.text(ours, &text)?;
        }
    }
    Ok(())
}

fn customer(work: &mut Work, c: Json) -> Told {
    let id = c.str("id").ok_or_else(|| Fault::new(RejectCode::NoIdentity, "id"))?;
    let mut who = work.who();
    work.user(&mut who, Some(&id), "id")?;
    who.add(IdKind::Email, c.str("email"), "email")?;
    let who = who.finish("id")?;
    let created = work.delivery.topic == "customer.created";
    let ts = work.time(c, if created { &["date_created_gmt"] } else { &["date_modified_gmt", "date_created_gmt"] })?;
    let mut told = work.traits();
    person(&mut told, c.get("billing"), Some(c))?;
    if let Some(joined) = c.get("date_created_gmt") {
        told.one("joined_at", joined)?;
    }
    if let Some(name) = c.str("username") {
        told.props.set("username", Value::text(name))?;
    }
    let mut events = super::segment::set(told.props);
    if created {
        events.push(("Signed Up".to_string(), vec![]));
    }
    let message = work.id("customer", &format!("{id}:{}", if created { "created".into() } else { ts.0.to_string() }));
    work.say(message, &who, ts, events);
    Ok(None)
}
