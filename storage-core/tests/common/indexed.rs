//! A store with enough vectors for an index beside its segment, a life in which indexes are built and go, and what
//! searches have to find after each part of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage_core::fs::FileSystem;
use storage_core::{Concept, Filter, GraphStore, OpenOptions, VectorQuery};

use super::child::say;
use super::{DIM, Random, options};

/// A few more than the fewest that get an index.
const COUNT: u64 = 4200;
const K: usize = 10;
const QUERIES: u64 = 12;

/// Vectors by id.
pub(crate) type Vectors = BTreeMap<String, Vec<f32>>;

/// What a process does to the store, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Index,
    Put,
    Delete,
    /// The segment and its index go.
    Compact,
}

pub(crate) const LIFE: [Task; 5] =
    [Task::Index, Task::Put, Task::Delete, Task::Compact, Task::Index];

fn vector(at: u64) -> Vec<f32> {
    Random(at).vector()
}

fn put(store: &GraphStore, numbers: std::ops::Range<u64>) {
    let concepts =
        numbers.map(|at| Concept::new(format!("c{at}"), "river").with_vector(vector(at)));
    store.put_concepts(concepts.collect()).unwrap();
}

impl Task {
    /// What the store holds once it is done.
    pub(crate) fn apply(self, vectors: &mut Vectors) {
        match self {
            Self::Index | Self::Compact => {}
            Self::Put => vectors.extend(held(COUNT..COUNT + 9)),
            Self::Delete => drop(vectors.remove("c7")),
        }
    }

    fn run(self, store: &GraphStore, by_itself: bool) {
        match self {
            Self::Index if by_itself => {
                while store.stats().unwrap().indexed_vectors == 0 {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Self::Index => drop(store.index_vectors().unwrap()),
            Self::Put => put(store, COUNT..COUNT + 9),
            Self::Delete => assert!(store.delete_concept("c7").unwrap()),
            Self::Compact => store.compact().unwrap(),
        }
    }
}

fn held(numbers: std::ops::Range<u64>) -> impl Iterator<Item = (String, Vec<f32>)> {
    numbers.map(|at| (format!("c{at}"), vector(at)))
}

/// Makes the store that has no index yet; returns what it holds.
pub(crate) fn make(path: &Path) -> Vectors {
    let store = GraphStore::open(path, options()).unwrap();
    put(&store, 0..COUNT);
    store.flush().unwrap();
    store.close().unwrap();
    held(0..COUNT).collect()
}

/// The child's part: says after each task that it is done. With `by_itself` the background builds the indexes.
pub(crate) fn live(fs: Arc<dyn FileSystem>, path: &Path, by_itself: bool) {
    let options = OpenOptions { background: by_itself, ..options() };
    let store = GraphStore::open_with(fs, path, options).unwrap();
    for task in LIFE {
        task.run(&store, by_itself);
        say("done");
    }
}

/// Opens what a death left: it is what it may be, searches of vectors find what comparing all of them does, with what
/// there is of indexes, and with those that are built then. Returns which it is, and the handle: it stays open until all
/// is checked, as a living process's would.
pub(crate) fn check(path: &Path, allowed: &[Vectors]) -> (Vectors, GraphStore) {
    let store = GraphStore::open(path, options()).unwrap();
    let mut ids = store.snapshot().unwrap().concept_ids(None, usize::MAX).unwrap();
    ids.sort_unstable();
    let vectors = allowed.iter().find(|vectors| vectors.keys().eq(&ids));
    let vectors = vectors.expect("what was acknowledged, with or without what was in flight");
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.stats().unwrap().set_aside, Vec::<String>::new());
    check_searches(&store, vectors);
    store.index_vectors().unwrap();
    assert!(store.stats().unwrap().indexed_vectors >= COUNT - 1);
    let names = std::fs::read_dir(path.join("seg")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert!(!names.any(|name| name.contains(".tmp")), "half an index stays");
    assert!(store.verify().unwrap().is_sound());
    check_searches(&store, vectors);
    (vectors.clone(), store)
}

fn check_searches(store: &GraphStore, vectors: &Vectors) {
    let snapshot = store.snapshot().unwrap();
    let (mut found, mut wanted) = (0, 0);
    for at in 0..QUERIES {
        let query = vector(1_000_000 + at);
        let mut scores: Vec<f64> = vectors.values().map(|vector| cosine(&query, vector)).collect();
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let best = snapshot.search_vector(&query, K, &Filter::default()).unwrap();
        assert_eq!(best.len(), K);
        for (hit, score) in best.iter().zip(scores) {
            assert!((f64::from(hit.score) - score).abs() < 1e-5, "{} at {}", hit.id, hit.score);
        }
        for recall in [1.0, 0.95] {
            let near = VectorQuery { recall, ..VectorQuery::new(&query, K) };
            let hits = snapshot.search_near(&near).unwrap().pop().unwrap();
            if recall >= 1.0 {
                assert_eq!(hits, best);
            }
            assert_eq!(hits.len(), K, "as many as there are");
            for hit in &hits {
                let score = cosine(&query, &vectors[&hit.id]);
                assert!((f64::from(hit.score) - score).abs() < 1e-5, "{}", hit.id);
            }
            found += hits.iter().filter(|hit| best.contains(hit)).count();
            wanted += K;
        }
    }
    assert!(found * 10 >= wanted * 9, "{found} of {wanted}");
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        (0..DIM).map(|at| f64::from(a[at]) * f64::from(b[at])).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
