//! Approximate search beside the exact one: how much of the best is found, under filters too, on data of all sorts;
//! the same whatever the threads and instruction sets; bytes that were changed make no panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::cell::Cell;

use common::Random;
use half::f16;
use roaring::RoaringBitmap;
use vector_kernel::ann::{AnnBuilder, AnnError, AnnView, MAX_ANN_DIM, TARGETS, Work};
use vector_kernel::kernels::Isa;
use vector_kernel::{FlatIndex, Hit, Metric, QueryError, Rows, Selection};

fn below(random: &mut Random, bound: usize) -> usize {
    (random.bits() % bound as u64) as usize
}

/// Nearly normal, of variance 1.
fn gaussian(random: &mut Random) -> f32 {
    (0..12).map(|_| random.component()).sum::<f32>() / 2.0
}

/// Rows around centres of their own, which are around others; the later components vary less.
fn clustered(count: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let spread: Vec<f32> = (0..dim).map(|i| 1.0 / (1.0 + i as f32 / 20.0)).collect();
    let around = |random: &mut Random, centre: &[f32], scale: f32| -> Vec<f32> {
        centre.iter().zip(&spread).map(|(x, s)| x + scale * s * gaussian(random)).collect()
    };
    let origin = vec![0.3; dim];
    let coarse: Vec<Vec<f32>> = (0..20).map(|_| around(&mut random, &origin, 1.0)).collect();
    let fine: Vec<Vec<f32>> = (0..200).map(|i| around(&mut random, &coarse[i % 20], 0.6)).collect();
    (0..count)
        .flat_map(|_| {
            let centre = below(&mut random, 200);
            around(&mut random, &fine[centre], 0.5)
        })
        .collect()
}

fn flat(rows: &[f32], dim: usize, metric: Metric) -> FlatIndex<'_> {
    FlatIndex::new(Rows::F32(rows), dim, metric).unwrap()
}

fn build(index: FlatIndex<'_>) -> Vec<u8> {
    AnnBuilder::new(index).unwrap().build().unwrap()
}

/// How many of the best that are selected are among the hits, which are as they should be.
fn recall(
    view: &AnnView<'_>,
    index: FlatIndex<'_>,
    queries: &[f32],
    target: f32,
    selection: Selection<'_>,
) -> f32 {
    let k = 10;
    let (mut found, mut wanted) = (0, 0);
    for query in queries.chunks_exact(index.dim()) {
        let best = index.search(query, k, selection).unwrap();
        let hits = view.search(query, k, target, selection).unwrap();
        assert_eq!(hits.len(), best.len(), "as many as there are");
        assert!(
            hits.windows(2).all(|pair| {
                (pair[1].score, pair[0].ordinal) < (pair[0].score, pair[1].ordinal)
            })
        );
        for hit in &hits {
            let exact = index.score(query, hit.ordinal).unwrap();
            assert_eq!(hit.score.to_bits(), exact.to_bits());
            match selection {
                Selection::All => {}
                Selection::Only(rows) => assert!(rows.contains(hit.ordinal)),
                Selection::Except(rows) => assert!(!rows.contains(hit.ordinal)),
            }
        }
        let worst = best.last().map_or(f32::INFINITY, |hit| hit.score);
        found += hits.iter().filter(|hit| hit.score >= worst).count();
        wanted += best.len();
    }
    found as f32 / wanted.max(1) as f32
}

#[test]
fn each_target_is_met_on_queries_that_are_not_in_the_index() {
    for (dim, metric) in [(96, Metric::Cosine), (200, Metric::Dot), (30, Metric::Cosine)] {
        let all = clustered(12_100, dim, 1);
        let (queries, rows) = all.split_at(100 * dim);
        let index = flat(rows, dim, metric);
        let bytes = build(index);
        let view = AnnView::new(&bytes, index).unwrap();
        for target in TARGETS {
            let found = recall(&view, index, queries, target, Selection::All);
            // A hundred queries tell it to a per cent or two.
            assert!(found > target - 0.02, "{found} of {target}, {dim} components");
        }
        let mut work = Work::default();
        let query = &queries[..dim];
        view.search_counting(query, 10, 0.9, Selection::All, &mut work).unwrap();
        assert!(work.blocks * 32 < 12_000 / 2 && work.exact < 200, "{work:?}");
    }
}

