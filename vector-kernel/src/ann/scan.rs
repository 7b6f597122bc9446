//! The loops over codes, which run on the instruction set that the machine has.
//!
//! Invariant: scores are integers, exactly, and then one fixed order of operations on floats, so that every
//! instruction set gives the same bits.

use super::candidates::{Candidate, Candidates};
use super::layout::{CENTRE_BYTES, SLOT_BYTES, f32_at, stride};
use super::query::CodedQuery;
use crate::kernels::codes::{BLOCK_CODES, CHUNK_BYTES, GROUP_BYTES, GROUP_COMPONENTS};
use crate::kernels::simd::{Kernel, Simd};

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
    /// Codes in it.
    pub(super) count: u32,
    /// What is added to each score.
    pub(super) base: f32,
}

/// Scores all codes of some blocks by their first components; lanes without one get minus infinity.
pub(super) struct ScoreAll<'a> {
    /// The codes of all blocks.
    pub(super) codes: &'a [u8],
    pub(super) coded: &'a CodedQuery,
    pub(super) blocks: &'a [Block],
    /// Entries of all centres, some of whose radius is added to their scores.
    pub(super) radii: &'a [u8],
    pub(super) radius_weight: f32,
    pub(super) out: &'a mut Vec<[f32; BLOCK_CODES]>,
}

impl Kernel for ScoreAll<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { codes, coded, blocks, radii, radius_weight, out } = self;
        for (at, block) in blocks.iter().enumerate() {
            let halves = Halves::of(simd, codes, coded, &blocks[at..]);
            let mut scores = halves.lead(simd, coded, block.base);
            halves.add_trail(simd, coded, &mut scores);
            if !radii.is_empty() {
                let first = block.number as usize * BLOCK_CODES;
                let (entries, _) = radii[first * CENTRE_BYTES..].as_chunks::<CENTRE_BYTES>();
                for (score, entry) in scores.iter_mut().zip(entries) {
                    *score += radius_weight * f32_at(entry, 4);
                }
            }
            scores[(block.count as usize).min(BLOCK_CODES)..].fill(f32::NEG_INFINITY);
            out.push(scores);
        }
    }
}

/// Gathers what was scored above a number.
pub(super) struct Collect<'a> {
    pub(super) scores: &'a [[f32; BLOCK_CODES]],
    /// Of which the scores are.
    pub(super) blocks: &'a [Block],
    pub(super) above: f32,
    pub(super) found: &'a mut Vec<Candidate>,
}

impl Kernel for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { scores, blocks, above, found } = self;
        for (scores, block) in scores.iter().zip(blocks) {
            let mut mask = simd.above(scores, above);
            while mask != 0 {
                let lane = mask.trailing_zeros();
                mask &= mask - 1;
                let slot = block.number * BLOCK_CODES as u32 + lane;
                found.push(Candidate::new(scores[lane as usize], slot));
            }
        }
    }
}

/// The parts of a block's codes.
struct Halves<'a> {
    lead: &'a [[u8; GROUP_BYTES]],
    trail: &'a [[u8; GROUP_BYTES]],
    lead_scales: &'a [[u8; 4]],
    trail_scales: &'a [[u8; 4]],
}

impl<'a> Halves<'a> {
    /// Those of the first of some blocks; asks for one that comes later.
    #[inline(always)]
    fn of<S: Simd>(simd: S, codes: &'a [u8], coded: &CodedQuery, blocks: &[Block]) -> Self {
        const AHEAD: usize = 2;
        let stride = stride(coded.near.len() * GROUP_COMPONENTS);
        let bytes_of = |block: &Block| &codes[block.number as usize * stride..][..stride];
        if let Some(next) = blocks.get(AHEAD) {
            fetch(simd, bytes_of(next));
        }
        let (codes, scales) = bytes_of(&blocks[0]).split_at(coded.near.len() * GROUP_BYTES);
        let (codes, _) = codes.as_chunks::<GROUP_BYTES>();
        let (scales, _) = scales.as_chunks::<4>();
        let (lead, trail) = codes.split_at(coded.lead);
        let (lead_scales, trail_scales) = scales.split_at(BLOCK_CODES);
        Self { lead, trail, lead_scales, trail_scales }
    }

