//! The projection to the components that are looked at first, in which most of the variance is.
//!
//! They span the leading principal components of a sample. Those that lead, and the rest, are turned at random among
//! themselves, since codes of the same few bits for each component fit best where all have the same spread.
//! Invariant: the rows are orthonormal, but for those of zeros that fill up the last group.

use super::matrix::{add_gram, orthonormalise, times_transposed};
use super::mixing;
use super::random::Random;
use crate::kernels::codes::{CHUNK_COMPONENTS, GROUP_COMPONENTS};

/// Components that are looked at first, of vectors that have more; and those that lead them.
const NEAR: usize = 128;
const LEAD: usize = 64;
/// How often the sample's covariance is applied to find its leading directions.
const ROUNDS: usize = 12;

/// How many components the codes of a vector have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Of the vectors themselves.
    pub(super) dim: usize,
    /// In the projection, which is looked at first: a whole number of groups.
    pub(super) near: usize,
    /// How many of those lead: they hold most of the variance, and alone tell of most blocks that nothing in them is
    /// of use.
    pub(super) lead: usize,
    /// In what the first code leaves of the vector: all of them, a whole number of chunks.
    pub(super) far: usize,
}

impl Shape {
    pub(super) fn of(dim: usize) -> Self {
        let near = NEAR.min(dim.next_multiple_of(GROUP_COMPONENTS));
        Self { dim, near, lead: LEAD.min(near), far: dim.next_multiple_of(CHUNK_COMPONENTS) }
    }
}

const _: () = assert!(CHUNK_COMPONENTS == mixing::STEP);

/// The projection's rows.
pub(super) fn train(shape: Shape, sample: &[f32], random: &mut Random) -> Vec<f32> {
    let Shape { dim, near, .. } = shape;
    let rows = near.min(dim);
    let mut first: Vec<f32> = (0..rows * dim).map(|_| random.gaussian()).collect();
    orthonormalise(&mut first, dim, || random.gaussian());
    if near < dim {
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
        let turn = lead_first(&first, &covariance, shape, random);
        times_transposed(&turn, &transposed(&first, dim), near, &mut turned);
        first.copy_from_slice(&turned);
        orthonormalise(&mut first, dim, || random.gaussian());
    }
    first.resize(near * dim, 0.0);
    first
}

/// A rotation of the rows: those that lead span its own leading principal components.
fn lead_first(first: &[f32], covariance: &[f32], shape: Shape, random: &mut Random) -> Vec<f32> {
    let Shape { dim, near, lead, .. } = shape;
    let mut products = vec![0.0; near * dim];
    times_transposed(first, covariance, dim, &mut products);
    // The covariance of the projection's components.
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
pub(super) fn transposed(rows: &[f32], dim: usize) -> Vec<f32> {
    let count = rows.len() / dim;
    (0..dim).flat_map(|column| (0..count).map(move |row| rows[row * dim + column])).collect()
}
