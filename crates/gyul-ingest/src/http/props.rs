//! Properties: JSON flattened to names and values.

use super::problem::Fault;
use super::tape::{Json, Kind};
use super::{Limits, RejectCode};
use crate::mapping::DecimalStyle;
use crate::values::number::{self, NumberFault};
use gyul_model::{DIGITS_MAX, Decimal, SCALE_MAX, Value};

/// The properties of an event, each name once.
pub(crate) struct Props<'l> {
    pub out: Vec<(String, Value)>,
    limits: &'l Limits,
}

impl<'l> Props<'l> {
    pub fn new(limits: &'l Limits) -> Props<'l> {
        Props { out: Vec::with_capacity(12), limits }
    }

    /// Sets a property; what was said of it before is forgotten.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), Fault> {
        if name.len() > self.limits.name {
            return Err(Fault::new(RejectCode::NameTooLong, name.chars().take(40).collect::<String>() + "…"));
        }
        if let Value::Text(t) = &value
            && t.len() > self.limits.text
        {
            return Err(Fault::new(RejectCode::TooLong, name));
        }
        let full = self.out.len() >= self.limits.properties;
        match self.out.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => *v = value,
            None if full => return Err(Fault::new(RejectCode::TooManyProperties, "")),
            None => self.out.push((name.to_string(), value)),
        }
        Ok(())
    }

    pub fn set_text(&mut self, name: &str, text: Option<impl Into<String>>) -> Result<(), Fault> {
        text.map_or(Ok(()), |t| self.set(name, Value::Text(t.into())))
    }

    pub fn set_number(&mut self, name: &str, number: Option<Decimal>) -> Result<(), Fault> {
        number.map_or(Ok(()), |n| self.set(name, Value::Num(n)))
    }

    pub fn has(&self, name: &str) -> bool {
        self.out.iter().any(|(n, _)| n == name)
    }

    /// Takes all of an object but what `skip` names at its top, nested objects as `outer.inner`.
    pub fn take(&mut self, object: Json, skip: &[&str]) -> Result<(), Fault> {
        for (key, value) in object.children() {
            if !skip.contains(&&*key) {
                self.take_one(&key, value)?;
            }
        }
        Ok(())
    }

    /// Takes a value under a name.
    pub fn take_one(&mut self, name: &str, value: Json) -> Result<(), Fault> {
        self.take_at(name, name, value)
    }

    /// Takes a value under a name, the last part of which says what it holds.
    fn take_at(&mut self, name: &str, leaf: &str, value: Json) -> Result<(), Fault> {
        if value.kind() == Kind::Object {
            for (key, inner) in value.children() {
                // Limits names, and so the work that nesting can make.
                if name.len() + key.len() >= self.limits.name {
                    return Err(Fault::new(
                        RejectCode::NameTooLong,
                        format!("{}…", name.chars().take(40).collect::<String>()),
                    ));
                }
                self.take_at(&format!("{name}.{key}"), &key, inner)?;
            }
            return Ok(());
        }
        match scalar(name, leaf, value)? {
            Some(v) => self.set(name, v),
            None => Ok(()),
        }
    }
}

/// A value that is no object. Blank texts, nulls and empty lists are unknown.
fn scalar(name: &str, leaf: &str, value: Json) -> Result<Option<Value>, Fault> {
    Ok(match value.kind() {
        Kind::Null | Kind::Object => None,
        Kind::Bool => value.bool().map(Value::Bool),
        Kind::Number if is_id(leaf) => Some(Value::text(value.raw())),
        Kind::Number => match decimal(value.raw()) {
            Ok(d) => Some(Value::Num(d)),
            // An id, not an amount.
            Err(NumberFault::TooLong) if value.raw().bytes().all(|b| b.is_ascii_digit()) => {
                Some(Value::text(value.raw()))
            }
            Err(_) => return Err(Fault::new(RejectCode::NumberTooLong, name)),
        },
        Kind::Text => value.known().map(|t| match is_amount(leaf).then(|| number::parse(&t, DecimalStyle::Point)) {
            Some(Ok(d)) => Value::Num(d),
            _ => Value::Text(t.into_owned()),
        }),
        Kind::Array => array(value),
    })
}

