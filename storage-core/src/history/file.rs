//! History files: versions that ended, and when the transactions of an era were committed.
//!
//! ```text
//! seg/<id, 20 digits>.his
//! 0    magic "SUTRAHIS"        48  count of commits u64        80  file length u64
//! 8    version u32, 0 u32      56  oldest birth u64            88  0 [36]
//! 16   store uuid [16]         64  newest death u64            124 crc32c of bytes 0 to 123 u32
//! 32   file id u64             72  count of versions u64
//! 40   first commit's lsn u64
//! 128  blocks: length u32, crc32c of the block's index (u64), length and bytes u32, bytes
//!      first the commit times, f64 each, 8,192 a block but in the last; then the versions, a block of
//!      whole ones each: birth, lifetime in epochs, length (LEB128), operation as in the log
//! ```
//!
//! Written once, under the final name, and counting only when a manifest names it. Invariant: no byte of
//! a block is used before its checksum was compared.

use std::path::{Path, PathBuf};

use super::{Commit, Version};
use crate::codec::Reader;
use crate::fs::{ByteView, File, FileSystem};
use crate::segment::{read_u32, read_u64};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"SUTRAHIS";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 128;
const BLOCK_HEADER_BYTES: usize = 8;
const COMMITS_A_BLOCK: u64 = 8192;
/// A block of versions is closed at this size; a larger version has one of its own.
const BLOCK_BYTES: usize = 64 << 10;

/// An open history file.
pub(crate) struct HistoryFile {
    path: PathBuf,
    bytes: ByteView,
    outline: Outline,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outline {
    pub(crate) id: u64,
    /// The transaction of the first commit time.
    pub(crate) first_commit: u64,
    pub(crate) commits: u64,
    pub(crate) oldest_birth: u64,
    pub(crate) newest_death: u64,
    pub(crate) versions: u64,
}

impl Outline {
    /// One past the last transaction whose time it has.
    pub(crate) fn end_commit(&self) -> u64 {
        self.first_commit.saturating_add(self.commits)
    }
}

impl std::fmt::Debug for HistoryFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HistoryFile").field("outline", &self.outline).finish_non_exhaustive()
    }
}

pub(crate) fn path(dir: &Path, id: u64) -> PathBuf {
    dir.join("seg").join(format!("{id:020}.his"))
}

impl HistoryFile {
    /// Opens a file: reads its header, none of its blocks.
    pub(crate) fn open(fs: &dyn FileSystem, dir: &Path, store: &[u8; 16], id: u64) -> Result<Self> {
        let path = path(dir, id);
        let bytes = fs.view(&path).map_err(|e| Error::io("open", &path, e))?;
        Self::from_view(path, bytes, store, id)
    }

    /// A file whose bytes were read.
    pub(crate) fn from_bytes(
        path: PathBuf,
        bytes: &[u8],
        store: &[u8; 16],
        id: u64,
    ) -> Result<Self> {
        Self::from_view(path, ByteView::from_bytes(bytes), store, id)
    }

