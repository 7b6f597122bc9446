//! Damaged files: every bit flipped, cut at every length; files deleted, emptied, zeroed, swapped,
//! duplicated, with garbage behind them. Whatever is read is what it was before, or a typed error, or the
//! state before a transaction at the log's end whose loss is reported; never a wrong answer or a panic.
//!
//! On Linux each test runs in a process whose memory is limited, so that an allocation by a wild length
//! ends it. Of the bits and lengths 5 % are tried, and more at both ends of a file;
//! `SUTRA_DAMAGE_LONG=1` tries all. `SUTRA_DAMAGE_SEED` chooses the part.

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use common::crafted::within_limits;
use common::damaged::{Files, Seen, Sound, is_log, is_unchecked};
use common::{Random, variable};

/// A byte or length in so many is tried where not all are: 5 %.
const ONE_IN: u64 = 20;
/// Bytes at each end of a file, where headers and tails are.
const ENDS: usize = 72;
/// Of these, one in so many.
const ONE_IN_OF_ENDS: u64 = 3;

/// Whether all bits and lengths are tried.
fn is_long() -> bool {
    variable("SUTRA_DAMAGE_LONG") == Some(1)
}

/// The places of `0..len` that are tried: those at both ends, and a part of the others, or all.
fn places(len: usize, random: &mut Random) -> Vec<usize> {
    let long = is_long();
    let mut is_chosen = |at: usize| {
        let is_end = at < ENDS || at + ENDS >= len;
        long || random.below(if is_end { ONE_IN_OF_ENDS } else { ONE_IN }) == 0
    };
    (0..len).filter(|&at| is_chosen(at)).collect()
}

fn random(salt: u64) -> Random {
    Random(variable("SUTRA_DAMAGE_SEED").unwrap_or(1) ^ salt << 32)
}

/// Tries all cases, on every core.
fn for_each<T: Send>(what: &str, cases: Vec<T>, try_one: impl Fn(T) + Sync) {
    let count = cases.len();
    let cases = Mutex::new(cases.into_iter());
    let next = || cases.lock().unwrap_or_else(PoisonError::into_inner).next();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(case) = next() {
                    try_one(case);
                }
            });
        }
    });
    eprintln!("result: {count} {what}");
}

/// Bytes of a segment that no checksum covers, since nothing depends on them: four reserved ones of the
/// header, and zeros between sections.
fn is_gap(path: &Path, bytes: &[u8], at: usize) -> bool {
    if path.extension().is_none_or(|extension| extension != "seg") {
        return false;
    }
    let number = |at: usize| {
        let bytes = bytes[at..at + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes) as usize
    };
    let tail = bytes.len() - 64;
    let (checksums, table) = (number(tail + 16), number(tail + 24));
    let is_covered = |entry: usize| {
        let start = number(entry + 8);
        (start..start + number(entry + 16)).contains(&at)
    };
    (60..checksums).contains(&at) && !(table..tail).step_by(32).any(is_covered)
}

/// Bytes of the seal that ends an older log, or of the marker before it: 40 and 32 bytes, behind the
/// last transaction, and all that follows. Neither need be durable, so a damaged one is like one that power loss took: the
/// next log is found without it.
fn is_seal(path: &Path, bytes: &[u8], at: usize) -> bool {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    is_log(path) && at + 72 >= used
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    within_limits("a_flipped_bit_is_noticed_wherever_it_is", || {
        let sound = Sound::new();
        let bytes: usize = sound.files.values().map(Vec::len).sum();
        eprintln!("result: a store of {} files, {bytes} bytes", sound.files.len());
        let mut random = random(1);
        let mut flips = Vec::new();
        for (path, bytes) in &sound.files {
            for at in places(bytes.len(), &mut random) {
                let one = random.below(8);
                let bits = (0..8).filter(|&bit| bit == one || is_long());
                flips.extend(bits.map(|bit| (path, at, bit)));
            }
        }
        for_each("flipped bits", flips, |(path, at, bit)| {
            let files = sound.with(path, |bytes| bytes[at] ^= 1 << bit);
            let what = format!("{} with bit {bit} of byte {at} flipped", path.display());
            match sound.check(&files, &what) {
                Seen::Refused | Seen::Damaged => {}
                seen @ Seen::Discarded { reported, .. } => {
                    assert!(reported && is_log(path), "{what}: {seen:?}");
                }
                Seen::Sound => {
                    let bytes = &sound.files[path];
                    let passed_over = is_unchecked(path)
                        || is_gap(path, bytes, at)
                        || (path != sound.newest_log() && is_seal(path, bytes, at));
                    assert!(passed_over, "{what}: unnoticed");
                }
            }
        });
    });
}

