//! Columns of values and the operators on them, a whole column at a time.

use crate::answers::ones;
use crate::plan::Ty;
use gyul_model::{Date, POW10};
use gyul_segment::tree::{Arith, Cmp};

/// The unknown exact number, instant or date.
pub const UNKNOWN: i64 = i64::MIN;

/// A value for each row (or event) of a block, or one value for all of them.
#[derive(Clone, Debug)]
pub enum Col {
    /// Conditions, a bit each; those behind the last row mean nothing.
    Bits(Vec<u64>),
    /// Flags (0, 1, 2 = unknown); as a condition, the unknown is false.
    Bool(Vec<u8>),
    Int(Vec<i64>),
    Real(Vec<f64>),
    Code(Vec<u32>),
    OneBool(u8),
    OneInt(i64),
    OneReal(f64),
    OneCode(u32),
}

impl Col {
    /// What a column is that the data lacks.
    pub fn unknown(ty: Ty) -> Col {
        match ty {
            Ty::Bool | Ty::Flag => Col::OneBool(2),
            Ty::Text(_) | Ty::List(_) => Col::OneCode(0),
            _ => Col::OneInt(UNKNOWN),
        }
    }

    pub fn bool_at(&self, i: usize) -> u8 {
        match self {
            Col::Bits(v) => (v[i / 64] >> (i % 64) & 1) as u8,
            Col::Bool(v) => v[i],
            Col::OneBool(b) => *b,
            _ => 0,
        }
    }

    pub fn int_at(&self, i: usize) -> i64 {
        match self {
            Col::Int(v) => v[i],
            Col::OneInt(x) => *x,
            _ => UNKNOWN,
        }
    }

    pub fn real_at(&self, i: usize) -> f64 {
        match self {
            Col::Real(v) => v[i],
            Col::OneReal(x) => *x,
            _ => f64::NAN,
        }
    }

    pub fn code_at(&self, i: usize) -> u32 {
        match self {
            Col::Code(v) => v[i],
            Col::OneCode(x) => *x,
            _ => 0,
        }
    }

    /// A number that is equal for equal values and `UNKNOWN` for the unknown; in the order of the values for numbers.
    pub fn key_at(&self, i: usize) -> i64 {
        match self {
            Col::Int(_) | Col::OneInt(_) => self.int_at(i),
            Col::Real(_) | Col::OneReal(_) => real_key(self.real_at(i)),
            Col::Code(_) | Col::OneCode(_) => match self.code_at(i) {
                0 => UNKNOWN,
                c => c.into(),
            },
            Col::Bits(_) | Col::Bool(_) | Col::OneBool(_) => match self.bool_at(i) {
                2 => UNKNOWN,
                b => b.into(),
            },
        }
    }

    /// Appends the known keys of the rows whose bit is set.
    pub fn known_keys(&self, rows: &[u64], into: &mut Vec<i64>) {
        match self {
            Col::Int(v) => {
                for (w, own) in rows.iter().zip(v.chunks(64)) {
                    // Nearly everybody is there and known.
                    if *w == !0 && !own.contains(&UNKNOWN) {
                        into.extend_from_slice(own);
                    } else {
                        into.extend(ones(&[*w]).map(|i| own[i]).filter(|k| *k != UNKNOWN));
                    }
                }
            }
            _ => into.extend(ones(rows).map(|i| self.key_at(i)).filter(|k| *k != UNKNOWN)),
        }
    }

    /// Conditions of truth values, 0 or 1.
    pub fn conditions(bytes: &[u8]) -> Col {
        Col::Bits(bytes.chunks(64).map(packed).collect())
    }

    /// The truth of the first `len` conditions, a bit each.
    pub fn bits(&self, len: usize, into: &mut [u64]) {
        match self {
            Col::Bits(v) => into.iter_mut().zip(v).for_each(|(word, v)| *word = *v),
            Col::Bool(v) => into.iter_mut().zip(v.chunks(64)).for_each(|(word, v)| *word = packed(v)),
            c if c.bool_at(0) == 1 => into.fill(!0),
            _ => into.fill(0),
        }
        if let Some(last) = into.get_mut(len / 64) {
            *last &= (1 << (len % 64)) - 1;
        }
        into.iter_mut().skip(len / 64 + 1).for_each(|word| *word = 0);
    }

    /// May say no though it is so.
    pub fn all_false(&self) -> bool {
        match self {
            Col::Bits(v) => v.iter().all(|w| *w == 0),
            Col::Bool(v) => v.iter().all(|b| *b != 1),
            Col::OneBool(b) => *b == 0,
            _ => true,
        }
    }
}

