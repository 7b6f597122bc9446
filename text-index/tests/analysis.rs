//! Analysis as a user of search meets it: what was written is found.

mod common;

use proptest::prelude::*;
use text_index::{Analyzer, MAX_TERM_BYTES};

fn finds(text: &str, query: &str) -> bool {
    [Analyzer::english(), Analyzer::simple()].iter().all(|analyzer| {
        let terms = analyzer.terms(text);
        let wanted = analyzer.terms(query);
        !wanted.is_empty() && wanted.iter().all(|term| terms.contains(term))
    })
}

#[test]
fn names_find_their_analyzers() {
    for analyzer in [Analyzer::english(), Analyzer::simple()] {
        assert_eq!(Analyzer::by_name(analyzer.name()), Some(analyzer));
    }
    assert_eq!(Analyzer::by_name("klingon"), None);
}

#[test]
fn english_leaves_out_function_words_and_stems_the_rest() {
    let terms = Analyzer::english().terms("The quick foxes' children weren't running in it's den");
    assert_eq!(terms, ["quick", "fox", "children", "run", "den"]);
    assert_eq!(
        Analyzer::simple().terms("The foxes weren't 3.14 or 1,000 snake_case a.b:c"),
        ["the", "foxes", "weren't", "3.14", "or", "1,000", "snake", "case", "a", "b", "c"]
    );
}

#[test]
fn positions_count_the_words_left_out() {
    let mut found = Vec::new();
    Analyzer::english().analyze("the cat and the dogs", |term, position| {
        found.push((term.to_owned(), position));
    });
    assert_eq!(found, [("cat".to_owned(), 1), ("dog".to_owned(), 4)]);
}

#[test]
fn any_run_of_a_script_without_spaces_is_found() {
    for (text, queries) in [
        ("東京都は日本の首都です。", &["東京", "京都", "日本", "首都", "都", "です"][..]),
        ("データベースを検索する", &["データ", "ベース", "検索", "データベース"]),
        ("서울에서 부산까지", &["서울", "부산", "부산까지"]),
        ("ภาษาไทยสวยงาม", &["ไทย", "ภาษา", "สวย"]),
        ("Rust语言2024版", &["rust", "语言", "2024", "版"]),
        ("搜索engine设计", &["搜索", "engine", "设计"]),
    ] {
        for query in queries {
            assert!(finds(text, query), "{query} in {text}");
        }
    }
    assert!(!finds("東京都", "京東"));
}

#[test]
fn spellings_of_one_word_find_each_other() {
    for (text, query) in [
        ("caf\u{e9}", "cafe\u{301}"),
        ("CAFÉ", "café"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("don\u{2019}t panic", "don't panic"),
        ("dog\u{2019}s", "dog's"),
        ("soft\u{ad}hyphen", "softhyphen"),
        ("ﬁsh", "fish"),
        ("Привет", "ПРИВЕТ"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("العَرَبِيَّة", "العَرَبِيَّة"),
    ] {
        assert!(finds(text, query), "{query} in {text}");
    }
    let english = Analyzer::english();
    assert_eq!(english.terms("naïve façade"), english.terms("naive facade"));
    assert_ne!(Analyzer::simple().terms("résumé"), Analyzer::simple().terms("resume"));
}

#[test]
fn emoji_are_words() {
    for (text, query) in [
        ("party 🎉 time", "🎉"),
        ("I❤️Rust", "❤"),
        ("family 👨‍👩‍👧 here", "👨‍👩‍👧"),
        ("flag 🇩🇪", "🇩🇪"),
        ("go→there", "→"),
    ] {
        assert!(finds(text, query), "{query} in {text}");
    }
}

#[test]
fn a_very_long_word_is_cut_and_still_found() {
    for word in ["a".repeat(1_000_000), "ä".repeat(500_000), "9".repeat(200)] {
        assert!(finds(&format!("x {word} y"), &word));
        let longest = Analyzer::english().terms(&word).iter().map(String::len).max();
        assert!(longest.unwrap() <= MAX_TERM_BYTES);
    }
}

#[test]
fn an_emit_that_analyzes_gets_the_same_terms() {
    let analyzer = Analyzer::english();
    let mut inner = Vec::new();
    analyzer.analyze("running dogs", |term, _| {
        inner.push((term.to_owned(), analyzer.terms("running dogs")));
    });
    assert_eq!(inner.len(), 2);
    assert!(inner.iter().all(|(_, terms)| terms == &["run", "dog"]));
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn any_text_gives_bounded_terms_at_rising_positions(text in any::<String>()) {
        for analyzer in [Analyzer::english(), Analyzer::simple()] {
            let mut last = 0;
            analyzer.analyze(&text, |term, position| {
                assert!(!term.is_empty() && term.len() <= MAX_TERM_BYTES);
                assert!(position >= last);
                last = position;
            });
            prop_assert_eq!(analyzer.terms(&text), analyzer.terms(&text));
        }
    }

    #[test]
    fn letters_of_any_kind_never_stop_the_stemmer(word in "[a-z']{1,40}") {
        prop_assert!(Analyzer::english().terms(&word).len() <= word.len());
    }

    #[test]
    fn neighbours_across_a_space_do_not_change_each_other(
        left in "[a-zA-Z0-9'., ]{0,20}",
        right in "[éß東京a-z👍 ]{0,10}",
    ) {
        let analyzer = Analyzer::english();
        let mut apart = analyzer.terms(&left);
        apart.extend(analyzer.terms(&right));
        prop_assert_eq!(analyzer.terms(&format!("{left} {right}")), apart);
    }
}
