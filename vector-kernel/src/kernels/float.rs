//! Dot product and squared distance of float vectors, summed in one fixed order.
//!
//! The order, which every instruction set follows, so that scores are the same bits everywhere:
//! component `i` goes to lane `i % 64`; a lane takes its components in ascending order, each by a
//! fused multiply-add into a sum that starts at +0; the 64 lanes form four banks of 16, added as
//! `((b0 + b1) + b2) + b3`; the 16 lanes are folded in half until one is left, lane `i` taking lane
//! `i + n / 2`; +0 is added, so that -0 is never seen. Components beyond the end count as +0.
//!
//! Invariant: nothing here branches on data, and the order is written once, in [`sums`].

use half::f16;

use super::simd::{Kernel, Simd};

/// Rows scored by one call of a kernel, at most.
pub(crate) const BLOCK: usize = 64;

/// A stored component: `f32`, or `f16` widened exactly.
pub(crate) trait Element: Copy + Send + Sync + Into<f32> {
    /// Sixteen components as lanes.
    fn load<S: Simd>(simd: S, values: &[Self; 16]) -> S::Lanes;
    /// At most sixteen components as lanes, the others 0.
    fn load_partial<S: Simd>(simd: S, values: &[Self]) -> S::Lanes;
}

impl Element for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, values: &[Self; 16]) -> S::Lanes {
        simd.load(values)
    }

    #[inline(always)]
    fn load_partial<S: Simd>(simd: S, values: &[Self]) -> S::Lanes {
        simd.load_partial(values)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, values: &[Self; 16]) -> S::Lanes {
        simd.load_f16(values)
    }

    #[inline(always)]
    fn load_partial<S: Simd>(simd: S, values: &[Self]) -> S::Lanes {
        simd.load_f16_partial(values)
    }
}

/// What is summed over the components.
pub(crate) trait Term: Copy + Send + Sync {
    /// The sum with one more term a lane.
    fn accumulate<S: Simd>(simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes;
}

/// `a * b`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product;

impl Term for Product {
    #[inline(always)]
    fn accumulate<S: Simd>(simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
        simd.mul_add(a, b, sum)
    }
}

/// `(a - b)²`
#[derive(Clone, Copy, Debug)]
pub(crate) struct SquaredDifference;

impl Term for SquaredDifference {
    #[inline(always)]
    fn accumulate<S: Simd>(simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
        let difference = simd.sub(a, b);
        simd.mul_add(difference, difference, sum)
    }
}

/// Rows of a larger slice, at most [`BLOCK`] of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a, E> {
    /// All rows of the index.
    pub(crate) rows: &'a [E],
    /// Elements a row.
    pub(crate) width: usize,
    /// Which rows.
    pub(crate) pick: Pick<'a>,
}

/// Which rows a block holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pick<'a> {
    /// Consecutive ordinals.
    Run(u32, u32),
    /// Any ordinals.
    List(&'a [u32]),
}

impl Pick<'_> {
    /// How many rows.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        match *self {
            Self::Run(start, end) => (end - start) as usize,
            Self::List(ordinals) => ordinals.len(),
        }
    }

    /// The ordinal of row `i` of the block.
    #[inline(always)]
    pub(crate) fn ordinal(&self, i: usize) -> u32 {
        match *self {
            Self::Run(start, _) => start + i as u32,
            Self::List(ordinals) => ordinals[i],
        }
    }
}

impl<'a, E> Block<'a, E> {
    /// Row `i` of the block.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> &'a [E] {
        &self.rows[self.pick.ordinal(i) as usize * self.width..][..self.width]
    }
}

/// Sums `T` over each row of a block and one query.
pub(crate) struct OneQuery<'a, 'out, E, T> {
    pub(crate) query: &'a [f32],
    pub(crate) block: Block<'a, E>,
    /// One sum a row.
    pub(crate) out: &'out mut [f32],
    pub(crate) term: T,
}

impl<E: Element, T: Term> Kernel for OneQuery<'_, '_, E, T> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { query, block, out, .. } = self;
        for (i, out) in out.iter_mut().enumerate() {
            *out = sum::<S, E, T>(simd, query, block.row(i));
        }
    }
}

/// The canonical sum of `T` over two vectors of one length.
#[inline(always)]
fn sum<S: Simd, E: Element, T: Term>(simd: S, query: &[f32], row: &[E]) -> f32 {
    let mut banks = [simd.zero(); 4];
    let (query_blocks, query_tail) = query.as_chunks::<64>();
    let (row_blocks, row_tail) = row.as_chunks::<64>();
    for (q, x) in query_blocks.iter().zip(row_blocks) {
        let (q, _) = q.as_chunks::<16>();
        let (x, _) = x.as_chunks::<16>();
        for bank in 0..4 {
            banks[bank] =
                T::accumulate(simd, simd.load(&q[bank]), E::load(simd, &x[bank]), banks[bank]);
        }
    }
    // The last, partial block: `chunks` yields as many banks as it reaches.
    for (bank, (q, x)) in query_tail.chunks(16).zip(row_tail.chunks(16)).enumerate() {
        let (q, x) = (simd.load_partial(q), E::load_partial(simd, x));
        banks[bank] = T::accumulate(simd, q, x, banks[bank]);
    }
    let [b0, b1, b2, b3] = banks;
    simd.fold(simd.add(simd.add(simd.add(b0, b1), b2), b3)) + 0.0
}