#[test]
fn rows_closer_to_each_other_than_codes_can_tell_are_found() {
    // They lie in chains, and each is hardly farther from all of its chain than from itself.
    let dim = 8;
    let rows: Vec<f32> = (0..2000 * 8).map(|i| (i * 7919 % 10_007) as f32 - 5000.0).collect();
    let index = flat(&rows, dim, Metric::Cosine);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let but_some: RoaringBitmap = (0..2000).filter(|row| row % 5 != 0).collect();
    for selection in [Selection::All, Selection::Only(&but_some)] {
        let found = recall(&view, index, &rows[..dim * 500], 0.95, selection);
        assert!(found > 0.95, "{found}");
    }
    for k in [1, 3] {
        let (mut found, mut wanted) = (0, 0);
        for query in rows.chunks_exact(dim).step_by(7) {
            let best = index.search(query, k, Selection::All).unwrap();
            let hits = view.search(query, k, 0.99, Selection::All).unwrap();
            found += hits.iter().filter(|hit| hit.score >= best[k - 1].score).count();
            wanted += k;
        }
        assert!(found as f32 > 0.95 * wanted as f32, "{found} of {wanted}");
    }
}

#[test]
fn an_exact_search_that_leaves_rows_out_is_the_exact_search() {
    for (dim, metric, scale) in [
        (96, Metric::Cosine, 1.0),
        (200, Metric::Dot, 1.0),
        (30, Metric::Cosine, 1e-12),
        (3, Metric::Dot, 1e17),
        (64, Metric::Cosine, 1e24),
    ] {
        let mut all = clustered(8_060, dim, 7);
        let mut random = Random(8);
        for (at, row) in all.chunks_exact_mut(dim).enumerate() {
            // Of all lengths, none among them.
            let length = if at % 50 == 0 { 0.0 } else { scale * (1.1 + random.component()) };
            for x in row {
                *x *= length;
            }
        }
        let (queries, rows) = all.split_at(60 * dim);
        let index = flat(rows, dim, metric);
        let bytes = build(index);
        let view = AnnView::new(&bytes, index).unwrap();
        let some: RoaringBitmap = (0..8_000).filter(|_| below(&mut random, 3) > 0).collect();
        for selection in [Selection::All, Selection::Only(&some), Selection::Except(&some)] {
            let mut work = Work::default();
            for query in queries.chunks_exact(dim) {
                for k in [1, 10, 100] {
                    let best = index.search(query, k, selection).unwrap();
                    let hits = view.search_counting(query, k, 1.0, selection, &mut work).unwrap();
                    assert_eq!(hits, best, "{dim} components of {scale}, {metric}, {k}");
                }
            }
            let all = 3 * 60 * selection_count(selection);
            assert!(work.is_exact && (dim < 90 || work.exact < all / 2), "{work:?} of {all}");
        }
        for isa in Isa::available() {
            let hits =
                view.clone().with_isa(isa).search(&queries[dim..2 * dim], 10, 1.0, Selection::All);
            assert_eq!(hits, index.search(&queries[dim..2 * dim], 10, Selection::All));
        }
    }
}

fn selection_count(selection: Selection<'_>) -> usize {
    match selection {
        Selection::All => 8_000,
        Selection::Only(rows) => rows.len() as usize,
        Selection::Except(rows) => 8_000 - rows.len() as usize,
    }
}

