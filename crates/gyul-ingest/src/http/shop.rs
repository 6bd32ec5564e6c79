//! What webhooks of shops have in common: signatures, whose shop it is, and the people in it.

use super::body::Body;
use super::order::{Events, Order};
use super::problem::Fault;
use super::props::Props;
use super::tape::{Json, Kind, Tape};
use super::traits::{Traits, happening, instant};
use super::who::Who;
use super::{BodyError, Limits, Parsed, RejectCode, Sent, Skip, again};
use base64::Engine;
use gyul_model::{Decimal, IdKind, Identifier, Instant, Message, names};
use hmac::{Hmac, KeyInit, Mac};
use subtle::ConstantTimeEq;

/// A shop that sends webhooks.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    /// Domain or mall id: part of message ids, so that two shops' orders are not taken for one another.
    pub id: &'a str,
    /// In front of customers' ids; empty as in imports. For workspaces that unite several shops.
    pub prefix: &'a str,
}

/// A webhook as its headers describe it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub shop: Shop<'a>,
    /// `orders/paid`, `order.updated`; Cafe24 tells it in the body.
    pub topic: &'a str,
    /// The delivery's id, the same on retries, if the platform sends one.
    pub id: Option<&'a str>,
    pub received: Instant,
}

/// Whether a header is the base64 HMAC-SHA256 of the raw body (Shopify, WooCommerce). Compares in constant time.
pub fn verify_hmac(secret: &[u8], body: &[u8], header: &str) -> bool {
    let Ok(given) = base64::engine::general_purpose::STANDARD.decode(header.trim()) else { return false };
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(secret) else { return false };
    mac.update(body);
    !secret.is_empty() && mac.verify_slice(&given).is_ok()
}

/// Whether a header is a shared secret (Cafe24 `X-API-Key`, Kakao `Authorization`). Compares in constant time.
pub fn verify_secret(secret: &str, header: &str) -> bool {
    // Digests have one length, so not even the secret's shows.
    use sha2::Digest;
    let digest = |t: &str| sha2::Sha256::digest(t.trim().as_bytes());
    !secret.is_empty() && bool::from(digest(secret).as_slice().ct_eq(digest(header).as_slice()))
}

/// What a webhook becomes, being read.
pub(crate) struct Work<'l> {
    pub source: &'static str,
    pub delivery: Delivery<'l>,
    pub limits: &'l Limits,
    pub parsed: Parsed,
}

/// What became of one thing that a shop told.
pub(crate) type Told = Result<Option<Skip>, Fault>;

/// Reads a body that tells of one thing.
pub(crate) fn read(
    source: &'static str,
    delivery: Delivery,
    body: &[u8],
    limits: &Limits,
    tell: impl FnOnce(&mut Work, Json) -> Told,
) -> Result<Parsed, BodyError> {
    let body = Body::read(body, limits)?;
    let tape = Tape::read(&body.text, limits.depth).map_err(|e| BodyError::NotJson(e.at))?;
    let root = tape.root();
    if root.kind() != Kind::Object {
        return Err(BodyError::NotShape("{...}"));
    }
    let mut work = Work { source, delivery, limits, parsed: Parsed { rows: 1, ..Parsed::default() } };
    match body.check(root, limits).and_then(|()| tell(&mut work, root)) {
        Ok(None) => {}
        Ok(Some(skip)) => work.parsed.skips.push(skip),
        Err(fault) => {
            // Half an order is none.
            work.parsed.messages.clear();
            work.parsed.reject(0, fault, root.raw());
            work.parsed.sent = Sent { form: source.into(), around: again::around(&work.delivery) };
        }
    }
    Ok(work.parsed)
}

impl<'l> Work<'l> {
    /// `shopify:my.shop:order:1`.
    pub fn id(&self, kind: &str, id: &str) -> String {
        format!("{}:{}:{kind}:{id}", self.source, self.delivery.shop.id)
    }

    pub fn who(&self) -> Who {
        Who::default()
    }

    /// A customer's own id, with the shop's prefix; 0 is a guest.
    pub fn user(&self, who: &mut Who, id: Option<impl AsRef<str>>, place: &str) -> Result<(), Fault> {
        let id = id.filter(|i| i.as_ref().trim() != "0" && !i.as_ref().trim().is_empty());
        who.add(IdKind::User, id.map(|i| format!("{}{}", self.delivery.shop.prefix, i.as_ref().trim())), place)
    }

    /// A guest is known by the address, else by the number: what one types in a form need not be one's own.
    pub fn guest(
        &self,
        who: &mut Who,
        email: Option<impl AsRef<str>>,
        phone: Option<impl AsRef<str>>,
    ) -> Result<(), Fault> {
        if who.ids.is_empty() {
            who.add(IdKind::Email, email, "email")?;
        }
        if who.ids.is_empty() {
            who.add(IdKind::Phone, phone, "phone")?;
        }
        Ok(())
    }

    pub fn traits(&self) -> Traits<'l> {
        Traits::new(self.limits, self.delivery.received, "")
    }

    pub fn props(&self) -> Props<'l> {
        Props::new(self.limits)
    }

    /// The first of these fields that is a time; the receipt if there is none.
    pub fn time(&self, from: Json, names: &[&str]) -> Result<Instant, Fault> {
        let Some((name, text)) = names.iter().find_map(|n| Some((n, from.str(n)?))) else {
            return Ok(self.delivery.received);
        };
        let ts = instant(&text).ok_or_else(|| Fault::new(RejectCode::TimeUnreadable, *name))?;
        happening(ts, self.delivery.received, self.limits, name)
    }

    pub fn say(&mut self, id: String, who: &[Identifier], ts: Instant, events: Events) {
        let source = self.source;
        self.parsed.messages.push(Message { source, id, who: who.to_vec(), previous: None, ts, events });
    }

    /// An order or refund with what it tells of the person. The first telling of an id wins, so that a changed order
    /// does not count again.
    pub fn say_order(
        &mut self,
        id: String,
        who: &[Identifier],
        ts: Instant,
        (order, more): (Order, Props<'l>),
        told: Option<Traits<'l>>,
    ) -> Result<(), Fault> {
        if order.total.is_some_and(|t| t < Decimal::ZERO) {
            return Err(Fault::new(RejectCode::NegativeAmount, "total"));
        }
        let mut events = told.map_or(vec![], |t| super::segment::set(t.props));
        events.extend(order.events(more, self.limits)?);
        self.say(id, who, ts, events);
        Ok(())
    }

    /// A consent is known as of the moment it was given or withdrawn.
    pub fn say_consent(
        &mut self,
        customer: &str,
        who: &[Identifier],
        (channel, given): (&str, bool),
        ts: Instant,
    ) -> Result<(), Fault> {
        let mut traits = self.traits();
        traits.text(&format!("{}{channel}", names::CONSENT), if given { "true" } else { "false" })?;
        let id = self.id("consent", &format!("{customer}:{channel}:{}", ts.0));
        self.say(id, who, ts, super::segment::set(traits.props));
        Ok(())
    }
}
