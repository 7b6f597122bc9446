//! The tokenizer of uncased BERT: normalised words, then the longest known pieces of each.
//!
//! Invariant: [`WordPiece::encode`] gives the ids that the original gives with its special tokens
//! switched off. Names of special tokens inside a text ("[MASK]") are text: a stranger's sentence
//! steers nothing. Characters younger than Unicode 8 are classed by today's tables, where the
//! original has those of that version; its vocabulary holds none of them.

mod normalize;

use std::collections::HashMap;
use std::str::Utf8Error;

use normalize::for_each_word;

/// The piece that stands for a word outside the vocabulary.
const UNKNOWN: &str = "[UNK]";
/// What marks a piece inside a word.
const CONTINUATION: &str = "##";
/// Words longer than this, in characters, are unknown, as in the original.
const MAX_WORD_CHARS: usize = 100;

/// Why a vocabulary can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// The bytes are not UTF-8.
    #[error("vocabulary is not UTF-8")]
    Encoding(#[from] Utf8Error),
    /// A line holds no token.
    #[error("vocabulary line {line} is empty")]
    EmptyToken {
        /// Zero-based line, which is the token's id.
        line: usize,
    },
    /// A token stands twice.
    #[error("vocabulary line {line} repeats the token {token:?}")]
    DuplicateToken {
        /// Zero-based line of the second occurrence.
        line: usize,
        /// The token.
        token: String,
    },
    /// The token for unknown words is missing.
    #[error("vocabulary has no token [UNK]")]
    MissingUnknown,
    /// More tokens than `u32` counts.
    #[error("vocabulary has {count} tokens, more than ids")]
    TooManyTokens {
        /// Number of lines.
        count: usize,
    },
}

/// Uncased BERT's tokenizer over one vocabulary.
///
/// # Example
///
/// ```
/// use language::WordPiece;
///
/// let pieces = WordPiece::from_vocabulary(b"[UNK]\nembed\n##ding\n##s\n!")?;
/// assert_eq!(pieces.encode("Embeddings!"), [1, 2, 3, 4]);
/// assert_eq!(pieces.encode("Emb\u{e9}d"), [1]); // accents are stripped
/// assert_eq!(pieces.encode("xyz"), [pieces.unknown_id()]);
/// # Ok::<(), language::VocabularyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct WordPiece {
    /// Pieces that begin a word.
    starts: HashMap<Box<str>, u32>,
    /// Pieces inside a word, without their mark, so that looking one up copies nothing.
    continuations: HashMap<Box<str>, u32>,
    /// Bytes of the longest piece: no longer prefix is looked up, so time is linear in the text.
    longest_piece: usize,
    token_count: usize,
    unknown_id: u32,
}

impl WordPiece {
    /// Reads a vocabulary: UTF-8, one token a line, the line number being the token's id.
    ///
    /// A newline at the end is allowed.
    ///
    /// # Errors
    ///
    /// [`VocabularyError`] if the bytes are not UTF-8, a token is empty or stands twice, or `[UNK]`
    /// is missing.
    pub fn from_vocabulary(bytes: &[u8]) -> Result<Self, VocabularyError> {
        let text = std::str::from_utf8(bytes)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let token_count = text.split('\n').count();
        if u32::try_from(token_count).is_err() {
            return Err(VocabularyError::TooManyTokens { count: token_count });
        }
        let mut pieces = Self {
            starts: HashMap::with_capacity(token_count),
            continuations: HashMap::new(),
            longest_piece: 0,
            token_count,
            unknown_id: 0,
        };
        for (line, token) in text.split('\n').enumerate() {
            if token.is_empty() {
                return Err(VocabularyError::EmptyToken { line });
            }
            // "##" alone is the piece of two number signs, not an empty continuation.
            let (map, piece) = match token.strip_prefix(CONTINUATION) {
                Some(piece) if !piece.is_empty() => (&mut pieces.continuations, piece),
                _ => (&mut pieces.starts, token),
            };
            if map.insert(piece.into(), line as u32).is_some() {
                return Err(VocabularyError::DuplicateToken { line, token: token.to_owned() });
            }
            pieces.longest_piece = pieces.longest_piece.max(piece.len());
        }
        pieces.unknown_id = *pieces.starts.get(UNKNOWN).ok_or(VocabularyError::MissingUnknown)?;
        Ok(pieces)
    }

