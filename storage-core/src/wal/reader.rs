//! Reads frames, and looks for proof behind a bad one.
//!
//! Invariant: nothing read here is trusted before its checksum has been checked, and no buffer grows
//! beyond what the file holds.

use std::io;

use super::frame::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader};
use crate::fs::File;

/// The first read of a window; larger ones follow if there is more to read.
const FIRST_READ_BYTES: usize = 4 << 10;

/// The size of the reads in a long replay, and in a search.
const READ_BYTES: usize = 256 << 10;

/// A stretch of a file, read ahead so that small frames cost no system call each.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Where in the file the stretch starts.
    offset: u64,
    /// How many of the bytes were read.
    filled: usize,
    next_read: usize,
}

impl Window {
    /// Forgets what was read, since the file may have changed.
    pub(super) fn forget(&mut self) {
        self.filled = 0;
        self.next_read = FIRST_READ_BYTES;
    }

    /// Gives back the memory that a large frame took.
    pub(super) fn shrink(&mut self) {
        self.bytes.truncate(READ_BYTES);
        self.bytes.shrink_to(READ_BYTES);
        self.filled = self.filled.min(READ_BYTES);
    }

    fn holds(&self, offset: u64, len: usize) -> bool {
        offset >= self.offset && offset + len as u64 <= self.offset + self.filled as u64
    }

    /// The `len` bytes at `offset`, or as many as the file has there.
    fn get(&mut self, file: &dyn File, offset: u64, len: usize) -> io::Result<&[u8]> {
        if !self.holds(offset, len) {
            let wanted = len.max(self.next_read);
            self.next_read = (self.next_read * 4).clamp(FIRST_READ_BYTES, READ_BYTES);
            self.bytes.resize(wanted.max(self.bytes.len()), 0);
            self.filled = 0;
            self.filled = file.read_at(&mut self.bytes[..wanted], offset)?;
            self.offset = offset;
        }
        let start = (offset - self.offset) as usize;
        Ok(&self.bytes[start..self.filled.min(start + len)])
    }
}

/// What is at the place where a frame may be.
#[derive(Debug)]
pub(super) enum Read<'a> {
    /// A frame that passes its checksums, and its payload.
    Frame(FrameHeader, &'a [u8]),
    /// Zeros in place of a header, or the end of the file.
    Blank,
    /// Anything else; says what.
    Bad(&'static str),
}

/// Reads what is at `offset` of the log with this `salt`.
pub(super) fn read_frame<'a>(
    window: &'a mut Window,
    file: &dyn File,
    salt: u64,
    offset: u64,
) -> io::Result<Read<'a>> {
    let bytes = window.get(file, offset, FRAME_HEADER_BYTES)?;
    if is_zero(bytes) {
        return Ok(Read::Blank);
    }
    let Some(header) = FrameHeader::decode(bytes, salt, offset) else {
        return Ok(Read::Bad("a frame header that fails its checksum"));
    };
    let len = FRAME_HEADER_BYTES + header.payload_bytes as usize;
    if !window.holds(offset, len) && file.len()?.saturating_sub(offset) < len as u64 {
        return Ok(Read::Bad("a frame that the end of the file cuts off"));
    }
    let bytes = window.get(file, offset, header.frame_bytes() as usize)?;
    // The padding may be missing at the end of the file, but not be anything else than zeros.
    let Some((frame, padding)) = bytes.split_at_checked(len) else {
        return Ok(Read::Bad("a frame that the end of the file cuts off"));
    };
    let payload = &frame[FRAME_HEADER_BYTES..];
    if crc32c::crc32c(payload) != header.payload_crc {
        return Ok(Read::Bad("a payload that fails its checksum"));
    }
    if !is_zero(padding) {
        return Ok(Read::Bad("padding that is not zero"));
    }
    Ok(Read::Frame(header, payload))
}

/// What a search of the rest of a log found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// The offset of the first frame header that says that the missing transaction was durable.
    pub(super) proof: Option<u64>,
    /// The end of the last byte that is not zero; not below the offset that the search began at.
    pub(super) used_until: u64,
}

