//! Uncased BERT's view of a text: clean, accentless, lower-case words.
//!
//! Invariant: the ASCII path and the Unicode path give the same words for an ASCII text.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Calls `visit` with each word of `text`, in order; a punctuation mark is a word of its own.
pub(super) fn for_each_word(text: &str, visit: impl FnMut(&str)) {
    if text.is_ascii() { ascii_words(text, visit) } else { unicode_words(text, visit) }
}

/// [`for_each_word`] where no character needs a table.
fn ascii_words(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::with_capacity(32);
    for byte in text.bytes() {
        match byte {
            b'\t' | b'\n' | b'\r' | b' ' => flush(&mut word, &mut visit),
            0..=0x1f | 0x7f => {}
            _ if byte.is_ascii_punctuation() => {
                flush(&mut word, &mut visit);
                word.push(char::from(byte));
                flush(&mut word, &mut visit);
            }
            _ => word.push(char::from(byte.to_ascii_lowercase())),
        }
    }
    flush(&mut word, &mut visit);
}

/// [`for_each_word`] for any text.
fn unicode_words(text: &str, mut visit: impl FnMut(&str)) {
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_whitespace(character) {
            clean.push(' ');
        } else if is_cjk(character) {
            clean.extend([' ', character, ' ']);
        } else if !is_removed(character) {
            clean.push(character);
        }
    }
    let mut word = String::with_capacity(32);
    let accentless = clean.nfd().filter(|&character| !is_accent(character));
    for character in accentless.flat_map(char::to_lowercase) {
        if character.is_whitespace() {
            flush(&mut word, &mut visit);
        } else if is_punctuation(character) {
            flush(&mut word, &mut visit);
            word.push(character);
            flush(&mut word, &mut visit);
        } else {
            word.push(character);
        }
    }
    flush(&mut word, &mut visit);
}

/// Hands over the word, if there is one, and starts the next.
fn flush(word: &mut String, visit: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        visit(word);
        word.clear();
    }
}

fn is_whitespace(character: char) -> bool {
    // Next line, U+0085, is white space to Unicode and a control character to BERT, which asks for
    // controls first.
    character.is_whitespace() && (!is_removed(character) || matches!(character, '\t' | '\n' | '\r'))
}

/// Characters that BERT drops: controls, format characters (so emoji joiners too) and private ones.
fn is_removed(character: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse};
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character == '\u{fffd}' || matches!(character.general_category(), Control | Format | PrivateUse)
}

fn is_accent(character: char) -> bool {
    !character.is_ascii() && character.general_category() == GeneralCategory::NonspacingMark
}

/// All ASCII symbols count, "$" and "^" too, though Unicode doesn't call these punctuation.
fn is_punctuation(character: char) -> bool {
    use GeneralCategory as Category;
    if character.is_ascii() {
        return character.is_ascii_punctuation();
    }
    matches!(
        character.general_category(),
        Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
    )
}

/// The blocks of ideographs that BERT spaces out. The fifth begins late, as it does in the original.
fn is_cjk(character: char) -> bool {
    matches!(
        character,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b73f}'
            | '\u{2b740}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str, split: impl FnOnce(&str, &mut dyn FnMut(&str))) -> Vec<String> {
        let mut words = Vec::new();
        split(text, &mut |word| words.push(word.to_owned()));
        words
    }

    proptest! {
        #[test]
        fn the_ascii_path_agrees_with_the_unicode_path(text in "[\\x00-\\x7f]{0,80}") {
            prop_assert_eq!(
                words(&text, |t, visit| ascii_words(t, visit)),
                words(&text, |t, visit| unicode_words(t, visit))
            );
        }

        #[test]
        fn words_are_never_empty_and_hold_no_white_space(text in any::<String>()) {
            for word in words(&text, |t, visit| for_each_word(t, visit)) {
                prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace));
            }
        }
    }

    #[test]
    fn ideographs_stand_alone_and_accents_vanish() {
        let found = words("Caf\u{e9}\u{6771}\u{4eac} \u{130}\u{200d}x", |t, visit| {
            for_each_word(t, visit);
        });
        assert_eq!(found, ["cafe", "\u{6771}", "\u{4eac}", "ix"]);
    }
}
