//! Searches against brute force: order, ties, selections, batches, thread counts.
//!
//! Invariant: an expected answer is a full sort of scores, and scores are checked against `f64`.

mod common;

use common::{METRICS, Random, bits, oracle, selects, sorted, widened};
use half::f16;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use vector_kernel::{FlatIndex, Hit, Metric, Query, Rows, Selection, TopK, inverse_norm};

/// The answer by scoring every selected row alone, and sorting.
fn brute_force(
    index: &FlatIndex<'_>,
    query: Query<'_>,
    k: usize,
    selection: Selection<'_>,
) -> Vec<Hit> {
    let hits = (0..index.len() as u32)
        .filter(|&ordinal| selects(selection, ordinal))
        .map(|ordinal| Hit { ordinal, score: index.score(query, ordinal).expect("a legal query") })
        .collect();
    sorted(hits, k)
}

/// Small integers, so that ties abound.
fn coarse(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| (random.bits() % 3) as f32 - 1.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn search_equals_brute_force_over_the_selection(
        seed: u64,
        dim in 1_usize..150,
        len in 0_u32..400,
        k in 0_usize..450,
        percent in prop::sample::select(vec![0_u64, 1, 10, 50, 97, 100]),
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let rows = coarse(&mut random, dim * len as usize);
        let halves: Vec<f16> = rows.iter().map(|&x| f16::from_f32(x)).collect();
        let small: Vec<i8> = random.bytes(dim * len as usize);
        let packed: Vec<u8> =
            (0..dim.div_ceil(8) * len as usize).map(|_| random.bits() as u8).collect();
        let query = coarse(&mut random, dim);
        let small_query = random.bytes(dim);
        let packed_query: Vec<u8> = (0..dim.div_ceil(8)).map(|_| random.bits() as u8).collect();
        // Beyond the index too, where nothing may be found.
        let bitmap = random.bitmap(len + 100, percent);
        for (rows, query) in [
            (Rows::F32(&rows), Query::F32(&query)),
            (Rows::F16(&halves), Query::F32(&query)),
            (Rows::I8(&small), Query::I8(&small_query)),
            (Rows::Binary(&packed), Query::Binary(&packed_query)),
        ] {
            let index = FlatIndex::new(rows, dim, metric).unwrap();
            prop_assert_eq!(index.len(), len as usize);
            for selection in
                [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)]
            {
                let found = index.search(query, k, selection).unwrap();
                let expected = brute_force(&index, query, k, selection);
                prop_assert_eq!(bits(&found), bits(&expected));
            }
        }
    }

    #[test]
    fn a_batch_equals_its_queries_searched_alone(
        seed: u64,
        dim in 1_usize..150,
        len in 0_usize..300,
        queries in 0_usize..70,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let rows = random.vector(dim * len);
        let halves: Vec<f16> = rows.iter().map(|&x| f16::from_f32(x)).collect();
        let queries = random.vector(dim * queries);
        let bitmap = random.bitmap(len as u32, 60);
        for rows in [Rows::F32(&rows), Rows::F16(&halves)] {
            let index = FlatIndex::new(rows, dim, metric).unwrap();
            for selection in [Selection::All, Selection::Only(&bitmap)] {
                let batch = index.search_batch(&queries, 10, selection).unwrap();
                prop_assert_eq!(batch.len(), queries.len() / dim);
                for (query, hits) in queries.chunks_exact(dim).zip(&batch) {
                    let alone = index.search(query, 10, selection).unwrap();
                    prop_assert_eq!(bits(hits), bits(&alone));
                }
            }
        }
    }

    #[test]
    fn scores_agree_with_f64(
        seed: u64,
        dim in 1_usize..500,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let (query, row) = (random.vector(dim), random.vector(dim));
        let index = FlatIndex::new(Rows::F32(&row), dim, metric).unwrap();
        let found = f64::from(index.score(&query, 0).unwrap());
        let expected = oracle(metric, &widened(&query), &widened(&row));
        prop_assert!((found - expected).abs() <= 1e-6 * (dim as f64).sqrt().max(1.0));
        let (query, row) = (random.bytes(dim), random.bytes(dim));
        let index = FlatIndex::new(Rows::I8(&row), dim, metric).unwrap();
        let found = f64::from(index.score(&query, 0).unwrap());
        let expected = oracle(metric, &widened(&query), &widened(&row));
        prop_assert!((found - expected).abs() <= 3e-7 * expected.abs().max(1.0));
    }

    #[test]
    fn binary_rows_score_as_the_signs_they_stand_for(
        seed: u64,
        dim in 1_usize..300,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let mut packed = || -> Vec<u8> {
            (0..dim.div_ceil(8)).map(|_| random.bits() as u8).collect()
        };
        let (query, row) = (packed(), packed());
        let signs = |bytes: &[u8]| -> Vec<f64> {
            (0..dim).map(|i| f64::from(bytes[i / 8] >> (i % 8) & 1) * 2.0 - 1.0).collect()
        };
        let index = FlatIndex::new(Rows::Binary(&row), dim, metric).unwrap();
        let found = f64::from(index.score(Query::Binary(&query), 0).unwrap());
        let expected = oracle(metric, &signs(&query), &signs(&row));
        prop_assert!((found - expected).abs() <= 3e-7 * expected.abs().max(1.0));
    }

    #[test]
    fn top_k_keeps_the_same_whatever_the_order_and_the_parts(
        scores in prop::collection::vec(-3_i8..3, 0..200),
        k in 0_usize..40,
        cut in 0_usize..200,
    ) {
        let pairs: Vec<((u32, u32), f32)> = scores
            .iter()
            .zip(0..)
            .map(|(&score, i)| ((i % 3, i / 3), f32::from(score) * -0.0_f32.max(1.0)))
            .collect();
        let mut expected = pairs.clone();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(k);
        let (left, right) = pairs.split_at(cut.min(pairs.len()));
        let mut best = TopK::new(k);
        best.extend(right.iter().rev().copied());
        let mut other = TopK::new(k);
        other.extend(left.iter().copied());
        best.merge(other);
        prop_assert_eq!(best.into_sorted(), expected);
    }
}

