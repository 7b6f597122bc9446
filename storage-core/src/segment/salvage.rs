//! Reads what is sound in a damaged segment: each row, vector and edge by itself.
//!
//! Invariant: no byte is given out whose block does not match its checksum. Derived indexes (the table of
//! ids, rows by time, norms, words) are not read at all.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use graph_index::{EdgeRef, GraphView};

use super::format::{
    self, BLOCK_BYTES, Blocks, Counts, HEADER_BYTES, Identity, Kind, Section, TABLE_ENTRY_BYTES,
    TAIL_BYTES, read_u32, read_u64,
};
use crate::fs::{FileSystem, TolerantFile};
use crate::options::VectorStorage;
use crate::record::Touch;
use crate::{Error, Result, mend};

/// What a damaged segment still says.
#[derive(Debug)]
pub(crate) struct SalvagedSegment {
    file: TolerantFile,
    identity: Option<Identity>,
    counts: Counts,
    sections: [Section; Kind::ALL.len()],
    checksums: Vec<u8>,
    /// By checksum: whether the block differs from it.
    bad: Vec<bool>,
    /// The block of each section that was read last.
    last_block: RefCell<[Option<Block>; Kind::ALL.len()]>,
}

/// A block's place in its section, and its bytes.
type Block = (usize, Vec<u8>);

/// What the tail of a segment says, once it is known to be right.
struct Tail {
    counts: Counts,
    sections: [Section; Kind::ALL.len()],
    checksums: Vec<u8>,
}

/// The rows that have vectors, as far as that can be told.
#[derive(Debug)]
pub(crate) enum VectorRows {
    All,
    /// (row, ordinal) by row; and how many vectors can't be told whose they are.
    Some(Vec<(u32, u32)>, u64),
}

impl VectorRows {
    pub(crate) fn ordinal(&self, row: u32) -> Option<u32> {
        match self {
            Self::All => Some(row),
            Self::Some(rows, _) => {
                rows.binary_search_by_key(&row, |&(row, _)| row).ok().map(|at| rows[at].1)
            }
        }
    }
}

impl SalvagedSegment {
    /// Reads a segment's outline, compares every block with its checksum, and tells `note` of all damage.
    ///
    /// # Errors
    /// What keeps all rows from being read: a file that can't be opened, an outline beyond mending.
    pub(crate) fn open(
        fs: &dyn FileSystem,
        path: &Path,
        note: &mut dyn FnMut(Error),
    ) -> Result<Self> {
        let file = TolerantFile::open(fs, path)?;
        let identity = read_identity(&file, note)?;
        let Tail { counts, sections, checksums } = read_tail(&file, note)?;
        let bad = vec![false; checksums.len() / 4];
        let mut segment = Self {
            file,
            identity,
            counts,
            sections,
            checksums,
            bad,
            last_block: RefCell::default(),
        };
        segment.compare_blocks(note);
        Ok(segment)
    }

    fn compare_blocks(&mut self, note: &mut dyn FnMut(Error)) {
        for kind in Kind::ALL {
            let section = self.sections[kind.index()].clone();
            for block in 0..section.len().div_ceil(BLOCK_BYTES) {
                let index = section.first_checksum + block;
                let Err((expected, found)) = self.read_block(&section, block) else { continue };
                self.bad[index] = true;
                note(Error::corrupt(
                    self.file.path(),
                    (section.range.start + block * BLOCK_BYTES) as u64,
                    format!("checksum {expected:08x} over a block of section {}", kind.name()),
                    format!("{found:08x}"),
                ));
            }
        }
        if let Some(error) = self.file.failure() {
            note(error);
        }
    }

    /// A block's bytes, or the checksum that it should have, and the one that it has.
    fn read_block(&self, section: &Section, block: usize) -> Result<Vec<u8>, (u32, u32)> {
        let start = section.range.start + block * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(section.range.end);
        let bytes = self.file.bytes(start as u64, end - start);
        let expected = read_u32(&self.checksums, (section.first_checksum + block) * 4);
        let found = crc32c::crc32c(&bytes);
        if found == expected && bytes.len() == end - start {
            Ok(bytes)
        } else {
            Err((expected, found))
        }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn byte_len(&self) -> u64 {
        self.file.byte_len()
    }

    /// What the header says, if it can be read.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(crate) fn edges(&self) -> u32 {
        self.counts.edges
    }

