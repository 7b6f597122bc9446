//! What can be refused: the shape of an index, a query, or a row that turns out to hold no number.
//!
//! Invariant: every variant carries the values a caller needs to say what to do next.

use crate::rows::Encoding;

/// Why a [`FlatIndex`](crate::FlatIndex) can't be laid over the given rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The dimension is zero or above [`MAX_DIM`](crate::MAX_DIM).
    #[error("dimension {dim} is not in 1..={}", crate::MAX_DIM)]
    Dimension {
        /// The dimension asked for.
        dim: usize,
    },
    /// The rows' length is not a whole number of rows.
    #[error("{found} elements are not a whole number of rows of {row} elements")]
    PartialRow {
        /// Elements in one row.
        row: usize,
        /// Elements given.
        found: usize,
    },
    /// More rows than `u32` ordinals can name.
    #[error("{rows} rows exceed the {} that an ordinal can name", u32::MAX)]
    TooManyRows {
        /// Rows given.
        rows: usize,
    },
    /// Not one inverse norm a row.
    #[error("expected one inverse norm for each of {expected} rows, found {found}")]
    InverseNorms {
        /// Rows of the index.
        expected: usize,
        /// Inverse norms given.
        found: usize,
    },
}

/// Why a query, or a vector to be stored, is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The vector has another dimension than the index.
    #[error("expected a vector of dimension {expected}, found {found}")]
    Dimension {
        /// Dimension of the index.
        expected: usize,
        /// Dimension of the vector.
        found: usize,
    },
    /// A batch whose length is not a whole number of queries.
    #[error("{found} elements are not a whole number of queries of {query} elements")]
    PartialQuery {
        /// Elements in one query.
        query: usize,
        /// Elements given.
        found: usize,
    },
    /// A component of the vector is NaN or infinite.
    #[error("component {index} is {value}, not a finite number")]
    NotFinite {
        /// Position of the first such component (in a batch: in the whole batch).
        index: usize,
        /// Its value.
        value: f32,
    },
    /// A component of a vector to be stored in 16 bits would become infinite there.
    #[error(
        "component {index} is {value}, and the largest that 16-bit floats hold is {}",
        half::f16::MAX
    )]
    BeyondF16 {
        /// Position of the first such component.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// The query is encoded otherwise than the rows.
    #[error("{rows} rows can't be compared with a query of {query}")]
    Encoding {
        /// Encoding of the rows.
        rows: Encoding,
        /// Encoding of the query.
        query: Encoding,
    },
    /// The ordinal is not in the index.
    #[error("ordinal {ordinal} is not below the index's length {len}")]
    Ordinal {
        /// The ordinal asked for.
        ordinal: u32,
        /// Rows of the index.
        len: usize,
    },
    /// A row read by the search holds NaN or infinity, which no valid row does.
    ///
    /// It is an error and not a skipped row because it means that the rows are damaged.
    #[error("row {ordinal} holds a component that is not a finite number")]
    RowNotFinite {
        /// The lowest such ordinal among the rows searched.
        ordinal: u32,
    },
    /// A dimension that no index has.
    #[error("dimension {dim} is not in 1..={}", crate::MAX_DIM)]
    NoDimension {
        /// The vectors' dimension.
        dim: usize,
    },
    /// A threshold that no score can be compared with.
    #[error("the threshold is NaN, not a score")]
    Threshold,
    /// A share that is not between 0 and 1.
    #[error("lambda is {value}, not in 0..=1")]
    Lambda {
        /// The share given.
        value: f32,
    },
    /// A hit whose score is not a number.
    #[error("the score of candidate {index} is {value}, not a finite number")]
    Candidate {
        /// Position of the first such candidate.
        index: usize,
        /// Its score.
        value: f32,
    },
    /// A search by several queries that was given none.
    #[error("expected one query at least, found none")]
    NoQueries,
    /// Not one weight a query.
    #[error("expected one weight for each of {expected} queries, found {found}")]
    Weights {
        /// Queries given.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// A weight that would turn the order of scores around, or is not a number.
    #[error("weight {index} is {value}, not a finite number of 0 or above")]
    Weight {
        /// Position of the first such weight.
        index: usize,
        /// Its value.
        value: f32,
    },
}
