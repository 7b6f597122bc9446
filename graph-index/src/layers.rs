//! Several encoded graphs, each with a set of dead edges, read as one.
//!
//! Invariant: layering never shows in an answer. Edges come in the order of their keys, merged across
//! layers, so the same live edges give the same iteration however they are spread over layers.

use std::sync::OnceLock;

use roaring::RoaringBitmap;

use crate::associations::{Associations, EdgeId, EdgeWeight, Hop, LiveEdge};
use crate::merge::Merge;
use crate::rows::{Row, RowHop, Side};
use crate::view::{EdgeRef, GraphView, ViewEdges};

/// One part of a layered graph.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The encoded edges.
    pub view: GraphView<'a>,
    /// Ids of the edges that no longer count.
    pub dead_edges: Option<&'a RoaringBitmap>,
}

impl Layer<'_> {
    fn is_live(&self, edge: u32) -> bool {
        self.dead_edges.is_none_or(|dead| !dead.contains(edge))
    }

    fn live_count(&self) -> usize {
        let all = self.view.edge_count();
        let dead = self.dead_edges.map_or(0, |dead| dead.range_cardinality(0..all));
        all as usize - dead as usize
    }
}

/// The union of the live edges of several layers.
///
/// A key is to be live in at most one layer: whoever puts a newer edge in one marks the older dead in
/// the other. Where that is broken, both edges appear.
///
/// ```
/// use graph_index::{Associations, Edge, GraphBuilder, GraphView, Layer, LayeredGraph};
/// use roaring::RoaringBitmap;
///
/// let mut old = GraphBuilder::new();
/// old.push(Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 0.5 });
/// old.push(Edge { source: 1, target: 3, type_id: 0, weight: 1.0, confidence: 0.5 });
/// let old = old.finish()?;
/// let mut new = GraphBuilder::new();
/// new.push(Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 0.9 });
/// let new = new.finish()?;
///
/// let superseded = RoaringBitmap::from([0]);
/// let graph = LayeredGraph::new(vec![
///     Layer { view: GraphView::parse(&old)?, dead_edges: Some(&superseded) },
///     Layer { view: GraphView::parse(&new)?, dead_edges: None },
/// ]);
/// let confidences: Vec<f32> = graph.out_edges(1).map(|edge| edge.weight.confidence).collect();
/// assert_eq!(confidences, [0.9, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct LayeredGraph<'a> {
    layers: Vec<Layer<'a>>,
    explicit: Option<&'a RoaringBitmap>,
    /// The known nodes, found at first need: one pass over the rows.
    nodes: OnceLock<RoaringBitmap>,
}

impl<'a> LayeredGraph<'a> {
    /// The live union of `layers`; at most `u32::MAX - 1` of them.
    ///
    /// # Complexity
    ///
    /// `O(1)`. [`Associations::known_nodes`] and what builds on it (node counts and identifiers) pass once
    /// over all rows at first use, and are remembered.
    #[must_use]
    pub const fn new(layers: Vec<Layer<'a>>) -> Self {
        Self { layers, explicit: None, nodes: OnceLock::new() }
    }

    /// The same, with `nodes` known even where they have no edge.
    #[must_use]
    pub const fn with_nodes(layers: Vec<Layer<'a>>, nodes: &'a RoaringBitmap) -> Self {
        Self { layers, explicit: Some(nodes), nodes: OnceLock::new() }
    }

    /// The layers.
    #[must_use]
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers
    }

    /// Whether `node` is in the set given to [`with_nodes`](Self::with_nodes).
    pub(crate) fn is_explicit(&self, node: u32) -> bool {
        self.explicit.is_some_and(|nodes| nodes.contains(node))
    }

    fn find_nodes(&self) -> RoaringBitmap {
        let mut nodes = self.explicit.cloned().unwrap_or_default();
        for layer in &self.layers {
            for side in [Side::Out, Side::In] {
                for (node, mut row) in layer.view.rows(side) {
                    if row.any(|hop| layer.is_live(hop.edge)) {
                        nodes.insert(node);
                    }
                }
            }
        }
        nodes
    }
}

impl<'a> From<GraphView<'a>> for LayeredGraph<'a> {
    fn from(view: GraphView<'a>) -> Self {
        Self::new(vec![Layer { view, dead_edges: None }])
    }
}

