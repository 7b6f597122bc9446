//! petgraph's visit traits over the graphs of this crate.
//!
//! Invariant: what the traits enumerate is exactly what [`Associations`] does, in the same order.
//! `GetAdjacencyMatrix` is left out on purpose: it costs a bit for each pair of nodes. So is
//! `NodeCompactIndexable`, which is not true of store numbers: see [`CompactGraph`](crate::CompactGraph).
//!
//! petgraph trusts a graph to keep to its own bounds. Over bytes of doubtful origin, run
//! [`GraphView::check`](crate::GraphView::check) first, or go through `CompactGraph`.

use std::iter::Map;

use petgraph::Directed;
use petgraph::Direction as PetDirection;
use petgraph::visit::{
    Data, EdgeCount, EdgeIndexable, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges,
    IntoEdgesDirected, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers,
    IntoNodeReferences, NodeCount, NodeIndexable, VisitMap, Visitable,
};
use roaring::RoaringBitmap;

use crate::associations::{Associations, EdgeId, EdgeWeight, Hop, LiveEdge, NodeEdges};
use crate::layers::LayeredGraph;
use crate::overlay::Overlay;
use crate::rows::Side;

/// Visited nodes: as large as what was visited, not as the largest number.
#[derive(Debug, Clone, Default)]
pub struct Visited(RoaringBitmap);

impl VisitMap<u32> for Visited {
    fn visit(&mut self, node: u32) -> bool {
        self.0.insert(node)
    }

    fn is_visited(&self, node: &u32) -> bool {
        self.0.contains(*node)
    }

    fn unvisit(&mut self, node: u32) -> bool {
        self.0.remove(node)
    }
}

impl Visited {
    /// Forgets every visit.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
    }
}

impl EdgeRef for LiveEdge {
    type NodeId = u32;
    type EdgeId = EdgeId;
    type Weight = EdgeWeight;

    fn source(&self) -> u32 {
        self.source
    }

    fn target(&self) -> u32 {
        self.target
    }

    fn weight(&self) -> &EdgeWeight {
        &self.weight
    }

    fn id(&self) -> EdgeId {
        self.id
    }
}

impl From<PetDirection> for Side {
    fn from(direction: PetDirection) -> Self {
        match direction {
            PetDirection::Outgoing => Self::Out,
            PetDirection::Incoming => Self::In,
        }
    }
}

/// The neighbors of a node, one for each edge.
pub type NeighborsOf<'g, G> = Map<<G as Associations>::Hops<'g>, fn(Hop) -> u32>;
/// The known nodes, ascending.
pub type NodeNumbers<'g> = roaring::bitmap::Iter<'g>;
/// The known nodes, ascending, each with its empty weight.
pub type NodeReferencesOf<'g> = Map<NodeNumbers<'g>, fn(u32) -> (u32, ())>;

