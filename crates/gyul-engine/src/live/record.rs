//! What stands in the log: the bytes of messages, of what was rejected and of decisions.
//!
//! A payload is a version byte and fields: numbers as LEB128 (signed ones zigzag), texts with their length before them.

use super::erase::speaks_of;
use gyul_model::{Decimal, IdKind, Identifier, Instant, Message, Value};
use gyul_profile::{Blocked, Rules};
use gyul_store::Policy;

/// Kinds of records. Numbers are for ever.
pub const MESSAGE: u8 = 1;
pub const REJECTED: u8 = 2;
pub const ACTION: u8 = 3;
/// Numbers that something else has used: a checkpoint's base counts further than the log.
pub const SKIP: u8 = 4;

const VERSION: u8 = 1;
/// Of messages that say a former name, so that an earlier Gyul does not pass over it.
const WITH_PREVIOUS: u8 = 2;

/// What one request brought that was not taken.
#[derive(Clone, Default, PartialEq)]
pub struct Rejected {
    /// The key or webhook that it came by.
    pub via: String,
    pub code: String,
    pub place: String,
    pub ko: String,
    pub en: String,
    /// As it was sent. Personal data possible.
    pub content: String,
    /// How it was sent, and what its request said beside it: opaque here, for reading it again.
    pub form: String,
    pub around: String,
}

impl Rejected {
    /// Whether it, or what its request said beside it, names one of these.
    pub fn speaks_of(&self, names: &[String]) -> bool {
        speaks_of(&self.content, names) || speaks_of(&self.around, names)
    }
}

impl std::fmt::Debug for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?}", self.code, self.place)
    }
}

/// Something that people or programs decided.
#[derive(Clone, PartialEq)]
pub enum Action {
    /// A definition's text; `None` takes it out. `kind`: `segment`, `partition`, `measure` or `common`.
    Define { kind: String, id: String, text: Option<String> },
    /// The same, in force only when an [`Action::InForce`] says so.
    Propose { kind: String, id: String, text: Option<String> },
    /// What was proposed up to this record is computed.
    InForce { upto: u64 },
    /// Two handles are one person.
    Merge { into: String, from: String },
    /// The merge with this number is taken back.
    Unmerge { merge: u32 },
    /// A customer is forgotten: the handle numbers, no names.
    Erase { handles: Vec<u32> },
    /// Keys, users, sources: opaque.
    Access(Vec<u8>),
    /// Who did what: opaque.
    Audit(Vec<u8>),
    /// The workspace's settings: opaque.
    Settings(Vec<u8>),
    /// The tracking plan's text; `None`: no plan.
    Plan(Option<String>),
    /// New content for something in the quarantine.
    Mend { number: u64, content: String },
    /// What left the quarantine.
    Released(Vec<u64>),
    /// Who goes by one of these names objects to being profiled, or does not any more.
    Object { names: Vec<String>, objects: bool },
    /// Which events are too old to be looked at, from here on.
    Keep(Option<Policy>),
    /// How names become customers, from here on.
    Rules(Box<Rules>),
}

/// Without contents: they may speak of people.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Action::Define { .. } => "define",
            Action::Propose { .. } => "propose",
            Action::InForce { .. } => "in force",
            Action::Merge { .. } => "merge",
            Action::Unmerge { .. } => "unmerge",
            Action::Erase { .. } => "erase",
            Action::Access(_) => "access",
            Action::Audit(_) => "audit",
            Action::Settings(_) => "settings",
            Action::Plan(_) => "plan",
            Action::Mend { .. } => "mend",
            Action::Released(_) => "released",
            Action::Object { .. } => "object",
            Action::Keep(_) => "keep",
            Action::Rules(_) => "rules",
        })
    }
}

/// The payload cannot be understood: written by a later version, or damaged in a way that the checksum did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

// ---- writing

