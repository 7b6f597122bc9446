//! The write-ahead log: the files `wal/<number>.log` (20 decimal digits) of a store.
//!
//! Every transaction is one frame, so one checksum makes it atomic. Invariants: a frame, once whole,
//! is never changed or moved; log sequence numbers (LSNs) of transactions are consecutive; a frame
//! that is shown to have been durable is either read or reported as [`Error::Corrupt`], and only
//! what was never shown to be durable is dropped as a torn tail.
//!
//! # Bytes of a log
//!
//! All integers are little-endian; all checksums are CRC-32C (Castagnoli). A log starts with a header
//! of 72 bytes, whose layout every future version keeps:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic, `SUTRALOG` in ASCII |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | feature bits that a reader must know, 0 |
//! | 16 | 16 | the store's UUID |
//! | 32 | 8 | number: the log's own, as in its name; never reused |
//! | 40 | 8 | salt: random for each log |
//! | 48 | 8 | start LSN: that of the log's first transaction |
//! | 56 | 8 | cut LSN: that of the newest transaction when the log was created (0: none) |
//! | 64 | 4 | checksum of the bytes 0 to 63 |
//! | 68 | 4 | zero |
//!
//! The cut is at least the start LSN minus 1. A log made by rotation has exactly that. One made by
//! recovery starts with copies of the transactions from its start LSN to its cut, and takes the place
//! of the older log only when it holds them all ([`Log::is_whole`]): a second crash during recovery
//! leaves a log that is not whole, and the older one still counts.
//!
//! Frames follow without gaps, each at an offset that is a multiple of 8:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | length of the payload in bytes, at most 268,435,456 |
//! | 4 | 4 | checksum of: salt (8 bytes), offset of the frame in the file (8 bytes), then the frame's bytes 0 to 3 and 8 to 31 |
//! | 8 | 8 | LSN |
//! | 16 | 8 | synced LSN: all transactions up to it were durable in this log when the frame was written |
//! | 24 | 1 | kind |
//! | 25 | 3 | zero |
//! | 28 | 4 | checksum of the payload |
//! | 32 | length | payload |
//! | | 0 to 7 | zero, to a multiple of 8 |
//!
//! The frame's checksum covers that of the payload, and so all of the frame. They are two so that a
//! length is checked before it is followed, and so that looking for frames behind a damaged one takes
//! time linear in the file. Salt and offset are covered so that neither another log's frames, nor
//! bytes that a user stored, can pass for a frame.
//!
//! | kind | name | LSN | payload |
//! |---|---|---|---|
//! | 1 | transaction | the previous transaction's + 1 | the transaction |
//! | 2 | synced | the newest transaction's | none |
//! | 3 | sealed | the newest transaction's | number of the next log, 8 bytes |
//! | 4, 5 | reserved for operation ids and shipped logs | | |
//!
//! After the last frame come zeros to the end of the file, if anything. While frames are small, zeros
//! are written ahead in steps of 1 MiB, because a sync that changes no length or extent is cheaper. A
//! frame of more than 64 KiB grows the file instead: writing its bytes twice would cost more.
//!
//! # What follows from a bad frame
//!
//! When the bytes at the end of the last good frame are neither a frame nor zeros, the rest of the
//! file is searched for a frame header that passes its checksum and whose synced LSN reaches the
//! transaction that is missing. If there is one, the bad bytes had been durable: that is corruption,
//! and an error. If there is none, they were never acknowledged as durable, or at least nothing in
//! the file says so: a torn tail, which the caller reports and discards, by sealing the log there.
//!
//! This asks one thing of the disk, as `SQLite` does by default: power loss while bytes are written
//! may spoil those bytes, but not older ones beside them in the same sector.

mod frame;
mod group_commit;
mod header;
mod log;
mod reader;
mod salvage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use group_commit::GroupCommit;
pub(crate) use header::LogHeader;
pub(crate) use log::{End, Frame, Log};
pub(crate) use salvage::{SalvagedLog, salvage};

use crate::fs::FileSystem;
use crate::{Error, Result};

/// The largest payload of one frame, and so of one transaction, in bytes.
pub(crate) const MAX_PAYLOAD_BYTES: u64 = 256 << 20;

/// The length of a log without frames.
pub(crate) const EMPTY_LOG_BYTES: u64 = header::HEADER_BYTES as u64;

/// The directory of the logs of the store at `dir`.
pub(crate) fn log_dir(dir: &Path) -> PathBuf {
    dir.join("wal")
}

/// The path of a log of the store at `dir`.
pub(crate) fn log_path(dir: &Path, number: u64) -> PathBuf {
    log_dir(dir).join(format!("{number:020}.log"))
}

/// The numbers of the logs of the store at `dir`, ascending; files of other names are passed over.
///
/// # Errors
/// [`Error::Io`] when the directory can't be read.
pub(crate) fn list_logs(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<u64>> {
    let path = log_dir(dir);
    let names = fs.list(&path).map_err(|error| Error::io("list", &path, error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if well_formed { digits.parse().ok() } else { None }
}
