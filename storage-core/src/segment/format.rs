//! The bytes of a segment: header, aligned sections, block checksums, section table, tail.
//!
//! ```text
//! header    64 bytes: magic "SUTRASEG", version u32, features u32, store uuid [16], segment id u64,
//!           first lsn u64, last lsn u64, crc32c u32 of the 56 bytes before, 0 u32
//! sections  each at a multiple of 64, of each kind at most one
//! checksums crc32c u32 of each 16 KiB block of each section (the last block of each may be short)
//! table     32 bytes a section, in the order of the sections and of their checksums: kind u32, 0 u32,
//!           offset u64, length u64, first checksum u64
//! tail      64 bytes: row count u32, edge count u32, vector count u32, section count u32,
//!           checksums offset u64, table offset u64, file length u64, 0 u64, 0 u32,
//!           crc32c u32 of checksums + table + the 52 bytes before, magic "SUTRAEND"
//! ```
//!
//! All integers are little-endian. Invariant: whatever the bytes, parsing yields sections that lie
//! within them, one behind another, each with a checksum for each of its blocks, or an error.

use std::ops::Range;
use std::path::Path;

use crate::{Error, Result};

pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const TAIL_BYTES: usize = 64;
pub(crate) const TABLE_ENTRY_BYTES: usize = 32;
pub(crate) const BLOCK_BYTES: usize = 16 << 10;
pub(crate) const SECTION_ALIGN: usize = 64;
pub(crate) const HEADER_MAGIC: &[u8; 8] = b"SUTRASEG";
pub(crate) const TAIL_MAGIC: &[u8; 8] = b"SUTRAEND";
pub(crate) const VERSION: u32 = 2;
/// The bit of a section's kind that lets a reader which does not know it pass it over.
pub(crate) const OPTIONAL_KIND: u32 = 1 << 31;

/// What a section holds. Rows are in order of concept number, edges of (source, target, type).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// u32 a row: concept numbers, ascending.
    Numbers = 1,
    /// u64 a row: the LSN that put this version.
    Births = 2,
    /// f64 a row: creation time.
    Created = 3,
    /// u32 a row: row ordinals by (creation time, ordinal).
    CreatedOrder = 4,
    /// u64 a row and one: where each id starts.
    IdOffsets = 5,
    /// UTF-8 of the ids.
    Ids = 6,
    /// Open-addressing table of u64: fingerprint in the high half, ordinal + 1 in the low; 0 is empty.
    IdTable = 7,
    /// u64 a row and one: where each record starts.
    RecordOffsets = 8,
    /// Records of concepts.
    Records = 9,
    /// u32 a vector: the row it belongs to; absent when every row has a vector.
    VectorRows = 10,
    /// Vectors, row-major, in the store's storage format.
    Vectors = 11,
    /// f32 a vector: 1 / norm, 0 for the zero vector.
    InverseNorms = 12,
    /// The word index over the rows' contents, as text-index writes it.
    Text = 13,
    /// The associations, as graph-index writes them.
    Graph = 14,
    /// u64 an edge: the LSN that put it.
    EdgeBirths = 15,
    /// u64 an edge and one: where each edge's record starts.
    EdgeRecordOffsets = 16,
    /// Records of associations.
    EdgeRecords = 17,
    /// 32 bytes each: access entries by concept number.
    Touches = 18,
    /// 32 bytes each: the windows of those rows that have one, by row.
    RowWindows = 19,
    /// The same of edges.
    EdgeWindows = 20,
    /// The names of the namespaces that occur, but the default one.
    Namespaces = 21,
    /// u32 a row: its namespace by place in the list, from 1; 0 is the default one. Absent when all are 0.
    RowNamespaces = 22,
    /// The same of edges.
    EdgeNamespaces = 23,
}