/// The lowest bits of at most 64 bytes.
fn packed(bytes: &[u8]) -> u64 {
    let mut bits = 0_u64;
    for (i, eight) in bytes.chunks(8).enumerate() {
        let mut b = [0_u8; 8];
        b[..eight.len()].copy_from_slice(eight);
        // The lowest bit of each byte, gathered into one byte by a multiplication.
        let byte = (u64::from_le_bytes(b) & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= byte << (8 * i);
    }
    bits
}

/// Doubles as integers in the same order; `UNKNOWN` for NaN.
pub fn real_key(x: f64) -> i64 {
    if x.is_nan() {
        return UNKNOWN;
    }
    let bits = (x + 0.0).to_bits() as i64;
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

/// The double of a key.
pub fn key_real(key: i64) -> f64 {
    if key == UNKNOWN {
        return f64::NAN;
    }
    f64::from_bits(if key < 0 { i64::MIN.wrapping_sub(key) } else { key } as u64)
}

enum Side<'a, T> {
    Many(&'a [T]),
    One(T),
}

fn zip<T: Copy, U>(a: Side<T>, b: Side<T>, f: impl Fn(T, T) -> U) -> Result<Vec<U>, U> {
    match (a, b) {
        (Side::Many(a), Side::Many(b)) => Ok(a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()),
        (Side::Many(a), Side::One(b)) => Ok(a.iter().map(|a| f(*a, b)).collect()),
        (Side::One(a), Side::Many(b)) => Ok(b.iter().map(|b| f(a, *b)).collect()),
        (Side::One(a), Side::One(b)) => Err(f(a, b)),
    }
}

fn ints(c: &Col) -> Option<Side<'_, i64>> {
    match c {
        Col::Int(v) => Some(Side::Many(v)),
        Col::OneInt(x) => Some(Side::One(*x)),
        _ => None,
    }
}

fn reals(c: &Col) -> Option<Side<'_, f64>> {
    match c {
        Col::Real(v) => Some(Side::Many(v)),
        Col::OneReal(x) => Some(Side::One(*x)),
        _ => None,
    }
}

fn codes(c: &Col) -> Option<Side<'_, u32>> {
    match c {
        Col::Code(v) => Some(Side::Many(v)),
        Col::OneCode(x) => Some(Side::One(*x)),
        _ => None,
    }
}

/// A condition on two columns.
fn test<T: Copy>(a: Side<T>, b: Side<T>, f: impl Fn(T, T) -> u8) -> Col {
    match (a, b) {
        (Side::Many(a), Side::Many(b)) => {
            let word = |(a, b): (&[T], &[T])| {
                let mut bytes = [0; 64];
                bytes.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = f(*a, *b));
                packed(&bytes)
            };
            Col::Bits(a.chunks(64).zip(b.chunks(64)).map(word).collect())
        }
        (Side::Many(a), Side::One(b)) => tested(a, |a| f(a, b)),
        (Side::One(a), Side::Many(b)) => tested(b, |b| f(a, b)),
        (Side::One(a), Side::One(b)) => Col::OneBool(f(a, b)),
    }
}

/// A condition on each value.
pub fn tested<T: Copy>(values: &[T], f: impl Fn(T) -> u8) -> Col {
    let mut words = Vec::with_capacity(values.len().div_ceil(64));
    let mut bytes = [0; 64];
    let (whole, rest) = values.as_chunks::<64>();
    for own in whole {
        bytes.iter_mut().zip(own).for_each(|(out, x)| *out = f(*x));
        words.push(packed(&bytes));
    }
    if !rest.is_empty() {
        bytes.iter_mut().zip(rest).for_each(|(out, x)| *out = f(*x));
        words.push(packed(&bytes[..rest.len()]));
    }
    Col::Bits(words)
}

/// Compares; false where a side is unknown.
pub fn cmp(op: Cmp, a: &Col, b: &Col) -> Col {
    if let (Some(a), Some(b)) = (ints(a), ints(b)) {
        // The unknown is the smallest of all: nothing is below it, and what is above something is known.
        return match op {
            Cmp::Eq => test(a, b, |a, b| u8::from(a == b) & u8::from(a != UNKNOWN)),
            Cmp::Ne => test(a, b, |a, b| u8::from(a != b) & u8::from(a != UNKNOWN) & u8::from(b != UNKNOWN)),
            Cmp::Lt => test(a, b, |a, b| u8::from(a < b) & u8::from(a != UNKNOWN)),
            Cmp::Le => test(a, b, |a, b| u8::from(a <= b) & u8::from(a != UNKNOWN)),
            Cmp::Gt => test(a, b, |a, b| u8::from(a > b) & u8::from(b != UNKNOWN)),
            Cmp::Ge => test(a, b, |a, b| u8::from(a >= b) & u8::from(b != UNKNOWN)),
        };
    }
    if let (Some(a), Some(b)) = (reals(a), reals(b)) {
        return match op {
            Cmp::Eq => test(a, b, |a, b| u8::from(a == b)),
            // NaN is unlike everything, but an unknown makes the comparison false.
            Cmp::Ne => test(a, b, |a: f64, b: f64| u8::from(a < b) | u8::from(a > b)),
            Cmp::Lt => test(a, b, |a, b| u8::from(a < b)),
            Cmp::Le => test(a, b, |a, b| u8::from(a <= b)),
            Cmp::Gt => test(a, b, |a, b| u8::from(a > b)),
            Cmp::Ge => test(a, b, |a, b| u8::from(a >= b)),
        };
    }
    if let (Some(a), Some(b)) = (codes(a), codes(b)) {
        let equal = op == Cmp::Eq;
        return test(a, b, |a, b| u8::from((a == b) == equal) & u8::from(a != 0) & u8::from(b != 0));
    }
    Col::OneBool(0)
}

