"""Questions: which kind each is, and which statement it asks about.

A question is turned into plain statements, and these are read by the extractor that reads texts: so
whatever can be learned can be asked. "Is a dog an animal?" becomes "a dog is an animal"; "What
causes malaria?" becomes "X causes malaria" with an X that stands for what is asked. Where the words
can be divided in several ways ("are guide dogs mammals"), all readings are given, likeliest first:
the store knows which things exist. Invariant: analysis reads no store, and the same question gives
the same readings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sutra_core.learning.extraction import AssociationExtractor
from sutra_core.nlp.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_WORDS: Final = 60
"""A longer question is searched for, not analysed."""

_STEM: Final = 3
"""Letters by which a verb is known again."""

# Stands for what is asked: a noun that no text has.
_UNKNOWN: Final = "zzunknown"


class QuestionKind(StrEnum):
    """What an answer looks like."""

    YES_NO = "yes/no"
    DEFINITION = "definition"
    CONNECTION = "connection"
    THING = "thing"
    """One end of a relation is asked for: "What causes malaria?"."""
    SEARCH = "search"
    """Whatever text fits best."""


@dataclass(frozen=True, slots=True)
class QuestionReading:
    """A statement that a question asks about.

    Attributes:
        subject: Name of the first thing in normal form; None: it is asked for.
        relation: The relation's name; "" where any will do.
        object: Name of the second thing; None: it is asked for, or there is none.
    """

    subject: str | None
    relation: str
    object: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, analysed.

    Attributes:
        text: As it was asked, without white space around it.
        kind: What an answer looks like.
        readings: What it may ask about, likeliest first; none for a plain search.
        keywords: Its content words, lower case, in order, each once.
    """

    text: str
    kind: QuestionKind
    readings: tuple[QuestionReading, ...]
    keywords: tuple[str, ...]


_BE: Final = frozenset({"is", "are", "was", "were"})
_DO: Final = frozenset({"do", "does", "did", "can", "could", "will", "would", "may", "might"})
_WHAT: Final = frozenset({"what", "who", "which", "whom"})
_ARTICLES: Final = frozenset({"a", "an", "the"})
_PREPOSITION_WORDS: Final = (
    "of in on at by for with from to into onto about as between than like through under"
)
_PREPOSITIONS: Final = frozenset(_PREPOSITION_WORDS.split())
_OTHER_WORDS: Final = (
    "how why when where whose been be being am has have had shall should must i you he she it we"
    " they me him her us them my your his its our their this that these those there here and or nor"
    " not no but if then so s t re tell describe explain define mean means meaning some any"
)
# Words that carry the grammar of a question rather than its matter.
_FUNCTION_WORDS: Final = (
    _BE | _DO | _WHAT | _ARTICLES | _PREPOSITIONS | frozenset(_OTHER_WORDS.split())
)

_PAIR: Final = r"(?P<pair>.+)"
_LINKED: Final = "(?:connected|related|linked|associated)"
_CONNECTIONS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"how (?:is|are|was|were) {_PAIR} {_LINKED}(?: (?:to|with) each other)?",
        rf"how (?:is|are|was|were) (?P<first>.+) {_LINKED} (?:to|with) (?P<second>.+)",
        r"how (?:does|do) (?P<first>.+) relate to (?P<second>.+)",
        rf"(?:what is |what's )?(?:the )?(?:connection|relation|relationship|link) between {_PAIR}",
        rf"what (?:connects|links|relates) {_PAIR}",
    )
)
_PAIR_DIVIDER: Final = re.compile(r" (?:and|to|with) ", re.IGNORECASE)
_DEFINITIONS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:what|who)(?: is| are| was| were|'s|'re) (?P<thing>.+)",
        r"what (?:does|do) (?P<thing>.+) mean",
        r"(?:define|describe|tell me about|what about) (?P<thing>.+)",
        r"(?:what is )?the (?:meaning|definition) of (?P<thing>.+)",
    )
)
_WHY: Final = re.compile(
    r"why (?:does|do|did|is|are|was|were) (?:there )?"
    r"(?P<thing>.+?)(?: happens?| occurs?| arises?)?",
    re.IGNORECASE,
)


