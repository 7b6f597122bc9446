//! Range searches, searches by several queries, scores of rows, and diversity, against brute force.
//!
//! Invariant: an expected answer is a full sort of scores, and scores are checked against `f64`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{METRICS, Random, bits, oracle, selects, sorted, widened};
use half::f16;
use proptest::prelude::*;
use vector_kernel::kernels::Isa;
use vector_kernel::{
    Combine, Encoding, FlatIndex, Hit, Metric, Query, QueryError, Rows, Selection, diversify, score,
};

/// Every selected row, with what `score` says of it.
fn all(index: &FlatIndex<'_>, selection: Selection<'_>, score: impl Fn(u32) -> f32) -> Vec<Hit> {
    let ordinals = (0..index.len() as u32).filter(|&ordinal| selects(selection, ordinal));
    sorted(ordinals.map(|ordinal| Hit { ordinal, score: score(ordinal) }).collect(), usize::MAX)
}

/// Small integers, so that ties abound.
fn coarse(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| (random.bits() % 3) as f32 - 1.0).collect()
}

/// Rows of each encoding, with two queries of each.
struct Data {
    floats: (Vec<f32>, Vec<f32>),
    halves: Vec<f16>,
    small: (Vec<i8>, Vec<i8>),
    packed: (Vec<u8>, Vec<u8>),
}

impl Data {
    fn new(random: &mut Random, dim: usize, len: usize) -> Self {
        let floats = (coarse(random, dim * len), coarse(random, dim * 2));
        let mut packed = |count: usize| -> Vec<u8> {
            (0..dim.div_ceil(8) * count).map(|_| random.bits() as u8).collect()
        };
        let packed = (packed(len), packed(2));
        Self {
            halves: floats.0.iter().map(|&x| f16::from_f32(x)).collect(),
            floats,
            small: (random.bytes(dim * len), random.bytes(dim * 2)),
            packed,
        }
    }

    fn pairs(&self) -> [(Rows<'_>, Query<'_>); 4] {
        [
            (Rows::F32(&self.floats.0), Query::F32(&self.floats.1)),
            (Rows::F16(&self.halves), Query::F32(&self.floats.1)),
            (Rows::I8(&self.small.0), Query::I8(&self.small.1)),
            (Rows::Binary(&self.packed.0), Query::Binary(&self.packed.1)),
        ]
    }
}

fn halves(queries: Query<'_>) -> [Query<'_>; 2] {
    match queries {
        Query::F32(both) => both.split_at(both.len() / 2).map(Query::F32),
        Query::I8(both) => both.split_at(both.len() / 2).map(Query::I8),
        Query::Binary(both) => both.split_at(both.len() / 2).map(Query::Binary),
    }
}

trait Both<T> {
    fn map<U>(self, to: impl Fn(T) -> U) -> [U; 2];
}

impl<T> Both<T> for (T, T) {
    fn map<U>(self, to: impl Fn(T) -> U) -> [U; 2] {
        [to(self.0), to(self.1)]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_range_is_all_that_reaches_the_threshold(
        seed: u64,
        dim in 1_usize..150,
        len in 0_u32..400,
        at in 0.0_f64..1.0,
        limit in 0_usize..50,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let data = Data::new(&mut random, dim, len as usize);
        let bitmap = random.bitmap(len + 100, 60);
        for (rows, queries) in data.pairs() {
            let index = FlatIndex::new(rows, dim, metric).unwrap();
            let [query, _] = halves(queries);
            for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
                let mut expected = all(&index, selection, |row| index.score(query, row).unwrap());
                let everything = index.search_range(query, f32::NEG_INFINITY, selection).unwrap();
                prop_assert_eq!(bits(&everything), bits(&expected));
                // A score that is there, so that hits just at the threshold are tried.
                let threshold = match expected.len() {
                    0 => 0.0,
                    len => expected[(at * len as f64) as usize].score,
                };
                expected.retain(|hit| hit.score >= threshold);
                let found = index.search_range(query, threshold, selection).unwrap();
                prop_assert_eq!(bits(&found), bits(&expected));
                let best = index.search_range_at_most(query, threshold, limit, selection).unwrap();
                expected.truncate(limit);
                prop_assert_eq!(bits(&best), bits(&expected));
                prop_assert!(index.search_range(query, f32::INFINITY, selection).unwrap().is_empty());
            }
        }
    }

