//! From edges in any order to the bytes of a graph.
//!
//! Invariant: equal sets of edges give equal bytes, whatever order they were pushed in.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{F32, U32, U64};

use crate::edge::{Edge, EdgeError, EdgeKey};
use crate::format::{
    HEADER_BYTES, Header, IN_LISTED, MAGIC, OUT_LISTED, RECORD_BYTES, Record, VERSION,
    directory_bytes, prefers_list,
};

/// Collects edges and encodes them.
///
/// ```
/// use graph_index::{Edge, GraphBuilder, GraphView};
///
/// let mut builder = GraphBuilder::new();
/// builder.push(Edge { source: 2, target: 1, type_id: 0, weight: 1.0, confidence: 0.5 });
/// builder.push(Edge { source: 1, target: 2, type_id: 7, weight: 2.0, confidence: 1.0 });
/// let bytes = builder.finish()?;
///
/// let view = GraphView::parse(&bytes)?;
/// assert_eq!(view.find(1, 2, 7), Some(0)); // edge ids follow (source, target, type_id)
/// assert_eq!(view.find(2, 1, 0), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct GraphBuilder {
    edges: Vec<Edge>,
}

/// Why edges can't be encoded.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An edge is not legal in any graph.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// Two edges have the same source, target and type.
    #[error("edge {key:?} was pushed twice")]
    Duplicate {
        /// `(source, target, type_id)` of both.
        key: EdgeKey,
    },
    /// More edges than 32-bit ids can name.
    #[error("{found} edges are more than one graph can hold")]
    TooManyEdges {
        /// Edges pushed.
        found: usize,
    },
}

impl GraphBuilder {
    /// An empty builder.
    #[must_use]
    pub const fn new() -> Self {
        Self { edges: Vec::new() }
    }

    /// An empty builder with room for `edge_count` edges.
    #[must_use]
    pub fn with_capacity(edge_count: usize) -> Self {
        Self { edges: Vec::with_capacity(edge_count) }
    }

    /// Adds an edge. Order doesn't matter; what is wrong with it is said by [`finish`](Self::finish).
    pub fn push(&mut self, edge: Edge) {
        self.edges.push(edge);
    }

    /// Number of edges pushed so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Whether nothing has been pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Encodes the edges.
    ///
    /// Edges are ordered by `(source, target, type_id)`, and an edge's position in that order is its
    /// *edge id*: a caller that keeps a record per edge keeps them in the same order.
    ///
    /// # Errors
    ///
    /// [`BuildError::Edge`] for the first edge pushed that [`Edge::validate`] refuses,
    /// [`BuildError::Duplicate`] for the lowest key pushed twice, [`BuildError::TooManyEdges`].
    ///
    /// # Complexity
    ///
    /// `O(e log e)` time, linear for edges pushed in order over dense nodes; some 32 bytes an edge beside
    /// the result.
    pub fn finish(self) -> Result<Vec<u8>, BuildError> {
        let mut edges = self.edges;
        for edge in &edges {
            edge.validate()?;
        }
        let too_many = BuildError::TooManyEdges { found: edges.len() };
        u32::try_from(edges.len()).map_err(|_| too_many)?;
        edges.sort_unstable_by_key(Edge::key);
        if let Some(pair) = edges.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
            return Err(BuildError::Duplicate { key: pair[0].key() });
        }
        let incoming = by_target(&edges);
        Ok(encode(&edges, &incoming))
    }
}

impl Extend<Edge> for GraphBuilder {
    fn extend<I: IntoIterator<Item = Edge>>(&mut self, edges: I) {
        self.edges.extend(edges);
    }
}

/// `(target, edge id)` of edges that are ordered by key, by target, then id: so a row of the in-side is
/// ordered by `(source, type_id)` by itself.
fn by_target(edges: &[Edge]) -> Vec<(u32, u32)> {
    let ids = (0_u32..).zip(edges).map(|(id, edge)| (edge.target, id));
    let Some(bound) = edges.iter().map(|edge| edge.target as usize + 1).max() else {
        return Vec::new();
    };
    if bound > edges.len().saturating_mul(8) {
        let mut incoming: Vec<(u32, u32)> = ids.collect();
        incoming.sort_unstable();
        return incoming;
    }
    // Targets are dense enough to be counted instead of compared.
    let mut next = vec![0_u32; bound + 1];
    for edge in edges {
        next[edge.target as usize + 1] += 1;
    }
    for target in 0..bound {
        next[target + 1] += next[target];
    }
    let mut incoming = vec![(0, 0); edges.len()];
    for (target, id) in ids {
        let place = &mut next[target as usize];
        incoming[*place as usize] = (target, id);
        *place += 1;
    }
    incoming
}

