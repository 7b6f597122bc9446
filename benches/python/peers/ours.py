"""Sutra itself: `sutra_storage.VectorIndex`, the approximate search of its vector kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from peers import selections
from peers.peer import FilteringPeer, Footprint, Ids, Matrix, Peer, Setting
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


FEW: Final = 64
"""Where fewer than one row in so many is selected, ordinals are read sooner than a mask."""


class FilteredSutra(Sutra, FilteringPeer):
    """The same index; each call is given the selection anew, as a mask or as ordinals."""

    def select(self, name: str) -> None:
        """Take the form that is read sooner."""
        rows = self._selections[name]
        count = len(self._index)
        few = len(rows) * FEW < count
        self._only: Any = rows.astype(np.uint32) if few else selections.mask(rows, count)

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the selected rows most similar to one query."""
        ordinals, _ = self._index.search(query, k, recall=self._recall, only=self._only)
        return ordinals.astype(np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the selected rows most similar to each query."""
        ordinals, _ = self._index.search_batch(
            queries, k, recall=self._recall, only=self._only, threads=self._threads
        )
        found: Ids = ordinals.astype(np.int64)
        found[ordinals == np.iinfo(np.uint32).max] = -1
        return found


class ExactSutra(FilteredSutra):
    """The same, comparing all that the codes do not rule out."""

    method = "exact search, what bounds of the codes rule out left out"

    def settings(self) -> list[Setting]:
        """Return the one there is."""
        return [{"recall": 1.0}]


class SutraFilteringAfter(Sutra, FilteringPeer):
    """Searches without the filter for more and more hits, until enough of them pass it."""

    method = "search of more hits without the filter, which they pass afterwards, until k do"
    _GROWTH: Final = 4

    def select(self, name: str) -> None:
        """Keep the filter as a mask, and as many hits as hold k that pass on average."""
        rows = self._selections[name]
        self._is_selected = selections.mask(rows, len(self._index))
        self._per_hit = len(self._index) / len(rows)
        self._most = len(rows)

    def settings(self) -> list[Setting]:
        """Sweep the recall that is aimed for, and by how much more is asked for at first."""
        return [
            {"recall": target, "more": more}
            for target in (0.9, 0.95, 0.98, 0.995)
            for more in (1.5, 3)
        ]

    def use(self, setting: Setting) -> None:
        """Set both."""
        super().use(setting)
        self._more = float(setting["more"])

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows that pass, most similar to one query."""
        count = len(self._index)
        asked = min(count, int(self._more * self._per_hit * k) + 1)
        while True:
            ordinals, _ = self._index.search(query, asked, recall=self._recall)
            passing = ordinals[self._is_selected[ordinals]]
            if len(passing) >= min(k, self._most) or asked == count:
                return passing[:k].astype(np.int64)
            asked = min(count, asked * self._GROWTH)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the same for each query, one after another."""
        found = np.full((len(queries), k), -1, dtype=np.int64)
        for at, query in enumerate(queries):
            ids = self.search_one(query, k)
            found[at, : len(ids)] = ids
        return found