    /// Number of tokens; ids are `0..token_count()`.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.token_count
    }

    /// The id of `[UNK]`, given to a word that the vocabulary can't spell.
    #[must_use]
    pub fn unknown_id(&self) -> u32 {
        self.unknown_id
    }

    /// Returns the ids of the text's tokens, without `[CLS]` and `[SEP]`.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.encode_into(text, &mut ids);
        ids
    }

    /// Appends the ids of the text's tokens to `ids`.
    ///
    /// # Complexity
    ///
    /// Linear in the text; the factor is the length of the longest piece.
    pub fn encode_into(&self, text: &str, ids: &mut Vec<u32>) {
        for_each_word(text, |word| self.encode_word(word, ids));
    }

    /// Appends the pieces of one normalised word, or `[UNK]` if they don't cover it.
    fn encode_word(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        if word.len() > MAX_WORD_CHARS && word.chars().nth(MAX_WORD_CHARS).is_some() {
            ids.push(self.unknown_id);
            return;
        }
        let mut rest = word;
        let mut map = &self.starts;
        while !rest.is_empty() {
            let Some((id, length)) = self.longest_prefix(map, rest) else {
                ids.truncate(before);
                ids.push(self.unknown_id);
                return;
            };
            ids.push(id);
            rest = &rest[length..];
            map = &self.continuations;
        }
    }

    /// The id and the byte length of the longest prefix of `rest` in `map`.
    fn longest_prefix(&self, map: &HashMap<Box<str>, u32>, rest: &str) -> Option<(u32, usize)> {
        let mut end = rest.floor_char_boundary(self.longest_piece);
        while end > 0 {
            if let Some(&id) = map.get(&rest[..end]) {
                return Some((id, end));
            }
            end = rest.floor_char_boundary(end - 1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(vocabulary: &str) -> WordPiece {
        WordPiece::from_vocabulary(vocabulary.as_bytes()).expect("a valid vocabulary")
    }

    #[test]
    fn a_word_is_unknown_as_a_whole_when_its_tail_is() {
        let pieces = pieces("[UNK]\nun\n##known\n##kn");
        assert_eq!(pieces.encode("unknown unknot un"), [1, 2, 0, 1]);
    }

    #[test]
    fn the_longest_piece_wins_and_a_continuation_never_starts_a_word() {
        let pieces = pieces("[UNK]\na\nab\n##c\n##b\n##bc");
        assert_eq!(pieces.encode("abc c"), [2, 3, 0]);
    }

    #[test]
    fn a_word_of_100_characters_is_spelt_and_of_101_unknown() {
        let pieces = pieces("[UNK]\n\u{4d1}\n##\u{4d1}\na\n##a");
        assert_eq!(pieces.encode(&"a".repeat(100)).len(), 100);
        assert_eq!(pieces.encode(&"a".repeat(101)), [0]);
        // Characters count, not bytes.
        let normalised = "\u{436}".repeat(100);
        assert_eq!(pieces.encode(&normalised), [0]);
    }

    #[test]
    fn special_names_in_a_text_are_text() {
        let pieces = pieces("[UNK]\n[CLS]\n[\n]\ncl\n##s");
        assert_eq!(pieces.encode("[CLS]"), [2, 4, 5, 3]);
    }

    #[test]
    fn broken_vocabularies_are_refused() {
        let read = |bytes: &[u8]| WordPiece::from_vocabulary(bytes).map(|_| ()).unwrap_err();
        assert_eq!(read(b"a\nb"), VocabularyError::MissingUnknown);
        assert_eq!(read(b""), VocabularyError::EmptyToken { line: 0 });
        assert_eq!(read(b"[UNK]\n\na"), VocabularyError::EmptyToken { line: 1 });
        assert!(matches!(read(b"[UNK]\n\xff"), VocabularyError::Encoding(_)));
        assert_eq!(
            read(b"[UNK]\na\na"),
            VocabularyError::DuplicateToken { line: 2, token: "a".to_owned() }
        );
    }
}
