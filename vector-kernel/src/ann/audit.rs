//! How much of the best is found, measured on queries that are answered exactly, too.
//!
//! Invariant: the same queries give the same figures, however many threads answer them.

use rayon::prelude::*;

use super::random::Random;
use super::view::{AnnView, EXACT};
use crate::flat::check_finite;
use crate::{Hit, Query, QueryError, Selection, threads};

/// What an audit of an index found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Audit {
    /// Queries that were asked, for each of which there was something to find.
    pub queries: usize,
    /// The share of the best that was found: the mean over the queries, 1 where there are none.
    pub recall: f32,
    /// The standard error of `recall`.
    pub error: f32,
    /// The share that was found of the query that fared worst.
    pub worst: f32,
}

impl Audit {
    /// The figures of the shares that were found of each query, from 0 to 1.
    ///
    /// ```
    /// use vector_kernel::ann::Audit;
    ///
    /// let audit = Audit::of(&[1.0, 0.5]);
    /// assert_eq!((audit.queries, audit.recall, audit.error, audit.worst), (2, 0.75, 0.25, 0.5));
    /// ```
    #[must_use]
    pub fn of(shares: &[f64]) -> Self {
        let count = shares.len() as f64;
        let mean = shares.iter().sum::<f64>() / count;
        let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
        let error = if shares.len() > 1 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        Self {
            queries: shares.len(),
            recall: if shares.is_empty() { 1.0 } else { mean as f32 },
            error: error as f32,
            worst: shares.iter().fold(1.0, |worst: f64, share| worst.min(*share)) as f32,
        }
    }
}

impl AnnView<'_> {
    /// Asks queries, given back to back, as [`AnnView::search`] answers them and exactly, and says how much of the best
    /// was found. A hit counts where its score is no less than that of the last of the best.
    ///
    /// # Errors
    ///
    /// As [`AnnView::search_batch`].
    ///
    /// # Complexity
    ///
    /// An exact search for each query: a look at the code of each selected row.
    pub fn audit(
        &self,
        queries: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Audit, QueryError> {
        let dim = self.rows.dim();
        if !queries.len().is_multiple_of(dim) {
            return Err(QueryError::PartialQuery { query: dim, found: queries.len() });
        }
        check_finite(Query::F32(queries))?;
        let queries: Vec<&[f32]> = queries.chunks_exact(dim).collect();
        let share = |query: &&[f32]| {
            let best = self.search(query, k, EXACT, selection)?;
            Ok(share_found(&best, &self.search(query, k, recall, selection)?))
        };
        audit_each(&queries, share)
    }

    /// As [`AnnView::audit`], of some of the rows as queries, chosen by a seed; none finds itself.
    ///
    /// Real queries differ from the rows, and most often find somewhat less.
    ///
    /// # Errors
    ///
    /// [`QueryError::Ordinal`] where the index's bytes name a row that is not there.
    ///
    /// # Complexity
    ///
    /// As [`AnnView::audit`].
    pub fn audit_sample(
        &self,
        count: usize,
        seed: u64,
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Audit, QueryError> {
        let rows = Random(seed).sample(count, self.len());
        audit_each(&rows, |row| self.share_of_row(*row, k, recall, selection))
    }

    /// As [`AnnView::audit_sample`], on the calling thread alone, for as long as `go_on` says so, which is asked
    /// before each query; `None` where it ended that.
    ///
    /// # Errors
    ///
    /// As [`AnnView::audit_sample`].
    ///
    /// # Complexity
    ///
    /// As [`AnnView::audit`].
    pub fn audit_sample_while(
        &self,
        count: usize,
        seed: u64,
        k: usize,
        recall: f32,
        selection: Selection<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Audit>, QueryError> {
        let mut shares = Vec::new();
        for row in Random(seed).sample(count, self.len()) {
            if !go_on() {
                return Ok(None);
            }
            shares.extend(self.share_of_row(row, k, recall, selection)?);
        }
        Ok(Some(Audit::of(&shares)))
    }

    /// The share that a search for what is nearest to a row finds, the row itself apart.
    fn share_of_row(
        &self,
        row: u32,
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Option<f64>, QueryError> {
        let mut query = vec![0.0; self.rows.dim()];
        self.rows.unit_row(row, &mut query);
        let others = |recall| {
            let mut hits = self.search(&query, k.saturating_add(1), recall, selection)?;
            hits.retain(|hit| hit.ordinal != row);
            hits.truncate(k);
            Ok(hits)
        };
        Ok(share_found(&others(EXACT)?, &others(recall)?))
    }
}

/// The figures of the shares that are found of each query, where there is something to find.
fn audit_each<Q: Sync>(
    queries: &[Q],
    share: impl Fn(&Q) -> Result<Option<f64>, QueryError> + Send + Sync,
) -> Result<Audit, QueryError> {
    let shares: Result<Vec<Option<f64>>, QueryError> = if threads::are_here() {
        queries.par_iter().map(share).collect()
    } else {
        queries.iter().map(share).collect()
    };
    Ok(Audit::of(&shares?.into_iter().flatten().collect::<Vec<f64>>()))
}

/// The share of the best hits that is among those found, both best first; `None` where there is nothing to find.
///
/// A hit counts where its score is no less than that of the last of the best.
///
/// ```
/// use vector_kernel::Hit;
/// use vector_kernel::ann::share_found;
///
/// let [a, b, c] = [(0, 0.9), (1, 0.5), (2, 0.4)].map(|(ordinal, score)| Hit { ordinal, score });
/// assert_eq!(share_found(&[a, b], &[a, c]), Some(0.5));
/// assert_eq!(share_found(&[], &[]), None);
/// ```
#[must_use]
pub fn share_found(best: &[Hit], found: &[Hit]) -> Option<f64> {
    let last = best.last()?.score;
    let count = found.iter().filter(|hit| hit.score >= last).count();
    Some(count.min(best.len()) as f64 / best.len() as f64)
}
