//! What a step costs: exact integers, so that equal products of confidences are equal sums.
//!
//! Invariant: a path's cost is the sum of its steps' costs in any order of adding, and comparing costs
//! compares `(-ln confidence, number of edges)`. Nothing here depends on the CPU or its libm.

use std::f64::consts::{LN_2, SQRT_2};

/// Longest path that [`best_paths`](super::best_paths) searches for.
pub const MAX_DEPTH: u32 = 64;

/// Low bits of a cost that count edges: up to [`MAX_DEPTH`], with room.
const LENGTH_BITS: u32 = 7;
/// `-ln confidence` in units of 2^-40. It is below 104 for any positive `f32`, so 64 edges stay below
/// 2^60 with their length bits.
const UNITS: f64 = (1_u64 << 40) as f64;

/// More than any path costs.
pub(crate) const UNREACHED: u64 = u64::MAX;

/// The cost of one step, or `None` where the confidence is zero or no confidence at all.
pub(crate) fn step_cost(confidence: f32) -> Option<u64> {
    if !(confidence > 0.0 && confidence <= 1.0) {
        return None;
    }
    let units = (negative_ln(f64::from(confidence)) * UNITS).round() as u64;
    Some(units << LENGTH_BITS | 1)
}

/// `-ln x` for `x` in `(0, 1]`, by basic operations only, to within some 1e-15.
fn negative_ln(x: f64) -> f64 {
    // x = m * 2^e with m in [1, 2), then in [sqrt(1/2), sqrt(2)); an f32 is a normal f64.
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 (z + z^3/3 + z^5/5 + ...) with |z| < 0.172: the first term left out is below 1e-18.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let mut sum = 0.0;
    for odd in (1..=21).rev().step_by(2) {
        sum = sum * square + 1.0 / f64::from(odd);
    }
    (-(f64::from(exponent) * LN_2) - 2.0 * z * sum).max(0.0)
}

/// Remembers the costs of confidences seen lately: a graph has few distinct ones.
#[derive(Debug, Clone)]
pub(crate) struct CostCache {
    slots: Box<[(u32, Option<u64>); 64]>,
}

impl CostCache {
    pub(crate) fn new() -> Self {
        // The bits of 0.0, whose cost is None: the empty slots are true.
        Self { slots: Box::new([(0, None); 64]) }
    }

    pub(crate) fn step_cost(&mut self, confidence: f32) -> Option<u64> {
        let bits = confidence.to_bits();
        let slot = (bits.wrapping_mul(0x9E37_79B1) >> 26) as usize;
        if self.slots[slot].0 != bits {
            self.slots[slot] = (bits, step_cost(confidence));
        }
        self.slots[slot].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_ln_agrees_with_libm() {
        let mut x = 1.0_f64;
        while x > 1e-44 {
            let (ours, theirs) = (negative_ln(x), -x.ln());
            assert!((ours - theirs).abs() <= 1e-14 * theirs.max(1.0), "{x}: {ours} and {theirs}");
            x *= 0.9973;
        }
        assert_eq!(negative_ln(1.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn cost_falls_as_confidence_rises_and_counts_one_edge() {
        let mut previous = u64::MAX;
        for step in 1..=1000_u16 {
            let cost = step_cost(f32::from(step) / 1000.0).expect("a confidence in (0, 1]");
            assert!(cost < previous);
            assert_eq!(cost & 0x7F, 1);
            previous = cost;
        }
        assert_eq!(step_cost(1.0), Some(1));
    }

    #[test]
    fn longest_path_of_the_least_confidence_does_not_overflow() {
        let least = step_cost(f32::from_bits(1)).expect("positive");
        let total = least.checked_mul(u64::from(MAX_DEPTH)).expect("fits");
        assert!(total < 1 << 60);
        assert_eq!(total & 0x7F, 64);
    }

    #[test]
    fn what_is_no_positive_confidence_has_no_cost() {
        for confidence in [0.0, -0.0, -0.5, 1.000_1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(step_cost(confidence), None);
            assert_eq!(CostCache::new().step_cost(confidence), None);
        }
    }
}
