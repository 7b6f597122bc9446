//! Sixteen lanes in plain Rust: the reference that every other instruction set must equal.
//!
//! Invariant: no unsafe code, no assumption about the machine.

use half::f16;

use super::simd::{Kernel, Simd};

/// The token of the portable lanes, which any machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portable;

impl Simd for Portable {
    type Lanes = [f32; 16];
    type WideLanes = [f64; 16];

    #[inline(always)]
    fn zero(self) -> [f32; 16] {
        [0.0; 16]
    }

    #[inline(always)]
    fn load(self, values: &[f32; 16]) -> [f32; 16] {
        *values
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; 16]) -> [f32; 16] {
        values.map(f16::to_f32)
    }

    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 16], b: [f32; 16], sum: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i].mul_add(b[i], sum[i]))
    }

    #[inline(always)]
    fn fold(self, mut lanes: [f32; 16]) -> f32 {
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }

    #[inline(always)]
    fn zero_wide(self) -> [f64; 16] {
        [0.0; 16]
    }

    #[inline(always)]
    fn add_wide(self, a: [f64; 16], b: [f64; 16]) -> [f64; 16] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn add_squares(self, lanes: [f32; 16], sum: [f64; 16]) -> [f64; 16] {
        std::array::from_fn(|i| f64::from(lanes[i]) * f64::from(lanes[i]) + sum[i])
    }

    #[inline(always)]
    fn fold_wide(self, mut lanes: [f64; 16]) -> f64 {
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }

    #[inline(always)]
    fn prefetch<T>(self, _address: *const T) {}

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.call(self)
    }
}
