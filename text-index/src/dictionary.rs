//! The dictionary: sorted terms, front-coded in blocks of 16, with an index of the blocks' first
//! keys.
//!
//! Invariant: terms strictly increase bytewise and are 1 to 255 bytes long. One layout serves one
//! document and millions: writing it is a copy, so that a one-document index costs next to nothing,
//! and reading it touches no allocator and trusts no byte.

use crate::varint;

/// Terms a block.
pub(crate) const BLOCK_TERMS: usize = 16;
/// Bytes of an index entry: the first eight bytes of the block's first term, its offset.
const INDEX_BYTES: usize = 12;
/// Longest term the layout admits.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// Lengths from here on spill from their nibble into a varint.
const NIBBLE: usize = 15;

/// Where a term's posting list is, and how many documents it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) df: u32,
    /// Bytes from the start of the postings section.
    pub(crate) offset: u64,
    /// Bytes of the list.
    pub(crate) size: u64,
}

/// Writes terms, which must come in rising order.
#[derive(Default)]
pub(crate) struct DictionaryWriter {
    pub(crate) blocks: Vec<u8>,
    pub(crate) index: Vec<u8>,
    pub(crate) term_count: u32,
    last: Vec<u8>,
    offset: u64,
}

impl DictionaryWriter {
    /// Adds a term whose posting list takes the next `size` bytes of the postings section.
    pub(crate) fn push(&mut self, term: &[u8], df: u32, size: u64) {
        debug_assert!(!term.is_empty() && term.len() <= MAX_KEY_BYTES);
        debug_assert!(self.term_count == 0 || self.last.as_slice() < term);
        let shared = if (self.term_count as usize).is_multiple_of(BLOCK_TERMS) {
            self.index.extend_from_slice(&key_prefix(term).to_le_bytes());
            self.index.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
            varint::write(&mut self.blocks, self.offset);
            0
        } else {
            self.last.iter().zip(term).take_while(|(a, b)| a == b).count()
        };
        let suffix = &term[shared..];
        self.blocks.push((shared.min(NIBBLE) << 4 | suffix.len().min(NIBBLE)) as u8);
        for length in [shared, suffix.len()] {
            if length >= NIBBLE {
                varint::write(&mut self.blocks, (length - NIBBLE) as u64);
            }
        }
        self.blocks.extend_from_slice(suffix);
        varint::write(&mut self.blocks, u64::from(df));
        varint::write(&mut self.blocks, size);
        self.last.clear();
        self.last.extend_from_slice(term);
        self.offset += size;
        self.term_count += 1;
    }
}

/// The first eight bytes as a number that sorts as they do; short terms are padded with zeros.
fn key_prefix(term: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = term.len().min(8);
    bytes[..length].copy_from_slice(&term[..length]);
    u64::from_be_bytes(bytes)
}

/// One front-coded entry as it lies in the bytes.
struct RawEntry<'a> {
    shared: usize,
    suffix: &'a [u8],
    df: u32,
    size: u64,
}

fn read_entry<'a>(blocks: &'a [u8], at: &mut usize) -> Option<RawEntry<'a>> {
    let lengths = usize::from(*blocks.get(*at)?);
    *at += 1;
    let mut shared = lengths >> 4;
    if shared == NIBBLE {
        shared += varint::read_u32(blocks, at)? as usize;
    }
    let mut length = lengths & NIBBLE;
    if length == NIBBLE {
        length += varint::read_u32(blocks, at)? as usize;
    }
    if shared + length > MAX_KEY_BYTES {
        return None;
    }
    let suffix = blocks.get(*at..*at + length)?;
    *at += length;
    let df = varint::read_u32(blocks, at)?;
    let size = varint::read(blocks, at)?;
    Some(RawEntry { shared, suffix, df, size })
}

/// A dictionary in borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dictionary<'a> {
    blocks: &'a [u8],
    index: &'a [u8],
    term_count: u32,
}

impl<'a> Dictionary<'a> {
    /// A dictionary of `term_count` terms, or `None` when the index does not have their size.
    pub(crate) fn new(blocks: &'a [u8], index: &'a [u8], term_count: u32) -> Option<Self> {
        let block_count = (term_count as usize).div_ceil(BLOCK_TERMS);
        // An entry is at least a length byte, a byte of suffix, df and size.
        let fits = index.len() == block_count * INDEX_BYTES
            && blocks.len() as u64 >= 4 * u64::from(term_count);
        fits.then_some(Self { blocks, index, term_count })
    }

