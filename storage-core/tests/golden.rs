//! Stores of each released format: this version opens them, and they say what they said.
//!
//! `golden/format-<n>/store` is a store of format version n as it was left by a crash, `export.jsonl` beside it
//! what it held. `SUTRA_GOLDEN=<directory>` has the present version write both there, for a release.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::{DIM, Random, WORDS, copy_directory};
use storage_core::{
    AsOf, Association, Concept, ConfigRequest, Direction, Filter, GraphStore, OpenOptions,
    Retention,
};

/// A little of everything that a store can hold, in segments, tombstones, history and a log.
fn write(dir: &Path) {
    let config = ConfigRequest { vector_dimension: Some(DIM), ..ConfigRequest::default() };
    let options = OpenOptions {
        config,
        background: false,
        retention: Some(Retention::Forever),
        ..OpenOptions::default()
    };
    let store = GraphStore::open(dir, options).unwrap();
    let mut random = Random(2026);
    for round in 0..3 {
        for handle in [&store, &store.namespace("ann").unwrap()] {
            let concepts = (0..12).map(|at| {
                let words = (0..40).map(|_| WORDS[random.below(12) as usize]).collect::<Vec<_>>();
                let mut concept = Concept::new(format!("c{at}"), words.join(" "));
                concept.vector = (at % 3 > 0).then(|| random.vector());
                concept.created = Some(f64::from(at * 10 + round));
                concept.category = (at % 2 == 0).then(|| "some".to_owned());
                concept.source = (at % 4 == 0).then(|| "a book".to_owned());
                concept.attributes.insert("round".into(), round.into());
                concept.valid_to = (at % 5 == 0).then_some(50.0);
                concept.expires = (at % 6 == 0).then_some(4e9);
                concept
            });
            handle.put_concepts(concepts.collect()).unwrap();
            let edges = (0..12).map(|at| {
                let target = format!("c{}", random.below(12));
                let mut edge = Association::new(format!("c{at}"), target).with_type("leads to");
                edge.confidence = 0.5;
                edge.created = Some(f64::from(at));
                edge.valid_from = (at % 5 == 0).then_some(5.0);
                edge
            });
            handle.put_associations(edges.collect(), false).unwrap();
            handle.delete_concept(&format!("c{}", round + 3)).unwrap();
        }
        if round < 2 {
            store.flush().unwrap();
        }
    }
    store.save().unwrap();
    store.export_jsonl(dir.with_file_name("export.jsonl")).unwrap();
    std::mem::forget(store); // Closing would flush the log.
    for entry in std::fs::read_dir(dir.join("wal")).unwrap() {
        // Zeros that were written ahead say nothing; a few will do.
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used.next_multiple_of(8) + 64);
        std::fs::write(&path, bytes).unwrap();
    }
}

/// The lines of an export but the header, which tells the version, and the end, which sums it up.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.remove(0);
    lines.pop();
    lines
}

fn releases() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

#[test]
fn stores_of_every_released_format_say_what_they_said() {
    if let Some(dir) = std::env::var_os("SUTRA_GOLDEN") {
        write(&Path::new(&dir).join("store"));
        return;
    }
    let releases = releases();
    assert!(!releases.is_empty());
    for release in releases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let expected = lines(&release.join("export.jsonl"));
        // As it was left, then through a flush and a compaction by this version.
        for rewrite in [false, true] {
            copy_directory(&release.join("store"), &path);
            let background = OpenOptions { background: false, ..OpenOptions::default() };
            let store = GraphStore::open(&path, background.clone()).unwrap();
            if rewrite {
                store.compact().unwrap();
                store.close().unwrap();
            }
            let store = GraphStore::open(&path, background).unwrap();
            assert!(store.verify().unwrap().is_sound());
            store.export_jsonl(dir.path().join("now.jsonl")).unwrap();
            assert_eq!(lines(&dir.path().join("now.jsonl")), expected);
            check_indexes(&store);
            drop(store);
            std::fs::remove_dir_all(&path).unwrap();
        }
        // What an earlier version exported is imported by this one.
        let config = ConfigRequest { vector_dimension: Some(DIM), ..ConfigRequest::default() };
        let imported = GraphStore::in_memory(config).unwrap();
        imported.import_jsonl(release.join("export.jsonl")).unwrap();
        imported.export_jsonl(dir.path().join("again.jsonl")).unwrap();
        assert_eq!(lines(&dir.path().join("again.jsonl")), expected);
    }
}

/// Words, vectors, neighbours, windows, namespaces and the past, each by another index.
fn check_indexes(store: &GraphStore) {
    for handle in [store, &store.namespace("ann").unwrap()] {
        let snapshot = handle.snapshot().unwrap();
        let ids = snapshot.concept_ids(None, 100).unwrap();
        assert_eq!(ids.len(), 11);
        let words = snapshot.search_text(&WORDS.join(" "), 100).unwrap();
        assert_eq!(words.len(), 11);
        for (at, id) in ids.iter().enumerate() {
            let Some(vector) = snapshot.vector(id).unwrap() else { continue };
            let hits = snapshot.search_vector(&vector, 1, &Filter::default()).unwrap();
            assert_eq!(&hits[0].id, id, "{at}");
        }
        assert!(!snapshot.neighbors("c1", Direction::Out).unwrap().is_empty());
        assert!(snapshot.valid_at(50.0).unwrap().concept_count() < 11);
        let before = handle.snapshot_as_of(AsOf::Epoch(6)).unwrap();
        assert_eq!(before.concept_count(), 11);
        assert!(!before.contains("c3").unwrap() && snapshot.contains("c3").unwrap());
    }
}
