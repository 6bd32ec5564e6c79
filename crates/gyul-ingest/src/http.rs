//! Is this request about somebody, and what does it say? Bytes and header values in, [`Message`]s out.
//!
//! Segment's calls ([`segment`]) become the same events and traits as imported files, so one definition fits both.
//! Every event of a request becomes a message or a [`Reject`] with its reason; one bad event spoils no other.
//!
//! Does not know addresses, headers as such, keys, the clock (the moment of receipt is passed in), or what becomes of messages.

mod again;
mod body;
mod cafe24;
mod events;
mod ga4;
mod kakao;
mod names;
mod order;
mod problem;
mod props;
mod segment;
mod shop;
mod shopify;
mod tape;
mod traits;
mod who;
mod woocommerce;

pub use again::{Sent, again};
pub use body::inflate;
pub use cafe24::cafe24;
pub use events::events;
pub use ga4::{ga4, ga4_validation};
pub use kakao::kakao;
pub use problem::{BodyError, Reject, RejectCode};
pub use segment::{Call, segment};
pub use shop::{Delivery, Shop, verify_hmac, verify_secret};
pub use shopify::shopify;
pub use woocommerce::woocommerce;

pub(crate) use names::{PAGE, SCREEN};

use gyul_model::{Identifier, MICROS_MINUTE, Message};
use problem::Fault;
use std::fmt;

/// How much is taken. The defaults are Segment's where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of a request, decompressed.
    pub body: usize,
    /// Bytes of an event.
    pub event: usize,
    /// Events of a request.
    pub events: usize,
    /// Levels of nesting, counted from the request's.
    pub depth: usize,
    /// Properties or traits of an event, flattened.
    pub properties: usize,
    /// Bytes of a text.
    pub text: usize,
    /// Bytes of the name of an event or a property.
    pub name: usize,
    /// How far ahead of the receipt an event may lie, in microseconds.
    pub future: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body: 500 * 1024,
            event: 32 * 1024,
            events: 2500,
            depth: 32,
            properties: 256,
            text: 8192,
            name: 200,
            future: 5 * MICROS_MINUTE,
        }
    }
}

impl Limits {
    /// For webhooks of shops, which tell of one order or customer at whatever length.
    pub fn webhook() -> Limits {
        Limits { body: 4 << 20, event: 4 << 20, properties: 1024, text: 65_535, ..Limits::default() }
    }
}

/// What a request said.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Events that were there. Each became a message, a reject, a privacy request or was skipped;
    /// a shop's order can become several messages, itself and its refunds.
    pub rows: usize,
    /// In the order of the request.
    pub messages: Vec<Message>,
    pub rejects: Vec<Reject>,
    /// How the rejects were sent.
    pub sent: Sent,
    /// What a shop platform asks on behalf of a person.
    pub privacy: Vec<Privacy>,
    /// Events that are right and change nothing.
    pub skips: Vec<Skip>,
    /// The key that the body carried, for senders without an `Authorization` header.
    pub write_key: Option<String>,
}

impl Parsed {
    pub(crate) fn reject(&mut self, index: usize, fault: Fault, content: &str) {
        let Fault { code, place } = fault;
        self.rejects.push(Reject { index, code, place, content: content.to_string() });
    }
}

/// Why an event changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// A sign of life.
    Ping,
    /// A topic that Gyul has no use for.
    Topic,
    /// The order is not paid yet; it counts when it is.
    NotPaid,
    TestOrder,
    /// It says not whose it is yet; a later one will.
    Nobody,
}

/// A request for a person's data, or for a shop's when it leaves.
#[derive(Clone, PartialEq)]
pub struct Privacy {
    pub source: &'static str,
    /// Tells a retry from a new request.
    pub id: String,
    pub ask: Ask,
    /// Empty if it is about everybody.
    pub who: Vec<Identifier>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Hand out what is known.
    Export,
    Erase,
    /// The shop has gone: erase all that came from it.
    EraseShop,
}

/// Hides the person.
impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} asks to {:?} {:?}", self.source, self.ask, self.who)
    }
}
