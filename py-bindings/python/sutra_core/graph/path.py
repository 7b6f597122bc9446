"""Paths of associations between concepts.

Invariant: a path's confidence is the product of its associations', so it is at most that of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sutra_core.graph.relations import family_of, phrase_of
from sutra_core.graph.shown import digits, shortened

if TYPE_CHECKING:
    from sutra_core.graph.concepts import Association

_SHOWN_CHARS: Final = 120

Fact = tuple[str, str, str]
"""Source, relation family and target: a statement, whatever name it was stored under."""


@dataclass(frozen=True, slots=True, repr=False)
class ReasoningPath:
    """A chain of associations.

    Attributes:
        concept_ids: The concepts on it, first to last; one more than `associations`.
        associations: What leads from each concept to the next.
        forward: For each association, whether the path follows it from source to target.
        labels: What to call the concepts.
    """

    concept_ids: tuple[str, ...]
    associations: tuple[Association, ...]
    forward: tuple[bool, ...]
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        """Tell it as a sentence, with its confidence."""
        told = shortened(self.describe(), _SHOWN_CHARS)
        return f"ReasoningPath({told!r}, confidence={digits(self.confidence)})"

    @property
    def confidence(self) -> float:
        """The product of the associations' confidences, 0 to 1."""
        return math.prod(association.confidence for association in self.associations)

    @property
    def hops(self) -> int:
        """How many associations it has."""
        return len(self.associations)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its statements were learned, in order, each once."""
        found = (association.source for association in self.associations)
        return tuple(dict.fromkeys(source for source in found if source is not None))

    def facts(self) -> dict[Fact, float]:
        """Return its statements with their confidences; one that several names state is one."""
        facts: dict[Fact, float] = {}
        for association in self.associations:
            fact = fact_of(association)
            facts[fact] = max(association.confidence, facts.get(fact, 0.0))
        return facts

    def order(self) -> tuple[float, int, tuple[str, ...], tuple[str, ...]]:
        """Return what paths are sorted by: the surest, the shortest, then the ids and relations."""
        relations = tuple(association.store_type for association in self.associations)
        return (-round(self.confidence, 6), self.hops, self.concept_ids, relations)

    def called(self, first: str, last: str) -> ReasoningPath:
        """Return the same path with its ends called as a question calls them."""
        if not self.associations:
            return replace(self, labels=(f"{first} and {last} are one concept",))
        labels = list(self.labels)
        for at, name in ((0, first), (-1, last)):
            if labels[at].lower() != name:
                labels[at] = f"{name} ({labels[at]})"
        return replace(self, labels=tuple(labels))

    def describe(self) -> str:
        """Return the path as a sentence: "dog is a kind of mammal, which is a kind of animal"."""
        if not self.associations:
            return self.labels[0]
        parts = []
        for at, (association, forward) in enumerate(
            zip(self.associations, self.forward, strict=True)
        ):
            here, there = self.labels[at], self.labels[at + 1]
            phrase = phrase_of(association.relation)
            if association.negated:
                phrase = _denied(phrase)
            if forward and at > 0 and self.forward[at - 1]:
                parts.append(f"which {phrase} {there}")
                continue
            whole = f"{here} {phrase} {there}" if forward else f"{there} {phrase} {here}"
            parts.append(f"and {whole}" if at > 0 else whole)
        return ", ".join(parts)


def fact_of(association: Association) -> Fact:
    """Return what an association states, the same for all names that state it."""
    family = family_of(association.relation)
    ends = association.source_id, association.target_id
    source, target = reversed(ends) if association.relation in family.inverse else ends
    return source, "!" + family.name if association.negated else family.name, target


def _denied(phrase: str) -> str:
    first, _, rest = phrase.partition(" ")
    return f"{first} not {rest}".rstrip() if first in {"is", "was"} else f"does not ({phrase})"
