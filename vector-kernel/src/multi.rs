//! Searches by several queries at once: rows near any of them, or near all.
//!
//! Invariant: the score of a row is one of its weighted scores with the queries alone, bit for bit.

use crate::{
    FlatIndex, Hit, Query, QueryError, Selection, TopK,
    flat::Task,
    kernels::float::Pick,
    scan::{Collect, offer},
    scorer::{BLOCK, Scorer},
};

/// How the scores of a row with several queries become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// The greatest: a row is as good as its best query says.
    Any,
    /// The least: a row is as good as its worst query says.
    All,
}

impl FlatIndex<'_> {
    /// Returns the `k` selected rows most similar to any of `queries`, given back to back: a row's
    /// score is the greatest of its scores with them. Best first; equal scores sort by ordinal.
    ///
    /// ```
    /// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
    ///
    /// let rows = [1.0, 0.0, 0.8, 0.6, 0.0, 1.0];
    /// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
    /// let queries = [1.0, 0.0, 0.0, 1.0];
    /// let any = index.search_any(&queries, 2, Selection::All)?;
    /// assert_eq!(any.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [0, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search_batch`], and [`QueryError::NoQueries`] when there is none.
    ///
    /// # Complexity
    ///
    /// One pass over the selected rows, each read once for all queries.
    pub fn search_any<'q>(
        &self,
        queries: impl Into<Query<'q>>,
        k: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        self.search_combined(queries, Combine::Any, None, k, selection)
    }

    /// Returns the `k` selected rows most similar to all of `queries`, given back to back: a row's
    /// score is the least of its scores with them. Best first; equal scores sort by ordinal.
    ///
    /// ```
    /// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
    ///
    /// let rows = [1.0, 0.0, 0.8, 0.6, 0.0, 1.0];
    /// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
    /// let all = index.search_all(&[1.0, 0.0, 0.0, 1.0], 1, Selection::All)?;
    /// assert_eq!((all[0].ordinal, all[0].score), (1, 0.6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search_any`].
    ///
    /// # Complexity
    ///
    /// As [`FlatIndex::search_any`].
    pub fn search_all<'q>(
        &self,
        queries: impl Into<Query<'q>>,
        k: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        self.search_combined(queries, Combine::All, None, k, selection)
    }

    /// As [`FlatIndex::search_any`] or [`FlatIndex::search_all`], with each score multiplied by its
    /// query's weight before they are compared.
    ///
    /// Where scores are positive, a larger weight lets a query count for more in [`Combine::Any`], and
    /// makes it easier to please in [`Combine::All`]. Euclidean scores are negated distances, which a
    /// larger weight makes worse. A product beyond `f32` saturates at ±`f32::MAX`.
    ///
    /// ```
    /// use vector_kernel::{Combine, FlatIndex, Metric, Rows, Selection};
    ///
    /// let rows = [1.0, 0.0, 0.0, 1.0];
    /// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
    /// let queries = [1.0, 0.0, 0.0, 1.0];
    /// let weights = [0.5, 1.0];
    /// let best = index.search_combined(&queries, Combine::Any, Some(&weights), 1, Selection::All)?;
    /// assert_eq!((best[0].ordinal, best[0].score), (1, 1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search_any`]; [`QueryError::Weights`] when there isn't one weight a query, and
    /// [`QueryError::Weight`] when one is negative or not finite.
    pub fn search_combined<'q>(
        &self,
        queries: impl Into<Query<'q>>,
        combine: Combine,
        weights: Option<&[f32]>,
        k: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        let queries = queries.into();
        let count = self.check_all(queries)?;
        if count == 0 {
            return Err(QueryError::NoQueries);
        }
        check_weights(weights, count)?;
        let task = Several { index: self, combine, weights, k, selection };
        Ok(self.with_scorer(queries, task)?.into_hits())
    }
}

fn check_weights(weights: Option<&[f32]>, queries: usize) -> Result<(), QueryError> {
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != queries {
        return Err(QueryError::Weights { expected: queries, found: weights.len() });
    }
    match weights.iter().enumerate().find(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
        Some((index, &value)) => Err(QueryError::Weight { index, value }),
        None => Ok(()),
    }
}

struct Several<'a> {
    index: &'a FlatIndex<'a>,
    combine: Combine,
    weights: Option<&'a [f32]>,
    k: usize,
    selection: Selection<'a>,
}

impl Task for Several<'_> {
    type Output = Result<TopK, QueryError>;

    fn run<S: Scorer>(self, scorer: &S) -> Self::Output {
        let Self { index, combine, weights, k, selection } = self;
        if k == 0 {
            return Ok(TopK::new(0));
        }
        let new = || Combined { combine, weights, top: TopK::new(k) };
        Ok(index.scan(scorer, selection, new)?.top)
    }
}

/// The best by their combined scores.
struct Combined<'a> {
    combine: Combine,
    weights: Option<&'a [f32]>,
    top: TopK,
}

impl Collect for Combined<'_> {
    fn block(&mut self, pick: Pick<'_>, scores: &[[f32; BLOCK]]) {
        let weight = |query: usize, score: f32| match self.weights {
            Some(weights) => (weights[query] * score).clamp(f32::MIN, f32::MAX),
            None => score,
        };
        let mut combined = scores[0].map(|score| weight(0, score));
        for (query, scores) in scores.iter().enumerate().skip(1) {
            for (combined, &score) in combined.iter_mut().zip(scores) {
                let score = weight(query, score);
                *combined = match self.combine {
                    Combine::Any => combined.max(score),
                    Combine::All => combined.min(score),
                };
            }
        }
        offer(&mut self.top, f32::NEG_INFINITY, pick, &combined);
    }

    fn merge(&mut self, other: Self) {
        self.top.merge(other.top);
    }
}
