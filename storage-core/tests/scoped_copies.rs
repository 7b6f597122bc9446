//! Copies of a store with namespaces, windows and expiry: a backup, a repaired store, an export that was
//! imported, and an untrusted opening each show every reader the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::held::Held;
use common::{DIM, Model, Random, options, run_both};
use storage_core::{
    Association, Concept, Error, GraphStore, OpenOptions, Retention, StoreConfig, TextQuery,
};

/// A store with much in three namespaces, some of which holds for a time or has expired, its last
/// transactions in the log.
fn build(dir: &Path, seed: u64) -> GraphStore {
    let options = OpenOptions { retention: Some(Retention::None), ..options() };
    let store = GraphStore::open(dir, options).unwrap();
    let (ann, bob) = (store.namespace("ann").unwrap(), store.namespace("bob").unwrap());
    let (mut models, mut random) = (vec![Model::default(); 3], Random(seed));
    for at in 0..150 {
        run_both([&store, &ann, &bob][at % 3], &mut models[at % 3], &mut random);
        let handle = [&bob, &store, &ann][at % 3];
        let mut concept = Concept::new(format!("timed {}", at % 20), "river");
        concept.vector = (at % 2 == 0).then(|| vec![at as f32; DIM]);
        concept.valid_to = (at % 4 == 0).then_some(at as f64);
        concept.expires = match at % 5 {
            0 => Some(1.0),
            1 => Some(1e12),
            _ => None,
        };
        handle.put_concept(concept).unwrap();
        let mut association = Association::new("timed 0", format!("timed {}", at % 20));
        association.valid_from = Some(at as f64);
        association.expires = (at % 7 == 0).then_some(1.0);
        // An end may be missing, or have expired.
        handle.put_association(association).ok();
        if at % 40 == 0 {
            store.flush().unwrap();
        }
    }
    store
}

/// What each reader sees: of each namespace all that is held, word scores, and what holds at a time.
fn seen(store: &GraphStore) -> Vec<(Held, String, Held)> {
    let handles =
        store.namespaces().unwrap().into_iter().map(|name| store.namespace(&name).unwrap());
    let mut all = Vec::new();
    let mut look = |handle: &GraphStore| {
        let snapshot = handle.snapshot().unwrap();
        let words = snapshot.search_words(&TextQuery::new("river stone cloud", 100)).unwrap();
        let then = Held::read(&snapshot.valid_at(60.0).unwrap());
        all.push((Held::read(&snapshot), format!("{words:?}"), then));
    };
    look(store);
    handles.for_each(|handle| look(&handle));
    assert_eq!(all.len(), 3);
    all
}

#[test]
fn every_copy_shows_every_reader_the_same() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let store = build(&path("store"), seed);
        let expected = seen(&store);
        store.save().unwrap();

        store.backup(path("backup")).unwrap();
        let read_only = OpenOptions { read_only: true, ..options() };
        assert_eq!(seen(&GraphStore::open(path("backup"), read_only).unwrap()), expected);

        let untrusted = GraphStore::open_untrusted(path("backup"), options()).unwrap();
        assert_eq!(seen(&untrusted), expected);

        store.export_jsonl(path("lines")).unwrap();
        let config = StoreConfig { vector_dimension: DIM, ..StoreConfig::default() };
        let imported = GraphStore::in_memory(config.clone()).unwrap();
        imported.import_jsonl(path("lines")).unwrap();
        assert_eq!(seen(&imported), expected);

        // One namespace alone is exported without its name, and imported wherever one wants it.
        let ann = store.namespace("ann").unwrap();
        ann.export_jsonl(path("ann")).unwrap();
        let other = GraphStore::in_memory(config).unwrap();
        let carol = other.namespace("carol").unwrap();
        carol.import_jsonl(path("ann")).unwrap();
        assert_eq!(other.namespaces().unwrap(), ["carol"]);
        assert_eq!(Held::read(&carol.snapshot().unwrap()), expected[1].0);
        let refused = carol.import_jsonl(path("lines"));
        assert!(matches!(refused, Err(Error::InvalidExport { .. })), "{refused:?}");

        std::mem::forget((ann, store)); // As by a crash.
        let report = GraphStore::repair(path("store"), path("repaired")).unwrap();
        assert!(report.losses.is_empty(), "{report:?}");
        let repaired = GraphStore::open(path("repaired"), options()).unwrap();
        assert_eq!(seen(&repaired), expected);
        assert!(repaired.verify().unwrap().is_sound());
        repaired.delete_expired().unwrap();
        assert_eq!(seen(&repaired), expected);
    }
}
