"""What a text states: names of things and relations between them, with where they stand.

Invariant: the output is bounded by the text; a text of n words gives fewer than 1.5 n + 32
statements and names together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sutra_core.graph.relations import AssociationType
from sutra_core.nlp.names import MAX_NAME_BYTES
from sutra_storage import _native

EXTRACTOR_ID: Final = "rules-1"
"""Names the rules: provenance says which read a text."""

_MIN_STATEMENTS: Final = 16
_MAX_NAMES: Final = 32


@dataclass(frozen=True, slots=True)
class Statement:
    """One relation that a text states or denies.

    Attributes:
        subject: Name of the first thing, in normal form.
        relation: "is_a", "causes", or a verb in the third person.
        object: Name of the second thing.
        type: The kind of association.
        negated: Whether the text denies it.
        confidence: How surely the text says so, in (0, 1].
        span: Start and end of the sentence in the text.
    """

    subject: str
    relation: str
    object: str
    type: AssociationType
    negated: bool
    confidence: float
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says.

    Attributes:
        statements: In the order of the text.
        names: The distinct things that it mentions, in the order of the text.
    """

    statements: tuple[Statement, ...]
    names: tuple[str, ...]


class AssociationExtractor:
    """Reads statements and names out of plain English text, by the rules of the crate `language`.

    Example:
        >>> from sutra_core.learning import AssociationExtractor
        >>> reading = AssociationExtractor().read("High blood pressure causes heart disease.")
        >>> statement = reading.statements[0]
        >>> statement.subject, statement.relation, statement.object, statement.type.value
        ('high blood pressure', 'causes', 'heart disease', 'causal')
    """

    def read(self, text: str) -> Reading:
        """Return what a text states and mentions; questions state nothing."""
        found = _native.extract(text)
        statements: list[Statement] = []
        names: dict[str, None] = {}
        # Lists multiply: "a, b and c cause d, e and f" states nine things in eight words.
        limit = max(_MIN_STATEMENTS, len(text.split()))
        for relation in found.relations:
            if len(statements) == limit:
                break
            if _is_name(relation.subject) and _is_name(relation.object):
                names[relation.subject] = names[relation.object] = None
                statements.append(
                    Statement(
                        relation.subject,
                        relation.relation,
                        relation.object,
                        AssociationType(relation.kind),
                        relation.negated,
                        min(1.0, relation.confidence),
                        relation.sentence,
                    )
                )
        for entity in found.entities:
            if len(names) >= _MAX_NAMES:
                break
            if _is_name(entity.name):
                names[entity.name] = None
        return Reading(tuple(statements), tuple(names))


def _is_name(name: str) -> bool:
    return 0 < len(name.encode()) <= MAX_NAME_BYTES
