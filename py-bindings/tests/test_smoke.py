"""A little of everything that the extension module does, small enough to run under valgrind.

As a program it needs no pytest, whose own start would be most of what valgrind sees. What it
asserts, other tests assert better: it is native reads and writes that are watched.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sutra_storage import ConceptNotFoundError, Filter, GraphStore, InvalidVectorError, SutraError

DIM = 50  # No multiple of any vector register: the kernels' ends are run too.
COUNT = 60


def fill(store: GraphStore) -> None:
    """Write concepts, associations and deletions."""
    vectors = np.random.default_rng(1).standard_normal((COUNT, DIM)).astype(np.float32)
    with store.transaction() as transaction:
        for at in range(COUNT):
            content = f"concept {at} of a river and a stone " * (1 + at % 9)
            transaction.put_concept(f"c{at}", content, vectors[at], category=str(at % 3))
    for at in range(1, COUNT):
        store.add_association(f"c{at}", f"c{at // 2}", type="leads to", confidence=0.9)
    store.flush()
    store.delete("c7")
    store.add_vector("c8", vectors[9].astype(np.float64)[::-1])


def ask(store: GraphStore) -> None:
    """Read by every index."""
    query = np.ones(DIM, dtype=np.float32)
    assert len(store.search_vector(query, k=5)) == 5
    assert len(store.search_vector(query, k=5, filter=Filter(category="1"))) == 5
    assert len(store.search_vectors(np.stack([query, -query]), k=3)) == 2
    assert len(store.search_text("river stones", limit=4)) == 4
    assert store.search_hybrid("stone", query, k=3)
    assert store.find_paths("c40", "c1")
    assert "c1" in store.get_neighbors("c2")
    assert store.get_vector("c8") is not None
    assert "c7" not in store
    for call, error in (
        (lambda: store.search_vector([1.0]), InvalidVectorError),
        (lambda: store.add_association("c1", "missing"), ConceptNotFoundError),
    ):
        try:
            call()
        except error as found:
            assert isinstance(found, SutraError)  # noqa: PT017 - needs no pytest
        else:
            raise AssertionError(error)


def test_a_little_of_everything_new_reopened_and_from_several_threads(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with GraphStore(path, vector_dimension=DIM) as store:
        fill(store)
        ask(store)
    with GraphStore(path, vector_dimension=DIM) as store:
        ask(store)
        with ThreadPoolExecutor(3) as threads:
            for done in [threads.submit(ask, store) for _ in range(3)]:
                done.result()
        store.compact()
        ask(store)
        store.backup(tmp_path / "copy")
        assert store.verify().is_sound


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        test_a_little_of_everything_new_reopened_and_from_several_threads(Path(folder))
    sys.stdout.write("smoke: everything answered\n")
