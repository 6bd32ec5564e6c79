//! Is this request about somebody, and what does it say? Bytes and header values in, [`Message`]s out.
//!
//! Segment's calls ([`segment`]) become the same events and traits as imported files, so one definition fits both.
//! Every event of a request becomes a message or a [`Reject`] with its reason; one bad event spoils no other.
//!
//! Does not know addresses, headers as such, keys, the clock (the moment of receipt is passed in), or what becomes of messages.

mod body;
mod names;
mod order;
mod problem;
mod props;
mod segment;
mod tape;
mod traits;
mod who;

pub use body::inflate;
pub use problem::{BodyError, Reject, RejectCode};
pub use segment::{Call, segment};

use gyul_model::{MICROS_MINUTE, Message};

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

/// What a request said.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Events that were there: each became one message or one reject.
    pub rows: usize,
    /// In the order of the request.
    pub messages: Vec<Message>,
    pub rejects: Vec<Reject>,
    /// The key that the body carried, for senders without an `Authorization` header.
    pub write_key: Option<String>,
}
