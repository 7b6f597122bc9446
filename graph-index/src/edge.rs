//! The edge as a value: what goes into a graph and what comes out of a view.
//!
//! Invariant of every type here: an edge's key is `(source, target, type_id)`, and nothing else
//! decides its place in an order.

/// One association on its way into a graph.
///
/// Nodes are store-wide numbers; [`RESERVED_NODE`] is not a legal one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The node the edge leaves.
    pub source: u32,
    /// The node the edge enters.
    pub target: u32,
    /// The interned type; several types between one pair are several edges.
    pub type_id: u32,
    /// How strong the association is: any finite number.
    pub weight: f32,
    /// How far the association is believed, in `0.0..=1.0`.
    pub confidence: f32,
}

/// The one node number that no edge may use, so that `node_bound` always fits a `u32`.
pub const RESERVED_NODE: u32 = u32::MAX;

/// `(source, target, type_id)`: what makes an edge the edge it is.
pub type EdgeKey = (u32, u32, u32);

impl Edge {
    /// The edge's key, by which graphs are ordered.
    #[must_use]
    pub const fn key(&self) -> EdgeKey {
        (self.source, self.target, self.type_id)
    }

    /// Says what, if anything, keeps this edge out of a graph.
    ///
    /// # Errors
    ///
    /// [`EdgeError`] for a reserved node, a weight that is not finite, or a confidence that is not
    /// within `0.0..=1.0`.
    pub fn validate(&self) -> Result<(), EdgeError> {
        let key = self.key();
        if self.source == RESERVED_NODE || self.target == RESERVED_NODE {
            return Err(EdgeError::ReservedNode { key });
        }
        if !self.weight.is_finite() {
            return Err(EdgeError::Weight { key, found: self.weight });
        }
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(EdgeError::Confidence { key, found: self.confidence });
        }
        Ok(())
    }
}

/// Why an edge is refused; `key` is `(source, target, type_id)`.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// An end of the edge is [`RESERVED_NODE`].
    #[error("edge {key:?} uses the reserved node number {RESERVED_NODE}")]
    ReservedNode {
        /// The edge.
        key: EdgeKey,
    },
    /// The weight is NaN or infinite.
    #[error("edge {key:?} has weight {found}, which is not finite")]
    Weight {
        /// The edge.
        key: EdgeKey,
        /// The weight given.
        found: f32,
    },
    /// The confidence is NaN or outside `0.0..=1.0`.
    #[error("edge {key:?} has confidence {found}, which is not within 0..=1")]
    Confidence {
        /// The edge.
        key: EdgeKey,
        /// The confidence given.
        found: f32,
    },
}
