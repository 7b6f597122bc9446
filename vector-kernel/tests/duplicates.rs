//! Duplicates against a comparison of all rows with all, one by one.
//!
//! Invariant: an expected score is one of two rows alone, which is checked against `f64`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{METRICS, Random, selects};
use half::f16;
use proptest::prelude::*;
use vector_kernel::ann::{AnnBuilder, AnnView};
use vector_kernel::duplicates::{
    Pair, exact_duplicates, groups_of, near_duplicate_groups, near_duplicates,
    near_duplicates_among, near_duplicates_at_most,
};
use vector_kernel::kernels::Isa;
use vector_kernel::{FlatIndex, Hit, Metric, QueryError, Rows, Selection};

/// Small integers, so that ties and equal rows abound.
fn coarse(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| (random.bits() % 3) as f32 - 1.0).collect()
}

fn brute_force(index: &FlatIndex<'_>, selection: Selection<'_>) -> Vec<Pair> {
    let len = index.len() as u32;
    let mut pairs = Vec::new();
    for first in (0..len).filter(|&ordinal| selects(selection, ordinal)) {
        for second in (first + 1..len).filter(|&ordinal| selects(selection, ordinal)) {
            let score = index.score_rows(first, second).unwrap();
            pairs.push(Pair { first, second, score });
        }
    }
    pairs.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then((a.first, a.second).cmp(&(b.first, b.second)))
    });
    pairs
}

fn bits(pairs: &[Pair]) -> Vec<(u32, u32, u32)> {
    pairs.iter().map(|pair| (pair.first, pair.second, pair.score.to_bits())).collect()
}

/// The groups by following pairs until nothing new is found.
fn components(pairs: &[Pair]) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for pair in pairs {
        let (mut joined, others): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| group.contains(&pair.first) || group.contains(&pair.second));
        joined.push(vec![pair.first, pair.second]);
        let mut group = joined.concat();
        group.sort_unstable();
        group.dedup();
        groups = others;
        groups.push(group);
    }
    groups.sort();
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pairs_and_groups_are_those_of_brute_force(
        seed: u64,
        dim in 1_usize..20,
        len in 0_usize..300,
        at in 0.0_f64..0.3,
        limit in 0_usize..50,
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let mut random = Random(seed);
        let floats = coarse(&mut random, dim * len);
        let halves: Vec<f16> = floats.iter().map(|&x| f16::from_f32(x)).collect();
        let small = random.bytes(dim * len);
        let packed: Vec<u8> = (0..dim.div_ceil(8) * len).map(|_| random.bits() as u8).collect();
        let bitmap = random.bitmap(len as u32 + 100, 70);
        let encodings =
            [Rows::F32(&floats), Rows::F16(&halves), Rows::I8(&small), Rows::Binary(&packed)];
        // One encoding and one selection a case: each takes len²/2 scores one by one.
        let rows = encodings[(seed % 4) as usize];
        let selection = [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)]
            [(seed / 4 % 3) as usize];
        let index = FlatIndex::new(rows, dim, metric).unwrap();
        let mut expected = brute_force(&index, selection);
        let threshold = match expected.len() {
            0 => 0.0,
            len => expected[(at * len as f64) as usize].score,
        };
        expected.retain(|pair| pair.score >= threshold);
        let found = near_duplicates(&index, threshold, selection).unwrap();
        prop_assert_eq!(bits(&found), bits(&expected));
        let groups = near_duplicate_groups(&index, threshold, selection).unwrap();
        prop_assert_eq!(&groups, &components(&expected));
        prop_assert_eq!(&groups, &groups_of(&expected));
        expected.reverse();
        prop_assert_eq!(&groups, &groups_of(&expected));
        expected.reverse();
        let among = near_duplicates_among(&index, threshold, selection, |ordinal| {
            // Each row's later ones alone, with scores that say nothing.
            let later = ordinal..index.len() as u32;
            Ok::<_, QueryError>(later.map(|ordinal| Hit { ordinal, score: 7.0 }).collect())
        });
        prop_assert_eq!(bits(&among.unwrap()), bits(&expected));
        expected.truncate(limit);
        let best = near_duplicates_at_most(&index, threshold, limit, selection).unwrap();
        prop_assert_eq!(bits(&best), bits(&expected));
    }

    #[test]
    fn equal_rows_are_grouped(
        seed: u64,
        dim in 1_usize..12,
        len in 0_usize..200,
    ) {
        let mut random = Random(seed);
        let small: Vec<i8> = (0..dim * len).map(|_| (random.bits() % 2) as i8).collect();
        // Of zeros, some with a sign.
        let floats: Vec<f32> = small
            .iter()
            .map(|&x| if x == 0 && random.bits().is_multiple_of(2) { -0.0 } else { f32::from(x) })
            .collect();
        let halves: Vec<f16> = floats.iter().map(|&x| f16::from_f32(x)).collect();
        let packed: Vec<u8> = small
            .chunks(dim)
            .flat_map(|row| {
                // What is beyond the dimension doesn't count.
                let noise = (random.bits() as u16) << dim;
                let row = row.iter().enumerate().fold(0, |bits, (at, &x)| bits | (x as u16) << at);
                (row | noise).to_le_bytes().into_iter().take(dim.div_ceil(8))
            })
            .collect();
        let bitmap = random.bitmap(len as u32 + 10, 70);
        for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
            let mut expected: Vec<Vec<u32>> = Vec::new();
            for ordinal in (0..len as u32).filter(|&ordinal| selects(selection, ordinal)) {
                let row = |ordinal: u32| &small[ordinal as usize * dim..][..dim];
                match expected.iter_mut().find(|group| row(group[0]) == row(ordinal)) {
                    Some(group) => group.push(ordinal),
                    None => expected.push(vec![ordinal]),
                }
            }
            expected.retain(|group| group.len() > 1);
            let all =
                [Rows::F32(&floats), Rows::F16(&halves), Rows::I8(&small), Rows::Binary(&packed)];
            for rows in all {
                let index = FlatIndex::new(rows, dim, Metric::Dot).unwrap();
                prop_assert_eq!(&exact_duplicates(&index, selection).unwrap(), &expected);
            }
        }
    }
}

