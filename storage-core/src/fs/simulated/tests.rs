//! The simulated file system against what it promises of itself.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const SEEDS: u64 = 300;

fn with_file(name: &str) -> (SimulatedFileSystem, Box<dyn File>) {
    let fs = SimulatedFileSystem::new();
    let file = fs.create_new(Path::new(name)).expect("created");
    (fs, file)
}

fn read(fs: &SimulatedFileSystem, name: &str) -> Option<Vec<u8>> {
    match fs.view(Path::new(name)) {
        Ok(view) => Some(view.to_vec()),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            None
        }
    }
}

#[test]
fn synced_bytes_survive_every_crash_and_others_meet_every_fate() {
    let (fs, file) = with_file("a");
    fs.sync_dir(Path::new("")).expect("synced");
    file.write_all_at(&[1; 700], 0).expect("written");
    file.sync_data().expect("synced");
    file.write_all_at(&[2; 1000], 700).expect("written");
    let (mut kept, mut dropped, mut torn, mut garbage, mut shorter) = (0, 0, 0, 0, 0);
    for seed in 0..SEEDS {
        let image = read(&fs.crash(seed), "a").expect("its name was synced");
        assert_eq!(&image[..700], &[1; 700], "seed {seed}");
        assert!((700..=1700).contains(&image.len()), "seed {seed}");
        shorter += u64::from(image.len() < 1700);
        if image.len() == 1700 {
            // The sector from 1024 to 1535 is unsynced as a whole.
            let sector = &image[1024..1536];
            let values: BTreeSet<u8> = sector.iter().copied().collect();
            match values.into_iter().collect::<Vec<_>>()[..] {
                [2] => kept += 1,
                [0] => dropped += 1,
                [0, 2] => torn += 1,
                _ => garbage += 1,
            }
        }
    }
    assert!([kept, dropped, torn, garbage, shorter].iter().all(|&count| count > 3));
    assert_eq!(read(&fs, "a").expect("there").len(), 1700, "the running system sees all");
}

#[test]
fn crash_is_determined_by_its_seed() {
    let (fs, file) = with_file("a");
    file.write_all_at(&[3; 5000], 0).expect("written");
    for seed in 0..50 {
        assert_eq!(read(&fs.crash(seed), "a"), read(&fs.crash(seed), "a"));
    }
}

#[test]
fn closing_a_file_does_not_sync_it() {
    let (fs, file) = with_file("a");
    fs.sync_dir(Path::new("")).expect("synced");
    file.write_all_at(b"bytes", 0).expect("written");
    drop(file);
    assert!((0..SEEDS).any(|seed| read(&fs.crash(seed), "a") == Some(Vec::new())));
    assert!((0..SEEDS).any(|seed| read(&fs.crash(seed), "a") == Some(b"bytes".to_vec())));
}

#[test]
fn names_are_lost_and_come_back_until_their_directory_is_synced() {
    let fs = SimulatedFileSystem::new();
    for (name, content) in [("d/old", b"1"), ("d/target", b"2"), ("d/gone", b"3")] {
        fs.set_bytes(Path::new(name), content.to_vec());
    }
    let created = fs.create_new(Path::new("d/new")).expect("created");
    created.sync_data().expect("synced");
    fs.rename(Path::new("d/old"), Path::new("d/target")).expect("renamed");
    fs.remove(Path::new("d/gone")).expect("removed");

    let state = |fs: &SimulatedFileSystem| {
        ["d/new", "d/old", "d/target", "d/gone"].map(|name| read(fs, name))
    };
    let one = |byte: &[u8]| Some(byte.to_vec());
    let states: BTreeSet<_> = (0..SEEDS).map(|seed| state(&fs.crash(seed))).collect();
    assert_eq!(states.len(), 8, "each change is kept or lost by itself");
    for [_, old, target, _] in &states {
        let renamed = (None, one(b"1"));
        let before = (one(b"1"), one(b"2"));
        let found = (old.clone(), target.clone());
        assert!(found == renamed || found == before, "a rename is whole: {found:?}");
    }
    fs.sync_dir(Path::new("d")).expect("synced");
    for seed in 0..SEEDS {
        assert_eq!(state(&fs.crash(seed)), [one(b""), None, one(b"1"), None]);
    }
}

#[test]
fn directory_is_lost_with_all_in_it_until_the_one_above_is_synced() {
    let fs = SimulatedFileSystem::new();
    let path = Path::new("/store/wal");
    fs.create_dir_all(path).expect("created");
    fs.create_new(&path.join("1")).expect("created");
    fs.sync_dir(path).expect("synced");
    fs.sync_dir(Path::new("store")).expect("synced");
    assert!((0..SEEDS).any(|seed| fs.crash(seed).paths().is_empty()));
    fs.sync_dir(Path::new("/")).expect("synced");
    for seed in 0..SEEDS {
        assert_eq!(fs.crash(seed).paths(), [Path::new("store/wal/1")]);
        assert_eq!(fs.crash(seed).list(Path::new("store")).expect("there"), ["wal"]);
    }
}

