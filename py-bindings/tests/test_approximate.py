"""Approximate vector search: by the indexes that are beside the segments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sutra_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIMENSION = 32
COUNT = 6000


def vectors(count: int, seed: int) -> np.ndarray:
    """Rows around 50 centres, the same ones for every seed."""
    centres = np.random.default_rng(7).normal(size=(50, DIMENSION))
    random = np.random.default_rng(seed)
    noise = random.normal(size=(count, DIMENSION))
    return (centres[random.integers(50, size=count)] + 0.5 * noise).astype(np.float32)


def test_an_index_finds_most_of_what_an_exact_search_does(tmp_path: Path) -> None:
    queries = vectors(40, seed=2)
    with sutra_storage.GraphStore(tmp_path / "store", vector_dimension=DIMENSION) as store:
        rows = vectors(COUNT, seed=1)
        with store.transaction() as transaction:
            for at, row in enumerate(rows):
                transaction.add_vector(f"c{at}", row)
        store.flush()
        store.index_vectors()
        stats = store.stats()
        assert (stats["indexed_vectors"], stats["unindexed_vectors"]) == (COUNT, 0)
        assert stats["vector_index_bytes"] > 0
        found = 0
        for query, several in zip(queries, store.search_vectors(queries, recall=0.9), strict=True):
            exact = [hit.id for hit in store.search_vector(query)]
            one = [hit.id for hit in store.search_vector(query, recall=0.9)]
            assert one == [hit.id for hit in several]
            found += len(set(one) & set(exact))
        assert found > 0.87 * 10 * len(queries)
    with sutra_storage.GraphStore(tmp_path / "store", read_only=True) as store:
        assert store.stats()["indexed_vectors"] == COUNT
        assert len(store.search_vector(queries[0], 20, recall=0.95)) == 20
        with pytest.raises(sutra_storage.ReadOnlyError):
            store.index_vectors()


@pytest.mark.parametrize("recall", [0.0, -0.5, float("nan")])
def test_a_recall_of_nothing_is_refused(recall: float) -> None:
    store = sutra_storage.GraphStore(":memory:", vector_dimension=2)
    with pytest.raises(sutra_storage.InvalidArgumentError, match="recall"):
        store.search_vector([1.0, 0.0], recall=recall)
    with pytest.raises(sutra_storage.InvalidArgumentError, match="recall"):
        store.search_hybrid("a word", recall=recall)
    with pytest.raises(sutra_storage.InvalidArgumentError, match="recall"):
        store.audit_vectors(recall=recall)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sutra_storage.GraphStore]:
    """Yield a store with an index, in which a third of the concepts is of its own category."""
    path = tmp_path_factory.mktemp("indexed") / "store"
    with sutra_storage.GraphStore(path, vector_dimension=DIMENSION) as store:
        store.put_concepts(
            [f"c{at}" for at in range(COUNT)],
            [f"number {at}" for at in range(COUNT)],
            vectors(COUNT, seed=1),
            categories=["third" if at % 3 == 0 else "other" for at in range(COUNT)],
        )
        store.flush()
        store.index_vectors()
        yield store


@pytest.mark.parametrize("only", [None, {"category": "third"}])
@pytest.mark.parametrize("k", [1, 10])
def test_an_audit_counts_what_searches_find(
    indexed: sutra_storage.GraphStore, only: dict[str, str] | None, k: int
) -> None:
    queries = vectors(50, seed=3)
    shares = []
    for query in queries:
        exact = {hit.id for hit in indexed.search_vector(query, k, filter=only)}
        hits = {hit.id for hit in indexed.search_vector(query, k, filter=only, recall=0.8)}
        shares.append(len(exact & hits) / k)
    audit = indexed.audit_vectors(queries, k=k, recall=0.8, filter=only)
    assert audit["queries"] == len(queries)
    assert audit["recall"] == pytest.approx(np.mean(shares), abs=1e-6)
    assert audit["error"] == pytest.approx(np.std(shares, ddof=1) / len(shares) ** 0.5, abs=1e-6)
    assert audit["worst"] == pytest.approx(min(shares))

    own = indexed.audit_vectors(sample=80, k=k, recall=0.8, filter=only, seed=4)
    assert own["queries"] == 80
    assert own == indexed.audit_vectors(sample=80, k=k, recall=0.8, filter=only, seed=4)
    assert own["recall"] > 0.7
    assert indexed.audit_vectors(recall=1.0, sample=20)["worst"] == 1.0


def test_an_audit_of_a_snapshot_or_a_namespace_is_of_what_it_holds(
    indexed: sutra_storage.GraphStore,
) -> None:
    assert indexed.namespace("none").audit_vectors()["queries"] == 0
    with indexed.snapshot() as snapshot:
        assert snapshot.audit_vectors(seed=9) == indexed.audit_vectors(seed=9)
    for queries in (np.ones((2, DIMENSION + 1)), np.full((1, DIMENSION), np.nan)):
        with pytest.raises(sutra_storage.InvalidVectorError):
            indexed.audit_vectors(queries)


def test_stats_tell_what_an_audit_found_of_a_fresh_index(
    indexed: sutra_storage.GraphStore,
) -> None:
    [audit] = indexed.stats()["index_audits"]
    assert audit["segment"].endswith(".seg")
    assert audit["time"] <= time.time()
    assert audit["k"] == 10
    assert audit["target"] == pytest.approx(0.98)
    for found in (audit["all"], audit["filtered"]):
        assert found["queries"] == 64
        assert found["worst"] <= found["recall"] <= 1
        assert found["recall"] > 0.9 - 3 * found["error"]


def test_a_hybrid_search_goes_by_the_index_where_it_is_asked_to(
    indexed: sutra_storage.GraphStore,
) -> None:
    for query in vectors(10, seed=5):
        near = indexed.search_vector(query, 1000, recall=0.8)
        ranks = {hit.id: (rank, hit.score) for rank, hit in enumerate(near, 1)}
        for hit in indexed.search_hybrid("number 77", query, recall=0.8):
            leg = hit.vector and (hit.vector.rank, hit.vector.score)
            assert leg == ranks.get(hit.id)
