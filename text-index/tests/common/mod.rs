//! What the tests share: seeded collections, and BM25 by brute force over token lists.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use roaring::RoaringBitmap;
use text_index::{
    Analyzer, Bm25, Operator, QueryTerm, SearchOptions, TextBuilder, TextHit, TextView,
};

/// This many cases of a property, the same ones at each run.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(0x7e47), ..ProptestConfig::default() }
}

/// A small generator with good low bits.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x5eed_0f7e_57ed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ word >> 31) % end as u64) as usize
    }

    /// A word of a vocabulary whose first words are by far the most frequent.
    pub(crate) fn word(&mut self, vocabulary: usize) -> String {
        let range = 1 + self.below(vocabulary);
        format!("w{}", self.below(range))
    }

    /// Documents of very uneven length, some of them empty.
    pub(crate) fn docs(&mut self, count: usize, vocabulary: usize) -> Vec<Vec<String>> {
        (0..count)
            .map(|_| {
                let length = match self.below(20) {
                    0 => 0,
                    1 => 60 + self.below(300),
                    _ => 1 + self.below(20),
                };
                (0..length).map(|_| self.word(vocabulary)).collect()
            })
            .collect()
    }

    pub(crate) fn bitmap(&mut self, end: usize, one_in: usize) -> RoaringBitmap {
        (0..end as u32).filter(|_| self.below(one_in) == 0).collect()
    }
}

/// Encodes token lists as an index with the plain analyzer.
pub(crate) fn index(docs: &[Vec<String>]) -> Vec<u8> {
    let mut builder = TextBuilder::new();
    for (ordinal, doc) in docs.iter().enumerate() {
        let added = builder.add(ordinal as u32, &doc.join(" "), &Analyzer::simple());
        added.expect("ordinals rise");
    }
    builder.finish(docs.len() as u32).expect("the count covers all ordinals")
}

/// The documents that are not deleted, and their statistics, from the token lists.
pub(crate) struct Live<'a> {
    pub(crate) docs: BTreeMap<u32, &'a [String]>,
}

impl<'a> Live<'a> {
    pub(crate) fn new(docs: &'a [Vec<String>], deleted: Option<&RoaringBitmap>) -> Self {
        let docs = docs.iter().enumerate().map(|(at, doc)| (at as u32, doc.as_slice()));
        Self { docs: docs.filter(|(at, _)| deleted.is_none_or(|d| !d.contains(*at))).collect() }
    }

    pub(crate) fn df(&self, term: &str) -> u32 {
        self.docs.values().filter(|doc| doc.iter().any(|word| word == term)).count() as u32
    }

    pub(crate) fn total_length(&self) -> u64 {
        self.docs.values().map(|doc| doc.len() as u64).sum()
    }

    pub(crate) fn average_length(&self) -> f32 {
        let count = self.docs.len().max(1);
        (self.total_length() as f64 / count as f64) as f32
    }

    pub(crate) fn query(&self, words: &[String]) -> Vec<QueryTerm> {
        words
            .iter()
            .map(|word| QueryTerm {
                term: word.clone(),
                idf: Bm25::idf(self.docs.len() as u64, self.df(word).into()),
            })
            .collect()
    }

    fn matches(doc: &[String], words: &[String], operator: Operator) -> bool {
        let has = |word: &String| doc.contains(word);
        match operator {
            Operator::Or => words.iter().any(has),
            Operator::And => !words.is_empty() && words.iter().all(has),
        }
    }

    /// The exact top by the formula in f64.
    pub(crate) fn top_f64(
        &self,
        words: &[String],
        bm25: Bm25,
        operator: Operator,
        k: usize,
        allowed: Option<&RoaringBitmap>,
    ) -> Vec<(u32, f64)> {
        let (k1, b) = (f64::from(bm25.k1), f64::from(bm25.b));
        let count = self.docs.len() as f64;
        let average = self.total_length() as f64 / count.max(1.0);
        let mut top: Vec<(u32, f64)> = self
            .docs
            .iter()
            .filter(|(at, doc)| {
                allowed.is_none_or(|a| a.contains(**at)) && Self::matches(doc, words, operator)
            })
            .map(|(&at, doc)| {
                let score = words
                    .iter()
                    .map(|word| {
                        let tf = doc.iter().filter(|other| *other == word).count() as f64;
                        let df = f64::from(self.df(word));
                        let idf = (1.0 + (count - df + 0.5) / (df + 0.5)).ln();
                        let norm = k1 * (1.0 - b + b * doc.len() as f64 / average);
                        if tf > 0.0 { idf * tf / (tf + norm) } else { 0.0 }
                    })
                    .sum();
                (at, score)
            })
            .collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        top.truncate(k);
        top
    }

    /// The exact top by the crate's f32 formula and order of summation, written out anew.
    pub(crate) fn top_f32(&self, query: &[QueryTerm], options: &SearchOptions<'_>) -> Vec<TextHit> {
        let Bm25 { k1, b } = options.bm25;
        let words: Vec<String> = query.iter().map(|term| term.term.clone()).collect();
        let mut seen = BTreeSet::new();
        let terms: Vec<(&str, f32)> = query
            .iter()
            .filter(|term| seen.insert(term.term.as_str()))
            .map(|term| {
                let same = query.iter().filter(|other| other.term == term.term);
                (term.term.as_str(), same.fold(0.0, |sum, other| sum + other.idf))
            })
            .collect();
        let mut hits: Vec<TextHit> = self
            .docs
            .iter()
            .filter(|(at, doc)| {
                options.allowed.is_none_or(|a| a.contains(**at))
                    && Self::matches(doc, &words, options.operator)
            })
            .map(|(&ordinal, doc)| {
                let slope = k1 * b / options.average_length;
                let norm = k1 * (1.0 - b) + slope * doc.len() as f32;
                let mut score = 0.0f32;
                for &(term, idf) in &terms {
                    let tf = doc.iter().filter(|word| *word == term).count() as f32;
                    if tf > 0.0 {
                        score += idf * (tf / (tf + norm));
                    }
                }
                TextHit { ordinal, score }
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
        hits.truncate(options.k);
        hits
    }
}

/// Bit patterns, so that a comparison is exact.
pub(crate) fn bits(hits: &[TextHit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.ordinal, hit.score.to_bits())).collect()
}

/// Options with the default formula.
pub(crate) fn options(average_length: f32, operator: Operator, k: usize) -> SearchOptions<'static> {
    SearchOptions {
        average_length,
        bm25: Bm25::default(),
        operator,
        k,
        deleted: None,
        allowed: None,
    }
}

/// The index's own statistics as a query.
pub(crate) fn query(view: TextView<'_>, text: &str, analyzer: Analyzer) -> Vec<QueryTerm> {
    let terms = analyzer.terms(text).into_iter();
    terms
        .map(|term| QueryTerm {
            idf: Bm25::idf(view.doc_count().into(), view.df(&term).into()),
            term,
        })
        .collect()
}