/// Texts, numbers and bools are a list of texts; anything else stays JSON.
fn array(value: Json) -> Option<Value> {
    let mut list = vec![];
    for (_, item) in value.children() {
        if matches!(item.kind(), Kind::Object | Kind::Array) {
            return Some(Value::text(value.raw()));
        }
        // The separator of lists in columns.
        list.extend(item.known().map(|t| t.replace('\u{1f}', " ")));
    }
    (!list.is_empty()).then_some(Value::List(list))
}

/// Names of texts that are often sent as numbers.
fn is_id(leaf: &str) -> bool {
    leaf.ends_with("_id")
        || leaf.ends_with("Id")
        || matches!(leaf, "id" | "sku" | "coupon" | "phone" | "zip" | "postal_code" | "postcode")
}

/// Names of numbers that are often sent as texts.
fn is_amount(leaf: &str) -> bool {
    matches!(leaf, "total" | "price" | "quantity" | "discount" | "revenue" | "subtotal" | "tax" | "shipping" | "value")
}

/// The number of a property that must be one; blank is unknown.
pub(crate) fn number(value: Option<Json>, place: &str) -> Result<Option<Decimal>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let read = match value.kind() {
        Kind::Number => decimal(value.raw()),
        Kind::Text => match value.known() {
            Some(t) => number::parse(&t, DecimalStyle::Point),
            None => return Ok(None),
        },
        Kind::Null => return Ok(None),
        _ => Err(NumberFault::Unreadable),
    };
    read.map(Some).map_err(|e| {
        let code = if e == NumberFault::TooLong { RejectCode::NumberTooLong } else { RejectCode::NumberUnreadable };
        Fault::new(code, place)
    })
}

/// The exact number of a JSON number's text. Places beyond the ninth, or the fifteenth digit, are rounded half to even.
pub(crate) fn decimal(raw: &str) -> Result<Decimal, NumberFault> {
    if let Some(d) = number::plain(raw.as_bytes()) {
        return Ok(d);
    }
    Decimal::parse(raw).or_else(|| shortened(raw)).ok_or(NumberFault::TooLong)
}

/// A fraction with more digits than are kept, such as `1234567.123456789012`.
fn shortened(raw: &str) -> Option<Decimal> {
    let (negative, digits) = raw.strip_prefix('-').map_or((false, raw), |d| (true, d));
    let (whole, fraction) =
        digits.split_once('.').filter(|(w, f)| w.len() <= DIGITS_MAX as usize && !f.contains(['e', 'E']))?;
    let places = (DIGITS_MAX as usize - whole.len()).min(SCALE_MAX as usize);
    let (kept, rest) = fraction.split_at_checked(places)?;
    let mut m: i128 = format!("{whole}{kept}").parse().ok()?;
    let tie = rest.starts_with('5') && rest[1..].bytes().all(|b| b == b'0');
    m += i128::from(if tie { m % 2 == 1 } else { rest.as_bytes().first().is_some_and(|b| *b >= b'5') });
    Decimal::checked(if negative { -m } else { m }, places as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_their_text() {
        let d = |t| decimal(t).map(|d| d.to_string()).ok();
        assert_eq!(d("0.1").as_deref(), Some("0.1"));
        assert_eq!(d("0.30000000000000004").as_deref(), Some("0.3"));
        assert_eq!(d("1234567.1234567891").as_deref(), Some("1234567.12345679"));
        assert_eq!(d("-1234567.123456785").as_deref(), Some("-1234567.12345678"));
        assert_eq!(d("999999999999999.95").as_deref(), None);
        assert_eq!(d("1e3").as_deref(), Some("1000"));
        assert_eq!(d("1E-400").as_deref(), Some("0"));
        assert_eq!(d("1e999999"), None);
        assert_eq!(d("12345678901234567890"), None);
    }
}