impl Associations for LayeredGraph<'_> {
    type Hops<'g>
        = LayeredHops<'g>
    where
        Self: 'g;
    type LiveEdges<'g>
        = LayeredEdges<'g>
    where
        Self: 'g;

    fn hops(&self, node: u32, side: Side) -> LayeredHops<'_> {
        let rows = (0..).zip(&self.layers).filter_map(|(number, layer)| {
            let row = layer.view.row(node, side);
            (row.len() > 0).then_some(LayerHops { row, dead: layer.dead_edges, layer: number })
        });
        LayeredHops(Merge::new(rows))
    }

    fn edge_of(&self, node: u32, side: Side, hop: Hop) -> Option<LiveEdge> {
        let view = &self.layers.get(hop.id.layer as usize)?.view;
        let row_hop = RowHop {
            neighbor: hop.neighbor,
            type_id: hop.type_id,
            confidence: hop.confidence,
            edge: hop.id.edge,
        };
        Some(live_edge(view.complete(node, side, row_hop)?, hop.id.layer))
    }

    fn live_edge(&self, id: EdgeId) -> Option<LiveEdge> {
        let layer = self.layers.get(id.layer as usize).filter(|layer| layer.is_live(id.edge))?;
        Some(live_edge(layer.view.edge(id.edge)?, id.layer))
    }

    fn find_edge(&self, source: u32, target: u32, type_id: u32) -> Option<EdgeId> {
        (0..).zip(&self.layers).find_map(|(number, layer)| {
            let edge = layer.view.find(source, target, type_id)?;
            layer.is_live(edge).then_some(EdgeId { layer: number, edge })
        })
    }

    fn live_edges(&self) -> LayeredEdges<'_> {
        let layers = (0..).zip(&self.layers).map(|(number, layer)| LayerEdges {
            edges: layer.view.edges(),
            dead: layer.dead_edges,
            layer: number,
        });
        LayeredEdges(Merge::new(layers))
    }

    fn live_edge_count(&self) -> usize {
        self.layers.iter().map(Layer::live_count).sum()
    }

    fn known_nodes(&self) -> &RoaringBitmap {
        self.nodes.get_or_init(|| self.find_nodes())
    }

    fn is_known(&self, node: u32) -> bool {
        self.is_explicit(node)
            || [Side::Out, Side::In].into_iter().any(|side| self.hops(node, side).next().is_some())
    }

    fn number_bound(&self) -> u32 {
        let explicit = self.explicit.and_then(RoaringBitmap::max);
        let explicit_bound = explicit.map_or(0, |largest| largest.saturating_add(1));
        let bounds = self.layers.iter().map(|layer| layer.view.node_bound());
        bounds.fold(explicit_bound, u32::max)
    }
}

fn live_edge(edge: EdgeRef, layer: u32) -> LiveEdge {
    LiveEdge {
        id: EdgeId { layer, edge: edge.id },
        source: edge.source,
        target: edge.target,
        weight: EdgeWeight {
            type_id: edge.type_id,
            weight: edge.weight,
            confidence: edge.confidence,
        },
    }
}

/// Hops of one node over all layers; see [`Associations::hops`].
#[derive(Debug, Clone)]
pub struct LayeredHops<'g>(Merge<LayerHops<'g>>);

impl Iterator for LayeredHops<'_> {
    type Item = Hop;

    #[inline]
    fn next(&mut self) -> Option<Hop> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

#[derive(Debug, Clone)]
struct LayerHops<'g> {
    row: Row<'g>,
    dead: Option<&'g RoaringBitmap>,
    layer: u32,
}

impl Iterator for LayerHops<'_> {
    type Item = Hop;

    #[inline]
    fn next(&mut self) -> Option<Hop> {
        let dead = self.dead;
        let hop = self.row.find(|hop| dead.is_none_or(|dead| !dead.contains(hop.edge)))?;
        Some(Hop {
            neighbor: hop.neighbor,
            type_id: hop.type_id,
            confidence: hop.confidence,
            id: EdgeId { layer: self.layer, edge: hop.edge },
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.row.len();
        (if self.dead.is_none() { most } else { 0 }, Some(most))
    }
}

/// All live edges over all layers; see [`Associations::live_edges`].
#[derive(Debug, Clone)]
pub struct LayeredEdges<'g>(Merge<LayerEdges<'g>>);

impl Iterator for LayeredEdges<'_> {
    type Item = LiveEdge;

    fn next(&mut self) -> Option<LiveEdge> {
        self.0.next()
    }
}

#[derive(Debug, Clone)]
struct LayerEdges<'g> {
    edges: ViewEdges<'g>,
    dead: Option<&'g RoaringBitmap>,
    layer: u32,
}

impl Iterator for LayerEdges<'_> {
    type Item = LiveEdge;

    fn next(&mut self) -> Option<LiveEdge> {
        let dead = self.dead;
        let edge = self.edges.find(|edge| dead.is_none_or(|dead| !dead.contains(edge.id)))?;
        Some(live_edge(edge, self.layer))
    }
}
