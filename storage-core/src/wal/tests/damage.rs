//! What a log says after power loss, and after damage.

use proptest::prelude::*;

use super::super::frame::{FRAME_HEADER_BYTES, FrameHeader, Kind, frame_bytes};
use super::*;

/// Opens and follows a log with these bytes; `None` if its creation never finished.
fn read(bytes: &[u8]) -> Result<Option<(Frames, End)>> {
    let fs = SimulatedFileSystem::new();
    fs.set_bytes(&log_path(store(), 1), bytes.to_vec());
    let log = Log::open(&fs, store(), 1, UUID, Access::ReadWrite)?;
    log.map(|mut log| follow(&mut log)).transpose()
}

fn is_corrupt<T: std::fmt::Debug>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt { .. }))
}

/// The bytes of a log with these payloads, up to the end of the last frame, and where each frame
/// ends.
pub(super) fn log_of(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let (fs, mut log) = new_log();
    let ends = payloads.iter().zip(1..).map(|(payload, lsn)| {
        log.append(lsn, payload).expect("appended");
        log.bytes() as usize
    });
    let ends: Vec<usize> = ends.collect();
    let bytes = fs.view(log.path()).expect("there")[..log.bytes() as usize].to_vec();
    (bytes, ends)
}

pub(super) fn small_payloads() -> Vec<Vec<u8>> {
    [40, 3, 0, 700, 1300, 16].map(payload).to_vec()
}

/// The log of [`small_payloads`], synced; a marker; two more transactions. Returns its bytes, and
/// where the synced part and the marker end.
pub(super) fn half_synced() -> (Vec<u8>, usize, usize) {
    let (fs, mut log) = new_log();
    for payload in small_payloads() {
        commit(&mut log, &payload);
    }
    let synced = log.bytes() as usize;
    log.mark_synced().expect("marked");
    let marked = log.bytes() as usize;
    log.append(7, &payload(600)).expect("appended");
    log.append(8, &payload(600)).expect("appended");
    let bytes = fs.view(log.path()).expect("there")[..log.bytes() as usize].to_vec();
    (bytes, synced, marked)
}

/// The transactions that a log of these payloads still holds whole when cut to `len` bytes, and where
/// the next one starts.
fn whole_at(payloads: &[Vec<u8>], len: usize) -> (usize, usize) {
    let mut start = FIRST.encode().len();
    for (index, payload) in payloads.iter().enumerate() {
        if start + FRAME_HEADER_BYTES + payload.len() > len {
            return (index, start);
        }
        start += frame_bytes(payload.len() as u64) as usize;
    }
    (payloads.len(), start)
}

#[test]
fn truncation_at_every_length_keeps_all_whole_transactions() {
    let payloads = small_payloads();
    let (bytes, _) = log_of(&payloads);
    for len in 0..=bytes.len() {
        let result = read(&bytes[..len]).expect("a torn tail is no error");
        if len < 72 {
            assert_eq!(result, None, "length {len}");
            continue;
        }
        let (whole, start) = whole_at(&payloads, len);
        let (frames, end) = result.expect("the header is there");
        assert_eq!(frames.len(), whole, "length {len}");
        let rest = bytes[start.min(len)..len].iter().rposition(|&byte| byte != 0);
        let expected = rest.map_or(End::Clean, |last| End::Torn {
            offset: start as u64,
            discarded_bytes: last as u64 + 1,
        });
        assert_eq!(end, expected, "length {len}");
    }
}

#[test]
fn each_flipped_bit_before_a_marker_is_reported() {
    let (bytes, synced, _) = half_synced();
    for at in 0..synced {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let result = read(&damaged);
            assert!(is_corrupt(&result), "bit {bit} of byte {at}: {result:?}");
        }
    }
}

