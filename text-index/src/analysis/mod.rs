//! Analysis: text to terms.
//!
//! Invariant: documents and queries pass through the same rules, and the terms of a run of text are
//! among the terms of any text that contains the run between word boundaries (scripts without
//! spaces: anywhere), so that what was written can be found.

mod fold;
mod segment;
mod stem;
mod stop_words;

use std::cell::Cell;

use self::segment::Segmenter;
use self::stem::StemCache;

/// Longest term in bytes. A longer word is cut, on a character boundary, in documents and queries
/// alike: it stays findable, and words that agree in their first 128 bytes are one term.
pub const MAX_TERM_BYTES: usize = 128;

/// Turns text into terms. Cheap to copy and to share between threads.
///
/// Both analyzers cut text into Unicode words (UAX #29), fold case and compatibility variants
/// (NFKC; `ß` is `ss`), and differ from UAX #29 where finding asks for it:
///
/// - `_`, `:`, `;` and a `.` or `,` that is not between digits separate words; an apostrophe
///   between letters does not (`it's`, `3.14` and `1,000` are one word each, `c++` is `c`,
///   `example.com` is two words).
/// - In scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) and in Hangul, each
///   character and each pair of neighbours is a term, so that any run of them is found.
/// - Emoji and pictographs are terms.
/// - A word over [`MAX_TERM_BYTES`] is cut.
///
/// ```
/// use text_index::Analyzer;
///
/// assert_eq!(Analyzer::english().terms("The cats' naïve dreams"), ["cat", "naiv", "dream"]);
/// assert_eq!(Analyzer::simple().terms("The Straße"), ["the", "strasse"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Analyzer {
    language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    Simple,
    English,
}

impl Analyzer {
    /// Words, case folding, accent folding, without English function words, Snowball stems.
    #[must_use]
    pub const fn english() -> Self {
        Self { language: Language::English }
    }

    /// Words and case folding.
    #[must_use]
    pub const fn simple() -> Self {
        Self { language: Language::Simple }
    }

    /// The name by which [`Analyzer::by_name`] finds this analyzer again: `english` or `simple`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.language {
            Language::Simple => "simple",
            Language::English => "english",
        }
    }

    /// The analyzer of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::english(), Self::simple()].into_iter().find(|analyzer| analyzer.name() == name)
    }

    /// Calls `emit` with each term and its position, in order of position.
    ///
    /// Positions count words from 0, those left out as function words included; a pair of
    /// characters has the position of its first.
    pub fn analyze(&self, text: &str, mut emit: impl FnMut(&str, u32)) {
        let mut scratch = Scratch::take();
        let Scratch { segmenter, stems } = &mut scratch;
        match self.language {
            Language::Simple => segmenter.run(text, self.language, &mut emit),
            Language::English => {
                segmenter.run(text, self.language, &mut |word: &str, position| {
                    stems.with_stem(word, |stem| emit(stem, position));
                });
            }
        }
        scratch.give_back();
    }

    /// The terms of `text`, in order; a term that occurs twice is there twice.
    #[must_use]
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.analyze(text, |term, _| terms.push(term.to_owned()));
        terms
    }
}

/// Buffers that a thread keeps from one text to the next.
#[derive(Default)]
struct Scratch {
    segmenter: Segmenter,
    stems: StemCache,
}

thread_local! {
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

impl Scratch {
    /// The thread's buffers, or new ones while an outer call on this thread holds them.
    fn take() -> Self {
        SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    fn give_back(self) {
        // Fails only while the thread ends; then there is nobody to keep them for.
        SCRATCH.try_with(|cell| cell.set(Some(self))).unwrap_or_default();
    }
}
