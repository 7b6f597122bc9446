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

/// How far ahead of a sequential scan memory is asked for.
const AHEAD_BYTES: usize = 2048;

/// How many rows ahead of scattered reads memory is asked for.
const AHEAD_ROWS: usize = 8;

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
    fn accumulate<S: Simd>(self, simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes;
}

/// `a * b`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product;

impl Term for Product {
    #[inline(always)]
    fn accumulate<S: Simd>(self, simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
        simd.mul_add(a, b, sum)
    }
}

/// `(a - b)²`
#[derive(Clone, Copy, Debug)]
pub(crate) struct SquaredDifference;

impl Term for SquaredDifference {
    #[inline(always)]
    fn accumulate<S: Simd>(self, simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
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

    /// Where to read ahead while row `i` is summed; not necessarily inside the rows.
    #[inline(always)]
    fn ahead_of(&self, i: usize) -> *const E {
        match self.pick {
            Pick::Run(..) => self.row(i).as_ptr().wrapping_add(AHEAD_BYTES / size_of::<E>()),
            Pick::List(ordinals) => self.row((i + AHEAD_ROWS).min(ordinals.len() - 1)).as_ptr(),
        }
    }
}

/// Sums a term over each row of a block and each of some queries.
pub(crate) struct Sums<'a, 'out, E, T> {
    /// Queries of the rows' dimension.
    pub(crate) queries: &'a [&'a [f32]],
    pub(crate) block: Block<'a, E>,
    /// For each query, one sum a row.
    pub(crate) out: &'out mut [[f32; BLOCK]],
    pub(crate) term: T,
}

/// Queries and rows of one tile: 12 sums, 7 vectors loaded and 12 more being added up fill the 32
/// registers of AVX-512 without spilling.
const TILE_QUERIES: usize = 4;
const TILE_ROWS: usize = 3;

impl<E: Element, T: Term> Kernel for Sums<'_, '_, E, T> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { queries, block, out, term } = self;
        let (tiles, single) = queries.as_chunks::<TILE_QUERIES>();
        for (queries, out) in tiles.iter().zip(out.chunks_exact_mut(TILE_QUERIES)) {
            let even = block.pick.len() / TILE_ROWS * TILE_ROWS;
            for i in (0..even).step_by(TILE_ROWS) {
                let rows: [&[E]; TILE_ROWS] = std::array::from_fn(|r| block.row(i + r));
                let sums = tile(simd, term, *queries, rows);
                for (out, sums) in out.iter_mut().zip(sums) {
                    out[i..i + TILE_ROWS].copy_from_slice(&sums);
                }
            }
            for i in even..block.pick.len() {
                for (out, query) in out.iter_mut().zip(queries) {
                    out[i] = sum(simd, term, query, block.row(i), block.row(i).as_ptr());
                }
            }
        }
        if let (Pick::List(ordinals), false) = (block.pick, single.is_empty()) {
            for i in 0..ordinals.len().min(AHEAD_ROWS) {
                fetch(simd, block.row(i));
            }
        }
        for (query, out) in single.iter().zip(&mut out[tiles.len() * TILE_QUERIES..]) {
            for (i, out) in out[..block.pick.len()].iter_mut().enumerate() {
                *out = sum(simd, term, query, block.row(i), block.ahead_of(i));
            }
        }
    }
}

/// Asks for the memory of a row.
#[inline(always)]
fn fetch<S: Simd, E>(simd: S, row: &[E]) {
    for line in row.chunks(64 / size_of::<E>()) {
        simd.prefetch(line.as_ptr());
    }
}

/// The canonical sum of a term over two vectors of one length, while asking for the memory of as
/// many components from `ahead` on.
#[inline(always)]
fn sum<S: Simd, E: Element, T: Term>(
    simd: S,
    term: T,
    query: &[f32],
    row: &[E],
    ahead: *const E,
) -> f32 {
    let mut banks = [simd.zero(); 4];
    let (query_blocks, query_tail) = query.as_chunks::<64>();
    let (row_blocks, row_tail) = row.as_chunks::<64>();
    for (i, (q, x)) in query_blocks.iter().zip(row_blocks).enumerate() {
        let ahead = ahead.wrapping_add(i * 64);
        for line in (0..64).step_by(64 / size_of::<E>()) {
            simd.prefetch(ahead.wrapping_add(line));
        }
        let (q, _) = q.as_chunks::<16>();
        let (x, _) = x.as_chunks::<16>();
        for bank in 0..4 {
            let (q, x) = (simd.load(&q[bank]), E::load(simd, &x[bank]));
            banks[bank] = term.accumulate(simd, q, x, banks[bank]);
        }
    }
    // The last, partial block: `chunks` yields as many banks as it reaches.
    for (bank, (q, x)) in query_tail.chunks(16).zip(row_tail.chunks(16)).enumerate() {
        let (q, x) = (simd.load_partial(q), E::load_partial(simd, x));
        banks[bank] = term.accumulate(simd, q, x, banks[bank]);
    }
    let [b0, b1, b2, b3] = banks;
    simd.fold(simd.add(simd.add(simd.add(b0, b1), b2), b3)) + 0.0
}

/// The canonical sums for each pair of `Q` queries and `R` rows: bank by bank, so that a vector once
/// loaded serves all its pairs.
#[inline(always)]
fn tile<S: Simd, E: Element, T: Term, const Q: usize, const R: usize>(
    simd: S,
    term: T,
    queries: [&[f32]; Q],
    rows: [&[E]; R],
) -> [[f32; R]; Q] {
    let dim = rows[0].len();
    let queries_16 = queries.map(|query| query.as_chunks::<16>().0);
    let rows_16 = rows.map(|row| row.as_chunks::<16>().0);
    let mut totals = [[simd.zero(); R]; Q];
    for bank in 0..4 {
        let mut sums = [[simd.zero(); R]; Q];
        for i in (bank..dim / 16).step_by(4) {
            let x = rows_16.map(|row| E::load(simd, &row[i]));
            for q in 0..Q {
                let query = simd.load(&queries_16[q][i]);
                for r in 0..R {
                    sums[q][r] = term.accumulate(simd, query, x[r], sums[q][r]);
                }
            }
        }
        if !dim.is_multiple_of(16) && dim / 16 % 4 == bank {
            let start = dim / 16 * 16;
            let x = rows.map(|row| E::load_partial(simd, &row[start..]));
            for q in 0..Q {
                let query = simd.load_partial(&queries[q][start..]);
                for r in 0..R {
                    sums[q][r] = term.accumulate(simd, query, x[r], sums[q][r]);
                }
            }
        }
        if bank == 0 {
            totals = sums;
        } else {
            for q in 0..Q {
                for r in 0..R {
                    totals[q][r] = simd.add(totals[q][r], sums[q][r]);
                }
            }
        }
    }
    totals.map(|totals| totals.map(|total| simd.fold(total) + 0.0))
}
