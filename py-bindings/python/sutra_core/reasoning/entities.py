"""From a name to the concepts that bear it.

A name in normal form is itself a concept of the store (`graph.ids.name_id`): statements of texts
hang on it, and "names" associations lead from it to the concepts that are called so. Looking a name
up is one read by id, however many names there are. Concepts that were put without their names are
found by the word index, and kept if one of their words is the name exactly. Invariant: the same
store and name give the same concepts in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sutra_core.graph.ids import name_id
from sutra_core.graph.relations import NAMES
from sutra_core.nlp.names import canonical_name

if TYPE_CHECKING:
    from sutra_core.graph.concepts import Concept
    from sutra_core.storage.reader import KnowledgeReader

_MAX_WORD_HITS: Final = 200


class EntityResolver:
    """Finds the concepts that bear a name."""

    def __init__(self, storage: KnowledgeReader) -> None:
        """Look up names in `storage`."""
        self._storage = storage

    def resolve(self, name: str) -> list[str]:
        """Return the ids of what a name in normal form means; empty if nothing bears it.

        The name's own concept is first, where texts made statements of it; then what is called so,
        the one of which most is known first.
        """
        own = name_id(name)
        named = [
            association.target_id
            for association in self._storage.get_associations(own, "out", relations=(NAMES,))
        ]
        if not named and not self._storage.has_concept(own):
            named = self._by_words(name)
        ranked = sorted(named, key=lambda concept: (-self._renown(concept, name), concept))
        return [own, *ranked] if self._storage.has_concept(own) else ranked

    def _by_words(self, name: str) -> list[str]:
        hits = self._storage.search_by_text(name, _MAX_WORD_HITS)
        concepts = (self._storage.get_concept(concept_id) for concept_id, _ in hits)
        return [concept.id for concept in concepts if concept and is_called(concept, name)]

    def _renown(self, concept_id: str, name: str) -> int:
        """Return how much is known of a concept, as what its first name is counts for more."""
        degree = self._storage.degree(concept_id)
        concept = self._storage.get_concept(concept_id)
        first = concept is not None and canonical_name(concept.label) == name
        return degree * 2 if first else degree


def is_called(concept: Concept, name: str) -> bool:
    """Whether a name in normal form is one of a concept's."""
    return any(canonical_name(word) == name for word in (*concept.words, concept.label))
