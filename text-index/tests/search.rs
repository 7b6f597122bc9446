//! Search, statistics and explanations against brute force over the token lists.

mod common;

use common::{Live, Random, bits, index, options};
use proptest::prelude::*;
use text_index::{
    Analyzer, Bm25, CollectionStats, Operator, QueryTerm, SearchOptions, SearchScratch,
    TextBuilder, TextView,
};

const PARAMETERS: [Bm25; 4] = [
    Bm25 { k1: 1.2, b: 0.75 },
    Bm25 { k1: 0.0, b: 0.5 },
    Bm25 { k1: 3.0, b: 1.0 },
    Bm25 { k1: 0.9, b: 0.0 },
];

proptest! {
    #![proptest_config(common::cases(96))]

    #[test]
    fn search_is_brute_force_to_the_bit(
        seed in any::<u64>(),
        count in prop_oneof![Just(0usize), Just(1), 2usize..40, 300usize..1_500],
        vocabulary in prop_oneof![Just(3usize), Just(40), Just(600)],
        k in prop_oneof![Just(1usize), Just(10), Just(100), Just(1_000_000)],
        length in 1usize..7,
        parameters in 0usize..4,
        deleted in prop_oneof![Just(0usize), 1usize..9],
        allowed in prop_oneof![Just(0usize), 1usize..90],
    ) {
        let mut random = Random::new(seed);
        let docs = random.docs(count, vocabulary);
        let bytes = index(&docs);
        let view = TextView::parse(&bytes).unwrap();
        view.verify().unwrap();
        let deleted = (deleted > 0).then(|| random.bitmap(count, deleted));
        let allowed = (allowed > 0).then(|| random.bitmap(count, allowed));
        let live = Live::new(&docs, deleted.as_ref());
        let mut scratch = SearchScratch::default();
        for operator in [Operator::Or, Operator::And] {
            let words: Vec<String> =
                (0..length).map(|_| random.word(vocabulary + 2)).collect();
            let query = live.query(&words);
            let options = SearchOptions {
                average_length: live.average_length(),
                bm25: PARAMETERS[parameters],
                operator,
                k,
                deleted: deleted.as_ref(),
                allowed: allowed.as_ref(),
            };
            let hits = view.search(&query, &options, &mut scratch);
            prop_assert_eq!(bits(&hits), bits(&live.top_f32(&query, &options)));

            let exact = live.top_f64(&words, options.bm25, operator, k, allowed.as_ref());
            prop_assert_eq!(hits.len(), exact.len());
            for (hit, (_, score)) in hits.iter().zip(&exact) {
                prop_assert!((f64::from(hit.score) - score).abs() < 1e-5 * score.max(1.0));
            }
            for hit in hits.iter().take(3) {
                let why =
                    view.explain(hit.ordinal, &query, options.average_length, &options.bm25);
                prop_assert_eq!(why.score.to_bits(), hit.score.to_bits());
                prop_assert_eq!(why.length as usize, docs[hit.ordinal as usize].len());
                for share in &why.shares {
                    let doc = &docs[hit.ordinal as usize];
                    let tf = doc.iter().filter(|word| **word == words[share.term]).count();
                    prop_assert_eq!(share.tf as usize, tf);
                }
            }
        }
    }

    #[test]
    fn statistics_after_deletes_are_those_of_the_living(
        seed in any::<u64>(),
        count in 1usize..700,
        one_in in prop_oneof![Just(1usize), Just(2), Just(50), Just(400)],
    ) {
        let mut random = Random::new(seed);
        let docs = random.docs(count, 60);
        let bytes = index(&docs);
        let view = TextView::parse(&bytes).unwrap();
        // Ordinals beyond the last document are of no account.
        let mut deleted = random.bitmap(count, one_in);
        deleted.insert(count as u32 + 3);
        let live = Live::new(&docs, Some(&deleted));
        let stats = view.stats_excluding(Some(&deleted));
        prop_assert_eq!(stats.doc_count, live.docs.len() as u64);
        prop_assert_eq!(stats.total_length, live.total_length());
        for word in 0..62 {
            let word = format!("w{word}");
            prop_assert_eq!(view.df_excluding(&word, Some(&deleted)), live.df(&word));
            prop_assert_eq!(view.df_excluding(&word, None), view.df(&word));
        }
    }

    #[test]
    fn scores_do_not_depend_on_how_documents_are_spread(
        seed in any::<u64>(),
        cuts in prop::collection::vec(0usize..400, 0..6),
        operator in prop_oneof![Just(Operator::Or), Just(Operator::And)],
    ) {
        let mut random = Random::new(seed);
        let docs = random.docs(400, 80);
        let live = Live::new(&docs, None);
        let words: Vec<String> = (0..3).map(|_| random.word(60)).collect();
        let query = live.query(&words);
        let options = options(live.average_length(), operator, 10);
        let mut cuts = cuts;
        cuts.extend([0, docs.len()]);
        cuts.sort_unstable();
        let mut stats = CollectionStats::default();
        let mut hits = Vec::new();
        for range in cuts.windows(2) {
            let bytes = index(&docs[range[0]..range[1]]);
            let view = TextView::parse(&bytes).unwrap();
            stats += view.stats_excluding(None);
            for mut hit in view.search(&query, &options, &mut SearchScratch::default()) {
                hit.ordinal += range[0] as u32;
                hits.push(hit);
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
        hits.truncate(10);
        prop_assert_eq!(stats.average_length().to_bits(), options.average_length.to_bits());
        prop_assert_eq!(bits(&hits), bits(&live.top_f32(&query, &options)));
    }
}

#[test]
fn windows_and_long_lists_agree_with_brute_force() {
    let mut random = Random::new(3);
    let docs: Vec<Vec<String>> =
        (0..70_000).map(|_| (0..=random.below(6)).map(|_| random.word(2_000)).collect()).collect();
    let bytes = index(&docs);
    let view = TextView::parse(&bytes).unwrap();
    let live = Live::new(&docs, None);
    let mut scratch = SearchScratch::default();
    for round in 0..12 {
        let words: Vec<String> = (0..3).map(|_| random.word(500 << (round % 3))).collect();
        let query = live.query(&words);
        for operator in [Operator::Or, Operator::And] {
            for k in [10, 500] {
                let options = options(live.average_length(), operator, k);
                let hits = view.search(&query, &options, &mut scratch);
                assert_eq!(bits(&hits), bits(&live.top_f32(&query, &options)), "{words:?}");
            }
        }
    }
}

#[test]
fn a_term_given_twice_counts_twice_in_few_and_in_many_terms() {
    let docs = [vec!["a", "b"], vec!["a"], vec!["b", "c", "b"]]
        .map(|doc| doc.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let bytes = index(&docs);
    let view = TextView::parse(&bytes).unwrap();
    let live = Live::new(&docs, None);
    for repeats in [2, 40] {
        let words: Vec<String> =
            std::iter::repeat_n("b", repeats).chain(["a", "z"]).map(str::to_owned).collect();
        let query = live.query(&words);
        let options = options(live.average_length(), Operator::Or, 3);
        let hits = view.search(&query, &options, &mut SearchScratch::default());
        let exact = live.top_f64(&words, Bm25::default(), Operator::Or, 3, None);
        for (hit, (ordinal, score)) in hits.iter().zip(exact) {
            assert_eq!(hit.ordinal, ordinal);
            assert!((f64::from(hit.score) - score).abs() < 1e-5 * score);
        }
        assert_eq!(hits.len(), 3);
    }
}

#[test]
fn weights_that_are_no_weights_count_as_nothing() {
    let docs = [vec!["a".to_owned()], vec!["b".to_owned()]];
    let bytes = index(&docs);
    let view = TextView::parse(&bytes).unwrap();
    for idf in [f32::NAN, f32::INFINITY, -1.0, 0.0] {
        let query =
            [QueryTerm { term: "a".to_owned(), idf }, QueryTerm { term: "b".to_owned(), idf: 1.0 }];
        let options = options(1.0, Operator::Or, 5);
        let hits = view.search(&query, &options, &mut SearchScratch::default());
        assert_eq!(hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(hits[1].score.to_bits(), 0f32.to_bits());
    }
}

#[test]
fn nothing_asked_or_nothing_there_is_nothing_found() {
    let bytes = TextBuilder::new().finish(0).unwrap();
    let empty = TextView::parse(&bytes).unwrap();
    let docs = [vec!["a".to_owned()]];
    let one = index(&docs);
    let one = TextView::parse(&one).unwrap();
    let term = |term: &str| QueryTerm { term: term.to_owned(), idf: 1.0 };
    for operator in [Operator::Or, Operator::And] {
        let search = |view: TextView<'_>, terms: &[QueryTerm], k| {
            view.search(terms, &options(1.0, operator, k), &mut SearchScratch::default()).len()
        };
        assert_eq!(search(empty, &[term("a")], 10), 0);
        assert_eq!(search(one, &[], 10), 0);
        assert_eq!(search(one, &[term("a")], 0), 0);
        assert_eq!(search(one, &[term("b")], 10), 0);
        assert_eq!(search(one, &[term("")], 10), 0);
        assert_eq!(search(one, &[term("a")], usize::MAX), 1);
    }
    let both = [term("a"), term("b")];
    let and = options(1.0, Operator::And, 10);
    assert!(one.search(&both, &and, &mut SearchScratch::default()).is_empty());
}

#[test]
fn hostile_queries_are_words_like_any_other() {
    let analyzer = Analyzer::english();
    let texts = ["It's raining in C++ land", "the rock (and roll)", "plain \"quotes\" AND NOT"];
    let mut builder = TextBuilder::new();
    for (ordinal, text) in texts.iter().enumerate() {
        builder.add(ordinal as u32, text, &analyzer).unwrap();
    }
    let bytes = builder.finish(3).unwrap();
    let view = TextView::parse(&bytes).unwrap();
    let find = |text: &str| -> Vec<u32> {
        let query = common::query(view, text, analyzer);
        let options = options(3.0, Operator::Or, 10);
        let hits = view.search(&query, &options, &mut SearchScratch::default());
        let mut ordinals: Vec<u32> = hits.iter().map(|hit| hit.ordinal).collect();
        ordinals.sort_unstable();
        ordinals
    };
    assert_eq!(find("c++"), [0]);
    assert_eq!(find("(rock"), [1]);
    assert_eq!(find("\"quotes"), [2]);
    assert_eq!(find("roll) OR -raining:*~^"), [0, 1]);
    for nothing in ["it's", "", "   ", "'", "\"", "()", "*", "\0", "\u{202e}", "\u{feff}"] {
        assert_eq!(find(nothing), [], "{nothing:?}");
    }
}
