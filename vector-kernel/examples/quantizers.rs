//! What codes of few bits lose, and what a scan by them finds of the best ten.
//!
//! `cargo run -p vector-kernel --example quantizers`
//!
//! Invariant: rows and queries follow from seeds, so that every run prints the same table.

use std::error::Error;

use vector_kernel::quantize::{Bits, Quantizer};
use vector_kernel::{FlatIndex, Metric, Rows, Selection, TopK};

const DIM: usize = 128;
const ROWS: usize = 3000;
const QUERIES: usize = 30;
const K: usize = 10;
const SEED: u64 = 1;

#[expect(clippy::print_stdout, reason = "an example shows its answers")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(SEED);
    let centres: Vec<f32> = (0..50 * DIM).map(|_| random.number()).collect();
    let mut clustered = |count: usize| -> Vec<f32> {
        (0..count)
            .flat_map(|_| {
                let centre = (random.bits() % 50) as usize * DIM;
                let row = &centres[centre..centre + DIM];
                // The later components vary less, as they do in embeddings.
                row.iter()
                    .enumerate()
                    .map(|(at, x)| (x + random.number()) / (1.0 + at as f32 / 16.0))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (rows, queries) = (clustered(ROWS), clustered(QUERIES));
    let index = FlatIndex::new(Rows::F32(&rows), DIM, Metric::Cosine)?;

    println!("{ROWS} rows of {DIM} components, {} bytes each; cosine", DIM * 4);
    println!("bits  rotated  bytes  squared error  error of cosine  recall@{K}");
    for bits in Bits::ALL {
        let plain = Quantizer::new(DIM, bits)?;
        for (rotated, quantizer) in [("no", plain.clone()), ("yes", plain.with_rotation(SEED))] {
            let measured = quantizer.distortion(&index)?;
            println!(
                "{:>4}  {rotated:>7}  {:>5}  {:>13.7}  {:>15.5}  {:>9.3}",
                bits.count(),
                quantizer.code_bytes(),
                measured.squared_error,
                measured.cosine_error,
                recall(&quantizer, &index, &rows, &queries)?,
            );
        }
    }
    Ok(())
}

/// The share of the best that a scan by codes finds.
fn recall(
    quantizer: &Quantizer,
    index: &FlatIndex<'_>,
    rows: &[f32],
    queries: &[f32],
) -> Result<f64, Box<dyn Error>> {
    let mut codes = Vec::with_capacity(ROWS * quantizer.code_bytes());
    for row in rows.chunks_exact(DIM) {
        codes.extend(quantizer.encode(row)?);
    }
    let mut found = 0;
    for query in queries.chunks_exact(DIM) {
        let best = index.search(query, K, Selection::All)?;
        let coded = quantizer.query(query)?;
        let mut top = TopK::new(K);
        for (code, ordinal) in codes.chunks_exact(quantizer.code_bytes()).zip(0..) {
            top.push(coded.score(Metric::Cosine, code)?, ordinal);
        }
        let hits = top.into_hits();
        found +=
            best.iter().filter(|best| hits.iter().any(|hit| hit.ordinal == best.ordinal)).count();
    }
    Ok(found as f64 / (QUERIES * K) as f64)
}

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between -1 and 1.
    fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
