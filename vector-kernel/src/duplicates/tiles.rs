//! Every selected row with every later one, tile by tile.
//!
//! Invariant: each pair is offered once, the lower ordinal first, however the tiles fall to threads.

use rayon::prelude::*;

use crate::{
    FlatIndex, QueryError, Selection,
    flat::Task,
    kernels::float::Pick,
    scorer::{BLOCK, Scorer},
    threads,
};

/// Rows that are the queries of one tile: with a block of rows they fit in the second cache.
const TILE: usize = 128;

/// Takes pairs that reach a threshold.
pub(super) trait Sink: Send {
    /// The score below which a pair is offered in vain.
    fn floor(&self) -> f32;
    /// Takes a pair.
    fn put(&mut self, first: u32, second: u32, score: f32);
    /// Takes all that `other` has.
    fn join(self, other: Self) -> Self;
}

/// Offers all pairs that reach `threshold` to sinks that `new` makes, and joins them.
pub(super) fn compare_all<P: Sink>(
    index: &FlatIndex<'_>,
    threshold: f32,
    selection: Selection<'_>,
    new: impl Fn() -> P + Sync,
) -> Result<P, QueryError> {
    if threshold.is_nan() {
        return Err(QueryError::Threshold);
    }
    let ordinals = index.selected(selection);
    let tiles = ordinals.len().div_ceil(TILE);
    let begin = || Part { sink: new(), damaged: None };
    // A tile meets all later rows, so that an early and a late one together are as much work as any two.
    let two = |mut part: Part<P>, i: usize| {
        part.tile(index, threshold, &ordinals[i * TILE..]);
        if i != tiles - 1 - i {
            part.tile(index, threshold, &ordinals[(tiles - 1 - i) * TILE..]);
        }
        part
    };
    let all = if threads::are_here() {
        (0..tiles.div_ceil(2)).into_par_iter().fold(begin, two).reduce(begin, Part::join)
    } else {
        (0..tiles.div_ceil(2)).fold(begin(), two)
    };
    match all.damaged {
        Some(ordinal) => Err(QueryError::RowNotFinite { ordinal }),
        None => Ok(all.sink),
    }
}

/// What one thread has found so far.
struct Part<P> {
    sink: P,
    /// The lowest ordinal seen of a row that isn't finite.
    damaged: Option<u32>,
}

impl<P: Sink> Part<P> {
    /// Compares the first [`TILE`] of `ordinals`, which ascend, with all that come after each.
    fn tile(&mut self, index: &FlatIndex<'_>, threshold: f32, ordinals: &[u32]) {
        let first = &ordinals[..ordinals.len().min(TILE)];
        match index.gather(first) {
            Ok(queries) => {
                let tile = Tile { part: self, threshold, first, ordinals };
                index.with_scorer(queries.as_query(), tile);
            }
            // Each selected row is once among the first of a tile, so the lowest is found here.
            Err(QueryError::RowNotFinite { ordinal }) => self.damage(ordinal),
            Err(_) => unreachable!("rows are of their index's encoding and dimension"),
        }
    }

    fn damage(&mut self, ordinal: u32) {
        self.damaged = Some(self.damaged.map_or(ordinal, |lowest| lowest.min(ordinal)));
    }

    fn join(mut self, other: Self) -> Self {
        if let Some(ordinal) = other.damaged {
            self.damage(ordinal);
        }
        Self { sink: self.sink.join(other.sink), damaged: self.damaged }
    }
}

struct Tile<'a, P> {
    part: &'a mut Part<P>,
    threshold: f32,
    /// The ordinals of the queries.
    first: &'a [u32],
    /// Those, and all later ones.
    ordinals: &'a [u32],
}

impl<P: Sink> Task for Tile<'_, P> {
    type Output = ();

    fn run<S: Scorer>(self, scorer: &S) {
        let Self { part, threshold, first, ordinals } = self;
        let mut scores = vec![[0.0; BLOCK]; first.len()];
        for block in ordinals.chunks(BLOCK) {
            let (start, end) = (block[0], block[block.len() - 1]);
            let pick = if (end - start) as usize == block.len() - 1 && end < u32::MAX {
                Pick::Run(start, end + 1)
            } else {
                Pick::List(block)
            };
            if let Err(ordinal) = scorer.score(pick, &mut scores) {
                part.damage(ordinal);
                continue;
            }
            for (&low, scores) in first.iter().zip(&scores) {
                let floor = part.sink.floor().max(threshold);
                let scores = &scores[..block.len()];
                // Most hold nothing good enough, which a loop without a branch finds out faster.
                let mut any = false;
                for &score in scores {
                    any |= score >= floor;
                }
                if !any {
                    continue;
                }
                for (&high, &score) in block.iter().zip(scores) {
                    if score >= floor && high > low {
                        part.sink.put(low, high, score);
                    }
                }
            }
        }
    }
}
