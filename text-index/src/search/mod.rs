//! Search: exact top-k over one index, and the explanation of one document's score.
//!
//! Invariant: the score of a hit is the f32 sum of its terms' scores in the order of the query,
//! whatever was skipped on the way; skipping rests on upper bounds that are widened past any rounding.

mod cursor;
mod explain;
mod top_k;

use roaring::RoaringBitmap;

pub use self::explain::{Explanation, TermShare};

use self::cursor::{Buffers, Cursor};
use self::top_k::TopK;
use crate::bm25::{Bm25, LengthNorm, term_score};
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
/// A term that is given twice counts twice, as in bm25s.
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
    candidates: Vec<u32>,
}

/// Bounds are widened by this factor: a sum of n products in f32 is within n + 3 roundings of
/// 2⁻²⁴ each, far inside it for the few thousand terms that a query can have.
const WIDEN: f32 = 1.001;

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
        if options.k == 0 || terms.is_empty() {
            return Vec::new();
        }
        let mut query = Query {
            view: self,
            options,
            norm: options.bm25.norm(options.average_length),
            cursors: Vec::with_capacity(terms.len()),
            sum: Vec::with_capacity(terms.len()),
            top: TopK::new(options.k),
        };
        let complete = query.open(terms, scratch);
        if complete || options.operator == Operator::Or {
            query.run(&mut scratch.candidates);
        }
        scratch.buffers.extend(query.cursors.into_iter().map(|cursor| cursor.buffers));
        query.top.into_sorted()
    }
}

/// A search under way.
struct Query<'q, 'a> {
    view: &'q TextView<'a>,
    options: &'q SearchOptions<'q>,
    norm: LengthNorm,
    /// One a distinct term of the index, by falling bound.
    cursors: Vec<Cursor<'a>>,
    /// The query's terms in order: cursor and weight.
    sum: Vec<(usize, f32)>,
    top: TopK,
}

impl Query<'_, '_> {
    /// Opens a cursor a distinct term; whether the index has all of them.
    fn open(&mut self, terms: &[QueryTerm], scratch: &mut SearchScratch) -> bool {
        let mut complete = true;
        for (at, term) in terms.iter().enumerate() {
            let weight = term.weight();
            let earlier = terms[..at].iter().position(|other| other.term == term.term);
            if let Some(cursor) = self.cursors.iter_mut().find(|c| Some(c.term) == earlier) {
                cursor.weight += weight;
                self.sum.push((cursor.term, weight));
                continue;
            }
            match self.view.find(&term.term) {
                Some(list) if list.df() > 0 => {
                    let buffers = scratch.buffers.pop().unwrap_or_default();
                    self.cursors.push(Cursor::new(at, list, weight, buffers));
                    self.sum.push((at, weight));
                }
                _ => complete = false,
            }
        }
        for cursor in &mut self.cursors {
            cursor.start(self.norm, self.view.lengths());
        }
        self.cursors.sort_by(|a, b| b.bound.total_cmp(&a.bound).then(a.term.cmp(&b.term)));
        for (place, _) in &mut self.sum {
            let term = *place;
            *place = self
                .cursors
                .iter()
                .position(|cursor| cursor.term == term)
                .expect("a term is summed only once it has a cursor");
        }
        complete
    }

    /// Goes through the documents in windows that lie within one block of every list.
    fn run(&mut self, candidates: &mut Vec<u32>) {
        let mut low = 0;
        loop {
            let mut high = u32::MAX;
            let mut total = 0.0;
            let mut live = 0;
            for cursor in &mut self.cursors {
                if cursor.advance(low, self.norm) {
                    high = high.min(cursor.last);
                    total += cursor.bound;
                    live += 1;
                }
            }
            let enough = match self.options.operator {
                Operator::Or => live > 0,
                Operator::And => live == self.cursors.len(),
            };
            if !enough {
                return;
            }
            if self.top.may_enter(total * WIDEN) {
                candidates.clear();
                match self.options.operator {
                    Operator::Or => self.gather_any(low, high, candidates),
                    Operator::And => self.gather_all(low, high, candidates),
                }
                for &ordinal in &*candidates {
                    self.offer(ordinal);
                }
            }
            if high == u32::MAX {
                return;
            }
            low = high + 1;
        }
    }

    /// Documents of the window that may reach the top: those whose score in one of the lists that
    /// matter, with the bounds of all other lists, does.
    fn gather_any(&mut self, low: u32, high: u32, candidates: &mut Vec<u32>) {
        let mut gathered = 0;
        for at in 0..self.cursors.len() {
            let rest: f32 = self.cursors[at..].iter().map(Cursor::live_bound).sum();
            if !self.top.may_enter(rest * WIDEN) {
                // What occurs only in this list and those after it cannot reach the top.
                break;
            }
            if self.cursors[at].is_exhausted() {
                continue;
            }
            let others: f32 = self
                .cursors
                .iter()
                .enumerate()
                .filter(|&(other, _)| other != at)
                .map(|(_, cursor)| cursor.live_bound())
                .sum();
            let cursor = &mut self.cursors[at];
            let window = cursor.score_window(low, high, self.norm, self.view.lengths());
            let before = candidates.len();
            for (&ordinal, &score) in window.0.iter().zip(window.1) {
                if self.top.may_enter((score + others) * WIDEN) {
                    candidates.push(ordinal);
                }
            }
            gathered += usize::from(candidates.len() > before);
        }
        if gathered > 1 {
            candidates.sort_unstable();
            candidates.dedup();
        }
    }

    /// Documents of the window that every list contains.
    fn gather_all(&mut self, low: u32, high: u32, candidates: &mut Vec<u32>) {
        let Some((shortest, _)) =
            self.cursors.iter().enumerate().min_by_key(|(_, cursor)| cursor.df())
        else {
            return;
        };
        candidates.extend_from_slice(self.cursors[shortest].window(low, high));
        for (at, cursor) in self.cursors.iter_mut().enumerate() {
            if candidates.is_empty() {
                return;
            }
            if at != shortest {
                candidates.retain(|&ordinal| cursor.find(ordinal));
                cursor.rewind();
            }
        }
    }

    /// Scores a document exactly and gives it to the top, unless its bound falls short first.
    fn offer(&mut self, ordinal: u32) {
        let norm = self.norm.of(self.view.doc_length(ordinal));
        let mut partial = 0.0;
        for at in 0..self.cursors.len() {
            let rest: f32 = self.cursors[at..].iter().map(Cursor::live_bound).sum();
            if !self.top.may_enter((partial + rest) * WIDEN) {
                return;
            }
            let cursor = &mut self.cursors[at];
            cursor.tf = 0;
            if !cursor.is_exhausted() && cursor.find(ordinal) {
                cursor.tf = cursor.tf_found();
                partial += term_score(cursor.weight, cursor.tf, norm);
            }
        }
        let mut score = 0.0;
        for &(cursor, weight) in &self.sum {
            let tf = self.cursors[cursor].tf;
            if tf > 0 {
                score += term_score(weight, tf, norm);
            }
        }
        if self.top.may_enter(score)
            && ordinal < self.view.doc_count()
            && self.options.admits(ordinal)
        {
            self.top.push(TextHit { ordinal, score });
        }
    }
}
