//! How a store comes up again, case by case: torn ends, logs without a seal before them, pages of counters
//! that are wrong, syncs that failed. The random workloads of `power_loss` meet these as well, but seldom
//! some of them, and say less of what went wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::options;
use storage_core::fs::{Access, Fault, FaultKind, FileSystem, SimulatedFileSystem};
use storage_core::{Concept, Error, GraphStore, OpenOptions, StoreConfig};

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn open(fs: &SimulatedFileSystem) -> GraphStore {
    try_open(fs).unwrap()
}

fn try_open(fs: &SimulatedFileSystem) -> Result<GraphStore, Error> {
    GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options())
}

fn put(store: &GraphStore, id: &str) {
    store.put_concept(Concept::new(id, format!("the content of {id}"))).unwrap();
}

fn ids(store: &GraphStore) -> Vec<String> {
    let mut ids = store.snapshot().unwrap().concept_ids(None, 99).unwrap();
    ids.sort_unstable();
    ids
}

fn log_path(number: u64) -> PathBuf {
    PathBuf::from(format!("store/wal/{number:020}.log"))
}

/// The newest log's number.
fn newest_log(fs: &SimulatedFileSystem) -> u64 {
    let exists = |number: &u64| fs.paths().contains(&log_path(*number));
    (1..99).rev().find(exists).unwrap()
}

fn files(fs: &SimulatedFileSystem) -> Files {
    fs.paths().into_iter().map(|path| (path.clone(), bytes(fs, &path))).collect()
}

fn bytes(fs: &SimulatedFileSystem, path: &Path) -> Vec<u8> {
    fs.view(path).unwrap().to_vec()
}

fn of_files(files: &Files) -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new();
    for directory in ["store/wal", "store/seg"] {
        fs.create_dir_all(Path::new(directory)).unwrap();
    }
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    fs
}

/// Leaves seven bytes of a frame behind the newest one, as a writer does that dies.
fn tear(fs: &SimulatedFileSystem) {
    let path = log_path(newest_log(fs));
    // Frames end at multiples of eight bytes, and those of these tests in bytes that are not zero.
    let used = bytes(fs, &path).iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1;
    let log = fs.open(&path, Access::ReadWrite).unwrap();
    log.write_all_at(&[9, 0, 0, 0, 7, 7, 7], used.next_multiple_of(8)).unwrap();
}

#[test]
fn a_torn_end_is_discarded_by_the_next_commit_or_opening_and_counted() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    put(&store, "a");
    put(&store, "b");
    store.flush().unwrap();
    put(&store, "c");
    put(&store, "d");
    for (torn, id) in [(1, "e"), (2, "f")] {
        let log = newest_log(&fs);
        tear(&fs);
        put(&store, id);
        assert_eq!(store.stats().unwrap().discarded_bytes, torn * 7);
        assert_eq!(newest_log(&fs), log + 1, "a new log takes the place of the torn one");
    }
    tear(&fs);
    drop(store);
    let log = newest_log(&fs);
    let store = open(&fs);
    assert_eq!((store.stats().unwrap().discarded_bytes, newest_log(&fs)), (7, log + 1));
    drop(store);
    let store = open(&fs);
    assert_eq!((store.stats().unwrap().discarded_bytes, newest_log(&fs)), (0, log + 1));
    assert_eq!(ids(&store), ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn a_recovered_log_begins_where_the_newest_manifest_ends() {
    let fs = SimulatedFileSystem::new();
    let (store, other) = (open(&fs), open(&fs));
    store.put_concept(Concept::new("large", "long ".repeat(20_000))).unwrap();
    // This handle has not read that manifest yet when it meets the torn end.
    other.flush().unwrap();
    put(&other, "a");
    tear(&fs);
    put(&store, "b");
    assert!(store.stats().unwrap().log_bytes < 10_000);
    assert_eq!(ids(&open(&fs)), ["a", "b", "large"]);
}

#[test]
fn a_tail_is_applied_together_up_to_some_megabytes_at_a_time() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    for at in 0..20 {
        put(&store, &format!("c{at}"));
    }
    assert!(store.stats().unwrap().memory_parts > 1);
    assert_eq!(open(&fs).stats().unwrap().memory_parts, 1);

    // Three transactions of more than four MiB each: two and one.
    let fs = SimulatedFileSystem::new();
    let config = StoreConfig { vector_dimension: 4096, ..StoreConfig::default() };
    let options = OpenOptions { config: config.into(), flush_bytes: 1 << 30, ..options() };
    let open = || GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options.clone());
    let store = open().unwrap();
    for transaction in 0..3 {
        let concept = |at: i32| {
            let mut concept = Concept::new(format!("{transaction}.{at}"), "x");
            concept.vector = Some((0..4096).map(|row| (row * 31 % 97 + at) as f32).collect());
            concept
        };
        store.put_concepts((0..280).map(concept).collect()).unwrap();
    }
    assert_eq!(open().unwrap().stats().unwrap().memory_parts, 2);
}

