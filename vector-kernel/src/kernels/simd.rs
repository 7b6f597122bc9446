//! Sixteen float lanes, as each instruction set provides them, and the choice among the sets.
//!
//! Invariant: an [`Isa`] other than the portable one exists only on a machine that was seen to have
//! its features, and all of them compute the same bits.

use half::f16;

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
use super::{
    codes::{self, BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_BYTES, CHUNK_COMPONENTS, Tables},
    portable::Portable,
};

/// Sixteen `f32` lanes. A value of the implementing type proves that the machine has the features.
///
/// Every operation is IEEE-754 with round-to-nearest, lane by lane, so the implementations agree
/// to the bit. Methods are inlined into [`Simd::run`], which is where the features are enabled.
pub(crate) trait Simd: Copy {
    /// Sixteen lanes.
    type Lanes: Copy;
    /// Sixteen `f64` lanes.
    type WideLanes: Copy;

    /// All lanes +0.
    fn zero(self) -> Self::Lanes;
    /// Lane `i` is `values[i]`.
    fn load(self, values: &[f32; 16]) -> Self::Lanes;
    /// Lane `i` is `values[i]`, exactly.
    fn load_f16(self, values: &[f16; 16]) -> Self::Lanes;
    /// `a + b`.
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a - b`.
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a * b + sum`, rounded once.
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, sum: Self::Lanes) -> Self::Lanes;
    /// Folds the upper half of the lanes onto the lower, four times: 16 lanes, 8, 4, 2, 1.
    fn fold(self, lanes: Self::Lanes) -> f32;
    /// All lanes +0.
    fn zero_wide(self) -> Self::WideLanes;
    /// `a + b`.
    fn add_wide(self, a: Self::WideLanes, b: Self::WideLanes) -> Self::WideLanes;
    /// `lanes * lanes + sum` in `f64`, where the product is exact.
    fn add_squares(self, lanes: Self::Lanes, sum: Self::WideLanes) -> Self::WideLanes;
    /// Folds the upper half of the lanes onto the lower, four times: 16 lanes, 8, 4, 2, 1.
    fn fold_wide(self, lanes: Self::WideLanes) -> f64;
    /// Asks for the cache line at `address`, which need not be valid, into the first or second cache.
    fn prefetch<T>(self, address: *const T);
    /// Runs `kernel` in a function compiled for this instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    /// For each of the 32 codes of a block, the sum of the entries of tables that they choose: below 2¹⁶. Two bytes a
    /// code have a table.
    #[inline(always)]
    fn block_sums(self, codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
        codes::block_sums(codes, tables)
    }

    /// Of 32 numbers, a bit for each that is above `threshold`, the first lowest.
    #[inline(always)]
    fn above(self, numbers: &[f32; BLOCK_CODES], threshold: f32) -> u32 {
        let mut bits = 0;
        for (at, number) in numbers.iter().enumerate() {
            bits |= u32::from(*number > threshold) << at;
        }
        bits
    }

    /// The product of a code in a row of its own with a query.
    #[inline(always)]
    fn row_product(self, row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
        codes::row_product(row, query)
    }

    /// The products of 32 rows of small signed bytes, which lie side by side, with a query of unsigned ones.
    #[inline(always)]
    fn byte_products(
        self,
        groups: &[[u8; BYTE_GROUP_BYTES]],
        query: &[[u8; 4]],
    ) -> [i32; BLOCK_CODES] {
        codes::byte_products(groups, query)
    }

    /// Lane `i` is `values[i]`, and 0 from `values.len()` (at most 16) on.
    #[inline(always)]
    fn load_partial(self, values: &[f32]) -> Self::Lanes {
        let mut padded = [0.0; 16];
        padded[..values.len()].copy_from_slice(values);
        self.load(&padded)
    }

    /// Lane `i` is `values[i]`, and 0 from `values.len()` (at most 16) on.
    #[inline(always)]
    fn load_f16_partial(self, values: &[f16]) -> Self::Lanes {
        let mut padded = [f16::ZERO; 16];
        padded[..values.len()].copy_from_slice(values);
        self.load_f16(&padded)
    }
}

/// A computation written once for all instruction sets; `call` must be `inline(always)`.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;
    /// Computes it with the lanes of `simd`.
    fn call<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set that this machine has.
///
/// The payload is a token that only detection makes, so holding an `Isa` is the proof that its
/// kernels may run. Every set gives the same bits; choosing one by hand serves tests and
/// measurements.
///
/// ```
/// use vector_kernel::kernels::{self, Isa};
///
/// let (a, b) = ([0.1_f32; 100], [0.3_f32; 100]);
/// let scores: Vec<u32> =
///     Isa::available().into_iter().map(|isa| kernels::dot(isa, &a, &b).to_bits()).collect();
/// assert!(scores.windows(2).all(|pair| pair[0] == pair[1]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust, the reference for all others. Slow where the target has no fused multiply-add.
    Portable(Portable),
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 with bytes, words and `VNNI`.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// Advanced SIMD, which every 64-bit Arm has.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Isa {
    /// The fastest instruction set of this machine.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = Avx512::detect() {
                return Self::Avx512(token);
            }
            if let Some(token) = Avx2::detect() {
                return Self::Avx2(token);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(token) = Neon::detect() {
            return Self::Neon(token);
        }
        Self::Portable(Portable)
    }

    /// All instruction sets of this machine, the portable one first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable(Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(Avx2::detect().map(Self::Avx2));
            sets.extend(Avx512::detect().map(Self::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        sets.extend(Neon::detect().map(Self::Neon));
        sets
    }

    /// The set's name: `portable`, `avx2`, `avx512` or `neon`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
        }
    }

    /// The set to use where every row is read once and memory is what one waits for.
    ///
    /// On Zen 4 a stream of 64-byte loads reaches 85 % of the bandwidth that 32-byte loads do.
    pub(crate) fn for_streaming(self) -> Self {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => Self::Avx2(token.into()),
            other => other,
        }
    }

    /// Runs `kernel` on this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => simd.run(kernel),
        }
    }
}
