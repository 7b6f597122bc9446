//! Pairs that reach a threshold among the neighbours that another search finds.
//!
//! Invariant: every pair returned is one that the exact comparison returns, with the same score.

use rayon::prelude::*;

use super::Pair;
use crate::{FlatIndex, Hit, QueryError, Selection, threads};

/// Returns those pairs of selected rows that reach `threshold` and of which one row is among the
/// `neighbours` of the other, best first: what [`near_duplicates`](super::near_duplicates) returns, less
/// what the search misses. So an approximate index can serve where n²/2 scores are too many.
///
/// `neighbours` is called once with each selected ordinal, and returns hits that are likely to be near
/// that row, a search for it, say; their scores are computed anew, so they may be estimates, and hits
/// that are not selected are left out. It is called from several threads at once.
///
/// ```
/// use vector_kernel::ann::{AnnBuilder, AnnView};
/// use vector_kernel::duplicates::near_duplicates_among;
/// use vector_kernel::{FlatIndex, Metric, QueryError, Rows, Selection};
///
/// let mut rows: Vec<f32> = (0..2000 * 8_u32).map(|i| (i * i % 10_007) as f32 - 5000.0).collect();
/// rows.copy_within(80..88, 800);
/// let index = FlatIndex::new(Rows::F32(&rows), 8, Metric::Cosine)?;
/// let bytes = AnnBuilder::new(index)?.build()?;
/// let view = AnnView::new(&bytes, index)?;
/// let pairs = near_duplicates_among(&index, 0.9999, Selection::All, |ordinal| {
///     let row = &rows[ordinal as usize * 8..][..8];
///     view.search(row, 10, 0.95, Selection::All)
/// })?;
/// assert!(pairs.iter().any(|pair| (pair.first, pair.second) == (10, 100)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// What `neighbours` returns for the lowest ordinal for which it fails;
/// [`QueryError::Threshold`] when the threshold is NaN, [`QueryError::Ordinal`] when a hit isn't in the
/// index, and [`QueryError::RowNotFinite`] when a row that is compared isn't finite.
///
/// # Complexity
///
/// A search for each selected row, and a score for each hit; memory for 28 bytes a selected row, and
/// about 24 for each hit that reaches the threshold.
pub fn near_duplicates_among<E, N>(
    index: &FlatIndex<'_>,
    threshold: f32,
    selection: Selection<'_>,
    neighbours: N,
) -> Result<Vec<Pair>, E>
where
    E: From<QueryError> + Send,
    N: Fn(u32) -> Result<Vec<Hit>, E> + Sync,
{
    if threshold.is_nan() {
        return Err(QueryError::Threshold.into());
    }
    let near = |ordinal: u32| -> Result<Vec<Pair>, E> {
        let mut pairs = Vec::new();
        for hit in neighbours(ordinal)? {
            if hit.ordinal == ordinal || !selection.contains(hit.ordinal) {
                continue;
            }
            let score = index.score_rows(ordinal, hit.ordinal)?;
            if score >= threshold {
                let (first, second) = (ordinal.min(hit.ordinal), ordinal.max(hit.ordinal));
                pairs.push(Pair { first, second, score });
            }
        }
        Ok(pairs)
    };
    let ordinals = index.selected(selection);
    let found: Vec<Result<Vec<Pair>, E>> = if threads::are_here() {
        ordinals.par_iter().map(|&ordinal| near(ordinal)).collect()
    } else {
        ordinals.iter().map(|&ordinal| near(ordinal)).collect()
    };
    let mut pairs = Vec::new();
    for found in found {
        pairs.extend(found?);
    }
    pairs.sort_unstable_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (a.first, a.second).cmp(&(b.first, b.second)))
    });
    // A pair that both rows' neighbours name is there twice, and with the same score.
    pairs.dedup_by_key(|pair| (pair.first, pair.second));
    Ok(pairs)
}
