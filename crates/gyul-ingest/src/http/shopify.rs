//! Shopify's webhooks.

use super::order::{Line, Order, add};
use super::problem::Fault;
use super::shop::{Delivery, Told, Work, read};
use super::tape::{Json, Kind};
use super::traits::{Traits, full_name, instant};
use super::who::Who;
use super::{Ask, BodyError, Limits, Parsed, Privacy, RejectCode, Skip, props};
use crate::values::number;
use gyul_model::{Decimal, IdKind, Identifier, Instant, Value, names};

/// Reads a webhook of Shopify. The topic is that of `X-Shopify-Topic`; the shop's id is `X-Shopify-Shop-Domain`.
///
/// All `orders/*` topics tell the same: the order when it is paid, and its refunds when there are any, each once.
/// `refunds/create` names no customer; the refund comes with `orders/updated`.
pub fn shopify(delivery: Delivery, body: &[u8], limits: &Limits) -> Result<Parsed, BodyError> {
    read("shopify", delivery, body, limits, |work, root| match delivery.topic {
        "orders/create"
        | "orders/paid"
        | "orders/updated"
        | "orders/cancelled"
        | "orders/edited"
        | "orders/fulfilled"
        | "orders/partially_fulfilled" => order(work, root),
        "customers/create" | "customers/update" | "customers/enable" => customer(work, root),
        "checkouts/create" | "checkouts/update" => checkout(work, root),
        "customers/data_request" => privacy(work, root, Ask::Export),
        "customers/redact" => privacy(work, root, Ask::Erase),
        "shop/redact" => privacy(work, root, Ask::EraseShop),
        _ => Ok(Some(Skip::Topic)),
    })
}

fn order(work: &mut Work, o: Json) -> Told {
    if o.get("test").and_then(Json::bool) == Some(true) {
        return Ok(Some(Skip::TestOrder));
    }
    let status = o.str("financial_status").unwrap_or_default();
    if matches!(&*status, "pending" | "voided" | "expired" | "unpaid") {
        return Ok(Some(Skip::NotPaid));
    }
    let id = o.str("id").ok_or_else(|| Fault::new(RejectCode::NoOrder, "id"))?.into_owned();
    let who = whose(work, o)?.finish("customer")?;
    let ts = work.time(o, &["processed_at", "created_at"])?;
    let order = Order {
        id: Some(id.clone()),
        total: props::number(o.get("total_price"), "total_price")?,
        discount: props::number(o.get("total_discounts"), "total_discounts")?,
        coupon: o.get("discount_codes").and_then(|c| c.children().find_map(|(_, c)| c.str("code"))).map(Into::into),
        currency: o.str("currency").and_then(|c| number::currency(&c)),
        channel: o.str("source_name").map(Into::into),
        lines: lines(o.get("line_items"), "line_items")?,
        ..Order::default()
    };
    let mut more = work.props();
    for (theirs, ours) in [
        ("name", "order_number"),
        ("subtotal_price", "subtotal"),
        ("total_tax", "tax"),
        ("landing_site", "landing_site"),
        ("referring_site", "referrer"),
    ] {
        if let Some(v) = o.get(theirs).filter(|v| v.known().is_some()) {
            more.take_one(ours, v)?;
        }
    }
    if let Some(v) = o.at(&["total_shipping_price_set", "shop_money", "amount"]) {
        more.take_one("shipping", v)?;
    }
    let mut told = work.traits();
    person(&mut told, o.get("customer"), o)?;
    let currency = order.currency.clone();
    let message = work.id("order", &id);
    work.say_order(message, &who, ts, (order, more), Some(told))?;
    for (i, (_, refund)) in o.get("refunds").into_iter().flat_map(Json::children).enumerate() {
        give_back(work, refund, &format!("refunds.{i}"), (&id, currency.as_deref()), &who)?;
    }
    Ok(None)
}

