//! Walsh's and Hadamard's transform.
//!
//! Invariant: plain sums in a fixed order, the same bits on every machine.

#![expect(clippy::inline_always, reason = "kernels compile it for their instruction set")]

/// Transforms a power of two of values in place, without the scale by which lengths would stay.
#[inline(always)]
pub(crate) fn transform(values: &mut [f32]) {
    // Eight are a register, within which a loop over halves would not be vectorised.
    let (eights, rest) = values.as_chunks_mut::<8>();
    for values in eights {
        for half in [1, 2, 4] {
            let before = *values;
            for (at, value) in values.iter_mut().enumerate() {
                let (x, y) = (before[at & !half], before[at | half]);
                *value = if at & half == 0 { x + y } else { x - y };
            }
        }
    }
    let mut half = if rest.is_empty() { 8 } else { 1 };
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_is_that_of_the_matrix_of_signs() {
        for size in [1, 2, 4, 8, 16, 64] {
            let before: Vec<f32> =
                (0..size as u16).map(|at| f32::from(at * 7 % 11) - 5.0).collect();
            let mut values = before.clone();
            transform(&mut values);
            for (row, value) in values.iter().enumerate() {
                let sign =
                    |at: usize| if (row & at).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                let expected: f32 = before.iter().enumerate().map(|(at, x)| sign(at) * x).sum();
                assert!((value - expected).abs() < 1e-3, "{row} of {size}");
            }
        }
    }
}
