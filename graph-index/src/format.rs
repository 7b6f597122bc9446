//! The byte layout of an encoded graph: header, records, row directories, and their sizes.
//!
//! Invariant: the place of every section follows from three counts in the header, so the file holds
//! no offset that could point outside it. `FORMAT.md` describes the same bytes in prose.

use zerocopy::little_endian::{F32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First eight bytes of an encoded graph.
pub(crate) const MAGIC: [u8; 8] = *b"SUTRAGR\0";
/// The only version there is.
pub(crate) const VERSION: u32 = 1;
/// Flag: the out-side directory lists its nodes instead of covering a range.
pub(crate) const OUT_LISTED: u32 = 1;
/// Flag: the in-side directory lists its nodes instead of covering a range.
pub(crate) const IN_LISTED: u32 = 2;

/// The first 64 bytes.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) version: U32,
    pub(crate) flags: U32,
    pub(crate) edge_count: U32,
    pub(crate) node_count: U32,
    pub(crate) node_bound: U32,
    pub(crate) out_first: U32,
    pub(crate) out_rows: U32,
    pub(crate) in_first: U32,
    pub(crate) in_rows: U32,
    pub(crate) reserved: U32,
    pub(crate) length: U64,
    pub(crate) padding: U64,
}

/// One edge as its row holds it: 16 bytes, so that four share a cache line and none straddles two.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Record {
    /// The node at the other end.
    pub(crate) neighbor: U32,
    pub(crate) type_id: U32,
    pub(crate) confidence: F32,
    /// Out-side: the bits of the weight. In-side: the edge id.
    pub(crate) last: U32,
}

pub(crate) const HEADER_BYTES: u64 = size_of::<Header>() as u64;
pub(crate) const RECORD_BYTES: u64 = size_of::<Record>() as u64;

/// Bytes of `count` 32-bit numbers, padded to the next multiple of eight.
pub(crate) const fn column_bytes(count: u64) -> u64 {
    (count * 4).next_multiple_of(8)
}

/// Bytes of a directory of `rows` rows.
pub(crate) const fn directory_bytes(rows: u64, listed: bool) -> u64 {
    column_bytes(rows + 1) + if listed { column_bytes(rows) } else { 0 }
}

/// Whether a side with `present` nodes over a range of `span` numbers is written as a list.
///
/// A range costs 4 bytes a number and one cache line a look-up, a list 8 bytes a node and a binary
/// search. The range is taken up to four times the list's size.
pub(crate) const fn prefers_list(present: u64, span: u64) -> bool {
    span > present.saturating_mul(8)
}

/// What is wrong with bytes that were to be an encoded graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than a header has.
    #[error("a graph needs at least {HEADER_BYTES} bytes, found {found}")]
    TooShort {
        /// Bytes given.
        found: usize,
    },
    /// The bytes don't start with the graph's magic.
    #[error("not a graph: the bytes start with {found:02x?}")]
    Magic {
        /// First eight bytes.
        found: [u8; 8],
    },
    /// A version this build doesn't read.
    #[error("graph version {found} is unknown (this build reads {VERSION})")]
    Version {
        /// Version in the header.
        found: u32,
    },
    /// The header's counts don't give the number of bytes there are.
    #[error("the header describes {expected} bytes, found {found}")]
    Length {
        /// Bytes that follow from the header.
        expected: u64,
        /// Bytes given.
        found: usize,
    },
    /// A header field holds a value that no writer makes.
    #[error("header field {field} holds {found}")]
    Header {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// An entry inside a section contradicts the format; only [`GraphView::check`] looks so deep.
    ///
    /// [`GraphView::check`]: crate::GraphView::check
    #[error("{section}[{position}]: {what}")]
    Interior {
        /// Name of the section, as in `FORMAT.md`.
        section: &'static str,
        /// Index of the entry.
        position: usize,
        /// The rule it breaks.
        what: &'static str,
    },
}
