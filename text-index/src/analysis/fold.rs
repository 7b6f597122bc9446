//! Folding of one word beyond ASCII: case, compatibility forms and, for English, accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::Language;

/// Appends the folded form of `word` to `out`. It may be empty.
pub(super) fn fold(word: &str, language: Language, out: &mut String) {
    let decomposed = word.nfkd().filter(|&letter| !is_ignorable(letter));
    match language {
        Language::Simple => {
            // Decomposed first so that the dot of a lower-cased `İ` can be told from other marks.
            let mut after_i = false;
            let lower = decomposed.flat_map(char::to_lowercase).filter(move |&letter| {
                let keep = !(after_i && letter == '\u{307}');
                if canonical_combining_class(letter) == 0 {
                    after_i = letter == 'i';
                }
                keep
            });
            out.extend(lower.flat_map(|letter| expand_case(letter).chars_or(letter)).nfkc());
        }
        Language::English => {
            let lower = decomposed
                .filter(|letter| !('\u{300}'..='\u{36f}').contains(letter))
                .flat_map(char::to_lowercase)
                .filter(|letter| !('\u{300}'..='\u{36f}').contains(letter));
            out.extend(
                lower
                    .flat_map(|letter| {
                        let expanded = expand_case(letter);
                        let expanded =
                            if expanded.is_empty() { expand_letter(letter) } else { expanded };
                        expanded.chars_or(letter)
                    })
                    .nfkc(),
            );
        }
    }
}

/// Case folding where it is not lower-casing; empty for all other letters.
fn expand_case(letter: char) -> &'static str {
    match letter {
        'ß' => "ss",
        'ς' => "σ",
        _ => "",
    }
}

/// Latin letters that carry their accent inside; empty for all others.
fn expand_letter(letter: char) -> &'static str {
    match letter {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ŧ' => "t",
        'þ' => "th",
        _ => "",
    }
}

/// Characters that are written but not seen: joiners, direction marks, variation selectors.
fn is_ignorable(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

trait CharsOr {
    /// The characters of the text, or `letter` alone when it is empty.
    fn chars_or(self, letter: char) -> impl Iterator<Item = char>;
}

impl CharsOr for &'static str {
    fn chars_or(self, letter: char) -> impl Iterator<Item = char> {
        self.chars().chain(self.is_empty().then_some(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(word: &str, language: Language) -> String {
        let mut out = String::new();
        fold(word, language, &mut out);
        out
    }

    #[test]
    fn spellings_of_one_word_fold_together() {
        for (language, groups) in [
            (
                Language::Simple,
                [
                    &["É", "é", "e\u{301}", "E\u{301}"][..],
                    &["STRASSE", "straße", "STRAẞE"],
                    &["İzmir", "izmir", "i\u{307}zmir"],
                    &["ΣΟΦΟΣ", "σοφος", "σοφοσ"],
                    &["ｆｕｌｌ", "full", "FULL"],
                    &["ﬁne", "fine", "fi\u{ad}ne", "fine\u{fe0f}"],
                ],
            ),
            (
                Language::English,
                [
                    &["naïve", "naive", "NAI\u{308}VE"][..],
                    &["Łódź", "lodz"],
                    &["Æsir", "aesir"],
                    &["İstanbul", "istanbul", "ıstanbul"],
                    &["Việt", "viet"],
                    &["ガ", "ｶﾞ", "カ\u{3099}"],
                ],
            ),
        ] {
            for group in groups {
                for word in group {
                    assert_eq!(folded(word, language), folded(group[0], language), "{word}");
                }
            }
        }
    }

    #[test]
    fn different_words_stay_apart() {
        assert_ne!(folded("résumé", Language::Simple), folded("resume", Language::Simple));
        assert_ne!(folded("が", Language::English), folded("か", Language::English));
        assert_ne!(folded("हिन्दी", Language::English), folded("हनद", Language::English));
        assert_eq!(folded("한국", Language::English), "한국");
    }
}
