//! The first 72 bytes of a log.
//!
//! Invariant: a header is durable before the first frame is written, so bytes behind a bad header
//! mean damage, and a bad header with nothing behind it means that creation never finished.

use std::path::Path;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Error, Result};

/// The header's length in bytes, and the offset of the first frame.
pub(super) const HEADER_BYTES: usize = 72;

const MAGIC: [u8; 8] = *b"SUTRALOG";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 64;
/// More transactions than any store has; what counts on from there needs no check of its own.
const MOST_COUNTED: u64 = 1 << 62;

/// What a log says of itself; see the module's description for each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogHeader {
    /// The UUID of the store that the log belongs to.
    pub(crate) store_uuid: [u8; 16],
    /// The log's own number.
    pub(crate) number: u64,
    /// A random number that no other log has.
    pub(crate) salt: u64,
    /// The LSN of the first transaction in the log; at least 1.
    pub(crate) start_lsn: u64,
    /// The LSN of the newest transaction when the log was created; at least `start_lsn - 1`.
    pub(crate) cut_lsn: u64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: U32,
    features: U32,
    store_uuid: [u8; 16],
    number: U64,
    salt: U64,
    start_lsn: U64,
    cut_lsn: U64,
    crc: U32,
    zero: U32,
}

const _: () = assert!(size_of::<RawHeader>() == HEADER_BYTES);

impl LogHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut raw = RawHeader {
            magic: MAGIC,
            version: U32::new(VERSION),
            features: U32::ZERO,
            store_uuid: self.store_uuid,
            number: U64::new(self.number),
            salt: U64::new(self.salt),
            start_lsn: U64::new(self.start_lsn),
            cut_lsn: U64::new(self.cut_lsn),
            crc: U32::ZERO,
            zero: U32::ZERO,
        };
        raw.crc = U32::new(crc32c::crc32c(&raw.as_bytes()[..CHECKED_BYTES]));
        zerocopy::transmute!(raw)
    }

    /// Reads a header that passes its checksum; the caller has found out what to make of one that
    /// does not.
    ///
    /// # Errors
    /// [`Error::Version`] for another version, [`Error::Feature`] for feature bits, [`Error::Corrupt`] for anything
    /// else unexpected.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES], path: &Path) -> Result<Self> {
        let raw: RawHeader = zerocopy::transmute!(*bytes);
        if raw.magic != MAGIC {
            let found = format!("{:?}", raw.magic.escape_ascii().to_string());
            return Err(Error::corrupt(path, 0, "\"SUTRALOG\"", found));
        }
        if !is_sound(bytes) {
            let expected = format!("checksum {:#010x}", crc32c::crc32c(&bytes[..CHECKED_BYTES]));
            let found = format!("{:#010x}", raw.crc);
            return Err(Error::corrupt(path, CHECKED_BYTES as u64, expected, found));
        }
        if raw.version != VERSION {
            return Err(Error::Version {
                path: path.to_owned(),
                found: raw.version.get(),
                supported: VERSION,
            });
        }
        let header = Self {
            store_uuid: raw.store_uuid,
            number: raw.number.get(),
            salt: raw.salt.get(),
            start_lsn: raw.start_lsn.get(),
            cut_lsn: raw.cut_lsn.get(),
        };
        Error::check_features(path, raw.features.get())?;
        if raw.zero != 0 {
            return Err(Error::corrupt(path, 68, "zeros", format!("{:#x}", raw.zero)));
        }
        let counted = header.start_lsn.max(header.cut_lsn) <= MOST_COUNTED;
        if header.start_lsn == 0 || header.cut_lsn < header.start_lsn - 1 || !counted {
            let found = format!("start {} and cut {}", header.start_lsn, header.cut_lsn);
            return Err(Error::corrupt(
                path,
                48,
                "a start of at least 1, a cut of start - 1",
                found,
            ));
        }
        Ok(header)
    }
}

/// Whether the bytes have the magic and pass the checksum.
pub(super) fn is_sound(bytes: &[u8; HEADER_BYTES]) -> bool {
    let raw: RawHeader = zerocopy::transmute!(*bytes);
    raw.magic == MAGIC && raw.crc == crc32c::crc32c(&bytes[..CHECKED_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> LogHeader {
        LogHeader {
            store_uuid: *b"0123456789abcdef",
            number: 7,
            salt: 99,
            start_lsn: 5,
            cut_lsn: 8,
        }
    }

    #[test]
    fn header_survives_encoding() {
        let decoded = LogHeader::decode(&header().encode(), Path::new("log")).expect("sound");
        assert_eq!(decoded, header());
    }

    #[test]
    fn each_flipped_bit_is_an_error() {
        let sound = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = sound;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = LogHeader::decode(&bytes, Path::new("log")).expect_err("flipped");
            assert!(matches!(error, Error::Corrupt { .. }), "bit {bit}: {error}");
        }
    }

    #[test]
    fn newer_version_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..CHECKED_BYTES]);
        bytes[64..68].copy_from_slice(&crc.to_le_bytes());
        let error = LogHeader::decode(&bytes, Path::new("log")).expect_err("version 2");
        assert!(matches!(error, Error::Version { found: 2, supported: 1, .. }), "{error}");
    }

    /// The header with some of its bytes set to a number, behind a right checksum.
    fn decode_with(at: usize, number: u64, len: usize) -> Result<LogHeader> {
        let mut bytes = header().encode();
        bytes[at..at + len].copy_from_slice(&number.to_le_bytes()[..len]);
        let crc = crc32c::crc32c(&bytes[..CHECKED_BYTES]);
        bytes[64..68].copy_from_slice(&crc.to_le_bytes());
        LogHeader::decode(&bytes, Path::new("log"))
    }

    #[test]
    fn impossible_counters_are_refused_in_spite_of_their_checksum() {
        let corrupt =
            |result: &Result<LogHeader>| matches!(result, Err(Error::Corrupt { offset: 48, .. }));
        let (start, cut) = (48, 56);
        for (at, sound) in [(start, 1), (start, 9), (cut, 4), (cut, MOST_COUNTED)] {
            decode_with(at, sound, 8).expect("possible");
        }
        for (at, wrong) in [
            (start, 0),
            (start, 10),
            (start, u64::MAX),
            (cut, 3),
            (cut, MOST_COUNTED + 1),
            (cut, u64::MAX),
        ] {
            let result = decode_with(at, wrong, 8);
            assert!(corrupt(&result), "{wrong} at {at}: {result:?}");
        }
    }

    #[test]
    fn unknown_features_and_what_is_not_zero_are_refused() {
        for (at, bit) in [(12, 1), (15, 128)] {
            let result = decode_with(at, bit, 1);
            assert!(matches!(result, Err(Error::Feature { .. })), "{result:?}");
        }
        for (at, bit) in [(68, 1), (71, 128)] {
            let result = decode_with(at, bit, 1);
            assert!(matches!(result, Err(Error::Corrupt { offset: 68, .. })), "{result:?}");
        }
    }
}
