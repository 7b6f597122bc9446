//! Range search: every row that scores a threshold or better.
//!
//! Invariant: the answer is what a search for all rows gives, cut off below the threshold.

use crate::{
    FlatIndex, Hit, Query, QueryError, Selection, TopK,
    flat::Task,
    kernels::float::Pick,
    scan::{Collect, offer},
    scorer::{BLOCK, Scorer},
};

impl FlatIndex<'_> {
    /// Returns all selected rows whose score is at least `threshold`, best first; equal scores sort
    /// by ordinal.
    ///
    /// Scores are those of [`Metric`](crate::Metric), where larger is better: for the Euclidean one
    /// the distance negated, so that all rows within 0.5 of the query are those of a threshold of
    /// -0.5. A threshold of minus infinity finds every selected row.
    ///
    /// ```
    /// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
    ///
    /// let rows = [0.0, 0.0, 3.0, 4.0, 0.0, 0.5];
    /// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Euclidean)?;
    /// let near = index.search_range(&[0.0, 0.0], -1.0, Selection::All)?;
    /// assert_eq!(near.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [0, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search`], and [`QueryError::Threshold`] when the threshold is NaN.
    ///
    /// # Complexity
    ///
    /// One pass over the selected rows. Memory grows with the answer, which may be all of them: a
    /// hit takes 8 bytes, and up to four times as many while parts of the answer are merged.
    /// [`FlatIndex::search_range_at_most`] sets a limit.
    pub fn search_range<'q>(
        &self,
        query: impl Into<Query<'q>>,
        threshold: f32,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        self.search_range_at_most(query, threshold, usize::MAX, selection)
    }

    /// As [`FlatIndex::search_range`], but returns the best `limit` where there are more.
    ///
    /// ```
    /// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
    ///
    /// let rows = [0.1, 0.9, 0.5];
    /// let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot)?;
    /// let best = index.search_range_at_most(&[1.0], 0.4, 1, Selection::All)?;
    /// assert_eq!(best.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search_range`].
    ///
    /// # Complexity
    ///
    /// One pass over the selected rows; memory for `limit` hits in each part of the rows that a thread
    /// works on.
    pub fn search_range_at_most<'q>(
        &self,
        query: impl Into<Query<'q>>,
        threshold: f32,
        limit: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        let query = query.into();
        self.check_one(query)?;
        if threshold.is_nan() {
            return Err(QueryError::Threshold);
        }
        let range = Range { index: self, threshold, limit, selection };
        Ok(self.with_scorer(query, range)?.into_hits())
    }
}

struct Range<'a> {
    index: &'a FlatIndex<'a>,
    threshold: f32,
    limit: usize,
    selection: Selection<'a>,
}

impl Task for Range<'_> {
    type Output = Result<TopK, QueryError>;

    fn run<S: Scorer>(self, scorer: &S) -> Self::Output {
        let Self { index, threshold, limit, selection } = self;
        if limit == 0 {
            return Ok(TopK::new(0));
        }
        let new = || Above { threshold, top: TopK::new(limit) };
        Ok(index.scan(scorer, selection, new)?.top)
    }
}

/// The best of those that reach the threshold.
struct Above {
    threshold: f32,
    top: TopK,
}

impl Collect for Above {
    fn block(&mut self, pick: Pick<'_>, scores: &[[f32; BLOCK]]) {
        offer(&mut self.top, self.threshold, pick, &scores[0]);
    }

    fn merge(&mut self, mut other: Self) {
        // Of two heaps the smaller is poured into the larger.
        if other.top.len() > self.top.len() {
            std::mem::swap(self, &mut other);
        }
        self.top.merge(other.top);
    }
}
