//! How much of the nearest a search by indexes finds, measured on queries that are answered exactly, too.
//!
//! Invariant: which vectors are sampled is a function of the live concepts and the seed, not of how they are cut into
//! parts.

use std::collections::BinaryHeap;

use vector_kernel::Hit;
use vector_kernel::ann::{Audit, share_found};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::filter::Filter;
use super::search::{NumberHit, VectorQuery};
use super::{Place, State};
use crate::concept::validate_vector;
use crate::{DEFAULT_RECALL, Result, interrupt};

/// Queries whose answers are held at a time.
const BATCH: usize = 256;

/// A measurement of what searches by vector find.
#[derive(Debug, Clone)]
pub struct AuditQuery<'a> {
    /// The queries, one after another; `None`: vectors of the store itself, none of which finds itself.
    ///
    /// Real queries differ from what is stored, and most often find somewhat less.
    pub vectors: Option<&'a [f32]>,
    /// So many of the store's own vectors, at most; 256 by default.
    pub sample: usize,
    /// Which of them; 0 by default.
    pub seed: u64,
    /// How many hits each search is asked for; 10 by default.
    pub k: usize,
    /// The recall that searches aim for, as in [`VectorQuery`]; [`DEFAULT_RECALL`] by default.
    pub recall: f32,
    /// Which concepts are searched; the queries are of any.
    pub filter: Filter,
}

impl Default for AuditQuery<'_> {
    fn default() -> Self {
        let filter = Filter::default();
        Self { vectors: None, sample: 256, seed: 0, k: 10, recall: DEFAULT_RECALL, filter }
    }
}

impl State {
    /// Compares approximate searches with exact ones.
    pub(crate) fn audit_vectors(&self, query: &AuditQuery<'_>) -> Result<Audit> {
        let dim = self.config.vector_dimension;
        let mut shares = Vec::new();
        let Some(vectors) = query.vectors else {
            let sample = self.sample_vectors(query.sample, query.seed)?;
            // Refuses what no search can be asked for, where there is nothing to sample, too.
            query.near(&[], query.recall).check()?;
            for chunk in sample.chunks(BATCH) {
                let mut vectors = Vec::with_capacity(chunk.len() * dim);
                for (_, place) in chunk {
                    vectors.extend(self.segment(*place).vector(place.row)?.unwrap_or_default());
                }
                let numbers: Vec<u32> = chunk.iter().map(|(number, _)| *number).collect();
                shares.extend(self.shares(query, &vectors, &numbers)?);
            }
            return Ok(Audit::of(&shares));
        };
        query.near(&[], query.recall).check()?;
        if !vectors.len().is_multiple_of(dim) {
            validate_vector("", vectors, dim)?;
        }
        for vectors in vectors.chunks(BATCH * dim) {
            shares.extend(self.shares(query, vectors, &[])?);
        }
        Ok(Audit::of(&shares))
    }

    /// What share of the best is found of each query for which there is something to find. Where the queries are
    /// vectors of concepts, these are left out of their answers.
    fn shares(&self, query: &AuditQuery<'_>, vectors: &[f32], own: &[u32]) -> Result<Vec<f64>> {
        let best = self.search_vectors(&query.near(vectors, 1.0))?;
        let found = self.search_vectors(&query.near(vectors, query.recall))?;
        let others = |at: usize, hits: &[NumberHit]| -> Vec<Hit> {
            let others = hits.iter().filter(|hit| own.get(at) != Some(&hit.number));
            let others = others.map(|hit| Hit { ordinal: hit.number, score: hit.score });
            others.take(query.k).collect()
        };
        let pairs = best.iter().zip(&found).enumerate();
        let shares = pairs
            .filter_map(|(at, (best, found))| share_found(&others(at, best), &others(at, found)));
        Ok(shares.collect())
    }

    /// So many concepts that have vectors, chosen at random: those of the least hashes.
    pub(crate) fn sample_vectors(&self, count: usize, seed: u64) -> Result<Vec<(u32, Place)>> {
        let mut least = BinaryHeap::new();
        for (at, part) in self.parts.iter().enumerate() {
            interrupt::check()?;
            if part.live_vectors() == 0 {
                continue;
            }
            let numbers = part.segment.numbers()?;
            for ordinal in part.live_vector_ordinals() {
                let row = part.segment.row_of_vector(ordinal)?;
                let Some(&number) = numbers.get(row as usize) else { continue };
                let hash = xxh3_64_with_seed(&number.to_le_bytes(), seed);
                let taken = (hash, number, at, row);
                if least.len() < count {
                    least.push(taken);
                } else if let Some(mut most) = least.peek_mut().filter(|most| taken < **most) {
                    *most = taken;
                }
            }
        }
        let sample = least.into_sorted_vec().into_iter();
        Ok(sample.map(|(_, number, part, row)| (number, Place { part, row })).collect())
    }
}

impl AuditQuery<'_> {
    /// The search that answers queries, with one hit more than is wanted where one may be the query itself.
    fn near<'q>(&self, vectors: &'q [f32], recall: f32) -> VectorQuery<'q> {
        let k = self.k.saturating_add(usize::from(self.vectors.is_none()));
        VectorQuery { vectors, k, recall, filter: self.filter.clone() }
    }
}
