"""Which rows a filtered search may return: drawn at random, or near each other.

Invariant: a selection's rows come from a seeded generator and the base alone, in ascending order,
and are at least as many as are searched for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from peers import dataset

if TYPE_CHECKING:
    from peers.peer import Ids, Matrix

SHARES: Final = (0.5, 0.1, 0.01, 0.001)
"""Of the rows."""
KINDS: Final = ("random", "near")
GENERATOR: Final = (
    "random: the first of default_rng([7, stream]).permutation(n), stream 3 and up by share; near: "
    "the rows most similar to row default_rng([7, 2]).integers(n), itself among them"
)


def name_of(kind: str, share: float) -> str:
    """Return a selection's name: "random 0.1%", say."""
    return f"{kind} {share * 100:g}%"


def drawn(base: Matrix, least: int) -> dict[str, Ids]:
    """Return the rows of each selection by its name, `least` of them where a share is fewer."""
    count = len(base)
    counts = [min(count, max(least, round(share * count))) for share in SHARES]
    chosen: dict[str, Ids] = {}
    for at, (share, rows) in enumerate(zip(SHARES, counts, strict=True)):
        order = np.random.default_rng([dataset.SEED, 3 + at]).permutation(count)
        chosen[name_of("random", share)] = np.sort(order[:rows]).astype(np.int64)
    centre = base[np.random.default_rng([dataset.SEED, 2]).integers(count)]
    # Folded in a fixed order, so that the same rows are near on every machine.
    similar = np.concatenate(
        [
            dataset.folded(base[start : start + 10_000].astype(np.float64) * centre)
            for start in range(0, count, 10_000)
        ]
    )
    order = np.argsort(-similar, kind="stable")
    for share, rows in zip(SHARES, counts, strict=True):
        chosen[name_of("near", share)] = np.sort(order[:rows]).astype(np.int64)
    return chosen


def notes(chosen: dict[str, Ids]) -> dict[str, Any]:
    """Return how the selections came about, and how many rows each has, for the record."""
    return {
        "generator": GENERATOR,
        "rows": {name: len(rows) for name, rows in chosen.items()},
        "sha256": {name: dataset.digest(rows) for name, rows in chosen.items()},
    }


def mask(rows: Ids, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return a bool for each of `count` rows: whether it is selected."""
    selected = np.zeros(count, dtype=np.bool_)
    selected[rows] = True
    return selected
