//! A copy with nodes renumbered `0..n`, for algorithms that index arrays by node.
//!
//! Invariant: index order is number order, and edges come by `(source, target, type_id)`: the copy is
//! the graph it was made from in all but the names of its nodes.

use std::iter::Map;
use std::ops::Range;

use petgraph::Directed;
use petgraph::Direction as PetDirection;
use petgraph::data::DataMap;
use petgraph::visit::{
    Data, EdgeCount, EdgeIndexable, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges,
    IntoEdgesDirected, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers,
    IntoNodeReferences, NodeCompactIndexable, NodeCount, NodeIndexable, Visitable,
};

use crate::associations::{Associations, EdgeWeight, LiveEdge};
use crate::visit::Visited;

/// An owned copy of a graph whose nodes are `0..n`.
///
/// Where petgraph wants [`NodeCompactIndexable`], or keeps arrays as long as the largest node number,
/// this is the graph to give it. `W` is what an edge weighs; [`from_fn`](Self::from_fn) chooses.
///
/// ```
/// use graph_index::{CompactGraph, Edge, LayeredGraph, Overlay};
/// use petgraph::algo::page_rank;
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// for (source, target) in [(70, 900), (80, 900)] {
///     graph.put_edge(Edge { source, target, type_id: 0, weight: 1.0, confidence: 1.0 })?;
/// }
/// let compact = CompactGraph::new(&graph);
/// let ranks = page_rank(&compact, 0.85_f64, 20);
/// let best = (0..3).max_by(|&a, &b| ranks[a as usize].total_cmp(&ranks[b as usize]));
/// assert_eq!(best.map(|index| compact.number(index)), Some(900));
/// # Ok::<(), graph_index::EdgeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CompactGraph<W = EdgeWeight> {
    numbers: Vec<u32>,
    edges: Vec<CompactEdge<W>>,
    /// `edges[out_offsets[i]..out_offsets[i + 1]]` leave node `i`.
    out_offsets: Vec<u32>,
    /// `in_edges[in_offsets[i]..in_offsets[i + 1]]` are the positions of the edges that enter `i`.
    in_offsets: Vec<u32>,
    in_edges: Vec<u32>,
}

/// An edge of a [`CompactGraph`], and its reference for petgraph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactEdge<W = EdgeWeight> {
    /// Position among the edges.
    pub id: u32,
    /// Index of the node the edge leaves.
    pub source: u32,
    /// Index of the node the edge enters.
    pub target: u32,
    /// What the edge weighs.
    pub weight: W,
}

impl CompactGraph {
    /// Copies the live edges and known nodes of `graph`.
    ///
    /// # Panics
    ///
    /// For more than `u32::MAX` edges.
    #[must_use]
    pub fn new(graph: &impl Associations) -> Self {
        Self::from_fn(graph, |edge| edge.weight)
    }
}

impl<W> CompactGraph<W> {
    /// The same, each edge weighing what `weight` says.
    ///
    /// # Panics
    ///
    /// For more than `u32::MAX` edges.
    #[must_use]
    pub fn from_fn(graph: &impl Associations, mut weight: impl FnMut(&LiveEdge) -> W) -> Self {
        let numbers: Vec<u32> = graph.known_nodes().iter().collect();
        let index = |number: u32| numbers.binary_search(&number).map(|index| index as u32);
        let mut edges: Vec<CompactEdge<W>> = Vec::with_capacity(graph.live_edge_count());
        for edge in graph.live_edges() {
            // Both ends of a live edge are known, unless the bytes it was read from are corrupt.
            let (Ok(source), Ok(target)) = (index(edge.source), index(edge.target)) else {
                continue;
            };
            let id = u32::try_from(edges.len()).expect("edge ids are 32 bits wide");
            edges.push(CompactEdge { id, source, target, weight: weight(&edge) });
        }
        let out_offsets = offsets(edges.iter().map(|edge| edge.source), numbers.len());
        let in_offsets = offsets(edges.iter().map(|edge| edge.target), numbers.len());
        let mut next = in_offsets.clone();
        let mut in_edges = vec![0; edges.len()];
        for edge in &edges {
            let slot = &mut next[edge.target as usize];
            in_edges[*slot as usize] = edge.id;
            *slot += 1;
        }
        Self { numbers, edges, out_offsets, in_offsets, in_edges }
    }

    /// The store-wide number of the node at `index`.
    ///
    /// # Panics
    ///
    /// When `index` is not below the number of nodes.
    #[must_use]
    pub fn number(&self, index: u32) -> u32 {
        self.numbers[index as usize]
    }

    /// The index of the node with that store-wide number.
    #[must_use]
    pub fn index(&self, number: u32) -> Option<u32> {
        self.numbers.binary_search(&number).ok().map(|index| index as u32)
    }

    fn row(&self, node: u32, direction: PetDirection) -> Range<usize> {
        let offsets = match direction {
            PetDirection::Outgoing => &self.out_offsets,
            PetDirection::Incoming => &self.in_offsets,
        };
        let at = |row: usize| offsets[row] as usize;
        at(node as usize)..at(node as usize + 1)
    }
}

/// Where each of `rows` rows begins, and at the end where the last one stops.
fn offsets(keys: impl Iterator<Item = u32>, rows: usize) -> Vec<u32> {
    let mut offsets = vec![0; rows + 1];
    for key in keys {
        offsets[key as usize + 1] += 1;
    }
    for row in 0..rows {
        offsets[row + 1] += offsets[row];
    }
    offsets
}

