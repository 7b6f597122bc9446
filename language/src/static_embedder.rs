//! The static embedder: a text's vector is the normalised sum of its tokens' rows.
//!
//! Invariant: a text's vector depends on the model and the text alone. Each component is summed in
//! the order of the tokens and the norm in a fixed order, in IEEE arithmetic without contraction,
//! so vector width, batch and thread count change no bit.

use std::sync::Arc;

use rayon::prelude::*;

use crate::model::{Model, ModelError};
use crate::threads;
use crate::wordpiece::WordPiece;

/// Texts a task takes at a time: enough to hide what a task costs, few enough to share out.
const TEXTS_PER_TASK: usize = 64;

/// Embeds texts by a table of token vectors.
///
/// A token's row is a sentence encoder's output for that token alone, times `a / (a + p)` with `p`
/// the token's frequency (Arora, Liang and Ma, "A simple but tough-to-beat baseline for sentence
/// embeddings", 2017), so rare words lead. Word order is ignored.
///
/// # Example
///
/// ```
/// use language::{ModelBuilder, StaticEmbedder};
///
/// let mut model = ModelBuilder::new("toy-1", 2)?;
/// model.push("[UNK]", &[0.0, 0.0])?;
/// model.push("sun", &[3.0, 4.0])?;
/// let embedder = StaticEmbedder::from_bytes(model.finish()?)?;
///
/// let mut vector = [0.0; 2];
/// embedder.embed("The Sun", &mut vector); // "the" is not in this vocabulary
/// assert!((vector[0] - 0.6).abs() < 0.01 && (vector[1] - 0.8).abs() < 0.01);
/// embedder.embed("???", &mut vector);
/// assert_eq!(vector, [0.0, 0.0]);
/// # Ok::<(), language::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StaticEmbedder {
    model: Model,
}

impl StaticEmbedder {
    /// Reads a model file, from anyone: its structure and checksum are verified.
    ///
    /// The bytes are kept, not copied, if an `Arc<[u8]>` is given; the vocabulary's index takes
    /// some 4 MB more.
    ///
    /// # Errors
    ///
    /// [`ModelError`] says which part of the bytes is wrong.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self, ModelError> {
        Ok(Self { model: Model::decode(bytes.into())? })
    }

    /// Number of components of each vector, at least 1; 384 in the project's own model.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.model.dim()
    }

    /// The name of the model's recipe: vectors of two models with one name may be compared.
    #[must_use]
    pub fn model_id(&self) -> &str {
        self.model.model_id()
    }

    /// SHA-256 of what the model was made from; zeros if its maker recorded none.
    #[must_use]
    pub fn recipe(&self) -> [u8; 32] {
        self.model.recipe()
    }

    /// The model's tokenizer.
    #[must_use]
    pub fn word_piece(&self) -> &WordPiece {
        self.model.pieces()
    }

    /// Writes the text's vector, of Euclidean length 1, to `out`.
    ///
    /// A text without a known token gets the zero vector, which is similar to nothing.
    ///
    /// # Panics
    ///
    /// If `out.len()` is not [`dim`](Self::dim).
    ///
    /// # Complexity
    ///
    /// `O(text + tokens * dim)`.
    pub fn embed(&self, text: &str, out: &mut [f32]) {
        self.embed_tokens(text, &mut Vec::new(), out);
    }

    /// Returns the texts' vectors one after another: `texts.len()` rows of [`dim`](Self::dim).
    ///
    /// Each row is, bit by bit, what [`embed`](Self::embed) gives; the rows are computed on all of
    /// rayon's threads.
    #[must_use]
    pub fn embed_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<f32> {
        let mut vectors = vec![0.0; texts.len() * self.dim()];
        self.embed_batch_into(texts, &mut vectors);
        vectors
    }

    /// Writes what [`embed_batch`](Self::embed_batch) returns to `out`, which the caller has room for.
    ///
    /// # Panics
    ///
    /// If `out.len()` is not `texts.len()` times [`dim`](Self::dim).
    pub fn embed_batch_into<T: AsRef<str> + Sync>(&self, texts: &[T], out: &mut [f32]) {
        assert_eq!(out.len(), texts.len() * self.dim(), "the output must have a row for each text");
        let embed = |(rows, texts): (&mut [f32], &[T])| {
            let mut tokens = Vec::new();
            for (row, text) in rows.chunks_exact_mut(self.dim()).zip(texts) {
                self.embed_tokens(text.as_ref(), &mut tokens, row);
            }
        };
        if threads::are_here() {
            let tasks = out.par_chunks_mut(TEXTS_PER_TASK * self.dim());
            tasks.zip(texts.par_chunks(TEXTS_PER_TASK)).for_each(embed);
        } else {
            embed((out, texts));
        }
    }

    /// [`embed`](Self::embed) with a buffer for the token ids.
    fn embed_tokens(&self, text: &str, tokens: &mut Vec<u32>, out: &mut [f32]) {
        assert_eq!(out.len(), self.dim(), "the output must have the model's dimension");
        tokens.clear();
        self.model.pieces().encode_into(text, tokens);
        out.fill(0.0);
        for &token in tokens.iter() {
            let row = self.model.row(token);
            if row.scale > 0.0 {
                for (sum, &code) in out.iter_mut().zip(self.model.codes(row)) {
                    *sum += row.scale * f32::from(code.cast_signed());
                }
            }
        }
        normalize(out);
    }
}

/// Scales a finite vector to length 1; leaves zeros.
fn normalize(vector: &mut [f32]) {
    // Eight sums side by side: an order that the compiler may vectorise and must keep.
    let mut lanes = [0.0_f64; 8];
    for chunk in vector.chunks(lanes.len()) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    let squares: f64 = lanes.iter().sum();
    if squares > 0.0 {
        let inverse = squares.sqrt().recip();
        for x in vector {
            *x = (f64::from(*x) * inverse) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_survives_the_ends_of_the_range() {
        for size in [f32::MIN_POSITIVE / 4.0, 1.0, 1e30] {
            let mut vector = [3.0 * size, 0.0, -4.0 * size];
            normalize(&mut vector);
            assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[2] + 0.8).abs() < 1e-6);
        }
        let mut zeros = [0.0; 9];
        normalize(&mut zeros);
        assert!(zeros.iter().all(|x| x.to_bits() == 0));
    }
}
