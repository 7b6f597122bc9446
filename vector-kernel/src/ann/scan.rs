//! The loops over codes, which run on the instruction set that the machine has.
//!
//! Invariant: scores are integers, exactly, and then one fixed order of operations on floats, so that every
//! instruction set gives the same bits.

use std::ops::Range;

use super::candidates::Candidate;
use super::codes::SmallScale;
use super::layout::{
    LIST_BYTES, Places, RADII_BYTES, SLOT_BYTES, f32_at, far_stride, stride, u32_at,
};
use super::projection::Shape;
use super::query::{CodedQuery, NearQuery};
use super::view::AnnView;
use crate::Rows;
use crate::kernels::codes::{BLOCK_CODES, CHUNK_BYTES};
use crate::kernels::simd::{Kernel, Simd};

/// How many blocks ahead codes are asked for.
const AHEAD: usize = 4;

/// Asks for the lines that bytes are in, all but what is left at their end.
#[inline(always)]
fn fetch<S: Simd>(simd: S, bytes: &[u8]) {
    let (lines, _) = bytes.as_chunks::<64>();
    for line in lines {
        simd.prefetch(line.as_ptr());
    }
}

/// A block that is scored as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) number: u32,
    /// A bit for each of its codes that counts, the first lowest.
    pub(super) codes: u32,
    /// What is added to each score.
    pub(super) base: f32,
}

/// The bits of so many codes of a block, at most 32.
pub(super) const fn all_codes(count: usize) -> u32 {
    if count == 0 { 0 } else { u32::MAX >> (BLOCK_CODES - count) }
}

/// Scores of the codes of a block, minus infinity where none counts.
pub(super) type Scores = [f32; BLOCK_CODES];

/// Codes of projections, and a query to compare them with.
#[derive(Clone, Copy)]
pub(super) struct Codes<'a> {
    blocks: &'a [u8],
    stride: usize,
    scales: SmallScale,
    query: &'a NearQuery,
}

impl<'a> Codes<'a> {
    pub(super) fn new(view: &AnnView<'a>, place: Range<usize>, query: &'a NearQuery) -> Self {
        Self {
            blocks: &view.bytes[place],
            stride: stride(view.header.shape.near),
            scales: view.header.scales,
            query,
        }
    }

    #[inline(always)]
    fn bytes_of(&self, block: Block) -> &'a [u8] {
        &self.blocks[block.number as usize * self.stride..][..self.stride]
    }

    #[inline(always)]
    fn fetch<S: Simd>(&self, simd: S, block: Block) {
        let bytes = self.bytes_of(block);
        fetch(simd, bytes);
        simd.prefetch(&raw const bytes[bytes.len() - 1]);
    }

    /// The scores of the codes of a block.
    #[inline(always)]
    fn scores<S: Simd>(&self, simd: S, block: Block) -> Scores {
        let mut scores = [block.base; BLOCK_CODES];
        let Some((codes, scales)) = self.bytes_of(block).split_last_chunk::<BLOCK_CODES>() else {
            return scores;
        };
        let (codes, _) = codes.as_chunks::<BLOCK_CODES>();
        let NearQuery { tables, step, offset } = self.query;
        let sums = simd.block_sums(codes, tables);
        // A loop over indices of arrays is vectorised whole.
        for i in 0..BLOCK_CODES {
            scores[i] += (sums[i] as f32 * step - offset) * self.scales.decode(scales[i]);
        }
        scores
    }
}

/// Scores all codes of some blocks.
pub(super) struct ScoreAll<'a> {
    pub(super) codes: Codes<'a>,
    pub(super) blocks: &'a [Block],
    pub(super) out: &'a mut Vec<Scores>,
}

impl Kernel for ScoreAll<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { codes, blocks, out } = self;
        for block in blocks.iter().take(AHEAD) {
            codes.fetch(simd, *block);
        }
        for (at, block) in blocks.iter().enumerate() {
            if let Some(next) = blocks.get(at + AHEAD) {
                codes.fetch(simd, *next);
            }
            let mut scores = codes.scores(simd, *block);
            if block.codes != u32::MAX {
                for (lane, score) in scores.iter_mut().enumerate() {
                    let counts = block.codes >> lane & 1 == 1;
                    *score = if counts { *score } else { f32::NEG_INFINITY };
                }
            }
            out.push(scores);
        }
    }
}

