//! The best `k` hits seen so far.
//!
//! Invariant: hits are offered by rising ordinal, so that a hit equal to the worst one kept ranks
//! behind it and need not enter. The threshold never falls.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::TextHit;

/// Orders hits so that the heap's greatest is the worst.
struct Worst(TextHit);

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Worst {}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.score.total_cmp(&self.0.score).then(self.0.ordinal.cmp(&other.0.ordinal))
    }
}

pub(super) struct TopK {
    k: usize,
    heap: BinaryHeap<Worst>,
    /// Scores must be above this to enter.
    threshold: f32,
}

impl TopK {
    pub(super) fn new(k: usize) -> Self {
        // A giant k is "all": the heap grows with what is found, not with what was asked for.
        Self { k, heap: BinaryHeap::with_capacity(k.min(64)), threshold: f32::NEG_INFINITY }
    }

    #[inline]
    pub(super) fn may_enter(&self, score: f32) -> bool {
        score > self.threshold
    }

    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Takes lower bounds of the scores of distinct documents that may all enter, and raises the
    /// threshold to just below the `k`-th best, so that what equals it still enters.
    pub(super) fn raise_to_kth(&mut self, scores: &mut [f32]) {
        if scores.len() >= self.k {
            let (_, kth, _) = scores.select_nth_unstable_by(self.k - 1, |a, b| b.total_cmp(a));
            self.threshold = self.threshold.max(kth.next_down());
        }
    }

    pub(super) fn push(&mut self, hit: TextHit) {
        if self.heap.len() < self.k {
            self.heap.push(Worst(hit));
        } else if let Some(mut worst) = self.heap.peek_mut() {
            *worst = Worst(hit);
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
        {
            self.threshold = self.threshold.max(worst.0.score);
        }
    }

    pub(super) fn into_sorted(self) -> Vec<TextHit> {
        self.heap.into_sorted_vec().into_iter().map(|worst| worst.0).collect()
    }
}
