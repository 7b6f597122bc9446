//! Scores of two vectors, of two rows, or of a query and rows of a list.
//!
//! Invariant: the score of two rows is the same bits whichever is named first.

use crate::{
    FlatIndex, Metric, Query, QueryError, Rows, Selection,
    flat::{Task, check_finite},
    kernels::float::Pick,
    rows::OwnedQuery,
    scorer::{BLOCK, Scorer},
};

/// Returns the score of two vectors under `metric`, where larger is better; the bits that a search
/// for `a` gives a row `b`.
///
/// Binary vectors are of 8 components a byte.
///
/// ```
/// use vector_kernel::{Metric, score};
///
/// assert_eq!(score(Metric::Cosine, &[1.0, 0.0], &[0.6, 0.8])?, 0.6);
/// assert_eq!(score(Metric::Euclidean, &[0_i8, 0], &[3_i8, 4])?, -5.0);
/// # Ok::<(), vector_kernel::QueryError>(())
/// ```
///
/// # Errors
///
/// When the vectors differ in encoding or dimension, or one isn't finite; and
/// [`QueryError::NoDimension`] when they are empty or longer than [`MAX_DIM`](crate::MAX_DIM).
pub fn score<'a, 'b>(
    metric: Metric,
    a: impl Into<Query<'a>>,
    b: impl Into<Query<'b>>,
) -> Result<f32, QueryError> {
    let b = b.into();
    let (rows, dim) = match b {
        Query::F32(values) => (Rows::F32(values), values.len()),
        Query::I8(values) => (Rows::I8(values), values.len()),
        Query::Binary(bytes) => (Rows::Binary(bytes), bytes.len() * 8),
    };
    check_finite(b)?;
    let index = FlatIndex::new(rows, dim, metric).map_err(|_| QueryError::NoDimension { dim })?;
    index.score(a, 0)
}

impl FlatIndex<'_> {
    /// Returns the score of two rows with each other, larger being better: that of the row with the
    /// higher ordinal in a search for the other.
    ///
    /// ```
    /// use vector_kernel::{FlatIndex, Metric, Rows};
    ///
    /// let rows = [0.0, 0.0, 3.0, 4.0];
    /// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Euclidean)?;
    /// assert_eq!(index.score_rows(0, 1)?, -5.0);
    /// assert_eq!(index.score_rows(1, 0)?, -5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`QueryError::Ordinal`] when there is no such row, and [`QueryError::RowNotFinite`] when one
    /// isn't finite.
    pub fn score_rows(&self, a: u32, b: u32) -> Result<f32, QueryError> {
        let (low, high) = (a.min(b), a.max(b));
        if high as usize >= self.len() {
            return Err(QueryError::Ordinal { ordinal: high, len: self.len() });
        }
        self.score(self.gather(&[low])?.as_query(), high)
    }

    /// Calls `visit` with each of these ordinals, in their order, and the score that a search gives it.
    pub(crate) fn score_list(
        &self,
        query: Query<'_>,
        ordinals: &[u32],
        visit: impl FnMut(u32, f32),
    ) -> Result<(), QueryError> {
        if let Some(&ordinal) = ordinals.iter().find(|&&ordinal| ordinal >= self.len() as u32) {
            return Err(QueryError::Ordinal { ordinal, len: self.len() });
        }
        self.with_scorer(query, Each { ordinals, visit })
    }

    /// Some rows as queries for this index.
    ///
    /// # Errors
    ///
    /// [`QueryError::RowNotFinite`] with the first of them that isn't finite.
    pub(crate) fn gather(&self, ordinals: &[u32]) -> Result<OwnedQuery, QueryError> {
        let queries = self.rows().gather(self.dim(), ordinals);
        match check_finite(queries.as_query()) {
            Err(QueryError::NotFinite { index, .. }) => {
                Err(QueryError::RowNotFinite { ordinal: ordinals[index / self.dim()] })
            }
            Err(error) => Err(error),
            Ok(()) => Ok(queries),
        }
    }

    /// The selected ordinals, ascending.
    pub(crate) fn selected(&self, selection: Selection<'_>) -> Vec<u32> {
        let len = self.len() as u32;
        let mut ordinals = Vec::with_capacity(selection.count(len) as usize);
        selection.for_each_run(0..len, |run| ordinals.extend(run));
        ordinals
    }
}

struct Each<'a, F> {
    ordinals: &'a [u32],
    visit: F,
}

impl<F: FnMut(u32, f32)> Task for Each<'_, F> {
    type Output = Result<(), QueryError>;

    fn run<S: Scorer>(mut self, scorer: &S) -> Self::Output {
        let mut scores = [[0.0; BLOCK]];
        for ordinals in self.ordinals.chunks(BLOCK) {
            scorer
                .score(Pick::List(ordinals), &mut scores)
                .map_err(|ordinal| QueryError::RowNotFinite { ordinal })?;
            for (&ordinal, score) in ordinals.iter().zip(scores[0]) {
                (self.visit)(ordinal, score);
            }
        }
        Ok(())
    }
}
