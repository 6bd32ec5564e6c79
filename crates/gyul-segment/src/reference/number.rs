use gyul_model::Decimal;
use std::cmp::Ordering;

/// A number or a duration in microseconds: exact, or the nearest double of something that was divided.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// `mantissa / 10^scale`, without trailing zeros; the mantissa fits 64 bits.
    Exact {
        mantissa: i128,
        scale: u32,
    },
    Quotient(f64),
}

impl Number {
    pub const ZERO: Number = Number::Exact { mantissa: 0, scale: 0 };

    pub fn whole(n: i64) -> Number {
        Number::Exact { mantissa: n.into(), scale: 0 }
    }

    /// `None` beyond 64 bits.
    pub fn exact(mut mantissa: i128, mut scale: u32) -> Option<Number> {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        (i64::try_from(mantissa).is_ok() && scale <= 36).then_some(Number::Exact { mantissa, scale })
    }

    /// `None` for NaN and infinities.
    pub fn quotient(x: f64) -> Option<Number> {
        x.is_finite().then_some(Number::Quotient(x))
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Exact { mantissa, scale } => nearest(mantissa, 10_i128.pow(scale)),
            Number::Quotient(x) => x,
        }
    }

    pub fn plus(self, other: Number) -> Option<Number> {
        match aligned(self, other) {
            Some((a, b, scale)) => Number::exact(a.checked_add(b)?, scale),
            None => Number::quotient(self.to_f64() + other.to_f64()),
        }
    }

    pub fn minus(self, other: Number) -> Option<Number> {
        match aligned(self, other) {
            Some((a, b, scale)) => Number::exact(a.checked_sub(b)?, scale),
            None => Number::quotient(self.to_f64() - other.to_f64()),
        }
    }

    pub fn times(self, other: Number) -> Option<Number> {
        match (self, other) {
            (Number::Exact { mantissa: a, scale: s }, Number::Exact { mantissa: b, scale: t }) => {
                Number::exact(a.checked_mul(b)?, s + t)
            }
            _ => Number::quotient(self.to_f64() * other.to_f64()),
        }
    }

    /// Always a quotient; `None` by zero.
    pub fn over(self, other: Number) -> Option<Number> {
        match aligned(self, other) {
            Some((_, 0, _)) => None,
            Some((a, b, _)) => Number::quotient(nearest(a, b)),
            None => Number::quotient(self.to_f64() / other.to_f64()),
        }
    }

    /// Exact numbers by value, with a quotient by nearest doubles.
    pub fn order(self, other: Number) -> Ordering {
        match aligned(self, other) {
            Some((a, b, _)) => a.cmp(&b),
            // Neither is NaN.
            None => self.to_f64().partial_cmp(&other.to_f64()).unwrap_or(Ordering::Equal),
        }
    }

    /// A decimal to show: quotients to nine places.
    pub fn to_decimal(self) -> Option<Decimal> {
        match self {
            Number::Exact { mantissa, scale } => {
                Some(Decimal::new(i64::try_from(mantissa).ok()?, u8::try_from(scale).ok().filter(|s| *s <= 18)?))
            }
            Number::Quotient(x) => Decimal::from_f64(x),
        }
    }
}

impl From<Decimal> for Number {
    fn from(d: Decimal) -> Number {
        Number::Exact { mantissa: d.mantissa().into(), scale: d.scale().into() }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.order(*other) == Ordering::Equal
    }
}

/// Both mantissas at the greater scale; `None` if one is a quotient or that scale is out of reach.
fn aligned(a: Number, b: Number) -> Option<(i128, i128, u32)> {
    let (Number::Exact { mantissa: a, scale: s }, Number::Exact { mantissa: b, scale: t }) = (a, b) else {
        return None;
    };
    let scale = s.max(t);
    let at = |m: i128, from: u32| m.checked_mul(10_i128.checked_pow(scale - from)?);
    Some((at(a, s)?, at(b, t)?, scale))
}

/// The double nearest to `a / b`, ties to even; `b` is not zero. Long division in binary: 64 digits and whether
/// anything was left over decide the rounding.
pub fn nearest(a: i128, b: i128) -> f64 {
    let (mut rest, divisor) = (a.unsigned_abs(), b.unsigned_abs());
    let mut digits = rest / divisor;
    rest %= divisor;
    let mut exponent = 0;
    while digits < 1 << 63 && rest > 0 && divisor < 1 << 126 {
        rest *= 2;
        digits = digits * 2 + rest / divisor;
        rest %= divisor;
        exponent -= 1;
    }
    let digits = (digits | u128::from(rest > 0)) as f64;
    let x = digits * 2_f64.powi(exponent);
    if (a < 0) == (b < 0) { x } else { -x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Decimal::parse(text).unwrap().into()
    }

    #[test]
    fn exact_numbers_stay_exact() {
        assert_eq!(n("0.1").plus(n("0.2")), Some(n("0.3")));
        assert_eq!(n("12.5").times(n("0.08")), Some(n("1")));
        assert_eq!(n("1").minus(n("1.01")), Some(n("-0.01")));
        assert_ne!(n("0.3"), n("0.300000001"));
    }

    #[test]
    fn beyond_64_bits_is_unknown() {
        let max = Number::whole(i64::MAX);
        assert_eq!(max.plus(Number::whole(1)), None);
        assert_eq!(max.times(n("2")), None);
        assert_eq!(Number::whole(i64::MIN).minus(Number::whole(1)), None);
        assert_eq!(max.times(n("1")), Some(max));
    }

    #[test]
    fn a_division_gives_the_nearest_double() {
        assert_eq!(n("1").over(n("3")).unwrap().to_f64(), 1.0 / 3.0);
        assert_eq!(n("0.3").over(n("0.1")).unwrap().to_f64(), 3.0);
        assert_eq!(n("-7").over(n("2")).unwrap().to_f64(), -3.5);
        assert_eq!(n("5").over(n("0")), None);
        assert_eq!(Number::Quotient(1.0).over(n("0")), None);
        // 2^53 + 1 is no double: ties go to even, anything above goes up.
        assert_eq!(nearest((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(nearest(((1 << 53) + 1) * 10 + 1, 10), 9_007_199_254_740_994.0);
    }

    #[test]
    fn a_quotient_compares_by_nearest_doubles() {
        assert_eq!(Number::Quotient(0.1), n("0.1"));
        assert_eq!(n("1").over(n("3")).unwrap().times(n("3")), Some(n("1")));
        assert_eq!(Number::Quotient(0.5).order(n("0.49")), Ordering::Greater);
    }
}
