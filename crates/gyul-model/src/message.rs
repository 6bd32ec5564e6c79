//! What arrives about somebody, before it is known who that is.

use crate::{Event, Instant, Value};
use std::fmt;

/// What sort of name an [`Identifier`] is, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// The shop's own id of a customer; two of them never merge by themselves.
    User,
    /// Lower case, trimmed.
    Email,
    /// E.164.
    Phone,
    /// Kakao app user id or channel relation id.
    Kakao,
    /// Push token or endpoint.
    Device,
    /// A browser or an app that nobody has signed in to yet.
    Anonymous,
}

impl IdKind {
    pub const ALL: [IdKind; 6] =
        [IdKind::User, IdKind::Email, IdKind::Phone, IdKind::Kakao, IdKind::Device, IdKind::Anonymous];

    /// As it is written in handles and in the API.
    pub fn name(self) -> &'static str {
        match self {
            IdKind::User => "user",
            IdKind::Email => "email",
            IdKind::Phone => "phone",
            IdKind::Kakao => "kakao",
            IdKind::Device => "device",
            IdKind::Anonymous => "anonymous",
        }
    }

    pub fn parse(name: &str) -> Option<IdKind> {
        IdKind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// A name that somebody goes by. `Debug` hides the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    pub kind: IdKind,
    pub value: String,
}

impl Identifier {
    pub fn new(kind: IdKind, value: impl Into<String>) -> Identifier {
        Identifier { kind, value: value.into() }
    }

    /// The id under which timelines are kept: a user id as it is, others with their kind before a colon.
    pub fn handle(&self) -> String {
        match self.kind {
            IdKind::User => self.value.clone(),
            kind => format!("{}:{}", kind.name(), self.value),
        }
    }

    /// The reverse of [`Identifier::handle`].
    pub fn of_handle(handle: &str) -> Identifier {
        let known = handle.split_once(':').and_then(|(k, v)| Some((IdKind::parse(k)?, v)));
        match known {
            Some((kind, value)) if kind != IdKind::User => Identifier::new(kind, value),
            _ => Identifier::new(IdKind::User, handle),
        }
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:…", self.kind.name())
    }
}

/// One thing that a source said about one person: what happened, and by which names the person goes.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// Where it came from: `segment`, `ga4`, `shopify`, `woocommerce`, `cafe24`, `kakao`, `tracker`, `api`.
    pub source: &'static str,
    /// Tells a retry from a new message: `messageId`, a webhook's delivery id, or a hash of the content.
    pub id: String,
    /// At least one, each kind at most once but for `link`s.
    pub who: Vec<Identifier>,
    /// A former name of theirs, as an `alias` says it. A bare id is that of a user if there is one by then, else of a browser.
    pub previous: Option<Identifier>,
    /// When it happened, clock skew corrected.
    pub ts: Instant,
    /// An order gives the order and its lines; `identify` sets traits; empty for a mere link of names.
    pub events: Vec<(String, Vec<(String, Value)>)>,
}

impl Message {
    /// The events with their places in the log: one each, from `seq` on.
    pub fn events_at(&self, seq: u64) -> impl Iterator<Item = Event> + '_ {
        self.events.iter().zip(seq..).map(|((name, props), seq)| Event {
            ts: self.ts,
            seq,
            name: name.clone(),
            props: props.clone(),
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} message {} of {:?}, {} events", self.source, self.id, self.who, self.events.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_back_and_debug_hides_them() {
        for (kind, value) in [(IdKind::User, "C1"), (IdKind::Email, "a@b.kr"), (IdKind::Anonymous, "x:y")] {
            let id = Identifier::new(kind, value);
            assert_eq!(Identifier::of_handle(&id.handle()), id);
            assert!(!format!("{id:?}").contains(value));
        }
        assert_eq!(Identifier::of_handle("shop:7"), Identifier::new(IdKind::User, "shop:7"));
    }
}
