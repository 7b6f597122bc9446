"""How each kind of question is answered from the store.

Invariant: every answer follows from what is stored, by a rule that its proof names; where no rule
applies the answer is an abstention that says what is missing. Reading decides nothing by chance:
ties are broken by confidence, then length, then id.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from sutra_core.graph.ids import name_id
from sutra_core.graph.path import ReasoningPath
from sutra_core.graph.relations import (
    IS,
    IS_A,
    MENTIONS,
    NAMES,
    RelationFamily,
    family_of,
    phrase_of,
)
from sutra_core.graph.shown import shortened
from sutra_core.reasoning.entities import EntityResolver
from sutra_core.reasoning.paths import MAX_HOPS, PathFinder
from sutra_core.reasoning.proof import proof_of, sentences_of, telling_sentence
from sutra_core.reasoning.query import Question, QuestionKind, QuestionReading
from sutra_core.reasoning.result import UNKNOWN, Answer, ConsensusResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutra_core.graph.concepts import Association, Concept
    from sutra_core.reasoning.consensus import MultiPathAggregator
    from sutra_core.reasoning.search import HybridSearch
    from sutra_core.storage.reader import KnowledgeReader

MAX_ALTERNATIVES: Final = 20

MIN_COVERAGE: Final = 0.6
"""Share of a question's content words that a text must have to be an answer."""

TEXT_TRUST: Final = 0.7
"""What is left of a text's confidence when its words, not its statements, answer."""

MAX_CONNECTION_HOPS: Final = 6
"""A longer chain in any direction connects everything with everything."""

MAX_LISTED: Final = 3
"""Other answers that an explanation names."""

MAX_READINGS: Final = 6
"""Readings of a question that are tried."""

_SEARCHED: Final = 10


