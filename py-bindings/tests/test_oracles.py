"""The store against implementations that are not ours: bm25s, numpy and networkx.

Each comparison runs on the slice of WordNet that the repository carries, and on the full data set
where one is found; as written, reopened, right after a tenth of the concepts was deleted, replaced
or updated, and once that was compacted. Invariant: an oracle reads the model of what was written
(`Content`), never the store.
"""

from __future__ import annotations

import gc
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import bm25s
import networkx as nx
import numpy as np
import pytest

from sutra_core.nlp.embedder import StaticEmbedder
from sutra_core.storage import RustStorageAdapter
from sutra_storage import analyze

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path as Folder

    from conftest import Knowledge
    from numpy.typing import NDArray

    import sutra_storage
    from sutra_storage import Hit, Path

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.intp]
    Direction = Literal["out", "in", "both"]
    Key = tuple[str, str, str]
    Pair = tuple[str, str, Direction]

SEED: Final = 7
TOP: Final = 10
BATCH: Final = 1000
QUERIES: Final = 2000
"""Queries of words, of each kind."""
HELD_OUT: Final = 500
"""Concepts that are stored without their vector, which is a query instead."""
PAIRS: Final[dict[Direction, int]] = {"out": 100, "in": 50, "both": 50}
"""Pairs of concepts between which paths are looked for, by direction."""
DEPTH: Final = 12
"""Most associations of a path: a search over all of WordNet takes ten times as long at 16."""
EVEN: Final = frozenset({"hypernym", "hyponym"})
"""Types whose associations all have one confidence: along them, the surest path is the shortest."""
EVEN_CONFIDENCE: Final = 0.75
# The store computes in float32, the oracles in float64. On the slice they differ by up to 2e-7 of a
# BM25 score and 1.1e-7 in a cosine.
TOLERANCE: Final = 1e-6
# A product of n steps is off by up to n * 2**-24 of itself; the longest here has 27.
PATH_TOLERANCE: Final = 2e-6


# ---- what was written --------------------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    """What a store holds, as plain data.

    Attributes:
        ids: The concepts, in order of first put.
        texts: Their contents.
        vectors: One row a concept, float32; zeros where it has none.
        has_vector: Which concepts have one.
        categories: Their categories.
        edges: Confidence of each association, by source, target and type.
    """

    ids: list[str]
    texts: list[str]
    vectors: NDArray[np.float32]
    has_vector: NDArray[np.bool_]
    categories: list[str]
    edges: dict[Key, float]

    @cached_property
    def place(self) -> dict[str, int]:
        """Each concept's place in the order of first put."""
        return {concept_id: at for at, concept_id in enumerate(self.ids)}

    def put(self, store: sutra_storage.GraphStore, places: Sequence[int]) -> None:
        """Put some concepts, in batches."""
        for start in range(0, len(places), BATCH):
            part = places[start : start + BATCH]
            store.put_concepts(
                [self.ids[at] for at in part],
                [self.texts[at] for at in part],
                [self.vectors[at] if self.has_vector[at] else None for at in part],
                categories=[self.categories[at] for at in part],
            )


def _associate(
    store: sutra_storage.GraphStore, keys: Sequence[Key], confidences: Sequence[float]
) -> None:
    for start in range(0, len(keys), BATCH):
        sources, targets, types = zip(*keys[start : start + BATCH], strict=True)
        store.add_associations(
            sources,
            targets,
            types=list(types),
            confidences=confidences[start : start + BATCH],
        )


def _confidences(rng: np.random.Generator, keys: Sequence[Key]) -> list[float]:
    """Return confidences that float32 holds; high and alike enough that few paths are long."""
    drawn = rng.uniform(0.6, 0.9, len(keys)).astype(np.float32).tolist()
    return [
        EVEN_CONFIDENCE if key[2] in EVEN else value for key, value in zip(keys, drawn, strict=True)
    ]


