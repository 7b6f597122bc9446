//! The bytes of a code: its scale, little-endian, and then its numbers, the first in the lowest bits.
//!
//! A number `u` of `b` bits stands for `(2u + 1 - 2ᵇ) * scale`: odd multiples of the scale, on both sides
//! of zero. Invariant: unused bits of the last byte are written as 0, and ignored.

use half::f16;

use super::{Bits, CodeError};

/// Bytes of the scale.
pub(super) const SCALE_BYTES: usize = 4;

/// The distance between evenly spaced numbers that fit a normal variable best, by its standard deviation
/// (J. Max, 1960, continued to 256 numbers).
const fn best_step(bits: Bits) -> f32 {
    match bits {
        Bits::One => 1.596,
        Bits::Two => 0.9957,
        Bits::Four => 0.3352,
        Bits::Eight => 0.0308,
        Bits::Half => panic!("floats are not evenly spaced"),
    }
}

/// Parts of that distance that are tried for each vector.
const TRIED: [f32; 5] = [0.8, 0.9, 1.0, 1.1, 1.2];

/// A power of two near the largest component: 0 for the zero vector.
///
/// Divided by it, exactly, a vector has components below 2, which neither over- nor underflow when they
/// are rotated.
pub(super) fn magnitude(vector: &[f32]) -> f32 {
    let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    f32::from_bits(largest.to_bits() & 0x7f80_0000).max(f32::MIN_POSITIVE)
}

/// The code of a vector, given divided by its magnitude and perhaps rotated.
pub(super) fn encode(bits: Bits, values: &[f32], magnitude: f32) -> Vec<u8> {
    let mut code = Vec::with_capacity(SCALE_BYTES + (values.len() * bits.count()).div_ceil(8));
    if bits == Bits::Half {
        code.extend(magnitude.to_le_bytes());
        code.extend(values.iter().flat_map(|&x| f16::from_f32(x).to_bits().to_le_bytes()));
        return code;
    }
    let (step, scale) = fit(bits, values);
    let scale = f64::from(magnitude) * scale;
    code.extend((scale as f32).to_le_bytes());
    code.extend(values.chunks(8 / bits.count()).map(|values| {
        let numbers = values.iter().map(|&x| number(bits, x, step)).enumerate();
        numbers.fold(0, |byte, (at, number)| byte | number << (at * bits.count()))
    }));
    code
}

/// The step that fits `values` best of those tried, and the scale that then leaves the least squared
/// error.
fn fit(bits: Bits, values: &[f32]) -> (f32, f64) {
    let squares: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if squares == 0.0 {
        return (1.0, 0.0);
    }
    let normal = best_step(bits) * (squares / values.len() as f64).sqrt() as f32;
    // Where few components are far larger than others, steps that reach the largest may fit better.
    let largest = values.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let widest = 2.0 * largest / f32::from((1_u16 << bits.count()) - 1);
    let mut best = (0.0, normal, 0.0);
    for step in TRIED.map(|tried| tried * normal).into_iter().chain([widest]) {
        let (mut product, mut length) = (0.0, 0.0);
        for &x in values {
            let level = f64::from(level(bits, number(bits, x, step)));
            product += f64::from(x) * level;
            length += level * level;
        }
        let fit = product * product / length;
        if fit > best.0 {
            best = (fit, step, product / length);
        }
    }
    (best.1, best.2)
}

/// The number nearest to `x`, where they are `step` apart.
fn number(bits: Bits, x: f32, step: f32) -> u8 {
    let half = f32::from(1_u16 << (bits.count() - 1));
    // A cast cuts off, and takes what is beyond the range to its ends.
    ((x / step + half) as u8).min(((1_u16 << bits.count()) - 1) as u8)
}

/// What a number stands for, by the scale.
fn level(bits: Bits, number: u8) -> i16 {
    2 * i16::from(number) + 1 - (1 << bits.count())
}

/// The scale and the bytes of the numbers of a code of `dim` components.
pub(super) fn split(bits: Bits, dim: usize, code: &[u8]) -> Result<(f32, &[u8]), CodeError> {
    let expected = SCALE_BYTES + (dim * bits.count()).div_ceil(8);
    let length = CodeError::Length { expected, found: code.len() };
    let (scale, numbers) = code.split_first_chunk::<SCALE_BYTES>().ok_or(length.clone())?;
    if code.len() != expected {
        return Err(length);
    }
    let scale = f32::from_le_bytes(*scale);
    if !scale.is_finite() || scale < 0.0 {
        return Err(CodeError::Scale { value: scale });
    }
    Ok((scale, numbers))
}

/// What numbers of up to 8 bits stand for, by the scale. `B` is their bits.
#[inline]
pub(super) fn levels<const B: usize>(numbers: &[u8], out: &mut [i16]) {
    for (byte, out) in numbers.iter().zip(out.chunks_mut(8 / B)) {
        for (at, out) in out.iter_mut().enumerate() {
            let number = i16::from(byte >> (at * B)) & ((1 << B) - 1);
            *out = 2 * number + 1 - (1 << B);
        }
    }
}

/// What numbers of 16 bits stand for, by the scale.
pub(super) fn halves(numbers: &[u8]) -> impl Iterator<Item = Result<f32, CodeError>> {
    let (numbers, _) = numbers.as_chunks::<2>();
    numbers.iter().enumerate().map(|(index, &bytes)| {
        let value = f16::from_bits(u16::from_le_bytes(bytes)).to_f32();
        if value.is_finite() { Ok(value) } else { Err(CodeError::NotFinite { index }) }
    })
}

/// What all numbers of a code stand for, by the scale.
pub(super) fn values(bits: Bits, dim: usize, numbers: &[u8]) -> Result<Vec<f32>, CodeError> {
    let mut out = vec![0; dim];
    match bits {
        Bits::One => levels::<1>(numbers, &mut out),
        Bits::Two => levels::<2>(numbers, &mut out),
        Bits::Four => levels::<4>(numbers, &mut out),
        Bits::Eight => levels::<8>(numbers, &mut out),
        Bits::Half => return halves(numbers).collect(),
    }
    Ok(out.into_iter().map(f32::from).collect())
}
