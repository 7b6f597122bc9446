//! All pairs of rows that reach a threshold.
//!
//! Invariant: best first, equal scores by the first ordinal and then the second.

use super::tiles::{Sink, compare_all};
use crate::{FlatIndex, QueryError, Selection, TopK};

/// Two rows, and their score with each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The lower ordinal.
    pub first: u32,
    /// The higher ordinal.
    pub second: u32,
    /// Their similarity; larger is better, see [`Metric`](crate::Metric).
    pub score: f32,
}

/// Returns all pairs of selected rows whose score is at least `threshold`, best first.
///
/// For the Euclidean metric scores are negated distances: a threshold of -0.5 finds pairs at most 0.5
/// apart. The cosine of two equal rows may be a rounding below 1, and that of two zero vectors is 0.
///
/// ```
/// use vector_kernel::duplicates::near_duplicates;
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
///
/// let rows = [0.0, 0.0, 3.0, 4.0, 0.0, 0.5];
/// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Euclidean)?;
/// let pairs = near_duplicates(&index, -1.0, Selection::All)?;
/// assert_eq!((pairs.len(), pairs[0].first, pairs[0].second), (1, 0, 2));
/// assert_eq!(pairs[0].score, -0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`QueryError::Threshold`] when the threshold is NaN, and [`QueryError::RowNotFinite`] when a
/// selected row isn't finite.
///
/// # Complexity
///
/// n²/2 scores for n selected rows, tile by tile on the current rayon pool; each row is read n/256
/// times from memory. Memory grows with the answer, which may be n²/2 pairs: a pair takes 12 bytes, and
/// up to four times as many while parts are merged. [`near_duplicates_at_most`] sets a limit, and
/// [`near_duplicate_groups`](super::near_duplicate_groups) keeps no pairs.
pub fn near_duplicates(
    index: &FlatIndex<'_>,
    threshold: f32,
    selection: Selection<'_>,
) -> Result<Vec<Pair>, QueryError> {
    near_duplicates_at_most(index, threshold, usize::MAX, selection)
}

/// As [`near_duplicates`], but returns the best `limit` pairs where there are more.
///
/// ```
/// use vector_kernel::duplicates::near_duplicates_at_most;
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
///
/// let rows = [0.0, 0.0, 0.0, 1.0, 0.0, 0.5];
/// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Euclidean)?;
/// let best = near_duplicates_at_most(&index, -1.0, 1, Selection::All)?;
/// assert_eq!((best.len(), best[0].first, best[0].second), (1, 0, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`near_duplicates`].
///
/// # Complexity
///
/// As [`near_duplicates`], but for memory: `limit` pairs in each part of the work under way.
pub fn near_duplicates_at_most(
    index: &FlatIndex<'_>,
    threshold: f32,
    limit: usize,
    selection: Selection<'_>,
) -> Result<Vec<Pair>, QueryError> {
    let best = compare_all(index, threshold, selection, || TopK::<(u32, u32)>::new(limit))?;
    let pairs = best.into_sorted().into_iter();
    Ok(pairs.map(|((first, second), score)| Pair { first, second, score }).collect())
}

impl Sink for TopK<(u32, u32)> {
    fn floor(&self) -> f32 {
        self.threshold()
    }

    fn put(&mut self, first: u32, second: u32, score: f32) {
        self.push(score, (first, second));
    }

    fn join(mut self, mut other: Self) -> Self {
        // Of two heaps the smaller is poured into the larger.
        if other.len() > self.len() {
            std::mem::swap(&mut self, &mut other);
        }
        self.merge(other);
        self
    }
}
