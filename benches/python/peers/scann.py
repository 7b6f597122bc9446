"""ScaNN: a tree of partitions, spilled or not, anisotropic codes of 4 bits, float32 reordering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scann import scann_ops_pybind

from peers.peer import Footprint, Ids, Matrix, Peer, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Leaves searched, and the rows reordered then: the frontier of a sweep over all pairs.
REORDERED: Final = {
    3: (20,),
    5: (20,),
    8: (20, 35),
    12: (20, 35),
    18: (35,),
    27: (35,),
    40: (35, 60),
    60: (35, 60),
    90: (60,),
    135: (35, 60),
    200: (60,),
    300: (60, 120),
}


class Scann(Peer):
    """Tree, asymmetric hashing of two dimensions a code, reordering."""

    distribution = "scann"

    def __init__(self, soar: float | None = None) -> None:
        """Choose whether rows are spilled to a second leaf, and how far from the first."""
        self._soar = soar

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Train and index; leaves near the root of the count, and 0.2, as the library advises."""
        count, self._dim = base.shape
        self._leaves = round(np.sqrt(count) * 1.5)
        builder = scann_ops_pybind.builder(base, 10, "dot_product")
        builder.set_n_training_threads(threads)
        builder.tree(
            num_leaves=self._leaves,
            num_leaves_to_search=10,
            training_sample_size=count,
            soar_lambda=self._soar,
            overretrieve_factor=2.0 if self._soar else None,
        )
        builder.score_ah(2, anisotropic_quantization_threshold=0.2)
        builder.reorder(100)
        self._searcher = builder.build()
        self._searcher.set_num_threads(threads)
        spilled = "" if self._soar is None else f", SOAR lambda {self._soar}"
        self.method = f"{self._leaves} leaves{spilled}, AH 2x4 bit threshold 0.2, f32 reorder"

    def footprint(self) -> Footprint:
        """Return codes, ids and leaves, and the rows for reordering; computed, not asked."""
        copies = 1 if self._soar is None else 2
        # 4 bits for each two dimensions, and an id in its leaf.
        return Footprint(copies * (self._dim / 4 + 4), self._dim * 4)

    def settings(self) -> list[Setting]:
        """Sweep the leaves searched and the rows reordered."""
        return [
            {"leaves_to_search": leaves, "reordered": reordered}
            for leaves, counts in REORDERED.items()
            if leaves <= self._leaves
            for reordered in counts
        ]

    def use(self, setting: Setting) -> None:
        """Take the parameters with each call."""
        self._search = int(setting["leaves_to_search"])
        self._reordered = int(setting["reordered"])

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        found, _ = self._searcher.search(query, k, self._reordered, self._search)
        return np.asarray(found).astype(np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query, by one thread."""
        found, _ = self._searcher.search_batched(queries, k, self._reordered, self._search)
        return np.asarray(found).astype(np.int64)
