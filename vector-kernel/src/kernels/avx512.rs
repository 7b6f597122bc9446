//! Sixteen lanes in one AVX-512 register.
//!
//! Invariant: an [`Avx512`] exists only after detection, so every intrinsic below has its feature.

#![expect(unsafe_code, reason = "intrinsics, whose features the token proves")]
#![expect(clippy::cast_ptr_alignment, reason = "only unaligned loads go through such a pointer")]

use std::arch::x86_64::{
    __m256i, __m512, __m512d, __m512i, _CMP_GT_OQ, _MM_HINT_T0, _mm_prefetch, _mm256_add_epi16,
    _mm256_add_epi32, _mm256_add_pd, _mm256_add_ps, _mm256_castpd_ps, _mm256_dpbusd_epi32,
    _mm256_loadu_si256, _mm256_permute2x128_si256, _mm256_setzero_si256, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16, _mm512_add_epi8, _mm512_add_epi16, _mm512_add_epi32, _mm512_add_pd,
    _mm512_add_ps, _mm512_and_si512, _mm512_castpd512_pd256, _mm512_castps_pd,
    _mm512_castps512_ps256, _mm512_castsi512_si256, _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32,
    _mm512_cvtph_ps, _mm512_cvtps_pd, _mm512_dpbusd_epi32, _mm512_extractf64x4_pd,
    _mm512_extracti64x4_epi64, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_maskz_loadu_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_pd, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_slli_epi16, _mm512_srli_epi16, _mm512_storeu_si512, _mm512_sub_epi16, _mm512_sub_ps,
};

use half::f16;

use super::{
    avx2::{self, fold_256, fold_256_wide},
    codes::{BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_BYTES, CHUNK_COMPONENTS, Tables},
    simd::{Kernel, Simd},
};

/// Proof that the machine has AVX-512F, BW, DQ, VL and VNNI, and AVX2, FMA and F16C with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// A token, if the machine has the features.
    pub(super) fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        present.then_some(Self(()))
    }
}

/// Reads 64 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 64 bytes read. Alignment: the
    // load asks for none.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast::<__m512i>()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_sums(sums: [__m512i; 2], out: &mut [i32; BLOCK_CODES]) {
    let (parts, _) = out.as_chunks_mut::<16>();
    for (part, sum) in parts.iter_mut().zip(sums) {
        // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 64 bytes written.
        // Alignment: the store asks for none.
        unsafe { _mm512_storeu_si512(part.as_mut_ptr().cast::<__m512i>(), sum) };
    }
}

/// The entries that two bytes of each code choose: those of the first in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn entries(codes: &[[u8; BLOCK_CODES]; 2], tables: &Tables) -> __m512i {
    let low = _mm512_set1_epi8(15);
    let (codes, _) = codes.as_flattened().as_chunks::<64>();
    let (tables, _) = tables.as_chunks::<64>();
    let codes = load_bytes(&codes[0]);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low);
    _mm512_add_epi8(
        _mm512_shuffle_epi8(load_bytes(&tables[0]), _mm512_and_si512(codes, low)),
        _mm512_shuffle_epi8(load_bytes(&tables[1]), high),
    )
}

/// The sums of the lower and the upper 16 numbers.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn sum_of_halves(lanes: __m512i) -> __m256i {
    _mm256_add_epi16(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64::<1>(lanes))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn block_sums(codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
    // The sums of bytes of even places, and those of odd ones times 256, in 16 bits; and those of odd places alone.
    let (mut both, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    let (codes, _) = codes.as_chunks::<2>();
    let (twos, rest) = codes.as_chunks::<2>();
    let (tables_of_twos, rest_of_tables) = tables.as_chunks::<2>();
    for (codes, tables) in twos.iter().zip(tables_of_twos) {
        let first = entries(&codes[0], &tables[0]);
        let entries = _mm512_add_epi8(first, entries(&codes[1], &tables[1]));
        both = _mm512_add_epi16(both, entries);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(entries));
    }
    for (codes, tables) in rest.iter().zip(rest_of_tables) {
        let entries = entries(codes, tables);
        both = _mm512_add_epi16(both, entries);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(entries));
    }
    let even = _mm512_sub_epi16(both, _mm512_slli_epi16::<8>(odd));
    let (even, odd) = (sum_of_halves(even), sum_of_halves(odd));
    // Of each half of 16 lanes the first eight, and the last.
    let (first, last) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
    let sums = [
        _mm512_cvtepu16_epi32(_mm256_permute2x128_si256::<0x20>(first, last)),
        _mm512_cvtepu16_epi32(_mm256_permute2x128_si256::<0x31>(first, last)),
    ];
    let mut out = [0; BLOCK_CODES];
    store_sums(sums, &mut out);
    out
}