/// The trait impls of a graph that is [`Associations`] and knows an `edge_bound`.
macro_rules! visit_traits {
    ($graph:ident) => {
        impl GraphBase for $graph<'_> {
            type NodeId = u32;
            type EdgeId = EdgeId;
        }

        impl GraphProp for $graph<'_> {
            type EdgeType = Directed;
        }

        impl Data for $graph<'_> {
            type NodeWeight = ();
            type EdgeWeight = EdgeWeight;
        }

        impl NodeCount for $graph<'_> {
            fn node_count(&self) -> usize {
                self.known_nodes().len() as usize
            }
        }

        impl EdgeCount for $graph<'_> {
            fn edge_count(&self) -> usize {
                self.live_edge_count()
            }
        }

        impl NodeIndexable for $graph<'_> {
            fn node_bound(&self) -> usize {
                self.number_bound() as usize
            }

            fn to_index(&self, node: u32) -> usize {
                node as usize
            }

            fn from_index(&self, index: usize) -> u32 {
                u32::try_from(index).expect("an index below node_bound is a node number")
            }
        }

        impl Visitable for $graph<'_> {
            type Map = Visited;

            fn visit_map(&self) -> Visited {
                Visited::default()
            }

            fn reset_map(&self, map: &mut Visited) {
                map.reset();
            }
        }

        impl<'g, 'a> IntoNeighbors for &'g $graph<'a> {
            type Neighbors = NeighborsOf<'g, $graph<'a>>;

            fn neighbors(self, node: u32) -> Self::Neighbors {
                self.hops(node, Side::Out).map(|hop| hop.neighbor)
            }
        }

        impl<'g, 'a> IntoNeighborsDirected for &'g $graph<'a> {
            type NeighborsDirected = NeighborsOf<'g, $graph<'a>>;

            fn neighbors_directed(self, node: u32, direction: PetDirection) -> Self::Neighbors {
                self.hops(node, direction.into()).map(|hop| hop.neighbor)
            }
        }

        impl<'g, 'a> IntoEdgeReferences for &'g $graph<'a> {
            type EdgeRef = LiveEdge;
            type EdgeReferences = <$graph<'a> as Associations>::LiveEdges<'g>;

            fn edge_references(self) -> Self::EdgeReferences {
                self.live_edges()
            }
        }

        impl<'g, 'a> IntoEdges for &'g $graph<'a> {
            type Edges = NodeEdges<'g, $graph<'a>>;

            fn edges(self, node: u32) -> Self::Edges {
                NodeEdges::new(self, node, Side::Out)
            }
        }

        impl<'g, 'a> IntoEdgesDirected for &'g $graph<'a> {
            type EdgesDirected = NodeEdges<'g, $graph<'a>>;

            fn edges_directed(self, node: u32, direction: PetDirection) -> Self::EdgesDirected {
                NodeEdges::new(self, node, direction.into())
            }
        }

        impl<'g> IntoNodeIdentifiers for &'g $graph<'_> {
            type NodeIdentifiers = NodeNumbers<'g>;

            fn node_identifiers(self) -> Self::NodeIdentifiers {
                self.known_nodes().iter()
            }
        }

        impl<'g> IntoNodeReferences for &'g $graph<'_> {
            type NodeRef = (u32, ());
            type NodeReferences = NodeReferencesOf<'g>;

            fn node_references(self) -> Self::NodeReferences {
                self.known_nodes().iter().map(|node| (node, ()))
            }
        }
    };
}

visit_traits!(LayeredGraph);
visit_traits!(Overlay);

impl EdgeIndexable for LayeredGraph<'_> {
    fn edge_bound(&self) -> usize {
        self.layers().iter().map(|layer| layer.view.edge_count() as usize).sum()
    }

    fn to_index(&self, id: EdgeId) -> usize {
        let before = &self.layers()[..id.layer as usize];
        let edges_before: usize = before.iter().map(|layer| layer.view.edge_count() as usize).sum();
        edges_before + id.edge as usize
    }

    fn from_index(&self, index: usize) -> EdgeId {
        let mut edge = index;
        for (layer, part) in (0..).zip(self.layers()) {
            let edge_count = part.view.edge_count() as usize;
            if edge < edge_count {
                return EdgeId { layer, edge: edge as u32 };
            }
            edge -= edge_count;
        }
        panic!("edge index {index} is not below {}", self.edge_bound());
    }
}

impl EdgeIndexable for Overlay<'_> {
    fn edge_bound(&self) -> usize {
        self.base().edge_bound() + self.slot_count()
    }

    fn to_index(&self, id: EdgeId) -> usize {
        if id.layer == EdgeId::OVERLAY {
            self.base().edge_bound() + id.edge as usize
        } else {
            EdgeIndexable::to_index(self.base(), id)
        }
    }

    fn from_index(&self, index: usize) -> EdgeId {
        match index.checked_sub(self.base().edge_bound()) {
            Some(edge) => EdgeId { layer: EdgeId::OVERLAY, edge: edge as u32 },
            None => EdgeIndexable::from_index(self.base(), index),
        }
    }
}
