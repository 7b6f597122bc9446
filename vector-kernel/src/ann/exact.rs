//! The exact search, without comparing what can't be among the best.
//!
//! A second code says what a vector is to within a distance that is known, and kept beside it. So a product with
//! the vector lies within a bound around the product with the code (Cauchy's and Schwarz's inequality), and rows whose
//! greatest is less than the least of `k` others are left out. The others are compared, the most promising first,
//! until the greatest that is left is less than the worst that is kept. Invariant: hits are those of the exact search,
//! to the bit.

use std::ops::Range;

use rayon::prelude::*;

use super::candidates::Candidate;
use super::mixing::mix_row;
use super::query::CodedQuery;
use super::scan::FarCodes;
use super::view::{AnnView, Work};
use crate::kernels::codes::CHUNK_BYTES;
use crate::kernels::simd::{Kernel, Simd};
use crate::{Hit, Metric, QueryError, Selection, TopK, threads};

/// How much greater a bound is made than exact arithmetic would have it, by the lengths of what is multiplied: all
/// roundings together, of vectors of 4,096 components, are a tenth of it.
pub(super) const MARGIN: f32 = 1e-4;
/// Rows that a thread takes at a time.
const PART: u32 = 4096;
/// How many rows ahead codes are asked for.
const AHEAD: u32 = 32;
/// Rows that are compared at a time.
const COMPARED: usize = 16;
/// Where a length that should be 1 is off by more, it could not be computed.
pub(super) const LENGTH_OFF: f64 = 1e-3;

/// What the rows' products with a query may be at most, of those that may be among the best.
#[derive(Default)]
struct Bounds {
    /// The greatest first, once they are in order.
    most: Vec<Candidate>,
    /// What the best are at least.
    least: Option<TopK>,
}

impl Bounds {
    fn threshold(&self) -> f32 {
        self.least.as_ref().map_or(f32::NEG_INFINITY, TopK::threshold)
    }

    fn merge(mut self, other: Self) -> Self {
        self.least = match (self.least, other.least) {
            (Some(mut a), Some(b)) => {
                a.merge(b);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        let threshold = self.threshold();
        self.most.extend(other.most);
        self.most.retain(|candidate| may_reach(candidate.score(), threshold));
        self
    }
}

/// The best of the selected rows; `None` where the query's length can't be told.
pub(super) fn search(
    view: &AnnView<'_>,
    query: &[f32],
    k: usize,
    selection: Selection<'_>,
    work: &mut Work,
) -> Result<Option<Vec<Hit>>, QueryError> {
    let compared = view.rows.as_compared(query);
    let header = &view.header;
    let coded = CodedQuery::new(view.isa, &compared, header.shape, &view.places, view.bytes);
    let is_one = (f64::from(coded.length) - 1.0).abs() < LENGTH_OFF;
    if !coded.length.is_finite() || (header.metric == Metric::Cosine && !is_one) {
        return Ok(None);
    }
    let asked = Asked {
        far: FarCodes::new(view.bytes, &view.places, header.shape),
        coded: &coded,
        off: off_of_code(&compared, &coded, header.shape.far) * header.longest,
        k,
    };
    let parts = 0..header.len.div_ceil(PART);
    let look = |mut bounds: Bounds, at: u32| {
        let range = at * PART..header.len.min((at + 1).saturating_mul(PART));
        selection.for_each_run(range, |run| {
            view.isa.run(Estimate { asked: &asked, run, bounds: &mut bounds });
        });
        bounds
    };
    let mut bounds = if threads::are_here() && rayon::current_num_threads() > 1 {
        parts.into_par_iter().fold(Bounds::default, look).reduce(Bounds::default, Bounds::merge)
    } else {
        parts.fold(Bounds::default(), look)
    };
    let threshold = bounds.threshold();
    bounds.most.retain(|candidate| may_reach(candidate.score(), threshold));
    work.coded += selection.count(header.len) as usize;
    bounds.most.sort_unstable_by(|a, b| b.cmp(a));

    // What products with the mean add to all of them.
    let mean = view.mean().zip(&compared).map(|(x, y)| f64::from(x) * f64::from(*y));
    let mean = mean.sum::<f64>() as f32;
    let mut top = TopK::new(k);
    for some in bounds.most.chunks(COMPARED) {
        if some[0].score() + mean < top.threshold() {
            break;
        }
        let ordinals: Vec<u32> = some.iter().map(|candidate| candidate.slot() as u32).collect();
        work.exact += ordinals.len();
        view.rows.score_each(query, &ordinals, &mut top)?;
    }
    Ok(Some(top.into_hits()))
}

/// At most how far the code of a query is from the query.
fn off_of_code(query: &[f32], coded: &CodedQuery, far: usize) -> f32 {
    let mut mixed = query.to_vec();
    mixed.resize(far, 0.0);
    mix_row(&mut mixed);
    let codes = coded.far.as_flattened();
    let off = mixed.iter().zip(codes).map(|(x, code)| {
        let off = f64::from(*x) - f64::from(*code) * f64::from(coded.far_scale.scale);
        off * off
    });
    off.sum::<f64>().sqrt() as f32 * (1.0 + MARGIN) + MARGIN * coded.length
}

/// Whether what may be so great may be no less than a threshold; so may what is not a number.
#[inline(always)]
fn may_reach(most: f32, threshold: f32) -> bool {
    most >= threshold || most.is_nan()
}

/// A query, and what it is compared with.
struct Asked<'a> {
    far: FarCodes<'a>,
    coded: &'a CodedQuery,
    /// How far off a product may be for what the query's code is.
    off: f32,
    k: usize,
}

/// Bounds the products of a run of rows.
struct Estimate<'a, 'b> {
    asked: &'a Asked<'a>,
    run: Range<u32>,
    bounds: &'b mut Bounds,
}

impl Kernel for Estimate<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { asked, run, bounds } = self;
        let Asked { far, coded, off, k } = asked;
        let least = bounds.least.get_or_insert_with(|| TopK::new(*k));
        let mut threshold = least.threshold();
        for ordinal in run {
            far.fetch(simd, ordinal.wrapping_add(AHEAD));
            let Some((codes, scale, row_off)) = far.row_with_bound(ordinal) else { continue };
            let (codes, _) = codes.as_chunks::<CHUNK_BYTES>();
            let product = coded.far_scale.product(simd.row_product(codes, &coded.far), scale);
            let off = coded.length * row_off + off;
            if may_reach(product + off, threshold) {
                bounds.most.push(Candidate::new(product + off, ordinal));
                if least.push(product - off, ordinal) {
                    threshold = least.threshold();
                }
            }
        }
    }
}
