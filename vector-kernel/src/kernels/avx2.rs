//! Sixteen lanes in two AVX2 registers.
//!
//! Invariant: an [`Avx2`] exists only after detection, so every intrinsic below has its feature.

#![expect(unsafe_code, reason = "intrinsics, whose features the token proves")]
#![expect(clippy::cast_ptr_alignment, reason = "only unaligned loads go through such a pointer")]

use std::arch::x86_64::{
    __m128i, __m256, __m256d, _MM_HINT_T1, _mm_add_pd, _mm_add_ps, _mm_add_sd, _mm_add_ss,
    _mm_cvtsd_f64, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_prefetch, _mm_shuffle_ps,
    _mm_unpackhi_pd, _mm256_add_pd, _mm256_add_ps, _mm256_castpd256_pd128, _mm256_castps256_ps128,
    _mm256_cvtph_ps, _mm256_cvtps_pd, _mm256_extractf128_pd, _mm256_extractf128_ps,
    _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_pd, _mm256_setzero_ps,
    _mm256_sub_ps,
};

use half::f16;

use super::{
    avx512::Avx512,
    simd::{Kernel, Simd},
};

/// Proof that the machine has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// A token, if the machine has the features.
    pub(super) fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        present.then_some(Self(()))
    }
}

impl From<Avx512> for Avx2 {
    /// Detection of AVX-512 asks for these features too.
    fn from(_: Avx512) -> Self {
        Self(())
    }
}

/// Folds 8 lanes to one: 8, 4, 2, 1.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn fold_256(lanes: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// Folds 4 lanes to one: 4, 2, 1.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn fold_256_wide(lanes: __m256d) -> f64 {
    let two = _mm_add_pd(_mm256_castpd256_pd128(lanes), _mm256_extractf128_pd::<1>(lanes));
    _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
}

impl Simd for Avx2 {
    type Lanes = [__m256; 2];
    type WideLanes = [__m256d; 4];

    #[inline(always)]
    fn zero(self) -> [__m256; 2] {
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        [unsafe { _mm256_setzero_ps() }; 2]
    }

    #[inline(always)]
    fn load(self, values: &[f32; 16]) -> [__m256; 2] {
        let (halves, _) = values.as_chunks::<8>();
        std::array::from_fn(
            #[inline(always)]
            |i| {
                let half: &[f32; 8] = &halves[i];
                // SAFETY: feature: `self` proves AVX2. Bounds, initialisation, aliasing: the
                // reference spans exactly the 32 bytes read. Alignment: the load asks for none.
                unsafe { _mm256_loadu_ps(half.as_ptr()) }
            },
        )
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; 16]) -> [__m256; 2] {
        let (halves, _) = values.as_chunks::<8>();
        std::array::from_fn(
            #[inline(always)]
            |i| {
                let half: &[f16; 8] = &halves[i];
                // SAFETY: feature: every x86-64 has SSE2. Bounds, initialisation, aliasing: the
                // reference spans exactly the 16 bytes read, and `f16` is a transparent `u16`.
                // Alignment: the load asks for none.
                let eight = unsafe { _mm_loadu_si128(half.as_ptr().cast::<__m128i>()) };
                // SAFETY: feature: `self` proves F16C. No memory is touched.
                unsafe { _mm256_cvtph_ps(eight) }
            },
        )
    }

    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        std::array::from_fn(
            #[inline(always)]
            |i| unsafe { _mm256_add_ps(a[i], b[i]) },
        )
    }

    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        std::array::from_fn(
            #[inline(always)]
            |i| unsafe { _mm256_sub_ps(a[i], b[i]) },
        )
    }

    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], sum: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: feature: `self` proves FMA. No memory is touched.
        std::array::from_fn(
            #[inline(always)]
            |i| unsafe { _mm256_fmadd_ps(a[i], b[i], sum[i]) },
        )
    }

    #[inline(always)]
    fn fold(self, lanes: [__m256; 2]) -> f32 {
        let [low, high] = lanes;
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        let eight = unsafe { _mm256_add_ps(low, high) };
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        unsafe { fold_256(eight) }
    }

    #[inline(always)]
    fn zero_wide(self) -> [__m256d; 4] {
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        [unsafe { _mm256_setzero_pd() }; 4]
    }

    #[inline(always)]
    fn add_wide(self, a: [__m256d; 4], b: [__m256d; 4]) -> [__m256d; 4] {
        // SAFETY: feature: `self` proves AVX2. No memory is touched.
        std::array::from_fn(
            #[inline(always)]
            |i| unsafe { _mm256_add_pd(a[i], b[i]) },
        )
    }

    #[inline(always)]
    fn add_squares(self, lanes: [__m256; 2], sum: [__m256d; 4]) -> [__m256d; 4] {
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn add_squares([low, high]: [__m256; 2], sum: [__m256d; 4]) -> [__m256d; 4] {
            let a = _mm256_cvtps_pd(_mm256_castps256_ps128(low));
            let b = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(low));
            let c = _mm256_cvtps_pd(_mm256_castps256_ps128(high));
            let d = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(high));
            [
                _mm256_fmadd_pd(a, a, sum[0]),
                _mm256_fmadd_pd(b, b, sum[1]),
                _mm256_fmadd_pd(c, c, sum[2]),
                _mm256_fmadd_pd(d, d, sum[3]),
            ]
        }
        // SAFETY: feature: `self` proves all that `add_squares` enables. No memory is touched.
        unsafe { add_squares(lanes, sum) }
    }

    #[inline(always)]
    fn fold_wide(self, lanes: [__m256d; 4]) -> f64 {
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn fold([a, b, c, d]: [__m256d; 4]) -> f64 {
            fold_256_wide(_mm256_add_pd(_mm256_add_pd(a, c), _mm256_add_pd(b, d)))
        }
        // SAFETY: feature: `self` proves all that `fold` enables. No memory is touched.
        unsafe { fold(lanes) }
    }

    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        // SAFETY: feature: every x86-64 has SSE. A prefetch reads nothing that a program can see
        // and never faults, so the address may point anywhere.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn enter<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.call(simd)
        }
        // SAFETY: feature: `self` proves all that `enter` enables; the rest is safe code.
        unsafe { enter(self, kernel) }
    }
}
