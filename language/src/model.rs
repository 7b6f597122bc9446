//! The model file: its encoder, its decoder, and what can be wrong with its bytes.
//!
//! `FORMAT.md` describes each byte. Invariant: [`Model::decode`] accepts only bytes of which every
//! section lies inside the buffer and the checksum holds, so that no read afterwards can fail; it
//! allocates in proportion to the bytes it was given, whatever their header claims.

use std::ops::Range;
use std::sync::Arc;

use crate::wordpiece::{VocabularyError, WordPiece};

const MAGIC: [u8; 8] = *b"SUTRASTM";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
const CHECKSUM_BYTES: usize = 4;
/// No embedding in use is wider; the bound keeps sizes far from overflow.
const MAX_DIM: usize = 4096;
const MAX_MODEL_ID_BYTES: usize = 255;
/// The largest code. -128 is never written, so that a row and its negation quantise alike.
const MAX_CODE: f32 = 127.0;
/// The largest scale: keeps a sum over any text in memory far from the end of `f32`.
const MAX_SCALE: f32 = 1e6;

/// Why a model can't be read or built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes don't begin as a model file does.
    #[error("not a static model: it does not begin with SUTRASTM")]
    Magic,
    /// A later or unknown version of the format.
    #[error("model format version {found}, expected {VERSION}")]
    Version {
        /// The version that the file names.
        found: u32,
    },
    /// The file is shorter or longer than its header says.
    #[error("model file has {found} bytes, expected {expected}")]
    Length {
        /// Bytes that the header calls for.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// The bytes are not those that were written.
    #[error("model checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// The checksum in the file.
        expected: u32,
        /// The checksum of its bytes.
        found: u32,
    },
    /// The number of components is 0 or above 4096.
    #[error("model dimension {dim} is outside 1..={MAX_DIM}")]
    Dimension {
        /// The dimension.
        dim: usize,
    },
    /// The id is empty, longer than 255 bytes, or not UTF-8.
    #[error("model id is not 1..={MAX_MODEL_ID_BYTES} bytes of UTF-8")]
    ModelId,
    /// The vocabulary can't be used.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// A scale is negative, infinite, NaN or beyond any real vector's.
    #[error("scale of token {token} is {scale}, outside 0..={MAX_SCALE}")]
    Scale {
        /// The token's id.
        token: usize,
        /// The scale.
        scale: f32,
    },
    /// The header's counts don't fit the sections.
    #[error("model header says {expected} {what}, its sections hold {found}")]
    Count {
        /// What is counted: "tokens" or "rows".
        what: &'static str,
        /// The header's count.
        expected: usize,
        /// The count found.
        found: usize,
    },
    /// A vector given to the builder has the wrong number of components, or one that isn't finite.
    #[error("vector of token {token:?} is not {dim} finite components")]
    Vector {
        /// The token.
        token: String,
        /// The builder's dimension.
        dim: usize,
    },
    /// A token given to the builder is empty or holds a newline.
    #[error("token {token:?} is empty or holds a newline")]
    Token {
        /// The token.
        token: String,
    },
}

/// A decoded model: the vocabulary, and the rows where they lie in the file's bytes.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    bytes: Arc<[u8]>,
    dim: usize,
    id: Range<usize>,
    recipe: [u8; 32],
    pieces: WordPiece,
    /// Scale and offset into `bytes` of each token's row; scale 0 if the token has none.
    rows: Vec<Row>,
}

/// Where a token's vector lies: `scale * code` for each of `dim` codes from `offset` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) scale: f32,
    offset: usize,
}

