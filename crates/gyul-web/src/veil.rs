//! What does somebody see who counts people and need not know them? Analysts see names, addresses and phone numbers
//! veiled: enough to tell two people apart, too little to reach them. Owners and marketers see them in full.

use crate::access::Role;
use crate::data::explore::Values;
use crate::data::{
    Change, Customer, CustomerHead, Decision, EventSchema, Member, Quarantined, TimelineEvent, Vocabulary, Why,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyul_model::{Value, names};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

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
    /// What somebody wrote: it may say anything.
    Words,
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
    } else if has(&[
        "note",
        "memo",
        "comment",
        "message",
        "review",
        "request",
        "문의",
        "메모",
        "후기",
        "요청",
        "배송말",
    ]) || ["text", "body", "content"].contains(&lower.as_str())
    {
        Some(What::Words)
    } else {
        None
    }
}

/// `named`: a property `name` is a person's, as in traits.
fn values(properties: &mut [(String, Value)], named: bool) {
    for (property, value) in properties {
        let text = value.to_string();
        *value = match what(property, named) {
            Some(What::Name) => Value::Text(name(&text)),
            Some(What::Email) => Value::Text(email(&text)),
            Some(What::Phone) => Value::Text(phone(&text)),
            Some(What::Place | What::Words) => Value::Text("****".into()),
            Some(What::Birth) => Value::Text(format!("{}-**-**", text.chars().take(4).collect::<String>())),
            None => match value {
                Value::Text(text) => Value::Text(words(text)),
                Value::List(list) => Value::List(list.iter().map(|t| words(t)).collect()),
                _ => continue,
            },
        };
    }
}

/// A text without the addresses and phone numbers in it.
pub fn words(text: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || "@%._+-".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        if word.is_empty() {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else if let Some(len) = phone_at(rest) {
            out += &phone(&rest[..len]);
            rest = &rest[len..];
        } else {
            let address = word.contains('@') || word.to_lowercase().contains("%40");
            out += &if address { email(word) } else { word.to_string() };
            rest = &rest[word.len()..];
        }
    }
    out
}

/// How long the phone number is that a text begins with.
fn phone_at(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-. ()".contains(c))).unwrap_or(text.len());
    let run = text[..end].trim_end_matches(|c: char| !c.is_ascii_digit());
    // Glued to letters it is the number of something.
    if text[run.len()..].starts_with(|c: char| c.is_alphabetic() || c == '_') && !text[run.len()..].starts_with(hangul)
    {
        return None;
    }
    let digits: String = run.chars().filter(char::is_ascii_digit).collect();
    let n = digits.len();
    let second = digits.chars().nth(1);
    let is = (run.starts_with('+') && (8..=15).contains(&n))
        || (digits.starts_with('0') && second != Some('0') && (9..=11).contains(&n))
        // Read as a number, it lost its 0.
        || (digits.starts_with("10") && n == 10)
        || (digits.starts_with("8210") && n == 12);
    is.then_some(run.len())
}

/// A particle may follow a number without a space.
fn hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// Whether somebody can be reached by what a text says.
fn is_contact(text: &str) -> bool {
    words(text) != text
}

pub fn head(h: &mut CustomerHead) {
    h.id = handle(&h.id);
    h.name = h.name.as_deref().map(name);
    h.contact = h.contact.as_deref().map(|c| if c.contains('@') { email(c) } else { phone(c) });
}

pub fn customer(c: &mut Customer) {
    c.id = handle(&c.id);
    values(&mut c.traits, true);
    for i in &mut c.identifiers {
        i.value = identifier(&i.kind, &i.value);
    }
    for m in &mut c.merges {
        (m.customer, m.from) = (handle(&m.customer), handle(&m.from));
    }
}

pub fn event(e: &mut TimelineEvent) {
    let named = !is_of_a_thing(e);
    values(&mut e.properties, named);
    e.handle = e.handle.as_deref().map(handle);
}

/// Whether what an event calls `name` is a product's, a page's or a campaign's and not a person's.
fn is_of_a_thing(e: &TimelineEvent) -> bool {
    const THINGS: [&str; 9] =
        ["product_id", "sku", "price", "category", "brand", "url", "path", "title", "campaign_id"];
    let begins = ["Product", "Page", "Screen", "Cart", "Coupon", "Promotion", "Email", "Push"];
    e.name != names::IDENTIFY
        && (begins.iter().any(|b| e.name.starts_with(b))
            || e.properties.iter().any(|(n, _)| THINGS.contains(&n.as_str())))
}