#[test]
fn filters_leave_as_many_hits_as_there_are_and_as_good_ones() {
    let dim = 64;
    let all = clustered(20_050, dim, 2);
    let (queries, rows) = all.split_at(50 * dim);
    let index = flat(rows, dim, Metric::Cosine);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let mut random = Random(3);
    for one_in in [2, 10, 100, 1000, 10_000] {
        let rows: RoaringBitmap = (0..20_000).filter(|_| below(&mut random, one_in) == 0).collect();
        for selection in [Selection::Only(&rows), Selection::Except(&rows)] {
            let found = recall(&view, index, queries, 0.95, selection);
            assert!(found > 0.93, "{found}, one in {one_in}");
        }
    }
    // All from one corner, far from most queries.
    let corner: RoaringBitmap = index
        .search(&queries[..dim], 2000, Selection::All)
        .unwrap()
        .iter()
        .map(|hit| hit.ordinal)
        .collect();
    let found = recall(&view, index, queries, 0.95, Selection::Only(&corner));
    assert!(found > 0.93, "{found} in a corner");
    let empty = RoaringBitmap::new();
    recall(&view, index, queries, 0.95, Selection::Only(&empty));
}

#[test]
fn an_index_is_the_same_whatever_the_threads_and_hits_whatever_the_instruction_set() {
    let dim = 72;
    let rows = clustered(6000, dim, 4);
    let index = flat(&rows, dim, Metric::Cosine);
    let with_threads = |count| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
        pool.install(|| AnnBuilder::new(index).unwrap().seed(9).build().unwrap())
    };
    let bytes = with_threads(1);
    assert!(with_threads(3) == bytes, "another index with three threads");
    let view = AnnView::new(&bytes, index).unwrap();
    for query in rows.chunks_exact(dim).step_by(600) {
        let hits: Vec<Vec<Hit>> = Isa::available()
            .into_iter()
            .map(|isa| {
                let view = view.clone().with_isa(isa);
                view.search(query, 10, 0.9, Selection::All).unwrap()
            })
            .collect();
        assert!(hits.iter().all(|each| *each == hits[0]));
    }
}

#[test]
fn a_build_ends_when_it_is_not_to_go_on() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let rows = clustered(5000, 20, 10);
    let builder = AnnBuilder::new(flat(&rows, 20, Metric::Cosine)).unwrap();
    let asked = AtomicU32::new(0);
    let whole = builder
        .build_while(&|| {
            asked.fetch_add(1, Ordering::Relaxed);
            true
        })
        .unwrap();
    assert!(whole == Some(builder.build().unwrap()));
    let times = asked.load(Ordering::Relaxed);
    assert!(times > 20, "asked {times} times only");
    for at in [0, 1, times / 2, times - 1] {
        let left = AtomicU32::new(at);
        let go_on = || {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
        };
        assert_eq!(builder.build_while(&go_on).unwrap(), None, "stopped at {at} of {times}");
    }
}

#[test]
fn an_audit_counts_what_is_found() {
    let dim = 72;
    let all = clustered(12_100, dim, 11);
    let (queries, rows) = all.split_at(100 * dim);
    let index = flat(rows, dim, Metric::Cosine);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let some: RoaringBitmap = (0..12_000).filter(|row| row % 3 == 0).collect();
    for selection in [Selection::All, Selection::Only(&some)] {
        for target in [0.8, 0.95] {
            let audit = view.audit(queries, 10, target, selection).unwrap();
            let counted = recall(&view, index, queries, target, selection);
            assert!((audit.recall - counted).abs() < 1e-5, "{audit:?}, {counted} counted");
            assert!(audit.queries == 100 && audit.worst <= audit.recall && audit.error < 0.05);
            let own = view.audit_sample(200, 1, 10, target, selection).unwrap();
            assert!(own.queries == 200 && own.recall > target - 0.03, "{own:?}");
            let alone = view.audit_sample_while(200, 1, 10, target, selection, &|| true).unwrap();
            assert_eq!(alone, Some(own), "in the same order, by one thread");
        }
    }
    let exact = view.audit(queries, 10, 1.0, Selection::All).unwrap();
    assert_eq!((exact.recall, exact.worst, exact.error), (1.0, 1.0, 0.0));
    let none = RoaringBitmap::new();
    assert_eq!(view.audit(queries, 10, 0.9, Selection::Only(&none)).unwrap().queries, 0);
    assert!(view.audit(&queries[1..], 10, 0.9, Selection::All).is_err());
    let asked = Cell::new(0);
    let go_on = || asked.replace(asked.get() + 1) < 5;
    let stopped = view.audit_sample_while(200, 1, 10, 0.9, Selection::All, &go_on);
    assert_eq!((stopped.unwrap(), asked.get()), (None, 6), "asked before each query");
}