/// The files of a store with `a` and `b` in its first log and `c` in the second, whose newest manifest is
/// gone; and the first log as it was after `a`, and before its seal.
fn in_two_logs() -> (Files, Vec<u8>, Vec<u8>) {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    put(&store, "a");
    let after_first = bytes(&fs, &log_path(1));
    put(&store, "b");
    let unsealed = bytes(&fs, &log_path(1));
    store.flush().unwrap();
    put(&store, "c");
    drop(store);
    let mut files = files(&fs);
    files.remove(Path::new("store/MANIFEST-00000000000000000002")).unwrap();
    assert!(files.contains_key(&log_path(2)));
    (files, after_first, unsealed)
}

#[test]
fn a_log_goes_on_in_the_next_one_even_without_a_seal() {
    let (mut files, _, unsealed) = in_two_logs();
    assert_eq!(ids(&open(&of_files(&files))), ["a", "b", "c"]);
    files.insert(log_path(1), unsealed);
    let fs = of_files(&files);
    let store = open(&fs);
    assert_eq!(ids(&store), ["a", "b", "c"]);
    // Recovery copies from both.
    tear(&fs);
    put(&store, "d");
    assert_eq!(newest_log(&fs), 3);
    for store in [&store, &open(&fs)] {
        assert_eq!(ids(store), ["a", "b", "c", "d"]);
    }
}

#[test]
fn transactions_missing_between_two_logs_are_damage() {
    let (mut files, after_first, _) = in_two_logs();
    files.insert(log_path(1), after_first);
    let Err(Error::Corrupt { path, expected, found, .. }) = try_open(&of_files(&files)) else {
        panic!("the second transaction is in no log");
    };
    assert_eq!(path, log_path(1));
    assert_eq!(expected, "transactions up to 2, where log 2 goes on");
    assert_eq!(found, "none after 1");
}

#[test]
fn transactions_that_go_missing_while_the_store_is_open_are_damage() {
    let (mut files, after_first, unsealed) = in_two_logs();
    files.insert(log_path(1), unsealed);
    let fs = of_files(&files);
    let store = open(&fs);
    tear(&fs);
    fs.set_bytes(&log_path(1), after_first);
    let refused = store.put_concept(Concept::new("d", "not to be recovered to")).unwrap_err();
    assert!(
        matches!(&refused, Error::Corrupt { expected, found, .. }
            if expected == "transactions up to 3 in the logs" && found == "up to 1"),
        "{refused}"
    );
    assert_eq!(ids(&store), ["a", "b", "c"]);
}

#[test]
fn a_log_that_a_failed_rotation_left_is_not_gone_on_in() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    put(&store, "a");
    let copy = of_files(&files(&fs));
    open(&copy).flush().unwrap();
    fs.set_bytes(&log_path(2), bytes(&copy, &log_path(2)));
    let other = open(&fs);
    put(&other, "b");
    assert!(store.contains("b").unwrap());
    put(&store, "c");
    assert!(other.contains("c").unwrap());
    assert_eq!(ids(&open(&fs)), ["a", "b", "c"]);
}

#[test]
fn an_opening_puts_a_wrong_page_of_counters_right() {
    let dir = tempfile::tempdir().unwrap();
    let open = || GraphStore::open(dir.path(), options()).unwrap();
    let store = open();
    put(&store, "a");
    store.flush().unwrap();
    put(&store, "b");
    drop(store);
    let page = dir.path().join("CONTROL");
    let right = std::fs::read(&page).unwrap();
    assert_eq!((&right[..8], &right[8..16]), (&2_u64.to_le_bytes()[..], &2_u64.to_le_bytes()[..]));
    for wrong in [0, 1, 99_u64] {
        for words in [vec![0], vec![1], vec![0, 1]] {
            let mut damaged = right.clone();
            for word in &words {
                damaged[word * 8..][..8].copy_from_slice(&wrong.to_le_bytes());
            }
            std::fs::write(&page, &damaged).unwrap();
            let store = open();
            let found = std::fs::read(&page).unwrap();
            assert_eq!(found[..16], right[..16], "words {words:?} were {wrong}");
            assert_eq!(ids(&store), ["a", "b"]);
        }
    }
}

