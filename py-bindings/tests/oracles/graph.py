"""What is to be found along associations: networkx's neighbours, and shortest and surest paths.

Invariant: paths are compared by cost and length, not by the concepts on them; of equally good ones
networkx may find another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import networkx as nx
import numpy as np

from .content import EVEN
from .data import SEED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .content import Content
    from .data import Data

    Direction = Literal["out", "in", "both"]
    Pair = tuple[str, str, Direction]

PAIRS: Final[dict[Direction, int]] = {"out": 100, "in": 50, "both": 50}
"""Pairs of concepts between which paths are looked for, by direction."""


@dataclass
class Graph:
    """The answers about neighbours and paths, computed at first need."""

    data: Data
    content: Content

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The associations; of several from one concept to another, the surest."""
        surest: dict[tuple[str, str], float] = {}
        for (source, target, _), sure in self.content.edges.items():
            surest[source, target] = max(sure, surest.get((source, target), 0.0))
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.content.ids)
        graph.add_weighted_edges_from((*pair, -math.log(sure)) for pair, sure in surest.items())
        return graph

    @cached_property
    def even(self) -> nx.DiGraph[str]:
        """The associations of one confidence."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.content.ids)
        edges = self.content.edges
        graph.add_edges_from((source, target) for source, target, kind in edges if kind in EVEN)
        return graph

    @cached_property
    def neighbors(self) -> dict[Direction, list[list[str]]]:
        """The neighbours of each concept in networkx's graph, in order of first put."""
        graph, place = self.graph, self.content.place

        def ordered(found: Iterable[str]) -> list[str]:
            return sorted(found, key=place.__getitem__)

        return {
            "out": [ordered(graph.succ[concept_id]) for concept_id in self.content.ids],
            "in": [ordered(graph.pred[concept_id]) for concept_id in self.content.ids],
            "both": [
                ordered({*graph.succ[concept_id], *graph.pred[concept_id]})
                for concept_id in self.content.ids
            ],
        }

    @cached_property
    def pairs(self) -> list[Pair]:
        """Ends of paths, and directions; after a change some ends are not there any more."""
        rng = np.random.default_rng(SEED)
        ids = self.data.knowledge.ids
        return [
            (ids[source], ids[target], direction)
            for direction, number in PAIRS.items()
            for source, target in rng.integers(len(ids), size=(number // self.data.thin, 2))
        ]

    @cached_property
    def shortest(self) -> list[Way | None]:
        """The shortest path of each pair along the even types; None: there is none."""
        both = _both(self.even)
        return [_way(self.even, both, pair) for pair in self.pairs]

    @cached_property
    def surest(self) -> list[Way | None]:
        """The surest path of each pair along all types; None: there is none."""
        both = _both(self.graph)
        return [_way(self.graph, both, pair) for pair in self.pairs]


class Way(NamedTuple):
    """What networkx says of the paths from one concept to another.

    Attributes:
        cost: The least sum of weights; of associations, where they have none.
        length: Associations on a path of that cost.
        least: Fewest associations on any path.
    """

    cost: float
    length: int
    least: int


def _both(graph: nx.DiGraph[str]) -> nx.Graph[str]:
    """Return a graph whose edges can be taken both ways, the cheaper of two for both."""
    both: nx.Graph[str] = nx.Graph()
    both.add_nodes_from(graph)
    # The last one added holds.
    edges = sorted(graph.edges(data="weight", default=1), key=itemgetter(2), reverse=True)
    both.add_weighted_edges_from(edges)
    return both


def _way(graph: nx.DiGraph[str], both: nx.Graph[str], pair: Pair) -> Way | None:
    source, target, direction = pair
    if direction == "in":
        source, target = target, source
    taken = both if direction == "both" else graph
    try:
        cost, path = nx.bidirectional_dijkstra(taken, source, target)
        least = nx.bidirectional_shortest_path(taken, source, target)
        return Way(cost, len(path) - 1, len(least) - 1)
    except (nx.NetworkXNoPath, nx.NodeNotFound):
        return None
