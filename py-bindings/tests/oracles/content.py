"""What a store holds, as plain data, and how that is put into a store.

Invariant: the concepts are in order of first put, which is the order among equal scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    import sutra_storage

    Key = tuple[str, str, str]

BATCH: Final = 1000
EVEN: Final = frozenset({"hypernym", "hyponym"})
"""Types whose associations all have one confidence: along them, the surest path is the shortest."""
EVEN_CONFIDENCE: Final = 0.75


@dataclass(frozen=True)
class Content:
    """What a store holds, as plain data.

    Attributes:
        ids: The concepts, in order of first put.
        texts: Their contents.
        vectors: One row a concept, float32; zeros where it has none.
        has_vector: Which concepts have one.
        categories: Their categories.
        edges: Confidence of each association, by source, target and type.
    """

    ids: list[str]
    texts: list[str]
    vectors: NDArray[np.float32]
    has_vector: NDArray[np.bool_]
    categories: list[str]
    edges: dict[Key, float]

    @cached_property
    def place(self) -> dict[str, int]:
        """Each concept's place in the order of first put."""
        return {concept_id: at for at, concept_id in enumerate(self.ids)}

    def put(self, store: sutra_storage.GraphStore, places: Sequence[int]) -> None:
        """Put some concepts, in batches."""
        for start in range(0, len(places), BATCH):
            part = places[start : start + BATCH]
            store.put_concepts(
                [self.ids[at] for at in part],
                [self.texts[at] for at in part],
                [self.vectors[at] if self.has_vector[at] else None for at in part],
                categories=[self.categories[at] for at in part],
            )


def associate(
    store: sutra_storage.GraphStore, keys: Sequence[Key], confidences: Sequence[float]
) -> None:
    """Add associations, in batches."""
    for start in range(0, len(keys), BATCH):
        sources, targets, types = zip(*keys[start : start + BATCH], strict=True)
        store.add_associations(
            sources,
            targets,
            types=list(types),
            confidences=confidences[start : start + BATCH],
        )


def confidences(rng: np.random.Generator, keys: Sequence[Key]) -> list[float]:
    """Return confidences that float32 holds; high and alike enough that few paths are long."""
    drawn = rng.uniform(0.6, 0.9, len(keys)).astype(np.float32).tolist()
    return [
        EVEN_CONFIDENCE if key[2] in EVEN else value for key, value in zip(keys, drawn, strict=True)
    ]
