//! The loops over codes, which run on the instruction set that the machine has.
//!
//! Invariant: scores are integers, exactly, and then one fixed order of operations on floats, so that every
//! instruction set gives the same bits.

use super::candidates::{Candidate, Candidates};
use super::layout::{
    CodePlaces, LIST_BYTES, Places, RADII_BYTES, SLOT_BYTES, f32_at, stride, u32_at,
};
use super::projection::Shape;
use super::query::{CodedQuery, Scale};
use crate::kernels::codes::{BLOCK_CODES, CHUNK_BYTES, GROUP_BYTES, GROUP_COMPONENTS, GroupQuery};
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
    lead: Part<'a>,
    trail: Part<'a>,
}

/// Those of some of the components.
#[derive(Clone, Copy)]
struct Part<'a> {
    blocks: &'a [u8],
    query: &'a [GroupQuery],
    scale: Scale,
}

impl<'a> Codes<'a> {
    pub(super) fn new(bytes: &'a [u8], places: &CodePlaces, coded: &'a CodedQuery) -> Self {
        let (lead, trail) = coded.near.split_at(coded.lead);
        Self {
            lead: Part {
                blocks: &bytes[places.lead.clone()],
                query: lead,
                scale: coded.lead_scale,
            },
            trail: Part {
                blocks: &bytes[places.trail.clone()],
                query: trail,
                scale: coded.trail_scale,
            },
        }
    }
}

impl<'a> Part<'a> {
    #[inline(always)]
    fn bytes_of(&self, block: Block) -> &'a [u8] {
        let stride = stride(self.query.len() * GROUP_COMPONENTS);
        &self.blocks[block.number as usize * stride..][..stride]
    }

    /// Adds the products of the codes of a block.
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, block: Block, scores: &mut Scores) {
        let (groups, scales) = self.bytes_of(block).split_at(self.query.len() * GROUP_BYTES);
        let (groups, _) = groups.as_chunks::<GROUP_BYTES>();
        let (scales, _) = scales.as_chunks::<4>();
        let Some(scales) = scales.first_chunk::<BLOCK_CODES>() else {
            // There are no such components.
            return;
        };
        let products = simd.block_products(groups, self.query);
        // Loops over indices of arrays are vectorised whole.
        for i in 0..BLOCK_CODES {
            let product = products[i] as f32 * self.scale.scale - self.scale.centre;
            scores[i] += product * f32::from_le_bytes(scales[i]);
        }
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
        let Self { codes: Codes { lead, trail }, blocks, out } = self;
        let ask = |block: &Block| {
            fetch(simd, lead.bytes_of(*block));
            fetch(simd, trail.bytes_of(*block));
        };
        blocks.iter().take(AHEAD).for_each(ask);
        for (at, block) in blocks.iter().enumerate() {
            blocks.get(at + AHEAD).into_iter().for_each(ask);
            let mut scores = [block.base; BLOCK_CODES];
            lead.add(simd, *block, &mut scores);
            trail.add(simd, *block, &mut scores);
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

/// Gathers what was scored above a number, in order of the blocks.
pub(super) struct Collect<'a> {
    pub(super) scores: &'a [Scores],
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
            for_each_lane(simd.above(scores, above), |lane| {
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

/// The second codes, a row each.
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
            width: shape.far / 2,
        }
    }

    #[inline(always)]
    fn row(&self, slot: usize) -> &'a [u8] {
        &self.rows[slot * self.width..][..self.width]
    }

    #[inline(always)]
    fn scale(&self, slot: usize) -> f32 {
        f32_at(self.slots, slot * SLOT_BYTES)
    }

    #[inline(always)]
    fn fetch<S: Simd>(&self, simd: S, slot: usize) {
        simd.prefetch(&raw const self.slots[slot * SLOT_BYTES]);
        fetch(simd, self.row(slot));
    }
}

/// Scores some blocks, and keeps what is good enough.
pub(super) struct Scan<'a> {
    pub(super) codes: Codes<'a>,
    pub(super) far: FarCodes<'a>,
    pub(super) blocks: &'a [Block],
    /// How much the components that do not lead may add: where no more than that is missing, they are not looked at.
    pub(super) allowance: f32,
    pub(super) found: &'a mut Candidates,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, accept: impl Fn(usize) -> bool) {
        /// Blocks whose leading components are looked at before the others of any.
        const AT_ONCE: usize = 32;
        let Self { codes: Codes { lead, trail }, far, blocks, allowance, found } = self;
        let mut hopeful: Vec<(Block, Scores)> = Vec::with_capacity(AT_ONCE);
        for block in blocks.iter().take(AHEAD) {
            fetch(simd, lead.bytes_of(*block));
        }
        for (part, at) in blocks.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let least = found.threshold() - allowance;
            for (at, block) in (at..).zip(part) {
                if let Some(next) = blocks.get(at + AHEAD) {
                    fetch(simd, lead.bytes_of(*next));
                }
                let mut scores = [block.base; BLOCK_CODES];
                lead.add(simd, *block, &mut scores);
                if simd.above(&scores, least) & block.codes != 0 {
                    fetch(simd, trail.bytes_of(*block));
                    hopeful.push((*block, scores));
                }
            }
            for (block, mut scores) in hopeful.drain(..) {
                trail.add(simd, block, &mut scores);
                let mask = block.codes & simd.above(&scores, found.threshold());
                for_each_lane(mask, |lane| {
                    let slot = block.number * BLOCK_CODES as u32 + lane as u32;
                    if accept(slot as usize) {
                        // It will be compared with it soon, most likely.
                        far.fetch(simd, slot as usize);
                        found.push(Candidate::new(scores[lane], slot));
                    }
                });
                found.settle();
            }
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

/// Adds the products of the second codes.
pub(super) struct AddFar<'a> {
    pub(super) far: FarCodes<'a>,
    pub(super) coded: &'a CodedQuery,
    pub(super) candidates: &'a mut [Candidate],
}

impl Kernel for AddFar<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        const AHEAD: usize = 24;
        let Self { far, coded, candidates } = self;
        for candidate in candidates.iter().take(AHEAD) {
            far.fetch(simd, candidate.slot());
        }
        for at in 0..candidates.len() {
            if let Some(next) = candidates.get(at + AHEAD) {
                far.fetch(simd, next.slot());
            }
            let slot = candidates[at].slot();
            let (row, _) = far.row(slot).as_chunks::<CHUNK_BYTES>();
            let product = simd.row_product(row, &coded.far) as f32;
            let product = product * coded.far_scale.scale - coded.far_scale.centre;
            let score = candidates[at].score() + product * far.scale(slot);
            candidates[at] = Candidate::new(score, slot as u32);
        }
    }
}