#[test]
fn each_flipped_bit_of_the_unsynced_tail_is_a_torn_tail() {
    let (bytes, synced, marked) = half_synced();
    for at in synced..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        if at < marked {
            // Without the marker, the frames behind it still say what was durable, but no more.
            let result = read(&damaged).expect("no transaction before is touched");
            let (frames, end) = result.expect("the header is there");
            assert_eq!(frames.len(), 6, "byte {at}");
            assert!(matches!(end, End::Torn { .. }), "byte {at}: {end:?}");
            continue;
        }
        let (frames, end) = read(&damaged).expect("torn").expect("the header is there");
        assert!((6..8).contains(&frames.len()), "byte {at}");
        assert!(matches!(end, End::Torn { .. }), "byte {at}: {end:?}");
    }
}

#[test]
fn garbage_or_zeros_in_each_sector_are_reported_or_end_the_log() {
    let (bytes, synced, _) = half_synced();
    let noise = payload(512).into_iter().map(|byte| byte.wrapping_mul(113)).collect::<Vec<_>>();
    for fill in [noise, vec![0; 512]] {
        for start in (0..bytes.len()).step_by(512) {
            let end = (start + 512).min(bytes.len());
            let mut damaged = bytes.clone();
            damaged[start..end].copy_from_slice(&fill[..end - start]);
            let result = read(&damaged);
            if end <= synced {
                assert!(is_corrupt(&result), "sector at {start}: {result:?}");
            } else if start >= synced {
                let (frames, _) = result.expect("torn").expect("the header is there");
                assert!(frames.len() >= 6, "sector at {start}: {}", frames.len());
            } else {
                // The sector has the end of what was synced, and its marker: the frames behind it
                // say what was durable as well.
                assert!(is_corrupt(&result), "sector at {start}: {result:?}");
            }
        }
    }
}

#[test]
fn later_transaction_proves_what_was_durable_without_a_marker() {
    let (fs, mut log) = new_log();
    commit(&mut log, &payload(100));
    log.append(2, &payload(100)).expect("appended");
    let mut bytes = fs.view(log.path()).expect("there").to_vec();
    bytes[72 + 50] ^= 4;
    let Err(Error::Corrupt { path, offset, expected, found }) = read(&bytes) else {
        panic!("the second transaction says that the first was durable");
    };
    assert_eq!((path.as_path(), offset), (log.path(), 72));
    assert_eq!(expected, "transaction 1, which the frame at byte 208 says was durable");
    assert_eq!(found, "a payload that fails its checksum");
}

#[test]
fn stored_bytes_of_a_marker_prove_nothing() {
    let (fs, mut log) = new_log();
    commit(&mut log, b"x");
    let marker_at = log.bytes() as usize;
    log.mark_synced().expect("marked");
    let bytes = fs.view(log.path()).expect("there").to_vec();
    let marker = &bytes[marker_at..log.bytes() as usize];
    // One is this log's own, at another offset; one is made for its offset, but in another log.
    let foreign = FrameHeader {
        payload_bytes: 0,
        payload_crc: 0,
        lsn: 99,
        synced_lsn: 99,
        kind: Kind::Synced,
    };
    let (fs, mut log) = new_log();
    let offset = 72 + 32 + marker.len() as u64;
    log.append(1, &[marker, &foreign.encode(1, offset)].concat()).expect("appended");
    let mut bytes = fs.view(log.path()).expect("there").to_vec();
    bytes[72] ^= 1;
    let (frames, end) = read(&bytes).expect("torn").expect("the header is there");
    assert!(frames.is_empty() && matches!(end, End::Torn { offset: 72, .. }), "{end:?}");
}

#[test]
fn checked_frames_out_of_order_are_corruption() {
    let frame = |lsn, synced_lsn, kind, offset| {
        let (payload_bytes, payload_crc) = (0, 0);
        let header = FrameHeader { payload_bytes, payload_crc, lsn, synced_lsn, kind };
        header.encode(FIRST.salt, offset)
    };
    let first = frame(1, 0, Kind::Transaction, 72);
    for second in [
        frame(1, 0, Kind::Transaction, 104),
        frame(3, 0, Kind::Transaction, 104),
        frame(2, 2, Kind::Transaction, 104),
        frame(2, 0, Kind::Synced, 104),
        frame(0, 0, Kind::Synced, 104),
        frame(1, 2, Kind::Synced, 104),
        frame(1, 1, Kind::Sealed, 104),
    ] {
        let bytes = [FIRST.encode().as_slice(), &first, &second].concat();
        let result = read(&bytes);
        assert!(matches!(result, Err(Error::Corrupt { offset: 104, .. })), "{result:?}");
    }
    let (frames, end) = read(&[FIRST.encode().as_slice(), &first].concat())
        .expect("sound")
        .expect("the header is there");
    assert_eq!((frames.len(), end), (1, End::Clean));
}