    pub(crate) fn vectors(&self) -> u32 {
        self.counts.vectors
    }

    /// Whether all blocks that hold a range of a section are right.
    fn is_right(&self, kind: Kind, range: &Range<usize>) -> bool {
        let section = &self.sections[kind.index()];
        range.start <= range.end
            && range.end <= section.len()
            && (range.is_empty()
                || (range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES))
                    .all(|block| !self.bad[section.first_checksum + block]))
    }

    /// Part of a section; `None` where any block of it is damaged.
    fn bytes(&self, kind: Kind, range: Range<usize>) -> Option<Vec<u8>> {
        if !self.is_right(kind, &range) {
            return None;
        }
        if range.is_empty() {
            return Some(Vec::new());
        }
        let section = &self.sections[kind.index()];
        let last = &mut self.last_block.borrow_mut()[kind.index()];
        let mut out = Vec::with_capacity(range.len());
        for block in range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES) {
            if last.as_ref().is_none_or(|(at, _)| *at != block) {
                *last = Some((block, self.read_block(section, block).ok()?));
            }
            let (_, bytes) = last.as_ref()?;
            let start = range.start.max(block * BLOCK_BYTES) - block * BLOCK_BYTES;
            let end = (range.end - block * BLOCK_BYTES).min(bytes.len());
            out.extend_from_slice(bytes.get(start..end)?);
        }
        Some(out)
    }

    /// An entry of a column whose entries have `N` bytes.
    fn fixed<const N: usize>(&self, kind: Kind, at: u32) -> Option<[u8; N]> {
        let start = at as usize * N;
        self.bytes(kind, start..start + N)?.try_into().ok()
    }

    /// A variable-length entry.
    fn entry(&self, offsets: Kind, bytes: Kind, at: u32) -> Option<Vec<u8>> {
        let start = at as usize * 8;
        let pair = self.bytes(offsets, start..start + 16)?;
        let place = |at: usize| usize::try_from(read_u64(&pair, at)).ok();
        self.bytes(bytes, place(0)?..place(8)?)
    }

    // ---- rows ------------------------------------------------------------------------------------

    /// The concept numbers by row, all below `bound`.
    ///
    /// They rise, so that damaged ones between two others are known where no more numbers are left there
    /// than rows.
    pub(crate) fn numbers(&self, bound: u32) -> Vec<Option<u32>> {
        let number = |row| self.fixed(Kind::Numbers, row).map(u32::from_le_bytes);
        let mut numbers: Vec<Option<u32>> = (0..self.counts.rows).map(number).collect();
        let mut at = 0;
        while at < numbers.len() {
            let unknown = numbers[at..].iter().take_while(|number| number.is_none()).count();
            let end = at + unknown;
            let before = at.checked_sub(1).and_then(|last| numbers[last]);
            let first = before.map_or(Some(0), |before| before.checked_add(1));
            let after = numbers.get(end).copied().flatten().unwrap_or(bound);
            if let Some(first) =
                first.filter(|first| first.checked_add(unknown as u32) == Some(after))
            {
                for (number, row) in (first..).zip(&mut numbers[at..end]) {
                    *row = Some(number);
                }
            }
            at = end + 1;
        }
        numbers
    }

    pub(crate) fn created(&self, row: u32) -> Option<f64> {
        self.fixed(Kind::Created, row).map(f64::from_le_bytes)
    }

    pub(crate) fn concept_id(&self, row: u32) -> Option<String> {
        String::from_utf8(self.entry(Kind::IdOffsets, Kind::Ids, row)?).ok()
    }

    pub(crate) fn record(&self, row: u32) -> Option<Vec<u8>> {
        self.entry(Kind::RecordOffsets, Kind::Records, row)
    }

    pub(crate) fn vector_rows(&self) -> VectorRows {
        if self.counts.vectors == self.counts.rows {
            return VectorRows::All;
        }
        let mut rows = Vec::new();
        let mut unknown = 0;
        for ordinal in 0..self.counts.vectors {
            match self.fixed(Kind::VectorRows, ordinal).map(u32::from_le_bytes) {
                Some(row) => rows.push((row, ordinal)),
                None => unknown += 1,
            }
        }
        rows.sort_unstable();
        VectorRows::Some(rows, unknown)
    }

    /// The stored components of a vector.
    pub(crate) fn vector(&self, ordinal: u32) -> Option<Vec<u8>> {
        let len = self.vector_bytes()?;
        let start = ordinal as usize * len;
        self.bytes(Kind::Vectors, start..start + len)
    }

    /// Bytes of one stored vector, if there is any.
    pub(crate) fn vector_bytes(&self) -> Option<usize> {
        self.sections[Kind::Vectors.index()].len().checked_div(self.counts.vectors as usize)
    }

    /// How the vectors are stored, by the norms beside them; `None` where these say nothing.
    pub(crate) fn vector_storage(&self) -> Option<VectorStorage> {
        (0..self.counts.vectors).find_map(|ordinal| {
            let bytes = self.vector(ordinal)?;
            let norm = self.fixed(Kind::InverseNorms, ordinal).map(f32::from_le_bytes)?;
            [VectorStorage::F32, VectorStorage::F16].into_iter().find(|&storage| {
                let vector = super::decode_vector(&bytes, storage);
                bytes.len().is_multiple_of(storage.component_bytes())
                    && vector.iter().all(|component| component.is_finite())
                    && norm > 0.0
                    && (vector_kernel::inverse_norm(&vector) - norm).abs() <= norm * 1e-4
            })
        })
    }

    // ---- edges and accesses ------------------------------------------------------------------------

    /// The edges that can be told; where the graph's first block is damaged, none.
    pub(crate) fn right_edges(&self) -> Vec<EdgeRef> {
        let section = &self.sections[Kind::Graph.index()];
        if section.len() == 0 || !self.is_right(Kind::Graph, &(0..1)) {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(section.len());
        for block in 0..section.len().div_ceil(BLOCK_BYTES) {
            let end = ((block + 1) * BLOCK_BYTES).min(section.len());
            match self.read_block(section, block) {
                Ok(right) => bytes.extend_from_slice(&right),
                Err(_) => bytes.resize(end, 0),
            }
        }
        let Ok(graph) = GraphView::parse(&bytes) else { return Vec::new() };
        graph.right_edges(|range| self.is_right(Kind::Graph, &range))
    }

    pub(crate) fn edge_record(&self, edge: u32) -> Option<Vec<u8>> {
        self.entry(Kind::EdgeRecordOffsets, Kind::EdgeRecords, edge)
    }

    /// The access entries that can be read, and how many can't.
    pub(crate) fn touches(&self) -> (Vec<Touch>, u64) {
        let count = (self.sections[Kind::Touches.index()].len() / Touch::BYTES) as u32;
        let mut touches = Vec::new();
        for at in 0..count {
            touches.extend(self.fixed(Kind::Touches, at).as_ref().map(Touch::decode));
        }
        let lost = u64::from(count) - touches.len() as u64;
        (touches, lost)
    }
}

