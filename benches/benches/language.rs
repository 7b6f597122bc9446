//! From text to vectors and statements: embedding and extraction over the slice's texts.
//!
//! The model is the repository's own where `cargo xtask setup` has built it, else one of the slice's
//! words with seeded vectors; the benchmark's name says which.
//!
//! Invariant: before a call is timed, its answers are checked.

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use benches::{Random, WordNet, size};
use criterion::{Criterion, Throughput};
use language::{ModelBuilder, StaticEmbedder, extract};

const BATCH: usize = 1000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let texts = WordNet::slice(size(usize::MAX, 200)).expect("the repository carries it").texts;
    let embedder = embedder(&texts);
    let batch = &texts[..BATCH.min(texts.len())];
    check_embedding(&embedder, batch);

    let mut group = criterion.benchmark_group(format!("language/{}", embedder.model_id()));
    let mut vector = vec![0.0; embedder.dim()];
    let mut turn = texts.iter().cycle();
    group.bench_function("embed a text", |bencher| {
        bencher.iter(|| {
            embedder.embed(black_box(turn.next().expect("a cycle has no end")), &mut vector);
            vector[0]
        });
    });
    group.throughput(Throughput::Elements(batch.len() as u64));
    group.bench_function("embed 1000 texts", |b| b.iter(|| embedder.embed_batch(black_box(batch))));
    group.finish();

    let statements = statements(&texts);
    check_extraction(&statements);
    let mut group = criterion.benchmark_group("language");
    group.throughput(Throughput::Bytes(statements.iter().map(|text| text.len() as u64).sum()));
    group.sample_size(20);
    group.bench_function("extract statements", |bencher| {
        bencher.iter(|| {
            statements.iter().map(|text| extract(black_box(text)).relations.len()).sum::<usize>()
        });
    });
    group.finish();
    criterion.final_summary();
}

fn embedder(texts: &[String]) -> StaticEmbedder {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../language/model/static-minilm.bin");
    let bytes = fs::read(built).unwrap_or_else(|_| seeded_model(texts));
    StaticEmbedder::from_bytes(bytes).expect("a sound model")
}

fn seeded_model(texts: &[String]) -> Vec<u8> {
    let words: BTreeSet<String> = texts
        .iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphabetic()))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut random = Random(23);
    let mut model = ModelBuilder::new("seeded-slice-words", 384).expect("a legal name");
    model.push("[UNK]", &[0.0; 384]).expect("a legal token");
    for word in words {
        model.push(&word, &random.unit_vector(384)).expect("a legal token");
    }
    model.finish().expect("each word once")
}

fn check_embedding(embedder: &StaticEmbedder, texts: &[String]) {
    let dim = embedder.dim();
    let rows = embedder.embed_batch(texts);
    let mut one = vec![0.0; dim];
    for (text, row) in texts.iter().zip(rows.chunks_exact(dim)) {
        embedder.embed(text, &mut one);
        assert_eq!(one, row, "alone and in a batch: {text}");
        let norm: f32 = row.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-4, "length 1, not {norm}: {text}");
    }
}

/// The glosses of nouns as statements: "entity is …".
fn statements(texts: &[String]) -> Vec<String> {
    let statement = |text: &String| {
        let (words, gloss) = text.split_once(": ")?;
        let gloss = gloss.split(';').next()?;
        Some(format!("The {} is {gloss}.", words.split(',').next()?))
    };
    texts.iter().filter_map(statement).take(BATCH).collect()
}

fn check_extraction(statements: &[String]) {
    let found = extract("A dog is a mammal. Mammals are not plants.");
    let facts: Vec<_> = found
        .relations
        .iter()
        .map(|fact| (fact.subject.as_str(), fact.object.as_str(), fact.negated))
        .collect();
    assert_eq!(facts, [("dog", "mammal", false), ("mammal", "plant", true)]);
    let found: usize = statements.iter().map(|text| extract(text).relations.len()).sum();
    assert!(found > statements.len() / 4, "{found} relations in {} statements", statements.len());
}
