//! Exact vector search, top 10, in each encoding: one query, a batch, and a tenth of the rows.
//!
//! Invariant: before a search is timed, its scores are compared with cosines computed in `f64`.

use std::hint::black_box;

use benches::{Random, is_measuring, size};
use criterion::{Criterion, Throughput};
use half::f16;
use roaring::RoaringBitmap;
use vector_kernel::{Encoding, FlatIndex, Hit, Metric, Query, Rows, Selection, inverse_norm};

const DIM: usize = 384;
const K: usize = 10;
const BATCH: usize = 32;

/// Rows of one encoding and the queries that go with them, also as the numbers they stand for.
struct Case<'a> {
    rows: Rows<'a>,
    queries: Query<'a>,
    query: Query<'a>,
    row_values: Vec<f32>,
    query_values: Vec<f32>,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut random = Random(7);
    let count = size(50_000, 300);
    let floats = random.unit_rows(count, DIM);
    let queries = random.unit_rows(BATCH, DIM);
    let halves: Vec<f16> = floats.iter().map(|&x| f16::from_f32(x)).collect();
    // The largest component of a random unit vector of 384 components is about 0.2.
    let bytes_of = |values: &[f32]| -> Vec<i8> {
        values.iter().map(|x| (x * 512.0).clamp(-127.0, 127.0) as i8).collect()
    };
    let (row_bytes, query_bytes) = (bytes_of(&floats), bytes_of(&queries));
    let (row_bits, query_bits) = (signs(&floats), signs(&queries));
    let width = DIM / 8;
    let cases = [
        Case {
            rows: Rows::F32(&floats),
            queries: Query::F32(&queries),
            query: Query::F32(&queries[..DIM]),
            row_values: floats.clone(),
            query_values: queries.clone(),
        },
        Case {
            rows: Rows::F16(&halves),
            queries: Query::F32(&queries),
            query: Query::F32(&queries[..DIM]),
            row_values: halves.iter().map(|x| x.to_f32()).collect(),
            query_values: queries.clone(),
        },
        Case {
            rows: Rows::I8(&row_bytes),
            queries: Query::I8(&query_bytes),
            query: Query::I8(&query_bytes[..DIM]),
            row_values: row_bytes.iter().map(|&x| f32::from(x)).collect(),
            query_values: query_bytes.iter().map(|&x| f32::from(x)).collect(),
        },
        Case {
            rows: Rows::Binary(&row_bits),
            queries: Query::Binary(&query_bits),
            query: Query::Binary(&query_bits[..width]),
            row_values: floats.iter().map(|&x| sign(x)).collect(),
            query_values: queries.iter().map(|&x| sign(x)).collect(),
        },
    ];
    let tenth: RoaringBitmap = (0..count as u32).filter(|_| random.below(10) == 0).collect();
    for case in &cases {
        bench(&mut criterion, case, &tenth);
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, case: &Case<'_>, tenth: &RoaringBitmap) {
    let norms: Vec<f32> = case.row_values.chunks_exact(DIM).map(inverse_norm).collect();
    let index = FlatIndex::new(case.rows, DIM, Metric::Cosine)
        .and_then(|index| index.with_inverse_norms(&norms))
        .expect("whole rows, and a norm for each");
    let only = Selection::Only(tenth);
    let one = |selection| index.search(black_box(case.query), K, selection).expect("legal");
    let batch = || index.search_batch(black_box(case.queries), K, Selection::All).expect("legal");

    check(case, 0, &one(Selection::All), |_| true);
    check(case, 0, &one(only), |ordinal| tenth.contains(ordinal));
    for (at, hits) in batch().iter().enumerate().take(if is_measuring() { 2 } else { BATCH }) {
        check(case, at, hits, |_| true);
    }

    let encoding: Encoding = case.rows.encoding();
    let bytes = |rows: u64| Throughput::Bytes(rows * encoding.row_bytes(DIM) as u64);
    let mut group = criterion.benchmark_group(format!("vectors/{encoding}"));
    group.throughput(bytes(index.len() as u64));
    group.bench_function("one query", |bencher| bencher.iter(|| one(Selection::All)));
    group.throughput(bytes(tenth.len()));
    group.bench_function("one query, a tenth of the rows", |bencher| bencher.iter(|| one(only)));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batch of 32 queries", |bencher| bencher.iter(batch));
    group.finish();
}

/// Compares hits with the best cosines of all rows; rounding may swap rows, but not their scores.
fn check(case: &Case<'_>, query: usize, hits: &[Hit], selected: impl Fn(u32) -> bool) {
    let query = &case.query_values[query * DIM..][..DIM];
    let cosine = |row: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        dot(query, row) / (dot(query, query) * dot(row, row)).sqrt()
    };
    let cosines: Vec<f64> = case.row_values.chunks_exact(DIM).map(cosine).collect();
    let mut best: Vec<f64> =
        (0..).zip(&cosines).filter(|(o, _)| selected(*o)).map(|c| *c.1).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(hits.len(), K.min(best.len()), "as many hits as were asked for");
    for (hit, best) in hits.iter().zip(best) {
        let score = f64::from(hit.score);
        assert!(selected(hit.ordinal), "row {} was not selected", hit.ordinal);
        assert!((score - cosines[hit.ordinal as usize]).abs() < 1e-5, "{hit:?}");
        assert!((score - best).abs() < 1e-5, "{hit:?} where {best} is best");
    }
}

fn sign(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { -1.0 }
}

/// A bit a component, the first in the lowest bit: set where it is positive.
fn signs(values: &[f32]) -> Vec<u8> {
    let byte = |eight: &[f32]| {
        eight.iter().enumerate().fold(0, |byte, (at, &x)| byte | u8::from(x > 0.0) << at)
    };
    values.chunks(8).map(byte).collect()
}