/// Exact arithmetic is checked: what does not fit is unknown. A division of integers gives a double.
pub fn arith(op: Arith, a: &Col, b: &Col) -> Col {
    if let (Some(a), Some(b)) = (ints(a), ints(b)) {
        let lift = |f: fn(i64, i64) -> Option<i64>| {
            move |a: i64, b: i64| {
                if a == UNKNOWN || b == UNKNOWN { UNKNOWN } else { f(a, b).unwrap_or(UNKNOWN) }
            }
        };
        let exact = match op {
            Arith::Add => zip(a, b, lift(i64::checked_add)),
            Arith::Sub => zip(a, b, lift(i64::checked_sub)),
            Arith::Mul => zip(a, b, lift(i64::checked_mul)),
            Arith::Div => {
                let quotient = |a: i64, b: i64| {
                    // No branch: whether a divisor is 0 is hard to foresee.
                    let q = a as f64 / b as f64;
                    if (a == UNKNOWN) | (b == UNKNOWN) | (b == 0) { f64::NAN } else { q }
                };
                return zip(a, b, quotient).map_or_else(Col::OneReal, Col::Real);
            }
        };
        return exact.map_or_else(Col::OneInt, Col::Int);
    }
    if let (Some(a), Some(b)) = (reals(a), reals(b)) {
        let finite = |x: f64| if x.is_finite() { x } else { f64::NAN };
        let r = match op {
            Arith::Add => zip(a, b, |a, b| finite(a + b)),
            Arith::Sub => zip(a, b, |a, b| finite(a - b)),
            Arith::Mul => zip(a, b, |a, b| finite(a * b)),
            Arith::Div => zip(a, b, |a, b| finite(a / b)),
        };
        return r.map_or_else(Col::OneReal, Col::Real);
    }
    Col::OneInt(UNKNOWN)
}

pub fn is_known(a: &Col) -> Col {
    match a {
        Col::Bits(_) => Col::OneBool(1),
        Col::Bool(v) => tested(v, |b| u8::from(b != 2)),
        Col::Int(v) => tested(v, |x| u8::from(x != UNKNOWN)),
        Col::Real(v) => tested(v, |x| u8::from(!x.is_nan())),
        Col::Code(v) => tested(v, |x| u8::from(x != 0)),
        Col::OneBool(b) => Col::OneBool(u8::from(*b != 2)),
        Col::OneInt(x) => Col::OneBool(u8::from(*x != UNKNOWN)),
        Col::OneReal(x) => Col::OneBool(u8::from(!x.is_nan())),
        Col::OneCode(x) => Col::OneBool(u8::from(*x != 0)),
    }
}

/// A flag as a condition.
pub fn is_true(a: &Col) -> Col {
    match a {
        Col::Bits(v) => Col::Bits(v.clone()),
        Col::Bool(v) => tested(v, |b| u8::from(b == 1)),
        Col::OneBool(b) => Col::OneBool(u8::from(*b == 1)),
        _ => Col::OneBool(0),
    }
}

pub fn not(a: &Col) -> Col {
    match a {
        Col::Bits(v) => Col::Bits(v.iter().map(|w| !w).collect()),
        Col::Bool(v) => tested(v, |b| u8::from(b != 1)),
        Col::OneBool(b) => Col::OneBool(u8::from(*b != 1)),
        _ => Col::OneBool(0),
    }
}

/// Maps known integers; the unknown stays unknown.
pub fn map_int(a: &Col, f: impl Fn(i64) -> i64) -> Col {
    let f = |x: i64| if x == UNKNOWN { UNKNOWN } else { f(x) };
    match a {
        Col::Int(v) => Col::Int(v.iter().map(|x| f(*x)).collect()),
        Col::OneInt(x) => Col::OneInt(f(*x)),
        _ => Col::OneInt(UNKNOWN),
    }
}

