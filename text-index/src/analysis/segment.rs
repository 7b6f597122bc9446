//! Segmentation: text to folded words, with their positions.
//!
//! Invariant: ASCII text takes a path of its own that gives exactly the words of the general one.
//! Text is handled between white space, so that one foreign word does not slow its neighbours.

use unicode_segmentation::UnicodeSegmentation;

use super::{Language, MAX_TERM_BYTES, fold::fold};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Separator,
    Letter,
    Digit,
    Apostrophe,
    /// Part of a number when between digits.
    Point,
}

const CLASSES: [Class; 128] = {
    let mut classes = [Class::Separator; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Apostrophe,
            b'.' | b',' => Class::Point,
            _ => Class::Separator,
        };
        byte += 1;
    }
    classes
};

/// Whether a mark with class `joint` between `before` and `after` keeps a word together.
fn joins(before: Class, joint: Class, after: Class) -> bool {
    match joint {
        Class::Apostrophe => before == Class::Letter && after == Class::Letter,
        Class::Point => before == Class::Digit && after == Class::Digit,
        _ => false,
    }
}

/// Cuts and folds; kept between texts for its buffers.
#[derive(Default)]
pub(super) struct Segmenter {
    word: String,
    pair: String,
    /// The unit before in a script without spaces, while the next one may follow directly.
    unit: String,
}

impl Segmenter {
    /// Calls `emit` with each folded word of `text` and its position.
    pub(super) fn run(&mut self, text: &str, language: Language, emit: &mut impl FnMut(&str, u32)) {
        let bytes = text.as_bytes();
        let mut position = 0;
        let mut start = 0;
        while start < bytes.len() {
            let mut end = start;
            let mut all = 0;
            while end < bytes.len() && !bytes[end].is_ascii_whitespace() {
                all |= bytes[end];
                end += 1;
            }
            if all < 0x80 {
                self.run_ascii(&bytes[start..end], &mut position, emit);
            } else {
                self.run_unicode(&text[start..end], language, &mut position, emit);
            }
            start = end + 1;
        }
    }

    fn run_ascii(&mut self, bytes: &[u8], position: &mut u32, emit: &mut impl FnMut(&str, u32)) {
        let class =
            |at: usize| bytes.get(at).map_or(Class::Separator, |&b| CLASSES[usize::from(b & 0x7f)]);
        let mut at = 0;
        while at < bytes.len() {
            if !matches!(class(at), Class::Letter | Class::Digit) {
                at += 1;
                continue;
            }
            let start = at;
            at += 1;
            loop {
                match class(at) {
                    Class::Letter | Class::Digit => at += 1,
                    joint if joins(class(at - 1), joint, class(at + 1)) => at += 2,
                    _ => break,
                }
            }
            let word = &bytes[start..at.min(start + MAX_TERM_BYTES)];
            self.word.clear();
            self.word.extend(word.iter().map(|&byte| char::from(byte.to_ascii_lowercase())));
            emit(&self.word, *position);
            *position = position.saturating_add(1);
        }
    }

    fn run_unicode(
        &mut self,
        text: &str,
        language: Language,
        position: &mut u32,
        emit: &mut impl FnMut(&str, u32),
    ) {
        self.unit.clear();
        for segment in text.split_word_bounds() {
            let Some(first) = segment.chars().next() else { continue };
            if is_unspaced(first) {
                self.run_unspaced(segment, language, position, emit);
                continue;
            }
            self.unit.clear();
            if is_pictograph(first) {
                self.emit_word(segment, language, position, emit);
                continue;
            }
            self.run_words(segment, language, position, emit);
        }
    }

