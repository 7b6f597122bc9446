//! Search: exact top-k over one index, and the explanation of one document's score.
//!
//! Invariant: the score of a hit is the f32 sum of its distinct terms' scores in the order of
//! the query, whatever was skipped on the way.

mod cursor;
mod explain;
mod query;
mod top_k;

use std::ops::Range;

use roaring::RoaringBitmap;

pub use self::explain::{Explanation, TermShare};

use self::cursor::Buffers;
use self::query::Query;
use crate::bm25::Bm25;
use crate::view::TextView;

/// How the terms of a query combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operator {
    /// A document that contains any term is a hit.
    #[default]
    Or,
    /// A document must contain every term.
    And,
}

/// A term of a query with its weight over the whole collection.
///
/// A term that is given twice counts twice, as in bm25s: its weights are added up, and it takes its
/// first place in the order of terms.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTerm {
    /// The term, as the analyzer emits it.
    pub term: String,
    /// Its weight, mostly [`Bm25::idf`]; finite and at least 0, other values count as 0.
    pub idf: f32,
}

impl QueryTerm {
    pub(crate) fn weight(&self) -> f32 {
        if self.idf.is_finite() { self.idf.max(0.0) } else { 0.0 }
    }
}

/// A document found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextHit {
    /// The document.
    pub ordinal: u32,
    /// Its BM25 score; larger is better.
    pub score: f32,
}

/// What a search asks beside its terms.
#[derive(Debug, Clone, Copy)]
pub struct SearchOptions<'a> {
    /// Mean document length of the collection, in terms
    /// ([`CollectionStats::average_length`](crate::CollectionStats::average_length)).
    pub average_length: f32,
    /// Parameters of the formula.
    pub bm25: Bm25,
    /// How terms combine.
    pub operator: Operator,
    /// Hits wanted.
    pub k: usize,
    /// Documents never returned.
    pub deleted: Option<&'a RoaringBitmap>,
    /// The only documents that may be returned, if given.
    pub allowed: Option<&'a RoaringBitmap>,
}

impl SearchOptions<'_> {
    fn admits(&self, ordinal: u32) -> bool {
        self.deleted.is_none_or(|deleted| !deleted.contains(ordinal))
            && self.allowed.is_none_or(|allowed| allowed.contains(ordinal))
    }
}

/// Buffers that searches can share to save their allocation. One a thread; any query, any index.
#[derive(Default)]
pub struct SearchScratch {
    #[expect(clippy::vec_box, reason = "a cursor is moved while it is sorted; its buffers stay")]
    buffers: Vec<Box<Buffers>>,
    window: Window,
}

/// The documents of one window and what the required lists say of them.
#[derive(Default)]
struct Window {
    /// Sum of the scores so far, by ordinal from the window's first; all 0 between windows.
    sums: Vec<f32>,
    /// Postings of the required lists, one list after the other, with their scores.
    ordinals: Vec<u32>,
    scores: Vec<f32>,
    /// Each list's share of these.
    segments: Vec<Range<usize>>,
    /// Documents that may enter, with their sums.
    candidates: Vec<(u32, f32)>,
}

impl Window {
    fn open(&mut self, size: usize, lists: usize) {
        if self.sums.len() < size {
            self.sums.resize(size, 0.0);
        }
        self.segments.clear();
        self.segments.resize(lists, 0..0);
    }
}

impl TextView<'_> {
    /// Returns the `k` best documents, best first; equal scores sort by ordinal.
    ///
    /// The result is exactly that of scoring every document. Scores need the weights and the average
    /// length of the whole collection; given those, results of several parts merge by (score,
    /// ordinal) into what one index over all would return.
    ///
    /// Over damaged bytes the result may lack hits; it holds ordinals below
    /// [`TextView::doc_count`] only.
    ///
    /// # Complexity
    ///
    /// Linear in the postings of the terms at worst; blocks that cannot reach the `k`-th best score
    /// are not decoded.
    #[must_use]
    pub fn search(
        &self,
        terms: &[QueryTerm],
        options: &SearchOptions<'_>,
        scratch: &mut SearchScratch,
    ) -> Vec<TextHit> {
        if options.k == 0 {
            return Vec::new();
        }
        let mut query = Query::open(self, terms, options, scratch);
        query.run(&mut scratch.window);
        query.close(scratch)
    }
}