    fn from_view(path: PathBuf, bytes: ByteView, store: &[u8; 16], id: u64) -> Result<Self> {
        let outline = parse_header(&path, &bytes, store, id)?;
        Ok(Self { path, bytes, outline })
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// A block's bytes, and where the next one starts.
    fn block(&self, index: u64, start: usize) -> Result<(&[u8], usize)> {
        let corrupt = |expected: &str, found: String| {
            Error::corrupt(&self.path, start as u64, expected, found)
        };
        let body = start + BLOCK_HEADER_BYTES;
        if self.bytes.len() < body {
            return Err(corrupt("a block", "the end of the file".to_owned()));
        }
        let len = read_u32(&self.bytes, start) as usize;
        let Some(bytes) = self.bytes.get(body..body.saturating_add(len)) else {
            return Err(corrupt("a block within the file", format!("{len} bytes")));
        };
        let found = read_u32(&self.bytes, start + 4);
        let expected = block_checksum(index, bytes);
        if found != expected {
            return Err(corrupt(&format!("block checksum {expected:08x}"), format!("{found:08x}")));
        }
        Ok((bytes, body + len))
    }

    fn commit_blocks(&self) -> u64 {
        self.outline.commits.div_ceil(COMMITS_A_BLOCK)
    }

    /// The transactions whose times it has, oldest first.
    pub(crate) fn for_each_commit(&self, mut take: impl FnMut(Commit)) -> Result<()> {
        for index in 0..self.commit_blocks() {
            let first = self.outline.first_commit + index * COMMITS_A_BLOCK;
            for (time, lsn) in self.commit_block(index)?.chunks_exact(8).zip(first..) {
                take(Commit { lsn, time: f64::from_bits(read_u64(time, 0)) });
            }
        }
        Ok(())
    }

    /// A block of commit times, of the length that it must have.
    fn commit_block(&self, index: u64) -> Result<&[u8]> {
        let (bytes, _) = self.block(index, commit_block_start(index))?;
        let left = self.outline.commits - index * COMMITS_A_BLOCK;
        if bytes.len() as u64 != left.min(COMMITS_A_BLOCK) * 8 {
            return Err(self.bad_block(index, "a time for each commit"));
        }
        Ok(bytes)
    }

    /// When a transaction was committed; `None` when it is not in this file.
    pub(crate) fn commit_time(&self, lsn: u64) -> Result<Option<f64>> {
        let Some(at) = lsn.checked_sub(self.outline.first_commit) else { return Ok(None) };
        if at >= self.outline.commits {
            return Ok(None);
        }
        let (index, within) = (at / COMMITS_A_BLOCK, (at % COMMITS_A_BLOCK) as usize * 8);
        let bytes = self.commit_block(index)?;
        Ok(Some(f64::from_bits(read_u64(bytes, within))))
    }

    fn bad_block(&self, index: u64, expected: &str) -> Error {
        Error::corrupt(&self.path, 0, format!("{expected} in block {index}"), "other bytes")
    }

    /// All versions, in the order of the file.
    pub(crate) fn for_each_version(
        &self,
        mut take: impl FnMut(Version) -> Result<()>,
    ) -> Result<()> {
        let mut index = self.commit_blocks();
        let mut start = match index {
            0 => HEADER_BYTES,
            _ => self.block(index - 1, commit_block_start(index - 1))?.1,
        };
        let mut versions = 0;
        while versions < self.outline.versions {
            let (bytes, next) = self.block(index, start)?;
            let mut reader = Reader::new(bytes);
            while !reader.is_at_end() {
                let version =
                    Version::decode(&mut reader).map_err(|e| self.bad_block(index, e.expected))?;
                versions += 1;
                take(version)?;
            }
            if bytes.is_empty() {
                return Err(self.bad_block(index, "a version"));
            }
            (index, start) = (index + 1, next);
        }
        if versions != self.outline.versions || start != self.bytes.len() {
            let expected = format!("{} versions, then the end", self.outline.versions);
            return Err(Error::corrupt(&self.path, start as u64, expected, "more"));
        }
        Ok(())
    }

    /// Compares every block with its checksum and decodes it.
    pub(crate) fn verify(&self) -> Result<()> {
        self.for_each_commit(|_| ())?;
        self.for_each_version(|_| Ok(()))
    }
}

/// Where a block of commit times starts: all before it are full.
fn commit_block_start(index: u64) -> usize {
    let full = BLOCK_HEADER_BYTES + COMMITS_A_BLOCK as usize * 8;
    HEADER_BYTES + index as usize * full
}

fn block_checksum(index: u64, bytes: &[u8]) -> u32 {
    let mut crc = crc32c::crc32c(&index.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &(bytes.len() as u32).to_le_bytes());
    crc32c::crc32c_append(crc, bytes)
}

fn parse_header(path: &Path, bytes: &[u8], store: &[u8; 16], id: u64) -> Result<Outline> {
    let corrupt =
        |at: usize, expected: &str, found: String| Error::corrupt(path, at as u64, expected, found);
    let Some(header) = bytes.get(..HEADER_BYTES) else {
        return Err(corrupt(0, "a header of 128 bytes", format!("{} bytes", bytes.len())));
    };
    if &header[..8] != MAGIC {
        return Err(corrupt(0, "the magic SUTRAHIS", format!("{:02x?}", &header[..8])));
    }
    let crc = crc32c::crc32c(&header[..124]);
    if read_u32(header, 124) != crc {
        let found = format!("{:08x}", read_u32(header, 124));
        return Err(corrupt(124, &format!("header checksum {crc:08x}"), found));
    }
    let found = read_u32(header, 8);
    if found != FORMAT {
        return Err(Error::Version { path: path.to_owned(), found, supported: FORMAT });
    }
    if &header[16..32] != store || read_u64(header, 32) != id {
        let found = format!("file {}", read_u64(header, 32));
        return Err(corrupt(16, &format!("file {id} of this store"), found));
    }
    if read_u64(header, 80) != bytes.len() as u64 {
        let expected = format!("a file of {} bytes", read_u64(header, 80));
        return Err(corrupt(80, &expected, format!("{} bytes", bytes.len())));
    }
    let outline = Outline {
        id,
        first_commit: read_u64(header, 40),
        commits: read_u64(header, 48),
        oldest_birth: read_u64(header, 56),
        newest_death: read_u64(header, 64),
        versions: read_u64(header, 72),
    };
    // A commit takes 8 bytes, a version more than one: wild counts are no reason to allocate.
    if outline.commits > bytes.len() as u64 / 8 || outline.versions > bytes.len() as u64 {
        let found = format!("{} commits, {} versions", outline.commits, outline.versions);
        return Err(corrupt(48, "counts that fit in the file", found));
    }
    if outline.first_commit.checked_add(outline.commits).is_none() {
        let found = format!("{} and {} after it", outline.first_commit, outline.commits);
        return Err(corrupt(40, "transactions that have numbers", found));
    }
    Ok(outline)
}

/// Writes a history file: first the commit times, then the versions.
pub(crate) struct HistoryWriter {
    file: Box<dyn File>,
    path: PathBuf,
    store: [u8; 16],
    outline: Outline,
    blocks: u64,
    end: u64,
    gathered: Vec<u8>,
}

impl HistoryWriter {
    /// Starts a file; an unnamed one of the same id, which a crash left, is replaced.
    pub(crate) fn create(
        fs: &dyn FileSystem,
        dir: &Path,
        store: [u8; 16],
        id: u64,
    ) -> Result<Self> {
        let path = path(dir, id);
        crate::manifest::replace_leftover(fs, &path)?;
        let file = fs.create_new(&path).map_err(|e| Error::io("create", &path, e))?;
        let outline = Outline { id, oldest_birth: u64::MAX, ..Outline::default() };
        let gathered = Vec::new();
        Ok(Self { file, path, store, outline, blocks: 0, end: HEADER_BYTES as u64, gathered })
    }