class QueryProcessor:
    """Analyses questions.

    Example:
        >>> from sutra_core.reasoning.query import QueryProcessor
        >>> question = QueryProcessor().analyze("Is a dog an animal?")
        >>> question.kind.value, question.readings[0]
        ('yes/no', QuestionReading(subject='dog', relation='is_a', object='animal'))
    """

    def __init__(self, extractor: AssociationExtractor | None = None) -> None:
        """Use the extractor that read the texts."""
        self._extractor = extractor or AssociationExtractor()

    def analyze(self, text: str) -> Question:
        """Return what a question asks; any text has an analysis."""
        text = text.strip()
        plain = " ".join(text.split()).rstrip("?!. ")
        words = plain.split(" ")
        kind = QuestionKind.SEARCH
        readings: tuple[QuestionReading, ...] = ()
        if len(words) <= MAX_WORDS:
            kind, readings = self._read(plain, words)
        return Question(text, kind, readings, keywords_of(plain))

    def _read(
        self, plain: str, words: list[str]
    ) -> tuple[QuestionKind, tuple[QuestionReading, ...]]:
        first = words[0].lower()
        if found := _distinct(_connections(plain)):
            return QuestionKind.CONNECTION, found
        if (first in _BE or first in _DO) and (found := _whole(self._yes_no(words), plain)):
            return QuestionKind.YES_NO, found
        asked = _whole(self._asked(words), plain)
        # What a thing is called is asked by its definition, unless more is said: "is the cause of".
        if asked and any(reading.relation not in {"is_a", "is"} for reading in asked):
            asked = tuple(r for r in asked if r.relation not in {"is_a", "is"})
            return QuestionKind.THING, asked
        if found := _distinct(_definitions(plain)):
            return QuestionKind.DEFINITION, found
        if asked:
            return QuestionKind.THING, asked
        return QuestionKind.SEARCH, ()

    def _yes_no(self, words: list[str]) -> Iterator[QuestionReading]:
        """Read "is X Y" and "does X verb Y"."""
        verb, rest = words[0], words[1:]
        if verb.lower() in _DO:
            yield from self._stated(" ".join(rest))
            return
        for left, right in _divisions(rest):
            yield from self._stated(f"{left} {verb.lower()} {right}")

    def _asked(self, words: list[str]) -> Iterator[QuestionReading]:
        """Read the questions for one end of a relation."""
        first, rest = words[0].lower(), words[1:]
        if not rest:
            return
        verb = rest[0].lower()
        if first == "where" and verb in _BE:
            yield from self._stated(f"{' '.join(rest[1:])} {verb} in {_UNKNOWN}")
        elif match := _WHY.fullmatch(" ".join(words)):
            yield from self._stated(f"{_UNKNOWN} causes {match['thing']}")
        elif first in _WHAT and verb in _DO:
            yield from self._stated(f"{' '.join(rest[1:])} {_UNKNOWN}")
        elif first in _WHAT and verb in _BE:
            yield from self._stated(f"{_UNKNOWN} {verb} {' '.join(rest[1:])}")
            # "what is bread made of": the thing asked for stands at the end.
            for left, right in _divisions(rest[1:]):
                for reading in self._stated(f"{left} {verb} {right} {_UNKNOWN}"):
                    if reading.object is None or reading.subject is None:
                        yield reading
        elif first in _WHAT:
            yield from self._stated(f"{_UNKNOWN} {' '.join(rest)}")

    def _stated(self, statement: str) -> Iterator[QuestionReading]:
        """Read a statement as a text would be read."""
        for found in self._extractor.read(statement + ".").statements:
            subject = None if found.subject == _UNKNOWN else found.subject
            other = None if found.object == _UNKNOWN else found.object
            # A name that swallowed the unknown is a wrong division.
            if not any(_UNKNOWN in name for name in (subject or "", other or "")):
                yield QuestionReading(subject, found.relation, other)


def keywords_of(text: str) -> tuple[str, ...]:
    """Return the content words of a text, lower case, in order, each once."""
    words = re.findall(r"[^\W_]+", text.lower())
    return tuple(dict.fromkeys(word for word in words if word not in _FUNCTION_WORDS))


def _connections(plain: str) -> Iterator[QuestionReading]:
    for pattern in _CONNECTIONS:
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        groups = match.groupdict()
        if "first" in groups:
            pairs = [(groups["first"], groups["second"])]
        else:
            pair = groups["pair"]
            dividers = _PAIR_DIVIDER.finditer(pair)
            pairs = [(pair[: d.start()], pair[d.end() :]) for d in dividers]
        for first, second in pairs:
            subject, other = canonical_name(first), canonical_name(second)
            if subject and other:
                yield QuestionReading(subject, "", other)


def _definitions(plain: str) -> Iterator[QuestionReading]:
    for pattern in _DEFINITIONS:
        match = pattern.fullmatch(plain)
        if match and (name := canonical_name(match["thing"])):
            yield QuestionReading(name, "", None)


def _divisions(words: list[str]) -> Iterator[tuple[str, str]]:
    """Divide words in two, likeliest place first.

    A noun phrase begins at an article, unless a preposition ties it to the words before ("the king
    of the hill"); else the later the place, the longer the subject.
    """

    def unlikeliness(at: int) -> tuple[bool, int]:
        begins = words[at].lower() in _ARTICLES and words[at - 1].lower() not in _PREPOSITIONS
        return not begins, at if begins else -at

    for at in sorted(range(1, len(words)), key=unlikeliness):
        yield " ".join(words[:at]), " ".join(words[at:])


def _whole(readings: Iterable[QuestionReading], plain: str) -> tuple[QuestionReading, ...]:
    """Return the distinct readings, without those that pass over a word of the question.

    "Is a pandanus a carob tree" is not about trees. Where no reading has every word, all are kept.
    """
    found = _distinct(readings)
    keywords = keywords_of(plain)
    return tuple(reading for reading in found if _covers(reading, keywords)) or found


def _covers(reading: QuestionReading, keywords: Iterable[str]) -> bool:
    named = keywords_of(f"{reading.subject or ''} {reading.object or ''}")
    # Verbs change with tense and person, mostly at their end: "written" is "writes".
    stems = {word[:_STEM] for word in reading.relation.split("_")}
    return all(
        word in named or canonical_name(word) in named or word[:_STEM] in stems for word in keywords
    )


def _distinct(readings: Iterable[QuestionReading]) -> tuple[QuestionReading, ...]:
    return tuple(dict.fromkeys(readings))
