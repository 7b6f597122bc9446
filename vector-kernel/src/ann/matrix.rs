//! Products of small dense matrices, for building an index.
//!
//! Invariant: a product is computed by one thread, in an order that its shape alone decides.

#![expect(unsafe_code, reason = "matrixmultiply takes pointers; the shapes are checked here")]

/// `a · bᵀ`: of each of the `n` rows of `a` with each of the `m` rows of `b`, `dim` components each.
pub(super) fn times_transposed(a: &[f32], b: &[f32], dim: usize, out: &mut [f32]) {
    let (n, m) = (a.len() / dim, b.len() / dim);
    assert!(a.len() == n * dim && b.len() == m * dim && out.len() == n * m, "shapes that agree");
    let step = |len: usize| isize::try_from(len).expect("a matrix fits in memory");
    // SAFETY: bounds: `a` is n x dim with rows `dim` apart, `b` read as dim x m with columns `dim` apart, `out` is
    // n x m, as was checked above. Initialisation: slices are. Aliasing: `out` is borrowed mutably, alone.
    unsafe {
        matrixmultiply::sgemm(
            n,
            dim,
            m,
            1.0,
            a.as_ptr(),
            step(dim),
            1,
            b.as_ptr(),
            1,
            step(dim),
            0.0,
            out.as_mut_ptr(),
            step(m),
            1,
        );
    }
}

/// `aᵀ · a`, added to `out`: the `dim` x `dim` products of the columns of `a`, whose rows have `dim` components.
pub(super) fn add_gram(a: &[f32], dim: usize, out: &mut [f32]) {
    let n = a.len() / dim;
    assert!(a.len() == n * dim && out.len() == dim * dim, "shapes that agree");
    let step = isize::try_from(dim).expect("a matrix fits in memory");
    // SAFETY: bounds: `a` is read as dim x n and as n x dim, `out` is dim x dim, as was checked above.
    // Initialisation: slices are. Aliasing: `out` is borrowed mutably, alone.
    unsafe {
        matrixmultiply::sgemm(
            dim,
            n,
            dim,
            1.0,
            a.as_ptr(),
            1,
            step,
            a.as_ptr(),
            step,
            1,
            1.0,
            out.as_mut_ptr(),
            step,
            1,
        );
    }
}

/// Some of the rows, one after the other.
pub(super) fn rows_at(rows: &[f32], dim: usize, some: &[u32]) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(some.len() * dim);
    for &at in some {
        gathered.extend_from_slice(&rows[at as usize * dim..][..dim]);
    }
    gathered
}

/// The mean of rows, of zeros where there are none.
pub(super) fn mean_of(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; dim];
    for row in rows.chunks_exact(dim) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let count = (rows.len() / dim).max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// Makes rows orthonormal, one after the other; what is (nearly) a sum of those before is drawn anew.
pub(super) fn orthonormalise(rows: &mut [f32], dim: usize, mut draw: impl FnMut() -> f32) {
    let count = rows.len() / dim;
    assert!(count <= dim, "no more than {dim} vectors are orthogonal");
    for at in 0..count {
        let (before, rest) = rows.split_at_mut(at * dim);
        let row = &mut rest[..dim];
        loop {
            let length = norm(row);
            // Twice is enough (Kahan and Parlett).
            for _ in 0..2 {
                for other in before.chunks_exact(dim) {
                    let product = dot(row, other);
                    row.iter_mut().zip(other).for_each(|(x, y)| *x -= product * y);
                }
            }
            let left = norm(row);
            if left > 1e-3 * length {
                for x in row.iter_mut() {
                    *x /= left;
                }
                break;
            }
            row.fill_with(&mut draw);
        }
    }
}

fn norm(row: &[f32]) -> f32 {
    dot(row, row).sqrt()
}

/// The product of two vectors: sixteen sums side by side, which the compiler turns into vector instructions.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
