//! The log as its callers use it, on a simulated file system.

mod damage;
mod salvaged;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::group_commit::Synced;
use super::*;
use crate::fs::{Access, Fault, FaultKind, FileSystem, OsFileSystem, SimulatedFileSystem};

const UUID: [u8; 16] = *b"a store's number";
const FIRST: LogHeader =
    LogHeader { store_uuid: UUID, number: 1, salt: 0x5a17, start_lsn: 1, cut_lsn: 0 };

fn store() -> &'static Path {
    Path::new("store")
}

fn new_store() -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new();
    fs.create_dir_all(&log_dir(store())).expect("created");
    fs.sync_dir(Path::new("")).expect("synced");
    fs.sync_dir(store()).expect("synced");
    fs
}

fn new_log() -> (SimulatedFileSystem, Log) {
    let fs = new_store();
    let log = Log::create(&fs, store(), FIRST).expect("created");
    (fs, log)
}

fn open(fs: &SimulatedFileSystem) -> Log {
    let log = Log::open(fs, store(), 1, UUID, Access::ReadWrite).expect("sound");
    log.expect("its creation was finished")
}

type Frames = Vec<(u64, Vec<u8>)>;

/// Follows a log from where it is.
fn follow(log: &mut Log) -> Result<(Frames, End)> {
    let mut frames = Vec::new();
    let end = log.follow(0, &mut |frame| {
        frames.push((frame.lsn, frame.payload.to_vec()));
        Ok(())
    })?;
    Ok((frames, end))
}

/// Appends and syncs, as a commit that is to be durable does.
fn commit(log: &mut Log, payload: &[u8]) {
    let lsn = log.newest_lsn() + 1;
    log.append(lsn, payload).expect("appended");
    log.group().sync(lsn).expect("synced");
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + len) as u8 | 1).collect()
}

fn next_operation(fs: &SimulatedFileSystem, kind: FaultKind) -> Fault {
    Fault { operation: fs.operations(), kind, for_good: false }
}

#[test]
fn transactions_of_all_sizes_are_read_as_written() {
    let (fs, mut log) = new_log();
    let sizes = [0, 1, 7, 8, 9, 4000, 64 << 10, (64 << 10) + 1, 700_001, 3, 1_500_000, 0, 20];
    let mut expected = Vec::new();
    for (index, size) in sizes.into_iter().enumerate() {
        commit(&mut log, &payload(size));
        if index % 2 == 0 {
            log.mark_synced().expect("marked");
        }
        expected.push((index as u64 + 1, payload(size)));
    }
    let mut reopened = open(&fs);
    assert!(!reopened.is_at_clean_end(), "it has not looked yet");
    assert_eq!(follow(&mut reopened).expect("sound"), (expected.clone(), End::Clean));
    assert!(reopened.is_at_clean_end());
    assert_eq!(reopened.bytes(), log.bytes());
    assert_eq!((reopened.newest_lsn(), reopened.header()), (13, &FIRST));

    let mut newer = Vec::new();
    let end = open(&fs).follow(10, &mut |frame| {
        newer.push(frame.lsn);
        Ok(())
    });
    assert_eq!((end.expect("sound"), newer), (End::Clean, vec![11, 12, 13]));
}

#[test]
fn second_handle_follows_at_the_price_of_one_read() {
    let (fs, mut writer) = new_log();
    let mut reader = open(&fs);
    assert_eq!(follow(&mut reader).expect("sound"), (vec![], End::Clean));
    for lsn in 1..=300 {
        writer.append(lsn, &payload(lsn as usize)).expect("appended");
        assert_eq!(
            follow(&mut reader).expect("sound"),
            (vec![(lsn, payload(lsn as usize))], End::Clean)
        );
        let before = fs.operations();
        assert_eq!(follow(&mut reader).expect("sound"), (vec![], End::Clean));
        assert_eq!(fs.operations() - before, 1);
    }
}

