//! Tombstone files: which rows and edges of a segment are dead, as of one LSN.
//!
//! ```text
//! seg/<id, 20 digits>.<lsn, 20 digits>.del
//! 0   magic "SUTRADEL"        32  segment id u64         56  length of the edges' bitmap u64
//! 8   version u32, 0 u32      40  lsn u64                64  bitmaps of dead rows and dead edges
//! 16  store uuid [16]         48  length of the rows'    …   deaths, then crc32c of all before u32
//!                                 bitmap u64
//! ```
//!
//! Bitmaps are in Roaring's portable format. Deaths say when, where the past is kept, oldest first: LSN,
//! count of rows, rows, count of edges, edges, all LEB128. Files are written once, under their final name, and
//! count only when a manifest names them.

use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use crate::codec::{Decode, Reader, put_varint};
use crate::fs::FileSystem;
use crate::history::{Deaths, Stack};
use crate::segment::{read_u32, read_u64};
use crate::state::Part;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"SUTRADEL";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 64;

/// What is dead in a segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tombstones {
    pub(crate) rows: RoaringBitmap,
    pub(crate) edges: RoaringBitmap,
    /// Which transactions ended them, where that is kept.
    pub(crate) deaths: Stack<Deaths>,
}

impl Tombstones {
    /// What is dead in a part, and since when of that which the past above `floor` needs.
    pub(crate) fn of(part: &Part, floor: u64) -> Self {
        Self {
            rows: (*part.dead_rows).clone(),
            edges: (*part.dead_edges).clone(),
            deaths: part.deaths.take_while(|deaths| deaths.lsn > floor),
        }
    }
}

pub(crate) fn path(dir: &Path, segment: u64, lsn: u64) -> PathBuf {
    dir.join("seg").join(format!("{segment:020}.{lsn:020}.del"))
}