#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    fn new() -> Writer {
        Writer { bytes: vec![VERSION] }
    }

    pub fn uint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    pub fn int(&mut self, n: i64) {
        self.uint(((n << 1) ^ (n >> 63)) as u64);
    }

    pub fn blob(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.bytes.push(text.is_some().into());
        text.into_iter().for_each(|t| self.text(t));
    }

    fn value(&mut self, v: &Value) {
        match v {
            Value::Bool(b) => self.bytes.push(u8::from(*b)),
            Value::Num(d) => {
                self.bytes.extend([2, d.scale()]);
                self.int(d.mantissa());
            }
            Value::Text(t) => {
                self.bytes.push(3);
                self.text(t);
            }
            Value::Instant(t) => {
                self.bytes.push(4);
                self.int(t.0);
            }
            Value::List(list) => {
                self.bytes.push(5);
                self.uint(list.len() as u64);
                list.iter().for_each(|t| self.text(t));
            }
        }
    }
}

/// The message's record; it holds a number for each of its events, at least one.
pub fn message(m: &Message) -> (u32, Vec<u8>) {
    let mut w = Writer::new();
    w.text(m.source);
    w.text(&m.id);
    w.int(m.ts.0);
    w.uint(m.who.len() as u64);
    for id in &m.who {
        w.bytes.push(id.kind as u8);
        w.text(&id.value);
    }
    w.uint(m.events.len() as u64);
    for (name, props) in &m.events {
        w.text(name);
        w.uint(props.len() as u64);
        for (name, value) in props {
            w.text(name);
            w.value(value);
        }
    }
    if let Some(previous) = &m.previous {
        w.bytes[0] = WITH_PREVIOUS;
        w.bytes.push(previous.kind as u8);
        w.text(&previous.value);
    }
    (m.events.len().max(1) as u32, w.bytes)
}

pub fn rejected(r: &Rejected) -> Vec<u8> {
    let mut w = Writer::new();
    [&r.via, &r.code, &r.place, &r.ko, &r.en, &r.content, &r.form, &r.around].into_iter().for_each(|t| w.text(t));
    w.bytes
}

pub fn action(a: &Action, by: &str) -> Vec<u8> {
    let mut w = Writer::new();
    w.text(by);
    match a {
        Action::InForce { upto } => {
            w.bytes.push(12);
            w.uint(*upto);
        }
        Action::Define { kind, id, text } | Action::Propose { kind, id, text } => {
            w.bytes.push(if matches!(a, Action::Define { .. }) { 1 } else { 11 });
            w.text(kind);
            w.text(id);
            w.maybe(text.as_deref());
        }
        Action::Merge { into, from } => {
            w.bytes.push(2);
            w.text(into);
            w.text(from);
        }
        Action::Unmerge { merge } => {
            w.bytes.push(3);
            w.uint((*merge).into());
        }
        Action::Erase { handles } => {
            w.bytes.push(4);
            w.uint(handles.len() as u64);
            handles.iter().for_each(|h| w.uint((*h).into()));
        }
        Action::Access(bytes) => {
            w.bytes.push(5);
            w.blob(bytes);
        }
        Action::Audit(bytes) => {
            w.bytes.push(6);
            w.blob(bytes);
        }
        Action::Settings(bytes) => {
            w.bytes.push(7);
            w.blob(bytes);
        }
        Action::Plan(text) => {
            w.bytes.push(8);
            w.maybe(text.as_deref());
        }
        Action::Mend { number, content } => {
            w.bytes.push(9);
            w.uint(*number);
            w.text(content);
        }
        Action::Released(numbers) => {
            w.bytes.push(10);
            w.uint(numbers.len() as u64);
            numbers.iter().for_each(|n| w.uint(*n));
        }
        Action::Object { names, objects } => {
            w.bytes.extend([13, (*objects).into()]);
            w.uint(names.len() as u64);
            names.iter().for_each(|n| w.text(n));
        }
        Action::Keep(policy) => {
            w.bytes.push(14);
            w.maybe(policy.as_ref().map(|p| p.said.as_str()));
            policy.iter().for_each(|p| w.int(p.from.0));
        }
        Action::Rules(rules) => {
            w.bytes.push(15);
            rules.limits.iter().for_each(|n| w.uint((*n).into()));
            w.bytes.extend(rules.verify.map(u8::from));
            w.uint(rules.verified_sources.len() as u64);
            rules.verified_sources.iter().for_each(|s| w.text(s));
            w.bytes.push(rules.alias_joins_users.into());
            // The built-in ones belong to the version that reads it.
            let own = rules.own_blocked();
            w.uint(own.len() as u64);
            own.into_iter().for_each(|b| w.text(&b.to_string()));
        }
    }
    w.bytes
}

