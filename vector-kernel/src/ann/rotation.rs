//! The rotation: what most of the variance is in comes first, and within the two parts no direction stands out.
//!
//! The rows that come first span the leading principal components of a sample. They, and the rest, are turned at
//! random among themselves, since codes of the same few bits for each component fit best where all have the same
//! spread. Invariant: the rows are orthonormal, but for those of zeros that fill up the last part.

use super::matrix::{add_gram, orthonormalise, times_transposed};
use super::random::Random;
use crate::kernels::codes::{CHUNK_COMPONENTS, GROUP_COMPONENTS};

/// Components that come first, of vectors that have more; and those that lead them.
const NEAR: usize = 128;
const LEAD: usize = 64;
/// How often the sample's covariance is applied to find its leading directions.
const ROUNDS: usize = 12;

/// How many components a rotated vector has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Of the vectors themselves.
    pub(super) dim: usize,
    /// In the part that comes first, a whole number of groups.
    pub(super) near: usize,
    /// How many of those lead: they hold most of the variance, and alone tell of most blocks that nothing in them is
    /// of use.
    pub(super) lead: usize,
    /// In the rest, a whole number of chunks.
    pub(super) far: usize,
}

impl Shape {
    pub(super) fn of(dim: usize) -> Self {
        let near = NEAR.min(dim.next_multiple_of(GROUP_COMPONENTS));
        let far = dim.saturating_sub(near).next_multiple_of(CHUNK_COMPONENTS);
        Self { dim, near, lead: LEAD.min(near), far }
    }

    pub(super) fn rotated(self) -> usize {
        self.near + self.far
    }
}

/// The rotation's rows, those of the first part first.
pub(super) fn train(shape: Shape, sample: &[f32], random: &mut Random) -> Vec<f32> {
    let Shape { dim, near, .. } = shape;
    let near = near.min(dim);
    let mut rows: Vec<f32> = (0..dim * dim).map(|_| random.gaussian()).collect();
    let (first, _) = rows.split_at_mut(near * dim);
    orthonormalise(first, dim, || random.gaussian());
    if near < dim {
        let mut covariance = vec![0.0; dim * dim];
        // A few rows at a time, since matrixmultiply copies what it multiplies.
        for rows in sample.chunks(1024 * dim) {
            add_gram(rows, dim, &mut covariance);
        }
        let mut turned = vec![0.0; near * dim];
        for _ in 0..ROUNDS {
            times_transposed(first, &covariance, dim, &mut turned);
            first.copy_from_slice(&turned);
            orthonormalise(first, dim, || random.gaussian());
        }
        let turn = lead_first(first, &covariance, shape, random);
        let columns = transposed(first, dim);
        times_transposed(&turn, &columns, near, &mut turned);
        first.copy_from_slice(&turned);
    }
    orthonormalise(&mut rows, dim, || random.gaussian());
    // Zeros fill up the first part, where the vectors are shorter, or the last.
    rows.resize(shape.rotated().max(dim) * dim, 0.0);
    rows
}

/// A rotation of the first part's rows: those that lead span its own leading principal components.
fn lead_first(first: &[f32], covariance: &[f32], shape: Shape, random: &mut Random) -> Vec<f32> {
    let Shape { dim, near, lead, .. } = shape;
    let mut products = vec![0.0; near * dim];
    times_transposed(first, covariance, dim, &mut products);
    // The covariance of the first part's components.
    let mut inner = vec![0.0; near * near];
    times_transposed(&products, first, dim, &mut inner);
    let mut turn: Vec<f32> = (0..near * near).map(|_| random.gaussian()).collect();
    let (leading, _) = turn.split_at_mut(lead * near);
    orthonormalise(leading, near, || random.gaussian());
    let mut turned = vec![0.0; lead * near];
    for _ in 0..ROUNDS {
        times_transposed(leading, &inner, near, &mut turned);
        leading.copy_from_slice(&turned);
        orthonormalise(leading, near, || random.gaussian());
    }
    let mut mixed: Vec<f32> = (0..lead * lead).map(|_| random.gaussian()).collect();
    orthonormalise(&mut mixed, lead, || random.gaussian());
    times_transposed(&mixed, &transposed(leading, near), lead, &mut turned);
    leading.copy_from_slice(&turned);
    // The rest is drawn at random in what is left.
    orthonormalise(&mut turn, near, || random.gaussian());
    turn
}

/// Columns as rows.
fn transposed(rows: &[f32], dim: usize) -> Vec<f32> {
    let count = rows.len() / dim;
    (0..dim).flat_map(|column| (0..count).map(move |row| rows[row * dim + column])).collect()
}