#[test]
fn pairs_do_not_depend_on_threads_and_instruction_sets() {
    let (dim, len) = (24, 1500);
    let rows = Random(1).vector(dim * len);
    let bitmap = Random(2).bitmap(len as u32, 80);
    for metric in METRICS {
        let index = FlatIndex::new(Rows::F32(&rows), dim, metric).unwrap();
        let threshold = near_duplicates_at_most(&index, f32::MIN, 1000, Selection::All).unwrap();
        let threshold = threshold[999].score;
        let answer = |threads, index: FlatIndex<'_>, selection| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let pairs = near_duplicates(&index, threshold, selection).unwrap();
                let groups = near_duplicate_groups(&index, threshold, selection).unwrap();
                assert_eq!(groups, groups_of(&pairs));
                bits(&pairs)
            })
        };
        for selection in [Selection::All, Selection::Only(&bitmap), Selection::Except(&bitmap)] {
            let one = answer(1, index, selection);
            assert!(one.len() > 20);
            for isa in Isa::available() {
                assert_eq!(one, answer(3, index.with_isa(isa), selection), "{metric}, {isa:?}");
            }
        }
    }
}

#[test]
fn an_approximate_index_finds_nearly_all_pairs() {
    let (dim, len) = (32, 3000);
    let mut random = Random(3);
    let mut rows = random.vector(dim * len);
    // A third is near another row, some of them near one that is itself near another.
    for copy in 2000..3000 {
        let original = (random.bits() % copy as u64) as usize;
        for at in 0..dim {
            rows[copy * dim + at] = rows[original * dim + at] + random.component() * 0.01;
        }
    }
    let index = FlatIndex::new(Rows::F32(&rows), dim, Metric::Cosine).unwrap();
    let bytes = AnnBuilder::new(index).unwrap().build().unwrap();
    let view = AnnView::new(&bytes, index).unwrap();
    let all = near_duplicates(&index, 0.999, Selection::All).unwrap();
    let found = near_duplicates_among(&index, 0.999, Selection::All, |ordinal| {
        let row = &rows[ordinal as usize * dim..][..dim];
        view.search(row, 10, 0.98, Selection::All)
    })
    .unwrap();
    assert!(all.len() >= 1000);
    assert!(found.len() * 100 >= all.len() * 98, "{} of {}", found.len(), all.len());
    let all = bits(&all);
    assert!(bits(&found).iter().all(|pair| all.contains(pair)));
}

#[test]
fn damage_and_bad_arguments_are_errors() {
    let mut rows = vec![0.5; 300];
    let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot).unwrap();
    let nan = f32::NAN;
    assert_eq!(near_duplicates(&index, nan, Selection::All), Err(QueryError::Threshold));
    assert_eq!(near_duplicate_groups(&index, nan, Selection::All), Err(QueryError::Threshold));
    let of = |hits: Vec<Hit>| move |_| Ok::<_, QueryError>(hits.clone());
    let among = near_duplicates_among(&index, nan, Selection::All, of(vec![]));
    assert_eq!(among, Err(QueryError::Threshold));
    let beyond = of(vec![Hit { ordinal: 300, score: 1.0 }]);
    let among = near_duplicates_among(&index, 0.0, Selection::All, beyond);
    assert_eq!(among, Err(QueryError::Ordinal { ordinal: 300, len: 300 }));

    (rows[150], rows[290]) = (nan, f32::INFINITY);
    let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Dot).unwrap();
    let error = QueryError::RowNotFinite { ordinal: 150 };
    assert_eq!(near_duplicates(&index, 9.0, Selection::All), Err(error.clone()));
    assert_eq!(near_duplicate_groups(&index, 9.0, Selection::All), Err(error.clone()));
    assert_eq!(exact_duplicates(&index, Selection::All), Err(error));
    let except = [150, 290].into_iter().collect();
    assert_eq!(near_duplicates(&index, 9.0, Selection::Except(&except)), Ok(vec![]));
}
