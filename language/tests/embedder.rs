//! The embedder's promises over random texts, batches, threads and bytes.

use language::{ModelBuilder, StaticEmbedder};
use proptest::prelude::*;

const DIM: usize = 19;

/// A model whose tokens cover letters, so that random texts hit many of them.
fn model_bytes() -> Vec<u8> {
    let mut model = ModelBuilder::new("synthetic-1", DIM).expect("a valid id");
    let mut seed = 7_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    model.push("[UNK]", &[0.0; DIM]).expect("a valid token");
    for letter in ('a'..='z').chain(['.', '\u{6771}', '\u{44f}']) {
        for token in [letter.to_string(), format!("##{letter}")] {
            let vector: Vec<f32> = (0..DIM).map(|_| next()).collect();
            model.push(&token, &vector).expect("a valid token");
        }
    }
    model.finish().expect("a valid vocabulary")
}

fn embedder() -> StaticEmbedder {
    StaticEmbedder::from_bytes(model_bytes()).expect("a valid model")
}

fn bits(vectors: &[f32]) -> Vec<u32> {
    vectors.iter().map(|x| x.to_bits()).collect()
}

fn embed(embedder: &StaticEmbedder, text: &str) -> Vec<f32> {
    let mut out = vec![f32::NAN; embedder.dim()];
    embedder.embed(text, &mut out);
    out
}

#[test]
fn an_embedding_is_the_normalised_sum_of_its_rows() {
    let embedder = embedder();
    let (ab, a, b) = (embed(&embedder, "a b"), embed(&embedder, "a"), embed(&embedder, "b"));
    // `a` and `b` are unit vectors along their rows, so `ab` lies in their plane.
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let (along_a, along_b, cosine) = (dot(&ab, &a), dot(&ab, &b), dot(&a, &b));
    let square = (along_a.powi(2) + along_b.powi(2) - 2.0 * cosine * along_a * along_b)
        / (1.0 - cosine.powi(2));
    assert!((square - 1.0).abs() < 1e-4, "part of the vector inside the plane: {square}");
    assert!(along_a > cosine && along_b > cosine);
}

#[test]
fn a_text_without_a_known_token_is_the_zero_vector() {
    let embedder = embedder();
    for text in ["", "  ", "123", "\u{4eac}", "?!"] {
        assert!(embed(&embedder, text).iter().all(|x| x.to_bits() == 0), "{text:?}");
    }
    assert!(embedder.embed_batch::<&str>(&[]).is_empty());
}

#[test]
#[should_panic(expected = "the output must have the model's dimension")]
fn an_output_of_another_dimension_panics() {
    embedder().embed("a", &mut [0.0; DIM + 1]);
}

#[test]
fn the_thread_count_changes_no_bit() {
    let embedder = embedder();
    let texts: Vec<String> =
        (0..1000).map(|i| format!("text {i} {}", "zyx ".repeat(i % 9))).collect();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        bits(&pool.install(|| embedder.embed_batch(&texts)))
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(7));
}

proptest! {
    #[test]
    fn a_batch_is_its_singles_bit_by_bit(texts in prop::collection::vec("\\PC{0,30}", 0..150)) {
        let embedder = embedder();
        let batch = embedder.embed_batch(&texts);
        prop_assert_eq!(batch.len(), texts.len() * DIM);
        for (row, text) in batch.chunks(DIM).zip(&texts) {
            prop_assert_eq!(bits(row), bits(&embed(&embedder, text)));
        }
    }

    #[test]
    fn any_text_has_length_one_or_zero(text in any::<String>()) {
        let vector = embed(&embedder(), &text);
        let square: f32 = vector.iter().map(|x| x * x).sum();
        prop_assert!(square.to_bits() == 0 || (square - 1.0).abs() < 1e-5, "{}", square);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(StaticEmbedder::from_bytes(bytes.clone()).is_err());
        // Behind a true magic and version the decoder is in deeper waters.
        let bytes = [&model_bytes()[..12], &bytes].concat();
        prop_assert!(StaticEmbedder::from_bytes(bytes).is_err());
    }

    /// A mutation that keeps the checksum right, as a hostile author would: what is accepted must
    /// embed any text without a panic, to finite numbers.
    #[test]
    fn sealed_mutations_are_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        text in "[a-z\\. ]{0,40}",
    ) {
        let mut bytes = model_bytes();
        let body = bytes.len() - 4;
        for (index, value) in changes {
            bytes[index.index(body)] = value;
        }
        let checksum = crc32c::crc32c(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&checksum);
        if let Ok(embedder) = StaticEmbedder::from_bytes(bytes) {
            prop_assert!(embed(&embedder, &text).iter().all(|x| x.is_finite()));
        }
    }
}
