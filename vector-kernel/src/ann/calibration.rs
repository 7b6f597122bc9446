//! What each target takes, found by searching for some of the index's own vectors.
//!
//! Invariant: the same index gives the same efforts, however many threads look for them.

use rayon::prelude::*;

use super::TARGETS;
use super::filter::Filter;
use super::random::Random;
use super::view::{ANY_REACH, AnnView, Effort, Work};

/// Vectors that are searched for to choose efforts, and others to confirm them: of many that are tried, the one that
/// is chosen was lucky with the first.
const QUERIES: usize = 256;
const CONFIRMING: usize = 768;
/// How often an effort is raised that others do not confirm.
const MOST_RAISES: usize = 12;
/// By how much its slack is, with an eighth more blocks.
const RAISE: f32 = 0.75;
/// Neighbours of each that are to be found.
const K: usize = 10;
/// How many blocks are tried at least; then each time half as many again.
const LEAST_BLOCKS: u32 = 32;
/// And with those that are enough, so many times one between.
const STEPS_BETWEEN: usize = 3;
/// Weights of radii and reaches that are tried: blocks are alike in some data, and in others one holds what was
/// left over of all that is near.
const RADII: [(f32, f32); 4] = [(0.2, 0.4), (0.2, 1.0), (0.6, 1.2), (1.2, ANY_REACH)];
/// Those first that are often best, so that of the others what is dearer need not be tried.
const SLACKS: [f32; 6] = [6.0, 8.0, 5.0, 4.0, 10.0, 3.0];
/// How much of what may be missed is kept in reserve, since queries are not drawn as the vectors are.
const RESERVE: f32 = 0.4;
/// A step that finds less more than this leads nowhere.
const LEAST_GAIN: f32 = 0.0005;

/// `None` where it is not to go on.
pub(super) fn efforts(
    view: &AnnView<'_>,
    seed: u64,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Option<[Effort; TARGETS.len()]> {
    let rows = view.rows;
    if rows.len() <= K {
        return Some([Effort::ALL; TARGETS.len()]);
    }
    let (sample, others) = Sample::draw(view, seed);
    let mut best = [(f64::INFINITY, Effort::ALL); TARGETS.len()];
    for slack in SLACKS {
        for (radius_weight, reach) in RADII {
            let (mut blocks, mut before) = (LEAST_BLOCKS, f32::NEG_INFINITY);
            loop {
                if !go_on() {
                    return None;
                }
                let effort = Effort { blocks, radius_weight, reach, slack };
                let (recall, cost) = sample.measure(view, effort);
                for (target, best) in TARGETS.iter().zip(&mut best) {
                    if recall >= wanted(*target) && cost < best.0 {
                        *best = (cost, effort);
                    }
                }
                let leads_on = recall > before + LEAST_GAIN && recall < 1.0;
                let (dearest, _) = best[TARGETS.len() - 1];
                if blocks >= view.header.blocks || !leads_on || cost > dearest {
                    break;
                }
                before = recall;
                blocks += blocks / 2;
            }
        }
    }
    let mut efforts = best.map(|(_, effort)| effort);
    for (target, effort) in TARGETS.iter().zip(&mut efforts) {
        if *effort != Effort::ALL {
            sample.fewer_blocks(view, *target, effort);
            others.confirm(view, *target, effort);
        }
    }
    Some(efforts)
}

/// What is to be found of the neighbours, so that `target` is met.
fn wanted(target: f32) -> f32 {
    1.0 - (1.0 - target) * (1.0 - RESERVE)
}

/// Some of the index's vectors, and what is to be found of each.
struct Sample {
    dim: usize,
    vectors: Vec<f32>,
    /// The score of the last neighbour of each.
    worst: Vec<f32>,
}

impl Sample {
    /// Those to choose efforts by, and those to confirm them.
    fn draw(view: &AnnView<'_>, seed: u64) -> (Self, Self) {
        let all = Random(seed ^ 0x5eed).sample(QUERIES + CONFIRMING, view.rows.len());
        let every = (QUERIES + CONFIRMING) / QUERIES;
        let (first, others): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(at, _)| at.is_multiple_of(every));
        let of = |ordinals: Vec<(usize, u32)>| {
            Self::of(view, &ordinals.into_iter().map(|(_, ordinal)| ordinal).collect::<Vec<_>>())
        };
        (of(first), of(others))
    }

    fn of(view: &AnnView<'_>, ordinals: &[u32]) -> Self {
        let dim = view.rows.dim();
        let mut vectors = vec![0.0; ordinals.len() * dim];
        for (vector, &ordinal) in vectors.chunks_exact_mut(dim).zip(ordinals) {
            view.rows.unit_row(ordinal, vector);
        }
        let worst = |vector: &[f32]| {
            // As good as exact, and several times quicker. The vector itself is the nearest, and no neighbour.
            let work = &mut Work::default();
            let hits = view.search_with(vector, K + 1, Effort::ALL, &Filter::All, work);
            let hits = hits.expect("a row is a query");
            hits.last().map_or(f32::NEG_INFINITY, |hit| hit.score)
        };
        let worst = vectors.par_chunks_exact(dim).map(worst).collect();
        Self { dim, vectors, worst }
    }

    /// The share of the neighbours that is found, and about how many nanoseconds a query takes.
    fn measure(&self, view: &AnnView<'_>, effort: Effort) -> (f32, f64) {
        let of_each: Vec<(usize, Work)> = self
            .vectors
            .par_chunks_exact(self.dim)
            .zip(&self.worst)
            .map(|(vector, worst)| {
                let mut work = Work::default();
                let hits = view
                    .search_with(vector, K + 1, effort, &Filter::All, &mut work)
                    .expect("a row is a query");
                // One of them is the vector itself.
                let found = hits.iter().filter(|hit| hit.score >= *worst).count();
                (found.saturating_sub(1).min(K), work)
            })
            .collect();
        let found: usize = of_each.iter().map(|(found, _)| found).sum();
        let cost = |work: &Work| {
            // As measured, of 384 components.
            90 * work.lists + 60 * work.blocks + 60 * work.coded + 350 * work.exact
        };
        let cost: usize = of_each.iter().map(|(_, work)| cost(work)).sum();
        let queries = of_each.len();
        (found as f32 / (queries * K) as f32, cost as f64 / queries as f64)
    }

    /// Raises an effort until it is enough.
    fn confirm(&self, view: &AnnView<'_>, target: f32, effort: &mut Effort) {
        for _ in 0..MOST_RAISES {
            if self.worst.is_empty() || self.measure(view, *effort).0 >= wanted(target) {
                return;
            }
            let blocks = (effort.blocks + effort.blocks / 8).min(view.header.blocks);
            let slack = (effort.slack + RAISE).min(Effort::ALL.slack);
            *effort = Effort { blocks, slack, ..*effort };
        }
    }

    /// Looks for the fewest blocks that are enough, between those of an effort and those of the step before it.
    fn fewer_blocks(&self, view: &AnnView<'_>, target: f32, effort: &mut Effort) {
        let mut low = effort.blocks - effort.blocks / 3;
        for _ in 0..STEPS_BETWEEN {
            let blocks = low.midpoint(effort.blocks);
            let fewer = Effort { blocks, ..*effort };
            if self.measure(view, fewer).0 >= wanted(target) {
                *effort = fewer;
            } else {
                low = blocks;
            }
        }
    }
}
