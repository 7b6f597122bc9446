//! Word index: analysis, dictionary, posting lists and exact BM25 top-k over immutable bytes.
//!
//! [`TextBuilder`] turns texts into one block of bytes; [`TextView`] answers queries from such bytes,
//! wherever they lie: a `Vec`, a memory map. Documents are dense `u32` ordinals. The crate opens no
//! file and reads no clock, and trusts no byte that it reads.
//!
//! A collection may be spread over several indexes. Statistics are summed over them and each is
//! searched with the sums, so that scores do not depend on the spreading. [`merge`] makes one index
//! of several without the texts, byte for byte what building it at once would have made.
//!
//! ```
//! use text_index::{
//!     Analyzer, Bm25, Operator, QueryTerm, SearchOptions, SearchScratch, TextBuilder, TextView,
//! };
//!
//! let analyzer = Analyzer::english();
//! let texts = ["Plants turn sunlight into energy.", "Dogs bark.", "Sunlight warms the plants"];
//! let mut builder = TextBuilder::new();
//! for (ordinal, text) in texts.iter().enumerate() {
//!     builder.add(ordinal as u32, text, &analyzer)?;
//! }
//! let bytes = builder.finish(texts.len() as u32)?;
//!
//! let view = TextView::parse(&bytes)?;
//! let stats = view.stats_excluding(None);
//! let query: Vec<QueryTerm> = analyzer
//!     .terms("plant energy")
//!     .into_iter()
//!     .map(|term| QueryTerm { idf: Bm25::idf(stats.doc_count, view.df(&term).into()), term })
//!     .collect();
//! let options = SearchOptions {
//!     average_length: stats.average_length(),
//!     bm25: Bm25::default(),
//!     operator: Operator::Or,
//!     k: 10,
//!     deleted: None,
//!     allowed: None,
//! };
//! let hits = view.search(&query, &options, &mut SearchScratch::default());
//! assert_eq!(hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [0, 2]);
//!
//! let why = view.explain(0, &query, options.average_length, &options.bm25);
//! assert_eq!(why.score, hits[0].score);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The byte layout is written down in FORMAT.md.

mod analysis;
mod bm25;
mod builder;
mod dictionary;
mod error;
mod impact;
mod interner;
mod layout;
mod merge;
mod posting;
mod search;
mod varint;
mod view;

pub use analysis::{Analyzer, MAX_TERM_BYTES};
pub use bm25::{Bm25, CollectionStats};
pub use builder::TextBuilder;
pub use error::{BuildError, FormatError, MergeError};
pub use merge::{DROPPED, merge};
pub use posting::Postings;
pub use search::{
    Explanation, Operator, QueryTerm, SearchOptions, SearchScratch, TermShare, TextHit,
};
pub use view::{Terms, TextView};
