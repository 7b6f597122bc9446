//! Reading WordNet's `data.*` files (the format of the manual page `wndb(5)`).
//!
//! Invariant: a line that does not follow the format is an error that names file and line. What is
//! written has one concept a synset, in the order noun, verb, adjective, adverb and by offset, and one
//! association a pointer, in the order of the file.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

/// The files, with the letter that their concepts' ids start with.
pub(crate) const FILES: [(&str, char); 4] =
    [("data.noun", 'n'), ("data.verb", 'v'), ("data.adj", 'a'), ("data.adv", 'r')];

/// One synset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Synset {
    /// Part of speech and offset, such as `n02084071`.
    pub(crate) id: String,
    /// The words that mean it, the most frequent first.
    pub(crate) words: Vec<String>,
    /// What they mean, and examples.
    pub(crate) gloss: String,
    /// The synsets that it points to: id and type.
    pub(crate) pointers: Vec<(String, &'static str)>,
}

impl Synset {
    /// The line of concepts.jsonl, without its end.
    pub(crate) fn to_json(&self) -> String {
        // Python's separators: the files of both makers can be compared byte by byte.
        let words: Vec<String> = self.words.iter().map(|word| json!(word).to_string()).collect();
        format!(
            "{{\"id\": {}, \"words\": [{}], \"gloss\": {}}}",
            json!(self.id),
            words.join(", "),
            json!(self.gloss)
        )
    }
}

/// Parses one of the files; `name` is for error messages, `letter` is its part of speech.
///
/// # Errors
///
/// When a line breaks the format.
pub(crate) fn parse(name: &str, letter: char, text: &str) -> Result<Vec<Synset>> {
    text.lines()
        .enumerate()
        // The licence, in front, is indented.
        .filter(|(_, line)| !line.starts_with("  "))
        .map(|(index, line)| {
            parse_line(letter, line).with_context(|| format!("{name}:{}", index + 1))
        })
        .collect()
}

fn parse_line(letter: char, line: &str) -> Result<Synset> {
    let (data, gloss) = line.split_once(" | ").context("no gloss")?;
    let mut fields = data.split(' ');
    let mut next =
        |what: &str| fields.next().with_context(|| format!("the line ends before {what}"));

    let offset = next("the offset")?;
    ensure!(
        offset.len() == 8 && offset.bytes().all(|byte| byte.is_ascii_digit()),
        "offset {offset}"
    );
    next("the file number")?;
    next("the type")?;
    let word_count = u32::from_str_radix(next("the word count")?, 16).context("word count")?;
    let mut words = Vec::new();
    for _ in 0..word_count {
        words.push(plain_word(next("a word")?));
        next("a lexical id")?;
    }
    let pointer_count: u32 = next("the pointer count")?.parse().context("pointer count")?;
    let mut pointers = Vec::new();
    for _ in 0..pointer_count {
        let symbol = next("a pointer's symbol")?;
        let target = next("a pointer's offset")?;
        let target_letter = match next("a pointer's part of speech")? {
            "n" => 'n',
            "v" => 'v',
            "a" | "s" => 'a',
            "r" => 'r',
            other => bail!("part of speech {other}"),
        };
        next("a pointer's words")?;
        pointers.push((format!("{target_letter}{target}"), association_type(letter, symbol)?));
    }
    // Verb frames may follow; they are about syntax, not about the world.
    Ok(Synset { id: format!("{letter}{offset}"), words, gloss: gloss.trim().to_owned(), pointers })
}

/// A word as it is written: spaces for underscores, without an adjective's position mark.
fn plain_word(word: &str) -> String {
    let bare =
        ["(a)", "(p)", "(ip)"].into_iter().find_map(|mark| word.strip_suffix(mark)).unwrap_or(word);
    bare.replace('_', " ")
}

