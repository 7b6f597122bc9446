//! Several handles on one store, as in several processes: whom a commit conflicts with, who waits for
//! whom, and what a lock that someone else keeps may and may not hold up.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{File, OpenOptions as FileOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::child::{TestChild, orders, say};
use common::options;
use common::watched::{Operation, WatchedFileSystem};
use storage_core::fs::FileSystem;
use storage_core::{
    Association, Concept, ConceptPatch, Direction, Error, GraphStore, OpenOptions, interruptible,
};

fn open(dir: &Path) -> GraphStore {
    GraphStore::open(dir, options()).unwrap()
}

fn concept(id: &str) -> Concept {
    Concept::new(id, format!("the content of {id}"))
}

/// Takes the OS lock of a file of the store, as another process would.
fn lock(dir: &Path, name: &str) -> File {
    let file = File::options().read(true).write(true).open(dir.join(name)).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn a_commit_elsewhere_conflicts_with_what_was_read_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()), open(dir.path()));
    one.put_concepts(vec![concept("mine"), concept("yours")]).unwrap();
    for flush in [false, true] {
        let mut transaction = one.transaction().unwrap();
        transaction.concept("mine").unwrap();
        transaction.put_concept(concept("result")).unwrap();
        other.put_concepts(vec![concept("unrelated"), concept("yours")]).unwrap();
        if flush {
            other.flush().unwrap();
        }
        transaction.commit().unwrap();

        let mut transaction = one.transaction().unwrap();
        transaction.concept("mine").unwrap();
        transaction.put_concept(concept("result")).unwrap();
        other.put_concept(concept("mine")).unwrap();
        if flush {
            other.flush().unwrap();
        }
        assert!(matches!(transaction.commit(), Err(Error::Conflict { .. })), "flush: {flush}");
    }
}

#[test]
fn a_commit_during_a_flush_of_the_readers_own_handle_conflicts() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()), open(dir.path()));
    one.put_concepts(vec![concept("a"), concept("b")]).unwrap();
    let mut transaction = one.transaction().unwrap();
    transaction.concept("a").unwrap();
    transaction.put_concept(concept("b")).unwrap();
    other.put_concept(concept("a")).unwrap();
    one.flush().unwrap();
    one.compact().unwrap();
    assert!(matches!(transaction.commit(), Err(Error::Conflict { .. })));
}

#[test]
fn a_deleted_neighbour_conflicts_with_a_reading_of_associations() {
    for flush in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (open(dir.path()), open(dir.path()));
        one.put_concepts(vec![concept("x"), concept("y"), concept("z")]).unwrap();
        one.put_association(Association::new("x", "y")).unwrap();
        if flush {
            one.flush().unwrap();
        }
        for reader in [&one, &other] {
            let mut transaction = reader.transaction().unwrap();
            assert_eq!(transaction.associations("y", Direction::In).unwrap().len(), 1);
            transaction.put_concept(concept("z")).unwrap();
            other.delete_concept("x").unwrap();
            assert!(matches!(transaction.commit(), Err(Error::Conflict { .. })));
            other.put_concept(concept("x")).unwrap();
            other.put_association(Association::new("x", "y")).unwrap();
        }
    }
}

#[test]
fn a_write_that_was_read_back_conflicts_and_one_that_was_not_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_concept(concept("a")).unwrap();
    let vector = vec![1.0; common::DIM];
    let patch = || ConceptPatch { content: Some("changed".to_owned()), ..ConceptPatch::default() };

    let mut blind = store.transaction().unwrap();
    blind.put_vector("a", vector.clone()).unwrap();
    store.update_concept("a", patch()).unwrap();
    blind.commit().unwrap();
    let merged = store.concept("a").unwrap().unwrap();
    assert_eq!((merged.content.as_str(), &merged.vector), ("changed", &Some(vector.clone())));

    let mut reading = store.transaction().unwrap();
    reading.put_vector("a", vector.clone()).unwrap();
    let mut whole = reading.concept("a").unwrap().unwrap();
    whole.content.push_str(" again");
    reading.put_concept(whole).unwrap();
    store.put_concept(concept("a")).unwrap();
    assert!(matches!(reading.commit(), Err(Error::Conflict { .. })));

    let mut ends = store.transaction().unwrap();
    ends.put_association(Association::new("a", "new"), true).unwrap();
    ends.concept("new").unwrap().unwrap();
    store.put_concept(concept("new")).unwrap();
    assert!(matches!(ends.commit(), Err(Error::Conflict { .. })));
}

#[test]
fn readers_do_not_wait_for_a_commit_that_waits_for_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()), open(dir.path()));
    other.put_concept(concept("news")).unwrap();
    let held = lock(dir.path(), "LOCK");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.put_concept(concept("late")));
        while !waiting.is_finished() && !one.contains("news").unwrap() {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(1));
            assert!(one.contains("news").unwrap());
        }
        assert!(!waiting.is_finished(), "the reads above came while it waited");
        drop(held);
        waiting.join().unwrap().unwrap();
    });
    assert!(other.contains("late").unwrap());
}

