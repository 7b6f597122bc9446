//! What is refused, and what extreme but legal input gives.
//!
//! Invariant: no input panics, and no score is NaN.

mod common;

use common::{METRICS, Random, oracle, widened};
use half::f16;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use vector_kernel::{
    Encoding, FlatIndex, IndexError, MAX_DIM, Metric, Query, QueryError, Rows, Selection,
    inverse_norm, validate,
};

#[test]
fn shapes_that_make_no_index_are_refused() {
    let rows = [0.0; 6];
    let new = |dim| FlatIndex::new(Rows::F32(&rows), dim, Metric::Dot).map(|index| index.len());
    assert_eq!(new(0), Err(IndexError::Dimension { dim: 0 }));
    assert_eq!(new(MAX_DIM + 1), Err(IndexError::Dimension { dim: MAX_DIM + 1 }));
    assert_eq!(new(4), Err(IndexError::PartialRow { row: 4, found: 6 }));
    assert_eq!(new(3), Ok(2));
    let packed = [0; 6];
    let index = FlatIndex::new(Rows::Binary(&packed), 9, Metric::Dot).unwrap();
    assert_eq!((index.len(), index.dim(), index.metric()), (3, 9, Metric::Dot));
    let index = FlatIndex::new(Rows::F32(&rows), 3, Metric::Cosine).unwrap();
    let error = index.with_inverse_norms(&[1.0]).map(|_| ());
    assert_eq!(error, Err(IndexError::InverseNorms { expected: 2, found: 1 }));
}

#[test]
fn queries_of_another_dimension_or_encoding_are_refused() {
    let rows = [0.5; 6];
    let index = FlatIndex::new(Rows::F32(&rows), 3, Metric::Dot).unwrap();
    let dimension = QueryError::Dimension { expected: 3, found: 2 };
    assert_eq!(index.search(&[0.0; 2], 1, Selection::All), Err(dimension.clone()));
    assert_eq!(index.score(&[0.0; 2], 0), Err(dimension));
    let partial = QueryError::PartialQuery { query: 3, found: 4 };
    assert_eq!(index.search_batch(&[0.0; 4], 1, Selection::All), Err(partial));
    let encoding = QueryError::Encoding { rows: Encoding::F32, query: Encoding::I8 };
    assert_eq!(index.search(&[0_i8; 3], 1, Selection::All), Err(encoding));
    let ordinal = QueryError::Ordinal { ordinal: 2, len: 2 };
    assert_eq!(index.score(&[0.0; 3], 2), Err(ordinal));
    let packed = [0; 4];
    let index = FlatIndex::new(Rows::Binary(&packed), 9, Metric::Dot).unwrap();
    let dimension = QueryError::Dimension { expected: 9, found: 8 };
    assert_eq!(index.search(Query::Binary(&[1]), 1, Selection::All), Err(dimension));
}

#[test]
fn vectors_that_are_not_finite_are_refused_with_position_and_value() {
    let rows = [0.5; 4];
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine).unwrap();
    for value in [f32::INFINITY, f32::NEG_INFINITY] {
        let error = QueryError::NotFinite { index: 1, value };
        assert_eq!(validate(&[0.0, value], 2), Err(error.clone()));
        assert_eq!(index.search(&[0.0, value], 1, Selection::All), Err(error.clone()));
        assert_eq!(index.search_batch(&[0.0, value], 1, Selection::All), Err(error.clone()));
        assert_eq!(index.score(&[0.0, value], 0), Err(error));
    }
    let error = validate(&[0.0, 1.0, f32::NAN], 3).unwrap_err();
    assert!(matches!(error, QueryError::NotFinite { index: 2, value } if value.is_nan()));
    assert_eq!(validate(&[0.0], 2), Err(QueryError::Dimension { expected: 2, found: 1 }));
    assert!(error.to_string().contains("component 2 is NaN"));
}

#[test]
fn a_damaged_row_is_reported_and_not_ranked() {
    let dim = 40;
    for metric in METRICS {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            // Enough rows for several threads, and two damaged ones: the first is named.
            let mut rows = Random(5).vector(dim * 30_000);
            rows[dim * 20_000 + 7] = value;
            rows[dim * 25_000] = value;
            let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
            for query in [Random(6).vector(dim), vec![0.0; dim]] {
                let error = Err(QueryError::RowNotFinite { ordinal: 20_000 });
                assert_eq!(index.search(&query, 3, Selection::All), error, "{metric}, {value}");
                assert_eq!(index.score(&query, 20_000), error.map(|_: Vec<_>| 0.0));
                assert!(index.score(&query, 0).is_ok());
            }
        }
    }
    // The lower one is gathered, the higher one in a run that is scored earlier.
    let mut rows = vec![1.0; 100];
    rows[3] = f32::NAN;
    rows[50] = f32::NAN;
    let only: RoaringBitmap = [3].into_iter().chain(40..80).collect();
    let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot).unwrap();
    let error = Err(QueryError::RowNotFinite { ordinal: 3 });
    assert_eq!(index.search(&[1.0], 1, Selection::Only(&only)), error);
    let halves = [f16::ONE, f16::NAN];
    let index = FlatIndex::new(Rows::F16(&halves), 2, Metric::Cosine).unwrap();
    assert_eq!(index.score(&[1.0, 1.0], 0), Err(QueryError::RowNotFinite { ordinal: 0 }));
}

