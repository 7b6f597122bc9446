//! From rows and queries to final scores, block by block.
//!
//! Invariant: the score of a row and a query doesn't depend on what else is in the block or the
//! group, and is never NaN.

mod float;
mod integer;

use crate::kernels::float::Pick;

pub(crate) use crate::kernels::float::BLOCK;
pub(crate) use float::FloatScorer;
pub(crate) use integer::{BinaryScorer, ByteScorer};

/// Queries that share one reading of the rows: with a block of rows they fit in the second cache.
pub(crate) const GROUP: usize = 32;

/// Scores rows against a group of queries.
pub(crate) trait Scorer: Sync {
    /// Queries in the group.
    fn queries(&self) -> usize;

    /// Writes the score of row `i` of `pick` and query `q` to `out[q][i]`.
    ///
    /// # Errors
    ///
    /// The lowest ordinal of `pick` whose row holds NaN or infinity.
    fn score(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32>;
}