#[test]
fn opening_beside_an_exclusive_writer_in_mid_write_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { exclusive: true, ..options() };
    let writer = GraphStore::open(dir.path(), options).unwrap();
    writer.put_concept(concept("a")).unwrap();
    // The first half of a frame: what a reader may meet at any moment.
    let log = std::fs::read_dir(dir.path().join("wal")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap().next_multiple_of(8) as u64;
    let mut file = FileOptions::new().write(true).open(&log).unwrap();
    file.seek(SeekFrom::Start(end)).unwrap();
    file.write_all(&[9, 0, 0, 0, 7, 7, 7]).unwrap();
    let beside = GraphStore::open(dir.path(), options_with(Duration::from_millis(10))).unwrap();
    assert!(beside.contains("a").unwrap());
    assert!(matches!(beside.put_concept(concept("b")), Err(Error::Locked { .. })));
}

fn options_with(timeout: Duration) -> OpenOptions {
    OpenOptions { timeout, ..options() }
}

#[test]
fn the_timeout_holds_for_all_threads_of_a_handle_alike() {
    let dir = tempfile::tempdir().unwrap();
    let timeout = Duration::from_millis(800);
    let store = GraphStore::open(dir.path(), options_with(timeout)).unwrap();
    let _held = lock(dir.path(), "LOCK");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for at in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let outcome = store.put_concept(concept(&format!("c{at}")));
                assert!(matches!(outcome, Err(Error::Locked { .. })), "{outcome:?}");
            });
        }
    });
    // One after the other they would have waited eight times as long.
    assert!(begun.elapsed() < timeout * 4, "{:?}", begun.elapsed());
}

#[test]
fn a_thread_that_waits_for_another_of_its_handle_can_be_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options_with(Duration::from_mins(2))).unwrap();
    let held = lock(dir.path(), "LOCK");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| store.put_concept(concept("first")));
        std::thread::sleep(Duration::from_millis(50));
        let second = interruptible(Rc::new(|| true), || store.put_concept(concept("second")));
        assert!(matches!(second, Err(Error::Interrupted)), "{second:?}");
        drop(held);
        first.join().unwrap().unwrap();
    });
}

#[test]
fn a_flush_that_failed_after_it_ended_the_log_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_concepts((0..100).map(|at| concept(&format!("c{at}"))).collect()).unwrap();
    let before = store.stats().unwrap().log_bytes;
    // A directory in its place: the segment can't be written.
    let segment = dir.path().join("seg").join(format!("{:020}.seg", 1));
    std::fs::create_dir(&segment).unwrap();
    let logs = || std::fs::read_dir(dir.path().join("wal")).unwrap().count();
    let other = open(dir.path());
    for _ in 0..3 {
        assert!(matches!(store.flush(), Err(Error::Io { .. })));
        assert_eq!(logs(), 2, "a log without a transaction need not be ended");
        for handle in [&store, &other, &open(dir.path())] {
            handle.concept("c1").unwrap().unwrap();
            assert!(handle.stats().unwrap().log_bytes >= before);
        }
    }
    std::fs::remove_dir(&segment).unwrap();
    store.put_concept(concept("later")).unwrap();
    store.flush().unwrap();
    assert_eq!(logs(), 3, "the previous generation needs the two that are flushed");
    for handle in [&store, &other, &open(dir.path())] {
        assert_eq!(handle.stats().unwrap().total_concepts, 101);
        assert!(handle.stats().unwrap().log_bytes < before);
    }
}

#[test]
fn a_lease_that_another_process_holds_stops_no_commit_and_is_taken_once_free() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        background: true,
        flush_bytes: 1 << 10,
        ..options_with(Duration::from_millis(50))
    };
    let store = GraphStore::open(dir.path(), options).unwrap();
    let held = lock(dir.path(), "LEASE");
    for at in 0..40 {
        store.put_concepts(vec![concept(&format!("c{at}")); 4]).unwrap();
    }
    assert_eq!(store.stats().unwrap().segments, 0);
    drop(held);
    let patience = Instant::now() + Duration::from_mins(1);
    while store.stats().unwrap().segments == 0 {
        assert!(Instant::now() < patience, "the flush was never tried again");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(store.stats().unwrap().total_concepts, 40);
}

