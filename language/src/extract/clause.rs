//! Clauses: which phrases a trigger relates.
//!
//! Invariant: one piece of a sentence adds at most as many relations, and as many entities, as it
//! has tokens.

use super::lemma::is_plural;
use super::lexicon::Class;
use super::phrase::{Head, List, Phrase, read_list, read_phrase};
use super::token::Token;
use super::trigger::{Shape, Trigger, find_triggers};
use super::{Entity, Extraction, Relation, RelationKind, Span};

/// Subjects of one trigger.
const MAX_SUBJECTS: usize = 4;
/// What is left of a confidence where "it" was taken for the subject of the sentence before.
const RESOLVED: f32 = 0.8;
/// Of a relation read off "into", and off a place that may belong to another phrase.
const SIDE_STATEMENT: f32 = 0.9;
const LOOSE_PLACE: f32 = 0.5;

/// Reads one sentence, or a piece of an overlong one, and adds what it says to `found`.
///
/// `context` holds the subjects of the sentence before, and receives this one's.
pub(super) fn read_sentence(
    tokens: &[Token],
    sentence: Span,
    context: &mut Vec<Phrase>,
    found: &mut Extraction,
) {
    let mut clauses = Vec::new();
    // A question asserts nothing.
    if tokens.last().is_some_and(|token| token.lower != "?") {
        clauses = read_clauses(tokens, context);
    }

    let mut covered = vec![false; tokens.len()];
    let mut mentions: Vec<Entity> = Vec::new();
    for clause in &clauses {
        covered[clause.trigger.start..clause.trigger.end].fill(true);
        let tails = clause.objects.tails.iter().flat_map(|(_, phrases)| phrases);
        for phrase in clause.subjects.iter().chain(&clause.objects.phrases).chain(tails) {
            if phrase.anaphor || covered[phrase.tokens.start] {
                continue;
            }
            covered[phrase.tokens.clone()].fill(true);
            mentions.push(Entity { name: phrase.name.clone(), span: phrase.span });
        }
    }
    let others = loose_phrases(tokens, &covered);
    mentions.extend(others.iter().map(|p| Entity { name: p.name.clone(), span: p.span }));
    mentions.sort_by_key(|entity| entity.span);
    found.entities.extend(mentions);

    let mut relations: Vec<Relation> = Vec::new();
    for clause in &clauses {
        clause.state(sentence, tokens.len(), &mut relations);
    }
    found.relations.extend(relations);

    let subjects = clauses
        .into_iter()
        .next()
        .map_or_else(|| others.into_iter().take(1).collect(), |clause| clause.subjects);
    if !subjects.is_empty() {
        *context = subjects;
    }
}

/// A trigger with what it relates.
#[derive(Debug)]
struct Clause {
    trigger: Trigger,
    subjects: Vec<Phrase>,
    objects: List,
    /// Factor on the confidence for how the subject was found.
    certainty: f32,
}

/// Where the words before a trigger are divided: up to `objects` they belong to the trigger before.
struct Division {
    objects: usize,
    subject: Subject,
}

enum Subject {
    /// A list that begins at this token.
    From(usize),
    /// The noun right before "which", in the words up to this token.
    Antecedent(usize),
    /// That of the trigger before.
    Inherited,
}

fn read_clauses(tokens: &[Token], context: &[Phrase]) -> Vec<Clause> {
    let triggers = find_triggers(tokens);
    let mut divisions = Vec::with_capacity(triggers.len());
    let mut before = 0;
    let mut in_relative = false;
    for (index, trigger) in triggers.iter().enumerate() {
        let division = divide(tokens, before, trigger.start, index > 0, in_relative);
        in_relative = matches!(division.subject, Subject::Antecedent(_));
        divisions.push(division);
        before = trigger.end;
    }

    let mut clauses: Vec<Clause> = Vec::with_capacity(triggers.len());
    let mut before = 0;
    for (index, trigger) in triggers.iter().enumerate() {
        let division = &divisions[index];
        let head = if trigger.singular { Head::Singular } else { Head::ByEnding };
        let mut subjects = match division.subject {
            Subject::From(start) => subject_list(tokens, start, trigger.start, head),
            Subject::Antecedent(end) => {
                let mut list = read_list(tokens, before, end, head);
                let nearest = list.tails.pop().map_or(list.phrases, |(_, phrases)| phrases);
                nearest.into_iter().next_back().into_iter().collect()
            }
            Subject::Inherited => {
                clauses.last().map(|clause| clause.subjects.clone()).unwrap_or_default()
            }
        };
        subjects.truncate(MAX_SUBJECTS);
        let mut certainty = 1.0;
        if let [phrase] = subjects.as_slice()
            && phrase.anaphor
        {
            certainty = RESOLVED;
            let (span, place) = (phrase.span, phrase.tokens.clone());
            let clause_before = clauses.last().map(|clause| clause.subjects.as_slice());
            let meant = clause_before.filter(|phrases| !phrases.is_empty()).unwrap_or(context);
            let stand_in = |p: &Phrase| Phrase { span, tokens: place.clone(), ..p.clone() };
            subjects = meant.iter().map(stand_in).collect();
        }
        subjects.retain(|phrase| !phrase.anaphor);
        let end = divisions.get(index + 1).map_or(tokens.len(), |next| next.objects);
        let mut objects = read_list(tokens, trigger.end, end, Head::ByEnding);
        objects.phrases.retain(|phrase| !phrase.anaphor);
        clauses.push(Clause { trigger: trigger.clone(), subjects, objects, certainty });
        before = trigger.end;
    }
    clauses
}