#[test]
fn a_batch_is_answered_as_its_queries_are() {
    let (dim, count) = (24, 5000);
    let rows = clustered(count, dim, 9);
    let index = flat(&rows, dim, Metric::Cosine);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let mut queries = clustered(40, dim, 10);
    let even: RoaringBitmap = (0..count as u32).step_by(2).collect();
    let few = RoaringBitmap::from([3, 7, 2000]);
    for selection in [Selection::All, Selection::Except(&even), Selection::Only(&few)] {
        for recall in [0.9, 1.0] {
            let hits = view.search_batch(&queries, 5, recall, selection).unwrap();
            let each = queries.chunks_exact(dim);
            let each = each.map(|query| view.search(query, 5, recall, selection).unwrap());
            assert_eq!(hits, each.collect::<Vec<_>>());
        }
    }
    assert!(view.search_batch(&[], 5, 0.9, Selection::All).unwrap().is_empty());
    assert_eq!(
        view.search_batch(&queries[1..], 5, 0.9, Selection::All),
        Err(QueryError::PartialQuery { query: dim, found: 40 * dim - 1 })
    );
    queries[30] = f32::INFINITY;
    assert_eq!(
        view.search_batch(&queries, 5, 0.9, Selection::All),
        Err(QueryError::NotFinite { index: 30, value: f32::INFINITY })
    );
}

#[test]
fn any_number_of_rows_of_any_dimension_can_be_indexed() {
    for dim in [1, 2, 3, 7, 64, 127, 129, 191, 193] {
        for count in [0, 1, 2, 33, 1001] {
            let all = clustered(40 + count, dim, 5);
            let (queries, rows) = all.split_at(40 * dim);
            for metric in [Metric::Cosine, Metric::Dot] {
                let index = flat(rows, dim, metric);
                let bytes = build(index);
                let view = AnnView::new(&bytes, index).unwrap();
                let query = vec![0.5; dim];
                let hits = view.search(&query, 5, 0.95, Selection::All).unwrap();
                assert_eq!(hits.len(), count.min(5));
                let best = index.search(&query, 5, Selection::All).unwrap();
                if count <= 1000 {
                    assert_eq!(hits, best, "{count} x {dim}: so few are compared exactly");
                }
                let score = |hits: &[Hit]| hits.first().map(|hit| hit.score);
                assert_eq!(score(&hits), score(&best), "{count} x {dim}, {metric}");
                let found = recall(&view, index, queries, 0.95, Selection::All);
                assert!(count == 0 || found > 0.9, "{found} of {count} x {dim}, {metric}");
            }
        }
    }
}

#[test]
fn rows_that_are_alike_or_zero_are_found() {
    let dim = 16;
    let mut rows = [1.0, -2.0, 0.5, 0.0].repeat(4 * 9000);
    rows[..100 * dim].fill(0.0);
    let index = flat(&rows, dim, Metric::Cosine);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let alike = &rows[200 * dim..][..dim];
    for (query, score) in [(alike, 1.0), (&vec![0.0; dim], 0.0)] {
        let hits = view.search(query, 7, 0.95, Selection::All).unwrap();
        assert_eq!(hits.len(), 7);
        assert!(hits.iter().all(|hit| (hit.score - score).abs() < 1e-6), "{hits:?}");
    }
}

