//! Is a difference real, and how large is it? Formulas over counts, means and variances; no customers.
//!
//! Symbols: `n` how many, `x` how many of them have something, `p = x / n`. References stand at the functions; the tests
//! name the package whose numbers they repeat.

use std::f64::consts::SQRT_2;

/// 97.5 % of the standard normal distribution lie below.
const Z95: f64 = 1.959_963_984_540_054;

/// A difference with its interval of 95 % and the probability of one at least so large if there were none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub low: f64,
    pub high: f64,
    pub p: f64,
}

/// Count, mean and sum of squared deviations; sums of parts can be added (Chan, Golub, LeVeque 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    pub n: u64,
    pub mean: f64,
    pub squares: f64,
}

impl Moments {
    /// Two passes: stable whatever the size of the values.
    pub fn of(values: &[f64]) -> Moments {
        let n = values.len() as u64;
        if n == 0 {
            return Moments::default();
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Moments { n, mean, squares }
    }

    /// Unbiased; `None` of fewer than two.
    pub fn variance(&self) -> Option<f64> {
        (self.n >= 2).then(|| self.squares / (self.n - 1) as f64)
    }
}

/// Pooled z test of two shares, with the interval of their difference by Newcombe's hybrid score method
/// (Newcombe 1998, method 10). `None` where too few are expected (under 5 in a cell) for the test to hold.
pub fn shares(x1: u64, n1: u64, x2: u64, n2: u64) -> Option<Difference> {
    if n1 == 0 || n2 == 0 {
        return None;
    }
    let (n1, n2) = (n1 as f64, n2 as f64);
    let (p1, p2) = (x1 as f64 / n1, x2 as f64 / n2);
    let pooled = (x1 + x2) as f64 / (n1 + n2);
    if n1.min(n2) * pooled.min(1.0 - pooled) < 5.0 {
        return None;
    }
    let z = (p1 - p2) / (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let ((l1, u1), (l2, u2)) = (wilson(p1, n1), wilson(p2, n2));
    let d = p1 - p2;
    Some(Difference {
        low: d - ((p1 - l1).powi(2) + (u2 - p2).powi(2)).sqrt(),
        high: d + ((u1 - p1).powi(2) + (p2 - l2).powi(2)).sqrt(),
        p: libm::erfc(z.abs() / SQRT_2),
    })
}

/// The score interval of a share (Wilson 1927).
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z2 = Z95 * Z95;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

/// Welch's t test: the means of two groups whose variances may differ (Welch 1947). `None` without any variance.
pub fn means(a: &Moments, b: &Moments) -> Option<Difference> {
    let (va, vb) = (a.variance()? / a.n as f64, b.variance()? / b.n as f64);
    let error = (va + vb).sqrt();
    if error <= 0.0 || !error.is_finite() {
        return None;
    }
    let d = a.mean - b.mean;
    let df = (va + vb).powi(2) / (va * va / (a.n - 1) as f64 + vb * vb / (b.n - 1) as f64);
    let half = t_quantile(df) * error;
    Some(Difference { low: d - half, high: d + half, p: t_two_sided(d / error, df) })
}

/// Cohen's h: shares on a scale on which equal steps are equally easy to find (Cohen 1988). 0.2 is small, 0.8 large.
pub fn cohen_h(p1: f64, p2: f64) -> f64 {
    2.0 * p1.clamp(0.0, 1.0).sqrt().asin() - 2.0 * p2.clamp(0.0, 1.0).sqrt().asin()
}

/// Cohen's d: the difference of means in standard deviations (pooled). 0.2 is small, 0.8 large.
pub fn cohen_d(a: &Moments, b: &Moments) -> Option<f64> {
    let df = (a.n + b.n).checked_sub(2).filter(|df| *df > 0)?;
    let sd = ((a.squares + b.squares) / df as f64).sqrt();
    (sd > 0.0 && sd.is_finite()).then(|| (a.mean - b.mean) / sd)
}

/// Which tests hold if at most a share `q` of those that hold may be chance (Benjamini, Hochberg 1995).
pub fn discoveries(p: &[f64], q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let m = p.len() as f64;
    let cut = sorted.iter().enumerate().rev().find(|(i, p)| **p <= (*i + 1) as f64 / m * q).map(|(_, p)| *p);
    p.iter().map(|p| cut.is_some_and(|c| *p <= c)).collect()
}

/// Quantiles of sorted values, between neighbours by proportion (Hyndman, Fan 1996, type 7).
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let (i, part) = (place.floor() as usize, place.fract());
    let next = sorted[(i + 1).min(last)];
    Some(sorted[i] + (next - sorted[i]) * part)
}

/// The probability that Student's t with `df` degrees of freedom is at least so far from 0.
fn t_two_sided(t: f64, df: f64) -> f64 {
    incomplete_beta(df / 2.0, 0.5, df / (df + t * t))
}

/// The t below which 97.5 % lie.
fn t_quantile(df: f64) -> f64 {
    let (mut low, mut high) = (0.0, 2.0);
    while t_two_sided(high, df) > 0.05 && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if t_two_sided(middle, df) > 0.05 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The regularized incomplete beta function `I_x(a, b)` by its continued fraction (DLMF 8.17.22), evaluated from the
/// front by Lentz's method.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    // The fraction converges fast below the mean; above, the other tail does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - (front.exp() / b) * beta_fraction(b, a, 1.0 - x);
    }
    front.exp() / a * beta_fraction(a, b, x)
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let safe = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / safe(1.0 - (a + b) * x / (a + 1.0)));
    let mut out = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / safe(1.0 + even * d);
        c = safe(1.0 + even / c);
        out *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / safe(1.0 + odd * d);
        c = safe(1.0 + odd / c);
        out *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1e-300), "{found} is not {wanted}");
    }

    #[test]
    fn shares_differ_as_statsmodels_0_14_proportions_ztest_and_newcomb_say() {
        let d = shares(45, 100, 30, 120).unwrap();
        near(d.p, 0.001_832_336_299_263_088_9);
        near(d.low, 0.073_770_175_663_407_93);
        near(d.high, 0.319_432_963_740_537_53);
        // One of fifty against seven hundred of a thousand: a small probability keeps its digits.
        let d = shares(700, 1000, 1, 50).unwrap();
        near(d.p, 2.250_570_882_355_134e-23);
        near(d.low, 0.590_192_119_203_283_5);
        near(d.high, 0.712_130_022_213_094_5);
        // Eight of forty against three hundred of nine thousand: under five are expected, so nothing is said.
        assert_eq!(shares(8, 40, 300, 9000), None);
        assert_eq!(shares(0, 0, 3, 9), None);
    }

    #[test]
    fn means_differ_as_scipy_1_17_ttest_ind_says_without_equal_variances() {
        let a = Moments::of(&[3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0]);
        let b = Moments::of(&[1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0]);
        let d = means(&a, &b).unwrap();
        near(d.p, 0.240_958_851_843_515_07);
        near(d.low, -8.043_713_190_650_745);
        near(d.high, 28.202_443_349_380_903);
        near(cohen_d(&a, &b).unwrap(), 0.673_196_993_131_713_1);
        assert_eq!(means(&a, &Moments::of(&[1.0])), None);
        assert_eq!(means(&Moments::of(&[2.0, 2.0]), &Moments::of(&[1.0, 1.0])), None);
    }

    #[test]
    fn the_t_distribution_is_that_of_scipy_1_17() {
        for (t, df, two_sided, quantile) in [
            (2.0, 5.0, 0.101_939_478_829_858_35, 2.570_581_835_636_314_5),
            (0.3, 1.5, 0.800_472_196_803_585_1, 6.016_663_104_427_929),
            (4.0, 1000.0, 6.800_991_920_878_163e-5, 1.962_339_080_826_408_3),
        ] {
            near(t_two_sided(t, df), two_sided);
            near(t_quantile(df), quantile);
        }
        assert!((t_two_sided(12.0, 30_000.0) / 4.230_912_262_573_901_4e-33 - 1.0).abs() < 1e-6);
        near(cohen_h(0.45, 0.25), 0.423_431_354_436_738_96);
    }

    #[test]
    fn discoveries_are_those_of_statsmodels_0_14_multipletests_fdr_bh() {
        let p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.0001];
        assert_eq!(discoveries(&p, 0.05), [true, true, true, true, false, true]);
        assert_eq!(discoveries(&[], 0.05), Vec::<bool>::new());
    }

    #[test]
    fn quantiles_are_those_of_numpy_2() {
        let v = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0];
        for (q, wanted) in [(0.05, 1.25), (0.25, 2.25), (0.5, 3.5), (0.75, 8.5), (0.95, 17.5)] {
            near(quantile(&v, q).unwrap(), wanted);
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
