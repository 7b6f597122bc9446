//! Where what is in an index's bytes.
//!
//! All numbers are little-endian. Invariant: the counts in the header decide all places, so there is no offset to
//! distrust, and the bytes are exactly as many as they say.

use std::ops::Range;

use super::codes::block_bytes;
use super::rotation::Shape;
use super::search::Effort;
use super::{AnnError, TARGETS};
use crate::kernels::codes::{BLOCK_CODES, BYTE_GROUP_BYTES, GROUP_COMPONENTS};
use crate::{MAX_DIM, Metric};

/// Parts begin at multiples of so many bytes: a cache line.
const ALIGNMENT: usize = 64;
pub(super) const HEADER_BYTES: usize = 192;
const MAGIC: [u8; 8] = *b"SUTRAANN";
const VERSION: u32 = 1;
/// First block of centres, and number of centres.
pub(super) const LIST_BYTES: usize = 8;
/// Number of the block and of the vectors in it, packed; the radius.
pub(super) const CENTRE_BYTES: usize = 8;
/// Scale of the last components, and the ordinal.
pub(super) const SLOT_BYTES: usize = 8;
/// Bits of a packed entry that hold the number of vectors.
const COUNT_BITS: u32 = 6;

/// What an index says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    pub(super) shape: Shape,
    pub(super) metric: Metric,
    /// Vectors.
    pub(super) len: u32,
    pub(super) lists: u32,
    /// Blocks of centres, of all lists.
    pub(super) centre_blocks: u32,
    /// Blocks of vectors.
    pub(super) blocks: u32,
    /// The root of the mean square of the last components.
    pub(super) far_deviation: f32,
    /// The same of what the others of the first components are off from their blocks' centres.
    pub(super) trail_deviation: f32,
    /// The root of the mean square of what a code is off by, a component.
    pub(super) code_deviation: f32,
    /// What each of [`TARGETS`] takes.
    pub(super) efforts: [Effort; TARGETS.len()],
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let metric = match self.metric {
            Metric::Cosine => 0_u32,
            Metric::Dot => 1,
            Metric::Euclidean => unreachable!("no index is made for it"),
        };
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        let words = [
            VERSION,
            self.shape.dim as u32,
            metric,
            self.len,
            self.lists,
            self.centre_blocks,
            self.blocks,
            self.far_deviation.to_bits(),
            self.code_deviation.to_bits(),
            self.trail_deviation.to_bits(),
        ];
        let (_, rest) = out.split_at_mut(8);
        let (places, _) = rest.as_chunks_mut::<4>();
        let efforts = self.efforts.iter().flat_map(|effort| {
            let Effort { blocks, radius_weight, reach, slack } = *effort;
            [blocks, radius_weight.to_bits(), reach.to_bits(), slack.to_bits()]
        });
        for (place, word) in places.iter_mut().zip(words.into_iter().chain(efforts)) {
            *place = word.to_le_bytes();
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, AnnError> {
        let damaged = |what: &'static str| AnnError::Damaged { what };
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(damaged("no index begins with these bytes"));
        }
        let word = |at: usize| u32_at(bytes, 8 + 4 * at);
        if word(0) != VERSION {
            return Err(AnnError::Version { found: word(0), supported: VERSION });
        }
        let dim = word(1) as usize;
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(damaged("the dimension is out of range"));
        }
        let metric = match word(2) {
            0 => Metric::Cosine,
            1 => Metric::Dot,
            _ => return Err(damaged("the metric is unknown")),
        };
        let effort = |at: usize| Effort {
            blocks: word(at),
            radius_weight: f32::from_bits(word(at + 1)),
            reach: f32::from_bits(word(at + 2)),
            slack: f32::from_bits(word(at + 3)),
        };
        let header = Self {
            shape: Shape::of(dim),
            metric,
            len: word(3),
            lists: word(4),
            centre_blocks: word(5),
            blocks: word(6),
            far_deviation: f32::from_bits(word(7)),
            code_deviation: f32::from_bits(word(8)),
            trail_deviation: f32::from_bits(word(9)),
            efforts: std::array::from_fn(|at| effort(10 + 4 * at)),
        };
        // Sums of the sizes can't overflow then.
        let most = header.len.max(1);
        if header.lists > most || header.centre_blocks > most || header.blocks > most {
            return Err(damaged("there are more lists or blocks than vectors"));
        }
        if Places::of(&header).end != bytes.len() {
            return Err(damaged("the length is not what the header says"));
        }
        Ok(header)
    }
}