// ---- reading

pub struct Reader<'a> {
    rest: &'a [u8],
}

type Read<T> = Result<T, Unreadable>;

impl<'a> Reader<'a> {
    pub fn bare(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Of a message, and whether it says a former name.
    fn of_message(bytes: &'a [u8]) -> Read<(Reader<'a>, bool)> {
        match bytes.split_first() {
            Some((&version @ (VERSION | WITH_PREVIOUS), rest)) => Ok((Reader { rest }, version == WITH_PREVIOUS)),
            _ => Err(Unreadable),
        }
    }

    fn new(bytes: &'a [u8]) -> Read<Reader<'a>> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(Reader { rest }),
            _ => Err(Unreadable),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.rest.split_first().ok_or(Unreadable)?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn uint(&mut self) -> Read<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            n |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Ok(n);
            }
        }
        Err(Unreadable)
    }

    pub fn int(&mut self) -> Read<i64> {
        let n = self.uint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    pub fn blob(&mut self) -> Read<&'a [u8]> {
        let n = self.uint()? as usize;
        if n > self.rest.len() {
            return Err(Unreadable);
        }
        let (blob, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(blob)
    }

    pub fn text(&mut self) -> Read<String> {
        self.str().map(str::to_string)
    }

    pub fn str(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.blob()?).map_err(|_| Unreadable)
    }

    fn maybe(&mut self) -> Read<Option<String>> {
        Ok(if self.byte()? == 1 { Some(self.text()?) } else { None })
    }

    /// A count of things that take at least a byte each.
    fn count(&mut self) -> Read<usize> {
        let n = self.uint()? as usize;
        if n > self.rest.len() { Err(Unreadable) } else { Ok(n) }
    }

    fn identifier(&mut self) -> Read<Identifier> {
        let kind = *IdKind::ALL.get(self.byte()? as usize).ok_or(Unreadable)?;
        Ok(Identifier::new(kind, self.text()?))
    }

    fn value(&mut self) -> Read<Value> {
        Ok(match self.byte()? {
            b @ 0..=1 => Value::Bool(b == 1),
            2 => {
                let scale = self.byte()?;
                if scale > gyul_model::SCALE_MAX {
                    return Err(Unreadable);
                }
                Value::Num(Decimal::new(self.int()?, scale))
            }
            3 => Value::Text(self.text()?),
            4 => Value::Instant(Instant(self.int()?)),
            5 => Value::List((0..self.count()?).map(|_| self.text()).collect::<Read<_>>()?),
            _ => return Err(Unreadable),
        })
    }
}

/// The sources that there are, so that a message need not own its name.
pub const SOURCES: [&str; 9] =
    ["segment", "ga4", "shopify", "woocommerce", "cafe24", "kakao", "tracker", "api", "import"];

fn source(name: &str) -> &'static str {
    SOURCES.into_iter().find(|s| *s == name).unwrap_or("api")
}

/// A message's source and id, without the rest.
pub fn read_id(payload: &[u8]) -> Read<(&'static str, &str)> {
    let (mut r, _) = Reader::of_message(payload)?;
    Ok((source(r.str()?), r.str()?))
}

pub fn read_message(payload: &[u8]) -> Read<Message> {
    let (mut r, with_previous) = Reader::of_message(payload)?;
    let source = source(r.str()?);
    let id = r.text()?;
    let ts = Instant(r.int()?);
    let who = (0..r.count()?).map(|_| r.identifier()).collect::<Read<_>>()?;
    let mut events = vec![];
    for _ in 0..r.count()? {
        let name = r.text()?;
        let props = (0..r.count()?).map(|_| Ok((r.text()?, r.value()?))).collect::<Read<_>>()?;
        events.push((name, props));
    }
    let previous = if with_previous { Some(r.identifier()?) } else { None };
    Ok(Message { source, id, who, previous, ts, events })
}

