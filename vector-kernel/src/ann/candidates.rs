//! What a scan found so far: scores and slots in one number each, so that comparing takes one instruction.
//!
//! Invariant: which are kept depends on the set of scores and slots, never on their order; equal scores keep the
//! lower slot.

use crate::kernels::Isa;
use crate::kernels::codes::BLOCK_CODES;
use crate::kernels::simd::{Kernel, Simd};

/// A score and the slot of what has it; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

impl Candidate {
    #[inline(always)]
    pub(super) fn new(score: f32, slot: u32) -> Self {
        let bits = score.to_bits();
        // Negative numbers in reverse, below the positive ones.
        let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(!slot))
    }

    pub(super) fn score(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
    }

    pub(super) fn slot(self) -> usize {
        !(self.0 as u32) as usize
    }
}

/// The best so far.
#[derive(Debug)]
pub(super) struct Candidates {
    found: Vec<Candidate>,
    keep: usize,
    /// What a score has to be above to be of use.
    threshold: f32,
}

impl Candidates {
    /// Keeps so many.
    pub(super) fn best(keep: usize) -> Self {
        let keep = keep.max(1);
        let found = Vec::with_capacity((2 * keep).min(4096) + BLOCK_CODES);
        Self { found, keep, threshold: f32::NEG_INFINITY }
    }

    /// Keeps all whose scores are above a threshold.
    pub(super) fn above(threshold: f32) -> Self {
        Self { found: Vec::with_capacity(4 * BLOCK_CODES), keep: usize::MAX / 2, threshold }
    }

    #[inline(always)]
    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    #[inline(always)]
    pub(super) fn push(&mut self, candidate: Candidate) {
        self.found.push(candidate);
    }

    /// Forgets what is too much, now and then; to be called between pushes.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        if self.found.len() >= 2 * self.keep {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if self.found.len() > self.keep {
            split_best(&mut self.found, self.keep);
            self.found.truncate(self.keep);
            let worst = self.found.iter().min().copied();
            self.threshold = worst.map_or(self.threshold, Candidate::score);
        }
    }

    /// What was kept, in no order.
    pub(super) fn into_vec(mut self) -> Vec<Candidate> {
        self.forget();
        self.found
    }
}

/// Moves the best to the front, in no order.
pub(super) fn split_best(candidates: &mut [Candidate], count: usize) {
    if (1..candidates.len()).contains(&count) {
        candidates.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
    }
}

/// A score that at least so many are not below, and not many more: found by counting how many lie in each of some
/// intervals below the greatest, which is quicker than putting them in order.
///
/// Minus infinity where there are no more.
pub(super) fn threshold_of(isa: Isa, scores: &[[f32; BLOCK_CODES]], count: usize) -> f32 {
    isa.run(Threshold { scores, count })
}

struct Threshold<'a> {
    scores: &'a [[f32; BLOCK_CODES]],
    count: usize,
}

impl Kernel for Threshold<'_> {
    type Output = f32;

    #[inline(always)]
    fn call<S: Simd>(self, _: S) -> f32 {
        threshold(self.scores, self.count)
    }
}

