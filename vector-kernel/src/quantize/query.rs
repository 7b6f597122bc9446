//! A query as it is compared with codes.
//!
//! Against numbers of up to 8 bits it is coded in 16 bits itself, so that products are sums of integers.
//! Invariant: those are exact, and float sums follow one order, so that estimates are the same bits
//! everywhere.

use super::{Bits, CodeError, code};
use crate::Metric;

/// The largest number of a query's code.
const LARGEST: f32 = 32_767.0;

/// Components whose products with levels up to 255 fit in 32 bits: `255 * 32_767 * 128 < 2³¹`.
const CHUNK: usize = 128;

/// A query made ready by [`Quantizer::query`](super::Quantizer::query).
#[derive(Clone, Debug)]
pub struct CodedQuery {
    bits: Bits,
    values: Values,
    /// What one unit of `values` stands for.
    scale: f64,
    /// The query's length.
    length: f64,
}

#[derive(Clone, Debug)]
enum Values {
    Integers(Vec<i16>),
    Floats(Vec<f32>),
}

impl CodedQuery {
    /// Of a vector divided by its magnitude, and perhaps rotated.
    pub(super) fn new(bits: Bits, values: &[f32], magnitude: f32) -> Self {
        let squares: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let magnitude = f64::from(magnitude);
        let length = magnitude * squares.sqrt();
        if bits == Bits::Half {
            let values = Values::Floats(values.to_vec());
            return Self { bits, values, scale: magnitude, length };
        }
        let largest = values.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let unit = if largest == 0.0 { 1.0 } else { largest / LARGEST };
        let integers = values.iter().map(|x| (x / unit).round() as i16).collect();
        let values = Values::Integers(integers);
        Self { bits, values, scale: magnitude * f64::from(unit), length }
    }

    /// Returns an estimate of the score of the query and the vector behind `code`, larger being better.
    ///
    /// It is the score with the vector that the code stands for, but that the query's components are
    /// rounded to 1/32767 of its largest where codes have 8 bits or fewer. The code is to be of the
    /// quantizer that made the query ready. Estimates beyond `f32` saturate at ±`f32::MAX`.
    ///
    /// ```
    /// use vector_kernel::Metric;
    /// use vector_kernel::quantize::{Bits, Quantizer};
    ///
    /// let quantizer = Quantizer::new(2, Bits::Four)?;
    /// let (near, far) = (quantizer.encode(&[3.0, 4.0])?, quantizer.encode(&[4.0, -3.0])?);
    /// let query = quantizer.query(&[0.6, 0.8])?;
    /// assert!(query.score(Metric::Cosine, &near)? > 0.99);
    /// assert!(query.score(Metric::Cosine, &far)?.abs() < 0.05);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Quantizer::decode`](super::Quantizer::decode).
    ///
    /// # Complexity
    ///
    /// One pass over the code; nothing is allocated.
    pub fn score(&self, metric: Metric, code: &[u8]) -> Result<f32, CodeError> {
        let (dot, squares, code_scale) = match &self.values {
            Values::Integers(query) => {
                let (scale, numbers) = code::split(self.bits, query.len(), code)?;
                let (dot, squares) = match self.bits {
                    Bits::One => integers::<1>(query, numbers),
                    Bits::Two => integers::<2>(query, numbers),
                    Bits::Four => integers::<4>(query, numbers),
                    Bits::Eight => integers::<8>(query, numbers),
                    Bits::Half => unreachable!("floats are compared with floats"),
                };
                (dot as f64, squares as f64, scale)
            }
            Values::Floats(query) => {
                let (scale, numbers) = code::split(self.bits, query.len(), code)?;
                let (mut dot, mut squares) = (0.0, 0.0);
                for (&q, x) in query.iter().zip(code::halves(numbers)) {
                    let x = f64::from(x?);
                    dot += f64::from(q) * x;
                    squares += x * x;
                }
                (dot, squares, scale)
            }
        };
        let code_scale = f64::from(code_scale);
        let dot = dot * self.scale * code_scale;
        let length = squares.sqrt() * code_scale;
        let score = match metric {
            Metric::Dot => dot,
            Metric::Cosine => {
                let lengths = self.length * length;
                if lengths == 0.0 { 0.0 } else { (dot / lengths).clamp(-1.0, 1.0) }
            }
            Metric::Euclidean => {
                let square = self.length * self.length - 2.0 * dot + length * length;
                -square.max(0.0).sqrt()
            }
        };
        Ok((score as f32).clamp(f32::MIN, f32::MAX) + 0.0)
    }
}

/// The product of a query with what numbers of `B` bits stand for, and the sum of squares of the latter.
fn integers<const B: usize>(query: &[i16], numbers: &[u8]) -> (i64, i64) {
    let (mut dot, mut squares) = (0, 0);
    let mut levels = [0; CHUNK];
    for (query, numbers) in query.chunks(CHUNK).zip(numbers.chunks(CHUNK * B / 8)) {
        code::levels::<B>(numbers, &mut levels);
        let (mut chunk_dot, mut chunk_squares) = (0_i32, 0_i32);
        for (&q, &x) in query.iter().zip(&levels) {
            chunk_dot += i32::from(q) * i32::from(x);
            chunk_squares += i32::from(x) * i32::from(x);
        }
        dot += i64::from(chunk_dot);
        squares += i64::from(chunk_squares);
    }
    (dot, squares)
}