impl Kind {
    pub(crate) const ALL: [Self; 23] = [
        Self::Numbers,
        Self::Births,
        Self::Created,
        Self::CreatedOrder,
        Self::IdOffsets,
        Self::Ids,
        Self::IdTable,
        Self::RecordOffsets,
        Self::Records,
        Self::VectorRows,
        Self::Vectors,
        Self::InverseNorms,
        Self::Text,
        Self::Graph,
        Self::EdgeBirths,
        Self::EdgeRecordOffsets,
        Self::EdgeRecords,
        Self::Touches,
        Self::RowWindows,
        Self::EdgeWindows,
        Self::Namespaces,
        Self::RowNamespaces,
        Self::EdgeNamespaces,
    ];

    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Births => "births",
            Self::Created => "created",
            Self::CreatedOrder => "created order",
            Self::IdOffsets => "id offsets",
            Self::Ids => "ids",
            Self::IdTable => "id table",
            Self::RecordOffsets => "record offsets",
            Self::Records => "records",
            Self::VectorRows => "vector rows",
            Self::Vectors => "vectors",
            Self::InverseNorms => "inverse norms",
            Self::Text => "text",
            Self::Graph => "graph",
            Self::EdgeBirths => "edge births",
            Self::EdgeRecordOffsets => "edge record offsets",
            Self::EdgeRecords => "edge records",
            Self::Touches => "touches",
            Self::RowWindows => "row windows",
            Self::EdgeWindows => "edge windows",
            Self::Namespaces => "namespaces",
            Self::RowNamespaces => "row namespaces",
            Self::EdgeNamespaces => "edge namespaces",
        }
    }
}

/// What identifies a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) store: [u8; 16],
    pub(crate) id: u64,
    pub(crate) first_lsn: u64,
    pub(crate) last_lsn: u64,
}

impl Identity {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(HEADER_MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..32].copy_from_slice(&self.store);
        out[32..40].copy_from_slice(&self.id.to_le_bytes());
        out[40..48].copy_from_slice(&self.first_lsn.to_le_bytes());
        out[48..56].copy_from_slice(&self.last_lsn.to_le_bytes());
        let crc = crc32c::crc32c(&out[..56]);
        out[56..60].copy_from_slice(&crc.to_le_bytes());
        out
    }
}

/// How many rows, edges and vectors a segment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) rows: u32,
    pub(crate) edges: u32,
    pub(crate) vectors: u32,
}

/// Where a section lies, and where its block checksums start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) range: Range<usize>,
    pub(crate) first_checksum: usize,
}

impl Section {
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }
}

/// Whether a segment has checksums of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// One a block, as in a file.
    Checked,
    /// None, as on the heap.
    Bare,
}

/// The parsed outline of a segment.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) identity: Identity,
    pub(crate) counts: Counts,
    pub(crate) sections: [Section; Kind::ALL.len()],
    pub(crate) checksums: Range<usize>,
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were sliced"))
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were sliced"))
}

/// Parses a segment's header, tail and table, checking all their checksums and ranges.
pub(crate) fn parse(path: &Path, bytes: &[u8], blocks: Blocks) -> Result<Outline> {
    let corrupt = |offset: usize, expected: &str, found: String| {
        Error::corrupt(path, offset as u64, expected, found)
    };
    if bytes.len() < HEADER_BYTES + TAIL_BYTES {
        let found = format!("{} bytes", bytes.len());
        return Err(corrupt(bytes.len(), "a header and a tail of 64 bytes each", found));
    }
    if &bytes[..8] != HEADER_MAGIC {
        return Err(corrupt(0, "the magic SUTRASEG", format!("{:02x?}", &bytes[..8])));
    }
    let crc = crc32c::crc32c(&bytes[..56]);
    if read_u32(bytes, 56) != crc {
        let found = format!("{:08x}", read_u32(bytes, 56));
        return Err(corrupt(56, &format!("header checksum {crc:08x}"), found));
    }
    let found = read_u32(bytes, 8);
    if found != VERSION {
        return Err(Error::Version { path: path.to_owned(), found, supported: VERSION });
    }
    Error::check_features(path, read_u32(bytes, 12))?;
    let identity = Identity {
        store: bytes[16..32].try_into().expect("sixteen bytes were sliced"),
        id: read_u64(bytes, 32),
        first_lsn: read_u64(bytes, 40),
        last_lsn: read_u64(bytes, 48),
    };

    let tail_at = bytes.len() - TAIL_BYTES;
    let tail = &bytes[tail_at..];
    if &tail[56..] != TAIL_MAGIC {
        return Err(corrupt(tail_at + 56, "the magic SUTRAEND", format!("{:02x?}", &tail[56..])));
    }
    let counts =
        Counts { rows: read_u32(tail, 0), edges: read_u32(tail, 4), vectors: read_u32(tail, 8) };
    let section_count = read_u32(tail, 12) as usize;
    let checksums_at = usize::try_from(read_u64(tail, 16)).unwrap_or(usize::MAX);
    let table_at = usize::try_from(read_u64(tail, 24)).unwrap_or(usize::MAX);
    if read_u64(tail, 32) != bytes.len() as u64 {
        let expected = format!("a file of {} bytes", read_u64(tail, 32));
        return Err(corrupt(tail_at + 32, &expected, format!("{} bytes", bytes.len())));
    }
    let table_len = section_count.saturating_mul(TABLE_ENTRY_BYTES);
    if checksums_at > table_at
        || !checksums_at.is_multiple_of(4)
        || table_at.checked_add(table_len) != Some(tail_at)
    {
        let found = format!("{checksums_at} and {table_at}");
        return Err(corrupt(tail_at + 16, "offsets of checksums and table", found));
    }
    let crc = crc32c::crc32c(&bytes[checksums_at..tail_at + 52]);
    if read_u32(tail, 52) != crc {
        let found = format!("{:08x}", read_u32(tail, 52));
        return Err(corrupt(tail_at + 52, &format!("tail checksum {crc:08x}"), found));
    }

    let sections = parse_table(path, &bytes[table_at..tail_at], checksums_at..table_at, blocks)?;
    Ok(Outline { identity, counts, sections, checksums: checksums_at..table_at })
}

