"""hnswlib, from its own package where that is installed, else from Chroma's fork.

hnswlib publishes no wheels. The fork's wheels hold the same graph and searches over it, but are
built for every x86-64 processor: their distances use SSE, where a build on the machine would use
all it has.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import hnswlib
import numpy as np

from peers.peer import Footprint, Ids, Matrix, Peer, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Hnsw(Peer):
    """HNSW over float32 rows."""

    def __init__(self, m: int, ef_construction: int = 200) -> None:
        """Choose the degree and the effort of building."""
        self._m, self._ef_construction = m, ef_construction
        self.distribution = "hnswlib"
        self.method = f"HNSW float32, M {m}, ef_construction {ef_construction}"
        if "hnswlib" not in metadata.packages_distributions()["hnswlib"]:
            self.distribution = "chroma-hnswlib"
            self.method += "; Chroma's fork, built for SSE"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Link the base."""
        count, self._dim = base.shape
        self._index = hnswlib.Index(space="ip", dim=self._dim)
        self._index.init_index(
            max_elements=count, ef_construction=self._ef_construction, M=self._m, random_seed=7
        )
        self._index.set_num_threads(threads)
        self._threads = threads
        self._index.add_items(base, np.arange(count), num_threads=threads)

    def footprint(self) -> Footprint:
        """Return rows, 2 M links and a count at the bottom, label and pointer, upper links."""
        upper = 4 * (self._m + 1) / (self._m - 1)
        return Footprint(4 * self._dim + 4 * (2 * self._m + 1) + 8 + 8 + upper)

    def settings(self) -> list[Setting]:
        """Sweep ef."""
        efs = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640]
        return [{"ef": ef} for ef in efs]

    def use(self, setting: Setting) -> None:
        """Set ef."""
        self._index.set_ef(int(setting["ef"]))

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        found, _ = self._index.knn_query(query, k, num_threads=self._threads)
        return np.asarray(found[0]).astype(np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        found, _ = self._index.knn_query(queries, k, num_threads=self._threads)
        return np.asarray(found).astype(np.int64)
