//! Sums in `f64`, for norms and for the rare score that `f32` can't hold.
//!
//! The product of two `f32` is exact in `f64`, and a sum of 65,536 of them neither overflows nor
//! loses small terms to underflow. The order is fixed: component `i` goes to lane `i % 32`, each
//! lane takes its components in ascending order, and the 32 lanes are folded in half until one is
//! left.
//!
//! Invariant: plain Rust, whose additions the compiler may neither reorder nor fuse, so that the
//! code gives the same bits for whatever instruction set it is compiled.

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
    fn call<S: Simd>(self, _simd: S) -> f64 {
        let mut lanes = [0.0_f64; LANES];
        let (blocks, tail) = self.0.as_chunks::<LANES>();
        for block in blocks {
            for (lane, x) in lanes.iter_mut().zip(block) {
                let x = f64::from((*x).into());
                *lane += x * x;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(tail) {
            let x = f64::from((*x).into());
            *lane += x * x;
        }
        fold(lanes)
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

#[inline(always)]
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
