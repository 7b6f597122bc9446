//! Damaged and arbitrary bytes: an error or an answer, never a panic, never an ordinal out of range.

mod common;

use common::{Random, index, options};
use proptest::prelude::*;
use text_index::{FormatError, Operator, QueryTerm, SearchScratch, TextView, merge};

/// Asks a view everything.
fn exercise(bytes: &[u8]) {
    let Ok(view) = TextView::parse(bytes) else { return };
    let sound = view.verify().is_ok();
    let deleted = (0..40).step_by(3).collect();
    assert!(view.stats_excluding(Some(&deleted)).doc_count <= view.doc_count().into());
    let mut terms = view.terms("");
    let mut count = 0;
    while terms.advance() && count < 500 {
        count += 1;
        assert!(!terms.term().is_empty());
        let mut postings = terms.postings();
        postings.seek(17);
        assert!(postings.take(5_000).all(|(ordinal, tf)| ordinal < view.doc_count() && tf > 0));
    }
    let query: Vec<QueryTerm> = ["w0", "w1", "w5", "w30"]
        .map(|term| QueryTerm { term: term.to_owned(), idf: 1.5 })
        .to_vec();
    for term in &query {
        assert!(view.df_excluding(&term.term, Some(&deleted)) <= view.df(&term.term));
    }
    for operator in [Operator::Or, Operator::And] {
        for take in 1..=query.len() {
            let options = options(7.0, operator, 10);
            let hits = view.search(&query[..take], &options, &mut SearchScratch::default());
            assert!(hits.iter().all(|hit| hit.ordinal < view.doc_count()));
            for hit in hits {
                let why = view.explain(hit.ordinal, &query, 7.0, &options.bm25);
                assert!(why.score.is_finite());
            }
        }
    }
    let map: Vec<u32> = (0..view.doc_count()).collect();
    let merged = merge(&[(view, &map)], view.doc_count());
    assert!(merged.is_ok() || !sound);
}

proptest! {
    #![proptest_config(common::cases(400))]

    #[test]
    fn arbitrary_bytes_are_refused_or_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
        let mut headed = b"SUTRATXT\x01\x00\x01\x00\x04\x00\x00\x00".to_vec();
        headed.extend(bytes);
        exercise(&headed);
    }

    #[test]
    fn mutated_bytes_are_refused_or_answered(
        seed in any::<u64>(),
        count in prop_oneof![Just(1usize), Just(30), Just(500)],
        mutations in 1usize..6,
    ) {
        let mut random = Random::new(seed);
        let docs = random.docs(count, 40);
        let mut bytes = index(&docs);
        for _ in 0..mutations {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ (1 << random.below(8)),
                _ => random.below(256) as u8,
            };
        }
        exercise(&bytes);
    }
}

#[test]
fn every_bit_of_a_small_index_can_flip() {
    let docs = Random::new(5).docs(150, 6);
    let bytes = index(&docs);
    assert!(bytes.len() > 500);
    let mut copy = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        copy[bit / 8] ^= 1 << (bit % 8);
        exercise(&copy);
        copy[bit / 8] = bytes[bit / 8];
    }
}

#[test]
fn every_cut_is_refused() {
    let bytes = index(&Random::new(6).docs(20, 9));
    for end in 0..bytes.len() {
        assert!(TextView::parse(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(TextView::parse(&longer).is_err());
}

#[test]
fn errors_say_what_is_wrong() {
    let bytes = index(&Random::new(7).docs(3, 9));
    let parse = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        TextView::parse(&bytes).map(|view| view.doc_count())
    };
    assert_eq!(parse(0, b'X'), Err(FormatError::Magic));
    assert_eq!(parse(8, 9), Err(FormatError::Version { expected: 1, found: 9 }));
    assert_eq!(parse(10, 3), Err(FormatError::Section { kind: 1 }));
    assert_eq!(
        TextView::parse(&bytes[..10]).map(|view| view.doc_count()),
        Err(FormatError::TooShort { expected: 32, found: 10 })
    );
}

#[test]
fn a_document_length_reads_the_header_and_its_own_place_only() {
    let mut random = Random::new(3);
    for longest in [20, 400, 70_000] {
        let text = |words: usize| "word ".repeat(words);
        let texts: Vec<String> =
            (0..50).map(|at| text(if at == 7 { longest } else { random.below(20) })).collect();
        let mut builder = text_index::TextBuilder::new();
        for (at, text) in texts.iter().enumerate() {
            builder.add(at as u32, text, &text_index::Analyzer::simple()).expect("short text");
        }
        let bytes = builder.finish(50).expect("few documents");
        let view = TextView::parse(&bytes).expect("just built");
        for ordinal in 0..50 {
            let mut garbled: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            for range in [0..TextView::PARSED_BYTES.min(128), view.doc_length_place(ordinal)] {
                garbled[range.clone()].copy_from_slice(&bytes[range]);
            }
            let view = TextView::parse(&garbled).expect("its header is sound");
            assert_eq!(view.total_length(), texts.iter().map(|text| text.len() as u64 / 5).sum());
            assert_eq!(view.doc_length(ordinal) as usize, texts[ordinal as usize].len() / 5);
        }
        assert_eq!(view.doc_length_place(50), 0..0);
    }
}