/// Large enough that searches split into parts and run in parallel.
fn large() -> (Vec<f32>, usize) {
    let dim = 48;
    (coarse(&mut Random(11), dim * 30_000), dim)
}

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let (rows, dim) = large();
    let queries = coarse(&mut Random(12), dim * 40);
    let bitmap = Random(13).bitmap(30_000, 70);
    for metric in METRICS {
        let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
        for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
            let answer = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let single = index.search(&queries[..dim], 100, selection).unwrap();
                    let batch = index.search_batch(&queries, 100, selection).unwrap();
                    assert_eq!(bits(&single), bits(&batch[0]), "{metric}, {threads}");
                    batch.iter().map(|hits| bits(hits)).collect::<Vec<_>>()
                })
            };
            let one = answer(1);
            let expected = brute_force(&index, Query::F32(&queries[..dim]), 100, selection);
            assert_eq!(one[0], bits(&expected), "{metric}");
            assert_eq!(one, answer(2), "{metric}");
            assert_eq!(one, answer(4), "{metric}");
        }
    }
}

#[test]
fn equal_scores_sort_by_ordinal_across_parts() {
    let rows = vec![1.0; 64 * 40_000];
    let index = FlatIndex::new(Rows::F32(&rows), 64, Metric::Dot).unwrap();
    let hits = index.search(&[1.0; 64], 1000, Selection::All).unwrap();
    assert!(
        hits.iter()
            .zip(0..)
            .all(|(hit, i)| hit.ordinal == i && hit.score.to_bits() == 64.0_f32.to_bits())
    );
    let except: RoaringBitmap = (0..39_990).collect();
    let hits = index.search(&[1.0; 64], 1000, Selection::Except(&except)).unwrap();
    assert!(hits.iter().map(|hit| hit.ordinal).eq(39_990..40_000));
}

#[test]
fn stored_inverse_norms_give_the_bits_of_computed_ones() {
    let mut random = Random(14);
    let dim = 100;
    let mut rows = random.vector(dim * 500);
    rows[..dim].fill(0.0);
    let norms: Vec<f32> = rows.chunks_exact(dim).map(inverse_norm).collect();
    let query = random.vector(dim);
    let index = FlatIndex::new(Rows::F32(&rows), dim, Metric::Cosine).unwrap();
    let stored = index.with_inverse_norms(&norms).unwrap();
    let computed = index.search(&query, 500, Selection::All).unwrap();
    assert_eq!(bits(&computed), bits(&stored.search(&query, 500, Selection::All).unwrap()));

    let rows = random.bytes(dim * 500);
    let norms: Vec<f32> = rows
        .chunks_exact(dim)
        .map(|row| inverse_norm(&row.iter().map(|&x| f32::from(x)).collect::<Vec<_>>()))
        .collect();
    let query = random.bytes(dim);
    let index = FlatIndex::new(Rows::I8(&rows), dim, Metric::Cosine).unwrap();
    let stored = index.with_inverse_norms(&norms).unwrap();
    let computed = index.search(&query, 500, Selection::All).unwrap();
    assert_eq!(bits(&computed), bits(&stored.search(&query, 500, Selection::All).unwrap()));
}

#[test]
fn a_selection_near_the_last_ordinal_is_searched() {
    let rows: Vec<f32> = (0..70_000).map(|i| i as f32).collect();
    let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot).unwrap();
    let only = RoaringBitmap::from_iter([0, 65_535, 65_536, 69_999, 70_000, u32::MAX]);
    let hits = index.search(&[1.0], 10, Selection::Only(&only)).unwrap();
    let found: Vec<u32> = hits.iter().map(|hit| hit.ordinal).collect();
    assert_eq!(found, [69_999, 65_536, 65_535, 0]);
    let full = RoaringBitmap::full();
    assert_eq!(index.search(&[1.0], 2, Selection::Only(&full)).unwrap().len(), 2);
    assert!(index.search(&[1.0], 2, Selection::Except(&full)).unwrap().is_empty());
}
