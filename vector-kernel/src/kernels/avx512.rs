//! Sixteen lanes in one AVX-512 register.
//!
//! Invariant: an [`Avx512`] exists only after detection, so every intrinsic below has its feature.

#![expect(unsafe_code, reason = "intrinsics, whose features the token proves")]
#![expect(clippy::cast_ptr_alignment, reason = "only unaligned loads go through such a pointer")]

use std::arch::x86_64::{
    __m256i, __m512, __m512d, _MM_HINT_T1, _mm_prefetch, _mm256_add_pd, _mm256_add_ps,
    _mm256_castpd_ps, _mm256_loadu_si256, _mm512_add_pd, _mm512_add_ps, _mm512_castpd512_pd256,
    _mm512_castps_pd, _mm512_castps512_ps256, _mm512_cvtph_ps, _mm512_cvtps_pd,
    _mm512_extractf64x4_pd, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_maskz_loadu_ps, _mm512_setzero_pd, _mm512_setzero_ps, _mm512_sub_ps,
};

use half::f16;

use super::{
    avx2::{Avx2, fold_256, fold_256_wide},
    codes::{BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_BYTES, CHUNK_COMPONENTS, Tables},
    simd::{Kernel, Simd},
};

/// Proof that the machine has AVX-512F, and AVX2, FMA and F16C with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// A token, if the machine has the features.
    pub(super) fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        present.then_some(Self(()))
    }
}

impl Simd for Avx512 {
    type Lanes = __m512;
    type WideLanes = [__m512d; 2];

    #[inline(always)]
    fn zero(self) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    fn load(self, values: &[f32; 16]) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F. Bounds, initialisation, aliasing: the reference
        // spans exactly the 64 bytes read. Alignment: the load asks for none.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn load_f16(self, values: &[f16; 16]) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F, hence AVX. Bounds, initialisation, aliasing: the
        // reference spans exactly the 32 bytes read, and `f16` is a transparent `u16`. Alignment:
        // the load asks for none.
        let halves = unsafe { _mm256_loadu_si256(values.as_ptr().cast::<__m256i>()) };
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        unsafe { _mm512_cvtph_ps(halves) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, sum: __m512) -> __m512 {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }

    #[inline(always)]
    fn fold(self, lanes: __m512) -> f32 {
        #[inline]
        #[target_feature(enable = "avx512f,avx2,fma,f16c")]
        fn fold(lanes: __m512) -> f32 {
            let low = _mm512_castps512_ps256(lanes);
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(lanes)));
            fold_256(_mm256_add_ps(low, high))
        }
        // SAFETY: feature: `self` proves all that `fold` enables. No memory is touched.
        unsafe { fold(lanes) }
    }

    #[inline(always)]
    fn zero_wide(self) -> [__m512d; 2] {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        [unsafe { _mm512_setzero_pd() }; 2]
    }

    #[inline(always)]
    fn add_wide(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        // SAFETY: feature: `self` proves AVX-512F. No memory is touched.
        std::array::from_fn(
            #[inline(always)]
            |i| unsafe { _mm512_add_pd(a[i], b[i]) },
        )
    }

    #[inline(always)]
    fn add_squares(self, lanes: __m512, sum: [__m512d; 2]) -> [__m512d; 2] {
        #[inline]
        #[target_feature(enable = "avx512f,avx2,fma,f16c")]
        fn add_squares(lanes: __m512, [low, high]: [__m512d; 2]) -> [__m512d; 2] {
            let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(lanes));
            let a = _mm512_cvtps_pd(_mm512_castps512_ps256(lanes));
            let b = _mm512_cvtps_pd(_mm256_castpd_ps(upper));
            [_mm512_fmadd_pd(a, a, low), _mm512_fmadd_pd(b, b, high)]
        }
        // SAFETY: feature: `self` proves all that `add_squares` enables. No memory is touched.
        unsafe { add_squares(lanes, sum) }
    }

    #[inline(always)]
    fn fold_wide(self, lanes: [__m512d; 2]) -> f64 {
        #[inline]
        #[target_feature(enable = "avx512f,avx2,fma,f16c")]
        fn fold(lanes: [__m512d; 2]) -> f64 {
            let eight = _mm512_add_pd(lanes[0], lanes[1]);
            let upper = _mm512_extractf64x4_pd::<1>(eight);
            fold_256_wide(_mm256_add_pd(_mm512_castpd512_pd256(eight), upper))
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

    #[inline(always)]
    fn block_sums(self, codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
        Avx2::from(self).block_sums(codes, tables)
    }

    #[inline(always)]
    fn above(self, numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
        Avx2::from(self).above(numbers, threshold)
    }

    #[inline(always)]
    fn row_product(self, row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
        Avx2::from(self).row_product(row, query)
    }

    #[inline(always)]
    fn byte_products(
        self,
        groups: &[[u8; BYTE_GROUP_BYTES]],
        query: &[[u8; 4]],
    ) -> [i32; BLOCK_CODES] {
        Avx2::from(self).byte_products(groups, query)
    }

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx2,fma,f16c")]
        fn enter<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
            kernel.call(simd)
        }
        // SAFETY: feature: `self` proves all that `enter` enables; the rest is safe code.
        unsafe { enter(self, kernel) }
    }

    #[inline(always)]
    fn load_partial(self, values: &[f32]) -> __m512 {
        let count = values.len().min(16);
        let mask = ((1_u32 << count) - 1) as u16;
        // SAFETY: feature: `self` proves AVX-512F. Bounds, initialisation, aliasing: only the first
        // `count` floats are read, which the slice holds; masked lanes touch no memory. Alignment:
        // the load asks for none.
        unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
    }
}
