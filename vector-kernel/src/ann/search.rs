//! Searching the bytes of an index.
//!
//! Centres of lists, centres of the blocks of the best lists, the best blocks: each is one scan of 4-bit codes of
//! the first components. What is found in the best blocks of all is compared by all components and then exactly;
//! from what that gives it follows what the rest has to reach, so that little else is. Invariant: codes decide what
//! is looked at, by integers and a fixed order of operations; the scores of hits are those of the exact search.

use super::candidates::{Candidate, Candidates, split_best, threshold_of};
use super::layout::{Centre, Header, LIST_BYTES, Places, SLOT_BYTES, u32_at};
use super::query::CodedQuery;
use super::scan::{AddFar, Block, Collect, Filtered, Scan, ScoreAll};
use super::{AnnError, TARGETS};
use crate::kernels::Isa;
use crate::kernels::codes::BLOCK_CODES;
use crate::kernels::simd::Kernel;
use crate::{FlatIndex, Hit, QueryError, Selection, TopK};

/// Blocks that are scanned first.
const FIRST_BLOCKS: usize = 32;
/// One in so many more than wanted are compared exactly at first.
const EXTRA: usize = 5;
/// How much more than could be expected those of the first components that do not lead may add to a score, in standard
/// deviations.
const TRAIL_SLACK: f32 = 3.0;
/// Centres that are compared for each block that is looked at.
const CENTRES_PER_BLOCK: usize = 5;
/// Where fewer than one in so many rows are selected, all of them are compared.
const FEW: u64 = 50;
/// As many rows are compared in the time of a search by codes.
const FEW_ROWS: u64 = 1000;

/// How much a search does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effort {
    /// Blocks that are looked at, at most.
    pub(super) blocks: u32,
    /// How much of a block's radius counts for it when the best blocks are chosen.
    pub(super) radius_weight: f32,
    /// How far a vector may be found from its block's centre in the direction of the query, in radii of the block.
    pub(super) reach: f32,
    /// How much worse than what was found first a vector may seem by its first components, and is still compared
    /// by all, in standard deviations; by all components, half as much.
    pub(super) slack: f32,
}

impl Effort {
    /// Looks at everything.
    pub(super) const ALL: Self =
        Self { blocks: u32::MAX, radius_weight: 0.2, reach: f32::INFINITY, slack: 8.0 };
}

/// What a search did: for explanations, and to compare efforts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Lists whose blocks' centres were compared.
    pub lists: usize,
    /// Blocks of up to 32 vectors that were scanned.
    pub blocks: usize,
    /// Vectors that were compared by the codes of all components.
    pub coded: usize,
    /// Vectors that were compared exactly.
    pub exact: usize,
}

/// An index over its bytes, and the rows that it was built from; a view that is cheap to clone.
#[derive(Debug, Clone)]
pub struct AnnView<'a> {
    bytes: &'a [u8],
    rows: FlatIndex<'a>,
    header: Header,
    places: Places,
    isa: Isa,
}

impl<'a> AnnView<'a> {
    /// Lays a view over the bytes of an index, and the rows that it was built from.
    ///
    /// # Errors
    ///
    /// [`AnnError::Version`], [`AnnError::Damaged`] where the bytes are no index or name what is not in them, and
    /// [`AnnError::OtherRows`] where the rows have another number, dimension or metric. What the codes say is not
    /// checked, and can't be: whoever keeps the bytes has to see to it that they stay as they are. No bytes make a
    /// search read outside them or panic.
    ///
    /// # Complexity
    ///
    /// A look at 8 bytes for each 32 vectors; nothing is copied.
    pub fn new(bytes: &'a [u8], rows: FlatIndex<'a>) -> Result<Self, AnnError> {
        let header = Header::decode(bytes)?;
        if rows.len() != header.len as usize
            || rows.dim() != header.shape.dim
            || rows.metric() != header.metric
        {
            return Err(AnnError::OtherRows {
                expected: (header.len as usize, header.shape.dim, header.metric),
                found: (rows.len(), rows.dim(), rows.metric()),
            });
        }
        let view = Self { bytes, rows, header, places: Places::of(&header), isa: Isa::detect() };
        view.check()?;
        Ok(view)
    }