/// What the header says, mended where one bit explains it; `None` where that is beyond mending.
fn read_identity(file: &TolerantFile, note: &mut dyn FnMut(Error)) -> Result<Option<Identity>> {
    let mut header = file.bytes(0, HEADER_BYTES);
    if header.len() < HEADER_BYTES {
        let found = format!("{} bytes", header.len());
        return Err(Error::corrupt(file.path(), 0, "a header and a tail of 64 bytes each", found));
    }
    let stored = read_u32(&header, 56);
    let crc = crc32c::crc32c(&header[..56]);
    if crc != stored {
        let (expected, found) = (format!("header checksum {crc:08x}"), format!("{stored:08x}"));
        note(Error::corrupt(file.path(), 56, expected, found));
        let Some(mended) = mend::mended(&header[..56], stored) else { return Ok(None) };
        header[..56].copy_from_slice(&mended);
    }
    let version = read_u32(&header, 8);
    if &header[..8] != format::HEADER_MAGIC {
        return Ok(None);
    }
    if version != format::VERSION {
        let path = file.path().to_owned();
        return Err(Error::Version { path, found: version, supported: format::VERSION });
    }
    Error::check_features(file.path(), read_u32(&header, 12))?;
    Ok(Some(Identity {
        store: header[16..32].try_into().expect("sixteen bytes were sliced"),
        id: read_u64(&header, 32),
        first_lsn: read_u64(&header, 40),
        last_lsn: read_u64(&header, 48),
    }))
}

