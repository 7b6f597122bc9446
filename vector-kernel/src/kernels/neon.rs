//! Sixteen lanes in four NEON registers.
//!
//! Invariant: a [`Neon`] exists only after detection, so every intrinsic below has its feature.

#![expect(unsafe_code, reason = "intrinsics, whose feature the token proves")]

use std::arch::{
    aarch64::{
        float32x4_t, float64x2_t, vadd_f32, vaddq_f32, vaddq_f64, vcvt_f64_f32, vcvt_high_f64_f32,
        vdupq_n_f32, vdupq_n_f64, vfmaq_f32, vfmaq_f64, vget_high_f32, vget_lane_f32, vget_low_f32,
        vgetq_lane_f64, vld1q_f32, vsubq_f32,
    },
    is_aarch64_feature_detected,
};

use half::{f16, slice::HalfFloatSliceExt};

use super::simd::{Kernel, Simd};

/// Proof that the machine has NEON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neon(());

impl Neon {
    /// A token, if the machine has the feature.
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

// NEON is part of this target's baseline, so that its arithmetic is safe to call everywhere.
impl Simd for Neon {
    type Lanes = [float32x4_t; 4];
    type WideLanes = [float64x2_t; 8];

    #[inline(always)]
    fn zero(self) -> [float32x4_t; 4] {
        [vdupq_n_f32(0.0); 4]
    }

    #[inline(always)]
    fn load(self, values: &[f32; 16]) -> [float32x4_t; 4] {
        let (quarters, _) = values.as_chunks::<4>();
        std::array::from_fn(
            #[inline(always)]
            |i| {
                let quarter: &[f32; 4] = &quarters[i];
                // SAFETY: feature: `self` proves NEON. Bounds, initialisation, aliasing: the
                // reference spans exactly the 16 bytes read. Alignment: that of `f32` suffices.
                unsafe { vld1q_f32(quarter.as_ptr()) }
            },
        )
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; 16]) -> [float32x4_t; 4] {
        let mut wide = [0.0; 16];
        values.convert_to_f32_slice(&mut wide);
        self.load(&wide)
    }

    #[inline(always)]
    fn add(self, a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        std::array::from_fn(
            #[inline(always)]
            |i| vaddq_f32(a[i], b[i]),
        )
    }

    #[inline(always)]
    fn sub(self, a: [float32x4_t; 4], b: [float32x4_t; 4]) -> [float32x4_t; 4] {
        std::array::from_fn(
            #[inline(always)]
            |i| vsubq_f32(a[i], b[i]),
        )
    }

    #[inline(always)]
    fn mul_add(
        self,
        a: [float32x4_t; 4],
        b: [float32x4_t; 4],
        sum: [float32x4_t; 4],
    ) -> [float32x4_t; 4] {
        std::array::from_fn(
            #[inline(always)]
            |i| vfmaq_f32(sum[i], a[i], b[i]),
        )
    }

    #[inline(always)]
    fn fold(self, lanes: [float32x4_t; 4]) -> f32 {
        // 16 to 8 adds the upper two registers to the lower two, 8 to 4 the second to the first.
        let four = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
        let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
        vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
    }

    #[inline(always)]
    fn zero_wide(self) -> [float64x2_t; 8] {
        [vdupq_n_f64(0.0); 8]
    }

    #[inline(always)]
    fn add_wide(self, a: [float64x2_t; 8], b: [float64x2_t; 8]) -> [float64x2_t; 8] {
        std::array::from_fn(
            #[inline(always)]
            |i| vaddq_f64(a[i], b[i]),
        )
    }

    #[inline(always)]
    fn add_squares(self, lanes: [float32x4_t; 4], sum: [float64x2_t; 8]) -> [float64x2_t; 8] {
        std::array::from_fn(
            #[inline(always)]
            |i| {
                let four = lanes[i / 2];
                let two = if i % 2 == 0 {
                    vcvt_f64_f32(vget_low_f32(four))
                } else {
                    vcvt_high_f64_f32(four)
                };
                vfmaq_f64(sum[i], two, two)
            },
        )
    }

    #[inline(always)]
    fn fold_wide(self, lanes: [float64x2_t; 8]) -> f64 {
        let mut lanes = lanes;
        for half in [4, 2, 1] {
            for i in 0..half {
                lanes[i] = vaddq_f64(lanes[i], lanes[i + half]);
            }
        }
        vgetq_lane_f64::<0>(lanes[0]) + vgetq_lane_f64::<1>(lanes[0])
    }

    #[inline(always)]
    fn prefetch<T>(self, _address: *const T) {}

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.call(self)
    }
}