#[test]
fn a_seal_names_a_later_log_or_is_corruption() {
    let seal = |payload: &[u8]| {
        let header = FrameHeader {
            payload_bytes: payload.len() as u32,
            payload_crc: crc32c::crc32c(payload),
            lsn: 0,
            synced_lsn: 0,
            kind: Kind::Sealed,
        };
        read(&[&FIRST.encode()[..], &header.encode(FIRST.salt, 72), payload].concat())
    };
    let (frames, end) = seal(&2_u64.to_le_bytes()).expect("sound").expect("finished");
    assert_eq!((frames.len(), end), (0, End::Sealed { next: 2 }));
    for payload in [&1_u64.to_le_bytes()[..], &0_u64.to_le_bytes(), &[2, 0, 0, 0], &[]] {
        let result = seal(payload);
        assert!(matches!(result, Err(Error::Corrupt { offset: 72, .. })), "{result:?}");
    }
}

#[test]
fn logs_of_other_stores_and_numbers_are_refused() {
    let (fs, log) = new_log();
    let bytes = fs.view(log.path()).expect("there").to_vec();
    let other = Log::open(&fs, store(), 1, [0; 16], Access::Read);
    assert!(matches!(other, Err(Error::Corrupt { offset: 16, .. })), "{other:?}");
    fs.set_bytes(&log_path(store(), 2), bytes);
    let swapped = Log::open(&fs, store(), 2, UUID, Access::Read);
    assert!(matches!(swapped, Err(Error::Corrupt { offset: 32, .. })), "{swapped:?}");
    let missing = Log::open(&fs, store(), 3, UUID, Access::Read);
    assert!(matches!(missing, Err(Error::Io { action: "open", .. })), "{missing:?}");
}

#[test]
fn damaged_header_is_unfinished_only_with_nothing_behind_it() {
    let (bytes, _) = log_of(&small_payloads());
    for len in [72, 73, 1 << 20] {
        assert_eq!(read(&vec![0; len]).expect("unfinished"), None);
    }
    let mut damaged = bytes;
    damaged[20] ^= 1;
    assert_eq!(read(&damaged[..72]).expect("unfinished"), None);
    assert!(is_corrupt(&read(&damaged)));
    damaged[..72].fill(0);
    assert!(is_corrupt(&read(&damaged)));
}

