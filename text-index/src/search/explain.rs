//! Explanations: what each term of a query adds to one document's score.
//!
//! Invariant: the shares, added in order, are bit for bit the score that search returns.

use super::QueryTerm;
use super::query::distinct;
use crate::bm25::{Bm25, term_score};
use crate::view::TextView;

/// One document's score, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The document.
    pub ordinal: u32,
    /// Its length in terms.
    pub length: u32,
    /// The sum of the shares.
    pub score: f32,
    /// One a distinct term of the query, in the order of their first places.
    pub shares: Vec<TermShare>,
}

/// What one term of the query adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermShare {
    /// Index of the term in the query, where it stands first.
    pub term: usize,
    /// The weight that the query gave it, added up if it stands there more than once.
    pub idf: f32,
    /// How often the document has it.
    pub tf: u32,
    /// What it adds to the score; 0 when the document does not have it.
    pub score: f32,
}

impl TextView<'_> {
    /// Takes apart the score that a document has for a query, matching or not, deleted or not.
    #[must_use]
    pub fn explain(
        &self,
        ordinal: u32,
        terms: &[QueryTerm],
        average_length: f32,
        bm25: &Bm25,
    ) -> Explanation {
        let length = self.doc_length(ordinal);
        let norm = bm25.norm(average_length).of(length);
        let mut explanation =
            Explanation { ordinal, length, score: 0.0, shares: Vec::with_capacity(terms.len()) };
        for (term, name, idf) in distinct(terms) {
            let tf = self
                .postings(name)
                .and_then(|mut postings| postings.seek(ordinal))
                .map_or(0, |(found, tf)| if found == ordinal { tf } else { 0 });
            let score = if tf == 0 { 0.0 } else { term_score(idf, tf, norm) };
            explanation.score += score;
            explanation.shares.push(TermShare { term, idf, tf, score });
        }
        explanation
    }
}
