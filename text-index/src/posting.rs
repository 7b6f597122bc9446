//! Posting lists: the (ordinal, tf) pairs of one term, bit-packed in blocks of 128.
//!
//! Invariant: a list's encoding depends only on its pairs and the lengths of their documents, and
//! reading never leaves the list's bytes: what cannot be decoded is an empty block.

use bitpacking::{BitPacker, BitPacker4x};

use crate::impact::{IMPACT_BYTES, ImpactBuilder, Impacts};
use crate::varint;

/// Postings a block.
pub(crate) const BLOCK: usize = BitPacker4x::BLOCK_LEN;
/// Bytes of a skip entry.
const ENTRY_BYTES: usize = 10 + IMPACT_BYTES;
/// In place of a bit width: the block is a run of varints.
const VARINT: u8 = u8::MAX;

/// Encodes posting lists; kept between lists for its buffers.
pub(crate) struct ListWriter {
    packer: BitPacker4x,
    block: ImpactBuilder,
    list: ImpactBuilder,
    entries: Vec<u8>,
    data: Vec<u8>,
    packed: [u8; BLOCK * 4],
}

impl ListWriter {
    pub(crate) fn new() -> Self {
        Self {
            packer: BitPacker4x::new(),
            block: ImpactBuilder::new(),
            list: ImpactBuilder::new(),
            entries: Vec::new(),
            data: Vec::new(),
            packed: [0; BLOCK * 4],
        }
    }

    /// Appends the list of `ordinals` (strictly rising) with their `tfs` (at least 1).
    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        ordinals: &[u32],
        tfs: &[u32],
        length_of: impl Fn(u32) -> u32,
    ) {
        debug_assert!(ordinals.len() == tfs.len() && ordinals.is_sorted());
        if ordinals.len() < BLOCK {
            write_varints(out, None, ordinals, tfs);
            return;
        }
        self.entries.clear();
        self.data.clear();
        let mut previous = None;
        for (ordinals, tfs) in ordinals.chunks(BLOCK).zip(tfs.chunks(BLOCK)) {
            let offset = self.data.len() as u32;
            let last = ordinals[ordinals.len() - 1];
            let (ordinal_bits, tf_bits) = if ordinals.len() == BLOCK {
                self.pack(previous, ordinals, tfs)
            } else {
                write_varints(&mut self.data, previous, ordinals, tfs);
                (VARINT, 0)
            };
            for (&ordinal, &tf) in ordinals.iter().zip(tfs) {
                self.block.add(tf, length_of(ordinal));
            }
            let impacts = self.block.finish();
            self.list.add_all(impacts);
            self.entries.extend_from_slice(&last.to_le_bytes());
            self.entries.extend_from_slice(&offset.to_le_bytes());
            self.entries.extend_from_slice(&[ordinal_bits, tf_bits]);
            impacts.write(&mut self.entries);
            previous = Some(last);
        }
        self.list.finish().write(out);
        out.extend_from_slice(&self.entries);
        out.extend_from_slice(&self.data);
    }

    fn pack(&mut self, previous: Option<u32>, ordinals: &[u32], tfs: &[u32]) -> (u8, u8) {
        let ordinal_bits = self.packer.num_bits_strictly_sorted(previous, ordinals);
        let size = self.packer.compress_strictly_sorted(
            previous,
            ordinals,
            &mut self.packed,
            ordinal_bits,
        );
        self.data.extend_from_slice(&self.packed[..size]);
        let mut less_one = [0; BLOCK];
        for (place, &tf) in less_one.iter_mut().zip(tfs) {
            *place = tf - 1;
        }
        let tf_bits = self.packer.num_bits(&less_one);
        let size = self.packer.compress(&less_one, &mut self.packed, tf_bits);
        self.data.extend_from_slice(&self.packed[..size]);
        (ordinal_bits, tf_bits)
    }
}

/// Gap to the ordinal before, less one, with a low bit that says "tf is 1"; else the tf follows.
fn write_varints(out: &mut Vec<u8>, previous: Option<u32>, ordinals: &[u32], tfs: &[u32]) {
    let mut next = previous.map_or(0, |ordinal| u64::from(ordinal) + 1);
    for (&ordinal, &tf) in ordinals.iter().zip(tfs) {
        let gap = u64::from(ordinal) - next;
        varint::write(out, gap << 1 | u64::from(tf == 1));
        if tf != 1 {
            varint::write(out, u64::from(tf));
        }
        next = u64::from(ordinal) + 1;
    }
}

/// Reads what [`write_varints`] wrote; the number of postings, 0 when the bytes are damaged.
fn read_varints(
    bytes: &[u8],
    previous: Option<u32>,
    count: usize,
    ordinals: &mut [u32; BLOCK],
    tfs: &mut [u32; BLOCK],
) -> usize {
    let mut read = || {
        let mut at = 0;
        let mut next = previous.map_or(0, |ordinal| u64::from(ordinal) + 1);
        for (ordinal, tf) in ordinals.iter_mut().zip(tfs.iter_mut()).take(count) {
            let word = varint::read(bytes, &mut at)?;
            next = next.checked_add(word >> 1)?;
            *ordinal = u32::try_from(next).ok()?;
            *tf = if word & 1 == 1 { 1 } else { varint::read_u32(bytes, &mut at)?.max(1) };
            next += 1;
        }
        Some(count)
    };
    read().unwrap_or(0)
}

