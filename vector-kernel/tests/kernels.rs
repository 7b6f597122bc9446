//! Every instruction set against the portable one, bit for bit, and against `f64` within the stated
//! error bounds.
//!
//! Invariant: each test runs on all instruction sets that the machine has.

mod common;

use common::{METRICS, Random, oracle, widened};
use half::f16;
use proptest::prelude::*;
use vector_kernel::{
    FlatIndex, Metric, Rows, Selection,
    kernels::{self, Isa},
};

/// Every tail length around each unit of the kernels, and common dimensions.
fn dims() -> impl Iterator<Item = usize> {
    (1..=144).chain([192, 255, 256, 300, 383, 384, 385, 512, 768, 1000, 1024, 1536])
}

/// Vectors that show a different order of summation at once: their terms differ in size.
fn rough(random: &mut Random, dim: usize) -> Vec<f32> {
    (0..dim).map(|_| random.component() * 2.0_f32.powi((random.bits() % 16) as i32)).collect()
}

#[test]
fn float_kernels_agree_to_the_bit_on_every_instruction_set() {
    let mut random = Random(1);
    let [portable, others @ ..] = &Isa::available()[..] else { panic!("portable is always there") };
    for dim in dims() {
        let (a, b) = (rough(&mut random, dim), rough(&mut random, dim));
        let halves: Vec<f16> = b.iter().map(|&x| f16::from_f32(x)).collect();
        for isa in others {
            let name = isa.as_str();
            let all = |isa| {
                [
                    kernels::dot(isa, &a, &b),
                    kernels::dot_f16(isa, &a, &halves),
                    kernels::squared_euclidean(isa, &a, &b),
                    kernels::squared_euclidean_f16(isa, &a, &halves),
                ]
                .map(f32::to_bits)
            };
            assert_eq!(all(*portable), all(*isa), "{name}, dim {dim}");
        }
    }
}

#[test]
fn the_sum_follows_the_documented_order() {
    let mut random = Random(2);
    for dim in dims() {
        let (a, b) = (rough(&mut random, dim), rough(&mut random, dim));
        let mut lanes = [0.0_f32; 64];
        for i in 0..dim {
            lanes[i % 64] = a[i].mul_add(b[i], lanes[i % 64]);
        }
        let mut folded: Vec<f32> =
            (0..16).map(|i| ((lanes[i] + lanes[i + 16]) + lanes[i + 32]) + lanes[i + 48]).collect();
        while folded.len() > 1 {
            let upper = folded.split_off(folded.len() / 2);
            folded.iter_mut().zip(upper).for_each(|(low, high)| *low += high);
        }
        for isa in Isa::available() {
            let found = kernels::dot(isa, &a, &b);
            assert_eq!(found.to_bits(), (folded[0] + 0.0).to_bits(), "{}, {dim}", isa.as_str());
        }
    }
}

#[test]
fn every_f16_value_widens_alike_on_every_instruction_set() {
    for start in (0..=u16::MAX).step_by(16) {
        let row: Vec<f16> = (start..=start + 15).map(f16::from_bits).collect();
        for (i, value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            // One component at a time: the others are not finite in some rows.
            let mut alone = [f16::ZERO; 16];
            alone[i] = *value;
            for isa in Isa::available() {
                let widened = kernels::dot_f16(isa, &[1.0; 16], &alone);
                assert_eq!(
                    widened.to_bits(),
                    (value.to_f32() + 0.0).to_bits(),
                    "{}, {value:?}",
                    isa.as_str()
                );
            }
        }
    }
}

