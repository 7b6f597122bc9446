//! Which steps a search may take, and how many edges it has looked at.
//!
//! Invariant: every edge record that a search reads is counted here, before any filter; when the budget
//! is gone, reading stops in mid-row.

use std::hash::{BuildHasherDefault, Hasher};

use super::cost::CostCache;
use super::{ParallelEdges, PathOptions};
use crate::associations::{Associations, Direction, Hop};
use crate::rows::Side;

/// A step that may be taken, seen from the node it was scanned at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) hop: Hop,
    pub(crate) cost: u64,
    /// Whether a path takes the edge from its source to its target.
    pub(crate) forward: bool,
}

/// The budget of visited edges is used up, or the search was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// A graph seen through a search's filters.
pub(crate) struct Walk<'g, G> {
    pub(crate) graph: &'g G,
    direction: Direction,
    /// Ascending.
    types: Option<Vec<u32>>,
    min_confidence: f32,
    pub(crate) parallel: ParallelEdges,
    costs: CostCache,
    pub(crate) visited_edges: u64,
    max_visited_edges: u64,
    stop: &'g dyn Fn() -> bool,
}

/// Edges visited between two questions whether to stop.
const STOP_EVERY: u64 = 4096;

impl<'g, G: Associations> Walk<'g, G> {
    pub(crate) fn new(graph: &'g G, options: &PathOptions, stop: &'g dyn Fn() -> bool) -> Self {
        let mut types = options.types.clone();
        if let Some(types) = &mut types {
            types.sort_unstable();
        }
        Self {
            graph,
            direction: options.direction,
            types,
            min_confidence: options.min_confidence,
            parallel: options.parallel,
            costs: CostCache::new(),
            visited_edges: 0,
            max_visited_edges: options.max_visited_edges,
            stop,
        }
    }

    /// Counts edges looked at.
    pub(crate) fn visit(&mut self, edges: u64) -> Result<(), Exhausted> {
        let visited = self.visited_edges.saturating_add(edges);
        if visited > self.max_visited_edges {
            return Err(Exhausted);
        }
        if visited / STOP_EVERY != self.visited_edges / STOP_EVERY && (self.stop)() {
            return Err(Exhausted);
        }
        self.visited_edges = visited;
        Ok(())
    }

    /// The steps that lead on from `node`.
    pub(crate) fn steps_from(
        &mut self,
        node: u32,
        each: impl FnMut(Step),
    ) -> Result<(), Exhausted> {
        self.scan(node, self.direction, Side::Out, each)
    }

    /// The steps that lead to `node`, each with the node it comes from as its neighbor.
    pub(crate) fn steps_to(&mut self, node: u32, each: impl FnMut(Step)) -> Result<(), Exhausted> {
        self.scan(node, self.direction.reversed(), Side::In, each)
    }

    fn scan(
        &mut self,
        node: u32,
        direction: Direction,
        forward_side: Side,
        mut each: impl FnMut(Step),
    ) -> Result<(), Exhausted> {
        for &side in direction.sides() {
            let forward = side == forward_side;
            for hop in self.graph.hops(node, side) {
                self.visit(1)?;
                let wanted = self
                    .types
                    .as_ref()
                    .is_none_or(|types| types.binary_search(&hop.type_id).is_ok());
                // An edge to the node itself is on no simple path.
                if !wanted || hop.neighbor == node || hop.confidence < self.min_confidence {
                    continue;
                }
                if let Some(cost) = self.costs.step_cost(hop.confidence) {
                    each(Step { hop, cost, forward });
                }
            }
        }
        Ok(())
    }
}

/// Node numbers are assigned by the store, not chosen by an adversary: one multiplication mixes them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NumberHasher(u64);

/// Builds [`NumberHasher`]s.
pub(crate) type NumberHash = BuildHasherDefault<NumberHasher>;

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The table takes its slot from the low bits and its tag from the high ones.
        self.0 = mixed ^ (mixed >> 32);
    }
}
