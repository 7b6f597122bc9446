//! Immutable bytes of a file: a memory map, or bytes on the heap.
//!
//! All decoding reads through a [`ByteView`], so the same code runs on a map, on a simulated file
//! system and on parts that were never written to disk. Invariant: the bytes never change or move.

use std::ops::Deref;
use std::sync::Arc;

use super::map::FileMap;

/// Cheaply cloned, immutable bytes, at an 8-byte-aligned address.
#[derive(Debug, Clone)]
pub struct ByteView(Source);

#[derive(Debug, Clone)]
enum Source {
    Map(Arc<FileMap>),
    Heap { words: Arc<Vec<u64>>, len: usize },
}

impl ByteView {
    pub(super) fn from_map(map: FileMap) -> Self {
        Self(Source::Map(Arc::new(map)))
    }

    /// A view of bytes on the heap; copies them once, to align them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        zerocopy::IntoBytes::as_mut_bytes(words.as_mut_slice())[..bytes.len()]
            .copy_from_slice(bytes);
        Self::from_words(words, bytes.len())
    }

    /// A view of the first `len` bytes of `words`, without a copy.
    ///
    /// # Panics
    /// When `len` is larger than the words hold.
    #[must_use]
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert!(len <= words.len() * 8, "{len} bytes do not fit in {} words", words.len());
        Self(Source::Heap { words: Arc::new(words), len })
    }

    /// Whether the bytes are a memory map (rather than on the heap).
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Source::Map(_))
    }
}

impl Deref for ByteView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Map(map) => map.as_bytes(),
            Source::Heap { words, len } => &zerocopy::IntoBytes::as_bytes(words.as_slice())[..*len],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_bytes_are_aligned_and_equal_to_their_source() {
        for len in [0_usize, 1, 7, 8, 9, 4096, 4097] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let view = ByteView::from_bytes(&bytes);
            assert_eq!(&*view, &*bytes);
            assert_eq!(view.as_ptr().addr() % 8, 0);
            assert!(!view.is_mapped());
        }
    }
}
