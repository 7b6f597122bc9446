"""turbovec: every row scanned by codes of 4 bits, the best refined by the float32 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from turbovec import TurboQuantIndex

from peers.peer import Footprint, Ids, Matrix, Peer, Setting, best_of, best_of_each

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TurboQuant(Peer):
    """An exhaustive scan; its threads are Rayon's, from the environment."""

    distribution = "turbovec"

    def __init__(self, bits: int) -> None:
        """Choose the bits of a code."""
        self._bits = bits
        self.method = f"exhaustive scan of {bits} bit codes, calibrated, float32 refine"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Calibrate on a random sample and encode."""
        del threads
        self._base = base
        self._index = TurboQuantIndex(dim=base.shape[1], bit_width=self._bits)
        sample = np.random.default_rng(7).permutation(len(base))[:4096]
        self._index.calibrate(base[sample])
        self._index.add(base)
        self._index.prepare()

    def footprint(self) -> Footprint:
        """Return codes and norms, and the rows for refining."""
        dim = self._base.shape[1]
        return Footprint(len(self._index.to_bytes()) / len(self._base), dim * 4)

    def settings(self) -> list[Setting]:
        """Sweep how many rows are refined; as many as wanted is no refining."""
        return [{"refined": refined} for refined in (10, 12, 14, 17, 20, 30)]

    def use(self, setting: Setting) -> None:
        """Take the count with each call."""
        self._candidates = int(setting["refined"])

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        _, found = self._index.search(query[None, :], self._candidates)
        return best_of(self._base, found[0].astype(np.int64), query, k)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        _, found = self._index.search(queries, self._candidates)
        return best_of_each(self._base, found.astype(np.int64), queries, k)