#[test]
fn a_writer_held_up_goes_on_once_another_process_has_flushed() {
    let patience = Duration::from_secs(30);
    // Nor does it wait for what others do next, a long compaction, say.
    for lease_is_free in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let options =
            OpenOptions { background: true, flush_bytes: 1 << 10, ..options_with(patience * 2) };
        let store = GraphStore::open(dir.path(), options).unwrap();
        let other = open(dir.path());
        let held = lock(dir.path(), "LEASE");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for at in 0..40 {
                    store.put_concepts(vec![concept(&format!("c{at}")); 4]).unwrap();
                }
            });
            while store.stats().unwrap().log_bytes <= 4 << 10 {
                std::thread::yield_now();
            }
            drop(held);
            other.flush().unwrap();
            let held = (!lease_is_free).then(|| lock(dir.path(), "LEASE"));
            let deadline = Instant::now() + patience;
            while !writer.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
                if held.is_some() && store.stats().unwrap().log_bytes > 4 << 10 {
                    break; // Now there is no room indeed.
                }
            }
            let waits = !writer.is_finished() && Instant::now() >= deadline;
            drop(held);
            assert!(!waits, "the writer waits for room that there is");
        });
        assert_eq!(store.stats().unwrap().total_concepts, 40);
    }
}

#[test]
fn a_compaction_survives_that_its_own_handle_adopts_the_manifest_first() {
    let dir = tempfile::tempdir().unwrap();
    let fs = WatchedFileSystem::new();
    let files: Arc<dyn FileSystem> = Arc::<WatchedFileSystem>::clone(&fs);
    let store = Arc::new(GraphStore::open_with(files, dir.path(), options()).unwrap());
    for id in ["a", "b"] {
        store.put_concept(concept(id)).unwrap();
        store.flush().unwrap();
    }
    let (reading, path): (_, PathBuf) = (Arc::clone(&store), dir.path().to_owned());
    fs.after(Operation::Rename, move || {
        // Whoever opens says which manifest is the newest; then a commit makes the reader look.
        open(&path).put_concept(concept("c")).unwrap();
        assert!(reading.contains("c").unwrap());
        assert_eq!(reading.stats().unwrap().segments, 1);
    });
    store.compact().unwrap();
    store.put_concept(concept("d")).unwrap();
    store.compact().unwrap();
    for store in [&store, &Arc::new(open(dir.path()))] {
        assert_eq!(store.snapshot().unwrap().concept_ids(None, 9).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(store.stats().unwrap().segments, 1);
        assert!(store.verify().unwrap().is_sound());
    }
}

#[test]
fn opening_starts_over_when_flushes_elsewhere_take_its_log_away() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Arc::new(open(dir.path()));
    for (at, read_only) in [(0, false), (1, true)] {
        let fs = WatchedFileSystem::new();
        let flushing = Arc::clone(&writer);
        // The last that is asked for before the log is followed to its end.
        fs.after(Operation::ListLogs, move || {
            for part in 0..4 {
                flushing.put_concept(concept(&format!("c{at}.{part}"))).unwrap();
                flushing.flush().unwrap();
            }
        });
        let options = OpenOptions { read_only, ..options() };
        let opened = GraphStore::open_with(fs, dir.path(), options).unwrap();
        assert_eq!(opened.stats().unwrap().total_concepts, 4 * (at + 1));
    }
}

#[test]
fn a_lease_that_is_not_given_names_its_holder_and_not_the_last_writer() {
    let name = "a_lease_that_is_not_given_names_its_holder_and_not_the_last_writer";
    if let Some(dir) = orders() {
        open(Path::new(&dir)).flush().unwrap();
        say(&std::process::id().to_string());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).put_concept(concept("a")).unwrap();
    let mut child = TestChild::start(name, dir.path().to_str().unwrap());
    let holder: u32 = child.next_line().unwrap().parse().unwrap();
    assert!(child.passed());
    let store = GraphStore::open(dir.path(), options_with(Duration::from_millis(10))).unwrap();
    store.put_concept(concept("b")).unwrap();
    // As if the child had forked meanwhile, and only its own child lived on.
    let _held = lock(dir.path(), "LEASE");
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = store.backup(elsewhere.path().join("b")).map(drop);
    for refused in [store.flush(), store.compact(), backup] {
        assert!(
            matches!(refused, Err(Error::Locked { pid, .. }) if pid == holder),
            "{refused:?} names another than {holder}"
        );
    }
}

#[test]
fn a_reader_that_may_not_write_follows_new_generations() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let read_only = OpenOptions { read_only: true, ..options() };
    writer.put_concept(concept("c")).unwrap();
    let reader = GraphStore::open(dir.path(), read_only).unwrap();
    for at in 0..5 {
        writer.put_concept(concept(&format!("c{at}"))).unwrap();
        writer.flush().unwrap();
        assert_eq!(reader.stats().unwrap().total_concepts, 2 + at);
    }
    let stats = reader.stats().unwrap();
    assert!(stats.generation >= 5 && stats.segments >= 1, "{stats:?}");
}

