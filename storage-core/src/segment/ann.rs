//! The file of a segment's index for approximate vector search.
//!
//! ```text
//! seg/<id, 20 digits>.ann
//! 0   magic "SUTRAVIX"        32  segment id u64                  52  0 u64
//! 8   version u32, 0 u32      40  length of the index u64         60  crc32c of bytes 0 to 59 u32
//! 16  store uuid [16]         48  crc32c of the checksums u32
//! 64  the index, as vector-kernel builds it; a crc32c u32 of each MiB of it
//! ```
//!
//! It follows from a segment, which never changes, so it counts once it is there, and no manifest names it. Invariant:
//! no byte of an index is used before all of it was compared with its checksums, but for its version; a damaged one,
//! or one of another version, is no index.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError};

use vector_kernel::ann::{AnnBuilder, AnnError, AnnOutline, AnnView, MAX_ANN_DIM};
use vector_kernel::{FlatIndex, Metric, QueryError};

use super::format::{Kind, read_u32, read_u64};
use super::{IndexAudit, Segment};
use crate::fs::{ByteView, FileSystem};
use crate::manifest::replace_leftover;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"SUTRAVIX";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
const BLOCK_BYTES: usize = 1 << 20;
/// Fewer vectors are scanned in the time of a search by an index.
const LEAST_INDEXED: u32 = 4096;

/// An index that is there: perhaps damaged.
pub(crate) struct AnnFile {
    path: PathBuf,
    bytes: ByteView,
    /// Whose it has to be.
    store: [u8; 16],
    segment: u64,
    /// `None` where it is of no use: of another version, which is known at once; or damaged, known after the first use.
    outline: OnceLock<Option<AnnOutline>>,
    /// What was found when it was fresh, by the handle that built it.
    audit: OnceLock<IndexAudit>,
}

impl fmt::Debug for AnnFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AnnFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Its path, of a segment's.
pub(crate) fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("ann")
}

impl AnnFile {
    /// Opens the index of a segment, if it has one.
    pub(crate) fn open(
        fs: &dyn FileSystem,
        segment_path: &Path,
        store: [u8; 16],
        segment: u64,
    ) -> Result<Option<Self>> {
        let path = path_of(segment_path);
        let bytes = match fs.view(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            view => view.map_err(|e| Error::io("open", &path, e))?,
        };
        let (outline, audit) = (OnceLock::new(), OnceLock::new());
        let file = Self { path, bytes, store, segment, outline, audit };
        if file.says_another_version() {
            // Nothing will be read of it, so that it is built anew without a search that finds out.
            file.outline.set(None).expect("it was made just now");
        }
        Ok(Some(file))
    }