    /// The times of transactions, which follow one another from the first's LSN on; before any version.
    pub(crate) fn commits(&mut self, first: u64, times: &[f64]) -> Result<()> {
        self.outline.first_commit = first;
        self.outline.commits = times.len() as u64;
        for block in times.chunks(COMMITS_A_BLOCK as usize) {
            self.gathered.extend(block.iter().flat_map(|time| time.to_le_bytes()));
            self.end_block()?;
        }
        Ok(())
    }

    pub(crate) fn version(&mut self, version: &Version) -> Result<()> {
        let outline = &mut self.outline;
        outline.oldest_birth = outline.oldest_birth.min(version.birth);
        outline.newest_death = outline.newest_death.max(version.death);
        outline.versions += 1;
        let before = self.gathered.len();
        version.encode(&mut self.gathered);
        if self.gathered.len() > BLOCK_BYTES && before > 0 {
            let last = self.gathered.split_off(before);
            self.end_block()?;
            self.gathered = last;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_BYTES + self.gathered.len());
        bytes.extend_from_slice(&(self.gathered.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&block_checksum(self.blocks, &self.gathered).to_le_bytes());
        bytes.append(&mut self.gathered);
        self.write(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.blocks += 1;
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(|e| Error::io("write", &self.path, e))
    }

    /// Writes the header and syncs the file; the caller syncs the directory.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.end_block()?;
        let outline = self.outline;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        header[16..32].copy_from_slice(&self.store);
        let numbers = [
            outline.id,
            outline.first_commit,
            outline.commits,
            outline.oldest_birth,
            outline.newest_death,
            outline.versions,
            self.end,
        ];
        for (at, number) in numbers.into_iter().enumerate() {
            header[32 + at * 8..40 + at * 8].copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32c::crc32c(&header[..124]);
        header[124..].copy_from_slice(&crc.to_le_bytes());
        self.write(&header, 0)?;
        self.file.sync_data().map_err(|e| Error::io("sync", &self.path, e))
    }
}

#[cfg(all(test, not(modelled)))]
mod tests {
    use super::*;
    use crate::fs::SimulatedFileSystem;

    #[test]
    fn transactions_up_to_the_last_number_are_read_and_none_beyond_it_believed() {
        let fs = SimulatedFileSystem::new();
        fs.create_dir_all(Path::new("seg")).expect("made");
        for (id, first) in [(1, u64::MAX - 1), (2, u64::MAX - 2), (3, 5)] {
            let store = [7; 16];
            let mut writer = HistoryWriter::create(&fs, Path::new(""), store, id).expect("made");
            writer.commits(first, &[1.0, 2.0]).expect("written");
            writer.finish().expect("finished");
            match HistoryFile::open(&fs, Path::new(""), &store, id) {
                Ok(file) => {
                    let mut lsns = Vec::new();
                    file.for_each_commit(|commit| lsns.push(commit.lsn)).expect("sound");
                    assert_eq!(lsns, [first, first + 1]);
                }
                Err(error) => {
                    assert!(matches!(error, Error::Corrupt { offset: 40, .. }), "{error}");
                    assert_eq!(first, u64::MAX - 1);
                }
            }
        }
    }
}
