use crate::{Instant, Value};

/// Names of events and properties that have a meaning of their own in Gyul (Segment's e-commerce spec v2, and ours).
pub mod names {
    /// Sets traits: each property of the event is the new value of the trait of that name.
    pub const IDENTIFY: &str = "identify";
    pub const ORDER: &str = "Order Completed";
    pub const ITEM: &str = "Product Purchased";
    pub const REFUND: &str = "Order Refunded";
    pub const ITEM_REFUND: &str = "Product Refunded";
    pub const VIEW: &str = "Product Viewed";
    pub const CART: &str = "Product Added";
    pub const SEARCH: &str = "Products Searched";
    pub const CHECKOUT: &str = "Checkout Started";
    pub const SENT: &str = "Message Sent";
    pub const OPENED: &str = "Message Opened";
    pub const CLICKED: &str = "Message Clicked";
    /// Traits. `consent.<channel>` is a bool; `predict.<model>` a number; `birth_date` text `YYYY-MM-DD`.
    pub const BIRTH_DATE: &str = "birth_date";
    pub const CONSENT: &str = "consent.";
    /// Properties and traits that are amounts in the workspace's currency.
    pub const MONEY: [&str; 8] = ["total", "price", "revenue", "discount", "subtotal", "shipping", "tax", "amount"];
    pub const PREDICT: &str = "predict.";
}

/// One thing that happened to one customer. `(ts, seq)` is the total order within a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub ts: Instant,
    /// Position in the log: grows with arrival, so that `known at K` is a bound on it.
    pub seq: u64,
    pub name: String,
    /// In no particular order, each name once.
    pub props: Vec<(String, Value)>,
}

impl Event {
    pub fn prop(&self, name: &str) -> Option<&Value> {
        self.props.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

/// All that is known about one customer, ordered by `(ts, seq)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    pub customer: String,
    pub events: Vec<Event>,
}

impl Timeline {
    pub fn new(customer: impl Into<String>, mut events: Vec<Event>) -> Timeline {
        events.sort_by_key(|e| (e.ts, e.seq));
        Timeline { customer: customer.into(), events }
    }

    /// The instant from which on this customer belongs to the population: the first dated event.
    /// A customer of whom only undated traits are known has always been there.
    pub fn exists_from(&self) -> Option<Instant> {
        let dated = self.events.iter().map(|e| e.ts).find(|t| *t > Instant::ALWAYS);
        dated.or_else(|| self.events.first().map(|e| e.ts))
    }
}