#[cfg(unix)]
#[test]
fn a_lock_file_that_was_removed_is_noticed_before_anything_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let one = open(dir.path());
    one.put_concept(concept("a")).unwrap();
    std::fs::remove_file(dir.path().join("LOCK")).unwrap();
    let other = open(dir.path());
    other.put_concept(concept("b")).unwrap();
    let error = one.put_concept(concept("c")).unwrap_err();
    assert!(error.to_string().contains("was removed"), "{error}");
    let again = open(dir.path());
    assert!(again.contains("a").unwrap() && again.contains("b").unwrap());
    assert!(!again.contains("c").unwrap());
}

#[test]
fn a_closed_handle_takes_no_commit_that_waited_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let held = lock(dir.path(), "LOCK");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.put_concept(concept("late")));
        std::thread::sleep(Duration::from_millis(30));
        store.close().unwrap();
        drop(held);
        let outcome = waiting.join().unwrap();
        assert!(matches!(outcome, Err(Error::Closed)), "{outcome:?}");
    });
    assert!(!open(dir.path()).contains("late").unwrap());
}

#[test]
fn a_network_file_system_is_refused_for_writing_unless_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let open =
        |options| GraphStore::open_with(WatchedFileSystem::of_network("NFS"), &path, options);
    let refused = open(options());
    assert!(matches!(refused, Err(Error::NetworkFileSystem { kind: "NFS", .. })), "{refused:?}");
    assert!(!path.exists(), "nothing is made");
    let allowed = OpenOptions { allow_network: true, ..options() };
    open(allowed).unwrap().put_concept(concept("a")).unwrap();
    assert!(matches!(open(options()), Err(Error::NetworkFileSystem { .. })));
    let read_only = OpenOptions { read_only: true, ..options() };
    assert!(open(read_only).unwrap().contains("a").unwrap());
}

#[test]
fn a_write_that_changes_nothing_waits_for_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    first.put_concepts(vec![concept("a")]).unwrap();
    let timeout = Duration::from_mins(1);
    let options = OpenOptions { background: true, timeout, ..options() };
    let store = GraphStore::open(dir.path(), options).unwrap();
    // Once the background has looked at the tail, which this handle added nothing to.
    std::thread::sleep(Duration::from_millis(1500));
    let begun = Instant::now();
    assert_eq!(store.delete_expired().unwrap(), 0);
    assert!(begun.elapsed() < timeout / 2, "held up though the tail is short");
}

/// What a handle writes goes to the store that it opened, wherever the process goes meanwhile, and nowhere
/// when another store was put in its place.
#[test]
fn a_store_put_in_the_place_of_an_open_one_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let put = |store: &GraphStore, id: &str| store.put_concepts(vec![Concept::new(id, "")]);
    for copied in [false, true] {
        let name = if copied { "copied" } else { "other" };
        let store = GraphStore::open(at(name), options()).unwrap();
        put(&store, "first").unwrap();
        if copied {
            store.backup(at("standby")).unwrap();
        } else {
            drop(GraphStore::open(at("standby"), options()).unwrap());
        }
        std::fs::rename(at(name), at("moved")).unwrap();
        std::fs::rename(at("standby"), at(name)).unwrap();
        let new = GraphStore::open(at(name), options()).unwrap();
        put(&new, "new").unwrap();

        assert!(matches!(put(&store, "late"), Err(Error::Io { .. })));
        assert!(matches!(store.flush(), Err(Error::Io { .. })));
        assert!(matches!(store.compact(), Err(Error::Io { .. })));
        store.close().ok();
        drop(store);
        assert!(new.contains("new").unwrap() && !new.contains("late").unwrap());
        new.compact().unwrap();
        assert!(new.verify().unwrap().is_sound());
        drop(new);
        let moved = GraphStore::open(at("moved"), options()).unwrap();
        assert!(moved.contains("first").unwrap() && !moved.contains("new").unwrap());
        assert!(moved.verify().unwrap().is_sound());
        drop(moved);
        std::fs::remove_dir_all(at("moved")).unwrap();
    }
}

/// A link that leads elsewhere by now leads new handles there, and no open one.
#[cfg(unix)]
#[test]
fn a_handle_stays_with_the_directory_that_a_link_led_to() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for version in ["v1", "v2"] {
        drop(GraphStore::open(at(version), options()).unwrap());
    }
    std::os::unix::fs::symlink(at("v1"), at("current")).unwrap();
    let store = GraphStore::open(at("current"), options()).unwrap();
    std::fs::remove_file(at("current")).unwrap();
    std::os::unix::fs::symlink(at("v2"), at("current")).unwrap();
    store.put_concept(Concept::new("a", "")).unwrap();
    store.compact().unwrap();
    drop(store);
    assert!(GraphStore::open(at("v1"), options()).unwrap().contains("a").unwrap());
    assert!(!GraphStore::open(at("current"), options()).unwrap().contains("a").unwrap());
}
