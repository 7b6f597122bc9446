"""What relation names mean: their kind, their inverses, and which of them may be chained.

A relation is a free name ("is_a", "hypernym", "chases"). Names that state the same thing, forwards
or backwards, make a `RelationFamily`; the reasoner asks for families, never for single names.
Invariant: a name is in one family, on one side; a name that no table lists is a family of its own.
The tables hold the vocabulary of statements, not knowledge: that is in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class AssociationType(StrEnum):
    """The five kinds of association."""

    SEMANTIC = "semantic"
    """A property, an action, a place, likeness: whatever the other four are not."""
    CAUSAL = "causal"
    """The source brings the target about."""
    TEMPORAL = "temporal"
    """The source is earlier than the target."""
    HIERARCHICAL = "hierarchical"
    """Kind and instance."""
    COMPOSITIONAL = "compositional"
    """Part and whole."""


@dataclass(frozen=True, slots=True)
class RelationFamily:
    """Relation names that state one thing.

    Attributes:
        name: The name that stands for all.
        kind: The kind of its associations.
        forward: Names of associations that point the way `name` does; `name` is one of them.
        inverse: Names of associations that say the same from target to source.
        transitive: Whether it holds from end to end of a chain.
    """

    name: str
    kind: AssociationType
    forward: tuple[str, ...]
    inverse: tuple[str, ...] = ()
    transitive: bool = False


IS_A: Final = RelationFamily(
    "is_a",
    AssociationType.HIERARCHICAL,
    ("is_a", "hypernym", "instance_hypernym"),
    ("hyponym", "instance_hyponym"),
    transitive=True,
)
PART_OF: Final = RelationFamily(
    "part_of",
    AssociationType.COMPOSITIONAL,
    ("part_of", "member_of", "belongs_to", "part_holonym", "member_holonym", "substance_holonym"),
    (
        "has",
        "contains",
        "includes",
        "comprises",
        "consists_of",
        "made_of",
        "part_meronym",
        "member_meronym",
        "substance_meronym",
    ),
    transitive=True,
)
CAUSES: Final = RelationFamily(
    "causes",
    AssociationType.CAUSAL,
    (
        "causes",
        "cause",
        "leads_to",
        "results_in",
        "gives_rise_to",
        "contributes_to",
        "triggers",
        "induces",
    ),
    transitive=True,
)
PRODUCES: Final = RelationFamily(
    "produces", AssociationType.CAUSAL, ("produces", "generates", "creates", "makes")
)
BEFORE: Final = RelationFamily(
    "before", AssociationType.TEMPORAL, ("before",), ("after",), transitive=True
)

IS: Final = RelationFamily("is", AssociationType.SEMANTIC, ("is",))
"""A property: "the sky is blue"."""

FAMILIES: Final = (IS_A, IS, PART_OF, CAUSES, PRODUCES, BEFORE)

NAMES: Final = "names"
"""Relation from a name to a concept that is called so."""

MENTIONS: Final = "mentions"
"""Relation from a text to a name in it."""

# Names that are no other's synonym, with a kind that can't be guessed.
_LONE_KINDS: Final = {
    "prevents": AssociationType.CAUSAL,
    "increases": AssociationType.CAUSAL,
    "reduces": AssociationType.CAUSAL,
    "affects": AssociationType.CAUSAL,
    "influences": AssociationType.CAUSAL,
    "converts": AssociationType.CAUSAL,
    "transforms": AssociationType.CAUSAL,
    "turns": AssociationType.CAUSAL,
    "entailment": AssociationType.CAUSAL,
} | {kind.value: kind for kind in AssociationType}

_BY_NAME: Final = {
    name: family for family in FAMILIES for name in (*family.forward, *family.inverse)
}

_PHRASES: Final = {
    "is_a": "is a kind of",
    "is": "is",
    "hypernym": "is a kind of",
    "instance_hypernym": "is an instance of",
    "hyponym": "has as a kind",
    "instance_hyponym": "has as an instance",
    "part_holonym": "is part of",
    "member_holonym": "is a member of",
    "substance_holonym": "is a substance of",
    "part_meronym": "has as a part",
    "member_meronym": "has as a member",
    "substance_meronym": "is made of",
    "part_of": "is part of",
    "member_of": "is a member of",
    "made_of": "is made of",
    "similar_to": "is similar to",
    "also_see": "is seen with",
    "antonym": "is the opposite of",
    "cause": "causes",
    "entailment": "entails",
    "before": "is before",
    "located_in": "is in",
    "born_in": "was born in",
    "used_for": "is used for",
    "used_in": "is used in",
    "known_as": "is known as",
    "derivation": "shares its root with",
    "similar": "is similar to",
    "semantic": "goes with",
    "causal": "causes",
    "temporal": "is before",
    "hierarchical": "is a kind of",
    "compositional": "is in part and whole with",
}


def family_of(relation: str) -> RelationFamily:
    """Return the family that `relation` belongs to; a name that no table lists is its own."""
    family = _BY_NAME.get(relation)
    if family is None:
        kind = _LONE_KINDS.get(relation, AssociationType.SEMANTIC)
        family = RelationFamily(relation, kind, (relation,))
    return family


def kind_of(relation: str) -> AssociationType:
    """Return the kind that an association has by its relation's name alone."""
    return family_of(relation).kind


def phrase_of(relation: str) -> str:
    """Return the words that stand between source and target in a sentence."""
    return _PHRASES.get(relation, relation.replace("_", " "))
