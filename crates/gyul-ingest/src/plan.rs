//! The tracking plan: which events a shop expects, with which properties, and what breaks it.
//!
//! ```yaml
//! version: 1
//! unknown_events: reject        # or allow, the default
//! unknown_properties: allow     # the default, or reject
//! events:
//!   Order Completed:
//!     properties:
//!       order_id: { type: text, required: true }
//!       total: { type: number, required: true, min: 0 }
//!       status: { type: text, values: [paid, canceled] }
//! ```

use gyul_model::{Decimal, Lang, Message, Value, names};
use serde_yaml_ng::Value as Yaml;
use std::collections::BTreeMap;

/// What the traits of customers are declared under.
const TRAITS: &str = names::IDENTIFY;
/// Made of the products of orders and refunds.
const LINES: [&str; 2] = [names::ITEM, names::ITEM_REFUND];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    reject_events: bool,
    reject_properties: bool,
    events: BTreeMap<String, BTreeMap<String, Property>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Property {
    kind: Option<PropertyKind>,
    required: bool,
    /// Empty: any.
    values: Vec<String>,
    min: Option<Decimal>,
    max: Option<Decimal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PropertyKind {
    Text,
    Number,
    Bool,
    Instant,
    List,
}

/// What is wrong with the plan itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanProblem {
    /// From 1, where it is known.
    pub line: Option<usize>,
    pub ko: String,
    pub en: String,
}

/// How a message breaks the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    what: What,
    event: String,
    property: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    UnknownEvent,
    UnknownProperty,
    Missing,
    WrongType(PropertyKind),
    NotListed,
    OutOfRange,
}

impl Plan {
    pub fn from_yaml(text: &str) -> Result<Plan, Vec<PlanProblem>> {
        let root: Yaml = serde_yaml_ng::from_str(text).map_err(|e| {
            let line = e.location().map(|l| l.line());
            vec![PlanProblem { line, ..said(&format!("YAML이 아닙니다: {e}"), &format!("not YAML: {e}")) }]
        })?;
        let mut r = Reader { text, problems: vec![] };
        let plan = r.plan(&root);
        if r.problems.is_empty() { Ok(plan) } else { Err(r.problems) }
    }

    /// Declares nothing, and so takes everything.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The first thing about a message that breaks the plan.
    pub fn check(&self, m: &Message) -> Option<Violation> {
        // The lines of an order are ours, made of its products: who declares the order declares them.
        let lines = |name: &str| LINES.contains(&name) && !self.events.contains_key(name) && m.events[0].0 != name;
        m.events.iter().filter(|(name, _)| !lines(name)).find_map(|(name, props)| self.broken(name, props))
    }

    fn broken(&self, name: &str, props: &[(String, Value)]) -> Option<Violation> {
        let violation =
            |what, property: &str| Some(Violation { what, event: name.to_string(), property: property.to_string() });
        let Some(declared) = self.events.get(name) else {
            // Traits come with many events: they are judged only where they are declared.
            let judged = self.reject_events && name != TRAITS;
            return if judged { violation(What::UnknownEvent, "") } else { None };
        };
        for (property, p) in declared {
            let Some((_, value)) = props.iter().find(|(n, _)| n == property) else {
                if p.required {
                    return violation(What::Missing, property);
                }
                continue;
            };
            if let Some(what) = p.broken(value) {
                return violation(what, property);
            }
        }
        let unknown = props.iter().find(|(n, _)| self.reject_properties && !declared.contains_key(n));
        unknown.and_then(|(n, _)| violation(What::UnknownProperty, n))
    }
}

impl Property {
    fn broken(&self, value: &Value) -> Option<What> {
        let own = match value {
            Value::Text(_) => PropertyKind::Text,
            Value::Num(_) => PropertyKind::Number,
            Value::Bool(_) => PropertyKind::Bool,
            Value::Instant(_) => PropertyKind::Instant,
            Value::List(_) => PropertyKind::List,
        };
        if let Some(kind) = self.kind.filter(|k| *k != own) {
            return Some(What::WrongType(kind));
        }
        let text = match value {
            Value::Text(t) => t.clone(),
            other => other.to_string(),
        };
        if !self.values.is_empty() && !self.values.contains(&text) {
            return Some(What::NotListed);
        }
        let Value::Num(n) = value else { return None };
        let out = self.min.is_some_and(|m| *n < m) || self.max.is_some_and(|m| *n > m);
        out.then_some(What::OutOfRange)
    }
}

