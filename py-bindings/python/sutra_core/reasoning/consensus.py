"""How sure several paths make one conclusion.

Invariants: along a path confidence never rises; another path never lowers it; a statement that
several paths share counts once; the result is in [0, 1].
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sutra_core.graph.path import ReasoningPath

MAX_PATHS: Final = 8
"""The surest paths that are counted: the exact sum has two to this power terms."""


class MultiPathAggregator:
    """Joins the paths to one conclusion by noisy-or.

    Each statement is taken to be true with its confidence, independently of the others; the
    conclusion holds if all statements of at least one path do. Its probability is computed exactly,
    by inclusion and exclusion over the paths: for paths without a common statement that is the
    noisy-or ``1 - (1 - p)(1 - q)…``, and two paths that differ in nothing count as one.
    """

    def confidence(self, paths: Sequence[ReasoningPath]) -> float:
        """Return the probability that one of the paths holds, 0 to 1; 0 without paths.

        Of more than `MAX_PATHS` paths the surest are counted.
        """
        facts = [path.facts() for path in self.rank(paths)[:MAX_PATHS]]
        total = 0.0
        for size in range(1, len(facts) + 1):
            sign = 1.0 if size % 2 else -1.0
            for chosen in itertools.combinations(facts, size):
                union: dict[tuple[str, str, str], float] = {}
                for path in chosen:
                    for key, confidence in path.items():
                        # Two names of one statement ("hypernym", "is_a"): the surer one counts.
                        union[key] = max(confidence, union.get(key, 0.0))
                total += sign * math.prod(union[key] for key in sorted(union))
        best = max((path.confidence for path in paths), default=0.0)
        return min(1.0, max(best, total))

    def rank(self, paths: Iterable[ReasoningPath]) -> list[ReasoningPath]:
        """Return the paths without repetition: the surest first, then the shortest, then by id.

        Paths that go by the same statements under other names count as one.
        """
        ranked = sorted(paths, key=lambda path: path.order())
        distinct = {tuple(sorted(path.facts())): path for path in reversed(ranked)}
        return sorted(distinct.values(), key=lambda path: path.order())