#[test]
fn float_kernels_stay_within_the_stated_error_bounds() {
    let mut random = Random(3);
    let unit = 2.0_f64.powi(-24);
    for dim in dims() {
        let (a, b) = (rough(&mut random, dim), rough(&mut random, dim));
        let halves: Vec<f16> = b.iter().map(|&x| f16::from_f32(x)).collect();
        let isa = Isa::detect();
        let (a64, b64, h64) = (widened(&a), widened(&b), widened(&halves));
        let gamma = |n: f64| n * unit / (1.0 - n * unit);
        let n = (dim.div_ceil(64) + 8) as f64;
        for (row, found) in
            [(&b64, kernels::dot(isa, &a, &b)), (&h64, kernels::dot_f16(isa, &a, &halves))]
        {
            let exact = oracle(Metric::Dot, &a64, row);
            let magnitude: f64 = a64.iter().zip(row).map(|(a, b)| (a * b).abs()).sum();
            assert!((f64::from(found) - exact).abs() <= gamma(n) * magnitude, "dot, {dim}");
        }
        for (row, found) in [
            (&b64, kernels::squared_euclidean(isa, &a, &b)),
            (&h64, kernels::squared_euclidean_f16(isa, &a, &halves)),
        ] {
            let exact = oracle(Metric::Euclidean, &a64, row).powi(2);
            assert!((f64::from(found) - exact).abs() <= gamma(n + 2.0) * exact, "distance, {dim}");
        }
        let index = FlatIndex::new(Rows::F32(&b), dim, Metric::Cosine).unwrap();
        let exact = oracle(Metric::Cosine, &a64, &b64);
        let found = f64::from(index.score(&a, 0).unwrap());
        assert!((found - exact).abs() <= (n + 8.0) * unit, "cosine, {dim}");
    }
}

#[test]
fn whole_searches_agree_to_the_bit_on_every_instruction_set() {
    let mut random = Random(4);
    for dim in [7, 64, 100, 384] {
        let rows = rough(&mut random, dim * 300);
        let halves: Vec<f16> = rows.iter().map(|&x| f16::from_f32(x)).collect();
        let queries = rough(&mut random, dim * 7);
        for metric in METRICS {
            for rows in [Rows::F32(&rows), Rows::F16(&halves)] {
                let answers: Vec<_> = Isa::available()
                    .into_iter()
                    .map(|isa| {
                        let index = FlatIndex::new(rows, dim, metric).unwrap().with_isa(isa);
                        let batch = index.search_batch(&queries, 50, Selection::All).unwrap();
                        batch.iter().map(|hits| common::bits(hits)).collect::<Vec<_>>()
                    })
                    .collect();
                assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{metric}, {dim}");
            }
        }
    }
}

#[test]
fn byte_kernels_are_exact_at_the_extremes_of_value_and_dimension() {
    for dim in [1, 63, 64, 65, 32_767, 32_768, 32_769, vector_kernel::MAX_DIM] {
        for (x, y) in [(-128, -128), (-128, 127), (127, 127)] {
            let (a, b) = (vec![x; dim], vec![y; dim]);
            assert_eq!(kernels::dot_i8(&a, &b), kernels::scalar::dot_i8(&a, &b));
            assert_eq!(
                kernels::squared_euclidean_i8(&a, &b),
                kernels::scalar::squared_euclidean_i8(&a, &b),
            );
        }
    }
}

proptest! {
    #[test]
    fn byte_kernels_equal_the_scalar_reference(
        (a, b) in (0_usize..600).prop_flat_map(|dim| {
            (prop::collection::vec(any::<i8>(), dim), prop::collection::vec(any::<i8>(), dim))
        }),
    ) {
        prop_assert_eq!(kernels::dot_i8(&a, &b), kernels::scalar::dot_i8(&a, &b));
        prop_assert_eq!(
            kernels::squared_euclidean_i8(&a, &b),
            kernels::scalar::squared_euclidean_i8(&a, &b),
        );
    }

    #[test]
    fn bit_kernels_equal_the_scalar_reference_whatever_the_padding_holds(
        (dim, a, b) in (1_usize..1200).prop_flat_map(|dim| {
            let bytes = || prop::collection::vec(any::<u8>(), dim.div_ceil(8));
            (Just(dim), bytes(), bytes())
        }),
    ) {
        prop_assert_eq!(kernels::hamming(&a, &b, dim), kernels::scalar::hamming(&a, &b, dim));
        let (both, either) = (0..dim).fold((0, 0), |(both, either), i| {
            let (a, b) = (a[i / 8] >> (i % 8) & 1, b[i / 8] >> (i % 8) & 1);
            (both + u32::from(a & b), either + u32::from(a | b))
        });
        let expected = if either == 0 { 1.0 } else { (f64::from(both) / f64::from(either)) as f32 };
        prop_assert_eq!(kernels::jaccard(&a, &b, dim).to_bits(), expected.to_bits());
    }
}
