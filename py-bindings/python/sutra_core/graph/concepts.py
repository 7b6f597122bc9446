"""Concepts and associations as the application sees them, and how they lie in the store.

A store knows one type string an association, the key beside its two ends. Here it is the relation's
free name, with a mark before it when the statement is a denial. The kind, one of five, follows from
the name; where a caller says otherwise it is written beside it, as an attribute that never shows.
Invariant: what was stored comes back equal.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from sutra_core.graph.relations import AssociationType, kind_of
from sutra_core.graph.shown import digits, shortened

if TYPE_CHECKING:
    from sutra_storage import StoredAssociation, StoredConcept

__all__ = ["Association", "AssociationType", "Concept"]

Attributes = dict[str, Any]
"""Free attributes: whatever JSON can say."""

MAX_STRENGTH: Final = 10.0
"""Use makes strengths and weights grow towards this."""

_STEP: Final = 0.1
"""What one use adds to a strength near nothing."""

_DENIAL: Final = "!"
"""Stands before the store's type of an association that denies."""

_KIND: Final = "sutra:kind"
"""Attribute of the store's association: its kind, where its name says another."""


@dataclass(slots=True, repr=False)
class Concept:
    """A node of the knowledge.

    Attributes:
        id: The stable public id, 1 to 1,024 bytes of UTF-8.
        content: The text that is searched; "" for a concept that no search is to find.
        created: Seconds since the epoch; None: now, when it is first stored.
        access_count: How often it was used.
        strength: How well it is remembered, not negative; 1 at first.
        last_accessed: Seconds since the epoch; None: never.
        source: Where it was learned.
        category: What it is filed under.
        confidence: How sure it is, 0 to 1.
        attributes: Anything else that JSON can say. The reasoner reads "words": its names.

    Raises:
        ValueError: If a number is out of its range, or the id is empty.
    """

    id: str
    content: str
    created: float | None = None
    access_count: int = 0
    strength: float = 1.0
    last_accessed: float | None = None
    source: str | None = None
    category: str | None = None
    confidence: float = 1.0
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no store would take."""
        _check_id("id", self.id)
        _check_range("strength", self.strength, math.inf)
        _check_range("confidence", self.confidence, 1.0)
        if self.access_count < 0:
            raise ValueError(f"access_count must not be negative, not {self.access_count}")

    def __repr__(self) -> str:
        """Name it, with the beginning of its content."""
        source = "" if self.source is None else f", source={self.source!r}"
        return (
            f"Concept({self.id!r}, {shortened(self.content)!r},"
            f" confidence={digits(self.confidence)}{source})"
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The concept's names, the best known first: attribute "words"; none if it has none."""
        words = self.attributes.get("words", ())
        return tuple(word for word in words if isinstance(word, str)) if words else ()

    @property
    def label(self) -> str:
        """What to call it in a sentence: its first name, else its content, else its id."""
        return self.words[0] if self.words else self.content or self.id

    def access(self, now: float | None = None) -> None:
        """Count a use: one more access, and a strength nearer to `MAX_STRENGTH`."""
        self.access_count += 1
        self.strength = strengthened(self.strength)
        self.last_accessed = time.time() if now is None else now

    @classmethod
    def from_stored(cls, stored: StoredConcept) -> Self:
        """Return the concept of a store's record."""
        return cls(
            id=stored.id,
            content=stored.content,
            created=stored.created,
            access_count=stored.access_count,
            strength=stored.strength,
            last_accessed=stored.last_accessed,
            source=stored.source,
            category=stored.category,
            confidence=stored.confidence,
            attributes=dict(stored.attributes),
        )


