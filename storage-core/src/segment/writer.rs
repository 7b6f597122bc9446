//! Writes a segment front to back, section by section, to a file or to the heap.
//!
//! Invariant: bytes go out once and in order, so a merge of any size needs no more memory than the
//! section it is computing.

use std::path::{Path, PathBuf};

use super::format::{
    BLOCK_BYTES, Counts, Identity, Kind, SECTION_ALIGN, TABLE_ENTRY_BYTES, TAIL_MAGIC,
};
use crate::fs::{ByteView, File, FileSystem};
use crate::{Error, Result, interrupt};

/// Where a segment's bytes go.
#[derive(Debug)]
enum Sink {
    Heap(Vec<u64>),
    File { file: Box<dyn File>, path: PathBuf, flushed: u64 },
}

/// Bytes that a file sink gathers before it writes them.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes one segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    sink: Sink,
    /// File sink only: bytes not yet written.
    buffer: Vec<u8>,
    position: usize,
    table: Vec<u8>,
    checksums: Vec<u8>,
    open: Option<OpenSection>,
}

#[derive(Debug)]
struct OpenSection {
    kind: Kind,
    start: usize,
    first_checksum: usize,
    crc: u32,
    in_block: usize,
}

impl SegmentWriter {
    /// A segment on the heap, without block checksums: its bytes never leave memory.
    pub(crate) fn to_heap(identity: &Identity, expected_bytes: usize) -> Self {
        let sink = Sink::Heap(Vec::with_capacity(expected_bytes / 8));
        let mut writer = Self::new(sink);
        writer.put(&identity.encode()).expect("a heap takes all bytes");
        writer
    }

    /// A segment in a new file.
    pub(crate) fn to_file(fs: &dyn FileSystem, path: &Path, identity: &Identity) -> Result<Self> {
        let file = fs.create_new(path).map_err(|e| Error::io("create", path, e))?;
        let mut writer = Self::new(Sink::File { file, path: path.to_owned(), flushed: 0 });
        writer.put(&identity.encode())?;
        Ok(writer)
    }

    fn new(sink: Sink) -> Self {
        Self {
            sink,
            buffer: Vec::new(),
            position: 0,
            table: Vec::new(),
            checksums: Vec::new(),
            open: None,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.sink {
            Sink::Heap(words) => put_in_words(words, self.position, bytes),
            Sink::File { .. } => {
                self.buffer.extend_from_slice(bytes);
                if self.buffer.len() >= BUFFER_BYTES {
                    self.flush()?;
                }
            }
        }
        self.position += bytes.len();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if let Sink::File { file, path, flushed } = &mut self.sink {
            interrupt::check()?;
            file.write_all_at(&self.buffer, *flushed).map_err(|e| Error::io("write", path, e))?;
            *flushed += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    fn pad_to(&mut self, align: usize) -> Result<()> {
        let padding = self.position.next_multiple_of(align) - self.position;
        self.put(&[0; SECTION_ALIGN][..padding])
    }

    /// Starts a section.
    ///
    /// # Panics
    /// When another is open.
    pub(crate) fn begin(&mut self, kind: Kind) -> Result<()> {
        assert!(self.open.is_none(), "sections are written one after another");
        self.pad_to(SECTION_ALIGN)?;
        self.open = Some(OpenSection {
            kind,
            start: self.position,
            first_checksum: self.checksums.len() / 4,
            crc: 0,
            in_block: 0,
        });
        Ok(())
    }

    /// Appends bytes to the open section.
    ///
    /// # Panics
    /// When none is open.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if matches!(self.sink, Sink::File { .. }) {
            let section = self.open.as_mut().expect("write() follows begin()");
            let mut rest = bytes;
            while !rest.is_empty() {
                let (block, after) = rest.split_at(rest.len().min(BLOCK_BYTES - section.in_block));
                section.crc = crc32c::crc32c_append(section.crc, block);
                section.in_block += block.len();
                if section.in_block == BLOCK_BYTES {
                    self.checksums.extend_from_slice(&section.crc.to_le_bytes());
                    (section.crc, section.in_block) = (0, 0);
                }
                rest = after;
            }
        }
        self.put(bytes)
    }

    /// Ends the open section.
    ///
    /// # Panics
    /// When none is open.
    pub(crate) fn end(&mut self) {
        let section = self.open.take().expect("end() follows begin()");
        if section.in_block > 0 {
            self.checksums.extend_from_slice(&section.crc.to_le_bytes());
        }
        self.table.extend_from_slice(&(section.kind as u32).to_le_bytes());
        self.table.extend_from_slice(&0_u32.to_le_bytes());
        self.table.extend_from_slice(&(section.start as u64).to_le_bytes());
        self.table.extend_from_slice(&((self.position - section.start) as u64).to_le_bytes());
        self.table.extend_from_slice(&(section.first_checksum as u64).to_le_bytes());
    }

    /// A whole section at once; an empty one is left out.
    pub(crate) fn section(&mut self, kind: Kind, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.begin(kind)?;
        self.write(bytes)?;
        self.end();
        Ok(())
    }

    /// Writes checksums, table and tail; a file is synced. Returns the heap's bytes, or nothing.
    pub(crate) fn finish(mut self, counts: Counts) -> Result<Option<ByteView>> {
        self.pad_to(8)?;
        let checksums_at = self.position;
        let checksums = std::mem::take(&mut self.checksums);
        let table = std::mem::take(&mut self.table);
        let mut tail = Vec::with_capacity(64);
        tail.extend_from_slice(&counts.rows.to_le_bytes());
        tail.extend_from_slice(&counts.edges.to_le_bytes());
        tail.extend_from_slice(&counts.vectors.to_le_bytes());
        tail.extend_from_slice(&((table.len() / TABLE_ENTRY_BYTES) as u32).to_le_bytes());
        let table_at = checksums_at + checksums.len();
        let file_len = table_at + table.len() + 64;
        tail.extend_from_slice(&(checksums_at as u64).to_le_bytes());
        tail.extend_from_slice(&(table_at as u64).to_le_bytes());
        tail.extend_from_slice(&(file_len as u64).to_le_bytes());
        tail.extend_from_slice(&[0; 12]);
        let mut crc = crc32c::crc32c(&checksums);
        crc = crc32c::crc32c_append(crc, &table);
        crc = crc32c::crc32c_append(crc, &tail);
        tail.extend_from_slice(&crc.to_le_bytes());
        tail.extend_from_slice(TAIL_MAGIC);
        self.put(&checksums)?;
        self.put(&table)?;
        self.put(&tail)?;
        self.flush()?;
        match self.sink {
            Sink::Heap(words) => Ok(Some(ByteView::from_words(words, file_len))),
            Sink::File { file, path, .. } => {
                file.sync_data().map_err(|e| Error::io("sync", &path, e))?;
                Ok(None)
            }
        }
    }
}

/// Appends bytes at a byte position in a vector of words, which grows with zeros.
fn put_in_words(words: &mut Vec<u64>, position: usize, bytes: &[u8]) {
    words.resize((position + bytes.len()).div_ceil(8), 0);
    zerocopy::IntoBytes::as_mut_bytes(words.as_mut_slice())[position..position + bytes.len()]
        .copy_from_slice(bytes);
}
