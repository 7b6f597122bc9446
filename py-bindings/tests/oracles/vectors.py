"""What is to be found near a vector: numpy's cosines with every row that the filter lets through.

Invariant: scores are computed in float64; concepts whose vectors are the same bytes are equals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import HELD_OUT, SEED
from .ranking import Ranking

if TYPE_CHECKING:
    from .content import Content
    from .data import Data


@dataclass
class Vectors:
    """The answers to the vector queries, computed at first need."""

    data: Data
    content: Content

    @cached_property
    def filters(self) -> list[dict[str, Any] | None]:
        """The filter of each vector query: none for most; a category; ids, some of them unknown."""
        rng = np.random.default_rng(SEED)
        categories = [*sorted(set(self.content.categories)), "no such category"]
        filters: list[dict[str, Any] | None] = [None] * HELD_OUT
        for turn, at in enumerate(range(3, HELD_OUT, 5)):
            filters[at] = {"category": categories[turn % len(categories)]}
        ids = self.data.knowledge.ids
        for at in range(4, HELD_OUT, 5):
            chosen = rng.integers(len(ids), size=rng.integers(2, 400))
            filters[at] = {"ids": [*(ids[place] for place in chosen), "no such concept"]}
        return filters

    @cached_property
    def nearest(self) -> list[Ranking]:
        """What numpy finds near the vectors that were held out."""
        content = self.content
        places = np.flatnonzero(content.has_vector)
        rows = content.vectors[places].astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        queries = self.data.vector_queries.astype(np.float64)
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        alike = [row.tobytes() for row in content.vectors]
        categories = np.array(content.categories)[places]
        ids = np.array(content.ids)[places]
        rankings = []
        for start in range(0, len(queries), 50):
            cosines = queries[start : start + 50] @ rows.T
            for scores, filter_ in zip(cosines, self.filters[start : start + 50], strict=True):
                keep: Any = slice(None)
                if filter_ is not None and "ids" in filter_:
                    keep = np.isin(ids, filter_["ids"])
                elif filter_ is not None:
                    keep = categories == filter_["category"]
                rankings.append(Ranking(places[keep], scores[keep], alike))
        return rankings
