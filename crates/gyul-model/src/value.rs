use crate::{Decimal, Instant};
use std::fmt;

/// What a property or a trait can hold. An unknown value is the absence of a `Value`, never a zero or an empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Num(Decimal),
    Text(String),
    Instant(Instant),
    /// A list of text, for tags.
    List(Vec<String>),
}

impl Value {
    pub fn text(s: impl Into<String>) -> Value {
        Value::Text(s.into())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Num(n.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Num(d) => write!(f, "{d}"),
            Value::Text(t) => f.write_str(t),
            Value::Instant(i) => write!(f, "{i}"),
            Value::List(l) => f.write_str(&l.join(" | ")),
        }
    }
}
