//! Rows that are the same, or nearly so: found by content, by comparing all with all, or among the
//! neighbours that some other search finds.
//!
//! | function | finds | takes |
//! |---|---|---|
//! | [`exact_duplicates`] | groups of equal rows | one pass |
//! | [`near_duplicates`] | all pairs that reach a threshold | n²/2 scores |
//! | [`near_duplicate_groups`] | what such pairs connect | as much, and 12 bytes a row |
//! | [`near_duplicates_among`] | those pairs that a neighbour search comes upon | a search a row |
//!
//! Where equal rows are common, find them first, and leave out of the rest all but one of each group:
//!
//! ```
//! use roaring::RoaringBitmap;
//! use vector_kernel::duplicates::{exact_duplicates, near_duplicates};
//! use vector_kernel::{FlatIndex, Metric, Rows, Selection};
//!
//! let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.01];
//! let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
//! let same = exact_duplicates(&index, Selection::All)?;
//! assert_eq!(same, [[0, 2]]);
//!
//! let others: RoaringBitmap = same.iter().flat_map(|group| &group[1..]).collect();
//! let near = near_duplicates(&index, 0.99, Selection::Except(&others))?;
//! assert_eq!((near.len(), near[0].first, near[0].second), (1, 0, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: a pair names the lower ordinal first, and has the score that
//! [`FlatIndex::score_rows`](crate::FlatIndex::score_rows) gives; answers depend on rows, threshold and
//! selection alone.

mod among;
mod exact;
mod groups;
mod pairs;
mod tiles;

pub use among::near_duplicates_among;
pub use exact::exact_duplicates;
pub use groups::{groups_of, near_duplicate_groups};
pub use pairs::{Pair, near_duplicates, near_duplicates_at_most};