pub fn read_rejected(payload: &[u8]) -> Read<Rejected> {
    let mut r = Reader::new(payload)?;
    let (via, code, place) = (r.text()?, r.text()?, r.text()?);
    let (ko, en, content) = (r.text()?, r.text()?, r.text()?);
    // Earlier versions did not say how.
    let (form, around) = if r.is_empty() { Default::default() } else { (r.text()?, r.text()?) };
    Ok(Rejected { via, code, place, ko, en, content, form, around })
}

/// The action, and who did it.
pub fn read_action(payload: &[u8]) -> Read<(Action, String)> {
    let mut r = Reader::new(payload)?;
    let by = r.text()?;
    let action = match r.byte()? {
        1 => Action::Define { kind: r.text()?, id: r.text()?, text: r.maybe()? },
        2 => Action::Merge { into: r.text()?, from: r.text()? },
        3 => Action::Unmerge { merge: r.uint()? as u32 },
        4 => Action::Erase { handles: (0..r.count()?).map(|_| Ok(r.uint()? as u32)).collect::<Read<_>>()? },
        5 => Action::Access(r.blob()?.to_vec()),
        6 => Action::Audit(r.blob()?.to_vec()),
        7 => Action::Settings(r.blob()?.to_vec()),
        8 => Action::Plan(r.maybe()?),
        9 => Action::Mend { number: r.uint()?, content: r.text()? },
        11 => Action::Propose { kind: r.text()?, id: r.text()?, text: r.maybe()? },
        12 => Action::InForce { upto: r.uint()? },
        10 => Action::Released((0..r.count()?).map(|_| r.uint()).collect::<Read<_>>()?),
        13 => {
            let objects = r.byte()? == 1;
            Action::Object { names: (0..r.count()?).map(|_| r.text()).collect::<Read<_>>()?, objects }
        }
        14 => Action::Keep(match r.maybe()? {
            Some(said) => Some(Policy { said, from: Instant(r.int()?) }),
            None => None,
        }),
        15 => {
            let mut rules = Rules::default();
            for limit in &mut rules.limits {
                *limit = u32::try_from(r.uint()?).map_err(|_| Unreadable)?;
            }
            for verify in &mut rules.verify {
                *verify = r.byte()? == 1;
            }
            rules.verified_sources = (0..r.count()?).map(|_| r.text()).collect::<Read<_>>()?;
            rules.alias_joins_users = r.byte()? == 1;
            let built_in = rules.blocked.len();
            for _ in 0..r.count()? {
                let own = Blocked::parse(&r.text()?).ok_or(Unreadable)?;
                // What is built in by now is no longer the shop's own.
                if !rules.blocked[..built_in].contains(&own) {
                    rules.blocked.push(own);
                }
            }
            Action::Rules(Box::new(rules))
        }
        _ => return Err(Unreadable),
    };
    Ok((action, by))
}

/// The highest number of an action.
const ACTION_MAX: u8 = 15;