/// A skip entry: what is known of a block without decoding it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Greatest ordinal of the block.
    pub(crate) last: u32,
    offset: u32,
    ordinal_bits: u8,
    tf_bits: u8,
    pub(crate) impacts: Impacts,
}

/// One term's list in borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    df: u32,
    /// Empty when the list is shorter than a block: then `data` is one run of varints.
    entries: &'a [u8],
    impacts: Impacts,
    data: &'a [u8],
}

impl<'a> List<'a> {
    /// The list of `df` postings in `bytes`; an empty one when they cannot hold it.
    pub(crate) fn new(df: u32, bytes: &'a [u8]) -> Self {
        let empty = Self { df: 0, entries: &[], impacts: Impacts::default(), data: &[] };
        if (df as usize) < BLOCK {
            return Self { df, data: bytes, ..empty };
        }
        let size = (df as usize).div_ceil(BLOCK) * ENTRY_BYTES;
        let Some((impacts, rest)) = bytes.split_at_checked(IMPACT_BYTES) else { return empty };
        let Some((entries, data)) = rest.split_at_checked(size) else { return empty };
        Self { df, entries, impacts: Impacts::read(impacts), data }
    }

    pub(crate) fn df(&self) -> u32 {
        self.df
    }

    /// Blocks, the last maybe short.
    #[inline]
    pub(crate) fn block_count(&self) -> usize {
        (self.df as usize).div_ceil(BLOCK)
    }

    /// Whether the list is a single run of varints, without skip entries and impacts.
    pub(crate) fn is_short(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bounds on the whole list; none for a short list.
    pub(crate) fn impacts(&self) -> Impacts {
        self.impacts
    }

    /// The greatest ordinal of a block.
    #[inline]
    pub(crate) fn last_of(&self, block: usize) -> u32 {
        let at = block * ENTRY_BYTES;
        self.entries
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(u32::MAX, u32::from_le_bytes)
    }

    /// The skip entry of a block; `None` beyond the last and for short lists.
    #[inline]
    pub(crate) fn block(&self, block: usize) -> Option<Block> {
        let at = block * ENTRY_BYTES;
        let bytes = self.entries.get(at..at + ENTRY_BYTES)?;
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Some(Block {
            last: word(0),
            offset: word(4),
            ordinal_bits: bytes[8],
            tf_bits: bytes[9],
            impacts: Impacts::read(&bytes[10..]),
        })
    }

    fn previous(&self, block: usize) -> Option<u32> {
        block.checked_sub(1).map(|before| self.last_of(before))
    }

    /// Decodes a block's ordinals, and its tfs when they are interleaved with them.
    ///
    /// Returns the number of postings, 0 when the bytes are damaged.
    pub(crate) fn ordinals(
        &self,
        block: usize,
        ordinals: &mut [u32; BLOCK],
        tfs: &mut [u32; BLOCK],
    ) -> usize {
        if self.is_short() {
            return read_varints(self.data, None, self.df as usize, ordinals, tfs);
        }
        let Some(entry) = self.block(block) else { return 0 };
        let Some(data) = self.data.get(entry.offset as usize..) else { return 0 };
        let previous = self.previous(block);
        let count = if entry.ordinal_bits == VARINT {
            let count = self.df as usize - block * BLOCK;
            read_varints(data, previous, count.min(BLOCK), ordinals, tfs)
        } else {
            let bits = entry.ordinal_bits;
            if bits > 32 || data.len() < BitPacker4x::compressed_block_size(bits) {
                return 0;
            }
            BitPacker4x::new().decompress_strictly_sorted(previous, data, ordinals, bits);
            BLOCK
        };
        if count > 0 && ordinals[count - 1] == entry.last { count } else { 0 }
    }

    /// Decodes a block's tfs, unless [`List::ordinals`] has done so already.
    pub(crate) fn tfs(&self, block: usize, tfs: &mut [u32; BLOCK]) {
        let Some(entry) = self.block(block) else { return };
        if entry.ordinal_bits == VARINT {
            return;
        }
        if entry.tf_bits == 0 {
            tfs.fill(1);
            return;
        }
        let start =
            entry.offset as usize + BitPacker4x::compressed_block_size(entry.ordinal_bits.min(32));
        match self.data.get(start..) {
            Some(data)
                if entry.tf_bits <= 32
                    && data.len() >= BitPacker4x::compressed_block_size(entry.tf_bits) =>
            {
                BitPacker4x::new().decompress(data, tfs, entry.tf_bits);
                for tf in tfs {
                    *tf = tf.saturating_add(1);
                }
            }
            _ => tfs.fill(1),
        }
    }
}

/// The postings of one term: (ordinal, term frequency) by rising ordinal.
///
/// Made by [`TextView::postings`](crate::TextView::postings). Over damaged bytes it ends early.
#[derive(Debug, Clone)]
pub struct Postings<'a> {
    list: List<'a>,
    doc_count: u32,
    /// Block that the buffers hold; none while `count` is 0 and `next_block` is 0.
    next_block: usize,
    at: usize,
    count: usize,
    ordinals: [u32; BLOCK],
    tfs: [u32; BLOCK],
}

