//! What a scan found so far: scores and slots in one number each, so that comparing takes one instruction.
//!
//! Invariant: which are kept depends on the set of scores and slots, never on their order; equal scores keep the
//! lower slot.

use super::scan::Scores;
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

/// The score of the best but so many, of which each is there at most twice; minus infinity where there are no more.
pub(super) fn nth_best(candidates: &[Candidate], nth: usize) -> f32 {
    let mut candidates = candidates.to_vec();
    let enough = 2 * (nth + 1);
    split_best(&mut candidates, enough);
    candidates.truncate(enough);
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    candidates.dedup();
    candidates.get(nth).map_or(f32::NEG_INFINITY, |candidate| candidate.score())
}

/// Moves the best to the front, in no order.
pub(super) fn split_best(candidates: &mut [Candidate], count: usize) {
    if (1..candidates.len()).contains(&count) {
        candidates.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
    }
}

/// Finds a score that at least `count` are above, and not many more: by counting how many are above one between, again
/// and again, which is quicker than putting them in order.
///
/// Minus infinity where there are no more, or only some that are alike.
pub(super) struct Threshold<'a> {
    pub(super) scores: &'a [Scores],
    pub(super) count: usize,
    /// It is no greater than this.
    pub(super) most: f32,
}

impl Kernel for Threshold<'_> {
    type Output = f32;

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) -> f32 {
        let Self { scores, count, most } = self;
        // Of every four a greatest is counted where so many are wanted that few of them are of one four.
        if scores.len() * BLOCK_CODES / 4 >= 4 * count {
            let mut maxima = Vec::with_capacity(scores.len().div_ceil(4));
            for blocks in scores.chunks(4) {
                maxima.push(maxima_of(blocks));
            }
            return threshold(simd, &maxima, count, most);
        }
        threshold(simd, scores, count, most)
    }
}

#[inline(always)]
fn threshold<S: Simd>(simd: S, scores: &[Scores], count: usize, most: f32) -> f32 {
    const MOST_COUNTS: usize = 16;
    if count_above(simd, scores, f32::NEG_INFINITY) <= count {
        return f32::NEG_INFINITY;
    }
    let (mut greatest, mut least) =
        ([f32::NEG_INFINITY; BLOCK_CODES], [f32::INFINITY; BLOCK_CODES]);
    for scores in scores {
        for i in 0..BLOCK_CODES {
            greatest[i] = larger(greatest[i], scores[i]);
            // Those that are not there are minus infinity.
            let score = if scores[i] > f32::NEG_INFINITY { scores[i] } else { f32::INFINITY };
            least[i] = if score < least[i] { score } else { least[i] };
        }
    }
    let mut high = greatest.into_iter().fold(f32::NEG_INFINITY, larger).min(most);
    let mut low = least.into_iter().fold(f32::INFINITY, f32::min).next_down();
    for _ in 0..MOST_COUNTS {
        let middle = low.midpoint(high);
        let above = count_above(simd, scores, middle);
        if above < count {
            high = middle;
        } else {
            low = middle;
            if above <= count + count / 8 {
                break;
            }
        }
    }
    low
}

#[inline(always)]
fn count_above<S: Simd>(simd: S, scores: &[Scores], threshold: f32) -> usize {
    let mut number = 0;
    for scores in scores {
        number += simd.above(scores, threshold).count_ones() as usize;
    }
    number
}

/// The greatest of each four of up to four blocks' scores.
#[inline(always)]
fn maxima_of(blocks: &[Scores]) -> Scores {
    const LANES: usize = BLOCK_CODES / 4;
    let mut maxima = [f32::NEG_INFINITY; BLOCK_CODES];
    let (parts, _) = maxima.as_chunks_mut::<LANES>();
    for (out, block) in parts.iter_mut().zip(blocks) {
        for i in 0..LANES {
            let (a, b) = (
                larger(block[i], block[i + LANES]),
                larger(block[i + 2 * LANES], block[i + 3 * LANES]),
            );
            out[i] = larger(a, b);
        }
    }
    maxima
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

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

    fn threshold_of(scores: &[Scores], count: usize) -> f32 {
        Isa::detect().run(Threshold { scores, count, most: f32::INFINITY })
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
                    let threshold = threshold_of(&scores, count);
                    let above = scores.iter().flatten().filter(|&&score| score > threshold).count();
                    assert!(above >= count.min(there), "{above} of {count}");
                    if threshold > f32::NEG_INFINITY && spread > 1e-5 {
                        assert!(above <= count + count / 4 + 1, "{above} of {count} of {there}");
                    }
                }
            }
        }
        let alike = [[0.5; BLOCK_CODES]; 3];
        assert!(threshold_of(&alike, 10) < 0.5);
        assert!(threshold_of(&[[f32::NAN; BLOCK_CODES]], 10) < f32::MIN);
    }
}
