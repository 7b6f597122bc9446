//! Changes on top of a layered graph, seen at once: an open transaction's own writes.
//!
//! Invariant: `outgoing` and `incoming` hold the same changes, keyed from either end; a change says
//! what is now true of its key, whatever the layers below say. An edge that is in no layer and was
//! removed again leaves no change behind.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::sync::OnceLock;

use roaring::RoaringBitmap;

use crate::associations::{Associations, EdgeId, EdgeWeight, Hop, LiveEdge};
use crate::edge::{Edge, EdgeError, EdgeKey};
use crate::layers::{LayeredEdges, LayeredGraph, LayeredHops};
use crate::rows::Side;

/// What is true of a key: the slot that holds the edge, or `None` when it was removed.
type Change = Option<u32>;

/// A layered graph with edges added, updated and removed, and nodes added and removed.
///
/// ```
/// use graph_index::{Associations, Direction, Edge, LayeredGraph, Overlay, Put};
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// let edge = Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 0.5 };
/// assert_eq!(graph.put_edge(edge)?, Put::Added);
/// assert_eq!(graph.put_edge(Edge { confidence: 0.7, ..edge })?, Put::Updated);
/// assert_eq!(graph.neighbors_distinct(1, Direction::Outgoing, None), [2]);
/// assert!(graph.remove_edge(1, 2, 0));
/// assert_eq!(graph.live_edge_count(), 0);
/// # Ok::<(), graph_index::EdgeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Overlay<'a> {
    base: LayeredGraph<'a>,
    /// By `(source, target, type_id)`.
    outgoing: BTreeMap<EdgeKey, Change>,
    /// By `(target, source, type_id)`.
    incoming: BTreeMap<EdgeKey, Change>,
    /// Edges added or updated, some of them dead by now; the position is the edge's id.
    slots: Vec<Edge>,
    added_nodes: RoaringBitmap,
    removed_nodes: RoaringBitmap,
    edge_count: usize,
    /// Found at first need, forgotten at each change.
    nodes: OnceLock<RoaringBitmap>,
}

/// What putting an edge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was no edge with that key.
    Added,
    /// There was one, and the new one stands in its place.
    Updated,
}

impl<'a> Overlay<'a> {
    /// An overlay without changes.
    #[must_use]
    pub fn new(base: LayeredGraph<'a>) -> Self {
        let edge_count = base.live_edge_count();
        Self { base, edge_count, ..Self::default() }
    }

    /// The graph below the changes.
    #[must_use]
    pub const fn base(&self) -> &LayeredGraph<'a> {
        &self.base
    }

    /// Adds an edge, or replaces the one with its key. Its ends become known.
    ///
    /// # Errors
    ///
    /// What [`Edge::validate`] says.
    ///
    /// # Panics
    ///
    /// After `u32::MAX` puts.
    pub fn put_edge(&mut self, edge: Edge) -> Result<Put, EdgeError> {
        edge.validate()?;
        let (source, target, type_id) = edge.key();
        let put = if self.find_edge(source, target, type_id).is_some() {
            Put::Updated
        } else {
            self.edge_count += 1;
            Put::Added
        };
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 changes fit in memory");
        self.slots.push(edge);
        self.outgoing.insert((source, target, type_id), Some(slot));
        self.incoming.insert((target, source, type_id), Some(slot));
        self.nodes = OnceLock::new();
        Ok(put)
    }

    /// Removes an edge; `false` when there is none with that key.
    pub fn remove_edge(&mut self, source: u32, target: u32, type_id: u32) -> bool {
        if self.find_edge(source, target, type_id).is_none() {
            return false;
        }
        if self.base.find_edge(source, target, type_id).is_some() {
            self.outgoing.insert((source, target, type_id), None);
            self.incoming.insert((target, source, type_id), None);
        } else {
            self.outgoing.remove(&(source, target, type_id));
            self.incoming.remove(&(target, source, type_id));
        }
        // Rows of corrupt bytes may hold more edges than their graph counts.
        self.edge_count = self.edge_count.saturating_sub(1);
        self.nodes = OnceLock::new();
        true
    }

    /// Makes a node known without an edge.
    ///
    /// # Panics
    ///
    /// For [`RESERVED_NODE`](crate::RESERVED_NODE).
    pub fn add_node(&mut self, node: u32) {
        assert_ne!(node, crate::RESERVED_NODE, "the reserved number names no node");
        self.added_nodes.insert(node);
        self.removed_nodes.remove(node);
        self.nodes = OnceLock::new();
    }

    /// Removes a node with all its edges and returns how many those were.
    pub fn remove_node(&mut self, node: u32) -> usize {
        let mut keys: Vec<EdgeKey> = self.out_edges(node).map(|edge| edge.key()).collect();
        keys.extend(self.in_edges(node).map(|edge| edge.key()));
        let removed = keys.into_iter().filter(|&(source, target, type_id)| {
            // An edge from a node to itself is found from both ends, and removed once.
            self.remove_edge(source, target, type_id)
        });
        let removed = removed.count();
        self.added_nodes.remove(node);
        self.removed_nodes.insert(node);
        self.nodes = OnceLock::new();
        removed
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    fn changes(&self, side: Side) -> &BTreeMap<EdgeKey, Change> {
        match side {
            Side::Out => &self.outgoing,
            Side::In => &self.incoming,
        }
    }

    fn find_nodes(&self) -> RoaringBitmap {
        let mut nodes = self.base.known_nodes().clone();
        let touched = self.outgoing.keys().flat_map(|&(source, target, _)| [source, target]);
        for node in touched.chain(&self.removed_nodes).chain(&self.added_nodes) {
            if self.is_known(node) {
                nodes.insert(node);
            } else {
                nodes.remove(node);
            }
        }
        nodes
    }

    fn slot_edge(&self, slot: u32) -> LiveEdge {
        live_edge(&self.slots, slot)
    }
}

