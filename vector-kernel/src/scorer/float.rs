//! Scores of `f32` and `f16` rows.
//!
//! The fixed-order `f32` sum is final wherever it is sound. Where it might not be, because it
//! overflowed or because the vectors are so large or small that it could have, the score is
//! computed anew in `f64`. Which of the two applies depends on the two vectors alone.
//!
//! Invariant: a score is finite, or the row is reported.

use crate::{
    Metric,
    kernels::{
        Isa,
        float::{BLOCK, Block, Element, Pick, Product, SquaredDifference, Sums},
        wide,
    },
    norm::inverse_norm_of,
    scorer::Scorer,
};

/// Norms within 2⁻³² and 2³² keep the `f32` dot product clear of overflow, and its underflowed
/// terms below one part in 2⁸⁰ of the product of norms.
const SMALLEST_SOUND_INVERSE: f32 = 2.328_306_4e-10;
const LARGEST_SOUND_INVERSE: f32 = 4_294_967_296.0;

fn is_sound(inverse_norm: f32) -> bool {
    (SMALLEST_SOUND_INVERSE..=LARGEST_SOUND_INVERSE).contains(&inverse_norm)
}

/// A squared distance below this may be the remains of an underflow.
const SMALLEST_SOUND_SQUARE: f32 = 7.888_609e-31;

/// Scores rows of `E` against `f32` queries.
pub(crate) struct FloatScorer<'a, E> {
    isa: Isa,
    metric: Metric,
    rows: &'a [E],
    dim: usize,
    inverse_norms: Option<&'a [f32]>,
    queries: Vec<&'a [f32]>,
    query_inverse_norms: Vec<f32>,
}

impl<'a, E: Element> FloatScorer<'a, E> {
    /// `queries` holds whole queries, back to back, of finite components.
    pub(crate) fn new(
        isa: Isa,
        metric: Metric,
        rows: &'a [E],
        dim: usize,
        inverse_norms: Option<&'a [f32]>,
        queries: &'a [f32],
    ) -> Self {
        let queries: Vec<&[f32]> = queries.chunks_exact(dim).collect();
        let query_inverse_norms = queries.iter().map(|query| inverse_norm_of(isa, query)).collect();
        Self { isa, metric, rows, dim, inverse_norms, queries, query_inverse_norms }
    }

    fn cosines(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        let block = self.block(pick);
        let mut inverse_norms = [0.0; BLOCK];
        let inverse_norms = &mut inverse_norms[..pick.len()];
        match (self.inverse_norms, pick) {
            (Some(stored), Pick::Run(start, end)) => {
                inverse_norms.copy_from_slice(&stored[start as usize..end as usize]);
            }
            (Some(stored), Pick::List(ordinals)) => {
                for (inverse_norm, &ordinal) in inverse_norms.iter_mut().zip(ordinals) {
                    *inverse_norm = stored[ordinal as usize];
                }
            }
            (None, _) => {
                for (i, inverse_norm) in inverse_norms.iter_mut().enumerate() {
                    *inverse_norm = inverse_norm_of(self.isa, block.row(i));
                }
            }
        }
        for ((query, &q), out) in self.queries.iter().zip(&self.query_inverse_norms).zip(out) {
            let dots = &mut out[..pick.len()];
            let mut cosines = [0.0; BLOCK];
            let mut sound = is_sound(q);
            // Without a branch in it this loop is vectorised, so that memory hardly waits for it.
            for ((cosine, &dot), &x) in cosines.iter_mut().zip(&*dots).zip(&*inverse_norms) {
                *cosine = (dot * q * x).clamp(-1.0, 1.0) + 0.0;
                sound &= is_sound(x) & dot.is_finite();
            }
            if !sound {
                for (i, (&dot, &x)) in dots.iter().zip(&*inverse_norms).enumerate() {
                    if !(is_sound(q) && is_sound(x) && dot.is_finite()) {
                        cosines[i] =
                            finite(self.wide_cosine(query, block.row(i)), pick.ordinal(i))?;
                    }
                }
            }
            dots.copy_from_slice(&cosines[..pick.len()]);
        }
        Ok(())
    }

    fn wide_cosine(&self, query: &[f32], row: &[E]) -> f64 {
        let norms = wide::sum_of_squares(self.isa, query).sqrt()
            * wide::sum_of_squares(self.isa, row).sqrt();
        if norms == 0.0 { 0.0 } else { (wide::dot(query, row) / norms).clamp(-1.0, 1.0) }
    }

    fn dots(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        for (query, out) in self.queries.iter().zip(out) {
            for (i, score) in out[..pick.len()].iter_mut().enumerate() {
                if !score.is_finite() {
                    let dot = wide::dot(query, self.block(pick).row(i));
                    *score = finite(dot, pick.ordinal(i))?;
                }
            }
        }
        Ok(())
    }

    fn distances(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        for (query, out) in self.queries.iter().zip(out) {
            for (i, score) in out[..pick.len()].iter_mut().enumerate() {
                *score = if score.is_finite() && *score >= SMALLEST_SOUND_SQUARE {
                    -score.sqrt()
                } else {
                    let square = wide::squared_distance(query, self.block(pick).row(i));
                    finite(-square.sqrt(), pick.ordinal(i))?
                };
            }
        }
        Ok(())
    }

    fn block<'p>(&self, pick: Pick<'p>) -> Block<'p, E>
    where
        'a: 'p,
    {
        Block { rows: self.rows, width: self.dim, pick }
    }
}

/// `score` as `f32`, saturated; the row's ordinal if it isn't finite.
fn finite(score: f64, ordinal: u32) -> Result<f32, u32> {
    if !score.is_finite() {
        return Err(ordinal);
    }
    Ok((score as f32).clamp(f32::MIN, f32::MAX) + 0.0)
}

impl<E: Element> Scorer for FloatScorer<'_, E> {
    fn queries(&self) -> usize {
        self.queries.len()
    }

    fn score(&self, pick: Pick<'_>, out: &mut [[f32; BLOCK]]) -> Result<(), u32> {
        let (queries, block) = (&*self.queries, self.block(pick));
        let isa = if queries.len() == 1 { self.isa.for_streaming() } else { self.isa };
        match self.metric {
            Metric::Cosine | Metric::Dot => {
                isa.run(Sums { queries, block, out, term: Product });
            }
            Metric::Euclidean => {
                isa.run(Sums { queries, block, out, term: SquaredDifference });
            }
        }
        match self.metric {
            Metric::Cosine => self.cosines(pick, out),
            Metric::Dot => self.dots(pick, out),
            Metric::Euclidean => self.distances(pick, out),
        }
    }
}
