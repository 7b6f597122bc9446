//! [`TextView`]: an encoded index in borrowed bytes, and the questions it answers directly.
//!
//! Invariant: the bytes are untrusted. Every offset is checked where it is used; a damaged list or
//! dictionary block reads as empty, and [`TextView::verify`] says whether anything is damaged.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::bm25::CollectionStats;
use crate::dictionary::{Dictionary, DictionaryCursor, Entry};
use crate::error::FormatError;
use crate::layout::{Lengths, Sections};
use crate::posting::{List, Postings};

/// A text index over borrowed bytes, such as a memory map.
///
/// `Copy`, and cheap to make: parsing looks at the header only.
#[derive(Debug, Clone, Copy)]
pub struct TextView<'a> {
    doc_count: u32,
    total_length: u64,
    lengths: Lengths<'a>,
    lengths_at: usize,
    dictionary: Dictionary<'a>,
    postings: &'a [u8],
}

impl<'a> TextView<'a> {
    /// [`TextView::parse`] reads at most this many bytes from the start of an index.
    pub const PARSED_BYTES: usize = crate::layout::PARSED_BYTES;

    /// Reads the header of an index.
    ///
    /// # Errors
    ///
    /// A [`FormatError`] when the bytes are not a text index of this version, or are cut short.
    /// Damage inside a section is not looked for: see [`TextView::verify`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let sections = Sections::parse(bytes)?;
        let dictionary = Dictionary::new(sections.terms, sections.block_index, sections.term_count)
            .ok_or(FormatError::Corrupt { what: "dictionary does not hold its terms" })?;
        Ok(Self {
            doc_count: sections.doc_count,
            total_length: sections.total_length,
            lengths: sections.lengths,
            lengths_at: sections.lengths_at,
            dictionary,
            postings: sections.postings,
        })
    }

    /// Documents, those without terms included.
    #[must_use]
    pub fn doc_count(&self) -> u32 {
        self.doc_count
    }

    /// Sum of all documents' lengths, in terms.
    #[must_use]
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// Length of a document in terms; 0 for an ordinal beyond the last.
    #[inline]
    #[must_use]
    pub fn doc_length(&self, ordinal: u32) -> u32 {
        self.lengths.get(ordinal)
    }

    /// The bytes of the index that [`TextView::doc_length`] reads, and the only ones; none for an
    /// ordinal beyond the last.
    ///
    /// For who checks bytes before their first use.
    #[must_use]
    pub fn doc_length_place(&self, ordinal: u32) -> Range<usize> {
        if ordinal >= self.doc_count {
            return 0..0;
        }
        let place = self.lengths.place(ordinal);
        self.lengths_at + place.start..self.lengths_at + place.end
    }

    /// Distinct terms.
    #[must_use]
    pub fn term_count(&self) -> u32 {
        self.dictionary.term_count()
    }

    /// Document count and total length without the documents in `deleted`.
    ///
    /// # Complexity
    ///
    /// Linear in the number of deleted documents.
    #[must_use]
    pub fn stats_excluding(&self, deleted: Option<&RoaringBitmap>) -> CollectionStats {
        let mut stats = CollectionStats {
            doc_count: u64::from(self.doc_count),
            total_length: self.total_length,
        };
        for ordinal in deleted.into_iter().flatten().take_while(|&at| at < self.doc_count) {
            stats.doc_count -= 1;
            stats.total_length =
                stats.total_length.saturating_sub(u64::from(self.doc_length(ordinal)));
        }
        stats
    }

    /// Documents that contain `term`, deleted ones included; 0 for an unknown term.
    #[must_use]
    pub fn df(&self, term: &str) -> u32 {
        self.dictionary.find(term.as_bytes()).map_or(0, |entry| entry.df)
    }

    /// Documents that contain `term` and are not in `deleted`.
    ///
    /// # Complexity
    ///
    /// A lookup where nothing is deleted; else a walk over the shorter of the posting list and
    /// `deleted`.
    #[must_use]
    pub fn df_excluding(&self, term: &str, deleted: Option<&RoaringBitmap>) -> u32 {
        let Some(entry) = self.dictionary.find(term.as_bytes()) else { return 0 };
        let Some(deleted) = deleted.filter(|deleted| !deleted.is_empty()) else { return entry.df };
        let mut postings = self.postings_at(entry);
        let mut gone = 0;
        if deleted.len() < u64::from(entry.df) / 4 {
            for ordinal in deleted {
                match postings.seek(ordinal) {
                    Some((found, _)) => {
                        gone += u32::from(found == ordinal);
                        // The seek has moved behind what it found; step back onto it.
                        postings.step_back();
                    }
                    None => break,
                }
            }
        } else {
            gone = postings.filter(|&(ordinal, _)| deleted.contains(ordinal)).count() as u32;
        }
        entry.df.saturating_sub(gone)
    }

    /// The posting list of `term`; `None` for an unknown term.
    #[must_use]
    pub fn postings(&self, term: &str) -> Option<Postings<'a>> {
        self.dictionary.find(term.as_bytes()).map(|entry| self.postings_at(entry))
    }

    /// The terms that begin with `prefix`, in rising byte order; all terms for an empty prefix.
    #[must_use]
    pub fn terms(&self, prefix: &str) -> Terms<'a> {
        Terms {
            view: *self,
            cursor: self.dictionary.seek(prefix.as_bytes()),
            prefix: prefix.to_owned(),
        }
    }

    /// Decodes everything and checks it against everything else.
    ///
    /// # Errors
    ///
    /// [`FormatError::Corrupt`] with the first rule that does not hold.
    ///
    /// # Complexity
    ///
    /// Linear in the size of the index.
    pub fn verify(&self) -> Result<(), FormatError> {
        let corrupt = |what| Err(FormatError::Corrupt { what });
        let mut lengths = vec![0u64; self.doc_count as usize];
        let mut terms = 0;
        let mut cursor = self.dictionary.seek(b"");
        let mut expected_offset = 0;
        while cursor.advance() {
            let entry = cursor.entry();
            if entry.df == 0 || entry.offset != expected_offset {
                return corrupt("dictionary entry");
            }
            expected_offset += entry.size;
            if expected_offset > self.postings.len() as u64 {
                return corrupt("posting list is out of bounds");
            }
            let mut count = 0;
            let mut previous = None;
            for (ordinal, tf) in self.postings_at(entry) {
                if previous.is_some_and(|previous| previous >= ordinal) {
                    return corrupt("ordinals of a posting list do not rise");
                }
                previous = Some(ordinal);
                lengths[ordinal as usize] += u64::from(tf);
                count += 1;
            }
            if count != entry.df {
                return corrupt("posting list is cut short");
            }
            terms += 1;
        }
        if terms != self.term_count() {
            return corrupt("dictionary is cut short");
        }
        if expected_offset != self.postings.len() as u64 {
            return corrupt("bytes after the last posting list");
        }
        let exact = (0..self.doc_count)
            .all(|ordinal| lengths[ordinal as usize] == u64::from(self.doc_length(ordinal)));
        if !exact || lengths.iter().sum::<u64>() != self.total_length {
            return corrupt("document lengths disagree with the postings");
        }
        Ok(())
    }

    pub(crate) fn lengths(&self) -> Lengths<'a> {
        self.lengths
    }

    pub(crate) fn find(&self, term: &str) -> Option<List<'a>> {
        self.dictionary.find(term.as_bytes()).map(|entry| self.list_at(entry))
    }

    pub(crate) fn cursor(&self) -> DictionaryCursor<'a> {
        self.dictionary.seek(b"")
    }

    pub(crate) fn list_at(&self, entry: Entry) -> List<'a> {
        let bytes = usize::try_from(entry.offset)
            .ok()
            .zip(usize::try_from(entry.size).ok())
            .and_then(|(offset, size)| self.postings.get(offset..offset.checked_add(size)?));
        bytes.map_or(List::new(0, &[]), |bytes| List::new(entry.df, bytes))
    }

    pub(crate) fn postings_at(&self, entry: Entry) -> Postings<'a> {
        Postings::new(self.list_at(entry), self.doc_count)
    }
}

/// Terms of a [`TextView`] with their document frequencies, in rising byte order.
///
/// Made by [`TextView::terms`]. Over damaged bytes it ends early.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    view: TextView<'a>,
    cursor: DictionaryCursor<'a>,
    prefix: String,
}

impl<'a> Terms<'a> {
    /// Moves to the next term without copying it; `false` at the end.
    pub fn advance(&mut self) -> bool {
        self.cursor.advance() && self.cursor.term().starts_with(self.prefix.as_bytes())
    }

    /// The term that [`Terms::advance`] moved to; empty before the first.
    #[must_use]
    pub fn term(&self) -> &str {
        std::str::from_utf8(self.cursor.term()).unwrap_or_default()
    }

    /// Documents that contain the current term, deleted ones included.
    #[must_use]
    pub fn df(&self) -> u32 {
        self.cursor.entry().df
    }

    /// The posting list of the current term.
    #[must_use]
    pub fn postings(&self) -> Postings<'a> {
        self.view.postings_at(self.cursor.entry())
    }
}

impl Iterator for Terms<'_> {
    type Item = (String, u32);

    fn next(&mut self) -> Option<(String, u32)> {
        self.advance().then(|| (self.term().to_owned(), self.df()))
    }
}