#[test]
fn names_behave_as_on_a_real_system() {
    let (fs, file) = with_file("a");
    let kind = |result: io::Result<()>| result.expect_err("refused").kind();
    let create = |name: &str| fs.create_new(Path::new(name)).map(drop);
    assert_eq!(kind(create("a")), io::ErrorKind::AlreadyExists);
    assert_eq!(kind(create("missing/a")), io::ErrorKind::NotFound);
    assert_eq!(kind(create("../a")), io::ErrorKind::InvalidInput);
    assert_eq!(kind(fs.create_dir_all(Path::new("a/b"))), io::ErrorKind::NotADirectory);
    assert_eq!(kind(fs.remove(Path::new("b"))), io::ErrorKind::NotFound);
    assert_eq!(kind(fs.rename(Path::new("b"), Path::new("c"))), io::ErrorKind::NotFound);
    assert_eq!(kind(fs.list(Path::new("b")).map(drop)), io::ErrorKind::NotFound);
    fs.create_dir_all(Path::new("d")).expect("created");
    let across = fs.rename(Path::new("a"), Path::new("d/a"));
    assert_eq!(kind(across), io::ErrorKind::CrossesDevices);

    file.write_all_at(b"12345", 0).expect("written");
    fs.remove(Path::new("a")).expect("removed");
    let mut buffer = [0; 9];
    assert_eq!(file.read_at(&mut buffer, 2).expect("an open file stays"), 3);
    assert_eq!(&buffer[..3], b"345");
    assert_eq!(file.read_at(&mut buffer, 99).expect("read"), 0);
    assert_eq!(kind(file.write_all_at(b"x", u64::MAX)), io::ErrorKind::FileTooLarge);

    create("b").expect("created");
    let reader = fs.open(Path::new("b"), Access::Read).expect("opened");
    assert_eq!(kind(reader.write_all_at(b"x", 0)), io::ErrorKind::PermissionDenied);
}

#[test]
fn lock_excludes_other_handles_until_unlocked_or_dropped() {
    let (fs, first) = with_file("a");
    let second = fs.clone().open(Path::new("a"), Access::ReadWrite).expect("opened");
    assert!(first.try_lock().expect("works"));
    assert!(!second.try_lock().expect("works"));
    second.unlock().expect("not its own to release");
    assert!(!second.try_lock().expect("works"));
    first.unlock().expect("works");
    assert!(second.try_lock().expect("works"));
    drop(second);
    assert!(first.try_lock().expect("works"));
}

#[test]
fn shared_page_is_one_for_all_until_the_crash() {
    use std::sync::atomic::Ordering;
    let fs = SimulatedFileSystem::new();
    let path = Path::new("CONTROL");
    let page = fs.shared_page(path).expect("made");
    page.0.word(3).store(7, Ordering::SeqCst);
    fs.sync_dir(Path::new("")).expect("synced");
    let again = fs.clone().shared_page(path).expect("made");
    assert_eq!(again.0.word(3).load(Ordering::SeqCst), 7);
    let rebooted = fs.crash(0).shared_page(path).expect("made");
    assert_eq!(rebooted.0.word(3).load(Ordering::SeqCst), 0);
}

#[test]
fn faults_strike_the_operations_they_fit_once_or_for_good() {
    let (fs, file) = with_file("a");
    let now = fs.operations();
    let fault = |kind, for_good| Fault { operation: now, kind, for_good };
    fs.inject(fault(FaultKind::NoSpace, false));
    assert_eq!(file.len().expect("a read needs no space"), 0);
    let full = file.write_all_at(b"1234", 0).expect_err("full");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().expect("read"), 0);

    fs.inject(fault(FaultKind::ShortWrite, false));
    file.sync_data().expect("not a write");
    file.write_all_at(b"1234", 0).expect_err("short");
    assert_eq!(file.len().expect("read"), 2);
    file.write_all_at(b"1234", 0).expect("once only");

    fs.inject(fault(FaultKind::LateIo, false));
    file.write_all_at(b"123456", 0).expect_err("late");
    assert_eq!(file.len().expect("read"), 6);

    fs.inject(Fault { operation: fs.operations() + 1, kind: FaultKind::Io, for_good: true });
    file.len().expect("not yet");
    for _ in 0..3 {
        file.len().expect_err("for good");
        fs.list(Path::new("")).expect_err("for good");
    }
    fs.clear_faults();
    file.len().expect("mended");
}

