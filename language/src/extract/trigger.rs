//! Verbs and fixed phrases that relate what stands before them to what stands after.
//!
//! Invariant: a trigger covers at least one token, and triggers don't overlap.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::RelationKind::{self, Causal, Compositional, Hierarchical, Semantic, Temporal};
use super::lemma::{is_plural, third_person, third_person_of_past};
use super::lexicon::Class;
use super::token::Token;

/// Confidence of a relation by a known phrase, of one by a known verb, and of a guessed verb.
const KNOWN_PHRASE: f32 = 0.9;
const KNOWN_VERB: f32 = 0.8;
const GUESSED_VERB: f32 = 0.5;
/// What "may" leaves of a confidence.
const POSSIBILITY: f32 = 0.6;

/// A place in a sentence where a relation is stated.
#[derive(Debug, Clone)]
pub(super) struct Trigger {
    /// First token.
    pub(super) start: usize,
    /// One past the last token.
    pub(super) end: usize,
    pub(super) relation: String,
    pub(super) kind: RelationKind,
    /// What stands before it is the relation's object: "is caused by".
    pub(super) reversed: bool,
    pub(super) negated: bool,
    pub(super) confidence: f32,
    /// The verb form says that the subject is singular.
    pub(super) singular: bool,
    pub(super) shape: Shape,
}

/// What is to be read around a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    /// "be": the object decides between kind and property.
    Copula,
    /// "converts A into B" says something of A and B too.
    Conversion,
}

/// Whether a phrase stands with a form of "be" before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Active,
    /// Needs "be": participles, places, and nouns.
    AfterBe,
    /// Stands with and without: "X is followed by Y", "X, followed by Y".
    Either,
}

/// A known phrase.
#[derive(Debug)]
struct Pattern {
    /// Forms of its first word, and the words after it.
    first: &'static str,
    tail: &'static str,
    voice: Voice,
    relation: &'static str,
    kind: RelationKind,
    reversed: bool,
}

const fn active(
    first: &'static str,
    tail: &'static str,
    relation: &'static str,
    kind: RelationKind,
) -> Pattern {
    Pattern { first, tail, voice: Voice::Active, relation, kind, reversed: false }
}

impl Pattern {
    const fn after_be(mut self) -> Self {
        self.voice = Voice::AfterBe;
        self
    }

    const fn either(mut self) -> Self {
        self.voice = Voice::Either;
        self
    }

    const fn reversed(mut self) -> Self {
        self.reversed = true;
        self
    }
}

