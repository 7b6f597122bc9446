//! The container: header, section table and sections (FORMAT.md), written and checked here only.
//!
//! Invariant: [`Sections::parse`] looks at the header alone, so that opening costs the same for any
//! size; what lies inside the sections is checked where it is read.

use crate::dictionary::DictionaryWriter;
use crate::error::{BuildError, FormatError};

/// Parsing reads none of the bytes from here on.
pub(crate) const PARSED_BYTES: usize = HEADER_BYTES + MAX_SECTIONS as usize * TABLE_ENTRY_BYTES;
pub(crate) const MAGIC: [u8; 8] = *b"SUTRATXT";
pub(crate) const VERSION: u16 = 1;
const HEADER_BYTES: usize = 32;
const TABLE_ENTRY_BYTES: usize = 24;
/// More sections than this is damage, not a later writer.
const MAX_SECTIONS: u32 = 64;

/// Section kinds of version 1.
const LENGTHS: u32 = 1;
const BLOCK_INDEX: u32 = 2;
const TERMS: u32 = 3;
const POSTINGS: u32 = 4;

/// The sections of an index, in borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sections<'a> {
    pub(crate) doc_count: u32,
    pub(crate) term_count: u32,
    pub(crate) total_length: u64,
    pub(crate) lengths: Lengths<'a>,
    /// Where the lengths begin.
    pub(crate) lengths_at: usize,
    pub(crate) block_index: &'a [u8],
    pub(crate) terms: &'a [u8],
    pub(crate) postings: &'a [u8],
}

impl<'a> Sections<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let too_short = |expected| FormatError::TooShort { expected, found: bytes.len() as u64 };
        let header = bytes.get(..HEADER_BYTES).ok_or(too_short(HEADER_BYTES as u64))?;
        if header[..8] != MAGIC {
            return Err(FormatError::Magic);
        }
        let found = u16::from_le_bytes([header[8], header[9]]);
        if found != VERSION {
            return Err(FormatError::Version { expected: VERSION, found });
        }
        let width = header[10];
        if header[11] != 0 {
            return Err(FormatError::Corrupt { what: "reserved byte is not 0" });
        }
        let section_count = u32_at(header, 12);
        if section_count > MAX_SECTIONS {
            return Err(FormatError::Corrupt { what: "too many sections" });
        }
        let table_end = HEADER_BYTES + section_count as usize * TABLE_ENTRY_BYTES;
        let table = bytes.get(HEADER_BYTES..table_end).ok_or(too_short(table_end as u64))?;
        let mut found: [Option<&[u8]>; 4] = [None; 4];
        let mut end = table_end as u64;
        let mut lengths_at = 0;
        for entry in table.chunks_exact(TABLE_ENTRY_BYTES) {
            let (kind, offset, size) = (u32_at(entry, 0), u64_at(entry, 8), u64_at(entry, 16));
            let section = FormatError::Section { kind };
            // Sections follow one another without gaps: a byte belongs to exactly one of them.
            if offset != end {
                return Err(section);
            }
            end = offset.checked_add(size).ok_or(section)?;
            let in_bounds = bytes.get(offset as usize..end as usize).ok_or(section)?;
            if kind == LENGTHS {
                lengths_at = offset as usize;
            }
            // Kinds that this version does not know are skipped.
            if let Some(place) = kind.checked_sub(1).and_then(|at| found.get_mut(at as usize))
                && place.replace(in_bounds).is_some()
            {
                return Err(section);
            }
        }
        if end != bytes.len() as u64 {
            return Err(FormatError::Corrupt { what: "bytes after the last section" });
        }
        let section = |kind: u32| found[kind as usize - 1].ok_or(FormatError::Section { kind });
        let doc_count = u32_at(header, 16);
        Ok(Self {
            doc_count,
            term_count: u32_at(header, 20),
            total_length: u64_at(header, 24),
            lengths: Lengths::new(section(LENGTHS)?, width, doc_count)
                .ok_or(FormatError::Section { kind: LENGTHS })?,
            lengths_at,
            block_index: section(BLOCK_INDEX)?,
            terms: section(TERMS)?,
            postings: section(POSTINGS)?,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// The exact document lengths, one, two or four bytes each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lengths<'a> {
    Bytes(&'a [u8]),
    Words(&'a [[u8; 2]]),
    Long(&'a [[u8; 4]]),
}

impl<'a> Lengths<'a> {
    fn new(bytes: &'a [u8], width: u8, doc_count: u32) -> Option<Self> {
        let fits = bytes.len() as u64 == u64::from(width) * u64::from(doc_count);
        match width {
            1 if fits => Some(Self::Bytes(bytes)),
            2 if fits => Some(Self::Words(bytes.as_chunks().0)),
            4 if fits => Some(Self::Long(bytes.as_chunks().0)),
            _ => None,
        }
    }

    /// A document's length; 0 beyond the last document.
    #[inline]
    pub(crate) fn get(&self, ordinal: u32) -> u32 {
        let at = ordinal as usize;
        match self {
            Self::Bytes(bytes) => bytes.get(at).copied().map_or(0, u32::from),
            Self::Words(words) => words.get(at).map_or(0, |&word| u16::from_le_bytes(word).into()),
            Self::Long(longs) => longs.get(at).map_or(0, |&long| u32::from_le_bytes(long)),
        }
    }
}

impl Lengths<'_> {
    /// Where a document's length lies among the lengths.
    pub(crate) fn place(&self, ordinal: u32) -> std::ops::Range<usize> {
        let width = match self {
            Self::Bytes(_) => 1,
            Self::Words(_) => 2,
            Self::Long(_) => 4,
        };
        let start = ordinal as usize * width;
        start..start + width
    }
}

/// Puts an index together from its finished parts.
pub(crate) fn assemble(
    lengths: &[u32],
    dictionary: &DictionaryWriter,
    postings: &[u8],
) -> Result<Vec<u8>, BuildError> {
    if u32::try_from(dictionary.blocks.len()).is_err() {
        return Err(BuildError::TooLarge { what: "dictionary" });
    }
    let width = match lengths.iter().copied().max().unwrap_or(0) {
        0..=0xff => 1u8,
        0x100..=0xffff => 2,
        _ => 4,
    };
    let sections = [
        (LENGTHS, lengths.len() * usize::from(width)),
        (BLOCK_INDEX, dictionary.index.len()),
        (TERMS, dictionary.blocks.len()),
        (POSTINGS, postings.len()),
    ];
    let table_end = HEADER_BYTES + sections.len() * TABLE_ENTRY_BYTES;
    let size = table_end + sections.iter().map(|section| section.1).sum::<usize>();
    let total_length: u64 = lengths.iter().map(|&length| u64::from(length)).sum();

    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[width, 0]);
    out.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    out.extend_from_slice(&(lengths.len() as u32).to_le_bytes());
    out.extend_from_slice(&dictionary.term_count.to_le_bytes());
    out.extend_from_slice(&total_length.to_le_bytes());
    let mut offset = table_end as u64;
    for (kind, size) in sections {
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&(size as u64).to_le_bytes());
        offset += size as u64;
    }
    match width {
        1 => out.extend(lengths.iter().map(|&length| length as u8)),
        2 => lengths.iter().for_each(|&l| out.extend_from_slice(&(l as u16).to_le_bytes())),
        _ => lengths.iter().for_each(|&l| out.extend_from_slice(&l.to_le_bytes())),
    }
    out.extend_from_slice(&dictionary.index);
    out.extend_from_slice(&dictionary.blocks);
    out.extend_from_slice(postings);
    Ok(out)
}
