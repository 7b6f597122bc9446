"""Neighbours and paths against networkx.

Invariant: each step of a path that is found is compared with what was written.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from .content import EVEN, EVEN_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutra_storage import Path

    from .case import Case
    from .graph import Direction, Pair

DEPTH: Final = 12
"""Most associations of a path: a search over all of WordNet takes ten times as long at 16."""
# A product of n steps is off by up to n * 2**-24 of itself; the longest here has 27.
PATH_TOLERANCE: Final = 2e-6


def _find_path(
    case: Case, pair: Pair, depth: int, types: Iterable[str] | None = None
) -> Path | None:
    """Return the best path between two concepts, after comparing each step with the content."""
    source, target, direction = pair
    found = case.storage.store.find_paths(
        source,
        target,
        k=1,
        max_depth=depth,
        direction=direction,
        types=types,
        max_visited=10**9,
    )
    if not found:
        return None
    (path,) = found
    ids = path.concept_ids
    assert (ids[0], ids[-1]) == (source, target)
    assert len(set(ids)) == len(ids) == len(path) + 1
    product = 1.0
    steps = zip(pairwise(ids), path.associations, path.forward, strict=True)
    for ends, step, forward in steps:
        assert ends == (
            (step.source_id, step.target_id) if forward else (step.target_id, step.source_id)
        )
        assert forward or direction != "out"
        assert not forward or direction != "in"
        sure = case.oracles.content.edges[step.source_id, step.target_id, step.type]
        assert step.confidence == sure
        product *= sure
    assert path.confidence == pytest.approx(product, rel=PATH_TOLERANCE)
    return path


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_neighbors_are_those_of_networkx(case: Case, direction: Direction) -> None:
    store, content = case.storage.store, case.oracles.content
    expected = case.oracles.graph.neighbors[direction]
    assert list(store) == content.ids
    for concept_id, neighbors in zip(content.ids, expected, strict=True):
        assert store.get_neighbors(concept_id, direction=direction) == neighbors, concept_id


def test_paths_of_equal_steps_are_as_short_as_those_of_networkx(case: Case) -> None:
    graph = case.oracles.graph
    ways = list(zip(graph.pairs, graph.shortest, strict=True))
    # The test would show nothing if it were all one or the other.
    assert sum(way is None for _, way in ways) > len(ways) / 10
    assert sum(way is not None for _, way in ways) > len(ways) / 10
    for pair, way in ways:
        if way is None:
            assert _find_path(case, pair, 2 * DEPTH, EVEN) is None, pair
            continue
        path = _find_path(case, pair, way.least, EVEN)
        assert path is not None, (pair, way)
        assert len(path) == way.least, (pair, way, path)
        assert path.confidence == pytest.approx(EVEN_CONFIDENCE**way.least, rel=PATH_TOLERANCE)
        assert _find_path(case, pair, way.least - 1, EVEN) is None, (pair, way)


def test_the_surest_paths_are_those_of_networkx(case: Case) -> None:
    graph = case.oracles.graph
    compared = 0
    for pair, way in zip(graph.pairs, graph.surest, strict=True):
        path = _find_path(case, pair, DEPTH)
        if way is None or way.least > DEPTH:
            assert path is None, (pair, way)
            continue
        assert path is not None, (pair, way)
        surest = math.exp(-way.cost)
        if way.length <= DEPTH:
            compared += 1
            assert path.confidence == pytest.approx(surest, rel=PATH_TOLERANCE), (pair, way, path)
        else:
            # networkx knows no bound on the length: with it, only a less sure one is left.
            assert path.confidence < surest, (pair, way, path)
    assert compared > len(graph.pairs) / 3