/// The known phrases; of those that fit, the one with the longest tail wins.
static PATTERNS: &[Pattern] = &[
    active("cause causes caused causing", "", "causes", Causal),
    active("caused", "by", "causes", Causal).either().reversed(),
    active("due", "to", "causes", Causal).after_be().reversed(),
    active("lead leads led leading", "to", "leads_to", Causal),
    active("result results resulted resulting", "in", "results_in", Causal),
    active("result results resulted resulting", "from", "results_in", Causal).reversed(),
    active("stem stems stemmed arise arises arose", "from", "causes", Causal).reversed(),
    active("bring brings brought", "about", "causes", Causal),
    active("give gives gave", "rise to", "gives_rise_to", Causal),
    active("contribute contributes contributed", "to", "contributes_to", Causal),
    active("trigger triggers triggered", "", "triggers", Causal),
    active("triggered", "by", "triggers", Causal).either().reversed(),
    active("induce induces induced", "", "induces", Causal),
    active("produce produces produced producing", "", "produces", Causal),
    active("produced", "by", "produces", Causal).either().reversed(),
    active("generate generates generated generating", "", "generates", Causal),
    active("create creates created creating", "", "creates", Causal),
    active("make makes made making", "", "makes", Causal),
    active("made", "by", "makes", Causal).either().reversed(),
    active("prevent prevents prevented preventing", "", "prevents", Causal),
    active("increase increases increased", "", "increases", Causal),
    active("reduce reduces reduced", "", "reduces", Causal),
    active("affect affects affected", "", "affects", Causal),
    active("influence influences influenced", "", "influences", Causal),
    active("cause causes", "of", "causes", Causal).after_be(),
    active("result results effect effects consequence consequences", "of", "causes", Causal)
        .after_be()
        .reversed(),
    active("such", "as", "is_a", Hierarchical).either().reversed(),
    active("become becomes became becoming", "", "becomes", Semantic),
    active("called named", "", "known_as", Semantic).after_be(),
    active("known", "as", "known_as", Semantic).either(),
    active("part parts component components", "of", "part_of", Compositional).after_be(),
    active("member members", "of", "member_of", Compositional).after_be(),
    active("belong belongs belonged", "to", "belongs_to", Compositional),
    active("contain contains contained containing", "", "contains", Compositional),
    active("include includes included", "", "includes", Compositional),
    active("comprise comprises comprised", "", "comprises", Compositional),
    active("consist consists consisted consisting", "of", "consists_of", Compositional),
    active("composed comprised", "of", "made_of", Compositional).either(),
    active("made", "of", "made_of", Compositional).either(),
    active("made", "from", "made_of", Compositional).either(),
    active("made", "up of", "made_of", Compositional).either(),
    active(
        "come comes came happen happens happened occur occurs occurred",
        "before",
        "before",
        Temporal,
    ),
    active(
        "come comes came happen happens happened occur occurs occurred",
        "after",
        "before",
        Temporal,
    )
    .reversed(),
    active("take takes took", "place before", "before", Temporal),
    active("take takes took", "place after", "before", Temporal).reversed(),
    active("precede precedes preceded", "", "before", Temporal),
    active("preceded", "by", "before", Temporal).either().reversed(),
    active("follow follows followed", "", "before", Temporal).reversed(),
    active("followed", "by", "before", Temporal).either(),
    active("before", "", "before", Temporal).after_be(),
    active("after", "", "before", Temporal).after_be().reversed(),
    active("convert converts converted converting", "", "converts", Causal),
    active("transform transforms transformed transforming", "", "transforms", Causal),
    active("turn turns turned turning", "", "turns", Causal),
    active("turn turns turned", "into", "becomes", Causal),
    active("use uses used using", "", "uses", Semantic),
    active("used", "for", "used_for", Semantic).either(),
    active("used", "in", "used_in", Semantic).either(),
    active("used", "by", "uses", Semantic).either().reversed(),
    active("need needs needed require requires required", "", "requires", Semantic),
    active("depend depends depended rely relies relied", "on", "depends_on", Semantic),
    active("live lives lived", "in", "lives_in", Semantic),
    active("born", "in", "born_in", Semantic).after_be(),
    active("located found situated based", "in", "located_in", Semantic).either(),
    active("located found situated based", "at", "located_in", Semantic).either(),
    active("located found situated based", "on", "located_in", Semantic).either(),
    active("in at on inside within near", "", "located_in", Semantic).after_be(),
    active("come comes came", "from", "comes_from", Semantic),
    active("from", "", "comes_from", Semantic).after_be(),
    active("similar", "to", "similar_to", Semantic).after_be(),
    active("related", "to", "related_to", Semantic).either(),
];

static BY_FIRST: LazyLock<HashMap<&str, Vec<&Pattern>>> = LazyLock::new(|| {
    let mut by_first: HashMap<&str, Vec<&Pattern>> = HashMap::new();
    for pattern in PATTERNS {
        for form in pattern.first.split_whitespace() {
            by_first.entry(form).or_default().push(pattern);
        }
    }
    by_first
});

/// Verbs that are rarely nouns, in their base form: known anywhere.
const VERBS: &str = "absorb dissolve eat drink chase kill protect provide own invent discover develop \
    describe explain define store release emit reflect carry transmit receive connect surround enter \
    govern operate defeat buy sell treat cure heal infect destroy repair cook bake grow pollinate feed \
    breathe attract repel regulate digest melt freeze boil orbit represent symbolize symbolise involve \
    allow enable inhibit catalyze catalyse encode bind replace remove add give keep show reveal prove \
    know love hate admire teach learn write build drive wear marry adopt publish compose design direct \
    found paint win conquer occupy inhabit host employ acquire sponsor supply consume secrete excrete \
    resemble differ join support link transport filter pump teach study hunt speak visit border cover";

/// Pasts and participles without a rule, with their third person.
const IRREGULAR_PASTS: &[(&str, &str)] = &[
    ("ate", "eats"),
    ("eaten", "eats"),
    ("drank", "drinks"),
    ("wrote", "writes"),
    ("written", "writes"),
    ("built", "builds"),
    ("drove", "drives"),
    ("driven", "drives"),
    ("gave", "gives"),
    ("given", "gives"),
    ("grew", "grows"),
    ("grown", "grows"),
    ("won", "wins"),
    ("sold", "sells"),
    ("bought", "buys"),
    ("taught", "teaches"),
    ("wore", "wears"),
    ("worn", "wears"),
    ("bound", "binds"),
    ("fed", "feeds"),
    ("kept", "keeps"),
    ("shown", "shows"),
    ("showed", "shows"),
    ("proven", "proves"),
    ("knew", "knows"),
    ("known", "knows"),
    ("spoke", "speaks"),
    ("spoken", "speaks"),
    ("froze", "freezes"),
    ("frozen", "freezes"),
];

