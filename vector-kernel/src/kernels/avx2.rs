//! Sixteen lanes in two AVX2 registers.
//!
//! Invariant: an [`Avx2`] exists only after detection, so every intrinsic below has its feature.

#![expect(unsafe_code, reason = "intrinsics, whose features the token proves")]
#![expect(clippy::cast_ptr_alignment, reason = "only unaligned loads go through such a pointer")]

use std::arch::x86_64::{
    __m128i, __m256, __m256d, __m256i, _CMP_GT_OQ, _MM_HINT_T1, _mm_add_epi32, _mm_add_pd,
    _mm_add_ps, _mm_add_sd, _mm_add_ss, _mm_cvtsd_f64, _mm_cvtsi128_si32, _mm_cvtss_f32,
    _mm_loadu_si128, _mm_movehl_ps, _mm_prefetch, _mm_shuffle_epi32, _mm_shuffle_ps,
    _mm_unpackhi_pd, _mm256_add_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_pd,
    _mm256_add_ps, _mm256_and_si256, _mm256_castpd256_pd128, _mm256_castps256_ps128,
    _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_pd,
    _mm256_extractf128_pd, _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_pd,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_movemask_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_pd, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_slli_epi16, _mm256_srli_epi16, _mm256_storeu_si256, _mm256_sub_epi16, _mm256_sub_ps,
    _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

use half::f16;

use super::{
    avx512::Avx512,
    codes::{BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_BYTES, CHUNK_COMPONENTS, Tables},
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

/// Reads 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_bytes(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 32 bytes read. Alignment: the
    // load asks for none.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) }
}

/// Reads 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_signed(bytes: &[i8; 32]) -> __m256i {
    // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 32 bytes read. Alignment: the
    // load asks for none.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) }
}

/// The low and the high halves of bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn halves(bytes: __m256i) -> [__m256i; 2] {
    let low = _mm256_set1_epi8(15);
    [_mm256_and_si256(bytes, low), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_sums(sums: [__m256i; 4], out: &mut [i32; BLOCK_CODES]) {
    let (parts, _) = out.as_chunks_mut::<8>();
    for (part, sum) in parts.iter_mut().zip(sums) {
        // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 32 bytes written.
        // Alignment: the store asks for none.
        unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast::<__m256i>(), sum) };
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn block_sums(codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
    let low = _mm256_set1_epi8(15);
    // The sums of bytes of even places, and those of odd ones times 256, in 16 bits; and those of odd places alone.
    let (mut both, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let (pairs, _) = codes.as_chunks::<2>();
    for (pair, tables) in pairs.iter().zip(tables) {
        let (tables, _) = tables.as_chunks::<32>();
        let mut entries = _mm256_setzero_si256();
        for byte in 0..2 {
            let codes = load_bytes(&pair[byte]);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low);
            let codes = _mm256_and_si256(codes, low);
            let first = _mm256_shuffle_epi8(load_bytes(&tables[byte]), codes);
            let second = _mm256_shuffle_epi8(load_bytes(&tables[2 + byte]), high);
            entries = _mm256_add_epi8(entries, _mm256_add_epi8(first, second));
        }
        both = _mm256_add_epi16(both, entries);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16::<8>(entries));
    }
    let even = _mm256_sub_epi16(both, _mm256_slli_epi16::<8>(odd));
    // Of each half of 16 lanes the first eight, and the last.
    let (first, last) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
    let sums = [
        _mm256_cvtepu16_epi32(_mm256_castsi256_si128(first)),
        _mm256_cvtepu16_epi32(_mm256_castsi256_si128(last)),
        _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(first)),
        _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(last)),
    ];
    let mut out = [0; BLOCK_CODES];
    store_sums(sums, &mut out);
    out
}

#[inline]
#[target_feature(enable = "avx2")]
fn above(numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
    let threshold = _mm256_set1_ps(threshold);
    let (parts, _) = numbers.as_chunks::<8>();
    let mut bits = 0;
    for (at, part) in parts.iter().enumerate() {
        let part: &[f32; 8] = part;
        // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 32 bytes read. Alignment:
        // the load asks for none.
        let part = unsafe { _mm256_loadu_ps(part.as_ptr()) };
        let mask = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(part, threshold));
        bits |= (mask as u32) << (8 * at);
    }
    bits
}

/// The sum of eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_i32(lanes: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn row_product(row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
    let one = _mm256_set1_epi16(1);
    let mut sum = _mm256_setzero_si256();
    for (chunk, query) in row.iter().zip(query) {
        let [low, high] = halves(load_bytes(chunk));
        let (ends, _) = query.as_chunks::<32>();
        let (near, far) = (load_signed(&ends[0]), load_signed(&ends[1]));
        // No product of four numbers, 15 and 128 at most, is beyond 16 bits.
        let both =
            _mm256_add_epi16(_mm256_maddubs_epi16(low, near), _mm256_maddubs_epi16(high, far));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(both, one));
    }
    sum_i32(sum)
}

#[inline]
#[target_feature(enable = "avx2")]
fn byte_products(groups: &[[u8; BYTE_GROUP_BYTES]], query: &[[u8; 4]]) -> [i32; BLOCK_CODES] {
    let one = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); 4];
    for (group, query) in groups.iter().zip(query) {
        let (parts, _) = group.as_chunks::<32>();
        let query = _mm256_set1_epi32(i32::from_le_bytes(*query));
        for (sum, part) in sums.iter_mut().zip(parts) {
            let pairs = _mm256_maddubs_epi16(query, load_bytes(part));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, one));
        }
    }
    let mut out = [0; BLOCK_CODES];
    store_sums(sums, &mut out);
    out
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

    #[inline(always)]
    fn block_sums(self, codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
        // SAFETY: feature: `self` proves AVX2. The function is safe else.
        unsafe { block_sums(codes, tables) }
    }

    #[inline(always)]
    fn above(self, numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
        // SAFETY: feature: `self` proves AVX2. The function is safe else.
        unsafe { above(numbers, threshold) }
    }

    #[inline(always)]
    fn row_product(self, row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
        // SAFETY: feature: `self` proves AVX2. The function is safe else.
        unsafe { row_product(row, query) }
    }

    #[inline(always)]
    fn byte_products(
        self,
        groups: &[[u8; BYTE_GROUP_BYTES]],
        query: &[[u8; 4]],
    ) -> [i32; BLOCK_CODES] {
        // SAFETY: feature: `self` proves AVX2. The function is safe else.
        unsafe { byte_products(groups, query) }
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
