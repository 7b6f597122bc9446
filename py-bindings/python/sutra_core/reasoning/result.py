"""What an answer carries: the answer, how sure it is, why, and what else was possible.

Invariant: an answer of confidence 0 is an abstention: no path supports it, and it has no
alternative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sutra_core.graph.shown import digits, shortened

if TYPE_CHECKING:
    from sutra_core.graph.path import ReasoningPath

UNKNOWN: Final = "I don't know"
"""The answer that abstains."""


@dataclass(frozen=True, slots=True, repr=False)
class Leg:
    """A hit's place in one leg of a search.

    Attributes:
        rank: 1 for the best.
        score: The leg's own score: BM25 for words, the cosine for vectors.
    """

    rank: int
    score: float

    def __repr__(self) -> str:
        """Show both, the score to four digits."""
        return f"Leg(rank={self.rank}, score={digits(self.score)})"


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        """Show the beginning of the content, and the rank in each leg."""
        legs = "".join(f", {name}=#{leg.rank}" for name, leg in self.legs.items())
        return (
            f"SearchHit({self.id!r}, {shortened(self.content)!r}, score={digits(self.score)}{legs})"
        )


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        """Show the beginning of the answer, its confidence, and how much supports it."""
        return (
            f"Answer({shortened(self.text)!r}, confidence={digits(self.confidence)},"
            f" paths={len(self.paths)})"
        )


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        """Show the beginning of the answer, its confidence, and how much else there is."""
        counts = {
            "supporting_paths": self.supporting_paths,
            "contradicting_paths": self.contradicting_paths,
            "alternative_answers": self.alternative_answers,
        }
        shown = "".join(f", {name}={len(found)}" for name, found in counts.items() if found)
        return (
            f"ConsensusResult({shortened(self.primary_answer)!r},"
            f" confidence={digits(self.confidence)}{shown})"
        )

    @property
    def abstained(self) -> bool:
        """Whether nothing supported an answer."""
        return self.confidence == 0.0