#[test]
fn rows_of_half_precision_are_found_as_those_that_they_stand_for() {
    let dim = 40;
    let rows: Vec<f16> = clustered(5000, dim, 6).into_iter().map(f16::from_f32).collect();
    let index = FlatIndex::new(Rows::F16(&rows), dim, Metric::Cosine).unwrap();
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    let found = recall(&view, index, &clustered(50, dim, 6), 0.95, Selection::All);
    assert!(found > 0.93, "{found}");
}

#[test]
fn queries_as_long_as_numbers_go_make_no_panic() {
    let rows = clustered(3000, 48, 8);
    let index = flat(&rows, 48, Metric::Dot);
    let bytes = build(index);
    let view = AnnView::new(&bytes, index).unwrap();
    for value in [f32::MAX, -f32::MAX, f32::MIN_POSITIVE, 1e-45, 0.0] {
        let mut query = rows[..48].to_vec();
        query[7] = value;
        query[30] = value;
        assert_eq!(view.search(&query, 3, 0.9, Selection::All).unwrap().len(), 3);
    }
}

#[test]
fn what_can_not_be_indexed_is_refused() {
    let unsupported = |index: FlatIndex<'_>| {
        assert!(matches!(AnnBuilder::new(index), Err(AnnError::Unsupported { .. })));
    };
    unsupported(flat(&[1.0; 8], 4, Metric::Euclidean));
    unsupported(FlatIndex::new(Rows::I8(&[1; 8]), 4, Metric::Cosine).unwrap());
    unsupported(FlatIndex::new(Rows::Binary(&[1; 8]), 8, Metric::Cosine).unwrap());
    unsupported(flat(&vec![1.0; MAX_ANN_DIM + 1], MAX_ANN_DIM + 1, Metric::Cosine));
    let rows = [1.0, 2.0, f32::NAN, 1.0];
    let built = AnnBuilder::new(flat(&rows, 2, Metric::Cosine)).unwrap().build();
    assert_eq!(built, Err(AnnError::RowNotFinite { ordinal: 1 }));

    let rows = clustered(100, 8, 7);
    let index = flat(&rows, 8, Metric::Cosine);
    let bytes = build(index);
    let other = |index| matches!(AnnView::new(&bytes, index), Err(AnnError::OtherRows { .. }));
    assert!(other(flat(&rows[8..], 8, Metric::Cosine)));
    assert!(other(flat(&rows, 4, Metric::Cosine)));
    assert!(other(flat(&rows, 8, Metric::Dot)));
    let view = AnnView::new(&bytes, index).unwrap();
    let refused = |query: &[f32]| view.search(query, 3, 0.9, Selection::All).unwrap_err();
    assert!(matches!(refused(&[1.0; 7]), QueryError::Dimension { .. }));
    assert!(matches!(refused(&[f32::NAN; 8]), QueryError::NotFinite { .. }));
    assert!(view.search(&rows[..8], 0, 0.9, Selection::All).unwrap().is_empty());
}

#[test]
fn bytes_that_were_changed_or_cut_make_no_panic() {
    let dim = 140;
    let rows = clustered(1500, dim, 8);
    let index = flat(&rows, dim, Metric::Cosine);
    let bytes = build(index);
    let ask = |bytes: &[u8]| {
        let Ok(view) = AnnView::new(bytes, index) else { return };
        for recall in [0.8, 0.999] {
            if let Err(error) = view.search(&rows[..dim], 10, recall, Selection::All) {
                assert!(matches!(error, QueryError::Ordinal { .. }), "{error}");
            }
        }
    };
    for len in (0..400).chain((400..bytes.len()).step_by(1009)) {
        assert!(AnnView::new(&bytes[..len], index).is_err());
    }
    let mut random = Random(9);
    for round in 0..4000 {
        let mut changed = bytes.clone();
        // Half of them in the header and the tables, where most can go wrong.
        let at =
            if round % 2 == 0 { below(&mut random, 200) } else { below(&mut random, bytes.len()) };
        changed[at] ^= 1 << below(&mut random, 8);
        ask(&changed);
    }
}
