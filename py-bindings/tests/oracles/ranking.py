"""The best concepts of a query by exact scores, and the comparison of hits with them.

Invariant: two hits may change places only where their scores differ by less than rounding; equals
are in order of first put.
"""
# ruff: noqa: S101 - a check asserts, as a test does

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.intp]

TOP: Final = 10
# The store computes in float32, the oracles in float64. On the slice they differ by up to 2e-7 of a
# BM25 score and 1.1e-7 in a cosine.
TOLERANCE: Final = 1e-6


class Ranking:
    """The best of some concepts by exact scores, and what rounding may make of that."""

    def __init__(self, places: Numbers, scores: Floats, alike: Sequence[Any] | None = None) -> None:
        """Rank concepts.

        Args:
            places: The concepts, by place in the order of first put, ascending.
            scores: One each.
            alike: Equal for concepts that any arithmetic must give one score; None: the scores.
        """
        if len(scores) > TOP:
            last = np.partition(scores, -TOP)[-TOP]
            near = scores >= last - self._slack(last)
            places, scores = places[near], scores[near]
        order = np.argsort(-scores, kind="stable")
        self.best = scores[order[:TOP]]
        self._scores = dict(zip(places[order].tolist(), scores[order].tolist(), strict=True))
        labels = self._scores if alike is None else {at: alike[at] for at in self._scores}
        self._first: dict[Any, list[int]] = defaultdict(list)
        for at in sorted(self._scores):
            self._first[labels[at]].append(at)
        self._labels = labels

    @staticmethod
    def _slack(score: float) -> float:
        return TOLERANCE * max(1.0, abs(score))

    def check(self, hits: Sequence[tuple[int, float]], what: object) -> None:
        """Compare hits, as places and scores, with the ranking."""
        assert len(hits) == len(self.best), what
        seen: dict[Any, int] = defaultdict(int)
        for rank, (at, score) in enumerate(hits):
            exact = self._scores.get(at)
            assert exact is not None, (what, rank, hits, self.best)
            assert abs(score - exact) <= self._slack(exact), (what, rank, score, exact)
            # Two may change places, when their scores differ by less than rounding.
            assert abs(exact - self.best[rank]) <= self._slack(exact), (what, rank, hits, self.best)
            if rank:
                assert (-hits[rank - 1][1], hits[rank - 1][0]) < (-score, at), (what, rank, hits)
            # Of equals, none is passed over.
            label = self._labels[at]
            assert at == self._first[label][seen[label]], (what, rank, hits)
            seen[label] += 1
