//! Searches rows in place over a memory map, without the store.
//!
//! `cargo run --release -p vector-kernel --example mapped_search`
//!
//! Invariant: the rows are never copied; the index borrows the map.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
};

use memmap2::Mmap;
use roaring::RoaringBitmap;
use vector_kernel::{FlatIndex, Metric, Rows, Selection, inverse_norm};
use zerocopy::FromBytes;

const DIM: usize = 384;
const ROWS: usize = 20_000;

#[expect(clippy::print_stdout, reason = "an example shows its answers")]
fn main() -> Result<(), Box<dyn Error>> {
    let file = tempfile::NamedTempFile::new()?;
    let mut writer = BufWriter::new(file.as_file());
    for row in 0..ROWS {
        for i in 0..DIM {
            writer.write_all(&component(row, i).to_le_bytes())?;
        }
    }
    writer.flush()?;
    drop(writer);

    let map = map(&File::open(file.path())?)?;
    // A map starts on a page, so that the cast finds its floats aligned (and, on all machines that
    // the crate has kernels for, little-endian as written).
    let rows = <[f32]>::ref_from_bytes(&map).map_err(|error| error.to_string())?;
    let inverse_norms: Vec<f32> = rows.chunks_exact(DIM).map(inverse_norm).collect();
    let index =
        FlatIndex::new(Rows::F32(rows), DIM, Metric::Cosine)?.with_inverse_norms(&inverse_norms)?;

    let query = &rows[1234 * DIM..1235 * DIM];
    println!("the rows most like row 1234 of {}:", index.len());
    for hit in index.search(query, 3, Selection::All)? {
        println!("  {:>6}  {:.6}", hit.ordinal, hit.score);
    }

    let even: RoaringBitmap = (0..ROWS as u32).step_by(2).collect();
    println!("and among those of odd ordinal:");
    for hit in index.search(query, 3, Selection::Except(&even))? {
        println!("  {:>6}  {:.6}", hit.ordinal, hit.score);
    }
    Ok(())
}

/// Component `i` of row `row`: waves whose frequency grows slowly, so that neighbours are alike.
fn component(row: usize, i: usize) -> f32 {
    (row as f32 * 1e-4 * (i + 1) as f32).sin()
}

#[expect(unsafe_code, reason = "mapping a file promises that nobody changes it")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: aliasing, initialisation: the temporary file is this process's own and is not written
    // or truncated while mapped.
    unsafe { Mmap::map(file) }
}