#[test]
fn two_handles_append_by_turns() {
    let (fs, mut first) = new_log();
    let mut second = open(&fs);
    for turn in 0..40_u64 {
        let (log, size) = if turn % 2 == 0 { (&mut first, 90_000) } else { (&mut second, 50_000) };
        let (_, end) = follow(log).expect("sound");
        assert_eq!((end, log.newest_lsn()), (End::Clean, turn));
        log.append(turn + 1, &payload(size + turn as usize)).expect("appended");
    }
    let (frames, end) = follow(&mut open(&fs)).expect("sound");
    assert_eq!((frames.len(), end), (40, End::Clean));
}

#[test]
fn frame_whose_writing_was_watched_is_read_when_it_is_whole() {
    let (fs, mut writer) = new_log();
    let mut reader = open(&fs);
    writer.append(1, &payload(5000)).expect("appended");
    let whole = fs.view(writer.path()).expect("there").to_vec();
    let watched = SimulatedFileSystem::new();
    watched.set_bytes(writer.path(), FIRST.encode().to_vec());
    let file = watched.open(writer.path(), Access::ReadWrite).expect("opened");
    let mut follower = open(&watched);
    for cut in [80, 104, 1000, 5000] {
        file.write_all_at(&whole[..cut], 0).expect("written");
        let (frames, end) = follow(&mut follower).expect("not corrupt");
        assert!(frames.is_empty() && matches!(end, End::Torn { offset: 72, .. }), "{end:?}");
    }
    file.write_all_at(&whole, 0).expect("written");
    assert_eq!(follow(&mut follower).expect("sound"), follow(&mut reader).expect("sound"));
    assert_eq!(follower.newest_lsn(), 1);
}

#[test]
fn failing_sink_gets_its_transaction_again() {
    let (fs, mut writer) = new_log();
    for lsn in 1..=3 {
        writer.append(lsn, b"x").expect("appended");
    }
    let mut reader = open(&fs);
    let failed = reader.follow(0, &mut |frame| {
        if frame.lsn == 2 { Err(Error::Closed) } else { Ok(()) }
    });
    assert!(matches!(failed, Err(Error::Closed)));
    assert_eq!(reader.newest_lsn(), 1);
    let (frames, end) = follow(&mut reader).expect("sound");
    assert_eq!((frames.iter().map(|frame| frame.0).collect(), end), (vec![2, 3], End::Clean));
}

#[test]
fn zeros_are_written_ahead_of_small_frames_only() {
    let (fs, mut log) = new_log();
    let len = |fs: &SimulatedFileSystem| fs.view(&log_path(store(), 1)).expect("there").len();
    assert_eq!(len(&fs), 72);
    log.append(1, &payload(100)).expect("appended");
    assert_eq!(len(&fs), 1 << 20);
    log.append(2, &payload(100)).expect("appended");
    assert_eq!(len(&fs), 1 << 20);
    log.append(3, &payload(2 << 20)).expect("appended");
    assert_eq!(len(&fs) as u64, log.bytes());
    log.append(4, &payload(1)).expect("appended");
    assert_eq!(len(&fs), 3 << 20);

    // A frame of 64 KiB is the largest that is small.
    let (fs, mut log) = new_log();
    log.append(1, &payload((64 << 10) - 32)).expect("appended");
    assert_eq!(len(&fs), 1 << 20);
    let (fs, mut log) = new_log();
    log.append(1, &payload((64 << 10) - 31)).expect("appended");
    assert_eq!(len(&fs), 72 + (64 << 10) + 8);
}

#[test]
fn a_long_log_is_followed_in_few_reads() {
    let (fs, mut log) = new_log();
    for lsn in 1..=4000 {
        log.append(lsn, &payload(468)).expect("appended");
    }
    let mut reopened = open(&fs);
    let before = fs.operations();
    let (frames, _) = follow(&mut reopened).expect("sound");
    assert_eq!(frames.len(), 4000);
    // 2 MB in reads of 256 KiB, after a few smaller ones; before each, the file's length is asked for.
    let operations = fs.operations() - before;
    assert!(operations <= 24, "{operations} operations");
}