    /// Writes an index under its name, durable but for the name.
    pub(crate) fn write(
        fs: &dyn FileSystem,
        segment_path: &Path,
        store: [u8; 16],
        segment: u64,
        index: &[u8],
    ) -> Result<()> {
        let path = path_of(segment_path);
        let temporary = path.with_extension("ann.tmp");
        replace_leftover(fs, &temporary)?;
        let written = write_file(fs, &temporary, store, segment, index);
        if written.is_err() {
            // The disk is full, perhaps: commits need the room more than half an index does.
            fs.remove(&temporary).ok();
        }
        written?;
        fs.rename(&temporary, &path).map_err(|e| Error::io("rename", &temporary, e))
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it was found to be damaged, or of another version.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.outline.get(), Some(None))
    }

    /// What an audit found, if this handle has made one.
    pub(crate) fn audit(&self) -> Option<&IndexAudit> {
        self.audit.get()
    }

    pub(super) fn keep_audit(&self, audit: IndexAudit) {
        // What was found before is the same.
        self.audit.set(audit).ok();
    }

    /// The index laid over the segment's vectors; `None` where it is damaged.
    ///
    /// The first call compares all of it with its checksums.
    pub(crate) fn view<'a>(&'a self, vectors: FlatIndex<'a>) -> Option<AnnView<'a>> {
        let outline = self.checked_outline()?;
        outline.view(&self.bytes[self.index()?], vectors).ok()
    }

    /// Whether all of it is as it was written.
    pub(crate) fn is_sound(&self) -> bool {
        self.checked_outline().is_some()
    }

    fn checked_outline(&self) -> Option<&AnnOutline> {
        let sound = || if self.faults().is_empty() { self.outline().ok() } else { None };
        self.outline.get_or_init(sound).as_ref()
    }

    /// Whether its header or that of the index in it names a version that this library does not read.
    fn says_another_version(&self) -> bool {
        match self.checksums() {
            Ok(_) => self.index().is_some_and(|index| {
                let version = AnnOutline::check_version(&self.bytes[index]);
                matches!(version, Err(AnnError::Version { .. }))
            }),
            Err(error) => matches!(error, Error::Version { .. }),
        }
    }

    /// Every damaged block, or what else is wrong; an index of another version is as it should be, and built anew.
    pub(crate) fn verify(&self) -> Vec<Error> {
        let mut damage = self.faults();
        damage.retain(|fault| !matches!(fault, Error::Version { .. }));
        damage
    }

    /// Why it is of no use.
    fn faults(&self) -> Vec<Error> {
        let mut damage: Vec<Error> = match self.checksums() {
            Ok(_) => self.blocks().filter_map(|block| self.compare(block).err()).collect(),
            Err(error) => vec![error],
        };
        if damage.is_empty() {
            damage.extend(self.outline().err());
        }
        damage
    }

    fn corrupt(&self, offset: usize, expected: impl Into<String>, found: String) -> Error {
        Error::corrupt(&self.path, offset as u64, expected.into(), found)
    }

    /// Where the index is in the file, as far as its length tells.
    fn index(&self) -> Option<Range<usize>> {
        let len = usize::try_from(read_u64(self.bytes.get(..HEADER_BYTES)?, 40)).ok()?;
        let end = HEADER_BYTES.checked_add(len)?;
        let table = len.div_ceil(BLOCK_BYTES).checked_mul(4)?;
        (end.checked_add(table)? == self.bytes.len()).then_some(HEADER_BYTES..end)
    }

    /// Checks the header; returns the checksums of the blocks.
    fn checksums(&self) -> Result<&[u8]> {
        let bytes = &*self.bytes;
        let Some(header) = bytes.get(..HEADER_BYTES) else {
            return Err(self.corrupt(0, "a header of 64 bytes", format!("{} bytes", bytes.len())));
        };
        if &header[..8] != MAGIC {
            return Err(self.corrupt(0, "the magic SUTRAVIX", format!("{:02x?}", &header[..8])));
        }
        let crc = crc32c::crc32c(&header[..60]);
        if read_u32(header, 60) != crc {
            let found = format!("{:08x}", read_u32(header, 60));
            return Err(self.corrupt(60, format!("the header's checksum {crc:08x}"), found));
        }
        let found = read_u32(header, 8);
        if found != VERSION {
            return Err(Error::Version { path: self.path.clone(), found, supported: VERSION });
        }
        if header[16..32] != self.store || read_u64(header, 32) != self.segment {
            let expected = format!("segment {} of this store", self.segment);
            return Err(self.corrupt(16, expected, format!("segment {}", read_u64(header, 32))));
        }
        let Some(index) = self.index() else {
            let expected = format!("an index of {} bytes", read_u64(header, 40));
            return Err(self.corrupt(40, expected, format!("a file of {} bytes", bytes.len())));
        };
        let checksums = &bytes[index.end..];
        let crc = crc32c::crc32c(checksums);
        if read_u32(header, 48) != crc {
            let found = format!("{crc:08x}");
            let expected = format!("checksums of checksum {:08x}", read_u32(header, 48));
            return Err(self.corrupt(index.end, expected, found));
        }
        Ok(checksums)
    }

    fn blocks(&self) -> impl Iterator<Item = usize> {
        0..self.index().map_or(0, |index| index.len().div_ceil(BLOCK_BYTES))
    }

    /// Compares a block with its checksum.
    fn compare(&self, block: usize) -> Result<()> {
        let index = self.index().unwrap_or_default();
        let start = index.start + block * BLOCK_BYTES;
        let crc = crc32c::crc32c(&self.bytes[start..index.end.min(start + BLOCK_BYTES)]);
        let expected = read_u32(&self.bytes, index.end + 4 * block);
        if crc != expected {
            let expected = format!("checksum {expected:08x} of a block");
            return Err(self.corrupt(start, expected, format!("{crc:08x}")));
        }
        Ok(())
    }

    fn outline(&self) -> Result<AnnOutline> {
        let index = self.index().unwrap_or_default();
        AnnOutline::parse(&self.bytes[index]).map_err(|error| match error {
            AnnError::Version { found, supported } => {
                Error::Version { path: self.path.clone(), found, supported }
            }
            error => self.corrupt(HEADER_BYTES, "an index", error.to_string()),
        })
    }
}

