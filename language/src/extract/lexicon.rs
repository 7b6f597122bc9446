//! Closed word classes of English: what is not listed here is a content word.
//!
//! Invariant: each word is in one class; all lists are lower case.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word does in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Article, possessive, demonstrative, quantifier or number word.
    Determiner,
    /// "no", "neither": a determiner that denies.
    NegativeDeterminer,
    /// "it", "they": stands for a subject before it.
    Anaphor,
    /// Other pronouns, and adverbs of place that stand where a noun phrase could.
    Pronoun,
    Preposition,
    /// "and", "or".
    And,
    /// "but", "while", "because": begins another clause.
    Subordinator,
    /// "which", "who", "that".
    Relative,
    /// A form of "be".
    Be,
    /// A form of "have".
    Have,
    /// "do", "can", "will", …
    Modal,
    /// "may", "might", "could": the statement is a possibility.
    MayModal,
    /// "not", "never".
    Negator,
    Adverb,
    /// Everything else, in the main nouns, adjectives and verbs.
    Content,
    Comma,
    /// Any other mark, and words too long to be words.
    Break,
}

const CLASSES: &[(Class, &str)] = &[
    (
        Class::Determiner,
        "a an the this these those some any each every all both either several many few most much \
         more less such another other various certain its their his her my your our whose one two \
         three four five six seven eight nine ten eleven twelve hundred thousand million billion \
         dozens lots half",
    ),
    (Class::NegativeDeterminer, "no neither"),
    (Class::Anaphor, "it they"),
    (
        Class::Pronoun,
        "i you he she we me him us them there here what itself themselves himself herself everything \
         something nothing anything everyone someone nobody mine yours ours theirs",
    ),
    (
        Class::Preposition,
        "of in on at by for with from to into onto through during within without between among \
         against across along around above below beneath under over near behind beside besides \
         beyond inside outside toward towards upon via per like unlike than as about despite \
         throughout off out up down except before after since until amid amongst",
    ),
    (Class::And, "and or nor & plus"),
    (
        Class::Subordinator,
        "but because while whereas although though if when whenever where wherever unless so yet \
         whether hence therefore thus however then how why",
    ),
    (Class::Relative, "which who that whom"),
    (Class::Be, "is are was were be been being am 's 're"),
    (Class::Have, "has have had having"),
    (Class::Modal, "do does did can will would shall should must 'll"),
    (Class::MayModal, "may might could"),
    (Class::Negator, "not never n't cannot hardly rarely seldom"),
    (
        Class::Adverb,
        "also often usually always sometimes typically generally commonly normally mainly mostly \
         primarily only just even still already directly indirectly eventually finally first soon \
         very too quite rather really almost nearly approximately again later now today currently \
         frequently occasionally probably possibly likely certainly clearly simply actually \
         essentially basically largely partly widely strongly quickly slowly easily naturally \
         together once ultimately initially originally recently shortly immediately gradually",
    ),
];

static BY_WORD: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
    let words = |&(class, words): &(Class, &'static str)| {
        words.split_whitespace().map(move |word| (word, class))
    };
    CLASSES.iter().flat_map(words).collect()
});

/// The class of a lower-case word.
pub(super) fn class_of(word: &str) -> Class {
    BY_WORD.get(word).copied().unwrap_or(Class::Content)
}

/// Nouns that only say "kind of": "a type of cell" names a cell.
pub(super) fn is_kind_noun(lemma: &str) -> bool {
    matches!(
        lemma,
        "kind"
            | "type"
            | "sort"
            | "form"
            | "variety"
            | "example"
            | "instance"
            | "member"
            | "species"
            | "genus"
            | "subclass"
            | "subtype"
            | "class"
            | "category"
            | "one"
            | "breed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        let words = CLASSES.iter().flat_map(|(_, words)| words.split_whitespace());
        let twice: Vec<_> = words.filter(|word| !seen.insert(*word)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