impl Model {
    /// Checks and indexes a model file.
    pub(crate) fn decode(bytes: Arc<[u8]>) -> Result<Self, ModelError> {
        let found = bytes.len() as u64;
        if bytes.len() < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC {
            return Err(ModelError::Magic);
        }
        if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES {
            let expected = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
            return Err(ModelError::Length { expected, found });
        }
        let field = |index: usize| read_u32(&bytes, MAGIC.len() + 4 * index);
        let version = field(0);
        if version != VERSION {
            return Err(ModelError::Version { found: version });
        }
        let [dim, token_count, row_count, model_id_bytes, vocabulary_bytes] =
            [1, 2, 3, 4, 5].map(|index| field(index) as usize);
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(ModelError::Dimension { dim });
        }
        // In u64: four counts of 32 bits, one of them times at most 4096, can't overflow it.
        let expected = (HEADER_BYTES + CHECKSUM_BYTES) as u64
            + model_id_bytes as u64
            + vocabulary_bytes as u64
            + 4 * token_count as u64
            + row_count as u64 * dim as u64;
        if expected != found {
            return Err(ModelError::Length { expected, found });
        }
        let body = bytes.len() - CHECKSUM_BYTES;
        let (expected, found) = (read_u32(&bytes, body), crc32c::crc32c(&bytes[..body]));
        if expected != found {
            return Err(ModelError::Checksum { expected, found });
        }

        let model_id = HEADER_BYTES..HEADER_BYTES + model_id_bytes;
        if !is_model_id(&bytes[model_id.clone()]) {
            return Err(ModelError::ModelId);
        }
        let vocabulary = model_id.end..model_id.end + vocabulary_bytes;
        let pieces = WordPiece::from_vocabulary(&bytes[vocabulary.clone()])?;
        if pieces.token_count() != token_count {
            let found = pieces.token_count();
            return Err(ModelError::Count { what: "tokens", expected: token_count, found });
        }
        let scales = vocabulary.end..vocabulary.end + 4 * token_count;
        let rows = index_rows(&bytes[scales.clone()], scales.end, dim)?;
        let found = rows.iter().filter(|row| row.scale > 0.0).count();
        if found != row_count {
            return Err(ModelError::Count { what: "rows", expected: row_count, found });
        }
        let recipe = std::array::from_fn(|i| bytes[32 + i]);
        Ok(Self { bytes, dim, id: model_id, recipe, pieces, rows })
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn model_id(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.id.clone()]).expect("checked by decode")
    }

    pub(crate) fn recipe(&self) -> [u8; 32] {
        self.recipe
    }

    pub(crate) fn pieces(&self) -> &WordPiece {
        &self.pieces
    }

    /// The row of a token that the model's tokenizer gave.
    pub(crate) fn row(&self, token: u32) -> Row {
        self.rows[token as usize]
    }

    /// The codes of a row whose scale is above 0, as bytes to be read as `i8`.
    pub(crate) fn codes(&self, row: Row) -> &[u8] {
        &self.bytes[row.offset..row.offset + self.dim]
    }
}

/// Reads the scales and gives each row its place: rows with scale 0 take none.
fn index_rows(scales: &[u8], codes_start: usize, dim: usize) -> Result<Vec<Row>, ModelError> {
    let mut offset = codes_start;
    let mut rows = Vec::with_capacity(scales.len() / 4);
    for token in 0..scales.len() / 4 {
        let scale = f32::from_bits(read_u32(scales, 4 * token));
        if !(0.0..=MAX_SCALE).contains(&scale) {
            return Err(ModelError::Scale { token, scale });
        }
        rows.push(Row { scale, offset });
        if scale > 0.0 {
            offset += dim;
        }
    }
    Ok(rows)
}

fn read_u32(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[offset + i]))
}

fn is_model_id(bytes: &[u8]) -> bool {
    (1..=MAX_MODEL_ID_BYTES).contains(&bytes.len()) && std::str::from_utf8(bytes).is_ok()
}

/// Makes a model file from tokens and their vectors.
///
/// # Example
///
/// ```
/// use language::{ModelBuilder, StaticEmbedder};
///
/// let mut model = ModelBuilder::new("toy-1", 3)?;
/// model.push("[UNK]", &[0.0; 3])?; // a zero vector: the token adds nothing
/// model.push("tree", &[0.5, -1.0, 2.0])?;
/// let bytes = model.finish()?;
/// assert_eq!(StaticEmbedder::from_bytes(bytes)?.model_id(), "toy-1");
/// # Ok::<(), language::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModelBuilder {
    model_id: String,
    dim: usize,
    recipe: [u8; 32],
    vocabulary: String,
    scales: Vec<f32>,
    codes: Vec<u8>,
}