#[inline]
#[target_feature(enable = "avx512f")]
fn above(numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
    let threshold = _mm512_set1_ps(threshold);
    let (parts, _) = numbers.as_chunks::<16>();
    let mut bits = 0;
    for (at, part) in parts.iter().enumerate() {
        let part: &[f32; 16] = part;
        // SAFETY: bounds, initialisation, aliasing: the reference spans exactly the 64 bytes read. Alignment:
        // the load asks for none.
        let part = unsafe { _mm512_loadu_ps(part.as_ptr()) };
        bits |= u32::from(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(part, threshold)) << (16 * at);
    }
    bits
}

#[inline]
#[target_feature(enable = "avx512vl,avx512vnni,avx2")]
fn row_product(row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
    let zero = _mm256_setzero_si256();
    let (mut low, mut high) = (zero, zero);
    for (chunk, query) in row.iter().zip(query) {
        let [codes_low, codes_high] = avx2::halves(avx2::load_bytes(chunk));
        let (ends, _) = query.as_chunks::<32>();
        low = _mm256_dpbusd_epi32(low, codes_low, avx2::load_signed(&ends[0]));
        high = _mm256_dpbusd_epi32(high, codes_high, avx2::load_signed(&ends[1]));
    }
    avx2::sum_i32(_mm256_add_epi32(low, high))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn byte_products(groups: &[[u8; BYTE_GROUP_BYTES]], query: &[[u8; 4]]) -> [i32; BLOCK_CODES] {
    let zero = _mm512_setzero_si512();
    // Two of each, so that no product waits for the one before it.
    let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
    let (twos, rest) = groups.as_chunks::<2>();
    let (twos_of_query, rest_of_query) = query.as_chunks::<2>();
    for (groups, query) in twos.iter().zip(twos_of_query) {
        (a, b) = add_products((a, b), &groups[0], query[0]);
        (c, d) = add_products((c, d), &groups[1], query[1]);
    }
    for (group, query) in rest.iter().zip(rest_of_query) {
        (a, b) = add_products((a, b), group, *query);
    }
    let mut out = [0; BLOCK_CODES];
    store_sums([_mm512_add_epi32(a, c), _mm512_add_epi32(b, d)], &mut out);
    out
}

/// Adds the products of four components of 32 rows.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_products(
    (low, high): (__m512i, __m512i),
    group: &[u8; BYTE_GROUP_BYTES],
    query: [u8; 4],
) -> (__m512i, __m512i) {
    let (parts, _) = group.as_chunks::<64>();
    let query = _mm512_set1_epi32(i32::from_le_bytes(query));
    (
        _mm512_dpbusd_epi32(low, query, load_bytes(&parts[0])),
        _mm512_dpbusd_epi32(high, query, load_bytes(&parts[1])),
    )
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
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    fn block_sums(self, codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
        // SAFETY: feature: `self` proves all that the function enables, which is safe else.
        unsafe { block_sums(codes, tables) }
    }

    #[inline(always)]
    fn above(self, numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
        // SAFETY: feature: `self` proves all that the function enables, which is safe else.
        unsafe { above(numbers, threshold) }
    }

    #[inline(always)]
    fn row_product(self, row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
        // SAFETY: feature: `self` proves all that the function enables, which is safe else.
        unsafe { row_product(row, query) }
    }

    #[inline(always)]
    fn byte_products(
        self,
        groups: &[[u8; BYTE_GROUP_BYTES]],
        query: &[[u8; 4]],
    ) -> [i32; BLOCK_CODES] {
        // SAFETY: feature: `self` proves all that the function enables, which is safe else.
        unsafe { byte_products(groups, query) }
    }

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
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
