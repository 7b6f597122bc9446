//! A cursor over one posting list during a search: decodes and scores a block at most once.
//!
//! Invariant: `bound` is an upper bound, but for rounding, of the term's score in any document from
//! the last `advance` target up to `last`.

use crate::bm25::{LengthNorm, term_score};
use crate::impact::Impacts;
use crate::layout::Lengths;
use crate::posting::{BLOCK, List};

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

pub(super) struct Cursor<'a> {
    /// Index of the query's term.
    pub(super) term: usize,
    /// Sum of the weights with which the query has the term.
    pub(super) weight: f32,
    pub(super) buffers: Box<Buffers>,
    /// Greatest ordinal of the current block.
    pub(super) last: u32,
    /// Upper bound of the score in the current block.
    pub(super) bound: f32,
    /// The tf found last by the search; its scratch, not the cursor's.
    pub(super) tf: u32,
    list: List<'a>,
    block: usize,
    block_count: usize,
    /// Postings decoded of the current block; none while it is not decoded.
    count: usize,
    decoded: bool,
    has_tfs: bool,
    has_scores: bool,
    /// Where the search in the block stands.
    at: usize,
    /// `bound` is that of the current block, not yet that of the whole list.
    bounded: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(term: usize, list: List<'a>, weight: f32, buffers: Box<Buffers>) -> Self {
        Self {
            term,
            weight,
            buffers,
            last: 0,
            bound: 0.0,
            tf: 0,
            list,
            block: 0,
            block_count: list.block_count(),
            count: 0,
            decoded: false,
            has_tfs: false,
            has_scores: false,
            at: 0,
            bounded: false,
        }
    }

    /// Sets `bound` to that of the whole list and goes to the first block.
    pub(super) fn start(&mut self, norm: LengthNorm, lengths: Lengths<'_>) {
        if self.list.is_short() {
            self.decode();
            self.score(norm, lengths);
            let scores = &self.buffers.scores[..self.count];
            self.bound = scores.iter().copied().fold(0.0, f32::max);
            self.bounded = true;
            match self.count {
                0 => self.block = self.block_count,
                count => self.last = self.buffers.ordinals[count - 1],
            }
        } else {
            self.bound = self.bound_of(self.list.impacts(), norm);
            self.last = self.list.last_of(0);
        }
    }

    pub(super) fn df(&self) -> u32 {
        self.list.df()
    }

    #[inline]
    pub(super) fn is_exhausted(&self) -> bool {
        self.block >= self.block_count
    }

    /// The bound, 0 at the end of the list.
    #[inline]
    pub(super) fn live_bound(&self) -> f32 {
        if self.is_exhausted() { 0.0 } else { self.bound }
    }

    fn bound_of(&self, impacts: Impacts, norm: LengthNorm) -> f32 {
        impacts
            .pairs()
            .map(|(tf, length)| term_score(self.weight, tf, norm.of(length)))
            .fold(0.0, f32::max)
    }

    /// Goes to the first block whose last ordinal is at least `low`; `false` when there is none.
    #[inline]
    pub(super) fn advance(&mut self, low: u32, norm: LengthNorm) -> bool {
        if self.is_exhausted() {
            return false;
        }
        if self.last >= low && self.bounded {
            return true;
        }
        self.advance_block(low, norm)
    }

    fn advance_block(&mut self, low: u32, norm: LengthNorm) -> bool {
        if self.list.is_short() {
            self.block = self.block_count;
            return false;
        }
        while self.block < self.block_count && self.list.last_of(self.block) < low {
            self.block += 1;
        }
        let Some(block) = self.list.block(self.block) else {
            self.block = self.block_count;
            return false;
        };
        self.last = block.last;
        self.bound = self.bound_of(block.impacts, norm);
        self.decoded = false;
        self.has_tfs = false;
        self.has_scores = false;
        self.bounded = true;
        true
    }

    fn decode(&mut self) {
        if !self.decoded {
            let Buffers { ordinals, tfs, .. } = &mut *self.buffers;
            self.count = self.list.ordinals(self.block, ordinals, tfs);
            self.decoded = true;
            self.at = 0;
        }
    }

    fn decode_tfs(&mut self) {
        if !self.has_tfs {
            self.list.tfs(self.block, &mut self.buffers.tfs);
            self.has_tfs = true;
        }
    }

    fn score(&mut self, norm: LengthNorm, lengths: Lengths<'_>) {
        if self.has_scores {
            return;
        }
        self.decode_tfs();
        let Buffers { ordinals, tfs, scores } = &mut *self.buffers;
        for ((score, &ordinal), &tf) in
            scores.iter_mut().zip(&*ordinals).zip(&*tfs).take(self.count)
        {
            *score = term_score(self.weight, tf, norm.of(lengths.get(ordinal)));
        }
        self.has_scores = true;
    }

    /// The range of the block's postings within `low..=high`.
    fn range(&mut self, low: u32, high: u32) -> std::ops::Range<usize> {
        self.decode();
        let ordinals = &self.buffers.ordinals[..self.count];
        let start = self.at + ordinals[self.at..].partition_point(|&ordinal| ordinal < low);
        let end = start + ordinals[start..].partition_point(|&ordinal| ordinal <= high);
        self.at = start;
        start..end
    }

    /// The ordinals of the window, and their scores.
    pub(super) fn score_window(
        &mut self,
        low: u32,
        high: u32,
        norm: LengthNorm,
        lengths: Lengths<'_>,
    ) -> (&[u32], &[f32]) {
        let range = self.range(low, high);
        if !range.is_empty() {
            self.score(norm, lengths);
        }
        (&self.buffers.ordinals[range.clone()], &self.buffers.scores[range])
    }

    /// The ordinals of the window.
    pub(super) fn window(&mut self, low: u32, high: u32) -> &[u32] {
        let range = self.range(low, high);
        &self.buffers.ordinals[range]
    }

    /// Whether the current block has `ordinal`. Targets must rise from call to call in a block.
    #[inline]
    pub(super) fn find(&mut self, ordinal: u32) -> bool {
        self.decode();
        let rest = &self.buffers.ordinals[self.at.min(self.count)..self.count];
        let step = rest.partition_point(|&found| found < ordinal);
        self.at += step;
        rest.get(step) == Some(&ordinal)
    }

    /// The tf of what [`Cursor::find`] found.
    pub(super) fn tf_found(&mut self) -> u32 {
        self.decode_tfs();
        self.buffers.tfs.get(self.at).copied().unwrap_or(1)
    }

    /// Lets `find` start over in the current block.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }
}