impl PropertyKind {
    fn parse(word: &str) -> Option<PropertyKind> {
        Some(match word {
            "text" => PropertyKind::Text,
            "number" => PropertyKind::Number,
            "bool" => PropertyKind::Bool,
            "instant" => PropertyKind::Instant,
            "list" => PropertyKind::List,
            _ => return None,
        })
    }

    fn name(self, lang: Lang) -> &'static str {
        match self {
            PropertyKind::Text => lang.pick("텍스트", "a text"),
            PropertyKind::Number => lang.pick("숫자", "a number"),
            PropertyKind::Bool => lang.pick("참/거짓", "true or false"),
            PropertyKind::Instant => lang.pick("시각", "an instant"),
            PropertyKind::List => lang.pick("목록", "a list"),
        }
    }
}

impl Violation {
    /// Stable.
    pub fn code(&self) -> &'static str {
        match self.what {
            What::UnknownEvent => "plan_unknown_event",
            What::UnknownProperty => "plan_unknown_property",
            What::Missing => "plan_missing_property",
            What::WrongType(_) => "plan_wrong_type",
            What::NotListed => "plan_not_listed",
            What::OutOfRange => "plan_out_of_range",
        }
    }

    /// The field to look at.
    pub fn place(&self) -> String {
        if self.property.is_empty() { "name".into() } else { format!("props.{}", self.property) }
    }

    /// Why, and what to do. Never the value itself: it may be personal.
    pub fn message(&self, lang: Lang) -> String {
        let (e, p) = (&self.event, &self.property);
        let (ko, en) = match self.what {
            What::UnknownEvent => (
                format!("'{e}' 이벤트는 계획에 없습니다. 계획에 더하거나 보내는 쪽을 고치세요."),
                format!("the plan knows no event '{e}'. Add it to the plan, or mend the sender."),
            ),
            What::UnknownProperty => (
                format!("'{e}' 이벤트의 '{p}' 속성은 계획에 없습니다. 계획에 더하거나 보내지 마세요."),
                format!("the plan knows no property '{p}' of '{e}'. Add it to the plan, or do not send it."),
            ),
            What::Missing => (
                format!("'{e}' 이벤트에 '{p}' 속성이 빠졌습니다. 채워서 보내세요."),
                format!("'{e}' lacks its property '{p}'. Fill it in."),
            ),
            What::WrongType(kind) => (
                format!("'{e}' 이벤트의 '{p}' 속성은 {}여야 합니다.", kind.name(Lang::Ko)),
                format!("the property '{p}' of '{e}' must be {}.", kind.name(Lang::En)),
            ),
            What::NotListed => (
                format!("'{e}' 이벤트의 '{p}' 속성이 정해진 값이 아닙니다. 계획의 values를 확인하세요."),
                format!("the property '{p}' of '{e}' has a value that the plan does not list."),
            ),
            What::OutOfRange => (
                format!("'{e}' 이벤트의 '{p}' 속성이 정해진 범위 밖입니다. 계획의 min과 max를 확인하세요."),
                format!("the property '{p}' of '{e}' lies outside of the plan's min and max."),
            ),
        };
        lang.pick(ko, en)
    }
}

fn said(ko: &str, en: &str) -> PlanProblem {
    PlanProblem { line: None, ko: ko.to_string(), en: en.to_string() }
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<PlanProblem>,
}

