//! Merging: several indexes and their surviving documents into one, without the texts.
//!
//! Invariant: the result is byte for byte what a [`TextBuilder`](crate::TextBuilder) makes of the
//! surviving documents.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::dictionary::{DictionaryCursor, DictionaryWriter};
use crate::error::{FormatError, MergeError};
use crate::layout;
use crate::posting::ListWriter;
use crate::view::TextView;

/// In an ordinal map: the document is dropped.
pub const DROPPED: u32 = u32::MAX;

/// Merges `parts` into one encoded index of `doc_count` documents.
///
/// Each part comes with a map from its ordinals to those of the result, [`u32::MAX`] for a document
/// that is dropped. The new ordinals of several parts may interleave, and those of one part may be in
/// any order; those that nothing maps to are documents of length 0.
///
/// ```
/// use text_index::{Analyzer, TextBuilder, TextView, merge};
///
/// let index = |text: &str| {
///     let mut builder = TextBuilder::new();
///     builder.add(0, text, &Analyzer::english())?;
///     builder.finish(1)
/// };
/// let (old, new) = (index("a red fish")?, index("a blue fish")?);
/// let parts = [TextView::parse(&old)?, TextView::parse(&new)?];
/// let merged = merge(&[(parts[0], &[u32::MAX]), (parts[1], &[0])], 1)?;
/// assert_eq!(merged, new);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// A [`MergeError`] when a map does not fit its part or the result, when two documents are sent to
/// one ordinal, or when a part is damaged.
///
/// # Complexity
///
/// Linear in the parts' postings, and in their terms times the logarithm of the number of parts.
pub fn merge(parts: &[(TextView<'_>, &[u32])], doc_count: u32) -> Result<Vec<u8>, MergeError> {
    let lengths = merged_lengths(parts, doc_count)?;
    let mut queue: BinaryHeap<Head<'_>> = BinaryHeap::with_capacity(parts.len());
    for (part, (view, _)) in parts.iter().enumerate() {
        push_next(&mut queue, Head { part, cursor: view.cursor() })?;
    }
    let mut dictionary = DictionaryWriter::default();
    let mut postings = Vec::new();
    let mut writer = ListWriter::new();
    let mut merged = MergedList::default();
    let mut term = Vec::new();
    while let Some(head) = queue.pop() {
        term.clear();
        term.extend_from_slice(head.cursor.term());
        merged.clear();
        let mut next = Some(head);
        while let Some(head) = next {
            let (view, map) = &parts[head.part];
            merged.extend(head.part, view, map, &head.cursor)?;
            push_next(&mut queue, head)?;
            next = match queue.peek() {
                Some(head) if head.cursor.term() == term => queue.pop(),
                _ => None,
            };
        }
        merged.sort();
        if !merged.ordinals.is_empty() {
            let before = postings.len();
            writer.write(&mut postings, &merged.ordinals, &merged.tfs, |ordinal| {
                lengths[ordinal as usize]
            });
            let size = (postings.len() - before) as u64;
            dictionary.push(&term, merged.ordinals.len() as u32, size);
        }
    }
    Ok(layout::assemble(&lengths, &dictionary, &postings)?)
}

/// Checks the maps and carries the document lengths over.
fn merged_lengths(
    parts: &[(TextView<'_>, &[u32])],
    doc_count: u32,
) -> Result<Vec<u32>, MergeError> {
    let mut lengths = vec![0; doc_count as usize];
    let mut taken = vec![false; doc_count as usize];
    for (part, (view, map)) in parts.iter().enumerate() {
        if map.len() != view.doc_count() as usize {
            return Err(MergeError::MapLength {
                part,
                expected: view.doc_count(),
                found: map.len(),
            });
        }
        for (old, &ordinal) in map.iter().enumerate().filter(|(_, new)| **new != DROPPED) {
            let place = lengths.get_mut(ordinal as usize).ok_or(MergeError::OrdinalRange {
                part,
                ordinal,
                doc_count,
            })?;
            if std::mem::replace(&mut taken[ordinal as usize], true) {
                return Err(MergeError::DuplicateOrdinal { part, ordinal });
            }
            *place = view.doc_length(old as u32);
        }
    }
    Ok(lengths)
}

/// A part's cursor on its current term; the heap's greatest has the least term.
struct Head<'a> {
    part: usize,
    cursor: DictionaryCursor<'a>,
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.cursor.term().cmp(self.cursor.term()).then(other.part.cmp(&self.part))
    }
}

/// Moves a part to its next term and puts it back, unless it has none.
fn push_next<'a>(queue: &mut BinaryHeap<Head<'a>>, mut head: Head<'a>) -> Result<(), MergeError> {
    if head.cursor.advance() {
        queue.push(head);
    } else if head.cursor.is_damaged() {
        let source = FormatError::Corrupt { what: "dictionary" };
        return Err(MergeError::Format { part: head.part, source });
    }
    Ok(())
}

/// The surviving postings of one term.
#[derive(Default)]
struct MergedList {
    ordinals: Vec<u32>,
    tfs: Vec<u32>,
}

impl MergedList {
    fn clear(&mut self) {
        self.ordinals.clear();
        self.tfs.clear();
    }

    fn extend(
        &mut self,
        part: usize,
        view: &TextView<'_>,
        map: &[u32],
        cursor: &DictionaryCursor<'_>,
    ) -> Result<(), MergeError> {
        let entry = cursor.entry();
        let mut count = 0;
        let mut next = 0;
        for (old, tf) in view.postings_at(entry) {
            if u64::from(old) < next {
                break;
            }
            next = u64::from(old) + 1;
            count += 1;
            let ordinal = map[old as usize];
            if ordinal != DROPPED {
                self.ordinals.push(ordinal);
                self.tfs.push(tf);
            }
        }
        if count == entry.df {
            return Ok(());
        }
        let source = FormatError::Corrupt { what: "posting list" };
        Err(MergeError::Format { part, source })
    }

    /// Brings the postings into the order of their ordinals, where the parts interleave.
    fn sort(&mut self) {
        if self.ordinals.is_sorted() {
            return;
        }
        let mut pairs: Vec<(u32, u32)> =
            self.ordinals.iter().copied().zip(self.tfs.iter().copied()).collect();
        // Runs from the parts are sorted already, which the stable sort exploits.
        pairs.sort_by_key(|pair| pair.0);
        self.clear();
        self.ordinals.extend(pairs.iter().map(|pair| pair.0));
        self.tfs.extend(pairs.iter().map(|pair| pair.1));
    }
}
