//! [`TextBuilder`]: documents in, one encoded index out.
//!
//! Invariant: the bytes depend only on each document's terms and ordinal, not on the order in which
//! terms appear, so that merging indexes gives what building them together would have given.

use crate::analysis::Analyzer;
use crate::dictionary::DictionaryWriter;
use crate::error::BuildError;
use crate::interner::Interner;
use crate::layout;
use crate::posting::ListWriter;

/// Collects documents and encodes them as one text index.
///
/// ```
/// use text_index::{Analyzer, TextBuilder, TextView};
///
/// let analyzer = Analyzer::english();
/// let mut builder = TextBuilder::new();
/// builder.add(0, "Plants turn sunlight into energy.", &analyzer)?;
/// builder.add(2, "A plant is a living thing.", &analyzer)?;
/// let bytes = builder.finish(3)?;
///
/// let view = TextView::parse(&bytes)?;
/// assert_eq!(view.df("plant"), 2);
/// assert_eq!(view.doc_length(1), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TextBuilder {
    interner: Interner,
    /// Postings in document order: (term number, tf).
    log: Vec<(u32, u32)>,
    /// Per document added: its ordinal, its length, and where its postings end in the log.
    docs: Vec<Document>,
}

struct Document {
    ordinal: u32,
    length: u32,
    log_end: usize,
}

impl Default for TextBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TextBuilder {
    /// A builder without documents.
    #[must_use]
    pub fn new() -> Self {
        Self { interner: Interner::new(), log: Vec::with_capacity(32), docs: Vec::new() }
    }

    /// Analyses `text` as the document `ordinal`.
    ///
    /// An empty text is a document of length 0. Ordinals may leave gaps; what is in a gap has length
    /// 0 as well.
    ///
    /// # Errors
    ///
    /// [`BuildError::OrdinalOrder`] when `ordinal` is not above the one before, and
    /// [`BuildError::TooLarge`] past 2³² postings or 4 GiB of distinct terms. After the latter the
    /// builder must be dropped.
    pub fn add(&mut self, ordinal: u32, text: &str, analyzer: &Analyzer) -> Result<(), BuildError> {
        if let Some(previous) = self.docs.last().map(|doc| doc.ordinal)
            && previous >= ordinal
        {
            return Err(BuildError::OrdinalOrder { previous, ordinal });
        }
        let doc = self.docs.len() as u32;
        let mut length = 0u32;
        let mut failure = None;
        let Self { interner, log, .. } = self;
        analyzer.analyze(text, |term, _| {
            length = length.saturating_add(1);
            match interner.intern(term.as_bytes()) {
                Ok(number) => {
                    let term = &mut interner.terms[number as usize];
                    if term.last_doc == doc {
                        let tf = &mut log[term.last_posting as usize].1;
                        *tf = tf.saturating_add(1);
                    } else {
                        term.last_doc = doc;
                        term.last_posting = log.len() as u32;
                        term.df += 1;
                        log.push((number, 1));
                    }
                }
                Err(error) => failure = Some(error),
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if u32::try_from(self.log.len()).is_err() {
            return Err(BuildError::TooLarge { what: "postings" });
        }
        self.docs.push(Document { ordinal, length, log_end: self.log.len() });
        Ok(())
    }

    /// Documents added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.docs.len()
    }

    /// Whether no document was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.docs.is_empty()
    }

    /// Encodes an index of `doc_count` documents, the ordinals `0..doc_count`.
    ///
    /// # Errors
    ///
    /// [`BuildError::DocCount`] when an ordinal added is not below `doc_count`, and
    /// [`BuildError::TooLarge`] for a dictionary over 4 GiB.
    pub fn finish(self, doc_count: u32) -> Result<Vec<u8>, BuildError> {
        let Self { interner, log, docs } = self;
        if let Some(ordinal) = docs.last().map(|doc| doc.ordinal)
            && ordinal >= doc_count
        {
            return Err(BuildError::DocCount { doc_count, ordinal });
        }
        let mut lengths = vec![0; doc_count as usize];
        for doc in &docs {
            lengths[doc.ordinal as usize] = doc.length;
        }
        let sorted = interner.sorted();

        // A counting sort brings the log into term order; documents stay in order within a term.
        let mut ends = vec![0usize; interner.terms.len()];
        let mut end = 0;
        for &term in &sorted {
            ends[term as usize] = end;
            end += interner.terms[term as usize].df as usize;
        }
        let mut ordinals = vec![0u32; log.len()];
        let mut tfs = vec![0u32; log.len()];
        let mut at = 0;
        for doc in &docs {
            for &(term, tf) in &log[at..doc.log_end] {
                let place = &mut ends[term as usize];
                ordinals[*place] = doc.ordinal;
                tfs[*place] = tf;
                *place += 1;
            }
            at = doc.log_end;
        }
        drop(log);

        let mut dictionary = DictionaryWriter::default();
        let mut postings = Vec::with_capacity(ordinals.len() * 2);
        let mut writer = ListWriter::new();
        let mut start = 0;
        for term in sorted {
            let df = interner.terms[term as usize].df;
            let range = start..start + df as usize;
            start = range.end;
            let before = postings.len();
            writer.write(&mut postings, &ordinals[range.clone()], &tfs[range], |ordinal| {
                lengths[ordinal as usize]
            });
            dictionary.push(interner.bytes_of(term), df, (postings.len() - before) as u64);
        }
        layout::assemble(&lengths, &dictionary, &postings)
    }
}