    pub(crate) fn term_count(&self) -> u32 {
        self.term_count
    }

    fn block_count(&self) -> usize {
        self.index.len() / INDEX_BYTES
    }

    fn key_of_block(&self, block: usize) -> u64 {
        let at = block * INDEX_BYTES;
        self.index
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(u64::MAX, u64::from_le_bytes)
    }

    fn offset_of_block(&self, block: usize) -> Option<usize> {
        let at = block * INDEX_BYTES + 8;
        let bytes = self.index.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    }

    /// The block's first posting offset and first entry, and the place behind it.
    fn open_block(&self, block: usize) -> Option<(u64, RawEntry<'a>, usize)> {
        let mut at = self.offset_of_block(block)?;
        let offset = varint::read(self.blocks, &mut at)?;
        let entry = read_entry(self.blocks, &mut at)?;
        (entry.shared == 0).then_some((offset, entry, at))
    }

    fn terms_in_block(&self, block: usize) -> usize {
        (self.term_count as usize).saturating_sub(block * BLOCK_TERMS).min(BLOCK_TERMS)
    }

    /// The last block whose first term is at most `term`.
    fn block_of(&self, term: &[u8]) -> Option<usize> {
        let key = key_prefix(term);
        let (mut low, mut high) = (0, self.block_count());
        while low < high {
            let middle = low.midpoint(high);
            let first = self.key_of_block(middle);
            let at_most =
                if first == key { self.open_block(middle)?.1.suffix <= term } else { first < key };
            if at_most {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    /// Looks a term up; `None` also where the bytes that would answer are damaged.
    ///
    /// # Complexity
    ///
    /// A binary search over the block index, then at most 16 entries without rebuilding their keys.
    pub(crate) fn find(&self, term: &[u8]) -> Option<Entry> {
        let block = self.block_of(term)?;
        let (mut offset, mut entry, mut at) = self.open_block(block)?;
        // `matched` bytes are common to the target and the entry before, which sorts below it. So an
        // entry that shares more with that one is below the target too, and one that shares less is
        // above it.
        let mut matched = 0;
        for remaining in (0..self.terms_in_block(block)).rev() {
            if entry.shared < matched {
                return None;
            }
            if entry.shared == matched {
                let rest = term.get(matched..)?;
                let common = entry.suffix.iter().zip(rest).take_while(|(a, b)| a == b).count();
                match (entry.suffix.get(common), rest.get(common)) {
                    (None, None) => {
                        return Some(Entry { df: entry.df, offset, size: entry.size });
                    }
                    (Some(_), None) => return None,
                    (Some(found), Some(wanted)) if found > wanted => return None,
                    _ => matched += common,
                }
            }
            if remaining == 0 {
                return None;
            }
            offset = offset.checked_add(entry.size)?;
            entry = read_entry(self.blocks, &mut at)?;
        }
        None
    }

    /// A cursor before the first term that is at least `from`.
    pub(crate) fn seek(&self, from: &[u8]) -> DictionaryCursor<'a> {
        let mut cursor = DictionaryCursor {
            dictionary: *self,
            next: self.block_of(from).unwrap_or(0) * BLOCK_TERMS,
            at: 0,
            term: Vec::with_capacity(32),
            offset: 0,
            entry: Entry { df: 0, offset: 0, size: 0 },
            damaged: false,
            pending: false,
        };
        while cursor.advance() {
            if cursor.term.as_slice() >= from {
                cursor.pending = true;
                break;
            }
        }
        cursor
    }
}

/// Walks terms in rising order.
#[derive(Debug, Clone)]
pub(crate) struct DictionaryCursor<'a> {
    dictionary: Dictionary<'a>,
    /// Ordinal of the term that `advance` reads next.
    next: usize,
    at: usize,
    term: Vec<u8>,
    offset: u64,
    entry: Entry,
    damaged: bool,
    /// The current term was read by `seek` and not handed out yet.
    pending: bool,
}

impl DictionaryCursor<'_> {
    /// Moves to the next term; `false` at the end, and where the bytes are damaged.
    pub(crate) fn advance(&mut self) -> bool {
        if std::mem::take(&mut self.pending) {
            return true;
        }
        if self.damaged || self.next >= self.dictionary.term_count as usize {
            return false;
        }
        let moved = self.read_next().is_some();
        self.damaged = !moved;
        moved
    }