/// Counts, table and checksums, mended where one bit explains what is wrong with them.
fn read_tail(file: &TolerantFile, note: &mut dyn FnMut(Error)) -> Result<Tail> {
    let len = file.byte_len();
    let Some(tail_at) = len.checked_sub(TAIL_BYTES as u64) else {
        let found = format!("{len} bytes");
        return Err(Error::corrupt(
            file.path(),
            len,
            "a header and a tail of 64 bytes each",
            found,
        ));
    };
    let tail = file.bytes(tail_at, TAIL_BYTES);
    let damaged =
        |found: &str| Error::corrupt(file.path(), tail_at, "a tail with its checksum", found);
    if tail.len() < TAIL_BYTES {
        return Err(damaged("the end of what can be read"));
    }
    if &tail[56..] != format::TAIL_MAGIC {
        note(damaged("another magic"));
    }
    if let Some(found) = try_tail(file, tail_at, &tail) {
        return Ok(found);
    }
    note(damaged("another checksum"));
    // A flipped bit in the fields that say where the outline is; then one anywhere in the outline.
    for bit in 0..56 * 8 {
        let mut mended = tail.clone();
        mended[bit / 8] ^= 1 << (bit % 8);
        if let Some(found) = try_tail(file, tail_at, &mended) {
            return Ok(found);
        }
    }
    let mended = outline_bytes(file, tail_at, &tail).and_then(|outline| {
        let right = mend::mended(&outline, read_u32(&tail, 52))?;
        parse_outline(file, &right)
    });
    mended.ok_or_else(|| damaged("more than one wrong bit"))
}

/// Checksums, table and the tail's first 52 bytes, where the tail says that they are.
fn outline_bytes(file: &TolerantFile, tail_at: u64, tail: &[u8]) -> Option<Vec<u8>> {
    let (checksums_at, table_at) = (read_u64(tail, 16), read_u64(tail, 24));
    let table_len = u64::from(read_u32(tail, 12)) * TABLE_ENTRY_BYTES as u64;
    let placed = checksums_at >= HEADER_BYTES as u64
        && checksums_at <= table_at
        && checksums_at.is_multiple_of(4)
        && table_at.checked_add(table_len) == Some(tail_at)
        && read_u64(tail, 32) == file.byte_len();
    if !placed {
        return None;
    }
    let mut outline = file.bytes(checksums_at, (tail_at - checksums_at) as usize);
    outline.extend_from_slice(&tail[..52]);
    Some(outline)
}

fn try_tail(file: &TolerantFile, tail_at: u64, tail: &[u8]) -> Option<Tail> {
    let outline = outline_bytes(file, tail_at, tail)?;
    if crc32c::crc32c(&outline) != read_u32(tail, 52) {
        return None;
    }
    parse_outline(file, &outline)
}

/// Parses an outline that matches its checksum.
fn parse_outline(file: &TolerantFile, outline: &[u8]) -> Option<Tail> {
    let (body, tail) = outline.split_at_checked(outline.len().checked_sub(52)?)?;
    let counts =
        Counts { rows: read_u32(tail, 0), edges: read_u32(tail, 4), vectors: read_u32(tail, 8) };
    let checksums_at = usize::try_from(read_u64(tail, 16)).ok()?;
    let table_at = usize::try_from(read_u64(tail, 24)).ok()?;
    let (checksums, table) = body.split_at_checked(table_at.checked_sub(checksums_at)?)?;
    let place = checksums_at..table_at;
    let sections = format::parse_table(file.path(), table, place, Blocks::Checked).ok()?;
    // Counts that no writer makes must not make anyone count to them.
    let most = |kind: Kind, bytes: usize| (sections[kind.index()].len() / bytes) as u32;
    let counts = Counts {
        rows: counts.rows.min(most(Kind::Numbers, 4)),
        edges: counts.edges.min(most(Kind::EdgeBirths, 8)),
        vectors: counts.vectors.min(most(Kind::InverseNorms, 4)),
    };
    Some(Tail { counts, sections, checksums: checksums.to_vec() })
}
