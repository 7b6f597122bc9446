//! Stores from elsewhere: a sound one opens and answers as it did; of one that is not, whatever was done
//! to it, opening says so, without a panic, a signal or more memory than was allowed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::crafted::{Crafted, within_limits};
use common::{Model, Random, options, run_both};
use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{Concept, Error, Filter, GraphStore, OpenOptions, StoreConfig, VectorStorage};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const RECORDS: u32 = 9;
const INVERSE_NORMS: u32 = 12;
const CREATED_ORDER: u32 = 4;
const ID_TABLE: u32 = 7;

fn open(files: &Files, options: OpenOptions) -> Result<GraphStore, Error> {
    let fs = SimulatedFileSystem::new();
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    let fs: Arc<dyn FileSystem> = Arc::new(fs);
    GraphStore::open_with(fs, Path::new("store"), OpenOptions { untrusted: true, ..options })
}

/// A store with several segments, tombstones and a log that is not empty.
fn sound(seed: u64) -> (Files, Model) {
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let store = GraphStore::open_with(shared, Path::new("store"), options()).unwrap();
    let (mut model, mut random) = (Model::default(), Random(seed));
    for at in 0..90 {
        run_both(&store, &mut model, &mut random);
        if at % 25 == 24 {
            store.flush().unwrap();
        }
    }
    store.close().unwrap();
    let files = fs.paths().into_iter();
    let mut files: Files =
        files.map(|path| (path.clone(), fs.view(&path).unwrap().to_vec())).collect();
    for (path, bytes) in &mut files {
        if path.extension() == Some("log".as_ref()) {
            let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(used.next_multiple_of(8));
        }
    }
    (files, model)
}

#[test]
fn a_sound_store_opens_and_answers_as_it_did() {
    for seed in 0..12 {
        let (files, model) = sound(seed);
        let store = open(&files, OpenOptions::default()).unwrap();
        model.check(&store);
        assert!(store.verify().unwrap().is_sound());
        let refused = store.put_concept(Concept::new("a", "b"));
        assert!(matches!(refused, Err(Error::ReadOnly { .. })));
        store.close().unwrap();
    }
}

#[test]
fn what_is_opened_is_never_changed_and_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let writer = GraphStore::open(&path, options()).unwrap();
    writer.put_concept(Concept::new("a", "river").with_vector(vec![0.5; 8])).unwrap();
    writer.save().unwrap();
    let names = |path: &Path| std::fs::read_dir(path).unwrap().count();
    let before = names(&path);
    let untrusted = GraphStore::open_untrusted(&path, OpenOptions::default()).unwrap();
    writer.put_concept(Concept::new("b", "stone")).unwrap();
    writer.compact().unwrap();
    writer.put_concept(Concept::new("c", "cloud")).unwrap();
    assert_eq!(untrusted.snapshot().unwrap().concept_ids(None, 9).unwrap(), ["a"]);
    assert_eq!(untrusted.vector("a").unwrap(), Some(vec![0.5; 8]));
    assert!(names(&path) >= before);
    let missing = GraphStore::open_untrusted(dir.path().join("none"), OpenOptions::default());
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    assert!(!dir.path().join("none").exists());
    let exclusive = OpenOptions { exclusive: true, ..OpenOptions::default() };
    let refused = GraphStore::open_untrusted(&path, exclusive);
    assert!(matches!(refused, Err(Error::InvalidArgument { name: "exclusive", .. })));
}

#[test]
fn a_flipped_bit_is_refused_or_was_of_no_use() {
    within_limits("a_flipped_bit_is_refused_or_was_of_no_use", || {
        let (files, model) = sound(3);
        let mut random = Random(1);
        let (mut refused, mut opened) = (0, 0);
        for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with("CONTROL")) {
            for at in (0..bytes.len()).filter(|_| random.below(40) == 0).collect::<Vec<_>>() {
                let mut damaged = files.clone();
                damaged.get_mut(path).unwrap()[at] ^= 1 << random.below(8);
                match open(&damaged, OpenOptions::default()) {
                    Ok(store) => {
                        opened += 1;
                        // The end of the log may be taken for one that a crash left torn.
                        if store.stats().unwrap().discarded_bytes == 0 {
                            model.check(&store);
                        }
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(
                            matches!(error, Error::Corrupt { .. } | Error::Version { .. }),
                            "{}, byte {at}: {error}",
                            path.display()
                        );
                    }
                }
            }
        }
        assert!(refused > 4 * opened, "{refused} refused, {opened} opened");
    });
}

/// The newest generation's segments alone: damage to one is not made good by an older manifest.
fn newest(files: &Files) -> (Files, Vec<PathBuf>) {
    let is_manifest = |path: &Path| path.to_string_lossy().contains("MANIFEST-");
    let last = files.keys().rfind(|path| is_manifest(path)).cloned();
    let mut kept = files.clone();
    kept.retain(|path, _| !is_manifest(path) || Some(path) == last.as_ref());
    let needed =
        kept.keys().filter(|path| path.extension() == Some("seg".as_ref())).filter(|path| {
            let mut without = kept.clone();
            without.remove(*path);
            open(&without, OpenOptions::default()).is_err()
        });
    let needed = needed.cloned().collect();
    (kept, needed)
}