/// Where each node's row begins, for one side.
struct Directory {
    /// The nodes that have edges on this side, ascending.
    nodes: Vec<u32>,
    first: u32,
    listed: bool,
    offsets: Vec<U32>,
}

impl Directory {
    /// `keys` is the row key of each record, ascending; there are at most `u32::MAX`.
    fn new(keys: impl Iterator<Item = u32> + Clone) -> Self {
        let mut present: Vec<u32> = keys.clone().collect();
        let edge_count = present.len() as u32;
        present.dedup();
        let (Some(&first), Some(&last)) = (present.first(), present.last()) else {
            return Self { nodes: present, first: 0, listed: false, offsets: vec![U32::ZERO] };
        };
        let listed = prefers_list(present.len() as u64, u64::from(last - first) + 1);
        let mut offsets = Vec::new();
        let mut previous = None;
        for (position, key) in (0_u32..).zip(keys) {
            if previous != Some(key) {
                // In a range, numbers without records get empty rows, beginning where the next does.
                let rows = if listed { offsets.len() } else { (key - first) as usize };
                offsets.resize(rows + 1, U32::new(position));
                previous = Some(key);
            }
        }
        offsets.push(U32::new(edge_count));
        Self { nodes: present, first: if listed { 0 } else { first }, listed, offsets }
    }

    fn rows(&self) -> u32 {
        (self.offsets.len() - 1) as u32
    }

    fn bytes(&self) -> u64 {
        directory_bytes(u64::from(self.rows()), self.listed)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.offsets.as_bytes());
        out.resize(out.len().next_multiple_of(8), 0);
        if self.listed {
            for &node in &self.nodes {
                out.extend_from_slice(&node.to_le_bytes());
            }
            out.resize(out.len().next_multiple_of(8), 0);
        }
    }
}

/// `edges` by key, `incoming` as `(target, edge id)` by target, then id.
fn encode(edges: &[Edge], incoming: &[(u32, u32)]) -> Vec<u8> {
    let out_side = Directory::new(edges.iter().map(|edge| edge.source));
    let in_side = Directory::new(incoming.iter().map(|&(target, _)| target));
    let edge_count = edges.len() as u64;
    let length = HEADER_BYTES + 2 * RECORD_BYTES * edge_count + out_side.bytes() + in_side.bytes();
    // Two sorted runs, which a stable sort merges.
    let mut nodes = [&out_side.nodes[..], &in_side.nodes[..]].concat();
    nodes.sort_by_key(|&node| node);
    nodes.dedup();

    let header = Header {
        magic: MAGIC,
        version: U32::new(VERSION),
        flags: U32::new(
            if out_side.listed { OUT_LISTED } else { 0 }
                | if in_side.listed { IN_LISTED } else { 0 },
        ),
        edge_count: U32::new(edges.len() as u32),
        node_count: U32::new(nodes.len() as u32),
        node_bound: U32::new(nodes.last().map_or(0, |&last| last + 1)),
        out_first: U32::new(out_side.first),
        out_rows: U32::new(out_side.rows()),
        in_first: U32::new(in_side.first),
        in_rows: U32::new(in_side.rows()),
        reserved: U32::ZERO,
        length: U64::new(length),
        padding: U64::ZERO,
    };
    let mut out = Vec::with_capacity(length as usize);
    out.extend_from_slice(header.as_bytes());
    for edge in edges {
        let record = Record {
            neighbor: U32::new(edge.target),
            type_id: U32::new(edge.type_id),
            confidence: F32::new(edge.confidence),
            last: U32::new(edge.weight.to_bits()),
        };
        out.extend_from_slice(record.as_bytes());
    }
    for &(_, id) in incoming {
        let edge = &edges[id as usize];
        let record = Record {
            neighbor: U32::new(edge.source),
            type_id: U32::new(edge.type_id),
            confidence: F32::new(edge.confidence),
            last: U32::new(id),
        };
        out.extend_from_slice(record.as_bytes());
    }
    out_side.write(&mut out);
    in_side.write(&mut out);
    debug_assert_eq!(out.len() as u64, length, "the sizes in format.rs match what is written");
    out
}