    /// The words of one segment: runs of letters, digits and marks, as the ASCII path cuts them.
    fn run_words(
        &mut self,
        segment: &str,
        language: Language,
        position: &mut u32,
        emit: &mut impl FnMut(&str, u32),
    ) {
        let mut start = None;
        let mut before = Class::Separator;
        let mut letters = segment.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let class = class_of(letter);
            let inside = match class {
                Class::Letter | Class::Digit => {
                    before = class;
                    true
                }
                // A mark continues the word whatever its letter is.
                _ if start.is_some() && is_continuation(letter) => true,
                _ => {
                    let after = letters.peek().map_or(Class::Separator, |next| class_of(next.1));
                    start.is_some() && joins(before, class, after)
                }
            };
            if inside {
                start.get_or_insert(at);
            } else if let Some(start) = start.take() {
                self.emit_word(&segment[start..at], language, position, emit);
            }
            if !inside {
                before = Class::Separator;
            }
        }
        if let Some(start) = start {
            self.emit_word(&segment[start..], language, position, emit);
        }
    }

    fn emit_word(
        &mut self,
        word: &str,
        language: Language,
        position: &mut u32,
        emit: &mut impl FnMut(&str, u32),
    ) {
        self.word.clear();
        let word = cut(word);
        if word.is_ascii() {
            self.word.push_str(word);
            self.word.make_ascii_lowercase();
        } else {
            fold(word, language, &mut self.word);
            replace_apostrophe(&mut self.word);
            self.word.truncate(cut(&self.word).len());
        }
        if !self.word.is_empty() {
            emit(&self.word, *position);
            *position = position.saturating_add(1);
        }
    }

    /// Each character with its marks, and each pair of neighbours.
    fn run_unspaced(
        &mut self,
        segment: &str,
        language: Language,
        position: &mut u32,
        emit: &mut impl FnMut(&str, u32),
    ) {
        for unit in segment.graphemes(true) {
            self.word.clear();
            fold(cut(unit), language, &mut self.word);
            self.word.truncate(cut(&self.word).len());
            if self.word.is_empty() {
                continue;
            }
            if !unit.chars().any(char::is_alphanumeric) {
                self.unit.clear();
                continue;
            }
            if !self.unit.is_empty() && self.unit.len() + self.word.len() <= MAX_TERM_BYTES {
                self.pair.clear();
                self.pair.push_str(&self.unit);
                self.pair.push_str(&self.word);
                emit(&self.pair, position.saturating_sub(1));
            }
            emit(&self.word, *position);
            *position = position.saturating_add(1);
            std::mem::swap(&mut self.unit, &mut self.word);
        }
    }
}

/// At most [`MAX_TERM_BYTES`] of `word`, whole characters.
fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(MAX_TERM_BYTES)]
}

fn replace_apostrophe(word: &mut String) {
    if word.contains('\u{2019}') {
        *word = word.replace('\u{2019}', "'");
    }
}

fn class_of(letter: char) -> Class {
    match letter {
        '\u{2019}' | '\u{ff07}' => Class::Apostrophe,
        _ if letter.is_ascii() => CLASSES[letter as usize],
        _ if letter.is_numeric() => Class::Digit,
        _ if letter.is_alphanumeric() => Class::Letter,
        _ => Class::Separator,
    }
}

/// Marks and joiners that never end a word.
fn is_continuation(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter)
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Scripts whose words are not set apart by spaces, and Hangul, whose words carry particles.
fn is_unspaced(letter: char) -> bool {
    matches!(u32::from(letter),
        0x0e00..=0x0eff          // Thai, Lao
        | 0x1000..=0x109f        // Burmese
        | 0x1100..=0x11ff        // Hangul jamo
        | 0x1780..=0x17ff        // Khmer
        | 0x2e80..=0x2fdf        // radicals
        | 0x3005..=0x3007
        | 0x3040..=0x318f        // kana, bopomofo, Hangul compatibility jamo
        | 0x31a0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff // Han
        | 0xa960..=0xa97f | 0xac00..=0xd7ff // Hangul
        | 0xf900..=0xfaff
        | 0xff66..=0xffdc        // half-width kana and Hangul
        | 0x1b000..=0x1b16f | 0x20000..=0x3ffff)
}

/// Emoji, pictographs and symbols that people search for.
fn is_pictograph(letter: char) -> bool {
    matches!(u32::from(letter), 0x2190..=0x21ff | 0x2300..=0x23ff | 0x25a0..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str, general: bool) -> Vec<(String, u32)> {
        let mut words = Vec::new();
        let mut emit = |word: &str, position| words.push((word.to_owned(), position));
        let mut segmenter = Segmenter::default();
        if general {
            let mut position = 0;
            segmenter.run_unicode(text, Language::English, &mut position, &mut emit);
        } else {
            segmenter.run(text, Language::English, &mut emit);
        }
        words
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(0x7e47),
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_ascii_path_gives_the_words_of_the_general_one(text in "[ -~\t\n]{0,60}") {
            prop_assert_eq!(words(&text, false), words(&text, true));
        }

        #[test]
        fn dense_punctuation_is_cut_alike(text in "[aB1'.,:;_ -]{0,24}") {
            prop_assert_eq!(words(&text, false), words(&text, true));
        }
    }
}