/// Divides the tokens `start..end` before a trigger between it and the trigger before, if there is one.
fn divide(
    tokens: &[Token],
    start: usize,
    end: usize,
    after_other: bool,
    in_relative: bool,
) -> Division {
    if end > start && tokens[end - 1].class == Class::Relative {
        let comma = end - start > 1 && tokens[end - 2].class == Class::Comma;
        let phrase_end = if comma { end - 2 } else { end - 1 };
        return Division { objects: phrase_end, subject: Subject::Antecedent(phrase_end) };
    }
    let is_separator = |i: usize| matches!(tokens[i].class, Class::Comma | Class::And);
    let is_boundary = |i: usize| {
        matches!(tokens[i].class, Class::Break | Class::Subordinator | Class::Relative)
            || (tokens[i].class == Class::And && i > start && tokens[i - 1].class == Class::Comma)
    };
    let at = |i: usize| Division { objects: i, subject: Subject::From(i + 1) };
    if !after_other {
        let boundary =
            (start..end).rev().find(|&i| is_boundary(i) && tokens[i].class != Class::And);
        return boundary.map_or(Division { objects: start, subject: Subject::From(start) }, at);
    }
    let Some(last) = (start..end).next_back() else {
        return Division { objects: end, subject: Subject::Inherited };
    };
    // "causes A and leads to", "uses A to make"
    if is_separator(last) || is_boundary(last) || tokens[last].class == Class::Preposition {
        return Division { objects: last, subject: Subject::Inherited };
    }
    let boundary = (start..end).rev().find(|&i| is_boundary(i));
    match boundary.or_else(|| (start..end).rev().find(|&i| is_separator(i))) {
        Some(i) => at(i),
        // "a cat that eats mice causes": the clause around goes on.
        None if in_relative => Division { objects: end, subject: Subject::Inherited },
        // "A leads to B causes C": B is both.
        None => Division { objects: end, subject: Subject::From(start) },
    }
}

/// The list of subjects in the tokens `start..end`, past an opening such as "In winter,".
fn subject_list(tokens: &[Token], mut start: usize, end: usize, head: Head) -> Vec<Phrase> {
    while start < end && matches!(tokens[start].class, Class::And | Class::Comma | Class::Adverb) {
        start += 1;
    }
    if start < end && tokens[start].class == Class::Preposition {
        let comma = (start..end).find(|&i| tokens[i].class == Class::Comma);
        start = comma.map_or(end, |comma| comma + 1);
    }
    read_list(tokens, start, end, head).phrases
}

impl Clause {
    /// Adds the statements of the clause to those of its sentence, up to `limit` in all.
    fn state(&self, sentence: Span, limit: usize, relations: &mut Vec<Relation>) {
        let trigger = &self.trigger;
        let mut add = |subject: &Phrase, object: &Phrase, relation: &str, kind, factor: f32| {
            let (from, to) = if trigger.reversed { (object, subject) } else { (subject, object) };
            let relation = Relation {
                subject: from.name.clone(),
                relation: relation.to_owned(),
                object: to.name.clone(),
                kind,
                negated: trigger.negated ^ subject.negative ^ object.negative,
                confidence: trigger.confidence * self.certainty * factor,
                sentence,
            };
            let known = relations.iter().any(|r| {
                (&r.subject, &r.relation, &r.object)
                    == (&relation.subject, &relation.relation, &relation.object)
            });
            if !known && relation.subject != relation.object && relations.len() < limit {
                relations.push(relation);
            }
        };
        for subject in &self.subjects {
            for object in &self.objects.phrases {
                if trigger.shape == Shape::Copula && !object.names_thing {
                    add(subject, object, "is", RelationKind::Semantic, 1.0);
                } else {
                    add(subject, object, &trigger.relation, trigger.kind, 1.0);
                }
            }
            if trigger.shape == Shape::Copula || trigger.reversed {
                continue;
            }
            for (preposition, phrases) in &self.objects.tails {
                for phrase in phrases.iter().filter(|phrase| !phrase.anaphor) {
                    match preposition.as_str() {
                        "into" | "to" if trigger.shape == Shape::Conversion => {
                            add(subject, phrase, "produces", RelationKind::Causal, SIDE_STATEMENT);
                            for object in &self.objects.phrases {
                                let kind = RelationKind::Causal;
                                add(object, phrase, "becomes", kind, SIDE_STATEMENT);
                            }
                        }
                        "in" | "within" | "inside" => {
                            add(subject, phrase, "occurs_in", RelationKind::Semantic, LOOSE_PLACE);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// The phrases among the tokens that no clause covers.
fn loose_phrases(tokens: &[Token], covered: &[bool]) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let free = at + (at..tokens.len()).take_while(|&i| !covered[i]).count();
        let Some(mut phrase) = read_phrase(tokens, at, free, Head::ByEnding) else {
            // Past all that can't begin a phrase, so that each token is looked at once.
            let is_content = |i: usize| i < free && tokens[i].class == Class::Content;
            at = (at + 1..free).find(|&i| is_content(i)).unwrap_or(free).max(at + 1);
            continue;
        };
        // A verb that isn't known hides behind a plural: "dogs bark".
        let plural = phrase.tokens.clone().find(|&i| is_plural(&tokens[i].lower));
        if let Some(plural) = plural
            && let Some(shorter) = read_phrase(tokens, at, plural + 1, Head::ByEnding)
        {
            phrase = shorter;
        }
        at = phrase.tokens.end;
        if !phrase.anaphor {
            phrases.push(phrase);
        }
    }
    phrases
}