/// The places of a set of codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodePlaces {
    /// Groups, 32 scales of the leading components and 32 of the others, a block.
    pub(super) blocks: Range<usize>,
    /// [`SLOT_BYTES`] a vector.
    pub(super) slots: Range<usize>,
    /// The codes of the last components, a vector.
    pub(super) rows: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The rotation's rows as small bytes, 32 side by side.
    pub(super) rotation: Range<usize>,
    /// Their scales, and the sums of their bytes.
    pub(super) rotation_scales: Range<usize>,
    pub(super) rotation_sums: Range<usize>,
    /// The mean of all vectors.
    pub(super) mean: Range<usize>,
    pub(super) lists: Range<usize>,
    pub(super) centres: Range<usize>,
    /// Groups and scales of the lists' centres; and of the blocks', a whole number of blocks for each list.
    pub(super) list_codes: Range<usize>,
    pub(super) centre_codes: Range<usize>,
    pub(super) codes: CodePlaces,
    pub(super) end: usize,
}

impl Places {
    pub(super) fn of(header: &Header) -> Self {
        let Header { shape, .. } = *header;
        let [lists, centre_blocks, blocks] =
            [header.lists, header.centre_blocks, header.blocks].map(|count| count as usize);
        let mut end = HEADER_BYTES;
        let mut place = |bytes: usize| {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + bytes;
            start..end
        };
        let turned = shape.rotated().next_multiple_of(BLOCK_CODES);
        Self {
            rotation: place(turned / BLOCK_CODES * rotation_block_bytes(shape.dim)),
            rotation_scales: place(turned * 4),
            rotation_sums: place(turned * 4),
            mean: place(shape.dim * 4),
            lists: place(lists * LIST_BYTES),
            centres: place(centre_blocks * BLOCK_CODES * CENTRE_BYTES),
            list_codes: place(lists.div_ceil(BLOCK_CODES) * stride(shape.near)),
            centre_codes: place(centre_blocks * stride(shape.near)),
            codes: CodePlaces {
                blocks: place(blocks * stride(shape.near)),
                slots: place(blocks * BLOCK_CODES * SLOT_BYTES),
                rows: place(blocks * BLOCK_CODES * shape.far / 2),
            },
            end,
        }
    }
}

/// Bytes of a block of codes with its scales.
pub(super) const fn stride(near: usize) -> usize {
    block_bytes(near) + 2 * 4 * BLOCK_CODES
}

/// Bytes of 32 rows of the rotation.
pub(super) const fn rotation_block_bytes(dim: usize) -> usize {
    dim.div_ceil(4) * BYTE_GROUP_BYTES
}

/// A centre's entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Centre {
    pub(super) block: u32,
    /// Vectors in the block.
    pub(super) count: u32,
    /// The root of the mean square of the distances of its vectors' first components from the centre.
    pub(super) radius: f32,
}

impl Centre {
    pub(super) fn encode(self) -> [u8; CENTRE_BYTES] {
        let mut out = [0; CENTRE_BYTES];
        out[..4].copy_from_slice(&(self.block << COUNT_BITS | self.count).to_le_bytes());
        out[4..].copy_from_slice(&self.radius.to_le_bytes());
        out
    }

    pub(super) fn at(centres: &[u8], slot: usize) -> Self {
        let packed = u32_at(centres, slot * CENTRE_BYTES);
        Self {
            block: packed >> COUNT_BITS,
            count: packed & ((1 << COUNT_BITS) - 1),
            radius: f32::from_bits(u32_at(centres, slot * CENTRE_BYTES + 4)),
        }
    }
}

/// The most blocks that an entry can name.
pub(super) const MAX_BLOCKS: usize = 1 << (32 - COUNT_BITS);

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let (words, _) = bytes[at..].as_chunks::<4>();
    u32::from_le_bytes(words[0])
}

pub(super) fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(bytes, at))
}

const _: () = assert!(BLOCK_CODES.is_multiple_of(GROUP_COMPONENTS));
const _: () = assert!(8 + 4 * (10 + 4 * TARGETS.len()) <= HEADER_BYTES);