/// A condition on known integers; false for the unknown.
pub fn test_int(a: &Col, f: impl Fn(i64) -> bool) -> Col {
    let f = |x: i64| u8::from(x != UNKNOWN && f(x));
    match a {
        Col::Int(v) => tested(v, f),
        Col::OneInt(x) => Col::OneBool(f(*x)),
        _ => Col::OneBool(0),
    }
}

/// A condition on codes.
pub fn test_code(a: &Col, f: impl Fn(u32) -> u8) -> Col {
    match a {
        Col::Code(v) => tested(v, f),
        Col::OneCode(c) => Col::OneBool(f(*c)),
        _ => Col::OneBool(f(0)),
    }
}

pub fn map_code<U>(a: &Col, f: impl Fn(u32) -> U, many: fn(Vec<U>) -> Col, one: fn(U) -> Col) -> Col {
    match a {
        Col::Code(v) => many(v.iter().map(|c| f(*c)).collect()),
        Col::OneCode(c) => one(f(*c)),
        _ => one(f(0)),
    }
}

pub fn rescale(a: &Col, by: u8) -> Col {
    let p = POW10[by.min(18) as usize];
    map_int(a, |x| x.checked_mul(p).unwrap_or(UNKNOWN))
}

pub fn to_real(a: &Col, scale: u8) -> Col {
    let p = POW10[scale.min(18) as usize] as f64;
    let f = |x: i64| if x == UNKNOWN { f64::NAN } else { x as f64 / p };
    match a {
        Col::Int(v) => Col::Real(v.iter().map(|x| f(*x)).collect()),
        Col::OneInt(x) => Col::OneReal(f(*x)),
        _ => Col::OneReal(f64::NAN),
    }
}

/// Whether dates are within `days` of one of `dates` (ascending).
pub fn near_occasion(a: &Col, dates: &[Date], days: i32) -> Col {
    let days = i64::from(days);
    let near = |x: i64| {
        let i = dates.partition_point(|d| i64::from(d.0) < x - days);
        dates.get(i).is_some_and(|d| i64::from(d.0) <= x + days)
    };
    let known = || if let Col::Int(v) = a { v.as_slice() } else { &[] }.iter().filter(|x| **x != UNKNOWN);
    match (known().min(), known().max()) {
        // Each date is asked once where there are more values than dates.
        (Some(&first), Some(&last)) if last - first < known().count() as i64 => {
            let table: Vec<bool> = (first..=last).map(near).collect();
            test_int(a, |x| table[(x - first) as usize])
        }
        _ => test_int(a, near),
    }
}

/// Folds conditions of one length into the first.
pub fn fold_bool(into: &mut Col, other: &Col, and: bool) {
    let words = |c: &Col| match c {
        Col::Bool(v) => v.chunks(64).map(packed).collect(),
        Col::Bits(v) => v.clone(),
        _ => vec![],
    };
    match (&mut *into, other) {
        (Col::OneBool(a), _) if (*a == 0) == and => {}
        (_, Col::OneBool(b)) if (*b == 0) == and => *into = Col::OneBool(*b),
        (Col::OneBool(_), Col::OneBool(b)) => *into = Col::OneBool(*b),
        (Col::OneBool(_), other) => *into = Col::Bits(words(other)),
        (_, Col::OneBool(_)) => {}
        (Col::Bits(a), Col::Bits(b)) if and => a.iter_mut().zip(b).for_each(|(a, b)| *a &= b),
        (Col::Bits(a), Col::Bits(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a |= b),
        (Col::Bits(_), other) => fold_bool(into, &Col::Bits(words(other)), and),
        (a, other) => {
            *into = Col::Bits(words(a));
            fold_bool(into, other, and);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_doubles_keep_their_order() {
        let sorted = [f64::MIN, -2.5, -1e-300, 0.0, 1e-300, 1.0, f64::MAX];
        let keys: Vec<i64> = sorted.iter().map(|x| real_key(*x)).collect();
        assert!(keys.windows(2).all(|w| w[0] < w[1]));
        assert!(keys.iter().zip(sorted).all(|(k, x)| key_real(*k) == x));
        assert_eq!(real_key(-0.0), real_key(0.0));
        assert_eq!(real_key(f64::NAN), UNKNOWN);
    }

    #[test]
    fn unknown_makes_comparisons_false() {
        for op in [Cmp::Eq, Cmp::Ne, Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge] {
            let unknown = |c: Col| matches!(c, Col::OneBool(0));
            assert!(unknown(cmp(op, &Col::OneInt(UNKNOWN), &Col::OneInt(1))));
            assert!(unknown(cmp(op, &Col::OneInt(UNKNOWN), &Col::OneInt(UNKNOWN))));
            assert!(unknown(cmp(op, &Col::OneReal(f64::NAN), &Col::OneReal(1.0))));
            assert!(unknown(cmp(op, &Col::OneCode(0), &Col::OneCode(3))));
        }
    }
}
