"""Searches by vector against numpy's exact cosines, with and without filters.

Invariant: every query is asked both before and after the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .case import STATES
from .ranking import TOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutra_storage import Hit

    from .case import Case


def test_vectors_find_what_numpy_finds(case: Case) -> None:
    data, vectors = case.oracles.data, case.oracles.vectors
    asked = zip(data.vector_queries, vectors.filters, vectors.nearest, strict=True)
    hits: Sequence[Hit | tuple[str, float]]
    for at, (query, filter_, ranking) in enumerate(asked):
        if (at + STATES.index(case.state)) % data.thin:
            continue
        if filter_ is None and at % 5 < 2:
            hits = case.storage.search_by_embedding(query, TOP)
        else:
            hits = case.storage.store.search_vector(query, TOP, filter=filter_)
        case.check_ranking(ranking, hits, (at, filter_))
