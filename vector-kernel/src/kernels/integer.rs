//! Integer kernels: `i8` products and distances, and bit counts.
//!
//! Invariant: results are exact integers, so every instruction set and the scalar reference agree.

use simsimd::{BinarySimilarity, SpatialSimilarity};

/// Components that simsimd may sum in 32-bit lanes without overflow: `255² * 32_768 < 2³¹`.
const CHUNK: usize = 32_768;

/// The inner product of two `i8` vectors, exactly.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn dot_i8(a: &[i8], b: &[i8]) -> i64 {
    assert_eq!(a.len(), b.len(), "vectors of one dimension");
    by_chunks(a, b, <i8 as SpatialSimilarity>::dot)
}

/// The squared Euclidean distance of two `i8` vectors, exactly.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn squared_euclidean_i8(a: &[i8], b: &[i8]) -> i64 {
    assert_eq!(a.len(), b.len(), "vectors of one dimension");
    by_chunks(a, b, <i8 as SpatialSimilarity>::l2sq)
}

/// How many of the first `dim` bits differ.
///
/// # Panics
///
/// When either slice isn't `dim.div_ceil(8)` bytes long.
#[must_use]
pub fn hamming(a: &[u8], b: &[u8], dim: usize) -> u32 {
    assert_eq!(a.len(), dim.div_ceil(8), "one bit a component");
    assert_eq!(b.len(), dim.div_ceil(8), "one bit a component");
    let whole = dim / 8;
    let tail = match (a.get(whole), b.get(whole)) {
        (Some(a), Some(b)) => ((a ^ b) & low_bits(dim % 8)).count_ones(),
        _ => 0,
    };
    let distance = u8::hamming(&a[..whole], &b[..whole]).expect("slices of one length");
    // simsimd returns a count of bits in an f64, which holds it exactly.
    distance as u32 + tail
}

/// The Jaccard similarity of two sets given as their first `dim` bits: the size of the
/// intersection by that of the union, in `[0, 1]`; 1 for two empty sets.
///
/// # Panics
///
/// When either slice isn't `dim.div_ceil(8)` bytes long.
#[must_use]
pub fn jaccard(a: &[u8], b: &[u8], dim: usize) -> f32 {
    assert_eq!(a.len(), dim.div_ceil(8), "one bit a component");
    assert_eq!(b.len(), dim.div_ceil(8), "one bit a component");
    let whole = dim / 8;
    let mut both = 0;
    let mut either = 0;
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let mask = if i < whole { u8::MAX } else { low_bits(dim % 8) };
        both += (a & b & mask).count_ones();
        either += ((a | b) & mask).count_ones();
    }
    if either == 0 { 1.0 } else { (f64::from(both) / f64::from(either)) as f32 }
}

/// A byte with the lowest `count` (below 8) bits set.
const fn low_bits(count: usize) -> u8 {
    (1_u8 << count) - 1
}

fn by_chunks(a: &[i8], b: &[i8], kernel: impl Fn(&[i8], &[i8]) -> Option<f64>) -> i64 {
    a.chunks(CHUNK)
        .zip(b.chunks(CHUNK))
        // An integer below 2³¹, which the f64 holds exactly.
        .map(|(a, b)| kernel(a, b).expect("chunks of one length") as i64)
        .sum()
}

/// The same in plain Rust, as reference.
pub mod scalar {
    /// See [`dot_i8`](super::dot_i8).
    #[must_use]
    pub fn dot_i8(a: &[i8], b: &[i8]) -> i64 {
        a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
    }

    /// See [`squared_euclidean_i8`](super::squared_euclidean_i8).
    #[must_use]
    pub fn squared_euclidean_i8(a: &[i8], b: &[i8]) -> i64 {
        a.iter().zip(b).map(|(a, b)| (i64::from(*a) - i64::from(*b)).pow(2)).sum()
    }

    /// See [`hamming`](super::hamming()).
    #[must_use]
    pub fn hamming(a: &[u8], b: &[u8], dim: usize) -> u32 {
        let bit = |bytes: &[u8], i: usize| bytes[i / 8] >> (i % 8) & 1;
        (0..dim).map(|i| u32::from(bit(a, i) ^ bit(b, i))).sum()
    }
}