/// Every form of the known verbs, with the third person.
static VERB_FORMS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut forms = HashMap::new();
    for base in VERBS.split_whitespace() {
        let third = third_person(base);
        let past = match (base.strip_suffix('e'), base.strip_suffix('y')) {
            (Some(stem), _) => format!("{stem}ed"),
            (_, Some(stem)) if third.ends_with("ies") => format!("{stem}ied"),
            _ => format!("{base}ed"),
        };
        for form in [base.to_owned(), past, third.clone()] {
            forms.insert(form, third.clone());
        }
    }
    for &(form, third) in IRREGULAR_PASTS {
        forms.insert(form.to_owned(), third.to_owned());
    }
    forms
});

/// The triggers of a sentence, in order.
///
/// Verbs are guessed, from endings and neighbours, only where nothing is known: the guess is weak.
pub(super) fn find_triggers(tokens: &[Token]) -> Vec<Trigger> {
    let known = scan(tokens, known_trigger);
    if known.is_empty() { scan(tokens, guessed_trigger) } else { known }
}

fn scan(tokens: &[Token], read: fn(&[Token], usize) -> Option<Trigger>) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match read(tokens, at) {
            Some(trigger) => {
                at = trigger.end;
                triggers.push(trigger);
            }
            None => at += 1,
        }
    }
    triggers
}

/// What the auxiliaries before a verb say.
#[derive(Debug, Default)]
struct Auxiliaries {
    /// One past them.
    end: usize,
    negated: bool,
    possible: bool,
    singular: bool,
    /// The last of them, adverbs and negators aside.
    last: Option<Class>,
}

impl Auxiliaries {
    fn be(&self) -> bool {
        self.last == Some(Class::Be)
    }
}

fn read_auxiliaries(tokens: &[Token], start: usize) -> Auxiliaries {
    let mut read = Auxiliaries { end: start, ..Auxiliaries::default() };
    while let Some(token) = tokens.get(read.end) {
        match token.class {
            Class::Be | Class::Have | Class::Modal | Class::MayModal => {
                if read.last.is_none() {
                    read.singular = matches!(token.lower.as_str(), "is" | "was" | "has" | "does");
                }
                read.possible |= token.class == Class::MayModal;
                read.last = Some(token.class);
            }
            Class::Negator => read.negated = true,
            Class::Adverb => {}
            _ => break,
        }
        read.end += 1;
    }
    read
}

/// A known phrase or verb, with its auxiliaries, that begins at `start`.
fn known_trigger(tokens: &[Token], start: usize) -> Option<Trigger> {
    let auxiliaries = read_auxiliaries(tokens, start);
    let at = auxiliaries.end;
    let known = match_pattern(tokens, at, &auxiliaries)
        .or_else(|| match_noun_pattern(tokens, at, &auxiliaries))
        .or_else(|| match_verb(tokens, at, &auxiliaries));
    let mut trigger = known.or_else(|| {
        // "be" and "have" as full verbs.
        let (relation, kind, shape) = match auxiliaries.last {
            Some(Class::Be) => ("is_a", Hierarchical, Shape::Copula),
            Some(Class::Have) => ("has", Compositional, Shape::Plain),
            _ => return None,
        };
        Some(Trigger { shape, ..plain(at, relation, kind, KNOWN_PHRASE) })
    })?;
    trigger.start = start;
    trigger.negated = auxiliaries.negated;
    trigger.singular |= auxiliaries.singular;
    if auxiliaries.possible {
        trigger.confidence *= POSSIBILITY;
    }
    Some(trigger)
}

/// A trigger that ends at `end`; its beginning and auxiliaries are still to be filled in.
fn plain(end: usize, relation: &str, kind: RelationKind, confidence: f32) -> Trigger {
    Trigger {
        start: end,
        end,
        relation: relation.to_owned(),
        kind,
        reversed: false,
        negated: false,
        confidence,
        singular: false,
        shape: Shape::Plain,
    }
}