impl Segment {
    /// Whether its vectors are worth an index for approximate search, and it has no sound one.
    pub(crate) fn wants_ann(&self) -> bool {
        let metric_has_one = self.metric != Metric::Euclidean && self.dim <= MAX_ANN_DIM;
        self.is_file()
            && metric_has_one
            && self.vectors() >= LEAST_INDEXED
            && self.ann().is_none_or(|ann| ann.is_broken())
    }

    /// The index for approximate search, as far as this handle knows of one.
    pub(crate) fn ann(&self) -> Option<Arc<AnnFile>> {
        self.ann.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the index that is there now, if any is.
    pub(crate) fn look_for_ann(&self, fs: &dyn FileSystem) -> Result<()> {
        let found = AnnFile::open(fs, &self.path, self.identity.store, self.identity.id)?;
        // In the place of a damaged one comes only what is sound.
        let known_broken = self.ann().is_some_and(|ann| ann.is_broken());
        if let Some(found) = found.filter(|found| !known_broken || found.is_sound()) {
            let mut ann = self.ann.write().unwrap_or_else(PoisonError::into_inner);
            *ann = Some(Arc::new(found));
        }
        Ok(())
    }

    /// Builds an index of its vectors, on so many threads; `None` where it is not to go on.
    pub(crate) fn build_ann(
        &self,
        metric: Metric,
        threads: usize,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<u8>>> {
        let builder = AnnBuilder::new(self.flat_index(metric)?);
        let built = builder.and_then(|builder| builder.threads(threads).build_while(go_on));
        built.map_err(|error| match error {
            AnnError::RowNotFinite { ordinal } => {
                self.vector_error("", QueryError::RowNotFinite { ordinal })
            }
            error => self.corrupt(Kind::Vectors, "vectors to be indexed", error.to_string()),
        })
    }
}

fn write_file(
    fs: &dyn FileSystem,
    path: &Path,
    store: [u8; 16],
    segment: u64,
    index: &[u8],
) -> Result<()> {
    let checksums: Vec<u8> =
        index.chunks(BLOCK_BYTES).flat_map(|block| crc32c::crc32c(block).to_le_bytes()).collect();
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&0_u32.to_le_bytes());
    header.extend_from_slice(&store);
    header.extend_from_slice(&segment.to_le_bytes());
    header.extend_from_slice(&(index.len() as u64).to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&checksums).to_le_bytes());
    header.extend_from_slice(&0_u64.to_le_bytes());
    let crc = crc32c::crc32c(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    let file = fs.create_new(path).map_err(|e| Error::io("create", path, e))?;
    let end = (HEADER_BYTES + index.len()) as u64;
    for (bytes, at) in [(&header[..], 0), (index, HEADER_BYTES as u64), (&checksums, end)] {
        file.write_all_at(bytes, at).map_err(|e| Error::io("write", path, e))?;
    }
    file.sync_data().map_err(|e| Error::io("sync", path, e))
}
