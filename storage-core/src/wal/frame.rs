//! The 32 bytes in front of each payload.
//!
//! Invariant: a header is decoded only from the log and the offset that it was encoded for.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A frame header's length in bytes.
pub(super) const FRAME_HEADER_BYTES: usize = 32;

/// Frames start at multiples of this many bytes.
pub(super) const FRAME_ALIGNMENT: usize = 8;

/// What a frame is; kinds 4 and 5 are reserved for operation ids and shipped logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A user's transaction: takes the next LSN.
    Transaction = 1,
    /// Says which transactions are durable, and nothing else.
    Synced = 2,
    /// The last frame of a log: names the next log.
    Sealed = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Transaction),
            2 => Some(Self::Synced),
            3 => Some(Self::Sealed),
            _ => None,
        }
    }
}

/// A frame header that passed its checksum, or is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) payload_bytes: u32,
    pub(super) payload_crc: u32,
    pub(super) lsn: u64,
    pub(super) synced_lsn: u64,
    pub(super) kind: Kind,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawFrameHeader {
    payload_bytes: U32,
    crc: U32,
    lsn: U64,
    synced_lsn: U64,
    kind: u8,
    zero: [u8; 3],
    payload_crc: U32,
}

const _: () = assert!(size_of::<RawFrameHeader>() == FRAME_HEADER_BYTES);

impl FrameHeader {
    /// The header's bytes for a frame at `offset` of the log with this `salt`.
    pub(super) fn encode(&self, salt: u64, offset: u64) -> [u8; FRAME_HEADER_BYTES] {
        let mut raw = RawFrameHeader {
            payload_bytes: U32::new(self.payload_bytes),
            crc: U32::ZERO,
            lsn: U64::new(self.lsn),
            synced_lsn: U64::new(self.synced_lsn),
            kind: self.kind as u8,
            zero: [0; 3],
            payload_crc: U32::new(self.payload_crc),
        };
        raw.crc = U32::new(checksum(raw.as_bytes(), salt, offset));
        zerocopy::transmute!(raw)
    }

    /// The header in the first 32 of the bytes, if it is one of `offset` in the log with this `salt`.
    ///
    /// `None` also for a kind that this version does not know: no such frame is ever passed over.
    pub(super) fn decode(bytes: &[u8], salt: u64, offset: u64) -> Option<Self> {
        let (raw, _) = RawFrameHeader::ref_from_prefix(bytes).ok()?;
        // First what is cheap: a search for frames in foreign bytes ends here nearly always.
        let kind = Kind::from_byte(raw.kind)?;
        let sound = raw.zero == [0; 3]
            && u64::from(raw.payload_bytes.get()) <= super::MAX_PAYLOAD_BYTES
            && raw.crc == checksum(raw.as_bytes(), salt, offset);
        sound.then(|| Self {
            payload_bytes: raw.payload_bytes.get(),
            payload_crc: raw.payload_crc.get(),
            lsn: raw.lsn.get(),
            synced_lsn: raw.synced_lsn.get(),
            kind,
        })
    }

    /// The bytes from this frame's start to the next one's.
    pub(super) fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.payload_bytes))
    }
}

/// The bytes that a frame with such a payload takes, padding included.
pub(super) fn frame_bytes(payload_bytes: u64) -> u64 {
    (FRAME_HEADER_BYTES as u64 + payload_bytes).next_multiple_of(FRAME_ALIGNMENT as u64)
}

fn checksum(header: &[u8], salt: u64, offset: u64) -> u32 {
    let mut covered = [0_u8; 44];
    covered[..8].copy_from_slice(&salt.to_le_bytes());
    covered[8..16].copy_from_slice(&offset.to_le_bytes());
    covered[16..20].copy_from_slice(&header[..4]);
    covered[20..].copy_from_slice(&header[8..FRAME_HEADER_BYTES]);
    crc32c::crc32c(&covered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            payload_bytes: 1234,
            payload_crc: 5,
            lsn: 17,
            synced_lsn: 16,
            kind: Kind::Transaction,
        }
    }

    #[test]
    fn header_survives_encoding() {
        assert_eq!(FrameHeader::decode(&header().encode(3, 72), 3, 72), Some(header()));
    }

    #[test]
    fn flipped_bits_other_logs_and_other_offsets_are_refused() {
        let sound = header().encode(3, 72);
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut bytes = sound;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bytes, 3, 72), None, "bit {bit}");
        }
        assert_eq!(FrameHeader::decode(&sound, 4, 72), None);
        assert_eq!(FrameHeader::decode(&sound, 3, 80), None);
        assert_eq!(FrameHeader::decode(&sound[..31], 3, 72), None);
        assert_eq!(FrameHeader::decode(&[0; 32], 0, 0), None);
    }

    #[test]
    fn length_above_the_limit_is_refused_in_spite_of_its_checksum() {
        let largest = FrameHeader { payload_bytes: 256 << 20, ..header() };
        assert_eq!(FrameHeader::decode(&largest.encode(3, 72), 3, 72), Some(largest));
        let larger = FrameHeader { payload_bytes: (256 << 20) + 1, ..header() };
        assert_eq!(FrameHeader::decode(&larger.encode(3, 72), 3, 72), None);
    }

    #[test]
    fn frames_are_padded_to_eight_bytes() {
        assert_eq!([0, 1, 8, 9].map(frame_bytes), [32, 40, 40, 48]);
    }
}