    fn read_next(&mut self) -> Option<()> {
        let raw = if self.next.is_multiple_of(BLOCK_TERMS) {
            let (offset, raw, at) = self.dictionary.open_block(self.next / BLOCK_TERMS)?;
            (self.offset, self.at) = (offset, at);
            if self.next > 0 && self.term.as_slice() >= raw.suffix && !self.term.is_empty() {
                return None;
            }
            raw
        } else {
            let raw = read_entry(self.dictionary.blocks, &mut self.at)?;
            let rises = raw.shared <= self.term.len() && &self.term[raw.shared..] < raw.suffix;
            if !rises {
                return None;
            }
            raw
        };
        self.term.truncate(raw.shared);
        self.term.extend_from_slice(raw.suffix);
        if self.term.is_empty() || std::str::from_utf8(&self.term).is_err() {
            return None;
        }
        self.entry = Entry { df: raw.df, offset: self.offset, size: raw.size };
        self.offset = self.offset.checked_add(raw.size)?;
        self.next += 1;
        Some(())
    }

    /// The current term.
    pub(crate) fn term(&self) -> &[u8] {
        &self.term
    }

    pub(crate) fn entry(&self) -> Entry {
        self.entry
    }

    /// Whether the walk ended because of damaged bytes.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn written(terms: &BTreeMap<Vec<u8>, u32>) -> DictionaryWriter {
        let mut writer = DictionaryWriter::default();
        for (term, &df) in terms {
            writer.push(term, df, u64::from(df) * 3);
        }
        writer
    }

    fn sample() -> BTreeMap<Vec<u8>, u32> {
        let mut terms = BTreeMap::new();
        let mut state = 7u32;
        for number in 0..3_000u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let stem = ["inter", "internation", "internationalisation", "x", "", "東京"];
            let term = format!("{}{:x}", stem[number as usize % stem.len()], state % 5_000);
            terms.insert(term.into_bytes(), number + 1);
        }
        terms.insert("a".repeat(MAX_KEY_BYTES).into_bytes(), 9);
        terms.insert("a".repeat(MAX_KEY_BYTES - 1).into_bytes(), 10);
        terms
    }

    #[test]
    fn every_term_is_found_and_no_other() {
        let terms = sample();
        let writer = written(&terms);
        let dictionary = Dictionary::new(&writer.blocks, &writer.index, writer.term_count).unwrap();
        let mut offset = 0;
        for (term, &df) in &terms {
            let size = u64::from(df) * 3;
            assert_eq!(dictionary.find(term), Some(Entry { df, offset, size }));
            offset += size;
            for other in [&term[..term.len() - 1], &[term.as_slice(), b"\0"].concat()] {
                assert_eq!(dictionary.find(other).is_some(), terms.contains_key(other));
            }
        }
        assert_eq!(dictionary.find(b""), None);
    }

    #[test]
    fn a_cursor_walks_from_any_key_like_a_sorted_map() {
        let terms = sample();
        let writer = written(&terms);
        let dictionary = Dictionary::new(&writer.blocks, &writer.index, writer.term_count).unwrap();
        let starts = terms.keys().step_by(97).cloned();
        for from in starts.chain([b"".to_vec(), b"intern".to_vec(), b"\xff".to_vec()]) {
            let mut cursor = dictionary.seek(&from);
            let mut walked = Vec::new();
            while cursor.advance() {
                walked.push((cursor.term().to_vec(), cursor.entry().df));
            }
            assert!(!cursor.is_damaged());
            let expected: Vec<_> = terms.range(from..).map(|(t, &df)| (t.clone(), df)).collect();
            assert_eq!(walked, expected);
        }
    }

    #[test]
    fn damaged_bytes_end_the_walk() {
        let terms = sample();
        let writer = written(&terms);
        for at in 0..writer.blocks.len() {
            let mut blocks = writer.blocks.clone();
            blocks[at] ^= 0xf0;
            let dictionary = Dictionary::new(&blocks, &writer.index, writer.term_count).unwrap();
            let mut cursor = dictionary.seek(b"");
            let mut count = 0;
            while cursor.advance() && count < 40 {
                count += 1;
            }
            dictionary.find(b"internation12");
        }
    }
}
