//! Reads what is sound in a damaged log, around what is not.
//!
//! Invariant: a payload is passed on only when its checksum, and that of the header which names it, are
//! right; what lies between sound frames is told.

use std::path::Path;

use super::frame::{FRAME_HEADER_BYTES, FrameHeader, Kind};
use super::header::{HEADER_BYTES, LogHeader};
use super::{log_path, reader};
use crate::fs::{FileSystem, TolerantFile};
use crate::segment::read_u32;
use crate::{Error, Result, mend};

/// What a damaged log still says.
#[derive(Debug)]
pub(crate) struct SalvagedLog {
    pub(crate) header: LogHeader,
    pub(crate) bytes: u64,
    /// Each transaction that is whole: LSN and payload.
    pub(crate) transactions: Vec<(u64, Vec<u8>)>,
    /// The newest transaction that the log is known to have held, or to have followed.
    pub(crate) known_lsn: u64,
    /// Bytes behind the last sound frame that are none, and where they begin.
    pub(crate) end: Option<(u64, u64)>,
}

/// Reads all that is sound in a log; damage goes to `note`.
///
/// # Errors
/// What keeps anything from being read: a file that can't be opened, a header beyond mending.
pub(crate) fn salvage(
    fs: &dyn FileSystem,
    dir: &Path,
    number: u64,
    note: &mut dyn FnMut(Error),
) -> Result<Option<SalvagedLog>> {
    let file = TolerantFile::open(fs, &log_path(dir, number))?;
    let Some(header) = read_header(&file, note)? else { return Ok(None) };
    let mut log = SalvagedLog {
        header,
        bytes: file.byte_len(),
        transactions: Vec::new(),
        known_lsn: header.start_lsn - 1,
        end: None,
    };
    let mut at = HEADER_BYTES as u64;
    loop {
        match frame_at(&file, header.salt, at) {
            Found::Sound(found, payload, flaw) => {
                if let Some(flaw) = flaw {
                    note(Error::corrupt(file.path(), at, "a frame", flaw));
                }
                log.known_lsn = log.known_lsn.max(found.synced_lsn);
                if found.kind == Kind::Transaction {
                    log.known_lsn = log.known_lsn.max(found.lsn);
                    log.transactions.push((found.lsn, payload));
                }
                at += found.frame_bytes();
            }
            Found::BadPayload(found) => {
                let expected = format!("the payload of transaction {}", found.lsn);
                note(Error::corrupt(file.path(), at, expected, "another checksum"));
                if found.kind == Kind::Transaction {
                    log.known_lsn = log.known_lsn.max(found.lsn);
                }
                at += found.frame_bytes();
            }
            Found::Nothing => {
                // Any header is asked for: none says less than that transaction 0 was durable.
                let rest = reader::search(&file, header.salt, at, 0);
                let rest = rest.map_err(|error| Error::io("read", file.path(), error))?;
                if let Some(next) = rest.proof {
                    let found = format!("{} bytes that are none", next - at);
                    note(Error::corrupt(file.path(), at, "a frame", found));
                    at = next;
                    continue;
                }
                let len = rest.used_until - at;
                if len > 0 {
                    let found = format!("{len} bytes that are none, the last");
                    note(Error::corrupt(file.path(), at, "a frame", found));
                    log.end = Some((at, len));
                }
                break;
            }
        }
    }
    if let Some(error) = file.failure() {
        note(error);
    }
    Ok(Some(log))
}

/// A log's header, mended where one bit explains it; `None` for a log whose creation never ended.
fn read_header(file: &TolerantFile, note: &mut dyn FnMut(Error)) -> Result<Option<LogHeader>> {
    let path = file.path();
    let bytes = file.bytes(0, HEADER_BYTES);
    let Ok(bytes) = <[u8; HEADER_BYTES]>::try_from(bytes.as_slice()) else {
        let found = format!("{} bytes", bytes.len());
        return Err(Error::corrupt(path, 0, "a header of 72 bytes", found));
    };
    let error = match LogHeader::decode(&bytes, path) {
        Ok(header) => return Ok(Some(header)),
        Err(error) if error.is_of_another_version() => return Err(error),
        Err(error) => error,
    };
    let (checked, rest) = bytes.split_at(64);
    let mut mended = bytes;
    if let Some(right) = mend::mended(checked, read_u32(rest, 0)) {
        mended[..64].copy_from_slice(&right);
        let crc = crc32c::crc32c(&right);
        mended[64..68].copy_from_slice(&crc.to_le_bytes());
        mended[68..].fill(0);
    }
    if let Ok(header) = LogHeader::decode(&mended, path) {
        note(error);
        return Ok(Some(header));
    }
    // Frames follow only a header that was synced.
    let behind = HEADER_BYTES as u64;
    let rest = reader::search(file, 0, behind, u64::MAX);
    let rest = rest.map_err(|error| Error::io("read", path, error))?;
    if rest.used_until == behind { Ok(None) } else { Err(error) }
}

enum Found {
    /// A frame, its payload, and what was wrong with it that does not matter.
    Sound(FrameHeader, Vec<u8>, Option<&'static str>),
    /// A header that is right before a payload that is not.
    BadPayload(FrameHeader),
    Nothing,
}

fn frame_at(file: &TolerantFile, salt: u64, at: u64) -> Found {
    let bytes = file.bytes(at, FRAME_HEADER_BYTES);
    if let Some(header) = FrameHeader::decode(&bytes, salt, at) {
        return match payload_of(file, &header, at) {
            Some(payload) => {
                let len = FRAME_HEADER_BYTES + payload.len();
                let padding = file.bytes(at + len as u64, header.frame_bytes() as usize - len);
                let clean = padding.iter().all(|&byte| byte == 0);
                Found::Sound(header, payload, (!clean).then_some("padding that is not zero"))
            }
            None => Found::BadPayload(header),
        };
    }
    // One flipped bit in a header: what it then says of its payload has to be true.
    for bit in 0..bytes.len() * 8 {
        let mut mended = bytes.clone();
        mended[bit / 8] ^= 1 << (bit % 8);
        if let Some(header) = FrameHeader::decode(&mended, salt, at)
            && let Some(payload) = payload_of(file, &header, at)
        {
            return Found::Sound(header, payload, Some("a flipped bit in its header"));
        }
    }
    Found::Nothing
}

fn payload_of(file: &TolerantFile, header: &FrameHeader, at: u64) -> Option<Vec<u8>> {
    let payload = file.bytes(at + FRAME_HEADER_BYTES as u64, header.payload_bytes as usize);
    let sound = payload.len() == header.payload_bytes as usize
        && crc32c::crc32c(&payload) == header.payload_crc;
    sound.then_some(payload)
}
