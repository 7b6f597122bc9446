"""Measures one peer's searches under filters: each selection's sweep, by single calls.

Invariant: a row that a filter leaves out counts as none, however similar it is; how many queries
got fewer rows than there are, and how many such rows came back, is in the record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from peers import measure, recall, selections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from peers.peer import FilteringPeer, Ids, Matrix

WANTED: Final = 0.95
"""The recall from which on a setting counts."""
ENOUGH: Final = 3
"""Settings that reach it, after which the rest of a sweep, which is slower, is left out."""
PASS_S: Final = 0.5
"""A pass that would take longer is over fewer queries: the settings are many."""
FEWEST: Final = 100
WARM_UP: Final = 20


@dataclass(frozen=True, slots=True)
class Target:
    """A selection and what is to be found in it.

    Attributes:
        rows: Its ordinals.
        threshold: The exact score of the k-th best of its rows for each query.
    """

    rows: Ids
    threshold: NDArray[np.float64]


def targets(base: Matrix, queries: Matrix, chosen: dict[str, Ids]) -> dict[str, Target]:
    """Return each selection with its exact answers."""
    return {
        name: Target(rows, recall.thresholds(base[rows], queries, measure.TOP))
        for name, rows in chosen.items()
    }


def selected_only(found: Ids, is_selected: NDArray[np.bool_]) -> tuple[Ids, int]:
    """Return answers with -1 for each row that the filter leaves out, and how many these were."""
    outside = (found >= 0) & ~is_selected[found]
    kept: Ids = np.where(outside, -1, found)
    return kept, int(np.count_nonzero(outside))


def short(found: Ids, k: int) -> int:
    """Return how many queries got fewer than `k` distinct rows."""
    return sum(len(np.unique(ids[ids >= 0])) < k for ids in found)


def sweep(
    peer: FilteringPeer, base: Matrix, queries: Matrix, target: Target
) -> list[dict[str, Any]]:
    """Return each setting with its recall and rate over the rows that the peer has selected.

    The first round finds out which settings there is reason to measure again.
    """
    is_selected = selections.mask(target.rows, len(base))
    records: list[dict[str, Any]] = []
    passes: list[measure.Passes] = []
    reached = 0
    search = measure.MODES["single"]
    for setting in peer.settings():
        peer.use(setting)
        _, wall, _ = measure.timed(search, peer, queries[:WARM_UP])
        affordable = int(PASS_S / wall * WARM_UP)
        measured = measure.Passes(min(len(queries), max(FEWEST, affordable)))
        asked = queries[: measured.queries]
        found, wall, cpu = measure.timed(search, peer, asked)
        measured.wall_s.append(wall)
        measured.cpu_s.append(cpu)
        inside, outside = selected_only(found, is_selected)
        measured.recall = recall.recall(base, asked, target.threshold, inside, measure.TOP)
        wanted = min(measure.TOP, len(target.rows))
        records.append({"setting": setting, "short": short(inside, wanted), "outside": outside})
        passes.append(measured)
        reached += measured.recall >= WANTED
        if reached == ENOUGH:
            break
    for _ in range(1, measure.ROUNDS):
        for record, measured in zip(records, passes, strict=True):
            peer.use(record["setting"])
            measure.timed(search, peer, queries[:WARM_UP])
            _, wall, cpu = measure.timed(search, peer, queries[: measured.queries])
            measured.wall_s.append(wall)
            measured.cpu_s.append(cpu)
    return [
        record | {"single": measured.record()}
        for record, measured in zip(records, passes, strict=True)
    ]


def measured(
    peer: FilteringPeer, base: Matrix, queries: Matrix, among: dict[str, Target]
) -> dict[str, Any]:
    """Build a peer's index over the base and sweep it over each selection."""
    load = os.getloadavg()[0]
    peer.declare({name: target.rows for name, target in among.items()})
    result = measure.built(peer, base)
    result["sets"] = {}
    for name, target in among.items():
        peer.select(name)
        result["sets"][name] = sweep(peer, base, queries, target)
    result["peak_memory_mb"] = (measure.memory_kb("VmHWM") or 0) / 1e3 or None
    result["load_average_1_min"] = {"before": load, "after": os.getloadavg()[0]}
    return result


def fastest(sweep_: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the fastest setting that reaches the recall; None where none does."""
    reaching = [each for each in sweep_ if each["single"]["recall"] >= WANTED]
    return max(reaching, key=lambda each: float(each["single"]["qps_cpu"]), default=None)
