"""Reading a store in terms of concepts and associations.

Invariant: it holds no knowledge; every call reads the store, or the snapshot, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sutra_core.graph.concepts import Association, Concept, is_denial, type_in_store
from sutra_core.graph.path import ReasoningPath
from sutra_core.graph.relations import MENTIONS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    import sutra_storage

Direction = Literal["out", "in", "both"]


class KnowledgeReader:
    """Concepts, associations and searches of a store's newest state, or of one snapshot of it."""

    def __init__(self, reader: sutra_storage.Reader) -> None:
        """Read through `reader`."""
        self._reader = reader

    @property
    def epoch(self) -> int:
        """The number of the last transaction that is read."""
        return self._reader.epoch

    # --- Concepts --------------------------------------------------------------------------------

    def get_concept(self, concept_id: str) -> Concept | None:
        """Return a concept; None if there is none of this id."""
        stored = self._reader.get_concept(concept_id, vector=False)
        return None if stored is None else Concept.from_stored(stored)

    def get_embedding(self, concept_id: str) -> NDArray[np.float32] | None:
        """Return a concept's vector; None if it has none, or there is no such concept."""
        return self._reader.get_vector(concept_id)

    def has_concept(self, concept_id: str) -> bool:
        """Whether there is a concept of this id."""
        return concept_id in self._reader

    # --- Associations ----------------------------------------------------------------------------

    def get_association(
        self, source_id: str, target_id: str, relation: str, *, negated: bool = False
    ) -> Association | None:
        """Return the association of a key, or None."""
        kind = type_in_store(relation, negated=negated)
        stored = self._reader.get_association(source_id, target_id, kind)
        return None if stored is None else Association.from_stored(stored)

    def get_associations(
        self,
        concept_id: str,
        direction: Direction = "both",
        *,
        relations: Sequence[str] | None = None,
    ) -> list[Association]:
        """Return the associations at a concept, the surest first; of equals by their key.

        Args:
            concept_id: The concept; none of this id: no associations.
            direction: "out": those that start there; "in": those that point there.
            relations: Only statements of these relations, denials aside; None: all, denials too.
        """
        types = None if relations is None else list(relations)
        stored = self._reader.get_associations(concept_id, direction=direction, types=types)
        found = [Association.from_stored(association) for association in stored]
        found.sort(key=lambda a: (-a.confidence, a.source_id, a.target_id, a.store_type))
        return found

    def get_neighbors(
        self,
        concept_id: str,
        direction: Direction = "out",
        *,
        relations: Sequence[str] | None = None,
    ) -> list[str]:
        """Return the distinct concepts at the other ends of a concept's associations."""
        types = None if relations is None else list(relations)
        return self._reader.get_neighbors(concept_id, direction=direction, types=types)

    def degree(self, concept_id: str) -> int:
        """Return how many neighbours a concept has."""
        return len(self._reader.get_neighbors(concept_id, direction="both"))

    def reachable(
        self, concept_ids: Iterable[str], relations: Sequence[str], *, limit: int
    ) -> list[str]:
        """Return the concepts that chains of some relations lead to, the starts among them.

        Nearer ones come first; the search ends at `limit` concepts.
        """
        reached = dict.fromkeys(concept_ids)
        pending = list(reached)
        while pending and len(reached) < limit:
            level = [
                neighbor
                for concept_id in pending
                for neighbor in self.get_neighbors(concept_id, relations=relations)
            ]
            pending = sorted(set(level) - reached.keys())
            reached.update(dict.fromkeys(pending))
        return list(reached)[:limit]

    def statement_types(self) -> list[str]:
        """Return the relations that state something: not denials, names or mentions."""
        return [
            name
            for name in self._reader.association_types()
            if not is_denial(name) and name not in {NAMES, MENTIONS}
        ]

    def find_paths(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        k: int,
        max_depth: int,
        direction: Direction,
        types: Sequence[str],
    ) -> list[ReasoningPath]:
        """Return the store's best paths from any source to any target.

        Args:
            sources: Concept ids; those that don't exist are passed over.
            targets: Concept ids likewise.
            k: At most this many paths.
            max_depth: At most this many associations in a path.
            direction: Along which direction of the associations a path runs.
            types: Only associations of these store types.
        """
        found = self._reader.find_paths(
            list(sources),
            list(targets),
            k=k,
            max_depth=max_depth,
            direction=direction,
            types=list(types),
        )
        return [
            ReasoningPath(
                tuple(path.concept_ids),
                tuple(Association.from_stored(step) for step in path.associations),
                tuple(path.forward),
                tuple(self.label(concept_id) for concept_id in path.concept_ids),
            )
            for path in found
        ]

    def label(self, concept_id: str) -> str:
        """Return what to call a concept; its id if there is none."""
        concept = self.get_concept(concept_id)
        return concept_id if concept is None else concept.label

    # --- Searches --------------------------------------------------------------------------------

    def search_by_text(self, query: str, top_k: int = 10) -> list[tuple[str, float]]:
        """Return the concepts whose words fit best, OR-ed, with their BM25 scores, best first."""
        return [(hit.id, hit.score) for hit in self._reader.search_text_scored(query, limit=top_k)]

    def contains_word(self, concept_id: str, word: str) -> bool:
        """Whether the word index finds a word in a concept, in any of its forms."""
        return bool(self._reader.search_text(word, limit=1, filter={"ids": [concept_id]}))

    def search_by_embedding(
        self, query_vector: ArrayLike, top_k: int = 10, *, recall: float = 1.0
    ) -> list[tuple[str, float]]:
        """Return the nearest concepts with their similarities, best first.

        Args:
            query_vector: ``(vector_dimension,)``, finite.
            top_k: At most this many.
            recall: How many of the nearest are to be found, as a share, on average; below 1.0 the
                store's indexes for approximate search are used, as far as they are built.

        Returns:
            Ids and cosines in [-1, 1], for the default metric.

        Raises:
            SutraError: If the vector has another dimension, or a component that is not finite; if
                `recall` is not above 0.
        """
        hits = self._reader.search_vector(as_vector(query_vector), top_k, recall=recall)
        return [(hit.id, hit.score) for hit in hits]

    def search_hybrid(
        self, text: str, vector: NDArray[np.float32] | None, limit: int, *, recall: float = 1.0
    ) -> list[sutra_storage.HybridHit]:
        """Return the concepts that words and vector find together, best first.

        Args:
            text: Free text.
            vector: ``(vector_dimension,)``, finite; None: by words alone.
            limit: At most this many.
            recall: As for `search_by_embedding`, of what is nearest to the vector.
        """
        return self._reader.search_hybrid(text, vector, limit, recall=recall)


def as_vector(values: ArrayLike) -> NDArray[np.float32]:
    """Return numbers as the store takes a vector."""
    return np.ascontiguousarray(values, dtype=np.float32)