impl ModelBuilder {
    /// Starts a model of `dim` components, `1..=4096`, under a name that tells its recipe.
    ///
    /// # Errors
    ///
    /// [`ModelError::ModelId`] if the id is not 1 to 255 bytes, [`ModelError::Dimension`] if `dim`
    /// is out of range.
    pub fn new(model_id: impl Into<String>, dim: usize) -> Result<Self, ModelError> {
        let model_id = model_id.into();
        if !is_model_id(model_id.as_bytes()) {
            return Err(ModelError::ModelId);
        }
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(ModelError::Dimension { dim });
        }
        let (vocabulary, scales, codes) = (String::new(), Vec::new(), Vec::new());
        Ok(Self { model_id, dim, recipe: [0; 32], vocabulary, scales, codes })
    }

    /// Records the hash of what the model was made from; zeros if never called.
    #[must_use]
    pub fn recipe(mut self, sha256: [u8; 32]) -> Self {
        self.recipe = sha256;
        self
    }

    /// Adds the next token, whose id is the number of tokens before it.
    ///
    /// The vector is the token's part in a text's sum, so its length is the token's weight. Each
    /// component is stored with an error of at most 1/254 of the vector's largest component.
    ///
    /// # Errors
    ///
    /// [`ModelError::Token`] if the token is empty or holds a newline, [`ModelError::Vector`] if
    /// the vector has another dimension or a component that isn't finite, [`ModelError::Scale`] if
    /// one is above 127 million.
    pub fn push(&mut self, token: &str, vector: &[f32]) -> Result<(), ModelError> {
        if token.is_empty() || token.contains('\n') {
            return Err(ModelError::Token { token: token.to_owned() });
        }
        if vector.len() != self.dim || !vector.iter().all(|x| x.is_finite()) {
            return Err(ModelError::Vector { token: token.to_owned(), dim: self.dim });
        }
        let scale = vector.iter().fold(0.0_f32, |max, x| max.max(x.abs())) / MAX_CODE;
        if scale > MAX_SCALE {
            return Err(ModelError::Scale { token: self.scales.len(), scale });
        }
        if !self.scales.is_empty() {
            self.vocabulary.push('\n');
        }
        self.vocabulary.push_str(token);
        self.scales.push(scale);
        if scale > 0.0 {
            // The quotient may pass 127 by rounding where the scale is subnormal.
            let code = |x: &f32| (x / scale).round_ties_even().clamp(-MAX_CODE, MAX_CODE) as i8;
            self.codes.extend(vector.iter().map(|x| code(x).cast_unsigned()));
        }
        Ok(())
    }

    /// Returns the model file's bytes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Vocabulary`] if a token was pushed twice or `[UNK]` never.
    ///
    /// # Panics
    ///
    /// If the vocabulary is above 4 GiB.
    pub fn finish(self) -> Result<Vec<u8>, ModelError> {
        WordPiece::from_vocabulary(self.vocabulary.as_bytes())?;
        let count = |n: usize| u32::try_from(n).expect("a vocabulary is under 4 GiB");
        let mut bytes = MAGIC.to_vec();
        for value in [
            VERSION,
            count(self.dim),
            count(self.scales.len()),
            count(self.codes.len() / self.dim),
            count(self.model_id.len()),
            count(self.vocabulary.len()),
        ] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(self.recipe);
        bytes.extend(self.model_id.as_bytes());
        bytes.extend(self.vocabulary.as_bytes());
        bytes.extend(self.scales.iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(self.codes);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toy() -> Vec<u8> {
        let mut model = ModelBuilder::new("toy", 2).unwrap().recipe([7; 32]);
        model.push("[UNK]", &[0.0, 0.0]).unwrap();
        model.push("a", &[1.0, -0.5]).unwrap();
        model.push("##b", &[-2.0, 0.25]).unwrap();
        model.finish().unwrap()
    }

    /// Rewrites the checksum, so that the field under test is what is refused.
    fn reseal(mut bytes: Vec<u8>) -> Vec<u8> {
        let body = bytes.len() - CHECKSUM_BYTES;
        let checksum = crc32c::crc32c(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&checksum);
        bytes
    }

    fn refusal(bytes: Vec<u8>) -> ModelError {
        Model::decode(bytes.into()).map(|_| ()).unwrap_err()
    }

    fn with(offset: usize, value: &[u8]) -> Vec<u8> {
        let mut bytes = toy();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        reseal(bytes)
    }

    #[test]
    fn the_decoder_reads_what_the_builder_wrote() {
        let model = Model::decode(toy().into()).unwrap();
        assert_eq!((model.dim(), model.model_id(), model.recipe()), (2, "toy", [7; 32]));
        assert_eq!(model.pieces().encode("ab"), [1, 2]);
        assert!(model.row(0).scale.abs() < f32::MIN_POSITIVE);
        let row = model.row(2);
        assert_eq!(model.codes(row), [(-127_i8).cast_unsigned(), 16]);
        assert!((row.scale - 2.0 / 127.0).abs() < 1e-9);
    }

    #[test]
    fn every_prefix_and_every_flipped_bit_is_refused() {
        let whole = toy();
        for length in 0..whole.len() {
            refusal(whole[..length].to_vec());
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refusal(bytes);
        }
        refusal([whole, vec![0]].concat());
    }

    #[test]
    fn each_broken_field_is_named() {
        assert_eq!(refusal(with(0, b"X")), ModelError::Magic);
        assert_eq!(refusal(with(8, &[9, 0, 0, 0])), ModelError::Version { found: 9 });
        assert_eq!(refusal(with(12, &[0; 4])), ModelError::Dimension { dim: 0 });
        assert_eq!(refusal(with(12, &[0xff; 4])), ModelError::Dimension { dim: u32::MAX as usize });
        // Counts as large as the field allows must not be believed, nor allocated.
        assert!(matches!(refusal(with(16, &[0xff; 4])), ModelError::Length { .. }));
        assert!(matches!(refusal(with(20, &[0xff; 16])), ModelError::Length { .. }));
        assert_eq!(refusal(with(64, b"\xff")), ModelError::ModelId);
        // A newline becomes a letter: one token less than the header counts.
        assert!(matches!(refusal(with(72, b"x\nb")), ModelError::Vocabulary(_)));
        assert!(matches!(
            refusal(with(74, b"x")),
            ModelError::Count { what: "tokens", expected: 3, found: 2 }
        ));
        assert!(matches!(refusal(with(67, b"{")), ModelError::Vocabulary(_)));
        let scales = 64 + 3 + "[UNK]\na\n##b".len();
        assert!(matches!(
            refusal(with(scales + 4, &f32::NAN.to_le_bytes())),
            ModelError::Scale { token: 1, .. }
        ));
        assert!(matches!(
            refusal(with(scales, &1.0_f32.to_le_bytes())),
            ModelError::Count { what: "rows", expected: 2, found: 3 }
        ));
    }

    #[test]
    fn the_builder_refuses_what_it_could_not_read_back() {
        assert_eq!(ModelBuilder::new("", 2).map(|_| ()), Err(ModelError::ModelId));
        assert_eq!(ModelBuilder::new("x".repeat(256), 2).map(|_| ()), Err(ModelError::ModelId));
        assert_eq!(ModelBuilder::new("x", 0).map(|_| ()), Err(ModelError::Dimension { dim: 0 }));
        let mut model = ModelBuilder::new("x", 2).unwrap();
        assert!(matches!(model.push("a\nb", &[0.0; 2]), Err(ModelError::Token { .. })));
        assert!(matches!(model.push("a", &[0.0; 3]), Err(ModelError::Vector { .. })));
        assert!(matches!(model.push("a", &[f32::NAN, 0.0]), Err(ModelError::Vector { .. })));
        assert!(matches!(model.push("a", &[f32::MAX, 0.0]), Err(ModelError::Scale { .. })));
        model.push("a", &[0.0, 1.0]).unwrap();
        assert!(matches!(
            model.clone().finish(),
            Err(ModelError::Vocabulary(VocabularyError::MissingUnknown))
        ));
        model.push("[UNK]", &[0.0, 0.0]).unwrap();
        model.push("a", &[0.0, 1.0]).unwrap();
        assert!(matches!(
            model.finish(),
            Err(ModelError::Vocabulary(VocabularyError::DuplicateToken { line: 2, .. }))
        ));
    }
}
