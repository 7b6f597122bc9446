"""Selections are what they say, filters hold, and the fastest setting that finds enough counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from peers import filtered, measure, registry, report, selections
from peers.dataset import normalised
from peers.exact import NumpyExact
from peers.peer import FilteringPeer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from peers.peer import Ids, Setting

BASE = normalised(np.random.default_rng(7).standard_normal((2_000, 16)))
QUERIES = normalised(np.random.default_rng(8).standard_normal((60, 16)))


class Numpy(NumpyExact, FilteringPeer):
    """Compares all rows, and looks at the best `seen` of them for selected ones."""

    def select(self, name: str) -> None:
        """Make the mask."""
        self._is_selected = selections.mask(self._selections[name], len(self._base))

    def settings(self) -> list[Setting]:
        """Sweep how many are looked at."""
        return [{"seen": seen} for seen in (10, 200, 2_000)]

    def use(self, setting: Setting) -> None:
        """Set how many."""
        self._seen = int(setting["seen"])

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return those of the best that are selected."""
        best = super().search_one(query, self._seen)
        return best[self._is_selected[best]][:k]


class Heedless(Numpy):
    """Leaves the filter out of account."""

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the best."""
        return NumpyExact.search_one(self, query, k)


def measured(peer: FilteringPeer) -> dict[str, Any]:
    chosen = selections.drawn(BASE, measure.TOP)
    return filtered.measured(peer, BASE, QUERIES, filtered.targets(BASE, QUERIES, chosen))


def test_selections_have_their_share_of_the_rows_or_as_many_as_are_wanted() -> None:
    chosen = selections.drawn(BASE, least=10)
    counts = {name: len(rows) for name, rows in chosen.items()}
    assert list(counts.values()) == [1_000, 200, 20, 10] * 2
    assert list(counts) == [
        f"{kind} {share}" for kind in ("random", "near") for share in ("50%", "10%", "1%", "0.1%")
    ]
    for rows in chosen.values():
        assert np.array_equal(rows, np.unique(rows))
        assert rows[-1] < len(BASE)


def test_selections_are_the_same_each_time() -> None:
    first, second = (selections.notes(selections.drawn(BASE, least=10)) for _ in range(2))
    assert first == second
    assert len(set(first["sha256"].values())) == len(first["sha256"])


def test_near_rows_are_the_most_similar_to_one_of_them() -> None:
    chosen = selections.drawn(BASE, least=10)
    centre = np.random.default_rng([7, 2]).integers(len(BASE))
    similar = BASE.astype(np.float64) @ BASE[centre].astype(np.float64)
    for share, name in ((0.5, "near 50%"), (0.01, "near 1%")):
        rows = chosen[name]
        assert centre in rows
        left_out = np.delete(similar, rows)
        assert len(rows) == share * len(BASE)
        assert similar[rows].min() >= left_out.max()


def test_a_mask_has_the_rows() -> None:
    assert selections.mask(np.array([0, 3]), 5).tolist() == [True, False, False, True, False]


def test_answers_that_a_filter_leaves_out_count_as_none() -> None:
    is_selected = selections.mask(np.array([1, 2]), 4)
    kept, outside = filtered.selected_only(np.array([[1, 3], [2, -1]]), is_selected)
    assert kept.tolist() == [[1, -1], [2, -1]]
    assert outside == 1


def test_queries_that_got_fewer_distinct_rows_are_counted() -> None:
    assert filtered.short(np.array([[1, 2], [1, 1], [1, -1], [-1, -1]]), 2) == 3


def test_a_sweep_is_measured_among_the_selected_rows() -> None:
    result = measured(Numpy())
    for name, sweep in result["sets"].items():
        *_, last = sweep
        assert last["single"]["recall"] == 1.0, name
        assert len(last["single"]["cpu_s"]) == measure.ROUNDS
        assert last["short"] == last["outside"] == 0
    first = result["sets"]["random 1%"][0]
    assert first["single"]["recall"] < 0.5
    assert first["short"] == len(QUERIES)


def test_a_peer_that_leaves_the_filter_out_of_account_finds_little() -> None:
    for setting in measured(Heedless())["sets"]["random 1%"]:
        assert setting["outside"] > 0
        assert setting["single"]["recall"] < 0.5


def test_a_sweep_ends_where_enough_settings_find_enough() -> None:
    class Thorough(Numpy):
        def settings(self) -> list[Setting]:
            return [{"seen": 2_000}] * (filtered.ENOUGH + 2)

    for sweep in measured(Thorough())["sets"].values():
        assert len(sweep) == filtered.ENOUGH


def setting(recall: float, qps: float, short: int = 0) -> dict[str, Any]:
    return {"short": short, "single": {"recall": recall, "qps_cpu": qps}}


def test_the_fastest_setting_with_the_recall_counts() -> None:
    sweep = [setting(0.94, 900), setting(0.96, 500), setting(0.95, 700), setting(1.0, 100)]
    assert filtered.fastest(sweep) == setting(0.95, 700)
    assert filtered.fastest(sweep[:1]) is None
    assert filtered.fastest([]) is None


def results(**sweeps: list[dict[str, Any]]) -> dict[str, Any]:
    peer = {
        "build": {"cpu_s": 1.0},
        "version": "1",
        "method": "comparing",
        "load_average_1_min": {"before": 1.0, "after": 2.0},
    }
    names = {name.replace("_", "-"): sweep for name, sweep in sweeps.items()}
    return {
        "k": 10,
        "commit": "abc",
        "python": "3.11",
        "data": {"base_rows": 400, "dimension": 16, "selections": {"rows": {"random 1%": 10}}},
        "machine": {"cpu": "a processor", "cores": 2},
        "peers": {name: peer | {"sets": {"random 1%": sweep}} for name, sweep in names.items()}
        | {"missing": {"skipped": "not installed"}},
    }


def test_the_table_has_rates_what_falls_short_and_how_many_times_as_fast_sutra_is() -> None:
    run = results(
        sutra=[setting(0.97, 3_000)],
        sutra_after=[setting(0.99, 500)],
        slow=[setting(0.99, 200)],
        fast=[setting(0.96, 6_000, short=1)],
        low=[setting(0.8, 90_000)],
    )
    assert report.with_fastest(run)["peers"]["fast"]["fastest"]["random 1%"] is not None
    table = report.filters_table(run)
    assert "| sutra | 1.0 | 3,000 | 1.0 to 2.0 |" in table
    assert "| fast | 1.0 | 6,000 † | 1.0 to 2.0 |" in table
    assert "| low | 1.0 | - (0.80) | 1.0 to 2.0 |" in table
    assert "| times as fast as filtering after | 6.00 |" in table
    assert "| times as fast as the fastest other | 0.50 (fast) |" in table
    assert "- missing was skipped: not installed" in table


def test_there_is_no_comparison_where_sutra_or_all_others_find_too_little() -> None:
    run = results(sutra=[setting(0.9, 3_000)], fast=[setting(0.96, 6_000)])
    assert report.times_as_fast(run, ["fast"], "random 1%") == "-"
    run = results(sutra=[setting(0.96, 3_000)], fast=[setting(0.9, 6_000)])
    assert report.times_as_fast(run, ["fast"], "random 1%") == "-"


def test_a_filtering_peer_is_chosen_by_name_or_family() -> None:
    chosen = registry.chosen(["lancedb", "sutra-exact"], registry.FILTERING)
    assert chosen == ["sutra-exact", "lancedb-ivf-pq"]
    with pytest.raises(KeyError, match="no peer scann"):
        registry.chosen(["scann"], registry.FILTERING)