@dataclass
class Data:
    """A data set, with the queries that are asked of it.

    Attributes:
        knowledge: Concepts and associations.
        vectors: One row a concept.
        any_of: Queries of three words.
        all_of: Queries of two.
        thin: One in so many pairs of concepts is looked at, and one in so many vector queries asked
            in each state: every one both before and after the change.
    """

    knowledge: Knowledge
    vectors: NDArray[np.float32]
    any_of: list[str]
    all_of: list[str]
    thin: int

    @classmethod
    def of(cls, knowledge: Knowledge, folder: Folder | None) -> Data:
        """Read vectors and queries from a folder; make what it lacks."""
        found = folder / "vectors_f16.npy" if folder else None
        if found and found.is_file():
            vectors = np.load(found).astype(np.float32)
        else:
            # Not random ones: real ones lie close, so that a ranking has much to tell apart.
            vectors = StaticEmbedder().embed_documents(knowledge.texts)
        rng = np.random.default_rng(SEED)
        # A cosine must not depend on lengths. Powers of two keep the digits.
        vectors *= np.exp2(rng.integers(-1, 2, (len(vectors), 1))).astype(np.float32)
        found = folder / "text_queries.json" if folder else None
        if found and found.is_file():
            queries = json.loads(found.read_text(encoding="utf-8"))
            any_of, all_of = (
                [" ".join(query["words"]) for query in queries[kind]] for kind in ("or", "and")
            )
        else:
            any_of, all_of = (_queries(rng, knowledge.texts, size) for size in (3, 2))
        thin = 2 if len(vectors) > 50_000 else 1
        return cls(knowledge, vectors, any_of, all_of, thin)

    @cached_property
    def held_out(self) -> Numbers:
        """The concepts whose vectors are queries."""
        rng = np.random.default_rng(SEED)
        return rng.permutation(len(self.knowledge.ids))[:HELD_OUT]

    @property
    def vector_queries(self) -> NDArray[np.float32]:
        """The vectors that were held out."""
        return self.vectors[self.held_out]

    def write(self, store: sutra_storage.GraphStore) -> Content:
        """Store all of it."""
        ids, keys = list(self.knowledge.ids), self.knowledge.associations
        has_vector = np.ones(len(ids), bool)
        has_vector[self.held_out] = False
        vectors = np.where(has_vector[:, None], self.vectors, np.float32(0))
        confidences = _confidences(np.random.default_rng(SEED), keys)
        # Rows of the full data set repeat: the last one holds.
        edges = dict(zip(keys, confidences, strict=True))
        categories = [concept_id[0] for concept_id in ids]
        content = Content(ids, self.knowledge.texts, vectors, has_vector, categories, edges)
        content.put(store, range(len(ids)))
        _associate(store, keys, confidences)
        return content


def _queries(rng: np.random.Generator, texts: Sequence[str], size: int) -> list[str]:
    """Draw words of one gloss a query, as those of the full data set are drawn."""
    found: list[str] = []
    while len(found) < QUERIES:
        gloss = texts[int(rng.integers(len(texts)))].partition(": ")[2].lower()
        words = sorted({word for word in re.findall(r"[a-z]{3,}", gloss) if analyze(word)})
        if len(words) >= size:
            found.append(" ".join(rng.choice(words, size, replace=False)))
    return found