class Answerer:
    """Answers analysed questions."""

    def __init__(
        self,
        storage: KnowledgeReader,
        search: HybridSearch,
        aggregator: MultiPathAggregator,
    ) -> None:
        """Answer from `storage`."""
        self._storage = storage
        self._search = search
        self._aggregator = aggregator
        self._entities = EntityResolver(storage)
        self._paths = PathFinder(storage)

    def answer(
        self, question: Question, *, max_hops: int = MAX_HOPS, max_paths: int = 5
    ) -> ConsensusResult:
        """Return the answer, or an abstention.

        Args:
            question: What is asked.
            max_hops: At most this many associations in a path.
            max_paths: At most this many paths for, and against.
        """
        match question.kind:
            case QuestionKind.YES_NO:
                return self._yes_no(question, max_hops, max_paths)
            case QuestionKind.CONNECTION:
                return self._connection(question, max_hops, max_paths)
            case QuestionKind.DEFINITION:
                return self._definition(question) or self._by_text(question)
            case QuestionKind.THING:
                return self._thing(question) or self._by_text(question)
            case QuestionKind.SEARCH:
                return self._by_text(question)

    # --- Yes and no ------------------------------------------------------------------------------

    def _yes_no(self, question: Question, max_hops: int, max_paths: int) -> ConsensusResult:
        resolved = self._resolved(question)
        if isinstance(resolved, ConsensusResult):
            return resolved
        for reading, subjects, objects in resolved:
            limits = {"k": max_paths, "max_hops": max_hops}
            supporting = self._aggregator.rank(
                self._paths.supporting(subjects, reading.relation, objects, **limits)
            )
            contradicting = self._aggregator.rank(
                self._paths.denying(subjects, reading.relation, objects, **limits)
            )
            if supporting or contradicting:
                supporting = _called(supporting, reading, subjects)
                contradicting = _called(contradicting, reading, subjects)
                return self._weigh(question, supporting, contradicting)
        reading = resolved[0][0]
        missing = (
            f"No chain of statements says whether {reading.subject}"
            f" {phrase_of(reading.relation)} {reading.object}."
        )
        return self._abstain(question, missing)

    def _weigh(
        self,
        question: Question,
        supporting: Sequence[ReasoningPath],
        contradicting: Sequence[ReasoningPath],
    ) -> ConsensusResult:
        """Answer yes or no by what speaks for each; a tie is an abstention that shows both."""
        support = self._aggregator.confidence(supporting)
        contradiction = self._aggregator.confidence(contradicting)
        # Each side is believed as far as the other is not.
        yes, no = support * (1.0 - contradiction), contradiction * (1.0 - support)
        if yes == no:
            missing = "What is known speaks for both sides alike."
            return self._abstain(question, missing, supporting, contradicting)
        answers = [
            Answer("Yes", yes, None, tuple(supporting)),
            Answer("No", no, None, tuple(contradicting)),
        ]
        answers.sort(key=lambda answer: -answer.confidence)
        rule = "is_a* relation is_a*; yes = support x (1 - contradiction)"
        return self._conclude(question, answers, rule)

    # --- Connections -----------------------------------------------------------------------------

    def _connection(self, question: Question, max_hops: int, max_paths: int) -> ConsensusResult:
        resolved = self._resolved(question)
        if isinstance(resolved, ConsensusResult):
            return resolved
        limits = {"k": max_paths, "max_hops": min(max_hops, MAX_CONNECTION_HOPS)}
        for reading, subjects, objects in resolved:
            paths = self._paths.connecting(subjects, objects, **limits)
            if paths:
                ranked = tuple(_called(self._aggregator.rank(paths), reading, subjects))
                confidence = self._aggregator.confidence(ranked)
                answer = Answer(_sentence(ranked[0].describe()), confidence, None, ranked)
                rule = "any chain of statements, noisy-or over paths"
                return self._conclude(question, [answer], rule)
        reading = resolved[0][0]
        missing = f"No chain of statements connects {reading.subject} and {reading.object}."
        return self._abstain(question, missing)

    # --- Definitions -----------------------------------------------------------------------------

    def _definition(self, question: Question) -> ConsensusResult | None:
        for reading in question.readings:
            if reading.subject is None:
                continue
            answers, texts = self._described(reading.subject)
            if answers:
                rule = "what bears the name, or a statement about it"
                return self._conclude(question, answers, rule, texts)
        return None

    def _described(self, name: str) -> tuple[list[Answer], list[Concept]]:
        """Return what describes the bearers of a name, the likeliest first, and the texts used."""
        ids = self._entities.resolve(name)
        statements = self._statements_about(name_id(name))
        answers = [
            Answer(sentence, path.confidence, None, (path,))
            for path in statements
            for sentence, _ in sentences_of(self._storage, path.associations)[:1]
        ]
        bearers = [
            concept
            for concept in (self._storage.get_concept(key) for key in ids)
            if concept is not None and concept.content
        ]
        # Of several bearers any may be meant: the likelier, the more is known of it.
        weights = [1 + self._storage.degree(concept.id) for concept in bearers]
        answers += [
            Answer(concept.content, concept.confidence * weight / sum(weights), concept.id)
            for concept, weight in zip(bearers, weights, strict=True)
        ]
        answers.sort(key=lambda answer: -answer.confidence)
        distinct = {answer.text: answer for answer in reversed(answers)}
        ranked = sorted(distinct.values(), key=lambda a: (-a.confidence, a.text))
        return ranked, bearers[: MAX_ALTERNATIVES + 1]

    def _statements_about(self, own: str) -> list[ReasoningPath]:
        """Return the statements that tell most about a name, best first."""
        out = self._statements(own, "out")
        kinds = [a for a in out if family_of(a.relation) in {IS_A, IS}]
        chosen = kinds or out
        if not chosen:
            # "What is the capital of France?": what is said to be it.
            chosen = [a for a in self._statements(own, "in") if family_of(a.relation) is IS_A]
        paths = [self._step(association) for association in chosen]
        return sorted(paths, key=lambda path: path.order())[:MAX_ALTERNATIVES]

    # --- One end of a relation -------------------------------------------------------------------

    def _thing(self, question: Question) -> ConsensusResult | None:
        for reading in question.readings:
            known = reading.subject if reading.object is None else reading.object
            if known is None:
                continue
            answers = self._things(reading, self._entities.resolve(known))
            if answers:
                rule = "one statement with the thing asked for at its other end"
                return self._conclude(question, answers, rule)
        return None

    def _things(self, reading: QuestionReading, known: Sequence[str]) -> list[Answer]:
        """Return what stands at the other end of the relation, the surest first."""
        family = family_of(reading.relation)
        asked_object = reading.object is None
        if reading.relation in family.inverse:
            asked_object = not asked_object
        paths: defaultdict[str, list[ReasoningPath]] = defaultdict(list)
        for concept in known:
            for association, other in self._ends(concept, family, outward=asked_object):
                path = self._step(association)
                paths[self._storage.label(other)].append(path)
        answers = [
            Answer(label, self._aggregator.confidence(ranked), None, tuple(ranked))
            for label, ranked in (
                (label, self._aggregator.rank(found)) for label, found in paths.items()
            )
        ]
        return sorted(answers, key=lambda answer: (-round(answer.confidence, 6), answer.text))

    def _ends(
        self, concept: str, family: RelationFamily, *, outward: bool
    ) -> list[tuple[Association, str]]:
        """Return the statements of a family at a concept, with the concepts at their other ends."""
        out = self._storage.get_associations(
            concept, "out", relations=family.forward if outward else family.inverse
        )
        into = self._storage.get_associations(
            concept, "in", relations=family.inverse if outward else family.forward
        )
        return [(a, a.target_id) for a in out] + [(a, a.source_id) for a in into]

    # --- Texts -----------------------------------------------------------------------------------

    def _by_text(self, question: Question) -> ConsensusResult:
        if not question.keywords:
            return self._abstain(question, "The question names nothing to look for.")
        known = [w for w in question.keywords if self._storage.search_by_text(w, 1)]
        if len(known) < MIN_COVERAGE * len(question.keywords):
            unknown = [word for word in question.keywords if word not in known]
            return self._abstain(question, f"Nothing is known of {_listed(unknown)}.")
        answers = []
        texts = []
        for hit in self._search.search(question.text, _SEARCHED):
            concept = self._storage.get_concept(hit.id)
            if concept is None:
                continue
            found = [word for word in known if self._storage.contains_word(hit.id, word)]
            coverage = len(found) / len(question.keywords)
            if coverage >= MIN_COVERAGE:
                confidence = coverage * TEXT_TRUST * concept.confidence
                answers.append(Answer(concept.content, confidence, concept.id))
                texts.append(concept)
        if not answers:
            missing = f"No text tells of {_listed(question.keywords)} together."
            return self._abstain(question, missing)
        # A stable sort: of equals the search's order holds.
        answers.sort(key=lambda answer: -round(answer.confidence, 6))
        rule = f"a text with at least {MIN_COVERAGE:.0%} of the question's words, by hybrid search"
        return self._conclude(question, answers, rule, texts)

    # --- Common ----------------------------------------------------------------------------------

    def _resolved(
        self, question: Question
    ) -> list[tuple[QuestionReading, list[str], list[str]]] | ConsensusResult:
        """Return the readings of which both things are known, best first, or an abstention."""
        resolved = []
        unknown: list[str] = []
        for reading in question.readings[:MAX_READINGS]:
            subjects = self._entities.resolve(reading.subject or "")
            objects = self._entities.resolve(reading.object or "")
            if subjects and objects:
                resolved.append((reading, subjects, objects))
            elif not unknown:
                pairs = ((reading.subject, subjects), (reading.object, objects))
                unknown = [name for name, ids in pairs if name and not ids]
        if not resolved:
            return self._abstain(question, f"Nothing is known of {_listed(unknown)}.")
        return resolved

    def _statements(self, concept: str, direction: str) -> list[Association]:
        """Return the statements at a concept; names and mentions state nothing."""
        found = self._storage.get_associations(concept, "out" if direction == "out" else "in")
        return [a for a in found if a.relation not in {NAMES, MENTIONS} and not a.negated]

    def _step(self, association: Association) -> ReasoningPath:
        ends = association.source_id, association.target_id
        labels = tuple(self._storage.label(end) for end in ends)
        return ReasoningPath(ends, (association,), (True,), labels)

    def _conclude(
        self,
        question: Question,
        answers: Sequence[Answer],
        rule: str,
        texts: Sequence[Concept] = (),
    ) -> ConsensusResult:
        """Make the first answer the result, the others its alternatives."""
        first, *others = answers
        others = [answer for answer in others if answer.confidence > 0.0][:MAX_ALTERNATIVES]
        against: tuple[ReasoningPath, ...] = ()
        if question.kind is QuestionKind.YES_NO:
            against = answers[1].paths
        used = [text for text in texts if first.concept_id == text.id]
        return ConsensusResult(
            first.text,
            first.confidence,
            first.paths,
            against,
            tuple(others),
            self._explain(question, first, against, used, others),
            proof_of(
                self._storage,
                question,
                (first.text, first.confidence),
                rule,
                supporting=first.paths,
                contradicting=against,
                texts=used,
            ),
        )

    def _abstain(
        self,
        question: Question,
        missing: str,
        supporting: Sequence[ReasoningPath] = (),
        contradicting: Sequence[ReasoningPath] = (),
    ) -> ConsensusResult:
        """Return the answer that claims nothing, and says what is missing."""
        against = tuple(contradicting)
        lines = [f"{UNKNOWN}. {missing}"]
        lines += [self._told(path, "for") for path in supporting]
        lines += [self._told(path, "against") for path in contradicting]
        proof = proof_of(
            self._storage,
            question,
            (UNKNOWN, 0.0),
            missing,
            supporting=supporting,
            contradicting=contradicting,
        )
        return ConsensusResult(UNKNOWN, 0.0, (), against, (), "\n".join(lines), proof)

    def _explain(
        self,
        question: Question,
        answer: Answer,
        against: Sequence[ReasoningPath],
        texts: Sequence[Concept],
        others: Sequence[Answer],
    ) -> str:
        """Return why, with the paths and sentences that say so, and what else was possible."""
        lines = [f"{answer.text} (confidence {_shown(answer.confidence)})"]
        lines += [self._told(path, "because") for path in answer.paths]
        lines += [self._told(path, "although") for path in against]
        for text in texts:
            lines += ["  as a text says", _quoted(telling_sentence(text, question), text.source)]
        if others:
            noun = "answer" if len(others) == 1 else "answers"
            lines.append(f"  {len(others)} other {noun} possible")
            lines += [
                f"    {shortened(other.text)} (confidence {_shown(other.confidence)})"
                for other in others[:MAX_LISTED]
            ]
            if len(others) > MAX_LISTED:
                lines.append(f"    and {len(others) - MAX_LISTED} more")
        return "\n".join(lines)

    def _told(self, path: ReasoningPath, conjunction: str) -> str:
        """Return a path as a line, with the sentences that state it and their sources."""
        line = f"  {conjunction} {path.describe()} ({path.hops} hops, {_shown(path.confidence)})"
        if path.hops == 1:
            line = line.replace("1 hops", "1 hop")
        sentences = sentences_of(self._storage, path.associations)
        for sentence, source in sentences:
            line += "\n" + _quoted(sentence, source)
        if not sentences and path.sources:
            line += f" [{', '.join(path.sources)}]"
        return line


def _quoted(sentence: str, source: str | None) -> str:
    """Return a sentence as a line that quotes it, with its source if that is known."""
    line = " ".join(sentence.split())
    return f'    "{line}"' + (f" [{source}]" if source else "")


def _called(
    paths: Sequence[ReasoningPath], reading: QuestionReading, subjects: Sequence[str]
) -> list[ReasoningPath]:
    """Call the ends of paths as the question does; a path may begin at either."""
    names = reading.subject or "", reading.object or ""
    return [
        path.called(*names) if path.concept_ids[0] in subjects else path.called(*reversed(names))
        for path in paths
    ]


def _shown(confidence: float) -> str:
    """Return a confidence to two places; what is not certain is never shown as 1."""
    rounded = f"{confidence:.2f}"
    return ">0.99" if rounded == "1.00" and confidence < 1.0 else rounded


def _listed(words: Sequence[str]) -> str:
    """Return words in quotes, joined by commas."""
    return ", ".join(f'"{word}"' for word in words) or "what is asked"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."
