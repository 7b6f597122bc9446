"""numpy's product of all rows with the query: the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from peers.peer import Footprint, Peer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from peers.peer import Ids, Matrix, Setting


class NumpyExact(Peer):
    """Every row scored, every time."""

    distribution = "numpy"
    method = "float32 product with every row, argpartition"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Keep the rows; BLAS has its threads from the environment."""
        del threads
        self._base = base

    def footprint(self) -> Footprint:
        """Return the rows themselves."""
        return Footprint(0.0, self._base.shape[1] * 4)

    def settings(self) -> list[Setting]:
        """Return the one there is."""
        return [{}]

    def use(self, setting: Setting) -> None:
        """Do nothing."""

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Score every row."""
        scores = self._base @ query
        near = np.argpartition(scores, -k)[-k:]
        return near[np.argsort(-scores[near])]

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Score every row for a block of queries at a time."""
        found = np.empty((len(queries), k), dtype=np.int64)
        # Few enough that a block's scores of 10^5 rows stay in the cache.
        for start in range(0, len(queries), 64):
            scores = queries[start : start + 64] @ self._base.T
            near = np.argpartition(scores, -k, axis=1)[:, -k:]
            order = np.argsort(-np.take_along_axis(scores, near, axis=1), axis=1)
            found[start : start + 64] = np.take_along_axis(near, order, axis=1)
        return found
