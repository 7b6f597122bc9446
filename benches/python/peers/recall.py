"""Recall against exact search, and rates at a recall.

Invariant: a returned row counts where its exact score is no less than that of the k-th best row:
among rows of equal score, which an answer names is chance. Exact scores are summed in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from peers.peer import Ids, Matrix

TIE: Final = 2.0**-22
"""Scores this close are equal: no peer's float32 arithmetic tells them apart."""


def exact_scores(base: Matrix, queries: Matrix, ids: Ids) -> NDArray[np.float64]:
    """Return the scores of the rows `ids[i]` for query i, summed in float64."""
    scores = np.empty(ids.shape, dtype=np.float64)
    for at, near in enumerate(ids):
        scores[at] = base[near].astype(np.float64) @ queries[at].astype(np.float64)
    return scores


def exact_search(base: Matrix, queries: Matrix, k: int, block: int = 50_000) -> Ids:
    """Return the ids of the `k` best rows for each query by float32 scores, in no order."""
    best = np.empty((len(queries), 0), dtype=np.int64)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    for start in range(0, len(base), block):
        more = queries @ base[start : start + block].T
        kept = min(k, more.shape[1])
        near = np.argpartition(more, -kept, axis=1)[:, -kept:]
        best = np.hstack([best, near + start])
        scores = np.hstack([scores, np.take_along_axis(more, near, axis=1)])
        if best.shape[1] > k:
            near = np.argpartition(scores, -k, axis=1)[:, -k:]
            best = np.take_along_axis(best, near, axis=1)
            scores = np.take_along_axis(scores, near, axis=1)
    return best


def thresholds(base: Matrix, queries: Matrix, k: int) -> NDArray[np.float64]:
    """Return the exact score of the k-th best row for each query."""
    # More than k, so that float32's rounding leaves none of the k out.
    near = exact_search(base, queries, min(k + 22, len(base)))
    scores = np.sort(exact_scores(base, queries, near), axis=1)
    return np.asarray(scores[:, -k])


def recall(
    base: Matrix, queries: Matrix, threshold: NDArray[np.float64], found: Ids, k: int
) -> float:
    """Return the share of the k best that was found, over all queries.

    A row that is named twice counts once, and -1 stands for none.
    """
    hits = 0
    for at, ids in enumerate(found):
        distinct = np.unique(ids[:k])
        distinct = distinct[distinct >= 0]
        scores = exact_scores(base, queries[at : at + 1], distinct[None, :])
        hits += int(np.count_nonzero(scores >= threshold[at] - TIE))
    return hits / (k * len(found))


@dataclass(frozen=True, slots=True)
class Rate:
    """Queries a second at a recall.

    Attributes:
        qps: How many.
        at_least: Whether the sweep begins above that recall, so that it may be more.
    """

    qps: float
    at_least: bool = False


def frontier(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the (recall, qps) that no other beats in both, from low recall to high."""
    kept: list[tuple[float, float]] = []
    for recall_, qps in sorted(points, reverse=True):
        if not kept or qps > kept[-1][1]:
            kept.append((recall_, qps))
    return kept[::-1]


def rate_at(points: Iterable[tuple[float, float]], wanted: float) -> Rate | None:
    """Return the rate at a recall: between two points of the frontier, log(qps) is linear.

    None where no point reaches that recall.
    """
    best = frontier(points)
    if not best or best[-1][0] < wanted:
        return None
    if best[0][0] >= wanted:
        return Rate(best[0][1], at_least=best[0][0] > wanted)
    above = next(at for at, (recall_, _) in enumerate(best) if recall_ >= wanted)
    (low, fast), (high, slow) = best[above - 1], best[above]
    share = (wanted - low) / (high - low)
    return Rate(math.exp(math.log(fast) + share * (math.log(slow) - math.log(fast))))