#[test]
fn bytes_behind_checksums_that_match_are_refused_or_answer() {
    within_limits("bytes_behind_checksums_that_match_are_refused_or_answer", || {
        let (files, needed) = newest(&sound(5).0);
        let mut random = Random(2);
        for path in &needed {
            let good = Crafted(files[path].clone());
            for _ in 0..400 {
                let mut crafted = good.clone();
                let at = random.below(good.0.len() as u64) as usize;
                crafted.0[at] = random.next() as u8;
                let mut files = files.clone();
                files.insert(path.clone(), crafted.seal());
                if let Ok(store) = open(&files, OpenOptions::default()) {
                    // Another content with its words, say: what is answered hangs together.
                    Model::read(&store).unwrap();
                    store.search_vector(&[0.5; 8], 10, &Filter::default()).unwrap();
                }
            }
        }
    });
}

#[test]
fn an_index_that_says_other_than_the_rows_is_refused() {
    let (files, needed) = newest(&sound(7).0);
    let mut seen = 0;
    for path in &needed {
        let good = Crafted(files[path].clone());
        let refuses = |crafted: Crafted, what: &str| {
            let mut files = files.clone();
            files.insert(path.clone(), crafted.seal());
            let outcome = open(&files, OpenOptions::default());
            assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{what}: {outcome:?}");
        };
        let text = good.section(RECORDS).find(|&at| good.0[at..].starts_with(b"river"));
        if let Some(at) = text {
            seen += 1;
            let mut crafted = good.clone();
            crafted.set(at, b"stone");
            refuses(crafted, "a content and its words");
        }
        for (kind, what) in [(INVERSE_NORMS, "norms"), (CREATED_ORDER, "order"), (ID_TABLE, "ids")]
        {
            let Some(at) = good.section(kind).rev().find(|&at| good.0[at] != 0) else { continue };
            let mut crafted = good.clone();
            crafted.set(at, &[good.0[at] ^ 0x55]);
            refuses(crafted, what);
        }
    }
    assert!(seen > 0, "no segment with the word");
}

#[test]
fn files_beyond_the_limit_and_what_they_unpack_to_are_refused() {
    let config = StoreConfig {
        vector_dimension: 8,
        vector_storage: VectorStorage::F16,
        ..StoreConfig::default()
    };
    // What no reader of the default namespace sees counts as well.
    for (flush, namespace) in
        [(false, None), (true, None), (false, Some("ann")), (true, Some("ann"))]
    {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let options = OpenOptions { config: config.clone().into(), ..options() };
        let store = GraphStore::open_with(shared.clone(), Path::new("store"), options).unwrap();
        let large = Concept::new("a", "river ".repeat(1 << 20));
        match namespace {
            Some(name) => store.namespace(name).unwrap().put_concept(large).unwrap(),
            None => store.put_concept(large).unwrap(),
        };
        if flush {
            store.compact().unwrap();
        }
        drop(store);
        let opened = |max_untrusted_bytes| {
            let options =
                OpenOptions { untrusted: true, max_untrusted_bytes, ..OpenOptions::default() };
            GraphStore::open_with(shared.clone(), Path::new("store"), options)
        };
        for max in [0, 100, 6 << 20] {
            match opened(max) {
                Err(Error::UntrustedTooLarge { bytes, max: given, .. }) => {
                    assert!(bytes > max && given == max);
                }
                outcome => panic!("{max}: {outcome:?}"),
            }
        }
        let store = opened(20 << 20).unwrap();
        let of_name = namespace.map(|name| store.namespace(name).unwrap());
        let reader = of_name.as_ref().unwrap_or(&store);
        assert_eq!(reader.search_text("river", 1).unwrap().len(), 1);
    }
}

/// Opening a pipe waits for its writer; an endless file has no end.
#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    store.close().unwrap();
    let manifest = dir.path().join("MANIFEST-00000000000000000001");
    std::fs::remove_file(&manifest).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&manifest).status().unwrap();
    assert!(made.success());
    let refused = || GraphStore::open_untrusted(dir.path(), OpenOptions::default());
    assert!(matches!(refused(), Err(Error::Io { .. })));
    std::fs::remove_file(&manifest).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &manifest).unwrap();
    assert!(matches!(refused(), Err(Error::Io { .. })));
}

/// A manifest with another number in its body, behind checksums that are right.
fn with_counter(bytes: &[u8], name: &str, number: u64) -> Vec<u8> {
    let body = String::from_utf8(bytes[32..].to_vec()).unwrap();
    let at = body.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    let end = at + body[at..].find([',', '}']).unwrap();
    let body = format!("{}{number}{}", &body[..at], &body[end..]);
    let mut changed = bytes[..16].to_vec();
    changed.extend((body.len() as u64).to_le_bytes());
    changed.extend(crc32c::crc32c(body.as_bytes()).to_le_bytes());
    changed.extend(crc32c::crc32c(&changed).to_le_bytes());
    changed.extend(body.as_bytes());
    changed
}

#[test]
fn counters_at_their_ends_are_refused_and_repaired_around() {
    let (files, _) = newest(&sound(4).0);
    let is_manifest = |path: &&PathBuf| path.to_string_lossy().contains("MANIFEST-");
    let manifest = files.keys().find(is_manifest).unwrap();
    for name in ["lsn", "log", "next_segment", "next_number", "generation"] {
        for number in [0, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut files = files.clone();
            let changed = with_counter(&files[manifest], name, number);
            files.insert(manifest.clone(), changed);
            match open(&files, OpenOptions::default()) {
                Ok(store) => drop(Model::read(&store).unwrap()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            let fs = SimulatedFileSystem::new();
            for (path, bytes) in &files {
                fs.set_bytes(path, bytes.clone());
            }
            let fs: Arc<dyn FileSystem> = Arc::new(fs);
            GraphStore::repair_with(&fs, Path::new("store"), Path::new("new")).unwrap();
        }
    }
}