    #[test]
    fn several_queries_give_the_greatest_or_least_of_their_scores(
        seed: u64,
        dim in 1_usize..150,
        len in 0_u32..300,
        k in 0_usize..350,
        weights in prop::array::uniform2(0.0_f32..3.0),
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let data = Data::new(&mut random, dim, len as usize);
        let bitmap = random.bitmap(len + 100, 60);
        for (rows, queries) in data.pairs() {
            let index = FlatIndex::new(rows, dim, metric).unwrap();
            let alone = halves(queries);
            for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
                let expected = |weights: [f32; 2], combine: fn(f32, f32) -> f32| {
                    let mut hits = all(&index, selection, |row| {
                        let [a, b] = alone.map(|query| index.score(query, row).unwrap());
                        combine(weights[0] * a, weights[1] * b)
                    });
                    hits.truncate(k);
                    hits
                };
                let any = index.search_any(queries, k, selection).unwrap();
                prop_assert_eq!(any, expected([1.0; 2], f32::max));
                let least = index.search_all(queries, k, selection).unwrap();
                prop_assert_eq!(least, expected([1.0; 2], f32::min));
                for (combine, by) in [(Combine::Any, f32::max as fn(f32, f32) -> f32), (Combine::All, f32::min)] {
                    let found =
                        index.search_combined(queries, combine, Some(&weights), k, selection).unwrap();
                    prop_assert_eq!(found, expected(weights, by));
                }
            }
        }
    }

    #[test]
    fn rows_score_with_each_other_as_f64_says(
        seed: u64,
        dim in 1_usize..300,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let rows = random.vector(dim * 2);
        let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
        let (a, b) = rows.split_at(dim);
        let found = index.score_rows(0, 1).unwrap();
        let expected = oracle(metric, &widened(a), &widened(b));
        prop_assert!((f64::from(found) - expected).abs() <= 1e-6 * (dim as f64).sqrt().max(1.0));
        for (isa, ordinals) in Isa::available().into_iter().zip([(0, 1), (1, 0)].into_iter().cycle()) {
            let other = index.with_isa(isa).score_rows(ordinals.0, ordinals.1).unwrap();
            prop_assert_eq!(found.to_bits(), other.to_bits());
        }
        prop_assert_eq!(score(metric, a, b).unwrap().to_bits(), found.to_bits());
        prop_assert_eq!(index.score(a, 1).unwrap().to_bits(), found.to_bits());
    }

    #[test]
    fn diversity_picks_what_its_definition_says(
        seed: u64,
        len in 1_usize..60,
        k in 0_usize..70,
        lambda in prop::sample::select(vec![0.0_f32, 0.3, 0.5, 0.9, 1.0]),
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let dim = 20;
        let mut random = Random(seed);
        let rows = random.vector(dim * len);
        let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
        let hits = index.search(&random.vector(dim), len, Selection::All).unwrap();
        let picked = diversify(&index, &hits, k, lambda).unwrap();
        prop_assert_eq!(picked.len(), k.min(len));
        let row = |hit: &Hit| widened(&rows[hit.ordinal as usize * dim..][..dim]);
        for (at, hit) in picked.iter().enumerate() {
            let before = &picked[..at];
            let gain = |hit: &Hit| {
                let nearest = before.iter().map(|other| oracle(metric, &row(hit), &row(other)));
                let nearest = nearest.reduce(f64::max).unwrap_or(0.0);
                f64::from(lambda) * f64::from(hit.score) - (1.0 - f64::from(lambda)) * nearest
            };
            prop_assert!(!before.iter().any(|other| other.ordinal == hit.ordinal));
            prop_assert!(hits.contains(hit));
            let left = hits.iter().filter(|hit| !before.contains(hit));
            let best = left.map(gain).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(gain(hit) >= best - 1e-5, "{} is not {best}", gain(hit));
        }
        if lambda >= 1.0 {
            prop_assert_eq!(&picked, &hits[..k.min(len)]);
        }
        if k > 0 && lambda > 0.0 {
            prop_assert_eq!(picked[0], hits[0]);
        }
    }
}

#[test]
fn equal_candidates_are_picked_by_score_and_then_in_their_order() {
    let rows = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine).unwrap();
    let hits = [(2, 0.5), (0, 0.75), (1, 0.5)].map(|(ordinal, score)| Hit { ordinal, score });
    let ordinals = |lambda| -> Vec<u32> {
        diversify(&index, &hits, 3, lambda).unwrap().iter().map(|hit| hit.ordinal).collect()
    };
    assert_eq!(ordinals(1.0), [0, 2, 1]);
    assert_eq!(ordinals(0.0), [0, 2, 1]);
}