/// Parses a section table, whose checksum was compared.
pub(crate) fn parse_table(
    path: &Path,
    table: &[u8],
    checksums: Range<usize>,
    blocks: Blocks,
) -> Result<[Section; Kind::ALL.len()]> {
    let corrupt = |offset: usize, expected: &str, found: String| {
        Error::corrupt(path, offset as u64, expected, found)
    };
    let (checksums_at, table_at) = (checksums.start, checksums.end);
    let checksum_count = checksums.len() / 4;
    let mut sections: [Section; Kind::ALL.len()] = Default::default();
    let mut seen = [false; Kind::ALL.len()];
    let (mut sections_end, mut checksums_end) = (HEADER_BYTES, 0);
    for (i, entry) in table.chunks_exact(TABLE_ENTRY_BYTES).enumerate() {
        let start = usize::try_from(read_u64(entry, 8)).unwrap_or(usize::MAX);
        let len = usize::try_from(read_u64(entry, 16)).unwrap_or(usize::MAX);
        let first_checksum = usize::try_from(read_u64(entry, 24)).unwrap_or(usize::MAX);
        let number = read_u32(entry, 0);
        let kind = Kind::ALL.into_iter().find(|&kind| kind as u32 == number);
        let end = start.checked_add(len).filter(|&end| end <= checksums_at);
        let repeated = kind.is_some_and(|kind| std::mem::replace(&mut seen[kind.index()], true));
        let sound = start >= sections_end
            && start.is_multiple_of(SECTION_ALIGN)
            && !repeated
            && (blocks == Blocks::Bare || first_checksum == checksums_end);
        let (Some(end), true) = (end, sound) else {
            let at = table_at + i * TABLE_ENTRY_BYTES;
            let expected =
                "a section of its own within the file, its checksums behind the last one's";
            let found = format!("{start} + {len}, checksum {first_checksum}");
            return Err(corrupt(at, expected, found));
        };
        sections_end = end;
        if blocks == Blocks::Checked {
            checksums_end += len.div_ceil(BLOCK_BYTES);
        }
        // Another kind, marked so, is a section of a later version that this one can do without.
        if let Some(kind) = kind {
            sections[kind.index()] = Section { range: start..end, first_checksum };
        } else if number & OPTIONAL_KIND == 0 {
            let feature = format!("sections of kind {number}");
            return Err(Error::Feature { path: path.to_owned(), feature });
        }
    }
    if checksums_end != checksum_count {
        let expected = format!("{checksums_end} checksums of blocks");
        return Err(corrupt(checksums_at, &expected, checksum_count.to_string()));
    }
    Ok(sections)
}