    fn check(&self) -> Result<(), AnnError> {
        let centres = &self.bytes[self.places.centres.clone()];
        for list in 0..self.header.lists as usize {
            let (first, count) = self.list(list);
            let end = first + count.div_ceil(BLOCK_CODES);
            if count == 0 || end > self.header.centre_blocks as usize {
                return Err(AnnError::Damaged { what: "a list's blocks are not there" });
            }
            for slot in first * BLOCK_CODES..first * BLOCK_CODES + count {
                let centre = Centre::at(centres, slot);
                if centre.block >= self.header.blocks || centre.count as usize > BLOCK_CODES {
                    return Err(AnnError::Damaged { what: "a block is not there" });
                }
            }
        }
        Ok(())
    }

    /// Computes on `isa` instead of the fastest instruction set, for tests and measurements; the results are the
    /// same bits.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, rows: self.rows.with_isa(isa), ..self }
    }

    /// Bytes of the index, all of it.
    #[must_use]
    pub const fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn rows(&self) -> FlatIndex<'a> {
        self.rows
    }

    /// Blocks of vectors.
    pub(super) fn blocks(&self) -> usize {
        self.header.blocks as usize
    }

    /// First block of centres, and number of centres.
    fn list(&self, list: usize) -> (usize, usize) {
        let at = self.places.lists.start + list * LIST_BYTES;
        (u32_at(self.bytes, at) as usize, u32_at(self.bytes, at + 4) as usize)
    }

    /// Returns `k` selected rows that are among the most similar to `query`, best first; equal scores sort by ordinal.
    /// Fewer, if fewer are selected.
    ///
    /// `recall` says how many of the best `k` are to be found, as a share of 1 on average: a target that was
    /// met on a sample of the index's own vectors, and no bound. From 1 on, and where few rows are selected, the
    /// search is exact.
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search`]; and [`QueryError::Ordinal`] where the index's bytes name a row that is not there.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        self.search_counting(query, k, recall, selection, &mut Work::default())
    }

    /// As [`AnnView::search`], and adds to `work` what was done.
    ///
    /// # Errors
    ///
    /// As [`AnnView::search`].
    pub fn search_counting(
        &self,
        query: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        let selected = match selection {
            Selection::All => u64::from(self.header.len),
            _ => selection.count(self.header.len),
        };
        let at = TARGETS.iter().position(|&target| target >= recall);
        let few =
            selected < u64::from(self.header.len) / FEW || selected <= FEW_ROWS.max(4 * k as u64);
        let (Some(at), false) = (at, few) else {
            work.exact += selected as usize;
            return self.rows.search(query, k, selection);
        };
        // The rows selected are spread over as many more blocks as they are fewer.
        let share = self.header.len as f32 / selected.max(1) as f32;
        let spread = share.sqrt() * (k as f32 / 10.0).max(1.0).sqrt();
        let effort = self.header.efforts[at];
        let effort = Effort { blocks: (effort.blocks as f32 * spread) as u32, ..effort };
        let hits = self.search_with(query, k, effort, selection, work)?;
        if hits.len() < k && (hits.len() as u64) < selected {
            work.exact += selected as usize;
            return self.rows.search(query, k, selection);
        }
        Ok(hits)
    }

    pub(super) fn search_with(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        selection: Selection<'_>,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        self.rows.check_query(query)?;
        if k == 0 || self.header.len == 0 {
            return Ok(Vec::new());
        }
        let compared = self.rows.as_compared(query);
        let coded =
            CodedQuery::new(self.isa, &compared, self.header.shape, &self.places, self.bytes);
        let search = Search { view: self, coded: &coded, effort, selection };
        let mut blocks = search.best_blocks(work);
        split_best(&mut blocks, FIRST_BLOCKS);
        let (first, rest) = blocks.split_at(FIRST_BLOCKS.min(blocks.len()));

        // The best by their first components, the best of those by all, exactly.
        let wanted = k + k.div_ceil(EXTRA);
        let mut found = search.best(first, 8 * wanted, work);
        split_best(&mut found, 2 * wanted);
        let later = found.split_off(found.len().min(2 * wanted));
        let near = found.clone();
        search.add_far(&mut found, work);
        let gap = mean_gap(&near, &found);
        split_best(&mut found, wanted);
        let mut top = TopK::new(k);
        search.compare(query, &found[..wanted.min(found.len())], &mut top, work)?;

        // What the others have to reach, as codes see it.
        let least = top.threshold() - coded.mean_product;
        let least_far = least - effort.slack / 2.0 * coded.length * self.header.code_deviation;
        let least_near = least
            - gap
            - effort.slack
                * (coded.far_length * self.header.far_deviation
                    + coded.length * self.header.code_deviation);
        let mut others = found.split_off(wanted.min(found.len()));
        let mut more = Candidates::above(least_near);
        for candidate in later {
            if candidate.score() > least_near {
                more.push(candidate);
            }
        }
        let centres = &self.bytes[self.places.centres.clone()];
        let within: Vec<Candidate> = rest
            .iter()
            .copied()
            .filter(|block| {
                let radius = Centre::at(centres, block.slot()).radius;
                let beyond = effort.reach - effort.radius_weight;
                block.score() + beyond * radius >= least_near
            })
            .collect();
        search.scan(&within, &mut more, work);
        let mut more = more.into_vec();
        search.add_far(&mut more, work);
        others.append(&mut more);
        others.retain(|candidate| candidate.score() > least_far);
        search.compare(query, &others, &mut top, work)?;
        Ok(top.into_hits())
    }
}

/// How much more the scores by all components are on average than those by the first.
fn mean_gap(near: &[Candidate], all: &[Candidate]) -> f32 {
    let pairs = near.iter().zip(all);
    let sum: f32 = pairs.map(|(near, all)| all.score() - near.score()).sum();
    sum / near.len().max(1) as f32
}

struct Search<'a> {
    view: &'a AnnView<'a>,
    coded: &'a CodedQuery,
    effort: Effort,
    selection: Selection<'a>,
}

impl Search<'_> {
    /// The best blocks, in no order, by their centres' scores and some of their radii; perhaps some more than wanted.
    fn best_blocks(&self, work: &mut Work) -> Vec<Candidate> {
        let count = (self.effort.blocks as usize).max(FIRST_BLOCKS);
        let AnnView { bytes, header, places, .. } = self.view;
        let lists = header.lists as usize;
        let per_list = (header.blocks as usize).div_ceil(lists).max(1);
        let wanted = count.saturating_mul(CENTRES_PER_BLOCK).div_ceil(per_list);
        let all: Vec<Block> = blocks_of(0, lists).collect();
        let scores = self.score_all(&bytes[places.list_codes.clone()], &all, &[]);
        let mut chosen = self.all_above(&scores, &all, f32::NEG_INFINITY);
        split_best(&mut chosen, wanted);
        chosen.truncate(wanted);
        work.lists += chosen.len();
        let mut centre_blocks = Vec::with_capacity(2 * chosen.len());
        for list in chosen {
            let (first, count) = self.view.list(list.slot());
            centre_blocks.extend(blocks_of(first, count));
        }
        let codes = &bytes[places.centre_codes.clone()];
        let centres = &bytes[places.centres.clone()];
        let scores = self.score_all(codes, &centre_blocks, centres);
        self.best_of(&scores, &centre_blocks, count)
    }

    fn score_all(&self, codes: &[u8], blocks: &[Block], radii: &[u8]) -> Vec<[f32; BLOCK_CODES]> {
        let mut out = Vec::with_capacity(blocks.len());
        self.run(ScoreAll {
            codes,
            coded: self.coded,
            blocks,
            radii,
            radius_weight: self.effort.radius_weight,
            out: &mut out,
        });
        out
    }

    /// About so many of the best of what was scored, in no order: no fewer, where there are as many.
    fn best_of(
        &self,
        scores: &[[f32; BLOCK_CODES]],
        blocks: &[Block],
        count: usize,
    ) -> Vec<Candidate> {
        let threshold = threshold_of(self.view.isa, scores, count);
        let mut best = self.all_above(scores, blocks, threshold);
        if best.len() > count + count / 8 {
            split_best(&mut best, count);
            best.truncate(count);
        }
        best
    }

    /// What was scored and is not below a threshold, in order of the slots.
    fn all_above(
        &self,
        scores: &[[f32; BLOCK_CODES]],
        blocks: &[Block],
        threshold: f32,
    ) -> Vec<Candidate> {
        let mut found = Vec::with_capacity(4 * BLOCK_CODES);
        self.run(Collect { scores, blocks, above: threshold.next_down(), found: &mut found });
        found
    }

    fn run<K: Kernel>(&self, kernel: K) -> K::Output {
        self.view.isa.run(kernel)
    }

    /// The blocks of vectors behind centres.
    fn blocks(&self, centres: &[Candidate]) -> Vec<Block> {
        let entries = &self.view.bytes[self.view.places.centres.clone()];
        let block = |candidate: &Candidate| {
            let centre = Centre::at(entries, candidate.slot());
            let base = candidate.score() - self.effort.radius_weight * centre.radius;
            Block { number: centre.block, count: centre.count, base }
        };
        centres.iter().map(block).collect()
    }

    /// About so many of the best of all that is in some blocks and selected, in no order.
    fn best(&self, blocks: &[Candidate], count: usize, work: &mut Work) -> Vec<Candidate> {
        if let Selection::All = self.selection {
            let blocks = self.blocks(blocks);
            work.blocks += blocks.len();
            let codes = &self.view.bytes[self.view.places.codes.blocks.clone()];
            return self.best_of(&self.score_all(codes, &blocks, &[]), &blocks, count);
        }
        let mut found = Candidates::best(count);
        self.scan(blocks, &mut found, work);
        found.into_vec()
    }

    /// Adds what of the blocks' vectors is good enough and selected.
    fn scan(&self, blocks: &[Candidate], found: &mut Candidates, work: &mut Work) {
        let AnnView { bytes, header, places, .. } = self.view;
        let blocks = self.blocks(blocks);
        work.blocks += blocks.len();
        let scan = Scan {
            codes: &bytes[places.codes.blocks.clone()],
            coded: self.coded,
            blocks: &blocks,
            allowance: TRAIL_SLACK * self.coded.trail_length * header.trail_deviation,
            found,
        };
        match self.selection {
            Selection::All => self.run(scan),
            Selection::Only(rows) => {
                self.run(Filtered { scan, accept: |slot| rows.contains(self.ordinal(slot)) });
            }
            Selection::Except(rows) => {
                self.run(Filtered { scan, accept: |slot| !rows.contains(self.ordinal(slot)) });
            }
        }
    }

    fn ordinal(&self, slot: usize) -> u32 {
        u32_at(self.view.bytes, self.view.places.codes.slots.start + slot * SLOT_BYTES + 4)
    }

    /// Adds to the scores what the last components make of them.
    fn add_far(&self, candidates: &mut [Candidate], work: &mut Work) {
        let AnnView { bytes, header, places, .. } = self.view;
        work.coded += candidates.len();
        if header.shape.far > 0 {
            self.run(AddFar {
                rows: &bytes[places.codes.rows.clone()],
                slots: &bytes[places.codes.slots.clone()],
                width: header.shape.far / 2,
                coded: self.coded,
                candidates,
            });
        }
    }

    fn compare(
        &self,
        query: &[f32],
        candidates: &[Candidate],
        top: &mut TopK,
        work: &mut Work,
    ) -> Result<(), QueryError> {
        work.exact += candidates.len();
        let ordinals: Vec<u32> =
            candidates.iter().map(|candidate| self.ordinal(candidate.slot())).collect();
        self.view.rows.score_each(query, &ordinals, top)
    }
}

/// The blocks of so many codes that lie one after the other.
fn blocks_of(first: usize, codes: usize) -> impl Iterator<Item = Block> {
    (0..codes.div_ceil(BLOCK_CODES)).map(move |at| Block {
        number: (first + at) as u32,
        count: (codes - at * BLOCK_CODES).min(BLOCK_CODES) as u32,
        base: 0.0,
    })
}
