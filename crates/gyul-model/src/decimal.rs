use std::cmp::Ordering;
use std::fmt;

/// The most decimal places a number keeps; what has more is rounded half to even when it is read.
pub const SCALE_MAX: u8 = 9;
/// The most digits a number's mantissa may have, so that sums of thousands of them still fit 64 bits.
pub const DIGITS_MAX: u32 = 15;
/// Powers of ten that fit an `i64`.
pub const POW10: [i64; 19] = {
    let mut p = [1_i64; 19];
    let mut i = 1;
    while i < 19 {
        p[i] = p[i - 1] * 10;
        i += 1;
    }
    p
};

/// An exact decimal number, `mantissa / 10^scale`. Kept without trailing zeros, so equal numbers are equal values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

impl Decimal {
    pub const ZERO: Decimal = Decimal { mantissa: 0, scale: 0 };

    /// `mantissa / 10^scale`, trailing zeros taken away.
    pub fn new(mut mantissa: i64, mut scale: u8) -> Decimal {
        if mantissa == 0 {
            return Decimal::ZERO;
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal { mantissa, scale }
    }

    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Reads plain decimal notation, `-12`, `3.50`, `.5`, `1e3`. No separators, symbols or spaces: that is ingest's work.
    /// `None` if it is no number or has more than [`DIGITS_MAX`] digits before the rounding to [`SCALE_MAX`] places.
    pub fn parse(text: &str) -> Option<Decimal> {
        let b = text.as_bytes();
        let (negative, mut i) = match b.first()? {
            b'-' => (true, 1),
            b'+' => (false, 1),
            _ => (false, 0),
        };
        let (mut m, mut scale, mut digits, mut point, mut round) = (0_i128, 0_i32, 0, false, None);
        while i < b.len() {
            match b[i] {
                c @ b'0'..=b'9' => {
                    digits += 1;
                    if point && scale >= i32::from(SCALE_MAX) {
                        // Beyond the last place: remember enough to round half to even.
                        let d = c - b'0';
                        round = Some(match round {
                            None => (d, false),
                            Some((first, rest)) => (first, rest || d > 0),
                        });
                    } else {
                        m = m.checked_mul(10)?.checked_add(i128::from(c - b'0'))?;
                        scale += i32::from(point);
                    }
                }
                b'.' if !point => point = true,
                b'e' | b'E' if digits > 0 => {
                    let e: i32 = std::str::from_utf8(&b[i + 1..]).ok()?.parse().ok()?;
                    return Decimal::with_exponent(if negative { -m } else { m }, scale, e);
                }
                _ => return None,
            }
            i += 1;
        }
        if digits == 0 {
            return None;
        }
        if let Some((first, rest)) = round {
            m += i128::from(first > 5 || (first == 5 && (rest || m % 2 == 1)));
        }
        Decimal::checked(if negative { -m } else { m }, scale as u8)
    }

    fn with_exponent(m: i128, scale: i32, e: i32) -> Option<Decimal> {
        let scale = scale.checked_sub(e)?;
        if m == 0 {
            return Some(Decimal::ZERO);
        }
        if scale < 0 {
            return Decimal::checked(m.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?, 0);
        }
        let (mut m, mut scale) = (m, scale);
        while scale > i32::from(SCALE_MAX) {
            let (q, r) = (m / 10, m % 10);
            m = q + if r.abs() > 5 || (r.abs() == 5 && q % 2 != 0) { m.signum() } else { 0 };
            scale -= 1;
            if m == 0 {
                return Some(Decimal::ZERO);
            }
        }
        Decimal::checked(m, scale as u8)
    }

    /// `None` if the number needs more than [`DIGITS_MAX`] digits.
    pub fn checked(mantissa: i128, scale: u8) -> Option<Decimal> {
        let (mut m, mut s) = (mantissa, scale);
        while s > 0 && m % 10 == 0 {
            m /= 10;
            s -= 1;
        }
        (m.unsigned_abs() < 10_u128.pow(DIGITS_MAX)).then(|| Decimal::new(m as i64, s))
    }

    /// The nearest decimal of at most [`SCALE_MAX`] places. `None` for NaN, infinities and numbers too large.
    pub fn from_f64(x: f64) -> Option<Decimal> {
        if !x.is_finite() || x.abs() >= 1e15 {
            return None;
        }
        // Rust prints the shortest text that reads back as the same double: 0.1 stays 0.1.
        Decimal::parse(&format!("{x}")).or_else(|| {
            // A third needs more digits than there are: 15 of them are right in any double.
            let whole = format!("{:.0}", x.abs().trunc()).len();
            let places = 15_usize.saturating_sub(whole);
            let text = format!("{x:.places$}");
            Decimal::parse(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
        })
    }

    /// The nearest double (one correctly rounded division while the mantissa is below 2^53).
    pub fn to_f64(self) -> f64 {
        self.mantissa as f64 / POW10[self.scale as usize] as f64
    }

    /// The mantissa at a given scale; `None` if that would lose digits or overflow.
    pub fn at_scale(self, scale: u8) -> Option<i64> {
        if scale >= self.scale { self.mantissa.checked_mul(*POW10.get((scale - self.scale) as usize)?) } else { None }
    }
}

impl From<i64> for Decimal {
    fn from(n: i64) -> Decimal {
        Decimal { mantissa: n, scale: 0 }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let scale = self.scale.max(other.scale);
        let at = |d: &Decimal| i128::from(d.mantissa) * 10_i128.pow(u32::from(scale - d.scale));
        at(self).cmp(&at(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.mantissa);
        }
        let digits = format!("{:0>1$}", self.mantissa.unsigned_abs(), self.scale as usize + 1);
        let (whole, part) = digits.split_at(digits.len() - self.scale as usize);
        write!(f, "{}{whole}.{part}", if self.mantissa < 0 { "-" } else { "" })
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_and_programs_write() {
        let ok =
            |t: &str, want: &str| assert_eq!(Decimal::parse(t).map(|d| d.to_string()).as_deref(), Some(want), "{t}");
        ok("0", "0");
        ok("-0.00", "0");
        ok("12.50", "12.5");
        ok(".5", "0.5");
        ok("-.25", "-0.25");
        ok("1e3", "1000");
        ok("1.5E-3", "0.0015");
        ok("0.1234567885", "0.123456788");
        ok("0.1234567895", "0.12345679");
        ok("999999999999999", "999999999999999");
        for bad in ["", "-", ".", "1,000", "1.2.3", "1e", "abc", "9999999999999999", "NaN"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn order_is_by_value_across_scales() {
        let d = |t| Decimal::parse(t).unwrap();
        assert!(d("0.3") > d("0.29999"));
        assert!(d("-1") < d("-0.5"));
        assert_eq!(d("1.10"), d("1.1"));
        assert_eq!(d("0.1").to_f64(), 0.1);
        assert_eq!(Decimal::from_f64(0.1), Some(d("0.1")));
        // Quotients with endless digits are known, to 15 of them.
        assert_eq!(Decimal::from_f64(1.0 / 3.0), Some(d("0.33333333333333")));
        assert_eq!(Decimal::from_f64(100_000.0 / 7.0), Some(d("14285.7142857143")));
        assert!(Decimal::from_f64(123_456_789_012_345.67).is_some() && Decimal::from_f64(1e-300).is_some());
    }
}
