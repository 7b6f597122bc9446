//! Maximal marginal relevance: hits that are near the query and not near one another.
//!
//! After Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents
//! and Producing Summaries" (1998). Invariant: what is picked is a function of rows and candidates
//! alone, and each candidate is picked once at most.

use crate::{FlatIndex, Hit, QueryError};

/// Picks `k` of `candidates` one after another, each time the one for which
/// `lambda * score - (1 - lambda) * similarity` is greatest, its similarity being the score of its row
/// with the row picked already that is most similar to it. Fewer, if there are fewer candidates.
///
/// Candidates are hits of a search of `index`: their scores are taken as they are, and returned with
/// them. A `lambda` of 1 gives the best first, the candidates' own order for hits of a search; 0 looks
/// at nothing but the distance from what is picked, once the best candidate is. What is equal is picked
/// by score, then in the candidates' order.
///
/// ```
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection, diversify};
///
/// let rows = [1.0, 0.0, 0.99, 0.1, 0.6, 0.8];
/// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
/// let hits = index.search(&[1.0, 0.1], 3, Selection::All)?;
/// let picked = diversify(&index, &hits, 2, 0.3)?;
/// assert_eq!(picked.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`QueryError::Lambda`] when `lambda` isn't in 0..=1, [`QueryError::Candidate`] when a score isn't
/// finite, [`QueryError::Ordinal`] when a candidate isn't in the index, and
/// [`QueryError::RowNotFinite`] when its row isn't finite.
///
/// # Complexity
///
/// `k * candidates.len()` scores of two rows.
pub fn diversify(
    index: &FlatIndex<'_>,
    candidates: &[Hit],
    k: usize,
    lambda: f32,
) -> Result<Vec<Hit>, QueryError> {
    if !(0.0..=1.0).contains(&lambda) {
        return Err(QueryError::Lambda { value: lambda });
    }
    for (at, hit) in candidates.iter().enumerate() {
        if !hit.score.is_finite() {
            return Err(QueryError::Candidate { index: at, value: hit.score });
        }
        if hit.ordinal as usize >= index.len() {
            return Err(QueryError::Ordinal { ordinal: hit.ordinal, len: index.len() });
        }
    }
    let lambda = f64::from(lambda);
    let mut left: Vec<Left> =
        candidates.iter().map(|&hit| Left { hit, similarity: f32::NEG_INFINITY }).collect();
    let mut picked = Vec::with_capacity(k.min(left.len()));
    while picked.len() < k {
        let gain = |left: &Left| {
            // Before anything is picked there is nothing to differ from.
            let similarity = f64::from(left.similarity.max(f32::MIN)) * (1.0 - lambda);
            let apart = if picked.is_empty() { 0.0 } else { similarity };
            (lambda * f64::from(left.hit.score) - apart, left.hit.score)
        };
        // Not `max_by`, which gives the last of equals.
        let best = (0..left.len())
            .reduce(|best, at| if gain(&left[at]) > gain(&left[best]) { at } else { best });
        let Some(best) = best else { break };
        // Keeps the order of those left, by which what is equal is picked.
        let hit = left.remove(best).hit;
        picked.push(hit);
        if picked.len() == k {
            break;
        }
        let ordinals: Vec<u32> = left.iter().map(|left| left.hit.ordinal).collect();
        let query = index.gather(&[hit.ordinal])?;
        let mut rest = left.iter_mut();
        index.score_list(query.as_query(), &ordinals, |_, score| {
            if let Some(left) = rest.next() {
                left.similarity = left.similarity.max(score);
            }
        })?;
    }
    Ok(picked)
}

/// A candidate that isn't picked yet.
struct Left {
    hit: Hit,
    /// The greatest score with a row that is.
    similarity: f32,
}