/// Calls a function for each lane whose bit is set, the lowest first.
#[inline(always)]
fn for_each_lane(mut mask: u32, mut call: impl FnMut(usize)) {
    while mask != 0 {
        call(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

/// Gathers what was scored above a number, and not above another, in order of the blocks.
pub(super) struct Collect<'a> {
    pub(super) scores: &'a [Scores],
    /// Of which the scores are.
    pub(super) blocks: &'a [Block],
    pub(super) above: f32,
    pub(super) up_to: f32,
    pub(super) found: &'a mut Vec<Candidate>,
}

impl Kernel for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { scores, blocks, above, up_to, found } = self;
        for (scores, block) in scores.iter().zip(blocks) {
            for_each_lane(simd.above(scores, above) & !simd.above(scores, up_to), |lane| {
                let slot = block.number * BLOCK_CODES as u32 + lane as u32;
                found.push(Candidate::new(scores[lane], slot));
            });
        }
    }
}

/// What an index says of lists and their blocks, beside the codes.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    entries: &'a [u8],
    radii: &'a [u8],
    counts: &'a [u8],
}

impl<'a> Lists<'a> {
    pub(super) fn new(bytes: &'a [u8], places: &Places) -> Self {
        Self {
            entries: &bytes[places.lists.clone()],
            radii: &bytes[places.radii.clone()],
            counts: &bytes[places.counts.clone()],
        }
    }

    /// The number of its first block, and how many it has.
    #[inline(always)]
    pub(super) fn blocks(self, list: usize) -> (u32, u32) {
        let entry = list * LIST_BYTES;
        (u32_at(self.entries, entry), u32_at(self.entries, entry + 4))
    }

    /// The radii of its blocks.
    #[inline(always)]
    pub(super) fn radii(self, list: usize) -> [f32; BLOCK_CODES] {
        let (radii, _) = self.radii[list * RADII_BYTES..][..RADII_BYTES].as_chunks::<4>();
        std::array::from_fn(
            #[inline(always)]
            |i| f32::from_le_bytes(radii[i]),
        )
    }

    /// How many vectors its blocks have.
    #[inline(always)]
    pub(super) fn counts(self, list: usize) -> &'a [u8] {
        &self.counts[list * BLOCK_CODES..][..BLOCK_CODES]
    }
}

/// Adds to the scores of blocks' centres some of the blocks' radii.
pub(super) struct AddRadii<'a> {
    pub(super) lists: Lists<'a>,
    /// The lists of which the scores are.
    pub(super) of: &'a [Block],
    pub(super) weight: f32,
    pub(super) scores: &'a mut [Scores],
}

impl Kernel for AddRadii<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { lists, of, weight, scores } = self;
        for (list, scores) in of.iter().zip(scores) {
            let radii = lists.radii(list.number as usize);
            for i in 0..BLOCK_CODES {
                scores[i] += weight * radii[i];
            }
        }
    }
}

/// Which of the blocks whose centres were scored, with some of their radii, are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Their scores are above the one and not above the other.
    pub(super) above: f32,
    pub(super) up_to: f32,
    /// And so many radii more make them greater than this.
    pub(super) beyond: f32,
    pub(super) least: f32,
}

impl Choice {
    /// All whose scores are above a number.
    pub(super) const fn above(above: f32) -> Self {
        Self { above, up_to: f32::INFINITY, beyond: 0.0, least: f32::NEG_INFINITY }
    }
}

/// Chooses blocks, in order of their lists.
pub(super) struct Choose<'a> {
    pub(super) lists: Lists<'a>,
    pub(super) of: &'a [Block],
    pub(super) weight: f32,
    pub(super) scores: &'a [Scores],
    pub(super) choice: Choice,
    pub(super) chosen: &'a mut Vec<Block>,
}

impl Kernel for Choose<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { lists, of, weight, scores, choice, chosen } = self;
        for (list, scores) in of.iter().zip(scores) {
            let mask = simd.above(scores, choice.above) & !simd.above(scores, choice.up_to);
            if mask == 0 {
                continue;
            }
            let number = list.number as usize;
            let radii = lists.radii(number);
            let mut most = *scores;
            for i in 0..BLOCK_CODES {
                most[i] += choice.beyond * radii[i];
            }
            let (first, _) = lists.blocks(number);
            let counts = lists.counts(number);
            for_each_lane(mask & simd.above(&most, choice.least), |lane| {
                chosen.push(Block {
                    number: first + lane as u32,
                    codes: all_codes(usize::from(counts[lane])),
                    base: scores[lane] - weight * radii[lane],
                });
            });
        }
    }
}

/// The second codes, a row for each vector, and the vectors of the slots.
#[derive(Clone, Copy)]
pub(super) struct FarCodes<'a> {
    rows: &'a [u8],
    slots: &'a [u8],
    width: usize,
}

impl<'a> FarCodes<'a> {
    pub(super) fn new(bytes: &'a [u8], places: &Places, shape: Shape) -> Self {
        Self {
            rows: &bytes[places.rows.clone()],
            slots: &bytes[places.slots.clone()],
            width: far_stride(shape.far),
        }
    }

