//! Codes of a few bits a component, with a scale for each part of each vector.
//!
//! A component stands for its code, less what is half-way between the least and the most, times the scale. Invariant:
//! blocks hold the codes of projections, 32 vectors side by side; rows hold those of whole vectors, each by itself.

use super::layout::stride;
use crate::kernels::codes::{BLOCK_CODES, BYTE_COMPONENTS, CHUNK_BYTES, CHUNK_COMPONENTS};

/// How many bits a component has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    /// Of projections.
    Two,
    /// Of whole vectors.
    Four,
}

impl Bits {
    const fn most(self) -> u8 {
        match self {
            Self::Two => 3,
            Self::Four => 15,
        }
    }

    /// What a code of zero stands for, in steps of the scale below zero.
    pub(super) const fn centre(self) -> f32 {
        match self {
            Self::Two => 1.5,
            Self::Four => 7.5,
        }
    }

    /// The step at which evenly spaced values fit a normal variable best, by its standard deviation
    /// (J. Max, Quantizing for Minimum Distortion, 1960).
    const fn step(self) -> f32 {
        match self {
            Self::Two => 0.9957,
            Self::Four => 0.3352,
        }
    }

    fn code(self, x: f32, step: f32) -> u8 {
        // To the nearest: a cast cuts off, and what is below or above the range goes to its ends.
        ((x / step + (self.centre() + 0.5)) as u8).min(self.most())
    }

    /// Codes `values`, one in each byte of `out`; returns the scale.
    ///
    /// Of the steps tried it takes that whose values lie closest to the direction of `values`, and then the scale
    /// that leaves the least squared error.
    pub(super) fn encode(self, values: &[f32], out: &mut [u8]) -> f32 {
        /// Steps around the best of a normal variable.
        const TRIED: [f32; 5] = [0.8, 0.9, 1.0, 1.1, 1.2];
        let squares: f32 = values.iter().map(|x| x * x).sum();
        let deviation = (squares / values.len() as f32).sqrt();
        if deviation == 0.0 || values.is_empty() {
            out.fill(self.most().div_ceil(2));
            return 0.0;
        }
        let mut best = (f32::NEG_INFINITY, self.step(), 0.0);
        for tried in TRIED {
            let step = self.step() * tried * deviation;
            let (mut product, mut length) = (0.0, 0.0);
            for x in values {
                let level = f32::from(self.code(*x, step)) - self.centre();
                product += x * level;
                length += level * level;
            }
            let fit = product * product / length;
            if fit > best.0 {
                best = (fit, step, product / length);
            }
        }
        let (_, step, scale) = best;
        for (x, out) in values.iter().zip(out) {
            *out = self.code(*x, step);
        }
        scale
    }

    /// The sum of squares of what codes are off by.
    pub(super) fn squared_error(self, values: &[f32], codes: &[u8], scale: f32) -> f64 {
        let stands_for = |code: u8| (f32::from(code) - self.centre()) * scale;
        let errors = values.iter().zip(codes).map(|(x, code)| f64::from(x - stands_for(*code)));
        errors.map(|error| error * error).sum()
    }
}

/// Scales as bytes: the leading bits of their numbers, four of them of the fraction, less those of the least that is
/// told apart from zero. They are off by a 32nd at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SmallScale {
    pub(super) least: u32,
}

impl SmallScale {
    const CUT: u32 = 19;

    /// Where no scale is greater.
    pub(super) fn up_to(most: f32) -> Self {
        Self { least: Self::rounded(most).saturating_sub(u32::from(u8::MAX)) }
    }

    const fn rounded(scale: f32) -> u32 {
        (scale.to_bits() + (1 << (Self::CUT - 1))) >> Self::CUT
    }

    pub(super) fn encode(self, scale: f32) -> u8 {
        Self::rounded(scale).saturating_sub(self.least).min(u32::from(u8::MAX)) as u8
    }

    #[inline(always)]
    pub(super) const fn decode(self, byte: u8) -> f32 {
        f32::from_bits((byte as u32).wrapping_add(self.least) << Self::CUT)
    }
}

/// Puts the codes of a vector in its row.
pub(super) fn put_in_row(codes: &[u8], row: &mut [u8]) {
    for (chunk, codes) in
        row.chunks_exact_mut(CHUNK_BYTES).zip(codes.chunks_exact(CHUNK_COMPONENTS))
    {
        for (j, byte) in chunk.iter_mut().enumerate() {
            *byte = codes[j] | codes[CHUNK_BYTES + j] << 4;
        }
    }
}

/// Blocks of codes of projections, with their scales, as they lie in an index.
#[derive(Debug)]
pub(super) struct Coder {
    near: usize,
    scales: SmallScale,
    pub(super) bytes: Vec<u8>,
    /// The sum of squares of what all codes are off by.
    pub(super) error: f64,
}

impl Coder {
    /// With so many blocks.
    pub(super) fn new(blocks: usize, near: usize, scales: SmallScale) -> Self {
        Self { near, scales, bytes: vec![0; blocks * stride(near)], error: 0.0 }
    }

    /// Codes the projection of what is at a place; returns what the code stands for.
    pub(super) fn put(&mut self, slot: usize, values: &[f32]) -> Vec<f32> {
        let mut codes = vec![0; self.near];
        let scale = self.scales.encode(Bits::Two.encode(values, &mut codes));
        let lane = slot % BLOCK_CODES;
        let block = &mut self.bytes[slot / BLOCK_CODES * stride(self.near)..][..stride(self.near)];
        let (parts, _) = block.as_chunks_mut::<BLOCK_CODES>();
        for (part, codes) in parts.iter_mut().zip(codes.chunks_exact(BYTE_COMPONENTS)) {
            part[lane] = (0..).zip(codes).fold(0, |byte, (at, code)| byte | code << (2 * at));
        }
        // The scales come after the codes.
        parts[self.near / BYTE_COMPONENTS][lane] = scale;
        let scale = self.scales.decode(scale);
        self.error += Bits::Two.squared_error(values, &codes, scale);
        codes.iter().map(|code| (f32::from(*code) - Bits::Two.centre()) * scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_scales_are_off_by_a_thirty_second_at_most() {
        for most in [1.0_f32, 0.07, 3e9, 1e-20] {
            let small = SmallScale::up_to(most);
            for step in 0..1000 {
                let scale = most * (step as f32 / 999.0);
                let back = small.decode(small.encode(scale));
                assert!((back - scale).abs() <= scale / 32.0 + most * 2e-5, "{scale} of {most}");
            }
        }
        let zero = SmallScale::up_to(0.0);
        assert_eq!(zero.decode(zero.encode(0.0)).to_bits(), 0);
    }
}
