//! Path search: the k best simple paths, shortest paths, neighbourhoods, reachability.
//!
//! Invariant: an answer depends on the live edges and the options only, never on how edges are spread
//! over layers, on hashing, or on the machine.

mod ball;
mod best;
mod breadth;
mod cost;
mod walk;

use crate::associations::{Associations, Direction, EdgeId};
use crate::rows::Side;
use crate::view::EdgeRef;
use ball::{Ball, LocalStep};
use best::{BestPaths, Found};
use breadth::Half;
use walk::Walk;

pub use breadth::{KHop, Reachability, k_hop, reachable, shortest_path};
pub use cost::MAX_DEPTH;

/// What paths to look for, and how hard.
#[derive(Debug, Clone, PartialEq)]
pub struct PathOptions {
    /// At most so many paths.
    pub k: usize,
    /// At most so many edges a path.
    pub max_depth: u32,
    /// Which way a path may take edges.
    pub direction: Direction,
    /// Only edges of these types; of every type when `None`.
    pub types: Option<Vec<u32>>,
    /// Only edges believed at least so far, in `0.0..=1.0`. Edges of confidence zero are never taken.
    pub min_confidence: f32,
    /// What to do with several edges that lead from one node to another.
    pub parallel: ParallelEdges,
    /// How many edge records may be looked at. A search that needs more gives what it has by then.
    pub max_visited_edges: u64,
}

impl Default for PathOptions {
    /// Five outgoing paths of at most six edges, of any type and confidence, two million edges.
    fn default() -> Self {
        Self {
            k: 5,
            max_depth: 6,
            direction: Direction::Outgoing,
            types: None,
            min_confidence: 0.0,
            parallel: ParallelEdges::Each,
            max_visited_edges: 2_000_000,
        }
    }
}

/// What [`best_paths`] does with several edges that lead from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ParallelEdges {
    /// Each makes a path of its own.
    #[default]
    Each,
    /// The most believed one stands for all (at equal confidence the one of the smallest type, taken
    /// forward rather than backward), so no two paths visit the same nodes.
    Best,
}

/// A path and how far it is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The nodes from source to target: one more than edges.
    pub nodes: Vec<u32>,
    /// The edges between them.
    pub edges: Vec<PathEdge>,
    /// The product of the edges' confidences.
    pub confidence: f32,
}

/// An edge of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathEdge {
    /// The edge; its id counts within its layer.
    pub edge: EdgeRef,
    /// Index of the edge's layer, or [`EdgeId::OVERLAY`].
    pub layer: u32,
    /// Whether the path takes it from its source to its target.
    pub forward: bool,
}

impl PathEdge {
    /// Layer and edge id.
    #[must_use]
    pub const fn id(&self) -> EdgeId {
        EdgeId { layer: self.layer, edge: self.edge.id }
    }
}

/// Paths, best first, and what finding them took.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathResult {
    /// Best first.
    pub paths: Vec<Path>,
    /// Whether the budget ended the search, so that better or further paths may exist.
    pub budget_exhausted: bool,
    /// Edge records looked at.
    pub visited_edges: u64,
}

/// Why a search can't be made.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Deeper than [`MAX_DEPTH`].
    #[error("paths of up to {found} edges are asked for, the limit is {MAX_DEPTH}")]
    MaxDepth {
        /// The depth asked for.
        found: u32,
    },
    /// Not a confidence.
    #[error("the least confidence is {found}, which is not within 0..=1")]
    MinConfidence {
        /// The confidence asked for.
        found: f32,
    },
    /// A row names an edge that is not there: the bytes of that layer are corrupt.
    #[error("layer {} of the graph is corrupt: it has no edge {}", id.layer, id.edge)]
    Corrupt {
        /// The edge named.
        id: EdgeId,
    },
}

impl PathOptions {
    fn validate(&self) -> Result<(), PathError> {
        if (0.0..=1.0).contains(&self.min_confidence) {
            Ok(())
        } else {
            Err(PathError::MinConfidence { found: self.min_confidence })
        }
    }
}