#[test]
fn marker_tells_other_handles_what_is_durable_and_is_written_once() {
    let (fs, mut writer) = new_log();
    let mut reader = open(&fs);
    writer.append(1, b"x").expect("appended");
    follow(&mut reader).expect("sound");
    assert_eq!((reader.newest_lsn(), reader.group().synced_lsn()), (1, 0));
    let synced = writer.group().sync(1).expect("synced");
    assert_eq!(synced, Synced { lsn: 1, led: true });
    writer.mark_synced().expect("marked");
    let bytes = writer.bytes();
    writer.mark_synced().expect("nothing to do");
    assert_eq!(writer.bytes(), bytes);
    follow(&mut reader).expect("sound");
    assert_eq!(reader.group().sync(1).expect("known"), Synced { lsn: 1, led: false });
}

#[test]
fn sync_covers_what_other_handles_appended() {
    let (fs, mut first) = new_log();
    let mut second = open(&fs);
    first.append(1, b"first").expect("appended");
    follow(&mut second).expect("sound");
    second.append(2, b"second").expect("appended");
    assert_eq!(second.group().sync(2).expect("synced").lsn, 2);
    for seed in 0..100 {
        let (frames, _) = follow(&mut open(&fs.crash(seed))).expect("sound");
        assert_eq!(frames.len(), 2, "seed {seed}");
    }
}

#[test]
fn sealed_log_names_the_next_and_ends_all_handles() {
    let (fs, mut writer) = new_log();
    let mut reader = open(&fs);
    writer.append(1, b"x").expect("appended");
    let next = LogHeader { number: 2, salt: 7, start_lsn: 2, cut_lsn: 1, ..FIRST };
    let next = Log::create(&fs, store(), next).expect("created");
    assert_eq!((next.newest_lsn(), next.is_whole()), (1, true));
    writer.seal(2).expect("sealed");
    let sealed = End::Sealed { next: 2 };
    assert_eq!(follow(&mut writer).expect("sound"), (vec![], sealed));
    assert_eq!(follow(&mut reader).expect("sound"), (vec![(1, b"x".to_vec())], sealed));
    assert_eq!(follow(&mut reader).expect("sound"), (vec![], sealed));
    for seed in 0..50 {
        let (frames, _) = follow(&mut open(&fs.crash(seed))).expect("sound");
        assert_eq!(frames.len(), 1, "sealing has synced: seed {seed}");
    }
    assert_eq!(list_logs(&fs, store()).expect("there"), [1, 2]);
}

#[test]
fn log_of_recovery_is_whole_once_it_holds_all_copies() {
    let fs = new_store();
    let header = LogHeader { start_lsn: 5, cut_lsn: 6, ..FIRST };
    let mut log = Log::create(&fs, store(), header).expect("created");
    assert!(!log.is_whole());
    log.append(5, b"copy").expect("appended");
    assert!(!log.is_whole());
    log.append(6, b"copy").expect("appended");
    assert!(log.is_whole());
    let mut reopened = open(&fs);
    assert!(!reopened.is_whole());
    follow(&mut reopened).expect("sound");
    assert!(reopened.is_whole());
}

#[test]
fn a_log_that_could_not_be_created_leaves_no_file() {
    let (fs, log) = new_log();
    let header = LogHeader { number: 2, ..*log.header() };
    // Making the file, writing and syncing its header, syncing the name.
    for at in 0..4 {
        fs.inject(Fault { operation: fs.operations() + at, kind: FaultKind::Io, for_good: false });
        let error = Log::create(&fs, store(), header).expect_err("it fails");
        assert!(matches!(error, Error::Io { .. }), "{at}: {error}");
        assert_eq!(list_logs(&fs, store()).expect("listed"), [1], "{at}");
    }
    Log::create(&fs, store(), header).expect("the name is free");
}

