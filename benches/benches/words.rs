//! The word index of the slice: searches for any and for all of some words, and its building.
//!
//! Invariant: before a search is timed, its scores are compared with BM25 by its formula, in `f64`.

use std::collections::HashMap;
use std::hint::black_box;

use benches::{Random, WordNet, size};
use criterion::Criterion;
use text_index::{
    Analyzer, Bm25, Operator, QueryTerm, SearchOptions, SearchScratch, TextBuilder, TextHit,
    TextView,
};

/// Queries that the searches take in turn.
const PICKS: usize = 256;
const K: usize = 10;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let texts = WordNet::slice(size(usize::MAX, 400)).expect("the repository carries it").texts;
    let analyzer = Analyzer::english();
    let build = || {
        let mut builder = TextBuilder::new();
        for (ordinal, text) in (0..).zip(&texts) {
            builder.add(ordinal, text, &analyzer).expect("the ordinals ascend");
        }
        builder.finish(texts.len() as u32).expect("no ordinal is beyond")
    };
    let bytes = build();
    let view = TextView::parse(&bytes).expect("it was just built");
    let average_length = view.stats_excluding(None).average_length();
    let options = |operator| SearchOptions {
        average_length,
        bm25: Bm25::default(),
        operator,
        k: K,
        deleted: None,
        allowed: None,
    };

    let mut random = Random(13);
    let mut query = |words: usize| -> Vec<QueryTerm> {
        // Words of one text, so that a search for all of them finds something.
        let mut terms = analyzer.terms(&texts[random.below(texts.len())]);
        terms.sort_unstable();
        terms.dedup();
        while terms.len() > words {
            terms.swap_remove(random.below(terms.len()));
        }
        let idf = |term: &str| Bm25::idf(texts.len() as u64, view.df(term).into());
        terms.into_iter().map(|term| QueryTerm { idf: idf(&term), term }).collect()
    };
    let any: Vec<Vec<QueryTerm>> = (0..PICKS).map(|_| query(3)).collect();
    let all: Vec<Vec<QueryTerm>> = (0..PICKS).map(|_| query(2)).collect();

    let oracle = Oracle::new(&texts, analyzer);
    let mut scratch = SearchScratch::default();
    for (queries, operator) in [(&any, Operator::Or), (&all, Operator::And)] {
        for terms in queries {
            let hits = view.search(terms, &options(operator), &mut scratch);
            oracle.check(terms, operator, &hits);
        }
    }

    let mut group = criterion.benchmark_group("words");
    for (name, queries, operator) in
        [("any of three words", &any, Operator::Or), ("all of two words", &all, Operator::And)]
    {
        let mut turn = queries.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let terms = turn.next().expect("a cycle has no end");
                view.search(black_box(terms), &options(operator), &mut scratch)
            });
        });
    }
    group.sample_size(20);
    group.bench_function("build", |bencher| bencher.iter(build));
    group.finish();
    criterion.final_summary();
}

/// Counts of the terms of each text.
struct Oracle {
    documents: Vec<HashMap<String, f64>>,
    average_length: f64,
}

impl Oracle {
    fn new(texts: &[String], analyzer: Analyzer) -> Self {
        let mut length = 0;
        let mut documents = Vec::new();
        for text in texts {
            let mut counts = HashMap::new();
            for term in analyzer.terms(text) {
                *counts.entry(term).or_insert(0.0) += 1.0;
                length += 1;
            }
            documents.push(counts);
        }
        let average_length = f64::from(length) / documents.len() as f64;
        Self { documents, average_length }
    }

    /// The scores of all texts that are hits; a score of 0 is none.
    fn scores(&self, terms: &[QueryTerm], operator: Operator) -> Vec<f64> {
        let count = self.documents.len() as f64;
        let mut scores = vec![0.0; self.documents.len()];
        for QueryTerm { term, .. } in terms {
            let df =
                self.documents.iter().filter(|counts| counts.contains_key(term)).count() as f64;
            let idf = (1.0 + (count - df + 0.5) / (df + 0.5)).ln();
            for (counts, score) in self.documents.iter().zip(&mut scores) {
                let Some(tf) = counts.get(term) else { continue };
                let length: f64 = counts.values().sum();
                let norm = 1.2 * (0.25 + 0.75 * length / self.average_length);
                *score += idf * tf / (tf + norm);
            }
        }
        if operator == Operator::And {
            for (counts, score) in self.documents.iter().zip(&mut scores) {
                if terms.iter().any(|term| !counts.contains_key(&term.term)) {
                    *score = 0.0;
                }
            }
        }
        scores
    }

    /// Compares hits with the best scores; rounding may swap texts, but not their scores.
    fn check(&self, terms: &[QueryTerm], operator: Operator, hits: &[TextHit]) {
        let scores = self.scores(terms, operator);
        let mut best: Vec<f64> = scores.iter().copied().filter(|&score| score > 0.0).collect();
        best.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(hits.len(), K.min(best.len()), "{terms:?}");
        assert!(!hits.is_empty(), "the words are of one text: {terms:?}");
        for (hit, best) in hits.iter().zip(best) {
            let score = f64::from(hit.score);
            assert!((score - scores[hit.ordinal as usize]).abs() < 1e-4, "{terms:?}: {hit:?}");
            assert!((score - best).abs() < 1e-4, "{terms:?}: {hit:?} where {best} is best");
        }
    }
}
