//! One search of an index.
//!
//! Centres of lists, centres of the blocks of the best lists, the best blocks: each is one scan of the codes of
//! projections. The best that is found in the best blocks of all is compared by the second codes; from what that gives
//! it follows what the rest has to reach, so that little else is, and what is compared exactly in the end. Invariant:
//! codes decide what is looked at, by integers and a fixed order of operations; the scores of hits are those of the
//! exact search.

use std::ops::Range;

use super::candidates::{Candidate, Threshold, nth_best, split_best};
use super::filter::{Accepted, Filter};
use super::query::CodedQuery;
use super::scan::{
    AddRadii, Block, Choice, Choose, Codes, Collect, FarCodes, FetchRows, Filtered, Scan, ScoreAll,
    ScoreFar, Scores, all_codes,
};
use super::view::{AnnView, Effort, Work};
use crate::kernels::codes::BLOCK_CODES;
use crate::kernels::simd::Kernel;
use crate::{Hit, QueryError, Selection, TopK};

/// Blocks that are scanned first, at least.
const FIRST_BLOCKS: usize = 16;
/// As many vectors as these times the hits wanted, and a fifth more, are found in them, and twice as many of those
/// compared by the second codes.
const FOUND_FIRST: usize = 8;
const EXTRA: usize = 5;
/// Standard deviations by which a vector may seem worse by its second code than it is, at least, and still be compared
/// exactly: who asks for a vector itself expects to find it.
const LEAST_SLACK: f32 = 2.5;
/// Lists whose blocks' centres are compared, at least.
const LEAST_LISTS: usize = 4;

/// A search and what it needs at every step.
pub(super) struct Search<'a> {
    view: &'a AnnView<'a>,
    coded: CodedQuery,
    effort: Effort,
    filter: &'a Filter<'a>,
}

/// Blocks to look at.
struct Chosen {
    /// The best, which are scanned first.
    first: Vec<Block>,
    rest: Rest,
}

/// Blocks with the scores of their codes.
struct Scored {
    blocks: Vec<Block>,
    scores: Vec<Scores>,
}

enum Rest {
    /// Those whose vectors may be good enough are still to be chosen.
    Of(Centres),
    Blocks(Vec<Block>),
}

