//! Where what is in an index's bytes.
//!
//! All numbers are little-endian. Invariant: the counts in the header decide all places, so there is no offset to
//! distrust, and the bytes are exactly as many as they say.

use std::cell::Cell;
use std::ops::Range;

use super::codes::SmallScale;
use super::projection::Shape;
use super::view::Effort;
use super::{AnnError, TARGETS};
use crate::kernels::codes::{BLOCK_CODES, BYTE_COMPONENTS, BYTE_GROUP_BYTES};
use crate::{MAX_DIM, Metric};

/// Parts begin at multiples of so many bytes: a cache line.
const ALIGNMENT: usize = 64;
pub(super) const HEADER_BYTES: usize = 256;
const MAGIC: [u8; 8] = *b"SUTRAANN";
const VERSION: u32 = 3;
/// First block, and number of blocks, whose centres are one block of centres.
pub(super) const LIST_BYTES: usize = 8;
/// Radii of a list's blocks.
pub(super) const RADII_BYTES: usize = 4 * BLOCK_CODES;
/// The vector's ordinal.
pub(super) const SLOT_BYTES: usize = 4;

/// What an index says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    pub(super) shape: Shape,
    pub(super) metric: Metric,
    /// Vectors.
    pub(super) len: u32,
    pub(super) lists: u32,
    /// Blocks of vectors.
    pub(super) blocks: u32,
    /// The root of the mean square of a component of what the projection leaves of a vector.
    pub(super) far_deviation: f32,
    /// The same of what a projection's code is off by, and of what a second code is off by.
    pub(super) near_deviation: f32,
    pub(super) code_deviation: f32,
    /// What the bytes of scales stand for.
    pub(super) scales: SmallScale,
    /// The greatest length of what a second code stands for.
    pub(super) longest: f32,
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
            self.blocks,
            self.far_deviation.to_bits(),
            self.near_deviation.to_bits(),
            self.code_deviation.to_bits(),
            self.scales.least,
            self.longest.to_bits(),
        ];
        let (_, rest) = out.split_at_mut(8);
        let (places, _) = rest.as_chunks_mut::<4>();
        let efforts = self.efforts.iter().flat_map(|effort| {
            let Effort { lists, blocks, radius_weight, reach, slack } = *effort;
            [lists, blocks, radius_weight.to_bits(), reach.to_bits(), slack.to_bits()]
        });
        for (place, word) in places.iter_mut().zip(words.into_iter().chain(efforts)) {
            *place = word.to_le_bytes();
        }
        out
    }

    /// Refuses what no index begins with, and an index of another version.
    pub(super) fn check_version(bytes: &[u8]) -> Result<(), AnnError> {
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(AnnError::Damaged { what: "no index begins with these bytes" });
        }
        let found = u32_at(bytes, 8);
        if found != VERSION {
            return Err(AnnError::Version { found, supported: VERSION });
        }
        Ok(())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, AnnError> {
        let damaged = |what: &'static str| AnnError::Damaged { what };
        Self::check_version(bytes)?;
        let word = |at: usize| u32_at(bytes, 8 + 4 * at);
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
            lists: word(at),
            blocks: word(at + 1),
            radius_weight: f32::from_bits(word(at + 2)),
            reach: f32::from_bits(word(at + 3)),
            slack: f32::from_bits(word(at + 4)),
        };
        let header = Self {
            shape: Shape::of(dim),
            metric,
            len: word(3),
            lists: word(4),
            blocks: word(5),
            far_deviation: f32::from_bits(word(6)),
            near_deviation: f32::from_bits(word(7)),
            code_deviation: f32::from_bits(word(8)),
            scales: SmallScale { least: word(9) },
            longest: f32::from_bits(word(10)),
            efforts: std::array::from_fn(|at| effort(11 + 5 * at)),
        };
        // Sums of the sizes can't overflow then.
        let most = header.len.max(1);
        if header.lists > most || header.blocks > most {
            return Err(damaged("there are more lists or blocks than vectors"));
        }
        if Places::of(&header).end != bytes.len() {
            return Err(damaged("the length is not what the header says"));
        }
        Ok(header)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The projection's rows as small bytes, 32 side by side.
    pub(super) projection: Range<usize>,
    /// Their scales, and the sums of their bytes.
    pub(super) projection_scales: Range<usize>,
    pub(super) projection_sums: Range<usize>,
    /// The vectors' mean, which the second codes are without.
    pub(super) mean: Range<usize>,
    /// [`LIST_BYTES`] a list.
    pub(super) lists: Range<usize>,
    /// Of each list 32 blocks' radii, and numbers of vectors in a byte each; those that are not there have zeros.
    pub(super) radii: Range<usize>,
    pub(super) counts: Range<usize>,
    /// The codes of projections, in each block 32 side by side, and their scales: of the lists' centres; of the
    /// blocks', a block for each list; and of the vectors.
    pub(super) list_codes: Range<usize>,
    pub(super) centre_codes: Range<usize>,
    pub(super) codes: Range<usize>,
    /// [`SLOT_BYTES`] for each place in a block.
    pub(super) slots: Range<usize>,
    /// The second code of each vector, its scale, and how far it is off at most.
    pub(super) rows: Range<usize>,
    pub(super) end: usize,
}

impl Places {
    pub(super) fn of(header: &Header) -> Self {
        let Header { shape, .. } = *header;
        let [lists, blocks] = [header.lists, header.blocks].map(|count| count as usize);
        let end = Cell::new(HEADER_BYTES);
        let place = |bytes: usize| {
            let start = end.get().next_multiple_of(ALIGNMENT);
            end.set(start + bytes);
            start..end.get()
        };
        let codes = |blocks: usize| place(blocks * stride(shape.near));
        let projected = shape.near.next_multiple_of(BLOCK_CODES);
        Self {
            projection: place(projected / BLOCK_CODES * projection_block_bytes(shape.dim)),
            projection_scales: place(projected * 4),
            projection_sums: place(projected * 4),
            mean: place(shape.dim * 4),
            lists: place(lists * LIST_BYTES),
            radii: place(lists * RADII_BYTES),
            counts: place(lists * BLOCK_CODES),
            list_codes: codes(lists.div_ceil(BLOCK_CODES)),
            centre_codes: codes(lists),
            codes: codes(blocks),
            slots: place(blocks * BLOCK_CODES * SLOT_BYTES),
            rows: place(header.len as usize * far_stride(shape.far)),
            end: end.get(),
        }
    }
}

/// Bytes of a block of codes of so many components, with its scales.
pub(super) const fn stride(components: usize) -> usize {
    (components / BYTE_COMPONENTS + 1) * BLOCK_CODES
}

/// Bytes of a second code of so many components, with its scale and bound.
pub(super) const fn far_stride(components: usize) -> usize {
    components / 2 + 8
}

/// Bytes of 32 rows of the projection.
pub(super) const fn projection_block_bytes(dim: usize) -> usize {
    dim.div_ceil(4) * BYTE_GROUP_BYTES
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let (words, _) = bytes[at..].as_chunks::<4>();
    u32::from_le_bytes(words[0])
}

pub(super) fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(bytes, at))
}

const _: () = assert!(8 + 4 * (11 + 5 * TARGETS.len()) <= HEADER_BYTES);