    #[inline(always)]
    fn lead<S: Simd>(&self, simd: S, coded: &CodedQuery, base: f32) -> [f32; BLOCK_CODES] {
        let scale = coded.lead_scale;
        let products = simd.block_products(self.lead, &coded.near[..coded.lead]);
        let mut scores = [0.0_f32; BLOCK_CODES];
        for i in 0..BLOCK_CODES {
            let product = products[i] as f32 * scale.scale - scale.centre;
            scores[i] = product * f32::from_le_bytes(self.lead_scales[i]) + base;
        }
        scores
    }

    #[inline(always)]
    fn add_trail<S: Simd>(&self, simd: S, coded: &CodedQuery, scores: &mut [f32; BLOCK_CODES]) {
        let scale = coded.trail_scale;
        let products = simd.block_products(self.trail, &coded.near[coded.lead..]);
        for i in 0..BLOCK_CODES {
            let product = products[i] as f32 * scale.scale - scale.centre;
            scores[i] += product * f32::from_le_bytes(self.trail_scales[i]);
        }
    }
}

/// Scores some blocks by their first components, and keeps what is good enough.
pub(super) struct Scan<'a> {
    pub(super) codes: &'a [u8],
    pub(super) coded: &'a CodedQuery,
    pub(super) blocks: &'a [Block],
    /// How much the components that do not lead may add: where no more than that is missing, they are not looked at.
    pub(super) allowance: f32,
    pub(super) found: &'a mut Candidates,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, accept: impl Fn(usize) -> bool) {
        let Self { codes, coded, blocks, allowance, found } = self;
        for (at, block) in blocks.iter().enumerate() {
            let halves = Halves::of(simd, codes, coded, &blocks[at..]);
            let mut scores = halves.lead(simd, coded, block.base);
            if simd.above(&scores, found.threshold() - allowance) == 0 {
                continue;
            }
            halves.add_trail(simd, coded, &mut scores);
            let mut mask = simd.above(&scores, found.threshold());
            if block.count < BLOCK_CODES as u32 {
                mask &= (1 << block.count) - 1;
            }
            while mask != 0 {
                let lane = mask.trailing_zeros();
                mask &= mask - 1;
                let slot = block.number * BLOCK_CODES as u32 + lane;
                if accept(slot as usize) {
                    found.push(Candidate::new(scores[lane as usize], slot));
                }
            }
            found.settle();
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

/// Adds the products of the last components.
pub(super) struct AddFar<'a> {
    pub(super) rows: &'a [u8],
    pub(super) slots: &'a [u8],
    pub(super) width: usize,
    pub(super) coded: &'a CodedQuery,
    pub(super) candidates: &'a mut [Candidate],
}

impl Kernel for AddFar<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        const AHEAD: usize = 16;
        let Self { rows, slots, width, coded, candidates } = self;
        let fetch_candidate = |candidate: Candidate| {
            let slot = candidate.slot();
            simd.prefetch(&raw const slots[slot * SLOT_BYTES]);
            fetch(simd, &rows[slot * width..][..width]);
        };
        for &candidate in candidates.iter().take(AHEAD) {
            fetch_candidate(candidate);
        }
        for at in 0..candidates.len() {
            if let Some(&next) = candidates.get(at + AHEAD) {
                fetch_candidate(next);
            }
            let slot = candidates[at].slot();
            let (row, _) = rows[slot * width..][..width].as_chunks::<CHUNK_BYTES>();
            let product = simd.row_product(row, &coded.far) as f32;
            let product = product * coded.far_scale.scale - coded.far_scale.centre;
            let score = candidates[at].score() + product * f32_at(slots, slot * SLOT_BYTES);
            candidates[at] = Candidate::new(score, slot as u32);
        }
    }
}
