//! What is salvaged of a damaged log.

use super::super::frame::FRAME_HEADER_BYTES;
use super::damage::{half_synced, log_of, small_payloads};
use super::*;

/// The start of the first frame.
const START: usize = 72;

/// Salvages a log with these bytes, and gathers what is told of its damage.
fn salvaged(bytes: &[u8]) -> (Result<Option<SalvagedLog>>, Vec<Error>) {
    let fs = SimulatedFileSystem::new();
    fs.set_bytes(&log_path(store(), 1), bytes.to_vec());
    let mut damage = Vec::new();
    let log = salvage(&fs, store(), 1, &mut |error| damage.push(error));
    (log, damage)
}

/// As [`salvaged`], where the header can be read.
fn salvaged_log(bytes: &[u8]) -> (SalvagedLog, Vec<Error>) {
    let (log, damage) = salvaged(bytes);
    (log.expect("the header can be read").expect("its creation was finished"), damage)
}

fn offsets(damage: &[Error]) -> Vec<usize> {
    let offset = |error: &Error| match error {
        Error::Corrupt { offset, .. } => *offset as usize,
        other => panic!("not of damage: {other}"),
    };
    damage.iter().map(offset).collect()
}

fn numbered(payloads: Vec<Vec<u8>>) -> Frames {
    (1..).zip(payloads).collect()
}

fn without(lost: usize) -> Frames {
    let mut frames = numbered(small_payloads());
    frames.remove(lost);
    frames
}

#[test]
fn all_of_a_sound_log_is_salvaged() {
    let (mut bytes, _) = log_of(&small_payloads());
    for zeros in [0, 20, 1 << 20] {
        bytes.resize(bytes.len() + zeros, 0);
        let (log, damage) = salvaged_log(&bytes);
        assert!(damage.is_empty(), "{damage:?}");
        assert_eq!(log.transactions, numbered(small_payloads()));
        assert_eq!((log.header, log.bytes), (FIRST, bytes.len() as u64));
        assert_eq!((log.known_lsn, log.end), (6, None));
    }
    let header = LogHeader { start_lsn: 5, cut_lsn: 6, ..FIRST };
    let (log, damage) = salvaged_log(&header.encode());
    assert!(damage.is_empty() && log.transactions.is_empty());
    assert_eq!((log.header, log.known_lsn, log.end), (header, 4, None));
}

#[test]
fn each_flipped_bit_costs_the_payload_that_it_is_in_at_most() {
    let (bytes, ends) = log_of(&small_payloads());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let (log, damage) = salvaged_log(&damaged);
            let place = format!("bit {bit} of byte {at}");
            assert_eq!((log.header, log.known_lsn, log.end), (FIRST, 6, None), "{place}");
            if at < START {
                assert_eq!(damage.len(), 1, "{place}");
                assert_eq!(log.transactions, numbered(small_payloads()), "{place}");
                continue;
            }
            let frame = ends.iter().filter(|&&end| end <= at).count();
            let start = if frame == 0 { START } else { ends[frame - 1] };
            assert_eq!(offsets(&damage), [start], "{place}");
            let payload = start + FRAME_HEADER_BYTES..;
            let lost = payload.contains(&at) && at - payload.start < small_payloads()[frame].len();
            let kept = if lost { without(frame) } else { numbered(small_payloads()) };
            assert_eq!(log.transactions, kept, "{place}");
        }
    }
}

#[test]
fn transactions_behind_garbage_are_salvaged() {
    let (bytes, ends) = log_of(&small_payloads());
    for (frame, &end) in ends.iter().enumerate().take(5) {
        let start = if frame == 0 { START } else { ends[frame - 1] };
        for fill in [0, 0xa5] {
            let mut damaged = bytes.clone();
            damaged[start..end].fill(fill);
            let (log, damage) = salvaged_log(&damaged);
            assert_eq!(log.transactions, without(frame));
            assert_eq!((log.known_lsn, log.end), (6, None));
            let [Error::Corrupt { offset, found, .. }] = damage.as_slice() else {
                panic!("one gap is one damage: {damage:?}");
            };
            assert_eq!(*offset, start as u64);
            assert_eq!(*found, format!("{} bytes that are none", end - start));
        }
    }
}

#[test]
fn bytes_behind_the_last_frame_are_told_up_to_the_last_that_is_not_zero() {
    let (bytes, _) = log_of(&small_payloads());
    let end = bytes.len();
    for len in [1, FRAME_HEADER_BYTES, 300_000] {
        let noise = vec![0xa5; len];
        let (log, damage) = salvaged_log(&[&bytes[..], &noise, &[0; 100]].concat());
        assert_eq!(log.transactions, numbered(small_payloads()));
        assert_eq!((log.known_lsn, log.end), (6, Some((end as u64, len as u64))));
        assert_eq!(offsets(&damage), [end]);
    }
}

#[test]
fn a_transaction_that_is_cut_off_is_known_where_its_header_is_whole() {
    let (bytes, ends) = log_of(&small_payloads());
    let start = ends[4];
    for len in 1..FRAME_HEADER_BYTES + 16 {
        let (log, damage) = salvaged_log(&bytes[..start + len]);
        assert_eq!(log.transactions, without(5), "length {len}");
        assert_eq!(offsets(&damage), [start], "length {len}");
        if len < FRAME_HEADER_BYTES {
            let used = bytes[start..start + len].iter().rposition(|&byte| byte != 0);
            let end = used.map(|last| (start as u64, last as u64 + 1));
            assert_eq!((log.known_lsn, log.end), (5, end), "length {len}");
        } else {
            assert_eq!((log.known_lsn, log.end), (6, None), "length {len}");
        }
    }
}

#[test]
fn a_marker_tells_of_transactions_that_are_lost() {
    let (mut bytes, synced, marked) = half_synced();
    bytes.truncate(marked);
    bytes[START..synced].fill(0xa5);
    let (log, damage) = salvaged_log(&bytes);
    assert_eq!((log.transactions.len(), log.known_lsn, log.end), (0, 6, None));
    assert_eq!(offsets(&damage), [START]);
}

#[test]
fn a_header_beyond_mending_is_damage_only_with_something_behind_it() {
    let (bytes, _) = log_of(&small_payloads());
    let mut damaged = bytes.clone();
    damaged[20..30].fill(0xa5);
    let (log, _) = salvaged(&damaged);
    assert!(matches!(log, Err(Error::Corrupt { .. })), "{log:?}");
    damaged[START..].fill(0);
    let (log, damage) = salvaged(&damaged);
    assert!(matches!(log, Ok(None)) && damage.is_empty(), "{log:?}");
    let (log, _) = salvaged(&bytes[..START - 1]);
    assert!(matches!(log, Err(Error::Corrupt { .. })), "{log:?}");
}

#[test]
fn a_log_of_a_newer_version_is_not_salvaged() {
    let (mut bytes, _) = log_of(&small_payloads());
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&crc.to_le_bytes());
    let (log, _) = salvaged(&bytes);
    assert!(matches!(log, Err(Error::Version { found: 2, .. })), "{log:?}");
}
