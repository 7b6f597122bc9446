"""The store in terms of concepts and associations.

The one module of `sutra_core` that calls `sutra_storage.GraphStore`. Invariant: it holds no
knowledge; every call reads the store, and what a call wrote is what the next one reads.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import sutra_storage

from sutra_core.graph.concepts import Association, Concept, is_denial, type_in_store
from sutra_core.graph.path import ReasoningPath
from sutra_core.graph.relations import MENTIONS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

Direction = Literal["out", "in", "both"]
Durability = Literal["sync", "interval", "buffered"]


class RustStorageAdapter:
    """Concepts, associations and searches of one store.

    Example:
        >>> from sutra_core.graph import Association, Concept
        >>> from sutra_core.storage.rust_adapter import RustStorageAdapter
        >>> with RustStorageAdapter(":memory:", vector_dimension=2) as storage:
        ...     storage.add_concept(Concept("dog", "a dog"), [1.0, 0.0])
        ...     storage.add_concept(Concept("wolf", "a wolf"), [0.8, 0.6])
        ...     storage.add_association(Association.of("dog", "descends_from", "wolf"))
        ...     storage.get_neighbors("dog"), storage.search_by_embedding([1.0, 0.0], 1)
        (['wolf'], [('dog', 1.0)])
    """

    def __init__(self, path: str | Path, vector_dimension: int = 384, **options: Any) -> None:
        """Open the store in a directory, or make one.

        Args:
            path: The directory; ":memory:" keeps the store in memory.
            vector_dimension: Components of each vector, 1 to 65,535.
            **options: Further options of `sutra_storage.GraphStore`.

        Raises:
            SutraError: If the store can't be opened.
        """
        self._path = str(path)
        self._store = sutra_storage.GraphStore(self._path, vector_dimension, **options)

    @property
    def path(self) -> str:
        """The directory, as given."""
        return self._path

    @property
    def store(self) -> sutra_storage.GraphStore:
        """The store below."""
        return self._store

    # --- Concepts --------------------------------------------------------------------------------

    def add_concept(self, concept: Concept, embedding: ArrayLike | None = None) -> None:
        """Store a concept, in place of any of its id.

        Args:
            concept: What to store.
            embedding: Its vector, of `vector_dimension` finite components; None: no vector.

        Raises:
            SutraError: If the vector has another dimension, or a component that is not finite.
        """
        _put_concept(self._store, concept, embedding)

    def get_concept(self, concept_id: str) -> Concept | None:
        """Return a concept; None if there is none of this id."""
        stored = self._store.get_concept(concept_id)
        return None if stored is None else Concept.from_stored(stored)

    def get_embedding(self, concept_id: str) -> NDArray[np.float32] | None:
        """Return a concept's vector; None if it has none, or there is no such concept."""
        return self._store.get_vector(concept_id)

    def has_concept(self, concept_id: str) -> bool:
        """Whether there is a concept of this id."""
        return concept_id in self._store

    def delete_concept(self, concept_id: str) -> bool:
        """Delete a concept and its associations; return whether it was there."""
        return self._store.delete(concept_id)

    # --- Associations ----------------------------------------------------------------------------

    def add_association(self, association: Association) -> None:
        """Store an association, in place of any of its key.

        Raises:
            SutraError: If one of its concepts is missing.
        """
        _put_association(self._store, association)

    def get_association(
        self, source_id: str, target_id: str, relation: str, *, negated: bool = False
    ) -> Association | None:
        """Return the association of a key, or None."""
        kind = type_in_store(relation, negated=negated)
        stored = self._store.get_association(source_id, target_id, kind)
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
        stored = self._store.get_associations(concept_id, direction=direction, types=types)
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
        return self._store.get_neighbors(concept_id, direction=direction, types=types)

    def degree(self, concept_id: str) -> int:
        """Return how many neighbours a concept has."""
        return len(self._store.get_neighbors(concept_id, direction="both"))

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
            for name in self._store.association_types()
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
        found = self._store.find_paths(
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
        return [(hit.id, hit.score) for hit in self._store.search_text_scored(query, limit=top_k)]

    def contains_word(self, concept_id: str, word: str) -> bool:
        """Whether the word index finds a word in a concept, in any of its forms."""
        return bool(self._store.search_text(word, limit=1, filter={"ids": [concept_id]}))

    def search_by_embedding(
        self, query_vector: ArrayLike, top_k: int = 10
    ) -> list[tuple[str, float]]:
        """Return the nearest concepts with their similarities, best first.

        Args:
            query_vector: ``(vector_dimension,)``, finite.
            top_k: At most this many.

        Returns:
            Ids and cosines in [-1, 1], for the default metric.

        Raises:
            SutraError: If the vector has another dimension, or a component that is not finite.
        """
        hits = self._store.search_vector(_vector(query_vector), top_k)
        return [(hit.id, hit.score) for hit in hits]

    def search_hybrid(
        self, text: str, vector: NDArray[np.float32] | None, limit: int
    ) -> list[sutra_storage.HybridHit]:
        """Return the concepts that words and vector find together, best first."""
        return self._store.search_hybrid(text, vector, limit)

    # --- The store -------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, durability: Durability = "sync") -> Iterator[AdapterTransaction]:
        """Write all of a block at its end, or nothing if it raises.

        Args:
            durability: What the end of the block promises.

        Raises:
            SutraError: If another writer changed what the block read.
        """
        with self._store.transaction(durability=durability) as transaction:
            yield AdapterTransaction(transaction)

    def epoch(self) -> int:
        """Return the number of the last transaction."""
        return self._store.stats()["epoch"]

    def stats(self) -> dict[str, Any]:
        """Return what the store holds, and how it is doing."""
        return dict(self._store.stats())

    def save(self) -> None:
        """Make all that was written survive power loss; on return it does."""
        self._store.save()

    def close(self) -> None:
        """Save and close; a second call does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        """Return the adapter itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save and close."""
        self.close()

    def __repr__(self) -> str:
        """Name the store."""
        return f"RustStorageAdapter({self._path!r})"


class AdapterTransaction:
    """Writes that are stored together; it reads its own."""

    def __init__(self, transaction: sutra_storage.Transaction) -> None:
        """Write through `transaction`."""
        self._transaction = transaction

    def get_concept(self, concept_id: str) -> Concept | None:
        """Return a concept as the transaction would leave it."""
        stored = self._transaction.get_concept(concept_id)
        return None if stored is None else Concept.from_stored(stored)

    def has_concept(self, concept_id: str) -> bool:
        """Whether there would be a concept of this id."""
        return concept_id in self._transaction

    def get_vector(self, concept_id: str) -> NDArray[np.float32] | None:
        """Return a concept's vector as the transaction would leave it."""
        return self._transaction.get_vector(concept_id)

    def get_association(
        self, source_id: str, target_id: str, store_type: str
    ) -> Association | None:
        """Return the association of a key as the transaction would leave it."""
        stored = self._transaction.get_association(source_id, target_id, store_type)
        return None if stored is None else Association.from_stored(stored)

    def put_concept(self, concept: Concept, embedding: ArrayLike | None) -> None:
        """Store a concept, in place of any of its id."""
        _put_concept(self._transaction, concept, embedding)

    def put_association(self, association: Association) -> None:
        """Store an association, in place of any of its key."""
        _put_association(self._transaction, association)


def _put_concept(
    target: sutra_storage.GraphStore | sutra_storage.Transaction,
    concept: Concept,
    embedding: ArrayLike | None,
) -> None:
    target.put_concept(
        concept.id,
        concept.content,
        None if embedding is None else _vector(embedding),
        created=concept.created,
        last_accessed=concept.last_accessed,
        access_count=concept.access_count,
        strength=concept.strength,
        confidence=concept.confidence,
        source=concept.source,
        category=concept.category,
        attributes=concept.attributes,
    )


def _put_association(
    target: sutra_storage.GraphStore | sutra_storage.Transaction, association: Association
) -> None:
    target.add_association(
        association.source_id,
        association.target_id,
        type=association.store_type,
        weight=association.weight,
        confidence=association.confidence,
        source=association.source,
        attributes=association.store_attributes,
        created=association.created,
        last_used=association.last_used,
    )


def _vector(values: ArrayLike) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)