#[test]
fn crash_at_every_step_of_creation_leaves_no_log_or_an_empty_one() {
    let steps = {
        let fs = new_store();
        let before = fs.operations();
        Log::create(&fs, store(), FIRST).expect("created");
        fs.operations() - before
    };
    let mut outcomes = [0; 3];
    for step in 0..=steps {
        for seed in 0..100 {
            let fs = new_store();
            let operation = fs.operations() + step;
            fs.inject(Fault { operation, kind: FaultKind::Io, for_good: true });
            let created = Log::create(&fs, store(), FIRST);
            assert_eq!(created.is_ok(), step == steps);
            let image = fs.crash(seed);
            if list_logs(&image, store()).expect("there").is_empty() {
                outcomes[0] += 1;
                assert!(step < steps);
            } else if let Some(mut log) =
                Log::open(&image, store(), 1, UUID, Access::ReadWrite).expect("not corrupt")
            {
                outcomes[2] += 1;
                assert_eq!(follow(&mut log).expect("sound"), (vec![], End::Clean));
            } else {
                outcomes[1] += 1;
                assert!(step < steps);
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 10), "{outcomes:?}");
}

/// One step of a writer.
#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Sync,
    Mark,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2000_usize).prop_map(Step::Append),
        1 => (60_000..200_000_usize).prop_map(Step::Append),
        2 => Just(Step::Sync),
        2 => Just(Step::Mark),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn power_loss_keeps_what_was_synced_and_a_prefix_of_the_rest(
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let (fs, mut log) = new_log();
        let (mut written, mut synced) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Append(len) => {
                    written.push((written.len() as u64 + 1, payload(len)));
                    log.append(written.len() as u64, &payload(len)).expect("appended");
                }
                Step::Sync => synced = log.group().sync(log.newest_lsn()).expect("synced").lsn,
                Step::Mark => log.mark_synced().expect("marked"),
            }
        }
        for image in 0..8 {
            let image = fs.crash(seed.wrapping_add(image));
            let mut reopened = open(&image);
            let (frames, end) = follow(&mut reopened).expect("power loss is no corruption");
            prop_assert!(frames.len() as u64 >= synced, "{} of {synced}", frames.len());
            prop_assert_eq!(&frames[..], &written[..frames.len()]);
            // Where the tail is torn, a seal takes its place, and survives in turn.
            reopened.seal(2).expect("sealed");
            let sealed = follow(&mut open(&image)).expect("sound");
            prop_assert_eq!(sealed, (frames, End::Sealed { next: 2 }));
            let was_sealed = matches!(end, End::Sealed { .. });
            prop_assert!(!was_sealed);
        }
    }

    #[test]
    fn random_cut_and_noise_keep_a_prefix(
        sizes in prop::collection::vec(0..900_usize, 1..12),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let payloads: Vec<_> = sizes.into_iter().map(payload).collect();
        let (bytes, _) = log_of(&payloads);
        let cut = 72 + cut.index(bytes.len() - 71);
        let (whole, _) = whole_at(&payloads, cut);
        let torn = [&bytes[..cut], &noise].concat();
        let (frames, _) = read(&torn).expect("nothing was synced").expect("the header is there");
        // Noise may spoil the padding of the last frame, or happen to be what was cut off.
        prop_assert!(frames.len() + 1 >= whole);
        for ((lsn, found), (index, written)) in frames.iter().zip(payloads.iter().enumerate()) {
            prop_assert_eq!((*lsn, found), (index as u64 + 1, written));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        drop(read(&bytes));
        let (frames, _) = read(&[FIRST.encode().as_slice(), &bytes].concat())
            .expect("no frame of this log is in there")
            .expect("the header is there");
        prop_assert!(frames.is_empty());
    }

    #[test]
    fn spliced_logs_are_an_error_or_a_prefix(
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        len in 1..400_usize,
    ) {
        let (bytes, ..) = half_synced();
        let sound = read(&bytes).expect("sound").expect("the header is there").0;
        let (at, from) = (at.index(bytes.len()), from.index(bytes.len()));
        let len = len.min(bytes.len() - at).min(bytes.len() - from);
        let mut damaged = bytes.clone();
        damaged[at..at + len].copy_from_slice(&bytes[from..from + len]);
        match read(&damaged) {
            Ok(Some((frames, _))) => {
                prop_assert!(frames.len() >= 6);
                prop_assert_eq!(&frames[..], &sound[..frames.len()]);
            }
            Ok(None) => prop_assert!(false, "frames follow the header"),
            Err(error) => prop_assert!(matches!(error, Error::Corrupt { .. }), "{}", error),
        }
    }
}

/// A later frame may outlive zeros before it. Appending into the zeros could join it to the log
/// again, as a transaction that no one committed there.
#[test]
fn a_frame_behind_a_hole_is_a_torn_tail_at_every_look() {
    let (bytes, synced, marked) = half_synced();
    let mut holed = bytes.clone();
    holed[synced..marked].fill(0);
    let fs = SimulatedFileSystem::new();
    fs.set_bytes(&log_path(store(), 1), holed);
    let log = Log::open(&fs, store(), 1, UUID, Access::ReadWrite).expect("sound header");
    let mut log = log.expect("finished");
    for look in 0..3 {
        let (_, end) = follow(&mut log).expect("a torn tail is no damage");
        let offset = synced as u64;
        assert!(
            matches!(end, End::Torn { offset: at, .. } if at == offset),
            "look {look}: {end:?}"
        );
    }
}