/// Looks from `offset` to the end of the file for proof that the transaction `missing_lsn` was
/// durable.
pub(super) fn search(
    file: &dyn File,
    salt: u64,
    offset: u64,
    missing_lsn: u64,
) -> io::Result<Rest> {
    let mut rest = Rest { proof: None, used_until: offset };
    let mut buffer = vec![0; READ_BYTES];
    let mut start = offset;
    loop {
        let filled = file.read_at(&mut buffer, start)?;
        let bytes = &buffer[..filled];
        let blank = is_zero(bytes);
        if !blank && let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            rest.used_until = rest.used_until.max(start + last as u64 + 1);
        }
        let headers = filled.saturating_sub(FRAME_HEADER_BYTES - 1).div_ceil(FRAME_ALIGNMENT);
        // Most of what is behind a log's end are zeros, written ahead; no header is all zeros.
        let places = if blank { 0 } else { headers };
        for at in (0..places).map(|index| index * FRAME_ALIGNMENT) {
            let header = FrameHeader::decode(&bytes[at..], salt, start + at as u64);
            if header.is_some_and(|header| header.synced_lsn >= missing_lsn) {
                rest.proof = Some(start + at as u64);
                return Ok(rest);
            }
        }
        if filled < buffer.len() {
            return Ok(rest);
        }
        start += (headers * FRAME_ALIGNMENT) as u64;
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // By stretches, each of which compiles to a few wide instructions.
    bytes.chunks(128).all(|stretch| stretch.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fs::{FileSystem, SimulatedFileSystem};
    use crate::wal::frame::Kind;

    #[test]
    fn length_beyond_the_file_allocates_nothing() {
        let fs = SimulatedFileSystem::new();
        let file = fs.create_new(Path::new("log")).expect("created");
        let header = FrameHeader {
            payload_bytes: 256 << 20,
            payload_crc: 0,
            lsn: 1,
            synced_lsn: 0,
            kind: Kind::Transaction,
        };
        file.write_all_at(&header.encode(5, 0), 0).expect("written");
        file.write_all_at(&[1; 100], 32).expect("written");
        let mut window = Window::default();
        window.forget();
        let read = read_frame(&mut window, &*file, 5, 0).expect("readable");
        assert!(matches!(read, Read::Bad(_)), "{read:?}");
        assert!(window.bytes.len() <= FIRST_READ_BYTES);
    }

    #[test]
    fn a_large_frame_leaves_no_large_buffer_and_what_is_kept_is_right() {
        let fs = SimulatedFileSystem::new();
        let file = fs.create_new(Path::new("log")).expect("created");
        let bytes: Vec<u8> = (0..3 * READ_BYTES).map(|at| (at % 251) as u8).collect();
        file.write_all_at(&bytes, 0).expect("written");
        let mut window = Window::default();
        assert_eq!(
            window.get(&*file, 8, 2 * READ_BYTES).expect("read"),
            &bytes[8..][..2 * READ_BYTES]
        );
        window.shrink();
        assert!(window.bytes.capacity() <= READ_BYTES);
        for at in [8, READ_BYTES - 92, READ_BYTES - 91, 2 * READ_BYTES] {
            assert_eq!(window.get(&*file, at as u64, 100).expect("read"), &bytes[at..at + 100]);
        }
    }

    #[test]
    fn stretches_are_zero_only_if_all_their_bytes_are() {
        assert!(is_zero(&[]) && is_zero(&[0; 300]));
        for bytes in [[1, 1], [0, 1], [1, 0], [1, 2]] {
            assert!(!is_zero(&bytes), "{bytes:?}");
            assert!(!is_zero(&[&[0; 200][..], &bytes].concat()), "{bytes:?}");
        }
    }

    #[test]
    fn search_finds_a_proof_at_every_place_of_a_read() {
        let header = FrameHeader {
            payload_bytes: 0,
            payload_crc: 0,
            lsn: 9,
            synced_lsn: 9,
            kind: Kind::Synced,
        };
        for place in (READ_BYTES - 64..READ_BYTES + 64).step_by(8) {
            let fs = SimulatedFileSystem::new();
            let file = fs.create_new(Path::new("log")).expect("created");
            let offset = place as u64;
            file.write_all_at(&header.encode(5, offset), offset).expect("written");
            let found = search(&*file, 5, 0, 9).expect("readable");
            assert_eq!(found.proof, Some(offset));
            let none = search(&*file, 5, 0, 10).expect("readable");
            assert_eq!(none, Rest { proof: None, used_until: offset + 25 });
        }
    }
}
