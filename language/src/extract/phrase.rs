//! Noun phrases: where they end, and the name under which all their wordings meet.
//!
//! Invariant: a name is lower case, has no article, its head is singular, and it is never empty.

use std::ops::Range;

use super::Span;
use super::lemma::{is_plural, singular};
use super::lexicon::{Class, is_kind_noun};
use super::token::Token;

/// Words of a group that enter its name, the last ones: names stay short.
const MAX_NAME_WORDS: usize = 6;
/// Items of one list.
const MAX_LIST: usize = 8;

/// A noun phrase.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    pub(super) name: String,
    pub(super) span: Span,
    /// The tokens it covers.
    pub(super) tokens: Range<usize>,
    /// It names a thing rather than a property: it has an article, is plural, or is capitalised
    /// inside its sentence.
    pub(super) names_thing: bool,
    /// Its determiner is "no".
    pub(super) negative: bool,
    /// It is "it" or "they", still to be resolved.
    pub(super) anaphor: bool,
}

/// A list of phrases, "A, B and C", and what prepositions hang on it.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) phrases: Vec<Phrase>,
    /// Each preposition with its own phrases, in order.
    pub(super) tails: Vec<(String, Vec<Phrase>)>,
}

/// How to find the number of a phrase's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// By its ending.
    ByEnding,
    /// The verb says that it is singular: "James is" is about one James.
    Singular,
}

/// Reads a phrase that begins at token `start` and ends before `end`.
///
/// Returns `None` where no noun phrase begins.
pub(super) fn read_phrase(
    tokens: &[Token],
    start: usize,
    end: usize,
    head: Head,
) -> Option<Phrase> {
    let class = |i: usize| (i < end).then(|| tokens[i].class);
    if class(start) == Some(Class::Anaphor) {
        return Some(Phrase {
            name: tokens[start].lower.clone(),
            span: tokens[start].span,
            tokens: start..start + 1,
            names_thing: true,
            negative: false,
            anaphor: true,
        });
    }
    let mut at = start;
    let (mut articled, mut negative) = (false, false);
    loop {
        match class(at)? {
            Class::Determiner => {
                articled |= matches!(tokens[at].lower.as_str(), "a" | "an" | "the");
            }
            Class::NegativeDeterminer => negative = true,
            Class::Adverb => {}
            // "that dog"
            Class::Relative if at == start && tokens[at].lower == "that" => {}
            // "one of the", "some of these"
            Class::Preposition if at > start && tokens[at].lower == "of" => articled = true,
            _ => break,
        }
        at += 1;
    }
    let mut group = group_end(tokens, at, end)?;
    // "a kind of cell" is about cells.
    while is_kind_noun(&singular(&tokens[group - 1].lower))
        && let Some(inner) = after_of(tokens, group, end)
    {
        (at, articled) = (inner, true);
        group = group_end(tokens, inner, end)?;
    }
    let plural = is_plural(&tokens[group - 1].lower);
    let proper = tokens[group - 1].capital && group > 1;
    let mut name = group_name(&tokens[at..group], head);
    let mut last = group;
    if let Some(inner) = after_of(tokens, group, end)
        && let Some(inner_end) = group_end(tokens, inner, end)
    {
        name.push_str(" of ");
        name.push_str(&group_name(&tokens[inner..inner_end], Head::ByEnding));
        last = inner_end;
    }
    Some(Phrase {
        name,
        span: Span { start: tokens[at].span.start, end: tokens[last - 1].span.end },
        tokens: start..last,
        names_thing: articled || plural || proper,
        negative,
        anaphor: false,
    })
}

/// One past the content words that begin at `start`; `None` if there is none.
fn group_end(tokens: &[Token], start: usize, end: usize) -> Option<usize> {
    let words = (start..end).take_while(|&i| tokens[i].class == Class::Content).count();
    (words > 0).then_some(start + words)
}

/// The first content word after "of" and its articles, if "of" stands at `at`.
fn after_of(tokens: &[Token], at: usize, end: usize) -> Option<usize> {
    if at >= end || tokens[at].lower != "of" {
        return None;
    }
    let skipped = (at + 1..end).take_while(|&i| tokens[i].class == Class::Determiner).count();
    let start = at + 1 + skipped;
    (start < end && tokens[start].class == Class::Content).then_some(start)
}

/// The name of a group of content words, whose last one is the head.
fn group_name(words: &[Token], head: Head) -> String {
    let is_number = |token: &Token| token.lower.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // "4 chambers" is about chambers.
    let words = if words.len() > 1 && is_number(&words[0]) { &words[1..] } else { words };
    let words = &words[words.len().saturating_sub(MAX_NAME_WORDS)..];
    let (last, before) = words.split_last().expect("a group has a word");
    let mut name = String::new();
    for word in before {
        name.push_str(&word.lower);
        name.push(' ');
    }
    // "United States" and "Great Lakes" are names as they are. A lone capitalised plural is reduced
    // wherever it stands, since at the opening of a sentence nothing tells a name from a noun.
    let is_name = last.capital && before.last().is_some_and(|word| word.capital);
    if head == Head::Singular || is_name {
        name.push_str(&last.lower);
    } else {
        name.push_str(&singular(&last.lower));
    }
    name
}

/// Reads the list of phrases that begins at `start`, up to what can't belong to it.
pub(super) fn read_list(tokens: &[Token], start: usize, end: usize, head: Head) -> List {
    let mut list = List::default();
    let mut at = start;
    while list.phrases.len() < MAX_LIST && list.tails.len() < MAX_LIST {
        let Some(phrase) = read_phrase(tokens, at, end, head) else { break };
        at = phrase.tokens.end;
        match list.tails.last_mut() {
            Some((_, phrases)) if phrases.len() == MAX_LIST => break,
            Some((_, phrases)) => phrases.push(phrase),
            None => list.phrases.push(phrase),
        }
        let separators =
            (at..end).take_while(|&i| matches!(tokens[i].class, Class::Comma | Class::And)).count();
        at += separators;
        if at < end && tokens[at].class == Class::Preposition {
            list.tails.push((tokens[at].lower.clone(), Vec::new()));
            at += 1;
        } else if separators == 0 {
            break;
        }
    }
    list
}