/// The association type of a pointer symbol; a backslash differs between adjectives and adverbs in
/// name only.
fn association_type(letter: char, symbol: &str) -> Result<&'static str> {
    Ok(match symbol {
        "!" => "antonym",
        "@" => "hypernym",
        "@i" => "instance_hypernym",
        "~" => "hyponym",
        "~i" => "instance_hyponym",
        "#m" => "member_holonym",
        "#s" => "substance_holonym",
        "#p" => "part_holonym",
        "%m" => "member_meronym",
        "%s" => "substance_meronym",
        "%p" => "part_meronym",
        "=" => "attribute",
        "+" => "derivation",
        ";c" => "topic",
        "-c" => "topic_member",
        ";r" => "region",
        "-r" => "region_member",
        ";u" => "usage",
        "-u" => "usage_member",
        "*" => "entailment",
        ">" => "cause",
        "^" => "also_see",
        "$" => "verb_group",
        "&" => "similar_to",
        "<" => "participle",
        "\\" => "pertainym",
        _ => bail!("no association type for the pointer `{symbol}` of part of speech {letter}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOG: &str = "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 003 \
        @ 02083346 n 0000 #m 02083863 n 0000 %p 02158846 n 0000 | a \"good\" one  ";
    const ADJECTIVE: &str =
        "00003131 00 s 01 adducent(p) 0 002 ! 00002956 a 0101 \\ 01449254 n 0201 | g";
    const VERB: &str =
        "00006238 29 v 01 spit_up 0 001 ~ 00005815 v 0000 02 + 02 00 + 08 00 | h; \"i | j\"";

    #[test]
    fn a_synset_is_read_whole() {
        let text = format!("  1 The licence.  \n{DOG}\n");
        let synsets = parse("data.noun", 'n', &text).expect("well-formed");
        let expected = Synset {
            id: "n02084071".to_owned(),
            words: ["dog", "domestic dog", "Canis familiaris"].map(str::to_owned).to_vec(),
            gloss: "a \"good\" one".to_owned(),
            pointers: vec![
                ("n02083346".to_owned(), "hypernym"),
                ("n02083863".to_owned(), "member_holonym"),
                ("n02158846".to_owned(), "part_meronym"),
            ],
        };
        assert_eq!(synsets, [expected]);
        let line = synsets[0].to_json();
        assert_eq!(
            line,
            r#"{"id": "n02084071", "words": ["dog", "domestic dog", "Canis familiaris"], "gloss": "a \"good\" one"}"#
        );
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn an_adjectives_mark_goes_and_a_satellite_is_an_adjective() {
        let synsets = parse("data.adj", 'a', ADJECTIVE).expect("well-formed");
        assert_eq!(synsets[0].words, ["adducent"]);
        assert_eq!(synsets[0].id, "a00003131");
        assert_eq!(
            synsets[0].pointers,
            [("a00002956".to_owned(), "antonym"), ("n01449254".to_owned(), "pertainym")]
        );
    }

    #[test]
    fn verb_frames_are_left_out_and_a_gloss_may_hold_a_bar() {
        let synsets = parse("data.verb", 'v', VERB).expect("well-formed");
        assert_eq!(synsets[0].pointers, [("v00005815".to_owned(), "hyponym")]);
        assert_eq!(synsets[0].gloss, "h; \"i | j\"");
    }

    #[test]
    fn a_broken_line_is_an_error_that_names_file_and_line() {
        for (text, reason) in [
            ("02084071 05 n 01 dog 0 000", "no gloss"),
            ("0208407 05 n 01 dog 0 000 | g", "offset 0208407"),
            ("02084071 05 n 02 dog 0 | g", "the line ends before a word"),
            ("02084071 05 n 01 dog 0 001 ? 02083346 n 0000 | g", "no association type"),
            ("02084071 05 n 01 dog 0 001 @ 02083346 x 0000 | g", "part of speech x"),
        ] {
            let error = parse("data.noun", 'n', text).expect_err(reason);
            let message = format!("{error:#}");
            assert!(message.starts_with("data.noun:1: "), "{message}");
            assert!(message.contains(reason), "{message}");
        }
    }
}
