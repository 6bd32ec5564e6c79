//! Gyul's own bare form of events, for engineers: an object, an array of them, or one a line.

use super::body::Body;
use super::problem::Fault;
use super::segment::{hash, set, track};
use super::tape::{Json, Kind, Tape};
use super::traits::{Traits, happening, instant};
use super::who::Who;
use super::{BodyError, Limits, Parsed, RejectCode, Sent};
use gyul_model::{IdKind, Instant, Message, names};

/// Reads `{"customer": "C1", "name": "Order Completed", "ts": "2026-11-22T15:04:05+09:00", "id": "…", "props": {…}}`.
/// Instead of `customer`, `who` names kinds: `{"user": "C1", "email": "a@b.kr"}`; the name `identify` sets traits.
pub fn events(body: &[u8], received: Instant, limits: &Limits) -> Result<Parsed, BodyError> {
    let body = Body::read(body, limits)?;
    let sent = Sent { form: "events".into(), around: String::new() };
    let mut parsed = Parsed { sent, ..Parsed::default() };
    let take = |parsed: &mut Parsed, item: Json, base: usize| {
        let index = parsed.rows;
        parsed.rows += 1;
        match message(&body, base, item, received, limits) {
            Ok(m) => parsed.messages.push(m),
            Err(fault) => parsed.reject(index, fault, item.raw()),
        }
    };
    let whole = Tape::read(&body.text, limits.depth);
    match &whole {
        Ok(tape) if tape.root().kind() == Kind::Array => {
            if tape.root().children().count() > limits.events {
                return Err(BodyError::TooManyEvents(limits.events));
            }
            tape.root().children().for_each(|(_, item)| take(&mut parsed, item, 0));
            return Ok(parsed);
        }
        Ok(tape) if tape.root().kind() == Kind::Object => {
            take(&mut parsed, tape.root(), 0);
            return Ok(parsed);
        }
        Ok(_) => return Err(BodyError::NotShape(SHAPE)),
        Err(_) => {}
    }
    // No JSON as a whole: a line each, if the first is an object.
    let lines = || body.text.split('\n').filter(|l| !l.trim().is_empty());
    let first =
        lines().next().is_some_and(|l| Tape::read(l, limits.depth).is_ok_and(|t| t.root().kind() == Kind::Object));
    if let (Err(e), false) = (&whole, first) {
        return Err(BodyError::NotJson(e.at));
    }
    if lines().count() > limits.events {
        return Err(BodyError::TooManyEvents(limits.events));
    }
    let mut base = 0;
    for line in body.text.split('\n') {
        let start = base;
        base += line.len() + 1;
        if line.trim().is_empty() {
            continue;
        }
        match Tape::read(line, limits.depth) {
            Ok(tape) => take(&mut parsed, tape.root(), start),
            Err(_) => {
                let index = parsed.rows;
                parsed.rows += 1;
                parsed.reject(index, Fault::new(RejectCode::NotObject, ""), line.trim());
            }
        }
    }
    Ok(parsed)
}

const SHAPE: &str = r#"{"customer": "...", "name": "...", "ts": "...", "props": {...}}"#;

fn message(body: &Body, base: usize, item: Json, received: Instant, limits: &Limits) -> Result<Message, Fault> {
    body.check_at(item, base, limits)?;
    let mut who = Who::default();
    who.add(IdKind::User, item.get("customer").and_then(Json::scalar), "customer")?;
    if let Some(names) = item.get("who") {
        for (kind, value) in names.children() {
            let place = format!("who.{}", kind.chars().take(40).collect::<String>());
            let kind = IdKind::parse(&kind).ok_or_else(|| Fault::new(RejectCode::UnknownKind, &place))?;
            who.add(kind, value.scalar(), &place)?;
        }
    }
    let mut who = who.finish("customer")?;
    who.sort_by_key(|i| i.kind);
    let ts = match item.str("ts") {
        None => received,
        Some(t) => {
            let ts = instant(&t).ok_or_else(|| Fault::new(RejectCode::TimeUnreadable, "ts"))?;
            happening(ts, received, limits, "ts")?
        }
    };
    let id = match item.str("id") {
        Some(id) if id.len() <= limits.name => id.into_owned(),
        Some(id) => hash(&id, None),
        None => hash(item.raw(), item.get("ts").is_none().then_some(received)),
    };
    let props = item.get("props").filter(|p| p.kind() == Kind::Object);
    let name = item.str("name");
    let events = match name.as_deref().map(str::trim) {
        // Two names of one person, and nothing happened.
        None if who.len() > 1 && props.is_none() => vec![],
        None => return Err(Fault::new(RejectCode::NoEventName, "name")),
        Some(names::IDENTIFY) => {
            let mut traits = Traits::new(limits, received, "");
            props.map_or(Ok(()), |p| traits.take(p))?;
            if traits.props.out.is_empty() {
                return Err(Fault::new(RejectCode::NoTrait, "props"));
            }
            set(traits.props)
        }
        Some(name) if name.len() > limits.name => return Err(Fault::new(RejectCode::NameTooLong, "name")),
        Some(name) => track(&super::names::event(name), props, &id, limits)?,
    };
    Ok(Message { source: "api", id, who, previous: None, ts, events })
}
