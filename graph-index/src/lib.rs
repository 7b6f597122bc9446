//! Typed, weighted association graphs as bytes, readable through petgraph's visit traits.
//!
//! A graph is encoded once and read in place, from memory or from a map. The crate opens no file and
//! reads no clock. Nodes are `u32` numbers and edge types `u32` ids; what they stand for is the caller's
//! business.
//!
//! - [`GraphBuilder`] encodes edges; `FORMAT.md` in this folder describes the bytes.
//! - [`GraphView`] reads one encoded graph: rows of both directions, edges by id and by key.
//! - [`LayeredGraph`] reads several as one, less their dead edges; [`Overlay`] adds changes on top. Both
//!   are [`Associations`] and speak petgraph's visit traits ([`visit`]).
//! - [`CompactGraph`] renumbers nodes `0..n`, and [`Weighted`] weighs edges by bare numbers, for the
//!   algorithms that want that.
//! - [`paths`] finds best paths, shortest paths and neighbourhoods.
//!
//! Invariant of the whole: the same live edges give the same answers, in the same order, however they are
//! spread over layers and changes.
//!
//! ```
//! use graph_index::{Associations, Edge, GraphBuilder, GraphView, LayeredGraph};
//! use petgraph::algo::dijkstra;
//!
//! let mut builder = GraphBuilder::new();
//! for (source, target, weight) in [(1, 2, 1.0), (2, 9, 1.0), (1, 9, 5.0)] {
//!     builder.push(Edge { source, target, type_id: 0, weight, confidence: 0.9 });
//! }
//! let bytes = builder.finish()?;
//!
//! let graph = LayeredGraph::from(GraphView::parse(&bytes)?);
//! assert_eq!(graph.out_edges(1).count(), 2);
//! let distances = dijkstra(&graph, 1, None, |edge| edge.weight.weight);
//! assert_eq!(distances[&9], 2.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod associations;
mod builder;
mod check;
mod checked;
mod compact;
mod edge;
mod format;
mod layers;
mod merge;
mod overlay;
pub mod paths;
mod rows;
mod salvage;
mod view;
pub mod visit;
mod weighted;

pub use associations::{Associations, Direction, EdgeId, EdgeWeight, Hop, LiveEdge, NodeEdges};
pub use builder::{BuildError, GraphBuilder};
pub use compact::{CompactEdge, CompactEdges, CompactGraph, CompactNeighbors};
pub use edge::{Edge, EdgeError, EdgeKey, RESERVED_NODE};
pub use format::FormatError;
pub use layers::{Layer, LayeredEdges, LayeredGraph, LayeredHops};
pub use overlay::{Overlay, OverlayEdges, OverlayHops, Put};
pub use rows::Side;
pub use view::{EdgeRef, GraphView, RowEdges, ViewEdges};
pub use weighted::{Weighted, WeightedEdge};