def change(store: sutra_storage.GraphStore, before: Content) -> Content:
    """Delete, replace or update a tenth of the concepts, and a tenth of the associations.

    Of the tenth, a third is deleted, a third deleted and put again, a third updated. Texts and
    vectors come from other concepts, so that ties come up; some are taken away.
    """
    rng = np.random.default_rng(SEED + 1)
    total = len(before.ids)
    chosen = rng.permutation(total)[: total // 10]
    deleted, again, updated = (part.tolist() for part in np.array_split(chosen, 3))
    gone = {before.ids[at] for at in deleted + again}

    texts, vectors = list(before.texts), before.vectors.copy()
    has_vector, categories = before.has_vector.copy(), list(before.categories)
    donors = rng.integers(total, size=total)
    for turn, at in enumerate(again + updated):
        texts[at] = before.texts[donors[at]] if turn % 10 else ""
        vectors[at], has_vector[at] = before.vectors[donors[at]], before.has_vector[donors[at]]
        categories[at] = "changed"
    # What was deleted and put again is the newest.
    kept = sorted(set(range(total)) - set(deleted) - set(again)) + again
    after = Content(
        [before.ids[at] for at in kept],
        [texts[at] for at in kept],
        vectors[kept],
        has_vector[kept],
        [categories[at] for at in kept],
        {key: sure for key, sure in before.edges.items() if gone.isdisjoint(key[:2])},
    )
    store.delete_many(gone)
    after.put(store, range(len(kept) - len(again), len(kept)))
    with store.transaction() as tx:
        for at in updated:
            tx.update_concept(
                before.ids[at],
                content=texts[at],
                vector=vectors[at] if has_vector[at] else None,
                category="changed",
            )

    keys = list(after.edges)
    picked = [keys[at] for at in rng.permutation(len(keys))[: len(keys) // 10]]
    cut, put = picked[::2], picked[1::2]
    ends = [before.ids[at] for at in again]
    put += [(source, target, "again") for source, target in pairwise(ends)]
    confidences = _confidences(rng, put)
    with store.transaction() as tx:
        for source, target, kind in cut:
            tx.delete_association(source, target, kind)
            del after.edges[source, target, kind]
    _associate(store, put, confidences)
    after.edges.update(zip(put, confidences, strict=True))
    return after


# ---- what is to be found -----------------------------------------------------------------------


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


@dataclass
class Oracles:
    """The answers to all queries, computed at first need from what a store should hold."""

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
            scores: Floats = engine.get_scores(analyze(query))
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


# ---- the states of a store ---------------------------------------------------------------------


STATES: Final = ("written", "reopened", "changed", "compacted")


class Case(NamedTuple):
    """A store in one of the states, and what it is to answer."""

    state: str
    storage: RustStorageAdapter
    oracles: Oracles

    def check_ranking(
        self, ranking: Ranking, hits: Iterable[Hit | tuple[str, float]], query: object
    ) -> None:
        """Compare hits with a ranking."""
        place = self.oracles.content.place
        ranking.check([(place[concept_id], score) for concept_id, score in hits], query)

    def find_path(self, pair: Pair, depth: int, types: Iterable[str] | None = None) -> Path | None:
        """Return the best path between two concepts, after comparing each step with the content."""
        source, target, direction = pair
        found = self.storage.store.find_paths(
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
            sure = self.oracles.content.edges[step.source_id, step.target_id, step.type]
            assert step.confidence == sure
            product *= sure
        assert path.confidence == pytest.approx(product, rel=PATH_TOLERANCE)
        return path


def _cases(data: Data, where: Folder) -> Generator[Case]:
    """Take a store through its states; then begin again with another, for tests out of order."""
    for turn in count():
        folder = where / f"store{turn}"
        with RustStorageAdapter(folder) as storage:
            before = Oracles(data, data.write(storage.store))
            yield Case("written", storage, before)
        with RustStorageAdapter(folder) as storage:
            yield Case("reopened", storage, before)
            after = Oracles(data, change(storage.store, before.content))
            yield Case("changed", storage, after)
            storage.store.compact()
            yield Case("compacted", storage, after)


@pytest.fixture(scope="module")
def journeys() -> Iterator[dict[str, Generator[Case]]]:
    """The store that is on its way, by the name of its data set."""
    # The graphs and rankings are millions of objects, which the collector would go through in vain.
    gc.disable()
    found: dict[str, Generator[Case]] = {}
    yield found
    _end(found)
    gc.enable()


def _end(journeys: dict[str, Generator[Case]]) -> None:
    while journeys:
        journeys.popitem()[1].close()


@pytest.fixture(
    scope="module",
    params=[(name, state) for name in ("slice", "full") for state in STATES],
    ids="-".join,
)
def case(
    request: pytest.FixtureRequest,
    journeys: dict[str, Generator[Case]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    """A store of one of the data sets in one of the states."""
    name, state = request.param
    if name not in journeys:
        _end(journeys)
        folder = request.getfixturevalue("full_folder") if name == "full" else None
        knowledge = request.getfixturevalue("wordnet" if folder is None else "full")
        journeys[name] = _cases(Data.of(knowledge, folder), tmp_path_factory.mktemp(name))
    return next(case for case in journeys[name] if case.state == state)


# ---- the comparisons ---------------------------------------------------------------------------


def test_any_of_some_words_finds_what_bm25s_finds(case: Case) -> None:
    store, oracles = case.storage.store, case.oracles
    for query, ranking in zip(oracles.data.any_of, oracles.any_of, strict=True):
        hits = store.search_text_scored(query, TOP)
        case.check_ranking(ranking, hits, query)


def test_all_of_some_words_finds_what_an_intersection_holds(case: Case) -> None:
    store, oracles = case.storage.store, case.oracles
    for query, ranking in zip(oracles.data.all_of, oracles.all_of, strict=True):
        hits = store.search_text_scored(query, TOP, operator="and")
        case.check_ranking(ranking, hits, query)


def test_vectors_find_what_numpy_finds(case: Case) -> None:
    oracles = case.oracles
    asked = zip(oracles.data.vector_queries, oracles.filters, oracles.nearest, strict=True)
    hits: Sequence[Hit | tuple[str, float]]
    for at, (query, filter_, ranking) in enumerate(asked):
        if (at + STATES.index(case.state)) % oracles.data.thin:
            continue
        if filter_ is None and at % 5 < 2:
            hits = case.storage.search_by_embedding(query, TOP)
        else:
            hits = case.storage.store.search_vector(query, TOP, filter=filter_)
        case.check_ranking(ranking, hits, (at, filter_))


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_neighbors_are_those_of_networkx(case: Case, direction: Direction) -> None:
    store, content = case.storage.store, case.oracles.content
    expected = case.oracles.neighbors[direction]
    assert list(store) == content.ids
    for concept_id, neighbors in zip(content.ids, expected, strict=True):
        assert store.get_neighbors(concept_id, direction=direction) == neighbors, concept_id


def test_paths_of_equal_steps_are_as_short_as_those_of_networkx(case: Case) -> None:
    oracles = case.oracles
    ways = list(zip(oracles.pairs, oracles.shortest, strict=True))
    # The test would show nothing if it were all one or the other.
    assert sum(way is None for _, way in ways) > len(ways) / 10
    assert sum(way is not None for _, way in ways) > len(ways) / 10
    for pair, way in ways:
        if way is None:
            assert case.find_path(pair, 2 * DEPTH, EVEN) is None, pair
            continue
        path = case.find_path(pair, way.least, EVEN)
        assert path is not None, (pair, way)
        assert len(path) == way.least, (pair, way, path)
        assert path.confidence == pytest.approx(EVEN_CONFIDENCE**way.least, rel=PATH_TOLERANCE)
        assert case.find_path(pair, way.least - 1, EVEN) is None, (pair, way)


def test_the_surest_paths_are_those_of_networkx(case: Case) -> None:
    oracles = case.oracles
    compared = 0
    for pair, way in zip(oracles.pairs, oracles.surest, strict=True):
        path = case.find_path(pair, DEPTH)
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
    assert compared > len(oracles.pairs) / 3
