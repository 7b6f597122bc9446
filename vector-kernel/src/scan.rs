//! The exact scan: selected rows, block by block, into what a search wants of their scores.
//!
//! Invariant: the answer depends neither on how the rows are cut into parts nor on how many threads
//! work on them, as long as what a [`Collect`] keeps is a function of the set of scores offered.

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

/// What a search keeps of the scores.
pub(crate) trait Collect: Send {
    /// Offers the scores of a block: of query `q` and row `i` of `pick`, `scores[q][i]`.
    fn block(&mut self, pick: Pick<'_>, scores: &[[f32; BLOCK]]);
    /// Offers all that `other` kept.
    fn merge(&mut self, other: Self);
}

/// Offers the scores of the selected rows with all queries of `scorer` to collections that `new` makes,
/// and merges them into one.
pub(crate) fn scan<S: Scorer, C: Collect>(
    scorer: &S,
    len: u32,
    row_bytes: usize,
    selection: Selection<'_>,
    new: impl Fn() -> C + Sync,
) -> Result<C, QueryError> {
    let work = selection.count(len) * row_bytes as u64 * scorer.queries() as u64;
    let part = (PART_BYTES / row_bytes).max(BLOCK) as u32;
    let begin = || Part::new(scorer, new());
    let mut all = begin();
    if work < PARALLEL_BYTES || !threads::are_here() || rayon::current_num_threads() == 1 {
        all.visit(0..len, selection);
    } else {
        all = (0..len.div_ceil(part))
            .into_par_iter()
            .fold(begin, |mut best, i| {
                best.visit(i * part..len.min((i + 1).saturating_mul(part)), selection);
                best
            })
            .reduce(begin, Part::merge);
    }
    match all.damaged {
        Some(ordinal) => Err(QueryError::RowNotFinite { ordinal }),
        None => Ok(all.kept),
    }
}

/// What one thread has found so far.
struct Part<'s, S, C> {
    scorer: &'s S,
    kept: C,
    /// Scores of the current block, one array a query.
    scores: Vec<[f32; BLOCK]>,
    /// The lowest ordinal seen of a row that isn't finite.
    damaged: Option<u32>,
}

impl<'s, S: Scorer, C: Collect> Part<'s, S, C> {
    fn new(scorer: &'s S, kept: C) -> Self {
        Self { scorer, kept, scores: vec![[0.0; BLOCK]; scorer.queries()], damaged: None }
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
        self.kept.block(pick, &self.scores);
    }

    fn merge(mut self, other: Self) -> Self {
        self.kept.merge(other.kept);
        self.damaged = match (self.damaged, other.damaged) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self
    }
}

/// The best of each query.
impl Collect for Vec<TopK> {
    fn block(&mut self, pick: Pick<'_>, scores: &[[f32; BLOCK]]) {
        for (top, scores) in self.iter_mut().zip(scores) {
            offer(top, f32::NEG_INFINITY, pick, scores);
        }
    }

    fn merge(&mut self, other: Self) {
        for (top, other) in self.iter_mut().zip(other) {
            top.merge(other);
        }
    }
}

/// Offers the scores of one query that are at least `floor`.
#[inline]
pub(crate) fn offer(top: &mut TopK, floor: f32, pick: Pick<'_>, scores: &[f32; BLOCK]) {
    let mut threshold = top.threshold().max(floor);
    let scores = &scores[..pick.len()];
    // Most blocks hold nothing good enough, which a loop without a branch finds out faster.
    let mut any = false;
    for &score in scores {
        any |= score >= threshold;
    }
    if !any {
        return;
    }
    for (i, &score) in scores.iter().enumerate() {
        if score >= threshold && top.push(score, pick.ordinal(i)) {
            threshold = top.threshold().max(floor);
        }
    }
}
