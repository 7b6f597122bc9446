//! English stems, remembered: most words of a text were seen shortly before.
//!
//! Invariant: what the cache answers is what the stemmer would; it holds a fixed number of slots and
//! never allocates after the first word.

use rust_stemmers::{Algorithm, Stemmer};

use super::stop_words::is_stop_word;
use crate::interner::hash;

const SLOTS: usize = 1 << 13;
/// A slot: word length, stem length (0: a function word), word bytes, stem bytes.
const SLOT_BYTES: usize = 64;

pub(super) struct StemCache {
    stemmer: Stemmer,
    /// All zeros at first, so that the pages of unused slots are never touched.
    slots: Vec<[u8; SLOT_BYTES]>,
}

impl Default for StemCache {
    fn default() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), slots: Vec::new() }
    }
}

impl StemCache {
    /// Calls `emit` with the stem of a folded word, unless it is a function word.
    #[inline]
    pub(super) fn with_stem(&mut self, word: &str, emit: impl FnOnce(&str)) {
        if self.slots.is_empty() {
            self.slots = vec![[0; SLOT_BYTES]; SLOTS];
        }
        let at = hash(word.as_bytes(), 0) as usize % SLOTS;
        let slot = &self.slots[at];
        let length = usize::from(slot[0]);
        if length != word.len() || length == 0 || &slot[2..2 + length] != word.as_bytes() {
            return self.miss(at, word, emit);
        }
        let stem = &slot[2 + length..][..usize::from(slot[1])];
        if !stem.is_empty()
            && let Ok(stem) = std::str::from_utf8(stem)
        {
            emit(stem);
        }
    }

    #[cold]
    fn miss(&mut self, at: usize, word: &str, emit: impl FnOnce(&str)) {
        let stem = if is_stop_word(word) {
            "".into()
        } else if is_stemmable(word) {
            self.stemmer.stem(word)
        } else {
            word.into()
        };
        // A word that is all suffix (`'s`) would stem to nothing; it stays as it is.
        let stem = if stem.is_empty() && !is_stop_word(word) { word.into() } else { stem };
        if word.len() + stem.len() <= SLOT_BYTES - 2 {
            let slot = &mut self.slots[at];
            slot[0] = word.len() as u8;
            slot[1] = stem.len() as u8;
            slot[2..2 + word.len()].copy_from_slice(word.as_bytes());
            slot[2 + word.len()..][..stem.len()].copy_from_slice(stem.as_bytes());
        }
        if !stem.is_empty() {
            emit(&stem);
        }
    }
}

/// The English rules are about Latin letters; numbers and other scripts pass unchanged.
fn is_stemmable(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'\'')
}