impl<W: Copy> EdgeRef for CompactEdge<W> {
    type NodeId = u32;
    type EdgeId = u32;
    type Weight = W;

    fn source(&self) -> u32 {
        self.source
    }

    fn target(&self) -> u32 {
        self.target
    }

    fn weight(&self) -> &W {
        &self.weight
    }

    fn id(&self) -> u32 {
        self.id
    }
}

/// Edges of one node of a [`CompactGraph`].
#[derive(Debug, Clone)]
pub struct CompactEdges<'g, W> {
    graph: &'g CompactGraph<W>,
    row: Range<usize>,
    direction: PetDirection,
}

impl<W: Copy> Iterator for CompactEdges<'_, W> {
    type Item = CompactEdge<W>;

    fn next(&mut self) -> Option<CompactEdge<W>> {
        let position = self.row.next()?;
        let edge = match self.direction {
            PetDirection::Outgoing => position,
            PetDirection::Incoming => self.graph.in_edges[position] as usize,
        };
        Some(self.graph.edges[edge])
    }
}

/// Neighbors of one node of a [`CompactGraph`], one for each edge.
#[derive(Debug, Clone)]
pub struct CompactNeighbors<'g, W>(CompactEdges<'g, W>);

impl<W: Copy> Iterator for CompactNeighbors<'_, W> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let edge = self.0.next()?;
        Some(match self.0.direction {
            PetDirection::Outgoing => edge.target,
            PetDirection::Incoming => edge.source,
        })
    }
}

impl<W> GraphBase for CompactGraph<W> {
    type NodeId = u32;
    type EdgeId = u32;
}

impl<W> GraphProp for CompactGraph<W> {
    type EdgeType = Directed;
}

impl<W> Data for CompactGraph<W> {
    type NodeWeight = ();
    type EdgeWeight = W;
}

impl<W> DataMap for CompactGraph<W> {
    fn node_weight(&self, node: u32) -> Option<&()> {
        ((node as usize) < self.numbers.len()).then_some(&())
    }

    fn edge_weight(&self, edge: u32) -> Option<&W> {
        self.edges.get(edge as usize).map(|edge| &edge.weight)
    }
}

impl<W> NodeCount for CompactGraph<W> {
    fn node_count(&self) -> usize {
        self.numbers.len()
    }
}

impl<W> EdgeCount for CompactGraph<W> {
    fn edge_count(&self) -> usize {
        self.edges.len()
    }
}

impl<W> NodeIndexable for CompactGraph<W> {
    fn node_bound(&self) -> usize {
        self.numbers.len()
    }

    fn to_index(&self, node: u32) -> usize {
        node as usize
    }

    fn from_index(&self, index: usize) -> u32 {
        u32::try_from(index).expect("an index below node_bound fits")
    }
}

impl<W> NodeCompactIndexable for CompactGraph<W> {}

impl<W> EdgeIndexable for CompactGraph<W> {
    fn edge_bound(&self) -> usize {
        self.edges.len()
    }

    fn to_index(&self, edge: u32) -> usize {
        edge as usize
    }

    fn from_index(&self, index: usize) -> u32 {
        u32::try_from(index).expect("an index below edge_bound fits")
    }
}

impl<W> Visitable for CompactGraph<W> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited::default()
    }

    fn reset_map(&self, map: &mut Visited) {
        map.reset();
    }
}

impl<'g, W: Copy> IntoNeighbors for &'g CompactGraph<W> {
    type Neighbors = CompactNeighbors<'g, W>;

    fn neighbors(self, node: u32) -> Self::Neighbors {
        self.neighbors_directed(node, PetDirection::Outgoing)
    }
}

impl<'g, W: Copy> IntoNeighborsDirected for &'g CompactGraph<W> {
    type NeighborsDirected = CompactNeighbors<'g, W>;

    fn neighbors_directed(self, node: u32, direction: PetDirection) -> Self::NeighborsDirected {
        CompactNeighbors(self.edges_directed(node, direction))
    }
}

impl<'g, W: Copy> IntoEdgeReferences for &'g CompactGraph<W> {
    type EdgeRef = CompactEdge<W>;
    type EdgeReferences = std::iter::Copied<std::slice::Iter<'g, CompactEdge<W>>>;

    fn edge_references(self) -> Self::EdgeReferences {
        self.edges.iter().copied()
    }
}

impl<'g, W: Copy> IntoEdges for &'g CompactGraph<W> {
    type Edges = CompactEdges<'g, W>;

    fn edges(self, node: u32) -> Self::Edges {
        self.edges_directed(node, PetDirection::Outgoing)
    }
}

impl<'g, W: Copy> IntoEdgesDirected for &'g CompactGraph<W> {
    type EdgesDirected = CompactEdges<'g, W>;

    fn edges_directed(self, node: u32, direction: PetDirection) -> Self::EdgesDirected {
        CompactEdges { graph: self, row: self.row(node, direction), direction }
    }
}

impl<W> IntoNodeIdentifiers for &CompactGraph<W> {
    type NodeIdentifiers = Range<u32>;

    fn node_identifiers(self) -> Range<u32> {
        0..self.numbers.len() as u32
    }
}

impl<W> IntoNodeReferences for &CompactGraph<W> {
    type NodeRef = (u32, ());
    type NodeReferences = Map<Range<u32>, fn(u32) -> (u32, ())>;

    fn node_references(self) -> Self::NodeReferences {
        self.node_identifiers().map(|node| (node, ()))
    }
}
