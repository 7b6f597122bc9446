//! Builds an index of approximate search, maps it beside its rows, and compares it with the exact search.
//!
//! `cargo run --release -p vector-kernel --example approximate_search`
//!
//! Invariant: neither rows nor index are copied or decoded; both are read where they are mapped.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
    time::Instant,
};

use memmap2::Mmap;
use vector_kernel::ann::{AnnBuilder, AnnView, Work};
use vector_kernel::{FlatIndex, Metric, Rows, Selection, inverse_norm};
use zerocopy::FromBytes;

const DIM: usize = 64;
const ROWS: usize = 10_000;
const QUERIES: usize = 50;
const K: usize = 10;

#[expect(clippy::print_stdout, reason = "an example shows its answers")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(1);
    let centres: Vec<f32> = (0..200 * DIM).map(|_| random.number()).collect();
    let mut row = || -> Vec<f32> {
        let centre = (random.bits() % 200) as usize * DIM;
        centres[centre..centre + DIM].iter().map(|x| x + random.number()).collect()
    };

    let file = tempfile::NamedTempFile::new()?;
    let mut writer = BufWriter::new(file.as_file());
    for _ in 0..ROWS {
        for component in row() {
            writer.write_all(&component.to_le_bytes())?;
        }
    }
    writer.flush()?;
    drop(writer);
    let map = map_file(&File::open(file.path())?)?;
    let rows = <[f32]>::ref_from_bytes(&map).map_err(|error| error.to_string())?;
    let inverse_norms: Vec<f32> = rows.chunks_exact(DIM).map(inverse_norm).collect();
    let exact =
        FlatIndex::new(Rows::F32(rows), DIM, Metric::Cosine)?.with_inverse_norms(&inverse_norms)?;

    let index_file = tempfile::NamedTempFile::new()?;
    let begun = Instant::now();
    index_file.as_file().write_all(&AnnBuilder::new(exact)?.build()?)?;
    println!("{ROWS} rows of {DIM} components indexed in {:.1} s", begun.elapsed().as_secs_f64());
    let index_map = map_file(&File::open(index_file.path())?)?;
    let begun = Instant::now();
    let index = AnnView::new(&index_map, exact)?;
    println!(
        "opened in {} us; {} bytes a row beside the rows",
        begun.elapsed().as_micros(),
        index.byte_len() / ROWS
    );

    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| row()).collect();
    let begun = Instant::now();
    let worst: Vec<f32> = queries
        .iter()
        .map(|query| Ok(exact.search(query, K, Selection::All)?[K - 1].score))
        .collect::<Result<_, Box<dyn Error>>>()?;
    println!("exact: {} us a query", begun.elapsed().as_micros() / QUERIES as u128);
    for target in [0.9, 0.95, 0.99] {
        let (mut found, mut work) = (0, Work::default());
        let begun = Instant::now();
        for (query, worst) in queries.iter().zip(&worst) {
            let hits = index.search_counting(query, K, target, Selection::All, &mut work)?;
            found += hits.iter().filter(|hit| hit.score >= *worst).count();
        }
        println!(
            "recall {target}: {} us a query, {:.3} of the best found; of {ROWS} rows {} were scanned, {} compared exactly",
            begun.elapsed().as_micros() / QUERIES as u128,
            found as f64 / (QUERIES * K) as f64,
            work.blocks * 32 / QUERIES,
            work.exact / QUERIES,
        );
    }
    Ok(())
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

#[expect(unsafe_code, reason = "mapping a file promises that nobody changes it")]
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: aliasing, initialisation: the temporary file is this process's own and is not written
    // or truncated while mapped.
    unsafe { Mmap::map(file) }
}
