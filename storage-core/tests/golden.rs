//! Stores of each released format: this version opens them, and they say what they said.
//!
//! `golden/format-<n>/store` is a store of format version n as it was left by a crash, `export.jsonl` beside it
//! what it held. `SUTRA_GOLDEN=<directory>` has the present version write both there, for a release.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::{DIM, Random, WORDS, copy_directory};
use storage_core::{
    AsOf, Association, Concept, ConfigRequest, Direction, Error, Filter, GraphStore, OpenOptions,
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

/// A file of a store, with another value of one of its header's words behind a checksum that is right.
fn with_word(path: &Path, at: usize, change: impl FnOnce(u32) -> u32) -> (Vec<u8>, u32) {
    let mut bytes = std::fs::read(path).unwrap();
    let checksum = match path.extension().and_then(|extension| extension.to_str()) {
        Some("seg") => 56,
        Some("log") => 64,
        Some("his") => 124,
        Some("del") => bytes.len() - 4,
        _ => 28,
    };
    let crc = |bytes: &[u8]| crc32c::crc32c(&bytes[..checksum]).to_le_bytes();
    assert_eq!(bytes[checksum..checksum + 4], crc(&bytes), "{}", path.display());
    let word = change(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    let crc = crc(&bytes);
    bytes[checksum..checksum + 4].copy_from_slice(&crc);
    (bytes, word)
}

#[test]
fn a_store_of_another_version_is_refused_by_name_and_left_as_it_is() {
    let release = releases().pop().unwrap().join("store");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let numbered = |name: &str| format!("{name:0>20}");
    // Each that opening needs, and of manifests the newest: the one before, which this version reads, would do.
    let files = [
        format!("MANIFEST-{}", numbered("3")),
        format!("wal/{}.log", numbered("3")),
        format!("seg/{}.seg", numbered("3")),
        format!("seg/{}.{}.del", numbered("1"), numbered("12")),
        format!("seg/{}.his", numbered("4")),
    ];
    for file in &files {
        let has_features = !file.contains(".del") && !file.contains(".his");
        let later: fn(u32) -> u32 = |version| version + 1;
        let earlier: fn(u32) -> u32 = |version| version - 1;
        let feature: fn(u32) -> u32 = |bits| bits | 1 << 9;
        let mut changes = vec![(8, later), (8, earlier)];
        changes.extend(has_features.then_some((12, feature)));
        for (at, change) in changes {
            copy_directory(&release, &path);
            let (bytes, word) = with_word(&path.join(file), at, change);
            std::fs::write(path.join(file), bytes).unwrap();
            let repaired = dir.path().join("repaired");
            let mut outcomes = Vec::new();
            for read_only in [true, false] {
                let options =
                    OpenOptions { background: false, read_only, ..OpenOptions::default() };
                outcomes.push(GraphStore::open(&path, options.clone()).map(drop));
                outcomes.push(GraphStore::open_untrusted(&path, options).map(drop));
            }
            if has_features {
                outcomes.push(GraphStore::repair(&path, &repaired).map(drop));
            }
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                let told = error.to_string();
                match error {
                    Error::Version { path: found_in, found, supported } if at == 8 => {
                        assert!(found_in.ends_with(file), "{told}");
                        assert_eq!((found, change(supported)), (word, word), "{told}");
                        assert!(told.contains("open it with the version of the library"), "{told}");
                    }
                    Error::Feature { path: found_in, feature } if at == 12 => {
                        assert!(found_in.ends_with(file), "{told}");
                        assert_eq!(feature, "feature bits 0x200");
                        assert!(told.contains("open it with the version of the library"), "{told}");
                    }
                    error => panic!("{file}: {error}"),
                }
            }
            assert!(!repaired.exists());
            // The file put back, all is there.
            std::fs::copy(release.join(file), path.join(file)).unwrap();
            let options = OpenOptions { background: false, ..OpenOptions::default() };
            check_indexes(&GraphStore::open(&path, options).unwrap());
            std::fs::remove_dir_all(&path).unwrap();
        }
    }
}
