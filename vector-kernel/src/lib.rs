//! SIMD vector distances, exact and approximate, filtered top-k search over borrowed rows.
//!
//! The crate opens no file, keeps no copy of a row and reads no clock: it lays a [`FlatIndex`] over a
//! slice, of a memory map say, and answers queries with dense `u32` ordinals.
//!
//! ```
//! use roaring::RoaringBitmap;
//! use vector_kernel::{FlatIndex, Metric, Rows, Selection};
//!
//! let rows: Vec<f32> = vec![1.0, 0.0, 0.8, 0.6, 0.0, 1.0, -1.0, 0.0];
//! let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
//!
//! let best = index.search(&[1.0, 0.0], 2, Selection::All)?;
//! assert_eq!((best[0].ordinal, best[1].ordinal), (0, 1));
//!
//! let deleted = RoaringBitmap::from([0]);
//! let best = index.search(&[1.0, 0.0], 1, Selection::Except(&deleted))?;
//! assert_eq!((best[0].ordinal, best[0].score), (1, 0.8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is here
//!
//! | to find | use |
//! |---|---|
//! | the most similar rows | [`FlatIndex::search`], [`FlatIndex::search_batch`]; [`ann`] for many rows |
//! | all rows that are similar enough | [`FlatIndex::search_range`] |
//! | rows near any or all of several queries | [`FlatIndex::search_any`], [`FlatIndex::search_all`] |
//! | hits that differ from one another | [`diversify`] |
//! | rows that are the same, or nearly so | [`duplicates`] |
//! | one score | [`FlatIndex::score`], [`FlatIndex::score_rows`], [`score`](score()) |
//! | a few bits for each component | [`quantize`] |
//!
//! # What the answers promise
//!
//! - **The same everywhere.** A score is the same bits from a single search, a batch, a filtered or
//!   a parallel one, on AVX-512, AVX2, NEON and plain Rust: float sums follow one canonical order
//!   ([`kernels`]), integer ones are exact. This holds while the processor rounds to nearest and
//!   keeps subnormals, as Rust assumes.
//! - **A total order.** Best first, equal scores by ascending ordinal.
//! - **Never NaN.** Queries with NaN or infinity are refused, and so is a row found to hold them.
//!   The zero vector has cosine 0 with every vector, itself included. Where an `f32` sum
//!   overflows, or could have lost its small terms, the score is computed in `f64`; a dot product or
//!   distance that `f32` can't hold saturates at ±`f32::MAX`.
//!
//! Invariant: results are a function of rows, query, k and selection alone.

pub mod ann;
mod diversity;
pub mod duplicates;
mod error;
mod flat;
mod hadamard;
pub mod kernels;
mod metric;
mod multi;
mod norm;
mod pair;
pub mod quantize;
mod range;
mod rows;
mod scan;
mod scorer;
mod selection;
mod threads;
mod topk;

pub use diversity::diversify;
pub use error::{IndexError, QueryError};
pub use flat::{FlatIndex, MAX_DIM};
pub use metric::{Metric, UnknownMetric};
pub use multi::Combine;
pub use norm::{inverse_norm, validate, validate_f16};
pub use pair::score;
pub use rows::{Encoding, Query, Rows};
pub use selection::Selection;
pub use topk::{Hit, TopK};