/// A refund counts what was paid back, or what the returned lines cost if no payment is told of.
fn give_back(
    work: &mut Work,
    refund: Json,
    place: &str,
    (order, currency): (&str, Option<&str>),
    who: &[Identifier],
) -> Result<(), Fault> {
    let Some(id) = refund.str("id") else { return Ok(()) };
    let mut total = None;
    for (_, t) in refund.get("transactions").into_iter().flat_map(Json::children) {
        let paid_back =
            t.str("kind").as_deref() == Some("refund") && matches!(t.str("status").as_deref(), None | Some("success"));
        if let (true, Some(amount)) = (paid_back, props::number(t.get("amount"), &format!("{place}.transactions"))?) {
            total = add(total.unwrap_or(Decimal::ZERO), amount);
        }
    }
    let mut back = vec![];
    for (i, (_, line)) in refund.get("refund_line_items").into_iter().flat_map(Json::children).enumerate() {
        let place = format!("{place}.refund_line_items.{i}");
        let Some(item) = line.get("line_item") else { continue };
        let mut l = read_line(item, &place)?;
        l.quantity = props::number(line.get("quantity"), &place)?;
        l.total = props::number(line.get("subtotal"), &place)?;
        l.check(&place)?;
        back.push(l);
    }
    // Nothing was paid back and nothing came back: an order that was never charged.
    if total.is_none() && back.is_empty() {
        return Ok(());
    }
    let ts = work.time(refund, &["processed_at", "created_at"])?;
    let o = Order {
        id: Some(order.to_string()),
        refund: Some(id.to_string()),
        total,
        currency: currency.map(str::to_string),
        lines: back,
        ..Order::default()
    };
    let (message, more) = (work.id("refund", &id), work.props());
    work.say_order(message, who, ts, (o, more), None)
}

fn lines(items: Option<Json>, place: &str) -> Result<Vec<Line>, Fault> {
    let items = items.filter(|i| i.kind() == Kind::Array);
    let read = |(i, item)| {
        let place = format!("{place}.{i}");
        let mut line = read_line(item, &place)?;
        // An edited order keeps the lines that were taken out.
        if line.quantity == Some(Decimal::ZERO) {
            return Ok(None);
        }
        line.check(&place)?;
        Ok(Some(line))
    };
    items.into_iter().flat_map(Json::children).map(|(_, v)| v).enumerate().filter_map(|l| read(l).transpose()).collect()
}

fn read_line(item: Json, place: &str) -> Result<Line, Fault> {
    let text = |n: &str| item.str(n).map(|t| t.into_owned());
    let number = |n: &str| props::number(item.get(n), &format!("{place}.{n}"));
    Ok(Line {
        product: text("product_id").or_else(|| text("sku")),
        name: text("title").or_else(|| text("name")),
        category: text("product_type"),
        brand: text("vendor"),
        variant: text("variant_title"),
        sku: text("sku"),
        price: number("price")?,
        quantity: number("quantity")?,
        discount: number("total_discount")?,
        ..Line::default()
    })
}

/// Whose order it is: the customer with what the account says, else the address or number of the order.
fn whose(work: &Work, o: Json) -> Result<Who, Fault> {
    let mut who = work.who();
    if let Some(c) = o.get("customer") {
        work.user(&mut who, c.str("id"), "customer.id")?;
        who.add(IdKind::Email, c.str("email"), "customer.email")?;
        who.add(IdKind::Phone, c.str("phone"), "customer.phone")?;
    }
    work.guest(&mut who, o.str("email").or_else(|| o.str("contact_email")), o.str("phone"))?;
    Ok(who)
}

fn person(told: &mut Traits, customer: Option<Json>, o: Json) -> Result<(), Fault> {
    let of = |n: &str| customer.and_then(|c| c.str(n));
    for name in ["email", "phone"] {
        if let Some(text) = of(name).or_else(|| o.str(name)) {
            told.text(name, &text)?;
        }
    }
    for name in ["first_name", "last_name"] {
        if let Some(text) = of(name) {
            told.text(name, &text)?;
        }
    }
    if let Some(name) = full_name(of("first_name").as_deref(), of("last_name").as_deref()) {
        told.text("name", &name)?;
    }
    let address = customer.and_then(|c| c.get("default_address")).or_else(|| o.get("shipping_address"));
    if let Some(a) = address.or_else(|| o.get("billing_address")) {
        for name in ["city", "province", "province_code"] {
            if let Some(text) = a.str(name) {
                // KR-11 comes as `KR-11`, Seoul as `Seoul`.
                told.text("region", &text)?;
            }
        }
        for (theirs, ours) in [("city", "city"), ("country_code", "country")] {
            if let Some(text) = a.str(theirs) {
                told.text(ours, &text)?;
            }
        }
    }
    Ok(())
}

