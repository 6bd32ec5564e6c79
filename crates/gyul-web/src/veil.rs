//! What does somebody see who counts people and need not know them? Analysts see names, addresses and phone numbers
//! veiled: enough to tell two people apart, too little to reach them. Owners and marketers see them in full.

use crate::access::Role;
use crate::data::{Customer, CustomerHead, Decision, TimelineEvent, Why};
use gyul_model::{Value, names};

/// Whether this role sees people veiled.
pub fn veils(role: Role) -> bool {
    !matches!(role, Role::Owner | Role::Marketer)
}

/// `김*수`, `K** L**`: the first letter of each word, and the last of a Korean name of three and more.
pub fn name(text: &str) -> String {
    let word = |w: &str| {
        let chars: Vec<char> = w.chars().collect();
        let (first, n) = (chars.first().copied().unwrap_or('*'), chars.len());
        match n {
            0 | 1 => "*".to_string(),
            _ if first.is_ascii() || n == 2 => format!("{first}{}", "*".repeat((n - 1).min(3))),
            _ => format!("{first}{}{}", "*".repeat((n - 2).min(3)), chars[n - 1]),
        }
    };
    text.split_whitespace().take(4).map(word).collect::<Vec<_>>().join(" ")
}

/// `k***@…`
pub fn email(text: &str) -> String {
    format!("{}***@…", text.chars().next().unwrap_or('*'))
}

/// `010-****-1234`; of other countries the last four digits.
pub fn phone(text: &str) -> String {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 8 {
        return "****".into();
    }
    let last: String = digits[digits.len() - 4..].iter().collect();
    let all: String = digits.iter().collect();
    let korean = all.starts_with("010") || all.starts_with("8210");
    format!("{}****-{last}", if korean { "010-" } else { "" })
}

/// The name that a customer goes by: only those that are an address themselves are veiled.
pub fn handle(id: &str) -> String {
    match id.split_once(':') {
        Some((kind, value)) => format!("{kind}:{}", identifier(kind, value)),
        None if id.contains('@') => email(id),
        None => id.to_string(),
    }
}

fn identifier(kind: &str, value: &str) -> String {
    match kind {
        "email" => email(value),
        "phone" => phone(value),
        "user" if value.contains('@') => email(value),
        _ => value.to_string(),
    }
}

enum What {
    Name,
    Email,
    Phone,
    /// Nothing of it is shown.
    Place,
    /// The year alone.
    Birth,
}

/// Whether a trait or property names somebody, by its own name.
fn what(property: &str, is_trait: bool) -> Option<What> {
    let lower = property.to_lowercase();
    if lower.starts_with("consent.") || lower.starts_with("unreachable.") || lower.starts_with("predict.") {
        return None;
    }
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if has(&["email", "e-mail", "이메일"]) {
        Some(What::Email)
    } else if has(&["phone", "mobile", "tel", "전화", "휴대"]) && !has(&["hotel"]) {
        Some(What::Phone)
    } else if has(&["address", "street", "zip", "postal", "주소", "ip_address"]) || lower == "ip" {
        Some(What::Place)
    } else if has(&["birth", "생일", "생년"]) {
        Some(What::Birth)
    } else if has(&["first_name", "last_name", "nickname", "receiver", "recipient", "수령", "이름", "성명"])
        || lower == "customer_name"
        || (is_trait && lower == "name")
    {
        Some(What::Name)
    } else {
        None
    }
}

fn values(properties: &mut [(String, Value)], are_traits: bool) {
    for (property, value) in properties {
        let text = value.to_string();
        *value = Value::Text(match what(property, are_traits) {
            Some(What::Name) => name(&text),
            Some(What::Email) => email(&text),
            Some(What::Phone) => phone(&text),
            Some(What::Place) => "****".into(),
            Some(What::Birth) => format!("{}-**-**", text.chars().take(4).collect::<String>()),
            None => continue,
        });
    }
}

pub fn head(h: &mut CustomerHead) {
    h.name = h.name.as_deref().map(name);
    h.contact = h.contact.as_deref().map(|c| if c.contains('@') { email(c) } else { phone(c) });
}

pub fn customer(c: &mut Customer) {
    values(&mut c.traits, true);
    for i in &mut c.identifiers {
        i.value = identifier(&i.kind, &i.value);
    }
    for m in &mut c.merges {
        m.from = handle(&m.from);
    }
}

pub fn event(e: &mut TimelineEvent) {
    values(&mut e.properties, e.name == names::IDENTIFY);
    e.handle = e.handle.as_deref().map(handle);
}

pub fn decision(d: &mut Decision) {
    values(&mut d.traits, true);
}

/// What was found is left out where a condition looks at something personal.
pub fn why(w: &mut Why) {
    for c in &mut w.conditions {
        let asked: Vec<&str> = c.text.split(|x: char| !(x.is_alphanumeric() || "_.-".contains(x))).collect();
        let personal = asked.iter().any(|word| what(word, true).is_some());
        if personal {
            c.found = None;
            (c.says_ko, c.says_en) = (c.text.clone(), c.text.clone());
        }
        for e in &mut c.events {
            e.properties.retain(|(p, _)| what(p, true).is_none());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_apart_but_not_reached() {
        for (own, veiled) in
            [("김철수", "김*수"), ("이산", "이*"), ("남궁민수", "남**수"), ("Kim Lee", "K** L**"), ("", "")]
        {
            assert_eq!(name(own), veiled);
        }
        assert_eq!(email("kim@example.kr"), "k***@…");
        assert_eq!(phone("+821012345678"), "010-****-5678");
        assert_eq!(phone("010-1234-5678"), "010-****-5678");
        assert_eq!(phone("+442071234567"), "****-4567");
        assert_eq!(phone("119"), "****");
        assert_eq!(handle("email:kim@example.kr"), "email:k***@…");
        assert_eq!(handle("C1"), "C1");
    }

    #[test]
    fn what_names_somebody_is_veiled_and_nothing_else() {
        let mut traits: Vec<(String, Value)> = [
            ("name", "김철수"),
            ("birth_date", "1990-05-06"),
            ("address", "서울 중구"),
            ("grade", "VIP"),
            ("consent.email", "yes"),
        ]
        .map(|(n, v)| (n.to_string(), Value::Text(v.into())))
        .into();
        values(&mut traits, true);
        let shown: Vec<String> = traits.iter().map(|(_, v)| v.to_string()).collect();
        assert_eq!(shown, ["김*수", "1990-**-**", "****", "VIP", "yes"]);
        let mut product = vec![("name".to_string(), Value::Text("귤 5kg".into()))];
        values(&mut product, false);
        assert_eq!(product[0].1.to_string(), "귤 5kg");
    }

    #[test]
    fn reasons_do_not_say_what_is_veiled() {
        let mut w = Why::default();
        let said = |text: &str| crate::data::ConditionHolds {
            text: text.into(),
            found: Some("email = kim@example.kr".into()),
            says_ko: "kim@example.kr".into(),
            ..Default::default()
        };
        w.conditions = vec![said("email contains 'kim'"), said("count(order) > 1")];
        why(&mut w);
        assert_eq!(
            (w.conditions[0].found.as_deref(), w.conditions[0].says_ko.as_str()),
            (None, "email contains 'kim'")
        );
        assert!(w.conditions[1].found.is_some());
    }
}