    #[inline(always)]
    fn ordinal(&self, slot: usize) -> u32 {
        u32_at(self.slots, slot * SLOT_BYTES)
    }

    /// The code and scale of a vector; of one that is not there, those of none.
    #[inline(always)]
    fn row(&self, ordinal: u32) -> Option<(&'a [u8], f32)> {
        let (codes, scale, _) = self.row_with_bound(ordinal)?;
        Some((codes, scale))
    }

    /// With these, how far the code is off at most.
    #[inline(always)]
    pub(super) fn row_with_bound(&self, ordinal: u32) -> Option<(&'a [u8], f32, f32)> {
        let start = ordinal as usize * self.width;
        let (codes, numbers) = self.rows.get(start..start + self.width)?.split_at(self.width - 8);
        Some((codes, f32_at(numbers, 0), f32_at(numbers, 4)))
    }

    #[inline(always)]
    pub(super) fn fetch<S: Simd>(&self, simd: S, ordinal: u32) {
        if let Some((codes, _)) = self.row(ordinal) {
            fetch(simd, codes);
            simd.prefetch(&raw const codes[codes.len() - 1]);
        }
    }
}

/// Scores some blocks, and keeps what is good enough.
pub(super) struct Scan<'a> {
    pub(super) codes: Codes<'a>,
    pub(super) far: FarCodes<'a>,
    pub(super) blocks: &'a [Block],
    /// What a score has to be above.
    pub(super) above: f32,
    pub(super) found: &'a mut Vec<Candidate>,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, accept: impl Fn(usize) -> bool) {
        let Self { codes, far, blocks, above, found } = self;
        for block in blocks.iter().take(AHEAD) {
            codes.fetch(simd, *block);
        }
        for (at, block) in blocks.iter().enumerate() {
            if let Some(next) = blocks.get(at + AHEAD) {
                codes.fetch(simd, *next);
            }
            let scores = codes.scores(simd, *block);
            for_each_lane(block.codes & simd.above(&scores, above), |lane| {
                let slot = block.number * BLOCK_CODES as u32 + lane as u32;
                if accept(slot as usize) {
                    // It will be looked up soon, most likely.
                    simd.prefetch(&raw const far.slots[slot as usize * SLOT_BYTES]);
                    found.push(Candidate::new(scores[lane], slot));
                }
            });
        }
    }
}

impl Kernel for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        self.run(simd, |_| true);
    }
}

/// A scan of which only some slots count.
pub(super) struct Filtered<'a, A> {
    pub(super) scan: Scan<'a>,
    pub(super) accept: A,
}

impl<A: Fn(usize) -> bool> Kernel for Filtered<'_, A> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        self.scan.run(simd, self.accept);
    }
}

/// Scores candidates by their second codes instead; their slots become ordinals.
pub(super) struct ScoreFar<'a> {
    pub(super) far: FarCodes<'a>,
    pub(super) coded: &'a CodedQuery,
    pub(super) candidates: &'a mut [Candidate],
}

impl Kernel for ScoreFar<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        const AHEAD: usize = 16;
        let Self { far, coded, candidates } = self;
        for candidate in candidates.iter().take(AHEAD) {
            far.fetch(simd, far.ordinal(candidate.slot()));
        }
        for at in 0..candidates.len() {
            if let Some(next) = candidates.get(at + AHEAD) {
                far.fetch(simd, far.ordinal(next.slot()));
            }
            let ordinal = far.ordinal(candidates[at].slot());
            let mut score = f32::NEG_INFINITY;
            if let Some((codes, scale)) = far.row(ordinal) {
                let (codes, _) = codes.as_chunks::<CHUNK_BYTES>();
                score = coded.far_scale.product(simd.row_product(codes, &coded.far), scale);
            }
            candidates[at] = Candidate::new(score, ordinal);
        }
    }
}

/// Asks for some rows, all at once: memory answers many questions in little more time than one.
pub(super) struct FetchRows<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) dim: usize,
    pub(super) ordinals: &'a [u32],
}

impl Kernel for FetchRows<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        match self.rows {
            Rows::F32(rows) => self.fetch(simd, rows),
            Rows::F16(rows) => self.fetch(simd, rows),
            // There are no indexes of others.
            Rows::I8(_) | Rows::Binary(_) => {}
        }
    }
}

impl FetchRows<'_> {
    #[inline(always)]
    fn fetch<S: Simd, T>(&self, simd: S, rows: &[T]) {
        let in_a_line = 64 / size_of::<T>();
        for &ordinal in self.ordinals {
            let start = ordinal as usize * self.dim;
            if let Some(row) = rows.get(start..start + self.dim) {
                row.iter().step_by(in_a_line).for_each(
                    #[inline(always)]
                    |part| simd.prefetch(part),
                );
            }
        }
    }
}
