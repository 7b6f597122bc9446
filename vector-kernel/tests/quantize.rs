//! Codes by themselves: what they lose, against the known optimum; estimates against `f64`; refusals.
//!
//! Invariant: no bytes make decoding panic, and no estimate is NaN.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{METRICS, Random, oracle, widened};
use half::f16;
use proptest::prelude::*;
use vector_kernel::quantize::{Bits, CodeError, Distortion, Quantizer};
use vector_kernel::{Encoding, FlatIndex, IndexError, MAX_DIM, Metric, QueryError, Rows};

/// Normal, of variance 1, by Box and Muller.
fn gaussian(random: &mut Random) -> f32 {
    let uniform = |random: &mut Random| (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
    let radius = (-2.0 * (1.0 - uniform(random)).ln()).sqrt();
    (radius * (std::f64::consts::TAU * uniform(random)).cos()) as f32
}

fn quantizers(dim: usize) -> Vec<Quantizer> {
    let plain = Bits::ALL.map(|bits| Quantizer::new(dim, bits).unwrap());
    plain.iter().cloned().chain(plain.iter().map(|each| each.clone().with_rotation(9))).collect()
}

#[test]
fn normal_vectors_lose_what_the_best_evenly_spaced_numbers_lose() {
    let (dim, len) = (1000, 200);
    let mut random = Random(1);
    let rows: Vec<f32> = (0..dim * len).map(|_| gaussian(&mut random)).collect();
    let sample = FlatIndex::new(Rows::F32(&rows), dim, Metric::Cosine).unwrap();
    for rotated in [false, true] {
        let mut last = f64::INFINITY;
        let mut last_cosine = f64::INFINITY;
        for (bits, optimum) in Bits::ALL.into_iter().zip([0.3634, 0.1188, 0.01154]) {
            let quantizer = Quantizer::new(dim, bits).unwrap();
            let quantizer = if rotated { quantizer.with_rotation(5) } else { quantizer };
            let measured = quantizer.distortion(&sample).unwrap();
            let ratio = measured.squared_error / optimum;
            assert!((0.97..1.01).contains(&ratio), "{bits:?}: {}", measured.squared_error);
            assert!(measured.squared_error < last && measured.cosine_error < last_cosine);
            (last, last_cosine) = (measured.squared_error, measured.cosine_error);
        }
        for (bits, most) in [(Bits::Eight, 1e-4), (Bits::Half, 1e-7)] {
            let quantizer = Quantizer::new(dim, bits).unwrap();
            let quantizer = if rotated { quantizer.with_rotation(5) } else { quantizer };
            let measured = quantizer.distortion(&sample).unwrap();
            assert!(measured.squared_error < most, "{bits:?}: {}", measured.squared_error);
            assert!(measured.squared_error < last && measured.cosine_error < last_cosine);
            (last, last_cosine) = (measured.squared_error, measured.cosine_error);
        }
    }
}

#[test]
fn a_rotation_helps_where_few_components_are_large() {
    let (dim, len) = (512, 100);
    let mut random = Random(2);
    let rows: Vec<f32> = (0..dim * len)
        .map(|at| gaussian(&mut random) * if at % dim < 8 { 30.0 } else { 1.0 })
        .collect();
    let sample = FlatIndex::new(Rows::F32(&rows), dim, Metric::Cosine).unwrap();
    for (bits, optimum) in Bits::ALL.into_iter().zip([0.3634, 0.1188, 0.01154]) {
        let plain = Quantizer::new(dim, bits).unwrap();
        let rotated = plain.clone().with_rotation(5).distortion(&sample).unwrap();
        assert!(rotated.squared_error < 1.1 * optimum, "{bits:?}: {}", rotated.squared_error);
        let plain = plain.distortion(&sample).unwrap();
        assert!(rotated.squared_error < plain.squared_error, "{bits:?}");
    }
}

#[test]
fn a_measurement_does_not_depend_on_threads() {
    let mut random = Random(3);
    let rows: Vec<f16> = (0..64 * 300).map(|_| f16::from_f32(gaussian(&mut random))).collect();
    let sample = FlatIndex::new(Rows::F16(&rows), 64, Metric::Dot).unwrap();
    for quantizer in quantizers(64) {
        let measure = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| quantizer.distortion(&sample).unwrap())
        };
        assert_eq!(measure(1), measure(3));
    }
}

