"""What a peer is: an index over rows of length one, a sweep of its search parameters, and searches.

Invariant: a peer answers with positions of rows of the base, best first, and -1 where it found
fewer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import metadata
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]
Setting: TypeAlias = dict[str, int | float]
"""Search parameters by name, as they are published."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes a vector.

    Attributes:
        index: What the index holds: codes, links, lists, and rows where it holds a copy.
        rows: The float32 rows beside it, where refining reads them.
    """

    index: float
    rows: float = 0.0


class Peer(ABC):
    """A library and one way to use it.

    Attributes:
        distribution: The Python package that it comes from.
        method: The index and its build parameters, in words.
    """

    distribution: str
    method: str

    def version(self) -> str:
        """Return the package's name and version."""
        return f"{self.distribution} {metadata.version(self.distribution)}"

    @abstractmethod
    def build(self, base: Matrix, threads: int = 1) -> None:
        """Index rows of length one; search as many threads afterwards."""

    @abstractmethod
    def footprint(self) -> Footprint:
        """Return what it takes to keep the index."""

    @abstractmethod
    def settings(self) -> list[Setting]:
        """Return the sweep, from fast to thorough."""

    @abstractmethod
    def use(self, setting: Setting) -> None:
        """Search with these parameters from now on."""

    @abstractmethod
    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the ids of the `k` rows most similar to one query."""

    @abstractmethod
    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the same for many queries, a row each."""


class FilteringPeer(Peer):
    """A peer whose searches return rows of one selection alone, of several that it was told of."""

    _selections: dict[str, Ids]

    def declare(self, selections: dict[str, Ids]) -> None:
        """Take the ordinals of each selection, before building: columns are written with rows."""
        self._selections = selections

    @abstractmethod
    def select(self, name: str) -> None:
        """Search among the rows of this selection from now on; settings may depend on it."""


def to_i8(rows: NDArray[np.float32], scale: float) -> NDArray[np.int8]:
    """Return components times a scale, rounded, and clipped without `np.clip`'s cost a call."""
    steps = np.rint(rows * np.float32(scale))
    np.minimum(steps, 127, out=steps)
    np.maximum(steps, -127, out=steps)
    narrow: NDArray[np.int8] = steps.astype(np.int8)
    return narrow


def best_of(
    base: Matrix, candidates: NDArray[np.integer], query: NDArray[np.float32], k: int
) -> Ids:
    """Return the `k` candidates most similar to a query, by their float32 rows."""
    known = candidates[candidates >= 0]
    scores = base[known] @ query
    if len(known) > k:
        kept = np.argpartition(scores, -k)[-k:]
        known, scores = known[kept], scores[kept]
    return known[np.argsort(-scores)].astype(np.int64)


def best_of_each(
    base: Matrix, candidates: NDArray[np.integer], queries: Matrix, k: int, block: int = 64
) -> Ids:
    """Return the same for many queries; each has as many candidates, all of them known."""
    found = np.empty((len(queries), k), dtype=np.int64)
    # A block's rows stay in the cache between the copy that gathers them and the product.
    for start in range(0, len(queries), block):
        near = candidates[start : start + block]
        scores = np.matmul(base[near], queries[start : start + block, :, None])[:, :, 0]
        best = np.argsort(-scores, axis=1)[:, :k]
        found[start : start + block] = np.take_along_axis(near, best, axis=1)
    return found
