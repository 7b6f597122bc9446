//! Sums in `f64`, for norms and for the rare score that `f32` can't hold.
//!
//! The product of two `f32` is exact in `f64`, and a sum of 65,536 of them neither overflows nor
//! loses small terms to underflow. The order is fixed: component `i` goes to lane `i % 32`, each
//! lane takes its components in ascending order, and the 32 lanes are folded in half until one is
//! left.
//!
//! Invariant: the same bits on every instruction set. What is not written with the sixteen lanes is
//! plain Rust, whose additions the compiler may neither reorder nor fuse.

use super::{
    Isa,
    float::Element,
    simd::{Kernel, Simd},
};

const LANES: usize = 32;

/// The sum of squares of `vector`.
pub(crate) fn sum_of_squares<E: Element>(isa: Isa, vector: &[E]) -> f64 {
    isa.run(SumOfSquares(vector))
}

struct SumOfSquares<'a, E>(&'a [E]);

impl<E: Element> Kernel for SumOfSquares<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) -> f64 {
        let mut banks = [simd.zero_wide(); LANES / 16];
        let (blocks, tail) = self.0.as_chunks::<LANES>();
        for block in blocks {
            let (block, _) = block.as_chunks::<16>();
            for (bank, x) in banks.iter_mut().zip(block) {
                *bank = simd.add_squares(E::load(simd, x), *bank);
            }
        }
        for (bank, x) in banks.iter_mut().zip(tail.chunks(16)) {
            *bank = simd.add_squares(E::load_partial(simd, x), *bank);
        }
        let [low, high] = banks;
        simd.fold_wide(simd.add_wide(low, high))
    }
}

/// The inner product of two vectors of one length.
pub(crate) fn dot<E: Element>(query: &[f32], row: &[E]) -> f64 {
    sum(query, row, |q, x| q * x)
}

/// The squared Euclidean distance of two vectors of one length.
pub(crate) fn squared_distance<E: Element>(query: &[f32], row: &[E]) -> f64 {
    sum(query, row, |q, x| (q - x) * (q - x))
}

fn sum<E: Element>(query: &[f32], row: &[E], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    for (query, row) in query.chunks(LANES).zip(row.chunks(LANES)) {
        for (lane, (q, x)) in lanes.iter_mut().zip(query.iter().zip(row)) {
            *lane += term(f64::from(*q), f64::from((*x).into()));
        }
    }
    fold(lanes)
}

fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}