#[test]
fn zero_vectors_have_cosine_zero_with_everything() {
    let rows = [0.0, 0.0, 1.0, 2.0, -0.0, -0.0];
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine).unwrap();
    let norms: Vec<f32> = rows.chunks_exact(2).map(inverse_norm).collect();
    for index in [index, index.with_inverse_norms(&norms).unwrap()] {
        for query in [[0.0, 0.0], [-0.0, 0.0], [1.0, 1.0]] {
            for ordinal in [0, 2] {
                assert_eq!(index.score(&query, ordinal).unwrap().to_bits(), 0.0_f32.to_bits());
            }
        }
        assert_eq!(index.score(&[0.0, 0.0], 1), Ok(0.0));
    }
    let bytes = [0_i8, 0, 1, 2];
    let index = FlatIndex::new(Rows::I8(&bytes), 2, Metric::Cosine).unwrap();
    assert_eq!(index.score(&[0_i8, 0], 0), Ok(0.0));
    assert_eq!(index.score(&[3_i8, 4], 0), Ok(0.0));
    assert_eq!(index.score(&[0_i8, 0], 1), Ok(0.0));
}

#[test]
fn no_k_and_no_rows_give_no_hits_and_a_large_k_gives_all() {
    let rows = [1.0, 2.0, 3.0];
    let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot).unwrap();
    assert!(index.search(&[1.0], 0, Selection::All).unwrap().is_empty());
    assert_eq!(index.search_batch(&[1.0, 2.0], 0, Selection::All).unwrap(), [[], []]);
    assert_eq!(index.search(&[1.0], usize::MAX, Selection::All).unwrap().len(), 3);
    assert!(index.search_batch(&[0.0; 0], 1, Selection::All).unwrap().is_empty());
    let empty = FlatIndex::new(Rows::F32(&[]), 1, Metric::Dot).unwrap();
    assert!(empty.is_empty());
    assert!(empty.search(&[1.0], 5, Selection::All).unwrap().is_empty());
}

#[test]
fn dot_products_beyond_f32_saturate() {
    let rows = [f32::MAX, f32::MAX, f32::MIN, f32::MIN, f32::MAX, f32::MIN];
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Dot).unwrap();
    let hits = index.search(&[f32::MAX, f32::MAX], 3, Selection::All).unwrap();
    let found: Vec<(u32, f32)> = hits.iter().map(|hit| (hit.ordinal, hit.score)).collect();
    assert_eq!(found, [(0, f32::MAX), (2, 0.0), (1, f32::MIN)]);
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Euclidean).unwrap();
    assert_eq!(index.score(&[f32::MIN, f32::MIN], 0), Ok(f32::MIN));
    assert_eq!(index.score(&[f32::MAX, f32::MAX], 0), Ok(0.0));
}

#[test]
fn inverse_norms_are_defined_over_the_whole_range() {
    for (vector, expected) in [
        (vec![], 0.0),
        (vec![-0.0; 5], 0.0),
        (vec![f32::from_bits(1)], f32::MAX),
        (vec![1e-30, 0.0], 1e30),
    ] {
        assert_eq!(inverse_norm(&vector).to_bits(), f32::to_bits(expected), "{vector:?}");
    }
    assert!(inverse_norm(&[f32::MAX; 1000]) > 0.0);
    assert!(inverse_norm(&[f32::NAN]).is_nan());
    assert!(inverse_norm(&[f32::INFINITY]).is_nan());
}

proptest! {
    #[test]
    fn scores_are_right_and_never_nan_at_any_magnitude(
        seed: u64,
        dim in 1_usize..200,
        query_exponent in -149_i32..127,
        row_exponent in -149_i32..127,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let mut scaled = |exponent: i32| -> Vec<f32> {
            let vector = random.vector(dim);
            vector.iter().map(|&x| (f64::from(x) * 2.0_f64.powi(exponent)) as f32).collect()
        };
        let (query, row) = (scaled(query_exponent), scaled(row_exponent));
        let (query_64, row_64) = (widened(&query), widened(&row));
        let expected =
            oracle(metric, &query_64, &row_64).clamp(f64::from(f32::MIN), f64::from(f32::MAX));
        // Absolute where terms cancel, and where f32 itself ends.
        let scale = match metric {
            Metric::Cosine => 1.0,
            Metric::Dot => query_64.iter().zip(&row_64).map(|(q, x)| (q * x).abs()).sum::<f64>(),
            Metric::Euclidean => expected.abs(),
        };
        let norms = [inverse_norm(&row)];
        let index = FlatIndex::new(Rows::F32(&row), dim, metric).unwrap();
        for index in [index, index.with_inverse_norms(&norms).unwrap()] {
            let found = index.score(&query, 0).unwrap();
            prop_assert!(found.is_finite());
            let tolerance = 2e-6 * scale + 200.0 * 2.0_f64.powi(-149);
            prop_assert!(
                (f64::from(found) - expected).abs() <= tolerance,
                "{} instead of {}", found, expected
            );
        }
    }
}
