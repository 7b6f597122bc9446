//! Sentences, entities and typed relations of a plain English text, by rules.
//!
//! Sentence by sentence: words ([`token`]) are classed by closed lists ([`lexicon`]), verbs and
//! fixed phrases between two noun phrases become relations ([`trigger`], [`clause`]), and noun
//! phrases are named so that different wordings meet in one name ([`phrase`], [`lemma`]).
//!
//! Invariant: the output is bounded by the input (a sentence gives at most as many relations as it
//! has words), every span lies on character boundaries of the text, and the time is linear in it.

mod clause;
mod lemma;
mod lexicon;
mod phrase;
mod token;
mod trigger;

use clause::read_sentence;
use phrase::Phrase;
use token::{sentence_spans, tokenize};

/// The words of a sentence looked at together. No sentence meant for a reader is longer; a text
/// without full stops is cut here, which keeps the time linear.
const MAX_SENTENCE_WORDS: usize = 200;

/// A range of bytes of the text, on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The part of the text that the span names.
    ///
    /// # Panics
    ///
    /// If `text` is not the text that the span was made for.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        &text[self.start..self.end]
    }
}

/// A sentence, without the white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence {
    /// Where it stands.
    pub span: Span,
}

/// One mention of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The noun phrase in normal form: lower case, singular, without articles. "The Dogs" and "a
    /// dog" are both "dog".
    pub name: String,
    /// Where it is mentioned.
    pub span: Span,
}

/// The five kinds of association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// Any other relation: a property, an action, a place.
    Semantic,
    /// The subject brings the object about.
    Causal,
    /// The subject is earlier than the object.
    Temporal,
    /// The subject is a kind, or an instance, of the object.
    Hierarchical,
    /// Part and whole.
    Compositional,
}

/// A statement of the text: subject, relation, object.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Name of the first entity, as in [`Entity::name`].
    pub subject: String,
    /// Name of the relation: "`is_a`", "`causes`", "`part_of`", "`before`", or a verb in the third
    /// person, "chases".
    pub relation: String,
    /// Name of the second entity.
    pub object: String,
    /// What kind of relation it is.
    pub kind: RelationKind,
    /// Whether the text denies the statement.
    pub negated: bool,
    /// How surely the text says so, in `(0, 1]`: lower for "may", for a guessed verb, and where "it"
    /// was taken for the subject before.
    pub confidence: f32,
    /// The sentence that says so.
    pub sentence: Span,
}

/// What [`extract`] found, each list in the order of the text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extraction {
    /// The sentences.
    pub sentences: Vec<Sentence>,
    /// Each mention of an entity, those outside relations too.
    pub entities: Vec<Entity>,
    /// The statements, without repetition inside a sentence.
    pub relations: Vec<Relation>,
}

/// Finds the sentences, entities and relations of an English text.
///
/// It reads statements whose verb or phrase it knows ("is a", "causes", "leads to", "is part of",
/// "comes before", "converts … into"), and verbs that their place and ending betray. It resolves
/// "it" and "they" to the subject of the sentence before, and splits lists. Questions yield entities
/// only: they assert nothing. Sentences longer than 200 words are read in pieces.
///
/// # Example
///
/// ```
/// use language::{RelationKind, extract};
///
/// let found = extract("Smoking causes lung cancer. It does not lead to baldness.");
/// let facts: Vec<_> = found.relations.iter()
///     .map(|r| (r.subject.as_str(), r.relation.as_str(), r.object.as_str(), r.negated))
///     .collect();
/// assert_eq!(facts, [
///     ("smoking", "causes", "lung cancer", false),
///     ("smoking", "leads_to", "baldness", true),
/// ]);
/// assert_eq!(found.relations[0].kind, RelationKind::Causal);
/// ```
///
/// # Complexity
///
/// Linear in the text; at most one relation a word.
#[must_use]
pub fn extract(text: &str) -> Extraction {
    let mut found = Extraction::default();
    // What "it" and "they" mean: the subjects of the sentence before.
    let mut subjects: Vec<Phrase> = Vec::new();
    for span in sentence_spans(text) {
        found.sentences.push(Sentence { span });
        let tokens = tokenize(text, span);
        for piece in tokens.chunks(MAX_SENTENCE_WORDS) {
            read_sentence(piece, span, &mut subjects, &mut found);
        }
    }
    found
}

#[cfg(test)]
mod tests;