#[test]
fn a_truncated_file_is_noticed_at_every_length() {
    within_limits("a_truncated_file_is_noticed_at_every_length", || {
        let sound = Sound::new();
        let mut random = random(2);
        let mut cuts = Vec::new();
        for (path, bytes) in sound.files.iter().filter(|(path, _)| !is_unchecked(path)) {
            cuts.extend(places(bytes.len(), &mut random).into_iter().map(|len| (path, len)));
        }
        for_each("lengths", cuts, |(path, len)| {
            let files = sound.with(path, |bytes| bytes.truncate(len));
            let what = format!("{} cut to {len} bytes", path.display());
            match sound.check(&files, &what) {
                Seen::Refused | Seen::Damaged => {}
                // A cut between two frames leaves a log that ends well, only sooner.
                Seen::Discarded { .. } => assert_eq!(path, sound.newest_log(), "{what}"),
                // Of a log, only zeros at the end were cut; or an older one lost its seal.
                Seen::Sound => assert!(is_log(path), "{what}: unnoticed"),
            }
        });
    });
}

#[test]
fn files_that_are_gone_emptied_or_exchanged_give_no_wrong_answers() {
    within_limits("files_that_are_gone_emptied_or_exchanged_give_no_wrong_answers", || {
        let sound = Sound::new();
        for path in sound.files.keys() {
            let mut gone = sound.files.clone();
            gone.remove(path);
            sound.check(&gone, &format!("without {}", path.display()));
            let empty = sound.with(path, Vec::clear);
            sound.check(&empty, &format!("{} emptied", path.display()));
            let zeros = sound.with(path, |bytes| bytes.fill(0));
            sound.check(&zeros, &format!("{} zeroed", path.display()));
            for other in sound.files.keys().filter(|other| *other > path) {
                let mut files = sound.files.clone();
                let (a, b) = (files[path].clone(), files[other].clone());
                files.insert(path.clone(), b);
                files.insert(other.clone(), a);
                sound.check(&files, &format!("{} and {} swapped", path.display(), other.display()));
                let copy = sound.with(path, |bytes| bytes.clone_from(&sound.files[other]));
                let what = format!("{} in place of {}", other.display(), path.display());
                sound.check(&copy, &what);
            }
        }
    });
}

/// Names that a copy of a file might have: those of the next and of a much later one of its kind.
fn names_of_copies(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let is_digit = |c: char| c.is_ascii_digit();
    let Some(digits) = name.split(|c| !is_digit(c)).find(|part| !part.is_empty()) else {
        return vec![path.with_file_name(format!("{name}~"))];
    };
    let number: u64 = digits.parse().expect("digits");
    let width = digits.len();
    let other = |number: u64| name.replacen(digits, &format!("{number:0width$}"), 1);
    [number + 1, number + 1000].map(|number| path.with_file_name(other(number))).into()
}

#[test]
fn duplicates_of_files_are_passed_over_or_noticed() {
    within_limits("duplicates_of_files_are_passed_over_or_noticed", || {
        let sound = Sound::new();
        for (path, bytes) in &sound.files {
            for copy in names_of_copies(path) {
                let mut files: Files = sound.files.clone();
                if files.insert(copy.clone(), bytes.clone()).is_none() {
                    let what = format!("{} also as {}", path.display(), copy.display());
                    sound.check(&files, &what);
                }
            }
        }
    });
}

#[test]
fn garbage_behind_a_file_is_noticed_or_passed_over() {
    within_limits("garbage_behind_a_file_is_noticed_or_passed_over", || {
        let sound = Sound::new();
        let mut random = random(3);
        for path in sound.files.keys() {
            for len in [1, 8, 64, 4096] {
                let garbage: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
                let files = sound.with(path, |bytes| bytes.extend_from_slice(&garbage));
                let what = format!("{} with {len} bytes of garbage behind", path.display());
                let seen = sound.check(&files, &what);
                if let Seen::Discarded { epoch, reported } = seen {
                    assert!(epoch == sound.newest && reported && is_log(path), "{what}: {seen:?}");
                }
            }
        }
    });
}