fn live_edge(slots: &[Edge], slot: u32) -> LiveEdge {
    let Edge { source, target, type_id, weight, confidence } = slots[slot as usize];
    LiveEdge {
        id: EdgeId { layer: EdgeId::OVERLAY, edge: slot },
        source,
        target,
        weight: EdgeWeight { type_id, weight, confidence },
    }
}

impl Associations for Overlay<'_> {
    type Hops<'g>
        = OverlayHops<'g>
    where
        Self: 'g;
    type LiveEdges<'g>
        = OverlayEdges<'g>
    where
        Self: 'g;

    fn hops(&self, node: u32, side: Side) -> OverlayHops<'_> {
        let changes = self.changes(side).range((node, 0, 0)..=(node, u32::MAX, u32::MAX));
        OverlayHops {
            base: self.base.hops(node, side).peekable(),
            changes: changes.peekable(),
            slots: &self.slots,
        }
    }

    fn edge_of(&self, node: u32, side: Side, hop: Hop) -> Option<LiveEdge> {
        if hop.id.layer == EdgeId::OVERLAY {
            Some(self.slot_edge(hop.id.edge))
        } else {
            self.base.edge_of(node, side, hop)
        }
    }

    fn live_edge(&self, id: EdgeId) -> Option<LiveEdge> {
        if id.layer == EdgeId::OVERLAY {
            let edge = self.slots.get(id.edge as usize)?;
            let current = self.outgoing.get(&edge.key()) == Some(&Some(id.edge));
            return current.then(|| self.slot_edge(id.edge));
        }
        self.base.live_edge(id).filter(|edge| !self.outgoing.contains_key(&edge.key()))
    }

    fn find_edge(&self, source: u32, target: u32, type_id: u32) -> Option<EdgeId> {
        match self.outgoing.get(&(source, target, type_id)) {
            Some(change) => change.map(|edge| EdgeId { layer: EdgeId::OVERLAY, edge }),
            None => self.base.find_edge(source, target, type_id),
        }
    }

    fn live_edges(&self) -> OverlayEdges<'_> {
        OverlayEdges {
            base: self.base.live_edges().peekable(),
            changes: self.outgoing.iter().peekable(),
            slots: &self.slots,
        }
    }

    fn live_edge_count(&self) -> usize {
        self.edge_count
    }

    fn known_nodes(&self) -> &RoaringBitmap {
        self.nodes.get_or_init(|| self.find_nodes())
    }

    fn is_known(&self, node: u32) -> bool {
        self.added_nodes.contains(node)
            || (self.base.is_explicit(node) && !self.removed_nodes.contains(node))
            || [Side::Out, Side::In].into_iter().any(|side| self.hops(node, side).next().is_some())
    }

    fn number_bound(&self) -> u32 {
        // No change and no added node has the reserved number, so one more never overflows.
        let ends = [&self.outgoing, &self.incoming].map(|changes| changes.last_key_value());
        let ends = ends.into_iter().flatten().map(|((node, ..), _)| node + 1);
        let added = self.added_nodes.max().map(|node| node + 1);
        ends.chain(added).fold(self.base.number_bound(), u32::max)
    }
}

/// Hops of one node of an overlay; see [`Associations::hops`].
#[derive(Debug, Clone)]
pub struct OverlayHops<'g> {
    base: Peekable<LayeredHops<'g>>,
    changes: Peekable<btree_map::Range<'g, EdgeKey, Change>>,
    slots: &'g [Edge],
}

impl Iterator for OverlayHops<'_> {
    type Item = Hop;

    fn next(&mut self) -> Option<Hop> {
        loop {
            let Some(&(&(_, neighbor, type_id), &change)) = self.changes.peek() else {
                return self.base.next();
            };
            let key = (neighbor, type_id);
            if let Some(hop) = self.base.next_if(|hop| (hop.neighbor, hop.type_id) < key) {
                return Some(hop);
            }
            // Every edge with the changed key is replaced, should the layers hold it twice.
            while self.base.next_if(|hop| (hop.neighbor, hop.type_id) == key).is_some() {}
            self.changes.next();
            if let Some(slot) = change {
                return Some(Hop {
                    neighbor,
                    type_id,
                    confidence: self.slots[slot as usize].confidence,
                    id: EdgeId { layer: EdgeId::OVERLAY, edge: slot },
                });
            }
        }
    }
}

/// All live edges of an overlay; see [`Associations::live_edges`].
#[derive(Debug, Clone)]
pub struct OverlayEdges<'g> {
    base: Peekable<LayeredEdges<'g>>,
    changes: Peekable<btree_map::Iter<'g, EdgeKey, Change>>,
    slots: &'g [Edge],
}

impl Iterator for OverlayEdges<'_> {
    type Item = LiveEdge;

    fn next(&mut self) -> Option<LiveEdge> {
        loop {
            let Some(&(&key, &change)) = self.changes.peek() else { return self.base.next() };
            if let Some(edge) = self.base.next_if(|edge| edge.key() < key) {
                return Some(edge);
            }
            while self.base.next_if(|edge| edge.key() == key).is_some() {}
            self.changes.next();
            if let Some(slot) = change {
                return Some(live_edge(self.slots, slot));
            }
        }
    }
}
