//! Checksums put right behind arbitrary bytes, by docs/file-format.md.
//!
//! Written from the document rather than by the store's own code, so the two must agree. Invariant:
//! the bytes of a sound file stay as they are.

use std::ops::Range;

/// The length of a log's header.
const LOG_HEADER_BYTES: usize = 72;
/// The length of a frame's header.
const FRAME_HEADER_BYTES: usize = 32;
/// The length of a manifest's header.
const MANIFEST_HEADER_BYTES: usize = 32;
/// The length of a segment's header, and of its tail.
const SEGMENT_END_BYTES: usize = 64;
/// The length of a history file's header.
const HISTORY_HEADER_BYTES: usize = 128;
/// A block of a segment's section has a checksum of its own.
const BLOCK_BYTES: usize = 16 << 10;

/// Makes the checksums of a manifest, and the length of its body, those of its bytes.
pub(crate) fn seal_manifest(bytes: &mut [u8]) {
    let Some((header, body)) = bytes.split_at_mut_checked(MANIFEST_HEADER_BYTES) else { return };
    header[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
    header[24..28].copy_from_slice(&checksum(body));
    let crc = checksum(&header[..28]);
    header[28..].copy_from_slice(&crc);
}

/// Makes the checksums of a log's header and frames those of its bytes, up to the first frame that
/// can't be one.
pub(crate) fn seal_log(bytes: &mut [u8]) {
    let Some((header, _)) = bytes.split_at_mut_checked(LOG_HEADER_BYTES) else { return };
    let crc = checksum(&header[..64]);
    header[64..68].copy_from_slice(&crc);
    let salt = number(header, 40..48);

    let mut at = LOG_HEADER_BYTES;
    while let Some(frame) = bytes.get_mut(at..) {
        let Some((header, rest)) = frame.split_at_mut_checked(FRAME_HEADER_BYTES) else { return };
        let length = number(header, 0..4) as usize;
        let Some(payload) = rest.get(..length) else { return };
        if header.iter().all(|&byte| byte == 0) {
            return;
        }
        header[28..32].copy_from_slice(&checksum(payload));
        let covered: Vec<u8> = [salt, at as u64]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .chain(header[..4].iter().copied())
            .chain(header[8..].iter().copied())
            .collect();
        header[4..8].copy_from_slice(&checksum(&covered));
        at += (FRAME_HEADER_BYTES + length).next_multiple_of(8);
    }
}

/// Makes the checksum of a tombstone file that of its bytes.
pub(crate) fn seal_tombstones(bytes: &mut [u8]) {
    if let Some((body, crc)) = bytes.split_last_chunk_mut::<4>() {
        *crc = checksum(body);
    }
}

/// Makes a history file's length and checksums those of its bytes, up to the first block that can't be one.
pub(crate) fn seal_history(bytes: &mut [u8]) {
    let length = (bytes.len() as u64).to_le_bytes();
    let Some((header, mut blocks)) = bytes.split_at_mut_checked(HISTORY_HEADER_BYTES) else {
        return;
    };
    header[80..88].copy_from_slice(&length);
    let crc = checksum(&header[..124]);
    header[124..].copy_from_slice(&crc);

    for index in 0_u64.. {
        let Some((header, rest)) = blocks.split_at_mut_checked(8) else { return };
        let Some((block, rest)) = rest.split_at_mut_checked(number(header, 0..4) as usize) else {
            return;
        };
        let covered = [&index.to_le_bytes()[..], &header[..4], block].concat();
        header[4..].copy_from_slice(&checksum(&covered));
        blocks = rest;
    }
}

/// Makes a segment's length and checksums those of its bytes, as far as they say where these are.
pub(crate) fn seal_segment(bytes: &mut [u8]) {
    if bytes.len() < 2 * SEGMENT_END_BYTES {
        return;
    }
    let tail = bytes.len() - SEGMENT_END_BYTES;
    let length = (bytes.len() as u64).to_le_bytes();
    bytes[tail + 32..tail + 40].copy_from_slice(&length);

    let at = |offset: usize, bytes: &[u8]| number(bytes, offset..offset + 8) as usize;
    let (checksums, table) = (at(tail + 16, bytes), at(tail + 24, bytes));
    // A table is small; one that a wild offset makes larger needs no checksums.
    let entries: Vec<usize> = (table..tail).step_by(32).take(64).collect();
    for entry in entries.into_iter().filter(|entry| entry + 32 <= tail) {
        let start = at(entry + 8, bytes);
        let Some(end) = start.checked_add(at(entry + 16, bytes)) else { continue };
        let Some(section) = bytes.get(start..end) else { continue };
        let blocks: Vec<[u8; 4]> = section.chunks(BLOCK_BYTES).map(checksum).collect();
        let first = at(entry + 24, bytes);
        for (block, crc) in blocks.iter().enumerate() {
            let place = first.saturating_add(block).saturating_mul(4).saturating_add(checksums);
            if place.saturating_add(4) <= table.min(tail) {
                bytes[place..place + 4].copy_from_slice(crc);
            }
        }
    }
    let crc = checksum(&bytes[..56]);
    bytes[56..60].copy_from_slice(&crc);
    if let Some(outline) = bytes.get(checksums..tail + 52) {
        let crc = checksum(outline);
        bytes[tail + 52..tail + 56].copy_from_slice(&crc);
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).to_le_bytes()
}

/// The little-endian number in a place of at most eight bytes.
fn number(bytes: &[u8], place: Range<usize>) -> u64 {
    bytes[place].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
