"""Sutra itself: `sutra_storage.VectorIndex`, the approximate search of its vector kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from peers.peer import Footprint, Ids, Matrix, Peer, Setting
from sutra_storage import VectorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGETS: Final = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
"""The shares that an index is calibrated for."""


class Sutra(Peer):
    """Lists and blocks of 2-bit codes, refined by 4-bit codes and by the rows."""

    distribution = "sutra"
    method = "lists of 32 blocks of 32, each vector in two, 2-bit and 4-bit codes, float32 refine"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Index the base; the rows are copied."""
        self._threads = threads
        self._index = VectorIndex(base, "cosine")

    def footprint(self) -> Footprint:
        """Return the index with the rows' norms, and the copy of the rows beside it."""
        return Footprint(self._index.nbytes / len(self._index), self._index.dimension * 4)

    def settings(self) -> list[Setting]:
        """Sweep the recall that is aimed for."""
        return [{"recall": target} for target in TARGETS]

    def use(self, setting: Setting) -> None:
        """Set the target."""
        self._recall = float(setting["recall"])

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        ordinals, _ = self._index.search(query, k, recall=self._recall)
        return ordinals.astype(np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        ordinals, _ = self._index.search_batch(
            queries, k, recall=self._recall, threads=self._threads
        )
        found: Ids = ordinals.astype(np.int64)
        # What fills a row up is the largest number of 32 bits.
        found[ordinals == np.iinfo(np.uint32).max] = -1
        return found