impl Reader<'_> {
    /// `near`: a word that stands in the line meant.
    fn bad(&mut self, near: &str, ko: String, en: String) {
        let line = self.text.lines().position(|l| !near.is_empty() && l.contains(near)).map(|l| l + 1);
        self.problems.push(PlanProblem { line, ko, en });
    }

    fn plan(&mut self, root: &Yaml) -> Plan {
        let mut plan = Plan::default();
        let Some(map) = root.as_mapping() else {
            self.bad(
                "",
                "맨 위에는 version과 events가 있어야 합니다.".into(),
                "the top holds version and events.".into(),
            );
            return plan;
        };
        for (key, value) in map {
            match key.as_str().unwrap_or("") {
                "version" if value.as_u64() == Some(1) => {}
                "version" => self.bad("version", "version은 1이어야 합니다.".into(), "version must be 1.".into()),
                "unknown_events" => plan.reject_events = self.rejects("unknown_events", value),
                "unknown_properties" => plan.reject_properties = self.rejects("unknown_properties", value),
                "events" => match value.as_mapping() {
                    Some(events) => {
                        for (name, event) in events {
                            let Some(name) = name.as_str().filter(|n| !n.is_empty()) else {
                                self.bad(
                                    "events",
                                    "이벤트 이름은 텍스트입니다.".into(),
                                    "an event's name is a text.".into(),
                                );
                                continue;
                            };
                            let properties = self.event(name, event);
                            plan.events.insert(name.to_string(), properties);
                        }
                    }
                    None => self.bad(
                        "events",
                        "events에는 이벤트 이름마다 내용을 적으세요.".into(),
                        "events holds an entry for each event's name.".into(),
                    ),
                },
                other => self.unknown(other, "version, unknown_events, unknown_properties, events"),
            }
        }
        if map.get("events").is_none() && self.problems.is_empty() {
            self.bad(
                "",
                "events가 없습니다. 이벤트를 적거나, 계획을 없애려면 events: {}라고 적으세요.".into(),
                "there is no events. Declare some, or write events: {} for no plan.".into(),
            );
        }
        plan
    }

    fn rejects(&mut self, key: &str, value: &Yaml) -> bool {
        match value.as_str() {
            Some("reject") => true,
            Some("allow") => false,
            _ => {
                self.bad(key, format!("{key}에는 allow나 reject를 적으세요."), format!("{key} is allow or reject."));
                false
            }
        }
    }

    fn event(&mut self, name: &str, event: &Yaml) -> BTreeMap<String, Property> {
        let mut out = BTreeMap::new();
        let fields = match event {
            Yaml::Null => return out,
            Yaml::Mapping(m) => m,
            _ => {
                self.bad(
                    name,
                    format!("'{name}' 아래에는 properties를 적으세요."),
                    format!("'{name}' holds properties."),
                );
                return out;
            }
        };
        for (key, value) in fields {
            match (key.as_str().unwrap_or(""), value) {
                ("description", _) | ("properties", Yaml::Null) => {}
                ("properties", Yaml::Mapping(properties)) => {
                    for (property, p) in properties {
                        let Some(property) = property.as_str() else { continue };
                        if let Some(p) = self.property(property, p) {
                            out.insert(property.to_string(), p);
                        }
                    }
                }
                ("properties", _) => self.bad(
                    name,
                    format!("'{name}'의 properties에는 속성 이름마다 내용을 적으세요."),
                    format!("properties of '{name}' holds an entry for each property's name."),
                ),
                (other, _) => self.unknown(other, "description, properties"),
            }
        }
        out
    }

    fn property(&mut self, name: &str, p: &Yaml) -> Option<Property> {
        let mut out = Property { kind: None, required: false, values: vec![], min: None, max: None };
        let fields = match p {
            Yaml::Null => return Some(out),
            Yaml::String(kind) => {
                out.kind = self.kind(name, kind);
                return Some(out);
            }
            Yaml::Mapping(m) => m,
            _ => {
                self.bad(name, format!("'{name}'에는 type을 적으세요."), format!("'{name}' needs a type."));
                return None;
            }
        };
        for (key, value) in fields {
            let key = key.as_str().unwrap_or("");
            match key {
                "description" => {}
                "type" => out.kind = self.kind(name, value.as_str().unwrap_or("")),
                "required" => match value.as_bool() {
                    Some(b) => out.required = b,
                    None => self.bad(
                        name,
                        format!("'{name}'의 required에는 true나 false를 적으세요."),
                        format!("required of '{name}' is true or false."),
                    ),
                },
                "values" => match value.as_sequence() {
                    Some(list) => out.values = list.iter().filter_map(scalar).collect(),
                    None => self.bad(
                        name,
                        format!("'{name}'의 values는 목록입니다."),
                        format!("values of '{name}' is a list."),
                    ),
                },
                "min" | "max" => match scalar(value).and_then(|t| Decimal::parse(&t)) {
                    Some(d) if key == "min" => out.min = Some(d),
                    Some(d) => out.max = Some(d),
                    None => self.bad(
                        name,
                        format!("'{name}'의 {key}는 숫자입니다."),
                        format!("{key} of '{name}' is a number."),
                    ),
                },
                other => self.unknown(other, "type, required, values, min, max, description"),
            }
        }
        Some(out)
    }

    fn kind(&mut self, name: &str, word: &str) -> Option<PropertyKind> {
        let kind = PropertyKind::parse(word);
        if kind.is_none() {
            self.bad(
                name,
                format!("'{name}'의 type은 text, number, bool, instant, list 중 하나입니다."),
                format!("the type of '{name}' is one of text, number, bool, instant, list."),
            );
        }
        kind
    }

    fn unknown(&mut self, key: &str, known: &str) {
        let (ko, en) = (
            format!("'{key}'은(는) 없는 항목입니다. 쓸 수 있는 것: {known}."),
            format!("there is no '{key}'. Known are {known}."),
        );
        self.bad(key, ko, en);
    }
}

