//! Merging against building anew.

mod common;

use common::{Random, index};
use proptest::prelude::*;
use text_index::{Analyzer, BuildError, DROPPED, MergeError, TextBuilder, TextView, merge};

proptest! {
    #![proptest_config(common::cases(64))]

    #[test]
    fn merging_with_deletes_gives_the_bytes_of_a_fresh_build(
        seed in any::<u64>(),
        sizes in prop::collection::vec(prop_oneof![0usize..4, 0usize..500], 0..6),
        drop_one_in in prop_oneof![Just(1usize), Just(3), Just(1_000)],
        interleave in any::<bool>(),
    ) {
        let mut random = Random::new(seed);
        let parts: Vec<Vec<Vec<String>>> =
            sizes.iter().map(|&size| random.docs(size, 90)).collect();
        let mut survivors: Vec<(usize, usize)> = parts
            .iter()
            .enumerate()
            .flat_map(|(part, docs)| (0..docs.len()).map(move |at| (part, at)))
            .filter(|_| drop_one_in > 1 && random.below(drop_one_in) > 0)
            .collect();
        if interleave {
            for at in (1..survivors.len()).rev() {
                survivors.swap(at, random.below(at + 1));
            }
        }
        let mut maps: Vec<Vec<u32>> = sizes.iter().map(|&size| vec![DROPPED; size]).collect();
        for (new, &(part, at)) in survivors.iter().enumerate() {
            maps[part][at] = new as u32;
        }
        let encoded: Vec<Vec<u8>> = parts.iter().map(|docs| index(docs)).collect();
        let views: Vec<(TextView<'_>, &[u32])> = encoded
            .iter()
            .zip(&maps)
            .map(|(bytes, map)| (TextView::parse(bytes).unwrap(), map.as_slice()))
            .collect();
        let merged = merge(&views, survivors.len() as u32).unwrap();
        let fresh: Vec<Vec<String>> =
            survivors.iter().map(|&(part, at)| parts[part][at].clone()).collect();
        prop_assert_eq!(&merged, &index(&fresh));
        TextView::parse(&merged).unwrap().verify().unwrap();
    }
}

#[test]
fn terms_of_dropped_documents_are_gone_from_the_bytes() {
    let secret = "quetzalcoatlus";
    let docs = ["harmless words", secret].map(|text| vec![text.to_owned()]);
    let bytes = index(&docs);
    let view = TextView::parse(&bytes).unwrap();
    assert_eq!(view.terms("quetzal").collect::<Vec<_>>(), [(secret.to_owned(), 1)]);
    let merged = merge(&[(view, &[0, DROPPED])], 1).unwrap();
    let holds = |bytes: &[u8]| bytes.windows(8).any(|window| window == &secret.as_bytes()[..8]);
    assert!(holds(&bytes) && !holds(&merged));
}

#[test]
fn maps_that_do_not_fit_are_refused() {
    let docs = [vec!["a".to_owned()], vec!["b".to_owned()]];
    let bytes = index(&docs);
    let view = TextView::parse(&bytes).unwrap();
    assert_eq!(
        merge(&[(view, &[0])], 2),
        Err(MergeError::MapLength { part: 0, expected: 2, found: 1 })
    );
    assert_eq!(
        merge(&[(view, &[0, 2])], 2),
        Err(MergeError::OrdinalRange { part: 0, ordinal: 2, doc_count: 2 })
    );
    assert_eq!(
        merge(&[(view, &[0, 1]), (view, &[2, 1])], 3),
        Err(MergeError::DuplicateOrdinal { part: 1, ordinal: 1 })
    );
}

#[test]
fn merging_nothing_gives_empty_documents() {
    let merged = merge(&[], 5).unwrap();
    assert_eq!(merged, TextBuilder::new().finish(5).unwrap());
    assert_eq!(TextView::parse(&merged).unwrap().doc_count(), 5);
}

#[test]
fn a_builder_refuses_ordinals_out_of_order_and_counts_too_small() {
    let analyzer = Analyzer::simple();
    let mut builder = TextBuilder::new();
    builder.add(4, "four", &analyzer).unwrap();
    for ordinal in [3, 4] {
        assert_eq!(
            builder.add(ordinal, "again", &analyzer),
            Err(BuildError::OrdinalOrder { previous: 4, ordinal })
        );
    }
    assert_eq!(builder.len(), 1);
    assert_eq!(builder.finish(4), Err(BuildError::DocCount { doc_count: 4, ordinal: 4 }));
}

#[test]
fn gaps_and_long_documents_keep_their_lengths() {
    let analyzer = Analyzer::simple();
    for words in [255usize, 256, 65_535, 65_536, 100_000] {
        let text: Vec<String> = (0..words).map(|at| format!("w{}", at % 1_000)).collect();
        let text = text.join(" ");
        let mut builder = TextBuilder::new();
        builder.add(2, "short", &analyzer).unwrap();
        builder.add(7, &text, &analyzer).unwrap();
        let bytes = builder.finish(9).unwrap();
        let view = TextView::parse(&bytes).unwrap();
        view.verify().unwrap();
        let lengths: Vec<u32> = (0..10).map(|ordinal| view.doc_length(ordinal)).collect();
        assert_eq!(lengths, [0, 0, 1, 0, 0, 0, 0, words as u32, 0, 0]);
        assert_eq!(view.total_length(), words as u64 + 1);
        let tf = words.div_ceil(1_000) as u32;
        assert_eq!(view.postings("w0").unwrap().collect::<Vec<_>>(), [(7, tf)]);
    }
}