#[test]
fn full_disk_refuses_a_transaction_and_leaves_the_log_usable() {
    let (fs, mut log) = new_log();
    fs.inject(Fault { for_good: true, ..next_operation(&fs, FaultKind::NoSpace) });
    for size in [10, 100_000] {
        let error = log.append(1, &payload(size)).expect_err("full");
        assert!(matches!(error, Error::Io { action: "write", .. }), "{error}");
    }
    let error = log.append(1, b"x").expect_err("not followed since it failed");
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    fs.clear_faults();
    assert_eq!(follow(&mut log).expect("sound"), (vec![], End::Clean));
    log.append(1, b"x").expect("there is space again");
    assert_eq!(follow(&mut open(&fs)).expect("sound").0, [(1, b"x".to_vec())]);
}

#[test]
fn short_write_is_a_torn_tail_that_a_seal_replaces() {
    let (fs, mut log) = new_log();
    let mut reader = open(&fs);
    log.append(1, b"x").expect("appended");
    let end_of_first = log.bytes();
    log.append(2, &payload(2 << 20)).expect("appended");
    fs.inject(next_operation(&fs, FaultKind::ShortWrite));
    log.append(3, &payload(100_000)).expect_err("short");
    let (_, end) = follow(&mut log).expect("not corrupt");
    let torn = End::Torn { offset: log.bytes(), discarded_bytes: 50_016 };
    assert_eq!((end, log.is_at_clean_end()), (torn, false));
    let (frames, end) = follow(&mut reader).expect("not corrupt");
    assert_eq!((frames.len(), end), (2, torn));
    assert!(end_of_first < reader.bytes());

    log.seal(2).expect("sealed");
    assert_eq!(follow(&mut reader).expect("sound"), (vec![], End::Sealed { next: 2 }));
    let (frames, end) = follow(&mut open(&fs)).expect("sound");
    assert_eq!((frames.len(), end), (2, End::Sealed { next: 2 }));
}

#[test]
fn write_that_took_effect_is_committed_in_spite_of_its_error() {
    let (fs, mut log) = new_log();
    log.append(1, b"makes room").expect("appended");
    fs.inject(next_operation(&fs, FaultKind::LateIo));
    log.append(2, b"x").expect("others see it, so it is committed");
    log.append(3, b"y").expect("appended");
    assert_eq!(follow(&mut open(&fs)).expect("sound").0.len(), 3);
}

#[test]
fn failed_sync_poisons_the_group_and_sealing() {
    let (fs, mut log) = new_log();
    log.append(1, b"x").expect("appended");
    fs.inject(next_operation(&fs, FaultKind::Io));
    for _ in 0..2 {
        let error = log.group().sync(1).expect_err("failed once, fails for good");
        assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    }
    assert!(matches!(log.seal(2), Err(Error::Poisoned { .. })));
}

#[test]
fn read_only_handle_follows_and_refuses_to_write() {
    let (fs, mut writer) = new_log();
    writer.append(1, b"x").expect("appended");
    let log = Log::open(&fs, store(), 1, UUID, Access::Read).expect("sound");
    let mut log = log.expect("finished");
    assert_eq!(follow(&mut log).expect("sound").0.len(), 1);
    assert!(matches!(log.append(2, b"y"), Err(Error::ReadOnly { .. })));
}

#[test]
fn transaction_above_the_limit_is_refused() {
    log::check_size(256 << 20).expect("the largest");
    let error = log::check_size((256 << 20) + 1).expect_err("too large");
    assert!(
        matches!(error, Error::TransactionTooLarge { bytes: 268_435_457, max: 268_435_456 }),
        "{error}"
    );
}