fn scalar(v: &Yaml) -> Option<String> {
    match v {
        Yaml::String(s) => Some(s.clone()),
        Yaml::Number(n) => Some(n.to_string()),
        Yaml::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gyul_model::{IdKind, Identifier, Instant};

    const PLAN: &str = "version: 1
unknown_events: reject
events:
  Order Completed:
    properties:
      order_id: { type: text, required: true }
      total: { type: number, min: 0, max: 1000000 }
      status: { type: text, values: [paid, canceled] }
  Product Viewed:
";

    fn code(plan: &Plan, name: &str, props: &[(&str, Value)]) -> Option<&'static str> {
        let props = props.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
        let who = vec![Identifier::new(IdKind::User, "C1")];
        let m = Message {
            source: "api",
            id: "m".into(),
            who,
            previous: None,
            ts: Instant(0),
            events: vec![(name.into(), props)],
        };
        plan.check(&m).map(|v| {
            assert!(!v.message(Lang::Ko).is_empty() && !v.message(Lang::En).is_empty() && !v.place().is_empty());
            v.code()
        })
    }

    #[test]
    fn a_plan_takes_what_it_declares_and_says_what_breaks_it() {
        let plan = Plan::from_yaml(PLAN).unwrap();
        let (id, n) = (("order_id", Value::text("o1")), |n| ("total", Value::Num(Decimal::new(n, 0))));
        let order = |props: &[(&str, Value)]| code(&plan, "Order Completed", props);
        assert_eq!(order(&[id.clone(), n(10)]), None);
        assert_eq!(order(&[n(10)]), Some("plan_missing_property"));
        assert_eq!(order(&[("order_id", Value::Bool(true))]), Some("plan_wrong_type"));
        assert_eq!(order(&[id.clone(), n(-1)]), Some("plan_out_of_range"));
        assert_eq!(order(&[id.clone(), n(1_000_001)]), Some("plan_out_of_range"));
        assert_eq!(order(&[id.clone(), ("status", Value::text("lost"))]), Some("plan_not_listed"));
        assert_eq!(
            order(&[id, ("more", Value::Bool(true))]),
            None,
            "unknown properties are allowed unless said otherwise"
        );
        assert_eq!(code(&plan, "Product Viewed", &[]), None);
        assert_eq!(code(&plan, "Typo", &[]), Some("plan_unknown_event"));
        assert_eq!(code(&plan, names::IDENTIFY, &[("city", Value::text("제주"))]), None, "traits are not events");
        let strict =
            Plan::from_yaml("version: 1\nunknown_properties: reject\nevents:\n  A:\n    properties: { x: text }\n");
        assert_eq!(code(&strict.unwrap(), "A", &[("y", Value::text("1"))]), Some("plan_unknown_property"));
    }

    #[test]
    fn the_lines_of_an_order_need_no_declaration() {
        let plan = Plan::from_yaml(PLAN).unwrap();
        let order = vec![("order_id".to_string(), Value::text("o1"))];
        let who = vec![Identifier::new(IdKind::User, "C1")];
        let events = vec![(names::ORDER.to_string(), order), (names::ITEM.to_string(), vec![])];
        let m = Message { source: "api", id: "m".into(), who, previous: None, ts: Instant(0), events };
        assert_eq!(plan.check(&m), None);
        let alone = Message { events: m.events[1..].to_vec(), ..m.clone() };
        assert_eq!(plan.check(&alone).map(|v| v.code()), Some("plan_unknown_event"));
        // Declared, they are judged.
        let plan = Plan::from_yaml(&format!(
            "{PLAN}  Product Purchased:\n    properties: {{ price: {{ type: number, required: true }} }}\n"
        ));
        assert_eq!(plan.unwrap().check(&m).map(|v| v.code()), Some("plan_missing_property"));
    }

    #[test]
    fn a_plan_without_events_is_no_plan() {
        assert!(Plan::from_yaml("version: 1\nevents: {}\n").unwrap().is_empty());
    }

    #[test]
    fn a_plan_that_cannot_be_meant_is_refused_with_the_line() {
        for (text, line) in [
            ("version: 2\nevents:\n  A:\n", Some(1)),
            ("version: 1\nevents:\n  A:\n    properties:\n      x: { type: integer }\n", Some(5)),
            ("version: 1\nevents:\n  A:\n    properties:\n      x: { requried: true }\n", Some(5)),
            ("version: 1\nevents: [A]\n", Some(2)),
            ("version: 1\n", None),
            ("- a\n", None),
            ("a: [\n", Some(2)),
        ] {
            let problems = Plan::from_yaml(text).unwrap_err();
            assert_eq!(problems[0].line, line, "{text}: {problems:?}");
        }
    }
}
