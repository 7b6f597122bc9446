//! The same graph with its weights as plain numbers, for algorithms that add edge weights up.
//!
//! Invariant: nodes, edges and their order are those of the graph within.

use petgraph::Directed;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, GraphRef, IntoEdgeReferences, IntoEdges, IntoNeighbors,
    IntoNodeIdentifiers, NodeCount, NodeIndexable, Visitable,
};

use crate::associations::{Associations, EdgeId, LiveEdge, NodeEdges};
use crate::rows::Side;
use crate::visit::{NeighborsOf, NodeNumbers, Visited};

/// A graph whose edge weight is the bare `f32`, as `bellman_ford` and its kin require.
///
/// ```
/// use graph_index::{Edge, LayeredGraph, Overlay, Weighted};
/// use petgraph::algo::bellman_ford;
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// graph.put_edge(Edge { source: 0, target: 1, type_id: 0, weight: -2.5, confidence: 1.0 })?;
/// let paths = bellman_ford(Weighted(&graph), 0).expect("no negative cycle");
/// assert_eq!(paths.distances, [0.0, -2.5]);
/// # Ok::<(), graph_index::EdgeError>(())
/// ```
#[derive(Debug)]
pub struct Weighted<'g, G>(pub &'g G);

impl<G> Clone for Weighted<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<G> Copy for Weighted<'_, G> {}

/// An edge of a [`Weighted`] graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedEdge(pub LiveEdge);

impl EdgeRef for WeightedEdge {
    type NodeId = u32;
    type EdgeId = EdgeId;
    type Weight = f32;

    fn source(&self) -> u32 {
        self.0.source
    }

    fn target(&self) -> u32 {
        self.0.target
    }

    fn weight(&self) -> &f32 {
        &self.0.weight.weight
    }

    fn id(&self) -> EdgeId {
        self.0.id
    }
}

impl<G> GraphBase for Weighted<'_, G> {
    type NodeId = u32;
    type EdgeId = EdgeId;
}

impl<G> GraphRef for Weighted<'_, G> {}

impl<G> GraphProp for Weighted<'_, G> {
    type EdgeType = Directed;
}

impl<G> Data for Weighted<'_, G> {
    type NodeWeight = ();
    type EdgeWeight = f32;
}

impl<G: Associations> NodeCount for Weighted<'_, G> {
    fn node_count(&self) -> usize {
        self.0.known_nodes().len() as usize
    }
}

impl<G: Associations> NodeIndexable for Weighted<'_, G> {
    fn node_bound(&self) -> usize {
        self.0.number_bound() as usize
    }

    fn to_index(&self, node: u32) -> usize {
        node as usize
    }

    fn from_index(&self, index: usize) -> u32 {
        u32::try_from(index).expect("an index below node_bound is a node number")
    }
}

impl<G> Visitable for Weighted<'_, G> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited::default()
    }

    fn reset_map(&self, map: &mut Visited) {
        map.reset();
    }
}

impl<'g, G: Associations> IntoNeighbors for Weighted<'g, G> {
    type Neighbors = NeighborsOf<'g, G>;

    fn neighbors(self, node: u32) -> Self::Neighbors {
        self.0.hops(node, Side::Out).map(|hop| hop.neighbor)
    }
}

impl<'g, G: Associations> IntoEdgeReferences for Weighted<'g, G> {
    type EdgeRef = WeightedEdge;
    type EdgeReferences = std::iter::Map<G::LiveEdges<'g>, fn(LiveEdge) -> WeightedEdge>;

    fn edge_references(self) -> Self::EdgeReferences {
        self.0.live_edges().map(WeightedEdge)
    }
}

impl<'g, G: Associations> IntoEdges for Weighted<'g, G> {
    type Edges = std::iter::Map<NodeEdges<'g, G>, fn(LiveEdge) -> WeightedEdge>;

    fn edges(self, node: u32) -> Self::Edges {
        NodeEdges::new(self.0, node, Side::Out).map(WeightedEdge)
    }
}

impl<'g, G: Associations> IntoNodeIdentifiers for Weighted<'g, G> {
    type NodeIdentifiers = NodeNumbers<'g>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.0.known_nodes().iter()
    }
}
