//! A cursor over one posting list during a search: decodes and scores a block at most once.
//!
//! Invariant: `list_bound` bounds the term's score in any document and `bound` in any of the current
//! block, but for rounding. Within a block, targets only rise.

use super::Window;
use crate::bm25::{LengthNorm, term_score};
use crate::impact::Impacts;
use crate::layout::Lengths;
use crate::posting::{BLOCK, List};

/// Blocks among which a sample is chosen.
const SAMPLED_BLOCKS: usize = 32;

/// A decoded block.
pub(super) struct Buffers {
    ordinals: [u32; BLOCK],
    tfs: [u32; BLOCK],
    scores: [f32; BLOCK],
}

impl Default for Buffers {
    fn default() -> Self {
        Self { ordinals: [0; BLOCK], tfs: [1; BLOCK], scores: [0.0; BLOCK] }
    }
}

/// What is decoded of the current block; each stage has what those before it have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Skipped,
    Ordinals,
    Tfs,
    Scores,
}

pub(super) struct Cursor<'a> {
    /// Index of the term in the query, where it stands first.
    pub(super) term: usize,
    weight: f32,
    pub(super) buffers: Box<Buffers>,
    /// Upper bound of the score in the whole list.
    pub(super) list_bound: f32,
    /// Greatest ordinal of the current block.
    pub(super) last: u32,
    /// Upper bound of the score in the current block.
    pub(super) bound: f32,
    /// Upper bound of the score in the window last asked for.
    pub(super) window_bound: f32,
    /// The list is known to have nothing in that window.
    pub(super) is_absent: bool,
    /// The score in the document that is being offered.
    pub(super) score: Option<f32>,
    list: List<'a>,
    block: usize,
    block_count: usize,
    /// `last` and `bound` are those of `block`.
    is_current: bool,
    stage: Stage,
    /// Postings decoded.
    count: usize,
    /// Where the search in the block stands.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(term: usize, weight: f32, list: List<'a>, buffers: Box<Buffers>) -> Self {
        Self {
            term,
            weight,
            buffers,
            list_bound: 0.0,
            last: 0,
            bound: 0.0,
            window_bound: 0.0,
            is_absent: true,
            score: None,
            list,
            block: 0,
            block_count: list.block_count(),
            is_current: false,
            stage: Stage::Skipped,
            count: 0,
            at: 0,
        }
    }

    /// Finds the bound of the whole list. A short list is decoded and scored for that.
    pub(super) fn start(&mut self, norm: LengthNorm, lengths: Lengths<'_>) {
        if !self.list.is_short() {
            self.list_bound = self.bound_of(self.list.impacts(), norm);
            return;
        }
        self.decode();
        self.score(norm, lengths);
        let scores = &self.buffers.scores[..self.count];
        self.list_bound = scores.iter().copied().fold(0.0, f32::max);
        self.bound = self.list_bound;
        self.is_current = true;
        match self.count {
            0 => self.block = self.block_count,
            count => self.last = self.buffers.ordinals[count - 1],
        }
    }

    pub(super) fn df(&self) -> u32 {
        self.list.df()
    }

    fn bound_of(&self, impacts: Impacts, norm: LengthNorm) -> f32 {
        impacts
            .pairs()
            .map(|(tf, length)| term_score(self.weight, tf, norm.of(length)))
            .fold(0.0, f32::max)
    }

    /// A part of the list with its scores: all of a short list, the block with the best bound of a
    /// long one.
    pub(super) fn sample(&mut self, norm: LengthNorm, lengths: Lengths<'_>) -> (&[u32], &[f32]) {
        if !self.list.is_short() {
            let mut best = f32::NEG_INFINITY;
            for at in 0..self.block_count.min(SAMPLED_BLOCKS) {
                let bound =
                    self.list.block(at).map_or(0.0, |block| self.bound_of(block.impacts, norm));
                if bound > best {
                    (best, self.block) = (bound, at);
                }
            }
            self.decode();
            self.score(norm, lengths);
            self.leave_block();
            self.block = 0;
        }
        (&self.buffers.ordinals[..self.count], &self.buffers.scores[..self.count])
    }

    fn leave_block(&mut self) {
        self.is_current = false;
        self.stage = Stage::Skipped;
    }

    /// Goes to the first block whose last ordinal is at least `low`; `false` when there is none.
    #[inline]
    pub(super) fn seek_block(&mut self, low: u32, norm: LengthNorm) -> bool {
        (self.is_current && self.last >= low && self.block < self.block_count)
            || self.skip_blocks(low, norm)
    }

    fn skip_blocks(&mut self, low: u32, norm: LengthNorm) -> bool {
        if self.list.is_short() {
            self.block = self.block_count;
            return false;
        }
        while self.block < self.block_count && self.list.last_of(self.block) < low {
            self.block += 1;
        }
        self.leave_block();
        let Some(block) = self.list.block(self.block) else {
            self.block = self.block_count;
            return false;
        };
        self.last = block.last;
        self.bound = self.bound_of(block.impacts, norm);
        self.is_current = true;
        true
    }

    /// Sets `window_bound` and `is_absent` for the documents `low..high`.
    pub(super) fn bound_window(&mut self, low: u32, high: u32, norm: LengthNorm) {
        self.window_bound = 0.0;
        self.is_absent = !self.seek_block(low, norm);
        if self.is_absent {
            return;
        }
        if self.stage >= Stage::Ordinals {
            let rest = &self.buffers.ordinals[self.at.min(self.count)..self.count];
            self.at += rest.partition_point(|&ordinal| ordinal < low);
            let next = self.buffers.ordinals[..self.count].get(self.at);
            if next.is_none_or(|&ordinal| ordinal >= high) {
                self.is_absent = true;
                return;
            }
        }
        self.window_bound = self.bound;
        let (mut last, mut next) = (self.last, self.block + 1);
        while last < high - 1
            && let Some(block) = self.list.block(next)
        {
            self.window_bound = self.window_bound.max(self.bound_of(block.impacts, norm));
            last = block.last;
            next += 1;
        }
    }

    fn decode(&mut self) {
        if self.stage < Stage::Ordinals {
            let Buffers { ordinals, tfs, .. } = &mut *self.buffers;
            self.count = self.list.ordinals(self.block, ordinals, tfs);
            self.stage = Stage::Ordinals;
            self.at = 0;
        }
    }

    fn decode_tfs(&mut self) {
        if self.stage < Stage::Tfs {
            self.list.tfs(self.block, &mut self.buffers.tfs);
            self.stage = Stage::Tfs;
        }
    }

    fn score(&mut self, norm: LengthNorm, lengths: Lengths<'_>) {
        if self.stage == Stage::Scores {
            return;
        }
        self.decode_tfs();
        let Buffers { ordinals, tfs, scores } = &mut *self.buffers;
        for (score, &ordinal) in scores.iter_mut().zip(&*ordinals).take(self.count) {
            *score = norm.of(lengths.get(ordinal));
        }
        // A loop of its own, and over the whole block, so that it is compiled to vector divisions.
        for (score, &tf) in scores.iter_mut().zip(&*tfs) {
            *score = term_score(self.weight, tf, *score);
        }
        self.stage = Stage::Scores;
    }

    /// Appends the postings of `low..high` and their scores to the window, less the blocks whose
    /// bound is below `needed`.
    pub(super) fn copy_window(
        &mut self,
        low: u32,
        high: u32,
        needed: f32,
        norm: LengthNorm,
        lengths: Lengths<'_>,
        window: &mut Window,
    ) {
        let mut from = low;
        while self.seek_block(from, norm) {
            if self.bound >= needed {
                self.decode();
                self.score(norm, lengths);
                let ordinals = &self.buffers.ordinals[..self.count];
                let start = if from == low {
                    ordinals.partition_point(|&ordinal| ordinal < low)
                } else {
                    0
                };
                let end = if self.last < high {
                    self.count
                } else {
                    start + ordinals[start..].partition_point(|&ordinal| ordinal < high)
                };
                window.ordinals.extend_from_slice(&ordinals[start..end]);
                window.scores.extend_from_slice(&self.buffers.scores[start..end]);
            }
            if self.last >= high - 1 {
                return;
            }
            from = self.last + 1;
        }
    }

    /// Decodes the current block; its number of postings.
    pub(super) fn load(&mut self) -> usize {
        self.decode();
        self.count
    }

    /// Goes to a posting of the decoded block; its ordinal.
    pub(super) fn go_to(&mut self, at: usize) -> u32 {
        self.at = at;
        self.buffers.ordinals[at]
    }

    /// Whether the current block has `ordinal`.
    #[inline]
    pub(super) fn find(&mut self, ordinal: u32) -> bool {
        self.decode();
        let rest = &self.buffers.ordinals[self.at.min(self.count)..self.count];
        // Targets come close to one another more often than not: double the step, then halve it.
        let mut reach = 1;
        while rest.get(reach).is_some_and(|&found| found < ordinal) {
            reach *= 2;
        }
        let start = reach / 2;
        let end = rest.len().min(reach + 1);
        let step = start + rest[start.min(end)..end].partition_point(|&found| found < ordinal);
        self.at += step;
        rest.get(step) == Some(&ordinal)
    }

    /// The score of what [`Cursor::find`] found, in a document of that `norm`; kept in `score`.
    pub(super) fn score_found(&mut self, norm: f32) -> f32 {
        self.decode_tfs();
        let tf = self.buffers.tfs.get(self.at).copied().unwrap_or(1);
        let score = term_score(self.weight, tf, norm);
        self.score = Some(score);
        score
    }
}
