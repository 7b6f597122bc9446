"""What an answer carries: the answer, how sure it is, why, and what else was possible.

Invariant: an answer of confidence 0 is an abstention: no path supports it, and it has no
alternative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sutra_core.graph.path import ReasoningPath

UNKNOWN: Final = "I don't know"
"""The answer that abstains."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A hit's place in one leg of a search.

    Attributes:
        rank: 1 for the best.
        score: The leg's own score: BM25 for words, the cosine for vectors.
    """

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A concept that a search found.

    Attributes:
        id: The concept.
        score: Larger is better.
        content: Its text.
        legs: Its place in each leg that found it: "words", "vector".
    """

    id: str
    score: float
    content: str
    legs: dict[str, Leg]


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible answer.

    Attributes:
        text: The answer.
        confidence: 0 to 1.
        concept_id: The concept that it names; None for yes and no.
        paths: What supports it, the surest first.
    """

    text: str
    confidence: float
    concept_id: str | None = None
    paths: tuple[ReasoningPath, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsensusResult:
    """The answer to a question.

    Attributes:
        primary_answer: "Yes", "No", a thing, a text, or `UNKNOWN`.
        confidence: 0 to 1; 0: it abstained.
        supporting_paths: The chains of associations that support it, the surest first.
        contradicting_paths: Those that speak against it.
        alternative_answers: What else was possible, the surest first.
        explanation: Why, for a reader: paths, texts and their sources.
        proof: The same for a machine, as JSON can say it; see `sutra_core.reasoning.proof`.
    """

    primary_answer: str
    confidence: float
    supporting_paths: tuple[ReasoningPath, ...] = ()
    contradicting_paths: tuple[ReasoningPath, ...] = ()
    alternative_answers: tuple[Answer, ...] = ()
    explanation: str = ""
    proof: dict[str, Any] = field(default_factory=dict)

    @property
    def abstained(self) -> bool:
        """Whether nothing supported an answer."""
        return self.confidence == 0.0
