//! A random rotation that takes few additions: signs and Hadamard transforms.
//!
//! Codes of the same few bits for each component fit best where all have the same spread. A transform of a power of
//! two mixes as many components; where there are more, one of the first and one of the last mix all of them in two
//! rounds (after the fast Johnson-Lindenstrauss transform, Ailon and Chazelle, 2009). Invariant: lengths and products
//! stay, but for rounding, which is the same on every instruction set.

use super::random::Random;
use crate::hadamard::transform;
use crate::kernels::Isa;
use crate::kernels::simd::{Kernel, Simd};

/// Lengths are whole multiples of it.
pub(super) const STEP: usize = 64;
const ROUNDS: usize = 2;
/// Of the signs, which are the same for all vectors.
const SEED: u64 = 0x6d69_7869_6e67;

/// Mixes the components of each of some rows of `width` components, a whole multiple of [`STEP`].
pub(super) fn mix(isa: Isa, rows: &mut [f32], width: usize) {
    for row in rows.chunks_exact_mut(width) {
        isa.run(Mix(row));
    }
}

struct Mix<'a>(&'a mut [f32]);

impl Kernel for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        mix_row(self.0);
    }
}

/// Mixes one row; to be inlined into a kernel.
#[inline(always)]
pub(super) fn mix_row(values: &mut [f32]) {
    let len = values.len();
    let size = 1 << len.ilog2();
    let scale = 1.0 / (size as f32).sqrt();
    let mut signs = Random(SEED);
    for _ in 0..ROUNDS {
        for start in [0, len - size] {
            let part = &mut values[start..start + size];
            flip(part, &mut signs, scale);
            transform(part);
        }
    }
}

/// Gives values random signs, and scales them.
#[inline(always)]
fn flip(values: &mut [f32], signs: &mut Random, scale: f32) {
    let (parts, _) = values.as_chunks_mut::<STEP>();
    for part in parts {
        let bits = signs.bits();
        let halves = [bits as u32, (bits >> 32) as u32];
        let (thirties, _) = part.as_chunks_mut::<32>();
        for (values, bits) in thirties.iter_mut().zip(halves) {
            for (at, value) in values.iter_mut().enumerate() {
                let sign = (bits << (31 - at)) & (1 << 31);
                *value = f32::from_bits(value.to_bits() ^ sign) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    }

    #[test]
    fn products_stay_and_one_component_goes_to_all() {
        for width in [64, 128, 192, 384, 1536] {
            let mut random = Random(1);
            let mut rows: Vec<f32> = (0..3 * width).map(|_| random.gaussian()).collect();
            rows[..width].fill(0.0);
            rows[width - 1] = 1.0;
            let before = rows.clone();
            mix(Isa::detect(), &mut rows, width);
            for i in 0..3 {
                for j in 0..3 {
                    let of = |rows: &[f32]| {
                        product(&rows[i * width..][..width], &rows[j * width..][..width])
                    };
                    assert!((of(&rows) - of(&before)).abs() < 1e-3, "{width}: {i} and {j}");
                }
            }
            let most = rows[..width].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!(most < 6.0 / (width as f32).sqrt(), "{most} of {width}");
        }
    }

    #[test]
    fn every_instruction_set_mixes_to_the_same_bits() {
        let mut random = Random(2);
        let row: Vec<f32> = (0..320).map(|_| random.gaussian()).collect();
        let mixed = Isa::available().into_iter().map(|isa| {
            let mut row = row.clone();
            mix(isa, &mut row, 320);
            row
        });
        let mixed: Vec<Vec<f32>> = mixed.collect();
        assert!(mixed.iter().all(|each| *each == mixed[0]));
    }
}
