"""usearch: HNSW over rows of a narrower type, alone or refined by the float32 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from usearch.index import Index

from peers.peer import Footprint, Ids, Matrix, Peer, Setting, best_of, best_of_each, to_i8

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Usearch(Peer):
    """HNSW over bf16, f16 or i8."""

    distribution = "usearch"

    def __init__(self, dtype: str, m: int = 16, *, refined: bool = False) -> None:
        """Choose the type and the degree, and whether float32 rows refine."""
        self._dtype, self._m, self._refined = dtype, m, refined
        self.method = f"HNSW {dtype}, connectivity {m}, expansion_add 128"
        if refined:
            self.method += ", float32 refine"
        self._factor = 1

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Link the base."""
        self._base, self._threads = base, threads
        self._index = Index(
            ndim=base.shape[1],
            metric="ip",
            dtype=self._dtype,
            connectivity=self._m,
            expansion_add=128,
            enable_key_lookups=False,
        )
        self._scale = 127 / float(np.abs(base).max())
        self._index.add(np.arange(len(base)), self._cast(base), threads=threads)
        # As the library is told of it, for the record.
        self.method += f", {self._index.hardware_acceleration} kernels"

    def _cast(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        # The library's own cast to i8 scales by 127: a component of 0.05 would be left 6 steps.
        if self._dtype != "i8":
            return rows
        return to_i8(rows, self._scale)

    def footprint(self) -> Footprint:
        """Return rows of the narrower type and links, and the rows for refining."""
        rows = self._base.shape[1] * 4 if self._refined else 0
        return Footprint(self._index.serialized_length / len(self._base), rows)

    def settings(self) -> list[Setting]:
        """Sweep expansion_search and, where rows refine, how many."""
        expansions = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640]
        if not self._refined:
            return [{"expansion_search": each} for each in expansions]
        # Half as many again as are wanted make up for what 8 bits confuse; more found no more.
        return [{"expansion_search": each, "refined": min(each, 15)} for each in expansions]

    def use(self, setting: Setting) -> None:
        """Set the expansion."""
        self._index.expansion_search = int(setting["expansion_search"])
        self._candidates = int(setting.get("refined", 0))

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        wanted = max(k, self._candidates)
        found = self._index.search(self._cast(query), wanted, threads=self._threads).keys
        if wanted > k:
            return best_of(self._base, found.astype(np.int64), query, k)
        return np.asarray(found).astype(np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        wanted = max(k, self._candidates)
        found = self._index.search(self._cast(queries), wanted, threads=self._threads).keys
        if wanted > k:
            return best_of_each(self._base, found.astype(np.int64), queries, k)
        return np.asarray(found).astype(np.int64)
