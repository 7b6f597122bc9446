//! The bytes of a word index: refused, or answered within bounds.

use roaring::RoaringBitmap;
use text_index::{
    Analyzer, Bm25, Operator, QueryTerm, SearchOptions, SearchScratch, TextBuilder, TextView, merge,
};

/// Sound indexes: empty, small, and with lists of several blocks.
///
/// # Panics
///
/// When a sound index is not taken as one.
#[must_use]
pub fn text_seeds() -> Vec<Vec<u8>> {
    let seeds: Vec<Vec<u8>> = [0, 3, 40, 300].into_iter().map(index).collect();
    for bytes in &seeds {
        let view = TextView::parse(bytes).expect("just built");
        view.verify().expect("just built");
    }
    seeds
}

fn index(documents: u32) -> Vec<u8> {
    let mut builder = TextBuilder::new();
    for document in 0..documents {
        let words = (0..=document % 5).map(|at| format!("w{}", document * (at + 1) % 40));
        let text = words.collect::<Vec<_>>().join(" ");
        builder.add(document, &text, &Analyzer::simple()).expect("a short text");
    }
    builder.finish(documents).expect("few documents")
}

/// Asks an index of these bytes everything.
///
/// # Panics
///
/// When something is found.
pub fn read_text(bytes: &[u8]) {
    let Ok(view) = TextView::parse(bytes) else { return };
    let sound = view.verify().is_ok();
    let deleted: RoaringBitmap = (0..40).step_by(3).collect();
    assert!(view.stats_excluding(Some(&deleted)).doc_count <= view.doc_count().into());
    let (mut terms, mut query) = (view.terms(""), Vec::new());
    while query.len() < 60 && terms.advance() {
        assert!(!terms.term().is_empty());
        let mut postings = terms.postings();
        postings.seek(17);
        assert!(postings.take(5000).all(|(ordinal, tf)| ordinal < view.doc_count() && tf > 0));
        let term = terms.term().to_owned();
        assert!(view.df_excluding(&term, Some(&deleted)) <= view.df(&term));
        query.push(QueryTerm { term, idf: 1.5 });
    }
    query.extend(["w1", "w5"].map(|term| QueryTerm { term: term.to_owned(), idf: 0.5 }));
    for operator in [Operator::Or, Operator::And] {
        for terms in [&query[..1], &query[query.len() - 2..], &query] {
            search(&view, terms, operator, &deleted, sound);
        }
    }
    let map: Vec<u32> = (0..view.doc_count()).collect();
    match merge(&[(view, &map)], view.doc_count()) {
        Ok(merged) => {
            let merged = TextView::parse(&merged).and_then(|view| view.verify());
            assert!(!sound || merged.is_ok(), "{merged:?}");
        }
        Err(error) => assert!(!sound, "{error}"),
    }
}

fn search(
    view: &TextView<'_>,
    terms: &[QueryTerm],
    operator: Operator,
    deleted: &RoaringBitmap,
    sound: bool,
) {
    let options = SearchOptions {
        average_length: 3.0,
        bm25: Bm25::default(),
        operator,
        k: 10,
        deleted: Some(deleted),
        allowed: None,
    };
    let hits = view.search(terms, &options, &mut SearchScratch::default());
    assert!(hits.len() <= 10);
    for hit in hits {
        assert!(hit.ordinal < view.doc_count());
        let why = view.explain(hit.ordinal, terms, options.average_length, &options.bm25);
        assert!(why.score.is_finite());
        assert!(!sound || why.score.to_bits() == hit.score.to_bits(), "{why:?}");
    }
}
