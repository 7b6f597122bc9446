//! The store on the slice, with seeded vectors: durable batches, opening, and reads of what was closed
//! and opened again.
//!
//! Invariant: before a read is timed, its answers are compared with what was put.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use benches::{Random, WordNet, size};
use criterion::{BatchSize, Criterion, Throughput};
use storage_core::{Association, Concept, Direction, Filter, GraphStore, OpenOptions, StoreConfig};

const DIM: usize = 384;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let slice = WordNet::slice(size(usize::MAX, 300)).expect("the repository carries the slice");
    let vectors = Random(17).unit_rows(slice.ids.len(), DIM);
    writes(&mut criterion, &slice, &vectors);
    reads(&mut criterion, &slice, &vectors);
    criterion.final_summary();
}

fn options() -> OpenOptions {
    let config = StoreConfig { vector_dimension: DIM, ..StoreConfig::default() };
    OpenOptions { config: config.into(), ..OpenOptions::default() }
}

fn open(path: &Path) -> GraphStore {
    GraphStore::open(path, options()).expect("the folder is the benchmark's own")
}

/// The slice's concepts again and again, each time with ids of their own.
fn concept(slice: &WordNet, vectors: &[f32], at: usize) -> Concept {
    let (round, row) = (at / slice.ids.len(), at % slice.ids.len());
    let vector = vectors[row * DIM..][..DIM].to_vec();
    Concept::new(format!("{}/{round}", slice.ids[row]), &slice.texts[row]).with_vector(vector)
}

fn writes(criterion: &mut Criterion, slice: &WordNet, vectors: &[f32]) {
    let batch = size(1000, 50);
    let folder = tempfile::tempdir().expect("a folder for the store");
    let store = open(folder.path());
    let mut put = 0;
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20);
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function("put 1000 concepts, durable", |bencher| {
        let next = || {
            put += batch;
            (put - batch..put).map(|at| concept(slice, vectors, at)).collect::<Vec<_>>()
        };
        let put = |concepts| store.put_concepts(concepts).expect("they are legal");
        bencher.iter_batched(next, put, BatchSize::PerIteration);
    });
    group.finish();
    let found = store.snapshot().expect("it is open").concept_count();
    assert_eq!(found, put as u64, "each batch is there");
    store.close().expect("it can be saved");
}

fn reads(criterion: &mut Criterion, slice: &WordNet, vectors: &[f32]) {
    let folder = tempfile::tempdir().expect("a folder for the store");
    fill(folder.path(), slice, vectors);
    let store = open(folder.path());
    check(&store, slice, vectors);

    let mut group = criterion.benchmark_group("store");
    group.bench_function("open", |bencher| {
        bencher.iter_custom(|rounds| {
            let read_only = OpenOptions { read_only: true, ..options() };
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let options = read_only.clone();
                let start = Instant::now();
                let opened = GraphStore::open(black_box(folder.path()), options);
                took += start.elapsed();
                opened.and_then(|store| store.close()).expect("it was just made");
            }
            took
        });
    });
    let mut random = Random(19);
    let mut id = || slice.ids[random.below(slice.ids.len())].as_str();
    group.bench_function("vector", |b| b.iter(|| store.vector(black_box(id())).expect("sound")));
    group.bench_function("neighbours", |b| {
        b.iter(|| store.neighbors(black_box(id()), Direction::Out).expect("sound"));
    });
    group.bench_function("concept", |b| b.iter(|| store.concept(black_box(id())).expect("sound")));
    let mut turn = slice.texts.iter().cycle();
    group.bench_function("words of a gloss, top 10", |bencher| {
        bencher.iter(|| {
            let text = turn.next().expect("a cycle has no end");
            store.search_text(black_box(three_words(text)), 10).expect("sound")
        });
    });
    let everything = Filter::default();
    group.bench_function("nearest vectors, top 10", |bencher| {
        bencher.iter(|| store.search_vector(black_box(&vectors[..DIM]), 10, &everything));
    });
    group.finish();
    store.close().expect("it can be saved");
}

/// The first three words after a text's headwords.
fn three_words(text: &str) -> &str {
    let gloss = text.split_once(": ").map_or(text, |(_, gloss)| gloss);
    let end = gloss.match_indices(' ').nth(2).map_or(gloss.len(), |(at, _)| at);
    &gloss[..end]
}

fn fill(path: &Path, slice: &WordNet, vectors: &[f32]) {
    let store = open(path);
    let rows: Vec<usize> = (0..slice.ids.len()).collect();
    for rows in rows.chunks(1000) {
        let concepts = rows.iter().map(|&row| {
            let vector = vectors[row * DIM..][..DIM].to_vec();
            Concept::new(&*slice.ids[row], &*slice.texts[row]).with_vector(vector)
        });
        store.put_concepts(concepts.collect()).expect("they are legal");
    }
    for edges in slice.associations.chunks(4000) {
        let associations = edges.iter().map(|&(source, target, kind)| {
            Association::new(&*slice.ids[source as usize], &*slice.ids[target as usize])
                .with_type(&*slice.types[kind as usize])
        });
        store.put_associations(associations.collect(), false).expect("both ends are there");
    }
    store.close().expect("it can be saved");
}

fn check(store: &GraphStore, slice: &WordNet, vectors: &[f32]) {
    for row in (0..slice.ids.len()).step_by(97) {
        let id = &slice.ids[row];
        let vector = vectors[row * DIM..][..DIM].to_vec();
        assert_eq!(store.vector(id).expect("sound").as_ref(), Some(&vector), "vector of {id}");
        let found = store.concept(id).expect("sound").expect("it was put");
        assert_eq!((found.content.as_str(), found.vector), (&*slice.texts[row], Some(vector)));
        let targets: BTreeSet<u32> = slice
            .associations
            .iter()
            .filter(|edge| edge.0 == row as u32)
            .map(|edge| edge.1)
            .collect();
        let expected: Vec<&str> =
            targets.iter().map(|&target| slice.ids[target as usize].as_str()).collect();
        let neighbours = store.neighbors(id, Direction::Out).expect("sound");
        assert_eq!(neighbours, expected, "neighbours of {id}");
    }
    let nearest =
        store.search_vector(&vectors[..DIM], 1, &Filter::default()).expect("a legal query");
    assert_eq!(nearest[0].id, slice.ids[0], "a vector is nearest to itself");
    let hits = store.search_text(&slice.texts[0], 1).expect("a legal query");
    assert_eq!(hits[0].id, slice.ids[0], "a text's own words find it");
}
