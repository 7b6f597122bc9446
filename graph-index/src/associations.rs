//! What every graph of this crate answers, whatever it is made of.
//!
//! Invariant: hops of a node come by `(neighbor, type_id)`, edges by `(source, target, type_id)`, so
//! that algorithms written against [`Associations`] give the same answer for the same live edges.

use roaring::RoaringBitmap;

use crate::edge::{Edge, EdgeKey};
use crate::rows::Side;

/// Names a live edge of a layered graph or an overlay.
///
/// Good for as long as the graph it came from is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId {
    /// Index of the layer, or [`EdgeId::OVERLAY`].
    pub layer: u32,
    /// Edge id within the layer.
    pub edge: u32,
}

impl EdgeId {
    /// The layer number of edges that an [`Overlay`](crate::Overlay) has added or updated.
    pub const OVERLAY: u32 = u32::MAX;
}

/// What an edge carries beside its ends: petgraph's edge weight for these graphs.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct EdgeWeight {
    /// The interned type.
    pub type_id: u32,
    /// How strong the association is.
    pub weight: f32,
    /// How far the association is believed.
    pub confidence: f32,
}

/// A live edge; petgraph's edge reference for these graphs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveEdge {
    /// Where the edge is kept.
    pub id: EdgeId,
    /// The node the edge leaves.
    pub source: u32,
    /// The node the edge enters.
    pub target: u32,
    /// Type, weight and confidence.
    pub weight: EdgeWeight,
}

impl LiveEdge {
    /// `(source, target, type_id)`.
    #[must_use]
    pub const fn key(&self) -> EdgeKey {
        (self.source, self.target, self.weight.type_id)
    }

    /// The edge without its id.
    #[must_use]
    pub const fn edge(&self) -> Edge {
        let EdgeWeight { type_id, weight, confidence } = self.weight;
        Edge { source: self.source, target: self.target, type_id, weight, confidence }
    }
}

/// One step from a node along an edge: what a search reads, without the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hop {
    /// The node at the other end.
    pub neighbor: u32,
    /// Type of the edge.
    pub type_id: u32,
    /// How far the edge is believed.
    pub confidence: f32,
    /// The edge.
    pub id: EdgeId,
}

/// Which way edges are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From source to target.
    #[default]
    Outgoing,
    /// From target to source.
    Incoming,
    /// Either way.
    Both,
}

impl Direction {
    /// The sides of a node to look at.
    #[must_use]
    pub const fn sides(self) -> &'static [Side] {
        match self {
            Self::Outgoing => &[Side::Out],
            Self::Incoming => &[Side::In],
            Self::Both => &[Side::Out, Side::In],
        }
    }

    /// The direction in which the same walks run backwards.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
            Self::Both => Self::Both,
        }
    }
}

/// A directed graph of typed, weighted associations between store-wide node numbers.
///
/// Several edges of different types may join one pair. The names differ from those of petgraph's
/// visit traits, so that both can be in scope.
pub trait Associations {
    /// Iterator of one node's hops.
    type Hops<'g>: Iterator<Item = Hop>
    where
        Self: 'g;
    /// Iterator of all edges.
    type LiveEdges<'g>: Iterator<Item = LiveEdge>
    where
        Self: 'g;

    /// The hops from `node` on one side, by `(neighbor, type_id)`; none for an unknown node.
    fn hops(&self, node: u32, side: Side) -> Self::Hops<'_>;

    /// The edge that a hop from `node` follows.
    fn edge_of(&self, node: u32, side: Side, hop: Hop) -> Option<LiveEdge>;

    /// The live edge with that id.
    fn live_edge(&self, id: EdgeId) -> Option<LiveEdge>;

    /// The live edge with that key.
    fn find_edge(&self, source: u32, target: u32, type_id: u32) -> Option<EdgeId>;

    /// All live edges, by `(source, target, type_id)`.
    fn live_edges(&self) -> Self::LiveEdges<'_>;

    /// Number of live edges.
    fn live_edge_count(&self) -> usize;

    /// The known nodes: those with a live edge, and those known without one.
    fn known_nodes(&self) -> &RoaringBitmap;

    /// Whether `node` is known; costs a look at its rows, not a pass over the graph.
    fn is_known(&self, node: u32) -> bool;

    /// A number above that of every known node, found without a pass over the graph.
    fn number_bound(&self) -> u32;

    /// The live edges that leave `node`, by `(target, type_id)`.
    fn out_edges(&self, node: u32) -> NodeEdges<'_, Self>
    where
        Self: Sized,
    {
        NodeEdges::new(self, node, Side::Out)
    }

    /// The live edges that enter `node`, by `(source, type_id)`.
    fn in_edges(&self, node: u32) -> NodeEdges<'_, Self>
    where
        Self: Sized,
    {
        NodeEdges::new(self, node, Side::In)
    }

    /// The distinct neighbors of `node`, ascending.
    ///
    /// Only edges of one of `types` count; of all types when `None`. A node with an edge to itself is
    /// among its own neighbors.
    fn neighbors_distinct(
        &self,
        node: u32,
        direction: Direction,
        types: Option<&[u32]>,
    ) -> Vec<u32> {
        let mut neighbors = Vec::new();
        for &side in direction.sides() {
            let hops = self.hops(node, side);
            match types {
                None => neighbors.extend(hops.map(|hop| hop.neighbor)),
                Some(types) => neighbors.extend(
                    hops.filter(|hop| types.contains(&hop.type_id)).map(|hop| hop.neighbor),
                ),
            }
        }
        // One side comes sorted; two sides are two sorted runs.
        if direction == Direction::Both {
            neighbors.sort_unstable();
        }
        neighbors.dedup();
        neighbors
    }
}

/// Edges of one node on one side; see [`Associations::out_edges`].
pub struct NodeEdges<'g, G: Associations + 'g> {
    graph: &'g G,
    node: u32,
    side: Side,
    hops: G::Hops<'g>,
}

impl<'g, G: Associations> NodeEdges<'g, G> {
    pub(crate) fn new(graph: &'g G, node: u32, side: Side) -> Self {
        Self { graph, node, side, hops: graph.hops(node, side) }
    }
}

impl<G: Associations> Iterator for NodeEdges<'_, G> {
    type Item = LiveEdge;

    fn next(&mut self) -> Option<LiveEdge> {
        let (graph, node, side) = (self.graph, self.node, self.side);
        self.hops.find_map(|hop| graph.edge_of(node, side, hop))
    }
}
