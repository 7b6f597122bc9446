//! What codes lose, measured on vectors.
//!
//! Invariant: sums are in order of rows, so that a measurement is the same bits on every machine.

use rayon::prelude::*;

use super::Quantizer;
use crate::{Encoding, FlatIndex, Metric, Query, QueryError, score, threads};

/// How far codes are from the vectors that they were made of; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distortion {
    /// The squared distances of vectors and what their codes stand for, by the vectors' squared lengths.
    pub squared_error: f64,
    /// The mean absolute error of estimated cosines of one row with the code of the next.
    pub cosine_error: f64,
}

impl Quantizer {
    /// Measures what codes of the rows of `sample` lose.
    ///
    /// ```
    /// use vector_kernel::quantize::{Bits, Quantizer};
    /// use vector_kernel::{FlatIndex, Metric, Rows};
    ///
    /// let rows: Vec<f32> = (0..100 * 8).map(|i| (i * i % 101) as f32 - 50.0).collect();
    /// let sample = FlatIndex::new(Rows::F32(&rows), 8, Metric::Cosine)?;
    /// let measured = Quantizer::new(8, Bits::Eight)?.with_rotation(1).distortion(&sample)?;
    /// assert!(measured.squared_error < 0.001);
    /// assert!(measured.cosine_error < 0.01);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`QueryError::Encoding`] when rows aren't floats, [`QueryError::Dimension`] when they have another
    /// dimension than the quantizer, and [`QueryError::RowNotFinite`] with the lowest that isn't finite.
    ///
    /// # Complexity
    ///
    /// Two codes a row, on the current rayon pool.
    pub fn distortion(&self, sample: &FlatIndex<'_>) -> Result<Distortion, QueryError> {
        if !sample.has_float_rows() {
            let rows = sample.rows().encoding();
            return Err(QueryError::Encoding { rows, query: Encoding::F32 });
        }
        if sample.dim() != self.dim() {
            return Err(QueryError::Dimension { expected: self.dim(), found: sample.dim() });
        }
        let len = sample.len() as u32;
        let measure = |ordinal: u32| -> Result<[f64; 3], QueryError> {
            let (row, next) = (sample.gather(&[ordinal])?, sample.gather(&[(ordinal + 1) % len])?);
            let (Query::F32(row), Query::F32(next)) = (row.as_query(), next.as_query()) else {
                unreachable!("rows are floats")
            };
            self.measure(row, next)
        };
        let measured: Vec<Result<[f64; 3], QueryError>> = if threads::are_here() {
            (0..len).into_par_iter().map(measure).collect()
        } else {
            (0..len).map(measure).collect()
        };
        let mut sums = [0.0; 3];
        for measured in measured {
            for (sum, measured) in sums.iter_mut().zip(measured?) {
                *sum += measured;
            }
        }
        let [errors, squares, cosines] = sums;
        let squared_error = if squares == 0.0 { 0.0 } else { errors / squares };
        Ok(Distortion { squared_error, cosine_error: cosines / f64::from(len.max(1)) })
    }

    /// The squared error of a row, its squared length, and the error of its cosine with the next.
    fn measure(&self, row: &[f32], next: &[f32]) -> Result<[f64; 3], QueryError> {
        let read = "what was encoded is a code";
        let decoded = self.decode(&self.encode(row)?).expect(read);
        let (mut error, mut square) = (0.0, 0.0);
        for (&x, &y) in row.iter().zip(&decoded) {
            error += (f64::from(x) - f64::from(y)).powi(2);
            square += f64::from(x).powi(2);
        }
        let estimate = self.query(row)?.score(Metric::Cosine, &self.encode(next)?).expect(read);
        let exact = score(Metric::Cosine, row, next)?;
        Ok([error, square, f64::from((estimate - exact).abs())])
    }
}