/// Whether a record is of a later Gyul: passed over, it would be as if it had never been decided.
pub fn is_newer(kind: u8, payload: &[u8]) -> bool {
    let tag = || {
        let mut r = Reader::new(payload)?;
        r.text()?;
        r.byte()
    };
    match kind {
        MESSAGE => payload.first().is_some_and(|v| *v > WITH_PREVIOUS),
        REJECTED | ACTION => {
            payload.first().is_some_and(|v| *v > VERSION)
                || (kind == ACTION && tag().is_ok_and(|tag: u8| tag > ACTION_MAX))
        }
        _ => kind > SKIP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Message {
        Message {
            source: "segment",
            id: "m-1".into(),
            who: vec![Identifier::new(IdKind::User, "C1"), Identifier::new(IdKind::Anonymous, "a")],
            previous: None,
            ts: Instant(-5),
            events: vec![
                (
                    "Order Completed".into(),
                    vec![
                        ("total".into(), Value::Num(Decimal::new(-12_345, 2))),
                        ("first".into(), Value::Bool(true)),
                        ("tags".into(), Value::List(vec!["귤".into(), String::new()])),
                        ("at".into(), Value::Instant(Instant(i64::MIN))),
                    ],
                ),
                ("x".into(), vec![("t".into(), Value::text("가"))]),
            ],
        }
    }

    #[test]
    fn records_come_back_as_they_went_in_and_cut_ones_are_refused() {
        let m = sample();
        let (span, bytes) = message(&m);
        assert_eq!(read_id(&bytes), Ok((m.source, m.id.as_str())));
        assert_eq!((span, read_message(&bytes)), (2, Ok(m.clone())));
        (0..bytes.len()).for_each(|n| assert_eq!(read_message(&bytes[..n]), Err(Unreadable), "{n}"));
        let alias = Message { previous: Some(Identifier::new(IdKind::User, "C0")), ..m };
        let (_, with) = message(&alias);
        assert_eq!((with[0], read_id(&with)), (2, Ok((alias.source, alias.id.as_str()))));
        assert_eq!(read_message(&with), Ok(alias));
        (0..with.len()).for_each(|n| assert_eq!(read_message(&with[..n]), Err(Unreadable), "{n}"));
        let r = Rejected {
            via: "k".into(),
            code: "no_time".into(),
            place: "batch[1].timestamp".into(),
            ko: "가".into(),
            en: "a".into(),
            content: "{}".into(),
            form: "segment.batch".into(),
            around: "{}".into(),
        };
        let bytes = rejected(&r);
        assert_eq!(read_rejected(&bytes), Ok(r.clone()));
        // As version 0.1 wrote it before it said how something was sent.
        let old = &bytes[..bytes.len() - (1 + r.form.len() + 1 + r.around.len())];
        assert_eq!(read_rejected(old), Ok(Rejected { form: String::new(), around: String::new(), ..r }));
        let actions = [
            Action::Define { kind: "segment".into(), id: "vip".into(), text: None },
            Action::Merge { into: "C1".into(), from: "email:a@b.kr".into() },
            Action::Unmerge { merge: 70_000 },
            Action::Erase { handles: vec![1, 2, 3_000_000] },
            Action::Access(vec![0, 255]),
            Action::Plan(Some("x: 1".into())),
            Action::Mend { number: u64::MAX, content: "c".into() },
            Action::Released(vec![9, 10]),
            Action::Propose { kind: "segment".into(), id: "vip".into(), text: Some("x".into()) },
            Action::InForce { upto: 300 },
            Action::Object { names: vec!["C1".into(), "email:a@b.kr".into()], objects: true },
            Action::Keep(None),
            Action::Keep(Some(Policy { said: "keep 3y".into(), from: Instant(-7) })),
            Action::Rules(Box::default()),
            Action::Rules(Box::new(Rules {
                limits: [2, 0, u32::MAX, 300, 1, 5],
                verify: [true, false, false, true, false, true],
                verified_sources: vec!["segment".into()],
                alias_joins_users: true,
                blocked: [Blocked::built_in(), vec![Blocked::parse("phone:+8210*").unwrap()]].concat(),
            })),
        ];
        for a in actions {
            let bytes = action(&a, "min@shop");
            assert_eq!(read_action(&bytes), Ok((a, "min@shop".into())));
            (0..bytes.len()).for_each(|n| assert!(read_action(&bytes[..n]).is_err()));
        }
    }

    #[test]
    fn a_blocked_value_that_is_built_in_by_now_is_there_once() {
        let own = |words: &[&str]| words.iter().map(|w| Blocked::parse(w).unwrap()).collect::<Vec<_>>();
        let rules = |own: Vec<Blocked>| {
            let blocked = [Blocked::built_in(), own].concat();
            Action::Rules(Box::new(Rules { blocked, ..Rules::default() }))
        };
        // As a version wrote it that did not have the word `phone` built in.
        let mut older = action(&rules(own(&["shop@shop.kr", "phome"])), "min");
        let at = older.len() - 2;
        older[at] = b'n';
        let read = read_action(&older).unwrap();
        assert_eq!(read.0, rules(own(&["shop@shop.kr"])));
        assert_eq!(read_action(&action(&read.0, "min")), Ok(read));
    }
}
