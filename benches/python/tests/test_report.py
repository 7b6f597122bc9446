"""A run becomes a table: rates, what was skipped and why, and the names that --only takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from peers import measure, registry, report
from peers.exact import NumpyExact
from peers.recall import Rate, thresholds


def results() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    base = rng.standard_normal((400, 16)).astype(np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    queries = base[:150]
    sets = {"held out": (queries, thresholds(base, queries, 10))}
    return {
        "k": 10,
        "data": {"base_rows": 400, "dimension": 16},
        "machine": {"cpu": "a processor", "cores": 2},
        "peers": {
            "numpy-exact": measure.measured(NumpyExact(), base, sets),
            "missing": {"skipped": "not installed: No module named 'missing'"},
        },
    }


def test_an_exact_peer_is_measured_and_finds_all() -> None:
    [only] = results()["peers"]["numpy-exact"]["sets"]["held out"]
    for mode in report.MODES:
        assert only[mode]["recall"] == 1.0
        assert only[mode]["queries"] == 150
        assert len(only[mode]["cpu_s"]) == measure.ROUNDS


def test_the_table_names_what_was_measured_and_what_was_not() -> None:
    table = report.table(report.with_rates(results()))
    assert "| numpy-exact" in table
    assert "- missing was skipped: not installed: No module named 'missing'" in table


def test_rates_are_shown_with_what_bounds_them() -> None:
    assert report.shown(Rate(12_345.6)) == "12,346"
    assert report.shown(Rate(12.0, at_least=True)) == "≥ 12"
    assert report.shown(None) == "-"


def test_paths_are_left_out_of_the_command() -> None:
    command = ["--out", "/some/where/file.json", "--size", "10000"]
    assert report.without_paths(command) == ["--out", "file.json", "--size", "10000"]


def test_a_peer_is_chosen_by_name_or_family() -> None:
    assert registry.chosen(["turbovec-4"]) == ["turbovec-4"]
    assert registry.chosen(["turbovec"]) == ["turbovec-4", "turbovec-2"]
    assert registry.chosen([]) == list(registry.PEERS)
    with pytest.raises(KeyError, match="no peer nothing"):
        registry.chosen(["nothing"])