fn customer(work: &mut Work, c: Json) -> Told {
    let id = c.str("id").ok_or_else(|| Fault::new(RejectCode::NoIdentity, "id"))?;
    let mut who = work.who();
    work.user(&mut who, Some(&id), "id")?;
    who.add(IdKind::Email, c.str("email"), "email")?;
    who.add(IdKind::Phone, c.str("phone"), "phone")?;
    let who = who.finish("id")?;
    let ts = work.time(c, &["updated_at", "created_at"])?;
    let mut told = work.traits();
    person(&mut told, Some(c), c)?;
    if let Some(joined) = c.get("created_at") {
        told.one("joined_at", joined)?;
    }
    if let Some(tags) = c.str("tags") {
        let tags = tags.split(',').map(|t| t.trim().to_string()).filter(|t| !t.is_empty()).collect();
        told.props.set("tags", Value::List(tags))?;
    }
    let message = work.id("customer", &format!("{id}:{}", ts.0));
    work.say(message, &who, ts, super::segment::set(told.props));
    for (theirs, channel) in [("email_marketing_consent", "email"), ("sms_marketing_consent", "sms")] {
        let Some(consent) = c.get(theirs) else { continue };
        let given = match consent.str("state").as_deref() {
            Some("subscribed") => true,
            Some("unsubscribed" | "not_subscribed" | "redacted") => false,
            _ => continue,
        };
        let at: Option<Instant> = consent.str("consent_updated_at").and_then(|t| instant(&t));
        let at = at.filter(|t| (Instant::FIRST..=work.delivery.received).contains(t)).unwrap_or(ts);
        work.say_consent(&id, &who, (channel, given), at)?;
    }
    Ok(None)
}

fn checkout(work: &mut Work, c: Json) -> Told {
    let who = whose(work, c)?;
    if who.ids.is_empty() {
        return Ok(Some(Skip::Nobody));
    }
    let who = who.finish("customer")?;
    let id = c.str("token").or_else(|| c.str("id")).ok_or_else(|| Fault::new(RejectCode::NoOrder, "token"))?;
    let ts = work.time(c, &["created_at"])?;
    let lines = lines(c.get("line_items"), "line_items")?;
    let mut p = work.props();
    p.set("checkout_id", Value::text(id.as_ref()))?;
    p.set_number("value", props::number(c.get("total_price"), "total_price")?)?;
    p.set_text("currency", c.str("currency").and_then(|c| number::currency(&c)))?;
    p.set("items", Value::from(lines.len() as i64))?;
    let products: Vec<String> = lines.into_iter().filter_map(|l| l.product).collect();
    if !products.is_empty() {
        p.set("product_ids", Value::List(products))?;
    }
    let message = work.id("checkout", &id);
    work.say(message, &who, ts, vec![(names::CHECKOUT.to_string(), p.out)]);
    Ok(None)
}

fn privacy(work: &mut Work, root: Json, ask: Ask) -> Told {
    let mut who = work.who();
    if let Some(c) = root.get("customer") {
        work.user(&mut who, c.str("id"), "customer.id")?;
        who.add(IdKind::Email, c.str("email"), "customer.email")?;
        who.add(IdKind::Phone, c.str("phone"), "customer.phone")?;
    }
    let who = if ask == Ask::EraseShop { vec![] } else { who.finish("customer")? };
    let known = root.at(&["data_request", "id"]).and_then(Json::known).map(|t| t.into_owned());
    let id = known.or_else(|| work.delivery.id.map(str::to_string));
    let id = id.unwrap_or_else(|| super::segment::hash(root.raw(), None));
    let id = work.id("privacy", &id);
    work.parsed.privacy.push(Privacy { source: work.source, id, ask, who });
    Ok(None)
}