impl<'a> Postings<'a> {
    pub(crate) fn new(list: List<'a>, doc_count: u32) -> Self {
        Self {
            list,
            doc_count,
            next_block: 0,
            at: 0,
            count: 0,
            ordinals: [0; BLOCK],
            tfs: [1; BLOCK],
        }
    }

    /// Documents in the list, deleted ones included.
    #[must_use]
    pub fn df(&self) -> u32 {
        self.list.df()
    }

    /// Loads the next block; `false` at the end.
    fn load(&mut self) -> bool {
        let block = self.next_block;
        if block >= self.list.block_count() {
            self.count = 0;
            self.at = 0;
            return false;
        }
        self.count = self.list.ordinals(block, &mut self.ordinals, &mut self.tfs);
        self.list.tfs(block, &mut self.tfs);
        self.at = 0;
        self.next_block = block + 1;
        if self.count == 0 {
            self.next_block = usize::MAX;
        }
        self.count > 0
    }

    /// Moves to the first posting at or behind the current place whose ordinal is at least
    /// `ordinal`, and returns it.
    ///
    /// # Complexity
    ///
    /// Blocks in between are skipped by their entries, not decoded.
    pub fn seek(&mut self, ordinal: u32) -> Option<(u32, u32)> {
        if self.count == 0 || self.ordinals[self.count - 1] < ordinal {
            if !self.list.is_short() {
                let blocks = self.list.block_count();
                while self.next_block < blocks && self.list.last_of(self.next_block) < ordinal {
                    self.next_block += 1;
                }
            }
            if !self.load() {
                return None;
            }
        }
        let rest = &self.ordinals[self.at..self.count];
        self.at += rest.partition_point(|&found| found < ordinal);
        self.next()
    }

    /// Makes the posting just returned the next one again.
    pub(crate) fn step_back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }
}

impl Iterator for Postings<'_> {
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        if self.at >= self.count && !self.load() {
            return None;
        }
        let posting = (self.ordinals[self.at], self.tfs[self.at]);
        self.at += 1;
        (posting.0 < self.doc_count).then_some(posting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: u32, step: u32) -> (Vec<u32>, Vec<u32>) {
        let ordinals = (0..count).map(|at| at * step + at % step.max(1)).collect();
        (ordinals, (0..count).map(|at| 1 + at % 7 * (at % 3)).collect())
    }

    #[test]
    fn lists_of_every_length_read_back() {
        for count in (1..20).chain([126, 127, 128, 129, 255, 256, 257, 1_000]) {
            for step in [1, 3, 1_000] {
                let (ordinals, tfs) = list(count, step);
                let mut bytes = Vec::new();
                ListWriter::new().write(&mut bytes, &ordinals, &tfs, |ordinal| ordinal % 50);
                let postings = Postings::new(List::new(count, &bytes), u32::MAX);
                let expected: Vec<_> = ordinals.into_iter().zip(tfs).collect();
                assert_eq!(postings.collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn the_greatest_ordinals_and_tfs_read_back() {
        let ordinals: Vec<u32> = (u32::MAX - 130..u32::MAX).collect();
        let tfs = vec![u32::MAX; 130];
        let mut bytes = Vec::new();
        ListWriter::new().write(&mut bytes, &ordinals, &tfs, |_| u32::MAX);
        let read: Vec<_> = Postings::new(List::new(130, &bytes), u32::MAX).collect();
        assert!(read.iter().all(|&(_, tf)| tf == u32::MAX));
        assert_eq!(read.iter().map(|p| p.0).collect::<Vec<_>>(), ordinals);
    }

    #[test]
    fn seek_finds_what_a_scan_finds() {
        let (ordinals, tfs) = list(1_000, 5);
        let mut bytes = Vec::new();
        ListWriter::new().write(&mut bytes, &ordinals, &tfs, |_| 9);
        let list = List::new(1_000, &bytes);
        for stride in [1, 2, 17, 400, 3_000] {
            let mut postings = Postings::new(list, u32::MAX);
            let mut target = 0;
            while target < 5_100 {
                let expected = ordinals.iter().position(|&found| found >= target);
                let expected = expected.map(|at| (ordinals[at], tfs[at]));
                assert_eq!(postings.seek(target), expected);
                target = expected.map_or(target, |(ordinal, _)| ordinal) + stride;
            }
        }
    }
}
