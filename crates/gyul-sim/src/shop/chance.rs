//! Chance with a seed: xoshiro256++ started by splitmix64, and the distributions that a shop needs.

pub struct Chance([u64; 4]);

impl Chance {
    /// A stream of its own for each `(seed, stream)`.
    pub fn new(seed: u64, stream: u64) -> Chance {
        let mut state = seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95);
        Chance([(); 4].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Uniform in `from..to`.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from).max(0) as usize) as i64
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// An index with probability in proportion to its weight.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        let found = weights.iter().position(|w| {
            rest -= w;
            rest < 0.0
        });
        found.unwrap_or(weights.len() - 1)
    }

    /// An index in `0..n`, low ones far more often.
    pub fn popular(&mut self, n: usize) -> usize {
        ((self.unit().powi(3) * n as f64) as usize).min(n - 1)
    }

    /// Of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    pub fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Of scale 1 (Marsaglia and Tsang).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * (1.0 - self.unit()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        if x + y > 0.0 { x / (x + y) } else { 0.5 }
    }

    pub fn poisson(&mut self, mean: f64) -> usize {
        let (mut n, mut rest) = (0, mean - self.exponential());
        while rest > 0.0 {
            n += 1;
            rest -= self.exponential();
        }
        n
    }

    /// 1, 2, 3 …: each further one with probability `p`.
    pub fn geometric(&mut self, p: f64, max: usize) -> usize {
        (1..max).find(|_| !self.happens(p)).unwrap_or(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(n: usize, mut f: impl FnMut(&mut Chance) -> f64) -> f64 {
        let mut c = Chance::new(7, 0);
        (0..n).map(|_| f(&mut c)).sum::<f64>() / n as f64
    }

    #[test]
    fn distributions_have_their_means() {
        let near = |got: f64, want: f64| assert!((got - want).abs() < 0.03 * want, "{got} instead of {want}");
        near(mean(40_000, |c| c.unit()), 0.5);
        near(mean(40_000, |c| c.exponential()), 1.0);
        near(mean(40_000, |c| c.normal().powi(2)), 1.0);
        near(mean(40_000, |c| c.gamma(0.75)), 0.75);
        near(mean(40_000, |c| c.gamma(4.0)), 4.0);
        near(mean(40_000, |c| c.beta(0.9, 3.0)), 0.9 / 3.9);
        near(mean(40_000, |c| c.poisson(6.5) as f64), 6.5);
        near(mean(40_000, |c| c.geometric(0.5, 99) as f64), 2.0);
        near(mean(40_000, |c| c.weighted(&[1.0, 3.0]) as f64), 0.75);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Chance::new(1, 0).bits(), Chance::new(1, 1).bits());
        assert_eq!(Chance::new(1, 1).bits(), Chance::new(1, 1).bits());
    }
}
