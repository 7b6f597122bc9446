//! A broken index is no broken store: what follows from the records is made anew, reads answer as before,
//! `stats()` names it, and a compaction writes it sound.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::crafted::Crafted;
use common::{Model, Random, Step, copy_directory, options, run_both, variable};
use storage_core::{Association, Concept, Error, GraphStore, OpenOptions};

/// The kinds of a segment's sections, and where they lie.
fn sections(bytes: &[u8]) -> Vec<(u32, std::ops::Range<usize>)> {
    let segment = Crafted(bytes.to_vec());
    let kinds = segment.entries().map(|entry| segment.number(entry, 4) as u32);
    kinds.map(|kind| (kind, segment.section(kind))).collect()
}

/// The one segment of a compacted store; those before it belong to the previous generation.
fn newest_segment(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir.join("seg")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "seg")).max().unwrap()
}

/// Creation order, id table, inverse norms, words, windows, namespaces: all that follows from the rest.
const DERIVED: [u32; 9] = [4, 7, 12, 13, 19, 20, 21, 22, 23];

/// A store with a namespace, windows and vectors in one segment, and the models of both.
fn build(dir: &Path, seed: u64, options: &OpenOptions) -> [Model; 2] {
    let (mut models, mut random) = ([Model::default(), Model::default()], Random(seed));
    let store = GraphStore::open(dir, options.clone()).unwrap();
    let user = store.namespace("user").unwrap();
    for at in 0..120 {
        run_both([&store, &user][at % 2], &mut models[at % 2], &mut random);
    }
    // One of each that a model knows nothing of, elsewhere.
    let other = store.namespace("other").unwrap();
    let mut concept = Concept::new("a", "river").with_vector(vec![1.0; common::DIM]);
    concept.valid_to = Some(5.0);
    other.put_concept(concept).unwrap();
    let mut association = Association::new("a", "a");
    association.valid_to = Some(5.0);
    other.put_association(association).unwrap();
    store.compact().unwrap();
    store.close().unwrap();
    models
}

fn check(store: &GraphStore, models: &[Model; 2]) {
    models[0].check(store);
    models[1].check(&store.namespace("user").unwrap());
    let other = store.namespace("other").unwrap().snapshot().unwrap();
    assert_eq!(other.concepts_in_range(0.0, 1e18).unwrap(), ["a"]);
    assert_eq!(other.search_text("river", 5).unwrap().len(), 1);
    assert_eq!(other.valid_at(5.0).unwrap().concept_count(), 0);
    assert_eq!(other.valid_at(5.0).unwrap().association_count(), 0);
    assert_eq!(other.valid_at(4.0).unwrap().association_count(), 1);
}

#[test]
fn every_index_that_follows_from_the_records_is_made_anew() {
    let background = OpenOptions { background: true, ..options() };
    for seed in 0..variable("SUTRA_INDEX_SEEDS").unwrap_or(2) {
        let dir = tempfile::tempdir().unwrap();
        let models = build(dir.path(), seed, &options());
        let path = &newest_segment(dir.path());
        let sound = std::fs::read(path).unwrap();
        let mut seen = BTreeSet::new();
        for (kind, range) in sections(&sound).into_iter().filter(|(kind, _)| DERIVED.contains(kind))
        {
            seen.insert(kind);
            let copy = tempfile::tempdir().unwrap();
            copy_directory(dir.path(), copy.path());
            let broken = copy.path().join("seg").join(path.file_name().unwrap());
            let mut bytes = sound.clone();
            let middle = range.start + range.len() / 2;
            bytes[middle] ^= 0x40;
            std::fs::write(&broken, &bytes).unwrap();

            let read_only = OpenOptions { read_only: true, ..options() };
            let store = GraphStore::open(copy.path(), read_only).unwrap();
            check(&store, &models);
            let aside = store.stats().unwrap().set_aside;
            assert_eq!(aside.len(), 1, "kind {kind}: {aside:?}");
            let found = store.verify().unwrap().damage;
            assert!(matches!(found[..], [Error::Corrupt { .. }]), "{found:?}");
            drop(store);

            // Whoever may write has it written anew, by itself once it was noticed.
            let store = GraphStore::open(copy.path(), background.clone()).unwrap();
            check(&store, &models);
            let mended = (0..3000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                store.stats().unwrap().set_aside.is_empty()
            });
            assert!(mended, "kind {kind}");
            check(&store, &models);
            store.compact().unwrap();
            store.flush().unwrap();
            let again = GraphStore::open(copy.path(), options()).unwrap();
            check(&again, &models);
            assert!(again.stats().unwrap().set_aside.is_empty());
        }
        assert_eq!(seen, DERIVED.into_iter().collect(), "a store with all of them");
    }
}

#[test]
fn an_index_whose_records_are_damaged_too_stays_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let concepts = (0..40).map(|at| Concept::new(format!("c{at}"), "river")).collect();
    store.put_concepts(concepts).unwrap();
    store.flush().unwrap();
    store.close().unwrap();
    let path = &newest_segment(dir.path());
    let mut bytes = std::fs::read(path).unwrap();
    for (kind, range) in sections(&bytes) {
        if kind == 13 || kind == 9 {
            bytes[range.start + range.len() / 2] ^= 1;
        }
    }
    std::fs::write(path, &bytes).unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    assert!(matches!(store.search_text("river", 5), Err(Error::Corrupt { .. })));
    assert!(store.stats().unwrap().set_aside.is_empty());
    // Writing goes on.
    common::run(&store, &Step::Put(vec![Concept::new("new", "")])).unwrap();
    assert!(store.contains("new").unwrap());
}
