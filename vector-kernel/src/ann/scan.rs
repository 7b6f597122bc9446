//! The loops over codes, which run on the instruction set that the machine has.
//!
//! Invariant: scores are integers, exactly, and then one fixed order of operations on floats, so that every
//! instruction set gives the same bits.

use super::candidates::{Candidate, Candidates};
use super::layout::{CENTRE_BYTES, SLOT_BYTES, f32_at};
use super::query::CodedQuery;
use crate::kernels::codes::{BLOCK_CODES, CHUNK_BYTES, GROUP_BYTES};
use crate::kernels::simd::{Kernel, Simd};

/// Scores blocks of codes by their first components, and keeps what is good enough.
pub(super) struct Scan<'a> {
    pub(super) blocks: &'a [u8],
    pub(super) coded: &'a CodedQuery,
    pub(super) base: f32,
    pub(super) count: usize,
    pub(super) first_slot: u32,
    /// Entries of centres, some of whose radius is added to their scores.
    pub(super) radii: &'a [u8],
    pub(super) radius_weight: f32,
    /// What is to be read soon.
    pub(super) next: &'a [u8],
    pub(super) found: &'a mut Candidates,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, accept: impl Fn(usize) -> bool) {
        let Self { blocks, coded, base, count, first_slot, radii, radius_weight, next, found } =
            self;
        for line in next.chunks(64) {
            simd.prefetch(line.as_ptr());
        }
        let scale = coded.near_scale;
        let groups = coded.near.len();
        for (at, block) in blocks.chunks_exact(groups * GROUP_BYTES + 4 * BLOCK_CODES).enumerate() {
            let (codes, scales) = block.split_at(groups * GROUP_BYTES);
            let (codes, _) = codes.as_chunks::<GROUP_BYTES>();
            let (scales, _) = scales.as_chunks::<4>();
            let products = simd.block_products(codes, &coded.near);
            let mut scores = [0.0_f32; BLOCK_CODES];
            for i in 0..BLOCK_CODES {
                let product = products[i] as f32 * scale.scale - scale.centre;
                scores[i] = product * f32::from_le_bytes(scales[i]) + base;
            }
            let first = at * BLOCK_CODES;
            let left = (count - first).min(BLOCK_CODES);
            if !radii.is_empty() {
                let (entries, _) = radii[first * CENTRE_BYTES..].as_chunks::<CENTRE_BYTES>();
                for (score, entry) in scores.iter_mut().zip(entries) {
                    *score += radius_weight * f32_at(entry, 4);
                }
            }
            let mut mask = simd.above(&scores, found.threshold());
            if left < BLOCK_CODES {
                mask &= (1 << left) - 1;
            }
            while mask != 0 {
                let lane = mask.trailing_zeros();
                mask &= mask - 1;
                let slot = first_slot + first as u32 + lane;
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
        let fetch = |candidate: Candidate| {
            let slot = candidate.slot();
            simd.prefetch(&raw const slots[slot * SLOT_BYTES]);
            for line in rows[slot * width..][..width].chunks(64) {
                simd.prefetch(line.as_ptr());
            }
        };
        for &candidate in candidates.iter().take(AHEAD) {
            fetch(candidate);
        }
        for at in 0..candidates.len() {
            if let Some(&next) = candidates.get(at + AHEAD) {
                fetch(next);
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