pub fn member(m: &mut Member) {
    m.customer = handle(&m.customer);
}

pub fn change(c: &mut Change) {
    c.customer = handle(&c.customer);
}

/// What was sent is not shown: it was not understood, so nobody knows what in it is whose.
pub fn quarantined(q: &mut Quarantined) {
    q.content = String::new();
    for text in [&mut q.ko, &mut q.en, &mut q.place] {
        *text = words(text);
    }
}

/// Values of something personal are not listed, nor counted by how they begin.
pub fn listed(v: &mut Values, event: Option<&str>, property: &str) {
    let thing = event.is_some_and(|e| !matches!(e, names::IDENTIFY));
    if what(property, !thing).is_some() {
        *v = Values { known: v.known, ..Values::default() };
    }
    v.top.retain(|t| !is_contact(&t.value));
}

/// Examples are for everybody: none may lead to a person.
pub fn schema(e: &mut EventSchema) {
    for p in &mut e.properties {
        if what(&p.name, true).is_some() {
            p.examples.clear();
        }
        p.examples.retain(|x| !is_contact(x));
    }
}

pub fn vocabulary(v: &mut Vocabulary) {
    for p in v.events.iter_mut().flat_map(|e| &mut e.properties).chain(&mut v.traits) {
        p.values.retain(|x| !is_contact(x));
    }
}

/// A cursor that does not say whom it names, and names the same: encrypted with what its own digest makes of the key.
pub fn seal(key: &str, plain: &str) -> String {
    let tag = mac(key, b"cursor", plain.as_bytes());
    let hidden = stream(key, &tag, plain.as_bytes());
    URL_SAFE_NO_PAD.encode([&tag[..], &hidden[..]].concat())
}

pub fn unseal(key: &str, sealed: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (tag, hidden) = bytes.split_at_checked(32)?;
    let plain = stream(key, tag, hidden);
    (mac(key, b"cursor", &plain) == tag).then(|| String::from_utf8(plain).ok())?
}

fn mac(key: &str, what: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return vec![0; 32] };
    [what, text].into_iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn stream(key: &str, tag: &[u8], text: &[u8]) -> Vec<u8> {
    let block = |i: usize| mac(key, b"stream", &[tag, &(i as u64).to_le_bytes()].concat());
    text.chunks(32)
        .enumerate()
        .flat_map(|(i, part)| part.iter().zip(block(i)).map(|(a, b)| a ^ b).collect::<Vec<_>>())
        .collect()
}

pub fn decision(d: &mut Decision) {
    d.customer = handle(&d.customer);
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
            e.properties.iter_mut().for_each(|(_, v)| *v = words(v));
        }
        c.found = c.found.as_deref().map(words);
        (c.says_ko, c.says_en) = (words(&c.says_ko), words(&c.says_en));
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
    fn addresses_and_numbers_are_taken_out_of_texts_and_nothing_else() {
        for (own, veiled) in [
            ("010-1234-5678로 전화 주세요", "010-****-5678로 전화 주세요"),
            ("call +82 10 1234 5678, please", "call 010-****-5678, please"),
            ("https://x.kr/?mail=kim%40example.kr&n=1", "https://x.kr/?mail=k***@…&n=1"),
            ("<kim@example.kr>", "<k***@…>"),
            ("1012345678", "****-5678"),
            ("20260131123456", "20260131123456"),
            ("2026-01-31 10:00", "2026-01-31 10:00"),
            ("order 0000012345", "order 0000012345"),
            ("8801234567890", "8801234567890"),
            ("귤 5kg, 10% 할인", "귤 5kg, 10% 할인"),
        ] {
            assert_eq!(words(own), veiled);
        }
    }

    #[test]
    fn a_sealed_cursor_says_nothing_and_is_opened_by_its_key_alone() {
        for plain in ["", "email:kim@example.kr", &"귤".repeat(100)] {
            let sealed = seal("key", plain);
            let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            assert!(plain.is_empty() || bytes.windows(3).all(|w| !plain.as_bytes().windows(3).any(|p| p == w)));
            assert_eq!(unseal("key", &sealed).as_deref(), Some(plain));
            assert_eq!(unseal("other", &sealed), None);
        }
        assert_eq!(unseal("key", "x"), None);
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
