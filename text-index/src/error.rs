//! Errors of the crate: what was wrong with bytes, with a build, with a merge.

use thiserror::Error;

/// Bytes that are not a text index this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than the header and its section table need.
    #[error("text index is {found} bytes, its header needs {expected}")]
    TooShort {
        /// Bytes needed.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// The bytes do not begin with the magic of a text index.
    #[error("not a text index: wrong magic")]
    Magic,
    /// Written by a version of the format that this crate does not read.
    #[error("text index has format version {found}, this crate reads version {expected}")]
    Version {
        /// Version this crate reads.
        expected: u16,
        /// Version found.
        found: u16,
    },
    /// A section is missing, repeated, out of bounds, or of the wrong size.
    #[error("section {kind} of the text index is missing or out of bounds")]
    Section {
        /// Section kind as in FORMAT.md.
        kind: u32,
    },
    /// A field holds a value that no writer produces.
    #[error("corrupt text index: {what}")]
    Corrupt {
        /// Which rule was broken.
        what: &'static str,
    },
}

/// A document or count that [`TextBuilder`](crate::TextBuilder) refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Ordinals must strictly increase from one document to the next.
    #[error("ordinal {ordinal} was added after ordinal {previous}")]
    OrdinalOrder {
        /// The ordinal added before.
        previous: u32,
        /// The ordinal refused.
        ordinal: u32,
    },
    /// The document count given at the end does not cover the last ordinal.
    #[error("document count {doc_count} does not cover ordinal {ordinal}")]
    DocCount {
        /// The count given.
        doc_count: u32,
        /// The greatest ordinal added.
        ordinal: u32,
    },
    /// More distinct term bytes, postings or dictionary bytes than 32-bit offsets can address.
    #[error("text index too large: {what}")]
    TooLarge {
        /// What would overflow.
        what: &'static str,
    },
}

/// Parts that [`merge`](crate::merge) cannot combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A part's bytes are damaged.
    #[error("part {part} of the merge is damaged")]
    Format {
        /// Index of the part.
        part: usize,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A part's ordinal map has not one entry a document.
    #[error("ordinal map of part {part} has {found} entries, the part has {expected} documents")]
    MapLength {
        /// Index of the part.
        part: usize,
        /// Documents in the part.
        expected: u32,
        /// Entries in its map.
        found: usize,
    },
    /// A map sends a document to an ordinal outside the merged index.
    #[error("part {part} maps a document to {ordinal}, beyond the {doc_count} merged documents")]
    OrdinalRange {
        /// Index of the part.
        part: usize,
        /// The new ordinal.
        ordinal: u32,
        /// Documents in the merged index.
        doc_count: u32,
    },
    /// Two documents are sent to one new ordinal.
    #[error("part {part} maps a document to {ordinal}, which another document has")]
    DuplicateOrdinal {
        /// Index of the part.
        part: usize,
        /// The new ordinal.
        ordinal: u32,
    },
    /// The merged index would be too large.
    #[error("merged text index is too large")]
    Build(#[from] BuildError),
}
