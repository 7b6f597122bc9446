//! Inverse norms, and the check that a vector may be stored or asked for.
//!
//! Invariant: a stored inverse norm and one computed during a scan are the same bits.

use crate::{
    QueryError,
    kernels::{Isa, float::Element, wide},
};

/// Returns 1 / |`vector`|, and 0 for the zero vector.
///
/// The squares are summed in `f64` in a fixed order, so that the result is the same on every
/// machine and no finite vector over- or underflows. An inverse beyond `f32` (of a norm below
/// 2.9e-39) is `f32::MAX`; NaN if the vector is not finite.
///
/// ```
/// assert_eq!(vector_kernel::inverse_norm(&[3.0, 4.0]), 0.2);
/// assert_eq!(vector_kernel::inverse_norm(&[0.0, 0.0]), 0.0);
/// assert_eq!(vector_kernel::inverse_norm(&[1e30, 0.0]), 1e-30);
/// ```
#[must_use]
pub fn inverse_norm(vector: &[f32]) -> f32 {
    inverse_norm_of(Isa::detect(), vector)
}

pub(crate) fn inverse_norm_of<E: Element>(isa: Isa, vector: &[E]) -> f32 {
    inverse_root(wide::sum_of_squares(isa, vector))
}

/// 1 / sqrt(`sum`) under the rules of [`inverse_norm`].
pub(crate) fn inverse_root(sum: f64) -> f32 {
    if sum == 0.0 {
        0.0
    } else if sum.is_finite() {
        ((1.0 / sum.sqrt()) as f32).min(f32::MAX)
    } else {
        f32::NAN
    }
}

/// Checks that `vector` has dimension `dim` and finite components.
///
/// # Errors
///
/// [`QueryError::Dimension`], or [`QueryError::NotFinite`] naming the first such component.
///
/// ```
/// use vector_kernel::{QueryError, validate};
///
/// assert_eq!(validate(&[1.0, 2.0], 2), Ok(()));
/// assert_eq!(
///     validate(&[1.0, f32::INFINITY], 2),
///     Err(QueryError::NotFinite { index: 1, value: f32::INFINITY }),
/// );
/// ```
pub fn validate(vector: &[f32], dim: usize) -> Result<(), QueryError> {
    if vector.len() != dim {
        return Err(QueryError::Dimension { expected: dim, found: vector.len() });
    }
    finite(vector)
}

/// Checks that `vector` has dimension `dim` and components that are finite as 16-bit floats, too.
///
/// What rounds to [`f16::MAX`](half::f16::MAX), 65504, passes: all below 65520.
///
/// # Errors
///
/// As [`validate`], and [`QueryError::BeyondF16`] naming the first component that is too large.
///
/// ```
/// use vector_kernel::{QueryError, validate_f16};
///
/// assert_eq!(validate_f16(&[1.0, -65504.0], 2), Ok(()));
/// assert_eq!(
///     validate_f16(&[1.0, 70000.0], 2),
///     Err(QueryError::BeyondF16 { index: 1, value: 70000.0 }),
/// );
/// ```
pub fn validate_f16(vector: &[f32], dim: usize) -> Result<(), QueryError> {
    validate(vector, dim)?;
    let fits = |value: f32| half::f16::from_f32(value).is_finite();
    match vector.iter().enumerate().find(|&(_, &value)| !fits(value)) {
        Some((index, &value)) => Err(QueryError::BeyondF16 { index, value }),
        None => Ok(()),
    }
}

/// Checks that all of `values` are finite.
pub(crate) fn finite(values: &[f32]) -> Result<(), QueryError> {
    // Without an early exit this is a handful of vector instructions.
    if values.iter().fold(true, |all, value| all & value.is_finite()) {
        return Ok(());
    }
    match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(QueryError::NotFinite { index, value }),
        None => Ok(()),
    }
}
