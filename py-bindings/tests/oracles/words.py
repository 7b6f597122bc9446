"""What is to be found by words: bm25s for any of them, intersections of sets for all of them.

Invariant: no more than the analysis of a text is the store's own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import bm25s
import numpy as np

from sutra_storage import analyze

from .ranking import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .content import Content
    from .data import Data


@dataclass
class Words:
    """The answers to the queries of words, computed at first need."""

    data: Data
    content: Content

    @cached_property
    def terms(self) -> list[list[str]]:
        """The terms of each concept."""
        return [analyze(text) for text in self.content.texts]

    @cached_property
    def any_of(self) -> list[Ranking]:
        """What bm25s finds for words that are OR-ed."""
        engine = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
        engine.index(self.terms, show_progress=False)
        rankings = []
        for query in self.data.any_of:
            scores: NDArray[np.float64] = engine.get_scores(analyze(query))
            found = np.flatnonzero(scores)
            rankings.append(Ranking(found, scores[found]))
        return rankings

    @cached_property
    def all_of(self) -> list[Ranking]:
        """What intersections of sets hold, scored by the formula as it stands in the papers."""
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        for at, terms in enumerate(self.terms):
            for term in terms:
                counts[term][at] = counts[term].get(at, 0) + 1
        total = len(self.terms)
        average = sum(map(len, self.terms)) / total

        def score(terms: list[str], at: int) -> float:
            norm = 1.2 * (1 - 0.75 + 0.75 * len(self.terms[at]) / average)
            return sum(
                math.log(1 + (total - len(counts[term]) + 0.5) / (len(counts[term]) + 0.5))
                * (counts[term][at] / (counts[term][at] + norm))
                for term in terms
            )

        rankings = []
        for query in self.data.all_of:
            terms = analyze(query)
            shared = set[int]().union(*(counts.get(term, {}) for term in terms))
            for term in terms:
                shared &= counts.get(term, {}).keys()
            places = sorted(shared)
            scores = np.array([score(terms, at) for at in places], np.float64)
            rankings.append(Ranking(np.array(places, np.intp), scores))
        return rankings
