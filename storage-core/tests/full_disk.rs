//! A store on a disk that has no room left, or that can't be written: reading goes on, and writing is
//! refused by a typed error, never ended by a signal.
//!
//! Only a real file system maps files, so the test mounts a small one, in a namespace of its own. Where
//! the system does not let it, it says so and checks nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::options;
use storage_core::{Concept, Error, GraphStore, OpenOptions, StoreStats};

/// The environment variable that names the small file system to the child process.
const DISK: &str = "SUTRA_TEST_DISK";

/// Runs a test's body in a process of its own, on a disk of eight mebibytes.
fn on_small_disk(name: &str, body: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os(DISK) {
        return body(Path::new(&disk));
    }
    let disk = tempfile::tempdir().unwrap();
    let in_namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(disk.path());
        command
    };
    let mount = "mount -t tmpfs -o size=8m tmpfs \"$1\"";
    if !in_namespace(mount).output().is_ok_and(|output| output.status.success()) {
        std::io::stderr()
            .write_all(b"nothing was checked: no file system may be mounted\n")
            .unwrap();
        return;
    }
    let output = in_namespace(&format!("{mount} && shift && exec \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(DISK, disk.path())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
}

/// A closed store of one concept.
fn store(disk: &Path) -> PathBuf {
    let path = disk.join("store");
    let store = GraphStore::open(&path, options()).unwrap();
    store.put_concept(Concept::new("dog", "barks")).unwrap();
    store.close().unwrap();
    path
}

/// Fills the disk to the last byte.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filling");
    let mut filling = std::fs::File::create(&path).unwrap();
    while filling.write_all(&[1; 4096]).is_ok() {}
    while filling.write_all(&[1]).is_ok() {}
    path
}

fn reads(path: &Path) {
    let read_only = OpenOptions { read_only: true, ..options() };
    let store = GraphStore::open(path, read_only).unwrap();
    assert_eq!(store.concept("dog").unwrap().unwrap().content, "barks");
}

fn refused(path: &Path, kind: ErrorKind) {
    match GraphStore::open(path, options()) {
        Err(Error::Io { source, path, .. }) => {
            assert_eq!(source.kind(), kind, "{}", path.display());
        }
        other => panic!("expected an I/O error, got {other:?}"),
    }
}

#[test]
fn counters_that_have_no_room_are_an_error_for_writers_and_none_for_readers() {
    on_small_disk(
        "counters_that_have_no_room_are_an_error_for_writers_and_none_for_readers",
        |disk| {
            let path = store(disk);
            let control = path.join("CONTROL");
            for len in [None, Some(0), Some(100), Some(4096)] {
                std::fs::remove_file(&control).unwrap();
                if let Some(len) = len {
                    std::fs::File::create(&control).unwrap().set_len(len).unwrap(); // All of it a hole.
                }
                let filling = fill(disk);
                reads(&path);
                refused(&path, ErrorKind::StorageFull);
                reads(&path);
                std::fs::remove_file(filling).unwrap();
                let store = GraphStore::open(&path, options()).unwrap();
                store.put_concept(Concept::new("cat", "purrs")).unwrap();
            }
        },
    );
}

#[test]
fn a_disk_that_cannot_be_written_is_read() {
    on_small_disk("a_disk_that_cannot_be_written_is_read", |disk| {
        let path = store(disk);
        std::fs::remove_file(path.join("CONTROL")).unwrap();
        let mount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status().unwrap();
        assert!(mount.success());
        reads(&path);
        refused(&path, ErrorKind::ReadOnlyFilesystem);
    });
}

#[test]
fn a_flush_that_had_no_room_is_tried_again_and_leaves_nothing_behind() {
    on_small_disk("a_flush_that_had_no_room_is_tried_again_and_leaves_nothing_behind", |disk| {
        let path = disk.join("store");
        let options = OpenOptions { background: true, flush_bytes: 300_000, ..options() };
        let store = GraphStore::open(&path, options).unwrap();
        let put = |at: u32| {
            let content = format!("{at}").repeat(2000);
            store.put_concept(Concept::new(format!("c{at}"), content)).unwrap();
        };
        put(100);
        let filling = fill(disk);
        let patience = Instant::now() + Duration::from_mins(1);
        let pause = || {
            assert!(Instant::now() < patience, "the background does not get on");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut at = 101;
        // The log was made longer beforehand, so there is room in it.
        while store.stats().unwrap().log_bytes <= 300_000 {
            put(at);
            at += 1;
        }
        while store.stats().unwrap().maintenance_error.is_none() {
            pause();
        }
        let files = |name: &str| std::fs::read_dir(path.join(name)).unwrap().count();
        assert_eq!((files("wal"), files("seg")), (1, 0));
        std::fs::remove_file(filling).unwrap();
        // No further commit tells the background to look. The segment is there a moment before it is done.
        let is_done = |stats: StoreStats| stats.segments > 0 && stats.maintenance_error.is_none();
        while !is_done(store.stats().unwrap()) {
            pause();
        }
        assert_eq!(store.stats().unwrap().total_concepts, u64::from(at - 100));
    });
}

#[test]
fn a_store_on_a_full_disk_is_closed_without_an_error_for_what_it_need_not_write() {
    on_small_disk(
        "a_store_on_a_full_disk_is_closed_without_an_error_for_what_it_need_not_write",
        |disk| {
            let path = disk.join("store");
            let store = GraphStore::open(&path, options()).unwrap();
            store.put_concept(Concept::new("long", "word ".repeat(40_000))).unwrap();
            let filling = fill(disk);
            for _ in 0..3 {
                GraphStore::open(&path, options()).unwrap().close().unwrap();
            }
            store.close().unwrap();
            assert_eq!(std::fs::read_dir(path.join("wal")).unwrap().count(), 1);
            std::fs::remove_file(filling).unwrap();
            let store = GraphStore::open(&path, options()).unwrap();
            assert!(store.concept("long").unwrap().is_some());
            store.flush().unwrap();
            assert!(store.verify().unwrap().is_sound());
        },
    );
}
