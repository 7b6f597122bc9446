"""The store in terms of concepts and associations.

Reads are in `sutra_core.storage.reader`, writes here; nothing else in `sutra_core` calls the store.
Invariant: it holds no knowledge; what a call wrote is what the next one reads.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

import sutra_storage
from sutra_core.graph.concepts import Association, Concept
from sutra_core.storage.reader import KnowledgeReader, as_vector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Durability = Literal["sync", "interval", "buffered"]


class RustStorageAdapter(KnowledgeReader):
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

    def __init__(
        self, path: str | Path, vector_dimension: int | None = None, **options: Any
    ) -> None:
        """Open the store in a directory, or make one.

        Args:
            path: The directory; ":memory:" keeps the store in memory.
            vector_dimension: Components of each vector, 1 to 65,535; None: as the store has it, or
                384.
            **options: Further options of `sutra_storage.GraphStore`.

        Raises:
            TypeError: If the path is none.
            SutraError: If the store can't be opened.
        """
        self._path = os.fspath(path)
        self._store = sutra_storage.GraphStore(self._path, vector_dimension, **options)
        super().__init__(self._store)

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

    @contextmanager
    def snapshot(self) -> Iterator[KnowledgeReader]:
        """Read one state throughout a block, whatever is written meanwhile."""
        with self._store.snapshot() as snapshot:
            yield KnowledgeReader(snapshot)

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
        stored = self._transaction.get_concept(concept_id, vector=False)
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
        None if embedding is None else as_vector(embedding),
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
