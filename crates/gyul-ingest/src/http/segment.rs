//! Segment's HTTP tracking API: `identify track page screen group alias batch`.

use super::body::Body;
use super::order::{Events, Order};
use super::problem::Fault;
use super::props::Props;
use super::tape::{Json, Kind, Tape};
use super::traits::{Traits, happening, instant};
use super::who::Who;
use super::{BodyError, Limits, Parsed, RejectCode, Sent, names};
use gyul_model::{IdKind, Identifier, Instant, MICROS_DAY, Message, Value, hash64};
use std::borrow::Cow;

/// Clocks that differ from ours by more than this are not corrected: such messages tell of the past.
const SKEW_MAX: i64 = MICROS_DAY;
/// Longer message ids are replaced by their hash.
const ID_MAX: usize = 200;

/// What a path asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Identify,
    Track,
    Page,
    Screen,
    Group,
    Alias,
    Batch,
}

impl Call {
    /// The last part of a path, long or of one letter: `track`, `t`.
    pub fn parse(name: &str) -> Option<Call> {
        Some(match name {
            "identify" | "i" => Call::Identify,
            "track" | "t" => Call::Track,
            "page" | "p" => Call::Page,
            "screen" | "s" => Call::Screen,
            "group" | "g" => Call::Group,
            "alias" | "a" => Call::Alias,
            "batch" | "b" | "import" => Call::Batch,
            _ => return None,
        })
    }

    fn form(self) -> &'static str {
        match self {
            Call::Identify => "segment.identify",
            Call::Track => "segment.track",
            Call::Page => "segment.page",
            Call::Screen => "segment.screen",
            Call::Group => "segment.group",
            Call::Alias => "segment.alias",
            Call::Batch => "segment.batch",
        }
    }
}

