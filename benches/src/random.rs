//! Seeded random numbers. Invariant: a seed gives the same numbers on every machine.

/// Steele, Lea and Flood's `SplitMix64`, from a seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no number is below 0");
        (self.bits() % bound as u64) as usize
    }

    /// A vector of length 1.
    pub fn unit_vector(&mut self, dim: usize) -> Vec<f32> {
        let mut vector: Vec<f32> =
            (0..dim).map(|_| (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        for component in &mut vector {
            *component /= norm;
        }
        vector
    }

    /// `rows` vectors of length 1, one after the other.
    pub fn unit_rows(&mut self, rows: usize, dim: usize) -> Vec<f32> {
        (0..rows).flat_map(|_| self.unit_vector(dim)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        // The first outputs of splitmix64.c for the state 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn rows_have_length_one() {
        for row in Random(7).unit_rows(5, 384).chunks_exact(384) {
            let norm: f32 = row.iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
    }
}
