//! Seeded random numbers. Invariant: a seed gives the same numbers on every machine.

/// Steele, Lea and Flood's `SplitMix64`, from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of mean 0 and variance 1, nearly normal: the sum of eight uniform ones (Irwin and Hall).
    ///
    /// No function is called that machines round differently.
    pub(super) fn gaussian(&mut self) -> f32 {
        let (low, high) = (self.bits(), self.bits());
        let sum: u64 = [low, high]
            .iter()
            .flat_map(|bits| (0..4).map(move |part| (bits >> (16 * part)) & 0xffff))
            .sum();
        // Eight numbers below 2¹⁶: their sum has mean 8 · (2¹⁶ - 1) / 2 and variance 8 · 2³² / 12.
        (sum as f32 - 262_140.0) / 53_510.0
    }

    /// So many distinct numbers below `bound`, ascending: every one of them, where there are no more.
    pub(super) fn sample(&mut self, count: usize, bound: usize) -> Vec<u32> {
        let mut picked = Vec::with_capacity(count.min(bound));
        // Knuth's algorithm S: each is taken with the chance that so many are still wanted of those left.
        let mut wanted = count.min(bound) as u64;
        for at in 0..bound {
            let left = (bound - at) as u64;
            if u128::from(self.bits()) * u128::from(left) < u128::from(wanted) << 64 {
                picked.push(at as u32);
                wanted -= 1;
            }
        }
        picked
    }
}