/// The centres of the blocks of the best lists, scored.
struct Centres {
    lists: Vec<Block>,
    /// With some of the blocks' radii.
    scores: Vec<Scores>,
    /// What the scores of the blocks to be scanned first are above, and those of all to be looked at.
    first: f32,
    last: f32,
    /// Whether they are of all lists.
    all: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        view: &'a AnnView<'a>,
        query: &[f32],
        effort: Effort,
        filter: &'a Filter<'a>,
    ) -> Self {
        let compared = view.rows.as_compared(query);
        let coded =
            CodedQuery::new(view.isa, &compared, view.header.shape, &view.places, view.bytes);
        Self { view, coded, effort, filter }
    }

    /// The best that are found, of a query that was checked and `k` from 1 on.
    pub(super) fn hits(
        &self,
        query: &[f32],
        k: usize,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        let Self { coded, effort, .. } = self;
        let header = &self.view.header;
        let wanted = k + k.div_ceil(EXTRA);
        let Chosen { first, rest } = self.choose(FOUND_FIRST * wanted, work);

        // The best of the first blocks by their projections; the best of those by the second codes.
        work.blocks += first.len();
        let first =
            Scored { scores: self.score_all(&self.view.places.codes, &first), blocks: first };
        let above = self.threshold(&first.scores, FOUND_FIRST * wanted, f32::INFINITY);
        let mut found = self.selected_above(&first, above, f32::INFINITY);
        split_best(&mut found, 2 * wanted);
        let later = found.split_off(found.len().min(2 * wanted));
        let near = found.clone();
        self.score_far(&mut found, work);
        let gap = mean_gap(&near, &found);

        // What the others have to reach, as the first codes see it.
        let least = nth_best(&found, k - 1);
        let far = coded.far_length * header.far_deviation;
        let near = coded.near_length * header.near_deviation;
        let least_near = least - gap - effort.slack * (far * far + near * near).sqrt();
        let mut more = if least_near < above {
            self.selected_above(&first, least_near, above)
        } else {
            Vec::with_capacity(4 * BLOCK_CODES)
        };
        more.extend(later.into_iter().filter(|candidate| candidate.score() > least_near));
        let rest = match rest {
            Rest::Blocks(blocks) => blocks,
            Rest::Of(centres) => {
                let choice = Choice {
                    above: centres.last,
                    up_to: centres.first,
                    beyond: effort.reach - effort.radius_weight,
                    least: least_near,
                };
                self.blocks(&centres, choice)
            }
        };
        self.scan(&rest, least_near, &mut more, work);
        self.score_far(&mut more, work);
        found.append(&mut more);

        // What they have to reach as the second codes see it, to be compared exactly.
        let least = nth_best(&found, k - 1);
        let slack = (effort.slack / 2.0).max(LEAST_SLACK);
        let least = least - slack * coded.length * header.code_deviation;
        found.retain(|candidate| candidate.score() >= least);
        // A vector may have been found in two blocks.
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        work.exact += found.len();
        let ordinals: Vec<u32> = found.iter().map(|found| found.slot() as u32).collect();
        let (rows, dim) = (self.view.rows.rows(), self.view.rows.dim());
        self.run(FetchRows { rows, dim, ordinals: &ordinals });
        let mut top = TopK::new(k);
        self.view.rows.score_each(query, &ordinals, &mut top)?;
        Ok(top.into_hits())
    }

    /// Chooses blocks, the first of them with so many vectors at least that may be returned, where there are as many.
    fn choose(&self, vectors: usize, work: &mut Work) -> Chosen {
        if let Filter::Blocks(accepted) = self.filter {
            return self.choose_accepted(accepted, vectors, work);
        }
        let count = (self.effort.blocks as usize).max(FIRST_BLOCKS);
        let first = FIRST_BLOCKS.max(2 * vectors / BLOCK_CODES);
        let centres = self.centres(self.effort.lists as usize, count, first, work);
        Chosen {
            first: self.blocks(&centres, Choice::above(centres.first)),
            rest: Rest::Of(centres),
        }
    }

    /// Chooses among the blocks that have vectors that are accepted: as many as would be looked at if all were, and
    /// more where they have few each.
    fn choose_accepted(&self, accepted: &Accepted, vectors: usize, work: &mut Work) -> Chosen {
        const MORE_LISTS: usize = 4;
        /// Those that are accepted may lie where few of the best blocks do.
        const MORE_BLOCKS: f32 = 2.0;
        let enough = |blocks: &[Block]| {
            let codes: u32 = blocks.iter().map(|block| block.codes.count_ones()).sum();
            let share = codes as f32 / (blocks.len() * BLOCK_CODES).max(1) as f32;
            let wanted = self.effort.times(MORE_BLOCKS / share.sqrt()).blocks as usize;
            // A vector may be in two blocks.
            blocks.len() >= wanted.max(FIRST_BLOCKS) && codes as usize >= 4 * vectors
        };
        let mut count = (self.effort.blocks as usize).max(FIRST_BLOCKS);
        let mut lists = self.effort.lists as usize;
        loop {
            let centres = self.centres(lists, count, FIRST_BLOCKS, work);
            let (mut blocks, mut up_to, mut last) = (Vec::new(), f32::INFINITY, centres.last);
            let mut number = count;
            loop {
                let choice = Choice { up_to, ..Choice::above(last) };
                blocks.extend(self.blocks(&centres, choice).into_iter().filter_map(|block| {
                    let block = accepted.of_block(block, |slot| self.view.ordinal(slot));
                    (block.codes != 0).then_some(block)
                }));
                if enough(&blocks) || (centres.all && last == f32::NEG_INFINITY) {
                    return split_first(blocks, vectors);
                }
                if last == f32::NEG_INFINITY {
                    break;
                }
                number = number.saturating_mul(2);
                up_to = last;
                last = self.threshold(&centres.scores, number, up_to);
            }
            count = count.saturating_mul(MORE_LISTS);
            lists = lists.saturating_mul(MORE_LISTS);
        }
    }

    /// Scores the centres of the best lists, in which `count` blocks are looked for.
    fn centres(&self, wanted: usize, count: usize, first: usize, work: &mut Work) -> Centres {
        let AnnView { header, places, .. } = self.view;
        let lists = header.lists as usize;
        let wanted = wanted.max(LEAST_LISTS);
        let is_all = wanted >= lists;
        let all: Vec<Block> = (0..lists.div_ceil(BLOCK_CODES))
            .map(|at| {
                let codes = all_codes((lists - at * BLOCK_CODES).min(BLOCK_CODES));
                Block { number: at as u32, codes, base: 0.0 }
            })
            .collect();
        let scores = self.score_all(&places.list_codes, &all);
        let above = self.threshold(&scores, wanted, f32::INFINITY);
        let entries = self.view.lists();
        let lists: Vec<Block> = self
            .all_between(&scores, &all, above, f32::INFINITY)
            .into_iter()
            .map(|list| {
                let (_, count) = entries.blocks(list.slot());
                Block {
                    number: list.slot() as u32,
                    codes: all_codes(count as usize),
                    base: list.score(),
                }
            })
            .collect();
        work.lists += lists.len();
        let mut scores = self.score_all(&places.centre_codes, &lists);
        let weight = self.effort.radius_weight;
        self.run(AddRadii { lists: entries, of: &lists, weight, scores: &mut scores });
        let first = self.threshold(&scores, first, f32::INFINITY);
        let last = self.threshold(&scores, count, first);
        Centres { lists, scores, first, last, all: is_all }
    }

    /// The blocks of the lists that a choice is for.
    fn blocks(&self, centres: &Centres, choice: Choice) -> Vec<Block> {
        let mut chosen = Vec::with_capacity(4 * FIRST_BLOCKS);
        self.run(Choose {
            lists: self.view.lists(),
            of: &centres.lists,
            weight: self.effort.radius_weight,
            scores: &centres.scores,
            choice,
            chosen: &mut chosen,
        });
        chosen
    }

    /// What about `count` of the scores are above: `most`, or less.
    fn threshold(&self, scores: &[Scores], count: usize, most: f32) -> f32 {
        self.run(Threshold { scores, count, most })
    }

    fn score_all(&self, place: &Range<usize>, blocks: &[Block]) -> Vec<Scores> {
        let mut out = Vec::with_capacity(blocks.len());
        let codes = Codes::new(self.view, place.clone(), &self.coded.near);
        self.run(ScoreAll { codes, blocks, out: &mut out });
        out
    }

    /// What was scored above a number and not above another, in order of the slots.
    fn all_between(
        &self,
        scores: &[Scores],
        blocks: &[Block],
        above: f32,
        up_to: f32,
    ) -> Vec<Candidate> {
        let mut found = Vec::with_capacity(4 * BLOCK_CODES);
        self.run(Collect { scores, blocks, above, up_to, found: &mut found });
        found
    }

    /// Of what was scored above a number and not above another, what is selected, in order of the slots.
    fn selected_above(&self, of: &Scored, above: f32, up_to: f32) -> Vec<Candidate> {
        let mut found = self.all_between(&of.scores, &of.blocks, above, up_to);
        let ordinal = |candidate: &Candidate| self.view.ordinal(candidate.slot());
        match self.filter {
            Filter::Each(Selection::Only(rows)) => found.retain(|it| rows.contains(ordinal(it))),
            Filter::Each(Selection::Except(rows)) => found.retain(|it| !rows.contains(ordinal(it))),
            Filter::All | Filter::Each(Selection::All) | Filter::Blocks(_) => {}
        }
        found
    }

    /// Adds what of the blocks' vectors is good enough and selected.
    fn scan(&self, blocks: &[Block], above: f32, found: &mut Vec<Candidate>, work: &mut Work) {
        work.blocks += blocks.len();
        let scan = Scan {
            codes: Codes::new(self.view, self.view.places.codes.clone(), &self.coded.near),
            far: self.far(),
            blocks,
            above,
            found,
        };
        let ordinal = |slot| self.view.ordinal(slot);
        match self.filter {
            Filter::Each(Selection::Only(rows)) => {
                self.run(Filtered { scan, accept: |slot| rows.contains(ordinal(slot)) });
            }
            Filter::Each(Selection::Except(rows)) => {
                self.run(Filtered { scan, accept: |slot| !rows.contains(ordinal(slot)) });
            }
            Filter::All | Filter::Each(Selection::All) | Filter::Blocks(_) => self.run(scan),
        }
    }

    /// Scores vectors by their second codes instead; their slots become ordinals.
    fn score_far(&self, candidates: &mut [Candidate], work: &mut Work) {
        work.coded += candidates.len();
        self.run(ScoreFar { far: self.far(), coded: &self.coded, candidates });
    }

    fn far(&self) -> FarCodes<'_> {
        let AnnView { bytes, header, places, .. } = self.view;
        FarCodes::new(bytes, places, header.shape)
    }

    fn run<K: Kernel>(&self, kernel: K) -> K::Output {
        self.view.isa.run(kernel)
    }
}

/// Divides blocks: the best of them, which have twice as many vectors as are wanted, and the others.
fn split_first(mut blocks: Vec<Block>, vectors: usize) -> Chosen {
    let codes: u32 = blocks.iter().map(|block| block.codes.count_ones()).sum();
    let needed = (2 * vectors * blocks.len()).div_ceil((codes as usize).max(1));
    let first = needed.max(FIRST_BLOCKS).min(blocks.len());
    if first < blocks.len() {
        blocks.select_nth_unstable_by(first, |a, b| {
            b.base.total_cmp(&a.base).then(a.number.cmp(&b.number))
        });
    }
    let rest = blocks.split_off(first);
    Chosen { first: blocks, rest: Rest::Blocks(rest) }
}

/// How much more the scores by second codes are on average than those by the first.
fn mean_gap(near: &[Candidate], far: &[Candidate]) -> f32 {
    let pairs = near.iter().zip(far);
    let sum: f32 = pairs.map(|(near, far)| far.score() - near.score()).sum();
    sum / near.len().max(1) as f32
}