#[test]
#[should_panic(expected = "only at its clean end")]
fn appending_before_following_is_a_bug() {
    let (fs, _) = new_log();
    drop(open(&fs).append(1, b"x"));
}

#[test]
#[should_panic(expected = "numbered without gaps")]
fn appending_out_of_order_is_a_bug() {
    let (_, mut log) = new_log();
    drop(log.append(2, b"x"));
}

#[test]
fn strangers_in_the_directory_are_passed_over() {
    let fs = new_store();
    let names = ["00000000000000000012.log", "00000000000000000003.log", "1.log", "x"];
    let more = ["0000000000000000000a.log", "00000000000000000004.tmp", "+0000000000000000005.log"];
    let huge = ["99999999999999999999.log"];
    for name in names.iter().chain(&more).chain(&huge) {
        fs.set_bytes(&log_dir(store()).join(name), Vec::new());
    }
    assert_eq!(list_logs(&fs, store()).expect("there"), [3, 12]);
    let path: PathBuf = ["store", "wal", "00000000000000000012.log"].iter().collect();
    assert_eq!(log_path(store(), 12), path);
}

#[test]
fn threads_that_commit_together_are_all_durable_when_acknowledged() {
    let (fs, log) = new_log();
    let group = std::sync::Arc::clone(log.group());
    let log = Mutex::new(log);
    let images = thread::scope(|scope| {
        let workers: Vec<_> = (0..8_u64)
            .map(|worker| {
                let (fs, log, group) = (&fs, &log, &group);
                scope.spawn(move || {
                    let mut images = Vec::new();
                    for turn in 0..20 {
                        let lsn = {
                            let mut log = log.lock().expect("no one panics");
                            let lsn = log.newest_lsn() + 1;
                            log.append(lsn, &payload(lsn as usize * 7)).expect("appended");
                            lsn
                        };
                        let synced = group.sync(lsn).expect("synced");
                        images.push((lsn, fs.crash(worker * 100 + turn)));
                        if synced.led {
                            log.lock().expect("no one panics").mark_synced().expect("marked");
                        }
                    }
                    images
                })
            })
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| worker.join().expect("no panic");
        workers.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    for (acknowledged, image) in images {
        let (frames, _) = follow(&mut open(&image)).expect("not corrupt");
        assert!(frames.len() as u64 >= acknowledged, "{} of {acknowledged}", frames.len());
        for (lsn, bytes) in frames {
            assert_eq!(bytes, payload(lsn as usize * 7));
        }
    }
}

#[test]
fn readers_without_a_lock_follow_a_living_writer_on_a_real_file_system() {
    let directory = tempfile::tempdir().expect("created");
    let dir = directory.path();
    OsFileSystem.create_dir_all(&log_dir(dir)).expect("created");
    let mut log = Log::create(&OsFileSystem, dir, FIRST).expect("created");
    let done = AtomicBool::new(false);
    let size = |lsn: u64| if lsn.is_multiple_of(50) { 90_000 } else { (lsn * 97 % 5000) as usize };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let opened = Log::open(&OsFileSystem, dir, 1, UUID, Access::Read).expect("sound");
                let mut reader = opened.expect("finished");
                loop {
                    // What was appended before this moment is to be found by the pass that follows.
                    let last_pass = done.load(Ordering::SeqCst);
                    let (frames, _) = follow(&mut reader).expect("not corrupt");
                    for (lsn, bytes) in frames {
                        assert_eq!(bytes, payload(size(lsn)));
                    }
                    if last_pass {
                        break;
                    }
                }
                assert_eq!(reader.newest_lsn(), 1500);
            });
        }
        for lsn in 1..=1500 {
            log.append(lsn, &payload(size(lsn))).expect("appended");
            if lsn % 10 == 0 {
                log.group().sync(lsn).expect("synced");
                log.mark_synced().expect("marked");
            }
        }
        done.store(true, Ordering::SeqCst);
    });
}