/// The longest pattern whose first word stands at `at`.
fn match_pattern(tokens: &[Token], at: usize, auxiliaries: &Auxiliaries) -> Option<Trigger> {
    let first = tokens.get(at)?;
    let fits = |pattern: &&&Pattern| {
        let voice = match pattern.voice {
            Voice::Active => !auxiliaries.be() || first.lower.ends_with("ing"),
            Voice::AfterBe => auxiliaries.be(),
            Voice::Either => true,
        };
        let mut tail = pattern.tail.split_whitespace().zip(at + 1..);
        voice && tail.all(|(word, i)| tokens.get(i).is_some_and(|token| token.lower == word))
    };
    let patterns = BY_FIRST.get(first.lower.as_str())?;
    let pattern = patterns.iter().filter(fits).max_by_key(|pattern| pattern.tail.len())?;
    // "the cause", "a result": a noun.
    if pattern.voice == Voice::Active && follows_determiner(tokens, at) {
        return None;
    }
    let end = at + 1 + pattern.tail.split_whitespace().count();
    let shape = match pattern.relation {
        "converts" | "transforms" | "turns" => Shape::Conversion,
        _ => Shape::Plain,
    };
    let singular = first.lower.ends_with('s') && pattern.voice == Voice::Active;
    let reversed = pattern.reversed;
    let trigger = plain(end, pattern.relation, pattern.kind, KNOWN_PHRASE);
    Some(Trigger { reversed, singular, shape, ..trigger })
}

fn follows_determiner(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| {
        matches!(tokens[before].class, Class::Determiner | Class::NegativeDeterminer)
    })
}

/// "is a part of", "is the main cause of": a noun pattern behind its article and one adjective.
fn match_noun_pattern(tokens: &[Token], at: usize, auxiliaries: &Auxiliaries) -> Option<Trigger> {
    if !auxiliaries.be() || tokens.get(at)?.class != Class::Determiner {
        return None;
    }
    [at + 1, at + 2].into_iter().find_map(|noun| {
        let is_noun = |pattern: &&Pattern| pattern.tail == "of" && pattern.voice == Voice::AfterBe;
        let word = tokens.get(noun).filter(|token| token.class == Class::Content)?;
        let known = BY_FIRST.get(word.lower.as_str())?;
        known.iter().copied().find(is_noun)?;
        match_pattern(tokens, noun, auxiliaries)
    })
}

/// A known verb, or any regular participle with "be" before and "by" behind it.
fn match_verb(tokens: &[Token], at: usize, auxiliaries: &Auxiliaries) -> Option<Trigger> {
    let verb = tokens.get(at).filter(|token| token.class == Class::Content)?;
    let next = tokens.get(at + 1);
    let known = VERB_FORMS.get(&verb.lower).cloned();
    if auxiliaries.be() {
        let passive = next.is_some_and(|token| token.lower == "by");
        let third = known.or_else(|| third_person_of_past(&verb.lower)).filter(|_| passive)?;
        return Some(Trigger { reversed: true, ..plain(at + 2, &third, Semantic, KNOWN_VERB) });
    }
    let third = known?;
    if follows_determiner(tokens, at) {
        return None;
    }
    let singular = verb.lower == third;
    let preposition = next.filter(|token| {
        matches!(token.lower.as_str(), "to" | "with" | "on" | "from" | "for" | "against")
    });
    let trigger = match preposition {
        Some(token) => plain(at + 2, &format!("{third}_{}", token.lower), Semantic, KNOWN_VERB),
        None => plain(at + 1, &third, Semantic, KNOWN_VERB),
    };
    Some(Trigger { singular, ..trigger })
}

/// A word at `start` that its place makes a verb: "dogs guard sheep", "the dog guards a house".
fn guessed_trigger(tokens: &[Token], start: usize) -> Option<Trigger> {
    let auxiliaries = read_auxiliaries(tokens, start);
    let at = auxiliaries.end;
    let subject = tokens.get(start.checked_sub(1)?)?;
    let (verb, next) = (tokens.get(at)?, tokens.get(at + 1)?);
    let is_word = verb.class == Class::Content
        && subject.class == Class::Content
        && !verb.capital
        && verb.lower.len() > 2
        && verb.lower.bytes().all(|b| b.is_ascii_lowercase());
    if !is_word {
        return None;
    }
    let object_follows = matches!(next.class, Class::Determiner | Class::Content);
    let inflected = next.class == Class::Determiner || next.capital;
    let (third, singular) = if auxiliaries.last.is_some() && object_follows {
        (third_person(&verb.lower), false)
    } else if inflected && verb.lower.ends_with('s') && is_plural(&verb.lower) {
        (verb.lower.clone(), true)
    } else if inflected && let Some(third) = third_person_of_past(&verb.lower) {
        (third, false)
    } else if object_follows && is_plural(&subject.lower) && !is_plural(&verb.lower) {
        (third_person(&verb.lower), false)
    } else {
        return None;
    };
    let mut trigger = plain(at + 1, &third, Semantic, GUESSED_VERB);
    (trigger.start, trigger.negated, trigger.singular) = (start, auxiliaries.negated, singular);
    if auxiliaries.possible {
        trigger.confidence *= POSSIBILITY;
    }
    Some(trigger)
}