#[test]
fn after_a_failed_sync_no_handle_writes_and_the_next_opening_writes_anew() {
    let fs = SimulatedFileSystem::new();
    let (store, other) = (open(&fs), open(&fs));
    put(&store, "a");
    let log = newest_log(&fs);
    assert_eq!(ids(&other), ["a"]);
    let mut transaction = other.transaction().unwrap();
    transaction.put_concept(Concept::new("b", "the content of b")).unwrap();
    let waiting = transaction.commit_async().unwrap();
    assert_eq!(ids(&store), ["a", "b"]);
    fs.inject(Fault { operation: fs.operations(), kind: FaultKind::Io, for_good: false });
    let failed = store.save().unwrap_err();
    assert!(matches!(failed, Error::Poisoned { .. }), "{failed}");
    for handle in [&store, &other] {
        let refused = handle.put_concept(Concept::new("c", "refused")).unwrap_err();
        assert!(matches!(refused, Error::Poisoned { .. }), "{refused}");
    }
    assert_eq!(newest_log(&fs), log);
    // Nor is anything acknowledged any more, though the system says yes to a sync.
    let refused = waiting.wait().unwrap_err();
    assert!(matches!(refused, Error::Poisoned { .. }), "{refused}");
    for opening in ["what was in doubt is written anew", "once"] {
        assert_eq!(ids(&open(&fs)), ["a", "b"]);
        assert_eq!(newest_log(&fs), log + 1, "{opening}");
    }
    for seed in 0..20 {
        assert_eq!(ids(&open(&fs.crash(seed))), ["a", "b"], "seed {seed}");
    }
}

#[test]
fn a_damaged_newest_manifest_and_a_torn_end_at_once_still_open() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    for id in ["a", "b"] {
        put(&store, id);
        store.flush().unwrap();
    }
    put(&store, "c");
    tear(&fs);
    drop(store);
    let newest = Path::new("store/MANIFEST-00000000000000000003");
    let mut damaged = bytes(&fs, newest);
    damaged[40] ^= 1;
    fs.set_bytes(newest, damaged);
    assert_eq!(ids(&open(&fs)), ["a", "b", "c"]);
}

/// A handle that has the damaged manifest in memory goes on beside one that had to take the manifest before.
#[test]
fn after_a_damaged_manifest_no_name_is_used_again() {
    let fs = SimulatedFileSystem::new();
    let first = open(&fs);
    for id in ["a", "b"] {
        put(&first, id);
        first.flush().unwrap();
    }
    let newest = Path::new("store/MANIFEST-00000000000000000003");
    let mut damaged = bytes(&fs, newest);
    damaged[40] ^= 1;
    fs.set_bytes(newest, damaged.clone());

    let second = open(&fs);
    assert_eq!(ids(&second), ["a", "b"]);
    put(&second, "c");
    second.compact().unwrap();
    assert!(!fs.paths().contains(&newest.to_owned()) || bytes(&fs, newest) == damaged);
    assert_eq!(ids(&first), ["a", "b", "c"]);
    put(&first, "d");
    first.flush().unwrap();
    put(&second, "e");
    second.compact().unwrap();
    for handle in [&first, &second, &open(&fs)] {
        assert_eq!(ids(handle), ["a", "b", "c", "d", "e"]);
        assert!(handle.verify().unwrap().is_sound());
    }
}

/// What a recovery copied that power loss cut short was given up, and no later recovery takes it up again.
#[test]
fn a_recovery_takes_nothing_from_one_that_was_cut_short() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    put(&store, "a");
    // What the medium has of the first log: later frames are there in part.
    let at = store.stats().unwrap().log_bytes as usize;
    let mut torn = bytes(&fs, &log_path(1));
    torn[at..at + 7].copy_from_slice(&[9, 0, 0, 0, 7, 7, 7]);
    put(&store, "given up b");
    put(&store, "given up c");
    tear(&fs);
    drop(store);
    // The recovery that copies all three, and loses power before the last copy is whole.
    drop(open(&fs));
    let copies = bytes(&fs, &log_path(2));
    let text = b"the content of given up c";
    let cut = copies.windows(text.len()).position(|found| found == text).unwrap();
    let mut files = files(&fs);
    files.remove(Path::new("store/CONTROL"));
    files.insert(log_path(1), torn.clone());
    files.insert(log_path(2), copies[..cut].to_vec());

    let fs = of_files(&files);
    let store = open(&fs);
    assert_eq!(ids(&store), ["a"]);
    for id in ["x", "y", "z"] {
        put(&store, id);
    }
    store.save().unwrap();
    tear(&fs);
    drop(store);
    // The power fails again, and takes the seal of the first log, which nobody synced.
    let mut files = self::files(&fs);
    files.remove(Path::new("store/CONTROL"));
    files.insert(log_path(1), torn);
    let fs = of_files(&files);
    for opening in ["recovers", "reads what was recovered"] {
        assert_eq!(ids(&open(&fs)), ["a", "x", "y", "z"], "{opening}");
    }
}

#[test]
fn a_previous_manifest_that_is_damaged_stands_in_the_way_of_nothing() {
    let fs = SimulatedFileSystem::new();
    let store = open(&fs);
    for id in ["a", "b"] {
        put(&store, id);
        store.flush().unwrap();
    }
    let previous = Path::new("store/MANIFEST-00000000000000000002");
    let mut damaged = bytes(&fs, previous);
    damaged[40] ^= 1;
    fs.set_bytes(previous, damaged);
    store.compact().unwrap();
    assert!(store.erase("a").unwrap());
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(ids(&open(&fs)), ["b"]);
}
