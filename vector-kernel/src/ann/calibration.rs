//! What each target takes, found by searching for some of the index's own vectors.
//!
//! Invariant: the same index gives the same efforts, however many threads look for them.

use rayon::prelude::*;

use super::TARGETS;
use super::random::Random;
use super::search::{AnnView, Effort, Work};
use crate::Selection;

/// Vectors that are searched for.
const QUERIES: usize = 160;
/// Neighbours of each that are to be found.
const K: usize = 10;
/// How many blocks are tried, each time half as many again.
const LEAST_BLOCKS: u32 = 32;
/// Weights of radii and reaches that are tried: blocks are alike in some data, and in others one holds what was
/// left over of all that is near.
const RADII: [(f32, f32); 4] = [(0.2, 0.4), (0.2, 1.0), (0.6, 1.2), (1.2, f32::INFINITY)];
const SLACKS: [f32; 3] = [2.5, 4.0, 6.0];
/// How much of what may be missed is kept in reserve, since queries are not drawn as the vectors are.
const RESERVE: f32 = 0.4;
/// A step that finds less more than this leads nowhere.
const LEAST_GAIN: f32 = 0.0005;

pub(super) fn efforts(view: &AnnView<'_>, seed: u64) -> [Effort; TARGETS.len()] {
    let rows = view.rows();
    if rows.len() <= K {
        return [Effort::ALL; TARGETS.len()];
    }
    let sampled = Random(seed ^ 0x5eed).sample(QUERIES, rows.len());
    let queries: Vec<Query> = sampled
        .par_iter()
        .map(|&ordinal| {
            let mut vector = vec![0.0; rows.dim()];
            rows.unit_row(ordinal, &mut vector);
            // The vector itself is the nearest, and no neighbour.
            let hits = rows.search(&vector, K + 1, Selection::All).expect("a row is a query");
            let worst = hits.last().map_or(f32::NEG_INFINITY, |hit| hit.score);
            Query { vector, worst }
        })
        .collect();
    let mut best = [(f64::INFINITY, Effort::ALL); TARGETS.len()];
    for slack in SLACKS {
        for (radius_weight, reach) in RADII {
            let (mut blocks, mut before) = (LEAST_BLOCKS, f32::NEG_INFINITY);
            loop {
                let effort = Effort { blocks, radius_weight, reach, slack };
                let (recall, cost) = measure(view, &queries, effort);
                for (target, best) in TARGETS.iter().zip(&mut best) {
                    let wanted = 1.0 - (1.0 - target) * (1.0 - RESERVE);
                    if recall >= wanted && cost < best.0 {
                        *best = (cost, effort);
                    }
                }
                let leads_on = recall > before + LEAST_GAIN && recall < 1.0;
                if blocks as usize >= view.blocks() || !leads_on {
                    break;
                }
                before = recall;
                blocks += blocks / 2;
            }
        }
    }
    best.map(|(_, effort)| effort)
}

struct Query {
    vector: Vec<f32>,
    /// The score of the last that is to be found.
    worst: f32,
}

/// The share of the neighbours that is found, and about how many nanoseconds a query takes.
fn measure(view: &AnnView<'_>, queries: &[Query], effort: Effort) -> (f32, f64) {
    let of_each: Vec<(usize, Work)> = queries
        .par_iter()
        .map(|query| {
            let mut work = Work::default();
            let hits = view
                .search_with(&query.vector, K + 1, effort, Selection::All, &mut work)
                .expect("a row is a query");
            // One of them is the vector itself.
            let found = hits.iter().filter(|hit| hit.score >= query.worst).count();
            (found.saturating_sub(1).min(K), work)
        })
        .collect();
    let found: usize = of_each.iter().map(|(found, _)| found).sum();
    let cost = |work: &Work| {
        // As measured, of 384 components.
        80 * (work.lists + work.blocks) + 60 * work.coded + 300 * work.exact
    };
    let cost: usize = of_each.iter().map(|(_, work)| cost(work)).sum();
    (found as f32 / (queries.len() * K) as f32, cost as f64 / queries.len() as f64)
}