#[test]
fn codes_are_the_bytes_that_they_were() {
    let vector = [0.5, -1.0, 0.25, 3.0, -2.0];
    let code = |bits| Quantizer::new(5, bits).unwrap().encode(&vector).unwrap();
    let scaled = |scale: f32, numbers: &[u8]| [&scale.to_le_bytes(), numbers].concat();
    assert_eq!(code(Bits::One), scaled(1.35, &[0b01101]));
    assert_eq!(code(Bits::Half)[..6], scaled(2.0, &[0x00, 0x34]));
    assert_eq!(code(Bits::Half).len(), 14);
    let two = code(Bits::Two);
    assert_eq!(two[4..], [0b11_10_01_10, 0b00]);
    // Of the others what they stand for says more.
    for (bits, most) in [(Bits::Four, 0.25), (Bits::Eight, 0.015)] {
        let decoded = Quantizer::new(5, bits).unwrap().decode(&code(bits)).unwrap();
        for (x, y) in vector.iter().zip(&decoded) {
            assert!((x - y).abs() <= most, "{bits:?}: {decoded:?}");
        }
    }
    let other = Quantizer::new(5, Bits::Half).unwrap();
    let codes = [1, 2].map(|seed| other.clone().with_rotation(seed).encode(&vector).unwrap());
    assert_ne!(codes[0], codes[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn estimates_are_scores_with_what_codes_stand_for(
        seed: u64,
        dim in 1_usize..400,
        exponent in -20_i32..20,
    ) {
        let mut random = Random(seed);
        let scale = 2.0_f32.powi(exponent);
        let vector: Vec<f32> = (0..dim).map(|_| gaussian(&mut random) * scale).collect();
        let query: Vec<f32> = (0..dim).map(|_| gaussian(&mut random)).collect();
        for quantizer in quantizers(dim) {
            let code = quantizer.encode(&vector).unwrap();
            prop_assert_eq!(code.len(), quantizer.code_bytes());
            let decoded = widened(&quantizer.decode(&code).unwrap());
            let wide = widened(&query);
            let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let lengths = length(&decoded) * length(&wide);
            let coded = quantizer.query(&query).unwrap();
            for (metric, unit) in [
                (Metric::Cosine, 1.0),
                (Metric::Dot, lengths),
                // A small difference of large numbers, whose error is that of their squares' root.
                (Metric::Euclidean, 30.0 * (length(&decoded) + length(&wide))),
            ] {
                let estimate = f64::from(coded.score(metric, &code).unwrap());
                let expected = oracle(metric, &wide, &decoded);
                prop_assert!(
                    (estimate - expected).abs() <= 2e-4 * unit,
                    "{:?} {metric}: {estimate}, {expected}", quantizer.bits()
                );
            }
        }
    }

    #[test]
    fn decoding_and_coding_again_gives_nearly_the_same(seed: u64, dim in 1_usize..300) {
        let mut random = Random(seed);
        let vector: Vec<f32> = (0..dim).map(|_| gaussian(&mut random)).collect();
        for quantizer in quantizers(dim) {
            let once = quantizer.decode(&quantizer.encode(&vector).unwrap()).unwrap();
            let length = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
            let whole = length(&mut vector.iter().copied());
            // What a code stands for is never longer, nor farther away than nothing.
            prop_assert!(length(&mut once.iter().copied()) <= whole * 1.001);
            let off = length(&mut vector.iter().zip(&once).map(|(x, y)| x - y));
            prop_assert!(off <= whole * 1.0001);
            if quantizer.bits() == Bits::Half {
                prop_assert!(off <= whole * 1e-3);
                let halves: Vec<f32> =
                    vector.iter().map(|&x| f16::from_f32(x).to_f32()).collect();
                let plain = Quantizer::new(dim, Bits::Half).unwrap();
                let decoded = plain.decode(&plain.encode(&halves).unwrap()).unwrap();
                prop_assert!(halves.iter().zip(&decoded).all(|(x, y)| (x - y).abs() <= 1e-6));
            }
        }
    }

    #[test]
    fn no_bytes_make_decoding_panic(
        seed: u64,
        dim in 1_usize..100,
        change in -3_isize..4,
        sound_scale: bool,
    ) {
        let mut random = Random(seed);
        for quantizer in quantizers(dim) {
            let len = quantizer.code_bytes().saturating_add_signed(change.min(1));
            let mut code: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
            if sound_scale && code.len() >= 4 {
                code[3] &= 0x3f;
            }
            let query = quantizer.query(&random.vector(dim)).unwrap();
            let decoded = quantizer.decode(&code);
            match &decoded {
                Ok(vector) => {
                    prop_assert_eq!(len, quantizer.code_bytes());
                    prop_assert!(vector.len() == dim && vector.iter().all(|x| x.is_finite()));
                }
                Err(CodeError::Length { expected, found }) => {
                    prop_assert_eq!((*expected, *found), (quantizer.code_bytes(), len));
                }
                Err(_) => {}
            }
            for metric in METRICS {
                match query.score(metric, &code) {
                    Ok(score) => prop_assert!(score.is_finite() && decoded.is_ok()),
                    // By their text: a scale that is NaN equals nothing.
                    Err(error) => {
                        let decoding = decoded.clone().map_err(|error| error.to_string());
                        prop_assert_eq!(decoding, Err(error.to_string()));
                    }
                }
            }
        }
    }
}

#[test]
fn extreme_vectors_have_codes() {
    let dim = 70;
    let vectors = [
        vec![0.0; dim],
        vec![f32::MAX; dim],
        vec![-f32::MAX; dim],
        vec![f32::MIN_POSITIVE; dim],
        vec![f32::from_bits(1); dim],
        (0..dim).map(|at| if at == 3 { f32::MAX } else { f32::from_bits(1) }).collect(),
    ];
    for quantizer in quantizers(dim) {
        for vector in &vectors {
            let code = quantizer.encode(vector).unwrap();
            let decoded = quantizer.decode(&code).unwrap();
            assert!(decoded.iter().all(|x| x.is_finite()));
            let query = quantizer.query(vector).unwrap();
            for metric in METRICS {
                assert!(query.score(metric, &code).unwrap().is_finite());
            }
            let cosine = query.score(Metric::Cosine, &code).unwrap();
            if vector[3] == 0.0 {
                assert!(decoded.iter().all(|&x| x == 0.0) && cosine == 0.0);
            } else if vector[0].abs() >= f32::MIN_POSITIVE {
                assert!(cosine > 0.7, "{:?}: {cosine}", quantizer.bits());
            }
        }
    }
}

#[test]
fn what_is_no_vector_or_no_code_is_refused() {
    let new = |dim| Quantizer::new(dim, Bits::Two).map(|quantizer| quantizer.dim());
    assert_eq!(new(0), Err(IndexError::Dimension { dim: 0 }));
    assert_eq!(new(MAX_DIM + 1), Err(IndexError::Dimension { dim: MAX_DIM + 1 }));
    assert_eq!(new(MAX_DIM), Ok(MAX_DIM));
    for quantizer in quantizers(3) {
        let dimension = QueryError::Dimension { expected: 3, found: 2 };
        assert_eq!(quantizer.encode(&[1.0; 2]), Err(dimension.clone()));
        assert_eq!(quantizer.query(&[1.0; 2]).map(|_| ()), Err(dimension));
        let infinite = QueryError::NotFinite { index: 1, value: f32::INFINITY };
        assert_eq!(quantizer.encode(&[1.0, f32::INFINITY, 0.0]), Err(infinite));
        let mut code = quantizer.encode(&[1.0, 2.0, 3.0]).unwrap();
        for scale in [-1.0, f32::INFINITY] {
            code[..4].copy_from_slice(&scale.to_le_bytes());
            assert_eq!(quantizer.decode(&code), Err(CodeError::Scale { value: scale }));
        }
        code[..4].copy_from_slice(&1.0_f32.to_le_bytes());
        if quantizer.bits() == Bits::Half {
            code[6..8].copy_from_slice(&f16::NAN.to_le_bytes());
            assert_eq!(quantizer.decode(&code), Err(CodeError::NotFinite { index: 1 }));
        }
        let expected = quantizer.code_bytes();
        let found = expected - 1;
        let length = CodeError::Length { expected, found };
        assert_eq!(quantizer.decode(&code[..found]), Err(length));
        assert_eq!(quantizer.decode(&[]), Err(CodeError::Length { expected, found: 0 }));

        let small = [1_i8; 6];
        let sample = FlatIndex::new(Rows::I8(&small), 3, Metric::Dot).unwrap();
        let encoding = QueryError::Encoding { rows: Encoding::I8, query: Encoding::F32 };
        assert_eq!(quantizer.distortion(&sample), Err(encoding));
        let rows = [1.0, 2.0, 3.0, 1.0, f32::NAN, 0.0];
        let sample = FlatIndex::new(Rows::F32(&rows), 3, Metric::Dot).unwrap();
        let damaged = QueryError::RowNotFinite { ordinal: 1 };
        assert_eq!(quantizer.distortion(&sample), Err(damaged));
        let sample = FlatIndex::new(Rows::F32(&rows), 2, Metric::Dot).unwrap();
        let dimension = QueryError::Dimension { expected: 3, found: 2 };
        assert_eq!(quantizer.distortion(&sample), Err(dimension));
        let sample = FlatIndex::new(Rows::F32(&[]), 3, Metric::Dot).unwrap();
        assert_eq!(quantizer.distortion(&sample), Ok(Distortion::default()));
    }
}
