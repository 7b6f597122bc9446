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
    fn of(shares: &[f64]) -> Self {
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
            let best = self.search(query, k, 1.0, selection)?;
            Ok(share_of(&best, &self.search(query, k, recall, selection)?))
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
        let share = |row: &u32| {
            let mut query = vec![0.0; self.rows.dim()];
            self.rows.unit_row(*row, &mut query);
            let others = |recall| {
                let mut hits = self.search(&query, k.saturating_add(1), recall, selection)?;
                hits.retain(|hit| hit.ordinal != *row);
                hits.truncate(k);
                Ok(hits)
            };
            Ok(share_of(&others(EXACT)?, &others(recall)?))
        };
        audit_each(&rows, share)
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

/// The share of the best that is among the hits; `None` where there is nothing to find.
fn share_of(best: &[Hit], hits: &[Hit]) -> Option<f64> {
    let last = best.last()?.score;
    let found = hits.iter().filter(|hit| hit.score >= last).count();
    Some(found.min(best.len()) as f64 / best.len() as f64)
}
