//! Text to knowledge: WordPiece, the static embedder, sentences and relations.
//!
//! Three parts, each of use alone:
//!
//! - [`WordPiece`] splits a text into the tokens of an uncased BERT vocabulary.
//! - [`StaticEmbedder`] turns a text into a vector: a weighted mean of token vectors, read from a
//!   model file of some 12 MB. No network runs at query time, so 100,000 short texts a second are
//!   within reach of two cores.
//! - [`extract`] finds sentences, entities and typed relations, by rules.
//!
//! Everything here is a pure function of its arguments: no file, clock, network or random number,
//! and the same answer whatever the thread count. Bytes and texts come from strangers: bad bytes
//! are an [`Err`], any text is answered, in time linear in its length.
//!
//! # Example
//!
//! ```
//! use language::{ModelBuilder, StaticEmbedder, extract};
//!
//! # fn main() -> Result<(), language::ModelError> {
//! // A toy model of three words; the real one comes from `distill/distill.py`.
//! let mut model = ModelBuilder::new("toy-1", 2)?;
//! model.push("[UNK]", &[0.0, 0.0])?;
//! model.push("dog", &[1.0, 0.2])?;
//! model.push("wolf", &[0.9, 0.3])?;
//! let embedder = StaticEmbedder::from_bytes(model.finish()?)?;
//!
//! let vectors = embedder.embed_batch(&["Dog!", "a wolf"]);
//! let cosine: f32 = vectors[..2].iter().zip(&vectors[2..]).map(|(a, b)| a * b).sum();
//! assert!(cosine > 0.98);
//!
//! let found = extract("A dog is a mammal. Mammals are animals.");
//! assert_eq!(found.relations[0].object, "mammal");
//! assert_eq!(found.relations[1].subject, "mammal");
//! # Ok(())
//! # }
//! ```

mod extract;
mod model;
mod static_embedder;
mod threads;
mod wordpiece;

pub use extract::{Entity, Extraction, Relation, RelationKind, Sentence, Span, extract};
pub use model::{ModelBuilder, ModelError};
pub use static_embedder::StaticEmbedder;
pub use wordpiece::{VocabularyError, WordPiece};