/// Reads a request of Segment's API, received at an instant. Whatever its content type says, it is JSON.
pub fn segment(call: Call, body: &[u8], received: Instant, limits: &Limits) -> Result<Parsed, BodyError> {
    let body = Body::read(body, limits)?;
    let tape = Tape::read(&body.text, limits.depth).map_err(|e| BodyError::NotJson(e.at))?;
    let root = tape.root();
    if root.kind() != Kind::Object {
        return Err(BodyError::NotShape(if call == Call::Batch { r#"{"batch": [...]}"# } else { "{...}" }));
    }
    let mut parsed = Parsed { write_key: root.str("writeKey").map(Cow::into_owned), ..Parsed::default() };
    let mut work = Work { body: &body, received, limits, outer: None, sent: None };
    if call != Call::Batch {
        work.take(Some(call), root, &mut parsed);
        if !parsed.rejects.is_empty() {
            parsed.sent.form = call.form().into();
        }
        return Ok(parsed);
    }
    let batch = root.get("batch").filter(|b| b.kind() == Kind::Array);
    let batch = batch.ok_or(BodyError::NotShape(r#"{"batch": [...]}"#))?;
    if batch.children().count() > limits.events {
        return Err(BodyError::TooManyEvents(limits.events));
    }
    let outer = Fields::read(root);
    work.sent = outer.sent_at.and_then(Json::known).and_then(|t| instant(&t));
    work.outer = Some(outer);
    for (_, item) in batch.children() {
        work.take(None, item, &mut parsed);
    }
    if !parsed.rejects.is_empty() {
        parsed.sent = Sent { form: call.form().into(), around: around(root, &["context", "sentAt", "timestamp"]) };
    }
    Ok(parsed)
}

/// Larger fields are not kept with each reject: a request could reject thousands.
const AROUND_MAX: usize = 4096;

/// Some fields of a request, as it wrote them, as an object of their own.
pub(crate) fn around(root: Json, names: &[&str]) -> String {
    let quoted = |j: Json| if j.kind() == Kind::Text { format!("\"{}\"", j.raw()) } else { j.raw().to_string() };
    let small = |n: &str| root.get(n).filter(|j| j.raw().len() <= AROUND_MAX);
    let fields = names.iter().filter_map(|n| Some(format!("\"{n}\":{}", quoted(small(n)?))));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// What all events of a request share.
struct Work<'d, 'a> {
    body: &'d Body<'a>,
    received: Instant,
    limits: &'d Limits,
    /// A batch's own fields, which hold where an event has none.
    outer: Option<Fields<'d, 'd>>,
    /// When the batch was sent by the sender's clock. What cannot be read of a clock is no reason to lose an event.
    sent: Option<Instant>,
}

/// The fields of an event, found in one pass. A field that is null is not there.
#[derive(Clone, Copy, Default)]
struct Fields<'d, 'a> {
    kind: Option<Json<'d, 'a>>,
    message_id: Option<Json<'d, 'a>>,
    user_id: Option<Json<'d, 'a>>,
    anonymous_id: Option<Json<'d, 'a>>,
    timestamp: Option<Json<'d, 'a>>,
    original_timestamp: Option<Json<'d, 'a>>,
    sent_at: Option<Json<'d, 'a>>,
    event: Option<Json<'d, 'a>>,
    properties: Option<Json<'d, 'a>>,
    traits: Option<Json<'d, 'a>>,
    context: Option<Json<'d, 'a>>,
    name: Option<Json<'d, 'a>>,
    category: Option<Json<'d, 'a>>,
    group_id: Option<Json<'d, 'a>>,
    previous_id: Option<Json<'d, 'a>>,
}

impl<'d, 'a> Fields<'d, 'a> {
    fn read(item: Json<'d, 'a>) -> Fields<'d, 'a> {
        let mut f = Fields::default();
        for (key, value) in item.children() {
            let slot = match &*key {
                "type" => &mut f.kind,
                "messageId" => &mut f.message_id,
                "userId" => &mut f.user_id,
                "anonymousId" => &mut f.anonymous_id,
                "timestamp" => &mut f.timestamp,
                "originalTimestamp" => &mut f.original_timestamp,
                "sentAt" => &mut f.sent_at,
                "event" => &mut f.event,
                "properties" => &mut f.properties,
                "traits" => &mut f.traits,
                "context" => &mut f.context,
                "name" => &mut f.name,
                "category" => &mut f.category,
                "groupId" => &mut f.group_id,
                "previousId" => &mut f.previous_id,
                _ => continue,
            };
            *slot = (!value.is_null()).then_some(value);
        }
        f
    }
}

impl<'d> Work<'d, '_> {
    fn take(&self, call: Option<Call>, item: Json<'d, 'd>, parsed: &mut Parsed) {
        let index = parsed.rows;
        parsed.rows += 1;
        match self.message(call, item) {
            Ok(message) => parsed.messages.push(message),
            Err(fault) => parsed.reject(index, fault, item.raw()),
        }
    }

    fn message(&self, call: Option<Call>, item: Json<'d, 'd>) -> Result<Message, Fault> {
        self.body.check(item, self.limits)?;
        let f = Fields::read(item);
        let call = match (call, f.kind.and_then(Json::known)) {
            (Some(call), _) => call,
            (None, None) => return Err(Fault::new(RejectCode::NoType, "")),
            (None, Some(name)) => Call::parse(&name)
                .filter(|c| *c != Call::Batch && name.len() > 1)
                .ok_or_else(|| Fault::new(RejectCode::UnknownType, "type"))?,
        };
        let (ts, dated) = self.time(&f)?;
        let mut who = Who::default();
        who.add(IdKind::User, f.user_id.and_then(Json::scalar), "userId")?;
        who.add(IdKind::Anonymous, f.anonymous_id.and_then(Json::scalar), "anonymousId")?;
        if let Some(token) = self.context(&f, &["device", "token"]).and_then(Json::known) {
            who.add(IdKind::Device, Some(token), "context.device.token")?;
        }
        let id = match f.message_id.and_then(Json::known) {
            Some(id) if id.len() <= ID_MAX => id.into_owned(),
            Some(id) => hash(&id, None),
            // Without a time of its own, the same again an hour later is another event.
            None => hash(item.raw(), (!dated).then_some(self.received)),
        };
        let mut former = None;
        let events = match call {
            Call::Identify => self.identify(&f, &mut who)?,
            Call::Track => self.track(&f, &id)?,
            Call::Page => vec![(names::PAGE.to_string(), self.page(&f, true)?)],
            Call::Screen => vec![(names::SCREEN.to_string(), self.page(&f, false)?)],
            Call::Group => self.group(&f)?,
            Call::Alias | Call::Batch => {
                let previous = f.previous_id.and_then(Json::known);
                let previous = previous.ok_or_else(|| Fault::new(RejectCode::NoPrevious, "previousId"))?;
                let Identifier { kind, value } = Identifier::of_handle(previous.trim());
                let mut names = Who::default();
                names.add(kind, Some(value), "previousId")?;
                former = names.ids.pop();
                vec![]
            }
        };
        if who.ids.is_empty() {
            self.by_traits(&f, &mut who)?;
        }
        Ok(Message { source: "segment", id, who: who.finish("userId")?, previous: former, ts, events })
    }

    /// A field of the event's context, else of the batch's.
    fn context(&self, f: &Fields<'d, 'd>, path: &[&str]) -> Option<Json<'d, 'd>> {
        let own = f.context.and_then(|c| c.at(path));
        own.or_else(|| self.outer.and_then(|o| o.context)?.at(path))
    }

    /// E-mail tools tell the address and nothing else.
    fn by_traits(&self, f: &Fields<'d, 'd>, who: &mut Who) -> Result<(), Fault> {
        for (kind, name) in [(IdKind::Email, "email"), (IdKind::Phone, "phone")] {
            let text = self.context(f, &["traits", name]).and_then(Json::known);
            who.add(kind, text, "context.traits")?;
        }
        Ok(())
    }

    /// When it happened by our clock, and whether the event itself says when.
    fn time(&self, f: &Fields<'d, 'd>) -> Result<(Instant, bool), Fault> {
        let read = |value: Option<Json>, place| match value.and_then(Json::known) {
            None => Ok(None),
            Some(t) => instant(&t).map(Some).ok_or_else(|| Fault::new(RejectCode::TimeUnreadable, place)),
        };
        let own = match read(f.original_timestamp, "originalTimestamp")? {
            Some(t) => Some(t),
            None => read(f.timestamp, "timestamp")?,
        };
        let happened = match own {
            Some(t) => Some(t),
            None => read(self.outer.and_then(|o| o.timestamp), "timestamp").unwrap_or(None),
        };
        let Some(happened) = happened else { return Ok((self.received, false)) };
        let own_sent = f.sent_at.and_then(Json::known).and_then(|t| instant(&t));
        let sent = own_sent.or(self.sent);
        let skew = sent.map_or(0, |s| self.received.0.saturating_sub(s.0));
        let skew = if skew.saturating_abs() <= SKEW_MAX { skew } else { 0 };
        let ts = happening(Instant(happened.0.saturating_add(skew)), self.received, self.limits, "timestamp")?;
        Ok((ts, own.is_some()))
    }

    fn identify(&self, f: &Fields<'d, 'd>, who: &mut Who) -> Result<Events, Fault> {
        let mut traits = Traits::new(self.limits, self.received, "");
        if let Some(t) = f.traits {
            traits.take(t)?;
        }
        traits.identify(who)?;
        Ok(set(traits.props))
    }

    fn group(&self, f: &Fields<'d, 'd>) -> Result<Events, Fault> {
        let group = f.group_id.and_then(Json::known);
        let group = group.ok_or_else(|| Fault::new(RejectCode::NoGroup, "groupId"))?;
        let mut traits = Traits::new(self.limits, self.received, "group.");
        traits.props.set("group", Value::text(group))?;
        if let Some(t) = f.traits {
            traits.take(t)?;
        }
        Ok(set(traits.props))
    }

    fn track(&self, f: &Fields<'d, 'd>, id: &str) -> Result<Events, Fault> {
        let name = f.event.and_then(Json::known);
        let name = name.ok_or_else(|| Fault::new(RejectCode::NoEventName, "event"))?;
        let name = names::event(name.trim());
        if name.len() > self.limits.name {
            return Err(Fault::new(RejectCode::NameTooLong, "event"));
        }
        let object = f.properties.filter(|p| p.kind() == Kind::Object);
        track(&name, object, id, self.limits)
    }

    fn page(&self, f: &Fields<'d, 'd>, page: bool) -> Result<Vec<(String, Value)>, Fault> {
        let mut props = Props::new(self.limits);
        if let Some(p) = f.properties {
            props.take(p, &[])?;
        }
        for (name, value) in [("name", f.name), ("category", f.category)] {
            if let Some(v) = value {
                props.take_one(name, v)?;
            }
        }
        if page {
            for name in ["path", "url", "title", "referrer", "search"] {
                if !props.has(name)
                    && let Some(v) = self.context(f, &["page", name])
                {
                    props.take_one(name, v)?;
                }
            }
        }
        if let Some(campaign) = self.context(f, &["campaign"]).filter(|c| c.kind() == Kind::Object) {
            for (key, value) in campaign.children() {
                // Segment calls utm_campaign `name`.
                let key = if key == "name" { Cow::Borrowed("campaign") } else { key };
                props.take_one(&format!("utm_{key}"), value)?;
            }
        }
        Ok(props.out)
    }
}

/// An event that sets traits, if there are any.
pub(crate) fn set(props: Props) -> Events {
    if props.out.is_empty() { vec![] } else { vec![(gyul_model::names::IDENTIFY.to_string(), props.out)] }
}

/// The events of a call by name: an order has its lines as events beside it.
pub(crate) fn track(name: &str, object: Option<Json>, id: &str, limits: &Limits) -> Result<Events, Fault> {
    let mut props = Props::new(limits);
    if let Some(object) = object {
        props.take(object, &["products"])?;
    }
    if let Some(ours) = names::email(name) {
        props.set("channel", Value::text("email"))?;
        return Ok(vec![(ours.to_string(), props.out)]);
    }
    let refund = matches!(name, gyul_model::names::REFUND | names::CANCELLED);
    if refund || name == gyul_model::names::ORDER {
        let order = Order::read(object, refund, || format!("auto-{id}"))?;
        return order.events(props, limits);
    }
    if let Some(products) = object.and_then(|o| o.get("products")).filter(|p| p.kind() == Kind::Array) {
        let ids = products.children().filter_map(|(_, p)| p.str("product_id").or_else(|| p.str("sku")));
        let ids: Vec<String> = ids.map(|t| t.replace('\u{1f}', " ")).collect();
        props.set("items", Value::from(products.children().count() as i64))?;
        if !ids.is_empty() {
            props.set("product_ids", Value::List(ids))?;
        }
    }
    Ok(vec![(name.to_string(), props.out)])
}

/// An id made of the content, and of the moment where the content has none.
pub(crate) fn hash(content: &str, at: Option<Instant>) -> String {
    let mut salted = content.as_bytes().to_vec();
    if let Some(at) = at {
        salted.extend(at.0.to_le_bytes());
    }
    let first = hash64(&salted);
    salted.push(0x9e);
    format!("hash-{first:016x}{:016x}", hash64(&salted))
}