#[test]
fn answers_do_not_depend_on_threads_and_instruction_sets() {
    let (dim, len) = (48, 30_000);
    let rows = coarse(&mut Random(11), dim * len);
    let queries = coarse(&mut Random(12), dim * 5);
    let bitmap = Random(13).bitmap(len as u32, 70);
    for metric in METRICS {
        let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
        let answer = |threads, index: FlatIndex<'_>, selection| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let query = &queries[..dim];
                let threshold = index.search(query, 500, selection).unwrap()[499].score;
                let range = index.search_range(query, threshold, selection).unwrap();
                assert!(range.len() >= 500);
                let any = index.search_any(&queries, 100, selection).unwrap();
                let all = index.search_all(&queries, 100, selection).unwrap();
                [range, any, all].map(|hits| bits(&hits))
            })
        };
        for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
            let one = answer(1, index, selection);
            for isa in Isa::available() {
                assert_eq!(one, answer(3, index.with_isa(isa), selection), "{metric}, {isa:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let rows = [0.5, 1.0, f32::NAN, 0.0];
    let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Dot).unwrap();
    let sound = FlatIndex::new(Rows::F32(&rows[..2]), 2, Metric::Dot).unwrap();
    let range = |threshold| index.search_range(&[1.0, 1.0], threshold, Selection::All);
    assert_eq!(range(f32::NAN), Err(QueryError::Threshold));
    assert_eq!(range(0.0), Err(QueryError::RowNotFinite { ordinal: 1 }));
    let dimension = QueryError::Dimension { expected: 2, found: 1 };
    assert_eq!(index.search_range(&[1.0], 0.0, Selection::All), Err(dimension));

    let none: [f32; 0] = [];
    assert_eq!(sound.search_any(&none, 1, Selection::All), Err(QueryError::NoQueries));
    let partial = QueryError::PartialQuery { query: 2, found: 3 };
    assert_eq!(sound.search_all(&[1.0; 3], 1, Selection::All), Err(partial));
    let weighted = |weights: &[f32]| {
        sound.search_combined(&[1.0; 4], Combine::Any, Some(weights), 1, Selection::All)
    };
    assert_eq!(weighted(&[1.0]), Err(QueryError::Weights { expected: 2, found: 1 }));
    assert_eq!(weighted(&[1.0, -1.0]), Err(QueryError::Weight { index: 1, value: -1.0 }));
    let infinite = QueryError::Weight { index: 0, value: f32::INFINITY };
    assert_eq!(weighted(&[f32::INFINITY, 1.0]), Err(infinite));
    let best = weighted(&[f32::MAX, 1.0]).unwrap();
    assert_eq!((best[0].ordinal, best[0].score), (0, f32::MAX));

    assert_eq!(index.score_rows(0, 2), Err(QueryError::Ordinal { ordinal: 2, len: 2 }));
    assert_eq!(index.score_rows(1, 0), Err(QueryError::RowNotFinite { ordinal: 1 }));
    assert_eq!(index.score_rows(1, 1), Err(QueryError::RowNotFinite { ordinal: 1 }));

    let dimension = QueryError::Dimension { expected: 2, found: 1 };
    assert_eq!(score(Metric::Dot, &[1.0], &[1.0, 2.0]), Err(dimension));
    assert_eq!(score(Metric::Dot, &none, &none), Err(QueryError::NoDimension { dim: 0 }));
    let encoding = QueryError::Encoding { rows: Encoding::I8, query: Encoding::F32 };
    assert_eq!(score(Metric::Dot, &[1.0], &[1_i8]), Err(encoding));
    let infinite = QueryError::NotFinite { index: 0, value: f32::INFINITY };
    assert_eq!(score(Metric::Dot, &[1.0], &[f32::INFINITY]), Err(infinite));

    let hit = |ordinal, score| Hit { ordinal, score };
    for value in [-0.1, 1.1] {
        let error = QueryError::Lambda { value };
        assert_eq!(diversify(&sound, &[hit(0, 1.0)], 1, value), Err(error));
    }
    assert!(matches!(
        diversify(&sound, &[hit(0, 1.0)], 1, f32::NAN),
        Err(QueryError::Lambda { .. })
    ));
    let error = QueryError::Candidate { index: 0, value: f32::INFINITY };
    assert_eq!(diversify(&sound, &[hit(0, f32::INFINITY)], 1, 0.5), Err(error));
    let error = QueryError::Ordinal { ordinal: 1, len: 1 };
    assert_eq!(diversify(&sound, &[hit(1, 1.0)], 1, 0.5), Err(error));
    let error = QueryError::RowNotFinite { ordinal: 1 };
    assert_eq!(diversify(&index, &[hit(0, 1.0), hit(1, 0.5)], 2, 0.5), Err(error));
}
