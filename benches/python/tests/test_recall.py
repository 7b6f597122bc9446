"""Recall counts ties for the answer, and rates are read off the frontier of a sweep."""

from __future__ import annotations

import numpy as np
import pytest

from peers import recall
from peers.recall import Rate


def unit(rows: list[list[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    matrix = np.array(rows, dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


# The second and third rows are equal, so that the second best of two is a tie.
BASE = unit([[1, 0.1], [1, 1], [1, 1], [0, 1], [-1, 0]])
QUERY = unit([[1, 0]])


def recall_of(*found: int) -> float:
    thresholds = recall.thresholds(BASE, QUERY, 2)
    return recall.recall(BASE, QUERY, thresholds, np.array([found]), 2)


def test_either_of_two_equal_rows_counts() -> None:
    assert recall_of(0, 1) == 1.0
    assert recall_of(2, 0) == 1.0


def test_a_worse_row_does_not_count() -> None:
    assert recall_of(0, 3) == 0.5
    assert recall_of(4, 3) == 0.0


def test_a_row_named_twice_counts_once_and_none_counts_as_none() -> None:
    assert recall_of(0, 0) == 0.5
    assert recall_of(0, -1) == 0.5


def test_more_rows_than_asked_for_do_not_help() -> None:
    assert recall_of(3, 4, 0, 1) == 0.0


def test_two_tied_rows_stand_in_for_each_other_but_not_for_a_better_one() -> None:
    # Both count: each is no worse than the second best. That the best is missing can't be seen by
    # a threshold; a search that ranks by score returns it.
    assert recall_of(1, 2) == 1.0


def test_thresholds_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(7)
    base = unit(rng.standard_normal((500, 16)).tolist())
    queries = unit(rng.standard_normal((20, 16)).tolist())
    expected = np.sort(queries.astype(np.float64) @ base.T.astype(np.float64), axis=1)[:, -10]
    assert recall.thresholds(base, queries, 10) == pytest.approx(expected, abs=1e-12)


def test_exact_search_is_the_same_in_blocks() -> None:
    rng = np.random.default_rng(7)
    base = unit(rng.standard_normal((300, 8)).tolist())
    queries = unit(rng.standard_normal((5, 8)).tolist())
    whole = np.sort(recall.exact_search(base, queries, 10), axis=1)
    parts = np.sort(recall.exact_search(base, queries, 10, block=64), axis=1)
    assert np.array_equal(whole, parts)


def test_the_frontier_leaves_out_what_is_slower_and_worse() -> None:
    points = [(0.9, 100.0), (0.95, 120.0), (0.99, 50.0), (0.98, 50.0), (0.8, 500.0)]
    assert recall.frontier(points) == [(0.8, 500.0), (0.95, 120.0), (0.99, 50.0)]


def test_a_rate_between_two_points_is_log_linear() -> None:
    rate = recall.rate_at([(0.90, 10_000.0), (1.00, 100.0)], 0.95)
    assert rate is not None
    assert not rate.at_least
    assert rate.qps == pytest.approx(1_000.0)


def test_a_rate_at_a_point_is_the_points() -> None:
    points = [(0.90, 300.0), (0.95, 200.0), (0.99, 100.0)]
    for wanted, qps in points:
        rate = recall.rate_at(points, wanted)
        assert rate is not None
        assert rate.qps == pytest.approx(qps)
        assert not rate.at_least


def test_a_sweep_that_begins_above_gives_a_lower_bound() -> None:
    points = [(0.97, 300.0), (0.99, 100.0)]
    assert recall.rate_at(points, 0.95) == Rate(300.0, at_least=True)


def test_a_sweep_that_ends_below_gives_nothing() -> None:
    assert recall.rate_at([(0.97, 300.0)], 0.99) is None
    assert recall.rate_at([], 0.9) is None