#[test]
fn failed_sync_loses_what_it_was_to_write_and_a_retry_does_not_mend_it() {
    let (fs, file) = with_file("a");
    fs.sync_dir(Path::new("")).expect("synced");
    file.write_all_at(&[1; 512], 0).expect("written");
    fs.inject(Fault { operation: 0, kind: FaultKind::Io, for_good: false });
    file.sync_data().expect_err("injected");
    file.sync_data().expect("proves nothing");
    let lost = (0..SEEDS).any(|seed| read(&fs.crash(seed), "a") != Some(vec![1; 512]));
    assert!(lost);
    file.write_all_at(&[1; 512], 0).expect("written");
    file.sync_data().expect("synced");
    assert!((0..SEEDS).all(|seed| read(&fs.crash(seed), "a") == Some(vec![1; 512])));
}

#[test]
fn lost_syncs_report_success() {
    let (fs, file) = with_file("a");
    fs.inject(Fault { operation: 0, kind: FaultKind::LostSync, for_good: false });
    fs.inject(Fault { operation: 0, kind: FaultKind::LostDirectorySync, for_good: false });
    file.write_all_at(b"1", 0).expect("written");
    file.sync_data().expect("says so");
    fs.sync_dir(Path::new("")).expect("says so");
    let images: BTreeSet<_> = (0..SEEDS).map(|seed| read(&fs.crash(seed), "a")).collect();
    assert!(images.contains(&None) && images.contains(&Some(Vec::new())));
}

#[test]
fn each_unsynced_thing_can_be_lost_or_kept_alone() {
    let (fs, file) = with_file("a");
    file.write_all_at(&[1; 600], 0).expect("written");
    let things = fs.unsynced();
    let sector = |offset| Unsynced::Sector { path: "a".into(), offset, blank: false };
    let expected =
        [Unsynced::Name("create a".into()), Unsynced::Length("a".into()), sector(0), sector(512)];
    assert_eq!(things, expected);
    let image = |most, but: &[(usize, Outcome)]| read(&fs.crash_with(most, but, 0), "a");
    let zeros_then_ones = [&[0; 512][..], &[1; 88]].concat();
    assert_eq!(image(Outcome::Kept, &[]), Some(vec![1; 600]));
    assert_eq!(image(Outcome::Kept, &[(0, Outcome::Dropped)]), None);
    assert_eq!(image(Outcome::Kept, &[(1, Outcome::Dropped)]), Some(Vec::new()));
    assert_eq!(image(Outcome::Kept, &[(2, Outcome::Dropped)]), Some(zeros_then_ones));
    assert_eq!(image(Outcome::Dropped, &[]), None);
    assert_eq!(image(Outcome::Dropped, &[(0, Outcome::Kept)]), Some(Vec::new()));
    let sized = [(0, Outcome::Kept), (1, Outcome::Kept)];
    assert_eq!(image(Outcome::Dropped, &sized), Some(vec![0; 600]));
    fs.sync_dir(Path::new("")).expect("synced");
    file.sync_data().expect("synced");
    assert_eq!(fs.unsynced(), []);
    file.write_all_at(&[0; 512], 600).expect("written");
    let blank: Vec<bool> = fs
        .unsynced()
        .iter()
        .filter_map(|thing| match thing {
            Unsynced::Sector { blank, .. } => Some(*blank),
            _ => None,
        })
        .collect();
    assert_eq!(blank, [true, true]);
}

#[test]
fn recording_keeps_the_state_before_each_change() {
    let (fs, file) = with_file("a");
    fs.record(0, usize::MAX);
    file.write_all_at(b"1", 0).expect("written");
    file.len().expect("reading changes nothing");
    file.sync_data().expect("synced");
    file.write_all_at(&[0; 10], 1).expect("written");
    file.write_all_at(&[0; 10], 11).expect("more zeros are the same operation");
    fs.sync_dir(Path::new("")).expect("synced");
    let moments = fs.recorded();
    let operations: Vec<u64> = moments.iter().map(|moment| moment.operation).collect();
    assert_eq!(operations, [1, 3, 4, 6]);
    let bytes = |at: usize| read(&moments[at].fs.crash_with(Outcome::Kept, &[], 0), "a");
    assert_eq!(bytes(0), Some(Vec::new()));
    assert_eq!(bytes(1), Some(b"1".to_vec()));
    assert_eq!(bytes(2), Some(b"1".to_vec()));
    assert_eq!(bytes(3).expect("there").len(), 21);
    assert_eq!(read(&moments[3].fs.crash_with(Outcome::Dropped, &[], 0), "a"), None);
    assert!(fs.recorded().is_empty());
    file.write_all_at(b"2", 0).expect("written");
    assert_eq!(bytes(3).expect("a copy stays as it is")[0], b'1');
    assert_eq!(fs.moment().operation, 8);
    assert_ne!(fs.fingerprint(), moments[3].fs.fingerprint());
}