impl Tombstones {
    /// Writes and syncs the file; the caller syncs the directory.
    pub(crate) fn write(
        &self,
        fs: &dyn FileSystem,
        dir: &Path,
        store: &[u8; 16],
        segment: u64,
        lsn: u64,
    ) -> Result<()> {
        let path = path(dir, segment, lsn);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        bytes.extend_from_slice(store);
        bytes.extend_from_slice(&segment.to_le_bytes());
        bytes.extend_from_slice(&lsn.to_le_bytes());
        bytes.extend_from_slice(&(self.rows.serialized_size() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.edges.serialized_size() as u64).to_le_bytes());
        for bitmap in [&self.rows, &self.edges] {
            bitmap.serialize_into(&mut bytes).map_err(|e| Error::io("encode", &path, e))?;
        }
        let deaths: Vec<&Deaths> = self.deaths.iter().collect();
        for deaths in deaths.into_iter().rev() {
            put_varint(&mut bytes, deaths.lsn);
            for ordinals in [&deaths.rows, &deaths.edges] {
                put_varint(&mut bytes, ordinals.len() as u64);
                for &ordinal in ordinals {
                    put_varint(&mut bytes, u64::from(ordinal));
                }
            }
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        crate::manifest::replace_leftover(fs, &path)?;
        let file = fs.create_new(&path).map_err(|e| Error::io("create", &path, e))?;
        file.write_all_at(&bytes, 0).map_err(|e| Error::io("write", &path, e))?;
        file.sync_data().map_err(|e| Error::io("sync", &path, e))
    }

    pub(crate) fn read(
        fs: &dyn FileSystem,
        dir: &Path,
        store: &[u8; 16],
        segment: u64,
        lsn: u64,
    ) -> Result<Self> {
        let path = path(dir, segment, lsn);
        let bytes = fs.view(&path).map_err(|e| Error::io("open", &path, e))?;
        Self::decode(&path, &bytes, store, segment, lsn)
    }

    /// The tombstones that a file's bytes are, if they are whole.
    pub(crate) fn decode(
        path: &Path,
        bytes: &[u8],
        store: &[u8; 16],
        segment: u64,
        lsn: u64,
    ) -> Result<Self> {
        let corrupt = |at: usize, expected: &str, found: String| {
            Error::corrupt(path, at as u64, expected, found)
        };
        if bytes.len() < HEADER_BYTES + 4 {
            let found = format!("{} bytes", bytes.len());
            return Err(corrupt(0, "a header of 64 bytes and a checksum", found));
        }
        let (body, crc) = bytes.split_at(bytes.len() - 4);
        if &body[..8] != MAGIC {
            return Err(corrupt(0, "the magic SUTRADEL", format!("{:02x?}", &body[..8])));
        }
        if read_u32(crc, 0) != crc32c::crc32c(body) {
            let found = format!("{:08x}", read_u32(crc, 0));
            return Err(corrupt(body.len(), "the file's checksum", found));
        }
        let version = read_u32(body, 8);
        if version != VERSION {
            return Err(Error::Version {
                path: path.to_owned(),
                found: version,
                supported: VERSION,
            });
        }
        if &body[16..32] != store || read_u64(body, 32) != segment || read_u64(body, 40) != lsn {
            let found = format!("segment {} at {}", read_u64(body, 32), read_u64(body, 40));
            return Err(corrupt(16, &format!("segment {segment} at {lsn} of this store"), found));
        }
        let rows_len = usize::try_from(read_u64(body, 48)).unwrap_or(usize::MAX);
        let bitmaps = &body[HEADER_BYTES..];
        let edges_len = usize::try_from(read_u64(body, 56)).unwrap_or(usize::MAX);
        let parts = bitmaps
            .split_at_checked(rows_len)
            .and_then(|(rows, rest)| Some((rows, rest.split_at_checked(edges_len)?)));
        let Some((rows, (edges, deaths))) = parts else {
            let found = format!("{rows_len} and {edges_len} bytes");
            return Err(corrupt(48, "bitmaps within the file", found));
        };
        let bitmap = |bytes: &[u8]| {
            RoaringBitmap::deserialize_from(bytes)
                .map_err(|e| corrupt(HEADER_BYTES, "a Roaring bitmap", e.to_string()))
        };
        let start = HEADER_BYTES + rows_len + edges_len;
        let deaths = decode_deaths(&mut Reader::new(deaths))
            .map_err(|e| corrupt(start + e.offset, e.expected, "other bytes".to_owned()))?;
        Ok(Self { rows: bitmap(rows)?, edges: bitmap(edges)?, deaths })
    }
}

fn decode_deaths(reader: &mut Reader<'_>) -> Decode<Stack<Deaths>> {
    let mut stack = Stack::default();
    while !reader.is_at_end() {
        let mut deaths = Deaths { lsn: reader.varint()?, ..Deaths::default() };
        for ordinals in [&mut deaths.rows, &mut deaths.edges] {
            for _ in 0..reader.varint()? {
                ordinals.push(reader.u32()?);
            }
        }
        stack.push(deaths);
    }
    Ok(stack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::OsFileSystem;

    #[test]
    fn tombstones_come_back_and_no_flipped_bit_passes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("seg")).unwrap();
        let dead = Tombstones {
            rows: (0..5000).step_by(3).collect(),
            edges: RoaringBitmap::from([7, 70_000]),
            deaths: [
                Deaths { lsn: 5, rows: vec![3, 300], edges: vec![] },
                Deaths { lsn: 8, rows: vec![], edges: vec![70_000] },
            ]
            .into_iter()
            .collect(),
        };
        dead.write(&OsFileSystem, dir.path(), &[1; 16], 4, 9).unwrap();
        let read = Tombstones::read(&OsFileSystem, dir.path(), &[1; 16], 4, 9).unwrap();
        assert_eq!((&read.rows, &read.edges), (&dead.rows, &dead.edges));
        assert!(read.deaths.iter().eq(dead.deaths.iter()));
        let path = path(dir.path(), 4, 9);
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Tombstones::decode(&path, &damaged, &[1; 16], 4, 9).is_err(), "flip at {at}");
            assert!(Tombstones::decode(&path, &bytes[..at], &[1; 16], 4, 9).is_err());
        }
        assert!(Tombstones::decode(&path, &bytes, &[2; 16], 4, 9).is_err(), "another store's");
    }
}