/// The `k` best simple paths from any of `sources` to any of `targets`.
///
/// Best is the largest product of confidences; among equal products the shorter path, then the one with
/// the smaller node numbers in order, then the smaller type ids, then edges taken forward. Products are
/// compared by the sum of `-ln confidence` in units of 2⁻⁴⁰. A path has at least one edge and visits no
/// node twice. It may pass through other sources and targets. Paths that differ only in an edge's type or
/// direction are different paths, unless [`PathOptions::parallel`] says otherwise.
///
/// The answer is exact, unless [`PathResult::budget_exhausted`] says that the budget ended the search:
/// then it is exact up to a smaller depth or a smaller `k`.
///
/// ```
/// use graph_index::paths::{PathOptions, best_paths};
/// use graph_index::{Edge, LayeredGraph, Overlay};
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// for (source, target, confidence) in [(1, 2, 0.75), (2, 3, 1.0), (1, 3, 0.5)] {
///     graph.put_edge(Edge { source, target, type_id: 0, weight: 1.0, confidence })?;
/// }
/// let found = best_paths(&graph, &[1], &[3], &PathOptions::default())?;
/// assert_eq!(found.paths[0].nodes, [1, 2, 3]);
/// assert_eq!(found.paths[0].confidence, 0.75);
/// assert_eq!(found.paths[1].nodes, [1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`PathError`]: a depth above [`MAX_DEPTH`], a least confidence that is none, corrupt bytes.
///
/// # Complexity
///
/// Reads the edges within about half the depth of the sources and of the targets, and computes
/// `max_depth` rounds of distances over them (8 bytes a node and round); then at most `k * max_depth`
/// guided searches, most of them as small as the path they find.
pub fn best_paths<G: Associations>(
    graph: &G,
    sources: &[u32],
    targets: &[u32],
    options: &PathOptions,
) -> Result<PathResult, PathError> {
    best_paths_until(graph, sources, targets, options, &never)
}

/// As [`best_paths`], but ends as if its budget were used up once `stop` says so, which it asks every
/// few thousand edges.
///
/// # Errors
///
/// As [`best_paths`].
pub fn best_paths_until<G: Associations>(
    graph: &G,
    sources: &[u32],
    targets: &[u32],
    options: &PathOptions,
    stop: &dyn Fn() -> bool,
) -> Result<PathResult, PathError> {
    options.validate()?;
    if options.max_depth > MAX_DEPTH {
        return Err(PathError::MaxDepth { found: options.max_depth });
    }
    let mut result = PathResult::default();
    if options.k == 0 {
        return Ok(result);
    }
    let mut walk = Walk::new(graph, options, stop);
    let (ball, grown) = Ball::grow(&mut walk, sources, targets, options.max_depth);
    result.budget_exhausted = grown.is_err();
    let mut found = Vec::new();
    match BestPaths::new(&mut walk, ball) {
        Err(_) => result.budget_exhausted = true,
        Ok(mut search) => {
            result.budget_exhausted |= collect(&mut search, options.k, &mut found);
            for path in found {
                result.paths.push(finish(graph, &search.ball, &path)?);
            }
        }
    }
    result.visited_edges = walk.visited_edges;
    Ok(result)
}

/// What no one stops.
fn never() -> bool {
    false
}

/// Collects up to `k` paths; whether the budget ended that.
fn collect<G: Associations>(
    search: &mut BestPaths<'_, '_, G>,
    k: usize,
    found: &mut Vec<Found>,
) -> bool {
    loop {
        match search.next() {
            Err(_) => return true,
            Ok(None) => return false,
            Ok(Some(path)) => {
                let last = found.len() + 1 == k;
                let split = if last { Ok(()) } else { search.split(&path) };
                found.push(path);
                if last || split.is_err() {
                    return split.is_err();
                }
            }
        }
    }
}

fn finish<G: Associations>(graph: &G, ball: &Ball, found: &Found) -> Result<Path, PathError> {
    let nodes: Vec<u32> = found.nodes.iter().map(|&node| ball.number(node)).collect();
    let mut edges = Vec::with_capacity(found.steps.len());
    for (ends, &step) in nodes.windows(2).zip(&found.steps) {
        let LocalStep { step, .. } = ball.steps[step as usize];
        edges.push(path_edge(graph, ends[0], ends[1], step, Half::Ahead)?);
    }
    Ok(Path::new(nodes, edges))
}

impl Path {
    fn new(nodes: Vec<u32>, edges: Vec<PathEdge>) -> Self {
        let product: f64 = edges.iter().map(|edge| f64::from(edge.edge.confidence)).product();
        Self { nodes, edges, confidence: product as f32 }
    }
}

/// The edge of a step, which was found at `from` or, looking back, at `to`.
fn path_edge<G: Associations>(
    graph: &G,
    from: u32,
    to: u32,
    step: walk::Step,
    half: Half,
) -> Result<PathEdge, PathError> {
    let (node, side) = match (half, step.forward) {
        (Half::Ahead, true) => (from, Side::Out),
        (Half::Ahead, false) => (from, Side::In),
        (Half::Behind, true) => (to, Side::In),
        (Half::Behind, false) => (to, Side::Out),
    };
    let live = graph.edge_of(node, side, step.hop).ok_or(PathError::Corrupt { id: step.hop.id })?;
    let edge = EdgeRef {
        id: live.id.edge,
        source: live.source,
        target: live.target,
        type_id: live.weight.type_id,
        weight: live.weight.weight,
        confidence: live.weight.confidence,
    };
    Ok(PathEdge { edge, layer: live.id.layer, forward: step.forward })
}
