//! Sentences and words with their places in the text.
//!
//! Invariant: spans are ordered, don't overlap, and lie on character boundaries.

use unicode_segmentation::UnicodeSegmentation;

use super::Span;
use super::lexicon::{Class, class_of};

/// A longer run of letters is no word, and its name would be no name.
const MAX_WORD_BYTES: usize = 64;

/// A word or a mark.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) span: Span,
    /// Lower case; of "isn't", the token "is" and the token "n't" are made.
    pub(super) lower: String,
    pub(super) class: Class,
    /// Begins with a capital.
    pub(super) capital: bool,
}

/// Abbreviations that end in a full stop and end no sentence.
const ABBREVIATIONS: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "st", "e.g", "i.e", "etc", "vs", "cf", "fig", "no", "vol",
    "approx", "gen", "col", "sgt", "lt", "rev", "hon", "jr", "sr", "inc", "ltd", "co", "u.s",
];

/// The sentences of the text without the white space around them.
pub(super) fn sentence_spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (start, piece) in text.split_sentence_bound_indices() {
        let trimmed = piece.trim();
        if trimmed.is_empty() {
            continue;
        }
        let start = start + (piece.len() - piece.trim_start().len());
        let end = start + trimmed.len();
        match spans.last_mut() {
            Some(last)
                if continues(&text[last.start..last.end], &text[last.end..start], trimmed) =>
            {
                last.end = end;
            }
            _ => spans.push(Span { start, end }),
        }
    }
    spans
}

/// Whether a piece that Unicode's rules split off goes on with the sentence before: after an
/// abbreviation or an initial, or where a line was wrapped.
fn continues(before: &str, gap: &str, piece: &str) -> bool {
    if let Some(before) = before.strip_suffix('.') {
        let word = before.rsplit(char::is_whitespace).next().unwrap_or(before);
        let word = word.trim_start_matches(['(', '"']);
        let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
        return is_initial || ABBREVIATIONS.iter().any(|known| known.eq_ignore_ascii_case(word));
    }
    let wrapped = gap.chars().filter(|&c| c == '\n').count() == 1;
    let unfinished = !before.ends_with(['!', '?', ':', ';']);
    wrapped && unfinished && piece.starts_with(char::is_lowercase)
}

/// The words and marks of a sentence.
pub(super) fn tokenize(text: &str, sentence: Span) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    // Whether the last token is a word that a hyphen right behind it may lengthen.
    let mut hyphenated = false;
    for (offset, piece) in sentence.of(text).split_word_bound_indices() {
        let span =
            Span { start: sentence.start + offset, end: sentence.start + offset + piece.len() };
        if piece.trim().is_empty() {
            hyphenated = false;
        } else if piece.starts_with(char::is_alphanumeric) && piece.len() <= MAX_WORD_BYTES {
            match tokens.last_mut() {
                Some(last) if hyphenated && last.lower.len() + piece.len() < MAX_WORD_BYTES => {
                    last.lower.push_str(&piece.to_lowercase());
                    last.span.end = span.end;
                    last.class = Class::Content;
                }
                _ => push_word(&mut tokens, piece, span),
            }
            hyphenated = false;
        } else if matches!(piece, "-" | "\u{2010}" | "\u{2011}")
            && tokens.last().is_some_and(|last| last.span.end == span.start && is_word(last))
            && text[span.end..sentence.end].starts_with(char::is_alphanumeric)
        {
            if let Some(last) = tokens.last_mut() {
                last.lower.push('-');
            }
            hyphenated = true;
        } else if !matches!(piece, "\"" | "\u{201c}" | "\u{201d}" | "'" | "\u{2018}" | "\u{2019}") {
            let class = match piece {
                "," => Class::Comma,
                "&" => Class::And,
                _ => Class::Break,
            };
            tokens.push(Token { span, lower: String::new(), class, capital: false });
            hyphenated = false;
        }
    }
    tokens
}

fn is_word(token: &Token) -> bool {
    !token.lower.is_empty()
}

/// Adds a word; a contraction gives two tokens, and a possessive loses its mark.
fn push_word(tokens: &mut Vec<Token>, piece: &str, span: Span) {
    let lower = piece.to_lowercase().replace('\u{2019}', "'");
    let capital = piece.starts_with(char::is_uppercase);
    let mut push = |lower: &str, class: Class| {
        tokens.push(Token { span, lower: lower.to_owned(), class, capital });
    };
    if let Some(stem) = lower.strip_suffix("n't") {
        let stem = match stem {
            "ca" => "can",
            "wo" => "will",
            "sha" => "shall",
            other => other,
        };
        if !stem.is_empty() {
            push(stem, class_of(stem));
        }
        push("n't", Class::Negator);
    } else if let Some(stem) = lower.strip_suffix("'s") {
        push(stem, class_of(stem));
        // "it's" and "that's" are verbs; "dog's" is a possessive.
        if class_of(stem) != Class::Content {
            push("is", Class::Be);
        }
    } else if let Some((stem, ending)) = lower.split_once('\'')
        && matches!(ending, "re" | "ve" | "ll" | "m" | "d")
    {
        push(stem, class_of(stem));
        match ending {
            "re" | "m" => push("are", Class::Be),
            "ve" => push("have", Class::Have),
            _ => push("will", Class::Modal),
        }
    } else {
        let class = class_of(&lower);
        // "US" and "IT" are names.
        let is_acronym = piece.len() > 1 && piece.chars().all(char::is_uppercase);
        let class = if is_acronym && class == Class::Pronoun { Class::Content } else { class };
        push(&lower, class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sentences(text: &str) -> Vec<&str> {
        sentence_spans(text).into_iter().map(|span| span.of(text)).collect()
    }

    fn words(text: &str) -> Vec<String> {
        let whole = Span { start: 0, end: text.len() };
        tokenize(text, whole).into_iter().map(|token| token.lower).collect()
    }

    #[test]
    fn abbreviations_and_wrapped_lines_end_no_sentence() {
        assert_eq!(
            sentences("Dr. Smith met J. Doe. They spoke."),
            ["Dr. Smith met J. Doe.", "They spoke."]
        );
        assert_eq!(
            sentences("A dog is\na mammal.\nIt barks."),
            ["A dog is\na mammal.", "It barks."]
        );
        assert_eq!(
            sentences("\u{23a}\u{a0}x. Y\u{a0}Mr. Z."),
            ["\u{23a}\u{a0}x.", "Y\u{a0}Mr. Z."]
        );
        assert_eq!(sentences("A title\n\nthen text"), ["A title", "then text"]);
    }

    #[test]
    fn contractions_hyphens_and_possessives_are_split_as_needed() {
        assert_eq!(
            words("It isn\u{2019}t a well-known dog's tail"),
            ["it", "is", "n't", "a", "well-known", "dog", "tail"]
        );
        assert_eq!(words("they're can't"), ["they", "are", "can", "n't"]);
    }

    proptest! {
        #[test]
        fn spans_are_ordered_and_lie_in_the_text(text in any::<String>()) {
            let mut end = 0;
            for sentence in sentence_spans(&text) {
                prop_assert!(end <= sentence.start && sentence.start < sentence.end);
                end = sentence.end;
                prop_assert!(!sentence.of(&text).is_empty());
                for token in tokenize(&text, sentence) {
                    prop_assert!(sentence.start <= token.span.start);
                    prop_assert!(token.span.end <= sentence.end);
                    prop_assert!(!token.span.of(&text).is_empty());
                }
            }
        }
    }
}