@dataclass(slots=True, repr=False)
class Association:
    """A typed, weighted edge between two concepts; its key is (source, target, relation, negated).

    Attributes:
        source_id: The concept it starts at.
        target_id: The concept it points to.
        type: Its kind.
        relation: Its free name, as "is_a" or "hypernym"; "" at first: the kind's own name.
        negated: Whether it denies that the relation holds. A statement and its denial can both be
            stored: a contradiction is kept, and told.
        weight: How strong it is, not negative; 1 at first.
        confidence: How sure it is, 0 to 1.
        created: Seconds since the epoch; None: now, when it is first stored.
        last_used: Seconds since the epoch; None: never.
        source: Where it was learned.
        attributes: Anything else that JSON can say. The reasoner reads "evidence": a list of what
            states it (see `sutra_core.learning.evidence`).

    Raises:
        ValueError: If a number is out of its range, an id is empty, or the relation begins with
            "!".
    """

    source_id: str
    target_id: str
    type: AssociationType = AssociationType.SEMANTIC
    relation: str = ""
    negated: bool = False
    weight: float = 1.0
    confidence: float = 1.0
    created: float | None = None
    last_used: float | None = None
    source: str | None = None
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Name the relation, and refuse what no store would take."""
        if type(self.type) is not AssociationType:
            self.type = AssociationType(self.type)
        self.relation = self.relation or self.type.value
        if self.relation.startswith(_DENIAL):
            raise ValueError(f"a relation can't begin with {_DENIAL!r}; say negated=True")
        _check_id("source_id", self.source_id)
        _check_id("target_id", self.target_id)
        _check_range("weight", self.weight, math.inf)
        _check_range("confidence", self.confidence, 1.0)

    @classmethod
    def of(cls, source_id: str, relation: str, target_id: str, **fields: Any) -> Self:
        """Return the association of a relation, of the kind that its name has.

        Args:
            source_id: The concept it starts at.
            relation: Its free name.
            target_id: The concept it points to.
            **fields: The other attributes.
        """
        return cls(source_id, target_id, kind_of(relation), relation, **fields)

    def __repr__(self) -> str:
        """Name its ends and relation, and how sure it is."""
        source = "" if self.source is None else f", source={self.source!r}"
        return (
            f"Association({self.source_id!r} -{self.store_type}-> {self.target_id!r},"
            f" confidence={digits(self.confidence)}{source})"
        )

    @property
    def store_type(self) -> str:
        """The type that the store knows it by."""
        return type_in_store(self.relation, negated=self.negated)

    @property
    def store_attributes(self) -> Attributes:
        """The attributes that the store keeps: with the kind, where the name says another."""
        if self.type is kind_of(self.relation):
            return self.attributes
        return {**self.attributes, _KIND: self.type.value}

    def strengthen(self, now: float | None = None) -> None:
        """Count a use: a weight nearer to `MAX_STRENGTH`."""
        self.weight = strengthened(self.weight)
        self.last_used = time.time() if now is None else now

    @classmethod
    def from_stored(cls, stored: StoredAssociation) -> Self:
        """Return the association of a store's record."""
        relation = stored.type.removeprefix(_DENIAL)
        attributes = dict(stored.attributes)
        kind = attributes.pop(_KIND, None)
        return cls(
            source_id=stored.source_id,
            target_id=stored.target_id,
            type=kind_of(relation) if kind is None else AssociationType(kind),
            relation=relation,
            negated=stored.type.startswith(_DENIAL),
            weight=stored.weight,
            confidence=stored.confidence,
            created=stored.created,
            last_used=stored.last_used,
            source=stored.source,
            attributes=attributes,
        )


def type_in_store(relation: str, *, negated: bool = False) -> str:
    """Return the store's type string of a relation, or of its denial."""
    return _DENIAL + relation if negated else relation


def is_denial(store_type: str) -> bool:
    """Whether a store's type string is that of a denial."""
    return store_type.startswith(_DENIAL)


def strengthened(strength: float) -> float:
    """Return a strength after one more use: it rises by less and less, towards `MAX_STRENGTH`."""
    return max(strength, strength + _STEP * (1.0 - strength / MAX_STRENGTH))


def _check_id(name: str, value: str) -> None:
    if not value:
        raise ValueError(f"{name} must not be empty")


def _check_range(name: str, value: float, limit: float) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= limit):
        expected = "finite and not negative" if limit == math.inf else f"0 to {limit:g}"
        raise ValueError(f"{name} must be {expected}, not {value!r}")
