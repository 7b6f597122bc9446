//! A random rotation of vectors of any dimension, and back.
//!
//! As in [`ann`](crate::ann), signs and Hadamard transforms mix all components in few additions (after
//! the fast Johnson-Lindenstrauss transform, Ailon and Chazelle, 2009); but vectors keep their dimension,
//! signs follow from a seed, and there is a way back. Invariant: plain sums and products in a fixed
//! order, so that every machine rotates to the same bits.

use crate::ann::random::Random;
use crate::hadamard::transform;

const ROUNDS: usize = 2;

/// Turns vectors of one dimension.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    /// Components of a transform: the largest power of two that the dimension holds.
    size: usize,
    /// Of each transform, the first component that it mixes, and its factors: signs, and the scale by
    /// which lengths stay.
    parts: Vec<(usize, Vec<f32>)>,
}

impl Rotation {
    /// Of vectors of `dim` components, one at least.
    pub(super) fn new(dim: usize, seed: u64) -> Self {
        let size = 1 << dim.ilog2();
        let scale = 1.0 / (size as f32).sqrt();
        let mut random = Random(seed);
        let mut factors = || -> Vec<f32> {
            (0..size).map(|_| if random.bits() >> 63 == 0 { scale } else { -scale }).collect()
        };
        // One of the first and one of the last components, which together are all.
        let starts = [0, dim - size];
        let parts = (0..ROUNDS).flat_map(|_| starts.map(|start| (start, factors()))).collect();
        Self { size, parts }
    }

    /// Turns a vector.
    pub(super) fn turn(&self, vector: &mut [f32]) {
        for (start, factors) in &self.parts {
            let part = &mut vector[*start..*start + self.size];
            multiply(part, factors);
            transform(part);
        }
    }

    /// Turns a vector back. The transform is its own inverse, but for the scale.
    pub(super) fn turn_back(&self, vector: &mut [f32]) {
        for (start, factors) in self.parts.iter().rev() {
            let part = &mut vector[*start..*start + self.size];
            transform(part);
            multiply(part, factors);
        }
    }
}

fn multiply(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_stay_one_component_goes_to_all_and_back() {
        for dim in [1, 2, 3, 5, 8, 100, 384, 1000] {
            let rotation = Rotation::new(dim, 3);
            for at in [0, dim / 2, dim - 1] {
                let mut vector = vec![0.0; dim];
                vector[at] = 1.0;
                rotation.turn(&mut vector);
                let squares: f32 = vector.iter().map(|x| x * x).sum();
                assert!((squares - 1.0).abs() < 1e-5, "{dim}: {squares}");
                let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                assert!(dim < 64 || most < 6.0 / (dim as f32).sqrt(), "{most} of {dim}");
                rotation.turn_back(&mut vector);
                for (i, x) in vector.iter().enumerate() {
                    let expected = if i == at { 1.0 } else { 0.0 };
                    assert!((x - expected).abs() < 1e-5, "{dim}: {x} at {i}");
                }
            }
        }
    }
}
