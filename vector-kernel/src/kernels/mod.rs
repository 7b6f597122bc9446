//! The kernels by themselves: two vectors in, a number out, on a chosen instruction set.
//!
//! Float sums follow one canonical order, so the result is the same to the bit on every [`Isa`]; the
//! portable one is the reference. Integer results are exact. Float sums are not guarded against
//! overflow here; [`FlatIndex`](crate::FlatIndex) is.
//!
//! # Error bounds
//!
//! With `u = 2⁻²⁴` and `n = dim.div_ceil(64) + 8`, as long as nothing over- or underflows, a dot
//! product is within `n u / (1 - n u) · Σ|aᵢ bᵢ|` of the true one, and a squared distance within
//! `(n + 2) u / (1 - (n + 2) u)` of it, relatively: 64 partial sums make the error grow with
//! `dim / 64`. A cosine from stored inverse norms is within `(n + 8) u` of the true one.
//!
//! Invariant: no kernel allocates, and none touches memory outside the slices it is given.

#![expect(
    clippy::inline_always,
    reason = "the lanes must be inlined into the function that enables their instruction set"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod codes;
pub(crate) mod float;
mod integer;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
pub(crate) mod simd;
pub(crate) mod wide;

use float::{BLOCK, Block, Element, Pick, Product, SquaredDifference, Sums, Term};
use half::f16;

pub use integer::{dot_i8, hamming, jaccard, scalar, squared_euclidean_i8};
pub use simd::Isa;

/// The inner product, unguarded against overflow.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    pair(isa, a, b, Product)
}

/// The inner product with an `f16` row, widened exactly.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn dot_f16(isa: Isa, a: &[f32], b: &[f16]) -> f32 {
    pair(isa, a, b, Product)
}

/// The squared Euclidean distance, unguarded against overflow.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn squared_euclidean(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    pair(isa, a, b, SquaredDifference)
}

/// The squared Euclidean distance to an `f16` row, widened exactly.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn squared_euclidean_f16(isa: Isa, a: &[f32], b: &[f16]) -> f32 {
    pair(isa, a, b, SquaredDifference)
}

fn pair<E: Element, T: Term>(isa: Isa, a: &[f32], b: &[E], term: T) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of one dimension");
    let mut out = [[0.0; BLOCK]];
    let block = Block { rows: b, width: b.len(), pick: Pick::List(&[0]) };
    isa.run(Sums { queries: &[a], block, out: &mut out, term });
    out[0][0]
}
