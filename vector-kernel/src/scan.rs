//! The exact scan: selected rows, block by block, into the best k of each query.
//!
//! Invariant: the answer depends neither on how the rows are cut into parts nor on how many threads
//! work on them.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    QueryError, Selection, TopK,
    kernels::float::Pick,
    scorer::{BLOCK, Scorer},
    threads,
};

/// Below this many bytes times queries one thread is done before a second has woken up.
const PARALLEL_BYTES: u64 = 2 << 20;

/// Bytes of rows that a thread takes at a time.
const PART_BYTES: usize = 512 << 10;

/// A run of selected rows shorter than this is gathered with others into one block.
const SHORT_RUN: u32 = 8;

/// The best `k` of the selected rows for each query of `scorer`.
pub(crate) fn scan<S: Scorer>(
    scorer: &S,
    len: u32,
    row_bytes: usize,
    k: usize,
    selection: Selection<'_>,
) -> Result<Vec<TopK>, QueryError> {
    let work = selection.count(len) * row_bytes as u64 * scorer.queries() as u64;
    let part = (PART_BYTES / row_bytes).max(BLOCK) as u32;
    let mut best = Best::new(scorer, k);
    if work < PARALLEL_BYTES || !threads::are_here() || rayon::current_num_threads() == 1 {
        best.visit(0..len, selection);
    } else {
        best = (0..len.div_ceil(part))
            .into_par_iter()
            .fold(
                || Best::new(scorer, k),
                |mut best, i| {
                    best.visit(i * part..len.min((i + 1).saturating_mul(part)), selection);
                    best
                },
            )
            .reduce(|| Best::new(scorer, k), Best::merge);
    }
    match best.damaged {
        Some(ordinal) => Err(QueryError::RowNotFinite { ordinal }),
        None => Ok(best.tops),
    }
}

/// What one thread has found so far.
struct Best<'s, S> {
    scorer: &'s S,
    tops: Vec<TopK>,
    /// Scores of the current block, one array a query.
    scores: Vec<[f32; BLOCK]>,
    /// The lowest ordinal seen of a row that isn't finite.
    damaged: Option<u32>,
}

impl<'s, S: Scorer> Best<'s, S> {
    fn new(scorer: &'s S, k: usize) -> Self {
        let queries = scorer.queries();
        Self {
            scorer,
            tops: (0..queries).map(|_| TopK::new(k)).collect(),
            scores: vec![[0.0; BLOCK]; queries],
            damaged: None,
        }
    }

    fn visit(&mut self, range: Range<u32>, selection: Selection<'_>) {
        let mut gathered = [0; BLOCK];
        let mut count = 0;
        selection.for_each_run(range, |run| {
            if run.len() as u32 >= SHORT_RUN {
                let mut start = run.start;
                while start < run.end {
                    let end = run.end.min(start.saturating_add(BLOCK as u32));
                    self.block(Pick::Run(start, end));
                    start = end;
                }
                return;
            }
            for ordinal in run {
                gathered[count] = ordinal;
                count += 1;
                if count == BLOCK {
                    self.block(Pick::List(&gathered));
                    count = 0;
                }
            }
        });
        self.block(Pick::List(&gathered[..count]));
    }

    fn block(&mut self, pick: Pick<'_>) {
        if let Err(ordinal) = self.scorer.score(pick, &mut self.scores) {
            // The scan goes on, for the lowest of them to be named whatever the order of blocks.
            self.damaged = Some(self.damaged.map_or(ordinal, |lowest| lowest.min(ordinal)));
            return;
        }
        for (top, scores) in self.tops.iter_mut().zip(&self.scores) {
            let mut threshold = top.threshold();
            let scores = &scores[..pick.len()];
            // Most blocks hold nothing good enough, which a loop without a branch finds out faster.
            let mut any = false;
            for &score in scores {
                any |= score >= threshold;
            }
            if !any {
                continue;
            }
            for (i, &score) in scores.iter().enumerate() {
                if score >= threshold && top.push(score, pick.ordinal(i)) {
                    threshold = top.threshold();
                }
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for (top, other) in self.tops.iter_mut().zip(other.tops) {
            top.merge(other);
        }
        self.damaged = match (self.damaged, other.damaged) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self
    }
}
