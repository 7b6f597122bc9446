//! Seeded vectors and a brute-force oracle, shared by the tests.
//!
//! Invariant: the oracle computes in `f64`, in plain order, and shares no code with the crate.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use roaring::RoaringBitmap;
use vector_kernel::{Hit, Metric, Selection};

/// A splitmix64 stream.
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[-1, 1)`.
    pub fn component(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// `count` components.
    pub fn vector(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.component()).collect()
    }

    /// `count` signed bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.bits() as i8).collect()
    }

    /// Each ordinal below `len` with a chance of `percent` in 100.
    pub fn bitmap(&mut self, len: u32, percent: u64) -> RoaringBitmap {
        (0..len).filter(|_| self.bits() % 100 < percent).collect()
    }
}

/// The score by its definition.
pub fn oracle(metric: Metric, query: &[f64], row: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    match metric {
        Metric::Dot => dot(query, row),
        Metric::Euclidean => {
            -query.iter().zip(row).map(|(q, x)| (q - x).powi(2)).sum::<f64>().sqrt()
        }
        Metric::Cosine => {
            let norms = dot(query, query).sqrt() * dot(row, row).sqrt();
            if norms == 0.0 { 0.0 } else { dot(query, row) / norms }
        }
    }
}

/// `values` as `f64`.
pub fn widened<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// Whether `ordinal` is selected.
pub fn selects(selection: Selection<'_>, ordinal: u32) -> bool {
    match selection {
        Selection::All => true,
        Selection::Only(bitmap) => bitmap.contains(ordinal),
        Selection::Except(bitmap) => !bitmap.contains(ordinal),
    }
}

/// The best `k` of `hits` by sorting them all.
pub fn sorted(mut hits: Vec<Hit>, k: usize) -> Vec<Hit> {
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
    hits.truncate(k);
    hits
}

/// Hits as bits, so that equality means equality of bits.
pub fn bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.ordinal, hit.score.to_bits())).collect()
}

/// All metrics.
pub const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::Euclidean];
