//! Measures the exact scan against the memory bandwidth: how much longer a search takes than a plain
//! loop that only sums the same bytes.
//!
//! `cargo run --release -p vector-kernel --example scan_bandwidth [rows] [dim] [rounds]`
//!
//! Invariant: both sides read the same bytes, in alternating rounds, and each side's answer is used.

use std::{env, error::Error, hint::black_box, time::Instant};

use half::f16;
use rayon::prelude::*;
use vector_kernel::{FlatIndex, Hit, Metric, Rows, Selection, inverse_norm};

#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<usize>());
    let rows = arguments.next().transpose()?.unwrap_or(117_659);
    let dim = arguments.next().transpose()?.unwrap_or(384);
    let rounds = arguments.next().transpose()?.unwrap_or(15).max(1);

    let mut random = SplitMix(7);
    let data: Vec<f32> = (0..rows * dim).map(|_| random.component()).collect();
    let halves: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
    let bytes: Vec<i8> = data.iter().map(|x| (x * 127.0) as i8).collect();
    let queries: Vec<f32> = (0..64 * dim).map(|_| random.component()).collect();
    let query = &queries[..dim];
    let byte_query: Vec<i8> = query.iter().map(|x| (x * 127.0) as i8).collect();
    let inverse_norms: Vec<f32> = data.chunks_exact(dim).map(inverse_norm).collect();
    let index = |rows| FlatIndex::new(rows, dim, Metric::Cosine);
    let f32_index = index(Rows::F32(&data))?.with_inverse_norms(&inverse_norms)?;
    let f32_bare = index(Rows::F32(&data))?;
    let f16_index = index(Rows::F16(&halves))?.with_inverse_norms(&inverse_norms)?;
    let i8_index = FlatIndex::new(Rows::I8(&bytes), dim, Metric::Dot)?;

    println!("{rows} rows x {dim}, best of {rounds} rounds");
    println!("threads  what                    ms     GB/s   time / plain read of its bytes");
    let cores = std::thread::available_parallelism()?.get();
    for threads in [1, 2].into_iter().filter(|&threads| threads <= cores) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| -> Result<(), Box<dyn Error + Send + Sync>> {
            let mut measured = [const { Vec::new() }; 5];
            let mut answers: Vec<Vec<Hit>> = Vec::new();
            for _ in 0..rounds {
                measured[0].push(seconds(|| read_all(black_box(&data), threads)).0);
                let searches: [&dyn Fn() -> Result<Vec<Hit>, vector_kernel::QueryError>; 4] = [
                    &|| f32_index.search(black_box(query), 10, Selection::All),
                    &|| f32_bare.search(black_box(query), 10, Selection::All),
                    &|| f16_index.search(black_box(query), 10, Selection::All),
                    &|| i8_index.search(black_box(&byte_query), 10, Selection::All),
                ];
                for (search, measured) in searches.into_iter().zip(&mut measured[1..]) {
                    let (time, hits) = seconds(search);
                    measured.push(time);
                    answers.push(hits?);
                }
            }
            assert!(answers.chunks(4).all(|round| round == &answers[..4]), "answers differ");
            let best = measured.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
            let names = ["plain read", "f32, stored norms", "f32, computed norms", "f16", "i8 dot"];
            for ((name, time), width) in names.iter().zip(best).zip([4, 4, 4, 2, 1]) {
                let read = (rows * dim * width) as f64;
                let ratio = time / (best[0] * width as f64 / 4.0);
                let (ms, rate) = (time * 1e3, read / time / 1e9);
                println!("{threads:>7}  {name:<20} {ms:>7.2} {rate:>8.2}   {ratio:.3}");
            }
            let (time, _) = seconds(|| f32_index.search_batch(&queries, 10, Selection::All));
            let each = time / 64.0 * 1e3;
            println!("{threads:>7}  f32, batch of 64     {each:>7.2} ms a query");
            Ok(())
        })?;
    }
    Ok(())
}

/// Sums all of `data`, as fast as the compiler reads it.
fn read_all(data: &[f32], threads: usize) -> f32 {
    let sum = |part: &[f32]| {
        let mut lanes = [0.0_f32; 64];
        for block in part.as_chunks::<64>().0 {
            for (lane, x) in lanes.iter_mut().zip(block) {
                *lane += x;
            }
        }
        lanes.iter().sum::<f32>()
    };
    if threads == 1 { sum(data) } else { data.par_chunks(128 << 10).map(sum).sum() }
}

fn seconds<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = black_box(run());
    (start.elapsed().as_secs_f64(), result)
}

/// Steele, Lea and Flood's generator, seeded, so that every run measures the same rows.
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in `[-1, 1)`.
    fn component(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
