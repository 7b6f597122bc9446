//! The projection to the components that are looked at first, in which most of the variance is.
//!
//! They span the leading principal components of a sample, turned at random among themselves, since codes of the same
//! few bits for each component fit best where all have the same spread. Vectors that have few components are turned into
//! more: two bits of each of few say little, and what codes of many are off by mostly lies where no vector does.
//! Invariant: the rows are orthonormal, or, where they are more than the components, the columns.

use super::matrix::{add_gram, orthonormalise, times_transposed};
use super::mixing;
use super::random::Random;
use crate::kernels::codes::{BYTE_COMPONENTS, CHUNK_COMPONENTS};

/// Components that are looked at first, of vectors that have more.
const NEAR: usize = 128;
/// And of those that have fewer, at least.
const LEAST_NEAR: usize = 64;
/// How often the sample's covariance is applied to find its leading directions.
const ROUNDS: usize = 12;

/// How many components the codes of a vector have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Of the vectors themselves.
    pub(super) dim: usize,
    /// In the projection, which is looked at first: a whole number of groups.
    pub(super) near: usize,
    /// Of the second code: all of them, a whole number of chunks.
    pub(super) far: usize,
}

impl Shape {
    pub(super) fn of(dim: usize) -> Self {
        let near = dim.next_multiple_of(2 * BYTE_COMPONENTS).clamp(LEAST_NEAR, NEAR);
        Self { dim, near, far: dim.next_multiple_of(CHUNK_COMPONENTS) }
    }
}

const _: () = assert!(CHUNK_COMPONENTS == mixing::STEP);

/// The projection's rows.
pub(super) fn train(shape: Shape, sample: &[f32], random: &mut Random) -> Vec<f32> {
    let Shape { dim, near, .. } = shape;
    if near >= dim {
        let mut columns: Vec<f32> = (0..dim * near).map(|_| random.gaussian()).collect();
        orthonormalise(&mut columns, near, || random.gaussian());
        return transposed(&columns, near);
    }
    let mut first: Vec<f32> = (0..near * dim).map(|_| random.gaussian()).collect();
    orthonormalise(&mut first, dim, || random.gaussian());
    let mut covariance = vec![0.0; dim * dim];
    // A few rows at a time, since matrixmultiply copies what it multiplies.
    for rows in sample.chunks(1024 * dim) {
        add_gram(rows, dim, &mut covariance);
    }
    let mut turned = vec![0.0; near * dim];
    for _ in 0..ROUNDS {
        times_transposed(&first, &covariance, dim, &mut turned);
        first.copy_from_slice(&turned);
        orthonormalise(&mut first, dim, || random.gaussian());
    }
    let mut turn: Vec<f32> = (0..near * near).map(|_| random.gaussian()).collect();
    orthonormalise(&mut turn, near, || random.gaussian());
    times_transposed(&turn, &transposed(&first, dim), near, &mut turned);
    first.copy_from_slice(&turned);
    orthonormalise(&mut first, dim, || random.gaussian());
    first
}

/// Columns as rows.
fn transposed(rows: &[f32], dim: usize) -> Vec<f32> {
    let count = rows.len() / dim;
    (0..dim).flat_map(|column| (0..count).map(move |row| rows[row * dim + column])).collect()
}
