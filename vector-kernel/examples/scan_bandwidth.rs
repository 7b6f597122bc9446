//! Measures the exact scan against the memory bandwidth: how much longer a search takes than a loop
//! that only sums the same bytes.
//!
//! `cargo run --release -p vector-kernel --example scan_bandwidth [rows] [dim] [rounds]`
//!
//! The rows are gone through in pieces of 4 MiB, all of them each round so that none stays in the
//! cache, and each piece counts with its best round: on a machine with other work a whole scan is
//! always interrupted, a piece only sometimes. The last column is the best whole scan.
//!
//! Invariant: both sides read the same bytes in alternating rounds, and each side's answer is used.

use std::{env, error::Error, hint::black_box, ops::Range, time::Instant};

use half::f16;
use rayon::prelude::*;
use vector_kernel::{FlatIndex, Hit, Metric, QueryError, Rows, Selection, inverse_norm};

const PIECE_BYTES: usize = 4 << 20;

/// What is measured: its name, the bytes a row takes, and a run over a range of rows.
type Contestant<'a> = (&'a str, usize, &'a (dyn Fn(Range<usize>) -> Vec<Hit> + Sync));

/// Without optimisation the figures mean nothing, so a small scan shows that it works.
const QUICK: bool = cfg!(debug_assertions);

#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<usize>());
    let rows = arguments.next().transpose()?.unwrap_or(if QUICK { 2_000 } else { 117_659 }).max(1);
    let dim = arguments.next().transpose()?.unwrap_or(384).max(1);
    let rounds = arguments.next().transpose()?.unwrap_or(if QUICK { 2 } else { 20 }).max(1);

    let mut random = SplitMix(7);
    let data: Vec<f32> = (0..rows * dim).map(|_| random.component()).collect();
    let halves: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
    let bytes: Vec<i8> = data.iter().map(|x| (x * 127.0) as i8).collect();
    let queries: Vec<f32> = (0..64 * dim).map(|_| random.component()).collect();
    let query = &queries[..dim];
    let byte_query: Vec<i8> = query.iter().map(|x| (x * 127.0) as i8).collect();
    let norms: Vec<f32> = data.chunks_exact(dim).map(inverse_norm).collect();

    let components = |range: &Range<usize>| range.start * dim..range.end * dim;
    let best = |hits: Result<Vec<Hit>, QueryError>| hits.expect("a legal query");
    let cosine = |rows| FlatIndex::new(rows, dim, Metric::Cosine).expect("whole rows");
    let with_norms = |rows, range: Range<usize>| {
        cosine(rows).with_inverse_norms(&norms[range]).expect("one a row")
    };
    let contestants: [Contestant<'_>; 5] = [
        ("plain read", dim * 4, &|range| {
            let score = read_all(black_box(&data[components(&range)]));
            vec![Hit { ordinal: 0, score }]
        }),
        ("f32, stored norms", dim * 4, &|range| {
            let index = with_norms(Rows::F32(&data[components(&range)]), range);
            best(index.search(black_box(query), 10, Selection::All))
        }),
        ("f32, computed norms", dim * 4, &|range| {
            let index = cosine(Rows::F32(&data[components(&range)]));
            best(index.search(black_box(query), 10, Selection::All))
        }),
        ("f16, stored norms", dim * 2, &|range| {
            let index = with_norms(Rows::F16(&halves[components(&range)]), range);
            best(index.search(black_box(query), 10, Selection::All))
        }),
        ("i8, stored norms", dim, &|range| {
            let index = with_norms(Rows::I8(&bytes[components(&range)]), range);
            best(index.search(black_box(&byte_query), 10, Selection::All))
        }),
    ];

    println!(
        "{rows} rows x {dim}, best of {rounds} rounds; ratio: to a plain read of as many bytes"
    );
    println!("threads  what                   pieces ms   GB/s  ratio   whole ms  ratio");
    let cores = std::thread::available_parallelism()?.get();
    for threads in [1, 2].into_iter().filter(|&threads| threads <= cores) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let mut plain = None;
        let measured = pool.install(|| measure(&contestants, rows, rounds));
        for ((name, row_bytes, _), (pieces, whole)) in contestants.iter().zip(measured) {
            let read = (rows * row_bytes) as f64;
            let (plain_pieces, plain_whole) = *plain.get_or_insert((pieces / read, whole / read));
            println!(
                "{threads:>7}  {name:<20} {:>11.2} {:>6.2} {:>6.3} {:>10.2} {:>6.3}",
                pieces * 1e3,
                read / pieces / 1e9,
                pieces / read / plain_pieces,
                whole * 1e3,
                whole / read / plain_whole,
            );
        }
        let index = with_norms(Rows::F32(&data), 0..rows);
        let batch = (0..rounds.min(5))
            .map(|_| seconds(|| pool.install(|| index.search_batch(&queries, 10, Selection::All))))
            .fold(f64::INFINITY, f64::min);
        println!("{threads:>7}  f32, batch of 64 queries: {:.2} ms a query", batch / 64.0 * 1e3);
    }
    Ok(())
}

/// For each contestant the sum of the best times of all pieces, and the best time of a whole scan.
fn measure(contestants: &[Contestant<'_>], rows: usize, rounds: usize) -> Vec<(f64, f64)> {
    let mut pieces = vec![Vec::new(); contestants.len()];
    let mut whole = vec![f64::INFINITY; contestants.len()];
    for _ in 0..rounds {
        for (i, (_, row_bytes, run)) in contestants.iter().enumerate() {
            let step = (PIECE_BYTES / row_bytes).max(1);
            let starts = (0..rows).step_by(step);
            pieces[i].resize(starts.len(), f64::INFINITY);
            for (start, best) in starts.zip(&mut pieces[i]) {
                *best = best.min(seconds(|| run(start..rows.min(start + step))));
            }
            whole[i] = whole[i].min(seconds(|| run(0..rows)));
        }
    }
    pieces.iter().map(|times| times.iter().sum()).zip(whole).collect()
}

/// Sums all of `data`, on as many threads as the pool has.
fn read_all(data: &[f32]) -> f32 {
    let sum = |part: &[f32]| {
        let mut lanes = [0.0_f32; 64];
        for block in part.as_chunks::<64>().0 {
            for (lane, x) in lanes.iter_mut().zip(block) {
                *lane += x;
            }
        }
        lanes.iter().sum::<f32>()
    };
    if rayon::current_num_threads() == 1 {
        sum(data)
    } else {
        data.par_chunks(128 << 10).map(sum).sum()
    }
}

fn seconds<T>(run: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_secs_f64()
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
