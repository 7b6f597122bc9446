"""`VectorIndex`: recall beside numpy's exact search, selections, number types, bytes, threads."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sutra_storage import (
    CorruptionError,
    FormatVersionError,
    InvalidArgumentError,
    InvalidVectorError,
    VectorIndex,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

DIM = 48
NO_ORDINAL = 2**32 - 1


def clustered(count: int, seed: int) -> Matrix:
    """Return rows around 100 centres that are the same for each seed."""
    centres = np.random.default_rng(0).standard_normal((100, DIM))
    random = np.random.default_rng(seed)
    rows = centres[random.integers(0, 100, count)] + 0.5 * random.standard_normal((count, DIM))
    return rows.astype(np.float32)


def best(vectors: Matrix, query: Matrix, k: int, metric: str = "cosine") -> NDArray[np.intp]:
    """Return the best ordinals by numpy, in double precision."""
    rows, asked = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "euclidean":
        scores = -np.linalg.norm(rows - asked, axis=1)
    else:
        scores = rows @ asked
        if metric == "cosine":
            scores /= np.linalg.norm(rows, axis=1) * np.linalg.norm(asked)
    return np.argsort(-scores, kind="stable")[:k]


def recall(index: VectorIndex, vectors: Matrix, queries: Matrix, target: float) -> float:
    """Return what share of the ten best of each query is found on average."""
    shares = [
        len(np.intersect1d(index.search(query, recall=target)[0], best(vectors, query, 10)))
        for query in queries
    ]
    return float(np.mean(shares)) / 10


@pytest.fixture(scope="module")
def vectors() -> Matrix:
    """Rows enough for the approximate search to be one."""
    return clustered(12_000, 1)


@pytest.fixture(scope="module")
def index(vectors: Matrix) -> VectorIndex:
    """An approximate index of them."""
    return VectorIndex(vectors)


@pytest.mark.parametrize("target", [0.8, 0.95, 0.99])
def test_the_recall_that_is_aimed_for_is_met(
    index: VectorIndex, vectors: Matrix, target: float
) -> None:
    queries = clustered(200, 2)
    assert recall(index, vectors, queries, target) > target - 0.03
    explained = index.explain(queries[0], recall=target)
    assert not explained["is_exact"]
    assert 0 < explained["exact"] <= explained["coded"] < len(vectors)
    assert explained["lists"] > 0
    assert explained["blocks"] > 0


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("k", [1, 10, 40])
def test_an_exact_search_is_numpys(vectors: Matrix, metric: Any, k: int) -> None:
    some = vectors[:700]
    index = VectorIndex(some, metric, approximate=False)
    assert (index.metric, index.dimension, len(index)) == (metric, DIM, 700)
    for query in clustered(20, 3):
        ordinals, scores = index.search(query, k)
        assert ordinals.dtype == np.uint32
        assert scores.dtype == np.float32
        assert ordinals.tolist() == best(some, query, k, metric).tolist()
        assert (np.diff(scores) <= 0).all()


def test_the_default_recall_finds_most_of_the_best(index: VectorIndex, vectors: Matrix) -> None:
    queries = clustered(200, 2)
    assert recall(index, vectors, queries, 0.98) > 0.95
    aimed = np.stack([index.search(query, recall=0.98)[0] for query in queries])
    assert (np.stack([index.search(query)[0] for query in queries]) == aimed).all()
    assert (index.search_batch(queries)[0] == aimed).all()
    assert index.audit(queries) == index.audit(queries, recall=0.98)
    assert index.explain(queries[0]) == index.explain(queries[0], recall=0.98)


def test_a_recall_of_one_is_exact(index: VectorIndex, vectors: Matrix) -> None:
    queries = clustered(30, 4)
    assert recall(index, vectors, queries, 1.0) == 1.0
    explained = index.explain(queries[0], recall=1.0)
    # All are looked at by their codes, and what these don't rule out is compared.
    assert explained["exact"] < len(vectors) / 2
    assert (explained["lists"], explained["blocks"]) == (0, 0)
    assert explained["coded"] == len(vectors)
    assert explained["is_exact"]


def test_an_audit_measures_what_is_found(index: VectorIndex, vectors: Matrix) -> None:
    queries = clustered(60, 14)
    mask = np.arange(len(vectors)) % 4 > 0
    audit = index.audit(queries, recall=0.9)
    assert audit["queries"] == 60
    assert audit["recall"] == pytest.approx(recall(index, vectors, queries, 0.9), abs=0.01)
    assert audit["worst"] <= audit["recall"]
    for only in (None, mask):
        own = index.audit(sample=100, recall=0.95, only=only, seed=3)
        assert own == index.audit(sample=100, recall=0.95, only=only, seed=3)
        assert own["queries"] == 100
        assert own["recall"] > 0.95 - 3 * own["error"] - 0.01
    assert index.audit(sample=0)["queries"] == 0
    assert index.audit(queries, recall=1)["worst"] == 1.0
    with pytest.raises(InvalidArgumentError, match="approximate=True"):
        VectorIndex(vectors[:50], approximate=False).audit()
    with pytest.raises(InvalidVectorError, match="dimension"):
        index.audit(queries[:, :-1])


def test_scores_are_those_of_the_metric(vectors: Matrix) -> None:
    query = clustered(1, 5)[0]
    for metric, expected in (
        ("cosine", vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)),
        ("dot", vectors @ query),
        ("euclidean", -np.linalg.norm(vectors - query, axis=1)),
    ):
        given: Any = metric
        index = VectorIndex(vectors[:2000], given, approximate=metric != "euclidean")
        ordinals, scores = index.search(query, 20, recall=0.9)
        np.testing.assert_allclose(scores, expected[ordinals], rtol=1e-5, atol=1e-5)


def test_masks_and_ordinals_select(index: VectorIndex, vectors: Matrix) -> None:
    mask = np.arange(len(vectors)) % 3 == 1
    for query in clustered(20, 6):
        expected = np.flatnonzero(mask)[best(vectors[mask], query, 10)]
        for selected in (
            index.search(query, recall=1.0, only=mask),
            index.search(query, recall=1.0, exclude=~mask),
            index.search(query, recall=1.0, only=np.flatnonzero(mask)),
            index.search(query, recall=1.0, only=np.flatnonzero(mask)[::-1].astype(np.uint16)),
            index.search(query, recall=1.0, exclude=np.flatnonzero(~mask).tolist()),
            index.search(query, recall=1.0, only=mask.tolist()),
        ):
            assert selected[0].tolist() == expected.tolist()
        found = index.search(query, recall=0.95, only=mask)[0]
        assert mask[found].all()
        assert len(found) == 10
        hidden = index.search(query, only=mask, exclude=expected[:4])[0]
        assert not np.isin(hidden, expected[:4]).any()
        assert mask[hidden].all()


def test_few_that_are_selected_are_all_that_is_found(index: VectorIndex, vectors: Matrix) -> None:
    few = [5, 7, 7, 11_999]
    ordinals, scores = index.search(vectors[7], 10, only=few)
    assert ordinals[0] == 7
    assert sorted(ordinals.tolist()) == [5, 7, 11_999]
    assert len(scores) == 3
    assert len(index.search(vectors[7], only=[])[0]) == 0
    assert len(index.search(vectors[7], exclude=np.ones(len(vectors), dtype=np.bool_))[0]) == 0
    assert index.explain(vectors[7], only=few)["is_exact"]
    # A byte that is no bool of numpy's own counts as true.
    odd = np.zeros(len(vectors), dtype=np.uint8)
    odd[[3, 9]] = [2, 255]
    assert sorted(index.search(vectors[7], only=odd.view(np.bool_))[0].tolist()) == [3, 9]


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: rows.astype(np.float64),
        lambda rows: rows.astype(">f4"),
        np.asfortranarray,
        lambda rows: np.repeat(rows, 2, axis=0)[::2],
        lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
        lambda rows: rows.tolist(),
        list,
    ],
)
def test_rows_in_any_form_are_the_same_rows(convert: Callable[[Matrix], Any]) -> None:
    rows = clustered(1500, 7)
    index, other = VectorIndex(rows), VectorIndex(convert(rows))
    assert index.to_bytes() == other.to_bytes()
    for query in clustered(10, 8):
        for form in (query, query.astype(np.float64), query.tolist(), np.repeat(query, 2)[::2]):
            found, expected = other.search(form), index.search(query)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("approximate", [True, False])
def test_half_precision_is_kept(approximate: bool) -> None:  # noqa: FBT001 - a parameter
    half = clustered(2000, 9).astype(np.float16)
    for rows in (half, half.astype(">f2"), np.asfortranarray(half)):
        index = VectorIndex(rows, approximate=approximate)
        wide = VectorIndex(half.astype(np.float32), approximate=approximate)
        assert index.nbytes == wide.nbytes
        for query in clustered(10, 10):
            found, expected = index.search(query), wide.search(query)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


def test_integers_are_numbers() -> None:
    index = VectorIndex([[1, 0], [0, 2], [3, 3]], "dot", approximate=False)
    assert index.search([0, 1], 3)[0].tolist() == [2, 1, 0]


def test_the_rows_are_copied() -> None:
    rows = clustered(1500, 11)
    index = VectorIndex(rows)
    query = rows[3].copy()
    before = index.search(query)
    rows[:] = 0
    after = index.search(query)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("target", [0.9, 1.0])
def test_a_batch_is_its_queries(index: VectorIndex, threads: int | None, target: float) -> None:
    queries = clustered(70, 12)
    mask = np.arange(len(index)) % 2 == 0
    for selection in ({}, {"only": mask}, {"exclude": mask}):
        given: Any = selection
        ordinals, scores = index.search_batch(queries, 7, recall=target, threads=threads, **given)
        assert ordinals.shape == scores.shape == (70, 7)
        for at, query in enumerate(queries):
            found = index.search(query, 7, recall=target, **given)
            np.testing.assert_array_equal(ordinals[at], found[0])
            np.testing.assert_array_equal(scores[at], found[1])


def test_a_batch_is_padded(index: VectorIndex) -> None:
    ordinals, scores = index.search_batch(clustered(2, 13), 4, only=[8, 9])
    assert sorted(ordinals[0, :2].tolist()) == [8, 9]
    assert (ordinals[:, 2:] == NO_ORDINAL).all()
    assert (scores[:, 2:] == -np.inf).all()
    assert index.search_batch(np.empty((0, DIM)), 4)[0].shape == (0, 4)
    assert index.search_batch(clustered(2, 13), 0)[1].shape == (2, 0)


def test_none_are_found_where_none_are_asked_for(index: VectorIndex) -> None:
    ordinals, scores = index.search(clustered(1, 14)[0], 0)
    assert ordinals.shape == scores.shape == (0,)


@pytest.mark.parametrize("approximate", [True, False])
def test_an_index_may_be_empty(approximate: bool) -> None:  # noqa: FBT001 - a parameter
    index = VectorIndex(np.empty((0, DIM), dtype=np.float32), approximate=approximate)
    assert len(index) == 0
    assert len(index.search(np.ones(DIM))[0]) == 0
    assert (index.search_batch(np.ones((2, DIM)), 3)[0] == NO_ORDINAL).all()
    if approximate:
        assert len(VectorIndex.from_bytes(index.to_bytes(), np.empty((0, DIM)))) == 0


def test_bytes_make_the_same_index(index: VectorIndex, vectors: Matrix) -> None:
    data = index.to_bytes()
    other = VectorIndex.from_bytes(data, vectors)
    assert other.to_bytes() == data
    assert other.nbytes == index.nbytes == len(data) + 4 * len(vectors)
    for query in clustered(20, 15):
        found, expected = other.search(query), index.search(query)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_a_seed_decides_the_index() -> None:
    rows = clustered(1500, 16)
    assert VectorIndex(rows, seed=1).to_bytes() == VectorIndex(rows, seed=1).to_bytes()
    assert VectorIndex(rows, seed=1).to_bytes() != VectorIndex(rows, seed=2).to_bytes()


def test_damaged_bytes_are_refused_and_harm_nothing() -> None:
    rows = clustered(1500, 17)
    data = VectorIndex(rows).to_bytes()
    for damaged in (b"", data[:100], data[:-1], data + b"\0", b"\0" + data[1:]):
        with pytest.raises(CorruptionError, match=r"damaged.*build it anew"):
            VectorIndex.from_bytes(damaged, rows)
    with pytest.raises(FormatVersionError, match="version") as raised:
        VectorIndex.from_bytes(data[:8] + b"\xff" + data[9:], rows)
    assert (raised.value.found, raised.value.supported) == (255, 3)
    random = np.random.default_rng(18)
    for _ in range(200):
        changed = bytearray(data)
        for at in random.integers(0, len(data), 20):
            changed[at] = random.integers(0, 256)
        try:
            index = VectorIndex.from_bytes(bytes(changed), rows)
            index.search(rows[0], recall=0.8)
        except (CorruptionError, FormatVersionError, InvalidArgumentError):
            pass


def test_bytes_of_other_vectors_are_refused() -> None:
    rows = clustered(1500, 19)
    data = VectorIndex(rows).to_bytes()
    for other in (rows[1:], rows[:, 1:]):
        with pytest.raises(InvalidArgumentError, match="the index is of 1500 rows of dimension 48"):
            VectorIndex.from_bytes(data, other)
    with pytest.raises(InvalidArgumentError, match="for cosine, not of 1500 of 48 for dot"):
        VectorIndex.from_bytes(data, rows, "dot")
    with pytest.raises(InvalidArgumentError, match="approximate=False"):
        VectorIndex(rows, approximate=False).to_bytes()


def test_unfit_vectors_are_refused() -> None:
    for value in (np.nan, np.inf):
        for dtype in (np.float32, np.float16):
            rows = clustered(50, 20).astype(dtype)
            rows[31, 5] = value
            for approximate in (True, False):
                with pytest.raises(InvalidVectorError, match=r"vectors\[31\]"):
                    VectorIndex(rows, approximate=approximate)
    unfit: Any
    for unfit in (
        np.ones(4),
        np.ones((2, 2, 2)),
        np.ones((3, 0)),
        np.ones((3, 0), dtype=np.float16),
        np.ones((2, 2), dtype=np.complex64),
        np.ones((2, 2), dtype=np.bool_),
        np.ma.masked_array(np.ones((2, 2))),
        np.ma.masked_array(np.ones((2, 2), dtype=np.float16)),
        [["a", "b"]],
        [[1.0], [1.0, 2.0]],
    ):
        with pytest.raises(InvalidVectorError, match="vectors"):
            VectorIndex(unfit)


def test_unfit_metrics_and_seeds_are_refused() -> None:
    rows = clustered(5, 21)
    metric: Any = "manhattan"
    with pytest.raises(InvalidArgumentError, match="metric must be"):
        VectorIndex(rows, metric)
    with pytest.raises(InvalidArgumentError, match="Euclidean metric; pass approximate=False"):
        VectorIndex(rows, "euclidean")
    with pytest.raises(InvalidArgumentError, match="so many components; pass approximate=False"):
        VectorIndex(np.ones((2, 5000)))
    with pytest.raises(InvalidArgumentError, match="seed"):
        VectorIndex(rows, seed=-1)


def test_unfit_queries_are_refused(index: VectorIndex, vectors: Matrix) -> None:
    with pytest.raises(InvalidVectorError, match=r"query vector: expected .* 48, found 47"):
        index.search(vectors[0, 1:])
    with pytest.raises(InvalidVectorError, match="query vector: component 2 is NaN"):
        index.search([0.0, 0.0, np.nan] + [0.0] * 45)
    with pytest.raises(InvalidVectorError, match=r"queries: expected .* 48, found 47"):
        index.search_batch(vectors[:, 1:])
    for target in (0.9, 1.0):
        queries = vectors[:10].copy()
        queries[7, 3] = np.inf
        with pytest.raises(InvalidVectorError, match=r"queries\[7\]: component 3 is inf"):
            index.search_batch(queries, recall=target)


@pytest.mark.parametrize("target", [0, -0.5, 1.01, 95, float("nan")])
def test_unfit_shares_are_refused(index: VectorIndex, target: float) -> None:
    with pytest.raises(InvalidArgumentError, match="recall must be above 0 and at most 1"):
        index.search(np.ones(DIM), recall=target)
    with pytest.raises(InvalidArgumentError, match="recall"):
        index.search_batch(np.ones((1, DIM)), recall=target)


def test_unfit_selections_are_refused(index: VectorIndex) -> None:
    query = np.ones(DIM)
    for unfit, message in (
        ([3, len(index)], r"only\[1\] is no ordinal"),
        ([-1], r"only\[0\] is no ordinal"),
        (np.array([2**64 - 1], dtype=np.uint64), r"only\[0\] is no ordinal"),
        (np.ones(3, dtype=np.bool_), "only is a mask of 3, where the index has 12000 rows"),
        ([[1, 2]], r"only .* of shape \[1, 2\]"),
        (3, r"only .* of shape \[\]"),
    ):
        given: Any = unfit
        with pytest.raises(InvalidArgumentError, match=message):
            index.search(query, only=given)
    with pytest.raises(TypeError, match="exclude must be ordinals"):
        index.search(query, exclude=[0.5])
    strange: Any = "a"
    with pytest.raises((TypeError, InvalidArgumentError), match="exclude"):
        index.search(query, exclude=strange)


def test_unfit_counts_are_refused(index: VectorIndex) -> None:
    query = np.ones(DIM)
    with pytest.raises(InvalidArgumentError, match="k must be"):
        index.search(query, -1)
    for threads in (0, 100_000):
        with pytest.raises(InvalidArgumentError, match="threads must be from 1"):
            index.search_batch([query], threads=threads)
    with pytest.raises(MemoryError):
        index.search_batch(np.ones((2**20, DIM)), 2**32 - 1)


def test_many_threads_search_at_once(index: VectorIndex) -> None:
    queries = clustered(50, 22)
    expected = [index.search(query)[0].tolist() for query in queries]

    def ask() -> list[list[int]]:
        return [index.search(query)[0].tolist() for query in queries]

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ask) for _ in range(8)]:
            assert done.result() == expected


def test_other_threads_run_while_an_index_is_built_and_searched(vectors: Matrix) -> None:
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        index = VectorIndex(vectors)
        index.search_batch(vectors[:2000], recall=0.999, threads=1)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait()
    # Held, the lock would be given up between the two calls only.
    turns = 0
    while not done.is_set():
        turns += 1
    worker.join()
    assert turns > 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_builds_and_searches(index: VectorIndex, vectors: Matrix) -> None:
    rows = vectors[:1500]
    expected = index.search_batch(rows[:20], 5)[0]
    child = os.fork()
    if child == 0:
        try:
            found = [
                index.search_batch(rows[:20], 5)[0],
                index.search_batch(rows[:20], 5, threads=2)[0],
            ]
            VectorIndex(rows)
            same = all(np.array_equal(each, expected) for each in found)
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_an_index_shows_what_it_is(index: VectorIndex, vectors: Matrix) -> None:
    assert repr(index) == "<VectorIndex of 12000 vectors of dimension 48, cosine, approximate>"
    assert index.approximate
    exact = VectorIndex(vectors[:3], "dot", approximate=False)
    assert repr(exact) == "<VectorIndex of 3 vectors of dimension 48, dot, exact>"
    assert not exact.approximate
    assert exact.nbytes == 0