#[inline(always)]
fn threshold(scores: &[[f32; BLOCK_CODES]], count: usize) -> f32 {
    const INTERVALS: usize = 256;
    let mut greatest = [f32::NEG_INFINITY; BLOCK_CODES];
    let (mut sums, mut numbers) = ([0.0_f32; BLOCK_CODES], [0_u32; BLOCK_CODES]);
    for scores in scores {
        for i in 0..BLOCK_CODES {
            let is_there = scores[i] > f32::NEG_INFINITY;
            greatest[i] = if scores[i] > greatest[i] { scores[i] } else { greatest[i] };
            sums[i] += if is_there { scores[i] } else { 0.0 };
            numbers[i] += u32::from(is_there);
        }
    }
    let greatest = greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let number: u32 = numbers.iter().sum();
    if number as usize <= count {
        return f32::NEG_INFINITY;
    }
    let mean = sums.iter().sum::<f32>() / number as f32;
    // What is below the mean, and what isn't there, goes to the last.
    let width = (greatest - mean) / (INTERVALS - 1) as f32;
    if width.is_nan() || width <= 0.0 {
        return f32::NEG_INFINITY;
    }
    let inverse = 1.0 / width;
    let mut counts = [0_u32; INTERVALS];
    for scores in scores {
        let mut intervals = [0_i32; BLOCK_CODES];
        for i in 0..BLOCK_CODES {
            let below = (greatest - scores[i]) * inverse;
            intervals[i] = if below < (INTERVALS - 1) as f32 { below as i32 } else { 255 };
        }
        for interval in intervals {
            counts[interval as usize % INTERVALS] += 1;
        }
    }
    let mut above = 0;
    for (interval, &in_it) in counts[..INTERVALS - 1].iter().enumerate() {
        above += in_it;
        if above as usize >= count {
            // Half an interval more, whatever rounding does at its end.
            return greatest - (interval as f32 + 1.5) * width;
        }
    }
    f32::NEG_INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_ordered_by_score_and_then_by_slot_and_come_back() {
        let scores = [f32::NEG_INFINITY, -2.0, -1e-30, 0.0, 1e-30, 0.5, 3.0, f32::INFINITY];
        for pair in scores.windows(2) {
            assert!(Candidate::new(pair[0], 0) < Candidate::new(pair[1], u32::MAX));
        }
        for score in scores {
            assert!(Candidate::new(score, 3) > Candidate::new(score, 4));
            let candidate = Candidate::new(score, 7);
            assert_eq!((candidate.score(), candidate.slot()), (score, 7));
        }
    }

    #[test]
    fn a_threshold_leaves_as_many_as_are_wanted_and_few_more() {
        for (blocks, missing) in [(1, 0), (1, 31), (7, 5), (100, 0)] {
            for spread in [1e-6, 1.0, 1e6] {
                let mut scores: Vec<[f32; BLOCK_CODES]> = (0..blocks)
                    .map(|block| {
                        std::array::from_fn(|lane| {
                            let at = (block * BLOCK_CODES + lane) * 7919 % 4099;
                            3.0 + spread * (at as f32 / 4099.0).powi(3)
                        })
                    })
                    .collect();
                let there = blocks * BLOCK_CODES - missing;
                scores[blocks - 1][BLOCK_CODES - missing..].fill(f32::NEG_INFINITY);
                for count in [1, 10, 40, 1000, 5000] {
                    let threshold = threshold_of(Isa::detect(), &scores, count);
                    let above =
                        scores.iter().flatten().filter(|&&score| score >= threshold).count();
                    assert!(above >= count.min(there), "{above} of {count}");
                    if threshold > f32::NEG_INFINITY && spread > 1e-5 {
                        assert!(above <= count + 10 + there / 50, "{above} of {count} of {there}");
                    }
                }
            }
        }
        let alike = [[0.5; BLOCK_CODES]; 3];
        assert!(threshold_of(Isa::detect(), &alike, 10) <= 0.5);
        assert!(threshold_of(Isa::detect(), &[[f32::NAN; BLOCK_CODES]], 10) <= 0.5);
    }

    #[test]
    fn the_best_are_kept_in_whatever_order_they_come() {
        for order in [1_usize, 3, 7] {
            let mut best = Candidates::best(4);
            for at in 0..100 {
                let slot = at * order % 100;
                let score = (slot / 3) as f32;
                if score > best.threshold() {
                    best.push(Candidate::new(score, slot as u32));
                }
                best.settle();
            }
            let mut slots: Vec<usize> = best.into_vec().into_iter().map(Candidate::slot).collect();
            slots.sort_unstable();
            assert_eq!(slots[1..], [97, 98, 99]);
            assert_eq!(slots[0] / 3, 32);
        }
    }
}
