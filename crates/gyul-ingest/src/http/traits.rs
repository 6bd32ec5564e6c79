//! What is said about somebody, under the names and in the spellings that imports use.

use super::problem::Fault;
use super::props::{self, Props};
use super::tape::{Json, Kind};
use super::who::Who;
use super::{Limits, RejectCode};
use crate::dictionary;
use crate::mapping::TimeFormat;
use crate::values::{place, time, traits};
use gyul_model::{Date, Decimal, IdKind, Instant, MICROS_DAY, MICROS_SECOND, Value, names};
use std::borrow::Cow;

/// Reads traits into properties of an `identify` event.
pub(crate) struct Traits<'l> {
    pub props: Props<'l>,
    today: Date,
    /// In front of every name, such as `group.`; then names mean nothing special.
    prefix: &'static str,
}

impl<'l> Traits<'l> {
    pub fn new(limits: &'l Limits, received: Instant, prefix: &'static str) -> Traits<'l> {
        Traits { props: Props::new(limits), today: Date(received.0.div_euclid(MICROS_DAY) as i32), prefix }
    }

    /// Takes an object of traits.
    pub fn take(&mut self, object: Json) -> Result<(), Fault> {
        for (key, value) in object.children() {
            if !self.prefix.is_empty() {
                self.props.take_one(&format!("{}{key}", self.prefix), value)?;
                continue;
            }
            match &*key {
                "address" if value.kind() == Kind::Object => self.address(value)?,
                "consent" | "company" if value.kind() == Kind::Object => {
                    for (inner, value) in value.children() {
                        self.one(&format!("{key}.{inner}"), value)?;
                    }
                }
                key => self.one(key, value)?,
            }
        }
        if !self.props.has("name") && self.prefix.is_empty() {
            let part = |n: &str| match self.props.out.iter().find(|(name, _)| name == n) {
                Some((_, Value::Text(t))) => Some(t.as_str()),
                _ => None,
            };
            if let Some(name) = full_name(part("first_name"), part("last_name")) {
                self.props.set("name", Value::Text(name))?;
            }
        }
        Ok(())
    }

    /// Takes a trait under whatever it is called.
    pub fn one(&mut self, key: &str, value: Json) -> Result<(), Fault> {
        let name = name(key);
        if matches!(value.kind(), Kind::Object | Kind::Array) || !is_special(&name) {
            return self.props.take_one(&name, value);
        }
        let Some(text) = value.known() else { return Ok(()) };
        if name == "joined_at" {
            return match instant(&text) {
                Some(t) => self.props.set(&name, Value::Instant(t)),
                None => Ok(()),
            };
        }
        self.text(&name, &text)
    }

    /// Sets one of the traits that have usual spellings; what cannot be read is unknown.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        let value = match name {
            "gender" => traits::gender(text).map(Value::text),
            names::BIRTH_DATE => match traits::birth(text.split(['T', ' ']).next().unwrap_or(text), self.today) {
                Some(traits::Birth::Date(d)) => Some(Value::Text(d.to_string())),
                Some(traits::Birth::Year(y)) => return self.props.set("birth_year", Value::Num(Decimal::from(y))),
                None => None,
            },
            "region" => place::region(text).map(Value::text),
            "country" => place::country(text).map(Value::Text),
            "email" => traits::email(text).map(Value::Text),
            "phone" => traits::phone(text).map(Value::Text),
            "name" | "city" => Some(traits::name(text)).filter(|n| !n.is_empty()).map(Value::Text),
            n if n.starts_with(names::CONSENT) => traits::boolean(text).map(Value::Bool),
            _ => Some(Value::text(text)),
        };
        value.map_or(Ok(()), |v| self.props.set(name, v))
    }

    fn address(&mut self, address: Json) -> Result<(), Fault> {
        self.props.take_one("address", address)?;
        let text = |names: &[&str]| names.iter().find_map(|n| address.str(n));
        if let Some(city) = text(&["city"]) {
            self.text("city", &city)?;
            // Seoul and Busan are cities and regions.
            self.text("region", &city)?;
        }
        if let Some(state) = text(&["state", "province", "region", "province_code"]) {
            self.text("region", &state)?;
        }
        if let Some(country) = text(&["country", "country_code", "countryCode"]) {
            self.text("country", &country)?;
        }
        Ok(())
    }

    /// The address and the number by which the person can be found elsewhere.
    pub fn identify(&self, who: &mut Who) -> Result<(), Fault> {
        for (kind, name) in [(IdKind::Email, "email"), (IdKind::Phone, "phone")] {
            if let Some((_, Value::Text(text))) = self.props.out.iter().find(|(n, _)| n == name) {
                who.add(kind, Some(text), name)?;
            }
        }
        Ok(())
    }
}

/// Our name of a trait: of Segment's reserved ones in either case, and of what Korean and English shops call them.
fn name(key: &str) -> Cow<'_, str> {
    match key {
        "createdAt" | "created_at" => return Cow::Borrowed("joined_at"),
        "firstName" => return Cow::Borrowed("first_name"),
        "lastName" => return Cow::Borrowed("last_name"),
        "email" | "phone" | "name" | "gender" | "age" | "id" | "title" | "username" | "website" | "avatar"
        | "description" => return Cow::Borrowed(key),
        _ => {}
    }
    if key.len() > 64 {
        return Cow::Borrowed(key);
    }
    Cow::Borrowed(dictionary::trait_name(key).unwrap_or(key))
}

fn is_special(name: &str) -> bool {
    matches!(name, "gender" | "birth_date" | "region" | "country" | "city" | "email" | "phone" | "name" | "joined_at")
        || name.starts_with(names::CONSENT)
}

/// In the order that the name's script asks for.
pub(crate) fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let name = match (first, last) {
        (Some(f), Some(l)) if f.chars().chain(l.chars()).all(|c| ('가'..='힣').contains(&c)) => format!("{l}{f}"),
        (Some(f), Some(l)) => format!("{f} {l}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => return None,
    };
    Some(traits::name(&name)).filter(|n| !n.is_empty())
}

/// ISO 8601, UTC if it has no offset; or a count of seconds, milliseconds or microseconds since 1970.
pub(crate) fn instant(text: &str) -> Option<Instant> {
    let text = text.trim();
    if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let n = props::decimal(text).ok()?;
        let unit = match n.to_f64() {
            1e8..1e11 => MICROS_SECOND,
            1e11..1e14 => 1000,
            1e14..1e17 => 1,
            _ => return None,
        };
        let micros = i128::from(n.mantissa()) * i128::from(unit) / 10_i128.pow(u32::from(n.scale()));
        return i64::try_from(micros).ok().map(Instant);
    }
    let c = time::civil(text, TimeFormat::Ymd)?;
    Some(Instant(i64::from(c.day) * MICROS_DAY + c.micros - c.offset.unwrap_or(0)))
}

/// An instant at which something can have happened.
pub(crate) fn happening(ts: Instant, received: Instant, limits: &Limits, place: &str) -> Result<Instant, Fault> {
    if ts < Instant::FIRST || ts > Instant::LAST {
        return Err(Fault::new(RejectCode::TimeOutOfRange, place));
    }
    if ts.0 > received.0.saturating_add(limits.future) {
        return Err(Fault::new(RejectCode::TimeFuture, place));
    }
    Ok(ts)
}
