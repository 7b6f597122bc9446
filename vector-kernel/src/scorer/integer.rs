//! Scores of `i8` and binary rows: exact integers, turned to floats once at the end.
//!
//! Invariant: no rounding happens before the last step, so there is no order to fix.

use crate::{
    Metric,
    kernels::{
        self,
        float::{BLOCK, Block, Pick},
    },
    norm::inverse_root,
    scorer::Scorer,
};

/// Scores `i8` rows against `i8` queries.
pub(crate) struct ByteScorer<'a> {
    metric: Metric,
    rows: &'a [i8],
    dim: usize,
    inverse_norms: Option<&'a [f32]>,
    /// Each with its inverse norm.
    queries: Vec<(&'a [i8], f32)>,
}

impl<'a> ByteScorer<'a> {
    /// `queries` holds whole queries, back to back.
    pub(crate) fn new(
        metric: Metric,
        rows: &'a [i8],
        dim: usize,
        inverse_norms: Option<&'a [f32]>,
        queries: &'a [i8],
    ) -> Self {
        let queries = queries.chunks_exact(dim).map(|q| (q, inverse_norm(q))).collect();
        Self { metric, rows, dim, inverse_norms, queries }
    }
}

/// 1 / |`vector`|, 0 for the zero vector.
fn inverse_norm(vector: &[i8]) -> f32 {
    inverse_root(kernels::dot_i8(vector, vector) as f64)
}

impl Scorer for ByteScorer<'_> {
    fn queries(&self) -> usize {
        self.queries.len()
    }

    fn score(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        let block = Block { rows: self.rows, width: self.dim, pick };
        for i in 0..pick.len() {
            let row = block.row(i);
            let row_inverse = match (self.metric, self.inverse_norms) {
                (Metric::Cosine, Some(stored)) => stored[pick.ordinal(i) as usize],
                (Metric::Cosine, None) => inverse_norm(row),
                _ => 0.0,
            };
            for ((query, query_inverse), out) in self.queries.iter().zip(out.iter_mut()) {
                out[i] = match self.metric {
                    Metric::Cosine => {
                        let dot = kernels::dot_i8(query, row) as f32;
                        (dot * query_inverse * row_inverse).clamp(-1.0, 1.0) + 0.0
                    }
                    Metric::Dot => kernels::dot_i8(query, row) as f32,
                    Metric::Euclidean => {
                        let square = kernels::squared_euclidean_i8(query, row);
                        -((square as f64).sqrt() as f32) + 0.0
                    }
                };
            }
        }
        Ok(())
    }
}

/// Scores binary rows against binary queries.
pub(crate) struct BinaryScorer<'a> {
    metric: Metric,
    rows: &'a [u8],
    dim: usize,
    queries: Vec<&'a [u8]>,
}

impl<'a> BinaryScorer<'a> {
    /// `queries` holds whole queries, back to back.
    pub(crate) fn new(metric: Metric, rows: &'a [u8], dim: usize, queries: &'a [u8]) -> Self {
        Self { metric, rows, dim, queries: queries.chunks_exact(dim.div_ceil(8)).collect() }
    }
}

impl Scorer for BinaryScorer<'_> {
    fn queries(&self) -> usize {
        self.queries.len()
    }

    fn score(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        let block = Block { rows: self.rows, width: self.dim.div_ceil(8), pick };
        for i in 0..pick.len() {
            for (query, out) in self.queries.iter().zip(out.iter_mut()) {
                let differing = f64::from(kernels::hamming(query, block.row(i), self.dim));
                let dim = self.dim as f64;
                let score = match self.metric {
                    Metric::Cosine => 1.0 - 2.0 * differing / dim,
                    Metric::Dot => dim - 2.0 * differing,
                    Metric::Euclidean => -2.0 * differing.sqrt(),
                };
                out[i] = score as f32 + 0.0;
            }
        }
        Ok(())
    }
}
