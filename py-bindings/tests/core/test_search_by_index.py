"""Searches of `sutra_core` by the store's indexes: only where they are asked for."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sutra_core.graph import Concept
from sutra_core.hybrid import HybridAI
from sutra_core.reasoning.engine import ReasoningEngine
from sutra_core.storage.rust_adapter import RustStorageAdapter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COUNT = 5000
RECALL = 0.8


class Scattered:
    """An embedder of vectors without structure, so that approximate searches miss some."""

    model_id = "scattered"
    dim = 32

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """Return a vector for each text."""
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return random numbers, the same ones for a text."""
        random = np.random.default_rng(zlib.crc32(text.encode()))
        return random.standard_normal(self.dim).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of texts whose vectors have an index."""
    path = tmp_path_factory.mktemp("scattered") / "store"
    with ReasoningEngine(path, embedder=Scattered()) as engine:
        engine.add_concepts(Concept(f"c{at}", f"number {at}") for at in range(COUNT))
        engine.storage.store.compact()
        engine.storage.store.index_vectors()
        assert engine.stats()["indexed_vectors"] == COUNT
    return path


def test_the_adapter_searches_exactly_unless_told_otherwise(path: Path) -> None:
    with RustStorageAdapter(path) as storage:
        found = missed = 0
        for query in Scattered().embed_documents(["one", "two", "three", "four", "five"]):
            exact = storage.search_by_embedding(query, 100)
            assert exact == [(hit.id, hit.score) for hit in storage.store.search_vector(query, 100)]
            near = storage.search_by_embedding(query, 100, recall=RECALL)
            hits = storage.store.search_vector(query, 100, recall=RECALL)
            assert near == [(hit.id, hit.score) for hit in hits]
            found += len(set(near) & set(exact))
            missed += len(set(exact) - set(near))
            hybrid = storage.search_hybrid("number 7", query, 10, recall=RECALL)
            assert hybrid == storage.store.search_hybrid("number 7", query, 10, recall=RECALL)
        assert found > missed > 0


@pytest.mark.parametrize("recall", [1.0, RECALL])
def test_an_engine_finds_what_its_store_does_with_its_recall(path: Path, recall: float) -> None:
    embedder = Scattered()
    with ReasoningEngine(path, embedder=embedder, recall=recall) as engine:
        store = engine.storage.store
        for text in ("something else", "number 8", "nothing at all"):
            query = embedder.embed_query(text)
            hits = engine.search_concepts(text)
            expected = store.search_hybrid(text, query, recall=recall)
            assert {hit.id: hit.score for hit in hits} == {hit.id: hit.score for hit in expected}
    with HybridAI(path, embedder=embedder, recall=recall) as ai:
        hits = ai.semantic_search("something else")
        query = embedder.embed_query("something else")
        expected = ai.engine.storage.store.search_hybrid("something else", query, recall=recall)
        assert {hit.id for hit in hits} == {hit.id for hit in expected}


def test_an_engine_searches_exactly_unless_told_otherwise(path: Path) -> None:
    embedder = Scattered()
    texts = [f"query {at}" for at in range(20)]
    with (
        ReasoningEngine(path, embedder=embedder) as by_default,
        ReasoningEngine(path, embedder=embedder, recall=1.0) as exact,
        ReasoningEngine(path, embedder=embedder, recall=RECALL) as by_index,
    ):
        found = [
            [engine.search_concepts(text, 1000) for text in texts]
            for engine in (by_default, exact, by_index)
        ]
    assert found[0] == found[1]
    assert found[0] != found[2], "some of the nearest are missed"


@pytest.mark.parametrize("recall", [0.0, -1.0, float("nan")])
def test_a_recall_of_nothing_is_refused_before_anything_is_made(
    tmp_path: Path, recall: float
) -> None:
    with pytest.raises(ValueError, match="recall must be a share above 0"):
        ReasoningEngine(tmp_path / "store", recall=recall)
    assert not (tmp_path / "store").exists()
